"""Whole plans from whole loaded runs: routed at once with tolls, then changed order by order while it pays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.models.rolling_stock.wagons.flows import TypeNetworks
from optimizer.models.rolling_stock.wagons.insertion import LEAST_GAIN_USD, Insertion, near_moves
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.programme import Amounts
from optimizer.models.rolling_stock.wagons.rounding import route_tolled
from optimizer.models.rolling_stock.wagons.search import Search

MOST_PASSES = 20
"""Passes over all orders."""
USED = 0.01
"""Wagons on an empty run of the relaxation from which it is on offer to a plan."""
TOLLS_USD = (100.0, 400.0, 1600.0, 6400.0, 25_600.0, 0.0)
"""More toll a wagon where links and yards stay too full, round by round; after the last, loads go on one by one."""
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
    Whole loaded runs (c,) routed with the tolls of the relaxation, then changed, without tolls, while it pays.
    """
    lay, prices = search.layout, search.prices
    assert prices is not None
    if search.over():
        return
    insertion = routed(search, amounts, wagons)
    if insertion is not None:
        search.offer(insertion.plan())
        if not passes:
            return
        insertion.charge(search.bounds.tolled(0 * prices.link_usd, 0 * prices.yard_usd))
        insertion.mend(search.over)
    else:
        insertion = Insertion(lay, lay.possible, _kept_moves(search, amounts.empty > USED))
        insertion.load(wagons, search.over)
    search.offer(insertion.plan())
    _improve_orders(search, insertion, passes)


def routed(search: Search, amounts: Amounts, wagons: Array, over: Callable[[], bool] | None = None) -> Insertion | None:
    """A plan of loads routed at once; dearer tolls, round by round, where a yard or link stays too full.

    Empty runs on offer are those near the values of the bound, and those of ``amounts``.
    """
    lay, prices = search.layout, search.prices
    assert prices is not None
    over = over or search.over
    known = near_the_values(search, amounts.empty > USED)
    networks = TypeNetworks(lay, known)
    link_usd, yard_usd = prices.link_usd.copy(), prices.yard_usd.copy()
    heaviest = np.ones(len(lay.link_limit))
    _, link, takes = expand(lay.empty_links, np.arange(len(lay.empty_usd)))
    np.maximum.at(heaviest, link, takes)
    for more_usd in TOLLS_USD:
        if over():
            break
        tolled = search.bounds.tolled(link_usd, yard_usd)
        found, flows = route_tolled(networks, wagons, tolled)
        used = np.asarray((amounts.empty > USED).any(axis=1) | flows.empty.any(axis=1))
        insertion = Insertion(lay, lay.possible, _kept_moves(search, used[:, None]), idle=False)
        if insertion.take(found, flows, known, tolled, prices, over):
            return insertion
        full_links, full_yards = insertion.too_full()
        link_usd += full_links * more_usd / heaviest[:, None]
        yard_usd += full_yards * more_usd
    return None


def _kept_moves(search: Search, used: Array) -> Array:
    """Numbers of the empty moves to look at: near ones, and those ``used`` (e, days) anyway."""
    return np.union1d(near_moves(search.layout), np.flatnonzero(used.any(axis=1)))


def _improve_orders(search: Search, insertion: Insertion, passes: int) -> None:
    """Passes over the orders by their first day, until one changes nothing."""
    order = np.argsort(release_days(search.layout), kind="stable")
    for least_gain_usd in (10.0, *[LEAST_GAIN_USD] * passes):
        if search.over():
            break
        moved = insertion.improve(order, search.over, least_gain_usd)
        search.offer(insertion.plan())
        if not moved and least_gain_usd == LEAST_GAIN_USD:
            break
