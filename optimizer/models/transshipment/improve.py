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

from optimizer.models.transshipment.dispatch import Aim, Lasting, play
from optimizer.models.transshipment.problem import Plan, plan_units, wait_units
from optimizer.models.transshipment.search import tidy
from optimizer.models.transshipment.site import Load, Site

SHIFTS = (-60, -30, -15, -5, 5, 15, 30, 60)
HOT, COLD = 0.004, 0.0001
"""Temperature at the start and the end, as shares of the cost."""
MARGIN = 480
"""Minutes before and after a window whose trains are played along."""


class Search:
    """Aims, the plan they lead to, and moves on them."""

    def __init__(
        self,
        site: Site,
        aims: Mapping[str, Aim],
        leaves: Mapping[str, int],
        fallbacks: Mapping[str, Sequence[Aim]],
        seed: int,
        trains: Set[str] | None = None,
        lasting: Lasting | None = None,
    ) -> None:
        self.site, self.fallbacks, self.lasting = site, fallbacks, lasting or Lasting()
        self.random = random.Random(seed)
        self.aims, self.leaves = dict(aims), dict(leaves)
        self.of_train: dict[str, list[Load]] = {call.call_id: [] for call in site.calls}
        for load in site.loads:
            self.of_train[load.call_id].append(load)
        self.calls = [call.call_id for call in site.calls if trains is None or call.call_id in trains]
        self.shiftable = [call for call in site.calls if call.call_id in set(self.calls)]
        self.plan = self.play(self.aims, self.leaves)
        self.units = self.price(self.plan) if self.plan else None
        self.best = self.plan, self.units
        self.best_aims: tuple[Mapping[str, Aim], Mapping[str, int]] | None = None
        self.rounds = 0

    def play(self, aims: Mapping[str, Aim], leaves: Mapping[str, int]) -> Plan | None:
        plan = play(self.site, aims, leaves, self.fallbacks, self.lasting)
        return tidy(self.site, plan) if plan else None

    def price(self, plan: Plan) -> int:
        """What the search minimises."""
        return plan_units(self.site, plan)

    def step(self, temperature: float) -> bool:
        """One move; whether the best plan became cheaper."""
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
        plan = self.play(aims, leaves)
        self.rounds += 1
        if plan is None:
            return False
        units = self.price(plan)
        assert self.units is not None
        more = units - self.units
        if more <= 0 or self.random.random() < math.exp(-more / max(1.0, temperature * self.units)):
            self.aims, self.leaves, self.plan, self.units = aims, leaves, plan, units
        assert self.best[1] is not None
        if units < self.best[1]:
            self.best, self.best_aims = (plan, units), (aims, leaves)
            return True
        return False

    def _train(self) -> str:
        """A train, the sooner the more its waiting costs."""
        assert self.plan is not None
        if self.random.random() < 0.5:
            weights = [wait_units(c, self.plan.stands[c.call_id].leave) + 1 for c in self.shiftable]
            return self.random.choices(self.calls, weights)[0]
        return self.random.choice(self.calls)

    def _shift(self, leaves: dict[str, int]) -> None:
        call = self.site.call[self._train()]
        shifted = leaves[call.call_id] + self.random.choice(SHIFTS)
        leaves[call.call_id] = min(call.latest, max(call.arrive, shifted))

    def _settle(self, leaves: dict[str, int]) -> None:
        """A train aims at when it leaves in the plan at hand."""
        assert self.plan is not None
        call_id = self._train()
        leaves[call_id] = self.plan.stands[call_id].leave

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

    def take(self, aims: Mapping[str, Aim], leaves: Mapping[str, int]) -> bool:
        """Other aims where they lead to a cheaper plan."""
        plan = self.play(aims, leaves)
        units = self.price(plan) if plan else None
        if plan is None or units is None or (self.units is not None and units >= self.units):
            return False
        self.aims, self.leaves, self.plan, self.units = dict(aims), dict(leaves), plan, units
        if self.best[1] is None or units < self.best[1]:
            self.best = plan, units
        return True


def temperature(share: float) -> float:
    """Temperature when this share of the search is over."""
    return HOT * (COLD / HOT) ** share


def part(site: Site, first: int, last: int) -> Site:
    """The trains that arrive between two instants, with the loads they bring."""
    calls = tuple(call for call in site.calls if first <= call.arrive < last)
    here = {call.call_id for call in calls}
    return replace(site, calls=calls, loads=tuple(load for load in site.loads if load.call_id in here))


def window(whole: Search, first: int, last: int, rounds: int, going: Callable[[], bool]) -> int:
    """
    Search on the trains between two instants alone, and keep the aims of those when the whole gets cheaper.

    Trains up to ``MARGIN`` before and after take part as they are. Returns the number of moves played.
    """
    site = part(whole.site, first - MARGIN, last + MARGIN)
    if not any(first <= call.arrive < last for call in site.calls):
        return 1
    here = {call.call_id for call in site.calls}
    inside = {call.call_id for call in site.calls if first <= call.arrive < last}
    aims = {i.load_id: whole.aims[i.load_id] for i in site.loads if i.load_id in whole.aims}
    site = replace(site, loads=tuple(i for i in site.loads if aims.get(i.load_id, ("",))[0] in here))
    options = {
        i.load_id: tuple(aim for aim in whole.fallbacks.get(i.load_id, ()) if aim[0] in here) for i in site.loads
    }
    search = Search(site, aims, whole.leaves, options, whole.random.randrange(1 << 30), inside, whole.lasting)
    if not site.loads or search.plan is None:
        return 1
    for number in range(rounds):
        if not going():
            break
        search.step(temperature(number / rounds))
    if search.best[1] is not None and search.best_aims is not None and going():
        better, leaves = search.best_aims
        changed = {i.load_id: better[i.load_id] for i in site.loads if i.load_id in better}
        moved = {call_id: leaves[call_id] for call_id in inside}
        whole.take({**whole.aims, **changed}, {**whole.leaves, **moved})
    return search.rounds
