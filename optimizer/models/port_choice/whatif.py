"""What if: ways of one lane or shipment by itself, and the whole question solved again with one thing changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from optimizer.data.scenario import apply_scenario, expand
from optimizer.data.schema.settings import Closures
from optimizer.errors import VerificationError
from optimizer.flows.routes.engine import solve_route_flow
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY
from optimizer.models.port_choice.compact import solve_compact
from optimizer.models.port_choice.comparing.compare import Solved
from optimizer.models.port_choice.engine import plan_tables, solve_translation
from optimizer.models.port_choice.exact import Formulation
from optimizer.models.port_choice.graph import FlowGraph, teu_per_tonne
from optimizer.models.port_choice.problem import DAYS_PER_YEAR, TOLERANCE, PortChoice
from optimizer.models.port_choice.routeflow import translate
from optimizer.models.port_choice.shippers.observed import gate_arcs
from optimizer.models.port_choice.trips import Trip, Trips, Use
from optimizer.network.layered import HANDLING, LayeredNetwork
from optimizer.result import Outcome, Status
from optimizer.solvers.watch import Watch

Arcs = frozenset[int]


def only_demand(problem: PortChoice, demand_id: str) -> PortChoice:
    """The problem of one lane or shipment that may stay behind."""
    name = problem.demand_table
    table = problem.corridor.table(name)
    mine = table[table["shipment_id" if problem.dated else "lane_id"] == demand_id]
    return replace(problem, serve_all=False, corridor=problem.corridor.with_tables({name: mine}))


class Ways:
    """
    Cheapest ways of one lane or shipment by itself: no limit binds, but what has no capacity at all is closed.

    Parameters
    ----------
    taken
        Contracts whose assets are open, at no further cost; those of the others are closed.
    """

    def __init__(self, problem: PortChoice, demand_id: str, taken: Collection[str]) -> None:
        self.problem = only_demand(problem, demand_id)
        translation = translate(self.problem)
        flows = translation.flows
        self.network = translation.network
        self._taken = [service.contract_id in taken for service in translation.services]
        self._untaken: Arcs = frozenset(
            arc
            for service, is_taken in zip(translation.services, self._taken, strict=True)
            if not is_taken
            for arc in service.arcs.tolist()
        )
        capacity = np.where(flows.capacity > 0, np.inf, 0.0)
        self.dearer_usd_per_t = translation.dearer_than_any_route
        penalty = np.full(1, self.dearer_usd_per_t)
        self._translation = replace(translation, flows=replace(flows, capacity=capacity, penalty=penalty))

    def cheapest(self, closed: Collection[int] = ()) -> Trip | None:
        """The cheapest way that passes none of the closed arcs of the network; None where there is none."""
        flows = self._translation.without(self._untaken | set(closed))
        result = solve_route_flow(flows, SolveOptions())
        tables, _ = plan_tables(replace(self._translation, flows=flows), result, self._taken)
        trips = Trips(self.problem, tables).trips
        return trips[0] if trips else None


@dataclass(frozen=True)
class Features:
    """Arcs of a network by what a planner calls them."""

    network: LayeredNetwork

    @cached_property
    def gates(self) -> Mapping[str, Arcs]:
        """Sea port -> handlings between land and sea there."""
        return self._by_place(gate_arcs(self.network))

    @cached_property
    def gauge_changes(self) -> Mapping[str, Arcs]:
        """Place -> handlings between two gauges there."""
        network = self.network
        tail, head = (network.vertex_layer[end].astype(str) for end in (network.tail, network.head))
        rail = np.char.startswith(tail, "rail-") & np.char.startswith(head, "rail-")
        return self._by_place(np.flatnonzero((network.kind == HANDLING) & rail & (tail != head)))

    def border(self, one: str, other: str) -> Arcs:
        """Links between two countries."""
        nodes = self.network.corridor.table("nodes")
        country = dict(zip(nodes["node_id"], nodes["country"], strict=True))
        ends = zip(*(self.network.vertex_node[end] for end in (self.network.tail, self.network.head)), strict=True)
        return frozenset(arc for arc, (a, b) in enumerate(ends) if {country[a], country[b]} == {one, other})

    def asset(self, name: str) -> Arcs:
        """Arcs of a link, sea leg or handling."""
        return frozenset(np.flatnonzero(self.network.asset == name).tolist())

    def named(self, name: str) -> Arcs:
        """Arcs of a link, sea leg or handling, or all into and out of a place; empty when there is no such thing."""
        network = self.network
        tails, heads = (network.vertex_node[end] == name for end in (network.tail, network.head))
        handled = (network.kind == HANDLING) & tails
        return self.asset(name) | frozenset(np.flatnonzero((tails != heads) | handled).tolist())

    def all_but(self, kind: Mapping[str, Arcs], name: str, ends: Collection[str]) -> Arcs:
        """What to close so that of one kind (gates, gauge changes) only ``name`` can be passed, and the lane's ends."""
        return frozenset(arc for place, arcs in kind.items() if place != name and place not in ends for arc in arcs)

    def _by_place(self, arcs: np.ndarray) -> Mapping[str, Arcs]:
        places = self.network.vertex_node[self.network.tail[arcs]]
        return {str(place): frozenset(arcs[places == place].tolist()) for place in sorted(set(places.tolist()))}


