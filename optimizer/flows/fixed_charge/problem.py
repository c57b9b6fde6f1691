r"""
Services with a fixed cost on route flows: which ports, terminals or contracts to use, and what flows over each.

.. math::

    \min \sum_s f_s y_s + \sum_r Q_{d(r)} c_r x_r + \sum_d Q_d p_d u_d

subject to, with :math:`x_r` the share of its demand that route :math:`r` carries,

- :math:`\sum_{r \in d} x_r + u_d = 1` for each demand,
- :math:`\ell_s y_s \le \sum_{r \ni s} w_{rs} Q_{d(r)} x_r \le m_s y_s` for each service,
- :math:`\sum_{r \in d, r \ni s} x_r \le y_s` for each demand and service (strong linking, added when broken),
- :math:`\sum_r a_{rk} Q_{d(r)} x_r \le b_k` for each shared capacity, and :math:`y_s \in \{0, 1\}`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.result import Status

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEW_PER_DEMAND = 8
"""Routes a pricer offers at a time."""


@dataclass(frozen=True)
class Columns:
    """Routes: demand and cost in USD per tonne (N,); services with volume per tonne, capacities with use (CSR).

    A route names a service at most once, with a weight above zero.
    """

    demand: Ints
    cost: Floats
    service_start: Ints
    service: Ints
    weight: Floats
    resource_start: Ints
    resource: Ints
    use: Floats

    def take(self, at: Ints) -> Columns:
        """The routes ``at``, in that order."""
        s_start, s = csr_rows(self.service_start, at)
        r_start, r = csr_rows(self.resource_start, at)
        return Columns(
            self.demand[at], self.cost[at], s_start, self.service[s], self.weight[s], r_start, self.resource[r],
            self.use[r],
        )  # fmt: skip

    def key(self, at: int) -> bytes:
        """Equal for routes that differ in nothing."""
        s = slice(self.service_start[at], self.service_start[at + 1])
        r = slice(self.resource_start[at], self.resource_start[at + 1])
        parts = (self.demand[at : at + 1], self.cost[at : at + 1], self.service[s], self.weight[s], self.resource[r])
        return b"|".join(part.tobytes() for part in (*parts, self.use[r]))

    def prices(self, service_price: Floats, resource_price: Floats, pair_price: Floats) -> Floats:
        """USD per tonne of each route with the prices of what it uses."""
        n = self.demand.size
        by_service = np.repeat(np.arange(n), np.diff(self.service_start))
        by_resource = np.repeat(np.arange(n), np.diff(self.resource_start))
        paid = service_price[self.service] * self.weight + pair_price[self.demand[by_service], self.service]
        found = self.cost + np.bincount(by_service, paid, n)
        return np.asarray(found + np.bincount(by_resource, resource_price[self.resource] * self.use, n))

    @staticmethod
    def join(parts: list[Columns]) -> Columns:
        """One after the other."""
        join = np.concatenate

        def starts(each: list[Ints]) -> Ints:
            return join([[0], np.cumsum(join([np.diff(start) for start in each]))]).astype(np.int64)

        return Columns(
            join([p.demand for p in parts]), join([p.cost for p in parts]), starts([p.service_start for p in parts]),
            join([p.service for p in parts]), join([p.weight for p in parts]),
            starts([p.resource_start for p in parts]), join([p.resource for p in parts]), join([p.use for p in parts]),
        )  # fmt: skip


@dataclass(frozen=True)
class Priced:
    """Cheapest price of any route per demand (D,), ``inf`` without one, and routes worth adding, that one included."""

    best: Floats
    columns: Columns


Pricer = Callable[[Floats, Floats, Floats], Priced]
"""Prices per volume of a service (S,), per use of a capacity (R,), per tonne of a demand on a service (D, S)."""


@dataclass(frozen=True)
class ListedRoutes:
    """A pricer for routes that are all listed."""

    columns: Columns
    demands: int

    def __call__(self, service_price: Floats, resource_price: Floats, pair_price: Floats) -> Priced:
        price = self.columns.prices(service_price, resource_price, pair_price)
        best = np.full(self.demands, np.inf)
        np.minimum.at(best, self.columns.demand, price)
        at = cheapest(self.columns.demand, price, NEW_PER_DEMAND)
        return Priced(best, self.columns.take(at))

    def all_routes(self, limit: int) -> Columns | None:
        return self.columns


@dataclass(frozen=True)
class FixedChargeProblem:
    """
    Demands, services and shared capacities; routes come from ``price``.

    Attributes
    ----------
    quantity, penalty
        Tonnes above zero, and USD per tonne unserved, ``inf`` where it must be served (D,).
    fixed_cost, least, most
        USD when used, least and most volume when used (S,); ``most`` may be ``inf``.
    capacity
        Of shared resources (R,).
    price
        Exact pricing: ``best`` must be a lower bound on the price of every route, for any prices. With a method
        ``all_routes(limit)`` small problems are solved to the end.

    Raises
    ------
    ValueError
        Arrays that do not fit or hold values out of range.
    """

    quantity: Floats
    penalty: Floats
    fixed_cost: Floats
    least: Floats
    most: Floats
    capacity: Floats
    price: Pricer

    def __post_init__(self) -> None:
        if self.penalty.shape != self.quantity.shape:
            raise ValueError("penalty and quantity differ in length")
        if not self.fixed_cost.shape == self.least.shape == self.most.shape:
            raise ValueError("fixed_cost, least and most differ in length")
        if not (np.all(self.quantity > 0) and np.all(np.isfinite(self.quantity))):
            raise ValueError("quantities must be finite and above zero")
        if not (np.all(self.penalty >= 0) and np.all(self.fixed_cost >= 0) and np.all(np.isfinite(self.fixed_cost))):
            raise ValueError("penalties and fixed costs must be zero or more, fixed costs finite")
        if not (np.all(self.least >= 0) and np.all(np.isfinite(self.least)) and np.all(self.most >= 0)):
            raise ValueError("least and most volume must be zero or more, least finite")
        if not (np.all(self.capacity >= 0) and np.all(np.isfinite(self.capacity))):
            raise ValueError("capacities must be finite and zero or more")


@dataclass(frozen=True)
class FixedChargeResult:
    """Status, cost, valid lower bound; services used (S,), routes in use with tonnes (N,), unserved tonnes (D,)."""

    status: Status
    cost: float | None
    bound: float | None
    used: npt.NDArray[np.bool_] | None = None
    routes: Columns | None = None
    flow_t: Floats | None = None
    unserved_t: Floats | None = None


def csr_rows(start: Ints, at: Ints) -> tuple[Ints, Ints]:
    """CSR rows ``at``: their new starts, and positions of their entries."""
    counts = (start[1:] - start[:-1])[at]
    new = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return new, np.repeat(start[:-1][at] - new[:-1], counts) + np.arange(new[-1])


def cheapest(demand: Ints, price: Floats, most: int) -> Ints:
    """Positions of the ``most`` cheapest routes of each demand, in a fixed order."""
    order = np.lexsort((price, demand))
    sorted_demand = demand[order]
    first = np.searchsorted(sorted_demand, sorted_demand, side="left")
    return np.asarray(order[np.arange(order.size) - first < most], np.int64)
