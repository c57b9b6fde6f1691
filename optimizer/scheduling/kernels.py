"""Compiled loops around one solution of the job shop: its times, its links, moves, and a first solution.

A solution is an order on each machine. Heads (earliest starts) and tails (longest way from an operation's end to the
end of all) follow from it. Callers go through :mod:`optimizer.scheduling.search`, which allocates the arrays; the
kernels trust theirs. All arrays are int64; -1 stands for "none".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

FAR = 2**62
"""Later than any time."""


class Shop(NamedTuple):
    """The problem: neighbours in the job, last operation of each job, and the options of each operation in CSR form."""

    previous: Any
    following: Any
    last: Any
    option_start: Any
    machine: Any
    duration: Any


class Orders(NamedTuple):
    """A solution, changed in place: machine, time there and neighbours there; first operation of each machine."""

    machine_of: Any
    length: Any
    before: Any
    after: Any
    first: Any


class Times(NamedTuple):
    """What follows from a solution: operations in an order no arc runs against, its inverse, heads and tails."""

    order: Any
    place: Any
    head: Any
    tail: Any


@njit(cache=True, nogil=True)
def draw(state: Any, below: int) -> int:
    """A number from 0 to ``below - 1`` (xorshift64*, Vigna, ACM TOMS 42, 2016); threads do not share ``state``."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return int((x * np.uint64(2685821657736338717) >> np.uint64(33)) % np.uint64(below))


@njit(cache=True, nogil=True)
def set_times(shop: Any, orders: Any, times: Any) -> int:
    """Fill ``times`` in; returns the makespan, or -1 when the orders contradict one another."""
    previous, following, length, before, after = (
        shop.previous,
        shop.following,
        orders.length,
        orders.before,
        orders.after,
    )
    order, place, head, tail = times.order, times.place, times.head, times.tail
    count = length.size
    waits = np.empty(count, np.int8)
    filled = 0
    for v in range(count):
        waits[v] = (previous[v] >= 0) + (before[v] >= 0)
        if waits[v] == 0:
            order[filled] = v
            filled += 1
    makespan = 0
    done = 0
    while done < filled:
        v = order[done]
        place[v] = done
        done += 1
        start = 0
        if previous[v] >= 0:
            start = head[previous[v]] + length[previous[v]]
        if before[v] >= 0:
            start = max(start, head[before[v]] + length[before[v]])
        head[v] = start
        makespan = max(makespan, start + length[v])
        for w in (following[v], after[v]):
            if w >= 0:
                waits[w] -= 1
                if waits[w] == 0:
                    order[filled] = w
                    filled += 1
    if filled < count:
        return -1
    for at in range(count - 1, -1, -1):
        v = order[at]
        rest = 0
        if following[v] >= 0:
            rest = tail[following[v]] + length[following[v]]
        if after[v] >= 0:
            rest = max(rest, tail[after[v]] + length[after[v]])
        tail[v] = rest
    return makespan


@njit(cache=True, nogil=True)
def link(sequence: Any, orders: Any) -> None:
    """Orders of the machines that follow one sequence of all operations, which no job runs against."""
    last = np.full(orders.first.size, -1)
    orders.first[:] = -1
    for v in sequence:
        k = orders.machine_of[v]
        orders.before[v] = last[k]
        orders.after[v] = -1
        if last[k] >= 0:
            orders.after[last[k]] = v
        else:
            orders.first[k] = v
        last[k] = v


@njit(cache=True, nogil=True)
def move(v: int, k: int, u: int, d: int, orders: Any) -> None:
    """``v`` leaves its place and comes behind ``u`` (-1: to the front) on machine ``k``, where it takes ``d``."""
    before, after, first = orders.before, orders.after, orders.first
    left, right = before[v], after[v]
    if left >= 0:
        after[left] = right
    else:
        first[orders.machine_of[v]] = right
    if right >= 0:
        before[right] = left
    if u >= 0:
        w = after[u]
        after[u] = v
    else:
        w = first[k]
        first[k] = v
    before[v] = u
    after[v] = w
    if w >= 0:
        before[w] = v
    orders.machine_of[v] = k
    orders.length[v] = d


@njit(cache=True, nogil=True)
def dispatch(job_start: Any, shop: Any, allowed: Any, work_left: Any, noise: int, state: Any, sequence: Any,
             orders: Any) -> None:  # fmt: skip
    """
    A first solution: of all operations that can start earliest, that with the most work left, where it ends earliest.

    Parameters
    ----------
    allowed
        Bool per option: those that may be used, at least one of each operation.
    work_left
        From the start of each operation to the end of its job; ``noise`` percent disturb it per job.
    sequence
        Filled in: operations in the order of dispatch; ``orders`` gets machines and lengths, not yet links.
    """
    option_start, machine, duration = shop.option_start, shop.machine, shop.duration
    jobs = job_start.size - 1
    step = job_start[:-1].copy()
    ready = np.zeros(jobs, np.int64)
    free = np.zeros(orders.first.size, np.int64)
    weight = np.empty(jobs)
    for j in range(jobs):
        weight[j] = 1.0 + noise * (draw(state, 2001) - 1000) / 100000.0
    for at in range(sequence.size):
        earliest = FAR
        chosen = -1
        most = -1.0
        for j in range(jobs):
            v = step[j]
            if v == job_start[j + 1]:
                continue
            begin = FAR
            for option in range(option_start[v], option_start[v + 1]):
                if allowed[option]:
                    begin = min(begin, max(ready[j], free[machine[option]]))
            if begin < earliest or (begin == earliest and weight[j] * work_left[v] > most):
                earliest, chosen, most = begin, j, weight[j] * work_left[v]
        v = step[chosen]
        ends = FAR
        for option in range(option_start[v], option_start[v + 1]):
            if not allowed[option]:
                continue
            end = max(ready[chosen], free[machine[option]]) + duration[option]
            if end < ends or (end == ends and duration[option] < orders.length[v]):
                ends = end
                orders.machine_of[v] = machine[option]
                orders.length[v] = duration[option]
        ready[chosen] = ends
        free[orders.machine_of[v]] = ends
        step[chosen] += 1
        sequence[at] = v
