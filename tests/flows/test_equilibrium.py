"""User equilibrium: by hand, against SciPy, against its own bound, and as the limit of the stochastic equilibrium."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from benchmarks.traffic_assignment import DATA, frank_wolfe, read_network, stochastic_limit
from optimizer.flows.equilibrium.delay import DelayFunctions
from optimizer.flows.equilibrium.deterministic import TrafficAssignment, UserEquilibrium, user_equilibrium
from optimizer.models.family import SolveOptions


def network(
    nodes: int, links: list[tuple[int, int, float, float, float]], trips: list[tuple[int, int, float]], **more: Any
) -> TrafficAssignment:
    """Links (tail, head, hours without load, rise, capacity), power 4 unless told; trips (from, to, many)."""
    table, wanted = np.array(links, dtype=float), np.array(trips, dtype=float).reshape(-1, 3)
    power = more.pop("power", 4.0)
    return TrafficAssignment(
        nodes, table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), more.pop("toll", np.zeros(len(links))),
        DelayFunctions(table[:, 2], table[:, 3], table[:, 4], np.full(len(links), power)),
        wanted[:, 0].astype(np.int64), wanted[:, 1].astype(np.int64), wanted[:, 2], **more,
    )  # fmt: skip


BRAESS = [(0, 1, 1e-9, 1e9, 0.1), (0, 2, 50.0, 1 / 50, 1.0), (1, 2, 10.0, 0.1, 1.0), (1, 3, 50.0, 1 / 50, 1.0),
          (2, 3, 1e-9, 1e9, 0.1)]  # fmt: skip
"""Hours 10 x, 50 + x, 10 + x, 50 + x, 10 x; Braess, Unternehmensforschung 12, 1968."""


def check(problem: TrafficAssignment, found: UserEquilibrium) -> None:
    """Every demand is served by connected routes whose flows add up to the loads."""
    assert found.bound <= found.objective * (1 + 1e-12)
    assert found.objective == pytest.approx(problem.objective(found.load), rel=1e-9)
    load, served = np.zeros(len(problem.tail)), np.zeros(len(problem.quantity))
    for route, (demand, flow) in enumerate(zip(found.demand, found.flow, strict=True)):
        links = found.link[found.start[route] : found.start[route + 1]]
        assert flow > 0
        assert problem.tail[links[0]] == problem.origin[demand]
        assert problem.head[links[-1]] == problem.destination[demand]
        assert np.array_equal(problem.head[links[:-1]], problem.tail[links[1:]])
        if problem.may_pass is not None:
            assert problem.may_pass[problem.head[links[:-1]]].all()
        load[links] += flow
        served[demand] += flow
    assert load == pytest.approx(found.load, rel=1e-9, abs=1e-9)
    assert served == pytest.approx(np.where(problem.origin == problem.destination, 0, problem.quantity), rel=1e-9)


def test_the_paradox_of_braess() -> None:
    problem = network(4, BRAESS, [(0, 3, 6.0)], power=1.0)
    found = user_equilibrium(problem, SolveOptions())
    check(problem, found)
    assert found.load == pytest.approx([4, 2, 2, 2, 4], abs=1e-6)
    assert sorted(found.flow) == pytest.approx([2, 2, 2], abs=1e-6)
    assert found.cost @ found.load == pytest.approx(6 * 92, rel=1e-6)
    assert found.gap <= 1e-12
    without = network(4, BRAESS[:2] + BRAESS[3:], [(0, 3, 6.0)], power=1.0)
    found = user_equilibrium(without, SolveOptions())
    assert found.cost @ found.load == pytest.approx(6 * 83, rel=1e-6)


def test_zones_are_not_passed() -> None:
    links = [(0, 1, 1.0, 0.0, 1.0), (1, 2, 1.0, 0.0, 1.0), (0, 3, 5.0, 0.0, 1.0), (3, 2, 5.0, 0.0, 1.0)]
    trips = [(0, 2, 7.0), (1, 2, 2.0)]
    assert user_equilibrium(network(4, links, trips), SolveOptions()).load == pytest.approx([7, 9, 0, 0])
    held = network(4, links, trips, may_pass=np.array([False, False, False, True]))
    found = user_equilibrium(held, SolveOptions())
    check(held, found)
    assert found.load == pytest.approx([0, 2, 7, 7])


def test_parallel_links_are_links_of_their_own() -> None:
    problem = network(2, [(0, 1, 1.0, 1.0, 2.0), (0, 1, 1.0, 1.0, 4.0)], [(0, 1, 6.0)])
    found = user_equilibrium(problem, SolveOptions())
    check(problem, found)
    assert found.load == pytest.approx([2.0, 4.0], rel=1e-6)


def test_trips_that_stay_and_no_trips() -> None:
    problem = network(2, [(0, 1, 1.0, 1.0, 2.0)], [(0, 0, 3.0), (0, 1, 0.0)])
    found = user_equilibrium(problem, SolveOptions())
    assert found.objective == 0
    assert found.flow.size == 0


def test_no_route_is_told_with_its_nodes() -> None:
    problem = network(3, [(0, 1, 1.0, 1.0, 2.0)], [(0, 1, 1.0), (0, 2, 1.0)])
    with pytest.raises(ValueError, match="no route for 1 demands, from node 0 to 2"):
        user_equilibrium(problem, SolveOptions())


def drawn(seed: int, demands: int = 4) -> TrafficAssignment:
    """A ring of six nodes, so that every trip has a route, and some more links, of them one parallel."""
    random = np.random.default_rng(seed)
    ring = [(node, (node + 1) % 6) for node in range(6)]
    pairs = ring + [tuple(random.choice(6, 2, replace=False)) for _ in range(7)] + ring[:1]
    links = [
        (int(a), int(b), random.uniform(1, 5), random.choice([0.0, 0.15, 1.0]), random.uniform(1, 6)) for a, b in pairs
    ]
    trips = [(int(a), int(b), random.uniform(0.5, 6)) for a, b in (random.choice(6, 2, False) for _ in range(demands))]
    return network(6, links, trips, power=random.choice([1.0, 2.5, 4.0]), toll=random.uniform(0, 1, len(links)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_objective_against_a_general_solver(seed: int) -> None:
    problem = drawn(seed)
    found = user_equilibrium(problem, SolveOptions(gap=1e-11))
    check(problem, found)
    assert found.gap <= 1e-9
    links, demands = len(problem.tail), len(problem.quantity)
    balance = np.zeros((6, links))
    balance[problem.tail, np.arange(links)] += 1
    balance[problem.head, np.arange(links)] -= 1
    rows = np.kron(np.eye(demands), balance[:-1])
    right = np.zeros((demands, 6))
    right[np.arange(demands), problem.origin] += problem.quantity
    right[np.arange(demands), problem.destination] -= problem.quantity

    def total(flow: np.ndarray) -> np.ndarray:
        return np.maximum(flow.reshape(demands, links).sum(axis=0), 0)

    other = minimize(
        lambda flow: problem.objective(total(flow)), np.ones(links * demands),
        jac=lambda flow: np.tile(problem.costs(total(flow)), demands), method="SLSQP",
        bounds=[(0, None)] * rows.shape[1],
        constraints={"type": "eq", "fun": lambda x: rows @ x - right[:, :-1].ravel(), "jac": lambda _: rows},
        options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    if other.success:
        assert found.objective <= other.fun * (1 + 1e-5)
        assert other.fun >= found.bound * (1 - 1e-5)


def test_every_pass_has_a_bound_and_more_passes_a_better_one() -> None:
    problem, seen = drawn(5, 12), []
    best = user_equilibrium(problem, SolveOptions())
    user_equilibrium(problem, SolveOptions(), on_pass=lambda *figures: seen.append(figures))
    assert [figures[0] for figures in seen] == list(range(1, best.passes + 1))
    for _, objective, bound in seen:
        assert bound <= best.objective * (1 + 1e-12)
        assert objective >= best.bound * (1 - 1e-12)
    assert all(later[2] >= earlier[2] for earlier, later in itertools.pairwise(seen))


def test_limits_give_what_is_there() -> None:
    problem = drawn(5, 12)
    first = user_equilibrium(problem, SolveOptions(), max_passes=1)
    assert first.passes == 1
    check(problem, first)
    stop = threading.Event()
    stop.set()
    check(problem, user_equilibrium(problem, SolveOptions(stop=stop)))


def test_threads_change_nothing() -> None:
    problem = drawn(9, 20)
    one, two = (user_equilibrium(problem, SolveOptions(), threads=threads) for threads in (1, 2))
    assert np.array_equal(one.load, two.load)
    assert one.bound == two.bound


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("quantity", np.array([-1.0]), "quantity must not lie below zero"),
        ("origin", np.array([4]), "origin must hold nodes from 0 to 1"),
        ("toll", np.array([np.nan]), "toll must hold 1 finite numbers"),
        ("destination", np.array([1, 1]), "destination must hold 1 finite numbers"),
        ("may_pass", np.ones(3, bool), "may_pass must hold 2 flags"),
        ("delays", DelayFunctions(*np.array([[1.0], [1.0], [0.0], [1.0]])), "capacity must lie above zero"),
    ],
)
def test_numbers_out_of_range(field: str, value: Any, words: str) -> None:
    problem = network(2, [(0, 1, 1.0, 1.0, 2.0)], [(0, 1, 1.0)])
    with pytest.raises(ValueError, match=words):
        replace(problem, **{field: value})


def test_the_stochastic_equilibrium_comes_near_as_its_scale_grows() -> None:
    problem = drawn(3, 6)
    found = user_equilibrium(problem, SolveOptions())
    above = [stochastic_limit(problem, found, scale) / found.objective - 1 for scale in (1.0, 30.0, 1000.0)]
    assert above[0] > above[1] > above[2] >= -1e-12
    assert above[2] < 1e-4


TNTP_NET = """<NUMBER OF NODES> 3
<FIRST THRU NODE> 3
<END OF METADATA>
~ init term capacity length free b power speed toll type ;
1 3 2 1 4 0.5 4 0 0 1 ;
3 2 2 1 6 0.5 0 0 0 1 ;
"""


def test_files_of_public_networks(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "toy_net.tntp.gz").write_bytes(gzip.compress(TNTP_NET.encode()))
    trips = "<TOTAL OD FLOW> 3.5\n<END OF METADATA>\nOrigin 1\n 2 : 3.5; 1 : 1.0;\n"
    (tmp_path / "toy_trips.tntp.gz").write_bytes(gzip.compress(trips.encode()))
    problem = read_network(tmp_path, "toy")
    assert problem.quantity == pytest.approx([3.5, 1.0])
    assert problem.may_pass is not None
    assert problem.may_pass.tolist() == [False, False, True]
    assert problem.costs(np.array([2.0, 2.0])) == pytest.approx([6.0, 9.0])


@pytest.mark.skipif(not DATA.exists(), reason="the public networks are not beside the checkout")
def test_published_objectives() -> None:
    for name, published in (("SiouxFalls", 4231335.287107440), ("Winnipeg", 827911.494629963)):
        problem = read_network(DATA, name)
        found = user_equilibrium(problem, SolveOptions(gap=1e-8))
        assert found.objective == pytest.approx(published, rel=1e-7)
        assert found.bound == pytest.approx(published, rel=1e-7)
        other, bound, _ = frank_wolfe(problem, 0.5)
        assert bound <= published <= other * (1 + 1e-9)
