"""Lanes, dated shipments and wagon orders of a generated corridor.

A few places are the origins of most goods; exports leave over the ports, imports come back, the rest stays on land.
Every lane is laid on its cheapest route as if nothing were congested; dates, penalties and capacities follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.data.generator import names, table
from optimizer.data.generator.world import World
from optimizer.errors import UsageError
from optimizer.network.layered import LINK, LayeredNetwork
from optimizer.network.paths import path_arcs, shortest_path_tree

MAX_ORIGINS = 80
MEAN_SHIPMENT_T = 1000.0
MEAN_LANE_T = 120_000.0
DUE_FACTORS = (1.3, 2.5)  # of the time of the cheapest route


@dataclass(frozen=True)
class Lanes:
    """Lanes on their cheapest routes; arrays of one entry per lane.

    ``arcs`` holds the routes one after the other: lane ``l`` has ``arcs[start[l]:start[l + 1]]``, and
    ``reached_h`` says when each arc is entered.
    """

    origin: np.ndarray
    destination: np.ndarray
    commodity: np.ndarray
    weight: np.ndarray
    cost_usd_per_t: np.ndarray
    time_h: np.ndarray
    unserved_usd_per_t: np.ndarray
    start: np.ndarray
    arcs: np.ndarray
    reached_h: np.ndarray

    def __len__(self) -> int:
        return len(self.origin)

    def lane_of_arc(self) -> np.ndarray:
        """Lane of each entry of ``arcs``."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))


