"""Tables and settings of an instance, column by column.

One pydantic model per table. The models are the single place where a column is named, typed, bounded and described:
reading, writing, validation, the format page in the docs and the planner's error messages all come from here.
Units stand in the column name. Uncertain numbers may carry ``<column>_low`` and ``<column>_high`` (roughly the 10th and
90th percentile). Columns ending in ``_id`` or marked with a reference must name an existing row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

SCHEMA_VERSION = 1
RAIL_GAUGES_MM = (1520, 1435, 1676)
LAYERS = ("rail-1520", "rail-1435", "rail-1676", "road", "ferry", "sea", "door")


def _split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else value


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def refers_to(table: str, column: str | None = None) -> dict[str, Any]:
    """Field metadata: values must stand in ``column`` (default: the first) of ``table``; "a|b" allows either table."""
    return {"references": table, "references_column": column}


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=64)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Residue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.\-]*)?$", max_length=64)]
Names = Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], BeforeValidator(_split_list)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_strip)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_strip)]
Finite = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_strip)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_strip)]
PositiveCount = Annotated[int, Field(ge=1), BeforeValidator(_strip)]
Day = Annotated[int, Field(ge=0), BeforeValidator(_strip)]
MinuteOfDay = Annotated[int, Field(ge=0, le=1439), BeforeValidator(_strip)]
Year = Annotated[int, Field(ge=1800, le=2200), BeforeValidator(_strip)]
Flag = Annotated[bool, BeforeValidator(_strip)]
Gauge = Annotated[Literal[1520, 1435, 1676], BeforeValidator(lambda v: int(v) if str(v).strip().isdigit() else v)]
GaugeOrRoad = Annotated[
    Literal[0, 1520, 1435, 1676], BeforeValidator(lambda v: int(v) if str(v).strip().isdigit() else v)
]
Layer = Literal["rail-1520", "rail-1435", "rail-1676", "road", "ferry", "sea", "door"]
CargoForm = Literal["container", "covered", "hopper", "gondola", "tank", "flat"]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Confidence = Literal["measured", "published", "part published", "computed", "derived", "estimated", "invented"]
Shifts = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^\d{1,2}(\.\d+)?-\d{1,2}(\.\d+)?$")], ...],
    BeforeValidator(_split_list),
]

Spans = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^\d{1,5}(\.\d+)?-\d{1,5}(\.\d+)?$")], ...],
    BeforeValidator(_split_list),
]


class Row(BaseModel):
    """Columns every table has: where a row comes from and how far to trust it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Text = Field(
        "", description="source ids or a text starting with 'estimate' or 'derived', separated by '; '"
    )
    confidence: Confidence | None = Field(None, description="how far the numbers of the row can be trusted")
    notes: Text = Field("", description="free text")


class Node(Row):
    """Places: stations, borders, gauge-change points, dry ports, sea ports, overseas ports."""

    node_id: Identifier = Field(description="stable id")
    name: Text = Field(description="name in the planner's words")
    country: Country = Field(description="ISO 3166 alpha-2 code")
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] = Field(description="latitude, degrees north")
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] = Field(description="longitude, degrees east")
    kind: Text = Field(
        "station",
        description="junction, station, border_crossing, gauge_change, dry_port, sea_port, overseas_port, ...",
    )
    unlocode: Text = Field("", description="UN/LOCODE where one exists")
    yard_capacity_wagons: Count | None = Field(
        None, description="wagons that can stand here overnight; empty = not limiting"
    )


class Link(Row):
    """Undirected connection of two places in one layer: rail of one gauge, road, or ferry."""

    link_id: Identifier = Field(description="stable id")
    from_node: Identifier = Field(description="one end", json_schema_extra=refers_to("nodes"))
    to_node: Identifier = Field(description="other end", json_schema_extra=refers_to("nodes"))
    mode: Literal["rail", "road", "ferry"] = Field(description="rail, road or ferry")
    gauge_mm: Gauge | None = Field(None, description="track gauge; rail only")
    length_km: Positive = Field(description="length")
    speed_kmh: Positive = Field(description="commercial speed in motion, without border or terminal dwell")
    speed_kmh_low: Positive | None = Field(None, description="low estimate")
    speed_kmh_high: Positive | None = Field(None, description="high estimate")
    capacity_mt_per_year: NonNegative | None = Field(
        None, description="million tonnes a year per direction; empty = not limiting"
    )
    capacity_trains_per_day: NonNegative | None = Field(None, description="train pairs a day; empty = not limiting")
    capacity_trains_per_day_low: NonNegative | None = Field(None, description="low estimate")
    capacity_trains_per_day_high: NonNegative | None = Field(None, description="high estimate")
    tracks: Count | None = Field(None, description="number of main tracks")
    electrified: Text = Field("", description="'no' or the traction system, for example 25kV")
    ruling_gradient_permille: NonNegative | None = Field(None, description="steepest gradient that limits train mass")
    max_train_gross_t: Positive | None = Field(None, description="largest gross mass of a train behind the locomotive")
    max_train_wagons: PositiveCount | None = Field(None, description="longest train in wagons")
    max_train_length_m: Positive | None = Field(None, description="longest train in metres of wagons")
    status: Text = Field("operating", description="operating, under_construction, planned, suspended")
    year_open: Year | None = Field(None, description="year of opening")
    cost_musd: NonNegative | None = Field(None, description="construction cost, million USD")
    networks: Names = Field((), description="named networks the link is part of, ';'-separated; empty = all")
    gauge_variants: Names = Field((), description="gauge variants the link is part of, ';'-separated; empty = all")


