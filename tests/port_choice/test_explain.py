"""Explanations of port choice: every figure against the toy's README, enumeration of routes, or a solve by hand."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import corridors

from optimizer import api
from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import ResultError, UsageError
from optimizer.models.family import Explanation, SolveOptions
from optimizer.models.port_choice import PortChoice
from optimizer.models.port_choice.trips import Trips
from optimizer.models.port_choice.whatif import Ways, solve_held, with_more, with_penalty
from optimizer.network.layered import LayeredNetwork
from optimizer.result import Status


def toy(instances_dir: Path, scenario: str | None = None) -> Corridor:
    return apply_scenario(read_instance(instances_dir / "toy-port-choice"), scenario)


def explained(problem: PortChoice, subject: str, forced: str = "", avoid: str = "") -> Explanation:
    result = api.solve(problem)
    return api.explain(problem, result, subject, forced=forced, avoid=avoid)


def said(explanation: Explanation) -> str:
    return "\n".join(explanation.sentences)


def test_why_part_of_the_toy_goes_through_west_port(instances_dir: Path) -> None:
    found = explained(PortChoice(toy(instances_dir)), "export")
    words = said(found)
    assert "600 t through East Port, gauge change at Borderton (bogie exchange), 26.80 USD/t" in words
    assert "400 t through West Port, gauge change at Borderton (bogie exchange), 28.00 USD/t" in words
    assert "more of it would go through East Port" in words
    assert (
        "1.20 USD/t cheaper, were port East Port not full, where room for a tonne is worth 1.20 USD to others" in words
    )
    difference = next(table for table in found.tables if table.title == "What makes the difference")
    shovel = dict(zip(difference.columns, difference.rows[2], strict=True))  # through East Port, shovelled
    assert shovel["extra"] == "+4.40"
    assert shovel["handl."] == "+3.00"
    assert shovel["room"] == "+1.20"


def test_held_to_west_port_costs_what_the_readme_says(instances_dir: Path) -> None:
    """All 1,000 t at 28.00 instead of 600 at 26.80: 720 USD."""
    words = said(explained(PortChoice(toy(instances_dir)), "export", forced="west"))
    assert "Held to West Port".lower() in words.lower()
    assert "the plan costs 720 USD a year more, +0.72 USD per tonne" in words
    assert "1,000 t through West Port" in words


def test_a_lane_held_back_can_cost_others_their_contract(instances_dir: Path) -> None:
    """Without the mill's 200 t the lease misses its 1,150 t, so all is shovelled: 31,680 + 2,400 instead of 31,120."""
    words = said(explained(PortChoice(toy(instances_dir)), "mill", avoid="bogies"))
    assert "the plan costs 2,960 USD a year more" in words
    assert "1 other would move" in words


