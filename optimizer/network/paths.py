"""Shortest paths on a directed graph in CSR form.

A graph of ``n`` vertices and ``m`` arcs is given by ``indptr`` (``n + 1`` integers), ``head`` (``m``) and, where
needed, ``tail`` (``m``), arcs sorted by tail: the arcs that leave ``v`` are ``indptr[v] : indptr[v + 1]``. ``weight``
holds ``m`` numbers not below zero; an infinite weight closes the arc. Parallel arcs, loops and weights of zero are
welcome. A path is an array of arc numbers. Equal inputs give equal paths, also among ties.
"""

from __future__ import annotations

import heapq
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

# The compiled kernels are imported by the functions that run them: numba takes a good part of a second to load.

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]

_PARALLEL_FROM_SCANS = 200_000
"""Sources times arcs from which two threads repay their start."""


def _integers(name: str, values: npt.ArrayLike) -> LongArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be a one-dimensional array of integers, not {array.dtype}{list(array.shape)}")
    return np.ascontiguousarray(array, dtype=np.int64)


def _vertices(name: str, values: npt.ArrayLike, num_vertices: int) -> LongArray:
    array = _integers(name, values)
    if array.size and (array.min() < 0 or array.max() >= num_vertices):
        where = int(((array < 0) | (array >= num_vertices)).argmax())
        raise ValueError(f"{name}[{where}] is {array[where]}, expected a vertex from 0 to {num_vertices - 1}")
    return array


def checked_weights(weight: npt.ArrayLike, num_arcs: int) -> FloatArray:
    """``weight`` as floats; ValueError names the first arc whose weight is negative or not a number."""
    array = np.ascontiguousarray(weight, dtype=np.float64)
    if array.shape != (num_arcs,):
        raise ValueError(f"weight must have one number for each of {num_arcs} arcs, not shape {array.shape}")
    bad = ~(array >= 0.0)
    if bad.any():
        arc = int(bad.argmax())
        raise ValueError(f"weight of arc {arc} is {array[arc]:g}, expected a number not below zero")
    return array


def checked_graph(
    indptr: npt.ArrayLike, head: npt.ArrayLike, weight: npt.ArrayLike
) -> tuple[LongArray, IntArray, FloatArray]:
    """The arrays of a graph in the types the kernels take; ValueError says what does not fit."""
    pointers = _integers("indptr", indptr)
    if pointers.size == 0 or pointers[0] != 0 or (np.diff(pointers) < 0).any():
        raise ValueError("indptr must begin with 0 and never fall")
    heads = _vertices("head", head, pointers.size - 1).astype(np.int32)
    if pointers[-1] != heads.size:
        raise ValueError(f"indptr ends with {pointers[-1]}, expected the number of arcs, {heads.size}")
    return pointers, heads, checked_weights(weight, heads.size)


def shortest_path_tree(
    indptr: npt.ArrayLike, head: npt.ArrayLike, weight: npt.ArrayLike, source: int
) -> tuple[FloatArray, IntArray]:
    """
    Shortest paths from one vertex to all (Dijkstra, Numer. Math. 1, 1959; four-ary heap).

    Parameters
    ----------
    indptr, head, weight
        The graph, see the module.
    source
        Vertex the paths start from.

    Returns
    -------
    distance : float array of shape (n,)
        Sum of weights; ``inf`` where there is no path.
    predecessor_arc : int32 array of shape (n,)
        Last arc of the path; -1 at the source and where there is no path. See :func:`path_arcs`.

    Raises
    ------
    ValueError
        When a weight is negative or NaN (its arc is named), or an array does not fit.
    """
    from optimizer.network import kernels

    pointers, heads, weights = checked_graph(indptr, head, weight)
    _vertices("source", [source], pointers.size - 1)
    distance, predecessor = kernels.dijkstra(pointers, heads, weights, source, np.zeros(0, dtype=np.bool_), 0)
    return distance, predecessor


def path_arcs(predecessor_arc: IntArray, tail: npt.NDArray[np.integer], target: int) -> IntArray:
    """Arcs from the source of a tree to ``target``, in travelling order; empty at the source and where none leads."""
    arcs = []
    arc = int(predecessor_arc[target])
    while arc >= 0:
        arcs.append(arc)
        arc = int(predecessor_arc[tail[arc]])
    return np.array(arcs[::-1], dtype=np.int32)


