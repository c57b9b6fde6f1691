"""Wagons at equal time: the search around the relaxation, the bare programme (HiGHS, CBC), the second formulation."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.tables import print_table
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.allocate import solve_exact, solve_whole
from optimizer.models.rolling_stock.crosscheck import solve_crosscheck
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.verify import verify_wagons
from optimizer.result import Outcome, relative_gap

INSTANCES = Path(__file__).resolve().parent.parent / "instances"
WAYS: tuple[tuple[str, str, Callable[[RollingStock, SolveOptions], Outcome]], ...] = (
    ("search, PuLP", "highs", solve_exact),
    ("bare, PuLP", "highs", solve_whole),
    ("bare, PuLP", "cbc", solve_whole),
    ("second, MathOpt", "highs", solve_crosscheck),
    ("second, MathOpt", "scip", solve_crosscheck),
)


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks rolling-stock", description=__doc__)
    parser.add_argument("instance", nargs="?", default=str(INSTANCES / "kazakhstan-pakistan"))
    parser.add_argument("--scenario", default=None)
    parser.add_argument("--orders", type=int, default=8, help="how many orders to keep, from the first")
    parser.add_argument("--seconds", type=float, default=10.0, help="time limit of each run")
    parser.add_argument("--gap", type=float, default=0.001, help="relative gap asked for")
    options = parser.parse_args(argv)
    corridor = apply_scenario(read_instance(options.instance), options.scenario)
    tables = {**corridor.tables, "orders": corridor.table("orders").iloc[: options.orders]}
    problem = RollingStock(replace(corridor, tables=tables))
    rows: list[tuple[object, ...]] = []
    for name, solver, solve in WAYS:
        start = time.perf_counter()
        outcome = solve(problem, SolveOptions(solver=solver, time_limit_s=options.seconds, gap=options.gap))
        seconds = time.perf_counter() - start
        if outcome.solution is None or outcome.cost is None:
            rows.append((name, solver, outcome.status.value, "-", outcome.bound or 0.0, "-", seconds))
            continue
        if broken := verify_wagons(problem, outcome.solution, outcome.cost):
            raise RuntimeError(f"{name}, {solver}: {broken[0]}")
        gap = 100 * relative_gap(outcome.cost, outcome.bound or 0.0)
        rows.append((name, solver, outcome.status.value, outcome.cost, outcome.bound or 0.0, gap, seconds))
    print_table(
        f"Rolling stock: {Path(options.instance).name}, {len(tables['orders'])} orders, {problem.days} days",
        ("formulation", "solver", "status", "cost USD", "bound USD", "gap %", "seconds"),
        rows,
        f"Asked for a gap of {100 * options.gap:g} % within {options.seconds:g} s, building included. "
        "A run stopped without a plan shows the plan in which nothing moves.",
    )
