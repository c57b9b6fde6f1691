"""Simulated annealing over aims, compiled: each move plays the terminal, or a window of it, through again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from optimizer.models.transshipment.playing.kernels import play, withdraw
from optimizer.models.transshipment.playing.loads_kernels import join_all
from optimizer.models.transshipment.playing.state import (
    ABOARD,
    BOGIE,
    DONE,
    FORGOTTEN,
    NEVER,
    NONE,
    NOW,
    YARD,
    Ground,
    Position,
    copy,
)

SHIFTS = np.array([-60, -30, -15, -5, 5, 15, 30, 60])
FAILED = 1 << 60
LOOK = 512
"""Loads looked at for one that goes with a given train."""
NEAR = 6
"""Choices, the cheapest first, among which moves draw most of the time."""


class Span(NamedTuple):
    """
    What a search moves, plays and counts: ranges of trains and loads.

    Trains from ``first`` to ``last`` and their loads may get other aims; those up to ``trains`` are played, and those
    up to ``gone`` counted, with loads from ``first_load`` to ``last_load``.
    """

    first: int
    last: int
    gone: int
    trains: int
    first_load: int
    last_load: int


class Terms(NamedTuple):
    """What a plan is held to beside the terminal's own prices."""

    floor: Any
    """(train): minute before which it counts as standing"""
    beyond: Any
    """(train): minute it is taken to leave when it is not counted"""
    planned: Any
    """(load): onward train of which another costs ``change``; NONE: none planned, any will do"""
    change: int


@njit(cache=True, nogil=True)
def price(g: Ground, at: Position, terms: Terms, span: Span, leaves: Any) -> int:
    """Cost of a position that is played through; ``leaves`` gets the minutes at which trains may go."""
    for t in range(span.gone):
        leaves[t] = max(terms.floor[t], g.train[t].depart, at.train[t].start + 1)
    leaves[span.gone :] = terms.beyond[span.gone :]
    for i in range(span.first_load, span.last_load):
        onward, inbound, stage = at.load[i].going, g.load[i].inbound, at.load[i].stage
        if onward == NONE or stage == ABOARD:
            continue
        if inbound < span.gone:
            if at.load[i].by != BOGIE:
                leaves[inbound] = max(leaves[inbound], at.works[i, 0, 2])
            elif g.load[i].before > 0:
                last = g.load[i].first_check + g.load[i].before - 1
                leaves[inbound] = max(leaves[inbound], at.checks[last, 2])
        if stage == DONE and onward < span.gone:
            end = at.works[i, 1 if at.load[i].by == YARD else 0, 2]
            if g.load[i].after_min > 0:
                end = at.checks[g.load[i + 1].first_check - 1, 2]
            leaves[onward] = max(leaves[onward], end)
    units = 0
    for t in range(span.gone):
        units += g.train[t].wait * max(0, leaves[t] - g.train[t].depart)
    for i in range(span.first_load, span.last_load):
        onward = at.load[i].going
        if onward == NONE:
            units += g.load[i].missed
        else:
            units += g.price[i, at.load[i].by] + g.load[i].late * max(0, leaves[onward] - g.load[i].due)
        if terms.planned[i] != NONE and terms.planned[i] != onward:
            units += terms.change
    return units


@njit(cache=True, nogil=True)
def evaluate(
    g: Ground, opening: Position, at: Position, chosen: Any, aims: Any, terms: Terms, span: Span, leaves: Any
) -> int:
    """Cost of playing these aims from the opening; FAILED when a train finds no track in time."""
    copy(opening, at, span.trains, span.first_load, span.last_load, g)
    join_all(g, at, chosen, aims, span.first_load, span.last_load, at.clock[NOW] - 1)
    until = np.int64(FAILED)  # for a constant play would be compiled once more
    if not play(g, at, aims, span.trains, span.gone, span.first_load, span.last_load, until):
        return FAILED
    whole = span.first_load == 0 and span.last_load == at.load.size
    if whole and at.clock[FORGOTTEN] and (g.stock[-1].min() < NEVER or g.train[0].checked_after):
        withdraw(g, at)
    return price(g, at, terms, span, leaves)


@njit(cache=True, nogil=True)
def release(g: Ground, at: Position, first: int, trains: int) -> None:
    """
    Loads of trains from ``first`` on, none of which has come, lose their aims.

    Those of trains from ``trains`` on are not to come at all: nobody waits for them.
    """
    for i in range(g.train[first].first_load, at.load.size):
        onward = at.load[i].going
        if onward == NONE:
            continue
        at.train[onward].outside -= 1
        if i < g.train[trains].first_load:
            if at.load[i].by == BOGIE:
                at.room[onward, 2] += g.load[i].wagons
            else:
                at.room[onward, g.load[i].form] += g.load[i].size
            at.load[i].going = NONE
    for t in range(first, at.train.size):
        at.train[t].inside = 0
        at.to_move[t] = 0
    at.head[g.train[first].first_pair :] = NONE


@njit(cache=True, nogil=True)
def _cost_of(g: Ground, t: int, leaves: Any) -> int:
    return g.train[t].wait * max(0, leaves[t] - g.train[t].depart) + 1


@njit(cache=True, nogil=True)
def _some_train(g: Ground, span: Span, leaves: Any) -> int:
    """A train that may move, the sooner the more its waiting costs."""
    if np.random.random() < 0.5:
        total = 0
        for t in range(span.first, span.last):
            total += _cost_of(g, t, leaves)
        drawn = np.random.random() * total
        for t in range(span.first, span.last):
            drawn -= _cost_of(g, t, leaves)
            if drawn < 0:
                return t
    return np.random.randint(span.first, span.last)


