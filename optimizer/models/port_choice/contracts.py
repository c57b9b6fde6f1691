"""Which contracts to take and which way indivisible shipments go: price-and-branch.

A node of the tree has contracts that are taken, given up, or undecided. Undecided ones may be used and cost nothing,
least volumes do not bind, indivisible shipments may part, so the flows of a node are a relaxation and their bound
holds. Paying for every contract that the flows use makes a plan of them, if volumes and shipments allow; otherwise
restricted programmes over the routes of the node make one (``flows/restricted.py``). The next contract decided is the
dearest one in use. Where taken contracts fall short, subsidies on their tonnes lift the bound (the Lagrangian of the
least volumes); what indivisible shipments cost beyond it stays as a gap.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from optimizer.flows.routes.engine import RouteFlowResult, Warm, solve_route_flow
from optimizer.flows.routes.whole import is_whole, quick_plan, restricted_plan
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.plan import NOISE
from optimizer.models.port_choice.problem import TOLERANCE
from optimizer.models.port_choice.routeflow import Translation
from optimizer.result import Progress
from optimizer.solvers.watch import Watch

LIFTS = 6
"""Rounds of subsidies on a contract that falls short."""


@dataclass(frozen=True)
class Choice:
    """Flows of the best plan, the contracts it takes, its cost with them, and a bound on every plan.

    ``short``: a least volume or an indivisible shipment keeps the bound below the cost.
    """

    result: RouteFlowResult
    taken: tuple[bool, ...]
    cost: float
    bound: float
    short: bool = False


@dataclass(frozen=True)
class _Node:
    bound: float
    taken: frozenset[int]
    given_up: frozenset[int]
    warm: Warm | None


def branch_on_contracts(
    translation: Translation, options: SolveOptions, warm: Warm | None, closed_arcs: Collection[int]
) -> Choice:
    """Flows and contracts of least cost, within ``options``; without contracts one run of the engine."""
    services = translation.services
    whole = translation.whole
    if not services and not whole.any():
        flows = translation.without(closed_arcs) if closed_arcs else translation.flows
        result = solve_route_flow(flows, options, warm=warm)
        return Choice(result, (), result.cost, result.bound)
    watch = Watch(options)
    count = itertools.count()
    best: Choice | None = None
    open_nodes = [(0.0, next(count), _Node(0.0, frozenset(), frozenset(), warm))]
    short: list[float] = []  # bounds of nodes that least volumes or indivisible shipments keep from being plans
    cut_off: list[float] = []  # bounds of nodes that a limit ended

    def bound_now() -> float:
        bounds = [bound for bound, *_ in open_nodes] + short + cut_off
        return min([best.cost, *bounds]) if best is not None else min(bounds, default=0.0)

    while open_nodes:
        if best is not None and (
            watch.should_stop or best.cost - bound_now() <= max(options.gap, TOLERANCE / 10) * abs(best.cost)
        ):
            break
        node = heapq.heappop(open_nodes)[2]
        if best is not None and node.bound >= best.cost:
            continue
        result = _solve_node(translation, node, options, watch, closed_arcs)
        fixed = sum(services[number].fixed_usd for number in node.taken)
        bound = max(result.bound + fixed, node.bound)
        volume = _volumes(translation, result)
        used = frozenset(np.flatnonzero(volume > NOISE * translation.flows.quantity.sum()).tolist())
        missing = {n for n in used if volume[n] < services[n].least_t * (1 - TOLERANCE / 10)}
        parted = not is_whole(result.pool, result.flow, result.unserved, whole)
        if missing and not (used - node.taken):
            result, bound = _lift(translation, node, result, bound, options, watch, closed_arcs)
        enough = fixed + result.bound + max(options.gap, TOLERANCE / 10) * abs(result.cost)
        plans = [result]
        if missing or parted:
            plans = _plans(translation, result, used | node.taken, enough, best, options, watch)
        for plan in plans:
            tonnes = _volumes(translation, plan)
            paid = set(np.flatnonzero(tonnes > NOISE * translation.flows.quantity.sum()).tolist())
            cost = plan.cost + sum(services[number].fixed_usd for number in paid)
            kept = all(tonnes[n] >= services[n].least_t * (1 - TOLERANCE / 10) for n in paid)
            if kept and (best is None or cost < best.cost):
                best = Choice(plan, tuple(number in paid for number in range(len(services))), cost, 0.0)
        undecided = sorted(used - node.taken, key=lambda n: (-services[n].fixed_usd, n))
        if undecided:
            first = undecided[0]
            taken = _Node(bound + services[first].fixed_usd, node.taken | {first}, node.given_up, result.warm)
            for child in (taken, _Node(bound, node.taken, node.given_up | {first}, result.warm)):
                heapq.heappush(open_nodes, (child.bound, next(count), child))
        elif missing or parted:
            short.append(bound)
        elif result.cost - result.bound > TOLERANCE / 10 * abs(result.cost):
            cut_off.append(bound)
        if options.on_progress is not None and best is not None:
            options.on_progress(Progress(best.cost, bound_now(), watch.elapsed_s))
    if best is None:
        nothing = replace(options, time_limit_s=0.001)
        node = _Node(0.0, frozenset(), frozenset(range(len(services))), None)
        result = _solve_node(translation, node, nothing, Watch(nothing), closed_arcs)
        quick = quick_plan(result, whole)
        result = replace(result, flow=quick.flow, unserved=quick.unserved, cost=quick.cost)
        best = Choice(result, (False,) * len(services), result.cost, 0.0)
    bound = bound_now()
    return replace(best, bound=bound, short=bool(short) and min(short) <= bound < best.cost)


def _solve_node(
    translation: Translation, node: _Node, options: SolveOptions, watch: Watch, closed_arcs: Collection[int]
) -> RouteFlowResult:
    shut = {arc for number in node.given_up for arc in translation.services[number].arcs.tolist()} | set(closed_arcs)
    left_s = None if options.time_limit_s is None else max(options.time_limit_s - watch.elapsed_s, 0.01)
    if left_s is not None and translation.whole.any():
        left_s /= 3  # the rest is for the plan
    quiet = replace(options, time_limit_s=left_s, on_progress=None, gap=options.gap / 2)
    return solve_route_flow(translation.without(shut) if shut else translation.flows, quiet, warm=node.warm)


def _plans(
    translation: Translation, result: RouteFlowResult, open_services: frozenset[int] | set[int], enough: float,
    best: Choice | None, options: SolveOptions, watch: Watch,
) -> list[RouteFlowResult]:  # fmt: skip
    """Plans on the routes of a node, with some contracts open and their least volumes kept."""
    services, whole, pool = translation.services, translation.whole, result.pool
    quick = quick_plan(result, whole)
    found = [replace(result, flow=quick.flow, unserved=quick.unserved, cost=quick.cost)]
    cells = translation.volume_cells
    owner = np.repeat(np.arange(pool.num_routes), np.diff(pool.start))
    shrinking = set(open_services)
    known = np.inf if best is None else best.cost
    while not watch.should_stop:
        least = {int(cells[n]): services[n].least_t for n in sorted(shrinking) if services[n].least_t > 0}
        shut = np.isin(pool.cells, [cells[n] for n in range(len(services)) if n not in shrinking])
        usable = np.ones(pool.num_routes, dtype=bool)
        usable[owner[shut & (pool.units > 0)]] = False
        left_s = None if options.time_limit_s is None else max(options.time_limit_s - watch.elapsed_s, 0.01)
        if left_s is not None and services:
            left_s /= 4  # other nodes want time as well
        quiet = replace(options, time_limit_s=left_s, on_progress=None)
        paid = sum(services[n].fixed_usd for n in shrinking)
        plan = restricted_plan(result, usable, whole, least, enough - paid, known - paid, quiet)
        if plan is not None:
            found.append(replace(result, flow=plan.flow, unserved=plan.unserved, cost=plan.cost))
            break
        needy = sorted((n for n in shrinking if services[n].least_t > 0), key=lambda n: (-services[n].least_t, n))
        if not needy:
            break
        shrinking.discard(needy[0])  # the routes at hand cannot fill all: do without the largest
    return found


def _lift(
    translation: Translation, node: _Node, result: RouteFlowResult, bound: float, options: SolveOptions, watch: Watch,
    closed_arcs: Collection[int],
) -> tuple[RouteFlowResult, float]:  # fmt: skip
    """
    More routes over contracts that fall short, and a better bound.

    A subsidy of s USD on every tonne over a taken contract, paid back for its least volume m, bounds every plan from
    below: the flows at costs less s, plus s m. No arc may cost less than nothing, so s ends at the cheapest arc.
    """
    services, cells = translation.services, translation.volume_cells
    shut = {arc for number in node.given_up for arc in services[number].arcs.tolist()} | set(closed_arcs)
    flows = translation.without(shut) if shut else translation.flows
    first = len(translation.resources)
    most = np.full(len(services), np.inf)
    for graph in flows.graphs:
        of_service = graph.use_resource >= first
        arcs = np.repeat(np.arange(graph.head.size), np.diff(graph.use_indptr))[of_service]
        passes = np.bincount(arcs, weights=graph.use_units[of_service], minlength=graph.head.size)
        room = graph.cost[arcs] / np.maximum(passes[arcs], 1.0)
        np.minimum.at(most, graph.use_resource[of_service] - first, room)
    taken = [n for n in sorted(node.taken) if services[n].least_t > 0 and np.isfinite(most[n])]
    last: dict[int, float] = {}
    for _ in range(LIFTS):
        if watch.should_stop or not taken:
            break
        left_s = None if options.time_limit_s is None else max(options.time_limit_s - watch.elapsed_s, 0.01)
        quiet = replace(options, time_limit_s=left_s, on_progress=None, gap=options.gap / 2)
        least = {int(cells[n]): services[n].least_t for n in taken}
        everything = np.ones(result.pool.num_routes, dtype=bool)
        nobody = np.zeros(flows.num_demands, dtype=bool)
        plan = restricted_plan(result, everything, nobody, least, 0.0, np.inf, quiet)
        # Where the routes at hand cannot fill a contract, the largest subsidy finds the routes that do.
        subsidy = {n: float(most[n]) if plan is None else min(plan.subsidy[int(cells[n])], most[n]) for n in taken}
        if subsidy == last:
            break
        last = subsidy
        change = np.zeros(flows.capacity.size)
        for n, usd in subsidy.items():
            change[cells[n]] = -usd
        graphs = []
        for graph in flows.graphs:
            of_service = graph.use_resource >= first
            arcs = np.repeat(np.arange(graph.head.size), np.diff(graph.use_indptr))[of_service]
            tolls = graph.use_units[of_service] * change[cells[graph.use_resource[of_service] - first]]
            less = np.bincount(arcs, weights=tolls, minlength=graph.head.size)
            graphs.append(replace(graph, cost=np.maximum(graph.cost + less, 0.0)))
        warm = Warm(result.pool.repriced(change), result.price, result.stiffness)
        cheap = solve_route_flow(replace(flows, graphs=tuple(graphs)), quiet, warm=warm)
        paid_back = sum(usd * services[n].least_t for n, usd in subsidy.items())
        fixed = sum(services[n].fixed_usd for n in node.taken)
        bound = max(bound, cheap.bound + paid_back + fixed)
        pool = cheap.pool.repriced(-change)
        pool.problem = flows
        cost = pool.value(cheap.flow, cheap.unserved)
        result = replace(cheap, pool=pool, cost=cost, bound=min(result.bound, cost))
    return result, bound


def _volumes(translation: Translation, result: RouteFlowResult) -> np.ndarray:
    """Tonnes on every service."""
    pool = result.pool
    load = np.zeros(translation.flows.capacity.size)
    np.add.at(load, pool.cells, pool.units * np.repeat(result.flow, np.diff(pool.start)))
    return np.asarray(load[translation.volume_cells])
