"""Regret, break-even, sensitivity and simulation on the toy, whose figures are worked out in its README."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from optimizer.cli import cli
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice import FAMILY, GaugeChoice
from optimizer.models.gauge_choice.break_even import goods_of, pieces, sites_at, stretches
from optimizer.models.gauge_choice.designs import annuity, mean_wait
from optimizer.models.gauge_choice.graph import Ground
from optimizer.models.gauge_choice.regret import compare
from optimizer.models.gauge_choice.sensitivity import inputs_of
from optimizer.models.gauge_choice.simulate import simulate_site
from optimizer.models.gauge_choice.traffic import site_traffic


@pytest.fixture
def toy(instances_dir: Path) -> GaugeChoice:
    return GaugeChoice(apply_scenario(read_instance(instances_dir / "toy-gauge-choice")))


def erlang_c_wait(use: float, servers: int) -> float:
    """Mean wait in M/M/c over the mean work (Erlang 1917)."""
    load = use * servers
    terms = [load**n / math.factorial(n) for n in range(servers)]
    last = load**servers / math.factorial(servers) / (1 - use)
    return last / (sum(terms) + last) / (servers * (1 - use))


def test_wait_is_exact_for_one_server_and_near_erlang_c_for_more() -> None:
    for use in (0.1, 0.5, 0.9):
        assert mean_wait(use, 1, 2.0, 1.0, 1.0) == pytest.approx(2.0 * use / (1 - use))
    for use, servers in itertools.product((0.5, 0.7, 0.9), (2, 3, 6)):
        assert -0.01 <= mean_wait(use, servers, 1.0, 1.0, 1.0) - erlang_c_wait(use, servers) <= 0.05


def test_annuity() -> None:
    assert annuity(0.08, 25) == pytest.approx(0.0936788, abs=1e-7)
    assert annuity(0.0, 25) == 0.04


def test_regret_of_the_wrong_gauge(toy: GaugeChoice) -> None:
    found = {choice.variants: choice.cost for choice in compare(toy, SolveOptions())}
    assert found == {("border",): pytest.approx(31_700_000.0), ("inland",): pytest.approx(28_400_000.0)}


def test_break_even_worked_out_by_hand(toy: GaugeChoice) -> None:
    sites = sites_at(toy, "M", (1676, 1520))
    goods = goods_of(toy, ("bogie", "bulk"))
    assert goods == {"grain": 2_000_000.0, "fuel": 1_000_000.0}
    ground = Ground(toy)
    found = stretches({name: pieces(toy, ground, sites[name], goods) for name in ("bulk", "bogie")})
    assert found[0].winner == "bulk"
    assert found[0].end_t == pytest.approx(1_500_000 / (2.6 - 2.1566210), rel=1e-6)
    assert found[1].winner == "bogie"


def test_break_even_is_where_plans_switch(toy: GaugeChoice) -> None:
    """Planned again a little below and above the break-even, the corridor takes the technology that wins there."""
    for tonnes, technology in ((3_300_000.0, "bulk"), (3_450_000.0, "bogie")):
        lanes = toy.corridor.table("lanes").copy()
        lanes["quantity_t_per_year"] = [tonnes, 0.0]
        corridor = replace(toy.corridor, tables={**toy.corridor.tables, "lanes": lanes})
        outcome = FAMILY.methods["exact"](GaugeChoice(corridor, gauges="inland"), SolveOptions())
        assert outcome.solution is not None
        assert outcome.solution["terminals"]["site_id"].tolist() == [f"M-{technology}"]


def test_inputs_move_only_what_has_a_band(toy: GaugeChoice) -> None:
    words = [one.words for one in inputs_of(toy)]
    assert "cost of 1676 mm against the other gauges" in words
    assert "price of spare sets" in words
    assert "papers and customs at sites" not in words  # low and high are equal in the toy
    high = next(one for one in inputs_of(toy) if one.words == "cost of a unit").at(toy.corridor, "high")
    assert high.table("transfer_technologies")["usd_per_unit"].tolist() == [90.0, 45.0]


def test_simulation_agrees_where_the_wait_is_exact(toy: GaugeChoice) -> None:
    outcome = FAMILY.methods["exact"](toy, SolveOptions())
    assert outcome.solution is not None
    (site,) = site_traffic(toy, outcome.solution)
    assert site.use == pytest.approx(2_000_000 / 60 / 20 * 2 / 8760)
    run = simulate_site(site, 0.5, trains=2000, replications=12, seed=3)
    assert run.predicted_wait_h == 2.0
    assert abs(run.wait_h - 2.0) <= 1.5 * run.wait_half_width_h
    assert run.outside == pytest.approx(0.25, abs=0.03)
    again = simulate_site(site, 0.5, trains=2000, replications=12, seed=3)
    assert again.wait_h == run.wait_h


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_answers_in_words(instances_dir: Path) -> None:
    path = str(instances_dir / "toy-gauge-choice")
    regret = run("gauge", "regret", path)
    assert "1520 Midway - Bordertown (border)   31.70     3.30" in regret
    answer = run("gauge", "break-even", path, "--at", "M", "--between", "1520/1676", "--demand", "1")
    assert "3.3831" in answer
    assert "The corridor planned again" in answer
    assert "cost of 1676 mm" in run("gauge", "sensitivity", path)
    assert "Midway, bulk transfer" in run("gauge", "simulate", path, "--trains", "200", "--replications", "3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--at", "X", "--between", "1520/1676"), "no site between 1520 and 1676 mm at 'X'; there are B 1520/1676"),
        (("--at", "M", "--between", "1520"), "expected A/B such as 1520/1676"),
        (("--at", "M", "--between", "1520/1676", "--first", "bulck"), "no site of technology 'bulck' at 'M'; did you"),
    ],
)
def test_wrong_questions_are_answered_with_a_way_out(
    instances_dir: Path, arguments: tuple[str, ...], words: str
) -> None:
    path = str(instances_dir / "toy-gauge-choice")
    result = CliRunner().invoke(cli, ["gauge", "break-even", path, *arguments])
    assert result.exit_code == 2
    assert words in result.output
