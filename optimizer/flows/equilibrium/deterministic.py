"""User equilibrium of a network whose links slow down with their load: nobody gains by another route.

The equilibrium is the minimum, over the loads ``x`` of route flows that meet every demand, of the convex

    Z(x) = sum_a toll_a x_a + int_0^{x_a} D_a       Beckmann, McGuire and Winsten, Studies in the Economics of
                                                    Transportation, 1956

whose slope at ``x`` is the cost ``c(x)`` of the links. Every pass prices all demands at these costs, which finds new
routes and proves ``Z* >= Z(x) + c(x) (y - x)``, ``y`` the loads when all take the cheapest routes; then it shifts flow
between the routes in use by gradient projection with Newton steps (Jayakrishnan et al., TRR 1443, 1994), pair after
pair with the costs kept up to date (Florian, Constantin and Florian, TRR 2090, 2009). It is the limit of the stochastic
equilibrium of ``stochastic.py`` for a scale without end.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from optimizer.flows.equilibrium import kernels
from optimizer.flows.equilibrium.delay import DelayFunctions
from optimizer.flows.routes.problem import Flags, Floats, Ints, Longs
from optimizer.models.family import SolveOptions
from optimizer.result import relative_gap
from optimizer.solvers.watch import Watch

MOST_SWEEPS = 60
ENOUGH = 0.1
"""Sweeps over the routes in use go on until they leave this share of what was above the cheapest routes."""
NEW_ROUTE = 1e-13
"""A route must save this share of its cost to be listed; less is rounding."""
FINEST = 1e-14
PATIENCE = 5
"""Passes without a better gap after which only rounding is left."""


@dataclass(frozen=True)
class TrafficAssignment:
    """Who wants to go where, on which links.

    Attributes
    ----------
    num_nodes
        Nodes are 0 to ``num_nodes - 1``.
    tail, head, toll
        Shape (num_links,): nodes; cost of a link whatever its load, not below zero.
    delays
        Hours of the links by their load.
    origin, destination, quantity
        Shape (num_demands,): a demand from a node to itself stays where it is.
    may_pass
        Shape (num_nodes,): nodes that a route may pass on its way. None: all.

    Raises
    ------
    ValueError
        When an array does not fit the others or a number is out of its range.
    """

    num_nodes: int
    tail: Longs
    head: Longs
    toll: Floats
    delays: DelayFunctions
    origin: Longs
    destination: Longs
    quantity: Floats
    may_pass: Flags | None = None

    def __post_init__(self) -> None:
        delays = self.delays
        links = {
            "head": self.head, "toll": self.toll, "free": delays.free, "rise": delays.rise,
            "capacity": delays.capacity, "power": delays.power,
        }  # fmt: skip
        for name, array in links.items():
            if np.shape(array) != (len(self.tail),) or not np.isfinite(array).all():
                raise ValueError(f"{name} must hold {len(self.tail)} finite numbers")
        for name, array in {"destination": self.destination, "quantity": self.quantity}.items():
            if np.shape(array) != (len(self.origin),) or not np.isfinite(array).all():
                raise ValueError(f"{name} must hold {len(self.origin)} finite numbers")
        for name, nodes in {
            "tail": self.tail, "head": self.head, "origin": self.origin, "destination": self.destination,
        }.items():  # fmt: skip
            if len(nodes) and not 0 <= nodes.min() <= nodes.max() < self.num_nodes:
                raise ValueError(f"{name} must hold nodes from 0 to {self.num_nodes - 1}")
        for name, array in {
            "quantity": self.quantity, "toll": self.toll, "free": delays.free, "rise": delays.rise,
        }.items():  # fmt: skip
            if (array < 0).any():
                raise ValueError(f"{name} must not lie below zero")
        if not (delays.capacity > 0).all() or not (delays.power >= 1).all():
            raise ValueError("capacity must lie above zero and power at 1 or above")
        if self.may_pass is not None and np.shape(self.may_pass) != (self.num_nodes,):
            raise ValueError(f"may_pass must hold {self.num_nodes} flags")

    def objective(self, load: Floats) -> float:
        """``Z`` at the loads of the links."""
        return float((self.toll * load + self.delays.integral(load)).sum())

    def costs(self, load: Floats) -> Floats:
        """Costs of the links at their loads."""
        return self.toll + self.delays.delay(load)


@dataclass(frozen=True)
class UserEquilibrium:
    """Loads near equilibrium, and how near.

    Attributes
    ----------
    load, cost
        Shape (num_links,); costs at these loads.
    objective, bound
        ``Z`` of the loads; a proven lower bound on every ``Z``.
    excess
        What all pay above the cheapest routes at these costs, as a share of what they pay.
    demand, start, link, flow
        Routes in use: demand and flow of each, by origin and destination, and CSR of their links.
    passes
        Pricing passes made.
    """

    load: Floats
    cost: Floats
    objective: float
    bound: float
    excess: float
    demand: Longs
    start: Longs
    link: Ints
    flow: Floats
    passes: int

    @property
    def gap(self) -> float:
        return relative_gap(self.objective, self.bound)


def user_equilibrium(
    problem: TrafficAssignment,
    options: SolveOptions,
    *,
    max_passes: int = 10_000,
    threads: int = 2,
    on_pass: Callable[[int, float, float], None] | None = None,
) -> UserEquilibrium:
    """
    Solve to ``options.gap``, or until a limit or until rounding is all that is left.

    Parameters
    ----------
    max_passes
        Work limit, at least 1.
    on_pass
        Called with passes, objective and bound after every pass.

    Raises
    ------
    ValueError
        When a demand has no route, with its nodes.
    """
    watch = Watch(options)
    return watch.run(lambda: _Search(problem, threads).run(options.gap, max_passes, watch, on_pass))


class _Search:
    """Links in order of their tails; nodes that must not be passed are left through a second node."""

    def __init__(self, problem: TrafficAssignment, threads: int) -> None:
        self.problem = problem
        nodes = problem.num_nodes
        may_pass = np.ones(nodes, bool) if problem.may_pass is None else problem.may_pass
        leaving = np.where(may_pass, np.arange(nodes), nodes + np.arange(nodes))
        tail = leaving[problem.tail]
        self.order = np.argsort(tail, kind="stable")
        self.tail = tail[self.order].astype(np.int32)
        self.head = problem.head[self.order].astype(np.int32)
        self.indptr = np.searchsorted(self.tail, np.arange(2 * nodes + 1)).astype(np.int64)
        delays = problem.delays
        self.shape = tuple(
            np.ascontiguousarray(values[self.order], dtype=np.float64)
            for values in (problem.toll, delays.free, delays.rise, delays.capacity, delays.power)
        )
        moving = np.flatnonzero((problem.quantity > 0) & (problem.origin != problem.destination))
        self.moving = moving[np.lexsort((problem.destination[moving], problem.origin[moving]))]
        origin = problem.origin[self.moving]
        self.target = problem.destination[self.moving].astype(np.int64)
        self.quantity = problem.quantity[self.moving].astype(np.float64)
        sources, first = np.unique(origin, return_index=True)
        self.source = leaving[sources].astype(np.int64)
        self.first_demand = np.append(first, origin.size).astype(np.int64)
        cuts = np.unique(np.linspace(0, self.source.size, 4 * threads + 1).astype(int))
        self.chunks = list(pairwise(cuts.tolist()))
        self.threads = threads
        self.demand = np.empty(0, np.int64)
        self.start = np.zeros(1, np.int64)
        self.arcs = np.empty(0, np.int32)
        self.flow = np.empty(0)

    def run(
        self, gap: float, max_passes: int, watch: Watch, on_pass: Callable[[int, float, float], None] | None
    ) -> UserEquilibrium:
        bound, best, waiting = -np.inf, np.inf, 0
        with ThreadPoolExecutor(self.threads) as executor:
            load = np.zeros(self.order.size)
            self._add(self._price(executor, self._costs(load)[0])[1])
            self.flow[:] = self.quantity
            load = self._load()
            for passes in range(1, max_passes + 1):
                price, slope = self._costs(load)
                cheapest, routes = self._price(executor, price)
                paid = float(price @ load)
                excess = paid - float(self.quantity @ cheapest)
                objective = self._objective(load)
                bound = max(bound, objective - max(excess, 0.0))
                watch.post(objective, bound)
                if on_pass is not None:
                    on_pass(passes, objective, bound)
                left = relative_gap(objective, bound)
                waiting = 0 if left < 0.9 * best else waiting + 1
                best = min(best, left)
                if left <= max(gap, FINEST) or waiting >= PATIENCE or passes == max_passes or watch.should_stop:
                    break
                self._drop_unused()
                self._add(routes)
                load = self._sweeps(load, price, slope, excess)
        return self._result(load, objective, bound, excess / paid if paid > 0 else 0.0, passes)

    def _costs(self, load: Floats) -> tuple[Floats, Floats]:
        """Costs of the links and their slopes."""
        toll, free, rise, capacity, power = self.shape
        steep = free * rise * (load / capacity) ** (power - 1)
        return toll + free + steep * load / capacity, steep * power / capacity

    def _objective(self, load: Floats) -> float:
        toll, free, rise, capacity, power = self.shape
        return float((toll * load + DelayFunctions(free, rise, capacity, power).integral(load)).sum())

    def _price(self, executor: ThreadPoolExecutor, price: Floats) -> tuple[Floats, list[tuple[Longs, Longs, Ints]]]:
        """Cost of the cheapest route of each demand; the routes that beat the pooled ones."""
        pooled = np.full(self.quantity.size, np.inf)
        np.minimum.at(pooled, self.demand, kernels.route_costs(self.start, self.arcs, price))
        pooled -= NEW_ROUTE * np.where(np.isfinite(pooled), pooled, 0.0)

        def priced(chunk: tuple[int, int]) -> tuple[Floats, Longs, Longs, Ints]:
            found: tuple[Floats, Longs, Longs, Ints] = kernels.cheapest_routes(
                self.indptr, self.head, self.tail, price, self.source, self.first_demand, self.target, pooled, *chunk
            )
            return found

        found = list(executor.map(priced, self.chunks))
        cheapest = np.concatenate([part[0] for part in found]) if found else np.empty(0)
        if not np.isfinite(cheapest).all():
            missing = self.moving[np.flatnonzero(~np.isfinite(cheapest))]
            pairs = ", ".join(f"{self.problem.origin[d]} to {self.problem.destination[d]}" for d in missing[:5])
            raise ValueError(f"no route for {missing.size} demands, from node {pairs}")
        return cheapest, [part[1:] for part in found]

    def _add(self, batches: list[tuple[Longs, Longs, Ints]]) -> None:
        """Take routes without flow into the pool, which stays in order of demands."""
        for demand, end, arcs in batches:
            self.start = np.concatenate([self.start, self.arcs.size + end])
            self.arcs = np.concatenate([self.arcs, arcs])
            self.demand = np.concatenate([self.demand, demand])
            self.flow = np.concatenate([self.flow, np.zeros(demand.size)])
        self._take(np.argsort(self.demand, kind="stable"))

    def _drop_unused(self) -> None:
        self._take(np.flatnonzero(self.flow > 0))

    def _take(self, routes: Longs) -> None:
        """Keep these routes, in this order."""
        length = np.diff(self.start)[routes]
        end = np.cumsum(length)
        entry = np.arange(end[-1] if end.size else 0) + np.repeat(self.start[routes] - (end - length), length)
        self.start = np.concatenate([[0], end])
        self.arcs, self.demand, self.flow = self.arcs[entry], self.demand[routes], self.flow[routes]

    def _load(self) -> Floats:
        flow = np.repeat(self.flow, np.diff(self.start))
        return np.bincount(self.arcs, flow, self.order.size).astype(np.float64)

    def _sweeps(self, load: Floats, price: Floats, slope: Floats, excess: float) -> Floats:
        """Shift flow between pooled routes; the new loads."""
        first_route = np.searchsorted(self.demand, np.arange(self.quantity.size + 1)).astype(np.int64)
        best_mark, route_mark = (np.full(self.order.size, -1, np.int64) for _ in range(2))
        toll, free, rise, capacity, power = self.shape
        for _ in range(MOST_SWEEPS):
            left = kernels.shift_flows(
                first_route, self.start, self.arcs, self.flow, toll, free, rise, capacity, power,
                load, price, slope, best_mark, route_mark,
            )  # fmt: skip
            if left <= ENOUGH * excess:
                break
        # Shifts add up rounding: what each demand has in all, and the loads, come from the flows again.
        served = np.bincount(self.demand, self.flow, self.quantity.size)
        self.flow *= (self.quantity / served)[self.demand]
        return self._load()

    def _result(self, load: Floats, objective: float, bound: float, excess: float, passes: int) -> UserEquilibrium:
        self._drop_unused()
        by_link = np.empty(load.size)
        by_link[self.order] = load
        return UserEquilibrium(
            by_link, self.problem.costs(by_link), objective, bound, max(excess, 0.0), self.moving[self.demand],
            self.start, self.order[self.arcs].astype(np.int32), self.flow, passes,
        )  # fmt: skip
