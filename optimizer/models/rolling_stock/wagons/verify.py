"""Every rule of a wagon plan again, from the instance's tables and the plan alone, in exact fractions.

Shares nothing with the models: ways are walked edge by edge, and the fastest way is found again by a search of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from typing import Any

from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.verify_facts import TOLERANCE, Facts, Place, as_written, filled, total
from optimizer.models.rolling_stock.wagons.verify_walks import Walks, home_of
from optimizer.models.rolling_stock.wagons.verify_works import (
    WORKS,
    check_begun,
    check_intake,
    check_load,
    check_wear,
    check_work,
    residue_after,
    residue_before,
)
from optimizer.result import Solution, Violation

Spot = tuple[str, int, str]
"""Station, gauge and residue of the last load."""
Passing = dict[tuple[str, str, int], dict[tuple[str, bool], int]]
"""Link, place it is entered from and day -> wagons by type and whether they are loaded."""


def verify_wagons(problem: RollingStock, solution: Solution, cost: float | None = None) -> tuple[Violation, ...]:
    """
    Every broken rule of a wagon plan; empty when it keeps all.

    Parameters
    ----------
    problem
        Rolling stock of kind wagons.
    solution
        Tables ``runs``, ``hires`` and ``unserved``.
    cost
        Claimed cost, USD; compared with the recomputed one to a millionth.
    """
    facts, found = Facts(problem), list[Violation]()
    runs = solution["runs"].to_dict("records")
    hires = solution["hires"].to_dict("records")
    unserved = solution["unserved"].to_dict("records")
    change: dict[tuple[str, Spot, int], int] = defaultdict(int)
    carried: dict[str, list[tuple[Fraction, int]]] = defaultdict(list)
    passing: Passing = defaultdict(lambda: defaultdict(int))
    walks = Walks(facts)
    usd = list[Fraction]()
    if len({run["run_id"] for run in runs}) < len(runs):
        found.append(Violation("run listed twice", "runs", len(runs) - len({run["run_id"] for run in runs}), "runs"))
    for run in runs:
        faults, paid = _check_run(facts, run, passing, walks)
        found.extend(faults)
        usd.append(paid)
        if faults and run["wagon_id"] not in facts.wagons:
            continue
        start = run["from_node"], int(run["from_gauge"]), residue_before(run)
        end = run["to_node"], int(run["to_gauge"]), residue_after(facts, run)
        change[run["wagon_id"], start, int(run["depart_day"])] -= int(run["wagons"])
        change[run["wagon_id"], end, int(run["arrive_day"])] += int(run["wagons"])
        if run["order_id"]:
            carried[run["order_id"]].append(
                (as_written(facts.wagons[run["wagon_id"]]["typical_load_t"]), int(run["wagons"]))
            )
    for stock in facts.fleet:
        spot = stock["node_id"], int(stock["gauge_mm"]), stock["residue"]
        change[stock["type_id"], spot, int(stock["from_day"])] += int(stock["units"])
    usd.append(_check_hires(facts, hires, change, found))
    usd.append(_check_stock(facts, change, found))
    usd.append(_check_orders(facts, carried, unserved, problem.serve_all, found))
    _check_trains(facts, passing, found)
    found += check_intake(facts, runs)
    found += check_wear(facts, runs, hires)
    if problem.past is not None:
        found += check_begun(problem.begun_day, problem.past, solution)
    recomputed = total(usd)
    if cost is not None and abs(as_written(cost) - recomputed) > TOLERANCE * max(Fraction(1), abs(recomputed)):
        found.append(
            Violation("claimed cost is not the cost of the plan", "cost", float(as_written(cost) - recomputed), "USD")
        )
    return tuple(found)


def _check_trains(facts: Facts, passing: Passing, found: list[Violation]) -> None:
    """The wagons that leave for a link on a day fit its trains, in number, mass and length."""
    share = as_written(facts.settings.path_share)
    limits = (
        ("max_train_wagons", "too many wagons for the train paths", "wagons"),
        ("max_train_gross_t", "too heavy for the train paths", "t"),
        ("max_train_length_m", "too long for the train paths", "m"),
    )
    takes: dict[tuple[str, bool], tuple[Fraction, ...]] = {}
    rooms: dict[str, list[tuple[int, Fraction, str, str]]] = defaultdict(list)
    for link_id, link in facts.links.items():
        for number, (column, rule, unit) in enumerate(limits):
            if filled(link["capacity_trains_per_day"]) and filled(link[column]):
                room = as_written(link["capacity_trains_per_day"]) * share * as_written(link[column])
                rooms[link_id].append((number, room, rule, unit))
    for wagon_id, wagon in facts.wagons.items():
        tare, load, length = (as_written(wagon[column]) for column in ("tare_t", "typical_load_t", "length_m"))
        takes |= {(wagon_id, loaded): (Fraction(1), tare + load * loaded, length) for loaded in (False, True)}
    scale = lcm(*(each.denominator for mine in takes.values() for each in mine))
    whole = {who: [int(each * scale) for each in mine] for who, mine in takes.items()}
    for (link_id, tail, day), wagons in passing.items():
        for number, room, rule, unit in rooms.get(link_id, ()):
            amount = sum(whole[who][number] * count for who, count in wagons.items())
            if amount > room * scale:
                over = float(Fraction(amount, scale) - room)
                found.append(Violation(rule, f"{link_id} from {tail} on day {day}", over, unit))


def _check_run(
    facts: Facts, run: Mapping[str, Any], passing: Passing, walks: Walks
) -> tuple[list[Violation], Fraction]:
    """Rules of one run and its cost."""
    name, found = f"run {run['run_id']}", list[Violation]()

    def broken(rule: str, amount: float = 1.0, unit: str = "run") -> None:
        found.append(Violation(rule, name, amount, unit))

    wagon, count = facts.wagons.get(run["wagon_id"]), int(run["wagons"])
    if wagon is None:
        broken("unknown wagon type")
        return found, Fraction(0)
    if count < 1:
        broken("run without wagons", count, "wagons")
    if run["kind"] in WORKS:
        return check_work(facts, run)
    loaded, order = run["kind"] == "loaded", facts.orders.get(run["order_id"])
    if run["kind"] not in ("loaded", "empty") or loaded != bool(run["order_id"]) or (loaded and order is None):
        broken("loaded runs and only they name an order")
        return found, Fraction(0)
    start, end = (run["from_node"], int(run["from_gauge"])), (run["to_node"], int(run["to_gauge"]))
    depart, arrive, form = int(run["depart_day"]), int(run["arrive_day"]), ""
    if order is not None:
        form = facts.form[order["commodity_id"]]
        if (run["wagon_id"], order["commodity_id"]) not in facts.suits:
            broken("wagon type does not suit the cargo", count, "wagons")
        if (order["origin"], order["destination"]) != (start[0], end[0]):
            broken("run does not lead from the order's origin to its destination")
        found.extend(check_load(facts, run))
        if not int(order["release_day"]) <= depart <= int(order["due_day"]):
            broken(
                "departure outside the order's window",
                max(int(order["release_day"]) - depart, depart - int(order["due_day"])),
                "days",
            )
    else:
        mine = facts.places_of(wagon)
        if start not in mine or end not in mine:
            broken("empty run to or from a place that is none of the type's")
        if arrive >= facts.days:
            broken("empty run arrives after the horizon", arrive - facts.days + 1, "days")
    if not 0 <= depart < facts.days:
        broken("departure outside the horizon", 1, "days")
    home, closed = home_of(wagon), facts.closed_on(depart)
    for asset in run["path"] if closed else ():
        if asset in closed:
            found.append(Violation("link is closed on the day of departure", f"{name}, {asset}", count, "wagons"))
    trip = walks.trip(run, wagon, form, closed)
    for link, tail in trip.walk.links:
        passing[link, tail, depart][run["wagon_id"], loaded] += count
    for rule, asset, amount, unit in trip.faults:
        found.append(Violation(rule, f"{name}, {asset}" if asset else name, amount, unit))
    if not trip.days:
        return found, Fraction(0)
    if arrive - depart != trip.days:
        broken("run takes another number of days", arrive - depart - trip.days, "days")
    owed, usd = facts.owed(wagon, end), trip.usd
    if owed is None and facts.owed(wagon, start) is not None:
        broken("no way back to the home railway", count, "wagons")
    if arrive >= facts.days:
        usd += owed or 0
    if loaded and wagon["return_rule"] == "direct" and home not in (facts.country[start[0]], facts.country[end[0]]):
        broken("a wagon abroad is loaded only to its home country", count, "wagons")
    return found, usd * count


def _check_hires(
    facts: Facts, hires: list[dict[str, Any]], change: dict[tuple[str, Spot, int], int], found: list[Violation]
) -> Fraction:
    """Hired wagons appear and go back where the type stands in the fleet table; returns what the hire costs."""
    places = {(row["type_id"], (row["node_id"], int(row["gauge_mm"]))) for row in facts.fleet}
    balance: dict[tuple[str, Place], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    usd = list[Fraction]()
    for hire in hires:
        place, day = (hire["node_id"], int(hire["gauge_mm"])), int(hire["day"])
        where = f"{hire['wagon_id']} at {place[0]} on day {day}"
        if not facts.settings.hire_allowed:
            found.append(Violation("hire is not allowed", where, int(hire["units"]), "wagons"))
        if (hire["wagon_id"], place) not in places:
            found.append(
                Violation("hire where the type does not stand in the fleet", where, int(hire["units"]), "wagons")
            )
        if not 0 <= day < facts.days or int(hire["units"]) < 1 or hire["change"] not in ("on", "off"):
            found.append(Violation("hire outside the horizon or without wagons", where, int(hire["units"]), "wagons"))
            continue
        wagon = facts.wagons.get(hire["wagon_id"])
        if wagon and wagon["return_rule"] != "none" and facts.country[place[0]] != wagon["home_country"]:
            found.append(Violation("hire outside the home country", where, int(hire["units"]), "wagons"))
        units = int(hire["units"]) if hire["change"] == "on" else -int(hire["units"])
        balance[hire["wagon_id"], place][day] += units
        change[hire["wagon_id"], (*place, ""), day] += units
    for (wagon_id, place), by_day in balance.items():
        on_hire = 0
        for day in range(facts.days):
            on_hire += by_day.get(day, 0)
            if on_hire < 0:
                found.append(
                    Violation(
                        "more wagons handed back than hired",
                        f"{wagon_id} at {place[0]} on day {day}",
                        -on_hire,
                        "wagons",
                    )
                )
            if wagon_id in facts.wagons:
                usd.append(on_hire * as_written(facts.wagons[wagon_id]["hire_usd_per_day"]))
    return total(usd)


def _check_stock(facts: Facts, change: Mapping[tuple[str, Spot, int], int], found: list[Violation]) -> Fraction:
    """No more wagons leave a place than stand there; yards hold those that stay.

    Returns the cost of standing and what is owed in the end.
    """
    by_place: dict[tuple[str, Spot], dict[int, int]] = defaultdict(dict)
    for (wagon_id, place, day), units in change.items():
        by_place[wagon_id, place][day] = units
    in_yard: dict[tuple[str, int], int] = defaultdict(int)
    usd = list[Fraction]()
    for (wagon_id, place), by_day in by_place.items():
        wagon = facts.wagons.get(wagon_id)
        if wagon is None:
            continue
        night = as_written(facts.settings.idle_usd_per_wagon_day)
        if filled(wagon["home_country"]) and facts.country[place[0]] != wagon["home_country"]:
            night += as_written(facts.settings.foreign_usd_per_wagon_day)
        standing = nights = 0
        for day in range(facts.days):
            standing += by_day.get(day, 0)
            if standing < 0:
                found.append(
                    Violation(
                        "more wagons leave than stand there",
                        f"{wagon_id} at {place[0]} ({place[1]} mm) on day {day}",
                        -standing,
                        "wagons",
                    )
                )
            nights += standing
            in_yard[place[0], day] += standing
        usd.append(nights * night + standing * (facts.owed(wagon, place[:2]) or 0))
    for (node, day), standing in in_yard.items():
        if node in facts.yard and standing > facts.yard[node]:
            found.append(
                Violation(
                    "yard over capacity", f"{node} in the night of day {day}", standing - facts.yard[node], "wagons"
                )
            )
    return total(usd)


def _check_orders(
    facts: Facts,
    carried: Mapping[str, list[tuple[Fraction, int]]],
    unserved: list[dict[str, Any]],
    serve_all: bool,
    found: list[Violation],
) -> Fraction:
    """Carried and unserved tonnes make up each order; returns the penalties."""
    left: dict[str, Fraction] = defaultdict(Fraction)
    usd = list[Fraction]()
    for row in unserved:
        if row["order_id"] not in facts.orders or row["quantity_t"] < 0:
            found.append(Violation("unserved tonnes of no order", str(row["order_id"]), float(row["quantity_t"]), "t"))
            continue
        left[row["order_id"]] += as_written(row["quantity_t"])
    largest_load: dict[str, Fraction] = defaultdict(Fraction)
    for wagon_id, commodity_id in facts.suits:
        if wagon_id in facts.wagons:
            load = as_written(facts.wagons[wagon_id]["typical_load_t"])
            largest_load[commodity_id] = max(load, largest_load[commodity_id])
    for order_id, order in facts.orders.items():
        quantity, tonnes = (
            as_written(order["quantity_t"]),
            total(load * n for load, n in carried.get(order_id, ())),
        )
        if tonnes + left[order_id] < quantity - TOLERANCE:
            found.append(
                Violation(
                    "tonnes neither carried nor listed as unserved",
                    f"order {order_id}",
                    float(quantity - tonnes - left[order_id]),
                    "t",
                )
            )
        if serve_all and left[order_id]:
            found.append(Violation("order not carried in full", f"order {order_id}", float(left[order_id]), "t"))
        if left[order_id] > quantity + TOLERANCE:
            found.append(
                Violation("more unserved than ordered", f"order {order_id}", float(left[order_id] - quantity), "t")
            )
        largest = largest_load.get(order["commodity_id"], 0)
        if tonnes and tonnes >= quantity + largest:
            found.append(
                Violation("more wagons than the order needs", f"order {order_id}", float(tonnes - quantity), "t")
            )
        usd.append(left[order_id] * as_written(order["unserved_usd_per_t"]))
    return total(usd)
