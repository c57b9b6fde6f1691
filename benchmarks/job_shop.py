"""Flexible and classical job shops of the public collections: the scheduling engine beside plain CP-SAT.

Both get the same workers, seed and *processor* seconds (of all threads together, everything from the arrays on
included), so that other programs on the machine change nothing. Plain CP-SAT: the rules alone, its own parameters.
Every schedule is checked by :mod:`optimizer.scheduling.verify`, and again by :func:`checked_makespan` from the file's
own numbers. Results go to a file as they come, from which a later call goes on; what lies outside the published bounds
is named. Compiled code is loaded before the first clock starts.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ortools.sat.python import cp_model

from benchmarks.tables import print_table
from optimizer.models.family import SolveOptions
from optimizer.scheduling.engine import solve_engine
from optimizer.scheduling.exact import build, schedule_of
from optimizer.scheduling.problem import FlexibleJobShop, Schedule
from optimizer.scheduling.reading import read_job_shop
from optimizer.scheduling.verify import verify

DATA = Path(__file__).resolve().parents[2] / "shared" / "public-instances"
FOLDERS = {"fjsp": True, "jsp-classic": False}
"""Folder -> whether its files are flexible."""
METHODS = ("engine", "plain CP-SAT")
POLL_S = 0.01
SPREAD = 10
"""Instances are taken in so many passes over the sets, so that a run cut short has some of each."""


@dataclass(frozen=True)
class Run:
    """One method on one instance; ``makespan`` None without a schedule."""

    instance: str
    method: str
    seconds: float
    workers: int
    seed: int
    makespan: int | None
    bound: int
    processor_s: float
    wall_s: float

    @property
    def key(self) -> tuple[object, ...]:
        return self.instance, self.method, self.seconds, self.workers, self.seed


def run(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks job-shop", description=__doc__)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--every", type=int, default=10, help="take every n-th instance of a set only")
    parser.add_argument("--only", default="", help="instances whose name contains this")
    parser.add_argument("--seconds", type=float, default=6.0, help="processor seconds a run, of all workers")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after; print what is there")
    parser.add_argument("--results", type=Path, default=None, help="file to add results to, and to go on from")
    parser.add_argument("--csv", type=Path, default=None, help="file to write a line per instance to")
    options = parser.parse_args(argv)
    ends_at = time.monotonic() + 60 * options.minutes
    known = published()
    if not known:
        print(f"\njob-shop: {DATA} is not there, skipped")
        return
    chosen = [name for at, name in enumerate(known) if at % options.every == 0 and options.only in name]
    chosen = [name for start in range(SPREAD) for name in chosen[start::SPREAD]]
    runs = {one.key: one for one in _stored(options.results)}
    solve_engine(FlexibleJobShop.from_jobs([[[(0, 1), (1, 2)], [(0, 2)]], [[(1, 3), (0, 1)]]], 2), SolveOptions())
    for name, method in itertools.product(chosen, options.methods.split(",")):
        key = (name, method, options.seconds, options.workers, options.seed)
        if key in runs or time.monotonic() > ends_at:
            continue
        runs[key] = measure(*key)
        if options.results is not None:
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(runs[key])) + "\n")
    settings = (options.seconds, options.workers, options.seed)
    told = [one for one in runs.values() if one.instance in chosen and one.key[2:] == settings]
    print_runs(told, known)
    if options.csv is not None:
        write_runs(options.csv, told, known)


def published() -> Mapping[str, tuple[int, int]]:
    """Folder and instance -> published lower and upper bound; empty without the collections."""
    known = {}
    for folder in FOLDERS:
        path = DATA / folder / "best_known.csv"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    known[f"{folder}/{row['instance']}"] = int(row["lower_bound"]), int(row["upper_bound"])
    return known


def measure(instance: str, method: str, seconds: float, workers: int, seed: int) -> Run:
    """One run, its schedule checked twice."""
    path, flexible = DATA / f"{instance}.txt", FOLDERS[instance.split("/")[0]]
    problem = read_job_shop(path, flexible)
    stop, done = threading.Event(), threading.Event()
    began, began_s = time.process_time(), time.monotonic()

    def watch() -> None:
        while not done.wait(POLL_S):
            if time.process_time() - began >= seconds:
                stop.set()
                return

    threading.Thread(target=watch, daemon=True).start()
    schedule: Schedule | None
    if method == "engine":
        found = solve_engine(problem, SolveOptions(seed=seed, stop=stop), workers)
        schedule, bound = found.schedule, found.bound
    else:
        schedule, bound = plain_cpsat(problem, stop, workers, seed)
    done.set()
    taken, taken_s = time.process_time() - began, time.monotonic() - began_s
    if schedule is not None:
        if broken := verify(problem, schedule):
            raise RuntimeError(f"{instance}, {method}: {broken[0]}")
        again = checked_makespan(path, flexible, problem, schedule)
        if again != schedule.makespan:
            raise RuntimeError(f"{instance}, {method}: makespan {schedule.makespan}, by the file {again}")
    return Run(
        instance, method, seconds, workers, seed, schedule.makespan if schedule else None, bound, round(taken, 2),
        round(taken_s, 2),
    )  # fmt: skip


def plain_cpsat(
    problem: FlexibleJobShop, stop: threading.Event, workers: int, seed: int
) -> tuple[Schedule | None, int]:
    """The rules alone, CP-SAT as it comes."""
    exact = build(problem, 0, int(np.maximum.reduceat(problem.duration, problem.option_start[:-1]).sum()), False)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_S):
            if stop.is_set():
                solver.stop_search()

    threading.Thread(target=watch, daemon=True).start()
    status = solver.solve(exact.model)
    done.set()
    has_plan = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    bound = max(0.0, solver.best_objective_bound) if status != cp_model.MODEL_INVALID else 0.0
    return schedule_of(problem, exact, solver.value) if has_plan else None, int(np.ceil(bound - 1e-6))


def checked_makespan(path: Path, flexible: bool, problem: FlexibleJobShop, schedule: Schedule) -> int:
    """Makespan by the numbers of the file, read here once more; raises if the schedule breaks a rule."""
    rows = iter(zip(problem.machine[schedule.option].tolist(), schedule.start.tolist(), strict=True))
    spans: dict[int, list[tuple[int, int]]] = {}
    latest = 0
    for job in _jobs_in_file(path, flexible):
        free = 0
        for durations in job:
            machine, start = next(rows)
            if start < free:
                raise RuntimeError(f"{path}: an operation starts before its predecessor ends")
            free = start + durations[machine]
            spans.setdefault(machine, []).append((start, free))
        latest = max(latest, free)
    for machine, work in spans.items():
        work.sort()
        if any(later < end for (_, end), (later, _) in itertools.pairwise(work)):
            raise RuntimeError(f"{path}: machine {machine} does two things at once")
    if next(rows, None) is not None:
        raise RuntimeError(f"{path}: more operations scheduled than the file has")
    return latest


def _jobs_in_file(path: Path, flexible: bool) -> Iterator[list[dict[int, int]]]:
    """Operations of each job as machine -> duration."""
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        numbers = iter(map(int, line.split()))
        if not flexible:
            yield [{machine: duration} for machine, duration in zip(numbers, numbers, strict=True)]
        elif line.strip():
            yield [{next(numbers): next(numbers) for _ in range(next(numbers))} for _ in range(next(numbers))]


def _stored(path: Path | None) -> list[Run]:
    if path is None or not path.exists():
        return []
    return [Run(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def print_runs(runs: Sequence[Run], known: Mapping[str, tuple[int, int]]) -> None:
    """A row per set and collection with the mean gaps of both methods, and what lies outside the published bounds."""
    by_set: dict[str, list[Run]] = {}
    for one in runs:
        folder, *inner = one.instance.split("/")
        by_set.setdefault("/".join([folder, *inner[:-1]]), []).append(one)
        if inner[1:]:
            by_set.setdefault(f"{folder}, all", []).append(one)
    columns = (
        "set", "instances", "gap %", "of CP-SAT", "ratio", "without plan", "bound gap %", "of CP-SAT", "proved",
        "of CP-SAT",
    )  # fmt: skip
    rows = [[name, *_means(group, known)] for name, group in sorted(by_set.items())]
    seconds = sorted({one.seconds for one in runs})
    print_table(
        f"Job shops, {', '.join(f'{s:g}' for s in seconds)} processor seconds a run", columns, rows,
        "gap: makespan over the best published; bound gap: bound under the best published bound; means over instances "
        "that both methods ran, makespans where CP-SAT has a schedule. ratio: the engine's mean gap over CP-SAT's.",
    )  # fmt: skip
    for one in runs:
        lower, upper = known[one.instance]
        if one.makespan is not None and one.makespan < upper:
            print(f"better than published: {one.instance}, {one.method}: makespan {one.makespan}, published {upper}")
        if one.bound > lower:
            print(f"better than published: {one.instance}, {one.method}: bound {one.bound}, published {lower}")
        if one.bound > upper or (one.makespan is not None and one.makespan < lower):
            print(f"CONTRADICTS what is published: {one}; published {lower} to {upper}")


def write_runs(path: Path, runs: Sequence[Run], known: Mapping[str, tuple[int, int]]) -> None:
    """A line per instance: published bounds, then bound and makespan of each method (blank: none)."""
    found = {(one.instance, one.method): one for one in runs}
    names = dict.fromkeys(name for name in known if any((name, method) in found for method in METHODS))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        columns = [f"{method} {figure}" for method in METHODS for figure in ("bound", "makespan", "processor s")]
        writer.writerow(["instance", "published bound", "published makespan", *columns])
        for name in names:
            each = [found.get((name, method)) for method in METHODS]
            figures = [(one.bound, one.makespan, one.processor_s) if one else ("", "", "") for one in each]
            writer.writerow([name, *known[name], *itertools.chain(*figures)])


def _means(runs: Sequence[Run], known: Mapping[str, tuple[int, int]]) -> list[object]:
    """The cells of a row."""
    by_method = {method: {one.instance: one for one in runs if one.method == method} for method in METHODS}
    own, peer = by_method[METHODS[0]], by_method[METHODS[1]]
    both = [name for name in own if name in peer]
    if not both:
        return [0, *["-"] * 8]

    def gap(one: Run) -> float:
        assert one.makespan is not None
        return 100 * (one.makespan / known[one.instance][1] - 1)

    def bound_gap(one: Run) -> float:
        return 100 * (1 - one.bound / known[one.instance][0])

    planned = [name for name in both if peer[name].makespan is not None and own[name].makespan is not None]
    ours, theirs = (float(np.mean([gap(one[name]) for name in planned] or [0.0])) for one in (own, peer))
    bounds = [f"{np.mean([bound_gap(one[name]) for name in both]):.2f}" for one in (own, peer)]
    proved = [sum(one[name].makespan == one[name].bound for name in both) for one in (own, peer)]
    ratio = f"{ours / theirs:.2f}" if theirs > 0 else "-"
    none = len(both) - len(planned)
    return [len(both), f"{ours:.2f}", f"{theirs:.2f}", ratio, none, *bounds, *proved]
