"""The layered network unrolled over days, for one commodity.

Between places that matter, short links are first joined to chains, because rounding each of them to whole days would
distort the time of a route. A chain (*super-arc*) lasts ``round(hours / 24)`` days, ties up, zero allowed, and costs
the generalised cost of its arcs at their true hours. A sea leg leaves on its sailing days only; the wait for it, and
any other wait, happens on holding arcs from one day to the next at the value of time. ``docs/network.md`` states the
formulas and how far rounding bends the times of routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optimizer.network.chains import Flags, passed_vertices, without_dead_ends
from optimizer.network.paths import FloatArray, IntArray, LongArray, checked_graph
from optimizer.network.unrolled import HELD, DayLabels, TimeSpaceArrays

if TYPE_CHECKING:
    from optimizer.network.layered import LayeredNetwork

ANY_DAY = 7.0
"""Sailings a week of an arc that can be entered on every day."""


def sailing_days(sailings_per_week: npt.ArrayLike, first_day: int, last_day: int) -> Flags:
    """
    Days on which services leave: day ``d`` when ``floor((d + 1) f / 7) > floor(d f / 7)``, daily from seven a week on.

    Parameters
    ----------
    sailings_per_week
        Shape (arcs,).
    first_day, last_day
        Days of the horizon, both included.

    Returns
    -------
    bool array of shape (last_day - first_day + 1, arcs)
        The calendar does not depend on the window: a day is a sailing day or not.
    """
    per_day = np.minimum(np.asarray(sailings_per_week, dtype=np.float64), ANY_DAY) / 7
    days = np.arange(first_day, last_day + 2)
    # The small number makes decimal frequencies fall on the days exact arithmetic gives.
    sailed = np.floor(days[:, None] * per_day + 1e-9)
    return np.ascontiguousarray(sailed[1:] > sailed[:-1])


@dataclass(frozen=True)
class TimeSpaceNetwork:
    """Chains of a layered network with whole days, ready to be unrolled.

    Attributes
    ----------
    base_vertex, vertex_of
        Shape (num_vertices,): vertex of the layered network; and back, -1 for vertices inside chains or of no use.
    indptr, tail, head
        Super-arcs sorted by tail, between own vertices.
    duration_days, hours
        Whole days; the hours they stand for.
    cost_usd_per_t
        Generalised cost at the true hours, without the wait for a sailing.
    sailings_per_week
        Departures a week, ``ANY_DAY`` where every day will do.
    base_indptr, base_arcs
        Arcs of the layered network that super-arc ``a`` stands for: ``base_arcs[base_indptr[a]:base_indptr[a + 1]]``.
    super_arc_of
        Shape (arcs of the layered network,): super-arc it belongs to, -1 when none.
    holding_usd_per_t_day
        Shape (num_vertices,): cost of waiting a day; ``inf`` where waiting is pointless because nothing leaves.
    horizon_days
        Number of days.
    """

    base_vertex: LongArray
    vertex_of: LongArray
    indptr: LongArray
    tail: IntArray
    head: IntArray
    duration_days: LongArray
    hours: FloatArray
    cost_usd_per_t: FloatArray
    sailings_per_week: FloatArray
    base_indptr: LongArray
    base_arcs: IntArray
    super_arc_of: LongArray
    holding_usd_per_t_day: FloatArray
    horizon_days: int

    @property
    def num_vertices(self) -> int:
        return self.base_vertex.size

    @property
    def num_arcs(self) -> int:
        return self.head.size

    @classmethod
    def build(
        cls, network: LayeredNetwork, commodity_id: str, horizon_days: int, keep_nodes: Iterable[str]
    ) -> TimeSpaceNetwork:
        """
        The time-space network of one commodity.

        Parameters
        ----------
        network
            The layered network.
        commodity_id
            Durations, costs and usable arcs depend on it.
        horizon_days
            Number of days; the last day is ``horizon_days - 1``.
        keep_nodes
            Places where loads start or end; elsewhere ``door-out`` and ``door-in`` are left out.
        """
        from optimizer.network.layered import LINK, SEA

        costs = network.arc_costs(commodity_id)
        keep = np.zeros(network.num_vertices, dtype=np.bool_)
        for node in keep_nodes:
            keep[[network.source(node), network.sink(node)]] = True
        at_sea = network.kind == SEA
        legs = network.corridor.table("sea_legs").set_index("leg_id")["sailings_per_week"]
        sailings = np.full(network.num_arcs, ANY_DAY)
        sailings[at_sea] = legs.loc[network.asset[at_sea]].to_numpy(float)
        # The dates say how long a load waits for a sailing: the mean wait, and its variability, drop out.
        hours = costs.time_total - costs.time_h["wait"]
        variability_h = np.where(at_sea, 0.0, costs.variability_h)
        cost = costs.money_total + costs.vot_usd_per_t_h * hours + costs.vor_usd_per_t_h * variability_h
        return cls.from_arrays(
            network.indptr,
            network.head,
            hours,
            np.where(costs.allowed, cost, np.inf),
            keep=keep,
            chainable=network.kind == LINK,
            sailings_per_week=sailings,
            holding_usd_per_t_day=24 * costs.vot_usd_per_t_h,
            horizon_days=horizon_days,
        )

    @classmethod
    def from_arrays(
        cls,
        indptr: npt.ArrayLike,
        head: npt.ArrayLike,
        hours: npt.ArrayLike,
        cost_usd_per_t: npt.ArrayLike,
        *,
        keep: npt.ArrayLike,
        chainable: npt.ArrayLike,
        sailings_per_week: npt.ArrayLike,
        holding_usd_per_t_day: float,
        horizon_days: int,
    ) -> TimeSpaceNetwork:
        """
        Contract the chains of a graph in CSR form and round their times to days.

        Parameters
        ----------
        indptr, head
            The graph, see :mod:`optimizer.network.paths`; ``n`` vertices, ``m`` arcs.
        hours, cost_usd_per_t
            Shape (m,): not below zero; an infinite cost closes an arc.
        keep
            Shape (n,), bool: vertices that must stay.
        chainable
            Shape (m,), bool: arcs that may become part of a longer chain. Their ends stay when another arc meets them.
        sailings_per_week
            Shape (m,): departures a week of arcs that are not chainable.
        holding_usd_per_t_day
            Cost of a day of waiting.
        horizon_days
            Number of days, at least 1.

        Raises
        ------
        ValueError
            When a number is negative or NaN, an open arc has no finite time, or an array does not fit.
        """
        from optimizer.network import kernels

        pointers, heads, costs = checked_graph(indptr, head, cost_usd_per_t)
        _, _, times = checked_graph(indptr, head, np.where(np.isinf(costs), 0.0, np.asarray(hours, dtype=np.float64)))
        _, _, departures = checked_graph(indptr, head, sailings_per_week)
        if np.isinf(times).any():
            raise ValueError(f"hours of arc {int(np.isinf(times).argmax())} are infinite")
        if horizon_days < 1 or not holding_usd_per_t_day >= 0:
            raise ValueError("horizon_days must be at least 1 and holding_usd_per_t_day not below zero")
        num_vertices = pointers.size - 1
        kept, joinable = np.asarray(keep, dtype=np.bool_), np.asarray(chainable, dtype=np.bool_)
        if kept.shape != (num_vertices,) or joinable.shape != heads.shape:
            raise ValueError("keep must have one flag per vertex, chainable one per arc")
        tails = np.repeat(np.arange(num_vertices, dtype=np.int32), np.diff(pointers))

        in_use = without_dead_ends(tails, heads, np.isfinite(costs) & (tails != heads), kept)
        passed = passed_vertices(tails, heads, in_use, kept, joinable)
        base_arcs, ends = kernels.contract_chains(pointers, heads, tails, in_use, passed)
        starts = np.concatenate(([0], ends[:-1])).astype(np.int64)[: ends.size]
        super_tails, super_heads = tails[base_arcs[starts]], heads[base_arcs[ends - 1]]

        used = kept.copy()
        used[super_tails] = used[super_heads] = True
        base_vertex = np.flatnonzero(used)
        vertex_of = np.full(num_vertices, -1, dtype=np.int64)
        vertex_of[base_vertex] = np.arange(base_vertex.size)
        super_arc_of = np.full(heads.size, -1, dtype=np.int64)
        super_arc_of[base_arcs] = np.repeat(np.arange(ends.size), ends - starts)
        counts = np.bincount(vertex_of[super_tails], minlength=base_vertex.size)
        chain_hours = _sums(times, base_arcs, starts)
        return cls(
            base_vertex=base_vertex,
            vertex_of=vertex_of,
            indptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            tail=vertex_of[super_tails].astype(np.int32),
            head=vertex_of[super_heads].astype(np.int32),
            duration_days=np.floor(chain_hours / 24 + 0.5).astype(np.int64),
            hours=chain_hours,
            cost_usd_per_t=_sums(costs, base_arcs, starts),
            sailings_per_week=np.where(joinable, ANY_DAY, departures)[base_arcs[starts]],
            base_indptr=np.concatenate(([0], ends)).astype(np.int64),
            base_arcs=base_arcs,
            super_arc_of=super_arc_of,
            holding_usd_per_t_day=np.where(counts > 0, float(holding_usd_per_t_day), np.inf),
            horizon_days=horizon_days,
        )

    def base_arcs_of(self, super_arc: int) -> IntArray:
        """Arcs of the layered network behind a super-arc, in travelling order."""
        return self.base_arcs[self.base_indptr[super_arc] : self.base_indptr[super_arc + 1]]

    def super_arcs_of(self, base_arcs: npt.NDArray[np.integer]) -> tuple[LongArray, LongArray]:
        """Super-arcs that use any of ``base_arcs`` (those of a resource), and how many of them each uses."""
        found = self.super_arc_of[base_arcs]
        arcs, uses = np.unique(found[found >= 0], return_counts=True)
        return arcs, uses

    def earliest_and_cheapest(self, source: int, release_day: int, last_day: int) -> DayLabels:
        """
        Cheapest cost of being at every vertex on every day, for a load at ``source`` at the start of ``release_day``.

        Label-setting over the days, which are in topological order; arcs of no duration are settled inside the day
        by Dijkstra's method (Pallottino and Scutella 1998 call it Chrono-SPT).

        Parameters
        ----------
        source
            Vertex of this network, ``vertex_of[network.source(node)]``.
        release_day, last_day
            Window, both included, inside the horizon.

        Returns
        -------
        DayLabels
            Shape (last_day - release_day + 1, num_vertices).
        """
        from optimizer.network import kernels

        self._check_window(release_day, last_day)
        self._check_vertex(source)
        cost, predecessor = kernels.day_labels(
            self.indptr,
            self.head,
            self.duration_days,
            self.cost_usd_per_t,
            sailing_days(self.sailings_per_week, release_day, last_day),
            self.holding_usd_per_t_day,
            source,
        )
        return DayLabels(release_day, cost, predecessor, self.tail, self.duration_days)

    def time_space_arrays(
        self, first_day: int, last_day: int, source: int | None = None, target: int | None = None
    ) -> TimeSpaceArrays:
        """
        The network unrolled over the days of a window, for models with flow on arcs.

        Parameters
        ----------
        first_day, last_day
            Window, both included, inside the horizon.
        source
            Given: only arcs that a load at ``source`` on ``first_day`` can take.
        target
            Given: only arcs from which ``target`` can still be reached by ``last_day``.
        """
        from optimizer.network import kernels

        self._check_window(first_day, last_day)
        for vertex in (source, target):
            if vertex is not None:
                self._check_vertex(vertex)
        n, num_days = self.num_vertices, last_day - first_day + 1
        in_time = np.arange(num_days)[:, None] + self.duration_days < num_days
        day, arc = np.nonzero(sailing_days(self.sailings_per_week, first_day, last_day) & in_time)
        waiting = np.flatnonzero(np.isfinite(self.holding_usd_per_t_day))
        wait_day = np.repeat(np.arange(num_days - 1), waiting.size)
        wait_at = np.tile(waiting, num_days - 1)
        tail = np.concatenate((day * n + self.tail[arc], wait_day * n + wait_at))
        head = np.concatenate(((day + self.duration_days[arc]) * n + self.head[arc], (wait_day + 1) * n + wait_at))
        departure = np.concatenate((day, wait_day))
        arcs = np.concatenate((arc, np.full(wait_at.size, HELD)))
        cost = np.concatenate((self.cost_usd_per_t[arc], self.holding_usd_per_t_day[wait_at]))
        wanted = np.ones(tail.size, dtype=np.bool_)
        if source is not None:
            labels = self.earliest_and_cheapest(source, first_day, last_day).cost_usd_per_t
            wanted &= np.isfinite(labels.ravel()[tail])
        if target is not None:
            # Backwards from one more vertex that stands for the target on any day.
            end = n * num_days
            from_head = np.concatenate((head, np.full(num_days, end)))
            to_tail = np.concatenate((tail, np.arange(num_days) * n + target))
            order = np.argsort(from_head, kind="stable")
            turned = np.concatenate(([0], np.cumsum(np.bincount(from_head, minlength=end + 1))))
            left, _ = kernels.dijkstra(
                turned, to_tail[order].astype(np.int32), np.zeros(order.size), end, np.zeros(0, dtype=np.bool_), 0
            )
            wanted &= np.isfinite(left[head])
        chosen = np.flatnonzero(wanted)
        chosen = chosen[np.argsort(tail[chosen], kind="stable")]
        return TimeSpaceArrays(
            first_day=first_day,
            last_day=last_day,
            num_vertices=n,
            indptr=np.concatenate(([0], np.cumsum(np.bincount(tail[chosen], minlength=n * num_days)))),
            tail=tail[chosen].astype(np.int32),
            head=head[chosen].astype(np.int32),
            arc=arcs[chosen].astype(np.int32),
            departure_day=first_day + departure[chosen],
            cost_usd_per_t=cost[chosen],
        )

    def _check_window(self, first_day: int, last_day: int) -> None:
        if not 0 <= first_day <= last_day < self.horizon_days:
            raise ValueError(f"days {first_day} to {last_day} are no window inside 0 to {self.horizon_days - 1}")

    def _check_vertex(self, vertex: int) -> None:
        if not 0 <= vertex < self.num_vertices:
            raise ValueError(f"vertex is {vertex}, expected one from 0 to {self.num_vertices - 1}")


def _sums(values: FloatArray, base_arcs: IntArray, starts: LongArray) -> FloatArray:
    return np.add.reduceat(values[base_arcs], starts) if starts.size else np.zeros(0)