def solve_held(problem: PortChoice, demand_id: str, closed: Collection[int], options: SolveOptions) -> Solved | None:
    """
    The whole problem again with arcs closed to one lane or shipment; None when there is no plan within the limits.

    All others are free to take the room it leaves, and give room where it goes.
    """
    number = problem.demand()["demand_id"].tolist().index(demand_id)
    outcome, _ = solve_translation(translate(problem).holding_back(number, closed), options)
    if outcome.status is not Status.OPTIMAL and not problem.dated:
        # Least volumes, or all to be served: the compact model of annual lanes is small and leaves no gap.
        exact = solve_compact(problem, options, lambda graph, watch: _held_back(graph, number, closed, watch), _unsaid)
        if exact.cost is not None and (outcome.cost is None or exact.cost <= outcome.cost):
            outcome = exact
    return _checked(problem, outcome)


def _held_back(graph: FlowGraph, number: int, closed: Collection[int], watch: Watch | None) -> Formulation:
    demand = graph.demands[number]
    keep = ~np.isin(demand.arcs, list(closed))
    mine = replace(demand, arcs=demand.arcs[keep], cost_usd_per_t=demand.cost_usd_per_t[keep])
    demands = (*graph.demands[:number], mine, *graph.demands[number + 1 :])
    return Formulation(replace(graph, demands=demands), watch=watch)


def _unsaid(graph: FlowGraph, options: SolveOptions) -> tuple[str, ...]:
    return ()


def solve_again(problem: PortChoice, options: SolveOptions) -> Solved | None:
    """A changed problem solved; None when there is no plan."""
    return _checked(problem, FAMILY.methods["engine"](problem, options))


def _checked(problem: PortChoice, outcome: Outcome) -> Solved | None:
    if outcome.solution is None or outcome.cost is None:
        return None
    if broken := FAMILY.verify(problem, outcome.solution, outcome.cost):
        raise VerificationError(f"the plan of a changed problem breaks a rule; this is a defect: {broken[0]}")
    bound = -np.inf if outcome.bound is None else min(outcome.bound, outcome.cost)
    return Solved(problem, outcome.status, outcome.solution, outcome.cost, bound)


def with_penalty(problem: PortChoice, demand_id: str, usd_per_t: float) -> PortChoice:
    """The problem in which leaving a tonne of one lane or shipment behind costs so much."""
    name, key = problem.demand_table, "shipment_id" if problem.dated else "lane_id"
    table = problem.corridor.table(name)
    changed = table.assign(unserved_usd_per_t=table["unserved_usd_per_t"].where(table[key] != demand_id, usd_per_t))
    return replace(problem, corridor=problem.corridor.with_tables({name: changed}))


def with_more(problem: PortChoice, resource: str, units: float) -> PortChoice:
    """The problem with more of a capacity as plans name it, in its unit and (when dated) a day; both ways of a link."""
    corridor = problem.corridor
    units = units * DAYS_PER_YEAR if problem.dated else units
    kind, _, rest = resource.partition(" ")
    if kind == "link":
        name, key, target = "links", "link_id", rest.rsplit(" from ", 1)[0]
        column, scale = "capacity_mt_per_year", 1e-6
    elif kind == "handling":
        name, key, target = "handlings", "handling_id", rest
        column, scale = "capacity_t_per_day", 1 / corridor.config.port_choice.transfer_capacity_days
    else:
        target, unit = rest.rsplit(" ", 1)
        name, key = "ports", "node_id"
        column, scale = ("capacity_mt_per_year", 1e-6) if unit == "t" else ("capacity_teu_per_year", 1.0)
    table = corridor.table(name)
    # a hair more, so that rounding does not leave a gram behind
    more = table[column] + units * scale * (1 + 1e-9)
    changed = table.assign(**{column: table[column].where(table[key] != target, more)})
    return replace(problem, corridor=corridor.with_tables({name: changed}))


def everything_open(problem: PortChoice) -> PortChoice:
    """The problem without the closures of its scenarios."""
    corridor = problem.corridor
    instance = corridor.instance
    stack, _ = expand(instance.scenarios, corridor.scenario)
    opened = {name: instance.scenarios[name].model_copy(update={"close": Closures(), "extends": ()}) for name in stack}
    open_corridor = apply_scenario(replace(instance, scenarios=opened), tuple(stack))
    return replace(problem, corridor=open_corridor)


@dataclass(frozen=True)
class Room:
    """A capacity on a way on the day it is passed: what a tonne takes, what is free, what a unit is worth to others."""

    limit: Use
    day: int | None
    units_per_t: float

    @property
    def free(self) -> float:
        return self.limit.limit - self.limit.used.get(self.day, 0.0)

    @property
    def is_full(self) -> bool:
        return self.free <= TOLERANCE * max(1.0, self.limit.limit)

    @property
    def usd_per_t(self) -> float:
        return self.units_per_t * self.limit.price.get(self.day, 0.0)


def rooms(plan: Trips, trip: Trip) -> list[Room]:
    """Capacities that a way passes, as ``plan`` fills and prices them; a chain of links takes each of them once."""
    teu = teu_per_tonne(plan.problem)[trip.demand["commodity_id"]]
    moves = plan.moves(trip)
    return [
        Room(limit, day, 1.0 if limit.unit == "t" else teu)
        for limit in plan.limits
        for day in sorted({day for arc, day in moves if arc in limit.arcs}, key=str)
        if limit.unit == "t" or teu
    ]


def tonnes_by_way(plan: Trips) -> dict[tuple[str, str], float]:
    """(Demand, way in short) -> tonnes; what stays behind stands under its own name."""
    found: dict[tuple[str, str], float] = {}
    for trip in plan.trips:
        key = str(trip.demand["demand_id"]), plan.gist(trip)
        found[key] = found.get(key, 0.0) + trip.quantity_t
    for row in plan.solution["unserved"].to_dict("records"):
        found[str(row["demand_id"]), "left behind"] = float(row["quantity_t"])
    return found
