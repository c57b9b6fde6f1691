"""Fastest ways by day of departure, and what a wagon pays on them; types on the same rails share them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from optimizer.models.rolling_stock.closures import calendar
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Place, RouteBook, Way, exact

NOTHING = Fraction(0)


class Rails(NamedTuple):
    """Rails as a type sees them: gauges (mm), how it changes between them, and the cargo form where that matters."""

    gauges: tuple[int, ...]
    technology: str
    form: str = ""

    def with_load(self, form: str) -> Rails:
        return self if self.technology == "none" else self._replace(form=form)


class Ways:
    """Ways of all types of a problem from day ``first`` on; each is looked for once."""

    def __init__(self, problem: RollingStock, book: RouteBook, first: int) -> None:
        settings = problem.corridor.config.rolling_stock
        self.book = book
        self.hours_per_day = exact(settings.hours_per_day)
        self._terminal_days = exact(settings.load_unload_days)
        self.per_km, self._foreign = exact(settings.empty_usd_per_wagon_km), exact(settings.foreign_usd_per_wagon_day)
        self._calendar = calendar(problem.closed, first, problem.days)
        self._closed = frozenset[str]().union(*self._calendar)
        self._found: dict[tuple[Rails, Place, Place], list[tuple[Way, frozenset[int] | None]]] = {}
        self._terms: dict[tuple[int, bool, str], tuple[int, Fraction]] = {}

    def between(self, rails: Rails, start: Place, end: Place) -> Sequence[tuple[Way, frozenset[int] | None]]:
        """Fastest ways with the days of departure on which they are; None: on all."""
        key = rails, start, end
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(rails, start, end)
        return found

    def _search(self, rails: Rails, start: Place, end: Place) -> list[tuple[Way, frozenset[int] | None]]:
        usual = self.around(frozenset(), rails, start, end)
        if usual is None:
            return []
        passed = {link for link, _ in usual.links} if self._closed else frozenset[str]()
        if self._closed.isdisjoint(passed):
            return [(usual, None)]
        found: dict[tuple[str, ...], tuple[Way, frozenset[int]]] = {}
        for closed, days in self._calendar.items():
            way = self.around(closed, rails, start, end) if passed & closed else usual
            if way is not None:
                found[way.path] = way, days | (found[way.path][1] if way.path in found else frozenset())
        return list(found.values())

    def around(self, closed: frozenset[str], rails: Rails, start: Place, end: Place) -> Way | None:
        """The fastest way over links that are not closed."""
        return self.book.graph(*rails, closed=closed).way(start, end)

    def terms(self, way: Way, home: str, loaded: bool) -> tuple[int, Fraction]:
        """Days of a run, and what one wagon of a type with that home pays on the way."""
        key = id(way), loaded, home if self._foreign else ""  # the route book keeps its ways
        found = self._terms.get(key)
        if found is None:
            days = way.days(self.hours_per_day, self._terminal_days if loaded else NOTHING)
            usd = way.change_usd + self.abroad_usd(way, home, days)
            found = self._terms[key] = days, usd if loaded else usd + self.per_km * way.length_km
        return found

    def abroad_usd(self, way: Way, home: str, days: int) -> Fraction:
        """Charge of the hours abroad of a run that takes so many days."""
        return self._foreign * days * way.share_abroad(home) if home and self._foreign else NOTHING