class Handling(Row):
    """Transfer between two layers at one place: a gauge change by a named technology, rail to road, a quay.

    ``door`` is the layer where a load is handed over at its destination or origin; land layers reach it at no cost, sea
    and ferry only through a handling. A row from ``sea`` to ``sea`` lets loads change ships.
    """

    handling_id: Identifier = Field(description="stable id")
    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    from_layer: Layer = Field(description="layer a load leaves")
    to_layer: Layer = Field(description="layer a load enters")
    both_ways: Flag = Field(True, description="1 when the transfer works in both directions at the same figures")
    technology: Text = Field(
        description="container_gantry, reach_stacker, bulk_transfer, bogie_exchange, variable_gauge, rail_road, quay"
    )
    cargo_forms: Names = Field((), description="cargo forms it can handle, ';'-separated; empty = all")
    cost_usd_per_t: NonNegative = Field(0.0, description="charge per tonne")
    cost_usd_per_feu: NonNegative = Field(0.0, description="charge per 40 ft container; used for container cargo only")
    cost_usd_per_wagon: NonNegative = Field(0.0, description="charge per wagon, spread over its typical load")
    cost_low: NonNegative | None = Field(None, description="low estimate of the charge in its own unit")
    cost_high: NonNegative | None = Field(None, description="high estimate of the charge in its own unit")
    dwell_h: NonNegative = Field(description="mean time from arrival in one layer to departure in the other")
    dwell_h_low: NonNegative | None = Field(None, description="low estimate")
    dwell_h_high: NonNegative | None = Field(None, description="high estimate")
    capacity_t_per_day: NonNegative | None = Field(
        None, description="tonnes a day, both directions together; empty = not limiting"
    )
    capacity_t_per_day_low: NonNegative | None = Field(None, description="low estimate")
    capacity_t_per_day_high: NonNegative | None = Field(None, description="high estimate")
    networks: Names = Field((), description="named networks it is part of; empty = all")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class Port(Row):
    """Sea ports: annual limits of all traffic. Charges and dwell stand in ``handlings`` (technology ``quay``)."""

    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    max_draught_m: Positive | None = Field(None, description="largest draught")
    capacity_teu_per_year: NonNegative | None = Field(None, description="container capacity")
    capacity_mt_per_year: NonNegative | None = Field(None, description="capacity, million tonnes")
    background_teu_per_year: NonNegative = Field(0.0, description="boxes of other traffic that take capacity first")
    background_mt_per_year: NonNegative = Field(
        0.0, description="million tonnes of other traffic that take capacity first"
    )
    free_days: NonNegative | None = Field(None, description="storage days free of charge")
    berth_moves_per_h: Positive | None = Field(None, description="berth productivity")
    port_dues_usd_50k_grt: NonNegative | None = Field(None, description="dues of a 50,000 GRT ship per call")


class SeaLeg(Row):
    """Port-to-port sea service; the same figures hold in both directions."""

    leg_id: Identifier = Field(description="stable id")
    from_port: Identifier = Field(description="one end", json_schema_extra=refers_to("nodes"))
    to_port: Identifier = Field(description="other end", json_schema_extra=refers_to("nodes"))
    distance_nm: Positive = Field(description="distance, nautical miles")
    sailing_days_container: Positive = Field(
        description="days at sea, container ship; the service transit with calls where known"
    )
    sailing_days_bulk: Positive = Field(description="days at sea, bulk carrier")
    sailings_per_week: Positive = Field(description="departures a week; mean wait is half the headway")
    cost_usd_per_feu: NonNegative = Field(description="ocean freight per 40 ft container")
    cost_usd_per_teu: NonNegative | None = Field(None, description="ocean freight per 20 ft container")
    cost_usd_per_t_bulk: NonNegative = Field(description="ocean freight per tonne of bulk or break bulk")
    chokepoints: Names = Field((), description="straits and canals passed")
    networks: Names = Field((), description="named networks it is part of; empty = all")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class Border(Row):
    """Time and cost of crossing a border; the row with the most filled keys applies."""

    border_id: Identifier = Field(description="stable id")
    from_country: Country | None = Field(None, description="country left; empty = any")
    to_country: Country | None = Field(None, description="country entered; empty = any")
    mode: Literal["rail", "road", "ferry"] | None = Field(None, description="mode of the crossing link; empty = any")
    dwell_h: NonNegative = Field(description="mean time at the border")
    dwell_h_low: NonNegative | None = Field(None, description="low estimate")
    dwell_h_high: NonNegative | None = Field(None, description="high estimate")
    cost_usd_per_feu: NonNegative = Field(0.0, description="border charge per container load")
    cost_usd_per_t: NonNegative = Field(0.0, description="border charge per tonne of other cargo")


