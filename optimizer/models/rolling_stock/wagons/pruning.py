"""Empty moves that others make superfluous."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizer.models.rolling_stock.wagons.data import Move, Spot


def without_replaceable(empty: list[Move], yard_room: Container[str], link_room: Container[str]) -> list[Move]:
    """Drop moves A-C that A-B and B-C replace: as many days, no more cost or hours.

    Kept are those that would stand in a limited yard at B or use a scarce train path on another day.
    """
    leaving: dict[tuple[str, Spot], dict[Spot, Move]] = {}
    for move in empty:
        if move.kind != "empty" or move.on is not None:
            continue  # what replaces another must run on every day
        leaving.setdefault((move.wagon_id, move.start), {})[move.end] = move
    scarce = {id(move): any(link_id in link_room for link_id, _ in move.way.links) for move in empty}

    def replaceable(move: Move) -> bool:
        for via, first in leaving.get((move.wagon_id, move.start), {}).items():
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

    return [move for move in empty if move.kind != "empty" or not replaceable(move)]
