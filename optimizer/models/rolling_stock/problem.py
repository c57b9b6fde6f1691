"""The question: which wagons (or locomotives) move where and when, on a corridor, over the days of its horizon.

Wagons
    Orders are served in whole wagons of suited types; wagons stand at places overnight, move empty, cross a break of
    gauge where their technology is offered, and may be hired. Unserved tonnes pay a penalty.
Locomotives
    Every dated train gets on each stage of its way enough tractive effort, or is cancelled at a penalty; locomotives go
    to a shop before their days or kilometres run out.

The rules in full stand in ``docs/rolling-stock.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import pandas as pd
from pydantic import Field

from optimizer.data.columns import frame as columns_frame
from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import (
    Count,
    Day,
    Finite,
    Gauge,
    Identifier,
    Names,
    NonNegative,
    PositiveCount,
    Row,
    Text,
)
from optimizer.display import ShownInNotebooks
from optimizer.errors import InstanceError, UsageError, did_you_mean
from optimizer.models.rolling_stock.closures import Closure, closures_of
from optimizer.models.rolling_stock.faults import train_faults, wagon_faults
from optimizer.result import Solution

Stock = Literal["wagons", "locomotives"]


class Run(Row):
    """Wagons that leave together, or go into a work; they stand ready on the morning of ``arrive_day``."""

    run_id: Identifier = Field(description="stable id")
    kind: Literal["loaded", "empty", "cleaning", "maintenance"] = Field(
        description="loaded or empty run, or the work that is done"
    )
    wagon_id: Identifier = Field(description="wagon type")
    order_id: Text = Field("", description="order served; blank for empty runs and works")
    from_node: Identifier = Field(description="place left")
    from_gauge: Gauge = Field(description="gauge at departure")
    residue: Text = Field("", description="what the last load left in the wagons at departure; blank: clean")
    to_node: Identifier = Field(description="place reached")
    to_gauge: Gauge = Field(description="gauge at arrival")
    depart_day: Day = Field(description="day of departure")
    arrive_day: Day = Field(
        description="first day on which the wagons are free again; may lie after the horizon when loaded"
    )
    wagons: PositiveCount = Field(description="number of wagons")
    path: Names = Field(description="ids of links and handlings in running order, or of the work, ';'-separated")


class Hire(Row):
    """Hired wagons that appear on the morning of a day, or are handed back on it."""

    wagon_id: Identifier = Field(description="wagon type")
    node_id: Identifier = Field(description="place")
    gauge_mm: Gauge = Field(description="gauge the wagons stand on")
    day: Day = Field(description="day")
    change: Literal["on", "off"] = Field(description="on: hired, off: handed back")
    units: PositiveCount = Field(description="number of wagons")


class Unserved(Row):
    """Tonnes of an order that are not carried."""

    order_id: Identifier = Field(description="order")
    quantity_t: NonNegative = Field(description="tonnes")
    reason: Text = Field("", description="why, in words")
    served_from_usd_per_t: NonNegative | None = Field(
        None, description="no wagon pays below it, by the prices of the relaxation; empty = not known"
    )


class Value(Row):
    """What one wagon more would be worth at a place, by the prices of the bound."""

    wagon_id: Identifier = Field(description="wagon type")
    node_id: Identifier = Field(description="place")
    gauge_mm: Gauge = Field(description="gauge it stands on")
    residue: Text = Field("", description="what the last load left in it; blank: clean")
    day: Day = Field(description="morning of this day")
    usd: Finite = Field(description="worth, USD; below zero where it is in the way")


class Toll(Row):
    """Price of a full train path or yard, by the prices of the bound."""

    place_id: Identifier = Field(description="link, work or yard")
    side: Literal["forth", "back", ""] = Field("", description="direction over a link; blank for a yard")
    unit: Literal["wagons", "gross_t", "length_m"] = Field(description="what is scarce")
    day: Day = Field(description="day of departure, or night")
    usd: NonNegative = Field(description="price of one unit, USD")


class StageRun(Row):
    """Locomotives of one type at the head (or the rear) of a train over one stage."""

    service_id: Identifier = Field(description="train")
    stage: Count = Field(description="number of the stage on the train's way, from 0")
    from_node: Identifier = Field(description="place where the stage starts")
    to_node: Identifier = Field(description="place where it ends")
    loco_id: Identifier = Field(description="locomotive type")
    units: PositiveCount = Field(description="number of locomotives")


class LightMove(Row):
    """Locomotives running without a train."""

    loco_id: Identifier = Field(description="locomotive type")
    from_node: Identifier = Field(description="place left")
    to_node: Identifier = Field(description="place reached")
    depart_min: Count = Field(description="departure, minutes from the start of the horizon")
    units: PositiveCount = Field(description="number of locomotives")
    path: Names = Field(description="link ids in running order, ';'-separated")


class Duty(Row):
    """One thing that one locomotive does; its steps in order are what it does over the horizon."""

    loco_id: Identifier = Field(description="locomotive type")
    fleet_id: Identifier = Field(description="row of the fleet table it belongs to")
    unit: PositiveCount = Field(description="number of the locomotive in that row, from 1")
    step: Count = Field(description="number of the step, from 0")
    kind: Literal["train", "light", "shop"] = Field(description="with a train, running light, or in a shop")
    service_id: Text = Field("", description="train")
    stage: Count | None = Field(None, description="number of the stage of the train")
    window_id: Text = Field("", description="shop window")
    from_node: Identifier = Field(description="place left")
    to_node: Identifier = Field(description="place reached")
    depart_min: Count = Field(description="start, minutes from the start of the horizon")
    arrive_min: Count = Field(description="end, minutes from the start of the horizon")


class Cancelled(Row):
    """A train that does not run, and why."""

    service_id: Identifier = Field(description="train")
    reason: Text = Field("", description="why, in words")


WAGON_TABLES: Mapping[str, type[Row]] = {"runs": Run, "hires": Hire, "unserved": Unserved}
PRICE_TABLES: Mapping[str, type[Row]] = {"values": Value, "tolls": Toll}
"""Prices behind the bound of the engine: answers by themselves, and where a re-plan begins. Any prices make a bound."""
LOCOMOTIVE_TABLES: Mapping[str, type[Row]] = {
    "stages": StageRun,
    "light_moves": LightMove,
    "duties": Duty,
    "cancelled": Cancelled,
}
SOLUTION_TABLES: Mapping[str, type[Row]] = {**WAGON_TABLES, **PRICE_TABLES, **LOCOMOTIVE_TABLES}

# Locomotive physics; formula and sources in docs/rolling-stock.md
MAX_UNITS = 4
MIN_SPEED_KMH = 20
GRADIENT_CLASSES_PERMILLE = (12, 20)
MINUTES_PER_DAY = 1440


def frame(rows: list[dict[str, Any]], model: type[Row]) -> pd.DataFrame:
    """A solution table with the columns and dtypes of its row model, also when it is empty."""
    columns = [c for c in model.model_fields if c not in Row.model_fields]
    return columns_frame(model, {c: [row.get(c) for row in rows] for c in columns})[columns].reset_index(drop=True)


def cells(table: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Some columns of each row, which takes a fraction of the time of a dictionary for each."""
    return zip(*(table[column].tolist() for column in columns), strict=True)


