"""Tornado: how far the least cost moves when one uncertain input takes its low or its high value.

Inputs are rows with a low and a high value that are estimates, or carry no measured confidence, under the plan. They
are ranked by what the plan at hand would pay more or less with its routes kept (to first order that is the change of
the least cost); the first of them are then solved for again at both values. The bars are those re-solves, each with
its proven bound: routes and ports may change.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from optimizer import api
from optimizer.data.corridor import Corridor
from optimizer.data.schema import KEYS
from optimizer.errors import InstanceError
from optimizer.models.port_choice import PortChoice
from optimizer.network.costs import DEFAULT_WAGON_LOAD_T
from optimizer.network.layered import HANDLING, LINK
from optimizer.report.page import Block, Cell, DataTable, Figure, Notice, Section, number
from optimizer.report.port_choice import PlanView
from optimizer.report.trust import haul_by_tariff, used_rows

CERTAIN = ("measured", "published", "computed")
COLUMNS: Mapping[str, Sequence[str]] = {
    "links": ("speed_kmh",),
    "handlings": ("dwell_h", "cost"),
    "borders": ("dwell_h",),
    "tariffs": ("value",),
}
"""Columns with a low and a high value that bear on port choice; ``cost`` stands for the one charge that is filled."""

CHARGES = ("cost_usd_per_t", "cost_usd_per_feu", "cost_usd_per_wagon")
DEMAND = "demand of all lanes"


@dataclass(frozen=True)
class Input:
    """One uncertain number (or the demand of all lanes): cells and their stated, low and high values."""

    table: str
    column: str
    row: int | None
    name: str
    stated: float
    low: float
    high: float
    confidence: str

    def applied(self, corridor: Corridor, high: bool) -> Corridor:
        """The corridor with the input at one of its ends."""
        table = corridor.table(self.table).copy()
        if self.row is None:
            end = table[f"{self.column}_{'high' if high else 'low'}"]
            table[self.column] = end.where(end.notna(), table[self.column])
        else:
            table[self.column] = table[self.column].astype(float)
            table.iloc[self.row, table.columns.get_loc(self.column)] = self.high if high else self.low
        return corridor.with_tables({self.table: table})


@dataclass(frozen=True)
class Bar:
    """Change of the least cost, USD a year, at the low and the high value; and of the largest port's share, points."""

    input: Input
    low_usd: float
    high_usd: float
    moved: tuple[str, str]
    gap: float


def uncertain_inputs(corridor: Corridor, used: Mapping[str, set[str]]) -> list[Input]:
    """Rows under the plan with a low and a high value and no certain confidence."""
    found = []
    names = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["name"], strict=True))
    for table, columns in COLUMNS.items():
        rows = corridor.table(table)
        for position, row in enumerate(rows.to_dict("records")):
            row_id = str(row[KEYS[table][0]])
            if row["confidence"] in CERTAIN or (table in used and row_id not in used[table]):
                continue
            for column in columns:
                cell = column
                if column == "cost":
                    filled = [name for name in CHARGES if row[name]]
                    if len(filled) != 1:
                        continue
                    cell = filled[0]
                low, high, stated = (_float(row.get(key)) for key in (f"{column}_low", f"{column}_high", cell))
                if any(math.isnan(value) for value in (low, high, stated)) or not low < high:
                    continue
                where = [str(names.get(row[c], row[c])) for c in ("from_node", "to_node", "node_id") if c in row]
                words = f"{cell.split('_')[0]} of {' – '.join(where) or row_id}"
                if table == "tariffs":
                    words = f"{str(row['kind']).replace('_', ' ')} {row_id}"
                    where = [";".join(row["countries"]) or "all countries", str(row["mode"] or "any mode")]
                    words += f" ({', '.join(where)}, {row['form'] or 'any form'})"
                elif table == "borders":
                    words = f"dwell at the border {row_id}"
                found.append(
                    Input(table, cell, position, words, stated, low, high, str(row["confidence"] or "not stated"))
                )
    lanes = corridor.table("lanes")
    if lanes["quantity_t_per_year_low"].notna().any():
        sums = [
            float(lanes[f"quantity_t_per_year{end}"].fillna(lanes["quantity_t_per_year"]).sum())
            for end in ("", "_low", "_high")
        ]
        stated, low, high = sums
        found.append(Input("lanes", "quantity_t_per_year", None, DEMAND, stated, low, high, "estimated"))
    return found


