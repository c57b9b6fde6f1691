"""Who begins what next while a terminal is played, compiled: cranes, bays and posts."""

from __future__ import annotations

from typing import Any

from numba import njit

from optimizer.models.transshipment.playing.loads_kernels import take_from_list, unqueue
from optimizer.models.transshipment.playing.state import (
    ABOARD,
    BOGIE,
    CHECK,
    DIRECT,
    EXCHANGES,
    INTO_YARD,
    LAST,
    MOVING,
    NEVER,
    NONE,
    NUM_STANDING,
    OUT_OF_YARD,
    YARD,
    Ground,
    Position,
)

PATIENCE = 20
"""Minutes before the time a train aims to leave, from which it no longer waits for the train of a direct move."""
AWAY = 20
"""Minutes of a train's aim that a load counts less for each zone it lies from the home of a crane in line."""


@njit(cache=True, nogil=True)
def _open_until(g: Ground, r: int, now: int) -> int:
    """Minute up to which the resource works on without a break; 0 when it is closed."""
    for w in range(g.resource[r].first_window, g.resource[r + 1].first_window):
        if g.window[w].closes > now:
            return g.window[w].closes if g.window[w].opens <= now else 0
    return 0


@njit(cache=True, nogil=True)
def next_opening(g: Ground, r: int, now: int) -> int:
    for w in range(g.resource[r].first_window, g.resource[r + 1].first_window):
        if g.window[w].opens > now:
            return g.window[w].opens
    return NEVER


@njit(cache=True, nogil=True)
def _begin(g: Ground, at: Position, r: int, load: int, step: int, now: int) -> None:
    end = now + (g.lasts_out[r, load] if step == OUT_OF_YARD else g.lasts[r, load])
    at.resource[r].busy_until, at.resource[r].job, at.resource[r].step = end, load, step
    at.resource[r].last, at.resource[r].zone = g.load[load].inbound, g.load[load].zone
    if step == CHECK:
        check = g.load[load].first_check + at.load[load].checked
        at.checks[check, 0], at.checks[check, 1], at.checks[check, 2] = r, now, end
        at.load[load].checked += 1
        at.load[load].busy = 1
        return
    place = 1 if step == OUT_OF_YARD else 0
    at.works[load, place, 0], at.works[load, place, 1], at.works[load, place, 2] = r, now, end
    at.load[load].stage = MOVING if step == INTO_YARD else LAST
    if step in (DIRECT, OUT_OF_YARD):
        at.stock[-1, g.train[at.load[load].going].gauge] -= g.load[load].wagons


@njit(cache=True, nogil=True)
def _set_up_for(g: Ground, at: Position, r: int, now: int) -> int:
    """The only train whose loads it may work now; NONE when it may work any."""
    only: int = at.resource[r].last if now < at.resource[r].busy_until + g.resource[r].setup else NONE
    return only


@njit(cache=True, nogil=True)
def _zones(g: Ground, at: Position, r: int) -> tuple[int, int]:
    """First and last zone in which the cranes at work on its runway let it work."""
    low, high = -NEVER, NEVER
    if g.resource[r].runway != NONE:
        for other in range(g.reach.shape[0]):
            if other == r or g.resource[other].runway != g.resource[r].runway:
                continue
            if at.resource[other].job == NONE or at.resource[other].zone == NONE:
                continue
            apart = g.resource[r].rank - g.resource[other].rank
            if apart > 0:
                low = max(low, at.resource[other].zone + apart)
            elif apart < 0:
                high = min(high, at.resource[other].zone + apart)
    return low, high


