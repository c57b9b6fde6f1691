"""Properties of port choice on drawn corridors: methods agree, plans verify, forgeries fail, more is never worse."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import corridors

from optimizer.data.corridor import Corridor
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.models.port_choice.compact import build_graph
from optimizer.models.port_choice.crosscheck import lagrangian_bound
from optimizer.network.layered import LayeredNetwork
from optimizer.result import Outcome, Status

FEW = settings(deadline=None, max_examples=20)


def solve(problem: PortChoice, method: str = "exact") -> Outcome:
    outcome = FAMILY.methods[method](problem, SolveOptions())
    if outcome.solution is not None:
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.bound is not None
        assert outcome.cost is not None
        assert outcome.bound <= outcome.cost
    return outcome


def cost_of(problem: PortChoice) -> float:
    outcome = solve(problem)
    assume(outcome.status is Status.OPTIMAL)
    assert outcome.cost is not None
    return outcome.cost


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(corridor=corridors(), dated=st.booleans(), serve_all=st.booleans())
def test_both_formulations_agree_and_their_plans_verify(corridor: Corridor, dated: bool, serve_all: bool) -> None:
    problem = PortChoice(corridor, dated=dated, serve_all=serve_all)
    one, other = solve(problem), solve(problem, "crosscheck")
    if Status.FEASIBLE in (one.status, other.status):  # a least volume that only circling could fill
        for plan, rival in ((one, other), (other, one)):
            assert plan.cost is not None
            assert rival.bound is not None
            assert plan.cost >= rival.bound * (1 - 1e-6) - 1e-6
        return
    assert one.status is other.status
    if one.cost is None:
        assert serve_all
        assert one.conflicts
        assert other.conflicts
    else:
        assert other.cost == near(one.cost)
        assert one.bound == near(one.cost)


@settings(deadline=None, max_examples=80)
@given(corridor=corridors(), dated=st.booleans(), serve_all=st.booleans())
def test_engine_agrees_with_exact(corridor: Corridor, dated: bool, serve_all: bool) -> None:
    problem = PortChoice(corridor, dated=dated, serve_all=serve_all)
    engine, exact = solve(problem, "engine"), solve(problem)
    if Status.FEASIBLE in (engine.status, exact.status):
        for plan, rival in ((engine, exact), (exact, engine)):
            assert plan.cost is not None
            assert rival.bound is not None
            assert plan.cost >= rival.bound * (1 - 1e-6) - 1e-6
        return
    assert engine.status is exact.status
    if engine.cost is not None:
        assert exact.cost == near(engine.cost)
        assert engine.bound == near(engine.cost)


@settings(deadline=None, max_examples=25)
@given(corridor=corridors(max_lanes=1, contracts=False, dated=False, max_places=5))
def test_exact_finds_what_enumeration_of_all_routes_finds(corridor: Corridor) -> None:
    """One lane: fill the routes of an LP over every simple path; without capacities simply the cheapest path."""
    problem = PortChoice(corridor)
    network = LayeredNetwork.build(corridor)
    lane = corridor.table("lanes").iloc[0]
    cost = network.arc_costs(lane["commodity_id"]).generalised
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.num_vertices))
    for arc in np.flatnonzero(np.isfinite(cost)).tolist():
        graph.add_edge(int(network.tail[arc]), int(network.head[arc]), key=arc)
    ends = network.source(lane["origin"]), network.sink(lane["destination"])
    paths = [[key for _, _, key in path] for path in nx.all_simple_edge_paths(graph, *ends)]
    assume(len(paths) <= 500)
    prices = [float(cost[path].sum()) for path in paths]
    penalty, tonnes = float(lane["unserved_usd_per_t"]), float(lane["quantity_t_per_year"])
    rows = []
    for resource in network.resources():
        use = network.resource_use(resource, lane["commodity_id"])
        rows.append(
            ([use * len(set(path) & set(resource.arcs.tolist())) for path in paths], resource.capacity_per_year)
        )
    from scipy.optimize import linprog

    found = linprog(
        [*prices, penalty],
        A_ub=np.array([[*use, 0.0] for use, _ in rows]) if rows else None,
        b_ub=[capacity for _, capacity in rows] if rows else None,
        A_eq=[[1.0] * (len(paths) + 1)],
        b_eq=[tonnes],
    )
    assert solve(problem).cost == near(found.fun)
    if not rows:
        assert found.fun == near(tonnes * min([*prices, penalty]))


@FEW
@given(corridor=corridors(), dated=st.booleans())
def test_more_capacity_never_costs_more(corridor: Corridor, dated: bool) -> None:
    before = cost_of(PortChoice(corridor, dated=dated))
    tables = dict(corridor.tables)
    for name, column in (("links", "capacity_mt_per_year"), ("handlings", "capacity_t_per_day")):
        tables[name] = tables[name].assign(**{column: tables[name][column] * 2 + 0.001})
    after = cost_of(PortChoice(replace(corridor, tables=tables), dated=dated))
    assert after <= before * (1 + 1e-6) + 1e-6


@FEW
@given(corridor=corridors(), dated=st.booleans(), seed=st.integers(0, 10))
def test_the_order_of_rows_does_not_matter(corridor: Corridor, dated: bool, seed: int) -> None:
    before = cost_of(PortChoice(corridor, dated=dated))
    tables = {name: table.sample(frac=1, random_state=seed) for name, table in corridor.tables.items()}
    assert cost_of(PortChoice(replace(corridor, tables=tables), dated=dated)) == near(before)


@FEW
@given(corridor=corridors(contracts=False), dated=st.booleans())
def test_one_more_tonne_never_costs_less(corridor: Corridor, dated: bool) -> None:
    name, column = ("shipments", "quantity_t") if dated else ("lanes", "quantity_t_per_year")
    before = cost_of(PortChoice(corridor, dated=dated))
    more = corridor.table(name).copy()
    more.loc[more.index[0], column] += 1.0
    after = cost_of(PortChoice(replace(corridor, tables={**corridor.tables, name: more}), dated=dated))
    assert after >= before * (1 - 1e-6) - 1e-6


@FEW
@given(corridor=corridors(dated=False))
def test_all_amounts_rescaled_rescale_the_cost(corridor: Corridor) -> None:
    """Tonnes, capacities and fixed costs seven times as large: so is the cost."""
    before = cost_of(PortChoice(corridor))
    scaled = {
        "lanes": ["quantity_t_per_year"],
        "links": ["capacity_mt_per_year"],
        "handlings": ["capacity_t_per_day"],
        "ports": ["capacity_mt_per_year", "background_mt_per_year", "capacity_teu_per_year", "background_teu_per_year"],
        "contracts": ["fixed_cost_usd_per_year", "min_t_per_year", "max_t_per_year"],
    }
    tables = dict(corridor.tables)
    for name, columns in scaled.items():
        tables[name] = tables[name].assign(**{column: tables[name][column] * 7 for column in columns})
    assert cost_of(PortChoice(replace(corridor, tables=tables))) == near(7 * before)


@FEW
@given(corridor=corridors(contracts=False), dated=st.booleans(), price=st.sampled_from((0.0, 1.0, 10.0, 200.0)))
def test_any_prices_give_a_lower_bound(corridor: Corridor, dated: bool, price: float) -> None:
    problem = PortChoice(corridor, dated=dated)
    graph = build_graph(problem)
    bound = lagrangian_bound(graph, dict.fromkeys(range(0, len(graph.limits), 2), price))
    best = cost_of(problem)
    assert bound <= best * (1 + 1e-9) + 1e-6
    assert graph.uncongested_bound() <= best * (1 + 1e-9) + 1e-6


@settings(deadline=None, max_examples=40)
@given(corridor=corridors(), dated=st.booleans(), data=st.data())
def test_mutated_plans_are_rejected(corridor: Corridor, dated: bool, data: st.DataObject) -> None:
    problem = PortChoice(corridor, dated=dated)
    outcome = solve(problem)
    assert outcome.solution is not None
    assert outcome.cost is not None
    tables = {name: table.copy() for name, table in outcome.solution.items()}
    routes, legs = tables["routes"], tables["legs"]
    kind = data.draw(st.sampled_from(("leg", "asset", "quantity", "cost", "contract", "day", "unserved")))
    cost = outcome.cost
    if kind == "cost":
        cost = cost * (1 + data.draw(st.sampled_from((-1e-3, 1e-3)))) + 1.0
    elif kind == "contract":
        assume(len(tables["contracts"]))
        tables["contracts"] = tables["contracts"].iloc[1:]
    elif kind == "unserved":
        assume(len(tables["unserved"]))
        tables["unserved"] = tables["unserved"].iloc[1:]
    else:
        assume(len(legs))
        row = data.draw(st.integers(0, len(legs) - 1))
        if kind == "leg":
            tables["legs"] = legs.drop(legs.index[row])
        elif kind == "asset":
            legs.loc[legs.index[row], "asset_id"] = "elsewhere"
        elif kind == "quantity":
            routes.loc[routes.index[0], "quantity_t"] *= 1.01
        else:
            assume(dated)
            legs.loc[legs.index[row], data.draw(st.sampled_from(("depart_day", "arrive_day")))] += 1
    assert FAMILY.verify(problem, tables, cost)


@FEW
@given(corridor=corridors(), dated=st.booleans(), method=st.sampled_from(("engine", "exact", "crosscheck")))
def test_same_question_same_plan(corridor: Corridor, dated: bool, method: str) -> None:
    problem = PortChoice(corridor, dated=dated)
    one, other = solve(problem, method), solve(problem, method)
    assert one.solution is not None
    assert other.solution is not None
    assert math.isfinite(one.cost or 0.0)
    for name, table in one.solution.items():
        assert table.equals(other.solution[name])
