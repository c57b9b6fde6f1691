"""PuLP models: status, bound, duals, limits, stop and progress."""

from __future__ import annotations

import itertools
import random
import threading
import time

import highspy
import pulp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.result import Progress, Status
from optimizer.solvers.highs import make_highs, run_here, run_highs
from optimizer.solvers.mip import available_solvers, solve_model


def knapsack(rows: int, columns: int, seed: int = 1) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
    """Several knapsacks over the same things; hard to prove already at 25 by 120."""
    draw = random.Random(seed)
    model = pulp.LpProblem("knapsack", pulp.LpMinimize)
    take = [model.add_variable(f"take_{j}", cat="Binary") for j in range(columns)]
    model += pulp.lpSum(-draw.randint(50, 100) * x for x in take) + 100_000
    for i in range(rows):
        weights = [draw.randint(20, 100) for _ in take]
        model += pulp.lpSum(w * x for w, x in zip(weights, take, strict=True)) <= sum(weights) // 2, f"room_{i}"
    return model, take


def other_solvers() -> list[str]:
    return [name for name in available_solvers() if name == "cbc"]


@pytest.mark.parametrize("solver", ["highs", "HiGHS", *other_solvers()])
def test_integer_optimum_and_its_bound(solver: str) -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    x, y = (model.add_variable(name, 0, 10, "Integer") for name in "xy")
    model += 3 * x + 2 * y + 7
    model += 2 * x + 2 * y >= 7
    result = solve_model(model, SolveOptions(solver=solver))
    assert result.status == Status.OPTIMAL
    assert (x.value(), y.value()) == (0, 4)
    assert result.objective == pytest.approx(15)
    assert result.bound is not None
    assert 15 - 1e-6 <= result.bound <= 15


@pytest.mark.parametrize("solver", ["highs", *other_solvers()])
def test_linear_model_gives_duals(solver: str) -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    x, y = (model.add_variable(name, 0) for name in "xy")
    model += 3 * x + 2 * y
    need = x + y >= 4
    model += need, "need"
    room = y <= 1
    model += room, "room"
    result = solve_model(model, SolveOptions(solver=solver))
    assert result == type(result)(Status.OPTIMAL, pytest.approx(11), pytest.approx(11), result.runtime_s)
    assert need.pi == pytest.approx(3)
    assert room.pi == pytest.approx(-1)


@pytest.mark.parametrize("solver", ["highs", *other_solvers()])
def test_infeasible_leaves_no_values(solver: str) -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    x = model.add_variable("x", 0, 1, "Integer")
    model += x
    model += 2 * x == 1
    result = solve_model(model, SolveOptions(solver=solver))
    assert (result.status, result.objective, result.bound) == (Status.INFEASIBLE, None, None)


def test_unbounded_is_a_defect_of_the_model() -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    x = model.add_variable("x", 0)
    model += -x
    with pytest.raises(RuntimeError, match=r"[Uu]nbounded"):
        solve_model(model, SolveOptions())


def test_model_without_rows_or_columns() -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    model += pulp.LpAffineExpression(constant=5)
    result = solve_model(model, SolveOptions())
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 5, 5)


def test_maximisation_is_refused() -> None:
    with pytest.raises(ValueError, match="minimised"):
        solve_model(pulp.LpProblem("m", pulp.LpMaximize), SolveOptions())


def test_unknown_solver_names_the_nearest() -> None:
    model, _ = knapsack(1, 3)
    with pytest.raises(UsageError, match=r"'higs' is not available here.*did you mean 'highs'"):
        solve_model(model, SolveOptions(solver="higs"))


def test_time_limit_returns_the_incumbent_with_a_bound_and_progress() -> None:
    model, take = knapsack(25, 120)
    seen: list[Progress] = []
    caller = threading.get_ident()
    threads: set[int] = set()

    def note(progress: Progress) -> None:
        seen.append(progress)
        threads.add(threading.get_ident())

    start = time.monotonic()
    result = solve_model(model, SolveOptions(time_limit_s=1.0, on_progress=note))
    assert time.monotonic() - start < 5
    assert result.status == Status.FEASIBLE
    assert result.objective == pytest.approx(pulp.value(model.objective))
    assert all(x.value() is not None for x in take)
    assert not model.infeasibilityGap() > 1e-6
    assert result.bound is not None
    assert result.bound < result.objective
    assert threads == {caller}
    assert [p.cost for p in seen] == sorted((p.cost for p in seen), reverse=True)
    assert seen[-1].cost == pytest.approx(result.objective)


