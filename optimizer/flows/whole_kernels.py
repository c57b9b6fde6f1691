"""Compiled loop that finds room for demands that travel whole."""

from __future__ import annotations

from typing import Any

from numba import njit

NONE = -1


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
