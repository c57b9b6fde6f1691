"""Solves the linear relaxation of a terminal, and makes of the duals a bound that holds."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import csr_array

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.problem import COST_UNITS
from optimizer.models.transshipment.relaxation_model import Relaxation
from optimizer.solvers.highs import make_highs, run_highs


@dataclass(frozen=True)
class Relaxed:
    """Bound in cost units, and values of the columns where the solver has them."""

    bound_units: int
    values: np.ndarray | None


def solve(r: Relaxation, options: SolveOptions, method: str = "choose") -> Relaxed:
    """The linear relaxation by HiGHS; the bound holds whatever ended the solver."""
    highs, matrix = _passed(r, options, {"solver": method, "run_crossover": "off" if method == "ipm" else "on"})
    # Without crossover the interior point method may end short of its tolerances, which is an error elsewhere.
    with contextlib.suppress(RuntimeError):
        run_highs(highs, options, is_mip=False, constant=0.0)
    solution = highs.getSolution()
    if not solution.dual_valid:
        return Relaxed(0, None)
    rows = r.rows
    cost, low, high = np.array(rows.cost) / COST_UNITS, np.array(rows.low), np.array(rows.high)
    bound = safe_bound(cost, np.array(rows.upper), low, high, matrix, np.array(solution.row_dual))
    return Relaxed(max(0, int(np.ceil(bound * COST_UNITS - 0.5))), np.array(solution.col_value))


def solve_whole(r: Relaxation, options: SolveOptions, most_nodes: int | None = None) -> Relaxed:
    """
    The relaxation with trains that leave in one span (Y is 0 or 1), by HiGHS; a better bound where it ends in time.

    A share of 1e-6 is taken off the solver's bound for its tolerances.
    """
    whole = [column for columns in r.left.values() for column in columns.values()]
    further = {} if most_nodes is None else {"mip_max_nodes": most_nodes}
    highs, _ = _passed(r, options, further, whole)
    outcome = run_highs(highs, options, is_mip=True, constant=0.0)
    bound = 0 if outcome.bound is None else int(outcome.bound * (1 - 1e-6) * COST_UNITS)
    values = np.array(highs.getSolution().col_value) if outcome.objective is not None else None
    return Relaxed(max(0, bound), values)


def _passed(
    r: Relaxation, options: SolveOptions, further: Mapping[str, object], whole: Sequence[int] = ()
) -> tuple[highspy.Highs, csr_array]:
    """HiGHS with the model, and its matrix."""
    rows = r.rows
    num_columns, num_rows = len(rows.cost), len(rows.low)
    matrix = csr_array((rows.factor, (rows.row_of, rows.column_of)), shape=(num_rows, num_columns))
    matrix.sum_duplicates()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = num_columns, num_rows
    lp.col_cost_, lp.col_upper_ = np.array(rows.cost) / COST_UNITS, np.array(rows.upper)
    lp.col_lower_ = np.zeros(num_columns)
    lp.row_lower_, lp.row_upper_ = np.array(rows.low), np.array(rows.high)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    if whole:
        kinds = [highspy.HighsVarType.kContinuous] * num_columns
        for column in whole:
            kinds[column] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds
    highs = make_highs(options, {"threads": 1, **further})
    highs.passModel(lp)
    return highs, matrix


def safe_bound(
    cost: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray, matrix: csr_array, duals: np.ndarray
) -> float:
    """
    Lower bound on ``min cost x, low <= matrix x <= high, 0 <= x <= upper`` from any duals at all.

    Duals of the wrong sign for a one-sided row count as zero; each column then takes the better of its bounds (weak
    duality). A relative 1e-9 is taken off for rounding.
    """
    duals = np.where((duals > 0) & ~np.isfinite(low), 0.0, duals)
    duals = np.where((duals < 0) & ~np.isfinite(high), 0.0, duals)
    side = np.where(duals > 0, np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0))
    reduced = cost - matrix.T @ duals
    value = float(duals @ side + np.minimum(reduced, 0.0) @ upper)
    return value - 1e-9 * (float(np.abs(duals) @ np.abs(side)) + 1.0)
