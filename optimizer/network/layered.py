"""The layered corridor network as CSR arrays.

A vertex is a (place, layer) pair; each place also has a source (``door-out``) and a sink (``door-in``) vertex, so
that the door never works as a free transfer, and sea legs end in a vertex of their own (``sea-in``), so that changing
ships does not either. An arc is a link or sea leg in one direction, a handling in one direction,
or an access arc between a door and a land layer. See ``docs/network.md``; the idea is the supernetwork of Sheffi,
*Urban Transportation Networks*, 1985, and Jourquin and Beuthe, Transportation Research C 4(6), 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimizer.data.corridor import Corridor
from optimizer.network.costs import ArcCosts, ChainCosts

LINK, SEA, HANDLING, ACCESS = 0, 1, 2, 3
SOURCE_LAYER, SINK_LAYER = "door-out", "door-in"
LANDING_LAYER = "sea-in"  # where sea legs end: a load changes ships, or goes ashore, through a handling only
LAND_LAYERS = ("rail-1520", "rail-1435", "rail-1676", "road")
TEU_PER_FEU = 2.0
_KEPT = "layered network"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Resource:
    """A capacity shared by arcs: tonnes, or TEU of containers, a year over all of ``arcs``."""

    name: str
    place: str
    unit: str
    capacity_per_year: float
    arcs: Ints


@dataclass(frozen=True)
class LayeredNetwork:
    """CSR arrays of a corridor.

    Attributes
    ----------
    vertex_node, vertex_layer
        Shape (num_vertices,): place id and layer.
    indptr, tail, head
        Arcs sorted by tail; arc ``a`` goes from ``tail[a]`` to ``head[a]``; the arcs of vertex ``v`` are
        ``indptr[v]:indptr[v + 1]``.
    kind, asset, backward
        Shape (num_arcs,): LINK, SEA, HANDLING or ACCESS; id of the row it stands for ("" for access); whether it runs
        against the row's direction.
    """

    corridor: Corridor = field(repr=False)
    vertex_node: Objects
    vertex_layer: Objects
    indptr: Ints
    tail: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    asset: Objects
    backward: Bools
    _row: Ints = field(repr=False)  # position of the arc's row in its table; -1 for access arcs
    _index: dict[tuple[str, str], int] = field(repr=False)
    _costs: dict[str, ArcCosts] = field(default_factory=dict, repr=False)
    _chain: list[ChainCosts] = field(default_factory=list, repr=False)

    @property
    def num_vertices(self) -> int:
        return len(self.vertex_node)

    @property
    def num_arcs(self) -> int:
        return len(self.tail)

    @classmethod
    def build(cls, corridor: Corridor) -> LayeredNetwork:
        """Vertices and arcs of every row in force; one network a corridor, made when it is first asked for.

        The order of arcs depends on the order of rows only.
        """
        if _KEPT not in corridor.kept:
            corridor.kept[_KEPT] = cls._made_of(corridor)
        network: LayeredNetwork = corridor.kept[_KEPT]
        return network

    @classmethod
    def _made_of(cls, corridor: Corridor) -> LayeredNetwork:
        parts = [
            _both_directions(LINK, corridor.table("links"), "link_id", "from_node", "to_node", _link_layers),
            _both_directions(SEA, corridor.table("sea_legs"), "leg_id", "from_port", "to_port", _sea_layers),
            _handling_arcs(corridor.table("handlings")),
        ]
        arcs = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        arcs.loc[arcs["kind"] == SEA, "head_layer"] = LANDING_LAYER
        arcs.loc[(arcs["kind"] == HANDLING) & (arcs["tail_layer"] == "sea"), "tail_layer"] = LANDING_LAYER
        nodes = corridor.table("nodes")["node_id"].astype(object).to_numpy()
        ends = pd.concat(
            [
                pd.DataFrame({"node": nodes, "layer": SOURCE_LAYER}),
                pd.DataFrame({"node": nodes, "layer": SINK_LAYER}),
                arcs[["tail_node", "tail_layer"]].set_axis(["node", "layer"], axis=1),
                arcs[["head_node", "head_layer"]].set_axis(["node", "layer"], axis=1),
            ],
            ignore_index=True,
        ).drop_duplicates(ignore_index=True)
        arcs = pd.concat([arcs, _access_arcs(ends)], ignore_index=True)
        index = dict(zip(zip(ends["node"], ends["layer"], strict=True), range(len(ends)), strict=True))
        keys = pd.MultiIndex.from_frame(ends)
        tail = keys.get_indexer(pd.MultiIndex.from_frame(arcs[["tail_node", "tail_layer"]]))
        head = keys.get_indexer(pd.MultiIndex.from_frame(arcs[["head_node", "head_layer"]]))
        order = np.argsort(tail, kind="stable")
        counts = np.bincount(tail, minlength=len(ends))
        return cls(
            corridor=corridor,
            vertex_node=ends["node"].to_numpy(object),
            vertex_layer=ends["layer"].to_numpy(object),
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            tail=tail[order].astype(np.int32),
            head=head[order].astype(np.int32),
            kind=arcs["kind"].to_numpy(np.int8)[order],
            asset=arcs["asset"].to_numpy(object)[order],
            backward=arcs["backward"].to_numpy(bool)[order],
            _row=arcs["row"].to_numpy(np.int64)[order],
            _index=index,
        )

    def vertex(self, node_id: str, layer: str) -> int:
        """Number of the vertex; KeyError when the place has no such layer."""
        return self._index[node_id, layer]

    def source(self, node_id: str) -> int:
        """Vertex where loads of ``node_id`` start."""
        return self._index[node_id, SOURCE_LAYER]

    def sink(self, node_id: str) -> int:
        """Vertex where loads for ``node_id`` end."""
        return self._index[node_id, SINK_LAYER]

    def arc_costs(self, commodity_id: str) -> ArcCosts:
        """Money, time and generalised cost of every arc for one commodity (kept after the first call)."""
        if commodity_id not in self._costs:
            if not self._chain:
                self._chain.append(
                    ChainCosts(
                        self.corridor, self.kind, self._row, self.backward,
                        starts=self.vertex_layer[self.tail] == SOURCE_LAYER,
                        ends=self.vertex_layer[self.head] == SINK_LAYER,
                        tail_node=self.vertex_node[self.tail], head_node=self.vertex_node[self.head],
                    )
                )  # fmt: skip
            self._costs[commodity_id] = self._chain[0].of_commodity(commodity_id)
        return self._costs[commodity_id]

    def resources(self) -> list[Resource]:
        """Capacities that limit annual flow: links per direction, handlings, ports in tonnes and in TEU."""
        names = dict(zip(self.corridor.table("nodes")["node_id"], self.corridor.table("nodes")["name"], strict=True))
        arcs_of = {kind: self._arcs_by_row(kind) for kind in (LINK, HANDLING)}
        found: list[Resource] = []
        for row, link in enumerate(self.corridor.table("links").itertuples(index=False)):
            if np.isnan(link.capacity_mt_per_year):
                continue
            for arc in arcs_of[LINK][row]:
                ends = self.vertex_node[self.tail[arc]], self.vertex_node[self.head[arc]]
                place = " > ".join(str(names[end]) for end in ends)
                found.append(Resource(str(link.link_id), place, "t", link.capacity_mt_per_year * 1e6, np.array([arc])))
        days = self.corridor.config.port_choice.transfer_capacity_days
        handlings = self.corridor.table("handlings")
        for row, handling in enumerate(handlings.itertuples(index=False)):
            if not np.isnan(handling.capacity_t_per_day):
                arcs = arcs_of[HANDLING][row]
                place = str(names[handling.node_id])
                found.append(Resource(str(handling.handling_id), place, "t", handling.capacity_t_per_day * days, arcs))
        quays, quay_node = (handlings["technology"] == "quay").to_numpy(bool), handlings["node_id"].to_numpy(object)
        for port in self.corridor.table("ports").itertuples(index=False):
            rows = np.flatnonzero(quays & (quay_node == port.node_id))
            arcs = (
                np.sort(np.concatenate([arcs_of[HANDLING][row] for row in rows]))
                if rows.size
                else np.empty(0, np.int64)
            )
            if not len(arcs):
                continue
            place = str(names[port.node_id])
            if not np.isnan(port.capacity_mt_per_year):
                free_t = max(port.capacity_mt_per_year - port.background_mt_per_year, 0.0) * 1e6
                found.append(Resource(f"port {port.node_id}", place, "t", free_t, arcs))
            if not np.isnan(port.capacity_teu_per_year):
                free_teu = max(port.capacity_teu_per_year - port.background_teu_per_year, 0.0)
                found.append(Resource(f"port {port.node_id} boxes", place, "TEU", free_teu, arcs))
        return found

    def _arcs_by_row(self, kind: int) -> list[Ints]:
        """Arcs of each row of the kind's table, in arc order."""
        arcs = np.flatnonzero(self.kind == kind)
        rows = self._row[arcs]
        order = np.argsort(rows, kind="stable")
        return np.split(arcs[order], np.cumsum(np.bincount(rows))[:-1]) if len(arcs) else []

    def resource_use(self, resource: Resource, commodity_id: str) -> float:
        """Units of the resource that a tonne of the commodity takes."""
        if resource.unit == "t":
            return 1.0
        commodities = self.corridor.table("commodities")
        row = commodities[commodities["commodity_id"] == commodity_id].iloc[0]
        return TEU_PER_FEU / float(row["load_t_per_feu"]) if row["cargo_form"] == "container" else 0.0


