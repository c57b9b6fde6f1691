"""Terminals: ladder, further rules, peers and public job shops in one go, about twenty minutes.

Small terminals and days in three flavours with a repair, the engine beside plain CP-SAT; days with all rules; every
20th public job shop; and instances by CP-SAT with and without its redundant constraints. With --whole weeks and months
too, at the limits of the rungs, and every job shop: about five hours. Instances named: only those.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import job_shop, transshipment_ladder
from benchmarks.tables import print_table
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.problem import Transshipment
from optimizer.models.transshipment.search import solve_exact
from optimizer.models.transshipment.verify import verify
from optimizer.result import Progress, relative_gap

INSTANCES = Path(__file__).resolve().parent.parent / "instances"
DAY_S = 60.0
DAYS_WITH_ALL_RULES = ["--rungs", "day", "--further", "--seed", "1", "--methods", "engine", "--no-repair"]


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks transshipment", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("instances", nargs="*", help="by default the reference instance's terminal")
    parser.add_argument("--scenario", default=None)
    parser.add_argument("--seconds", type=float, default=20.0, help="time limit of each run of an instance")
    parser.add_argument("--whole", action="store_true", help="every rung and every job shop")
    options = parser.parse_args(argv)
    if not options.instances:
        options.instances = [str(INSTANCES / "kazakhstan-pakistan")]
        rungs = ["--rungs", "small,day,week,month"] if options.whole else ["--seconds", f"{DAY_S:g}"]
        transshipment_ladder.run(rungs)
        transshipment_ladder.run([*DAYS_WITH_ALL_RULES, "--seconds", f"{DAY_S:g}"])
        job_shop.run(["--every", "1" if options.whole else "20"])
    rows: list[tuple[object, ...]] = []
    for path in options.instances:
        problem = Transshipment(apply_scenario(read_instance(path), options.scenario))
        site = problem.site
        size = f"{len(site.calls)} trains, {len(site.loads)} loads"
        for name, redundant in (("full", True), ("plain", False)):
            changes: list[Progress] = []
            outcome = solve_exact(
                problem,
                SolveOptions(time_limit_s=options.seconds, on_progress=changes.append),
                redundant=redundant,
            )
            if outcome.solution is None or outcome.cost is None:
                rows.append((Path(path).name, size, name, outcome.status.value, "-", outcome.bound or 0.0, "-", "-"))
                continue
            if broken := verify(problem, outcome.solution, outcome.cost):
                raise RuntimeError(f"{path}: {broken[0]}")
            gap = 100 * relative_gap(outcome.cost, outcome.bound or 0.0)
            last = changes[-1].elapsed_s if changes else 0.0
            rows.append(
                (Path(path).name, size, name, outcome.status.value, outcome.cost, outcome.bound or 0.0, gap, last)
            )
    print_table(
        f"Transshipment: CP-SAT for {options.seconds:g} s",
        ("instance", "size", "model", "status", "cost USD", "bound USD", "gap %", "last change s"),
        rows,
        "full: with redundant constraints and the assignment bound; plain: the rules alone. Same first plan.",
    )
