"""The integer programme of locomotives as a sparse matrix; the exact method hands it to PuLP, the engine to HiGHS.

Sets: trains i with stages s and consists c of n[c,k] units of type k; layers l of a type (:mod:`network`).
Variables: y[i] the train runs, z[s,c] its consist on a stage (binary); f[s,l] units of a layer on a stage, t[s,l] of
them staying for the train's next stage, m light moves, h units going into a shop, w units waiting (integers).

    min  sum rate_k * (minutes in trains, light, connecting, and waiting away from home) + sum cancel_i (1 - y_i)
    (1)  sum over c of z[s,c] = y[i]                                      every stage of a running train has one consist
    (2)  sum over layers l of k of f[s,l] = sum over c of n[c,k] z[s,c]    made up of units of every layer
    (3)  waiting + free + stock = leaving + waiting on                     every layer, place and event
    (4)  t[s,l] <= f[s,l],  t[s,l] <= f[s+1,l]
    (5)  km of f and m <= budget_l * units of l                            where kilometres can run out
    (6)  sum over layers of h <= units of the window

A unit that stays with its train needs no connection: t gives those minutes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from optimizer.models.rolling_stock.locomotives.network import Floats, Ints, LocoNetwork, loco_networks
from optimizer.models.rolling_stock.locomotives.trains import Consist, Stage, TrainPlan
from optimizer.models.rolling_stock.problem import MAX_UNITS, MINUTES_PER_DAY, RollingStock

GROUPS = ("train", "haul", "unit", "stay", "light", "shop", "wait")
"""Kinds of columns: y, z, f, t, m, h, w."""


@dataclass(frozen=True)
class LayerOf:
    """A layer with its network's number, and where its rows begin."""

    network: int
    layer: int
    row_of: Ints
    """Shape (events of the network,): row of the event in the programme, -1 where the layer has none."""
    budget_row: int
    """Row (5), -1 where there is none."""


@dataclass(frozen=True)
class Programme:
    """
    Columns in the order of :data:`GROUPS`; ``group[name]`` is the slice of a kind.

    ``key`` names what a column stands for: (train,), (stage, choice), (layer, stage), (layer, stage), (layer, arc),
    (layer, window, layer after it), (layer, event); layers count over all networks, stages over all trains.
    """

    services: tuple[str, ...]
    stages: tuple[Stage, ...]
    consists: tuple[tuple[Consist, ...], ...]
    train_of: Ints
    networks: tuple[LocoNetwork, ...]
    layers: tuple[LayerOf, ...]
    cost: Floats
    lower: Floats
    upper: Floats
    matrix: sparse.csc_array
    row_lower: Floats
    row_upper: Floats
    constant: float
    group: dict[str, slice]
    key: dict[str, Ints]
    row_names: tuple[tuple[str, int], ...] = field(repr=False)
    """(rule, rows) in order, to name rows."""

    @cached_property
    def by_row(self) -> sparse.csr_array:
        return sparse.csr_array(self.matrix)

    @property
    def num_columns(self) -> int:
        return int(self.cost.size)

    @cached_property
    def begin_min(self) -> Floats:
        """Shape (columns,): when what a column stands for begins, in minutes."""
        depart = np.array([stage.depart_min for stage in self.stages], float)
        first = np.flatnonzero(np.r_[True, np.diff(self.train_of) > 0])
        parts = {"train": depart[first], "haul": depart[self.key["haul"][:, 0]]}
        parts |= {name: depart[self.key[name][:, 1]] for name in ("unit", "stay")}
        for name in ("light", "shop", "wait"):
            layer, of = self.key[name][:, 0], self.key[name][:, 1]
            minutes = np.zeros(layer.size)
            for number, one in enumerate(self.layers):
                network = self.networks[one.network]
                of_kind = {"light": network.light.leave_min, "wait": network.event_min,
                           "shop": np.array([window.from_min for window in network.windows], float)}[name]  # fmt: skip
                mine = layer == number
                minutes[mine] = of_kind[of[mine]]
            parts[name] = minutes
        return np.concatenate([parts[name] for name in GROUPS])

    @cached_property
    def row_min(self) -> Floats:
        """Shape (rows,): the minute of an event, stage or window; before all others for kilometres."""
        matrix, minutes = self.by_row, np.zeros(self.matrix.shape[0])
        used = np.flatnonzero(np.diff(matrix.indptr) > 0)
        minutes[used] = np.maximum.reduceat(self.begin_min[matrix.indices], matrix.indptr[used])
        rules = np.repeat([rule for rule, _ in self.row_names], [rows for _, rows in self.row_names])
        return np.where(rules == "km", -np.inf, minutes)

    def value(self, x: Floats) -> float:
        """Cost of values of the columns, USD."""
        return float(self.cost @ x) + self.constant


