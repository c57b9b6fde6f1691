"""Services with a fixed cost: against enumeration, public values, limits, and input that does not fit."""

from __future__ import annotations

import itertools
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from optimizer.flows.fixed_charge import engine
from optimizer.flows.fixed_charge.engine import solve_fixed_charge
from optimizer.flows.fixed_charge.exchange import FlowSearch
from optimizer.flows.fixed_charge.flow import OpenPlan, ServiceFlow, fits
from optimizer.flows.fixed_charge.graph import RouteGraph
from optimizer.flows.fixed_charge.problem import Columns, FixedChargeProblem, FixedChargeResult, Floats, ListedRoutes
from optimizer.models.family import SolveOptions
from optimizer.result import Progress, Status

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT.parent / "shared" / "public-instances"


class Unlisted:
    """The same exact pricing, without the list of all routes."""

    def __init__(self, columns: Columns, demands: int) -> None:
        self._listed = ListedRoutes(columns, demands)

    def __call__(self, service: Floats, resource: Floats, pair: Floats) -> engine.Priced:
        return self._listed(service, resource, pair)


def drawn(seed: int, one_service: bool, must_serve: bool, least: bool, shared: bool) -> FixedChargeProblem:
    rng = np.random.default_rng(seed)
    demands, services = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    used, demand = [], []
    for d in range(demands):
        for _ in range(int(rng.integers(1, 5))):
            count = 1 if one_service else int(rng.integers(0, min(services, 2) + 1))
            used.append(np.sort(rng.choice(services, count, replace=False)))
            demand.append(d)
    n = len(demand)
    resources = 1 if shared else 0
    columns = Columns(
        np.array(demand),
        rng.integers(1, 20, n).astype(float),
        np.concatenate([[0], np.cumsum([u.size for u in used])]).astype(np.int64),
        np.concatenate([*used, np.empty(0)]).astype(np.int64),
        np.ones(sum(u.size for u in used)) if one_service else rng.choice([1.0, 2.0], sum(u.size for u in used)),
        np.arange(n + 1) * resources,
        np.zeros(n * resources, np.int64),
        rng.choice([0.0, 1.0], n * resources),
    )
    quantity = rng.integers(1, 10, demands).astype(float)
    most = np.where(rng.random(services) < 0.3, np.inf, rng.integers(0, 25, services).astype(float))
    low = (
        np.where(rng.random(services) < 0.5, rng.integers(1, 8, services), 0).astype(float)
        if least
        else np.zeros(services)
    )
    return FixedChargeProblem(
        quantity,
        np.full(demands, np.inf) if must_serve else rng.integers(1, 40, demands).astype(float),
        rng.integers(0, 60, services).astype(float),
        np.minimum(low, most),
        most,
        rng.integers(0, 15, resources).astype(float),
        ListedRoutes(columns, demands),
    )


def enumerated(problem: FixedChargeProblem) -> float:
    """Cost of the best plan over all sets of services, by linear programmes of SciPy; inf when there is none."""
    assert isinstance(problem.price, ListedRoutes | Unlisted)
    columns = problem.price.columns if isinstance(problem.price, ListedRoutes) else problem.price._listed.columns
    n, demands, services = columns.demand.size, problem.quantity.size, problem.fixed_cost.size
    volume, shared, serve = np.zeros((services, n)), np.zeros((problem.capacity.size, n)), np.zeros((demands, n))
    for r in range(n):
        for at in range(columns.service_start[r], columns.service_start[r + 1]):
            volume[columns.service[at], r] += columns.weight[at]
        for at in range(columns.resource_start[r], columns.resource_start[r + 1]):
            shared[columns.resource[at], r] += columns.use[at]
        serve[columns.demand[r], r] = 1.0
    must = np.isinf(problem.penalty)
    best = np.inf
    for choice in itertools.product([False, True], repeat=services):
        used = np.array(choice)
        blocked = (volume[~used] > 0).any(axis=0)
        rows = [np.hstack([shared, np.zeros((problem.capacity.size, demands))])]
        right = [problem.capacity]
        for s in np.flatnonzero(used):
            line = np.append(volume[s], np.zeros(demands))
            if np.isfinite(problem.most[s]):
                rows.append(line[None])
                right.append(problem.most[s : s + 1])
            rows.append(-line[None])
            right.append(-problem.least[s : s + 1])
        found = linprog(
            np.append(columns.cost, np.where(must, 0.0, problem.penalty)),
            np.vstack(rows),
            np.concatenate(right),
            np.hstack([serve, np.eye(demands)]),
            problem.quantity,
            [(0, 0 if b else None) for b in blocked] + [(0, 0 if m else None) for m in must],
            method="highs",
        )
        if found.status == 0:
            best = min(best, found.fun + problem.fixed_cost[used].sum())
    return best


