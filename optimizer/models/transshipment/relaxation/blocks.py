"""A better bound of a long horizon: blocks of time with trains that leave in one span, linked by the linear duals.

Columns of the relaxation are cut into blocks by the minute around which they lie. Rows with columns of several blocks
are charged at the duals of the linear relaxation instead of being kept (Lagrangian relaxation); then the blocks do not
see each other, and each may be solved with whole Y by itself. The sum is a bound for any duals; with the best duals it
is no less than the linear one, and every block's search may stop when it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse import csr_array

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.relaxation.model import Relaxation
from optimizer.models.transshipment.relaxation.solve import Model, cost_units, model_of, solve_integer


def block_bounds(
    r: Relaxation, duals: np.ndarray, length: int, stage: Callable[[int], SolveOptions | None], nodes: int | None = None
) -> Iterator[int]:
    """
    Bounds in cost units, one after the other and none less than the one before.

    Parameters
    ----------
    duals
        Of the relaxation's rows; any at all give a bound.
    length
        Minutes of a block.
    stage
        Options for a block, given how many are still to be solved; None ends the search.
    """
    model = model_of(r)
    duals = model.signed(duals)
    block = _blocks(r, model, length)
    of_row = np.repeat(np.arange(model.low.size), np.diff(model.matrix.indptr))
    first, last = np.full(model.low.size, np.iinfo(np.int64).max), np.full(model.low.size, -1)
    np.minimum.at(first, of_row, block[model.matrix.indices])
    np.maximum.at(last, of_row, block[model.matrix.indices])
    linking = first != last
    charged = np.where(linking, duals, 0.0)
    cost = model.cost - model.matrix.T @ charged
    whole = np.zeros(model.cost.size, bool)
    whole[[column for columns in r.left.values() for column in columns.values()]] = True

    constant = model.side_value(charged)
    parts: list[tuple[Model, list[int]]] = []
    values: list[float] = []
    for number in np.unique(block):
        columns, rows = np.flatnonzero(block == number), np.flatnonzero(~linking & (first == number))
        matrix = csr_array(csr_array(model.matrix[rows])[:, columns])
        part = Model(cost[columns], model.upper[columns], model.low[rows], model.high[rows], matrix)
        parts.append((part, np.flatnonzero(whole[columns]).tolist()))
        values.append(part.dual_value(duals[rows]))
    yield cost_units(constant + sum(values))
    for number, (part, integer) in enumerate(parts):
        options = stage(len(parts) - number)
        if options is None:
            return
        found, _ = solve_integer(part, integer, options, nodes)
        if found > values[number]:
            values[number] = found
            yield cost_units(constant + sum(values))


def _blocks(r: Relaxation, model: Model, length: int) -> np.ndarray:
    """By column: its block, from the mean minute of its rows."""
    pattern = csr_array(
        (np.ones(model.matrix.data.size), model.matrix.indices, model.matrix.indptr), model.matrix.shape
    )
    minutes, count = pattern.T @ np.asarray(r.rows.minute, float), pattern.T @ np.ones(model.low.size)
    return (minutes / np.maximum(count, 1.0) // length).astype(np.int64)