class Tariff(Row):
    """One component of the money chain.

    ``line_haul`` and ``multiplier``: per link; the most specific line haul row applies, all multipliers do.
    ``security``: per train-km, all matching rows. ``entry_fee``: each time a load enters one of ``countries`` from
    outside the row's countries. ``insurance``: a share of the cargo value, once when the load is handed over where
    ``countries`` is empty, otherwise each time it enters (or starts inside) the row's countries.
    """

    tariff_id: Identifier = Field(description="stable id")
    kind: Literal["line_haul", "multiplier", "security", "entry_fee", "insurance"] = Field(
        description="which component"
    )
    countries: Names = Field((), description="ISO codes, ';'-separated; empty = all")
    links: Names = Field((), description="link ids, ';'-separated; empty = all", json_schema_extra=refers_to("links"))
    mode: Literal["rail", "road", "ferry"] | None = Field(None, description="mode; empty = all")
    form: Literal["container", "bulk"] | None = Field(
        None, description="container, or bulk for every other cargo form; empty = both"
    )
    unit: Literal[
        "usd_per_t_km", "usd_per_feu_km", "factor", "usd_per_train_km", "usd_per_t", "usd_per_feu", "percent_of_value"
    ] = Field(
        description="unit of ``value``; line_haul: usd_per_t_km or usd_per_feu_km, multiplier: factor, security: "
        "usd_per_train_km, entry_fee: usd_per_t or usd_per_feu, insurance: percent_of_value"
    )
    value: NonNegative = Field(description="the rate")
    value_low: NonNegative | None = Field(None, description="low estimate")
    value_high: NonNegative | None = Field(None, description="high estimate")


class Commodity(Row):
    """What is carried: form, value, loading and time value."""

    commodity_id: Identifier = Field(description="stable id")
    name: Text = Field(description="name")
    hs_code: Text = Field("", description="HS headings, text")
    nhm_code: Text = Field("", description="NHM headings, text")
    cargo_form: CargoForm = Field(description="container, covered, hopper, gondola, tank or flat")
    value_usd_per_t: NonNegative = Field(description="value of the goods")
    load_t_per_feu: Positive = Field(24.0, description="tonnes in a 40 ft container")
    load_t_per_teu: Positive = Field(18.0, description="tonnes in a 20 ft container")
    value_of_time_pct_per_day: NonNegative = Field(0.0, description="cost of a day under way, percent of value")
    needs_reefer: Flag = Field(False, description="1 when temperature controlled")
    imdg_class: Text = Field("", description="dangerous goods class")
    bulk_density_t_per_m3: Positive | None = Field(None, description="bulk density")
    shelf_life_days: Positive | None = Field(None, description="longest sensible time under way")
    residue: Residue = Field(
        "", description="what it leaves in a wagon until that is cleaned; empty = nothing, the wagon stays as it was"
    )
    accepts_residues: Names = Field(
        (), description="residues of the load before that do not harm it, besides its own; a clean wagon always does"
    )


class WagonSuit(Row):
    """Which wagon takes which commodity."""

    wagon_id: Identifier = Field(description="wagon type", json_schema_extra=refers_to("wagons"))
    commodity_id: Identifier = Field(description="commodity", json_schema_extra=refers_to("commodities"))
    suit_form: Text = Field("", description="bulk, bagged, in container, ...")
    preference: PositiveCount = Field(1, description="1 the usual wagon of its gauge, 2 a substitute")


class Emission(Row):
    """Emission factors; the row with the most filled keys applies."""

    emission_id: Identifier = Field(description="stable id")
    mode: Literal["rail", "road", "sea", "ferry", "terminal"] = Field(description="mode")
    traction: Literal["diesel", "electric"] | None = Field(None, description="rail traction; empty = any")
    countries: Names = Field((), description="ISO codes; empty = all")
    form: Literal["container", "bulk"] | None = Field(None, description="container or bulk; empty = both")
    unit: Literal["g_co2e_per_tkm", "g_co2e_per_teu_km", "kg_co2e_per_lift"] = Field(description="unit of ``value``")
    value: NonNegative = Field(description="factor")
    value_low: NonNegative | None = Field(None, description="low estimate")
    value_high: NonNegative | None = Field(None, description="high estimate")


class Lane(Row):
    """Annual demand from origin to destination."""

    lane_id: Identifier = Field(description="stable id")
    origin: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    destination: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    commodity_id: Identifier = Field(description="commodity", json_schema_extra=refers_to("commodities"))
    year: Year | None = Field(None, description="demand year; empty = every year")
    quantity_t_per_year: NonNegative = Field(description="tonnes a year")
    quantity_t_per_year_low: NonNegative | None = Field(None, description="low estimate")
    quantity_t_per_year_high: NonNegative | None = Field(None, description="high estimate")
    unserved_usd_per_t: NonNegative = Field(description="cost of not serving a tonne: the dearest route worth taking")


class Shipment(Row):
    """Dated demand. Days count from the start of the horizon; a shipment may leave at the start of ``release_day``."""

    shipment_id: Identifier = Field(description="stable id")
    lane_id: Text = Field("", description="lane it is drawn from, if any")
    origin: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    destination: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    commodity_id: Identifier = Field(description="commodity", json_schema_extra=refers_to("commodities"))
    year: Year | None = Field(None, description="demand year; empty = every year")
    quantity_t: Positive = Field(description="tonnes")
    release_day: Day = Field(description="first day it can leave")
    due_day: Day = Field(description="day it should have arrived; later costs ``late_usd_per_t_day``")
    late_usd_per_t_day: NonNegative = Field(0.0, description="cost of a tonne a day late")
    unserved_usd_per_t: NonNegative = Field(description="cost of not serving a tonne")
    indivisible: Flag = Field(False, description="1 when all its tonnes travel together: one route, the same days")


