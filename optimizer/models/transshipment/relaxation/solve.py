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
from optimizer.models.transshipment.relaxation.model import Relaxation
from optimizer.solvers.highs import make_highs, run_highs


@dataclass(frozen=True)
class Relaxed:
    """Bound in cost units; values of the columns and duals of the rows where the solver has them."""

    bound_units: int
    values: np.ndarray | None
    duals: np.ndarray | None = None


@dataclass(frozen=True)
class Model:
    """``min cost x, low <= matrix x <= high, 0 <= x <= upper``, in USD."""

    cost: np.ndarray
    upper: np.ndarray
    low: np.ndarray
    high: np.ndarray
    matrix: csr_array

    def dual_value(self, duals: np.ndarray) -> float:
        """
        Lower bound on the optimum from any duals at all, by weak duality.

        Duals of the wrong sign for a one-sided row count as zero; each column then takes the better of its bounds.
        """
        duals = self.signed(duals)
        reduced = self.cost - self.matrix.T @ duals
        return self.side_value(duals) + float(np.minimum(reduced, 0.0) @ self.upper)

    def side_value(self, duals: np.ndarray) -> float:
        """What the rows' right-hand sides are worth at these duals, a relative 1e-9 taken off for rounding."""
        side = np.where(duals > 0, np.where(np.isfinite(self.low), self.low, 0.0), 0.0)
        side = np.where(duals < 0, np.where(np.isfinite(self.high), self.high, 0.0), side)
        return float(duals @ side) - 1e-9 * (float(np.abs(duals) @ np.abs(side)) + 1.0)

    def signed(self, duals: np.ndarray) -> np.ndarray:
        """Duals with zeros where a row has no side that could price them."""
        duals = np.where((duals > 0) & ~np.isfinite(self.low), 0.0, duals)
        return np.where((duals < 0) & ~np.isfinite(self.high), 0.0, duals)


def model_of(r: Relaxation) -> Model:
    """The relaxation as arrays."""
    rows = r.rows
    shape = len(rows.low), len(rows.cost)
    places = np.asarray(rows.row_of), np.asarray(rows.column_of)
    matrix = csr_array((np.asarray(rows.factor), places), shape=shape)
    matrix.sum_duplicates()
    return Model(
        np.asarray(rows.cost) / COST_UNITS, np.array(rows.upper), np.array(rows.low), np.array(rows.high), matrix
    )


def solve(r: Relaxation, options: SolveOptions, method: str = "choose") -> Relaxed:
    """The linear relaxation by HiGHS; the bound holds whatever ended the solver."""
    model = model_of(r)
    values, duals = solve_model(model, options, method)
    return Relaxed(0 if duals is None else cost_units(model.dual_value(duals)), values, duals)


def cost_units(bound_usd: float) -> int:
    """A bound in whole cost units, to which every plan's cost amounts."""
    return max(0, int(np.ceil(bound_usd * COST_UNITS - 0.5)))


def solve_model(
    model: Model, options: SolveOptions, method: str = "choose"
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Values and duals as far as HiGHS got; None where it has no duals."""
    further = {"solver": method, "run_crossover": "off" if method == "ipm" else "on"}
    highs = _passed(model, options, further)
    # Without crossover the interior point method may end short of its tolerances, which is an error elsewhere.
    with contextlib.suppress(RuntimeError):
        run_highs(highs, options, is_mip=False, constant=0.0)
    solution = highs.getSolution()
    if not solution.dual_valid:
        return None, None
    return np.array(solution.col_value), np.array(solution.row_dual)


def solve_whole(r: Relaxation, options: SolveOptions, most_nodes: int | None = None) -> Relaxed:
    """The relaxation with trains that leave in one span (Y is 0 or 1); a better bound where HiGHS has the time."""
    whole = [column for columns in r.left.values() for column in columns.values()]
    bound, values = solve_integer(model_of(r), whole, options, most_nodes)
    return Relaxed(0 if bound == -np.inf else max(0, int(bound * COST_UNITS)), values)


def solve_integer(
    model: Model, whole: Sequence[int], options: SolveOptions, most_nodes: int | None = None
) -> tuple[float, np.ndarray | None]:
    """
    HiGHS's bound with some columns whole, minus infinity where it has none, and the values of its best solution.

    A share of 1e-6 is taken off the bound for the solver's tolerances.
    """
    further = {} if most_nodes is None else {"mip_max_nodes": most_nodes}
    highs = _passed(model, options, further, whole)
    outcome = run_highs(highs, options, is_mip=True, constant=0.0)
    values = np.array(highs.getSolution().col_value) if outcome.objective is not None else None
    bound = -np.inf if outcome.bound is None else outcome.bound - 1e-6 * max(1.0, abs(outcome.bound))
    return bound, values


def _passed(
    model: Model, options: SolveOptions, further: Mapping[str, object], whole: Sequence[int] = ()
) -> highspy.Highs:
    """HiGHS with the model."""
    matrix, (num_rows, num_columns) = model.matrix, model.matrix.shape
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = num_columns, num_rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost, np.zeros(num_columns), model.upper
    lp.row_lower_, lp.row_upper_ = model.low, model.high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    if len(whole):
        kinds = [highspy.HighsVarType.kContinuous] * num_columns
        for column in whole:
            kinds[column] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds
    highs = make_highs(options, {"threads": 1, **further})
    highs.passModel(lp)
    return highs
