"""Paths of wagon runs walked edge by edge, in exact fractions; plans repeat them, so each is worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from optimizer.models.rolling_stock.verify_facts import Facts, Place, as_written, filled, total


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


@dataclass(frozen=True)
class Trip:
    """What all runs of a type with the same load, ends and path have in common.

    Attributes
    ----------
    faults
        Rule broken, the edge it is broken at (blank: none), amount and unit.
    days, usd
        Days of a run, and what one wagon pays on the way; of a trip without faults only.
    """

    walk: Walk
    faults: tuple[tuple[str, str, float, str], ...] = ()
    days: int = 0
    usd: Fraction = Fraction(0)


class Walks:
    """Paths walked, and what a wagon pays on them; each is worked out once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._walks: dict[Any, Walk] = {}
        self._trips: dict[Any, Trip] = {}
        self._beyond: dict[Any, Fraction | None] = {}

    def trip(self, run: Mapping[str, Any], wagon: Mapping[str, Any], form: str, closed: frozenset[str]) -> Trip:
        """What holds for a run whatever its days, with some links ``closed``."""
        start, end, loaded = run["from_node"], run["to_node"], run["kind"] == "loaded"
        ends = start, run["from_gauge"], end, run["to_gauge"]
        key = *ends, tuple(run["path"]), run["wagon_id"], loaded, form, closed
        if key not in self._trips:
            self._trips[key] = self._trip(run, wagon, form, closed)
        return self._trips[key]

    def _trip(self, run: Mapping[str, Any], wagon: Mapping[str, Any], form: str, closed: frozenset[str]) -> Trip:
        start, end = (run["from_node"], int(run["from_gauge"])), (run["to_node"], int(run["to_gauge"]))
        changes = wagon["gauge_change"] != "none"
        key = start, tuple(run["path"]), tuple(wagon["gauges_mm"]), wagon["gauge_change"], form if changes else ""
        if key not in self._walks:
            self._walks[key] = _walk(self.facts, run["path"], start, wagon, form)
        walk = self._walks[key]
        if walk.fault is not None:
            return Trip(walk, ((*walk.fault, 1, "run"),))
        if walk.end != end or not run["path"]:
            return Trip(walk, (("path does not end where the run does", "", 1, "run"),))
        if (*key, closed) not in self._beyond:
            self._beyond[*key, closed] = self._longer(start, walk, wagon, form, closed)
        beyond = self._beyond[*key, closed]
        faults = () if beyond is None else (("path is not the fastest", "", float(beyond), "hours"),)
        return Trip(walk, faults, *self._terms(walk, wagon, run["kind"] == "loaded"))

    def _terms(self, walk: Walk, wagon: Mapping[str, Any], loaded: bool) -> tuple[int, Fraction]:
        """Days of a run from the walk's hours, and what one wagon pays on the way."""
        settings, home = self.facts.settings, home_of(wagon)
        days = walk.hours / as_written(settings.hours_per_day)
        days += as_written(settings.load_unload_days) if loaded else 0
        whole, usd = max(1, ceil(days)), walk.usd
        if not loaded:
            usd += walk.length_km * as_written(settings.empty_usd_per_wagon_km)
        if home and walk.hours:
            abroad = walk.hours - walk.hours_in.get(home, Fraction(0))
            usd += as_written(settings.foreign_usd_per_wagon_day) * whole * abroad / walk.hours
        return whole, usd

    def _longer(
        self, start: Place, walk: Walk, wagon: Mapping[str, Any], form: str, closed: frozenset[str]
    ) -> Fraction | None:
        """Hours by which the walk takes longer than the fastest way; None where it is one."""
        least = self.facts.fastest(start, walk.end, wagon, form, closed)
        longer = least is None or walk.hours + walk.length_km / 10**9 > least + Fraction(1, 10**9)
        return walk.hours - (least or 0) if longer else None


def _walk(facts: Facts, path: Sequence[str], start: Place, wagon: Mapping[str, Any], form: str) -> Walk:
    at, hours_in = start, dict[str, list[Fraction]]()
    hours, length, usd = list[Fraction](), list[Fraction](), list[Fraction]()
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
            hours_in.setdefault(facts.country[node], []).append(took)
        at = there
        hours.append(took)
        length.append(km)
        usd.append(charge)
    halves = {country: total(each) / 2 for country, each in hours_in.items()}
    return Walk(at, total(hours), total(length), total(usd), halves, tuple(links), fault)


def home_of(wagon: Mapping[str, Any]) -> str:
    return str(wagon["home_country"]) if filled(wagon["home_country"]) else ""
