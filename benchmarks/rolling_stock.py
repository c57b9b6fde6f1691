"""Wagons at equal time: search, bare programme (HiGHS, CBC), second formulation; or the engine on generated fleets."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.locomotives import run_ladder, run_peers
from benchmarks.tables import print_table
from optimizer.data.generator.wagon_ladder import SIZES, wagon_ladder
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.allocate import solve_exact, solve_whole
from optimizer.models.rolling_stock.wagons.crosscheck import solve_crosscheck
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts, solve_engine
from optimizer.models.rolling_stock.wagons.verify import verify_wagons
from optimizer.result import Outcome, Progress, relative_gap

INSTANCES = Path(__file__).resolve().parent.parent / "instances"
WAYS: tuple[tuple[str, str, Callable[[RollingStock, SolveOptions], Outcome]], ...] = (
    ("search, PuLP", "highs", solve_exact),
    ("bare, PuLP", "highs", solve_whole),
    ("bare, PuLP", "cbc", solve_whole),
    ("second, MathOpt", "highs", solve_crosscheck),
    ("second, MathOpt", "scip", solve_crosscheck),
)

QUICK_TRAINS = 12
"""Trains in the table of general solvers on locomotives."""


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks rolling-stock", description=__doc__)
    parser.add_argument("instance", nargs="?", default=str(INSTANCES / "kazakhstan-pakistan"))
    parser.add_argument("--scenario", default=None)
    parser.add_argument("--orders", type=int, default=8, help="how many orders to keep, from the first")
    parser.add_argument("--seconds", type=float, default=10.0, help="time limit of each run")
    parser.add_argument("--gap", type=float, default=0.001, help="relative gap asked for")
    parser.add_argument("--rungs", default="", help=f"measure the engine on these rungs instead: {', '.join(SIZES)}")
    parser.add_argument("--peers", default="", help="the engine beside the compact programmes on these rungs instead")
    parser.add_argument("--seed", type=int, default=1, help="seed of the rungs")
    parser.add_argument("--maintained", action="store_true", help="fleets of the rungs are almost due for maintenance")
    parser.add_argument("--locomotives", default="", help="measure the locomotive engine on these rungs: S, M, L")
    parser.add_argument("--locomotive-peers", type=int, default=0, help="general solvers on so many trains")
    options = parser.parse_args(argv)
    if options.locomotives:
        run_ladder(options.locomotives.split(","), options.seed, None if options.seconds == 10.0 else options.seconds)
        return
    if options.locomotive_peers:
        run_peers(options.locomotive_peers, options.seed, options.seconds)
        return
    if options.rungs:
        _ladder(options)
    if options.peers:
        _peers(options)
    if options.rungs or options.peers:
        return
    corridor = apply_scenario(read_instance(options.instance), options.scenario)
    tables = {**corridor.tables, "orders": corridor.table("orders").iloc[: options.orders]}
    problem = RollingStock(replace(corridor, tables=tables))
    print_table(
        f"Rolling stock: {Path(options.instance).name}, {len(tables['orders'])} orders, {problem.days} days",
        PEER_COLUMNS, [_peer(problem, way, options) for way in WAYS], _peer_note(options),
    )  # fmt: skip
    run_ladder(["S"], options.seed, options.seconds)
    run_peers(QUICK_TRAINS, options.seed, options.seconds)


PEER_COLUMNS = ("formulation", "solver", "status", "cost USD", "bound USD", "gap %", "seconds")


def _peer(
    problem: RollingStock, way: tuple[str, str, Callable[..., Outcome]], options: argparse.Namespace
) -> tuple[object, ...]:
    """One line: a formulation and solver on a problem."""
    name, solver, solve = way
    start = time.perf_counter()
    outcome = solve(problem, SolveOptions(solver=solver, time_limit_s=options.seconds, gap=options.gap))
    seconds = time.perf_counter() - start
    if outcome.solution is None or outcome.cost is None:
        return name, solver, outcome.status.value, "-", outcome.bound or 0.0, "-", seconds
    if broken := verify_wagons(problem, outcome.solution, outcome.cost):
        raise RuntimeError(f"{name}, {solver}: {broken[0]}")
    gap = 100 * relative_gap(outcome.cost, outcome.bound or 0.0)
    return name, solver, outcome.status.value, outcome.cost, outcome.bound or 0.0, gap, seconds


def _peer_note(options: argparse.Namespace) -> str:
    return (
        f"Asked for a gap of {100 * options.gap:g} % within {options.seconds:g} s, building included. "
        "A run stopped without a plan shows the plan in which nothing moves."
    )


def _peers(options: argparse.Namespace) -> None:
    """The engine beside the compact programmes on generated fleets, each with the same time."""
    for rung in options.peers.split(","):
        problem = rung_problem(rung, options.seed, options.maintained)
        ways = (("engine", "highs", solve_by_parts), *WAYS)
        rows = [_peer(problem, way, options) for way in ways]
        print_table(f"Rung {rung}, seed {options.seed}", PEER_COLUMNS, rows, _peer_note(options))


def rung_problem(rung: str, seed: int, maintained: bool = False) -> RollingStock:
    """A generated fleet; L runs on the reference network."""
    network = apply_scenario(read_instance(INSTANCES / "kazakhstan-pakistan"), None) if rung == "L" else None
    return RollingStock(apply_scenario(wagon_ladder(rung, seed, network=network, maintained=maintained), "base"))  # type: ignore[arg-type]


def _ladder(options: argparse.Namespace) -> None:
    """The engine on generated fleets: when the last bound and the plans within 3% and 1% came, and where it ended."""
    rows: list[tuple[object, ...]] = []
    for rung in options.rungs.split(","):
        problem = rung_problem(rung, options.seed, options.maintained)
        seen: list[Progress] = []
        start = time.perf_counter()
        outcome = solve_engine(
            problem, SolveOptions(time_limit_s=options.seconds, gap=options.gap, on_progress=seen.append)
        )
        seconds = time.perf_counter() - start
        if outcome.solution is None or outcome.cost is None or outcome.bound is None:
            raise RuntimeError(f"rung {rung}: no plan")
        if broken := verify_wagons(problem, outcome.solution, outcome.cost):
            raise RuntimeError(f"rung {rung}: {broken[0]}")
        bound, standing = outcome.bound, seen[0].cost if seen else None
        last = [p.elapsed_s for p in seen if p.bound is not None and p.bound >= bound * (1 - 1e-9)]
        first = [p.elapsed_s for p in seen if p.cost is not None and standing is not None and p.cost < standing]
        within = [
            [p.elapsed_s for p in seen if p.cost is not None and relative_gap(p.cost, bound) <= share]
            for share in (0.03, 0.01)
        ]
        times = [f"{found[0]:.1f}" if found else "-" for found in (last, first, *within)]
        rows.append((rung, outcome.cost, bound, 100 * relative_gap(outcome.cost, bound), *times, seconds))
    columns = ("rung", "cost USD", "bound USD", "gap %", "bound, s", "plan, s", "in 3%, s", "in 1%, s", "seconds")
    print_table(f"Wagon engine, seed {options.seed}, {options.seconds:g} s each", columns, rows)