def _float(value: Any) -> float:
    return float("nan") if value is None or value == "" else float(value)


def first_order(view: PlanView, inputs: Sequence[Input]) -> list[float]:
    """
    Of each input, about what the plan at hand would pay more from its low to its high value, USD a year.

    Routes are kept, and reliability is left out: it only decides which inputs are solved for. The demand comes first.
    """
    corridor, network = view.case.corridor, view.trips.network
    worth: dict[tuple[int, str], float] = defaultdict(float)  # USD an hour more would cost, by kind and asset
    tonnes: dict[str, float] = defaultdict(float)
    feu: dict[str, float] = defaultdict(float)
    border: dict[str, float] = defaultdict(float)
    commodities = {row["commodity_id"]: row for row in corridor.table("commodities").to_dict("records")}
    crossing = _border_of(corridor)
    for commodity, on_arc in view.flows().items():
        vot, row = network.arc_costs(commodity).vot_usd_per_t_h, commodities[commodity]
        for arc in np.flatnonzero(on_arc).tolist():
            kind, asset, load = int(network.kind[arc]), str(network.asset[arc]), float(on_arc[arc])
            worth[kind, asset] += vot * load
            if kind == HANDLING:
                tonnes[asset] += load
                feu[asset] += load / float(row["load_t_per_feu"]) if row["cargo_form"] == "container" else 0.0
            elif kind == LINK:
                ends = (network.vertex_node[network.tail[arc]], network.vertex_node[network.head[arc]])
                border[crossing(asset, *ends)] += vot * load
    money = view.whole().money_usd
    haul = haul_by_tariff(view)
    length = dict(zip(corridor.table("links")["link_id"], corridor.table("links")["length_km"], strict=True))

    def swing(one: Input) -> float:
        if one.row is None:
            return math.inf
        row_id = str(corridor.table(one.table)[KEYS[one.table][0]].iloc[one.row])
        span = one.high - one.low
        if one.column == "speed_kmh":
            return worth[LINK, row_id] * float(length[row_id]) * (1 / one.low - 1 / one.high)
        if one.column == "dwell_h":
            return span * (border[row_id] if one.table == "borders" else worth[HANDLING, row_id])
        if one.table == "handlings":
            units = {"cost_usd_per_t": tonnes[row_id], "cost_usd_per_feu": feu[row_id]}
            return span * units.get(one.column, tonnes[row_id] / DEFAULT_WAGON_LOAD_T)
        kind = str(corridor.table("tariffs")["kind"].iloc[one.row])
        if kind == "line_haul":
            return span / one.stated * haul.get(row_id, 0.0) if one.stated else math.inf
        part = {"multiplier": "haul", "security": "security", "entry_fee": "fees", "insurance": "insurance"}[kind]
        return span / one.stated * money[part] if one.stated else math.inf  # at most: all of the component

    return [swing(one) for one in inputs]


def _border_of(corridor: Corridor) -> Callable[[str, str, str], str]:
    """Id of the border row of a link from one place to another; blank inside a country (rule 5)."""
    country = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["country"], strict=True))
    mode = dict(zip(corridor.table("links")["link_id"], corridor.table("links")["mode"], strict=True))
    rows = corridor.table("borders").to_dict("records")

    def of(link: str, tail: str, head: str) -> str:
        keys = {"from_country": country[tail], "to_country": country[head], "mode": mode[link]}
        if keys["from_country"] == keys["to_country"]:
            return ""
        fitting = [row for row in rows if all(not _filled(row[k]) or row[k] == v for k, v in keys.items())]
        best = max(fitting, key=lambda row: sum(_filled(row[k]) for k in keys), default=None)
        return "" if best is None else str(best["border_id"])

    return cache(of)


