"""Tables of the choice of gauge: sections, options, technologies, sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from optimizer.data.schema.kinds import (
    Count,
    Gauge,
    Identifier,
    Names,
    NonNegative,
    Positive,
    PositiveCount,
    Row,
    Text,
    refers_to,
)


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
