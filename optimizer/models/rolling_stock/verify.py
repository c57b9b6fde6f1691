"""Every rule of a wagon plan again, from the instance's tables and the plan alone, in exact fractions.

Shares nothing with the models: ways are walked edge by edge, and the fastest way is found again by a search of its own.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any

from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.result import Solution, Violation

Place = tuple[str, int]
TOLERANCE = Fraction(1, 10**6)


def _exact(value: Any) -> Fraction:
    return Fraction(str(value))


def _filled(value: Any) -> bool:
    return value is not None and value != "" and value == value


class Facts:
    """The instance's tables as a verifier reads them."""

    def __init__(self, problem: RollingStock) -> None:
        table = {name: problem.table(name).to_dict("records") for name in problem.corridor.tables}
        self.days, self.settings = problem.days, problem.corridor.config.rolling_stock
        self.country = {row["node_id"]: row["country"] for row in table["nodes"]}
        self.yard = {
            row["node_id"]: row["yard_capacity_wagons"]
            for row in table["nodes"]
            if _filled(row["yard_capacity_wagons"])
        }
        self.links = {row["link_id"]: row for row in table["links"] if row["mode"] == "rail"}
        self.handlings = {row["handling_id"]: row for row in table["handlings"]}
        self.borders = [row for row in table["borders"] if not _filled(row["mode"]) or row["mode"] == "rail"]
        self.wagons = {row["wagon_id"]: row for row in table["wagons"]}
        self.orders = {row["order_id"]: row for row in table["orders"]}
        self.fleet = [row for row in table["fleet"] if row["type_id"] in self.wagons]
        self.form = {row["commodity_id"]: row["cargo_form"] for row in table["commodities"]}
        self.suits = {(row["wagon_id"], row["commodity_id"]) for row in table["wagon_suits"]}
        self._fastest: dict[Any, dict[Place, Fraction]] = {}
        self._edges: dict[Any, dict[Place, list[tuple[Place, Fraction]]]] = {}

    def border_h(self, here: str, there: str) -> Fraction:
        best, dwell = -1, Fraction(0)
        for row in self.borders if here != there else ():
            keys = [_filled(row["from_country"]), _filled(row["to_country"]), _filled(row["mode"])]
            fits = row["from_country"] == here or not keys[0], row["to_country"] == there or not keys[1]
            if all(fits) and sum(keys) > best:
                best, dwell = sum(keys), _exact(row["dwell_h"])
        return dwell

    def step(
        self, asset: str, at: Place, wagon: Mapping[str, Any], form: str
    ) -> tuple[Place, Fraction, Fraction, Fraction] | str:
        """Next place, hours, km and charge of one edge, or what is wrong with it."""
        gauges = {int(g) for g in wagon["gauges_mm"]}
        if asset in self.links:
            link = self.links[asset]
            if int(link["gauge_mm"]) != at[1] or at[1] not in gauges:
                return "wagon on a link of another gauge"
            if at[0] not in (link["from_node"], link["to_node"]):
                return "path is not joined up"
            other = link["to_node"] if at[0] == link["from_node"] else link["from_node"]
            length = _exact(link["length_km"])
            hours = length / _exact(link["speed_kmh"]) + self.border_h(self.country[at[0]], self.country[other])
            return (other, at[1]), hours, length, Fraction(0)
        if asset in self.handlings:
            row = self.handlings[asset]
            layer, target = f"rail-{at[1]}", ""
            if row["node_id"] == at[0] and row["from_layer"] == layer:
                target = row["to_layer"]
            elif row["node_id"] == at[0] and row["to_layer"] == layer and row["both_ways"]:
                target = row["from_layer"]
            if not target:
                return "path is not joined up"
            if (
                row["technology"] != wagon["gauge_change"]
                or not target.startswith("rail-")
                or int(target[5:]) not in gauges
            ):
                return "wagon type cannot change gauge here"
            if form and row["cargo_forms"] and form not in row["cargo_forms"]:
                return "gauge change does not take the cargo"
            return (at[0], int(target[5:])), _exact(row["dwell_h"]), Fraction(0), _exact(row["cost_usd_per_wagon"])
        return "link or handling is not in force"

    def fastest(self, start: Place, end: Place, wagon: Mapping[str, Any], form: str) -> Fraction | None:
        """Least hours (plus a billionth per km) between two places for a type."""
        form = form if wagon["gauge_change"] != "none" else ""
        network = tuple(sorted(wagon["gauges_mm"])), wagon["gauge_change"], form
        if network not in self._edges:
            edges: dict[Place, list[tuple[Place, Fraction]]] = defaultdict(list)
            for asset in (*self.links, *self.handlings):
                for at in self._ends(asset):
                    step = self.step(asset, at, wagon, form)
                    if not isinstance(step, str):
                        edges[at].append((step[0], step[1] + step[2] / 10**9))
            self._edges[network] = edges
        if (network, start) not in self._fastest:
            done: dict[Place, Fraction] = {}
            queue: list[tuple[Fraction, Place]] = [(Fraction(0), start)]
            while queue:
                spent, at = heapq.heappop(queue)
                if at in done:
                    continue
                done[at] = spent
                for there, hours in self._edges[network].get(at, ()):
                    if there not in done:
                        heapq.heappush(queue, (spent + hours, there))
            self._fastest[network, start] = done
        return self._fastest[network, start].get(end)

    def _ends(self, asset: str) -> list[Place]:
        if asset in self.links:
            link = self.links[asset]
            return [(link[side], int(link["gauge_mm"])) for side in ("from_node", "to_node")]
        row = self.handlings[asset]
        layers = [row["from_layer"], row["to_layer"]]
        return [(row["node_id"], int(layer[5:])) for layer in layers if layer.startswith("rail-")]


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
    change: dict[tuple[str, Place, int], int] = defaultdict(int)
    carried: dict[str, list[tuple[Fraction, int]]] = defaultdict(list)
    passing: dict[tuple[str, str, int], int] = defaultdict(int)
    total = Fraction(0)
    if len({run["run_id"] for run in runs}) < len(runs):
        found.append(Violation("run listed twice", "runs", len(runs) - len({run["run_id"] for run in runs}), "runs"))
    for run in runs:
        faults, usd = _check_run(facts, run, passing)
        found.extend(faults)
        total += usd
        if faults and run["wagon_id"] not in facts.wagons:
            continue
        start, end = (run["from_node"], int(run["from_gauge"])), (run["to_node"], int(run["to_gauge"]))
        change[run["wagon_id"], start, int(run["depart_day"])] -= int(run["wagons"])
        change[run["wagon_id"], end, int(run["arrive_day"])] += int(run["wagons"])
        if run["order_id"]:
            carried[run["order_id"]].append(
                (_exact(facts.wagons[run["wagon_id"]]["typical_load_t"]), int(run["wagons"]))
            )
    for stock in facts.fleet:
        change[stock["type_id"], (stock["node_id"], int(stock["gauge_mm"])), int(stock["from_day"])] += int(
            stock["units"]
        )
    total += _check_hires(facts, hires, change, found)
    total += _check_stock(facts, change, found)
    total += _check_orders(facts, carried, unserved, problem.serve_all, found)
    share = _exact(facts.settings.path_share)
    for (link_id, tail, day), wagons in passing.items():
        link = facts.links[link_id]
        if _filled(link["capacity_trains_per_day"]) and _filled(link["max_train_wagons"]):
            room = _exact(link["capacity_trains_per_day"]) * share * int(link["max_train_wagons"])
            if wagons > room:
                found.append(
                    Violation(
                        "too many wagons for the train paths",
                        f"{link_id} from {tail} on day {day}",
                        float(wagons - room),
                        "wagons",
                    )
                )
    if cost is not None and abs(_exact(cost) - total) > TOLERANCE * max(Fraction(1), abs(total)):
        found.append(Violation("claimed cost is not the cost of the plan", "cost", float(_exact(cost) - total), "USD"))
    return tuple(found)


