"""What shippers choose from: a few good routes through each gateway, and not to ship.

For each lane and gateway the cheapest route is searched again and again, each time with the arcs of the routes found so
far made dearer (link penalties: de la Barra, Perez and Anez, PTRC 21, 1993), which gives routes that differ in
substance. Routes that come back to a place, and routes dearer than leaving the tonne behind, are none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimizer.choice.model import Floats, Ints, path_sizes
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.shippers.observed import NO_GATEWAY, GatewayRoutes
from optimizer.network.costs import MONEY_COMPONENTS
from optimizer.network.layered import ACCESS, LayeredNetwork
from optimizer.network.paths import path_arcs, shortest_path_tree

LEFT_BEHIND = "left behind"
PENALTY_FACTOR = 1.2
SEARCHES_PER_ROUTE = 3


class RouteSearch(GatewayRoutes):
    """Alternative routes through given gateways; nothing passes ``closed`` arcs."""

    def __init__(self, problem: PortChoice, closed: Ints) -> None:
        super().__init__(problem)
        self._closed = closed
        self._copies: dict[str, tuple[Ints, Ints, Ints, int]] = {}

    def alternatives(self, commodity_id: str, origin: str, destination: str, gateway: str, most: int) -> list[Ints]:
        """Arcs of up to ``most`` routes, the cheapest first."""
        network = self.network
        cost = network.arc_costs(commodity_id).generalised.copy()
        cost[self._closed] = np.inf
        cost[self._gates[~np.isin(self._gate_node, [gateway, origin, destination])]] = np.inf
        indptr, head, tail, last = self._copied(gateway)
        weight = cost.copy()
        found: dict[tuple[int, ...], float] = {}
        for _ in range(SEARCHES_PER_ROUTE * most):
            copies = len(head) // network.num_arcs
            tree = shortest_path_tree(indptr, head, np.tile(weight, copies), network.source(origin))[1]
            arcs = path_arcs(tree, tail, network.sink(destination) + last).astype(np.int64) % network.num_arcs
            if not len(arcs):
                break
            if tuple(arcs.tolist()) not in found and not comes_back(network, arcs):
                found[tuple(arcs.tolist())] = float(cost[arcs].sum())
                if len(found) == most:
                    break
            moving = np.unique(arcs[network.kind[arcs] != ACCESS])
            weight[moving] *= PENALTY_FACTOR
        ranked = sorted(found.items(), key=lambda item: (item[1], item[0]))
        return [np.array(arcs) for arcs, _ in ranked]

    def _copied(self, gateway: str) -> tuple[Ints, Ints, Ints, int]:
        """The network before and after the gateway: indptr, head, tail, and what the vertex of an end is moved by."""
        if gateway not in self._copies:
            network = self.network
            passes = np.zeros(network.num_arcs, dtype=np.int64)
            if gateway != NO_GATEWAY:
                passes[self._gates[self._gate_node == gateway]] = 1
            copies = 2 if gateway != NO_GATEWAY else 1
            arcs, vertices = network.num_arcs, network.num_vertices
            head = np.concatenate([network.head + vertices * (copy | passes) for copy in range(copies)])
            tail = np.concatenate([network.tail.astype(np.int64) + vertices * copy for copy in range(copies)])
            starts = [network.indptr[:-1] + copy * arcs for copy in range(copies)]
            indptr = np.concatenate([*starts, [copies * arcs]])
            self._copies[gateway] = indptr, head, tail, vertices * (copies - 1)
        return self._copies[gateway]


def comes_back(network: LayeredNetwork, arcs: Ints) -> bool:
    """Whether a route visits a place again after it left it."""
    places = network.vertex_node[network.tail[arcs]].tolist()
    places.append(network.vertex_node[network.head[arcs[-1]]])
    visits = [place for at, place in enumerate(places) if at == 0 or place != places[at - 1]]
    return len(visits) > len(set(visits))


@dataclass(frozen=True)
class RouteSets:
    """Alternatives of all lanes, lane after lane.

    Attributes
    ----------
    lanes
        ``demand_id, origin, destination, commodity_id, quantity_t, unserved_usd_per_t``; row ``d`` is demand ``d``.
    lane
        Shape (num_routes,): its row of ``lanes``.
    gateway
        Sea port between land and sea, ``none`` or ``left behind``.
    arcs
        Arcs of the layered network; empty for what is left behind.
    money
        One column for each component of the money chain and ``left_behind``, USD/t.
    time_h, variability_h
        Shape (num_routes,).
    path_size
        Shape (num_routes,): by hours, among the routes of the lane through the same gateway, so that one more gateway
        takes nothing from the others.
    gate_usd_per_t, gate_h
        Shape (num_routes,): quay charge and dwell at the gateway itself.
    value_of_time, value_of_reliability
        Shape (num_lanes,), USD/t-h, of the commodity.
    """

    network: LayeredNetwork
    lanes: pd.DataFrame
    lane: Ints
    gateway: npt.NDArray[np.object_]
    arcs: list[Ints]
    money: pd.DataFrame
    time_h: Floats
    variability_h: Floats
    path_size: Floats
    gate_usd_per_t: Floats
    gate_h: Floats
    value_of_time: Floats
    value_of_reliability: Floats

    def number_of(self) -> dict[tuple[int, tuple[int, ...]], int]:
        """Route number by lane and arcs."""
        return {
            (int(lane), tuple(arcs.tolist())): number
            for number, (lane, arcs) in enumerate(zip(self.lane, self.arcs, strict=True))
        }


def route_sets(
    problem: PortChoice, closed: Ints, planned: Iterable[tuple[str, str, Ints]], per_gateway: int, detour: float
) -> RouteSets:
    """
    Choice sets of all lanes.

    Parameters
    ----------
    closed
        Arcs of the layered network that nothing passes.
    planned
        Lane, gateway and arcs of routes that must be among them.
    per_gateway
        Routes for each gateway of a lane.
    detour
        A route may cost this share more than the cheapest of its lane.
    """
    search = RouteSearch(problem, closed)
    network, lanes = search.network, problem.demand().reset_index(drop=True)
    wanted: dict[str, list[tuple[str, Ints]]] = {}
    for lane_id, gateway, arcs in planned:
        wanted.setdefault(lane_id, []).append((gateway, arcs))
    of_lane: list[int] = []
    gateways: list[str] = []
    routes: list[Ints] = []
    for number, row in enumerate(lanes.itertuples(index=False)):
        cost = network.arc_costs(row.commodity_id).generalised
        mine: dict[tuple[int, ...], tuple[str, Ints]] = {}
        found = [
            (float(cost[arcs].sum()), gateway, arcs)
            for gateway in [NO_GATEWAY, *search.gateways]
            if gateway not in (row.origin, row.destination)
            for arcs in search.alternatives(row.commodity_id, row.origin, row.destination, gateway, per_gateway)
        ]
        most_usd = (1 + detour) * min((usd for usd, _, _ in found), default=0.0)
        if not problem.serve_all:
            most_usd = min(most_usd, row.unserved_usd_per_t)
        for usd, gateway, arcs in found:
            if usd <= most_usd:
                mine.setdefault(tuple(arcs.tolist()), (gateway, arcs))
        for gateway, arcs in wanted.get(row.demand_id, []):
            mine.setdefault(tuple(arcs.tolist()), (gateway, arcs))
        choices = sorted(mine.values(), key=lambda choice: choice[0])  # stable: the cheapest of a gateway first
        if not problem.serve_all or not choices:
            choices.append((LEFT_BEHIND, np.zeros(0, dtype=np.int64)))
        of_lane += [number] * len(choices)
        gateways += [gateway for gateway, _ in choices]
        routes += [arcs for _, arcs in choices]
    return _measured(search, lanes, np.array(of_lane), np.array(gateways, dtype=object), routes)


def _measured(
    search: RouteSearch, lanes: pd.DataFrame, lane: Ints, gateway: npt.NDArray[np.object_], routes: list[Ints]
) -> RouteSets:
    network = search.network
    money = {name: np.zeros(len(routes)) for name in (*MONEY_COMPONENTS, "left_behind")}
    time_h, variability_h, gate_usd, gate_h = (np.zeros(len(routes)) for _ in range(4))
    is_gate = np.zeros(network.num_arcs, dtype=bool)
    is_gate[search._gates] = True
    place = network.vertex_node[network.tail]
    chains = [network.arc_costs(commodity) for commodity in lanes["commodity_id"]]
    for number, arcs in enumerate(routes):
        chain = chains[lane[number]]
        if gateway[number] == LEFT_BEHIND:
            money["left_behind"][number] = lanes["unserved_usd_per_t"].iloc[lane[number]]
        for name in MONEY_COMPONENTS:
            money[name][number] = chain.money[name][arcs].sum()
        time_h[number], variability_h[number] = chain.time_total[arcs].sum(), chain.variability_h[arcs].sum()
        gates = arcs[is_gate[arcs] & (place[arcs] == gateway[number])]
        gate_usd[number], gate_h[number] = chain.money["port"][gates].sum(), chain.time_h["port"][gates].sum()
    starts = np.flatnonzero(np.append(True, (lane[1:] != lane[:-1]) | (gateway[1:] != gateway[:-1])))
    indptr = np.append(starts, len(routes)).astype(np.int64)
    passed = [np.unique(arcs) for arcs in routes]
    hours = [chains[lane[number]].time_total[arcs] for number, arcs in enumerate(passed)]
    return RouteSets(
        network, lanes, lane, gateway, routes, pd.DataFrame(money), time_h, variability_h,
        path_sizes(indptr, passed, hours), gate_usd, gate_h,
        np.array([chain.vot_usd_per_t_h for chain in chains]), np.array([chain.vor_usd_per_t_h for chain in chains]),
    )  # fmt: skip
