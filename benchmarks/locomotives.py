"""Locomotives on generated trains: the engine with its bound, and the whole programme in general solvers beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.tables import print_table
from optimizer.data.generator.locomotive_ladder import locomotive_ladder
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.crosscheck import solve_crosscheck_trains
from optimizer.models.rolling_stock.locomotives.engine import search_trains
from optimizer.models.rolling_stock.locomotives.exact import solve_trains
from optimizer.models.rolling_stock.locomotives.verify import verify_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.result import Outcome, Progress, relative_gap

NETWORK = Path(__file__).resolve().parent.parent / "instances" / "kazakhstan-pakistan"
LIMITS_S = {"S": 60.0, "M": 300.0, "L": 600.0}
PEERS: tuple[tuple[str, str, Callable[[RollingStock, SolveOptions], Outcome]], ...] = (
    ("engine", "highs", search_trains),
    ("programme, PuLP", "highs", solve_trains),
    ("programme, PuLP", "cbc", solve_trains),
    ("units one by one, MathOpt", "scip", solve_crosscheck_trains),
    ("units one by one, MathOpt", "highs", solve_crosscheck_trains),
)


def run_ladder(rungs: list[str], seed: int, seconds: float | None) -> None:
    """Rungs of the engine: when the bound stood, when plans were within 5% and 2% of it, and the end."""
    rows: list[tuple[object, ...]] = []
    for rung in rungs:
        problem = _problem(rung, seed, 0)
        seen: list[Progress] = []
        limit_s = seconds or LIMITS_S[rung]
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        outcome = search_trains(problem, SolveOptions(time_limit_s=limit_s, seed=seed, on_progress=seen.append))
        taken_s, cpu_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s
        cost, bound = _checked(problem, outcome)
        came = [p.elapsed_s for p in seen if p.bound is not None and p.bound >= bound * (1 - 1e-9)]
        within = [
            [p.elapsed_s for p in seen if p.cost is not None and relative_gap(p.cost, bound) <= share]
            for share in (0.05, 0.02)
        ]
        times = [f"{found[0]:.0f}" if found else "-" for found in (came, *within)]
        assert outcome.solution is not None
        trains, cancelled = len(problem.table("train_services")), len(outcome.solution["cancelled"])
        gap = f"{100 * relative_gap(cost, bound):.2f}"
        rows.append((rung, trains, cancelled, f"{cost:,.0f}", f"{bound:,.0f}", gap, *times, f"{taken_s:.0f}",
                     f"{cpu_s:.0f}"))  # fmt: skip
    columns = ("rung", "trains", "cancelled", "cost USD", "bound USD", "gap %", "bound, s", "in 5%, s", "in 2%, s", "s",
               "CPU s")  # fmt: skip
    print_table(f"Locomotive engine, seed {seed}", columns, rows)


def run_peers(trains: int, seed: int, seconds: float) -> None:
    """General solvers on both formulations beside the engine, on a few trains of rung S."""
    problem = _problem("S", seed, trains)
    rows: list[tuple[object, ...]] = []
    for name, solver, solve in PEERS:
        begun_s = time.monotonic()
        outcome = solve(problem, SolveOptions(solver=solver, time_limit_s=seconds, seed=seed, gap=1e-4))
        taken_s = time.monotonic() - begun_s
        if outcome.solution is None or outcome.cost is None:
            rows.append(
                (name, solver, outcome.status.value, "-", f"{outcome.bound or 0.0:,.0f}", "-", f"{taken_s:.1f}")
            )
            continue
        cost, bound = _checked(problem, outcome)
        gap = f"{100 * relative_gap(cost, bound):.2f}"
        rows.append((name, solver, outcome.status.value, f"{cost:,.0f}", f"{bound:,.0f}", gap, f"{taken_s:.1f}"))
    columns = ("formulation", "solver", "status", "cost USD", "bound USD", "gap %", "s")
    print_table(f"Locomotives of {trains} trains, {seconds:g} s each, building included", columns, rows)


def _problem(rung: str, seed: int, trains: int) -> RollingStock:
    network = apply_scenario(read_instance(NETWORK), None)
    instance = locomotive_ladder(rung, seed, network=network, trains=trains)  # type: ignore[arg-type]
    return RollingStock(apply_scenario(instance, "base"), stock="locomotives")


def _checked(problem: RollingStock, outcome: Outcome) -> tuple[float, float]:
    """Cost and bound of a plan that keeps every rule."""
    if outcome.solution is None or outcome.cost is None:
        raise RuntimeError("no plan")
    if broken := verify_trains(problem, outcome.solution, outcome.cost):
        raise RuntimeError(str(broken[0]))
    return outcome.cost, outcome.bound or 0.0
