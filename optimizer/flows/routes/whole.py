"""Demands that travel whole: the flow engine proves the bound, restricted programmes make the plan.

A demand that travels whole takes one route with all its tonnes, or stays behind with all of them. Without that rule
the problem is the engine's, so the engine's bound holds; ``split_graphs`` first takes from every such demand the arcs
whose capacity is below its tonnes, which only it loses, so that the bound stays near.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optimizer.flows.routes import pool_kernels
from optimizer.flows.routes.engine import RouteFlowResult
from optimizer.flows.routes.pool import RoutePool
from optimizer.flows.routes.problem import Flags, Floats, Longs, RouteFlowProblem
from optimizer.flows.routes.restricted import Restricted, RestrictedPlan
from optimizer.models.family import SolveOptions
from optimizer.solvers.watch import Watch

FEW_ROUTES = 60_000
"""Routes up to which a linear programme over them takes seconds."""
LOOSE = 1e-9
NEAR = 1.02
"""Local branching gains less than this."""


@dataclass(frozen=True)
class WholePlan:
    """Tonnes of the pooled routes and of what stays behind, and their cost."""

    flow: Floats
    unserved: Floats
    cost: float


def split_graphs(problem: RouteFlowProblem, whole: Flags) -> tuple[RouteFlowProblem, tuple[int, ...]]:
    """
    Graphs of their own for demands that are larger than some arcs; for each graph, the number of its first version.

    Parameters
    ----------
    whole
        Shape (K,): demands that travel whole.
    """
    last = problem.first_cell + problem.stride * (problem.num_days - 1)
    room = np.array(
        [
            problem.capacity[first : end + 1 : max(step, 1)].max()
            for first, end, step in zip(problem.first_cell, last, problem.stride, strict=True)
        ]
    )
    graphs, origin, number_of = list(problem.graphs), list(range(len(problem.graphs))), problem.graph.copy()
    for number, graph in enumerate(problem.graphs):
        mine = np.flatnonzero(whole & (problem.graph == number))
        if not mine.size or not graph.use_resource.size:
            continue
        fits = np.full(graph.head.size, np.inf)  # largest demand that can pass an arc
        used = np.repeat(np.arange(graph.head.size), np.diff(graph.use_indptr))
        positive = graph.use_units > 0
        np.minimum.at(fits, used[positive], room[graph.use_resource[positive]] / graph.use_units[positive])
        steps = np.unique(fits[np.isfinite(fits)])
        quantity = problem.quantity[mine] * (1 - LOOSE)
        classes = np.searchsorted(steps, quantity)
        for step in np.unique(classes[classes > 0]).tolist():
            members = mine[classes == step]
            cost = np.where(fits < quantity[classes == step].min(), np.inf, graph.cost)
            number_of[members] = len(graphs)
            graphs.append(replace(graph, cost=cost))
            origin.append(number)
    return replace(problem, graphs=tuple(graphs), graph=number_of), tuple(origin)


def is_whole(pool: RoutePool, flow: Floats, unserved: Floats, whole: Flags) -> bool:
    """Whether every demand that travels whole does."""
    quantity = pool.problem.quantity
    most = np.zeros(quantity.size)
    np.maximum.at(most, pool.demand, flow)
    parted = (np.maximum(most, unserved) < quantity * (1 - LOOSE)) & whole
    return not parted.any()


def quick_plan(result: RouteFlowResult, whole: Flags) -> WholePlan:
    """A plan at once: demands in parts go where there is room for all of it, others fill what they leave."""
    pool, problem = result.pool, result.pool.problem
    quantity = problem.quantity
    flow = result.flow.copy()
    parted = whole[pool.demand] & (flow < quantity[pool.demand] * (1 - LOOSE))
    flow[parted] = 0.0
    full = whole[pool.demand] & ~parted
    flow[full] = quantity[pool.demand[full]]
    load: Floats = pool_kernels.loads(pool.start, pool.cells, pool.units, flow, problem.capacity.size)
    served = np.bincount(pool.demand, weights=flow, minlength=quantity.size)
    unserved = np.maximum(quantity - served, 0.0)
    unserved[unserved < 1e-12 * quantity] = 0.0
    routes = pool.first_route, pool.next_route, pool.cost, pool.start, pool.cells, pool.units, flow, unserved
    order = np.flatnonzero((unserved > 0) & whole)
    order = order[np.argsort(-problem.penalty[order] * quantity[order], kind="stable")]
    pool_kernels.place_whole(order, *routes, quantity, problem.penalty, load, problem.capacity)
    order = np.flatnonzero((unserved > 0) & ~whole)
    order = order[np.argsort(-problem.penalty[order], kind="stable")]
    pool_kernels.refill(order, *routes, problem.penalty, load, problem.capacity)
    return WholePlan(flow, unserved, pool.value(flow, unserved))


def restricted_plan(
    result: RouteFlowResult, usable: Flags, whole: Flags, least: Mapping[int, float], enough: float, known: float,
    options: SolveOptions,
) -> RestrictedPlan | None:  # fmt: skip
    """
    The best plan found on the routes of a solve; None when there is none or a limit came first.

    Parameters
    ----------
    usable
        Shape (P,): routes that may be used.
    least
        Cell -> least use of it.
    enough
        Cost below which nothing better is looked for.
    known
        Cost of another plan; one that is much dearer is not improved.
    """
    pool, watch = result.pool, Watch(options)
    wanted = usable & ~circling(pool) if least else usable.copy()
    if wanted.sum() > FEW_ROUTES:
        # those nearest to being in use, at the prices
        tolls = np.add.reduceat(np.append(pool.units * result.price[pool.cells], 0.0), pool.start[:-1])
        tolls[np.diff(pool.start) == 0] = 0.0
        cost = pool.cost + tolls
        cheapest = np.full(pool.problem.num_demands, np.inf)
        np.minimum.at(cheapest, pool.demand[wanted], cost[wanted])
        candidates = np.flatnonzero(wanted)
        excess = (cost - cheapest[pool.demand])[candidates]
        excess[result.flow[candidates] > 0] = 0.0
        wanted[candidates[np.argsort(excess, kind="stable")[FEW_ROUTES:]]] = False
    if not wanted.any():
        return None
    programme = Restricted(pool, wanted, pool.problem.penalty, whole, least, options)
    if not programme.whole_columns.size:
        return programme.linear()
    plan = programme.dive()
    if plan is None or watch.should_stop or plan.cost > known * NEAR:
        return plan
    return programme.improve(plan, enough)


def circling(pool: RoutePool) -> Flags:
    """Routes that come back to a vertex they have left."""
    route = np.repeat(np.arange(pool.num_routes), np.diff(pool.move_start))
    head, tail = np.zeros(route.size, dtype=np.int64), np.zeros(route.size, dtype=np.int64)
    graph_of = pool.problem.graph[pool.demand[route]]
    for number, graph in enumerate(pool.problem.graphs):
        mine = graph_of == number
        head[mine], tail[mine] = graph.head[pool.move_arc[mine]], graph.tail[pool.move_arc[mine]]
    found = np.zeros(pool.num_routes, dtype=np.bool_)
    if not route.size:
        return found
    order = np.lexsort((head, route))
    same = (np.diff(route[order]) == 0) & (np.diff(head[order]) == 0)
    found[route[order][1:][same]] = True
    first: Longs = tail[pool.move_start[route]]
    found[route[head == first]] = True
    return found
