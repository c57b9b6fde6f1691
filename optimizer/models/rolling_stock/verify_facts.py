"""The tables as verifiers read them: steps of a path, fastest ways, ways home, in exact fractions."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from optimizer.models.rolling_stock.problem import RollingStock

Place = tuple[str, int]

TOLERANCE = Fraction(1, 10**6)
"""Of costs, relative, and of tonnes."""


@lru_cache(maxsize=100_000)
def as_written(value: Any) -> Fraction:
    """The number in its decimal digits."""
    return Fraction(str(value))


def total(terms: Iterable[Fraction]) -> Fraction:
    """The sum, brought to one denominator at once: adding up one by one takes its time."""
    terms = list(terms)
    scale = math.lcm(*(term.denominator for term in terms))
    return Fraction(sum(term.numerator * (scale // term.denominator) for term in terms), scale)


def filled(value: Any) -> bool:
    """Whether an optional cell holds something."""
    return value is not None and value != "" and value == value


class Facts:
    """The instance's tables as a verifier reads them."""

    def __init__(self, problem: RollingStock) -> None:
        table = {name: problem.table(name).to_dict("records") for name in problem.corridor.tables}
        self.days, self.settings = problem.days, problem.corridor.config.rolling_stock
        self.country = {row["node_id"]: row["country"] for row in table["nodes"]}
        self.yard = {
            row["node_id"]: row["yard_capacity_wagons"] for row in table["nodes"] if filled(row["yard_capacity_wagons"])
        }
        self.links = {row["link_id"]: row for row in table["links"] if row["mode"] == "rail"}
        self.handlings = {row["handling_id"]: row for row in table["handlings"]}
        self.borders = [row for row in table["borders"] if not filled(row["mode"]) or row["mode"] == "rail"]
        self.wagons = {row["wagon_id"]: row for row in table["wagons"]}
        self.orders = {row["order_id"]: row for row in table["orders"]}
        self.ends: dict[str, set[str]] = defaultdict(set)  # stations by commodity
        for row in table["orders"]:
            self.ends[row["commodity_id"]].update((row["origin"], row["destination"]))
        self.fleet = [row for row in table["fleet"] if row["type_id"] in self.wagons]
        self.form = {row["commodity_id"]: row["cargo_form"] for row in table["commodities"]}
        self.residue = {row["commodity_id"]: row["residue"] for row in table["commodities"]}
        self.accepts = {row["commodity_id"]: set(row["accepts_residues"]) for row in table["commodities"]}
        self.works = {row["work_id"]: row for row in table["wagon_works"]}
        self.suits = {(row["wagon_id"], row["commodity_id"]) for row in table["wagon_suits"]}
        self.closures = [(closure.link_id, closure.first_day, closure.last_day) for closure in problem.closed]
        self._home: dict[Any, dict[Place, Fraction]] = {}
        self._places: dict[str, frozenset[Place]] = {}
        self._steps: dict[Any, tuple[Place, Fraction, Fraction, Fraction] | str] = {}
        self._fastest: dict[Any, dict[Place, int]] = {}
        self._edges: dict[Any, tuple[int, dict[Place, list[tuple[Place, int]]]]] = {}
        self._at: dict[Place, list[str]] = defaultdict(list)

    def closed_on(self, day: int) -> frozenset[str]:
        """Links closed for those who depart on a day."""
        return frozenset(link for link, first, last in self.closures if first <= day <= last)

    def border_h(self, here: str, there: str) -> Fraction:
        best, dwell = -1, Fraction(0)
        for row in self.borders if here != there else ():
            keys = [filled(row["from_country"]), filled(row["to_country"]), filled(row["mode"])]
            fits = row["from_country"] == here or not keys[0], row["to_country"] == there or not keys[1]
            if all(fits) and sum(keys) > best:
                best, dwell = sum(keys), as_written(row["dwell_h"])
        return dwell

    def step(
        self, asset: str, at: Place, wagon: Mapping[str, Any], form: str
    ) -> tuple[Place, Fraction, Fraction, Fraction] | str:
        """Next place, hours, km and charge of one edge, or what is wrong with it."""
        key = asset, at, tuple(wagon["gauges_mm"]), wagon["gauge_change"], form
        if key not in self._steps:
            self._steps[key] = self._step(asset, at, wagon, form)
        return self._steps[key]

    def _step(
        self, asset: str, at: Place, wagon: Mapping[str, Any], form: str
    ) -> tuple[Place, Fraction, Fraction, Fraction] | str:
        gauges = {int(g) for g in wagon["gauges_mm"]}
        if asset in self.links:
            link = self.links[asset]
            if int(link["gauge_mm"]) != at[1] or at[1] not in gauges:
                return "wagon on a link of another gauge"
            if at[0] not in (link["from_node"], link["to_node"]):
                return "path is not joined up"
            other = link["to_node"] if at[0] == link["from_node"] else link["from_node"]
            length = as_written(link["length_km"])
            hours = length / as_written(link["speed_kmh"]) + self.border_h(self.country[at[0]], self.country[other])
            return (other, at[1]), hours, length, Fraction(0)
        if asset in self.handlings:
            row = self.handlings[asset]
            layer, target = f"rail-{at[1]}", ""
            if row["node_id"] == at[0] and row["from_layer"] == layer:
                target = row["to_layer"]
            elif row["node_id"] == at[0] and row["to_layer"] == layer and row["both_ways"]:
                target = row["from_layer"]
            if not target:
                return "path is not joined up"
            if (
                row["technology"] != wagon["gauge_change"]
                or not target.startswith("rail-")
                or int(target[5:]) not in gauges
            ):
                return "wagon type cannot change gauge here"
            if form and row["cargo_forms"] and form not in row["cargo_forms"]:
                return "gauge change does not take the cargo"
            return (
                (at[0], int(target[5:])),
                as_written(row["dwell_h"]),
                Fraction(0),
                as_written(row["cost_usd_per_wagon"]),
            )
        return "link or handling is not in force"

    def fastest(
        self, start: Place, end: Place, wagon: Mapping[str, Any], form: str, closed: frozenset[str]
    ) -> Fraction | None:
        """Least hours (plus a billionth per km) between two places for a type, over links that are not closed."""
        form = form if wagon["gauge_change"] != "none" else ""
        network = tuple(sorted(wagon["gauges_mm"])), wagon["gauge_change"], form, closed
        if network not in self._edges:
            self._edges[network] = self._whole_edges(wagon, form, closed)
        scale, edges = self._edges[network]
        if (network, start) not in self._fastest:
            done: dict[Place, int] = {}
            queue: list[tuple[int, Place]] = [(0, start)]
            while queue:
                spent, at = heapq.heappop(queue)
                if at in done:
                    continue
                done[at] = spent
                for there, hours in edges.get(at, ()):
                    if there not in done:
                        heapq.heappush(queue, (spent + hours, there))
            self._fastest[network, start] = done
        least = self._fastest[network, start].get(end)
        return None if least is None else Fraction(least, scale)

    def _whole_edges(
        self, wagon: Mapping[str, Any], form: str, closed: frozenset[str]
    ) -> tuple[int, dict[Place, list[tuple[Place, int]]]]:
        """Edges by place left, their hours (plus a billionth per km) as multiples of one part of an hour."""
        edges: list[tuple[Place, Place, Fraction]] = []
        for asset in (*(self.links.keys() - closed), *self.handlings):
            for at in self._ends(asset):
                step = self.step(asset, at, wagon, form)
                if not isinstance(step, str):
                    edges.append((at, step[0], step[1] + step[2] / 10**9))
        scale = math.lcm(*(hours.denominator for _, _, hours in edges))
        found: dict[Place, list[tuple[Place, int]]] = defaultdict(list)
        for at, there, hours in edges:
            found[at].append((there, int(hours * scale)))
        return scale, found

    def places_of(self, wagon: Mapping[str, Any]) -> frozenset[Place]:
        """Where a type may run empty: in the fleet, ends of orders it suits, and works it needs."""
        if wagon["wagon_id"] not in self._places:
            self._places[wagon["wagon_id"]] = frozenset(self._find_places(wagon))
        return self._places[wagon["wagon_id"]]

    def _find_places(self, wagon: Mapping[str, Any]) -> set[Place]:
        name, gauges = wagon["wagon_id"], [int(g) for g in wagon["gauges_mm"]]
        places = {(row["node_id"], int(row["gauge_mm"])) for row in self.fleet if row["type_id"] == name}
        mine = [commodity for commodity in self.ends if (name, commodity) in self.suits]
        places |= {(node, g) for commodity in mine for node in self.ends[commodity] for g in gauges}
        soiled = any(self.residue[commodity] for commodity in mine)
        soiled = soiled or any(row["residue"] for row in self.fleet if row["type_id"] == name)
        worn = filled(wagon["maintenance_km"]) or filled(wagon["maintenance_days"])
        for work in self.works.values():
            if (soiled if work["kind"] == "cleaning" else worn) and (not work["wagons"] or name in work["wagons"]):
                places |= {(work["node_id"], g) for g in gauges}
        return places

    def owed(self, wagon: Mapping[str, Any], start: Place) -> Fraction | None:
        """What a wagon at a place owes its home railway: its cheapest way home; None when none leads there."""
        home = wagon["home_country"]
        if wagon["return_rule"] == "none" or self.country[start[0]] == home:
            return Fraction(0)
        key = wagon["wagon_id"], start
        if key not in self._home:
            per_km = as_written(self.settings.empty_usd_per_wagon_km)
            per_hour = as_written(self.settings.foreign_usd_per_wagon_day) / as_written(self.settings.hours_per_day)
            done: dict[Place, Fraction] = {}
            queue: list[tuple[Fraction, Place, Fraction]] = [(Fraction(0), start, Fraction(0))]
            while queue:
                spent, at, usd = heapq.heappop(queue)
                if at in done:
                    continue
                done[at] = usd
                for asset in self._assets_at(at):
                    step = self.step(asset, at, wagon, "")
                    if isinstance(step, str) or step[0] in done:
                        continue
                    there, hours, km, charge = step
                    halves = sum(self.country[node] != home for node in (at[0], there[0]))
                    more = per_km * km + charge + per_hour * hours * halves / 2
                    heapq.heappush(queue, (spent + hours + km / 10**9, there, usd + more))
            self._home[key] = {at: usd for at, usd in done.items() if self.country[at[0]] == home}
        return min(self._home[key].values(), default=None)

    def _assets_at(self, place: Place) -> list[str]:
        if not self._at:
            for asset in (*self.links, *self.handlings):
                for end in self._ends(asset):
                    self._at[end].append(asset)
        return self._at.get(place, [])

    def _ends(self, asset: str) -> list[Place]:
        if asset in self.links:
            link = self.links[asset]
            return [(link[side], int(link["gauge_mm"])) for side in ("from_node", "to_node")]
        row = self.handlings[asset]
        layers = [row["from_layer"], row["to_layer"]]
        return [(row["node_id"], int(layer[5:])) for layer in layers if layer.startswith("rail-")]
