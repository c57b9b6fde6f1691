"""Circulation at real sizes: prices, relaxation, all rotations near it, branch and bound, large neighbourhoods.

1. Prices from one assignment, then from Lagrangian passes (:mod:`start`, :mod:`lagrangian`).
2. Column generation to the optimum of the linear relaxation (:mod:`columns`).
3. Every rotation within a limit of its prices (:mod:`enumerate`); a plan with any other costs more than bound plus
   limit, so that bounds of the search below hold up to there.
4. Branch and bound over these (:mod:`branch`) beside a first plan and neighbourhoods of it (:mod:`improve`), on two
   threads in lockstep (:mod:`lockstep`). Once the limit covers the gap, the search proves the optimum.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.branch import Tree
from optimizer.circulation.columns import ColumnGeneration, Relaxed
from optimizer.circulation.enumerate import widest_rotations
from optimizer.circulation.graph import Graph
from optimizer.circulation.improve import Improver
from optimizer.circulation.lagrangian import ascend, certified_bound
from optimizer.circulation.lockstep import Lockstep
from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Circulated, Circulation
from optimizer.circulation.start import first_prices, place_chains
from optimizer.models.family import SolveOptions
from optimizer.result import Progress, relative_gap

PASSES = 150
FIRST_LIMIT = 1e-5
"""Of the bound: the first limit of reduced costs tried."""
ROTATIONS = 300_000


def solve_circulation(problem: Circulation, options: SolveOptions) -> Circulated:
    """
    Plan of little cost with a proven bound.

    Without a time limit the search ends with the optimum or when rotations within the gap are too many to list. The
    same problem, seed and options give the same plan unless a time limit cuts in.
    """
    return _Engine(problem, options).run()


def relax(problem: Circulation, options: SolveOptions) -> Relaxed | None:
    """The linear relaxation with its prices, trips in topological order; None when the time, or a proof, came first."""
    return _Engine(problem, options).relax()


class _Engine:
    def __init__(self, problem: Circulation, options: SolveOptions) -> None:
        self.problem, self.options = problem, options
        self.start_s = time.monotonic()
        self.graph = Graph(problem)
        self.step = 1.0 if problem.whole_costs else 0.0
        self.bound, self.cost = 0.0, np.inf
        self.plan: Rotations | None = None
        self.relaxed: float | None = None

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.start_s

    def stop(self) -> bool:
        limit = self.options.time_limit_s
        return self.options.stop.is_set() or (limit is not None and self.elapsed_s > limit)

    def left(self) -> SolveOptions:
        """Options for a solver within: the time that is left."""
        limit = self.options.time_limit_s
        left_s = None if limit is None else max(0.01, limit - self.elapsed_s)
        return replace(self.options, time_limit_s=left_s, on_progress=None, gap=0.0)

    def tell(self) -> None:
        if self.options.on_progress is not None:
            cost = self.cost if np.isfinite(self.cost) else None
            self.options.on_progress(Progress(cost, self.bound, self.elapsed_s))

    def accept(self, cost: float, rotations: Rotations) -> None:
        if cost < self.cost:
            self.cost, self.plan = cost, rotations
            self.tell()

    def raise_bound(self, bound: float) -> None:
        if self.step:
            bound = float(np.ceil(bound - 1e-4))
        self.bound = max(self.bound, min(bound, self.cost))

    @property
    def done(self) -> bool:
        enough = max(self.options.gap, 1e-9)
        return np.isfinite(self.cost) and relative_gap(self.cost, self.bound) <= enough

    def run(self) -> Circulated:
        relaxed = self.relax()
        if relaxed is not None and relaxed.finished and relaxed.lacking > 1e-7:
            return self._result(infeasible=True)
        if relaxed is not None and relaxed.finished and not self.done and not self.stop():
            self._search(relaxed)
        return self._result()

    def relax(self) -> Relaxed | None:
        graph = self.graph
        self._accept_chains([])
        price, chains = first_prices(graph)
        self._accept_chains(place_chains(graph, chains))
        guess = self.cost if np.isfinite(self.cost) else 1.02 * float(price.sum())
        prices = ascend(graph, price, guess, PASSES, self.stop)
        self.raise_bound(certified_bound(graph, prices.price))
        self.tell()
        if self.done or self.stop():
            return None
        generation = ColumnGeneration(graph, self.left())
        seeds = [*(self.plan or []), *place_chains(graph, chains), *prices.rotations]
        generation.pool.add((k, np.array(trips, np.int64)) for k, trips in seeds)
        relaxed = generation.run(prices.price, self.stop, self.left)
        self.raise_bound(relaxed.bound)
        if relaxed.finished:
            self.relaxed = relaxed.value
        self.tell()
        return relaxed

    def _accept_chains(self, rotations: Rotations) -> None:
        """Take rotations as a plan if what they leave out may be skipped."""
        plan = self.graph.plan(rotations)
        cost = self.problem.cost(plan)
        if np.isfinite(cost):
            self.accept(cost, rotations)

    def _search(self, relaxed: Relaxed) -> None:
        """Lists of rotations as long as there is a wider one; the first mostly covers the gap once a plan is good."""
        before = 0.0
        while not self._enough():
            pool, limit = self._near(relaxed)
            if limit <= before:
                return
            before = limit
            tree = Tree(
                pool, np.arange(self.graph.num_trips), self.graph.vehicles, relaxed.price, relaxed.depot_price, limit,
                self.cost, self.step, Assembler(self.graph), self.left(),
            )  # fmt: skip
            lanes = Lockstep(tree, partial(self._improver, relaxed), self.plan, self._enough)
            lanes.run(partial(self._note, lanes, relaxed.bound + limit))
            self._note(lanes, relaxed.bound + limit)

    def _note(self, lanes: Lockstep, most: float) -> None:
        """Plan and bound of the search; the bound holds up to ``most``."""
        if lanes.plan is not None:
            self.accept(lanes.cost, lanes.plan)
        before = self.bound
        self.raise_bound(min(lanes.bound, most))
        if self.bound > before:
            self.tell()

    def _near(self, relaxed: Relaxed) -> tuple[RotationPool, float]:
        """All rotations a better plan can use, or as many as fit, and the limit up to which they are all."""
        gap = self.cost - relaxed.bound if np.isfinite(self.cost) else 0.01 * abs(relaxed.bound)
        first = FIRST_LIMIT * max(1.0, abs(relaxed.bound))
        return widest_rotations(self.graph, relaxed.price, relaxed.depot_price, first, gap, ROTATIONS)

    def _enough(self) -> bool:
        return self.stop() or self.done

    def _improver(self, relaxed: Relaxed, cost: float, plan: Rotations) -> Improver:
        return Improver(
            self.graph, relaxed.price, relaxed.depot_price, relaxed.bound, self.step, self.left(), cost, plan
        )  # fmt: skip

    def _result(self, infeasible: bool = False) -> Circulated:
        if infeasible:
            return Circulated(None, np.inf, np.inf, self.relaxed, self.elapsed_s)
        if self.plan is None:
            return Circulated(None, np.inf, self.bound, self.relaxed, self.elapsed_s)
        plan = self.graph.plan(self.plan)
        cost = self.problem.cost(plan)
        return Circulated(plan, cost, min(self.bound, cost), self.relaxed, self.elapsed_s)
