"""Solving on graphs that grow: routes a little dearer than the cheapest first, more for the lanes that need them.

Each graph is a relaxation of the problem (see :class:`Ground`), so its bound holds; the first whose best plan leaves a
tonne behind only at its full penalty gives the best plan. Both formulations are solved this way.

What stays behind early is often the rest that a full terminal cannot take, a few thousand tonnes: given longer ways,
the same rest stays behind on the next lane of that terminal. So all lanes that share the trouble get longer ways at
once: those whose next tonne would cost most of what leaving it costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.graph import Demand, Graph, Ground
from optimizer.models.gauge_choice.plan import Plan, empty_plan
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.result import Outcome, Status
from optimizer.solvers.watch import Watch

FIRST_DETOUR_USD_PER_T, FIRST_DETOUR_SHARE, GROWTH = 6.0, 0.06, 3.0
WHOLE_FROM_USD_PER_T = 1e5
"""Detour from which on nothing is left out."""
PROVED = 1e-6
"""Relative difference of cost and bound at which a plan counts as best where no gap is asked for."""


@dataclass(frozen=True)
class Found:
    """What a formulation says of one graph.

    Attributes
    ----------
    bound
        Lower bound on the graph's plans.
    next_usd_per_t
        Lane -> what one more tonne would cost with gauges and designs as planned, where the formulation knows it.
    """

    status: Status
    bound: float | None
    plan: Plan | None
    next_usd_per_t: Mapping[str, float] = field(default_factory=dict)


def solve_by_detours(
    problem: GaugeChoice,
    options: SolveOptions,
    solve_graph: Callable[[Graph, SolveOptions], Found],
) -> Outcome:
    """Outcome of a formulation; nothing moves, at the bound of :meth:`Ground.free_bound`, where time ends first."""
    watch = Watch(options)
    ground = Ground(problem)
    bound = ground.free_bound()
    if math.isinf(bound):
        return Outcome(Status.INFEASIBLE, conflicts=_no_routes(ground))
    best = empty_plan(ground.graph())
    detour = {
        demand.demand_id: FIRST_DETOUR_USD_PER_T + FIRST_DETOUR_SHARE * demand.cheapest_usd_per_t
        for demand, _ in ground.lanes
    }
    while True:
        graph = ground.graph(detour)
        left_s = None if options.time_limit_s is None else max(options.time_limit_s - watch.elapsed_s, 0.01)
        found = solve_graph(graph, replace(options, time_limit_s=left_s))
        if found.bound is not None:
            bound = max(bound, found.bound)
        if found.plan is not None and not (problem.serve_all and any(found.plan.unserved_t)):
            best = min(best, found.plan, key=lambda plan: plan.cost) if not problem.serve_all else found.plan
        if found.status is Status.INFEASIBLE:  # serve_all, and nothing was left out
            return Outcome(Status.INFEASIBLE, conflicts=_no_room(ground, solve_graph, options))
        if found.status is not Status.OPTIMAL or watch.should_stop or not _widen(detour, graph, found):
            break
    if problem.serve_all and any(best.unserved_t):
        return Outcome(Status.NO_SOLUTION, bound=bound)
    cost = best.cost
    proved = cost - bound <= max(options.gap, PROVED) * abs(cost)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, best.tables(), cost, min(bound, cost))


def _widen(detour: dict[str, float], graph: Graph, found: Found) -> bool:
    """Longer detours for the lanes that leave something behind early, and those like them; whether there are any."""
    could = [demand for demand in graph.demands if _could_go_on(graph.problem, demand)]
    left = dict(zip((d.demand_id for d in graph.demands), found.plan.unserved_t if found.plan else (), strict=False))
    early = {demand.demand_id for demand in could if left.get(demand.demand_id, 0.0) > 0}
    if early:
        early |= {d.demand_id for d in could if _strained(d, found.next_usd_per_t.get(d.demand_id, 0.0))}
    for name in early:
        longer = GROWTH * detour[name]
        detour[name] = math.inf if longer > WHOLE_FROM_USD_PER_T else longer
    return bool(early)


def _strained(demand: Demand, next_usd_per_t: float) -> bool:
    """Whether the next tonne would cost more than half of what leaving it costs beyond the cheapest route."""
    return 2 * next_usd_per_t > demand.cheapest_usd_per_t + demand.left_usd_per_t


def _could_go_on(problem: GaugeChoice, demand: Demand) -> bool:
    """Whether a lane was kept from dearer routes that may still be worth taking."""
    return not math.isinf(demand.left_usd_per_t) and (
        problem.serve_all or demand.left_usd_per_t < demand.penalty_usd_per_t
    )


def _no_routes(ground: Ground) -> tuple[str, ...]:
    return tuple(
        f"lane {demand.demand_id}: {demand.quantity_t:,.0f} t a year have no route, whatever is built"
        for demand, _ in ground.lanes
        if math.isinf(demand.cheapest_usd_per_t)
    )


def _no_room(
    ground: Ground, solve_graph: Callable[[Graph, SolveOptions], Found], options: SolveOptions
) -> tuple[str, ...]:
    """What stays behind where a tonne left is dearer than any route."""
    graph = ground.graph()
    dear = 10 * sum(demand.cost_usd_per_t[demand.cost_usd_per_t < math.inf].max() for demand, _ in ground.lanes)
    graph = replace(graph, demands=tuple(replace(demand, left_usd_per_t=dear) for demand in graph.demands))
    found = solve_graph(graph, replace(options, on_progress=None))
    if found.plan is None:
        return ("not everything can be served; time ran out before it was known what cannot",)
    return tuple(
        f"lane {demand.demand_id}: {left:,.0f} of {demand.quantity_t:,.0f} t a year find no room: on all their "
        "ways some link, port or gauge change is full, at its largest size"
        for demand, left in zip(graph.demands, found.plan.unserved_t, strict=True)
        if left > 0
    )
