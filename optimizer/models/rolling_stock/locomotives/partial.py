"""Integer programmes over some columns of a programme, while all others keep their values."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints
from optimizer.models.rolling_stock.locomotives.programme import Programme
from optimizer.models.rolling_stock.locomotives.relaxation import Relaxed, linear_model
from optimizer.solvers.highs import HighsOutcome, run_highs

NODES = 40
"""Of every search: its work is limited by nodes, its seconds for safety only."""
WHOLE_GAP = 5e-4
NUMBERS = highspy.HighsVarType


@dataclass(frozen=True)
class Horizon:
    """
    Where a programme is cut off in time: rows after it are left out at the prices of the relaxation.

    Attributes
    ----------
    price
        Shape (rows,): prices of the rows that are left out, NaN for all others.
    later
        Shape (columns,): what begins after it and is left out.
    paid_usd
        What the rows and columns behind it add to the cost of every plan by these prices.
    """

    price: Floats
    later: npt.NDArray[np.bool_]
    paid_usd: float


def horizon_at(programme: Programme, relaxed: Relaxed, minute: int) -> Horizon:
    """The programme cut off at a minute."""
    p = programme
    later = p.begin_min >= minute
    price = np.where(p.row_min >= minute, relaxed.price, np.nan)
    paid = np.nan_to_num(price) @ p.row_upper + (np.minimum(relaxed.reduced, 0.0) * p.upper)[later].sum()
    return Horizon(price, later, float(paid))


def whole_consists(
    programme: Programme, columns: Ints, lower: Floats, upper: Floats, whole: npt.NDArray[np.bool_],
    options: SolveOptions, gap: float = WHOLE_GAP, start: Floats | None = None, horizon: Horizon | None = None,
) -> tuple[Floats | None, HighsOutcome]:  # fmt: skip
    """
    Values of some columns, with whole consists for the stages that are ``whole``; none where none were found.

    With whole consists, units flow in whole numbers but for shared kilometres.
    """
    p = programme
    if horizon is not None:
        lower, upper = np.where(horizon.later, 0.0, lower), np.where(horizon.later, 0.0, upper)
    x = np.zeros(p.num_columns)
    x[columns] = np.minimum(lower[columns], upper[columns])
    free = columns[lower[columns] < upper[columns]]
    further = {"mip_max_nodes": NODES, "mip_rel_gap": gap}
    price = None if horizon is None else horizon.price
    highs = linear_model(p, free, lower, upper, options, further, x, price)
    wanted = np.zeros(p.num_columns, bool)
    wanted[p.group["haul"]] = whole[p.key["haul"][:, 0]]
    wanted[p.group["train"]] = np.bincount(p.train_of, whole, len(p.services)) > 0
    kinds = np.full(free.size, NUMBERS.kContinuous)
    kinds[wanted[free]] = NUMBERS.kInteger
    highs.changeColsIntegrality(free.size, np.arange(free.size, dtype=np.int32), kinds)
    if start is not None:
        guess = highspy.HighsSolution()
        guess.col_value = list(start[free])
        highs.setSolution(guess)
    paid_usd = 0.0 if horizon is None else horizon.paid_usd
    outcome = run_highs(highs, options, is_mip=True, constant=p.value(x) + paid_usd)
    if outcome.objective is None:
        return None, outcome
    x[free] = np.array(highs.getSolution().col_value)
    return x, outcome


def whole_flows(programme: Programme, held: Floats, columns: Ints, options: SolveOptions) -> Floats | None:
    """
    Whole values of some columns that go with those of all others, ``held``; none where none are found.

    Where kilometres in common stand in the way, units may run too far together: the search mends that.
    """
    p = programme
    x = np.rint(held)
    x[columns] = 0.0
    kinds = np.full(columns.size, NUMBERS.kInteger)
    kinds[columns >= p.group["wait"].start] = NUMBERS.kContinuous
    further = {"mip_max_nodes": NODES, "mip_rel_gap": WHOLE_GAP}
    for price in (None, np.where(np.isneginf(p.row_min), 0.0, np.nan)):
        highs = linear_model(p, columns, p.lower, p.upper, options, further, x, price)
        highs.changeColsIntegrality(columns.size, np.arange(columns.size, dtype=np.int32), kinds)
        if run_highs(highs, options, is_mip=True, constant=p.value(x)).objective is not None:
            x[columns] = np.array(highs.getSolution().col_value)
            return np.rint(x)
    return None
