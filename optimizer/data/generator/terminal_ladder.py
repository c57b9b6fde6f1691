"""Gauge-change terminals of growing size for measurements: small, a day, a week and a month, in three flavours.

Trains of both gauges call in turn at a scheduled headway with some disturbance, stay three and a half hours as planned,
and bring consignments of 2 to 12 loads (a wagon of boxes, or a wagon of bulk) for places that trains of the other gauge
serve. What binds depends on the flavour:

- ``arrival-bound``: few trains serve a place, cranes and yard have spare room; loads and trains wait for each other.
- ``crane-tight``: slow cranes, so trains wait for their works.
- ``storage-tight``: the yard holds about a quarter of what would lie there at the busiest time.

With ``further`` rules two teams inspect every load on its own train, a desk clears some boxes in the yard, gantries
share a runway, boxes stand two high, and empty wagons are counted.

Rates, stays and prices are of the order of published rail-rail terminals; none is that of a real place.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from optimizer.data.corridor import Instance
from optimizer.data.generator import SOURCE, names, table, table_of
from optimizer.data.reading import make_instance
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.errors import UsageError

Rung = Literal["small", "day", "week", "month"]
Flavour = Literal["arrival-bound", "crane-tight", "storage-tight"]

SIZES: dict[str, tuple[int, int]] = {"small": (4, 40), "day": (12, 500), "week": (84, 3500), "month": (360, 15000)}
"""Trains and loads of a rung."""
GAUGES = (1520, 1435)
HEADWAY_H, STAY_H, LATEST_H = 2.0, 3.5, 18.0
PLACES_PER_GAUGE = 3
TRACKS_PER_GAUGE = 3
GANTRIES, UNLOADERS = 3, 2
BULK_SHARE, BOGIE_SHARE = 0.15, 0.5
CRANE_RATE = {"arrival-bound": 30.0, "crane-tight": 12.0, "storage-tight": 26.0}
UNLOADER_RATE = {"arrival-bound": 12.0, "crane-tight": 5.0, "storage-tight": 10.0}
EMPTY_WAGONS, LOADS_PER_ZONE = 40, 5
YARD_TEU = {"arrival-bound": 1200.0, "crane-tight": 1200.0, "storage-tight": 60.0}
YARD_T = {"arrival-bound": 12000.0, "crane-tight": 12000.0, "storage-tight": 600.0}


def terminal_ladder(
    rung: Rung, flavour: Flavour, seed: int = 0, *, trains: int = 0, loads: int = 0, further: bool = False
) -> Instance:
    """
    Seeded terminal; equal arguments give equal instances.

    Parameters
    ----------
    rung
        small (4 trains, 40 loads), day (12, 500), week (84, 3,500) or month (360, 15,000).
    flavour
        What binds: arrival-bound, crane-tight or storage-tight.
    trains, loads
        Other numbers than the rung's, at least two trains and one load for each; 0 takes the rung's.
    further
        The same trains and loads with checks, set-ups, cranes in line, rehandles and counted empty wagons.

    Raises
    ------
    UsageError
        Unknown rung or flavour, or a number out of its range.
    """
    if rung not in get_args(Rung):
        raise UsageError(f"rung is '{rung}', expected one of {', '.join(get_args(Rung))}")
    if flavour not in get_args(Flavour):
        raise UsageError(f"flavour is '{flavour}', expected one of {', '.join(get_args(Flavour))}")
    trains, loads = trains or SIZES[rung][0], loads or SIZES[rung][1]
    if trains < 2 or loads < trains or seed < 0:
        raise UsageError(
            f"trains is {trains}, loads {loads}, seed {seed}: expected two trains, a load for each, no seed below 0"
        )
    rng = np.random.default_rng((seed, trains, loads, get_args(Flavour).index(flavour)))
    calls = _calls(trains, flavour, rng)
    rows = _loads(calls, loads, rng)
    yard: dict[str, Any] = {}
    cranes, posts = _cranes(flavour), []
    if further:
        yard = {"yard_tiers": 2, "rehandle_usd_per_move": 2.0}
        yard |= {f"empty_wagons_{gauge}": EMPTY_WAGONS for gauge in GAUGES}
        for place, crane in enumerate(cranes):
            gantry = crane["handles"] == "container"
            crane |= {"runway": "R" if gantry else "", "runway_place": place if gantry else None}
        posts = _posts()
        _check_loads(rows)
    tables = {name: table(name, 0) for name in TABLES} | _world()
    tables |= {
        "terminals": table_of(
            "terminals",
            [{
                "terminal_id": "T1", "node_id": "BORDER", "name": "Border terminal",
                "yard_capacity_teu": YARD_TEU[flavour], "yard_capacity_t": YARD_T[flavour],
                "direct_usd_per_move": 5.0, "yard_usd_per_move": 4.0, "bogie_usd_per_wagon": 40.0, **yard,
            }],
        ),
        "terminal_tracks": table_of("terminal_tracks", _tracks()),
        "terminal_cranes": table_of("terminal_cranes", cranes),
        "terminal_posts": table_of("terminal_posts", posts),
        "terminal_bays": table_of(
            "terminal_bays",
            [{
                "bay_id": "bay-0", "terminal_id": "T1", "wagons_per_cycle": 4, "hours_per_cycle": 0.5,
                **{f"bogie_sets_{gauge}": 20 for gauge in GAUGES},
            }],
        ),
        "train_calls": table_of("train_calls", calls),
        "terminal_loads": table_of("terminal_loads", rows),
    }  # fmt: skip
    name = f"terminal-{rung}-{flavour}-{trains}-{loads}-{seed}{'-further' if further else ''}"
    config = Config.model_validate(
        {
            "name": name, "schema_version": 1, "base_year": 2026, "source": f"{SOURCE}, {name}",
            "horizon": {"days": int(max(row["latest_depart_h"] for row in calls) // 24) + 1},
            "transshipment": {"terminal_id": "T1"},
        }
    )  # fmt: skip
    return make_instance(config, tables, path=name)


def _places(gauge: int) -> list[str]:
    return [f"{'NORTH' if gauge == GAUGES[0] else 'SOUTH'}-{number}" for number in range(PLACES_PER_GAUGE)]


def _world() -> dict[str, Any]:
    """The terminal's place, and a line to each place its trains serve."""
    nodes = [{"node_id": "BORDER", "name": "Border", "country": "AF", "lat": 31.0, "lon": 66.5, "kind": "gauge_change"}]
    links = []
    for side, gauge in enumerate(GAUGES):
        for number, place in enumerate(_places(gauge)):
            lat = 37.0 + number if side == 0 else 30.0 - number
            country = "KZ" if side == 0 else "PK"
            nodes.append(
                {
                    "node_id": place,
                    "name": place,
                    "country": country,
                    "lat": lat,
                    "lon": 67.0 + number,
                    "kind": "station",
                }
            )
            links.append(
                {
                    "link_id": f"L-{place}", "from_node": "BORDER", "to_node": place, "mode": "rail",
                    "gauge_mm": gauge, "length_km": 600.0 + 200.0 * number, "speed_kmh": 40.0,
                }
            )  # fmt: skip
    goods = {"commodity_id": "goods", "name": "goods", "cargo_form": "container", "value_usd_per_t": 2000.0}
    change = {"handling_id": "change", "node_id": "BORDER", "technology": "container_gantry", "dwell_h": 24.0}
    change |= {f"{end}_layer": f"rail-{gauge}" for end, gauge in zip(("from", "to"), GAUGES, strict=True)}
    return {
        "nodes": table_of("nodes", nodes),
        "links": table_of("links", links),
        "handlings": table_of("handlings", [change]),
        "commodities": table_of("commodities", [goods]),
    }


