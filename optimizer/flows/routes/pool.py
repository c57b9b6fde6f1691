"""Routes in use or worth keeping: flat arrays that grow, a linked list of routes per demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.flows.routes import pool_kernels
from optimizer.flows.routes.problem import Flags, Floats, Ints, Longs, RouteFlowProblem, sum_product


@dataclass(frozen=True)
class Routes:
    """New routes: demand, cost per tonne without prices, and CSR of moves (arc, day entered) and of cells used."""

    demand: Longs
    cost: Floats
    move_end: Longs
    move_arc: Ints
    move_day: Ints
    cell_end: Longs
    cells: Ints
    units: Floats


class _Growing:
    """An array that grows by doubling."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._data = np.empty(1024, dtype=dtype)
        self.size = 0

    def extend(self, values: npt.NDArray[np.generic]) -> None:
        needed = self.size + values.size
        if needed > self._data.size:
            grown = np.empty(max(needed, 2 * self._data.size), dtype=self._data.dtype)
            grown[: self.size] = self.values
            self._data = grown
        self._data[self.size : needed] = values
        self.size = needed

    @property
    def values(self) -> npt.NDArray[np.generic]:
        return self._data[: self.size]


class RoutePool:
    """Pooled routes of a problem.

    Attributes
    ----------
    first_route, next_route
        Shape (K,) and (P,): linked list of the routes of a demand, -1 at its end.
    demand, cost, flow
        Shape (P,): owner, cost per tonne without prices, tonnes.
    start, cells, units
        CSR of the cells a route uses.
    move_start, move_arc, move_day
        CSR of its moves.
    unserved
        Shape (K,): tonnes left behind.
    """

    def __init__(self, problem: RouteFlowProblem) -> None:
        self.problem = problem
        self.first_route = np.full(problem.num_demands, -1, dtype=np.int64)
        self.unserved = problem.quantity.copy()
        self._columns = {
            name: _Growing(dtype)
            for name, dtype in (
                ("next_route", np.int64), ("demand", np.int64), ("cost", np.float64), ("flow", np.float64),
                ("start", np.int64), ("cells", np.int32), ("units", np.float64),
                ("move_start", np.int64), ("move_arc", np.int32), ("move_day", np.int32),
            )
        }  # fmt: skip
        for name in ("start", "move_start"):
            self._columns[name].extend(np.zeros(1, dtype=np.int64))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_columns"][name].values
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def num_routes(self) -> int:
        return self._columns["cost"].size

    def add(self, batches: Sequence[Routes]) -> int:
        """Put new routes, without flow, at the head of their owners' lists; how many."""
        added = 0
        for batch in batches:
            count = batch.demand.size
            first = self.num_routes
            self._append("start", batch.cell_end + self._columns["cells"].size)
            self._append("move_start", batch.move_end + self._columns["move_arc"].size)
            for name, values in (
                ("cells", batch.cells), ("units", batch.units), ("move_arc", batch.move_arc),
                ("move_day", batch.move_day), ("demand", batch.demand), ("cost", batch.cost),
                ("flow", np.zeros(count)), ("next_route", self.first_route[batch.demand]),
            ):  # fmt: skip
                self._append(name, values)
            self.first_route[batch.demand] = np.arange(first, first + count)
            added += count
        return added

    def _append(self, name: str, values: npt.NDArray[np.generic]) -> None:
        self._columns[name].extend(values)

    def load(self) -> Floats:
        """Units on every cell."""
        found: Floats = pool_kernels.loads(self.start, self.cells, self.units, self.flow, self.problem.capacity.size)
        return found

    def value(self, flow: Floats, unserved: Floats) -> float:
        """Cost of flows on the pooled routes and of what stays behind."""
        left = unserved > 0
        return sum_product(flow, self.cost) + sum_product(unserved[left], self.problem.penalty[left])

    def keep(self, wanted: Flags) -> None:
        """Drop routes; those with flow must be wanted."""
        kept = np.flatnonzero(wanted)
        for start, names in (("start", ("cells", "units")), ("move_start", ("move_arc", "move_day"))):
            pointers = getattr(self, start)
            lengths = np.diff(pointers)
            entries = np.repeat(wanted, lengths)
            for name in names:
                self._replace(name, getattr(self, name)[entries])
            self._replace(start, np.concatenate(([0], np.cumsum(lengths[kept]))))
        for name in ("demand", "cost", "flow"):
            self._replace(name, getattr(self, name)[kept])
        self._relink()

    def part(self, wanted: Flags) -> RoutePool:
        """A pool of its own with some of the routes and their tonnes."""
        part = RoutePool(self.problem)
        part.copy_routes(self, wanted)
        return part

    def repriced(self, change: Floats) -> RoutePool:
        """A pool of its own with the same routes and tonnes, their costs changed by so much a unit of each cell."""
        other = self.part(np.ones(self.num_routes, dtype=np.bool_))
        owner = np.repeat(np.arange(self.num_routes), np.diff(self.start))
        tolls = np.bincount(owner, weights=self.units * change[self.cells], minlength=self.num_routes)
        other._replace("cost", self.cost + tolls)
        return other

    def copy_routes(self, other: RoutePool, wanted: Flags) -> None:
        """Take over routes and their tonnes from the pool of a problem with the same graphs and demands."""
        self._columns = dict(other._columns)  # keep() makes new columns and leaves these alone
        self.keep(wanted)
        served = np.bincount(self.demand, weights=self.flow, minlength=self.problem.num_demands)
        self.unserved = np.maximum(self.problem.quantity - served, 0.0)

    def _relink(self) -> None:
        owner: Longs = self.demand
        order = np.argsort(owner, kind="stable")
        following = np.full(owner.size, -1, dtype=np.int64)
        same = owner[order][1:] == owner[order][:-1]
        following[order[1:][same]] = order[:-1][same]  # the newest first
        self.first_route[:] = -1
        self.first_route[owner] = np.arange(owner.size)
        last = order[np.append(~same, True)] if owner.size else order
        self.first_route[owner[last]] = last
        self._replace("next_route", following)

    def _replace(self, name: str, values: npt.NDArray[np.generic]) -> None:
        column = _Growing(self._columns[name].values.dtype)
        column.extend(values)
        self._columns[name] = column