def check(problem: FixedChargeProblem, found: FixedChargeResult) -> None:
    """Every rule again, and the cost."""
    assert found.cost is not None
    assert found.used is not None
    assert found.unserved_t is not None
    demands, services = problem.quantity.size, problem.fixed_cost.size
    carried, volume, shared = np.zeros(demands), np.zeros(services), np.zeros(problem.capacity.size)
    cost = float(problem.fixed_cost @ found.used)
    if found.routes is not None and found.flow_t is not None:
        routes, flow = found.routes, found.flow_t
        for r in range(flow.size):
            carried[routes.demand[r]] += flow[r]
            cost += routes.cost[r] * flow[r]
            for at in range(routes.service_start[r], routes.service_start[r + 1]):
                volume[routes.service[at]] += routes.weight[at] * flow[r]
                assert found.used[routes.service[at]]
            for at in range(routes.resource_start[r], routes.resource_start[r + 1]):
                shared[routes.resource[at]] += routes.use[at] * flow[r]
    cost += float(sum(p * u for p, u in zip(problem.penalty, found.unserved_t, strict=True) if u > 0))
    assert carried + found.unserved_t == pytest.approx(problem.quantity)
    assert np.all(volume <= np.where(found.used, problem.most, 0.0) + 1e-6)
    assert np.all(volume >= np.where(found.used, problem.least, 0.0) - 1e-6)
    assert np.all(shared <= problem.capacity + 1e-6)
    assert cost == pytest.approx(found.cost)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_best_plan_is_that_of_enumeration(seed: int, one: bool, must: bool, least: bool, shared: bool) -> None:
    problem = drawn(seed, one, must, least, shared)
    best, found = enumerated(problem), solve_fixed_charge(problem, SolveOptions(time_limit_s=30))
    if np.isinf(best):
        assert found.status == Status.INFEASIBLE
        return
    assert found.status == Status.OPTIMAL
    check(problem, found)
    assert found.cost == pytest.approx(best, rel=1e-6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.booleans())
def test_without_a_list_of_routes_the_bound_holds(seed: int, must: bool, least: bool, shared: bool) -> None:
    problem = drawn(seed, False, must, least, shared)
    assert isinstance(problem.price, ListedRoutes)
    problem = replace(problem, price=Unlisted(problem.price.columns, problem.quantity.size))
    bounds: list[Progress] = []
    best = enumerated(problem)
    found = solve_fixed_charge(problem, SolveOptions(time_limit_s=30, on_progress=bounds.append))
    assert all(note.bound is None or note.bound <= best + 1e-6 * abs(best) for note in bounds if np.isfinite(best))
    if found.cost is not None:
        check(problem, found)
        assert found.bound is not None
        assert found.bound <= best + 1e-6 * abs(best)
        assert best <= found.cost + 1e-6 * best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_lagrangian_tree_finds_the_best_plan(seed: int, must: bool) -> None:
    problem = drawn(seed, True, must, False, False)
    best = enumerated(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "SMALL", 0)
        found = solve_fixed_charge(problem, SolveOptions(time_limit_s=30))
    if np.isinf(best):
        assert found.cost is None
        return
    assert found.status == Status.OPTIMAL
    check(problem, found)
    assert found.cost == pytest.approx(best, rel=1e-6, abs=1e-6)


