"""A plan's routes looked at leg by leg: money and time by component, ports and gauge changes passed, use of
capacities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from optimizer.models.port_choice.emissions import Factors
from optimizer.models.port_choice.graph import named_resources, network_legs, place_names, teu_per_tonne
from optimizer.models.port_choice.problem import DAYS_PER_YEAR, PortChoice
from optimizer.network.costs import MONEY_COMPONENTS
from optimizer.network.layered import ACCESS, SEA, SINK_LAYER, SOURCE_LAYER, LayeredNetwork
from optimizer.result import Solution

Leg = dict[Any, Any]


@dataclass(frozen=True)
class Trip:
    """One route of the plan: its demand, tonnes, legs in order and arcs of the layered network (doors included)."""

    demand: Leg
    quantity_t: float
    legs: list[Leg]
    arcs: list[int]
    money_usd_per_t: dict[str, float]
    time_usd_per_t: float
    days: float
    co2_kg_per_t: float

    @property
    def usd_per_t(self) -> float:
        """Money, time and reliability of a tonne."""
        return sum(self.money_usd_per_t.values()) + self.time_usd_per_t

    @property
    def port(self) -> str:
        """Sea port between its ends where the load passes the quay between land and sea; "" when it does not."""
        ends = {self.demand["origin"], self.demand["destination"]}
        gates = [
            leg["from_node"]
            for leg in self.legs
            if leg["kind"] == "handling"
            and leg["from_node"] not in ends
            and {leg["from_layer"], leg["to_layer"]} - {"door"} > {"sea"}
        ]
        return str(gates[-1]) if gates else ""

    @property
    def gauge_changes(self) -> list[Leg]:
        """Handlings from one gauge to another."""
        return [leg for leg in self.legs if leg["from_layer"] != leg["to_layer"] and _both_rail(leg)]


@dataclass(frozen=True)
class Use:
    """A limit of the network: name in plans, place for people, capacity (dated: of a day), arcs; use and price by day.

    Days are None without dates; what is not used or priced has no entry.
    """

    name: str
    place: str
    unit: str
    limit: float
    arcs: frozenset[int]
    used: Mapping[int | None, float]
    price: Mapping[int | None, float]


def _both_rail(leg: Leg) -> bool:
    return str(leg["from_layer"]).startswith("rail-") and str(leg["to_layer"]).startswith("rail-")


class Trips:
    """Every route of a plan, and the words and sums reports are made of."""

    def __init__(self, problem: PortChoice, solution: Solution) -> None:
        self.problem, self.solution = problem, solution
        self.network = LayeredNetwork.build(problem.corridor)
        self.names = place_names(problem)
        self.demands: dict[str, Leg] = {row["demand_id"]: row for row in problem.demand().to_dict("records")}
        keys = (("link", "links", "link_id"), ("sea", "sea_legs", "leg_id"), ("handling", "handlings", "handling_id"))
        self.assets: dict[tuple[str, str], Leg] = {
            (kind, row[key]): row
            for kind, table, key in keys
            for row in problem.corridor.table(table).to_dict("records")
        }
        self.countries = dict(zip(*(problem.corridor.table("nodes")[c] for c in ("node_id", "country")), strict=True))
        self.trips = self._trips()

    def _trips(self) -> list[Trip]:
        network = self.network
        moving = np.flatnonzero(network.kind != ACCESS).tolist()
        arc_of = {_key(leg): arc for arc, leg in zip(moving, network_legs(network, moving), strict=True)}
        ends = network.vertex_node[network.tail], network.vertex_layer[network.tail], network.vertex_layer[network.head]
        door = {key: arc for arc, key in enumerate(zip(*ends, strict=True)) if network.kind[arc] == ACCESS}
        commodities = {
            row["commodity_id"]: row for row in self.problem.corridor.table("commodities").to_dict("records")
        }
        emissions = self.problem.corridor.table("emissions").to_dict("records")
        factors = {name: Factors(emissions, row) for name, row in commodities.items()}
        legs: dict[str, list[Leg]] = defaultdict(list)
        for leg in self.solution["legs"].sort_values(["route_id", "sequence"]).to_dict("records"):
            legs[leg["route_id"]].append(leg)
        trips = []
        for route in self.solution["routes"].to_dict("records"):
            demand, mine = self.demands[route["demand_id"]], legs[route["route_id"]]
            arcs = [arc_of[_key(leg)] for leg in mine]
            if mine and mine[0]["from_layer"] != "door":
                arcs.insert(0, door[mine[0]["from_node"], SOURCE_LAYER, mine[0]["from_layer"]])
            if mine and mine[-1]["to_layer"] != "door":
                arcs.append(door[mine[-1]["to_node"], mine[-1]["to_layer"], SINK_LAYER])
            costs = network.arc_costs(demand["commodity_id"])
            days = float(costs.time_total[arcs].sum()) / 24
            time_usd = float((costs.generalised - costs.money_total)[arcs].sum())
            if self.problem.dated:
                days = float(route["arrive_day"] - demand["release_day"])
                time_usd = self._dated_time_usd(demand, mine, arcs, int(route["arrive_day"]))
            kg = sum(
                factors[demand["commodity_id"]].kg_per_t(
                    leg["kind"], self.assets[leg["kind"], leg["asset_id"]],
                    (self.countries[leg["from_node"]], self.countries[leg["to_node"]]),
                )
                for leg in mine
            )  # fmt: skip
            money = {name: float(costs.money[name][arcs].sum()) for name in MONEY_COMPONENTS}
            trips.append(Trip(demand, float(route["quantity_t"]), mine, arcs, money, time_usd, days, kg))
        return trips

    def _dated_time_usd(self, demand: Leg, legs: list[Leg], arcs: list[int], arrive_day: int) -> float:
        """
        Time of a dated route as the plan pays for it: true hours on the move, nights waited, days late.

        The dates say how long a load waits for its ship; the mean wait and the variability of the sea leg drop out.
        """
        costs = self.network.arc_costs(demand["commodity_id"])
        ashore = [arc for arc in arcs if self.network.kind[arc] != SEA]
        hours = float((costs.time_total - costs.time_h["wait"])[arcs].sum())
        moving = sum({leg["chain"]: int(leg["arrive_day"] - leg["depart_day"]) for leg in legs}.values())
        nights = arrive_day - int(demand["release_day"]) - moving
        late = max(arrive_day - int(demand["due_day"]), 0) * float(demand["late_usd_per_t_day"])
        return (
            costs.vot_usd_per_t_h * (hours + 24 * nights)
            + costs.vor_usd_per_t_h * float(costs.variability_h[ashore].sum())
            + late
        )

    def mean(self, trips: list[Trip], value: Any) -> float:
        """Mean of a figure of trips, weighted by tonnes; 0 without trips."""
        tonnes = sum(trip.quantity_t for trip in trips)
        return sum(value(trip) * trip.quantity_t for trip in trips) / tonnes if tonnes else 0.0

    @property
    def cost(self) -> float:
        """Cost of the plan, USD: its routes, what it leaves behind, and the contracts it takes."""
        usd = sum(trip.quantity_t * trip.usd_per_t for trip in self.trips)
        for row in self.solution["unserved"].to_dict("records"):
            usd += row["quantity_t"] * float(self.demands[row["demand_id"]]["unserved_usd_per_t"])
        contracts = self.problem.corridor.table("contracts")
        fixed = dict(zip(contracts["contract_id"], contracts["fixed_cost_usd_per_year"], strict=True))
        for row in self.solution["contracts"].to_dict("records"):
            usd += float(fixed[row["contract_id"]]) * self.problem.year_share if row["taken"] else 0.0
        return float(usd)

    @cached_property
    def by_port(self) -> dict[str, list[Trip]]:
        """Trips by the port whose quay they pass ("" for none), most tonnes first."""
        found: dict[str, list[Trip]] = defaultdict(list)
        for trip in self.trips:
            found[trip.port].append(trip)
        return dict(sorted(found.items(), key=lambda item: (-sum(t.quantity_t for t in item[1]), item[0])))

    def words(self, trip: Trip) -> str:
        """The way in words: ends, borders, gauge changes, quays and other handlings."""
        steps = [self.names[trip.demand["origin"]]]
        for number, leg in enumerate(trip.legs):
            here, there = self.names[leg["from_node"]], self.names[leg["to_node"]]
            if leg["kind"] == "handling":
                steps.append(f"{here} ({self.handling_words(leg)})")
            elif leg["kind"] == "sea":
                steps.append(f"ship to {there}")
            elif self.countries[leg["from_node"]] != self.countries[leg["to_node"]] or number == len(trip.legs) - 1:
                steps.append(there)
        last = self.names[trip.demand["destination"]]
        if not (steps[-1] == last or steps[-1].startswith((f"{last} (", f"ship to {last}"))):
            steps.append(last)
        tidy: list[str] = []
        for step in steps:
            if tidy and (step == tidy[-1] or step.startswith(f"{tidy[-1]} (")):
                tidy.pop()
            tidy.append(step)
        return " > ".join(tidy)

    def handling_words(self, leg: Leg) -> str:
        """What a handling does."""
        if _both_rail(leg):
            return f"gauge change {leg['from_layer'][5:]}/{leg['to_layer'][5:]}, {self.technology(leg)}"
        return self.technology(leg)

    def gist(self, trip: Trip) -> str:
        """The way in a few words: sea port and gauge changes."""
        port = f"through {self.names[trip.port]}" if trip.port else "without a sea port between"
        changes = dict.fromkeys(
            f"{self.names[leg['from_node']]} ({self.technology(leg)})" for leg in trip.gauge_changes
        )
        return f"{port}, {'gauge change at ' + ' and '.join(changes) if changes else 'no change of gauge'}"

    def technology(self, leg: Leg) -> str:
        """Technology of a handling, in words."""
        return str(self.assets["handling", leg["asset_id"]]["technology"]).replace("_", " ")

    def moves(self, trip: Trip) -> list[tuple[int, int | None]]:
        """Arc of the network and day of departure (None without dates) of every leg."""
        moving = [arc for arc in trip.arcs if self.network.kind[arc] != ACCESS]
        days = [int(leg["depart_day"]) if self.problem.dated else None for leg in trip.legs]
        return list(zip(moving, days, strict=True))

    @cached_property
    def limits(self) -> list[Use]:
        """Every limit of the network, with what the plan uses of it."""
        teu = teu_per_tonne(self.problem)
        on_arc: dict[int, list[tuple[int | None, float, float]]] = defaultdict(list)
        for trip in self.trips:
            boxes = trip.quantity_t * teu[trip.demand["commodity_id"]]
            for arc, day in self.moves(trip):
                on_arc[arc].append((day, trip.quantity_t, boxes))
        prices: dict[str, dict[int | None, float]] = defaultdict(dict)
        for row in self.solution["prices"].to_dict("records"):
            day = int(row["day"]) if self.problem.dated else None
            prices[row["resource"]][day] = float(row["price_usd_per_unit"])
        found = []
        for name, place, unit, capacity, arcs in named_resources(self.network):
            used: dict[int | None, float] = defaultdict(float)
            for arc in arcs.tolist():
                for day, tonnes, boxes in on_arc.get(arc, ()):
                    used[day] += tonnes if unit == "t" else boxes
            limit = capacity / DAYS_PER_YEAR if self.problem.dated else capacity
            found.append(Use(name, place, unit, limit, frozenset(arcs.tolist()), dict(used), prices[name]))
        return found

    @property
    def use_of_limits(self) -> list[tuple[str, str, str, float, float, float]]:
        """Of every limit in use: name, place, unit, use, capacity and highest price (dated: of its fullest day)."""
        return [
            (use.name, use.place, use.unit, max(use.used.values()), use.limit, max(use.price.values(), default=0.0))
            for use in self.limits
            if use.used
        ]


def _key(leg: Leg) -> tuple[str, ...]:
    return tuple(str(leg[name]) for name in ("kind", "asset_id", "from_node", "from_layer", "to_node", "to_layer"))