def _filled(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def tornado(view: PlanView, most: int, time_limit_s: float, tell: Callable[[str], None]) -> tuple[list[Bar], int, int]:
    """
    Bars, the widest first; how many inputs are uncertain, and how many were left out for want of time.

    Raises nothing for an input at whose value the instance cannot be planned: it is left out.
    """
    start = time.monotonic()
    inputs = uncertain_inputs(view.case.corridor, _used(view))
    weight = first_order(view, inputs)
    chosen = [inputs[at] for at in sorted(range(len(inputs)), key=lambda at: -weight[at])[:most]]
    base = view.case.result
    bars: list[Bar] = []
    left_out = 0
    for number_, one in enumerate(chosen):
        tell(f"  input {number_ + 1} of {len(chosen)}: {one.name}")
        left = start + time_limit_s - time.monotonic()
        if left <= 0:
            left_out = len(chosen) - number_
            break
        try:
            ends = [_solved(one.applied(view.case.corridor, high), view, max(left / 2, 0.5)) for high in (False, True)]
        except InstanceError:
            continue
        assert base.cost is not None
        moved = (ends[0][1], ends[1][1])
        bars.append(Bar(one, ends[0][0] - base.cost, ends[1][0] - base.cost, moved, max(ends[0][2], ends[1][2])))
    bars.sort(key=lambda bar: -max(abs(bar.low_usd), abs(bar.high_usd)))
    return bars, len(inputs), left_out


def _solved(corridor: Corridor, view: PlanView, time_limit_s: float) -> tuple[float, str, float]:
    """Cost, the largest gateway with its share in words, and the gap."""
    problem = PortChoice(corridor, serve_all=view.problem.serve_all)
    result = api.solve(problem, time_limit_s=time_limit_s, seed=view.case.result.seed)
    if result.cost is None:
        raise InstanceError(corridor.instance.path, [])
    shares = {name: value for name, value in result.kpis.items() if name.startswith("share of gateway")}
    largest = max(shares, key=lambda name: float(shares[name]), default="")
    words = largest.removeprefix("share of gateway tonnes through ").removesuffix(", %")
    return result.cost, f"{words} {float(shares[largest]):.0f} %" if largest else "no gateway", result.gap or 0.0


def _used(view: PlanView) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"links": set(), "handlings": set()}
    for one in used_rows(view.case, view):
        if one.table in found:
            found[one.table].add(one.row_id)
    return found


def sensitivity_section(view: PlanView, most: int, time_limit_s: float, tell: Callable[[str], None]) -> Section:
    """The tornado of one plan."""
    title = "What if an estimate is wrong"
    if view.problem.dated:
        return Section(title, ["The tornado is drawn for annual plans only."])
    tell(f"sensitivity of {view.case.label}")
    bars, known, left_out = tornado(view, most, time_limit_s, tell)
    if not bars:
        words = (
            "no uncertain input with a low and a high value lies under the plan"
            if not known
            else "the time limit came before the first re-solve"
        )
        return Section(title, [Notice("caution", f"No tornado: {words}.")])
    cost = view.case.result.cost or 0.0
    rows: list[list[Cell]] = []
    drawn = []
    for bar in bars:
        one = bar.input
        span = f"{number(one.low)} – {number(one.high)} (stated {number(one.stated)})"
        info = [
            ["low, high", span],
            ["at low", f"{bar.low_usd:+,.0f} USD, {bar.moved[0]}"],
            ["at high", f"{bar.high_usd:+,.0f} USD, {bar.moved[1]}"],
            ["confidence", one.confidence],
        ]
        drawn.append({"name": one.name, "low": bar.low_usd, "high": bar.high_usd, "info": info})
        rows.append(
            [one.name, one.confidence, span, round(bar.low_usd), round(bar.high_usd), bar.moved[0], bar.moved[1]]
        )
    widest = bars[0]
    alt = f"Tornado of {len(bars)} uncertain inputs around {cost:,.0f} USD. The widest is {widest.input.name}: "
    alt += f"{widest.low_usd:+,.0f} to {widest.high_usd:+,.0f} USD."
    gap = max(bar.gap for bar in bars)
    note = (
        f"{len(bars)} of {known} uncertain inputs under the plan, one at a time; port choice is solved again at each "
    )
    note += f"end (largest gap {100 * gap:.2g} %)."
    note += f" {left_out} more were left out for want of time." if left_out else ""
    columns = ["input", "confidence", "low – high", "USD at low", "USD at high", "largest gateway at low", "at high"]
    figure = Figure(
        "tornado",
        "Change of the least cost",
        {"bars": drawn, "unit": "USD a year"},
        alt,
        DataTable("Change of the least cost, USD a year", columns, rows),
        note,
        110 + 34 * len(bars),
    )
    blocks: list[Block] = [figure]
    return Section(title, blocks)
