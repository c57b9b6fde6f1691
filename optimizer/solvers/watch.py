"""Runs a solver in a thread of its own, so that the caller's thread stays free for signals, progress and the stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from optimizer.models.family import SolveOptions
from optimizer.result import Progress

T = TypeVar("T")

POLL_S = 0.05
INFINITE = 1e20
"""Solvers write "no bound yet" as an infinity of their own: HiGHS inf, SCIP 1e20."""


def finite(value: float | None) -> float | None:
    """``value``, or None where a solver means "none yet"."""
    return None if value is None or not -INFINITE < value < INFINITE else float(value)


class Watch:
    """Clock, notice board and stop of one solve.

    A solver's callbacks :meth:`post` what they know from any thread; :meth:`run` hands it on to ``on_progress`` in the
    caller's thread, where Python also runs signal handlers.
    """

    def __init__(self, options: SolveOptions) -> None:
        self._options = options
        self._start = time.monotonic()
        self._posted: tuple[float | None, float | None] = (None, None)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def should_stop(self) -> bool:
        limit = self._options.time_limit_s
        return self._options.stop.is_set() or (limit is not None and self.elapsed_s > limit)

    def post(self, cost: float | None = None, bound: float | None = None) -> None:
        """Note the best plan's cost and the proven bound; None or an infinity leaves the last figure."""
        cost, bound = finite(cost), finite(bound)
        last_cost, last_bound = self._posted
        self._posted = (last_cost if cost is None else cost, last_bound if bound is None else bound)

    def run(self, solve: Callable[[], T], interrupt: Callable[[], None] | None = None) -> T:
        """Call ``solve`` in a thread and return what it returns, or raise what it raises.

        ``interrupt`` is called, repeatedly, from the stop or the time limit until ``solve`` returns; a solver whose
        callbacks ask :attr:`should_stop` needs none.
        """
        outcome: list[T] = []
        failure: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                outcome.append(solve())
            except BaseException as error:
                failure.append(error)
            finally:
                done.set()

        threading.Thread(target=work, daemon=True, name="solver").start()
        shown: tuple[float | None, float | None] = (None, None)
        try:
            finished = False
            while not finished:
                finished = done.wait(POLL_S)
                if not finished and interrupt is not None and self.should_stop:
                    interrupt()
                if self._options.on_progress is not None and self._posted != shown:
                    shown = self._posted
                    self._options.on_progress(Progress(*shown, self.elapsed_s))
        except BaseException:
            # The thread cannot be killed; let it end as soon as it can.
            self._options.stop.set()
            if interrupt is not None:
                interrupt()
            raise
        if failure:
            raise failure[0]
        return outcome[0]
