"""Wagons at real size: relaxation, whole plans wagon by wagon, search in windows of days.

1. The relaxation grows its empty runs, yards and train paths by prices: by the interior point method, in large cases
   after gradient steps that begin where the last ones ended. :mod:`bounds` makes a bound of the prices.
2. Loaded runs are rounded and routed type by type, yards and train paths at those prices; every order then adds, drops
   and exchanges wagons while that pays, at the exact cost of all flows around it (:mod:`insertion`).
3. Windows of days are solved again with whole loaded runs, worth beyond the window at its price, and kept where the
   plan gets cheaper; what cannot pay is left out by its price.

Fleets that are due for maintenance are planned so at first as if they were not; see :mod:`maintenance`.
"""

from __future__ import annotations

import time

import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons import maintenance
from optimizer.models.rolling_stock.wagons.layout import Layout
from optimizer.models.rolling_stock.wagons.moves import Moves, wagon_moves
from optimizer.models.rolling_stock.wagons.programme import Amounts, Solved
from optimizer.models.rolling_stock.wagons.relaxation import Relaxation
from optimizer.models.rolling_stock.wagons.rounding import round_loads
from optimizer.models.rolling_stock.wagons.search import Search, moves_in_time, nothing_moves, outcome, standing_usd
from optimizer.models.rolling_stock.wagons.whole_plans import plan_from
from optimizer.models.rolling_stock.wagons.windows import search_windows
from optimizer.result import Outcome

SMALL_COLUMNS = 5_000
"""Loaded and empty runs up to which the exact method is asked."""
INTERIOR_STATES, INTERIOR_ORDERS = 12_000, 4_000
"""Sizes up to which the relaxation is solved by the interior point method."""
MOST_ROUNDS = 6
FIRST_ROUNDS, FIRST_STEPS = 4, 600
MORE_ROUNDS, LAST_ROUNDS, MORE_STEPS = 6, 2, 1_000
"""Rounds of gradient steps, and steps of each: before the first plan; for the prices; for the amounts."""
SLOW_SHARE, SLOW_ROUNDS = 5e-4, 3
"""Rounds end when so many each raise the bound by at most this share."""
INTERIOR_SHARE = 0.8
"""Largest share of the time left for a round of the interior point method."""
LONGER = 1.2
"""How much longer than the last round the next one may take."""


def solve_engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    """
    Wagon plan with a bound; see the module.

    Problems of a few thousand columns go to :func:`allocate.solve_exact`, and so does the wish to carry every order,
    which is a question of whether rather than of cost.
    """
    started = time.perf_counter()
    moves, complete = moves_in_time(problem, options, started)
    return solve_moves(problem, options, moves, started) if complete else nothing_moves(problem, moves)


def solve_moves(problem: RollingStock, options: SolveOptions, moves: Moves, started: float) -> Outcome:
    """The same for moves that are laid out; ``started`` is read off the performance counter."""
    from optimizer.models.rolling_stock.wagons.allocate import solve_exact

    if problem.serve_all or _columns(moves) <= SMALL_COLUMNS:
        return solve_exact(problem, options, moves)
    return solve_by_parts(problem, options, moves, started)


def _columns(moves: Moves) -> int:
    loaded = sum(len(moves.orders[move.order_id].window) for move in moves.loaded)
    return loaded + len(moves.empty) * (moves.days - moves.first)


def solve_by_parts(
    problem: RollingStock, options: SolveOptions, moves: Moves | None = None, started: float | None = None
) -> Outcome:
    """
    The engine proper, whatever the size.

    ``started`` is read off the performance counter, now by default.
    """
    started = time.perf_counter() if started is None else started
    moves = moves or wagon_moves(problem)
    if not moves.wear:
        return outcome(_searched(problem, options, moves, started))
    search = _searched(problem, maintenance.first_options(options), maintenance.without_rule(moves), started)
    runs, on_hire = search.chosen()
    scarce = maintenance.overdue(moves, runs, on_hire)
    if not scarce:
        return outcome(search)
    dear, given_usd = maintenance.priced(moves, scarce)
    relaxed = Search(problem, maintenance.bound_options(options, started), dear)
    _relaxed(relaxed)
    search.bound = max(search.bound, relaxed.bound - given_usd)
    kept = maintenance.keep_rule(problem, maintenance.time_left(options, started), moves, runs, scarce)
    if kept is None:
        search.plan, search.cost = None, standing_usd(moves)
    return outcome(search, kept)


def _relaxed(search: Search) -> None:
    """The bound alone."""
    relaxation = _begun(search)
    if is_small(search.layout):
        relax_rounds(search, relaxation)
    else:
        _gradient_rounds(search, relaxation, None, FIRST_ROUNDS + MORE_ROUNDS, MORE_STEPS)


def _searched(problem: RollingStock, options: SolveOptions, moves: Moves, started: float) -> Search:
    search = Search(problem, options, moves, started)
    relaxation = _begun(search)
    if is_small(search.layout):
        _relax(search, relaxation, Amounts.none(search.layout))
    else:
        _approach(search, relaxation)
    if not search.over():
        search_windows(search, relaxation)
    return search


def _begun(search: Search) -> Relaxation:
    """The relaxation, once the search knows what a wagon is worth without any load."""
    search.know(search.bounds.prices(np.zeros(search.layout.num_states)))
    return Relaxation(search.layout, search.bounds)


def is_small(layout: Layout) -> bool:
    """Whether the interior point method takes the relaxation as it is."""
    return layout.num_states <= INTERIOR_STATES and layout.num_orders <= INTERIOR_ORDERS


def _relax(search: Search, relaxation: Relaxation, amounts: Amounts | None = None) -> None:
    """Rounds of the relaxation by interior point, then a plan."""
    amounts = relax_rounds(search, relaxation) or amounts
    if amounts is not None:
        assert search.prices is not None
        plan_from(search, amounts, round_loads(search.layout, amounts.choice, search.prices))


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
    """Gradient steps and a plan of rounded loads; then more steps, and a plan that is made better."""
    lay = search.layout
    solved = _gradient_rounds(search, relaxation, None, FIRST_ROUNDS, FIRST_STEPS)
    if solved is None or search.prices is None or search.over():
        return
    plan_from(search, solved.amounts, round_loads(lay, solved.amounts.choice, search.prices), 0)
    solved = _gradient_rounds(search, relaxation, solved, MORE_ROUNDS, MORE_STEPS) or solved
    solved = _gradient_rounds(search, relaxation, solved, LAST_ROUNDS, MORE_STEPS, keep_weight=True) or solved
    if not search.over():
        plan_from(search, solved.amounts, round_loads(lay, solved.amounts.choice, search.prices))


def _gradient_rounds(
    search: Search, relaxation: Relaxation, solved: Solved | None, rounds: int, steps: int, keep_weight: bool = False
) -> Solved | None:
    """Gradient steps in turn with looks at the columns, until the bound rises slowly."""
    part, nothing, behind = relaxation.everything(), Amounts.none(search.layout), np.zeros(search.layout.num_states)
    slow = 0
    for _ in range(rounds):
        if search.over() or slow == SLOW_ROUNDS:
            break
        before = search.bound
        solved = relaxation.approach(solved, search.limits(), steps, keep_weight=keep_weight)
        search.know(search.bounds.prices(solved.value, solved.link_usd, solved.yard_usd))
        slow = slow + 1 if search.bound <= before * (1 + SLOW_SHARE) else 0
        if search.options.stop.is_set():
            break
        relaxation.shrink(solved)
        relaxation.grow(part, solved, nothing, behind)
    return solved
