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
from dataclasses import dataclass

import highspy
import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Floats, Ints
from optimizer.models.family import SolveOptions
from optimizer.solvers.highs import make_highs

FIRST_COLUMNS = 3_000
NEXT_COLUMNS = 1_000
WHOLE = 1e-6
CANDIDATES = 10
RELIABLE = 1
TRIAL_ITERATIONS = 30
LEAST_RISE = 1e-3
SURE = 0.8
DIVE_SHARE = 0.02
LEFT_OUT_FACTOR = 20.0
PLUNGE_UP = 0.5
UNLIMITED = 2**31 - 1
UNLIMITED_WORK = 2**62
START_ITERATIONS = 100
"""Simplex iterations that take as long as starting HiGHS from a basis."""
Decision = tuple[int, int, bool]
"""Trip, depot, whether the trip is done by this depot."""


@dataclass(frozen=True)
class Basis:
    """What is basic at a node: trips left out, rotations of the pool; and the status of the rows."""

    left_out: np.ndarray
    rotations: Ints
    rows: list[highspy.HighsBasisStatus]


Node = tuple[float, int, tuple[Decision, ...], Basis | None]
"""Bound, number, decisions, and the basis to start from; the number is unique, so that nodes are never compared on."""


class Tree:
    """
    The search; ``best`` are the best rotations found over the trips in question, ``upper`` is their cost.

    HiGHS runs in the calling thread, with one thread only.

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
        self.nodes = self.work = 0
        self._price, self._options = price, options
        graph = pool.graph
        self._row = np.full(graph.num_trips, -1, np.int64)
        self._row[trips] = np.arange(trips.size)
        self._matrix = pool.rows()[np.concatenate([trips, graph.num_trips + np.arange(graph.num_depots)])].tocsc()
        self._by_row = self._matrix.tocsr()
        self._reduced = pool.reduced_costs(price, depot_price)
        self._skip = graph.skip[trips]
        self._can_skip = np.isfinite(self._skip)
        self._left_out = np.where(self._can_skip, self._skip, np.maximum(price[trips], 0.0) + LEFT_OUT_FACTOR * limit)
        self._right = np.concatenate([np.ones(trips.size), vehicles.astype(float)])
        self._rises: dict[Decision, list[float]] = {}
        self._open: list[Node] = [(-np.inf, 0, (), None)]
        self._plunge: list[Node] = []
        self._counter = itertools.count(1)
        self._start_programme()

    def _start_programme(self) -> None:
        """The programme of the rotations of least reduced cost."""
        num, depots = self.trips.size, self.pool.graph.num_depots
        self._highs = make_highs(self._options, {"presolve": "off", "simplex_strategy": 1, "threads": 1})
        lower = np.concatenate([np.ones(num), np.full(depots, -highspy.kHighsInf)])
        empty = np.zeros(0, np.int32)
        self._highs.addRows(num + depots, lower, self._right, 0, np.zeros(num + depots, np.int32), empty, np.zeros(0))
        index = np.arange(num, dtype=np.int32)
        self._highs.addCols(
            num, self._left_out, np.zeros(num), np.full(num, highspy.kHighsInf), num, index, index, np.ones(num)
        )
        self._place = np.full(self.pool.size, -1, np.int64)  # of rotations in the programme
        self._columns = np.zeros(0, np.int64)
        self._closed = np.zeros(0, bool)
        self._at: Basis | None = None
        self._add(np.argsort(self._reduced, kind="stable")[:FIRST_COLUMNS])

    def twin(self) -> Tree:
        """A second tree over the same rotations, with a programme of its own and without nodes."""
        other = copy.copy(self)
        other._rises = {decision: list(rises) for decision, rises in self._rises.items()}
        other._open, other._plunge, other.assembler = [], [], Assembler(self.pool.graph)
        other.nodes = other.work = 0
        other._counter = itertools.count(1)
        other._start_programme()
        return other

    def deal(self, other: Tree) -> None:
        """Deal all open nodes out anew, the best ones in turn; both trees together remain the whole search."""
        nodes = sorted((node for tree in (self, other) for node in tree.open_nodes), key=lambda node: node[0])
        for turn, tree in enumerate((self, other)):
            tree._open = [(node[0], next(tree._counter), *node[2:]) for node in nodes[turn::2]]  # sorted is a heap
            tree._plunge = []

    @property
    def open_nodes(self) -> list[Node]:
        """Those that can still hold a better plan."""
        return [node for node in (*self._open, *self._plunge) if node[0] <= self.cutoff]

    @property
    def bound(self) -> float:
        """On plans of the pool's rotations, as far as this tree's nodes go."""
        return min([self.upper, *(node[0] for node in self.open_nodes)])

    def _add(self, new: Ints) -> None:
        part = self._matrix[:, new]
        self._highs.addCols(
            new.size, self.pool.cost[new], np.zeros(new.size), np.full(new.size, highspy.kHighsInf), part.nnz,
            part.indptr[:-1].astype(np.int32), part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        self._place[new] = self._columns.size + np.arange(new.size)
        self._columns = np.concatenate([self._columns, new])
        self._closed = np.concatenate([self._closed, np.zeros(new.size, bool)])

    def _forbidden(self, decisions: tuple[Decision, ...]) -> np.ndarray:
        """Shape (rotations,): those the decisions rule out."""
        out = np.zeros(self.pool.size, bool)
        for trip, depot, done in decisions:
            a, b = self._by_row.indptr[self._row[trip]], self._by_row.indptr[self._row[trip] + 1]
            holding = self._by_row.indices[a:b]
            same = self.pool.depot[holding] == depot
            out[holding[~same if done else same]] = True
        return out

    def _solve(self, decisions: tuple[Decision, ...]) -> tuple[float, Floats, bool]:
        """Bound, values (of the columns in the programme) and whether HiGHS came to an end, at a node."""
        forbidden = self._forbidden(decisions)
        num = self.trips.size
        while True:
            closed = forbidden[self._columns]
            changed = np.flatnonzero(closed != self._closed)
            if changed.size:
                upper = np.where(closed[changed], 0.0, highspy.kHighsInf)
                self._highs.changeColsBounds(
                    changed.size, (num + changed).astype(np.int32), np.zeros(changed.size), upper
                )
                self._closed = closed
            self._run()
            solution = self._highs.getSolution()
            duals = np.array(solution.row_dual)
            duals[num:] = np.minimum(duals[num:], 0.0)
            duals[:num] = np.minimum(duals[:num], self._left_out)
            reduced = self.pool.cost - self._matrix.T @ duals
            reduced[forbidden] = np.inf
            bound = float(duals @ self._right + np.minimum(reduced, 0.0).sum())
            missing = np.flatnonzero((reduced < -1e-7) & (self._place < 0))
            cut_short = self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal
            if not missing.size or bound > self.cutoff or cut_short:
                return bound, np.array(solution.col_value), not cut_short
            self._add(missing[np.argsort(reduced[missing], kind="stable")[:NEXT_COLUMNS]])

    def _run(self) -> None:
        self._highs.run()
        iterations = max(0, self._highs.getInfo().simplex_iteration_count)
        self.work += (START_ITERATIONS + iterations) * self._right.size

    def _basis(self, given: highspy.HighsBasis) -> Basis:
        num = self.trips.size
        basic = np.array([status == highspy.HighsBasisStatus.kBasic for status in given.col_status], bool)
        return Basis(basic[:num], self._columns[basic[num:]], list(given.row_status))

    def _start_from(self, basis: Basis) -> None:
        """Rotations that are not in the programme yet enter it."""
        absent = basis.rotations[self._place[basis.rotations] < 0]
        if absent.size:
            self._add(absent)
        basic = np.concatenate([basis.left_out, np.zeros(self._columns.size, bool)])
        basic[self.trips.size + self._place[basis.rotations]] = True
        statuses = highspy.HighsBasisStatus
        given = highspy.HighsBasis()
        given.col_status = [statuses.kBasic if b else statuses.kLower for b in basic.tolist()]
        given.row_status = basis.rows
        given.valid = True
        self._highs.setBasis(given)

    @property
    def cutoff(self) -> float:
        """Nodes above cannot hold a better plan."""
        return self.upper - self.step + 1e-6 if self.step else self._better

    @property
    def _better(self) -> float:
        """What a plan must cost less than to count as better; any cost while there is no plan."""
        return self.upper - 1e-9 * max(1.0, abs(self.upper)) if np.isfinite(self.upper) else np.inf

    def run(self, stop: Callable[[], bool], most_nodes: int = UNLIMITED, work: int = UNLIMITED_WORK) -> None:
        """Go on until the tree is empty, has ``most_nodes``, so much more work is done or ``stop`` says so."""
        counter, open_nodes, plunge = self._counter, self._open, self._plunge
        last = self.work + work
        while (open_nodes or plunge) and self.nodes < most_nodes and self.work < last and not stop():
            known, _, decisions, basis = node = plunge.pop() if plunge else heapq.heappop(open_nodes)
            if known > self.cutoff:
                continue
            self.nodes += 1
            if basis is not None and basis is not self._at:
                self._start_from(basis)
            self._at = None
            bound, values, optimal = self._solve(decisions)
            if not optimal and stop():
                open_nodes.append(node)  # nothing is known of it
                heapq.heapify(open_nodes)
                return
            bound = max(bound, known)
            if bound > self.cutoff:
                continue
            shares = self._shares(values)
            self._round(shares)
            if bound > self.cutoff:
                continue
            branch = self._choose(shares, bound)
            if branch is None:
                continue
            trip, depot = branch
            up, down = ((bound, next(counter), (*decisions, (trip, depot, done)), self._at) for done in (True, False))
            nearer, other = (up, down) if shares[depot, self._row[trip]] >= PLUNGE_UP else (down, up)
            heapq.heappush(open_nodes, other)
            plunge.append(nearer)

    def dive(self, stop: Callable[[], bool]) -> Iterator[None]:
        """Decide the depots of a few more trips at a time, the surest first, and never look back."""
        decisions: tuple[Decision, ...] = ()
        while not stop():
            bound, values, _ = self._solve(decisions)
            shares = self._shares(values)
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

    def _positive(self, values: Floats) -> tuple[Ints, Floats]:
        """Rotations of the pool in the relaxation, and how much of each."""
        taken = np.flatnonzero(values[self.trips.size :] > 1e-9)
        return self._columns[taken], values[self.trips.size :][taken]

    def _shares(self, values: Floats) -> Floats:
        """Shape (depots, trips in question): how much of each trip each depot does."""
        num, depots = self.trips.size, self.pool.graph.num_depots
        columns, taken = self._positive(values)
        shares = np.zeros((depots, num))
        part = self._matrix[:num, columns]
        rows, lengths = part.indices, np.diff(part.indptr)
        np.add.at(shares, (np.repeat(self.pool.depot[columns], lengths), rows), np.repeat(taken, lengths))
        return shares

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
        basis = self._highs.getBasis()
        self._at = self._basis(basis)
        best: tuple[float, int, int] | None = None
        for at in order:
            depot, trip = int(depots[at]), int(self.trips[places[at]])
            share = float(shares[depot, places[at]])
            gains = []
            for done in (True, False):
                key, distance = (trip, depot, done), 1.0 - share if done else share
                rises = self._rises.setdefault(key, [])
                if len(rises) < RELIABLE:
                    rise = max(0.0, self._try(key, basis) - bound)
                    rises.append(rise / distance)
                    gains.append(rise)
                else:
                    gains.append(float(np.mean(rises)) * distance)
            score = max(gains[0], LEAST_RISE) * max(gains[1], LEAST_RISE)
            if best is None or score > best[0]:
                best = score, trip, depot
        self._highs.setBasis(basis)
        assert best is not None
        return best[1:]

    def _try(self, decision: Decision, basis: highspy.HighsBasis) -> float:
        """Objective after a few iterations with one more decision; no bound, since no rotations enter."""
        holding = self._forbidden((decision,))[self._columns] & ~self._closed
        changed = np.flatnonzero(holding)
        index, zeros = (self.trips.size + changed).astype(np.int32), np.zeros(changed.size)
        self._highs.changeColsBounds(changed.size, index, zeros, zeros)
        self._highs.setOptionValue("simplex_iteration_limit", TRIAL_ITERATIONS)
        self._run()
        value = float(self._highs.getInfo().objective_function_value)
        self._highs.setOptionValue("simplex_iteration_limit", UNLIMITED)
        self._highs.changeColsBounds(changed.size, index, zeros, np.full(changed.size, highspy.kHighsInf))
        self._highs.setBasis(basis)
        return value
