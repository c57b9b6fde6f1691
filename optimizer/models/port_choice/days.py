"""Dated shipments as flows on the network unrolled over the days of the horizon.

One unrolled graph per commodity (``network/timespace.py``), side by side in the same arrays. All days on which a
place can be reached for delivery share one vertex, its sink; being late costs on the last arc. A shipment keeps the
arcs that some way from its release to the end of the horizon uses, and of these (``Pruning``) what is not dearer
than leaving it behind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from optimizer.errors import UsageError
from optimizer.models.port_choice.graph import (
    Demand,
    Floats,
    FlowGraph,
    Ints,
    Limit,
    Pruning,
    named_resources,
    network_legs,
    place_names,
    services_of,
    teu_per_tonne,
)
from optimizer.models.port_choice.problem import DAYS_PER_YEAR, PortChoice
from optimizer.network.layered import SINK_LAYER, LayeredNetwork
from optimizer.network.paths import shortest_path_tree
from optimizer.network.timespace import TimeSpaceNetwork
from optimizer.network.unrolled import HELD, TimeSpaceArrays

MOST_FLOWS = 3_000_000
"""Flow variables from which a model is refused: it would take gigabytes and hours."""


@dataclass(frozen=True)
class Unrolled:
    """One commodity over the days: numbers of its vertices and arcs start at ``first_vertex`` and ``first_arc``."""

    spacing: TimeSpaceNetwork
    arrays: TimeSpaceArrays
    first_vertex: int
    first_arc: int
    tail: Ints
    head: Ints  # all days of a sink in one vertex, that of day 0
    arrival_day: Ints
    turned: Ints
    turned_indptr: Ints
    waits: dict[int, int]  # vertex on a day -> arc of waiting there for the next day

    @classmethod
    def build(
        cls, network: LayeredNetwork, commodity_id: str, days: int, places: set[str], first_vertex: int, first_arc: int
    ) -> Unrolled:
        spacing = TimeSpaceNetwork.build(network, commodity_id, days, sorted(places))
        arrays = spacing.time_space_arrays(0, days - 1)
        is_sink = network.vertex_layer[spacing.base_vertex] == SINK_LAYER
        vertex = arrays.head % arrays.num_vertices
        head = np.where(is_sink[vertex], vertex, arrays.head).astype(np.int64)
        turned = np.argsort(head, kind="stable")
        counts = np.bincount(head, minlength=arrays.num_vertices * days)
        waits = {int(arrays.tail[arc]): int(arc) for arc in np.flatnonzero(arrays.arc == HELD)}
        return cls(
            spacing, arrays, first_vertex, first_arc, arrays.tail.astype(np.int64), head,
            (arrays.head // arrays.num_vertices).astype(np.int64), turned,
            np.concatenate(([0], np.cumsum(counts))), waits,
        )  # fmt: skip

    def before(self, vertex: int) -> Floats:
        """Cheapest cost from a vertex on its day to every vertex on every day."""
        return shortest_path_tree(self.arrays.indptr, self.head, self.arrays.cost_usd_per_t, vertex)[0]

    def after(self, sink: int, cost: Floats) -> Floats:
        """Cheapest cost to a sink from every vertex on every day, at the given costs of arcs."""
        return shortest_path_tree(self.turned_indptr, self.tail[self.turned], cost[self.turned], sink)[0]

    def with_lateness(self, sink: int, due_day: int, late_usd_per_t_day: float) -> Floats:
        """Costs of arcs for loads that should be at the sink by a day."""
        late_days = np.maximum(self.arrival_day - due_day, 0)
        return self.arrays.cost_usd_per_t + np.where(self.head == sink, late_days * late_usd_per_t_day, 0.0)


@dataclass(frozen=True)
class DatedGraph(FlowGraph):
    """A flow graph over days; see :class:`FlowGraph`."""

    unrolled: dict[str, Unrolled] = field(repr=False)
    deadlines: dict[str, tuple[int, int, float]] = field(repr=False)  # demand -> release day, due day, USD/t a day late

    def arc_usd_per_t(self, demand: Demand) -> Floats:
        mine = self.unrolled[demand.commodity_id]
        _release_day, due_day, late = self.deadlines[demand.demand_id]
        cost = np.full(len(self.tail), np.inf)
        cost[mine.first_arc : mine.first_arc + len(mine.tail)] = mine.with_lateness(
            demand.sink - mine.first_vertex, due_day, late
        )
        return cost

    def route_usd_per_t(self, demand: Demand, arcs: Sequence[int]) -> float:
        mine = self.unrolled[demand.commodity_id]
        _release_day, due_day, late = self.deadlines[demand.demand_id]
        cost = mine.arrays.cost_usd_per_t[np.array(arcs, dtype=np.int64) - mine.first_arc].sum()
        arrival = int(mine.arrival_day[arcs[-1] - mine.first_arc])
        return float(cost) + max(arrival - due_day, 0) * late

    def without_loops(self, arcs: tuple[int, ...]) -> tuple[int, ...]:
        """A detour that comes back to a place and layer becomes a wait there, which is never dearer."""
        if not arcs:
            return arcs
        mine = next(u for u in self.unrolled.values() if u.first_arc <= arcs[0] < u.first_arc + len(u.tail))
        n = mine.arrays.num_vertices
        path: list[int] = []
        left_at: dict[int, int] = {int(mine.tail[arcs[0] - mine.first_arc]) % n: 0}
        for arc in (arc - mine.first_arc for arc in arcs):
            path.append(arc)
            vertex = int(mine.head[arc]) % n
            if vertex in left_at and mine.arrays.arc[arc] != HELD:
                start = left_at[vertex]
                # Where waiting began at the first visit, go on waiting from the day of that visit.
                first_day = int(mine.tail[path[start]]) // n
                waits = [mine.waits[day * n + vertex] for day in range(first_day, int(mine.arrival_day[arc]))]
                path = path[:start] + waits
                left_at = {v: k for v, k in left_at.items() if k <= start}
            left_at.setdefault(vertex, len(path))
        return tuple(arc + mine.first_arc for arc in path)

    def legs(self, demand: Demand, arcs: Sequence[int]) -> list[dict[str, object]]:
        mine = self.unrolled[demand.commodity_id]
        legs: list[dict[str, object]] = []
        chain = 0
        for arc in (arc - mine.first_arc for arc in arcs):
            super_arc = int(mine.arrays.arc[arc])
            if super_arc == HELD:
                continue
            rows = network_legs(self.network, mine.spacing.base_arcs_of(super_arc).tolist())
            chain += bool(rows)
            days = {"depart_day": int(mine.arrays.departure_day[arc]), "arrive_day": int(mine.arrival_day[arc])}
            legs += [row | days | {"chain": chain} for row in rows]
        return legs

    def route_days(self, demand: Demand, arcs: Sequence[int]) -> dict[str, object]:
        mine = self.unrolled[demand.commodity_id]
        moves = [leg["depart_day"] for leg in self.legs(demand, arcs)]
        arrive_day = int(mine.arrival_day[arcs[-1] - mine.first_arc])
        return {"depart_day": moves[0] if moves else arrive_day, "arrive_day": arrive_day}


def dated_graph(problem: PortChoice) -> DatedGraph:
    """
    Shipments on the unrolled network.

    Raises
    ------
    UsageError
        When the model would have more than ``MOST_FLOWS`` flow variables.
    """
    network = LayeredNetwork.build(problem.corridor)
    days = problem.corridor.config.horizon.days
    table = problem.demand()
    unrolled: dict[str, Unrolled] = {}
    first_vertex = first_arc = 0
    for commodity_id in sorted(set(table["commodity_id"])):
        mine = table[table["commodity_id"] == commodity_id]
        places = {*mine["origin"], *mine["destination"]}
        unrolled[commodity_id] = Unrolled.build(network, commodity_id, days, places, first_vertex, first_arc)
        first_vertex += unrolled[commodity_id].arrays.num_vertices * days
        first_arc += len(unrolled[commodity_id].tail)
    demands, deadlines = _demands(problem, network, unrolled)
    info = list(unrolled.values())
    arc_owner = np.repeat(np.arange(len(info)), [len(u.tail) for u in info])
    vertex_owner = np.repeat(np.arange(len(info)), [u.arrays.num_vertices * days for u in info])

    def vertex_label(vertex: int) -> str:
        mine = info[vertex_owner[vertex]]
        day, own = divmod(vertex - mine.first_vertex, mine.arrays.num_vertices)
        base = mine.spacing.base_vertex[own]
        return f"{network.vertex_node[base]}_{network.vertex_layer[base]}_day{day}"

    def label(arc: int) -> str:
        mine = info[arc_owner[arc]]
        super_arc = int(mine.arrays.arc[arc - mine.first_arc])
        assets = [] if super_arc == HELD else network.asset[mine.spacing.base_arcs_of(super_arc)].tolist()
        what = "wait" if super_arc == HELD else "_".join([*assets[:1], *assets[-1:]][: len(assets)]) or "door"
        return f"{what}_from_{vertex_label(int(mine.tail[arc - mine.first_arc]) + mine.first_vertex)}"

    return DatedGraph(
        problem, network, np.concatenate([u.tail + u.first_vertex for u in info]), np.concatenate([u.head +
        u.first_vertex for u in info]), demands, _daily_limits(network, info), services_of(problem, network, lambda
        base_arcs: _arcs_over(base_arcs, info)), label, vertex_label, unrolled, deadlines,
    )  # fmt: skip


def _demands(
    problem: PortChoice, network: LayeredNetwork, unrolled: dict[str, Unrolled]
) -> tuple[tuple[Demand, ...], dict[str, tuple[int, int, float]]]:
    pick, teu, names = Pruning.of(problem), teu_per_tonne(problem), place_names(problem)

    @cache
    def before(commodity_id: str, vertex: int) -> Floats:
        return unrolled[commodity_id].before(vertex)

    @cache
    def cost_and_after(commodity_id: str, sink: int, due_day: int, late: float) -> tuple[Floats, Floats]:
        cost = unrolled[commodity_id].with_lateness(sink, due_day, late)
        return cost, unrolled[commodity_id].after(sink, cost)

    demands: list[Demand] = []
    deadlines = {}
    num_flows = 0
    for row in problem.demand().to_dict("records"):
        commodity_id, penalty = str(row["commodity_id"]), float(row["unserved_usd_per_t"])
        release_day, due_day, late = int(row["release_day"]), int(row["due_day"]), float(row["late_usd_per_t_day"])
        mine = unrolled[commodity_id]
        sink = int(mine.spacing.vertex_of[network.sink(row["destination"])])
        start = mine.arrays.number(int(mine.spacing.vertex_of[network.source(row["origin"])]), release_day)
        cost, after = cost_and_after(commodity_id, sink, due_day, late)
        through = before(commodity_id, start)[mine.tail] + cost + after[mine.head]
        arcs = pick(through, penalty)
        num_flows += len(arcs)
        if num_flows > MOST_FLOWS:
            raise UsageError(
                f"the dated model needs more than {MOST_FLOWS:,} flow variables ({len(demands) + 1} of "
                f"{len(problem.demand())} shipments over {problem.corridor.config.horizon.days} days counted); shorten "
                "the horizon, merge shipments, or plan the annual lanes (without dates)"
            )
        whole = bool(row["indivisible"])
        demand_id, place = str(row["demand_id"]), f"{names[row['origin']]} > {names[row['destination']]}"
        deadlines[demand_id] = (release_day, due_day, late)
        demands.append(
            Demand(
                demand_id, place, commodity_id, float(row["quantity_t"]), penalty, teu[commodity_id],
                start + mine.first_vertex, sink + mine.first_vertex, arcs + mine.first_arc,
                cost[arcs], float(after[start]), (commodity_id, sink, due_day, late, demand_id if whole else ""), whole,
            )
        )  # fmt: skip
    return tuple(demands), deadlines


def _daily_limits(network: LayeredNetwork, info: Sequence[Unrolled]) -> tuple[Limit, ...]:
    """A 365th of every annual capacity for the moves that start on a day."""
    limits = []
    departure_day = np.concatenate([mine.arrays.departure_day for mine in info])
    for resource, place, unit, capacity, base_arcs in named_resources(network):
        by_day: dict[int, list[int]] = defaultdict(list)
        arcs = _arcs_over(base_arcs, info)
        for arc, day in zip(arcs.tolist(), departure_day[arcs].tolist(), strict=True):
            by_day[day].append(arc)
        limits += [
            Limit(resource, place, day, unit, capacity / DAYS_PER_YEAR, np.array(arcs))
            for day, arcs in sorted(by_day.items())
        ]
    return tuple(limits)


def _arcs_over(base_arcs: Ints, info: Sequence[Unrolled]) -> Ints:
    """Arcs of the unrolled graphs that pass any of some arcs of the layered network."""
    found: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for mine in info:
        covered = np.zeros(mine.spacing.num_arcs + 1, dtype=bool)  # the last entry answers for HELD
        covered[mine.spacing.super_arcs_of(base_arcs)[0]] = True
        found.append(mine.first_arc + np.flatnonzero(covered[np.where(mine.arrays.arc == HELD, -1, mine.arrays.arc)]))
    return np.concatenate(found)
