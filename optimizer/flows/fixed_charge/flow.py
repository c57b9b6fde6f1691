"""
Services on the flow of one commodity: min-cost flows over given services, and a bound from how many a cut must use.

Where all demands start at one node and each service is one arc, the best flows over given services are a min-cost flow,
and so is the relaxation in which a tonne over a service pays its fixed cost by its volume. Milliseconds each, so
thousands of sets of services can be tried.

Bound. Of a set of services that no route avoids, at least as many are used as hold all that must be served, say n. A
premium w for each of them, paid n times and taken off their fixed costs, leaves a relaxation of the same kind::

    L(w) = n w + min over flows x within m of  sum_a c_a x_a + sum_s (f_s - w) y_s,   x_s / m_s <= y_s <= 1

concave in w; one premium for each cut is raised in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ortools.graph.python import min_cost_flow

from optimizer.flows.fixed_charge.graph import RouteGraph
from optimizer.flows.fixed_charge.problem import Columns, FixedChargeProblem, Flags, Floats, Ints

UNITS = (1, 10, 100, 1000)
"""Parts of a tonne tried for whole numbers."""
LARGEST_COST = 1e6
"""Whole numbers that the costs of a solve are scaled to; larger ones take longer."""
SEARCH_STEPS = 8
"""Points at which a premium is tried, by golden section."""
ROUNDS = 2
STEEPEST = 100.0
"""Slopes end at so many times the largest fixed cost by volume."""


@dataclass(frozen=True)
class OpenPlan:
    """Services in use, tonnes on every arc of the graph, cost."""

    used: Flags
    flow_t: Floats
    cost: float


class ServiceFlow:
    """Min-cost flows over the graph of a problem that :func:`fits`."""

    def __init__(self, problem: FixedChargeProblem, graph: RouteGraph, unit: int) -> None:
        self.problem, self.graph, self.unit = problem, graph, unit
        self.arc_of = np.full(problem.fixed_cost.size, -1)
        on = np.flatnonzero(graph.service >= 0)
        self.arc_of[graph.service[on]] = on
        total = float(problem.quantity.sum())
        self.most = np.minimum(problem.most, total)
        self.origin = int(graph.origin[0])
        into, out = (np.bincount(end, minlength=graph.nodes) for end in (graph.head, graph.tail))
        need = np.zeros(graph.nodes)
        np.add.at(need, graph.destination, problem.quantity)
        # The one service an arc's load must have passed before, or will pass after: closed, it closes the arc.
        gate_in, gate_out = np.full(graph.nodes, -1), np.full(graph.nodes, -1)
        gate_in[graph.head[on]] = np.where(into[graph.head[on]] == 1, graph.service[on], -1)
        alone = (out[graph.tail[on]] == 1) & (need[graph.tail[on]] == 0)
        gate_out[graph.tail[on]] = np.where(alone, graph.service[on], -1)
        self.gates = np.stack([graph.service, gate_in[graph.tail], gate_out[graph.head]])
        limits = np.append(self.most, total)
        end = np.where(out[graph.head] == 0, need[graph.head], total)
        self.capacity = np.minimum(limits[self.gates].min(axis=0), end)
        staying = np.isfinite(problem.penalty)
        self.penalty_node = graph.destination[staying]
        self.penalty = problem.penalty[staying]
        self.tail = np.concatenate([graph.tail, np.full(self.penalty.size, self.origin)]).astype(np.int32)
        self.head = np.concatenate([graph.head, self.penalty_node]).astype(np.int32)
        self.limit = np.floor(np.concatenate([self.capacity, problem.quantity[staying]]) * unit + 1e-6).astype(np.int64)
        supply = -need
        supply[self.origin] += total
        self.supply = np.round(supply * unit).astype(np.int64)
        spread = problem.fixed_cost / np.maximum(self.most, 1e-9)
        self.steepest = STEEPEST * float(spread.max(initial=0.0))
        self.tried: dict[bytes, OpenPlan | None] = {}

    def solve(self, slope: Floats, is_open: Flags) -> tuple[Floats, Floats, float] | None:
        """Tonnes of arcs and of services, and the cost at slopes (rounded down); None where the demand does not fit."""
        open_ = np.append(is_open & (self.limit[self.arc_of] > 0), True)
        on = open_[self.gates].all(axis=0)
        on = np.append(on, np.ones(self.penalty.size, dtype=bool))
        unit_cost = np.append(np.minimum(slope, self.steepest), 0.0)[self.graph.service] + self.graph.cost
        cost = np.concatenate([unit_cost, self.penalty])[on]
        scale = LARGEST_COST / max(float(cost.max(initial=0.0)), 1e-9)
        whole_cost = np.floor(cost * scale).astype(np.int64)
        flow = min_cost_flow.SimpleMinCostFlow()
        arcs = flow.add_arcs_with_capacity_and_unit_cost(self.tail[on], self.head[on], self.limit[on], whole_cost)
        flow.set_nodes_supplies(np.arange(self.supply.size, dtype=np.int32), self.supply)
        if flow.solve() != flow.OPTIMAL:
            return None
        tonnes = np.zeros(on.size)
        tonnes[on] = flow.flows(arcs) / self.unit
        return tonnes[: self.graph.tail.size], tonnes[self.arc_of], flow.optimal_cost() / scale / self.unit

    def cost_of(self, tonnes: Floats, volume: Floats) -> float:
        """What flows cost with every service they use paid in full."""
        moving = np.flatnonzero(tonnes)
        moved = tonnes[moving]
        usd = float((self.graph.cost[moving] * moved).sum() + self.problem.fixed_cost[volume > 0].sum())
        if self.penalty.size:
            here = np.bincount(self.graph.head[moving], moved, self.graph.nodes)
            left = np.maximum(-self.supply / self.unit - here, 0.0)[self.penalty_node]
            usd += float((self.penalty * left).sum())
        return usd

    def over(self, is_open: Flags) -> OpenPlan | None:
        """Best flows over services; those that nothing uses are not paid."""
        key = np.packbits(is_open).tobytes()
        if key not in self.tried:
            found = self.solve(np.zeros(is_open.size), is_open)
            plan = None
            if found is not None:
                tonnes, volume, _ = found
                plan = OpenPlan(volume > 0, tonnes, self.cost_of(tonnes, volume))
            self.tried[key] = plan
        return self.tried[key]

    def routes(self, plan: OpenPlan) -> tuple[Columns, Floats, Floats]:
        """The flows of a plan as routes with their tonnes, and what stays behind of every demand."""
        graph, left_on = self.graph, plan.flow_t.copy()
        into: list[list[int]] = [[] for _ in range(graph.nodes)]
        for arc in np.flatnonzero(left_on > 0).tolist():
            into[graph.head[arc]].append(arc)
        demand, paths, amounts = [], [], []
        unserved = self.problem.quantity.copy()
        least = 0.5 / self.unit
        for number, (node, quantity) in enumerate(zip(graph.destination.tolist(), unserved.tolist(), strict=True)):
            rest = quantity
            while rest > least:
                path, at, room = [], node, rest
                while at != self.origin:
                    arc = next((arc for arc in into[at] if left_on[arc] > least), -1)
                    if arc < 0:
                        break
                    path.append(arc)
                    room = min(room, float(left_on[arc]))
                    at = int(graph.tail[arc])
                if at != self.origin:
                    break  # the rest stays behind
                left_on[path] -= room
                rest -= room
                demand.append(number)
                paths.append(path)
                amounts.append(room)
            unserved[number] = rest if rest > least else 0.0
        arcs = np.full((len(paths), max(map(len, paths), default=0)), -1, np.int64)
        for row, path in zip(arcs, paths, strict=True):
            row[: len(path)] = path
        return graph.columns(np.array(demand, np.int64), arcs), np.array(amounts), unserved

    def bound(self, done: Callable[[], bool]) -> float:
        """Lower bound on every plan: the best L found (see the module), at least the plain relaxation."""
        cuts = self.cuts
        premium = np.zeros(len(cuts))
        fixed = self.problem.fixed_cost
        everything = np.ones(fixed.size, dtype=bool)

        def relaxed(premiums: Floats) -> float:
            rest = fixed.copy()
            for (members, _), usd in zip(cuts, premiums, strict=True):
                rest[members] -= usd
            found = self.solve(np.maximum(rest, 0.0) / np.maximum(self.most, 1e-9), everything)
            if found is None:
                return -np.inf
            return found[2] + float(
                np.minimum(rest, 0.0).sum() + sum(n * w for (_, n), w in zip(cuts, premiums, strict=True))
            )

        best = relaxed(premium)
        for _ in range(ROUNDS if np.isfinite(best) else 0):
            for number, (members, _) in enumerate(cuts):

                def along(usd: float, number: int = number) -> float:
                    return relaxed(np.where(np.arange(premium.size) == number, usd, premium))

                usd, value = _highest(along, float(fixed[members].max()), done)
                if value > best:
                    best, premium[number] = value, usd
        return best

    @cached_property
    def must_carry_t(self) -> float:
        """Tonnes that may not stay behind."""
        return float(self.problem.quantity[np.isinf(self.problem.penalty)].sum()) * (1 - 1e-9)

    @cached_property
    def cuts(self) -> list[tuple[Ints, int]]:
        """Sets of services, one of which every route uses, and how many of them must be used."""
        graph, must = self.graph, self.must_carry_t
        hops = np.full(graph.nodes, graph.nodes)
        hops[self.origin] = 0
        for _ in range(graph.longest):
            np.minimum.at(hops, graph.head, hops[graph.tail] + 1)
        level = hops[graph.tail[self.arc_of]]
        cuts = []
        for each in np.unique(level):
            members = np.flatnonzero(level == each)
            on = np.ones(graph.tail.size, dtype=bool)
            on[self.arc_of[members]] = False
            reached = np.zeros(graph.nodes, dtype=bool)
            reached[self.origin] = True
            for _ in range(graph.longest):
                reached[graph.head[on & reached[graph.tail]]] = True
            needed = int(np.searchsorted(np.cumsum(np.sort(self.most[members])[::-1]), must)) + 1
            if not reached[graph.destination].any() and must > 0 and needed <= members.size:
                cuts.append((members, needed))
        return cuts


def _highest(value: Callable[[float], float], high: float, done: Callable[[], bool]) -> tuple[float, float]:
    """Highest point met of a concave function from 0 to ``high``, by golden section."""
    ratio = (5**0.5 - 1) / 2
    low, points = 0.0, []
    left, right = high - ratio * high, ratio * high
    at_left, at_right = value(left), value(right)
    for _ in range(SEARCH_STEPS):
        points += [(at_left, left), (at_right, right)]
        if done():
            break
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = value(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = value(left)
    best, usd = max([*points, (at_left, left), (at_right, right)])
    return usd, best


def fits(problem: FixedChargeProblem) -> ServiceFlow | None:
    """The flows of a problem, where they are those of one commodity in whole numbers; else None."""
    graph = problem.price
    if not isinstance(graph, RouteGraph) or not graph.origin.size:
        return None
    on = graph.service >= 0
    one_arc_each = np.array_equal(np.bincount(graph.service[on], minlength=problem.fixed_cost.size),
                                  np.ones(problem.fixed_cost.size))  # fmt: skip
    plain = np.all(graph.weight[on] == 1.0) and np.all(graph.resource < 0) and np.all(problem.least == 0)
    if not (one_arc_each and plain and np.unique(graph.origin).size == 1):
        return None
    amounts = np.concatenate([problem.quantity, problem.most[np.isfinite(problem.most)]])
    for unit in UNITS:
        if np.all(np.abs(amounts * unit - np.round(amounts * unit)) < 1e-6) and amounts.sum() * unit < 1e12:
            return ServiceFlow(problem, graph, unit)
    return None
