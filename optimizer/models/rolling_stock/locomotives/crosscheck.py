"""Locomotives a second time, in OR-Tools MathOpt: who does what after what, unit by unit.

No time lines and no layers. A unit goes from one task (a stage of a train, or a window of a shop) to the next; between
them it stays with its train, waits, runs light, or runs light by way of a home. Variables: x[u,a,b,w] unit u does b
right after a in way w, z[s,c] consist of a stage, y[i] train i runs (all binary); k[u,b] and d[u,b] kilometres and due
minute after task b.

    min  sum costs of tasks and of ways between them + sum cancel_i (1 - y_i)
    (1)  sum over c of z[s,c] = y[i];   units of k that do s = sum over c of n[c,k] z[s,c]
    (2)  each unit leaves its stand once, and every task it does
    (3)  windows take their units
    (4)  k[u,b] >= k[u,a] + km of way and task, at most the limit; 0 after a shop
    (5)  d[u,b] <= d[u,a], until a shop sets it anew; what a unit does ends by then
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

from ortools.math_opt.python import mathopt

from optimizer.data.columns import is_blank
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.duties import Step, UnitDuty, cancel_reasons, plan_cost, plan_tables
from optimizer.models.rolling_stock.locomotives.exact import nothing_usd
from optimizer.models.rolling_stock.locomotives.trains import Stage, link_minutes, plan_trains
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import RouteBook, exact
from optimizer.result import Outcome, Status, relative_gap
from optimizer.solvers.mathopt import solve_mathopt


@dataclass(frozen=True)
class _Task:
    """A stage of a train or a window of a shop, and the minute in which a unit is free after it."""

    step: Step
    free_min: int
    km: Fraction


@dataclass(frozen=True)
class _Way:
    """A way between two tasks: minutes paid, kilometres, end of the last light move (0: none), and the light moves."""

    paid_min: int
    km: Fraction
    ends_min: int
    moves: tuple[Step, ...] = ()


class _Type:
    """What one type can do."""

    def __init__(self, problem: RollingStock, book: RouteBook, loco: Any, stages: list[Stage]) -> None:
        settings = problem.corridor.config.rolling_stock
        self.loco, self.connection = loco, settings.connection_min
        self.rate = exact(loco["cost_usd_per_day"]) / MINUTES_PER_DAY
        self.end = problem.days * MINUTES_PER_DAY
        self._graph = book.graph((int(loco["gauge_mm"]),), wired_only=loco["traction"] == "electric")
        self._per_day = exact(settings.hours_per_day)
        self.fleet = [r for r in problem.table("fleet").to_dict("records") if r["type_id"] == loco["loco_id"]]
        self.homes = sorted({row["node_id"] for row in self.fleet})
        self.units = [
            (row, n + 1) for row in self.fleet if row["from_day"] < problem.days for n in range(int(row["units"]))
        ]
        self.tasks = [
            _Task(Step("train", s.from_node, s.to_node, s.depart_min, s.arrive_min, s), s.arrive_min + self.connection,
                  s.length_km)
            for s in stages
        ]  # fmt: skip
        for row in problem.table("shop_windows").to_dict("records"):
            if row["loco_id"] == loco["loco_id"] and row["from_min"] < self.end:
                place, begin, until = row["node_id"], int(row["from_min"]), int(row["until_min"])
                step = Step("shop", place, place, begin, until, window_id=row["window_id"])
                self.tasks.append(_Task(step, until, Fraction(0)))
        self.limits = {self.end}
        """Minutes by which a light move may have to end: the horizon, and when units fall due in a shop."""
        if not is_blank(loco["maintenance_days"]):
            since = [-_or_zero(row["days_since_maintenance"]) * MINUTES_PER_DAY for row in self.fleet]
            since += [Fraction(task.step.arrive_min) for task in self.tasks if task.step.stage is None]
            self.limits |= {floor(minute + exact(loco["maintenance_days"]) * MINUTES_PER_DAY) for minute in since}

    def light(self, start: str, end: str, leave_min: int) -> tuple[int, Fraction, Step] | None:
        """Minutes, kilometres and step of a light move that ends in time."""
        gauge = int(self.loco["gauge_mm"])
        way = self._graph.way((start, gauge), (end, gauge))
        if way is None:
            return None
        minutes = sum(link_minutes(hours, self._per_day) for hours in way.edge_hours)
        if leave_min + minutes > self.end:
            return None
        return minutes, way.length_km, Step("light", start, end, leave_min, leave_min + minutes, path=way.path)

    def _from_home(self, start: str, end: str, soonest: int, until: int) -> Iterator[tuple[int, Fraction, Step]]:
        """Light moves from a home that leave as late as they may, to be ready at ``until``: waiting at home is free."""
        if (first := self.light(start, end, soonest)) is None:
            return
        in_time = until - self.connection
        for ends in {min(in_time, limit) for limit in self.limits}:
            later = ends - first[2].arrive_min
            if later >= 0 and (move := self.light(start, end, soonest + later)) is not None:
                yield move

    def _clipped(self, begin: int, until: int) -> int:
        return max(0, min(until, self.end) - min(begin, self.end))

    def ways(self, place: str, free_min: int, then: _Task | None) -> list[_Way]:
        """Ways from being free at a place to the next task, or to the end of the horizon."""
        found, wait = [], self.connection
        home = place in self.homes
        until = self.end if then is None else then.step.depart_min
        if then is None or (then.step.start == place and free_min <= until):
            found.append(_Way(0 if home else self._clipped(free_min, until), Fraction(0), 0))
        if then is None:
            for there in () if home else self.homes:
                if (back := self.light(place, there, free_min)) is not None:
                    found.append(_Way(back[0] + wait, back[1], free_min + back[0], (back[2],)))
            return found
        goal = then.step.start

        def wait_after(move: Step) -> int:
            """Paid minutes from a light move to the task: the connection, and what the unit waits away from home."""
            ready = move.arrive_min + wait
            return wait + (0 if goal in self.homes else self._clipped(ready, until))

        if goal != place:
            direct = self.light(place, goal, free_min)
            straight = [direct] if direct is not None else []
            for minutes, km, move in self._from_home(place, goal, free_min, until) if home else straight:
                if move.arrive_min + wait <= until:
                    found.append(_Way(minutes + wait_after(move), km, move.arrive_min, (move,)))
        if not home and goal not in self.homes:
            for there in self.homes:
                if (first := self.light(place, there, free_min)) is None:
                    continue
                for minutes, km, move in self._from_home(there, goal, first[2].arrive_min + wait, until):
                    paid = first[0] + wait + minutes + wait_after(move)
                    found.append(_Way(paid, first[1] + km, move.arrive_min, (first[2], move)))
        return found


def solve_crosscheck_trains(problem: RollingStock, options: SolveOptions) -> Outcome:
    """Least-cost locomotive plan by the second formulation; for small cases."""
    book = RouteBook(problem.corridor)
    plan = plan_trains(problem, book)
    impossible = tuple(f"train {service}: {why}" for service, why in plan.impossible.items())
    if problem.serve_all and impossible:
        return Outcome(Status.INFEASIBLE, conflicts=impossible)
    model = mathopt.Model(name="locomotives")
    cost: list[tuple[float, Any]] = []
    runs = {s: model.add_variable(lb=float(problem.serve_all), ub=1.0, is_integer=True) for s in plan.stages}
    cost += [(-float(plan.cancel_usd[service]), variable) for service, variable in runs.items()]
    made: dict[tuple[Stage, str], list[Any]] = defaultdict(list)
    for service, stages in plan.stages.items():
        for stage in stages:
            chosen = [model.add_binary_variable() for _ in stage.consists]
            model.add_linear_constraint(_total(chosen) == runs[service])
            for variable, consist in zip(chosen, stage.consists, strict=True):
                for loco_id, units in consist:
                    made[stage, loco_id].append(units * variable)
    taken: dict[tuple[Stage, str], list[Any]] = defaultdict(list)
    shopped: dict[str, list[Any]] = defaultdict(list)
    chains: list[_Chain] = []
    for loco in problem.table("locomotives").to_dict("records"):
        mine = [s for stages in plan.stages.values() for s in stages if (s, loco["loco_id"]) in made]
        kind = _Type(problem, book, loco, mine)
        for row, unit in kind.units:
            chain = _Chain(model, kind, row, unit, cost)
            chains.append(chain)
            for task, does in chain.does.items():
                if task.step.stage is not None:
                    taken[task.step.stage, loco["loco_id"]].append(does)
                else:
                    shopped[task.step.window_id].append(does)
    for key, hauling in made.items():
        model.add_linear_constraint(_total(taken[key]) - _total(hauling) == 0)
    for row in problem.table("shop_windows").to_dict("records"):
        if shopped[row["window_id"]]:
            model.add_linear_constraint(_total(shopped[row["window_id"]]) <= int(row["units"]))
    constant = nothing_usd(plan)
    model.minimize(_total(usd * variable for usd, variable in cost) + constant)
    result = solve_mathopt(model, options)
    if result.status is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE, conflicts=("the trains cannot all run with the locomotives there are",))
    if not result.status.has_plan:
        if problem.serve_all:
            return Outcome(Status.NO_SOLUTION, bound=result.bound)
        solution = plan_tables([], [], plan, cancel_reasons(plan, ()))
        return Outcome(Status.FEASIBLE, solution, constant, max(0.0, min(result.bound or 0.0, constant)))
    running = [service for service, variable in runs.items() if round(result.values[variable])]
    duties = [chain.duty(result.values) for chain in chains]
    usd = float(plan_cost(problem, duties, running, plan))
    bound = None if result.bound is None else min(result.bound, usd)
    proved = bound is not None and relative_gap(usd, bound) <= max(options.gap, 1e-6)
    solution = plan_tables(duties, running, plan, cancel_reasons(plan, ()))
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, usd, bound)


class _Chain:
    """One unit: its arcs, and (2), (4), (5)."""

    def __init__(self, model: mathopt.Model, kind: _Type, row: Any, unit: int, cost: list[tuple[float, Any]]) -> None:
        self.kind, self.row, self.unit = kind, row, unit
        self.arcs: list[tuple[_Task | None, _Task | None, _Way, Any]] = []
        into: dict[_Task | None, list[Any]] = defaultdict(list)
        out: dict[_Task | None, list[Any]] = defaultdict(list)
        stand = int(row["from_day"]) * MINUTES_PER_DAY
        for before in (None, *kind.tasks):
            place, free = (row["node_id"], stand) if before is None else (before.step.end, before.free_min)
            for after in (None, *kind.tasks):
                if after is before and after is not None:
                    continue
                ways = kind.ways(place, free, after)
                if before is not None and after is not None and after.step.goes_on_from(before.step):
                    ways = [_Way(-kind.connection, Fraction(0), 0)]
                for way in ways:
                    variable = model.add_binary_variable()
                    self.arcs.append((before, after, way, variable))
                    out[before].append(variable)
                    into[after].append(variable)
                    paid = way.paid_min + (0 if after is None else self._task_min(after))
                    cost.append((float(kind.rate * paid), variable))
        self.does = {task: _total(into[task]) for task in kind.tasks}
        model.add_linear_constraint(_total(out[None]) == 1)
        for task in kind.tasks:
            model.add_linear_constraint(_total(into[task]) - _total(out[task]) == 0)
            model.add_linear_constraint(_total(into[task]) <= 1)
        if not is_blank(kind.loco["maintenance_km"]):
            self._kilometres(model)
        if not is_blank(kind.loco["maintenance_days"]):
            self._days(model)

    def _task_min(self, task: _Task) -> int:
        if task.step.stage is not None:
            return task.free_min - task.step.depart_min
        away = task.step.start not in self.kind.homes
        return (
            max(0, min(task.step.arrive_min, self.kind.end) - min(task.step.depart_min, self.kind.end)) if away else 0
        )

    def _kilometres(self, model: mathopt.Model) -> None:
        most = float(exact(self.kind.loco["maintenance_km"]))
        since = float(_or_zero(self.row["km_since_maintenance"]))
        after = {t: model.add_variable(lb=0.0, ub=most if t.step.stage else 0.0) for t in self.kind.tasks}
        whole = most + since + sum(float(t.km) for t in self.kind.tasks) + 1e5
        for before, then, way, variable in self.arcs:
            start = since if before is None else after[before]
            run = float(way.km) + (float(then.km) if then is not None else 0.0)
            if run == 0.0 and (then is None or then.step.stage is None):
                continue  # standing, or going into the shop on the spot
            limit = after[then] if then is not None and then.step.stage is not None else most
            model.add_linear_constraint(start + run - limit <= whole * (1 - variable))

    def _days(self, model: mathopt.Model) -> None:
        days = exact(self.kind.loco["maintenance_days"])
        since = _or_zero(self.row["days_since_maintenance"])
        first = float((days - since) * MINUTES_PER_DAY)
        latest = max([float(self.kind.end), first, *(t.step.arrive_min + float(days) * MINUTES_PER_DAY
                                                      for t in self.kind.tasks)])  # fmt: skip
        due = {
            t: model.add_variable(
                lb=-latest, ub=latest if t.step.stage else t.step.arrive_min + float(days) * MINUTES_PER_DAY
            )
            for t in self.kind.tasks
        }
        for before, then, way, variable in self.arcs:
            start = first if before is None else due[before]
            ends = way.ends_min if then is None or then.step.stage is None else then.step.arrive_min
            if ends:
                model.add_linear_constraint(ends - start <= 3 * latest * (1 - variable))
            if then is not None and then.step.stage is not None:
                model.add_linear_constraint(due[then] - start <= 3 * latest * (1 - variable))

    def duty(self, values: dict[mathopt.Variable, float]) -> UnitDuty:
        """The steps of the unit."""
        taken = {before: (then, way) for before, then, way, variable in self.arcs if round(values[variable])}
        loco = self.kind.loco["loco_id"]
        homes = frozenset(self.kind.homes)
        found = UnitDuty(loco, self.row["fleet_id"], self.unit, self.kind.rate, homes)
        at: _Task | None = None
        while True:
            at, way = taken[at]
            found.steps += way.moves
            if at is None:
                return found
            found.steps.append(at.step)


def _or_zero(value: Any) -> Fraction:
    return Fraction(0) if is_blank(value) else exact(value)


def _total(terms: Iterable[Any]) -> Any:
    """Sum that is an expression also when there are no terms."""
    return sum(terms, mathopt.LinearExpression())
