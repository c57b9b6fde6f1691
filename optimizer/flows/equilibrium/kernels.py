"""Compiled loops of the user equilibrium: cheapest routes of all demands, and shifts between the routes in use.

Callers go through :mod:`optimizer.flows.equilibrium.deterministic`, which checks the arrays; the kernels trust theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from optimizer.network.kernels import dijkstra


@njit(cache=True, nogil=True)
def cheapest_routes(indptr: Any, head: Any, tail: Any, price: Any, source: Any, first_demand: Any, target: Any,
                    pooled: Any, begin: int, end: int) -> Any:  # fmt: skip
    """
    Cheapest route of every demand of the sources ``begin`` to ``end``; listed where cheaper than ``pooled``.

    Returns
    -------
    Cost of the cheapest route of each of these demands; demands, ends and arcs (first arc first) of the routes listed.
    """
    nobody = np.zeros(indptr.size - 1, np.bool_)
    offset = first_demand[begin]
    best = np.empty(first_demand[end] - offset)
    listed = np.empty(best.size, np.int64)
    ends = np.empty(best.size, np.int64)
    arcs = np.empty(1024, np.int32)
    count = used = 0
    for place in range(begin, end):
        distance, predecessor = dijkstra(indptr, head, price, source[place], nobody, 0)
        for demand in range(first_demand[place], first_demand[place + 1]):
            vertex = target[demand]
            best[demand - offset] = distance[vertex]
            if not distance[vertex] < pooled[demand]:
                continue
            start = used
            while vertex != source[place]:
                if used == arcs.size:
                    grown = np.empty(2 * used, np.int32)
                    grown[:used] = arcs
                    arcs = grown
                arcs[used] = predecessor[vertex]
                vertex = tail[arcs[used]]
                used += 1
            arcs[start:used] = arcs[start:used][::-1].copy()
            listed[count] = demand
            ends[count] = used
            count += 1
    return best, listed[:count], ends[:count], arcs[:used]


@njit(cache=True, nogil=True)
def route_costs(start: Any, arcs: Any, price: Any) -> Any:
    """Sum of the prices of the arcs of each route."""
    cost = np.zeros(start.size - 1)
    for route in range(cost.size):
        for entry in range(start[route], start[route + 1]):
            cost[route] += price[arcs[entry]]
    return cost


@njit(cache=True, nogil=True)
def _move(arcs: Any, begin: int, end: int, other: Any, shift: float, toll: Any, free: Any, rise: Any, capacity: Any,
          power: Any, load: Any, price: Any, slope: Any) -> None:  # fmt: skip
    """Add ``shift`` to the load of the arcs of a route that carry no mark of ``other``, and price them again."""
    for entry in range(begin, end):
        arc = arcs[entry]
        if other[0][arc] == other[1]:
            continue
        load[arc] = max(load[arc] + shift, 0.0)
        if rise[arc] > 0.0:
            ratio = load[arc] / capacity[arc]
            steep = free[arc] * rise[arc] * ratio ** (power[arc] - 1.0)
            price[arc] = toll[arc] + free[arc] + steep * ratio
            slope[arc] = steep * power[arc] / capacity[arc]


@njit(cache=True, nogil=True)
def shift_flows(first_route: Any, start: Any, arcs: Any, flow: Any, toll: Any, free: Any, rise: Any, capacity: Any,
                power: Any, load: Any, price: Any, slope: Any, best_mark: Any, route_mark: Any) -> float:  # fmt: skip
    """
    One Newton step between the cheapest pooled route of each demand and each of its others, demand after demand.

    Routes of demand ``d`` are ``first_route[d]`` to ``first_route[d + 1]``. Changes flow, load, price and slope at once
    and uses the marks as scratch (-1 at first).

    Returns
    -------
    What the flows cost above the cheapest pooled routes, as met on the way.
    """
    excess = 0.0
    for demand in range(first_route.size - 1):
        begin = first_route[demand]
        end = first_route[demand + 1]
        if end - begin < 2:
            continue
        best = begin
        best_cost = np.inf
        for route in range(begin, end):
            cost = 0.0
            for entry in range(start[route], start[route + 1]):
                cost += price[arcs[entry]]
            if cost < best_cost:
                best_cost = cost
                best = route
        for entry in range(start[best], start[best + 1]):
            best_mark[arcs[entry]] = best
        for route in range(begin, end):
            if route == best or flow[route] == 0.0:
                continue
            saved = 0.0
            steep = 0.0
            for entry in range(start[route], start[route + 1]):
                arc = arcs[entry]
                route_mark[arc] = route
                if best_mark[arc] != best:
                    saved += price[arc]
                    steep += slope[arc]
            for entry in range(start[best], start[best + 1]):
                arc = arcs[entry]
                if route_mark[arc] != route:
                    saved -= price[arc]
                    steep += slope[arc]
            excess += flow[route] * max(saved, 0.0)
            # Where steps before made this route the cheaper one, tonnes come back.
            if saved * flow[route] >= steep * flow[route] ** 2 and saved > 0.0:
                shift = flow[route]
            elif -saved >= steep * flow[best] and saved < 0.0:
                shift = -flow[best]
            elif saved == 0.0:
                continue
            else:
                shift = saved / steep
            flow[route] -= shift
            flow[best] += shift
            _move(arcs, start[route], start[route + 1], (best_mark, best), -shift, toll, free, rise, capacity, power,
                  load, price, slope)  # fmt: skip
            _move(arcs, start[best], start[best + 1], (route_mark, route), shift, toll, free, rise, capacity, power,
                  load, price, slope)  # fmt: skip
    return excess
