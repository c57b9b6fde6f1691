"""Stochastic user equilibrium on given route sets: shippers choose by logit or nested logit, and wait for each other.

Demand ``d`` has the quantity ``q_d`` and the routes ``i`` in nests ``m``. With the loads ``x_r = sum_i use_ir f_i``,
the waits ``D_r(x_r)`` of the resources and the premiums ``mu_r`` of full ones, route costs and shares are::

    c_i = cost_i + w_d sum_r passes_ir D_r(x_r) + sum_r use_ir mu_r     mu_r >= 0, x_r <= limit_r, one of them equal
    V_i = -theta c_i + ln PS_i      I_m = ln sum_{j in m} exp(V_j / s_m)      S_d = ln sum_m exp(s_m I_m)
    P_i = exp(V_i / s_m - I_m) exp(s_m I_m - S_d)

Equilibrium is ``f_i = q_d P_i``. Fisk, Transportation Research B 14, 1980 (logit); Bekhor and Prashker, 14th Symposium
on Transportation and Traffic Theory, 1999 (nests); Bell, Transportation Research B 29, 1995 (limits); path size ``PS``
of Ben-Akiva and Bierlaire, 1999. Where a load waits as long as the room it takes (``use = k_r passes``) and all ``w_d >
0`` (and equal, where there are limits), the equilibrium is the minimum, over flows within the limits, of the convex

    Z(f) = sum_r (1 / k_r) int_0^{x_r} D_r + sum_d (1 / w_d) sum_i cost_i f_i
           + sum_d (1 / (w_d theta)) (sum_i s_m f_i ln(f_i / f_m) + sum_m f_m ln(f_m / q_d) - sum_i f_i ln PS_i)

and any loads and premiums not below zero give a lower bound on it, the dual of Daganzo (Transportation Science 16,
1982)::

    sum_r (1 / k_r) (int_0^{x_r} D_r - x_r D_r(x_r)) - sum_d q_d / (theta w_d) S_d(D(x), mu) - sum_r mu_r limit_r / w
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optimizer.choice.model import log_sum_exp
from optimizer.flows.equilibrium.delay import DelayFunctions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
            len(hour_cost) > 0
            and np.allclose(self.use / self.passes, ratio[self.resource], rtol=1e-12, atol=0)
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


def _times_log(part: Floats, whole: Floats) -> Floats:
    """``part ln(part / whole)``, zero where there is no part."""
    ratio = np.divide(part, whole, out=np.ones_like(part), where=(part > 0) & (whole > 0))
    return np.asarray(part * np.log(ratio))
