"""Dated port choice by general solvers: the compact models in a process of their own, with limits on time and memory.

Every peer gets the generated instance as arguments, builds its own compact model (PuLP: one flow per shipment; MathOpt:
one per commodity, destination and deadline) and solves it. What it cannot build or finish is told, not hidden. The last
row is the project's own method under the same limits. Costs are those of verified plans; a bound stands only where it
is proved: by the solver, or, where it got no further, as the uncongested bound.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.tables import print_table
from optimizer.result import relative_gap

PEERS = {
    "PuLP + HiGHS": ("exact", "highs"),
    "PuLP + CBC": ("exact", "cbc"),
    "MathOpt GLOP": ("crosscheck", "glop"),
    "MathOpt PDLP": ("crosscheck", "pdlp"),
    "route-flow engine": ("engine", "route-flow"),
}
"""Name -> method and solver."""

CASES = {
    "S-light": {"places": 20, "days": 28, "shipments": 500, "congestion": "light"},
    "S-heavy": {"places": 20, "days": 28, "shipments": 500, "congestion": "heavy"},
    "M-heavy": {"places": 60, "days": 120, "shipments": 5_000, "congestion": "heavy"},
}
BUILD_FACTOR = 2.0
"""Patience with a peer that does not stop by itself, in time limits: CBC reads and writes a file before it looks."""


@dataclass(frozen=True)
class PeerResult:
    """
    What one peer did.

    Attributes
    ----------
    build_s, solve_s
        Seconds for the graph and model, and for the rest up to the plan; None when it did not get there.
    cost, bound, gap
        USD and relative gap; None without a plan.
    memory_gib
        Peak of the process and of the solvers it started.
    failure
        Why there is no proved plan; blank when there is one.
    """

    peer: str
    build_s: float | None = None
    solve_s: float | None = None
    cost: float | None = None
    bound: float | None = None
    gap: float | None = None
    memory_gib: float | None = None
    failure: str = ""


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks port-choice-peers", description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=120.0, help="seconds for each peer")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB of address space for each peer")
    parser.add_argument("--gap", type=float, default=1e-4, help="relative gap at which the engine stops")
    options = parser.parse_args(argv)
    for case in options.cases.split(","):
        found = run_peers(CASES[case] | {"seed": options.seed}, options.time_limit, options.memory, options.gap)
        own = found[-1]
        own_s = (own.build_s or 0.0) + (own.solve_s or 0.0)
        rows = [_row(result, own_s) for result in found]
        title = (
            f"Compact models of {case}, seed {options.seed}, {options.time_limit:g} s and {options.memory:g} GiB each"
        )
        columns = ("peer", "build, s", "solve, s", "ratio", "cost, M USD", "bound, M USD", "gap %", "memory, GiB",
                   "what went wrong")  # fmt: skip
        print_table(title, columns, rows)


def _row(result: PeerResult, own_s: float) -> list[object]:
    def text(value: float | None, pattern: str) -> str:
        return "" if value is None else format(value, pattern)

    taken_s = None if result.build_s is None else result.build_s + (result.solve_s or 0.0)
    return [
        result.peer, text(result.build_s, ".1f"), text(result.solve_s, ".1f"),
        "" if taken_s is None or not own_s else f"{taken_s / own_s:.1f}",
        text(result.cost and result.cost / 1e6, ",.4f"), text(result.bound and result.bound / 1e6, ",.4f"),
        text(result.gap and 100 * result.gap, ".4f") or ("0" if result.gap == 0 else ""),
        text(result.memory_gib, ".2f"), result.failure,
    ]  # fmt: skip


def run_peers(
    problem_arguments: dict[str, Any], time_limit_s: float, memory_gib: float, gap: float = 1e-4
) -> list[PeerResult]:
    """
    Every peer on one generated instance, one after the other.

    Parameters
    ----------
    problem_arguments
        For :func:`optimizer.data.generate.generate`.
    time_limit_s
        For building and solving; instance and imports are not counted.
    memory_gib
        Address space of the process (``RLIMIT_AS``), solvers that run as programs of their own each alike.
    gap
        Relative gap asked of every method.
    """
    return [_run_peer(peer, problem_arguments, time_limit_s, memory_gib, gap) for peer in PEERS]


def _run_peer(
    peer: str, problem_arguments: dict[str, Any], time_limit_s: float, memory_gib: float, gap: float
) -> PeerResult:
    asked = json.dumps([peer, problem_arguments, time_limit_s, gap])
    bytes_allowed = int(memory_gib * 2**30)
    patience_s = BUILD_FACTOR * time_limit_s + 60
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.peers", asked],
            capture_output=True, text=True, check=False, timeout=patience_s,
            cwd=Path(__file__).resolve().parent.parent, env={**os.environ, "OMP_NUM_THREADS": "2"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (bytes_allowed, bytes_allowed)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return PeerResult(peer, failure=f"killed after {patience_s:g} s")
    last = ended.stdout.splitlines()[-1:]
    if ended.returncode == 0 and last:
        return PeerResult(**json.loads(last[0]))
    words = (ended.stderr.strip().splitlines() or [""])[-1]
    if "MemoryError" in words or "bad_alloc" in ended.stderr or "alloc" in words:
        return PeerResult(peer, failure=f"out of memory ({memory_gib:g} GiB)")
    return PeerResult(peer, failure=f"ended with code {ended.returncode}: {words[:200]}")


def _measure(peer: str, problem_arguments: dict[str, Any], time_limit_s: float, gap: float) -> PeerResult:
    """One peer, in this process."""
    from optimizer.data.generate import generate
    from optimizer.data.scenario import apply_scenario
    from optimizer.errors import UsageError
    from optimizer.models.family import SolveOptions
    from optimizer.models.port_choice import FAMILY, PortChoice, days

    method, solver = PEERS[peer]
    problem = PortChoice(apply_scenario(generate(**problem_arguments), None), dated=True)
    small = PortChoice(
        apply_scenario(generate(places=8, days=28, shipments=20, congestion="light", seed=0), None), dated=True
    )
    FAMILY.methods[method](small, SolveOptions(solver=solver))  # imports, machine code loaded
    days.MOST_FLOWS = sys.maxsize  # normally refused; here it is to be seen what becomes of it
    built: list[float] = []
    start = time.perf_counter()
    _note_builds(built)
    options = SolveOptions(solver=solver, time_limit_s=time_limit_s, gap=gap)
    try:
        outcome = FAMILY.methods[method](problem, options)
    except (UsageError, MemoryError) as error:
        words = "out of memory" if isinstance(error, MemoryError) else str(error)
        return PeerResult(peer, None, None, None, None, None, _peak_gib(), words)
    taken_s = time.perf_counter() - start
    build_s = built[0] - start if built else None
    if outcome.solution is None or outcome.cost is None or outcome.bound is None:
        return PeerResult(
            peer, build_s, taken_s - (build_s or 0.0), memory_gib=_peak_gib(), failure=outcome.status.value
        )
    broken = FAMILY.verify(problem, outcome.solution, outcome.cost)
    achieved = relative_gap(outcome.cost, outcome.bound)
    failure = ""
    if achieved > max(gap, 1e-6):
        failure = "time" if taken_s >= 0.95 * time_limit_s else "ends at its own tolerance"
    if broken:
        failure = f"plan breaks {len(broken)} rules"
    elif not len(outcome.solution["routes"]):
        failure = "no plan in time" if built else "not built in time"
    result = PeerResult(peer, build_s, None, outcome.cost, outcome.bound, achieved, _peak_gib(), failure)
    return replace(result, solve_s=taken_s - build_s) if build_s is not None else replace(result, build_s=taken_s)


def _note_builds(built: list[float]) -> None:
    """Note the clock when a method hands its first model, or its flows, to a solver."""
    from optimizer.models.port_choice import contracts, crosscheck, exact

    def noted(call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            built.append(time.perf_counter())
            return call(*arguments, **named)

        return timed

    for module, name in ((exact, "solve_model"), (crosscheck, "solve_mathopt"), (contracts, "solve_route_flow")):
        setattr(module, name, noted(getattr(module, name)))


def _peak_gib() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(*json.loads(sys.argv[1])))))
