"""Why orders stay behind, and the price from which on they would not: reasons of the plan, prices checked again."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import corridor_from_rows, rolling_stock_rows
from test_wagon_rules import abroad
from test_wagons import line

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts


def left_behind(rows: dict[str, list[dict[str, Any]]], config: dict[str, Any], method: str = "exact") -> dict[str, Any]:
    """The only order left behind in the best plan."""
    outcome = FAMILY.methods[method](RollingStock(corridor_from_rows(rows, config)), SolveOptions())
    assert outcome.solution is not None
    (row,) = outcome.solution["unserved"].to_dict("records")
    return dict(row)


def test_not_worth_it_says_from_which_price_on() -> None:
    rows, config = line()
    rows["orders"][0] |= {"quantity_t": 60, "unserved_usd_per_t": 0.5}
    row = left_behind(rows, config)
    # An empty run of 480 km, 48 USD, for 60 t.
    assert row["served_from_usd_per_t"] == pytest.approx(0.8)
    assert row["reason"] == "not worth it: a wagon would come from 0.80 USD/t on, leaving it costs 0.50"
    for price, stays in ((0.79, True), (0.81, False)):
        rows["orders"][0]["unserved_usd_per_t"] = price
        outcome = FAMILY.methods["exact"](RollingStock(corridor_from_rows(rows, config)), SolveOptions())
        assert outcome.solution is not None
        assert len(outcome.solution["unserved"]) == stays


def test_the_rest_of_an_order_pays_a_whole_wagon() -> None:
    rows, config = line()
    rows["orders"][0] |= {"quantity_t": 72, "unserved_usd_per_t": 2, "due_day": 1}
    rows["fleet"][0]["units"] = 2
    # The second wagon would come, 48 USD, for 12 t.
    assert left_behind(rows, config)["served_from_usd_per_t"] == pytest.approx(4)


def test_no_train_path_is_named() -> None:
    rows, config = line()
    rows["links"][0] |= {"capacity_trains_per_day": 1, "max_train_wagons": 1}
    rows["fleet"][0]["units"], rows["orders"][0]["due_day"] = 2, 1
    assert left_behind(rows, config)["reason"] == "no path: trains on ab are full on day 0 to 1"


def test_a_wagon_that_serves_better_elsewhere_has_a_price() -> None:
    rows, config = line()
    rows["orders"] = [
        {**rows["orders"][0], "quantity_t": 60, "due_day": 1, "unserved_usd_per_t": price, "order_id": name}
        for name, price in (("dear", 100), ("cheap", 30))
    ]
    row = left_behind(rows, config)
    assert row["order_id"] == "cheap"
    assert row["served_from_usd_per_t"] == pytest.approx(100)  # what the wagon saves on the other


@pytest.mark.parametrize("method", ["exact", "engine"])
def test_a_fleet_too_small_is_told_with_its_number(method: str) -> None:
    rows, config = line()
    rows["orders"][0] |= {"quantity_t": 600, "due_day": 1}
    row = left_behind(rows, config, method)
    assert row["reason"] == "too few wagons: no others than 1 hop have a way to Alpha, and none for hire has"
    if method == "exact":
        assert pd.isna(row["served_from_usd_per_t"])  # none is high enough
    rows["wagons"][0] |= {"hire_usd_per_day": 1e4}
    config["rolling_stock"] = config.get("rolling_stock", {}) | {"hire_allowed": True}
    assert "too few" not in left_behind(rows, config, method)["reason"]


def test_the_return_rule_is_named() -> None:
    rows, config = abroad("direct")
    rows["orders"][0] |= {"origin": "b", "destination": "c", "due_day": 3}
    assert left_behind(rows, config)["reason"] == "the return rule of hop forbids the run"


def test_the_report_shows_reason_and_price() -> None:
    rows, config = line()
    rows["orders"][0] |= {"quantity_t": 60, "unserved_usd_per_t": 0.5}
    problem = RollingStock(corridor_from_rows(rows, config))
    outcome = FAMILY.methods["exact"](problem, SolveOptions())
    table = next(table for table in FAMILY.report(problem, outcome.solution) if table.title == "Left behind")
    assert table.rows[0][-2:] == ["0.80", "not worth it: a wagon would come from 0.80 USD/t on, leaving it costs 0.50"]
    bare = {**outcome.solution, "unserved": outcome.solution["unserved"][["order_id", "quantity_t"]]}  # type: ignore[index,dict-item]
    table = next(table for table in FAMILY.report(problem, bare) if table.title == "Left behind")
    assert table.rows[0][-2:] == ["", "wagons could reach it, but cost more than the penalty or serve better elsewhere"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=rolling_stock_rows())
def test_below_the_price_no_wagon_comes(drawn: Any) -> None:
    """Asked for less than the price, the relaxation leaves the order behind, and so it costs no more than before."""
    rows, config = drawn
    problem = RollingStock(corridor_from_rows(rows, config))
    outcome = FAMILY.methods["exact"](problem, SolveOptions())
    assert outcome.solution is not None
    told = outcome.solution["unserved"].to_dict("records")
    assume(any(row["served_from_usd_per_t"] == row["served_from_usd_per_t"] for row in told))
    assert all(row["reason"] for row in told)
    plan = solve_by_parts(problem, SolveOptions()).solution
    assert plan is not None
    assert all(row["reason"] for row in plan["unserved"].to_dict("records"))
