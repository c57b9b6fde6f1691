"""Schedules and bounds side by side: compiled tabu search shortens the one, refuted makespans raise the other.

1. The linear programme of :mod:`~optimizer.scheduling.bounds` gives a first bound and machines with balanced loads.
2. Tabu search with path relinking (:mod:`~optimizer.scheduling.search`) goes on round by round in all threads.
3. Between rounds CP-SAT tries makespans between bound and best schedule (:mod:`~optimizer.scheduling.destructive`).

Both get the same share of the work as long as CP-SAT achieves something, and search up to three times as much while it
does not. Shares are counted in work, not seconds: a run that ends by its work limit repeats exactly.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.result import Progress, relative_gap
from optimizer.scheduling.bounds import TOLERANCE, balanced_loads
from optimizer.scheduling.destructive import Range, attempt
from optimizer.scheduling.problem import FlexibleJobShop, Schedule, Scheduled
from optimizer.scheduling.search import ROUND_WORK, Search

FIRST_WORK = ROUND_WORK // 10
"""Of the round before the first attempt of CP-SAT, which decides what is small."""
ROUNDS_PER_EFFORT = 50.0
"""Rounds of search in the time of one unit of CP-SAT's deterministic work."""
ROUNDS_PER_OPTION = 0.002
"""Likewise for stating and simplifying a model."""
MOST_PATIENCE = 3
"""Search gets as much work as CP-SAT, or up to so many times as much after as many attempts that changed nothing."""
LOADS_SHARE = 0.25
"""Of the time limit, for the linear programme."""


def solve_engine(
    problem: FlexibleJobShop, options: SolveOptions, workers: int = 2, work_limit: int | None = None
) -> Scheduled:
    """
    The best schedule found and a proven bound.

    Ends when both meet (within ``options.gap``), at the time limit, at ``options.stop``, or after ``work_limit``.

    Parameters
    ----------
    workers
        Threads.
    work_limit
        In rounds of search, about a tenth of a second each, CP-SAT's work converted. Without any limit a run goes on
        until the schedule is proved to be the shortest.
    """
    begun = time.monotonic()
    limit_s = math.inf if options.time_limit_s is None else options.time_limit_s
    loads = balanced_loads(problem, LOADS_SHARE * limit_s)
    if problem.num_operations == 0:
        return Scheduled(Schedule(np.zeros(0, np.int64), np.zeros(0, np.int64), 0), 0, 0)
    search = Search(problem, loads.share > TOLERANCE, options.seed, workers)
    best = search.round(loads.bound, FIRST_WORK)
    undecided = Range(loads.bound, best.makespan, best.makespan)
    stating = ROUNDS_PER_OPTION * problem.machine.size
    rounds, attempts, fruitless, next_attempt = 0.0, 0, 0, stating
    told = (0, 0)
    while True:
        if told != (told := (best.makespan, undecided.lower)) and options.on_progress is not None:
            options.on_progress(Progress(best.makespan, undecided.lower, time.monotonic() - begun))
        left_s = limit_s - (time.monotonic() - begun)
        if (
            relative_gap(best.makespan, undecided.lower) <= options.gap
            or left_s <= 0
            or options.stop.is_set()
            or (work_limit is not None and rounds >= work_limit)
        ):
            return Scheduled(best, undecided.lower, int(rounds))
        if rounds < next_attempt:
            best = search.round(undecided.lower)
            undecided.note(undecided.lower, best.makespan)
            rounds += 1
            continue
        limited = replace(options, time_limit_s=None if left_s == math.inf else left_s)
        found = attempt(problem, undecided, limited, workers, attempts)
        attempts += 1
        taken = ROUNDS_PER_EFFORT * undecided.effort + stating
        rounds += taken
        helped = found is not None or undecided.lower > told[1]
        fruitless = 0 if helped else min(fruitless + 1, MOST_PATIENCE)
        next_attempt = rounds + taken * max(1, fruitless)
        if found is not None:
            search.add(found)
            best = found
