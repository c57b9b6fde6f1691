"""A first plan by hand: trains in order of arrival, loads one after the other into the time that is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from optimizer.models.transshipment.choices import Choice, choices
from optimizer.models.transshipment.problem import Passage, Plan, Stand, Work, late_units, price_units, wait_units
from optimizer.models.transshipment.site import Bay, Call, Crane, Load, Site, minutes


def first_come_first_served(site: Site) -> dict[str, Stand] | None:
    """Trains in order of arrival, each where it can stand first; None when one would leave too late."""
    free = dict.fromkeys((track.track_id for track in site.tracks), 0)
    stands: dict[str, Stand] = {}
    for call in sorted(site.calls, key=lambda c: (c.arrive, c.latest, c.call_id)):
        work = _crane_moves(site, call)
        # Of tracks free by then the one whose cranes suit its loads, then the shortest: long ones are for long trains.
        track = min(
            site.tracks_for(call),
            key=lambda k: (max(free[k.track_id], call.arrive), -work.get(k.track_id, 0), k.length, k.track_id),
        )
        start = max(free[track.track_id], call.arrive)
        leave = max(call.depart, start + 1)
        if leave > call.latest:
            return None
        stands[call.call_id] = Stand(track.track_id, start, leave)
        free[track.track_id] = leave
    return stands


def _crane_moves(site: Site, call: Call) -> dict[str, int]:
    """By track: moves of the loads that come or may go on with the train and that a crane there handles."""
    moves: dict[str, int] = defaultdict(int)
    touching = [i for i in site.loads if i.call_id == call.call_id or call in site.onward(i)]
    for track in site.tracks_for(call):
        forms = {crane.handles for crane in site.cranes if track.track_id in crane.tracks}
        moves[track.track_id] = sum(load.moves for load in touching if load.form in forms)
    return moves


@dataclass
class _Board:
    """Time taken so far."""

    site: Site
    stands: dict[str, Stand]
    busy: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    lying: list[tuple[str, int, int, int]] = field(default_factory=list)
    room: dict[tuple[str, str], int] = field(default_factory=dict)
    sets: list[tuple[str, int, int, int]] = field(default_factory=list)
    """bay, gauge, minute, change of stock"""

    def until(self, call: Call) -> int:
        """Last minute the train may stay: its own limit, or the next train on its track."""
        stand = self.stands[call.call_id]
        after = [
            s.start
            for s in self.stands.values()
            if s.track == stand.track and s.start >= stand.leave and s is not stand
        ]
        return min([call.latest, *after])

    def slot(self, resource: Crane | Bay, ready: int, minutes_: int, until: int) -> Work | None:
        """Earliest free work."""
        name = resource.name
        starts = [ready, *(end for _, end in self.busy[name]), *(first for first, _ in resource.open)]
        for start in sorted(s for s in starts if ready <= s <= until - minutes_):
            end = start + minutes_
            inside = any(first <= start and end <= last for first, last in resource.open)
            if inside and all(end <= a or b <= start for a, b in self.busy[name]):
                return Work(name, start, end)
        return None

    def first(self, load: Load, resources: Iterable[Crane | Bay], ready: int, until: int) -> Work | None:
        works = (self.slot(resource, ready, minutes(load, resource), until) for resource in resources)
        return min((w for w in works if w), key=lambda w: (w.end, w.resource), default=None)

    def yard_holds(self, load: Load, start: int, end: int) -> bool:
        same = [(size, a, b) for form, size, a, b in self.lying if form == load.form]
        marks = [start, *(a for _, a, _ in same if start < a < end)]
        return all(load.size + sum(s for s, a, b in same if a <= m < b) <= self.site.yard[load.form] for m in marks)

    def bay_holds(self, bay: Bay, changes: list[tuple[str, int, int, int]]) -> bool:
        """Stock of the bay with further changes; each is (bay, gauge, minute, change)."""
        for gauge, stock in bay.stock.items():
            mine = sorted((m, change) for b, g, m, change in [*self.sets, *changes] if b == bay.bay_id and g == gauge)
            if any(stock + sum(c for m, c in mine if m <= at) < 0 for at, _ in mine):
                return False
        return True


def greedy(site: Site, stands: Mapping[str, Stand]) -> Plan:
    """Loads by due time, each by its cheapest choice that still fits between the trains as they stand; else missed."""
    board = _Board(site, dict(stands))
    options: dict[str, list[Choice]] = defaultdict(list)
    for choice in choices(site):
        options[choice.load.load_id].append(choice)
    passages: dict[str, Passage] = {}
    for load in sorted(site.loads, key=lambda i: (i.due, -i.missed_cents, i.load_id)):
        best: tuple[int, Passage] | None = None
        for choice in options[load.load_id]:
            passage = _fit(board, choice)
            if passage is not None:
                extra = _extra_cost(board, choice, passage)
                if extra < (best[0] if best else load.missed_cents * 60):
                    best = extra, passage
        if best:
            passages[load.load_id] = best[1]
            _enter(board, load, best[1])
    return Plan(board.stands, passages)


def _fit(board: _Board, choice: Choice) -> Passage | None:
    site, load, onward = board.site, choice.load, choice.onward
    inbound = site.call[load.call_id]
    unit = "wagons" if choice.way == "bogie" else load.form
    if board.room.get((onward.call_id, unit), onward.room[unit]) < (load.wagons if unit == "wagons" else load.size):
        return None
    here, there = board.stands[inbound.call_id], board.stands[onward.call_id]
    at_inbound = [c for c in site.cranes_for(load, inbound) if here.track in c.tracks]
    at_onward = [c for c in site.cranes_for(load, onward) if there.track in c.tracks]
    until = board.until(onward)
    if choice.way == "direct":
        both = [c for c in at_inbound if c in at_onward]
        work = board.first(load, both, max(here.start, there.start), min(board.until(inbound), until))
        return Passage("direct", onward.call_id, (work,)) if work else None
    if choice.way == "yard":
        first = board.first(load, at_inbound, here.start, board.until(inbound))
        if first is None:
            return None
        # A crane cannot do both works at once; the second starts after the first has ended anyway.
        second = board.first(load, at_onward, max(first.end, there.start), until)
        if second is None or not board.yard_holds(load, first.start, second.end):
            return None
        return Passage("yard", onward.call_id, (first, second))
    for bay in site.bays:
        work = board.slot(bay, here.start, minutes(load, bay), until)
        if work and board.bay_holds(bay, _changes(site, load, onward, work)):
            return Passage("bogie", onward.call_id, (work,))
    return None


def _changes(site: Site, load: Load, onward: Call, work: Work) -> list[tuple[str, int, int, int]]:
    gauge = site.call[load.call_id].gauge_mm
    out = (work.resource, onward.gauge_mm, work.start, -load.wagons)
    return [out, (work.resource, gauge, work.end, load.wagons)]


def _leaves(board: _Board, load: Load, passage: Passage) -> dict[str, int]:
    """When the two trains leave with this passage."""
    inbound, first, last = load.call_id, passage.works[0].end, passage.works[-1].end
    leaves = {passage.onward: max(board.stands[passage.onward].leave, last)}
    if passage.way != "bogie":
        leaves[inbound] = max(board.stands[inbound].leave, first)
    return leaves


def _extra_cost(board: _Board, choice: Choice, passage: Passage) -> int:
    leaves = _leaves(board, choice.load, passage)
    cost = price_units(board.site, choice.load, choice.way)
    cost += late_units(choice.load, choice.onward, leaves[passage.onward])
    for call_id, leave in leaves.items():
        call = board.site.call[call_id]
        cost += wait_units(call, leave) - wait_units(call, board.stands[call_id].leave)
    return cost


def _enter(board: _Board, load: Load, passage: Passage) -> None:
    for work in passage.works:
        board.busy[work.resource].append((work.start, work.end))
    for call_id, leave in _leaves(board, load, passage).items():
        board.stands[call_id] = replace(board.stands[call_id], leave=leave)
    onward = board.site.call[passage.onward]
    unit, amount = ("wagons", load.wagons) if passage.way == "bogie" else (load.form, load.size)
    board.room[onward.call_id, unit] = board.room.get((onward.call_id, unit), onward.room[unit]) - amount
    if passage.way == "yard":
        board.lying.append((load.form, load.size, passage.works[0].start, passage.works[1].end))
    if passage.way == "bogie":
        board.sets += _changes(board.site, load, onward, passage.works[0])