class Contract(Row):
    """A service with a fixed cost: the assets it covers are usable only when it is taken, within its volumes."""

    contract_id: Identifier = Field(description="stable id")
    name: Text = Field("", description="name")
    assets: Names = Field(
        description="ids of links, handlings or sea legs it opens, ';'-separated",
        json_schema_extra=refers_to("links|handlings|sea_legs"),
    )
    fixed_cost_usd_per_year: NonNegative = Field(description="cost of taking it")
    min_t_per_year: NonNegative = Field(0.0, description="least volume over all its assets when taken")
    max_t_per_year: NonNegative | None = Field(
        None, description="largest volume over all its assets; empty = not limiting"
    )
    networks: Names = Field((), description="named networks it is part of; empty = all")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class Wagon(Row):
    """Wagon types."""

    wagon_id: Identifier = Field(description="stable id")
    gauges_mm: Names = Field(
        description="gauges it can run on, ';'-separated; more than one for variable-gauge and bogie-exchangeable types"
    )
    gauge_change: Literal["none", "bogie_exchange", "variable_gauge"] = Field(
        "none", description="handling technology by which it changes gauge"
    )
    wagon_type: Text = Field(description="covered, hopper, container flat, ...")
    model_example: Text = Field("", description="class or model")
    payload_t: Positive = Field(description="largest load")
    typical_load_t: Positive = Field(description="usual load of one wagon; what an order's tonnes are divided by")
    tare_t: Positive = Field(description="empty mass")
    length_m: Positive = Field(description="length over couplers")
    teu_slots: Count = Field(0, description="20 ft slots")
    axle_load_t: Positive | None = Field(None, description="axle load")
    volume_m3: Positive | None = Field(None, description="volume")
    home_country: Country | None = Field(None, description="home railway; a wagon abroad pays by the day")
    return_rule: Literal["none", "return", "direct"] = Field(
        "none",
        description="what the home railway is owed: none; return: the way home from where a wagon ends abroad; "
        "direct: besides, a wagon abroad is loaded only to the home country",
    )
    hire_usd_per_day: NonNegative = Field(description="cost of a hired wagon a day")
    mean_turnaround_days: Positive | None = Field(None, description="observed turnround")
    purchase_usd: NonNegative | None = Field(None, description="price of a new wagon")
    maintenance_km: Positive | None = Field(
        None, description="kilometres between two visits to a workshop; empty = not limiting"
    )
    maintenance_days: Positive | None = Field(
        None, description="days under way between two visits to a workshop; empty = not limiting"
    )


class Locomotive(Row):
    """Locomotive types."""

    loco_id: Identifier = Field(description="stable id")
    country: Country = Field(description="operator's country")
    gauge_mm: Gauge = Field(description="gauge")
    model: Text = Field("", description="model")
    traction: Literal["diesel", "electric"] = Field(description="electric runs under a wire only")
    power_kw: Positive = Field(description="power at the rail")
    starting_te_kn: Positive = Field(description="starting tractive effort")
    mass_t: Positive = Field(description="service mass")
    max_speed_kmh: Positive = Field(description="largest speed")
    typical_trailing_gross_t: Positive | None = Field(None, description="usual train mass")
    cost_usd_per_day: NonNegative = Field(description="cost of one unit a day")
    maintenance_days: Positive | None = Field(None, description="longest time between two visits to a shop")
    maintenance_km: Positive | None = Field(None, description="longest run between two visits to a shop")


class FleetStock(Row):
    """Which units stand where, from which day."""

    fleet_id: Identifier = Field(description="stable id")
    type_id: Identifier = Field(
        description="wagon or locomotive type", json_schema_extra=refers_to("wagons|locomotives")
    )
    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    gauge_mm: Gauge = Field(description="gauge the units stand on")
    year: Year | None = Field(None, description="demand year; empty = every year")
    units: PositiveCount = Field(description="number of wagons or locomotives")
    from_day: Day = Field(0, description="first day they are free")
    residue: Residue = Field("", description="what the last load left in the wagons; empty = clean")
    km_since_maintenance: NonNegative = Field(0.0, description="kilometres of each unit since its last workshop")
    days_since_maintenance: NonNegative = Field(
        0.0, description="wagons: days under way of each since then; locomotives: days since then, on day 0"
    )


class WagonWork(Row):
    """Where wagons are cleaned, or maintained. Wagons work through it in whole days and stand there as before."""

    work_id: Identifier = Field(description="stable id, not that of a link or handling")
    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    kind: Literal["cleaning", "maintenance"] = Field(description="what is done")
    wagons: Names = Field(
        (), description="types it takes, ';'-separated; empty = all", json_schema_extra=refers_to("wagons")
    )
    residues: Names = Field((), description="cleaning: residues it removes, ';'-separated; empty = all")
    days: PositiveCount = Field(description="days until a wagon is free again")
    cost_usd_per_wagon: NonNegative = Field(0.0, description="charge")
    capacity_wagons_per_day: Count | None = Field(None, description="wagons it takes in on a day; empty = not limiting")


class ShopWindow(Row):
    """A time in which a shop keeps locomotives of a type; they come out as new."""

    window_id: Identifier = Field(description="stable id")
    loco_id: Identifier = Field(description="locomotive type", json_schema_extra=refers_to("locomotives"))
    node_id: Identifier = Field(description="place of the shop", json_schema_extra=refers_to("nodes"))
    from_min: Count = Field(description="start, minutes from the start of the horizon")
    until_min: Count = Field(description="end, minutes from the start of the horizon")
    units: PositiveCount = Field(description="locomotives it takes")