@njit(cache=True, nogil=True)
def lift(g: Ground, at: Position, aims: Any, r: int, now: int) -> None:
    """A free crane takes the startable work whose train aims to leave first."""
    until = _open_until(g, r, now)
    form = g.resource[r].handles
    only, (low, high) = _set_up_for(g, at, r, now), _zones(g, at, r)
    best, best_load, best_step, best_pair = NEVER, NONE, NONE, NONE
    for s in range(at.clock[NUM_STANDING]):
        train = at.standing[s]
        if not g.reach[r, at.train[train].track]:
            continue
        latest = g.train[train].latest
        limit = min(until, latest)
        load = _nearest(g, at, r, at.fetch[train, form], at.stock[-1, g.train[train].gauge], only, low, high)
        if load != NONE:
            key, end = 4 * (aims[train] + _away(g, r, load)) + 1, now + g.lasts_out[r, load]
            if key < best and end <= limit and end + g.load[load].after_min <= latest:
                best, best_load, best_step, best_pair = key, load, OUT_OF_YARD, train
        if at.to_move[train, form] == 0 or only not in (NONE, train):
            continue
        for p in range(g.train[train].first_pair, g.train[train + 1].first_pair):
            load = _nearest(g, at, r, at.head[p, form], NEVER, only, low, high)
            if load == NONE:
                continue
            end = now + g.lasts[r, load]
            if end > limit:
                continue
            onward = g.pair_onward[p]
            stands = at.train[onward].start >= 0 and at.train[onward].leave < 0
            if (
                stands
                and g.load[load].may_direct
                and g.reach[r, at.train[onward].track]
                and end + g.load[load].after_min <= g.train[onward].latest
                and at.stock[-1, g.train[onward].gauge] >= g.load[load].wagons
            ):
                key = 4 * (min(aims[train], aims[onward]) + _away(g, r, load))
                if key < best:
                    best, best_load, best_step, best_pair = key, load, DIRECT, p
                continue
            # A load that was to go directly goes through the yard when its train can wait no longer.
            into = at.load[load].by == YARD or now + PATIENCE >= aims[train] or aims[onward] <= aims[train]
            if into and g.load[load].may_yard and at.yard[form] >= g.load[load].size:
                aim = min(aims[train], aims[onward]) if stands else aims[train]
                key = 4 * (aim + _away(g, r, load)) + 2
                if key < best:
                    best, best_load, best_step, best_pair = key, load, INTO_YARD, p
    if best_load == NONE:
        return
    if best_step == OUT_OF_YARD:
        take_from_list(at, at.fetch, best_pair, form, best_load)
    else:
        take_from_list(at, at.head, best_pair, form, best_load)
        at.to_move[g.load[best_load].inbound, form] -= 1
        at.load[best_load].by = DIRECT if best_step == DIRECT else YARD
        if best_step == INTO_YARD:
            at.yard[form] -= g.load[best_load].size
    _begin(g, at, r, best_load, best_step, now)


@njit(cache=True, nogil=True)
def _nearest(g: Ground, at: Position, r: int, load: int, wagons: int, only: int, low: int, high: int) -> int:
    """
    Of a list the load nearest to the crane's home, that set-up, the cranes in line and so many empty wagons allow.

    Without a home it is the first.
    """
    found, least, home = NONE, NEVER, g.resource[r].home
    while load != NONE:
        zone = g.load[load].zone
        if only in (NONE, g.load[load].inbound) and g.load[load].wagons <= wagons:
            if home == NONE or zone == NONE:
                return load
            if low <= zone <= high and abs(zone - home) < least:
                found, least = load, abs(zone - home)
        load = at.load[load].following
    return found


@njit(cache=True, nogil=True)
def _away(g: Ground, r: int, load: int) -> int:
    """Minutes of a train's aim that a load counts less for being away from the crane's home; see ``AWAY``."""
    if g.resource[r].home == NONE or g.load[load].zone == NONE:
        return 0
    away: int = AWAY * abs(g.load[load].zone - g.resource[r].home)
    return away


@njit(cache=True, nogil=True)
def serve(g: Ground, at: Position, r: int, now: int) -> None:
    """A free bay or post takes the first load that waits for it, and for which it has time, and the bay bogies."""
    until, only, kind = _open_until(g, r, now), _set_up_for(g, at, r, now), g.resource[r].queue
    for place in range(at.queued[kind]):
        load = at.queue[kind, place]
        end = now + g.lasts[r, load]
        if end > until or only not in (NONE, g.load[load].inbound):
            continue
        onward = at.load[load].going
        if kind == EXCHANGES:
            gauge, bay, wagons = g.train[onward].gauge, g.resource[r].bay, g.load[load].wagons
            if end + g.load[load].after_min > g.train[onward].latest or at.stock[bay, gauge] < wagons:
                continue
            at.stock[bay, gauge] -= wagons
            unqueue(at, kind, place)
            _begin(g, at, r, load, BOGIE, now)
            return
        if end <= g.train[g.load[load].inbound if at.load[load].stage == ABOARD else onward].latest:
            unqueue(at, kind, place)
            _begin(g, at, r, load, CHECK, now)
            return
