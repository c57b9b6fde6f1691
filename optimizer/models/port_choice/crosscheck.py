"""Port choice a second time, in OR-Tools MathOpt, with the lanes that may share tonnes merged.

Demands with the same commodity, destination and (dated) deadline have equal arc costs and the same sink; only their
origins differ. One flow per such group k replaces theirs (an indivisible demand is a group of its own, and its flow on
an arc a binary times its tonnes):

    min   sum_k sum_a g_ka f_ka + sum_d p_d u_d + sum_s F_s y_s
    s.t.  flow out of v - flow into v = sum over the demands d of k that start at v of (Q_d - u_d),  v not the sink
          sum_k sum_{a in A_r} k_rk f_ka <= K_r,   m_s y_s <= volume_s <= min(M_s, all that could pass) y_s

The optimum is that of ``exact.py``, whose variables are one flow per demand. Served tonnes are the surplus of a
source, so the plan follows by taking each group's flow apart from one source after the other. ``pdlp`` meets rows
only to a tolerance: its plan is cut back to the capacities, and the bound comes from its prices, exact whatever
they are (Lagrangian, by shortest paths).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
from ortools.math_opt.python import mathopt

from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.compact import keep_time, solve_compact
from optimizer.models.port_choice.exact import find_conflicts
from optimizer.models.port_choice.graph import Demand, FlowGraph
from optimizer.models.port_choice.plan import Plan, Route, make_plan, rounded, routes_in
from optimizer.models.port_choice.problem import PortChoice
from optimizer.network.paths import shortest_path_tree
from optimizer.result import Outcome, Status
from optimizer.solvers.mathopt import MathOptResult, solve_mathopt
from optimizer.solvers.watch import Watch


def solve_crosscheck(problem: PortChoice, options: SolveOptions) -> Outcome:
    """Solve the merged model; ``options.solver`` is ``highs``, ``glop``, ``pdlp`` or ``scip`` (contracts and
    indivisible shipments need highs or scip)."""
    return solve_compact(problem, options, _Merged, find_conflicts)


class _Merged:
    """The model of the module docstring; OutOfTimeError when ``watch`` runs out while it is built."""

    def __init__(self, graph: FlowGraph, watch: Watch) -> None:
        self.graph, self.watch = graph, watch
        self.result: MathOptResult | None = None
        self.model = model = mathopt.Model(name="port_choice_merged")
        self.groups: dict[Hashable, list[int]] = defaultdict(list)
        for number, demand in enumerate(graph.demands):
            self.groups[demand.group].append(number)
        self.unserved = [
            model.add_variable(lb=0.0, ub=0.0 if graph.problem.serve_all else demand.quantity_t)
            for demand in graph.demands
        ]
        self.taken = [model.add_binary_variable(name=f"taken {service.contract_id}") for service in graph.services]
        self.flow: dict[Hashable, dict[int, mathopt.Variable]] = {}
        self.unit: dict[Hashable, float] = {}
        cost: list[mathopt.LinearExpression | mathopt.LinearTerm] = []
        on_arc: dict[int, list[tuple[Demand, mathopt.LinearTerm]]] = defaultdict(list)
        for key, members in self.groups.items():
            keep_time(watch)
            first = graph.demands[members[0]]
            arcs = np.unique(np.concatenate([graph.demands[number].arcs for number in members]))
            # Tonnes that one unit of a variable stands for
            self.unit[key] = first.quantity_t if first.indivisible else 1.0
            self.flow[key] = {
                arc: model.add_binary_variable() if first.indivisible else model.add_variable(lb=0.0)
                for arc in arcs.tolist()
            }
            flows = {arc: self.unit[key] * variable for arc, variable in self.flow[key].items()}
            cost += [usd * f for usd, f in zip(graph.arc_usd_per_t(first)[arcs].tolist(), flows.values(), strict=True)]
            for arc, variable in flows.items():
                on_arc[arc].append((first, variable))
            self._conserve(members, flows, first.sink)
        cost += [d.penalty_usd_per_t * u for d, u in zip(graph.demands, self.unserved, strict=True)]
        cost += [s.fixed_usd * y for s, y in zip(graph.services, self.taken, strict=True)]
        model.minimize(mathopt.fast_sum(cost))
        self._share(on_arc)
        self._contract(on_arc)

    def _conserve(self, members: Sequence[int], flows: Mapping[int, mathopt.LinearTerm], sink: int) -> None:
        balance: dict[int, list[mathopt.LinearTerm | mathopt.Variable]] = defaultdict(list)
        supply: dict[int, float] = defaultdict(float)
        for arc, variable in flows.items():
            balance[int(self.graph.tail[arc])].append(variable)
            balance[int(self.graph.head[arc])].append(-1.0 * variable)
        for number in members:
            demand = self.graph.demands[number]
            balance[demand.source].append(self.unserved[number])
            supply[demand.source] += demand.quantity_t
        balance.pop(sink, None)
        for vertex, terms in balance.items():
            self.model.add_linear_constraint(mathopt.fast_sum(terms) == supply.get(vertex, 0.0))

    def _share(self, on_arc: Mapping[int, Sequence[tuple[Demand, mathopt.LinearTerm]]]) -> None:
        self.limits: dict[int, mathopt.LinearConstraint] = {}
        for number, limit in enumerate(self.graph.limits):
            keep_time(self.watch)
            uses = [(self.graph.use(limit, d), f) for arc in limit.arcs.tolist() for d, f in on_arc.get(arc, ())]
            if any(use > 0 for use, _ in uses):
                total = mathopt.fast_sum(use * f for use, f in uses)
                self.limits[number] = self.model.add_linear_constraint(total <= limit.capacity)

    def _contract(self, on_arc: Mapping[int, Sequence[tuple[Demand, mathopt.LinearTerm]]]) -> None:
        demand_t = {key: sum(self.graph.demands[n].quantity_t for n in mine) for key, mine in self.groups.items()}
        for service, taken in zip(self.graph.services, self.taken, strict=True):
            passing = [pair for arc in service.arcs.tolist() for pair in on_arc.get(arc, ())]
            volume = mathopt.fast_sum(f for _, f in passing)
            most = min(service.most_t, sum(demand_t[d.group] for d, _ in passing))
            self.model.add_linear_constraint(volume - most * taken <= 0.0)
            if service.least_t <= 0:
                continue
            self.model.add_linear_constraint(volume - service.least_t * taken >= 0.0)
            for key, variables in self.flow.items():
                flows = {arc: self.unit[key] * variable for arc, variable in variables.items()}
                self._no_return(service.arcs, flows, self.graph.demands[self.groups[key][0]].sink)
                left = mathopt.fast_sum(self.unserved[number] for number in self.groups[key])
                for arcs in service.passes:  # row (6)
                    once = mathopt.fast_sum(flows[arc] for arc in arcs.tolist() if arc in flows)
                    self.model.add_linear_constraint(once + left <= demand_t[key])

    def _no_return(self, arcs: np.ndarray, flows: Mapping[int, mathopt.LinearTerm], sink: int) -> None:
        """Row (5) of ``exact.py``: what enters a place over the arc of a contract leaves it other than back."""
        tail, head = self.graph.tail, self.graph.head
        for arc in sorted(set(arcs.tolist()) & flows.keys()):
            keep_time(self.watch)
            if head[arc] != sink:
                onward = [f for out, f in flows.items() if tail[out] == head[arc] and head[out] != tail[arc]]
                self.model.add_linear_constraint(mathopt.fast_sum(onward) - flows[arc] >= 0.0)

    @property
    def _has_binaries(self) -> bool:
        return bool(self.taken) or any(demand.indivisible for demand in self.graph.demands)

    def prices(self, result: MathOptResult) -> dict[int, float]:
        """Limit number -> USD per further unit."""
        return {number: max(-result.duals.get(row, 0.0), 0.0) for number, row in self.limits.items()}

    def solve(self, options: SolveOptions) -> tuple[Status, float | None]:
        """Status and lower bound; where the solver gives none, that of its prices."""
        result = self.result = solve_mathopt(self.model, options)
        bound = result.bound
        if bound is None and not self._has_binaries and result.duals:
            bound = lagrangian_bound(self.graph, self.prices(result))
        return result.status, bound

    def close(self, services: Collection[int]) -> None:
        """Give up contracts."""
        for number in services:
            self.taken[number].upper_bound = 0.0

    def plan(self, options: SolveOptions) -> Plan:
        """The plan of the last solve: each group's flow taken apart from one source after the other."""
        result = self.result
        assert result is not None
        served: list[list[Route]] = [[] for _ in self.graph.demands]
        for key, members in self.groups.items():
            flow = {arc: self.unit[key] * result.values[variable] for arc, variable in self.flow[key].items()}
            if self.graph.demands[members[0]].indivisible:
                flow = rounded(self.graph.demands[members[0]], flow)
            for number in members:
                demand = self.graph.demands[number]
                wanted = demand.quantity_t - max(result.values[self.unserved[number]], 0.0)
                served[number] = routes_in(self.graph, flow, demand.source, demand.sink, wanted)
        taken = [result.values[variable] > 0.5 for variable in self.taken]
        return make_plan(self.graph, served, taken, {} if self._has_binaries else self.prices(result))