class Order(Row):
    """A wagon order: a load between two places reachable by one wagon, usually one gauge leg of a shipment."""

    order_id: Identifier = Field(description="stable id")
    shipment_id: Text = Field("", description="shipment it is a leg of, if any")
    origin: Identifier = Field(description="place of loading", json_schema_extra=refers_to("nodes"))
    destination: Identifier = Field(description="place of unloading", json_schema_extra=refers_to("nodes"))
    commodity_id: Identifier = Field(description="commodity", json_schema_extra=refers_to("commodities"))
    year: Year | None = Field(None, description="demand year; empty = every year")
    quantity_t: Positive = Field(description="tonnes; loads are whole wagons of the type's typical load")
    release_day: Day = Field(description="first day of departure")
    due_day: Day = Field(description="last day of departure")
    unserved_usd_per_t: NonNegative = Field(description="cost of not carrying a tonne")


class TrainService(Row):
    """A dated train that needs locomotives over its whole way."""

    service_id: Identifier = Field(description="stable id")
    name: Text = Field("", description="name")
    gauge_mm: Gauge = Field(description="gauge")
    links: Names = Field(description="link ids in running order, ';'-separated", json_schema_extra=refers_to("links"))
    from_node: Identifier = Field(description="first place", json_schema_extra=refers_to("nodes"))
    year: Year | None = Field(None, description="demand year; empty = every year")
    depart_day: Day = Field(description="day of departure")
    depart_min: MinuteOfDay | None = Field(None, description="minute of that day; empty = 0, midnight")
    gross_t: Positive = Field(description="mass behind the locomotives")
    wagons: PositiveCount = Field(description="number of wagons")
    cancel_usd: NonNegative = Field(description="cost of not running it")


class Terminal(Row):
    """A gauge-change terminal: yard and prices."""

    terminal_id: Identifier = Field(description="stable id")
    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    name: Text = Field("", description="name")
    yard_capacity_teu: NonNegative = Field(0.0, description="boxes the yard holds, TEU")
    yard_capacity_t: NonNegative = Field(0.0, description="bulk the yard holds, tonnes")
    direct_usd_per_move: NonNegative = Field(0.0, description="price of a direct move from wagon to wagon")
    yard_usd_per_move: NonNegative = Field(
        0.0, description="price of one move into or out of the yard (two for a load through the yard)"
    )
    bogie_usd_per_wagon: NonNegative = Field(0.0, description="price of a bogie exchange")
    yard_tiers: PositiveCount = Field(
        1, description="boxes stacked on each other; taking one out takes (tiers - 1) / 2 further moves (rehandles)"
    )
    rehandle_usd_per_move: NonNegative = Field(0.0, description="price of a rehandle")
    empty_wagons_1520: Count | None = Field(
        None, description="empty wagons of 1520 mm in stock at the start; empty = as many as needed"
    )
    empty_wagons_1435: Count | None = Field(None, description="the same of 1435 mm")
    empty_wagons_1676: Count | None = Field(None, description="the same of 1676 mm")
    networks: Names = Field((), description="named networks it is part of; empty = all")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class TerminalTrack(Row):
    """Working tracks."""

    track_id: Identifier = Field(description="stable id")
    terminal_id: Identifier = Field(description="terminal", json_schema_extra=refers_to("terminals"))
    gauge_mm: Gauge = Field(description="gauge")
    length_m: Positive = Field(description="usable length")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class TerminalCrane(Row):
    """Cranes, reach stackers and bulk unloaders."""

    crane_id: Identifier = Field(description="stable id")
    terminal_id: Identifier = Field(description="terminal", json_schema_extra=refers_to("terminals"))
    tracks: Names = Field(
        description="tracks it reaches, ';'-separated", json_schema_extra=refers_to("terminal_tracks")
    )
    handles: Literal["container", "bulk"] = Field(description="what it moves")
    moves_per_h: Positive = Field(description="moves (boxes, or wagons of bulk) an hour")
    shifts_h: Shifts = Field(("0-24",), description="working hours of the day, for example 6-14;16-24")
    breaks_h: Shifts = Field((), description="hours of the day without work, for example 12-12.5")
    out_of_service_h: Spans = Field(
        (), description="hours from the start of the horizon in which it is lost, for example 30-34.5"
    )
    setup_min: NonNegative = Field(
        0.0, description="minutes between two works on loads that came with different trains"
    )
    runway: Text = Field(
        "", description="runway it shares with other cranes, which cannot pass each other; empty = its own"
    )
    runway_place: Count | None = Field(
        None, description="its place among the cranes of the runway, from zone 0 upwards"
    )
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class TerminalBay(Row):
    """Bogie-exchange bays and their stock of spare bogies."""

    bay_id: Identifier = Field(description="stable id")
    terminal_id: Identifier = Field(description="terminal", json_schema_extra=refers_to("terminals"))
    wagons_per_cycle: PositiveCount = Field(description="wagons worked at a time")
    hours_per_cycle: Positive = Field(description="duration of a cycle")
    shifts_h: Shifts = Field(("0-24",), description="working hours of the day")
    breaks_h: Shifts = Field((), description="hours of the day without work, for example 12-12.5")
    out_of_service_h: Spans = Field(
        (), description="hours from the start of the horizon in which it is lost, for example 30-34.5"
    )
    setup_min: NonNegative = Field(
        0.0, description="minutes between two works on loads that came with different trains"
    )
    bogie_sets_1520: Count = Field(0, description="spare sets (one per wagon) of 1520 mm at the start")
    bogie_sets_1435: Count = Field(0, description="spare sets of 1435 mm at the start")
    bogie_sets_1676: Count = Field(0, description="spare sets of 1676 mm at the start")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class TerminalPost(Row):
    """Who checks loads: inspectors, weighbridges, customs desks. Any post of a check can do it."""

    post_id: Identifier = Field(description="stable id")
    terminal_id: Identifier = Field(description="terminal", json_schema_extra=refers_to("terminals"))
    check: Identifier = Field(description="what it does, for example inspection, weighing or customs")
    minutes_per_load: NonNegative = Field(0.0, description="minutes of a check, whatever the size of the load")
    minutes_per_wagon: NonNegative = Field(0.0, description="further minutes for each wagon of the load")
    shifts_h: Shifts = Field(("0-24",), description="working hours of the day")
    breaks_h: Shifts = Field((), description="hours of the day without work, for example 12-12.5")
    out_of_service_h: Spans = Field(
        (), description="hours from the start of the horizon in which it is lost, for example 30-34.5"
    )
    setup_min: NonNegative = Field(
        0.0, description="minutes between two works on loads that came with different trains"
    )
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")


