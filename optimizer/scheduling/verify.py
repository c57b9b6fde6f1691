"""Every rule of the flexible job shop again, from the problem and the schedule alone."""

from __future__ import annotations

import itertools

from optimizer.result import Violation
from optimizer.scheduling.problem import FlexibleJobShop, Schedule


def verify(problem: FlexibleJobShop, schedule: Schedule) -> tuple[Violation, ...]:
    """Every broken rule of the schedule; empty when it is valid and its makespan is what it says."""
    if schedule.option.shape != (problem.num_operations,) or schedule.start.shape != (problem.num_operations,):
        return (Violation("operations without time or machine", "schedule", problem.num_operations, "expected"),)
    found = []
    on_machine: list[list[tuple[int, int, int]]] = [[] for _ in range(problem.num_machines)]
    latest = 0
    for job in range(problem.num_jobs):
        free = 0
        for operation in range(int(problem.job_start[job]), int(problem.job_start[job + 1])):
            option, start = int(schedule.option[operation]), int(schedule.start[operation])
            if not problem.option_start[operation] <= option < problem.option_start[operation + 1]:
                found.append(Violation("option of another operation", f"operation {operation}", option, "chosen"))
                continue
            if start < free:
                found.append(Violation("starts too early", f"operation {operation}", free - start, "time units"))
            free = start + int(problem.duration[option])
            on_machine[int(problem.machine[option])].append((start, free, operation))
        latest = max(latest, free)
    for machine, work in enumerate(on_machine):
        work.sort()
        for (_, end, first), (start, _, second) in itertools.pairwise(work):
            if start < end:
                place = f"machine {machine}, operations {first} and {second}"
                found.append(Violation("two operations at once", place, end - start, "time units"))
    if latest != schedule.makespan:
        found.append(Violation("makespan differs", "schedule", schedule.makespan - latest, "time units"))
    return tuple(found)
