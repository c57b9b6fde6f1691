"""The time-space network of all wagon types as arrays, numbered once for relaxation, flows and bounds.

A *site* is a type at a place (station and gauge); its *state* on day ``t`` has number ``site * days + t``, the morning
of the day. The last night of the horizon ends outside, written as state -1. Arcs between states:

- a night from a state to the next day's, at the night cost;
- a day on hire from the next day's state back to the state, at the hire: a wagon taken on day 3 and handed back on day
  5 goes round the nights it did not stand there;
- an empty run on a day, one of ``num_empties * days``;
- a loaded run, one *choice* of an order: a move and a day of its window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from optimizer.models.rolling_stock.wagons.data import UNITS, Unit
from optimizer.models.rolling_stock.wagons.moves import Move, Moves, Spot
from optimizer.models.rolling_stock.wagons.rooms import weight

Array = np.ndarray
SIDES = False, True
"""A link from -> to, and against it."""


class Links(NamedTuple):
    """Scarce links of moves (CSR): ``number`` and ``weight`` of those of a move lie between its two pointers."""

    pointers: Array
    number: Array
    weight: Array


@dataclass(frozen=True, eq=False)
class Layout:
    """Arrays over sites (n), empty moves (e), choices (c) and orders (o).

    Attributes
    ----------
    site_type, site_first, site_night_usd, site_hire_usd
        (n,) number of the type, first day a wagon can stand there, cost of a night, hire a day (``inf``: none).
    supply
        (n * days,) own wagons that become free.
    empty_from, empty_to, empty_days, empty_usd
        (e,) sites, days and cost; sorted by the site left, ``empty_start`` (n + 1,) points at the first of each.
    choice_order, choice_type, choice_move, choice_day, choice_tail, choice_head, choice_usd
        (c,) sorted by order, type, move and day; ``choice_start`` (o + 1,). ``choice_head`` is -1 after the horizon.
    load_t
        (types,) tonnes of a wagon.
    quantity_t, most_t, unserved_usd
        (o,) tonnes, largest sum of loads, penalty a tonne.
    link_limit, yard_room
        Wagons, tonnes or metres a day over each scarce link and direction, one entry for each unit that can bind;
        wagons a night in each scarce yard.
    empty_links, choice_links
        The entries of ``link_limit`` that empty moves and loaded moves use, and how much of it.
    site_yard
        (n,) number of the scarce yard, or -1.
    owed_usd
        What the fleet owes the home railways at first, part of every cost.
    """

    moves: Moves
    days: int
    site_type: Array
    site_first: Array
    site_night_usd: Array
    site_hire_usd: Array
    supply: Array
    empty_number: Array
    empty_from: Array
    empty_to: Array
    empty_days: Array
    empty_usd: Array
    empty_start: Array
    choice_order: Array
    choice_type: Array
    choice_move: Array
    choice_day: Array
    choice_tail: Array
    choice_head: Array
    choice_usd: Array
    choice_start: Array
    load_t: Array
    quantity_t: Array
    most_t: Array
    unserved_usd: Array
    link_limit: Array
    yard_room: Array
    empty_links: Links
    choice_links: Links
    site_yard: Array
    owed_usd: float

    @property
    def num_sites(self) -> int:
        return len(self.site_type)

    @property
    def num_states(self) -> int:
        return len(self.site_type) * self.days

    @property
    def num_orders(self) -> int:
        return len(self.quantity_t)

    @cached_property
    def possible(self) -> Array:
        """(e, days) empty runs that exist."""
        day = np.arange(self.days)[None, :]
        begin = self.site_first[self.empty_from][:, None]
        return np.asarray((day >= begin) & (day < self.days - self.empty_days[:, None]) & ~self.shut)

    @cached_property
    def shut(self) -> Array:
        """(e, days) empty runs whose way has a closed link that day."""
        shut, moves = np.zeros((len(self.empty_usd), self.days), dtype=bool), self.moves.empty
        for move, number in enumerate(self.empty_number):
            on = moves[number].on
            if on is not None:
                shut[move] = True
                shut[move, list(on)] = False
        return shut

    @property
    def limit_keys(self) -> list[tuple[str, str, str]]:
        """Link, direction and unit of each entry of ``link_limit``."""
        return [
            (link, words, unit)
            for link, room in self.moves.link_room.items()
            for words in ("forth", "back")
            for unit in room.limit
        ]

    @cached_property
    def kept_on_hire(self) -> Array:
        """(states,) wagons on hire where a running plan hands none back."""
        hired = np.zeros(self.num_states, dtype=np.int64)
        number = {key: site for site, key in enumerate(self.site_keys)}
        for (wagon_id, spot, day), units in self.moves.kept_on_hire().items():
            hired[number[wagon_id, spot] * self.days + day] = units
        return hired

    @cached_property
    def site_keys(self) -> list[tuple[str, Spot]]:
        """Type and place of each site."""
        return [(kind.wagon_id, place) for kind in self.moves.types.values() for place in kind.first_day]


def lay_out(moves: Moves) -> Layout:
    """Number everything that ``moves`` offers."""
    days, kinds = moves.days, list(moves.types.values())
    site = {(kind.wagon_id, place): 0 for kind in kinds for place in kind.first_day}
    site = {key: number for number, key in enumerate(site)}
    site_of = {kind.wagon_id: {place: site[kind.wagon_id, place] for place in kind.first_day} for kind in kinds}
    type_number = {kind.wagon_id: number for number, kind in enumerate(kinds)}
    order_number = {order_id: number for number, order_id in enumerate(moves.orders)}
    supply = np.zeros(len(site) * days, dtype=np.int64)
    for kind in kinds:
        for (place, day), units in kind.supply.items():
            supply[site[kind.wagon_id, place] * days + day] += units
    hire = [float(kind.hire_usd) if place in kind.hire_places else np.inf for kind in kinds for place in kind.first_day]
    first = np.array([day for kind in kinds for day in kind.first_day.values()], dtype=np.int64)

    begin = np.array([site_of[m.wagon_id][m.start] for m in moves.empty], dtype=np.int64)
    by_start = np.argsort(begin, kind="stable")
    empty_from = begin[by_start]
    empties = [moves.empty[i] for i in by_start.tolist()]

    # A place no wagon sees within the horizon is reached behind it: any number will do.
    ends = [(site_of[m.wagon_id][m.start], site_of[m.wagon_id].get(m.end, 0)) for m in moves.loaded]
    of_move = np.array(ends, dtype=np.int64).reshape(-1, 2)
    mine = np.array([(order_number[m.order_id], type_number[m.wagon_id], m.days) for m in moves.loaded], dtype=np.int64)
    departures = [list(moves.departures(move)) for move in moves.loaded]
    move_of = np.repeat(np.arange(len(departures)), [len(each) for each in departures])
    departs = np.array([day for each in departures for day in each], dtype=np.int64)
    order, kind_of, length = mine.reshape(-1, 3)[move_of].T
    sorting = np.lexsort((departs, move_of, kind_of, order))
    order, kind_of, move_of, departs = order[sorting], kind_of[sorting], move_of[sorting], departs[sorting]
    (start_site, end_site), arrive = of_move[move_of].T, departs + length[sorting]

    limits = {
        (link, side, unit): float(limit)
        for link, room in moves.link_room.items()
        for side in SIDES
        for unit, limit in room.limit.items()
    }
    yard_number = {node: at for at, node in enumerate(moves.yard_room)}
    return Layout(
        moves=moves, days=days,
        site_type=np.array([type_number[wagon_id] for wagon_id, _ in site], dtype=np.int64),
        site_first=first,
        site_night_usd=np.array([float(k.night_usd[p]) for k in kinds for p in k.first_day]),
        site_hire_usd=np.array(hire, dtype=float),
        supply=supply,
        empty_number=by_start, empty_from=empty_from,
        empty_to=np.array([site_of[m.wagon_id][m.end] for m in empties], dtype=np.int64),
        empty_days=np.array([m.days for m in empties], dtype=np.int64),
        empty_usd=np.array([float(m.usd) for m in empties]),
        empty_start=np.searchsorted(empty_from, np.arange(len(site) + 1)),
        choice_order=order, choice_type=kind_of, choice_move=move_of, choice_day=departs,
        choice_tail=start_site * days + departs, choice_head=np.where(arrive < days, end_site * days + arrive, -1),
        choice_usd=np.array([float(move.usd) for move in moves.loaded])[move_of],
        choice_start=np.searchsorted(order, np.arange(len(moves.orders) + 1)),
        load_t=np.array([float(kind.load_t) for kind in kinds]),
        quantity_t=np.array([float(o.quantity_t) for o in moves.orders.values()]),
        most_t=np.array([float(o.most_t) for o in moves.orders.values()]),
        unserved_usd=np.array([float(o.unserved_usd) for o in moves.orders.values()]),
        link_limit=np.array(list(limits.values())),
        yard_room=np.array(list(moves.yard_room.values()), dtype=np.int64),
        empty_links=_links(moves, empties, list(limits)),
        choice_links=_links(moves, moves.loaded, list(limits)),
        site_yard=np.array([yard_number.get(place[0], -1) for _, place in site], dtype=np.int64),
        owed_usd=float(moves.owed_usd),
    )  # fmt: skip


def _links(moves: Moves, some: Sequence[Move], limited: Sequence[tuple[str, bool, Unit]]) -> Links:
    """Scarce links of each move, in every unit that can bind, and what a wagon takes of them."""
    entries: dict[tuple[str, bool], list[int]] = {}
    for at, (link, side, _) in enumerate(limited):
        entries.setdefault((link, side), []).append(at)
    on_way: dict[int, list[int]] = {}  # by the way: many moves share one
    numbers = list[list[int]]()
    for move in some:
        mine = on_way.get(id(move.way))
        if mine is None:
            mine = on_way[id(move.way)] = [at for key in move.way.links for at in entries.get(key, ())]
        numbers.append(mine)
    kinds = {wagon_id: number for number, wagon_id in enumerate(moves.types)}
    taker = np.array([2 * kinds[move.wagon_id] + bool(move.order_id) for move in some], dtype=np.int64)
    how = [(kind, loaded) for kind in moves.types.values() for loaded in (False, True)]
    takes = np.array([[float(weight(*each, unit)) for unit in UNITS] for each in how]).reshape(-1, len(UNITS))
    count = np.array([len(each) for each in numbers], dtype=np.int64)
    number = np.fromiter(chain.from_iterable(numbers), dtype=np.int64, count=int(count.sum()))
    unit_of = np.array([UNITS.index(unit) for _, _, unit in limited], dtype=np.int64)
    return Links(
        np.concatenate([[0], np.cumsum(count)]).astype(np.int64), number, takes[taker.repeat(count), unit_of[number]]
    )


def expand(links: Links, moves: Array) -> tuple[Array, Array, Array]:
    """Position in ``moves``, number and weight of every scarce link that the moves use."""
    count = links.pointers[moves + 1] - links.pointers[moves]
    column = np.repeat(np.arange(len(moves)), count)
    offset = np.arange(len(column)) - np.repeat(np.cumsum(count) - count, count)
    at = links.pointers[moves][column] + offset
    return column, links.number[at], links.weight[at]
