"""Cheapest routes of all demands at prices of the capacities, and the Lagrangian bound these prices prove.

Demands with one graph and one sink form a group: a single backward labelling over all days gives the cheapest way on
for each of them, whatever its source and release, without the cost of being late; a forward search of each demand,
guided by these labels, adds it and yields the route. Of the graph, a group keeps the vertices that some of its demands
could pass at less than their penalty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from optimizer.flows.routes import pricing_kernels
from optimizer.flows.routes.pool import RoutePool, Routes
from optimizer.flows.routes.problem import DayGraph, Flags, Floats, Ints, Longs, RouteFlowProblem, sum_product
from optimizer.network.paths import shortest_path_tree

SLACK = 1 + 1e-9
"""Sums of two searches round differently from the sum along a route."""


@dataclass(frozen=True)
class _Group:
    """Demands with one graph and sink, and the part of the graph they may use; vertices near the sink come first."""

    graph: int
    members: Longs
    source: Longs
    sink: int
    vertices: Longs
    indptr: Longs
    arcs: Ints
    heads: Ints
    holding: Floats
    least_days: Longs


@dataclass(frozen=True)
class _Memory:
    """What searches keep for every day and vertex; one for each thread."""

    label: Floats
    onward: Ints
    clock: Longs
    seen: Longs
    cost: Floats
    came_by: Ints
    came_from: Ints

    @classmethod
    def of(cls, states: int) -> _Memory:
        return cls(
            np.empty(states), np.empty(states, np.int32), np.zeros(1, np.int64), np.zeros(states, np.int64),
            np.empty(states), np.empty(states, np.int32), np.empty(states, np.int32),
        )  # fmt: skip


class Pricing:
    """Prepared searches of a problem.

    Parameters
    ----------
    problem
        Demands and graphs.
    threads
        Searches side by side; the result does not depend on it.
    """

    def __init__(self, problem: RouteFlowProblem, threads: int | None = None) -> None:
        self.problem = problem
        self.threads = threads or min(os.cpu_count() or 1, 8)
        self._departs = [_open_days(problem, graph) for graph in problem.graphs]
        self._groups = sorted(_groups(problem), key=lambda group: -group.members.size * group.vertices.size)
        self.reachable = np.zeros(problem.num_demands, dtype=np.bool_)
        for group in self._groups:
            self.reachable[group.members] = True
        most = max((group.vertices.size for group in self._groups), default=0)
        self._memory: SimpleQueue[_Memory] = SimpleQueue()
        for _ in range(self.threads):
            self._memory.put(_Memory.of(most * problem.num_days))

    def cheapest(self, price: Floats, threshold: Floats) -> tuple[Floats, list[Routes]]:
        """
        Cost of the cheapest route of every demand, and the routes that cost less than ``threshold``.

        Parameters
        ----------
        price
            Shape (C,): per unit of every cell, not below zero.
        threshold
            Shape (K,).

        Returns
        -------
        cheapest
            Shape (K,): for demands below their threshold the cost of their route, for the others a lower bound not
            below the threshold; ``inf`` where no route is worth taking.
        routes
            One batch per group with routes.
        """
        problem = self.problem
        cheapest = np.full(problem.num_demands, np.inf)

        def arc_prices(number: int) -> Floats:
            graph = problem.graphs[number]
            prices: Floats = pricing_kernels.arc_prices(
                graph.cost, self._departs[number], graph.use_indptr, graph.use_resource, graph.use_units,
                problem.first_cell, problem.stride, price,
            )  # fmt: skip
            return prices

        with ThreadPoolExecutor(self.threads) as pool:
            prices = list(pool.map(arc_prices, range(len(problem.graphs))))
            batches = list(pool.map(lambda g: self._search(g, prices[g.graph], threshold, cheapest), self._groups))
        return cheapest, [batch for batch in batches if batch is not None]

    def bound(self, cheapest: Floats, price: Floats) -> float:
        """Lagrangian bound: every tonne goes its cheapest way at the prices, capacities are paid back."""
        problem = self.problem
        least = np.minimum(cheapest, problem.penalty)
        finite = np.isfinite(problem.capacity)
        return sum_product(problem.quantity, least) - sum_product(price[finite], problem.capacity[finite])

    def open_routes(self, pool: RoutePool) -> Flags:
        """Which routes of a pool (of the same graphs and demands) keep to arcs that are open on their days."""
        owner = np.repeat(pool.demand, np.diff(pool.move_start))
        is_open = np.ones(owner.size, dtype=np.bool_)
        for number, departs in enumerate(self._departs):
            mine = self.problem.graph[owner] == number
            is_open[mine] = departs[pool.move_arc[mine], pool.move_day[mine]]
        shut = np.add.reduceat(np.append(~is_open, False), pool.move_start[:-1].clip(max=is_open.size))
        shut[np.diff(pool.move_start) == 0] = 0
        return np.asarray(shut == 0)

    def _search(self, group: _Group, price: Floats, threshold: Floats, cheapest: Floats) -> Routes | None:
        problem, members = self.problem, group.members
        graph = problem.graphs[group.graph]
        memory = self._memory.get()
        try:
            owner, cost, move_end, move_arc, move_day = pricing_kernels.price_group(
                members, group.source, group.sink, problem.release_day[members], problem.due_day[members],
                problem.late_cost[members], threshold, int(problem.release_day[members].min()), problem.num_days,
                group.indptr, group.arcs, group.heads, graph.duration_days, graph.cost, price, group.holding,
                group.least_days, cheapest, memory.label, memory.onward,
                memory.clock, memory.seen, memory.cost, memory.came_by, memory.came_from,
            )  # fmt: skip
        finally:
            self._memory.put(memory)
        if not owner.size:
            return None
        cell_end, cells, units = pricing_kernels.route_cells(
            move_end, move_arc, move_day, graph.use_indptr, graph.use_resource, graph.use_units, problem.first_cell,
            problem.stride,
        )  # fmt: skip
        return Routes(owner, cost, move_end, move_arc, move_day, cell_end, cells, units)


def _open_days(problem: RouteFlowProblem, graph: DayGraph) -> Flags:
    """Shape (m, T): days on which an arc departs and none of the cells it uses is without capacity."""
    departs = np.ascontiguousarray(graph.departs.T)
    shut = np.flatnonzero(problem.capacity <= 0)
    if not shut.size:
        return departs
    is_shut = np.zeros(problem.capacity.size, dtype=np.bool_)
    is_shut[shut] = True
    departs = departs.copy()
    arcs = np.repeat(np.arange(graph.head.size), np.diff(graph.use_indptr))
    days = np.arange(problem.num_days)
    for arc, resource, units in zip(arcs, graph.use_resource, graph.use_units, strict=True):
        if units > 0:
            departs[arc] &= ~is_shut[problem.first_cell[resource] + problem.stride[resource] * days]
    return departs


def _groups(problem: RouteFlowProblem) -> Iterator[_Group]:
    order = np.lexsort((np.arange(problem.num_demands), problem.sink, problem.graph))
    breaks = np.flatnonzero(np.diff(problem.graph[order]) | np.diff(problem.sink[order])) + 1
    from_source: dict[tuple[int, int], Floats] = {}
    turned: dict[int, tuple[Longs, Ints, Floats, Floats]] = {}
    for members in np.split(order, breaks) if order.size else []:
        number, sink = int(problem.graph[members[0]]), int(problem.sink[members[0]])
        graph = problem.graphs[number]
        if number not in turned:
            back = np.argsort(graph.head, kind="stable")
            counts = np.bincount(graph.head, minlength=graph.num_vertices)
            pointers = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
            days = np.where(np.isfinite(graph.cost), graph.duration_days, np.inf)
            turned[number] = pointers, graph.tail[back], graph.cost[back], days[back]
        pointers, tails, costs, days = turned[number]
        to_sink = shortest_path_tree(pointers, tails, costs, sink)[0]
        least_days = shortest_path_tree(pointers, tails, days, sink)[0]
        kept = np.zeros(graph.num_vertices, dtype=np.bool_)
        for source in np.unique(problem.source[members]).tolist():
            if (number, source) not in from_source:
                from_source[number, source] = shortest_path_tree(graph.indptr, graph.head, graph.cost, source)[0]
            highest = float(problem.penalty[members[problem.source[members] == source]].max())
            through = from_source[number, source] + to_sink
            kept |= np.isfinite(through) & (through <= highest * SLACK + 1e-9)
        members = members[kept[problem.source[members]]]
        if members.size and kept[sink]:
            yield _group(problem, number, members, sink, kept, to_sink, least_days)


def _group(
    problem: RouteFlowProblem,
    number: int,
    members: Longs,
    sink: int,
    kept: Flags,
    to_sink: Floats,
    least_days: Floats,
) -> _Group:
    graph = problem.graphs[number]
    vertices = np.flatnonzero(kept)
    vertices = vertices[np.lexsort((vertices, to_sink[vertices]))]
    own = np.full(graph.num_vertices, -1, dtype=np.int64)
    own[vertices] = np.arange(vertices.size)
    inside = np.flatnonzero(kept[graph.tail] & kept[graph.head] & np.isfinite(graph.cost) & (graph.tail != sink))
    inside = inside[np.lexsort((inside, own[graph.tail[inside]]))]
    tails = own[graph.tail[inside]]
    counts = np.bincount(tails, minlength=vertices.size)
    return _Group(
        graph=number,
        members=np.ascontiguousarray(members.astype(np.int64)),
        source=own[problem.source[members]],
        sink=int(own[sink]),
        vertices=vertices,
        indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        arcs=inside.astype(np.int32),
        heads=own[graph.head[inside]].astype(np.int32),
        holding=graph.holding[vertices],
        least_days=least_days[vertices].astype(np.int64),
    )
