"""From arc flows to a plan: routes without loops, tonnes that add up, tables.

A solver's flows are exact up to its tolerances. Here they become routes whose tonnes, with those left behind, make
up the demand to the last digit of a float; what lies below ``NOISE`` of a demand is rounding of the solver and is
dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.data.columns import frame
from optimizer.models.port_choice.graph import Demand, FlowGraph
from optimizer.models.port_choice.problem import SOLUTION_TABLES, TOLERANCE
from optimizer.network.decompose import decompose
from optimizer.result import Outcome, Solution, Status

NOISE = 1e-8
Route = tuple[tuple[int, ...], float]  # arcs in order of travel, tonnes


@dataclass(frozen=True)
class Plan:
    """Routes of every demand, in the order of ``graph.demands``, contracts taken, and prices by limit number."""

    graph: FlowGraph
    routes: tuple[tuple[Route, ...], ...]
    taken: tuple[bool, ...]
    prices: Mapping[int, float]

    @property
    def unserved_t(self) -> list[float]:
        left = [
            demand.quantity_t - sum(tonnes for _, tonnes in mine)
            for demand, mine in zip(self.graph.demands, self.routes, strict=True)
        ]
        return [t if t > NOISE * demand.quantity_t else 0.0 for t, demand in zip(left, self.graph.demands, strict=True)]

    @property
    def cost(self) -> float:
        """USD: routes, penalties and fixed costs."""
        total = sum(s.fixed_usd for s, taken in zip(self.graph.services, self.taken, strict=True) if taken)
        for demand, mine, left in zip(self.graph.demands, self.routes, self.unserved_t, strict=True):
            total += left * demand.penalty_usd_per_t
            for arcs, tonnes in mine:
                total += tonnes * self.graph.route_usd_per_t(demand, arcs)
        return float(total)

    def tonnes_on_arcs(self) -> list[dict[int, float]]:
        """Arc -> tonnes, for every demand."""
        return [_on_arcs(mine) for mine in self.routes]

    def used(self) -> list[float]:
        """Use of every limit, in its unit."""
        return _used(self.graph, self.tonnes_on_arcs())

    def short_contracts(self) -> set[int]:
        """Numbers of the contracts taken whose least volume the plan misses."""
        flows = self.tonnes_on_arcs()
        short = set()
        for number, (service, taken) in enumerate(zip(self.graph.services, self.taken, strict=True)):
            volume = sum(mine.get(arc, 0.0) for mine in flows for arc in service.arcs.tolist())
            if taken and service.least_t - volume > TOLERANCE / 2 * max(1.0, service.least_t):
                short.add(number)
        return short

    def tables(self) -> Solution:
        """The plan as the family's solution tables."""
        routes: list[dict[str, object]] = []
        legs: list[dict[str, object]] = []
        for demand, mine in zip(self.graph.demands, self.routes, strict=True):
            for arcs, tonnes in mine:
                route_id = f"R{len(routes) + 1:05d}"
                route_legs = self.graph.legs(demand, arcs)
                days = self.graph.route_days(demand, arcs)
                routes.append({"route_id": route_id, "demand_id": demand.demand_id, "quantity_t": tonnes} | days)
                legs.extend({"route_id": route_id, "sequence": n} | leg for n, leg in enumerate(route_legs, 1))
        unserved = [
            {"demand_id": demand.demand_id, "quantity_t": left}
            for demand, left in zip(self.graph.demands, self.unserved_t, strict=True)
            if left > 0
        ]
        contracts = [
            {"contract_id": service.contract_id, "taken": taken}
            for service, taken in zip(self.graph.services, self.taken, strict=True)
        ]
        used = self.used()
        prices = [
            {"resource": limit.resource, "day": limit.day, "price_usd_per_unit": self.prices[number]}
            for number, limit in enumerate(self.graph.limits)
            if self.prices.get(number, 0.0) > TOLERANCE
            and limit.capacity - used[number] <= TOLERANCE / 2 * max(1.0, limit.capacity)
        ]
        found: dict[str, Sequence[Mapping[str, object]]] = {
            "routes": routes,
            "legs": legs,
            "unserved": unserved,
            "contracts": contracts,
            "prices": prices,
        }
        return {name: _table(name, rows) for name, rows in found.items()}


def read_plan(
    graph: FlowGraph, flows: Sequence[Mapping[int, float]], taken: Sequence[bool], prices: Mapping[int, float]
) -> Plan:
    """Plan in a solver's arc flows (arc -> tonnes, for every demand)."""
    served = [
        routes_in(graph, rounded(demand, mine), demand.source, demand.sink, demand.quantity_t)
        for demand, mine in zip(graph.demands, flows, strict=True)
    ]
    return make_plan(graph, served, taken, prices)


def routes_in(graph: FlowGraph, flow: dict[int, float], source: int, sink: int, quantity_t: float) -> list[Route]:
    """Routes in an arc flow, at most ``quantity_t`` tonnes, ending below ``NOISE`` of it; ``flow`` is used up."""
    return decompose(graph.tail, graph.head, flow, source, sink, quantity_t, NOISE * quantity_t)


