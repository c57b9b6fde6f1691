"""From real to whole loaded runs by gradient steps: the surest orders are made whole first, and the others adapt.

Rounding all at once fills some train paths twice and leaves others empty, which on large instances costs a tenth of a
plan. Here a share of the orders is made whole at a time, those nearest to whole wagons first; between two shares some
gradient steps on the others, from where the last ones ended, take up what rounding has moved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.wagons.bounds_kernels import round_orders
from optimizer.models.rolling_stock.wagons.layout import Array
from optimizer.models.rolling_stock.wagons.programme import Amounts, Solved
from optimizer.models.rolling_stock.wagons.relaxation import Relaxation

SHARES = (0.4, 0.4, 0.5, 0.5, 0.6)
"""Share of the orders still free that is made whole, dive by dive; then all."""
STEPS = 400
"""Gradient steps after each."""


def dive(
    relaxation: Relaxation, solved: Solved, options: Callable[[], SolveOptions], over: Callable[[], bool]
) -> tuple[Array, Amounts]:
    """
    Make all loaded runs whole, order by order.

    Parameters
    ----------
    solved
        Where gradient steps on the whole programme have ended.
    options, over
        The limits of a step, read anew for each; whether to stop and round what is left at once.

    Returns
    -------
    (c,) whole wagons, no order above its limit; links may be a little too full. The last amounts, with empty runs.
    """
    lay = relaxation.layout
    everything, nothing, behind = relaxation.everything(), Amounts.none(lay), np.zeros(lay.num_states)
    load, free = lay.load_t[lay.choice_type], np.ones(lay.num_orders, dtype=bool)
    kept = np.zeros(len(load), dtype=np.int64)
    for share in SHARES:
        if over() or not free.any():
            break
        wish = solved.amounts.choice
        whole = _whole(relaxation, wish)
        off_t = np.bincount(lay.choice_order, weights=np.abs(wish - whole) * load, minlength=lay.num_orders)
        candidates = np.flatnonzero(free)
        surest = np.argsort(off_t[candidates], kind="stable")[: int(np.ceil(share * len(candidates)))]
        new = np.zeros_like(free)
        new[candidates[surest]] = True
        free &= ~new
        kept = np.where(new[lay.choice_order], whole, kept)
        mine = free[lay.choice_order]
        low, high = np.where(mine, 0.0, kept), np.where(mine, np.inf, kept)
        solved = relaxation.approach(solved, options(), STEPS, (low, high))
        relaxation.grow(everything, solved, nothing, behind)  # train paths that are overrun now become rows
    return np.where(free[lay.choice_order], _whole(relaxation, solved.amounts.choice), kept), solved.amounts


def _whole(relaxation: Relaxation, wish: Array) -> Array:
    lay = relaxation.layout
    return round_orders(wish, lay.choice_start, lay.choice_type, lay.load_t, lay.most_t)
