"""Windows of days with whole loaded runs around a plan: kept where the whole plan gets cheaper."""

from __future__ import annotations

import numpy as np

from optimizer.models.rolling_stock.wagons.bounds import Prices
from optimizer.models.rolling_stock.wagons.flows import Flows, TypeNetworks
from optimizer.models.rolling_stock.wagons.layout import Array
from optimizer.models.rolling_stock.wagons.programme import Amounts, Part, link_use
from optimizer.models.rolling_stock.wagons.relaxation import Relaxation
from optimizer.models.rolling_stock.wagons.rounding import SPARE, route_all
from optimizer.models.rolling_stock.wagons.search import Search
from optimizer.models.rolling_stock.wagons.whole_plans import near_the_values, release_days

WINDOW_DAYS, WINDOW_REGRET_USD = 7, 40.0
WINDOW_GAP = 3e-4


def search_windows(search: Search, relaxation: Relaxation) -> None:
    """Windows of days with whole loaded runs, in turn, until a full turn brings nothing."""
    lay = search.layout
    if search.plan is None or search.prices is None:
        return
    release, prices = release_days(lay), search.prices
    relaxation.active |= search.plan.flows.empty > 0
    nets = TypeNetworks(lay, near_the_values(search, relaxation.active))
    turn, gained = 0, True
    while gained and not search.over():
        gained = False
        for first in range(-(turn % 2) * (WINDOW_DAYS // 2), lay.days, WINDOW_DAYS):
            if search.over():
                return
            begin, last = max(0, first), min(lay.days, first + WINDOW_DAYS + 4)
            part = Part(begin, last, (release >= begin) & (release < first + WINDOW_DAYS))
            if part.orders.any():
                gained |= _improve(search, relaxation, nets, part, prices)
        turn += 1


def _improve(search: Search, relaxation: Relaxation, nets: TypeNetworks, part: Part, prices: Prices) -> bool:
    lay, plan = search.layout, search.plan
    assert plan is not None
    now = as_amounts(plan.wagons, plan.flows)
    fixed = now.before(lay, part.first, part.orders)
    best = np.full(lay.num_orders, np.inf)
    np.minimum.at(best, lay.choice_order, prices.price / lay.load_t[lay.choice_type])
    load = lay.load_t[lay.choice_type]
    regret = prices.price - best[lay.choice_order] * load
    most = np.floor(lay.most_t[lay.choice_order] / load + 1e-9)
    high = np.where((regret <= WINDOW_REGRET_USD) | (plan.wagons > 0), np.minimum(most, plan.wagons + 4), 0)
    low = np.maximum(0, plan.wagons - 4)
    solved = relaxation.solve(
        part, fixed, prices.value, search.limits(0.5, gap=WINDOW_GAP), whole=(low, high), start=now
    )
    if solved is None:
        return False
    wagons = np.where(part.orders[lay.choice_order], np.rint(solved.amounts.choice), plan.wagons).astype(np.int64)
    if (wagons == plan.wagons).all():
        return False
    relaxation.link_rows |= link_use(lay, wagons, np.zeros(plan.flows.empty.shape)) > lay.link_limit[:, None] + SPARE
    return search.offer(route_all(nets, wagons))


def as_amounts(wagons: Array, flows: Flows) -> Amounts:
    return Amounts(wagons.astype(float), flows.empty.astype(float), flows.stand.astype(float), flows.hire.astype(float))
