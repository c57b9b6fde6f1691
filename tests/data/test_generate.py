"""Generated instances: valid, repeatable, of the right shape, and as congested as asked for."""

from __future__ import annotations

import time
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import corridor_of

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.generate import generate
from optimizer.data.generator import CONFIDENCE, SOURCE
from optimizer.data.generator.congestion import Congestion
from optimizer.data.reading import read_instance
from optimizer.data.writing import write_instance
from optimizer.errors import UsageError
from optimizer.network.layered import LayeredNetwork
from optimizer.network.paths import shortest_path_tree


@pytest.fixture(scope="module")
def whole() -> Instance:
    """An instance with every table."""
    return generate(places=40, days=60, shipments=600, trains=12, wagons=300, congestion="heavy", seed=3)


@settings(max_examples=12, deadline=None)
@given(
    places=st.integers(8, 60),
    days=st.integers(60, 100),
    shipments=st.integers(1, 300),
    trains=st.integers(0, 30),
    congestion=st.sampled_from(("light", "heavy")),
    seed=st.integers(0, 10**6),
)
def test_any_size_is_a_valid_instance(
    tmp_path_factory: pytest.TempPathFactory,
    places: int,
    days: int,
    shipments: int,
    trains: int,
    congestion: str,
    seed: int,
) -> None:
    made = generate(places=places, days=days, shipments=shipments, trains=trains, congestion=congestion, seed=seed)
    path = tmp_path_factory.mktemp("generated") / "instance.zip"
    write_instance(made, path)
    assert read_instance(path).hash == made.hash
    assert len(made.tables["nodes"]) == places
    assert len(made.tables["shipments"]) == shipments
    assert len(made.tables["train_calls"]) == trains


def test_every_table_survives_reading(whole: Instance, tmp_path: Path) -> None:
    write_instance(whole, tmp_path / "whole")
    again = read_instance(tmp_path / "whole")
    assert again.hash == whole.hash
    assert again.config == whole.config
    empty = {name for name, table in again.tables.items() if table.empty}
    undecided = {"gauge_sections", "gauge_options", "transfer_technologies", "transfer_sites"}
    # generated terminals check no loads, and nothing generated is cleaned or maintained
    assert empty == {"contracts", "terminal_posts", "wagon_works", "shop_windows", *undecided}


def test_every_row_says_it_is_invented(whole: Instance) -> None:
    for table in whole.tables.values():
        assert (table["source"] == SOURCE).all()
        assert (table["confidence"] == CONFIDENCE).all()


def test_equal_arguments_give_equal_instances(whole: Instance) -> None:
    asked = {"places": 40, "days": 60, "shipments": 600, "trains": 12, "wagons": 300}
    assert generate(**asked, congestion="heavy", seed=3).hash == whole.hash  # type: ignore[arg-type]
    assert generate(**asked, congestion="heavy", seed=4).hash != whole.hash  # type: ignore[arg-type]
    assert generate(**asked, congestion="light", seed=3).hash != whole.hash  # type: ignore[arg-type]


