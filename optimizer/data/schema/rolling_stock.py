"""Tables of rolling stock: types, fleets, works, orders, trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from optimizer.data.schema.kinds import (
    Count,
    Country,
    Day,
    Gauge,
    Identifier,
    MinuteOfDay,
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
