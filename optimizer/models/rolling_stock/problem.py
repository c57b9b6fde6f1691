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

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import pandas as pd
from pydantic import Field

from optimizer.data.columns import is_blank
from optimizer.data.corridor import Corridor
from optimizer.data.schema import Count, Day, Gauge, Identifier, Names, NonNegative, PositiveCount, Row, Text
from optimizer.display import ShownInNotebooks
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean

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
LOCOMOTIVE_TABLES: Mapping[str, type[Row]] = {
    "stages": StageRun,
    "light_moves": LightMove,
    "duties": Duty,
    "cancelled": Cancelled,
}
SOLUTION_TABLES: Mapping[str, type[Row]] = {**WAGON_TABLES, **LOCOMOTIVE_TABLES}

# Locomotive physics; formula and sources in docs/rolling-stock.md
MAX_UNITS = 4
MIN_SPEED_KMH = 20
GRADIENT_CLASSES_PERMILLE = (12, 20)
MINUTES_PER_DAY = 1440


def frame(rows: list[dict[str, Any]], model: type[Row]) -> pd.DataFrame:
    """A solution table with the columns of its row model, also when it is empty."""
    columns = [c for c in model.model_fields if c not in Row.model_fields]
    return pd.DataFrame(rows, columns=columns)


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

    Raises
    ------
    InstanceError
        Tables without rows, types whose gauges contradict each other, stock on a gauge it cannot stand on, windows
        after the horizon, more wagons on hand than a yard holds, trains whose links do not join up, shop windows that
        overlap or end before they start.
    UsageError
        Unknown ``stock``.
    """

    corridor: Corridor
    stock: Stock = "wagons"
    serve_all: bool = False
    name: str = field(default="rolling-stock", init=False)

    def __post_init__(self) -> None:
        if self.stock not in get_args(Stock):
            raise UsageError(
                f"stock is '{self.stock}', expected wagons or locomotives{did_you_mean(self.stock, get_args(Stock))}"
            )
        faults = _wagon_faults(self.corridor) if self.stock == "wagons" else _train_faults(self.corridor)
        if faults:
            raise InstanceError(self.corridor.instance.path, faults)

    @property
    def options(self) -> Mapping[str, Any]:
        return {"stock": self.stock, "serve_all": self.serve_all}

    @property
    def days(self) -> int:
        return self.corridor.config.horizon.days

    def table(self, name: str) -> pd.DataFrame:
        return self.corridor.table(name)


def _without_rows(corridor: Corridor, names: tuple[str, ...]) -> list[Fault]:
    return [
        Fault(f"{n}.csv", "no rows in force, rolling stock needs at least one")
        for n in names
        if corridor.table(n).empty
    ]


def _wagon_faults(corridor: Corridor) -> list[Fault]:
    faults = _without_rows(corridor, ("wagons", "fleet", "orders", "wagon_suits"))
    days = corridor.config.horizon.days
    gauges: dict[str, set[int]] = {}
    for line, wagon in corridor.table("wagons").iterrows():
        texts = wagon["gauges_mm"]
        bad = [g for g in texts if g not in ("1520", "1435", "1676")]
        if bad or not texts:
            faults.append(
                Fault(
                    "wagons.csv",
                    f"gauges_mm is '{';'.join(texts)}', expected 1520, 1435 or 1676, ';'-separated",
                    int(line),
                )
            )
            continue
        gauges[wagon["wagon_id"]] = {int(g) for g in texts}
        if len(set(texts)) > 1 and wagon["gauge_change"] == "none":
            faults.append(
                Fault(
                    "wagons.csv",
                    f"wagon '{wagon['wagon_id']}' has several gauges but gauge_change 'none', "
                    "expected bogie_exchange or variable_gauge",
                    int(line),
                )
            )
    on_hand: dict[tuple[str, int], int] = {}
    for line, stock in corridor.table("fleet").iterrows():
        allowed = gauges.get(stock["type_id"])
        if allowed is not None and int(stock["gauge_mm"]) not in allowed:
            known = ", ".join(str(g) for g in sorted(allowed))
            faults.append(
                Fault(
                    "fleet.csv",
                    f"gauge_mm is {int(stock['gauge_mm'])}, expected a gauge of wagon '{stock['type_id']}': {known}",
                    int(line),
                )
            )
        if stock["type_id"] in gauges:
            for night in range(int(stock["from_day"]), days):
                on_hand[stock["node_id"], night] = on_hand.get((stock["node_id"], night), 0) + int(stock["units"])
    for line, order in corridor.table("orders").iterrows():
        if order["due_day"] < order["release_day"]:
            faults.append(
                Fault(
                    "orders.csv",
                    f"due_day is {order['due_day']}, expected release_day {order['release_day']} or later",
                    int(line),
                )
            )
        elif order["release_day"] >= days:
            faults.append(
                Fault(
                    "orders.csv",
                    f"release_day is {order['release_day']}, expected a day of the horizon, at most {days - 1}",
                    int(line),
                )
            )
    for line, node in corridor.table("nodes").iterrows():
        room, most = (
            node["yard_capacity_wagons"],
            max((on_hand.get((node["node_id"], t), 0) for t in range(days)), default=0),
        )
        if not is_blank(room) and most > room:
            faults.append(
                Fault(
                    "nodes.csv",
                    f"yard_capacity_wagons of '{node['node_id']}' is {int(room)}, "
                    f"but the fleet table puts {most} wagons there",
                    int(line),
                )
            )
    return faults


def _train_faults(corridor: Corridor) -> list[Fault]:
    faults = _without_rows(corridor, ("locomotives", "fleet", "train_services"))
    gauge = dict(zip(corridor.table("locomotives")["loco_id"], corridor.table("locomotives")["gauge_mm"], strict=True))
    for line, stock in corridor.table("fleet").iterrows():
        if stock["type_id"] in gauge and int(stock["gauge_mm"]) != int(gauge[stock["type_id"]]):
            faults.append(
                Fault(
                    "fleet.csv",
                    f"gauge_mm is {int(stock['gauge_mm'])}, expected the gauge of locomotive '{stock['type_id']}': "
                    f"{int(gauge[stock['type_id']])}",
                    int(line),
                )
            )
    faults += _window_faults(corridor)
    links = corridor.table("links").set_index("link_id")
    for line, train in corridor.table("train_services").iterrows():
        name, at = train["service_id"], train["from_node"]
        if train["depart_day"] >= corridor.config.horizon.days:
            faults.append(
                Fault(
                    "train_services.csv",
                    f"depart_day is {train['depart_day']}, expected a day of the horizon, "
                    f"at most {corridor.config.horizon.days - 1}",
                    int(line),
                )
            )
        if not train["links"]:
            faults.append(Fault("train_services.csv", f"train '{name}' has no links", int(line)))
        for link_id in train["links"]:
            if link_id not in links.index:
                continue  # closed in this scenario: the train is cancelled, and the plan says so
            link = links.loc[link_id]
            if link["mode"] != "rail" or int(link["gauge_mm"]) != int(train["gauge_mm"]):
                faults.append(
                    Fault(
                        "train_services.csv",
                        f"link '{link_id}' of train '{name}' is not rail of {int(train['gauge_mm'])} mm",
                        int(line),
                    )
                )
                break
            if at not in (link["from_node"], link["to_node"]):
                faults.append(
                    Fault(
                        "train_services.csv",
                        f"link '{link_id}' of train '{name}' does not touch '{at}', where the train stands before it",
                        int(line),
                    )
                )
                break
            at = link["to_node"] if at == link["from_node"] else link["from_node"]
    return faults


def _window_faults(corridor: Corridor) -> list[Fault]:
    """Shop windows that end before they start, or of which two of a type and place overlap."""
    faults = []
    windows = corridor.table("shop_windows")
    for line, row in windows[windows["until_min"] <= windows["from_min"]].iterrows():
        words = f"until_min is {row['until_min']}, expected more than from_min {row['from_min']}"
        faults.append(Fault("shop_windows.csv", words, int(line)))
    for (loco_id, node), group in windows.groupby(["loco_id", "node_id"]):
        rows = list(group.sort_values(["from_min", "until_min"], kind="stable").iterrows())
        for (_, before), (line, after) in pairwise(rows):
            if after["from_min"] < before["until_min"]:
                words = (
                    f"windows '{before['window_id']}' and '{after['window_id']}' of '{loco_id}' at '{node}' overlap "
                    f"in minutes {after['from_min']} to {min(before['until_min'], after['until_min'])}, expected one "
                    "after the other, or one window with more units"
                )
                faults.append(Fault("shop_windows.csv", words, int(line)))
    return faults
