"""The route-flow engine: a plan and a proven bound after every pass, at any size.

Every pass (1) shifts tonnes between pooled routes by gradient projection on the augmented Lagrangian of the
capacities, (2) prices all demands at the multipliers these loads imply, which proves a Lagrangian bound and finds new
routes, (3) updates the multipliers, and (4) makes the flows feasible: tonnes over a capacity leave, and take the
cheapest pooled routes with room. Where the routes in play are few enough, column generation with an exact linear
programme over them takes over and ends with exact prices.

Sources: Bertsekas, *Constrained Optimization and Lagrange Multiplier Methods*, 1982 (method of multipliers);
Bertsekas and Gafni, 1982, and Jayakrishnan et al., TRR 1443, 1994 (gradient projection on path flows); Wentges, 1997
(smoothed column generation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.flows.routes import pool_kernels
from optimizer.flows.routes.master import solve_master
from optimizer.flows.routes.pool import RoutePool
from optimizer.flows.routes.pricing import Pricing
from optimizer.flows.routes.problem import Floats, RouteFlowProblem, sum_product
from optimizer.models.family import SolveOptions
from optimizer.result import relative_gap
from optimizer.solvers.watch import Watch

SWEEPS = 4
"""Gradient projection passes per pricing pass; they cost a fraction of it."""
STEP = 0.9
"""Share of the Newton step."""
FIRST_STIFFNESS = 0.3
"""Price of an overload of the whole capacity, in mean costs per tonne."""
STIFFER = 1.5
SLOW_DECLINE = 0.5
"""The penalty grows where a review sees the overload fall by less than this."""
MUCH_OVERLOAD = 2e-3
"""Share of the tonnes; below it the multipliers need patience, not a larger penalty."""
REVIEW_PASSES = 10
NEW_ROUTE = 1e-7
"""A route is worth keeping when it saves this share of the mean cost per tonne."""
MOST_ROUTES_PER_DEMAND = 12
FEW_ROUTES = 60_000
"""Routes in play up to which the linear programme takes seconds."""
MASTER_AFTER_PASSES = 30
CLOSE = 1e-8
"""Relative gap that counts as none."""


@dataclass(frozen=True)
class Warm:
    """What a solve leaves for the next one on the same graphs and demands: its routes with tonnes, and prices."""

    pool: RoutePool
    price: Floats
    stiffness: float


@dataclass(frozen=True)
class RouteFlowResult:
    """The best plan met and the best bound proved.

    Attributes
    ----------
    pool, flow, unserved
        Routes, tonnes on each, tonnes left behind; within every capacity.
    cost, bound
        Cost of the plan; lower bound on every plan.
    price
        Shape (C,): multipliers of the cells.
    passes
        Pricing passes made.
    """

    pool: RoutePool
    flow: Floats
    unserved: Floats
    cost: float
    bound: float
    price: Floats
    passes: int
    stiffness: float

    @property
    def gap(self) -> float:
        return relative_gap(self.cost, self.bound)

    @property
    def warm(self) -> Warm:
        """Start for the next scenario: the routes in use and the prices."""
        return Warm(self.pool.part((self.pool.flow > 0) | (self.flow > 0)), self.price, self.stiffness)


def solve_route_flow(
    problem: RouteFlowProblem,
    options: SolveOptions,
    *,
    max_passes: int | None = None,
    warm: Warm | None = None,
    threads: int | None = None,
    on_pass: Callable[[int, float, float], None] | None = None,
) -> RouteFlowResult:
    """
    Solve to ``options.gap``, or until a limit.

    Parameters
    ----------
    problem
        With finite penalties: demands that must be served get one above every route by the caller.
    max_passes
        Work limit, for plans that do not depend on the clock.
    warm
        Routes and prices of a problem with the same graphs, demands and cells; capacities, departures and penalties
        may differ.
    on_pass
        Called with passes, cost and bound after every pass.
    """
    watch = Watch(options)
    return watch.run(lambda: _Engine(problem, options, watch, warm, threads, on_pass).run(max_passes))


class _Engine:
    def __init__(
        self,
        problem: RouteFlowProblem,
        options: SolveOptions,
        watch: Watch,
        warm: Warm | None,
        threads: int | None,
        on_pass: Callable[[int, float, float], None] | None,
    ) -> None:
        self.problem, self.options, self.watch, self.on_pass = problem, options, watch, on_pass
        self.finite = np.isfinite(problem.capacity) & (problem.capacity > 0)
        self.pool = RoutePool(problem)
        self.passes = 0
        # Nothing moves: always a plan.
        self.best_flow, self.best_unserved = np.zeros(0), problem.quantity.copy()
        self.cost = sum_product(problem.quantity, problem.penalty)
        self.bound = 0.0
        self.price = np.zeros(problem.capacity.size)
        self.pricing = Pricing(problem, threads)
        self.stiffness = FIRST_STIFFNESS
        if warm is not None:
            self._take_over(warm)

    def run(self, max_passes: int | None) -> RouteFlowResult:
        problem, pool = self.problem, self.pool
        cheapest = self._price(self.price)
        tonnes = max(float(problem.quantity.sum()), 1e-9)
        self.mean_cost = max(sum_product(problem.quantity, np.minimum(cheapest, problem.penalty)) / tonnes, 1e-12)
        multiplier = self.price.copy()
        load = pool.load()
        self._make_feasible(load)
        last_overload = np.inf
        per_unit = np.where(self.finite, self.mean_cost / np.where(self.finite, problem.capacity, 1.0), 0.0)
        while not self._done(max_passes):
            stiffness = self.stiffness * per_unit
            for _ in range(SWEEPS):
                pool_kernels.sweep(
                    pool.first_route, pool.next_route, pool.cost, pool.start, pool.cells, pool.units, pool.flow,
                    pool.unserved, problem.penalty, load, problem.capacity, multiplier, stiffness, STEP,
                )  # fmt: skip
            over = np.where(self.finite, load - np.where(self.finite, problem.capacity, 0.0), 0.0)
            multiplier = np.maximum(multiplier + stiffness * over, 0.0)
            self._price(multiplier)
            self._make_feasible(load)
            if self.passes % REVIEW_PASSES == 0:
                overload = float(np.maximum(over, 0.0).sum()) / tonnes
                if overload > SLOW_DECLINE * last_overload and overload > MUCH_OVERLOAD:
                    self.stiffness *= STIFFER
                last_overload = overload
                self._trim(multiplier)
                load = pool.load()
                if self.passes >= MASTER_AFTER_PASSES and self._generate_columns(max_passes):
                    break
        return RouteFlowResult(
            pool, self._incumbent(), self.best_unserved, self.cost, min(self.bound, self.cost), self.price,
            self.passes, self.stiffness,
        )  # fmt: skip

    def _done(self, max_passes: int | None) -> bool:
        return (
            self.watch.should_stop
            or (max_passes is not None and self.passes >= max_passes)
            or self.cost - self.bound <= max(self.options.gap, CLOSE) * abs(self.cost)
        )

    def _price(self, price: Floats) -> Floats:
        """Price all demands, prove a bound, keep new routes; costs of the cheapest routes (or lower bounds)."""
        problem, pool = self.problem, self.pool
        pooled = self._pooled_cost(price)
        threshold = pooled - NEW_ROUTE * getattr(self, "mean_cost", 0.0)
        cheapest, routes = self.pricing.cheapest(price, threshold)
        # Where nothing is cheaper than the threshold, the pooled route is near-best, and nothing costs less than that.
        least = np.where(cheapest < threshold, cheapest, np.minimum(np.maximum(cheapest, threshold), pooled))
        bound = self.pricing.bound(least, price)
        if bound > self.bound or self.passes == 0:
            self.bound, self.price = bound, price
        pool.add(routes)
        self.found = sum(batch.demand.size for batch in routes)
        self.passes += 1
        return np.asarray(np.minimum(least, problem.penalty))

    def _pooled_cost(self, price: Floats) -> Floats:
        pool = self.pool
        pooled: Floats = pool_kernels.least_pooled_cost(
            pool.first_route, pool.next_route, pool.cost, pool.start, pool.cells, pool.units, price,
            self.problem.penalty,
        )  # fmt: skip
        return pooled

    def _make_feasible(self, load: Floats) -> None:
        """A plan out of the flows: cut back what overfills, refill where there is room; kept when it is the best."""
        pool, problem = self.pool, self.problem
        flow, load = pool.flow.copy(), load.copy()
        by_regret = np.argsort(pool.cost - problem.penalty[pool.demand], kind="stable")[::-1]
        pool_kernels.cut_back(by_regret, pool.start, pool.cells, pool.units, flow, load, problem.capacity)
        self._accept(flow, load)

    def _accept(self, flow: Floats, load: Floats) -> None:
        pool, problem = self.pool, self.problem
        served = np.bincount(pool.demand, weights=flow, minlength=problem.num_demands)
        unserved = problem.quantity - served
        unserved[unserved < 1e-12 * problem.quantity] = 0.0
        order = np.flatnonzero(unserved > 0)
        order = order[np.argsort(-problem.penalty[order], kind="stable")]
        pool_kernels.refill(
            order, pool.first_route, pool.next_route, pool.cost, pool.start, pool.cells, pool.units, flow, unserved,
            problem.penalty, load, problem.capacity,
        )  # fmt: skip
        cost = pool.value(flow, unserved)
        if cost < self.cost:
            self.cost, self.best_flow, self.best_unserved = cost, flow, unserved
        self._tell()

    def _tell(self) -> None:
        self.watch.post(self.cost, self.bound)
        if self.on_pass is not None:
            self.on_pass(self.passes, self.cost, self.bound)

    def _incumbent(self) -> Floats:
        """Tonnes of the best plan on the routes pooled now; routes added since have none."""
        flow = np.zeros(self.pool.num_routes)
        flow[: self.best_flow.size] = self.best_flow
        return flow

    def _trim(self, price: Floats) -> None:
        """Drop the dearest routes without tonnes when the pool has outgrown the demands."""
        pool = self.pool
        if pool.num_routes <= MOST_ROUTES_PER_DEMAND * self.problem.num_demands:
            return
        used = (pool.flow > 0) | (self._incumbent() > 0)
        excess = self._excess(price)
        spare = np.flatnonzero(~used)
        room = max(MOST_ROUTES_PER_DEMAND * self.problem.num_demands // 2 - int(used.sum()), 0)
        wanted = used.copy()
        wanted[spare[np.argsort(excess[spare], kind="stable")[:room]]] = True
        self.best_flow = self._incumbent()[wanted]
        pool.keep(wanted)

    def _excess(self, price: Floats) -> Floats:
        """Cost of each pooled route above the cheapest of its demand, per tonne, at prices."""
        pool = self.pool
        tolls = np.add.reduceat(np.append(pool.units * price[pool.cells], 0.0), pool.start[:-1])
        tolls[np.diff(pool.start) == 0] = 0.0
        return pool.cost + tolls - self._pooled_cost(price)[pool.demand]

    def _generate_columns(self, max_passes: int | None) -> bool:
        """
        Finish with the linear programme over the routes in play and column generation; False when they are too many.

        Prices for the search lie between those of the programme and the best ones known (Wentges 1997), nearer to the
        latter while that proves better bounds.
        """
        pool, problem = self.pool, self.problem
        weight = 0.5
        last_price = self.price
        while not self._done(max_passes):
            slack = max(10 * (self.cost - self.bound) / float(problem.quantity.sum()), 1e-6 * self.mean_cost)
            used = self._incumbent() > 0
            wanted = used | (self._excess(self.price) <= slack)
            wanted |= self._excess(last_price) <= NEW_ROUTE * self.mean_cost
            if wanted.sum() > FEW_ROUTES:
                return False
            left_s = None
            if self.options.time_limit_s is not None:
                left_s = max(self.options.time_limit_s - self.watch.elapsed_s, 0.01)
            quiet = SolveOptions(time_limit_s=left_s, seed=self.options.seed, stop=self.options.stop)
            plan = solve_master(pool, wanted, problem.penalty, quiet)
            if plan is None:
                return False
            flow, last_price = plan.flow, plan.price
            load: Floats = pool_kernels.loads(pool.start, pool.cells, pool.units, flow, problem.capacity.size)
            order = np.argsort(-pool.cost, kind="stable")
            pool_kernels.cut_back(order, pool.start, pool.cells, pool.units, flow, load, problem.capacity)
            self._accept(flow, load)
            before = self.bound
            self._price(weight * self.price + (1 - weight) * plan.price)
            self._tell()
            weight = min(weight + 0.1, 0.9) if self.bound > before else max(weight - 0.2, 0.0)
            if not self.found:
                self._price(plan.price)
                self._tell()
                left_out = self._excess(plan.price)[: wanted.size][~wanted] < -NEW_ROUTE * self.mean_cost
                if not self.found and not left_out.any():
                    return True
        return True

    def _take_over(self, warm: Warm) -> None:
        """Start from another solve: its routes where they are still open, its prices and penalty."""
        pool, old = self.pool, warm.pool
        pool.copy_routes(old, self.pricing.open_routes(old))
        self.price = np.where(self.finite, warm.price, 0.0)
        self.stiffness = warm.stiffness