class _Builder:
    """Collects columns and entries."""

    def __init__(self) -> None:
        self.columns: dict[str, list[tuple[Floats, Floats, Ints]]] = {name: [] for name in GROUPS}
        self.entries: list[tuple[str, Ints, Ints, Floats]] = []
        self.row_lower: list[Floats] = []
        self.row_upper: list[Floats] = []
        self.row_names: list[tuple[str, int]] = []
        self.rows = 0

    def add_rows(self, rule: str, lower: Floats, upper: Floats) -> int:
        begin = self.rows
        self.row_lower.append(np.asarray(lower, float))
        self.row_upper.append(np.asarray(upper, float))
        self.row_names.append((rule, len(lower)))
        self.rows += len(lower)
        return begin

    def add_columns(self, group: str, cost: Floats, upper: Floats, key: Ints) -> Ints:
        """Positions of the new columns within their group."""
        begin = sum(part[0].size for part in self.columns[group])
        self.columns[group].append((np.asarray(cost, float), np.asarray(upper, float), key))
        return begin + np.arange(len(cost))

    def enter(self, group: str, columns: Ints, rows: Ints, values: Floats | float) -> None:
        """Coefficients; rows below 0 are left out."""
        kept = rows >= 0
        whole = np.broadcast_to(np.asarray(values, float), rows.shape)
        self.entries.append((group, columns[kept], rows[kept], whole[kept]))


def build_programme(problem: RollingStock, plan: TrainPlan, services: Sequence[str], single: bool = True) -> Programme:
    """
    State the programme for some trains and all locomotives that can haul them.

    With ``single`` units of limited kilometres are told apart and (5) is exact; else it is a relaxation of that rule.
    """
    stages = [stage for service in services for stage in plan.stages[service]]
    train_of = np.array([n for n, service in enumerate(services) for _ in plan.stages[service]], np.int64)
    networks = loco_networks(problem, plan, stages, single)
    on_hand = {network.loco_id: n for n, network in enumerate(networks)}
    consists = tuple(
        tuple(c for c in stage.consists if all(k in on_hand and n <= networks[on_hand[k]].units for k, n in c))
        for stage in stages
    )
    build = _Builder()
    cancel = np.array([float(plan.cancel_usd[service]) for service in services])
    trains = build.add_columns("train", -cancel, np.ones(len(services)), np.arange(len(services))[:, None])
    one = build.add_rows("consist", np.zeros(len(stages)), np.zeros(len(stages)))
    stage_rows = one + np.arange(len(stages))
    build.enter("train", trains[train_of], stage_rows, -1.0)
    keys = np.array([(s, c) for s, choices in enumerate(consists) for c in range(len(choices))], np.int64).reshape(
        -1, 2
    )
    hauls = build.add_columns("haul", np.zeros(len(keys)), np.ones(len(keys)), keys)
    build.enter("haul", hauls, stage_rows[keys[:, 0]], 1.0)
    parts = [
        (haul, s, on_hand[k], n)
        for haul, (s, c) in enumerate(keys.tolist())
        for k, n in consists[s][c]
    ]  # fmt: skip
    made_of = np.array(parts, np.int64).reshape(-1, 4)
    layers: list[LayerOf] = []
    for number, network in enumerate(networks):
        units_row = np.full(len(stages), -1, np.int64)
        begin = build.add_rows("units", np.zeros(network.stages.size), np.zeros(network.stages.size))
        units_row[network.stages] = begin + np.arange(network.stages.size)
        mine = made_of[made_of[:, 2] == number]
        build.enter("haul", mine[:, 0], units_row[mine[:, 1]], -mine[:, 3].astype(float))
        layers += _layers_of(problem, build, number, network, units_row, stages, len(layers))
    return _finish(build, tuple(services), tuple(stages), consists, train_of, networks, tuple(layers), cancel.sum(),
                   problem.serve_all)  # fmt: skip


