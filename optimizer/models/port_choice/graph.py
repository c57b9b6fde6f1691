"""The question as flows on one graph: what each lane may use and what it costs, which limits are shared, what a
contract opens.

Annual lanes live on the layered network itself, dated shipments on its unrolling over the days (``days.py``). Both
formulations of the family start from here, and neither knows whether days are in play.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from optimizer.models.port_choice.problem import PortChoice
from optimizer.network.layered import (
    ACCESS,
    HANDLING,
    LANDING_LAYER,
    LINK,
    SEA,
    SINK_LAYER,
    SOURCE_LAYER,
    LayeredNetwork,
)
from optimizer.network.paths import shortest_path_tree

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
KIND_NAMES = {LINK: "link", SEA: "sea", HANDLING: "handling"}


@dataclass(frozen=True)
class Demand:
    """A lane or shipment.

    Attributes
    ----------
    arcs, cost_usd_per_t
        Shape (n,): arcs some route worth taking uses, ascending, and their cost.
    cheapest_usd_per_t
        Cost of the cheapest route without any limits; ``inf`` when there is none.
    group
        Demands with equal groups share sink and arc costs, so that their tonnes may be mixed.
    indivisible
        All its tonnes take one route, or all stay behind; such a demand has a group of its own.
    """

    demand_id: str
    place: str
    commodity_id: str
    quantity_t: float
    penalty_usd_per_t: float
    teu_per_t: float
    source: int
    sink: int
    arcs: Ints
    cost_usd_per_t: Floats
    cheapest_usd_per_t: float
    group: Hashable
    indivisible: bool = False


@dataclass(frozen=True)
class Limit:
    """A capacity over all of ``arcs``, in tonnes or TEU; ``resource`` is its name in plans, ``place`` for people."""

    resource: str
    place: str
    day: int | None
    unit: str
    capacity: float
    arcs: Ints


@dataclass(frozen=True)
class Service:
    """A contract with its volumes and fixed cost for the time the plan covers; ``most_t`` may be ``inf``.

    ``passes`` holds the arcs of each of its assets (each direction of a sea leg by itself): no route uses two of one
    entry.
    """

    contract_id: str
    fixed_usd: float
    least_t: float
    most_t: float
    passes: tuple[Ints, ...]

    @property
    def arcs(self) -> Ints:
        """Arcs that count for the volume; one that passes several assets stands there as often."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self.passes])


@dataclass(frozen=True)
class FlowGraph:
    """Demands, limits and services on the arcs ``tail[a] -> head[a]``; ``label(a)`` names an arc in an exported
    model."""

    problem: PortChoice
    network: LayeredNetwork
    tail: npt.NDArray[np.integer]
    head: npt.NDArray[np.integer]
    demands: tuple[Demand, ...]
    limits: tuple[Limit, ...]
    services: tuple[Service, ...]
    label: Callable[[int], str]
    vertex_label: Callable[[int], str]

    def arc_usd_per_t(self, demand: Demand) -> Floats:
        """Cost of every arc for a demand, ``inf`` where it may not pass."""
        return self.network.arc_costs(demand.commodity_id).generalised

    def route_usd_per_t(self, demand: Demand, arcs: Sequence[int]) -> float:
        """Cost of a tonne over the arcs of a route."""
        return float(self.arc_usd_per_t(demand)[list(arcs)].sum())

    def without_loops(self, arcs: tuple[int, ...]) -> tuple[int, ...]:
        """The route without detours that come back to where it was."""
        return arcs

    def legs(self, demand: Demand, arcs: Sequence[int]) -> list[dict[str, object]]:
        """Rows of ``legs`` (without route and sequence) of a route."""
        return network_legs(self.network, arcs)

    def route_days(self, demand: Demand, arcs: Sequence[int]) -> dict[str, object]:
        """First and last day of a route; blank without dates."""
        return {"depart_day": None, "arrive_day": None}

    def use(self, limit: Limit, demand: Demand) -> float:
        """Units of the limit that a tonne of the demand takes."""
        return 1.0 if limit.unit == "t" else demand.teu_per_t

    def uncongested_bound(self) -> float:
        """Every tonne on its cheapest route or unserved, no limit and no fixed cost: a lower bound on every plan,
        USD."""
        serve_all = self.problem.serve_all
        best = [
            d.cheapest_usd_per_t if serve_all else min(d.cheapest_usd_per_t, d.penalty_usd_per_t) for d in self.demands
        ]
        return float(sum(d.quantity_t * usd for d, usd in zip(self.demands, best, strict=True)))


