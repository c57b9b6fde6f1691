"""MathOpt and CP-SAT: status, bound, values, limits, stop and repeatable plans."""

from __future__ import annotations

import random
import threading
import time

import pytest
from ortools.math_opt.python import mathopt
from ortools.sat.python import cp_model

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.result import Progress, Status
from optimizer.solvers.cpsat import solve_cpsat
from optimizer.solvers.mathopt import solve_mathopt


def transport(integer: bool) -> tuple[mathopt.Model, list[mathopt.Variable], mathopt.LinearConstraint]:
    model = mathopt.Model()
    x, y = (model.add_variable(lb=0, ub=10, is_integer=integer) for _ in range(2))
    need = model.add_linear_constraint(2 * x + 2 * y >= 7)
    model.minimize(3 * x + 2 * y + 7)
    return model, [x, y], need


def hard_mathopt() -> mathopt.Model:
    draw = random.Random(1)
    model = mathopt.Model()
    take = [model.add_binary_variable() for _ in range(120)]
    model.minimize(sum(-draw.randint(50, 100) * x for x in take) + 100_000)
    for _ in range(25):
        weights = [draw.randint(20, 100) for _ in take]
        model.add_linear_constraint(sum(w * x for w, x in zip(weights, take, strict=True)) <= sum(weights) // 2)
    return model


def cp_knapsack(rows: int, columns: int) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    draw = random.Random(1)
    model = cp_model.CpModel()
    take = [model.new_bool_var(f"take_{j}") for j in range(columns)]
    model.minimize(sum(-draw.randint(50, 100) * x for x in take) + 100_000)
    for _ in range(rows):
        weights = [draw.randint(20, 100) for _ in take]
        model.add(sum(w * x for w, x in zip(weights, take, strict=True)) <= sum(weights) // 2)
    return model, take


@pytest.mark.parametrize("solver", ["highs", "scip", "cp-sat"])
def test_mathopt_integer_optimum(solver: str) -> None:
    model, (x, y), _ = transport(integer=True)
    result = solve_mathopt(model, SolveOptions(), solver)
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 15, 15)
    assert (result.values[x], result.values[y]) == (0, 4)
    assert result.duals == {}


@pytest.mark.parametrize("solver", ["glop", "highs"])
def test_mathopt_linear_optimum_with_duals(solver: str) -> None:
    model, (_, y), need = transport(integer=False)
    result = solve_mathopt(model, SolveOptions(), solver)
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, pytest.approx(14), pytest.approx(14))
    assert result.values[y] == pytest.approx(3.5)
    assert result.duals[need] == pytest.approx(1)


def test_pdlp_claims_neither_optimality_nor_a_bound() -> None:
    model, _, _ = transport(integer=False)
    result = solve_mathopt(model, SolveOptions(), "pdlp")
    assert (result.status, result.bound) == (Status.FEASIBLE, None)
    assert result.objective == pytest.approx(14, rel=1e-3)


def test_mathopt_infeasible() -> None:
    model, (x, _), _ = transport(integer=True)
    model.add_linear_constraint(2 * x == 1)
    assert solve_mathopt(model, SolveOptions(), "scip").status == Status.INFEASIBLE


@pytest.mark.parametrize(
    ("solver", "integer", "words"),
    [
        ("scipp", True, "unknown.*did you mean 'scip'"),
        ("glop", True, "linear models only"),
        ("cp-sat", False, "whole numbers only"),
    ],
)
def test_mathopt_solver_that_does_not_fit(solver: str, integer: bool, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        solve_mathopt(transport(integer)[0], SolveOptions(), solver)


@pytest.mark.parametrize("solver", ["highs", "scip", "cp-sat"])
def test_mathopt_time_limit(solver: str) -> None:
    start = time.monotonic()
    result = solve_mathopt(hard_mathopt(), SolveOptions(time_limit_s=0.7), solver)
    assert time.monotonic() - start < 5
    assert result.status == Status.FEASIBLE
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound < result.objective
    assert len(result.values) == 120


@pytest.mark.parametrize("solver", ["highs", "scip", "cp-sat"])
def test_mathopt_stop_and_progress(solver: str) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.7, stop.set)
    timer.start()
    seen: list[Progress] = []
    start = time.monotonic()
    result = solve_mathopt(hard_mathopt(), SolveOptions(stop=stop, on_progress=seen.append), solver)
    assert time.monotonic() - start < 5
    assert result.status == Status.FEASIBLE
    assert seen
    assert seen[-1].cost == pytest.approx(result.objective)


def test_cpsat_optimum_bound_and_values() -> None:
    model = cp_model.CpModel()
    x, y = (model.new_int_var(0, 10, name) for name in "xy")
    model.add(2 * x + 2 * y >= 7)
    model.minimize(3 * x + 2 * y + 7)
    result = solve_cpsat(model, SolveOptions())
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 15, 15)
    assert (result.value(x), result.value(y), result.value(x + 2 * y)) == (0, 4, 8)


def test_cpsat_infeasible_and_no_objective() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(0, 10, "x")
    result = solve_cpsat(model, SolveOptions())
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 0, 0)
    model.add(2 * x == 5)
    assert solve_cpsat(model, SolveOptions()).status == Status.INFEASIBLE


def test_cpsat_time_limit_and_progress() -> None:
    model, take = cp_knapsack(25, 120)
    seen: list[Progress] = []
    result = solve_cpsat(model, SolveOptions(time_limit_s=1.0, on_progress=seen.append))
    assert result.status == Status.FEASIBLE
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound < result.objective
    assert seen[-1].cost == result.objective
    assert sum(result.value(x) for x in take) > 0


def test_cpsat_stop() -> None:
    model, _ = cp_knapsack(25, 120)
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    start = time.monotonic()
    assert solve_cpsat(model, SolveOptions(stop=stop)).status == Status.FEASIBLE
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("workers", [1, 2])
def test_cpsat_same_seed_same_plan(workers: int) -> None:
    plans = []
    for _ in range(2):
        model, take = cp_knapsack(5, 22)
        result = solve_cpsat(model, SolveOptions(seed=3), workers=workers)
        assert result.status == Status.OPTIMAL
        plans.append([result.value(x) for x in take])
    assert plans[0] == plans[1]


def test_cpsat_starts_from_a_hint() -> None:
    model, take = cp_knapsack(25, 120)
    best = solve_cpsat(model, SolveOptions(time_limit_s=1.0))
    hint = {x: best.value(x) for x in take}
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    again = solve_cpsat(model, SolveOptions(stop=stop), hint=hint)
    assert again.objective is not None
    assert best.objective is not None
    assert again.objective <= best.objective


def test_cpsat_refused_model_is_a_defect() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(0, 2**62, "x")
    y = model.new_int_var(0, 2**62, "y")
    model.add(4 * x + 4 * y >= 7)
    model.minimize(x)
    with pytest.raises(RuntimeError, match="refuses"):
        solve_cpsat(model, SolveOptions())


def test_cpsat_work_limit_ends_by_itself_and_repeats() -> None:
    plans = []
    for _ in range(2):
        model, take = cp_knapsack(25, 120)
        result = solve_cpsat(model, SolveOptions(), workers=1, work_limit=0.3)
        assert result.status == Status.FEASIBLE
        plans.append([result.value(x) for x in take])
    assert plans[0] == plans[1]
