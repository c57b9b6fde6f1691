"""The terminal played through, compiled: the policy of ``dispatch.py`` on arrays, for terminals with the plain rules.

Trains are numbered by arrival and loads by train, so a window of time is a range of both. A position is everything
that changes while playing; it can be copied at any minute and played on from there. Functions here release the
interpreter lock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

DIRECT, YARD, BOGIE = 0, 1, 2
ABOARD, MOVING, LYING, LAST, DONE = 0, 1, 2, 3, 4
INTO_YARD, OUT_OF_YARD = 3, 4
"""Works, beside DIRECT and BOGIE."""
NONE = -1
NEVER = 1 << 40
PATIENCE = 20
"""Minutes before the time a train aims to leave, from which it no longer waits for the train of a direct move."""
NOW, ARRIVED, FORCED, WOKEN, CAME, NUM_STANDING, NUM_WAITING, NUM_EXCHANGES = range(8)
"""Entries of a position's clock: the minute, how many trains of each list are seen to, lengths of its own lists."""


class Ground(NamedTuple):
    """What does not change; resources are cranes, then bays."""

    train: Any
    load: Any
    choice: Any
    """choices of a load follow each other, the cheapest first"""
    resource: Any
    window: Any
    pair_onward: Any
    """onward trains of the pairs of trains that loads may take; pairs of an inbound train follow each other"""
    fits: Any
    """(train, track); tracks in the order in which they are taken"""
    reach: Any
    """(crane, track)"""
    lasts: Any
    """(resource, load): minutes"""
    price: Any
    """(load, way)"""
    by_latest: Any
    by_lowest: Any
    """trains in order of their latest departure, and of the minute they may leave at the earliest"""


GROUND = {
    "train": "arrive depart latest lowest gauge wait first_load first_pair",
    "load": "inbound form size wagons due late missed may_direct may_yard first_choice",
    "choice": "onward way pair",
    "resource": "handles bay first_window",
    "window": "opens closes",
}
"""Columns of the rows. ``first_...`` count up to one row more; ``bay`` is NONE for a crane."""


class Position(NamedTuple):
    """What changes. ``head`` and ``fetch`` begin lists of loads, linked by ``following``."""

    train: Any
    load: Any
    resource: Any
    room: Any
    """(train, container bulk wagons)"""
    to_move: Any
    """(train, form): loads aboard that a crane is to take"""
    fetch: Any
    """(train, form): loads in the yard that go with it"""
    head: Any
    """(pair, form): loads aboard that go with the pair's onward train"""
    works: Any
    """(load, 2, resource start end)"""
    yard: Any
    stock: Any
    """(bay, gauge)"""
    free: Any
    """(track)"""
    standing: Any
    waiting: Any
    exchanges: Any
    """loads whose train has come and whose bogies are to be changed, in order of their onward trains' aims"""
    clock: Any


POSITION = {
    "train": "track start leave inside outside",
    "load": "following going by stage",
    "resource": "busy_until job step",
}
"""Columns of the rows; ``going`` is a load's onward train, ``by`` its way."""


@njit(cache=True, nogil=True)
def copy(of: Position, to: Position, trains: int, first_load: int, last_load: int, g: Ground) -> None:
    """A position: all trains, pairs of the first ``trains``, and the loads between two numbers."""
    pairs = g.train[trains].first_pair
    to.train[:] = of.train
    to.room[:] = of.room
    to.to_move[:] = of.to_move
    to.fetch[:] = of.fetch
    to.head[:pairs] = of.head[:pairs]
    to.load[first_load:last_load] = of.load[first_load:last_load]
    to.works[first_load:last_load] = of.works[first_load:last_load]
    to.resource[:] = of.resource
    to.yard[:] = of.yard
    to.stock[:] = of.stock
    to.free[:] = of.free
    to.clock[:] = of.clock
    to.standing[: of.clock[NUM_STANDING]] = of.standing[: of.clock[NUM_STANDING]]
    to.waiting[: of.clock[NUM_WAITING]] = of.waiting[: of.clock[NUM_WAITING]]
    to.exchanges[: of.clock[NUM_EXCHANGES]] = of.exchanges[: of.clock[NUM_EXCHANGES]]


