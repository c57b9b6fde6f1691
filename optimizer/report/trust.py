"""How far to trust a plan: proven gap, verification, convergence, and the inputs it rests on, by their confidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.data.corridor import Corridor
from optimizer.data.schema import KEYS
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.transshipment.problem import Transshipment
from optimizer.network.layered import HANDLING, LINK, SEA
from optimizer.report.cases import Case
from optimizer.report.page import Block, Cell, DataTable, Figure, Notice, Section
from optimizer.report.port_choice import PlanView
from optimizer.result import Status

LEVELS = ("measured", "published", "part published", "computed", "derived", "estimated", "invented")
WEAK = ("estimated", "invented")
UNSTATED = "not stated"
MOST_ROWS = 25
LONGEST_SOURCE = 90


@dataclass(frozen=True)
class Used:
    """A row of the instance that the plan uses; ``usd`` is the cost that passes over it, None where not counted."""

    table: str
    row_id: str
    name: str
    confidence: str
    source: str
    usd: float | None = None


def trust_section(
    cases: Sequence[Case], views: Mapping[str, PlanView], recomputed: Mapping[str, Sequence[str]]
) -> Section:
    """
    The section.

    Parameters
    ----------
    views
        Path of a case -> its plan, for port choice.
    recomputed
        Path of a case -> key figures of ``result.json`` that differ from those of the plan.
    """
    blocks: list[Block] = []
    for case in cases:
        blocks += _claims(case, recomputed.get(case.path, ()))
    curves = [figure for case in cases if (figure := convergence(case, len(cases) > 1)) is not None]
    blocks += curves
    first = next((case for case in cases if case.result.solution is not None), None)
    if first is not None:
        used = used_rows(first, views.get(first.path))
        if used:
            which = f" of {first.label}" if len(cases) > 1 else ""
            blocks += [_levels(used, which), _weakest(used, which)]
    return Section("How far to trust it", blocks)


def _claims(case: Case, differing: Sequence[str]) -> list[Block]:
    result = case.result
    if case.violations:
        shown = "; ".join(map(str, case.violations[:5]))
        more = f"; and {len(case.violations) - 5} more" if len(case.violations) > 5 else ""
        return [Notice("bad", f"{case.label}: this plan fails verification, do not use it. {shown}{more}")]
    if result.solution is None:
        return [Notice("caution", f"{case.label}: there is no plan, so there is nothing to verify.")]
    gap = result.gap
    proof = "no bound is known: nothing says how much better another plan could be"
    if gap is not None:
        proof = (
            "proved best: no plan is cheaper" if gap < 1e-7 else f"no plan is cheaper by more than {100 * gap:.3g} %"
        )
    stopped = "; a limit came before the proof" if result.status == Status.FEASIBLE else ""
    words = (
        f"{case.label}: every rule holds, and cost, bound and gap agree with the plan (checked now, by code that "
        f"shares nothing with the solver). {proof[0].upper()}{proof[1:]}{stopped}. "
        f"Found by method {result.method} with {result.solver} in {result.runtime_s:.1f} s, seed {result.seed}."
    )
    blocks: list[Block] = [Notice("good" if gap is not None and gap <= 0.01 else "caution", words)]
    if differing:
        blocks.append(
            Notice(
                "bad", f"{case.label}: key figures of result.json differ from those of the plan: {', '.join(differing)}"
            )
        )
    return blocks


def convergence(case: Case, named: bool) -> Figure | None:
    """Cost and bound over the time of the run; None where the result holds no history."""
    known = [at for at in case.result.progress if at.cost is not None or at.bound is not None]
    if len(known) < 2:
        return None
    lines = [
        ("best plan", [(at.elapsed_s, at.cost) for at in known if at.cost is not None], "c2"),
        ("proven bound", [(at.elapsed_s, at.bound) for at in known if at.bound is not None], "c1"),
    ]
    # The first plans can be many times dearer and would flatten the rest.
    last = known[-1].cost if known[-1].cost is not None else known[-1].bound
    span = 3 * abs(last or 0.0)
    kept = [
        (name, [(x, y) for x, y in points if y is not None and (not span or abs(y) <= span)], key)
        for name, points, key in lines
    ]
    series = [
        {"name": name, "points": points, "colour": key, "step": True, "dash": key == "c1"} for name, points, key in kept
    ]
    rows: list[list[Cell]] = [[round(at.elapsed_s, 2), at.cost, at.bound] for at in known]
    which = f": {case.label}" if named else ""
    end = known[-1]
    alt = f"Lines of best plan and proven bound over {end.elapsed_s:.1f} seconds; "
    alt += f"they end at {end.cost or 0:,.0f} and {end.bound or 0:,.0f} USD."
    return Figure(
        "lines",
        f"How cost and bound came together{which}",
        {"x": "seconds", "y": "USD", "series": series},
        alt,
        DataTable("Progress of the run", ["seconds", "best plan, USD", "bound, USD"], rows),
        height_px=300,
    )


def used_rows(case: Case, view: PlanView | None) -> list[Used]:
    """Rows of the instance that the plan of a case rests on."""
    if view is not None:
        return _used_by_routes(view)
    corridor, solution = case.corridor, case.result.solution or {}
    if isinstance(case.problem, Transshipment):
        terminal = case.result.options["terminal"]
        wanted = {"terminals": {terminal}}
        for table in ("terminal_tracks", "terminal_cranes", "terminal_bays", "train_calls"):
            rows = corridor.table(table)
            wanted[table] = set(rows[KEYS[table][0]][rows["terminal_id"] == terminal])
        wanted["terminal_loads"] = set(solution["loads"]["load_id"])
    elif isinstance(case.problem, RollingStock) and case.problem.stock == "wagons":
        runs = solution["runs"]
        paths = {asset for path in runs["path"] for asset in path}
        wanted = {
            "links": paths,
            "handlings": paths,
            "wagons": set(runs["wagon_id"]),
            "orders": set(runs["order_id"]) - {""},
            "fleet": set(corridor.table("fleet")["fleet_id"]),
        }
    elif isinstance(case.problem, RollingStock):
        services = corridor.table("train_services")
        run = services[services["service_id"].isin(set(solution["stages"]["service_id"]))]
        wanted = {
            "train_services": set(run["service_id"]),
            "links": {i for names in run["links"] for i in names},
            "locomotives": set(solution["stages"]["loco_id"]),
        }
    else:
        return []
    return [used for table, ids in wanted.items() for used in _rows(corridor, table, dict.fromkeys(ids))]


def _rows(corridor: Corridor, table: str, usd: Mapping[str, float | None]) -> list[Used]:
    key, rows = KEYS[table][0], corridor.table(table)
    names = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["name"], strict=True))
    found = []
    for row in rows[rows[key].isin(set(usd))].to_dict("records"):
        ends = [
            names.get(row[c], row[c])
            for c in ("from_node", "to_node", "from_port", "to_port", "node_id", "origin", "destination")
            if c in row
        ]
        words = " – ".join(map(str, ends)) or str(row.get("name") or row[key])
        if table == "handlings":
            words += f", {str(row['technology']).replace('_', ' ')}"
        confidence = row["confidence"] if isinstance(row["confidence"], str) and row["confidence"] else UNSTATED
        found.append(Used(table, str(row[key]), words, confidence, str(row["source"] or ""), usd[row[key]]))
    return found


def _used_by_routes(view: PlanView) -> list[Used]:
    """Links, sea legs, handlings and tariffs under the routes, with the cost that passes over them."""
    network, corridor = view.trips.network, view.case.corridor
    on_asset: dict[int, dict[str, float]] = {kind: defaultdict(float) for kind in (LINK, SEA, HANDLING)}
    for commodity, on_arc in view.flows().items():
        costs = network.arc_costs(commodity)
        for arc in np.flatnonzero(on_arc).tolist():
            kind = int(network.kind[arc])
            if kind in on_asset:
                on_asset[kind][str(network.asset[arc])] += float(on_arc[arc] * costs.generalised[arc])
    haul = haul_by_tariff(view)
    lanes = view.problem.demand_table
    demand: dict[str, float] = defaultdict(float)
    for trip in view.trips.trips:
        demand[str(trip.demand["demand_id"])] += trip.quantity_t * (
            sum(trip.money_usd_per_t.values()) + trip.time_usd_per_t
        )
    tables = {
        "links": on_asset[LINK],
        "sea_legs": on_asset[SEA],
        "handlings": on_asset[HANDLING],
        "tariffs": haul,
        lanes: demand,
    }
    return [used for table, usd in tables.items() for used in _rows(corridor, table, usd)]


def haul_by_tariff(view: PlanView) -> dict[str, float]:
    """Line-haul tariff -> USD the plan pays at its rate."""
    network, corridor = view.trips.network, view.case.corridor
    commodities = corridor.table("commodities")
    forms = dict(zip(commodities["commodity_id"], commodities["cargo_form"], strict=True))
    rates = {form: _haul_rows(corridor, form) for form in ("container", "bulk")}
    haul: dict[str, float] = defaultdict(float)
    for commodity, on_arc in view.flows().items():
        usd = network.arc_costs(commodity).money["haul"] * on_arc
        rows = rates["container" if forms[commodity] == "container" else "bulk"]
        for arc in np.flatnonzero(usd).tolist():
            for tariff in rows.get(str(network.asset[arc]), ()):
                haul[tariff] += float(usd[arc]) / 2
    return dict(haul)


def _haul_rows(corridor: Corridor, form: str) -> dict[str, tuple[str, str]]:
    """Link -> the line-haul tariffs of its two halves: the row with the most filled keys that fits (rule 2)."""
    tariffs, links = corridor.table("tariffs"), corridor.table("links")
    fits_form = tariffs["form"].isna() | tariffs["form"].isin([form, ""])
    fits_unit = (tariffs["unit"] != "usd_per_feu_km") | (form == "container")
    rows = tariffs[(tariffs["kind"] == "line_haul") & fits_form & fits_unit].to_dict("records")
    country = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["country"], strict=True))

    def best(link: Mapping[Any, Any], end: str) -> str:
        def score(row: Mapping[Any, Any]) -> int:
            keys = (
                (row["links"], link["link_id"] in row["links"]),
                (row["countries"], country[link[end]] in row["countries"]),
                (_filled(row["mode"]), row["mode"] == link["mode"]),
            )
            return (
                -1
                if any(given and not fits for given, fits in keys)
                else sum(bool(g) for g, _ in keys) + _filled(row["form"])
            )

        return str(max(rows, key=score)["tariff_id"]) if rows else ""

    return {row["link_id"]: (best(row, "from_node"), best(row, "to_node")) for row in links.to_dict("records")}


def _filled(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SOURCE else f"{text[:LONGEST_SOURCE]}…"


def _levels(used: Sequence[Used], which: str) -> Figure:
    """Share of rows by confidence, a bar for each table."""
    tables = list(dict.fromkeys(one.table for one in used))
    counts = {table: Counter(one.confidence for one in used if one.table == table) for table in tables}
    levels = [level for level in (*LEVELS, UNSTATED) if any(counts[table][level] for table in tables)]
    size = {table: sum(counts[table].values()) for table in tables}
    series = [
        {"name": level, "values": [100 * counts[table][level] / size[table] for table in tables]} for level in levels
    ]
    rows: list[list[Cell]] = [
        [table.replace("_", " "), size[table], *(counts[table][level] for level in levels)] for table in tables
    ]
    weak = sum(counts[table][level] for table in tables for level in WEAK)
    alt = f"Stacked bars of the rows the plan uses, by confidence. {weak} of {len(used)} rows are estimates."
    data = {
        "categories": [f"{table.replace('_', ' ')} ({size[table]})" for table in tables],
        "series": series,
        "stacked": True,
        "horizontal": True,
        "unit": "% of the rows used",
    }
    table = DataTable("Rows the plan uses, by confidence", ["table", "rows used", *levels], rows)
    return Figure("bars", f"What the plan{which} rests on", data, alt, table, height_px=100 + 40 * len(tables))


def _weakest(used: Sequence[Used], which: str) -> DataTable:
    """Estimates under most of the cost."""
    weak = [one for one in used if one.confidence in (*WEAK, UNSTATED)]
    weak.sort(key=lambda one: -(one.usd or 0.0))
    rows: list[list[Cell]] = [
        [
            one.table.replace("_", " "),
            one.row_id,
            one.name,
            one.confidence,
            None if one.usd is None else round(one.usd),
            _cut(one.source),
        ]
        for one in weak[:MOST_ROWS]
    ]
    note = f"the {MOST_ROWS} of {len(weak)} with the most cost; " if len(weak) > MOST_ROWS else ""
    note += "cost: what the plan pays, money and time, where the row applies; one cost can rest on several rows"
    return DataTable(
        f"Estimated inputs the answer{which} depends on most",
        ["table", "row", "what", "confidence", "cost, USD", "source"],
        rows,
        note,
    )
