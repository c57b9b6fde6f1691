"""Wagons and locomotives in pictures: loads on the map, time-space chart, and what stands where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.report.cases import Case
from optimizer.report.network_map import Traffic, corridor_map
from optimizer.report.page import Block, Cell, DataTable, Figure, Section
from optimizer.report.string_lines import Movement, main_lines, strings_on, timed, walk

EMPTY = "empty"
LIGHT = "light"
MOST_PLACES = 22
WAGON_LEGEND = (("g1520", "loaded 1520 mm"), ("g1435", "loaded 1435 mm"), ("g1676", "loaded 1676 mm"), ("c2", "empty"))
TRAIN_LEGEND = (("g1520", "train 1520 mm"), ("g1435", "train 1435 mm"), ("g1676", "train 1676 mm"), ("c2", "light"))


def stock_sections(cases: Sequence[Case]) -> list[Section]:
    """Map, time-space chart and fleet balance; a chart for each plan."""
    wagons = cases[0].result.options.get("stock", "wagons") == "wagons"
    moves = [(wagon_movements if wagons else train_movements)(case) for case in cases]
    sections = [Section("Map", [_map(cases, wagons)])]
    charts: list[Block] = []
    balances: list[Block] = []
    for case, mine in zip(cases, moves, strict=True):
        suffix = f": {case.label}" if len(cases) > 1 else ""
        if mine:
            charts.append(time_space(case, mine, wagons, suffix))
        if (figure := balance(case, wagons, suffix)) is not None:
            balances.append(figure)
    if charts:
        sections.append(Section("Time and space", charts))
    if balances:
        sections.append(Section("What stands where", balances))
    return sections


def _solution(case: Case) -> Mapping[str, Any]:
    assert case.result.solution is not None
    return case.result.solution


def _links(case: Case) -> dict[str, tuple[str, str, float]]:
    table = case.corridor.table("links")
    columns = (table[name] for name in ("link_id", "from_node", "to_node", "length_km"))
    return {link: (a, b, float(km)) for link, a, b, km in zip(*columns, strict=True)}


def wagon_movements(case: Case) -> list[Movement]:
    """Runs, at even speed from the day they leave to the day their wagons are free again; equal ones together."""
    links, names = _links(case), _names(case)
    orders = {row["order_id"]: row for row in case.corridor.table("orders").to_dict("records")}
    together: dict[tuple[Any, ...], int] = defaultdict(int)
    for run in _solution(case)["runs"].to_dict("records"):
        key = (
            run["kind"],
            run["wagon_id"],
            run["order_id"],
            run["from_node"],
            int(run["from_gauge"]),
            int(run["depart_day"]),
            int(run["arrive_day"]),
            tuple(run["path"]),
        )
        together[key] += int(run["wagons"])
    found = []
    for (kind, wagon, order, start, gauge, depart, arrive, path), wagons in together.items():
        places, km = walk(path, start, links)
        if not km:
            continue
        loaded = kind == "loaded"
        info = [("wagons", f"{wagons} {wagon}"), ("from – to", f"{names[places[0]]} – {names[places[-1]]}")]
        if loaded:
            info += [("order", str(order)), ("cargo", str(orders[order]["commodity_id"]) if order in orders else "")]
        stops = timed(places, km, depart * MINUTES_PER_DAY, max(arrive, depart + 0.2) * MINUTES_PER_DAY)
        found.append(Movement(f"{wagons} {wagon}, {kind}", f"g{gauge}" if loaded else "c2", stops, km, wagons, info))
    return found


def train_movements(case: Case) -> list[Movement]:
    """Trains over their stages with their locomotives, and locomotives running light."""
    assert isinstance(case.problem, RollingStock)
    links, solution = _links(case), _solution(case)
    plan = plan_trains(case.problem, RouteBook(case.corridor))
    consist: dict[tuple[str, int], list[str]] = defaultdict(list)
    units: dict[str, float] = defaultdict(float)
    for row in solution["stages"].to_dict("records"):
        consist[row["service_id"], int(row["stage"])].append(f"{row['units']} {row['loco_id']}")
        units[row["service_id"]] = max(units[row["service_id"]], float(row["units"]))
    found = []
    for train in case.corridor.table("train_services").to_dict("records"):
        service = train["service_id"]
        stages = [stage for stage in plan.stages.get(service, ()) if (service, stage.number) in consist]
        if not stages:
            continue
        places, km = walk(train["links"], train["from_node"], links)
        clock = {stages[0].from_node: float(stages[0].depart_min)} | {s.to_node: float(s.arrive_min) for s in stages}
        known = [at for at, place in enumerate(places) if place in clock]
        done = np.concatenate([[0.0], np.cumsum(km)])
        minutes = np.interp(done, done[known], [clock[places[at]] for at in known])
        info = [
            ("name", str(train["name"])),
            ("mass", f"{float(train['gross_t']):,.0f} t"),
            *((f"stage {s.number + 1}", " + ".join(consist[service, s.number])) for s in stages[:6]),
        ]
        stops = list(zip(places, minutes.tolist(), strict=True))
        found.append(Movement(service, f"g{int(train['gauge_mm'])}", stops, km, units[service], info))
    speed = {row["link_id"]: float(row["speed_kmh"]) for row in case.corridor.table("links").to_dict("records")}
    for move in solution["light_moves"].to_dict("records"):
        places, km = walk(move["path"], move["from_node"], links)
        if km:
            hours = sum(links[i][2] / speed[i] for i in move["path"] if i in links)
            stops = timed(places, km, float(move["depart_min"]), float(move["depart_min"]) + 60 * hours)
            found.append(Movement(f"{move['units']} {move['loco_id']} light", "c2", stops, km, float(move["units"])))
    return found


def time_space(case: Case, movements: Sequence[Movement], wagons: bool, suffix: str) -> Figure:
    """Figure of kind ``strings``."""
    names = _names(case)
    lines = []
    for line in main_lines(movements):
        strings = strings_on(line, movements)
        lines.append(
            {
                "name": f"{names[line[0][0]]} – {names[line[-1][0]]}, {line[-1][1]:,.0f} km",
                "stations": [[round(km, 1), names[place]] for place, km in line],
                "strings": strings,
            }
        )
    rows: list[list[Cell]] = []
    for move in sorted(movements, key=lambda m: (m.stops[0][1], m.name)):
        first, last = move.stops[0], move.stops[-1]
        rows.append(
            [
                move.name,
                names[first[0]],
                names[last[0]],
                round(first[1] / MINUTES_PER_DAY + 1, 2),
                round(last[1] / MINUTES_PER_DAY + 1, 2),
                round(sum(move.km)),
                move.weight,
            ]
        )
    what = "wagons" if wagons else "locomotives"
    end = max(stop[1] for move in movements for stop in move.stops)
    runs = "runs of wagons" if wagons else "trains and light runs"
    alt = f"Time-space chart of {len(movements)} {runs} over {len(lines)} main lines "
    alt += f"in {end / MINUTES_PER_DAY:.0f} days. The table below lists every movement."
    note = "Time to the right, kilometres upwards; a string is what leaves together, as wide as it has " + what + "."
    if wagons:
        note += " Wagons are planned by days: a string runs straight from the day they leave to the day they are free."
    data = {
        "lines": lines,
        "legend": [list(pair) for pair in (WAGON_LEGEND if wagons else TRAIN_LEGEND)],
        "start": 0,
        "end": -(-end // MINUTES_PER_DAY) * MINUTES_PER_DAY,
        "clock": not wagons,
    }
    columns = ["what", "from", "to", "leaves, day", "arrives, day", "km", what]
    return Figure(
        "strings",
        f"{'Wagons' if wagons else 'Trains and locomotives'} in time and space{suffix}",
        data,
        alt,
        DataTable("Movements", columns, rows),
        note,
        560,
    )


def balance(case: Case, wagons: bool, suffix: str) -> Figure | None:
    """Figure of kind ``heat``: units that stand at each place at the end of each day."""
    solution, days = _solution(case), case.corridor.config.horizon.days
    names = _names(case)
    change: dict[str, Any] = defaultdict(lambda: np.zeros(days + 1))
    came: dict[str, int] = defaultdict(int)
    went: dict[str, int] = defaultdict(int)
    types = set(case.corridor.table("wagons" if wagons else "locomotives")["wagon_id" if wagons else "loco_id"])

    def move(place: str, day: float, units: int) -> None:
        if day < days:
            change[place][int(day)] += units

    for row in case.corridor.table("fleet").to_dict("records"):
        if row["type_id"] in types:
            move(row["node_id"], row["from_day"], int(row["units"]))
    for start, end, depart, arrive, units in _journeys(case, wagons):
        move(start, depart, -units)
        move(end, arrive, units)
        went[start] += units
        came[end] += units
    for row in solution["hires"].to_dict("records") if wagons else ():
        move(row["node_id"], row["day"], int(row["units"]) * (1 if row["change"] == "on" else -1))
    standing = {place: np.cumsum(mine)[:days] for place, mine in change.items()}
    places = sorted(
        (p for p in standing if standing[p].any() or came[p] or went[p]), key=lambda p: (-standing[p].max(), p)
    )
    if not places:
        return None
    shown = places[:MOST_PLACES]
    what = "wagons" if wagons else "locomotives"
    cells = [[day, at, float(standing[place][day])] for at, place in enumerate(shown) for day in range(days)]
    rows: list[list[Cell]] = [
        [names[p], int(standing[p][0]), int(standing[p].max()), int(standing[p][-1]), came[p], went[p]] for p in places
    ]
    top = int(max(standing[place].max() for place in shown))
    alt = f"Heat map of {what} standing by place and day. Most stand at {names[shown[0]]}: up to {top}."
    note = (
        f"the {len(shown)} places with most of {len(places)}; at the end of the day, after arrivals and departures"
        if len(places) > len(shown)
        else ""
    )
    data = {
        "rows": [names[p] for p in shown],
        "columns": [str(day + 1) for day in range(days)],
        "cells": cells,
        "max": top,
        "x": "day",
        "unit": what,
    }
    columns = ["place", "first day", "most", "last day", "came", "left"]
    return Figure(
        "heat",
        f"{what.capitalize()} standing at each place{suffix}",
        data,
        alt,
        DataTable(f"{what.capitalize()} by place", columns, rows),
        note,
        130 + 24 * len(shown),
    )


def _journeys(case: Case, wagons: bool) -> list[tuple[str, str, float, float, int]]:
    """From, to, day of departure and of arrival, units."""
    solution = _solution(case)
    if wagons:
        runs = solution["runs"]
        columns = (runs[name] for name in ("from_node", "to_node", "depart_day", "arrive_day", "wagons"))
        return [(a, b, float(d), float(e), int(n)) for a, b, d, e, n in zip(*columns, strict=True)]
    assert isinstance(case.problem, RollingStock)
    plan = plan_trains(case.problem, RouteBook(case.corridor))
    timing = {(s.service_id, s.number): s for stages in plan.stages.values() for s in stages}
    found = []
    for row in solution["stages"].to_dict("records"):
        stage = timing[row["service_id"], int(row["stage"])]
        span = stage.depart_min / MINUTES_PER_DAY, stage.arrive_min / MINUTES_PER_DAY
        found.append((row["from_node"], row["to_node"], *span, int(row["units"])))
    links, speed = (
        _links(case),
        dict(zip(case.corridor.table("links")["link_id"], case.corridor.table("links")["speed_kmh"], strict=True)),
    )
    for row in solution["light_moves"].to_dict("records"):
        hours = sum(links[i][2] / float(speed[i]) for i in row["path"] if i in links)
        start = float(row["depart_min"]) / MINUTES_PER_DAY
        found.append((row["from_node"], row["to_node"], start, start + hours / 24, int(row["units"])))
    return found


def _names(case: Case) -> dict[str, str]:
    nodes = case.corridor.table("nodes")
    return dict(zip(nodes["node_id"], map(str, nodes["name"]), strict=True))


def _map(cases: Sequence[Case], wagons: bool) -> Figure:
    """Wagons (by cargo, or empty) or locomotives (in trains, or light) on each link."""
    commodities = cases[0].corridor.table("commodities")
    groups = {EMPTY: "empty wagons"} if wagons else {"trains": "in trains", LIGHT: "running light"}
    names = dict(zip(commodities["commodity_id"], map(str, commodities["name"]), strict=True))
    traffic = []
    for case in cases:
        links = _links(case)
        place_of = dict(
            zip(
                case.corridor.table("handlings")["handling_id"],
                case.corridor.table("handlings")["node_id"],
                strict=True,
            )
        )
        loads: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
        works: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
        for start, path, group, units in _paths(case, wagons):
            if group in names:
                groups[group] = names[group]
            here = start
            for asset in path:
                if asset in links:
                    a, b, _ = links[asset]
                    loads["link", asset][group][0 if here == a else 1] += units
                    here = b if here == a else a
                elif asset in place_of:
                    works[place_of[asset]][group][0] += units
        traffic.append(Traffic(case.label, case.corridor, loads, works))
    days = cases[0].corridor.config.horizon.days
    unit = f"{'wagons' if wagons else 'locomotives'} in {days} days"
    return corridor_map(traffic, unit=unit, groups=groups, group_word="Cargo" if wagons else "Locomotives")


def _paths(case: Case, wagons: bool) -> list[tuple[str, Sequence[str], str, float]]:
    solution = _solution(case)
    if wagons:
        orders = case.corridor.table("orders")
        cargo = dict(zip(orders["order_id"], orders["commodity_id"], strict=True))
        return [
            (run["from_node"], run["path"], str(cargo.get(run["order_id"], EMPTY)), float(run["wagons"]))
            for run in solution["runs"].to_dict("records")
        ]
    links = case.corridor.table("train_services").set_index("service_id")
    stages = solution["stages"].drop_duplicates("service_id")
    most = solution["stages"].groupby(["service_id", "stage"])["units"].sum().groupby("service_id").max().to_dict()
    found = [(links.loc[s, "from_node"], links.loc[s, "links"], "trains", float(most[s])) for s in stages["service_id"]]
    return found + [
        (row["from_node"], row["path"], LIGHT, float(row["units"]))
        for row in solution["light_moves"].to_dict("records")
    ]
