"""Every rule of a locomotive plan again, from the instance's tables and the plan alone, in exact fractions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any

from optimizer.models.rolling_stock.problem import GRADIENT_CLASSES_PERMILLE, MAX_UNITS, MIN_SPEED_KMH, RollingStock
from optimizer.models.rolling_stock.verify import TOLERANCE
from optimizer.models.rolling_stock.verify_facts import Facts
from optimizer.result import Solution, Violation

DAY_MIN = 1440


def _exact(value: Any) -> Fraction:
    return Fraction(str(value))


def _wired(link: Mapping[str, Any]) -> bool:
    return link["electrified"] not in ("", "no")


def _gradient(link: Mapping[str, Any]) -> Fraction:
    value = link["ruling_gradient_permille"]
    return _exact(value) if value == value and value not in (None, "") else Fraction(0)


def verify_trains(problem: RollingStock, solution: Solution, cost: float | None = None) -> tuple[Violation, ...]:
    """Every broken rule of a locomotive plan (tables ``stages``, ``light_moves``, ``cancelled``); ``cost`` in USD."""
    facts, found = Facts(problem), list[Violation]()
    locos = {row["loco_id"]: row for row in problem.table("locomotives").to_dict("records")}
    homes: dict[str, set[str]] = defaultdict(set)
    change: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in problem.table("fleet").to_dict("records"):
        if row["type_id"] in locos:
            homes[row["type_id"]].add(row["node_id"])
            change[row["type_id"], row["node_id"]][int(row["from_day"]) * DAY_MIN] += int(row["units"])
    services = {row["service_id"]: row for row in problem.table("train_services").to_dict("records")}
    cancelled = list(solution["cancelled"]["service_id"])
    total = Fraction(0)
    for service in cancelled:
        if service not in services or cancelled.count(service) > 1:
            found.append(Violation("cancelled train is unknown or listed twice", str(service), 1, "trains"))
        elif problem.serve_all:
            found.append(Violation("train does not run", f"train {service}", 1, "trains"))
        if service in services:
            total += _exact(services[service]["cancel_usd"])
    given: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in solution["stages"].to_dict("records"):
        given[row["service_id"], int(row["stage"])].append(row)
    known: set[tuple[str, int]] = set()
    depots = {(node, int(locos[k]["gauge_mm"])) for k, nodes in homes.items() for node in nodes}
    for service, train in services.items():
        if service in cancelled:
            continue
        if any(link_id not in facts.links for link_id in train["links"]):
            found.append(Violation("train over a link not in force", f"train {service}", 1, "trains"))
            continue
        for number, stage in enumerate(_stages(facts, train, depots)):
            known.add((service, number))
            total += _check_stage(train, number, stage, given.get((service, number), []), locos, change, found)
    for service, number in sorted(set(given) - known):
        found.append(
            Violation("locomotives on a stage that does not run", f"train {service}, stage {number}", 1, "stages")
        )
    for move in solution["light_moves"].to_dict("records"):
        total += _check_light(facts, problem, move, locos, change, found)
    end = problem.days * DAY_MIN
    for (loco_id, node), by_minute in change.items():
        standing, since = 0, 0
        for minute in sorted(by_minute):
            if node not in homes[loco_id]:
                total += (
                    standing
                    * max(0, min(minute, end) - min(since, end))
                    * _exact(locos[loco_id]["cost_usd_per_day"])
                    / DAY_MIN
                )
            standing, since = standing + by_minute[minute], minute
            if standing < 0:
                found.append(
                    Violation(
                        "more locomotives leave than stand there",
                        f"{loco_id} at {node} in minute {minute}",
                        -standing,
                        "units",
                    )
                )
        if node not in homes[loco_id]:
            total += standing * max(0, end - min(since, end)) * _exact(locos[loco_id]["cost_usd_per_day"]) / DAY_MIN
    if cost is not None and abs(_exact(cost) - total) > TOLERANCE * max(Fraction(1), abs(total)):
        found.append(Violation("claimed cost is not the cost of the plan", "cost", float(_exact(cost) - total), "USD"))
    return tuple(found)


def _minutes(facts: Facts, link: Mapping[str, Any], at: str) -> tuple[str, int]:
    other = link["to_node"] if at == link["from_node"] else link["from_node"]
    hours = _exact(link["length_km"]) / _exact(link["speed_kmh"]) + facts.border_h(
        facts.country[at], facts.country[other]
    )
    return other, ceil(hours / _exact(facts.settings.hours_per_day) * DAY_MIN)


def _stages(facts: Facts, train: Mapping[str, Any], depots: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """A train's way, cut by the rule of the problem."""
    stages: list[dict[str, Any]] = []
    at, minute = train["from_node"], int(train["depart_day"]) * DAY_MIN
    previous: Any = None
    for link_id in train["links"]:
        link = facts.links[link_id]
        need = _wired(link), sum(_gradient(link) > limit for limit in GRADIENT_CLASSES_PERMILLE)
        if need != previous or (at, int(train["gauge_mm"])) in depots:
            stages.append({"from": at, "depart": minute, "links": []})
        previous = need
        at, took = _minutes(facts, link, at)
        minute += took
        stages[-1]["links"].append(link)
        stages[-1] |= {"to": at, "arrive": minute}
    return stages