def _tracks() -> list[dict[str, Any]]:
    return [
        {"track_id": f"K{gauge}-{number}", "terminal_id": "T1", "gauge_mm": gauge, "length_m": 900.0}
        for gauge in GAUGES
        for number in range(TRACKS_PER_GAUGE)
    ]


def _cranes(flavour: str) -> list[dict[str, Any]]:
    every = tuple(str(track["track_id"]) for track in _tracks())
    kinds = [("gantry", GANTRIES, "container", CRANE_RATE), ("unloader", UNLOADERS, "bulk", UNLOADER_RATE)]
    return [
        {
            "crane_id": f"{kind}-{number}", "terminal_id": "T1", "tracks": every, "handles": handles,
            "moves_per_h": rate[flavour],
        }
        for kind, count, handles, rate in kinds
        for number in range(count)
    ]  # fmt: skip


def _posts() -> list[dict[str, Any]]:
    """Two teams of inspectors that walk from train to train in ten minutes, and a customs desk."""
    team = {"check": "inspection", "minutes_per_load": 0.0, "minutes_per_wagon": 2.0, "setup_min": 10.0}
    desk = {"check": "customs", "minutes_per_load": 5.0, "minutes_per_wagon": 0.0, "setup_min": 0.0}
    posts = {"team-0": team, "team-1": team, "desk-0": desk}
    return [{"post_id": post, "terminal_id": "T1", **row} for post, row in posts.items()]