def test_dearer_than_the_penalty_says_by_how_much(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    corridor = corridor.with_tables({"contracts": corridor.table("contracts").iloc[:0]})
    corridor = corridor.with_tables({"handlings": corridor.table("handlings").query("handling_id != 'bogies'")})
    words = said(explained(PortChoice(corridor), "mill"))
    assert "All of it stays behind, at 12.00 USD/t" in words
    assert "costs 13.60 USD/t, leaving it behind 12.00" in words
    assert "1.60 USD/t cheaper (320 USD in all), or find the tonne worth 13.60" in words


def test_no_room_names_the_place_and_the_price(instances_dir: Path) -> None:
    """East Port alone, 600 t of room for 1,000 t: 400 stay; room for them, or nobody gives way."""
    corridor = toy(instances_dir)
    corridor = corridor.with_tables({"sea_legs": corridor.table("sea_legs").query("leg_id == 'ship-east'")})
    problem = PortChoice(corridor)
    words = said(explained(problem, "export"))
    assert "is full at port East Port" in words
    assert "More room, 400 t a year at port East Port, carries all of it" in words
    assert "no room on any way could be freed for it" in words
    assert api.solve(with_more(problem, "port east t", 400)).solution["unserved"].empty  # type: ignore[index]


def test_others_would_give_way_at_a_price(instances_dir: Path) -> None:
    """Two lanes for 600 t of room: the poorer is carried once its tonne is worth more than the richer's."""
    corridor = toy(instances_dir)
    corridor = corridor.with_tables({"sea_legs": corridor.table("sea_legs").query("leg_id == 'ship-east'")})
    lanes = corridor.table("lanes")
    poor = lanes.query("lane_id == 'export'").assign(lane_id="poor", quantity_t_per_year=100.0, unserved_usd_per_t=45.0)
    rich = lanes.query("lane_id == 'export'").assign(quantity_t_per_year=600.0)
    import pandas as pd

    corridor = corridor.with_tables({"lanes": pd.concat([rich, poor])})
    corridor = corridor.with_tables({"contracts": corridor.table("contracts").iloc[:0]})
    problem = PortChoice(corridor)
    words = said(explained(problem, "poor"))
    assert "It would be carried, others giving way, if leaving it behind cost 50.00 USD/t" in words
    left = api.solve(with_penalty(problem, "poor", 50.01)).solution["unserved"]  # type: ignore[index]
    assert "poor" not in left["demand_id"].tolist()
    left = api.solve(with_penalty(problem, "poor", 49.99)).solution["unserved"]  # type: ignore[index]
    assert "poor" in left["demand_id"].tolist()


def test_closures_that_leave_no_way_are_named(instances_dir: Path) -> None:
    instance = read_instance(instances_dir / "toy-port-choice")
    shut = instance.scenarios["east-shut"]
    both = shut.model_copy(update={"close": shut.close.model_copy(update={"nodes": ("east", "west")})})
    corridor = apply_scenario(replace(instance, scenarios={"ports-shut": both}), "ports-shut")
    words = said(explained(PortChoice(corridor), "export"))
    assert "closures of the scenario leave no way" in words
    assert "open link be and handling quay-east and sea ship-east" in words


def test_dated_shipments_are_explained_by_their_days(instances_dir: Path) -> None:
    problem = PortChoice(toy(instances_dir), dated=True)
    words = said(explained(problem, "ship-1", forced="west"))
    # 20 t at 34.20 instead of 1.64384 of them at 28.80
    assert f"costs {round(5.40 * 600 / 365):,.0f} USD more" in words
    assert "shipment ship-1: 20 t of grain from Northfield to Oversea" in words


@pytest.mark.parametrize(
    ("subject", "forced", "avoid", "message"),
    [
        ("exprt", "", "", "no lane 'exprt' in the problem; did you mean 'export'?"),
        ("export", "wst", "", "neither a sea port between land and sea nor a place where gauges change"),
        ("mill", "west", "", "'west' is an end of mill; it passes there anyway"),
        ("export", "", "quay-wst", "no place, link, sea leg or handling in force; did you mean 'quay-west'?"),
        ("export", "", "north", "'north' is an end of export; it cannot be avoided"),
    ],
)
def test_faults_in_words(instances_dir: Path, subject: str, forced: str, avoid: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        explained(PortChoice(toy(instances_dir)), subject, forced, avoid)


def test_a_result_without_a_plan_explains_nothing(instances_dir: Path) -> None:
    corridor = toy(instances_dir, "east-shut")
    corridor = corridor.with_tables({"sea_legs": corridor.table("sea_legs").iloc[:0]})
    problem = PortChoice(corridor, serve_all=True)
    result = api.solve(problem)
    assert result.status is Status.INFEASIBLE
    with pytest.raises(ResultError, match="holds no plan"):
        api.explain(problem, result, "export")


def simple_paths(network: LayeredNetwork, lane: dict[str, object]) -> list[list[int]]:
    cost = network.arc_costs(str(lane["commodity_id"])).generalised
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.num_vertices))
    for arc in np.flatnonzero(np.isfinite(cost)).tolist():
        graph.add_edge(int(network.tail[arc]), int(network.head[arc]), key=arc)
    ends = network.source(str(lane["origin"])), network.sink(str(lane["destination"]))
    paths = []
    for path in nx.all_simple_edge_paths(graph, *ends):
        paths.append([key for _, _, key in path])
        assume(len(paths) <= 300)
    return paths


