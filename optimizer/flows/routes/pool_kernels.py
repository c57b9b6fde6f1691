"""Compiled loops over the pooled routes of each demand: prices, tonnes, loads of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NONE = -1


@njit(cache=True, nogil=True)
def least_pooled_cost(first_route: Any, next_route: Any, cost: Any, start: Any, cells: Any, units: Any, price: Any,
                      penalty: Any) -> Any:  # fmt: skip
    """Cost of the cheapest pooled route of every demand at prices of cells, at most its penalty."""
    out = penalty.copy()
    for demand in range(first_route.size):
        route = first_route[demand]
        while route >= 0:
            total = cost[route]
            for at in range(start[route], start[route + 1]):
                total += units[at] * price[cells[at]]
            if total < out[demand]:
                out[demand] = total
            route = next_route[route]
    return out


@njit(cache=True, nogil=True)
def sweep(first_route: Any, next_route: Any, cost: Any, start: Any, cells: Any, units: Any, flow: Any, unserved: Any,
          penalty: Any, load: Any, capacity: Any, multiplier: Any, stiffness: Any, step: float) -> Any:  # fmt: skip
    """
    One Gauss-Seidel pass of gradient projection on the augmented Lagrangian of the capacities.

    Every demand moves tonnes from its dearer routes to its cheapest one, by a Newton step along each pair (Bertsekas
    and Gafni 1982; Jayakrishnan et al. 1994). Returns what could still be saved at the prices met (sum of excess cost
    times flow before the move).
    """
    excess_total = 0.0
    price_of = np.empty(256)
    for demand in range(first_route.size):
        best = NONE
        best_cost = penalty[demand]
        route = first_route[demand]
        if route < 0:
            continue
        count = 0
        while route >= 0:
            total = cost[route]
            for at in range(start[route], start[route + 1]):
                cell = cells[at]
                value = multiplier[cell] + stiffness[cell] * (load[cell] - capacity[cell])
                if value > 0.0:
                    total += units[at] * value
            if count < 256:
                price_of[count] = total
            count += 1
            if total < best_cost:
                best_cost = total
                best = route
            route = next_route[route]
        number = 0
        route = first_route[demand]
        last = False
        while True:
            if route < 0:
                last = True
            tonnes = unserved[demand] if last else flow[route]
            if tonnes > 0.0 and not (last and best == NONE) and (last or route != best):
                mine = penalty[demand] if last else (price_of[number] if number < 256 else best_cost)
                excess = mine - best_cost
                if excess > 0.0:
                    excess_total += excess * tonnes
                    curvature = 0.0
                    if not last:
                        for at in range(start[route], start[route + 1]):
                            cell = cells[at]
                            if multiplier[cell] + stiffness[cell] * (load[cell] - capacity[cell]) > 0.0:
                                curvature += units[at] * units[at] * stiffness[cell]
                    if best >= 0:
                        for at in range(start[best], start[best + 1]):
                            cell = cells[at]
                            # a cell without a price now may get one by this very move
                            after = load[cell] + units[at] * tonnes
                            if multiplier[cell] + stiffness[cell] * (after - capacity[cell]) > 0.0:
                                curvature += units[at] * units[at] * stiffness[cell]
                    moved = tonnes if curvature * tonnes <= step * excess else step * excess / curvature
                    if last:
                        unserved[demand] -= moved
                    else:
                        flow[route] -= moved
                        for at in range(start[route], start[route + 1]):
                            load[cells[at]] -= units[at] * moved
                    if best >= 0:
                        flow[best] += moved
                        for at in range(start[best], start[best + 1]):
                            load[cells[at]] += units[at] * moved
                    else:
                        unserved[demand] += moved
            if last:
                break
            route = next_route[route]
            number += 1
    return excess_total


@njit(cache=True, nogil=True)
def loads(start: Any, cells: Any, units: Any, flow: Any, num_cells: int) -> Any:
    """Units on every cell."""
    out = np.zeros(num_cells)
    for route in range(flow.size):
        if flow[route] > 0.0:
            for at in range(start[route], start[route + 1]):
                out[cells[at]] += units[at] * flow[route]
    return out


@njit(cache=True, nogil=True)
def cut_back(order: Any, start: Any, cells: Any, units: Any, flow: Any, load: Any, capacity: Any) -> None:
    """Take tonnes off routes, in the given order, until no cell is overfull."""
    for route in order:
        if flow[route] <= 0.0:
            continue
        over = 0.0
        for at in range(start[route], start[route + 1]):
            cell = cells[at]
            if units[at] > 0.0:
                over = max(over, (load[cell] - capacity[cell]) / units[at])
        if over > 0.0:
            moved = min(over, flow[route])
            flow[route] -= moved
            for at in range(start[route], start[route + 1]):
                load[cells[at]] -= units[at] * moved


@njit(cache=True, nogil=True)
def refill(order: Any, first_route: Any, next_route: Any, cost: Any, start: Any, cells: Any, units: Any, flow: Any,
           unserved: Any, penalty: Any, load: Any, capacity: Any) -> None:  # fmt: skip
    """Put unserved tonnes on the cheapest pooled routes with room, demand by demand."""
    for demand in order:
        while unserved[demand] > 0.0:
            best = NONE
            best_cost = penalty[demand]
            best_room = 0.0
            route = first_route[demand]
            while route >= 0:
                if cost[route] < best_cost:
                    room = unserved[demand]
                    for at in range(start[route], start[route + 1]):
                        if units[at] > 0.0:
                            room = min(room, (capacity[cells[at]] - load[cells[at]]) / units[at])
                    if room > 1e-9 * unserved[demand] and room > 1e-12:
                        best, best_cost, best_room = route, cost[route], room
                route = next_route[route]
            if best == NONE:
                break
            flow[best] += best_room
            unserved[demand] = max(unserved[demand] - best_room, 0.0)
            for at in range(start[best], start[best + 1]):
                load[cells[at]] += units[at] * best_room


@njit(cache=True, nogil=True)
def place_whole(order: Any, first_route: Any, next_route: Any, cost: Any, start: Any, cells: Any, units: Any, flow: Any,
                unserved: Any, quantity: Any, penalty: Any, load: Any, capacity: Any) -> None:  # fmt: skip
    """Put all tonnes of each demand on its cheapest pooled route with room for them, demand by demand."""
    for demand in order:
        best = NONE
        best_cost = penalty[demand]
        tonnes = quantity[demand]
        route = first_route[demand]
        while route >= 0:
            if cost[route] < best_cost:
                # A route may use a cell more than once, so the load is put on before it is judged.
                fits = True
                for at in range(start[route], start[route + 1]):
                    load[cells[at]] += units[at] * tonnes
                for at in range(start[route], start[route + 1]):
                    if units[at] > 0.0 and load[cells[at]] > capacity[cells[at]]:
                        fits = False
                for at in range(start[route], start[route + 1]):
                    load[cells[at]] -= units[at] * tonnes
                if fits:
                    best, best_cost = route, cost[route]
            route = next_route[route]
        if best == NONE:
            continue
        flow[best] = tonnes
        unserved[demand] = 0.0
        for at in range(start[best], start[best + 1]):
            load[cells[at]] += units[at] * tonnes
