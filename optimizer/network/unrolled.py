"""What the layered network unrolled over days gives: its arrays, and cheapest ways by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.network.paths import FloatArray, IntArray, LongArray

HELD = -2
"""In place of a super-arc: the load waits for the next day."""


@dataclass(frozen=True)
class DayLabels:
    """Cheapest ways from a source, released on a day, to every vertex on every day.

    Attributes
    ----------
    first_day
        Day of the first row.
    cost_usd_per_t
        Shape (days, vertices); ``inf`` where a load cannot be.
    predecessor
        Same shape: super-arc of the last move, ``HELD`` after waiting, -1 at the start and where ``cost`` is infinite.
    tail, duration_days
        Of each super-arc.
    """

    first_day: int
    cost_usd_per_t: FloatArray
    predecessor: IntArray
    tail: IntArray
    duration_days: LongArray

    def earliest_day(self, vertex: int) -> int | None:
        """First day a load can be at the vertex; None when it cannot within the window."""
        arrivals = np.flatnonzero(np.isfinite(self.cost_usd_per_t[:, vertex]))
        return self.first_day + int(arrivals[0]) if arrivals.size else None

    def cheapest_day(self, vertex: int) -> int | None:
        """Day with the lowest cost, the first of equals; None when the vertex cannot be reached within the window."""
        row = int(np.argmin(self.cost_usd_per_t[:, vertex]))
        return self.first_day + row if np.isfinite(self.cost_usd_per_t[row, vertex]) else None

    def route(self, vertex: int, day: int) -> list[tuple[int, int, int]]:
        """Moves of the cheapest way to be at ``vertex`` on ``day``: (super-arc, departure day, arrival day) in order.

        Gaps between an arrival and the next departure are waits. ValueError where there is no way.
        """
        row = day - self.first_day
        if not (0 <= row < len(self.cost_usd_per_t) and np.isfinite(self.cost_usd_per_t[row, vertex])):
            raise ValueError(f"vertex {vertex} cannot be reached on day {day}")
        moves = []
        while (arc := int(self.predecessor[row, vertex])) != -1:
            if arc == HELD:
                row -= 1
                continue
            departure = row - int(self.duration_days[arc])
            moves.append((arc, self.first_day + departure, self.first_day + row))
            row, vertex = departure, int(self.tail[arc])
        return moves[::-1]


@dataclass(frozen=True)
class TimeSpaceArrays:
    """The unrolled graph of a window, in CSR form.

    Vertex ``v`` on day ``d`` is number ``(d - first_day) * num_vertices + v``. No arc ends after ``last_day``.

    Attributes
    ----------
    indptr, tail, head
        Arcs sorted by tail.
    arc
        Super-arc, or ``HELD`` for waiting a day.
    departure_day
        Day the arc is entered: its capacities are used on this day.
    cost_usd_per_t
        Generalised cost.
    """

    first_day: int
    last_day: int
    num_vertices: int
    indptr: LongArray
    tail: IntArray
    head: IntArray
    arc: IntArray
    departure_day: LongArray
    cost_usd_per_t: FloatArray

    def number(self, vertex: int, day: int) -> int:
        """Number of a vertex on a day of the window."""
        return (day - self.first_day) * self.num_vertices + vertex
