"""Which demand has no route at all under a scenario, and what would join its two ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import LAYERS
from optimizer.errors import Fault

_LAND = tuple(layer for layer in LAYERS if layer.startswith("rail") or layer in ("road", "door"))
_OPENED, _BUILT = 1.0, 1.001  # cost of a row that exists but is not in force, and of a handling that does not exist
_MOST_WORDS = 200  # pairs of places whose cut is worked out in words


@dataclass(frozen=True)
class _Edges:
    """Directed edges between states (place, layer), numbered ``place * len(LAYERS) + layer``."""

    tail: np.ndarray
    head: np.ndarray
    table: np.ndarray
    asset: np.ndarray


def check_connectivity(corridor: Corridor) -> list[Fault]:
    """
    Demand without any route under the scenario of a corridor, whatever it would cost.

    A load starts and ends in any land layer of its origin and destination, or in ``door``; a handling serves only its
    cargo forms. Lanes and shipments are looked at by origin, destination and cargo form: one fault for each such group,
    at its first row, with the smallest set of missing links and handlings that would join the two ends.

    Returns
    -------
    list of Fault
        Empty when all demand has a route.
    """
    nodes = corridor.table("nodes")
    place = {node: at for at, node in enumerate(nodes["node_id"])}
    form_of = corridor.table("commodities").set_index("commodity_id")["cargo_form"]
    faults = []
    told = 0
    demand = {name: corridor.table(name) for name in ("lanes", "shipments")}
    forms = {name: table["commodity_id"].map(form_of) for name, table in demand.items()}
    for form in sorted({form for values in forms.values() for form in values.unique()}):
        graph = _Graph(corridor, place, form)
        for name, table in demand.items():
            rows = table[(forms[name] == form).to_numpy()]
            for (origin, destination), group in rows.groupby(["origin", "destination"], sort=False):
                if graph.joined(place[origin], place[destination]):
                    continue
                told += 1
                words = graph.cut(place[origin], place[destination]) if told <= _MOST_WORDS else ""
                more = f" and {len(group) - 1} more" if len(group) > 1 else ""
                row = f"{group.columns[0].removesuffix('_id')} '{group.iloc[0, 0]}'{more}"
                text = f"{row}: no route for {form} cargo from '{origin}' to '{destination}'{words}"
                faults.append(Fault(f"{name}.csv", text, int(str(group.index[0]))))
    return sorted(faults, key=lambda fault: (fault.file, fault.line))


class _Graph:
    """States of a corridor for one cargo form, joined by what is in force."""

    def __init__(self, corridor: Corridor, place: dict[str, int], form: str) -> None:
        from scipy.sparse.csgraph import connected_components  # only this check needs it

        self.corridor = corridor
        self.place = place
        self.names = list(place)
        self.form = form
        self.edges = _edges(corridor.tables, place, form)
        self.size = len(place) * len(LAYERS)
        _, self.component = connected_components(_matrix(self.size, self.edges), connection="strong")
        tails, heads = self.component[self.edges.tail], self.component[self.edges.head]
        self.onward: dict[int, set[int]] = {}
        for tail, head in set(zip(tails[tails != heads].tolist(), heads[tails != heads].tolist(), strict=True)):
            self.onward.setdefault(tail, set()).add(head)
        self.used = np.zeros(self.size, dtype=bool)
        self.used[self.edges.tail] = self.used[self.edges.head] = True
        self.reached: dict[frozenset[int], set[int]] = {}

    def ends(self, at: int) -> list[int]:
        """States of a place where loads may start and end, as far as anything leads there."""
        states = [at * len(LAYERS) + LAYERS.index(layer) for layer in _LAND]
        return [state for state in states if self.used[state]]

    def joined(self, origin: int, destination: int) -> bool:
        if origin == destination:
            return True
        start = frozenset(self.component[self.ends(origin)].tolist())
        if start not in self.reached:
            seen, todo = set(start), list(start)
            while todo:
                fresh = self.onward.get(todo.pop(), set()) - seen
                seen |= fresh
                todo.extend(fresh)
            self.reached[start] = seen
        return not self.reached[start].isdisjoint(self.component[self.ends(destination)].tolist())

    def cut(self, origin: int, destination: int) -> str:
        """What can be reached, and the least that is missing, in words."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        here = self.component[self.ends(origin)].tolist()
        seen = self.reached[frozenset(here)]
        states = np.flatnonzero(self.used & np.isin(self.component, list(seen)))
        layers = sorted({LAYERS[state % len(LAYERS)] for state in states} - {"door"})
        count = len({state // len(LAYERS) for state in states})
        words = f"; from '{self.names[origin]}' {count} places on {', '.join(layers)} can be reached" if count else (
            f"; no link, sea leg or handling in force touches '{self.names[origin]}'"
        )  # fmt: skip

        absent = _edges(self.corridor.instance.tables, self.place, self.form)
        built = _conceivable(absent, len(self.names))
        first, last = self.size, self.size + 1  # one state before all starts, one after all ends
        land = [LAYERS.index(layer) for layer in _LAND]
        starts = np.array([origin * len(LAYERS) + at for at in land])
        stops = np.array([destination * len(LAYERS) + at for at in land])
        tail = np.concatenate([self.edges.tail, absent.tail, built.tail, np.full(len(starts), first), stops])
        head = np.concatenate([self.edges.head, absent.head, built.head, starts, np.full(len(stops), last)])
        free = 1e-9  # csgraph takes zero for "no edge"
        cost = np.concatenate(
            [
                np.full(len(self.edges.tail), free),
                np.full(len(absent.tail), _OPENED),
                np.full(len(built.tail), _BUILT),
                np.full(len(starts) + len(stops), free),
            ]
        )
        order = np.lexsort((cost, head, tail))
        keep = order[
            np.r_[True, (np.diff(tail[order]) != 0) | (np.diff(head[order]) != 0)]
        ]  # cheapest of parallel edges
        matrix = csr_array((cost[keep], (tail[keep], head[keep])), shape=(self.size + 2, self.size + 2))
        _, before = dijkstra(matrix, indices=first, return_predecessors=True)
        way = [last]
        while before[way[-1]] >= 0:
            way.append(int(before[way[-1]]))
        if way[-1] != first:
            return f"{words}; no chain of links and sea legs joins the two, in any network or variant"
        way.reverse()
        weight = {(int(tail[at]), int(head[at])): float(cost[at]) for at in keep[cost[keep] > free]}
        ids = {(int(t), int(h)): f"{_NOUN[table]} '{i}', which is not in force" for t, h, table, i in zip(
            absent.tail, absent.head, absent.table, absent.asset, strict=True)}  # fmt: skip
        missing = []
        for step in itertools.pairwise(way):
            if weight.get(step, 0.0) == _OPENED:
                missing.append(ids[step])
            elif step in weight:
                one, other = (LAYERS[state % len(LAYERS)] for state in step)
                where = self.names[step[0] // len(LAYERS)]
                missing.append(f"a handling {one} -> {other} for {self.form} cargo at '{where}', which does not exist")
        return f"{words}; missing: {' and '.join(dict.fromkeys(missing))}"


_NOUN = {"links": "link", "sea_legs": "sea leg", "handlings": "handling"}


def _matrix(size: int, edges: _Edges) -> Any:
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(edges.tail)), (edges.tail, edges.head)), shape=(size, size))


