"""The trains and locomotives of one gauge: duties unit by unit, a certified bound, neighbourhoods where they are small.

1. **Duties** (:mod:`search`): trains in order of time, each with the consist that costs least; then some annealing.
   Every unit keeps its limits at any moment.
2. **Bound.** The relaxation by interior point. Prices y of its rows bound every plan, whatever solver they come from:

       sum y b + sum over columns of min(0, d_j) * (most of j),    d = c - A' y,   y of the right sign.

   Units whose kilometres run out are counted together in it, those fresh from a shop not at all.
3. **Rounding.** Of the columns with small reduced cost, one day after another gets whole consists by an integer
   programme in which later days are still fractional.
4. **Neighbourhoods.** Trains near to each other in time, or in time and place, are planned anew by an integer programme
   while all others keep their consists, but not their locomotives. As many trains are free as can be solved. Where that
   is all of them, the bound is that of the programme, too.

Plans of the programme are handed out to single units, which leave out what they cannot do, and mended by the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import highspy
import numpy as np
import numpy.typing as npt

from optimizer.models.rolling_stock.locomotives.clock import Clock
from optimizer.models.rolling_stock.locomotives.duties import UnitDuty, plan_cost, unit_duties
from optimizer.models.rolling_stock.locomotives.entering import add_light, add_waits, enter_work
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints, loco_networks
from optimizer.models.rolling_stock.locomotives.programme import build_programme
from optimizer.models.rolling_stock.locomotives.relaxation import Relaxed, certified_bound, linear_model
from optimizer.models.rolling_stock.locomotives.search import DutySearch
from optimizer.models.rolling_stock.locomotives.trains import Stage, TrainPlan, least_cost
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.result import Status, relative_gap
from optimizer.solvers.highs import HighsOutcome, run_highs

FIRST_ROUNDS, ROUNDS_A_TRAIN, MEND_ROUNDS, MEND_LEFT_OUT, ROUNDS_A_LOOK = 10, 300, 5, 100, 20
"""Of the annealing, by train: before the relaxation, where that cannot be rounded, and after a plan of which units left
something out, at most and by train left out; and between two looks at the clock."""
HOT_H, COLD_H = 8.0, 0.5
"""What a plan may cost more than the last one, in hours of the dearest unit: at first and at last."""
ROUND_GAP, ROUND_SHARE, ROUND_DAYS = 2e-3, 0.7, 3
"""Gap of each day that is rounded, share of the time for all days, and the part of it that one day may take."""
SURE = 0.9
"""Types of a consist with such a share in the relaxation are kept when it is rounded."""
ROUND_H, ANEW_H, FEW_COLUMNS = 1.0, 2.0, 5_000
"""Columns whose reduced cost is below so many hours of the dearest unit are searched, and at least so many."""
FREE_TRAINS = 24
"""In the first neighbourhood; then more where the search ended by itself, fewer where it was cut off."""
GROW, SHRINK, FEWEST = 1.15, 0.7, 4
NODES = 40
SEARCH_S = 40.0
"""Of one neighbourhood, for safety: its work is limited by nodes."""
WHOLE_GAP = 5e-4
DAY_MIN = MINUTES_PER_DAY
FAR_MIN = 24 * 60
"""So many minutes apart are as far as to share no place."""
WHOLE = 1e-6
NUMBERS = highspy.HighsVarType


def _ends(stage: Stage) -> tuple[str, str]:
    return stage.from_node, stage.to_node


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
        self._relaxed: Relaxed | None = None
        self._x = np.zeros(self.programme.num_columns)
        self._outcome = HighsOutcome(Status.NO_SOLUTION, None, None, 0.0)
        alone = loco_networks(problem, plan, self.programme.stages, single=True)
        self._search = DutySearch(problem, plan, services, alone, clock.options.seed)
        self._usd_per_h = 60 * max((float(network.usd_per_min) for network in alone), default=0.0)
        self._rng = np.random.default_rng(clock.options.seed)
        p = self.programme
        types: dict[tuple[int, tuple[str, ...]], int] = {}
        chosen = [(s, tuple(sorted(k for k, _ in p.consists[s][c]))) for s, c in p.key["haul"].tolist()]
        self._choice = np.array([types.setdefault(key, len(types)) for key in chosen], np.int64)
        """Number of the stage and types of each consist."""
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
        self._anneal(FIRST_ROUNDS * len(self.programme.services), reached)
        self.relax()
        if not self._round(reached):
            self._anneal(ROUNDS_A_TRAIN * len(self.programme.services), reached)
        if self._relaxed is not None and self._enter():
            self._neighbourhoods(reached)

    def _anneal(self, rounds: int, reached: Callable[[], bool]) -> None:
        """Rounds that cool down from :data:`HOT_H` to :data:`COLD_H`, within half of the time that is left."""
        begun_s, most_s = self.clock.elapsed_s, self.clock.left_s() / 2
        done = 0
        while done < rounds and not self._ended(reached):
            way = max(done / rounds, (self.clock.elapsed_s - begun_s) / most_s)
            if way >= 1.0:
                break
            self._search.run(ROUNDS_A_LOOK, self._usd_per_h * HOT_H * (COLD_H / HOT_H) ** way)
            done += ROUNDS_A_LOOK
            self._keep()

    def _ended(self, reached: Callable[[], bool]) -> bool:
        return self.clock.over() or reached() or relative_gap(self.cost, self.bound) <= WHOLE

    def _keep(self) -> None:
        """Take over the plan of the search, where it is better."""
        if self._search.cost < self.cost - WHOLE:
            duties, running = self._search.duties(), self._search.running()
            self.cost = float(plan_cost(self.problem, duties, running, self.plan))
            self.duties, self.running = duties, running

    def _enter(self) -> bool:
        """Values of the columns for the plan at hand."""
        p = self.programme
        x = enter_work(p, self.duties, self.running, self.connection_min)
        if x is None:
            return False
        whole = x.copy()
        if add_light(p, whole, self.duties, self.connection_min) and add_waits(p, whole):
            self._x = whole
            return True
        found = self._flows(x, np.r_[p.group["light"], p.group["wait"]])
        if found is None:
            return False
        self._x = found
        return True

    def _flows(self, held: Floats, columns: Ints) -> Floats | None:
        """Whole values of some columns that go with those of all others, ``held``; none where none are found."""
        p = self.programme
        x = np.rint(held)
        x[columns] = 0.0
        options = self.clock.limits(SEARCH_S)
        highs = linear_model(
            p, columns, p.lower, p.upper, options, {"mip_max_nodes": NODES, "mip_rel_gap": WHOLE_GAP}, x
        )
        kinds = np.full(columns.size, NUMBERS.kInteger)
        kinds[columns >= p.group["wait"].start] = NUMBERS.kContinuous
        highs.changeColsIntegrality(columns.size, np.arange(columns.size, dtype=np.int32), kinds)
        if run_highs(highs, options, is_mip=True, constant=p.value(x)).objective is None:
            return None
        x[columns] = np.array(highs.getSolution().col_value)
        return np.rint(x)

    def _round(self, reached: Callable[[], bool]) -> bool:
        """
        Round the relaxation by time: consists of one day after another are whole, those of later ones need not be.

        Of the days before only the types of each consist are kept, so a train can still be cancelled. False where
        there is no relaxation, or a day found none in its time.
        """
        p = self.programme
        if self._relaxed is None:
            return False
        columns, _ = self._near(ROUND_H)
        upper = p.upper.copy()
        depart = np.array([stage.depart_min for stage in p.stages], np.int64)
        taken = np.bincount(self._choice, self._relaxed.x[p.group["haul"]])
        runs = self._relaxed.x[p.group["train"]][p.train_of[p.key["haul"][:, 0]]]
        sure = np.zeros(len(p.stages), bool)
        sure[p.key["haul"][taken[self._choice] >= SURE * np.maximum(runs, SURE), 0]] = True
        upper[
            np.flatnonzero(sure[p.key["haul"][:, 0]] & (taken[self._choice] < 1.0 - SURE)) + p.group["haul"].start
        ] = 0.0
        x = self._x
        days = range(DAY_MIN, int(depart.max()) + DAY_MIN + 1, DAY_MIN)
        for number, until in enumerate(days):
            if self._ended(reached):
                return False
            limit_s = ROUND_SHARE * self.clock.left_s() / min(ROUND_DAYS, len(days) - number)
            found = self._solve(columns, p.lower, upper, depart < until, None, ROUND_GAP, limit_s)
            if found is None:
                return False
            x = found
            taken = np.bincount(self._choice, x[p.group["haul"]])
            gone = (depart < until)[p.key["haul"][:, 0]] & (taken[self._choice] < 0.5)
            upper[np.flatnonzero(gone) + p.group["haul"].start] = 0.0
        self._accept(x)
        return True

    def _neighbourhoods(self, reached: Callable[[], bool]) -> None:
        """Trains planned anew, until nothing gets better."""
        trains = len(self.programme.services)
        free, idle, kinds = float(FREE_TRAINS), 0, (self._by_time, self._by_place)
        while idle < 2 * trains:
            runs = np.isin(self.programme.services, self.running)
            shuffled = self._rng.permutation(trains)
            for number, seed in enumerate(shuffled[np.argsort(runs[shuffled], kind="stable")].tolist()):
                if self._ended(reached):
                    return
                before = self.cost
                nearest = np.argsort(kinds[number % len(kinds)](seed), kind="stable")[: int(free)]
                ended = self.plan_anew(nearest)
                if ended and nearest.size == trains:
                    return
                free = free * GROW if ended else max(FEWEST, min(free, trains) * SHRINK)
                idle = 0 if self.cost < before - WHOLE else idle + 1

    def relax(self) -> None:
        """The linear relaxation, by interior point; its prices need no basis."""
        p = self.programme
        options = self.clock.limits()
        further = {"solver": "ipm", "run_crossover": "off"}
        highs = linear_model(p, np.arange(p.num_columns), p.lower, p.upper, options, further)
        if run_highs(highs, options, is_mip=False, constant=p.constant).bound is None:
            return
        solution = highs.getSolution()
        bound, reduced = certified_bound(p, np.array(solution.row_dual))
        self.bound = max(self.bound, min(bound, self.cost))
        self._relaxed = Relaxed(np.array(solution.col_value), reduced)

    def _near(self, hours: float) -> tuple[Ints, bool]:
        """
        Columns whose reduced cost is below some hours of a unit, or that are few; and those of the plan.

        The flag tells whether a plan without the others, and only such, can cost less than the one at hand.
        """
        assert self._relaxed is not None
        reduced = np.where(self._relaxed.x > WHOLE, 0.0, self._relaxed.reduced)
        usd, gap_usd = hours * self._usd_per_h, self.cost - self.bound
        few = min(FEW_COLUMNS, reduced.size - 1)
        usd = max(usd, float(np.partition(reduced, few)[few]))
        kept = (reduced <= min(usd, gap_usd)) | (self._x > 0.5)
        kept[self.programme.group["wait"]] = kept[self.programme.group["train"]] = True  # every train can be cancelled
        return np.flatnonzero(kept), usd >= gap_usd

    def plan_anew(self, trains: Ints) -> bool:
        """The best consists of some trains while all others keep theirs; whether the search ended by itself."""
        p = self.programme
        free = np.zeros(len(p.services), bool)
        free[trains] = True
        stage_free = free[p.train_of]
        lower, upper = p.lower.copy(), p.upper.copy()
        for name, frees in (("train", free), ("haul", stage_free[p.key["haul"][:, 0]])):
            held = np.flatnonzero(~frees) + p.group[name].start
            lower[held] = upper[held] = np.rint(self._x[held])
        columns, complete = self._near(ANEW_H)
        before = self.cost
        x = self._solve(columns, lower, upper, stage_free, self._x)
        if x is None:
            return False
        self._accept(x)
        if complete and free.all() and self._outcome.bound is not None:
            self.bound = max(self.bound, min(self._outcome.bound, before, self.cost))
        return self._outcome.status is Status.OPTIMAL

    def _by_time(self, seed: int) -> Floats:
        """Minutes between the departure of each train and that of the seed."""
        return np.abs(self._depart_min - self._depart_min[seed])

    def _by_place(self, seed: int) -> Floats:
        """The same, and as much more as few places are shared."""
        shared = self._calls @ self._calls[seed] / self._calls[seed].sum()
        return self._by_time(seed) + FAR_MIN * (1.0 - shared)

    def _solve(
        self, columns: Ints, lower: Floats, upper: Floats, whole: npt.NDArray[np.bool_], start: Floats | None,
        gap: float = WHOLE_GAP, limit_s: float = SEARCH_S,
    ) -> Floats | None:  # fmt: skip
        """
        Values of some columns, with whole consists for the stages that are ``whole``; none where none were found.

        With whole consists, units flow in whole numbers but for shared kilometres.
        """
        p = self.programme
        x = np.zeros(p.num_columns)
        x[columns] = np.minimum(lower[columns], upper[columns])
        free = columns[lower[columns] < upper[columns]]
        options = self.clock.limits(limit_s)
        highs = linear_model(p, free, lower, upper, options, {"mip_max_nodes": NODES, "mip_rel_gap": gap}, x)
        wanted = np.zeros(p.num_columns, bool)
        wanted[p.group["haul"]] = whole[p.key["haul"][:, 0]]
        wanted[p.group["train"]] = np.bincount(p.train_of, whole, len(p.services)) > 0
        kinds = np.full(free.size, NUMBERS.kContinuous)
        kinds[wanted[free]] = NUMBERS.kInteger
        highs.changeColsIntegrality(free.size, np.arange(free.size, dtype=np.int32), kinds)
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = list(start[free])
            highs.setSolution(guess)
        self._outcome = run_highs(highs, options, is_mip=True, constant=p.value(x))
        if self._outcome.objective is None:
            return None
        x[free] = np.array(highs.getSolution().col_value)
        return x

    def _accept(self, x: Floats) -> None:
        """Hand values of the columns out to units, and take the plan over where it is better."""
        p = self.programme
        if np.abs(x - np.rint(x)).max() > WHOLE:
            columns, _ = self._near(ANEW_H)
            found = self._flows(x, columns[columns >= p.group["unit"].start])
            if found is None:
                return
            x = found
        before = self.cost
        self._search.enter(unit_duties(p, x, self.connection_min))
        if self._search.entered > p.value(x) + WHOLE * before:
            rounds = min(MEND_ROUNDS * len(p.services), MEND_LEFT_OUT * self._search.left_out)
            self._search.run(rounds, self._usd_per_h * COLD_H)
        self._keep()
        if self.cost < before - WHOLE:
            if abs(p.value(x) - self.cost) <= WHOLE * self.cost:
                self._x = np.rint(x)
            else:
                self._enter()
