"""Which contracts to take: branch and bound on them, each node a route-flow problem.

A node has contracts that are taken, given up, or undecided. Undecided ones may be used and cost nothing, least volumes
do not bind, so the flows of a node are a relaxation and their bound holds. Paying for every contract that the flows
use makes a plan of them, if the volumes fit. The next contract decided is the dearest one in use. A node whose taken
contract falls short of its least volume keeps its bound; so the answer may stay short of a proof there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from optimizer.flows.engine import RouteFlowResult, Warm, solve_route_flow
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.plan import NOISE
from optimizer.models.port_choice.problem import TOLERANCE
from optimizer.models.port_choice.routeflow import Translation
from optimizer.result import Progress
from optimizer.solvers.watch import Watch


@dataclass(frozen=True)
class Choice:
    """Flows of the best plan, the contracts it takes, its cost with them, and a bound on every plan.

    ``short``: a least volume keeps the bound below the cost.
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
    if not services:
        flows = translation.without(closed_arcs) if closed_arcs else translation.flows
        result = solve_route_flow(flows, options, warm=warm)
        return Choice(result, (), result.cost, result.bound)
    watch = Watch(options)
    count = itertools.count()
    best: Choice | None = None
    open_nodes = [(0.0, next(count), _Node(0.0, frozenset(), frozenset(), warm))]
    short: list[float] = []  # bounds of nodes that only a least volume keeps from being plans
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
        cost = result.cost + sum(services[number].fixed_usd for number in used)
        if not missing and (best is None or cost < best.cost):
            best = Choice(result, tuple(number in used for number in range(len(services))), cost, 0.0)
        undecided = sorted(used - node.taken, key=lambda n: (-services[n].fixed_usd, n))
        if undecided:
            first = undecided[0]
            taken = _Node(bound + services[first].fixed_usd, node.taken | {first}, node.given_up, result.warm)
            for child in (taken, _Node(bound, node.taken, node.given_up | {first}, result.warm)):
                heapq.heappush(open_nodes, (child.bound, next(count), child))
        elif missing:
            short.append(bound)
        elif result.cost - result.bound > TOLERANCE / 10 * abs(result.cost):
            cut_off.append(bound)
        if options.on_progress is not None and best is not None:
            options.on_progress(Progress(best.cost, bound_now(), watch.elapsed_s))
    if best is None:
        nothing = replace(options, time_limit_s=0.001)
        node = _Node(0.0, frozenset(), frozenset(range(len(services))), None)
        result = _solve_node(translation, node, nothing, Watch(nothing), closed_arcs)
        best = Choice(result, (False,) * len(services), result.cost, 0.0)
    bound = bound_now()
    return replace(best, bound=bound, short=bool(short) and min(short) <= bound < best.cost)


def _solve_node(
    translation: Translation, node: _Node, options: SolveOptions, watch: Watch, closed_arcs: Collection[int]
) -> RouteFlowResult:
    shut = {arc for number in node.given_up for arc in translation.services[number].arcs.tolist()} | set(closed_arcs)
    left_s = None if options.time_limit_s is None else max(options.time_limit_s - watch.elapsed_s, 0.01)
    quiet = replace(options, time_limit_s=left_s, on_progress=None, gap=options.gap / 2)
    return solve_route_flow(translation.without(shut) if shut else translation.flows, quiet, warm=node.warm)


def _volumes(translation: Translation, result: RouteFlowResult) -> np.ndarray:
    """Tonnes on every service."""
    pool = result.pool
    load = np.zeros(translation.flows.capacity.size)
    np.add.at(load, pool.cells, pool.units * np.repeat(result.flow, np.diff(pool.start)))
    return np.asarray(load[translation.volume_cells])
