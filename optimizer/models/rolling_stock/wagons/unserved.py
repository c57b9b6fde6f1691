"""Why tonnes stay behind, and the price from which a wagon would come for them.

The exact method prices an order by solving the relaxation again with a penalty that outweighs everything: what carrying
the rest costs more, a tonne, whatever that takes from others. The engine reads its price off the values of the bound:
what a wagon costs on a run, with what it is worth where it leaves less what it is worth where it comes out. Below the
price no wagon pays; whether a whole one pays from it on, ``explain`` finds by solving again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from optimizer.models.rolling_stock.problem import WAGON_TABLES, RollingStock, cells, frame
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.models.rolling_stock.wagons.data import UNITS, Move, Moves, Unit
from optimizer.models.rolling_stock.wagons.rooms import weight
from optimizer.result import Solution

NOISE = 1e-6


def tell_unserved(problem: RollingStock, moves: Moves, solution: Solution, prices: Mapping[str, float]) -> Solution:
    """The plan with a reason and, where it is known, a price (USD a tonne) for each order left behind."""
    rows = solution["unserved"].to_dict("records")
    left = {row["order_id"]: float(row["quantity_t"]) for row in rows}
    reasons = unserved_reasons(problem, left, moves, solution, prices) if left else {}
    told = [
        {**row, "reason": reasons[row["order_id"]], "served_from_usd_per_t": _finite(prices.get(row["order_id"]))}
        for row in rows
    ]
    return {**solution, "unserved": frame(told, WAGON_TABLES["unserved"])}


def _finite(price: float | None) -> float | None:
    return None if price == math.inf else price


def unserved_reasons(
    problem: RollingStock,
    left: Mapping[str, float],
    moves: Moves,
    solution: Solution | None = None,
    prices: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """
    Why orders are (partly) unserved; each reason is checked, in this order.

    No type suits the cargo; no suited type has rails (and gauge changes) from origin to destination; no suited wagon
    can reach the origin inside the window; with a plan, no train has room for one more wagon on any of its days; with
    prices (USD a tonne, inf: none is high enough), no wagon pays, or, where one would, no other wagon of the fleet has
    a way there and none for hire has. Otherwise wagons could come, and the plan has better use for them.
    """
    mine: dict[str, list[Move]] = defaultdict(list)
    for move in moves.loaded:
        if move.order_id in left:
            mine[move.order_id].append(move)
    room = None if solution is None else _Room(moves, solution)
    fleet, book = _Fleet(moves), RouteBook(problem.corridor)
    reasons = {}
    for row in problem.table("orders").to_dict("records"):
        order_id = row["order_id"]
        if order_id not in left:
            continue
        if order_id not in moves.orders:
            reasons[order_id] = f"its last day, {row['due_day']}, was over when the plan was taken up"
            continue
        reason = "" if mine[order_id] else _out_of_reach(problem, book, moves, row)
        reason = reason or _no_train(moves, order_id, mine[order_id], room)
        price = None if prices is None else prices.get(order_id)
        if not reason and price is not None:
            reason = _by_price(problem, fleet, row, price)
        reasons[order_id] = reason or "wagons could reach it, but cost more than the penalty or serve better elsewhere"
    return reasons


def _out_of_reach(problem: RollingStock, book: RouteBook, moves: Moves, row: Mapping[str, Any]) -> str:
    """Why no run of any day serves an order: what keeps back the types that come nearest to it."""
    if not moves.orders[row["order_id"]].suited:
        return f"no wagon type suits {row['commodity_id']}"
    hindrances: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for wagon in problem.table("wagons").to_dict("records"):
        hindrances[hindrance(problem, book, moves, wagon, row)].append(wagon)
    suited = [wagon for kind in ("way", "late", "return") for wagon in hindrances[kind]]
    if types := [wagon["wagon_id"] for wagon in hindrances["return"]]:
        return f"the return rule of {', '.join(types)} forbids the run"
    if hindrances["late"]:
        return f"no suited wagon of {_gauges(suited)} mm can be {_place_and_days(problem, moves, row)}"
    return f"no way by rail of {_gauges(suited)} mm"


def type_reason(
    problem: RollingStock, book: RouteBook, moves: Moves, wagon: Mapping[str, Any], row: Mapping[str, Any]
) -> str:
    """Why no run of a type serves an order, where none does."""
    return {
        "suit": f"does not suit {row['commodity_id']}",
        "way": f"no way by rail of {_gauges([wagon])} mm",
        "late": f"cannot be {_place_and_days(problem, moves, row)}",
        "return": "its return rule forbids the run",
    }[hindrance(problem, book, moves, wagon, row)]


Hindrance = Literal["suit", "way", "late", "return"]


def hindrance(
    problem: RollingStock, book: RouteBook, moves: Moves, wagon: Mapping[str, Any], row: Mapping[str, Any]
) -> Hindrance:
    """The first of four things that keep a type from an order which no run of it serves."""
    order, wagon_id = moves.orders.get(row["order_id"]), wagon["wagon_id"]
    if order is None:
        return "late"
    if wagon_id not in order.suited:
        return "suit"
    if not _has_way(book, wagon, problem.cargo_form[row["commodity_id"]], (row["origin"], row["destination"])):
        return "way"
    return "late" if _first_day(moves, wagon_id, row["origin"]) > order.window[-1] else "return"


def _gauges(wagons: Sequence[Mapping[str, Any]]) -> str:
    return "/".join(str(gauge) for gauge in sorted({int(gauge) for wagon in wagons for gauge in wagon["gauges_mm"]}))


def _origin(problem: RollingStock, row: Mapping[str, Any]) -> str:
    return str(problem.table("nodes").set_index("node_id").at[row["origin"], "name"])


def _place_and_days(problem: RollingStock, moves: Moves, row: Mapping[str, Any]) -> str:
    first, last = max(moves.first, int(row["release_day"])), min(int(row["due_day"]), moves.days - 1)
    name = _origin(problem, row)
    return f"at {name} on day {first} to {last}"


def _by_price(problem: RollingStock, fleet: _Fleet, row: Mapping[str, Any], price: float) -> str:
    asked = float(row["unserved_usd_per_t"])
    if asked * (1 + NOISE) < price < math.inf:
        return f"not worth it: a wagon would come from {price:,.2f} USD/t on, leaving it costs {asked:,.2f}"
    if few := _few_wagons(problem, fleet, row):
        return few
    if price == math.inf:
        return "no wagon more can come, whatever it were worth"
    return f"no whole wagon more can come or pays; a part of one would from {price:,.2f} USD/t on"


def _few_wagons(problem: RollingStock, fleet: _Fleet, row: Mapping[str, Any]) -> str:
    """Names the wagons of the suited types that can ever be at the origin; blank where one on hire can."""
    suited = fleet.moves.orders[row["order_id"]].suited
    few = {wagon_id: fleet.within_reach(wagon_id, row["origin"]) for wagon_id in suited}
    if any(count is None for count in few.values()):
        return ""
    wagons = ", ".join(f"{count:,} {wagon_id}" for wagon_id, count in few.items() if count)
    name = _origin(problem, row)
    return f"too few wagons: no others than {wagons} have a way to {name}, and none for hire has"


class _Fleet:
    """How many wagons have a way to a place; each answer is kept."""

    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        self._known: dict[tuple[str, str], int | None] = {}
        self._number = {
            kind.wagon_id: {spot: at for at, spot in enumerate(kind.first_day)} for kind in moves.types.values()
        }

    @cached_property
    def _before(self) -> Mapping[str, Sequence[int]]:
        """Type -> spots with a run to each of its spots, as bits."""
        before = {wagon_id: [0] * len(number) for wagon_id, number in self._number.items()}
        for move in (*self.moves.loaded, *self.moves.empty):
            number = self._number[move.wagon_id]
            if (end := number.get(move.end, -1)) >= 0:
                before[move.wagon_id][end] |= 1 << number[move.start]
        return before

    def within_reach(self, wagon_id: str, node_id: str) -> int | None:
        """Wagons of a type in the fleet with a way there, loaded or empty, at any time; None where hired ones have."""
        if (wagon_id, node_id) not in self._known:
            self._known[wagon_id, node_id] = self._count(wagon_id, node_id)
        return self._known[wagon_id, node_id]

    def _count(self, wagon_id: str, node_id: str) -> int | None:
        kind = self.moves.types.get(wagon_id)
        if kind is None:
            return 0
        number, before = self._number[wagon_id], self._before[wagon_id]
        reached = sum(1 << at for spot, at in number.items() if spot.node_id == node_id)
        new = reached
        while new:
            at = (new & -new).bit_length() - 1
            more = before[at] & ~reached
            reached |= more
            new = new & (new - 1) | more
        if any(reached >> number[spot] & 1 for spot in kind.hire_places if spot in number):
            return None
        return sum(units for (spot, _), units in kind.supply.items() if spot in number and reached >> number[spot] & 1)


def _first_day(moves: Moves, wagon_id: str, node_id: str) -> int:
    kind = moves.types.get(wagon_id)
    days = [] if kind is None else [day for spot, day in kind.first_day.items() if spot.node_id == node_id]
    return min(days, default=moves.days)


def _has_way(book: RouteBook, wagon: Mapping[str, Any], form: str, ends: tuple[str, str]) -> bool:
    """Whether the rails and gauge changes of a type lead from one place to another with a load."""
    gauges = tuple(sorted(int(g) for g in wagon["gauges_mm"]))
    graph = book.graph(gauges, wagon["gauge_change"], form)
    return any(graph.way((ends[0], a), (ends[1], b)) is not None for a in gauges for b in gauges)


class _Room:
    """What a plan leaves of the day's trains: (link, side, day) -> room by unit, where something passes."""

    def __init__(self, moves: Moves, solution: Solution) -> None:
        self.takes = {
            (kind.wagon_id, loaded): {unit: float(weight(kind, loaded, unit)) for unit in UNITS}
            for kind in moves.types.values()
            for loaded in (False, True)
        }
        self.limit = {
            link: {u: float(most) for u, most in room.limit.items()} for link, room in moves.link_room.items()
        }
        self.left: dict[tuple[str, bool, int], dict[Unit, float]] = {}
        scarce: dict[tuple[tuple[str, ...], str], list[tuple[str, bool]]] = {}  # one link is a path there and back
        for move in {id(move.way): move for move in (*moves.loaded, *moves.empty)}.values():  # many share a way
            scarce[move.way.path, move.start.node_id] = [key for key in move.way.links if key[0] in self.limit]
        passing: dict[tuple[tuple[str, ...], str, int, tuple[str, bool]], int] = defaultdict(int)
        columns = "path", "from_node", "depart_day", "wagon_id", "kind", "wagons"
        for path, start, day, wagon_id, kind, wagons in cells(solution["runs"], *columns):
            passing[path, start, day, (wagon_id, kind == "loaded")] += wagons
        for (path, start, day, taker), wagons in passing.items():
            takes = self.takes[taker]
            for link, backward in scarce.get((path, start), ()):
                rest = self.left.setdefault((link, backward, day), dict(self.limit[link]))
                for unit in rest:
                    rest[unit] -= takes[unit] * wagons

    def is_full(self, move: Move, link: str, backward: bool, day: int) -> bool:
        """Whether one wagon more of a loaded run does not fit."""
        rest, takes = self.left.get((link, backward, day), self.limit[link]), self.takes[move.wagon_id, True]
        return any(rest[unit] < takes[unit] - NOISE for unit in rest)


def _no_train(moves: Moves, order_id: str, mine: Sequence[Move], room: _Room | None) -> str:
    """Names the sections that leave no room for one more wagon, where that holds for every run of every day."""
    if room is None:
        return ""
    full: set[str] = set()
    for move in mine:
        scarce = [key for key in move.way.links if key[0] in room.limit]
        for day in moves.departures(move):
            tight = {link for link, backward in scarce if room.is_full(move, link, backward, day)}
            if not tight:
                return ""
            full |= tight
    window = moves.orders[order_id].window
    return f"no path: trains on {', '.join(sorted(full))} are full on day {window[0]} to {window[-1]}" if full else ""
