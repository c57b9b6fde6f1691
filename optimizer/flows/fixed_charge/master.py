"""The linear master of fixed-charge services: routes and linking rows are added as they are found.

Variables are shares of a demand (not tonnes), so that coefficients stay near one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import highspy
import numpy as np
import numpy.typing as npt

from optimizer.models.family import SolveOptions
from optimizer.solvers.highs import HighsOutcome, make_highs, run_here, run_highs

if TYPE_CHECKING:
    from optimizer.flows.fixed_charge.problem import Columns, FixedChargeProblem, Floats, Ints

VIOLATION = 1e-6
"""A linking row is added when it is broken by more than this share of the demand."""


class Master:
    """Demand, volume and capacity rows over a pool of routes; ``y`` first, then unserved shares, then routes."""

    def __init__(
        self, problem: FixedChargeProblem, options: SolveOptions, big: float, deadline: float, method: str
    ) -> None:
        self.problem, self.options, self.deadline = problem, options, deadline
        self.method = method
        self.demands, self.services = problem.quantity.size, problem.fixed_cost.size
        self.highs = make_highs(options, {"solver": method, "threads": 1})
        # The simplex may turn in circles where a big price stands for what must be served; the interior point does not.
        self.highs.setOptionValue("simplex_iteration_limit", 20_000)
        for callback in (self.highs.cbSimplexInterrupt, self.highs.cbIpmInterrupt):
            callback.subscribe(lambda event: event.interrupt() if self.out_of_time else None)
        inf = highspy.kHighsInf
        D, S, R = self.demands, self.services, problem.capacity.size
        # Without a most volume the flow itself, at most everything, links the service.
        self.unlimited = np.isinf(problem.most)
        self.ceiling = np.where(self.unlimited, problem.quantity.sum(), problem.most)
        self.ceiling = np.where(self.ceiling > 0, self.ceiling, 1.0)
        self.scale = np.where(problem.capacity > 0, problem.capacity, 1.0)
        self.least = np.flatnonzero(problem.least > 0)
        self.least_row = np.full(S, -1)
        self.least_row[self.least] = D + S + R + np.arange(self.least.size)
        none, no = np.empty(0, np.int32), np.empty(0)
        lower = np.concatenate([np.ones(D), np.full(S + R, -inf), np.zeros(self.least.size)])
        upper = np.concatenate([np.ones(D), np.zeros(S), problem.capacity / self.scale, np.full(self.least.size, inf)])
        self.highs.addRows(lower.size, lower, upper, 0, none, none, no)
        rows, values = [], []
        for s in range(S):
            rows.append(np.array([D + s] + ([self.least_row[s]] if problem.least[s] > 0 else []), np.int32))
            values.append(np.full(rows[-1].size, -1.0))
        self._add_cols(problem.fixed_cost, np.ones(S), rows, values)
        cost = np.where(np.isinf(problem.penalty), big, problem.penalty) * problem.quantity
        self._add_cols(cost, np.ones(D), [np.array([d], np.int32) for d in range(D)], [np.ones(1)] * D)
        self.pool: list[Columns] = []
        self.keys: set[bytes] = set()
        self.linked = np.full((D, S), -1)
        self.links: list[tuple[int, int]] = []
        self.demand = np.empty(0, np.int64)
        self.entry_column = np.empty(0, np.int64)
        self.entry_service = np.empty(0, np.int64)
        self.first_link = lower.size

    @property
    def out_of_time(self) -> bool:
        return self.options.stop.is_set() or time.monotonic() > self.deadline

    def _add_cols(self, cost: Floats, upper: Floats, rows: list[npt.NDArray[np.int32]], values: list[Floats]) -> None:
        if not len(rows):
            return
        start = np.concatenate([[0], np.cumsum([r.size for r in rows])[:-1]]).astype(np.int32)
        index, value = np.concatenate(rows).astype(np.int32), np.concatenate(values)
        self.highs.addCols(len(rows), cost, np.zeros(len(rows)), upper, index.size, start, index, value)

    def add_routes(self, columns: Columns) -> int:
        """Add the routes that are new; returns how many."""
        fresh = []
        for at in range(columns.demand.size):
            key = columns.key(at)
            if key not in self.keys:
                self.keys.add(key)
                fresh.append(at)
        if not fresh:
            return 0
        new = columns.take(np.array(fresh, np.int64))
        p, Q = self.problem, self.problem.quantity[new.demand]
        rows, values = [], []
        for at in range(new.demand.size):
            s = slice(new.service_start[at], new.service_start[at + 1])
            r = slice(new.resource_start[at], new.resource_start[at + 1])
            used, weight = new.service[s], new.weight[s]
            volume = Q[at] * np.where(self.unlimited[used], 1.0, weight) / self.ceiling[used]
            bound = self.least_row[used] >= 0
            link = self.linked[new.demand[at], used]
            resource = new.resource[r]
            rows.append(
                np.concatenate(
                    [[new.demand[at]], self.demands + used, self.least_row[used][bound],
                     self.demands + self.services + resource, link[link >= 0]]
                )
            )  # fmt: skip
            values.append(
                np.concatenate(
                    [[1.0], volume, (Q[at] * weight / np.maximum(p.least[used], 1e-300))[bound],
                     Q[at] * new.use[r] / self.scale[resource], np.ones((link >= 0).sum())]
                )
            )  # fmt: skip
        self._add_cols(new.cost * Q, np.ones(new.demand.size), rows, values)
        self.entry_column = np.append(
            self.entry_column, self.demand.size + np.repeat(np.arange(new.demand.size), np.diff(new.service_start))
        )
        self.entry_service = np.append(self.entry_service, new.service)
        self.demand = np.append(self.demand, new.demand)
        self.pool.append(new)
        return len(fresh)

    def add_links(self, share: Floats, opened: Floats) -> int:
        """Add the linking rows that ``share`` of routes and ``opened`` services break; returns how many."""
        flow = np.zeros((self.demands, self.services))
        pair = (self.demand[self.entry_column], self.entry_service)
        np.add.at(flow, pair, share[self.entry_column])
        d_new, s_new = np.nonzero((flow > opened + VIOLATION) & (self.linked < 0))
        if not d_new.size:
            return 0
        self.linked[d_new, s_new] = self.first_link + len(self.links) + np.arange(d_new.size)
        self.links += list(zip(d_new.tolist(), s_new.tolist(), strict=True))
        row = self.linked[pair] - (self.first_link + len(self.links) - d_new.size)
        mine = row >= 0
        by_row = np.argsort(row[mine], kind="stable")
        counts = np.bincount(row[mine], minlength=d_new.size) + 1
        start = np.concatenate([[0], np.cumsum(counts)[:-1]])
        index, value = np.empty(counts.sum(), np.int32), np.ones(counts.sum())
        last = start + counts - 1
        index[last], value[last] = s_new, -1.0
        rest = np.ones(index.size, bool)
        rest[last] = False
        index[rest] = (self.services + self.demands + self.entry_column[mine])[by_row]
        n = d_new.size
        self.highs.addRows(
            n, np.full(n, -highspy.kHighsInf), np.zeros(n), index.size, start.astype(np.int32), index, value
        )
        return n

    def bound_services(self, lower: Floats, upper: Floats) -> None:
        self.highs.changeColsBounds(self.services, np.arange(self.services, dtype=np.int32), lower, upper)

    def solve(self) -> bool:
        """
        Solve the linear master; False when out of time or infeasible (least volumes under fixed services).

        Raises
        ------
        RuntimeError
            HiGHS fails every way: to go on would lose a branch and make a bound wrong.
        """
        status = highspy.HighsModelStatus
        for method, crossover in ((self.method, "off"), ("ipm", "on"), ("simplex", "off")):
            if method != self.method or crossover == "on":
                self.highs.clearSolver()
            self.highs.setOptionValue("solver", method)
            self.highs.setOptionValue("run_crossover", crossover)
            rest = min(max(self.deadline - time.monotonic(), 0.01), 1e7)
            self.highs.setOptionValue("time_limit", self.highs.getRunTime() + rest)
            run_here(self.highs)
            found = self.highs.getModelStatus()
            if found == status.kOptimal:
                return True
            if found in (status.kInfeasible, status.kUnboundedOrInfeasible) or self.out_of_time:
                return False
        raise RuntimeError(f"HiGHS ended with '{self.highs.modelStatusToString(found)}'")

    def values(self) -> tuple[Floats, Floats, Floats]:
        """Opened services, unserved shares, shares of routes."""
        x = np.array(self.highs.getSolution().col_value)
        S, D = self.services, self.demands
        return x[:S], x[S : S + D], x[S + D :]

    def prices(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Prices >= 0 of volume rows, least rows, capacities (all per row) and pairs (D, S)."""
        dual = np.array(self.highs.getSolution().row_dual)
        D, S, R = self.demands, self.services, self.problem.capacity.size
        least = np.zeros(S)
        least[self.least] = np.maximum(dual[D + S + R : self.first_link], 0.0)
        pair = np.zeros((D, S))
        if self.links:
            d, s = np.array(self.links).T
            pair[d, s] = np.maximum(-dual[self.first_link :], 0.0)
        return np.maximum(-dual[D : D + S], 0.0), least, np.maximum(-dual[D + S : D + S + R], 0.0), pair

    def integer(
        self, lower: Floats, upper: Floats, start: Floats | None, near: int | None, seconds: float, artificial: bool,
        leave_out: Ints | None = None,
    ) -> tuple[HighsOutcome, Floats | None]:  # fmt: skip
        """The same rows with whole services, at most ``near`` of them unlike ``start``; HiGHS of its own.

        Routes ``leave_out`` are not used. ``artificial`` leaves demands that must be served an expensive way out.
        """
        options = SolveOptions(
            time_limit_s=max(min(seconds, self.deadline - time.monotonic()), 0.01),
            gap=self.options.gap,
            seed=self.options.seed,
            stop=self.options.stop,
        )
        highs = make_highs(options)
        highs.passModel(self.highs.getLp())
        S, _D = self.services, self.demands
        index = np.arange(S, dtype=np.int32)
        highs.changeColsIntegrality(S, index, np.full(S, highspy.HighsVarType.kInteger))
        highs.changeColsBounds(S, index, lower, upper)
        if leave_out is not None and leave_out.size:
            out = (S + self.demands + leave_out).astype(np.int32)
            highs.changeColsBounds(out.size, out, np.zeros(out.size), np.zeros(out.size))
        if not artificial:
            must = (S + np.flatnonzero(np.isinf(self.problem.penalty))).astype(np.int32)
            highs.changeColsBounds(must.size, must, np.zeros(must.size), np.zeros(must.size))
        if start is not None:
            highs.setSolution(S, index, start)
            if near is not None:
                sign = 1.0 - 2.0 * start
                highs.addRow(-highspy.kHighsInf, near - start.sum(), S, index, sign)
        found = run_highs(highs, options, True, 0.0)
        if not found.status.has_plan:
            return found, None
        return found, np.round(np.array(highs.getSolution().col_value)[:S])