def _layers_of(
    problem: RollingStock, build: _Builder, number: int, network: LocoNetwork, units_row: Ints,
    stages: Sequence[Stage], first: int,
) -> list[LayerOf]:  # fmt: skip
    connection = problem.corridor.config.rolling_stock.connection_min
    rate, most = float(network.usd_per_min), float(network.units)
    depart = np.array([stages[s].depart_min for s in network.stages], np.int64)
    arrive = np.array([stages[s].arrive_min for s in network.stages], np.int64)
    km = np.array([float(stages[s].length_km) for s in network.stages])
    goes_on = np.array(
        [a + 1 == b and stages[a].service_id == stages[b].service_id
         for a, b in zip(network.stages.tolist(), [*network.stages[1:].tolist(), -1], strict=True)]
    )  # fmt: skip
    opens = np.array([network.event(w.place, w.from_min) for w in network.windows], np.int64)
    found: list[LayerOf] = []
    for at, layer in enumerate(network.layers):
        minute = network.event_min
        kept = minute <= layer.due_min + connection
        kept[opens] = True
        for stock in layer.stock:
            kept[network.event(stock.place, stock.minute)] = True
        for entry in layer.entries:
            window = network.windows[entry]
            kept[network.event(window.place, window.until_min)] = True
        supply = np.zeros(minute.size)
        for stock in layer.stock:
            supply[network.event(stock.place, stock.minute)] += stock.units
        begin = build.add_rows("stand", -supply[kept], -supply[kept])
        row_of = np.full(minute.size, -1, np.int64)
        row_of[kept] = begin + np.arange(int(kept.sum()))
        this = first + at
        own = float(sum(stock.units for stock in layer.stock))
        size = most if layer.entries else own
        budget_row = -1
        if layer.limited:
            budget_row = build.add_rows("km", np.array([-np.inf]), np.array([layer.budget_km * own]))
        found.append(LayerOf(number, at, row_of, budget_row))
        # units on stages, and those that stay with their train
        able = np.flatnonzero(arrive <= layer.due_min)
        usd = rate * (arrive[able] - depart[able] + connection).astype(np.float64)
        columns = build.add_columns(
            "unit", usd, np.full(able.size, min(size, MAX_UNITS)), _key(this, network.stages[able])
        )
        build.enter("unit", columns, units_row[network.stages[able]], 1.0)
        build.enter("unit", columns, row_of[network.couple_event[able]], -1.0)
        build.enter("unit", columns, row_of[network.free_event[able]], 1.0)
        build.enter("unit", columns, np.full(able.size, budget_row), km[able])
        if connection:
            pair = np.flatnonzero(goes_on[able] & np.r_[np.diff(able) == 1, False])
            staying = build.add_columns(
                "stay", np.full(pair.size, -rate * connection), np.full(pair.size, min(size, MAX_UNITS)),
                _key(this, network.stages[able[pair]]),
            )  # fmt: skip
            build.enter("stay", staying, row_of[network.free_event[able[pair]]], -1.0)
            build.enter("stay", staying, row_of[network.couple_event[able[pair + 1]]], 1.0)
            for offset in (0, 1):
                rows = build.add_rows("stay", np.full(pair.size, -np.inf), np.zeros(pair.size)) + np.arange(pair.size)
                build.enter("stay", staying, rows, 1.0)
                build.enter("unit", columns[pair + offset], rows, -1.0)
        # light moves: towards an event the layer has left out only where waiting is free
        light = network.light
        place_home = np.isin(light.end, sorted(network.homes))
        goal = np.where(light.to_event < 0, -1, row_of[light.to_event])
        usable = np.flatnonzero((light.arrive_min <= layer.due_min) & (place_home | (goal >= 0)))
        goal = np.where(goal < 0, _next_row(network, row_of, light.to_event), goal)
        arcs = build.add_columns("light", light.usd[usable], np.full(usable.size, size), _key(this, usable))
        build.enter("light", arcs, row_of[light.from_event[usable]], -1.0)
        build.enter("light", arcs, goal[usable], 1.0)
        build.enter("light", arcs, np.full(usable.size, budget_row), light.km[usable])
        # waiting: from each event of the layer to the next one of the place
        events = np.flatnonzero(kept)
        cumulated = np.r_[0.0, np.cumsum(network.stay_usd)]
        same = np.r_[network.event_place[events[1:]] == network.event_place[events[:-1]], False]
        last = np.searchsorted(network.event_place, network.event_place[events], side="right")
        until = np.where(same, np.r_[events[1:], 0], last)
        waits = build.add_columns(
            "wait", cumulated[until] - cumulated[events], np.full(events.size, size), _key(this, events)
        )
        build.enter("wait", waits, row_of[events], -1.0)
        build.enter("wait", waits, np.where(same, row_of[np.r_[events[1:], 0]], -1), 1.0)
    _shops(problem, build, network, found, first)
    return found


