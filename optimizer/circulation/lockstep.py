"""The search beside itself: two lanes on two threads, a barrier after equal work in each.

The first lane is branch and bound over all rotations near the prices. The second dives for a first plan, improves it
(:mod:`improve`), and when no neighbourhood helps any more takes half of the tree. Lanes tell each other of plans only
at the barriers, and work is counted in simplex iterations times rows, so that the outcome does not depend on which
thread is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import highspy

from optimizer.circulation.assemble import Rotations
from optimizer.circulation.branch import Tree
from optimizer.circulation.improve import Improver

QUANTUM = 2_500_000
"""Work of a lane between barriers: half a second or so."""
UNEVEN = 4
"""Nodes are dealt anew when one tree has more than so many times as many as the other."""
SAME = 1e-9
"""Relative difference of costs that is none."""


class Lockstep:
    """
    The search from a plan (or none, of infinite cost) of rotations near the prices.

    Parameters
    ----------
    tree
        All rotations to look at, not begun.
    improver
        Makes the search around a plan.
    """

    def __init__(
        self, tree: Tree, improver: Callable[[float, Rotations], Improver], plan: Rotations | None,
        stop: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.cost, self.plan = tree.upper, plan
        self._trees, self._diver = [tree], tree.twin()
        self._make_improver, self._stop = improver, stop
        self._improver: Improver | None = None

    @property
    def bound(self) -> float:
        """On plans of the tree's rotations."""
        return min(tree.bound for tree in self._trees)

    def run(self, at_barrier: Callable[[], None]) -> None:
        """Search until the tree is empty or ``stop`` says so; plan, cost and bound are up to date at each barrier."""
        finder = self._find()
        with ThreadPoolExecutor(2) as workers:
            while not self._stop() and any(tree.open_nodes for tree in self._trees):
                lanes = [self._branch(tree) for tree in self._trees]
                if len(lanes) == 1:
                    lanes.append(finder)
                *_, ended = workers.map(advance, lanes)
                self._exchange()
                at_barrier()
                if len(self._trees) == 1 and ended:
                    self._trees.append(self._diver)
                if len(self._trees) == 2:
                    self._balance()

    def _branch(self, tree: Tree) -> Iterator[int]:
        tree.run(self._stop, work=QUANTUM)
        yield QUANTUM

    def _find(self) -> Iterator[int]:
        """Work of each step of diving and improving."""
        spent = self._diver.work
        for _ in self._diver.dive(self._stop):
            yield self._diver.work - spent
            spent = self._diver.work
        cost, plan = self.cost, self.plan
        if self._diver.best is not None and self._diver.upper <= cost:
            cost, plan = self._diver.upper, self._diver.best
        if plan is not None and not self._stop():
            self._improver = self._make_improver(cost, plan)
            yield from self._improver.run(self._stop)

    def _exchange(self) -> None:
        """The best plan of any lane becomes that of all."""
        trees = {id(tree): tree for tree in (*self._trees, self._diver)}.values()
        found = [(tree.upper, tree.best) for tree in trees]
        if self._improver is not None:
            found.append((self._improver.cost, self._improver.plan))
        for cost, plan in found:
            if plan is not None and not cost >= self.cost - SAME * max(1.0, abs(cost)):
                self.cost, self.plan = cost, plan
        for tree in trees:
            tree.upper = min(tree.upper, self.cost)
        if self._improver is not None and self.cost < self._improver.cost and self.plan is not None:
            self._improver.cost, self._improver.plan = self.cost, self.plan

    def _balance(self) -> None:
        fewer, more = sorted(len(tree.open_nodes) for tree in self._trees)
        if more > UNEVEN * max(1, fewer):
            self._trees[0].deal(self._trees[1])


def advance(lane: Iterator[int]) -> bool:
    """Run a lane for its quantum; whether it came to its end. The trees within run HiGHS with one thread."""
    highspy.Highs.resetThreadScheduler(False)
    spent = 0
    for work in lane:
        spent += work
        if spent >= QUANTUM:
            return False
    return True
