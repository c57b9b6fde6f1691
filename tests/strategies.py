"""Every Hypothesis strategy of the project, and the helpers that build instances in memory.

Sections
--------
1. Tables to instances: ``instance_from_rows``, ``corridor_from_rows`` (used by plain tests as well).
2. Corridors: ``corridors(...)`` draws small valid corridors for all families.
3. One section per family; add strategies of a family to its own section only.

Numbers are small integers or simple fractions, so that a shrunk failure can be worked out by hand. Tonnes a year are
multiples of 365 and shipments small numbers of tonnes, so that static and dated capacities bind on small counts too.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from optimizer.data.columns import frame
from optimizer.data.corridor import Corridor, Instance
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config, Scenario
from optimizer.scheduling.problem import FlexibleJobShop

_EMPTY = {name: frame(model, {}) for name, model in TABLES.items()}

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

# --------------------------------------------------------------------------------------------------------------------
# 1. Tables to instances
# --------------------------------------------------------------------------------------------------------------------


def instance_from_rows(
    tables: Rows,
    config: Mapping[str, Any] | None = None,
    scenarios: Mapping[str, Mapping[str, Any]] | None = None,
) -> Instance:
    """
    Instance in memory; every row goes through its row model first, so that a misspelt column or value raises.

    Parameters
    ----------
    tables
        Table name -> rows, each a mapping of column -> value; lists may be tuples or 'a;b'. Absent tables are empty.
    config
        Entries of ``corridor.toml`` on top of name "drawn", schema version 1 and base year 2026.
    scenarios
        Scenario name -> entries of its file.
    """
    if strays := set(tables) - set(TABLES):
        raise ValueError(f"no such tables: {sorted(strays)}")
    settings = {"name": "drawn", "schema_version": 1, "base_year": 2026, "source": "drawn for a test"} | dict(
        config or {}
    )
    frames = {}
    for name, model in TABLES.items():
        if not tables.get(name):
            frames[name] = _EMPTY[name]  # nobody changes a table in place
            continue
        rows = [model.model_validate(dict(row)).model_dump() for row in tables[name]]
        frames[name] = frame(model, {column: [row[column] for row in rows] for column in rows[0]})
    fingerprint = json.dumps([settings, {name: list(map(dict, rows)) for name, rows in tables.items()}], default=str)
    return Instance(
        path="drawn",
        config=Config.model_validate(settings),
        tables=frames,
        scenarios={name: Scenario.model_validate(dict(entries)) for name, entries in (scenarios or {}).items()},
        scenario_texts=dict.fromkeys(scenarios or {}, ""),
        hash=hashlib.sha256(fingerprint.encode()).hexdigest(),
    )


def corridor_from_rows(tables: Rows, config: Mapping[str, Any] | None = None) -> Corridor:
    """Corridor in memory with every row in force (no selection, no scenario)."""
    return corridor_of(instance_from_rows(tables, config))


def corridor_of(instance: Instance) -> Corridor:
    """The instance as it stands, every row in force."""
    return Corridor(instance=instance, scenario=(), selection=instance.config.select, tables=instance.tables)


def rows_of(corridor: Corridor) -> dict[str, list[dict[str, Any]]]:
    """Rows of every table, blanks left out: what ``corridor_from_rows`` takes. For tests that change a few values."""
    return {
        name: [
            {column: value for column, value in row.items() if not (value == "" or value != value)}
            for row in table.to_dict("records")
        ]
        for name, table in corridor.tables.items()
    }


# --------------------------------------------------------------------------------------------------------------------
# 2. Corridors
# --------------------------------------------------------------------------------------------------------------------

REGIONS = (("KZ", 1520), ("AF", 1435), ("PK", 1676))
OVERSEAS_COUNTRY = "AE"
COMMODITIES = (
    {"commodity_id": "boxes", "name": "Goods in containers", "cargo_form": "container", "load_t_per_feu": 20.0},
    {"commodity_id": "grain", "name": "Grain", "cargo_form": "hopper"},
    {"commodity_id": "fuel", "name": "Fuel", "cargo_form": "tank"},
)
DAYS = 28


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """``None`` (the simplest) or a value of the strategy."""
    return st.none() | strategy


def _present(**columns: Any) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if value is not None}


@st.composite
def corridor_rows(
    draw: st.DrawFn,
    *,
    min_places: int = 2,
    max_places: int = 7,
    max_gauges: int = 3,
    max_lanes: int = 4,
    roads: bool = True,
    ports: bool = True,
    capacities: bool = True,
    contracts: bool = True,
    wagons: bool = True,
    dated: bool = True,
    max_shipments: int = 5,
) -> dict[str, list[dict[str, Any]]]:
    """
    Rows of a small valid corridor; see :func:`corridors` for the parameters.

    Land places stand in a row of gauge regions (1520, 1435, 1676; at most ``max_gauges`` of them) and form a tree, with
    at most two more links or roads. Where a link enters a region of the other gauge, the place it enters has at least
    one handling for every cargo form, so that every lane has a route. Ports are the last land places, each with a quay
    and one sea leg to one overseas place.
    """
    overseas = ports and max_places > 2 and draw(st.booleans(), label="ports")
    num_land = draw(st.integers(min_places, max_places - overseas), label="land places")
    num_gauges = draw(st.integers(1, min(max_gauges, num_land)), label="gauges")
    region = sorted(
        draw(st.lists(st.integers(0, num_gauges - 1), min_size=num_land, max_size=num_land), label="regions")
    )
    land = [f"p{place}" for place in range(num_land)]
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}

    for place in range(num_land):
        country, _ = REGIONS[region[place]]
        tables["nodes"].append(
            {
                "node_id": land[place],
                "name": land[place].upper(),
                "country": country,
                "lat": 45.0 - place,
                "lon": 60.0 + place,
            }
        )
    tree = [(draw(st.integers(0, place - 1), label="parent"), place) for place in range(1, num_land)]
    extra = draw(
        st.lists(st.tuples(st.integers(0, num_land - 1), st.integers(0, num_land - 1)), max_size=2), label="more links"
    )
    layers: dict[int, set[str]] = {place: set() for place in range(num_land)}
    for index, (tail, head) in enumerate([*tree, *(pair for pair in extra if pair[0] != pair[1])]):
        is_road = roads and index >= len(tree) and draw(st.booleans(), label="road")
        _draw_link(draw, tables, f"l{index}", land, region, (tail, head), is_road, capacities, layers)
    _draw_handlings(draw, tables, land, region, layers, capacities)
    if overseas:
        _draw_ports(draw, tables, land, layers, capacities)
    _draw_borders_and_tariffs(draw, tables, region)

    num_commodities = draw(st.integers(1, len(COMMODITIES)), label="commodities")
    for commodity in COMMODITIES[:num_commodities]:
        tables["commodities"].append(
            dict(commodity)
            | {
                "value_usd_per_t": float(draw(st.sampled_from((0, 240, 2400)), label="value")),
                "value_of_time_pct_per_day": float(draw(st.sampled_from((0, 1, 2)), label="value of time")),
            }
        )
    if wagons and draw(st.booleans(), label="wagons"):
        _wagons(tables, sorted({REGIONS[number][1] for number in region}), num_commodities)
    _draw_demand(draw, tables, land, overseas, num_commodities, max_lanes, max_shipments if dated else 0)
    if contracts:
        _draw_contracts(draw, tables)
    return {name: rows for name, rows in tables.items() if rows}


def _draw_link(
    draw: st.DrawFn,
    tables: dict[str, list[dict[str, Any]]],
    link_id: str,
    land: Sequence[str],
    region: Sequence[int],
    ends: tuple[int, int],
    is_road: bool,
    capacities: bool,
    layers: dict[int, set[str]],
) -> None:
    """One link; rail takes the gauge of its earlier region: a break of gauge lies at the end in the later one."""
    gauge_mm = None if is_road else REGIONS[min(region[ends[0]], region[ends[1]])][1]
    tables["links"].append(
        _present(
            link_id=link_id,
            from_node=land[ends[0]],
            to_node=land[ends[1]],
            mode="road" if is_road else "rail",
            gauge_mm=gauge_mm,
            length_km=float(100 * draw(st.integers(1, 8), label="length")),
            speed_kmh=float(draw(st.sampled_from((50, 25, 20)), label="speed")),
            capacity_mt_per_year=_annual_mt(draw(optional(st.integers(0, 12)), label="link t/day"))
            if capacities
            else None,
            max_train_gross_t=draw(optional(st.sampled_from((2000.0, 4000.0))), label="train mass"),
        )
    )
    for end in ends:
        layers[end].add("road" if is_road else f"rail-{gauge_mm}")


def _annual_mt(t_per_day: int | None) -> float | None:
    return None if t_per_day is None else t_per_day * 365 / 1e6


def _draw_handlings(
    draw: st.DrawFn,
    tables: dict[str, list[dict[str, Any]]],
    land: Sequence[str],
    region: Sequence[int],
    layers: Mapping[int, set[str]],
    capacities: bool,
) -> None:
    """Every pair of layers met at a place is joined in a chain for all forms; some also by a container crane."""
    for place, met in layers.items():
        own = f"rail-{REGIONS[region[place]][1]}"
        chain = sorted(met | ({own} if any(layer.startswith("rail") for layer in met) else set()))
        for first, second in itertools.pairwise(chain):
            is_break = first.startswith("rail") and second.startswith("rail")
            choices = [("bulk_transfer" if is_break else "rail_road", ())]
            if is_break and draw(st.booleans(), label="container crane"):
                choices.append(("container_gantry", ("container",)))
            for technology, forms in choices:
                dwell_h = float(draw(st.integers(0, 3), label="dwell") * 12)
                spread = draw(st.booleans(), label="dwell band")
                tables["handlings"].append(
                    _present(
                        handling_id=f"h{len(tables['handlings'])}",
                        node_id=land[place],
                        from_layer=first,
                        to_layer=second,
                        technology=technology,
                        cargo_forms=forms,
                        cost_usd_per_t=float(draw(st.integers(0, 9), label="USD/t")),
                        cost_usd_per_feu=float(draw(st.sampled_from((0, 40, 100)), label="USD/FEU")),
                        cost_usd_per_wagon=float(draw(st.sampled_from((0, 120)), label="USD/wagon")),
                        dwell_h=dwell_h,
                        dwell_h_low=dwell_h / 2 if spread else None,
                        dwell_h_high=dwell_h * 2 if spread else None,
                        capacity_t_per_day=(
                            draw(optional(st.integers(0, 12).map(float)), label="handling t/day")
                            if capacities
                            else None
                        ),
                    )
                )


def _draw_ports(
    draw: st.DrawFn,
    tables: dict[str, list[dict[str, Any]]],
    land: Sequence[str],
    layers: Mapping[int, set[str]],
    capacities: bool,
) -> None:
    """One or two ports with a quay and a sea leg each to one overseas place."""
    tables["nodes"].append(
        {
            "node_id": "sea0",
            "name": "SEA0",
            "country": OVERSEAS_COUNTRY,
            "lat": 25.0,
            "lon": 55.0,
            "kind": "overseas_port",
        }
    )
    tables["handlings"].append(
        {
            "handling_id": "hsea0", "node_id": "sea0", "from_layer": "sea", "to_layer": "door", "technology": "quay",
            "cost_usd_per_t": float(draw(st.integers(0, 5), label="overseas quay")), "dwell_h": 24.0,
        }
    )  # fmt: skip
    for place in range(len(land) - 1, max(len(land) - 1 - draw(st.integers(1, 2), label="num ports"), -1), -1):
        tables["nodes"][place]["kind"] = "sea_port"
        tables["ports"].append(
            _present(
                node_id=land[place],
                capacity_mt_per_year=_annual_mt(draw(optional(st.integers(0, 12)), label="port t/day"))
                if capacities
                else None,
                background_mt_per_year=_annual_mt(draw(st.integers(0, 2), label="background t/day"))
                if capacities
                else 0.0,
                capacity_teu_per_year=(
                    draw(optional(st.sampled_from((0.0, 73.0, 365.0))), label="port TEU") if capacities else None
                ),
            )
        )
        for layer in sorted(layers[place]):
            tables["handlings"].append(
                {
                    "handling_id": f"hq{land[place]}-{layer}", "node_id": land[place], "from_layer": layer,
                    "to_layer": "sea", "technology": "quay",
                    "dwell_h": float(draw(st.integers(0, 3), label="port dwell") * 24),
                    "cost_usd_per_feu": float(draw(st.sampled_from((0, 100, 200)), label="quay USD/FEU")),
                    "cost_usd_per_t": float(draw(st.integers(0, 9), label="quay USD/t")),
                }
            )  # fmt: skip
        sailing_days = float(draw(st.integers(1, 3), label="sailing days"))
        tables["sea_legs"].append(
            {
                "leg_id": f"s{land[place]}", "from_port": land[place], "to_port": "sea0", "distance_nm": 500.0,
                "sailing_days_container": sailing_days, "sailing_days_bulk": sailing_days + 1.0,
                "sailings_per_week": draw(st.sampled_from((7.0, 3.5, 1.0)), label="sailings"),
                "cost_usd_per_feu": float(draw(st.sampled_from((200, 400, 1000)), label="freight USD/FEU")),
                "cost_usd_per_t_bulk": float(draw(st.integers(5, 20), label="freight USD/t")),
            }
        )  # fmt: skip


def _draw_borders_and_tariffs(draw: st.DrawFn, tables: dict[str, list[dict[str, Any]]], region: Sequence[int]) -> None:
    """Rows whose filled keys are nested, so that the most specific one is never tied."""
    countries = sorted({REGIONS[number][0] for number in region})
    pick = st.sampled_from(countries)
    if draw(st.booleans(), label="border"):
        charge = float(draw(st.integers(0, 3), label="border USD/t"))
        tables["borders"].append(
            {"border_id": "b0", "dwell_h": 12.0, "cost_usd_per_t": charge, "cost_usd_per_feu": 20.0}
        )
    if len(countries) > 1 and draw(st.booleans(), label="pair border"):
        tables["borders"].append(
            {
                "border_id": "b1", "from_country": countries[0], "to_country": countries[1], "dwell_h": 24.0,
                "dwell_h_low": 12.0, "dwell_h_high": 48.0,
                "cost_usd_per_t": float(draw(st.integers(0, 3), label="pair USD/t")),
            }
        )  # fmt: skip

    def tariff(kind: str, unit: str, value: float, **keys: Any) -> None:
        row = {"tariff_id": f"t{len(tables['tariffs'])}", "kind": kind, "unit": unit, "value": value}
        tables["tariffs"].append(row | keys)

    cents = st.sampled_from((0.01, 0.02, 0.04))
    tariff("line_haul", "usd_per_t_km", draw(cents, label="haul"))
    if draw(st.booleans(), label="country haul"):
        country = draw(pick, label="haul country")
        tariff("line_haul", "usd_per_t_km", draw(cents, label="country rate"), countries=(country,))
        if draw(st.booleans(), label="country container haul"):
            rate = draw(st.sampled_from((0.4, 1.0)), label="FEU rate")
            tariff("line_haul", "usd_per_feu_km", rate, countries=(country,), form="container")
    for factor in draw(st.lists(st.sampled_from((0.5, 1.5, 2.0)), max_size=2), label="multipliers"):
        tariff("multiplier", "factor", factor, countries=(draw(pick, label="multiplier country"),))
    if draw(st.booleans(), label="security"):
        tariff("security", "usd_per_train_km", 14.0, countries=(draw(pick, label="security country"),))
    if draw(st.booleans(), label="entry fee"):
        tariff(
            "entry_fee",
            "usd_per_t",
            float(draw(st.integers(1, 5), label="fee")),
            countries=(draw(pick, label="fee country"),),
        )
    if draw(st.booleans(), label="container entry fee"):
        tariff("entry_fee", "usd_per_feu", 40.0, countries=(draw(pick, label="FEU fee country"),), form="container")
    if draw(st.booleans(), label="insurance"):
        tariff("insurance", "percent_of_value", 0.5)
    if draw(st.booleans(), label="transit insurance"):
        tariff("insurance", "percent_of_value", 1.0, countries=(draw(pick, label="insured country"),))


def _wagons(tables: dict[str, list[dict[str, Any]]], gauges: Sequence[int], num_commodities: int) -> None:
    """The usual wagon of each gauge and commodity."""
    for gauge in gauges:
        for commodity in COMMODITIES[:num_commodities]:
            wagon_id = f"w{gauge}-{commodity['commodity_id']}"
            tables["wagons"].append(
                {
                    "wagon_id": wagon_id, "gauges_mm": (str(gauge),), "wagon_type": str(commodity["cargo_form"]),
                    "payload_t": 60.0, "typical_load_t": 40.0 if gauge == 1676 else 60.0, "tare_t": 22.0,
                    "length_m": 14.0,
                    "hire_usd_per_day": 20.0, "teu_slots": 2 if commodity["cargo_form"] == "container" else 0,
                }
            )  # fmt: skip
            tables["wagon_suits"].append({"wagon_id": wagon_id, "commodity_id": commodity["commodity_id"]})


def _draw_demand(
    draw: st.DrawFn,
    tables: dict[str, list[dict[str, Any]]],
    land: Sequence[str],
    overseas: bool,
    num_commodities: int,
    max_lanes: int,
    max_shipments: int,
) -> None:
    """Lanes in multiples of 365 t, and shipments on the same pairs."""
    places = [*land, "sea0"] if overseas else list(land)
    pairs = st.permutations(places).map(lambda order: (order[0], order[1]))
    which = st.integers(0, num_commodities - 1).map(lambda number: COMMODITIES[number]["commodity_id"])
    penalty = st.sampled_from((1000.0, 100.0, 20.0))
    for index in range(draw(st.integers(1, max_lanes), label="lanes")):
        origin, destination = draw(pairs, label="lane")
        tables["lanes"].append(
            {
                "lane_id": f"d{index}", "origin": origin, "destination": destination,
                "commodity_id": draw(which, label="commodity"),
                "quantity_t_per_year": 365.0 * draw(st.integers(1, 10), label="t/day"),
                "unserved_usd_per_t": draw(penalty, label="unserved"),
            }
        )  # fmt: skip
    for index in range(draw(st.integers(1, max_shipments), label="shipments") if max_shipments else 0):
        lane = draw(st.sampled_from(tables["lanes"]), label="shipment lane")
        release_day = draw(st.integers(0, 5), label="release")
        tables["shipments"].append(
            {
                "shipment_id": f"x{index}", "lane_id": lane["lane_id"], "origin": lane["origin"],
                "destination": lane["destination"], "commodity_id": lane["commodity_id"],
                "quantity_t": float(draw(st.integers(1, 10), label="tonnes")),
                "release_day": release_day, "due_day": release_day + draw(st.integers(1, 12), label="window"),
                "late_usd_per_t_day": float(draw(st.integers(0, 3), label="late")),
                "unserved_usd_per_t": lane["unserved_usd_per_t"],
            }
        )  # fmt: skip


def _draw_contracts(draw: st.DrawFn, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Up to two contracts over different assets, with a fixed cost and sometimes volumes."""
    keys = (("links", "link_id"), ("handlings", "handling_id"), ("sea_legs", "leg_id"))
    assets = [row[key] for table, key in keys for row in tables[table]]
    covered = draw(st.lists(st.sampled_from(assets), max_size=2, unique=True), label="contract assets")
    for index, asset in enumerate(covered):
        least = 365.0 * draw(st.integers(0, 4), label="least t/day")
        room = draw(optional(st.integers(0, 6)), label="room t/day")
        tables["contracts"].append(
            _present(
                contract_id=f"c{index}",
                assets=(asset,),
                fixed_cost_usd_per_year=365.0 * draw(st.integers(0, 50), label="fixed USD/day"),
                min_t_per_year=least,
                max_t_per_year=None if room is None else least + 365.0 * room,
            )
        )