class TrainCall(Row):
    """A train at a terminal. Hours count from the start of the horizon."""

    call_id: Identifier = Field(description="stable id")
    terminal_id: Identifier = Field(description="terminal", json_schema_extra=refers_to("terminals"))
    gauge_mm: Gauge = Field(description="gauge")
    year: Year | None = Field(None, description="demand year; empty = every year")
    gauge_variants: Names = Field((), description="gauge variants it is part of; empty = all")
    arrive_h: NonNegative = Field(description="hour of arrival")
    depart_h: NonNegative = Field(description="planned hour of departure")
    latest_depart_h: NonNegative = Field(description="hour by which it must be gone")
    length_m: Positive = Field(description="length")
    capacity_teu: NonNegative = Field(0.0, description="boxes it can take on, TEU")
    capacity_t: NonNegative = Field(0.0, description="bulk it can take on, tonnes")
    capacity_wagons: Count = Field(0, description="wagons with changed bogies it can take on")
    destinations: Names = Field(
        (), description="places it serves onward; empty = takes no load on", json_schema_extra=refers_to("nodes")
    )
    wait_usd_per_h: NonNegative = Field(0.0, description="cost of an hour after the planned departure")


class TerminalLoad(Row):
    """A load (a block of boxes, a cut of bulk wagons) on an arriving train that must go on on the other gauge."""

    load_id: Identifier = Field(description="stable id")
    call_id: Identifier = Field(description="train it arrives with", json_schema_extra=refers_to("train_calls"))
    form: Literal["container", "bulk"] = Field(description="what cranes it needs")
    modes: Names = Field(("direct", "yard"), description="allowed ways: direct, yard, bogie")
    moves: PositiveCount = Field(description="crane moves of one pass (boxes, or wagons of bulk)")
    teu: NonNegative = Field(0.0, description="TEU")
    mass_t: NonNegative = Field(0.0, description="tonnes")
    wagons: PositiveCount = Field(1, description="wagons, for bogie exchange, checks and the stock of empties")
    zone: Count | None = Field(
        None, description="zone of the runway where it stands and is put down; empty = cranes pass freely"
    )
    checks_before: Names = Field((), description="checks on its own train, in order, for example inspection;customs")
    checks_between: Names = Field((), description="checks in the yard, in order; then it can only go through the yard")
    checks_after: Names = Field((), description="checks on the onward train, in order")
    destination: Identifier = Field(description="onward place", json_schema_extra=refers_to("nodes"))
    due_h: NonNegative = Field(description="hour by which its onward train should leave")
    late_usd_per_h: NonNegative = Field(description="cost of an hour late")
    missed_usd: NonNegative = Field(description="cost of staying behind after the last train")


class GaugeSection(Row):
    """Stretches of new railway whose gauge is undecided: gauge choice builds exactly one of each one's options."""

    section_id: Identifier = Field(description="stable id")
    name: Text = Field("", description="name in the planner's words")
    from_node: Identifier = Field(description="one end", json_schema_extra=refers_to("nodes"))
    to_node: Identifier = Field(description="other end", json_schema_extra=refers_to("nodes"))
    length_km: Positive = Field(description="length")
    speed_kmh: Positive = Field(description="commercial speed in motion")
    speed_kmh_low: Positive | None = Field(None, description="low estimate")
    speed_kmh_high: Positive | None = Field(None, description="high estimate")
    capacity_mt_per_year: NonNegative | None = Field(
        None, description="million tonnes a year per direction; empty = not limiting"
    )
    max_train_gross_t: Positive | None = Field(None, description="largest gross mass of a train behind the locomotive")
    networks: Names = Field((), description="named networks it is part of; empty = all")


class GaugeOption(Row):
    """A gauge that a section can be built in; its id stands for the built line in plans."""

    option_id: Identifier = Field(description="stable id, not that of a link")
    section_id: Identifier = Field(description="section", json_schema_extra=refers_to("gauge_sections"))
    gauge_mm: Gauge = Field(description="gauge")
    cost_musd: NonNegative = Field(description="construction cost, million USD")
    cost_musd_low: NonNegative | None = Field(None, description="low estimate")
    cost_musd_high: NonNegative | None = Field(None, description="high estimate")
    life_years: Positive = Field(40.0, description="years over which the cost is annualised")
    upkeep_musd_per_year: NonNegative = Field(0.0, description="upkeep a year, million USD")
    variants: Names = Field((), description="named gauge variants that build it, ';'-separated")