def _key(layer: int, of: Ints) -> Ints:
    return np.column_stack([np.full(of.size, layer, np.int64), of])


def _next_row(network: LocoNetwork, row_of: Ints, events: Ints) -> Ints:
    """Row of the first event that the layer has at or after each event, at the same place; -1 where there is none."""
    size = row_of.size
    following = np.full(size + 1, -1, np.int64)
    for event in range(size - 1, -1, -1):
        if row_of[event] >= 0:
            following[event] = row_of[event]
        elif event + 1 < size and network.event_place[event + 1] == network.event_place[event]:
            following[event] = following[event + 1]
    return following[events]


def _shops(problem: RollingStock, build: _Builder, network: LocoNetwork, layers: Sequence[LayerOf], first: int) -> None:
    """(6), and what windows add to (3) and (5); a layer of a single unit is entered once."""
    end = problem.days * MINUTES_PER_DAY
    for number, window in enumerate(network.windows):
        goals = [n for n, layer in enumerate(network.layers) if number in layer.entries]
        if not goals:
            continue
        room = build.add_rows("shop", np.array([-np.inf]), np.array([float(window.units)]))
        opens, shuts = network.event(window.place, window.from_min), network.event(window.place, window.until_min)
        minutes = max(0, min(window.until_min, end) - min(window.from_min, end))
        usd = 0.0 if window.place in network.homes else float(network.usd_per_min) * minutes
        for goal in goals:
            sources = np.array([n for n in range(len(layers)) if n != goal], np.int64)
            once = build.add_rows("entry", np.array([-np.inf]), np.array([1.0])) if len(goals) > 1 else -1
            keys = np.column_stack(
                [first + sources, np.full_like(sources, number), np.full_like(sources, first + goal)]
            )
            most = 1.0 if len(goals) > 1 else float(window.units)
            columns = build.add_columns("shop", np.full(sources.size, usd), np.full(sources.size, most), keys)
            build.enter("shop", columns, np.array([layers[n].row_of[opens] for n in sources], np.int64), -1.0)
            for row, value in (
                (int(layers[goal].row_of[shuts]), 1.0),
                (room, 1.0),
                (once, 1.0),
                (layers[goal].budget_row, -network.layers[goal].budget_km),
            ):
                build.enter("shop", columns, np.full(sources.size, row), value)


def _finish(
    build: _Builder, services: tuple[str, ...], stages: tuple[Stage, ...], consists: tuple[tuple[Consist, ...], ...],
    train_of: Ints, networks: tuple[LocoNetwork, ...], layers: tuple[LayerOf, ...], constant: float, serve_all: bool,
) -> Programme:  # fmt: skip
    group, key, begin = {}, {}, 0
    cost, upper = [np.zeros(0)], [np.zeros(0)]
    for name in GROUPS:
        parts = build.columns[name]
        size = sum(part[0].size for part in parts)
        group[name] = slice(begin, begin + size)
        key[name] = np.concatenate([part[2] for part in parts]) if parts else np.zeros((0, 2), np.int64)
        cost += [part[0] for part in parts]
        upper += [part[1] for part in parts]
        begin += size
    columns = np.concatenate([group[name].start + c for name, c, _, _ in build.entries])
    rows = np.concatenate([r for _, _, r, _ in build.entries])
    values = np.concatenate([v for *_, v in build.entries])
    matrix = sparse.csc_array(sparse.coo_array((values, (rows, columns)), shape=(build.rows, begin)))
    lower = np.zeros(begin)
    if serve_all:
        lower[group["train"]] = 1.0
    return Programme(
        services, stages, consists, train_of, networks, layers, np.concatenate(cost), lower, np.concatenate(upper),
        matrix, np.concatenate(build.row_lower), np.concatenate(build.row_upper), float(constant), group, key,
        tuple(build.row_names),
    )  # fmt: skip
