"""A wagon plan of a generated fleet taken up after its busiest link was closed, beside cold solves of what is left.

Seconds are those of the whole answer: ways, plan, bound, reasons, what changed, and verification. The running plan is
made once, and kept in a directory where one is given.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import optimizer as opt
from benchmarks.rolling_stock import rung_problem
from benchmarks.tables import print_table
from optimizer import results
from optimizer.data.generator.wagon_ladder import SIZES
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.engine import solve_engine
from optimizer.result import Result, Solution, relative_gap


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks replanning", description=__doc__)
    parser.add_argument("--rung", default="S", choices=tuple(SIZES), help="size of the fleet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base", type=Path, default=None, help="directory that keeps the running plan")
    parser.add_argument("--base-seconds", type=float, default=30.0, help="time limit of the running plan")
    parser.add_argument("--day", type=int, default=4, help="day on which it is taken up")
    parser.add_argument("--closed", default="1,6", help="days for which the busiest link is closed, comma-separated")
    parser.add_argument("--seconds", type=float, default=30.0, help="time limit of a re-plan")
    parser.add_argument("--cold", default="", help="time limits of cold solves of the rest, comma-separated")
    options = parser.parse_args(argv)
    problem = rung_problem(options.rung, options.seed)
    old = _running(problem, options.base, options.base_seconds)
    assert old.solution is not None
    link = busiest(old.solution, options.day)
    rows: list[tuple[object, ...]] = []
    for days in map(int, options.closed.split(",")):
        closure = f"{link}:{options.day}-{options.day + days - 1}"
        begun, cpu = time.perf_counter(), time.process_time()
        new, found = opt.replan(problem, old, options.day, closures=[closure], time_limit_s=options.seconds)
        taken = time.perf_counter() - begun, time.process_time() - cpu
        rows.append((closure, f"taken up, {options.seconds:g} s", *_figures(new.cost, new.bound), *taken))
        for limit in map(float, options.cold.split(",")) if options.cold else ():
            begun, cpu = time.perf_counter(), time.process_time()
            cold = solve_engine(found.problem, SolveOptions(time_limit_s=limit))
            taken = time.perf_counter() - begun, time.process_time() - cpu
            rows.append((closure, f"cold, {limit:g} s", *_figures(cold.cost, cold.bound), *taken))
    print_table(
        f"Re-planning, rung {options.rung}, seed {options.seed}, taken up on day {options.day}",
        ("closed", "how", "cost USD", "bound USD", "gap %", "seconds", "CPU s"),
        rows,
        f"The running plan costs {old.cost:,.0f} USD. Cold solves are not verified here.",
    )


def busiest(solution: Solution, day: int) -> str:
    """The link over which most wagons leave from a day on."""
    runs = solution["runs"]
    runs = runs[runs["depart_day"] >= day]
    return str(runs.loc[runs.index.repeat(runs["wagons"]), "path"].explode().mode()[0])


def _running(problem: RollingStock, base: Path | None, seconds: float) -> Result:
    if base is not None and base.is_dir():
        return results.read_result(base)
    result = opt.solve(problem, time_limit_s=seconds)
    if base is not None:
        results.write_result(result, base)
    return result


def _figures(cost: float | None, bound: float | None) -> tuple[object, ...]:
    if cost is None:
        return "none", f"{bound or 0:,.0f}", "-"
    return f"{cost:,.0f}", f"{bound or 0:,.0f}", 100 * relative_gap(cost, bound or 0.0)
