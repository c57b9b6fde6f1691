"""Cheapest route of every lane on the finished static tables; what the dated tables are derived from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.data.corridor import Corridor
from optimizer.network.layered import HANDLING, LINK, LayeredNetwork
from optimizer.network.paths import path_arcs, shortest_path_tree


@dataclass(frozen=True)
class Leg:
    """A stretch of a route on rail of one gauge; hours count from the start of the route."""

    gauge_mm: int
    origin: str
    destination: str
    start_h: float
    end_h: float
    length_km: float


@dataclass(frozen=True)
class Route:
    """Cheapest route of a lane by generalised cost, ignoring capacities and fixed costs."""

    lane: Any
    legs: tuple[Leg, ...]
    handlings: tuple[tuple[str, bool], ...]  # id, and whether it is used against from_layer -> to_layer
    fastest_days: int


def cheapest_routes(corridor: Corridor) -> list[Route]:
    """One route per lane with demand, in the order of the table."""
    network = LayeredNetwork.build(corridor)
    length = dict(zip(corridor.table("links")["link_id"], corridor.table("links")["length_km"], strict=True))
    found = []
    for lane in corridor.table("lanes").itertuples(index=False):
        if lane.quantity_t_per_year <= 0:
            continue
        costs = network.arc_costs(str(lane.commodity_id))
        source, sink = network.source(str(lane.origin)), network.sink(str(lane.destination))
        _, cheapest = shortest_path_tree(network.indptr, network.head, costs.generalised, source)
        hours = np.where(costs.allowed, costs.time_total, np.inf)
        fastest, _ = shortest_path_tree(network.indptr, network.head, hours, source)
        arcs = path_arcs(cheapest, network.tail, sink)
        handlings = tuple(
            (str(network.asset[arc]), bool(network.backward[arc])) for arc in arcs if network.kind[arc] == HANDLING
        )
        legs = tuple(_legs(network, arcs, costs.time_total, length))
        found.append(Route(lane, legs, handlings, math.ceil(fastest[sink] / 24)))
    return found


def _legs(network: LayeredNetwork, arcs: Any, hours: Any, length: dict[str, float]) -> Iterator[Leg]:
    clock = 0.0
    run: list[tuple[str, Any, float]] = []  # layer, arc, hour of departure
    for arc in [*arcs, None]:
        layer = str(network.vertex_layer[network.tail[arc]]) if arc is not None and network.kind[arc] == LINK else ""
        if run and layer != run[0][0]:
            first, last = run[0][1], run[-1][1]
            yield Leg(
                int(run[0][0].removeprefix("rail-")),
                str(network.vertex_node[network.tail[first]]),
                str(network.vertex_node[network.head[last]]),
                run[0][2],
                clock,
                sum(length[str(network.asset[a])] for _, a, _ in run),
            )
            run = []
        if layer.startswith("rail-"):
            run.append((layer, arc, clock))
        if arc is not None:
            clock += float(hours[arc])
