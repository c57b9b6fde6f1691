"""Gauge-change transshipment: when each train stands where, and how each load gets over to a train of another gauge.

One terminal, minutes from the start of the horizon. The rules in words stand in ``docs/transshipment.md``. Numbers of
the tables become integers once, here: instants to the nearest minute, money to the nearest cent, TEU and tonnes to
the nearest thousandth; working times are rounded up to a full minute. Money inside the models is counted in ``1 /
COST_UNITS`` USD, in which an hourly rate in cents is a whole number per minute; so every cost is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from optimizer.data.corridor import Corridor
from optimizer.data.schema import Count, Identifier, Row, Text
from optimizer.models.transshipment.site import Call, Load, Site, read_site

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


SOLUTION_TABLES: Mapping[str, type[Row]] = {"trains": PlannedTrain, "loads": PlannedLoad}


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
    """A load's way: onward train, and one or two works."""

    way: Way
    onward: str
    works: tuple[Work, ...]


@dataclass(frozen=True)
class Plan:
    """A plan inside the models; loads without a passage are missed."""

    stands: Mapping[str, Stand]
    passages: Mapping[str, Passage]


@dataclass(frozen=True)
class Transshipment:
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
    cents = {
        "direct": site.direct_cents_per_move * load.moves,
        "yard": site.yard_cents_per_move * 2 * load.moves,
        "bogie": site.bogie_cents_per_wagon * load.wagons,
    }
    return cents[way] * 60


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
    optional = ("unload_start_min", "unload_end_min", "load_start_min", "load_end_min")
    return {
        "trains": pd.DataFrame(trains, columns=_columns(PlannedTrain)),
        "loads": pd.DataFrame(loads, columns=_columns(PlannedLoad)).astype(dict.fromkeys(optional, float)),
    }


def _columns(model: type[Row]) -> list[str]:
    return [name for name in model.model_fields if name not in Row.model_fields]