@njit(cache=True, nogil=True)
def join(g: Ground, at: Position, aims: Any, load: int, choice: int) -> bool:
    """The load is to go with the choice's train; False when there is no room on it, or one of the two has left."""
    onward, way, inbound, form = g.choice[choice].onward, g.choice[choice].way, g.load[load].inbound, g.load[load].form
    unit, amount = (2, g.load[load].wagons) if way == BOGIE else (form, g.load[load].size)
    if at.train[onward].leave >= 0 or at.room[onward, unit] < amount or (way != BOGIE and at.train[inbound].leave >= 0):
        return False
    at.room[onward, unit] -= amount
    at.train[onward].outside += 1
    at.load[load].going, at.load[load].by = onward, way
    if way == BOGIE:
        if at.train[inbound].start >= 0:
            _queue(at, aims, load)
    else:
        at.train[inbound].inside += 1
        at.to_move[inbound, form] += 1
        at.load[load].following = at.head[g.choice[choice].pair, form]
        at.head[g.choice[choice].pair, form] = load
    return True


@njit(cache=True, nogil=True)
def join_other(g: Ground, at: Position, aims: Any, load: int, now: int) -> None:
    """Another train for a load that is still on its own."""
    for choice in range(g.load[load].first_choice, g.load[load + 1].first_choice):
        if g.train[g.choice[choice].onward].latest > now and join(g, at, aims, load, choice):
            return


@njit(cache=True, nogil=True)
def join_all(g: Ground, at: Position, chosen: Any, aims: Any, first: int, last: int, now: int) -> None:
    """Loads between two numbers that are aboard and have no train: first those with a choice, then the others."""
    for load in range(first, last):
        if at.load[load].stage == ABOARD and at.load[load].going == NONE and chosen[load] >= 0:
            join(g, at, aims, load, chosen[load])
    for load in range(first, last):
        if at.load[load].stage == ABOARD and at.load[load].going == NONE:
            join_other(g, at, aims, load, now)


@njit(cache=True, nogil=True)
def _queue(at: Position, aims: Any, load: int) -> None:
    """Bogies are to be changed: in order of the onward trains' aims, then of loads."""
    count = at.clock[NUM_EXCHANGES]
    place = count
    aim = aims[at.load[load].going]
    while place > 0:
        before = at.exchanges[place - 1]
        other = aims[at.load[before].going]
        if other < aim or (other == aim and before < load):
            break
        at.exchanges[place] = before
        place -= 1
    at.exchanges[place] = load
    at.clock[NUM_EXCHANGES] = count + 1


@njit(cache=True, nogil=True)
def _unqueue(at: Position, place: int) -> None:
    count = at.clock[NUM_EXCHANGES] - 1
    for k in range(place, count):
        at.exchanges[k] = at.exchanges[k + 1]
    at.clock[NUM_EXCHANGES] = count


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
def _give_back(g: Ground, at: Position, load: int) -> None:
    """The load no longer goes with its onward train."""
    onward = at.load[load].going
    if at.load[load].by == BOGIE:
        at.room[onward, 2] += g.load[load].wagons
    else:
        at.room[onward, g.load[load].form] += g.load[load].size
    at.train[onward].outside -= 1
    at.load[load].going = NONE


@njit(cache=True, nogil=True)
def _from_yard(g: Ground, at: Position, load: int) -> None:
    """A train for a load that lies in the yard; without one it is missed, and was never taken off."""
    form = g.load[load].form
    for choice in range(g.load[load].first_choice, g.load[load + 1].first_choice):
        train = g.choice[choice].onward
        if g.choice[choice].way == YARD and at.train[train].leave < 0 and at.room[train, form] >= g.load[load].size:
            at.room[train, form] -= g.load[load].size
            at.train[train].outside += 1
            at.load[load].going, at.load[load].by, at.load[load].stage = train, YARD, LYING
            at.load[load].following = at.fetch[train, form]
            at.fetch[train, form] = load
            return
    at.yard[form] += g.load[load].size
    at.load[load].stage = ABOARD


