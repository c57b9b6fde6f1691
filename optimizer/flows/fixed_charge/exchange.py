"""
Plans for services on one commodity's flow: slope scaling, exchange, and starts anew.

Slope scaling (Kim and Pardalos, Operations Research Letters 24, 1999): tonnes over a service pay its fixed cost by the
tonnes of the solve before. Exchange: without one of the services in use, the relaxation names those that would take
its place; each is tried in full. A search that is stuck starts anew from slopes that give a part of
its services up (iterated local search: Lourenco, Martin and Stuetzle 2003).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from optimizer.flows.fixed_charge.flow import OpenPlan, ServiceFlow
from optimizer.flows.fixed_charge.problem import Flags, Floats

SCALING_STEPS = 12
SUBSTITUTES = 4
"""Services tried in the place of one."""
GIVEN_UP, SHAKE = 0.25, 0.15
"""Share of the services in use given up by a start anew; spread of the logarithm of all slopes."""
HELD, NEW, DEAR = 0.3, 1.2, 5.0
"""Slopes of services held, new and given up, in fixed costs by their tonnes (held) or volume."""
FEWEST, PACKED, FROM_BEST = 0.15, 0.3, 0.75
"""Chances, summed up, of starts anew: the fewest services, those of much volume, the best plan; else the last one."""
FREE = 0.3
"""Chance that services of one kind may be more than the fewest."""
STUCK = 40
"""Starts anew without a better plan that end the search."""


class FlowSearch:
    """
    Slope scaling, exchange, and starts anew.

    Parameters
    ----------
    keep
        Takes each plan better than all before.
    done
        Asks for the end.
    """

    def __init__(
        self, flows: ServiceFlow, seed: int, keep: Callable[[OpenPlan], None], done: Callable[[], bool]
    ) -> None:
        self.flows, self.keep, self.done = flows, keep, done
        self.random = np.random.default_rng(seed)
        fixed = flows.problem.fixed_cost
        self.spread = fixed / np.maximum(flows.most, 1e-9)
        self.best: OpenPlan | None = None
        self.core = np.zeros(self.spread.size, dtype=bool)  # services that some solve has used

    def run(self) -> None:
        """Until :attr:`done`, or stuck."""
        slope, stuck = self.spread, 0
        while not self.done() and stuck < STUCK:
            known = self.best
            plan = self._scale(slope)
            if plan is None:
                return
            plan = self._exchange(plan)
            assert self.best is not None
            stuck = 0 if self.best is not known else stuck + 1
            kind = self.random.random()
            if kind < FEWEST:
                slope = self._fewest()
            elif kind < PACKED:
                slope = self._packed()
            else:
                slope = self._shaken(self.best if kind < FROM_BEST else plan)

    def _fewest(self) -> Floats:
        """Slopes that keep out, where every route must use one of some services, all but as few as can hold it."""
        most, slope = self.flows.most, self.spread.copy()
        for members, needed in self.flows.cuts:
            if self.random.random() < FREE:
                continue
            spread = self.random.exponential(SHAKE)
            chosen = members[:0]
            while chosen.size < needed or (most[chosen].sum() < self.flows.must_carry_t and spread > 1e-6):
                noise = np.exp(self.random.normal(0.0, spread, members.size))
                chosen = members[np.argsort(-most[members] * noise, kind="stable")[:needed]]
                spread /= 2
            slope[np.setdiff1d(members, chosen)] *= DEAR
        return slope

    def _packed(self) -> Floats:
        """Slopes that make services of much volume cheap: plans with few of them, which exchanges hardly reach."""
        fixed, most = self.flows.problem.fixed_cost, np.maximum(self.flows.most, 1e-9)
        more = float(fixed.mean()) * self.random.exponential(2.0)
        return np.asarray((fixed + more) / most * np.exp(self.random.normal(0.0, SHAKE, fixed.size)))

    def _note(self, plan: OpenPlan) -> None:
        if self.best is None or plan.cost < self.best.cost:
            self.best = plan
            self.keep(plan)

    def _shaken(self, plan: OpenPlan) -> Floats:
        """Slopes that hold on to a plan but for a quarter of its services."""
        volume = plan.flow_t[self.flows.arc_of]
        slope = np.where(volume > 0, HELD * self.flows.problem.fixed_cost / np.maximum(volume, 1e-9), NEW * self.spread)
        used = np.flatnonzero(volume > 0)
        gone = self.random.choice(used, math.ceil(GIVEN_UP * used.size), replace=False)
        slope[gone] = DEAR * self.spread[gone]
        return np.asarray(slope * np.exp(self.random.normal(0.0, SHAKE, slope.size)))

    def _scale(self, slope: Floats) -> OpenPlan | None:
        """Slope scaling; the best plan met."""
        best: OpenPlan | None = None
        everything = np.ones(slope.size, dtype=bool)
        for _ in range(SCALING_STEPS):
            found = self.flows.solve(slope, everything)
            if found is None:
                return best
            volume = found[1]
            self.core |= volume > 0
            plan = self.flows.over(volume > 0)
            if plan is not None and (best is None or plan.cost < best.cost):
                best = plan
                self._note(plan)
            turned = np.where(volume > 0, self.flows.problem.fixed_cost / np.maximum(volume, 1e-9), slope)
            if self.done() or np.array_equal(turned, slope):
                break
            slope = turned
        return best

    def _exchange(self, plan: OpenPlan) -> OpenPlan:
        """Services put to a plan, or given up for those that take their place, until nothing is better."""
        improved = True
        while improved and not self.done():
            improved = False
            for service in [-1, *self.random.permutation(np.flatnonzero(plan.used)).tolist()]:
                if self.done():
                    break
                better = self._changed(plan, service)
                if better is not None:
                    plan, improved = better, True
                    self._note(plan)
        return plan

    def _changed(self, plan: OpenPlan, service: int) -> OpenPlan | None:
        """A better plan without a service of this one (-1: with all of them), and at most two new ones."""
        rest, is_open = plan.used.copy(), self.core.copy()
        if service >= 0:
            if not plan.used[service]:
                return None
            rest[service] = is_open[service] = False
            if (fewer := self._better(rest, plan)) is not None:
                return fewer
        found = self.flows.solve(np.where(plan.used, 0.0, self.spread), is_open)
        if found is None:
            return None
        volume = found[1]
        new = np.flatnonzero((volume > 0) & ~plan.used)
        new = new[np.argsort(-volume[new], kind="stable")][:SUBSTITUTES].tolist()
        for extra in [*([one] for one in new), *([new[0], other] for other in new[1:])]:
            trial = rest.copy()
            trial[extra] = True
            if (other := self._better(trial, plan)) is not None:
                return other
        return None

    def _better(self, is_open: Flags, plan: OpenPlan) -> OpenPlan | None:
        """The best plan over services, where it beats this one."""
        other = self.flows.over(is_open)
        return other if other is not None and other.cost < plan.cost * (1 - 1e-9) else None
