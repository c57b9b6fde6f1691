"""Files of multi-depot vehicle scheduling (``.inp.gz``), as circulations; and plans priced from the file alone."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np

from optimizer.circulation.problem import Circulation, Plan

DATA = Path(__file__).resolve().parents[2] / "shared" / "public-instances" / "mdvsp"
VEHICLE_COST = 10_000
"""Inside the files' pull-out and pull-in costs."""


def read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vehicles by depot and the cost matrix, depots first; -1 where no connection is possible."""
    with gzip.open(path, "rt") as file:
        numbers = np.array(file.read().split(), dtype=float)
    depots, trips = int(numbers[0]), int(numbers[1])
    return numbers[2 : 2 + depots].astype(np.int64), numbers[2 + depots :].reshape(depots + trips, depots + trips)


def problem_of(vehicles: np.ndarray, matrix: np.ndarray) -> Circulation:
    depots = vehicles.size
    possible = np.where(matrix >= 0, matrix, np.inf)
    follow = possible[depots:, depots:].copy()
    np.fill_diagonal(follow, np.inf)
    return Circulation.from_matrices(vehicles, possible[:depots, depots:], possible[depots:, :depots].T, follow)


def priced(vehicles: np.ndarray, matrix: np.ndarray, plan: Plan) -> float:
    """Cost of a plan by the numbers of the file; raises if it breaks a rule."""
    depots = vehicles.size
    left, seen, total = vehicles.copy(), np.zeros(matrix.shape[0] - depots, int), 0.0
    for rotation in plan.rotations:
        left[rotation.depot] -= 1
        stops = [rotation.depot, *(depots + trip for trip in rotation.trips), rotation.depot]
        for a, b in itertools.pairwise(stops):
            if matrix[a, b] < 0:
                raise AssertionError(f"no connection from {a} to {b}")
            total += matrix[a, b]
        for trip in rotation.trips:
            seen[trip] += 1
    if (left < 0).any() or (seen != 1).any():
        raise AssertionError("a depot lacks vehicles or a trip is not done once")
    return total


def published() -> dict[str, tuple[float | None, float]]:
    """Instance -> published lower and upper bound; no lower bound where the plan is not proved best."""
    with (DATA / "best_known.csv").open() as file:
        return {
            row["instance"]: (float(row["lower_bound"]) if row["lower_bound"] else None, float(row["upper_bound"]))
            for row in csv.DictReader(file)
        }
