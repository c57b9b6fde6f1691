"""Compiled loops that price routes: searches on the graph of a day.

They release the interpreter lock; callers run them in threads."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit

HELD = -2
NONE = -1


@njit(cache=True, nogil=True)
def arc_prices(cost: Any, departs: Any, use_indptr: Any, use_resource: Any, use_units: Any, first_cell: Any,
               stride: Any, price: Any) -> Any:  # fmt: skip
    """Cost of every arc on every day with the prices of the cells it uses, ``inf`` where it does not depart."""
    out = np.where(departs, 0.0, np.inf)
    num_arcs, num_days = out.shape
    for arc in range(num_arcs):
        row = out[arc]
        for day in range(num_days):
            row[day] += cost[arc]
        for at in range(use_indptr[arc], use_indptr[arc + 1]):
            units, cell, step = use_units[at], first_cell[use_resource[at]], stride[use_resource[at]]
            for day in range(num_days):
                row[day] += units * price[cell + step * day]
    return out


@njit(cache=True, nogil=True)
def labels_to_sink(
    first_day: int, num_days: int, sink: int, indptr: Any, arcs: Any, heads: Any, duration: Any, price: Any,
    holding: Any, label: Any, onward: Any,
) -> None:  # fmt: skip
    """
    Cheapest cost from every vertex on every day to the sink, arriving on any day, and the first step of that way.

    A vertex is taken for all days at once, so that the inner loops run over days; again whenever a vertex that it leads
    to has changed since (Bellman-Ford). Vertices are numbered so that those near the sink come first, and few are taken
    more than twice.
    """
    num_vertices = indptr.size - 1
    label[:] = np.inf
    label[sink, first_day:num_days] = 0.0
    taken = np.zeros(num_vertices, np.int64)
    changed = np.zeros(num_vertices, np.int64)
    changed[sink] = 1
    now = 1
    new = np.empty(num_days - first_day)
    again = True
    while again:
        again = False
        for vertex in range(num_vertices):
            if vertex == sink:
                continue
            stale = False
            for at in range(indptr[vertex], indptr[vertex + 1]):
                stale = stale or changed[heads[at]] > taken[vertex]
            if not stale:
                continue
            now += 1
            taken[vertex] = now
            mine = label[vertex, first_day:num_days]
            way = onward[vertex, first_day:num_days]
            new[:] = mine
            for at in range(indptr[vertex], indptr[vertex + 1]):
                there = price[arcs[at], first_day:num_days]
                later = label[heads[at], first_day + duration[arcs[at]] : num_days]
                for day in range(later.size):
                    total = there[day] + later[day]
                    better = total < new[day]  # choices, not branches: vectorised
                    new[day] = total if better else new[day]
                    way[day] = at if better else way[day]
            if holding[vertex] < np.inf:
                for day in range(new.size - 2, -1, -1):
                    waited = holding[vertex] + new[day + 1]
                    if waited < new[day]:
                        new[day] = waited
                        way[day] = HELD
            for day in range(new.size):
                if new[day] < mine[day]:
                    changed[vertex] = now
                    again = True
                    break
            mine[:] = new


@njit(cache=True, nogil=True)
def search(
    source: int, sink: int, release: int, due: int, late_cost: float, limit: float, num_days: int,
    indptr: Any, arcs: Any, heads: Any, duration: Any, price: Any, holding: Any, least_days: Any,
    label: Any, clock: Any, seen: Any, cost: Any, came_by: Any, came_from: Any,
) -> Any:  # fmt: skip
    """
    Cheapest way of one demand, lateness included, if it costs less than ``limit``.

    A* (Hart, Nilsson and Raphael 1968): the label plus the lateness that not even ``least_days`` to the sink avoid is
    never more than what is left to pay. State ``day * vertices + vertex`` is known where ``seen`` holds the present
    ``clock``. Returns the cost (at least ``limit`` if none is below it) and the arrival day or ``NONE``.
    """
    num_vertices = indptr.size - 1
    clock[0] += 1
    now = clock[0]
    state = release * num_vertices + source
    seen[state] = now
    cost[state] = 0.0
    came_by[state] = NONE
    heap = [(label[source, release] + late_cost * max(release + least_days[source] - due, 0), -state)]
    while heap:
        total, state = heappop(heap)
        state = -state  # of equal ones the later day first
        if total >= limit:
            return total, NONE
        day = state // num_vertices
        vertex = state - day * num_vertices
        if vertex == sink:
            return total, day
        here = cost[state]
        if total > here + (label[vertex, day] + late_cost * max(day + least_days[vertex] - due, 0)):
            continue  # found cheaper since
        for at in range(indptr[vertex] - 1, indptr[vertex + 1]):
            if at < indptr[vertex]:
                way, arrival, head, there = HELD, day + 1, vertex, here + holding[vertex]
            else:
                arc = arcs[at]
                way, arrival, head, there = at, day + duration[arc], heads[at], here + price[arc, day]
            if arrival >= num_days:
                continue
            then = arrival * num_vertices + head
            least = there + (label[head, arrival] + late_cost * max(arrival + least_days[head] - due, 0))
            if least >= limit or (seen[then] == now and cost[then] <= there):
                continue
            seen[then] = now
            cost[then] = there
            came_by[then] = way
            came_from[then] = vertex
            heappush(heap, (least, -then))
    return np.inf, NONE


@njit(cache=True, nogil=True)
def _roomy(values: Any, filled: int) -> Any:
    """The array, or one of twice the size with the same values when it is full."""
    return np.concatenate((values, np.empty_like(values))) if filled == values.size else values


@njit(cache=True, nogil=True)
def price_group(
    members: Any, source: Any, sink: int, release: Any, due: Any, late_cost: Any, threshold: Any, first_day: int,
    num_days: int, indptr: Any, arcs: Any, heads: Any, duration: Any, base: Any, price: Any, holding: Any,
    least_days: Any, cheapest: Any, label: Any, onward: Any, clock: Any, seen: Any, cost: Any, came_by: Any,
    came_from: Any,
) -> Any:  # fmt: skip
    """
    Cheapest route of every member of a group of demands with one sink; writes ``cheapest[member]``.

    Routes cheaper than ``threshold[member]`` come back: their owner, cost without prices, end in the list of moves,
    and the moves (arc, day).
    """
    num_vertices = indptr.size - 1
    label = label[: num_vertices * num_days].reshape(num_vertices, num_days)
    onward = onward[: num_vertices * num_days].reshape(num_vertices, num_days)
    labels_to_sink(first_day, num_days, sink, indptr, arcs, heads, duration, price, holding, label, onward)
    owner = np.empty(members.size, np.int64)
    cost_of = np.empty(members.size)
    end_of = np.empty(members.size, np.int64)
    move_arc = np.empty(16 * members.size + 64, np.int32)
    move_day = np.empty(16 * members.size + 64, np.int32)
    count = 0
    filled = 0
    for number in range(members.size):
        demand = members[number]
        limit = threshold[demand]
        vertex, day = source[number], release[number]
        found = label[vertex, day]
        cheapest[demand] = max(found, limit)  # unless a route costs less
        if found >= limit:
            continue
        start = filled
        base_cost = 0.0
        while vertex != sink:
            way = onward[vertex, day]
            if way == HELD:
                day += 1
                base_cost += holding[vertex]
                continue
            move_arc, move_day = _roomy(move_arc, filled), _roomy(move_day, filled)
            move_arc[filled] = arcs[way]
            move_day[filled] = day
            filled += 1
            base_cost += base[arcs[way]]
            day += duration[arcs[way]]
            vertex = heads[way]
        late = late_cost[number] * max(day - due[number], 0)
        found += late
        base_cost += late
        if late > 0.0:
            better, day = search(
                source[number], sink, release[number], due[number], late_cost[number], min(found, limit), num_days,
                indptr, arcs, heads, duration, price, holding, least_days, label, clock, seen, cost, came_by, came_from,
            )  # fmt: skip
            if day != NONE:
                found = better
                filled = start
                base_cost = late_cost[number] * max(day - due[number], 0)
                while came_by[day * num_vertices + vertex] != NONE:
                    state = day * num_vertices + vertex
                    way = came_by[state]
                    vertex = came_from[state]
                    if way == HELD:
                        day -= 1
                        base_cost += holding[vertex]
                        continue
                    day -= duration[arcs[way]]
                    move_arc, move_day = _roomy(move_arc, filled), _roomy(move_day, filled)
                    move_arc[filled] = arcs[way]
                    move_day[filled] = day
                    filled += 1
                    base_cost += base[arcs[way]]
                move_arc[start:filled] = move_arc[start:filled][::-1].copy()
                move_day[start:filled] = move_day[start:filled][::-1].copy()
        if found >= limit:
            filled = start
            continue
        cheapest[demand] = found
        owner[count] = demand
        cost_of[count] = base_cost
        end_of[count] = filled
        count += 1
    return owner[:count], cost_of[:count], end_of[:count], move_arc[:filled].copy(), move_day[:filled].copy()


@njit(cache=True, nogil=True)
def route_cells(
    end_of: Any, move_arc: Any, move_day: Any, use_indptr: Any, use_resource: Any, use_units: Any, first_cell: Any,
    stride: Any,
) -> Any:  # fmt: skip
    """Cells that routes use and units per tonne: end of each route's entries, cells, units."""
    total = 0
    for arc in move_arc:
        total += use_indptr[arc + 1] - use_indptr[arc]
    cells = np.empty(total, np.int32)
    units = np.empty(total)
    ends = np.empty(end_of.size, np.int64)
    filled = 0
    move = 0
    for route in range(end_of.size):
        while move < end_of[route]:
            arc = move_arc[move]
            for at in range(use_indptr[arc], use_indptr[arc + 1]):
                resource = use_resource[at]
                cells[filled] = first_cell[resource] + stride[resource] * move_day[move]
                units[filled] = use_units[at]
                filled += 1
            move += 1
        ends[route] = filled
    return ends, cells, units
