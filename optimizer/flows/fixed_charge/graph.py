"""Exact pricing of routes in one small acyclic graph: stages (plant, depot, customer) need no list of routes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.flows.fixed_charge.problem import Columns, Floats, Ints, Priced


@dataclass(frozen=True)
class RouteGraph:
    """
    Routes as paths of an acyclic graph, priced for a :class:`~optimizer.flows.fixed_charge.problem.FixedChargeProblem`.

    Attributes
    ----------
    nodes
        Number of nodes.
    tail, head, cost
        Arcs (A,); cost in USD per tonne.
    service, weight
        Service used by the arc or -1, and its volume per tonne (A,). A route may use a service once.
    resource, use
        Shared capacity used by the arc or -1, and its use per tonne (A,).
    origin, destination
        Nodes of each demand (D,).

    Raises
    ------
    ValueError
        The graph has a cycle, or an array does not fit.
    """

    nodes: int
    tail: Ints
    head: Ints
    cost: Floats
    service: Ints
    weight: Floats
    resource: Ints
    use: Floats
    origin: Ints
    destination: Ints

    def __post_init__(self) -> None:
        if any(a.shape != self.tail.shape for a in (self.head, self.cost, self.service, self.resource, self.use)):
            raise ValueError("arrays of arcs differ in length")
        if np.any(self.origin == self.destination):
            raise ValueError("a demand starts where it ends")
        _ = self._order

    @cached_property
    def _order(self) -> tuple[Ints, int]:
        """Nodes in topological order, and the number of arcs of the longest path."""
        waiting = np.bincount(self.head, minlength=self.nodes)
        level = np.zeros(self.nodes, np.int64)
        ready, order, arcs = np.flatnonzero(waiting == 0), [], np.argsort(self.tail, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(self.tail, minlength=self.nodes))])
        depth = 0
        while ready.size:
            order.append(ready)
            level[ready], depth = depth, depth + 1
            out = np.concatenate([arcs[start[node] : start[node + 1]] for node in ready])
            waiting -= np.bincount(self.head[out], minlength=self.nodes)
            touched = np.unique(self.head[out])
            ready = touched[waiting[touched] == 0]
        flat = np.concatenate(order) if order else np.empty(0, np.int64)
        if flat.size < self.nodes:
            raise ValueError("the graph of routes has a cycle")
        return flat.astype(np.int64), max(depth, 1)

    @property
    def longest(self) -> int:
        """Arcs of the longest path."""
        return self._order[1]

    @cached_property
    def _entries(self) -> tuple[Ints, Ints]:
        counts = np.bincount(self.head, minlength=self.nodes)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.argsort(self.head, kind="stable")

    def __call__(self, service_price: Floats, resource_price: Floats, pair_price: Floats) -> Priced:
        """Cheapest route of each demand over each arc into its destination."""
        from optimizer.flows.fixed_charge.kernels import cheapest_entries  # numba is slow to load

        start, entry = self._entries
        order, length = self._order
        price = (
            self.cost + _at(service_price, self.service) * self.weight + _at(resource_price, self.resource) * self.use
        )
        widest = int(np.diff(start)[self.destination].max(initial=0))
        best, count, _, arcs = cheapest_entries(
            order, start, entry, self.tail, self.service, price, pair_price,
            np.bincount(self.tail, minlength=self.nodes) > 0, self.origin, self.destination, length, max(widest, 1),
        )  # fmt: skip
        demand = np.repeat(np.arange(count.size), count)
        slot = np.concatenate([np.arange(n) for n in count]) if count.size else np.empty(0, np.int64)
        return Priced(best, self.columns(demand, arcs[demand, slot.astype(np.int64)]))

    def all_routes(self, limit: int) -> Columns | None:
        """Every route of every demand, or None when there are more than ``limit``."""
        order, _ = self._order
        start, entry = self._entries
        ways = np.zeros((self.origin.size, self.nodes))
        ways[np.arange(self.origin.size), self.origin] = 1.0
        for node in order:
            into = self.tail[entry[start[node] : start[node + 1]]]
            ways[:, node] += ways[:, into].sum(axis=1)
        if float(ways[np.arange(self.origin.size), self.destination].sum()) > limit:
            return None
        routes: list[list[int]] = []
        demand: list[int] = []
        for d, (origin, destination) in enumerate(zip(self.origin, self.destination, strict=True)):
            heads: list[tuple[int, list[int]]] = [(int(destination), [])]
            while heads:
                node, path = heads.pop()
                if node == origin:
                    routes.append(path)
                    demand.append(d)
                    continue
                for arc in entry[start[node] : start[node + 1]]:
                    if ways[d, self.tail[arc]] > 0:
                        heads.append((int(self.tail[arc]), [*path, int(arc)]))
        longest = max((len(path) for path in routes), default=0)
        arcs = np.array([path + [-1] * (longest - len(path)) for path in routes], np.int64).reshape(-1, longest)
        return self.columns(np.array(demand, np.int64), arcs)

    def columns(self, demand: Ints, arcs: Ints) -> Columns:
        """Columns of routes given as rows of arcs, padded with -1."""
        used = arcs >= 0
        cost = np.where(used, self.cost[arcs], 0.0).sum(axis=1)
        service, resource = np.where(used, self.service[arcs], -1), np.where(used, self.resource[arcs], -1)
        return Columns(
            demand,
            cost,
            _starts(service >= 0),
            service[service >= 0],
            self.weight[arcs][service >= 0],
            _starts(resource >= 0),
            resource[resource >= 0],
            self.use[arcs][resource >= 0],
        )


def _at(price: Floats, index: Ints) -> Floats:
    return np.where(index >= 0, np.append(price, 0.0)[index], 0.0)


def _starts(mask: np.ndarray) -> Ints:
    return np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
