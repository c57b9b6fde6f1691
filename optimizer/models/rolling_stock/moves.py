"""What a wagon of each type can do: places, nights, loaded and empty moves with their days and exact cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.homeward import Homeward
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.pruning import without_replaceable
from optimizer.models.rolling_stock.rooms import link_rooms, yard_rooms
from optimizer.models.rolling_stock.routes import Place, RouteBook, exact
from optimizer.models.rolling_stock.wagon_data import Move, Moves, Orders, Spot, WagonType, Wear
from optimizer.models.rolling_stock.works import Residues, wear_of, work_moves, works_of

__all__ = ["Move", "Moves", "Orders", "OutOfTimeError", "Spot", "WagonType", "Wear", "wagon_moves"]


class OutOfTimeError(Exception):
    """Laying out the moves was cut short."""


def wagon_moves(
    problem: RollingStock,
    book: RouteBook | None = None,
    prune: bool = True,
    runs: bool = True,
    over: Callable[[], bool] = lambda: False,
) -> Moves:
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
    runs
        False: wagons, orders and yards only, which is all that a plan in which nothing moves is made of.
    over
        Asked now and then whether to stop.

    Raises
    ------
    OutOfTimeError
        ``over`` said so.

    Returns
    -------
    Moves
        Yards and links are listed only where so many wagons can come together that they bind.
    """
    book = book or RouteBook(problem.corridor)
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    orders = _orders(problem, wagons)
    types: dict[str, WagonType] = {}
    loaded, empty, wear = list[Move](), list[Move](), list[Wear]()
    for wagon_id, row in wagons.items():
        asking = [order for order in orders.values() if wagon_id in order.suited] if runs else []
        desk = _Desk(problem, book, row, asking)
        kind = desk.wagon_type()
        if not kind.first_day:
            continue
        types[wagon_id] = kind
        if not runs:
            continue
        loaded += _in_time(desk.loaded(kind), over)
        empty += _in_time(desk.empty(kind), over)
        empty += work_moves(problem, kind, desk.works, desk.abroad_usd)
        wear += wear_of(problem, row)
    yard_room = yard_rooms(problem, types)
    link_room = link_rooms(problem, types, [*loaded, *empty])
    if prune:
        empty = without_replaceable(empty, yard_room, link_room)
    owed = Fraction(0)
    for kind in types.values():
        owed += sum(units * (kind.homeward.usd(spot.place) or 0) for (spot, _), units in kind.supply.items())
    return Moves(problem.days, types, orders, tuple(loaded), tuple(empty), yard_room, link_room, owed, tuple(wear))


def _in_time(moves: Iterable[Move], over: Callable[[], bool]) -> Iterator[Move]:
    for number, move in enumerate(moves):
        if not number % 100 and over():
            raise OutOfTimeError
        yield move


def _orders(problem: RollingStock, wagons: Mapping[str, Mapping[str, Any]]) -> dict[str, Orders]:
    suits, suited_by = problem.table("wagon_suits"), dict[str, list[str]]()
    for wagon_id, commodity_id in zip(suits["wagon_id"], suits["commodity_id"], strict=True):
        if wagon_id in wagons:
            suited_by.setdefault(commodity_id, []).append(wagon_id)
    orders = {}
    for row in problem.table("orders").to_dict("records"):
        window = range(int(row["release_day"]), min(int(row["due_day"]), problem.days - 1) + 1)
        suited = tuple(sorted(suited_by.get(row["commodity_id"], ())))
        quantity, penalty = exact(row["quantity_t"]), exact(row["unserved_usd_per_t"])
        loads = [exact(wagons[wagon_id]["typical_load_t"]) for wagon_id in suited]
        grain = Fraction(1, lcm(quantity.denominator, *(load.denominator for load in loads)))  # every sum is a multiple
        most = quantity + max(loads, default=Fraction(0)) - grain
        orders[row["order_id"]] = Orders(row["order_id"], quantity, most, penalty, window, suited)
    return orders


@dataclass(frozen=True)
class _Cargo:
    """Ends, cargo form and commodity of an order."""

    origin: str
    destination: str
    form: str
    commodity_id: str


