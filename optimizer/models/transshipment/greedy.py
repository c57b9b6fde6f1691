"""A first plan by hand: trains in order of arrival, loads one after the other into the time that is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from optimizer.models.transshipment.choices import Choice, choices
from optimizer.models.transshipment.problem import (
    Passage,
    Plan,
    Stand,
    Stock,
    Work,
    late_units,
    lets_go,
    price_units,
    stock_changes,
    wait_units,
)
from optimizer.models.transshipment.site import Call, Crane, Load, Site, Worker, gap, minutes


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


Change = tuple[Stock, int, int]
"""Stock, minute, change."""


@dataclass
class _Board:
    """Time taken so far."""

    site: Site
    stands: dict[str, Stand]
    busy: dict[str, list[tuple[Load, int, int]]] = field(default_factory=lambda: defaultdict(list))
    lying: list[tuple[str, int, int, int]] = field(default_factory=list)
    room: dict[tuple[str, str], int] = field(default_factory=dict)
    changes: dict[Stock, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def until(self, call: Call) -> int:
        """Last minute the train may stay: its own limit, or the next train on its track."""
        stand = self.stands[call.call_id]
        after = [
            s.start
            for s in self.stands.values()
            if s.track == stand.track and s.start >= stand.leave and s is not stand
        ]
        return min([call.latest, *after])

    def near(self, worker: Worker) -> tuple[Worker, ...]:
        """The worker, and cranes it cannot pass."""
        if not isinstance(worker, Crane) or not worker.runway:
            return (worker,)
        return tuple(crane for crane in self.site.cranes if crane.runway == worker.runway)

    def slot(self, load: Load, worker: Worker, ready: int, until: int, out: bool = False) -> Work | None:
        """Earliest free work."""
        lasts = minutes(load, worker, out)
        blocked = []
        for other in self.near(worker):
            for theirs, first, last in self.busy[other.name]:
                apart = gap(worker, load, other, theirs)
                if apart is not None:
                    blocked.append((first - apart, last + apart))
        starts = [ready, *(end for _, end in blocked), *(first for first, _ in worker.open)]
        for start in sorted(s for s in starts if ready <= s <= until - lasts):
            end = start + lasts
            inside = any(first <= start and end <= last for first, last in worker.open)
            if inside and all(end <= a or b <= start for a, b in blocked):
                return Work(worker.name, start, end)
        return None

    def first(self, load: Load, workers: Iterable[Worker], ready: int, until: int, out: bool = False) -> Work | None:
        works = (self.slot(load, worker, ready, until, out) for worker in workers)
        return min((w for w in works if w), key=lambda w: (w.end, w.resource), default=None)

    def checked(self, load: Load, checks: Iterable[str], ready: int, until: int) -> list[Work] | None:
        """Checks one after the other; None when they do not fit."""
        done: list[Work] = []
        for check in checks:
            work = self.first(load, self.site.posts_for(check), done[-1].end if done else ready, until)
            if work is None:
                return None
            done.append(work)
        return done

    def yard_holds(self, load: Load, start: int, end: int) -> bool:
        same = [(size, a, b) for form, size, a, b in self.lying if form == load.form]
        marks = [start, *(a for _, a, _ in same if start < a < end)]
        return all(load.size + sum(s for s, a, b in same if a <= m < b) <= self.site.yard[load.form] for m in marks)

    def stocks_hold(self, changes: Iterable[Change]) -> bool:
        """Whether no stock falls below zero with further changes."""
        further: dict[Stock, list[tuple[int, int]]] = defaultdict(list)
        for stock, minute, change in changes:
            further[stock].append((minute, change))
        for (bay, gauge), more in further.items():
            level = self.site.empties.get(gauge) if not bay else self._sets[bay][gauge]
            if level is None:
                continue
            # At one minute what is given back counts first.
            for _, change in sorted([*self.changes[bay, gauge], *more], key=lambda pair: (pair[0], -pair[1])):
                level += change
                if level < 0:
                    return False
        return True

    @property
    def _sets(self) -> Mapping[str, Mapping[int, int]]:
        return {bay.bay_id: bay.stock for bay in self.site.bays}

    def later(self, stock: Stock, ready: int) -> list[int]:
        """The minute, and those after it at which something is given back to the stock."""
        return [ready, *sorted({minute for minute, change in self.changes[stock] if change > 0 and minute > ready})]


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
    """The choice at its earliest, or later where a stock asks for it."""
    load, onward = choice.load, choice.onward
    unit = "wagons" if choice.way == "bogie" else load.form
    if board.room.get((onward.call_id, unit), onward.room[unit]) < (load.wagons if unit == "wagons" else load.size):
        return None
    inbound = board.site.call[load.call_id]
    here, there = board.stands[load.call_id], board.stands[onward.call_id]
    before = board.checked(load, load.before, here.start, board.until(inbound))
    if before is None:
        return None
    ready = before[-1].end if before else here.start
    for works, between in _works(board, choice, ready):
        after = board.checked(load, load.after, max(works[-1].end, there.start), board.until(onward))
        if after is None:
            return None
        passage = Passage(choice.way, onward.call_id, works, (*before, *between, *after))
        if board.stocks_hold(stock_changes(board.site, load, passage)):
            return passage
    return None


def _works(board: _Board, choice: Choice, ready: int) -> Iterator[tuple[tuple[Work, ...], list[Work]]]:
    """Works of the choice with the checks between them, the earliest first, then when stock has come back."""
    site, load, onward = board.site, choice.load, choice.onward
    inbound = site.call[load.call_id]
    here, there = board.stands[load.call_id], board.stands[onward.call_id]
    until = board.until(onward)
    if choice.way == "bogie":
        for bay in site.bays:
            for at in board.later((bay.bay_id, onward.gauge_mm), ready):
                if work := board.slot(load, bay, at, until):
                    yield (work,), []
        return
    at_inbound = [c for c in site.cranes_for(load, inbound) if here.track in c.tracks]
    at_onward = [c for c in site.cranes_for(load, onward) if there.track in c.tracks]
    if choice.way == "direct":
        both = [c for c in at_inbound if c in at_onward]
        for at in board.later(("", onward.gauge_mm), max(ready, there.start)):
            if work := board.first(load, both, at, min(board.until(inbound), until)):
                yield (work,), []
        return
    first = board.first(load, at_inbound, ready, board.until(inbound))
    between = board.checked(load, load.between, first.end, until) if first else None
    if first is None or between is None:
        return
    # A crane cannot do both works at once; the second starts after the first has ended anyway.
    for at in board.later(("", onward.gauge_mm), max((between[-1] if between else first).end, there.start)):
        second = board.first(load, at_onward, at, until, out=True)
        if second is not None and board.yard_holds(load, first.start, second.end):
            yield (first, second), between


def _leaves(board: _Board, load: Load, passage: Passage) -> dict[str, int]:
    """When the two trains leave with this passage."""
    inbound, onward = lets_go(load, passage)
    return {
        passage.onward: max(board.stands[passage.onward].leave, onward),
        load.call_id: max(board.stands[load.call_id].leave, inbound),
    }


def _extra_cost(board: _Board, choice: Choice, passage: Passage) -> int:
    leaves = _leaves(board, choice.load, passage)
    cost = price_units(board.site, choice.load, choice.way)
    cost += late_units(choice.load, choice.onward, leaves[passage.onward])
    for call_id, leave in leaves.items():
        call = board.site.call[call_id]
        cost += wait_units(call, leave) - wait_units(call, board.stands[call_id].leave)
    return cost


def _enter(board: _Board, load: Load, passage: Passage) -> None:
    for work in (*passage.works, *passage.checks):
        board.busy[work.resource].append((load, work.start, work.end))
    for call_id, leave in _leaves(board, load, passage).items():
        board.stands[call_id] = replace(board.stands[call_id], leave=leave)
    onward = board.site.call[passage.onward]
    unit, amount = ("wagons", load.wagons) if passage.way == "bogie" else (load.form, load.size)
    board.room[onward.call_id, unit] = board.room.get((onward.call_id, unit), onward.room[unit]) - amount
    if passage.way == "yard":
        board.lying.append((load.form, load.size, passage.works[0].start, passage.works[1].end))
    for stock, minute, change in stock_changes(board.site, load, passage):
        board.changes[stock].append((minute, change))
