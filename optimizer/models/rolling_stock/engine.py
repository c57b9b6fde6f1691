"""Wagons at real size: relaxation by parts of the horizon, whole plans by flows per type, search in windows of days.

1. The relaxation grows its empty runs, yards and train paths by prices, over the whole horizon when it is small, else
   over overlapping parts: forwards for amounts, then backwards for prices, each with what the other knows at its edge.
   :mod:`bounds` makes a bound of the prices.
2. Loaded runs are rounded at those prices, and :mod:`rounding` routes everything else as whole flows.
3. Windows of days are solved again with whole loaded runs, worth beyond the window at its price, and kept where the
   plan gets cheaper; what cannot pay is left out by its price.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.bounds import Bounds, Prices
from optimizer.models.rolling_stock.exact import plan_cost, plan_tables
from optimizer.models.rolling_stock.flows import Flows, TypeNetworks
from optimizer.models.rolling_stock.layout import Array, Layout, lay_out
from optimizer.models.rolling_stock.moves import Moves, wagon_moves
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.relaxation import Amounts, Part, Relaxation, Solved
from optimizer.models.rolling_stock.rounding import WholePlan, breaks_rules, round_loads, route_all
from optimizer.models.rolling_stock.unserved import tell_unserved
from optimizer.result import Outcome, Progress, Status, relative_gap

SMALL_COLUMNS = 5_000
"""Loaded and empty runs up to which the exact method is asked."""
ONE_PART_STATES, ONE_PART_ORDERS = 12_000, 4_000
"""Sizes up to which the relaxation is solved in one piece."""
PART_DAYS, AHEAD_DAYS = 8, 5
"""Days of a part that are kept, and days looked ahead."""
MOST_ROUNDS = 6
ROUGH_SHARE = 0.005
"""Forwards, rounds end when they ask for at most this share of the empty runs on offer."""
WINDOW_DAYS, WINDOW_REGRET_USD = 7, 40.0
WINDOW_GAP = 3e-4
NETWORK_USD = 60.0
"""Empty runs that cost at most this much more than the values they join are on offer to whole flows."""


class Search:
    """Best plan and bound so far, within the limits of a run."""

    def __init__(self, problem: RollingStock, options: SolveOptions, moves: Moves | None = None) -> None:
        self.started, self.options, self.problem = time.perf_counter(), options, problem
        self.moves = moves or wagon_moves(problem)
        self.cost = float(plan_cost(self.moves, {}, {}))  # nothing moves
        self.bound = 0.0
        self.plan: WholePlan | None = None
        self.prices: Prices | None = None
        self.layout: Layout = lay_out(self.moves)
        self.bounds = Bounds(self.layout)

    def left_s(self) -> float | None:
        limit = self.options.time_limit_s
        return None if limit is None else limit - (time.perf_counter() - self.started)

    def over(self) -> bool:
        left = self.left_s()
        close = relative_gap(self.cost, self.bound) <= max(self.options.gap, 1e-9)
        return close or self.options.stop.is_set() or (left is not None and left < 0.05)

    def limits(self, share: float = 1.0, gap: float = 0.0) -> SolveOptions:
        """Options for a step: a share of the time that is left."""
        left = self.left_s()
        seconds = None if left is None else max(0.02, left * share)
        return replace(self.options, time_limit_s=seconds, on_progress=None, gap=gap)

    def know(self, prices: Prices) -> None:
        if prices.bound > self.bound or self.prices is None:
            self.bound, self.prices = max(self.bound, prices.bound), prices
            self.tell()

    def offer(self, plan: WholePlan) -> bool:
        """Take a plan when it is whole and cheaper."""
        if plan.usd >= self.cost - 1e-6 or breaks_rules(self.layout, plan):
            return False
        self.cost, self.plan = plan.usd, plan
        self.tell()
        return True

    def tell(self) -> None:
        if self.options.on_progress is not None:
            elapsed = time.perf_counter() - self.started
            self.options.on_progress(Progress(self.cost, min(self.bound, self.cost), elapsed))


def solve_engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    """
    Wagon plan with a bound; see the module.

    Problems of a few thousand columns go to :func:`allocate.solve_exact`, and so does the wish to carry every order,
    which is a question of whether rather than of cost, and fleets with maintenance, which flows by type do not hold.
    """
    from optimizer.models.rolling_stock.allocate import solve_exact

    moves = wagon_moves(problem)
    if problem.serve_all or moves.wear or _columns(moves) <= SMALL_COLUMNS:
        return solve_exact(problem, options, moves)
    return solve_by_parts(problem, options, moves)


def _columns(moves: Moves) -> int:
    loaded = sum(len(moves.orders[move.order_id].window) for move in moves.loaded)
    return loaded + len(moves.empty) * moves.days


def solve_by_parts(problem: RollingStock, options: SolveOptions, moves: Moves | None = None) -> Outcome:
    """The engine proper, whatever the size."""
    search = Search(problem, options, moves)
    amounts = _first_prices(search)
    relaxation = Relaxation(search.layout, search.bounds)
    if not search.over():
        amounts = _relax(search, relaxation, amounts)
    if not search.over():
        _search_windows(search, relaxation, amounts)
    return outcome(search)


def outcome(search: Search) -> Outcome:
    """Tables of the best plan, with its exact cost."""
    runs, on_hire = _runs(search) if search.plan is not None else ({}, {})
    cost = float(plan_cost(search.moves, runs, on_hire))
    bound = min(search.bound, cost)
    proved = relative_gap(cost, bound) <= max(search.options.gap, 1e-6)
    solution = plan_tables(search.moves, runs, on_hire)
    left = dict(zip(solution["unserved"]["order_id"], solution["unserved"]["quantity_t"], strict=True))
    solution = tell_unserved(search.problem, search.moves, solution, _prices_of_unserved(search, left))
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, solution, cost, bound)


def _prices_of_unserved(search: Search, left_t: dict[str, float]) -> dict[str, float]:
    """USD a tonne of the cheapest wagon for what is left of each order, at the values of the bound."""
    if search.prices is None:
        return {}
    lay, left = search.layout, np.array([left_t.get(order_id, np.inf) for order_id in search.moves.orders])
    per_t = search.prices.price / np.minimum(lay.load_t[lay.choice_type], left[lay.choice_order])
    best = np.full(lay.num_orders, np.inf)
    np.minimum.at(best, lay.choice_order, per_t)
    least = dict(zip(search.moves.orders, best.tolist(), strict=True))
    return {order_id: round(max(0.0, least[order_id]), 4) for order_id in left_t if np.isfinite(least[order_id])}


def _runs(search: Search) -> tuple[dict[Any, int], dict[Any, int]]:
    lay, plan, moves = search.layout, search.plan, search.moves
    assert plan is not None
    runs: dict[Any, int] = {}
    for choice in np.flatnonzero(plan.wagons):
        runs[moves.loaded[lay.choice_move[choice]], int(lay.choice_day[choice])] = int(plan.wagons[choice])
    for move, day in zip(*np.nonzero(plan.flows.empty), strict=True):
        runs[moves.empty[lay.empty_number[move]], int(day)] = int(plan.flows.empty[move, day])
    keys = lay.site_keys
    on_hire = {
        (*keys[state // lay.days], int(state % lay.days)): int(plan.flows.hire[state])
        for state in np.flatnonzero(plan.flows.hire)
    }
    return runs, on_hire


def _first_prices(search: Search) -> Amounts:
    """The first bound: values that a wagon has without any load."""
    search.know(search.bounds.prices(np.zeros(search.layout.num_states)))
    return Amounts.none(search.layout)


def _parts(layout: Layout) -> list[Part]:
    """Overlapping parts of the horizon; each order is free in the parts from its release on until it is fixed."""
    if layout.num_states <= ONE_PART_STATES and layout.num_orders <= ONE_PART_ORDERS:
        return [Part(0, layout.days, np.ones(layout.num_orders, dtype=bool))]
    release = _release(layout)
    parts = []
    for first in range(0, layout.days, PART_DAYS):
        last = min(layout.days, first + PART_DAYS + AHEAD_DAYS)
        parts.append(Part(first, last, (release >= first) & (release < last)))
        if last == layout.days:
            break
    return parts


def _release(layout: Layout) -> Array:
    """(o,) first day on which an order can leave; after the horizon for those that cannot."""
    first = np.full(layout.num_orders, layout.days, dtype=np.int64)
    np.minimum.at(first, layout.choice_order, layout.choice_day)
    return first


def _solve_part(
    search: Search, relaxation: Relaxation, part: Part, fixed: Amounts, value: Array, rough: bool
) -> Solved | None:
    found = None
    for _ in range(MOST_ROUNDS):
        if search.over():
            break
        solved = relaxation.solve(part, fixed, value, search.limits())
        if solved is None:
            break
        found = solved
        enough = ROUGH_SHARE * relaxation.active[:, part.first : part.last].sum() if rough else 0.0
        if relaxation.grow(part, solved, fixed, value) <= enough:
            break
        if part.last - part.first == search.layout.days:
            search.know(search.bounds.prices(solved.value, solved.link_usd, solved.yard_usd))
    return found


def _relax(search: Search, relaxation: Relaxation, amounts: Amounts) -> Amounts:
    """Forwards for amounts, backwards for prices; a plan after each."""
    lay, parts = search.layout, _parts(search.layout)
    value = np.zeros(lay.num_states) if search.prices is None else search.prices.value.copy()
    link_usd, yard_usd = np.zeros((len(lay.link_room), lay.days)), np.zeros((len(lay.yard_room), lay.days))
    day = np.arange(lay.num_states) % lay.days
    starts: list[Amounts] = []

    def learn(part: Part, solved: Solved, until: int) -> None:
        kept = (day >= part.first) & (day < until)
        value[kept] = solved.value[kept]
        link_usd[:, part.first : until] = solved.link_usd[:, part.first : until]
        yard_usd[:, part.first : until] = solved.yard_usd[:, part.first : until]

    for part in parts:
        fixed = amounts.before(lay, part.first, part.orders)
        starts.append(fixed)
        solved = _solve_part(search, relaxation, part, fixed, value, rough=len(parts) > 1)
        if solved is None:
            break
        amounts = _added(fixed, solved.amounts)
        learn(part, solved, part.last)
        search.tell()
    if len(starts) == len(parts):
        search.know(search.bounds.prices(value, link_usd, yard_usd))
        _plan_from(search, relaxation, amounts)
        if len(parts) > 1:
            for at in range(len(parts) - 2, -1, -1):
                part = parts[at]
                solved = _solve_part(search, relaxation, part, starts[at], value, rough=False)
                if solved is None:
                    break
                learn(part, solved, parts[at + 1].first)
            search.know(search.bounds.prices(value, link_usd, yard_usd))
            _plan_from(search, relaxation, amounts)
    return amounts


def _added(first: Amounts, second: Amounts) -> Amounts:
    return Amounts(
        first.choice + second.choice, first.empty + second.empty, first.stand + second.stand, first.hire + second.hire
    )


def networks(search: Search, relaxation: Relaxation, extra: Array | None = None) -> TypeNetworks:
    """Networks over the empty runs that cost little more than the values they join."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    reduced = search.bounds.reduced_usd(prices.value.reshape(lay.num_sites, lay.days), prices.link_usd)
    offered = (reduced < NETWORK_USD) & lay.possible
    return TypeNetworks(lay, offered if extra is None else offered | extra)


def _plan_from(search: Search, relaxation: Relaxation, amounts: Amounts) -> None:
    assert search.prices is not None
    wagons = round_loads(search.layout, amounts.choice, search.prices)
    search.offer(route_all(networks(search, relaxation), wagons))


def _search_windows(search: Search, relaxation: Relaxation, amounts: Amounts) -> None:
    """Windows of days with whole loaded runs, in turn, until a full turn brings nothing."""
    lay = search.layout
    if search.plan is None or search.prices is None:
        return
    release, prices = _release(lay), search.prices
    nets = networks(search, relaxation)
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
    now = _as_amounts(plan.wagons, plan.flows)
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
    return search.offer(route_all(nets, wagons))


def _as_amounts(wagons: Array, flows: Flows) -> Amounts:
    return Amounts(wagons.astype(float), flows.empty.astype(float), flows.stand.astype(float), flows.hire.astype(float))
