"""Solving the wagon programme: relaxation, rounding around it, then the programme itself with the time that is left.

With the loaded runs fixed, what remains is one flow per type, whole by itself unless yards or train paths bind. So
only loaded runs are searched as integers; the rest is rounded afterwards by one more solve where it has to be.

1. The relaxation gives a bound and a price for every run.
2. Loaded runs may take only the floor or ceiling of their relaxed value: a plan within seconds.
3. A run whose reduced cost exceeds the gap cannot be part of a better plan; the others are searched in full.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Set
from dataclasses import replace
from math import ceil, floor
from pathlib import Path
from typing import Any

import pulp

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.exact import WagonModel, build, plan_cost, plan_tables
from optimizer.models.rolling_stock.wagons.moves import Moves, wagon_moves
from optimizer.models.rolling_stock.wagons.unserved import tell_unserved
from optimizer.result import Outcome, Progress, Status, relative_gap
from optimizer.solvers.mip import SolverResult, repriced, solve_model

WHOLE = 1e-5
LOADED, EMPTY = frozenset({"loaded"}), frozenset({"empty", "cleaning", "maintenance"})
STAND = frozenset({"stand"})
EVERYTHING = LOADED | EMPTY | STAND
PRICED_ORDERS, PRICING_S, ANY_PRICE_USD = 25, 20.0, 1e5
"""Orders left behind that are priced one by one, seconds for all of them, and a penalty that outweighs everything."""
ROUNDING_SHARE = 0.3
"""Share of the time limit the rounding step may use."""


class _Search:
    """Best plan and bound so far."""

    def __init__(self, model: WagonModel, options: SolveOptions) -> None:
        self.model, self.options, self.started = model, options, time.perf_counter()
        self.bound = 0.0  # every part of the cost is non-negative
        self.cost: float | None = None
        self.runs: dict[Any, int] = {}
        self.on_hire: dict[Any, int] = {}
        self.relaxed_usd, self.relaxed_left = 0.0, dict[str, float]()
        if all(variable.upBound for variable in model.unserved.values()) and not model.moves.overfilled():
            self.offer({}, model.moves.kept_on_hire())  # nothing moves

    def left_s(self) -> float | None:
        limit = self.options.time_limit_s
        return None if limit is None else limit - (time.perf_counter() - self.started)

    def over(self) -> bool:
        left = self.left_s()
        close = self.cost is not None and relative_gap(self.cost, self.bound) <= max(self.options.gap, 1e-9)
        return close or self.options.stop.is_set() or (left is not None and left < 0.05)

    def offer(self, runs: dict[Any, int], on_hire: dict[Any, int]) -> None:
        cost = float(plan_cost(self.model.moves, runs, on_hire))
        if self.cost is None or cost < self.cost:
            self.cost, self.runs, self.on_hire = cost, runs, on_hire
            if self.options.on_progress is not None:
                elapsed = time.perf_counter() - self.started
                self.options.on_progress(Progress(cost, min(self.bound, cost), elapsed))

    def solve(self, whole: Set[str], share: float = 1.0, **highs: Any) -> SolverResult:
        """Solve with runs of some kinds, and wagons that stand for ``stand``, as integers."""
        self.model.ask_whole(whole)
        left = self.left_s()
        limited = replace(
            self.options, time_limit_s=None if left is None else max(0.01, left * share), on_progress=self._relay
        )
        return solve_model(self.model.programme, limited, highs_options=highs)

    def _relay(self, progress: Progress) -> None:
        if self.options.on_progress is not None:
            elapsed = time.perf_counter() - self.started
            self.options.on_progress(Progress(self.cost, self.bound, elapsed))

    def take(self) -> bool:
        """Offer the plan in the variables; False when it is not whole."""
        values = [*self.model.run.values(), *self.model.hire.values()]
        if any(abs(variable.value() - round(variable.value())) > WHOLE for variable in values):
            return False
        self.offer(*self.model.chosen())
        return True

    def take_or_repair(self) -> None:
        """Take the plan; where the rest is not whole, keep its loaded runs and solve the rest in integers."""
        if self.take() or self.over():
            return
        kept = {v: (v.lowBound, v.upBound) for (move, _), v in self.model.run.items() if move.order_id}
        for variable in kept:
            variable.lowBound = variable.upBound = round(variable.value())
        if self.solve(EMPTY | STAND).status.has_plan:
            self.take()
        for variable, (low, high) in kept.items():
            variable.lowBound, variable.upBound = low, high


def solve_exact(problem: RollingStock, options: SolveOptions, moves: Moves | None = None) -> Outcome:
    """Least-cost plan for wagons; see the module for the method and :mod:`exact` for the programme."""
    if (options.solver or "highs").lower() != "highs":
        return solve_whole(problem, options)
    search = _Search(build(problem, moves), options)
    return _outcome(problem, search, _solve_steps(search))


def solve_whole(problem: RollingStock, options: SolveOptions) -> Outcome:
    """The programme handed to the solver as it stands; the way of every solver that keeps no prices of runs."""
    search = _Search(build(problem), options)
    return _outcome(problem, search, _solve_whole(search))


def _solve_whole(search: _Search) -> Status:
    result = search.solve(EVERYTHING)
    if result.bound is not None:
        search.bound = max(search.bound, result.bound)
    if result.status.has_plan:
        search.take()
    return result.status


def _solve_steps(search: _Search) -> Status:
    if search.over():
        return Status.NO_SOLUTION
    relaxed = search.solve(set())
    if not relaxed.status.has_plan or relaxed.status is not Status.OPTIMAL or relaxed.bound is None:
        return relaxed.status
    lowest = relaxed.bound
    search.relaxed_usd = lowest
    search.relaxed_left = {order_id: v.value() for order_id, v in search.model.unserved.items()}
    search.bound = max(search.bound, lowest)
    search.take()
    if search.over():
        return Status.OPTIMAL
    loaded = [(v, v.value(), v.dj or 0.0) for (move, _), v in search.model.run.items() if move.order_id]
    for variable, value, _ in loaded:
        variable.lowBound, variable.upBound = floor(value + WHOLE), ceil(value - WHOLE)
    if search.solve(LOADED, ROUNDING_SHARE).status.has_plan:
        search.take_or_repair()
    for variable, _, price in loaded:
        hopeless = search.cost is not None and price > (search.cost - lowest) * (1 + 1e-6) + 1e-6
        variable.lowBound, variable.upBound = 0, 0 if hopeless else None
    for whole in (LOADED, LOADED | EMPTY, EVERYTHING):
        if search.over():
            break
        result = search.solve(whole)
        if result.bound is not None:
            search.bound = max(
                search.bound, min(result.bound, search.cost if search.cost is not None else result.bound)
            )
        if result.status.has_plan:
            search.take_or_repair()
        elif result.status is Status.INFEASIBLE and search.cost is not None:
            search.bound = search.cost  # every run that could be part of a better plan was open
        elif result.status is Status.INFEASIBLE:
            return result.status
    return Status.FEASIBLE


def _outcome(problem: RollingStock, search: _Search, status: Status) -> Outcome:
    moves = search.model.moves
    if search.cost is None:
        conflicts = what_is_missing(problem, moves, search) if status is Status.INFEASIBLE else ()
        final = status if status is Status.INFEASIBLE else Status.NO_SOLUTION
        return Outcome(final, bound=None if final is Status.INFEASIBLE else search.bound, conflicts=conflicts)
    bound = min(search.bound, search.cost)
    proved = relative_gap(search.cost, bound) <= max(search.options.gap, 1e-6)
    solution = plan_tables(moves, search.runs, search.on_hire)
    solution = tell_unserved(problem, moves, solution, _prices_of_unserved(search, solution["unserved"]["order_id"]))
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, search.cost, bound)


def _prices_of_unserved(search: _Search, left_behind: Iterable[str]) -> dict[str, float]:
    """USD a tonne at which the relaxation would carry orders, each by itself, by solving it again; inf: at none."""
    model = search.model
    orders = [order_id for order_id in left_behind if order_id in model.unserved][:PRICED_ORDERS]
    if not search.relaxed_left or not orders or search.options.stop.is_set():
        return {}
    for variable in (*model.run.values(), *model.stand.values()):
        variable.cat = pulp.LpContinuous
    for variable in model.run.values():
        variable.lowBound, variable.upBound = 0, None
    left = search.left_s()
    limits = replace(search.options, time_limit_s=PRICING_S if left is None else min(PRICING_S, max(1.0, left)))
    changes = [(model.unserved[order_id], ANY_PRICE_USD) for order_id in orders]
    prices = {}
    for order_id, found in zip(orders, repriced(model.programme, changes, limits), strict=True):
        asked, before = float(model.moves.orders[order_id].unserved_usd), search.relaxed_left[order_id]
        if found is None:
            continue
        objective, after = found
        if before - after > WHOLE:
            more = objective - ANY_PRICE_USD * after - (search.relaxed_usd - asked * before)
            prices[order_id] = round(max(asked, more / (before - after)), 4)
        elif before <= WHOLE:
            prices[order_id] = asked  # the relaxation carries it
        else:
            prices[order_id] = math.inf
    return prices


def what_is_missing(problem: RollingStock, moves: Moves, search: _Search) -> tuple[str, ...]:
    """Which orders cannot all be carried: the plan that leaves the fewest tonnes behind, in words."""
    from optimizer.models.rolling_stock.wagons.report import describe_unserved

    if not problem.serve_all:
        return (no_room(moves),)
    elastic = build(replace(problem, serve_all=False), moves)
    tonnes = pulp.lpSum(elastic.unserved.values())
    elastic.programme.setObjective(tonnes)
    rest = _Search(
        elastic,
        replace(
            search.options, time_limit_s=None if search.left_s() is None else max(1.0, search.left_s() or 0), gap=0.01
        ),
    )
    result = rest.solve(EVERYTHING)
    if not result.status.has_plan:
        return ("the orders cannot all be carried with the wagons, yards and train paths there are",)
    return tuple(describe_unserved(problem, moves, plan_tables(moves, *elastic.chosen())))


def no_room(moves: Moves) -> str:
    """Words for a running plan whose wagons, as they are under way, fit nowhere."""
    yards = ", ".join(moves.overfilled())
    return f"the wagons under way find no room in the yards of {yards}; they cannot be held back"


def export(problem: RollingStock, path: Path) -> None:
    """Write the programme as LP or MPS, by the suffix of ``path``.

    Raises
    ------
    UsageError
        Another suffix.
    """
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.exact import build_trains, pulp_model

        programme, _ = pulp_model(build_trains(problem)[1])
    else:
        programme = build(problem, wagon_moves(problem)).programme
    if path.suffix.lower() == ".lp":
        programme.writeLP(str(path), max_length=255)
    elif path.suffix.lower() == ".mps":
        programme.writeMPS(str(path))
    else:
        raise UsageError(f"cannot export to '{path.name}', expected a name ending in .lp or .mps")