def lagrangian_bound(graph: FlowGraph, prices: Mapping[int, float]) -> float:
    """
    Lower bound on every plan without contracts: each tonne goes its cheapest way when capacities cost ``prices``.

    ``sum_d Q_d min(cheapest_d, p_d) - sum_r price_r K_r`` holds for any prices not below zero.
    """
    tonne, box = np.zeros(len(graph.tail)), np.zeros(len(graph.tail))
    total = 0.0
    for number, price in prices.items():
        limit = graph.limits[number]
        np.add.at(tonne if limit.unit == "t" else box, limit.arcs, price)
        total -= price * limit.capacity
    order = np.argsort(graph.head, kind="stable")
    num_vertices = int(max(graph.tail.max(initial=0), graph.head.max(initial=0))) + 1
    turned = np.concatenate(([0], np.cumsum(np.bincount(graph.head, minlength=num_vertices))))
    distances: dict[Hashable, np.ndarray] = {}
    for demand in graph.demands:
        if demand.group not in distances:
            weight = graph.arc_usd_per_t(demand) + tonne + demand.teu_per_t * box
            distances[demand.group] = shortest_path_tree(turned, graph.tail[order], weight[order], demand.sink)[0]
        cheapest = float(distances[demand.group][demand.source])
        total += demand.quantity_t * (cheapest if graph.problem.serve_all else min(cheapest, demand.penalty_usd_per_t))
    return total
