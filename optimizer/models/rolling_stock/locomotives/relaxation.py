"""The relaxation of a programme: its model in HiGHS over some columns, and the bound that prices of its rows give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints
from optimizer.models.rolling_stock.locomotives.programme import Programme
from optimizer.solvers.highs import make_highs


@dataclass
class Relaxed:
    """Values of the relaxation, reduced costs of all columns, and prices of the rows."""

    x: Floats
    reduced: Floats
    price: Floats


def linear_model(
    programme: Programme, columns: Ints, lower: Floats, upper: Floats, options: SolveOptions,
    further: Mapping[str, Any], held: Floats | None = None, price: Floats | None = None,
) -> highspy.Highs:  # fmt: skip
    """
    The linear programme over some columns; one thread, since every gauge has its own.

    With values of all others, which are ``held``, rows that have none of the columns are left out. Rows with a
    ``price`` (not NaN) are left out, too: what columns take from them is paid for.
    """
    p = programme
    highs = make_highs(options, {"threads": 1, **further})
    part, low, high, cost = p.matrix[:, columns], p.row_lower, p.row_upper, p.cost[columns]
    if held is not None:
        used = np.bincount(part.indices, minlength=part.shape[0]) > 0
        if price is not None:
            cost = cost - part.T @ np.nan_to_num(price)
            used &= np.isnan(price)
        taken = p.matrix @ held
        part, low, high = sparse.csc_array(part[used]), (low - taken)[used], (high - taken)[used]
    rows, empty = part.shape[0], np.zeros(0, np.int32)
    highs.addRows(rows, low, high, 0, np.zeros(rows, np.int32), empty, np.zeros(0))
    highs.addCols(
        columns.size, cost, lower[columns], upper[columns], part.nnz, part.indptr[:-1].astype(np.int32),
        part.indices.astype(np.int32), part.data,
    )  # fmt: skip
    return highs


def right_sign(programme: Programme, price: Floats) -> Floats:
    """Prices of rows without a lower limit are at most 0."""
    return np.where(np.isfinite(programme.row_lower), price, np.minimum(price, 0.0))


def certified_bound(programme: Programme, price: Floats) -> tuple[float, Floats]:
    """Bound on the cost of every plan from prices of the rows, and reduced costs of all columns."""
    p = programme
    price = right_sign(p, price)
    reduced = p.cost - p.matrix.T @ price
    at_best = np.where(reduced < 0, reduced * p.upper, reduced * p.lower)
    slack = 1e-12 * float(np.abs(price * p.row_upper).sum() + np.abs(at_best).sum())
    return float(price @ p.row_upper + at_best.sum() + p.constant) - slack, reduced
