"""Wagons one by one: flows that stay optimal around the loads, rules that hold, values that make a bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, wagon_corridors

from optimizer.data.generator.wagon_ladder import wagon_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.bounds import Bounds, Prices, Tolled
from optimizer.models.rolling_stock.wagons.flows import SCALE, Flows, TypeNetworks
from optimizer.models.rolling_stock.wagons.insertion import Insertion, mend
from optimizer.models.rolling_stock.wagons.layout import Layout, lay_out
from optimizer.models.rolling_stock.wagons.moves import wagon_moves
from optimizer.models.rolling_stock.wagons.relieving import _relieve, _turn_back, _unload, stand_still, take
from optimizer.models.rolling_stock.wagons.residual_kernels import FAR, settle
from optimizer.models.rolling_stock.wagons.rounding import breaks_rules, round_loads, route_all, route_tolled
from optimizer.models.rolling_stock.wagons.ways_kernels import shortest

EASY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def never() -> bool:
    return False


def arcs_out_of_kilter(insertion: Insertion) -> int:
    """Arcs whose flow and reduced cost contradict each other."""
    lay, net, flow = insertion.layout, insertion.net, insertion.flow
    bad = 0
    for site in range(lay.num_sites):
        for day in range(int(lay.site_first[site]), lay.days):
            state = site * lay.days + day
            after = state + 1 if day + 1 < lay.days else lay.num_states + lay.site_type[site]
            reduced = net.night[state] + flow.value[state] - flow.value[after]
            room = net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0
            bad += (reduced < 0 and room) or (reduced > 0 and flow.stand[state] > 0)
            if net.hire[site] >= 0:
                back = net.hire[site] + flow.value[after] - flow.value[state]
                bad += back < 0 or (back > 0 and flow.hired[state] > 0)
            for move in range(net.start[site], net.start[site + 1]):
                if day + net.length[move] < lay.days:
                    end = net.to[move] * lay.days + day + net.length[move]
                    reduced = net.cost[day, move] + flow.value[state] - flow.value[end]
                    bad += (reduced < 0 and not flow.closed[day, move]) or (reduced > 0 and flow.run[day, move] > 0)
    return int(bad)


@EASY
@given(corridor=wagon_corridors(), seed=st.integers(0, 99))
def test_flows_stay_optimal_and_values_bound(corridor: Any, seed: int) -> None:
    problem = RollingStock(corridor)
    moves = wagon_moves(problem)
    layout = lay_out(moves)
    insertion = Insertion(layout, layout.possible)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        insertion.improve(rng.permutation(layout.num_orders), never)
        plan = insertion.plan()
        assert not breaks_rules(layout, plan)
        mend(insertion.net, insertion.flow)
        assert not arcs_out_of_kilter(insertion)
    optimum = FAMILY.methods["exact"](problem, SolveOptions()).cost
    assert optimum is not None
    slack = 1e-6 * max(1.0, optimum)
    assert Bounds(layout).prices(*insertion.values()).bound <= optimum + slack
    assert optimum <= plan.usd + slack or moves.wear  # which comes after it


def residual_arcs(insertion: Insertion) -> np.ndarray:
    """(arcs, 3) tail, head and reduced cost of what is open, and of what has flow, backwards; none below 0."""
    lay, net, flow = insertion.layout, insertion.net, insertion.flow
    arcs: list[tuple[int, int, int]] = []

    def add(tail: int, head: int, cost: int, is_open: bool, amount: int) -> None:
        reduced = int(cost + flow.value[tail] - flow.value[head])
        arcs.extend([(tail, head, reduced)] * (is_open and reduced >= 0))
        arcs.extend([(head, tail, -reduced)] * (amount > 0 and reduced <= 0))

    for site in range(lay.num_sites):
        for day in range(int(lay.site_first[site]), lay.days):
            state = site * lay.days + day
            after = state + 1 if day + 1 < lay.days else int(lay.num_states + lay.site_type[site])
            room = net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0
            add(state, after, int(net.night[state]), bool(room), int(flow.stand[state]))
            if net.hire[site] >= 0:
                add(after, state, int(net.hire[site]), True, int(flow.hired[state]))
            for move in range(net.start[site], net.start[site + 1]):
                if day + net.length[move] < lay.days:
                    end = int(net.to[move]) * lay.days + day + int(net.length[move])
                    add(state, end, int(net.cost[day, move]), not flow.closed[day, move], int(flow.run[day, move]))
    return np.array(arcs)


@pytest.mark.parametrize("seed", range(2))
def test_ways_found_from_both_ends_are_shortest(seed: int) -> None:
    """Against Bellman and Ford; values stay in kilter whatever a search has found out, and there may be no way."""
    problem = RollingStock(apply_scenario(wagon_ladder("S", seed, orders=60, wagons=90), "base"))
    layout = lay_out(wagon_moves(problem))
    insertion = Insertion(layout, layout.possible)
    insertion.improve(np.arange(layout.num_orders), never)
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(25):
        site = int(rng.integers(layout.num_sites))
        same = np.flatnonzero(layout.site_type == layout.site_type[site])
        source, target = (int(rng.choice(same)) * layout.days + int(rng.integers(layout.days)) for _ in range(2))
        arcs, way = residual_arcs(insertion), np.full(len(insertion.flow.value), FAR)
        way[source] = 0
        while True:
            shorter = way.copy()
            np.minimum.at(shorter, arcs[:, 1], np.minimum(way[arcs[:, 0]] + arcs[:, 2], FAR))
            if (shorter == way).all():
                break
            way = shorter
        limit = int(rng.choice([FAR, 50_000]))
        length = shortest(insertion.net, insertion.flow, source, target, limit)
        assert length == (way[target] if way[target] <= limit else FAR)
        found += length < FAR
        settle(insertion.flow, length if length < FAR else min(limit + 1, FAR))
        assert not arcs_out_of_kilter(insertion)
    assert found > 5


def without_rooms(layout: Layout) -> None:
    """Yards and train paths that never bind."""
    layout.link_limit[:] = 1e6
    layout.yard_room[:] = 10**6


@pytest.mark.parametrize("seed", range(3))
def test_flows_around_loads_cost_what_min_cost_flow_says(seed: int) -> None:
    problem = RollingStock(apply_scenario(wagon_ladder("S", seed, orders=60, wagons=90), "base"))
    layout = lay_out(wagon_moves(problem))
    without_rooms(layout)
    insertion = Insertion(layout, layout.possible)
    insertion.improve(np.arange(layout.num_orders), never)
    plan = insertion.plan()
    assert plan.wagons.sum() > 100
    other = route_all(TypeNetworks(layout, layout.possible), plan.wagons)
    assert (other.wagons == plan.wagons).all()
    assert plan.usd == pytest.approx(other.usd, abs=layout.num_states / SCALE)


@pytest.mark.parametrize("seed", range(4))
def test_loads_routed_at_once_become_a_plan_that_keeps_the_rules(seed: int) -> None:
    problem = RollingStock(apply_scenario(wagon_ladder("S", seed, orders=150, wagons=150 if seed % 2 else 40), "base"))
    layout = lay_out(wagon_moves(problem))
    layout.link_limit[:] *= 0.4
    layout.yard_room[:] = np.maximum(layout.yard_room // 2, layout.supply.sum() // 4)
    rng, bounds = np.random.default_rng(seed), Bounds(layout)
    link_usd = rng.uniform(0, 0.5, (len(layout.link_limit), layout.days))
    yard_usd = rng.uniform(0, 2.0, (len(layout.yard_room), layout.days))
    prices = bounds.prices(rng.normal(0, 50, layout.num_states), link_usd, yard_usd)
    wagons = round_loads(layout, prices.wagons.astype(float), prices)
    tolled = bounds.tolled(link_usd, yard_usd)
    found, flows = route_tolled(TypeNetworks(layout, layout.possible), wagons, tolled)
    insertion = Insertion(layout, layout.possible, idle=False)
    assert take(insertion, found, flows, layout.possible, tolled, prices)
    assert not breaks_rules(layout, insertion.plan())
    assert not arcs_out_of_kilter(insertion)
    tight = insertion.plan().usd
    insertion.charge(bounds.tolled(0 * link_usd, 0 * yard_usd))
    insertion.mend()
    assert not arcs_out_of_kilter(insertion)
    assert not breaks_rules(layout, insertion.plan())
    assert insertion.plan().usd <= tight + 1e-6


def grain_line(
    more: dict[str, Any], links: list[tuple[str, str, dict[str, Any]]], order: dict[str, Any], days: int
) -> Layout:
    """Stations Alpha, Beta and Gamma with links of one day, three hoppers, one order of 180 t."""
    rows: dict[str, Any] = {
        "nodes": [
            {"node_id": node, "name": name, "country": "KZ", "lat": 0, "lon": at} | more.get(node, {})
            for at, (node, name) in enumerate((("a", "Alpha"), ("b", "Beta"), ("c", "Gamma")))
        ],
        "links": [
            {"link_id": one + two, "from_node": one, "to_node": two, "mode": "rail", "gauge_mm": 1520,
             "length_km": 480, "speed_kmh": 20} | limits for one, two, limits in links
        ],
        "commodities": [{"commodity_id": "grain", "name": "Grain", "cargo_form": "hopper", "value_usd_per_t": 100}],
        "wagons": [{"wagon_id": "hop", "gauges_mm": "1520", "wagon_type": "hopper", "payload_t": 70,
                    "typical_load_t": 60, "tare_t": 20, "length_m": 14, "hire_usd_per_day": 50}],
        "wagon_suits": [{"wagon_id": "hop", "commodity_id": "grain"}],
        "fleet": [{"fleet_id": "f", "type_id": "hop", "node_id": more["fleet"], "gauge_mm": 1520, "units": 3}],
        "orders": [{"order_id": "o", "commodity_id": "grain", "quantity_t": 180, "unserved_usd_per_t": 100} | order],
    }  # fmt: skip
    config = {"horizon": {"days": days}, "rolling_stock": {"load_unload_days": 0, "hire_allowed": False}}
    return lay_out(wagon_moves(RollingStock(corridor_from_rows(rows, config))))


def routed_plan(layout: Layout, wagons: np.ndarray) -> tuple[Insertion, np.ndarray, Flows, Tolled, Prices]:
    """Loads routed whatever room there is, and a plan to take them over."""
    bounds = Bounds(layout)
    links, yards = np.zeros((len(layout.link_limit), layout.days)), np.zeros((len(layout.yard_room), layout.days))
    tolled = bounds.tolled(links, yards)
    found, flows = route_tolled(TypeNetworks(layout, layout.possible), wagons, tolled)
    prices = bounds.prices(np.zeros(layout.num_states))
    return Insertion(layout, layout.possible, idle=False), found, flows, tolled, prices


ONE_A_DAY = {"capacity_trains_per_day": 1, "max_train_wagons": 1}


def test_empty_wagons_turn_back_from_a_full_link_with_the_loads_that_wait_for_them() -> None:
    """Three wagons would have to leave Beta on the first day, over a link that takes one, to load at Alpha."""
    order = {"origin": "a", "destination": "c", "release_day": 1, "due_day": 1}
    layout = grain_line({"fleet": "b"}, [("b", "a", ONE_A_DAY), ("a", "c", {})], order, days=4)
    plan, found, flows, tolled, prices = routed_plan(layout, np.full(len(layout.choice_usd), 3))
    assert found.sum() == 3
    assert not flows.missing.any()
    plan.charge(tolled)
    plan.put(found, flows, prices.value)
    assert _relieve(plan, never)  # there is no other way
    assert not _unload(plan, prices, never)  # no load passes the link
    assert _turn_back(plan, never)
    assert plan.plan().wagons.sum() == 1
    assert not breaks_rules(layout, plan.plan())


def test_a_plan_whose_wagons_do_not_add_up_is_not_taken() -> None:
    order = {"origin": "a", "destination": "c", "release_day": 1, "due_day": 1}
    layout = grain_line({"fleet": "b"}, [("b", "a", {}), ("a", "c", {})], order, days=5)
    insertion, found, flows, tolled, prices = routed_plan(layout, np.full(len(layout.choice_usd), 3))
    assert take(insertion, found, flows, layout.possible, tolled, prices)
    plan = insertion.plan()
    assert not breaks_rules(layout, plan)
    plan.flows.stand[0] += 1
    assert breaks_rules(layout, plan)


def test_no_wagon_comes_out_of_nowhere_however_much_its_loads_save() -> None:
    """Four wagons would save 24,000 USD each; there are three."""
    order = {"origin": "a", "destination": "c", "release_day": 0, "due_day": 0}
    order |= {"quantity_t": 240, "unserved_usd_per_t": 400}
    layout = grain_line({"fleet": "a"}, [("a", "c", {})], order, days=4)
    _, found, flows, _, _ = routed_plan(layout, np.full(len(layout.choice_usd), 4))
    assert found.sum() == 3
    assert not flows.missing.any()


def test_types_without_room_stay_where_they_are() -> None:
    """Whatever is too full, the plan keeps every rule, and loads that still can be carried are put on again."""
    order = {"origin": "a", "destination": "c", "release_day": 1, "due_day": 1}
    layout = grain_line({"fleet": "b"}, [("b", "a", ONE_A_DAY), ("a", "c", {})], order, days=4)
    plan, found, flows, _, prices = routed_plan(layout, np.full(len(layout.choice_usd), 3))
    plan.put(found, flows, prices.value)
    assert (plan.flow.free < 0).any()
    assert stand_still(plan, flows.missing, never).all()
    assert not plan.plan().wagons.any()
    assert not breaks_rules(layout, plan.plan())
    plan.mend()
    plan.load(found, never)
    assert plan.plan().wagons.sum() == 1
    assert not breaks_rules(layout, plan.plan())
    assert not stand_still(plan, flows.missing, lambda: True).any()


def test_loads_that_would_stay_in_a_full_yard_are_left_behind() -> None:
    """Three wagons could carry grain to Beta on the last days, from where none gets away; Beta takes one."""
    order = {"origin": "a", "destination": "b", "release_day": 1, "due_day": 2}
    layout = grain_line({"fleet": "a", "b": {"yard_capacity_wagons": 1}}, [("a", "b", {})], order, days=3)
    insertion, found, flows, tolled, prices = routed_plan(layout, np.where(layout.choice_day == 1, 3, 0))
    assert take(insertion, found, flows, layout.possible, tolled, prices)
    assert insertion.plan().wagons.sum() == 1
    assert not breaks_rules(layout, insertion.plan())
    assert not arcs_out_of_kilter(insertion)
