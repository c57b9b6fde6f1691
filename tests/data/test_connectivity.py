# ruff: noqa: E501
"""Demand without a route: named, with what would join its ends."""

from __future__ import annotations

import time

import networkx as nx
import numpy as np
import pytest

from optimizer.data.columns import frame
from optimizer.data.reading import make_instance, read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.data.validation import check_connectivity


@pytest.fixture
def told(write_files):
    """Words of the connectivity check of the small instance under a scenario."""

    def check(scenario="base", changes=None):
        corridor = apply_scenario(read_instance(write_files(changes)), scenario)
        return [str(fault) for fault in check_connectivity(corridor)]

    return check


def test_the_small_instance_hangs_together(told):
    assert told("base") == []


def test_a_missing_handling_is_the_cut(told, small):
    without = small["handlings.csv"].replace("H1,B,rail-1520,rail-1435", "H1,C,rail-1435,road")
    assert told("base", {"handlings.csv": without})[0] == (
        "lanes.csv:2: lane 'L1': no route for covered cargo from 'A' to 'E'; from 'A' 2 places on rail-1520 can be reached; "
        "missing: a handling rail-1520 -> rail-1435 for covered cargo at 'B', which does not exist"
    )


def test_a_closed_link_is_the_cut(told):
    lines = told("try", {"scenarios/try.toml": 'close = { links = ["R2"] }'})
    assert lines[0].endswith("missing: link 'R2', which is not in force")
    assert [line.split(": no")[0] for line in lines] == [
        "lanes.csv:2: lane 'L1'",
        "lanes.csv:3: lane 'L2'",
        "shipments.csv:2: shipment 'P1'",
        "shipments.csv:3: shipment 'P2'",
    ]


def test_a_handling_that_does_not_serve_the_cargo_is_no_way(told, edit):
    planned = "R4,C,D,rail,1435,850,60,,,2035\n"
    lines = told("base", edit("handlings.csv", "container;covered", "container"))
    assert [line.split(":")[2] for line in lines] == [" lane 'L1'", " shipment 'P1'"]
    assert lines[0].endswith("missing: link 'R4', which is not in force")
    without = {"contracts.csv": None, "train_services.csv": None, **edit("links.csv", planned, "")}
    without |= edit("handlings.csv", "container;covered", "container")
    lines = told("base", {**without, "scenarios/2035.toml": None})
    assert lines[0].endswith("missing: a handling rail-1435 -> road for covered cargo at 'C', which does not exist")


def test_one_way_handlings_are_one_way(told, small):
    rows = [row.split(",") for row in small["handlings.csv"].splitlines()]
    table = [",".join([*row, "both_ways" if at == 0 else "0"]) for at, row in enumerate(rows)]
    lanes = small["lanes.csv"] + "L9,E,A,grain,2026,5,500\n"
    lines = told("base", {"handlings.csv": "\n".join(table) + "\n", "lanes.csv": lanes})
    assert [line.split(": no")[0] for line in lines] == ["lanes.csv:5: lane 'L9'"]


def test_demand_of_the_same_ends_is_told_once(told, small):
    lanes = small["lanes.csv"] + "L8,A,E,grain,2026,5,500\nL9,A,E,grain,2026,5,500\n"
    lines = told("try", {"scenarios/try.toml": 'close = { links = ["R1"] }', "lanes.csv": lanes})
    assert any(line.startswith("lanes.csv:2: lane 'L1' and 2 more: no route") for line in lines)
    assert "; no link, sea leg or handling in force touches 'A'; missing: link 'R1', which is not in force" in lines[0]


def test_places_that_nothing_joins(told, small):
    nodes = small["nodes.csv"] + "Q,Nowhere,IR,30,60\n"
    lanes = small["lanes.csv"] + "L9,A,Q,grain,2026,5,500\n"
    lines = told("base", {"nodes.csv": nodes, "lanes.csv": lanes})
    assert len(lines) == 1
    assert lines[0].endswith("no chain of links and sea legs joins the two, in any network or variant")


