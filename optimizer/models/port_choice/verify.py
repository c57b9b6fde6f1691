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

from optimizer.models.port_choice.problem import SOLUTION_TABLES, PortChoice
from optimizer.models.port_choice.verify_days import dated_faults, lateness_usd_per_t
from optimizer.result import Solution, Violation
from optimizer.verification.capacities import capacities
from optimizer.verification.claims import false_cost, missing_columns
from optimizer.verification.money_chain import Book, Chain, Record
from optimizer.verification.numbers import differs, exact, exceeds, given, number, shown
from optimizer.verification.routes import backward, demand_words, listed_routes, route_faults, tonnes_unserved

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
    return missing_columns(SOLUTION_TABLES, solution) or tuple(_Check(problem, solution).violations(cost))


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
        yield from false_cost(cost, self.spent)

    def _routes(self) -> Iterator[Violation]:
        for listed in listed_routes(self.solution, self.demands):
            if isinstance(listed, Violation):
                yield listed
                continue
            route, demand, quantity, path = listed
            chain = self.chains[demand["commodity_id"]]
            faults = [*route_faults(self.book, route["route_id"], demand, chain.commodity["cargo_form"], path)]
            if not faults and self.problem.dated:
                faults = [*dated_faults(self.problem, chain, demand, route, path)]
            yield from faults
            self.served_t[demand["demand_id"]] += quantity
            if not faults:
                self._account(demand, route, path, quantity)

    def _account(self, demand: Record, route: Record, path: list[Record], quantity: Fraction) -> None:
        """Add a sound route to the sums and to the bill."""
        chain = self.chains[demand["commodity_id"]]
        usd_per_t = chain.door_charges(demand["origin"])
        for leg in path:
            day = int(leg["depart_day"]) if self.problem.dated else None
            load = (leg["kind"], leg["asset_id"], leg["from_node"], day)
            self.used_t[load] += quantity
            self.used_teu[load] += quantity * chain.teu_per_t()
            against = backward(leg, self.book.assets[leg["kind"]][leg["asset_id"]])
            usd = chain.moving_usd_per_t if self.problem.dated else chain.generalised
            usd_per_t += usd(leg["kind"], leg["asset_id"], against)
        if self.problem.dated:
            usd_per_t += lateness_usd_per_t(demand, route, path, chain)
        self.spent += quantity * usd_per_t

    def _quantities(self) -> Iterator[Violation]:
        """Served and unserved tonnes make up every demand."""
        usd, faults = tonnes_unserved(self.solution, self.demands, self.served_t, self.problem.serve_all)
        self.spent += usd
        yield from faults

    def _whole(self) -> Iterator[Violation]:
        """An indivisible demand is on one route with all its tonnes, or stays behind with all of them."""
        if not self.problem.dated:
            return
        moved: dict[str, list[Fraction | None]] = defaultdict(list)
        for row in self.solution["routes"].to_dict("records"):
            moved[row["demand_id"]].append(number(row["quantity_t"]))
        for name, demand in self.demands.items():
            mine = moved[name] if demand["indivisible"] else []
            if len(mine) > 1:
                yield Violation("indivisible shipment is split over routes", demand_words(demand), len(mine), "routes")
            elif mine and mine[0] is not None and differs(mine[0], exact(demand["quantity_t"])):
                left = float(exact(demand["quantity_t"]) - mine[0])
                yield Violation("indivisible shipment moves in part", demand_words(demand), left, "t left behind")

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
                if exceeds(volume, Fraction(0)):
                    yield Violation("assets used without their contract", f"contract {name}", float(volume), "t")
                continue
            self.spent += exact(row["fixed_cost_usd_per_year"]) * share
            least = exact(row["min_t_per_year"]) * share
            if exceeds(least, volume):
                yield Violation(
                    "below the least volume of a contract", f"contract {name}", float(least - volume), "t short"
                )
            if given(row["max_t_per_year"]) and exceeds(volume, exact(row["max_t_per_year"]) * share):
                over = float(volume - exact(row["max_t_per_year"]) * share)
                yield Violation("above the largest volume of a contract", f"contract {name}", over, "t too many")

    def _year_share(self) -> Fraction:
        return Fraction(self.problem.corridor.config.horizon.days, 365) if self.problem.dated else Fraction(1)

    @cached_property
    def limits(self) -> dict[str, tuple[Fraction, str, dict[int | None, Fraction]]]:
        """Resource -> (limit a year, or a day when dated; unit; day -> use)."""
        per_day = 365 if self.problem.dated else 1
        found: dict[str, tuple[Fraction, str, dict[int | None, Fraction]]] = {}
        for capacity in capacities(self.book, exact(self.problem.corridor.config.port_choice.transfer_capacity_days)):
            use: dict[int | None, Fraction] = defaultdict(Fraction)
            for load, amount in (self.used_t if capacity.unit == "t" else self.used_teu).items():
                if capacity.counts(*load[:3]):
                    use[load[3]] += amount
            found[capacity.name] = (capacity.a_year / per_day, capacity.unit, use)
        return found

    def _capacities(self) -> Iterator[Violation]:
        for name, (limit, unit, use) in self.limits.items():
            for day, amount in sorted(use.items(), key=lambda item: -1 if item[0] is None else item[0]):
                if exceeds(amount, limit):
                    at = name if day is None else f"{name}, day {day}"
                    yield Violation("over capacity", at, float(amount - limit), f"{unit} too many")

    def _prices(self) -> Iterator[Violation]:
        """A capacity with room to spare has no price."""
        for row in self.solution["prices"].to_dict("records"):
            name, price = row["resource"], number(row["price_usd_per_unit"])
            if name not in self.limits or price is None or price < 0:
                yield Violation(
                    "price of an unknown resource, or below zero", str(name), shown(row["price_usd_per_unit"]), "USD"
                )
                continue
            limit, unit, use = self.limits[name]
            used = use.get(int(row["day"]) if self.problem.dated and given(row["day"]) else None, Fraction(0))
            if price > 0 and exceeds(limit, used):
                yield Violation("price of a capacity with room to spare", name, float(limit - used), f"{unit} free")
