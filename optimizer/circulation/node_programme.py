"""The linear programme of a node: rotations over some trips, under decisions which depot does a trip.

Rotations of the pool enter as their reduced costs turn negative. HiGHS's dual simplex runs in the calling thread, with
one thread only.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import highspy
import numpy as np

from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Floats, Ints
from optimizer.models.family import SolveOptions
from optimizer.solvers.highs import make_highs

FIRST_COLUMNS = 3_000
NEXT_COLUMNS = 1_000
TRIAL_ITERATIONS = 30
UNLIMITED = 2**31 - 1
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


class NodeProgramme:
    """
    Trips once each, or left out at a price; vehicles of depots; rotations as columns.

    Parameters
    ----------
    trips
        In the graph's numbers; the pool's rotations are over these only.
    vehicles
        Shape (depots,).
    left_out
        Shape (trips in question,): what a trip costs that is not done.
    reduced
        Shape (rotations,): those of least reduced cost enter first.

    Attributes
    ----------
    work
        Simplex iterations times rows so far.
    """

    def __init__(
        self, pool: RotationPool, trips: Ints, vehicles: Ints, left_out: Floats, reduced: Floats, options: SolveOptions
    ) -> None:
        self.pool, self.trips = pool, trips
        self._left_out, self._reduced, self._options = left_out, reduced, options
        graph = pool.graph
        self.row = np.full(graph.num_trips, -1, np.int64)
        self.row[trips] = np.arange(trips.size)
        self._right = np.concatenate([np.ones(trips.size), vehicles.astype(float)])
        self._matrix = pool.rows()[np.concatenate([trips, graph.num_trips + np.arange(graph.num_depots)])].tocsc()
        self._by_row = self._matrix.tocsr()
        self._begin()

    def _begin(self) -> None:
        """A programme of the rotations of least reduced cost."""
        num, depots = self.trips.size, self.pool.graph.num_depots
        self.work = 0
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
        self._add(np.argsort(self._reduced, kind="stable")[:FIRST_COLUMNS])

    def another(self) -> NodeProgramme:
        """The same programme once more, as at the beginning."""
        other = copy.copy(self)
        other._begin()
        return other

    def _add(self, new: Ints) -> None:
        part = self._matrix[:, new]
        self._highs.addCols(
            new.size, self.pool.cost[new], np.zeros(new.size), np.full(new.size, highspy.kHighsInf), part.nnz,
            part.indptr[:-1].astype(np.int32), part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        self._place[new] = self._columns.size + np.arange(new.size)
        self._columns = np.concatenate([self._columns, new])
        self._closed = np.concatenate([self._closed, np.zeros(new.size, bool)])

    def forbidden(self, decisions: tuple[Decision, ...]) -> np.ndarray:
        """Shape (rotations,): those the decisions rule out."""
        out = np.zeros(self.pool.size, bool)
        for trip, depot, done in decisions:
            a, b = self._by_row.indptr[self.row[trip]], self._by_row.indptr[self.row[trip] + 1]
            holding = self._by_row.indices[a:b]
            same = self.pool.depot[holding] == depot
            out[holding[~same if done else same]] = True
        return out

    def solve(self, decisions: tuple[Decision, ...], cutoff: float) -> tuple[float, Floats, bool]:
        """Bound, values (of the columns in the programme) and whether HiGHS came to an end, at a node."""
        forbidden = self.forbidden(decisions)
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
            if not missing.size or bound > cutoff or cut_short:
                return bound, np.array(solution.col_value), not cut_short
            self._add(missing[np.argsort(reduced[missing], kind="stable")[:NEXT_COLUMNS]])

    def _run(self) -> None:
        self._highs.run()
        iterations = max(0, self._highs.getInfo().simplex_iteration_count)
        self.work += (START_ITERATIONS + iterations) * self._right.size

    def basis(self) -> Basis:
        """That of the last solution, from which trials then start."""
        self._trial_basis = given = self._highs.getBasis()
        num = self.trips.size
        basic = np.array([status == highspy.HighsBasisStatus.kBasic for status in given.col_status], bool)
        return Basis(basic[:num], self._columns[basic[num:]], list(given.row_status))

    def start_from(self, basis: Basis) -> None:
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

    def _positive(self, values: Floats) -> tuple[Ints, Floats]:
        """Rotations of the pool in the relaxation, and how much of each."""
        taken = np.flatnonzero(values[self.trips.size :] > 1e-9)
        return self._columns[taken], values[self.trips.size :][taken]

    def shares(self, values: Floats) -> Floats:
        """Shape (depots, trips in question): how much of each trip each depot does."""
        num, depots = self.trips.size, self.pool.graph.num_depots
        columns, taken = self._positive(values)
        shares = np.zeros((depots, num))
        part = self._matrix[:num, columns]
        rows, lengths = part.indices, np.diff(part.indptr)
        np.add.at(shares, (np.repeat(self.pool.depot[columns], lengths), rows), np.repeat(taken, lengths))
        return shares

    def attempt(self, decision: Decision) -> float:
        """Objective after a few iterations with one more decision; no bound, since no rotations enter."""
        holding = self.forbidden((decision,))[self._columns] & ~self._closed
        changed = np.flatnonzero(holding)
        index, zeros = (self.trips.size + changed).astype(np.int32), np.zeros(changed.size)
        self._highs.changeColsBounds(changed.size, index, zeros, zeros)
        self._highs.setOptionValue("simplex_iteration_limit", TRIAL_ITERATIONS)
        self._run()
        value = float(self._highs.getInfo().objective_function_value)
        self._highs.setOptionValue("simplex_iteration_limit", UNLIMITED)
        self._highs.changeColsBounds(changed.size, index, zeros, np.full(changed.size, highspy.kHighsInf))
        self._highs.setBasis(self._trial_basis)
        return value
