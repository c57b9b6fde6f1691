"""Compiled loops over trips and links. They release the interpreter lock.

Trips are numbered so that links lead upwards; ``first`` and ``head`` list the links by tail (CSR), ``cost`` is that of
a vehicle of the depot. ``weight`` of a trip is its service less its price; ``inf`` where the depot cannot do it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NONE = -1


@njit(cache=True, nogil=True)
def topological_order(num_trips: int, tail: Any, head: Any) -> Any:
    """Trips so that links lead to later ones, by Kahn; those on and behind circles are missing."""
    waiting = np.zeros(num_trips, np.int64)
    first = np.zeros(num_trips + 1, np.int64)
    for link in range(tail.size):
        waiting[head[link]] += 1
        first[tail[link] + 1] += 1
    first = np.cumsum(first)
    cursor, heads = first[:-1].copy(), np.empty(tail.size, np.int64)
    for link in range(tail.size):
        heads[cursor[tail[link]]] = head[link]
        cursor[tail[link]] += 1
    order, size = np.empty(num_trips, np.int64), 0
    for trip in range(num_trips):
        if waiting[trip] == 0:
            order[size] = trip
            size += 1
    at = 0
    while at < size:
        trip = order[at]
        at += 1
        for link in range(first[trip], first[trip + 1]):
            waiting[heads[link]] -= 1
            if waiting[heads[link]] == 0:
                order[size] = heads[link]
                size += 1
    return order[:size]


@njit(cache=True, nogil=True)
def labels(first: Any, head: Any, cost: Any, rate: float, out: Any, back: Any, weight: Any, ahead: Any, before: Any,
           rest: Any, after: Any) -> None:  # fmt: skip
    """
    Cheapest way from the depot through each trip and on to the depot.

    ``ahead[i]`` ends with trip i and includes its weight, ``rest[i]`` is what follows; ``before`` and ``after`` are the
    neighbours on the cheapest way. The cheapest rotation with trip i costs ``ahead[i] + rest[i]``.
    """
    num_trips = out.size
    for i in range(num_trips):
        ahead[i] = out[i]
        before[i] = NONE
    for i in range(num_trips):
        ahead[i] += weight[i]
        here = ahead[i]
        if here == np.inf:
            continue
        for at in range(first[i], first[i + 1]):
            j = head[at]
            reached = here + rate * cost[at]
            if reached < ahead[j]:
                ahead[j] = reached
                before[j] = i
    for i in range(num_trips - 1, -1, -1):
        best, best_next = back[i], NONE
        for at in range(first[i], first[i + 1]):
            j = head[at]
            onward = rate * cost[at] + weight[j] + rest[j]
            if onward < best:
                best, best_next = onward, j
        rest[i] = best
        after[i] = best_next


@njit(cache=True, nogil=True)
def cheap_rotations(ahead: Any, before: Any, rest: Any, after: Any, limit: float, most: int) -> Any:
    """
    The cheapest rotations through trips, cheapest first, each through a trip not on an earlier one.

    Returns the trips one rotation after another, and where each starts (one more than rotations).
    """
    num_trips = ahead.size
    through = ahead + rest
    order = np.argsort(through)
    used = np.zeros(num_trips, np.bool_)
    trips = np.empty(most * num_trips, np.int64)
    start = np.zeros(most + 1, np.int64)
    found, size = 0, 0
    for at in range(num_trips):
        seed = order[at]
        if not through[seed] < limit or found == most:
            break
        if used[seed]:
            continue
        depth, i = 0, before[seed]
        while i != NONE:
            trips[size + depth] = i
            depth += 1
            i = before[i]
        trips[size : size + depth] = trips[size : size + depth][::-1].copy()
        size += depth
        i = seed
        while i != NONE:
            trips[size] = i
            size += 1
            i = after[i]
        used[trips[start[found] : size]] = True
        found += 1
        start[found] = size
    return trips[:size], start[: found + 1]


@njit(cache=True, nogil=True)
def rotations_within(first: Any, head: Any, cost: Any, rate: float, out: Any, weight: Any, back: Any, rest: Any,
                     limit: float, most: int, most_trips: int) -> Any:  # fmt: skip
    """
    All rotations of at most ``limit``, depth first; ``rest`` as by :func:`labels`.

    Returns trips, starts, costs and whether all were found before ``most`` rotations or ``most_trips`` trips.
    """
    num_trips = out.size
    trips = np.empty(most_trips, np.int64)
    start = np.zeros(most + 1, np.int64)
    total = np.empty(most)
    way = np.empty(num_trips, np.int64)
    spent = np.empty(num_trips)
    cursor = np.empty(num_trips, np.int64)
    found, size = 0, 0
    for root in range(num_trips):
        begun = out[root] + weight[root]
        if not begun + rest[root] <= limit:
            continue
        depth = 0
        way[0], spent[0], cursor[0] = root, begun, first[root]
        fresh = True
        while depth >= 0:
            i = way[depth]
            if fresh and spent[depth] + back[i] <= limit:
                if found == most or size + depth + 1 > most_trips:
                    return trips[:size], start[: found + 1], total[:found], False
                for at in range(depth + 1):
                    trips[size + at] = way[at]
                size += depth + 1
                total[found] = spent[depth] + back[i]
                found += 1
                start[found] = size
            fresh = False
            while cursor[depth] < first[i + 1]:
                at = cursor[depth]
                cursor[depth] += 1
                j = head[at]
                reached = spent[depth] + rate * cost[at] + weight[j]
                if reached + rest[j] <= limit:
                    depth += 1
                    way[depth], spent[depth], cursor[depth] = j, reached, first[j]
                    fresh = True
                    break
            if not fresh:
                depth -= 1
    return trips[:size], start[: found + 1], total[:found], True


@njit(cache=True, nogil=True)
def assignment_duals(saving: Any, match: Any) -> Any:
    """
    Prices of an optimal assignment: ``u[i] + v[j] <= saving[i, j]``, equal where ``match[i] == j``.

    By Bellman and Ford on the residual graph; square matrix.
    """
    size = match.size
    v = np.zeros(size)
    changed = True
    while changed:
        changed = False
        for i in range(size):
            shift = v[match[i]] - saving[i, match[i]]
            for j in range(size):
                reached = shift + saving[i, j]
                if reached < v[j] - 1e-9:
                    v[j] = reached
                    changed = True
    u = np.empty(size)
    for i in range(size):
        u[i] = saving[i, match[i]] - v[match[i]]
    return u, v


@njit(cache=True, nogil=True)
def links_among(first: Any, head: Any, cost: Any, trips: Any, position: Any, gain: Any) -> None:
    """
    Fill ``gain[a, b]`` with the link costs between the listed trips; other entries stay.

    ``position`` is scratch of shape (all trips,) filled with -1, and is left so.
    """
    for a in range(trips.size):
        position[trips[a]] = a
    for a in range(trips.size):
        for at in range(first[trips[a]], first[trips[a] + 1]):
            b = position[head[at]]
            if b >= 0:
                gain[a, b] = cost[at]
    for a in range(trips.size):
        position[trips[a]] = -1
