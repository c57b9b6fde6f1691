"""Stochastic user equilibrium on given route sets: shippers choose by logit or nested logit, and wait for each other.

Demand ``d`` has the quantity ``q_d`` and the routes ``i`` in nests ``m``. With the loads ``x_r = sum_i use_ir f_i``,
the waits ``D_r(x_r)`` of the resources and the premiums ``mu_r`` of full ones, route costs and shares are::

    c_i = cost_i + w_d sum_r passes_ir D_r(x_r) + sum_r use_ir mu_r     mu_r >= 0, x_r <= limit_r, one of them equal
    V_i = -theta c_i + ln PS_i      I_m = ln sum_{j in m} exp(V_j / s_m)      S_d = ln sum_m exp(s_m I_m)
    P_i = exp(V_i / s_m - I_m) exp(s_m I_m - S_d)

Equilibrium is ``f_i = q_d P_i``. Fisk, Transportation Research B 14, 1980 (logit); Bekhor and Prashker, Transportation
Research Record 1645, 1999 (nests); Bell, Transportation Research B 29, 1995 (limits); path size ``PS`` of Ben-Akiva and
Bierlaire, 1999. Where a load waits as long as the room it takes (``use = k_r passes``) and all ``w_d > 0`` (and equal,
where there are limits), the equilibrium is the minimum, over flows within the limits, of the convex

    Z(f) = sum_r (1 / k_r) int_0^{x_r} D_r + sum_d (1 / w_d) sum_i cost_i f_i
           + sum_d (1 / (w_d theta)) (sum_i s_m f_i ln(f_i / f_m) + sum_m f_m ln(f_m / q_d) - sum_i f_i ln PS_i)

and any loads and premiums not below zero give a lower bound on it, the dual of Daganzo (Transportation Science 16,
1982)::

    sum_r (1 / k_r) (int_0^{x_r} D_r - x_r D_r(x_r)) - sum_d q_d / (theta w_d) S_d(D(x), mu) - sum_r mu_r limit_r / w

Method: Newton's on the loads, ``F(x) = x - U' q P(D(x)) = 0``. There are far fewer resources than routes, and with
``H`` the response of the loads (positive semidefinite where ``Z`` exists) the Jacobian ``1 + H D'`` has eigenvalues of
at least 1, so that the line search on ``|F|`` does not get stuck. Where ``theta`` is so large that shares jump, the
solution for a smaller one is the start. Premiums follow by the method of multipliers (Hestenes, JOTA 4, 1969).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optimizer.choice.model import log_sum_exp
from optimizer.flows.delay import DelayFunctions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_NEWTON_STEPS = 60
SMALLER_SCALE = 2.0
MAX_SMALLER_SCALES = 60
ARMIJO = 1e-4
SHORTEST_STEP = 2.0**-30
MAX_ROUNDS = 60
STIFFNESS = 10.0  # of a premium: this many 1 / theta for a load at twice the limit
STIFFEST = 1e6
SLOW = 0.25
ROUNDING_GAP = 1e-4
ROUNDING_STEPS = 6  # this many steps without a better gap, once below the one above: only rounding is left


@dataclass(frozen=True)
class StochasticAssignment:
    """Route sets, what they cost and what they load.

    Attributes
    ----------
    demand
        Shape (num_routes,), ascending: demand each route belongs to; every demand has a route.
    quantity
        Shape (num_demands,), not below zero.
    cost
        Shape (num_routes,): cost per unit of flow without waiting.
    hour_cost
        Shape (num_demands,): cost of an hour's wait per unit of flow, not below zero.
    indptr, resource, use, passes
        Route ``i`` takes ``use[a]`` units of ``resource[a]`` per unit of flow and waits there ``passes[a]`` times, for
        ``a`` in ``indptr[i]:indptr[i + 1]``; both above zero.
    delays
        Hours of each resource by its load.
    scale
        ``theta``, per unit of cost, above zero.
    nest, nest_scale
        Shape (num_routes,): number of the nest; shape (num_nests,): its ``s``, 0 < s <= 1. None: the plain logit.
    path_size
        Shape (num_routes,), above zero; None: 1.
    background
        Shape (num_resources,): load by others, there before. None: none.
    included_h
        Shape (num_resources,): hours of a pass that ``cost`` holds already. None: none.
    limit
        Shape (num_resources,), above zero, may be ``inf``: a premium keeps the loads within it. None: no limits.

    Raises
    ------
    ValueError
        When an array does not fit the others or a number is out of its range.
    """

    demand: Ints
    quantity: Floats
    cost: Floats
    hour_cost: Floats
    indptr: Ints
    resource: Ints
    use: Floats
    passes: Floats
    delays: DelayFunctions
    scale: float
    nest: Ints | None = None
    nest_scale: Floats | None = None
    path_size: Floats | None = None
    background: Floats | None = None
    included_h: Floats | None = None
    limit: Floats | None = None

    def __post_init__(self) -> None:
        routes, demands, resources = len(self.demand), len(self.quantity), self.num_resources
        shapes = {
            "cost": (self.cost, routes), "hour_cost": (self.hour_cost, demands), "indptr": (self.indptr, routes + 1),
            "use": (self.use, len(self.resource)), "passes": (self.passes, len(self.resource)),
            "nest": (self.nest, routes), "path_size": (self.path_size, routes),
            "background": (self.background, resources), "included_h": (self.included_h, resources),
        }  # fmt: skip
        for name, (array, size) in shapes.items():
            if array is not None and (np.shape(array) != (size,) or not np.isfinite(array).all()):
                raise ValueError(f"{name} must hold {size} finite numbers")
        if (self.nest is None) != (self.nest_scale is None):
            raise ValueError("nest and nest_scale go together")
        if not np.array_equal(np.unique(self.demand), np.arange(demands)) or (np.diff(self.demand) < 0).any():
            raise ValueError("demand must ascend and give every demand a route")
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.resource) or (np.diff(self.indptr) < 0).any():
            raise ValueError("indptr must begin with 0, never fall and end with the length of resource")
        if len(self.resource) and not 0 <= self.resource.min() <= self.resource.max() < resources:
            raise ValueError(f"resource must hold numbers from 0 to {resources - 1}")
        if self.nest is not None and self.nest_scale is not None:
            if routes and not 0 <= self.nest.min() <= self.nest.max() < len(self.nest_scale):
                raise ValueError("nest must hold numbers of nests in nest_scale")
            if not ((self.nest_scale > 0) & (self.nest_scale <= 1)).all():
                raise ValueError("nest_scale must lie above 0 and up to 1")
        if self.limit is not None and np.shape(self.limit) != (resources,):
            raise ValueError(f"limit must hold {resources} numbers")
        above_zero = {"use": self.use, "passes": self.passes, "path_size": self.path_size, "limit": self.limit}
        for name, array in above_zero.items():
            if array is not None and not (array > 0).all():
                raise ValueError(f"{name} must lie above zero")
        if (self.quantity < 0).any() or (self.hour_cost < 0).any():
            raise ValueError("quantity and hour_cost must not lie below zero")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale is {self.scale}, expected a number above zero")

    @property
    def num_resources(self) -> int:
        return len(self.delays.free)

    @cached_property
    def incidence(self) -> tuple[csr_array, csr_array]:
        """Units and passes of the routes on the resources, shape (num_routes, num_resources)."""
        from scipy.sparse import csr_array

        shape = (len(self.demand), self.num_resources)
        use, passes = (
            csr_array((values, self.resource, self.indptr), shape=shape) for values in (self.use, self.passes)
        )
        return use, passes

    @cached_property
    def first_of_demand(self) -> Ints:
        """Shape (num_demands,): its first route."""
        return np.searchsorted(self.demand, np.arange(len(self.quantity))).astype(np.int64)

    @cached_property
    def groups(self) -> tuple[Ints, Ints, Floats]:
        """Group (nest within its demand) of each route; demand and scale of each group."""
        if self.nest is None or self.nest_scale is None:
            return self.demand, np.arange(len(self.quantity)), np.ones(len(self.quantity))
        key, group = np.unique(self.demand * len(self.nest_scale) + self.nest, return_inverse=True)
        return group.astype(np.int64), key // len(self.nest_scale), self.nest_scale[key % len(self.nest_scale)]

    def loads(self, flow: Floats) -> Floats:
        """Load of the resources under route flows."""
        return np.asarray(self.incidence[0].T @ flow)

    def wait_h(self, load: Floats) -> Floats:
        """Hours of a pass beyond those that the costs hold."""
        total = load if self.background is None else load + self.background
        hours = self.delays.delay(np.maximum(total, 0.0))
        return hours if self.included_h is None else hours - self.included_h

    def slope_h(self, load: Floats) -> Floats:
        """Change of the hours by a unit of load."""
        total = load if self.background is None else load + self.background
        return np.where(total >= 0, self.delays.slope(np.maximum(total, 0.0)), 0.0)

    def route_cost(self, wait_h: Floats, premium: Floats) -> Floats:
        """Costs of the routes under given waits and premiums."""
        use, passes = self.incidence
        return self.cost + self.hour_cost[self.demand] * np.asarray(passes @ wait_h) + np.asarray(use @ premium)

    def shares(self, wait_h: Floats, premium: Floats) -> Shares:
        """What shippers choose under given waits and premiums."""
        utility = -self.scale * self.route_cost(wait_h, premium)
        if self.path_size is not None:
            utility = utility + np.log(self.path_size)
        group, group_demand, group_scale = self.groups
        steep = utility / group_scale[group]
        inclusive = log_sum_exp(steep, group, len(group_demand))
        logsum = log_sum_exp(group_scale * inclusive, group_demand, len(self.quantity))
        of_group = np.exp(group_scale * inclusive - logsum[group_demand])
        within = np.exp(steep - inclusive[group])
        return Shares(within * of_group[group], within, of_group, logsum)

    @cached_property
    def limits(self) -> Floats:
        """Shape (num_resources,): ``inf`` where there is none."""
        return np.full(self.num_resources, np.inf) if self.limit is None else np.asarray(self.limit, dtype=float)

    @cached_property
    def use_per_pass(self) -> Floats | None:
        """``k_r`` where the equilibrium is the minimum of ``Z``; None where it is none."""
        ratio = np.ones(self.num_resources)
        ratio[self.resource] = self.use / self.passes
        hour_cost = self.hour_cost[self.quantity > 0]
        exists = (
            np.allclose(self.use / self.passes, ratio[self.resource], rtol=1e-12, atol=0)
            and bool((hour_cost > 0).all())
            and (bool((hour_cost == hour_cost[:1]).all()) or not np.isfinite(self.limits).any())
        )
        return ratio if exists else None

    def objective(self, flow: Floats) -> float | None:
        """``Z`` of feasible route flows."""
        if self.use_per_pass is None:
            return None
        group, group_demand, group_scale = self.groups
        in_group = np.bincount(group, flow, len(group_demand)).astype(np.float64)
        per_hour = np.zeros(len(self.hour_cost))
        per_hour[self.hour_cost > 0] = 1 / self.hour_cost[self.hour_cost > 0]
        entropy = group_scale[group] * _times_log(flow, in_group[group])
        if self.path_size is not None:
            entropy = entropy - flow * np.log(self.path_size)
        upper = _times_log(in_group, self.quantity[group_demand])
        return float(
            (self._integral(self.loads(flow)) / self.use_per_pass).sum()
            + (per_hour[self.demand] * (self.cost * flow + entropy / self.scale)).sum()
            + (per_hour[group_demand] * upper).sum() / self.scale
        )

    def bound(self, load: Floats, premium: Floats) -> float | None:
        """Lower bound on ``Z`` of all flows within the limits, by any loads and premiums not below zero."""
        if self.use_per_pass is None:
            return None
        load, moving = np.maximum(load, 0.0), self.quantity > 0
        wait_h = self.wait_h(load)
        logsum = self.shares(wait_h, premium).logsum[moving]
        saved = (self.quantity[moving] / self.hour_cost[moving] * logsum).sum() / self.scale
        full = np.isfinite(self.limits)
        paid = (premium[full] * self.limits[full]).sum() / self.hour_cost[moving][:1].sum() if full.any() else 0.0
        return float(((self._integral(load) - load * wait_h) / self.use_per_pass).sum() - saved - paid)

    def _integral(self, load: Floats) -> Floats:
        if self.background is None:
            area = self.delays.integral(load)
        else:
            area = self.delays.integral(load + self.background) - self.delays.integral(self.background)
        return area if self.included_h is None else area - self.included_h * load


@dataclass(frozen=True)
class Shares:
    """Choice under given costs: probability of each route and within its nest, of each group, and ``S`` per demand."""

    probability: Floats
    within: Floats
    of_group: Floats
    logsum: Floats


@dataclass(frozen=True)
class Equilibrium:
    """Flows near equilibrium, and how near.

    Attributes
    ----------
    flow, cost
        Shape (num_routes,); costs with the waits under these flows and the premiums.
    load, wait_h, premium
        Shape (num_resources,).
    logsum
        Shape (num_demands,): expected lowest cost of a unit, ``-S / theta``; welfare counts its fall.
    gap, mean_gap
        ``sum_i |f_i - q P_i(f)| / q``: of the worst demand, and over all demand.
    excess
        Largest load over its limit, as a share of it; or room left where there is a premium, if larger.
    objective, bound
        ``Z`` of the flows and a proven lower bound on it; None where no such programme exists.
    """

    problem: StochasticAssignment
    flow: Floats
    cost: Floats
    load: Floats
    wait_h: Floats
    premium: Floats
    logsum: Floats
    gap: float
    mean_gap: float
    excess: float
    objective: float | None
    bound: float | None
    steps: int

    def response(self, cost_change: Floats) -> tuple[Floats, Floats]:
        """
        Change of the flows when costs change, first with waits and premiums as they are, then with those it leads to.

        Parameters
        ----------
        cost_change
            Shape (num_routes, n): derivative of the route costs by ``n`` quantities.

        Returns
        -------
        Two arrays of shape (num_routes, n).
        """
        problem = self.problem
        use, passes = problem.incidence
        shares = problem.shares(self.wait_h, self.premium)
        at_once = _flow_change(problem, shares, -problem.scale * cost_change)
        by_wait, by_premium = _responses(problem, shares)
        full, slope_h = np.flatnonzero(self.premium > 0), problem.slope_h(self.load)
        held = np.eye(problem.num_resources)[full]  # a full resource stays full while its premium moves
        system = np.block(
            [
                [np.eye(problem.num_resources) + by_wait * slope_h[None, :], by_premium[:, full]],
                [held, np.zeros((len(full), len(full)))],
            ]
        )
        right = np.vstack([use.T @ at_once, np.zeros((len(full), cost_change.shape[1]))])
        changes = np.linalg.lstsq(system, right)[0]
        load_change, premium_change = np.split(changes, [problem.num_resources])
        waits = passes @ (slope_h[:, None] * load_change)
        premiums = use[:, full] @ premium_change
        total = cost_change + problem.hour_cost[problem.demand][:, None] * waits + premiums
        return at_once, _flow_change(problem, shares, -problem.scale * total)


def stochastic_equilibrium(
    problem: StochasticAssignment, gap: float = 1e-8, start: Floats | None = None
) -> Equilibrium:
    """
    Solve.

    Parameters
    ----------
    gap
        Relative equilibrium gap of the worst demand, and largest excess over a limit, at which to stop.
    start
        Shape (num_resources,): loads to start from, for example of an equilibrium that differs little.

    Returns
    -------
    Equilibrium
        Its ``gap`` and ``excess`` say how far the search came; more than asked for only where no step gained any more,
        or where nothing can keep the loads within the limits.
    """
    limited = np.isfinite(problem.limits)
    stiffness = np.where(limited, STIFFNESS / (problem.scale * np.where(limited, problem.limits, 1.0)), 0.0)
    premium, steps, before, factor = np.zeros(problem.num_resources), 0, np.inf, 1.0
    for _ in range(MAX_ROUNDS):
        found = _with_smaller_scales(problem, gap, start, premium, factor * stiffness)
        steps += found.steps
        premium, start = found.premium, found.load
        if found.excess <= gap:
            break
        if found.excess > SLOW * before and factor < STIFFEST:
            factor *= 2
        before = found.excess
    return replace(found, steps=steps)


def _with_smaller_scales(
    problem: StochasticAssignment, gap: float, start: Floats | None, premium: Floats, stiffness: Floats
) -> Equilibrium:
    found = _newton(problem, gap, start, premium, stiffness)
    if found.gap <= max(gap, ROUNDING_GAP):
        return found
    ladder, steps = [problem.scale], found.steps  # the smaller the scale, the smoother the shares
    while found.gap > gap and len(ladder) <= MAX_SMALLER_SCALES:
        ladder.append(ladder[-1] / SMALLER_SCALE)
        found = _newton(replace(problem, scale=ladder[-1]), gap, None, premium, stiffness)
        steps += found.steps
    for scale in ladder[-2::-1]:
        found = _newton(replace(problem, scale=scale), gap, found.load, premium, stiffness)
        steps += found.steps
    return replace(found, steps=steps)


def _newton(
    problem: StochasticAssignment, gap: float, start: Floats | None, premium: Floats, stiffness: Floats
) -> Equilibrium:
    """Equilibrium with the premiums ``max(0, premium + stiffness (load - limit))``."""
    limited = stiffness > 0
    limits = np.where(limited, problem.limits, 0.0)
    most = problem.loads(problem.quantity[problem.demand])
    unit = np.maximum(most, 1e-300)
    load = np.zeros(problem.num_resources) if start is None else np.clip(start, 0.0, most)

    def premium_at(load: Floats) -> Floats:
        return np.where(limited, np.maximum(premium + stiffness * (load - limits), 0.0), 0.0)

    def state(load: Floats) -> tuple[Shares, Floats, Floats, float]:
        shares = problem.shares(problem.wait_h(load), premium_at(load))
        flow = problem.quantity[problem.demand] * shares.probability
        error = load - problem.loads(flow)
        return shares, flow, error, float(np.linalg.norm(error / unit))

    shares, flow, error, size = state(load)
    best, improved = _assessed(problem, flow, premium_at(problem.loads(flow)), 0), 0
    for step in range(1, MAX_NEWTON_STEPS + 1):
        if best.gap <= gap or (best.gap < ROUNDING_GAP and step - improved > ROUNDING_STEPS):
            break
        by_wait, by_premium = _responses(problem, shares)
        rising = np.where(premium_at(load) > 0, stiffness, 0.0)
        jacobian = by_wait * problem.slope_h(load)[None, :] + by_premium * rising[None, :]
        direction = np.linalg.solve(np.eye(problem.num_resources) + jacobian, -error)
        length = 1.0
        while length >= SHORTEST_STEP:
            candidate = load + length * direction  # below zero the waits go on flat, so no step need be cut
            tried = state(candidate)
            if tried[3] <= (1 - ARMIJO * length) * size:
                break
            length /= 2
        else:
            break
        load = candidate
        shares, flow, error, size = tried
        found = _assessed(problem, flow, premium_at(problem.loads(flow)), step)
        if found.gap < best.gap:
            best, improved = found, step
    return best


def _assessed(problem: StochasticAssignment, flow: Floats, premium: Floats, steps: int) -> Equilibrium:
    """Flows with all that follows from them; nothing of the search is taken on trust."""
    load = problem.loads(flow)
    wait_h = problem.wait_h(load)
    shares = problem.shares(wait_h, premium)
    off = np.abs(flow - problem.quantity[problem.demand] * shares.probability)
    per_demand = np.bincount(problem.demand, off, len(problem.quantity))
    moving, room = problem.quantity > 0, 1.0 - load / problem.limits
    return Equilibrium(
        problem, flow, problem.route_cost(wait_h, premium), load, wait_h, premium, -shares.logsum / problem.scale,
        float((per_demand[moving] / problem.quantity[moving]).max(initial=0.0)),
        float(per_demand.sum() / max(problem.quantity.sum(), 1e-300)),
        float(np.maximum(-room, np.minimum(room, problem.scale * premium)).max(initial=0.0)),
        problem.objective(flow), problem.bound(load, premium), steps,
    )  # fmt: skip


def _flow_change(problem: StochasticAssignment, shares: Shares, utility_change: Floats) -> Floats:
    """Change of the flows by that of the utilities, shape (num_routes, n)."""
    group, group_demand, group_scale = problem.groups

    def sums(weight: Floats, segment: Ints, size: int) -> Floats:
        total = np.zeros((size, utility_change.shape[1]))
        np.add.at(total, segment, weight[:, None] * utility_change)
        return total

    in_nest = sums(shares.within, group, len(group_demand))
    on_average = sums(shares.probability, problem.demand, len(problem.quantity))
    scale = group_scale[group][:, None]
    relative = utility_change / scale - (1 - scale) / scale * in_nest[group] - on_average[problem.demand]
    return (problem.quantity[problem.demand] * shares.probability)[:, None] * relative


def _responses(problem: StochasticAssignment, shares: Shares) -> tuple[Floats, Floats]:
    """Fall of the loads by an hour's wait, and by a unit of premium, at each resource."""
    from scipy.sparse import csr_array, diags_array

    use, passes = problem.incidence
    group, group_demand, group_scale = problem.groups
    routes, groups, demands = len(problem.demand), len(group_demand), len(problem.quantity)
    flow = problem.quantity[problem.demand] * shares.probability
    numbers = np.arange(routes)
    within = csr_array((shares.within, (group, numbers)), shape=(groups, routes))
    overall = csr_array((shares.probability, (problem.demand, numbers)), shape=(demands, routes))
    nested = problem.quantity[group_demand] * shares.of_group * (1 - group_scale) / group_scale

    def response(priced: csr_array) -> Floats:
        fall = use.T @ diags_array(flow / group_scale[group]) @ priced
        fall = fall - (within @ use).T @ diags_array(nested) @ (within @ priced)
        fall = fall - (overall @ use).T @ diags_array(problem.quantity) @ (overall @ priced)
        return np.asarray(problem.scale * fall.toarray())

    by_wait = response(diags_array(problem.hour_cost[problem.demand]) @ passes)
    return by_wait, response(use) if np.isfinite(problem.limits).any() else np.zeros_like(by_wait)


def _times_log(part: Floats, whole: Floats) -> Floats:
    """``part ln(part / whole)``, zero where there is no part."""
    ratio = np.divide(part, whole, out=np.ones_like(part), where=(part > 0) & (whole > 0))
    return np.asarray(part * np.log(ratio))