def begun_by(solution: Solution, day: int) -> Solution | None:
    """Runs and hires of a wagon plan before a day; None: it is the first one."""
    runs, hires = solution["runs"], solution["hires"]
    return {"runs": runs[runs["depart_day"] < day], "hires": hires[hires["day"] < day]} if day else None


@dataclass(frozen=True)
class RollingStock(ShownInNotebooks):
    """Allocation of rolling stock on a corridor; checked when made.

    Parameters
    ----------
    corridor
        Instance under a scenario.
    stock
        ``wagons`` or ``locomotives``.
    serve_all
        Every order must be carried in full, every train must run; otherwise leaving some out costs its penalty.
    closures
        Links closed for wagons that depart on some days: ``LINK:first-last``, ``LINK:day``, or ``LINK`` from
        ``begun_day`` on.
    begun_day
        Day on which a running plan is taken up: what leaves before it is that plan's, and its cost is part of every
        plan's. Bounds hold for plans that begin alike.
    past
        Runs and hires before ``begun_day``; a stored plan brings its own (:meth:`begun`).

    Raises
    ------
    InstanceError
        Tables without rows, types whose gauges contradict each other, stock on a gauge it cannot stand on, windows
        after the horizon, more wagons on hand than a yard holds, trains whose links do not join up, shop windows that
        overlap or end before they start.
    UsageError
        Unknown ``stock``; closures of links that are not in force, or of days out of order.
    """

    corridor: Corridor
    stock: Stock = "wagons"
    serve_all: bool = False
    closures: tuple[str, ...] = ()
    begun_day: int = 0
    past: Solution | None = field(default=None, repr=False, compare=False)
    name: str = field(default="rolling-stock", init=False)
    closed: tuple[Closure, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.stock not in get_args(Stock):
            raise UsageError(
                f"stock is '{self.stock}', expected wagons or locomotives{did_you_mean(self.stock, get_args(Stock))}"
            )
        faults = wagon_faults(self.corridor) if self.stock == "wagons" else train_faults(self.corridor)
        if faults:
            raise InstanceError(self.corridor.instance.path, faults)
        if self.stock != "wagons" and (self.closures or self.begun_day):
            raise UsageError("closures by days and running plans are for wagons; a scenario closes links for trains")
        if not 0 <= self.begun_day < self.days:
            raise UsageError(f"day {self.begun_day} is none of the horizon, expected 0 to {self.days - 1}")
        object.__setattr__(self, "closed", closures_of(self.corridor, self.closures, self.begun_day))
        object.__setattr__(self, "closures", tuple(map(str, self.closed)))

    @property
    def options(self) -> Mapping[str, Any]:
        more: dict[str, Any] = {"closures": list(self.closures)} if self.closures else {}
        more |= {"begun_day": self.begun_day} if self.begun_day else {}
        return {"stock": self.stock, "serve_all": self.serve_all, **more}

    def begun(self, solution: Solution) -> RollingStock:
        """The problem with what ``solution`` begins with, where it is one of a running plan."""
        if not self.begun_day or self.past is not None:
            return self
        return replace(self, past=begun_by(solution, self.begun_day))

    @cached_property
    def cargo_form(self) -> Mapping[str, str]:
        """Commodity -> form in which it is carried."""
        return dict(cells(self.table("commodities"), "commodity_id", "cargo_form"))

    @property
    def days(self) -> int:
        return self.corridor.config.horizon.days

    def table(self, name: str) -> pd.DataFrame:
        return self.corridor.table(name)
