"""Gauge choice: in which gauge each undecided section is built, and where, with what and how large the gauge changes.

A plan is five tables: ``gauges`` (what each section is built in), ``terminals`` (which sites work, with how many
servers, tracks and sets, planned for which use), ``routes`` and ``legs`` (what moves where, tonnes a year),
``unserved`` (what stays behind).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from optimizer.data.columns import frame
from optimizer.data.corridor import Corridor
from optimizer.data.schema import TABLES
from optimizer.data.schema.kinds import Count, Identifier, Layer, NonNegative, Positive, PositiveCount, Row
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean


class BuiltGauge(Row):
    """The gauge of a section."""

    section_id: Identifier = Field(description="section")
    option_id: Identifier = Field(description="option that is built")


class PlannedTerminal(Row):
    """A site that works; the others stay closed."""

    site_id: Identifier = Field(description="site")
    servers: PositiveCount = Field(description="servers, the installed ones among them")
    use_level: Positive = Field(description="share of their working hours for which they are planned")
    tracks: Count = Field(description="tracks, the installed ones among them")
    sets: Count = Field(description="spare bogie sets or variable-gauge sets, the installed ones among them")


class PlannedRoute(Row):
    """Tonnes of one lane that travel the same way."""

    route_id: Identifier = Field(description="stable id within the plan")
    demand_id: Identifier = Field(description="lane")
    quantity_t: Positive = Field(description="tonnes a year")


class PlannedLeg(Row):
    """One link, built section, sea leg or handling of a route, in order of travel."""

    route_id: Identifier = Field(description="route it is part of")
    sequence: Count = Field(description="1, 2, 3, ... along the route")
    kind: Literal["link", "sea", "handling"] = Field(
        description="link (links, or an option of gauge_options), sea, handling (handlings, or a site)"
    )
    asset_id: Identifier = Field(description="id of the link, option, sea leg, handling or site")
    from_node: Identifier = Field(description="place left")
    from_layer: Layer = Field(description="layer left")
    to_node: Identifier = Field(description="place reached")
    to_layer: Layer = Field(description="layer reached")


class Unserved(Row):
    """Tonnes left behind at their penalty."""

    demand_id: Identifier = Field(description="lane")
    quantity_t: NonNegative = Field(description="tonnes a year")


SOLUTION_TABLES: Mapping[str, type[Row]] = {
    "gauges": BuiltGauge,
    "terminals": PlannedTerminal,
    "routes": PlannedRoute,
    "legs": PlannedLeg,
    "unserved": Unserved,
}


@dataclass(frozen=True)
class GaugeChoice:
    """Gauge choice on a corridor, for the annual ``lanes``.

    Parameters
    ----------
    corridor
        Instance under a scenario. Its links and handlings that name gauge variants are left out: sections, options and
        sites stand in for them.
    gauges
        Blank to decide every section; the name of a gauge variant (column ``variants``); or gauges of some sections,
        as in ``herat-shindand=1520,kandahar-border=1676``, the rest being decided.
    without
        Ids of transfer technologies that may not be used, with commas between.
    serve_all
        Nothing may stay unserved.

    Raises
    ------
    InstanceError
        No lane or no transfer site in force, or contracts that gauge choice would not keep.
    UsageError
        An option that does not fit.
    """

    corridor: Corridor
    gauges: str = ""
    without: str = ""
    serve_all: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.serve_all, bool):
            raise UsageError(f"option serve_all is {self.serve_all!r}, expected true or false")
        for name in ("gauges", "without"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"option {name} is {getattr(self, name)!r}, expected a text")
        faults = [
            Fault(f"{name}.csv", f"no rows in force; gauge choice needs at least one row of {name}")
            for name in ("lanes", "transfer_sites")
            if not len(self.corridor.table(name))
        ]
        if faults := [*faults, *self._contracts_left()]:
            raise InstanceError(self.corridor.instance.path, faults)
        _ = self.fixed, self.barred

    @property
    def options(self) -> Mapping[str, Any]:
        """Keyword arguments that rebuild the problem from the corridor."""
        return {"gauges": self.gauges, "without": self.without, "serve_all": self.serve_all}

    @cached_property
    def fixed(self) -> Mapping[str, str]:
        """Section -> option that must be built."""
        table = self.corridor.table("gauge_options")
        text = self.gauges.strip()
        if not text:
            return {}
        if "=" not in text:
            named = table[[text in names for names in table["variants"]]]
            if not len(named):
                known = sorted({name for names in table["variants"] for name in names})
                raise UsageError(
                    f"unknown gauge variant '{text}'; known are {', '.join(known) or 'none'}, or write "
                    f"SECTION=GAUGE,...{did_you_mean(text, known)}"
                )
            return dict(zip(named["section_id"], named["option_id"], strict=True))
        offered = {
            (section, str(gauge)): option
            for section, gauge, option in zip(table["section_id"], table["gauge_mm"], table["option_id"], strict=True)
        }
        chosen: dict[str, str] = {}
        for part in text.split(","):
            section, _, gauge = (piece.strip() for piece in part.partition("="))
            if (section, gauge) not in offered:
                gauges = [g for s, g in offered if s == section]
                near = did_you_mean(section, {s for s, _ in offered})
                way_out = f"; '{section}' can be built in {', '.join(gauges)}" if gauges else near
                raise UsageError(f"'{part.strip()}' names no option, expected SECTION=GAUGE{way_out}")
            chosen[section] = offered[section, gauge]
        return chosen

    @cached_property
    def barred(self) -> frozenset[str]:
        """Technologies that may not be used."""
        names = [name.strip() for name in self.without.split(",") if name.strip()]
        known = set(self.corridor.table("transfer_technologies")["technology_id"])
        for name in names:
            if name not in known:
                near = did_you_mean(name, known)
                raise UsageError(f"unknown transfer technology '{name}'; known are {', '.join(sorted(known))}{near}")
        return frozenset(names)

    def demand(self) -> pd.DataFrame:
        """Lanes with the columns ``demand_id, origin, destination, commodity_id, quantity_t, unserved_usd_per_t``."""
        lanes = self.corridor.table("lanes")
        lanes = lanes[lanes["quantity_t_per_year"] > 0]
        renamed = lanes.rename(columns={"lane_id": "demand_id", "quantity_t_per_year": "quantity_t"})
        return renamed[["demand_id", "origin", "destination", "commodity_id", "quantity_t", "unserved_usd_per_t"]]

    @cached_property
    def open_corridor(self) -> Corridor:
        """
        The corridor with every option as a link and every site as a handling, whose ids they keep.

        A site's handling carries its own dwell and cost of a unit; waiting and work come on top. Left out are links and
        handlings that name gauge variants, and the handlings between two gauges that a site stands in for.
        """
        tables = dict(self.corridor.tables)
        links, handlings = tables["links"], tables["handlings"]
        tables["links"] = _appended("links", links[[not names for names in links["gauge_variants"]]], self._built())
        kept = [
            not row.gauge_variants
            and (row.node_id, frozenset((row.from_layer, row.to_layer))) not in self._stood_in_for
            for row in handlings.itertuples(index=False)
        ]
        tables["handlings"] = _appended("handlings", handlings[kept], self._transfers())
        return replace(self.corridor, tables=tables)

    @cached_property
    def sites(self) -> pd.DataFrame:
        """Sites with the columns of their technology (``usd_per_unit`` is the site's), in the instance's order."""
        technologies = self.corridor.table("transfer_technologies").drop(columns=["source", "confidence", "notes"])
        table = self.corridor.table("transfer_sites")
        joined = table.merge(technologies, on="technology_id", suffixes=("", "_technology"))
        return joined.assign(usd_per_unit=joined["usd_per_unit"].fillna(joined["usd_per_unit_technology"]))

    @cached_property
    def _stood_in_for(self) -> set[tuple[str, frozenset[str]]]:
        return {
            (site.node_id, frozenset((f"rail-{site.gauge_a_mm}", f"rail-{site.gauge_b_mm}")))
            for site in self.sites.itertuples(index=False)
        }

    def _built(self) -> list[dict[str, Any]]:
        sections = self.corridor.table("gauge_sections").set_index("section_id")
        copied = ("from_node", "to_node", "length_km", "speed_kmh", "capacity_mt_per_year", "max_train_gross_t")
        return [
            {
                "link_id": option.option_id,
                "mode": "rail",
                "gauge_mm": option.gauge_mm,
                **{name: sections.at[option.section_id, name] for name in copied},
            }
            for option in self.corridor.table("gauge_options").itertuples(index=False)
        ]

    def _transfers(self) -> list[dict[str, Any]]:
        return [
            {
                "handling_id": site.site_id,
                "node_id": site.node_id,
                "from_layer": f"rail-{site.gauge_a_mm}",
                "to_layer": f"rail-{site.gauge_b_mm}",
                "technology": site.technology,
                "cargo_forms": site.cargo_forms,
                "cost_usd_per_feu" if site.unit == "feu" else "cost_usd_per_wagon": site.usd_per_unit,
                "dwell_h": site.dwell_h,
                "dwell_h_low": site.dwell_h_low,
                "dwell_h_high": site.dwell_h_high,
            }
            for site in self.sites.itertuples(index=False)
            if site.technology_id not in self.barred
        ]

    def _contracts_left(self) -> list[Fault]:
        """Contracts that cover anything but gauge changes with a site: their fixed cost would be forgotten."""
        handlings = self.corridor.table("handlings")
        replaced = {
            row.handling_id
            for row in handlings.itertuples(index=False)
            if row.gauge_variants or (row.node_id, frozenset((row.from_layer, row.to_layer))) in self._stood_in_for
        }
        table = self.corridor.table("contracts")
        return [
            Fault(
                "contracts.csv",
                f"contract '{name}' covers {', '.join(sorted(set(assets) - replaced))}, which gauge choice would use "
                "without its fixed cost and volumes; expected contracts of gauge changes with a site only",
                int(str(line)),
            )
            for line, name, assets in zip(table.index, table["contract_id"], table["assets"], strict=True)
            if set(assets) - replaced
        ]


def _appended(name: str, table: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The table with further rows, typed like it, that keep the line 0: they stand in no file of that name."""
    if not rows:
        return table
    columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    more = frame(TABLES[name], columns, lines=[0] * len(rows))
    return pd.concat([table, more]) if len(table) else more
