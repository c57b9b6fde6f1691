"""Dated tables: shipments, wagon orders, fleet and trains, derived from the annual lanes by a seeded rule.

Everything here is arithmetic on the lanes and on the cheapest routes, with one random generator per table and year. No
railway has published such a day; the tables are typical, not observed, and say so in their ``source``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.data.corridor import Corridor
from scripts.reference.facts import Row
from scripts.reference.routes import Route

SEED = 20260101
#: Days of the horizon (corridor.toml) and of demand drawn: the rest is time to arrive.
HORIZON_DAYS, DEMAND_DAYS = 35, 14
#: Tonnes of a shipment (boxes, bulk). 2035: trainloads of 50 FEU at 22 t and of 2,500 t. 2026: ten boxes or
#: ten wagons.
BLOCK_T = {2035: (1100.0, 2500.0), 2026: (220.0, 670.0)}
#: A day late costs three days' value of time, at least half a dollar a tonne. Ours.
LATE_FACTOR, LATE_LEAST_USD = 3.0, 0.5
#: Wagon orders drawn from the shipments of a year, shortest leg worth an order, days of a departure window.
ORDERS = {2035: 160, 2026: 120}
SHORTEST_LEG_KM, WINDOW_DAYS = 50.0, 2
#: Fleet: wagon-days of all orders (out, back, loading and unloading) over three weeks, and 15 % less: a bit
#: tight.
LOAD_UNLOAD_DAYS, FLEET_SPAN_DAYS, TIGHTNESS = 2.0, 21.0, 0.85
#: Share of a type that stands at loading places at the start; the rest stands where it was last unloaded.
AT_LOADING = 0.6


def _marks(rule: str) -> Row:
    return {"source": f"derived: {rule}; seed {SEED}", "confidence": "derived"}


def shipments(routes: Sequence[Route], corridor: Corridor, year: int) -> list[Row]:
    """Two weeks of each lane in equal blocks; release drawn so that the fastest route still arrives in the
    horizon.
    """
    rng = np.random.default_rng([SEED, year, 1])
    goods = corridor.table("commodities").set_index("commodity_id")
    rows: list[Row] = []
    for route in routes:
        lane, commodity = route.lane, goods.loc[route.lane.commodity_id]
        volume = lane.quantity_t_per_year * DEMAND_DAYS / 365
        block = BLOCK_T[year][0 if commodity["cargo_form"] == "container" else 1]
        count = max(1, round(volume / block))
        last = max(0, min(DEMAND_DAYS - 1, HORIZON_DAYS - 2 - route.fastest_days))
        day_value = commodity["value_usd_per_t"] * commodity["value_of_time_pct_per_day"] / 100
        for position, release in enumerate(sorted(int(day) for day in rng.integers(0, last + 1, count)), start=1):
            due = min(HORIZON_DAYS - 1, release + math.ceil(1.25 * route.fastest_days) + 2)
            rows.append(
                {
                    "shipment_id": f"{lane.lane_id}-{position:02d}",
                    "lane_id": lane.lane_id,
                    "origin": lane.origin,
                    "destination": lane.destination,
                    "commodity_id": lane.commodity_id,
                    "year": year,
                    "quantity_t": float(round(volume / count, 1)),
                    "release_day": release,
                    "due_day": due,
                    "late_usd_per_t_day": round(max(LATE_LEAST_USD, LATE_FACTOR * day_value), 2),
                    "unserved_usd_per_t": lane.unserved_usd_per_t,
                    **_marks(f"{DEMAND_DAYS} of 365 days of {lane.lane_id} in {count} equal blocks"),
                }
            )
    return rows


def orders(rows: Sequence[Row], routes: Sequence[Route], year: int) -> list[Row]:
    """Rail legs of a random subset of the shipments; a leg departs only after the one before it can have
    arrived.
    """
    rng = np.random.default_rng([SEED, year, 2])
    route_of = {route.lane.lane_id: route for route in routes}
    drawn: list[Row] = []
    for index in rng.permutation(len(rows)):
        shipment = rows[int(index)]
        release, before = float(shipment["release_day"]), None
        for number, leg in enumerate(route_of[shipment["lane_id"]].legs, start=1):
            if before is not None:
                release += WINDOW_DAYS + math.ceil((leg.start_h - before.start_h) / 24) + LOAD_UNLOAD_DAYS
            else:
                release += math.floor(leg.start_h / 24)
            before = leg
            if release + WINDOW_DAYS >= HORIZON_DAYS or len(drawn) >= ORDERS[year]:
                break
            if leg.length_km < SHORTEST_LEG_KM:
                continue
            drawn.append(
                {
                    "order_id": f"{shipment['shipment_id']}-L{number}",
                    "shipment_id": shipment["shipment_id"],
                    "origin": leg.origin,
                    "destination": leg.destination,
                    "commodity_id": shipment["commodity_id"],
                    "year": year,
                    "quantity_t": shipment["quantity_t"],
                    "release_day": int(release),
                    "due_day": int(release) + WINDOW_DAYS,
                    "unserved_usd_per_t": shipment["unserved_usd_per_t"],
                    **_marks(f"{leg.gauge_mm} mm leg of the cheapest route of {shipment['lane_id']}"),
                    "_gauge": leg.gauge_mm,
                    "_run_days": (leg.end_h - leg.start_h) / 24,
                }
            )
    return sorted(drawn, key=lambda row: str(row["order_id"]))


def _spread(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """``total`` units over the keys in proportion, largest remainder first; ties by name."""
    whole = sum(weights.values())
    exact = {key: total * weight / whole for key, weight in weights.items()}
    units = {key: math.floor(value) for key, value in exact.items()}
    rest = sorted(exact, key=lambda key: (units[key] - exact[key], key))
    for key in rest[: total - sum(units.values())]:
        units[key] += 1
    return units


def wagon_fleet(rows: Sequence[Row], corridor: Corridor, year: int) -> list[Row]:
    """Wagons of the usual type of each order's goods and gauge, sized by the turnround rule."""
    wagons = corridor.table("wagons").set_index("wagon_id")
    usual = {
        (suit.commodity_id, int(wagons.loc[suit.wagon_id, "gauges_mm"][0])): suit.wagon_id
        for suit in corridor.table("wagon_suits").itertuples(index=False)
        if suit.preference == 1
    }
    days: dict[tuple[str, int], float] = defaultdict(float)
    places: dict[tuple[str, int, bool], Counter[str]] = defaultdict(Counter)
    for row in rows:
        gauge = int(row["_gauge"])
        wagon = str(usual[row["commodity_id"], gauge])
        count = math.ceil(row["quantity_t"] / float(wagons.loc[wagon, "typical_load_t"]))
        days[wagon, gauge] += count * (2 * row["_run_days"] + LOAD_UNLOAD_DAYS)
        places[wagon, gauge, True][row["origin"]] += count
        places[wagon, gauge, False][row["destination"]] += count
    fleet: list[Row] = []
    for (wagon, gauge), wagon_days in sorted(days.items()):
        total = max(2, math.ceil(TIGHTNESS * wagon_days / FLEET_SPAN_DAYS))
        loading = max(1, round(AT_LOADING * total))
        stand = Counter(_spread(loading, places[wagon, gauge, True]))
        stand.update(_spread(total - loading, places[wagon, gauge, False]))
        for node, units in sorted(stand.items()):
            if units:
                fleet.append(
                    {
                        "fleet_id": f"{wagon}-{gauge}-{node}-{year}",
                        "type_id": wagon,
                        "node_id": node,
                        "gauge_mm": gauge,
                        "year": year,
                        "units": units,
                        **_marks(
                            f"{TIGHTNESS:g} x wagon-days of the orders over {FLEET_SPAN_DAYS:g} days, {total} in all"
                        ),
                    }
                )
    return fleet


