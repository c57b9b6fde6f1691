"""``corridor shippers``: tables, JSON, the directory it writes, weights from an estimate, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from optimizer.cli import cli


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["shippers", *map(str, arguments)])


@pytest.fixture
def toy(instances_dir: Path) -> Path:
    return instances_dir / "toy-port-choice"


def test_tables_read_as_a_planner_would(toy: Path) -> None:
    found = run(toy)
    assert found.exit_code == 0, found.output
    for words in ("equilibrium gap", "left to themselves, shippers cost", "East Port", "left behind", "premium USD"):
        assert words in found.output
    again = run(toy)
    lines = [line for line in found.output.splitlines() if "Newton steps" not in line]
    assert lines == [line for line in again.output.splitlines() if "Newton steps" not in line]


def test_json_holds_every_table(toy: Path) -> None:
    found = run(toy, "--json", "--gap", "1e-9", "--scale", "0.2", "--nest-scale", "0.8")
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["gap"] <= 1e-9
    assert content["excess"] <= 1e-9
    assert content["scale_per_usd"] == 0.2
    assert {row["gateway"] for row in content["gateways"]} == {"east", "west", "none", "left behind"}
    assert sum(row["shippers_t"] for row in content["gateways"]) == pytest.approx(1200)
    assert sum(row["shippers_t"] for row in content["routes"]) == pytest.approx(1200)


def test_directory_is_whole_and_not_overwritten(toy: Path, tmp_path: Path) -> None:
    out = tmp_path / "answer"
    assert run(toy, "--out", out).exit_code == 0
    names = {"shippers.json", *(f"{name}.csv" for name in
             ("gateways", "system", "lanes", "routes", "resources", "elasticities"))}  # fmt: skip
    assert {entry.name for entry in out.iterdir()} == names
    assert [entry.name for entry in tmp_path.iterdir()] == ["answer"]
    with (out / "routes.csv").open(encoding="utf-8") as stream:
        assert sum(float(row["shippers_t"]) for row in csv.DictReader(stream)) == pytest.approx(1200)
    again = run(toy, "--out", out)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert run(toy, "--out", out, "--force", "--scale", "1").exit_code == 0
    assert json.loads((out / "shippers.json").read_text(encoding="utf-8"))["scale_per_usd"] == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    foreign = run(toy, "--out", tmp_path / "mine", "--force")
    assert foreign.exit_code == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_welfare_against_another_scenario(toy: Path) -> None:
    found = run(toy, "--scenario", "east-shut", "--against", "base", "--json")
    assert found.exit_code == 0, found.output
    gain = {row["lane_id"]: row["gain_usd_per_t"] for row in json.loads(found.stdout)["welfare"]}
    assert gain["export"] < 0
    assert "Welfare of shippers against base" in run(toy, "--scenario", "east-shut", "--against", "base").output


def estimates(path: Path, **weights: float) -> Path:
    rows: list[dict[str, Any]] = [{"name": name.replace("_", " "), "value": value} for name, value in weights.items()]
    path.write_text(json.dumps({"parameters": rows}), encoding="utf-8")
    return path


def test_weights_of_an_estimate(toy: Path, tmp_path: Path) -> None:
    file = estimates(tmp_path / "e.json", cost=-0.2, time=-0.02, reliability=0.0)
    found = run(toy, "--estimates", file, "--json")
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["scale_per_usd"] == 0.2
    assert content["nest_scale"] == 1.0
    # The instance's value of time is 0.10 USD/t-h too, so the weights are those of the plain options.
    plain = json.loads(run(toy, "--scale", "0.2", "--nest-scale", "1", "--json").stdout)
    for mine, theirs in zip(content["gateways"], plain["gateways"], strict=True):
        assert mine["shippers_t"] == pytest.approx(theirs["shippers_t"], rel=1e-5)


def test_estimate_and_shippers_go_together(instances_dir: Path, tmp_path: Path) -> None:
    toy, shares = instances_dir / "toy-port-choice", tmp_path / "shares.csv"
    shares.write_text("lane_id,gateway,share\nexport,east,0.7\nexport,west,0.3\n", encoding="utf-8")
    estimated = CliRunner().invoke(cli, ["estimate", str(toy), str(shares), "--attributes", "cost", "--json"])
    assert estimated.exit_code == 0, estimated.output
    file = tmp_path / "e.json"
    file.write_text(estimated.stdout, encoding="utf-8")
    found = run(toy, "--estimates", file)
    # East Port asks for 1 USD more in money: those who took it looked at something else.
    assert "weight of cost below 0" in found.output
    assert found.exit_code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scale", "0"), "scale is 0"),
        (("--scale", "nan"), "scale is nan"),
        (("--nest-scale", "1.2"), "nest scale is 1.2"),
        (("--gap", "2"), "gap is 2"),
        (("--time-limit", "0"), "time limit is 0"),
        (("--routes", "0"), "routes per gateway"),
        (("--congestion", "-1"), "congestion is -1"),
        (("--scenario", "east-shu"), "east-shut"),
        (("--against", "est-shut"), "east-shut"),
        (("--estimates", "nowhere.json"), "no such file"),
    ],
)
def test_bad_options_are_refused_in_words(toy: Path, options: tuple[str, str], words: str) -> None:
    found = run(toy, *options)
    assert found.exit_code == 2
    assert words in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"parameters": [{"name": "cost"}]}', "cannot be read"),
        ('{"parameters": [{"name": "cost", "value": NaN}]}', "finite"),
        ('{"parameters": [{"name": "time", "value": -1}]}', "weight of cost below 0"),
        ('{"parameters": [{"name": "cost", "value": -1}, {"name": "time", "value": 1}]}', "weight of time is 1"),
        ('{"parameters": [{"name": "cost", "value": -1}, {"name": "scale of east", "value": 2}]}', "east is 2"),
        ('{"parameters": [{"name": "cost", "value": -1}, {"name": "scale of eats", "value": 0.5}]}', "eats"),
    ],
)
def test_bad_estimates_are_refused_in_words(toy: Path, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "e.json"
    file.write_text(text, encoding="utf-8")
    found = run(toy, "--estimates", file)
    assert found.exit_code == 2
    assert words in found.output
    assert "Traceback" not in found.output


def test_scale_and_estimates_contradict(toy: Path, tmp_path: Path) -> None:
    found = run(toy, "--estimates", estimates(tmp_path / "e.json", cost=-1.0), "--scale", "1")
    assert found.exit_code == 2
    assert "leave --scale out" in found.output


def changed(toy: Path, place: Path, table: str, column: str, value: str) -> Path:
    """The toy with one column set to a value in every row."""
    shutil.copytree(toy, place)
    with (place / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (place / f"{table}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows({**row, column: value} for row in rows)
    return place


@pytest.mark.parametrize(
    ("table", "column", "value", "options"),
    [
        ("lanes", "unserved_usd_per_t", "0", ()),  # nothing worth shipping
        ("lanes", "quantity_t_per_year", "1e12", ()),  # a port with room for 600 of them
        ("lanes", "quantity_t_per_year", "1e-6", ()),
        ("commodities", "value_of_time_pct_per_day", "0", ()),
        ("ports", "capacity_mt_per_year", "0", ()),
        ("lanes", "quantity_t_per_year", "1000", ("--congestion", "1e6")),
        ("lanes", "quantity_t_per_year", "1000", ("--scale", "1e-9")),
        ("lanes", "quantity_t_per_year", "1000", ("--scale", "1e3")),
    ],
)
def test_extremes_settle_too(
    toy: Path, tmp_path: Path, table: str, column: str, value: str, options: tuple[str, ...]
) -> None:
    place = changed(toy, tmp_path / "x", table, column, value)
    found = run(place, "--json", *options)
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["gap"] <= 1e-6
    assert content["excess"] <= 1e-6
    assert run(place, *options).exit_code == 0


def test_nothing_to_ship_is_refused(toy: Path, tmp_path: Path) -> None:
    found = run(changed(toy, tmp_path / "x", "lanes", "quantity_t_per_year", "0"))
    assert found.exit_code == 2
    assert "nothing to choose" in found.output
