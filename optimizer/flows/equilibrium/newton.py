"""Newton's method for the stochastic user equilibrium of ``stochastic.py``.

The loads of the resources solve ``F(x) = x - U' q P(D(x)) = 0``; there are far fewer resources than routes. With ``H``
the response of the loads (positive semidefinite where ``Z`` exists) the Jacobian ``1 + H D'`` has eigenvalues of at
least 1, so that the line search on ``|F|`` does not get stuck. Where ``theta`` is so large that shares jump, the
solution for a smaller one is the start. Premiums follow by the method of multipliers (Hestenes, JOTA 4, 1969).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from optimizer.flows.equilibrium.stochastic import Floats, Ints, Shares, StochasticAssignment

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_NEWTON_STEPS = 60
SMALLER_SCALE = 2.0
MAX_SMALLER_SCALES = 60
ARMIJO = 1e-4
SHORTEST_STEP = 2.0**-30
MAX_ROUNDS = 60
STIFFNESS = 10.0  # of a premium: this many 1 / theta for a load at twice the limit
STIFFEST = 1e6
SLOW = 0.25
FINEST_GAP = 1e-14
ROUNDING_GAP = 1e-4
ROUNDING_STEPS = 6  # this many steps without a better gap, once below the one above: only rounding is left


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
    # A small part of a large demand can be more than a limit: the loads must be as exact as the smallest limit asks.
    most = np.maximum(problem.loads(problem.quantity[problem.demand]), 1e-300)
    inner = max(gap * float((problem.limits / most).min(initial=1.0)), FINEST_GAP) if gap > FINEST_GAP else gap
    premium, steps, before, factor = np.zeros(problem.num_resources), 0, np.inf, 1.0
    for _ in range(MAX_ROUNDS):
        found = _with_smaller_scales(problem, inner, start, premium, factor * stiffness)
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
    first, ladder, steps = found, [problem.scale], found.steps  # the smaller the scale, the smoother the shares
    while found.gap > gap and len(ladder) <= MAX_SMALLER_SCALES:
        ladder.append(ladder[-1] / SMALLER_SCALE)
        found = _newton(replace(problem, scale=ladder[-1]), gap, None, premium, stiffness)
        steps += found.steps
    for scale in ladder[-2::-1]:
        found = _newton(replace(problem, scale=scale), gap, found.load, premium, stiffness)
        steps += found.steps
    return replace(min(found, first, key=lambda one: one.gap), steps=steps)


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
