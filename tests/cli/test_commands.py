"""Every command: its words and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import knapsack_family
import pytest
from click.testing import CliRunner, Result

from optimizer import families
from optimizer.cli import cli
from optimizer.cli.output import console, print_table
from optimizer.models.family import Table

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(families.Families, "_PACKAGES", knapsack_family.PACKAGES)
    runner = CliRunner()

    def invoke(*arguments: Any) -> Result:
        done = runner.invoke(cli, [str(argument) for argument in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert "Traceback" not in done.output
        return done

    return invoke


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return knapsack_family.write_instance_files(tmp_path / "two")


def solved(run: Run, instance: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    assert run("solve", "port-choice", instance, "--out", out).exit_code == 0
    return out


def forge(out: Path, **changes: Any) -> None:
    content = json.loads((out / "result.json").read_text())
    (out / "result.json").write_text(json.dumps(content | changes))


def test_help_names_every_command(run: Run) -> None:
    text = run("--help").stdout
    for name in ("check", "info", "solve", "verify", "export", "generate", "convert"):
        assert f"  {name} " in text
        assert run(name, "--help").exit_code == 0


def test_unknown_command_names_the_nearest(run: Run) -> None:
    done = run("slove")
    assert done.exit_code == 2
    assert "did you mean 'solve'?" in done.stderr


def test_check(run: Run, instance: Path) -> None:
    done = run("check", instance)
    assert (done.exit_code, done.stdout) == (0, "3 tables, 4 rows: no faults\n")
    (instance / "links.csv").write_text(
        "link_id,from_node,to_node,mode,gauge_mm,length_km,speed_kmh\nA-B,A,B,rail,1520,-120,40\nB-C,B,C,rail,1520,1,x\n"
    )
    done = run("check", instance)
    assert done.exit_code == 2
    for words in ("links.csv:2: length_km is '-120', expected", "links.csv:3: speed_kmh is 'x'"):
        assert words in done.stderr
    assert done.stdout == ""


def test_info(run: Run, instance: Path) -> None:
    done = run("info", instance, "--scenario", "slow")
    assert done.exit_code == 0
    assert "rail-1520        2       1   120" in done.stdout
    assert "slow   Slow [trains]" in done.stdout
    assert "scenario: slow" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert run("info", instance, "--scenario", "slwo").exit_code == 2


def test_info_of_the_reference_instance(run: Run, instances_dir: Path) -> None:
    done = run("info", instances_dir / "kazakhstan-pakistan")
    assert done.exit_code == 0
    for words in ("178 places in all", "Spin Boldak", "Gwadar port", "1520 / 1676", "annual lanes", "hormuz-shut"):
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_solve_prints_the_key_line_and_tables_and_writes_the_result(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("solve", "port-choice", instance, "--out", tmp_path / "out", "--seed", 5)
    assert done.exit_code == 0
    first = done.stdout.splitlines()[0]
    assert first.startswith("OPTIMAL  cost 99,466 USD  bound 99,466 USD  gap 0 %  time ")
    assert "Things [taken]" in done.stdout
    assert "worked out by hand" in done.stdout
    assert "method exact, solver highs" in done.stderr
    assert json.loads((tmp_path / "out" / "result.json").read_text())["seed"] == 5
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "two"]


def test_json_is_exactly_the_file(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("solve", "port-choice", instance, "--json", "--out", tmp_path / "out")
    assert done.stdout == (tmp_path / "out" / "result.json").read_text()
    assert json.loads(done.stdout)["status"] == "OPTIMAL"


def test_no_plan_exits_with_1_and_says_why(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("solve", "port-choice", instance, "--serve-all", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "INFEASIBLE" in done.stdout
    assert "room_0 holds half of what all things weigh" in done.stdout
    done = run("verify", instance, tmp_path / "out")
    assert done.exit_code == 1
    assert "no plan" in done.stdout


def test_time_limit_gives_the_best_plan_so_far(run: Run, instance: Path) -> None:
    done = run("solve", "port-choice", instance, "--dated", "--time-limit", 1)
    assert done.exit_code == 0
    assert done.stdout.startswith("FEASIBLE")
    assert "incumbent" in done.stderr
    assert "bound" in done.stderr


def test_a_method_whose_plan_breaks_a_rule_exits_with_3(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("solve", "port-choice", instance, "--method", "broken", "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "cost differs at plan: -1000 USD" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["port-choise"], "did you mean 'port-choice'"),
        (["port-choice", "--method", "exat"], "did you mean 'exact'"),
        (["port-choice", "--solver", "higs"], "did you mean 'highs'"),
        (["port-choice", "--terminal", "T1"], "option --terminal is for transshipment, not for port-choice"),
        (["port-choice", "--stock", "wagons"], "option --stock is for rolling-stock, not for port-choice"),
        (["transshipment", "--dated"], "option --dated is for port-choice, not for transshipment"),
        (["port-choice", "--gap", "2"], "gap is 2.0, expected a share"),
        (["port-choice", "--seed", "-4"], "seed is -4"),
        (["port-choice", "--time-limit", "0"], "time limit is 0"),
        (["port-choice", "--time-limit", "soon"], "'soon' is not a valid float"),
        (["port-choice", "--scenario", "slwo"], "unknown scenario 'slwo'; did you mean 'slow'?"),
    ],
)
def test_usage_errors_exit_with_2(run: Run, instance: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run("solve", arguments[0], instance, *arguments[1:], "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["two"]


def test_out_that_is_taken_is_refused_before_solving(run: Run, instance: Path, tmp_path: Path) -> None:
    out = solved(run, instance, tmp_path)
    done = run("solve", "port-choice", instance, "--out", out)
    assert done.exit_code == 2
    assert "use --force" in done.stderr
    assert "method exact" not in done.stderr
    assert run("solve", "port-choice", instance, "--out", out, "--force").exit_code == 0


def test_verify_accepts_what_solve_wrote(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("verify", instance, solved(run, instance, tmp_path))
    assert done.exit_code == 0
    assert "Every rule holds" in done.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cost": 99_000.0, "bound": 99_000.0}, "cost differs at plan: -466 USD"),
        ({"bound": 99_999.0}, "bound above the cost"),
        ({"gap": 0.2}, "gap differs from cost and bound"),
        ({"bound": None, "gap": None}, "OPTIMAL without a bound"),
        ({"bound": 95_000.0, "gap": 0.0449}, "OPTIMAL with a gap above the one asked for"),
    ],
)
def test_forged_claims_exit_with_3(
    run: Run, instance: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    out = solved(run, instance, tmp_path)
    forge(out, **changes)
    done = run("verify", instance, out)
    assert done.exit_code == 3
    assert words in done.stdout


def test_a_changed_plan_exits_with_3(run: Run, instance: Path, tmp_path: Path) -> None:
    out = solved(run, instance, tmp_path)
    table = (out / "taken.csv").read_text()
    (out / "taken.csv").write_text(table.replace("t0,0,", "t0,1,").replace("t1,1,", "t1,0,"))
    done = run("verify", instance, out)
    assert done.exit_code == 3
    assert "broken rule" in done.stdout


def test_a_changed_instance_exits_with_2(run: Run, instance: Path, tmp_path: Path) -> None:
    out = solved(run, instance, tmp_path)
    links = (instance / "links.csv").read_text()
    (instance / "links.csv").write_text(links.replace(",120,", ",121,"))
    done = run("verify", instance, out)
    assert done.exit_code == 2
    assert "another instance" in done.stderr


def test_verify_without_a_result(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("verify", instance, tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "there is no such result directory" in done.stderr


@pytest.mark.parametrize("name", ["model.lp", "model.mps"])
def test_export(run: Run, instance: Path, tmp_path: Path, name: str) -> None:
    assert run("export", "port-choice", instance, tmp_path / name).exit_code == 0
    assert "room_0" in (tmp_path / name).read_text()


def test_export_to_an_unknown_format(run: Run, instance: Path, tmp_path: Path) -> None:
    done = run("export", "port-choice", instance, tmp_path / "model.xml")
    assert done.exit_code == 2
    assert "does not end in .lp or .mps" in done.stderr


@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.xlsx"])
def test_convert_and_back(run: Run, instance: Path, tmp_path: Path, name: str) -> None:
    from optimizer.data.reading import read_instance

    assert run("convert", instance, tmp_path / name).exit_code == 0
    assert run("convert", tmp_path / name, tmp_path / "back").exit_code == 0
    assert read_instance(tmp_path / "back").hash == read_instance(instance).hash
    done = run("convert", instance, tmp_path / name)
    assert done.exit_code == 2
    assert "use --force" in done.stderr
    assert run("convert", instance, tmp_path / name, "--force").exit_code == 0


def test_convert_without_permission(run: Run, instance: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("convert", instance, tmp_path / "file" / "copy")
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


def test_generate_and_check(run: Run, tmp_path: Path) -> None:
    arguments = ("--places", 10, "--days", 30, "--shipments", 5, "--seed", 2)
    assert run("generate", tmp_path / "made", *arguments).exit_code == 0
    assert run("check", tmp_path / "made").exit_code == 0
    assert run("generate", tmp_path / "twin.zip", *arguments).exit_code == 0
    from optimizer.data.reading import read_instance

    assert read_instance(tmp_path / "made").hash == read_instance(tmp_path / "twin.zip").hash


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--places", 2], "places"), (["--congestion", "ligth"], "expected light or heavy")],
)
def test_generate_with_numbers_that_do_not_fit(run: Run, tmp_path: Path, arguments: list[Any], words: str) -> None:
    done = run("generate", tmp_path / "made", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_long_tables_are_cut_unless_all_rows_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("Wagons", ("no", "type"), [[str(n), "hopper"] for n in range(50)], "all of them")
    print_table(console(), table, at_most=40)
    cut = capsys.readouterr().out
    assert cut.count("hopper") == 40
    assert "10 more rows; --rows 0 prints all" in cut
    assert "all of them" in cut
    print_table(console(), table)
    assert capsys.readouterr().out.count("hopper") == 50


def test_rows_below_zero_are_refused(run: Run, instance: Path) -> None:
    done = run("solve", "port-choice", instance, "--rows", "-1")
    assert done.exit_code == 2
    assert "--rows" in done.stderr