@njit(cache=True, nogil=True)
def _alike(g: Ground, i: int, onward: int, way: int) -> int:
    """The load's choice of a train and way; NONE when it has none."""
    for c in range(g.load[i].first_choice, g.load[i + 1].first_choice):
        if g.choice[c].onward == onward and g.choice[c].way == way:
            return c
    return NONE


@njit(cache=True, nogil=True)
def _seedling(g: Ground, span: Span, chosen: Any, t: int) -> int:
    """A load on this train, or one that is to come to it; NONE when there is none."""
    if np.random.random() < 0.4:
        first, last = g.train[span.first].first_load, g.train[span.last].first_load
        if first < last:
            place = np.random.randint(first, last)
            for k in range(min(LOOK, last - first)):
                i = first + (place - first + k) % (last - first)
                if chosen[i] != NONE and g.choice[chosen[i]].onward == t:
                    return i
        return NONE
    first, last = g.train[t].first_load, g.train[t + 1].first_load
    return np.random.randint(first, last) if first < last else NONE


@njit(cache=True, nogil=True)
def _send(g: Ground, span: Span, chosen: Any, leaves: Any, changed: Any, before: Any) -> int:
    """Loads of a train that share an aim get another one; how many, noted with what they had before."""
    seedling = _seedling(g, span, chosen, _some_train(g, span, leaves))
    if seedling == NONE:
        return 0
    first, last = g.load[seedling].first_choice, g.load[seedling + 1].first_choice
    if first == last:
        return 0
    new = np.random.randint(first, min(last, first + NEAR) if np.random.random() < 0.8 else last)
    old = chosen[seedling]
    if old == new:
        return 0
    if old == NONE:
        chosen[seedling] = new
        changed[0], before[0] = seedling, old
        return 1
    alike, most = np.random.random() < 0.4, 1 << 30
    if np.random.random() < 0.4:
        most = np.random.randint(1, 9)
    inbound, count = g.load[seedling].inbound, 0
    for i in range(g.train[inbound].first_load, g.train[inbound + 1].first_load):
        if count == most:
            break
        if chosen[i] == NONE or g.choice[chosen[i]].onward != g.choice[old].onward:
            continue
        if g.choice[chosen[i]].way != g.choice[old].way:
            continue
        if alike and (g.load[i].form != g.load[seedling].form or g.load[i].due != g.load[seedling].due):
            continue
        other = _alike(g, i, g.choice[new].onward, g.choice[new].way)
        if other != NONE:
            changed[count], before[count] = i, chosen[i]
            chosen[i] = other
            count += 1
    if count > 0 and np.random.random() < 0.4:
        count = _make_room(g, span, chosen, g.choice[old].onward, g.choice[new].onward, count, changed, before)
    return count


@njit(cache=True, nogil=True)
def _make_room(g: Ground, span: Span, chosen: Any, old: int, new: int, count: int, changed: Any, before: Any) -> int:
    """As many loads of the new onward train go with the old one instead."""
    first, last = g.train[span.first].first_load, g.train[span.last].first_load
    place = np.random.randint(first, last)
    moved, wanted = 0, count
    for k in range(last - first):
        i = first + (place - first + k) % (last - first)
        if chosen[i] == NONE or g.choice[chosen[i]].onward != new:
            continue
        other = _alike(g, i, old, g.choice[chosen[i]].way)
        for c in range(wanted):
            if changed[c] == i:
                other = NONE
        if other != NONE:
            changed[count], before[count] = i, chosen[i]
            chosen[i] = other
            count += 1
            moved += 1
            if moved == wanted:
                break
    return count


@njit(cache=True, nogil=True)
def anneal(
    g: Ground, opening: Position, at: Position, chosen: Any, aims: Any, best_chosen: Any, best_aims: Any,
    terms: Terms, span: Span, units: Any, hot: float, cold: float, moves: int, seed: int,
) -> None:  # fmt: skip
    """
    Moves on the aims of a span, kept when the played plan costs no more, and sometimes when it costs more.

    ``units`` holds the cost of the aims at hand and of the best ones, and is kept up; temperatures are in its units.
    """
    np.random.seed(seed)
    leaves, tried = np.empty_like(aims), np.empty_like(aims)
    evaluate(g, opening, at, chosen, aims, terms, span, leaves)
    changed, before = np.empty(chosen.size, np.int64), np.empty(chosen.size, np.int64)
    for number in range(moves):
        kind = np.random.random()
        t, aim, count = NONE, 0, 0
        if kind < 0.5 or kind > 0.85:
            t = _some_train(g, span, leaves)
            aim = aims[t]
            if 0.4 <= kind < 0.5:
                aims[t] = leaves[t]
            else:
                shifted = aim + SHIFTS[np.random.randint(SHIFTS.size)]
                aims[t] = min(g.train[t].latest, max(g.train[t].arrive, shifted))
        if kind >= 0.5:
            count = _send(g, span, chosen, leaves, changed, before)
        if count == 0 and (t == NONE or aims[t] == aim):
            continue
        cost = evaluate(g, opening, at, chosen, aims, terms, span, tried)
        more = cost - units[0]
        heat = hot * (cold / hot) ** (number / moves)
        if more <= 0 or (cost < FAILED and np.random.random() < np.exp(-more / heat)):
            units[0] = cost
            leaves[:] = tried
            if cost < units[1]:
                units[1] = cost
                best_chosen[:] = chosen
                best_aims[:] = aims
        else:
            for k in range(count - 1, -1, -1):
                chosen[changed[k]] = before[k]
            if t != NONE:
                aims[t] = aim
