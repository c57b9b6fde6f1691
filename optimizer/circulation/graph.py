"""A circulation renumbered for the compiled loops, and what trip prices make of it: labels, rotations, bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.circulation import kernels
from optimizer.circulation.problem import Circulation, Floats, Ints, Plan, Rotation


@dataclass(frozen=True)
class Labels:
    """Cheapest ways of one depot under trip prices; arrays of shape (trips,), see :func:`kernels.labels`."""

    ahead: Floats
    before: Ints
    rest: Floats
    after: Ints

    @property
    def through(self) -> Floats:
        """Reduced cost of the cheapest rotation through each trip."""
        return self.ahead + self.rest


class Graph:
    """
    The circulation with trips in topological order (``problem.order``) and links by tail.

    Attributes are those of :class:`Circulation` in the new numbers; ``first`` and ``head`` list the links.
    """

    def __init__(self, problem: Circulation) -> None:
        self.problem = problem
        order = problem.order
        number = np.empty(order.size, np.int64)
        number[order] = np.arange(order.size)
        tail, head = number[problem.link_tail], number[problem.link_head]
        by_tail = np.lexsort((head, tail))
        self.tail, self.head, self.link_cost = tail[by_tail], head[by_tail], problem.link_cost[by_tail].astype(float)
        self.first = np.searchsorted(self.tail, np.arange(order.size + 1)).astype(np.int64)
        self.vehicles, self.rate = problem.vehicles, problem.link_rate.astype(float)
        self.pull_out = np.ascontiguousarray(problem.pull_out[:, order], float)
        self.pull_in = np.ascontiguousarray(problem.pull_in[:, order], float)
        self.service = np.ascontiguousarray(problem.service[:, order], float)
        self.skip = problem.skip[order].astype(float)
        self.num_depots, self.num_trips = problem.num_depots, problem.num_trips
        self._number = number

    @cached_property
    def used_depots(self) -> list[int]:
        """Depots with vehicles."""
        return [k for k in range(self.num_depots) if self.vehicles[k] > 0]

    def weight(self, depot: int, price: Floats, allowed: np.ndarray | None = None) -> Floats:
        """Service less price of each trip; ``inf`` where ``allowed`` (shape (depots, trips)) says no."""
        weight = self.service[depot] - price
        return weight if allowed is None else np.where(allowed[depot], weight, np.inf)

    def labels(self, depot: int, price: Floats, allowed: np.ndarray | None = None) -> Labels:
        ahead, rest = np.empty(self.num_trips), np.empty(self.num_trips)
        before, after = np.empty(self.num_trips, np.int64), np.empty(self.num_trips, np.int64)
        kernels.labels(
            self.first, self.head, self.link_cost, self.rate[depot], self.pull_out[depot], self.pull_in[depot],
            self.weight(depot, price, allowed), ahead, before, rest, after,
        )  # fmt: skip
        return Labels(ahead, before, rest, after)

    def link_through(self, depot: int, price: Floats, labels: Labels) -> Floats:
        """Shape (links,): reduced cost of the depot's cheapest rotation over each link."""
        weight = self.service[depot] - price
        onward = self.rate[depot] * self.link_cost + (weight + labels.rest)[self.head]
        return labels.ahead[self.tail] + onward

    def rotation_costs(self, depot: Ints, start: Ints, trips: Ints) -> Floats:
        """Shape (rotations,): costs of rotations given one after another."""
        if depot.size == 0:
            return np.zeros(0)
        of_trip = np.repeat(depot, np.diff(start))
        total = np.add.reduceat(self.service[of_trip, trips], start[:-1])
        inner = np.ones(trips.size, bool)
        inner[start[1:] - 1] = False
        at = np.flatnonzero(inner)
        if at.size:
            key = trips[at] * self.num_trips + trips[at + 1]
            link = np.searchsorted(self._link_keys, key)
            costs = np.zeros(trips.size)
            costs[at] = self.rate[of_trip[at]] * self.link_cost[link]
            total = total + np.add.reduceat(costs, start[:-1])
        return total + self.pull_out[depot, trips[start[:-1]]] + self.pull_in[depot, trips[start[1:] - 1]]

    @cached_property
    def _link_keys(self) -> Ints:
        return self.tail * self.num_trips + self.head

    def plan(self, rotations: list[tuple[int, tuple[int, ...]]]) -> Plan:
        """A plan in the problem's numbers; trips on no rotation are skipped."""
        order = self.problem.order
        done: set[int] = set()
        made = []
        for depot, trips in rotations:
            names = tuple(int(order[i]) for i in trips)
            done |= set(names)
            made.append(Rotation(int(depot), names))
        skipped = tuple(i for i in range(self.num_trips) if i not in done)
        return Plan(tuple(sorted(made, key=lambda r: (r.depot, r.trips))), skipped)

    def numbers(self, trips: tuple[int, ...]) -> tuple[int, ...]:
        """A rotation's trips in the graph's numbers."""
        return tuple(int(self._number[i]) for i in trips)
