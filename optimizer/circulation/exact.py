"""The compact model: one flow of vehicles for each depot, in PuLP.

Variables: x[k,a] a vehicle of depot k takes link a; out[k,i], home[k,i] it leaves for, comes from trip i (binary);
s[i] trip i is left out (where that is allowed).

    min  sum of costs of moves and services + sum skip_i s_i
    (1)  sum over k of (out[k,i] + links into i) + s_i = 1                every trip once
    (2)  out[k,i] + links into i = home[k,i] + links out of i             every depot and trip
    (3)  sum over i of out[k,i] <= vehicles_k                             every depot
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pulp

from optimizer.circulation.problem import Circulated, Circulation, Plan, Rotation
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.mip import solve_model


def build(problem: Circulation) -> tuple[pulp.LpProblem, dict[tuple[int, int, int], Any]]:
    """The programme and its moves: (depot, from, to) -> variable; -1 stands for the depot."""
    model = pulp.LpProblem("circulation", pulp.LpMinimize)
    moves: dict[tuple[int, int, int], Any] = {}
    cost: list[tuple[Any, float]] = []
    into: dict[tuple[int, int], list[Any]] = defaultdict(list)
    out_of: dict[tuple[int, int], list[Any]] = defaultdict(list)

    def move(depot: int, tail: int, head: int, price: float) -> None:
        own = problem.service[depot, head] if head >= 0 else 0.0
        if not np.isfinite(price + own) or (tail >= 0 and not np.isfinite(problem.service[depot, tail])):
            return
        variable = model.add_variable(f"x_{depot}_{tail + 1}_{head + 1}", 0, 1, pulp.LpInteger)
        moves[depot, tail, head] = variable
        cost.append((variable, float(price + own)))
        out_of[depot, tail].append(variable)
        into[depot, head].append(variable)

    for k in range(problem.num_depots):
        for i in range(problem.num_trips):
            move(k, -1, i, problem.pull_out[k, i])
            move(k, i, -1, problem.pull_in[k, i])
        for i, j, price in zip(problem.link_tail, problem.link_head, problem.link_cost, strict=True):
            move(k, int(i), int(j), float(price * problem.link_rate[k]))
    for i in range(problem.num_trips):
        done = [variable for k in range(problem.num_depots) for variable in into[k, i]]
        if np.isfinite(problem.skip[i]):
            left_out = model.add_variable(f"skip_{i}", 0, 1, pulp.LpInteger)
            cost.append((left_out, float(problem.skip[i])))
            done.append(left_out)
        model.addConstraint(pulp.lpSum(done) == 1, f"trip_{i}")
        for k in range(problem.num_depots):
            terms = [(v, 1) for v in into[k, i]] + [(v, -1) for v in out_of[k, i]]
            if terms:
                model.addConstraint(pulp.LpAffineExpression(terms) == 0, f"flow_{k}_{i}")
    for k in range(problem.num_depots):
        model.addConstraint(pulp.lpSum(out_of[k, -1]) <= int(problem.vehicles[k]), f"vehicles_{k}")
    model.setObjective(pulp.LpAffineExpression(cost))
    return model, moves


def solve_exact(problem: Circulation, options: SolveOptions) -> Circulated:
    """Optimum of the compact model, or the best plan and bound within the limits."""
    model, moves = build(problem)
    result = solve_model(model, options)
    if result.status is Status.INFEASIBLE:
        return Circulated(None, np.inf, np.inf, runtime_s=result.runtime_s)
    bound = -np.inf if result.bound is None else result.bound
    if not result.status.has_plan:
        return Circulated(None, np.inf, bound, runtime_s=result.runtime_s)
    plan = plan_of(problem, [key for key, variable in moves.items() if round(variable.value() or 0.0)])
    return Circulated(plan, problem.cost(plan), bound, runtime_s=result.runtime_s)


def plan_of(problem: Circulation, taken: list[tuple[int, int, int]]) -> Plan:
    """The plan that takes these moves."""
    follower = {(k, tail): head for k, tail, head in taken if tail >= 0}
    rotations = []
    for k, tail, head in taken:
        if tail >= 0:
            continue
        trips = [head]
        while follower[k, trips[-1]] >= 0:
            trips.append(follower[k, trips[-1]])
        rotations.append(Rotation(k, tuple(trips)))
    done = {i for rotation in rotations for i in rotation.trips}
    return Plan(tuple(rotations), tuple(i for i in range(problem.num_trips) if i not in done))
