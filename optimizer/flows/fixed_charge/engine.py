"""
Services with a fixed cost, solved.

Price and branch: routes and linking rows are generated until the linear relaxation is exact. Every pass gives the
Lagrangian bound at its prices, valid because routes are priced exactly. Rounding, diving, an integer programme over the
routes known and its neighbourhoods (local branching, Fischetti and Lodi 2003) give plans; reduced costs fix services.
Where all routes can be listed, the integer programme is exact and its bound counts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optimizer.flows.fixed_charge.problem import (
    NEW_PER_DEMAND,
    Columns,
    FixedChargeProblem,
    FixedChargeResult,
    Floats,
    Ints,
    Priced,
    cheapest,
)
from optimizer.models.family import SolveOptions
from optimizer.result import Progress, Status, relative_gap

if TYPE_CHECKING:
    from optimizer.flows.fixed_charge.master import Master

PROVED = 1e-7
"""Relative gap that counts as none: the tolerance of the linear solver."""
CLOSED_PRICE = 1e15
ROUTES_LISTED = 200_000
CORES = (0.003, 0.01)
"""Restricted integer programmes look for plans within this share of the bound."""
ROUTE_SHARE = 0.02
FLOW_SHARE = 0.8
"""Of the time limit, for plans by min-cost flows."""
SMALL = 5_000
"""Demands times services up to which the linear master is fastest by simplex, and the search by HiGHS."""


def solve_fixed_charge(problem: FixedChargeProblem, options: SolveOptions) -> FixedChargeResult:
    """
    Find services and flows of least cost.

    ``options`` gives time limit, gap, seed, stop and progress, as everywhere; the plan and bound known by then come
    back. INFEASIBLE is claimed only where it is proved: a demand that must be served has no route, or all routes could
    be listed.

    Source: Barahona and Chudak (2005) and Klose and Goertz (2007) for strong linking and column generation; Cornuejols,
    Sridharan and Thizy (1991) for the relaxations and their order.
    """
    return _Search(problem, options).run()


class _Search:
    def __init__(self, problem: FixedChargeProblem, options: SolveOptions) -> None:
        from optimizer.flows.fixed_charge.master import Master  # highspy is slow to load

        self.problem, self.options = problem, options
        self.started = time.monotonic()
        limit = options.time_limit_s
        self.deadline = np.inf if limit is None else self.started + limit
        D, S, R = problem.quantity.size, problem.fixed_cost.size, problem.capacity.size
        self.lower, self.upper = np.zeros(S), (problem.most > 0).astype(float)
        self.bound, self.plan = -np.inf, FixedChargeResult(Status.NO_SOLUTION, None, None)
        self.saving_bound = -np.inf  # of the relaxation whose prices are kept
        free = problem.price(np.where(self.upper > 0, 0.0, CLOSED_PRICE), np.zeros(R), np.zeros((D, S)))
        self.bound = self._lagrangian(free.best, np.zeros(S))
        must = np.isinf(problem.penalty)
        self.impossible = bool(np.any(must & (free.best >= CLOSED_PRICE / 1e3)))
        if not must.any():
            self._keep(float(problem.penalty @ problem.quantity), np.zeros(S), None, np.zeros(0), problem.quantity)
        dear = float(free.columns.cost.max(initial=1.0)) + float(
            problem.fixed_cost.sum() / max(problem.quantity.min(initial=1.0), 1e-9)
        )
        self.big = 10.0 * (max(dear, 1.0) if dear < 1e9 else 1e9)
        unlimited = replace(options, time_limit_s=None)
        # Interior prices need far fewer passes than vertices once rows are many.
        method = "ipm" if D * S > SMALL else "simplex"
        self.master: Master = Master(problem, unlimited, self.big, self.deadline, method)
        # Flows over given services need no linking rows, so they have a master of their own.
        self.flow_master: Master = Master(problem, unlimited, self.big, self.deadline, "simplex")
        spread = np.where(
            np.isinf(problem.most) | (problem.most <= 0), 0.0, problem.fixed_cost / np.maximum(problem.most, 1e-9)
        )
        self._add(self._best_of(free, np.zeros(S), np.zeros((D, S)), np.zeros(R)))
        first = problem.price(spread + np.where(self.upper > 0, 0.0, CLOSED_PRICE), np.zeros(R), np.zeros((D, S)))
        self._add(self._best_of(first, spread, np.zeros((D, S)), np.zeros(R)))

    def _add(self, columns: Columns) -> int:
        self.flow_master.add_routes(columns)
        return self.master.add_routes(columns)

    def run(self) -> FixedChargeResult:
        if self.impossible:
            return FixedChargeResult(Status.INFEASIBLE, None, None)
        self._report()
        lister = getattr(self.problem.price, "all_routes", None)
        listed: Columns | None = None if lister is None else lister(ROUTES_LISTED)
        if (
            listed is not None
            and self.problem.quantity.size * self.problem.fixed_cost.size > SMALL
            and self._tree(listed)
        ):
            return self._result()
        if listed is None:
            self._one_commodity()
            if self._proved():
                return self._result()
        if self._relax(self.master, self.lower, self.upper, root=True):
            opened = self.master.values()[0]
            for threshold in (1e-6, 0.1, 0.5):
                self._flows((opened > threshold).astype(float))
            if self.plan.cost is None:
                self._dive(opened)
            if self._integers(listed):
                return FixedChargeResult(Status.INFEASIBLE, None, None)
        elif self.plan.cost is None and not self.options.stop.is_set():
            self._flows(self.upper)
        return self._result()

    def _tree(self, listed: Columns) -> bool:
        """Branch and bound by the Lagrangian of the demand rows, where it fits."""
        from optimizer.flows.fixed_charge.tree import LagrangianTree, fits  # numba is slow to load

        if not fits(self.problem, listed):
            return False
        self._flows(self.upper)

        def lift(bound: float) -> bool:
            if bound > self.bound:
                self.bound = bound
                self._report()
            return self._proved()

        def cost() -> float:
            return np.inf if self.plan.cost is None else self.plan.cost

        LagrangianTree(self.problem, listed, cost, self._flows, lift, lambda: self.master.out_of_time).run(
            self.lower, self.upper
        )
        return True

    def _one_commodity(self) -> None:
        """Plans by min-cost flows, and their bound, where all demands come from one place."""
        from optimizer.flows.fixed_charge.exchange import FlowSearch
        from optimizer.flows.fixed_charge.flow import OpenPlan, fits

        flows = fits(self.problem)
        if flows is None:
            return
        until = self.started + FLOW_SHARE * (self.deadline - self.started)

        def done() -> bool:
            return self.options.stop.is_set() or time.monotonic() > until or self._proved()

        def keep(plan: OpenPlan) -> None:
            self._keep(plan.cost, plan.used.astype(float), *flows.routes(plan))

        self.bound = max(self.bound, flows.bound(done))
        self._report()
        FlowSearch(flows, self.options.seed, keep, done).run()

    def _result(self) -> FixedChargeResult:
        cost = self.plan.cost
        bound = self.bound if np.isfinite(self.bound) else None
        if cost is None:
            return FixedChargeResult(Status.NO_SOLUTION, None, bound)
        bound = None if bound is None else min(bound, cost)
        return replace(self.plan, status=Status.OPTIMAL if self._proved() else Status.FEASIBLE, bound=bound)

    def _proved(self) -> bool:
        cost = self.plan.cost
        return cost is not None and relative_gap(cost, self.bound) <= max(self.options.gap, PROVED)

    def _report(self) -> None:
        if self.options.on_progress is not None:
            bound = self.bound if np.isfinite(self.bound) else None
            self.options.on_progress(Progress(self.plan.cost, bound, time.monotonic() - self.started))

    def _lagrangian(self, best: Floats, saving: Floats, constant: float = 0.0) -> float:
        """Bound from cheapest routes, and ``saving`` = fixed cost less what the prices pay for the service."""
        p = self.problem
        served = p.quantity * np.minimum(np.minimum(best, p.penalty), CLOSED_PRICE)
        return (
            float(served.sum() + (self.lower * saving + (self.upper - self.lower) * np.minimum(saving, 0)).sum())
            + constant
        )

    def _best_of(
        self, priced: Priced, service: Floats, pair: Floats, resource: Floats, under: Floats | None = None
    ) -> Columns:
        price = priced.columns.prices(service, resource, pair)
        worth = np.flatnonzero(price < (CLOSED_PRICE / 1e3 if under is None else under[priced.columns.demand]))
        some = cheapest(priced.columns.demand[worth], price[worth], NEW_PER_DEMAND)
        return priced.columns.take(worth[some])

    def _relax(self, master: Master, lower: Floats, upper: Floats, root: bool) -> bool:
        """Column and row generation with bounds on services; at the root every pass may lift the bound."""
        p = self.problem
        master.bound_services(lower, upper)
        closed = np.where(upper > 0, 0.0, CLOSED_PRICE)
        before = -np.inf
        while not master.out_of_time:
            if not master.solve():
                return False
            value = master.highs.getInfo().objective_function_value
            volume, least, shared, pair = master.prices()
            opened, _, share = master.values()
            demand_price = np.array(master.highs.getSolution().row_dual)[: p.quantity.size]
            service_price = np.where(master.unlimited, 0.0, volume / master.ceiling)
            service_price = service_price - np.where(p.least > 0, least / np.maximum(p.least, 1e-300), 0.0) + closed
            pair_price = pair / p.quantity[:, None] + np.where(master.unlimited, volume / master.ceiling, 0.0)
            resource_price = shared / master.scale
            priced = p.price(service_price, resource_price, pair_price)
            if root:
                saving = p.fixed_cost - volume + least - pair.sum(axis=0)
                found = self._lagrangian(priced.best, saving, -float(shared @ (p.capacity / master.scale)))
                self.bound = max(self.bound, found)
                if found > self.saving_bound:
                    self.saving, self.saving_bound = saving, found
                    self.best_prices = (service_price, resource_price, pair_price, priced.best)
                self._report()
            links = master.add_links(share, opened) if root else 0
            under = demand_price / p.quantity
            under = under - 1e-8 * (1.0 + np.abs(under))
            new = self._add(self._best_of(priced, service_price, pair_price, resource_price, under))
            if links + new == 0:
                return True
            # Rows just added lift the relaxation, so routes being exact ends it only once rows lift it no more.
            room = 1e-9 if links == 0 and master.method == "simplex" else 1e-5
            lifted = links > 0 and value > before + room * abs(value)
            if root and not lifted and self.saving_bound >= value - room * abs(value):
                return True
            before = value
        return False

    def _fix(self) -> None:
        """Reduced-cost fixing: services that no better plan can open or close."""
        cost = self.plan.cost
        if cost is None or not np.isfinite(self.saving_bound):
            return
        room = cost - self.saving_bound + 1e-6 * abs(cost)
        self.upper[(self.saving > room) & (self.lower < 1)] = 0.0
        self.lower[(-self.saving > room) & (self.upper > 0)] = 1.0

    def _flows(self, opened: Floats) -> bool:
        """Best flows over given services, by column generation, kept when they beat the plan; False when not found."""
        opened = np.minimum(opened, self.problem.most > 0)
        if not self._relax(self.flow_master, opened, opened, root=False):
            return False
        self._take(opened)
        return True

    def _take(self, opened: Floats) -> None:
        p = self.problem
        _, unserved, share = self.flow_master.values()
        if np.any(unserved[np.isinf(p.penalty)] > 1e-7):
            return
        routes = Columns.join(self.flow_master.pool)
        unserved = np.where(np.isinf(p.penalty) | (unserved < 1e-9), 0.0, unserved)
        share = np.where(share < 1e-9, 0.0, share)
        # Rounding leaves a demand served to one part in 10^9; made whole.
        total = np.bincount(routes.demand, share, p.quantity.size) + unserved
        share, unserved = share / total[routes.demand], unserved / total
        flow, left = share * p.quantity[routes.demand], unserved * p.quantity
        # A service that nothing uses is not paid for (when it must carry its least volume it is used).
        carried = np.bincount(
            routes.service, np.repeat(flow, np.diff(routes.service_start)), minlength=p.fixed_cost.size
        )
        opened = np.where((carried > 0) | (p.least > 0), opened, 0.0)
        penalty = np.where(left > 0, p.penalty, 0.0)
        self._keep(float(p.fixed_cost @ opened + routes.cost @ flow + penalty @ left), opened, routes, flow, left)

    def _keep(self, cost: float, opened: Floats, routes: Columns | None, flow: Floats, unserved: Floats) -> None:
        if self.plan.cost is not None and cost >= self.plan.cost:
            return
        if routes is not None:
            at = np.flatnonzero(flow > 0)
            routes, flow = routes.take(at), flow[at]
        self.plan = FixedChargeResult(Status.FEASIBLE, cost, None, opened > 0.5, routes, flow, unserved)
        self._fix()
        self._report()

    def _dive(self, opened: Floats) -> None:
        """Open what is nearly open, one at least, until the relaxation over the routes known is whole."""
        lower, limit = self.lower.copy(), time.monotonic() + 0.15 * min(self.deadline - time.monotonic(), 1e6)
        while not self._proved() and time.monotonic() < limit:
            free = (opened > 1e-4) & (lower < 1)
            if not free.any():
                break
            rise = free & (opened >= 0.9)
            if not rise.any():
                rise = np.arange(opened.size) == np.argmax(np.where(free, opened, -1.0))
            lower[rise] = 1.0
            self.master.bound_services(lower, np.maximum(self.upper, lower))
            if not self.master.solve():
                return
            opened = self.master.values()[0]
        self._flows(lower)

    def _integers(self, listed: Columns | None) -> bool:
        """Integer programmes over the routes known; True when infeasibility is proved."""
        master = self.master
        if self._proved() or master.out_of_time:
            return False
        if listed is None or listed.demand.size > 20 * max(master.demand.size, 1000):
            for room in CORES:
                self._improve(None, min(self.deadline - time.monotonic(), 1e6) * 0.4, core=room)
        if listed is not None and not self._proved():
            listed = listed.take(np.flatnonzero(self._is_open(listed)))
            self._add(listed)
            return self._improve(None, np.inf, complete=True)
        near = 4
        while listed is None and not self._proved() and not master.out_of_time and near <= self.upper.sum():
            before = self.plan.cost
            self._improve(near, min(self.deadline - time.monotonic(), 1e6) * 0.4, core=CORES[-1])
            near = 4 if self.plan.cost != before else 2 * near
        return False

    def _core(self, room: float) -> tuple[npt.NDArray[np.bool_], Ints]:
        """Services, and routes not, in a plan within ``room`` of the bound, by reduced costs (routes: a good guess)."""
        service, resource, pair, best = self.best_prices
        allowed, routes = room * abs(self.saving_bound), Columns.join(self.master.pool)
        extra = (routes.prices(service, resource, pair) - best[routes.demand]) * self.problem.quantity[routes.demand]
        worth = extra <= allowed * ROUTE_SHARE
        worth[cheapest(routes.demand, extra, 3)] = True
        return self.saving <= allowed, np.flatnonzero(~worth)

    def _is_open(self, columns: Columns) -> npt.NDArray[np.bool_]:
        shut = np.repeat(np.arange(columns.demand.size), np.diff(columns.service_start))[
            self.upper[columns.service] == 0
        ]
        mask = np.ones(columns.demand.size, bool)
        mask[shut] = False
        return mask

    def _improve(self, near: int | None, seconds: float, complete: bool = False, core: float | None = None) -> bool:
        lower, upper = self.lower.copy(), self.upper.copy()
        leave_out = None
        if core is not None:
            inside, leave_out = self._core(core)
            upper = np.where(inside, upper, lower)
        start = None if self.plan.used is None else self.plan.used.astype(float)
        if start is not None:
            lower, upper = np.minimum(lower, start), np.maximum(upper, start)
        elif near is not None:
            return False
        found, opened = self.master.integer(lower, upper, start, near, seconds, not complete, leave_out)
        if opened is not None:
            self._flows(opened)
        if not complete:
            return False
        if found.status == Status.INFEASIBLE and self.plan.cost is None:
            return True
        # Services fixed by reduced cost: what is left out costs at least the plan.
        if found.bound is not None:
            cost = np.inf if self.plan.cost is None else self.plan.cost
            self.bound = max(self.bound, min(found.bound, cost))
            self._report()
        return False
