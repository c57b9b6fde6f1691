"""Compiled: shortest ways for a wagon in the residual network, sought from both ends at once."""

from __future__ import annotations

import numpy as np
from numba import njit

from optimizer.models.rolling_stock.wagons.residual_kernels import FAR, HIRE, NIGHT, RUN, Ball, Flow, Network


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
    (Pohl 1971). Scratch is kept for :func:`residual_kernels.push` and :func:`~residual_kernels.settle`.
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
