"""Stochastic equilibrium: against closed forms, against SciPy, against its own bound, and in its limits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog, minimize

from optimizer.choice.model import Choices, ChoiceSets
from optimizer.flows.equilibrium.delay import DelayFunctions
from optimizer.flows.equilibrium.newton import Equilibrium, stochastic_equilibrium
from optimizer.flows.equilibrium.stochastic import StochasticAssignment


def bpr(free: list[float], capacity: list[float], rise: float = 0.5, power: float = 4.0) -> DelayFunctions:
    size = len(free)
    return DelayFunctions(np.array(free), np.full(size, rise), np.array(capacity), np.full(size, power))


def parallel(costs: list[float], free: list[float], capacity: list[float], **more: Any) -> StochasticAssignment:
    """One demand of 10 over parallel routes, each with a resource of its own."""
    size = len(costs)
    given: dict[str, Any] = {
        "demand": np.zeros(size, dtype=np.int64), "quantity": np.array([10.0]), "cost": np.array(costs),
        "hour_cost": np.array([2.0]), "indptr": np.arange(size + 1), "resource": np.arange(size),
        "use": np.ones(size), "passes": np.ones(size), "delays": bpr(free, capacity), "scale": 0.3,
    }  # fmt: skip
    return StochasticAssignment(**(given | more))


def drawn(seed: int, *, scale: float = 1.0, nested: bool = True, same_hours: bool = False) -> StochasticAssignment:
    """Routes that share resources, some passed twice."""
    random = np.random.default_rng(seed)
    demands, each, resources = 4, 4, 5
    routes = demands * each
    taken = [np.sort(random.choice(resources, random.integers(0, 4), replace=False)) for _ in range(routes)]
    passes = random.integers(1, 3, sum(map(len, taken))).astype(float)
    return StochasticAssignment(
        demand=np.repeat(np.arange(demands), each),
        quantity=random.uniform(1, 10, demands),
        cost=random.uniform(1, 10, routes),
        hour_cost=np.full(demands, 1.5) if same_hours else random.uniform(0.5, 2, demands),
        indptr=np.concatenate([[0], np.cumsum([len(mine) for mine in taken])]),
        resource=np.concatenate(taken).astype(np.int64),
        use=passes,
        passes=passes,
        delays=bpr(random.uniform(1, 4, resources).tolist(), random.uniform(4, 15, resources).tolist()),
        scale=scale,
        nest=random.integers(0, 2, routes) if nested else None,
        nest_scale=np.array([0.7, 0.4]) if nested else None,
        path_size=random.uniform(0.3, 1, routes),
    )


def test_delay_functions_fit_together() -> None:
    """Ten hours, half as many more at capacity: 15 h at 4 of 4, and slope and area by differences."""
    delays = bpr([10.0], [4.0])
    assert delays.delay(np.array([4.0]))[0] == pytest.approx(15)
    loads, step = np.linspace(0.5, 9, 18), 1e-5
    up, down = loads + step, loads - step
    assert np.allclose((delays.delay(up) - delays.delay(down)) / (2 * step), delays.slope(loads))
    assert np.allclose((delays.integral(up) - delays.integral(down)) / (2 * step), delays.delay(loads))


def test_two_routes_agree_with_the_root_of_one_equation() -> None:
    problem = parallel([5.0, 6.0], [3.0, 2.0], [4.0, 8.0])
    found = stochastic_equilibrium(problem, 1e-12)

    def excess(first: float) -> float:
        hours = [3 * (1 + 0.5 * (first / 4) ** 4), 2 * (1 + 0.5 * ((10 - first) / 8) ** 4)]
        difference = (5 + 2 * hours[0]) - (6 + 2 * hours[1])
        return first - 10 / (1 + np.exp(0.3 * difference))

    assert found.flow[0] == pytest.approx(brentq(excess, 0, 10, xtol=1e-14), rel=1e-10)
    assert found.flow.sum() == pytest.approx(10)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_minimum_of_the_convex_programme(seed: int, nested: bool) -> None:
    problem = drawn(seed, nested=nested)
    found = stochastic_equilibrium(problem, 1e-11)
    start = problem.quantity[problem.demand] / 4
    sums = [
        {"type": "eq", "fun": lambda f, d=d: f[problem.demand == d].sum() - problem.quantity[d]}
        for d in range(len(problem.quantity))
    ]
    best = minimize(
        lambda f: problem.objective(np.maximum(f, 1e-12)), start, method="SLSQP", constraints=sums,
        bounds=[(1e-9, None)] * len(start), options={"ftol": 1e-13, "maxiter": 2000},
    )  # fmt: skip
    assert found.objective == pytest.approx(best.fun, rel=1e-7)
    assert np.allclose(found.load, problem.loads(best.x), rtol=2e-3, atol=2e-3)


@given(seed=st.integers(0, 10_000), nested=st.booleans(), scale=st.sampled_from([0.05, 1.0, 10.0]))
@settings(deadline=None, max_examples=40)
def test_equilibrium_gap_and_bound(seed: int, nested: bool, scale: float) -> None:
    problem = drawn(seed, nested=nested, scale=scale)
    found = stochastic_equilibrium(problem, 1e-9)
    assert found.gap <= 1e-7  # rounding in waits of many hours, times the scale, can stop it before 1e-9
    assert (found.flow >= 0).all()
    assert np.allclose(np.bincount(problem.demand, found.flow), problem.quantity)
    assert found.objective is not None
    assert found.bound is not None
    assert found.bound <= found.objective + 1e-9 * abs(found.objective)
    assert found.objective - found.bound <= 1e-6 * abs(found.objective)


@given(seed=st.integers(0, 10_000), other=st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_the_bound_holds_for_any_loads_and_flows(seed: int, other: int) -> None:
    problem = drawn(seed)
    random = np.random.default_rng(other)
    flow = random.exponential(size=len(problem.demand))
    flow *= (problem.quantity / np.bincount(problem.demand, flow))[problem.demand]
    bound = problem.bound(random.uniform(0, 20, problem.num_resources), np.zeros(problem.num_resources))
    objective = problem.objective(flow)
    assert bound is not None
    assert objective is not None
    assert bound <= objective + 1e-9 * abs(objective)


def test_shares_are_those_of_the_choice_model() -> None:
    problem = drawn(3)
    assert problem.nest is not None
    cost = problem.route_cost(np.zeros(problem.num_resources), np.zeros(problem.num_resources))
    sets = ChoiceSets(
        cost[:, None], ("cost",), np.arange(0, 17, 4), problem.path_size, problem.nest, ("one", "other")
    )  # fmt: skip
    model = Choices(sets, np.array([-problem.scale]), problem.nest_scale)
    shares = problem.shares(np.zeros(problem.num_resources), np.zeros(problem.num_resources))
    assert np.allclose(shares.probability, model.probability)
    assert np.allclose(shares.logsum, model.logsum)


def test_nests_of_scale_one_are_no_nests() -> None:
    nested = stochastic_equilibrium(replace(drawn(4), nest_scale=np.ones(2)), 1e-11)
    plain = stochastic_equilibrium(replace(drawn(4), nest=None, nest_scale=None), 1e-11)
    assert np.allclose(nested.flow, plain.flow, rtol=1e-9)
    assert nested.objective == pytest.approx(plain.objective)


def test_a_route_listed_twice_counts_once() -> None:
    shared = {"indptr": np.array([0, 1, 2, 3]), "resource": np.array([0, 0, 1])}
    twice = parallel(
        [5.0, 5.0, 6.0], [3.0, 2.0], [4.0, 8.0], use=np.ones(3), passes=np.ones(3),
        path_size=np.array([0.5, 0.5, 1.0]), **shared
    )  # fmt: skip
    once = stochastic_equilibrium(parallel([5.0, 6.0], [3.0, 2.0], [4.0, 8.0]), 1e-12)
    found = stochastic_equilibrium(twice, 1e-12)
    assert found.flow[0] == pytest.approx(found.flow[1])
    assert found.flow[:2].sum() == pytest.approx(once.flow[0])


def test_large_scales_approach_the_deterministic_equilibrium() -> None:
    """Wardrop: used routes cost the same, unused ones no less; the excess shrinks as 1 / scale."""
    excess = []
    for scale in (1.0, 10.0, 100.0, 1000.0):
        found = stochastic_equilibrium(drawn(7, nested=False, scale=scale), 1e-8)
        cheapest = np.minimum.reduceat(found.cost, np.arange(0, 16, 4))
        excess.append(
            float(found.flow @ (found.cost - cheapest[found.problem.demand])) / float(found.flow @ found.cost)
        )
        assert found.gap <= 1e-6
    assert excess[0] > 1e-2
    assert excess[3] < 1e-3
    assert all(later < earlier / 5 for earlier, later in pairwise(excess))


def test_braess_by_hand() -> None:
    """
    Braess 1968: 6 units, links 10 x, 50 + x, 50 + x, 10 x and the shortcut 10 + x: all three routes cost 92, not 83.

    Waits of ``free (1 + rise x / capacity)``: 10 x is written with a free time near zero.
    """
    small = 1e-6
    delays = DelayFunctions(
        np.array([small, 50.0, 50.0, small, 10.0]), np.array([10.0 / small, 0.02, 0.02, 10.0 / small, 0.1]),
        np.ones(5), np.ones(5),
    )  # fmt: skip
    routes = [[0, 2], [1, 3], [0, 4, 3]]
    problem = StochasticAssignment(
        np.zeros(3, dtype=np.int64), np.array([6.0]), np.zeros(3), np.array([1.0]), np.array([0, 2, 4, 7]),
        np.concatenate(routes), np.ones(7), np.ones(7), delays, 1000.0,
    )  # fmt: skip
    found = stochastic_equilibrium(problem, 1e-8)
    assert np.allclose(found.flow, 2, atol=1e-3)
    assert np.allclose(found.cost, 92, atol=1e-2)


def limited(problem: StochasticAssignment) -> StochasticAssignment:
    """With limits that bind, and that some flows keep: those of shippers with another mind."""
    other_mind = np.random.default_rng(1).uniform(0, 8, len(problem.cost))
    loads = stochastic_equilibrium(problem, 1e-9).load
    others = stochastic_equilibrium(replace(problem, cost=problem.cost + other_mind), 1e-9).load
    return replace(problem, limit=np.where(others < loads, (others + loads) / 2, np.inf))


@pytest.mark.parametrize("nested", [False, True])
def test_premiums_hold_full_resources_at_their_limits(nested: bool) -> None:
    problem = limited(drawn(5, nested=nested, same_hours=True))
    found = stochastic_equilibrium(problem, 1e-9)
    full = found.premium > 0
    assert full.any()
    assert found.excess <= 1e-8
    assert found.gap <= 1e-8
    assert np.allclose(found.load[full], problem.limits[full], rtol=1e-7)
    assert (found.load <= problem.limits * (1 + 1e-8)).all()
    assert found.bound is not None
    assert found.objective is not None
    assert found.objective - found.bound <= 1e-6 * abs(found.objective)
    assert found.bound <= found.objective + 1e-6 * abs(found.objective)


def test_premiums_of_cost_minded_shippers_are_the_prices_of_the_linear_programme() -> None:
    """Without waits and at a large scale: transport at least cost within limits, and its shadow prices."""
    problem = parallel(
        [5.0, 6.5, 9.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], delays=bpr([0.0] * 3, [1.0] * 3),
        limit=np.array([4.0, 3.0, np.inf]), scale=200.0,
    )  # fmt: skip
    found = stochastic_equilibrium(problem, 1e-9)
    plan = linprog(problem.cost, A_eq=np.ones((1, 3)), b_eq=[10.0], bounds=[(0, 4), (0, 3), (0, None)])
    assert np.allclose(found.flow, plan.x, atol=1e-6)
    assert np.allclose(found.premium[:2], -plan.upper.marginals[:2], atol=0.02)


def settled(found: Equilibrium, change: np.ndarray) -> np.ndarray:
    problem = found.problem
    return stochastic_equilibrium(replace(problem, cost=problem.cost + change), 1e-12, found.load).flow


@pytest.mark.parametrize("with_limits", [False, True])
def test_response_agrees_with_solving_again(with_limits: bool) -> None:
    problem = limited(drawn(6)) if with_limits else drawn(6)
    found = stochastic_equilibrium(problem, 1e-12)
    directions = np.eye(len(problem.demand))[:, :5]
    at_once, after = found.response(directions)
    step = 1e-4
    for number in range(5):
        change = step * directions[:, number]
        slope = (settled(found, change) - settled(found, -change)) / (2 * step)
        assert np.allclose(after[:, number], slope, rtol=1e-3, atol=1e-5)
        shares = [
            problem.quantity[problem.demand]
            * replace(problem, cost=problem.cost + sign * change).shares(found.wait_h, found.premium).probability
            for sign in (1, -1)
        ]
        assert np.allclose(at_once[:, number], (shares[0] - shares[1]) / (2 * step), rtol=1e-4, atol=1e-6)


def test_loads_wait_for_each_other_unequally() -> None:
    """Boxes and tonnes: no programme stands behind it, but the equilibrium does."""
    problem = drawn(8)
    random = np.random.default_rng(8)
    uneven = replace(problem, use=problem.passes * random.uniform(0.1, 2, len(problem.use)))
    found = stochastic_equilibrium(uneven, 1e-9)
    assert found.objective is None
    assert found.bound is None
    assert found.gap <= 1e-8


def test_background_and_hours_counted_already() -> None:
    problem = drawn(9)
    background = np.arange(1.0, 6.0)
    shifted = replace(problem, background=background, included_h=problem.delays.delay(background))
    assert np.allclose(shifted.wait_h(np.zeros(5)), 0)
    found = stochastic_equilibrium(shifted, 1e-10)
    assert found.gap <= 1e-9
    assert found.objective is not None
    assert found.bound is not None
    assert 0 <= found.objective - found.bound + 1e-8 <= 1e-6 * abs(found.objective)


def test_same_problem_same_flows() -> None:
    one, other = (stochastic_equilibrium(drawn(10)) for _ in range(2))
    assert (one.flow == other.flow).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale": 0.0}, "scale is 0.0"),
        ({"cost": np.array([1.0, np.nan])}, "cost must hold 2 finite numbers"),
        ({"quantity": np.array([-1.0])}, "must not lie below zero"),
        ({"demand": np.array([0, 2])}, "give every demand a route"),
        ({"resource": np.array([0, 5])}, "numbers from 0 to 1"),
        ({"nest": np.array([0, 1]), "nest_scale": np.array([1.0, 1.5])}, "nest_scale must lie"),
        ({"limit": np.array([0.0, 1.0])}, "limit must lie above zero"),
        ({"nest": np.array([0, 1])}, "go together"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parallel([5.0, 6.0], [3.0, 2.0], [4.0, 8.0], **change)
