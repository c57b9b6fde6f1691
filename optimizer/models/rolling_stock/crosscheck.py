"""Wagons a second time: OR-Tools MathOpt, another formulation, ways found by a search of its own.

No stock variables: what stands at a place is everything that came minus everything that left, summed over the days
before. Hire is counted by wagons taken and handed back each day, the tonnes of an order by steps of served quantity,
and every pair of places has its empty move (nothing is pruned).

    min  sum c x + sum over nights of n * standing + h * (days on hire) + f (q - served)
    (1)  arrived + supplied + hired - returned - left, summed up to day t  >= 0       each type, place and day: standing
    (2)  served_o <= sum l x,  served_o <= q_o,  sum l x <= most tonnes of the order
    (3)  hired - returned summed up to day t >= 0                                      each type and hire place
    (4)  standing summed over types and gauges <= yard;  x over a link and day <= train paths
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from heapq import heappop, heappush
from math import ceil, floor, lcm
from typing import Any

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import WAGON_TABLES, RollingStock, frame, is_blank
from optimizer.result import Outcome, Status, relative_gap

Place = tuple[str, int]


def _fraction(value: Any) -> Fraction:
    return Fraction(str(value))


class _Rails:
    """Fastest ways in exact fractions, by Dijkstra's search with a binary heap."""

    def __init__(self, problem: RollingStock, wagon: dict[str, Any], form: str) -> None:
        country = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["country"], strict=True))
        gauges = {int(g) for g in wagon["gauges_mm"]}
        self.out: dict[Place, list[tuple[Any, ...]]] = defaultdict(list)
        borders = problem.table("borders").to_dict("records")
        for link in problem.table("links").to_dict("records"):
            if link["mode"] != "rail" or int(link["gauge_mm"]) not in gauges:
                continue
            for tail, head in ((link["from_node"], link["to_node"]), (link["to_node"], link["from_node"])):
                pair = country[tail], country[head]
                hours = _fraction(link["length_km"]) / _fraction(link["speed_kmh"]) + _dwell(borders, *pair)
                km, gauge = _fraction(link["length_km"]), int(link["gauge_mm"])
                self.out[tail, gauge].append(((head, gauge), link["link_id"], tail, hours, km, Fraction(0), pair))
        for row in problem.table("handlings").to_dict("records"):
            if row["technology"] != wagon["gauge_change"] or (
                form and row["cargo_forms"] and form not in row["cargo_forms"]
            ):
                continue
            pairs = [(row["from_layer"], row["to_layer"])] + [(row["to_layer"], row["from_layer"])] * bool(
                row["both_ways"]
            )
            for first, second in pairs:
                if (
                    not (first.startswith("rail-") and second.startswith("rail-"))
                    or not {int(first[5:]), int(second[5:])} <= gauges
                ):
                    continue
                head, at = (row["node_id"], int(second[5:])), country[row["node_id"]]
                usd = _fraction(row["cost_usd_per_wagon"])
                edge = (head, row["handling_id"], "", _fraction(row["dwell_h"]), Fraction(0), usd, (at, at))
                self.out[row["node_id"], int(first[5:])].append(edge)

    def tree(self, start: Place) -> dict[Place, list[tuple[Any, ...]]]:
        """Place -> edges of the fastest way from ``start``."""
        ways: dict[Place, list[tuple[Any, ...]]] = {}
        queue: list[tuple[Fraction, int, Place, list[tuple[Any, ...]]]] = [(Fraction(0), 0, start, [])]
        count = 0
        while queue:
            spent, _, at, way = heappop(queue)
            if at in ways:
                continue
            ways[at] = way
            for edge in sorted(self.out[at], key=lambda e: str(e[1])):
                if edge[0] not in ways:
                    count += 1
                    heappush(queue, (spent + edge[3] + edge[4] / 10**9, count, edge[0], [*way, edge]))
        return ways


