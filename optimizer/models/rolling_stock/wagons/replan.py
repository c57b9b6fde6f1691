"""Re-planning a wagon plan on a day of its horizon, after links were closed: what has left stands, little else moves.

The problem of the rest is the problem itself with the closures and the runs that have left
(:class:`RollingStock` with ``closures``, ``begun_day`` and ``past``): every method and the verifier take it. The way
from the old plan to the new one stands in :mod:`resuming`; fleets with maintenance and plans that must carry all begin
anew.
"""

from __future__ import annotations

import time
from dataclasses import replace

from optimizer.errors import UsageError
from optimizer.models.family import News, Replanned, SolveOptions
from optimizer.models.rolling_stock.closures import closures_of
from optimizer.models.rolling_stock.problem import RollingStock, begun_by
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts, solve_moves
from optimizer.models.rolling_stock.wagons.replan_report import changes
from optimizer.models.rolling_stock.wagons.resuming import raise_bound, resume
from optimizer.models.rolling_stock.wagons.search import Search, moves_in_time, nothing_moves, outcome
from optimizer.result import Outcome, Solution, Status

CHANGE_USD = 20.0
"""What a wagon on a loaded run that the old plan does not have must save besides."""
ENDING = 1.1, 0.3
"""As of :class:`Search`, with what changes; a re-plan's limit is short."""


def replan(problem: RollingStock, solution: Solution, news: News, options: SolveOptions) -> Replanned:
    """
    Take a plan up on day ``news.at``.

    Parameters
    ----------
    solution
        The running plan, one that the verifier accepts for ``problem``.

    Raises
    ------
    UsageError
        Locomotives, trains or cranes in the news, a day that is none or lies before the plan was last taken up, links
        that are none, closures that begin before the day.
    """
    started = time.perf_counter()
    begun = taken_up(problem, solution, news)
    found = _planned(begun, solution, CHANGE_USD if news.change_usd is None else news.change_usd, options, started)
    return Replanned(begun, found, *changes(begun, solution, found, news))


def taken_up(problem: RollingStock, solution: Solution, news: News) -> RollingStock:
    """The problem of the rest: closures added, with what has left by then."""
    if problem.stock != "wagons":
        raise UsageError("wagon plans are re-planned, locomotive plans are not; close the link in a scenario and solve")
    if news.late_min or news.lost_min:
        raise UsageError("late trains and lost cranes are news of a terminal; for wagons links are closed")
    if news.at < problem.begun_day:
        raise UsageError(f"day {news.at} lies before day {problem.begun_day}, on which the plan was taken up last")
    closed = closures_of(problem.corridor, news.closures, news.at)
    if early := [str(closure) for closure in closed if closure.first_day < news.at]:
        raise UsageError(f"{', '.join(early)} begins before day {news.at}, on which the plan is taken up")
    closures = (*problem.closures, *map(str, closed))
    return replace(problem, closures=closures, begun_day=news.at, past=begun_by(solution, news.at))


def _planned(
    problem: RollingStock, solution: Solution, change_usd: float, options: SolveOptions, started: float
) -> Outcome:
    moves, complete = moves_in_time(problem, options, started)
    if not complete:
        return nothing_moves(problem, moves)
    if problem.serve_all or moves.wear:
        return solve_moves(problem, options, moves, started)
    if not moves.loaded:
        return solve_by_parts(problem, options, moves, started)
    search = Search(problem, options, moves, started, ENDING)
    if not resume(search, solution, change_usd):
        if search.over():
            return outcome(search)
        anew = solve_by_parts(problem, options, moves, started)
        return anew if anew.status is Status.OPTIMAL else replace(anew, bound=max(anew.bound or 0.0, search.bound))
    raise_bound(search)
    return outcome(search)
