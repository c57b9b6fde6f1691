"""A running wagon plan goes on under new circumstances: what can stay stays, what cannot is sent another way.

1. Runs of the old plan that are still there are kept, with their empties and hires. Where a run is gone, its wagons are
   missing at its end and too many at its start: they go there the cheapest way in the residual network, and loads that
   they cannot reach in time are given up. Where many runs are gone, orders that lost wagons get others at the old
   prices, and every type is routed anew around its loads, which is faster than so many searches.
2. Orders that lost wagons, then those that share places and days with them, add, drop and exchange wagons while that
   pays (:mod:`insertion`); a wagon on a loaded run that the old plan does not have costs a little more, so that little
   moves.
3. The old plan's prices make a bound at once (:mod:`bounds`); the relaxation goes on from them while time is left.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.wagons.bounds import Prices
from optimizer.models.rolling_stock.wagons.bounds_kernels import fit_loads
from optimizer.models.rolling_stock.wagons.engine import FIRST_STEPS, LONGER, SLOW_SHARE, is_small, relax_rounds
from optimizer.models.rolling_stock.wagons.flows import SCALE, Flows, plan_usd
from optimizer.models.rolling_stock.wagons.insertion import Insertion
from optimizer.models.rolling_stock.wagons.layout import Array, Layout
from optimizer.models.rolling_stock.wagons.moves import Moves, Spot
from optimizer.models.rolling_stock.wagons.past import run_ends
from optimizer.models.rolling_stock.wagons.price_tables import read_prices
from optimizer.models.rolling_stock.wagons.programme import Amounts, Solved
from optimizer.models.rolling_stock.wagons.relaxation import COMPANY_USD, Relaxation
from optimizer.models.rolling_stock.wagons.residual import near_moves
from optimizer.models.rolling_stock.wagons.residues import Residues
from optimizer.models.rolling_stock.wagons.rounding import WholePlan, keep_to_links
from optimizer.models.rolling_stock.wagons.search import Search
from optimizer.models.rolling_stock.wagons.whole_plans import routed
from optimizer.models.rolling_stock.wagons.windows import as_amounts
from optimizer.result import Solution

LEAST_GAINS_USD = (10.0, 0.01)
"""Least gain of a change in the first pass over some orders, and in those that follow."""
PASSES, ROUNDS = 6, 3
MANY_GONE = 300
"""Runs gone from which all types are routed anew."""
NEIGHBOUR_DAYS = 3
"""Orders with a place in common whose days are at most so far apart are neighbours."""
STEPS_SHARE = 0.6
"""Largest share of the time left for the steps of one round."""


@dataclass
class Rest:
    """What an old plan has left to do, as far as it can.

    Attributes
    ----------
    wagons, flows
        (c,) loaded runs, and the flows around them as if the runs that are gone still brought their wagons.
    gone
        (state left, state reached or -1 - type, wagons) of runs that are gone.
    orders
        Numbers of the orders that lost wagons.
    """

    wagons: Array
    flows: Flows
    gone: list[tuple[int, int, int]] = field(default_factory=list)
    orders: set[int] = field(default_factory=set)


@collector_paused()
def rest_of(layout: Layout, residues: Residues, commodity: Mapping[str, str], solution: Solution) -> Rest | None:
    """What a plan does from the first day of ``layout`` on; None when it moves wagons that are not there."""
    lay, moves = layout, layout.moves
    found = Rest(np.zeros(len(lay.choice_usd), dtype=np.int64), Flows.none(lay))
    choices, empties = [moves.loaded[move] for move in lay.choice_move], [moves.empty[e] for e in lay.empty_number]
    loaded = _by_key(lay.choice_order, lay.choice_tail, lay.choice_head)
    empty, possible = _by_key(lay.empty_from, lay.empty_to), lay.possible
    site = {key: number for number, key in enumerate(lay.site_keys)}
    type_number = {wagon_id: number for number, wagon_id in enumerate(moves.types)}
    order_number = {order_id: number for number, order_id in enumerate(moves.orders)}
    change = lay.supply.astype(np.int64).copy()
    runs = solution["runs"]
    for run in runs[runs["depart_day"] >= moves.first].to_dict("records"):
        day, units, wagon_id, path = int(run["depart_day"]), int(run["wagons"]), run["wagon_id"], tuple(run["path"])
        start, end = run_ends(run, commodity, residues)
        if (wagon_id, start) not in site:
            return None
        tail, head = site[wagon_id, start] * lay.days + day, -1 - type_number[wagon_id]
        if run["arrive_day"] < lay.days:
            if (wagon_id, end) not in site:
                return None
            head = site[wagon_id, end] * lay.days + int(run["arrive_day"])
            change[head] += units
        change[tail] -= units
        order = order_number.get(run["order_id"], -1)
        if order >= 0:
            mine = [c for c in loaded.get((order, tail, max(head, -1)), ()) if choices[c].way.path == path]
            found.wagons[mine[:1]] += units
        elif run["order_id"]:
            mine = []
        else:
            ends = site[wagon_id, start], site.get((wagon_id, end), -1)
            mine = [e for e in empty.get(ends, ()) if empties[e].way.path == path and possible[e, day]]
            found.flows.empty[mine[:1], day] += units
        if not mine:
            found.gone.append((tail, head, units))
            if order >= 0:
                found.orders.add(order)
    hire = found.flows.hire.reshape(lay.num_sites, lay.days)
    hire += _on_hire(lay, site, solution)
    last = np.concatenate([np.zeros((lay.num_sites, 1), dtype=np.int64), hire[:, :-1]], axis=1)
    stand = (change.reshape(hire.shape) + hire - last).cumsum(axis=1)
    found.flows.stand[:] = stand.ravel()
    return None if stand.min(initial=0) < 0 or hire.min(initial=0) < 0 else found


def _by_key(*columns: Array) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the rows by what stands in them."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        found.setdefault(key, []).append(number)
    return found


def _on_hire(layout: Layout, site: Mapping[tuple[str, Spot], int], solution: Solution) -> Array:
    """(sites, days) wagons on hire from each site, from the first day of the layout on."""
    on_hire = np.zeros((layout.num_sites, layout.days), dtype=np.int64)
    for hire in solution["hires"].to_dict("records"):
        at = site.get((hire["wagon_id"], Spot(hire["node_id"], int(hire["gauge_mm"]))), -1)
        if at >= 0:
            on_hire[at, int(hire["day"]) :] += int(hire["units"]) * (1 if hire["change"] == "on" else -1)
    on_hire[:, : layout.moves.first] = 0
    return on_hire


def resume(search: Search, solution: Solution, change_usd: float) -> bool:
    """
    Carry a running plan on; plan and bound stand in ``search`` afterwards.

    Returns
    -------
    Whether the plan could be taken up; otherwise the search knows a bound only.
    """
    lay, problem = search.layout, search.problem
    orders = problem.table("orders")
    commodity = dict(zip(orders["order_id"], orders["commodity_id"], strict=True))
    known = _of_the_rest(search, read_prices(lay, solution))
    search.know(search.bounds.prices(*known))
    rest = rest_of(lay, Residues(problem), commodity, solution)
    if rest is None:
        return False
    if not rest.gone:
        search.offer(WholePlan(rest.wagons, rest.flows, plan_usd(lay, rest.wagons, rest.flows)))
        return True
    touched = set(rest.orders)
    insertion = _routed_anew(search, rest) if len(rest.gone) >= MANY_GONE else None
    if insertion is None and not search.options.stop.is_set():
        insertion = _carried_on(search, rest, known, touched)
    if insertion is None:
        return False
    search.offer(insertion.plan())
    if touched:
        insertion.net.usd[rest.wagons == 0] += round(change_usd * SCALE)
        _improve(search, insertion, np.array(sorted(touched)))
    return True


def _routed_anew(search: Search, rest: Rest) -> Insertion | None:
    """All types routed around the loads kept and the best ones, by price, of the orders that lost wagons."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    fitted = rest.wagons.copy()
    fit_loads(
        fitted, prices.price, lay.choice_start, lay.choice_type, lay.load_t, lay.quantity_t, lay.most_t,
        lay.unserved_usd,
    )  # fmt: skip
    lost = np.zeros(lay.num_orders, dtype=bool)
    lost[list(rest.orders)] = True
    wagons = np.where(lost[lay.choice_order], fitted, rest.wagons)
    keep_to_links(lay, wagons, prices)
    return routed(search, as_amounts(rest.wagons, rest.flows), wagons, search.options.stop.is_set)


