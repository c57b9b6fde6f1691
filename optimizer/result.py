"""What a solver claims: status, plan, cost and bound, with enough to replay it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from optimizer.display import ShownInNotebooks

Solution = Mapping[str, pd.DataFrame]
"""A plan and nothing else: solution table name -> table. Each family states its tables in ``problem.py``."""


class Status(enum.StrEnum):
    """OPTIMAL: plan, proved best within the gap asked for. FEASIBLE: plan, a limit came first.

    INFEASIBLE: proved that no plan exists. NO_SOLUTION: a limit came before a plan; says nothing about the problem.
    """

    OPTIMAL = "OPTIMAL"
    FEASIBLE = "FEASIBLE"
    INFEASIBLE = "INFEASIBLE"
    NO_SOLUTION = "NO_SOLUTION"

    @property
    def has_plan(self) -> bool:
        return self in (Status.OPTIMAL, Status.FEASIBLE)


def relative_gap(cost: float, bound: float) -> float:
    """``(cost - bound) / |cost|``, zero when both agree."""
    if cost <= bound:
        return 0.0
    return (cost - bound) / abs(cost) if cost else float("inf")


@dataclass(frozen=True)
class Violation:
    """One broken rule of a plan: rule, place, amount and unit."""

    rule: str
    place: str
    amount: float
    unit: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.place}: {self.amount:g} {self.unit}"


@dataclass(frozen=True)
class Progress:
    """One line of progress: best plan so far (None before the first), proven bound, seconds since the start."""

    cost: float | None
    bound: float | None
    elapsed_s: float


PROGRESS_POINTS = 200


class ProgressLog:
    """Notes progress and hands it on; thinned to ``PROGRESS_POINTS`` entries, the first and the last always kept."""

    def __init__(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        self._on_progress = on_progress
        self._seen: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        last = self._seen[-1] if self._seen else None
        if last is None or (last.cost, last.bound) != (progress.cost, progress.bound):
            self._seen.append(progress)
        if len(self._seen) > 2 * PROGRESS_POINTS:
            del self._seen[1:-1:2]
        if self._on_progress is not None:
            self._on_progress(progress)

    def entries(self, end: Progress) -> tuple[Progress, ...]:
        """What was noted, and how it ended."""
        every = [*self._seen, end]
        step = -(-len(every) // PROGRESS_POINTS)
        return (*every[:-1:step], end)


@dataclass(frozen=True)
class Outcome:
    """What a method returns: the claim without the circumstances.

    ``conflicts`` says in a planner's words what cannot be met.
    """

    status: Status
    solution: Solution | None = None
    cost: float | None = None
    bound: float | None = None
    conflicts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status.has_plan != (self.solution is not None) or self.status.has_plan != (self.cost is not None):
            raise ValueError(f"{self.status} must{' ' if self.status.has_plan else ' not '}carry a plan and its cost")


@dataclass(frozen=True)
class Result(ShownInNotebooks):
    """An outcome with the circumstances of the run.

    Attributes
    ----------
    status, solution, cost, bound, conflicts
        As in :class:`Outcome`; ``bound`` is a proven lower bound on the cost of every plan.
    gap
        ``(cost - bound) / |cost|``; None without a plan or bound.
    runtime_s
        Wall seconds of the solve, without reading and verification.
    options
        Options of the problem (family specific) that ``verify`` needs to rebuild it.
    kpis
        Figures for planners, name with unit -> value.
    claimed_gap
        The gap as a result directory states it, for ``verify`` to compare; None for a result just made.
    instance_path
        Where the instance was read from, as it was named; blank for one made in memory.
    progress
        How best cost and bound came together, at most ``PROGRESS_POINTS`` entries in order of time.
    """

    family: str
    method: str
    solver: str
    status: Status
    runtime_s: float
    seed: int
    instance_name: str
    instance_hash: str
    scenario: tuple[str, ...]
    options: Mapping[str, Any]
    time_limit_s: float | None = None
    gap_asked: float = 0.0
    solution: Solution | None = None
    cost: float | None = None
    bound: float | None = None
    conflicts: tuple[str, ...] = ()
    kpis: Mapping[str, float | str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    claimed_gap: float | None = None
    instance_path: str = ""
    progress: tuple[Progress, ...] = ()

    @property
    def gap(self) -> float | None:
        return None if self.cost is None or self.bound is None else relative_gap(self.cost, self.bound)
