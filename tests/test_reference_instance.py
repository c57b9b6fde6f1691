"""The committed reference instance: complete, sourced, in force under every scenario, and rebuilt from the facts."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.schema import TABLES
from optimizer.network.layered import LayeredNetwork
from optimizer.network.paths import shortest_path_tree

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "instances" / "kazakhstan-pakistan"
FACTS = ROOT.parent / "shared" / "corridor-facts"
SELECTS = ("2026", "2030", "2035", "gauge-a", "gauge-b", "gauge-c")
needs_facts = pytest.mark.skipif(not FACTS.is_dir(), reason="collected facts (../shared/corridor-facts) are not here")


@pytest.fixture(scope="module")
def instance() -> Instance:
    return read_instance(FOLDER)


def stack(name: str) -> str:
    """A scenario on top of the default one where it selects nothing itself."""
    return name if name in ("2026", "2030") else f"2035,gauge-b,{name}"


def unconnected(corridor: Corridor) -> set[str]:
    network = LayeredNetwork.build(corridor)
    lost = set()
    for lane in corridor.table("lanes").itertuples(index=False):
        weight = network.arc_costs(lane.commodity_id).generalised
        distance, _ = shortest_path_tree(network.indptr, network.head, weight, network.source(lane.origin))
        if not np.isfinite(distance[network.sink(lane.destination)]):
            lost.add(lane.lane_id)
    return lost


def test_every_place_link_and_leg_is_there(instance: Instance) -> None:
    sizes = {name: len(instance.tables[name]) for name in ("nodes", "links", "sea_legs", "ports", "lanes")}
    assert sizes == {"nodes": 178, "links": 214, "sea_legs": 97, "ports": 30, "lanes": 117}
    assert set(instance.tables) == set(TABLES)
    # the facts name no inspection posts at terminals, no washing places, and no workshops of wagons or locomotives
    empty = {name for name, table in instance.tables.items() if table.empty}
    assert empty <= {"terminal_posts", "wagon_works", "shop_windows"}


def test_every_row_says_where_it_comes_from(instance: Instance) -> None:
    for name, table in instance.tables.items():
        assert (table["source"] != "").all(), name
        assert (
            table["confidence"]
            .isin(["measured", "published", "part published", "computed", "derived", "estimated"])
            .all()
        ), name


def test_estimated_numbers_carry_their_band(instance: Instance) -> None:
    rail = instance.tables["links"].query("mode == 'rail'")
    assert rail[["speed_kmh_low", "speed_kmh_high", "capacity_trains_per_day_low"]].notna().all().all()
    columns = ["cost_low", "cost_high", "dwell_h_low", "dwell_h_high"]
    assert instance.tables["handlings"][columns].notna().all().all()
    assert instance.tables["tariffs"][["value_low", "value_high"]].notna().all().all()
    assert instance.tables["lanes"][["quantity_t_per_year_low", "quantity_t_per_year_high"]].notna().all().all()
    for name, table in instance.tables.items():
        for low in (column for column in table if column.endswith("_low") and column != "cost_low"):
            base, high = low.removesuffix("_low"), low.removesuffix("_low") + "_high"
            given = table[table[low].notna() & table[high].notna()]
            assert ((given[low] <= given[base] + 1e-6) & (given[base] <= given[high] + 1e-6)).all(), (name, low)


def test_every_gauge_terminal_of_the_facts_has_its_handlings(instance: Instance) -> None:
    ids = set(instance.tables["handlings"]["handling_id"])
    assert {f"G{number:02d}" for number in range(1, 22)} == {
        name[:3] for name in ids if name[0] == "G" and name[1:3].isdigit()
    }
    assert set(instance.tables["terminals"]["terminal_id"]) == {f"TL{number}" for number in range(1, 8)}


def test_record_day_is_not_planned_with(instance: Instance) -> None:
    dostyk = instance.tables["handlings"].set_index("handling_id").loc["G03"]
    assert dostyk["capacity_t_per_day"] == 40_000 == dostyk["capacity_t_per_day_low"]


def test_optional_bolan_line_is_in_no_network_until_opened(instance: Instance) -> None:
    assert "R231" not in set(apply_scenario(instance, "2035,gauge-b").table("links")["link_id"])
    assert "R231" in set(apply_scenario(instance, "2035,gauge-b,bolan-new-line").table("links")["link_id"])


@pytest.mark.parametrize("name", sorted(path.stem for path in (FOLDER / "scenarios").glob("*.toml")))
def test_every_scenario_applies_and_its_lanes_connect(instance: Instance, name: str) -> None:
    assert unconnected(apply_scenario(instance, stack(name))) == set()


def test_scenarios_stack(instance: Instance) -> None:
    corridor = apply_scenario(instance, "2035,gauge-c,hormuz-shut,without-kabul")
    legs, links = corridor.table("sea_legs"), set(corridor.table("links")["link_id"])
    shut = [("Hormuz" in straits) for straits in legs["chokepoints"]]
    assert legs.loc[shut, "sailings_per_week"].max() == pytest.approx(3 * 0.05)
    assert "R153" not in links
    assert "R146" in links


def test_price_never_leaves_a_normal_flow_behind(instance: Instance) -> None:
    for name in ("2026", "2035,gauge-b"):
        corridor = apply_scenario(instance, name)
        network = LayeredNetwork.build(corridor)
        for lane in corridor.table("lanes").itertuples(index=False):
            weight = network.arc_costs(lane.commodity_id).generalised
            distance, _ = shortest_path_tree(network.indptr, network.head, weight, network.source(lane.origin))
            assert distance[network.sink(lane.destination)] < 0.6 * lane.unserved_usd_per_t, lane.lane_id


def test_dated_tables_are_consistent(instance: Instance) -> None:
    days = instance.config.horizon.days
    shipments, orders = instance.tables["shipments"], instance.tables["orders"]
    for year, least, most in ((2026, 250, 400), (2035, 250, 400)):
        assert least <= (shipments["year"] == year).sum() <= most
    assert (shipments["due_day"] < days).all()
    assert (orders["due_day"] < days).all()
    for _, legs in orders.groupby("shipment_id"):
        windows = sorted(zip(legs["release_day"], legs["due_day"], strict=True))
        assert all(first[1] < second[0] for first, second in itertools.pairwise(windows))
    drawn = shipments.query("year == 2035").groupby("lane_id")["quantity_t"].sum()
    lanes = instance.tables["lanes"].set_index("lane_id")["quantity_t_per_year"]
    assert (drawn / (lanes[drawn.index] * 14 / 365) - 1).abs().max() < 0.01


def test_trains_stay_within_their_links(instance: Instance) -> None:
    links = instance.tables["links"].set_index("link_id")
    for train in instance.tables["train_services"].itertuples(index=False):
        limits = links.loc[list(train.links)]
        assert train.gross_t <= limits["max_train_gross_t"].min()
        assert train.wagons <= limits["max_train_wagons"].min()


def test_trains_fit_a_track_and_loads_have_an_onward_train(instance: Instance) -> None:
    calls, tracks = instance.tables["train_calls"], instance.tables["terminal_tracks"]
    for call in calls.itertuples(index=False):
        fitting = tracks[(tracks["terminal_id"] == call.terminal_id) & (tracks["gauge_mm"] == call.gauge_mm)]
        assert fitting["length_m"].max() >= call.length_m, call.call_id
    by_id = calls.set_index("call_id")
    for load in instance.tables["terminal_loads"].itertuples(index=False):
        inbound = by_id.loc[load.call_id]
        others = calls[(calls["terminal_id"] == inbound["terminal_id"]) & (calls["gauge_mm"] != inbound["gauge_mm"])]
        others = others[(others["year"] == inbound["year"]) & (others["gauge_variants"] == inbound["gauge_variants"])]
        assert any(load.destination in places for places in others["destinations"]), load.load_id


@needs_facts
def test_instance_is_what_the_script_builds(tmp_path: Path) -> None:
    from scripts.build_reference import build

    build(FACTS, tmp_path)
    built = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()} - {Path("README.md")}
    assert built == kept
    assert [str(name) for name in sorted(built) if (tmp_path / name).read_bytes() != (FOLDER / name).read_bytes()] == []


@needs_facts
def test_values_are_those_of_the_facts(instance: Instance) -> None:
    with (FACTS / "links.csv").open(encoding="utf-8", newline="") as file:
        length = {row["link_id"]: float(row["length_km"]) for row in csv.DictReader(file)}
    links = instance.tables["links"]
    assert dict(zip(links["link_id"], links["length_km"], strict=True)) == length