def make_lanes(network: LayeredNetwork, world: World, days: int | None, rng: np.random.Generator) -> Lanes:
    """
    Lanes between places that a route joins; with ``days``, only those a load can travel in time.

    Raises
    ------
    UsageError
        When no lane fits into the days.
    """
    places = len(world.land) + len(world.overseas)
    wanted = max(6, places * 3 // 2)
    pairs = _candidates(world, network.corridor.table("commodities")["commodity_id"].to_numpy(object), 2 * wanted, rng)
    found: list[tuple[float, float, np.ndarray, np.ndarray]] = []
    kept = []
    trees: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    for number, (origin, destination, commodity) in enumerate(zip(*pairs, strict=True)):
        costs = network.arc_costs(commodity)
        key = (commodity, origin)
        if key not in trees:
            source = network.source(origin)
            trees[key] = shortest_path_tree(network.indptr, network.head, costs.generalised, source)
        distance, predecessor = trees[key]
        arcs = path_arcs(predecessor, network.tail, network.sink(destination))
        hours = costs.time_total[arcs]
        total_h = float(hours.sum())
        if days is not None and np.ceil(total_h / 24 * DUE_FACTORS[0]) + 1 > days - 1:
            continue
        kept.append(number)
        found.append((float(distance[network.sink(destination)]), total_h, arcs, np.cumsum(hours) - hours))
        if len(kept) == wanted:
            break
    if not kept:
        raise UsageError(f"days is {days}, too few for any load to arrive in; try {60 if days and days < 60 else 120}")
    cost, time_h = (np.array([route[part] for route in found]) for part in (0, 1))
    return Lanes(
        origin=pairs[0][kept],
        destination=pairs[1][kept],
        commodity=pairs[2][kept],
        weight=rng.lognormal(0.0, 0.8, len(kept)),
        cost_usd_per_t=cost,
        time_h=time_h,
        unserved_usd_per_t=np.ceil(cost * rng.uniform(1.8, 3.0, len(kept)) + 20),
        start=np.concatenate([[0], np.cumsum([len(route[2]) for route in found])]),
        arcs=np.concatenate([route[2] for route in found]),
        reached_h=np.concatenate([route[3] for route in found]),
    )


def _candidates(
    world: World, commodities: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Different triples of origin, destination, commodity: 45% exports, 20% imports, 20% within a band, 15% on land."""
    num_hubs = min(max(4, len(world.land) // 4), MAX_ORIGINS)
    hub = rng.choice(rng.choice(len(world.land), num_hubs, replace=False), count)
    kind = rng.choice(4, count, p=(0.45, 0.2, 0.2, 0.15))
    overseas, anywhere = rng.choice(world.overseas, count), rng.choice(world.land, count)
    first, size = np.searchsorted(world.band, world.band[hub]), np.bincount(world.band)[world.band[hub]]
    near = world.land[first + rng.integers(0, size)]
    origin = np.choose(kind, [world.land[hub], overseas, world.land[hub], world.land[hub]])
    destination = np.choose(kind, [overseas, anywhere, near, anywhere])
    commodity = rng.choice(commodities, count)
    triples = pd.DataFrame({"origin": origin, "destination": destination, "commodity": commodity})
    triples = triples[origin != destination].drop_duplicates()
    columns = [triples[column].to_numpy(object) for column in triples]
    return columns[0], columns[1], columns[2]


def lane_tonnes(lanes: Lanes, shipments: pd.DataFrame | None, days: int) -> np.ndarray:
    """Tonnes a year of each lane: its shipments times 365 / days, or by weight where nothing is dated."""
    if shipments is None:
        return np.round(lanes.weight / lanes.weight.mean() * MEAN_LANE_T, -2) + 100.0
    lane = pd.Index(names("D", len(lanes))).get_indexer(shipments["lane_id"])
    tonnes = np.bincount(lane, weights=shipments["quantity_t"].to_numpy(float), minlength=len(lanes))
    return np.round(tonnes * 365 / days, 3)


def lanes_table(lanes: Lanes, tonnes: np.ndarray) -> pd.DataFrame:
    """Lanes with demand; ids count all lanes, so that shipments can name them."""
    used = tonnes > 0
    return table(
        "lanes", int(used.sum()), lane_id=names("D", len(lanes))[used], origin=lanes.origin[used],
        destination=lanes.destination[used], commodity_id=lanes.commodity[used], quantity_t_per_year=tonnes[used],
        quantity_t_per_year_low=(tonnes[used] * 0.7).round(3), quantity_t_per_year_high=(tonnes[used] * 1.4).round(3),
        unserved_usd_per_t=lanes.unserved_usd_per_t[used],
    )  # fmt: skip


def shipments_table(lanes: Lanes, count: int, days: int, rng: np.random.Generator) -> pd.DataFrame:
    """Shipments of the lanes, by weight; due 1.3 to 2.5 times the cheapest time after their release."""
    lane = rng.choice(len(lanes), count, p=lanes.weight / lanes.weight.sum())
    quantity_t = np.maximum(np.round(rng.lognormal(0.0, 0.6, count) * MEAN_SHIPMENT_T, -1), 50.0)
    window = np.ceil(lanes.time_h[lane] / 24 * rng.uniform(*DUE_FACTORS, count)).astype(np.int64) + 1
    window = np.minimum(window, days - 1)
    release_day = rng.integers(0, days - window)
    value = 0.02 * lanes.cost_usd_per_t[lane]
    return table(
        "shipments", count, shipment_id=names("S", count), lane_id=names("D", len(lanes))[lane],
        origin=lanes.origin[lane], destination=lanes.destination[lane],
        commodity_id=lanes.commodity[lane], quantity_t=quantity_t,
        release_day=release_day, due_day=release_day + window, late_usd_per_t_day=value.round(2),
        unserved_usd_per_t=lanes.unserved_usd_per_t[lane],
    )  # fmt: skip


def rail_gauge(network: LayeredNetwork, lanes: Lanes) -> np.ndarray:
    """Gauge of lanes whose cheapest route runs on rail of one gauge only, 0 for the others."""
    layer = network.vertex_layer[network.tail]
    gauge_of_arc = np.zeros(network.num_arcs, np.int64)
    for gauge in (1520, 1435, 1676):
        gauge_of_arc[(network.kind == LINK) & (layer == f"rail-{gauge}")] = gauge
    lane, gauges = lanes.lane_of_arc(), gauge_of_arc[lanes.arcs]
    elsewhere = np.isin(layer[lanes.arcs].astype(str), ("sea", "road"))
    all_rail = np.bincount(lane, weights=elsewhere, minlength=len(lanes)) == 0
    least = np.full(len(lanes), 9999)
    moving = gauges > 0
    np.minimum.at(least, lane[moving], gauges[moving])
    most = np.zeros(len(lanes), np.int64)
    np.maximum.at(most, lane[moving], gauges[moving])
    return np.where(all_rail & (least == most), most, 0)
