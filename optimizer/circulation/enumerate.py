"""All rotations that a plan better than a given one can use: those whose reduced cost is within its gap.

With prices of bound L, a plan with a rotation of reduced cost r costs at least L + r (Baldacci, Christofides and
Mingozzi, Mathematical Programming 115, 2008). The set is complete, so nothing needs to be priced later on.
"""

from __future__ import annotations

import numpy as np

from optimizer.circulation.graph import Graph
from optimizer.circulation.kernels import rotations_within
from optimizer.circulation.pool import RotationPool
from optimizer.circulation.problem import Floats

TRIPS_PER_ROTATION = 60
STEP = 1.4
LEAST_LIMIT = 1e-3


def enumerate_rotations(
    graph: Graph, price: Floats, depot_price: Floats, limit: float, most: int, allowed: np.ndarray | None = None
) -> tuple[RotationPool, bool]:
    """
    Rotations of reduced cost at most ``limit``, and whether they are all (else there are more than ``most``).

    ``allowed``, of shape (depots, trips), restricts who may do what.
    """
    pool = RotationPool(graph)
    for k in graph.used_depots:
        labels = graph.labels(k, price, allowed)
        weight = graph.weight(k, price, allowed)
        room = most - pool.size
        trips, start, _, complete = rotations_within(
            graph.first, graph.head, graph.link_cost, graph.rate[k], graph.pull_out[k], weight, graph.pull_in[k],
            labels.rest, limit + depot_price[k], room, TRIPS_PER_ROTATION * room,
        )  # fmt: skip
        if not complete:
            return pool, False
        depot = np.full(start.size - 1, k)
        pool.extend(depot, start, trips, graph.rotation_costs(depot, start, trips))
    return pool, True


def widest_rotations(
    graph: Graph, price: Floats, depot_price: Floats, first: float, last: float, most: int,
    allowed: np.ndarray | None = None,
) -> tuple[RotationPool, float]:  # fmt: skip
    """Rotations within the largest limit from ``first`` to ``last`` at which they are at most ``most``; the limit."""
    limit = min(first, last)
    pool, complete = enumerate_rotations(graph, price, depot_price, limit, most, allowed)
    while not complete and limit > LEAST_LIMIT * first:
        limit /= STEP
        pool, complete = enumerate_rotations(graph, price, depot_price, limit, most, allowed)
    while complete and limit < last:
        wider = min(last, STEP * limit)
        larger, complete = enumerate_rotations(graph, price, depot_price, wider, most, allowed)
        if complete:
            pool, limit = larger, wider
    return pool, limit if pool.size else 0.0