def _random_corridor(seed: int):
    rng = np.random.default_rng(seed)
    count = 12
    nodes = [f"N{n}" for n in range(count)]
    ends = [rng.choice(count, 2, replace=False) for _ in range(14)]
    gauges = rng.choice([1520, 1435], len(ends))
    layers = [rng.choice(["rail-1520", "rail-1435", "road"], 2, replace=False) for _ in range(6)]
    pairs = [rng.choice(count, 2, replace=False) for _ in range(20)]
    tables = {
        "nodes": {"node_id": nodes, "name": nodes, "country": ["KZ"] * count, "lat": [40.0] * count, "lon": [60.0] * count},
        "links": {
            "link_id": [f"R{n}" for n in range(len(ends))], "from_node": [nodes[a] for a, _ in ends],
            "to_node": [nodes[b] for _, b in ends], "mode": ["rail"] * len(ends), "gauge_mm": gauges.tolist(),
            "length_km": [1.0] * len(ends), "speed_kmh": [1.0] * len(ends),
        },
        "handlings": {
            "handling_id": [f"H{n}" for n in range(len(layers))], "node_id": rng.choice(nodes, len(layers)).tolist(),
            "from_layer": [a for a, _ in layers], "to_layer": [b for _, b in layers],
            "both_ways": (rng.random(len(layers)) < 0.5).tolist(), "technology": ["x"] * len(layers), "dwell_h": [1.0] * len(layers),
        },
        "commodities": {"commodity_id": ["c"], "name": ["c"], "cargo_form": ["tank"], "value_usd_per_t": [1.0]},
        "lanes": {
            "lane_id": [f"L{n}" for n in range(len(pairs))], "origin": [nodes[a] for a, _ in pairs],
            "destination": [nodes[b] for _, b in pairs], "commodity_id": ["c"] * len(pairs),
            "quantity_t_per_year": [1.0] * len(pairs), "unserved_usd_per_t": [1.0] * len(pairs),
        },
    }  # fmt: skip
    config = Config(name="drawn", schema_version=1, base_year=2026, source="drawn")
    made = make_instance(config, {name: frame(TABLES[name], columns) for name, columns in tables.items()})
    return apply_scenario(made, "base")


@pytest.mark.parametrize("seed", range(25))
def test_it_agrees_with_a_search_by_another_library(seed):
    corridor = _random_corridor(seed)
    graph = nx.DiGraph()
    land = ("rail-1520", "rail-1435", "road", "door")
    for row in corridor.tables["nodes"].itertuples():
        graph.add_edges_from((("from", row.node_id), (row.node_id, layer)) for layer in land)
        graph.add_edges_from(((row.node_id, layer), ("to", row.node_id)) for layer in land)
    for row in corridor.tables["links"].itertuples():
        layer = f"rail-{row.gauge_mm:.0f}"
        graph.add_edge((row.from_node, layer), (row.to_node, layer))
        graph.add_edge((row.to_node, layer), (row.from_node, layer))
    for row in corridor.tables["handlings"].itertuples():
        graph.add_edge((row.node_id, row.from_layer), (row.node_id, row.to_layer))
        if row.both_ways:
            graph.add_edge((row.node_id, row.to_layer), (row.node_id, row.from_layer))
    expected = {
        line
        for line, row in corridor.tables["lanes"].iterrows()
        if not nx.has_path(graph, ("from", row["origin"]), ("to", row["destination"]))
    }
    faults = check_connectivity(corridor)
    lanes = corridor.tables["lanes"]
    cut = {(lanes.loc[fault.line, "origin"], lanes.loc[fault.line, "destination"]) for fault in faults}
    assert {line for line, row in lanes.iterrows() if (row["origin"], row["destination"]) in cut} == expected


def test_fifty_thousand_shipments_are_checked_in_seconds(small, write_files):
    head = "shipment_id,origin,destination,commodity_id,year,quantity_t,release_day,due_day,unserved_usd_per_t\n"
    places = "ABCD"
    rows = "".join(
        f"P{n},{places[n % 4]},{places[(n + 1 + n // 4 % 3) % 4]},{'grain' if n % 2 else 'tea'},2026,1,0,9,500\n"
        for n in range(50_000)
    )
    corridor = apply_scenario(read_instance(write_files({"shipments.csv": head + rows})), "base")
    start = time.process_time()
    assert check_connectivity(corridor) == []
    assert time.process_time() - start < 3