def _dwell(borders: list[dict[str, Any]], here: str, there: str) -> Fraction:
    if here == there:
        return Fraction(0)
    fits = [
        (sum(not is_blank(row[key]) for key in ("from_country", "to_country", "mode")), _fraction(row["dwell_h"]))
        for row in borders
        if (is_blank(row["from_country"]) or row["from_country"] == here)
        and (is_blank(row["to_country"]) or row["to_country"] == there)
        and (is_blank(row["mode"]) or row["mode"] == "rail")
    ]
    return max(fits, default=(0, Fraction(0)))[1]


def solve_crosscheck(problem: RollingStock, options: SolveOptions) -> Outcome:
    """
    Least-cost wagon plan by the second formulation.

    Raises
    ------
    UsageError
        For locomotives, which have one formulation only.
    """
    if problem.stock != "wagons":
        raise UsageError("method 'crosscheck' is there for wagons only; use 'exact' for locomotives")
    from ortools.math_opt.python import mathopt

    from optimizer.solvers.mathopt import solve_mathopt

    settings, days = problem.corridor.config.rolling_stock, problem.days
    per_day, terminal = _fraction(settings.hours_per_day), _fraction(settings.load_unload_days)
    foreign, idle = _fraction(settings.foreign_usd_per_wagon_day), _fraction(settings.idle_usd_per_wagon_day)
    country = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["country"], strict=True))
    form = dict(
        zip(problem.table("commodities")["commodity_id"], problem.table("commodities")["cargo_form"], strict=True)
    )
    suits = set(
        zip(problem.table("wagon_suits")["wagon_id"], problem.table("wagon_suits")["commodity_id"], strict=True)
    )
    wagons, orders = problem.table("wagons").to_dict("records"), problem.table("orders").to_dict("records")
    fleet = problem.table("fleet").to_dict("records")
    model = mathopt.Model(name="rolling_stock_crosscheck")
    flow: dict[tuple[str, Place], dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    tonnes: dict[str, list[Any]] = defaultdict(list)
    passing: dict[tuple[str, str, int], list[Any]] = defaultdict(list)
    cost: list[Any] = []
    runs: list[tuple[Any, dict[str, Any]]] = []
    hires: list[tuple[Any, Any, dict[str, Any]]] = []

    def add_run(
        wagon: dict[str, Any], order_id: str, start: Place, end: Place, way: list[tuple[Any, ...]], day: int
    ) -> None:
        hours = sum((e[3] for e in way), Fraction(0))
        length = max(1, ceil(hours / per_day + (terminal if order_id else 0)))
        if not order_id and day + length >= days:
            return
        home = "" if is_blank(wagon["home_country"]) else wagon["home_country"]
        abroad = sum((e[3] / 2 * ((e[6][0] != home) + (e[6][1] != home)) for e in way), Fraction(0))
        usd = sum((e[5] for e in way), Fraction(0)) + (foreign * length * abroad / hours if home and hours else 0)
        usd += 0 if order_id else _fraction(settings.empty_usd_per_wagon_km) * sum(e[4] for e in way)
        variable = model.add_integer_variable(lb=0)
        cost.append(float(usd) * variable)
        flow[wagon["wagon_id"], start][day].append(-variable)
        flow[wagon["wagon_id"], end][day + length].append(variable)
        if order_id:
            tonnes[order_id].append(float(_fraction(wagon["typical_load_t"])) * variable)
        for edge in way:
            if edge[2]:
                passing[edge[1], edge[2], day].append(variable)
        row = {"kind": "loaded" if order_id else "empty", "wagon_id": wagon["wagon_id"], "order_id": order_id}
        row |= {"from_node": start[0], "from_gauge": start[1], "to_node": end[0], "to_gauge": end[1]}
        runs.append((variable, row | {"depart_day": day, "arrive_day": day + length, "path": tuple(e[1] for e in way)}))

    night: dict[str, tuple[Fraction, str]] = {}
    for wagon in wagons:
        wagon_id, gauges = wagon["wagon_id"], sorted(int(g) for g in wagon["gauges_mm"])
        night[wagon_id] = idle, "" if is_blank(wagon["home_country"]) else wagon["home_country"]
        stands = {(row["node_id"], int(row["gauge_mm"])) for row in fleet if row["type_id"] == wagon_id}
        mine = [row for row in orders if (wagon_id, row["commodity_id"]) in suits]
        places = stands | {(row[side], g) for row in mine for side in ("origin", "destination") for g in gauges}
        rails = _Rails(problem, wagon, "")
        for start in sorted(places):
            for end, way in rails.tree(start).items():
                for day in range(days) if way and end in places else ():
                    add_run(wagon, "", start, end, way, day)
        for row in mine:
            carrying = _Rails(problem, wagon, form[row["commodity_id"]] if wagon["gauge_change"] != "none" else "")
            for start in ((row["origin"], g) for g in gauges):
                for end, way in carrying.tree(start).items():
                    for day in (
                        range(row["release_day"], min(row["due_day"], days - 1) + 1)
                        if way and end[0] == row["destination"]
                        else ()
                    ):
                        add_run(wagon, row["order_id"], start, end, way, day)
        for place in sorted(stands) if settings.hire_allowed else ():
            on_hire: Any = 0
            for day in range(days):
                taken, returned = model.add_integer_variable(lb=0), model.add_integer_variable(lb=0)
                flow[wagon_id, place][day].append(taken - returned)
                on_hire = on_hire + taken - returned
                model.add_linear_constraint(on_hire >= 0)
                cost.append(float(wagon["hire_usd_per_day"]) * (days - day) * (taken - returned))
                hires.append(
                    (taken, returned, {"wagon_id": wagon_id, "node_id": place[0], "gauge_mm": place[1], "day": day})
                )
    for row in fleet:
        if row["type_id"] in night and row["from_day"] < days:
            flow[row["type_id"], (row["node_id"], int(row["gauge_mm"]))][int(row["from_day"])].append(int(row["units"]))
    _add_standing(model, mathopt, problem, flow, night, foreign, country, cost)
    share, loads = _fraction(settings.path_share), {w["wagon_id"]: _fraction(w["typical_load_t"]) for w in wagons}
    links = {row["link_id"]: row for row in problem.table("links").to_dict("records")}
    for (link_id, _, _), variables in passing.items():
        link = links[link_id]
        if not is_blank(link["capacity_trains_per_day"]) and not is_blank(link["max_train_wagons"]):
            room = floor(_fraction(link["capacity_trains_per_day"]) * share * int(link["max_train_wagons"]))
            model.add_linear_constraint(mathopt.fast_sum(variables) <= room)
    for row in orders:
        quantity = _fraction(row["quantity_t"])
        suited = [loads[k] for k, c in sorted(suits) if c == row["commodity_id"] and k in loads]
        grain = Fraction(1, lcm(quantity.denominator, *(load.denominator for load in suited)))
        served = model.add_variable(lb=float(quantity) if problem.serve_all else 0.0, ub=float(quantity))
        total = mathopt.fast_sum(tonnes[row["order_id"]])
        model.add_linear_constraint(served <= total)
        model.add_linear_constraint(total <= float(quantity + max(suited, default=Fraction(0)) - grain))
        cost.append(float(row["unserved_usd_per_t"]) * (float(quantity) - served))
    model.minimize(mathopt.fast_sum(cost))
    result = solve_mathopt(model, options, solver=options.solver or "highs")
    return _read(problem, result, runs, hires, loads, options)


def _add_standing(
    model: Any,
    mathopt: Any,
    problem: RollingStock,
    flow: Any,
    night: Any,
    foreign: Fraction,
    country: Any,
    cost: list[Any],
) -> None:
    """(1) and (4): running sums are what stands; they cost by the night and fill the yards."""
    yards: dict[tuple[str, int], list[Any]] = defaultdict(list)
    capacity = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["yard_capacity_wagons"], strict=True))
    for (wagon_id, place), by_day in flow.items():
        idle, home = night[wagon_id]
        usd = float(idle + (foreign if home and country[place[0]] != home else 0))
        so_far: list[Any] = []
        for day in range(problem.days):
            so_far.extend(by_day.get(day, ()))
            standing = mathopt.fast_sum(so_far)
            if so_far:
                model.add_linear_constraint(lb=0.0, expr=standing)
                cost.append(usd * standing)
                yards[place[0], day].append(standing)
    for (node, _), standing in yards.items():
        if not is_blank(capacity[node]):
            model.add_linear_constraint(mathopt.fast_sum(standing) <= int(capacity[node]))