def test_stop_from_another_thread_returns_the_incumbent() -> None:
    model, _ = knapsack(25, 120)
    stop = threading.Event()
    timer = threading.Timer(0.7, stop.set)
    timer.start()
    start = time.monotonic()
    result = solve_model(model, SolveOptions(stop=stop))
    assert time.monotonic() - start < 5
    assert result.status == Status.FEASIBLE
    assert result.objective is not None


def test_stop_before_the_start_says_nothing_about_the_problem() -> None:
    model, take = knapsack(25, 120)
    stop = threading.Event()
    stop.set()
    result = solve_model(model, SolveOptions(stop=stop))
    assert result.status in (Status.NO_SOLUTION, Status.FEASIBLE)
    if result.status == Status.NO_SOLUTION:
        assert result.objective is None
        assert all(x.value() is None for x in take)


def test_gap_asked_for_is_enough() -> None:
    model, _ = knapsack(25, 120)
    result = solve_model(model, SolveOptions(gap=0.02))
    assert result.status == Status.OPTIMAL
    assert result.bound is not None
    assert result.objective is not None
    assert result.objective - result.bound <= 0.02 * result.objective


def test_same_seed_same_plan() -> None:
    plans = []
    for _ in range(2):
        model, take = knapsack(6, 30)
        solve_model(model, SolveOptions(seed=7))
        plans.append([x.value() for x in take])
    assert plans[0] == plans[1]


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for solver in ("highs", *other_solvers()):
        model, _ = knapsack(3, 10)
        solve_model(model, SolveOptions(solver=solver))
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_progress_callback_reaches_the_caller_and_ends_the_solver() -> None:
    model, _ = knapsack(25, 120)
    options = SolveOptions(on_progress=lambda progress: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        solve_model(model, options)
    assert options.stop.is_set()


@settings(deadline=None, max_examples=15)
@given(
    costs=st.lists(st.integers(-9, 9), min_size=1, max_size=5),
    rows=st.lists(st.tuples(st.lists(st.integers(-4, 4), min_size=5, max_size=5), st.integers(-4, 9)), max_size=3),
)
def test_agrees_with_enumeration(costs: list[int], rows: list[tuple[list[int], int]]) -> None:
    model = pulp.LpProblem("m", pulp.LpMinimize)
    take = [model.add_variable(f"x{j}", 0, 2, "Integer") for j in range(len(costs))]
    model += pulp.lpSum(c * x for c, x in zip(costs, take, strict=True)) + 50
    for weights, room in rows:
        model += pulp.lpSum(w * x for w, x in zip(weights, take, strict=False)) <= room
    feasible = [
        50 + sum(c * v for c, v in zip(costs, values, strict=True))
        for values in itertools.product(range(3), repeat=len(costs))
        if all(sum(w * v for w, v in zip(weights, values, strict=False)) <= room for weights, room in rows)
    ]
    result = solve_model(model, SolveOptions())
    if not feasible:
        assert result.status == Status.INFEASIBLE
    else:
        assert result.objective == pytest.approx(min(feasible))
        assert result.bound == pytest.approx(min(feasible))


@pytest.mark.parametrize("limited", [True, False])
def test_highs_that_ends_without_a_word(limited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with HiGHS 1.16 when time ran out while it completed a start: no status at all."""
    highs = make_highs(SolveOptions())
    monkeypatch.setattr(highs, "run", lambda: None)
    options = SolveOptions(time_limit_s=5.0 if limited else None)
    if limited:
        assert run_highs(highs, options, True, 0.0).status == Status.NO_SOLUTION
    else:
        with pytest.raises(RuntimeError, match="Not Set"):
            run_highs(highs, options, True, 0.0)


def test_models_of_one_thread_may_differ_in_their_helper_threads() -> None:
    """HiGHS refuses the second run where the helpers of the first are left: the model then looks unsolved."""
    models = [make_highs(SolveOptions(), {"threads": threads}) for threads in (2, 1)]
    for highs in models:
        highs.setOptionValue("output_flag", False)
        highs.addVar(1.0, 5.0)
        highs.changeColCost(0, 1.0)
    for highs in (*models, *models):
        run_here(highs)
        assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        assert highs.getInfo().objective_function_value == 1.0
        highs.clearSolver()
