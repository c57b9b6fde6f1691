"""The terminal played through, compiled: the policy of ``dispatch.py`` on arrays (``state.py``).

Here trains come and leave and the clock goes on; ``loads_kernels.py`` has what becomes of loads, and
``works_kernels.py`` who works what next. Functions here release the interpreter lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from optimizer.models.transshipment.playing.loads_kernels import ended, queue, stay_aboard, strand
from optimizer.models.transshipment.playing.state import (
    ABOARD,
    ARRIVED,
    BOARDED,
    BOGIE,
    CAME,
    DONE,
    FORCED,
    NEVER,
    NONE,
    NOW,
    NUM_STANDING,
    NUM_WAITING,
    WOKEN,
    YARD,
    Ground,
    Position,
)
from optimizer.models.transshipment.playing.works_kernels import lift, next_opening, serve


@njit(cache=True, nogil=True)
def _insert(aims: Any, line: Any, count: int, train: int) -> None:
    """Into a line of trains in order of aim, then of number."""
    place = count
    while place > 0 and (aims[line[place - 1]], line[place - 1]) > (aims[train], train):
        line[place] = line[place - 1]
        place -= 1
    line[place] = train


@njit(cache=True, nogil=True)
def _remove(line: Any, count: int, train: int) -> None:
    place = 0
    while line[place] != train:
        place += 1
    for k in range(place, count - 1):
        line[k] = line[k + 1]


@njit(cache=True, nogil=True)
def _go(g: Ground, at: Position, train: int, now: int) -> None:
    at.train[train].leave = now
    _remove(at.standing, at.clock[NUM_STANDING], train)
    at.clock[NUM_STANDING] -= 1
    at.free[at.train[train].track] = True


@njit(cache=True, nogil=True)
def _force(g: Ground, at: Position, aims: Any, train: int, now: int, first: int, last: int) -> None:
    """The train leaves at its latest departure; its loads stay on it, loads for it look for another train."""
    ready = at.train[train].inside == 0 and at.train[train].outside == 0
    _go(g, at, train, now)
    if ready:
        return
    stay_aboard(g, at, train)
    if at.train[train].outside == 0:
        return
    at.fetch[train] = NONE
    for load in range(first, last):
        if at.load[load].going == train and at.load[load].stage != DONE:
            strand(g, at, aims, load, now)


@njit(cache=True, nogil=True)
def _leave_ready(g: Ground, at: Position, now: int) -> None:
    k = 0
    while k < at.clock[NUM_STANDING]:
        t = at.standing[k]
        ready = at.train[t].inside == 0 and at.train[t].outside == 0
        if ready and now >= g.train[t].depart and now > at.train[t].start:
            _go(g, at, t, now)
        else:
            k += 1


@njit(cache=True, nogil=True)
def _come(g: Ground, at: Position, aims: Any, now: int, first: int, last: int) -> None:
    """Waiting trains onto free tracks."""
    k = 0
    while k < at.clock[NUM_WAITING]:
        train = at.waiting[k]
        track = NONE
        if now < g.train[train].latest:
            for t in range(g.fits.shape[1]):
                if at.free[t] and g.fits[train, t]:
                    track = t
                    break
        if track == NONE:
            k += 1
            continue
        _remove(at.waiting, at.clock[NUM_WAITING], train)
        at.clock[NUM_WAITING] -= 1
        at.free[track] = False
        at.train[train].track, at.train[train].start = track, now
        _insert(aims, at.standing, at.clock[NUM_STANDING], train)
        at.clock[NUM_STANDING] += 1
        at.clock[CAME] = now + 1
        for load in range(g.train[train].first_load, g.train[train + 1].first_load):
            waits = at.load[load].checked < g.load[load].before or at.load[load].by == BOGIE
            if waits and at.load[load].going != NONE and at.load[load].stage == ABOARD:
                queue(g, at, aims, load)
        if g.train[train].checked_after and at.train[train].outside > 0:
            for load in range(first, last):
                if at.load[load].going == train and at.load[load].stage == BOARDED and not at.load[load].busy:
                    queue(g, at, aims, load)


@njit(cache=True, nogil=True)
def _next_minute(g: Ground, at: Position, trains: int) -> int:
    clock = at.clock
    now = clock[NOW]
    soonest = NEVER
    if clock[CAME] > now:
        soonest = clock[CAME]
    while clock[ARRIVED] < trains and at.train[clock[ARRIVED]].start >= 0:
        clock[ARRIVED] += 1
    if clock[ARRIVED] < trains:
        soonest = min(soonest, max(now, g.train[clock[ARRIVED]].arrive))
    count = g.train.size - 1
    while clock[FORCED] < count and (
        g.by_latest[clock[FORCED]] >= trains or at.train[g.by_latest[clock[FORCED]]].leave >= 0
    ):
        clock[FORCED] += 1
    if clock[FORCED] < count:
        soonest = min(soonest, max(now, g.train[g.by_latest[clock[FORCED]]].latest))
    while clock[WOKEN] < count and (
        g.by_lowest[clock[WOKEN]] >= trains
        or at.train[g.by_lowest[clock[WOKEN]]].leave >= 0
        or g.train[g.by_lowest[clock[WOKEN]]].lowest <= now
    ):
        clock[WOKEN] += 1
    if clock[WOKEN] < count:
        soonest = min(soonest, g.train[g.by_lowest[clock[WOKEN]]].lowest)
    for r in range(at.resource.size):
        if at.resource[r].job != NONE:
            soonest = min(soonest, at.resource[r].busy_until)
        else:
            soonest = min(soonest, next_opening(g, r, now))
            set_up = at.resource[r].busy_until + g.resource[r].setup
            if set_up > now:
                soonest = min(soonest, set_up)
    return soonest


@njit(cache=True, nogil=True)
def play(
    g: Ground, at: Position, aims: Any, trains: int, gone_first: int, first: int, last: int, until: int | np.int64
) -> bool:
    """
    Play on with the first ``trains`` trains until the first ``gone_first`` have left, or up to a minute.

    ``first`` and ``last`` enclose the loads that may still move. False when a train finds no track in time.
    """
    lead = 0
    while True:
        while lead < gone_first and at.train[lead].leave >= 0:
            lead += 1
        if lead == gone_first:
            return True
        now = _next_minute(g, at, trains)
        if now >= until:
            return True
        at.clock[NOW] = now
        for r in range(at.resource.size):
            if at.resource[r].job != NONE and at.resource[r].busy_until <= now:
                ended(g, at, aims, r, now)
        while at.clock[ARRIVED] < trains and g.train[at.clock[ARRIVED]].arrive <= now:
            train = at.clock[ARRIVED]
            if at.train[train].start < 0:
                _insert(aims, at.waiting, at.clock[NUM_WAITING], train)
                at.clock[NUM_WAITING] += 1
            at.clock[ARRIVED] += 1
        while at.clock[FORCED] < g.train.size - 1 and g.train[g.by_latest[at.clock[FORCED]]].latest <= now:
            train = g.by_latest[at.clock[FORCED]]
            if train < trains and at.train[train].leave < 0:
                if at.train[train].start < 0:
                    return False
                _force(g, at, aims, train, now, first, last)
            at.clock[FORCED] += 1
        _leave_ready(g, at, now)
        _come(g, at, aims, now, first, last)
        _leave_ready(g, at, now)
        for r in range(at.resource.size):
            if at.resource[r].job == NONE:
                if g.resource[r].queue == NONE:
                    lift(g, at, aims, r, now)
                elif at.queued[g.resource[r].queue] > 0:
                    serve(g, at, r, now)


@njit(cache=True, nogil=True)
def withdraw(g: Ground, at: Position) -> None:
    """
    Loads that took what nobody has given back are missed, the last takers first.

    That can be when a load was taken off, and missed later: then it never was.
    """
    size = at.load.size
    key, stock = np.empty(2 * size, np.int64), np.empty((2 * size, 4), np.int64)
    while True:
        count = 0
        for load in range(size):
            onward, inbound = at.load[load].going, g.load[load].inbound
            if onward == NONE:
                continue
            last = 1 if at.load[load].by == YARD else 0
            row = g.resource[at.works[load, 0, 0]].bay if at.load[load].by == BOGIE else g.stock.shape[0] - 1
            key[count], key[count + 1] = 2 * at.works[load, last, 1] + 1, 2 * at.works[load, 0, 2]
            for k, gauge, change in ((count, g.train[onward].gauge, -1), (count + 1, g.train[inbound].gauge, 1)):
                stock[k, 0], stock[k, 1], stock[k, 2], stock[k, 3] = row, gauge, change * g.load[load].wagons, load
            count += 2
        level, taker = g.stock.copy(), NONE
        for k in np.argsort(key[:count], kind="mergesort"):
            level[stock[k, 0], stock[k, 1]] += stock[k, 2]
            if level[stock[k, 0], stock[k, 1]] < 0:
                taker = stock[k, 3]
                break
        if taker == NONE:
            return
        at.load[taker].going, at.load[taker].stage = NONE, ABOARD
