"""From flows and decisions of a model to the tables of a plan and its cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from optimizer.data.columns import columns_of
from optimizer.models.gauge_choice.designs import Design
from optimizer.models.gauge_choice.graph import Graph
from optimizer.models.gauge_choice.problem import SOLUTION_TABLES
from optimizer.network.decompose import decompose
from optimizer.network.layered import ACCESS, HANDLING, LANDING_LAYER, LINK, SEA, SINK_LAYER, SOURCE_LAYER
from optimizer.result import Solution

NOISE = 1e-9
"""Share of a lane below which tonnes are a solver's rounding."""

_KINDS = {LINK: "link", SEA: "sea", HANDLING: "handling"}
_PLAIN_LAYERS = {SOURCE_LAYER: "door", SINK_LAYER: "door", LANDING_LAYER: "sea"}

Route = tuple[tuple[int, ...], float]  # arcs in order, tonnes


@dataclass(frozen=True)
class Plan:
    """Decisions and routes: option of each section, design of each working site, routes of each demand."""

    graph: Graph
    built: Mapping[str, str]
    designs: Mapping[str, Design]
    routes: Sequence[Sequence[Route]]

    @property
    def unserved_t(self) -> list[float]:
        """Tonnes of each demand left behind."""
        left = []
        for demand, routes in zip(self.graph.demands, self.routes, strict=True):
            rest = demand.quantity_t - sum(tonnes for _, tonnes in routes)
            left.append(rest if rest > NOISE * demand.quantity_t else 0.0)
        return left

    @property
    def sets(self) -> dict[str, int]:
        """Sets of each working site: what its units bind on average, rounded up."""
        bound: dict[str, float] = defaultdict(float)
        site_of = {arc: site for site in self.graph.sites for arc in site.arcs.tolist()}
        for demand, routes in zip(self.graph.demands, self.routes, strict=True):
            for arcs, tonnes in routes:
                for arc in arcs:
                    if (site := site_of.get(arc)) is not None:
                        bound[site.site_id] += tonnes * site.units_per_t[demand.commodity_id, arc] * site.sets_per_unit
        return {
            site.site_id: max(math.ceil(bound[site.site_id] * (1 - NOISE) - NOISE), site.installed_sets)
            for site in self.graph.sites
            if site.site_id in self.designs
        }

    @property
    def cost(self) -> float:
        """USD a year of everything: lines, sites, sets, carriage, time and what stays behind."""
        graph, sets = self.graph, self.sets
        total = sum(section.options[self.built[section.section_id]][0] for section in graph.sections)
        hours: dict[int, float] = {}
        for site in graph.sites:
            if (design := self.designs.get(site.site_id)) is not None:
                total += design.usd_per_year + site.usd_per_set * (sets[site.site_id] - site.installed_sets)
                hours |= dict.fromkeys(site.arcs.tolist(), design.hours)
        for demand, routes, left in zip(graph.demands, self.routes, self.unserved_t, strict=True):
            usd = dict(zip(demand.arcs.tolist(), demand.cost_usd_per_t.tolist(), strict=True))
            for arcs, tonnes in routes:
                delay_h = sum(hours.get(arc, 0.0) for arc in arcs)
                total += tonnes * (sum(usd[arc] for arc in arcs) + demand.vot_usd_per_t_h * delay_h)
            total += left * demand.penalty_usd_per_t
        return float(total)

    def tables(self) -> Solution:
        """The plan's tables."""
        graph, sets = self.graph, self.sets
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SOLUTION_TABLES}
        rows["gauges"] = [{"section_id": s.section_id, "option_id": self.built[s.section_id]} for s in graph.sections]
        rows["terminals"] = [
            {"site_id": name, "servers": design.servers, "use_level": design.use_level, "tracks": design.tracks,
             "sets": sets[name]}
            for name, design in self.designs.items()
        ]  # fmt: skip
        for demand, routes, left in zip(graph.demands, self.routes, self.unserved_t, strict=True):
            for number, (arcs, tonnes) in enumerate(routes, 1):
                route_id = f"{demand.demand_id}-{number}"
                rows["routes"].append({"route_id": route_id, "demand_id": demand.demand_id, "quantity_t": tonnes})
                rows["legs"] += [
                    {"route_id": route_id, "sequence": at, **leg} for at, leg in enumerate(self._legs(arcs), 1)
                ]
            if left:
                rows["unserved"].append({"demand_id": demand.demand_id, "quantity_t": left})
        return {name: pd.DataFrame(rows[name], columns=list(_columns(name))) for name in SOLUTION_TABLES}

    def _legs(self, arcs: Sequence[int]) -> list[dict[str, Any]]:
        network = self.graph.network
        legs = []
        for arc in arcs:
            if network.kind[arc] == ACCESS:
                continue
            leg: dict[str, Any] = {"kind": _KINDS[int(network.kind[arc])], "asset_id": network.asset[arc]}
            for end, vertex in (("from", network.tail[arc]), ("to", network.head[arc])):
                layer = network.vertex_layer[vertex]
                leg |= {f"{end}_node": network.vertex_node[vertex], f"{end}_layer": _PLAIN_LAYERS.get(layer, layer)}
            legs.append(leg)
        return legs


def _columns(name: str) -> list[str]:
    return [key for key in columns_of(SOLUTION_TABLES[name]) if key not in ("source", "confidence", "notes")]


def read_plan(
    graph: Graph, flows: Sequence[Mapping[int, float]], built: Mapping[str, str], designs: Mapping[str, Design]
) -> Plan:
    """The plan of arc flows, one mapping for each demand; sites that nothing passes stay closed."""
    ends = graph.network.tail, graph.network.head
    routes = [
        decompose(*ends, dict(flow), demand.source, demand.sink, demand.quantity_t, NOISE * demand.quantity_t)
        for demand, flow in zip(graph.demands, flows, strict=True)
    ]
    used = {arc for mine in routes for arcs, _ in mine for arc in arcs}
    working = {site.site_id for site in graph.sites if used.intersection(site.arcs.tolist())}
    return Plan(graph, built, {name: design for name, design in designs.items() if name in working}, routes)


def empty_plan(graph: Graph) -> Plan:
    """Nothing moves, every section in its cheapest option."""
    built = {}
    for section in graph.sections:
        usd = {name: option[0] for name, option in section.options.items()}
        built[section.section_id] = min(usd, key=lambda name, usd=usd: usd[name])  # type: ignore[misc]
    return Plan(graph, built, {}, [[] for _ in graph.demands])
