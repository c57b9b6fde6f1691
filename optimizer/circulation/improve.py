"""Large neighbourhoods: all rotations of some depots are planned anew by branch and bound, the others stay.

Plans for several depots differ by long exchanges along rotations, so that freeing a few rotations gains nothing, while
freeing some depots does (measured on public instances; see docs/circulation.md). Sets of depots grow when the smaller
ones no longer help, in the manner of variable neighbourhood search (Hansen and Mladenovic, EJOR 130, 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.branch import Tree
from optimizer.circulation.enumerate import widest_rotations
from optimizer.circulation.graph import Graph
from optimizer.circulation.problem import Floats
from optimizer.models.family import SolveOptions

NODES = 40
MOST_ROTATIONS = 15_000
FIRST_LIMIT = 0.1
SETS_OF_A_SIZE = 20
"""Sets of depots tried in vain before sets of one more."""


class Improver:
    """Search around plans; ``gap`` bounds what rotations of a better plan can cost above the prices."""

    def __init__(
        self, graph: Graph, price: Floats, depot_price: Floats, gap: float, step: float, assembler: Assembler,
        options: SolveOptions,
    ) -> None:  # fmt: skip
        self.graph, self.price, self.depot_price, self.gap = graph, price, depot_price, gap
        self.step, self.assembler, self.options = step, assembler, options
        self._rng = np.random.default_rng(options.seed)

    def run(self, plan: Rotations, stop: Callable[[], bool], accept: Callable[[float, Rotations], None]) -> Rotations:
        """A plan that no set of depots tried improves; ``accept`` gets what is saved, and each better plan."""
        depots = self.graph.used_depots
        for size in range(2, len(depots)):
            in_vain = 0
            while in_vain < SETS_OF_A_SIZE and not stop():
                sets = list(combinations(depots, size))
                for at in self._rng.permutation(len(sets))[:SETS_OF_A_SIZE]:
                    saved, better = self.round(plan, set(sets[at]), stop)
                    in_vain += 1
                    if saved > 0:
                        plan, in_vain = better, 0
                        accept(saved, plan)
                    if stop() or in_vain >= SETS_OF_A_SIZE:
                        break
                if len(sets) <= SETS_OF_A_SIZE and in_vain >= len(sets):
                    break
        return plan

    def round(self, plan: Rotations, depots: set[int], stop: Callable[[], bool]) -> tuple[float, Rotations]:
        """Plan the trips of some depots, and those left out, anew; returns what it saves, and the plan."""
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
        skipped = inside.copy()
        for _, trips in freed:
            skipped[list(trips)] = False
        allowed = np.zeros((graph.num_depots, graph.num_trips), bool)
        allowed[np.ix_(np.array(sorted(depots)), inside)] = True
        first = max(1e-6 * abs(self.gap), FIRST_LIMIT * self.gap)
        pool, limit = widest_rotations(graph, self.price, self.depot_price, first, self.gap, MOST_ROTATIONS, allowed)
        if not pool.size:
            return 0.0, plan
        cost = self._cost(freed) + float(graph.skip[skipped].sum())
        tree = Tree(
            pool, np.flatnonzero(inside), vehicles, self.price, self.depot_price, limit, cost, self.step,
            self.assembler, self.options,
        )  # fmt: skip
        found = tree.run(NODES, stop, lambda *_: None)
        if found.rotations is None:
            return 0.0, plan
        return cost - found.cost, kept + found.rotations

    def _cost(self, rotations: Rotations) -> float:
        depot = np.array([k for k, _ in rotations], np.int64)
        start = np.cumsum([0, *(len(trips) for _, trips in rotations)])
        trips = np.array([i for _, trips in rotations for i in trips], np.int64)
        return float(self.graph.rotation_costs(depot, start, trips).sum())
