"""The question of the route-flow engine, as arrays: graphs over days, demands, capacities.

One day and no durations make a static problem, so annual lanes and dated shipments are the same thing here.

    min   sum_k sum_{p in P_k} c_p f_p + sum_k pen_k u_k
    s.t.  sum_{p in P_k} f_p + u_k = Q_k           demand k
          sum_p a_cp f_p <= K_c                    cell c: a resource, on a day or over all days
          f >= 0, u >= 0

``c_p`` is the cost of the arcs of a route, of its nights of waiting, and of the days it is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


def sum_product(one: Floats, other: Floats) -> float:
    """
    Sum of products, not by BLAS.

    The threads of BLAS go on spinning for a while after every call, and take a core from the search beside them.
    """
    return float((one * other).sum())


@dataclass(frozen=True)
class DayGraph:
    """Arcs for one kind of load; ``n`` vertices, ``m`` arcs, ``T`` days.

    Attributes
    ----------
    indptr, tail, head
        CSR, arcs sorted by tail.
    duration_days
        Shape (m,): whole days, zero allowed.
    cost
        Shape (m,): per tonne, not below zero.
    departs
        Shape (T, m): whether the arc can be entered on a day.
    holding
        Shape (n,): cost of waiting a day, ``inf`` where loads cannot wait.
    use_indptr, use_resource, use_units
        Arc ``a`` takes ``use_units[i]`` units per tonne of ``use_resource[i]`` for ``i`` in
        ``use_indptr[a]:use_indptr[a + 1]``, on the day it is entered.
    """

    indptr: Longs
    tail: Ints
    head: Ints
    duration_days: Longs
    cost: Floats
    departs: Flags
    holding: Floats
    use_indptr: Longs
    use_resource: Ints
    use_units: Floats

    @property
    def num_vertices(self) -> int:
        return self.indptr.size - 1


@dataclass(frozen=True)
class RouteFlowProblem:
    """Graphs, demands and capacities.

    Attributes
    ----------
    graphs
        One per kind of load.
    graph, source, sink, release_day, due_day
        Shape (K,): graph and vertices of each demand; it is at the source from the release day on.
    late_cost, quantity, penalty
        Shape (K,): per tonne and day after the due day; tonnes; per tonne unserved (``inf``: must be served).
    first_cell, stride
        Shape (R,): resource ``r`` on day ``d`` is cell ``first_cell[r] + stride[r] * d``; stride 0 for a limit over
        all days.
    capacity
        Shape (C,): units of every cell; ``inf`` allowed.
    num_days
        Length of the horizon.
    """

    graphs: tuple[DayGraph, ...]
    graph: Ints
    source: Longs
    sink: Longs
    release_day: Longs
    due_day: Longs
    late_cost: Floats
    quantity: Floats
    penalty: Floats
    first_cell: Longs
    stride: Longs
    capacity: Floats
    num_days: int

    @property
    def num_demands(self) -> int:
        return self.quantity.size

    @cached_property
    def must_serve(self) -> bool:
        """Whether some demand has no penalty that would let it stay."""
        return bool(np.isinf(self.penalty).any())