def many_to_many(
    indptr: npt.ArrayLike, head: npt.ArrayLike, weight: npt.ArrayLike, sources: npt.ArrayLike, targets: npt.ArrayLike
) -> FloatArray:
    """
    Shortest distances between two sets of vertices: one search per source, ended once all targets are settled.

    Two threads share the sources where the work repays it.

    Parameters
    ----------
    indptr, head, weight
        The graph, see the module.
    sources, targets
        Vertices; their order fixes rows and columns. Repetitions are allowed.

    Returns
    -------
    float array of shape (len(sources), len(targets))
        ``inf`` where there is no path.

    Raises
    ------
    ValueError
        As :func:`shortest_path_tree`.
    """
    from optimizer.network import kernels

    pointers, heads, weights = checked_graph(indptr, head, weight)
    num_vertices = pointers.size - 1
    starts = _vertices("sources", sources, num_vertices)
    ends = _vertices("targets", targets, num_vertices)
    is_target = np.zeros(num_vertices, dtype=np.bool_)
    is_target[ends] = True
    num_targets = int(is_target.sum())
    distances = np.empty((starts.size, ends.size))

    def fill(rows: range) -> None:
        for row in rows:
            found, _ = kernels.dijkstra(pointers, heads, weights, starts[row], is_target, num_targets)
            distances[row] = found[ends]

    if num_targets and starts.size > 1 and starts.size * heads.size >= _PARALLEL_FROM_SCANS:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fill, (range(0, starts.size, 2), range(1, starts.size, 2))))
    elif num_targets:
        fill(range(starts.size))
    return distances


def k_shortest_paths(
    indptr: npt.ArrayLike,
    head: npt.ArrayLike,
    tail: npt.ArrayLike,
    weight: npt.ArrayLike,
    source: int,
    target: int,
    k: int,
) -> list[IntArray]:
    """
    The ``k`` shortest paths without repeated vertices, cheapest first.

    Yen's method (Management Science 17, 1971) with Lawler's partition (Management Science 18, 1972): every candidate is
    the best of its own part of the path set, so none is found twice. The spur searches are A* with the distances to the
    target. Paths that differ only in parallel arcs count as different. Among the candidates at hand ties go to fewer
    arcs, then to lower arc numbers.

    Parameters
    ----------
    indptr, head, tail, weight
        The graph, see the module.
    source, target
        Ends of the paths; where they agree the only path is the empty one.
    k
        Number of paths wanted, at least 1.

    Returns
    -------
    list of int32 arrays
        Up to ``k`` arc sequences with non-decreasing cost; fewer where the graph has no more; empty when disconnected.

    Raises
    ------
    ValueError
        As :func:`shortest_path_tree`, and when ``k`` is below 1.
    """
    from optimizer.network import kernels

    if k < 1:
        raise ValueError(f"k is {k}, expected at least 1")
    pointers, heads, weights = checked_graph(indptr, head, weight)
    num_vertices = pointers.size - 1
    tails = _vertices("tail", tail, num_vertices).astype(np.int32)
    if not np.array_equal(tails, np.repeat(np.arange(num_vertices), np.diff(pointers))):
        raise ValueError("tail does not fit indptr")
    _vertices("source and target", [source, target], num_vertices)
    if source == target:
        return [np.zeros(0, dtype=np.int32)]

    # Distances to the target: the same search on the arcs turned round.
    order = np.argsort(heads, kind="stable")
    turned = np.concatenate(([0], np.cumsum(np.bincount(heads, minlength=num_vertices))))
    to_target, _ = kernels.dijkstra(turned, tails[order], weights[order], target, np.zeros(0, dtype=np.bool_), 0)
    if not math.isfinite(to_target[source]):
        return []

    arc_banned = np.zeros(heads.size, dtype=np.bool_)
    vertex_banned = np.zeros(num_vertices, dtype=np.bool_)
    candidates: list[tuple[float, int, tuple[int, ...], int, tuple[int, ...]]] = []

    def add_best(prefix: tuple[int, ...], banned: tuple[int, ...]) -> None:
        """The best path that begins with ``prefix`` and does not go on with a banned arc becomes a candidate."""
        spur = heads[prefix[-1]] if prefix else source
        vertex_banned[tails[list(prefix)]] = True
        arc_banned[list(banned)] = True
        rest = kernels.spur_path(pointers, heads, tails, weights, to_target, spur, target, arc_banned, vertex_banned)
        vertex_banned[tails[list(prefix)]] = False
        arc_banned[list(banned)] = False
        if rest.size:
            path = prefix + tuple(rest.tolist())
            heapq.heappush(candidates, (math.fsum(weights[list(path)]), len(path), path, len(prefix), banned))

    add_best((), ())
    accepted: list[tuple[float, int, tuple[int, ...]]] = []
    while candidates:
        cost, length, path, deviation, banned = heapq.heappop(candidates)
        accepted.append((cost, length, path))
        if len(accepted) == k:
            break
        add_best(path[:deviation], (*banned, path[deviation]))
        for position in range(deviation + 1, length):
            add_best(path[:position], (path[position],))
    # Rounding in the spur searches can swap paths whose costs agree to the last digits.
    return [np.array(path, dtype=np.int32) for _, _, path in sorted(accepted)]
