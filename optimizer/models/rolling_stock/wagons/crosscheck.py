"""Wagons a second time: OR-Tools MathOpt, another formulation, ways found by a search of its own.

No stock variables: what stands at a place is everything that came minus everything that left, summed over the days
before. Hire is counted by wagons taken and handed back each day, the tonnes of an order by steps of served quantity,
and every pair of places has its empty move (nothing is pruned).

    min  sum c x + sum over nights of n * standing + h * (days on hire) + f (q - served)
    (1)  arrived + supplied + hired - returned - left, summed up to day t  >= 0       each type, place and day: standing
    (2)  served_o <= sum l x,  served_o <= q_o,  sum l x <= most tonnes of the order
    (3)  hired - returned summed up to day t >= 0                                      each type and hire place
    (4)  standing summed over types and gauges <= yard;  x over a link and day <= train paths, in wagons, tonnes, metres

A place is a station, a gauge and the residue of the last load; works are runs that stay. Kilometres (or days under
way) left to a type are a running sum, too. What is owed to home railways is charged where wagons end: standing in the
last night, or carried beyond the horizon.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import ceil, floor, lcm
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import WAGON_TABLES, RollingStock, frame
from optimizer.models.rolling_stock.wagons.crosscheck_rails import Place, Rails, fraction
from optimizer.result import Outcome, Status, relative_gap

Spot = tuple[str, int, str]


def solve_crosscheck(problem: RollingStock, options: SolveOptions) -> Outcome:
    """
    Least-cost wagon plan by the second formulation.

    Raises
    ------
    UsageError
        For locomotives, which have one formulation only, for closures by days and running plans.
    """
    if problem.stock != "wagons":
        raise UsageError("method 'crosscheck' is there for wagons only; use 'exact' for locomotives")
    if problem.closures or problem.begun_day:
        raise UsageError("method 'crosscheck' knows no closures by days and no running plans; use 'exact'")
    from ortools.math_opt.python import mathopt

    from optimizer.solvers.mathopt import solve_mathopt

    settings, days = problem.corridor.config.rolling_stock, problem.days
    per_day, terminal = fraction(settings.hours_per_day), fraction(settings.load_unload_days)
    foreign, idle = fraction(settings.foreign_usd_per_wagon_day), fraction(settings.idle_usd_per_wagon_day)
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
    flow: dict[tuple[str, Spot], dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    wear: dict[tuple[str, str], dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
    goods = {row["commodity_id"]: row for row in problem.table("commodities").to_dict("records")}
    works = problem.table("wagon_works").to_dict("records")
    tonnes: dict[str, list[Any]] = defaultdict(list)
    passing: dict[tuple[str, str, int], list[tuple[Any, Fraction, Fraction]]] = defaultdict(list)
    owed: dict[tuple[str, Place], Fraction | None] = {}
    cost: list[Any] = []
    runs: list[tuple[Any, dict[str, Any]]] = []
    hires: list[tuple[Any, Any, dict[str, Any]]] = []

    def add_run(
        wagon: dict[str, Any],
        order_id: str,
        start: Place,
        end: Place,
        way: list[tuple[Any, ...]],
        day: int,
        residues: tuple[str, str],
    ) -> None:
        hours = sum((e[3] for e in way), Fraction(0))
        length = max(1, ceil(hours / per_day + (terminal if order_id else 0)))
        if not order_id and day + length >= days:
            return
        home = "" if is_blank(wagon["home_country"]) else wagon["home_country"]
        if wagon["return_rule"] != "none":
            if owed[wagon["wagon_id"], end] is None and owed[wagon["wagon_id"], start] is not None:
                return
            third = home not in (country[start[0]], country[end[0]])
            if order_id and wagon["return_rule"] == "direct" and third:
                return
        abroad = sum((e[3] / 2 * ((e[6][0] != home) + (e[6][1] != home)) for e in way), Fraction(0))
        usd = sum((e[5] for e in way), Fraction(0)) + (foreign * length * abroad / hours if home and hours else 0)
        usd += 0 if order_id else fraction(settings.empty_usd_per_wagon_km) * sum(e[4] for e in way)
        if day + length >= days:
            usd += owed.get((wagon["wagon_id"], end)) or 0
        variable = model.add_integer_variable(lb=0)
        cost.append(float(usd) * variable)
        flow[wagon["wagon_id"], (*start, residues[0])][day].append(-variable)
        flow[wagon["wagon_id"], (*end, residues[1])][day + length].append(variable)
        wear[wagon["wagon_id"], "km"][day].append(-float(sum((e[4] for e in way), Fraction(0))) * variable)
        wear[wagon["wagon_id"], "days"][day].append(-length * variable)
        if order_id:
            tonnes[order_id].append(float(fraction(wagon["typical_load_t"])) * variable)
        gross = fraction(wagon["tare_t"]) + (fraction(wagon["typical_load_t"]) if order_id else 0)
        for edge in way:
            if edge[2]:
                passing[edge[1], edge[2], day].append((variable, gross, fraction(wagon["length_m"])))
        row = {"kind": "loaded" if order_id else "empty", "wagon_id": wagon["wagon_id"], "order_id": order_id}
        row |= {"from_node": start[0], "from_gauge": start[1], "to_node": end[0], "to_gauge": end[1]}
        row["residue"] = residues[0]
        runs.append((variable, row | {"depart_day": day, "arrive_day": day + length, "path": tuple(e[1] for e in way)}))

    def add_work(wagon: dict[str, Any], work: dict[str, Any], gauge: int, residue: str, day: int) -> None:
        home, at = "" if is_blank(wagon["home_country"]) else wagon["home_country"], work["node_id"]
        length, cleans = int(work["days"]), work["kind"] == "cleaning"
        usd = fraction(work["cost_usd_per_wagon"]) + (foreign * length if home and country[at] != home else 0)
        variable = model.add_integer_variable(lb=0)
        cost.append(float(usd) * variable)
        flow[wagon["wagon_id"], (at, gauge, residue)][day].append(-variable)
        flow[wagon["wagon_id"], (at, gauge, "" if cleans else residue)][day + length].append(variable)
        if not cleans:
            for unit in ("km", "days"):
                if not is_blank(wagon[f"maintenance_{unit}"]):
                    wear[wagon["wagon_id"], unit][day].append(float(wagon[f"maintenance_{unit}"]) * variable)
        taken_in[work["work_id"], day].append(variable)
        row = {"kind": work["kind"], "wagon_id": wagon["wagon_id"], "order_id": "", "residue": residue}
        row |= {"from_node": at, "from_gauge": gauge, "to_node": at, "to_gauge": gauge}
        runs.append((variable, row | {"depart_day": day, "arrive_day": day + length, "path": (work["work_id"],)}))

    taken_in: dict[tuple[str, int], list[Any]] = defaultdict(list)
    night: dict[str, tuple[Fraction, str]] = {}
    for wagon in wagons:
        wagon_id, gauges = wagon["wagon_id"], sorted(int(g) for g in wagon["gauges_mm"])
        night[wagon_id] = idle, "" if is_blank(wagon["home_country"]) else wagon["home_country"]
        stands = {(row["node_id"], int(row["gauge_mm"])) for row in fleet if row["type_id"] == wagon_id}
        mine = [row for row in orders if (wagon_id, row["commodity_id"]) in suits]
        places = stands | {(row[side], g) for row in mine for side in ("origin", "destination") for g in gauges}
        layers = {goods[row["commodity_id"]]["residue"] for row in mine} | {""}
        layers |= {row["residue"] for row in fleet if row["type_id"] == wagon_id}
        worn = [unit for unit in ("km", "days") if not is_blank(wagon[f"maintenance_{unit}"])]
        useful = [
            work
            for work in works
            if (not work["wagons"] or wagon_id in work["wagons"])
            and (len(layers) > 1 if work["kind"] == "cleaning" else worn)
        ]
        places |= {(work["node_id"], g) for work in useful for g in gauges}
        for work in useful:
            removed = [residue for residue in layers if residue and residue in (work["residues"] or layers)]
            for residue in sorted(removed if work["kind"] == "cleaning" else layers):
                for g in gauges:
                    for day in range(days - int(work["days"])):
                        add_work(wagon, work, g, residue, day)
        rails = Rails(problem, wagon, "")
        if wagon["return_rule"] != "none":
            prices = fraction(settings.empty_usd_per_wagon_km), foreign / per_day
            for place in places:
                owed[wagon_id, place] = rails.homeward(place, country, wagon["home_country"], prices)
        for start in sorted(places):
            for end, way in rails.tree(start).items():
                for day in range(days) if way and end in places else ():
                    for residue in sorted(layers):
                        add_run(wagon, "", start, end, way, day, (residue, residue))
        for row in mine:
            carrying = Rails(problem, wagon, form[row["commodity_id"]] if wagon["gauge_change"] != "none" else "")
            for start in ((row["origin"], g) for g in gauges):
                for end, way in carrying.tree(start).items():
                    for day in (
                        range(row["release_day"], min(row["due_day"], days - 1) + 1)
                        if way and end[0] == row["destination"]
                        else ()
                    ):
                        cargo = goods[row["commodity_id"]]
                        for residue in sorted(layers & {"", cargo["residue"], *cargo["accepts_residues"]}):
                            after = cargo["residue"] or residue
                            add_run(wagon, row["order_id"], start, end, way, day, (residue, after))
        for place in sorted(stands) if settings.hire_allowed else ():
            if wagon["return_rule"] != "none" and country[place[0]] != wagon["home_country"]:
                continue
            on_hire: Any = 0
            for day in range(days):
                taken, returned = model.add_integer_variable(lb=0), model.add_integer_variable(lb=0)
                flow[wagon_id, (*place, "")][day].append(taken - returned)
                on_hire = on_hire + taken - returned
                wear[wagon_id, "days"][day].append(on_hire)
                wear[wagon_id, "km"][day].append(float(_most_km(problem, gauges)) * on_hire)
                model.add_linear_constraint(on_hire >= 0)
                cost.append(float(wagon["hire_usd_per_day"]) * (days - day) * (taken - returned))
                hires.append(
                    (taken, returned, {"wagon_id": wagon_id, "node_id": place[0], "gauge_mm": place[1], "day": day})
                )
    for row in fleet:
        if row["type_id"] in night and row["from_day"] < days:
            spot = row["node_id"], int(row["gauge_mm"]), row["residue"]
            flow[row["type_id"], spot][int(row["from_day"])].append(int(row["units"]))
    for wagon in wagons:
        for unit in ("km", "days"):
            if not is_blank(every := wagon[f"maintenance_{unit}"]):
                by_day = wear[wagon["wagon_id"], unit]
                for row in fleet:
                    if row["type_id"] == wagon["wagon_id"]:
                        rest = fraction(every) - fraction(row[f"{unit}_since_maintenance"])
                        by_day[int(row["from_day"])].append(float(rest * int(row["units"])))
                so_far: list[Any] = []
                for day in range(days):
                    so_far.extend(by_day.get(day, ()))
                    model.add_linear_constraint(lb=0.0, expr=mathopt.fast_sum(so_far))
    capacity = {work["work_id"]: work["capacity_wagons_per_day"] for work in works}
    for (work_id, _), variables in taken_in.items():
        if not is_blank(capacity[work_id]):
            model.add_linear_constraint(mathopt.fast_sum(variables) <= int(capacity[work_id]))
    _add_standing(model, mathopt, problem, flow, night, foreign, country, cost, owed)
    share, loads = fraction(settings.path_share), {w["wagon_id"]: fraction(w["typical_load_t"]) for w in wagons}
    links = {row["link_id"]: row for row in problem.table("links").to_dict("records")}
    for (link_id, _, _), users in passing.items():
        link = links[link_id]
        if is_blank(link["capacity_trains_per_day"]):
            continue
        trains = fraction(link["capacity_trains_per_day"]) * share
        if not is_blank(link["max_train_wagons"]):
            room = floor(trains * int(link["max_train_wagons"]))
            model.add_linear_constraint(mathopt.fast_sum(v for v, _, _ in users) <= room)
        for column, at in (("max_train_gross_t", 1), ("max_train_length_m", 2)):
            if not is_blank(link[column]):
                taken = mathopt.fast_sum(float(use[at]) * use[0] for use in users)
                model.add_linear_constraint(taken <= float(trains * fraction(link[column])))
    for row in orders:
        quantity = fraction(row["quantity_t"])
        suited = [loads[k] for k, c in sorted(suits) if c == row["commodity_id"] and k in loads]
        grain = Fraction(1, lcm(quantity.denominator, *(load.denominator for load in suited)))
        served = model.add_variable(lb=float(quantity) if problem.serve_all else 0.0, ub=float(quantity))
        total = mathopt.fast_sum(tonnes[row["order_id"]])
        model.add_linear_constraint(served <= total)
        model.add_linear_constraint(total <= float(quantity + max(suited, default=Fraction(0)) - grain))
        cost.append(float(row["unserved_usd_per_t"]) * (float(quantity) - served))
    model.minimize(mathopt.fast_sum(cost))
    result = solve_mathopt(model, options, solver=options.solver or "highs")
    return _read(problem, result, runs, hires, loads, options, _standing_still(problem, owed))


def _most_km(problem: RollingStock, gauges: list[int]) -> Fraction:
    """Kilometres of a day at the highest speed on rails of some gauges."""
    links = problem.table("links").to_dict("records")
    speeds = [fraction(r["speed_kmh"]) for r in links if r["mode"] == "rail" and int(r["gauge_mm"]) in gauges]
    return max(speeds, default=Fraction(0)) * fraction(problem.corridor.config.rolling_stock.hours_per_day)


def _add_standing(
    model: Any,
    mathopt: Any,
    problem: RollingStock,
    flow: Any,
    night: Any,
    foreign: Fraction,
    country: Any,
    cost: list[Any],
    owed: dict[tuple[str, Place], Fraction | None],
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
                last = day == problem.days - 1
                cost.append((usd + (float(owed.get((wagon_id, place[:2])) or 0) if last else 0.0)) * standing)
                yards[place[0], day].append(standing)
    for (node, _), standing in yards.items():
        if not is_blank(capacity[node]):
            model.add_linear_constraint(mathopt.fast_sum(standing) <= int(capacity[node]))


def _read(
    problem: RollingStock, result: Any, runs: Any, hires: Any, loads: Any, options: SolveOptions, standing_usd: float
) -> Outcome:
    if not result.status.has_plan:
        if result.status is Status.INFEASIBLE or problem.serve_all:
            words = ("not every order can be carried in full",) if result.status is Status.INFEASIBLE else ()
            return Outcome(result.status, conflicts=words)
        nothing: dict[str, list[dict[str, Any]]] = {"runs": [], "hires": []}
        return _outcome(problem, nothing, loads, result.bound or 0.0, options, standing_usd)
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
    cost: float | None,
) -> Outcome:
    left = {row["order_id"]: fraction(row["quantity_t"]) for row in problem.table("orders").to_dict("records")}
    for run in rows["runs"]:
        if run["order_id"]:
            left[run["order_id"]] -= loads[run["wagon_id"]] * run["wagons"]
    rows["unserved"] = [{"order_id": o, "quantity_t": float(t)} for o, t in left.items() if t > 0]
    tables = {name: frame(rows[name], model) for name, model in WAGON_TABLES.items()}
    assert cost is not None
    bound = None if bound is None else min(bound, cost)
    proved = bound is not None and relative_gap(cost, bound) <= max(options.gap, 1e-6)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, tables, cost, bound)


def _standing_still(problem: RollingStock, owed: dict[tuple[str, Place], Fraction | None]) -> float:
    """Cost when nothing moves."""
    settings, days = problem.corridor.config.rolling_stock, problem.days
    country = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["country"], strict=True))
    home = dict(zip(problem.table("wagons")["wagon_id"], problem.table("wagons")["home_country"], strict=True))
    cost = sum(
        fraction(r["quantity_t"]) * fraction(r["unserved_usd_per_t"])
        for r in problem.table("orders").to_dict("records")
    )
    for row in problem.table("fleet").to_dict("records"):
        if row["type_id"] in home:
            abroad = not is_blank(home[row["type_id"]]) and country[row["node_id"]] != home[row["type_id"]]
            night = fraction(settings.idle_usd_per_wagon_day) + (
                fraction(settings.foreign_usd_per_wagon_day) if abroad else 0
            )
            nights = max(0, days - int(row["from_day"]))
            debt = owed.get((row["type_id"], (row["node_id"], int(row["gauge_mm"])))) or 0
            cost += int(row["units"]) * (night * nights + (debt if nights else 0))
    return float(cost)