def least_cost(network: LayeredNetwork, lanes: Sequence[dict[str, object]], paths: Sequence[list[list[int]]]) -> float:
    """LP over every simple path of every lane."""
    columns = [(number, path) for number, mine in enumerate(paths) for path in mine]
    prices = [
        float(network.arc_costs(str(lanes[number]["commodity_id"])).generalised[path].sum()) for number, path in columns
    ]
    penalties = [float(lane["unserved_usd_per_t"]) for lane in lanes]  # type: ignore[arg-type]
    rows, room = [], []
    for resource in network.resources():
        arcs = set(resource.arcs.tolist())
        use = [network.resource_use(resource, str(lane["commodity_id"])) for lane in lanes]
        rows.append([use[number] * len(arcs.intersection(path)) for number, path in columns] + [0.0] * len(lanes))
        room.append(resource.capacity_per_year)
    equal = [
        [float(number == lane) for number, _ in columns] + [float(lane == other) for other in range(len(lanes))]
        for lane in range(len(lanes))
    ]
    found = linprog(
        prices + penalties, A_ub=np.array(rows) if rows else None, b_ub=room if rows else None,
        A_eq=np.array(equal), b_eq=[float(lane["quantity_t_per_year"]) for lane in lanes],  # type: ignore[arg-type]
    )  # fmt: skip
    return float(found.fun)


@settings(deadline=None, max_examples=25)
@given(corridor=corridors(max_lanes=2, contracts=False, dated=False, max_places=5), data=st.data())
def test_held_back_costs_what_enumeration_says(corridor: Corridor, data: st.DataObject) -> None:
    problem, network = PortChoice(corridor), LayeredNetwork.build(corridor)
    lanes = corridor.table("lanes").to_dict("records")
    paths = [simple_paths(network, lane) for lane in lanes]  # type: ignore[arg-type]
    assume(paths[0])
    closed = set(data.draw(st.sampled_from(paths[0]))[1:-1][:1]) or {paths[0][0][0]}
    allowed = [[path for path in paths[0] if not closed.intersection(path)], *paths[1:]]
    lane_id = str(lanes[0]["lane_id"])
    solved = solve_held(problem, lane_id, closed, SolveOptions())
    assert solved is not None
    assert solved.cost == pytest.approx(least_cost(network, lanes, allowed), rel=1e-6, abs=1e-6)  # type: ignore[arg-type]
    assert solved.bound == pytest.approx(solved.cost, rel=1e-6, abs=1e-6)
    trip = Ways(problem, lane_id, ()).cheapest(closed)
    cost = network.arc_costs(str(lanes[0]["commodity_id"])).generalised
    shut = [r for r in network.resources() if r.capacity_per_year <= 0]
    uses = [r for r in shut if network.resource_use(r, str(lanes[0]["commodity_id"])) > 0]
    cells = {arc for resource in uses for arc in resource.arcs.tolist()}
    open_paths = [path for path in allowed[0] if not cells.intersection(path)]
    if trip is None:
        assert not open_paths
    else:
        assert trip.usd_per_t == pytest.approx(min(float(cost[path].sum()) for path in open_paths), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(corridor=corridors(), dated=st.booleans())
def test_trips_add_up_to_the_cost_of_the_plan(corridor: Corridor, dated: bool) -> None:
    """What explanations are made of is what the plan pays, dated waits and lateness included."""
    problem = PortChoice(corridor, dated=dated)
    result = api.solve(problem)
    assert result.solution is not None
    assert Trips(problem, result.solution).cost == pytest.approx(result.cost, rel=1e-6, abs=1e-6)
