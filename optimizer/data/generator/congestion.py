"""Capacities of a generated corridor, calibrated so that congestion costs what is asked for.

All lanes are loaded on their cheapest routes. A few of the most loaded links, handlings and ports whose loads have
a detour become bottlenecks: for each the detour of every lane is priced with the bottleneck closed, and the capacity is
set so that turning away the tonnes with the cheapest detours (or leaving them at their penalty) raises the total cost
by the bottleneck's part of the target. Detours meet other bottlenecks and lanes share bottlenecks, so the optimum lands
around the target, not on it. Everything else gets room for its load and all that is turned away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from optimizer.data.generator.demand import Lanes
from optimizer.network.layered import HANDLING, LINK, TEU_PER_FEU, LayeredNetwork
from optimizer.network.paths import shortest_path_tree

Congestion = Literal["light", "heavy"]
TARGET_RISE = {"light": 0.005, "heavy": 0.04}
MOST_TURNED_AWAY = {"light": 0.1, "heavy": 0.4}
ROOM = 1.25


@dataclass(frozen=True)
class _Resource:
    """A limit that can bind: a row of links, handlings or ports, and the arcs it limits together."""

    table: str
    row: int
    arcs: np.ndarray


def limit(
    network: LayeredNetwork,
    lanes: Lanes,
    tonnes: np.ndarray,
    shipments: pd.DataFrame | None,
    congestion: Congestion,
) -> dict[str, pd.DataFrame]:
    """Tables links, handlings and ports with capacities; ``tonnes`` is the annual quantity of each lane."""
    lane_of_arc = lanes.lane_of_arc()
    load_of_arc = np.bincount(lanes.arcs, weights=tonnes[lane_of_arc], minlength=network.num_arcs)
    resources = _resources(network, load_of_arc)
    load = np.array([load_of_arc[resource.arcs].sum() for resource in resources])
    turned_away = _bottlenecks(network, lanes, tonnes, resources, load, congestion)
    peak = _peaks(network, lanes, shipments, resources)
    free = np.maximum(ROOM * (load + sum(turned_away.values())), ROOM * peak * 365)
    corridor = network.corridor
    tables = {name: corridor.table(name).copy() for name in ("links", "handlings", "ports")}
    columns = {"links": "capacity_mt_per_year", "handlings": "capacity_t_per_day", "ports": "capacity_mt_per_year"}
    units = {"links": 1e6, "handlings": 365.0, "ports": 1e6}
    values = {name: tables[name][column].to_numpy(float, copy=True) for name, column in columns.items()}
    notes = {name: tables[name]["notes"].to_numpy(object, copy=True) for name in tables}
    for number, resource in enumerate(resources):
        name, unit = resource.table, units[resource.table]
        if number in turned_away:
            share = 1 - turned_away[number] / load[number]
            values[name][resource.row] = round(share * load[number] / unit, 6)
            notes[name][resource.row] = f"bottleneck: {share:.0%} of the load on cheapest routes"
        else:
            values[name][resource.row] = np.ceil(free[number] / unit * 1000) / 1000
    for name, column in columns.items():
        tables[name] = tables[name].assign(
            **{column: values[name], "notes": pd.Series(notes[name], tables[name].index, dtype=object)}
        )
    is_port = np.array([resource.table == "ports" for resource in resources])
    tables["ports"] = tables["ports"].assign(capacity_teu_per_year=_boxes(network, free[is_port]))
    return tables


def _resources(network: LayeredNetwork, load_of_arc: np.ndarray) -> list[_Resource]:
    """Rail links (in their busier direction; a link's capacity holds for each), land handlings and land ports."""
    corridor = network.corridor
    found = []
    for name, key, kind in (("links", "link_id", LINK), ("handlings", "handling_id", HANDLING)):
        rows = pd.Index(corridor.table(name)[key]).get_indexer(network.asset)
        arcs = np.flatnonzero(network.kind == kind)
        arcs = arcs[np.argsort(rows[arcs], kind="stable")]
        splits = np.flatnonzero(np.diff(rows[arcs])) + 1
        for group in np.split(arcs, splits):
            layers = set(network.vertex_layer[network.tail[group]])
            if name == "links" and "road" not in layers:
                found.append(_Resource(name, int(rows[group[0]]), group[[np.argmax(load_of_arc[group])]]))
            elif name == "handlings" and not any(str(layer).startswith("door") for layer in _ends(network, group)):
                found.append(_Resource(name, int(rows[group[0]]), group))
    quay = np.flatnonzero(
        (network.kind == HANDLING)
        & ((network.vertex_layer[network.tail] == "sea") | (network.vertex_layer[network.head] == "sea"))
    )
    for row, port in enumerate(corridor.table("ports")["node_id"]):
        found.append(_Resource("ports", row, quay[network.vertex_node[network.tail[quay]] == port]))
    return found


def _ends(network: LayeredNetwork, arcs: np.ndarray) -> set[str]:
    return set(network.vertex_layer[network.tail[arcs]]) | set(network.vertex_layer[network.head[arcs]])


def _bottlenecks(
    network: LayeredNetwork,
    lanes: Lanes,
    tonnes: np.ndarray,
    resources: list[_Resource],
    load: np.ndarray,
    congestion: Congestion,
) -> dict[int, float]:
    """Resource -> tonnes a year turned away."""
    wanted = int(np.clip(len(network.corridor.table("nodes")) // 20, 2, 12))
    budget = TARGET_RISE[congestion] * float(lanes.cost_usd_per_t @ tonnes)
    lane_of_arc = lanes.lane_of_arc()
    chosen: dict[int, float] = {}
    taken: list[np.ndarray] = []
    tried = 0
    for number in np.argsort(-load, kind="stable"):
        if len(chosen) == wanted or tried == 5 * wanted or load[number] <= 0:
            break
        resource = resources[number]
        uses = np.zeros(len(lanes), bool)
        uses[lane_of_arc[np.isin(lanes.arcs, resource.arcs)]] = True
        if any(tonnes[uses & other].sum() > 0.5 * tonnes[uses | other].sum() for other in taken):
            continue  # the same loads as an earlier one, for example the next link of the same trunk line
        tried += 1
        detour = _detours(network, lanes, uses, resource)
        served = np.isfinite(detour)
        if tonnes[uses][served].sum() < 0.3 * tonnes[uses].sum():
            continue  # a cul-de-sac: nothing to choose
        left_behind = lanes.unserved_usd_per_t[uses] - lanes.cost_usd_per_t[uses]
        extra = np.minimum(np.where(served, detour - lanes.cost_usd_per_t[uses], np.inf), left_behind)
        share = budget / (wanted - len(chosen))
        turned_away, cost = _turn_away(extra, tonnes[uses], share, MOST_TURNED_AWAY[congestion] * load[number])
        chosen[int(number)] = turned_away
        taken.append(uses)
        budget -= cost
    return chosen


def _detours(network: LayeredNetwork, lanes: Lanes, uses: np.ndarray, resource: _Resource) -> np.ndarray:
    """Cost per tonne of each lane that uses the resource when it is closed; ``inf`` without a way round."""
    out = []
    trees: dict[tuple[str, str], np.ndarray] = {}
    for lane in np.flatnonzero(uses):
        key = (lanes.commodity[lane], lanes.origin[lane])
        if key not in trees:
            weight = network.arc_costs(key[0]).generalised.copy()
            weight[resource.arcs] = np.inf
            trees[key] = shortest_path_tree(network.indptr, network.head, weight, network.source(key[1]))[0]
        out.append(trees[key][network.sink(lanes.destination[lane])])
    return np.array(out)


def _turn_away(extra: np.ndarray, tonnes: np.ndarray, budget: float, most: float) -> tuple[float, float]:
    """Tonnes turned away and what it costs, cheapest detours first, until the budget or the most tonnes are reached."""
    order = np.argsort(extra, kind="stable")
    away, spent = 0.0, 0.0
    for lane in order:
        part = min(tonnes[lane], most - away, (budget - spent) / extra[lane] if extra[lane] > 0 else np.inf)
        away += part
        spent += part * extra[lane]
        if part < tonnes[lane]:
            break
    return away, spent


def _peaks(
    network: LayeredNetwork, lanes: Lanes, shipments: pd.DataFrame | None, resources: list[_Resource]
) -> np.ndarray:
    """Largest tonnes of a day when every shipment leaves at once; zero where nothing is dated."""
    if shipments is None:
        return np.zeros(len(resources))
    of_arc = np.full(network.num_arcs, -1)
    of_port = np.full(network.num_arcs, -1)
    for number, resource in enumerate(resources):
        (of_port if resource.table == "ports" else of_arc)[resource.arcs] = number
    daily = shipments.groupby([shipments["lane_id"].str[1:].astype(np.int64), "release_day"])["quantity_t"].sum()
    lane, release = (daily.index.get_level_values(level).to_numpy(np.int64) for level in (0, 1))
    counts = np.diff(lanes.start)[lane]
    entry = np.repeat(lanes.start[lane] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    day = np.repeat(release, counts) + (lanes.reached_h[entry] / 24).astype(np.int64)
    weight = np.repeat(daily.to_numpy(float), counts)
    num_days = int(day.max()) + 1
    total = np.zeros(len(resources) * num_days)
    for owner in (of_arc, of_port):
        number = owner[lanes.arcs[entry]]
        hit = number >= 0
        total += np.bincount(number[hit] * num_days + day[hit], weights=weight[hit], minlength=len(total))
    return total.reshape(len(resources), num_days).max(axis=1)


def _boxes(network: LayeredNetwork, free_t: np.ndarray) -> np.ndarray:
    """TEU capacity of the ports: room for as many tonnes in the lightest boxes."""
    commodities = network.corridor.table("commodities")
    lightest = commodities.loc[commodities["cargo_form"] == "container", "load_t_per_feu"].min()
    return np.ceil(free_t * TEU_PER_FEU / lightest)
