"""Compiled loops of the route-flow engine. They release the interpreter lock; callers run them in threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

HELD = -2
NONE = -1


@njit(cache=True, nogil=True)
def arc_prices(cost: Any, use_indptr: Any, use_resource: Any, use_units: Any, first_cell: Any, stride: Any, price: Any,
               num_days: int) -> Any:  # fmt: skip
    """Cost of every arc on every day with the prices of the cells it uses; shape (days, arcs)."""
    num_arcs = cost.size
    out = np.empty((num_days, num_arcs))
    for day in range(num_days):
        for arc in range(num_arcs):
            total = cost[arc]
            for at in range(use_indptr[arc], use_indptr[arc + 1]):
                resource = use_resource[at]
                total += use_units[at] * price[first_cell[resource] + stride[resource] * day]
            out[day, arc] = total
    return out


@njit(cache=True, nogil=True)
def labels_to_sink(
    first_day: int, num_days: int, sink: int, indptr: Any, arcs: Any, heads: Any, duration: Any, departs: Any,
    price: Any, holding: Any, num_zero: Any, label: Any, onward: Any,
) -> None:  # fmt: skip
    """
    Cheapest cost from every vertex on every day to the sink, arriving on any day.

    Vertices are numbered so that those near the sink come first. The first ``num_zero[v]`` arcs of ``v`` take no days;
    within a day they are relaxed again until nothing changes.
    """
    num_vertices = indptr.size - 1
    for day in range(num_days - 1, first_day - 1, -1):
        again = False
        for vertex in range(num_vertices):
            if vertex == sink:
                label[day, vertex] = 0.0
                onward[day, vertex] = NONE
                continue
            best, way = np.inf, NONE
            if day + 1 < num_days:
                waited = holding[vertex] + label[day + 1, vertex]
                if waited < best:
                    best, way = waited, HELD
            for at in range(indptr[vertex], indptr[vertex + 1]):
                arc = arcs[at]
                arrival = day + duration[arc]
                head = heads[at]
                if arrival >= num_days or not departs[day, arc]:
                    continue
                if arrival == day and head > vertex:
                    again = True
                    continue
                there = price[day, arc] + label[arrival, head]
                if there < best:
                    best, way = there, at
            label[day, vertex] = best
            onward[day, vertex] = way
        while again:
            again = False
            for vertex in range(num_vertices):
                if vertex == sink:
                    continue
                best = label[day, vertex]
                for at in range(indptr[vertex], indptr[vertex] + num_zero[vertex]):
                    arc = arcs[at]
                    if not departs[day, arc]:
                        continue
                    there = price[day, arc] + label[day, heads[at]]
                    if there < best:
                        best = there
                        label[day, vertex] = best
                        onward[day, vertex] = at
                        again = True


@njit(cache=True, nogil=True)
def in_time_search(
    release: int, last_day: int, source: int, sink: int, due: int, late_cost: float, best: float, indptr: Any,
    arcs: Any, heads: Any, duration: Any, departs: Any, price: Any, holding: Any, least_days: Any, label: Any,
    cost: Any, came_by: Any, came_from: Any,
) -> Any:  # fmt: skip
    """
    Cheapest way when being late costs; only ways below ``best`` count.

    Forward over the days; ``label``, the cost to go without lateness, and the lateness that not even ``least_days``
    to the sink avoid bound the search and keep it narrow.
    Returns the cost and the arrival day (-1: none below ``best``).
    """
    num_vertices = indptr.size - 1
    arrived = -1
    for day in range(release, last_day + 1):
        for vertex in range(num_vertices):
            cost[day - release, vertex] = np.inf
    cost[0, source] = 0.0
    came_by[0, source] = NONE
    for day in range(release, last_day + 1):
        row = day - release
        again = True
        while again:
            again = False
            for vertex in range(num_vertices - 1, -1, -1):
                here = cost[row, vertex]
                if here + label[day, vertex] + late_cost * max(day + least_days[vertex] - due, 0) >= best:
                    continue
                if vertex == sink:
                    total = here + late_cost * max(day - due, 0)
                    if total < best:
                        best = total
                        arrived = day
                    continue
                if day < last_day and here + holding[vertex] < cost[row + 1, vertex]:
                    cost[row + 1, vertex] = here + holding[vertex]
                    came_by[row + 1, vertex] = HELD
                for at in range(indptr[vertex], indptr[vertex + 1]):
                    arc = arcs[at]
                    arrival = day + duration[arc]
                    if arrival > last_day or not departs[day, arc]:
                        continue
                    head = heads[at]
                    there = here + price[day, arc]
                    if there < cost[arrival - release, head]:
                        cost[arrival - release, head] = there
                        came_by[arrival - release, head] = at
                        came_from[arrival - release, head] = vertex
                        if arrival == day and head >= vertex:
                            again = True
    return best, arrived


@njit(cache=True, nogil=True)
def price_group(
    members: Any, source: Any, sink: int, release: Any, due: Any, late_cost: Any, threshold: Any, first_day: int,
    num_days: int, indptr: Any, arcs: Any, heads: Any, duration: Any, departs: Any, base: Any,
    price: Any, holding: Any, num_zero: Any, least_days: Any, cheapest: Any,
) -> Any:  # fmt: skip
    """
    Cheapest route of every member of a group of demands with one sink; writes ``cheapest[member]``.

    Routes cheaper than ``threshold[member]`` come back: their owner, cost without prices, arrival day, end in the
    list of moves, and the moves (arc, day).
    """
    num_vertices = indptr.size - 1
    label = np.empty((num_days, num_vertices))
    onward = np.empty((num_days, num_vertices), np.int32)
    labels_to_sink(first_day, num_days, sink, indptr, arcs, heads, duration, departs, price, holding, num_zero,
                   label, onward)  # fmt: skip
    owner = np.empty(members.size, np.int64)
    cost_of = np.empty(members.size)
    end_of = np.empty(members.size, np.int64)
    move_arc = np.empty(16 * members.size + 64, np.int32)
    move_day = np.empty(16 * members.size + 64, np.int32)
    count = 0
    filled = 0
    cost = np.empty((1, 1))
    came_by = np.empty((1, 1), np.int32)
    came_from = np.empty((1, 1), np.int32)
    for number in range(members.size):
        demand = members[number]
        day = release[number]
        vertex = source[number]
        best = label[day, vertex]
        cheapest[demand] = best
        if best >= threshold[demand]:
            continue
        # where the cheapest way arrives
        start = filled
        base_cost = 0.0
        while vertex != sink:
            way = onward[day, vertex]
            if way == HELD:
                base_cost += holding[vertex]
                day += 1
                continue
            if filled == move_arc.size:
                move_arc = np.concatenate((move_arc, np.empty_like(move_arc)))
                move_day = np.concatenate((move_day, np.empty_like(move_day)))
            move_arc[filled] = arcs[way]
            move_day[filled] = day
            filled += 1
            base_cost += base[arcs[way]]
            day += duration[arcs[way]]
            vertex = heads[way]
        late = late_cost[number] * max(day - due[number], 0)
        if late > 0:
            if cost.shape[0] == 1:
                cost = np.empty((num_days, num_vertices))
                came_by = np.empty((num_days, num_vertices), np.int32)
                came_from = np.empty((num_days, num_vertices), np.int32)
            best += late
            base_cost += late
            better, arrived = in_time_search(
                release[number], day, source[number], sink, due[number], late_cost[number],
                min(best, threshold[demand]), indptr, arcs, heads, duration, departs, price, holding,
                least_days, label, cost, came_by, came_from,
            )  # fmt: skip
            if arrived >= 0:
                best = better
                filled = start
                row = arrived - release[number]
                vertex = sink
                base_cost = late_cost[number] * max(arrived - due[number], 0)
                while came_by[row, vertex] != NONE:
                    way = came_by[row, vertex]
                    if way == HELD:
                        row -= 1
                        base_cost += holding[vertex]
                        continue
                    if filled == move_arc.size:
                        move_arc = np.concatenate((move_arc, np.empty_like(move_arc)))
                        move_day = np.concatenate((move_day, np.empty_like(move_day)))
                    vertex = came_from[row, vertex]
                    row -= duration[arcs[way]]
                    move_arc[filled] = arcs[way]
                    move_day[filled] = row + release[number]
                    filled += 1
                    base_cost += base[arcs[way]]
                move_arc[start:filled] = move_arc[start:filled][::-1].copy()
                move_day[start:filled] = move_day[start:filled][::-1].copy()
            cheapest[demand] = min(best, threshold[demand])  # no route costs less
        if best < threshold[demand]:
            owner[count] = demand
            cost_of[count] = base_cost
            end_of[count] = filled
            count += 1
        else:
            filled = start
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
