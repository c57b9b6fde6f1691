"""The residual network of the compiled searches, laid out: what does not change, and a flow without any wagon."""

from __future__ import annotations

import numpy as np

from optimizer.models.rolling_stock.wagons.flows import SCALE
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.residual_kernels import FAR, Ball, Flow, Network

WIDE_STATES = 12_000
"""States from which only near empty moves are looked at."""
NEAREST, NEAREST_DEPOTS = 12, 20
"""Empty moves kept: from and to each site so many nearest sites, and hire places among so many nearest."""


def whole(usd: Array) -> Array:
    """Thousandths of a USD."""
    return np.rint(usd * SCALE).astype(np.int64)


def near_moves(layout: Layout) -> Array:
    """Numbers of the empty moves between near sites, and to hire places; all moves of a small network."""
    lay = layout
    if lay.num_states <= WIDE_STATES:
        return np.arange(len(lay.empty_usd))
    depot = np.isfinite(lay.site_hire_usd)[lay.empty_to]
    kept = np.zeros(len(lay.empty_usd), dtype=bool)
    for ends in (lay.empty_from, lay.empty_to):
        order = np.lexsort((lay.empty_usd, ends))
        rank = np.zeros(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.searchsorted(ends[order], ends[order])
        kept |= (rank < NEAREST) | depot & (rank < NEAREST_DEPOTS)
    return np.flatnonzero(kept)


def network(layout: Layout, moves: Array) -> Network:
    """Nights, hires, the empty moves of some numbers and loaded runs."""
    lay, sites = layout, np.arange(layout.num_sites + 1)
    begin, end = lay.empty_from[moves], lay.empty_to[moves]
    column, link, takes = expand(lay.empty_links, moves)
    takes, enough = taken(takes), np.ones(len(lay.link_limit), dtype=np.int64)
    np.maximum.at(enough, link, takes)
    by_link = np.argsort(link, kind="stable")
    loaded, loaded_link, loaded_takes = expand(lay.choice_links, lay.choice_move)
    by_end = np.argsort(end, kind="stable")
    hired = np.isfinite(lay.site_hire_usd)
    return Network(
        days=lay.days, sites=lay.num_sites, kind=lay.site_type,
        kind_start=np.searchsorted(lay.site_type, np.arange(len(lay.load_t) + 1)),
        first=lay.site_first, night=whole(np.repeat(lay.site_night_usd, lay.days)),
        hire=np.where(hired, whole(np.where(hired, lay.site_hire_usd, 0.0)), -1),
        yard=np.where(lay.site_yard >= 0, (len(lay.link_limit) + lay.site_yard) * lay.days, -1),
        start=np.searchsorted(begin, sites), to=end, origin=begin, length=lay.empty_days[moves],
        cost=whole(np.repeat(lay.empty_usd[moves][None, :], lay.days, axis=0)),
        in_start=np.searchsorted(end[by_end], sites), in_move=by_end,
        link_start=_pointers(column, len(moves)), link=link * lay.days, link_takes=takes,
        user_start=np.searchsorted(link[by_link], np.arange(len(lay.link_limit) + 1)), user=column[by_link],
        user_takes=takes[by_link],
        enough=enough,
        tail=lay.choice_tail,
        head=np.where(lay.choice_head < 0, lay.num_states + lay.choice_type, lay.choice_head),
        usd=whole(lay.choice_usd), choice_day=lay.choice_day,
        choice_link_start=_pointers(loaded, len(lay.choice_usd)), choice_link=loaded_link * lay.days,
        choice_takes=taken(loaded_takes),
    )  # fmt: skip


def taken(weight: Array) -> Array:
    """Thousandths of a wagon, tonne or metre; rounded up, as limits are rounded down, but for errors of their sums."""
    return np.maximum(1, np.ceil(weight * 1000 - 1e-6)).astype(np.int64)


def _pointers(rows: Array, count: int) -> Array:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int64)


def empty_flow(layout: Layout, net: Network, possible: Array) -> Flow:
    """No wagon anywhere; ``possible`` (days, e) empty runs."""
    lay, states, days = layout, layout.num_states, layout.days
    nodes = states + len(lay.load_t)
    room = np.floor(lay.link_limit * 1000 + 1e-6).astype(np.int64)
    closed = np.ascontiguousarray(~possible).astype(np.int16)  # (days, e)
    for link in np.flatnonzero(room < net.enough):
        np.add.at(closed.T, net.user[net.user_start[link] : net.user_start[link + 1]], 1)
    return Flow(
        value=np.zeros(nodes, dtype=np.int64), stand=np.zeros(states, dtype=np.int64),
        hired=np.zeros(states, dtype=np.int64),
        run=np.zeros(possible.shape, dtype=np.int32), arriving=np.zeros(states, dtype=np.int64),
        leaving=np.zeros(states, dtype=np.int64), closed=closed,
        free=np.concatenate([np.repeat(room, days), np.repeat(lay.yard_room, days)]).astype(np.int64),
        wagons=np.zeros(len(lay.choice_usd), dtype=np.int64),
        near=_ball(nodes), far=_ball(nodes), met=np.zeros(2, dtype=np.int64),
    )  # fmt: skip


def _ball(nodes: int) -> Ball:
    whole = [np.zeros(nodes, dtype=np.int64) for _ in range(3)]
    return Ball(
        distance=np.full(nodes, FAR, dtype=np.int64), kind=np.zeros(nodes, dtype=np.int8),
        move=np.zeros(nodes, dtype=np.int32), parent=whole[0], seen=whole[1], heap=whole[2],
        place=np.full(nodes, -1, dtype=np.int64), sizes=np.zeros(3, dtype=np.int64),
    )  # fmt: skip
