"""The time and the stop of a solve that several threads share."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from optimizer.models.family import SolveOptions


@dataclass(frozen=True)
class Clock:
    """The time and the stop of a solve, shared by all gauges."""

    options: SolveOptions
    begun_s: float

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun_s

    def left_s(self) -> float:
        limit = self.options.time_limit_s
        return float("inf") if limit is None else max(0.0, limit - self.elapsed_s)

    def over(self) -> bool:
        return self.options.stop.is_set() or self.left_s() <= 0.0

    def limits(self, most_s: float = float("inf")) -> SolveOptions:
        """Options for a solver within."""
        seconds = min(most_s, self.left_s())
        limit_s = None if seconds == float("inf") else max(0.01, seconds)
        return replace(self.options, time_limit_s=limit_s, on_progress=None, gap=0.0)
