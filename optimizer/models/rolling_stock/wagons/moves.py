"""What a wagon of each type can do: places, nights, loaded and empty moves with their days and exact cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from math import lcm
from typing import Any

from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import RollingStock, cells
from optimizer.models.rolling_stock.routes import RouteBook, exact
from optimizer.models.rolling_stock.wagons.data import Move, Moves, Orders, Spot, WagonType, Wear
from optimizer.models.rolling_stock.wagons.desk import Cargo, Desk
from optimizer.models.rolling_stock.wagons.past import Past, past_of
from optimizer.models.rolling_stock.wagons.pruning import without_replaceable
from optimizer.models.rolling_stock.wagons.rooms import link_rooms, yard_rooms
from optimizer.models.rolling_stock.wagons.ways import Ways
from optimizer.models.rolling_stock.wagons.works import wear_of, work_moves

__all__ = ["Move", "Moves", "Orders", "OutOfTimeError", "Spot", "WagonType", "Wear", "wagon_moves"]


MOST_PRUNED = 20_000
"""Empty runs up to which those are looked for that two others replace; of more, hardly any are found for the time."""


class OutOfTimeError(Exception):
    """Laying out the moves was cut short.

    ``moves`` holds wagons, orders and yards, all that a plan in which nothing moves is made of, but no runs.
    """

    def __init__(self, moves: Moves) -> None:
        super().__init__("the time was over before all ways were laid out")
        self.moves = moves


@collector_paused()
def wagon_moves(
    problem: RollingStock,
    book: RouteBook | None = None,
    prune: bool = True,
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
    past = past_of(problem)
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    asked = _asked(problem, wagons)
    orders = {order.order_id: order for order in _orders(problem, wagons, asked, past)}
    types: dict[str, WagonType] = {}
    loaded, empty, wear, late = list[Move](), list[Move](), list[Wear](), False
    spent, ways = Fraction(0), Ways(problem, book or RouteBook(problem.corridor), past.first)
    for wagon_id, row in wagons.items():
        desk = Desk(problem, ways, row, [cargo for cargo in asked if wagon_id in cargo.suited], orders, past)
        kind = desk.wagon_type(with_orders=not late)
        spent += desk.spent_usd(kind)
        if not kind.first_day:
            continue
        types[wagon_id] = kind
        if late:
            continue
        mine = [_in_time(desk.loaded(kind), over), _in_time(desk.empty(kind), over)]
        if None in mine:
            late, loaded, empty, wear = True, [], [], []
            continue
        loaded += mine[0] or ()
        empty += mine[1] or ()
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
    moves = Moves(
        problem.days, types, orders, tuple(loaded), tuple(empty), yard_room, link_room, spent, tuple(wear), past.first,
        hired, past.tables, lost,
    )  # fmt: skip
    if late:
        raise OutOfTimeError(moves)
    return moves


def _in_time(moves: Iterable[Move], over: Callable[[], bool]) -> list[Move] | None:
    """The moves; None where it is time to stop."""
    found = list[Move]()
    for number, move in enumerate(moves):
        if not number % 100 and over():
            return None
        found.append(move)
    return found


def _asked(problem: RollingStock, wagons: Mapping[str, Mapping[str, Any]]) -> list[Cargo]:
    form, suited_by = problem.cargo_form, dict[str, list[str]]()
    for wagon_id, commodity_id in cells(problem.table("wagon_suits"), "wagon_id", "commodity_id"):
        if wagon_id in wagons:
            suited_by.setdefault(commodity_id, []).append(wagon_id)
    return [
        Cargo(
            row["order_id"], row["origin"], row["destination"], row["commodity_id"], form[row["commodity_id"]],
            exact(row["quantity_t"]), exact(row["unserved_usd_per_t"]), (int(row["release_day"]), int(row["due_day"])),
            tuple(sorted(suited_by.get(row["commodity_id"], ()))),
        )
        for row in problem.table("orders").to_dict("records")
    ]  # fmt: skip


def _orders(
    problem: RollingStock, wagons: Mapping[str, Mapping[str, Any]], asked: Iterable[Cargo], past: Past
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
