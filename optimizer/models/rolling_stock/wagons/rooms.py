"""Room in yards and on trains, listed only where so many wagons can come together that it binds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import floor

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Way, exact
from optimizer.models.rolling_stock.wagons.data import UNITS, Move, Room, Unit, WagonType

LIMITS: Mapping[Unit, str] = {
    "wagons": "max_train_wagons", "gross_t": "max_train_gross_t", "length_m": "max_train_length_m"
}  # fmt: skip
"""Column of a link that limits one train."""


def weight(kind: WagonType, loaded: bool, unit: Unit) -> Fraction:
    """What one wagon of a type takes of a train."""
    if unit == "gross_t":
        return kind.tare_t + (kind.load_t if loaded else 0)
    return kind.length_m if unit == "length_m" else Fraction(1)


def link_rooms(problem: RollingStock, types: Mapping[str, WagonType], moves: Iterable[Move]) -> dict[str, Room]:
    """Links whose trains could be too few, too light or too short for all who may pass on one day; works likewise."""
    share = exact(problem.corridor.config.rolling_stock.path_share)
    on_way: dict[int, tuple[Way, set[tuple[str, bool]]]] = {}  # by the way: many moves share one
    for move in moves:
        on_way.setdefault(id(move.way), (move.way, set()))[1].add((move.wagon_id, bool(move.order_id)))
    users: dict[str, set[tuple[str, bool]]] = {}
    for way, takers in on_way.values():
        for link_id, _ in way.links:
            users.setdefault(link_id, set()).update(takers)
    found = {}
    for link in problem.table("links").to_dict("records"):
        passing = users.get(link["link_id"], set())
        if is_blank(link["capacity_trains_per_day"]) or not passing:
            continue
        trains = exact(link["capacity_trains_per_day"]) * share
        limit: dict[Unit, Fraction] = {}
        for unit in UNITS:
            if is_blank(link[LIMITS[unit]]):
                continue
            room = trains * exact(link[LIMITS[unit]])
            heaviest: dict[str, Fraction] = {}
            for k, loaded in passing:
                heaviest[k] = max(weight(types[k], loaded, unit), heaviest.get(k, Fraction(0)))
            if sum(types[k].most_at_all * each for k, each in heaviest.items()) > room:
                limit[unit] = Fraction(floor(room)) if unit == "wagons" else room
        if limit:
            found[link["link_id"]] = Room(limit)
    for work in problem.table("wagon_works").to_dict("records"):
        visitors, room = {k for k, _ in users.get(work["work_id"], set())}, work["capacity_wagons_per_day"]
        if not is_blank(room) and sum(types[k].most_at_all for k in visitors) > room:
            found[work["work_id"]] = Room({"wagons": exact(room)})
    return found


def yard_rooms(problem: RollingStock, types: Mapping[str, WagonType]) -> dict[str, int]:
    """Yards that all types with a place there could overfill."""
    room, nodes = {}, problem.table("nodes")
    for node_id, capacity in zip(nodes["node_id"], nodes["yard_capacity_wagons"], strict=True):
        visitors = sum(
            kind.most_at_all for kind in types.values() if any(place[0] == node_id for place in kind.first_day)
        )
        if not is_blank(capacity) and visitors > capacity:
            room[node_id] = int(capacity)
    return room
