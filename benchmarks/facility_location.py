"""Facility location on public instances (OR-Library, multi-source; two-stage, Fernandes et al. 2014) beside HiGHS.

Each plan is priced again from the raw file: services opened, flows per route, capacities. Both sides get the same time,
seed and threads; HiGHS gets the compact model with strong linking rows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from dataclasses import dataclass
from pathlib import Path

import highspy
import numpy as np

from benchmarks.tables import print_table
from optimizer.flows.fixed_charge.engine import solve_fixed_charge
from optimizer.flows.fixed_charge.graph import RouteGraph
from optimizer.flows.fixed_charge.problem import FixedChargeProblem, FixedChargeResult, Floats
from optimizer.models.family import SolveOptions
from optimizer.result import relative_gap
from optimizer.solvers.highs import HighsOutcome, make_highs, run_highs

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "public-instances"


@dataclass(frozen=True)
class Stages:
    """Plants (may be none), depots: capacity, fixed cost; unit costs (I, J) to depots, (J, K) to customers."""

    name: str
    demand: Floats
    capacity: Floats
    fixed: Floats
    first: Floats
    second: Floats

    @property
    def plants(self) -> int:
        return self.first.shape[0]


def read_cflp(path: Path, name: str) -> Stages:
    """An OR-Library file; costs of the file are for the whole demand."""
    values = np.array(gzip.decompress(path.read_bytes()).split(), dtype=object)
    m, n = int(values[0]), int(values[1])
    if ".gs" in path.name:
        sites = values[2 : 2 + 2 * m].reshape(m, 2)
        fixed, capacity = sites[:, 1].astype(float), np.full(m, float(name.split("_")[1]))
        demand = values[2 + 2 * m : 2 + 2 * m + n].astype(float)
        cost = values[2 + 2 * m + n : 2 + 2 * m + n + m * n].astype(float).reshape(m, n)
    else:
        sites = values[2 : 2 + 2 * m].reshape(m, 2).astype(float)
        capacity, fixed = sites.T
        rest = values[2 + 2 * m : 2 + 2 * m + n * (m + 1)].astype(float).reshape(n, m + 1)
        demand, cost = rest[:, 0], rest[:, 1:].T
    return Stages(name, demand, capacity, fixed, np.zeros((0, m)), cost / demand)


def read_tscflp(path: Path) -> Stages:
    """A two-stage file."""
    values = np.array(gzip.decompress(path.read_bytes()).split(), dtype=float)
    i, j, k = values[:3].astype(int)
    parts = np.split(values[3:], np.cumsum([k, 2 * i, i * j, 2 * j, j * k]))
    sites = np.concatenate([parts[1].reshape(i, 2), parts[3].reshape(j, 2)])
    name = path.name.removesuffix(".txt.gz")
    return Stages(name, parts[0], sites[:, 0], sites[:, 1], parts[2].reshape(i, j), parts[4].reshape(j, k))


def problem_of(stages: Stages) -> FixedChargeProblem:
    """Source -> plants -> depots in -> depots out -> customers."""
    i, (j, k) = stages.plants, stages.second.shape
    into, out, customer = 1 + i + np.arange(j), 1 + i + j + np.arange(j), 1 + i + 2 * j + np.arange(k)
    tail = [np.zeros(i), np.repeat(1 + np.arange(i), j), into, np.repeat(out, k)]
    head = [1 + np.arange(i), np.tile(into, i), out, np.tile(customer, j)]
    cost = [np.zeros(i), stages.first.ravel(), np.zeros(j), stages.second.ravel()]
    service = [np.arange(i), np.full(i * j, -1), i + np.arange(j), np.full(j * k, -1)]
    if i == 0:  # the source leads to the depots
        tail.append(np.zeros(j))
        head.append(into)
        cost.append(np.zeros(j))
        service.append(np.full(j, -1))
    arcs = sum(part.size for part in tail)
    graph = RouteGraph(
        1 + i + 2 * j + k, np.concatenate(tail).astype(np.int64), np.concatenate(head).astype(np.int64),
        np.concatenate(cost), np.concatenate(service).astype(np.int64), np.ones(arcs),
        np.full(arcs, -1), np.zeros(arcs),
        np.zeros(k, np.int64), customer.astype(np.int64),
    )  # fmt: skip
    none = np.zeros(stages.fixed.size)
    return FixedChargeProblem(
        stages.demand, np.full(k, np.inf), stages.fixed, none, stages.capacity, np.empty(0), graph
    )


def checked_cost(stages: Stages, found: FixedChargeResult) -> float:
    """
    Cost of the plan from the file alone.

    Raises
    ------
    AssertionError
        Demand not met, capacity exceeded (1e-6 relative), or flow over a service that is not used.
    """
    assert found.used is not None
    assert found.routes is not None
    assert found.flow_t is not None
    i, routes = stages.plants, found.routes
    stops = routes.service.reshape(routes.demand.size, -1)
    depot = stops.max(axis=1) - i
    flow = found.flow_t
    total = float(stages.fixed @ found.used) + float(stages.second[depot, routes.demand] @ flow)
    if i:
        total += float(stages.first[stops.min(axis=1), depot] @ flow)
    assert np.all(flow >= 0)
    served = np.bincount(routes.demand, flow, stages.demand.size)
    assert np.allclose(served, stages.demand, rtol=1e-6, atol=0)
    through = np.bincount(stops.ravel(), np.repeat(flow, stops.shape[1]), stages.fixed.size)
    assert np.all(through <= stages.capacity * found.used * (1 + 1e-6))
    return total


def compact(stages: Stages, options: SolveOptions) -> HighsOutcome:
    """The textbook model with every strong linking row, in HiGHS alone."""
    i, (j, k) = stages.plants, stages.second.shape
    D = stages.demand
    highs, inf = make_highs(options), highspy.kHighsInf
    kinds = highspy.HighsVarType
    services, first = i + j, i * j
    columns = services + first + j * k
    lp = highspy.HighsLp()
    rows: list[tuple[np.ndarray, np.ndarray, float, float]] = []
    x = services + first + np.arange(j * k).reshape(j, k)
    f = services + np.arange(first).reshape(i, j)
    for c in range(k):
        rows.append((x[:, c], np.ones(j), 1.0, 1.0))
    for d in range(j):
        rows.append((np.append(x[d], i + d), np.append(D, -stages.capacity[i + d]), -inf, 0.0))
        if i:
            rows.append((np.append(x[d], f[:, d]), np.append(D, -np.ones(i)), 0.0, 0.0))
        rows += [(np.array([x[d, c], i + d]), np.array([1.0, -1.0]), -inf, 0.0) for c in range(k)]
    for p in range(i):
        rows.append((np.append(f[p], p), np.append(np.ones(j), -stages.capacity[p]), -inf, 0.0))
    lp.num_col_, lp.num_row_ = columns, len(rows)
    lp.col_cost_ = np.concatenate([stages.fixed, stages.first.ravel(), (stages.second * D).ravel()])
    lp.col_lower_ = np.zeros(columns)
    lp.col_upper_ = np.concatenate([np.ones(services), np.full(first, inf), np.ones(j * k)])
    lp.row_lower_, lp.row_upper_ = np.array([r[2] for r in rows]), np.array([r[3] for r in rows])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum([r[0].size for r in rows])]).astype(np.int32)
    lp.a_matrix_.index_ = np.concatenate([r[0] for r in rows]).astype(np.int32)
    lp.a_matrix_.value_ = np.concatenate([r[1] for r in rows])
    lp.integrality_ = [kinds.kInteger] * services + [kinds.kContinuous] * (columns - services)
    highs.passModel(lp)
    return run_highs(highs, options, True, 0.0)


def best_known(folder: str) -> dict[str, float]:
    """Name -> best known upper value."""
    with (DATA / folder / "best_known.csv").open(encoding="utf-8") as file:
        return {row["instance"]: float(row["upper_bound"]) for row in csv.DictReader(file)}


def instances(part: str) -> list[Stages]:
    """All instances whose name holds ``part``; one file serves the four capacities of capa, capb and capc each."""
    found = []
    for path in sorted((DATA / "cflp-orlib").glob("*.txt.gz")):
        stem = path.name.split(".")[0]
        family = f"{stem.split('_')[0]}_"
        names = [n for n in best_known("cflp-orlib") if n.startswith(family)] if ".gs" in path.name else [stem]
        found += [read_cflp(path, name) for name in names if part in name]
    found += [read_tscflp(path) for path in sorted((DATA / "tscflp").glob(f"*{part}*.txt.gz"))]
    return found


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks facility-location", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="part of the name of the instances to run")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="without plain HiGHS")
    chosen = parser.parse_args(argv)
    known = best_known("cflp-orlib") | best_known("tscflp")
    options = SolveOptions(time_limit_s=chosen.time_limit, seed=chosen.seed)
    rows = []
    for stages in instances(chosen.name):
        start = time.monotonic()
        found = solve_fixed_charge(problem_of(stages), options)
        row: list[object] = [stages.name, known[stages.name], *_figures(found, known[stages.name])]
        if found.cost is not None:
            assert abs(checked_cost(stages, found) - found.cost) <= 1e-6 * found.cost
        row.append(round(time.monotonic() - start, 1))
        if not chosen.alone:
            start = time.monotonic()
            peer = compact(stages, options)
            row += [*_figures(peer, known[stages.name]), round(time.monotonic() - start, 1)]
        rows.append(row)
    side = ["over best %", "gap %", "s"]
    heads = ["instance", "best known", *side, *([] if chosen.alone else [f"HiGHS {head}" for head in side])]
    print_table(f"Facility location, {chosen.time_limit:g} s each, 2 threads, seed {chosen.seed}", heads, rows)


def _figures(found: FixedChargeResult | HighsOutcome, known: float) -> tuple[str, str]:
    cost = found.cost if isinstance(found, FixedChargeResult) else found.objective
    if cost is None:
        return "none", "none"
    gap = "none" if found.bound is None else f"{100 * relative_gap(cost, found.bound):.4f}"
    return f"{100 * (cost - known) / known:.4f}", gap
