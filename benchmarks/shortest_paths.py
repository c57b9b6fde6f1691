"""Shortest paths against ``scipy.sparse.csgraph`` on 10,000 vertices and 40,000 arcs, and the start of the kernels."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.sparse import csgraph
from scipy.spatial import Delaunay

from benchmarks.tables import print_table, timings_s
from optimizer.network.paths import k_shortest_paths, many_to_many, shortest_path_tree

NUM_VERTICES, NUM_ARCS = 10_000, 40_000

Weights = npt.NDArray[np.float64]
Vertices = npt.NDArray[np.int64]


def planar(seed: int) -> scipy.sparse.csr_array:
    """Random places joined by a shortest tree and the shortest further edges that cross none: like railways."""
    rng = np.random.default_rng(seed)
    places = rng.random((NUM_VERTICES, 2))
    corners = Delaunay(places).simplices
    pairs = np.unique(
        np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0
    )
    length = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    shape = (NUM_VERTICES, NUM_VERTICES)
    tree = csgraph.minimum_spanning_tree(scipy.sparse.csr_array((length, pairs.T), shape=shape)).tocoo()
    in_tree = np.isin(pairs @ [NUM_VERTICES, 1], tree.row * np.int64(NUM_VERTICES) + tree.col)
    chosen = np.lexsort((length, ~in_tree))[: NUM_ARCS // 2]
    one, other = pairs[chosen].T
    weight = np.concatenate([length[chosen] * rng.uniform(1, 1.5, chosen.size) for _ in range(2)])
    return scipy.sparse.csr_array((weight, (np.append(one, other), np.append(other, one))), shape=shape)


def uniform(seed: int) -> scipy.sparse.csr_array:
    """Arcs between any two vertices."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(NUM_VERTICES**2, NUM_ARCS, replace=False)
    ends = (numbers // NUM_VERTICES, numbers % NUM_VERTICES)
    return scipy.sparse.csr_array((rng.uniform(0.01, 1, NUM_ARCS), ends), shape=(NUM_VERTICES, NUM_VERTICES))


def passes(graph: scipy.sparse.csr_array, seed: int) -> dict[str, Callable[[], object]]:
    """One-to-all passes, each from a new source; all follow the same sequence of sources."""
    indptr, head, weight = graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data
    order = np.random.default_rng(seed).integers(0, NUM_VERTICES, 20).tolist()

    def scipy_pass(**options: bool) -> Callable[[], object]:
        sources = cycle(order)
        return lambda: csgraph.dijkstra(graph, indices=next(sources), **options)

    sources, others = cycle(order), cycle(order)
    return {
        "shortest_path_tree (with predecessors)": lambda: shortest_path_tree(indptr, head, weight, next(sources)),
        "csgraph.dijkstra": scipy_pass(),
        "csgraph.dijkstra, predecessors": scipy_pass(return_predecessors=True),
        "csgraph.dijkstra, min_only": scipy_pass(min_only=True),
        "csgraph.dijkstra, min_only, predecessors": scipy_pass(min_only=True, return_predecessors=True),
        "csgraph.shortest_path": lambda: csgraph.shortest_path(graph, indices=next(others)),
    }


def other_searches(name: str, graph: scipy.sparse.csr_array, distance: Weights, seed: int) -> list[list[object]]:
    """Rows of the table of many-to-many and k shortest paths; ``distance`` is that from vertex 0."""
    indptr, head, weight = graph.indptr, graph.indices, graph.data
    tail = np.repeat(np.arange(NUM_VERTICES), np.diff(indptr))
    places = np.random.default_rng(seed).integers(0, NUM_VERTICES, 100)
    farthest = int(np.where(np.isfinite(distance), distance, -1).argmax())
    ours, theirs, k_shortest = timings_s(
        [
            lambda: many_to_many(indptr, head, weight, places, places),
            lambda: csgraph.dijkstra(graph, indices=places)[:, places],
            lambda: k_shortest_paths(indptr, head, tail, weight, 0, farthest, 10),
        ],
        5,
    )
    return [
        [name, "many_to_many, 100 x 100, two threads", ours * 1e3, f"{theirs * 1e3:.4g}"],
        [name, "k_shortest_paths, k = 10, farthest vertex", k_shortest * 1e3, "-"],
    ]


def start_s(code: str) -> tuple[float, float]:
    """Medians of a new interpreter that runs ``code``: seconds passed and processor seconds."""
    processor = []

    def start() -> None:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        after = os.times()
        used = after.children_user - before.children_user + after.children_system - before.children_system
        processor.append(used)

    passed = timings_s([start], 5)[0]
    return passed, sorted(processor)[len(processor) // 2]


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks shortest-paths", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=60)
    options = parser.parse_args(argv)
    rows: list[list[object]] = []
    more: list[list[object]] = []
    for name, graph in (("planar", planar(options.seed)), ("uniform", uniform(options.seed))):
        indptr, head, weight = graph.indptr, graph.indices, graph.data
        ours, _ = shortest_path_tree(indptr, head, weight, 0)
        theirs = csgraph.dijkstra(graph, indices=0)
        if not np.allclose(ours, theirs):
            raise AssertionError("the distances differ from those of scipy")
        calls = passes(graph, options.seed)
        seconds = dict(zip(calls, timings_s(list(calls.values()), options.repeats), strict=True))
        fastest = min(value for call, value in seconds.items() if call.startswith("csgraph"))
        rows += [[name, call, value * 1e3, value / fastest] for call, value in seconds.items()]

        more += other_searches(name, graph, ours, options.seed)
    print_table(
        f"One-to-all pass, {NUM_VERTICES:,} vertices, {NUM_ARCS:,} arcs, median",
        ["graph", "call", "ms", "ratio to the fastest csgraph call"],
        rows,
        "Target: shortest_path_tree at most 1.5.",
    )
    print_table(
        "Other searches on the same graphs", ["graph", "call", "ms", "csgraph.dijkstra from the same sources, ms"], more
    )
    load = "from optimizer.network.paths import shortest_path_tree"
    first = f"{load}; shortest_path_tree([0, 1, 1], [1], [1.0], 0)"
    print_table(
        "A new process, compiled kernels on disk",
        ["python -c", "seconds", "processor seconds"],
        [[code, *start_s(code)] for code in ("import numpy", "import numba", load, first)],
        "Other work on the machine lengthens the seconds, hardly the processor seconds.",
    )
