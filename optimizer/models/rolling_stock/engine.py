"""Wagons at real size: relaxation, whole plans wagon by wagon, search in windows of days.

1. The relaxation grows its empty runs, yards and train paths by prices: by the interior point method, in large cases
   after gradient steps that begin where the last ones ended. :mod:`bounds` makes a bound of the prices.
2. Loaded runs are rounded and routed type by type, yards and train paths at those prices; every order then adds, drops
   and exchanges wagons while that pays, at the exact cost of all flows around it (:mod:`insertion`).
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
from optimizer.models.rolling_stock.diving import dive
from optimizer.models.rolling_stock.exact import plan_cost, plan_tables
from optimizer.models.rolling_stock.flows import Flows, TypeNetworks
from optimizer.models.rolling_stock.insertion import LEAST_GAIN_USD, Insertion, near_moves
from optimizer.models.rolling_stock.layout import Array, Layout, expand, lay_out
from optimizer.models.rolling_stock.moves import Moves, OutOfTimeError, wagon_moves
from optimizer.models.rolling_stock.price_tables import price_tables
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.relaxation import Amounts, Part, Relaxation, Solved, link_use
from optimizer.models.rolling_stock.rounding import (
    SPARE,
    WholePlan,
    breaks_rules,
    keep_to_links,
    round_loads,
    route_all,
    route_tolled,
)
from optimizer.models.rolling_stock.unserved import tell_unserved
from optimizer.result import Outcome, Progress, Status, relative_gap

SMALL_COLUMNS = 5_000
"""Loaded and empty runs up to which the exact method is asked."""
INTERIOR_STATES, INTERIOR_ORDERS = 12_000, 4_000
"""Sizes up to which the relaxation is solved by the interior point method."""
MOST_ROUNDS = 6
FIRST_ROUNDS, FIRST_STEPS = 4, 600
MORE_ROUNDS, MORE_STEPS = 7, 1_000
"""Rounds of gradient steps, and steps of each, before the first plan and before the dive."""
SLOW_SHARE, SLOW_ROUNDS = 5e-4, 3
"""Rounds end when so many each raise the bound by at most this share."""
INTERIOR_SHARE = 0.8
"""Largest share of the time left for a round of the interior point method."""
LONGER = 1.2
"""How much longer than the last round the next one may take."""
MOST_PASSES = 20
"""Passes over all orders."""
USED = 0.01
"""Wagons on an empty run of the relaxation from which it is on offer to a plan."""
TOLLS_USD = (100.0, 400.0, 1600.0, 6400.0, 25_600.0, 0.0)
"""More toll a wagon where links and yards stay too full, round by round; after the last, loads go on one by one."""
WINDOW_DAYS, WINDOW_REGRET_USD = 7, 40.0
WINDOW_GAP = 3e-4
NETWORK_USD = 60.0
"""Empty runs that cost at most this much more than the values they join are on offer to whole flows."""


class Search:
    """Best plan and bound so far, within the limits of a run."""

    def __init__(
        self, problem: RollingStock, options: SolveOptions, moves: Moves | None = None, started: float | None = None
    ) -> None:
        self.started = time.perf_counter() if started is None else started
        self.options, self.problem = options, problem
        self.moves = moves or wagon_moves(problem)
        self.cost = _standing_usd(self.moves)
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
            cost = self.cost if np.isfinite(self.cost) else None
            self.options.on_progress(Progress(cost, min(self.bound, self.cost), elapsed))


def _standing_usd(moves: Moves) -> float:
    """Cost of the plan in which nothing moves; inf where the wagons of a running plan then overfill a yard."""
    return float("inf") if moves.overfilled() else float(plan_cost(moves, {}, moves.kept_on_hire()))


def solve_engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    """
    Wagon plan with a bound; see the module.

    Problems of a few thousand columns go to :func:`allocate.solve_exact`, and so does the wish to carry every order,
    which is a question of whether rather than of cost, and fleets with maintenance, which flows by type do not hold.
    """
    from optimizer.models.rolling_stock.allocate import solve_exact

    started = time.perf_counter()

    def over() -> bool:
        late = options.time_limit_s is not None and time.perf_counter() - started >= options.time_limit_s
        return late or options.stop.is_set()

    try:
        moves = wagon_moves(problem, over=over)
    except OutOfTimeError:
        return nothing_moves(problem)
    if problem.serve_all or moves.wear or _columns(moves) <= SMALL_COLUMNS:
        return solve_exact(problem, options, moves)
    return solve_by_parts(problem, options, moves, started)


def nothing_moves(problem: RollingStock) -> Outcome:
    """The plan for a time limit that does not even last to look at the ways; every part of a cost is 0 or more."""
    if problem.serve_all:
        return Outcome(Status.NO_SOLUTION, bound=0.0)
    moves = wagon_moves(problem, runs=False)
    if moves.overfilled():
        return Outcome(Status.NO_SOLUTION, bound=0.0)
    on_hire = moves.kept_on_hire()
    solution = dict(plan_tables(moves, {}, on_hire))
    solution["unserved"] = solution["unserved"].assign(reason="there was no time to look for wagons")
    return Outcome(Status.FEASIBLE, solution, float(plan_cost(moves, {}, on_hire)), 0.0)


def _columns(moves: Moves) -> int:
    loaded = sum(len(moves.orders[move.order_id].window) for move in moves.loaded)
    return loaded + len(moves.empty) * (moves.days - moves.first)


def solve_by_parts(
    problem: RollingStock, options: SolveOptions, moves: Moves | None = None, started: float | None = None
) -> Outcome:
    """
    The engine proper, whatever the size, for fleets without maintenance.

    ``started`` is read off the performance counter, now by default.
    """
    search = Search(problem, options, moves, started)
    lay = search.layout
    search.know(search.bounds.prices(np.zeros(lay.num_states)))  # what a wagon is worth without any load
    relaxation = Relaxation(lay, search.bounds)
    if is_small(lay):
        _relax(search, relaxation, Amounts.none(lay))
    else:
        _approach(search, relaxation)
    if not search.over():
        _search_windows(search, relaxation)
    return outcome(search)


def outcome(search: Search) -> Outcome:
    """Tables of the best plan, with its exact cost."""
    if not np.isfinite(search.cost):
        return Outcome(Status.NO_SOLUTION, bound=search.bound)
    runs, on_hire = _runs(search) if search.plan is not None else ({}, search.moves.kept_on_hire())
    cost = float(plan_cost(search.moves, runs, on_hire))
    bound = min(search.bound, cost)
    proved = relative_gap(cost, bound) <= max(search.options.gap, 1e-6)
    solution = plan_tables(search.moves, runs, on_hire)
    left = dict(zip(solution["unserved"]["order_id"], solution["unserved"]["quantity_t"], strict=True))
    solution = tell_unserved(search.problem, search.moves, solution, _prices_of_unserved(search, left))
    if search.prices is not None:
        solution = {**solution, **price_tables(search.layout, search.prices)}
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
    return {
        order_id: round(max(0.0, least[order_id]), 4) for order_id in left_t if np.isfinite(least.get(order_id, np.inf))
    }


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


def _release(layout: Layout) -> Array:
    """(o,) first day on which an order can leave; after the horizon for those that cannot."""
    first = np.full(layout.num_orders, layout.days, dtype=np.int64)
    np.minimum.at(first, layout.choice_order, layout.choice_day)
    return first


def is_small(layout: Layout) -> bool:
    """Whether the interior point method takes the relaxation as it is."""
    return layout.num_states <= INTERIOR_STATES and layout.num_orders <= INTERIOR_ORDERS


def _relax(search: Search, relaxation: Relaxation, amounts: Amounts | None = None) -> None:
    """Rounds of the relaxation by interior point, then a plan."""
    amounts = relax_rounds(search, relaxation) or amounts
    if amounts is not None:
        assert search.prices is not None
        _plan_from(search, amounts, round_loads(search.layout, amounts.choice, search.prices))


def relax_rounds(search: Search, relaxation: Relaxation) -> Amounts | None:
    """Rounds of the relaxation by interior point until it asks for nothing more; the last amounts."""
    amounts = None
    part, nothing, behind = relaxation.everything(), Amounts.none(search.layout), np.zeros(search.layout.num_states)
    for _ in range(MOST_ROUNDS):
        if search.over():
            break
        begun, left = time.perf_counter(), search.left_s()
        solved = relaxation.solve(part, nothing, behind, search.limits(INTERIOR_SHARE))
        if solved is None:
            break
        amounts = solved.amounts
        search.know(search.bounds.prices(solved.value, solved.link_usd, solved.yard_usd))
        if not relaxation.grow(part, solved, nothing, behind):
            break
        took = time.perf_counter() - begun
        if left is not None and INTERIOR_SHARE * (left - took) < LONGER * took:
            break  # the next round would not end in time
    return amounts


def _approach(search: Search, relaxation: Relaxation) -> None:
    """Gradient steps and a plan of loads rounded at once; then more steps, and a plan of loads made whole by dives."""
    lay = search.layout
    solved = _gradient_rounds(search, relaxation, None, FIRST_ROUNDS, FIRST_STEPS)
    if solved is None or search.prices is None or search.over():
        return
    _plan_from(search, solved.amounts, round_loads(lay, solved.amounts.choice, search.prices), 0)
    solved = _gradient_rounds(search, relaxation, solved, MORE_ROUNDS, MORE_STEPS) or solved
    if not search.over():
        wagons, amounts = dive(relaxation, solved, search.limits, search.over)
        keep_to_links(lay, wagons, search.prices)
        _plan_from(search, amounts, wagons)


def _gradient_rounds(
    search: Search, relaxation: Relaxation, solved: Solved | None, rounds: int, steps: int
) -> Solved | None:
    """Gradient steps in turn with looks at the columns, until the bound rises slowly."""
    part, nothing, behind = relaxation.everything(), Amounts.none(search.layout), np.zeros(search.layout.num_states)
    slow = 0
    for _ in range(rounds):
        if search.over() or slow == SLOW_ROUNDS:
            break
        before = search.bound
        solved = relaxation.approach(solved, search.limits(), steps)
        search.know(search.bounds.prices(solved.value, solved.link_usd, solved.yard_usd))
        slow = slow + 1 if search.bound <= before * (1 + SLOW_SHARE) else 0
        relaxation.shrink(solved)
        relaxation.grow(part, solved, nothing, behind)
    return solved


def _near_the_values(search: Search, further: Array) -> Array:
    """(e, days) empty runs that cost little more than the values they join, and further ones."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    reduced = search.bounds.reduced_usd(prices.value.reshape(lay.num_sites, lay.days), prices.link_usd)
    return np.asarray((reduced < NETWORK_USD) & lay.possible | further)