@dataclass(frozen=True)
class Line:
    """Trains of a section: links from ``start`` outward, pairs a day over the week."""

    name: str
    gauge_mm: int
    start: str
    end: str
    links: tuple[str, ...]
    pairs_per_day: int


#: Half of the paths or less on every section (path_share in corridor.toml). The Bolan and Khojak ramps, the
#: Turkmen line to
#: Afghanistan, Bolashak, and the electrified Kazakh main line.
LINES = (
    Line("Bolan", 1676, "PK_SBI", "PK_QTA", ("R197", "R196", "R195", "R194", "R193"), 2),
    Line("Khojak", 1676, "PK_QTA", "PK_CHM", ("R192", "R191", "R190"), 1),
    Line("Serhetabat", 1520, "TM_MRY", "AF_TOR", ("R070", "R078"), 1),
    Line("Bolashak", 1520, "KZ_ZHN", "TM_BER", ("R038", "R060", "R061", "R062"), 1),
    Line("Shymkent", 1520, "KZ_SHU", "KZ_SHY", ("R008", "R009"), 1),
)
TRAIN_DAYS = 7
#: Trains are loaded to 95 % of the mass limit; a cancelled train costs 10 USD per net tonne (70 % of
#: gross). Ours.
MASS_SHARE, NET_SHARE, CANCEL_USD_PER_NET_T = 0.95, 0.7, 10.0
#: Where locomotives stand: enough for a day's trains of the line from that end, not much more. Counts are
#: ours, types those
#: of the section (fleet_units of the facts are whole railways).
LOCOMOTIVES = (
    ("PK_BANKER", "PK_SBI", 4), ("PK_BANKER", "PK_QTA", 2), ("PK_GEU40", "PK_SBI", 2), ("PK_ZCU30", "PK_QTA", 3),
    ("PK_GEU20", "PK_CHM", 2), ("CKD9A", "TM_MRY", 3), ("CKD9A", "TM_BER", 3), ("TE33A", "KZ_ZHN", 3),
    ("2TE25KM", "TM_BER", 1), ("VL80", "KZ_SHU", 2), ("KZ8A", "KZ_SHY", 1), ("AF_SHUNT", "AF_TOR", 1),
)  # fmt: skip


