"""Compiled loops of the schedule search: start solution, links from a priority, and the tabu search.

A solution is an order on each machine. ``machine_of``, ``length`` (time on that machine), ``before`` and ``after``
(links of the machine's order, -1 at its ends) and ``first`` (of each machine) describe it; they are changed in place.
Heads (earliest starts) and tails (longest way from an operation's end to the end of all) follow from them.
Callers go through :mod:`optimizer.scheduling.search`, which allocates the arrays; the kernels trust theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FAR = 2**62
"""Later than any time."""


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
def times(previous: Any, following: Any, length: Any, before: Any, after: Any, order: Any, place: Any,
          head: Any, tail: Any) -> int:  # fmt: skip
    """
    Topological order, heads and tails of a solution.

    Parameters
    ----------
    previous, following
        Neighbours in the job, -1 at its ends.
    order, place, head, tail
        Filled in: operations in an order no arc runs against, its inverse, and the times.

    Returns
    -------
    Makespan; -1 when the orders contradict one another.
    """
    count = length.size
    waits = np.empty(count, np.int8)
    filled = 0
    for v in range(count):
        waits[v] = 0
        if previous[v] >= 0:
            waits[v] += 1
        if before[v] >= 0:
            waits[v] += 1
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
def link(sequence: Any, machine_of: Any, before: Any, after: Any, first: Any) -> None:
    """Machine orders that follow one sequence of all operations, which no job runs against."""
    last = np.full(first.size, -1)
    first[:] = -1
    for v in sequence:
        k = machine_of[v]
        before[v] = last[k]
        after[v] = -1
        if last[k] >= 0:
            after[last[k]] = v
        else:
            first[k] = v
        last[k] = v


@njit(cache=True, nogil=True)
def dispatch(job_start: Any, option_start: Any, machine: Any, duration: Any, work_left: Any, noise: int, state: Any,
             sequence: Any, machine_of: Any, length: Any) -> None:  # fmt: skip
    """
    A first solution: of all operations that can start earliest, that with the most work left, where it ends earliest.

    ``noise`` (percent) disturbs the work left; fills ``sequence`` (in order of dispatch), machines and lengths.
    """
    jobs = job_start.size - 1
    step = job_start[:-1].copy()
    ready = np.zeros(jobs, np.int64)
    free = np.zeros(machine.max() + 1, np.int64)
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
                begin = min(begin, max(ready[j], free[machine[option]]))
            if begin < earliest or (begin == earliest and weight[j] * work_left[v] > most):
                earliest, chosen, most = begin, j, weight[j] * work_left[v]
        v = step[chosen]
        ends = FAR
        for option in range(option_start[v], option_start[v + 1]):
            end = max(ready[chosen], free[machine[option]]) + duration[option]
            if end < ends or (end == ends and duration[option] < length[v]):
                ends = end
                machine_of[v] = machine[option]
                length[v] = duration[option]
        ready[chosen] = ends
        free[machine_of[v]] = ends
        step[chosen] += 1
        sequence[at] = v


@njit(cache=True, nogil=True)
def without(v: int, previous: Any, following: Any, length: Any, before: Any, after: Any, order: Any, place: Any,
            head: Any, tail: Any, last: Any, marked: Any, touched: Any) -> tuple[int, int, int]:  # fmt: skip
    """
    Heads and tails once ``v`` has left its machine (links changed by the caller) and takes no time.

    Changes ``head`` and ``tail`` in place; ``touched`` lists whose head, then whose tail was looked at.

    Returns
    -------
    Makespan without ``v``, and how many entries of ``touched`` are heads and how many tails.
    """
    count = order.size
    heads = 0
    pending = 1
    marked[v] = True
    at = place[v]
    while pending > 0:
        x = order[at]
        at += 1
        if not marked[x]:
            continue
        marked[x] = False
        pending -= 1
        start = 0
        if previous[x] >= 0:
            start = head[previous[x]] + length[previous[x]]
        if x != v and before[x] >= 0:
            start = max(start, head[before[x]] + length[before[x]])
        if start != head[x] or x == v:
            head[x] = start
            touched[heads] = x
            heads += 1
            w = following[x]
            if w >= 0 and not marked[w]:
                marked[w] = True
                pending += 1
            w = after[x]
            if w >= 0 and not marked[w]:
                marked[w] = True
                pending += 1
    tails = 0
    pending = 1
    marked[v] = True
    at = place[v]
    while pending > 0:
        x = order[at]
        at -= 1
        if not marked[x]:
            continue
        marked[x] = False
        pending -= 1
        rest = 0
        if following[x] >= 0:
            rest = tail[following[x]] + length[following[x]]
        if x != v and after[x] >= 0:
            rest = max(rest, tail[after[x]] + length[after[x]])
        if rest != tail[x] or x == v:
            tail[x] = rest
            touched[count + tails] = x
            tails += 1
            w = previous[x]
            if w >= 0 and not marked[w]:
                marked[w] = True
                pending += 1
            w = before[x]
            if w >= 0 and not marked[w]:
                marked[w] = True
                pending += 1
    makespan = 0
    for x in last:
        makespan = max(makespan, head[x] + length[x])
    return makespan, heads, tails


@njit(cache=True, nogil=True)
def shifted(v: int, stop: int, forward: bool, limit: int, previous: Any, following: Any, length: Any, before: Any,
            after: Any, head: Any, tail: Any, moved: Any, early: Any) -> int:  # fmt: skip
    """
    Longest path through what changes place when ``v`` moves right behind (``forward``) or before ``stop``.

    An estimate: heads and tails outside the part that moves are taken as they are (Balas and Vazacopoulos, Management
    Science 44, 1998). Leaves off above ``limit``. ``moved`` and ``early`` are scratch.
    """
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
def insertion(v: int, k: int, u: int, d: int, previous: Any, following: Any, length: Any, before: Any, after: Any,
              first: Any, order: Any, place: Any, head: Any, tail: Any, head_kept: Any, tail_kept: Any, last: Any,
              marked: Any, touched: Any) -> tuple[int, int, int]:  # fmt: skip
    """
    Makespan, exactly, when ``v`` moves behind ``u`` (-1: to the front) on machine ``k``, where it takes ``d``.

    The longest path either passes ``v`` or is that of the rest. Nothing is changed in the end.

    Returns
    -------
    Makespan, longest path through ``v``, and work done.
    """
    left, right, kept = before[v], after[v], length[v]
    if left >= 0:
        after[left] = right
    if right >= 0:
        before[right] = left
    length[v] = 0
    rest, heads, tails = without(
        v, previous, following, length, before, after, order, place, head, tail, last, marked, touched
    )
    begin, ending = head[v], tail[v]
    w = after[u] if u >= 0 else first[k]
    if w == v:
        w = right
    if u >= 0:
        begin = max(begin, head[u] + length[u])
    if w >= 0:
        ending = max(ending, tail[w] + length[w])
    length[v] = kept
    if left >= 0:
        after[left] = v
    if right >= 0:
        before[right] = v
    for at in range(heads):
        head[touched[at]] = head_kept[touched[at]]
    for at in range(tails):
        tail[touched[head.size + at]] = tail_kept[touched[head.size + at]]
    path = begin + d + ending
    return max(path, rest), path, heads + tails


@njit(cache=True, nogil=True)
def move(v: int, k: int, u: int, d: int, machine_of: Any, length: Any, before: Any, after: Any, first: Any) -> None:
    """``v`` leaves its place and comes behind ``u`` (-1: to the front) on machine ``k``, where it takes ``d``."""
    left, right = before[v], after[v]
    if left >= 0:
        after[left] = right
    else:
        first[machine_of[v]] = right
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
    machine_of[v] = k
    length[v] = d


@njit(cache=True, nogil=True)
def offer(value: int, v: int, k: int, u: int, d: int, state: Any, values: Any, moves: Any, held: int) -> int:
    """Keep the best moves by estimate, best first, ties at random; returns how many are held."""
    size = values.size
    if held == size and (value > values[size - 1] or (value == values[size - 1] and draw(state, 2) == 0)):
        return held
    at = held if held < size else size - 1
    while at > 0 and (values[at - 1] > value or (values[at - 1] == value and draw(state, 2) == 0)):
        values[at] = values[at - 1]
        moves[at] = moves[at - 1]
        at -= 1
    values[at] = value
    moves[at, 0], moves[at, 1], moves[at, 2], moves[at, 3] = v, k, u, d
    return min(held + 1, size)


@njit(cache=True, nogil=True)
def tabu_search(previous: Any, following: Any, last: Any, option_start: Any, machine: Any, duration: Any,
                machine_of: Any, length: Any, before: Any, after: Any, first: Any,
                tabu_arc: Any, tabu_machine: Any, base: int, looked_at: int, work: int, patience: int, target: int,
                state: Any, counters: Any, best_machine: Any, best_head: Any, best_order: Any) -> int:  # fmt: skip
    """
    Tabu search over moves of the operations of a critical path.

    Within its machine an operation goes to an end of its block (operations that follow one another on the path without
    a break), or that at an end goes inside; to another machine it goes wherever heads and tails show that no cycle
    closes. Moves are ranked by estimates, the best few again by exact makespan; the best that is not tabu is done.

    Parameters
    ----------
    last
        Last operation of each job.
    tabu_arc, tabu_machine
        Shapes (operations, operations) and (operations, machines): iteration until which the first may not again come
        before the second, or onto the machine; filled with zeros by the caller.
    base
        Least number of iterations that something stays tabu; at most twice as many.
    looked_at
        How many moves are ranked by their exact makespan.
    work, patience, target
        Ends when as many operations were looked at, after as many iterations without a new best, or at a makespan of
        ``target``.
    counters
        Shape (3,): iterations, iterations since the last new best, best makespan (negative at the start). A call
        with what the last one left goes on as if it had not ended.
    best_machine, best_head, best_order
        Filled in: machines, heads and topological order of the best solution seen.

    Returns
    -------
    Work done.
    """
    count = length.size
    order, place = np.empty(count, np.int64), np.empty(count, np.int64)
    head, tail = np.empty(count, np.int64), np.empty(count, np.int64)
    head_kept, tail_kept = np.empty(count, np.int64), np.empty(count, np.int64)
    path, moved, early = np.empty(count, np.int64), np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
    touched = np.empty(2 * count, np.int64)
    marked = np.zeros(count, np.bool_)
    values, moves = np.empty(looked_at, np.int64), np.empty((looked_at, 4), np.int64)
    forced = np.empty(4, np.int64)
    makespan = times(previous, following, length, before, after, order, place, head, tail)
    iteration, stale, best = counters
    if best < 0:
        best = makespan
        best_machine[:] = machine_of
        best_head[:] = head
        best_order[:] = order
    done = count
    while done < work and stale < patience and best > target:
        iteration += 1
        stale += 1
        # A critical path, chosen at random where it branches.
        ties = 0
        x = -1
        for v in range(count):
            if head[v] == 0 and length[v] + tail[v] == makespan:
                ties += 1
                if draw(state, ties) == 0:
                    x = v
        steps = 0
        while x >= 0:
            path[steps] = x
            steps += 1
            end = head[x] + length[x]
            job_next, machine_next = following[x], after[x]
            if job_next >= 0 and (head[job_next] != end or end + length[job_next] + tail[job_next] != makespan):
                job_next = -1
            if machine_next >= 0 and (
                head[machine_next] != end or end + length[machine_next] + tail[machine_next] != makespan
            ):
                machine_next = -1
            x = job_next
            if machine_next >= 0 and (job_next < 0 or draw(state, 2) == 0):
                x = machine_next
        held = 0
        barred = 0
        begin_block = 0
        while begin_block < steps:
            end_block = begin_block
            while end_block + 1 < steps and after[path[end_block]] == path[end_block + 1]:
                end_block += 1
            front, back = path[begin_block], path[end_block]
            # Within the block: each to its end and front, and its two ends to each place inside.
            for case in range(4):
                for at in range(begin_block, end_block + 1):
                    y = path[at]
                    if case == 0:
                        v, stop, forward = y, back, True
                    elif case == 1:
                        v, stop, forward = y, front, False
                    elif case == 2:
                        v, stop, forward = front, y, True
                    else:
                        v, stop, forward = back, y, False
                    if v == stop or (case >= 2 and at in (begin_block, end_block)):
                        continue
                    if case == 1 and at == begin_block + 1:
                        continue  # the same exchange as the front moving behind it
                    tabu = False
                    if forward:
                        x = following[v]
                        if x >= 0 and (stop == x or head[stop] >= head[x] + length[x]):
                            continue
                        y = v
                        while y != stop and not tabu:
                            y = after[y]
                            tabu = tabu_arc[y, v] > iteration
                        u = stop
                    else:
                        x = previous[v]
                        if x >= 0 and (stop == x or tail[stop] >= tail[x] + length[x]):
                            continue
                        y = v
                        while y != stop and not tabu:
                            y = before[y]
                            tabu = tabu_arc[v, y] > iteration
                        u = before[stop]
                    done += 2
                    if tabu:
                        barred += 1
                        if draw(state, barred) == 0:
                            forced[0], forced[1], forced[2], forced[3] = v, machine_of[v], u, length[v]
                    limit = best - 1 if tabu else FAR
                    if not tabu and held == looked_at:
                        limit = values[held - 1]
                    value = shifted(v, stop, forward, limit, previous, following, length, before, after, head, tail,
                                    moved, early)  # fmt: skip
                    if value <= limit:
                        held = offer(value, v, machine_of[v], u, length[v], state, values, moves, held)
            begin_block = end_block + 1
        # To other machines.
        for at in range(steps):
            v = path[at]
            if option_start[v + 1] - option_start[v] == 1:
                continue
            job_before, job_after = previous[v], following[v]
            ready = np.int64(0)
            behind = np.int64(0)
            limit_head = FAR
            limit_tail = FAR
            if job_before >= 0:
                ready = head[job_before] + length[job_before]
                limit_tail = tail[job_before] + length[job_before]
            if job_after >= 0:
                behind = tail[job_after] + length[job_after]
                limit_head = head[job_after] + length[job_after]
            for option in range(option_start[v], option_start[v + 1]):
                k = machine[option]
                if k == machine_of[v]:
                    continue
                d = duration[option]
                tabu = tabu_machine[v, k] > iteration
                u = -1
                w = first[k]
                while True:
                    if u >= 0 and (u == job_after or head[u] >= limit_head):
                        break
                    done += 1
                    if w < 0 or (w != job_before and tail[w] < limit_tail):
                        begin = ready
                        if u >= 0:
                            begin = max(begin, head[u] + length[u])
                        ending = behind
                        if w >= 0:
                            ending = max(ending, tail[w] + length[w])
                        value = begin + d + ending
                        if not tabu or value < best:
                            held = offer(value, v, k, u, d, state, values, moves, held)
                        if tabu:
                            barred += 1
                            if draw(state, barred) == 0:
                                forced[0], forced[1], forced[2], forced[3] = v, k, u, d
                    if w < 0:
                        break
                    u = w
                    w = after[w]
        if held == 0:
            if barred == 0:
                stale = patience  # nothing on the path can move: a chain that cannot be shortened
                break
            v, k, u, d = int(forced[0]), int(forced[1]), int(forced[2]), int(forced[3])
        else:
            chosen = 0
            if held > 1:
                head_kept[:] = head
                tail_kept[:] = tail
                least = FAR
                least_path = FAR
                for at in range(held):
                    v, k, u, d = int(moves[at, 0]), int(moves[at, 1]), int(moves[at, 2]), int(moves[at, 3])
                    value, through, spent = insertion(
                        v, k, u, d, previous, following, length, before, after, first, order, place, head, tail,
                        head_kept, tail_kept, last, marked, touched,
                    )  # fmt: skip
                    done += spent
                    if value < least or (value == least and through < least_path):
                        least, least_path, chosen = value, through, at
            v, k, u, d = int(moves[chosen, 0]), int(moves[chosen, 1]), int(moves[chosen, 2]), int(moves[chosen, 3])
        until = iteration + base + draw(state, base + 1)
        if machine_of[v] != k:
            tabu_machine[v, machine_of[v]] = until
        elif u >= 0 and place[u] > place[v]:
            # What v passes may not be passed back for a while.
            y = v
            while y != u:
                y = after[y]
                tabu_arc[v, y] = until
        else:
            y = before[v]
            while y != u:
                tabu_arc[y, v] = until
                y = before[y]
        move(v, k, u, d, machine_of, length, before, after, first)
        makespan = times(previous, following, length, before, after, order, place, head, tail)
        done += 2 * count
        if makespan < best:
            best = makespan
            stale = 0
            best_machine[:] = machine_of
            best_head[:] = head
            best_order[:] = order
    counters[0], counters[1], counters[2] = iteration, stale, best
    return done
