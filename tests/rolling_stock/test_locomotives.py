"""Locomotives: physics by hand, stages, plans that pass the verifier, enumeration on small cases, mutations."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import corridor_from_rows, rows_of, train_corridors

from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.models.rolling_stock.trains import effort_kn, plan_trains, resistance_kn
from optimizer.result import Status

EXACT = FAMILY.methods["exact"]
EASY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def ramp(**train: Any) -> dict[str, list[dict[str, Any]]]:
    """Three places; the second link is steep. Four locomotives at the foot of the ramp, none elsewhere."""
    link = {"mode": "rail", "gauge_mm": 1676, "speed_kmh": 20, "length_km": 40}
    return {
        "nodes": [{"node_id": n, "name": n.upper(), "country": "PK", "lat": 0, "lon": i} for i, n in enumerate("abc")],
        "links": [
            {"link_id": "ab", "from_node": "a", "to_node": "b", "ruling_gradient_permille": 5, **link},
            {"link_id": "bc", "from_node": "b", "to_node": "c", "ruling_gradient_permille": 25, **link},
        ],
        "commodities": [{"commodity_id": "coal", "name": "Coal", "cargo_form": "gondola", "value_usd_per_t": 100}],
        "locomotives": [
            {
                "loco_id": "dl",
                "country": "PK",
                "gauge_mm": 1676,
                "traction": "diesel",
                "power_kw": 2240,
                "starting_te_kn": 300,
                "mass_t": 120,
                "max_speed_kmh": 100,
                "cost_usd_per_day": 1440,
            }
        ],
        "fleet": [{"fleet_id": "f", "type_id": "dl", "node_id": "a", "gauge_mm": 1676, "units": 4}],
        "train_services": [
            {
                "service_id": "t",
                "gauge_mm": 1676,
                "links": "ab;bc",
                "from_node": "a",
                "depart_day": 0,
                "gross_t": 1500,
                "wagons": 20,
                "cancel_usd": 10000,
                **train,
            }
        ],
    }


def problem_of(rows: Any, **options: Any) -> RollingStock:
    return RollingStock(corridor_from_rows(rows, {"horizon": {"days": 2}}), stock="locomotives", **options)


def test_effort_and_resistance_by_hand() -> None:
    loco = {"power_kw": 2240, "starting_te_kn": 300, "mass_t": 120}
    # power: 2240 * 3.6 / 20 = 403 kN; adhesion: 9.81 * 120 * (7.5 / 64 + 0.161) = 327.5 kN; starting effort 300 kN
    assert effort_kn(loco) == 300
    assert float(effort_kn(loco | {"mass_t": 100})) == pytest.approx(9.81 * 100 * 0.2781875)
    # (25 + 2.228) per mille of 1,740 t
    assert float(resistance_kn(Fraction(1740), Fraction(25))) == pytest.approx(1740 * 9.81 * 27.228 / 1000)


def test_a_banker_helps_on_the_ramp_only() -> None:
    problem = problem_of(ramp())
    stages = plan_trains(problem, RouteBook(problem.corridor)).stages["t"]
    assert [(s.from_node, s.to_node, s.depart_min, s.arrive_min) for s in stages] == [
        ("a", "b", 0, 120),
        ("b", "c", 120, 240),
    ]
    # On the ramp: one unit 300 < (1500 + 120) 9.81 0.027228 = 432.7 kN, two units 600 >= 464.8 kN.
    assert stages[0].consists[0] == (("dl", 1),)
    assert stages[1].consists[0] == (("dl", 2),)
    outcome = EXACT(problem, SolveOptions())
    assert outcome.status is Status.OPTIMAL
    # 1 USD a minute and unit: train 120 + 2 * 120, banker to b 120 (in the train or light), both home from c 2 * 240.
    assert outcome.cost == pytest.approx(120 + 240 + 120 + 480)
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert FAMILY.kpis(problem, outcome.solution)["stages_with_several_units"] in (1, 2)
    assert FAMILY.report(problem, outcome.solution)[0].rows


def test_a_train_too_heavy_for_every_consist_is_named() -> None:
    rows = ramp(gross_t=9000)
    outcome = EXACT(problem_of(rows), SolveOptions())
    assert outcome.cost == pytest.approx(10000)
    assert outcome.solution is not None
    assert outcome.solution["cancelled"]["reason"][0] == "no consist can haul 9000 t from b to c (25 per mille)"
    forced = EXACT(problem_of(rows, serve_all=True), SolveOptions())
    assert forced.status is Status.INFEASIBLE
    assert forced.conflicts == ("train t: no consist can haul 9000 t from b to c (25 per mille)",)


def test_too_few_locomotives_are_named() -> None:
    rows = ramp()
    rows["fleet"][0]["units"] = 1
    outcome = EXACT(problem_of(rows, serve_all=True), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    assert outcome.conflicts == ("train t: too few locomotives; from b to c it needs for example 2 dl or 3 dl or 4 dl",)


def test_electric_units_stay_under_the_wire() -> None:
    rows = ramp()
    rows["locomotives"][0]["traction"] = "electric"
    rows["links"][0]["electrified"] = "25kV"
    outcome = EXACT(problem_of(rows), SolveOptions())
    assert outcome.solution is not None
    assert "no consist can haul 1500 t from b to c" in outcome.solution["cancelled"]["reason"][0]


def test_faults_of_trains() -> None:
    rows = ramp(links="bc;ab")
    with pytest.raises(InstanceError, match="link 'bc' of train 't' does not touch 'a'"):
        problem_of(rows)
    with pytest.raises(UsageError, match="wagons only"):
        FAMILY.methods["crosscheck"](problem_of(ramp()), SolveOptions())


@EASY
@given(corridor=train_corridors())
def test_plans_keep_every_rule_and_their_bound(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    outcome = EXACT(problem, SolveOptions())
    assert outcome.status is Status.OPTIMAL
    assert outcome.bound is not None
    assert outcome.cost is not None
    assert outcome.bound <= outcome.cost
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    FAMILY.report(problem, outcome.solution)


@EASY
@given(corridor=train_corridors())
def test_one_more_locomotive_never_costs_more(corridor: Any) -> None:
    before = EXACT(RollingStock(corridor, stock="locomotives"), SolveOptions())
    rows = rows_of(corridor)
    rows["fleet"][0]["units"] += 1
    after = EXACT(problem_with_days(rows, corridor.config.horizon.days), SolveOptions())
    assert after.cost <= before.cost + 1e-6


def problem_with_days(rows: Any, days: int) -> RollingStock:
    return RollingStock(corridor_from_rows(rows, {"horizon": {"days": days}}), stock="locomotives")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=train_corridors())
def test_changed_plans_are_rejected(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    assert outcome.cost is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost * 1.01 + 1)
    plan, stages = outcome.solution, outcome.solution["stages"]
    if len(plan["cancelled"]):
        assert FAMILY.verify(problem, {**plan, "cancelled": plan["cancelled"].iloc[1:]}, outcome.cost)
    for index in plan["light_moves"].index:
        assert FAMILY.verify(problem, {**plan, "light_moves": plan["light_moves"].drop(index)}, outcome.cost)
    assume(len(stages) > 0)
    first = stages.index[0]
    assert FAMILY.verify(problem, {**plan, "stages": stages.drop(first)}, outcome.cost)
    other = "el" if stages.loc[first, "loco_id"] == "dl" else "dl"
    for column, value in (
        ("units", int(stages.loc[first, "units"]) + 4),
        ("to_node", "nowhere"),
        ("loco_id", other),
        ("stage", 7),
    ):
        changed = stages.copy()
        changed[column] = changed[column].astype(object)
        changed.at[first, column] = value
        assert FAMILY.verify(problem, {**plan, "stages": changed}, outcome.cost), column
