"""Tables of the network: places, links, handlings, ports, sea legs, borders, tariffs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from optimizer.data.schema.kinds import (
    Count,
    Country,
    Flag,
    Gauge,
    Identifier,
    Layer,
    Names,
    NonNegative,
    Positive,
    PositiveCount,
    Row,
    Text,
    Year,
    refers_to,
)


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
