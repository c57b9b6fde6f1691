"""Every rule of gauge choice again, from the tables and the plan alone.

Imports neither the models nor the network. Routes, charges and quantities are exact fractions; annuities and waits,
which have roots in them, are worked out in decimal arithmetic of 40 digits. Comparisons allow the tolerance of
``verification/numbers.py``.
"""

from __future__ import annotations

import decimal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from optimizer.models.gauge_choice.problem import SOLUTION_TABLES, GaugeChoice
from optimizer.result import Solution, Violation
from optimizer.verification.capacities import MILLION, capacities
from optimizer.verification.claims import false_cost, missing_columns
from optimizer.verification.money_chain import DEFAULT_WAGON_LOAD_T, Book, Chain, Record
from optimizer.verification.numbers import exact, exceeds, given, number, shown
from optimizer.verification.routes import backward, listed_routes, route_faults, tonnes_unserved

DIGITS = decimal.Context(prec=40)


def verify(problem: GaugeChoice, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    """Every broken rule of the plan, and a claimed cost that differs from the recomputed one; empty when all holds.

    Parameters
    ----------
    problem
        What was asked.
    solution
        Tables of ``SOLUTION_TABLES``; nothing in them is believed.
    cost
        Claimed cost, USD a year; None claims nothing.
    """
    return missing_columns(SOLUTION_TABLES, solution) or tuple(_Check(problem, solution).violations(cost))


@dataclass
class _Check:
    problem: GaugeChoice
    solution: Solution
    spent: Fraction = Fraction(0)
    used_t: dict[tuple[str, str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    used_teu: dict[tuple[str, str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    units: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    time_value: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    served_t: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    @cached_property
    def book(self) -> Book:
        return Book(self.problem.open_corridor)

    @cached_property
    def demands(self) -> dict[str, Record]:
        return {row["demand_id"]: row for row in self.problem.demand().to_dict("records")}

    @cached_property
    def chains(self) -> dict[str, Chain]:
        return {name: Chain(self.book, name) for name in {row["commodity_id"] for row in self.demands.values()}}

    @cached_property
    def sites(self) -> dict[str, Record]:
        """Sites with the row of their technology under the key ``with``."""
        technologies = {row["technology_id"]: row for row in self.book.rows("transfer_technologies")}
        return {
            row["site_id"]: {**row, "with": technologies[row["technology_id"]]}
            for row in self.book.rows("transfer_sites")
        }

    def violations(self, cost: float | None) -> Iterator[Violation]:
        """All of them; the routes come first, because they fill the sums the other rules look at."""
        yield from self._routes()
        yield from self._quantities()
        yield from self._gauges()
        yield from self._terminals()
        yield from self._capacities()
        yield from false_cost(cost, self.spent)

    def _routes(self) -> Iterator[Violation]:
        for listed in listed_routes(self.solution, self.demands):
            if isinstance(listed, Violation):
                yield listed
                continue
            route, demand, quantity, path = listed
            chain = self.chains[demand["commodity_id"]]
            faults = [*route_faults(self.book, route["route_id"], demand, chain.commodity["cargo_form"], path)]
            yield from faults
            self.served_t[demand["demand_id"]] += quantity
            if not faults:
                self._account(demand, chain, path, quantity)

    def _account(self, demand: Record, chain: Chain, path: list[Record], quantity: Fraction) -> None:
        """Add a sound route to the sums and to the bill; what sites add is billed with them."""
        usd_per_t = chain.door_charges(demand["origin"])
        for leg in path:
            against = backward(leg, self.book.assets[leg["kind"]][leg["asset_id"]])
            usd_per_t += chain.generalised(leg["kind"], leg["asset_id"], against)
            load = (leg["kind"], leg["asset_id"], leg["from_node"])
            self.used_t[load] += quantity
            self.used_teu[load] += quantity * chain.teu_per_t()
            if leg["kind"] == "handling" and leg["asset_id"] in self.sites:
                self.units[leg["asset_id"]] += quantity / self._unit_t(leg, chain)
                self.time_value[leg["asset_id"]] += quantity * chain.vot_usd_per_t_h
        self.spent += quantity * usd_per_t

    def _unit_t(self, leg: Record, chain: Chain) -> Fraction:
        """Tonnes of a box, or of the usual wagon of the gauge that is left."""
        if self.sites[leg["asset_id"]]["with"]["unit"] == "feu":
            return chain.t_per_feu
        usual = {
            row["wagon_id"]
            for row in self.book.rows("wagon_suits")
            if row["commodity_id"] == chain.commodity_id and row["preference"] == 1
        }
        fits = [
            row
            for row in self.book.rows("wagons")
            if row["wagon_id"] in usual and f"rail-{row['gauges_mm'][0]}" == leg["from_layer"]
        ]
        return exact(min(fits, key=lambda row: row["wagon_id"])["typical_load_t"]) if fits else DEFAULT_WAGON_LOAD_T

    def _quantities(self) -> Iterator[Violation]:
        usd, faults = tonnes_unserved(self.solution, self.demands, self.served_t, self.problem.serve_all)
        self.spent += usd
        yield from faults

    def _gauges(self) -> Iterator[Violation]:
        """One option for every section, the one asked for where one was; no train where nothing is built."""
        options = {row["option_id"]: row for row in self.book.rows("gauge_options")}
        built: dict[str, str] = {}
        for row in self.solution["gauges"].to_dict("records"):
            section, option = row["section_id"], options.get(row["option_id"])
            if option is None or option["section_id"] != section or section in built:
                yield Violation("no option of the section, or a second one", f"section {section}", 1, "row")
                continue
            built[section] = option["option_id"]
            wanted = self.problem.fixed.get(section)
            if wanted is not None and wanted != option["option_id"]:
                yield Violation("section is not built in the gauge asked for", f"section {section}", 1, "section")
            a_year = exact(option["cost_musd"]) * self._annuity(option["life_years"])
            self.spent += MILLION * (a_year + exact(option["upkeep_musd_per_year"]))
        for row in self.book.rows("gauge_sections"):
            if row["section_id"] not in built:
                yield Violation("section is not built", f"section {row['section_id']}", 1, "section")
        for (kind, asset, _), tonnes in self.used_t.items():
            if kind == "link" and asset in options and asset not in built.values() and tonnes > 0:
                yield Violation("trains on a gauge that is not built", f"option {asset}", float(tonnes), "t")

    def _terminals(self) -> Iterator[Violation]:
        """Sites are open, within their largest size, and large enough for what passes; what they add to the bill."""
        levels = self.problem.corridor.config.gauge_choice.use_levels
        listed: set[str] = set()
        for row in self.solution["terminals"].to_dict("records"):
            name = row["site_id"]
            site = self.sites.get(name)
            if site is None or name in listed:
                yield Violation("unknown site, or listed twice", f"site {name}", 1, "row")
                continue
            listed.add(name)
            if site["technology_id"] in self.problem.barred:
                yield Violation("technology may not be used", f"site {name}", 1, "site")
            counts = [number(row[key]) for key in ("servers", "tracks", "sets")]
            if any(count is None or count.denominator != 1 or count < 0 for count in counts):
                yield Violation("servers, tracks and sets must be whole numbers", f"site {name}", 1, "row")
                continue
            servers, tracks, sets = (int(count) for count in counts if count is not None)
            if not max(site["installed_servers"], 1) <= servers <= site["max_servers"]:
                yield Violation("servers outside what is installed and what is allowed", f"site {name}", servers, "")
                continue
            if row["use_level"] not in levels:
                yield Violation("use is not one of the levels", f"site {name}", shown(row["use_level"]), "of the time")
                continue
            yield from self._site(site, servers, exact(row["use_level"]), tracks, sets)
        for name in self.sites:
            if name not in listed and self.units[name] > 0:
                yield Violation("loads at a closed site", f"site {name}", float(self.units[name]), "units")

    def _site(self, site: Record, servers: int, use: Fraction, tracks: int, sets: int) -> Iterator[Violation]:
        name, tech = f"site {site['site_id']}", site["with"]
        config = self.problem.corridor.config
        settings, days = config.gauge_choice, exact(config.port_choice.transfer_capacity_days)
        work_h = exact(tech["setup_h_per_train"]) + exact(tech["units_per_train"]) / exact(tech["units_per_server_h"])
        passing = self.units[site["site_id"]]
        trains = use * servers / work_h * days * exact(tech["hours_per_day"])
        if exceeds(passing, trains * exact(tech["units_per_train"])):
            over = passing - trains * exact(tech["units_per_train"])
            yield Violation("more than the servers pass at the planned use", name, float(over), "units too many")

        waits = _power(use, _root(2 * (servers + 1)) - 1)
        needed, share = 0, waits
        while share > _decimal(exact(settings.wait_outside_share)):
            needed, share = needed + 1, share * _decimal(use)
        needed += -int(-(servers * exact(tech["tracks_per_server"])) // 1)
        if tracks < needed:
            yield Violation("too few tracks for the planned use", name, needed - tracks, "tracks missing")

        bound = passing * exact(tech["set_days"]) / days
        if exceeds(bound, Fraction(max(sets, site["installed_sets"]))):
            yield Violation("too few sets for what passes", name, float(bound - sets), "sets missing")
        if given(site["max_sets"]) and sets > site["max_sets"]:
            yield Violation("more sets than allowed", name, float(sets - site["max_sets"]), "sets too many")

        mixed = (exact(settings.arrival_cv) ** 2 + exact(tech["service_cv"]) ** 2) / 2
        wait_h = mixed * Fraction(waits) / (servers * (1 - use)) * work_h
        clock = Fraction(24) / exact(tech["hours_per_day"])
        self.spent += self.time_value[site["site_id"]] * clock * (wait_h + work_h)
        added = servers - site["installed_servers"]
        price = exact(site["opening_musd"]) + added * exact(tech["server_musd"])
        price += max(tracks - site["installed_tracks"], 0) * exact(tech["track_musd"])
        staff = added * exact(tech["server_musd_per_year"])
        self.spent += MILLION * (price * self._annuity(tech["life_years"]) + staff)
        new_sets = max(sets - site["installed_sets"], 0)
        self.spent += new_sets * exact(tech["set_usd"]) * self._annuity(tech["set_life_years"])

    def _annuity(self, years: Any) -> Fraction:
        rate = exact(self.problem.corridor.config.discount_rate)
        if rate == 0:
            return 1 / exact(years)
        return rate / (1 - Fraction(1 / _power(1 + rate, _decimal(exact(years)))))

    def _capacities(self) -> Iterator[Violation]:
        """Links by direction, built sections too, handlings, and ports in tonnes and TEU."""
        for capacity in capacities(self.book, exact(self.problem.corridor.config.port_choice.transfer_capacity_days)):
            sums = self.used_t if capacity.unit == "t" else self.used_teu
            used = sum((amount for load, amount in sums.items() if capacity.counts(*load)), Fraction(0))
            if exceeds(used, capacity.a_year):
                over = float(used - capacity.a_year)
                yield Violation("over capacity", capacity.name, over, f"{capacity.unit} too many")


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _root(value: int) -> Decimal:
    return DIGITS.sqrt(Decimal(value))


def _power(base: Fraction, exponent: Decimal) -> Decimal:
    return DIGITS.power(_decimal(base), exponent)
