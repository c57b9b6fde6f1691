"""Trains and locomotives of DB Cargo Polska (ROMSOC), as circulations; and plans checked from the files alone.

The files give each train with its times, the type of locomotive it asks for and the class of types (``loco_metatype``)
that can stand in, the locomotives by type, and metres and time between stations for light moves. They give neither
prices nor where a locomotive starts, so that plans are priced here in metres: a locomotive in use counts
``LOCOMOTIVE_M``, light metres count once, a train with another type of its class ``OTHER_TYPE_M``, a train not run
``CANCELLED_M``.
A locomotive may start and end anywhere.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from optimizer.circulation.problem import Circulation, Plan

DATA = Path(__file__).resolve().parents[2] / "shared" / "public-instances" / "rail-loco-romsoc"
LOCOMOTIVE_M = 1_000_000
OTHER_TYPE_M = 50_000
CANCELLED_M = 5_000_000
CONNECTION_MIN = 15.0
"""From the arrival of a train or a light move until the locomotive can leave with the next train."""
DAY_MIN = 1440.0
NO_CLASS = ("", "0")
"""Trains without a class take the type they name."""

Row = Mapping[str, str]


@dataclass(frozen=True)
class Files:
    """Rows of the trains and locomotives; metres and minutes between stations."""

    trains: Sequence[Row]
    locomotives: Sequence[Row]
    metres: Mapping[tuple[str, str], int]
    minutes: Mapping[tuple[str, str], float]

    def light(self, origin: str, destination: str) -> tuple[int, float] | None:
        """Metres and minutes of a light move; the matrix holds each pair once."""
        if origin == destination:
            return 0, 0.0
        for pair in ((origin, destination), (destination, origin)):
            if pair in self.metres:
                return self.metres[pair], self.minutes[pair]
        return None


def read_files(folder: Path) -> Files:
    common = _rows(folder.parent / "common" / "distance_matrix.csv.gz")
    pairs = [(row["origin"], row["destination"]) for row in common]
    return Files(
        _rows(folder / "trains.csv.gz"),
        _rows(folder / "unique_locos.csv.gz"),
        {pair: round(float(row["distance [m]"])) for pair, row in zip(pairs, common, strict=True)},
        {pair: float(row["duration"]) * DAY_MIN for pair, row in zip(pairs, common, strict=True)},
    )


def _rows(path: Path) -> list[Row]:
    with gzip.open(path) as raw:
        return list(csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8-sig")))


def suits(train: Row, loco_type: str, loco_class: str) -> bool:
    """Whether a type can haul a train: the type it names, or one of its class."""
    if train["loco_req"] == loco_type:
        return True
    return train["loco_metatype"] not in NO_CLASS and train["loco_metatype"] == loco_class


def types_of(files: Files) -> list[tuple[str, str, list[str]]]:
    """Type, class and ids of the locomotives: the depots, in order."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in files.locomotives:
        found.setdefault((row["Type"], row["loco_metatype"]), []).append(row["loco_id"])
    return [(kind, group, sorted(ids)) for (kind, group), ids in sorted(found.items())]


def problem_of(files: Files) -> Circulation:
    types, trains = types_of(files), files.trains
    service = np.full((len(types), len(trains)), np.inf)
    for k, (kind, group, _) in enumerate(types):
        for i, train in enumerate(trains):
            if suits(train, kind, group):
                service[k, i] = 0.0 if train["loco_req"] == kind else OTHER_TYPE_M
    stations = sorted({row[end] for row in trains for end in ("departure_station", "arrival_id")})
    at = {station: number for number, station in enumerate(stations)}
    metres = np.full((len(stations), len(stations)), np.inf)
    minutes = np.full((len(stations), len(stations)), np.inf)
    for a in stations:
        for b in stations:
            move = files.light(a, b)
            if move is not None:
                metres[at[a], at[b]], minutes[at[a], at[b]] = move
    start = np.array([at[row["departure_station"]] for row in trains])
    end = np.array([at[row["arrival_id"]] for row in trains])
    depart = np.array([float(row["departure_time"]) * DAY_MIN for row in trains])
    arrive = np.array([float(row["arrival_time"]) * DAY_MIN for row in trains])
    able = np.isfinite(service)
    common = (able.T.astype(int) @ able.astype(int)) > 0
    in_time = arrive[:, None] + minutes[np.ix_(end, start)] + CONNECTION_MIN <= depart[None, :]
    tail, head = np.nonzero(common & in_time)
    return Circulation(
        np.array([len(ids) for *_, ids in types], np.int64), np.full(service.shape, float(LOCOMOTIVE_M)),
        np.zeros(service.shape), service, tail, head, metres[end[tail], start[head]], np.ones(len(types)),
        np.full(len(trains), float(CANCELLED_M)),
    )  # fmt: skip


def assigned(files: Files, plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    """Locomotive ids with the ids of their trains, in order."""
    left = {k: list(ids) for k, (*_, ids) in enumerate(types_of(files))}
    return [(left[r.depot].pop(0), tuple(files.trains[i]["train_id"] for i in r.trips)) for r in plan.rotations]


def checked_cost(files: Files, duties: Sequence[tuple[str, tuple[str, ...]]]) -> int:
    """Metres of a plan by the files' own rows; raises if it breaks a rule."""
    trains = {row["train_id"]: row for row in files.trains}
    locomotives = {row["loco_id"]: row for row in files.locomotives}
    if len({loco for loco, _ in duties}) < len(duties):
        raise AssertionError("a locomotive has two duties")
    done = [train for _, duty in duties for train in duty]
    if len(set(done)) < len(done):
        raise AssertionError("a train is hauled twice")
    total = CANCELLED_M * (len(trains) - len(done))
    for loco_id, duty in duties:
        loco = locomotives[loco_id]
        total += LOCOMOTIVE_M
        for train_id in duty:
            train = trains[train_id]
            if train["loco_req"] != loco["Type"]:
                if train["loco_metatype"] in NO_CLASS or train["loco_metatype"] != loco["loco_metatype"]:
                    raise AssertionError(f"locomotive {loco_id} cannot haul train {train_id}")
                total += OTHER_TYPE_M
        for before, after in pairwise(trains[train_id] for train_id in duty):
            move = files.light(before["arrival_id"], after["departure_station"])
            if move is None:
                raise AssertionError(f"no way from {before['arrival_id']} to {after['departure_station']}")
            free = float(before["arrival_time"]) * DAY_MIN + move[1] + CONNECTION_MIN
            if free > float(after["departure_time"]) * DAY_MIN + 1e-6:
                raise AssertionError(f"train {after['train_id']} leaves before locomotive {loco_id} is there")
            total += move[0]
    return total
