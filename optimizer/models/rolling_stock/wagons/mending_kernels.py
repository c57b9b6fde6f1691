"""Compiled: flows brought back to least cost, and out of yards and train paths that are too full, around the loads.

An arc is out of kilter when it is open with a reduced cost below zero, or has flow with one above zero. Wagons are sent
round it as long as that pays; then the values of what the search has seen take up the rest (Fulkerson 1961).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from optimizer.models.rolling_stock.wagons.residual_kernels import (
    FAR,
    HIRE,
    NIGHT,
    RUN,
    Flow,
    Network,
    push,
    settle,
    slots,
    use_slot,
)
from optimizer.models.rolling_stock.wagons.ways_kernels import shortest


@njit(cache=True)
def change(net: Network, flow: Flow, kind: int, move: int, kept: int, amount: int) -> None:  # pragma: no cover
    """Wagons more on an arc; ``kept``: the state its flow is kept at."""
    if kind == NIGHT:
        flow.stand[kept] += amount
    elif kind == HIRE:
        flow.hired[kept] += amount
    else:
        flow.run[kept % net.days, move] += amount
        flow.leaving[kept] += amount
        flow.arriving[net.to[move] * net.days + kept % net.days + net.length[move]] += amount
    low, high, yard = slots(net, kind, move, kept)
    if yard >= 0:
        use_slot(net, flow, yard, amount)
    for i in range(low, high):
        use_slot(net, flow, net.link[i] + kept % net.days, amount * net.link_takes[i])


@njit(cache=True)
def _amount(net: Network, flow: Flow, kind: int, move: int, kept: int) -> int:  # pragma: no cover
    if kind == NIGHT:
        return int(flow.stand[kept])
    return int(flow.hired[kept]) if kind == HIRE else int(flow.run[kept % net.days, move])


@njit(cache=True)
def _mend_arc(
    net: Network, flow: Flow, kind: int, move: int, tail: int, head: int, kept: int, cost: int
) -> None:  # pragma: no cover
    """Send wagons round an open arc whose reduced cost is negative until it is not."""
    while True:
        reduced = cost + flow.value[tail] - flow.value[head]
        if reduced >= 0:
            return
        room = FAR
        low, high, yard = slots(net, kind, move, tail)
        if yard >= 0:
            room = flow.free[yard]
        for i in range(low, high):
            room = min(room, flow.free[net.link[i] + tail % net.days] // net.link_takes[i])
        if room <= 0:
            return
        if shortest(net, flow, head, tail, -reduced - 1) == FAR:
            settle(flow, -reduced)
            return
        done = push(net, flow, head, tail, room)
        if not done:
            return
        change(net, flow, kind, move, kept, done)


@njit(cache=True)
def _unwind_arc(
    net: Network, flow: Flow, kind: int, move: int, tail: int, head: int, kept: int, cost: int
) -> None:  # pragma: no cover
    """Send the wagons of an arc whose reduced cost is positive another way, as long as one costs less."""
    while True:
        reduced = cost + flow.value[tail] - flow.value[head]
        amount = _amount(net, flow, kind, move, kept)
        if reduced <= 0 or amount == 0:
            return
        if shortest(net, flow, tail, head, reduced - 1) == FAR:
            settle(flow, reduced)
            return
        done = push(net, flow, tail, head, amount)
        if not done:
            return
        change(net, flow, kind, move, kept, -done)


@njit(cache=True)
def mend_sites(net: Network, flow: Flow, low: int, high: int) -> int:  # pragma: no cover
    """Bring the arcs that leave some sites into kilter; how many were not."""
    days, value, found = net.days, flow.value, 0
    for site in range(low, high):
        for day in range(days - 1, net.first[site] - 1, -1):
            state = site * days + day
            after = state + 1 if day + 1 < days else net.sites * days + net.kind[site]
            reduced = net.night[state] + value[state] - value[after]
            if reduced < 0 and (net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0):
                found += 1
                _mend_arc(net, flow, NIGHT, 0, state, after, state, net.night[state])
            elif reduced > 0 and flow.stand[state] > 0:
                found += 1
                _unwind_arc(net, flow, NIGHT, 0, state, after, state, net.night[state])
            if net.hire[site] >= 0:
                reduced = net.hire[site] + value[after] - value[state]
                if reduced < 0:
                    found += 1
                    _mend_arc(net, flow, HIRE, 0, after, state, state, net.hire[site])
                elif reduced > 0 and flow.hired[state] > 0:
                    found += 1
                    _unwind_arc(net, flow, HIRE, 0, after, state, state, net.hire[site])
            for move in range(net.start[site], net.start[site + 1]):
                if day + net.length[move] < days:
                    head = net.to[move] * days + day + net.length[move]
                    reduced = net.cost[day, move] + value[state] - value[head]
                    if reduced < 0 and not flow.closed[day, move]:
                        found += 1
                        _mend_arc(net, flow, RUN, move, state, head, state, net.cost[day, move])
                    elif reduced > 0 and flow.run[day, move] > 0:
                        found += 1
                        _unwind_arc(net, flow, RUN, move, state, head, state, net.cost[day, move])
    return found


@njit(cache=True)
def settle_values(net: Network, flow: Flow, known: np.ndarray, sweeps: int) -> bool:  # pragma: no cover
    """
    Lower the values until every arc is in kilter, flows as they are; False after so many sweeps.

    Label correcting over the days, there and back in turn, on the arcs on which the flows cost least: empty runs that
    are ``known`` (days, e). With others there may be no such values, and they are for :func:`mend_sites`.
    """
    days, value = net.days, flow.value
    for sweep in range(sweeps):
        changed = False
        for step in range(days):
            day = step if sweep % 2 else days - 1 - step
            for site in range(net.sites):
                if day < net.first[site]:
                    continue
                state = site * days + day
                after = state + 1 if day + 1 < days else net.sites * days + net.kind[site]
                cost = net.night[state]
                if value[state] + cost < value[after] and (net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0):
                    value[after] = value[state] + cost
                    changed = True
                if flow.stand[state] > 0 and value[after] - cost < value[state]:
                    value[state] = value[after] - cost
                    changed = True
                cost = net.hire[site]
                if cost >= 0:
                    if value[after] + cost < value[state]:
                        value[state] = value[after] + cost
                        changed = True
                    if flow.hired[state] > 0 and value[state] - cost < value[after]:
                        value[after] = value[state] - cost
                        changed = True
                for move in range(net.start[site], net.start[site + 1]):
                    if day + net.length[move] >= days or not known[day, move]:
                        continue
                    head, cost = net.to[move] * days + day + net.length[move], net.cost[day, move]
                    if value[state] + cost < value[head]:
                        if not flow.closed[day, move]:
                            value[head] = value[state] + cost
                            changed = True
                    elif flow.run[day, move] > 0 and value[head] - cost < value[state]:
                        value[state] = value[head] - cost
                        changed = True
        if not changed:
            return True
    return False


@njit(cache=True)
def _send_elsewhere(
    net: Network, flow: Flow, kind: int, move: int, tail: int, head: int, most: int
) -> int:  # pragma: no cover
    """Take wagons off a full arc, whatever another way costs; how many."""
    if shortest(net, flow, tail, head, FAR - 1) == FAR:
        return 0
    done = push(net, flow, tail, head, most)
    change(net, flow, kind, move, tail, -done)
    return done


@njit(cache=True)
def relieve(net: Network, flow: Flow, low: int, high: int) -> int:  # pragma: no cover
    """Send empty wagons out of yards and off links that are too full, by slots; how many stay so."""
    days, left = net.days, 0
    links = len(net.user_start) - 1
    for slot in range(low, high):
        if flow.free[slot] >= 0:
            continue
        day = slot % days
        if slot // days < links:
            link = slot // days
            for i in range(net.user_start[link], net.user_start[link + 1]):
                move = net.user[i]
                state = net.origin[move] * days + day
                while flow.free[slot] < 0 and flow.run[day, move] > 0:
                    takes = max(1, net.user_takes[i])
                    most = min(flow.run[day, move], -(flow.free[slot] // takes))
                    head = net.to[move] * days + day + net.length[move]
                    if not _send_elsewhere(net, flow, RUN, move, state, head, most):
                        break
        else:
            for site in range(net.sites):
                if net.yard[site] != slot - day or day < net.first[site]:
                    continue
                state = site * days + day
                after = state + 1 if day + 1 < days else net.sites * days + net.kind[site]
                while flow.free[slot] < 0 and flow.stand[state] > 0:
                    most = min(flow.stand[state], -flow.free[slot])
                    if not _send_elsewhere(net, flow, NIGHT, 0, state, after, most):
                        break
        left += int(flow.free[slot] < 0)
    return left
