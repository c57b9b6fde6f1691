"""Locomotives: physics by hand, stages, plans that pass the verifier, enumeration on small cases, mutations."""

from __future__ import annotations

import shutil
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, rows_of, shop_corridors, train_corridors

from optimizer.data.generator.locomotive_ladder import locomotive_ladder
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.locomotives.engine import search_trains
from optimizer.models.rolling_stock.locomotives.exact import build_trains
from optimizer.models.rolling_stock.locomotives.relaxation import certified_bound
from optimizer.models.rolling_stock.locomotives.trains import effort_kn, plan_trains, resistance_kn
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.result import Progress, Status

REFERENCE = Path(__file__).resolve().parents[2] / "instances" / "kazakhstan-pakistan"

EXACT = FAMILY.methods["exact"]
CROSSCHECK = FAMILY.methods["crosscheck"]
EASY = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


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


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=st.one_of(train_corridors(), shop_corridors()))
def test_changed_plans_are_rejected(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    assert outcome.cost is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost * 1.01 + 1)
    plan, stages, duties = outcome.solution, outcome.solution["stages"], outcome.solution["duties"]
    if len(plan["cancelled"]):
        assert FAMILY.verify(problem, {**plan, "cancelled": plan["cancelled"].iloc[1:]}, outcome.cost)
    for index in plan["light_moves"].index:
        assert FAMILY.verify(problem, {**plan, "light_moves": plan["light_moves"].drop(index)}, outcome.cost)
    for index in duties[duties["kind"] != "shop"].index:
        assert FAMILY.verify(problem, {**plan, "duties": duties.drop(index)}, outcome.cost)
        for column, value in (("from_node", "nowhere"), ("depart_min", 1), ("arrive_min", 99999), ("unit", 9)):
            assert FAMILY.verify(problem, {**plan, "duties": changed(duties, index, column, value)}, outcome.cost)
    for index in duties[duties["kind"] == "shop"].index:
        wrong = changed(duties, index, "window_id", "none")
        assert FAMILY.verify(problem, {**plan, "duties": wrong}, outcome.cost)
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
        assert FAMILY.verify(problem, {**plan, "stages": changed(stages, first, column, value)}, outcome.cost), column


def changed(table: Any, index: Any, column: str, value: Any) -> Any:
    """The table with one other cell."""
    other = table.copy()
    other[column] = other[column].astype(object)
    other.at[index, column] = value
    return other


def a_banker_from_the_top() -> tuple[dict[str, list[dict[str, Any]]], float]:
    """
    The train takes 120 minutes to b and 120 up the ramp from minute 2,940, an hour after the horizon ends.

    One unit is at a, one at c. That one runs light to b before the end (120 minutes) and waits there; waiting after the
    end costs nothing. A minute costs 1 USD.
    """
    rows = ramp(depart_day=1, depart_min=1380)
    rows["fleet"] = [{"fleet_id": n, "type_id": "dl", "node_id": n, "gauge_mm": 1676, "units": 1} for n in ("a", "c")]
    return rows, 4 * 120.0


def a_shop_that_opens_late() -> tuple[dict[str, list[dict[str, Any]]], float]:
    """
    The unit at a is due at minute 1,440, the shop at b opens at 2,000; the train goes down from b at 2,400.

    It runs light to b until 1,440 (120 minutes), waits 560, is in the shop for 300, waits 100, and hauls for 120.
    """
    rows = ramp(links="ab", from_node="b", depart_day=1, depart_min=960)
    rows["fleet"][0] |= {"units": 1, "days_since_maintenance": 6}
    rows["locomotives"][0]["maintenance_days"] = 7
    rows["shop_windows"] = [
        {"window_id": "w", "loco_id": "dl", "node_id": "b", "from_min": 2000, "until_min": 2300, "units": 1}
    ]
    return rows, 120.0 + 560 + 300 + 100 + 120