def test_rail_is_connected_and_nearly_a_tree(whole: Instance) -> None:
    links, nodes = whole.tables["links"], whole.tables["nodes"]
    rail = links[links["mode"] == "rail"]
    graph = nx.Graph(list(zip(rail["from_node"], rail["to_node"], strict=True)))
    num_land = int((nodes["kind"] != "overseas_port").sum())
    assert nx.is_connected(graph)
    assert len(graph) == num_land
    rings = graph.number_of_edges() - (num_land - 1)
    assert 2 <= rings <= max(2, num_land // 10)


def test_gauges_meet_only_where_they_can_be_changed(whole: Instance) -> None:
    links, handlings = whole.tables["links"], whole.tables["handlings"]
    rail = links[links["mode"] == "rail"]
    gauges: dict[str, set[int]] = {}
    for end in ("from_node", "to_node"):
        for node, gauge in zip(rail[end], rail["gauge_mm"], strict=True):
            gauges.setdefault(node, set()).add(int(gauge))
    breaks = {node for node, met in gauges.items() if len(met) > 1}
    changes = handlings[handlings["technology"].isin(("container_gantry", "bulk_transfer"))]
    assert set().union(*gauges.values()) == {1520, 1435, 1676}
    assert set(changes["node_id"]) == breaks
    assert (changes.groupby("node_id")["technology"].nunique() == 2).all()


def test_ports_lie_at_the_southern_edge(whole: Instance) -> None:
    nodes = whole.tables["nodes"].set_index("node_id")
    ports = nodes.loc[whole.tables["ports"]["node_id"]]
    land = nodes[nodes["kind"] != "overseas_port"]
    assert (ports["country"] == "PK").all()
    assert ports["lat"].mean() < land.loc[land["country"] == "PK", "lat"].mean()
    assert (whole.tables["sea_legs"].groupby("to_port")["from_port"].nunique() >= 2).all()


def test_shipments_can_arrive_by_their_due_day(whole: Instance) -> None:
    network = LayeredNetwork.build(corridor_of(whole))
    shipments = whole.tables["shipments"].head(60)
    assert (whole.tables["shipments"]["due_day"] < 60).all()
    for shipment in shipments.itertuples():
        costs = network.arc_costs(str(shipment.commodity_id))
        weight = np.where(costs.allowed, costs.time_total, np.inf)
        hours, _ = shortest_path_tree(network.indptr, network.head, weight, network.source(str(shipment.origin)))
        assert hours[network.sink(str(shipment.destination))] / 24 <= shipment.due_day - shipment.release_day


def test_lanes_are_the_shipments_of_a_year(whole: Instance) -> None:
    carried = whole.tables["shipments"].groupby("lane_id")["quantity_t"].sum() * 365 / 60
    lanes = whole.tables["lanes"].set_index("lane_id")["quantity_t_per_year"]
    assert carried.to_dict() == pytest.approx(lanes.to_dict(), abs=0.01)


def test_fleet_has_the_wagons_asked_for_and_suits_the_orders(whole: Instance) -> None:
    fleet, orders, suits = (whole.tables[name] for name in ("fleet", "orders", "wagon_suits"))
    own = fleet[fleet["type_id"].isin(whole.tables["wagons"]["wagon_id"])]
    assert own["units"].sum() == 300
    wagons = set(own["type_id"])
    suited = suits[suits["wagon_id"].isin(wagons)]["commodity_id"]
    assert set(orders["commodity_id"]) <= set(suited)
    assert set(orders["shipment_id"]) <= set(whole.tables["shipments"]["shipment_id"])


def test_trains_bring_about_forty_moves_in_blocks(whole: Instance) -> None:
    loads = whole.tables["terminal_loads"]
    per_train = loads.groupby("call_id")["moves"].sum()
    assert per_train.between(32, 48).all()
    assert loads["moves"].max() <= 8
    assert set(whole.tables["train_calls"]["gauge_mm"]) == set(whole.tables["terminal_tracks"]["gauge_mm"])


def _rise(corridor: Corridor) -> float:
    """Cost of the best plan over the sum of uncongested routes (or penalties), minus one."""
    from optimizer.models.family import SolveOptions
    from optimizer.models.port_choice.exact import solve_exact
    from optimizer.models.port_choice.problem import PortChoice

    network = LayeredNetwork.build(corridor)
    uncongested = 0.0
    for lane in corridor.table("lanes").itertuples():
        weight = network.arc_costs(str(lane.commodity_id)).generalised
        cost, _ = shortest_path_tree(network.indptr, network.head, weight, network.source(str(lane.origin)))
        cheapest = min(float(cost[network.sink(str(lane.destination))]), float(lane.unserved_usd_per_t))
        uncongested += cheapest * float(lane.quantity_t_per_year)
    best = solve_exact(PortChoice(corridor), SolveOptions())
    assert best.cost is not None
    return best.cost / uncongested - 1


@pytest.mark.parametrize(("congestion", "low", "high"), [("light", 0.0, 0.015), ("heavy", 0.015, 0.10)])
@pytest.mark.parametrize(("places", "seed"), [(12, 1), (20, 0), (30, 2)])
def test_congestion_costs_what_was_asked_for(congestion: str, low: float, high: float, places: int, seed: int) -> None:
    made = generate(places=places, days=60, shipments=0, congestion=congestion, seed=seed)
    assert low <= _rise(corridor_of(made)) <= high


@pytest.mark.parametrize(("congestion", "low", "high"), [("light", 0.0, 0.015), ("heavy", 0.015, 0.10)])
@pytest.mark.parametrize(
    ("places", "days", "shipments", "seed"), [(20, 28, 500, 1), (20, 28, 500, 3), (60, 120, 5000, 1)]
)
def test_dated_congestion_costs_what_was_asked_for(
    congestion: Congestion, low: float, high: float, places: int, days: int, shipments: int, seed: int
) -> None:
    from optimizer.flows.routes.engine import solve_route_flow
    from optimizer.flows.routes.pricing import Pricing
    from optimizer.models.family import SolveOptions
    from optimizer.models.port_choice import PortChoice
    from optimizer.models.port_choice.routeflow import translate

    made = generate(places=places, days=days, shipments=shipments, congestion=congestion, seed=seed)
    flows = translate(PortChoice(corridor_of(made), dated=True)).flows
    free = np.zeros(flows.capacity.size)
    pricing = Pricing(flows)
    uncongested = pricing.bound(pricing.cheapest(free, flows.penalty)[0], free)
    result = solve_route_flow(flows, SolveOptions(gap=1e-3), max_passes=200)
    assert result.bound / uncongested - 1 >= low * (1 - 0.1)
    assert result.cost / uncongested - 1 <= high


def test_a_large_instance_takes_seconds() -> None:
    start = time.process_time()
    made = generate(places=300, days=365, shipments=100_000, congestion="heavy")
    assert len(made.tables["shipments"]) == 100_000
    assert time.process_time() - start < 30


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"places": 7}, "places is 7, expected a whole number from 8"),
        ({"days": 0}, "days is 0, expected a whole number from 1 to 3660"),
        ({"days": 2}, "days is 2, too few for any load to arrive in"),
        ({"shipments": -1}, "shipments is -1, expected a whole number from 0"),
        ({"trains": 2.5}, "trains is 2.5, expected a whole number"),
        ({"trains": 6000}, "trains is 6000, expected at most 5760 in 60 days"),
        ({"seed": -3}, "seed is -3"),
        ({"congestion": "medium"}, "congestion is 'medium', expected light or heavy"),
        ({"shipments": 0, "wagons": 5}, "wagons need shipments"),
        ({"wagons": 1}, "wagons is 1, too few to carry any shipment"),
    ],
)
def test_numbers_out_of_range_are_named(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        generate(**({"places": 12, "days": 60, "shipments": 20} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("further", [False, True])
def test_written_terminals_of_the_ladder_read_back(tmp_path: Path, further: bool) -> None:
    """Their lines once met nowhere by a handling: what was written could not be read."""
    from optimizer.data.generator.terminal_ladder import terminal_ladder

    made = terminal_ladder("small", "crane-tight", further=further)
    write_instance(made, tmp_path / "terminal")
    back = read_instance(tmp_path / "terminal")
    assert {name: len(rows) for name, rows in back.tables.items() if len(rows)} == {
        name: len(rows) for name, rows in made.tables.items() if len(rows)
    }