def static_graph(problem: PortChoice) -> FlowGraph:
    """Annual lanes on the layered network."""
    network = LayeredNetwork.build(problem.corridor)
    pick = Pruning.of(problem)
    turned = np.argsort(network.head, kind="stable")
    turned_indptr = np.concatenate(([0], np.cumsum(np.bincount(network.head, minlength=network.num_vertices))))

    @cache
    def distances_from(commodity_id: str, vertex: int) -> Floats:
        return shortest_path_tree(network.indptr, network.head, network.arc_costs(commodity_id).generalised, vertex)[0]

    @cache
    def distances_to(commodity_id: str, vertex: int) -> Floats:
        weight = network.arc_costs(commodity_id).generalised[turned]
        return shortest_path_tree(turned_indptr, network.tail[turned], weight, vertex)[0]

    teu = teu_per_tonne(problem)
    names = place_names(problem)
    demands = []
    for row in problem.demand().to_dict("records"):
        commodity_id, penalty = str(row["commodity_id"]), float(row["unserved_usd_per_t"])
        source, sink = network.source(row["origin"]), network.sink(row["destination"])
        cost = network.arc_costs(commodity_id).generalised
        before, after = distances_from(commodity_id, source), distances_to(commodity_id, sink)
        arcs = pick(before[network.tail] + cost + after[network.head], penalty)
        demands.append(
            Demand(
                str(row["demand_id"]), f"{names[row['origin']]} > {names[row['destination']]}", commodity_id,
                float(row["quantity_t"]), penalty, teu[commodity_id], source, sink, arcs, cost[arcs],
                float(before[sink]), (commodity_id, sink),
            )
        )  # fmt: skip
    limits = tuple(
        Limit(resource, resource_place, None, unit, capacity, arcs)
        for resource, resource_place, unit, capacity, arcs in named_resources(network)
    )

    def vertex_label(vertex: int) -> str:
        return f"{network.vertex_node[vertex]}_{network.vertex_layer[vertex]}"

    def label(arc: int) -> str:
        asset = network.asset[arc] if network.kind[arc] != ACCESS else "door"
        return f"{asset}_from_{vertex_label(int(network.tail[arc]))}"

    return FlowGraph(
        problem, network, network.tail, network.head, tuple(demands), limits,
        services_of(problem, network), label, vertex_label,
    )  # fmt: skip


def network_legs(network: LayeredNetwork, arcs: Sequence[int]) -> list[dict[str, object]]:
    """Links, sea legs and handlings of arcs of the layered network, in order; access to the doors is no leg."""
    plain = {SOURCE_LAYER: "door", SINK_LAYER: "door", LANDING_LAYER: "sea"}
    legs: list[dict[str, object]] = []
    for arc in arcs:
        if network.kind[arc] == ACCESS:
            continue
        leg: dict[str, object] = {"kind": KIND_NAMES[int(network.kind[arc])], "asset_id": network.asset[arc]}
        for end, vertex in (("from", network.tail[arc]), ("to", network.head[arc])):
            layer = network.vertex_layer[vertex]
            leg |= {f"{end}_node": network.vertex_node[vertex], f"{end}_layer": plain.get(layer, layer)}
        legs.append(leg)
    return legs


