"""What becomes of loads while a terminal is played, compiled: they join trains, wait in queues, go on, are missed."""

from __future__ import annotations

from typing import Any

from numba import njit

from optimizer.models.transshipment.playing.state import (
    ABOARD,
    BOARDED,
    BOGIE,
    CHECK,
    DIRECT,
    DONE,
    EXCHANGES,
    FORGOTTEN,
    INTO_YARD,
    LYING,
    NONE,
    OUT_OF_YARD,
    YARD,
    Ground,
    Position,
)


@njit(cache=True, nogil=True)
def join(g: Ground, at: Position, aims: Any, load: int, choice: int) -> bool:
    """The load is to go with the choice's train; False when there is no room on it, or one of the two has left."""
    onward, way, inbound, form = g.choice[choice].onward, g.choice[choice].way, g.load[load].inbound, g.load[load].form
    unit, amount = (2, g.load[load].wagons) if way == BOGIE else (form, g.load[load].size)
    held = way != BOGIE or at.load[load].checked < g.load[load].before
    if at.train[onward].leave >= 0 or at.room[onward, unit] < amount or (held and at.train[inbound].leave >= 0):
        return False
    at.room[onward, unit] -= amount
    at.train[onward].outside += 1
    if held:
        at.train[inbound].inside += 1
    at.load[load].going, at.load[load].by, at.load[load].pair = onward, way, g.choice[choice].pair
    go_on(g, at, aims, load)
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
        if chosen[load] >= 0 and _has_no_train(at, load):
            join(g, at, aims, load, chosen[load])
    for load in range(first, last):
        if _has_no_train(at, load):
            join_other(g, at, aims, load, now)


@njit(cache=True, nogil=True)
def _has_no_train(at: Position, load: int) -> bool:
    return at.load[load].stage == ABOARD and at.load[load].going == NONE and not at.load[load].busy


@njit(cache=True, nogil=True)
def go_on(g: Ground, at: Position, aims: Any, load: int) -> None:
    """The load waits for what comes next in its chain; what has nothing left to wait for is done."""
    stage, done, before = at.load[load].stage, at.load[load].checked, g.load[load].before
    onward, inbound, form = at.load[load].going, g.load[load].inbound, g.load[load].form
    if stage == ABOARD:
        if done < before or at.load[load].by == BOGIE:
            if at.train[inbound].start >= 0:  # else when its train comes
                queue(g, at, aims, load)
        else:
            at.to_move[inbound, form] += 1
            pair = at.load[load].pair
            at.load[load].following = at.head[pair, form]
            at.head[pair, form] = load
    elif stage == LYING:
        if done < before + g.load[load].between:
            queue(g, at, aims, load)
        else:
            at.load[load].following = at.fetch[onward, form]
            at.fetch[onward, form] = load
    elif g.load[load].first_check + done < g.load[load + 1].first_check:
        if at.train[onward].start >= 0:
            queue(g, at, aims, load)
    else:
        at.train[onward].outside -= 1
        at.load[load].stage = DONE


@njit(cache=True, nogil=True)
def _queue_of(g: Ground, at: Position, load: int) -> int:
    done = at.load[load].checked
    if at.load[load].stage == ABOARD and done >= g.load[load].before:
        return EXCHANGES
    queue_: int = g.check_queue[g.load[load].first_check + done]
    return queue_


@njit(cache=True, nogil=True)
def _aim_of(g: Ground, at: Position, aims: Any, load: int) -> int:
    """Aim of the train that a waiting load holds."""
    on_its_own = at.load[load].stage == ABOARD and at.load[load].checked < g.load[load].before
    aim: int = aims[g.load[load].inbound if on_its_own else at.load[load].going]
    return aim


@njit(cache=True, nogil=True)
def queue(g: Ground, at: Position, aims: Any, load: int) -> None:
    """The load waits for a check or its exchange of bogies: in order of aims, then in turn."""
    kind, aim = _queue_of(g, at, load), _aim_of(g, at, aims, load)
    place = at.queued[kind]
    while place > 0:
        before = at.queue[kind, place - 1]
        other = _aim_of(g, at, aims, before)
        if other < aim or (other == aim and g.load[before].turn < g.load[load].turn):
            break
        at.queue[kind, place] = before
        place -= 1
    at.queue[kind, place] = load
    at.queued[kind] += 1


@njit(cache=True, nogil=True)
def unqueue(at: Position, kind: int, place: int) -> None:
    at.queued[kind] -= 1
    for k in range(place, at.queued[kind]):
        at.queue[kind, k] = at.queue[kind, k + 1]


@njit(cache=True, nogil=True)
def _take_from_queue(g: Ground, at: Position, load: int) -> None:
    kind = _queue_of(g, at, load)
    for place in range(at.queued[kind]):
        if at.queue[kind, place] == load:
            unqueue(at, kind, place)
            return


@njit(cache=True, nogil=True)
def take_from_list(at: Position, first: Any, owner: int, form: int, load: int) -> None:
    """Out of a list of loads: ``first`` is the heads of those aboard a pair, or of those to fetch for a train."""
    here = first[owner, form]
    if here == load:
        first[owner, form] = at.load[load].following
        return
    while at.load[here].following != load:
        here = at.load[here].following
    at.load[here].following = at.load[load].following


