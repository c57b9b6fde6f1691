"""What of a graph can be joined to chains: vertices that every way merely passes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optimizer.network.paths import IntArray, LongArray

Flags = npt.NDArray[np.bool_]


def _num_neighbours(tails: IntArray, heads: IntArray, in_use: Flags, num_vertices: int) -> LongArray:
    one, other = tails[in_use].astype(np.int64), heads[in_use].astype(np.int64)
    pairs = np.unique(np.concatenate((one * num_vertices + other, other * num_vertices + one)))
    return np.bincount(pairs // num_vertices, minlength=num_vertices)


def without_dead_ends(tails: IntArray, heads: IntArray, in_use: Flags, keep: Flags) -> Flags:
    """Drops, until nothing changes, the arcs at vertices that no way can lead through."""
    n = keep.size
    while True:
        ways_in, ways_out = (np.bincount(ends[in_use], minlength=n) for ends in (heads, tails))
        dead = ~keep & ((ways_in == 0) | (ways_out == 0) | (_num_neighbours(tails, heads, in_use, n) < 2))
        left = in_use & ~dead[tails] & ~dead[heads]
        if left.sum() == in_use.sum():
            return in_use
        in_use = left


def passed_vertices(tails: IntArray, heads: IntArray, in_use: Flags, keep: Flags, chainable: Flags) -> Flags:
    """Vertices with two neighbours, no choice among parallel arcs and only chainable arcs."""
    n = keep.size
    passed = ~keep & (_num_neighbours(tails, heads, in_use, n) == 2)
    fixed = in_use & ~chainable
    passed[tails[fixed]] = False
    passed[heads[fixed]] = False
    pairs, copies = np.unique(tails[in_use].astype(np.int64) * n + heads[in_use], return_counts=True)
    parallel = pairs[copies > 1]
    passed[parallel // n] = False
    passed[parallel % n] = False
    return passed
