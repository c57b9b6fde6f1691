"""Ways of wagons a second time, for the second formulation: in exact fractions, from the tables alone."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from heapq import heappop, heappush
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import RollingStock

Place = tuple[str, int]


def fraction(value: Any) -> Fraction:
    return Fraction(str(value))


class Rails:
    """Fastest ways in exact fractions, by Dijkstra's search with a binary heap."""

    def __init__(self, problem: RollingStock, wagon: dict[str, Any], form: str) -> None:
        country = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["country"], strict=True))
        gauges = {int(g) for g in wagon["gauges_mm"]}
        self.out: dict[Place, list[tuple[Any, ...]]] = defaultdict(list)
        borders = problem.table("borders").to_dict("records")
        for link in problem.table("links").to_dict("records"):
            if link["mode"] != "rail" or int(link["gauge_mm"]) not in gauges:
                continue
            for tail, head in ((link["from_node"], link["to_node"]), (link["to_node"], link["from_node"])):
                pair = country[tail], country[head]
                hours = fraction(link["length_km"]) / fraction(link["speed_kmh"]) + _dwell(borders, *pair)
                km, gauge = fraction(link["length_km"]), int(link["gauge_mm"])
                self.out[tail, gauge].append(((head, gauge), link["link_id"], tail, hours, km, Fraction(0), pair))
        for row in problem.table("handlings").to_dict("records"):
            if row["technology"] != wagon["gauge_change"] or (
                form and row["cargo_forms"] and form not in row["cargo_forms"]
            ):
                continue
            pairs = [(row["from_layer"], row["to_layer"])] + [(row["to_layer"], row["from_layer"])] * bool(
                row["both_ways"]
            )
            for first, second in pairs:
                if (
                    not (first.startswith("rail-") and second.startswith("rail-"))
                    or not {int(first[5:]), int(second[5:])} <= gauges
                ):
                    continue
                head, at = (row["node_id"], int(second[5:])), country[row["node_id"]]
                usd = fraction(row["cost_usd_per_wagon"])
                edge = (head, row["handling_id"], "", fraction(row["dwell_h"]), Fraction(0), usd, (at, at))
                self.out[row["node_id"], int(first[5:])].append(edge)

    def tree(self, start: Place) -> dict[Place, list[tuple[Any, ...]]]:
        """Place -> edges of the fastest way from ``start``."""
        ways: dict[Place, list[tuple[Any, ...]]] = {}
        queue: list[tuple[Fraction, int, Place, list[tuple[Any, ...]]]] = [(Fraction(0), 0, start, [])]
        count = 0
        while queue:
            spent, _, at, way = heappop(queue)
            if at in ways:
                continue
            ways[at] = way
            for edge in sorted(self.out[at], key=lambda e: str(e[1])):
                if edge[0] not in ways:
                    count += 1
                    heappush(queue, (spent + edge[3] + edge[4] / 10**9, count, edge[0], [*way, edge]))
        return ways

    def homeward(
        self, start: Place, country: dict[str, str], home: str, prices: tuple[Fraction, Fraction]
    ) -> Fraction | None:
        """Least cost of a way home over all stations there; None when no way leads home."""
        if country[start[0]] == home:
            return Fraction(0)
        per_km, abroad_h = prices
        costs = []
        for end, way in self.tree(start).items():
            if way and country[end[0]] == home:
                hours = sum((e[3] / 2 * ((e[6][0] != home) + (e[6][1] != home)) for e in way), Fraction(0))
                costs.append(sum((per_km * e[4] + e[5] for e in way), Fraction(0)) + abroad_h * hours)
        return min(costs, default=None)


def _dwell(borders: list[dict[str, Any]], here: str, there: str) -> Fraction:
    if here == there:
        return Fraction(0)
    fits = [
        (sum(not is_blank(row[key]) for key in ("from_country", "to_country", "mode")), fraction(row["dwell_h"]))
        for row in borders
        if (is_blank(row["from_country"]) or row["from_country"] == here)
        and (is_blank(row["to_country"]) or row["to_country"] == there)
        and (is_blank(row["mode"]) or row["mode"] == "rail")
    ]
    return max(fits, default=(0, Fraction(0)))[1]
