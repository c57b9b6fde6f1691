"""Bad input and faults: what every method makes of corridors that break, starve or strain it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import corridor_from_rows, corridor_of

from optimizer.data.corridor import Corridor
from optimizer.data.generate import generate
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.writing import write_instance
from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.result import Outcome, Status
from optimizer.verification.numbers import exact

METHODS = ("engine", "exact", "crosscheck")
every_method = pytest.mark.parametrize("method", METHODS)
static_and_dated = pytest.mark.parametrize("dated", [False, True])

TONNES_A_DAY = 365 / 1e6
"""Capacity in million tonnes a year of one tonne a day."""


def corridor(
    links: Sequence[Mapping[str, Any]],
    *,
    quantity_t: float = 10.0,
    penalty: float = 100.0,
    days: int = 10,
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    **shipment: Any,
) -> Corridor:
    """Links from ``a`` to ``b`` unless said otherwise, 100 km at 0.05 USD per t-km and a day long: a tonne costs 5."""
    places = {place for link in links for place in (link.get("from_node", "a"), link.get("to_node", "b"))}
    common = {"origin": "a", "destination": "b", "commodity_id": "coal", "unserved_usd_per_t": penalty}
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        "nodes": [
            {"node_id": place, "name": place.upper(), "country": "KZ", "lat": 45.0, "lon": 60.0}
            for place in sorted(places | {"a", "b"})
        ],
        "links": [
            {"link_id": f"l{number}", "from_node": "a", "to_node": "b", "mode": "rail", "gauge_mm": 1520,
             "length_km": 100.0, "speed_kmh": 100 / 24} | dict(link)
            for number, link in enumerate(links)
        ],
        "commodities": [{"commodity_id": "coal", "name": "Coal", "cargo_form": "gondola", "value_usd_per_t": 0.0}],
        "tariffs": [{"tariff_id": "haul", "kind": "line_haul", "unit": "usd_per_t_km", "value": 0.05}],
        "lanes": [{"lane_id": "lane", "quantity_t_per_year": 365 * quantity_t} | common],
        "shipments": [
            {"shipment_id": "load", "quantity_t": quantity_t, "release_day": 0, "due_day": 9, "late_usd_per_t_day": 1.0}
            | common | shipment
        ],
    }  # fmt: skip
    return corridor_from_rows(rows | dict(tables or {}), {"horizon": {"days": days}})


def solve(problem: PortChoice, method: str, **options: Any) -> Outcome:
    """Outcome whose plan, where there is one, passes the verifier, and whose bound lies below its cost."""
    outcome = FAMILY.methods[method](problem, SolveOptions(**options))
    if outcome.solution is not None:
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.bound is not None
        assert outcome.cost is not None
        assert outcome.bound <= outcome.cost
    return outcome


def proved(problem: PortChoice, method: str) -> float:
    outcome = solve(problem, method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost is not None
    assert outcome.bound == pytest.approx(outcome.cost, rel=1e-6)
    return outcome.cost


def words(problem: PortChoice, outcome: Outcome) -> str:
    assert outcome.solution is not None
    return "\n".join(
        " ".join([table.title, *cells]) for table in FAMILY.report(problem, outcome.solution) for cells in table.rows
    )


# Starved: capacities of zero, no route, penalties too low -----------------------------------------------------------


@every_method
@static_and_dated
def test_a_cut_without_capacity_leaves_everything_behind(method: str, dated: bool) -> None:
    shut = [{"capacity_mt_per_year": 0.0}, {"capacity_mt_per_year": 0.0, "length_km": 50.0}]
    problem = PortChoice(corridor(shut), dated=dated)
    tonnes = 10.0 if dated else 3650.0
    outcome = solve(problem, method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(100 * tonnes)
    assert "cheapest ways are full" in words(problem, outcome)


@every_method
@static_and_dated
def test_only_what_fits_through_the_cut_moves(method: str, dated: bool) -> None:
    cut = [{"capacity_mt_per_year": 0.0}, {"capacity_mt_per_year": TONNES_A_DAY, "length_km": 200.0}]
    problem = PortChoice(corridor(cut, due_day=9, late_usd_per_t_day=0.0), dated=dated)
    # 10 USD on the second link, which is two days long, so that its last of 8 departures is on day 7.
    expected = 8 * 10.0 + 2 * 100.0 if dated else 365 * (1 * 10.0 + 9 * 100.0)
    assert proved(problem, method) == pytest.approx(expected)


@every_method
@static_and_dated
def test_all_lanes_unserved_without_a_route(method: str, dated: bool) -> None:
    apart = corridor([{"to_node": "c"}, {"from_node": "d"}])
    problem = PortChoice(apart, dated=dated)
    outcome = solve(problem, method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.bound == pytest.approx(outcome.cost)
    assert outcome.cost == pytest.approx(100 * (10.0 if dated else 3650.0))
    assert "no route" in words(problem, outcome)


@every_method
@static_and_dated
def test_without_a_route_nothing_can_be_served(method: str, dated: bool) -> None:
    problem = PortChoice(corridor([{"to_node": "c"}, {"from_node": "d"}]), dated=dated, serve_all=True)
    outcome = solve(problem, method)
    assert outcome.status is Status.INFEASIBLE
    assert "there is no route" in outcome.conflicts[0]


@every_method
@static_and_dated
@pytest.mark.parametrize("penalty", [0.0, 4.999])
def test_a_penalty_below_every_route_is_cheaper_than_moving(method: str, dated: bool, penalty: float) -> None:
    problem = PortChoice(corridor([{}, {"length_km": 150.0}], penalty=penalty), dated=dated)
    outcome = solve(problem, method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(penalty * (10.0 if dated else 3650.0))
    assert outcome.solution is not None
    assert not len(outcome.solution["routes"])
    assert "cheapest way 5 USD/t" in words(problem, outcome)


# Ties ---------------------------------------------------------------------------------------------------------------


def tied() -> Corridor:
    """Two equal stages of three equal links each, two of them narrow; four equal lanes and shipments."""
    narrow = {"capacity_mt_per_year": 12 * TONNES_A_DAY}
    stages = [{"to_node": "m"}, {"from_node": "m"}]
    drawn = corridor([ends | more for ends in stages for more in (narrow, narrow, {})])
    tables = dict(drawn.tables)
    for name, key in (("lanes", "lane_id"), ("shipments", "shipment_id")):
        copies = [tables[name].assign(**{key: f"{name}{number}"}) for number in range(4)]
        tables[name] = pd.concat(copies, ignore_index=True).rename_axis(index="line")
    return replace(drawn, tables=tables)


@every_method
@static_and_dated
def test_ties_are_broken_the_same_way_each_time(method: str, dated: bool) -> None:
    first, second = (solve(PortChoice(tied(), dated=dated), method) for _ in range(2))
    assert first.cost == second.cost
    assert first.bound == second.bound
    assert first.solution is not None
    assert second.solution is not None
    for name, table in first.solution.items():
        pd.testing.assert_frame_equal(table, second.solution[name])


@every_method
@static_and_dated
@pytest.mark.parametrize("seed", [0, 1])
def test_ties_cost_the_same_in_any_order_of_rows(method: str, dated: bool, seed: int) -> None:
    rows = tied()
    turned = replace(
        rows, tables={name: table.sample(frac=1, random_state=seed) for name, table in rows.tables.items()}
    )
    cost = proved(PortChoice(turned, dated=dated), method)
    assert cost == pytest.approx(proved(PortChoice(rows, dated=dated), method), rel=1e-9)
    assert cost == pytest.approx(4 * 10 * (10.0 if dated else 3650.0))


# Costs below zero ---------------------------------------------------------------------------------------------------


def test_a_negative_rate_in_a_file_names_file_line_and_value(tmp_path: Path) -> None:
    write_instance(corridor([{}]).instance, tmp_path / "bad")
    path = tmp_path / "bad" / "tariffs.csv"
    path.write_text(path.read_text().replace(",0.05", ",-0.05"))
    with pytest.raises(InstanceError, match=r"tariffs\.csv:2: value is '?-0\.05'?, expected"):
        read_instance(tmp_path / "bad")


def test_a_scenario_that_turns_a_rate_negative_is_refused(tmp_path: Path) -> None:
    write_instance(corridor([{}]).instance, tmp_path / "bad")
    (tmp_path / "bad" / "scenarios").mkdir(exist_ok=True)
    (tmp_path / "bad" / "scenarios" / "gift.toml").write_text(
        'description = "Paid to carry"\n[[change]]\ntable = "tariffs"\ncolumn = "value"\nadd = -1.0\n'
        'where = { tariff_id = "haul" }\n'
    )
    with pytest.raises(InstanceError, match=r"gift\.toml: change 1: value becomes -0\.95 in tariffs\.csv:2"):
        apply_scenario(read_instance(tmp_path / "bad"), "gift")


@every_method
@static_and_dated
def test_a_free_cycle_made_in_memory_is_refused_with_its_rows(method: str, dated: bool) -> None:
    drawn = corridor([{}, {}])
    links = drawn.table("links").copy()
    links.loc[links.index[1], "length_km"] = -40.0
    with pytest.raises(InstanceError) as refused:
        solve(PortChoice(replace(drawn, tables={**drawn.tables, "links": links}), dated=dated), method)
    line = links.index[1]
    assert [(fault.file, fault.line) for fault in refused.value.faults] == [("links.csv", line)]
    assert "link 'l1' costs -2 USD/t for coal (haul -2), expected a cost not below zero" in str(refused.value)


def test_a_negative_tariff_made_in_memory_names_the_tariff_too() -> None:
    drawn = corridor([{}])
    tariffs = drawn.table("tariffs").assign(value=-0.05)
    with pytest.raises(InstanceError, match=r"tariffs\.csv:\d+: value is -0\.05, expected a number not below zero"):
        solve(PortChoice(replace(drawn, tables={**drawn.tables, "tariffs": tariffs})), "exact")


# Magnitudes ---------------------------------------------------------------------------------------------------------


def strained(factor_t: float, factor_usd: float) -> Corridor:
    """Two lanes and shipments, one ``10^9`` times the other, over links whose capacities and costs differ as much."""
    drawn = corridor(
        [
            {"length_km": 2e-6, "capacity_mt_per_year": 400e-6 * TONNES_A_DAY * factor_t},
            {"length_km": 2000.0, "capacity_mt_per_year": 400e3 * TONNES_A_DAY * factor_t},
            {"length_km": 900.0, "capacity_mt_per_year": 3e-4 * TONNES_A_DAY * factor_t},
        ],
        quantity_t=500e3 * factor_t,
        penalty=1e3 * factor_usd,
    )
    small = 500e3 * factor_t / 1e9
    tables = dict(drawn.tables)
    tables["links"] = tables["links"].assign(speed_kmh=1e3)
    tables["tariffs"] = tables["tariffs"].assign(value=0.05 * factor_usd)
    for name, key, column, amount in (
        ("lanes", "lane_id", "quantity_t_per_year", 365 * small), ("shipments", "shipment_id", "quantity_t", small),
    ):  # fmt: skip
        more = tables[name].assign(**{key: "small", column: amount, "unserved_usd_per_t": 1e6 * factor_usd})
        tables[name] = pd.concat([tables[name], more], ignore_index=True).rename_axis(index="line")
    return replace(drawn, tables=tables)


def cost_by_hand(problem: PortChoice, outcome: Outcome) -> Fraction:
    """Cost of a plan on :func:`strained` in exact fractions: tonnes times length times rate, and penalties."""
    assert outcome.solution is not None
    tables = problem.corridor.tables
    rate = exact(tables["tariffs"]["value"].iloc[0])
    per_t = {
        link: rate * exact(km)
        for link, km in zip(tables["links"]["link_id"], tables["links"]["length_km"], strict=True)
    }
    legs = outcome.solution["legs"].groupby("route_id")["asset_id"].agg(list)
    demand = problem.demand().set_index("demand_id")
    total = Fraction(0)
    for route in outcome.solution["routes"].itertuples():
        total += exact(route.quantity_t) * sum(per_t[link] for link in legs[route.route_id])
    for row in outcome.solution["unserved"].itertuples():
        total += exact(row.quantity_t) * exact(demand["unserved_usd_per_t"][row.demand_id])
    return total


@every_method
@pytest.mark.parametrize("factor_t", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("factor_usd", [1e-3, 1.0, 1e3])
def test_magnitudes_a_thousand_million_apart(method: str, factor_t: float, factor_usd: float) -> None:
    problem = PortChoice(strained(factor_t, factor_usd))
    outcome = solve(problem, method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert abs(cost_by_hand(problem, outcome) - Fraction(outcome.cost)) <= Fraction(outcome.cost) / 10**9
    # Cheapest first: 400e-6 t/day at 1e-7 USD, 3e-4 at 45, 400e3 at 100; the rest stays behind. Of the two demands the
    # small one, which is worth more, moves in full.
    large, small = Fraction(500_000), Fraction(1, 2000)
    best = Fraction(400, 10**6) / 10**7 + Fraction(3, 10**4) * 45
    best += 400_000 * 100 + (large + small - Fraction(7, 10**4) - 400_000) * 1000
    best *= 365 * Fraction(str(factor_t)) * Fraction(str(factor_usd))
    assert float(Fraction(outcome.cost) / best) == pytest.approx(1.0, rel=2e-6)
    assert float(Fraction(outcome.bound) / best) == pytest.approx(1.0, rel=2e-6)
    assert Fraction(outcome.bound) <= best * (1 + Fraction(1, 10**9))
    assert outcome.solution is not None
    assert "small" not in set(outcome.solution["unserved"]["demand_id"])


@every_method
@pytest.mark.parametrize("factor_t", [1e-3, 1.0, 1e3])
def test_magnitudes_agree_over_days(method: str, factor_t: float) -> None:
    problem = PortChoice(strained(factor_t, 1.0), dated=True)
    assert proved(problem, method) == pytest.approx(proved(problem, "engine"), rel=2e-6)


# Late, and out of time ----------------------------------------------------------------------------------------------


@every_method
def test_due_before_it_can_arrive_is_late_at_its_rate(method: str) -> None:
    problem = PortChoice(corridor([{"length_km": 300.0}], due_day=1, late_usd_per_t_day=4.0), dated=True)
    outcome = solve(problem, method)
    # Three days of 5 USD each, and two days late.
    assert outcome.cost == pytest.approx(10 * (15 + 2 * 4))
    assert outcome.solution is not None
    assert outcome.solution["routes"]["arrive_day"].tolist() == [3]
    assert "Late load A > B 10 1 3 2 8.0" in words(problem, outcome)


@every_method
def test_lateness_dearer_than_the_penalty_stays_behind(method: str) -> None:
    problem = PortChoice(corridor([{"length_km": 300.0}], due_day=1, late_usd_per_t_day=50.0), dated=True)
    outcome = solve(problem, method)
    assert outcome.cost == pytest.approx(10 * 100)
    assert "cheapest way 115 USD/t, penalty 100" in words(problem, outcome)


@every_method
def test_what_cannot_arrive_within_the_horizon_stays_behind(method: str) -> None:
    problem = PortChoice(corridor([{"length_km": 300.0}], release_day=8, due_day=9), dated=True)
    outcome = solve(problem, method)
    assert outcome.cost == pytest.approx(10 * 100)
    assert "no route within the horizon" in words(problem, outcome)
    # Due days beyond the horizon are no promise to arrive after it.
    later = PortChoice(corridor([{"length_km": 300.0}], release_day=8, due_day=20), dated=True, serve_all=True)
    assert solve(later, method).status is Status.INFEASIBLE


@every_method
@pytest.mark.parametrize("limit_s", [0.001, 1.0])
def test_the_time_limit_is_kept_while_the_model_is_built(method: str, limit_s: float) -> None:
    made = generate(places=30, days=42, shipments=500, congestion="heavy", seed=1)
    problem = PortChoice(corridor_of(made), dated=True)
    solve(PortChoice(corridor([{}]), dated=True), method)  # machine code loaded
    start = time.monotonic()
    outcome = FAMILY.methods[method](problem, SolveOptions(time_limit_s=limit_s))
    # Graph and pricing arrays are always made, for the bound; building the compact models alone takes far longer.
    assert time.monotonic() - start < limit_s + 5
    assert outcome.status.has_plan
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound is not None
    assert outcome.cost is not None
    assert 0 < outcome.bound <= outcome.cost


def test_a_second_for_a_year_of_shipments() -> None:
    problem = PortChoice(
        corridor_of(generate(places=120, days=365, shipments=10_000, congestion="heavy", seed=1)), dated=True
    )
    start = time.process_time()
    outcome = FAMILY.methods["engine"](problem, SolveOptions(time_limit_s=1.0))
    # The graph over the days, one pass and the tables of the plan come on top of the second.
    assert time.process_time() - start < 30
    assert outcome.status is Status.FEASIBLE
    assert outcome.solution is not None
    assert len(outcome.solution["routes"])
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound is not None
    assert outcome.cost is not None
    assert 0 < outcome.bound < outcome.cost


@every_method
def test_a_signal_in_the_middle_of_a_run_brings_back_a_plan(method: str, tmp_path: Path) -> None:
    instance, out = tmp_path / "made", tmp_path / "out"
    # The engine needs more than a moment for this one, the compact models as long to be built.
    size = {"places": 60, "days": 120, "shipments": 2000} if method == "engine" else {
        "places": 30, "days": 42, "shipments": 500}  # fmt: skip
    write_instance(generate(**size, congestion="heavy", seed=1), instance)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "optimizer.cli"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    solving = subprocess.Popen(
        [*command, "solve", "port-choice", str(instance), "--dated", "--method", method, "--json", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert solving.stderr is not None
    assert "port-choice on" in solving.stderr.readline()
    time.sleep(1.5)
    assert solving.poll() is None, "ended before the signal"
    sent = time.monotonic()
    solving.send_signal(signal.SIGTERM)
    stdout, stderr = solving.communicate(timeout=60)
    assert solving.returncode == 0, stderr
    assert "Stopping with the best plan so far" in stderr
    assert time.monotonic() - sent < 30
    told = json.loads(stdout)
    assert told["status"] == "FEASIBLE"
    assert 0 < told["bound"] <= told["cost"]
    verified = subprocess.run(
        [*command, "verify", str(instance), str(out)], capture_output=True, text=True, env=environment, check=False
    )
    assert verified.returncode == 0, verified.stderr