def _check_stage(
    train: Mapping[str, Any],
    number: int,
    stage: Mapping[str, Any],
    rows: list[dict[str, Any]],
    locos: Any,
    change: Any,
    found: list[Violation],
) -> Fraction:
    """Consist, effort and wire of one stage; returns its cost."""
    name, units = f"train {train['service_id']}, stage {number}", sum(int(row["units"]) for row in rows)
    if not rows:
        found.append(Violation("stage without locomotives", name, 1, "stages"))
        return Fraction(0)
    if any(row["loco_id"] not in locos or int(row["units"]) < 1 for row in rows):
        found.append(Violation("unknown locomotive type or no units", name, 1, "stages"))
        return Fraction(0)
    types = [row["loco_id"] for row in rows]
    if len(set(types)) < len(types) or units > MAX_UNITS or (len(types) > 1 and (len(types) > 2 or units > 2)):
        found.append(Violation("consist is not allowed", name, units, "units"))
    mass, effort, cost, gravity = _exact(train["gross_t"]), Fraction(0), Fraction(0), Fraction("9.81")
    adhesion = Fraction("7.5") / (MIN_SPEED_KMH + 44) + Fraction("0.161")
    for row in rows:
        loco, n = locos[row["loco_id"]], int(row["units"])
        if (row["from_node"], row["to_node"]) != (stage["from"], stage["to"]):
            found.append(Violation("stage between other places", name, 1, "stages"))
        if int(loco["gauge_mm"]) != int(train["gauge_mm"]):
            found.append(Violation("locomotive of another gauge", name, n, "units"))
        if loco["traction"] == "electric" and not all(_wired(link) for link in stage["links"]):
            found.append(Violation("electric locomotive without a wire", name, n, "units"))
        mass += n * _exact(loco["mass_t"])
        limits = (
            _exact(loco["starting_te_kn"]),
            _exact(loco["power_kw"]) / (Fraction(MIN_SPEED_KMH) * 1000 / 3600),
            gravity * _exact(loco["mass_t"]) * adhesion,
        )
        effort += n * min(limits)
        cost += n * _exact(loco["cost_usd_per_day"]) * (stage["arrive"] - stage["depart"]) / DAY_MIN
        change[row["loco_id"], stage["from"]][stage["depart"]] -= n
        change[row["loco_id"], stage["to"]][stage["arrive"]] += n
    rolling = 2 + Fraction("0.057") * (Fraction(MIN_SPEED_KMH) / 10) ** 2
    needed = max(mass * gravity * (_gradient(link) + rolling) / 1000 for link in stage["links"])
    if effort < needed:
        found.append(Violation("too little tractive effort", name, float(needed - effort), "kN"))
    return cost


def _check_light(
    facts: Facts, problem: RollingStock, move: Mapping[str, Any], locos: Any, change: Any, found: list[Violation]
) -> Fraction:
    """A light move's way, end and cost."""
    name, units, loco = (
        f"{move['loco_id']} light from {move['from_node']}",
        int(move["units"]),
        locos.get(move["loco_id"]),
    )
    if loco is None or units < 1 or not move["path"]:
        found.append(Violation("light move of no locomotive or without a path", name, units, "units"))
        return Fraction(0)
    at, depart = move["from_node"], int(move["depart_min"])
    arrive = depart
    for link_id in move["path"]:
        link = facts.links.get(link_id)
        if link is None or at not in (link["from_node"], link["to_node"]):
            found.append(Violation("path is not joined up", f"{name}, {link_id}", 1, "moves"))
            return Fraction(0)
        if int(link["gauge_mm"]) != int(loco["gauge_mm"]) or (loco["traction"] == "electric" and not _wired(link)):
            found.append(Violation("locomotive on a link it cannot run on", f"{name}, {link_id}", 1, "moves"))
        at, took = _minutes(facts, link, at)
        arrive += took
    if at != move["to_node"]:
        found.append(Violation("path does not end where the move does", name, 1, "moves"))
    if depart < 0 or arrive > problem.days * DAY_MIN:
        found.append(Violation("light move outside the horizon", name, 1, "moves"))
    change[move["loco_id"], move["from_node"]][depart] -= units
    change[move["loco_id"], move["to_node"]][arrive] += units
    return units * (arrive - depart) * _exact(loco["cost_usd_per_day"]) / DAY_MIN
