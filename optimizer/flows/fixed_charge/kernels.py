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


@numba.njit(cache=True, nogil=True)
def knapsacks(
    cost: Floats, quantity: Floats, fixed: Floats, most: Floats, price: Floats, lower: Floats, upper: Floats,
    fewest: int, share: Floats, opened: Floats, worth: Floats,
) -> float:  # fmt: skip
    """
    Lagrangian of the demand rows: each service fills its volume with what pays best at ``price`` (D,) per tonne.

    ``cost`` is (S, D) per tonne. Writes shares (S, D), services opened and their worth (S,): the change of cost by
    opening them. At least ``fewest`` are opened. Returns the sum of the worths taken, inf where too few may open.
    """
    services, demands = cost.shape
    total = 0.0
    place = np.empty(demands, np.int64)
    gain = np.empty(demands)
    for s in range(services):
        share[s] = 0.0
        count = 0
        for d in range(demands):
            if cost[s, d] < price[d]:
                place[count] = d
                gain[count] = cost[s, d] - price[d]
                count += 1
        room, value = most[s], fixed[s]
        for at in np.argsort(gain[:count]):
            if room <= 0.0:
                break
            d = place[at]
            taken = min(room, quantity[d])
            value += taken * gain[at]
            share[s, d] = taken / quantity[d]
            room -= taken
        worth[s] = value
        opened[s] = lower[s] if value >= 0.0 else upper[s]
        total += opened[s] * value
    while opened.sum() < fewest:
        best = -1
        for s in range(services):
            if opened[s] < upper[s] and (best < 0 or worth[s] < worth[best]):
                best = s
        if best < 0:
            return np.inf
        opened[best] = 1.0
        total += worth[best]
    for s in range(services):
        if opened[s] == 0.0:
            share[s] = 0.0
    return total


@numba.njit(cache=True, nogil=True)
def volume_steps(
    cost: Floats, quantity: Floats, penalty: Floats, fixed: Floats, most: Floats, lower: Floats, upper: Floats,
    fewest: int, price: Floats, mean_share: Floats, mean_open: Floats, worth: Floats, chosen: Floats, state: Floats,
    ceiling: float, steps: int,
) -> float:  # fmt: skip
    """
    Steps of the volume algorithm (Barahona and Anbil 2000) on the demand rows; works in place on prices and means.

    ``state`` holds the step factor, the target, the failures in a row and the best bound; returns the best bound,
    early when it reaches ``ceiling``. ``worth`` and ``chosen`` belong to the best bound.
    """
    services, demands = cost.shape
    share, opened, now = np.empty((services, demands)), np.empty(services), np.empty(services)
    trial = np.empty(demands)
    for _ in range(steps):
        rest = 1.0 - mean_share.sum(axis=0)
        # What may stay unserved has no price above its penalty.
        for d in range(demands):
            if price[d] >= penalty[d] and rest[d] > 0.0:
                rest[d] = 0.0
        norm = (rest * rest).sum()
        if norm < 1e-12:
            break
        best = state[3]
        if best > 0.98 * state[1]:
            state[1] = best * 1.03 if best > 0.0 else best + 1.0
        step = state[0] * (state[1] - best) / norm
        for d in range(demands):
            trial[d] = min(price[d] + step * rest[d] / quantity[d], penalty[d])
        bound = (quantity * trial).sum()
        bound += knapsacks(cost, quantity, fixed, most, trial, lower, upper, fewest, share, opened, now)
        ahead = ((1.0 - share.sum(axis=0)) * rest).sum()
        alpha = 0.1 if state[0] > 0.1 else 0.03
        mean_share[:] = alpha * share + (1.0 - alpha) * mean_share
        mean_open[:] = alpha * opened + (1.0 - alpha) * mean_open
        if bound > best:
            if bound - best > 1e-5 * abs(best) and ahead > 0.0:
                state[0] = min(state[0] * 1.1, 2.0)
            state[3], state[2] = bound, 0.0
            price[:] = trial
            worth[:] = now
            chosen[:] = opened
            if bound >= ceiling:
                break
        else:
            state[2] += 1.0
            if state[2] >= 20.0:
                state[0], state[2] = max(state[0] * 0.66, 1e-4), 0.0
    return state[3]
