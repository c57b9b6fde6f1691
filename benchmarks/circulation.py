"""Vehicle circulation on the public files of multi-depot vehicle scheduling, and general solvers on the compact model.

Plans are checked by :mod:`optimizer.circulation.verify` and priced again from the file's own matrix. Gaps are those
between plan and proved bound; the second one leaves out the cost of 10,000 a vehicle that is inside the files' costs.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import romsoc
from benchmarks.mdvsp import DATA, VEHICLE_COST, priced, problem_of, published, read_file
from benchmarks.mdvsp_compact import compact_optimum
from benchmarks.tables import print_table
from optimizer.circulation.crosscheck import solve_crosscheck
from optimizer.circulation.engine import relax, solve_circulation
from optimizer.circulation.exact import solve_exact
from optimizer.circulation.problem import Circulated
from optimizer.circulation.verify import verify
from optimizer.models.family import SolveOptions
from optimizer.result import Progress

LIMITS_S = {50: 20.0, 100: 20.0, 150: 20.0, 500: 300.0, 1000: 600.0}
"""Trips -> seconds."""
BETTER = Path(__file__).resolve().parent / "mdvsp_better_plans.csv"
"""Plans better than the published ones: instance, cost, and each rotation as ``depot:trip-trip-...``."""
PEERS = {
    "PuLP + HiGHS": (solve_exact, "highs"),
    "PuLP + CBC": (solve_exact, "cbc"),
    "MathOpt SCIP": (solve_crosscheck, "scip"),
    "MathOpt CP-SAT": (solve_crosscheck, "cp-sat"),
    "circulation engine": (solve_circulation, None),
}
PEER_FILES = "n50m4s0,n100m4s0"


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks circulation", description=__doc__)
    parser.add_argument("--files", default="", help="names of files, comma-separated; all when blank")
    parser.add_argument("--time-limit", type=float, default=None, help="seconds a file; by size when not given")
    parser.add_argument("--at", default="", help="seconds, comma-separated: the gap reached by then as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="write plans better than the published ones")
    parser.add_argument("--romsoc", action="store_true", help="locomotives of the ROMSOC files instead")
    parser.add_argument("--published", action="store_true", help="whether a plan at the published value can exist")
    parser.add_argument("--peers", action="store_true", help="general solvers instead, 60 s each unless told otherwise")
    options = parser.parse_args(argv)
    if options.romsoc:
        run_romsoc(options.time_limit or 60.0, options.seed)
        return
    if not DATA.exists():
        print("circulation: the public files are not on this machine, skipped")
        return
    if options.peers:
        run_peers((options.files or PEER_FILES).split(","), options.time_limit or 60.0, options.seed)
        return
    names = options.files.split(",") if options.files else sorted(published(), key=_size)
    if options.published:
        run_published(names, options.time_limit or 300.0, options.seed)
        return
    marks_s = [float(mark) for mark in options.at.split(",") if mark]
    run_files(names, options.time_limit, options.seed, options.record, marks_s)


def run_files(
    names: list[str], time_limit_s: float | None, seed: int, record: bool, marks_s: Sequence[float] = ()
) -> None:
    """The public files, one after another; gaps of the way at ``marks_s`` too."""
    rows: list[list[object]] = []
    for name in names:
        vehicles, matrix = read_file(DATA / f"{name}.inp.gz")
        problem = problem_of(vehicles, matrix)
        limit_s = time_limit_s or LIMITS_S[min((n for n in LIMITS_S if n >= problem.num_trips), default=1000)]
        begun_s = time.process_time()
        way: list[Progress] = []
        found = solve_circulation(problem, SolveOptions(time_limit_s=limit_s, seed=seed, on_progress=way.append))
        cpu_s = time.process_time() - begun_s
        rows.append([*_row(name, found, vehicles, matrix, cpu_s), *(_gap_at(way, mark_s) for mark_s in marks_s)])
        print(*rows[-1], sep="  ", flush=True)
        if found.plan is not None and (broken := verify(problem, found.plan, found.cost)):
            raise AssertionError(f"{name}: {broken[0]}")
        if record and found.plan is not None and found.cost < published()[name][1]:
            _record(name, found)
    columns = ("file", "cost", "bound", "relaxation", "gap %", "without vehicles %", "published", "to it", "s", "CPU s",
               *(f"gap % at {mark_s:g} s" for mark_s in marks_s))  # fmt: skip
    print_table(f"Public files, seed {seed}", columns, rows)


def run_published(names: list[str], time_limit_s: float, seed: int) -> None:
    """The compact model of all arcs that a plan at the published value can use, and its optimum."""
    rows: list[list[object]] = []
    for name in names:
        vehicles, matrix = read_file(DATA / f"{name}.inp.gz")
        problem, best = problem_of(vehicles, matrix), published()[name][1]
        relaxed = relax(problem, SolveOptions(time_limit_s=time_limit_s, seed=seed))
        if relaxed is None:
            rows.append([name, f"{best:,.0f}", "", "", "", "no prices in time", ""])
            continue
        begun_s, price = time.process_time(), np.empty(problem.num_trips)
        price[problem.order] = relaxed.price
        bound, arcs, found = compact_optimum(vehicles, matrix, price, relaxed.depot_price, best, time_limit_s)
        rows.append([
            name, f"{best:,.0f}", f"{bound:,.1f}", arcs, "" if found.objective is None else f"{found.objective:,.0f}",
            found.status.value, f"{time.process_time() - begun_s:.1f}",
        ])  # fmt: skip
    columns = ("file", "published", "bound of prices", "arcs", "optimum on them", "status", "CPU s")
    note = "An optimum above the published value, or INFEASIBLE: no plan of the file costs as little."
    print_table("Compact model of the arcs a plan at the published value can use, HiGHS", columns, rows, note)


def run_romsoc(time_limit_s: float, seed: int) -> None:
    """Locomotives for the freight trains of a week or two, all folders there are."""
    rows: list[list[object]] = []
    for folder in sorted(path for path in romsoc.DATA.glob("*") if (path / "trains.csv.gz").exists()):
        files = romsoc.read_files(folder)
        problem = romsoc.problem_of(files)
        found = solve_circulation(problem, SolveOptions(time_limit_s=time_limit_s, seed=seed))
        if found.plan is None:
            rows.append([folder.name, len(files.trains), len(files.locomotives), "", "", "none", f"{found.bound:,.0f}",
                         "", f"{found.runtime_s:.1f}"])  # fmt: skip
            continue
        if broken := verify(problem, found.plan, found.cost):
            raise AssertionError(f"{folder.name}: {broken[0]}")
        cost = romsoc.checked_cost(files, romsoc.assigned(files, found.plan))
        rows.append([
            folder.name, len(files.trains), len(files.locomotives), len(found.plan.rotations), len(found.plan.skipped),
            f"{cost:,}", f"{found.bound:,.0f}", "proved" if found.proved else f"{100 * (cost / found.bound - 1):.4f}",
            f"{found.runtime_s:.1f}",
        ])  # fmt: skip
    columns = ("weeks", "trains", "locomotives", "in use", "cancelled", "cost, m", "bound, m", "gap %", "s")
    print_table(f"ROMSOC locomotives, seed {seed}", columns, rows)


def _size(name: str) -> tuple[int, int, str]:
    numbers = dict(zip("".join(c if c.isalpha() else " " for c in name).split(),
                       "".join(c if c.isdigit() else " " for c in name).split(), strict=True))  # fmt: skip
    return int(numbers["n"]), int(numbers["m"]), name


def _row(name: str, found: Circulated, vehicles: object, matrix: object, cpu_s: float) -> list[object]:
    best = published()[name][1]
    relaxed = "" if found.relaxed is None else f"{found.relaxed:,.1f}"
    if found.plan is None:
        return [name, "none", f"{found.bound:,.0f}", relaxed, "", "", f"{best:,.0f}", "", f"{found.runtime_s:.1f}",
                f"{cpu_s:.1f}"]  # fmt: skip
    cost = priced(vehicles, matrix, found.plan)  # type: ignore[arg-type]
    gap = cost - found.bound
    without = cost - VEHICLE_COST * len(found.plan.rotations)
    return [
        name, f"{cost:,.0f}", f"{found.bound:,.0f}", relaxed, "proved" if found.proved else f"{100 * gap / cost:.4f}",
        f"{100 * gap / without:.3f}", f"{best:,.0f}", f"{cost - best:+,.0f}", f"{found.runtime_s:.1f}", f"{cpu_s:.1f}",
    ]  # fmt: skip


def _gap_at(way: list[Progress], seconds: float) -> str:
    """Gap in % after so many seconds."""
    reached = [step for step in way if step.elapsed_s <= seconds]
    if not reached or reached[-1].cost is None or reached[-1].bound is None:
        return "none"
    return f"{100 * (1 - reached[-1].bound / reached[-1].cost):.4f}"


def _record(name: str, found: Circulated) -> None:
    """Keep the cheapest plan of a file."""
    kept: dict[str, dict[str, str]] = {}
    if BETTER.exists():
        with BETTER.open() as file:
            kept = {row["instance"]: row for row in csv.DictReader(file)}
    if name in kept and float(kept[name]["cost"]) <= found.cost:
        return
    assert found.plan is not None
    rotations = ";".join(f"{r.depot}:{'-'.join(map(str, r.trips))}" for r in found.plan.rotations)
    kept[name] = {"instance": name, "cost": f"{found.cost:.0f}", "bound": f"{found.bound:.0f}", "rotations": rotations}
    with BETTER.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["instance", "cost", "bound", "rotations"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept[key] for key in sorted(kept))


def run_peers(names: list[str], time_limit_s: float, seed: int) -> None:
    """General solvers on the compact models beside the engine."""
    for name in names:
        vehicles, matrix = read_file(DATA / f"{name}.inp.gz")
        problem = problem_of(vehicles, matrix)
        rows: list[list[object]] = []
        for peer, (solve, solver) in PEERS.items():
            begun_s = time.monotonic()
            found = solve(problem, SolveOptions(solver=solver, time_limit_s=time_limit_s, seed=seed))
            taken_s = time.monotonic() - begun_s
            cost = "none" if found.plan is None else f"{priced(vehicles, matrix, found.plan):,.0f}"
            bound = f"{found.bound:,.0f}" if abs(found.bound) < 1e18 else "none"
            rows.append([peer, cost, bound, "yes" if found.proved else "no", f"{taken_s:.1f}"])
        print_table(
            f"Compact models of {name}, {time_limit_s:g} s each; building included",
            ("peer", "cost", "bound", "proved", "s"), rows, f"published optimum {published()[name][1]:,.0f}",
        )  # fmt: skip
