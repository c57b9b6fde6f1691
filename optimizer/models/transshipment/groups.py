"""Loads that are alike in everything but their name and zone, and what each such group could do.

Alike: train, form, ways, moves, size, wagons, checks, destination, due time and prices. Exchanging two of them changes
neither cost nor rules, but for the rule of cranes in line, so models without that rule may count them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from optimizer.models.transshipment.choices import Choice, pair_choices
from optimizer.models.transshipment.problem import Way, price_units
from optimizer.models.transshipment.site import Call, Load, Site

FARTHER = 4
"""Onward trains kept beyond those that can meet the load's own train."""


@dataclass(frozen=True)
class Group:
    """
    Loads that are alike.

    Attributes
    ----------
    members
        At least one.
    choices
        What they could do with the nearer onward trains, as in :func:`choices` of the first member.
    farther_units
        Least cost, in cost units, of going with one of the trains left out; None when there is none.
    farther_lifted
        Going with a train left out takes a work of a crane at the inbound train.
    works_begun
        Works that need nobody's time any more, of a plan that is being carried out.
    """

    members: tuple[Load, ...]
    choices: tuple[Choice, ...]
    farther_units: int | None
    farther_lifted: bool
    works_begun: int = 0

    @property
    def load(self) -> Load:
        return self.members[0]


def groups(site: Site, serve_all: bool = False) -> tuple[Group, ...]:
    """
    The groups of the site's loads, in the order of their first members.

    Choices that never pay are left out: those of which price and least lateness are no less than missing the load,
    where loads may be missed. (Not where others may need what they give back: sets of bogies, or counted empty wagons.)
    """
    alike: dict[Load, list[Load]] = defaultdict(list)
    for load in site.loads:
        alike[replace(load, load_id="", zone=None)].append(load)
    trains = Trains(site)
    return tuple(group_of(trains, tuple(members), serve_all) for members in alike.values())


class Trains:
    """Onward trains of a site by destination and gauge, those that can leave first at the front."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._served: dict[tuple[str, int], list[Call]] = defaultdict(list)
        for call in sorted(site.calls, key=lambda c: (max(c.depart, c.arrive + 1), c.call_id)):
            for destination in call.destinations:
                self._served[destination, call.gauge_mm].append(call)
        self._gauges = sorted({call.gauge_mm for call in site.calls})

    def onward(self, load: Load, since: int) -> list[Call]:
        """Those of another gauge that serve its destination and may leave after a minute."""
        return [
            call
            for gauge in self._gauges
            if gauge != self.site.call[load.call_id].gauge_mm
            for call in self._served.get((load.destination, gauge), ())
            if call.latest > since
        ]


def group_of(
    trains: Trains,
    members: tuple[Load, ...],
    serve_all: bool,
    now: int = 0,
    pairs: Callable[[Site, Load, Call], Iterable[Choice]] = pair_choices,
    works_begun: int = 0,
) -> Group:
    """The group of alike loads whose choices are ``pairs``, of trains that leave after minute ``now``."""
    site, load = trains.site, members[0]
    inbound = site.call[load.call_id]
    onward = trains.onward(load, max(now, inbound.arrive))
    near = [call for call in onward if call.arrive < inbound.latest]
    far = [call for call in onward if call.arrive >= inbound.latest]
    rest = far[FARTHER:]
    gives = inbound.gauge_mm in site.empties
    found: list[Choice] = []
    for call in (*near, *far[:FARTHER]):
        for choice in pairs(site, load, call):
            if serve_all or gives or choice.way == "bogie" or least_units(site, choice) < load.missed_cents * 60:
                found.append(choice)
    ways: list[Way] = [way for way in ("yard", "bogie") if way in load.ways]
    farther = None
    if rest and ways:
        soonest = min(max(call.depart, call.arrive + 1) for call in rest)
        farther = min(price_units(site, load, way) for way in ways) + load.late_cents_per_h * max(0, soonest - load.due)
        if not serve_all and not gives and "bogie" not in ways and farther >= load.missed_cents * 60:
            farther = None
    return Group(members, tuple(found), farther, "bogie" not in ways and not works_begun, works_begun)


def least_units(site: Site, choice: Choice) -> int:
    """Price, and lateness when the onward train leaves as soon as this choice lets it, in cost units."""
    soonest = max(choice.onward_ready, choice.onward.depart, choice.onward.arrive + 1)
    late = choice.load.late_cents_per_h * max(0, soonest - choice.load.due)
    return price_units(site, choice.load, choice.way) + late


def least_total(site: Site, groups: Sequence[Group], serve_all: bool) -> int:
    """What all loads cost at least, each for itself and without waiting: a bound that takes no time."""
    total = 0
    for group in groups:
        costs = [least_units(site, choice) for choice in group.choices]
        costs += [group.farther_units] if group.farther_units is not None else []
        costs += [] if serve_all else [group.load.missed_cents * 60]
        total += len(group.members) * min(costs, default=0)
    return total
