"""Locomotives as one integer programme, in PuLP: consists for the stages of trains, and the locomotives' way between
them.

Sets: trains i with stages s and consists c of n[c,k] units of type k; for each type a time line of events at each
place. Variables: y[i] the train runs, z[s,c] consist of a stage (binary); l light moves, w waiting units (integers).

    min  sum rate_k / 1440 * (minutes in trains, light and waiting away from home) + sum cancel (1 - y)
    (1)  sum over c of z[s,c] = y[i]                                      every stage of a running train has one consist
    (2)  waiting + arriving + fleet = leaving + waiting on                each type and event of its time line

A unit costs by the day from leaving home until it stands at a home of its type again; what waits there is free for
other work. Light moves start when locomotives come free, towards a home, or arrive just in time for a stage: all
others cost the same or more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import pulp

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import LOCOMOTIVE_TABLES, MINUTES_PER_DAY, RollingStock, frame
from optimizer.models.rolling_stock.routes import RouteBook, Way, exact
from optimizer.models.rolling_stock.trains import Consist, Stage, TrainPlan, link_minutes, plan_trains
from optimizer.result import Outcome, Solution, Status, relative_gap
from optimizer.solvers.mip import solve_model


class Light(NamedTuple):
    """Locomotives of a type running light."""

    loco_id: str
    start: str
    end: str
    depart_min: int
    arrive_min: int
    path: tuple[str, ...]


@dataclass
class TrainModel:
    """The programme with the variables that make a plan."""

    plan: TrainPlan
    programme: pulp.LpProblem
    runs: dict[str, Any] = field(default_factory=dict)
    hauled: dict[tuple[Stage, Consist], Any] = field(default_factory=dict)
    light: dict[Light, Any] = field(default_factory=dict)


def build_trains(problem: RollingStock) -> TrainModel:
    """State the programme of the module docstring for a problem of kind locomotives."""
    book = RouteBook(problem.corridor)
    plan = plan_trains(problem, book)
    model = TrainModel(plan, pulp.LpProblem("locomotives", pulp.LpMinimize))
    locos = {row["loco_id"]: row for row in problem.table("locomotives").to_dict("records")}
    cost: list[tuple[Any, float]] = []
    constant = sum(plan.cancel_usd.values(), Fraction(0))
    # type -> place -> minute -> terms: what arrives (+) and leaves (-)
    events: dict[str, dict[str, dict[int, list[tuple[Any, int]]]]] = {
        k: defaultdict(lambda: defaultdict(list)) for k in locos
    }
    for number, (service, stages) in enumerate(plan.stages.items()):
        runs = model.programme.add_variable(
            _name("train", service, number), 1 if problem.serve_all else 0, 1, pulp.LpInteger
        )
        model.runs[service] = runs
        cost.append((runs, -float(plan.cancel_usd[service])))
        for stage in stages:
            chosen = []
            for choice, consist in enumerate(stage.consists):
                name = _name(
                    "haul", service, number, stage.number, choice, *(part for pair in consist for part in pair)
                )
                variable = model.programme.add_variable(name, 0, 1, pulp.LpInteger)
                model.hauled[stage, consist] = variable
                chosen.append(variable)
                minutes = stage.arrive_min - stage.depart_min
                cost.append((variable, float(sum(_rate(locos[k]) * n for k, n in consist) * minutes)))
                for loco_id, units in consist:
                    events[loco_id][stage.from_node][stage.depart_min].append((variable, -units))
                    events[loco_id][stage.to_node][stage.arrive_min].append((variable, units))
            rule = pulp.lpSum(chosen) - runs == 0
            model.programme.addConstraint(rule, _name("consist", service, number, stage.number))
    for loco_id, loco in locos.items():
        _flow_of_type(problem, model, book, loco, events[loco_id], cost)
    model.programme.setObjective(pulp.LpAffineExpression(cost, constant=float(constant)))
    return model


def _name(*parts: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(str(part) for part in parts))


def _rate(loco: Mapping[str, Any]) -> Fraction:
    return exact(loco["cost_usd_per_day"]) / MINUTES_PER_DAY


def _flow_of_type(
    problem: RollingStock,
    model: TrainModel,
    book: RouteBook,
    loco: Mapping[str, Any],
    events: Any,
    cost: list[tuple[Any, float]],
) -> None:
    """(2) Time lines of one type: fleet, light moves, waiting."""
    loco_id, gauge, end = loco["loco_id"], int(loco["gauge_mm"]), problem.days * MINUTES_PER_DAY
    supply: dict[tuple[str, int], int] = defaultdict(int)
    homes = set()
    for row in problem.table("fleet").to_dict("records"):
        if row["type_id"] == loco_id:
            homes.add(row["node_id"])
            if row["from_day"] < problem.days:
                supply[row["node_id"], int(row["from_day"]) * MINUTES_PER_DAY] += int(row["units"])
    if not supply:  # none on hand: no consist with it can be made up
        for terms in (terms for by_minute in events.values() for terms in by_minute.values()):
            for variable, _ in terms:
                variable.upBound = 0
        return
    for node, minute in supply:
        events[node][minute]  # opens the event
    graph = book.graph((gauge,), wired_only=loco["traction"] == "electric")
    departures = {n: sorted(m for m, terms in by.items() if any(s < 0 for _, s in terms)) for n, by in events.items()}
    arrivals = {n: sorted(m for m, terms in by.items() if any(s > 0 for _, s in terms)) for n, by in events.items()}
    lines = {n: sorted(by) for n, by in events.items()}
    per_day = exact(problem.corridor.config.rolling_stock.hours_per_day)
    moves: set[Light] = set()
    for start in lines:
        for there in lines:
            way = graph.way((start, gauge), (there, gauge))
            if way is None:
                continue
            minutes = way_minutes(way, per_day)
            latest = [(m - minutes, m) for m in departures[there] if m - minutes >= lines[start][0] and m <= end]
            moves |= {Light(loco_id, start, there, leave, come, way.path) for leave, come in latest}
            if there in homes and start not in homes:
                soon = [m for m in arrivals[start] if m + minutes <= end]
                moves |= {Light(loco_id, start, there, m, m + minutes, way.path) for m in soon}
    for number, move in enumerate(sorted(moves)):
        name = _name("light", loco_id, move.start, move.end, move.depart_min, number)
        variable = model.programme.add_variable(name, 0, None, pulp.LpInteger)
        model.light[move] = variable
        cost.append((variable, float(_rate(loco) * (move.arrive_min - move.depart_min))))
        events[move.start][move.depart_min].append((variable, -1))
        events[move.end][move.arrive_min].append((variable, 1))
    for node, by_minute in events.items():
        before: Any = None
        line = sorted(by_minute)
        for place, minute in enumerate(line):
            until = line[place + 1] if place + 1 < len(line) else max(end, minute)
            name = _name("wait", loco_id, node, minute)
            waiting = model.programme.add_variable(f"{name}_{len(cost)}", 0)
            if node not in homes:
                cost.append((waiting, float(_rate(loco) * max(0, min(until, end) - min(minute, end)))))
            terms = [*by_minute[minute], (waiting, -1), *([(before, 1)] if before is not None else [])]
            rule = pulp.LpAffineExpression(terms) == -supply.get((node, minute), 0)
            model.programme.addConstraint(rule, f"units_{name}_{len(cost)}")
            before = waiting


def way_minutes(way: Way, hours_per_day: Fraction) -> int:
    """Minutes of a light move: each link is rounded up on its own, as for trains."""
    return sum(link_minutes(hours, hours_per_day) for hours in way.edge_hours)


def solve_trains(problem: RollingStock, options: SolveOptions) -> Outcome:
    """Least-cost locomotive plan; cancelled trains carry the reason in words."""
    model = build_trains(problem)
    impossible = tuple(f"train {service}: {why}" for service, why in model.plan.impossible.items())
    if problem.serve_all and impossible:
        return Outcome(Status.INFEASIBLE, conflicts=impossible)
    result = solve_model(model.programme, options)
    if result.status is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE, conflicts=_too_few(problem, options))
    nothing = float(sum(model.plan.cancel_usd.values(), Fraction(0)))
    if not result.status.has_plan or result.objective is None:
        if problem.serve_all:
            return Outcome(Status.NO_SOLUTION, bound=result.bound)
        return Outcome(
            Status.FEASIBLE, _tables(model, running=False), nothing, max(0.0, min(result.bound or 0.0, nothing))
        )
    solution = _tables(model)
    cost = float(plan_cost_trains(problem, model))
    bound = None if result.bound is None else min(result.bound, cost)
    proved = bound is not None and relative_gap(cost, bound) <= max(options.gap, 1e-6)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, cost, bound)


def _too_few(problem: RollingStock, options: SolveOptions) -> tuple[str, ...]:
    """Which trains stay behind when as many as possible run."""
    model = build_trains(replace(problem, serve_all=False))
    model.programme.setObjective(pulp.lpSum(-variable for variable in model.runs.values()))
    if not solve_model(model.programme, options).status.has_plan:
        return ("the trains cannot all run with the locomotives there are",)
    words = []
    for service, variable in model.runs.items():
        if not round(variable.value()):
            stage = max(model.plan.stages[service], key=lambda s: min(sum(n for _, n in c) for c in s.consists))
            choice = " or ".join(" + ".join(f"{n} {k}" for k, n in c) for c in stage.consists[:3])
            words.append(
                f"train {service}: too few locomotives; from {stage.from_node} to {stage.to_node} "
                f"it needs for example {choice}"
            )
    return tuple(words)


def _tables(model: TrainModel, running: bool = True) -> Solution:
    stages, light, cancelled = [], [], []
    for (stage, consist), variable in model.hauled.items() if running else ():
        if round(variable.value()):
            for loco_id, units in consist:
                row = {"service_id": stage.service_id, "stage": stage.number, "from_node": stage.from_node}
                stages.append({**row, "to_node": stage.to_node, "loco_id": loco_id, "units": units})
    for move, variable in model.light.items() if running else ():
        if round(variable.value()):
            row = {"loco_id": move.loco_id, "from_node": move.start, "to_node": move.end}
            light.append({**row, "depart_min": move.depart_min, "units": round(variable.value()), "path": move.path})
    for service in model.plan.cancel_usd:
        if service in model.plan.impossible:
            cancelled.append({"service_id": service, "reason": model.plan.impossible[service]})
        elif not running or not round(model.runs[service].value()):
            cancelled.append(
                {"service_id": service, "reason": "cheaper to cancel than to bring locomotives, or none are free"}
            )
    tables = {"stages": stages, "light_moves": light, "cancelled": cancelled}
    return {name: frame(tables[name], row_model) for name, row_model in LOCOMOTIVE_TABLES.items()}


def plan_cost_trains(problem: RollingStock, model: TrainModel) -> Fraction:
    """Exact cost of the plan in the variables, USD."""
    locos = {row["loco_id"]: row for row in problem.table("locomotives").to_dict("records")}
    end = problem.days * MINUTES_PER_DAY
    homes = {(row["type_id"], row["node_id"]) for row in problem.table("fleet").to_dict("records")}
    cost = sum(
        (usd for s, usd in model.plan.cancel_usd.items() if s not in model.runs or not round(model.runs[s].value())),
        Fraction(0),
    )

    def stay(loco_id: str, node: str, minute: int) -> Fraction:
        """Cost of a unit that would wait from then on."""
        return Fraction(0) if (loco_id, node) in homes else _rate(locos[loco_id]) * max(0, end - minute)

    for (stage, consist), variable in model.hauled.items():
        if round(variable.value()):
            for k, n in consist:
                minutes = stage.arrive_min - stage.depart_min
                change = stay(k, stage.to_node, stage.arrive_min) - stay(k, stage.from_node, stage.depart_min)
                cost += n * (_rate(locos[k]) * minutes + change)
    for move, variable in model.light.items():
        k, minutes = move.loco_id, move.arrive_min - move.depart_min
        change = stay(k, move.end, move.arrive_min) - stay(k, move.start, move.depart_min)
        cost += round(variable.value()) * (_rate(locos[k]) * minutes + change)
    return cost
