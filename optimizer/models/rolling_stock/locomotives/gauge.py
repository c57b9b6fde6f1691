"""The trains and locomotives of one gauge: duties unit by unit, a certified bound, neighbourhoods where they are small.

1. **Duties** (:mod:`search`): trains in order of time, each with the consist that costs least; then some annealing.
   Every unit keeps its limits at any moment.
2. **Bound.** The relaxation by interior point. Prices y of its rows bound every plan, whatever solver they come from:

       sum y b + sum over columns of min(0, d_j) * (most of j),    d = c - A' y,   y of the right sign.

   Units whose kilometres run out are counted together in it, those fresh from a shop not at all.
3. **Rounding.** Of the columns with small reduced cost, one day after another gets whole consists by an integer
   programme in which the next days are still fractional, and those after them paid for at the prices of the relaxation.
4. **Neighbourhoods.** Trains near to each other in time, or in time and place, are planned anew by an integer programme
   while all others keep their consists, but not their locomotives; what begins long before or after stays as it is. As
   many trains are free as can be solved. Where that is all of them, the bound is that of the programme, too.

Plans of the programme are handed out to single units, which leave out what they cannot do, and mended by the search.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np

from optimizer.models.rolling_stock.locomotives.clock import Clock
from optimizer.models.rolling_stock.locomotives.duties import UnitDuty, plan_cost, unit_duties
from optimizer.models.rolling_stock.locomotives.entering import add_light, add_waits, enter_work
from optimizer.models.rolling_stock.locomotives.nearness import Nearness
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints, loco_networks
from optimizer.models.rolling_stock.locomotives.partial import horizon_at, whole_consists, whole_flows
from optimizer.models.rolling_stock.locomotives.programme import build_programme
from optimizer.models.rolling_stock.locomotives.relaxation import Relaxed, certified_bound, linear_model, right_sign
from optimizer.models.rolling_stock.locomotives.search import DutySearch
from optimizer.models.rolling_stock.locomotives.trains import TrainPlan, least_cost
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.result import Status, relative_gap
from optimizer.solvers.highs import HighsOutcome, run_highs

DAY_MIN = MINUTES_PER_DAY
FIRST_ROUNDS, ROUNDS_A_TRAIN, MEND_ROUNDS, MEND_LEFT_OUT, ROUNDS_A_LOOK = 10, 300, 5, 100, 20
"""Of the annealing, by train: before the relaxation, where that cannot be rounded, and after a plan of which units left
something out, at most and by train left out; and between two looks at the clock."""
HOT_H, COLD_H = 8.0, 0.5
"""What a plan may cost more than the last one, in hours of the dearest unit: at first and at last."""
ROUND_GAP, ROUND_SHARE, ROUND_DAYS = 2e-3, 0.7, 3
"""Gap of each day that is rounded, share of the time for all days, and the part of it that one day may take."""
AHEAD_MIN = 60 * 60
"""What begins so long after a day that is rounded is left out, at the prices of the relaxation."""
SURE = 0.9
"""Types of a consist with such a share in the relaxation are kept when it is rounded."""
ROUND_H, ANEW_H, FEW_COLUMNS = 1.0, 2.0, 5_000
"""Columns whose reduced cost is below so many hours of the dearest unit are searched, and at least so many."""
FREE_TRAINS = 24
"""In the first neighbourhood; then more where the search ended by itself, fewer where it was cut off."""
GROW, SHRINK, FEWEST = 1.15, 0.7, 4
SEARCH_S, FLOWS_S = 40.0, 120.0
"""Of one neighbourhood, and of whole flows for given consists, for safety."""
WHOLE, ROW_TOLERANCE = 1e-6, 1e-4


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
        alone = loco_networks(problem, plan, self.programme.stages, single=True)
        self._search = DutySearch(problem, plan, services, alone, clock.options.seed)
        self._usd_per_h = 60 * max((float(network.usd_per_min) for network in alone), default=0.0)
        self._rng = np.random.default_rng(clock.options.seed)
        p = self.programme
        types: dict[tuple[int, tuple[str, ...]], int] = {}
        chosen = [(s, tuple(sorted(k for k, _ in p.consists[s][c]))) for s, c in p.key["haul"].tolist()]
        self._choice = np.array([types.setdefault(key, len(types)) for key in chosen], np.int64)
        """Number of the stage and types of each consist."""
        self._nearness = Nearness([plan.stages[service] for service in services], p.begin_min)

    def work(self, reached: Callable[[], bool]) -> Iterator[None]:
        """Search piece by piece, until the time is over, the gap is ``reached``, or nothing is left to do."""
        if not self.programme.networks or self.clock.over():
            self.relax()
            return
        self._search.build()
        self._keep()
        yield
        self._anneal(FIRST_ROUNDS * len(self.programme.services), reached)
        yield
        self.relax()
        yield
        rounded = yield from self._round(reached)
        if not rounded:
            self._anneal(ROUNDS_A_TRAIN * len(self.programme.services), reached)
        yield
        if self._relaxed is not None and self._enter():
            yield from self._neighbourhoods(reached)

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
        found = whole_flows(p, x, np.r_[p.group["light"], p.group["wait"]], self.clock.limits(FLOWS_S))
        if found is None:
            return False
        self._x = found
        return True

    def _round(self, reached: Callable[[], bool]) -> Generator[None, None, bool]:
        """
        Round the relaxation by time: consists of one day after another are whole, those of later ones need not be.

        Of the days before only the types of each consist are kept, so a train can still be cancelled. A day that finds
        none in its time is rounded with the next one. False where there is no relaxation, or the last days found none;
        their trains are left to the search.
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
        gone = sure[p.key["haul"][:, 0]] & (taken[self._choice] < 1.0 - SURE)
        upper[np.flatnonzero(gone) + p.group["haul"].start] = 0.0
        x, whole = np.zeros(p.num_columns), 0
        for until in range(DAY_MIN, int(depart.max()) + DAY_MIN + 1, DAY_MIN):
            if self._ended(reached):
                break
            found = self._day(columns, upper, until)
            if found is not None:
                x, whole = found, until
                taken = np.bincount(self._choice, x[p.group["haul"]])
                gone = (depart < until)[p.key["haul"][:, 0]] & (taken[self._choice] < 0.5)
                upper[np.flatnonzero(gone) + p.group["haul"].start] = 0.0
            yield
        late = np.bincount(p.train_of, depart >= whole) > 0
        x[np.flatnonzero(late) + p.group["train"].start] = 0.0
        x[np.flatnonzero(late[p.train_of[p.key["haul"][:, 0]]]) + p.group["haul"].start] = 0.0
        if whole:
            self._accept(x, columns)
        return not late.any()

    def _day(self, columns: Ints, upper: Floats, until: int) -> Floats | None:
        """Whole consists for the stages until then, and some foresight."""
        assert self._relaxed is not None
        p = self.programme
        horizon = horizon_at(p, self._relaxed, until + AHEAD_MIN)
        options = self.clock.limits(ROUND_SHARE * self.clock.left_s() / ROUND_DAYS)
        whole = np.array([stage.depart_min < until for stage in p.stages])
        return whole_consists(p, columns, p.lower, upper, whole, options, ROUND_GAP, horizon=horizon)[0]

    def _neighbourhoods(self, reached: Callable[[], bool]) -> Iterator[None]:
        """Trains planned anew, two sets of them at a time where they are far apart, until nothing gets better."""
        trains = len(self.programme.services)
        free, idle, by_place = float(FREE_TRAINS), 0, False
        while idle < 2 * trains:
            runs = np.isin(self.programme.services, self.running)
            shuffled = self._rng.permutation(trains)
            seeds = shuffled[np.argsort(runs[shuffled], kind="stable")].tolist()
            while seeds:
                if self._ended(reached):
                    return
                before = self.cost
                chosen = self._nearness.apart(seeds, min(int(free), trains), by_place)
                ended = self.plan_anew(*chosen)
                if ended and chosen[0].size == trains:
                    return
                free = free * GROW if ended else max(FEWEST, min(free, trains) * SHRINK)
                idle, by_place = 0 if self.cost < before - WHOLE else idle + len(chosen), not by_place
                yield

    def relax(self) -> None:
        """The linear relaxation, by interior point; its prices need no basis."""
        p = self.programme
        options = self.clock.limits()
        further = {"solver": "ipm", "run_crossover": "off"}
        highs = linear_model(p, np.arange(p.num_columns), p.lower, p.upper, options, further)
        if run_highs(highs, options, is_mip=False, constant=p.constant).bound is None:
            return
        solution = highs.getSolution()
        price = right_sign(p, np.array(solution.row_dual))
        bound, reduced = certified_bound(p, price)
        self.bound = max(self.bound, min(bound, self.cost))
        self._relaxed = Relaxed(np.array(solution.col_value), reduced, price)

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

    def plan_anew(self, *groups: Ints) -> bool:
        """
        The best consists of some trains while all others keep theirs; whether the searches ended by themselves.

        Groups of trains under way at different times are searched at the same time.
        """
        p = self.programme
        columns, complete = self._near(ANEW_H)
        before = self.cost

        def search(trains: Ints) -> tuple[Floats | None, HighsOutcome]:
            free = np.zeros(len(p.services), bool)
            free[trains] = True
            stage_free = free[p.train_of]
            held = ~self._nearness.around(trains)
            held[p.group["train"]] |= ~free
            held[p.group["haul"]] |= ~stage_free[p.key["haul"][:, 0]]
            lower, upper = p.lower.copy(), p.upper.copy()
            lower[held] = upper[held] = np.rint(self._x[held])
            return whole_consists(p, columns, lower, upper, stage_free, self.clock.limits(SEARCH_S), start=self._x)

        with ThreadPoolExecutor(len(groups)) as threads:
            outcomes = list(threads.map(search, groups))
        x = self._x
        for trains, (found, _) in zip(groups, outcomes, strict=True):
            if found is not None and self._keeps_rows(both := np.where(self._nearness.around(trains), found, x)):
                x = both
        if x is not self._x:
            self._accept(x, columns)
        outcome = outcomes[0][1]
        if complete and groups[0].size == len(p.services) and outcome.bound is not None:
            self.bound = max(self.bound, min(outcome.bound, before, self.cost))
        return all(found is not None and outcome.status is Status.OPTIMAL for found, outcome in outcomes)

    def _keeps_rows(self, x: Floats) -> bool:
        p = self.programme
        taken = p.matrix @ x
        return bool((taken >= p.row_lower - ROW_TOLERANCE).all() and (taken <= p.row_upper + ROW_TOLERANCE).all())

    def _accept(self, x: Floats, columns: Ints) -> None:
        """Hand values of the columns out to units, and take the plan over where it is better."""
        p = self.programme
        if np.abs(x - np.rint(x)).max() > WHOLE or not self._keeps_rows(x):
            found = whole_flows(p, x, columns[columns >= p.group["unit"].start], self.clock.limits(FLOWS_S))
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
