"""Rotations one after another in arrays, without repeats."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csc_matrix

from optimizer.circulation.graph import Graph
from optimizer.circulation.problem import Floats, Ints


class RotationPool:
    """
    Rotations in the graph's numbers.

    Attributes
    ----------
    depot, cost
        Shape (rotations,).
    start, trips
        Trips of rotation ``p`` are ``trips[start[p]:start[p + 1]]``, in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.depot = np.zeros(0, np.int64)
        self.cost = np.zeros(0)
        self.start = np.zeros(1, np.int64)
        self.trips = np.zeros(0, np.int64)
        self._known: set[tuple[int, bytes]] = set()

    @property
    def size(self) -> int:
        return int(self.depot.size)

    def rotation(self, number: int) -> tuple[int, tuple[int, ...]]:
        return int(self.depot[number]), tuple(int(i) for i in self.trips[self.start[number] : self.start[number + 1]])

    def add(self, rotations: Iterable[tuple[int, Ints]]) -> int:
        """Add those not yet known; returns how many."""
        new: list[tuple[int, Ints]] = []
        for depot, trips in rotations:
            key = depot, trips.tobytes()
            if key not in self._known:
                self._known.add(key)
                new.append((depot, trips))
        if new:
            start = np.cumsum([0, *(trips.size for _, trips in new)])
            depot_of = np.array([depot for depot, _ in new], np.int64)
            trips = np.concatenate([trips for _, trips in new])
            self.extend(depot_of, start, trips, self.graph.rotation_costs(depot_of, start, trips))
        return len(new)

    def extend(self, depot: Ints, start: Ints, trips: Ints, cost: Floats) -> None:
        """Add rotations that are known to be new."""
        self.depot = np.concatenate([self.depot, depot])
        self.cost = np.concatenate([self.cost, cost])
        self.start = np.concatenate([self.start, self.trips.size + start[1:]])
        self.trips = np.concatenate([self.trips, trips])

    def take(self, chosen: np.ndarray) -> RotationPool:
        """Another pool of the chosen rotations only."""
        made = RotationPool(self.graph)
        lengths = np.diff(self.start)[chosen]
        made.depot, made.cost = self.depot[chosen], self.cost[chosen]
        made.start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        offsets = np.repeat(self.start[:-1][chosen] - made.start[:-1], lengths)
        made.trips = self.trips[np.arange(lengths.sum()) + offsets]
        return made

    def reduced_costs(self, price: Floats, depot_price: Floats) -> Floats:
        """Shape (rotations,): cost less the prices of trips and depot."""
        if self.size == 0:
            return np.zeros(0)
        return self.cost - np.add.reduceat(price[self.trips], self.start[:-1]) - depot_price[self.depot]

    def rows(self) -> csc_matrix:
        """Shape (trips + depots, rotations): which rows of the programme a rotation is in."""
        num = self.graph.num_trips
        lengths = np.diff(self.start)
        indices = np.empty(self.trips.size + self.size, np.int64)
        ends = self.start[1:] + np.arange(self.size)
        inside = np.ones(indices.size, bool)
        inside[ends] = False
        indices[inside] = self.trips
        indices[ends] = num + self.depot
        indptr = np.concatenate([[0], np.cumsum(lengths + 1)])
        return csc_matrix((np.ones(indices.size), indices, indptr), shape=(num + self.graph.num_depots, self.size))
