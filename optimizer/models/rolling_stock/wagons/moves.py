"""What a wagon of each type can do: places, nights, loaded and empty moves with their days and exact cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.errors import UsageError
from optimizer.models.rolling_stock.closures import calendar
from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Place, RouteBook, Way, exact
from optimizer.models.rolling_stock.wagons.data import Move, Moves, Orders, Spot, WagonType, Wear
from optimizer.models.rolling_stock.wagons.homeward import NOTHING, Homeward
from optimizer.models.rolling_stock.wagons.past import Past, past_of
from optimizer.models.rolling_stock.wagons.pruning import without_replaceable
from optimizer.models.rolling_stock.wagons.residues import Residues
from optimizer.models.rolling_stock.wagons.rooms import link_rooms, yard_rooms
from optimizer.models.rolling_stock.wagons.works import wear_of, work_moves, works_of

__all__ = ["Move", "Moves", "Orders", "OutOfTimeError", "Spot", "WagonType", "Wear", "wagon_moves"]


MOST_PRUNED = 20_000
"""Empty runs up to which those are looked for that two others replace; of more, hardly any are found for the time."""


class OutOfTimeError(Exception):
    """Laying out the moves was cut short."""


@collector_paused()
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
    book, past = book or RouteBook(problem.corridor), past_of(problem)
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    asked = _asked(problem, wagons)
    orders = {order.order_id: order for order in _orders(problem, wagons, asked, past)}
    types: dict[str, WagonType] = {}
    loaded, empty, wear = list[Move](), list[Move](), list[Wear]()
    spent, terms = Fraction(0), Terms()
    for wagon_id, row in wagons.items():
        desk = _Desk(problem, book, row, [cargo for cargo in asked if wagon_id in cargo.suited], orders, past, terms)
        kind = desk.wagon_type(runs)
        spent += desk.spent_usd(kind)
        if not kind.first_day:
            continue
        types[wagon_id] = kind
        if not runs:
            continue
        loaded += _in_time(desk.loaded(kind), over)
        empty += _in_time(desk.empty(kind), over)
        empty += work_moves(problem, kind, desk.works, desk.abroad_usd)
        wear += wear_of(problem, row, past, desk.km)
    yard_room = yard_rooms(problem, types)
    link_room = link_rooms(problem, types, [*loaded, *empty])
    if prune and len(empty) <= MOST_PRUNED:
        empty = without_replaceable(empty, yard_room, link_room)
    lost = {cargo.order_id: cargo.quantity_t - past.carried_t.get(cargo.order_id, 0) for cargo in asked}
    lost = {order_id: tonnes for order_id, tonnes in lost.items() if tonnes > 0 and order_id not in orders}
    spent += sum((cargo.unserved_usd * lost.get(cargo.order_id, 0) for cargo in asked), Fraction(0))
    hired = {(wagon_id, spot): units for wagon_id, spots in past.hired.items() for spot, units in spots.items()}
    return Moves(
        problem.days, types, orders, tuple(loaded), tuple(empty), yard_room, link_room, spent, tuple(wear), past.first,
        hired, past.tables, lost,
    )  # fmt: skip


def _in_time(moves: Iterable[Move], over: Callable[[], bool]) -> Iterator[Move]:
    for number, move in enumerate(moves):
        if not number % 100 and over():
            raise OutOfTimeError
        yield move


@dataclass(frozen=True)
class _Cargo:
    """An order as the table has it."""

    order_id: str
    origin: str
    destination: str
    commodity_id: str
    form: str
    quantity_t: Fraction
    unserved_usd: Fraction
    days: tuple[int, int]
    suited: tuple[str, ...]


def _asked(problem: RollingStock, wagons: Mapping[str, Mapping[str, Any]]) -> list[_Cargo]:
    suits, goods = problem.table("wagon_suits"), problem.table("commodities")
    form, suited_by = dict(zip(goods["commodity_id"], goods["cargo_form"], strict=True)), dict[str, list[str]]()
    for wagon_id, commodity_id in zip(suits["wagon_id"], suits["commodity_id"], strict=True):
        if wagon_id in wagons:
            suited_by.setdefault(commodity_id, []).append(wagon_id)
    return [
        _Cargo(
            row["order_id"], row["origin"], row["destination"], row["commodity_id"], form[row["commodity_id"]],
            exact(row["quantity_t"]), exact(row["unserved_usd_per_t"]), (int(row["release_day"]), int(row["due_day"])),
            tuple(sorted(suited_by.get(row["commodity_id"], ()))),
        )
        for row in problem.table("orders").to_dict("records")
    ]  # fmt: skip


def _orders(
    problem: RollingStock, wagons: Mapping[str, Mapping[str, Any]], asked: Iterable[_Cargo], past: Past
) -> Iterator[Orders]:
    """Orders with tonnes and days left; of a running plan, one whose tonnes have all left takes no more wagons."""
    load_t = {wagon_id: exact(row["typical_load_t"]) for wagon_id, row in wagons.items()}
    for cargo in asked:
        window = range(max(cargo.days[0], past.first), min(cargo.days[1], problem.days - 1) + 1)
        quantity = cargo.quantity_t - past.carried_t.get(cargo.order_id, 0)
        if past.first and (not window or quantity <= 0):
            continue
        loads = [load_t[wagon_id] for wagon_id in cargo.suited]
        grain = Fraction(1, lcm(quantity.denominator, *(load.denominator for load in loads)))  # every sum is a multiple
        most = quantity + max(loads, default=Fraction(0)) - grain
        yield Orders(cargo.order_id, quantity, most, cargo.unserved_usd, window, cargo.suited)


Terms = dict[tuple[int, bool, str], tuple[int, Fraction]]
"""Way, loaded or not, home country -> days and USD of a wagon; many types share them."""


class _Desk:
    """Lays out one type of wagon."""

    def __init__(
        self,
        problem: RollingStock,
        book: RouteBook,
        row: Mapping[str, Any],
        asked: list[_Cargo],
        orders: Mapping[str, Orders],
        past: Past,
        terms: Terms,
    ) -> None:
        self.problem, self.book, self.row, self.asked, self.past = problem, book, row, asked, past
        self.terms = terms
        self.form_of = {cargo.order_id: cargo.form for cargo in asked} if past.tables is not None else {}
        self.mine = [(cargo, orders[cargo.order_id]) for cargo in asked if cargo.order_id in orders]
        self.settings, self.wagon_id = problem.corridor.config.rolling_stock, row["wagon_id"]
        self.gauges = tuple(sorted(int(g) for g in row["gauges_mm"]))
        self.home = "" if is_blank(row["home_country"]) else row["home_country"]
        self.network = book.graph(self.gauges, row["gauge_change"])
        self.hours_per_day = exact(self.settings.hours_per_day)
        self.terminal_days = exact(self.settings.load_unload_days)
        self.per_km, self.foreign = (
            exact(self.settings.empty_usd_per_wagon_km), exact(self.settings.foreign_usd_per_wagon_day)
        )  # fmt: skip
        self.calendar = calendar(problem.closed, past.first, problem.days)
        self.fleet = [r for r in problem.table("fleet").to_dict("records") if r["type_id"] == self.wagon_id]
        self.supply = past.supply(self.wagon_id, problem.days)
        self.residues = Residues(problem)
        self.soiled_from = self._soiled_from()
        self.layers = ("", *sorted(self.soiled_from))
        soils = any(self.residues.left_by(cargo.commodity_id) for cargo in asked)
        soils = soils or any(stock["residue"] for stock in self.fleet)
        self.works = works_of(problem, self.wagon_id, "cleaning") if soils else []
        if not (is_blank(row["maintenance_km"]) and is_blank(row["maintenance_days"])):
            self.works += works_of(problem, self.wagon_id, "maintenance")

    def _soiled_from(self) -> dict[str, int]:
        """Residue -> first day on which a wagon can hold it."""
        first: dict[str, int] = {}
        for cargo, order in self.mine:
            residue = self.residues.left_by(cargo.commodity_id)
            if residue:
                first[residue] = min(order.window.start + 1, first.get(residue, self.problem.days))
        for spot, day in self.supply:
            if spot.residue:
                first[spot.residue] = min(day, first.get(spot.residue, self.problem.days))
        return first

    def abroad_usd(self, node_id: str) -> Fraction:
        """Charge of a day at a node outside the home country."""
        abroad = self.home and self.book.country[node_id] != self.home
        return exact(self.settings.foreign_usd_per_wagon_day) if abroad else Fraction(0)

    def wagon_type(self, with_orders: bool = True) -> WagonType:
        days, first, supply = self.problem.days, self.past.first, dict(self.supply)
        stands: dict[Place, int] = {}
        for stock in self.fleet:
            place = stock["node_id"], int(stock["gauge_mm"])
            stands[place] = min(max(int(stock["from_day"]), first), stands.get(place, days))
        homeward = Homeward(self.problem, self.book, self.row, self.network)
        lent_at = [place for place in stands if not homeward.owed or homeward.at_home(place)]
        hire_places = tuple(sorted(lent_at)) if self.settings.hire_allowed else ()
        starts = {place: first if place in hire_places else day for place, day in stands.items()}
        for spot, day in supply:
            starts[spot.place] = min(day, starts.get(spot.place, days))
        reached = {place: day for place, day in starts.items() if day < days}
        for place in self._places() if with_orders else ():
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
        for spot, units in self.past.hired.get(self.wagon_id, {}).items():
            if units:
                supply[spot, first] = supply.get((spot, first), 0) - units  # due back, or on hire for longer
        idle = exact(self.settings.idle_usd_per_wagon_day)
        return WagonType(
            wagon_id=self.wagon_id,
            load_t=load,
            tare_t=exact(self.row["tare_t"]),
            length_m=exact(self.row["length_m"]),
            hire_usd=exact(self.row["hire_usd_per_day"]),
            own=own,
            most=own + (sum(ceil(order.quantity_t / load) + 1 for _, order in self.mine) if with_orders else 0),
            first_day=first_day,
            supply=supply,
            hire_places=tuple(Spot(*place) for place in hire_places),
            night_usd={spot: idle + self.abroad_usd(spot.node_id) for spot in first_day},
            homeward=homeward,
        )

    def _places(self) -> list[Place]:
        """Ends of its orders, and where it is cleaned or maintained."""
        nodes = {node for cargo in self.asked for node in (cargo.origin, cargo.destination)}
        nodes |= {work["node_id"] for work in self.works}
        return sorted((node, gauge) for node in nodes for gauge in self.gauges)

    def ways(self, start: Place, end: Place, form: str = "") -> list[tuple[Way, frozenset[int] | None]]:
        """Fastest ways with the days of departure on which they are; None: on all."""
        usual = self.book.graph(self.gauges, self.row["gauge_change"], form).way(start, end)
        if usual is None:
            return []
        passed = {link for link, _ in usual.links}
        if not any(passed & closed for closed in self.calendar):
            return [(usual, None)]
        found: dict[tuple[str, ...], tuple[Way, frozenset[int]]] = {}
        for closed, days in self.calendar.items():
            way = self.way_around(closed, start, end, form) if passed & closed else usual
            if way is not None:
                found[way.path] = way, days | (found[way.path][1] if way.path in found else frozenset())
        return list(found.values())

    def way_around(self, closed: frozenset[str], start: Place, end: Place, form: str) -> Way | None:
        return self.book.graph(self.gauges, self.row["gauge_change"], form, closed=closed).way(start, end)

    def _terms(self, way: Way, loaded: bool) -> tuple[int, Fraction]:
        """Days of a run, and what one wagon pays on the way."""
        key = id(way), loaded, self.home if self.foreign else ""  # the route book keeps its ways
        if key not in self.terms:
            days = way.days(self.hours_per_day, self.terminal_days if loaded else NOTHING)
            usd = way.change_usd + self._abroad(way, days)
            self.terms[key] = days, usd if loaded else usd + self.per_km * way.length_km
        return self.terms[key]

    def _abroad(self, way: Way, days: int) -> Fraction:
        """Charge of the hours abroad of a run that takes so many days."""
        return self.foreign * days * way.share_abroad(self.home) if self.home and self.foreign else NOTHING

    def loaded(self, kind: WagonType) -> Iterator[Move]:
        priced: dict[tuple[str, ...], list[tuple[Place, Place, Way, int, Fraction, frozenset[int] | None]]] = {}
        layers: dict[str, list[tuple[str, str]]] = {}
        for cargo, order in self.mine:
            ends = cargo.origin, cargo.destination, cargo.form
            if ends not in priced:
                priced[ends] = list(self._loaded_ways(kind, *ends))
            if cargo.commodity_id not in layers:
                layers[cargo.commodity_id] = list(self.residues.taken(cargo.commodity_id, self.layers))
            for start, end, way, length, usd, on in priced[ends]:
                if on is not None and on.isdisjoint(order.window):
                    continue
                for before, after in layers[cargo.commodity_id]:
                    spots = Spot(*start, before), Spot(*end, after)
                    if kind.first_day.get(spots[0], self.problem.days) <= order.window[-1]:
                        yield Move(self.wagon_id, order.order_id, *spots, way, length, usd, "loaded", on)

    def _loaded_ways(
        self, kind: WagonType, origin: str, destination: str, form: str
    ) -> Iterator[tuple[Place, Place, Way, int, Fraction, frozenset[int] | None]]:
        for start in ((origin, g) for g in self.gauges):
            for end in ((destination, g) for g in self.gauges):
                if not kind.homeward.allows(start, end, loaded=True):
                    continue
                for way, on in self.ways(start, end, form):
                    length, usd = self._terms(way, loaded=True)
                    yield start, end, way, length, usd + kind.homeward.more_usd(start, end), on

    def empty(self, kind: WagonType) -> Iterator[Move]:
        by_layer: dict[str, list[Spot]] = {}
        for spot in kind.first_day:
            by_layer.setdefault(spot.residue, []).append(spot)
        for start, first in kind.first_day.items():
            for end in by_layer[start.residue]:
                if not kind.homeward.allows(start.place, end.place, loaded=False):
                    continue
                for way, on in self.ways(start.place, end.place):
                    length, usd = self._terms(way, loaded=False)
                    if first + length < self.problem.days and (on is None or max(on) >= first):
                        usd += kind.homeward.more_usd(start.place, end.place)
                        yield Move(self.wagon_id, "", start, end, way, length, usd, "empty", on)

    # --- what is spent before planning begins -------------------------------------------------------------------------

    def spent_usd(self, kind: WagonType) -> Fraction:
        """Runs, nights and hires of a running plan until now, and what its wagons owe where they come to stand."""
        first, days, usd = self.past.first, self.problem.days, Fraction(0)
        idle = exact(self.settings.idle_usd_per_wagon_day)
        for (spot, day), units in self.past.stock.get(self.wagon_id, {}).items():
            if day < first:
                usd += (idle + self.abroad_usd(spot.node_id)) * units * (first - day)
            if day < days:
                usd += (kind.homeward.usd(spot.place) or 0) * units
        usd += exact(self.row["hire_usd_per_day"]) * self.past.hire_days.get(self.wagon_id, 0)
        return usd + sum((self._run_usd(kind, run) * int(run["wagons"]) for run in self._gone), Fraction(0))

    @property
    def _gone(self) -> Sequence[Mapping[str, Any]]:
        return self.past.runs.get(self.wagon_id, ())

    def _run_usd(self, kind: WagonType, run: Mapping[str, Any]) -> Fraction:
        """Cost of one wagon of a run that has left, and what it owes where it comes out after the horizon."""
        days = int(run["arrive_day"]) - int(run["depart_day"])
        if run["kind"] in ("cleaning", "maintenance"):
            work = next(w for w in self.works if w["work_id"] == run["path"][0])
            return exact(work["cost_usd_per_wagon"]) + self.abroad_usd(run["from_node"]) * days
        way = self._gone_way(run)
        usd = way.change_usd + self._abroad(way, days)
        if int(run["arrive_day"]) >= self.problem.days:
            usd += kind.homeward.usd(run["end"].place) or 0
        return usd if run["order_id"] else usd + self.per_km * way.length_km

    def km(self, run: Mapping[str, Any]) -> Fraction:
        """Length of the way of a run that has left."""
        return self._gone_way(run).length_km

    def _gone_way(self, run: Mapping[str, Any]) -> Way:
        form = self.form_of[run["order_id"]] if run["order_id"] else ""
        closed = frozenset(c.link_id for c in self.problem.closed if c.first_day <= run["depart_day"] <= c.last_day)
        way = self.way_around(closed, run["start"].place, run["end"].place, form)
        if way is None or way.path != tuple(run["path"]):
            raise UsageError(f"run {run['run_id']} of the running plan does not go the fastest way; verify it first")
        return way
