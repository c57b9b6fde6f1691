"""Empty wagons of a plan: where they run, what is owed to home railways, what bogie exchange saves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from optimizer.models.family import Table
from optimizer.models.rolling_stock.problem import RollingStock, cells
from optimizer.models.rolling_stock.routes import Place, RouteBook, exact
from optimizer.models.rolling_stock.wagons.homeward import Homeward
from optimizer.result import Solution


def gauges_of(wagon: Mapping[str, Any]) -> tuple[int, ...]:
    """Gauges of a type, mm."""
    return tuple(sorted(int(gauge) for gauge in wagon["gauges_mm"]))


def returns_owed(problem: RollingStock, solution: Solution) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(type, wagons, path home) of the wagons that end abroad and owe their home railway the way back, empty."""
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    ends: dict[tuple[str, Place], int] = defaultdict(int)
    for stock in problem.table("fleet").to_dict("records"):
        if stock["type_id"] in wagons and stock["from_day"] < problem.days:
            ends[stock["type_id"], (stock["node_id"], int(stock["gauge_mm"]))] += int(stock["units"])
    columns = "wagon_id", "from_node", "from_gauge", "to_node", "to_gauge", "wagons"
    for wagon_id, start, gauge, end, end_gauge, count in cells(solution["runs"], *columns):
        ends[wagon_id, (start, gauge)] -= count
        ends[wagon_id, (end, end_gauge)] += count
    for hire in solution["hires"].to_dict("records"):
        sign = 1 if hire["change"] == "on" else -1
        ends[hire["wagon_id"], (hire["node_id"], int(hire["gauge_mm"]))] += sign * int(hire["units"])
    book, desks = RouteBook(problem.corridor), dict[str, Homeward]()
    for (wagon_id, place), count in sorted(ends.items()):
        wagon = wagons[wagon_id]
        if count <= 0 or wagon["return_rule"] == "none":
            continue
        if wagon_id not in desks:
            network = book.graph(gauges_of(wagon), wagon["gauge_change"])
            desks[wagon_id] = Homeward(problem, book, wagon, network)
        way = desks[wagon_id].way(place)
        if way is not None:
            yield wagon_id, count, way.path


def owed_km(problem: RollingStock, solution: Solution) -> float:
    """Wagon-km of the ways home that are owed at the end."""
    length = dict(zip(problem.table("links")["link_id"], problem.table("links")["length_km"], strict=True))
    owed = returns_owed(problem, solution)
    return float(sum(count * sum(length.get(asset, 0.0) for asset in path) for _, count, path in owed))


def countries_table(problem: RollingStock, solution: Solution) -> Table:
    """Loaded and empty wagon-km on the rails of each country; a link over a border counts half in each."""
    nodes = problem.table("nodes")
    country = dict(zip(nodes["node_id"], nodes["country"], strict=True))
    links = {row["link_id"]: row for row in problem.table("links").to_dict("records")}
    km: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

    def add(path: Sequence[str], column: int, count: int) -> None:
        for asset in path:
            if asset in links:
                for side in ("from_node", "to_node"):
                    km[country[links[asset][side]]][column] += count * float(links[asset]["length_km"]) / 2

    passing: dict[tuple[tuple[str, ...], int], int] = defaultdict(int)
    for path, kind, count in cells(solution["runs"], "path", "kind", "wagons"):
        passing[path, 0 if kind == "loaded" else 1] += count
    for (path, column), count in passing.items():
        add(path, column, count)
    for _, count, path in returns_owed(problem, solution):
        add(path, 2, count)
    if len(km) > 1:
        km["all"] = [sum(each) for each in zip(*km.values(), strict=True)]
    rows = []
    for name, (loaded, empty, owed) in sorted(km.items(), key=lambda item: (item[0] == "all", -sum(item[1]), item[0])):
        share = f"{100 * (empty + owed) / (loaded + empty + owed):.1f}%" if loaded + empty + owed else "-"
        rows.append([name, f"{loaded:,.0f}", f"{empty:,.0f}", f"{owed:,.0f}" if owed else "-", share])
    columns = ["country", "loaded km", "empty km", "owed km", "empty share"]
    note = "wagon-km; owed: ways home, after the horizon, of wagons that end abroad; the share counts them"
    return Table("Loaded and empty by country", columns, rows, note)