def instances(**parameters: Any) -> st.SearchStrategy[Instance]:
    """Instances of :func:`corridor_rows`, with a horizon of 28 days and a value of reliability of 0 or 1."""
    config = st.sampled_from((0.0, 1.0)).map(
        lambda ratio: {"horizon": {"days": DAYS}, "port_choice": {"reliability_ratio": ratio}}
    )
    return st.builds(instance_from_rows, corridor_rows(**parameters), config)


def corridors(**parameters: Any) -> st.SearchStrategy[Corridor]:
    """
    Small valid corridors in memory: 2-7 places, 1-3 gauges, road, ports, tariffs of every kind, demand.

    Parameters
    ----------
    min_places, max_places, max_gauges, max_lanes
        Bounds on counts; ``max_places`` includes the overseas place.
    roads, ports, capacities, contracts, wagons, dated
        False leaves the feature out; True lets it be drawn (shrinking drops it).
    max_shipments
        Most dated shipments (at least one is drawn when ``dated``).

    Every lane and shipment has a route when capacities and contracts are left out.
    """
    return instances(**parameters).map(corridor_of)


# --------------------------------------------------------------------------------------------------------------------
# 3a. Port choice
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def whole_corridors(draw: st.DrawFn, **parameters: Any) -> Corridor:
    """Corridors of :func:`corridors` some of whose shipments are indivisible."""
    drawn = draw(corridors(**parameters))
    shipments = drawn.tables["shipments"]
    size = len(shipments)
    whole = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any), label="indivisible")
    return replace(drawn, tables={**drawn.tables, "shipments": shipments.assign(indivisible=whole)})