def _carried_on(search: Search, rest: Rest, known: tuple[Array, Array, Array], touched: set[int]) -> Insertion | None:
    """Wagons of runs that are gone sent to where they are missing; orders that give up loads join the ``touched``."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    used = np.flatnonzero(rest.flows.empty.any(axis=1))
    insertion = Insertion(lay, lay.possible, np.union1d(near_moves(lay), used), idle=False)
    insertion.charge(search.bounds.tolled(*known[1:]))
    insertion.resume(rest.wagons, rest.flows, prices.value, search.over)
    left = paired(lay, rest.gone)
    for _ in range(ROUNDS):
        waiting, left = left, []
        for tail, head, units in waiting:
            if search.options.stop.is_set():
                return None
            missing, given_up = insertion.carry(tail, head, units)
            left += [(tail, head, missing)] if missing else []
            touched.update(lay.choice_order[given_up].tolist())
        if not left:
            return insertion
        insertion.mend(search.over)
    return None


def _of_the_rest(search: Search, known: tuple[Array, Array, Array] | None) -> tuple[Array, Array, Array]:
    """Prices without those of days that are over and of links that are closed, which would only lower the bound."""
    lay = search.layout
    if known is None:
        links, yards = np.zeros((len(lay.link_limit), lay.days)), np.zeros((len(lay.yard_room), lay.days))
        return np.zeros(lay.num_states), links, yards
    value, links, yards = known
    links[:, : lay.moves.first] = yards[:, : lay.moves.first] = 0.0
    for number, (link, _, _) in enumerate(lay.limit_keys):
        for closure in search.problem.closed:
            if closure.link_id == link:
                links[number, closure.first_day : closure.last_day + 1] = 0.0
    return value, links, yards


def paired(layout: Layout, gone: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """
    Whose wagons go where: what is too many at a state first waits there for what is missing later at the same site.

    Parameters
    ----------
    gone
        (state left, state reached or -1 - type, wagons) of runs that are gone.
    """
    lay, days = layout, layout.days
    change: dict[int, int] = defaultdict(int)
    behind: dict[int, int] = defaultdict(int)
    for tail, head, units in gone:
        change[tail] += units
        if head < 0:
            behind[-1 - head] += units
        else:
            change[head] -= units
    found = list[tuple[int, int, int]]()
    over: dict[int, list[list[int]]] = defaultdict(list)
    short: dict[int, list[list[int]]] = defaultdict(list)
    by_site: dict[int, list[list[int]]] = defaultdict(list)
    for state in sorted(change):
        site, waiting, left = state // days, by_site[state // days], change[state]
        while left < 0 and waiting:
            units = min(-left, waiting[0][1])
            found.append((waiting[0][0], state, units))
            left += units
            waiting[0][1] -= units
            if not waiting[0][1]:
                waiting.pop(0)
        if left > 0:
            waiting.append([state, left])
        elif left < 0:
            short[int(lay.site_type[site])].append([state, -left])
    for site, waiting in by_site.items():
        over[int(lay.site_type[site])] += waiting
    for kind, many in over.items():
        many.sort(key=lambda pair: pair[0] % days)
        few = sorted(short[kind], key=lambda pair: pair[0] % days)
        few += [[-1 - kind, behind[kind]]] if behind[kind] else []
        while many:
            units = min(many[0][1], few[0][1])
            found.append((many[0][0], few[0][0], units))
            for side in (many, few):
                side[0][1] -= units
                if not side[0][1]:
                    side.pop(0)
    return found


def _improve(search: Search, insertion: Insertion, touched: Array) -> None:
    """Orders that lost wagons by themselves, then with their neighbours, until nothing pays."""
    for orders in (touched, _with_neighbours(search.layout, search.moves, touched)):
        for number in range(PASSES):
            if search.over():
                return
            moved = insertion.improve(orders, search.over, LEAST_GAINS_USD[min(number, 1)])
            search.offer(insertion.plan())
            if not moved and number:
                break


def _with_neighbours(layout: Layout, moves: Moves, touched: Array) -> Array:
    """Numbers of the orders that share a site with touched ones, on days not far apart."""
    lay = layout
    first, last = np.full(lay.num_orders, lay.days), np.full(lay.num_orders, -1)
    np.minimum.at(first, lay.choice_order, lay.choice_day)
    np.maximum.at(last, lay.choice_order, lay.choice_day)
    ends: dict[int, list[int]] = defaultdict(list)
    site = np.stack([lay.choice_tail // lay.days, np.where(lay.choice_head < 0, -1, lay.choice_head // lay.days)], 1)
    pairs = np.unique(np.concatenate([np.stack([site[:, i], lay.choice_order], 1) for i in (0, 1)]), axis=0)
    for at, order in pairs[pairs[:, 0] >= 0].tolist():
        ends[at].append(order)
    mine, found = set(touched.tolist()), set(touched.tolist())
    for orders in ends.values():
        for one in mine.intersection(orders):
            near = [
                o for o in orders if first[o] <= last[one] + NEIGHBOUR_DAYS and last[o] >= first[one] - NEIGHBOUR_DAYS
            ]
            found.update(near)
    return np.array(sorted(found, key=lambda order: (first[order], order)))


def raise_bound(search: Search) -> None:
    """Rounds of the relaxation, in large cases from the prices and the plan known, while another would end in time."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    if search.over():
        return
    relaxation = Relaxation(lay, search.bounds)
    if is_small(lay):
        relax_rounds(search, relaxation)
        return
    part, nothing, behind = relaxation.everything(), Amounts.none(lay), np.zeros(lay.num_states)
    start = _start(search, relaxation, prices)
    left, took = search.left_s(), 0.0
    while not search.over() and (left is None or LONGER * took < left):
        begun, before = time.perf_counter(), search.bound
        start = relaxation.approach(start, search.limits(STEPS_SHARE), FIRST_STEPS)
        search.know(search.bounds.prices(start.value, start.link_usd, start.yard_usd))
        if took and search.bound <= before * (1 + SLOW_SHARE):
            return
        relaxation.shrink(start)
        relaxation.grow(part, start, nothing, behind)
        left, took = search.left_s(), time.perf_counter() - begun


