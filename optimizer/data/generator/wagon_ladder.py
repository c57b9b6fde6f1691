"""Wagon fleets of growing size for measurements: S and M on a drawn network, L on a network that is given.

The rule
    Each place of a type's gauges draws a weight (log-normal). An order draws a wagon type by its share, a commodity
    that the type suits best, origin and destination by their weights and ``exp(-hours / 60)`` between them, a release
    day, and a window of one to five days. Its wagons are log-normal, scaled so that all loads with an empty run back
    take four fifths of the fleet's time; a last wagon is partly filled. Not carrying a tonne costs 0.021 USD a km,
    times 0.5 to 1.5: some orders are not worth an empty wagon from afar. The fleet is shared out by the wagon-days of
    each type's orders and stands, and may be hired, at its twelve busiest places; a yard holds a quarter more than
    that and four days of its mean traffic. Prices of empty runs, nights and days abroad are those of the reference
    instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.generator import SOURCE, names, table
from optimizer.data.generator.prices import make_prices
from optimizer.data.generator.world import make_world
from optimizer.data.reading import make_instance
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.errors import UsageError

WagonRung = Literal["S", "M", "L"]

DRAWN_TYPES = ("covered-1520", "hopper-1520", "gondola-1520", "flat-1520", "covered-1520-1435", "gondola-1676")
FLEET_USE, TERMINAL_DAYS = 0.8, 2.0
DECAY_H, SHORTEST_H = 60.0, 8.0
PENALTY_USD_PER_T_KM = 0.021
LONGEST_WINDOW = 5
DEPOTS, YARD_SPARE, YARD_DAYS = 12, 1.25, 4.0
MOST_WAGONS = 60
MAINTENANCE_KM, LEAST_RUN, WORKSHOPS = 110_000.0, 0.93, 4
WORK_DAYS, WORK_USD = 2, 400.0
STOCK_SETTINGS = {
    "empty_usd_per_wagon_km": 0.25, "idle_usd_per_wagon_day": 3.0, "foreign_usd_per_wagon_day": 6.0,
    "load_unload_days": TERMINAL_DAYS, "hire_allowed": True, "path_share": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Size of a rung; ``places`` is 0 where the network is given."""

    places: int
    days: int
    orders: int
    wagons: int


SIZES: dict[str, Size] = {
    "S": Size(20, 14, 150, 250),
    "M": Size(60, 28, 2_000, 3_000),
    "L": Size(0, 60, 20_000, 30_000),
}


def wagon_ladder(
    rung: WagonRung, seed: int = 0, *, network: Corridor | None = None, orders: int = 0, wagons: int = 0, days: int = 0,
    maintained: bool = False,
) -> Instance:  # fmt: skip
    """
    Seeded wagon fleet and orders; equal arguments give equal instances.

    Parameters
    ----------
    rung
        S (20 places, 14 days, 150 orders), M (60 places, 28 days, 6 types, 2,000 orders, 3,000 wagons) or L (60 days,
        20,000 orders, 30,000 wagons on ``network``).
    network
        Corridor whose network, commodities, borders and wagon types are taken as they stand; needed for L only.
    orders, wagons, days
        Other numbers than the rung's; 0 takes the rung's.
    maintained
        Every type is due after 110,000 km, the fleet at hand almost, and has workshops where most of it stands.

    Raises
    ------
    UsageError
        Unknown rung, L without a network, or a negative number.
    """
    if rung not in get_args(WagonRung):
        raise UsageError(f"rung is '{rung}', expected one of {', '.join(get_args(WagonRung))}")
    size = SIZES[rung]
    if min(seed, orders, wagons, days) < 0:
        raise UsageError(f"seed {seed}, orders {orders}, wagons {wagons}, days {days}: expected none below 0")
    if not size.places and network is None:
        raise UsageError(f"rung {rung} takes a network, for example that of instances/kazakhstan-pakistan")
    size = Size(size.places, days or size.days, orders or size.orders, wagons or size.wagons)
    rng = np.random.default_rng((seed, get_args(WagonRung).index(rung), size.orders, size.wagons, size.days))
    tables = {name: table(name, 0) for name in TABLES} | (_drawn(size, rng) if network is None else _given(network))
    drawn = _draw(tables, size, rng)
    tables |= {"orders": drawn.orders, "fleet": drawn.fleet}
    tables["nodes"] = tables["nodes"].assign(yard_capacity_wagons=drawn.yards)
    if maintained:
        tables |= _maintained(tables, rng)
    name = f"wagons-{rung}-{size.days}-{size.orders}-{size.wagons}-{seed}" + ("-maintained" if maintained else "")
    config = Config.model_validate(
        {
            "name": name, "schema_version": 1, "base_year": 2026, "source": f"{SOURCE}, {name}",
            "horizon": {"days": size.days}, "rolling_stock": STOCK_SETTINGS,
        }
    )  # fmt: skip
    return make_instance(config, tables, path=name)