def _plan_from(search: Search, amounts: Amounts, wagons: Array, passes: int = MOST_PASSES) -> None:
    """
    Whole loaded runs (c,) routed with the tolls of the relaxation, then changed, without tolls, while it pays.
    """
    lay, prices = search.layout, search.prices
    assert prices is not None
    if search.over():
        return
    insertion = _routed(search, amounts, wagons)
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


def _routed(search: Search, amounts: Amounts, wagons: Array) -> Insertion | None:
    """A plan of loads routed at once; dearer tolls, round by round, where a yard or link stays too full."""
    lay, prices = search.layout, search.prices
    assert prices is not None
    known = _near_the_values(search, amounts.empty > USED)
    networks = TypeNetworks(lay, known)
    link_usd, yard_usd = prices.link_usd.copy(), prices.yard_usd.copy()
    heaviest = np.ones(len(lay.link_limit))
    _, link, takes = expand(lay.empty_links, np.arange(len(lay.empty_usd)))
    np.maximum.at(heaviest, link, takes)
    for more_usd in TOLLS_USD:
        if search.over():
            break
        tolled = search.bounds.tolled(link_usd, yard_usd)
        found, flows = route_tolled(networks, wagons, tolled)
        used = np.asarray((amounts.empty > USED).any(axis=1) | flows.empty.any(axis=1))
        insertion = Insertion(lay, lay.possible, _kept_moves(search, used[:, None]), idle=False)
        if insertion.take(found, flows, known, tolled, prices, search.over):
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
    order = np.argsort(_release(search.layout), kind="stable")
    for least_gain_usd in (10.0, *[LEAST_GAIN_USD] * passes):
        if search.over():
            break
        moved = insertion.improve(order, search.over, least_gain_usd)
        search.offer(insertion.plan())
        if not moved and least_gain_usd == LEAST_GAIN_USD:
            break


def _search_windows(search: Search, relaxation: Relaxation) -> None:
    """Windows of days with whole loaded runs, in turn, until a full turn brings nothing."""
    lay = search.layout
    if search.plan is None or search.prices is None:
        return
    release, prices = _release(lay), search.prices
    relaxation.active |= search.plan.flows.empty > 0
    nets = TypeNetworks(lay, _near_the_values(search, relaxation.active))
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
