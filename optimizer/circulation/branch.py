"""Branch and bound over a complete set of rotations: at which depot is each trip?

Once every trip has its depot, each depot is one assignment (:mod:`assemble`), so branching on pairs of trip and depot
is enough. Nodes are linear programmes over rotations with cuts; rotations enter as their reduced costs turn negative.
The tree plunges towards shares near one and otherwise takes the node of least bound. Every node is also rounded.
Work is counted in simplex iterations times rows, so that trees can be run side by side (:mod:`lockstep`).
"""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.node_programme import Basis, Decision, NodeProgramme
from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Floats, Ints
from optimizer.models.family import SolveOptions

WHOLE = 1e-6
CANDIDATES = 10
RELIABLE = 1
LEAST_RISE = 1e-3
SURE = 0.8
DIVE_SHARE = 0.02
LEFT_OUT_FACTOR = 20.0
PLUNGE_UP = 0.5
UNLIMITED = 2**62
Node = tuple[float, int, tuple[Decision, ...], Basis | None]
"""Bound, number, decisions, and the basis to start from; the number is unique, so that nodes are never compared on."""


class Tree:
    """
    The search; ``best`` are the best rotations found over the trips in question, ``upper`` is their cost.

    Parameters
    ----------
    pool
        Rotations over ``trips`` only.
    trips
        Trips to be done once (or left out where ``skip`` allows), in the graph's numbers.
    vehicles
        Shape (depots,).
    price, depot_price
        Prices under which the pool is complete; they choose the first columns.
    limit
        Reduced cost up to which the pool is complete; what is left out costs much more.
    upper
        Cost of the plan to beat.
    step
        1.0 where costs are whole numbers, so that bounds may be rounded up; else 0.0.
    """

    def __init__(
        self, pool: RotationPool, trips: Ints, vehicles: Ints, price: Floats, depot_price: Floats, limit: float,
        upper: float, step: float, assembler: Assembler, options: SolveOptions,
    ) -> None:  # fmt: skip
        self.pool, self.trips, self.vehicles = pool, trips, vehicles
        self.upper, self.step, self.assembler = upper, step, assembler
        self.best: Rotations | None = None
        self.nodes = 0
        self._skip = pool.graph.skip[trips]
        self._can_skip = np.isfinite(self._skip)
        left_out = np.where(self._can_skip, self._skip, np.maximum(price[trips], 0.0) + LEFT_OUT_FACTOR * limit)
        reduced = pool.reduced_costs(price, depot_price)
        self._programme = NodeProgramme(pool, trips, vehicles, left_out, reduced, options)
        self._at: Basis | None = None
        self._rises: dict[Decision, list[float]] = {}
        self._open: list[Node] = [(-np.inf, 0, (), None)]
        self._plunge: list[Node] = []
        self._counter = itertools.count(1)

    def twin(self) -> Tree:
        """A second tree over the same rotations, with a programme of its own and without nodes."""
        other = copy.copy(self)
        other._rises = {decision: list(rises) for decision, rises in self._rises.items()}
        other._open, other._plunge, other.assembler = [], [], Assembler(self.pool.graph)
        other.nodes, other._counter = 0, itertools.count(1)
        other._programme, other._at = self._programme.another(), None
        return other

    def deal(self, other: Tree) -> None:
        """Deal all open nodes out anew, the best ones in turn; both trees together remain the whole search."""
        nodes = sorted((node for tree in (self, other) for node in tree.open_nodes), key=lambda node: node[0])
        for turn, tree in enumerate((self, other)):
            tree._open = [(node[0], next(tree._counter), *node[2:]) for node in nodes[turn::2]]  # sorted is a heap
            tree._plunge = []

    @property
    def work(self) -> int:
        """Simplex iterations times rows so far."""
        return self._programme.work

    @property
    def open_nodes(self) -> list[Node]:
        """Those that can still hold a better plan."""
        return [node for node in (*self._open, *self._plunge) if node[0] <= self.cutoff]

    @property
    def bound(self) -> float:
        """On plans of the pool's rotations, as far as this tree's nodes go."""
        return min([self.upper, *(node[0] for node in self.open_nodes)])

    @property
    def cutoff(self) -> float:
        """Nodes above cannot hold a better plan."""
        return self.upper - self.step + 1e-6 if self.step else self._better

    @property
    def _better(self) -> float:
        """What a plan must cost less than to count as better; any cost while there is no plan."""
        return self.upper - 1e-9 * max(1.0, abs(self.upper)) if np.isfinite(self.upper) else np.inf

    def run(self, stop: Callable[[], bool], most_nodes: int = UNLIMITED, work: int = UNLIMITED) -> None:
        """Go on until the tree is empty, has ``most_nodes``, so much more work is done or ``stop`` says so."""
        counter, open_nodes, plunge = self._counter, self._open, self._plunge
        last = self.work + work
        while (open_nodes or plunge) and self.nodes < most_nodes and self.work < last and not stop():
            known, _, decisions, basis = node = plunge.pop() if plunge else heapq.heappop(open_nodes)
            if known > self.cutoff:
                continue
            self.nodes += 1
            if basis is not None and basis is not self._at:
                self._programme.start_from(basis)
            self._at = None
            bound, values, optimal = self._programme.solve(decisions, self.cutoff)
            if not optimal and stop():
                open_nodes.append(node)  # nothing is known of it
                heapq.heapify(open_nodes)
                return
            bound = max(bound, known)
            if bound > self.cutoff:
                continue
            shares = self._programme.shares(values)
            self._round(shares)
            if bound > self.cutoff:
                continue
            branch = self._choose(shares, bound)
            if branch is None:
                continue
            trip, depot = branch
            up, down = ((bound, next(counter), (*decisions, (trip, depot, done)), self._at) for done in (True, False))
            nearer, other = (up, down) if shares[depot, self._programme.row[trip]] >= PLUNGE_UP else (down, up)
            heapq.heappush(open_nodes, other)
            plunge.append(nearer)

    def dive(self, stop: Callable[[], bool]) -> Iterator[None]:
        """Decide the depots of a few more trips at a time, the surest first, and never look back."""
        decisions: tuple[Decision, ...] = ()
        while not stop():
            bound, values, _ = self._programme.solve(decisions, self.cutoff)
            shares = self._programme.shares(values)
            self._round(shares)
            yield
            surest = shares.max(axis=0)
            fractional = np.flatnonzero((surest > WHOLE) & (surest < 1.0 - WHOLE))
            if not fractional.size or bound > self.cutoff:
                return
            order = fractional[np.argsort(-surest[fractional], kind="stable")]
            sure = min(int((surest[order] > SURE).sum()), int(DIVE_SHARE * self.trips.size))
            for at in order[: max(1, sure)]:
                decisions += ((int(self.trips[at]), int(shares[:, at].argmax()), True),)

    def _round(self, shares: Floats) -> None:
        """Give every trip to the depot that does most of it."""
        depot_of = np.full(self.pool.graph.num_trips, -1, np.int64)
        left_out = 1.0 - shares.sum(axis=0)
        chosen = shares.argmax(axis=0)
        skipped = self._can_skip & (left_out > shares.max(axis=0))
        depot_of[self.trips] = np.where(skipped, -1, chosen)
        cost, rotations = self.assembler.plan(depot_of, self.vehicles)
        cost += float(self._skip[skipped].sum())
        if cost < self._better:
            self.upper, self.best = cost, rotations

    def _choose(self, shares: Floats, bound: float) -> tuple[int, int] | None:
        """
        Trip and depot to decide; None when every trip has its depot.

        Candidates are the shares nearest to one half, one of each kind: trips that move together share alike. Those
        not tried before are tried by a few dual simplex iterations (strong branching), the rest are guessed from
        earlier rises (Achterberg, Koch and Martin, Operations Research Letters 33, 2005).
        """
        fraction = np.minimum(shares, 1.0 - shares)
        if fraction.max(initial=0.0) <= WHOLE:
            return None
        depots, places = np.nonzero(fraction > WHOLE)
        kinds = np.unique(np.round(np.vstack([shares[:, places], depots]), 6), axis=1, return_index=True)[1]
        order = kinds[np.argsort(-fraction[depots[kinds], places[kinds]], kind="stable")][:CANDIDATES]
        self._at = self._programme.basis()
        best: tuple[float, int, int] | None = None
        for at in order:
            depot, trip = int(depots[at]), int(self.trips[places[at]])
            share = float(shares[depot, places[at]])
            gains = []
            for done in (True, False):
                key, distance = (trip, depot, done), 1.0 - share if done else share
                rises = self._rises.setdefault(key, [])
                if len(rises) < RELIABLE:
                    rise = max(0.0, self._programme.attempt(key) - bound)
                    rises.append(rise / distance)
                    gains.append(rise)
                else:
                    gains.append(float(np.mean(rises)) * distance)
            score = max(gains[0], LEAST_RISE) * max(gains[1], LEAST_RISE)
            if best is None or score > best[0]:
                best = score, trip, depot
        assert best is not None
        return best[1:]
