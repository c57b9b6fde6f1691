"""Dated trains and locomotives of growing number on a given network, for measurements.

The rule
    Each gauge has a share of the trains. A *service* draws two places by log-normal weights and ``exp(-hours / 20)``
    between them, at least three hours apart, a minute of departure, a mass of 50 to 95% of the least mass limit of its
    links, and 3, 7 or 14 trains a week in each direction; those back weigh 0.4 to 1 times as much. Every train leaves
    up to an hour late. Cancelling costs 8 to 14 USD a tonne. A type is at home at the four places of its gauge (under
    the wire for electric ones) where most trains begin or end, by chance among the first ten. Units take the trains'
    hours times 1.6 at 55% use, shared among the types of a gauge by chance. Of the units of a home a fifth is due in a
    shop within two or four days, at one home another fifth within 1,000 to 3,000 km; the rest was just there. Two
    homes of each type have a shop, open daily for twelve hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.generator import SOURCE, names, table, table_of
from optimizer.data.reading import make_instance
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.errors import UsageError

LocomotiveRung = Literal["S", "M", "L"]
TRAINS: dict[str, int] = {"S": 60, "M": 300, "L": 1_000}
DAYS = 7
TYPES = ("KZ8A", "VL80", "TE33A", "CKD9A", "2TE25KM", "IR_AD43C", "AF_NEW1435", "PK_GEU40", "PK_ZCU30", "PK_BANKER")
GAUGE_SHARES = {1520: 0.55, 1435: 0.15, 1676: 0.30}
DECAY_H, SHORTEST_H, LONGEST_H = 20.0, 3.0, 60.0
DEPARTURES_A_WEEK = (3, 7, 14)
USE, UNITS_A_TRAIN = 0.55, 1.6
HOMES, NEAR_HOMES = 4, 10
SHOP_FROM_MIN, SHOP_MINUTES = 360, 720
DUE_DAYS = (2, 4)
MAINTENANCE_DAYS, MAINTENANCE_KM = (10, 14, 21), (8_000, 12_000, 20_000)
STOCK_SETTINGS = {"connection_min": 30}


def locomotive_ladder(rung: LocomotiveRung, seed: int = 0, *, network: Corridor, trains: int = 0) -> Instance:
    """
    Seeded trains, locomotives and shops; equal arguments give equal instances.

    Parameters
    ----------
    rung
        S (60 trains), M (300) or L (1,000) in seven days.
    network
        Corridor whose rail network, borders, commodities and locomotives (:data:`TYPES`) are taken as they stand.
    trains
        Another number of trains than the rung's; 0 takes the rung's.

    Raises
    ------
    UsageError
        Unknown rung, a negative number, or a network without the types.
    """
    if rung not in get_args(LocomotiveRung):
        raise UsageError(f"rung is '{rung}', expected one of {', '.join(get_args(LocomotiveRung))}")
    if min(seed, trains) < 0:
        raise UsageError(f"seed {seed}, trains {trains}: expected none below 0")
    count = trains or TRAINS[rung]
    kept = ("nodes", "links", "borders", "commodities")
    tables = {name: table(name, 0) for name in TABLES} | {name: network.table(name) for name in kept}
    locos = network.table("locomotives")
    missing = sorted(set(TYPES) - set(locos["loco_id"]))
    if missing:
        raise UsageError(f"the network lacks locomotives {', '.join(missing)}; take that of kazakhstan-pakistan")
    # What is in force there is in force here, whatever network or gauge variant it was part of.
    tables |= {
        name: tables[name].assign(
            **{c: [()] * len(tables[name]) for c in ("networks", "gauge_variants") if c in tables[name]}
        )
        for name in kept
    }
    rng = np.random.default_rng((seed, get_args(LocomotiveRung).index(rung), count))
    locos = locos[locos["loco_id"].isin(TYPES)].reset_index(drop=True)
    tables["locomotives"] = locos.assign(
        maintenance_days=rng.choice(MAINTENANCE_DAYS, len(locos)).astype(float),
        maintenance_km=rng.choice(MAINTENANCE_KM, len(locos)).astype(float),
    )
    drawn = [
        _draw_gauge(tables, gauge, round(count * share), rng) for gauge, share in GAUGE_SHARES.items()
    ]  # fmt: skip
    rows = pd.concat([part.trains for part in drawn], ignore_index=True)
    tables["train_services"] = table(
        "train_services", len(rows), service_id=names("T", len(rows)), **{c: rows[c].to_numpy() for c in rows.columns}
    )
    fleet = [row for part in drawn for row in part.fleet]
    tables["fleet"] = table_of("fleet", [{"fleet_id": f"F{n:03d}", **row} for n, row in enumerate(fleet)])
    shops = [row for part in drawn for row in part.shops]
    tables["shop_windows"] = table_of("shop_windows", [{"window_id": f"S{n:03d}", **r} for n, r in enumerate(shops)])
    name = f"locomotives-{rung}-{count}-{seed}"
    config = Config.model_validate(
        {
            "name": name, "schema_version": 1, "base_year": 2026, "source": f"{SOURCE}, {name}",
            "horizon": {"days": DAYS}, "rolling_stock": STOCK_SETTINGS,
        }
    )  # fmt: skip
    return make_instance(config, tables, path=name)


@dataclass(frozen=True)
class _Drawn:
    trains: pd.DataFrame
    fleet: list[dict[str, Any]]
    shops: list[dict[str, Any]]


@dataclass(frozen=True)
class _Tracks:
    """Network of a gauge: hours between places, the link before each place on the way from another."""

    places: np.ndarray
    hours: np.ndarray
    before: np.ndarray
    link: dict[tuple[int, int], int]
    rows: pd.DataFrame

    def way(self, origin: int, destination: int) -> list[int]:
        """Rows of the links in running order."""
        found, at = list[int](), destination
        while at != origin:
            previous = int(self.before[origin, at])
            found.append(self.link[previous, at])
            at = previous
        return found[::-1]


def _tracks(links: pd.DataFrame, gauge: int) -> _Tracks:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    rows = links[(links["mode"] == "rail") & (links["gauge_mm"] == gauge)].reset_index(drop=True)
    places = np.array(sorted(set(rows["from_node"]) | set(rows["to_node"])), dtype=object)
    at = {name: number for number, name in enumerate(places)}
    best: dict[tuple[int, int], int] = {}
    hours = (rows["length_km"] / rows["speed_kmh"]).to_numpy(float)
    for number, (a, b) in enumerate(zip(rows["from_node"], rows["to_node"], strict=True)):
        for pair in ((at[a], at[b]), (at[b], at[a])):
            if pair not in best or hours[number] < hours[best[pair]]:
                best[pair] = number
    ends = np.array(list(best), np.int64)
    graph = coo_array((hours[list(best.values())], (ends[:, 0], ends[:, 1])), shape=(len(places),) * 2).tocsr()
    spent, before = dijkstra(graph, return_predecessors=True)
    return _Tracks(places, spent, before, best, rows)


def _draw_gauge(tables: dict[str, pd.DataFrame], gauge: int, count: int, rng: np.random.Generator) -> _Drawn:
    tracks = _tracks(tables["links"], gauge)
    trains = _draw_trains(tracks, gauge, count, rng)
    hours = float(sum(tracks.rows.loc[list(way), "hours"].sum() for way in trains["way"]))
    ends = np.bincount(np.concatenate([trains["origin"], trains["destination"]]), minlength=len(tracks.places))
    wired = np.zeros(len(tracks.places), bool)
    for side in ("from_node", "to_node"):
        on_wire = tracks.rows[~tracks.rows["electrified"].isin(["", "no"])]
        wired |= np.isin(tracks.places.astype(str), on_wire[side].astype(str))
    locos = tables["locomotives"][tables["locomotives"]["gauge_mm"] == gauge]
    share = rng.uniform(0.5, 1.5, len(locos))
    need = np.maximum(4, np.round(hours * UNITS_A_TRAIN / (24 * DAYS * USE) * share / share.sum())).astype(int)
    fleet, shops = [], []
    for loco, units in zip(locos.itertuples(), need, strict=True):
        able = np.flatnonzero(wired) if loco.traction == "electric" else np.arange(len(tracks.places))
        near = able[np.argsort(-ends[able], kind="stable")][:NEAR_HOMES]
        homes = np.sort(rng.choice(near, min(HOMES, near.size), replace=False))
        spread = rng.multinomial(units, np.full(homes.size, 1 / homes.size))
        for number, (home, here) in enumerate(zip(homes, spread, strict=True)):
            by_days, by_km = round(0.2 * int(here)), int(np.ceil(0.2 * here)) * (number == 0)
            days_since = max(0.0, float(loco.maintenance_days - rng.choice(DUE_DAYS)))
            km_since = float(loco.maintenance_km - rng.integers(10, 31) * 100)
            base = {"type_id": loco.loco_id, "node_id": tracks.places[home], "gauge_mm": gauge}
            for part, days, km in ((here - by_days - by_km, 0.0, 0.0), (by_days, days_since, 0.0),
                                   (by_km, 0.0, km_since)):  # fmt: skip
                if part > 0:
                    since = {"days_since_maintenance": days, "km_since_maintenance": km}
                    fleet.append({**base, "units": int(part), **since})
            if number < 2:
                shops += [
                    {"loco_id": loco.loco_id, "node_id": tracks.places[home], "from_min": 1440 * day + SHOP_FROM_MIN,
                     "until_min": 1440 * day + SHOP_FROM_MIN + SHOP_MINUTES, "units": max(1, int(units) // 12)}
                    for day in range(DAYS)
                ]  # fmt: skip
    return _Drawn(trains.drop(columns=["way", "origin", "destination"]), fleet, shops)


def _draw_trains(tracks: _Tracks, gauge: int, count: int, rng: np.random.Generator) -> pd.DataFrame:
    tracks.rows["hours"] = tracks.rows["length_km"] / tracks.rows["speed_kmh"]
    weight = rng.lognormal(0.0, 1.0, len(tracks.places))
    fits = (tracks.hours >= SHORTEST_H) & (tracks.hours <= LONGEST_H)
    chance = np.where(fits, weight[:, None] * weight[None, :] * np.exp(-np.where(fits, tracks.hours, 0) / DECAY_H), 0.0)
    rows: list[dict[str, Any]] = []
    limit = tracks.rows["max_train_gross_t"].fillna(tracks.rows["max_train_gross_t"].median()).to_numpy(float)
    while len(rows) < count:
        origin, destination = divmod(int(rng.choice(chance.size, p=chance.ravel() / chance.sum())), len(tracks.places))
        way = tracks.way(origin, destination)
        mass = float(limit[way].min()) * rng.uniform(0.5, 0.95)
        back = rng.uniform(0.4, 1.0)
        times = int(rng.choice(DEPARTURES_A_WEEK))
        minutes = rng.integers(0, 1440, 2)
        for number in range(times):
            day = number * DAYS // times
            for ends, along, gross, minute in (
                ((origin, destination), way, mass, minutes[0]),
                ((destination, origin), way[::-1], mass * back, minutes[1]),
            ):
                at = int(minute + rng.integers(0, 61) + (720 if times > DAYS and number % 2 else 0)) % 1440
                gross = round(gross / 10) * 10.0
                rows.append({
                    "gauge_mm": gauge, "links": tuple(tracks.rows.loc[along, "link_id"]),
                    "from_node": tracks.places[ends[0]], "depart_day": day, "depart_min": at, "gross_t": gross,
                    "wagons": max(1, int(gross // 65)), "cancel_usd": float(round(gross * rng.uniform(8, 14))),
                    "way": tuple(along), "origin": ends[0], "destination": ends[1],
                })  # fmt: skip
    return pd.DataFrame(rows[:count])
