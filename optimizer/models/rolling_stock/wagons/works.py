"""Cleaning and maintenance of wagons: residues of loads, the works that take them in, and wear.

A load leaves its ``residue`` in the wagon, and only the last one counts: the residue is a layer of the type, beside
place and gauge. A load goes into clean wagons, into those of its own residue and of residues it accepts; a cleaning
leads from a layer to the clean one at the same place. Wear is kept for all wagons of a type together, as they stand
for each other: a reservoir that runs empty with kilometres or days under way and is refilled by every visit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Literal

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Way, exact
from optimizer.models.rolling_stock.wagons.data import Kind, Move, WagonType, Wear
from optimizer.models.rolling_stock.wagons.past import Past


def works_of(problem: RollingStock, wagon_id: str, kind: str) -> list[Mapping[str, Any]]:
    """Rows of the works that take in a type."""
    return [
        row
        for row in problem.table("wagon_works").to_dict("records")
        if row["kind"] == kind and (not row["wagons"] or wagon_id in row["wagons"])
    ]


def work_moves(problem: RollingStock, kind: WagonType, works: list[Mapping[str, Any]], abroad_usd: Any) -> list[Move]:
    """Works of a type as moves that stay where they are; ``abroad_usd`` prices a day at a node."""
    found = []
    for work in works:
        what: Kind = work["kind"]
        days, path = int(work["days"]), (work["work_id"],)
        usd = exact(work["cost_usd_per_wagon"]) + abroad_usd(work["node_id"]) * days
        way = Way(path, ((work["work_id"], False),), Fraction(0), Fraction(0), Fraction(0), {}, (Fraction(0),))
        for start, first in kind.first_day.items():
            if start.node_id != work["node_id"] or first + days >= problem.days:
                continue
            if what == "cleaning" and (
                not start.residue or (work["residues"] and start.residue not in work["residues"])
            ):
                continue
            end = start._replace(residue="") if what == "cleaning" else start
            if end in kind.first_day:
                found.append(Move(kind.wagon_id, "", start, end, way, days, usd, what))
    return found


def wear_of(problem: RollingStock, row: Mapping[str, Any], past: Past, km: Callable[[Any], Fraction]) -> list[Wear]:
    """What limits the wagons of a type between two visits to a workshop; ``km`` of a run that has left."""
    found = []
    units: tuple[Literal["km", "days"], ...] = ("km", "days")
    for unit in units:
        if is_blank(row[f"maintenance_{unit}"]):
            continue
        every, left = exact(row[f"maintenance_{unit}"]), dict[int, Fraction]()
        for stock in problem.table("fleet").to_dict("records"):
            if stock["type_id"] == row["wagon_id"]:
                day, rest = int(stock["from_day"]), every - exact(stock[f"{unit}_since_maintenance"])
                day = max(day, past.first)
                left[day] = left.get(day, Fraction(0)) + rest * int(stock["units"])
        hired = Fraction(1) if unit == "days" else _most_km_a_day(problem, row)
        gone = hired * past.hire_days.get(row["wagon_id"], 0)
        for run in past.runs.get(row["wagon_id"], ()):
            length = {"maintenance": -every, "cleaning": Fraction(0)}.get(run["kind"])
            if length is None:
                length = km(run) if unit == "km" else Fraction(int(run["arrive_day"]) - int(run["depart_day"]))
            gone -= length * int(run["wagons"])
        if gone:
            left[past.first] = left.get(past.first, Fraction(0)) + gone
        found.append(Wear(row["wagon_id"], unit, every, left, hired))
    return found


def _most_km_a_day(problem: RollingStock, row: Mapping[str, Any]) -> Fraction:
    """Kilometres of a day at the highest speed on the rails of a type."""
    speeds = [
        exact(link["speed_kmh"])
        for link in problem.table("links").to_dict("records")
        if link["mode"] == "rail" and str(int(link["gauge_mm"])) in row["gauges_mm"]
    ]
    return max(speeds, default=Fraction(0)) * exact(problem.corridor.config.rolling_stock.hours_per_day)
