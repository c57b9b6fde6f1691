"""solve, verify, export and read for any family: arguments, claims, laziness."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import knapsack_family
import pulp
import pytest

import optimizer as opt
from optimizer import families
from optimizer.result import Progress


@pytest.fixture
def problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> knapsack_family.Knapsack:
    monkeypatch.setattr(families.Families, "_PACKAGES", knapsack_family.PACKAGES)
    return knapsack_family.Knapsack(opt.read(knapsack_family.write_instance_files(tmp_path / "two")))


def test_solve_returns_a_verified_plan_that_can_be_replayed(problem: knapsack_family.Knapsack) -> None:
    result = opt.solve(problem, seed=3)
    assert result.status == opt.Status.OPTIMAL
    assert result.bound == result.cost
    assert result.gap == 0
    assert opt.verify(problem, result) == ()
    assert result.solution is not None
    assert opt.verify(problem, result.solution) == ()
    assert (result.method, result.solver, result.seed) == ("exact", "highs", 3)
    assert result.instance_hash == problem.corridor.instance.hash
    assert {"python", "highspy", "pulp", "ortools"} <= set(result.versions)
    again = opt.solve(problem, seed=3)
    assert again.solution is not None
    assert again.solution["taken"].equals(result.solution["taken"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "exakt"}, "has no method 'exakt'.*did you mean 'exact'"),
        ({"solver": "higs"}, "'higs' is not available.*did you mean 'highs'"),
        ({"method": "broken", "solver": "cbc"}, "takes the solvers highs, not 'cbc'"),
        ({"time_limit_s": 0}, "time limit is 0, expected seconds > 0"),
        ({"time_limit_s": float("nan")}, "time limit is nan"),
        ({"gap": -0.1}, "gap is -0.1, expected a share"),
        ({"gap": 1}, "gap is 1, expected"),
        ({"seed": -1}, "seed is -1, expected a whole number"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_arguments_that_do_not_fit(problem: Any, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(opt.UsageError, match=words):
        opt.solve(problem, **arguments)


def test_another_solver_by_name(problem: knapsack_family.Knapsack) -> None:
    if "cbc" not in api_solvers():
        pytest.skip("PuLP finds no CBC on this machine")
    assert opt.solve(problem, solver="cbc").cost == opt.solve(problem).cost


def api_solvers() -> tuple[str, ...]:
    from optimizer.solvers.mip import available_solvers

    return available_solvers()


def test_a_plan_that_breaks_a_rule_is_never_handed_out(problem: knapsack_family.Knapsack) -> None:
    with pytest.raises(opt.VerificationError, match="cost differs at plan: -1000 USD"):
        opt.solve(problem, method="broken")


def test_infeasible_carries_the_conflicts(problem: knapsack_family.Knapsack) -> None:
    result = opt.solve(dataclasses.replace(problem, serve_all=True))
    assert (result.status, result.cost, result.solution) == (opt.Status.INFEASIBLE, None, None)
    assert result.conflicts == ("room_0 holds half of what all things weigh",)
    assert opt.verify(dataclasses.replace(problem, serve_all=True), result) == ()


def test_stop_and_progress(problem: knapsack_family.Knapsack) -> None:
    hard, stop, seen = dataclasses.replace(problem, dated=True), threading.Event(), list[Progress]()
    threading.Timer(1.0, stop.set).start()
    result = opt.solve(hard, stop=stop, on_progress=seen.append)
    assert result.status == opt.Status.FEASIBLE
    assert result.gap is not None
    assert result.gap > 0
    assert seen
    assert opt.verify(hard, result) == ()


@pytest.mark.parametrize(
    ("forgery", "rule"),
    [
        ({"bound": 1e6}, "bound above the cost"),
        ({"bound": None}, "OPTIMAL without a bound"),
        ({"bound": 90_000.0}, "OPTIMAL with a gap above the one asked for"),
        ({"claimed_gap": 0.5}, "gap differs from cost and bound"),
        ({"cost": 1.0, "bound": 1.0}, "cost differs"),
        ({"cost": float("nan")}, "cost or bound not finite"),
        ({"solution": None}, "OPTIMAL without a solution"),
        ({"status": opt.Status.INFEASIBLE}, "INFEASIBLE with a cost"),
    ],
)
def test_forged_claims_are_violations(problem: Any, forgery: dict[str, Any], rule: str) -> None:
    result = opt.solve(problem)
    forged = dataclasses.replace(result, **forgery)
    assert rule in [violation.rule for violation in opt.verify(problem, forged)]


def test_a_result_of_another_problem_is_refused(problem: knapsack_family.Knapsack) -> None:
    result = opt.solve(problem)
    with pytest.raises(opt.ResultError, match="another instance"):
        opt.verify(problem, dataclasses.replace(result, instance_hash="0" * 64))
    with pytest.raises(opt.ResultError, match="its options"):
        opt.verify(dataclasses.replace(problem, dated=True), result)
    with pytest.raises(opt.ResultError, match="its scenario is base, here it is slow"):
        opt.verify(dataclasses.replace(problem, corridor=opt.read(problem.corridor.instance.path, "slow")), result)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_export_is_complete_or_not_there(problem: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    opt.export(problem, path)
    assert "room_0" in path.read_text()
    if suffix == ".mps":
        _, model = pulp.LpProblem.fromMPS(str(path))
        model.solve(pulp.HiGHS(msg=False))
        # MPS has no place for the constant that PuLP would write.
        assert knapsack_family.BASE + pulp.value(model.objective) == pytest.approx(opt.solve(problem).cost)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_export_elsewhere(problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(opt.UsageError, match=r"does not end in \.lp or \.mps"):
        opt.export(problem, tmp_path / "model.txt")
    with pytest.raises(opt.UsageError, match="there is no directory"):
        opt.export(problem, tmp_path / "no" / "model.lp")

    def half(problem: Any, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(knapsack_family, "FAMILY", dataclasses.replace(knapsack_family.FAMILY, export=half))
    with pytest.raises(opt.UsageError, match="No space left"):
        opt.export(problem, tmp_path / "model.lp")
    assert [entry.name for entry in tmp_path.iterdir()] == ["two"]


def test_unknown_family_and_stranger() -> None:
    with pytest.raises(opt.UsageError, match="did you mean 'port-choice'"):
        opt.FAMILIES["port-choise"]
    with pytest.raises(opt.UsageError, match="a dict is not a problem"):
        opt.verify({}, {})  # type: ignore[arg-type]


def test_importing_loads_no_solver(root: Path) -> None:
    code = (
        "import sys, optimizer as opt; opt.read, opt.solve, opt.Status;"
        "print([m for m in ('pulp', 'ortools', 'numba', 'scipy', 'openpyxl', 'highspy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    import importlib

    for home, names in opt._HOMES.items():
        for name in names:
            assert getattr(opt, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'solv'"):
        opt.solv  # noqa: B018
