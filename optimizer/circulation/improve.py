"""Large neighbourhoods: all rotations of some depots are planned anew by branch and bound, the others stay.

Plans for several depots differ by long exchanges along rotations, so that freeing a few rotations gains nothing, while
freeing some depots does (measured on public instances; see docs/circulation.md). Sets of depots grow when the smaller
ones no longer help, in the manner of variable neighbourhood search (Hansen and Mladenovic, EJOR 130, 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import combinations

import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.branch import Tree
from optimizer.circulation.enumerate import widest_rotations
from optimizer.circulation.graph import Graph
from optimizer.circulation.problem import Floats
from optimizer.models.family import SolveOptions

NODES = 40
STEP_WORK = 500_000
LISTING_WORK = 100_000
"""Work as of trees that takes as long as listing the rotations of a set of depots."""
MOST_ROTATIONS = 15_000
FIRST_LIMIT = 0.1
SETS_OF_A_SIZE = 20
"""Sets of depots tried in vain before sets of one more."""


class Improver:
    """
    Search around ``plan`` of ``cost``; between two steps both may be replaced by a better plan of other origin.

    ``bound`` is that of the prices, so that the rotations of a better plan are within their difference.
    """

    def __init__(
        self, graph: Graph, price: Floats, depot_price: Floats, bound: float, step: float,
        options: SolveOptions, cost: float, plan: Rotations,
    ) -> None:  # fmt: skip
        self.graph, self.price, self.depot_price, self.bound = graph, price, depot_price, bound
        self.step, self.assembler, self.options = step, Assembler(graph), options
        self.cost, self.plan = cost, plan
        self._rng = np.random.default_rng(options.seed)
        self._in_vain: dict[tuple[int, ...], bytes] = {}
        """Trips of sets of depots when they were last planned anew without gain."""

    def run(self, stop: Callable[[], bool]) -> Iterator[int]:
        """
        Improve the plan until no set of depots tried improves it.

        Yields the work of each short step, to be resumed or not.
        """
        depots = self.graph.used_depots
        improved = True
        while improved and not stop():
            improved = False
            for size in range(2, len(depots)):
                sets = list(combinations(depots, size))
                in_vain = 0
                while in_vain < min(SETS_OF_A_SIZE, len(sets)):
                    for at in self._rng.permutation(len(sets)):
                        saved = yield from self._round(sets[at], stop)
                        if stop():
                            return
                        in_vain = 0 if saved > 0 else in_vain + 1
                        improved |= saved > 0
                        if in_vain >= SETS_OF_A_SIZE:
                            break

    def _round(self, depots: tuple[int, ...], stop: Callable[[], bool]) -> Generator[int, None, float]:
        """Plan the trips of some depots, and those left out, anew; returns what it saves."""
        plan = self.plan
        graph = self.graph
        inside = np.ones(graph.num_trips, bool)
        vehicles = graph.vehicles.copy()
        freed: Rotations = []
        kept: Rotations = []
        for depot, trips in plan:
            if depot in depots:
                freed.append((depot, trips))
            else:
                kept.append((depot, trips))
                inside[list(trips)] = False
                vehicles[depot] -= 1
        if self._in_vain.get(depots) == inside.tobytes():
            return 0.0
        skipped = inside.copy()
        for _, trips in freed:
            skipped[list(trips)] = False
        allowed = np.zeros((graph.num_depots, graph.num_trips), bool)
        allowed[np.ix_(np.array(depots), inside)] = True
        gap = self.cost - self.bound
        first = max(1e-6 * abs(gap), FIRST_LIMIT * gap)
        pool, limit = widest_rotations(graph, self.price, self.depot_price, first, gap, MOST_ROTATIONS, allowed)
        if not pool.size:
            return 0.0
        cost = self._cost(freed) + float(graph.skip[skipped].sum())
        tree = Tree(
            pool, np.flatnonzero(inside), vehicles, self.price, self.depot_price, limit, cost, self.step,
            self.assembler, self.options,
        )  # fmt: skip
        spent = -LISTING_WORK
        while tree.open_nodes and tree.nodes < NODES and not stop():
            tree.run(stop, NODES, STEP_WORK)
            yield tree.work - spent
            spent = tree.work
        if tree.best is None:
            if not stop():
                self._in_vain[depots] = inside.tobytes()
            return 0.0
        if plan is self.plan:
            self.cost, self.plan = self.cost + tree.upper - cost, kept + tree.best
        return cost - tree.upper

    def _cost(self, rotations: Rotations) -> float:
        depot = np.array([k for k, _ in rotations], np.int64)
        start = np.cumsum([0, *(len(trips) for _, trips in rotations)])
        trips = np.array([i for _, trips in rotations for i in trips], np.int64)
        return float(self.graph.rotation_costs(depot, start, trips).sum())
