"""User equilibrium on public networks (TNTP files) against their published objectives, beside Frank-Wolfe.

The objective is computed again from the file and the loads alone. Frank-Wolfe (1956; for traffic LeBlanc et al., 1975),
what a user would write with SciPy's shortest paths, gets at least the same time. The stochastic equilibrium on the same
routes must reach the same objective as its scale grows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import time
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks.tables import print_table
from optimizer.flows.equilibrium.delay import DelayFunctions
from optimizer.flows.equilibrium.deterministic import TrafficAssignment, UserEquilibrium, user_equilibrium
from optimizer.flows.equilibrium.newton import stochastic_equilibrium
from optimizer.flows.equilibrium.stochastic import StochasticAssignment
from optimizer.flows.routes.problem import Floats
from optimizer.models.family import SolveOptions
from optimizer.result import relative_gap

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "public-instances" / "traffic-assignment"
PUBLISHED_UNIT = {"SiouxFalls": 1e5}
"""Units in which an objective is printed."""
WEIGHTS = {"ChicagoSketch": (0.02, 0.04), "Chicago-Sketch": (0.02, 0.04)}
"""Weights of toll and distance where the publisher counts them: minutes per cent and per mile."""
MOST_LIMIT_LINKS = 3000
"""Links up to which the stochastic equilibrium, which solves a system of their number, is shown."""


def read_network(folder: Path, name: str) -> TrafficAssignment:
    """Network and demands; nodes counted from 0."""
    header, links = _parts(folder / f"{name}_net.tntp.gz")
    rows = np.array([line.replace(";", " ").split()[:9] for line in links if not line.startswith("~")], dtype=float)
    tail, head = rows[:, :2].T.astype(np.int64) - 1
    capacity, length, free, rise, power, _, toll = rows[:, 2:].T
    per_toll, per_length = WEIGHTS.get(name, (0.0, 0.0))
    constant = power == 0  # a factor whatever the load
    delays = DelayFunctions(
        free * np.where(constant, 1 + rise, 1), np.where(constant, 0, rise), capacity, np.where(constant, 1, power)
    )
    nodes, first_through = int(header["NUMBER OF NODES"]), int(header["FIRST THRU NODE"])
    origin, destination, quantity = _trips(folder / f"{name}_trips.tntp.gz")
    return TrafficAssignment(
        nodes, tail, head, per_toll * toll + per_length * length, delays, origin - 1, destination - 1, quantity,
        np.arange(1, nodes + 1) >= first_through,
    )  # fmt: skip


def _parts(path: Path) -> tuple[dict[str, str], list[str]]:
    text = gzip.decompress(path.read_bytes()).decode()
    head, _, body = text.partition("<END OF METADATA>")
    return dict(re.findall(r"<([^>]+)>\s*(\S+)", head)), [line.strip() for line in body.splitlines() if line.strip()]


def _trips(path: Path) -> tuple[np.ndarray, np.ndarray, Floats]:
    trips = []
    origin = 0
    for line in _parts(path)[1]:
        if line.startswith("Origin"):
            origin = int(line.split()[1])
        else:
            trips += [(origin, int(to), float(many)) for to, many in re.findall(r"(\d+)\s*:\s*([\d.eE+-]+)\s*;", line)]
    table = np.array(trips)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]


def frank_wolfe(problem: TrafficAssignment, seconds: float) -> tuple[float, float, int]:
    """Objective, bound and steps after ``seconds``."""
    assert problem.may_pass is not None
    nodes = problem.num_nodes
    leaving = np.where(problem.may_pass, np.arange(nodes), nodes + np.arange(nodes))
    tail = leaving[problem.tail]
    moving = (problem.quantity > 0) & (problem.origin != problem.destination)
    sources, row = np.unique(leaving[problem.origin[moving]], return_inverse=True)
    target, quantity = problem.destination[moving], problem.quantity[moving]
    key = tail * 2 * nodes + problem.head
    by_key = np.argsort(key, kind="stable")

    def all_or_nothing(cost: Floats) -> tuple[Floats, float]:
        cheapest = by_key[np.lexsort((cost[by_key], key[by_key]))]  # of parallel links the cheapest
        cheapest = cheapest[np.append(True, np.diff(key[cheapest]) > 0)]
        graph = csr_array((cost[cheapest], (tail[cheapest], problem.head[cheapest])), shape=(2 * nodes, 2 * nodes))
        distance, before = dijkstra(graph, indices=sources, return_predecessors=True)
        load, at, active = np.zeros(tail.size), target.copy(), np.arange(target.size)
        while active.size:
            previous = before[row[active], at[active]].astype(np.int64)
            link = cheapest[np.searchsorted(key[cheapest], previous * 2 * nodes + at[active])]
            load += np.bincount(link, quantity[active], tail.size)
            at[active] = previous
            active = active[previous != sources[row[active]]]
        return load, float(distance[row, target] @ quantity)

    start = time.perf_counter()
    load, bound, steps = all_or_nothing(problem.costs(np.zeros(tail.size)))[0], -np.inf, 0
    while time.perf_counter() - start < seconds:
        cost = problem.costs(load)
        other, least = all_or_nothing(cost)
        bound = max(bound, problem.objective(load) - float(cost @ load) + least)
        step = minimize_scalar(
            lambda share, load=load, other=other: problem.objective(load + share * (other - load)),
            bounds=(0, 1), method="bounded", options={"xatol": 1e-10},
        ).x  # fmt: skip
        load = load + step * (other - load)
        steps += 1
    return problem.objective(load), bound, steps


def stochastic_limit(problem: TrafficAssignment, found: UserEquilibrium, scale: float) -> float:
    """Objective of the stochastic equilibrium on the routes of the other."""
    demands, demand = np.unique(found.demand, return_inverse=True)
    slowing = problem.delays.rise > 0
    number = np.cumsum(slowing) - 1
    delays = problem.delays
    route = np.repeat(np.arange(demand.size), np.diff(found.start))
    there = slowing[found.link]
    constant = problem.toll + np.where(slowing, 0, delays.free)
    order = np.argsort(demand, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    by_route = np.lexsort((number[found.link[there]], place[route[there]]))
    route, link = place[route[there]][by_route], found.link[there][by_route]
    assignment = StochasticAssignment(
        demand=demand[order],
        quantity=problem.quantity[demands],
        cost=np.add.reduceat(constant[found.link], found.start[:-1])[order],
        hour_cost=np.ones(demands.size),
        indptr=np.searchsorted(route, np.arange(order.size + 1)),
        resource=number[link],
        use=np.ones(link.size),
        passes=np.ones(link.size),
        delays=DelayFunctions(*(v[slowing] for v in (delays.free, delays.rise, delays.capacity, delays.power))),
        scale=scale,
    )
    flow = np.empty(order.size)
    flow[order] = stochastic_equilibrium(assignment).flow
    load = np.bincount(found.link, np.repeat(flow, np.diff(found.start)), slowing.size)
    return problem.objective(load.astype(np.float64))


def run(argv: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks traffic-assignment", description=__doc__)
    parser.add_argument("--networks", nargs="*", help="default: all that are there")
    parser.add_argument("--gap", type=float, default=1e-10, help="relative gap of objective and bound to stop at")
    parser.add_argument("--seconds", type=float, default=5.0, help="of Frank-Wolfe, at least")
    parser.add_argument("--scale", type=float, default=1000.0, help="of the stochastic equilibrium")
    options = parser.parse_args(argv)
    if not DATA.exists():
        print("the public networks are not there")
        return
    with (DATA / "best_known.csv").open() as file:
        published = {row["instance"]: float(row["upper_bound"]) for row in csv.DictReader(file)}
    rows = []
    for name in options.networks or published:
        problem = read_network(DATA, name)
        user_equilibrium(problem, SolveOptions(), max_passes=1)  # compile
        start = time.perf_counter()
        found = user_equilibrium(problem, SolveOptions(gap=options.gap))
        taken = time.perf_counter() - start
        objective = problem.objective(found.load)
        other, other_bound, steps = frank_wolfe(problem, max(taken, options.seconds))
        best = published[name] * PUBLISHED_UNIT.get(name, 1)
        limit = "-"
        if (problem.delays.rise > 0).sum() <= MOST_LIMIT_LINKS:
            limit = f"{stochastic_limit(problem, found, options.scale) / best - 1:+.1e}"
        rows.append((
            name, f"{best:,.3f}", f"{objective:,.3f}", f"{objective / best - 1:+.1e}", f"{found.gap:.1e}",
            f"{found.passes}", f"{taken:.2f}", f"{other / best - 1:+.1e}", f"{relative_gap(other, other_bound):.1e}",
            f"{steps}", limit,
        ))  # fmt: skip
    print_table(
        "User equilibrium on public networks",
        ("network", "published", "objective", "off by", "gap", "passes", "s", "Frank-Wolfe off by", "gap", "steps",
         f"stochastic, scale {options.scale:g}"),
        rows,
    )  # fmt: skip
