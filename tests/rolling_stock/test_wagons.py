"""Wagons: plans of both methods pass the verifier and agree; limits, hire, exports, words for what cannot be done."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import highspy
import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import corridor_from_rows, rolling_stock_rows, wagon_corridors

from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.allocate import export
from optimizer.models.rolling_stock.wagons.exact import build
from optimizer.models.rolling_stock.wagons.moves import wagon_moves
from optimizer.result import Status

EASY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
EXACT, CROSSCHECK = FAMILY.methods["exact"], FAMILY.methods["crosscheck"]


def line(**config: Any) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Two places a day apart, one wagon at the far one, two wagon loads to carry."""
    rows = {
        "nodes": [
            {"node_id": "a", "name": "Alpha", "country": "KZ", "lat": 0, "lon": 0},
            {"node_id": "b", "name": "Beta", "country": "KZ", "lat": 0, "lon": 1},
        ],
        "links": [
            {
                "link_id": "ab",
                "from_node": "a",
                "to_node": "b",
                "mode": "rail",
                "gauge_mm": 1520,
                "length_km": 480,
                "speed_kmh": 20,
            }
        ],
        "commodities": [{"commodity_id": "grain", "name": "Grain", "cargo_form": "hopper", "value_usd_per_t": 100}],
        "wagons": [
            {
                "wagon_id": "hop",
                "gauges_mm": "1520",
                "wagon_type": "hopper",
                "payload_t": 70,
                "typical_load_t": 60,
                "tare_t": 20,
                "length_m": 14,
                "hire_usd_per_day": 50,
            }
        ],
        "wagon_suits": [{"wagon_id": "hop", "commodity_id": "grain"}],
        "fleet": [{"fleet_id": "f", "type_id": "hop", "node_id": "b", "gauge_mm": 1520, "units": 1}],
        "orders": [
            {
                "order_id": "o",
                "origin": "a",
                "destination": "b",
                "commodity_id": "grain",
                "quantity_t": 120,
                "release_day": 0,
                "due_day": 5,
                "unserved_usd_per_t": 100,
            }
        ],
    }
    stock = {"empty_usd_per_wagon_km": 0.1, "load_unload_days": 0, "hire_allowed": False} | config
    return rows, {"horizon": {"days": 6}, "rolling_stock": stock}


def test_one_wagon_makes_two_trips() -> None:
    problem = RollingStock(corridor_from_rows(*line()))
    outcome = EXACT(problem, SolveOptions())
    # Empty b-a (1 day), loaded a-b (1 day), twice: departures on days 0, 1, 2, 3 (each way takes 480/20 = 24 h).
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(2 * 480 * 0.1)
    assert outcome.solution is not None
    assert sorted(outcome.solution["runs"]["kind"]) == ["empty", "empty", "loaded", "loaded"]
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert FAMILY.kpis(problem, outcome.solution)["empty_share_pct"] == 50.0


def test_wagons_needed_are_told_by_month() -> None:
    rows, config = line()
    config["horizon"]["start"] = "2026-01-30"
    rows["orders"][0]["due_day"] = 3  # leaves no day to wait
    problem = RollingStock(corridor_from_rows(rows, config))
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    # One wagon, four runs of a day each, the first two of them in January: an empty and a loaded one.
    table = FAMILY.report(problem, outcome.solution)[3]
    assert table.title == "Wagons needed by month"
    assert table.rows[0] == ["hop", "1520", "2026-01", "1", "2", "50%"]
    assert sum(int(row[4]) for row in table.rows) == 4


def test_a_hired_wagon_goes_back_where_it_came_from() -> None:
    rows, config = line(hire_allowed=True)
    rows["orders"][0]["due_day"] = 1
    problem = RollingStock(corridor_from_rows(rows, config))
    outcome = EXACT(problem, SolveOptions())
    # A second wagon from b on day 0, back loaded on the morning of day 2: two days of hire, two empty trips.
    assert outcome.cost == pytest.approx(2 * 50 + 2 * 48)
    assert outcome.solution is not None
    assert list(outcome.solution["hires"]["change"]) == ["on", "off"]
    assert list(outcome.solution["hires"]["day"]) == [0, 2]


@EASY
@given(corridor=wagon_corridors())
def test_both_formulations_agree_and_their_plans_keep_every_rule(corridor: Any) -> None:
    problem = RollingStock(corridor)
    first, second = EXACT(problem, SolveOptions()), CROSSCHECK(problem, SolveOptions())
    for outcome in (first, second):
        assert outcome.status is Status.OPTIMAL
        assert outcome.bound is not None
        assert outcome.cost is not None
        assert outcome.bound <= outcome.cost
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        FAMILY.kpis(problem, outcome.solution)
        FAMILY.report(problem, outcome.solution)
    assert first.cost == pytest.approx(second.cost, rel=1e-6, abs=1e-6)


