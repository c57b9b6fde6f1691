"""Flexible and classical job shops of the public collections, beside plain CP-SAT.

Both get the same time, workers and seed. Every schedule is checked by :mod:`optimizer.scheduling.verify`, and again by
the few lines of :func:`checked_makespan` straight from the file. Results outside the published bounds are named.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from optimizer.scheduling.problem import FlexibleJobShop

DATA = Path(__file__).resolve().parents[2] / "shared" / "public-instances"
Jobs = list[list[dict[int, int]]]
"""Jobs of operations of {machine: duration}, as a file has them."""


def read_jobs(path: Path, flexible: bool) -> tuple[Jobs, int]:
    """Jobs and number of machines of a file; the classical form has ``machine duration`` pairs only."""
    lines = [[int(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
    jobs: Jobs = []
    for values in lines[1 : lines[0][0] + 1]:
        if not flexible:
            jobs.append([{k: d} for k, d in zip(values[::2], values[1::2], strict=True)])
            continue
        job, at = [], 1
        for _ in range(values[0]):
            count = values[at]
            pairs = values[at + 1 : at + 1 + 2 * count]
            job.append(dict(zip(pairs[::2], pairs[1::2], strict=True)))
            at += 1 + 2 * count
        jobs.append(job)
    return jobs, lines[0][1]


def problem_of(jobs: Jobs, num_machines: int) -> FlexibleJobShop:
    return FlexibleJobShop.from_jobs([[list(o.items()) for o in job] for job in jobs], num_machines)


def published(folder: str) -> Mapping[str, tuple[int, int]]:
    """Instance -> published lower and upper bound."""
    with (DATA / folder / "best_known.csv").open() as file:
        return {row["instance"]: (int(row["lower_bound"]), int(row["upper_bound"])) for row in csv.DictReader(file)}


def checked_makespan(jobs: Jobs, chosen: Iterable[tuple[int, int, int, int]]) -> int:
    """Makespan of ``(job, operation, machine, start)`` rows by the file's own numbers; raises if invalid."""
    spans: dict[int, list[tuple[int, int]]] = {}
    ends: dict[tuple[int, int], int] = {}
    for job, operation, machine, start in sorted(chosen):
        end = start + jobs[job][operation][machine]
        if start < ends.get((job, operation - 1), 0):
            raise AssertionError(f"job {job}, operation {operation} starts before its predecessor ends")
        ends[job, operation] = end
        spans.setdefault(machine, []).append((start, end))
    if len(ends) != sum(map(len, jobs)):
        raise AssertionError("operations are missing")
    for machine, work in spans.items():
        work.sort()
        if any(later < end for (_, end), (later, _) in itertools.pairwise(work)):
            raise AssertionError(f"machine {machine} does two things at once")
    return max(ends.values(), default=0)
