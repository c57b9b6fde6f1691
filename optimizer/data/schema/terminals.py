"""Tables of a terminal: tracks, cranes, bays, posts, trains, loads."""

from __future__ import annotations

from typing import Literal

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
    Shifts,
    Spans,
    Text,
    Year,
    refers_to,
)


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
