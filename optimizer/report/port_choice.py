"""Port choice in pictures: loads on the map, shares of ports, cost and time chains, what binds and its price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.models.port_choice import PortChoice
from optimizer.models.port_choice.comparing.components import NAMES, components
from optimizer.models.port_choice.trips import Trip, Trips
from optimizer.network.costs import MONEY_COMPONENTS, TIME_COMPONENTS
from optimizer.network.layered import ACCESS
from optimizer.report.cases import Case
from optimizer.report.network_map import Traffic, corridor_map
from optimizer.report.page import Block, Cell, DataTable, Figure, Section

Floats = npt.NDArray[np.float64]

MONEY_WORDS = {
    "haul": "line haul tariff",
    "security": "guard of trains",
    "fees": "border charges and entry fees",
    "insurance": "insurance (risk)",
    "handling": "gauge change and handling",
    "port": "port",
    "sea": "ocean freight",
}
TIME_WORDS = {
    "running": "on the move",
    "border": "borders",
    "handling": "gauge change and handling",
    "port": "port",
    "wait": "waiting for a ship",
    "sea": "at sea",
}
OVERLAND = "no sea port"
MOST_PORTS = 10
MOST_LIMITS = 15


@dataclass(frozen=True)
class Chain:
    """
    Of the tonnes through one port ("" for none), or of all: sums over the plan.

    Attributes
    ----------
    money_usd
        Component -> USD.
    time_th
        Component -> tonne-hours; in dated plans ``waiting`` holds what days in whole numbers add.
    time_usd, unreliable_usd
        Value of the time (in dated plans with lateness), and of its variability.
    """

    tonnes: float
    money_usd: dict[str, float]
    time_th: dict[str, float]
    time_usd: float
    unreliable_usd: float

    def money_per_t(self, name: str) -> float:
        return self.money_usd.get(name, 0.0) / self.tonnes if self.tonnes else 0.0

    def days(self, name: str) -> float:
        return self.time_th.get(name, 0.0) / self.tonnes / 24 if self.tonnes else 0.0


class PlanView:
    """A plan looked at once; everything a chart needs is summed from it."""

    def __init__(self, case: Case) -> None:
        assert isinstance(case.problem, PortChoice)
        assert case.result.solution is not None
        self.case, self.problem = case, case.problem
        self.trips = Trips(case.problem, case.result.solution)
        self.by_port: dict[str, list[Trip]] = defaultdict(list)
        for trip in self.trips.trips:
            self.by_port[trip.port].append(trip)
        self.chains = {port: self._chain(mine) for port, mine in self.by_port.items()}

    def _chain(self, trips: Sequence[Trip]) -> Chain:
        network, by_commodity = self.trips.network, defaultdict(list)
        for trip in trips:
            by_commodity[trip.demand["commodity_id"]].append(trip)
        money, time = dict.fromkeys(MONEY_COMPONENTS, 0.0), dict.fromkeys(TIME_COMPONENTS, 0.0)
        unreliable = 0.0
        for commodity, mine in by_commodity.items():
            arcs = np.concatenate([np.array(trip.arcs, np.int64) for trip in mine])
            weights = np.repeat([trip.quantity_t for trip in mine], [len(trip.arcs) for trip in mine])
            on_arc = np.bincount(arcs, weights, minlength=network.num_arcs)
            costs = network.arc_costs(commodity)
            for name in MONEY_COMPONENTS:
                money[name] += float(costs.money[name] @ on_arc)
            for name in TIME_COMPONENTS:
                time[name] += float(costs.time_h[name] @ on_arc)
            unreliable += costs.vor_usd_per_t_h * float(costs.variability_h @ on_arc)
        tonnes = sum(trip.quantity_t for trip in trips)
        time_usd = sum(trip.time_usd_per_t * trip.quantity_t for trip in trips)
        if self.problem.dated:
            hours = sum(24 * trip.days * trip.quantity_t for trip in trips)
            time["waiting"] = max(0.0, hours - sum(time.values()))
            unreliable = 0.0
        return Chain(tonnes, money, time, time_usd - unreliable, unreliable)

    def whole(self) -> Chain:
        """All ports together."""
        chains = list(self.chains.values())
        return Chain(
            sum(chain.tonnes for chain in chains),
            {name: sum(chain.money_usd[name] for chain in chains) for name in MONEY_COMPONENTS},
            {name: sum(c.time_th.get(name, 0.0) for c in chains) for name in (*TIME_COMPONENTS, "waiting")},
            sum(chain.time_usd for chain in chains),
            sum(chain.unreliable_usd for chain in chains),
        )

    def flows(self) -> dict[str, Floats]:
        """Commodity -> tonnes on every arc of the network."""
        found: dict[str, Floats] = defaultdict(lambda: np.zeros(self.trips.network.num_arcs))
        for trip in self.trips.trips:
            found[trip.demand["commodity_id"]][trip.arcs] += trip.quantity_t  # a route passes an arc once
        return dict(found)

    def name(self, port: str) -> str:
        return self.trips.names[port] if port else OVERLAND

    def traffic(self) -> Traffic:
        """Tonnes on links and sea legs, gauge changes and quays by place; each by commodity."""
        loads: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
        works: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
        network = self.trips.network
        layer = network.vertex_layer
        for commodity, on_arc in self.flows().items():
            for arc in np.flatnonzero(on_arc).tolist():
                kind, tonnes = int(network.kind[arc]), float(on_arc[arc])
                if kind == ACCESS:
                    continue
                if kind in (0, 1):
                    asset = ("link" if kind == 0 else "sea", str(network.asset[arc]))
                    loads[asset][commodity][int(network.backward[arc])] += tonnes
                else:
                    ends = {str(layer[network.tail[arc]]), str(layer[network.head[arc]])}
                    rail = all(end.startswith("rail-") for end in ends)
                    place = str(network.vertex_node[network.tail[arc]])
                    if rail and len(ends) == 2:
                        works[place][commodity][0] += tonnes
                    elif any(end.startswith("sea") for end in ends):
                        works[place][commodity][1] += tonnes
        return Traffic(self.case.label, self.case.corridor, loads, works)


def plan_map(views: Sequence[PlanView]) -> Figure:
    """Map of the plans, by commodity."""
    problem = views[0].problem
    commodities = problem.corridor.table("commodities")
    carried = {trip.demand["commodity_id"] for view in views for trip in view.trips.trips}
    groups = {
        str(key): str(name)
        for key, name in zip(commodities["commodity_id"], commodities["name"], strict=True)
        if key in carried
    }
    unit = f"t in {problem.corridor.config.horizon.days} days" if problem.dated else "t a year"
    return corridor_map([view.traffic() for view in views], unit=unit, groups=groups)


def ports_section(views: Sequence[PlanView]) -> Section:
    """Shares of gateways."""
    total: dict[str, float] = defaultdict(float)
    names: dict[str, str] = {}
    for view in views:
        for port, chain in view.chains.items():
            total[port] += chain.tonnes
            names[port] = view.name(port)
    ports = sorted(total, key=lambda port: (port == "", -total[port], port))
    shown = ports[:MOST_PORTS]
    series, shares = [], []
    for view in views:
        tonnes = [view.chains[p].tonnes if p in view.chains else 0.0 for p in shown]
        served = sum(chain.tonnes for chain in view.chains.values()) or 1.0
        shares.append([(t, 100 * t / served) for t in tonnes])
        info = [[["tonnes", f"{t:,.0f}"]] for t in tonnes]
        name = view.case.label if len(views) > 1 else "share"
        series.append({"name": name, "values": [share for _, share in shares[-1]], "info": info})
    rows: list[list[Cell]] = [
        [names[port], view.case.label, round(mine[at][0]), round(mine[at][1], 1)]
        for at, port in enumerate(shown)
        for view, mine in zip(views, shares, strict=True)
    ]
    note = "a gateway: its quay is passed between land and sea on the way" + _cut(ports, shown)
    table = DataTable("Tonnes by sea port", ["port", "plan", "tonnes", "% of served"], rows, note)
    first = [f"{names[port]} {share:.0f} %" for port, (_, share) in zip(shown, shares[0], strict=True) if share >= 1]
    alt = f"Bars of the share of tonnes by sea port. {views[0].case.label}: {', '.join(first[:6]) or 'nothing moves'}."
    data = {
        "categories": [names[port] for port in shown],
        "series": series,
        "horizontal": True,
        "unit": "% of tonnes served",
    }
    height = 90 + max(1, len(shown)) * (26 + 16 * len(views))
    return Section("Ports", [Figure("bars", "Through which port", data, alt, table, height_px=min(height, 640))])


def _cut(every: Sequence[Any], shown: Sequence[Any]) -> str:
    return f"; the {len(shown)} largest of {len(every)}" if len(every) > len(shown) else ""


def chains_section(views: Sequence[PlanView]) -> Section:
    """What a tonne costs and how long it takes, in stacked parts: by port for one plan, by plan for several."""
    if len(views) == 1:
        view = views[0]
        ports = sorted(view.chains, key=lambda p: (p == "", -view.chains[p].tonnes))[:MOST_PORTS]
        columns = [("all", view.whole()), *((view.name(port), view.chains[port]) for port in ports)]
    else:
        columns = [(view.case.label, view.whole()) for view in views]
    labels = [name for name, _ in columns]
    money = [(words, [chain.money_per_t(name) for _, chain in columns]) for name, words in MONEY_WORDS.items()]
    late = " and lateness" if views[0].problem.dated else ""
    per_t = [chain.tonnes or 1.0 for _, chain in columns]
    money.append((f"value of time{late}", [c.time_usd / t for (_, c), t in zip(columns, per_t, strict=True)]))
    money.append(("uncertain times (risk)", [c.unreliable_usd / t for (_, c), t in zip(columns, per_t, strict=True)]))
    time = [(words, [chain.days(name) for _, chain in columns]) for name, words in TIME_WORDS.items()]
    if views[0].problem.dated:
        time.append(("waiting, whole days", [chain.days("waiting") for _, chain in columns]))
    blocks: list[Block] = [
        _stack("What a tonne costs", "USD per tonne", labels, money),
        _stack("How long a tonne is under way", "days", labels, time),
    ]
    if not views[0].problem.dated:
        parts = [components(view.trips) for view in views]
        rows: list[list[Cell]] = [
            [name, *(round(part[name]) for part in parts)] for name in NAMES if any(p[name] for p in parts)
        ]
        rows.append(["cost of the plan", *(round(sum(part.values())) for part in parts)])
        blocks.append(
            DataTable(
                "The cost of the plan in parts, USD a year",
                ["part", *(v.case.label for v in views)],
                rows,
                "parts sum to the cost of the plan; times count at the shippers' value of time",
            )
        )
    return Section("Cost and time", blocks)


def _stack(title: str, unit: str, labels: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]]) -> Figure:
    kept = [(name, values) for name, values in parts if any(abs(value) > 1e-9 for value in values)]
    totals = [sum(values[at] for _, values in kept) for at in range(len(labels))]
    rows: list[list[Cell]] = [[name, *(round(v, 3) for v in values)] for name, values in kept]
    rows.append(["together", *(round(total, 3) for total in totals)])
    largest = max(kept, key=lambda part: part[1][0], default=("nothing", [0.0]))
    alt = (
        f"Stacked bars, {unit}. {labels[0]}: {totals[0]:,.1f} {unit}, the largest part is {largest[0]} "
        f"with {largest[1][0]:,.1f}."
    )
    data = {
        "categories": labels,
        "series": [{"name": name, "values": list(values)} for name, values in kept],
        "stacked": True,
        "horizontal": True,
        "unit": unit,
    }
    table = DataTable(f"{title}, {unit}", ["part", *labels], rows)
    return Figure("bars", title, data, alt, table, height_px=min(110 + 40 * len(labels), 620))


def binding_section(views: Sequence[PlanView]) -> Section:
    """Capacities that are full, and what one more unit would save."""
    rows: list[list[Cell]] = []
    priced: dict[str, list[float]] = {}
    for at, view in enumerate(views):
        for _, place, unit, used, capacity, price in view.trips.use_of_limits:
            if used >= capacity * (1 - 1e-6) or price > 0:
                rows.append([place, view.case.label, unit, round(used, 1), round(capacity, 1), round(price, 3)])
            if price > 0:
                priced.setdefault(f"{place}, {unit}", [0.0] * len(views))[at] = price
    rows.sort(key=lambda row: -float(row[5] or 0))
    when = "on its fullest day" if views[0].problem.dated else "a year"
    table = DataTable(
        "Full capacities",
        ["capacity", "plan", "unit", f"used {when}", "room", "saving, USD per unit more"],
        rows,
        "the saving is the model's shadow price; blank or 0: full, but more room would save nothing",
    )
    if not priced:
        words = "No capacity has a price: more room anywhere would not make the plan cheaper."
        return Section("What binds", [words, table] if rows else [words])
    top = sorted(priced.items(), key=lambda item: -max(item[1]))[:MOST_LIMITS]
    series = [
        {"name": v.case.label if len(views) > 1 else "saving", "values": [prices[at] for _, prices in top]}
        for at, v in enumerate(views)
    ]
    data = {"categories": [name for name, _ in top], "series": series, "horizontal": True, "unit": "USD per unit more"}
    alt = "Bars of what one more unit of a full capacity would save. "
    alt += f"The dearest is {top[0][0]} with {max(top[0][1]):,.2f} USD."
    figure = Figure(
        "bars",
        "What one more unit of room would save",
        data,
        alt,
        table,
        height_px=100 + len(top) * (24 + 14 * len(views)),
    )
    return Section("What binds", [figure])
