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


@njit(cache=True, nogil=True)
def draw(state: Any, below: int) -> int:
    """A number from 0 to ``below - 1`` (xorshift64*, Vigna, ACM TOMS 42, 2016); threads do not share ``state``."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.int64((x * np.uint64(2685821657736338717) >> np.uint64(33)) % np.uint64(below))


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
        earliest = np.int64(2**62)
        chosen = -1
        most = -1.0
        for j in range(jobs):
            v = step[j]
            if v == job_start[j + 1]:
                continue
            begin = np.int64(2**62)
            for option in range(option_start[v], option_start[v + 1]):
                begin = min(begin, max(ready[j], free[machine[option]]))
            if begin < earliest or (begin == earliest and weight[j] * work_left[v] > most):
                earliest, chosen, most = begin, j, weight[j] * work_left[v]
        v = step[chosen]
        ends = np.int64(2**62)
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
def tabu_search(previous: Any, following: Any, last: Any, option_start: Any, machine: Any, duration: Any,
                machine_of: Any, length: Any, before: Any, after: Any, first: Any,
                tabu_arc: Any, tabu_machine: Any, base: int, work: int, patience: int, target: int, state: Any,
                counters: Any, best_machine: Any, best_head: Any, best_order: Any) -> int:  # fmt: skip
    """
    Tabu search over reinsertions of the operations of a critical path.

    An operation leaves its machine; with heads and tails of what remains, the makespan of every insertion on each of
    its machines is known exactly: the longest path either passes it or is that of the rest. Insertions that could close
    a cycle are left out by comparing heads and tails. The best that is not tabu is done (Mastrolilli and Gambardella,
    J. Scheduling 3, 2000).

    Parameters
    ----------
    last
        Last operation of each job.
    tabu_arc, tabu_machine
        Shapes (operations, operations) and (operations, machines): iteration until which the first may not again come
        before the second, or onto the machine; filled with zeros by the caller.
    base
        Least number of iterations that something stays tabu; at most twice as many.
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
    order = np.empty(count, np.int64)
    place = np.empty(count, np.int64)
    head = np.empty(count, np.int64)
    tail = np.empty(count, np.int64)
    head_kept = np.empty(count, np.int64)
    tail_kept = np.empty(count, np.int64)
    touched = np.empty(2 * count, np.int64)
    marked = np.zeros(count, np.bool_)
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
        head_kept[:] = head
        tail_kept[:] = tail
        # A critical path, chosen at random where it branches.
        ties = 0
        x = -1
        for v in range(count):
            if head[v] == 0 and length[v] + tail[v] == makespan:
                ties += 1
                if draw(state, ties) == 0:
                    x = v
        found_makespan = np.int64(2**62)
        found_path = np.int64(2**62)
        found_v = found_k = found_u = found_d = -1
        equal = 0
        forced = 0
        forced_v = forced_k = forced_u = forced_d = -1
        while x >= 0:
            v = x
            # The next on the path, before v is taken out.
            x = -1
            end = head[v] + length[v]
            job_next, machine_next = following[v], after[v]
            if job_next >= 0 and (head[job_next] != end or end + length[job_next] + tail[job_next] != makespan):
                job_next = -1
            if machine_next >= 0 and (
                head[machine_next] != end or end + length[machine_next] + tail[machine_next] != makespan
            ):
                machine_next = -1
            x = job_next
            if machine_next >= 0 and (job_next < 0 or draw(state, 2) == 0):
                x = machine_next
            options = option_start[v + 1] - option_start[v]
            own = machine_of[v]
            left, right = before[v], after[v]
            if options == 1 and left < 0 and right < 0:
                continue
            # Alone on its machine's part of the path, and nowhere else to go: moving it cannot shorten the path.
            if options == 1:
                first_of_block = left < 0 or head[left] + length[left] != head[v]
                last_of_block = right < 0 or tail[right] + length[right] != tail[v]
                if first_of_block and last_of_block:
                    continue
            if left >= 0:
                after[left] = right
            if right >= 0:
                before[right] = left
            kept = length[v]
            length[v] = 0
            rest, heads, tails = without(v, previous, following, length, before, after, order, place, head, tail,
                                         last, marked, touched)  # fmt: skip
            done += heads + tails
            job_before, job_after = previous[v], following[v]
            ready = np.int64(0)
            behind = np.int64(0)
            limit_head = np.int64(2**62)
            limit_tail = np.int64(2**62)
            if job_before >= 0:
                ready = head[job_before] + length[job_before]
                limit_tail = tail[job_before] + length[job_before]
            if job_after >= 0:
                behind = tail[job_after] + length[job_after]
                limit_head = head[job_after] + length[job_after]
            for option in range(option_start[v], option_start[v + 1]):
                k = machine[option]
                d = duration[option]
                blocked = k != own and tabu_machine[v, k] > iteration
                # On its own machine: all that v would pass towards the end, or towards the front.
                u = -1
                w = first[k]
                if k == own and w == v:
                    w = right
                passed_left = False
                if k == own and left >= 0:
                    # v would come before left and all from w on: tabu if any of these arcs is.
                    y = left
                    while y >= 0:
                        if tabu_arc[v, y] > iteration:
                            passed_left = True
                            break
                        y = before[y]
                barrier = -1
                if passed_left:
                    barrier = y
                passed_right = False
                own_side_left = k == own and left >= 0
                while True:
                    if u >= 0:
                        if u == job_after or head[u] >= limit_head:
                            break
                        if u == barrier:
                            barrier = -1
                        if k == own and not own_side_left and tabu_arc[u, v] > iteration:
                            passed_right = True
                        if u == left:
                            own_side_left = False
                    if not (k == own and u == left) and (w < 0 or (w != job_before and tail[w] < limit_tail)):
                        begin = ready
                        if u >= 0:
                            begin = max(begin, head[u] + length[u])
                        ending = behind
                        if w >= 0:
                            ending = max(ending, tail[w] + length[w])
                        path = begin + d + ending
                        value = max(path, rest)
                        tabu = blocked or passed_right or barrier >= 0
                        if not tabu or value < best:
                            if value < found_makespan or (value == found_makespan and path < found_path):
                                found_makespan, found_path = value, path
                                found_v, found_k, found_u, found_d = v, k, u, d
                                equal = 1
                            elif value == found_makespan and path == found_path:
                                equal += 1
                                if draw(state, equal) == 0:
                                    found_v, found_k, found_u, found_d = v, k, u, d
                        else:
                            forced += 1
                            if draw(state, forced) == 0:
                                forced_v, forced_k, forced_u, forced_d = v, k, u, d
                    done += 1
                    if w < 0:
                        break
                    u = w
                    w = after[w]
                    if w == v:
                        w = right
            # Put v back.
            length[v] = kept
            if left >= 0:
                after[left] = v
            if right >= 0:
                before[right] = v
            for at in range(heads):
                head[touched[at]] = head_kept[touched[at]]
            for at in range(tails):
                tail[touched[count + at]] = tail_kept[touched[count + at]]
        if found_v < 0:
            if forced_v < 0:
                stale = patience  # nothing on the path can move: it is a chain that cannot be shortened
                break
            found_v, found_k, found_u, found_d = forced_v, forced_k, forced_u, forced_d
        v, k, u = found_v, found_k, found_u
        own = machine_of[v]
        until = iteration + base + draw(state, base + 1)
        if own == k:
            # What v passes may not be passed back for a while.
            if u >= 0 and place[u] > place[v]:
                y = after[v]
                while True:
                    tabu_arc[v, y] = until
                    if y == u:
                        break
                    y = after[y]
            else:
                y = before[v]
                while y != u:
                    tabu_arc[y, v] = until
                    y = before[y]
        else:
            tabu_machine[v, own] = until
        left, right = before[v], after[v]
        if left >= 0:
            after[left] = right
        else:
            first[own] = right
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
        length[v] = found_d
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
