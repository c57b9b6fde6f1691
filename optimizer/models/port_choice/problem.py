"""Port choice: which route, gauge-change point and port each load takes.

A plan is five tables. ``routes`` and ``legs`` say what moves where, ``unserved`` what stays behind, ``contracts`` which
services are taken; ``prices`` holds what another unit of a full capacity would save, as information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import Count, Day, Flag, Identifier, Layer, NonNegative, Positive, Row, Text
from optimizer.display import ShownInNotebooks
from optimizer.errors import Fault, InstanceError, UsageError

TOLERANCE = 1e-6
"""Relative tolerance of every comparison of a plan with a limit, a demand or a claimed cost (absolute below one
unit)."""

DAYS_PER_YEAR = 365


class PlannedRoute(Row):
    """Tonnes of one lane or shipment that travel the same way."""

    route_id: Identifier = Field(description="stable id within the plan")
    demand_id: Identifier = Field(description="lane, or shipment when the plan is dated")
    quantity_t: Positive = Field(description="tonnes (a year, for lanes)")
    depart_day: Day | None = Field(None, description="day the load leaves its origin; dated plans only")
    arrive_day: Day | None = Field(None, description="day it is handed over; dated plans only")


class PlannedLeg(Row):
    """One link, sea leg or handling of a route, in order of travel."""

    route_id: Identifier = Field(description="route it is part of")
    sequence: Count = Field(description="1, 2, 3, ... along the route")
    kind: Literal["link", "sea", "handling"] = Field(description="table of the asset: links, sea_legs or handlings")
    asset_id: Identifier = Field(description="id of the link, sea leg or handling")
    from_node: Identifier = Field(description="place left")
    from_layer: Layer = Field(description="layer left")
    to_node: Identifier = Field(description="place reached")
    to_layer: Layer = Field(description="layer reached")
    depart_day: Day | None = Field(None, description="day it starts; dated plans only")
    arrive_day: Day | None = Field(None, description="day it ends; dated plans only")
    chain: Count | None = Field(
        None, description="links with equal numbers run as one, their hours rounded to days together; dated plans only"
    )


class Unserved(Row):
    """Tonnes left behind at their penalty."""

    demand_id: Identifier = Field(description="lane, or shipment when the plan is dated")
    quantity_t: Positive = Field(description="tonnes (a year, for lanes)")


class ContractTaken(Row):
    """Whether a contract of the instance is taken."""

    contract_id: Identifier = Field(description="contract")
    taken: Flag = Field(description="1 when its fixed cost is paid and its assets are open")


class Price(Row):
    """Shadow price of a full capacity. Information only: it follows from the model, not from the plan."""

    resource: Text = Field(description="'link ID from PLACE', 'handling ID', 'port PLACE t' or 'port PLACE TEU'")
    day: Day | None = Field(None, description="day of the limit; dated plans only")
    price_usd_per_unit: NonNegative = Field(description="saving per further tonne (or TEU) of capacity")


SOLUTION_TABLES: Mapping[str, type[Row]] = {
    "routes": PlannedRoute,
    "legs": PlannedLeg,
    "unserved": Unserved,
    "contracts": ContractTaken,
    "prices": Price,
}


@dataclass(frozen=True)
class PortChoice(ShownInNotebooks):
    """Port choice on a corridor.

    Parameters
    ----------
    corridor
        Instance under a scenario.
    dated
        False: the annual ``lanes``. True: the ``shipments`` over the days of the horizon.
    serve_all
        Nothing may stay unserved.

    Raises
    ------
    InstanceError
        When the table of the demand is empty, or a row of it cannot be planned.
    UsageError
        When an option is not a truth value.
    """

    corridor: Corridor
    dated: bool = False
    serve_all: bool = False

    def __post_init__(self) -> None:
        for name in ("dated", "serve_all"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"option {name} is {getattr(self, name)!r}, expected true or false")
        faults = self._empty_demand() or (self._undatable() if self.dated else [])
        if faults:
            raise InstanceError(self.corridor.instance.path, faults)

    @property
    def options(self) -> Mapping[str, Any]:
        """Keyword arguments that rebuild the problem from the corridor."""
        return {"dated": self.dated, "serve_all": self.serve_all}

    @property
    def demand_table(self) -> str:
        return "shipments" if self.dated else "lanes"

    @property
    def year_share(self) -> float:
        """Share of annual capacities, volumes and fixed costs that falls into the plan: 1, or days / 365 when dated."""
        return self.corridor.config.horizon.days / DAYS_PER_YEAR if self.dated else 1.0

    def demand(self) -> pd.DataFrame:
        """Lanes or shipments with columns ``demand_id, origin, destination, commodity_id, quantity_t,
        unserved_usd_per_t``
        (dated also ``release_day, due_day, late_usd_per_t_day, indivisible``), in the order of the instance."""
        table = self.corridor.table(self.demand_table)
        renamed = table.rename(
            columns={"shipment_id": "demand_id"}
            if self.dated
            else {"lane_id": "demand_id", "quantity_t_per_year": "quantity_t"}
        )
        columns = ["demand_id", "origin", "destination", "commodity_id", "quantity_t", "unserved_usd_per_t"]
        if self.dated:
            columns += ["release_day", "due_day", "late_usd_per_t_day", "indivisible"]
        return renamed[columns]

    def _empty_demand(self) -> list[Fault]:
        name = self.demand_table
        if len(self.corridor.table(name)):
            return []
        selection = self.corridor.selection
        year = f" of {selection.demand_year} (or without a year)" if selection.demand_year else ""
        option, other = ("dated port choice", "lanes") if self.dated else ("port choice", "shipments")
        hint = (
            f"; {other} has rows: plan them {'without' if self.dated else 'with'} dates"
            if len(self.corridor.table(other))
            else ""
        )
        return [Fault(f"{name}.csv", f"no rows{year} in force; {option} needs at least one row of {name}{hint}")]

    def _undatable(self) -> list[Fault]:
        days = self.corridor.config.horizon.days
        late = self.corridor.table("shipments").query("release_day >= @days")
        return [
            Fault(
                "shipments.csv",
                f"release_day is {int(row.release_day)}, expected a day before the end of the horizon ({days} days)",
                int(line),
            )
            for line, row in zip(late.index, late.itertuples(index=False), strict=True)
        ]
