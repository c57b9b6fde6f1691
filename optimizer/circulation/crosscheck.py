"""A second formulation, in OR-Tools MathOpt: who follows whom whatever the depot, and the depot of every trip.

Variables, all binary: y[a] link a is taken; b[k,i], e[k,i] a vehicle of depot k begins, ends with trip i; z[k,i] trip
i is done by depot k; w[i] it is left out.

    (1)  sum over k of z[k,i] + w[i] = 1
    (2)  sum over k of b[k,i] + links into i = sum of z[k,i] = sum of e[k,i] + links out of i
    (3)  b[k,i] <= z[k,i],  e[k,i] <= z[k,i];  z[k,j] >= z[k,i] + y[i,j] - 1 and z[k,i] >= z[k,j] + y[i,j] - 1
    (4)  sum over i of b[k,i] <= vehicles_k

A link costs what the depot's rate makes of it; where rates differ, ``r[a] >= link cost * rate_k - M (1 - z[k,i])`` per
link does not pay, so that this formulation takes equal rates only.
"""

from __future__ import annotations

import numpy as np
from ortools.math_opt.python import mathopt

from optimizer.circulation.exact import plan_of
from optimizer.circulation.problem import Circulated, Circulation
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.mathopt import solve_mathopt


def solve_crosscheck(problem: Circulation, options: SolveOptions) -> Circulated:
    """Optimum, or the best plan and bound within the limits, by ``highs``, ``scip`` or ``cp-sat``."""
    if problem.num_depots and np.ptp(problem.link_rate) > 0:
        raise UsageError("the second formulation of circulation takes equal link rates only")
    model = mathopt.Model(name="circulation")
    depots, trips = range(problem.num_depots), range(problem.num_trips)
    follows = [model.add_binary_variable() for _ in problem.link_cost]
    into: list[list[mathopt.Variable]] = [[] for _ in trips]
    out_of: list[list[mathopt.Variable]] = [[] for _ in trips]
    for y, i, j in zip(follows, problem.link_tail, problem.link_head, strict=True):
        out_of[i].append(y)
        into[j].append(y)

    def binaries(possible: np.ndarray) -> list[list[mathopt.Variable]]:
        return [[model.add_integer_variable(lb=0, ub=int(possible[k, i])) for i in trips] for k in depots]

    begins, ends = binaries(np.isfinite(problem.pull_out)), binaries(np.isfinite(problem.pull_in))
    does, left_out = (
        binaries(np.isfinite(problem.service)),
        [model.add_integer_variable(lb=0, ub=int(np.isfinite(problem.skip[i]))) for i in trips],
    )
    rate = float(problem.link_rate[0]) if problem.num_depots else 1.0
    prices = [(y, rate * float(c)) for y, c in zip(follows, problem.link_cost, strict=True)]
    for i in trips:
        done = mathopt.fast_sum([does[k][i] for k in depots])
        model.add_linear_constraint(done + left_out[i] == 1)
        model.add_linear_constraint(mathopt.fast_sum([begins[k][i] for k in depots] + into[i]) == done)
        model.add_linear_constraint(mathopt.fast_sum([ends[k][i] for k in depots] + out_of[i]) == done)
        for k in depots:
            model.add_linear_constraint(begins[k][i] <= does[k][i])
            model.add_linear_constraint(ends[k][i] <= does[k][i])
        parts = [(left_out[i], problem.skip[i])]
        for k in depots:
            parts += [(begins[k][i], problem.pull_out[k, i]), (ends[k][i], problem.pull_in[k, i])]
            parts.append((does[k][i], problem.service[k, i]))
        prices += [(variable, float(price)) for variable, price in parts if np.isfinite(price)]
    for y, i, j in zip(follows, problem.link_tail, problem.link_head, strict=True):
        for k in depots:
            model.add_linear_constraint(does[k][j] >= does[k][i] + y - 1)
            model.add_linear_constraint(does[k][i] >= does[k][j] + y - 1)
    for k in depots:
        model.add_linear_constraint(mathopt.fast_sum(begins[k]) <= int(problem.vehicles[k]))
    model.minimize(mathopt.fast_sum([price * variable for variable, price in prices]))
    result = solve_mathopt(model, options)
    if result.status is Status.INFEASIBLE:
        return Circulated(None, np.inf, np.inf, runtime_s=result.runtime_s)
    bound = -np.inf if result.bound is None else result.bound
    if not result.status.has_plan:
        return Circulated(None, np.inf, bound, runtime_s=result.runtime_s)
    taken: list[tuple[int, int, int]] = []
    depot_of = {i: k for k in depots for i in trips if round(result.values[does[k][i]])}
    for i, k in depot_of.items():
        if round(result.values[begins[k][i]]):
            taken.append((k, -1, i))
        if round(result.values[ends[k][i]]):
            taken.append((k, i, -1))
    for y, i, j in zip(follows, problem.link_tail.tolist(), problem.link_head.tolist(), strict=True):
        if round(result.values[y]):
            taken.append((depot_of[i], i, j))
    plan = plan_of(problem, taken)
    return Circulated(plan, problem.cost(plan), bound, runtime_s=result.runtime_s)
