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


class Ball(NamedTuple):
    """Scratch of a search: what it has seen from one end."""

    distance: np.ndarray  # (nodes,)
    kind: np.ndarray  # (nodes,) kind of the arc by which a node was found, + 3 when it is passed backwards
    move: np.ndarray  # (nodes,)
    parent: np.ndarray  # (nodes,) the node before; in the ball of the target the one after
    seen: np.ndarray  # nodes touched
    heap: np.ndarray
    place: np.ndarray  # (nodes,) place in the heap, -1: not in it, -2: settled, -3: on the way
    sizes: np.ndarray  # [touched, heap size, radius: what lies nearer is settled]


class Flow(NamedTuple):
    """What changes, and scratch."""

    value: np.ndarray  # (nodes,)
    stand: np.ndarray  # (states,)
    hired: np.ndarray  # (states,)
    run: np.ndarray  # (days, e)
    arriving: np.ndarray  # (states,) wagons on empty runs that end there
    leaving: np.ndarray  # (states,) wagons on empty runs that begin there
    closed: np.ndarray  # (days, e) full links on the way
    free: np.ndarray  # (slots,)
    wagons: np.ndarray  # (c,)
    near: Ball  # around the source of a search
    far: Ball  # around its target
    met: np.ndarray  # [length of the shortest way so far, a node on it]


@njit(cache=True)
def _lift(ball: Ball, node: int) -> None:  # pragma: no cover
    heap, place, distance = ball.heap, ball.place, ball.distance
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
def _pop(ball: Ball) -> int:  # pragma: no cover
    heap, place, distance, sizes = ball.heap, ball.place, ball.distance, ball.sizes
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
def _find(
    ball: Ball, other: Ball, met: np.ndarray, node: int, distance: int, kind: int, move: int, parent: int
) -> None:  # pragma: no cover
    """A way to a node, if it is the shortest so far; it may meet one that the other ball has found."""
    if distance >= ball.distance[node]:
        return
    if ball.distance[node] == FAR:
        ball.seen[ball.sizes[0]] = node
        ball.sizes[0] += 1
    ball.distance[node] = distance
    ball.kind[node] = kind
    ball.move[node] = move
    ball.parent[node] = parent
    if ball.place[node] == -1:
        ball.place[node] = ball.sizes[1]
        ball.sizes[1] += 1
    _lift(ball, node)
    if distance + other.distance[node] < met[0]:
        met[0], met[1] = distance + other.distance[node], node


@njit(cache=True)
def _clear(ball: Ball) -> None:  # pragma: no cover
    for i in range(ball.sizes[0]):
        node = ball.seen[i]
        ball.distance[node] = FAR
        ball.place[node] = -1
    ball.sizes[:] = 0


@njit(cache=True)
def shortest(net: Network, flow: Flow, source: int, target: int, limit: int) -> int:  # pragma: no cover
    """
    Least reduced cost of moving a wagon from ``source`` to ``target``; FAR when above ``limit``.

    From both ends at once, the ball that has seen less first; the radii of both add up to the shortest way in the end
    (Pohl 1971). Scratch is kept for :func:`push` and :func:`settle`.
    """
    near, far, met = flow.near, flow.far, flow.met
    _clear(near)
    _clear(far)
    met[0], limit = FAR, min(limit, FAR - 1)
    _find(near, far, met, source, 0, -1, -1, -1)
    _find(far, near, met, target, 0, -1, -1, -1)
    while True:
        near.sizes[2] = near.distance[near.heap[0]] if near.sizes[1] else FAR
        far.sizes[2] = far.distance[far.heap[0]] if far.sizes[1] else FAR
        if near.sizes[2] + far.sizes[2] > min(limit, met[0] - 1):
            break
        if near.sizes[0] <= far.sizes[0]:
            _look_on(net, flow, _pop(near))
        else:
            _look_back(net, flow, _pop(far))
    if met[0] > limit:
        return FAR
    _join(near, far, source, met[1], target)
    return int(met[0])


