"""What a wagon owes its home railway: the way home, empty, from wherever it ends.

The charge is kept as a potential. A wagon at a place owes ``usd(place)``; a run adds what its end owes more than its
start, so the runs of a wagon add up to what it owes at its last place, whichever way it came there, less what it owed
at its first. Runs home give back what runs out have charged, and the programme needs no further row or column.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Place, RouteBook, Way, exact

NOTHING = Fraction(0)


class Homeward:
    """Ways home of one wagon type.

    Parameters
    ----------
    wagon
        Row of the wagon table.
    network
        The rail network as the empty type sees it.
    """

    def __init__(self, problem: RollingStock, book: RouteBook, wagon: Mapping[str, Any], network: Any) -> None:
        self._settings, self._book, self._network = problem.corridor.config.rolling_stock, book, network
        self.rule = wagon["return_rule"]
        self.home = "" if is_blank(wagon["home_country"]) else wagon["home_country"]
        self._known: dict[Place, tuple[Fraction, Way] | None] = {}

    @property
    def owed(self) -> bool:
        """Whether anything is owed at all."""
        return self.rule != "none"

    def at_home(self, place: Place) -> bool:
        return self._book.country[place[0]] == self.home

    @cached_property
    def _entries(self) -> list[Place]:
        """Stations at home where the rails of the type come in from abroad."""
        return [place for place in self._network.entries(self.home) if self.at_home(place)]

    def way(self, place: Place) -> Way | None:
        """The cheapest way home; None at home, or where none leads there."""
        found = self._found(place)
        return None if found is None else found[1]

    def usd(self, place: Place) -> Fraction | None:
        """What a wagon there owes; None when no way leads home."""
        if not self.owed or self.at_home(place):
            return Fraction(0)
        found = self._found(place)
        return None if found is None else found[0]

    def _found(self, place: Place) -> tuple[Fraction, Way] | None:
        if not self.owed or self.at_home(place):
            return None
        if place not in self._known:
            ways = [way for way in (self._network.way(place, entry) for entry in self._entries) if way is not None]
            priced = [(self.price(way), way) for way in ways]
            self._known[place] = min(priced, key=lambda pair: (pair[0], pair[1].path), default=None)
        return self._known[place]

    def price(self, way: Way) -> Fraction:
        """Haulage, gauge changes, and the hours abroad at the daily charge."""
        settings = self._settings
        hours = way.hours * way.share_abroad(self.home)
        usd = exact(settings.empty_usd_per_wagon_km) * way.length_km + way.change_usd
        return usd + exact(settings.foreign_usd_per_wagon_day) * hours / exact(settings.hours_per_day)

    def allows(self, start: Place, end: Place, loaded: bool) -> bool:
        """Whether a run may be made at all."""
        if not self.owed:
            return True
        if self.usd(end) is None and self.usd(start) is not None:
            return False  # there is no way back
        return not (loaded and self.rule == "direct" and not self.at_home(start) and not self.at_home(end))

    def more_usd(self, start: Place, end: Place) -> Fraction:
        """What a run adds to what is owed; below zero when it leads home."""
        if not self.owed:
            return NOTHING
        return (self.usd(end) or NOTHING) - (self.usd(start) or NOTHING)