@dataclass(frozen=True)
class Pruning:
    """Which arcs a demand can do without.

    No best plan sends a tonne over a route dearer than leaving it behind: unserved, it frees capacity. So an arc
    stays only if the cheapest walk from source to sink over it costs at most the penalty. That argument fails where
    tonnes must move at a loss, to serve all or to fill the least volume of a contract; then every arc on some walk
    stays.
    """

    by_penalty: bool

    @classmethod
    def of(cls, problem: PortChoice) -> Pruning:
        must_fill = bool((problem.corridor.table("contracts")["min_t_per_year"] > 0).any())
        return cls(by_penalty=not (problem.serve_all or must_fill))

    def __call__(self, through_usd_per_t: Floats, penalty_usd_per_t: float) -> Ints:
        """Arcs to keep, given the cost of the cheapest walk through each."""
        # A little slack: the sums of the two searches round differently from the sum along the route.
        limit = penalty_usd_per_t * (1 + 1e-9) + 1e-9 if self.by_penalty else np.inf
        return np.flatnonzero(np.isfinite(through_usd_per_t) & (through_usd_per_t <= limit))


def teu_per_tonne(problem: PortChoice) -> dict[str, float]:
    """Commodity -> TEU in ports of a tonne."""
    commodities = problem.corridor.table("commodities")
    boxes = commodities["cargo_form"] == "container"
    teu = np.where(boxes, 2.0 / commodities["load_t_per_feu"].to_numpy(float), 0.0)
    return dict(zip(commodities["commodity_id"].astype(str), teu.tolist(), strict=True))


def place_names(problem: PortChoice) -> dict[str, str]:
    """Place id -> name."""
    nodes = problem.corridor.table("nodes")
    return {str(node): str(name) or str(node) for node, name in zip(nodes["node_id"], nodes["name"], strict=True)}


def named_resources(network: LayeredNetwork) -> list[tuple[str, str, str, float, Ints]]:
    """Name in plans, name for people, unit, annual capacity and arcs of every limit of the network."""
    found = []
    links = set(network.corridor.table("links")["link_id"])
    for resource in network.resources():
        first = int(resource.arcs[0])
        if resource.name.startswith("port "):
            name = f"port {network.vertex_node[network.tail[first]]} {resource.unit}"
            place = f"port {resource.place}"
        elif (
            len(resource.arcs) == 1
            and resource.name in links
            and network.asset[first] == resource.name
            and network.kind[first] == LINK
        ):
            name = f"link {resource.name} from {network.vertex_node[network.tail[first]]}"
            place = f"link {resource.name}, {resource.place}"
        else:
            name, place = f"handling {resource.name}", f"handling {resource.name} at {resource.place}"
        found.append((name, place, resource.unit, resource.capacity_per_year, resource.arcs))
    return found


def services_of(
    problem: PortChoice, network: LayeredNetwork, arcs_over: Callable[[Ints], Ints] = lambda base_arcs: base_arcs
) -> tuple[Service, ...]:
    """Contracts; ``arcs_over`` gives the arcs of the graph that pass arcs of the layered network."""
    share = problem.year_share
    found = []
    for row in problem.corridor.table("contracts").itertuples(index=False):
        passes: dict[tuple[int, str, bool], list[int]] = defaultdict(list)
        for arc in np.flatnonzero(np.isin(network.asset.astype(str), list(row.assets))).tolist():
            kind = int(network.kind[arc])
            # A ship's landing is a vertex of its own, so only a sea leg could be sailed to and fro without a loop.
            passes[kind, network.asset[arc], kind == SEA and bool(network.backward[arc])].append(arc)
        most = row.max_t_per_year * share if row.max_t_per_year == row.max_t_per_year else np.inf
        found.append(
            Service(
                str(row.contract_id),
                row.fixed_cost_usd_per_year * share,
                row.min_t_per_year * share,
                most,
                tuple(arcs_over(np.array(base_arcs)) for base_arcs in passes.values()),
            )
        )
    return tuple(found)
