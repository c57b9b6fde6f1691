"""Annual port choice on one instance: PuLP with HiGHS and CBC, the merged MathOpt model with GLOP, PDLP and HiGHS.

Contracts are left out, so that linear solvers can take part. Times include building the model and reading the plan.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.tables import print_table
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.result import relative_gap
from optimizer.solvers.mip import available_solvers

INSTANCE = Path(__file__).resolve().parent.parent / "instances" / "kazakhstan-pakistan"
WAYS = (("exact", "highs"), ("exact", "cbc"), ("crosscheck", "glop"), ("crosscheck", "highs"), ("crosscheck", "pdlp"))


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks port-choice-annual", description=__doc__)
    parser.add_argument("instance", nargs="?", default=str(INSTANCE))
    parser.add_argument("--scenario", default=None)
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each solver")
    options = parser.parse_args(argv)
    corridor = apply_scenario(read_instance(options.instance), options.scenario)
    corridor = replace(corridor, tables={**corridor.tables, "contracts": corridor.table("contracts").iloc[:0]})
    problem = PortChoice(corridor)
    FAMILY.methods["exact"](problem, SolveOptions(time_limit_s=options.time_limit))  # warm: machine code loaded
    rows: list[list[object]] = []
    first_s = 0.0
    for method, solver in WAYS:
        if method == "exact" and solver not in available_solvers():
            continue
        start = time.perf_counter()
        outcome = FAMILY.methods[method](problem, SolveOptions(solver=solver, time_limit_s=options.time_limit))
        taken_s = time.perf_counter() - start
        first_s = first_s or taken_s
        sound = outcome.solution is not None and not FAMILY.verify(problem, outcome.solution, outcome.cost)
        cost, bound = outcome.cost or float("nan"), outcome.bound or float("nan")
        gap = f"{100 * relative_gap(cost, bound):.4f}"
        money = [f"{cost / 1e6:,.4f}", f"{bound / 1e6:,.4f}", gap]
        rows.append(
            [method, solver, outcome.status.value, taken_s, taken_s / first_s, *money, "yes" if sound else "NO"]
        )
    title = f"Port choice, {corridor.name}, {len(corridor.table('lanes'))} lanes"
    columns = ("method", "solver", "status", "s", "ratio", "cost, M USD", "bound, M USD", "gap %", "verified")
    print_table(title, columns, rows)