def _read(problem: RollingStock, result: Any, runs: Any, hires: Any, loads: Any, options: SolveOptions) -> Outcome:
    if not result.status.has_plan:
        if result.status is Status.INFEASIBLE or problem.serve_all:
            words = ("not every order can be carried in full",) if result.status is Status.INFEASIBLE else ()
            return Outcome(result.status, conflicts=words)
        nothing: dict[str, list[dict[str, Any]]] = {"runs": [], "hires": []}
        return _outcome(problem, nothing, loads, result.bound or 0.0, options)
    value = {variable: round(x) for variable, x in result.values.items()}
    chosen = [row | {"wagons": value[variable]} for variable, row in runs if value[variable] > 0]
    numbered = [{"run_id": f"R{i + 1}"} | row for i, row in enumerate(chosen)]
    changes = []
    for taken, returned, row in hires:
        units = value[taken] - value[returned]
        if units:
            changes.append(row | {"change": "on" if units > 0 else "off", "units": abs(units)})
    return _outcome(problem, {"runs": numbered, "hires": changes}, loads, result.bound, options, result.objective)


def _outcome(
    problem: RollingStock,
    rows: dict[str, list[dict[str, Any]]],
    loads: Any,
    bound: float | None,
    options: SolveOptions,
    cost: float | None = None,
) -> Outcome:
    left = {row["order_id"]: _fraction(row["quantity_t"]) for row in problem.table("orders").to_dict("records")}
    for run in rows["runs"]:
        if run["order_id"]:
            left[run["order_id"]] -= loads[run["wagon_id"]] * run["wagons"]
    rows["unserved"] = [{"order_id": o, "quantity_t": float(t)} for o, t in left.items() if t > 0]
    tables = {name: frame(rows[name], model) for name, model in WAGON_TABLES.items()}
    if cost is None:
        cost = _standing_still(problem)
    bound = None if bound is None else min(bound, cost)
    proved = bound is not None and relative_gap(cost, bound) <= max(options.gap, 1e-6)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, tables, cost, bound)


def _standing_still(problem: RollingStock) -> float:
    """Cost when nothing moves."""
    settings, days = problem.corridor.config.rolling_stock, problem.days
    country = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["country"], strict=True))
    home = dict(zip(problem.table("wagons")["wagon_id"], problem.table("wagons")["home_country"], strict=True))
    cost = sum(
        _fraction(r["quantity_t"]) * _fraction(r["unserved_usd_per_t"])
        for r in problem.table("orders").to_dict("records")
    )
    for row in problem.table("fleet").to_dict("records"):
        if row["type_id"] in home:
            abroad = not is_blank(home[row["type_id"]]) and country[row["node_id"]] != home[row["type_id"]]
            night = _fraction(settings.idle_usd_per_wagon_day) + (
                _fraction(settings.foreign_usd_per_wagon_day) if abroad else 0
            )
            cost += night * int(row["units"]) * max(0, days - int(row["from_day"]))
    return float(cost)
