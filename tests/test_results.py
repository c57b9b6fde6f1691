"""Result directories: whole or not at all, and read back with distrust."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import knapsack_family
import pandas as pd
import pytest

import optimizer as opt
from optimizer import families, results
from optimizer.data.reading import read_instance
from optimizer.result import PROGRESS_POINTS, ProgressLog


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[knapsack_family.Knapsack, opt.Result]:
    monkeypatch.setattr(families.Families, "_PACKAGES", knapsack_family.PACKAGES)
    problem = knapsack_family.Knapsack(opt.read(knapsack_family.write_instance_files(tmp_path / "two")))
    return problem, opt.solve(problem)


def hidden(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]


@pytest.mark.parametrize("parquet_rows", [200_000, 3])
def test_round_trip(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parquet_rows: int) -> None:
    problem, result = made
    monkeypatch.setattr("optimizer.results.content.PARQUET_ROWS", parquet_rows)
    out = tmp_path / "deep" / "out"
    opt.write_result(result, out)
    assert sorted(entry.name for entry in out.iterdir()) == [
        "result.json",
        "taken.csv" if parquet_rows > 3 else "taken.parquet",
    ]
    back = opt.read_result(out)
    again = results.problem_of(back, read_instance(problem.corridor.instance.path))
    assert opt.verify(again, back) == ()
    for name in ("status", "cost", "bound", "seed", "options", "scenario", "versions", "gap", "instance_path"):
        assert getattr(back, name) == getattr(result, name)
    plan, stored = result.solution["taken"], back.solution["taken"][list(result.solution["taken"])]
    pd.testing.assert_frame_equal(plan, stored.reset_index(drop=True), check_dtype=False)


def test_progress_is_thinned_and_ends_with_the_result(made: Any, tmp_path: Path) -> None:
    log = ProgressLog()
    for number in range(5000):
        log(opt.Progress(5000.0 - number, float(number) if number else None, number / 10))
        log(opt.Progress(5000.0 - number, float(number) if number else None, number / 10 + 0.01))
    end = opt.Progress(1.0, 1.0, 600.0)
    kept = log.entries(end)
    assert len(kept) <= PROGRESS_POINTS
    assert (kept[0].elapsed_s, kept[-1]) == (0.0, end)
    assert [at.elapsed_s for at in kept] == sorted(at.elapsed_s for at in kept)
    opt.write_result(dataclasses.replace(made[1], progress=kept), tmp_path / "out")
    assert opt.read_result(tmp_path / "out").progress == kept


def test_a_result_of_an_earlier_version_has_no_progress(made: Any, tmp_path: Path) -> None:
    opt.write_result(made[1], tmp_path / "out")
    file = tmp_path / "out" / "result.json"
    content = json.loads(file.read_text())
    assert content["progress"][-1]["cost"] == made[1].cost
    del content["progress"], content["instance_path"]
    file.write_text(json.dumps(content))
    assert opt.read_result(tmp_path / "out").progress == ()


def test_json_is_strict(made: Any) -> None:
    content = json.loads(results.to_json(made[1]), parse_constant=pytest.fail)
    assert content["schema_version"] == 1
    assert content["kpis"]["rate"] == "inf"
    assert content["tables"] == {"taken": {"file": "taken.csv", "rows": 12}}


def test_result_without_a_plan(made: Any, tmp_path: Path) -> None:
    problem, _ = made
    result = opt.solve(dataclasses.replace(problem, serve_all=True))
    opt.write_result(result, tmp_path / "out")
    back = opt.read_result(tmp_path / "out")
    assert (back.status, back.solution, back.conflicts) == (opt.Status.INFEASIBLE, None, result.conflicts)


def test_a_place_that_is_taken(made: Any, tmp_path: Path) -> None:
    _, result = made
    out = tmp_path / "out"
    opt.write_result(result, out)
    with pytest.raises(opt.UsageError, match="holds a result already; use --force"):
        opt.write_result(result, out)
    opt.write_result(dataclasses.replace(result, seed=9), out, force=True)
    assert opt.read_result(out).seed == 9
    with pytest.raises(opt.UsageError, match="something else than a result"):
        opt.write_result(result, tmp_path / "two", force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(opt.UsageError, match="is a file"):
        opt.write_result(result, tmp_path / "file", force=True)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("failing", ["_write_table", "to_json"])
def test_a_failure_in_the_middle_leaves_the_old_result(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    _, result = made
    out = tmp_path / "out"
    opt.write_result(result, out)
    before = {entry.name: entry.read_bytes() for entry in out.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"optimizer.results.writing.{failing}", fail)
    with pytest.raises(opt.UsageError, match="No space left on device"):
        opt.write_result(result, out, force=True)
    with pytest.raises(opt.UsageError, match="No space left on device"):
        opt.write_result(result, tmp_path / "new")
    assert {entry.name: entry.read_bytes() for entry in out.iterdir()} == before
    assert not (tmp_path / "new").exists()
    assert hidden(tmp_path) == []


def test_a_failing_rename_puts_the_old_result_back(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, result = made
    out = tmp_path / "out"
    opt.write_result(result, out)
    rename: Callable[[Path, Path], Path] = Path.rename

    def sometimes(self: Path, target: Path) -> Path:
        if target == out and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", sometimes)
    with pytest.raises(opt.UsageError, match="Input/output error"):
        opt.write_result(dataclasses.replace(result, seed=9), out, force=True)
    monkeypatch.undo()
    assert json.loads((out / "result.json").read_text())["seed"] == result.seed
    assert hidden(tmp_path) == []


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        content = json.loads((out / "result.json").read_text())
        (out / "result.json").write_text(json.dumps(content | changes))

    return change


def drop_last_line(out: Path) -> None:
    lines = (out / "taken.csv").read_text().splitlines(keepends=True)
    (out / "taken.csv").write_text("".join(lines[:-1]))


def cut_json(out: Path) -> None:
    (out / "result.json").write_text((out / "result.json").read_text()[:100])


def edit_cell(out: Path) -> None:
    (out / "taken.csv").write_text(
        (out / "taken.csv").read_text().replace("t3,1", "t3,many").replace("t3,0", "t3,many")
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda out: (out / "result.json").unlink(), "result.json is missing"),
        (lambda out: (out / "taken.csv").unlink(), "taken.csv is missing; the result is not complete"),
        (cut_json, "Invalid JSON"),
        (drop_last_line, "has 11 rows, expected 12; the file is cut off"),
        (edit_cell, r"taken.csv:\d+: units is 'many', expected a whole number"),
        (edit(cost="cheap"), "cost is 'cheap'"),
        (edit(schema_version=2), "schema_version is 2"),
        (edit(extra=1), "extra is 1"),
        (edit(family="port-choise"), "family is 'port-choise'.*did you mean 'port-choice'"),
        (edit(status="BEST"), "status is 'BEST'"),
        (edit(instance_hash="abc"), "instance_hash is 'abc'"),
        (edit(tables={"stolen": {"file": "stolen.csv", "rows": 1}}), "tables names stolen"),
        (edit(tables={"taken": {"file": "../../secret.csv", "rows": 1}}), "file is '../../secret.csv'"),
    ],
)
def test_spoilt_results_are_refused(made: Any, tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    out = tmp_path / "out"
    opt.write_result(made[1], out)
    spoil(out)
    with pytest.raises(opt.ResultError, match=words):
        opt.read_result(out)


def test_strange_options_and_a_changed_instance(made: Any, tmp_path: Path) -> None:
    problem, result = made
    instance = problem.corridor.instance
    with pytest.raises(opt.ResultError, match=r"options .* are not those of port-choice"):
        results.problem_of(dataclasses.replace(result, options={"colour": "red"}), instance)
    with pytest.raises(opt.ResultError, match=r"another instance.*solve again"):
        results.problem_of(result, dataclasses.replace(instance, hash="f" * 64))


def test_no_such_directory(made: Any, tmp_path: Path) -> None:
    opt.write_result(made[1], tmp_path / "first")
    with pytest.raises(opt.ResultError, match="no such result directory; did you mean 'first'"):
        opt.read_result(tmp_path / "frist")
