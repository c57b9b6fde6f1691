"""Aims of a terminal, the plan they lead to when the compiled kernels play it, and a search for better ones."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from optimizer.models.transshipment.playing import kernels
from optimizer.models.transshipment.playing.anneal_kernels import FAILED, Span, Terms, anneal, evaluate, release
from optimizer.models.transshipment.playing.arrays import WAYS, Arrays
from optimizer.models.transshipment.playing.dispatch import Aim, Past
from optimizer.models.transshipment.playing.loads_kernels import join_all
from optimizer.models.transshipment.playing.state import DONE, NONE, NOW, YARD, Position, copy
from optimizer.models.transshipment.problem import Passage, Plan, Stand, Work
from optimizer.models.transshipment.site import Site

MARGIN = 480
"""Minutes after a window whose trains are counted with it, and as many again whose trains are played along."""


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
        self.arrays = Arrays(site, options)
        self.calls, self.loads, self.number = self.arrays.calls, self.arrays.loads, self.arrays.number
        self.ground = self.arrays.ground
        count, loads = len(self.calls), len(self.loads)
        floor, planned = np.zeros(count, np.int64), np.full(loads, NONE)
        self.opening = self.arrays.fresh() if past is None else self.arrays.resumed(past, floor, planned)
        self.at = self.arrays.fresh()
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
                self.chosen[i] = self.arrays.choice(i, *loads[load.load_id])
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
                self.chosen[i] = self.arrays.choice(i, self.calls[onward].call_id, WAYS[self.at.load.by[i]])

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
            copy(self.opening, at, whole.trains, 0, whole.last_load, g)
            join_all(g, at, self.chosen, self.aims, 0, whole.last_load, at.clock[NOW] - 1)
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
        at, names = self.at, [resource.name for resource in self.arrays.resources]
        stands, passages = {}, {}
        for call in self.site.calls:
            t = self.number[call.call_id]
            track = self.arrays.tracks[at.train.track[t]].track_id
            stands[call.call_id] = Stand(track, int(at.train.start[t]), int(self.leaves[t]))
        first_check = self.ground.load.first_check.tolist()
        for i, load in enumerate(self.loads):
            onward, by = at.load.going[i], at.load.by[i]
            if onward != NONE:
                done = at.works[i, : 2 if by == YARD else 1], at.checks[first_check[i] : first_check[i + 1]]
                works, checks = (tuple(Work(names[r], start, end) for r, start, end in rows.tolist()) for rows in done)
                passages[load.load_id] = Passage(WAYS[by], self.calls[onward].call_id, works, checks)
        return Plan(stands, passages)
