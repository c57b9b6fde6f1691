"""Trip prices by Lagrangian relaxation of (1): then each depot is one minimum-cost flow with optional trips.

Prices move along an averaged subgradient with steps after Polyak. A flow does each trip at most once, so that its
bound is far better than that of cheapest rotations alone until both meet at the optimum of the linear relaxation.
While prices move, only the links near cheap rotations are looked at; :func:`certified_bound` looks at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from optimizer.circulation.graph import Graph
from optimizer.circulation.problem import Floats, Ints

LINKS_PER_TRIP = 12
PATIENCE = 5
ROUNDING = 1e-6
"""Scaled costs so near a whole number are that number."""
COST_RANGE = 2**36
"""Costs are scaled to whole numbers of at most so much."""


@dataclass
class Prices:
    """Best prices found, their (uncertified) bound, and rotations of the later passes."""

    price: Floats
    bound: float
    rotations: list[tuple[int, tuple[int, ...]]]


def ascend(graph: Graph, price: Floats, upper: float, passes: int, stop: Callable[[], bool]) -> Prices:
    """Better prices than ``price``; ``upper`` is the cost of any plan, or a guess."""
    scale = _scale(graph)
    best, best_price = -np.inf, price
    step, since, direction = 1.0, 0, np.zeros_like(price)
    pool: dict[tuple[int, tuple[int, ...]], None] = {}
    for done in range(passes):
        if stop() and done:
            break
        price = np.minimum(np.round(price * scale) / scale, graph.skip)
        value, covered = float(price.sum()), np.zeros(graph.num_trips)
        for k in graph.used_depots:
            found, rotations = _depot_flow(graph, k, price, scale, filtered=True)
            value += found
            for trips in rotations:
                covered[list(trips)] += 1
                if 2 * done > passes:
                    pool[k, trips] = None
        if value > best + 1e-9 * max(1.0, abs(best) if np.isfinite(best) else 1.0):
            best, best_price, since = value, price, 0
        else:
            since += 1
        if since >= PATIENCE:
            step, since, price = 0.6 * step, 0, best_price
        missing = 1.0 - covered
        direction = 0.6 * direction + 0.4 * missing if done else missing
        length = float(direction @ direction)
        if length < 1e-9:
            break
        price = price + step * max(1e-4 * abs(value), upper - value) / max(1.0, length) * direction
    return Prices(best_price, best, list(pool))


def certified_bound(graph: Graph, price: Floats) -> float:
    """A bound on every plan from trip prices: costs rounded down to whole units, all links looked at."""
    scale = _scale(graph)
    price = np.minimum(price, graph.skip)
    flows = sum(_depot_flow(graph, k, price, scale, filtered=False)[0] for k in graph.used_depots)
    slack = 4 * ROUNDING * graph.num_trips / scale
    return float(price.sum() + flows - slack)


def _scale(graph: Graph) -> float:
    parts = (graph.pull_out, graph.pull_in, graph.service, graph.link_cost)
    largest = max((float(part[np.isfinite(part)].max(initial=1.0)) for part in parts), default=1.0)
    return 10.0 ** np.floor(np.log10(COST_RANGE / (4 * largest * max(1, graph.num_trips))))


def _depot_flow(
    graph: Graph, depot: int, price: Floats, scale: float, filtered: bool
) -> tuple[float, list[tuple[int, ...]]]:
    """Least cost, and rotations, of the depot's vehicles when trips pay their price and need not be done."""
    labels = graph.labels(depot, price)
    weight = graph.service[depot] - price
    through = graph.link_through(depot, price, labels)
    trips = np.flatnonzero(np.isfinite(labels.through))
    usable = np.isfinite(through)
    if filtered and through.size > LINKS_PER_TRIP * graph.num_trips:
        cut = np.partition(through, LINKS_PER_TRIP * graph.num_trips)[LINKS_PER_TRIP * graph.num_trips]
        usable &= through <= max(cut, 0.0)
        trips = trips[labels.through[trips] <= max(cut, 0.0)]
    links = np.flatnonzero(usable)
    if trips.size == 0:
        return 0.0, []
    num = graph.num_trips
    source, sink, idle = 0, 2 * num + 1, int(graph.vehicles[depot])
    out = trips[np.isfinite(graph.pull_out[depot, trips])]
    back = trips[np.isfinite(graph.pull_in[depot, trips])]
    tail = np.r_[np.full(out.size, source), 1 + trips, num + 1 + graph.tail[links], num + 1 + back, source]
    head = np.r_[1 + out, num + 1 + trips, 1 + graph.head[links], np.full(back.size, sink), sink]
    cost = np.r_[graph.pull_out[depot, out], weight[trips], graph.rate[depot] * graph.link_cost[links],
                 graph.pull_in[depot, back], 0.0]  # fmt: skip
    whole = np.floor(cost * scale + ROUNDING).astype(np.int64)
    room = np.ones(tail.size, np.int64)
    room[-1] = idle
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(tail, head, room, whole)
    flow.set_nodes_supplies(np.array([source, sink]), np.array([idle, -idle]))
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("the minimum-cost flow of a depot failed")
    used = flow.flows(arcs) > 0
    return flow.optimal_cost() / scale, _chains(graph, out, trips, links, used)


def _chains(graph: Graph, out: Ints, trips: Ints, links: Ints, used: np.ndarray) -> list[tuple[int, ...]]:
    begin = out.size + trips.size
    taken = links[used[begin : begin + links.size]]
    follower = dict(zip(graph.tail[taken].tolist(), graph.head[taken].tolist(), strict=True))
    chains = []
    for root in out[used[: out.size]].tolist():
        chain = [root]
        while chain[-1] in follower:
            chain.append(follower[chain[-1]])
        chains.append(tuple(chain))
    return chains