@EASY
@given(corridor=wagon_corridors())
def test_serve_all_is_either_kept_or_named_by_both(corridor: Any) -> None:
    problem = RollingStock(corridor, serve_all=True)
    first, second = EXACT(problem, SolveOptions()), CROSSCHECK(problem, SolveOptions())
    assert first.status is second.status
    if first.status is Status.INFEASIBLE:
        assert first.conflicts
        assert all("order o" in words for words in first.conflicts)
    else:
        assert first.cost == pytest.approx(second.cost, rel=1e-6, abs=1e-6)
        assert FAMILY.verify(problem, first.solution, first.cost) == ()


@EASY
@given(corridor=wagon_corridors())
def test_pruned_empty_moves_lose_nothing(corridor: Any) -> None:
    problem = RollingStock(corridor)
    from optimizer.solvers.mip import solve_model

    costs = []
    for prune in (True, False):
        model = build(problem, wagon_moves(problem, prune=prune))
        costs.append(solve_model(model.programme, SolveOptions()).objective)
    assert costs[0] == pytest.approx(costs[1], rel=1e-6, abs=1e-6)


@EASY
@given(drawn=rolling_stock_rows())
def test_more_room_and_more_wagons_never_cost_more(drawn: Any) -> None:
    rows, config = drawn
    assume(config["rolling_stock"]["idle_usd_per_wagon_day"] == 0)
    tight = EXACT(RollingStock(corridor_from_rows(rows, config)), SolveOptions())
    for node in rows["nodes"]:
        node.pop("yard_capacity_wagons", None)
    for link in rows["links"]:
        link.pop("capacity_trains_per_day", None)
    roomy = EXACT(RollingStock(corridor_from_rows(rows, config)), SolveOptions())
    assert roomy.cost <= tight.cost + 1e-6


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=wagon_corridors())
def test_changed_plans_are_rejected(corridor: Any) -> None:
    problem = RollingStock(corridor)
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    assert outcome.cost is not None
    runs, unserved = outcome.solution["runs"], outcome.solution["unserved"]
    assert FAMILY.verify(problem, outcome.solution, outcome.cost + 0.01 * max(1.0, abs(outcome.cost)))
    if len(unserved):
        forged = unserved.assign(quantity_t=unserved["quantity_t"] / 2)
        assert FAMILY.verify(problem, {**outcome.solution, "unserved": forged}, outcome.cost)
    assume(len(runs) > 0)
    first = runs.index[0]
    other = "b" if runs.loc[first, "from_gauge"] == 1520 else "a"  # of the other gauge
    elsewhere = next(n for n in corridor.table("nodes")["node_id"] if n != runs.loc[first, "to_node"])
    mutations: list[tuple[str, Any]] = [
        ("wagons", int(runs.loc[first, "wagons"]) + 20),
        ("depart_day", int(runs.loc[first, "depart_day"]) + 1),
        ("arrive_day", int(runs.loc[first, "arrive_day"]) - 1),
        ("path", runs.loc[first, "path"][:-1]),
        ("path", (*runs.loc[first, "path"], "nowhere")),
        ("wagon_id", other),
        ("to_node", elsewhere),
        ("kind", "empty" if runs.loc[first, "kind"] == "loaded" else "loaded"),
    ]
    if _is_needed(corridor, outcome.solution, first):  # one of more wagons than the load takes may stay behind
        mutations.append(("wagons", int(runs.loc[first, "wagons"]) - 1))
    for column, value in mutations:
        changed = runs.copy()
        changed[column] = changed[column].astype(object)
        changed.at[first, column] = value
        assert FAMILY.verify(problem, {**outcome.solution, "runs": changed}, outcome.cost), column
    owing = corridor.table("wagons").set_index("wagon_id")["return_rule"].get(runs.loc[first, "wagon_id"])
    # A way home may cost just what is owed without it.
    if runs.loc[first, "kind"] != "empty" or owing not in ("return", "direct"):
        assert FAMILY.verify(problem, {**outcome.solution, "runs": runs.drop(first)}, outcome.cost)


def _is_needed(corridor: Any, solution: Any, run: Any) -> bool:
    """Whether the order of a loaded run could not be carried with one wagon less on it."""
    runs, unserved = solution["runs"], solution["unserved"]
    order_id = runs.loc[run, "order_id"]
    mine = runs[(runs["kind"] == "loaded") & (runs["order_id"] == order_id)]
    if runs.loc[run, "kind"] != "loaded":
        return False
    load_t = corridor.table("wagons").set_index("wagon_id")["typical_load_t"]
    asked = corridor.table("orders").set_index("order_id")["quantity_t"][order_id]
    left = unserved[unserved["order_id"] == order_id]["quantity_t"].sum()
    carried = (mine["wagons"] * mine["wagon_id"].map(load_t)).sum() - load_t[runs.loc[run, "wagon_id"]]
    return bool(carried < asked - left - 1e-6)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_export_reads_back_to_the_same_optimum(tmp_path: Any, suffix: str) -> None:
    problem = RollingStock(corridor_from_rows(*line(hire_allowed=True)))
    export(problem, tmp_path / f"model{suffix}")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(tmp_path / f"model{suffix}"))
    highs.run()
    assert highs.getInfo().objective_function_value == pytest.approx(EXACT(problem, SolveOptions()).cost)


