"""A terminal with the plain rules as arrays for the compiled kernels, and plans and running plans to and fro."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.models.transshipment import playing_kernels as kernels
from optimizer.models.transshipment.anneal_kernels import FAILED, Span, Terms, anneal, evaluate, release
from optimizer.models.transshipment.dispatch import Aim, Past
from optimizer.models.transshipment.playing_kernels import BOGIE, DIRECT, DONE, NONE, YARD, Ground, Position
from optimizer.models.transshipment.problem import Passage, Plan, Stand, Way, Work, price_units
from optimizer.models.transshipment.site import GAUGES, Bay, Crane, Site, minutes

WAY_NUMBER: Mapping[str, int] = {"direct": DIRECT, "yard": YARD, "bogie": BOGIE}
WAYS: tuple[Way, ...] = ("direct", "yard", "bogie")
FORMS = ("container", "bulk")
MARGIN = 480
"""Minutes after a window whose trains are counted with it, and as many again whose trains are played along."""


def plain(site: Site) -> bool:
    """Whether the kernels know all rules of this terminal."""
    return site.is_plain


class Player:
    """
    Aims of a terminal, the plan they lead to, and a search for better ones.

    Parameters
    ----------
    options
        By load: what it may do, the best first.
    past
        A running plan: what has begun stands, and play starts at its minute.
    change_units
        Price of a load that goes with another train than in ``past``, or is missed.

    Attributes
    ----------
    chosen
        By load, in the kernels' order: the number of its choice, NONE for any.
    aims
        By train, in the kernels' order: minute it aims to leave.
    units
        Cost of the plan they lead to, changes included; None when a train finds no track in time.
    best
        The best aims met so far, as ``chosen``, ``aims`` and ``units``.
    """

    def __init__(
        self,
        site: Site,
        options: Mapping[str, Sequence[Aim]],
        seed: int = 0,
        past: Past | None = None,
        change_units: int = 0,
    ) -> None:
        self.site, self.random = site, random.Random(seed)
        self.calls = sorted(site.calls, key=lambda call: call.arrive)
        number = {call.call_id: t for t, call in enumerate(self.calls)}
        self.loads = sorted(site.loads, key=lambda load: number[load.call_id])
        self.tracks = sorted(site.tracks, key=lambda track: (track.length, track.track_id))
        self.resources: list[Crane | Bay] = [*site.cranes, *site.bays]
        self.number = number
        self.ground = self._ground(options)
        self.opening = self._fresh()
        self.at = self._fresh()
        count, loads = len(self.calls), len(self.loads)
        floor, planned = np.zeros(count, np.int64), np.full(loads, NONE)
        if past is not None:
            self._resume(past, floor, planned)
        self.terms = Terms(floor, np.zeros(count, np.int64), planned, change_units)
        # Trains that have left have nothing to decide.
        here = np.flatnonzero(self.opening.train.leave < 0)
        self.whole = Span(int(here[0]) if here.size else 0, count, count, count, 0, loads)
        self.chosen = np.full(loads, NONE)
        self.aims = np.array([call.depart for call in self.calls], np.int64)
        self.leaves = np.empty(count, np.int64)
        self.units: int | None = None
        self.best: tuple[np.ndarray, np.ndarray, int | None] = (self.chosen, self.aims, None)
        self._take(self.chosen, self.aims, self._cost())
        self.settle()

    @property
    def best_units(self) -> int | None:
        """Cost of the best plan."""
        return self.best[2]

    def aim(self, loads: Mapping[str, Aim], leaves: Mapping[str, int]) -> int | None:
        """Take these aims, where the loads have such a choice, and play them; the cost, None when that fails."""
        for i, load in enumerate(self.loads):
            if load.load_id in loads:
                self.chosen[i] = self._choice(i, *loads[load.load_id])
        for t, call in enumerate(self.calls):
            self.aims[t] = leaves.get(call.call_id, self.aims[t])
        self._take(self.chosen, self.aims, self._cost())
        return self.units

    def try_aims(self, loads: Mapping[str, Aim], leaves: Mapping[str, int]) -> bool:
        """Take these aims for the best ones where that makes the best plan cheaper."""
        before = self.best
        self.chosen, self.aims, self.units = before[0].copy(), before[1].copy(), before[2]
        units = self.aim(loads, leaves)
        if units is None or (before[2] is not None and units >= before[2]):
            self.chosen, self.aims, self.units = before[0].copy(), before[1].copy(), before[2]
            return False
        self.settle()
        return True

    def _choice(self, i: int, onward: str, way: str) -> int:
        g = self.ground
        wanted = self.number.get(onward, NONE), WAY_NUMBER[way]
        for c in range(g.load.first_choice[i], g.load.first_choice[i + 1]):
            if (g.choice.onward[c], g.choice.way[c]) == wanted:
                return int(c)
        return NONE

    def _cost(self) -> int | None:
        """Plays the aims at hand through."""
        units = evaluate(
            self.ground, self.opening, self.at, self.chosen, self.aims, self.terms, self.whole, self.leaves
        )
        return None if units >= FAILED else int(units)

    def _take(self, chosen: np.ndarray, aims: np.ndarray, units: int | None) -> None:
        """Aims at hand; the best ones too where they cost less."""
        self.chosen, self.aims, self.units = chosen, aims, units
        if units is not None and (self.best[2] is None or units < self.best[2]):
            self.best = chosen.copy(), aims.copy(), units

    def settle(self) -> None:
        """
        Aim every load at the train it goes with, where the best plan then costs no more.

        A plan that leaves little to the fallbacks does not change far away when it is changed somewhere.
        """
        chosen, aims, units = self.best
        if units is not None:
            self.chosen, self.aims = chosen.copy(), aims.copy()
            self._cost()
            self._realise(0, len(self.loads))
            settled = self._cost()
            if settled is not None and settled <= units:
                self.best = self.chosen.copy(), self.aims.copy(), settled
            self.chosen, self.aims, self.units = self.best[0].copy(), self.best[1].copy(), self.best[2]

    def _realise(self, first: int, last: int) -> None:
        """Loads between two numbers aim at the trains they go with in the position just played."""
        for i in range(first, last):
            onward, chosen = self.at.load.going[i], self.chosen[i]
            if onward == NONE:
                self.chosen[i] = NONE
            elif chosen == NONE or self.ground.choice.onward[chosen] != onward:
                self.chosen[i] = self._choice(i, self.calls[onward].call_id, WAYS[self.at.load.by[i]])

    def search(self, moves: int, hot: float, cold: float) -> None:
        """Anneal the aims at hand over the whole horizon; temperatures are shares of their cost."""
        if self.units is not None:
            chosen, aims, units = self._anneal(self.opening, self.whole, self.terms, self.units, moves, hot, cold)
            at_hand = self.chosen, self.aims, self.units
            self._take(chosen, aims, units)
            self.chosen, self.aims, self.units = at_hand

    def _anneal(
        self, opening: Position, span: Span, terms: Terms, cost: int, moves: int, hot: float, cold: float
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """The best aims met and their cost; where the search ends is then at hand."""
        chosen, aims, units = self.chosen.copy(), self.aims.copy(), np.array([cost, cost])
        scale = max(1.0, float(cost))
        anneal(
            self.ground, opening, self.at, self.chosen, self.aims, chosen, aims, terms, span, units,
            hot * scale, cold * scale, moves, self.random.randrange(1 << 31),
        )  # fmt: skip
        self.units = int(units[0])
        return chosen, aims, int(units[1])

    def window(self, first: int, last: int, moves: int, hot: float, cold: float) -> bool:
        """
        Better aims of the trains that arrive between two minutes; true where the best plan improves.

        The search begins with the best aims, and plays on from the first minute, as long as
        those trains and the next ones are there. Trains of a running plan that still stand count as arriving at its
        minute.
        """
        g, whole, at, best = self.ground, self.whole, self.at, self.best
        arrive = g.train.arrive[:-1]
        start, end = (max(whole.first, int(np.searchsorted(arrive, minute))) for minute in (first, last))
        if best[2] is None or start == end:
            return False
        gone, trains = (int(np.searchsorted(arrive, last + margin)) for margin in (MARGIN, 2 * MARGIN))
        self.chosen, self.aims = best[0].copy(), best[1].copy()
        self._cost()
        beyond = self.leaves.copy()
        come = np.flatnonzero(self.opening.train.start >= 0)
        to_come = int(come[-1]) + 1 if come.size else 0
        if to_come <= start:
            to_come = start
            kernels.copy(self.opening, at, whole.trains, 0, whole.last_load, g)
            kernels.join_all(g, at, self.chosen, self.aims, 0, whole.last_load, at.clock[kernels.NOW] - 1)
            kernels.play(g, at, self.aims, whole.trains, whole.gone, 0, whole.last_load, int(arrive[start]))
            opening = Position(*(array.copy() for array in at))
        else:
            start, opening = whole.first, Position(*(array.copy() for array in self.opening))
        release(g, opening, to_come, trains)
        span = Span(start, end, gone, trains, self._first_open(opening, start), int(g.train.first_load[trains]))
        terms = self.terms._replace(beyond=beyond)
        cost = int(evaluate(g, opening, at, self.chosen, self.aims, terms, span, self.leaves))
        better = False
        if cost < FAILED:
            chosen, aims, units = self._anneal(opening, span, terms, cost, moves, hot, cold)
            if units < cost:
                # With the whole in view loads of the window come first: they must not ask for what they did not get.
                evaluate(g, opening, at, chosen, aims, terms, span, self.leaves)
                self.chosen, self.aims = chosen, aims
                self._realise(int(g.train.first_load[start]), span.last_load)
                self._take(self.chosen, aims, self._cost())
                better = self.best[2] != best[2]
        self.chosen, self.aims, self.units = self.best[0].copy(), self.best[1].copy(), self.best[2]
        return better

    def _first_open(self, at: Position, start: int) -> int:
        """First load that is not over and done with: its train or its onward train has not left."""
        g = self.ground
        gone = at.train.leave >= 0
        loads = np.arange(g.train.first_load[start])
        onward = at.load.going[loads]
        open_ = ~gone[g.load.inbound[loads]] | ((onward != NONE) & ((at.load.stage[loads] != DONE) | ~gone[onward]))
        return int(loads[open_].min()) if open_.any() else int(g.train.first_load[start])

    def plan(self) -> Plan | None:
        """The plan of the best aims."""
        if self.best[2] is None:
            return None
        at_hand = self.chosen, self.aims
        self.chosen, self.aims = self.best[0], self.best[1]
        self._cost()
        self.chosen, self.aims = at_hand
        at, names = self.at, [resource.name for resource in self.resources]
        stands, passages = {}, {}
        for call in self.site.calls:
            t = self.number[call.call_id]
            track = self.tracks[at.train.track[t]].track_id
            stands[call.call_id] = Stand(track, int(at.train.start[t]), int(self.leaves[t]))
        for i, load in enumerate(self.loads):
            onward, by = at.load.going[i], at.load.by[i]
            if onward != NONE:
                works = at.works[i, : 2 if by == YARD else 1].tolist()
                passages[load.load_id] = Passage(
                    WAYS[by], self.calls[onward].call_id, tuple(Work(names[r], start, end) for r, start, end in works)
                )
        return Plan(stands, passages)

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
        known: dict[tuple[str, str, int, int], int] = {}
        lasts = np.zeros((len(self.resources), len(loads)), np.int64)
        for r, resource in enumerate(self.resources):
            for i, load in enumerate(loads):
                key = resource.name, load.form, load.moves, load.wagons
                if key not in known:
                    known[key] = minutes(load, resource)
                lasts[r, i] = known[key]
        arrive = _of(calls, "arrive")
        lowest = np.maximum(_of(calls, "depart"), arrive + 1)
        bays = [NONE] * len(site.cranes) + list(range(len(site.bays)))
        handles = [FORMS.index(crane.handles) for crane in site.cranes] + [NONE] * len(site.bays)
        windows = [resource.open for resource in self.resources]
        return Ground(
            train=_rows(
                kernels.GROUND["train"], len(calls) + 1, arrive, _of(calls, "depart"), _of(calls, "latest"), lowest,
                [GAUGES.index(call.gauge_mm) for call in calls], _of(calls, "wait_cents_per_h"),
                np.searchsorted(inbound, np.arange(len(calls) + 1)), first_pair,
            ),
            load=_rows(
                kernels.GROUND["load"], len(loads) + 1, inbound, [FORMS.index(load.form) for load in loads],
                _of(loads, "size"), _of(loads, "wagons"), _of(loads, "due"), _of(loads, "late_cents_per_h"),
                _of(loads, "missed_cents") * 60, ["direct" in load.ways for load in loads],
                ["yard" in load.ways for load in loads], first_choice,
            ),
            choice=_rows(kernels.GROUND["choice"], len(onward), onward, way, pair),
            resource=_rows(
                kernels.GROUND["resource"], len(self.resources) + 1, handles, bays,
                np.cumsum([0, *map(len, windows)]),
            ),
            window=_rows(
                kernels.GROUND["window"], sum(map(len, windows)), [a for spans in windows for a, _ in spans],
                [b for spans in windows for _, b in spans],
            ),
            pair_onward=pairs,
            fits=np.array([[k in site.tracks_for(call) for k in self.tracks] for call in calls]),
            reach=np.array([[k.track_id in crane.tracks for k in self.tracks] for crane in site.cranes], bool)
            .reshape(len(site.cranes), len(self.tracks)),
            lasts=lasts,
            price=np.array([[price_units(site, load, name) for name in WAYS] for load in loads], np.int64)
            .reshape(len(loads), len(WAYS)),
            by_latest=np.argsort(_of(calls, "latest"), kind="stable"), by_lowest=np.argsort(lowest, kind="stable"),
        )  # fmt: skip

    def _fresh(self) -> Position:
        """Nothing has happened yet."""
        site, trains, loads = self.site, len(self.calls), len(self.loads)
        resources, pairs = len(self.resources), self.ground.pair_onward.size

        def full(value: int, *shape: int) -> np.ndarray:
            return np.full(shape, value, np.int64)

        return Position(
            train=_rows(kernels.POSITION["train"], trains, NONE, NONE, NONE, 0, 0),
            load=_rows(kernels.POSITION["load"], loads, NONE, NONE, NONE, kernels.ABOARD),
            resource=_rows(kernels.POSITION["resource"], resources, 0, NONE, NONE),
            room=np.array([[call.room[unit] for unit in (*FORMS, "wagons")] for call in self.calls], np.int64),
            to_move=full(0, trains, 2), fetch=full(NONE, trains, 2), head=full(NONE, pairs, 2),
            works=full(NONE, loads, 2, 3), yard=np.array([site.yard[form] for form in FORMS], np.int64),
            stock=np.array([[bay.stock.get(gauge, 0) for gauge in GAUGES] for bay in site.bays], np.int64)
            .reshape(len(site.bays), len(GAUGES)),
            free=np.ones(len(self.tracks), bool), standing=full(NONE, trains), waiting=full(NONE, trains),
            exchanges=full(NONE, loads), clock=full(0, 8),
        )  # fmt: skip

    def _resume(self, past: Past, floor: np.ndarray, planned: np.ndarray) -> None:
        """The opening is a running plan at its minute."""
        at, g, since = self.opening, self.ground, past.now
        at.clock[kernels.NOW] = since
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
        at.clock[kernels.NUM_STANDING] = len(standing)
        at.clock[kernels.CAME] = since + 1
        resource = {r.name: number for number, r in enumerate(self.resources)}
        for i, load in enumerate(self.loads):
            passage = past.plan.passages.get(load.load_id)
            if passage is not None:
                planned[i] = self.number[passage.onward]
            works = past.works(load.load_id)
            if passage is None or not works:
                continue
            onward, inbound, way = int(planned[i]), int(g.load.inbound[i]), WAY_NUMBER[passage.way]
            at.load.going[i], at.load.by[i] = onward, way
            for place, work in enumerate(works):
                at.works[i, place] = resource[work.resource], work.start, work.end
            at.room[onward, 2 if way == BOGIE else g.load.form[i]] -= load.wagons if way == BOGIE else load.size
            r, running = resource[works[-1].resource], works[-1].end > since
            step = way if way != YARD else kernels.OUT_OF_YARD if len(works) > 1 else kernels.INTO_YARD
            done = not running and step != kernels.INTO_YARD
            at.train.outside[onward] += not done
            at.train.inside[inbound] += running and step in (DIRECT, kernels.INTO_YARD)
            if way == YARD and not done:
                at.yard[g.load.form[i]] -= load.size
            if way == BOGIE:
                bay = r - len(self.site.cranes)
                at.stock[bay, g.train.gauge[onward]] -= load.wagons
                if done:
                    at.stock[bay, g.train.gauge[inbound]] += load.wagons
            if running:
                at.resource.busy_until[r], at.resource.job[r], at.resource.step[r] = works[-1].end, i, step
                at.load.stage[i] = kernels.MOVING if step == kernels.INTO_YARD else kernels.LAST
            elif done:
                at.load.stage[i] = DONE
            else:
                at.load.stage[i] = kernels.LYING
                at.load.following[i] = at.fetch[onward, g.load.form[i]]
                at.fetch[onward, g.load.form[i]] = i


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
