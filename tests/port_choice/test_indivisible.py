"""Indivisible shipments: one route and one day for all tonnes, or none move. Worked out by hand, and drawn."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import corridor_from_rows, whole_corridors

from optimizer.data.columns import frame
from optimizer.data.corridor import Corridor
from optimizer.data.generate import generate
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.schema import TABLES
from optimizer.data.writing import write_instance
from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.models.port_choice.contracts import branch_on_contracts
from optimizer.models.port_choice.engine import plan_tables
from optimizer.models.port_choice.routeflow import translate
from optimizer.result import Outcome, Status

METHODS = ("engine", "exact", "crosscheck")
every_method = pytest.mark.parametrize("method", METHODS)
TONNES_A_DAY = 365 / 1e6


def two_ways(indivisible: bool, **shipment: Any) -> PortChoice:
    """
    Ten tonnes from a to b on day 0, due on day 1; a link of 6 t a day at 5 USD a tonne, one of 10 t at 9 USD.

    In parts 6 t take the cheap link and 4 t the dear one: 30 + 36 = 66. Tonnes for the cheap link on day 1 would be a
    day late at 20 USD. Together they fit on the dear link alone: 90. With a penalty of 8 USD a tonne: in parts
    30 + 4 * 8 = 62, together nothing moves: 80.
    """
    link = {"from_node": "a", "to_node": "b", "mode": "rail", "gauge_mm": 1520, "speed_kmh": 100 / 24}
    rows: dict[str, list[dict[str, Any]]] = {
        "nodes": [
            {"node_id": place, "name": place.upper(), "country": "KZ", "lat": 45.0, "lon": 60.0} for place in "ab"
        ],
        "links": [
            link | {"link_id": "cheap", "length_km": 100.0, "capacity_mt_per_year": 6 * TONNES_A_DAY},
            link | {"link_id": "dear", "length_km": 180.0, "speed_kmh": 180 / 24,
                    "capacity_mt_per_year": 10 * TONNES_A_DAY},
        ],
        "commodities": [{"commodity_id": "coal", "name": "Coal", "cargo_form": "gondola", "value_usd_per_t": 0.0}],
        "tariffs": [{"tariff_id": "haul", "kind": "line_haul", "unit": "usd_per_t_km", "value": 0.05}],
        "shipments": [
            {"shipment_id": "load", "origin": "a", "destination": "b", "commodity_id": "coal", "quantity_t": 10.0,
             "release_day": 0, "due_day": 1, "late_usd_per_t_day": 20.0, "unserved_usd_per_t": 100.0,
             "indivisible": indivisible} | shipment
        ],
    }  # fmt: skip
    return PortChoice(corridor_from_rows(rows, {"horizon": {"days": 10}}), dated=True)


def solve(problem: PortChoice, method: str, **options: Any) -> Outcome:
    outcome = FAMILY.methods[method](problem, SolveOptions(**options))
    if outcome.solution is not None:
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.bound is not None
        assert outcome.cost is not None
        assert outcome.bound <= outcome.cost
    return outcome


@every_method
@pytest.mark.parametrize(
    ("indivisible", "penalty", "cost", "routes"),
    [(False, 100.0, 66.0, 2), (True, 100.0, 90.0, 1), (False, 8.0, 62.0, 1), (True, 8.0, 80.0, 0)],
)
def test_the_cost_worked_out_by_hand(method: str, indivisible: bool, penalty: float, cost: float, routes: int) -> None:
    outcome = solve(two_ways(indivisible, unserved_usd_per_t=penalty), method)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(cost, rel=1e-6)
    assert outcome.solution is not None
    assert len(outcome.solution["routes"]) == routes


def test_a_split_is_rejected() -> None:
    parts, together = two_ways(False), two_ways(True)
    split = solve(parts, "exact")
    assert split.solution is not None
    found = FAMILY.verify(together, split.solution, split.cost)
    assert [violation.rule for violation in found] == ["indivisible shipment is split over routes"]


def test_a_part_is_rejected() -> None:
    part, together = two_ways(False, unserved_usd_per_t=8.0), two_ways(True, unserved_usd_per_t=8.0)
    moved = solve(part, "exact")
    assert moved.solution is not None
    found = FAMILY.verify(together, moved.solution, moved.cost)
    assert [violation.rule for violation in found] == ["indivisible shipment moves in part"]


def test_one_route_written_as_two_is_rejected() -> None:
    """Same way, same days, in two rows: the plan must say that the load stays together."""
    problem = two_ways(True)
    outcome = solve(problem, "exact")
    assert outcome.solution is not None
    routes, legs = outcome.solution["routes"], outcome.solution["legs"]
    half = routes.assign(quantity_t=routes["quantity_t"] / 2)
    twice = {
        **outcome.solution,
        "routes": pd.concat([half, half.assign(route_id="R2")], ignore_index=True),
        "legs": pd.concat([legs, legs.assign(route_id="R2")], ignore_index=True),
    }
    assert [v.rule for v in FAMILY.verify(problem, twice, outcome.cost)] == [
        "indivisible shipment is split over routes"
    ]


def test_a_bad_value_is_refused_in_words(tmp_path: Path) -> None:
    write_instance(generate(places=8, days=28, shipments=5), tmp_path / "world")
    file = tmp_path / "world" / "shipments.csv"
    text = pd.read_csv(file, dtype=str)
    text.loc[0, "indivisible"] = "partly"
    text.to_csv(file, index=False)
    with pytest.raises(InstanceError, match=r"shipments\.csv.*2.*indivisible.*partly"):
        read_instance(tmp_path / "world")


def test_the_column_may_be_absent(tmp_path: Path) -> None:
    write_instance(generate(places=8, days=28, shipments=5), tmp_path / "world")
    file = tmp_path / "world" / "shipments.csv"
    pd.read_csv(file, dtype=str).drop(columns="indivisible").to_csv(file, index=False)
    shipments = apply_scenario(read_instance(tmp_path / "world"), None).table("shipments")
    assert not shipments["indivisible"].any()


@settings(deadline=None, max_examples=30)
@given(corridor=whole_corridors())
def test_both_formulations_agree_on_drawn_corridors(corridor: Corridor) -> None:
    problem = PortChoice(corridor, dated=True)
    one, other = solve(problem, "exact"), solve(problem, "crosscheck")
    for plan, rival in ((one, other), (other, one)):
        assert plan.cost is not None
        assert rival.bound is not None
        assert plan.cost >= rival.bound * (1 - 1e-6) - 1e-6
    if one.status is other.status is Status.OPTIMAL:
        assert other.cost == pytest.approx(one.cost, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(corridor=whole_corridors())
def test_engine_agrees_with_exact(corridor: Corridor) -> None:
    problem = PortChoice(corridor, dated=True)
    engine, exact = solve(problem, "engine"), solve(problem, "exact")
    for plan, rival in ((engine, exact), (exact, engine)):
        assert plan.cost is not None
        assert rival.bound is not None
        assert plan.cost >= rival.bound * (1 - 1e-6) - 1e-6
    if engine.status is exact.status is Status.OPTIMAL:
        assert exact.cost == pytest.approx(engine.cost, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(corridor=whole_corridors())
def test_the_engine_alone_never_claims_too_much(corridor: Corridor) -> None:
    """Without the compact model behind it: its bound stays below the optimum, its plan keeps every rule."""
    problem = PortChoice(corridor, dated=True)
    translation = translate(problem)
    choice = branch_on_contracts(translation, SolveOptions(), None, ())
    tables, cost = plan_tables(translation, choice.result, choice.taken)
    assert FAMILY.verify(problem, tables, cost) == ()
    exact = solve(problem, "exact")
    if exact.status is Status.OPTIMAL:
        assert exact.cost is not None
        assert choice.bound <= exact.cost * (1 + 1e-6) + 1e-6
        assert cost >= exact.cost * (1 - 1e-6) - 1e-6


def ladder_case(least_t_per_year: float) -> PortChoice:
    """60 places, 120 days, 5,000 shipments, one in ten indivisible; four sea legs under contracts."""
    base = apply_scenario(generate(places=60, days=120, shipments=5_000, congestion="heavy", seed=1), None)
    shipments, legs = base.tables["shipments"], base.tables["sea_legs"]["leg_id"].tolist()[:4]
    rows = {
        "contract_id": [f"contract-{leg}" for leg in legs], "name": [""] * 4, "assets": [(leg,) for leg in legs],
        "fixed_cost_usd_per_year": [300_000.0] * 4, "min_t_per_year": [least_t_per_year] * 4,
    }  # fmt: skip
    tables = {
        **base.tables,
        "shipments": shipments.assign(indivisible=np.random.default_rng(1).random(len(shipments)) < 0.1),
        "contracts": frame(TABLES["contracts"], rows),
    }
    return PortChoice(replace(base, tables=tables), dated=True)


@pytest.mark.parametrize("least_t_per_year", [200_000.0, 1_000_000.0])
def test_five_thousand_shipments_within_one_percent(least_t_per_year: float) -> None:
    outcome = solve(ladder_case(least_t_per_year), "engine", time_limit_s=60.0, gap=0.01)
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert outcome.cost - outcome.bound <= 0.01 * outcome.cost


def test_a_second_brings_a_plan_and_a_bound() -> None:
    outcome = solve(ladder_case(200_000.0), "engine", time_limit_s=1.0)
    assert outcome.bound is not None
    assert outcome.bound > 0


@settings(deadline=None, max_examples=10)
@given(corridor=whole_corridors())
def test_same_question_same_plan(corridor: Corridor) -> None:
    problem = PortChoice(corridor, dated=True)
    one, other = solve(problem, "engine"), solve(problem, "engine")
    assert one.solution is not None
    assert other.solution is not None
    assert all(table.equals(other.solution[name]) for name, table in one.solution.items())
