"""What a page may ask to change, checked, and the corridor that makes of it.

Everything that comes from a browser is data: typed and bounded here, looked up by name in the instance, and turned into
the same scenarios and levers the command line has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.scenario import apply_scenario
from optimizer.data.schema.settings import Closures, Opening, Scenario
from optimizer.errors import UsageError, did_you_mean
from optimizer.models.port_choice import PortChoice
from optimizer.models.port_choice.switching.levers import parse_lever

WHAT_IF = "what-if"
MOST = 40
CAPACITIES = (
    ("links", ("link_id", "from_node", "to_node"), "capacity_mt_per_year"),
    ("handlings", ("handling_id", "node_id"), "capacity_t_per_day"),
    ("ports", ("node_id",), "capacity_mt_per_year"),
    ("ports", ("node_id",), "capacity_teu_per_year"),
)

Name = Annotated[str, Field(min_length=1, max_length=80)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST)]
Kind = Literal["haul", "dwell", "tariff", "premium", "capacity"]


class Turn(BaseModel):
    """One lever at one value: a factor of haul, dwell (of a place) and capacity, a value of tariff and premium."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    target: Name
    value: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]

    @property
    def words(self) -> str:
        return f"{self.kind} of {self.target} {'at' if self.kind in ('tariff', 'premium') else 'times'} {self.value:g}"


