"""The terminal in integers, and the simple questions every model asks of it; ``reading.py`` makes it of the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

DAY = 1440
SPARE = 3 * DAY
"""Working windows are known this long after the last train has left, to say by how much a day is too short."""
GAUGES = (1520, 1435, 1676)

Windows = tuple[tuple[int, int], ...]
"""Spans of minutes, ascending, apart from each other; the end does not belong to a span."""


@dataclass(frozen=True)
class Track:
    track_id: str
    gauge_mm: int
    length: int
    """metres times 1000"""


@dataclass(frozen=True)
class Crane:
    crane_id: str
    tracks: frozenset[str]
    handles: str
    moves_per_h: Fraction
    open: Windows
    setup: int = 0
    """minutes between works on loads that came with different trains"""
    runway: str = ""
    rank: int = 0
    """place on the runway among its cranes, counted from the side of zone 0"""

    @property
    def name(self) -> str:
        return self.crane_id


@dataclass(frozen=True)
class Bay:
    bay_id: str
    wagons_per_cycle: int
    hours_per_cycle: Fraction
    open: Windows
    stock: Mapping[int, int]
    setup: int = 0

    @property
    def name(self) -> str:
        return self.bay_id


@dataclass(frozen=True)
class Post:
    """Who or what checks loads, one at a time."""

    post_id: str
    check: str
    minutes_per_load: Fraction
    minutes_per_wagon: Fraction
    open: Windows
    setup: int = 0

    @property
    def name(self) -> str:
        return self.post_id


Worker = Crane | Bay | Post


@dataclass(frozen=True)
class Call:
    call_id: str
    gauge_mm: int
    arrive: int
    depart: int
    latest: int
    length: int
    room: Mapping[str, int]
    """what it can take on: thousandths of a TEU (container) or tonne (bulk), whole wagons (wagons)"""
    destinations: frozenset[str]
    wait_cents_per_h: int


@dataclass(frozen=True)
class Load:
    load_id: str
    call_id: str
    form: str
    ways: tuple[str, ...]
    moves: int
    size: int
    """thousandths of a TEU (container) or tonne (bulk)"""
    wagons: int
    destination: str
    due: int
    late_cents_per_h: int
    missed_cents: int
    rehandles: Fraction = Fraction(0)
    """further crane moves when it is taken out of the yard"""
    zone: int | None = None
    """where on the runway it is worked; None where cranes may pass"""
    before: tuple[str, ...] = ()
    """checks on its own train, in order"""
    between: tuple[str, ...] = ()
    """checks in the yard"""
    after: tuple[str, ...] = ()
    """checks on the onward train"""

    @property
    def checks(self) -> tuple[str, ...]:
        return self.before + self.between + self.after


@dataclass(frozen=True)
class Site:
    """A terminal with what comes to it in the horizon."""

    terminal_id: str
    name: str
    tracks: tuple[Track, ...]
    cranes: tuple[Crane, ...]
    bays: tuple[Bay, ...]
    calls: tuple[Call, ...]
    loads: tuple[Load, ...]
    yard: Mapping[str, int]
    """what the yard holds: thousandths of a TEU (container) or tonne (bulk)"""
    direct_cents_per_move: int
    yard_cents_per_move: int
    bogie_cents_per_wagon: int
    rehandle_cents_per_move: int = 0
    posts: tuple[Post, ...] = ()
    empties: Mapping[int, int] = field(default_factory=dict)
    """empty wagons in stock at the start, for the gauges of which they are counted"""

    @cached_property
    def end(self) -> int:
        """Minute by which every train is gone."""
        return max(call.latest for call in self.calls)

    @cached_property
    def is_plain(self) -> bool:
        """Whether there are no checks, set-ups, cranes in line, rehandles or counted empty wagons."""
        workers: tuple[Worker, ...] = (*self.cranes, *self.bays)
        in_line = sum(bool(crane.runway) for crane in self.cranes) > 1
        return not (
            self.empties
            or any(worker.setup for worker in workers)
            or any(load.checks or load.rehandles or (in_line and load.zone is not None) for load in self.loads)
        )

    @cached_property
    def call(self) -> Mapping[str, Call]:
        return {call.call_id: call for call in self.calls}

    @cached_property
    def track(self) -> Mapping[str, Track]:
        return {track.track_id: track for track in self.tracks}

    def tracks_for(self, call: Call) -> tuple[Track, ...]:
        return tuple(t for t in self.tracks if t.gauge_mm == call.gauge_mm and t.length >= call.length)

    def onward(self, load: Load) -> tuple[Call, ...]:
        """Trains of another gauge that serve the load's destination and have not left before it comes."""
        inbound = self.call[load.call_id]
        return tuple(
            call
            for call in self.calls
            if call.gauge_mm != inbound.gauge_mm
            and load.destination in call.destinations
            and call.latest > inbound.arrive
        )

    def cranes_for(self, load: Load, call: Call) -> tuple[Crane, ...]:
        """Cranes that handle the load's form and reach a track the train may stand on."""
        reachable = {track.track_id for track in self.tracks_for(call)}
        return tuple(crane for crane in self.cranes if crane.handles == load.form and crane.tracks & reachable)

    def posts_for(self, check: str) -> tuple[Post, ...]:
        return tuple(post for post in self.posts if post.check == check)


def crane_minutes(load: Load, crane: Crane, out: bool = False) -> int:
    """Minutes of one pass of ``load`` with ``crane``; ``out`` of the yard with what has to be rehandled for it."""
    return math.ceil(60 * (load.moves + (load.rehandles if out else 0)) / crane.moves_per_h)


def bay_minutes(load: Load, bay: Bay) -> int:
    """Minutes ``load``'s wagons take in ``bay``."""
    return math.ceil(-(-load.wagons // bay.wagons_per_cycle) * bay.hours_per_cycle * 60)


def post_minutes(load: Load, post: Post) -> int:
    """Minutes of a check of ``load``; one at least."""
    return max(1, math.ceil(post.minutes_per_load + post.minutes_per_wagon * load.wagons))


def minutes(load: Load, worker: Worker, out: bool = False) -> int:
    """Minutes one work of ``load`` takes whoever does it."""
    if isinstance(worker, Crane):
        return crane_minutes(load, worker, out)
    return bay_minutes(load, worker) if isinstance(worker, Bay) else post_minutes(load, worker)


def crosses(one: Crane, zone: int | None, two: Crane, other: int | None) -> bool:
    """
    Whether two cranes cannot work in these zones at the same time.

    Cranes of a runway stand in the order of their ranks, each in a zone of its own, whether they work or not.
    """
    if one.runway != two.runway or not one.runway or one.rank == two.rank or zone is None or other is None:
        return False
    return (other - zone) * (1 if one.rank < two.rank else -1) < abs(two.rank - one.rank)


def gap(one: Worker, load: Load, two: Worker, other: Load) -> int | None:
    """Least minutes from the end of either work to the start of the other; None when they may overlap."""
    if one.name == two.name:
        return 0 if load.call_id == other.call_id else one.setup
    crossing = isinstance(one, Crane) and isinstance(two, Crane) and crosses(one, load.zone, two, other.zone)
    return 0 if crossing else None


def first_end(open_: Windows, ready: int, minutes: int) -> int | None:
    """Earliest end of a work of ``minutes`` from ``ready`` on inside one window; None when there is none."""
    for start, end in open_:
        if max(start, ready) + minutes <= end:
            return max(start, ready) + minutes
    return None
