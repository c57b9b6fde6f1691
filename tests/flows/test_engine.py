"""The route-flow engine on problems small enough to enumerate, and what it promises at any size."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.flows.routes.engine import RouteFlowResult, solve_route_flow
from optimizer.flows.routes.pricing import Pricing
from optimizer.flows.routes.problem import DayGraph, RouteFlowProblem
from optimizer.models.family import SolveOptions


def line_problem(
    num_days: int,
    capacity: list[float],
    shipments: list[tuple[int, int, float, float, float]],
    detour_cost: float = 10.0,
) -> RouteFlowProblem:
    """Two parallel one-day arcs 0 -> 1: cost 1 within a daily capacity, and a dearer one without; waiting costs 0.5.

    Shipments are (release day, due day, tonnes, penalty, cost of a day late).
    """
    graph = DayGraph(
        indptr=np.array([0, 2, 2]), tail=np.zeros(2, np.int32), head=np.ones(2, np.int32),
        duration_days=np.ones(2, np.int64), cost=np.array([1.0, detour_cost]),
        departs=np.ones((num_days, 2), bool), holding=np.array([0.5, np.inf]),
        use_indptr=np.array([0, 1, 1]), use_resource=np.zeros(1, np.int32), use_units=np.ones(1),
    )  # fmt: skip
    release, due, tonnes, penalty, late = (np.array(column) for column in zip(*shipments, strict=True))
    count = len(shipments)
    return RouteFlowProblem(
        graphs=(graph,), graph=np.zeros(count, np.int32), source=np.zeros(count, np.int64),
        sink=np.ones(count, np.int64), release_day=release.astype(np.int64), due_day=due.astype(np.int64),
        late_cost=late.astype(float), quantity=tonnes.astype(float), penalty=penalty.astype(float),
        first_cell=np.zeros(1, np.int64), stride=np.ones(1, np.int64), capacity=np.array(capacity), num_days=num_days,
    )  # fmt: skip


def checked(problem: RouteFlowProblem, **further: object) -> RouteFlowResult:
    """Solve, and recompute what the result claims."""
    result = solve_route_flow(problem, SolveOptions(), **further)  # type: ignore[arg-type]
    pool = result.pool
    load = np.zeros(problem.capacity.size)
    np.add.at(load, pool.cells, pool.units * np.repeat(result.flow, np.diff(pool.start)))
    assert (load <= problem.capacity * (1 + 1e-9) + 1e-9).all()
    served = np.bincount(pool.demand, weights=result.flow, minlength=problem.num_demands)
    assert served + result.unserved == pytest.approx(problem.quantity)
    assert result.cost == pytest.approx(float(result.flow @ pool.cost + result.unserved @ problem.penalty))
    assert result.bound <= result.cost
    return result


def test_a_load_waits_for_room_rather_than_pay_the_detour() -> None:
    # Room for 5 a day: 5 leave on day 0 at 1, 5 on day 1 at 1.5, 2 on day 2 at 2.
    problem = line_problem(6, [5.0] * 6, [(0, 5, 12.0, 100.0, 1.0)])
    assert checked(problem).cost == pytest.approx(5 * 1 + 5 * 1.5 + 2 * 2)


def test_lateness_turns_the_second_half_to_the_detour() -> None:
    # Due on day 1: a day of waiting costs 0.5 and 20 for being late, the detour 10.
    problem = line_problem(6, [5.0] * 6, [(0, 1, 8.0, 100.0, 20.0)])
    assert checked(problem).cost == pytest.approx(5 * 1 + 3 * 10)


def test_late_by_a_little_is_better_than_the_detour() -> None:
    problem = line_problem(6, [5.0] * 6, [(0, 1, 8.0, 100.0, 2.0)])
    assert checked(problem).cost == pytest.approx(5 * 1 + 3 * (1 + 0.5 + 2.0))


def test_penalty_below_every_route_leaves_all_behind() -> None:
    problem = line_problem(4, [5.0] * 4, [(0, 3, 7.0, 0.9, 1.0)])
    result = checked(problem)
    assert result.cost == pytest.approx(7 * 0.9)
    assert result.bound == pytest.approx(result.cost)


def test_zero_capacity_cuts_the_arc_off() -> None:
    problem = line_problem(4, [0.0] * 4, [(0, 3, 7.0, 100.0, 1.0)])
    assert checked(problem).cost == pytest.approx(70.0)


def test_release_after_the_last_departure_stays_behind() -> None:
    problem = line_problem(3, [5.0] * 3, [(2, 2, 7.0, 100.0, 1.0)])
    assert checked(problem).cost == pytest.approx(700.0)


def test_prices_say_what_another_unit_saves() -> None:
    problem = line_problem(2, [5.0, 5.0], [(0, 1, 8.0, 100.0, 1.0)])
    result = checked(problem)
    more = checked(replace(problem, capacity=problem.capacity + np.array([1.0, 0.0])))
    assert result.cost - more.cost == pytest.approx(result.price[0])
    assert result.price[0] == pytest.approx(9.0)


def test_limits_end_with_a_plan_and_a_bound() -> None:
    problem = line_problem(6, [5.0] * 6, [(0, 5, 12.0, 100.0, 1.0)])
    best = checked(problem).cost
    once = checked(problem, max_passes=1)
    assert once.passes == 1
    assert once.bound <= best + 1e-9 <= once.cost + 1e-6
    stop = threading.Event()
    stop.set()
    stopped = solve_route_flow(problem, SolveOptions(stop=stop))
    assert stopped.bound <= best + 1e-9 <= stopped.cost + 1e-6


def test_warm_start_proves_the_same() -> None:
    problem = line_problem(6, [5.0] * 6, [(0, 5, 12.0, 100.0, 1.0), (1, 3, 6.0, 50.0, 3.0)])
    warm = checked(problem).warm
    tighter = replace(problem, capacity=np.array([5.0, 0.0, 4.0, 5.0, 5.0, 5.0]))
    assert checked(tighter, warm=warm).cost == pytest.approx(checked(tighter).cost, rel=1e-7)


shipments = st.tuples(
    st.integers(0, 4), st.integers(0, 6), st.integers(1, 9), st.sampled_from((0.5, 4.0, 30.0)),
    st.sampled_from((0.0, 0.25, 3.0)),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(shipments, min_size=1, max_size=4),
    capacity=st.lists(st.sampled_from((0.0, 1.0, 2.5, 6.0)), min_size=6, max_size=6),
    detour=st.sampled_from((1.0, 3.0, 20.0)),
)
def test_agrees_with_a_linear_programme_over_all_routes(
    rows: list[tuple[int, int, float, float, float]], capacity: list[float], detour: float
) -> None:
    from scipy.optimize import linprog

    problem = line_problem(6, capacity, rows, detour)
    result = checked(problem)
    cost, demand_rows, day_rows = [], [], []
    for number, (release, due, _tonnes, penalty, late) in enumerate(rows):
        options = [(penalty, None)]
        for day in range(release, 5):
            wait = 0.5 * (day - release) + late * max(day + 1 - due, 0)
            options += [(1.0 + wait, day), (detour + wait, None)]
        for usd, day in options:
            cost.append(usd)
            demand_rows.append([float(k == number) for k in range(len(rows))])
            day_rows.append([float(day == d) for d in range(6)])
    best = linprog(
        cost, A_eq=np.array(demand_rows).T, b_eq=[float(row[2]) for row in rows], A_ub=np.array(day_rows).T,
        b_ub=capacity,
    ).fun  # fmt: skip
    assert result.cost == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert result.bound == pytest.approx(best, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(shipments, min_size=1, max_size=4),
    prices=st.lists(st.sampled_from((0.0, 0.3, 2.0, 40.0)), min_size=6, max_size=6),
)
def test_any_prices_give_a_bound_and_threads_do_not_matter(
    rows: list[tuple[int, int, float, float, float]], prices: list[float]
) -> None:
    problem = line_problem(6, [2.0] * 6, rows)
    price = np.array(prices)
    one, two = Pricing(problem, threads=1), Pricing(problem, threads=2)
    cheapest, _ = one.cheapest(price, problem.penalty)
    assert np.array_equal(cheapest, two.cheapest(price, problem.penalty)[0])
    assert one.bound(cheapest, price) <= checked(problem).cost * (1 + 1e-9) + 1e-9


def test_same_question_same_plan() -> None:
    rows = [(0, 3, 4.0, 30.0, 0.25), (0, 3, 4.0, 30.0, 0.25), (1, 2, 5.0, 4.0, 3.0)]
    one, two = (checked(line_problem(6, [2.5] * 6, rows)) for _ in range(2))
    assert np.array_equal(one.flow, two.flow)
    assert one.cost == two.cost
