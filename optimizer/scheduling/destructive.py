"""Destructive improvement: makespans that CP-SAT proves impossible, from an effort that doubles when it proves no more.

Between the bound and the best schedule some makespans are tried at once, each as the question "is there a schedule no
longer?" with a limit of deterministic work. No raises the bound, yes gives a schedule; what stays open closes the range
from above for this effort, so that the range halves or better every time. A bound far below the optimum falls by
propagation alone, in a fraction of a second (Klein and Scholl, EJOR 112, 1999).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.scheduling.exact import build, schedule_of
from optimizer.scheduling.problem import FlexibleJobShop, Schedule
from optimizer.solvers.cpsat import solve_cpsat

FIRST_EFFORT = 0.06
"""Deterministic work of CP-SAT."""
LEAST_SHARE = 0.125
"""Of the range: what would raise the bound by less is not worth an attempt; more effort on the rest is."""
STYLES: tuple[dict[str, bool | int], ...] = (
    {"use_strong_propagation_in_disjunctive": True, "linearization_level": 0, "cp_model_probing_level": 0},
    {"use_dynamic_precedence_in_disjunctive": True},
)
"""CP-SAT parameters, by turns: strong reasoning on the orders of machines, or linear relaxations."""


@dataclass
class Range:
    """
    Makespans not yet decided.

    Attributes
    ----------
    lower, upper
        No schedule is shorter than ``lower``; one of ``upper`` is known.
    ceiling
        Least makespan that an attempt with this effort left open; ``upper`` before the first.
    """

    lower: int
    upper: int
    ceiling: int
    effort: float = FIRST_EFFORT

    def targets(self, count: int) -> list[int]:
        """Up to ``count`` makespans to try next; the effort doubles when too little of the range is left to try."""
        if self.ceiling - self.lower <= LEAST_SHARE * (self.upper - self.lower):
            self.ceiling = self.upper
            self.effort *= 2
        width = self.ceiling - self.lower
        if self.ceiling == self.upper:  # nothing tried with this effort: the best that can be is among them
            spread = [self.lower + (at + 1) * (width - 1) // count for at in range(count)]
        else:
            spread = [self.lower + (at + 1) * width // (count + 1) for at in range(count)]
        return sorted(set(spread))

    def note(self, lower: int, upper: int) -> None:
        """What is known by now, from here or elsewhere."""
        self.lower = max(self.lower, lower)
        if upper < self.upper:
            self.ceiling = upper if self.ceiling == self.upper else min(self.ceiling, upper)
            self.upper = upper


def attempt(
    problem: FlexibleJobShop, undecided: Range, options: SolveOptions, workers: int, turn: int
) -> Schedule | None:
    """
    Try some makespans side by side, one thread each; narrows ``undecided``.

    Returns
    -------
    A schedule shorter than ``upper`` was, if one was found.
    """
    lower, targets = undecided.lower, undecided.targets(workers)

    def decide(at: int) -> tuple[Status, Schedule | None]:
        exact = build(problem, lower, targets[at])
        exact.model.clear_objective()  # type: ignore[no-untyped-call]
        result = solve_cpsat(
            exact.model,
            replace(options, on_progress=None),
            workers=1,
            work_limit=undecided.effort,
            parameters=STYLES[(turn + at) % len(STYLES)],
        )
        return result.status, schedule_of(problem, exact, result.value) if result.status.has_plan else None

    with ThreadPoolExecutor(len(targets)) as threads:
        answers = list(threads.map(decide, range(len(targets))))
    best: Schedule | None = None
    for target, (status, schedule) in zip(targets, answers, strict=True):
        if status == Status.INFEASIBLE:
            undecided.note(target + 1, undecided.upper)
        elif schedule is None:
            undecided.ceiling = min(undecided.ceiling, target)
        elif best is None or schedule.makespan < best.makespan:
            best = schedule
    if best is not None:
        undecided.note(lower, best.makespan)
    return best
