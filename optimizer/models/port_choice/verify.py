"""Every rule of port choice again, from the corridor's tables and the plan alone, in exact arithmetic.

Imports neither the models nor the network. Quantities of the plan are taken as the fractions their shortest decimal
texts denote; limits, demands and the claimed cost are compared with the relative tolerance ``TOLERANCE`` of
``problem.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from optimizer.models.port_choice.problem import SOLUTION_TABLES, TOLERANCE, PortChoice
from optimizer.models.port_choice.verify_chain import Book, Chain, Record, exact, given
from optimizer.models.port_choice.verify_days import dated_faults, lateness_usd_per_t, leg_usd_per_t
from optimizer.result import Solution, Violation

LANDED = "sea, on arrival"
LAND_LAYERS = ("rail-1520", "rail-1435", "rail-1676", "road")
Load = tuple[str, str, str, int | None]  # kind, asset, place left, day (None without dates)


def verify(problem: PortChoice, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    """Every broken rule of the plan, and a claimed cost that differs from the recomputed one; empty when all holds.

    Parameters
    ----------
    problem
        What was asked.
    solution
        Tables of ``SOLUTION_TABLES``; nothing in them is believed.
    cost
        Claimed cost, USD (a year; over the horizon when dated); None claims nothing.
    """
    missing = [
        Violation("missing solution table or column", f"{name}.{column}", 1, "column")
        for name, model in SOLUTION_TABLES.items()
        for column in [key for key, info in model.model_fields.items() if info.is_required()]
        if name not in solution or column not in solution[name].columns
    ]
    if missing:
        return tuple(missing)
    return tuple(_Check(problem, solution).violations(cost))


@dataclass
class _Check:
    problem: PortChoice
    solution: Solution
    used_t: dict[Load, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    used_teu: dict[Load, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    served_t: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    spent: Fraction = Fraction(0)

    @cached_property
    def book(self) -> Book:
        return Book(self.problem.corridor)

    @cached_property
    def demands(self) -> dict[str, Record]:
        return {row["demand_id"]: row for row in self.problem.demand().to_dict("records")}

    @cached_property
    def chains(self) -> dict[str, Chain]:
        return {name: Chain(self.book, name) for name in {row["commodity_id"] for row in self.demands.values()}}

    def violations(self, cost: float | None) -> Iterator[Violation]:
        """All of them; the routes come first, because they fill the sums the other rules look at."""
        yield from self._routes()
        yield from self._quantities()
        yield from self._whole()
        yield from self._contracts()
        yield from self._capacities()
        yield from self._prices()
        yield from self._cost(cost)

    def _routes(self) -> Iterator[Violation]:
        routes = self.solution["routes"].to_dict("records")
        legs: dict[str, list[Record]] = defaultdict(list)
        for leg in self.solution["legs"].to_dict("records"):
            legs[leg["route_id"]].append(leg)
        seen: set[str] = set()
        for route in routes:
            name = str(route["route_id"])
            if name in seen:
                yield Violation("route listed twice", f"route {name}", 1, "row")
                continue
            seen.add(name)
            quantity = _number(route["quantity_t"])
            if quantity is None or quantity <= 0:
                yield Violation("quantity must be above zero", f"route {name}", _shown(route["quantity_t"]), "t")
                continue
            demand = self.demands.get(route["demand_id"])
            if demand is None:
                yield Violation("unknown demand", f"route {name} for '{route['demand_id']}'", 1, "route")
                continue
            path = sorted(legs.get(name, []), key=lambda leg: _shown(leg["sequence"]))
            faults = [*self._chain_faults(name, demand, path)]
            if not faults and self.problem.dated:
                faults = [*dated_faults(self.problem, self.chains[demand["commodity_id"]], demand, route, path)]
            yield from faults
            self.served_t[demand["demand_id"]] += quantity
            if not faults:
                self._account(demand, route, path, quantity)
        for name in sorted(set(map(str, legs)) - seen):
            yield Violation("leg of an unknown route", f"route {name}", len(legs[name]), "legs")

    def _chain_faults(self, name: str, demand: Record, path: list[Record]) -> Iterator[Violation]:
        """The legs are there, fit the network and lead without a gap from a door of the origin to one of the
        destination."""
        place, layer, visited = demand["origin"], "door", set()
        for number, leg in enumerate(path, 1):
            at = f"route {name}, leg {number} ({leg['kind']} {leg['asset_id']})"
            if leg["sequence"] != number:
                yield Violation("legs must be numbered 1, 2, 3, ...", at, _shown(leg["sequence"]), "as number")
            row = self.book.assets.get(leg["kind"], {}).get(leg["asset_id"])
            if row is None:
                yield Violation("asset not in force", at, 1, "asset")
                return
            if not _fits(leg, row):
                yield Violation("leg does not fit its asset in place, layer or direction", at, 1, "leg")
            forms = row["cargo_forms"] if leg["kind"] == "handling" else ()
            form = self.chains[demand["commodity_id"]].commodity["cargo_form"]
            if forms and form not in forms:
                yield Violation(f"handling does not take {form} cargo", at, 1, "leg")
            starts = number == 1 and layer == "door" and leg["from_layer"] in (*LAND_LAYERS, "door")
            # a load comes off a ship only through a handling, so that it cannot board the next one on the spot
            needs = LANDED if leg["kind"] == "handling" and leg["from_layer"] == "sea" else leg["from_layer"]
            if leg["from_node"] != place or not (starts or needs == layer != "door"):
                yield Violation("leg does not start where the load is", f"{at}: load at {place} ({layer})", 1, "leg")
            visited.add((leg["from_node"], "origin" if leg["from_layer"] == "door" else needs))
            place, layer = leg["to_node"], LANDED if leg["kind"] == "sea" else leg["to_layer"]
            if (place, layer) in visited:
                yield Violation("route comes back to where it was", f"{at}: {place} ({layer})", 1, "leg")
        if place != demand["destination"] or layer not in (*LAND_LAYERS, "door"):
            yield Violation("route does not end at its destination", f"route {name} at {place} ({layer})", 1, "route")
        if not path and not self._has_land(place):
            yield Violation("route has no legs", f"route {name}", 1, "route")

    def _has_land(self, place: str) -> bool:
        """Whether some link or handling touches a land layer of the place, so that a load can be handed over on the
        spot."""
        at_link = any(
            row["mode"] != "ferry" and place in (row["from_node"], row["to_node"]) for row in self.book.rows("links")
        )
        return at_link or any(
            row["node_id"] == place and {row["from_layer"], row["to_layer"]} & set(LAND_LAYERS)
            for row in self.book.rows("handlings")
        )

    def _account(self, demand: Record, route: Record, path: list[Record], quantity: Fraction) -> None:
        """Add a sound route to the sums and to the bill."""
        chain = self.chains[demand["commodity_id"]]
        usd_per_t = chain.door_charges(demand["origin"])
        for leg in path:
            day = int(leg["depart_day"]) if self.problem.dated else None
            load = (leg["kind"], leg["asset_id"], leg["from_node"], day)
            self.used_t[load] += quantity
            self.used_teu[load] += quantity * chain.teu_per_t()
            backward = _backward(leg, self.book.assets[leg["kind"]][leg["asset_id"]])
            if self.problem.dated:
                usd_per_t += leg_usd_per_t(chain, leg, backward)
            else:
                usd_per_t += chain.generalised(leg["kind"], leg["asset_id"], backward)
        if self.problem.dated:
            usd_per_t += lateness_usd_per_t(demand, route, path, chain)
        self.spent += quantity * usd_per_t

    def _quantities(self) -> Iterator[Violation]:
        """Served and unserved tonnes make up every demand."""
        unserved: dict[str, Fraction] = {}
        for row in self.solution["unserved"].to_dict("records"):
            name, quantity = row["demand_id"], _number(row["quantity_t"])
            if name not in self.demands or name in unserved:
                yield Violation("unserved row of an unknown demand, or twice", f"demand {name}", 1, "row")
            elif quantity is None or quantity < 0:
                yield Violation("quantity must not be below zero", f"unserved {name}", _shown(row["quantity_t"]), "t")
            else:
                unserved[name] = quantity
        for name, demand in self.demands.items():
            asked, left = exact(demand["quantity_t"]), unserved.get(name, Fraction(0))
            self.spent += left * exact(demand["unserved_usd_per_t"])
            if _differs(self.served_t[name] + left, asked):
                amount = float(self.served_t[name] + left - asked)
                yield Violation("served and unserved differ from the demand", f"{self._where(demand)}", amount, "t")
            if self.problem.serve_all and _exceeds(left, Fraction(0)):
                yield Violation("demand must be served in full", f"{self._where(demand)}", float(left), "t unserved")

    def _whole(self) -> Iterator[Violation]:
        """An indivisible demand is on one route with all its tonnes, or stays behind with all of them."""
        if not self.problem.dated:
            return
        moved: dict[str, list[Fraction | None]] = defaultdict(list)
        for row in self.solution["routes"].to_dict("records"):
            moved[row["demand_id"]].append(_number(row["quantity_t"]))
        for name, demand in self.demands.items():
            mine = moved[name] if demand["indivisible"] else []
            if len(mine) > 1:
                yield Violation("indivisible shipment is split over routes", self._where(demand), len(mine), "routes")
            elif mine and mine[0] is not None and _differs(mine[0], exact(demand["quantity_t"])):
                left = float(exact(demand["quantity_t"]) - mine[0])
                yield Violation("indivisible shipment moves in part", self._where(demand), left, "t left behind")

    def _where(self, demand: Record) -> str:
        return f"demand {demand['demand_id']} ({demand['origin']} > {demand['destination']})"

    def _contracts(self) -> Iterator[Violation]:
        """Taken contracts cost their price and keep their volumes; the assets of the others are closed."""
        share = self._year_share()
        taken: dict[str, bool] = {}
        for row in self.solution["contracts"].to_dict("records"):
            name = row["contract_id"]
            if name in taken or row["taken"] not in (True, False):
                yield Violation("contract listed twice, or not as taken or not", f"contract {name}", 1, "row")
            else:
                taken[name] = bool(row["taken"])
        contracts = {row["contract_id"]: row for row in self.book.rows("contracts")}
        for name in sorted(set(taken) ^ set(contracts)):
            yield Violation("contracts of plan and instance differ", f"contract {name}", 1, "row")
        for name, row in contracts.items():
            volume = sum((t for load, t in self.used_t.items() if load[1] in row["assets"]), Fraction(0))
            if not taken.get(name, False):
                if _exceeds(volume, Fraction(0)):
                    yield Violation("assets used without their contract", f"contract {name}", float(volume), "t")
                continue
            self.spent += exact(row["fixed_cost_usd_per_year"]) * share
            least = exact(row["min_t_per_year"]) * share
            if _exceeds(least, volume):
                yield Violation(
                    "below the least volume of a contract", f"contract {name}", float(least - volume), "t short"
                )
            if given(row["max_t_per_year"]) and _exceeds(volume, exact(row["max_t_per_year"]) * share):
                over = float(volume - exact(row["max_t_per_year"]) * share)
                yield Violation("above the largest volume of a contract", f"contract {name}", over, "t too many")

    def _year_share(self) -> Fraction:
        return Fraction(self.problem.corridor.config.horizon.days, 365) if self.problem.dated else Fraction(1)

    @cached_property
    def limits(self) -> dict[str, tuple[Fraction, str, dict[int | None, Fraction]]]:
        """Resource -> (limit a year, or a day when dated; unit; day -> use)."""
        per_day = 365 if self.problem.dated else 1
        found: dict[str, tuple[Fraction, str, dict[int | None, Fraction]]] = {}

        def add(name: str, limit: Fraction, unit: str, loads: list[Load]) -> None:
            use: dict[int | None, Fraction] = defaultdict(Fraction)
            for load in loads:
                use[load[3]] += (self.used_t if unit == "t" else self.used_teu)[load]
            found[name] = (limit / per_day, unit, use)

        loads = [*self.used_t]
        for row in self.book.rows("links"):
            if given(row["capacity_mt_per_year"]):
                limit = exact(row["capacity_mt_per_year"]) * 1_000_000
                for end in (row["from_node"], row["to_node"]):
                    mine = [load for load in loads if load[:3] == ("link", row["link_id"], end)]
                    add(f"link {row['link_id']} from {end}", limit, "t", mine)
        working_days = exact(self.problem.corridor.config.port_choice.transfer_capacity_days)
        quays: dict[str, set[str]] = defaultdict(set)
        for row in self.book.rows("handlings"):
            if row["technology"] == "quay":
                quays[row["node_id"]].add(row["handling_id"])
            if given(row["capacity_t_per_day"]):
                mine = [load for load in loads if load[:2] == ("handling", row["handling_id"])]
                add(f"handling {row['handling_id']}", exact(row["capacity_t_per_day"]) * working_days, "t", mine)
        for row in self.book.rows("ports"):
            mine = [load for load in loads if load[0] == "handling" and load[1] in quays[row["node_id"]]]
            for unit, column, units in (("t", "mt", 1_000_000), ("TEU", "teu", 1)):
                if given(row[f"capacity_{column}_per_year"]):
                    free = exact(row[f"capacity_{column}_per_year"]) - exact(row[f"background_{column}_per_year"])
                    add(f"port {row['node_id']} {unit}", max(free, Fraction(0)) * units, unit, mine)
        return found

    def _capacities(self) -> Iterator[Violation]:
        for name, (limit, unit, use) in self.limits.items():
            for day, amount in sorted(use.items(), key=lambda item: -1 if item[0] is None else item[0]):
                if _exceeds(amount, limit):
                    at = name if day is None else f"{name}, day {day}"
                    yield Violation("over capacity", at, float(amount - limit), f"{unit} too many")

    def _prices(self) -> Iterator[Violation]:
        """A capacity with room to spare has no price."""
        for row in self.solution["prices"].to_dict("records"):
            name, price = row["resource"], _number(row["price_usd_per_unit"])
            if name not in self.limits or price is None or price < 0:
                yield Violation(
                    "price of an unknown resource, or below zero", str(name), _shown(row["price_usd_per_unit"]), "USD"
                )
                continue
            limit, unit, use = self.limits[name]
            used = use.get(int(row["day"]) if self.problem.dated and given(row["day"]) else None, Fraction(0))
            if price > 0 and _exceeds(limit, used):
                yield Violation("price of a capacity with room to spare", name, float(limit - used), f"{unit} free")

    def _cost(self, cost: float | None) -> Iterator[Violation]:
        claimed = self.spent if cost is None else _number(cost)
        if claimed is None or _differs(claimed, self.spent):
            yield Violation(
                "claimed cost differs from the cost of the plan", "cost", _shown(cost) - float(self.spent), "USD"
            )


def _fits(leg: Record, row: Record) -> bool:
    """Whether ends, layers and direction of a leg are those of its asset."""
    start = leg["from_node"], leg["from_layer"]
    end = leg["to_node"], leg["to_layer"]
    if leg["kind"] == "handling":
        ways = [((row["node_id"], row["from_layer"]), (row["node_id"], row["to_layer"]))]
        return (start, end) in ways or (bool(row["both_ways"]) and (end, start) in ways)
    if leg["kind"] == "sea":
        ends, layer = (row["from_port"], row["to_port"]), "sea"
    else:
        ends = (row["from_node"], row["to_node"])
        layer = f"rail-{int(row['gauge_mm'])}" if row["mode"] == "rail" else row["mode"]
    return start[1] == end[1] == layer and (start[0], end[0]) in (ends, ends[::-1])


def _backward(leg: Record, row: Record) -> bool:
    """Whether a leg runs against its row."""
    if leg["kind"] == "handling":
        return bool((leg["from_layer"], leg["to_layer"]) != (row["from_layer"], row["to_layer"]))
    return bool(leg["from_node"] != row["from_node" if leg["kind"] == "link" else "from_port"])


def _number(value: Any) -> Fraction | None:
    try:
        return exact(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _shown(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError):
        return float("nan")


def _exceeds(amount: Fraction, limit: Fraction) -> bool:
    return amount - limit > Fraction(str(TOLERANCE)) * max(Fraction(1), abs(limit))


def _differs(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) > Fraction(str(TOLERANCE)) * max(Fraction(1), abs(one), abs(other))
