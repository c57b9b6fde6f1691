"""Trains cut into stages, and the consists of locomotives that can haul each stage.

A train's way is cut where locomotives can be exchanged or the need for traction changes: at places where locomotives
of its gauge are at home, where the wire begins or ends, and where the ruling gradient passes into another class (up
to 12, up to 20, above 20 per mille), so that a banker can come and go on a ramp.

On a link a consist of locomotives must hold the train at ``MIN_SPEED_KMH`` on the ruling gradient i (per mille):

    sum of efforts [kN] >= (gross mass + mass of locomotives) [t] * 9.81 * (i + w) / 1000,    w = 2 + 0.057 (v / 10)^2
     [per mille]

with w of the form of Strahl (1913) for mixed freight wagons. The effort of a unit is the least of its starting effort,
its power over the speed, and adhesion 9.81 * mass * (7.5 / (v + 44) + 0.161) after Curtius and Kniffler (1944). The
dearest link of a stage counts. Consists are one to four units of one type, or one unit of each of two types; electric
ones need the wire on every link.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.models.rolling_stock.problem import (
    GRADIENT_CLASSES_PERMILLE,
    MAX_UNITS,
    MIN_SPEED_KMH,
    MINUTES_PER_DAY,
    RollingStock,
)
from optimizer.models.rolling_stock.routes import RouteBook, exact

GRAVITY = Fraction("9.81")
ROLLING_PERMILLE = 2 + Fraction("0.057") * Fraction(MIN_SPEED_KMH, 10) ** 2
ADHESION = Fraction("7.5") / (MIN_SPEED_KMH + 44) + Fraction("0.161")

Consist = tuple[tuple[str, int], ...]
"""(locomotive type, units) pairs."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of a train; minutes count from the start of the horizon."""

    service_id: str
    number: int
    from_node: str
    to_node: str
    gauge_mm: int
    depart_min: int
    arrive_min: int
    length_km: Fraction
    gradient_permille: Fraction
    wired: bool
    gross_t: Fraction
    consists: tuple[Consist, ...]


@dataclass(frozen=True)
class TrainPlan:
    """Stages of each train, or the reason why it cannot run whatever is on hand."""

    stages: Mapping[str, tuple[Stage, ...]]
    impossible: Mapping[str, str]
    cancel_usd: Mapping[str, Fraction]


def effort_kn(loco: Mapping[str, Any]) -> Fraction:
    """Tractive effort of one unit at the least speed, kN."""
    by_power = exact(loco["power_kw"]) * Fraction(36, 10) / MIN_SPEED_KMH
    return min(exact(loco["starting_te_kn"]), by_power, GRAVITY * exact(loco["mass_t"]) * ADHESION)


def exact_rates(problem: RollingStock) -> dict[str, Fraction]:
    """USD a minute of a unit away from home, by type."""
    locos = problem.table("locomotives")
    pairs = zip(locos["loco_id"], locos["cost_usd_per_day"], strict=True)
    return {loco_id: exact(usd) / MINUTES_PER_DAY for loco_id, usd in pairs}


def resistance_kn(mass_t: Fraction, gradient_permille: Fraction) -> Fraction:
    """Force that holds a mass at the least speed on a gradient, kN."""
    return mass_t * GRAVITY * (gradient_permille + ROLLING_PERMILLE) / 1000


def link_minutes(hours: Fraction, hours_per_day: Fraction) -> int:
    """Whole clock minutes of running hours when a day has only so many of them."""
    return ceil(hours / hours_per_day * MINUTES_PER_DAY)


def departure_min(train: Mapping[str, Any]) -> int:
    """Departure of a train, minutes from the start of the horizon."""
    minute = 0 if is_blank(train["depart_min"]) else int(train["depart_min"])
    return int(train["depart_day"]) * MINUTES_PER_DAY + minute


def gradient_class(gradient_permille: Fraction) -> int:
    """Number of the class a ruling gradient falls in."""
    return bisect_left(GRADIENT_CLASSES_PERMILLE, gradient_permille)


