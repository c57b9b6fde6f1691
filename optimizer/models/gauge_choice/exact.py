"""Gauge choice as one mixed-integer programme, in PuLP.

Sets and data
    d lanes of Q_d tonnes with a cost l_d of staying behind and a value of time v_d; a arcs of the layered network with
    every option and site in it, of which d may use A_d at g_da USD per tonne; s sections with options o of C_o USD a
    year, arcs A_o and room K_o; m sites with arcs A_m and designs k: F_mk USD a year, room V_mk units, H_mk hours of
    waiting and work; a tonne of d on arc a counts n_da units and binds b_m n_da sets at S_m USD a year; r limits with
    capacity K_r.
Variables
    flow f_da >= 0 tonnes; unserved u_d >= 0; built y_o and design z_mk in {0, 1}; sets w_m whole, beyond the installed
    i_m; hours T_mk >= 0: value of an hour (USD) of all that passes site m, where design k is taken

    min   sum_d sum_a g_da f_da + sum_d l_d u_d + sum_o C_o y_o + sum_m (sum_k F_mk z_mk + H_mk T_mk) + S_m w_m
    (1)   demand_d       out of the source of d:  sum f_da + u_d = Q_d
    (2)   balance_d_v    at every other place and layer v but the sink:  flow out = flow in
    (3)   limit_r        sum_d sum_{a in A_r} k_rd f_da <= K_r
    (4)   one_gauge_s    sum of y_o over the options of s = 1
    (5)   room_o_a       sum_d f_da <= K_o y_o for a in A_o;   use_o_d: both directions of d <= Q_d y_o
    (6)   one_design_m   sum_k z_mk <= 1
    (7)   units_m        sum_d sum_{a in A_m} n_da f_da <= sum_k V_mk z_mk;   open_m_d: both ways <= Q_d sum_k z_mk
    (8)   time_m         sum_d v_d sum_{a in A_m} f_da = sum_k T_mk;   most_hours_m_k: T_mk <= (most it can be) z_mk
    (9)   sets_for_m     b_m times the units of (7) <= i_m + w_m

Rows use and open follow from the others where plans are whole; they make the relaxation strong. The use of a site is a
choice among levels and its wait that of the level, so that everything is linear and the bound is one on every plan of
the problem; ``docs/gauge-choice.md`` says how far a continuous use could lie below.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pulp

from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.designs import Design
from optimizer.models.gauge_choice.detours import Found, solve_by_detours
from optimizer.models.gauge_choice.graph import Demand, Graph, Ground, Section, Site
from optimizer.models.gauge_choice.plan import Plan, read_plan
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.result import Outcome, Status
from optimizer.solvers.mip import ModelNames, solve_model

HIGHS_OPTIONS = {"mip_feasibility_tolerance": 1e-9, "mip_heuristic_effort": 0.0}
"""Tonnes hang on the binaries; at the solver's own 1e-6 they would show. Its searches for better plans took most of the
time, and the tree finds the plans by itself."""


def solve_exact(problem: GaugeChoice, options: SolveOptions) -> Outcome:
    """Solve the model above; ``options.solver`` is ``highs`` or any solver PuLP finds."""
    return solve_by_detours(problem, options, solve_graph)


def solve_graph(graph: Graph, options: SolveOptions) -> Found:
    """The model of one graph."""
    model = Formulation(graph)
    found = solve_model(model.lp, options, highs_options=HIGHS_OPTIONS)
    if not found.status.has_plan:
        return Found(found.status, found.bound, None)
    plan = model.plan(options)
    return Found(found.status, found.bound, plan, model.next_usd_per_t())


def export_model(problem: GaugeChoice, path: Path) -> None:
    """Write the model as MPS or LP, by the suffix of ``path``."""
    lp = Formulation(Ground(problem).graph()).lp
    if path.suffix.lower() == ".mps":
        lp.writeMPS(str(path))
    else:
        lp.writeLP(str(path), max_length=250)


Terms = list[tuple[pulp.LpVariable, float]]


@dataclass
class Formulation:
    """The model of a graph; rows are built by one method each, numbered as above."""

    graph: Graph
    lp: pulp.LpProblem = field(init=False)
    flow: list[dict[int, pulp.LpVariable]] = field(init=False, default_factory=list)
    unserved: list[pulp.LpVariable | None] = field(init=False, default_factory=list)
    demand: dict[str, pulp.LpConstraint] = field(init=False, default_factory=dict)
    built: dict[str, pulp.LpVariable] = field(init=False, default_factory=dict)
    taken: dict[str, list[pulp.LpVariable]] = field(init=False, default_factory=dict)
    sets: dict[str, pulp.LpVariable] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.lp = pulp.LpProblem("gauge_choice", pulp.LpMinimize)
        self.name = ModelNames()
        self._usd: dict[pulp.LpVariable, float] = defaultdict(float)
        graph = self.graph
        for demand in graph.demands:
            flows = {int(arc): self._variable("flow", demand.demand_id, self._label(arc)) for arc in demand.arcs}
            self.flow.append(flows)
            self._pay(zip(flows.values(), demand.cost_usd_per_t.tolist(), strict=True))
            unserved = None if math.isinf(demand.left_usd_per_t) else self._variable("unserved", demand.demand_id)
            self.unserved.append(unserved)
            if unserved is not None:
                self._pay([(unserved, demand.left_usd_per_t)])
            self._move(demand, flows)
        self._keep_limits()
        for section in graph.sections:
            self._one_gauge(section)
        for site in graph.sites:
            if site.designs:
                self._size(site)
        self.lp.setObjective(pulp.LpAffineExpression(self._usd))

    def _pay(self, terms: Iterable[tuple[pulp.LpVariable, float]]) -> None:
        for variable, usd in terms:
            self._usd[variable] += usd

    def _variable(self, *name: object) -> pulp.LpVariable:
        return self.lp.add_variable(self.name(*name), lowBound=0)

    def _binary(self, *name: object) -> pulp.LpVariable:
        return self.lp.add_variable(self.name(*name), cat=pulp.LpBinary)

    def _row(self, terms: Terms, sense: int, limit: float, *name: object) -> pulp.LpConstraint:
        row = pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, self.name(*name), limit)
        self.lp.addConstraint(row)
        return row

    def _label(self, arc: int) -> str:
        network = self.graph.network
        tail = network.tail[arc]
        return f"{network.asset[arc] or 'door'}_from_{network.vertex_node[tail]}_{network.vertex_layer[tail]}"

    def _passing(self, arc: int) -> list[tuple[Demand, pulp.LpVariable]]:
        users = self.graph.users.get(arc, ())
        return [(self.graph.demands[number], self.flow[number][arc]) for number in users]

    def _of_each(self, arcs: list[int]) -> list[tuple[Demand, Terms]]:
        """Demands that may use some of the arcs, each with its flows there."""
        return [
            (demand, terms)
            for demand, flows in zip(self.graph.demands, self.flow, strict=True)
            if (terms := [(flows[arc], 1.0) for arc in arcs if arc in flows])
        ]

    def _move(self, demand: Demand, flows: dict[int, pulp.LpVariable]) -> None:
        """(1) and (2): a lane leaves its source or stays, and what enters a place and layer leaves it."""
        network, unserved = self.graph.network, self.unserved[-1]
        around: dict[int, Terms] = defaultdict(list)
        for arc, variable in flows.items():
            around[int(network.tail[arc])].append((variable, 1.0))
            around[int(network.head[arc])].append((variable, -1.0))
        start = around.pop(demand.source, []) + ([(unserved, 1.0)] if unserved is not None else [])
        around.pop(demand.sink, None)
        self.demand[demand.demand_id] = self._row(
            start, pulp.LpConstraintEQ, demand.quantity_t, "demand", demand.demand_id
        )
        for vertex, terms in around.items():
            where = f"{network.vertex_node[vertex]}_{network.vertex_layer[vertex]}"
            self._row(terms, pulp.LpConstraintEQ, 0.0, "balance", demand.demand_id, where)

    def _keep_limits(self) -> None:
        """(3) What passes the arcs of a limit fits into it."""
        for limit in self.graph.limits:
            uses = [
                (flow, use)
                for arc in limit.arcs.tolist()
                for demand, flow in self._passing(arc)
                if (use := self.graph.use(limit, demand)) > 0
            ]
            self._row(uses, pulp.LpConstraintLE, limit.capacity, "limit", limit.name)

    def _one_gauge(self, section: Section) -> None:
        """(4) and (5): one option is built, and only what is built is used."""
        choices: Terms = []
        for option, (usd, arcs, most) in section.options.items():
            built = self.built[option] = self._binary("built", option)
            choices.append((built, 1.0))
            self._pay([(built, usd)])
            for arc in arcs.tolist():
                passing = self._passing(arc)
                room = min(most, sum(demand.quantity_t for demand, _ in passing))
                terms = [(flow, 1.0) for _, flow in passing]
                self._row([*terms, (built, -room)], pulp.LpConstraintLE, 0.0, "room", option, self._label(arc))
            for demand, terms in self._of_each(arcs.tolist()):
                rows = [*terms, (built, -demand.quantity_t)]
                self._row(rows, pulp.LpConstraintLE, 0.0, "use", option, demand.demand_id)
        self._row(choices, pulp.LpConstraintEQ, 1.0, "one_gauge", section.section_id)

    def _size(self, site: Site) -> None:
        """(6) to (9): at most one design, and what passes fits into it, waits in it and finds its sets."""
        taken = self.taken[site.site_id] = [
            self._binary("design", site.site_id, d.servers, f"{d.use_level:g}") for d in site.designs
        ]
        self._pay((z, d.usd_per_year) for z, d in zip(taken, site.designs, strict=True))
        one = [(z, 1.0) for z in taken]
        self._row(one, pulp.LpConstraintLE, 1.0, "one_design", site.site_id)

        arcs = site.arcs.tolist()
        units = [
            (flow, site.units_per_t[demand.commodity_id, arc]) for arc in arcs for demand, flow in self._passing(arc)
        ]
        room = [(z, -d.units_per_year) for z, d in zip(taken, site.designs, strict=True)]
        self._row([*units, *room], pulp.LpConstraintLE, 0.0, "units", site.site_id)
        for demand, terms in self._of_each(arcs):
            rows = [*terms, *((z, -demand.quantity_t) for z in taken)]
            self._row(rows, pulp.LpConstraintLE, 0.0, "open", site.site_id, demand.demand_id)
        self._wait(site, taken)
        if site.sets_per_unit > 0:
            most = None if math.isinf(site.max_sets) else site.max_sets - site.installed_sets
            sets = self.lp.add_variable(self.name("sets", site.site_id), 0, most, pulp.LpInteger)
            self.sets[site.site_id] = sets
            self._pay([(sets, site.usd_per_set)])
            bound = [(flow, site.sets_per_unit * n) for flow, n in units]
            self._row([*bound, (sets, -1.0)], pulp.LpConstraintLE, site.installed_sets, "sets_for", site.site_id)

    def _wait(self, site: Site, taken: list[pulp.LpVariable]) -> None:
        """(8) Everything that passes waits and is worked for the hours of the design; the least hours of all designs
        go straight on the flows."""
        least_h = min(design.hours for design in site.designs)
        value: Terms = []
        densest = 0.0  # USD an hour of a unit
        for arc in site.arcs.tolist():
            for demand, flow in self._passing(arc):
                value.append((flow, demand.vot_usd_per_t_h))
                self._pay([(flow, least_h * demand.vot_usd_per_t_h)])
                densest = max(densest, demand.vot_usd_per_t_h / site.units_per_t[demand.commodity_id, arc])
        most = sum(d.quantity_t * d.vot_usd_per_t_h for d, _ in self._of_each(site.arcs.tolist()))
        split: Terms = []
        for z, design in zip(taken, site.designs, strict=True):
            hours = self._variable("hours", site.site_id, design.servers, f"{design.use_level:g}")
            split.append((hours, -1.0))
            self._pay([(hours, design.hours - least_h)])
            at_most = min(most, densest * design.units_per_year)
            row = [(hours, 1.0), (z, -at_most)]
            self._row(
                row, pulp.LpConstraintLE, 0.0, "most_hours", site.site_id, design.servers, f"{design.use_level:g}"
            )
        self._row([*value, *split], pulp.LpConstraintEQ, 0.0, "time", site.site_id)

    def decisions(self) -> tuple[dict[str, str], dict[str, Design]]:
        """Options built and designs taken, as the variables say."""
        built = {
            section.section_id: max(section.options, key=lambda option: self.built[option].value() or 0.0)
            for section in self.graph.sections
        }
        designs = {
            site.site_id: design
            for site in self.graph.sites
            for z, design in zip(self.taken.get(site.site_id, ()), site.designs, strict=False)
            if (z.value() or 0.0) > 0.5
        }
        return built, designs

    def next_usd_per_t(self) -> dict[str, float]:
        """Lane -> cost of one more tonne, by the duals of the programme that :meth:`plan` solved last."""
        return {name: row.pi or 0.0 for name, row in self.demand.items()}

    def plan(self, options: SolveOptions) -> Plan:
        """The plan in the variables; its flows are those of the programme with the binaries as chosen, which carry no
        tolerance of theirs."""
        built, designs = self.decisions()
        whole = [*self.built.values(), *(z for mine in self.taken.values() for z in mine), *self.sets.values()]
        values = [variable.value() for variable in self.lp.variables()]
        for variable in whole:
            variable.lowBound = variable.upBound = round(variable.value() or 0.0)
            variable.cat = pulp.LpContinuous
        fixed = solve_model(self.lp, replace(options, time_limit_s=10.0, on_progress=None, solver=None))
        if fixed.status is not Status.OPTIMAL:
            for variable, value in zip(self.lp.variables(), values, strict=True):
                variable.varValue = value
        flows = [{arc: flow.value() or 0.0 for arc, flow in mine.items()} for mine in self.flow]
        return read_plan(self.graph, flows, built, designs)
