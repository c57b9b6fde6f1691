"""Tables of demand: commodities, lanes, shipments, contracts, and what carriage emits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from optimizer.data.schema.kinds import (
    CargoForm,
    Day,
    Flag,
    Identifier,
    Names,
    NonNegative,
    Positive,
    PositiveCount,
    Residue,
    Row,
    Text,
    Year,
    refers_to,
)


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