# --------------------------------------------------------------------------------------------------------------------
# 3b. Gauge-change transshipment
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def terminal_rows(
    draw: st.DrawFn, max_trains: int = 3, max_loads: int = 3, step_h: float = 0.5
) -> dict[str, list[dict[str, Any]]]:
    """
    Tables of one terminal T between 1520 and 1676 mm, small enough for every model and for enumeration.

    Every instant and every working time is a multiple of ``step_h``. Trains of both gauges serve what the other side's
    loads want or not; room, yard, tracks, shifts and bogies bind now and then.
    """
    steps = st.integers(0, 4).map(lambda n: n * step_h)
    num_trains = draw(st.integers(2, max_trains))
    tracks = [
        {"track_id": f"K{gauge}{at}", "terminal_id": "T", "gauge_mm": gauge, "length_m": 500 + 200 * at}
        for gauge in (1520, 1676)
        for at in range(draw(st.integers(1, 2)))
    ]
    ids = [track["track_id"] for track in tracks]
    cranes = [
        {
            "crane_id": f"C{at}", "terminal_id": "T",
            "handles": draw(st.sampled_from(["container", "bulk"])) if at else "container",
            "tracks": ids if not at else draw(st.lists(st.sampled_from(ids), min_size=1, unique=True)),
            "moves_per_h": draw(st.sampled_from([1, 0.5])) / step_h,
            "shifts_h": draw(st.sampled_from(["0-24", "0-1;2-24"])),
        }
        for at in range(draw(st.integers(1, 2)))
    ]  # fmt: skip
    bay = {
        "bay_id": "B0", "terminal_id": "T", "wagons_per_cycle": 2, "hours_per_cycle": step_h,
        "bogie_sets_1520": draw(st.integers(0, 3)), "bogie_sets_1676": draw(st.integers(0, 3)),
    }  # fmt: skip
    calls = []
    for at in range(num_trains):
        arrive = draw(steps)
        depart = arrive + draw(st.integers(1, 4)) * step_h
        calls.append(
            {
                "call_id": f"R{at}", "terminal_id": "T", "gauge_mm": (1520, 1676)[at % 2], "arrive_h": arrive,
                "depart_h": depart, "latest_depart_h": depart + draw(st.integers(1, 4)) * step_h, "length_m": 400,
                "capacity_teu": draw(st.integers(0, 6)), "capacity_t": draw(st.integers(0, 200)),
                "capacity_wagons": draw(st.integers(0, 4)),
                "destinations": draw(st.sampled_from(["NA", "NB", "NA;NB"])),
                "wait_usd_per_h": draw(st.sampled_from([0, 10, 33.33])),
            }
        )  # fmt: skip
    loads = []
    for at in range(draw(st.integers(1, max_loads))):
        form, moves = draw(st.sampled_from(["container", "container", "bulk"])), draw(st.integers(1, 2))
        loads.append(
            {
                "load_id": f"L{at}", "call_id": f"R{draw(st.integers(0, num_trains - 1))}", "form": form,
                "modes": draw(st.sampled_from(["direct;yard", "yard", "direct;yard;bogie", "bogie"])),
                "moves": moves,
                "teu": 2 * moves if form == "container" else 0, "mass_t": 60 * moves, "wagons": moves,
                "destination": draw(st.sampled_from(["NA", "NB"])), "due_h": draw(steps),
                "late_usd_per_h": draw(st.sampled_from([0, 5, 7.77])), "missed_usd": draw(st.sampled_from([20, 100])),
            }
        )  # fmt: skip
    terminal = {
        "terminal_id": "T", "node_id": "NA", "name": "T", "yard_capacity_teu": draw(st.sampled_from([0, 4, 8])),
        "yard_capacity_t": draw(st.sampled_from([0, 60, 240])), "direct_usd_per_move": draw(st.integers(0, 5)),
        "yard_usd_per_move": draw(st.integers(0, 5)), "bogie_usd_per_wagon": draw(st.integers(0, 8)),
    }  # fmt: skip
    nodes = [{"node_id": n, "name": n, "country": "AF", "lat": 31.0, "lon": 66.0} for n in ("NA", "NB")]
    return {
        "nodes": nodes, "terminals": [terminal], "terminal_tracks": tracks, "terminal_cranes": cranes,
        "terminal_bays": [bay], "train_calls": calls, "terminal_loads": loads,
    }  # fmt: skip


