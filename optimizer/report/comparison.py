"""Scenarios side by side: what moved, and how much of the difference each cause makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.comparing.components import NAMES, components
from optimizer.report.cases import Extras
from optimizer.report.page import Block, Cell, DataTable, Figure, Notice, Section
from optimizer.report.port_choice import PlanView

if TYPE_CHECKING:
    from optimizer.models.port_choice.comparing.compare import Comparison

MOST_MOVED = 60


def comparison_section(views: Sequence[PlanView], extras: Extras, tell: Callable[[str], None]) -> Section:
    """Each plan against the first."""
    base, blocks = views[0], []  # type: tuple[PlanView, list[Block]]
    for other in views[1:]:
        blocks += [_moved(base, other), _parts(base, other)]
        if extras.causes and not base.problem.dated and base.case.result.scenario != other.case.result.scenario:
            blocks += _causes(base, other, extras, tell)
    return Section("What moved, and why", blocks)


def _tonnes(view: PlanView) -> dict[tuple[str, str], float]:
    """(lane or shipment, port and gauge changes in words) -> tonnes."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for trip in view.trips.trips:
        changes = ", ".join(dict.fromkeys(view.trips.names[leg["from_node"]] for leg in trip.gauge_changes)) or "none"
        found[str(trip.demand["demand_id"]), f"{view.name(trip.port)}; gauge changes: {changes}"] += trip.quantity_t
    for row in view.trips.solution["unserved"].to_dict("records"):
        found[str(row["demand_id"]), "left behind"] += float(row["quantity_t"])
    return found


def _moved(base: PlanView, other: PlanView) -> Block:
    """Lanes that take another way."""
    before, after = _tonnes(base), _tonnes(other)
    rows: list[list[Cell]] = []
    demands = {**base.trips.demands, **other.trips.demands}
    names = {**base.trips.names, **other.trips.names}
    for demand in dict.fromkeys(key[0] for key in [*before, *after]):
        left = {way: t for (d, way), t in before.items() if d == demand}
        now = {way: t for (d, way), t in after.items() if d == demand}
        shift = sum(max(0.0, now.get(way, 0.0) - left.get(way, 0.0)) for way in {*left, *now})
        if shift > 1e-6 * max(1.0, sum(left.values())):
            row = demands[demand]
            ends = f"{names[row['origin']]} – {names[row['destination']]}"
            gone = (
                "; ".join(f"{t:,.0f} t {way}" for way, t in left.items() if now.get(way, 0.0) < t - 1e-6) or "nothing"
            )
            come = (
                "; ".join(f"{t:,.0f} t {way}" for way, t in now.items() if left.get(way, 0.0) < t - 1e-6) or "nothing"
            )
            rows.append([demand, ends, str(row["commodity_id"]), round(shift), gone, come])
    rows.sort(key=lambda row: -float(row[3] or 0))
    title = f"What goes another way: {other.case.label} instead of {base.case.label}"
    if not rows:
        return f"{other.case.label}: every load takes the same ports and gauge changes as under {base.case.label}."
    what = "shipment" if base.problem.dated else "lane"
    note = f"the {MOST_MOVED} largest of {len(rows)}" if len(rows) > MOST_MOVED else ""
    return DataTable(title, [what, "from – to", "cargo", "tonnes moved", "before", "after"], rows[:MOST_MOVED], note)


def _parts(base: PlanView, other: PlanView) -> DataTable:
    """Parts of the cost in both plans, and their difference."""
    rows: list[list[Cell]] = []
    if base.problem.dated:
        pairs = [("cost of the plan", base.case.result.cost or 0.0, other.case.result.cost or 0.0)]
    else:
        one, two = components(base.trips), components(other.trips)
        pairs = [(name, one[name], two[name]) for name in NAMES if one[name] or two[name]]
        pairs.append(("cost of the plan", sum(one.values()), sum(two.values())))
    for name, left, now in pairs:
        rows.append([name, round(left), round(now), round(now - left)])
    return DataTable("Parts of the cost, USD", ["part", base.case.label, other.case.label, "difference"], rows)


def _causes(base: PlanView, other: PlanView, extras: Extras, tell: Callable[[str], None]) -> list[Block]:
    from optimizer.models.port_choice.comparing.compare import compare

    tell(f"causes of the difference between {base.case.label} and {other.case.label}")
    options = SolveOptions(time_limit_s=extras.time_limit_s)
    try:
        found = compare(
            base.case.corridor, other.case.corridor, options, tell=lambda at, of: tell(f"  solve {at} of {of}")
        )
    except (UsageError, InstanceError) as error:
        return [Notice("caution", f"The causes of the difference to {other.case.label} are not known: {error}")]
    return [bridge(found, base.case.label, other.case.label)]


def bridge(found: Comparison, base: str, scenario: str) -> Figure:
    """Figure of kind ``bridge``: from the cost of the base to that of the scenario, cause by cause."""
    steps = [{"name": base, "value": found.base.cost, "total": True}]
    rows: list[list[Cell]] = [[f"cost under {base}", round(found.base.cost), None, None, None]]
    for one in found.contributions:
        usd = float(one.usd)
        info = [
            ["alone", f"{one.alone:,.0f}"],
            ["last of all", f"{one.last:,.0f}"],
            ["range", f"{one.low:,.0f} to {one.high:,.0f}"],
        ]
        steps.append({"name": one.cause, "value": usd, "info": info})
        rows.append([one.cause, round(usd), round(one.alone), round(one.last), f"{one.low:,.0f} to {one.high:,.0f}"])
    steps.append({"name": scenario, "value": found.scenario.cost, "total": True})
    rows.append([f"cost under {scenario}", round(found.scenario.cost), None, None, None])
    largest = max(found.contributions, key=lambda one: abs(float(one.usd)), default=None)
    alt = f"Bridge from {found.base.cost:,.0f} USD under {base} to {found.scenario.cost:,.0f} USD under {scenario}."
    if largest is not None:
        alt += f" The largest cause is {largest.cause} with {float(largest.usd):,.0f} USD."
    note = (
        "A cause's contribution is its mean over all orders in which the causes may come (Shapley value), from "
        f"{len(found.mixtures)} solved mixtures; contributions sum to the difference. " + (found.causes.note or "")
    ).strip()
    repriced = found.repriced
    if repriced.usd is not None:
        note += f" The plan of {base} at the prices of {scenario} would cost {repriced.usd:,.0f} USD."
    elif repriced.why_not:
        note += f" The plan of {base} can no longer be run under {scenario}: {repriced.why_not}."
    columns = ["cause", "contribution, USD", "alone, USD", "last of all, USD", "range by the gaps, USD"]
    table = DataTable("Causes of the difference", columns, rows)
    return Figure(
        "bridge",
        f"Why {scenario} costs {'more' if found.difference > 0 else 'less'}",
        {"steps": steps},
        alt,
        table,
        note,
        400,
    )
