"""Figures and tables of a plan in a planner's words; at most 100 columns wide."""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence

from optimizer.models.family import Table
from optimizer.models.port_choice.problem import TOLERANCE, PortChoice
from optimizer.models.port_choice.trips import Trip, Trips
from optimizer.models.port_choice.words import first_rows, percent, rounded, short
from optimizer.network.costs import MONEY_COMPONENTS
from optimizer.result import Solution

ROUTE_WIDTH = 54


def kpis(problem: PortChoice, solution: Solution) -> Mapping[str, float | str]:
    """Figures with their unit: tonnes, means per tonne, the money chain, shares of ports, gauge changes, emissions."""
    plan = Trips(problem, solution)
    trips = plan.trips
    served = sum(trip.quantity_t for trip in trips)
    figures: dict[str, float | str] = {
        "served, t": served,
        "unserved, t": float(solution["unserved"]["quantity_t"].sum()),
        "money, USD/t": plan.mean(trips, lambda trip: sum(trip.money_usd_per_t.values())),
        "cost of time, USD/t": plan.mean(trips, lambda trip: trip.time_usd_per_t),
        "door to door, days": plan.mean(trips, lambda trip: trip.days),
    }
    for name in MONEY_COMPONENTS:
        figures[f"money for {name}, USD/t"] = plan.mean(trips, lambda trip, name=name: trip.money_usd_per_t[name])
    gated = {port: mine for port, mine in plan.by_port.items() if port}
    through = sum(trip.quantity_t for mine in gated.values() for trip in mine)
    for port, mine in gated.items():
        share = 100 * sum(trip.quantity_t for trip in mine) / through
        figures[f"share of gateway tonnes through {plan.names[port]}, %"] = share
    figures["gauge changes, t"] = sum(trip.quantity_t * len(trip.gauge_changes) for trip in trips)
    if len(problem.corridor.table("emissions")):
        figures["emissions, t CO2e"] = sum(trip.quantity_t * trip.co2_kg_per_t for trip in trips) / 1000
    return figures


def report(problem: PortChoice, solution: Solution) -> Sequence[Table]:
    """Ports, gauge changes, routes, costs, full capacities, contracts, what comes late, what stays behind and why."""
    plan = Trips(problem, solution)
    tables = [_ports(plan), _gauge_changes(plan), _routes(plan), _costs(plan), _limits(plan)]
    if len(solution["contracts"]):
        tables.append(_contracts(plan))
    if problem.dated and (late := _late(plan)).rows:
        tables.append(late)
    if len(solution["unserved"]):
        tables.append(_unserved(plan))
    return [first_rows(table) for table in tables]


def _ports(plan: Trips) -> Table:
    """Sea ports: tonnes on their way between land and sea, and tonnes of lanes that end or start at the port."""
    by_port = plan.by_port
    gateway_t = sum(trip.quantity_t for port, mine in by_port.items() if port for trip in mine)
    nodes = plan.problem.corridor.table("nodes")
    overseas = set(nodes["node_id"][nodes["kind"] == "overseas_port"])
    ports = set(plan.problem.corridor.table("ports")["node_id"]) - overseas
    local: dict[str, float] = defaultdict(float)
    for trip in plan.trips:
        for place in {trip.demand["origin"], trip.demand["destination"]} & ports:
            local[place] += trip.quantity_t
    rows = []
    for port in [*[p for p in by_port if p], *sorted(local.keys() - by_port.keys(), key=lambda p: -local[p])]:
        mine = by_port.get(port, [])
        tonnes = sum(trip.quantity_t for trip in mine)
        money = plan.mean(mine, lambda trip: sum(trip.money_usd_per_t.values()))
        days = plan.mean(mine, lambda trip: trip.days)
        figures = [percent(tonnes, gateway_t), f"{money:.1f}", f"{days:.1f}"] if mine else ["", "", ""]
        rows.append([short(plan.names[port]), rounded(tonnes), *figures, rounded(local[port])])
    columns = ("port", "gateway t", "share %", "USD/t", "days", "own t")
    note = "gateway: between land and sea on the way; own: lanes that start or end at the port itself"
    return Table("Ports", columns, rows, note)


def _gauge_changes(plan: Trips) -> Table:
    tonnes: dict[str, float] = defaultdict(float)
    for trip in plan.trips:
        for leg in trip.gauge_changes:
            tonnes[leg["asset_id"]] += trip.quantity_t
    served = sum(trip.quantity_t for trip in plan.trips)
    rows = []
    for asset_id, amount in sorted(tonnes.items(), key=lambda item: (-item[1], item[0])):
        row = plan.assets["handling", asset_id]
        gauges = f"{row['from_layer'][5:]}/{row['to_layer'][5:]}"
        technology = str(row["technology"]).replace("_", " ")
        rows.append([short(plan.names[row["node_id"]]), gauges, technology, rounded(amount), percent(amount, served)])
    return Table("Where the gauge changes", ("place", "gauges", "technology", "t", "% of served"), rows)