@st.composite
def rich_terminal_rows(draw: st.DrawFn, step_h: float = 0.5, **parameters: Any) -> dict[str, list[dict[str, Any]]]:
    """
    The tables of :func:`terminal_rows` with some of the further rules.

    Checks by posts, set-ups, two cranes on a runway, stacked boxes, counted empty wagons, breaks and outages;
    every working time is still a multiple of ``step_h``.
    """
    rows = draw(terminal_rows(step_h=step_h, **parameters))
    minutes, sometimes = 60 * step_h, st.sampled_from([False, False, True])
    for call in rows["train_calls"]:  # room and time, so that more than what is missed is told apart
        call |= {"capacity_teu": 6, "capacity_t": 240, "capacity_wagons": 4, "destinations": "NA;NB"}
        call["latest_depart_h"] += 2 * step_h
    terminal = rows["terminals"][0]
    terminal |= {"yard_capacity_teu": 4, "yard_capacity_t": 120}
    if draw(sometimes, label="stacked"):
        terminal |= {"yard_tiers": 3, "rehandle_usd_per_move": draw(st.integers(0, 4))}
    for gauge in (1520, 1676):
        if draw(sometimes, label="counted"):
            terminal[f"empty_wagons_{gauge}"] = draw(st.integers(0, 2))
    runway = draw(sometimes, label="runway")
    for place, crane in enumerate(rows["terminal_cranes"]):
        crane["runway"] = "R" if runway else ""
        crane["runway_place"] = place if runway else None
    rows["terminal_posts"] = [
        {
            "post_id": f"P{at}", "terminal_id": "T", "check": "customs" if at else "inspection",
            "minutes_per_load": draw(st.sampled_from([0, minutes])), "minutes_per_wagon": 0 if at else minutes,
        }
        for at in range(2)
    ]  # fmt: skip
    rows["terminal_posts"][1]["minutes_per_load"] = minutes
    for worker in (*rows["terminal_cranes"], *rows["terminal_bays"], *rows["terminal_posts"]):
        if draw(sometimes, label="hours"):
            worker["breaks_h"] = draw(st.sampled_from([f"{2 * step_h:g}-{3 * step_h:g}", "0-0.5"]))
            worker["out_of_service_h"] = draw(st.sampled_from(["", f"{4 * step_h:g}-{6 * step_h:g}"]))
        if draw(sometimes, label="set-up"):
            worker["setup_min"] = minutes
    one, none = st.sampled_from(["inspection", "customs"]), st.just("")
    for load in rows["terminal_loads"]:
        load["zone"] = draw(st.integers(0, 2)) if runway else None
        for column in ("checks_before", "checks_after"):
            load[column] = draw(none | none | one)
        if "yard" in load["modes"]:
            load["checks_between"] = draw(none | none | none | one)
    return rows