def _drawn(size: Size, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    tables = make_world(size.places, rng).tables | make_prices(rng)
    for name in ("wagons", "wagon_suits"):
        tables[name] = tables[name][tables[name]["wagon_id"].isin(DRAWN_TYPES)]
    return tables


def _given(network: Corridor) -> dict[str, pd.DataFrame]:
    kept = ("nodes", "links", "handlings", "borders", "commodities", "wagons", "wagon_suits")
    found = {name: network.table(name) for name in kept}
    found["wagons"] = found["wagons"].assign(return_rule="none")  # the rung is measured without returns
    # What is in force there is in force here, whatever network or gauge variant it was part of.
    return {
        name: rows.assign(**{column: [()] * len(rows) for column in ("networks", "gauge_variants") if column in rows})
        for name, rows in found.items()
    }


@dataclass(frozen=True)
class _Ways:
    """Places of a type's gauges with hours and kilometres of the fastest way between each two."""

    places: np.ndarray
    hours: np.ndarray
    km: np.ndarray


def _ways(tables: dict[str, pd.DataFrame], wagon: Any) -> _Ways:
    """The rail network as a type sees it; the best pair of gauges counts."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    gauges = sorted(int(g) for g in wagon.gauges_mm)
    links = tables["links"]
    links = links[(links["mode"] == "rail") & links["gauge_mm"].isin(gauges)]
    keys = sorted({(n, int(g)) for s in ("from_node", "to_node") for n, g in zip(links[s], links["gauge_mm"])})  # noqa: B905
    number = {key: i for i, key in enumerate(keys)}
    tail = [number[n, int(g)] for n, g in zip(links["from_node"], links["gauge_mm"], strict=True)]
    head = [number[n, int(g)] for n, g in zip(links["to_node"], links["gauge_mm"], strict=True)]
    hours, km = list(links["length_km"] / links["speed_kmh"]), list(links["length_km"])
    for row in tables["handlings"].itertuples():
        ends = [(row.node_id, int(layer[5:])) for layer in (row.from_layer, row.to_layer) if layer.startswith("rail-")]
        if row.technology == wagon.gauge_change and len(ends) == 2 and all(end in number for end in ends):
            tail.append(number[ends[0]])
            head.append(number[ends[1]])
            hours.append(max(row.dwell_h, 0.1))
            km.append(1e-6)
    shape = (len(keys), len(keys))
    graph = coo_array((np.array(hours), (tail, head)), shape=shape).tocsr()
    graph = graph.maximum(graph.T)
    lengths = coo_array((np.array(km), (tail, head)), shape=shape).tocsr()
    lengths = lengths.maximum(lengths.T)
    spent = dijkstra(graph)
    far = dijkstra(lengths)
    places = np.array(sorted({n for n, _ in keys}), dtype=object)
    group = np.array([np.flatnonzero(places == n)[0] for n, _ in keys])
    best, length = np.full((len(places),) * 2, np.inf), np.full((len(places),) * 2, np.inf)
    np.minimum.at(best, (group[:, None], group[None, :]), spent)
    np.minimum.at(length, (group[:, None], group[None, :]), far)
    return _Ways(places, best, length)


@dataclass(frozen=True)
class _Drawn:
    orders: pd.DataFrame
    fleet: pd.DataFrame
    yards: np.ndarray


def _draw(tables: dict[str, pd.DataFrame], size: Size, rng: np.random.Generator) -> _Drawn:
    suits = tables["wagon_suits"]
    wagons = [w for w in tables["wagons"].itertuples() if (suits["wagon_id"] == w.wagon_id).any()]
    weight = dict(zip(tables["nodes"]["node_id"], rng.lognormal(0.0, 1.0, len(tables["nodes"])), strict=True))
    ways = [_ways(tables, wagon) for wagon in wagons]
    # Types with more places carry more; the smallest networks still get a share.
    share = np.sqrt([len(way.places) for way in ways]) * rng.uniform(0.5, 1.5, len(wagons))
    kind = rng.choice(len(wagons), size.orders, p=share / share.sum())
    rows: list[pd.DataFrame] = []
    for at, (wagon, way) in enumerate(zip(wagons, ways, strict=True)):
        mine = suits[suits["wagon_id"] == wagon.wagon_id]
        best = mine[mine["preference"] == mine["preference"].min()]["commodity_id"].to_numpy(object)
        pull = np.array([weight[place] for place in way.places])
        fits = np.isfinite(way.hours) & (way.hours >= SHORTEST_H)
        chance = np.where(fits, pull[:, None] * pull[None, :] * np.exp(-np.where(fits, way.hours, 0.0) / DECAY_H), 0.0)
        count = int((kind == at).sum())
        pair = rng.choice(chance.size, count, p=chance.ravel() / chance.sum())
        origin, destination = np.unravel_index(pair, chance.shape)
        rows.append(
            pd.DataFrame(
                {
                    "type": wagon.wagon_id, "gauge_mm": int(wagon.gauges_mm[0]), "load_t": wagon.typical_load_t,
                    "origin": way.places[origin], "destination": way.places[destination],
                    "commodity_id": rng.choice(best, count), "km": way.km[origin, destination],
                    "days": 2 * way.hours[origin, destination] / 24 + TERMINAL_DAYS,
                }
            )
        )  # fmt: skip
    drawn = pd.concat(rows, ignore_index=True).sample(frac=1.0, random_state=rng, ignore_index=True)
    raw = rng.lognormal(0.0, 0.8, len(drawn))
    scale = FLEET_USE * size.wagons * size.days / float((raw * drawn["days"]).sum())
    loads = np.clip(np.ceil(raw * scale), 1, MOST_WAGONS)
    tonnes = np.round((loads - rng.uniform(0.0, 0.95, len(drawn))) * drawn["load_t"].to_numpy(), 1)
    release = rng.integers(0, max(1, size.days - 3), len(drawn))
    window = rng.integers(0, LONGEST_WINDOW, len(drawn))
    penalty = np.maximum(3.0, np.round(PENALTY_USD_PER_T_KM * drawn["km"] * rng.uniform(0.5, 1.5, len(drawn)), 2))
    orders = table(
        "orders", len(drawn), order_id=names("O", len(drawn)), origin=drawn["origin"].to_numpy(object),
        destination=drawn["destination"].to_numpy(object), commodity_id=drawn["commodity_id"].to_numpy(object),
        quantity_t=tonnes, release_day=release, due_day=np.minimum(release + window, size.days - 1),
        unserved_usd_per_t=penalty.to_numpy(float),
    )  # fmt: skip
    drawn = drawn.assign(wagons=loads, wagon_days=loads * drawn["days"])
    fleet = _fleet(tables, drawn, size.wagons, rng)
    traffic = drawn.groupby("origin")["wagons"].sum().add(drawn.groupby("destination")["wagons"].sum(), fill_value=0.0)
    stands = fleet.groupby("node_id")["units"].sum()
    yards = [
        np.ceil(YARD_SPARE * stands.get(node, 0.0) + YARD_DAYS * traffic[node] / size.days)
        if node in traffic.index
        else np.nan
        for node in tables["nodes"]["node_id"]
    ]
    return _Drawn(orders, fleet, np.array(yards, dtype=float))


def _fleet(tables: dict[str, pd.DataFrame], drawn: pd.DataFrame, wagons: int, rng: np.random.Generator) -> pd.DataFrame:
    """``wagons`` wagons over the types by wagon-days, standing at the busiest origins and destinations."""
    need = drawn.groupby("type")["wagon_days"].sum()
    units = np.maximum(1, np.floor(need / need.sum() * wagons)).astype(int)
    units[need.idxmax()] += wagons - int(units.sum())
    rails = tables["links"][tables["links"]["mode"] == "rail"]
    gauges = {w.wagon_id: sorted(int(g) for g in w.gauges_mm) for w in tables["wagons"].itertuples()}
    met: dict[str, set[int]] = {}
    for side in ("from_node", "to_node"):
        for node, gauge in zip(rails[side], rails["gauge_mm"], strict=True):
            met.setdefault(node, set()).add(int(gauge))
    rows = []
    for kind, count in units.items():
        own = drawn[drawn["type"] == kind]
        busy = own.groupby("origin")["wagons"].sum().add(own.groupby("destination")["wagons"].sum(), fill_value=0.0)
        busy = busy.sort_values(ascending=False, kind="stable").iloc[:DEPOTS]
        shares = rng.multinomial(count, busy / busy.sum())
        for place, number in zip(busy.index, shares, strict=True):
            if number:
                gauge = next(g for g in gauges[str(kind)] if g in met[place])
                rows.append((kind, place, gauge, int(number)))
    columns = ["type_id", "node_id", "gauge_mm", "units"]
    fleet = pd.DataFrame(rows, columns=columns)
    return table("fleet", len(fleet), fleet_id=names("F", len(fleet)), **{c: fleet[c].to_numpy() for c in columns})


def _maintained(tables: dict[str, pd.DataFrame], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Intervals, what the fleet has run, and a workshop for each type at the places where most of it stands."""
    fleet = tables["fleet"]
    run_km = np.round(MAINTENANCE_KM * rng.uniform(LEAST_RUN, 1.0, len(fleet)))
    busiest = fleet.sort_values("units", ascending=False, kind="stable").groupby("type_id").head(WORKSHOPS)
    works = table(
        "wagon_works", len(busiest), work_id=names("W", len(busiest)), node_id=busiest["node_id"].to_numpy(object),
        kind="maintenance", wagons=[(name,) for name in busiest["type_id"]], days=WORK_DAYS,
        cost_usd_per_wagon=WORK_USD,
    )  # fmt: skip
    wagons = tables["wagons"].assign(maintenance_km=MAINTENANCE_KM)
    return {"fleet": fleet.assign(km_since_maintenance=run_km), "wagon_works": works, "wagons": wagons}
