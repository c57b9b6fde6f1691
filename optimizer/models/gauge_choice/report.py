"""Figures and tables of a plan in a planner's words; at most 100 columns wide."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from optimizer.models.family import Table
from optimizer.models.gauge_choice.designs import USD_PER_MUSD, option_usd_per_year
from optimizer.models.gauge_choice.graph import Ground
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.models.gauge_choice.traffic import SiteTraffic, site_traffic
from optimizer.result import Solution

NAME_WIDTH = 26


def kpis(problem: GaugeChoice, solution: Solution) -> Mapping[str, float | str]:
    """Figures with their unit."""
    sites = site_traffic(problem, solution)
    served = float(solution["routes"]["quantity_t"].sum())
    return {
        "gauges": gauges_in_words(problem, solution),
        "served, t": served,
        "unserved, t": float(solution["unserved"]["quantity_t"].sum()),
        "gauge changes at sites, t": sum(site.total_t for site in sites),
        **costs(problem, solution),
    }


def report(problem: GaugeChoice, solution: Solution) -> Sequence[Table]:
    """Gauges of the sections, working sites, what passes them, costs, what stays behind and why."""
    sites = site_traffic(problem, solution)
    tables = [_gauges(problem, solution), _terminals(problem, sites), _waits(problem, sites), _goods(problem, sites)]
    tables.append(_costs(problem, solution))
    if len(solution["unserved"]):
        tables.append(_unserved(problem, solution))
    return tables


def gauges_in_words(problem: GaugeChoice, solution: Solution) -> str:
    """Stretches of equal gauge, for example ``1520 Herat - Kandahar, 1676 Kandahar - Spin Boldak``."""
    options = problem.corridor.table("gauge_options").set_index("option_id")
    built = dict(zip(solution["gauges"]["section_id"], solution["gauges"]["option_id"], strict=True))
    names = place_names(problem)
    stretches: list[list[str]] = []  # gauge, first place, last place
    for section in problem.corridor.table("gauge_sections").itertuples(index=False):
        gauge = str(options.at[built[section.section_id], "gauge_mm"])
        if stretches and stretches[-1][0] == gauge and stretches[-1][2] == section.from_node:
            stretches[-1][2] = section.to_node
        else:
            stretches.append([gauge, section.from_node, section.to_node])
    return ", ".join(f"{gauge} {names[start]} - {names[end]}" for gauge, start, end in stretches)


def place_names(problem: GaugeChoice) -> dict[str, str]:
    """Place id -> name."""
    nodes = problem.corridor.table("nodes")
    return {str(node): str(name) or str(node) for node, name in zip(nodes["node_id"], nodes["name"], strict=True)}


def costs(problem: GaugeChoice, solution: Solution) -> dict[str, float]:
    """Parts of the cost, USD a year."""
    usd = option_usd_per_year(problem)
    sites = site_traffic(problem, solution)
    delay = sum(site.vot_usd_per_h * site.design.hours for site in sites)
    carriage, time = _carriage(problem, solution)
    lanes = problem.demand().set_index("demand_id")["unserved_usd_per_t"]
    left = sum(
        float(row.quantity_t) * float(lanes[row.demand_id]) for row in solution["unserved"].itertuples(index=False)
    )
    return {
        "lines, USD a year": sum(usd[option] for option in solution["gauges"]["option_id"]),
        "terminals, USD a year": sum(site.design.usd_per_year for site in sites),
        "spare sets, USD a year": sum(site.sets_usd_per_year for site in sites),
        "carriage and handling, USD a year": carriage,
        "time under way, USD a year": time,
        "waiting and work at sites, USD a year": delay,
        "left behind, USD a year": left,
    }


def _carriage(problem: GaugeChoice, solution: Solution) -> tuple[float, float]:
    """Money of all routes, and their cost of time without that of waiting and work at sites."""
    network = Ground(problem).network
    plain = {"door-out": "door", "door-in": "door", "sea-in": "sea"}
    arc_of = {
        (asset, network.vertex_node[t], plain.get(network.vertex_layer[t], network.vertex_layer[t]),
         plain.get(network.vertex_layer[h], network.vertex_layer[h])): arc
        for arc, (asset, t, h) in enumerate(zip(network.asset, network.tail, network.head, strict=True))
        if asset
    }  # fmt: skip
    commodity = dict(zip(problem.demand()["demand_id"], problem.demand()["commodity_id"], strict=True))
    origin = dict(zip(problem.demand()["demand_id"], problem.demand()["origin"], strict=True))
    destination = dict(zip(problem.demand()["demand_id"], problem.demand()["destination"], strict=True))
    legs = dict(tuple(solution["legs"].groupby("route_id", sort=False)))
    carriage = time = 0.0
    for route in solution["routes"].itertuples(index=False):
        costs = network.arc_costs(commodity[route.demand_id])
        mine = legs.get(route.route_id)
        arcs = [] if mine is None else [
            arc_of[leg.asset_id, leg.from_node, leg.from_layer, leg.to_layer] for leg in mine.itertuples(index=False)
        ]  # fmt: skip
        ends = (network.source(origin[route.demand_id]), network.sink(destination[route.demand_id]))
        if not arcs or network.tail[arcs[0]] != ends[0]:
            start = network.tail[arcs[0]] if arcs else None
            arcs.insert(0, _door(network, ends[0], start, outward=True))
        if network.head[arcs[-1]] != ends[1]:
            arcs.append(_door(network, ends[1], network.head[arcs[-1]], outward=False))
        money = float(costs.money_total[arcs].sum())
        carriage += route.quantity_t * money
        time += route.quantity_t * (float(costs.generalised[arcs].sum()) - money)
    return carriage, time


def _door(network, door, vertex, *, outward: bool) -> int:  # type: ignore[no-untyped-def]
    """The access arc between a door and a land layer (any of the place's where the route has no legs)."""
    ends, others = (network.tail, network.head) if outward else (network.head, network.tail)
    fits = (ends == door) & (network.asset == "")
    if vertex is not None:
        fits &= others == vertex
    return int(fits.nonzero()[0][0])


def _gauges(problem: GaugeChoice, solution: Solution) -> Table:
    usd = option_usd_per_year(problem)
    sections = problem.corridor.table("gauge_sections").set_index("section_id")
    options = problem.corridor.table("gauge_options").set_index("option_id")
    rows = []
    for row in solution["gauges"].itertuples(index=False):
        section, option = sections.loc[row.section_id], options.loc[row.option_id]
        name = short(section["name"] or row.section_id)
        musd = [f"{option['cost_musd']:,.0f}", f"{usd[row.option_id] / USD_PER_MUSD:,.1f}"]
        rows.append([name, str(option["gauge_mm"]), f"{section['length_km']:g}", *musd])
    columns = ("section", "gauge mm", "km", "million USD", "a year")
    return Table("Gauge of each undecided section", columns, rows, gauges_in_words(problem, solution))


def _terminals(problem: GaugeChoice, sites: Sequence[SiteTraffic]) -> Table:
    names = place_names(problem)
    rows = [
        [
            short(names[site.row.node_id]), f"{site.row.gauge_a_mm}/{site.row.gauge_b_mm}",
            site.row.technology.replace("_", " "), f"{site.design.servers} {site.row.server}", str(site.design.tracks),
            str(site.sets) if site.row.set_days else "", f"{site.total_t / 1000:,.0f}",
            f"{(site.design.usd_per_year + site.sets_usd_per_year) / USD_PER_MUSD:.2f}",
        ]
        for site in sites
    ]  # fmt: skip
    columns = ("place", "gauges", "technology", "servers", "tracks", "sets", "kt", "MUSD a year")
    note = "MUSD a year: annualised cost of what is not installed yet, sets among it; kt: thousand tonnes a year"
    return Table("Where the gauge changes, and with what", columns, rows, note)


def _waits(problem: GaugeChoice, sites: Sequence[SiteTraffic]) -> Table:
    names = place_names(problem)
    rows = [
        [
            short(names[site.row.node_id]), site.row.technology.replace("_", " "),
            f"{site.units / site.row.units_per_train:,.0f}",
            f"{100 * site.use:.0f}", f"{100 * site.design.use_level:.0f}", f"{site.wait_h:.1f}",
            f"{site.design.wait_h:.1f}", f"{site.design.service_h:.1f}", f"{site.row.dwell_h:.1f}",
            f"{site.dwell_h:.1f}",
        ]
        for site in sites
    ]  # fmt: skip
    columns = ("place", "technology", "trains", "use %", "plan %", "wait h", "planned", "work h", "papers h", "dwell h")
    note = "wait: at the use found, and at the planned use, which the plan pays; dwell: planned wait, work and papers"
    return Table("Waiting at the gauge changes", columns, rows, note)


def _goods(problem: GaugeChoice, sites: Sequence[SiteTraffic]) -> Table:
    lanes = problem.demand().set_index("demand_id")
    goods = problem.corridor.table("commodities").set_index("commodity_id")["name"]
    names = place_names(problem)
    rows = []
    for site in sites:
        by_lane: dict[str, float] = defaultdict(float)
        for (lane, _), tonnes in site.tonnes.items():
            by_lane[lane] += tonnes
        place = short(names[site.row.node_id])
        for lane, tonnes in sorted(by_lane.items(), key=lambda pair: -pair[1]):
            row = lanes.loc[lane]
            ends = short(f"{names[row['origin']]} > {names[row['destination']]}", 36)
            rows.append([place, lane, ends, short(goods[row["commodity_id"]]), f"{tonnes / 1000:,.0f}"])
            place = ""
    return Table("What changes gauge there", ("place", "lane", "from and to", "goods", "kt"), rows)


def _costs(problem: GaugeChoice, solution: Solution) -> Table:
    parts = costs(problem, solution)
    rows = [[name.removesuffix(", USD a year"), f"{usd / USD_PER_MUSD:,.2f}"] for name, usd in parts.items()]
    rows.append(["all", f"{sum(parts.values()) / USD_PER_MUSD:,.2f}"])
    return Table("What it costs", ("part", "MUSD a year"), rows)


def _unserved(problem: GaugeChoice, solution: Solution) -> Table:
    lanes = problem.demand().set_index("demand_id")
    cheapest = {demand.demand_id: demand.cheapest_usd_per_t for demand, _ in Ground(problem).lanes}
    names = place_names(problem)
    rows = []
    for row in solution["unserved"].itertuples(index=False):
        lane = lanes.loc[row.demand_id]
        usd, penalty = cheapest[row.demand_id], float(lane["unserved_usd_per_t"])
        if math.isinf(usd):
            why = "no route, whatever is built"
        elif usd > penalty:
            why = f"cheapest way {usd:,.0f} USD/t, penalty {penalty:,.0f}"
        else:
            why = "ways full, or not worth a larger terminal"
        ends = short(f"{names[lane['origin']]} > {names[lane['destination']]}", 36)
        rows.append([row.demand_id, ends, f"{row.quantity_t / 1000:,.1f}", why])
    return Table("Left behind", ("lane", "from and to", "kt", "why"), rows)


def short(text: object, width: int = NAME_WIDTH) -> str:
    """A name cut to fit a column."""
    words = str(text)
    return words if len(words) <= width else f"{words[: width - 1]}…"