def exchange_table(problem: RollingStock, solution: Solution) -> Table:
    """Wagon-days of loaded runs across a break of gauge, beside those of two wagons with the load moved over."""
    names = dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["name"], strict=True))
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    orders = {row["order_id"]: row for row in problem.table("orders").to_dict("records")}
    places = dict(zip(problem.table("handlings")["handling_id"], problem.table("handlings")["node_id"], strict=True))
    book = RouteBook(problem.corridor)
    together: dict[tuple[str, str, str, int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for run in solution["runs"].to_dict("records"):
        at = next((places[asset] for asset in run["path"] if asset in places), "")
        if run["kind"] == "loaded" and at and run["from_gauge"] != run["to_gauge"]:
            key = run["order_id"], run["wagon_id"], at, int(run["from_gauge"]), int(run["to_gauge"])
            together[key][0] += int(run["wagons"])
            together[key][1] += int(run["wagons"]) * (int(run["arrive_day"]) - int(run["depart_day"]))
    rows = []
    total = [0.0, 0.0, 0.0]
    for (order_id, wagon_id, at, first, second), (count, days) in together.items():
        order, tonnes = orders[order_id], count * float(wagons[wagon_id]["typical_load_t"])
        other = _moved_over(problem, book, order, at, (first, second), tonnes)
        instead, saved = ("no wagon", "-") if other is None else (f"{other:,.0f}", f"{other - days:,.0f}")
        if other is not None:
            total = [total[0] + count, total[1] + days, total[2] + other]
        ends = f"{names[order['origin']]} - {names[order['destination']]}"
        rows.append([order_id, ends, names[at], f"{count:,.0f} {wagon_id}", f"{days:,.0f}", instead, saved])
    if len(rows) > 1:
        count, days, other = total
        rows.append(["all with both", "", "", f"{count:,.0f}", f"{days:,.0f}", f"{other:,.0f}", f"{other - days:,.0f}"])
    columns = ["order", "from - to", "gauge change", "wagons", "wagon-days", "moved over", "saved"]
    note = (
        "loaded runs only; moved over: the usual wagon of each gauge to and from the same place, loaded and unloaded "
    )
    note += "there, without the wait for the crane; no wagon: no suited type of one gauge, or no way for it"
    return Table("What changing the gauge under the wagon saves", columns, rows, note)


def _moved_over(
    problem: RollingStock, book: RouteBook, order: Mapping[str, Any], at: str, gauges: tuple[int, int], tonnes: float
) -> float | None:
    """Wagon-days with the load moved from the usual wagon of one gauge to that of the other."""
    settings = problem.corridor.config.rolling_stock
    suits = problem.table("wagon_suits")
    mine = suits[suits["commodity_id"] == order["commodity_id"]].sort_values(["preference", "wagon_id"])
    wagons = {row["wagon_id"]: row for row in problem.table("wagons").to_dict("records")}
    total = 0.0
    for ends, gauge in zip(((order["origin"], at), (at, order["destination"])), gauges, strict=True):
        kinds = [wagons[k] for k in mine["wagon_id"] if k in wagons and gauge in gauges_of(wagons[k])]
        kinds.sort(key=lambda wagon: len(wagon["gauges_mm"]))  # stable: one of this gauge alone, the usual one first
        way = book.graph((gauge,)).way((ends[0], gauge), (ends[1], gauge))
        if not kinds or way is None:
            return None
        days = way.days(exact(settings.hours_per_day), exact(settings.load_unload_days))
        total += ceil(tonnes / float(kinds[0]["typical_load_t"]) - 1e-9) * days
    return total
