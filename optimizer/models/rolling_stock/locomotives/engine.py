"""Locomotives at real sizes: every gauge is a problem of its own, searched in a thread of its own.

Types of one gauge work on trains of that gauge only. :mod:`gauge` bounds and plans each; cost and bound of
the whole are their sums.
"""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from fractions import Fraction

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.clock import Clock
from optimizer.models.rolling_stock.locomotives.exact import outcome_of, solve_trains
from optimizer.models.rolling_stock.locomotives.gauge import GaugePart
from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.result import Outcome, Progress, relative_gap
from optimizer.solvers.watch import POLL_S

SMALL_TRAINS = 100
"""Up to so many trains the whole programme is handed over."""


def solve_trains_engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    """Locomotive plan of little cost with a certified bound; small and strict problems go to the exact method."""
    if problem.serve_all or len(problem.table("train_services")) <= SMALL_TRAINS:
        return solve_trains(problem, options)
    return search_trains(problem, options)


def search_trains(problem: RollingStock, options: SolveOptions) -> Outcome:
    """The search at any size; trains may be cancelled."""
    clock = Clock(options, time.monotonic())
    plan = plan_trains(problem, RouteBook(problem.corridor))
    hopeless = float(sum((plan.cancel_usd[s] for s in plan.impossible), Fraction(0)))
    gauges: dict[int, list[str]] = defaultdict(list)
    for service, stages in plan.stages.items():
        gauges[stages[0].gauge_mm].append(service)
    parts = [GaugePart(problem, plan, services, clock) for _, services in sorted(gauges.items())]

    def figures() -> tuple[float, float]:
        cost = hopeless + sum(part.cost for part in parts)
        return cost, min(cost, hopeless + sum(part.bound for part in parts))

    def reached() -> bool:
        return relative_gap(*figures()) <= options.gap

    if parts:
        told: tuple[float, float] | None = None
        with ThreadPoolExecutor(len(parts)) as threads:
            running = [threads.submit(part.run, reached) for part in parts]
            try:
                ended = False
                while not ended:
                    ended = not wait(running, POLL_S).not_done
                    if options.on_progress is not None and told != (now := figures()):
                        told = now
                        options.on_progress(Progress(now[0], now[1], clock.elapsed_s))
            except BaseException:
                options.stop.set()
                raise
            for thread in running:
                thread.result()
    duties = [duty for part in parts for duty in part.duties]
    services = [service for part in parts for service in part.running]
    networks = tuple(network for part in parts for network in part.programme.networks)
    return outcome_of(problem, plan, networks, duties, services, figures()[1], options)