class WhatIf(BaseModel):
    """What to change. The scenarios come first, then what is selected, closed and opened, then the levers in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenarios: Names = ()
    gauge_variant: Annotated[str, Field(max_length=20)] = ""
    demand_year: Annotated[int, Field(ge=1900, le=2200)] | None = None
    close_links: Names = ()
    close_places: Names = ()
    close_chokepoints: Names = ()
    open_links: Names = ()
    turns: Annotated[tuple[Turn, ...], Field(max_length=MOST)] = ()
    demand: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0

    @property
    def words(self) -> str:
        """What is changed, in words; "nothing" when nothing is."""
        parts = [f"scenario {name}" for name in self.scenarios]
        parts += [f"gauge variant {self.gauge_variant}"] * bool(self.gauge_variant)
        parts += [f"demand of {self.demand_year}"] * (self.demand_year is not None)
        parts += [f"{name} closed" for name in (*self.close_links, *self.close_places, *self.close_chokepoints)]
        parts += [f"{name} open" for name in self.open_links]
        parts += [turn.words for turn in self.turns]
        parts += [f"demand times {self.demand:g}"] * (self.demand != 1)
        return ", ".join(parts) or "nothing changed"


@dataclass(frozen=True)
class Offer:
    """What the page offers to turn: id and name of each."""

    scenarios: Sequence[tuple[str, str]]
    gauge_variants: Sequence[str]
    demand_years: Sequence[int]
    links: Sequence[tuple[str, str]]
    shut_links: Sequence[tuple[str, str]]
    places: Sequence[tuple[str, str]]
    chokepoints: Sequence[str]
    countries: Sequence[str]
    ports: Sequence[tuple[str, str]]
    tariffs: Sequence[tuple[str, str]]


def offer(corridor: Corridor) -> Offer:
    """What there is to turn in an instance under its base scenarios."""
    instance, nodes = corridor.instance, corridor.table("nodes")
    name = dict(zip(nodes["node_id"], nodes["name"], strict=True))

    def links(table_of: Corridor | Instance) -> dict[str, str]:
        table = table_of.tables["links"]
        ends = zip(table["link_id"], table["from_node"], table["to_node"], strict=True)
        return {str(i): f"{name.get(a, a)} - {name.get(b, b)}" for i, a, b in ends}

    here, every = links(corridor), links(instance)
    quays = corridor.table("handlings").query("technology == 'quay'")["node_id"]
    tariffs = corridor.table("tariffs")
    variants, years = _selectable(instance)
    return Offer(
        [(key, scenario.description) for key, scenario in sorted(instance.scenarios.items())],
        variants,
        years,
        sorted(here.items(), key=lambda item: item[1]),
        sorted(((i, words) for i, words in every.items() if i not in here), key=lambda item: item[1]),
        sorted(((str(i), str(words)) for i, words in name.items()), key=lambda item: item[1]),
        sorted({str(point) for points in corridor.table("sea_legs")["chokepoints"] for point in points}),
        sorted({str(country) for country in nodes["country"]}),
        sorted(((str(i), str(name[i])) for i in set(quays)), key=lambda item: item[1]),
        [(str(i), f"{kind} {i}") for i, kind in zip(tariffs["tariff_id"], tariffs["kind"], strict=True)],
    )


def _selectable(instance: Instance) -> tuple[list[str], list[int]]:
    """Gauge variants and demand years that some row names."""
    variants = {str(variant) for named in instance.tables["links"]["gauge_variants"] for variant in named}
    return sorted(variants), sorted({int(year) for year in instance.tables["lanes"]["year"].dropna()})


def apply_what_if(base: Corridor, asked: WhatIf) -> PortChoice:
    """
    The problem asked for.

    Raises
    ------
    UsageError, InstanceError
        A name the instance does not have, or a change that makes it invalid; in words.
    """
    instance = base.instance
    if unknown := [name for name in asked.scenarios if name not in instance.scenarios]:
        raise UsageError(f"unknown scenario '{unknown[0]}'{did_you_mean(unknown[0], instance.scenarios)}")
    variants, years = _selectable(instance)
    if asked.gauge_variant and asked.gauge_variant not in variants:
        raise UsageError(
            f"unknown gauge variant '{asked.gauge_variant}', expected one of {', '.join(variants) or 'none'}"
        )
    if asked.demand_year is not None and asked.demand_year not in years:
        raise UsageError(f"no demand of {asked.demand_year}, expected one of {', '.join(map(str, years)) or 'none'}")
    select: dict[str, str | int] = {}
    if asked.gauge_variant:
        select["gauge_variant"] = asked.gauge_variant
    if asked.demand_year is not None:
        select["demand_year"] = asked.demand_year
    scenario = Scenario(
        select=select,
        close=Closures(links=asked.close_links, nodes=asked.close_places, chokepoints=asked.close_chokepoints),
        open=Opening(links=asked.open_links),
    )
    _check_names(instance, scenario)
    stack = {**instance.scenarios, WHAT_IF: scenario}
    corridor = apply_scenario(replace(instance, scenarios=stack), (*base.scenario, *asked.scenarios, WHAT_IF))
    problem = PortChoice(corridor)
    for turn in asked.turns:
        problem = _turned(problem, turn)
    if asked.demand != 1:
        lanes = problem.corridor.table("lanes")
        more = lanes.assign(quantity_t_per_year=lanes["quantity_t_per_year"] * asked.demand)
        problem = replace(problem, corridor=problem.corridor.with_tables({"lanes": more}))
    return problem


def _check_names(instance: Instance, scenario: Scenario) -> None:
    tables = instance.tables
    points = {point for points in tables["sea_legs"]["chokepoints"] for point in points}
    known = (
        ("link", (*scenario.close.links, *scenario.open.links), tables["links"]["link_id"]),
        ("place", scenario.close.nodes, tables["nodes"]["node_id"]),
        ("chokepoint", scenario.close.chokepoints, points),
    )
    for kind, asked, names in known:
        for name in asked:
            if name not in set(names):
                raise UsageError(f"unknown {kind} '{name}'{did_you_mean(name, map(str, names))}")


def _turned(problem: PortChoice, turn: Turn) -> PortChoice:
    if turn.kind not in ("premium", "tariff") and turn.value < 0:
        raise UsageError(f"{turn.kind} of {turn.target} times {turn.value:g}: expected a factor of 0 or more")
    if turn.kind == "capacity":
        return replace(problem, corridor=_scaled_capacity(problem.corridor, turn.target, turn.value))
    lever = parse_lever(problem.corridor, f"{turn.kind}:{turn.target}")
    return lever.applied(problem, turn.value)


def _scaled_capacity(corridor: Corridor, target: str, factor: float) -> Corridor:
    """Capacities of a link, a handling, or all of a place times a factor."""
    found, known = False, set()
    for table, keys, column in CAPACITIES:
        rows = corridor.table(table)
        names = [rows[key].astype(str) for key in keys]
        known |= {name for column_of in names for name in column_of}
        mine = sum((column_of == target).to_numpy() for column_of in names) > 0
        if mine.any():
            found = True
            scaled = rows[column].where(~mine, rows[column] * factor)
            corridor = corridor.with_tables({table: rows.assign(**{column: scaled})})
    if not found:
        raise UsageError(f"unknown link, handling or place '{target}'{did_you_mean(target, known)}")
    return corridor