class TransferTechnology(Row):
    """A way over a break of gauge. A server (crane, stacker, transfer front, bay, changer) works a train at a time."""

    technology_id: Identifier = Field(description="stable id")
    technology: Literal["container_gantry", "reach_stacker", "bulk_transfer", "bogie_exchange", "variable_gauge"] = (
        Field(description="what it is")
    )
    server: Text = Field("server", description="what one server is called: gantry, bay, ...")
    cargo_forms: Names = Field((), description="cargo forms it can handle, ';'-separated; empty = all")
    unit: Literal["feu", "wagon"] = Field(
        description="what it counts: 40 ft boxes, or wagons of the usual load of the gauge that is left"
    )
    units_per_server_h: Positive = Field(description="units an hour of work of one server")
    units_per_server_h_low: Positive | None = Field(None, description="low estimate")
    units_per_server_h_high: Positive | None = Field(None, description="high estimate")
    units_per_train: Positive = Field(description="units that arrive together")
    setup_h_per_train: NonNegative = Field(0.0, description="shunting and papers of a train while it holds the server")
    setup_h_per_train_low: NonNegative | None = Field(None, description="low estimate")
    setup_h_per_train_high: NonNegative | None = Field(None, description="high estimate")
    service_cv: NonNegative = Field(
        1.0, description="standard deviation over mean of the time a train holds its server"
    )
    service_cv_low: NonNegative | None = Field(None, description="low estimate")
    service_cv_high: NonNegative | None = Field(None, description="high estimate")
    hours_per_day: Annotated[float, Field(gt=0, le=24)] = Field(24.0, description="working hours a day")
    usd_per_unit: NonNegative = Field(0.0, description="cost of a unit: energy, staff by volume, wear")
    usd_per_unit_low: NonNegative | None = Field(None, description="low estimate")
    usd_per_unit_high: NonNegative | None = Field(None, description="high estimate")
    server_musd: NonNegative = Field(description="price of one server with its working place, million USD")
    server_musd_low: NonNegative | None = Field(None, description="low estimate")
    server_musd_high: NonNegative | None = Field(None, description="high estimate")
    server_musd_per_year: NonNegative = Field(0.0, description="staff and upkeep of one server a year, million USD")
    tracks_per_server: NonNegative = Field(1.0, description="tracks that a train under work takes, both gauges")
    track_musd: NonNegative = Field(0.0, description="price of one track, million USD")
    life_years: Positive = Field(25.0, description="years over which servers, tracks and opening are annualised")
    set_usd: NonNegative = Field(
        0.0, description="price of what a wagon binds: spare bogies, or what variable-gauge wheels cost more"
    )
    set_usd_low: NonNegative | None = Field(None, description="low estimate")
    set_usd_high: NonNegative | None = Field(None, description="high estimate")
    set_days: NonNegative = Field(0.0, description="days a set is bound by one unit; 0 = needs no sets")
    set_days_low: NonNegative | None = Field(None, description="low estimate")
    set_days_high: NonNegative | None = Field(None, description="high estimate")
    set_life_years: Positive = Field(20.0, description="years over which sets are annualised")


class TransferSite(Row):
    """A place where a technology can change the gauge. It stands in for the handlings between its two gauges there."""

    site_id: Identifier = Field(description="stable id, not that of a handling")
    node_id: Identifier = Field(description="place", json_schema_extra=refers_to("nodes"))
    technology_id: Identifier = Field(description="technology", json_schema_extra=refers_to("transfer_technologies"))
    gauge_a_mm: Gauge = Field(description="one gauge")
    gauge_b_mm: Gauge = Field(description="the other gauge")
    installed_servers: Count = Field(0, description="servers that stand there already")
    installed_tracks: Count = Field(0, description="tracks that lie there already")
    installed_sets: Count = Field(0, description="sets that are there already")
    max_servers: PositiveCount = Field(description="most servers, the installed ones among them")
    max_sets: Count | None = Field(None, description="most sets, the installed ones among them; empty = not limiting")
    opening_musd: NonNegative = Field(0.0, description="yard, access, power, customs: once, to use it; million USD")
    opening_musd_low: NonNegative | None = Field(None, description="low estimate")
    opening_musd_high: NonNegative | None = Field(None, description="high estimate")
    dwell_h: NonNegative = Field(
        description="mean hours besides waiting and work: papers, customs, waiting for the onward train"
    )
    dwell_h_low: NonNegative | None = Field(None, description="low estimate")
    dwell_h_high: NonNegative | None = Field(None, description="high estimate")
    usd_per_unit: NonNegative | None = Field(None, description="cost of a unit here; empty = that of the technology")
    networks: Names = Field((), description="named networks it is part of; empty = all")


TABLES: Mapping[str, type[Row]] = {
    "nodes": Node, "links": Link, "handlings": Handling, "ports": Port, "sea_legs": SeaLeg,
    "borders": Border, "tariffs": Tariff,
    "commodities": Commodity, "wagon_suits": WagonSuit, "emissions": Emission,
    "lanes": Lane, "shipments": Shipment, "contracts": Contract,
    "wagons": Wagon, "locomotives": Locomotive, "fleet": FleetStock, "wagon_works": WagonWork,
    "orders": Order, "train_services": TrainService, "shop_windows": ShopWindow,
    "terminals": Terminal, "terminal_tracks": TerminalTrack, "terminal_cranes": TerminalCrane,
    "terminal_bays": TerminalBay, "terminal_posts": TerminalPost,
    "train_calls": TrainCall, "terminal_loads": TerminalLoad,
    "gauge_sections": GaugeSection, "gauge_options": GaugeOption,
    "transfer_technologies": TransferTechnology, "transfer_sites": TransferSite,
}  # fmt: skip

