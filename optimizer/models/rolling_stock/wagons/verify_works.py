"""Residues, cleaning and maintenance of a wagon plan, again from the instance's tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from optimizer.models.rolling_stock.problem import WAGON_TABLES
from optimizer.models.rolling_stock.verify_facts import Facts, as_written, filled
from optimizer.result import Solution, Violation

WORKS = ("cleaning", "maintenance")


def residue_before(run: Mapping[str, Any]) -> str:
    """What the last load left in the wagons of a run."""
    residue = run.get("residue")
    return str(residue) if filled(residue) else ""


def residue_after(facts: Facts, run: Mapping[str, Any]) -> str:
    """What is in them afterwards."""
    if run["kind"] == "cleaning":
        return ""
    order = facts.orders.get(run["order_id"]) if run["kind"] == "loaded" else None
    return (facts.residue[order["commodity_id"]] if order else "") or residue_before(run)


def check_work(facts: Facts, run: Mapping[str, Any]) -> tuple[list[Violation], Fraction]:
    """Rules of one work and its cost."""
    name, found, count = f"run {run['run_id']}", list[Violation](), int(run["wagons"])

    def broken(rule: str, amount: float = 1.0, unit: str = "run") -> None:
        found.append(Violation(rule, name, amount, unit))

    wagon, path = facts.wagons[run["wagon_id"]], list(run["path"])
    work = facts.works.get(path[0]) if len(path) == 1 else None
    if work is None or work["kind"] != run["kind"]:
        broken(f"{run['kind']} at no place for it")
        return found, Fraction(0)
    if count < 1 or run["order_id"]:
        broken("work without wagons, or for an order", count, "wagons")
    ends = (run["from_node"], int(run["from_gauge"])), (run["to_node"], int(run["to_gauge"]))
    if ends[0] != ends[1] or ends[0][0] != work["node_id"] or str(ends[0][1]) not in wagon["gauges_mm"]:
        broken("work away from its place")
    if work["wagons"] and run["wagon_id"] not in work["wagons"]:
        broken("work does not take the wagon type", count, "wagons")
    residue = residue_before(run)
    if run["kind"] == "cleaning" and (not residue or (work["residues"] and residue not in work["residues"])):
        broken("work does not remove what is in the wagons", count, "wagons")
    depart, days = int(run["depart_day"]), int(work["days"])
    if int(run["arrive_day"]) - depart != days:
        broken("work takes another number of days", int(run["arrive_day"]) - depart - days, "days")
    if depart < 0 or depart + days >= facts.days:
        broken("work begins or ends outside the horizon", 1, "days")
    usd = as_written(work["cost_usd_per_wagon"])
    if filled(wagon["home_country"]) and facts.country[work["node_id"]] != wagon["home_country"]:
        usd += as_written(facts.settings.foreign_usd_per_wagon_day) * days
    return found, usd * count


def check_load(facts: Facts, run: Mapping[str, Any]) -> list[Violation]:
    """A load goes into clean wagons, those of its own residue and of residues it accepts."""
    commodity, residue = facts.orders[run["order_id"]]["commodity_id"], residue_before(run)
    if not residue or residue == facts.residue[commodity] or residue in facts.accepts[commodity]:
        return []
    words = f"{commodity} in wagons that carried {residue} and were not cleaned"
    return [Violation(words, f"run {run['run_id']}", int(run["wagons"]), "wagons")]


def check_intake(facts: Facts, runs: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """No work takes in more wagons on a day than it can."""
    taken: dict[tuple[str, int], int] = defaultdict(int)
    for run in runs:
        if run["kind"] in WORKS and run["path"] and run["path"][0] in facts.works:
            taken[run["path"][0], int(run["depart_day"])] += int(run["wagons"])
    found = []
    for (work_id, day), wagons in taken.items():
        room = facts.works[work_id]["capacity_wagons_per_day"]
        if filled(room) and wagons > room:
            found.append(
                Violation("more wagons than the work takes in", f"{work_id} on day {day}", wagons - room, "wagons")
            )
    return found


def check_begun(day: int, past: Solution, solution: Solution) -> list[Violation]:
    """What left before a running plan was taken up has left."""
    found = []
    for name, when in (("runs", "depart_day"), ("hires", "day")):
        columns = [column for column in WAGON_TABLES[name].model_fields if column in solution[name]]
        columns = [column for column in columns if column in past[name] and column != "run_id"]
        before, after = (
            Counter(
                tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row)
                for row in table.loc[table[when] < day, columns].itertuples(index=False)
            )
            for table in (past[name], solution[name])
        )
        changed = (before - after).total() + (after - before).total()
        if changed:
            rule = f"{name} before the plan was taken up are not those of the running plan"
            found.append(Violation(rule, f"day {day}", changed, name))
    return found


def check_wear(facts: Facts, runs: Sequence[Mapping[str, Any]], hires: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """The wagons of a type run no further than until they are due, counted together."""
    found = []
    for wagon_id, wagon in facts.wagons.items():
        for unit in ("km", "days"):
            if not filled(wagon[f"maintenance_{unit}"]):
                continue
            left = _left(facts, wagon, unit, runs, hires)
            short = next((day for day in range(facts.days) if left[day] < 0), None)
            if short is not None:
                words = f"{wagon_id} on day {short}"
                amount = -min(left.values())
                found.append(
                    Violation("wagons run on although they are due for maintenance", words, float(amount), unit)
                )
    return found


def _left(
    facts: Facts,
    wagon: Mapping[str, Any],
    unit: str,
    runs: Sequence[Mapping[str, Any]],
    hires: Sequence[Mapping[str, Any]],
) -> dict[int, Fraction]:
    """Day -> kilometres, or days under way, left to a type at its end."""
    every, change = as_written(wagon[f"maintenance_{unit}"]), defaultdict[int, Fraction](Fraction)
    for stock in facts.fleet:
        if stock["type_id"] == wagon["wagon_id"]:
            rest = every - as_written(stock[f"{unit}_since_maintenance"])
            change[int(stock["from_day"])] += rest * int(stock["units"])
    for run in runs:
        if run["wagon_id"] != wagon["wagon_id"] or run["kind"] == "cleaning":
            continue
        if run["kind"] == "maintenance":
            each = every
        elif unit == "days":
            each = Fraction(int(run["depart_day"]) - int(run["arrive_day"]))
        else:
            each = -sum((as_written(facts.links[a]["length_km"]) for a in run["path"] if a in facts.links), Fraction(0))
        change[int(run["depart_day"])] += each * int(run["wagons"])
    brings = Fraction(1)
    if unit == "km":
        speeds = [
            as_written(link["speed_kmh"])
            for link in facts.links.values()
            if str(int(link["gauge_mm"])) in wagon["gauges_mm"]
        ]
        brings = max(speeds, default=Fraction(0)) * as_written(facts.settings.hours_per_day)
    for hire in hires:
        if hire["wagon_id"] == wagon["wagon_id"]:
            sign = 1 if hire["change"] == "on" else -1
            for day in range(int(hire["day"]), facts.days):
                change[day] += brings * sign * int(hire["units"])
    total, left = Fraction(0), {}
    for day in range(facts.days):
        total += change[day]
        left[day] = total
    return left