def rich_terminals(**parameters: Any) -> st.SearchStrategy[Corridor]:
    """Corridors of one small terminal with some of the further rules; see :func:`rich_terminal_rows`."""
    return rich_terminal_rows(**parameters).map(corridor_from_rows)


def terminals(**parameters: Any) -> st.SearchStrategy[Corridor]:
    """Corridors of one small terminal; see :func:`terminal_rows`."""
    return terminal_rows(**parameters).map(corridor_from_rows)


# --------------------------------------------------------------------------------------------------------------------
# 3c. Rolling stock
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def rolling_stock_rows(draw: st.DrawFn) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Rows and settings of a wagon problem of a few days: a tree, a break of gauge, tight yards and train paths."""
    days, num = draw(st.integers(3, 6), label="days"), draw(st.integers(2, 5), label="places")
    first_1435 = draw(st.integers(1, num), label="first place of the other gauge")
    nodes, links = [], []
    for place in range(num):
        country = "KZ" if place < first_1435 else "AF"
        nodes.append(
            {"node_id": f"p{place}", "name": f"P{place}", "country": country, "lat": 40.0, "lon": 60.0 + place}
        )
        if place == 0:
            continue
        parent = draw(st.integers(0, place - 1), label="parent")
        gauge = 1520 if place < first_1435 else 1435
        scarce: dict[str, Any] = {"capacity_trains_per_day": draw(st.sampled_from((1, 2)))}
        scarce |= draw(st.sampled_from((
            {"max_train_wagons": 2}, {"max_train_gross_t": 150}, {"max_train_length_m": 30},
            {"max_train_wagons": 3, "max_train_gross_t": 110, "max_train_length_m": 45},
        )), label="limits of a train")  # fmt: skip
        links.append(
            {
                "link_id": f"l{place}",
                "from_node": f"p{parent}",
                "to_node": f"p{place}",
                "mode": "rail",
                "gauge_mm": gauge,
                "length_km": draw(st.sampled_from((100, 240, 480, 700))),
                "speed_kmh": draw(st.sampled_from((20, 30))),
                **(scarce if draw(st.integers(0, 3), label="scarce paths") == 3 else {}),
            }
        )
    handlings = [
        {
            "handling_id": f"h{place}",
            "node_id": f"p{place}",
            "from_layer": "rail-1520",
            "to_layer": "rail-1435",
            "technology": "bogie_exchange",
            "dwell_h": 6,
            "cost_usd_per_wagon": 10,
        }
        for place in range(first_1435)
        if draw(st.booleans(), label="bogie exchange")
    ]
    wagons = [
        {"wagon_id": "a", "gauges_mm": ("1520",), "typical_load_t": 60, "home_country": "KZ", "hire_usd_per_day": 20},
        {"wagon_id": "b", "gauges_mm": ("1435",), "typical_load_t": 40, "hire_usd_per_day": 15},
        {
            "wagon_id": "c",
            "gauges_mm": ("1520", "1435"),
            "gauge_change": "bogie_exchange",
            "typical_load_t": 50,
            "home_country": "AF",
            "hire_usd_per_day": 45,
        },
    ]
    for wagon in wagons:
        wagon.update(wagon_type="covered", payload_t=65, tare_t=20, length_m=14)
        if "home_country" in wagon:
            wagon["return_rule"] = draw(st.sampled_from(("none", "return", "direct")), label="return rule")
    gauge_at = st.sampled_from(range(num))
    fleet = []
    for number in range(draw(st.integers(1, 4), label="fleet rows")):
        wagon_id = draw(st.sampled_from("abc"), label="type")
        fleet.append(
            {
                "fleet_id": f"f{number}",
                "type_id": wagon_id,
                "node_id": f"p{draw(gauge_at)}",
                "gauge_mm": 1435 if wagon_id == "b" else 1520,
                "units": draw(st.integers(1, 3)),
                "from_day": draw(st.sampled_from((0, 0, 1))),
            }
        )
    orders = []
    for number in range(draw(st.integers(1, 4), label="orders")):
        origin, release = draw(gauge_at), draw(st.integers(0, days - 1))
        destination = draw(gauge_at.filter(lambda place, origin=origin: place != origin))
        orders.append(
            {
                "order_id": f"o{number}",
                "origin": f"p{origin}",
                "destination": f"p{destination}",
                "commodity_id": draw(st.sampled_from(("grain", "boxes"))),
                "quantity_t": draw(st.sampled_from((30, 60, 100, 130, 210.5))),
                "release_day": release,
                "due_day": release + draw(st.integers(0, 2)),
                "unserved_usd_per_t": draw(st.sampled_from((1, 4, 20))),
            }
        )
    if draw(st.booleans(), label="tight yard"):
        node = nodes[draw(gauge_at)]
        on_hand = sum(row["units"] for row in fleet if row["node_id"] == node["node_id"])
        node["yard_capacity_wagons"] = on_hand + draw(st.integers(0, 1))
    goods = [dict(COMMODITIES[0], value_usd_per_t=100), dict(COMMODITIES[1], value_usd_per_t=100)]
    works = []
    if draw(st.integers(0, 2), label="residues") == 2:
        goods[0]["residue"] = "dust"
        goods[1] |= {
            "residue": draw(st.sampled_from(("", "oil"))),
            "accepts_residues": draw(st.sampled_from(("", "dust"))),
        }
        fleet[0]["residue"] = draw(st.sampled_from(("", "dust")))
        works.append({"work_id": "wash", "kind": "cleaning", "residues": draw(st.sampled_from(("", "dust")))})
    if draw(st.integers(0, 2), label="maintenance") == 2:
        unit, every = draw(st.sampled_from((("km", 800), ("days", 3))))
        wagons[draw(st.sampled_from((0, 2)))][f"maintenance_{unit}"] = every
        for stock in fleet:
            if f"maintenance_{unit}" in wagons["abc".index(stock["type_id"])]:
                stock[f"{unit}_since_maintenance"] = draw(st.sampled_from((0, every / 2, every)))
        works.append({"work_id": "shop", "kind": "maintenance"})
    for work in works:
        work |= {"node_id": f"p{draw(gauge_at)}", "days": draw(st.integers(1, 2)), "cost_usd_per_wagon": 30}
        work |= draw(st.sampled_from(({}, {"capacity_wagons_per_day": 1})))
    rows = {
        "nodes": nodes,
        "links": links,
        "handlings": handlings,
        "wagons": wagons,
        "fleet": fleet,
        "wagon_works": works,
        "orders": orders,
        "commodities": goods,
        "wagon_suits": [
            {"wagon_id": w, "commodity_id": c}
            for w, c in (("a", "grain"), ("b", "grain"), ("b", "boxes"), ("c", "grain"), ("c", "boxes"))
        ],
        "borders": [{"border_id": "any", "dwell_h": draw(st.sampled_from((0, 12)))}],
    }
    settings = {
        "empty_usd_per_wagon_km": 0.1,
        "idle_usd_per_wagon_day": draw(st.sampled_from((0, 2))),
        "foreign_usd_per_wagon_day": draw(st.sampled_from((0, 6))),
        "hire_allowed": draw(st.booleans(), label="hire"),
        "load_unload_days": draw(st.sampled_from((0, 1, 0.5))),
    }
    return rows, {"horizon": {"days": days}, "rolling_stock": settings}


def wagon_corridors() -> st.SearchStrategy[Corridor]:
    """Corridors for wagons."""
    return rolling_stock_rows().map(lambda drawn: corridor_from_rows(*drawn))


@st.composite
def rings(draw: st.DrawFn) -> Corridor:
    """Corridors for wagons in which some places of a gauge have a second way between them."""
    rows, config = draw(rolling_stock_rows())
    gauge = {f"p{place}": "1520" for place in range(len(rows["nodes"]))}
    gauge |= {link["to_node"]: str(link["gauge_mm"]) for link in rows["links"]}
    for number in range(draw(st.integers(1, 2), label="links more")):
        ends = draw(st.sampled_from([(a, b) for a in gauge for b in gauge if a < b]))
        rows["links"].append(
            {
                "link_id": f"x{number}", "from_node": ends[0], "to_node": ends[1], "mode": "rail",
                "gauge_mm": int(gauge[ends[1]]), "length_km": draw(st.sampled_from((240, 480, 960))), "speed_kmh": 20,
            }
        )  # fmt: skip
    return corridor_from_rows(rows, config)


@st.composite
def train_corridors(draw: st.DrawFn) -> Corridor:
    """Corridors for locomotives: a line of up to five places, up to four trains, diesel and electric units."""
    num = draw(st.integers(2, 5), label="places")
    nodes = [{"node_id": f"p{i}", "name": f"P{i}", "country": "PK", "lat": 30.0, "lon": 66.0 + i} for i in range(num)]
    links = [
        {
            "link_id": f"l{i}",
            "from_node": f"p{i}",
            "to_node": f"p{i + 1}",
            "mode": "rail",
            "gauge_mm": 1676,
            "length_km": draw(st.sampled_from((40, 150))),
            "speed_kmh": 25,
            "ruling_gradient_permille": draw(st.sampled_from((5, 12, 25))),
            "electrified": draw(st.sampled_from(("no", "25kV"))),
        }
        for i in range(num - 1)
    ]
    locomotives = [
        {
            "loco_id": "dl",
            "traction": "diesel",
            "power_kw": 2240,
            "starting_te_kn": 360,
            "mass_t": 126,
            "cost_usd_per_day": 1440,
        },
        {
            "loco_id": "el",
            "traction": "electric",
            "power_kw": 4000,
            "starting_te_kn": 450,
            "mass_t": 130,
            "cost_usd_per_day": 1000,
        },
    ]
    for row in locomotives:
        row.update(country="PK", gauge_mm=1676, max_speed_kmh=100)
    fleet = [
        {
            "fleet_id": f"f{n}",
            "type_id": draw(st.sampled_from(("dl", "el"))),
            "node_id": f"p{draw(st.integers(0, num - 1))}",
            "gauge_mm": 1676,
            "units": draw(st.integers(1, 3)),
            "from_day": draw(st.sampled_from((0, 0, 1))),
        }
        for n in range(draw(st.integers(1, 3)))
    ]
    services = []
    for n in range(draw(st.integers(1, 4), label="trains")):
        start, end = draw(
            st.tuples(st.integers(0, num - 1), st.integers(0, num - 1)).filter(lambda pair: pair[0] != pair[1])
        )
        way = range(start, end) if start < end else range(start - 1, end - 1, -1)
        services.append(
            {
                "service_id": f"t{n}",
                "gauge_mm": 1676,
                "links": tuple(f"l{i}" for i in way),
                "from_node": f"p{start}",
                "depart_day": draw(st.integers(0, 2)),
                "gross_t": draw(st.sampled_from((600, 1400, 2500))),
                "wagons": 20,
                "cancel_usd": draw(st.sampled_from((200, 3000, 20000))),
            }
        )
    commodities = [dict(COMMODITIES[0], value_usd_per_t=100)]
    rows = {
        "nodes": nodes,
        "links": links,
        "locomotives": locomotives,
        "fleet": fleet,
        "train_services": services,
        "commodities": commodities,
    }
    return corridor_from_rows(rows, {"horizon": {"days": 4}})


@st.composite
def shop_corridors(draw: st.DrawFn) -> Corridor:
    """Corridors for locomotives that must go to shops, with connection times and minutes of departure; few units."""
    rows = rows_of(draw(train_corridors()))
    rows["train_services"] = rows["train_services"][:3]
    for train in rows["train_services"]:
        train["depart_min"] = draw(st.sampled_from((0, 45, 600)))
    for loco in rows["locomotives"]:
        if draw(st.booleans(), label="days limited"):
            loco["maintenance_days"] = draw(st.sampled_from((0.5, 1, 2)))
        if draw(st.booleans(), label="km limited"):
            loco["maintenance_km"] = draw(st.sampled_from((160, 400)))
    for stock in rows["fleet"]:
        stock["units"] = min(2, stock["units"])
        stock["days_since_maintenance"] = draw(st.sampled_from((0, 0.5)))
        stock["km_since_maintenance"] = draw(st.sampled_from((0, 100)))
    places = len(rows["nodes"])
    rows["shop_windows"] = []
    for loco in rows["locomotives"]:
        node, begin = f"p{draw(st.integers(0, places - 1))}", 0
        for n in range(draw(st.integers(0, 2), label="windows")):
            begin += draw(st.sampled_from((0, 300, 900)))
            until = begin + draw(st.sampled_from((120, 480)))
            rows["shop_windows"].append(
                {
                    "window_id": f"{loco['loco_id']}{n}",
                    "loco_id": loco["loco_id"],
                    "node_id": node,
                    "from_min": begin,
                    "until_min": until,
                    "units": draw(st.integers(1, 2)),
                }
            )
            begin = until
    config = {"horizon": {"days": 4}, "rolling_stock": {"connection_min": draw(st.sampled_from((0, 30)))}}
    return corridor_from_rows(rows, config)


# --------------------------------------------------------------------------------------------------------------------
# 3f. Gauge choice
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def broken_lines(draw: st.DrawFn) -> Corridor:
    """A line N - M -?- B - S whose middle section is undecided, 1520 mm before and 1676 mm after it; a lane from end to
    end, one from M to S, and one technology at either break."""
    whole = st.integers(min_value=0, max_value=8)
    bogies = draw(st.booleans())
    technology = {
        "technology_id": "t", "technology": "bogie_exchange" if bogies else "bulk_transfer", "unit": "wagon",
        "units_per_server_h": 10.0, "units_per_train": 20.0, "service_cv": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "usd_per_unit": 10.0 * draw(whole), "server_musd": 5.0 * draw(whole), "tracks_per_server": 2.0,
        "track_musd": 1.0, "life_years": 10.0, "set_usd": 1000.0 * draw(whole) if bogies else 0.0,
        "set_days": 10.0 if bogies else 0.0,
    }  # fmt: skip
    sites = [
        {"site_id": f"at-{node}", "node_id": node, "technology_id": "t", "gauge_a_mm": 1520, "gauge_b_mm": 1676,
         "max_servers": draw(st.integers(1, 3)), "opening_musd": 1.0 * draw(whole), "dwell_h": 1.0 * draw(whole)}
        for node in ("M", "B")
    ]  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = {
        "nodes": [{"node_id": n, "name": n, "country": "AF", "lat": 0.0, "lon": 0.0} for n in "NMBS"],
        "links": [
            {"link_id": "nm", "from_node": "N", "to_node": "M", "mode": "rail", "gauge_mm": 1520, "length_km": 100.0,
             "speed_kmh": 50.0},
            {"link_id": "bs", "from_node": "B", "to_node": "S", "mode": "rail", "gauge_mm": 1676, "length_km": 100.0,
             "speed_kmh": 50.0},
        ],
        "commodities": [
            {"commodity_id": "grain", "name": "grain", "cargo_form": "hopper", "value_usd_per_t": 240.0,
             "value_of_time_pct_per_day": 1.0 * draw(st.integers(0, 3))}
        ],
        "tariffs": [{"tariff_id": "haul", "kind": "line_haul", "unit": "usd_per_t_km", "value": 0.01}],
        "lanes": [
            {"lane_id": lane, "origin": origin, "destination": "S", "commodity_id": "grain",
             "quantity_t_per_year": 1e6 * draw(st.integers(1, 8)), "unserved_usd_per_t": 10.0 * draw(st.integers(0, 4))}
            for lane, origin in (("through", "N"), ("local", "M"))
        ],
        "gauge_sections": [
            {"section_id": "mb", "from_node": "M", "to_node": "B", "length_km": 100.0, "speed_kmh": 50.0}
        ],
        "gauge_options": [
            {"option_id": f"mb-{gauge}", "section_id": "mb", "gauge_mm": gauge, "cost_musd": 40.0 * draw(whole)}
            for gauge in (1520, 1676)
        ],
        "transfer_technologies": [technology],
        "transfer_sites": sites,
    }  # fmt: skip
    levels = draw(st.sampled_from([(0.5,), (0.5, 0.8), (0.3, 0.6, 0.9)]))
    return corridor_from_rows(rows, {"discount_rate": 0.0, "gauge_choice": {"use_levels": levels}})


# --------------------------------------------------------------------------------------------------------------------
# 3d. Instance files and scenarios
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def circulations(draw: st.DrawFn, max_trips: int = 6, max_depots: int = 2) -> Any:
    """Small circulations: random links upwards, some trips and ends impossible, some trips optional."""
    from optimizer.circulation.problem import Circulation

    depots, trips = draw(st.integers(1, max_depots)), draw(st.integers(1, max_trips))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tail, head = np.nonzero(np.triu(rng.random((trips, trips)) < 0.5, 1))
    mixed = rng.permutation(trips)

    def costs(holes: float) -> Any:
        values = rng.integers(0, 30, (depots, trips)).astype(float)
        return np.where(rng.random((depots, trips)) < holes, np.inf, values)

    rate = rng.choice([1.0, 2.0], depots) if draw(st.booleans()) else np.ones(depots)
    skip = np.where(rng.random(trips) < 0.3, rng.integers(0, 60, trips).astype(float), np.inf)
    return Circulation(
        rng.integers(0, trips + 1, depots), costs(0.1), costs(0.1), costs(0.1), mixed[tail], mixed[head],
        rng.integers(0, 20, tail.size).astype(float), rate, skip,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# 3e. Job shops
# --------------------------------------------------------------------------------------------------------------------


@st.composite
def job_shops(draw: st.DrawFn, max_jobs: int = 3, max_operations: int = 5, max_machines: int = 3) -> FlexibleJobShop:
    """Small flexible job shops; durations of zero and jobs without operations may be among them."""
    num_machines = draw(st.integers(1, max_machines))
    options = st.dictionaries(st.integers(0, num_machines - 1), st.integers(0, 9), min_size=1, max_size=num_machines)
    jobs: list[list[list[tuple[int, int]]]] = []
    left = max_operations
    for _ in range(draw(st.integers(1, max_jobs))):
        job = draw(st.lists(options, max_size=min(3, left)))
        left -= len(job)
        jobs.append([sorted(operation.items()) for operation in job])
    return FlexibleJobShop.from_jobs(jobs, num_machines)
