"""Room in yards and on trains, listed only where so many wagons can come together that it binds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import floor

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import exact
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
    users: dict[str, dict[str, set[bool]]] = {}
    for move in moves:
        for link_id, _ in move.way.links:
            users.setdefault(link_id, {}).setdefault(move.wagon_id, set()).add(bool(move.order_id))
    found = {}
    for link in problem.table("links").to_dict("records"):
        passing = users.get(link["link_id"], {})
        if is_blank(link["capacity_trains_per_day"]) or not passing:
            continue
        trains = exact(link["capacity_trains_per_day"]) * share
        limit: dict[Unit, Fraction] = {}
        for unit in UNITS:
            if is_blank(link[LIMITS[unit]]):
                continue
            room = trains * exact(link[LIMITS[unit]])
            weights = {k: [weight(types[k], loaded, unit) for loaded in how] for k, how in passing.items()}
            if sum(types[k].most_at_all * max(mine) for k, mine in weights.items()) > room:
                limit[unit] = Fraction(floor(room)) if unit == "wagons" else room
        if limit:
            found[link["link_id"]] = Room(limit)
    for work in problem.table("wagon_works").to_dict("records"):
        passing, room = users.get(work["work_id"], {}), work["capacity_wagons_per_day"]
        if not is_blank(room) and sum(types[k].most_at_all for k in passing) > room:
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
