"""The trains and locomotives of one gauge: duties unit by unit, a certified bound, neighbourhoods where they are small.

1. **Duties** (:mod:`search`): trains in order of time, each with the consist that costs least; then trains
   near to one another are taken off and put on again, by annealing. Every unit keeps its limits at any moment.
2. **Bound.** The relaxation by interior point. Prices y of its rows bound every plan, whatever solver they come from:

       sum y b + sum over columns of min(0, d_j) * (most of j),    d = c - A' y,   y of the right sign.

   Units whose kilometres run out are counted together in it, those fresh from a shop not at all.
3. **Neighbourhoods**, where the programme is small: trains near to each other in time, or in time and place, are
   planned anew by an integer programme; all others keep their consists, but not their locomotives, and light moves long
   before or after theirs. As many trains are free as can be solved. Where that is all of them, the bound is that of the
   programme, too. Where a unit of a plan then runs too far, what it did too much is forbidden to its group, in plans
   but not in the bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.duties import UnitDuty, plan_columns, plan_cost, unit_duties
from optimizer.models.rolling_stock.locomotives.exact import trains_running
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints
from optimizer.models.rolling_stock.locomotives.programme import Programme, build_programme
from optimizer.models.rolling_stock.locomotives.search import DutySearch
from optimizer.models.rolling_stock.locomotives.trains import Stage, TrainPlan, least_cost
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.result import Status, relative_gap
from optimizer.solvers.highs import HighsOutcome, make_highs, run_highs

ROUNDS_A_TRAIN, ROUNDS_A_LOOK, FIRST_ROUNDS = 600, 20, 10
"""Of the annealing: rounds in all and before the relaxation, by train, and between two looks at the clock."""
HOT_H, COLD_H = 8.0, 0.5
"""What a plan may cost more than the last one, in hours of the dearest unit: at first and at last."""
SEARCH_SHARE = 0.7
"""Of the time that is left: at most so much for the annealing where neighbourhoods follow."""
SMALL_COLUMNS = 30_000
"""Programmes up to this size are searched by neighbourhoods."""
ANEW_H, FEW_COLUMNS = 10.0, 15_000
"""Columns whose reduced cost is below so many hours of the dearest unit are searched, and at least so many."""
FREE_TRAINS = 24
"""In the first neighbourhood; then more where the search ended by itself, fewer where it was cut off."""
GROW, SHRINK, FEWEST = 1.15, 0.7, 4
NODES = 40
SEARCH_S = 40.0
"""Of one neighbourhood, for safety: its work is limited by nodes."""
WHOLE_GAP = 2e-4
ATTEMPTS = 8
MARGIN_MIN = 24 * 60
"""Light moves so long before and after the free trains are free too."""
FAR_MIN = 24 * 60
"""So many minutes apart are as far as to share no place."""
WHOLE = 1e-6
NUMBERS = highspy.HighsVarType


def _ends(stage: Stage) -> tuple[str, str]:
    return stage.from_node, stage.to_node


@dataclass(frozen=True)
class Clock:
    """The time and the stop of a solve, shared by all gauges."""

    options: SolveOptions
    begun_s: float

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun_s

    def left_s(self) -> float:
        limit = self.options.time_limit_s
        return float("inf") if limit is None else max(0.0, limit - self.elapsed_s)

    def over(self) -> bool:
        return self.options.stop.is_set() or self.left_s() <= 0.0

    def limits(self, most_s: float = float("inf")) -> SolveOptions:
        """Options for a solver within."""
        seconds = min(most_s, self.left_s())
        limit_s = None if seconds == float("inf") else max(0.01, seconds)
        return replace(self.options, time_limit_s=limit_s, on_progress=None, gap=0.0)


@dataclass
class _Relaxed:
    """Values of the relaxation and reduced costs of all columns."""

    x: Floats
    reduced: Floats


class GaugePart:
    """
    Search for a plan of some trains of one gauge.

    Attributes
    ----------
    bound, cost
        Of every plan, and of the best one; they may be read while another thread searches.
    duties, running
        The best plan.
    """

    def __init__(self, problem: RollingStock, plan: TrainPlan, services: Sequence[str], clock: Clock) -> None:
        self.problem, self.clock = problem, clock
        self.programme = build_programme(problem, plan, services, single=False)
        self.plan = TrainPlan({s: plan.stages[s] for s in services}, {}, {s: plan.cancel_usd[s] for s in services})
        self.connection_min = problem.corridor.config.rolling_stock.connection_min
        self.bound = least_cost(problem, plan, services)
        self.cost = float(sum(self.plan.cancel_usd.values(), Fraction(0)))
        self.duties: list[UnitDuty] = []
        self.running: list[str] = []
        self._relaxed: _Relaxed | None = None
        self._x = np.zeros(self.programme.num_columns)
        self._most = self.programme.upper.copy()
        """Of each column in plans: what the best one has of it where a unit ran too far in another."""
        self._search = DutySearch(problem, plan, services, self.programme.networks, clock.options.seed)
        self._rng = np.random.default_rng(clock.options.seed)
        p = self.programme
        self._light_min = np.zeros(len(p.key["light"]), np.int64)
        for number, layer in enumerate(p.layers):
            mine = p.key["light"][:, 0] == number
            self._light_min[mine] = p.networks[layer.network].light.leave_min[p.key["light"][mine, 1]]
        stages = [plan.stages[service] for service in services]
        self._depart_min = np.array([own[0].depart_min for own in stages], float)
        places = {name: n for n, name in enumerate(sorted({name for own in stages for s in own for name in _ends(s)}))}
        self._calls = np.zeros((len(stages), len(places)))
        for number, own in enumerate(stages):
            self._calls[number, [places[name] for stage in own for name in _ends(stage)]] = 1.0

    def run(self, reached: Callable[[], bool]) -> None:
        """Search until the time is over, the gap is ``reached``, or the work is done."""
        if not self.programme.networks or self.clock.over():
            self.relax()
            return
        self._search.build()
        self._keep()
        trains = len(self.programme.services)
        self._anneal(FIRST_ROUNDS * trains, reached, HOT_H, 0.0)
        self.relax()
        small = self.programme.num_columns <= SMALL_COLUMNS
        self._anneal(ROUNDS_A_TRAIN * trains, reached, COLD_H, SEARCH_SHARE if small else 1.0)
        if small and self._relaxed is not None and self._enter():
            self._neighbourhoods(reached)

    def _anneal(self, rounds: int, reached: Callable[[], bool], last_h: float, share: float) -> None:
        """Rounds that cool down to some hours of the dearest unit, within a share of the time that is left."""
        usd_per_h = 60 * max(float(network.usd_per_min) for network in self.programme.networks)
        begun_s, left_s = self.clock.elapsed_s, self.clock.left_s() * (share or 1.0)
        done = 0
        while done < rounds and not (self.clock.over() or reached() or relative_gap(self.cost, self.bound) <= WHOLE):
            way = max(done / rounds, (self.clock.elapsed_s - begun_s) / left_s)
            if way >= 1.0:
                break
            self._search.run(ROUNDS_A_LOOK, usd_per_h * HOT_H * (last_h / HOT_H) ** way)
            done += ROUNDS_A_LOOK
            self._keep()

    def _keep(self) -> None:
        """Take over the plan of the search, where it is better."""
        if self._search.cost < self.cost - WHOLE:
            duties, running = self._search.duties(), self._search.running()
            self.cost = float(plan_cost(self.problem, duties, running, self.plan))
            self.duties, self.running = duties, running

    def _enter(self) -> bool:
        """Values of the columns for the plan at hand: trains and visits as they are, light moves and waits anew."""
        p = self.programme
        x = np.zeros(p.num_columns)
        number = {service: n for n, service in enumerate(p.services)}
        x[p.group["train"].start + np.array([number[s] for s in self.running], np.int64)] = 1.0
        for name, counts in plan_columns(p, self.duties).items():
            columns = {tuple(key): n for n, key in enumerate(p.key[name].tolist())}
            for key, units in counts.items():
                if key not in columns and (name != "stay" or self.connection_min):
                    return False
                if key in columns:
                    x[p.group[name].start + columns[key]] = units
        moving = np.arange(p.group["light"].start, p.group["light"].stop)
        waiting = np.arange(p.group["wait"].start, p.num_columns)
        free = np.concatenate([moving, waiting])
        options = self.clock.limits()
        highs = self._model(free, p.lower, p.upper, options, {"solver": "simplex"}, x)
        if run_highs(highs, options, is_mip=False, constant=0.0).objective is None:
            return False
        x[free] = np.array(highs.getSolution().col_value)
        self._x = np.rint(x)
        return bool(np.abs(self._x - x).max() <= WHOLE)

    def _neighbourhoods(self, reached: Callable[[], bool]) -> None:
        """Trains planned anew, until nothing gets better."""
        trains = len(self.programme.services)
        free, idle, kinds = float(FREE_TRAINS), 0, (self._by_time, self._by_place)
        while idle < 2 * trains:
            runs = np.isin(self.programme.services, self.running)
            shuffled = self._rng.permutation(trains)
            for number, seed in enumerate(shuffled[np.argsort(runs[shuffled], kind="stable")].tolist()):
                if self.clock.over() or reached() or relative_gap(self.cost, self.bound) <= WHOLE:
                    return
                before = self.cost
                nearest = np.argsort(kinds[number % len(kinds)](seed), kind="stable")[: int(free)]
                ended = self.plan_anew(nearest)
                if ended and nearest.size == trains:
                    return
                free = free * GROW if ended else max(FEWEST, min(free, trains) * SHRINK)
                idle = 0 if self.cost < before - WHOLE else idle + 1

    def relax(self) -> None:
        """The linear relaxation, by interior point."""
        p = self.programme
        options = self.clock.limits()
        highs = self._model(np.arange(p.num_columns), p.lower, p.upper, options, {"solver": "ipm"})
        if run_highs(highs, options, is_mip=False, constant=p.constant).bound is None:
            return
        solution = highs.getSolution()
        bound, reduced = certified_bound(p, np.array(solution.row_dual))
        self.bound = max(self.bound, min(bound, self.cost))
        self._relaxed = _Relaxed(np.array(solution.col_value), reduced)

    def _model(
        self, columns: Ints, lower: Floats, upper: Floats, options: SolveOptions, further: Mapping[str, Any],
        held: Floats | None = None,
    ) -> highspy.Highs:  # fmt: skip
        """
        The linear programme over some columns; one thread, since every gauge has its own.

        With values of all others, which are ``held``, rows that have none of the columns are left out.
        """
        p = self.programme
        highs = make_highs(options, {"threads": 1, **further})
        part, low, high = p.matrix[:, columns], p.row_lower, p.row_upper
        if held is not None:
            used = np.bincount(part.indices, minlength=part.shape[0]) > 0
            taken = p.matrix @ held
            part, low, high = sparse.csc_array(part[used]), (low - taken)[used], (high - taken)[used]
        rows, empty = part.shape[0], np.zeros(0, np.int32)
        highs.addRows(rows, low, high, 0, np.zeros(rows, np.int32), empty, np.zeros(0))
        highs.addCols(
            columns.size, p.cost[columns], lower[columns], upper[columns], part.nnz, part.indptr[:-1].astype(np.int32),
            part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        return highs

    def _near(self, hours: float) -> tuple[Ints, bool]:
        """
        Columns whose reduced cost is below some hours of a unit, or that are few; and those of the plan.

        The flag tells whether a plan without the others, and only such, can cost less than the one at hand.
        """
        assert self._relaxed is not None
        reduced = np.where(self._relaxed.x > WHOLE, 0.0, self._relaxed.reduced)
        usd, gap_usd = hours * 60 * max(float(n.usd_per_min) for n in self.programme.networks), self.cost - self.bound
        few = min(FEW_COLUMNS, reduced.size - 1)
        usd = max(usd, float(np.partition(reduced, few)[few]))
        columns = np.flatnonzero(((reduced <= min(usd, gap_usd)) & (self._most > 0)) | (self._x > 0.5))
        return columns, usd >= gap_usd

    def plan_anew(self, trains: Ints) -> bool:
        """The best consists of some trains while all others keep theirs; whether the search ended by itself."""
        p = self.programme
        free = np.zeros(len(p.services), bool)
        free[trains] = True
        stage_free = free[p.train_of]
        begin = min(s.depart_min for s, frees in zip(p.stages, stage_free, strict=True) if frees) - MARGIN_MIN
        until = max(s.arrive_min for s, frees in zip(p.stages, stage_free, strict=True) if frees) + MARGIN_MIN
        inside = ((self._light_min >= begin) & (self._light_min <= until)) | free.all()
        lower, upper = p.lower.copy(), self._most.copy()
        for name, frees in (
            ("train", free), ("haul", stage_free[p.key["haul"][:, 0]]), ("light", inside),
        ):  # fmt: skip
            held = np.flatnonzero(~frees) + p.group[name].start
            lower[held] = upper[held] = np.rint(self._x[held])
        before, (columns, complete) = self.cost, self._near(ANEW_H)
        outcome = self._whole(columns, lower, upper, SEARCH_S)
        if outcome is None:
            return False
        if complete and free.all() and outcome.bound is not None and not self._forbidden():
            self.bound = max(self.bound, min(outcome.bound, before, self.cost))
        return outcome.status is Status.OPTIMAL

    def _forbidden(self) -> bool:
        """Whether anything was forbidden to units that ran too far."""
        return bool((self._most < self.programme.upper).any())

    def _by_time(self, seed: int) -> Floats:
        """Minutes between the departure of each train and that of the seed."""
        return np.abs(self._depart_min - self._depart_min[seed])

    def _by_place(self, seed: int) -> Floats:
        """The same, and as much more as few places are shared."""
        shared = self._calls @ self._calls[seed] / self._calls[seed].sum()
        return self._by_time(seed) + FAR_MIN * (1.0 - shared)

    def _whole(self, columns: Ints, lower: Floats, upper: Floats, most_s: float) -> HighsOutcome | None:
        """Integer programme over some columns, from the plan at hand; its outcome, where units keep their limits."""
        p = self.programme
        for _ in range(ATTEMPTS):
            options = self.clock.limits(most_s)
            most = np.minimum(upper, self._most)[columns]
            x = np.zeros(p.num_columns)
            x[columns] = np.minimum(lower[columns], most)
            free = columns[lower[columns] < most]
            highs = self._model(free, lower, np.minimum(upper, self._most), options, {
                "mip_lp_solver": "ipm", "mip_max_nodes": NODES, "mip_rel_gap": WHOLE_GAP,
            }, x)  # fmt: skip
            kinds = np.full(free.size, NUMBERS.kInteger)
            kinds[free >= p.group["wait"].start] = NUMBERS.kContinuous
            highs.changeColsIntegrality(free.size, np.arange(free.size, dtype=np.int32), kinds)
            start = highspy.HighsSolution()
            start.col_value = list(self._x[free])
            highs.setSolution(start)
            outcome = run_highs(highs, options, is_mip=True, constant=p.value(x))
            if outcome.objective is None:
                return None
            x[free] = np.array(highs.getSolution().col_value)
            duties = unit_duties(p, x, self.connection_min)
            too_far = {duty.too_far for duty in duties if duty.too_far is not None}
            if not too_far:
                self._accept(x, duties)
                return outcome
            for group, key in too_far:
                at = np.flatnonzero((p.key[group] == np.array(key)).all(axis=1)) + p.group[group].start
                self._most[at] = np.rint(self._x[at])  # the plan at hand stays possible
            if self.clock.over():
                break
        return None

    def _accept(self, x: Floats, duties: list[UnitDuty]) -> None:
        running = trains_running(self.programme, x)
        cost = float(plan_cost(self.problem, duties, running, self.plan))
        if cost < self.cost - WHOLE:
            self.cost, self.duties, self.running, self._x = cost, duties, running, x


def certified_bound(programme: Programme, price: Floats) -> tuple[float, Floats]:
    """Bound on the cost of every plan from prices of the rows, and reduced costs of all columns."""
    p = programme
    price = np.where(np.isfinite(p.row_lower), price, np.minimum(price, 0.0))
    reduced = p.cost - p.matrix.T @ price
    at_best = np.where(reduced < 0, reduced * p.upper, reduced * p.lower)
    slack = 1e-12 * float(np.abs(price * p.row_upper).sum() + np.abs(at_best).sum())
    return float(price @ p.row_upper + at_best.sum() + p.constant) - slack, reduced