REQUIRED_TABLES = ("nodes", "links", "commodities")

KEYS: Mapping[str, tuple[str, ...]] = {
    name: ("wagon_id", "commodity_id") if name == "wagon_suits" else (next(iter(c for c in model.__annotations__)),)
    for name, model in TABLES.items()
}


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Horizon(Settings):
    start: dt.date = Field(dt.date(2026, 1, 1), description="first day")
    days: Annotated[int, Field(ge=1, le=3660)] = Field(28, description="number of days")


class Selection(Settings):
    """What a scenario selects from the tables."""

    network: Text = Field("", description="keeps rows whose ``networks`` is empty or names it")
    gauge_variant: Text = Field("", description="keeps rows whose ``gauge_variants`` is empty or names it")
    demand_year: Year | None = Field(None, description="keeps rows whose ``year`` is empty or equal")


class PortChoiceSettings(Settings):
    reliability_ratio: NonNegative = Field(
        0.0, description="value of an hour of standard deviation over the value of an hour"
    )
    train_net_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="net over gross train mass, for charges per train-km"
    )
    train_net_t: Positive = Field(2000.0, description="net tonnes of a train on links without a mass limit")
    transfer_capacity_days: Annotated[float, Field(gt=0, le=366)] = Field(
        365.0, description="working days a year of handlings"
    )


class TransshipmentSettings(Settings):
    terminal_id: Text = Field("", description="terminal planned when none is named")


class GaugeChoiceSettings(Settings):
    arrival_cv: NonNegative = Field(
        1.0, description="standard deviation over mean of the time between two trains; 1 = they come at random"
    )
    use_levels: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = Field(
        (0.5, 0.6, 0.7, 0.8, 0.9),
        description="shares of their working hours for which servers may be planned; the wait is that at the level",
    )
    wait_outside_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="share of trains that may find every track taken"
    )


class RollingStockSettings(Settings):
    empty_usd_per_wagon_km: NonNegative = Field(0.05, description="haulage of an empty wagon")
    idle_usd_per_wagon_day: NonNegative = Field(0.0, description="cost of an own wagon standing a day")
    foreign_usd_per_wagon_day: NonNegative = Field(
        0.0, description="charge of a day outside the wagon's home country, on top"
    )
    load_unload_days: Annotated[float, Field(ge=0, le=30)] = Field(
        1.0, description="days for loading and unloading, added to each loaded run"
    )
    hire_allowed: Flag = Field(True, description="whether wagons can be hired where the type stands in the fleet table")
    path_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of train paths the corridor may use"
    )
    hours_per_day: Annotated[float, Field(gt=0, le=24)] = Field(24.0, description="running hours a day")
    connection_min: Count = Field(
        0, description="minutes after a train or light move until a locomotive can leave again, but with the same train"
    )


class Config(Settings):
    """``corridor.toml``."""

    name: Text = Field(description="name of the instance")
    schema_version: Literal[1] = Field(description="version of this format")
    currency: Literal["USD"] = Field("USD", description="currency of all money columns")
    base_year: Year = Field(description="price year")
    discount_rate: NonNegative = Field(0.08, description="per year")
    source: Text = Field(description="where the instance comes from")
    default_scenario: tuple[Text, ...] = Field((), description="scenarios applied when none is asked for")
    horizon: Horizon = Field(Horizon(), description="planning horizon of the dated tables")
    select: Selection = Field(Selection(), description="selection of the base")
    port_choice: PortChoiceSettings = Field(PortChoiceSettings(), description="port choice")
    transshipment: TransshipmentSettings = Field(TransshipmentSettings(), description="transshipment")
    rolling_stock: RollingStockSettings = Field(RollingStockSettings(), description="rolling stock")
    gauge_choice: GaugeChoiceSettings = Field(GaugeChoiceSettings(), description="gauge choice")


class Closures(Settings):
    links: tuple[Text, ...] = ()
    handlings: tuple[Text, ...] = ()
    sea_legs: tuple[Text, ...] = ()
    nodes: tuple[Text, ...] = Field((), description="every link, sea leg and handling of the place")
    chokepoints: tuple[Text, ...] = Field((), description="every sea leg that passes one")


class Opening(Settings):
    links: tuple[Text, ...] = Field((), description="brings links in that the selected network leaves out")
    handlings: tuple[Text, ...] = ()
    sea_legs: tuple[Text, ...] = ()


class Change(Settings):
    """Changes one numeric column in the rows that match every condition of ``where``."""

    table: Text
    column: Text
    where: Mapping[str, str | int | float | bool | tuple[str | int | float, ...]] = Field(default_factory=dict)
    set: Finite | None = None
    multiply: Finite | None = None
    add: Finite | None = None


class Scenario(Settings):
    """``scenarios/NAME.toml``: a named change of the base; later ones of a stack win."""

    description: Text = ""
    source: Text = ""
    extends: tuple[Text, ...] = Field((), description="scenarios applied before this one")
    select: Mapping[str, str | int] = Field(default_factory=dict, description="network, gauge_variant, demand_year")
    close: Closures = Field(Closures())
    open: Opening = Field(Opening())
    change: tuple[Change, ...] = ()