def two_stage(
    demands: int, plants: int, depots: int, seed: int, penalty: float, whole: bool = False
) -> FixedChargeProblem:
    """Source -> plants -> depots -> customers, drawn; tonnes in whole numbers where asked for."""
    rng = np.random.default_rng(seed)
    plant, depot, out = 1 + np.arange(plants), 1 + plants + np.arange(depots), 1 + plants + depots + np.arange(depots)
    customer = 1 + plants + 2 * depots + np.arange(demands)
    tail = np.concatenate([np.zeros(plants), np.repeat(plant, depots), depot, np.repeat(out, demands)]).astype(np.int64)
    head = np.concatenate([plant, np.tile(depot, plants), out, np.tile(customer, depots)]).astype(np.int64)
    no = -np.ones(plants * depots)
    service = np.concatenate([np.arange(plants), no, plants + np.arange(depots), -np.ones(depots * demands)])
    cost = np.where(service < 0, rng.uniform(1, 50, tail.size), 0.0)
    graph = RouteGraph(
        int(customer[-1]) + 1, tail, head, cost, service.astype(np.int64), np.ones(tail.size),
        np.full(tail.size, -1), np.zeros(tail.size), np.zeros(demands, np.int64), customer,
    )  # fmt: skip
    quantity = rng.uniform(5, 20, demands)
    services = plants + depots
    most = np.full(services, quantity.sum() / 3)
    if whole:
        quantity = np.ceil(quantity)
        most = np.round(quantity.sum() * rng.uniform(0.2, 0.7, services))
    return FixedChargeProblem(
        quantity,
        np.full(demands, penalty),
        rng.uniform(50, 500, services),
        np.zeros(services),
        most,
        np.empty(0),
        graph,
    )


def test_graph_prices_are_those_of_all_its_routes() -> None:
    problem = two_stage(6, 3, 4, 5, np.inf)
    graph = problem.price
    assert isinstance(graph, RouteGraph)
    listed = graph.all_routes(1000)
    assert listed is not None
    assert listed.demand.size == 6 * 3 * 4
    assert graph.all_routes(71) is None
    rng = np.random.default_rng(1)
    prices = rng.uniform(-5, 30, 7), np.empty(0), rng.uniform(0, 30, (6, 7))
    assert graph(*prices).best == pytest.approx(ListedRoutes(listed, 6)(*prices).best)
    found = graph(*prices)
    assert found.columns.demand.size == 6 * 4
    cheapest = np.full(6, np.inf)
    np.minimum.at(cheapest, found.columns.demand, found.columns.prices(*prices))
    assert cheapest == pytest.approx(found.best)


def test_two_stages_agree_with_listed_routes() -> None:
    problem = two_stage(6, 3, 4, 5, np.inf)
    assert isinstance(problem.price, RouteGraph)
    listed = problem.price.all_routes(1000)
    assert listed is not None
    by_list = replace(problem, price=ListedRoutes(listed, 6))
    found = solve_fixed_charge(problem, SolveOptions())
    assert found.status == Status.OPTIMAL
    check(problem, found)
    assert found.cost == pytest.approx(enumerated(by_list), rel=1e-7)


def test_a_short_time_still_gives_plan_and_bound() -> None:
    problem = two_stage(150, 20, 40, 2, 5000.0)
    found = solve_fixed_charge(problem, SolveOptions(time_limit_s=0.3))
    assert found.status.has_plan
    assert found.bound is not None
    assert found.cost is not None
    assert 0 < found.bound <= found.cost
    check(problem, found)


def test_a_stop_set_before_gives_plan_and_bound() -> None:
    stop = threading.Event()
    stop.set()
    found = solve_fixed_charge(two_stage(20, 3, 4, 2, 5000.0), SolveOptions(stop=stop))
    assert found.status == Status.FEASIBLE
    assert found.bound is not None


def test_same_seed_same_plan() -> None:
    problem = two_stage(12, 3, 4, 9, np.inf)
    first, second = (solve_fixed_charge(problem, SolveOptions(seed=3)) for _ in range(2))
    assert first.cost == second.cost
    assert first.bound == second.bound
    assert first.flow_t is not None
    assert second.flow_t is not None
    assert np.array_equal(first.flow_t, second.flow_t)


def test_a_demand_without_any_route_is_infeasible() -> None:
    problem = two_stage(4, 2, 2, 1, np.inf)
    closed = replace(problem, most=np.zeros(4))
    assert solve_fixed_charge(closed, SolveOptions()).status == Status.INFEASIBLE


