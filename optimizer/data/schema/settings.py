"""``corridor.toml`` and ``scenarios/NAME.toml``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from optimizer.data.schema.kinds import Count, Finite, Flag, NonNegative, Positive, Text, Year


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Horizon(Settings):
    start: dt.date = Field(dt.date(2026, 1, 1), description="first day")
    days: Annotated[int, Field(ge=1, le=3660)] = Field(28, description="number of days")


class Selection(Settings):
    """What a scenario selects from the tables."""

    network: Text = Field("", description="keeps rows whose ``networks`` is empty or names it")
    gauge_variant: Text = Field("", description="keeps rows whose ``gauge_variants`` is empty or names it")
    demand_year: Year | None = Field(None, description="keeps rows whose ``year`` is empty or equal")


class PortChoiceSettings(Settings):
    reliability_ratio: NonNegative = Field(
        0.0, description="value of an hour of standard deviation over the value of an hour"
    )
    train_net_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="net over gross train mass, for charges per train-km"
    )
    train_net_t: Positive = Field(2000.0, description="net tonnes of a train on links without a mass limit")
    transfer_capacity_days: Annotated[float, Field(gt=0, le=366)] = Field(
        365.0, description="working days a year of handlings"
    )


class TransshipmentSettings(Settings):
    terminal_id: Text = Field("", description="terminal planned when none is named")


class GaugeChoiceSettings(Settings):
    arrival_cv: NonNegative = Field(
        1.0, description="standard deviation over mean of the time between two trains; 1 = they come at random"
    )
    use_levels: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = Field(
        (0.5, 0.6, 0.7, 0.8, 0.9),
        description="shares of their working hours for which servers may be planned; the wait is that at the level",
    )
    wait_outside_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="share of trains that may find every track taken"
    )


class RollingStockSettings(Settings):
    empty_usd_per_wagon_km: NonNegative = Field(0.05, description="haulage of an empty wagon")
    idle_usd_per_wagon_day: NonNegative = Field(0.0, description="cost of an own wagon standing a day")
    foreign_usd_per_wagon_day: NonNegative = Field(
        0.0, description="charge of a day outside the wagon's home country, on top"
    )
    load_unload_days: Annotated[float, Field(ge=0, le=30)] = Field(
        1.0, description="days for loading and unloading, added to each loaded run"
    )
    hire_allowed: Flag = Field(True, description="whether wagons can be hired where the type stands in the fleet table")
    path_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of train paths the corridor may use"
    )
    hours_per_day: Annotated[float, Field(gt=0, le=24)] = Field(24.0, description="running hours a day")
    connection_min: Count = Field(
        0, description="minutes after a train or light move until a locomotive can leave again, but with the same train"
    )


class Config(Settings):
    """``corridor.toml``."""

    name: Text = Field(description="name of the instance")
    schema_version: Literal[1] = Field(description="version of this format")
    currency: Literal["USD"] = Field("USD", description="currency of all money columns")
    base_year: Year = Field(description="price year")
    discount_rate: NonNegative = Field(0.08, description="per year")
    source: Text = Field(description="where the instance comes from")
    default_scenario: tuple[Text, ...] = Field((), description="scenarios applied when none is asked for")
    horizon: Horizon = Field(Horizon(), description="planning horizon of the dated tables")
    select: Selection = Field(Selection(), description="selection of the base")
    port_choice: PortChoiceSettings = Field(PortChoiceSettings(), description="port choice")
    transshipment: TransshipmentSettings = Field(TransshipmentSettings(), description="transshipment")
    rolling_stock: RollingStockSettings = Field(RollingStockSettings(), description="rolling stock")
    gauge_choice: GaugeChoiceSettings = Field(GaugeChoiceSettings(), description="gauge choice")


class Closures(Settings):
    links: tuple[Text, ...] = ()
    handlings: tuple[Text, ...] = ()
    sea_legs: tuple[Text, ...] = ()
    nodes: tuple[Text, ...] = Field((), description="every link, sea leg and handling of the place")
    chokepoints: tuple[Text, ...] = Field((), description="every sea leg that passes one")


class Opening(Settings):
    links: tuple[Text, ...] = Field((), description="brings links in that the selected network leaves out")
    handlings: tuple[Text, ...] = ()
    sea_legs: tuple[Text, ...] = ()


class Change(Settings):
    """Changes one numeric column in the rows that match every condition of ``where``."""

    table: Text
    column: Text
    where: Mapping[str, str | int | float | bool | tuple[str | int | float, ...]] = Field(default_factory=dict)
    set: Finite | None = None
    multiply: Finite | None = None
    add: Finite | None = None


class Scenario(Settings):
    """``scenarios/NAME.toml``: a named change of the base; later ones of a stack win."""

    description: Text = ""
    source: Text = ""
    extends: tuple[Text, ...] = Field((), description="scenarios applied before this one")
    select: Mapping[str, str | int] = Field(default_factory=dict, description="network, gauge_variant, demand_year")
    close: Closures = Field(Closures())
    open: Opening = Field(Opening())
    change: tuple[Change, ...] = ()
