"""Locomotives on arrays: what each type can do when, by layers of units that are due in a shop at the same time.

A *layer* holds the units of a type that were last in a shop at the same time: before the horizon, or in a window. Its
units do nothing that ends after ``due_min``; where their kilometres can run out they have a budget. A unit passes into
another layer through a shop window. A layer has a time line of events at each place: what comes free, leaves or enters
a shop. Units that stand there are the flow along it.

Light moves start when locomotives come free, towards a home, or arrive just in time for a stage or shop, or, where that
is too late, at the last minute at which they may: all others cost the same or more. Where one leaves after another came
in, there is an event: a unit may go home between two trains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.locomotives.trains import Stage, TrainPlan, link_minutes
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import RouteBook, Way, exact

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEVER = 2**40
"""Minute of what does not happen; also the step between places in the keys of events."""
LIKELY_SHARE = 0.4
"""A relaxation counts kilometres of units with fewer left than such a share of what the fastest link allows."""


@dataclass(frozen=True)
class Stock:
    """Units of a row of the fleet table."""

    fleet_id: str
    place: int
    minute: int
    units: int


@dataclass(frozen=True)
class Window:
    """A row of ``shop_windows`` of the type."""

    window_id: str
    place: int
    from_min: int
    until_min: int
    units: int


@dataclass(frozen=True)
class Layer:
    """
    Units due together: those of ``stock``, and those that leave a window (``entries``: numbers of windows).

    ``budget_km`` is what each of them can run before the next shop, ``inf`` where time sees to it.
    """

    due_min: int
    budget_km: float
    stock: tuple[Stock, ...] = ()
    entries: tuple[int, ...] = ()

    @property
    def limited(self) -> bool:
        return bool(np.isfinite(self.budget_km))


@dataclass(frozen=True)
class LightArcs:
    """Light moves: ends (numbers of places), minutes, kilometres, and the events they leave and reach (-1: none)."""

    start: Ints
    end: Ints
    leave_min: Ints
    arrive_min: Ints
    km: Floats
    usd: Floats
    from_event: Ints
    to_event: Ints


@dataclass(frozen=True)
class LocoNetwork:
    """
    Everything one type can do.

    Attributes
    ----------
    usd_per_min
        Cost of a unit away from home.
    stages
        Numbers of the stages that a consist with the type can haul.
    event_place, event_min
        Shape (events,): events by place and minute.
    couple_event, free_event
        Shape (stages,): where the units of a stage come from and, ``connection_min`` after its end, go to.
    shop_km
        What a unit can run when it leaves a shop.
    stay_usd
        Shape (events,): one unit waiting there until the next event of the place or, after the last, for good.
    """

    loco_id: str
    usd_per_min: Fraction
    shop_km: float
    places: tuple[str, ...]
    homes: frozenset[int]
    windows: tuple[Window, ...]
    layers: tuple[Layer, ...]
    stages: Ints
    event_place: Ints
    event_min: Ints
    couple_event: Ints
    free_event: Ints
    stay_usd: Floats
    light: LightArcs
    ways: Mapping[tuple[int, int], Way]

    @property
    def units(self) -> int:
        return sum(stock.units for layer in self.layers for stock in layer.stock)

    def event(self, place: int, minute: int) -> int:
        """Number of an event that is there."""
        key = place * NEVER + minute
        return int(np.searchsorted(self.event_place * NEVER + self.event_min, key))


def way_minutes(way: Way, hours_per_day: Fraction) -> int:
    """Minutes of a light move: each link is rounded up on its own, as for trains."""
    return sum(link_minutes(hours, hours_per_day) for hours in way.edge_hours)


def loco_networks(
    problem: RollingStock, plan: TrainPlan, stages: Sequence[Stage], single: bool
) -> tuple[LocoNetwork, ...]:
    """
    Networks of all types with units on hand that can haul one of ``stages``.

    Parameters
    ----------
    single
        Give every unit whose kilometres are limited a layer of its own. Then every plan keeps the limits;
        else units that start together keep them in total only, and those fresh from a shop or with
        kilometres enough for most plans not at all.
    """
    book = RouteBook(problem.corridor)
    fleet: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in problem.table("fleet").to_dict("records"):
        fleet[row["type_id"]].append(row)
    hauled: dict[str, list[int]] = defaultdict(list)
    for number, stage in enumerate(stages):
        for loco_id in {loco_id for consist in stage.consists for loco_id, _ in consist}:
            hauled[loco_id].append(number)
    shops: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in problem.table("shop_windows").to_dict("records"):
        shops[row["loco_id"]].append(row)
    return tuple(
        _network(problem, book, loco, fleet[loco["loco_id"]], shops[loco["loco_id"]],
                 [(n, stages[n]) for n in hauled[loco["loco_id"]]], single)
        for loco in problem.table("locomotives").to_dict("records")
        if hauled[loco["loco_id"]] and any(row["from_day"] < problem.days for row in fleet[loco["loco_id"]])
    )  # fmt: skip


def _network(
    problem: RollingStock, book: RouteBook, loco: Mapping[str, Any], fleet: Sequence[Mapping[str, Any]],
    shops: Sequence[Mapping[str, Any]], stages: Sequence[tuple[int, Stage]], single: bool,
) -> LocoNetwork:  # fmt: skip
    settings, end = problem.corridor.config.rolling_stock, problem.days * MINUTES_PER_DAY
    rate = exact(loco["cost_usd_per_day"]) / MINUTES_PER_DAY
    names = sorted(
        {name for _, s in stages for name in (s.from_node, s.to_node)} | {row["node_id"] for row in (*fleet, *shops)}
    )
    at = {name: number for number, name in enumerate(names)}
    homes = frozenset(at[row["node_id"]] for row in fleet)
    stock = [
        (Stock(row["fleet_id"], at[row["node_id"]], int(row["from_day"]) * MINUTES_PER_DAY, int(row["units"])), row)
        for row in fleet
        if row["from_day"] < problem.days
    ]
    windows = tuple(
        Window(row["window_id"], at[row["node_id"]], int(row["from_min"]), int(row["until_min"]), int(row["units"]))
        for row in shops
        if row["from_min"] < end
    )
    last_min = max(end, max(s.arrive_min for _, s in stages))
    links = problem.table("links")
    fastest_kmh = float(links.loc[links["gauge_mm"] == loco["gauge_mm"], "speed_kmh"].max())
    layers = _layers(loco, stock, windows, last_min, fastest_kmh, single)
    connection = settings.connection_min
    leave = np.array([[at[s.from_node], s.depart_min] for _, s in stages], np.int64)
    free = np.array([[at[s.to_node], s.arrive_min + connection] for _, s in stages], np.int64)
    opens = np.array([(w.place, w.from_min) for w in windows], np.int64).reshape(-1, 2)
    shuts = np.array([(w.place, w.until_min) for w in windows], np.int64).reshape(-1, 2)
    stands = np.array([(s.place, s.minute) for s, _ in stock], np.int64).reshape(-1, 2)
    wanted = np.unique(_keys(np.concatenate([leave, opens])))
    released = np.unique(_keys(np.concatenate([free, shuts, stands])))
    graph = book.graph((int(loco["gauge_mm"]),), wired_only=loco["traction"] == "electric")
    gauge = int(loco["gauge_mm"])
    ways = {
        (a, b): way
        for a, start in enumerate(names)
        for b, there in enumerate(names)
        if (way := graph.way((start, gauge), (there, gauge))) is not None
    }
    per_day = exact(settings.hours_per_day)
    minutes = {pair: way_minutes(way, per_day) for pair, way in ways.items()}
    dues = {layer.due_min for layer in layers if layer.due_min < end}
    moves = np.unique(np.concatenate([
        _light_moves(ways, minutes, homes, wanted, released, connection, end),
        *(_light_moves(ways, minutes, homes, np.unique(_keys(opens)), released, connection, due) for due in dues),
    ]), axis=0)  # fmt: skip
    events = np.union1d(wanted, released)
    events = np.union1d(events, _turns(moves, events))
    place, minute = events // NEVER, events % NEVER
    light = _light_arcs(moves, ways, minutes, homes, events, float(rate), connection, end)
    follows = np.r_[place[1:] == place[:-1], False]
    until = np.where(follows, np.r_[minute[1:], 0], np.maximum(end, minute))
    away = ~np.isin(place, sorted(homes))
    stay = np.where(away, np.maximum(0, np.minimum(until, end) - np.minimum(minute, end)), 0) * float(rate)
    shop_km = float("inf") if is_blank(loco["maintenance_km"]) else float(loco["maintenance_km"])
    return LocoNetwork(
        loco["loco_id"], rate, shop_km, tuple(names), homes, windows, layers,
        np.array([n for n, _ in stages], np.int64), place, minute,
        np.searchsorted(events, _keys(leave)), np.searchsorted(events, _keys(free)), stay, light, ways,
    )  # fmt: skip


def _keys(pairs: Ints) -> Ints:
    return pairs[:, 0] * NEVER + pairs[:, 1]


def _layers(
    loco: Mapping[str, Any], stock: Sequence[tuple[Stock, Mapping[str, Any]]], windows: Sequence[Window],
    last_min: int, fastest_kmh: float, single: bool,
) -> tuple[Layer, ...]:  # fmt: skip
    days, km = loco["maintenance_days"], loco["maintenance_km"]

    def due(since_days: Any) -> int:
        if is_blank(days):
            return NEVER
        minute = (exact(days) - (0 if is_blank(since_days) else exact(since_days))) * MINUTES_PER_DAY
        return NEVER if minute >= last_min else int(minute // 1)

    def budget(since_km: Any, minutes: int) -> float:
        """What is left to run; infinite where the minutes that are left do not allow for more."""
        if is_blank(km):
            return float("inf")
        left = max(0.0, float(exact(km) - (0 if is_blank(since_km) else exact(since_km))))
        most = minutes * fastest_kmh / 60 * (1.0 if single else LIKELY_SHARE)
        return left if left < most else float("inf")

    free: dict[int, tuple[list[Stock], list[int]]] = defaultdict(lambda: ([], []))
    layers: list[Layer] = []
    for part, row in stock:
        limit = due(row["days_since_maintenance"])
        left = budget(row["km_since_maintenance"], min(limit, last_min))
        if not np.isfinite(left):
            free[limit][0].append(part)
        elif single:
            layers += [Layer(limit, left, (Stock(part.fleet_id, part.place, part.minute, 1),))] * part.units
        else:
            layers.append(Layer(limit, left, (part,)))
    for number, window in enumerate(windows):
        limit = due(0) if is_blank(days) else due(-Fraction(window.until_min, MINUTES_PER_DAY))
        left = budget(0, min(limit, last_min) - window.until_min) if single else float("inf")
        if not np.isfinite(left):
            free[limit][1].append(number)
        elif not is_blank(days) or not is_blank(km):
            layers += [Layer(limit, left, entries=(number,))] * (window.units if single else 1)
    together = [Layer(due, float("inf"), tuple(s), tuple(w)) for due, (s, w) in sorted(free.items())]
    return (*together, *layers)


def _light_moves(
    ways: Mapping[tuple[int, int], Way], minutes: Mapping[tuple[int, int], int], homes: frozenset[int],
    wanted: Ints, released: Ints, connection: int, latest: int,
) -> Ints:  # fmt: skip
    """
    Shape (moves, 4): start, end, minute of leaving, and minute from which the unit counts as being there.

    They end at ``latest`` at the latest.
    """
    parts: list[Ints] = []
    wants, frees = _by_place(wanted), _by_place(released)
    for a, b in ways:
        takes = minutes[a, b] + connection
        need, come = wants.get(b, wanted[:0]), frees.get(a, released[:0])
        last = np.minimum(need - takes, latest - minutes[a, b])
        if a in homes:
            leave, reach = last, need
        elif b in homes:
            leave = come
            reach = come + takes
        else:
            before = np.searchsorted(come, last, side="right") - 1
            before, first = np.unique(before, return_index=True)
            leave, reach = come[before[before >= 0]], need[first[before >= 0]]
        kept = (leave >= 0) & (leave + minutes[a, b] <= latest)
        parts.append(np.column_stack([np.full((kept.sum(), 2), (a, b)), leave[kept], reach[kept]]))
    return np.concatenate(parts) if parts else np.zeros((0, 4), np.int64)


def _turns(moves: Ints, events: Ints) -> Ints:
    """Keys of light moves that leave after another came in since the last event: the two meet in an event only."""
    leaves, comes = np.unique(_keys(moves[:, [0, 2]])), np.unique(_keys(moves[:, [1, 3]]))
    marks = np.r_[-1, np.union1d(events, leaves)]
    since = np.maximum(marks[np.searchsorted(marks, leaves) - 1], leaves // NEVER * NEVER - 1)
    return leaves[np.searchsorted(comes, leaves, side="right") > np.searchsorted(comes, since, side="right")]


def _light_arcs(
    moves: Ints, ways: Mapping[tuple[int, int], Way], minutes: Mapping[tuple[int, int], int], homes: frozenset[int],
    events: Ints, rate: float, connection: int, end: int,
) -> LightArcs:  # fmt: skip
    from_event = np.searchsorted(events, _keys(moves[:, [0, 2]]), side="right") - 1
    there = (from_event >= 0) & (events[np.maximum(from_event, 0)] // NEVER == moves[:, 0])
    moves, from_event = moves[there], from_event[there]
    start, goal, leave, reach = moves.T
    to_event = np.searchsorted(events, _keys(moves[:, [1, 3]]))
    last = (to_event == events.size) | (events[np.minimum(to_event, events.size - 1)] // NEVER != goal)
    pairs = list(zip(start.tolist(), goal.tolist(), strict=True))
    takes = np.array([minutes[pair] for pair in pairs], np.int64)
    km = np.array([float(ways[pair].length_km) for pair in pairs])
    wait = np.maximum(0, np.minimum(reach, end) - np.minimum(leave + takes + connection, end))
    usd = (takes + connection + np.where(np.isin(goal, sorted(homes)), 0, wait)).astype(float) * rate
    return LightArcs(start, goal, leave, leave + takes, km, usd, from_event, np.where(last, -1, to_event))


def _by_place(keys: Ints) -> dict[int, Ints]:
    """Minutes of the keys of each place, in order."""
    place = keys // NEVER
    return {int(p): keys[place == p] % NEVER for p in np.unique(place)}