@njit(cache=True)
def _join(near: Ball, far: Ball, source: int, meeting: int, target: int) -> None:  # pragma: no cover
    """The whole way in the parents of the near ball; where its halves touch at no cost, without the round between."""
    node = meeting
    while node != source:
        near.place[node] = -3
        node = near.parent[node]
    near.place[source] = -3
    node = meeting
    while node != target:
        node = far.parent[node]
        if near.place[node] == -3:
            meeting = node
    node = meeting
    while node != target:
        after = far.parent[node]
        near.parent[after], near.kind[after], near.move[after] = node, far.kind[node], far.move[node]
        node = after


@njit(cache=True)
def _look_on(net: Network, flow: Flow, node: int) -> None:  # pragma: no cover
    """Open arcs out of a node, and back along arcs with flow into it."""
    days, states, value = net.days, net.sites * net.days, flow.value
    ball, other, met = flow.near, flow.far, flow.met
    here = ball.distance[node]
    worth = value[node] + here
    if node >= states:  # behind the horizon: back over last nights, or on hire
        for site in range(net.kind_start[node - states], net.kind_start[node - states + 1]):
            last = site * days + days - 1
            if flow.stand[last] > 0:
                reduced = worth - net.night[last] - value[last]
                if reduced >= here:
                    _find(ball, other, met, last, reduced, NIGHT + 3, 0, node)
            if net.hire[site] >= 0 and net.first[site] < days:
                reduced = worth + net.hire[site] - value[last]
                if reduced >= here:
                    _find(ball, other, met, last, reduced, HIRE, 0, node)
        return
    site, day = node // days, node % days
    after = node + 1 if day + 1 < days else states + net.kind[site]
    reduced = net.night[node] + worth - value[after]
    if reduced >= here and (net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0):
        _find(ball, other, met, after, reduced, NIGHT, 0, node)
    if flow.hired[node] > 0:
        reduced = worth - net.hire[site] - value[after]
        if reduced >= here:
            _find(ball, other, met, after, reduced, HIRE + 3, 0, node)
    if day > net.first[site]:
        if flow.stand[node - 1] > 0:
            reduced = worth - net.night[node - 1] - value[node - 1]
            if reduced >= here:
                _find(ball, other, met, node - 1, reduced, NIGHT + 3, 0, node)
        if net.hire[site] >= 0:
            reduced = net.hire[site] + worth - value[node - 1]
            if reduced >= here:
                _find(ball, other, met, node - 1, reduced, HIRE, 0, node)
    for move in range(net.start[site], net.start[site + 1]):
        arrive = day + net.length[move]
        if arrive < days:
            end = net.to[move] * days + arrive
            reduced = net.cost[day, move] + worth - value[end]
            if reduced >= here and reduced < ball.distance[end] and flow.closed[day, move] == 0:
                _find(ball, other, met, end, reduced, RUN, move, node)
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
                _find(ball, other, met, begin, reduced, RUN + 3, move, node)