def _check_loads(rows: list[dict[str, Any]]) -> None:
    """Every load is inspected, every tenth container cleared in the yard; its zone is its place on the train."""
    on_train: dict[str, int] = {}
    for number, row in enumerate(rows):
        place = on_train[row["call_id"]] = on_train.get(row["call_id"], -1) + 1
        boxes = row["form"] == "container"
        row |= {
            "zone": place // LOADS_PER_ZONE if boxes else None,
            "checks_before": ("inspection",),
            "checks_between": ("customs",) if boxes and number % 10 == 0 else (),
        }


def _calls(trains: int, flavour: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Trains in turn of both gauges; each serves one place (arrival-bound) or two."""
    rows = []
    ids = names("C", trains)
    for number in range(trains):
        gauge = GAUGES[number % 2]
        arrive_h = round(HEADWAY_H * number + float(rng.uniform(0, 1.5)), 2)
        places, first = _places(gauge), number // 2
        served = 1 if flavour == "arrival-bound" else 2
        rows.append(
            {
                "call_id": ids[number], "terminal_id": "T1", "gauge_mm": gauge, "arrive_h": arrive_h,
                "depart_h": round(arrive_h + STAY_H, 2), "latest_depart_h": round(arrive_h + LATEST_H, 2),
                "length_m": float(rng.integers(560, 860)), "capacity_teu": float(rng.integers(48, 61) * 2),
                "capacity_t": 1500.0, "capacity_wagons": 20, "wait_usd_per_h": 500.0,
                "destinations": tuple(sorted(places[(first + k) % len(places)] for k in range(served))),
            }
        )  # fmt: skip
    return rows


def _loads(calls: list[dict[str, Any]], loads: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Consignments of 2 to 12 loads; each for a place that some train of the other gauge still serves, if any does."""
    share = np.full(len(calls), loads // len(calls))
    share[: loads % len(calls)] += 1
    ids = names("L", loads)
    rows: list[dict[str, Any]] = []
    for call, number in zip(calls, share, strict=True):
        others = [
            other
            for other in calls
            if other["gauge_mm"] != call["gauge_mm"]
            and call["arrive_h"] - 2.0 < other["arrive_h"] < call["arrive_h"] + LATEST_H
        ]
        places = sorted({place for other in others for place in other["destinations"]})
        far = _places(GAUGES[1] if call["gauge_mm"] == GAUGES[0] else GAUGES[0])
        left = int(number)
        while left > 0:
            size = min(left, int(rng.integers(2, 13)))
            left -= size
            bulk = bool(rng.random() < BULK_SHARE)
            modes = ("direct", "yard", "bogie") if bulk and rng.random() < BOGIE_SHARE else ("direct", "yard")
            place = str(rng.choice(places or far))
            due_h = round(call["arrive_h"] + float(rng.uniform(8, 24)), 1)
            for _ in range(size):
                moves = 1 if bulk else int(rng.integers(1, 3))
                rows.append(
                    {
                        "load_id": ids[len(rows)], "call_id": call["call_id"], "form": "bulk" if bulk else "container",
                        "modes": modes, "moves": moves, "teu": 0.0 if bulk else 2.0,
                        "mass_t": 60.0 if bulk else 24.0, "wagons": 1, "destination": place, "due_h": due_h,
                        "late_usd_per_h": 8.0, "missed_usd": 700.0,
                    }
                )  # fmt: skip
    return rows
