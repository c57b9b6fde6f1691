"""Locomotives as one integer programme in PuLP: that of :mod:`programme`, for all trains at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pulp

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.duties import (
    UnitDuty,
    cancel_reasons,
    plan_cost,
    plan_tables,
    unit_duties,
)
from optimizer.models.rolling_stock.locomotives.network import Floats, LocoNetwork
from optimizer.models.rolling_stock.locomotives.programme import GROUPS, Programme, build_programme
from optimizer.models.rolling_stock.locomotives.trains import TrainPlan, least_cost, plan_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.result import Outcome, Status, relative_gap
from optimizer.solvers.mip import solve_model


def build_trains(problem: RollingStock) -> tuple[TrainPlan, Programme]:
    """Stages of all trains and the exact programme for those that can run."""
    plan = plan_trains(problem, RouteBook(problem.corridor))
    return plan, build_programme(problem, plan, tuple(plan.stages))


def pulp_model(programme: Programme) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
    """The programme in PuLP, and its variables in the order of the columns."""
    model = pulp.LpProblem("locomotives", pulp.LpMinimize)
    variables: list[pulp.LpVariable] = []
    for group in GROUPS:
        whole = pulp.LpContinuous if group == "wait" else pulp.LpInteger
        for at, key in zip(range(*programme.group[group].indices(programme.num_columns)), programme.key[group]):  # noqa: B905
            name = _name(group, at, *_words(programme, group, key))
            variables.append(model.add_variable(name, programme.lower[at], programme.upper[at], whole))
    terms = zip(variables, programme.cost.tolist(), strict=True)
    model.setObjective(pulp.LpAffineExpression(list(terms), constant=programme.constant))
    rows = programme.by_row
    rules = [rule for rule, size in programme.row_names for _ in range(size)]
    for row, rule in enumerate(rules):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        entries = zip(rows.indices[part].tolist(), rows.data[part].tolist(), strict=True)
        left = pulp.LpAffineExpression([(variables[column], value) for column, value in entries])
        low, high = programme.row_lower[row], programme.row_upper[row]
        model.addConstraint(left == high if low == high else left <= high, f"{rule}_{row}")
    return model, variables


def _words(programme: Programme, group: str, key: Any) -> list[Any]:
    if group == "train":
        return [programme.services[key[0]]]
    if group == "haul":
        stage = programme.stages[key[0]]
        consist = programme.consists[key[0]][key[1]]
        return [stage.service_id, stage.number, *(part for pair in consist for part in pair)]
    network = programme.networks[programme.layers[key[0]].network]
    if group in ("unit", "stay"):
        stage = programme.stages[key[1]]
        return [network.loco_id, stage.service_id, stage.number]
    if group == "light":
        light = network.light
        ends = network.places[light.start[key[1]]], network.places[light.end[key[1]]]
        return [network.loco_id, *ends, light.leave_min[key[1]]]
    if group == "shop":
        return [network.loco_id, network.windows[key[1]].window_id]
    return [network.loco_id, network.places[network.event_place[key[1]]], network.event_min[key[1]]]


def _name(*parts: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(str(part) for part in parts))


def trains_running(programme: Programme, x: Floats) -> list[str]:
    """Services of the trains that run in values of the columns."""
    taken = np.rint(x[programme.group["train"]]) > 0
    return [service for service, runs in zip(programme.services, taken, strict=True) if runs]


def solve_trains(problem: RollingStock, options: SolveOptions) -> Outcome:
    """Least-cost locomotive plan; cancelled trains carry the reason in words."""
    plan, programme = build_trains(problem)
    impossible = tuple(f"train {service}: {why}" for service, why in plan.impossible.items())
    if problem.serve_all and impossible:
        return Outcome(Status.INFEASIBLE, conflicts=impossible)
    if not programme.stages:
        return outcome_of(problem, plan, programme.networks, [], [], nothing_usd(plan), options)
    model, variables = pulp_model(programme)
    result = solve_model(model, options)
    if result.status is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE, conflicts=_too_few(problem, options))
    hopeless = float(sum((plan.cancel_usd[service] for service in plan.impossible), Fraction(0)))
    bound = None if result.bound is None else result.bound + hopeless
    if not result.status.has_plan or result.objective is None:
        if problem.serve_all:
            return Outcome(Status.NO_SOLUTION, bound=bound)
        known = least_cost(problem, plan, plan.stages) + hopeless
        return outcome_of(problem, plan, programme.networks, [], [], max(known, bound or 0.0), options)
    x = np.array([variable.value() for variable in variables])
    duties = unit_duties(programme, x, problem.corridor.config.rolling_stock.connection_min)
    return outcome_of(problem, plan, programme.networks, duties, trains_running(programme, x), bound, options)


def nothing_usd(plan: TrainPlan) -> float:
    """Cost of the plan in which no train runs."""
    return float(sum(plan.cancel_usd.values(), Fraction(0)))


def outcome_of(
    problem: RollingStock, plan: TrainPlan, networks: Sequence[LocoNetwork], duties: list[UnitDuty], running: list[str],
    bound: float | None, options: SolveOptions,
) -> Outcome:  # fmt: skip
    """The plan with its exact cost; ``bound`` counts trains that cannot run."""
    solution = plan_tables(duties, running, plan, cancel_reasons(plan, networks))
    cost = float(plan_cost(problem, duties, running, plan))
    bound = None if bound is None else min(bound, cost)
    proved = bound is not None and relative_gap(cost, bound) <= max(options.gap, 1e-6)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, cost, bound)


def _too_few(problem: RollingStock, options: SolveOptions) -> tuple[str, ...]:
    """Which trains stay behind when as many as possible run."""
    plan, programme = build_trains(replace(problem, serve_all=False))
    model, variables = pulp_model(programme)
    trains = variables[programme.group["train"]]
    model.setObjective(pulp.lpSum(-variable for variable in trains))
    if not solve_model(model, options).status.has_plan:
        return ("the trains cannot all run with the locomotives there are",)
    words = []
    for service, variable in zip(programme.services, trains, strict=True):
        if not round(variable.value()):
            stage = max(plan.stages[service], key=lambda s: min(sum(n for _, n in c) for c in s.consists))
            choice = " or ".join(" + ".join(f"{n} {k}" for k, n in c) for c in stage.consists[:3])
            words.append(
                f"train {service}: too few locomotives; from {stage.from_node} to {stage.to_node} "
                f"it needs for example {choice}"
            )
    return tuple(words)