def train_services(corridor: Corridor) -> list[Row]:
    """A week of trains in both directions, within the mass and length limits of their links."""
    links = corridor.table("links").set_index("link_id")
    rows: list[Row] = []
    for line in LINES:
        limits = links.loc[list(line.links)]
        gross = math.floor(MASS_SHARE * limits["max_train_gross_t"].min() / 10) * 10
        for day in range(TRAIN_DAYS):
            for pair in range(1, line.pairs_per_day + 1):
                for start, way, tag in ((line.start, line.links, "up"), (line.end, line.links[::-1], "down")):
                    rows.append(
                        {
                            "service_id": f"{line.name}-{tag}-{day}-{pair}",
                            "name": f"{line.name} {tag} day {day}",
                            "gauge_mm": line.gauge_mm,
                            "links": ";".join(way),
                            "from_node": start,
                            "depart_day": day,
                            "gross_t": float(gross),
                            "wagons": int(limits["max_train_wagons"].min()),
                            "cancel_usd": float(round(NET_SHARE * gross * CANCEL_USD_PER_NET_T)),
                            **_marks(
                                f"{line.pairs_per_day} pairs a day, {MASS_SHARE:.0%} of the mass limit of its links"
                            ),
                        }
                    )
    return rows


def locomotive_fleet(corridor: Corridor) -> list[Row]:
    """Locomotives at the ends of the lines."""
    gauge = dict(zip(corridor.table("locomotives")["loco_id"], corridor.table("locomotives")["gauge_mm"], strict=True))
    return [
        {
            "fleet_id": f"{loco}-{node}",
            "type_id": loco,
            "node_id": node,
            "gauge_mm": int(gauge[loco]),
            "units": units,
            **_marks("one day's trains of the line from this end"),
        }
        for loco, node, units in LOCOMOTIVES
    ]
