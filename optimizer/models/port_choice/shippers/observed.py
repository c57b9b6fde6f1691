"""Observed shares of gateways on lanes, and the choice sets behind them.

An alternative of a lane is a gateway, the only sea port whose quay its loads pass between land and sea, or ``none`` for
the way by land; and, where given, a place ``via`` that the route passes, such as a gauge-change point. It stands for
the route of least generalised cost that does so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from optimizer.choice.model import ChoiceSets, Floats, Ints, path_sizes
from optimizer.data.rows import parse_table
from optimizer.data.schema.kinds import Identifier, NonNegative, Row
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean
from optimizer.models.port_choice.problem import PortChoice
from optimizer.network.layered import HANDLING, LANDING_LAYER, LayeredNetwork
from optimizer.network.paths import IntArray, path_arcs, shortest_path_tree

NO_GATEWAY = "none"
ATTRIBUTES = ("cost", "time", "reliability")
UNITS = {"cost": "USD/t", "time": "h", "reliability": "h"}
SUM_TOLERANCE = 5e-3  # shares typed with two decimals


class ObservedShare(Row):
    """What shippers were seen to do: the share, or the tonnes, of a lane that took an alternative."""

    lane_id: Identifier = Field(description="lane")
    gateway: Identifier = Field(description="sea port passed between land and sea, or none")
    via: Identifier | None = Field(None, description="place the route passes; blank: any")
    share: NonNegative | None = Field(None, description="share of the lane, 0 to 1; or give tonnes")
    tonnes: NonNegative | None = Field(None, description="tonnes; or give share")


@dataclass(frozen=True)
class Observed:
    """Choice sets with what was observed.

    Attributes
    ----------
    table
        One row per alternative: ``lane_id, gateway, via, share``, in the order of ``sets``.
    sets
        Cost (USD/t), time and reliability (standard deviation), both hours; nests are gateways.
    shares
        Shape (num_alternatives,), adding up to 1 on each lane.
    tonnes
        Shape (num_lanes,).
    """

    table: pd.DataFrame
    sets: ChoiceSets
    shares: Floats
    tonnes: Floats


def gate_arcs(network: LayeredNetwork) -> Ints:
    """Handlings between land and sea, ascending."""
    tail, head = (network.vertex_layer[end] for end in (network.tail, network.head))
    at_sea = (tail == "sea") | (tail == LANDING_LAYER), (head == "sea") | (head == LANDING_LAYER)
    ashore = ~at_sea[0] & (tail != "door") & ~np.char.startswith(tail.astype(str), "door")
    landing = ~at_sea[1] & ~np.char.startswith(head.astype(str), "door")
    return np.flatnonzero((network.kind == HANDLING) & ((at_sea[0] & landing) | (ashore & at_sea[1])))


class GatewayRoutes:
    """Cheapest routes through given gateways of a corridor."""

    def __init__(self, problem: PortChoice) -> None:
        self.network = network = LayeredNetwork.build(problem.corridor)
        self._gates = gate_arcs(network)
        self._gate_node = network.vertex_node[network.tail[self._gates]]
        self._passing = network.vertex_node[network.head]
        self._trees: dict[tuple[str, str, str, str, tuple[str, ...]], tuple[IntArray, Ints, int]] = {}

    @property
    def gateways(self) -> list[str]:
        """Places where a load can pass between land and sea."""
        return sorted(set(self._gate_node.tolist()))

    def route(self, commodity_id: str, origin: str, destination: str, gateway: str, via: str = "") -> Ints:
        """
        Arcs of the cheapest route, in order; empty where there is none.

        A search over copies of the network, one for each set of demands met so far (gateway passed, via passed).
        Quays of other ports are closed, but for those at the ends of the lane, which are no gateways.
        """
        network = self.network
        ends = tuple(sorted({origin, destination} & set(self.gateways)))
        key = (commodity_id, origin, gateway, via, ends)
        if key not in self._trees:
            required = [self._gates[self._gate_node == gateway]] if gateway != NO_GATEWAY else []
            if via and via != origin:
                required.append(np.flatnonzero(self._passing == via))
            weight = network.arc_costs(commodity_id).generalised.copy()
            weight[self._gates[~np.isin(self._gate_node, [gateway, *ends])]] = np.inf
            bits = np.zeros(network.num_arcs, dtype=np.int64)
            for number, arcs in enumerate(required):
                bits[arcs] |= 1 << number
            copies, vertices = 1 << len(required), network.num_vertices
            heads = np.concatenate([network.head + vertices * (copy | bits) for copy in range(copies)])
            starts = [network.indptr[:-1] + copy * network.num_arcs for copy in range(copies)]
            indptr = np.concatenate([*starts, [copies * network.num_arcs]])
            tails = np.concatenate([network.tail.astype(np.int64) + vertices * copy for copy in range(copies)])
            tree = shortest_path_tree(indptr, heads, np.tile(weight, copies), network.source(origin))[1]
            self._trees[key] = (tree, tails, vertices * (copies - 1))
        tree, tails, last = self._trees[key]
        arcs = path_arcs(tree, tails, network.sink(destination) + last)
        return arcs.astype(np.int64) % network.num_arcs

    def attributes(self, commodity_id: str, arcs: Ints) -> tuple[float, float, float]:
        """Cost (USD/t), time (h) and standard deviation of the time (h) of a route."""
        costs = self.network.arc_costs(commodity_id)
        money, time_h, deviation_h = (
            float(values[arcs].sum()) for values in (costs.money_total, costs.time_total, costs.variability_h)
        )
        return money, time_h, deviation_h


def read_shares(problem: PortChoice, path: str | Path) -> pd.DataFrame:
    """
    Observed shares of annual lanes, checked.

    Returns
    -------
    DataFrame
        As the file; index ``line``.

    Raises
    ------
    InstanceError
        With every fault of the file.
    """
    path = Path(path)
    if problem.dated:
        raise UsageError("shares are observed on annual lanes: use port choice without dates")
    if path.suffix.lower() != ".csv" or not path.is_file():
        raise UsageError(f"{path} is not a .csv file of observed shares")
    table, faults = parse_table(path.stem, ObservedShare, path.read_bytes())
    file = f"{path.stem}.csv"
    if not len(table) and not faults:
        faults = [Fault(file, "has a header but no rows, expected at least one")]
    routes = GatewayRoutes(problem)
    faults = [*faults, *_row_faults(problem, table, file, routes.gateways)]
    if not faults:
        faults = _lane_faults(problem, table, file)
    if faults:
        raise InstanceError(str(path), sorted(faults, key=lambda fault: fault.line or 0))
    return table


def _row_faults(problem: PortChoice, table: pd.DataFrame, file: str, gateways: Sequence[str]) -> Iterable[Fault]:
    lanes = problem.demand().set_index("demand_id")
    nodes = set(problem.corridor.table("nodes")["node_id"])
    seen: dict[tuple[str, str, str], int] = {}
    for row in table.itertuples():
        line, via = int(row.Index), row.via or ""
        if row.lane_id not in lanes.index:
            near = did_you_mean(row.lane_id, lanes.index)
            yield Fault(file, f"lane_id is '{row.lane_id}', expected a lane in force under the scenario{near}", line)
        elif row.gateway in (lanes.at[row.lane_id, "origin"], lanes.at[row.lane_id, "destination"]):
            yield Fault(
                file,
                f"gateway is '{row.gateway}', an end of lane {row.lane_id}; expected a port between its ends",
                line,
            )
        if row.gateway != NO_GATEWAY and row.gateway not in gateways:
            near = did_you_mean(row.gateway, gateways)
            yield Fault(
                file,
                f"gateway is '{row.gateway}', expected a port with a quay between land and sea, or none{near}",
                line,
            )
        if via and via not in nodes:
            yield Fault(file, f"via is '{via}', expected a place of nodes.csv{did_you_mean(via, nodes)}", line)
        if np.isnan(row.share) == np.isnan(row.tonnes):
            filled = "both filled" if np.isfinite(row.share) else "both blank"
            yield Fault(file, f"share and tonnes are {filled}, expected one of them", line)
        elif row.share > 1:
            yield Fault(file, f"share is {row.share:g}, expected a number from 0 to 1", line)
        key = (row.lane_id, row.gateway, via)
        if key in seen:
            yield Fault(file, f"lane {row.lane_id} has this gateway and via already, on line {seen[key]}", line)
        seen.setdefault(key, line)


def _lane_faults(problem: PortChoice, table: pd.DataFrame, file: str) -> list[Fault]:
    quantity = problem.demand().set_index("demand_id")["quantity_t"]
    faults = []
    for lane_id, rows in table.groupby("lane_id", sort=False):
        line = int(rows.index[0])
        given = rows["share"].notna()
        if given.any() and not given.all():
            faults.append(Fault(file, f"lane {lane_id} mixes share and tonnes, expected one of them throughout", line))
        elif given.all() and abs(rows["share"].sum() - 1) > SUM_TOLERANCE:
            faults.append(Fault(file, f"shares of lane {lane_id} add up to {rows['share'].sum():g}, expected 1", line))
        elif given.all() and not quantity[lane_id] > 0:
            faults.append(Fault(file, f"lane {lane_id} moves 0 t, so its shares tell nothing; give tonnes", line))
        elif not given.any() and not rows["tonnes"].sum() > 0:
            faults.append(Fault(file, f"tonnes of lane {lane_id} add up to 0, expected more", line))
    return faults


def observe(
    problem: PortChoice, path: str | Path, attributes: Sequence[str] = ATTRIBUTES, path_size: bool = False
) -> Observed:
    """
    Choice sets of the lanes in a file of observed shares.

    Parameters
    ----------
    problem
        Annual port choice.
    path
        CSV with the columns of :class:`ObservedShare`.
    attributes
        Some of ``cost``, ``time``, ``reliability``.
    path_size
        Whether routes that share arcs count less, by hours under way.

    Raises
    ------
    InstanceError
        With every fault of the file; an alternative that no route serves is one.
    """
    for name in attributes:
        if name not in ATTRIBUTES:
            raise UsageError(f"attribute '{name}' is none of {', '.join(ATTRIBUTES)}{did_you_mean(name, ATTRIBUTES)}")
    if not attributes or len(set(attributes)) < len(attributes):
        raise UsageError(f"attributes must be some of {', '.join(ATTRIBUTES)}, each once")
    table = read_shares(problem, path)
    lanes, routes = problem.demand().set_index("demand_id"), GatewayRoutes(problem)
    order = np.argsort(pd.factorize(table["lane_id"])[0], kind="stable")
    table = table.iloc[order]
    values, arcs, hours, faults = [], [], [], []
    for row in table.itertuples():
        lane, via = lanes.loc[row.lane_id], row.via or ""
        route = routes.route(lane.commodity_id, lane.origin, lane.destination, row.gateway, via)
        if not len(route):
            way = f"{row.gateway} via {via}" if via else row.gateway
            through = f"through gateway {way}"
            faults.append(
                Fault(
                    Path(path).name,
                    f"no route from {lane.origin} to {lane.destination} {through} for {lane.commodity_id}",
                    int(row.Index),
                )
            )
        values.append(routes.attributes(lane.commodity_id, route))
        passed = np.unique(route)
        arcs.append(passed)
        hours.append(routes.network.arc_costs(lane.commodity_id).time_total[passed])
    if faults:
        raise InstanceError(str(path), faults)
    numbers = pd.factorize(table["lane_id"])[0]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(numbers))]).astype(np.int64)
    amount = table["share"].fillna(table["tonnes"]).to_numpy(float)
    totals = np.bincount(numbers, amount)
    first = table.iloc[indptr[:-1]]
    by_share = first["share"].notna().to_numpy()
    tonnes = np.where(by_share, lanes.loc[first["lane_id"], "quantity_t"].to_numpy(float), totals)
    gateway, names = pd.factorize(table["gateway"], sort=True)
    sets = ChoiceSets(
        np.array(values)[:, [ATTRIBUTES.index(name) for name in attributes]],
        tuple(attributes), indptr, path_sizes(indptr, arcs, hours) if path_size else None,
        gateway.astype(np.int64), tuple(str(name) for name in names),
    )  # fmt: skip
    shares = amount / totals[numbers]
    listed = table[["lane_id", "gateway", "via"]].assign(share=shares)
    return Observed(listed, sets, shares, tonnes)
