"""Compiled: the residual network of all wagon types, shortest ways in it, and flows moved along them.

State ``site * days + day``, one node behind the horizon for each type. Arcs are nights, days on hire, and empty runs
(day, move), never listed: a state knows its site and day. ``value`` is a potential: every open arc has
``cost + value(tail) - value(head) >= 0``, arcs with flow have 0 or less. Arcs of a full yard or train path are
closed; one that opens again with a negative reduced cost stays out until its flow is mended.

Money, tonnes and metres are whole thousandths, so that zero is zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

FAR = 1 << 60
NIGHT, HIRE, RUN = 0, 1, 2


class Network(NamedTuple):
    """What does not change. Rooms are slots: scarce links x days, then scarce yards x days."""

    days: int
    sites: int
    kind: np.ndarray  # (n,) type of a site
    kind_start: np.ndarray  # (types + 1,) first site of each type
    first: np.ndarray  # (n,)
    night: np.ndarray  # (states,) cost
    hire: np.ndarray  # (n,) cost, negative: none
    yard: np.ndarray  # (n,) first slot of the yard, or -1
    start: np.ndarray  # (n + 1,) moves by site left
    to: np.ndarray  # (e,)
    origin: np.ndarray  # (e,)
    length: np.ndarray  # (e,)
    cost: np.ndarray  # (days, e): the runs of a site on a day lie together
    in_start: np.ndarray  # (n + 1,)
    in_move: np.ndarray  # (e,) moves by site reached
    link_start: np.ndarray  # (e + 1,)
    link: np.ndarray  # first slot of each scarce link of a move
    link_takes: np.ndarray  # room it takes there
    user_start: np.ndarray  # (links + 1,)
    user: np.ndarray  # moves by link
    user_takes: np.ndarray
    enough: np.ndarray  # (links,) room in which any of them fits
    tail: np.ndarray  # (c,)
    head: np.ndarray  # (c,) node behind the horizon when it ends there
    usd: np.ndarray  # (c,)
    choice_day: np.ndarray
    choice_link_start: np.ndarray
    choice_link: np.ndarray
    choice_takes: np.ndarray


class Flow(NamedTuple):
    """What changes, and scratch."""

    value: np.ndarray  # (nodes,)
    stand: np.ndarray  # (states,)
    hired: np.ndarray  # (states,)
    run: np.ndarray  # (days, e)
    arriving: np.ndarray  # (states,) wagons on empty runs that end there
    closed: np.ndarray  # (days, e) full links on the way
    free: np.ndarray  # (slots,)
    wagons: np.ndarray  # (c,)
    distance: np.ndarray  # (nodes,)
    parent_kind: np.ndarray  # (nodes,) kind of arc, + 3 when it is passed backwards
    parent_move: np.ndarray  # (nodes,)
    parent: np.ndarray  # (nodes,)
    seen: np.ndarray  # nodes touched
    heap: np.ndarray
    place: np.ndarray  # (nodes,) place in the heap, -1: not in it, -2: settled
    sizes: np.ndarray  # [touched, heap size]


@njit(cache=True)
def _lift(flow: Flow, node: int) -> None:  # pragma: no cover
    heap, place, distance = flow.heap, flow.place, flow.distance
    at = place[node]
    while at > 0:
        up = (at - 1) >> 1
        if distance[heap[up]] <= distance[node]:
            break
        heap[at] = heap[up]
        place[heap[at]] = at
        at = up
    heap[at] = node
    place[node] = at


@njit(cache=True)
def _pop(flow: Flow) -> int:  # pragma: no cover
    heap, place, distance, sizes = flow.heap, flow.place, flow.distance, flow.sizes
    top = heap[0]
    place[top] = -2
    sizes[1] -= 1
    size = sizes[1]
    if size:
        node = heap[size]
        at = 0
        while True:
            down = 2 * at + 1
            if down >= size:
                break
            if down + 1 < size and distance[heap[down + 1]] < distance[heap[down]]:
                down += 1
            if distance[heap[down]] >= distance[node]:
                break
            heap[at] = heap[down]
            place[heap[at]] = at
            at = down
        heap[at] = node
        place[node] = at
    return int(top)


@njit(cache=True)
def _relax(flow: Flow, node: int, distance: int, kind: int, move: int, parent: int) -> None:  # pragma: no cover
    if distance >= flow.distance[node]:
        return
    if flow.distance[node] == FAR:
        flow.seen[flow.sizes[0]] = node
        flow.sizes[0] += 1
    flow.distance[node] = distance
    flow.parent_kind[node] = kind
    flow.parent_move[node] = move
    flow.parent[node] = parent
    if flow.place[node] == -1:
        flow.place[node] = flow.sizes[1]
        flow.sizes[1] += 1
    _lift(flow, node)


@njit(cache=True)
def clear(flow: Flow) -> None:  # pragma: no cover
    for i in range(flow.sizes[0]):
        node = flow.seen[i]
        flow.distance[node] = FAR
        flow.place[node] = -1
    flow.sizes[0] = 0
    flow.sizes[1] = 0


@njit(cache=True)
def shortest(net: Network, flow: Flow, source: int, target: int, limit: int) -> int:  # pragma: no cover
    """Least reduced cost of moving a wagon from ``source`` to ``target``; FAR when above ``limit``. Scratch is kept."""
    days, states, value = net.days, net.sites * net.days, flow.value
    _relax(flow, source, 0, -1, -1, -1)
    while flow.sizes[1]:
        node = flow.heap[0]
        here = flow.distance[node]
        if here > limit:
            return FAR
        _pop(flow)
        if node == target:
            return int(here)
        worth = value[node] + here
        if node >= states:  # behind the horizon: back over last nights, or on hire
            for site in range(net.kind_start[node - states], net.kind_start[node - states + 1]):
                last = site * days + days - 1
                if flow.stand[last] > 0:
                    reduced = -(net.night[last] + value[last] - value[node])
                    if reduced >= 0:
                        _relax(flow, last, here + reduced, NIGHT + 3, 0, node)
                if net.hire[site] >= 0 and net.first[site] < days:
                    reduced = net.hire[site] + value[node] - value[last]
                    if reduced >= 0:
                        _relax(flow, last, here + reduced, HIRE, 0, node)
            continue
        site, day = node // days, node % days
        after = node + 1 if day + 1 < days else states + net.kind[site]
        reduced = net.night[node] + worth - value[after]
        if reduced >= here and (net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0):
            _relax(flow, after, reduced, NIGHT, 0, node)
        if flow.hired[node] > 0:
            reduced = worth - net.hire[site] - value[after]
            if reduced >= here:
                _relax(flow, after, reduced, HIRE + 3, 0, node)
        if day > net.first[site]:
            if flow.stand[node - 1] > 0:
                reduced = worth - net.night[node - 1] - value[node - 1]
                if reduced >= here:
                    _relax(flow, node - 1, reduced, NIGHT + 3, 0, node)
            if net.hire[site] >= 0:
                reduced = net.hire[site] + worth - value[node - 1]
                if reduced >= here:
                    _relax(flow, node - 1, reduced, HIRE, 0, node)
        for move in range(net.start[site], net.start[site + 1]):
            arrive = day + net.length[move]
            if arrive < days:
                end = net.to[move] * days + arrive
                reduced = net.cost[day, move] + worth - value[end]
                if reduced >= here and reduced < flow.distance[end] and flow.closed[day, move] == 0:
                    _relax(flow, end, reduced, RUN, move, node)
        arriving = flow.arriving[node]
        for i in range(net.in_start[site], net.in_start[site + 1]):
            if arriving == 0:
                break
            move = net.in_move[i]
            left = day - net.length[move]
            if left >= 0 and flow.run[left, move] > 0:
                arriving -= flow.run[left, move]
                begin = net.origin[move] * days + left
                reduced = worth - net.cost[left, move] - value[begin]
                if reduced >= here:
                    _relax(flow, begin, reduced, RUN + 3, move, node)
    return FAR


@njit(cache=True)
def lower_seen(flow: Flow, reach: int) -> None:  # pragma: no cover
    """Lower the values of what a search has seen nearer than ``reach``, so that they tell what it has found out."""
    if reach >= FAR:
        return
    for i in range(flow.sizes[0]):
        node = flow.seen[i]
        if flow.distance[node] < reach:
            flow.value[node] += flow.distance[node] - reach


@njit(cache=True)
def slots(net: Network, kind: int, move: int, tail: int) -> tuple[int, int, int]:  # pragma: no cover
    """Links of a run by pointers, or a yard slot."""
    if kind == NIGHT:
        site = tail // net.days
        return 0, 0, net.yard[site] + tail % net.days if net.yard[site] >= 0 else -1
    if kind == RUN:
        return net.link_start[move], net.link_start[move + 1], -1
    return 0, 0, -1


@njit(cache=True)
def use_slot(net: Network, flow: Flow, slot: int, amount: int) -> None:  # pragma: no cover
    """Take room; runs over a link that fills up are closed, and opened when it has room again."""
    before = flow.free[slot]
    flow.free[slot] = before - amount
    link, day = slot // net.days, slot % net.days
    if link + 1 >= len(net.user_start):
        return
    enough = net.enough[link]
    change = int(before >= enough and before - amount < enough) - int(before < enough and before - amount >= enough)
    if change:
        for i in range(net.user_start[link], net.user_start[link + 1]):
            flow.closed[day, net.user[i]] += change


@njit(cache=True)
def push(net: Network, flow: Flow, source: int, target: int, most: int) -> int:  # pragma: no cover
    """Move wagons along the path of :func:`shortest`, set the values by its distances; returns how many, at most."""
    days = net.days
    reach = flow.distance[target]
    amount, node = most, target
    while node != source:
        kind, move, before = flow.parent_kind[node], flow.parent_move[node], flow.parent[node]
        if kind >= 3:
            tail = node
            if kind == NIGHT + 3:
                amount = min(amount, flow.stand[tail])
            elif kind == HIRE + 3:
                amount = min(amount, flow.hired[before])
            else:
                amount = min(amount, flow.run[tail % days, move])
        else:
            low, high, yard = slots(net, kind, move, before)
            if yard >= 0:
                amount = min(amount, flow.free[yard])
            for i in range(low, high):
                amount = min(amount, flow.free[net.link[i] + before % days] // net.link_takes[i])
        node = before
    while amount > 0 and not _move_along(net, flow, source, target, amount):
        _move_along(net, flow, source, target, -amount)  # it passes a link twice on one day
        amount //= 2
    if amount > 0:
        lower_seen(flow, reach)
    return int(amount)


@njit(cache=True)
def _move_along(net: Network, flow: Flow, source: int, target: int, amount: int) -> bool:  # pragma: no cover
    """Wagons along the path, or back; whether all rooms hold them."""
    days, node, holds = net.days, target, True
    while node != source:
        kind, move, before = flow.parent_kind[node], flow.parent_move[node], flow.parent[node]
        sign = -1 if kind >= 3 else 1
        tail = node if kind >= 3 else before
        kind = kind % 3
        if kind == NIGHT:
            flow.stand[tail] += sign * amount
        elif kind == HIRE:
            # The arc leads back a day: it is kept at the state it reaches.
            flow.hired[before if sign < 0 else node] += sign * amount
        else:
            flow.run[tail % days, move] += sign * amount
            flow.arriving[before if sign < 0 else node] += sign * amount
        low, high, yard = slots(net, kind, move, tail)
        if yard >= 0:
            use_slot(net, flow, yard, sign * amount)
            holds &= sign < 0 or flow.free[yard] >= 0
        for i in range(low, high):
            use_slot(net, flow, net.link[i] + tail % days, sign * amount * net.link_takes[i])
            holds &= sign < 0 or flow.free[net.link[i] + tail % days] >= 0
        node = before
    return holds