@njit(cache=True, nogil=True)
def _ended(g: Ground, at: Position, r: int) -> None:
    """A crane or bay has ended its work."""
    load, step = at.resource[r].job, at.resource[r].step
    at.resource[r].job = NONE
    inbound, form = g.load[load].inbound, g.load[load].form
    if step in (DIRECT, INTO_YARD):
        at.train[inbound].inside -= 1
    onward = at.load[load].going
    if onward == NONE:
        _from_yard(g, at, load)
    elif step == INTO_YARD:
        at.load[load].stage = LYING
        at.load[load].following = at.fetch[onward, form]
        at.fetch[onward, form] = load
    else:
        at.train[onward].outside -= 1
        at.load[load].stage = DONE
        if step == OUT_OF_YARD:
            at.yard[form] += g.load[load].size
        elif step == BOGIE:
            at.stock[g.resource[r].bay, g.train[inbound].gauge] += g.load[load].wagons


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
    for p in range(g.train[train].first_pair, g.train[train + 1].first_pair):
        for form in range(2):
            load = at.head[p, form]
            while load != NONE:
                _give_back(g, at, load)
                load = at.load[load].following
            at.head[p, form] = NONE
    at.to_move[train] = 0
    if at.train[train].outside == 0:
        return
    at.fetch[train] = NONE
    for load in range(first, last):
        if at.load[load].going != train or at.load[load].stage == DONE:
            continue
        inbound, form, way = g.load[load].inbound, g.load[load].form, at.load[load].by
        _give_back(g, at, load)
        if way == BOGIE:
            for place in range(at.clock[NUM_EXCHANGES]):
                if at.exchanges[place] == load:
                    _unqueue(at, place)
                    break
            join_other(g, at, aims, load, now)
        elif at.load[load].stage == LYING:
            _from_yard(g, at, load)
        elif at.load[load].stage == ABOARD:
            for p in range(g.train[inbound].first_pair, g.train[inbound + 1].first_pair):
                if g.pair_onward[p] == train:
                    _unlink(at, p, form, load)
            at.train[inbound].inside -= 1
            at.to_move[inbound, form] -= 1
            if at.train[inbound].leave < 0:
                join_other(g, at, aims, load, now)


@njit(cache=True, nogil=True)
def _unlink(at: Position, pair: int, form: int, load: int) -> None:
    here = at.head[pair, form]
    if here == load:
        at.head[pair, form] = at.load[load].following
        return
    while here != NONE:
        if at.load[here].following == load:
            at.load[here].following = at.load[load].following
            return
        here = at.load[here].following


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
def _come(g: Ground, at: Position, aims: Any, now: int) -> None:
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
            if at.load[load].going != NONE and at.load[load].by == BOGIE and at.load[load].stage == ABOARD:
                _queue(at, aims, load)


@njit(cache=True, nogil=True)
def _open_until(g: Ground, r: int, now: int) -> int:
    """Minute up to which the resource works on without a break; 0 when it is closed."""
    for w in range(g.resource[r].first_window, g.resource[r + 1].first_window):
        if g.window[w].closes > now:
            return g.window[w].closes if g.window[w].opens <= now else 0
    return 0


@njit(cache=True, nogil=True)
def _next_opening(g: Ground, r: int, now: int) -> int:
    for w in range(g.resource[r].first_window, g.resource[r + 1].first_window):
        if g.window[w].opens > now:
            return g.window[w].opens
    return NEVER


@njit(cache=True, nogil=True)
def _begin(g: Ground, at: Position, r: int, load: int, step: int, now: int) -> None:
    end = now + g.lasts[r, load]
    place = 1 if step == OUT_OF_YARD else 0
    at.works[load, place, 0], at.works[load, place, 1], at.works[load, place, 2] = r, now, end
    at.resource[r].busy_until, at.resource[r].job, at.resource[r].step = end, load, step
    at.load[load].stage = MOVING if step == INTO_YARD else LAST


