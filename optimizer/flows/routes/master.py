"""The linear programme over pooled routes: an exact plan and exact prices on the routes at hand."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import csc_array

from optimizer.flows.routes.pool import RoutePool
from optimizer.flows.routes.problem import Flags, Floats
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.highs import make_highs, run_highs


@dataclass(frozen=True)
class MasterPlan:
    """Tonnes of all pooled routes and of what stays behind, and the price of every cell (not below zero)."""

    flow: Floats
    unserved: Floats
    price: Floats


def solve_master(pool: RoutePool, wanted: Flags, penalty: Floats, options: SolveOptions) -> MasterPlan | None:
    """
    Best plan on some of the pooled routes; None when a limit came first.

    Parameters
    ----------
    pool
        Routes.
    wanted
        Shape (P,): routes that may be used.
    penalty
        Shape (K,): finite, per tonne unserved.
    options
        Time limit, stop and seed.
    """
    problem = pool.problem
    routes = np.flatnonzero(wanted)
    demands = np.unique(pool.demand[routes])
    lengths = np.diff(pool.start)[routes]
    entries = np.repeat(pool.start[routes] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    cells, units = pool.cells[entries], pool.units[entries]
    # A cell that holds the full quantity of all who could come cannot bind.
    most = np.bincount(
        cells,
        weights=units * np.repeat(problem.quantity[pool.demand[routes]], lengths),
        minlength=problem.capacity.size,
    )
    binding = np.flatnonzero(most > problem.capacity)
    row_of = np.full(problem.capacity.size, -1, dtype=np.int64)
    row_of[binding] = np.arange(binding.size)
    kept = row_of[cells] >= 0
    # Columns in units of the demand's quantity and rows in units of their capacity: everything is near one.
    scale = problem.quantity[pool.demand[routes]]
    unit = max(float(np.median(penalty[demands])) * float(np.median(problem.quantity[demands])), 1e-9)
    columns = np.repeat(np.arange(routes.size), lengths)[kept]
    capacity = problem.capacity[binding]
    row_scale = np.where(capacity > 0, capacity, 1.0)
    own_row = np.searchsorted(demands, pool.demand[routes])
    matrix = csc_array(
        (
            np.concatenate([
                units[kept] * scale[columns] / row_scale[row_of[cells[kept]]], np.ones(routes.size + demands.size),
            ]),
            (
                np.concatenate([demands.size + row_of[cells[kept]], own_row, np.arange(demands.size)]),
                np.concatenate([columns, np.arange(routes.size), routes.size + np.arange(demands.size)]),
            ),
        ),
        shape=(demands.size + binding.size, routes.size + demands.size),
    )  # fmt: skip
    matrix.sum_duplicates()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_ = np.concatenate([pool.cost[routes] * scale, penalty[demands] * problem.quantity[demands]]) / unit
    lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), np.full(lp.num_col_, highspy.kHighsInf)
    lp.row_lower_ = np.concatenate([np.ones(demands.size), np.full(binding.size, -highspy.kHighsInf)])
    lp.row_upper_ = np.concatenate([np.ones(demands.size), capacity / row_scale])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs = make_highs(options, {"dual_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9})
    highs.passModel(lp)
    if run_highs(highs, options, is_mip=False, constant=0.0).status is not Status.OPTIMAL:
        return None
    solution = highs.getSolution()
    value = np.maximum(np.array(solution.col_value), 0.0)
    flow = np.zeros(pool.num_routes)
    flow[routes] = value[: routes.size] * scale
    unserved = problem.quantity.copy()
    unserved[demands] = value[routes.size :] * problem.quantity[demands]
    price = np.zeros(problem.capacity.size)
    price[binding] = np.maximum(-np.array(solution.row_dual)[demands.size :], 0.0) * unit / row_scale
    return MasterPlan(flow, unserved, price)
