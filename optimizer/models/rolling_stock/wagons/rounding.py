"""From real to whole wagons: a plan that keeps every rule, for any wish of loaded runs.

Loaded runs are rounded one by one and each order mended at the prices of the relaxation. What is left is one flow per
type, whole by itself; types are routed in turn in the room that the others leave in yards and on train paths. Where
no wagon can come, or none can stay, loads are given up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.models.rolling_stock.wagons.bounds import Prices, Tolled
from optimizer.models.rolling_stock.wagons.bounds_kernels import fit_loads
from optimizer.models.rolling_stock.wagons.flows import MANY, Flows, TypeNetworks, is_unbalanced, plan_usd
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.programme import link_use, yard_use

MOST_PASSES = 12
SPARE = 1e-6
"""Rounding error of sums of tonnes and metres over a link."""


@dataclass
class WholePlan:
    """Wagons on loaded runs (c,), the flows around them, and the cost, USD."""

    wagons: Array
    flows: Flows
    usd: float


def round_loads(layout: Layout, wish: Array, prices: Prices) -> Array:
    """(c,) whole wagons near ``wish``; no order takes too many, none gains by one wagon more or less."""
    lay = layout
    wagons = np.rint(wish).astype(np.int64)
    fit_loads(
        wagons, prices.price, lay.choice_start, lay.choice_type, lay.load_t, lay.quantity_t, lay.most_t,
        lay.unserved_usd,
    )  # fmt: skip
    keep_to_links(lay, wagons, prices)
    return wagons


def keep_to_links(layout: Layout, wagons: Array, prices: Prices) -> None:
    """Give up loads (c,), in place, on links where they alone are too many."""
    lay = layout
    over = link_use(lay, wagons, np.zeros((len(lay.empty_usd), lay.days))) - lay.link_limit[:, None]
    for link, on_day in zip(*np.nonzero(over > SPARE), strict=True):
        drop_from_link(lay, wagons, prices, int(link), int(on_day), float(over[link, on_day]))


def drop_from_link(layout: Layout, wagons: Array, prices: Prices, link: int, day: int, over: float) -> None:
    """Give up loads over a link on a day, wagon by wagon those that pay least for what they take of it."""
    lay = layout
    today = np.flatnonzero((wagons > 0) & (lay.choice_day == day))
    column, links, weights = expand(lay.choice_links, lay.choice_move[today])
    mine = links == link
    users, weight = today[column[mine]], weights[mine]
    load, order = lay.load_t[lay.choice_type], lay.choice_order[users]
    rows = np.flatnonzero(np.isin(lay.choice_order, order))
    tonnes = np.bincount(lay.choice_order[rows], weights=(wagons * load)[rows], minlength=lay.num_orders)
    while over > SPARE and wagons[users].any():
        left, without = (np.maximum(0.0, lay.quantity_t[order] - tonnes[order] + less) for less in (0, load[users]))
        loss = lay.unserved_usd[order] * (without - left) - prices.price[users]
        rate = np.where(wagons[users] > 0, loss / np.minimum(weight, over), np.inf)
        at = int(np.argmin(rate))
        wagons[users[at]] -= 1
        tonnes[order[at]] -= load[users[at]]
        over -= weight[at]


def _take(wagons: Array, users: Array, count: int) -> None:
    for choice in users:
        taken = min(count, int(wagons[choice]))
        wagons[choice] -= taken
        count -= taken
        if not count:
            break


def route_all(networks: TypeNetworks, wagons: Array) -> WholePlan:
    """Route every type around the loaded runs, giving up what cannot be; the plan keeps every rule."""
    lay = networks.layout
    wagons = wagons.copy()
    kinds = len(lay.load_t)
    flows = Flows.none(lay)
    for kind in range(kinds):
        networks.route(kind, wagons, wagons, lay.choice_usd, flows)
    cap = np.full(flows.empty.shape, MANY, dtype=np.int64)
    for attempt in range(10 * MOST_PASSES):
        crowded = _crowded_types(lay, wagons, flows)
        if not crowded.any():
            break
        _cap_links(lay, wagons, flows, cap)
        for crowd in np.flatnonzero(crowded):
            room = _night_room(lay, flows)
            networks.route(int(crowd), wagons, wagons, lay.choice_usd, flows, room.ravel(), cap)
        if attempt % 2:
            _give_up(lay, wagons, flows, hard=attempt > 4 * MOST_PASSES)
    return WholePlan(wagons, flows, plan_usd(lay, wagons, flows))


def route_tolled(networks: TypeNetworks, wagons: Array, tolled: Tolled) -> tuple[Array, Flows]:
    """
    Route every type once, at costs that keep most yards and train paths free for those who need them most.

    Returns
    -------
    (c,) the wagons of ``wagons`` that are worth their way, and the flows; some yards and links may be too full.
    """
    lay = networks.layout
    saved = lay.unserved_usd[lay.choice_order] * lay.load_t[lay.choice_type]
    found, flows = np.zeros_like(wagons), Flows.none(lay)
    for kind in range(len(lay.load_t)):
        found += networks.route(
            kind, np.zeros_like(wagons), wagons, tolled.choice_usd - saved, flows,
            empty_usd=tolled.empty_usd, night_usd=tolled.night_usd,
        )  # fmt: skip
    return found, flows


def breaks_rules(layout: Layout, plan: WholePlan) -> bool:
    """Whether wagons come out of nowhere, or more are in a yard or on a link than it takes."""
    busy = link_use(layout, plan.wagons, plan.flows.empty) > layout.link_limit[:, None] + SPARE
    crowded = busy.any() or _crowded_types(layout, plan.wagons, plan.flows).any()
    return bool(crowded or is_unbalanced(layout, plan.wagons, plan.flows))


def _crowded_types(layout: Layout, wagons: Array, flows: Flows) -> Array:
    """(types,) types with wagons out of nowhere, in a yard too full or over a link too busy."""
    lay = layout
    found = np.zeros(len(lay.load_t), dtype=bool)
    missing = flows.missing.reshape(lay.num_sites, lay.days).any(axis=1)
    found[lay.site_type[missing]] = True
    over = yard_use(lay, flows.stand) > lay.yard_room[:, None]
    if over.any():
        within = np.flatnonzero(lay.site_yard >= 0)
        stand = flows.stand.reshape(lay.num_sites, lay.days)[within]
        guilty = ((stand > 0) & over[lay.site_yard[within]]).any(axis=1)
        found[lay.site_type[within[guilty]]] = True
    busy = link_use(lay, wagons, flows.empty) > lay.link_limit[:, None] + SPARE
    if busy.any():
        move, day = np.nonzero(flows.empty)
        column, link, _ = expand(lay.empty_links, move)
        hit = busy[link, day[column]]
        found[lay.site_type[lay.empty_from[move[column[hit]]]]] = True
    return found


def _night_room(layout: Layout, flows: Flows) -> Array:
    """(sites, days) wagons that may stand at each site with the others where they are."""
    lay = layout
    room = np.full((lay.num_sites, lay.days), MANY, dtype=np.int64)
    within = lay.site_yard >= 0
    stand = flows.stand.reshape(lay.num_sites, lay.days)
    spare = lay.yard_room[:, None] - yard_use(lay, flows.stand).astype(np.int64)
    room[within] = np.maximum(0, spare[lay.site_yard[within]] + stand[within])
    return room


def _cap_links(layout: Layout, wagons: Array, flows: Flows, cap: Array) -> None:
    """Cut back empty runs over links that are too busy, in proportion; ``cap`` (e, days) only falls."""
    lay = layout
    loaded = link_use(lay, wagons, np.zeros(flows.empty.shape))
    use = link_use(lay, wagons, flows.empty)
    busy = use > lay.link_limit[:, None] + SPARE
    if not busy.any():
        return
    share = np.where(busy, np.maximum(0.0, lay.link_limit[:, None] - loaded) / np.maximum(1e-9, use - loaded), 1.0)
    move, day = np.nonzero(flows.empty)
    column, link, _ = expand(lay.empty_links, move)
    least = np.ones(len(move))
    np.minimum.at(least, column, share[link, day[column]])
    cut = least < 1.0
    cap[move[cut], day[cut]] = np.minimum(
        cap[move[cut], day[cut]], np.floor(flows.empty[move[cut], day[cut]] * least[cut])
    )


def _give_up(layout: Layout, wagons: Array, flows: Flows, hard: bool) -> None:
    """Drop loads for wagons out of nowhere, and loads that overfill a yard."""
    lay, days = layout, layout.days
    for state in np.flatnonzero(flows.missing):
        site, day = divmod(int(state), days)
        leaving = (wagons > 0) & (lay.choice_tail // days == site)
        leaving &= (lay.choice_day >= day) if not hard else True
        users = np.flatnonzero(leaving)
        if not len(users):
            users = np.flatnonzero((wagons > 0) & (lay.choice_type == lay.site_type[site]) & (lay.choice_day >= day))
        _take(wagons, users[np.argsort(lay.choice_day[users], kind="stable")], int(flows.missing[state]))
    over = yard_use(lay, flows.stand) - lay.yard_room[:, None]
    for yard, night in zip(*np.nonzero(over > 0), strict=True):
        if night and over[yard, night - 1] > 0:
            continue  # what came before counts
        heads = np.maximum(lay.choice_head, 0)
        arriving = (wagons > 0) & (lay.choice_head >= 0) & (lay.site_yard[heads // days] == yard)
        users = np.flatnonzero(arriving & (heads % days <= night))
        _take(wagons, users[np.argsort(-(heads[users] % days), kind="stable")], int(over[yard, night]))
