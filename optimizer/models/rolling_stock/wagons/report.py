"""Figures and tables of a plan in a planner's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

from optimizer.data.columns import is_blank
from optimizer.models.family import Table
from optimizer.models.rolling_stock.problem import RollingStock, cells
from optimizer.models.rolling_stock.wagons.empties import countries_table, exchange_table, owed_km
from optimizer.models.rolling_stock.wagons.moves import Moves, wagon_moves
from optimizer.models.rolling_stock.wagons.unserved import unserved_reasons
from optimizer.result import Solution


def kpis(problem: RollingStock, solution: Solution) -> Mapping[str, float | str]:
    """Figures of a plan, name with unit -> value."""
    figures = fleet_figures(problem, solution)
    loaded, empty = (sum(f[key] for f in figures.values()) for key in ("loaded_km", "empty_km"))
    unserved = float(solution["unserved"]["quantity_t"].sum())
    runs = solution["runs"]
    shares: dict[str, float | str] = {
        "loaded_wagon_km": round(loaded),
        "empty_wagon_km": round(empty),
        "empty_share_pct": round(100 * empty / (loaded + empty), 1) if loaded + empty else 0.0,
        "served_t": round(float(problem.table("orders")["quantity_t"].sum()) - unserved, 3),
        "unserved_t": round(unserved, 3),
        "loaded_wagons": int(runs.loc[runs["kind"] == "loaded", "wagons"].sum()) if len(runs) else 0,
        "wagons_used_peak": sum(int(f["used_peak"]) for f in figures.values()),
        "wagons_hired_peak": sum(int(f["hired_peak"]) for f in figures.values()),
    }
    if shares["loaded_wagons"]:
        days = sum(f["used_days"] for f in figures.values())
        shares["turnaround_days"] = round(days / float(shares["loaded_wagons"]), 1)
    owed = owed_km(problem, solution)
    if owed:
        shares["owed_wagon_km"] = round(owed)
        shares["empty_share_with_owed_pct"] = round(100 * (empty + owed) / (loaded + empty + owed), 1)
    gauges = {row["wagon_id"]: "/".join(row["gauges_mm"]) for row in problem.table("wagons").to_dict("records")}
    for wagon_id, f in figures.items():
        if f["used_peak"]:
            key = f"used_peak_{gauges[wagon_id]}_mm"
            shares[key] = float(shares.get(key, 0)) + f["used_peak"]
    return shares


def report(problem: RollingStock, solution: Solution) -> Sequence[Table]:
    """Tables for planners, those with rows: fleet by type, orders, empties."""
    tables = (
        _fleet_table(problem, solution), _left_behind_table(problem, solution), _orders_table(problem, solution),
        _empties_table(problem, solution), _months_table(problem, solution), countries_table(problem, solution),
        exchange_table(problem, solution),
    )  # fmt: skip
    return tuple(table for table in tables if table.rows)


def place_names(problem: RollingStock) -> dict[str, str]:
    """Node id -> name."""
    return dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["name"], strict=True))


def fleet_figures(problem: RollingStock, solution: Solution) -> dict[str, dict[str, float]]:
    """Stand, peaks and kilometres of each type.

    A wagon counts as used from its first departure: the wagons of a type in use on a day are those that ever left by
    then, with returning wagons taken before fresh ones; ``used_peak`` is the most ever under way at one time.
    """
    length = dict(zip(problem.table("links")["link_id"], problem.table("links")["length_km"], strict=True))
    figures: dict[str, dict[str, float]] = {}
    under_way: dict[str, list[int]] = defaultdict(lambda: [0] * problem.days)
    for row in problem.table("wagons").to_dict("records"):
        keys = ("stand", "used_peak", "hired_peak", "loaded_km", "empty_km", "used_days")
        figures[row["wagon_id"]] = dict.fromkeys(keys, 0.0)
    for stock in problem.table("fleet").to_dict("records"):
        if stock["type_id"] in figures:
            figures[stock["type_id"]]["stand"] += stock["units"]
    km: dict[tuple[str, ...], float] = {}
    columns = "wagon_id", "kind", "path", "depart_day", "arrive_day", "wagons"
    for wagon_id, kind, path, depart_day, arrive_day, wagons in cells(solution["runs"], *columns):
        if path not in km:
            km[path] = sum(length.get(asset, 0.0) for asset in path)
        figures[wagon_id]["loaded_km" if kind == "loaded" else "empty_km"] += km[path] * wagons
        busy = under_way[wagon_id]
        for day in range(depart_day, min(arrive_day, problem.days)):
            busy[day] += wagons
    hired: dict[str, list[int]] = defaultdict(lambda: [0] * problem.days)
    for hire in solution["hires"].to_dict("records"):
        for day in range(int(hire["day"]), problem.days):
            hired[hire["wagon_id"]][day] += int(hire["units"]) * (1 if hire["change"] == "on" else -1)
    for wagon_id, f in figures.items():
        f["used_peak"] = max(under_way[wagon_id], default=0)
        f["hired_peak"] = max(hired[wagon_id], default=0)
        f["used_days"] = sum(under_way[wagon_id])
    return figures


def _fleet_table(problem: RollingStock, solution: Solution) -> Table:
    gauges = {row["wagon_id"]: "/".join(row["gauges_mm"]) for row in problem.table("wagons").to_dict("records")}
    rows = []
    for wagon_id, f in fleet_figures(problem, solution).items():
        if not f["stand"] and not f["hired_peak"]:
            continue
        km = f["loaded_km"] + f["empty_km"]
        share = f"{100 * f['empty_km'] / km:.0f}%" if km else "-"
        counts = [f"{f[key]:,.0f}" for key in ("stand", "used_peak", "hired_peak", "loaded_km", "empty_km")]
        rows.append([wagon_id, gauges[wagon_id], *counts, share])
    columns = [
        "wagon type",
        "gauge mm",
        "own",
        "most under way",
        "most on hire",
        "loaded km",
        "empty km",
        "empty share",
    ]
    return Table("Fleet by type", columns, rows, "wagon-km; the empty share is of all wagon-km of the type")


def _orders_table(problem: RollingStock, solution: Solution) -> Table:
    names, carried = place_names(problem), defaultdict(list)
    for order_id, wagons, wagon_id, day in cells(solution["runs"], "order_id", "wagons", "wagon_id", "depart_day"):
        if order_id:
            carried[order_id].append(f"{wagons} {wagon_id} day {day}")
    rows = [
        [
            order["order_id"],
            f"{names[order['origin']]} - {names[order['destination']]}",
            order["commodity_id"],
            f"{order['quantity_t']:,.0f}",
            "; ".join(carried[order["order_id"]]) or "-",
        ]
        for order in problem.table("orders").to_dict("records")
    ]
    return Table("Orders", ["order", "from - to", "cargo", "t", "wagons"], rows)


def _left_behind_table(problem: RollingStock, solution: Solution) -> Table:
    """What stays behind, the most first, and why."""
    names, told = place_names(problem), solution["unserved"].to_dict("records")
    left = solution["unserved"].groupby("order_id")["quantity_t"].sum().to_dict()
    reasons = {row["order_id"]: row["reason"] for row in told if row.get("reason")}
    prices = {row["order_id"]: row.get("served_from_usd_per_t") for row in told}
    if untold := {order_id: tonnes for order_id, tonnes in left.items() if order_id not in reasons}:
        reasons |= unserved_reasons(problem, untold, wagon_moves(problem.begun(solution)))
    orders = [order for order in problem.table("orders").to_dict("records") if order["order_id"] in left]
    rows = [
        [
            order["order_id"],
            f"{names[order['origin']]} - {names[order['destination']]}",
            f"{left[order['order_id']]:,.0f}",
            f"{order['unserved_usd_per_t']:,.2f}",
            "" if is_blank(prices[order["order_id"]]) else f"{prices[order['order_id']]:,.2f}",
            reasons[order["order_id"]],
        ]
        for order in sorted(orders, key=lambda order: -left[order["order_id"]])
    ]
    columns = ["order", "from - to", "t", "penalty USD/t", "served from USD/t", "why"]
    note = "served from: below it no wagon pays, by the prices of the relaxation; corridor explain solves again for one"
    return Table("Left behind", columns, rows, note if any(row[4] for row in rows) else "")


def _empties_table(problem: RollingStock, solution: Solution) -> Table:
    names = place_names(problem)
    flows: dict[tuple[str, str, str], int] = defaultdict(int)
    for kind, wagon_id, start, end, count in cells(
        solution["runs"], "kind", "wagon_id", "from_node", "to_node", "wagons"
    ):
        if kind == "empty":
            flows[wagon_id, start, end] += count
    ordered = sorted(flows.items(), key=lambda item: (-item[1], item[0]))
    rows = [[wagon_id, names[start], names[end], str(wagons)] for (wagon_id, start, end), wagons in ordered]
    return Table("Empty wagons", ["wagon type", "from", "to", "wagons"], rows)


def _months_table(problem: RollingStock, solution: Solution) -> Table:
    """Wagons needed by type, gauge and month: the most under way on one day, and the loaded share of wagon-days."""
    horizon = problem.corridor.config.horizon
    month = [(horizon.start + timedelta(days=day)).strftime("%Y-%m") for day in range(horizon.days)]
    gauges = {row["wagon_id"]: "/".join(row["gauges_mm"]) for row in problem.table("wagons").to_dict("records")}
    busy: dict[str, list[list[int]]] = defaultdict(lambda: [[0, 0] for _ in month])
    columns = "wagon_id", "kind", "depart_day", "arrive_day", "wagons"
    for wagon_id, kind, depart_day, arrive_day, wagons in cells(solution["runs"], *columns):
        for day in range(depart_day, min(arrive_day, horizon.days)):
            busy[wagon_id][day][kind != "loaded"] += wagons
    rows = []
    for wagon_id in sorted(busy):
        for name in dict.fromkeys(month):
            days = [counts for counts, of in zip(busy[wagon_id], month, strict=True) if of == name]
            loaded, every = sum(day[0] for day in days), sum(map(sum, days))
            if every:
                most = max(map(sum, days))
                share = f"{100 * loaded / every:.0f}%"
                rows.append([wagon_id, gauges[wagon_id], name, f"{most:,}", f"{every:,}", share])
    titles = ["wagon type", "gauge mm", "month", "most under way", "wagon-days under way", "loaded"]
    return Table("Wagons needed by month", titles, rows)


def describe_unserved(problem: RollingStock, moves: Moves, solution: Solution) -> list[str]:
    """One sentence per order that cannot be carried in full: order, wagons short, types and gauge, place, days."""
    names, left = place_names(problem), solution["unserved"].groupby("order_id")["quantity_t"].sum().to_dict()
    reasons = unserved_reasons(problem, left, moves)
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    words = []
    for row in problem.table("orders").to_dict("records"):
        order = moves.orders[row["order_id"]]
        if order.order_id not in left:
            continue
        tonnes = left[order.order_id]
        what = f"order {order.order_id}, {names[row['origin']]} to {names[row['destination']]}: {tonnes:g} "
        what += f"of {row['quantity_t']:g} t {row['commodity_id']} cannot be carried"
        reason = reasons[order.order_id]
        if reason.startswith("wagons could"):
            largest = max(float(wagons[k]["typical_load_t"]) for k in order.suited)
            types = " or ".join(f"{k} ({'/'.join(wagons[k]['gauges_mm'])} mm)" for k in order.suited)
            count = ceil(tonnes / largest)
            reason = f"at least {count} wagon{'s' * (count > 1)} of {types} short at {names[row['origin']]} "
            reason += f"between day {order.window[0]} and {order.window[-1]}"
        words.append(f"{what}: {reason}")
    return words