@njit(cache=True, nogil=True)
def give_back(g: Ground, at: Position, load: int) -> None:
    """The load no longer goes with its onward train."""
    onward = at.load[load].going
    if at.load[load].by == BOGIE:
        at.room[onward, 2] += g.load[load].wagons
    else:
        at.room[onward, g.load[load].form] += g.load[load].size
    at.train[onward].outside -= 1
    at.load[load].going = NONE


@njit(cache=True, nogil=True)
def _forget(at: Position, load: int) -> None:
    """The load is missed, and was never taken off."""
    at.load[load].stage, at.load[load].checked = ABOARD, 0
    at.clock[FORGOTTEN] = 1


@njit(cache=True, nogil=True)
def _from_yard(g: Ground, at: Position, aims: Any, load: int) -> None:
    """A train for a load that lies in the yard; without one it is missed."""
    form = g.load[load].form
    for choice in range(g.load[load].first_choice, g.load[load + 1].first_choice):
        train = g.choice[choice].onward
        if g.choice[choice].way == YARD and at.train[train].leave < 0 and at.room[train, form] >= g.load[load].size:
            at.room[train, form] -= g.load[load].size
            at.train[train].outside += 1
            at.load[load].going, at.load[load].by, at.load[load].stage = train, YARD, LYING
            go_on(g, at, aims, load)
            return
    at.yard[form] += g.load[load].size
    _forget(at, load)


@njit(cache=True, nogil=True)
def ended(g: Ground, at: Position, aims: Any, r: int, now: int) -> None:
    """A resource has ended its work."""
    load, step = at.resource[r].job, at.resource[r].step
    at.resource[r].job = NONE
    inbound, onward, wagons = g.load[load].inbound, at.load[load].going, g.load[load].wagons
    if step == CHECK:
        _checked(g, at, aims, load, now)
        return
    if step in (DIRECT, INTO_YARD):
        at.train[inbound].inside -= 1
        at.stock[-1, g.train[inbound].gauge] += wagons
    elif step == OUT_OF_YARD:
        at.yard[g.load[load].form] += g.load[load].size
    else:
        at.stock[g.resource[r].bay, g.train[inbound].gauge] += wagons
    at.load[load].stage = LYING if step == INTO_YARD else BOARDED
    if onward != NONE:
        go_on(g, at, aims, load)
    elif step == INTO_YARD:
        _from_yard(g, at, aims, load)
    else:
        _forget(at, load)


@njit(cache=True, nogil=True)
def _checked(g: Ground, at: Position, aims: Any, load: int, now: int) -> None:
    at.load[load].busy = 0
    stage, onward, inbound = at.load[load].stage, at.load[load].going, g.load[load].inbound
    if stage == ABOARD and (onward == NONE or at.load[load].by == BOGIE):
        # Its train need not stand for it any more, unless it is told so again.
        at.train[inbound].inside -= onward == NONE or at.load[load].checked == g.load[load].before
    if onward != NONE:
        go_on(g, at, aims, load)
    elif stage == LYING:
        _from_yard(g, at, aims, load)
    elif stage == ABOARD:
        join_other(g, at, aims, load, now)
    else:
        _forget(at, load)


@njit(cache=True, nogil=True)
def stay_aboard(g: Ground, at: Position, train: int) -> None:
    """The train has left with what was still on it."""
    for p in range(g.train[train].first_pair, g.train[train + 1].first_pair):
        for form in range(2):
            load = at.head[p, form]
            while load != NONE:
                give_back(g, at, load)
                load = at.load[load].following
            at.head[p, form] = NONE
    at.to_move[train] = 0
    for load in range(g.train[train].first_load, g.train[train + 1].first_load):
        waits = at.load[load].stage == ABOARD and at.load[load].going != NONE
        if waits and at.load[load].checked < g.load[load].before:
            _take_from_queue(g, at, load)
            give_back(g, at, load)


@njit(cache=True, nogil=True)
def strand(g: Ground, at: Position, aims: Any, load: int, now: int) -> None:
    """The load's onward train, whose list of loads to fetch is empty by now, has left without it."""
    inbound, form, way, stage = g.load[load].inbound, g.load[load].form, at.load[load].by, at.load[load].stage
    waits = at.load[load].checked < g.load[load].before
    if at.load[load].busy or stage not in (ABOARD, LYING, BOARDED):
        give_back(g, at, load)  # the rest is seen to when its work ends
    elif stage == ABOARD:
        if waits or way == BOGIE:
            _take_from_queue(g, at, load)
        else:
            take_from_list(at, at.head, at.load[load].pair, form, load)
            at.to_move[inbound, form] -= 1
        if waits or way != BOGIE:
            at.train[inbound].inside -= 1
        give_back(g, at, load)
        join_other(g, at, aims, load, now)
    else:
        if stage == BOARDED or at.load[load].checked < g.load[load].before + g.load[load].between:
            _take_from_queue(g, at, load)
        give_back(g, at, load)
        if stage == LYING:
            _from_yard(g, at, aims, load)
        else:
            _forget(at, load)
