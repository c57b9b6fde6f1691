"""Vehicle circulation as arrays: which vehicle of which depot does which trips, one after the other.

    min  sum over rotations p of depot k: (pull-out + services + links * rate_k + pull-in) x[k,p] + sum skip_i s_i
    (1)  sum over k, p with trip i of x[k,p] + s_i = 1          every trip once, or left out at its price
    (2)  sum over p of x[k,p] <= vehicles_k                     every depot
         x binary, s >= 0

It is the multi-depot vehicle scheduling problem (Carpaneto, Dell'Amico, Fischetti and Toth, Networks 19, 1989) with
costs of service that may differ by depot. Trips are loaded runs or trains, a depot is a home base and a type, links
say which trip can follow which.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from optimizer.circulation.kernels import topological_order
from optimizer.errors import Fault, InstanceError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Circulation:
    """
    Depots ``0 .. m-1``, trips ``0 .. n-1``; all costs in one unit, ``inf`` where something is not possible.

    Attributes
    ----------
    vehicles
        Shape (m,): vehicles of each depot.
    pull_out, pull_in
        Shape (m, n): from the depot to the start of the trip, from its end back to the depot.
    service
        Shape (m, n): doing the trip with a vehicle of the depot; ``inf`` forbids it.
    link_tail, link_head, link_cost
        Shape (links,): a vehicle can do ``link_head`` right after ``link_tail``; no two links are alike and no trip
        follows itself, not even by a detour.
    link_rate
        Shape (m,): a link costs ``link_cost * link_rate[k]`` for a vehicle of depot ``k``.
    skip
        Shape (n,): cost of leaving the trip out; ``inf`` where it must be done.

    Raises
    ------
    InstanceError
        With every value that breaks these rules.
    """

    vehicles: Ints
    pull_out: Floats
    pull_in: Floats
    service: Floats
    link_tail: Ints
    link_head: Ints
    link_cost: Floats
    link_rate: Floats
    skip: Floats

    def __post_init__(self) -> None:
        faults = self._faults()
        if faults:
            raise InstanceError("circulation", [Fault("arrays", fault) for fault in faults])

    @classmethod
    def from_matrices(cls, vehicles: Ints, pull_out: Floats, pull_in: Floats, follow: Floats) -> Circulation:
        """Trips that must all be done; ``follow`` has shape (n, n) and is ``inf`` or negative where none can follow."""
        tail, head = np.nonzero(np.isfinite(follow) & (follow >= 0))
        depots, trips = pull_out.shape
        return cls(
            np.asarray(vehicles, np.int64), pull_out, pull_in, np.zeros((depots, trips)), tail, head,
            follow[tail, head], np.ones(depots), np.full(trips, np.inf),
        )  # fmt: skip

    @property
    def num_depots(self) -> int:
        return int(self.vehicles.size)

    @property
    def num_trips(self) -> int:
        return int(self.skip.size)

    def _faults(self) -> list[str]:
        depots, trips, links = self.vehicles.size, self.skip.size, self.link_tail.size
        shapes = [
            ("pull_out", self.pull_out.shape, (depots, trips)), ("pull_in", self.pull_in.shape, (depots, trips)),
            ("service", self.service.shape, (depots, trips)), ("link_head", self.link_head.shape, (links,)),
            ("link_cost", self.link_cost.shape, (links,)), ("link_rate", self.link_rate.shape, (depots,)),
        ]  # fmt: skip
        found = [f"{name} has shape {shape}, expected {wanted}" for name, shape, wanted in shapes if shape != wanted]
        if found:
            return found
        found += [f"depot {k} has {v} vehicles, expected at least 0" for k, v in enumerate(self.vehicles) if v < 0]
        ends = np.stack([self.link_tail, self.link_head])
        stray = np.flatnonzero(((ends < 0) | (ends >= trips)).any(axis=0))
        found += [f"link {a} joins {ends[0, a]} and {ends[1, a]}, expected trips 0 to {trips - 1}" for a in stray]
        for name in ("pull_out", "pull_in", "service", "link_cost", "link_rate", "skip"):
            values = getattr(self, name)
            infinite_allowed = name not in ("link_cost", "link_rate")
            bad = np.isnan(values) | (values < 0) | (~np.isfinite(values) & (not infinite_allowed))
            if bad.any():
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                found.append(f"{name}{list(at)} is {values[at]:g}, expected a number of at least 0")
        if found:
            return found
        pairs, count = np.unique(ends, axis=1, return_counts=True)
        found += [f"trips {i} and {j} are linked twice" for i, j in pairs.T[count > 1]]
        if self.order.size < trips:
            found.append(f"trips follow each other in a circle: {' -> '.join(map(str, self._circle()))}")
        return found

    @cached_property
    def order(self) -> Ints:
        """Trips so that every link leads to a later one; shorter than the number of trips if there is a circle."""
        return topological_order(self.num_trips, self.link_tail, self.link_head)

    def _circle(self) -> Sequence[int]:
        before: dict[int, list[int]] = {}
        for tail, head in zip(self.link_tail.tolist(), self.link_head.tolist(), strict=True):
            before.setdefault(head, []).append(tail)
        try:
            TopologicalSorter(before).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    @cached_property
    def whole_costs(self) -> bool:
        """Whether every plan has a cost in whole numbers, so that bounds may be rounded up."""
        rates = np.unique(self.link_rate)
        parts = [self.pull_out, self.pull_in, self.service, self.skip, *(self.link_cost * rate for rate in rates)]
        return all(bool((part == np.round(part))[np.isfinite(part)].all()) for part in parts)

    def rotation_cost(self, depot: int, trips: Sequence[int]) -> float:
        """Cost of one vehicle's day; ``inf`` when two trips cannot follow each other."""
        links = sum(self._link_costs.get((a, b), np.inf) for a, b in itertools.pairwise(trips))
        own = self.service[depot, list(trips)].sum()
        ends = self.pull_out[depot, trips[0]] + self.pull_in[depot, trips[-1]]
        return float(ends + own + self.link_rate[depot] * links)

    @cached_property
    def _link_costs(self) -> dict[tuple[int, int], float]:
        pairs = zip(self.link_tail.tolist(), self.link_head.tolist(), strict=True)
        return dict(zip(pairs, self.link_cost.tolist(), strict=True))

    def cost(self, plan: Plan) -> float:
        """Price of a plan."""
        return sum(self.rotation_cost(r.depot, r.trips) for r in plan.rotations) + float(
            self.skip[list(plan.skipped)].sum()
        )


@dataclass(frozen=True)
class Rotation:
    """Trips of one vehicle from leaving its depot until it is home again, in order."""

    depot: int
    trips: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Rotations, and the trips that are left out."""

    rotations: tuple[Rotation, ...]
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Circulated:
    """
    A plan with its cost, and a bound that no plan's cost falls below.

    ``plan`` is None when a limit came first, or, with an infinite ``bound``, when there is none. ``relaxed`` is the
    optimum of the linear relaxation where it was reached.
    """

    plan: Plan | None
    cost: float
    bound: float
    relaxed: float | None = None
    runtime_s: float = 0.0

    @property
    def proved(self) -> bool:
        return self.plan is not None and self.bound >= self.cost - 1e-6 * max(1.0, abs(self.cost))

    @property
    def infeasible(self) -> bool:
        return self.plan is None and self.bound == np.inf