def _start(search: Search, relaxation: Relaxation, prices: Prices) -> Solved:
    """Where gradient steps begin: the plan, the old prices, and for each order the tonne that costs least at them."""
    lay = search.layout
    plan = search.plan or WholePlan(np.zeros(len(lay.choice_usd), dtype=np.int64), Flows.none(lay), 0.0)
    amounts = as_amounts(plan.wagons, plan.flows)
    reduced = search.bounds.reduced_usd(prices.value.reshape(lay.num_sites, lay.days), prices.link_usd)
    relaxation.active |= (amounts.empty > 0) | (reduced < COMPANY_USD) & lay.possible
    relaxation.link_rows |= prices.link_usd > 0
    relaxation.yard_rows |= prices.yard_usd > 0
    per_t = lay.unserved_usd.copy()
    np.minimum.at(per_t, lay.choice_order, prices.price / lay.load_t[lay.choice_type])
    load = lay.load_t[lay.choice_type]
    carried = np.bincount(lay.choice_order, weights=plan.wagons * load, minlength=lay.num_orders)
    short = lay.quantity_t - carried
    return Solved(
        amounts, prices.value, prices.link_usd, prices.yard_usd, np.append(per_t, np.zeros(relaxation.num_roundings)),
        np.append(np.maximum(short, 0.0), np.maximum(-short, 0.0)),
    )  # fmt: skip