def _check_run(
    facts: Facts, run: Mapping[str, Any], passing: dict[tuple[str, str, int], int]
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
        if not int(order["release_day"]) <= depart <= int(order["due_day"]):
            broken(
                "departure outside the order's window",
                max(int(order["release_day"]) - depart, depart - int(order["due_day"])),
                "days",
            )
    else:
        mine = {(row["node_id"], int(row["gauge_mm"])) for row in facts.fleet if row["type_id"] == run["wagon_id"]}
        for row in facts.orders.values():
            if (run["wagon_id"], row["commodity_id"]) in facts.suits:
                mine |= {(row[side], int(g)) for side in ("origin", "destination") for g in wagon["gauges_mm"]}
        if start not in mine or end not in mine:
            broken("empty run to or from a place that is none of the type's")
        if arrive >= facts.days:
            broken("empty run arrives after the horizon", arrive - facts.days + 1, "days")
    if not 0 <= depart < facts.days:
        broken("departure outside the horizon", 1, "days")
    at, hours, length, usd, abroad = start, Fraction(0), Fraction(0), Fraction(0), Fraction(0)
    home = wagon["home_country"] if _filled(wagon["home_country"]) else ""
    for asset in run["path"]:
        step = facts.step(asset, at, wagon, form)
        if isinstance(step, str):
            found.append(Violation(step, f"{name}, {asset}", 1, "run"))
            return found, Fraction(0)
        there, took, km, charge = step
        if asset in facts.links:
            passing[asset, at[0], depart] += count
        abroad += sum((took / 2 for node in (at[0], there[0]) if facts.country[node] != home), Fraction(0))
        at, hours, length, usd = there, hours + took, length + km, usd + charge
    if at != end or not run["path"]:
        broken("path does not end where the run does")
        return found, Fraction(0)
    least = facts.fastest(start, end, wagon, form)
    if least is None or hours + length / 10**9 > least + Fraction(1, 10**9):
        broken("path is not the fastest", float(hours - (least or 0)), "hours")
    days = hours / _exact(facts.settings.hours_per_day) + (_exact(facts.settings.load_unload_days) if loaded else 0)
    whole = max(1, ceil(days))
    if arrive - depart != whole:
        broken("run takes another number of days", arrive - depart - whole, "days")
    if not loaded:
        usd += length * _exact(facts.settings.empty_usd_per_wagon_km)
    if home and hours:
        usd += _exact(facts.settings.foreign_usd_per_wagon_day) * whole * abroad / hours
    return found, usd * count


def _check_hires(
    facts: Facts, hires: list[dict[str, Any]], change: dict[tuple[str, Place, int], int], found: list[Violation]
) -> Fraction:
    """Hired wagons appear and go back where the type stands in the fleet table; returns what the hire costs."""
    places = {(row["type_id"], (row["node_id"], int(row["gauge_mm"]))) for row in facts.fleet}
    balance: dict[tuple[str, Place], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    total = Fraction(0)
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
        units = int(hire["units"]) if hire["change"] == "on" else -int(hire["units"])
        balance[hire["wagon_id"], place][day] += units
        change[hire["wagon_id"], place, day] += units
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
                total += on_hire * _exact(facts.wagons[wagon_id]["hire_usd_per_day"])
    return total


def _check_stock(facts: Facts, change: Mapping[tuple[str, Place, int], int], found: list[Violation]) -> Fraction:
    """No more wagons leave a place than stand there; yards hold those that stay; returns the cost of standing."""
    by_place: dict[tuple[str, Place], dict[int, int]] = defaultdict(dict)
    for (wagon_id, place, day), units in change.items():
        by_place[wagon_id, place][day] = units
    in_yard: dict[tuple[str, int], int] = defaultdict(int)
    total = Fraction(0)
    for (wagon_id, place), by_day in by_place.items():
        wagon = facts.wagons.get(wagon_id)
        if wagon is None:
            continue
        night = _exact(facts.settings.idle_usd_per_wagon_day)
        if _filled(wagon["home_country"]) and facts.country[place[0]] != wagon["home_country"]:
            night += _exact(facts.settings.foreign_usd_per_wagon_day)
        standing = 0
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
            total += standing * night
            in_yard[place[0], day] += standing
    for (node, day), standing in in_yard.items():
        if node in facts.yard and standing > facts.yard[node]:
            found.append(
                Violation(
                    "yard over capacity", f"{node} in the night of day {day}", standing - facts.yard[node], "wagons"
                )
            )
    return total


def _check_orders(
    facts: Facts,
    carried: Mapping[str, list[tuple[Fraction, int]]],
    unserved: list[dict[str, Any]],
    serve_all: bool,
    found: list[Violation],
) -> Fraction:
    """Carried and unserved tonnes make up each order; returns the penalties."""
    left: dict[str, Fraction] = defaultdict(Fraction)
    total = Fraction(0)
    for row in unserved:
        if row["order_id"] not in facts.orders or row["quantity_t"] < 0:
            found.append(Violation("unserved tonnes of no order", str(row["order_id"]), float(row["quantity_t"]), "t"))
            continue
        left[row["order_id"]] += _exact(row["quantity_t"])
    suited_loads: dict[str, list[Fraction]] = defaultdict(list)
    for wagon_id, commodity_id in facts.suits:
        if wagon_id in facts.wagons:
            suited_loads[commodity_id].append(_exact(facts.wagons[wagon_id]["typical_load_t"]))
    for order_id, order in facts.orders.items():
        quantity, tonnes = (
            _exact(order["quantity_t"]),
            sum((load * n for load, n in carried.get(order_id, ())), Fraction(0)),
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
        largest = max(suited_loads[order["commodity_id"]], default=Fraction(0))
        if tonnes and tonnes >= quantity + largest:
            found.append(
                Violation("more wagons than the order needs", f"order {order_id}", float(tonnes - quantity), "t")
            )
        total += left[order_id] * _exact(order["unserved_usd_per_t"])
    return total
