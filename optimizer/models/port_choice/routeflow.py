"""Port choice as a route-flow problem: commodities become graphs over days, limits become cells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from optimizer.flows.routes.pricing import Pricing
from optimizer.flows.routes.problem import DayGraph, RouteFlowProblem
from optimizer.flows.routes.whole import split_graphs
from optimizer.models.port_choice.graph import Service, named_resources, services_of, teu_per_tonne
from optimizer.models.port_choice.problem import DAYS_PER_YEAR, PortChoice
from optimizer.network.layered import SINK_LAYER, LayeredNetwork
from optimizer.network.timespace import TimeSpaceNetwork, sailing_days


@dataclass(frozen=True)
class Translation:
    """A route-flow problem and what is needed to read its routes as a plan.

    Attributes
    ----------
    base_arcs
        Per graph: arcs of the layered network behind each of its arcs, in order of travel.
    resources
        Name in plans, name for people, unit, annual capacity, arcs; in the order of the problem's resources. The
        volumes of the services follow them, each one cell over all days.
    services
        Contracts, with arcs of the layered network.
    """

    problem: PortChoice
    network: LayeredNetwork
    flows: RouteFlowProblem
    commodities: tuple[str, ...]
    spacings: tuple[TimeSpaceNetwork | None, ...]
    resources: list[tuple[str, str, str, float, np.ndarray]]
    services: tuple[Service, ...]
    whole: np.ndarray
    """Shape (K,): demands that travel whole; those too large for some arcs have graphs of their own."""
    held_back: bool = False
    """Whether a demand is kept from some arcs, so that the compact model of the problem is another question."""

    @property
    def volume_cells(self) -> np.ndarray:
        """Cell of the volume of each service."""
        return self.flows.first_cell[len(self.resources) :]

    def without(self, closed_arcs: Collection[int]) -> RouteFlowProblem:
        """The flows when some arcs of the layered network are closed; vertices, arcs and cells stay as they are."""
        graphs = (self._graph_without(number, closed_arcs) for number in range(len(self.spacings)))
        return replace(self.flows, graphs=tuple(graphs))

    def holding_back(self, demand: int, closed_arcs: Collection[int]) -> Translation:
        """The translation when some arcs of the layered network are closed to one demand, and open to all others."""
        number = int(self.flows.graph[demand])
        graphs = (*self.flows.graphs, self._graph_without(number, closed_arcs))
        graph_of = self.flows.graph.copy()
        graph_of[demand] = len(graphs) - 1
        flows = replace(self.flows, graphs=graphs, graph=graph_of)
        return replace(self, flows=flows, spacings=(*self.spacings, self.spacings[number]), held_back=True)

    def _graph_without(self, number: int, closed_arcs: Collection[int]) -> DayGraph:
        shut = np.zeros(self.network.num_arcs, dtype=bool)
        shut[list(closed_arcs)] = True
        graph, spacing = self.flows.graphs[number], self.spacings[number]
        if spacing is not None:
            passed = np.append(shut[spacing.base_arcs], False)
            shut = np.add.reduceat(passed, spacing.base_indptr[:-1], dtype=np.int64) > 0
        return replace(graph, departs=graph.departs & ~shut, cost=np.where(shut, np.inf, graph.cost))

    @property
    def dearer_than_any_route(self) -> float:
        """A penalty that no route reaches: twice every arc of a graph once, waiting and lateness to the last day."""
        flows = self.flows
        dearest = max(float(graph.cost[np.isfinite(graph.cost)].sum()) for graph in flows.graphs)
        waiting = max(float(graph.holding[np.isfinite(graph.holding)].max(initial=0.0)) for graph in flows.graphs)
        return 2 * (dearest + flows.num_days * (waiting + float(flows.late_cost.max(initial=0.0)))) + 1.0

    def base_arcs(self, graph: int, arc: int) -> list[int]:
        """Arcs of the layered network behind an arc of a graph."""
        spacing = self.spacings[graph]
        return [arc] if spacing is None else spacing.base_arcs_of(arc).tolist()


def translate(problem: PortChoice) -> Translation:
    """Arrays of a problem; of its contracts only the volumes count, their choice is left to the caller."""
    network = LayeredNetwork.build(problem.corridor)
    services = services_of(problem, network)
    table = problem.demand()
    commodities = tuple(sorted(set(table["commodity_id"].astype(str))))
    number_of = {commodity: number for number, commodity in enumerate(commodities)}
    resources = named_resources(network)
    teu = teu_per_tonne(problem)
    num_days = problem.corridor.config.horizon.days if problem.dated else 1
    graph = table["commodity_id"].astype(str).map(number_of).to_numpy(np.int32)
    origins, destinations = (
        np.array([end(place) for place in table[column]], dtype=np.int64)
        for column, end in (("origin", network.source), ("destination", network.sink))
    )
    graphs: list[DayGraph] = []
    spacings: list[TimeSpaceNetwork | None] = []
    source, sink = origins.copy(), destinations.copy()
    for number, commodity in enumerate(commodities):
        rows = table[table["commodity_id"] == commodity]
        if problem.dated:
            spacing = TimeSpaceNetwork.build(
                network, commodity, num_days, sorted({*rows["origin"], *rows["destination"]})
            )
            mine = graph == number
            source[mine], sink[mine] = spacing.vertex_of[origins[mine]], spacing.vertex_of[destinations[mine]]
            graphs.append(_dated_graph(network, spacing, resources, services, teu[commodity], num_days))
            spacings.append(spacing)
        else:
            graphs.append(_static_graph(network, commodity, resources, services, teu[commodity]))
            spacings.append(None)
    share = 1.0 / DAYS_PER_YEAR if problem.dated else 1.0
    penalty = np.full(len(table), np.inf) if problem.serve_all else table["unserved_usd_per_t"].to_numpy(float)
    zeros = np.zeros(len(table))
    flows = RouteFlowProblem(
        graphs=tuple(graphs),
        graph=graph,
        source=source,
        sink=sink,
        release_day=table["release_day"].to_numpy(np.int64) if problem.dated else zeros.astype(np.int64),
        due_day=table["due_day"].to_numpy(np.int64) if problem.dated else zeros.astype(np.int64),
        late_cost=table["late_usd_per_t_day"].fillna(0.0).to_numpy(float) if problem.dated else zeros,
        quantity=table["quantity_t"].to_numpy(float),
        penalty=penalty,
        first_cell=np.concatenate(
            (np.arange(len(resources)) * num_days, len(resources) * num_days + np.arange(len(services)))
        ).astype(np.int64),
        stride=np.repeat([1, 0], [len(resources), len(services)]).astype(np.int64),
        capacity=np.append(
            np.repeat([resource[3] * share for resource in resources], num_days), [s.most_t for s in services]
        ).astype(np.float64),
        num_days=num_days,
    )
    whole = table["indivisible"].to_numpy(bool) if problem.dated else np.zeros(len(table), dtype=bool)
    flows, origin = split_graphs(flows, whole)
    spacings = [spacings[number] for number in origin]
    return Translation(problem, network, flows, commodities, tuple(spacings), resources, services, whole)


def cheapest_usd_per_t(problem: PortChoice) -> np.ndarray:
    """Cost of the cheapest route of every lane or shipment without any limits; ``inf`` where there is none."""
    flows = translate(problem).flows
    free, unlimited = np.zeros(flows.capacity.size), np.full(flows.capacity.size, np.inf)
    anything = np.full(flows.num_demands, np.inf)
    return Pricing(replace(flows, penalty=anything, capacity=unlimited)).cheapest(free, anything)[0]


def _uses(
    of_arc: list[dict[int, float]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = [len(uses) for uses in of_arc]
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    resource = np.array([r for uses in of_arc for r in uses], dtype=np.int32)
    units = np.array([u for uses in of_arc for u in uses.values()], dtype=np.float64)
    return indptr, resource, units


def _units(unit: str, teu_per_t: float) -> float:
    return 1.0 if unit == "t" else teu_per_t


def _static_graph(
    network: LayeredNetwork, commodity: str, resources: list[tuple[str, str, str, float, np.ndarray]],
    services: tuple[Service, ...], teu_per_t: float,
) -> DayGraph:  # fmt: skip
    of_arc: list[dict[int, float]] = [{} for _ in range(network.num_arcs)]
    for number, (_, _, unit, _, arcs) in enumerate(resources):
        if (units := _units(unit, teu_per_t)) > 0:
            for arc in arcs.tolist():
                of_arc[arc][number] = of_arc[arc].get(number, 0.0) + units
    for number, service in enumerate(services, len(resources)):
        for arc in service.arcs.tolist():
            of_arc[arc][number] = of_arc[arc].get(number, 0.0) + 1.0
    cost = network.arc_costs(commodity).generalised
    return DayGraph(
        network.indptr, network.tail.astype(np.int32), network.head.astype(np.int32),
        np.zeros(network.num_arcs, dtype=np.int64), cost, np.isfinite(cost)[None, :],
        np.full(network.num_vertices, np.inf), *_uses(of_arc),
    )  # fmt: skip


def _dated_graph(
    network: LayeredNetwork, spacing: TimeSpaceNetwork, resources: list[tuple[str, str, str, float, np.ndarray]],
    services: tuple[Service, ...], teu_per_t: float, num_days: int,
) -> DayGraph:  # fmt: skip
    of_arc: list[dict[int, float]] = [{} for _ in range(spacing.num_arcs)]
    for number, (_, _, unit, _, base_arcs) in enumerate(resources):
        if (units := _units(unit, teu_per_t)) > 0:
            for arc in spacing.super_arcs_of(base_arcs)[0].tolist():
                of_arc[arc][number] = units  # a chain takes room once, on the day it starts
    for number, service in enumerate(services, len(resources)):
        for base_arcs in service.passes:
            for arc in spacing.super_arcs_of(base_arcs)[0].tolist():
                of_arc[arc][number] = of_arc[arc].get(number, 0.0) + 1.0
    at_sink = network.vertex_layer[spacing.base_vertex] == SINK_LAYER
    return DayGraph(
        spacing.indptr, spacing.tail, spacing.head, spacing.duration_days, spacing.cost_usd_per_t,
        sailing_days(spacing.sailings_per_week, 0, num_days - 1),
        np.where(at_sink, np.inf, spacing.holding_usd_per_t_day), *_uses(of_arc),
    )  # fmt: skip
