"""Circulation: by hand, by enumeration, engine against both models, verifier, limits, public files."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circulations

from benchmarks.circulation import BETTER
from benchmarks.mdvsp import priced, problem_of, published, read_file
from benchmarks.mdvsp_compact import compact_optimum
from optimizer.circulation.columns import ColumnGeneration
from optimizer.circulation.crosscheck import solve_crosscheck
from optimizer.circulation.engine import solve_circulation
from optimizer.circulation.enumerate import enumerate_rotations
from optimizer.circulation.exact import solve_exact
from optimizer.circulation.graph import Graph
from optimizer.circulation.lagrangian import ascend, certified_bound
from optimizer.circulation.problem import Circulation, Plan, Rotation
from optimizer.circulation.start import first_prices
from optimizer.circulation.verify import verify
from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions

DATA = Path(__file__).resolve().parents[3] / "shared" / "public-instances" / "mdvsp"
EASY = settings(max_examples=15, deadline=None)


def two_depots() -> Circulation:
    """
    Trips 0 -> 1 and 0 -> 2 can follow each other; depot 0 has one vehicle, depot 1 two.

    Depot 0 reaches every trip for 1 each way, depot 1 for 4, trip 1 for 3. Best: depot 0 does 0 and 2 (1 + 2 + 1),
    depot 1 does 1 (3 + 3); depots changed over it is 2 + 10, and 0 and 1 together are 5 + 8.
    """
    inf = np.inf
    follow = np.array([[inf, 3.0, 2.0], [inf, inf, inf], [inf, inf, inf]])
    ends = np.array([[1.0, 1.0, 1.0], [4.0, 3.0, 4.0]])
    return Circulation.from_matrices(np.array([1, 2]), ends, ends.copy(), follow)


def by_enumeration(problem: Circulation) -> float:
    """Cheapest plan over all ways to give trips depots and predecessors."""
    links = {(int(a), int(b)) for a, b in zip(problem.link_tail, problem.link_head, strict=True)}
    best = np.inf
    choices = []
    for i in range(problem.num_trips):
        before = [-1] + [a for a, b in links if b == i]
        choices.append([(k, a) for k in range(problem.num_depots) for a in before] + [(-1, -1)])
    for chosen in itertools.product(*choices):
        used = [a for _, a in chosen if a >= 0]
        if len(set(used)) < len(used) or any(a >= 0 and chosen[a][0] != k for k, a in chosen):
            continue
        follower = {a: i for i, (_, a) in enumerate(chosen) if a >= 0}
        rotations = []
        for i, (k, a) in enumerate(chosen):
            if k >= 0 and a < 0:
                trips = [i]
                while trips[-1] in follower:
                    trips.append(follower[trips[-1]])
                rotations.append(Rotation(k, tuple(trips)))
        plan = Plan(tuple(rotations), tuple(i for i, (k, _) in enumerate(chosen) if k < 0))
        count = np.bincount([r.depot for r in rotations], minlength=problem.num_depots)
        if (count <= problem.vehicles).all():
            best = min(best, problem.cost(plan))
    return best


def test_two_depots_by_hand() -> None:
    problem = two_depots()
    found = solve_circulation(problem, SolveOptions())
    assert found.cost == found.bound == 10.0
    assert found.plan == Plan((Rotation(0, (0, 2)), Rotation(1, (1,))))
    assert verify(problem, found.plan, 10.0) == ()


def test_trips_are_left_out_where_that_is_cheaper() -> None:
    problem = replace(two_depots(), skip=np.array([np.inf, 2.0, np.inf]))
    found = solve_circulation(problem, SolveOptions())
    assert found.cost == 6.0
    assert found.plan is not None
    assert found.plan.skipped == (1,)


def test_too_few_vehicles_are_proved() -> None:
    problem = replace(two_depots(), vehicles=np.array([1, 0]))
    assert solve_circulation(problem, SolveOptions()).infeasible
    assert solve_exact(problem, SolveOptions()).infeasible


def test_wrong_arrays_are_named_all_at_once() -> None:
    problem = two_depots()
    with pytest.raises(InstanceError) as error:
        replace(problem, vehicles=np.array([-1, 2]), link_head=np.array([1, 7]), skip=np.array([np.nan, 1.0, 1.0]))
    for words in ("depot 0 has -1 vehicles", "link 1 joins 0 and 7", "skip[0] is nan"):
        assert words in str(error.value)
    with pytest.raises(InstanceError, match="follow each other in a circle"):
        replace(problem, link_tail=np.array([0, 1]), link_head=np.array([1, 0]))
    with pytest.raises(InstanceError, match="linked twice"):
        replace(problem, link_head=np.array([1, 1]))


@EASY
@given(problem=circulations(max_trips=4))
def test_engine_and_models_find_what_enumeration_finds(problem: Circulation) -> None:
    best = by_enumeration(problem)
    found = solve_circulation(problem, SolveOptions())
    assert found.cost == pytest.approx(best)
    assert found.bound <= best + 1e-6
    if np.isfinite(best):
        assert found.proved
        assert verify(problem, found.plan, found.cost) == ()
    else:
        assert found.infeasible
    assert solve_exact(problem, SolveOptions()).cost == pytest.approx(best)


@settings(max_examples=8, deadline=None)
@given(problem=circulations(max_trips=14, max_depots=3))
def test_bounds_hold_and_both_models_agree(problem: Circulation) -> None:
    exact = solve_exact(problem, SolveOptions())
    found = solve_circulation(problem, SolveOptions(seed=3))
    assert found.cost == pytest.approx(exact.cost)
    if np.ptp(problem.link_rate) == 0:
        assert solve_crosscheck(problem, SolveOptions()).cost == pytest.approx(exact.cost)
    graph = Graph(problem)
    price, _ = first_prices(graph)
    better = ascend(graph, price, exact.cost if np.isfinite(exact.cost) else 100.0, 20, lambda: False)
    assert certified_bound(graph, better.price) <= exact.cost + 1e-6
    relaxed = ColumnGeneration(graph, SolveOptions()).run(price, lambda: False, SolveOptions)
    assert relaxed.finished
    assert relaxed.bound <= exact.cost + 1e-6 or relaxed.lacking > 0


@EASY
@given(problem=circulations(max_trips=6))
def test_enumerated_rotations_are_all_within_the_limit(problem: Circulation) -> None:
    graph = Graph(problem)
    price, depot_price = first_prices(graph)[0], np.zeros(problem.num_depots)
    pool, complete = enumerate_rotations(graph, price, depot_price, 5.0, 10_000)
    assert complete
    found = {pool.rotation(p) for p in range(pool.size)}
    expected = set()
    for k in graph.used_depots:
        for size in range(1, graph.num_trips + 1):
            for trips in itertools.combinations(range(graph.num_trips), size):
                names = [int(problem.order[i]) for i in trips]
                if problem.rotation_cost(k, names) - price[list(trips)].sum() <= 5.0 - 1e-9:
                    expected.add((k, trips))
    assert expected <= found
    assert (pool.reduced_costs(price, depot_price) <= 5.0 + 1e-6).all()


@EASY
@given(problem=circulations(max_trips=6))
def test_changed_plans_are_rejected(problem: Circulation) -> None:
    found = solve_circulation(problem, SolveOptions())
    if found.plan is None or not found.plan.rotations:
        return
    plan, first = found.plan, found.plan.rotations[0]
    assert verify(problem, plan, found.cost + 1.0)
    assert verify(problem, replace(plan, rotations=plan.rotations[1:]))
    assert verify(problem, replace(plan, rotations=(*plan.rotations, first)))
    assert verify(problem, replace(plan, rotations=(replace(first, depot=9), *plan.rotations[1:])))
    assert verify(problem, replace(plan, skipped=(*plan.skipped, first.trips[0])))
    backwards = replace(first, trips=(*first.trips, first.trips[0]))
    assert verify(problem, replace(plan, rotations=(backwards, *plan.rotations[1:])))


@pytest.mark.skipif(not DATA.exists(), reason="public instances are not on this machine")
@pytest.mark.parametrize("name", ["n50m2s0", "n50m4s2", "n100m4s0"])
def test_public_files_are_proved_at_the_published_optimum(name: str) -> None:
    vehicles, matrix = read_file(DATA / f"{name}.inp.gz")
    problem = problem_of(vehicles, matrix)
    found = solve_circulation(problem, SolveOptions(seed=1))
    assert found.plan is not None
    assert found.proved
    assert priced(vehicles, matrix, found.plan) == found.cost == published()[name][1]
    again = solve_circulation(problem, SolveOptions(seed=1))
    assert again.plan == found.plan
    short = solve_circulation(problem, SolveOptions(time_limit_s=0.01))
    assert short.runtime_s < 2.0
    assert short.bound <= found.cost
    assert short.plan is None or verify(problem, short.plan, short.cost) == ()


def test_a_plan_is_taken_where_there_was_none_before() -> None:
    """A depot without vehicles, a trip that must run, no chain that serves it at first: 15 + 3 + 14 + 1 + 14 = 47."""
    inf = np.inf
    problem = Circulation(
        vehicles=np.array([0, 1]),
        pull_out=np.array([[22.0, inf], [inf, 15.0]]),
        pull_in=np.array([[21.0, 25.0], [14.0, inf]]),
        service=np.array([[19.0, 7.0], [1.0, 3.0]]),
        link_tail=np.array([1]),
        link_head=np.array([0]),
        link_cost=np.array([14.0]),
        link_rate=np.array([1.0, 1.0]),
        skip=np.array([56.0, inf]),
    )
    found = solve_circulation(problem, SolveOptions())
    assert found.cost == 47.0
    assert found.bound == 47.0


@pytest.mark.skipif(not DATA.exists(), reason="the public files are not on this machine")
def test_better_plans_cost_what_they_say_by_the_files_alone() -> None:
    with BETTER.open() as file:
        kept = list(csv.DictReader(file))
    assert kept
    for row in kept:
        rotations = [part.split(":") for part in row["rotations"].split(";")]
        plan = Plan(tuple(Rotation(int(k), tuple(map(int, trips.split("-")))) for k, trips in rotations))
        vehicles, matrix = read_file(DATA / f"{row['instance']}.inp.gz")
        assert priced(vehicles, matrix, plan) == float(row["cost"]) < published()[row["instance"]][1]
        assert float(row["bound"]) <= float(row["cost"])


@settings(deadline=None, max_examples=40)
@given(data=st.data(), depots=st.integers(1, 3), trips=st.integers(1, 5))
def test_the_arcs_of_a_plan_of_some_cost_hold_the_best_one_whatever_the_prices(data, depots: int, trips: int) -> None:
    size = depots + trips
    drawn = st.lists(st.integers(-1, 9), min_size=size * size, max_size=size * size)
    matrix = np.array(data.draw(drawn, label="costs"), dtype=float).reshape(size, size)
    matrix[depots:, depots:][np.tril_indices(trips)] = -1
    vehicles = np.full(depots, trips)
    best = solve_circulation(problem_of(vehicles, matrix), SolveOptions())
    price = np.array(data.draw(st.lists(st.integers(0, 20), min_size=trips, max_size=trips), label="prices"), float)
    depot_price = -np.array(data.draw(st.lists(st.integers(0, 5), min_size=depots, max_size=depots)), float)
    if best.plan is None:
        return
    bound, _, found = compact_optimum(vehicles, matrix, price, depot_price, best.cost, 20.0)
    assert bound <= best.cost + 1e-6
    assert found.objective == pytest.approx(best.cost)
    _, _, cheaper = compact_optimum(vehicles, matrix, price, depot_price, best.cost - 1, 20.0)
    assert cheaper.objective is None or cheaper.objective >= best.cost - 1e-6