@njit(cache=True)
def _look_back(net: Network, flow: Flow, node: int) -> None:  # pragma: no cover
    """Open arcs into a node, and along arcs with flow out of it that are passed backwards."""
    days, states, value = net.days, net.sites * net.days, flow.value
    ball, other, met = flow.far, flow.near, flow.met
    here = ball.distance[node]
    worth = here - value[node]
    if node >= states:
        for site in range(net.kind_start[node - states], net.kind_start[node - states + 1]):
            last = site * days + days - 1
            if net.first[site] >= days:
                continue
            reduced = net.night[last] + value[last] + worth
            if reduced >= here and (net.yard[site] < 0 or flow.free[net.yard[site] + days - 1] > 0):
                _find(ball, other, met, last, reduced, NIGHT, 0, node)
            if flow.hired[last] > 0:
                reduced = value[last] - net.hire[site] + worth
                if reduced >= here:
                    _find(ball, other, met, last, reduced, HIRE + 3, 0, node)
        return
    site, day = node // days, node % days
    after = node + 1 if day + 1 < days else states + net.kind[site]
    if flow.stand[node] > 0:
        reduced = value[after] - net.night[node] + worth
        if reduced >= here:
            _find(ball, other, met, after, reduced, NIGHT + 3, 0, node)
    if net.hire[site] >= 0:
        reduced = value[after] + net.hire[site] + worth
        if reduced >= here:
            _find(ball, other, met, after, reduced, HIRE, 0, node)
    if day > net.first[site]:
        reduced = net.night[node - 1] + value[node - 1] + worth
        if reduced >= here and (net.yard[site] < 0 or flow.free[net.yard[site] + day - 1] > 0):
            _find(ball, other, met, node - 1, reduced, NIGHT, 0, node)
        if flow.hired[node - 1] > 0:
            reduced = value[node - 1] - net.hire[site] + worth
            if reduced >= here:
                _find(ball, other, met, node - 1, reduced, HIRE + 3, 0, node)
    for i in range(net.in_start[site], net.in_start[site + 1]):
        move = net.in_move[i]
        left = day - net.length[move]
        if left >= 0:
            begin = net.origin[move] * days + left
            reduced = net.cost[left, move] + value[begin] + worth
            if reduced >= here and reduced < ball.distance[begin] and flow.closed[left, move] == 0:
                _find(ball, other, met, begin, reduced, RUN, move, node)
    leaving = flow.leaving[node]
    for move in range(net.start[site], net.start[site + 1]):
        if leaving == 0:
            break
        if flow.run[day, move] > 0:
            leaving -= flow.run[day, move]
            end = net.to[move] * days + day + net.length[move]
            reduced = value[end] - net.cost[day, move] + worth
            if reduced >= here:
                _find(ball, other, met, end, reduced, RUN + 3, move, node)


@njit(cache=True)
def settle(flow: Flow, reach: int) -> None:  # pragma: no cover
    """
    Values that tell what a search has found out: its ends lie ``reach`` apart, the shortest way or less.

    They fall around the source and rise around the target; no open arc comes to cost less than nothing.
    """
    if reach >= FAR:
        return
    near, far = flow.near, flow.far
    ahead = min(reach, near.sizes[2])
    for i in range(near.sizes[0]):
        node = near.seen[i]
        if near.distance[node] < ahead:
            flow.value[node] += near.distance[node] - ahead
    for i in range(far.sizes[0]):
        node = far.seen[i]
        if far.distance[node] < reach - ahead:
            flow.value[node] += reach - ahead - far.distance[node]


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
    """Move wagons along the path of :func:`shortest`, set the values by its length; returns how many, at most."""
    days, near = net.days, flow.near
    amount, node = most, target
    while node != source:
        kind, move, before = near.kind[node], near.move[node], near.parent[node]
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
        settle(flow, flow.met[0])
    return int(amount)


@njit(cache=True)
def _move_along(net: Network, flow: Flow, source: int, target: int, amount: int) -> bool:  # pragma: no cover
    """Wagons along the path, or back; whether all rooms hold them."""
    days, near, node, holds = net.days, flow.near, target, True
    while node != source:
        kind, move, before = near.kind[node], near.move[node], near.parent[node]
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
            flow.leaving[tail] += sign * amount
        low, high, yard = slots(net, kind, move, tail)
        if yard >= 0:
            use_slot(net, flow, yard, sign * amount)
            holds &= sign < 0 or flow.free[yard] >= 0
        for i in range(low, high):
            use_slot(net, flow, net.link[i] + tail % days, sign * amount * net.link_takes[i])
            holds &= sign < 0 or flow.free[net.link[i] + tail % days] >= 0
        node = before
    return holds
