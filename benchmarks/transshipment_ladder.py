"""Terminals of growing size in three flavours: the engine beside plain CP-SAT on the exact model, and a repair.

Each method runs in a process of its own with the same time, seed and number of threads (two: CP-SAT as workers, the
engine for plan and bound). Plain CP-SAT gets the rules alone and starts from the plan made by hand; "none" is said
where it ends without one, or is stopped at its limit of time and memory. The bound of a peer that does not end is that
of its last progress. Every plan is verified.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from benchmarks.tables import print_table
from optimizer.data.generator.terminal_ladder import Flavour, Rung, terminal_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.problem import Transshipment
from optimizer.result import Outcome, Progress, relative_gap

SECONDS = {"small": 30.0, "day": 120.0, "week": 600.0, "month": 1800.0}
MEMORY_GIB = 6.0
PATIENCE_S = 60.0
"""A method may run that much over its limit, and over that of its repairs, before it is stopped."""
REPAIR_S = {"day": (2.0, 30.0, 60.0), "week": (5.0, 30.0, 90.0)}
ENGINE, PEER = METHODS = "engine", "plain CP-SAT"
COLUMNS = ("rung", "flavour", "method", "first plan, s", "cost, USD", "bound, USD", "gap %", "time, s", "GiB", "repair")


class _Case(NamedTuple):
    """What one process measures."""

    rung: Rung
    flavour: Flavour
    further: bool
    method: str
    seed: int
    seconds: float
    repair: bool


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks transshipment-ladder", description=__doc__)
    parser.add_argument("--rungs", default="small,day", help=f"some of {', '.join(get_args(Rung))}")
    parser.add_argument("--flavours", default=",".join(get_args(Flavour)))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=None, help="time limit of each run; by default the rung's")
    parser.add_argument(
        "--further", action="store_true", help="with checks, set-ups, cranes in line, rehandles, wagons"
    )
    parser.add_argument("--no-repair", action="store_true", help="without the late train")
    parser.add_argument("--quick", action="store_true", help="small and day, crane-tight, 10 s each")
    options = parser.parse_args(argv)
    if options.quick:
        options.flavours, options.seconds = "crane-tight", 10.0
    rows = []
    for rung in options.rungs.split(","):
        for flavour in options.flavours.split(","):
            for method in options.methods.split(","):
                repair = method == ENGINE and rung in REPAIR_S and not options.no_repair
                one = _Case(
                    rung, flavour, options.further, method, options.seed, options.seconds or SECONDS[rung], repair
                )
                rows.append([rung, flavour, method, *_apart(one)])
    rules = ", further rules" if options.further else ""
    note = "repair: one train three hours late, and loads moved; days after 2, 30 and 60 s, weeks after 5, 30 and 90 s"
    print_table(f"Terminals, seed {options.seed}{rules}", COLUMNS, rows, note)


def _apart(one: _Case) -> list[str]:
    """One run in a process of its own."""
    asked = json.dumps(one)
    limit = int(MEMORY_GIB * 2**30)
    timeout_s = one.seconds + PATIENCE_S + (sum(REPAIR_S[one.rung]) if one.repair else 0.0)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.transshipment_ladder", asked],
            capture_output=True, text=True, check=False, timeout=timeout_s,
            cwd=Path(__file__).resolve().parent.parent, env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ["none", "-", "-", "-", f"stopped at {timeout_s:g}", "-", "-"]
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"code {ended.returncode}"])[-1]
        return ["none", "-", "-", "-", last[:60], "-", "-"]
    told: list[str] = json.loads(ended.stdout.splitlines()[-1])
    return told


def _measure(one: _Case) -> list[str]:
    """One run in this process; the cells of its row."""
    from optimizer.models.transshipment.engine import solve_engine
    from optimizer.models.transshipment.search import solve_exact
    from optimizer.models.transshipment.verify import verify

    terminal = terminal_ladder(one.rung, one.flavour, one.seed, further=one.further)
    problem = Transshipment(apply_scenario(terminal, None))
    begun = time.perf_counter()
    told: list[Progress] = []
    options = SolveOptions(time_limit_s=one.seconds, seed=one.seed, on_progress=told.append)
    engine = one.method == ENGINE
    outcome = solve_engine(problem, options) if engine else solve_exact(problem, options, redundant=False)
    taken_s = time.perf_counter() - begun
    memory = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}"
    if outcome.solution is None or outcome.cost is None:
        return ["none", "-", f"{outcome.bound or 0:,.0f}", "-", f"{taken_s:.1f}", memory, "-"]
    if broken := verify(problem, outcome.solution, outcome.cost):
        raise RuntimeError(str(broken[0]))
    first = next((f"{note.elapsed_s:.1f}" for note in told if note.cost is not None), f"<= {taken_s:.1f}")
    bound = outcome.bound or 0.0
    gap = 100 * relative_gap(outcome.cost, bound)
    repair = _repair(problem, outcome, REPAIR_S[one.rung]) if one.repair else "-"
    return [first, f"{outcome.cost:,.0f}", f"{bound:,.0f}", f"{gap:.1f}", f"{taken_s:.1f}", memory, repair]


def _repair(problem: Transshipment, outcome: Outcome, limits_s: Sequence[float]) -> str:
    """Repair when the middle train turns out to be three hours late, an hour before it was to come."""
    from optimizer.models.transshipment.replan import Disturbance, replan
    from optimizer.models.transshipment.verify import verify

    assert outcome.solution is not None
    late = problem.site.calls[len(problem.site.calls) // 2]
    news = Disturbance(max(0, late.arrive - 60), {late.call_id: 180})
    told = []
    for seconds in (0.0, *limits_s):
        begun = time.perf_counter()
        repair = replan(problem, outcome.solution, news, SolveOptions(time_limit_s=seconds + 1e-9))
        taken_s = time.perf_counter() - begun
        if repair is None or verify(repair.problem, repair.solution, repair.cost):
            return "none"
        told.append(f"{taken_s:.1f} s: {repair.cost:,.0f} USD, {len(repair.loads)} moved")
    return "; ".join(told)


if __name__ == "__main__":
    print(json.dumps(_measure(_Case(*json.loads(sys.argv[1])))))
