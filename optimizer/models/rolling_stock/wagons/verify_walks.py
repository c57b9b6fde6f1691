"""Paths of wagon runs walked edge by edge, in exact fractions; plans repeat them, so each is worked out once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from optimizer.models.rolling_stock.verify_facts import Facts, Place, as_written, filled


@dataclass(frozen=True)
class Walk:
    """A path walked edge by edge: where it ends, hours, km, charges, hours by country, links with the places they are
    entered from; or the edge it cannot pass, with what is wrong."""

    end: Place
    hours: Fraction
    length_km: Fraction
    usd: Fraction
    hours_in: Mapping[str, Fraction]
    links: tuple[tuple[str, str], ...]
    fault: tuple[str, str] | None = None


class Walks:
    """Paths walked, and what a wagon pays on them; each is worked out once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._walks: dict[Any, Walk] = {}
        self._terms: dict[Any, tuple[int, Fraction]] = {}
        self._beyond: dict[Any, Fraction | None] = {}

    def walk(self, run: Mapping[str, Any], wagon: Mapping[str, Any], form: str) -> Walk:
        key = self._key(run, wagon, form)
        if key not in self._walks:
            start = run["from_node"], int(run["from_gauge"])
            self._walks[key] = _walk(self.facts, run["path"], start, wagon, form)
        return self._walks[key]

    @staticmethod
    def _key(run: Mapping[str, Any], wagon: Mapping[str, Any], form: str) -> tuple[Any, ...]:
        changes = wagon["gauge_change"] != "none"
        network = tuple(wagon["gauges_mm"]), wagon["gauge_change"], form if changes else ""
        return run["from_node"], run["from_gauge"], tuple(run["path"]), *network

    def terms(self, run: Mapping[str, Any], wagon: Mapping[str, Any], form: str) -> tuple[int, Fraction]:
        """Days of a run from the walk's hours, and what one wagon pays on the way."""
        loaded, settings = run["kind"] == "loaded", self.facts.settings
        key = *self._key(run, wagon, form), wagon["wagon_id"], loaded
        if key not in self._terms:
            walk, home = self.walk(run, wagon, form), home_of(wagon)
            days = walk.hours / as_written(settings.hours_per_day)
            days += as_written(settings.load_unload_days) if loaded else 0
            whole, usd = max(1, ceil(days)), walk.usd
            if not loaded:
                usd += walk.length_km * as_written(settings.empty_usd_per_wagon_km)
            if home and walk.hours:
                abroad = walk.hours - walk.hours_in.get(home, Fraction(0))
                usd += as_written(settings.foreign_usd_per_wagon_day) * whole * abroad / walk.hours
            self._terms[key] = whole, usd
        return self._terms[key]

    def beyond(
        self, run: Mapping[str, Any], wagon: Mapping[str, Any], form: str, closed: frozenset[str]
    ) -> Fraction | None:
        """Hours by which the walk takes longer than the fastest way; None where it is one."""
        key = *self._key(run, wagon, form), closed
        if key not in self._beyond:
            walk, start = self.walk(run, wagon, form), (run["from_node"], int(run["from_gauge"]))
            least = self.facts.fastest(start, walk.end, wagon, form, closed)
            longer = least is None or walk.hours + walk.length_km / 10**9 > least + Fraction(1, 10**9)
            self._beyond[key] = walk.hours - (least or 0) if longer else None
        return self._beyond[key]


def _walk(facts: Facts, path: Sequence[str], start: Place, wagon: Mapping[str, Any], form: str) -> Walk:
    at, hours, length, usd = start, Fraction(0), Fraction(0), Fraction(0)
    hours_in: dict[str, Fraction] = defaultdict(Fraction)
    links = list[tuple[str, str]]()
    fault = None
    for asset in path:
        step = facts.step(asset, at, wagon, form)
        if isinstance(step, str):
            fault = step, asset
            break
        there, took, km, charge = step
        if asset in facts.links:
            links.append((asset, at[0]))
        for node in (at[0], there[0]):
            hours_in[facts.country[node]] += took / 2
        at, hours, length, usd = there, hours + took, length + km, usd + charge
    return Walk(at, hours, length, usd, hours_in, tuple(links), fault)


def home_of(wagon: Mapping[str, Any]) -> str:
    return str(wagon["home_country"]) if filled(wagon["home_country"]) else ""
