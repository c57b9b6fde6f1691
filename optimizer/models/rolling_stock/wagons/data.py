"""What the wagon models are built from: types with their places, runs and works, orders, room and wear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from typing import Literal, NamedTuple, get_args

from optimizer.models.rolling_stock.routes import Place, Way
from optimizer.models.rolling_stock.wagons.homeward import Homeward
from optimizer.result import Solution

Kind = Literal["loaded", "empty", "cleaning", "maintenance"]
Unit = Literal["wagons", "gross_t", "length_m"]
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True)
class Room:
    """What a day's trains take over a link in one direction, in the units that can bind."""

    limit: Mapping[Unit, Fraction]


class Spot(NamedTuple):
    """Where a wagon stands and how: node, gauge (mm), and the residue of its last load (blank: clean)."""

    node_id: str
    gauge_mm: int
    residue: str = ""

    @property
    def place(self) -> Place:
        return self.node_id, self.gauge_mm


@dataclass(frozen=True)
class WagonType:
    """A type with its places.

    Attributes
    ----------
    first_day
        Spot -> first day a wagon can stand there, own or hired; spots out of reach are left out.
    supply
        (spot, day) -> wagons of the fleet that become free.
    hire_places
        Spots where it can be hired and handed back, clean.
    night_usd
        Spot -> cost of a wagon standing a night.
    homeward
        What a wagon owes its home railway at each place.
    most
        No optimal plan has more of them on hire from one place: own wagons plus the wagons its orders could take.
    """

    wagon_id: str
    load_t: Fraction
    tare_t: Fraction
    length_m: Fraction
    hire_usd: Fraction
    own: int
    most: int
    first_day: Mapping[Spot, int]
    supply: Mapping[tuple[Spot, int], int]
    hire_places: tuple[Spot, ...]
    night_usd: Mapping[Spot, Fraction]
    homeward: Homeward

    @property
    def most_at_all(self) -> int:
        """Upper limit of wagons of the type anywhere at one time."""
        return self.own + len(self.hire_places) * self.most


@dataclass(eq=False, slots=True)
class Move:
    """A run or a work without its day: ``usd`` is the cost of one wagon, ``days`` pass until it is free again.

    The cost holds what the run adds to what is owed to the home railway, and may lie below zero on the way home.
    ``on`` are the days it may leave on, where links are closed on some; None: on all. It is not to be changed, but not
    frozen either: a large fleet has hundreds of thousands, and frozen ones take several times as long to make.
    """

    wagon_id: str
    order_id: str
    start: Spot
    end: Spot
    way: Way
    days: int
    usd: Fraction
    kind: Kind
    on: frozenset[int] | None = None


@dataclass(frozen=True)
class Orders:
    """One order as the models see it.

    ``window`` are the days of departure inside the horizon, ``most_t`` the largest sum of typical loads it takes:
    below its tonnes plus the largest load of a suited type.
    """

    order_id: str
    quantity_t: Fraction
    most_t: Fraction
    unserved_usd: Fraction
    window: range
    suited: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Wear:
    """Kilometres, or days under way, that the wagons of a type have left until they are due at a workshop.

    Attributes
    ----------
    every
        What a visit gives back.
    left
        Day -> what the wagons of the fleet bring that become free on it.
    hired
        What a wagon on hire brings each day: its owner maintains it.
    """

    wagon_id: str
    unit: Literal["km", "days"]
    every: Fraction
    left: Mapping[int, Fraction]
    hired: Fraction

    def of(self, move: Move) -> Fraction:
        """What a run takes; what a visit gives back counts below zero."""
        if move.kind == "maintenance":
            return -self.every
        if move.kind == "cleaning":
            return Fraction(0)
        return move.way.length_km if self.unit == "km" else Fraction(move.days)


@dataclass(frozen=True)
class Moves:
    """Everything the wagon models are built from.

    Attributes
    ----------
    orders
        Those with tonnes left to carry and a day left to leave on.
    empty
        Empty runs and works.
    owed_usd
        Part of every plan's cost: what the fleet owes the home railways where it stands at first, and what a running
        plan has spent and can no longer carry.
    first
        Day on which planning begins.
    hired
        (type, spot) -> wagons on hire from there when planning begins.
    past
        Runs and hires that are part of every plan; None: there are none.
    lost_t
        Order -> tonnes a running plan can no longer carry.
    """

    days: int
    types: Mapping[str, WagonType]
    orders: Mapping[str, Orders]
    loaded: tuple[Move, ...]
    empty: tuple[Move, ...]
    yard_room: Mapping[str, int]
    link_room: Mapping[str, Room]
    owed_usd: Fraction
    wear: tuple[Wear, ...] = field(default=())
    first: int = 0
    hired: Mapping[tuple[str, Spot], int] = field(default_factory=dict)
    past: Solution | None = field(default=None, repr=False)
    lost_t: Mapping[str, Fraction] = field(default_factory=dict)

    def departures(self, move: Move) -> Iterator[int]:
        """Days on which a move may leave."""
        first = self.types[move.wagon_id].first_day[move.start]
        window = self.orders[move.order_id].window if move.order_id else range(self.days - move.days)
        for day in range(max(first, window.start), window.stop):
            if move.on is None or day in move.on:
                yield day

    def kept_on_hire(self) -> dict[tuple[str, Spot, int], int]:
        """(type, spot, day) -> wagons on hire where nothing moves any more and none is handed back."""
        days = range(self.first, self.days)
        return {(kind, spot, day): units for (kind, spot), units in self.hired.items() for day in days if units}

    def overfilled(self) -> list[str]:
        """Yards that are too full where nothing moves any more; those of a running plan may be."""
        stand: dict[str, dict[int, int]] = {node_id: {} for node_id in self.yard_room}
        supplies = [item for kind in self.types.values() for item in kind.supply.items()]
        for (spot, day), units in (*supplies, *(((spot, self.first), n) for (_, spot), n in self.hired.items())):
            if spot.node_id in stand:
                stand[spot.node_id][day] = stand[spot.node_id].get(day, 0) + units
        return [
            node_id
            for node_id, change in stand.items()
            if max(accumulate(change[day] for day in sorted(change)), default=0) > self.yard_room[node_id]
        ]