def _routes(plan: Trips) -> Table:
    """Each route in words, wrapped; the first line carries the figures."""
    rows = []
    for trip in plan.trips:
        money = sum(trip.money_usd_per_t.values())
        way = "\n".join(textwrap.wrap(plan.words(trip), ROUTE_WIDTH))
        figures = [rounded(trip.quantity_t), f"{money:.1f}", f"{trip.days:.1f}"]
        rows.append([short(str(trip.demand["demand_id"]), 12), *figures, way])
    return Table("Routes", ("shipment" if plan.problem.dated else "lane", "t", "USD/t", "days", "way"), rows)


def _costs(plan: Trips) -> Table:
    """The money chain and the cost of time by lane or shipment."""
    by_demand: dict[str, list[Trip]] = defaultdict(list)
    for trip in plan.trips:
        by_demand[trip.demand["demand_id"]].append(trip)
    rows = []
    for demand_id, mine in by_demand.items():
        money = {name: plan.mean(mine, lambda trip, name=name: trip.money_usd_per_t[name]) for name in MONEY_COMPONENTS}
        time_usd = plan.mean(mine, lambda trip: trip.time_usd_per_t)
        figures = [*money.values(), sum(money.values()), time_usd]
        rows.append([short(str(demand_id), 12), *(f"{value:.1f}" for value in figures)])
    name = "shipment" if plan.problem.dated else "lane"
    columns = (name, "haul", "guard", "fees", "insur.", "handl.", "port", "sea", "money", "time")
    note = "USD per tonne; time: days under way at the value of time" + (", and lateness" if plan.problem.dated else "")
    return Table("What a tonne costs", columns, rows, note)


def _limits(plan: Trips) -> Table:
    full = [row for row in plan.use_of_limits if row[4] - row[3] <= TOLERANCE * max(1.0, row[4])]
    rows = [
        [short(place, 48), unit, rounded(used), rounded(capacity), f"{price:.2f}" if price else ""]
        for _, place, unit, used, capacity, price in sorted(full, key=lambda row: (-row[5], row[0]))
    ]
    period = "on the fullest day" if plan.problem.dated else "a year"
    note = "price: what one more unit of capacity would save, from the model; blank where unknown or nothing"
    return Table(f"Capacities that are full {period}", ("place", "unit", "used", "capacity", "USD/unit"), rows, note)


def _contracts(plan: Trips) -> Table:
    volume: dict[str, float] = defaultdict(float)
    for trip in plan.trips:
        for leg in trip.legs:
            volume[leg["asset_id"]] += trip.quantity_t
    taken = dict(zip(plan.solution["contracts"]["contract_id"], plan.solution["contracts"]["taken"], strict=True))
    rows = []
    for row in plan.problem.corridor.table("contracts").to_dict("records"):
        share = plan.problem.year_share
        fixed = row["fixed_cost_usd_per_year"] * share
        tonnes = sum(volume[asset] for asset in row["assets"])
        is_taken = bool(taken[row["contract_id"]])
        name = short(str(row["name"] or row["contract_id"]))
        rows.append(
            [name, "yes" if is_taken else "no", rounded(fixed), rounded(tonnes), rounded(row["min_t_per_year"] * share)]
        )
    return Table("Contracts", ("contract", "taken", "fixed USD", "t", "least t"), rows)


def _late(plan: Trips) -> Table:
    """What is handed over after its due day."""
    rows = []
    for trip in plan.trips:
        due, arrives = int(trip.demand["due_day"]), int(trip.demand["release_day"] + round(trip.days))
        if arrives > due:
            ends = short(f"{plan.names[trip.demand['origin']]} > {plan.names[trip.demand['destination']]}", 32)
            charge = (arrives - due) * float(trip.demand["late_usd_per_t_day"])
            figures = [rounded(trip.quantity_t), str(due), str(arrives), str(arrives - due), f"{charge:.1f}"]
            rows.append([short(str(trip.demand["demand_id"]), 12), ends, *figures])
    columns = ("shipment", "from and to", "t", "due day", "arrives", "days late", "USD/t")
    return Table("Late", columns, rows, "USD/t: the charge for lateness, part of the cost of time")


def _unserved(plan: Trips) -> Table:
    """What stays behind: no route, a route dearer than the penalty, or no room."""
    from optimizer.models.port_choice.routeflow import cheapest_usd_per_t

    cheapest = dict(zip(plan.problem.demand()["demand_id"], cheapest_usd_per_t(plan.problem).tolist(), strict=True))
    rows = []
    for row in plan.solution["unserved"].to_dict("records"):
        demand = plan.demands[row["demand_id"]]
        usd, penalty = cheapest[row["demand_id"]], float(demand["unserved_usd_per_t"])
        if math.isinf(usd):
            why = "no route" + (" within the horizon" if plan.problem.dated else "")
        elif usd > penalty:
            why = f"cheapest way {usd:,.0f} USD/t, penalty {penalty:,.0f}"
        else:
            why = "cheapest ways are full or need a contract"
        ends = short(f"{plan.names[demand['origin']]} > {plan.names[demand['destination']]}", 32)
        rows.append([short(str(row["demand_id"]), 12), ends, rounded(row["quantity_t"]), why])
    return Table("Left behind", ("shipment" if plan.problem.dated else "lane", "from and to", "t", "why"), rows)
