"""Compiled search over duties: trains near to one another are taken off, and put on where they cost least.

Ruin and recreate with annealing: Schrimpf et al., Journal of Computational Physics 159 (2000); Christiaens and Vanden
Berghe, Transportation Science 54 (2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from optimizer.models.rolling_stock.locomotives.duty_kernels import (
    BROKEN_USD,
    CREW,
    NO_WAY,
    NONE,
    added,
    before_gap,
    copy_state,
    drop,
    join,
    place_of,
    put,
    take_off,
)

VISITS, KEPT_VISITS, VISIT_USD = 0.4, 0.7, 200.0
"""Chance that a unit is sent to a shop, that it keeps a visit, and how far the cheapest visit is left to chance."""
BLINK = 0.01
"""Chance that a unit is overlooked."""
OFF, OFF_CHANCE, ABSENT_FIRST = 10, 0.5, 0.3
"""Most trains taken off, chance of each, and chance to begin with one that stays behind."""
ABSENT = 60
"""Trains nearest to the first one that are put on if they stay behind."""


@njit(cache=True, nogil=True)
def note(usd: Any, units: Any, more: float, unit: int) -> None:
    """Enter a unit into a list of the cheapest."""
    at = CREW - 1
    if not more < usd[at]:
        return
    while at > 0 and usd[at - 1] > more:
        usd[at], units[at] = usd[at - 1], units[at - 1]
        at -= 1
    usd[at], units[at] = more, unit


@njit(cache=True, nogil=True)
def cheapest(work: Any, fleet: Any, state: Any, kind: int, a: int, b: int, usd: Any, units: Any) -> None:
    """The units of a type that tasks ``a`` to ``b`` of a train cost least, in order."""
    usd[:] = np.inf
    units[:] = NONE
    for unit in range(fleet.first[kind], fleet.first[kind + 1]):
        note(usd, units, added(work, fleet, state, unit, a, b), unit)


@njit(cache=True, nogil=True)
def blocks(work: Any, fleet: Any, state: Any, first: int, until: int, rng: Any, usd: Any, units: Any) -> None:
    """
    Cheapest units of each type for all runs of stages of a train, as ``added`` has it; some are overlooked by chance.

    ``usd`` and ``units`` have the shape (types, stages, stages, crew): by type, first and last stage.
    """
    usd[:] = np.inf
    units[:] = NONE
    for unit in range(fleet.kind.size):
        if rng.random() < BLINK:
            continue
        kind = fleet.kind[unit]
        size, rate = state.size[unit], fleet.rate[kind]
        at = place_of(work, state, unit, work.depart[first])
        for a in range(first, until):
            while at < size and work.depart[state.route[unit, at]] <= work.depart[a]:
                at += 1
            if work.least[a, kind] > CREW and not work.pair[a, kind].any():
                continue
            before = state.route[unit, at - 1] if at else NONE
            after = state.route[unit, at] if at < size else NONE
            due = state.due[unit, at]
            if (at and work.arrive[before] > work.depart[a]) or work.arrive[a] > due:
                continue
            limit = work.depart[after] if after != NONE else NO_WAY
            if limit < work.arrive[a]:
                continue
            to, to_m = join(work, fleet, unit, before, a, due, NO_WAY)
            if to >= NO_WAY:
                continue
            was, _, run = before_gap(work, fleet, state, unit, at, before, after)
            run += to_m
            most = state.most_m[unit, at]
            for b in range(a, until):
                if limit < work.arrive[b] or work.arrive[b] > due:
                    break
                if work.least[b, kind] > CREW and not work.pair[b, kind].any():
                    break
                run += work.metres[b]
                if run > most:
                    break
                on, on_m = join(work, fleet, unit, b, after, due, most - run)
                if on >= NO_WAY or run + on_m > most:
                    continue
                more = rate * (to + on - was + work.free[b] - work.depart[a])
                note(usd[kind, a - first, b - first], units[kind, a - first, b - first], more, unit)


@njit(cache=True, nogil=True)
def hauled_by(work: Any, kind: int, helper: int, stage: int) -> int:
    """Units of a type that a stage asks for; with a helper of another type, 2 where both haul it together."""
    least = work.least[stage, kind]
    if helper == kind or least == 1:
        return least
    return 2 if work.pair[stage, kind, helper] else CREW + 1


@njit(cache=True, nogil=True)
def block_usd(work: Any, kind: int, helper: int, a: int, b: int, first: int, usd: Any, units: Any) -> float:
    """
    What the units cost that haul the stages ``a`` to ``b``: one all the way, further ones where more are asked for.

    ``usd`` and ``units`` of shape (types, stages, stages, crew): cheapest units by type and first and last stage.
    """
    most = 0
    for stage in range(a, b + 1):
        most = max(most, hauled_by(work, kind, helper, stage))
    if most > CREW:
        return np.inf
    total = 0.0
    taken = np.full(CREW, NONE, np.int64)
    for level in range(1, most + 1):
        of = kind if level == 1 else helper
        stage = a
        while stage <= b:
            if hauled_by(work, kind, helper, stage) < level:
                stage += 1
                continue
            until = stage
            while until < b and hauled_by(work, kind, helper, until + 1) >= level:
                until += 1
            at = 0
            while at < CREW:
                unit = units[of, stage - first, until - first, at]
                if unit == NONE or (unit != taken).all():
                    break
                at += 1
            if at == CREW or units[of, stage - first, until - first, at] == NONE:
                return np.inf
            total += usd[of, stage - first, until - first, at]
            taken[level - 1] = units[of, stage - first, until - first, at]
            stage = until + 1
    return total


@njit(cache=True, nogil=True)
def put_on(work: Any, fleet: Any, state: Any, train: int, rng: Any) -> None:
    """
    Give a train the consists that cost least, where that is less than to cancel it.

    Blocks of stages that the same types haul come from a dynamic programme over the stages.
    """
    first, until, limit = work.first[train], work.first[train + 1], work.cancel[train]
    stages, kinds = until - first, fleet.rate.size
    usd = np.empty((kinds, stages, stages, CREW))
    units = np.empty((kinds, stages, stages, CREW), np.int64)
    blocks(work, fleet, state, first, until, rng, usd, units)
    best = np.full(stages + 1, np.inf)
    best[0] = 0.0
    back = np.zeros((stages + 1, 3), np.int64)
    for b in range(stages):
        for a in range(b + 1):
            if best[a] == np.inf:
                continue
            for kind in range(kinds):
                for helper in range(kinds):
                    total = best[a] + block_usd(work, kind, helper, first + a, first + b, first, usd, units)
                    if total < best[b + 1]:
                        best[b + 1] = total
                        back[b + 1] = a, kind, helper
    if not best[stages] < limit:
        return
    one_usd, one = np.empty(CREW), np.empty(CREW, np.int64)
    total, b = 0.0, stages
    while b > 0:
        a, kind, helper = back[b]
        most = 0
        for stage in range(a, b):
            most = max(most, hauled_by(work, kind, helper, first + stage))
        for level in range(1, most + 1):
            of, stage = kind if level == 1 else helper, a
            while stage < b:
                if hauled_by(work, kind, helper, first + stage) < level:
                    stage += 1
                    continue
                last = stage
                while last + 1 < b and hauled_by(work, kind, helper, first + last + 1) >= level:
                    last += 1
                cheapest(work, fleet, state, of, first + stage, first + last, one_usd, one)
                total += one_usd[0]
                if not total < limit or not put(work, fleet, state, one[0], first + stage, first + last):
                    take_off(work, fleet, state, train)
                    return
                stage = last + 1
        b = a
    state.running[train] = True


@njit(cache=True, nogil=True)
def total_usd(work: Any, state: Any) -> float:
    """Cost of a plan."""
    total = state.usd.sum()
    for train in range(work.cancel.size):
        if not state.running[train]:
            total += work.cancel[train]
    return float(total)


@njit(cache=True, nogil=True)
def send_to_shop(work: Any, fleet: Any, state: Any, unit: int, noise: float, rng: Any) -> None:
    """Enter the visit that costs least, give or take some noise."""
    kind, stages = fleet.kind[unit], work.train.size - work.room.size
    best, chosen = np.inf, NONE
    for window in range(work.room.size):
        task = stages + window
        if work.shop[task] != kind or state.visits[window] >= work.room[window]:
            continue
        usd = added(work, fleet, state, unit, task, task) + noise * rng.random()
        if usd < best:
            best, chosen = usd, task
    if chosen != NONE and not put(work, fleet, state, unit, chosen, chosen):
        drop(work, fleet, state, unit, chosen, chosen)


@njit(cache=True, nogil=True)
def revise_visits(work: Any, fleet: Any, state: Any, unit: int, rng: Any) -> None:
    """Take visits out by chance, where the unit keeps its limits without, and enter others."""
    if fleet.due[unit] >= NO_WAY and fleet.budget[unit] >= NO_WAY:
        return
    for at in range(state.size[unit] - 1, -1, -1):
        task = state.route[unit, at]
        if work.train[task] == NONE and rng.random() > KEPT_VISITS:
            drop(work, fleet, state, unit, task, task)
            if state.usd[unit] >= BROKEN_USD:
                put(work, fleet, state, unit, task, task)
    if rng.random() < VISITS:
        send_to_shop(work, fleet, state, unit, VISIT_USD, rng)


@njit(cache=True, nogil=True)
def order_of(work: Any, trains: Any, rng: Any) -> Any:
    """Trains in the order in which they are put on: any, dear ones, early ones, or long ones first."""
    how, key = rng.integers(0, 4), np.empty(trains.size)
    for n, train in enumerate(trains):
        begin, end = work.depart[work.first[train]], work.arrive[work.first[train + 1] - 1]
        if how == 0:
            key[n] = rng.random()
        elif how == 1:
            key[n] = -work.cancel[train] * (0.8 + 0.4 * rng.random())
        else:
            key[n] = begin if how == 2 else begin - end
    return trains[np.argsort(key)]


@njit(cache=True, nogil=True)
def build(work: Any, fleet: Any, state: Any, rng: Any) -> None:
    """Put on the trains in order of time."""
    depart = work.depart[work.first[:-1]]
    for train in np.argsort(depart, kind="mergesort"):
        if not state.running[train]:
            put_on(work, fleet, state, train, rng)


@njit(cache=True, nogil=True)
def search(
    work: Any, fleet: Any, state: Any, best: Any, old: Any, best_usd: float, rounds: int, heat_usd: float, rng: Any
) -> float:
    """
    Take trains near to one another off and put them on again, for some rounds of an annealing.

    ``state`` and ``old`` are the plan at hand, twice; the best one is left in ``best`` and its cost returned.
    """
    trains = work.cancel.size
    now = total_usd(work, state)
    copy_state(old, state)
    touched = np.zeros(fleet.kind.size, np.bool_)
    todo = np.empty(work.near.shape[1], np.int64)
    for _ in range(rounds):
        touched[:] = False
        seed = rng.integers(0, trains)
        if rng.random() < ABSENT_FIRST and not state.running.all():
            absent = np.flatnonzero(~state.running)
            seed = absent[rng.integers(0, absent.size)]
        off, num = rng.integers(1, OFF + 1), 0
        for at in range(work.near.shape[1]):
            train = work.near[seed, at]
            if not state.running[train]:
                if at >= ABSENT:
                    continue
            elif off > 0 and rng.random() < OFF_CHANCE:
                off -= 1
                for stage in range(work.first[train], work.first[train + 1]):
                    for member in range(state.crews[stage]):
                        touched[state.crew[stage, member]] = True
                take_off(work, fleet, state, train)
            else:
                continue
            todo[num] = train
            num += 1
        for unit in np.flatnonzero(touched):
            revise_visits(work, fleet, state, int(unit), rng)
        for train in order_of(work, todo[:num], rng):
            put_on(work, fleet, state, int(train), rng)
        after = total_usd(work, state)
        if after < now - heat_usd * np.log(rng.random()):
            now = after
            copy_state(old, state)
            if now < best_usd - 1e-6:
                best_usd = now
                copy_state(best, state)
        else:
            copy_state(state, old)
    return best_usd
