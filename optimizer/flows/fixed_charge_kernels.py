"""Cheapest routes of many demands in one small acyclic graph with prices of their own, compiled."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def cheapest_entries(
    order: Ints,
    in_start: Ints,
    in_arc: Ints,
    arc_tail: Ints,
    arc_service: Ints,
    arc_price: Floats,
    pair_price: Floats,
    has_exit: npt.NDArray[np.bool_],
    origin: Ints,
    destination: Ints,
    length: int,
    widest: int,
) -> tuple[Floats, Ints, Floats, Ints]:
    """
    Per demand the cheapest route over each arc into its destination.

    Returns
    -------
    best, count, price, arcs
        Cheapest price per demand (D,), number of routes (D,), prices (D, widest) and arcs from the destination
        backwards (D, widest, length), padded with -1.
    """
    demands, nodes = origin.size, in_start.size - 1
    best = np.full(demands, np.inf)
    count = np.zeros(demands, np.int64)
    price = np.full((demands, widest), np.inf)
    arcs = np.full((demands, widest, length), -1, np.int64)
    distance = np.empty(nodes)
    through = np.empty(nodes, np.int64)
    for d in range(demands):
        distance[:] = np.inf
        through[:] = -1
        distance[origin[d]] = 0.0
        for node in order:
            if node == origin[d] or not has_exit[node] or node == destination[d]:
                continue
            for at in range(in_start[node], in_start[node + 1]):
                arc = in_arc[at]
                value = distance[arc_tail[arc]] + arc_price[arc]
                if arc_service[arc] >= 0:
                    value += pair_price[d, arc_service[arc]]
                if value < distance[node]:
                    distance[node] = value
                    through[node] = arc
        target = destination[d]
        for at in range(in_start[target], in_start[target + 1]):
            arc = in_arc[at]
            value = distance[arc_tail[arc]] + arc_price[arc]
            if arc_service[arc] >= 0:
                value += pair_price[d, arc_service[arc]]
            if not value < np.inf:
                continue
            slot = count[d]
            count[d] += 1
            price[d, slot] = value
            best[d] = min(best[d], value)
            step, hop = arc, 0
            while step >= 0:
                arcs[d, slot, hop] = step
                hop += 1
                step = through[arc_tail[step]]
    return best, count, price, arcs
