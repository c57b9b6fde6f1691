"""The layered network and its money and time chain, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from strategies import corridor_from_rows

from optimizer.errors import InstanceError
from optimizer.network.layered import ACCESS, HANDLING, LINK, SEA, LayeredNetwork


def node(node_id: str, country: str) -> dict[str, object]:
    return {"node_id": node_id, "name": node_id.title(), "country": country, "lat": 0.0, "lon": 0.0}


TABLES: dict[str, list[dict[str, object]]] = {
    "nodes": [node("a", "KZ"), node("b", "AF"), node("c", "PK"), node("o", "AE")],
    "links": [
        {"link_id": "ab", "from_node": "a", "to_node": "b", "mode": "rail", "gauge_mm": 1520, "length_km": 100.0,
         "speed_kmh": 50.0, "capacity_mt_per_year": 1.0, "max_train_gross_t": 2000.0},
        {"link_id": "bc", "from_node": "b", "to_node": "c", "mode": "rail", "gauge_mm": 1676, "length_km": 200.0,
         "speed_kmh": 20.0},
    ],
    "handlings": [
        {"handling_id": "hb", "node_id": "b", "from_layer": "rail-1520", "to_layer": "rail-1676",
         "technology": "bogie_exchange", "cost_usd_per_t": 1.0, "cost_usd_per_feu": 40.0, "cost_usd_per_wagon": 90.0,
         "dwell_h": 24.0, "dwell_h_low": 12.0, "dwell_h_high": 37.63, "capacity_t_per_day": 10.0},
        {"handling_id": "qc", "node_id": "c", "from_layer": "rail-1676", "to_layer": "sea", "technology": "quay",
         "cost_usd_per_feu": 160.0, "cost_usd_per_t": 0.0, "dwell_h": 48.0},
        {"handling_id": "qo", "node_id": "o", "from_layer": "sea", "to_layer": "door", "technology": "quay",
         "cargo_forms": ("container",), "dwell_h": 24.0},
    ],
    "ports": [{"node_id": "c", "capacity_mt_per_year": 5.0, "background_mt_per_year": 3.0,
               "capacity_teu_per_year": 1000.0}],
    "sea_legs": [{"leg_id": "s", "from_port": "c", "to_port": "o", "distance_nm": 500.0,
                  "sailing_days_container": 2.0, "sailing_days_bulk": 3.0, "sailings_per_week": 3.5,
                  "cost_usd_per_feu": 400.0, "cost_usd_per_t_bulk": 9.0}],
    "borders": [
        {"border_id": "any", "dwell_h": 10.0, "cost_usd_per_t": 2.0, "cost_usd_per_feu": 60.0},
        {"border_id": "into-af", "from_country": "KZ", "to_country": "AF", "dwell_h": 5.0, "cost_usd_per_feu": 20.0},
    ],
    "tariffs": [
        {"tariff_id": "haul", "kind": "line_haul", "unit": "usd_per_t_km", "value": 0.02},
        {"tariff_id": "boxes-af", "kind": "line_haul", "unit": "usd_per_feu_km", "value": 1.0, "countries": ("AF",)},
        {"tariff_id": "steep", "kind": "multiplier", "unit": "factor", "value": 2.0, "links": ("bc",)},
        {"tariff_id": "guards", "kind": "security", "unit": "usd_per_train_km", "value": 14.0, "countries": ("AF",)},
        {"tariff_id": "transit", "kind": "entry_fee", "unit": "usd_per_feu", "value": 100.0, "countries": ("PK",)},
        {"tariff_id": "cover", "kind": "insurance", "unit": "percent_of_value", "value": 0.5},
        {"tariff_id": "risk", "kind": "insurance", "unit": "percent_of_value", "value": 1.0,
         "countries": ("AF", "PK")},
    ],
    "wagons": [{"wagon_id": "w", "gauges_mm": ("1520",), "wagon_type": "flat", "payload_t": 60.0,
                "typical_load_t": 45.0, "tare_t": 20.0, "length_m": 14.0, "hire_usd_per_day": 10.0}],
    "wagon_suits": [{"wagon_id": "w", "commodity_id": "boxes"}],
    "commodities": [
        {"commodity_id": "boxes", "name": "Boxes", "cargo_form": "container", "value_usd_per_t": 2400.0,
         "load_t_per_feu": 20.0, "value_of_time_pct_per_day": 1.0},
        {"commodity_id": "grain", "name": "Grain", "cargo_form": "hopper", "value_usd_per_t": 240.0},
    ],
}  # fmt: skip


@pytest.fixture
def network() -> LayeredNetwork:
    settings = {"port_choice": {"reliability_ratio": 0.5, "train_net_share": 0.7, "train_net_t": 2000.0}}
    return LayeredNetwork.build(corridor_from_rows(TABLES, settings))


def arc(network: LayeredNetwork, asset: str, backward: bool = False) -> int:
    (found,) = np.flatnonzero((network.asset == asset) & (network.backward == backward))
    return int(found)


def test_every_row_is_an_arc_in_each_direction_it_works(network: LayeredNetwork) -> None:
    counts = {kind: int((network.kind == kind).sum()) for kind in (LINK, SEA, HANDLING, ACCESS)}
    # land vertices: a/1520, b/1520, b/1676, c/1676; each is joined to both doors of its place
    assert counts == {LINK: 4, SEA: 2, HANDLING: 6, ACCESS: 8}
    assert network.vertex_layer[network.head[arc(network, "qo")]] == "door-in"
    assert network.vertex_layer[network.tail[arc(network, "qo", backward=True)]] == "door-out"
    assert (np.diff(network.tail) >= 0).all()
    assert network.indptr[-1] == network.num_arcs


def test_money_chain_of_a_container(network: LayeredNetwork) -> None:
    money = network.arc_costs("boxes").money
    first, second, sea = arc(network, "ab"), arc(network, "bc"), arc(network, "s")
    # 50 km at 0.02 USD/t-km in Kazakhstan and 50 km at 1 USD/FEU-km over 20 t in Afghanistan
    assert money["haul"][first] == pytest.approx(50 * 0.02 + 50 * 1.0 / 20)
    assert money["haul"][second] == pytest.approx(2 * (100 * 1.0 / 20 + 100 * 0.02))
    assert money["security"][first] == pytest.approx(50 * 14 / (2000 * 0.7))
    assert money["security"][second] == pytest.approx(100 * 14 / 2000)
    assert money["fees"][first] == pytest.approx(20 / 20)  # the border row of the pair, not the general one
    assert money["fees"][second] == pytest.approx(60 / 20 + 100 / 20)  # border and transit fee
    assert money["fees"][arc(network, "bc", backward=True)] == pytest.approx(60 / 20)
    assert money["fees"][arc(network, "s", backward=True)] == pytest.approx(100 / 20)  # entry by sea
    assert money["insurance"][first] == pytest.approx(24.0)  # enters the zone AF + PK
    assert money["insurance"][second] == 0.0  # stays inside
    assert money["handling"][arc(network, "hb")] == pytest.approx(1 + 40 / 20 + 90 / 45)
    assert money["handling"][arc(network, "hb", backward=True)] == pytest.approx(1 + 40 / 20 + 90 / 60)
    assert money["port"][arc(network, "qc")] == pytest.approx(160 / 20)
    assert money["sea"][sea] == pytest.approx(400 / 20)
    assert money["insurance"][arc(network, "qo")] == pytest.approx(12.0)  # handed over at the door
    starts = [a for a in range(network.num_arcs) if network.tail[a] == network.source("b")]
    assert len(starts) == 2
    assert money["insurance"][starts] == pytest.approx(24.0)  # loaded inside the zone


def test_money_chain_of_bulk_ignores_container_rates(network: LayeredNetwork) -> None:
    costs = network.arc_costs("grain")
    assert costs.money["haul"][arc(network, "ab")] == pytest.approx(100 * 0.02)
    assert costs.money["fees"][arc(network, "bc")] == pytest.approx(2.0)
    assert costs.money["handling"][arc(network, "hb")] == pytest.approx(1 + 90 / 60)
    assert costs.money["sea"][arc(network, "s")] == 9.0
    assert not costs.allowed[arc(network, "qo")]
    assert costs.generalised[arc(network, "qo")] == np.inf


def test_time_chain_and_generalised_cost(network: LayeredNetwork) -> None:
    costs = network.arc_costs("boxes")
    first, sea, change = arc(network, "ab"), arc(network, "s"), arc(network, "hb")
    assert costs.time_h["running"][first] == 2.0
    assert costs.time_h["border"][first] == 5.0
    assert costs.time_h["border"][arc(network, "ab", backward=True)] == 10.0
    assert costs.time_h["wait"][sea] == 24.0  # headway 48 h
    assert costs.time_h["sea"][sea] == 48.0
    assert costs.variability_h[sea] == pytest.approx(48 / math.sqrt(12))
    assert costs.time_h["handling"][change] == 24.0
    assert costs.variability_h[change] == pytest.approx(10.0)
    assert costs.time_h["port"][arc(network, "qc")] == 48.0
    assert costs.vot_usd_per_t_h == pytest.approx(1.0)
    assert costs.generalised[change] == pytest.approx(5.0 + 24.0 + 0.5 * 10.0)


def test_resources(network: LayeredNetwork) -> None:
    found = {resource.name + (" back" if i and resource.arcs[0] == arc(network, "ab", True) else ""): resource
             for i, resource in enumerate(network.resources())}  # fmt: skip
    assert {name: (r.unit, r.capacity_per_year, len(r.arcs)) for name, r in found.items()} == {
        "ab": ("t", 1e6, 1),
        "ab back": ("t", 1e6, 1),
        "hb": ("t", 3650.0, 2),
        "port c": ("t", 2e6, 2),
        "port c boxes": ("TEU", 1000.0, 2),
    }
    boxes = found["port c boxes"]
    assert network.resource_use(boxes, "boxes") == pytest.approx(0.1)
    assert network.resource_use(boxes, "grain") == 0.0


def test_a_link_without_a_tariff_is_named_with_its_line() -> None:
    tables = {**TABLES, "tariffs": [{**TABLES["tariffs"][0], "countries": ("KZ", "AF")}, TABLES["tariffs"][1]]}
    with pytest.raises(InstanceError, match=r"link 'bc' \(rail, PK\) has no line_haul tariff for bulk cargo"):
        LayeredNetwork.build(corridor_from_rows(tables)).arc_costs("grain")


def test_equally_specific_tariffs_are_refused() -> None:
    twin = {**TABLES["tariffs"][0], "tariff_id": "twin"}
    with pytest.raises(InstanceError, match="equally specific line_haul tariffs haul, twin"):
        LayeredNetwork.build(corridor_from_rows({**TABLES, "tariffs": [*TABLES["tariffs"], twin]})).arc_costs("grain")
