"""Wagon orders, fleet and dated trains of a generated corridor, sized by the number of wagons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from optimizer.data.generator import names, table
from optimizer.data.generator.demand import Lanes, rail_gauge
from optimizer.data.generator.prices import wagon_id
from optimizer.errors import UsageError
from optimizer.network.layered import LINK, LayeredNetwork

TURN_DAYS = 3.0  # loading, unloading and waiting of one loaded run
FLEET_USE = 0.75  # share of the fleet's time the orders take when every load runs back empty
PLACES_PER_TYPE = 6
WAGONS_PER_TRAIN = 40
LOCOMOTIVE = {1520: "D1520", 1435: "D1435", 1676: "D1676"}


def make_equipment(
    network: LayeredNetwork,
    lanes: Lanes,
    shipments: pd.DataFrame,
    wagons: int,
    days: int,
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """
    Tables orders, fleet and train_services.

    Orders are shipments whose cheapest route runs on rail of one gauge, taken at random until they fill three
    quarters of the time of ``wagons`` wagons, each load counted with an empty run back. The fleet has exactly
    ``wagons`` wagons, by type in proportion to the orders, and the locomotives its trains need.

    Raises
    ------
    UsageError
        When no shipment fits.
    """
    gauge_of_lane = rail_gauge(network, lanes)
    lane = shipments["lane_id"].str[1:].to_numpy().astype(np.int64)
    orders = _orders(network, lanes, shipments, gauge_of_lane[lane], lane, FLEET_USE * wagons * days, rng)
    if orders.empty:
        raise UsageError(
            f"wagons is {wagons}, too few to carry any shipment on one gauge; ask for more wagons, places or shipments"
        )
    services = _services(network, lanes, gauge_of_lane, np.unique(orders["lane"]), wagons, days, rng)
    fleet = pd.concat([_wagons(orders, wagons, rng), _locomotives(network, services, days)], ignore_index=True)
    last_day = np.minimum(orders["release_day"] + rng.integers(1, 7, len(orders)), days - 1)
    return {
        "orders": table(
            "orders", len(orders), order_id=names("O", len(orders)), shipment_id=orders["shipment_id"].to_numpy(object),
            origin=orders["origin"].to_numpy(object), destination=orders["destination"].to_numpy(object),
            commodity_id=orders["commodity_id"].to_numpy(object), quantity_t=orders["quantity_t"].to_numpy(float),
            release_day=orders["release_day"].to_numpy(), due_day=last_day.to_numpy(),
            unserved_usd_per_t=orders["unserved_usd_per_t"].to_numpy(float),
        ),
        "fleet": table(
            "fleet", len(fleet), fleet_id=names("F", len(fleet)), type_id=fleet["type_id"].to_numpy(object),
            node_id=fleet["node_id"].to_numpy(object), gauge_mm=fleet["gauge_mm"].to_numpy(),
            units=fleet["units"].to_numpy(),
        ),
        "train_services": services,
    }  # fmt: skip


def _orders(
    network: LayeredNetwork,
    lanes: Lanes,
    shipments: pd.DataFrame,
    gauge: np.ndarray,
    lane: np.ndarray,
    wagon_days: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Shipments on one gauge up to a budget of wagon days, with gauge, usual wagon, lane and wagon days of each."""
    commodities = network.corridor.table("commodities").set_index("commodity_id")["cargo_form"]
    load_t = network.corridor.table("wagons").set_index("wagon_id")["typical_load_t"]
    orders = shipments[["shipment_id", "origin", "destination", "commodity_id", "quantity_t", "release_day"]].assign(
        lane=lane, gauge_mm=gauge, unserved_usd_per_t=shipments["unserved_usd_per_t"]
    )
    orders = orders[gauge > 0].sample(frac=1.0, random_state=rng)
    form = commodities.loc[orders["commodity_id"]].to_numpy(object)
    types = [wagon_id(*pair) for pair in zip(form, orders["gauge_mm"], strict=True)]
    trips = np.ceil(orders["quantity_t"].to_numpy() / load_t.loc[types].to_numpy())
    need = trips * (2 * lanes.time_h[orders["lane"]] / 24 + TURN_DAYS)
    orders = orders.assign(wagon_id=pd.Series(types, orders.index, dtype=object), wagon_days=need)
    return orders[np.cumsum(need) <= wagon_days].sort_index()


def _wagons(orders: pd.DataFrame, wagons: int, rng: np.random.Generator) -> pd.DataFrame:
    """Wagons of the ordered types, where orders start and end."""
    need = orders.groupby(["wagon_id", "gauge_mm"])["wagon_days"].sum()
    exact = need.to_numpy() / need.sum() * wagons
    units = np.floor(exact).astype(np.int64)
    units[np.argsort(units - exact, kind="stable")[: wagons - units.sum()]] += 1
    rows = []
    for (kind, gauge_mm), count in zip(need.index, units, strict=True):
        own = orders[orders["wagon_id"] == kind]
        ends = pd.unique(pd.concat([own["origin"], own["destination"]]))
        places = rng.choice(ends, min(PLACES_PER_TYPE, len(ends), max(int(count), 1)), replace=False)
        shares = rng.multinomial(count, np.full(len(places), 1 / len(places)))
        rows += [(kind, place, gauge_mm, number) for place, number in zip(places, shares, strict=True) if number]
    return pd.DataFrame(rows, columns=["type_id", "node_id", "gauge_mm", "units"])


def _services(
    network: LayeredNetwork,
    lanes: Lanes,
    gauge_of_lane: np.ndarray,
    ordered: np.ndarray,
    wagons: int,
    days: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One train for every 40 wagons, at most two a day, each over the way of a lane with orders."""
    links = network.corridor.table("links").set_index("link_id")
    count = min(max(1, wagons // WAGONS_PER_TRAIN), 2 * days)
    rows = []
    for lane, day in zip(rng.choice(ordered, count), np.sort(rng.integers(0, days, count)), strict=True):
        arcs = lanes.arcs[lanes.start[lane] : lanes.start[lane + 1]]
        way = network.asset[arcs[network.kind[arcs] == LINK]]
        length = min(WAGONS_PER_TRAIN, int(links.loc[way, "max_train_wagons"].min()))
        gross_t = min(80.0 * length, float(links.loc[way, "max_train_gross_t"].min()))
        rows.append((tuple(way), lanes.origin[lane], int(gauge_of_lane[lane]), int(day), length, gross_t))
    way, start, gauge_mm, day_of, length_of, gross = map(list, zip(*rows, strict=True))
    return table(
        "train_services", count, service_id=names("TS", count), gauge_mm=gauge_mm, links=way, from_node=start,
        depart_day=day_of, wagons=length_of, gross_t=gross, cancel_usd=[round(15 * mass) for mass in gross],
    )  # fmt: skip


def _locomotives(network: LayeredNetwork, services: pd.DataFrame, days: int) -> pd.DataFrame:
    """Two locomotives where trains start, for as many trains as are under way at a time."""
    links = network.corridor.table("links").set_index("link_id")
    hours = (links["length_km"] / links["speed_kmh"]).to_dict()
    duration = np.array([sum(hours[link] for link in way) / 24 for way in services["links"]])
    rows = []
    for (gauge_mm, start), group in services.groupby(["gauge_mm", "from_node"]):
        at_once = np.ceil(2 * duration[services.index.get_indexer(group.index)].sum() / days)
        rows.append((LOCOMOTIVE[int(gauge_mm)], start, gauge_mm, 2 * max(1, int(at_once))))
    return pd.DataFrame(rows, columns=["type_id", "node_id", "gauge_mm", "units"])
