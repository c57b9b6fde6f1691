"""The engine for wagons: bounds that are bounds, whole plans that keep every rule, limits and stops."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, rolling_stock_rows, wagon_corridors

from optimizer.data.generator.wagon_ladder import wagon_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons import engine, windows
from optimizer.models.rolling_stock.wagons.bounds import Bounds
from optimizer.models.rolling_stock.wagons.bounds_kernels import cheapest_loads, fit_loads
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts
from optimizer.models.rolling_stock.wagons.layout import lay_out
from optimizer.models.rolling_stock.wagons.moves import wagon_moves
from optimizer.result import Status

EASY = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
EXACT = FAMILY.methods["exact"]


def small(**numbers: int) -> RollingStock:
    return RollingStock(apply_scenario(wagon_ladder("S", 3, **numbers), "base"))


@EASY
@given(corridor=wagon_corridors(), data=st.data())
def test_any_values_give_a_bound(corridor: Any, data: Any) -> None:
    problem = RollingStock(corridor)
    layout = lay_out(wagon_moves(problem))
    seed = data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    optimum = EXACT(problem, SolveOptions()).cost
    bounds = Bounds(layout)
    for scale in (0.0, 30.0, 300.0):
        found = bounds.prices(
            rng.normal(0.0, scale, layout.num_states),
            rng.uniform(0, scale / 10, (len(layout.link_limit), layout.days)),
            rng.uniform(0, scale / 10, (len(layout.yard_room), layout.days)),
        )
        assert found.bound <= optimum + 1e-6 * max(1.0, optimum)


@EASY
@given(corridor=wagon_corridors())
def test_engine_stands_between_bound_and_rules(corridor: Any) -> None:
    problem = RollingStock(corridor)
    optimum = EXACT(problem, SolveOptions()).cost
    outcome = solve_by_parts(problem, SolveOptions())
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound <= optimum + 1e-6 * max(1.0, optimum)
    assert optimum <= outcome.cost + 1e-6 * max(1.0, optimum)


@EASY
@given(drawn=rolling_stock_rows())
def test_gradient_steps_keep_bound_and_rules(drawn: Any) -> None:
    problem = RollingStock(corridor_from_rows(*drawn))
    optimum = EXACT(problem, SolveOptions()).cost
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "INTERIOR_STATES", 0)
        patch.setattr(windows, "WINDOW_DAYS", 2)
        patch.setattr(engine, "FIRST_STEPS", 100)
        patch.setattr(engine, "MORE_STEPS", 100)
        outcome = solve_by_parts(problem, SolveOptions())
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound is not None
    assert outcome.bound <= optimum + 1e-6 * max(1.0, optimum)


def test_gradient_steps_come_near_the_interior_point() -> None:
    problem = small(orders=60, wagons=90)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "INTERIOR_STATES", 0)
        outcome = solve_by_parts(problem, SolveOptions(gap=0.02, time_limit_s=60))
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert outcome.cost <= 1.03 * outcome.bound


def test_a_worn_fleet_goes_to_its_workshops() -> None:
    drawn = wagon_ladder("S", 1, orders=100, wagons=150, maintained=True)
    stock = drawn.config.rolling_stock.model_copy(update={"hire_allowed": False})
    instance = replace(drawn, config=drawn.config.model_copy(update={"rolling_stock": stock}))
    corridor = apply_scenario(instance, "base")
    fleet = corridor.table("fleet").assign(km_since_maintenance=109_500.0)
    problem = RollingStock(replace(corridor, tables={**corridor.tables, "fleet": fleet}))
    outcome = solve_by_parts(problem, SolveOptions(gap=0.005, time_limit_s=60))
    assert outcome.solution is not None
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert (outcome.solution["runs"]["kind"] == "maintenance").any()
    assert outcome.bound <= outcome.cost <= 1.05 * outcome.bound
    free = solve_by_parts(
        RollingStock(
            replace(
                corridor, tables={**corridor.tables, "wagons": corridor.table("wagons").assign(maintenance_km=np.nan)}
            )
        ),
        SolveOptions(gap=0.005, time_limit_s=60),
    )
    assert free.bound is not None
    assert outcome.bound > 1.01 * free.bound  # the price on kilometres


def cheapest_by_enumeration(price: list[float], load: list[float], need: float, most: float, penalty: float) -> float:
    """Least cost of one order over every number of wagons of two types."""
    counts = [range(int(most / tonnes) + 1) for tonnes in load]
    plans = [(a, b) for a in counts[0] for b in counts[1] if a * load[0] + b * load[1] <= most + 1e-9]
    return min(a * price[0] + b * price[1] + penalty * max(0.0, need - a * load[0] - b * load[1]) for a, b in plans)


@EASY
@given(
    price=st.lists(st.integers(-50, 400), min_size=2, max_size=2),
    load=st.lists(st.integers(30, 70), min_size=2, max_size=2),
    need=st.integers(10, 400),
    penalty=st.integers(0, 8),
)
def test_cheapest_loads_are_those_of_enumeration(price: list[int], load: list[int], need: int, penalty: int) -> None:
    most = need + max(load) - 1
    prices, loads = np.array(price, dtype=float), np.array(load, dtype=float)
    arguments = (
        prices, np.array([0, 2]), np.array([0, 1]), loads, np.array([need * 1.0]), np.array([most * 1.0]),
        np.array([penalty * 1.0]),
    )  # fmt: skip
    cost, wagons = cheapest_loads(*arguments)
    least = cheapest_by_enumeration(list(prices), list(loads), need, most, penalty)
    assert cost[0] == pytest.approx(least)
    spent = prices @ wagons + penalty * max(0.0, need - loads @ wagons)
    assert spent == pytest.approx(least)
    mended = np.array([20, 20])
    fit_loads(mended, *arguments)
    assert loads @ mended <= most + 1e-9
    assert prices @ mended + penalty * max(0.0, need - loads @ mended) >= least - 1e-9


def test_generated_fleet_is_planned_close_to_its_bound() -> None:
    problem = small(orders=60, wagons=90)
    outcome = solve_by_parts(problem, SolveOptions(gap=0.01, time_limit_s=60))
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert outcome.cost <= 1.03 * outcome.bound


def test_same_seed_same_plan() -> None:
    problem = small(orders=40, wagons=60)
    one, two = (solve_by_parts(problem, SolveOptions(gap=0.02, seed=2)) for _ in range(2))
    assert one.solution is not None
    assert two.solution is not None
    assert all(one.solution[name].equals(two.solution[name]) for name in one.solution)


@pytest.mark.parametrize("limits", [{"time_limit_s": 1e-3}, {"stopped": True}])
def test_a_stop_leaves_a_plan_and_a_bound(limits: dict[str, Any]) -> None:
    problem, stop = small(), threading.Event()
    if limits.pop("stopped", False):
        stop.set()
    outcome = FAMILY.methods["engine"](problem, SolveOptions(stop=stop, **limits))
    assert outcome.status is Status.FEASIBLE
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound is not None
    assert outcome.bound >= 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rung": "XL"}, "expected one of S, M, L"),
        ({"rung": "L"}, "takes a network"),
        ({"rung": "S", "orders": -1}, "expected none below 0"),
    ],
)
def test_rungs_that_do_not_exist(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wagon_ladder(**arguments)


def test_rungs_are_the_same_for_the_same_seed() -> None:
    assert wagon_ladder("S", 5).hash == wagon_ladder("S", 5).hash
    assert wagon_ladder("S", 5).hash != wagon_ladder("S", 6).hash


def test_whole_loads_of_a_window_keep_to_the_trains() -> None:
    """One wagon fits on each day; a window may want three on one of them."""
    tables = {
        "nodes": [
            {"node_id": f"p{i}", "name": f"P{i}", "country": "KZ", "lat": 40.0, "lon": 60.0 + i} for i in range(2)
        ],
        "links": [
            {
                "link_id": "l1", "from_node": "p0", "to_node": "p1", "mode": "rail", "gauge_mm": 1520, "length_km": 100,
                "speed_kmh": 20, "capacity_trains_per_day": 1, "max_train_gross_t": 150,
            }
        ],
        "wagons": [
            {
                "wagon_id": "a", "gauges_mm": ("1520",), "typical_load_t": 60, "hire_usd_per_day": 20,
                "wagon_type": "covered", "payload_t": 65, "tare_t": 20, "length_m": 14,
            }
        ],
        "fleet": [
            {"fleet_id": "f", "type_id": "a", "node_id": "p0", "gauge_mm": 1520, "units": 3, "from_day": 0}
        ],
        "orders": [
            {
                "order_id": "o", "origin": "p0", "destination": "p1", "commodity_id": "grain", "quantity_t": 130,
                "release_day": 0, "due_day": 1, "unserved_usd_per_t": 1,
            }
        ],
        "commodities": [{"commodity_id": "grain", "name": "Grain", "cargo_form": "hopper", "value_usd_per_t": 100}],
        "wagon_suits": [{"wagon_id": "a", "commodity_id": "grain"}],
    }  # fmt: skip
    settings = {"idle_usd_per_wagon_day": 0, "foreign_usd_per_wagon_day": 0, "hire_allowed": False}
    config = {"horizon": {"days": 3}, "rolling_stock": settings | {"load_unload_days": 0}}
    problem = RollingStock(corridor_from_rows(tables, config))
    outcome = solve_by_parts(problem, SolveOptions())
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.cost == pytest.approx(10.0)  # one wagon a day; ten tonnes stay
