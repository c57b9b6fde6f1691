"""Gauge choice a second time, in OR-Tools MathOpt, with flows split by the design of the site they pass.

Where ``exact.py`` keeps one flow per lane and arc, and prices a site's hours through the summed value of time of what
passes, here a lane's tonnes over a site are split by design, h_dak, each with its own hours in its cost:

    min   sum g_da f_da + sum (g_da + v_d H_mk) h_dak + sum l_d u_d + sum C_o y_o + sum F_mk z_mk + sum S_m w_m
    s.t.  flow out of v - flow into v = supply of v, with f_da = sum_k h_dak on the arcs of sites
          sum_d f_da <= K_o y_o,   one y_o for each section,   limits as there
          sum_d sum_a n_da h_dak <= V_mk z_mk,   sum_k z_mk <= 1,   b_m sum n_da h_dak <= i_m + w_m

No row of the other model is shared: its relaxation is another, its optimum must be the same.
"""

from __future__ import annotations

import math
from collections import defaultdict

from ortools.math_opt.python import mathopt

from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.detours import Found, solve_by_detours
from optimizer.models.gauge_choice.graph import Graph
from optimizer.models.gauge_choice.plan import read_plan
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.result import Outcome
from optimizer.solvers.mathopt import solve_mathopt

Terms = list[mathopt.LinearTerm | mathopt.Variable]


def solve_crosscheck(problem: GaugeChoice, options: SolveOptions) -> Outcome:
    """Solve the model above; ``options.solver`` is ``highs`` or ``scip``."""
    return solve_by_detours(problem, options, solve_split)


def solve_split(graph: Graph, options: SolveOptions) -> Found:
    """The model of one graph."""
    model = _Split(graph)
    found = solve_mathopt(model.model, options)
    if not found.status.has_plan:
        return Found(found.status, found.bound, None)
    values = found.values
    built = {
        section.section_id: max(section.options, key=lambda option: values[model.built[option]])
        for section in graph.sections
    }
    designs = {
        site.site_id: design
        for site in graph.sites
        for number, design in enumerate(site.designs)
        if values[model.taken[site.site_id, number]] > 0.5
    }
    flows = [{arc: sum(values[part] for part in parts) for arc, parts in mine.items()} for mine in model.flow]
    return Found(found.status, found.bound, read_plan(graph, flows, built, designs))


class _Split:
    """The model of the module docstring."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.model = mathopt.Model(name="gauge_choice_split")
        self.cost: Terms = []
        self.built = {name: self._binary(usd) for s in graph.sections for name, (usd, _, _) in s.options.items()}
        self.taken = {
            (site.site_id, number): self._binary(design.usd_per_year)
            for site in graph.sites
            for number, design in enumerate(site.designs)
        }
        self.site_of = {arc: site for site in graph.sites for arc in site.arcs.tolist()}
        self.flow: list[dict[int, list[mathopt.Variable]]] = [
            self._flows(number) for number in range(len(graph.demands))
        ]
        for number in range(len(graph.demands)):
            self._conserve(number)
        self._limit()
        self._build()
        self._size()
        self.model.minimize(mathopt.fast_sum(self.cost))

    def _binary(self, usd: float) -> mathopt.Variable:
        variable = self.model.add_binary_variable()
        self.cost.append(usd * variable)
        return variable

    def _flows(self, number: int) -> dict[int, list[mathopt.Variable]]:
        """Arc -> its flow, in one part for each design where it is one of a site."""
        demand = self.graph.demands[number]
        found = {}
        for arc, usd in zip(demand.arcs.tolist(), demand.cost_usd_per_t.tolist(), strict=True):
            site = self.site_of.get(arc)
            hours = [0.0] if site is None else [design.hours for design in site.designs]
            found[arc] = [self.model.add_variable(lb=0.0) for _ in hours]
            self.cost += [(usd + demand.vot_usd_per_t_h * h) * part for h, part in zip(hours, found[arc], strict=True)]
        return found

    def _conserve(self, number: int) -> None:
        demand, network = self.graph.demands[number], self.graph.network
        balance: dict[int, Terms] = defaultdict(list)
        for arc, parts in self.flow[number].items():
            balance[int(network.tail[arc])] += parts
            balance[int(network.head[arc])] += [-1.0 * part for part in parts]
        balance.pop(demand.sink, None)
        if not math.isinf(demand.left_usd_per_t):
            unserved = self.model.add_variable(lb=0.0, ub=demand.quantity_t)
            self.cost.append(demand.left_usd_per_t * unserved)
            balance[demand.source].append(unserved)
        for vertex, terms in balance.items():
            supply = demand.quantity_t if vertex == demand.source else 0.0
            self.model.add_linear_constraint(mathopt.fast_sum(terms) == supply)

    def _limit(self) -> None:
        for limit in self.graph.limits:
            uses = [
                self.graph.use(limit, self.graph.demands[number]) * part
                for arc in limit.arcs.tolist()
                for number in self.graph.users.get(arc, ())
                for part in self.flow[number][arc]
            ]
            self.model.add_linear_constraint(mathopt.fast_sum(uses) <= limit.capacity)

    def _build(self) -> None:
        for section in self.graph.sections:
            self.model.add_linear_constraint(mathopt.fast_sum(self.built[name] for name in section.options) == 1.0)
            for name, (_, arcs, room) in section.options.items():
                for arc in arcs.tolist():
                    users = self.graph.users.get(arc, ())
                    most = min(room, sum(self.graph.demands[number].quantity_t for number in users))
                    passing = mathopt.fast_sum(self.flow[number][arc][0] for number in users)
                    self.model.add_linear_constraint(passing - most * self.built[name] <= 0.0)

    def _size(self) -> None:
        for site in self.graph.sites:
            every: Terms = []
            for at, design in enumerate(site.designs):
                units: Terms = [
                    site.units_per_t[self.graph.demands[number].commodity_id, arc] * self.flow[number][arc][at]
                    for arc in site.arcs.tolist()
                    for number in self.graph.users.get(arc, ())
                ]
                every += units
                room = design.units_per_year * self.taken[site.site_id, at]
                self.model.add_linear_constraint(mathopt.fast_sum(units) - room <= 0.0)
            if not site.designs:
                continue
            one = mathopt.fast_sum(self.taken[site.site_id, at] for at in range(len(site.designs)))
            self.model.add_linear_constraint(one <= 1.0)
            if site.sets_per_unit > 0:
                most = site.max_sets - site.installed_sets
                sets = self.model.add_integer_variable(lb=0.0, ub=most)
                self.cost.append(site.usd_per_set * sets)
                bound = site.sets_per_unit * mathopt.fast_sum(every)
                self.model.add_linear_constraint(bound - sets <= float(site.installed_sets))
