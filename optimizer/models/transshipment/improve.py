"""Better aims by playing them: a local search over where loads go and when trains aim to leave.

A move sends the loads of one train that go with one onward train another way or with another train, or shifts the
aim of a train, and the terminal is played through again. Moves that cost nothing more are kept, dearer ones
sometimes (simulated annealing); the best plan of all is returned. The same seed makes the same moves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from optimizer.models.transshipment.playing.dispatch import Aim, Lasting, Past, play
from optimizer.models.transshipment.problem import Plan, plan_units, wait_units
from optimizer.models.transshipment.search import tidy
from optimizer.models.transshipment.site import Load, Site

SHIFTS = (-60, -30, -15, -5, 5, 15, 30, 60)
HOT, COLD = 0.004, 0.0001
"""Temperature at the start and the end, as shares of the cost."""
SLOWNESS = 20
"""Moves of the compiled search for one of this: a batch of moves is to be over in a moment, whoever plays."""
SHORT = 20
"""Trains up to which the whole horizon is one window, and one model with whole trains is solved for the bound."""
WINDOW_MINUTES = (480, 960)
"""Least and most minutes of a window of a longer horizon."""
MARGIN = 480
"""Minutes before and after a window whose trains are played along."""


class Search:
    """
    Aims, the plan they lead to, and moves on them, until the compiled :class:`Player` is there.

    Attributes
    ----------
    units
        Cost of the plan at hand; None when its trains find no tracks.
    going
        Asked before each move; the search ends when it says no.
    """

    def __init__(
        self,
        site: Site,
        options: Mapping[str, Sequence[Aim]],
        seed: int = 0,
        past: Past | None = None,
        change_units: int = 0,
        trains: Set[str] | None = None,
        lasting: Lasting | None = None,
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        self.site, self.fallbacks, self.lasting = site, options, lasting or Lasting()
        self.past, self.change_units = past, change_units
        self.going = going
        self.random = random.Random(seed)
        self.aims: dict[str, Aim] = {}
        self.leaves = {call.call_id: call.depart for call in site.calls}
        self.of_train: dict[str, list[Load]] = {call.call_id: [] for call in site.calls}
        for load in site.loads:
            self.of_train[load.call_id].append(load)
        if past is not None:  # trains that have left have nothing to decide
            trains = {i for i, stand in past.plan.stands.items() if stand.leave > past.now} or None
        self.shiftable = [call for call in site.calls if trains is None or call.call_id in trains]
        self.calls = [call.call_id for call in self.shiftable]
        self.played = self.play(self.aims, self.leaves)
        self.units = self.price(self.played) if self.played else None
        self.best = self.played, self.units
        self.best_aims: tuple[Mapping[str, Aim], Mapping[str, int]] = self.aims, self.leaves

    @property
    def best_units(self) -> int | None:
        """Cost of the best plan."""
        return self.best[1]

    def plan(self) -> Plan | None:
        """The best plan."""
        return self.best[0]

    def search(self, moves: int, hot: float, cold: float) -> None:
        """Anneal the aims at hand, with fewer moves than asked for; temperatures are shares of their cost."""
        moves = -(-moves // SLOWNESS)
        for number in range(moves if self.units is not None else 0):
            if not self.going():
                return
            self.step(hot * (cold / hot) ** (number / moves))

    def window(self, first: int, last: int, moves: int, hot: float, cold: float) -> bool:
        """
        Better aims of the trains that arrive between two minutes; true where the best plan improves.

        Those trains and the ones up to ``MARGIN`` before and after are played alone, and the whole once at the end.
        """
        site = part(self.site, first - MARGIN, last + MARGIN)
        inside = {call.call_id for call in site.calls if first <= call.arrive < last}
        if not inside or self.past is not None:
            return False
        here = {call.call_id for call in site.calls}
        aims = {i.load_id: self.best_aims[0][i.load_id] for i in site.loads if i.load_id in self.best_aims[0]}
        site = replace(site, loads=tuple(i for i in site.loads if aims.get(i.load_id, ("",))[0] in here))
        options = {
            i.load_id: tuple(aim for aim in self.fallbacks.get(i.load_id, ()) if aim[0] in here) for i in site.loads
        }
        search = Search(
            site, options, self.random.randrange(1 << 30), trains=inside, lasting=self.lasting, going=self.going
        )
        search.aim(aims, {call_id: self.best_aims[1][call_id] for call_id in here})
        search.search(moves, hot, cold)
        better, leaves = search.best_aims
        changed = {i.load_id: better[i.load_id] for i in site.loads if i.load_id in better}
        return self.try_aims(changed, {call_id: leaves[call_id] for call_id in inside})

    def aim(self, loads: Mapping[str, Aim], leaves: Mapping[str, int]) -> int | None:
        """Take these aims and play them; the cost, None when that fails."""
        self._take({**self.aims, **loads}, {**self.leaves, **leaves})
        return self.units

    def try_aims(self, loads: Mapping[str, Aim], leaves: Mapping[str, int]) -> bool:
        """Take these aims for the best ones where that makes the best plan cheaper."""
        before = self.best[1]
        aims, at = self.best_aims
        if self._take({**aims, **loads}, {**at, **leaves}) and self.best[1] != before:
            return True
        self.aims, self.leaves, self.played, self.units = dict(aims), dict(at), *self.best
        return False

    def _take(self, aims: dict[str, Aim], leaves: dict[str, int]) -> bool:
        plan = self.play(aims, leaves)
        self.aims, self.leaves, self.played = aims, leaves, plan
        self.units = self.price(plan) if plan else None
        if self.units is not None and (self.best[1] is None or self.units < self.best[1]):
            self.best, self.best_aims = (plan, self.units), (aims, leaves)
        return plan is not None

    def play(self, aims: Mapping[str, Aim], leaves: Mapping[str, int]) -> Plan | None:
        plan = play(self.site, aims, leaves, self.fallbacks, self.lasting, self.past)
        if plan is None:
            return None
        plan = tidy(self.site, plan)
        return _kept(plan, self.past) if self.past else plan

    def price(self, plan: Plan) -> int:
        """What the search minimises: the plan's cost, and that of its changes."""
        planned = self.past.plan.passages.items() if self.past else ()
        changes = sum(i not in plan.passages or plan.passages[i].onward != then.onward for i, then in planned)
        return plan_units(self.site, plan) + self.change_units * changes

    def step(self, temperature: float) -> None:
        """One move; dearer plans are sometimes kept."""
        aims, leaves = dict(self.aims), dict(self.leaves)
        kind = self.random.random()
        if kind < 0.4:
            self._shift(leaves)
        elif kind < 0.5:
            self._settle(leaves)
        else:
            self._send(aims)
            if kind > 0.8:
                self._shift(leaves)
        before = self.aims, self.leaves, self.played, self.units
        assert before[3] is not None
        self._take(aims, leaves)
        more = None if self.units is None else self.units - before[3]
        if more is None or (more > 0 and self.random.random() >= math.exp(-more / max(1.0, temperature * before[3]))):
            self.aims, self.leaves, self.played, self.units = before

    def _train(self) -> str:
        """A train, the sooner the more its waiting costs."""
        assert self.played is not None
        if self.random.random() < 0.5:
            weights = [wait_units(c, self.played.stands[c.call_id].leave) + 1 for c in self.shiftable]
            return self.random.choices(self.calls, weights)[0]
        return self.random.choice(self.calls)

    def _shift(self, leaves: dict[str, int]) -> None:
        call = self.site.call[self._train()]
        shifted = leaves[call.call_id] + self.random.choice(SHIFTS)
        leaves[call.call_id] = min(call.latest, max(call.arrive, shifted))

    def _settle(self, leaves: dict[str, int]) -> None:
        """A train aims at when it leaves in the plan at hand."""
        assert self.played is not None
        call_id = self._train()
        leaves[call_id] = self.played.stands[call_id].leave

    def _send(self, aims: dict[str, Aim]) -> None:
        """Loads of a train that share an aim get another one."""
        call_id = self._train()
        loads = self.of_train[call_id]
        if self.random.random() < 0.4:  # loads that come to this train
            loads = [i for i in self.site.loads if aims.get(i.load_id, ("",))[0] == call_id]
        if not loads:
            return
        seedling = self.random.choice(loads)
        options = self.fallbacks.get(seedling.load_id, ())
        if not options:
            return
        old, new = aims.get(seedling.load_id), self.random.choice(options[:6])
        alike = [
            i
            for i in self.of_train[seedling.call_id]
            if aims.get(i.load_id) == old and new in self.fallbacks.get(i.load_id, ())
        ]
        if self.random.random() < 0.3:
            alike = [
                i
                for i in alike
                if (i.destination, i.form, i.due) == (seedling.destination, seedling.form, seedling.due)
            ]
        if self.random.random() < 0.3:
            alike = alike[: self.random.randint(1, len(alike))]
        for load in alike:
            aims[load.load_id] = new


def temperature(share: float) -> float:
    """Temperature when this share of the search is over."""
    return HOT * (COLD / HOT) ** share


def part(site: Site, first: int, last: int) -> Site:
    """The trains that arrive between two instants, with the loads they bring."""
    calls = tuple(call for call in site.calls if first <= call.arrive < last)
    here = {call.call_id for call in calls}
    return replace(site, calls=calls, loads=tuple(load for load in site.loads if load.call_id in here))


def _kept(plan: Plan, past: Past) -> Plan:
    """Trains that have left left when they did; nobody leaves before now."""
    stands = dict(plan.stands)
    for call_id, stand in past.plan.stands.items():
        if stand.leave <= past.now:
            stands[call_id] = stand
        elif stand.start < past.now:
            stands[call_id] = replace(stands[call_id], leave=max(past.now, stands[call_id].leave))
    return Plan(stands, plan.passages)
