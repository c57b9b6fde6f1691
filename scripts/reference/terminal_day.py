"""A typical day at a gauge-change terminal: trains and loads sized from the annual tonnes that change
there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scripts.reference.dated import SEED
from scripts.reference.facts import Row
from scripts.reference.routes import Route
from scripts.reference.transfers import T_PER_FEU


@dataclass(frozen=True)
class Day:
    """Which handlings make the day of a terminal: gauges in the order of from_layer and to_layer."""

    terminal_id: str
    variant: str
    year: int
    gauges: tuple[int, int]
    box: str
    bulk: str
    bogie: str = ""


#: Sarakhs today and in 2035, Spin Boldak in variants A and B, Kandahar in C.
DAYS = (
    Day("TL3", "", 2026, (1520, 1435), "G05-box", "G05", "G04"),
    Day("TL3", "", 2035, (1520, 1435), "G05-box", "G05", "G04"),
    Day("TL5", "A", 2035, (1435, 1676), "G13", "G14"),
    Day("TL5", "B", 2035, (1520, 1676), "G15", "G16"),
    Day("TL6", "C", 2035, (1520, 1676), "G17", "G18"),
)
#: Boxes of a train: 50 on 1520 mm (TL1), 40 on 1435 mm (G10), 36 wagons on the Khojak side (TL5).
BOXES_PER_TRAIN = {1520: 50, 1435: 40, 1676: 36}
#: Wagons of a bulk train: 30 at 67 t; 28 at 65 t within 2,600 t gross; 17 at 60 t within 1,500 t gross at
#: the Khojak.
BULK_WAGONS_PER_TRAIN = {1520: 30, 1435: 28, 1676: 17}
BULK_T_PER_WAGON = {1520: 67.0, 1435: 65.0, 1676: 60.0}
#: Metres of a train; all fit the shortest tracks (TL3 700 m, 1676 mm side of TL5 and TL6 700 m).
BOX_TRAIN_M = {1520: 640, 1435: 640, 1676: 540}
BULK_TRAIN_M = {1520: 450, 1435: 400, 1676: 240}
MOST_TRAINS = {"container": 3, "bulk": 2}  # of one gauge
BLOCK = 6  # boxes or wagons of a load
GANTRY_TERMINALS = ("TL5", "TL6")
#: Blocks of six flat wagons of 14 m stand one behind the other; a gantry takes about the length of one. Ours.
ZONES = "zone: blocks counted from the head of the train, estimate"
WEIGHED = ("TL3",)  # bulk is weighed on its new wagons where there is a weighbridge
FIRST_H, LAST_H = 0.0, 14.0  # arrivals
BULK_WAYS = "direct;yard"
STAY_H = {"container": 5.0, "bulk": 7.0}
GRACE_H, DUE_AFTER_H = 9.0, {"container": 9.0, "bulk": 12.0}
#: A locomotive (1,900 USD a day) and 45 wagons at 20 USD a day.
WAIT_USD_PER_H = 120.0
#: An hour late per box or wagon; a box left behind costs a day's detention (TF140, 110 USD) and a lift, a
#: bulk wagon half.
LATE_USD_PER_UNIT_H = {"container": 2.0, "bulk": 1.0}
MISSED_USD_PER_UNIT = {"container": 150.0, "bulk": 75.0}


def _flows(routes: Sequence[Route], handling: str, against: bool) -> Counter[str]:
    """Tonnes a day through a handling in one direction, by final destination."""
    flows: Counter[str] = Counter()
    for route in routes:
        if (handling, against) in route.handlings:
            flows[str(route.lane.destination)] += route.lane.quantity_t_per_year / 365
    return flows


def terminal_day(day: Day, routes: Sequence[Route]) -> tuple[list[Row], list[Row]]:
    """Train calls and loads; the loads of a direction come on its trains and go on with the trains of the
    other gauge.
    """
    rng = np.random.default_rng([SEED, day.year, ord((day.variant or "-")[0]), int(day.terminal_id[2:])])
    stem = f"{day.terminal_id}{day.variant and '-' + day.variant}-{day.year}"
    calls: list[Row] = []
    loads: list[Row] = []
    for form, ways in (("container", ((day.box, "direct;yard"),)), ("bulk", _bulk_ways(day))):
        flows = [
            [(modes, _flows(routes, handling, against)) for handling, modes in ways if handling]
            for against in (False, True)
        ]
        totals = [sum(sum(flow.values()) for _, flow in side) for side in flows]
        if max(totals) == 0:
            continue
        trains = [_train_count(form, gauge, max(totals)) for gauge in day.gauges]
        for side, gauge in enumerate(day.gauges):
            onward = sorted({place for _, flow in flows[1 - side] for place in flow})
            for number in range(trains[side]):
                call = _call(day, f"{stem}-{form[:3]}-{gauge}-{number + 1}", form, gauge, onward, number, trains[side])
                calls.append(call)
                if totals[side]:
                    loads += _loads(rng, call, form, gauge, flows[side], trains[side])
    for call, hour in zip(rng.permutation(len(calls)), np.linspace(FIRST_H, LAST_H, max(len(calls), 1)), strict=False):
        _set_hours(calls[int(call)], round(2 * float(hour)) / 2)
    arrival = {call["call_id"]: call["arrive_h"] for call in calls}
    for load in loads:
        load["due_h"] = arrival[load["call_id"]] + DUE_AFTER_H[str(load["form"])]
    return calls, loads


def _bulk_ways(day: Day) -> tuple[tuple[str, str], ...]:
    return ((day.bulk, BULK_WAYS), (day.bogie, "bogie"))


def _train_count(form: str, gauge: int, t_per_day: float) -> int:
    train_t = BOXES_PER_TRAIN[gauge] * T_PER_FEU
    if form == "bulk":
        train_t = BULK_WAGONS_PER_TRAIN[gauge] * BULK_T_PER_WAGON[gauge]
    return min(MOST_TRAINS[form], max(1, math.ceil(t_per_day / train_t)))


def _call(day: Day, call_id: str, form: str, gauge: int, onward: list[str], number: int, trains: int) -> Row:
    boxes, wagons = BOXES_PER_TRAIN[gauge], BULK_WAGONS_PER_TRAIN[gauge]
    # With two trains and several places, every third place is served by both, the others in turn.
    served = [place for at, place in enumerate(onward) if trains == 1 or at % 3 == 0 or (at + number) % 2 == 0]
    return {
        "call_id": call_id,
        "terminal_id": day.terminal_id,
        "gauge_mm": gauge,
        "year": day.year,
        "gauge_variants": day.variant,
        "length_m": (BOX_TRAIN_M if form == "container" else BULK_TRAIN_M)[gauge],
        "capacity_teu": 2.0 * boxes if form == "container" else 0.0,
        "capacity_t": wagons * BULK_T_PER_WAGON[gauge] if form == "bulk" else 0.0,
        "capacity_wagons": wagons if day.bogie and form == "bulk" else 0,
        "destinations": ";".join(served),
        "wait_usd_per_h": WAIT_USD_PER_H,
        "source": f"derived: tonnes of the lanes through {day.terminal_id} over 365, train size by gauge; seed {SEED}",
        "confidence": "derived",
        "_form": form,
    }


def _set_hours(call: Row, arrive: float) -> None:
    call["arrive_h"] = arrive
    call["depart_h"] = arrive + STAY_H[call.pop("_form")]
    call["latest_depart_h"] = call["depart_h"] + GRACE_H


def _loads(
    rng: np.random.Generator,
    call: Row,
    form: str,
    gauge: int,
    flows: list[tuple[str, Counter[str]]],
    trains: int,
) -> Iterator[Row]:
    """Blocks of boxes or cuts of wagons, destination and way drawn in proportion to tonnes."""
    options = [(modes, place, t) for modes, flow in flows for place, t in sorted(flow.items())]
    total = sum(t for _, _, t in options)
    t_per_unit, most = T_PER_FEU, BOXES_PER_TRAIN[gauge]
    if form == "bulk":
        t_per_unit, most = BULK_T_PER_WAGON[gauge], BULK_WAGONS_PER_TRAIN[gauge]
    left = min(most, max(1, round(total / trains / t_per_unit)))
    number = 0
    while left > 0:
        units = min(BLOCK, left)
        modes, place, _ = options[int(rng.choice(len(options), p=[t / total for _, _, t in options]))]
        number += 1
        left -= units
        yield {
            "load_id": f"{call['call_id']}-{number}",
            "call_id": call["call_id"],
            "form": form,
            "modes": modes,
            "moves": units,
            "teu": 2.0 * units if form == "container" else 0.0,
            "mass_t": round(units * t_per_unit, 1),
            "wagons": units,
            "destination": place,
            "zone": number - 1 if form == "container" and call["terminal_id"] in GANTRY_TERMINALS else "",
            "checks_after": "weighing" if modes == BULK_WAYS and call["terminal_id"] in WEIGHED else "",
            "late_usd_per_h": LATE_USD_PER_UNIT_H[form] * units,
            "missed_usd": MISSED_USD_PER_UNIT[form] * units,
            "source": f"derived: block of {units}, place drawn by tonnes; seed {SEED}",
            "confidence": "derived",
            "notes": ZONES if form == "container" and call["terminal_id"] in GANTRY_TERMINALS else "",
        }