def _link_layers(links: pd.DataFrame) -> Sequence[str]:
    return [
        f"rail-{int(gauge)}" if mode == "rail" else str(mode)
        for mode, gauge in zip(links["mode"], links["gauge_mm"], strict=True)
    ]


def _sea_layers(legs: pd.DataFrame) -> Sequence[str]:
    return ["sea"] * len(legs)


def _arc_frame(
    kind: int,
    table: pd.DataFrame,
    asset: str,
    tails: tuple[Objects, Objects],
    heads: tuple[Objects, Objects],
    backward: bool,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": kind,
            "asset": table[asset].to_numpy(object),
            "row": np.arange(len(table)),
            "backward": backward,
            "tail_node": tails[0],
            "tail_layer": tails[1],
            "head_node": heads[0],
            "head_layer": heads[1],
        }
    )


def _both_directions(kind: int, table: pd.DataFrame, asset: str, start: str, end: str, layers_of) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    layer = np.array(layers_of(table), dtype=object)
    one, other = (table[start].to_numpy(object), layer), (table[end].to_numpy(object), layer)
    forward = _arc_frame(kind, table, asset, one, other, False)
    return pd.concat([forward, _arc_frame(kind, table, asset, other, one, True)], ignore_index=True)


def _handling_arcs(handlings: pd.DataFrame) -> pd.DataFrame:
    node = handlings["node_id"].to_numpy(object)

    def door(layers: pd.Series, name: str) -> Objects:
        return layers.astype(object).where(layers != "door", name).to_numpy(object)

    forward = _arc_frame(
        HANDLING, handlings, "handling_id",
        (node, door(handlings["from_layer"], SOURCE_LAYER)), (node, door(handlings["to_layer"], SINK_LAYER)), False,
    )  # fmt: skip
    back = _arc_frame(
        HANDLING, handlings, "handling_id",
        (node, door(handlings["to_layer"], SOURCE_LAYER)), (node, door(handlings["from_layer"], SINK_LAYER)), True,
    )  # fmt: skip
    turns = handlings["both_ways"].to_numpy(bool) & (handlings["from_layer"] != handlings["to_layer"]).to_numpy(bool)
    return pd.concat([forward, back[turns]], ignore_index=True)


def _access_arcs(ends: pd.DataFrame) -> pd.DataFrame:
    """Free arcs from the source of a place into its land layers and from these to its sink."""
    land = ends[ends["layer"].isin(LAND_LAYERS)]
    base = {"kind": ACCESS, "asset": "", "row": -1, "tail_node": land["node"], "head_node": land["node"]}
    out = pd.DataFrame({**base, "backward": False, "tail_layer": SOURCE_LAYER, "head_layer": land["layer"]})
    into = pd.DataFrame({**base, "backward": True, "tail_layer": land["layer"], "head_layer": SINK_LAYER})
    return pd.concat([out, into], ignore_index=True)
