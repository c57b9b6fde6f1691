"""Compiled searches on CSR arrays; the only module that imports numba.

Callers go through :mod:`optimizer.network.paths` and :mod:`optimizer.network.timespace`, which check their arguments;
the kernels trust theirs. Every public kernel has one explicit signature whose inputs are read-only arrays; a writeable
array is accepted as well. So there is one machine code per kernel, which is kept on disk: a second process only loads
it. Kernels release the interpreter lock: threads run them side by side without numba's own (slow to load) thread pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types

HELD = -2
"""Predecessor of a label that waited from the day before."""

_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_INTS = types.Array(types.int32, 1, "C", readonly=True)
_LONGS = types.Array(types.int64, 1, "C", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_FLAG_ROWS = types.Array(types.boolean, 2, "C", readonly=True)

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _raise(key: Any, item: Any, slot_of: Any, slot: int, new_key: float, new_item: int) -> None:
    """Put an item into a four-ary heap, starting at ``slot`` and moving up."""
    while slot > 0:
        parent = (slot - 1) >> 2
        if key[parent] <= new_key:
            break
        key[slot] = key[parent]
        item[slot] = item[parent]
        slot_of[item[slot]] = slot
        slot = parent
    key[slot] = new_key
    item[slot] = new_item
    slot_of[new_item] = slot


@njit(cache=True, nogil=True)
def _drop_root(key: Any, item: Any, slot_of: Any, size: int) -> int:
    """Remove the root of a four-ary heap; the new size."""
    last = size - 1
    moved_key = key[last]
    moved = item[last]
    slot = 0
    while True:
        child = 4 * slot + 1
        if child >= last:
            break
        best = child
        best_key = key[child]
        for other in range(child + 1, min(child + 4, last)):
            if key[other] < best_key:
                best = other
                best_key = key[other]
        if best_key >= moved_key:
            break
        key[slot] = best_key
        item[slot] = item[best]
        slot_of[item[slot]] = slot
        slot = best
    key[slot] = moved_key
    item[slot] = moved
    slot_of[moved] = slot
    return last


@njit(
    (_LONGS, _INTS, _FLOATS, types.int64, _FLAGS, types.int64),
    cache=True,
    nogil=True,
)
def dijkstra(
    indptr: _Longs, head: _Ints, weight: _Floats, source: int, is_target: _Flags, num_targets: int
) -> tuple[_Floats, _Ints]:
    """Distances and predecessor arcs from ``source``; stops once ``num_targets`` targets are settled (0: never)."""
    num_vertices = indptr.shape[0] - 1
    distance = np.full(num_vertices, np.inf)
    predecessor = np.full(num_vertices, np.int32(-1))
    key = np.empty(num_vertices)
    item = np.empty(num_vertices, np.int32)
    slot_of = np.empty(num_vertices, np.int32)
    distance[source] = 0.0
    _raise(key, item, slot_of, 0, 0.0, source)
    size = 1
    missing = num_targets
    while size > 0:
        vertex = item[0]
        here = key[0]
        size = _drop_root(key, item, slot_of, size)
        if num_targets > 0 and is_target[vertex]:
            missing -= 1
            if missing == 0:
                break
        for arc in range(indptr[vertex], indptr[vertex + 1]):
            reached = head[arc]
            there = here + weight[arc]
            old = distance[reached]
            # A settled vertex never passes this test, because weights are not negative.
            if there < old:
                distance[reached] = there
                predecessor[reached] = arc
                if old == np.inf:
                    _raise(key, item, slot_of, size, there, reached)
                    size += 1
                else:
                    _raise(key, item, slot_of, slot_of[reached], there, reached)
    return distance, predecessor


@njit(
    (_LONGS, _INTS, _INTS, _FLOATS, _FLOATS, types.int64, types.int64, _FLAGS, _FLAGS),
    cache=True,
    nogil=True,
)
def spur_path(
    indptr: _Longs,
    head: _Ints,
    tail: _Ints,
    weight: _Floats,
    to_target: _Floats,
    source: int,
    target: int,
    arc_banned: _Flags,
    vertex_banned: _Flags,
) -> _Ints:
    """Arcs of a cheapest path that avoids banned arcs and vertices, empty when there is none.

    A* with ``to_target``, the distances to the target without bans, which never exceed those with bans. A vertex may be
    reopened, so that rounding in ``to_target`` cannot spoil the result.
    """
    num_vertices = indptr.shape[0] - 1
    distance = np.full(num_vertices, np.inf)
    predecessor = np.full(num_vertices, np.int32(-1))
    key = np.empty(num_vertices)
    item = np.empty(num_vertices, np.int32)
    slot_of = np.full(num_vertices, np.int32(-1))
    distance[source] = 0.0
    _raise(key, item, slot_of, 0, to_target[source], source)
    size = 1
    while size > 0:
        vertex = item[0]
        size = _drop_root(key, item, slot_of, size)
        slot_of[vertex] = -1
        if vertex == target:
            break
        for arc in range(indptr[vertex], indptr[vertex + 1]):
            reached = head[arc]
            if arc_banned[arc] or vertex_banned[reached]:
                continue
            there = distance[vertex] + weight[arc]
            estimate = there + to_target[reached]
            if there < distance[reached] and estimate < np.inf:
                distance[reached] = there
                predecessor[reached] = arc
                slot = slot_of[reached]
                if slot < 0:
                    slot = size
                    size += 1
                _raise(key, item, slot_of, slot, estimate, reached)
    length = 0
    vertex = target
    while predecessor[vertex] >= 0:
        length += 1
        vertex = tail[predecessor[vertex]]
    arcs = np.empty(length, np.int32)
    vertex = target
    while length > 0:
        length -= 1
        arcs[length] = predecessor[vertex]
        vertex = tail[arcs[length]]
    return arcs


@njit(
    (_LONGS, _INTS, _INTS, _FLAGS, _FLAGS),
    cache=True,
    nogil=True,
)
def contract_chains(indptr: _Longs, head: _Ints, tail: _Ints, in_use: _Flags, passed: _Flags) -> tuple[_Ints, _Longs]:
    """Walk every chain of ``passed`` vertices, without turning back, from each arc that leaves another vertex.

    Returns the base arcs of all chains one after the other and the end of each chain. Chains that end nowhere or where
    they began are left out. Every base arc stands in at most one chain, because a passed vertex has one way on.
    """
    base = np.empty(head.shape[0], np.int32)
    ends = np.empty(head.shape[0], np.int64)
    num_chains = 0
    filled = 0
    for first in range(head.shape[0]):
        if not in_use[first] or passed[tail[first]]:
            continue
        begin = filled
        arc = first
        while arc >= 0:
            base[filled] = arc
            filled += 1
            vertex = head[arc]
            if not passed[vertex]:
                break
            onward = -1
            for candidate in range(indptr[vertex], indptr[vertex + 1]):
                if in_use[candidate] and head[candidate] != tail[arc]:
                    onward = candidate
            arc = onward
        if arc < 0 or head[arc] == tail[first]:
            filled = begin
        else:
            ends[num_chains] = filled
            num_chains += 1
    return base[:filled].copy(), ends[:num_chains].copy()


@njit(
    (_LONGS, _INTS, _LONGS, _FLOATS, _FLAG_ROWS, _FLOATS, types.int64),
    cache=True,
    nogil=True,
)
def day_labels(
    indptr: _Longs,
    head: _Ints,
    duration: _Longs,
    cost: _Floats,
    departs: npt.NDArray[np.bool_],
    holding: _Floats,
    source: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Cheapest label of every (day, vertex) from ``source`` on day 0: Dijkstra inside a day, day after day.

    ``departs[day, arc]``; the predecessor is the arc of the last move, ``HELD`` after a night's wait, -1 at the start
    and where nothing arrives. Inside a day only a strictly cheaper label replaces one, so free cycles end.
    """
    num_days = departs.shape[0]
    num_vertices = indptr.shape[0] - 1
    label = np.full((num_days, num_vertices), np.inf)
    predecessor = np.full((num_days, num_vertices), np.int32(-1))
    key = np.empty(num_vertices)
    item = np.empty(num_vertices, np.int32)
    slot_of = np.empty(num_vertices, np.int32)
    label[0, source] = 0.0
    for day in range(num_days):
        size = 0
        for vertex in range(num_vertices):
            if label[day, vertex] < np.inf:
                _raise(key, item, slot_of, size, label[day, vertex], vertex)
                size += 1
        while size > 0:
            vertex = item[0]
            here = key[0]
            size = _drop_root(key, item, slot_of, size)
            if day + 1 < num_days and here + holding[vertex] < label[day + 1, vertex]:
                label[day + 1, vertex] = here + holding[vertex]
                predecessor[day + 1, vertex] = HELD
            for arc in range(indptr[vertex], indptr[vertex + 1]):
                arrival = day + duration[arc]
                if arrival >= num_days or not departs[day, arc]:
                    continue
                reached = head[arc]
                there = here + cost[arc]
                old = label[arrival, reached]
                if there < old:
                    label[arrival, reached] = there
                    predecessor[arrival, reached] = arc
                    if arrival == day:
                        if old == np.inf:
                            _raise(key, item, slot_of, size, there, reached)
                            size += 1
                        else:
                            _raise(key, item, slot_of, slot_of[reached], there, reached)
    return label, predecessor
