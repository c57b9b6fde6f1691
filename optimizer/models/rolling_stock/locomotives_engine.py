"""Locomotives at real sizes: relaxation with a certified bound, a dive to a plan, neighbourhoods of days around it.

Types of one gauge work on trains of that gauge only, so every gauge is a programme of its own
(:mod:`locomotives_programme`).

1. **Bound.** The relaxation by interior point. Prices y of its rows bound every plan, whatever solver they come from:

       sum y b + sum over columns of min(0, d_j) * (most of j),    d = c - A' y,   y of the right sign.

   Before it ends, a train costs at least the cheapest consists on its stages, or its cancelling.
2. **Plan.** Consists are fixed a few at a time, the surest first, and the relaxation is solved again from its basis;
   what is left is an integer programme of flows.
3. **Neighbourhoods.** The consists of trains that run in a window of time are free, the others stay; columns whose
   reduced cost exceeds the gap cannot be in a better plan and are left out.

Units whose kilometres run out are counted together in the relaxation, those fresh from a shop not at all. Where a unit
of a plan then runs too far, what it did too much is forbidden to its group, in plans but not in the bound.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction

import highspy
import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives import outcome_of, solve_trains, trains_running
from optimizer.models.rolling_stock.locomotives_duties import UnitDuty, plan_cost, unit_duties
from optimizer.models.rolling_stock.locomotives_network import Floats, Ints
from optimizer.models.rolling_stock.locomotives_programme import Programme, build_programme
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.models.rolling_stock.trains import TrainPlan, least_cost, plan_trains
from optimizer.result import Outcome, Progress, relative_gap
from optimizer.solvers.highs import make_highs, run_highs

SMALL_TRAINS = 100
"""Up to so many trains the whole programme is handed over."""
SURE, FIXED_A_ROUND = 0.7, 0.12
DIVE_SHARE = 0.5
"""Of the time that is left: at most so much for a dive."""
WINDOW_MIN, WINDOW_S = 36 * 60, 30.0
MOST_COLUMNS = 60_000
"""Of an integer programme: those of least reduced cost."""
ATTEMPTS = 8
MIP_S = 20.0
NUMBERS = highspy.HighsVarType


def solve_trains_engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    """Locomotive plan of little cost with a certified bound; small and strict problems go to the exact method."""
    if problem.serve_all or len(problem.table("train_services")) <= SMALL_TRAINS:
        return solve_trains(problem, options)
    return _Engine(problem, options).run()


class _Engine:
    def __init__(self, problem: RollingStock, options: SolveOptions) -> None:
        self.begun_s = time.monotonic()
        self.problem, self.options = problem, options
        self.plan = plan_trains(problem, RouteBook(problem.corridor))
        self.hopeless = float(sum((self.plan.cancel_usd[s] for s in self.plan.impossible), Fraction(0)))
        groups: dict[int, list[str]] = defaultdict(list)
        for service, stages in self.plan.stages.items():
            groups[stages[0].gauge_mm].append(service)
        self.parts = [_Part(self, services) for _, services in sorted(groups.items(), key=lambda g: (len(g[1]), g[0]))]
        self.tell()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun_s

    def left_s(self) -> float:
        limit = self.options.time_limit_s
        return float("inf") if limit is None else max(0.0, limit - self.elapsed_s)

    def stop(self) -> bool:
        return self.options.stop.is_set() or self.left_s() <= 0.0

    def limits(self, most_s: float = float("inf")) -> SolveOptions:
        """Options for a solver within."""
        seconds = min(most_s, self.left_s())
        return replace(
            self.options,
            time_limit_s=None if seconds == float("inf") else max(0.01, seconds),
            on_progress=None,
            gap=0.0,
        )

    @property
    def bound(self) -> float:
        return self.hopeless + sum(part.bound for part in self.parts)

    @property
    def cost(self) -> float:
        return self.hopeless + sum(part.cost for part in self.parts)

    def tell(self) -> None:
        if self.options.on_progress is not None:
            self.options.on_progress(Progress(self.cost, min(self.bound, self.cost), self.elapsed_s))

    @property
    def done(self) -> bool:
        return relative_gap(self.cost, self.bound) <= max(self.options.gap, 1e-6)

    def run(self) -> Outcome:
        for part in self.parts:
            if not self.stop():
                part.relax()
                self.tell()
        for number, part in enumerate(self.parts):
            if not self.stop() and part.relaxed is not None:
                part.dive(self.left_s() * DIVE_SHARE * part.size / sum(p.size for p in self.parts[number:]))
                self.tell()
        improving = [part for part in self.parts if part.relaxed is not None]
        while improving and not self.stop() and not self.done:
            part = max(improving, key=lambda p: p.cost - p.bound)
            if not part.improve():
                improving.remove(part)
            self.tell()
        duties = [duty for part in self.parts for duty in part.duties]
        running = [service for part in self.parts for service in part.running]
        networks = tuple(network for part in self.parts for network in part.programme.networks)
        return outcome_of(self.problem, self.plan, networks, duties, running, self.bound, self.options)


@dataclass
class _Relaxed:
    """Values and prices of the relaxation, and reduced costs of all columns."""

    x: Floats
    reduced: Floats


class _Part:
    """The trains and locomotives of one gauge."""

    def __init__(self, engine: _Engine, services: list[str]) -> None:
        self.engine = engine
        self.programme = build_programme(engine.problem, engine.plan, services, single=False)
        self.connection = engine.problem.corridor.config.rolling_stock.connection_min
        self.bound = least_cost(engine.problem, engine.plan, services)
        self.cost = float(sum((engine.plan.cancel_usd[s] for s in services), Fraction(0)))
        self.duties: list[UnitDuty] = []
        self.running: list[str] = []
        self.relaxed: _Relaxed | None = None
        self.x = np.zeros(self.programme.num_columns)
        self.most = self.programme.upper.copy()
        """Of each column in plans: 0 where a unit ran too far."""
        minutes = [stage.depart_min for stage in self.programme.stages]
        self.window_min = WINDOW_MIN
        self.starts = list(range(min(minutes), max(minutes) + 1, WINDOW_MIN // 2))
        self.windows: list[int] = []
        self.idle = 0

    @property
    def size(self) -> int:
        return self.programme.num_columns

    def _model(self, columns: Ints, lower: Floats, upper: Floats, whole: bool, options: SolveOptions) -> highspy.Highs:
        p = self.programme
        highs = make_highs(options, {"mip_rel_gap": 1e-5} if whole else {})
        part = p.matrix[:, columns]
        rows, empty = p.matrix.shape[0], np.zeros(0, np.int32)
        highs.addRows(rows, p.row_lower, p.row_upper, 0, np.zeros(rows, np.int32), empty, np.zeros(0))
        highs.addCols(
            columns.size, p.cost[columns], lower[columns], upper[columns], part.nnz, part.indptr[:-1].astype(np.int32),
            part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        if whole:
            kinds = np.full(columns.size, NUMBERS.kInteger)
            kinds[columns >= p.group["wait"].start] = NUMBERS.kContinuous
            highs.changeColsIntegrality(columns.size, np.arange(columns.size, dtype=np.int32), kinds)
        return highs

    def relax(self) -> None:
        """The linear relaxation, by interior point."""
        p = self.programme
        options = self.engine.limits()
        highs = self._model(np.arange(p.num_columns), p.lower, p.upper, False, options)
        highs.setOptionValue("solver", "ipm")
        outcome = run_highs(highs, options, is_mip=False, constant=p.constant)
        if outcome.bound is None:
            return
        solution = highs.getSolution()
        bound, reduced = certified_bound(p, np.array(solution.row_dual))
        self.bound = max(self.bound, min(bound, self.cost))
        self.relaxed = _Relaxed(np.array(solution.col_value), reduced)

    def _useful(self) -> Ints:
        """Columns that a plan better than the one at hand can use, or, at first, that are cheap."""
        assert self.relaxed is not None
        reduced = np.where((self.relaxed.x > 1e-7) | (self.x > 0.5), 0.0, self.relaxed.reduced)
        limit = self.cost - self.bound
        if reduced.size > MOST_COLUMNS:
            limit = min(limit, float(np.partition(reduced, MOST_COLUMNS)[MOST_COLUMNS]))
        return np.flatnonzero(reduced <= limit)

    def _stand(self) -> None:
        """Values of the columns when nothing moves: the plan every search starts from."""
        p = self.programme
        waits = np.arange(p.group["wait"].start, p.num_columns)
        highs = self._model(waits, p.lower, p.upper, False, self.engine.limits())
        if run_highs(highs, self.engine.limits(), is_mip=False, constant=0.0).objective is not None:
            self.x[waits] = np.array(highs.getSolution().col_value)

    def dive(self, most_s: float) -> None:
        """A first plan."""
        assert self.relaxed is not None
        engine, p = self.engine, self.programme
        until_s = engine.elapsed_s + most_s
        lower, upper = p.lower.copy(), self.most.copy()
        self._stand()
        columns = self._useful()
        highs = self._model(columns, lower, upper, False, engine.limits(most_s))
        at = np.full(p.num_columns, -1, np.int64)
        at[columns] = np.arange(columns.size)
        hauls = columns[(columns >= p.group["haul"].start) & (columns < p.group["haul"].stop)]
        stage_of = p.key["haul"][hauls - p.group["haul"].start, 0]
        x, fixed = self.relaxed.x.copy(), np.zeros(len(p.stages), bool)
        while not engine.stop() and engine.elapsed_s < until_s:
            free = ~fixed[stage_of] & (x[hauls] > 1e-6)
            order = np.argsort(-x[hauls] + 10.0 * ~free, kind="stable")[: int(free.sum())]
            sure = int((x[hauls[order]] > SURE).sum())
            chosen = order[: max(1, min(sure, max(1, int(FIXED_A_ROUND * len(p.stages)))))]
            if not order.size:
                break
            if x[hauls[order[0]]] > 1 - 1e-6 and x[hauls[order[-1]]] > 1 - 1e-6:
                break
            fixed[stage_of[chosen]] = True
            closed = self._others(hauls, stage_of, chosen)
            upper[hauls[closed]] = 0.0
            highs.changeColsBounds(
                closed.size, at[hauls[closed]].astype(np.int32), np.zeros(closed.size), np.zeros(closed.size)
            )
            outcome = run_highs(highs, engine.limits(until_s - engine.elapsed_s), is_mip=False, constant=p.constant)
            if outcome.objective is None:
                break
            x[columns] = np.array(highs.getSolution().col_value)
        upper[hauls[self._others(hauls, stage_of, np.flatnonzero(x[hauls] > 1 - 1e-6))]] = 0.0
        self._whole(columns, lower, upper, engine.limits(max(MIP_S, until_s - engine.elapsed_s)))

    @staticmethod
    def _others(hauls: Ints, stage_of: Ints, chosen: Ints) -> Ints:
        """Places of all other consists of the stages of some. The train can still be cancelled, so a plan remains."""
        kept = np.zeros(hauls.size, bool)
        kept[chosen] = True
        return np.flatnonzero(np.isin(stage_of, stage_of[chosen]) & ~kept)

    def _whole(self, columns: Ints, lower: Floats, upper: Floats, options: SolveOptions) -> bool:
        """Integer programme over some columns; whether the plan got better."""
        p = self.programme
        for _ in range(ATTEMPTS):
            highs = self._model(columns, lower, np.minimum(upper, self.most), True, options)
            start = highspy.HighsSolution()
            start.col_value = list(self.x[columns])
            highs.setSolution(start)
            outcome = run_highs(highs, options, is_mip=True, constant=p.constant)
            if outcome.objective is None:
                return False
            x = np.zeros(p.num_columns)
            x[columns] = np.array(highs.getSolution().col_value)
            duties = unit_duties(p, x, self.connection)
            too_far = {duty.too_far for duty in duties if duty.too_far is not None}
            if not too_far:
                return self._accept(x, duties)
            for group, key in too_far:
                at = np.flatnonzero((p.key[group] == np.array(key)).all(axis=1)) + p.group[group].start
                self.most[at] = 0.0
            if self.engine.stop():
                return False
        return False

    def _accept(self, x: Floats, duties: list[UnitDuty]) -> bool:
        running = trains_running(self.programme, x)
        engine, services = self.engine, set(self.programme.services)
        plan = TrainPlan(engine.plan.stages, {}, {s: usd for s, usd in engine.plan.cancel_usd.items() if s in services})
        cost = float(plan_cost(engine.problem, duties, running, plan))
        if cost >= self.cost - 1e-6:
            return False
        self.cost, self.duties, self.running, self.x = cost, duties, running, x
        return True

    def improve(self) -> bool:
        """One neighbourhood; False when all were tried since the last gain."""
        p = self.programme
        if not self.windows:
            if self.idle >= len(self.starts):
                return False
            self.windows = self.starts[::-1]
        begin = self.windows.pop()
        depart = np.array([stage.depart_min for stage in p.stages])
        free_train = np.zeros(len(p.services), bool)
        free_train[p.train_of[(depart >= begin) & (depart < begin + self.window_min)]] = True
        lower, upper = p.lower.copy(), self.most.copy()
        for name, free in (("haul", free_train[p.train_of[p.key["haul"][:, 0]]]), ("train", free_train)):
            part = p.group[name]
            held = np.flatnonzero(~free) + part.start
            lower[held] = upper[held] = np.rint(self.x[held])
        options = self.engine.limits(WINDOW_S)
        better = self._whole(self._useful(), lower, upper, options)
        self.idle = 0 if better else self.idle + 1
        return True


def certified_bound(programme: Programme, price: Floats) -> tuple[float, Floats]:
    """Bound on the cost of every plan from prices of the rows, and reduced costs of all columns."""
    p = programme
    price = np.where(np.isfinite(p.row_lower), price, np.minimum(price, 0.0))
    reduced = p.cost - p.matrix.T @ price
    at_best = np.where(reduced < 0, reduced * p.upper, reduced * p.lower)
    slack = 1e-12 * float(np.abs(price * p.row_upper).sum() + np.abs(at_best).sum())
    return float(price @ p.row_upper + at_best.sum() + p.constant) - slack, reduced
