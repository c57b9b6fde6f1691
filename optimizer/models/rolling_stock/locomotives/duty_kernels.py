"""Compiled duties of single locomotives: what they cost, and what a task more costs.

A *task* is a stage of a train or a visit to a window of a shop (numbered after the stages). ``State.route`` lists the
tasks of every unit in order of time; between two tasks a unit waits, runs light, or goes home and comes back, whatever
costs least. Times are minutes, distances whole metres rounded up, costs USD. Loops release the interpreter lock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

NONE = -1
NO_WAY = 1 << 40
"""Minutes of what cannot be."""
BROKEN_USD = 1e12
CREW = 4
"""Units of a stage at most."""


class Work(NamedTuple):
    """
    What there is to do.

    By task: ends, minutes (``free`` is when a unit can leave again), ``metres``, ``train`` (-1 for visits), ``shop``
    the type (-1 for stages). ``first`` lists the stages of each train (CSR); ``least`` of shape (stages, types) is the
    fewest units of one type that haul it, above :data:`CREW` where none can; ``pair`` of shape (stages, types, types)
    tells whether one unit each can. ``due`` and ``room`` by window; ``near`` lists the trains nearest to each.
    """

    start: Any
    end: Any
    depart: Any
    arrive: Any
    free: Any
    metres: Any
    train: Any
    shop: Any
    first: Any
    least: Any
    pair: Any
    cancel: Any
    due: Any
    room: Any
    near: Any
    connection: int
    horizon: int


class Fleet(NamedTuple):
    """
    Units by type, in order of types (``first``, CSR), with the place and minute where they start, and what limits them.

    ``light`` and ``light_m`` of shape (types, places, places): minutes of a light move and the connection after it.
    ``via`` is the home that makes the least detour, ``home`` tells the type's homes, ``nearest`` the home to end at.
    """

    first: Any
    kind: Any
    place: Any
    minute: Any
    due: Any
    budget: Any
    rate: Any
    shop_m: Any
    light: Any
    light_m: Any
    via: Any
    home: Any
    nearest: Any


class State(NamedTuple):
    """
    A plan: tasks of each unit, its cost, and for the gap before each task (one more than tasks) the metres run from one
    shop to the next, most of them, and when the unit is due; units of each stage, trains that run, visits by window,
    metres of each unit after its last task.
    """

    route: Any
    size: Any
    usd: Any
    run_m: Any
    most_m: Any
    due: Any
    crew: Any
    crews: Any
    running: Any
    visits: Any
    home_m: Any


@njit(cache=True, nogil=True)
def copy_state(goal: Any, source: Any) -> None:
    """Make a plan equal to another."""
    goal.route[:] = source.route
    goal.size[:] = source.size
    goal.usd[:] = source.usd
    goal.run_m[:] = source.run_m
    goal.most_m[:] = source.most_m
    goal.due[:] = source.due
    goal.crew[:] = source.crew
    goal.crews[:] = source.crews
    goal.running[:] = source.running
    goal.visits[:] = source.visits
    goal.home_m[:] = source.home_m


@njit(cache=True, nogil=True)
def light_end(work: Any, fleet: Any, kind: int, a: int, free: int, b: int, depart: int, due: int) -> int:
    """When a light move ends that leaves ``a`` at ``free`` or later, to leave ``b`` at ``depart``; none: -1."""
    soonest = free + fleet.light[kind, a, b] - work.connection
    latest = min(depart - work.connection, work.horizon, due)
    if soonest > latest:
        return NONE
    return latest if fleet.home[kind, a] else soonest


@njit(cache=True, nogil=True)
def away(work: Any, fleet: Any, kind: int, place: int, since: int, until: int) -> int:
    """Minutes that are paid for a wait."""
    if fleet.home[kind, place]:
        return 0
    return max(0, min(until, work.horizon) - min(since, work.horizon))


@njit(cache=True, nogil=True)
def gap(work: Any, fleet: Any, kind: int, a: int, free: int, b: int, depart: int, due: int) -> Any:
    """Paid minutes, metres, and the home in between (-1: none) from being free at one place to leaving another."""
    best, metres, over = NO_WAY, 0, NONE
    if free > depart:
        return best, metres, over
    if a == b:
        best = away(work, fleet, kind, a, free, depart)
    elif fleet.light[kind, a, b] < NO_WAY:
        end = light_end(work, fleet, kind, a, free, b, depart, due)
        if end >= 0:
            best = fleet.light[kind, a, b] + away(work, fleet, kind, b, end + work.connection, depart)
            metres = fleet.light_m[kind, a, b]
    home = fleet.via[kind, a, b]
    if home >= 0:
        to, back = fleet.light[kind, a, home], fleet.light[kind, home, b]
        if to + back < best and free + to + back <= depart and free + to - work.connection <= min(due, work.horizon):
            end = light_end(work, fleet, kind, home, free + to, b, depart, due)
            if end >= 0:
                through = to + back + away(work, fleet, kind, b, end + work.connection, depart)
                if through < best:
                    best, metres, over = through, fleet.light_m[kind, a, home] + fleet.light_m[kind, home, b], home
    return best, metres, over


@njit(cache=True, nogil=True)
def last_gap(work: Any, fleet: Any, kind: int, a: int, free: int, due: int, left_m: int) -> Any:
    """Paid minutes, metres and the home to go to (-1: the unit stays) after the last task, with so many metres left."""
    stay, home = away(work, fleet, kind, a, free, work.horizon), fleet.nearest[kind, a]
    if home >= 0 and home != a:
        takes = fleet.light[kind, a, home]
        in_time = free + takes - work.connection <= min(due, work.horizon)
        if takes < stay and in_time and fleet.light_m[kind, a, home] <= left_m:
            return takes, fleet.light_m[kind, a, home], home
    return stay, 0, NONE


@njit(cache=True, nogil=True)
def join(work: Any, fleet: Any, unit: int, a: int, b: int, due: int, left_m: int) -> Any:
    """
    Paid minutes and metres between two tasks of a unit; -1 is its start, or its end.

    Of the metres left only the way home at the end takes notice.
    """
    kind = fleet.kind[unit]
    place = fleet.place[unit] if a == NONE else work.end[a]
    free = fleet.minute[unit] if a == NONE else work.free[a]
    if b == NONE:
        minutes, metres, _ = last_gap(work, fleet, kind, place, free, due, left_m)
        return minutes, metres
    if a != NONE and b == a + 1 and work.train[a] != NONE and work.train[a] == work.train[b]:
        return -work.connection, 0
    minutes, metres, _ = gap(work, fleet, kind, place, free, work.start[b], work.depart[b], due)
    return minutes, metres


@njit(cache=True, nogil=True)
def own_minutes(work: Any, fleet: Any, kind: int, task: int) -> int:
    """Paid minutes of a task itself."""
    if work.train[task] == NONE:
        return away(work, fleet, kind, work.start[task], work.depart[task], work.arrive[task])
    return work.free[task] - work.depart[task]


@njit(cache=True, nogil=True)
def refresh(work: Any, fleet: Any, state: Any, unit: int) -> bool:
    """Count a duty anew; false where it breaks a rule, and then it costs more than any plan."""
    kind, size = fleet.kind[unit], state.size[unit]
    stages = work.train.size - work.room.size
    minutes, begin, run, due, most = 0, 0, 0, fleet.due[unit], fleet.budget[unit]
    before, good = NONE, True
    for at in range(size + 1):
        task = state.route[unit, at] if at < size else NONE
        takes, metres = join(work, fleet, unit, before, task, due, most - run)
        good &= takes < NO_WAY
        minutes += takes
        run += metres
        if task == NONE:
            state.home_m[unit] = metres
        state.due[unit, at], state.most_m[unit, at] = due, most
        if task != NONE:
            minutes += own_minutes(work, fleet, kind, task)
        if task == NONE or work.train[task] == NONE:
            good &= run <= most
            state.run_m[unit, begin : at + 1] = run
            begin, run = at + 1, 0
            if task != NONE:
                due, most = work.due[task - stages], fleet.shop_m[kind]
        else:
            run += work.metres[task]
            good &= work.arrive[task] <= due
        before = task
    state.usd[unit] = fleet.rate[kind] * minutes + (0.0 if good else BROKEN_USD)
    return good


@njit(cache=True, nogil=True)
def place_of(work: Any, state: Any, unit: int, depart: int) -> int:
    """Where in a duty a task that departs then belongs."""
    at = state.size[unit]
    while at > 0 and work.depart[state.route[unit, at - 1]] > depart:
        at -= 1
    return at


@njit(cache=True, nogil=True)
def before_gap(work: Any, fleet: Any, state: Any, unit: int, at: int, before: int, after: int) -> Any:
    """Paid minutes and metres of the gap before task number ``at``, and the metres around it from shop to shop."""
    left_m = state.home_m[unit] if after == NONE else NO_WAY
    was, was_m = join(work, fleet, unit, before, after, state.due[unit, at], left_m)
    return was, was_m, state.run_m[unit, at] - was_m


@njit(cache=True, nogil=True)
def added(work: Any, fleet: Any, state: Any, unit: int, a: int, b: int) -> float:
    """What a unit costs more with the tasks ``a`` to ``b`` of one train, or with a visit; infinite where it cannot."""
    at = place_of(work, state, unit, work.depart[a])
    before = state.route[unit, at - 1] if at else NONE
    after = state.route[unit, at] if at < state.size[unit] else NONE
    if after != NONE and work.depart[after] < work.arrive[b]:
        return np.inf
    if at and work.arrive[before] > work.depart[a]:
        return np.inf
    due, kind = state.due[unit, at], fleet.kind[unit]
    visit = work.train[a] == NONE
    if not visit and work.arrive[b] > due:
        return np.inf
    onward_due = work.due[a - work.train.size + work.room.size] if visit else due
    to, to_m = join(work, fleet, unit, before, a, due, NO_WAY)
    if to >= NO_WAY:
        return np.inf
    was, _, run = before_gap(work, fleet, state, unit, at, before, after)
    if not visit:
        run += to_m
        for task in range(a, b + 1):
            run += work.metres[task]
    # Metres before and behind a visit are counted when it is put in.
    left_m = fleet.shop_m[kind] if visit else state.most_m[unit, at] - run
    on, on_m = join(work, fleet, unit, b, after, onward_due, left_m)
    if on >= NO_WAY or (not visit and on_m > left_m):
        return np.inf
    minutes = to + on - was
    minutes += own_minutes(work, fleet, kind, a) if visit else work.free[b] - work.depart[a]
    return fleet.rate[kind] * minutes


@njit(cache=True, nogil=True)
def put(work: Any, fleet: Any, state: Any, unit: int, a: int, b: int) -> bool:
    """Enter tasks ``a`` to ``b`` into a duty."""
    at, more = place_of(work, state, unit, work.depart[a]), b - a + 1
    for place in range(state.size[unit] - 1, at - 1, -1):
        state.route[unit, place + more] = state.route[unit, place]
    for task in range(a, b + 1):
        state.route[unit, at + task - a] = task
        if work.train[task] == NONE:
            state.visits[task - work.train.size + work.room.size] += 1
        else:
            state.crew[task, state.crews[task]] = unit
            state.crews[task] += 1
    state.size[unit] += more
    return refresh(work, fleet, state, unit)


@njit(cache=True, nogil=True)
def drop(work: Any, fleet: Any, state: Any, unit: int, a: int, b: int) -> None:
    """Take tasks ``a`` to ``b`` out of a duty, those that it has."""
    kept = 0
    for at in range(state.size[unit]):
        task = state.route[unit, at]
        if a <= task <= b:
            if work.train[task] == NONE:
                state.visits[task - work.train.size + work.room.size] -= 1
            else:
                for member in range(state.crews[task]):
                    if state.crew[task, member] == unit:
                        state.crews[task] -= 1
                        state.crew[task, member] = state.crew[task, state.crews[task]]
                        break
        else:
            state.route[unit, kept] = task
            kept += 1
    state.size[unit] = kept
    refresh(work, fleet, state, unit)


@njit(cache=True, nogil=True)
def take_off(work: Any, fleet: Any, state: Any, train: int) -> None:
    """Take a train off all units."""
    a, b = work.first[train], work.first[train + 1] - 1
    for stage in range(a, b + 1):
        while state.crews[stage]:
            drop(work, fleet, state, state.crew[stage, 0], a, b)
    state.running[train] = False


@njit(cache=True, nogil=True)
def is_hauled(work: Any, fleet: Any, state: Any, stage: int) -> bool:
    """Whether the units of a stage are one of its consists."""
    units = state.crews[stage]
    if units == 0:
        return False
    kind, other = fleet.kind[state.crew[stage, 0]], fleet.kind[state.crew[stage, units - 1]]
    if units == 2 and kind != other:
        return bool(work.pair[stage, kind, other])
    for member in range(units):
        if fleet.kind[state.crew[stage, member]] != kind:
            return False
    return bool(units >= work.least[stage, kind])


@njit(cache=True, nogil=True)
def run_hauled(work: Any, fleet: Any, state: Any) -> None:
    """Run the trains whose stages are all hauled, take off the others, and then those that units no longer reach."""
    for train in range(work.cancel.size):
        state.running[train] = True
        for stage in range(work.first[train], work.first[train + 1]):
            if not is_hauled(work, fleet, state, stage):
                take_off(work, fleet, state, train)
                break
    broken = True
    while broken:
        broken = False
        for unit in range(fleet.kind.size):
            while state.usd[unit] >= BROKEN_USD and state.size[unit]:
                broken = True
                task = state.route[unit, state.size[unit] - 1]
                if work.train[task] == NONE:
                    drop(work, fleet, state, unit, task, task)
                else:
                    take_off(work, fleet, state, work.train[task])
