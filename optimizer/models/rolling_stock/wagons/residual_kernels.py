"""Compiled: the residual network of all wagon types, and flows moved along the shortest ways in it.

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
    """Move up to so many wagons along the way of :func:`ways_kernels.shortest`, values set by its length; how many."""
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
