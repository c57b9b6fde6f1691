"""Gauge-change transshipment: when each train stands where, and how each load gets over to a train of another gauge.

One terminal, minutes from the start of the horizon. The rules in words stand in ``docs/transshipment.md``. Numbers of
the tables become integers once, here: instants to the nearest minute, money to the nearest cent, TEU and tonnes to
the nearest thousandth; working times are rounded up to a full minute. Money inside the models is counted in ``1 /
COST_UNITS`` USD, in which an hourly rate in cents is a whole number per minute; so every cost is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import Count, Identifier, Row, Text
from optimizer.display import ShownInNotebooks
from optimizer.models.transshipment.reading import read_site
from optimizer.models.transshipment.site import Call, Load, Site
from optimizer.result import Solution

COST_UNITS = 6000
"""Units of cost per USD: a sixtieth of a cent."""

Way = Literal["direct", "yard", "bogie"]


class PlannedTrain(Row):
    """Where and when a train stands."""

    call_id: Identifier = Field(description="train")
    track_id: Identifier = Field(description="track")
    start_min: Count = Field(description="minute it comes onto the track")
    leave_min: Count = Field(description="minute it leaves the track")


class PlannedLoad(Row):
    """How a load goes on. A direct move and a bogie exchange are one work, a load through the yard two."""

    load_id: Identifier = Field(description="load")
    mode: Literal["direct", "yard", "bogie", "missed"] = Field(description="way over the break of gauge")
    outbound_id: Text = Field("", description="onward train; blank when missed")
    unload_resource: Text = Field("", description="crane of the direct move or of the move into the yard, or bogie bay")
    unload_start_min: Count | None = Field(None, description="minute that work starts")
    unload_end_min: Count | None = Field(None, description="minute it ends")
    load_resource: Text = Field("", description="crane of the move out of the yard; only through the yard")
    load_start_min: Count | None = Field(None, description="minute that work starts")
    load_end_min: Count | None = Field(None, description="minute it ends")


class PlannedCheck(Row):
    """A check of a load that goes on; no rows where loads need none."""

    load_id: Identifier = Field(description="load")
    place: Count = Field(description="place in its chain, from 0: checks before, between and after its works, in order")
    check: Identifier = Field(description="what is checked")
    post_id: Identifier = Field(description="who does it")
    start_min: Count = Field(description="minute it starts")
    end_min: Count = Field(description="minute it ends")


SOLUTION_TABLES: Mapping[str, type[Row]] = {"trains": PlannedTrain, "loads": PlannedLoad, "checks": PlannedCheck}


@dataclass(frozen=True)
class Work:
    """One work of a plan: crane or bay, first minute, first minute after it."""

    resource: str
    start: int
    end: int


@dataclass(frozen=True)
class Stand:
    """A train on a track."""

    track: str
    start: int
    leave: int


@dataclass(frozen=True)
class Passage:
    """A load's way: onward train, one or two works of cranes or bay, and its checks in order."""

    way: Way
    onward: str
    works: tuple[Work, ...]
    checks: tuple[Work, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A plan inside the models; loads without a passage are missed."""

    stands: Mapping[str, Stand]
    passages: Mapping[str, Passage]


@dataclass(frozen=True)
class Transshipment(ShownInNotebooks):
    """
    One terminal's plan.

    Parameters
    ----------
    corridor
        Instance under a scenario.
    terminal
        Terminal id; by default the one the instance's settings name, or its only one.
    serve_all
        No load may be missed.

    Raises
    ------
    InstanceError
        Trains, cranes or loads that cannot be planned; all faults at once.
    UsageError
        Unknown terminal.
    """

    corridor: Corridor
    terminal: str | None = None
    serve_all: bool = False
    site: Site = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", read_site(self.corridor, self.terminal))

    @property
    def options(self) -> Mapping[str, Any]:
        return {"terminal": self.site.terminal_id, "serve_all": self.serve_all}


def price_units(site: Site, load: Load, way: Way) -> int:
    """Price of taking ``load`` over, in cost units."""
    if way == "bogie":
        return 60 * site.bogie_cents_per_wagon * load.wagons
    if way == "direct":
        return 60 * site.direct_cents_per_move * load.moves
    return 60 * site.yard_cents_per_move * 2 * load.moves + int(60 * site.rehandle_cents_per_move * load.rehandles)


def lets_go(load: Load, passage: Passage) -> tuple[int, int]:
    """Minutes from which a load no longer holds its own train and its onward train."""
    if passage.way != "bogie":
        inbound = passage.works[0].end
    else:
        inbound = passage.checks[len(load.before) - 1].end if load.before else 0
    return inbound, (passage.checks[-1] if load.after else passage.works[-1]).end


Stock = tuple[str, int]
"""Bay, or "" for the terminal's empty wagons, and gauge."""


def stock_changes(site: Site, load: Load, passage: Passage) -> list[tuple[Stock, int, int]]:
    """Stock, minute and change: sets or empty wagons of the onward gauge are taken as the last work begins."""
    first, last = passage.works[0], passage.works[-1]
    bay = first.resource if passage.way == "bogie" else ""
    taken = (bay, site.call[passage.onward].gauge_mm), last.start, -load.wagons
    return [taken, ((bay, site.call[load.call_id].gauge_mm), first.end, load.wagons)]


def stocked(site: Site, passages: Mapping[str, Passage]) -> dict[str, Passage]:
    """Passages less those that take what no other passage has given back; the last takers go first."""
    kept = dict(passages)
    start = {(bay.bay_id, gauge): sets for bay in site.bays for gauge, sets in bay.stock.items()}
    start |= {("", gauge): wagons for gauge, wagons in site.empties.items()}
    by_id = {load.load_id: load for load in site.loads}
    while True:
        changes = [
            (stock, minute, -change, load_id)
            for load_id, passage in kept.items()
            for stock, minute, change in stock_changes(site, by_id[load_id], passage)
            if stock in start
        ]
        level, taker = dict(start), ""
        for stock, _, taken, load_id in sorted(changes):  # what is given back in a minute comes first
            level[stock] -= taken
            if level[stock] < 0:
                taker = load_id
                break
        if not taker:
            return kept
        del kept[taker]


def late_units(load: Load, call: Call, leave: int) -> int:
    """Cost of ``load`` leaving with ``call`` at minute ``leave``, in cost units."""
    return load.late_cents_per_h * max(0, leave - load.due)


def wait_units(call: Call, leave: int) -> int:
    """Cost of ``call`` leaving at minute ``leave``, in cost units."""
    return call.wait_cents_per_h * max(0, leave - call.depart)


def plan_units(site: Site, plan: Plan) -> int:
    """Cost of a plan in cost units."""
    total = sum(wait_units(call, plan.stands[call.call_id].leave) for call in site.calls)
    for load in site.loads:
        passage = plan.passages.get(load.load_id)
        if passage is None:
            total += load.missed_cents * 60
        else:
            call = site.call[passage.onward]
            total += price_units(site, load, passage.way) + late_units(load, call, plan.stands[call.call_id].leave)
    return total


def usd(units: int) -> float:
    """Cost units as USD."""
    return float(Fraction(units, COST_UNITS))


def to_tables(site: Site, plan: Plan) -> dict[str, pd.DataFrame]:
    """The plan as solution tables, rows in the order of the instance."""
    trains = []
    for call in site.calls:
        stand = plan.stands[call.call_id]
        trains.append((call.call_id, stand.track, stand.start, stand.leave))
    loads: list[tuple[Any, ...]] = []
    for load in site.loads:
        passage = plan.passages.get(load.load_id)
        if passage is None:
            loads.append((load.load_id, "missed", "", "", None, None, "", None, None))
            continue
        first, second = passage.works[0], passage.works[1] if len(passage.works) > 1 else None
        after = (second.resource, second.start, second.end) if second else ("", None, None)
        loads.append((load.load_id, passage.way, passage.onward, first.resource, first.start, first.end, *after))
    checks = [
        (load.load_id, place, check, work.resource, work.start, work.end)
        for load in site.loads
        if load.load_id in plan.passages
        for place, (check, work) in enumerate(zip(load.checks, plan.passages[load.load_id].checks, strict=True))
    ]
    optional = ("unload_start_min", "unload_end_min", "load_start_min", "load_end_min")
    return {
        "trains": pd.DataFrame(trains, columns=_columns(PlannedTrain)),
        "loads": pd.DataFrame(loads, columns=_columns(PlannedLoad)).astype(dict.fromkeys(optional, float)),
        "checks": pd.DataFrame(checks, columns=_columns(PlannedCheck)),
    }


def read_tables(solution: Solution) -> Plan:
    """The plan that solution tables hold."""
    stands = {
        row["call_id"]: Stand(row["track_id"], int(row["start_min"]), int(row["leave_min"]))
        for row in solution["trains"].to_dict("records")
    }
    checks: dict[str, list[Work]] = defaultdict(list)
    if "checks" in solution:
        for row in solution["checks"].sort_values("place", kind="stable").to_dict("records"):
            checks[row["load_id"]].append(Work(row["post_id"], int(row["start_min"]), int(row["end_min"])))
    passages = {
        row["load_id"]: Passage(
            row["mode"], row["outbound_id"], tuple(_row_works(row)), tuple(checks.get(row["load_id"], ()))
        )
        for row in solution["loads"].to_dict("records")
        if row["mode"] != "missed"
    }
    return Plan(stands, passages)


def _row_works(row: Mapping[Any, Any]) -> Iterable[Work]:
    for step in ("unload", "load"):
        if row[f"{step}_resource"]:
            yield Work(row[f"{step}_resource"], int(row[f"{step}_start_min"]), int(row[f"{step}_end_min"]))


def _columns(model: type[Row]) -> list[str]:
    return [name for name in model.model_fields if name not in Row.model_fields]
