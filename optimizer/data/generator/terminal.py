"""One gauge-change terminal of a generated corridor, with its trains and loads.

Trains of both gauges arrive in turn, every two hours (closer where the horizon is too short), bring about forty boxes
or wagons in blocks for the other gauge and take on what they can for two of the places they serve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optimizer.data.generator import names, table, table_of
from optimizer.errors import UsageError
from optimizer.network.layered import HANDLING, LayeredNetwork

HEADWAY_H = 2.0
STAY_H, LATEST_H = 8.0, 20.0
MOVES_PER_TRAIN = 40
TRACKS_PER_GAUGE = 3
DESTINATIONS_PER_GAUGE = 4
TEU_PER_BOX, T_PER_BOX, T_PER_WAGON = 2.0, 24.0, 60.0


def make_terminal(
    network: LayeredNetwork, load_of_arc: np.ndarray, trains: int, days: int, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """
    Tables terminals, terminal_tracks, terminal_cranes, terminal_bays, train_calls and terminal_loads.

    Parameters
    ----------
    load_of_arc
        Tonnes a year on each arc; the break of gauge with the most becomes the terminal.
    trains
        Number of train calls, half of each gauge.

    Raises
    ------
    UsageError
        When so many trains do not fit into the days at the rate of four an hour.
    """
    spacing_h = min(HEADWAY_H, days * 24.0 / trains)
    if spacing_h < 0.25:
        raise UsageError(
            f"trains is {trains}, expected at most {days * 96} in {days} days, one every quarter of an hour"
        )
    node, gauges = _place(network, load_of_arc)
    onward = [_onward_places(network, node, gauge, rng) for gauge in gauges]
    side = np.arange(trains) % 2
    arrive_h = np.round(np.arange(trains) * spacing_h + rng.uniform(0, spacing_h / 2, trains), 2)
    serves = [
        tuple(sorted(rng.choice(onward[own], min(2, len(onward[own])), replace=False))) for own in side
    ]  # a train serves places on its own gauge
    call_ids = names("C", trains)
    length_m = np.round(rng.uniform(560, 820, trains))
    calls = table(
        "train_calls", trains, call_id=call_ids, terminal_id="T1", gauge_mm=np.array(gauges)[side], arrive_h=arrive_h,
        depart_h=arrive_h + STAY_H, latest_depart_h=arrive_h + LATEST_H, length_m=length_m,
        capacity_teu=100.0, capacity_t=1800.0, capacity_wagons=30, destinations=serves, wait_usd_per_h=150.0,
    )  # fmt: skip
    loads = _loads(call_ids, side, arrive_h, serves, rng)
    return {
        "terminals": table_of(
            "terminals",
            [{
                "terminal_id": "T1", "node_id": node, "name": f"Terminal {node}", "yard_capacity_teu": 400.0,
                "yard_capacity_t": 6000.0, "direct_usd_per_move": 18.0, "yard_usd_per_move": 14.0,
                "bogie_usd_per_wagon": 180.0,
            }],
        ),
        "train_calls": calls,
        "terminal_loads": loads,
    } | _equipment(gauges)  # fmt: skip


def _place(network: LayeredNetwork, load_of_arc: np.ndarray) -> tuple[str, tuple[int, int]]:
    """Place and gauges of the busiest break of gauge."""
    ends = [network.vertex_layer[end] for end in (network.tail, network.head)]
    is_break = (network.kind == HANDLING) & np.all(
        [[str(layer).startswith("rail") for layer in end] for end in ends], axis=0
    )
    breaks = np.flatnonzero(is_break)
    busiest = breaks[np.argmax(load_of_arc[breaks])]
    first, second = (int(str(end[busiest])[5:]) for end in ends)
    return str(network.vertex_node[network.tail[busiest]]), (max(first, second), min(first, second))


def _onward_places(network: LayeredNetwork, node: str, gauge: int, rng: np.random.Generator) -> np.ndarray:
    """A few places with track of the gauge, other than the terminal's."""
    links = network.corridor.table("links")
    own = links[links["gauge_mm"] == gauge]
    places = np.setdiff1d(pd.concat([own["from_node"], own["to_node"]]).to_numpy(str), [node]).astype(object)
    return rng.choice(places, min(DESTINATIONS_PER_GAUGE, len(places)), replace=False)


def _loads(
    call_ids: np.ndarray,
    side: np.ndarray,
    arrive_h: np.ndarray,
    serves: list[tuple[str, ...]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Blocks of 3 to 8 boxes or wagons for places that a later train of the other gauge serves."""
    rows: list[dict[str, Any]] = []
    for call, own in enumerate(side):
        last_h = arrive_h + LATEST_H
        later = np.flatnonzero((side != own) & (last_h > arrive_h[call] + 4) & (arrive_h < arrive_h[call] + 36))
        places = sorted({place for other in later for place in serves[other]})
        left = int(rng.integers(MOVES_PER_TRAIN - 8, MOVES_PER_TRAIN + 9)) if places else 0
        while left > 0:
            moves = min(left, int(rng.integers(3, 9)))
            left -= moves
            boxes = rng.random() < 0.7
            by_bogie = not boxes and rng.random() < 0.3
            due_h = round(arrive_h[call] + float(rng.uniform(10, 36)), 1)
            rows.append(
                {
                    "load_id": f"{call_ids[call]}-{len(rows)}", "call_id": call_ids[call], "moves": moves,
                    "form": "container" if boxes else "bulk", "wagons": moves,
                    "modes": ("direct", "yard", "bogie") if by_bogie else ("direct", "yard"),
                    "teu": moves * TEU_PER_BOX if boxes else 0.0,
                    "mass_t": moves * (T_PER_BOX if boxes else T_PER_WAGON),
                    "destination": str(rng.choice(places)), "due_h": due_h,
                    "late_usd_per_h": 8.0 * moves, "missed_usd": 600.0 * moves,
                }
            )  # fmt: skip
    return table_of("terminal_loads", rows)


def _equipment(gauges: tuple[int, int]) -> dict[str, pd.DataFrame]:
    """Three tracks of each gauge, three gantry cranes and two bulk unloaders over all of them, one bogie bay."""
    tracks = [
        {"track_id": f"K{gauge}-{number}", "terminal_id": "T1", "gauge_mm": gauge, "length_m": 900.0}
        for gauge in gauges
        for number in range(TRACKS_PER_GAUGE)
    ]
    cranes = []
    every = tuple(str(track["track_id"]) for track in tracks)
    for number in range(TRACKS_PER_GAUGE):
        cranes.append({"crane_id": f"gantry-{number}", "tracks": every, "handles": "container", "moves_per_h": 22.0})
    for number in range(2):
        cranes.append({"crane_id": f"unloader-{number}", "tracks": every, "handles": "bulk", "moves_per_h": 8.0})
    bay = {f"bogie_sets_{gauge}": 20 for gauge in gauges}
    bay_row = {"bay_id": "bay-0", "terminal_id": "T1", "wagons_per_cycle": 5, "hours_per_cycle": 1.5}
    return {
        "terminal_tracks": table_of("terminal_tracks", tracks),
        "terminal_cranes": table_of("terminal_cranes", [crane | {"terminal_id": "T1"} for crane in cranes]),
        "terminal_bays": table_of("terminal_bays", [bay_row | bay]),
    }
