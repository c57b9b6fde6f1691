"""The linear relaxation to its optimum: column generation over rotations with smoothed prices.

The restricted programme is solved by HiGHS's primal simplex from the last basis. Prices are drawn towards those of the
best bound (Wentges, International Transactions in Operational Research 4, 1997); rotations come from labels, many at a
time. The bound of prices pi and depot prices sigma <= 0 is

    sum pi_i + sum vehicles_k * (sigma_k + min(0, cheapest rotation of k - sigma_k)),    pi_i <= skip_i.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np

from optimizer.circulation.graph import Graph
from optimizer.circulation.kernels import cheap_rotations
from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Floats
from optimizer.models.family import SolveOptions
from optimizer.solvers.highs import make_highs, run_highs

PER_DEPOT = 60
SMOOTHING = 0.8
CLOSE = 1e-7
"""Relative difference between relaxation and bound that ends the column generation."""
PRIMAL_SIMPLEX = 4
UNCOVERED_FACTOR = 10.0
MOST_FACTOR = 1e6


@dataclass
class Relaxed:
    """
    Prices with their bound, and the restricted programme's optimum (``value``).

    ``lacking`` is how many trips the relaxation leaves out although they must be done; ``finished`` says that value and
    bound have met, so that a positive ``lacking`` proves that there is no plan.
    """

    price: Floats
    depot_price: Floats
    bound: float
    value: float
    lacking: float
    finished: bool


class ColumnGeneration:
    """The restricted programme: rows for trips and depots, one column for each trip left out, then rotations."""

    def __init__(self, graph: Graph, options: SolveOptions) -> None:
        self.graph, self.pool = graph, RotationPool(graph)
        self._highs = make_highs(options, {"simplex_strategy": PRIMAL_SIMPLEX, "presolve": "off"})
        self._factor = UNCOVERED_FACTOR
        num, depots = graph.num_trips, graph.num_depots
        rows = num + depots
        lower = np.concatenate([np.ones(num), np.full(depots, -highspy.kHighsInf)])
        upper = np.concatenate([np.ones(num), graph.vehicles.astype(float)])
        empty = np.zeros(0, np.int32)
        self._highs.addRows(rows, lower, upper, 0, np.zeros(rows, np.int32), empty, np.zeros(0))
        starts = np.arange(num, dtype=np.int32)
        self._highs.addCols(
            num, self.uncovered, np.zeros(num), np.full(num, highspy.kHighsInf), num, starts, starts, np.ones(num)
        )
        self._in_programme = 0

    @property
    def must_run(self) -> np.ndarray:
        return ~np.isfinite(self.graph.skip)

    @property
    def uncovered(self) -> Floats:
        """Cost of leaving a trip out of the restricted programme: dear where that is not allowed."""
        graph = self.graph
        parts = (graph.pull_out, graph.pull_in, graph.service, graph.skip)
        dear = self._factor * (1.0 + max(float(part[np.isfinite(part)].max(initial=0.0)) for part in parts))
        return np.where(self.must_run, dear, graph.skip)

    def pass_new(self) -> None:
        """Hand rotations added to the pool to the programme."""
        pool, begin = self.pool, self._in_programme
        new = pool.size - begin
        if not new:
            return
        part = pool.take(np.arange(begin, pool.size)).rows()
        self._highs.addCols(
            new, pool.cost[begin:], np.zeros(new), np.full(new, highspy.kHighsInf), part.nnz,
            part.indptr[:-1].astype(np.int32), part.indices.astype(np.int32), part.data,
        )  # fmt: skip
        self._in_programme = pool.size

    def run(
        self, centre: Floats, stop: Callable[[], bool], left: Callable[[], SolveOptions], bound: float = -np.inf
    ) -> Relaxed:
        """Generate rotations until relaxation and bound meet; ``centre`` are first prices."""
        graph, num = self.graph, self.graph.num_trips
        best = bound
        price_at, depot_at = np.minimum(centre, graph.skip), np.zeros(graph.num_depots)
        value, lacking = np.inf, float(self.must_run.sum())
        finished = False
        while not stop():
            self.pass_new()
            outcome = run_highs(self._highs, left(), is_mip=False, constant=0.0)
            if not outcome.status.has_plan or outcome.bound is None:
                break
            value = outcome.objective or 0.0
            solution = self._highs.getSolution()
            lacking = float(np.array(solution.col_value[:num])[self.must_run].sum())
            duals = np.array(solution.row_dual)
            price, depot_price = np.minimum(duals[:num], self.uncovered), np.minimum(duals[num:], 0.0)
            best, price_at, depot_at, added = self._separate(price, depot_price, best, price_at, depot_at)
            if value - best <= CLOSE * max(1.0, abs(value)) or not added:
                if lacking > 1e-7 and self._factor < MOST_FACTOR:
                    self._factor *= 10.0
                    self._highs.changeColsCost(num, np.arange(num, dtype=np.int32), self.uncovered)
                    best = bound
                    continue
                finished = True
                break
        return Relaxed(price_at, depot_at, best, value, lacking, finished)

    def _separate(
        self, price: Floats, depot_price: Floats, best: float, price_at: Floats, depot_at: Floats
    ) -> tuple[float, Floats, Floats, int]:
        """Rotations at prices between the best and the programme's, nearer the latter until some are found."""
        weight = SMOOTHING if np.isfinite(best) else 0.0
        while True:
            mixed = weight * price_at + (1 - weight) * price
            mixed_depot = weight * depot_at + (1 - weight) * depot_price
            value, rotations = self.price_out(mixed, mixed_depot)
            if value > best:
                best, price_at, depot_at = value, mixed, mixed_depot
            added = self.pool.add(rotations)
            if added or weight == 0.0:
                return best, price_at, depot_at, added
            weight = 0.0 if weight < 0.2 else 0.5 * weight

    def price_out(self, price: Floats, depot_price: Floats) -> tuple[float, list[tuple[int, np.ndarray]]]:
        """Bound of the prices, and rotations cheaper than nothing."""
        graph = self.graph
        value, rotations = float(price.sum() + graph.vehicles @ depot_price), []
        for k in graph.used_depots:
            labels = graph.labels(k, price)
            value += graph.vehicles[k] * min(0.0, float(labels.through.min(initial=np.inf)) - depot_price[k])
            limit = depot_price[k] - 1e-6
            trips, start = cheap_rotations(labels.ahead, labels.before, labels.rest, labels.after, limit, PER_DEPOT)
            rotations += [(k, trips[a:b].copy()) for a, b in itertools.pairwise(start)]
        return value, rotations
