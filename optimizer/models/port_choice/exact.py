"""Port choice as one linear programme with a binary per contract, in PuLP.

Sets and data
    d demands (lanes, or dated shipments) of Q_d tonnes with penalty p_d; a arcs of the graph (``graph.py``), of which
    d may use A_d at g_da USD per tonne; r limits with capacity K_r, of which a tonne of d takes k_rd on each arc of
    A_r; s contracts over the arcs A_s, with fixed cost F_s and volumes m_s and M_s.
Variables
    flow f_da >= 0 tonnes; unserved u_d >= 0 tonnes; taken y_s in {0, 1}; passes x_da in {0, 1} for indivisible d

    min   sum_d sum_{a in A_d} g_da f_da + sum_d p_d u_d + sum_s F_s y_s
    (1)   demand_d         out of the source of d:  sum f_da + u_d = Q_d
    (2)   balance_d_v      at every other place and layer v but the sink:  flow out = flow in
    (3)   limit_r          sum_d sum_{a in A_r} k_rd f_da <= K_r
    (4)   most_s, least_s  m_s y_s <= sum_d sum_{a in A_s} f_da <= min(M_s, all that could pass) y_s
    (5)   onward_d_a       f_da <= flow that leaves the head of a and does not turn back, for the arcs of
                          contracts with m_s > 0
    (6)   once_d_s         sum over the arcs of one asset of s:  f_da <= Q_d - u_d, for contracts with m_s > 0
    (7)   whole_d_a        f_da = Q_d x_da, for indivisible d: with (1) and (2) one route takes all, or nothing moves

With ``serve_all`` there are no u_d. Rows (5) and (6) hold for every set of routes that do not come back to where they
were; without them tonnes might go to and fro to fill a least volume. Where a plan still circles, its loops are cut
out, and when a least volume breaks by that, the contract is given up: the plan is then FEASIBLE, with the bound of
the model.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pulp

from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.compact import OutOfTimeError, build_graph, keep_time, remaining, solve_compact
from optimizer.models.port_choice.conflicts import conflict_words, minimal_words, repair_words
from optimizer.models.port_choice.graph import Demand, FlowGraph, Limit, Service
from optimizer.models.port_choice.plan import Plan, read_plan
from optimizer.models.port_choice.problem import PortChoice
from optimizer.result import Outcome, Status
from optimizer.solvers.mip import ModelNames, minimal_conflict, solve_model
from optimizer.solvers.watch import Watch


def solve_exact(problem: PortChoice, options: SolveOptions) -> Outcome:
    """Solve the model above; ``options.solver`` is ``highs`` or any solver PuLP finds."""
    return solve_compact(problem, options, lambda graph, watch: Formulation(graph, watch=watch), find_conflicts)


def find_conflicts(graph: FlowGraph, options: SolveOptions) -> tuple[str, ...]:
    """What cannot be met where all must be served: the least tonnes left behind, whatever the cost, what stops them, a
    minimal conflict, and the least room that would do."""
    options = replace(options, solver=None, on_progress=None)
    watch = Watch(options)
    try:
        model = Formulation(graph, free_of_charge=True, watch=watch)
        status = solve_model(model.lp, remaining(options, watch)).status
    except OutOfTimeError:
        status = Status.NO_SOLUTION
    if status is not Status.OPTIMAL:
        return ("not everything can be served; time ran out before it was known what cannot",)
    unserved = [0.0 if u is None else u.value() or 0.0 for u in model.unserved]
    words = conflict_words(graph, unserved, model.fixed_prices(remaining(options, watch)))
    if watch.should_stop:
        return words
    return (*words, *_conflict_and_repair(graph, remaining(options, watch)))


def _conflict_and_repair(graph: FlowGraph, options: SolveOptions) -> tuple[str, ...]:
    """A minimal conflict of the demands that have a route at all, and the least room that would let them all go."""
    watch = Watch(options)
    routed = [demand for demand in graph.demands if math.isfinite(demand.cheapest_usd_per_t)]
    part = replace(graph, demands=tuple(routed), problem=replace(graph.problem, serve_all=True))
    try:
        strict = Formulation(part, watch=watch)
        rows = set(minimal_conflict(strict.lp, remaining(options, watch)))
        roomy = Formulation(part, more_room=True, watch=watch)
        status = solve_model(roomy.lp, remaining(options, watch)).status
    except OutOfTimeError:
        return ()
    demands = [demand for demand, row in zip(routed, strict.demand_rows, strict=True) if row.name in rows]
    limits = [graph.limits[number] for number, row in strict.limit_rows.items() if row.name in rows]
    more = {number: variable.value() or 0.0 for number, variable in roomy.more.items()} if status.has_plan else {}
    return (*minimal_words(part, demands, limits), *repair_words(part, more))


def export_model(problem: PortChoice, path: Path) -> None:
    """Write the model as MPS or LP, by the suffix of ``path``."""
    lp = Formulation(build_graph(problem)).lp
    if path.suffix.lower() == ".mps":
        lp.writeMPS(str(path))
    else:
        lp.writeLP(str(path), max_length=250)


def _day(limit: Limit) -> tuple[str, ...]:
    return () if limit.day is None else (f"day{limit.day}",)


TONNES_PER_UNIT = {"t": 1.0, "TEU": 10.0}
"""What a unit of room weighs where the least is looked for."""
WHOLE_NUMBERS = {"mip_feasibility_tolerance": 1e-9}
"""Tonnes hang on the binaries of indivisible demands; at the solver's own 1e-6 they would show."""


