"""Scenario comparison: contributions worked out by hand, properties of the bridge, the command."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import instances

from optimizer.cli import cli
from optimizer.data.corridor import Corridor, Instance
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.schema.settings import Scenario
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.comparing.compare import Comparison, compare
from optimizer.models.port_choice.comparing.report import figures, report, sentences
from optimizer.result import Status


def haul(**change: float) -> Scenario:
    return Scenario.model_validate(
        {"change": [{"table": "tariffs", "column": "value", "where": {"tariff_id": "haul"}, **change}]}
    )


CHEAP = haul(set=0.01)
TURN = Scenario.model_validate({"change": [{"table": "lanes", "column": "quantity_t_per_year", "multiply": 1.0}]})


@pytest.fixture
def toy(instances_dir: Path) -> Instance:
    """The toy with scenarios of haul at 0.01 USD per t-km instead of 0.02, and others."""
    made = read_instance(instances_dir / "toy-port-choice")
    more = {"cheap-haul": CHEAP, "nothing": TURN, "rebate": haul(add=-0.03), "surcharge": haul(add=0.02)}
    return replace(made, scenarios={**made.scenarios, **more})


def compared(instance: Instance, base: str, scenario: str, **more: Any) -> Comparison:
    sides = [apply_scenario(instance, () if names == "base" else tuple(names.split(","))) for names in (base, scenario)]
    return compare(*sides, **more)


def test_contributions_worked_out_by_hand(toy: Instance) -> None:
    found = compared(toy, "base", "east-shut,cheap-haul")
    # v() = 31,120 and v(shut) = 31,840 as in the README of the toy. At 0.01 USD per t-km a tonne saves 4.00 by East and
    # 3.00 by West or to the mill: v(cheap) = 600 * 22.80 + 400 * 25.00 + 200 * 6.20 + 2,000 = 26,920, and
    # v(both) = 1,000 * 25.00 + 1,240 + 2,000 = 28,240.
    assert {tuple(sorted(mixture)): round(solved.cost, 6) for mixture, solved in found.mixtures.items()} == {
        (): 31_120, (0,): 31_840, (1,): 26_920, (0, 1): 28_240
    }  # fmt: skip
    shut, cheap = found.contributions
    assert (shut.cause, cheap.cause) == ("east-shut", "cheap-haul")
    assert float(shut.usd) == pytest.approx((720 + 1320) / 2)
    assert float(cheap.usd) == pytest.approx(-(4200 + 3600) / 2)
    assert (shut.alone, shut.last) == pytest.approx((720, 1320))
    assert (cheap.alone, cheap.last) == pytest.approx((-4200, -3600))
    assert found.repriced.usd is None
    assert "asset not in force" in found.repriced.why_not


def test_the_plan_of_the_base_at_new_prices(toy: Instance) -> None:
    found = compared(toy, "base", "cheap-haul")
    assert found.repriced.usd == pytest.approx(26_920)  # the same ways stay best
    assert "planning again: +0" in " ".join(sentences(found)) or "planning again: -0" in " ".join(sentences(found))


def test_back_again_is_the_negative(toy: Instance) -> None:
    there, back = (compared(toy, *pair) for pair in (("base", "east-shut"), ("east-shut", "base")))
    assert float(there.contributions[0].usd) == pytest.approx(720)
    assert float(back.contributions[0].usd) == pytest.approx(-720)
    assert back.contributions[0].cause == "closures of east-shut" or "without" in back.contributions[0].cause


def test_a_cause_without_effect_adds_nothing(toy: Instance) -> None:
    found = compared(toy, "base", "east-shut,nothing,cheap-haul")
    assert {part.cause: round(float(part.usd), 6) for part in found.contributions} == {
        "east-shut": 1020, "nothing": 0, "cheap-haul": -3900
    }  # fmt: skip


def test_causes_that_do_not_stand_alone_are_one(toy: Instance) -> None:
    found = compared(toy, "base", "surcharge,rebate")  # the rebate alone makes the rate -0.01
    assert [part.cause for part in found.contributions] == ["surcharge + rebate"]
    assert float(found.contributions[0].usd) == pytest.approx(26_920 - 31_120)
    assert "one does not stand without the other" in found.causes.note
    assert "value becomes -0.01" in found.causes.note
    assert found.causes.note in sentences(found)


def test_limits_give_ranges_that_hold(toy: Instance) -> None:
    proved = compared(toy, "base", "east-shut,cheap-haul")
    options = SolveOptions()
    options.stop.set()
    cut = compared(toy, "base", "east-shut,cheap-haul", options=options)
    assert any(solved.status is Status.FEASIBLE for solved in cut.mixtures.values())
    for part, sure in zip(cut.contributions, proved.contributions, strict=True):
        assert part.low <= float(sure.usd) <= part.high
    low, high = cut.difference_range
    assert low <= proved.difference <= high
    assert "proved to lie between" in sentences(cut)[0]
    assert "proved between" in report(cut)[0].columns
    assert ".." in report(cut)[0].rows[1][-1]


def test_tables_of_what_moved(toy: Instance) -> None:
    found = compared(toy, "base", "east-shut")
    tables = {table.title: table.rows for table in report(found)}
    assert ["East Port", "600", "0", "-600"] in tables["What moved: tonnes through ports"]
    assert ["West Port", "400", "1,000", "+600"] in tables["What moved: tonnes through ports"]
    assert ["together", "31,120", "31,840", "+720"] in tables["Cost bridge, by component"]
    lanes = tables["What moved: lanes"]
    assert lanes[0][:4] == ["north >", "600", "0", "-600"]
    assert not any("mill" in cell for row in lanes for cell in row)  # keeps its way


def two_causes(drawn: Instance, where: int, factor: float) -> Instance:
    """Drawn instance with a scenario that shuts a place in between, one that turns rates, and one of both kinds."""
    nodes = drawn.tables["nodes"]["node_id"].tolist()
    shut = Scenario.model_validate({"close": {"links": [drawn.tables["links"]["link_id"].iloc[where % len(nodes)]]}})
    turned = Scenario.model_validate({"change": [{"table": "tariffs", "column": "value", "multiply": factor}]})
    return replace(drawn, scenarios={**drawn.scenarios, "shut": shut, "turned": turned})


@settings(max_examples=8, deadline=None)
@given(drawn=instances(), where=st.integers(0, 3), factor=st.sampled_from([0.5, 1.0, 2.0]))
def test_contributions_and_components_sum_to_the_difference(drawn: Instance, where: int, factor: float) -> None:
    if not len(drawn.tables["links"]) or not len(drawn.tables["lanes"]):
        return
    instance = two_causes(drawn, where % len(drawn.tables["links"]), factor)
    one, other = (compared(instance, "base", names, causes="scenarios") for names in ("shut,turned", "turned,shut"))
    total = sum((part.usd for part in one.contributions), Fraction(0))
    assert total == Fraction(one.scenario.cost) - Fraction(one.base.cost)
    for parts, solved in zip(one.parts, (one.base, one.scenario), strict=True):
        assert sum(parts.values()) == pytest.approx(solved.cost, rel=1e-6, abs=1e-6)
    by_name = [{part.cause: float(part.usd) for part in found.contributions} for found in (one, other)]
    scale = 1e-6 * max(abs(one.base.cost), abs(one.scenario.cost), 1.0)
    assert by_name[0] == pytest.approx(by_name[1], abs=4 * scale)  # the order of the causes does not matter
    for part, mixture in itertools.product(one.contributions, one.mixtures.values()):
        assert part.low <= float(part.usd) <= part.high
        assert mixture.bound <= mixture.cost
    if factor >= 1.0:
        assert all(float(part.usd) >= -scale for part in one.contributions)  # closures and dearer rates never help
    json.dumps(figures(one), allow_nan=False)


# The command --------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["compare", *arguments])


def test_command(instances_dir: Path, tmp_path: Path) -> None:
    toy = str(instances_dir / "toy-port-choice")
    shown = run(toy, "base", "east-shut")
    assert shown.exit_code == 0, shown.output
    assert "from base to east-shut the least cost rises by 720 USD a year (+2.31 %)" in shown.output
    assert "plan 2 of 2" in shown.stderr
    told = json.loads(run(toy, "base", "east-shut", "--json", "--method", "exact").stdout)
    assert told["difference_usd"] == pytest.approx(720)
    assert told["causes"][0]["cause"] == "closures of east-shut"
    assert {"port": "east", "base_t": 600.0, "scenario_t": 0.0} in told["ports"]
    for name, start in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.html", b"<!DOCTYPE html>")):
        drawn = run(toy, "base", "east-shut", "--chart", str(tmp_path / name))
        assert drawn.exit_code == 0, drawn.output
        assert (tmp_path / name).read_bytes().startswith(start)


def test_command_out_of_time_warns(instances_dir: Path) -> None:
    reference = str(instances_dir / "kazakhstan-pakistan")
    cut = run(reference, "2035,gauge-b", "2035,gauge-b,hormuz-shut", "--time-limit", "0.01")
    assert cut.exit_code == 0, cut.output
    assert "Warning: 2 of 2 plans are not proved best" in cut.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["base", "base"], "there is nothing to compare"),
        (["base", "east-shot"], "did you mean 'east-shut'"),
        (["base", "east-shut", "--causes", "all"], "expected one of auto, scenarios, overrides"),
        (["base", "east-shut", "--method", "magic"], "method 'magic'"),
        (["base", "east-shut", "--chart", "a.pdf"], ".svg, .png, .html"),
        (["base", "east-shut", "--gap", "-1"], "gap"),
    ],
)
def test_command_wrong_input(instances_dir: Path, arguments: list[str], words: str) -> None:
    told = run(str(instances_dir / "toy-port-choice"), *arguments)
    assert told.exit_code == 2
    assert words in told.output


def test_two_instances_are_refused(toy: Instance, instances_dir: Path) -> None:
    other: Corridor = apply_scenario(read_instance(instances_dir / "kazakhstan-pakistan"), None)
    with pytest.raises(UsageError, match="of two instances"):
        compare(apply_scenario(toy, ()), other)
