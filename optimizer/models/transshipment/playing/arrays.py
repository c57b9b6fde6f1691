"""A terminal as arrays for the compiled kernels, and the position at which a running plan stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.models.transshipment.playing import state
from optimizer.models.transshipment.playing.dispatch import Aim, Past
from optimizer.models.transshipment.playing.loads_kernels import go_on
from optimizer.models.transshipment.playing.state import BOGIE, DIRECT, NONE, YARD, Ground, Position
from optimizer.models.transshipment.problem import Way, price_units
from optimizer.models.transshipment.site import GAUGES, Load, Site, Worker, minutes

WAY_NUMBER: Mapping[str, int] = {"direct": DIRECT, "yard": YARD, "bogie": BOGIE}
WAYS: tuple[Way, ...] = ("direct", "yard", "bogie")
FORMS = ("container", "bulk")


class Arrays:
    """Numbers of trains (by arrival), loads (by train), tracks (the shortest first) and resources, and the ground."""

    def __init__(self, site: Site, options: Mapping[str, Sequence[Aim]]) -> None:
        self.site = site
        self.calls = sorted(site.calls, key=lambda call: call.arrive)
        self.number = {call.call_id: t for t, call in enumerate(self.calls)}
        self.loads = sorted(site.loads, key=lambda load: self.number[load.call_id])
        self.tracks = sorted(site.tracks, key=lambda track: (track.length, track.track_id))
        self.resources: list[Worker] = [*site.cranes, *site.bays, *site.posts]
        self.checks = sorted({post.check for post in site.posts} | {check for i in site.loads for check in i.checks})
        self.ground = self._ground(options)

    def choice(self, i: int, onward: str, way: str) -> int:
        """Number of a load's choice; NONE when it has no such choice."""
        g = self.ground
        wanted = self.number.get(onward, NONE), WAY_NUMBER[way]
        for c in range(g.load.first_choice[i], g.load.first_choice[i + 1]):
            if (g.choice.onward[c], g.choice.way[c]) == wanted:
                return int(c)
        return NONE

    def _ground(self, options: Mapping[str, Sequence[Aim]]) -> Ground:
        site, calls, loads, number = self.site, self.calls, self.loads, self.number
        onward, way, first_choice = [], [], [0]
        for load in loads:
            for call_id, name in options.get(load.load_id, ()):
                if call_id in number:
                    onward.append(number[call_id])
                    way.append(WAY_NUMBER[name])
            first_choice.append(len(onward))
        inbound = np.array([number[load.call_id] for load in loads], np.int64)
        pairs, first_pair, pair = _pairs(inbound, np.array(first_choice), np.array(onward, np.int64), len(calls))
        arrive = _of(calls, "arrive")
        lowest = np.maximum(_of(calls, "depart"), arrive + 1)
        cranes, bays, posts = len(site.cranes), len(site.bays), len(site.posts)
        runways = sorted({crane.runway for crane in site.cranes if crane.runway})
        windows = [resource.open for resource in self.resources]
        queues = {check: number for number, check in enumerate(self.checks, start=state.EXCHANGES + 1)}
        after = any(load.after and "bogie" in load.ways for load in loads)
        return Ground(
            train=_rows(
                state.GROUND["train"], len(calls) + 1, arrive, _of(calls, "depart"), _of(calls, "latest"), lowest,
                [GAUGES.index(call.gauge_mm) for call in calls], _of(calls, "wait_cents_per_h"), after,
                np.searchsorted(inbound, np.arange(len(calls) + 1)), first_pair,
            ),
            load=_rows(
                state.GROUND["load"], len(loads) + 1, inbound, [FORMS.index(load.form) for load in loads],
                _of(loads, "size"), _of(loads, "wagons"), _of(loads, "due"), _of(loads, "late_cents_per_h"),
                _of(loads, "missed_cents") * 60, ["direct" in load.ways for load in loads],
                ["yard" in load.ways for load in loads], [NONE if i.zone is None else i.zone for i in loads],
                [len(load.before) for load in loads], [len(load.between) for load in loads],
                [self._least_after(load) for load in loads], first_choice, self._turns(inbound),
                np.cumsum([0, *(len(load.checks) for load in loads)]),
            ),
            choice=_rows(state.GROUND["choice"], len(onward), onward, way, pair),
            resource=_rows(
                state.GROUND["resource"], len(self.resources) + 1,
                [*(FORMS.index(crane.handles) for crane in site.cranes), *[NONE] * (bays + posts)],
                [*[NONE] * cranes, *range(bays), *[NONE] * posts],
                [*[NONE] * cranes, *[state.EXCHANGES] * bays, *(queues[post.check] for post in site.posts)],
                [resource.setup for resource in self.resources],
                [*(runways.index(crane.runway) if crane.runway else NONE for crane in site.cranes),
                 *[NONE] * (bays + posts)],
                _of(site.cranes, "rank"), self._homes(), np.cumsum([0, *map(len, windows)]),
            ),
            window=_rows(
                state.GROUND["window"], sum(map(len, windows)), [a for spans in windows for a, _ in spans],
                [b for spans in windows for _, b in spans],
            ),
            pair_onward=pairs,
            check_queue=np.array([queues[check] for load in loads for check in load.checks], np.int64),
            fits=np.array([[k in site.tracks_for(call) for k in self.tracks] for call in calls]),
            reach=np.array([[k.track_id in crane.tracks for k in self.tracks] for crane in site.cranes], bool)
            .reshape(cranes, len(self.tracks)),
            lasts=self._minutes(self.resources), lasts_out=self._minutes(site.cranes, out=True),
            price=np.array([[price_units(site, load, name) for name in WAYS] for load in loads], np.int64)
            .reshape(len(loads), len(WAYS)),
            stock=np.array([
                *([bay.stock.get(gauge, 0) for gauge in GAUGES] for bay in site.bays),
                [site.empties.get(gauge, state.NEVER) for gauge in GAUGES],
            ], np.int64),
            by_latest=np.argsort(_of(calls, "latest"), kind="stable"), by_lowest=np.argsort(lowest, kind="stable"),
        )  # fmt: skip

    def _minutes(self, resources: Sequence[Worker], out: bool = False) -> np.ndarray:
        known: dict[tuple[str, str, int, int], int] = {}
        lasts = np.zeros((len(resources), len(self.loads)), np.int64)
        for r, resource in enumerate(resources):
            for i, load in enumerate(self.loads):
                key = resource.name, load.form, load.moves, load.wagons
                if key not in known:
                    known[key] = minutes(load, resource, out)
                lasts[r, i] = known[key]
        return lasts

    def _homes(self) -> list[int]:
        """By crane: the middle zone of its share of the loads, when cranes in line share them from end to end."""
        homes = [NONE] * len(self.site.cranes)
        for number, crane in enumerate(self.site.cranes):
            zones = sorted(i.zone for i in self.loads if i.zone is not None and i.form == crane.handles)
            if crane.runway and zones:
                line = sorted(other.rank for other in self.site.cranes if other.runway == crane.runway)
                homes[number] = zones[len(zones) * (2 * line.index(crane.rank) + 1) // (2 * len(line))]
        return homes

    def _turns(self, inbound: np.ndarray) -> np.ndarray:
        """By load: its turn to be checked: of each zone of its train the first, then the second ones, and so on.

        Checked from end to end, a train would give work to one crane in line after the other.
        """
        seen: Counter[tuple[str, int | None]] = Counter()
        place = []
        for load in self.loads:
            place.append(seen[load.call_id, load.zone])
            seen[load.call_id, load.zone] += 1
        zone = [NONE if load.zone is None else load.zone for load in self.loads]
        return np.argsort(np.lexsort((np.array(zone), np.array(place), inbound)))

    def _least_after(self, load: Load) -> int:
        """Least minutes of checks on the onward train."""
        return sum(min(minutes(load, post) for post in self.site.posts_for(check)) for check in load.after)

    def fresh(self) -> Position:
        """Nothing has happened yet."""
        site, trains, loads = self.site, len(self.calls), len(self.loads)
        resources, pairs, checks = len(self.resources), self.ground.pair_onward.size, self.ground.check_queue.size

        def full(value: int, *shape: int) -> np.ndarray:
            return np.full(shape, value, np.int64)

        return Position(
            train=_rows(state.POSITION["train"], trains, NONE, NONE, NONE, 0, 0),
            load=_rows(state.POSITION["load"], loads, NONE, NONE, NONE, NONE, state.ABOARD, 0, 0),
            resource=_rows(state.POSITION["resource"], resources, 0, NONE, NONE, NONE, NONE),
            room=np.array([[call.room[unit] for unit in (*FORMS, "wagons")] for call in self.calls], np.int64),
            to_move=full(0, trains, 2), fetch=full(NONE, trains, 2), head=full(NONE, pairs, 2),
            works=full(NONE, loads, 2, 3), checks=full(NONE, checks, 3),
            yard=np.array([site.yard[form] for form in FORMS], np.int64), stock=self.ground.stock.copy(),
            free=np.ones(len(self.tracks), bool), standing=full(NONE, trains), waiting=full(NONE, trains),
            queue=full(NONE, len(self.checks) + 1, loads), queued=full(0, len(self.checks) + 1), clock=full(0, 8),
        )  # fmt: skip

    def resumed(self, past: Past, floor: np.ndarray, planned: np.ndarray) -> Position:
        """
        The position of a running plan at its minute.

        ``floor`` gets, by train, the minute before which it counts as standing, ``planned`` the loads' onward trains.
        """
        at, since = self.fresh(), past.now
        at.clock[state.NOW] = since
        track = {k.track_id: number for number, k in enumerate(self.tracks)}
        leaves = np.array([past.plan.stands[call.call_id].leave for call in self.calls])
        standing = []
        for t, call in enumerate(self.calls):
            stand = past.plan.stands[call.call_id]
            if stand.start >= since:
                continue
            at.train.track[t], at.train.start[t], floor[t] = track[stand.track], stand.start, since
            if stand.leave <= since:
                at.train.leave[t] = floor[t] = stand.leave
            else:
                standing.append(t)
                at.free[track[stand.track]] = False
        standing.sort(key=lambda t: (leaves[t], t))
        at.standing[: len(standing)] = standing
        at.clock[state.NUM_STANDING] = len(standing)
        at.clock[state.CAME] = since + 1
        for i, load in enumerate(self.loads):
            passage = past.plan.passages.get(load.load_id)
            if passage is not None:
                planned[i] = self.number[passage.onward]
                if past.has_begun(load.load_id):
                    self._resume_load(at, past, leaves, i)
        return at

    def _resume_load(self, at: Position, past: Past, leaves: np.ndarray, i: int) -> None:
        """A load of which a work or check has begun: it keeps its train and way."""
        g, since, load = self.ground, past.now, self.loads[i]
        passage, works, checks = past.plan.passages[load.load_id], past.works(load.load_id), past.checks(load.load_id)
        onward, inbound, way = self.number[passage.onward], int(g.load.inbound[i]), WAY_NUMBER[passage.way]
        form, first_check = g.load.form[i], g.load.first_check[i]
        resource = {worker.name: number for number, worker in enumerate(self.resources)}
        choice = self.choice(i, passage.onward, passage.way)
        goes = bool(works) or choice != NONE  # else the late train has put an end to that choice
        for row, done in ((at.works[i], works), (at.checks[first_check:], checks)):
            for place, work in enumerate(done):
                r = resource[work.resource]
                row[place] = r, work.start, work.end
                if work.end >= at.resource.busy_until[r]:
                    at.resource.busy_until[r], at.resource.last[r] = work.end, inbound
                    at.resource.zone[r] = g.load.zone[i]
        at.load.checked[i] = len(checks)
        if goes:
            at.load.going[i], at.load.by[i] = onward, way
            at.load.pair[i] = NONE if choice == NONE else g.choice.pair[choice]
            at.room[onward, 2 if way == BOGIE else form] -= load.wagons if way == BOGIE else load.size
            at.train.outside[onward] += 1
        step = NONE if not works else way
        if works and way == YARD:
            step = state.OUT_OF_YARD if len(works) > 1 else state.INTO_YARD
        working, checking = bool(works) and works[-1].end > since, bool(checks) and checks[-1].end > since
        into = step in (DIRECT, state.INTO_YARD)
        if step == BOGIE:
            bay = g.resource.bay[resource[works[0].resource]]
            at.stock[bay, g.train.gauge[onward]] -= load.wagons
            at.stock[bay, g.train.gauge[inbound]] += 0 if working else load.wagons
        if step in (DIRECT, state.OUT_OF_YARD):
            at.stock[-1, g.train.gauge[onward]] -= load.wagons
        if step in (DIRECT, state.INTO_YARD, state.OUT_OF_YARD) and works[0].end <= since:
            at.stock[-1, g.train.gauge[inbound]] += load.wagons
        if step == state.INTO_YARD or (step == state.OUT_OF_YARD and working):
            at.yard[form] -= load.size
        if not works:
            at.train.inside[inbound] += checking or (goes and (way != BOGIE or len(checks) < len(load.before)))
        elif working:
            at.train.inside[inbound] += into
        at.load.stage[i] = (
            state.ABOARD if not works
            else (state.MOVING if step == state.INTO_YARD else state.LAST) if working
            else state.LYING if step == state.INTO_YARD else state.BOARDED
        )  # fmt: skip
        if working or checking:
            r = resource[(works if working else checks)[-1].resource]
            at.resource.job[r], at.resource.step[r] = i, step if working else state.CHECK
            at.load.busy[i] = checking
        elif goes:
            go_on(g, at, leaves, i)


def _rows(names: str, count: int, *columns: Any) -> np.ndarray:
    """Records of whole numbers; a column shorter than ``count`` ends in zeros."""
    rows = np.zeros(count, [(name, np.int64) for name in names.split()]).view(np.recarray)
    for name, column in zip(names.split(), columns, strict=True):
        values = np.asarray(column, np.int64)
        rows[name][: values.size if values.ndim else count] = values
    return rows


def _of(rows: Sequence[object], name: str) -> np.ndarray:
    return np.array([getattr(row, name) for row in rows], np.int64)


def _pairs(
    inbound: np.ndarray, first_choice: np.ndarray, onward: np.ndarray, trains: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onward trains by inbound train: those of all pairs, where each inbound train's begin, and each choice's pair."""
    of_choice = np.repeat(inbound, np.diff(first_choice))
    keys = of_choice * trains + onward
    found, pair = np.unique(keys, return_inverse=True)
    return found % trains, np.searchsorted(found // trains, np.arange(trains + 1)), pair.reshape(-1)