def _edges(tables: Any, place: dict[str, int], form: str) -> _Edges:
    """Every directed edge that serves a cargo form."""
    parts = list(_parts(tables, place, form))
    return _Edges(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _parts(tables: Any, place: dict[str, int], form: str) -> Iterator[tuple[np.ndarray, ...]]:
    wide = len(LAYERS)
    number = {layer: at for at, layer in enumerate(LAYERS)}
    links: pd.DataFrame = tables["links"]
    layer = np.array(
        [
            number[f"rail-{gauge:.0f}" if mode == "rail" else mode]
            for mode, gauge in zip(links["mode"], links["gauge_mm"], strict=True)
        ],
        dtype=np.int64,
    )
    legs: pd.DataFrame = tables["sea_legs"]
    sea = np.full(len(legs), number["sea"], dtype=np.int64)
    for name, table, ends, layers in (
        ("links", links, ("from_node", "to_node"), layer), ("sea_legs", legs, ("from_port", "to_port"), sea),
    ):  # fmt: skip
        one, other = (table[end].map(place).to_numpy(dtype=np.int64) * wide + layers for end in ends)
        ids = table.iloc[:, 0].to_numpy(dtype=object)
        kind = np.full(len(table), name, dtype=object)
        yield one, other, kind, ids
        yield other, one, kind, ids
    handlings: pd.DataFrame = tables["handlings"]
    serves = handlings[[not forms or form in forms for forms in handlings["cargo_forms"]]]
    at = serves["node_id"].map(place).to_numpy(dtype=np.int64) * wide
    one, other = (at + serves[side].map(number).to_numpy(dtype=np.int64) for side in ("from_layer", "to_layer"))
    back = serves["both_ways"].to_numpy(dtype=bool)
    ids, kind = serves["handling_id"].to_numpy(dtype=object), np.full(len(serves), "handlings", dtype=object)
    yield one, other, kind, ids
    yield other[back], one[back], kind[back], ids[back]


def _conceivable(edges: _Edges, num_places: int) -> _Edges:
    """Handlings between all layers that links and sea legs bring to a place, and between sea or ferry and the door."""
    wide = len(LAYERS)
    moves = np.isin(edges.table, ["links", "sea_legs"])
    present = np.zeros((num_places, wide), dtype=bool)
    present.ravel()[np.concatenate([edges.tail[moves], edges.head[moves]])] = True
    present[:, LAYERS.index("door")] = present[:, LAYERS.index("sea")] | present[:, LAYERS.index("ferry")]
    tails, heads = [], []
    for one, other in itertools.permutations(range(wide), 2):
        if "door" in (LAYERS[one], LAYERS[other]) and not {LAYERS[one], LAYERS[other]} & {"sea", "ferry"}:
            continue
        at = np.flatnonzero(present[:, one] & present[:, other])
        tails.append(at * wide + one)
        heads.append(at * wide + other)
    blank = np.array([], dtype=object)
    return _Edges(np.concatenate(tails), np.concatenate(heads), blank, blank)