def test_faults_are_refused() -> None:
    problem = two_stage(4, 2, 2, 1, np.inf)
    with pytest.raises(ValueError, match="quantities"):
        replace(problem, quantity=np.array([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="differ in length"):
        replace(problem, most=np.ones(3))
    assert isinstance(problem.price, RouteGraph)
    with pytest.raises(ValueError, match="cycle"):
        replace(problem.price, head=problem.price.tail[::-1].copy(), tail=problem.price.tail)


# Flows of one commodity ---------------------------------------------------------------------------------------------


def kept(problem: FixedChargeProblem, calls: int) -> tuple[ServiceFlow, list[OpenPlan]]:
    """Plans of a search that is asked so many times whether to end, and ends then."""
    flows = fits(problem)
    assert flows is not None
    plans: list[OpenPlan] = []
    count = itertools.count()
    FlowSearch(flows, 0, plans.append, lambda: next(count) >= calls).run()
    return flows, plans


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), must=st.booleans())
def test_flows_of_one_commodity_against_enumeration(seed: int, must: bool) -> None:
    problem = two_stage(4, 2, 3, seed, np.inf if must else 60.0, whole=True)
    assert isinstance(problem.price, RouteGraph)
    listed = problem.price.all_routes(1000)
    assert listed is not None
    best = enumerated(replace(problem, price=ListedRoutes(listed, 4)))
    flows, plans = kept(problem, 200)
    assert flows.bound(lambda: False) <= best * (1 + 1e-9)
    opened = [flows.over(np.array(used)) for used in itertools.product((False, True), repeat=5)]
    costs = [plan.cost for plan in opened if plan is not None]
    assert (min(costs, default=np.inf)) == pytest.approx(best, rel=1e-4)  # costs of flows are rounded
    assert all(plan.cost >= best * (1 - 1e-9) for plan in plans)
    for plan in plans:
        routes, tonnes, unserved = flows.routes(plan)
        found = FixedChargeResult(Status.FEASIBLE, plan.cost, None, plan.used, routes, tonnes, unserved)
        check(problem, found)
    if np.isfinite(best):
        found = solve_fixed_charge(problem, SolveOptions())
        assert found.cost == pytest.approx(best, rel=1e-6)
        assert found.status == Status.OPTIMAL


def test_a_cut_needs_as_many_services_as_hold_all() -> None:
    problem = two_stage(30, 4, 6, 3, np.inf, whole=True)
    narrow = replace(problem, most=np.full(10, np.ceil(problem.quantity.sum() * 0.4)), fixed_cost=np.full(10, 1e4))
    flows = fits(narrow)
    assert flows is not None
    # 40 % each: three plants and three depots; the plain relaxation pays for 2.5 of each.
    assert flows.bound(lambda: False) >= 6e4
    assert flows.bound(lambda: True) >= 5e4 * (1 - 1e-9)


def test_what_is_not_one_commodity_in_whole_numbers_does_not_fit() -> None:
    problem = two_stage(6, 3, 4, 5, np.inf, whole=True)
    assert isinstance(problem.price, RouteGraph)
    assert fits(problem) is not None
    assert fits(two_stage(6, 3, 4, 5, np.inf)) is None
    assert fits(replace(problem, least=np.ones(7))) is None
    assert fits(replace(problem, quantity=problem.quantity + 0.5)) is not None  # in tenths of a tonne
    doubled = problem.price.service.copy()
    doubled[3] = 0  # a service on two arcs
    assert fits(replace(problem, price=replace(problem.price, service=doubled))) is None


@pytest.mark.skipif(not (PUBLIC / "tscflp").exists(), reason="public instances are not here")
@pytest.mark.parametrize("name", ["PSC1-C3-50", "PSC4-C2-50"])
def test_two_stage_instances_are_near_the_best_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.facility_location import best_known, problem_of, read_tscflp

    problem = problem_of(read_tscflp(PUBLIC / "tscflp" / f"{name}.txt.gz"))
    known = best_known("tscflp")[name]
    flows, plans = kept(problem, 400)
    assert plans[-1].cost <= 1.005 * known
    assert flows.bound(lambda: False) <= known * (1 + 1e-9)


@pytest.mark.skipif(not (PUBLIC / "cflp-orlib").exists(), reason="public instances are not here")
@pytest.mark.parametrize("name", ["cap41", "cap74", "cap134"])
def test_published_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    assert str(ROOT) in sys.path
    from benchmarks.facility_location import best_known, checked_cost, problem_of, read_cflp

    stages = read_cflp(PUBLIC / "cflp-orlib" / f"{name}.txt.gz", name)
    found = solve_fixed_charge(problem_of(stages), SolveOptions())
    assert found.status == Status.OPTIMAL
    assert checked_cost(stages, found) == pytest.approx(best_known("cflp-orlib")[name], abs=0.01)