class _Desk:
    """Lays out one type of wagon."""

    def __init__(self, problem: RollingStock, book: RouteBook, row: Mapping[str, Any], mine: list[Orders]) -> None:
        self.problem, self.book, self.row, self.mine = problem, book, row, mine
        self.settings, self.wagon_id = problem.corridor.config.rolling_stock, row["wagon_id"]
        self.gauges = tuple(sorted(int(g) for g in row["gauges_mm"]))
        self.home = "" if is_blank(row["home_country"]) else row["home_country"]
        self.network = book.graph(self.gauges, row["gauge_change"])
        self.hours_per_day = exact(self.settings.hours_per_day)
        goods = problem.table("commodities")
        form = dict(zip(goods["commodity_id"], goods["cargo_form"], strict=True))
        wanted = {order.order_id for order in mine}
        self.cargo = {
            r["order_id"]: _Cargo(r["origin"], r["destination"], form[r["commodity_id"]], r["commodity_id"])
            for r in problem.table("orders").to_dict("records")
            if r["order_id"] in wanted
        }
        self.fleet = [r for r in problem.table("fleet").to_dict("records") if r["type_id"] == self.wagon_id]
        self.residues = Residues(problem)
        self.soiled_from = self._soiled_from()
        self.layers = ("", *sorted(self.soiled_from))
        self.works = works_of(problem, self.wagon_id, "cleaning") if self.soiled_from else []
        if not (is_blank(row["maintenance_km"]) and is_blank(row["maintenance_days"])):
            self.works += works_of(problem, self.wagon_id, "maintenance")

    def _soiled_from(self) -> dict[str, int]:
        """Residue -> first day on which a wagon can hold it."""
        first: dict[str, int] = {}
        for order in self.mine:
            residue = self.residues.left_by(self.cargo[order.order_id].commodity_id)
            if residue:
                first[residue] = min(order.window.start + 1, first.get(residue, self.problem.days))
        for stock in self.fleet:
            if stock["residue"]:
                first[stock["residue"]] = min(int(stock["from_day"]), first.get(stock["residue"], self.problem.days))
        return first

    def abroad_usd(self, node_id: str) -> Fraction:
        """Charge of a day at a node outside the home country."""
        abroad = self.home and self.book.country[node_id] != self.home
        return exact(self.settings.foreign_usd_per_wagon_day) if abroad else Fraction(0)

    def wagon_type(self) -> WagonType:
        days = self.problem.days
        supply: dict[tuple[Spot, int], int] = {}
        stands: dict[Place, int] = {}
        for stock in self.fleet:
            spot, day = Spot(stock["node_id"], int(stock["gauge_mm"]), stock["residue"]), int(stock["from_day"])
            if day < days:
                supply[spot, day] = supply.get((spot, day), 0) + int(stock["units"])
            stands[spot.place] = min(day, stands.get(spot.place, days))
        homeward = Homeward(self.problem, self.book, self.row, self.network)
        lent_at = [place for place in stands if not homeward.owed or homeward.at_home(place)]
        hire_places = tuple(sorted(lent_at)) if self.settings.hire_allowed else ()
        starts = {place: 0 if place in hire_places else day for place, day in stands.items()}
        reached = {place: day for place, day in starts.items() if day < days}
        for place in self._places():
            for start, day in starts.items():
                way = self.network.way(start, place)
                if way is not None and day + way.days(self.hours_per_day) < min(days, reached.get(place, days)):
                    reached[place] = day + way.days(self.hours_per_day)
        first_day = {
            Spot(*place, residue): max(day, self.soiled_from.get(residue, 0))
            for residue in self.layers
            for place, day in reached.items()
        }
        first_day = {spot: day for spot, day in first_day.items() if day < days}
        own, load = sum(supply.values()), exact(self.row["typical_load_t"])
        idle = exact(self.settings.idle_usd_per_wagon_day)
        return WagonType(
            wagon_id=self.wagon_id,
            load_t=load,
            tare_t=exact(self.row["tare_t"]),
            length_m=exact(self.row["length_m"]),
            hire_usd=exact(self.row["hire_usd_per_day"]),
            own=own,
            most=own + sum(ceil(order.quantity_t / load) + 1 for order in self.mine),
            first_day=first_day,
            supply=supply,
            hire_places=tuple(Spot(*place) for place in hire_places),
            night_usd={spot: idle + self.abroad_usd(spot.node_id) for spot in first_day},
            homeward=homeward,
        )

    def _places(self) -> list[Place]:
        """Ends of its orders, and where it is cleaned or maintained."""
        nodes = {node for cargo in self.cargo.values() for node in (cargo.origin, cargo.destination)}
        nodes |= {work["node_id"] for work in self.works}
        return sorted((node, gauge) for node in nodes for gauge in self.gauges)

    def loaded(self, kind: WagonType) -> Iterator[Move]:
        terminal_days = exact(self.settings.load_unload_days)
        foreign = exact(self.settings.foreign_usd_per_wagon_day)
        for order in self.mine:
            cargo = self.cargo[order.order_id]
            layers = list(self.residues.taken(cargo.commodity_id, self.layers))
            for start in ((cargo.origin, g) for g in self.gauges):
                for end in ((cargo.destination, g) for g in self.gauges):
                    way = self.book.graph(self.gauges, self.row["gauge_change"], cargo.form).way(start, end)
                    if way is None or not kind.homeward.allows(start, end, loaded=True):
                        continue
                    length = way.days(self.hours_per_day, terminal_days)
                    usd = foreign * length * way.share_abroad(self.home) + way.change_usd
                    usd += kind.homeward.more_usd(start, end)
                    for before, after in layers:
                        spots = Spot(*start, before), Spot(*end, after)
                        if kind.first_day.get(spots[0], self.problem.days) <= order.window[-1]:
                            yield Move(self.wagon_id, order.order_id, *spots, way, length, usd, "loaded")

    def empty(self, kind: WagonType) -> Iterator[Move]:
        per_km = exact(self.settings.empty_usd_per_wagon_km)
        foreign = exact(self.settings.foreign_usd_per_wagon_day)
        by_layer: dict[str, list[Spot]] = {}
        for spot in kind.first_day:
            by_layer.setdefault(spot.residue, []).append(spot)
        for start in kind.first_day:
            for end in by_layer[start.residue]:
                way = self.network.way(start.place, end.place)
                if way is None or not kind.homeward.allows(start.place, end.place, loaded=False):
                    continue
                length = way.days(self.hours_per_day)
                if kind.first_day[start] + length < self.problem.days:
                    usd = per_km * way.length_km + way.change_usd + foreign * length * way.share_abroad(self.home)
                    usd += kind.homeward.more_usd(start.place, end.place)
                    yield Move(self.wagon_id, "", start, end, way, length, usd, "empty")
