"""The search beside itself: trees that share their nodes, the same plan again, stops in the middle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optimizer.circulation.assemble import Assembler
from optimizer.circulation.branch import Tree
from optimizer.circulation.columns import ColumnGeneration
from optimizer.circulation.engine import solve_circulation
from optimizer.circulation.enumerate import enumerate_rotations
from optimizer.circulation.exact import solve_exact
from optimizer.circulation.graph import Graph
from optimizer.circulation.lockstep import advance
from optimizer.circulation.problem import Circulation
from optimizer.circulation.start import first_prices
from optimizer.circulation.verify import verify
from optimizer.models.family import SolveOptions

GAP = 200.0


def town(seed: int, trips: int, depots: int) -> Circulation:
    """Trips of a day between random places; few vehicles at each depot, so that depots compete for trips."""
    rng = np.random.default_rng(seed)
    begin, end, home = (rng.integers(0, 60, (size, 2)) for size in (trips, trips, depots))
    start = np.sort(rng.integers(0, 600, trips))
    finish = start + 20 + np.abs(begin - end).sum(axis=1)
    way = np.abs(end[:, None] - begin[None]).sum(axis=2)
    wait = start[None] - finish[:, None] - way
    follow = np.where(wait >= 0, 10.0 * way + 2.0 * wait, np.inf)
    out = 500.0 + 10.0 * np.abs(home[:, None] - begin[None]).sum(axis=2)
    back = 500.0 + 10.0 * np.abs(home[:, None] - end[None]).sum(axis=2)
    return Circulation.from_matrices(np.full(depots, 2 + trips // (4 * depots)), out, back, follow)


def tree_of(problem: Circulation, upper: float) -> tuple[Tree, float]:
    """All rotations within GAP of the relaxation, and its bound."""
    graph = Graph(problem)
    relaxed = ColumnGeneration(graph, SolveOptions()).run(first_prices(graph)[0], lambda: False, SolveOptions)
    pool, complete = enumerate_rotations(graph, relaxed.price, relaxed.depot_price, GAP, 100_000)
    assert complete
    tree = Tree(
        pool, np.arange(graph.num_trips), graph.vehicles, relaxed.price, relaxed.depot_price, GAP, upper, 1.0,
        Assembler(graph), SolveOptions(),
    )  # fmt: skip
    return tree, relaxed.bound


def run(tree: Tree, most_nodes: int) -> None:
    advance(iter(lambda: tree.run(lambda: False, most_nodes) or 2**62, None))


@pytest.mark.parametrize(("seed", "trips", "depots"), [(0, 30, 3), (3, 40, 3), (4, 40, 4)])
def test_search_proves_what_the_compact_model_finds_and_finds_it_again(seed: int, trips: int, depots: int) -> None:
    problem = town(seed, trips, depots)
    found = solve_circulation(problem, SolveOptions(seed=seed))
    assert found.proved
    assert found.relaxed is not None
    assert found.relaxed < found.cost - 0.5, "no search was needed"
    assert verify(problem, found.plan, found.cost) == ()
    assert found.cost == pytest.approx(solve_exact(problem, SolveOptions()).cost)
    assert solve_circulation(problem, SolveOptions(seed=seed)).plan == found.plan


def test_two_trees_share_the_nodes_without_losing_any() -> None:
    problem = town(3, 40, 3)
    best = solve_circulation(problem, SolveOptions()).cost
    tree, bound = tree_of(problem, best + 1)
    assert best < bound + GAP
    run(tree, 4)
    assert tree.bound <= best
    twin = tree.twin()
    nodes = len(tree.open_nodes)
    assert nodes > 1
    tree.deal(twin)
    assert nodes == len(tree.open_nodes) + len(twin.open_nodes)
    assert abs(len(tree.open_nodes) - len(twin.open_nodes)) <= 1
    assert min(tree.bound, twin.bound) <= best
    for half in (twin, tree):
        run(half, 10**6)
        assert not half.open_nodes
    assert min(tree.upper, twin.upper) == best


def test_a_node_that_was_stopped_is_still_open() -> None:
    """Stopped while HiGHS runs: a bound of what was not looked at must not be lost."""
    problem = town(3, 40, 3)
    best = solve_circulation(problem, SolveOptions()).cost
    tree, _ = tree_of(problem, best + 1)
    tree._programme._highs.setOptionValue("simplex_iteration_limit", 1)
    asked = itertools.count()
    advance(iter(lambda: tree.run(lambda: next(asked) > 0) or 2**62, None))
    assert tree.bound <= best
    assert len(tree.open_nodes) == 1
    tree._programme._highs.setOptionValue("simplex_iteration_limit", 2**31 - 1)
    run(tree, 10**6)
    assert tree.bound == best == tree.upper
