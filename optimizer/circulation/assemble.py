"""The best plan when the depot of every trip is known: one assignment for each depot, exactly."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from optimizer.circulation.graph import Graph
from optimizer.circulation.kernels import links_among
from optimizer.circulation.problem import Ints

Rotations = list[tuple[int, tuple[int, ...]]]


class Assembler:
    """Makes rotations of the trips of each depot; keeps what it made for sets of trips seen before."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._position = np.full(graph.num_trips, -1, np.int64)
        self._known: dict[tuple[int, bytes], tuple[float, Rotations]] = {}

    def plan(self, depot_of: Ints, vehicles: Ints | None = None) -> tuple[float, Rotations]:
        """
        Rotations for ``depot_of`` (shape (trips,); -1 leaves a trip out, at no cost here) and their cost.

        Infinite cost when a depot cannot do its trips with its vehicles (``vehicles``, else all of them).
        """
        total, made = 0.0, list[tuple[int, tuple[int, ...]]]()
        room = self.graph.vehicles if vehicles is None else vehicles
        for k in range(self.graph.num_depots):
            trips = np.flatnonzero(depot_of == k)
            if not trips.size:
                continue
            cost, rotations = self.depot(k, trips, int(room[k]))
            total += cost
            if not np.isfinite(total):
                return np.inf, []
            made += rotations
        return total, made

    def depot(self, depot: int, trips: Ints, vehicles: int) -> tuple[float, Rotations]:
        """Cheapest rotations of one depot over ``trips`` (sorted)."""
        key = depot, trips.tobytes() + vehicles.to_bytes(8, "little")
        if key not in self._known:
            if len(self._known) > 20_000:
                self._known.clear()
            self._known[key] = self._solve(depot, trips, vehicles)
        return self._known[key]

    def _solve(self, depot: int, trips: Ints, vehicles: int) -> tuple[float, Rotations]:
        graph, size = self.graph, trips.size
        service = float(graph.service[depot, trips].sum())
        out, back = graph.pull_out[depot, trips], graph.pull_in[depot, trips]
        if not np.isfinite(service) or vehicles < 1:
            return np.inf, []
        # A trip ends with a link or a pull-in, begins with a link or a pull-out: an assignment of ends to beginnings,
        # where a pull-in and a pull-out together are one vehicle. Seats without a vehicle are dear, so they stay empty.
        never = 1e9
        link = np.full((size, size), np.inf)
        links_among(graph.first, graph.head, graph.link_cost, trips, self._position, link)
        link *= graph.rate[depot]
        seats = min(vehicles, size)
        table = np.full((size + seats, size + seats), never)
        table[:size, :size] = np.where(np.isfinite(link), link, never)
        table[:size, size:] = np.where(np.isfinite(back), back, never)[:, None]
        table[size:, :size] = np.where(np.isfinite(out), out, never)[None, :]
        table[size:, size:] = 0.0
        row, column = linear_sum_assignment(table)
        cost = table[row, column]
        if cost.max() >= never:
            return np.inf, []
        follower = np.where(column[:size] < size, column[:size], -1)
        rotations = []
        for root in column[size:][column[size:] < size]:
            chain = [int(root)]
            while follower[chain[-1]] >= 0:
                chain.append(int(follower[chain[-1]]))
            rotations.append((depot, tuple(int(trips[a]) for a in chain)))
        return float(cost.sum()) + service, rotations
