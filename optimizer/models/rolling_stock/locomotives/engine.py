"""Locomotives at real sizes: every gauge is a problem of its own.

Types of one gauge work on trains of that gauge only. :mod:`gauge` bounds and plans each; cost and bound of
the whole are their sums. Two threads work on the gauge where the difference of both is largest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from fractions import Fraction
from threading import Condition

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.clock import Clock
from optimizer.models.rolling_stock.locomotives.exact import outcome_of, solve_trains
from optimizer.models.rolling_stock.locomotives.gauge import GaugePart
from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.result import Outcome, Progress, relative_gap
from optimizer.solvers.watch import POLL_S

WORKERS = 2
ENDED = object()
SMALL_TRAINS = 100
"""Up to so many trains the whole programme is handed over."""


class SharedWork:
    """Pieces of work of all gauges; each gauge is in the hands of one thread at a time."""

    def __init__(self, parts: Sequence[GaugePart], reached: Callable[[], bool]) -> None:
        self._waiting: list[tuple[GaugePart, Iterator[None]]] = [(part, part.work(reached)) for part in parts]
        self._begun: set[int] = set()
        self._out = 0
        self._changed = Condition()

    def run(self) -> None:
        """Work until nothing is left."""
        while (taken := self._take()) is not None:
            ended = True
            try:
                ended = next(taken[1], ENDED) is ENDED
            finally:
                with self._changed:
                    self._out -= 1
                    if not ended:
                        self._waiting.append(taken)
                    self._changed.notify_all()

    def _take(self) -> tuple[GaugePart, Iterator[None]] | None:
        """First a first plan for each gauge; then where most is open."""
        with self._changed:
            while not self._waiting:
                if not self._out:
                    return None
                self._changed.wait()
            chosen = max(
                self._waiting, key=lambda entry: (id(entry[0]) not in self._begun, entry[0].cost - entry[0].bound)
            )
            self._waiting.remove(chosen)
            self._begun.add(id(chosen[0]))
            self._out += 1
            return chosen


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
        shared = SharedWork(parts, reached)
        with ThreadPoolExecutor(WORKERS) as threads:
            running = [threads.submit(shared.run) for _ in range(WORKERS)]
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