def rounded(demand: Demand, flow: Mapping[int, float]) -> dict[int, float]:
    """All or nothing on the arcs of an indivisible demand; a solver's binaries are off by its tolerance."""
    if not demand.indivisible:
        return dict(flow)
    return {arc: demand.quantity_t for arc, tonnes in flow.items() if tonnes > demand.quantity_t / 2}


def make_plan(
    graph: FlowGraph, served: Sequence[Sequence[Route]], taken: Sequence[bool], prices: Mapping[int, float]
) -> Plan:
    """Plan of routes that may be off by a solver's tolerance: loops cut, closed contracts respected, tonnes squared."""
    closed = {
        arc for service, open_ in zip(graph.services, taken, strict=True) if not open_ for arc in service.arcs.tolist()
    }
    kept = [[(graph.without_loops(arcs), t) for arcs, t in mine if not closed.intersection(arcs)] for mine in served]
    squared = [
        _squared(mine, demand.quantity_t, graph.problem.serve_all)
        for mine, demand in zip(kept, graph.demands, strict=True)
    ]
    if not graph.problem.serve_all:
        squared = _trimmed(graph, squared)
    return Plan(graph, tuple(map(tuple, squared)), tuple(taken), prices)


def trivial_outcome(graph: FlowGraph, bound: float) -> Outcome:
    """What is known when a limit came before a plan: nothing moves, unless all must be served."""
    if graph.problem.serve_all:
        return Outcome(Status.NO_SOLUTION, bound=bound)
    plan = Plan(graph, ((),) * len(graph.demands), (False,) * len(graph.services), {})
    return Outcome(Status.FEASIBLE, plan.tables(), plan.cost, min(bound, plan.cost))


def _squared(routes: Sequence[Route], quantity_t: float, serve_all: bool) -> list[Route]:
    """Equal routes merged, noise dropped, and a demand that is served but for noise served in full."""
    merged: dict[tuple[int, ...], float] = defaultdict(float)
    for arcs, tonnes in routes:
        merged[arcs] += tonnes
    kept = {arcs: tonnes for arcs, tonnes in merged.items() if tonnes > NOISE * quantity_t}
    total = sum(kept.values())
    near = abs(total - quantity_t) <= 10 * NOISE * quantity_t
    if kept and (near or total > quantity_t or (serve_all and total >= quantity_t * (1 - TOLERANCE))):
        return [(arcs, tonnes * (quantity_t / total)) for arcs, tonnes in kept.items()]
    return list(kept.items())


def _trimmed(graph: FlowGraph, routes: Sequence[list[Route]]) -> list[list[Route]]:
    """Routes cut back where they overfill a limit by more than rounding; first-order solvers leave such excess."""
    trimmed = [list(mine) for mine in routes]
    used = _used(graph, [_on_arcs(mine) for mine in trimmed])
    for number in [n for n, limit in enumerate(graph.limits) if used[n] > limit.capacity * (1 + NOISE) + NOISE]:
        limit = graph.limits[number]
        arcs = set(limit.arcs.tolist())
        fixed = 0.0
        for demand, mine in zip(graph.demands, trimmed, strict=True):  # what cannot shrink goes first, while it fits
            if demand.indivisible and (units := graph.use(limit, demand)) > 0:
                need = sum(units * t * len(arcs.intersection(path)) for path, t in mine)
                if fixed + need > limit.capacity + TOLERANCE / 2 * max(1.0, limit.capacity):
                    mine.clear()
                else:
                    fixed += need
        now = _used(graph, [_on_arcs(mine) for mine in trimmed])[number]
        factor = min(max(limit.capacity - fixed, 0.0) / (now - fixed), 1.0) if now > fixed else 1.0
        for demand, mine in zip(graph.demands, trimmed, strict=True):
            if not demand.indivisible and graph.use(limit, demand) > 0:
                mine[:] = [(path, t * factor if arcs.intersection(path) else t) for path, t in mine]
                mine[:] = [(path, t) for path, t in mine if t > NOISE * demand.quantity_t]
    return trimmed


def _on_arcs(routes: Sequence[Route]) -> dict[int, float]:
    found: dict[int, float] = defaultdict(float)
    for arcs, tonnes in routes:
        for arc in arcs:
            found[arc] += tonnes
    return found


def _used(graph: FlowGraph, flows: Sequence[Mapping[int, float]]) -> list[float]:
    tonnes, teu = np.zeros(len(graph.tail)), np.zeros(len(graph.tail))
    for demand, mine in zip(graph.demands, flows, strict=True):
        for arc, amount in mine.items():
            tonnes[arc] += amount
            teu[arc] += amount * demand.teu_per_t
    return [float((tonnes if limit.unit == "t" else teu)[limit.arcs].sum()) for limit in graph.limits]


def _table(name: str, rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    return frame(SOLUTION_TABLES[name], columns)
