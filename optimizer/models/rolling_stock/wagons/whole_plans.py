"""Whole plans from whole loaded runs: routed at once with tolls, then changed order by order while it pays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.models.rolling_stock.wagons.flows import TypeNetworks
from optimizer.models.rolling_stock.wagons.insertion import Insertion
from optimizer.models.rolling_stock.wagons.layout import Array, Layout
from optimizer.models.rolling_stock.wagons.programme import Amounts
from optimizer.models.rolling_stock.wagons.relieving import take
from optimizer.models.rolling_stock.wagons.residual import near_moves
from optimizer.models.rolling_stock.wagons.rounding import route_tolled
from optimizer.models.rolling_stock.wagons.search import Search

MOST_PASSES = 20
"""Passes over all orders."""
USED = 0.01
"""Wagons on an empty run of the relaxation from which it is on offer to a plan."""
TOLLS, TOLLS_AGAIN = (1.0, 0.8, 0.6, 0.3, 0.0), (0.9, 0.6, 0.3, 0.0)
"""Share of the tolls, pass by pass, in the first turn and in those after it."""
MOST_TURNS, LEAST_SHARE = 20, 2e-4
"""Turns after the first; the last one is the first that gains less than such a share of the cost."""
FIRST_GAIN_USD = 10.0
"""Least gain of a change in passes while tolls fall."""
NETWORK_USD = 60.0
"""Empty runs that cost at most this much more than the values they join are on offer to whole flows."""


def release_days(layout: Layout) -> Array:
    """(o,) first day on which an order can leave; after the horizon for those that cannot."""
    first = np.full(layout.num_orders, layout.days, dtype=np.int64)
    np.minimum.at(first, layout.choice_order, layout.choice_day)
    return first


def near_the_values(search: Search, further: Array) -> Array:
    """(e, days) empty runs that cost little more than the values they join, and further ones."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    reduced = search.bounds.reduced_usd(prices.value.reshape(lay.num_sites, lay.days), prices.link_usd)
    return np.asarray((reduced < NETWORK_USD) & lay.possible | further)


def plan_from(search: Search, amounts: Amounts, wagons: Array, passes: int = MOST_PASSES) -> None:
    """
    Whole loaded runs (c,) routed with the tolls of the relaxation, then changed while it pays, at falling tolls.
    """
    if search.over():
        return
    tolled = routed(search, amounts, wagons)
    insertion = tolled
    if insertion is None:
        insertion = Insertion(search.layout, search.layout.possible, _kept_moves(search, amounts.empty > USED))
        insertion.load(wagons, search.over)
    search.offer(insertion.plan())
    if passes:
        _improve_orders(search, insertion, passes, tolled is not None)


def routed(search: Search, amounts: Amounts, wagons: Array, over: Callable[[], bool] | None = None) -> Insertion | None:
    """A plan of loads routed at once, at costs with tolls; None where a yard or link stays too full.

    Empty runs on offer are those near the values of the bound, and those of ``amounts``.
    """
    lay, prices = search.layout, search.prices
    assert prices is not None
    known = near_the_values(search, amounts.empty > USED)
    tolled = search.bounds.tolled(prices.link_usd, prices.yard_usd)
    found, flows = route_tolled(TypeNetworks(lay, known), wagons, tolled)
    used = np.asarray((amounts.empty > USED).any(axis=1) | flows.empty.any(axis=1))
    insertion = Insertion(lay, lay.possible, _kept_moves(search, used[:, None]), idle=False)
    return insertion if take(insertion, found, flows, known, tolled, prices, over or search.over) else None


def _kept_moves(search: Search, used: Array) -> Array:
    """Numbers of the empty moves to look at: near ones, and those ``used`` (e, days) anyway."""
    return np.union1d(near_moves(search.layout), np.flatnonzero(used.any(axis=1)))


def _improve_orders(search: Search, insertion: Insertion, passes: int, tolled: bool) -> None:
    """Passes over the orders by their first day at falling tolls, again and again, then until one changes nothing.

    At full tolls what does not pay for the room it takes makes way for what does. Tolls fall pass by pass, so the room
    that is left goes to those who gain most by it; at plain costs it would go to whoever comes first.
    """
    prices, order = search.prices, np.argsort(release_days(search.layout), kind="stable")
    assert prices is not None
    for tolls in (TOLLS, *[TOLLS_AGAIN] * MOST_TURNS) if tolled else [(0.0,)]:
        before = search.cost
        for share in tolls:
            if search.over():
                return
            insertion.charge(search.bounds.tolled(share * prices.link_usd, share * prices.yard_usd))
            insertion.mend(search.over)
            insertion.improve(order, search.over, FIRST_GAIN_USD)
            search.offer(insertion.plan())
        if search.cost > before * (1 - LEAST_SHARE):
            break
    for _ in range(passes):
        if search.over():
            break
        moved = insertion.improve(order, search.over)
        search.offer(insertion.plan())
        if not moved:
            break
