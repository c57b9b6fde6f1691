"""What the compiled playing of a terminal works on: what does not change, and a position of the play.

Trains are numbered by arrival and loads by train, so a window of time is a range of both. A position is everything
that changes while playing; it can be copied at any minute and played on from there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit

DIRECT, YARD, BOGIE = 0, 1, 2
ABOARD, MOVING, LYING, LAST, BOARDED, DONE = 0, 1, 2, 3, 4, 5
"""Stages of a load: on its own train, moved into the yard, in the yard, at its last work, that work over, all over."""
INTO_YARD, OUT_OF_YARD, CHECK = 3, 4, 5
"""Works, beside DIRECT and BOGIE."""
NONE = -1
NEVER = 1 << 40
EXCHANGES = 0
"""Queue of the bays; those of the checks follow."""
NOW, ARRIVED, FORCED, WOKEN, CAME, NUM_STANDING, NUM_WAITING, FORGOTTEN = range(8)
"""
Entries of a position's clock: the minute, how many trains of each list are seen to, lengths of its own lists, and
whether a load was missed after some of its works.
"""


class Ground(NamedTuple):
    """What does not change; resources are cranes, then bays, then posts."""

    train: Any
    load: Any
    choice: Any
    """choices of a load follow each other, the cheapest first"""
    resource: Any
    window: Any
    pair_onward: Any
    """onward trains of the pairs of trains that loads may take; pairs of an inbound train follow each other"""
    check_queue: Any
    """(check): queue in which a load waits for it; checks of a load follow each other"""
    fits: Any
    """(train, track); tracks in the order in which they are taken"""
    reach: Any
    """(crane, track)"""
    lasts: Any
    """(resource, load): minutes"""
    lasts_out: Any
    """(crane, load): minutes out of the yard"""
    price: Any
    """(load, way)"""
    stock: Any
    """(bay, and last the terminal's empty wagons; gauge): stock at the start, NEVER where it is not counted"""
    by_latest: Any
    by_lowest: Any
    """trains in order of their latest departure, and of the minute they may leave at the earliest"""


GROUND = {
    "train": "arrive depart latest lowest gauge wait checked_after first_load first_pair",
    "load": "inbound form size wagons due late missed may_direct may_yard zone before between after_min first_choice"
    " turn first_check",
    "choice": "onward way pair",
    "resource": "handles bay queue setup runway rank home first_window",
    "window": "opens closes",
}
"""
Columns of the rows. ``first_...`` count up to one row more; ``bay`` and ``queue`` are NONE for a crane; ``home`` is
the zone around which a crane in line works by preference. Of a load's checks the first ``before`` and the next
``between`` are done on its train and in the yard; those after take ``after_min`` minutes at least; loads of a train are
checked in their ``turn``;
``checked_after`` says that loads with changed bogies have such, in this terminal.
"""


class Position(NamedTuple):
    """What changes. ``head`` and ``fetch`` begin lists of loads, linked by ``following``."""

    train: Any
    load: Any
    resource: Any
    room: Any
    """(train, container bulk wagons)"""
    to_move: Any
    """(train, form): loads aboard that a crane may take"""
    fetch: Any
    """(train, form): loads in the yard that may be put on it"""
    head: Any
    """(pair, form): loads aboard that go with the pair's onward train and may be taken"""
    works: Any
    """(load, 2, resource start end)"""
    checks: Any
    """(check, resource start end)"""
    yard: Any
    stock: Any
    """as the ground's"""
    free: Any
    """(track)"""
    standing: Any
    waiting: Any
    queue: Any
    """(queue, place): loads that are where the check or exchange is done, in order of the aims of their trains"""
    queued: Any
    """(queue): how many wait"""
    clock: Any


POSITION = {
    "train": "track start leave inside outside",
    "load": "following going by pair stage checked busy",
    "resource": "busy_until job step last zone",
}
"""
Columns of the rows. ``going`` is a load's onward train, ``by`` its way, ``pair`` that of its trains; ``checked`` counts
checks begun, ``busy`` says that one runs. ``last`` is the train with which a resource's last load came, ``zone`` that
load's place.
"""


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
    first, last = g.load[first_load].first_check, g.load[last_load].first_check
    to.checks[first:last] = of.checks[first:last]
    to.resource[:] = of.resource
    to.yard[:] = of.yard
    to.stock[:] = of.stock
    to.free[:] = of.free
    to.clock[:] = of.clock
    to.standing[: of.clock[NUM_STANDING]] = of.standing[: of.clock[NUM_STANDING]]
    to.waiting[: of.clock[NUM_WAITING]] = of.waiting[: of.clock[NUM_WAITING]]
    to.queued[:] = of.queued
    for kind in range(of.queued.size):
        to.queue[kind, : of.queued[kind]] = of.queue[kind, : of.queued[kind]]
