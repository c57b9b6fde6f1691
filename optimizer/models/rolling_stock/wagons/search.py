"""A run of the engine: the best plan and bound so far, within its limits, and the outcome made of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.bounds import Bounds, Prices
from optimizer.models.rolling_stock.wagons.exact import plan_cost, plan_tables
from optimizer.models.rolling_stock.wagons.layout import Layout, lay_out
from optimizer.models.rolling_stock.wagons.moves import Moves, OutOfTimeError, wagon_moves
from optimizer.models.rolling_stock.wagons.price_tables import price_tables
from optimizer.models.rolling_stock.wagons.rounding import WholePlan, breaks_rules
from optimizer.models.rolling_stock.wagons.unserved import tell_unserved
from optimizer.result import Outcome, Progress, Status, relative_gap

NAMED = 5
"""Yards that are named at most."""
ENDING_SHARE, ENDING_LIMIT = 1.0, 0.1
"""Time for tables, reasons of orders left behind and verification, as a share of what laying out has taken; at most of
the limit."""


class Search:
    """Best plan and bound so far, within the limits of a run.

    ``ending`` is the time kept for what comes after the search: its share of what laying out has taken, and at most so
    much of the limit.
    """

    def __init__(
        self,
        problem: RollingStock,
        options: SolveOptions,
        moves: Moves | None = None,
        started: float | None = None,
        ending: tuple[float, float] = (ENDING_SHARE, ENDING_LIMIT),
    ) -> None:
        self.started = time.perf_counter() if started is None else started
        self.options, self.problem = options, problem
        self.moves = moves or wagon_moves(problem)
        self.cost = standing_usd(self.moves)
        self.bound = 0.0
        self.plan: WholePlan | None = None
        self.prices: Prices | None = None
        self.layout: Layout = lay_out(self.moves)
        self.bounds = Bounds(self.layout)
        laid_out_s = time.perf_counter() - self.started
        self._ending_s = min(ending[0] * laid_out_s, ending[1] * (options.time_limit_s or 0.0))

    def left_s(self) -> float | None:
        """Seconds until the search has to end, so that the answer is there in time."""
        limit = self.options.time_limit_s
        return None if limit is None else limit - self._ending_s - (time.perf_counter() - self.started)

    def over(self) -> bool:
        left = self.left_s()
        close = relative_gap(self.cost, self.bound) <= max(self.options.gap, 1e-9)
        return close or self.options.stop.is_set() or (left is not None and left < 0.05)

    def limits(self, share: float = 1.0, gap: float = 0.0) -> SolveOptions:
        """Options for a step: a share of the time that is left."""
        left = self.left_s()
        seconds = None if left is None else max(0.02, left * share)
        return replace(self.options, time_limit_s=seconds, on_progress=None, gap=gap)

    def know(self, prices: Prices) -> None:
        if prices.bound > self.bound or self.prices is None:
            self.bound, self.prices = max(self.bound, prices.bound), prices
            self.tell()

    def offer(self, plan: WholePlan) -> bool:
        """Take a plan when it is whole and cheaper."""
        if plan.usd >= self.cost - 1e-6 or breaks_rules(self.layout, plan):
            return False
        self.cost, self.plan = plan.usd, plan
        self.tell()
        return True

    def chosen(self) -> tuple[dict[Any, int], dict[Any, int]]:
        """Runs, and wagons on hire by day, of the best plan."""
        return _runs(self) if self.plan is not None else ({}, self.moves.kept_on_hire())

    def tell(self) -> None:
        if self.options.on_progress is not None:
            elapsed = time.perf_counter() - self.started
            cost = self.cost if np.isfinite(self.cost) else None
            self.options.on_progress(Progress(cost, min(self.bound, self.cost), elapsed))


def moves_in_time(problem: RollingStock, options: SolveOptions, started: float) -> tuple[Moves, bool]:
    """What the wagons can do, and whether in full: without runs where the time is over, or a stop comes, before."""

    def over() -> bool:
        late = options.time_limit_s is not None and time.perf_counter() - started >= options.time_limit_s
        return late or options.stop.is_set()

    try:
        return wagon_moves(problem, over=over), True
    except OutOfTimeError as late:
        return late.moves, False


def standing_usd(moves: Moves) -> float:
    """Cost of the plan in which nothing moves; inf where the wagons of a running plan then overfill a yard."""
    return float("inf") if moves.overfilled() else float(plan_cost(moves, {}, moves.kept_on_hire()))


def nothing_moves(problem: RollingStock, moves: Moves) -> Outcome:
    """The plan for a time limit that does not even last to look at the ways; every part of a cost is 0 or more."""
    if problem.serve_all:
        words = "the time was over before a plan that carries everything was found; give it more time"
        return Outcome(Status.NO_SOLUTION, bound=0.0, conflicts=(words,))
    if moves.overfilled():
        return Outcome(Status.NO_SOLUTION, bound=0.0, conflicts=no_time(moves))
    on_hire = moves.kept_on_hire()
    solution = dict(plan_tables(moves, {}, on_hire))
    solution["unserved"] = solution["unserved"].assign(reason="there was no time to look for wagons")
    return Outcome(Status.FEASIBLE, solution, float(plan_cost(moves, {}, on_hire)), 0.0)


def no_time(moves: Moves) -> tuple[str, ...]:
    """Why a search of a running plan ends with none, though there may be one."""
    full = moves.overfilled()
    yards = ", ".join(full[:NAMED]) + (f" and {len(full) - NAMED} more" if len(full) > NAMED else "")
    return (f"the wagons under way overfill the yards of {yards} unless they move on, and the time was over before a "
            "plan that moves them was found; give it more time",)  # fmt: skip


@collector_paused()
def outcome(search: Search, chosen: tuple[dict[Any, int], dict[Any, int]] | None = None) -> Outcome:
    """Tables of the best plan, or of another one that is ``chosen``, with the exact cost."""
    if chosen is None:
        if not np.isfinite(search.cost):
            return Outcome(Status.NO_SOLUTION, bound=search.bound, conflicts=no_time(search.moves))
        chosen = search.chosen()
    runs, on_hire = chosen
    cost = float(plan_cost(search.moves, runs, on_hire))
    bound = min(search.bound, cost)
    proved = relative_gap(cost, bound) <= max(search.options.gap, 1e-6)
    solution = plan_tables(search.moves, runs, on_hire)
    left = dict(zip(solution["unserved"]["order_id"], solution["unserved"]["quantity_t"], strict=True))
    solution = tell_unserved(search.problem, search.moves, solution, _prices_of_unserved(search, left))
    if search.prices is not None:
        solution = {**solution, **price_tables(search.layout, search.prices)}
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, cost, bound)


def _prices_of_unserved(search: Search, left_t: dict[str, float]) -> dict[str, float]:
    """USD a tonne of the cheapest wagon for what is left of each order, at the values of the bound."""
    if search.prices is None:
        return {}
    lay, left = search.layout, np.array([left_t.get(order_id, np.inf) for order_id in search.moves.orders])
    per_t = search.prices.price / np.minimum(lay.load_t[lay.choice_type], left[lay.choice_order])
    best = np.full(lay.num_orders, np.inf)
    np.minimum.at(best, lay.choice_order, per_t)
    least = dict(zip(search.moves.orders, best.tolist(), strict=True))
    return {
        order_id: round(max(0.0, least[order_id]), 4) for order_id in left_t if np.isfinite(least.get(order_id, np.inf))
    }


def _runs(search: Search) -> tuple[dict[Any, int], dict[Any, int]]:
    lay, plan, moves = search.layout, search.plan, search.moves
    assert plan is not None
    runs: dict[Any, int] = {}
    for choice in np.flatnonzero(plan.wagons):
        runs[moves.loaded[lay.choice_move[choice]], int(lay.choice_day[choice])] = int(plan.wagons[choice])
    for move, day in zip(*np.nonzero(plan.flows.empty), strict=True):
        runs[moves.empty[lay.empty_number[move]], int(day)] = int(plan.flows.empty[move, day])
    keys = lay.site_keys
    on_hire = {
        (*keys[state // lay.days], int(state % lay.days)): int(plan.flows.hire[state])
        for state in np.flatnonzero(plan.flows.hire)
    }
    return runs, on_hire
