"""Switch points: worked out by hand on the toy, compared with solving anew on drawn corridors, and wrong input."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import corridors

from optimizer.cli import cli
from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import PortChoice
from optimizer.models.port_choice.exact import solve_exact
from optimizer.models.port_choice.switching.envelope import Line, crossing, envelope
from optimizer.models.port_choice.switching.levers import parse_lever
from optimizer.models.port_choice.switching.shadow import check_price
from optimizer.models.port_choice.switching.switch import Switches, switch_points


def toy(instances_dir: Path) -> PortChoice:
    return PortChoice(apply_scenario(read_instance(instances_dir / "toy-port-choice"), None))


def answer(problem: PortChoice, lever: str, low: float, high: float) -> Switches:
    return switch_points(problem, parse_lever(problem.corridor, lever), low, high)


def exact_cost(problem: PortChoice) -> float:
    cost = solve_exact(problem, SolveOptions()).cost
    assert cost is not None
    return cost


# West costs 28.00 and East 26.80 a tonne with the lease; East takes 600 t at most.
@pytest.mark.parametrize(
    ("lever", "low", "high", "points"),
    [
        ("premium:west", -3, 5, [-1.2]),
        ("premium:east", -1, 4, [1.2]),
        ("premium:east/to Gulf", -1, 4, [1.2]),
        ("dwell:quay-east", 0, 60, [36]),  # 12 h more at 0.10 USD
        ("dwell:east", 0, 3, [1.5]),
        ("capacity:east", 0, 1500, [1000]),
        ("capacity:port east t", 0, 900, []),
        # 100 km more at rate r to East than to West, which is 3.20 dearer apart from haul: both cost the same where
        # 100 r = 3.20, that is where r = 0.032.
        ("tariff:haul", 0.03, 0.05, [0.032]),
        ("tariff:haul", 0.01, 0.03, [0.0088 / 0.3]),  # the mill pays 3.20 + 300 r, with lease, against 12
    ],
)
def test_points_worked_out_by_hand(
    instances_dir: Path, lever: str, low: float, high: float, points: list[float]
) -> None:
    found = answer(toy(instances_dir), lever, low, high)
    assert found.points == pytest.approx(points, rel=1e-9)
    for left, right in zip(found.intervals, found.intervals[1:], strict=False):
        assert left.line.at(left.end) == pytest.approx(right.line.at(right.start), rel=1e-9)
    assert found.largest_deviation < 1e-9


def test_shares_and_winners(instances_dir: Path) -> None:
    before, after = answer(toy(instances_dir), "premium:east", -1, 4).intervals
    assert before.shares("to Gulf") == {"east": 0.6, "west": 0.4}
    assert after.shares("to Gulf") == {"west": 1.0}
    assert (before.winner("to Gulf"), after.winner("to Gulf")) == ("east", "west")
    assert before.lane_winner == {"export": "east", "mill": "no sea port"}
    assert before.line.slope == pytest.approx(600)
    assert before.taken == ("lease",)
    small, large = answer(toy(instances_dir), "capacity:east", 0, 1500).intervals
    assert small.tonnes["to Gulf", "east"] == pytest.approx(500)  # in the middle
    assert large.tonnes["to Gulf", "east"] == pytest.approx(1000)


def test_haul_of_a_country_is_the_tariff_on_its_half(instances_dir: Path) -> None:
    # Half of Borderton > East Port lies in PK: 1 USD per unit of the factor more than to West Port. At 2.4
    # the mill costs 12 USD; it then gets only the 150 t that the lease still asks for.
    found = answer(toy(instances_dir), "haul:PK", 1, 4)
    assert found.points == pytest.approx([2.2, 2.4], rel=1e-9)
    assert found.intervals[-1].tonnes["to PK", "no sea port"] == pytest.approx(150)


def test_equal_costs_give_the_same_answer_twice(instances_dir: Path) -> None:
    problem = toy(instances_dir)
    one, other = (answer(problem, "premium:west", -1.2, 3) for _ in range(2))
    assert one.intervals == other.intervals
    assert one.points == ()  # equal costs at the end of the range are no switch inside it


def test_envelope_of_known_lines() -> None:
    lines = [(0.0, 3.0), (2.0, 1.0), (3.0, 0.5), (5.0, 0.0)]

    def least(value: float) -> Line:
        cost, slope = min((a + b * value, b) for a, b in lines)
        return Line(value, cost, slope)

    def most(value: float) -> Line:
        cost, slope = max((-a - b * value, -b) for a, b in lines)
        return Line(value, cost, slope)

    assert [line.slope for line in envelope(least, 0.0, 10.0)] == [3.0, 1.0, 0.5, 0.0]
    assert [line.slope for line in envelope(most, 0.0, 10.0, concave=False)] == [-3.0, -1.0, -0.5, 0.0]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-8, 8)), min_size=1, max_size=8), st.booleans())
@settings(deadline=None, max_examples=200)
def test_envelope_of_any_lines(lines: list[tuple[int, int]], concave: bool) -> None:
    """At ties the solve hands out the slope that helps least, even one that only touches."""
    sign = 1 if concave else -1
    at = lambda value: min(a + b * value for a, b in lines)  # noqa: E731

    def solve(value: float) -> Line:
        best = at(value)
        slopes = [b for a, b in lines if abs(a + b * value - best) <= 1e-9]
        return Line(value, sign * best, sign * float(slopes[len(slopes) // 2]))

    found = envelope(solve, 0.0, 5.0, concave)
    for value in np.linspace(0, 5, 51).tolist():
        best = min if concave else max
        assert best(line.at(value) for line in found) == pytest.approx(sign * at(value), abs=1e-9)
    crossings = [crossing(one, other) for one, other in pairwise(found)]
    assert crossings == sorted(crossings)
    assert all(0 < value < 5 for value in crossings)


@st.composite
def lever_of(draw: st.DrawFn, corridor: Corridor) -> tuple[str, float, float]:
    choices = [("dwell", row, 0.0, 200.0) for row in corridor.table("handlings")["handling_id"]]
    choices += [("tariff", row, 0.0, 1.0) for row in corridor.table("tariffs")["tariff_id"]]
    choices += [("haul", row, 0.0, 5.0) for row in set(corridor.table("nodes")["country"])]
    kind, target, low, high = draw(st.sampled_from(sorted(choices)))
    return f"{kind}:{target}", low, high


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_dense_solves_lie_on_the_lines(data: st.DataObject) -> None:
    corridor = data.draw(corridors())
    text, low, high = data.draw(lever_of(corridor))
    lever = parse_lever(corridor, text)
    try:
        problem = PortChoice(corridor)
        found = switch_points(problem, lever, low, high)
    except (UsageError, InstanceError):
        assume(False)
    for value in np.linspace(low, high, 7).tolist():
        interval = next(i for i in found.intervals if value <= i.end)
        anew = exact_cost(lever.applied(problem, value))
        assert interval.line.at(value) == pytest.approx(anew, rel=1e-6, abs=1e-3)
    slopes = [interval.line.slope for interval in found.intervals]
    assert slopes == sorted(slopes, reverse=True)


def test_least_volume_filled_by_circling_is_refused(instances_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn corridors met it: a defect was reported where the instance asks for too much."""
    problem = PortChoice(apply_scenario(read_instance(instances_dir / "kazakhstan-pakistan"), None))
    monkeypatch.setattr("optimizer.models.port_choice.plan.Plan.short_contracts", lambda _: {0})
    first = problem.corridor.table("contracts")["contract_id"].iloc[0]
    with pytest.raises(UsageError, match=f"in a circle to fill the least volume of contract '{first}'"):
        answer(problem, "haul:PK", 0.0, 1.0)