def consists_for(
    locos: list[Mapping[str, Any]], gross_t: Fraction, gradient: Fraction, wired: bool
) -> tuple[Consist, ...]:
    """Every consist of the rule in the module docstring that can haul the mass."""
    usable = [loco for loco in locos if wired or loco["traction"] != "electric"]

    def hauls(parts: list[tuple[Mapping[str, Any], int]]) -> bool:
        mass = gross_t + sum(exact(loco["mass_t"]) * n for loco, n in parts)
        return sum(effort_kn(loco) * n for loco, n in parts) >= resistance_kn(mass, gradient)

    choices = [[(loco, n)] for loco in usable for n in range(1, MAX_UNITS + 1)]
    choices += [[(a, 1), (b, 1)] for a, b in combinations(usable, 2)]
    return tuple(tuple((loco["loco_id"], n) for loco, n in parts) for parts in choices if hauls(parts))


def plan_trains(problem: RollingStock, book: RouteBook) -> TrainPlan:
    """Cut every train into stages with the consists that can haul them."""
    links = {row["link_id"]: row for row in problem.table("links").to_dict("records")}
    locos: dict[int, list[Mapping[str, Any]]] = {}
    for loco in problem.table("locomotives").to_dict("records"):
        locos.setdefault(int(loco["gauge_mm"]), []).append(loco)
    gauge_of = {loco["loco_id"]: gauge for gauge, rows in locos.items() for loco in rows}
    homes = {
        (row["node_id"], gauge_of[row["type_id"]])
        for row in problem.table("fleet").to_dict("records")
        if row["type_id"] in gauge_of
    }
    per_day = exact(problem.corridor.config.rolling_stock.hours_per_day)
    stages, impossible, cancel = {}, {}, {}
    known: dict[tuple[Any, ...], tuple[Consist, ...]] = {}
    for train in problem.table("train_services").to_dict("records"):
        service, gauge = train["service_id"], int(train["gauge_mm"])
        cancel[service] = exact(train["cancel_usd"])
        closed = [link_id for link_id in train["links"] if link_id not in links]
        if closed:
            impossible[service] = f"link {closed[0]} is not in force"
            continue
        parts: list[dict[str, Any]] = []
        at, clock = train["from_node"], departure_min(train)
        for link_id in train["links"]:
            link = links[link_id]
            head = link["to_node"] if at == link["from_node"] else link["from_node"]
            gradient = (
                Fraction(0) if is_blank(link["ruling_gradient_permille"]) else exact(link["ruling_gradient_permille"])
            )
            wired, grade = link["electrified"] not in ("", "no"), gradient_class(gradient)
            crossing = book.border_hours.get((book.country[at], book.country[head]), Fraction(0))
            length = exact(link["length_km"])
            arrive = clock + link_minutes(length / exact(link["speed_kmh"]) + crossing, per_day)
            last = parts[-1] if parts else None
            if last is None or (at, gauge) in homes or last["wired"] != wired or last["grade"] != grade:
                last = {"from": at, "depart": clock, "wired": wired, "grade": grade, "gradient": gradient, "km": 0}
                parts.append(last)
            last.update(to=head, arrive=arrive, gradient=max(last["gradient"], gradient), km=last["km"] + length)
            at, clock = head, arrive
        made = []
        for number, part in enumerate(parts):
            gross = exact(train["gross_t"])
            need = gauge, gross, part["gradient"], part["wired"]
            if need not in known:
                known[need] = consists_for(locos.get(gauge, []), *need[1:])
            consists = known[need]
            ends = part["from"], part["to"], gauge, part["depart"], part["arrive"], part["km"]
            made.append(Stage(service, number, *ends, part["gradient"], part["wired"], gross, consists))
        without = next((stage for stage in made if not stage.consists), None)
        if without is not None:
            steep = f"{float(without.gradient_permille):g} per mille"
            impossible[service] = (
                f"no consist can haul {float(without.gross_t):g} t "
                f"from {without.from_node} to {without.to_node} ({steep})"
            )
        else:
            stages[service] = tuple(made)
    return TrainPlan(stages, impossible, cancel)


def least_cost(problem: RollingStock, plan: TrainPlan, services: Iterable[str]) -> float:
    """No plan of these trains costs less: every stage has its cheapest consist, or the train is cancelled."""
    rates = exact_rates(problem)
    total = 0.0
    for service in services:
        run = sum(
            (stage.arrive_min - stage.depart_min) * min(sum(n * rates[k] for k, n in c) for c in stage.consists)
            for stage in plan.stages[service]
        )
        total += float(min(run, plan.cancel_usd[service]))
    return total