@dataclass
class Formulation:
    """
    The model of a graph; rows are built by one method each, numbered as above.

    ``free_of_charge`` counts tonnes left behind and nothing else. ``more_room`` adds room to every limit (the right
    side of (3) becomes K_r + e_r), and counts that and nothing else.

    Raises OutOfTimeError when ``watch`` runs out while it is built.
    """

    graph: FlowGraph
    free_of_charge: bool = False
    more_room: bool = False
    watch: Watch | None = None
    lp: pulp.LpProblem = field(init=False)
    flow: list[dict[int, pulp.LpVariable]] = field(init=False, default_factory=list)
    unserved: list[pulp.LpVariable | None] = field(init=False, default_factory=list)
    taken: list[pulp.LpVariable] = field(init=False, default_factory=list)
    passes: list[pulp.LpVariable] = field(init=False, default_factory=list)
    demand_rows: list[pulp.LpConstraint] = field(init=False, default_factory=list)
    limit_rows: dict[int, pulp.LpConstraint] = field(init=False, default_factory=dict)
    more: dict[int, pulp.LpVariable] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.lp = pulp.LpProblem("port_choice", pulp.LpMinimize)
        self.name = ModelNames()
        graph = self.graph
        for demand in graph.demands:
            keep_time(self.watch)
            self.flow.append(
                {int(arc): self._variable("flow", demand.demand_id, graph.label(int(arc))) for arc in demand.arcs}
            )
            needed = graph.problem.serve_all and not self.free_of_charge
            self.unserved.append(None if needed else self._variable("unserved", demand.demand_id))
        for service in graph.services:
            self.taken.append(self.lp.add_variable(self.name("taken", service.contract_id), cat=pulp.LpBinary))
        # (demand, variable) of every arc in use: what the shared rows sum over
        self._on_arc: dict[int, list[tuple[Demand, pulp.LpVariable]]] = defaultdict(list)
        for demand, flows in zip(graph.demands, self.flow, strict=True):
            for arc, variable in flows.items():
                self._on_arc[arc].append((demand, variable))

        if self.more_room:
            for number, limit in enumerate(graph.limits):
                self.more[number] = self._variable("more", limit.resource, *_day(limit))
        self.lp.setObjective(self._room() if self.more_room else self._cost())
        for number in range(len(graph.demands)):
            self._move_demand(number)
        for number, limit in enumerate(graph.limits):
            self._keep_limit(number, limit)
        for service, taken in zip(graph.services, self.taken, strict=True):
            self._keep_contract(service, taken)
        for demand, flows in zip(graph.demands, self.flow, strict=True):
            if demand.indivisible:
                self._keep_whole(demand, flows)

    def _variable(self, *name: object) -> pulp.LpVariable:
        return self.lp.add_variable(self.name(*name), lowBound=0)

    def _cost(self) -> pulp.LpAffineExpression:
        """USD; for the elastic model (``free_of_charge``) the tonnes left behind and nothing else."""
        terms: list[tuple[pulp.LpVariable, float]] = []
        for demand, flows, unserved in zip(self.graph.demands, self.flow, self.unserved, strict=True):
            if not self.free_of_charge:
                terms.extend(zip(flows.values(), demand.cost_usd_per_t.tolist(), strict=True))
            if unserved is not None:
                terms.append((unserved, 1.0 if self.free_of_charge else demand.penalty_usd_per_t))
        if not self.free_of_charge:
            terms.extend((y, s.fixed_usd) for s, y in zip(self.graph.services, self.taken, strict=True))
        return pulp.LpAffineExpression(terms)

    def _room(self) -> pulp.LpAffineExpression:
        """Room added, in tonnes; a box of 20 ft counts for ten."""
        return pulp.LpAffineExpression(
            [(extra, TONNES_PER_UNIT[self.graph.limits[number].unit]) for number, extra in self.more.items()]
        )

    def _move_demand(self, number: int) -> None:
        """(1) and (2): a demand leaves its source or stays, and what enters a place and layer leaves it."""
        keep_time(self.watch)
        graph, demand, flows = self.graph, self.graph.demands[number], self.flow[number]
        terms: dict[int, list[tuple[pulp.LpVariable, float]]] = defaultdict(list)
        for arc, variable in flows.items():
            terms[int(graph.tail[arc])].append((variable, 1.0))
            terms[int(graph.head[arc])].append((variable, -1.0))
        start = terms.pop(demand.source, [])
        terms.pop(demand.sink, None)
        unserved = self.unserved[number]
        start += [(unserved, 1.0)] if unserved is not None else []
        self.demand_rows.append(self._row(start, pulp.LpConstraintEQ, demand.quantity_t, "demand", demand.demand_id))
        for vertex, around in terms.items():
            self._row(around, pulp.LpConstraintEQ, 0.0, "balance", demand.demand_id, graph.vertex_label(vertex))

    def _keep_limit(self, number: int, limit: Limit) -> None:
        """(3) What passes the arcs of a limit fits into it."""
        keep_time(self.watch)
        terms = [
            (variable, self.graph.use(limit, demand))
            for arc in limit.arcs.tolist()
            for demand, variable in self._on_arc.get(arc, ())
            if self.graph.use(limit, demand) > 0
        ]
        if terms:
            terms += [(self.more[number], -1.0)] if self.more_room else []
            self.limit_rows[number] = self._row(
                terms, pulp.LpConstraintLE, limit.capacity, "limit", limit.resource, *_day(limit)
            )

    def _keep_contract(self, service: Service, taken: pulp.LpVariable) -> None:
        """(4) and (5): volumes of a contract when it is taken, nothing on its assets when not, and no going to and
        fro."""
        volume: dict[pulp.LpVariable, float] = defaultdict(float)
        could_pass = 0.0
        for arc in service.arcs.tolist():
            for demand, variable in self._on_arc.get(arc, ()):
                volume[variable] += 1.0
                could_pass += demand.quantity_t
        most = min(service.most_t, could_pass)
        self._row([*volume.items(), (taken, -most)], pulp.LpConstraintLE, 0.0, "most", service.contract_id)
        if service.least_t > 0:
            self._row(
                [*volume.items(), (taken, -service.least_t)], pulp.LpConstraintGE, 0.0, "least", service.contract_id
            )
            for demand, flows in zip(self.graph.demands, self.flow, strict=True):
                self._go_onward(demand, flows, sorted(set(service.arcs.tolist())))
            for arcs in service.passes:
                self._pass_once(service, arcs.tolist())

    def _keep_whole(self, demand: Demand, flows: dict[int, pulp.LpVariable]) -> None:
        """(7) All tonnes of an indivisible demand pass an arc, or none."""
        keep_time(self.watch)
        for arc, variable in flows.items():
            name = demand.demand_id, self.graph.label(arc)
            all_pass = self.lp.add_variable(self.name("passes", *name), cat=pulp.LpBinary)
            self.passes.append(all_pass)
            self._row([(variable, 1.0), (all_pass, -demand.quantity_t)], pulp.LpConstraintEQ, 0.0, "whole", *name)

    def _pass_once(self, service: Service, arcs: Iterable[int]) -> None:
        """(6) A tonne passes an asset of a contract once at most."""
        for demand, flows, unserved in zip(self.graph.demands, self.flow, self.unserved, strict=True):
            terms = [(flows[arc], 1.0) for arc in arcs if arc in flows]
            if terms:
                terms += [(unserved, 1.0)] if unserved is not None else []
                name = "once", demand.demand_id, service.contract_id
                self._row(terms, pulp.LpConstraintLE, demand.quantity_t, *name)

    def _go_onward(self, demand: Demand, flows: dict[int, pulp.LpVariable], arcs: Iterable[int]) -> None:
        keep_time(self.watch)
        tail, head = self.graph.tail, self.graph.head
        mine = [arc for arc in arcs if arc in flows and head[arc] != demand.sink]
        if not mine:
            return
        leaving = defaultdict(list)
        for arc in flows:
            leaving[int(tail[arc])].append(arc)
        for arc in mine:
            onward = [(flows[out], -1.0) for out in leaving[int(head[arc])] if head[out] != tail[arc]]
            self._row(
                [(flows[arc], 1.0), *onward],
                pulp.LpConstraintLE,
                0.0,
                "onward",
                demand.demand_id,
                self.graph.label(arc),
            )

    def _row(
        self, terms: list[tuple[pulp.LpVariable, float]], sense: int, limit: float, *name: object
    ) -> pulp.LpConstraint:
        row = pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, self.name(*name), limit)
        self.lp.addConstraint(row)
        return row

    def solve(self, options: SolveOptions) -> tuple[Status, float | None]:
        """Status and lower bound of the model as it stands."""
        result = solve_model(self.lp, options, highs_options=WHOLE_NUMBERS if self.passes else None)
        return result.status, result.bound

    def close(self, services: Collection[int]) -> None:
        """Give up contracts."""
        for number in services:
            self.taken[number].upBound = 0

    def plan(self, options: SolveOptions) -> Plan:
        """The plan in the variables' values; with binaries, of the LP that keeps them as chosen."""
        prices = self.fixed_prices(options)
        flows = [{arc: variable.value() or 0.0 for arc, variable in mine.items()} for mine in self.flow]
        return read_plan(self.graph, flows, [(y.value() or 0.0) > 0.5 for y in self.taken], prices)

    def fixed_prices(self, options: SolveOptions) -> dict[int, float]:
        """
        Limit number -> USD per unit of further capacity, after a solve.

        An integer model has no duals, and its flows carry the tolerance of its binaries; so it is solved again as
        the LP with the binaries as chosen. Where that does not end in time, the values stay and there are no
        prices.
        """
        binaries = [*self.taken, *self.passes]
        if binaries:
            variables = self.lp.variables()
            values = [variable.value() for variable in variables]
            bounds = [(y.lowBound, y.upBound) for y in binaries]
            for y in binaries:
                y.lowBound = y.upBound = round(y.value() or 0.0)
                y.cat = pulp.LpContinuous
            result = solve_model(self.lp, replace(options, on_progress=None))
            for y, (low, high) in zip(binaries, bounds, strict=True):
                y.lowBound, y.upBound, y.cat = low, high, pulp.LpInteger
            if result.status is not Status.OPTIMAL:
                for variable, value in zip(variables, values, strict=True):
                    variable.varValue = value
                return {}
        return {number: max(-(row.pi or 0.0), 0.0) for number, row in self.limit_rows.items()}
