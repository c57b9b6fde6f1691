"""Rules 1 to 8 of the money and time chain once more, for the verifiers, in exact arithmetic.

Written from ``docs/architecture.md`` alone; shares no code with the network. Every float of the tables becomes the
fraction its shortest decimal text denotes; the one irrational number, the square root of 12, is taken to 30 digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, wraps
from typing import Any

from optimizer.data.corridor import Corridor
from optimizer.verification.numbers import exact, given

SQRT_12 = Fraction(math.isqrt(12 * 10**60), 10**30)
BAND_IN_STANDARD_DEVIATIONS = Fraction("2.563")
DEFAULT_WAGON_LOAD_T = Fraction(60)

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Book:
    """The tables of a corridor as plain records, read once."""

    corridor: Corridor

    @cached_property
    def _rows(self) -> dict[str, list[Record]]:
        return {}

    def rows(self, table: str) -> list[Record]:
        """Every row of a table, in its order."""
        if table not in self._rows:
            self._rows[table] = [
                {str(key): value for key, value in row.items()} for row in self.corridor.table(table).to_dict("records")
            ]
        return self._rows[table]

    @cached_property
    def countries(self) -> dict[str, str]:
        """Place -> country."""
        return {row["node_id"]: row["country"] for row in self.rows("nodes")}

    @cached_property
    def assets(self) -> dict[str, dict[str, Record]]:
        """Kind of leg -> id -> row in force."""
        tables = {"link": ("links", "link_id"), "sea": ("sea_legs", "leg_id"), "handling": ("handlings", "handling_id")}
        return {kind: {row[key]: row for row in self.rows(table)} for kind, (table, key) in tables.items()}


def _kept(method: Callable[..., Fraction]) -> Callable[..., Fraction]:
    """Remember what a method of a chain answered: thousands of legs ask for the same few assets."""

    @wraps(method)
    def answer(chain: Chain, *question: object) -> Fraction:
        key = (method.__name__, *question)
        if key not in chain.answers:
            chain.answers[key] = method(chain, *question)
        return chain.answers[key]

    return answer


@dataclass(frozen=True)
class Chain:
    """What a leg costs and how long it takes, for one commodity.

    ``legs`` are described by ``(kind, asset_id, backward)`` with ``backward`` true against the direction of the row.
    """

    book: Book
    commodity_id: str
    answers: dict[tuple[object, ...], Fraction] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def commodity(self) -> Record:
        return next(row for row in self.book.rows("commodities") if row["commodity_id"] == self.commodity_id)

    @cached_property
    def is_container(self) -> bool:
        return bool(self.commodity["cargo_form"] == "container")

    @cached_property
    def t_per_feu(self) -> Fraction:
        return exact(self.commodity["load_t_per_feu"])

    @cached_property
    def vot_usd_per_t_h(self) -> Fraction:
        value, percent = self.commodity["value_usd_per_t"], self.commodity["value_of_time_pct_per_day"]
        return exact(value) * exact(percent) / 100 / 24

    @cached_property
    def vor_usd_per_t_h(self) -> Fraction:
        return self.vot_usd_per_t_h * exact(self.book.corridor.config.port_choice.reliability_ratio)

    @_kept
    def generalised(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """USD per tonne of one leg; KeyError when the asset is not in force."""
        return (
            self.money(kind, asset_id, backward)
            + self.vot_usd_per_t_h * self.hours(kind, asset_id, backward)
            + self.vor_usd_per_t_h * self.deviation_h(kind, asset_id, backward)
        )

    @_kept
    def moving_h(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """Hours of one leg, without the wait for a sailing."""
        if kind != "sea":
            return self.hours(kind, asset_id, backward)
        row = self.book.assets[kind][asset_id]
        return 24 * exact(row["sailing_days_container" if self.is_container else "sailing_days_bulk"])

    @_kept
    def moving_usd_per_t(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """USD per tonne of one leg at its true hours, without the wait for a sailing and its uncertainty."""
        deviation_h = Fraction(0) if kind == "sea" else self.deviation_h(kind, asset_id, backward)
        return (
            self.money(kind, asset_id, backward)
            + self.vot_usd_per_t_h * self.moving_h(kind, asset_id, backward)
            + self.vor_usd_per_t_h * deviation_h
        )

    @_kept
    def door_charges(self, origin: str) -> Fraction:
        """Insurance paid once per load: at the origin inside the row's countries, and at the destination."""
        rows = self._tariffs("insurance")
        return sum(
            (
                self._premium(row)
                for row in rows
                if not row["countries"] or self.book.countries[origin] in row["countries"]
            ),
            Fraction(0),
        )

    @_kept
    def money(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """USD per tonne paid on one leg, insurance at the doors left out."""
        row = self.book.assets[kind][asset_id]
        if kind == "handling":
            return self._handling_charge(row, backward)
        tail, head = self._ends(kind, row, backward)
        if kind == "sea":
            freight = (
                exact(row["cost_usd_per_feu"]) / self.t_per_feu
                if self.is_container
                else exact(row["cost_usd_per_t_bulk"])
            )
            return freight + self._entering(tail, head)
        return (
            self._running_charges(row, (tail, head)) + self._entering(tail, head) + self._border_charge(row, tail, head)
        )

    @_kept
    def hours(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """Mean hours of one leg: running and border, dwell, or wait for the sailing and sailing."""
        row = self.book.assets[kind][asset_id]
        if kind == "handling":
            return exact(row["dwell_h"])
        if kind == "sea":
            days = row["sailing_days_container" if self.is_container else "sailing_days_bulk"]
            return 24 * exact(days) + _headway_h(row) / 2
        border = self._border(row, *self._ends(kind, row, backward))
        running = exact(row["length_km"]) / exact(row["speed_kmh"])
        return running + (exact(border["dwell_h"]) if border else 0)

    @_kept
    def deviation_h(self, kind: str, asset_id: str, backward: bool) -> Fraction:
        """Standard deviation of the hours of one leg."""
        row = self.book.assets[kind][asset_id]
        if kind == "handling":
            return _band(row)
        if kind == "sea":
            return _headway_h(row) / SQRT_12
        border = self._border(row, *self._ends(kind, row, backward))
        return _band(border) if border else Fraction(0)

    def teu_per_t(self) -> Fraction:
        """Port boxes of a tonne: two TEU per 40 ft container, none for other cargo."""
        return 2 / self.t_per_feu if self.is_container else Fraction(0)

    def _ends(self, kind: str, row: Record, backward: bool) -> tuple[str, str]:
        """Countries left and entered."""
        names = ("from_node", "to_node") if kind == "link" else ("from_port", "to_port")
        tail, head = (self.book.countries[row[name]] for name in names)
        return (head, tail) if backward else (tail, head)

    def _tariffs(self, kind: str) -> Iterator[Record]:
        """Rows of a kind that fit the cargo form; rates per FEU serve containers only."""
        for row in self.book.rows("tariffs"):
            form_fits = not given(row["form"]) or (row["form"] == "container") == self.is_container
            if (
                row["kind"] == kind
                and form_fits
                and (self.is_container or row["unit"] not in ("usd_per_feu_km", "usd_per_feu"))
            ):
                yield row

    def _tariffs_of_link(self, kind: str, link: Record, country: str) -> list[Record]:
        return [
            row
            for row in self._tariffs(kind)
            if (not row["links"] or link["link_id"] in row["links"])
            and (not row["countries"] or country in row["countries"])
            and (not given(row["mode"]) or row["mode"] == link["mode"])
        ]

    def _running_charges(self, link: Record, countries: tuple[str, str]) -> Fraction:
        """Haul and security: half of the length in the country of either end."""
        half_km, total = exact(link["length_km"]) / 2, Fraction(0)
        settings = self.book.corridor.config.port_choice
        gross_t = link["max_train_gross_t"]
        net_t = exact(gross_t) * exact(settings.train_net_share) if given(gross_t) else exact(settings.train_net_t)
        for country in countries:
            rates = self._tariffs_of_link("line_haul", link, country)
            keys = [
                bool(row["links"]) + bool(row["countries"]) + given(row["mode"]) + given(row["form"]) for row in rates
            ]
            if not keys or keys.count(max(keys)) != 1:
                raise ValueError(
                    f"{'no' if not keys else 'no single'} line_haul tariff of link '{link['link_id']}' in {country}"
                )
            rate = rates[keys.index(max(keys))]
            haul = exact(rate["value"]) / (self.t_per_feu if rate["unit"] == "usd_per_feu_km" else 1)
            for factor in self._tariffs_of_link("multiplier", link, country):
                haul *= exact(factor["value"])
            guards = sum((exact(row["value"]) for row in self._tariffs_of_link("security", link, country)), Fraction(0))
            total += half_km * (haul + guards / net_t)
        return total

    def _entering(self, tail: str, head: str) -> Fraction:
        """Entry fees and insurance on the way into a group of countries from outside it."""
        total = Fraction(0)
        for row in self._tariffs("entry_fee"):
            if head in row["countries"] and tail not in row["countries"]:
                total += exact(row["value"]) / (self.t_per_feu if row["unit"] == "usd_per_feu" else 1)
        for row in self._tariffs("insurance"):
            if head in row["countries"] and tail not in row["countries"]:
                total += self._premium(row)
        return total

    def _premium(self, row: Record) -> Fraction:
        return exact(row["value"]) / 100 * exact(self.commodity["value_usd_per_t"])

    def _border(self, link: Record, tail: str, head: str) -> Record | None:
        if tail == head:
            return None
        keys = {"from_country": tail, "to_country": head, "mode": link["mode"]}
        fits = [
            (sum(given(row[key]) for key in keys), row)
            for row in self.book.rows("borders")
            if all(not given(row[key]) or row[key] == value for key, value in keys.items())
        ]
        if [filled for filled, _ in fits].count(max((filled for filled, _ in fits), default=0)) > 1:
            raise ValueError(f"no single most specific border row for link '{link['link_id']}' from {tail} to {head}")
        return max(fits, key=lambda pair: pair[0])[1] if fits else None

    def _border_charge(self, link: Record, tail: str, head: str) -> Fraction:
        border = self._border(link, tail, head)
        if border is None:
            return Fraction(0)
        return (
            exact(border["cost_usd_per_feu"]) / self.t_per_feu if self.is_container else exact(border["cost_usd_per_t"])
        )

    def _handling_charge(self, row: Record, backward: bool) -> Fraction:
        charge = exact(row["cost_usd_per_t"])
        if self.is_container:
            charge += exact(row["cost_usd_per_feu"]) / self.t_per_feu
        if exact(row["cost_usd_per_wagon"]):
            left, entered = (row["to_layer"], row["from_layer"]) if backward else (row["from_layer"], row["to_layer"])
            layer = left if left.startswith("rail-") else entered
            charge += exact(row["cost_usd_per_wagon"]) / self._usual_load_t(layer)
        return charge

    def _usual_load_t(self, layer: str) -> Fraction:
        """Typical load of the usual wagon of a gauge: preference 1, first listed gauge, smallest id on ties."""
        usual = {
            row["wagon_id"]
            for row in self.book.rows("wagon_suits")
            if row["commodity_id"] == self.commodity_id and row["preference"] == 1
        }
        fits = [
            row
            for row in self.book.rows("wagons")
            if row["wagon_id"] in usual and f"rail-{row['gauges_mm'][0]}" == layer
        ]
        return exact(min(fits, key=lambda row: row["wagon_id"])["typical_load_t"]) if fits else DEFAULT_WAGON_LOAD_T


def _headway_h(leg: Record) -> Fraction:
    return 7 * 24 / exact(leg["sailings_per_week"])


def _band(row: Record) -> Fraction:
    low, high = row["dwell_h_low"], row["dwell_h_high"]
    return (exact(high) - exact(low)) / BAND_IN_STANDARD_DEVIATIONS if given(low) and given(high) else Fraction(0)
