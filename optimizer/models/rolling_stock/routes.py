"""Route book: the fastest rail way of a wagon type between two places, with its exact hours, kilometres and days.

Vertices are (place, gauge). Links of a type's gauges join places, handlings of the type's own technology join gauges.
The fastest way counts; of equally fast ones the shortest, by adding a billionth of an hour for each kilometre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

import numpy as np

from optimizer.data.columns import is_blank
from optimizer.data.corridor import Corridor
from optimizer.errors import Fault, InstanceError
from optimizer.network.paths import shortest_path_tree

Place = tuple[str, int]
"""Node and gauge (mm)."""
HOURS_PER_KM = Fraction(1, 10**9)


@lru_cache(maxsize=100_000)
def exact(value: Any) -> Fraction:
    """The number as it is written in decimal digits."""
    return Fraction(str(value))


@dataclass(frozen=True)
class Way:
    """One way. ``hours_in`` splits the hours by country, ``edge_hours`` by link and handling.

    ``links`` names each link with its direction (True: against from -> to).
    """

    path: tuple[str, ...]
    links: tuple[tuple[str, bool], ...]
    hours: Fraction
    length_km: Fraction
    change_usd: Fraction
    hours_in: Mapping[str, Fraction]
    edge_hours: tuple[Fraction, ...]

    def share_abroad(self, home: str) -> Fraction:
        """Share of the hours outside ``home``; zero for a type without home."""
        return 1 - self.hours_in.get(home, Fraction(0)) / self.hours if home and self.hours else Fraction(0)

    def days(self, hours_per_day: Fraction, terminal_days: Fraction = Fraction(0)) -> int:
        """Whole days from departure until the wagons are free again, at least one."""
        return max(1, ceil(self.hours / hours_per_day + terminal_days))


@dataclass(frozen=True)
class _Edge:
    asset: str
    head: Place
    backward: bool | None
    hours: Fraction
    length_km: Fraction
    change_usd: Fraction
    countries: tuple[str, str]

    @cached_property
    def shares(self) -> tuple[tuple[str, Fraction], ...]:
        """Hours by country: halves for the countries of its ends."""
        here, there = self.countries
        return ((here, self.hours),) if here == there else ((here, self.hours / 2), (there, self.hours / 2))


class RouteBook:
    """Ways of all wagon (or light locomotive) types on a corridor; searches are kept.

    Parameters
    ----------
    corridor
        Links, handlings, borders and nodes in force.

    Raises
    ------
    InstanceError
        Two equally specific border rows for one crossing.
    """

    def __init__(self, corridor: Corridor) -> None:
        self._corridor = corridor
        nodes = corridor.table("nodes")
        self.country: dict[str, str] = dict(zip(nodes["node_id"], nodes["country"], strict=True))
        self._graphs: dict[tuple[Any, ...], _Graph] = {}

    @cached_property
    def border_hours(self) -> dict[tuple[str, str], Fraction]:
        """Dwell at each border between two countries that a rail link crosses."""
        links, borders = self._corridor.table("links"), self._corridor.table("borders")
        pairs = {(self.country[a], self.country[b]) for a, b in zip(links["from_node"], links["to_node"], strict=True)}
        rows = [row for row in borders.to_dict("records") if is_blank(row["mode"]) or row["mode"] == "rail"]
        found, faults = {}, []
        for a, b in sorted(pairs | {(b, a) for a, b in pairs}):
            fits = [
                (sum(not is_blank(row[c]) for c in ("from_country", "to_country", "mode")), row)
                for row in rows
                if (is_blank(row["from_country"]) or row["from_country"] == a)
                and (is_blank(row["to_country"]) or row["to_country"] == b)
            ]
            best = [row for filled, row in fits if filled == max(f for f, _ in fits)]
            if len(best) > 1:
                names = " and ".join(f"'{row['border_id']}'" for row in best)
                faults.append(
                    Fault("borders.csv", f"{names} fit a train from {a} to {b} equally well, expected one row")
                )
            found[a, b] = exact(best[0]["dwell_h"]) if best and a != b else Fraction(0)
        if faults:
            raise InstanceError(self._corridor.instance.path, faults)
        return found

    @cached_property
    def _link_edges(self) -> list[tuple[Place, _Edge, bool]]:
        edges = []
        for link in self._corridor.table("links").to_dict("records"):
            if link["mode"] != "rail" or is_blank(link["gauge_mm"]):
                continue
            gauge, wired = int(link["gauge_mm"]), link["electrified"] not in ("", "no")
            length, speed = exact(link["length_km"]), exact(link["speed_kmh"])
            for tail, head, backward in (
                (link["from_node"], link["to_node"], False),
                (link["to_node"], link["from_node"], True),
            ):
                here, there = self.country[tail], self.country[head]
                hours = length / speed + (self.border_hours[here, there] if here != there else 0)
                edge = _Edge(link["link_id"], (head, gauge), backward, hours, length, Fraction(0), (here, there))
                edges.append(((tail, gauge), edge, wired))
        return edges

    def _change_edges(self, technology: str, form: str) -> list[tuple[Place, _Edge]]:
        edges = []
        for row in self._corridor.table("handlings").to_dict("records"):
            layers = row["from_layer"], row["to_layer"]
            if row["technology"] != technology or not all(layer.startswith("rail-") for layer in layers):
                continue
            if form and row["cargo_forms"] and form not in row["cargo_forms"]:
                continue
            here = self.country[row["node_id"]]
            a, b = ((row["node_id"], int(layer.removeprefix("rail-"))) for layer in layers)
            for tail, head in ((a, b), (b, a)) if row["both_ways"] else ((a, b),):
                hours, charge = exact(row["dwell_h"]), exact(row["cost_usd_per_wagon"])
                edges.append((tail, _Edge(row["handling_id"], head, None, hours, Fraction(0), charge, (here, here))))
        return edges

    def graph(
        self,
        gauges: tuple[int, ...],
        technology: str = "none",
        form: str = "",
        wired_only: bool = False,
        closed: frozenset[str] = frozenset(),
    ) -> _Graph:
        """The rail network as one type sees it.

        Parameters
        ----------
        gauges
            Gauges (mm) it runs on.
        technology
            How it changes gauge; ``none`` when it does not.
        form
            Cargo form carried, which some handlings refuse; "" when empty.
        wired_only
            Keep electrified links only.
        closed
            Links left out.
        """
        if technology == "none":
            form = ""
        key = gauges, technology, form, wired_only, closed
        if key not in self._graphs:
            links = [
                (tail, edge)
                for tail, edge, wired in self._link_edges
                if tail[1] in gauges and (wired or not wired_only) and edge.asset not in closed
            ]
            changes = [] if technology == "none" else self._change_edges(technology, form)
            changes = [(t, e) for t, e in changes if t[1] in gauges and e.head[1] in gauges]
            self._graphs[key] = _Graph(links + changes)
        return self._graphs[key]


class _Graph:
    """CSR arrays of one type's network, its shortest-path trees and the ways read off them."""

    def __init__(self, edges: list[tuple[Place, _Edge]]) -> None:
        places = sorted({place for tail, edge in edges for place in (tail, edge.head)})
        self._places = places
        self._number = {place: i for i, place in enumerate(places)}
        edges = sorted(edges, key=lambda pair: (self._number[pair[0]], pair[1].asset))
        self._edges = [edge for _, edge in edges]
        self._tail = np.array([self._number[tail] for tail, _ in edges], dtype=np.int64)
        self._head = np.array([self._number[edge.head] for edge in self._edges], dtype=np.int32)
        self._indptr = np.searchsorted(self._tail, np.arange(len(places) + 1)).astype(np.int64)
        self._weight = np.array([float(e.hours + HOURS_PER_KM * e.length_km) for e in self._edges])
        self._trees: dict[int, Any] = {}
        self._ways: dict[tuple[Place, Place], Way | None] = {}

    def __contains__(self, place: Place) -> bool:
        return place in self._number

    def entries(self, country: str) -> list[Place]:
        """Places whose rails lead into a country from outside, in order."""
        return sorted({e.head for e in self._edges if country in e.countries and e.countries[0] != e.countries[1]})

    def way(self, start: Place, end: Place) -> Way | None:
        """Fastest way from ``start`` to another place; None when there is none or both are the same."""
        if (start, end) not in self._ways:
            self._ways[start, end] = self._search(start, end)
        return self._ways[start, end]

    def _search(self, start: Place, end: Place) -> Way | None:
        """The way to the last place before ``end`` and one edge more, back to the first that is known."""
        if start == end or start not in self._number or end not in self._number:
            return None
        source = self._number[start]
        if source not in self._trees:
            self._trees[source] = shortest_path_tree(self._indptr, self._head, self._weight, source)[1]
        into, node = self._trees[source], self._number[end]
        ahead: list[_Edge] = []
        way: Way | None = None
        while node != source:
            if into[node] < 0:
                return None
            way = self._ways.get((start, self._places[node]))
            if way is not None:
                break
            edge = int(into[node])
            ahead.append(self._edges[edge])
            node = int(self._tail[edge])
        for one in reversed(ahead):
            way = _further(way, one)
            self._ways[start, one.head] = way
        return way


def _further(way: Way | None, edge: _Edge) -> Way:
    """The way, or none yet, with one edge more."""
    hours_in = dict(way.hours_in) if way else {}
    for country, hours in edge.shares:
        hours_in[country] = hours_in[country] + hours if country in hours_in else hours
    link = () if edge.backward is None else ((edge.asset, edge.backward),)
    if way is None:
        return Way((edge.asset,), link, edge.hours, edge.length_km, edge.change_usd, hours_in, (edge.hours,))
    return Way(
        path=(*way.path, edge.asset),
        links=way.links + link,
        hours=way.hours + edge.hours,
        length_km=way.length_km + edge.length_km,
        change_usd=way.change_usd + edge.change_usd if edge.change_usd else way.change_usd,
        hours_in=hours_in,
        edge_hours=(*way.edge_hours, edge.hours),
    )