@pytest.mark.parametrize("case", [a_banker_from_the_top, a_shop_that_opens_late])
def test_light_moves_end_in_time_though_they_are_needed_later(case: Any) -> None:
    rows, usd = case()
    problem = problem_of(rows)
    for method in ("exact", "crosscheck", "engine"):
        outcome = FAMILY.methods[method](problem, SolveOptions())
        assert outcome.solution is not None
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.cost == pytest.approx(usd), method
        assert outcome.status is Status.OPTIMAL
    found = search_trains(problem, SolveOptions())
    assert found.solution is not None
    assert FAMILY.verify(problem, found.solution, found.cost) == ()
    assert found.cost == pytest.approx(usd)
    assert found.bound is not None
    assert found.bound <= usd + 1e-6


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=shop_corridors())
def test_both_formulations_agree_on_shops_and_connections(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    first, second = EXACT(problem, SolveOptions()), CROSSCHECK(problem, SolveOptions())
    for outcome in (first, second):
        assert outcome.status is Status.OPTIMAL
        assert outcome.solution is not None
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert first.cost == pytest.approx(second.cost, abs=1e-5)


def there_and_back() -> dict[str, list[dict[str, Any]]]:
    """A train up the line at once and one down a day later, 96 minutes each; one locomotive, at home at the foot."""
    rows = ramp(links="l", from_node="p", gross_t=600, cancel_usd=200)
    rows["nodes"] = [{"node_id": n, "name": n, "country": "PK", "lat": 0, "lon": i} for i, n in enumerate("pq")]
    link = {"mode": "rail", "gauge_mm": 1676, "speed_kmh": 25, "length_km": 40, "ruling_gradient_permille": 5}
    rows["links"] = [{"link_id": "l", "from_node": "p", "to_node": "q", **link}]
    rows["fleet"] = [{"fleet_id": "f", "type_id": "dl", "node_id": "p", "gauge_mm": 1676, "units": 1}]
    rows["train_services"].append({**rows["train_services"][0], "service_id": "u", "from_node": "q", "depart_day": 1})
    return rows


def test_a_unit_goes_home_between_two_trains_and_comes_back() -> None:
    problem = problem_of(there_and_back())
    for method in ("exact", "crosscheck", "engine"):
        outcome = FAMILY.methods[method](problem, SolveOptions())
        assert outcome.solution is not None
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.cost == pytest.approx(4 * 96), method  # to stay away costs 1,344, to cancel one 200
        assert outcome.status is Status.OPTIMAL


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=st.one_of(train_corridors(), shop_corridors()))
def test_the_engine_has_a_bound_below_the_optimum_and_a_plan_above(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    best = EXACT(problem, SolveOptions())
    seen: list[Progress] = []
    found = search_trains(problem, SolveOptions(on_progress=seen.append))
    assert best.cost is not None
    assert found.solution is not None
    assert found.cost is not None
    assert found.bound is not None
    assert FAMILY.verify(problem, found.solution, found.cost) == ()
    assert found.bound <= best.cost + 1e-6 * max(1.0, best.cost)
    assert found.cost >= best.cost - 1e-6 * max(1.0, best.cost)
    assert all(p.bound is not None and p.bound <= best.cost + 1e-6 * max(1.0, best.cost) for p in seen)


@EASY
@given(corridor=shop_corridors(), seed=st.integers(0, 2**20))
def test_any_prices_give_a_bound(corridor: Any, seed: int) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    plan, programme = build_trains(problem)
    assume(programme.num_columns > 0)
    rng = np.random.default_rng(seed)
    price = rng.normal(0.0, 500.0, programme.matrix.shape[0])
    best = EXACT(problem, SolveOptions())
    hopeless = sum(float(plan.cancel_usd[s]) for s in plan.impossible)
    assert certified_bound(programme, price)[0] + hopeless <= (best.cost or 0.0) + 1e-6


def test_a_unit_goes_to_the_shop_before_its_days_are_over() -> None:
    """
    One unit at a is due at the end of day 0; a train on day 1 needs it from a to b and back on the same day.

    The shop at a keeps it from minute 600 to 1,000 of day 0. Without the window both trains are cancelled. A link takes
    120 minutes, a minute costs 1 USD: 240, and 2 * 30 for connecting, once at b and once at home.
    """
    rows = ramp(links="ab", depart_day=1)
    rows["links"][1]["ruling_gradient_permille"] = 5
    rows["fleet"][0] |= {"units": 1, "days_since_maintenance": 6}
    rows["locomotives"][0]["maintenance_days"] = 7
    rows["train_services"].append(
        {**rows["train_services"][0], "service_id": "back", "from_node": "b", "depart_min": 150}
    )
    config = {"horizon": {"days": 2}, "rolling_stock": {"connection_min": 30}}
    without = RollingStock(corridor_from_rows(rows, config), stock="locomotives")
    for solve in (EXACT, CROSSCHECK):
        assert solve(without, SolveOptions()).cost == pytest.approx(20000)
    window = {"window_id": "w", "loco_id": "dl", "node_id": "a", "from_min": 600, "until_min": 1000, "units": 1}
    rows["shop_windows"] = [window]
    problem = RollingStock(corridor_from_rows(rows, config), stock="locomotives")
    for solve in (EXACT, CROSSCHECK):
        outcome = solve(problem, SolveOptions())
        assert outcome.cost == pytest.approx(300)
        assert outcome.solution is not None
        assert list(outcome.solution["duties"]["kind"]) == ["shop", "train", "train"]
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        lazy = {**outcome.solution, "duties": outcome.solution["duties"].iloc[1:].assign(step=[0, 1])}
        rules = [str(violation) for violation in FAMILY.verify(problem, lazy, outcome.cost)]
        assert any("works after its days are over" in rule for rule in rules)
    # Kilometres instead of days: 40 km are left, the way there and back takes 80.
    rows["locomotives"][0] |= {"maintenance_km": 1000, "maintenance_days": None}
    rows["fleet"][0] |= {"km_since_maintenance": 960, "days_since_maintenance": 0}
    far = RollingStock(corridor_from_rows(rows, config), stock="locomotives")
    outcome = EXACT(far, SolveOptions())
    assert outcome.cost == pytest.approx(300)
    assert outcome.solution is not None
    lazy = {**outcome.solution, "duties": outcome.solution["duties"].iloc[1:].assign(step=[0, 1])}
    assert any("runs further than it may" in str(violation) for violation in FAMILY.verify(far, lazy, outcome.cost))


def test_shop_windows_that_overlap_or_end_too_soon_are_refused() -> None:
    rows = ramp()
    window = {"loco_id": "dl", "node_id": "a", "units": 1}
    rows["shop_windows"] = [
        {"window_id": "early", "from_min": 0, "until_min": 600, **window},
        {"window_id": "late", "from_min": 480, "until_min": 900, **window},
        {"window_id": "void", "from_min": 1000, "until_min": 1000, **window},
    ]
    with pytest.raises(InstanceError) as error:
        problem_of(rows)
    assert "windows 'early' and 'late' of 'dl' at 'a' overlap in minutes 480 to 600" in str(error.value)
    assert "until_min is 1000, expected more than from_min 1000" in str(error.value)


def test_duplicates_and_empty_fleets_are_refused(tmp_path: Path) -> None:
    toy = REFERENCE.parent / "toy-rolling-stock"
    shutil.copytree(toy, tmp_path / "bad")
    services, fleet = tmp_path / "bad" / "train_services.csv", tmp_path / "bad" / "fleet.csv"
    lines = services.read_text().splitlines()
    services.write_text("\n".join([*lines, lines[1]]) + "\n")
    fleet.write_text(fleet.read_text().replace("diesel,mid,1520,2", "diesel,mid,1520,0"))
    with pytest.raises(InstanceError) as error:
        read_instance(tmp_path / "bad")
    assert "train_services.csv:4: service_id 'down' stands twice, first in line 2" in str(error.value)
    assert "fleet.csv:4: units is '0'" in str(error.value)


def test_a_train_without_locomotives_on_hand_says_so() -> None:
    rows = ramp()
    rows["fleet"][0]["from_day"] = 5
    outcome = EXACT(problem_of(rows), SolveOptions())
    assert outcome.solution is not None
    assert outcome.solution["cancelled"]["reason"][0] == (
        "too few locomotives on hand from a to b: it needs at least 1 dl"
    )


def test_the_search_cancels_trains_of_a_gauge_without_locomotives() -> None:
    rows = ramp()
    rows["fleet"][0]["from_day"] = 5
    problem = problem_of(rows)
    outcome = search_trains(problem, SolveOptions())
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(10000)
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()


def test_a_second_is_enough_for_a_plan_and_a_bound_and_the_rung_is_seeded() -> None:
    network = apply_scenario(read_instance(REFERENCE), None)
    instance = locomotive_ladder("S", 1, network=network, trains=120)
    again = locomotive_ladder("S", 1, network=network, trains=120)
    assert all(instance.tables[name].equals(again.tables[name]) for name in instance.tables)
    problem = RollingStock(apply_scenario(instance, "base"), stock="locomotives")
    stop = threading.Event()
    stop.set()
    for options in (SolveOptions(time_limit_s=0.2), SolveOptions(stop=stop)):
        outcome = FAMILY.methods["engine"](problem, options)
        assert outcome.solution is not None
        assert outcome.bound is not None
        assert outcome.cost is not None
        assert 0 < outcome.bound <= outcome.cost
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    with pytest.raises(UsageError, match="rung is 'XL'"):
        locomotive_ladder("XL", 1, network=network)  # type: ignore[arg-type]
