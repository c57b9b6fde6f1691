"""Compiled tabu search on the orders of the machines.

A step takes a critical path (chosen at random where it branches) and moves one of its operations: within its machine to
an end of its block (operations that follow one another on the path without a break), or an end of the block inside it;
or to any place on another machine where heads and tails show that no cycle closes. The best estimate that is not tabu
is done. Sources: Balas and Vazacopoulos, Management Science 44, 1998 (estimates); Mastrolilli and Gambardella, J.
Scheduling 3, 2000 (other machines); Zhang, Li, Guan and Rao, Computers & Operations Research 34, 2007 (blocks).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from optimizer.scheduling.kernels import FAR, draw, move, set_times


class Tabu(NamedTuple):
    """
    Until which step something may not come back.

    ``arc`` of shape (operations, operations): the first before the second; ``machine`` of shape (operations, machines):
    the operation there. Int32.
    """

    arc: Any
    machine: Any


class Best(NamedTuple):
    """The best solution seen: machines, heads and topological order."""

    machine_of: Any
    head: Any
    order: Any


@njit(cache=True, nogil=True)
def note(best_move: Any, value: int, v: int, k: int, u: int, d: int, state: Any) -> None:
    """Keep the move in ``best_move`` (value, v, k, u, d, ties) unless the one there is better; ties at random."""
    if value < best_move[0]:
        best_move[5] = 0
    elif value > best_move[0]:
        return
    best_move[5] += 1
    if draw(state, best_move[5]) == 0:
        best_move[0], best_move[1], best_move[2], best_move[3], best_move[4] = value, v, k, u, d


@njit(cache=True, nogil=True)
def critical_path(shop: Any, orders: Any, times: Any, makespan: int, state: Any, path: Any) -> int:
    """Fills ``path`` with a longest chain of operations; returns how many."""
    head, tail, length = times.head, times.tail, orders.length
    x = -1
    ties = 0
    for v in range(length.size):
        if head[v] == 0 and length[v] + tail[v] == makespan:
            ties += 1
            if draw(state, ties) == 0:
                x = v
    steps = 0
    while x >= 0:
        path[steps] = x
        steps += 1
        end = head[x] + length[x]
        chosen = -1
        ties = 0
        for w in (shop.following[x], orders.after[x]):
            if w >= 0 and head[w] == end and end + length[w] + tail[w] == makespan:
                ties += 1
                if draw(state, ties) == 0:
                    chosen = w
        x = chosen
    return steps


@njit(cache=True, nogil=True)
def shifted(v: int, stop: int, forward: bool, limit: int, shop: Any, orders: Any, times: Any, moved: Any,
            early: Any) -> int:  # fmt: skip
    """
    Longest path through what changes place when ``v`` moves right behind (``forward``) or before ``stop``.

    An estimate: heads and tails outside the part that moves are taken as they are. Leaves off above ``limit``.
    ``moved`` and ``early`` are scratch.
    """
    previous, following = shop.previous, shop.following
    length, before, after, head, tail = orders.length, orders.before, orders.after, times.head, times.tail
    count = 0
    if forward:
        y = v
        while y != stop:
            y = after[y]
            moved[count] = y
            count += 1
        moved[count] = v
        count += 1
        outer_before, outer_after = before[v], after[stop]
    else:
        moved[0] = v
        count = 1
        y = stop
        while y != v:
            moved[count] = y
            count += 1
            y = after[y]
        outer_before, outer_after = before[stop], after[v]
    ready = 0
    if outer_before >= 0:
        ready = head[outer_before] + length[outer_before]
    for at in range(count):
        y = moved[at]
        if previous[y] >= 0:
            ready = max(ready, head[previous[y]] + length[previous[y]])
        early[at] = ready
        ready += length[y]
    behind = 0
    if outer_after >= 0:
        behind = tail[outer_after] + length[outer_after]
    longest = 0
    for at in range(count - 1, -1, -1):
        y = moved[at]
        if following[y] >= 0:
            behind = max(behind, tail[following[y]] + length[following[y]])
        behind += length[y]
        longest = max(longest, early[at] + behind)
        if longest > limit:
            break
    return longest


@njit(cache=True, nogil=True)
def within_blocks(path: Any, shop: Any, orders: Any, times: Any, tabu: Any, step: int, best: int, state: Any,
                  best_move: Any, barred: Any, moved: Any, early: Any) -> int:  # fmt: skip
    """Notes the moves within machines: in ``best_move``, or in ``barred`` when tabu; returns the work done."""
    before, after, head, tail = orders.before, orders.after, times.head, times.tail
    work = 0
    begin = 0
    while begin < path.size:
        end = begin
        while end + 1 < path.size and after[path[end]] == path[end + 1]:
            end += 1
        front, back = path[begin], path[end]
        # Each operation to the block's end and front; its front and back to each place inside.
        for case in range(4):
            for at in range(begin, end + 1):
                y = path[at]
                forward = case in (0, 2)
                v = y if case < 2 else (front if forward else back)
                stop = y if case >= 2 else (back if forward else front)
                if v == stop or (case >= 2 and at in (begin, end)):
                    continue
                if case == 1 and at == begin + 1:
                    continue  # the same exchange as the front moving behind it
                neighbour = shop.following[v] if forward else shop.previous[v]
                if neighbour >= 0:
                    # v may pass stop only if no path leads from v over its job to stop (or back).
                    x, y = stop, neighbour
                    if x == y:
                        continue
                    if forward and head[x] >= head[y] + orders.length[y]:
                        continue
                    if not forward and tail[x] >= tail[y] + orders.length[y]:
                        continue
                is_tabu = False
                y = v
                while y != stop and not is_tabu:
                    if forward:
                        y = after[y]
                        is_tabu = tabu.arc[y, v] > step
                    else:
                        y = before[y]
                        is_tabu = tabu.arc[v, y] > step
                u = stop if forward else before[stop]
                work += 2
                limit = best_move[0]
                if is_tabu:
                    note(barred, 0, v, orders.machine_of[v], u, orders.length[v], state)
                    limit = min(limit, best - 1)
                value = shifted(v, stop, forward, limit, shop, orders, times, moved, early)
                if value <= limit:
                    note(best_move, value, v, orders.machine_of[v], u, orders.length[v], state)
        begin = end + 1
    return work


@njit(cache=True, nogil=True)
def to_other_machines(path: Any, shop: Any, orders: Any, times: Any, tabu: Any, step: int, best: int, state: Any,
                      best_move: Any, barred: Any) -> int:  # fmt: skip
    """Notes the moves to other machines like :func:`within_blocks`; returns the work done."""
    length, after, head, tail = orders.length, orders.after, times.head, times.tail
    option_start, machine, duration = shop.option_start, shop.machine, shop.duration
    work = 0
    for v in path:
        if option_start[v + 1] - option_start[v] == 1:
            continue
        job_before, job_after = shop.previous[v], shop.following[v]
        ready, behind, limit_head, limit_tail = 0, 0, FAR, FAR
        if job_before >= 0:
            ready = head[job_before] + length[job_before]
            limit_tail = tail[job_before] + length[job_before]
        if job_after >= 0:
            behind = tail[job_after] + length[job_after]
            limit_head = head[job_after] + length[job_after]
        for option in range(option_start[v], option_start[v + 1]):
            k, d = machine[option], duration[option]
            if k == orders.machine_of[v]:
                continue
            is_tabu = tabu.machine[v, k] > step
            u = -1
            w = orders.first[k]
            # Behind any u that no path from v over its job reaches, before any w that none leads back from.
            while u < 0 or (u != job_after and head[u] < limit_head):
                work += 1
                if w < 0 or (w != job_before and tail[w] < limit_tail):
                    begin, ending = ready, behind
                    if u >= 0:
                        begin = max(begin, head[u] + length[u])
                    if w >= 0:
                        ending = max(ending, tail[w] + length[w])
                    value = begin + d + ending
                    if not is_tabu or value < best:
                        note(best_move, value, v, k, u, d, state)
                    if is_tabu:
                        note(barred, 0, v, k, u, d, state)
                if w < 0:
                    break
                u = w
                w = after[w]
    return work


@njit(cache=True, nogil=True)
def forbid_return(v: int, k: int, u: int, until: int, orders: Any, times: Any, tabu: Any) -> None:
    """What ``v`` passes on its way behind ``u`` stays behind it, or its old machine without it, until ``until``."""
    if orders.machine_of[v] != k:
        tabu.machine[v, orders.machine_of[v]] = until
    elif u >= 0 and times.place[u] > times.place[v]:
        y = v
        while y != u:
            y = orders.after[y]
            tabu.arc[v, y] = until
    else:
        y = orders.before[v]
        while y != u:
            tabu.arc[y, v] = until
            y = orders.before[y]


@njit(cache=True, nogil=True)
def tabu_search(shop: Any, orders: Any, times: Any, tabu: Any, base: int, work: int, patience: int, target: int,
                state: Any, counters: Any, found: Any) -> int:  # fmt: skip
    """
    Tabu search from ``orders``, which it changes.

    Parameters
    ----------
    tabu
        Filled with zeros by the caller before the first call.
    base
        Least number of steps that something stays tabu; at most twice as many.
    work, patience, target
        Ends when as many operations were looked at, after as many steps without a new best, or at a makespan of
        ``target``.
    counters
        Shape (3,): steps, steps since the last new best, best makespan (negative at the start). A call with what the
        last one left goes on as if it had not ended.
    found
        :class:`Best`, filled in.

    Returns
    -------
    Work done.
    """
    count = orders.length.size
    path, moved, early = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    best_move, barred = np.zeros(6, np.int64), np.zeros(6, np.int64)
    makespan = set_times(shop, orders, times)
    step, stale, best = counters
    done = 2 * count
    while True:
        if best < 0 or makespan < best:
            best = makespan
            stale = 0
            found.machine_of[:] = orders.machine_of
            found.head[:] = times.head
            found.order[:] = times.order
        if done >= work or stale >= patience or best <= target:
            break
        step += 1
        stale += 1
        steps = critical_path(shop, orders, times, makespan, state, path)
        best_move[0], barred[0], barred[5] = FAR, 0, 0
        done += within_blocks(path[:steps], shop, orders, times, tabu, step, best, state, best_move, barred, moved,
                              early)  # fmt: skip
        done += to_other_machines(path[:steps], shop, orders, times, tabu, step, best, state, best_move, barred)
        if best_move[0] == FAR:
            if barred[5] == 0:
                stale = patience  # nothing on the path can move: a chain that cannot be shortened
                break
            best_move[:] = barred
        v, k, u, d = best_move[1], best_move[2], best_move[3], best_move[4]
        forbid_return(v, k, u, step + base + draw(state, base + 1), orders, times, tabu)
        move(v, k, u, d, orders)
        makespan = set_times(shop, orders, times)
        done += 2 * count
    counters[0], counters[1], counters[2] = step, stale, best
    return done
