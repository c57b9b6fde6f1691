"""What a wagon of each type can do: places, nights, loaded and empty moves with their days and exact cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

from optimizer.models.rolling_stock.problem import RollingStock, is_blank
from optimizer.models.rolling_stock.routes import Place, RouteBook, Way, exact


@dataclass(frozen=True)
class WagonType:
    """A type with its places.

    Attributes
    ----------
    first_day
        Place -> first day a wagon can stand there, own or hired; places out of reach are left out.
    supply
        (place, day) -> wagons of the fleet that become free.
    hire_places
        Places where it can be hired and handed back.
    night_usd
        Place -> cost of a wagon standing a night.
    most
        No optimal plan has more of them on hire from one place: own wagons plus the wagons its orders could take.
    """

    wagon_id: str
    load_t: Fraction
    hire_usd: Fraction
    own: int
    most: int
    first_day: Mapping[Place, int]
    supply: Mapping[tuple[Place, int], int]
    hire_places: tuple[Place, ...]
    night_usd: Mapping[Place, Fraction]

    @property
    def most_at_all(self) -> int:
        """Upper limit of wagons of the type anywhere at one time."""
        return self.own + len(self.hire_places) * self.most


@dataclass(frozen=True, eq=False)
class Move:
    """A run without its day: ``usd`` is the cost of one wagon, ``days`` pass until it is free again."""

    wagon_id: str
    order_id: str
    start: Place
    end: Place
    way: Way
    days: int
    usd: Fraction


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


@dataclass(frozen=True)
class Moves:
    """Everything the wagon models are built from."""

    days: int
    types: Mapping[str, WagonType]
    orders: Mapping[str, Orders]
    loaded: tuple[Move, ...]
    empty: tuple[Move, ...]
    yard_room: Mapping[str, int]
    link_room: Mapping[str, Fraction]


def wagon_moves(problem: RollingStock, book: RouteBook | None = None, prune: bool = True) -> Moves:
    """
    Lay out the moves of every type.

    Parameters
    ----------
    problem
        Rolling stock of kind wagons.
    book
        Route book to share; a new one by default.
    prune
        Drop empty moves that two others replace in as many days at no more cost.

    Returns
    -------
    Moves
        Yards and links are listed only where so many wagons can come together that they bind.
    """
    book = book or RouteBook(problem.corridor)
    settings, days = problem.corridor.config.rolling_stock, problem.days
    hours_per_day, terminal_days = exact(settings.hours_per_day), exact(settings.load_unload_days)
    foreign = exact(settings.foreign_usd_per_wagon_day)
    form = dict(
        zip(problem.table("commodities")["commodity_id"], problem.table("commodities")["cargo_form"], strict=True)
    )
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    orders, ends, rows = {}, {}, problem.table("orders").to_dict("records")
    suits = problem.table("wagon_suits")
    suited_by: dict[str, list[str]] = {}
    for wagon_id, commodity_id in zip(suits["wagon_id"], suits["commodity_id"], strict=True):
        if wagon_id in wagons:
            suited_by.setdefault(commodity_id, []).append(wagon_id)
    for row in rows:
        window = range(int(row["release_day"]), min(int(row["due_day"]), days - 1) + 1)
        suited = tuple(sorted(suited_by.get(row["commodity_id"], ())))
        quantity, penalty = exact(row["quantity_t"]), exact(row["unserved_usd_per_t"])
        loads = [exact(wagons[wagon_id]["typical_load_t"]) for wagon_id in suited]
        grain = Fraction(1, lcm(quantity.denominator, *(load.denominator for load in loads)))  # every sum is a multiple
        most = quantity + max(loads, default=Fraction(0)) - grain
        orders[row["order_id"]] = Orders(row["order_id"], quantity, most, penalty, window, suited)
        ends[row["order_id"]] = (row["origin"], row["destination"], form[row["commodity_id"]])

    types: dict[str, WagonType] = {}
    loaded: list[Move] = []
    empty: list[Move] = []
    for wagon_id, row in wagons.items():
        gauges = tuple(sorted(int(g) for g in row["gauges_mm"]))
        home = "" if is_blank(row["home_country"]) else row["home_country"]
        network = book.graph(gauges, row["gauge_change"])
        kind = _type(problem, row, gauges, home, [orders[o] for o in orders], ends, network, book, hours_per_day)
        if not kind.first_day:
            continue
        types[wagon_id] = kind
        for order in orders.values():
            if wagon_id not in order.suited:
                continue
            origin, destination, cargo_form = ends[order.order_id]
            for start in ((origin, g) for g in gauges):
                for end in ((destination, g) for g in gauges):
                    way = book.graph(gauges, row["gauge_change"], cargo_form).way(start, end)
                    if way is None or kind.first_day.get(start, days) > order.window[-1]:
                        continue
                    length = way.days(hours_per_day, terminal_days)
                    usd = foreign * length * way.share_abroad(home) + way.change_usd
                    loaded.append(Move(wagon_id, order.order_id, start, end, way, length, usd))
        for start in kind.first_day:
            for end in kind.first_day:
                way = network.way(start, end)
                if way is None:
                    continue
                length = way.days(hours_per_day)
                usd = exact(settings.empty_usd_per_wagon_km) * way.length_km + way.change_usd
                usd += foreign * length * way.share_abroad(home)
                if kind.first_day[start] + length < days:
                    empty.append(Move(wagon_id, "", start, end, way, length, usd))

    yard_room = _binding_yards(problem, types)
    link_room = _binding_links(problem, types, [*loaded, *empty])
    if prune:
        empty = _without_replaceable(empty, yard_room, link_room)
    return Moves(days, types, orders, tuple(loaded), tuple(empty), yard_room, link_room)


def _type(
    problem: RollingStock,
    row: Mapping[str, Any],
    gauges: tuple[int, ...],
    home: str,
    orders: list[Orders],
    ends: Mapping[str, tuple[str, str, str]],
    network: Any,
    book: RouteBook,
    hours_per_day: Fraction,
) -> WagonType:
    settings, days, wagon_id = problem.corridor.config.rolling_stock, problem.days, row["wagon_id"]
    supply: dict[tuple[Place, int], int] = {}
    stands: dict[Place, int] = {}
    for stock in problem.table("fleet").to_dict("records"):
        if stock["type_id"] != wagon_id:
            continue
        place, day = (stock["node_id"], int(stock["gauge_mm"])), int(stock["from_day"])
        if day < days:
            supply[place, day] = supply.get((place, day), 0) + int(stock["units"])
        stands[place] = min(day, stands.get(place, days))
    mine = [order for order in orders if wagon_id in order.suited]
    hire_places = tuple(sorted(stands)) if settings.hire_allowed else ()
    starts = {place: 0 if hire_places else day for place, day in stands.items()}
    first_day = {place: day for place, day in starts.items() if day < days}
    for place in sorted({(node, g) for order in mine for node in ends[order.order_id][:2] for g in gauges}):
        for start, day in starts.items():
            way = network.way(start, place)
            if way is not None and day + way.days(hours_per_day) < min(days, first_day.get(place, days)):
                first_day[place] = day + way.days(hours_per_day)
    own = sum(supply.values())
    load = exact(row["typical_load_t"])
    idle, foreign = exact(settings.idle_usd_per_wagon_day), exact(settings.foreign_usd_per_wagon_day)
    return WagonType(
        wagon_id=wagon_id,
        load_t=load,
        hire_usd=exact(row["hire_usd_per_day"]),
        own=own,
        most=own + sum(ceil(order.quantity_t / load) + 1 for order in mine),
        first_day=first_day,
        supply=supply,
        hire_places=hire_places,
        night_usd={p: idle + (foreign if home and book.country[p[0]] != home else 0) for p in first_day},
    )


def _binding_yards(problem: RollingStock, types: Mapping[str, WagonType]) -> dict[str, int]:
    """Yards that all types with a place there could overfill."""
    room = {}
    for node_id, capacity in zip(
        problem.table("nodes")["node_id"], problem.table("nodes")["yard_capacity_wagons"], strict=True
    ):
        visitors = sum(
            kind.most_at_all for kind in types.values() if any(place[0] == node_id for place in kind.first_day)
        )
        if not is_blank(capacity) and visitors > capacity:
            room[node_id] = int(capacity)
    return room


def _binding_links(problem: RollingStock, types: Mapping[str, WagonType], moves: list[Move]) -> dict[str, Fraction]:
    """Links whose train paths could be too few, with the wagons a day and direction they carry."""
    share = exact(problem.corridor.config.rolling_stock.path_share)
    users: dict[str, set[str]] = {}
    for move in moves:
        for link_id, _ in move.way.links:
            users.setdefault(link_id, set()).add(move.wagon_id)
    room = {}
    for link in problem.table("links").to_dict("records"):
        if is_blank(link["capacity_trains_per_day"]) or is_blank(link["max_train_wagons"]):
            continue
        capacity = exact(link["capacity_trains_per_day"]) * share * int(link["max_train_wagons"])
        if sum(types[wagon_id].most_at_all for wagon_id in users.get(link["link_id"], ())) > capacity:
            room[link["link_id"]] = capacity
    return room


def _without_replaceable(
    empty: list[Move], yard_room: Mapping[str, int], link_room: Mapping[str, Fraction]
) -> list[Move]:
    """Drop moves A-C that A-B and B-C replace: as many days, no more cost or hours.

    Kept are those that would stand in a limited yard at B or use a scarce train path on another day.
    """
    leaving: dict[tuple[str, Place], dict[Place, Move]] = {}
    for move in empty:
        leaving.setdefault((move.wagon_id, move.start), {})[move.end] = move
    scarce = {id(move): any(link_id in link_room for link_id, _ in move.way.links) for move in empty}

    def replaceable(move: Move) -> bool:
        for via, first in leaving[move.wagon_id, move.start].items():
            second = leaving.get((move.wagon_id, via), {}).get(move.end)
            if second is None or via[0] in yard_room or scarce[id(second)]:
                continue
            parts = first.way, second.way
            same_days = first.days + second.days == move.days and first.usd + second.usd <= move.usd
            # Both parts take some time, so that no move is replaced by way of itself.
            no_longer = min(w.hours for w in parts) > 0 and sum(w.hours for w in parts) <= move.way.hours
            same_paths = not scarce[id(first)] or first.way.links == move.way.links[: len(first.way.links)]
            if same_days and no_longer and same_paths:
                return True
        return False

    return [move for move in empty if not replaceable(move)]