def test_export_to_another_suffix_is_refused(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match=r"ending in .lp or .mps"):
        export(RollingStock(corridor_from_rows(*line())), tmp_path / "model.txt")


@pytest.mark.parametrize("solver", ["highs", "cbc"])
def test_solvers_by_name(solver: str) -> None:
    outcome = EXACT(RollingStock(corridor_from_rows(*line())), SolveOptions(solver=solver))
    assert outcome.cost == pytest.approx(96)


def test_no_time_leaves_everything_standing() -> None:
    problem = RollingStock(corridor_from_rows(*line()))
    outcome = EXACT(problem, SolveOptions(time_limit_s=0.0))
    assert outcome.status is Status.FEASIBLE
    assert outcome.cost == pytest.approx(12000)
    assert outcome.bound is not None
    assert outcome.bound <= 96
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()


def test_what_cannot_be_carried_is_named() -> None:
    rows, config = line()
    rows["orders"][0]["due_day"] = 1
    outcome = EXACT(RollingStock(corridor_from_rows(rows, config), serve_all=True), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    assert outcome.conflicts == (
        "order o, Alpha to Beta: 60 of 120 t grain cannot be carried: "
        "at least 1 wagon of hop (1520 mm) short at Alpha between day 0 and 1",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda rows: rows.update(wagon_suits=[{"wagon_id": "hop", "commodity_id": "grain"}], links=[]),
            "no way by rail",
        ),
        (lambda rows: rows["orders"][0].update(due_day=0), "no suited wagon of 1520 mm can be at Alpha on day 0 to 0"),
    ],
)
def test_reasons_of_unserved_orders(change: Any, words: str) -> None:
    rows, config = line()
    change(rows)
    problem = RollingStock(corridor_from_rows(rows, config))
    outcome = EXACT(problem, SolveOptions())
    table = next(table for table in FAMILY.report(problem, outcome.solution) if table.title == "Left behind")
    assert words in table.rows[0][table.columns.index("why")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.update(orders=[]), "orders.csv: no rows in force"),
        (
            lambda rows: rows["orders"][0].update(release_day=9, due_day=9),
            "release_day is 9, expected a day of the horizon, at most 5",
        ),
        (
            lambda rows: rows["orders"][0].update(release_day=3, due_day=2),
            "due_day is 2, expected release_day 3 or later",
        ),
        (
            lambda rows: rows["nodes"][1].update(yard_capacity_wagons=0),
            "yard_capacity_wagons of 'b' is 0, but the fleet table puts 1 wagons there",
        ),
        (lambda rows: rows["wagons"][0].update(gauges_mm="1520;1435"), "several gauges but gauge_change 'none'"),
        (lambda rows: rows["wagons"][0].update(gauges_mm="1521"), "gauges_mm is '1521', expected 1520, 1435 or 1676"),
        (
            lambda rows: rows["fleet"][0].update(gauge_mm=1435),
            "gauge_mm is 1435, expected a gauge of wagon 'hop': 1520",
        ),
    ],
)
def test_faults_are_told_with_file_and_value(change: Any, words: str) -> None:
    rows, config = line()
    change(rows)
    with pytest.raises(InstanceError) as caught:
        RollingStock(corridor_from_rows(rows, config))
    assert words in str(caught.value)


def test_unknown_stock_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'wagons'"):
        RollingStock(corridor_from_rows(*line()), stock="wagon")  # type: ignore[arg-type]


def test_same_seed_same_plan() -> None:
    problem = RollingStock(corridor_from_rows(*line(hire_allowed=True)))
    one, two = (EXACT(problem, SolveOptions(seed=3)) for _ in range(2))
    assert one.solution is not None
    assert two.solution is not None
    assert all(one.solution[name].equals(two.solution[name]) for name in one.solution)


def test_share_abroad_is_split_at_the_border() -> None:
    rows, config = line(foreign_usd_per_wagon_day=10)
    rows["nodes"][0]["country"], rows["wagons"][0]["home_country"] = "RU", "KZ"
    problem = RollingStock(corridor_from_rows(rows, config))
    move = wagon_moves(problem).loaded[0]
    assert move.way.share_abroad("KZ") == Fraction(1, 2)
    outcome = EXACT(problem, SolveOptions())
    assert outcome.cost == pytest.approx(96 + 4 * 5)  # four runs of a day, half of it abroad
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert FAMILY.verify(replace(problem, serve_all=True), outcome.solution, outcome.cost) == ()