@njit(cache=True, nogil=True)
def _lift(g: Ground, at: Position, aims: Any, r: int, now: int) -> None:
    """A free crane takes the startable work whose train aims to leave first."""
    until = _open_until(g, r, now)
    form = g.resource[r].handles
    best, best_load, best_step, best_pair = NEVER, NONE, NONE, NONE
    for s in range(at.clock[NUM_STANDING]):
        train = at.standing[s]
        if not g.reach[r, at.train[train].track]:
            continue
        limit = min(until, g.train[train].latest)
        load = at.fetch[train, form]
        if load != NONE and now + g.lasts[r, load] <= limit and 4 * aims[train] + 1 < best:
            best, best_load, best_step, best_pair = 4 * aims[train] + 1, load, OUT_OF_YARD, train
        if at.to_move[train, form] == 0:
            continue
        for p in range(g.train[train].first_pair, g.train[train + 1].first_pair):
            load = at.head[p, form]
            if load == NONE or now + g.lasts[r, load] > limit:
                continue
            onward = g.pair_onward[p]
            stands = at.train[onward].start >= 0 and at.train[onward].leave < 0
            if (
                stands
                and g.load[load].may_direct
                and g.reach[r, at.train[onward].track]
                and now + g.lasts[r, load] <= g.train[onward].latest
            ):
                key = 4 * min(aims[train], aims[onward])
                if key < best:
                    best, best_load, best_step, best_pair = key, load, DIRECT, p
                continue
            # A load that was to go directly goes through the yard when its train can wait no longer.
            into = at.load[load].by == YARD or now + PATIENCE >= aims[train] or aims[onward] <= aims[train]
            if into and g.load[load].may_yard and at.yard[form] >= g.load[load].size:
                key = 4 * (min(aims[train], aims[onward]) if stands else aims[train]) + 2
                if key < best:
                    best, best_load, best_step, best_pair = key, load, INTO_YARD, p
    if best_load == NONE:
        return
    if best_step == OUT_OF_YARD:
        at.fetch[best_pair, form] = at.load[best_load].following
    else:
        at.head[best_pair, form] = at.load[best_load].following
        at.to_move[g.load[best_load].inbound, form] -= 1
        at.load[best_load].by = DIRECT if best_step == DIRECT else YARD
        if best_step == INTO_YARD:
            at.yard[form] -= g.load[best_load].size
    _begin(g, at, r, best_load, best_step, now)


@njit(cache=True, nogil=True)
def _change(g: Ground, at: Position, r: int, now: int) -> None:
    """A free bay takes the first load for which it has bogies and time."""
    until = _open_until(g, r, now)
    for place in range(at.clock[NUM_EXCHANGES]):
        load = at.exchanges[place]
        onward, bay = at.load[load].going, g.resource[r].bay
        if now + g.lasts[r, load] > min(until, g.train[onward].latest):
            continue
        if at.stock[bay, g.train[onward].gauge] >= g.load[load].wagons:
            at.stock[bay, g.train[onward].gauge] -= g.load[load].wagons
            _unqueue(at, place)
            _begin(g, at, r, load, BOGIE, now)
            return


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
        soonest = min(soonest, at.resource[r].busy_until if at.resource[r].job != NONE else _next_opening(g, r, now))
    return soonest


@njit(cache=True, nogil=True)
def play(g: Ground, at: Position, aims: Any, trains: int, gone_first: int, first: int, last: int, until: int) -> bool:
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
                _ended(g, at, r)
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
        _come(g, at, aims, now)
        _leave_ready(g, at, now)
        for r in range(at.resource.size):
            if at.resource[r].job == NONE:
                if g.resource[r].bay == NONE:
                    _lift(g, at, aims, r, now)
                elif at.clock[NUM_EXCHANGES] > 0:
                    _change(g, at, r, now)