@pytest.mark.parametrize("capacity", [0.0, 250.0, 700.0, 1300.0])
def test_capacity_lines_are_exact_costs(instances_dir: Path, capacity: float) -> None:
    problem = toy(instances_dir)
    ports = problem.corridor.table("ports").assign(capacity_mt_per_year=(capacity + 400) / 1e6)
    changed = replace(problem.corridor, tables={**problem.corridor.tables, "ports": ports})
    interval = next(i for i in answer(problem, "capacity:east", 0, 1500).intervals if capacity <= i.end)
    assert interval.line.at(capacity) == pytest.approx(exact_cost(PortChoice(changed)), rel=1e-7)
    assert interval.choice_saves_usd == 0


def test_price_is_the_saving_of_one_more_unit(instances_dir: Path) -> None:
    check = check_price(toy(instances_dir), "port east t")
    assert check.price_usd_per_unit == pytest.approx(1.2)
    assert check.saving_usd_per_unit == pytest.approx(1.2)
    # beyond 1,000 t there is nothing more to move
    assert check_price(toy(instances_dir), "port east t", 800).saving_usd_per_unit == pytest.approx(0.6)
    with pytest.raises(UsageError, match="did you mean 'port east t'"):
        check_price(toy(instances_dir), "port eas t")


@pytest.mark.parametrize(
    ("lever", "low", "high", "words"),
    [
        ("premum:east", 0, 1, "did you mean 'premium'"),
        ("premium:eastt", 0, 1, "did you mean 'east'"),
        ("premium:east/to Guld", 0, 1, "did you mean 'to Gulf'"),
        ("dwell:quay-eas", 0, 1, "did you mean 'quay-east'"),
        ("tariff:hall", 0, 1, "did you mean 'haul'"),
        ("haul:XX", 0, 1, "unknown country 'XX'"),
        ("capacity:eastt", 0, 1, "did you mean 'east'"),
        ("premium:east", 1, 1, "empty"),
        ("premium:east", 2, 1, "reversed"),
        ("premium:east", 0, float("nan"), "finite"),
        ("dwell:quay-east", -1, 1, "cannot be negative"),
        ("premium:east", -9, 1, "'quay-east' costs -4.6 USD/t"),
        ("haul:AE", 0, 1, "touches nothing"),
    ],
)
def test_wrong_input_in_words(instances_dir: Path, lever: str, low: float, high: float, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        answer(toy(instances_dir), lever, low, high)


def test_all_lanes_unserved(instances_dir: Path) -> None:
    problem = toy(instances_dir)
    with pytest.raises(UsageError, match="stay unserved at every value"):
        answer(problem, "tariff:haul", 5, 6)


def test_command(instances_dir: Path, tmp_path: Path) -> None:
    base = ["switch", str(instances_dir / "toy-port-choice"), "premium:east", "--from", "-1", "--to", "4"]
    shown = CliRunner().invoke(cli, base)
    assert shown.exit_code == 0, shown.output
    assert "1 switch point " in shown.output
    assert "west 100.0 %" in shown.output
    told = CliRunner().invoke(cli, [*base, "--json", "--lanes", "mill"])
    found = json.loads(told.stdout)
    assert found["points"] == pytest.approx([1.2])
    assert list(found["intervals"][0]["groups"]) == ["to PK"]
    for name, start in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.html", b"<!DOCTYPE html>")):
        drawn = CliRunner().invoke(cli, [*base, "--chart", str(tmp_path / name)])
        assert drawn.exit_code == 0, drawn.output
        assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--lanes", "exprt"], "did you mean 'export'"),
        (["--commodity", "grian"], "did you mean 'grain'"),
        (["--chart", "a.pdf"], ".svg, .png, .html"),
    ],
)
def test_command_wrong_input(instances_dir: Path, more: list[str], words: str) -> None:
    base = ["switch", str(instances_dir / "toy-port-choice"), "premium:east", "--from", "-1", "--to", "4"]
    told = CliRunner().invoke(cli, [*base, *more])
    assert told.exit_code == 2
    assert words in told.output
