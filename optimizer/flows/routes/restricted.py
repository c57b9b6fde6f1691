"""The best plan on pooled routes when demands travel whole or cells must be filled: LP, dive, local branching.

    min   sum_p c_p Q_p x_p + sum_k pen_k Q_k z_k             x_p, z_k: shares of a demand, not below zero
    s.t.  sum_{p of k} x_p + z_k = 1                          demand k
          sum_p a_cp Q_p x_p <= K_c                           cell c
          sum_p a_cp Q_p x_p >= m_c                           cells with a least volume
          x_p in {0, 1}                                       routes of demands that travel whole

The dive solves the linear programme, gives the demands nearest to a decision their route while there is room, and
solves again. Local branching (Fischetti and Lodi, Math. Prog. 98, 2003) then lets HiGHS change a limited number of
routes of the best plan at a time. Nothing here proves a bound: routes are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import highspy
import numpy as np
from scipy.sparse import csc_array

from optimizer.flows.routes.pool import RoutePool
from optimizer.flows.routes.problem import Flags, Floats, Longs
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.highs import make_highs, run_highs
from optimizer.solvers.watch import Watch

WHOLE = 1 - 1e-6
"""Share from which a demand counts as on one route."""
DIVE_SHARE = 0.2
"""Share of the undecided demands that one step of the dive decides."""
CHANGES = 20
"""Routes that local branching may change at first."""
ROUNDS = 6
NODES = 200
"""Work limits of local branching, so that a plan does not depend on the clock where there is no time limit."""
ROUND_S = 20.0


@dataclass(frozen=True)
class RestrictedPlan:
    """Tonnes of all pooled routes and of what stays behind, cost, prices of the cells and subsidies of the least
    volumes (cell -> USD a tonne, not below zero)."""

    flow: Floats
    unserved: Floats
    cost: float
    price: Floats
    subsidy: Mapping[int, float]


class Restricted:
    """
    The programme above.

    Parameters
    ----------
    pool
        Routes.
    wanted
        Shape (P,): routes that may be used.
    penalty
        Shape (K,): finite, per tonne unserved.
    whole
        Shape (K,): demands that travel whole.
    least
        Cell -> least use of it.
    """

    def __init__(
        self, pool: RoutePool, wanted: Flags, penalty: Floats, whole: Flags, least: Mapping[int, float],
        options: SolveOptions,
    ) -> None:  # fmt: skip
        problem = pool.problem
        self.pool, self.penalty, self.options, self.watch = pool, penalty, options, Watch(options)
        self.routes = np.flatnonzero(wanted)
        self.owner: Longs = pool.demand[self.routes]
        self.demands = np.unique(self.owner)
        lengths = np.diff(pool.start)[self.routes]
        entries = np.repeat(pool.start[self.routes] - np.cumsum(lengths) + lengths, lengths)
        entries += np.arange(lengths.sum())
        cells, units = pool.cells[entries], pool.units[entries]
        columns = np.repeat(np.arange(self.routes.size), lengths)
        self.scale = problem.quantity[self.owner]
        use = units * self.scale[columns]
        most = np.bincount(cells, weights=use, minlength=problem.capacity.size)
        self.binding = np.flatnonzero(most > problem.capacity)
        self.least = np.array(sorted(least), dtype=np.int64)
        floor = np.array([least[cell] for cell in self.least.tolist()])
        # Rows: demands, capacities, least volumes; columns in shares of a demand, rows in units of their limit.
        parts = [(np.searchsorted(self.demands, self.owner), np.arange(self.routes.size), np.ones(self.routes.size))]
        parts.append((np.arange(self.demands.size), self.routes.size + np.arange(self.demands.size),
                      np.ones(self.demands.size)))  # fmt: skip
        capacity = problem.capacity[self.binding]
        self.row_scale = np.where(capacity > 0, capacity, 1.0)
        self.floor_scale = np.where(floor > 0, floor, 1.0)
        for first, rows, scale in (
            (self.demands.size, self.binding, self.row_scale),
            (self.demands.size + self.binding.size, self.least, self.floor_scale),
        ):
            row_of = np.full(problem.capacity.size, -1, dtype=np.int64)
            row_of[rows] = np.arange(rows.size)
            kept = row_of[cells] >= 0
            at = row_of[cells[kept]]
            parts.append((first + at, columns[kept], use[kept] / scale[at]))
        num_rows = self.demands.size + self.binding.size + self.least.size
        self.num_columns = self.routes.size + self.demands.size
        row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.matrix = csc_array((value, (row, column)), shape=(num_rows, self.num_columns))
        self.matrix.sum_duplicates()
        money = np.concatenate(
            [pool.cost[self.routes] * self.scale, penalty[self.demands] * problem.quantity[self.demands]]
        )
        self.unit = max(float(np.median(money)), 1e-9) if money.size else 1.0
        self.money = money / self.unit
        self.whole_columns = np.flatnonzero(np.append(whole[self.owner], whole[self.demands]))
        self.column_owner = np.append(self.owner, self.demands)
        self.lower, self.upper = np.zeros(self.num_columns), np.ones(self.num_columns)
        self.row_lower = np.concatenate(
            [np.ones(self.demands.size), np.full(self.binding.size, -highspy.kHighsInf), floor / self.floor_scale]
        )
        self.row_upper = np.concatenate(
            [np.ones(self.demands.size), capacity / self.row_scale, np.full(self.least.size, highspy.kHighsInf)]
        )
        self._highs: highspy.Highs | None = None

    def linear(self) -> RestrictedPlan | None:
        """The programme without whole numbers; None when it is infeasible or a limit came first."""
        found = self._solve_lp()
        return None if found is None else self._plan(*found)

    def dive(self) -> RestrictedPlan | None:
        """A plan by fixing route after route; None when fixing ended in a dead end or a limit came first."""
        mine = self.whole_columns
        capacity, starts = self.row_upper, self.matrix.indptr
        load = np.zeros(self.matrix.shape[0])
        decided: set[int] = set()
        while True:
            found = self._solve_lp()
            if found is None:
                return None
            value = found[0]
            order = mine[np.argsort(-value[mine], kind="stable")]
            waiting = [int(c) for c in order if int(self.column_owner[c]) not in decided]
            if not waiting:
                return self._plan(*found)
            owners = len({int(self.column_owner[column]) for column in waiting})
            left = max(int(DIVE_SHARE * owners), 1)
            for column in waiting:
                owner = int(self.column_owner[column])
                if owner in decided or self.upper[column] == 0.0 or (left <= 0 and value[column] < WHOLE):
                    continue
                part = slice(starts[column], starts[column + 1])
                rows, use = self.matrix.indices[part], self.matrix.data[part]
                shared = rows >= self.demands.size  # the demand's own row always has room for one route
                is_limit = shared & (rows < self.demands.size + self.binding.size)
                if (load[rows] + use > capacity[rows])[is_limit].any():
                    self._bound(column, 0.0, 0.0)
                    continue
                load[rows[is_limit]] += use[is_limit]
                self._bound(column, 1.0, 1.0)
                decided.add(owner)
                left -= 1

    def improve(self, plan: RestrictedPlan, enough: float) -> RestrictedPlan:
        """Local branching around a plan until ``enough`` is reached, nothing changes, or a limit comes."""
        best, changes = plan, CHANGES
        self.lower[:], self.upper[:] = 0.0, 1.0
        for _ in range(ROUNDS):
            if self.watch.should_stop or best.cost <= enough or not self.whole_columns.size:
                break
            found, ended = self._around(best, changes)
            if found is None or found.cost >= best.cost * (1 - 1e-9):
                if ended and changes > self.whole_columns.size:
                    break  # the best on these routes
                changes *= 2
            else:
                best = found
        return best

    def _around(self, plan: RestrictedPlan, changes: int) -> tuple[RestrictedPlan | None, bool]:
        """The best plan that gives up at most some of the routes of whole demands; whether that is proved."""
        share = self._shares(plan)
        kept = self.whole_columns[share[self.whole_columns] > 0.5]
        left_s = ROUND_S if self.options.time_limit_s is None else self.options.time_limit_s - self.watch.elapsed_s
        options = replace(self.options, time_limit_s=max(left_s, 0.01), gap=0.0, on_progress=None)
        if self.options.time_limit_s is None:
            options = replace(options, time_limit_s=None)  # work limits alone: the same plan whatever the clock
        highs = make_highs(options, {"mip_max_nodes": NODES, "mip_feasibility_tolerance": 1e-9})
        highs.passModel(self._model())
        for column in self.whole_columns.tolist():
            highs.changeColIntegrality(column, highspy.HighsVarType.kInteger)
        highs.addRow(kept.size - changes, highspy.kHighsInf, kept.size, kept.astype(np.int32), np.ones(kept.size))
        start = highspy.HighsSolution()
        start.col_value = share.tolist()
        highs.setSolution(start)
        status = run_highs(highs, options, is_mip=True, constant=0.0).status
        if not status.has_plan:
            return None, False
        chosen = np.array(highs.getSolution().col_value)
        whole = self.whole_columns
        self.lower[whole] = self.upper[whole] = np.round(chosen[whole])
        self._highs = None
        found = self._solve_lp()
        self.lower[:], self.upper[:] = 0.0, 1.0
        self._highs = None
        return (None if found is None else self._plan(*found)), status is Status.OPTIMAL

    def _shares(self, plan: RestrictedPlan) -> Floats:
        quantity = self.pool.problem.quantity[self.demands]
        return np.append(plan.flow[self.routes] / self.scale, plan.unserved[self.demands] / quantity)

    def _bound(self, column: int, low: float, high: float) -> None:
        self.lower[column], self.upper[column] = low, high
        if self._highs is not None:
            self._highs.changeColBounds(column, low, high)

    def _model(self) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = self.matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self.money, self.lower, self.upper
        lp.row_lower_, lp.row_upper_ = self.row_lower, self.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = self.matrix.indptr, self.matrix.indices
        lp.a_matrix_.value_ = self.matrix.data
        return lp

    def _solve_lp(self) -> tuple[Floats, Floats] | None:
        """Values of the columns and duals of the rows, from the last basis where there is one."""
        left_s = self.options.time_limit_s
        if left_s is not None:
            left_s = max(left_s - self.watch.elapsed_s, 0.01)
        options = replace(self.options, time_limit_s=left_s, on_progress=None)
        if self._highs is None:
            self._highs = make_highs(options, {"primal_feasibility_tolerance": 1e-9})
            self._highs.passModel(self._model())
        elif left_s is not None:
            # The clock of HiGHS runs on from one solve to the next.
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left_s)
        if run_highs(self._highs, options, is_mip=False, constant=0.0).status is not Status.OPTIMAL:
            return None
        solution = self._highs.getSolution()
        return np.maximum(np.array(solution.col_value), 0.0), np.array(solution.row_dual)

    def _plan(self, value: Floats, dual: Floats) -> RestrictedPlan:
        problem, num_routes = self.pool.problem, self.routes.size
        flow = np.zeros(self.pool.num_routes)
        flow[self.routes] = value[:num_routes] * self.scale
        unserved = problem.quantity.copy()
        unserved[self.demands] = value[num_routes:] * problem.quantity[self.demands]
        price = np.zeros(problem.capacity.size)
        first = self.demands.size
        limits = dual[first : first + self.binding.size]
        price[self.binding] = np.maximum(-limits, 0.0) * self.unit / self.row_scale
        floors = np.maximum(dual[first + self.binding.size :], 0.0) * self.unit / self.floor_scale
        cost = float(flow @ self.pool.cost + unserved @ self.penalty)
        subsidy = dict(zip(self.least.tolist(), floors.tolist(), strict=True))
        return RestrictedPlan(flow, unserved, cost, price, subsidy)
