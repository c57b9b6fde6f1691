"""Figures and tables of a terminal plan in a planner's words. Times read day+hh:mm, days counted from 1."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from optimizer.models.family import Table
from optimizer.models.transshipment.problem import (
    Plan,
    Stock,
    Transshipment,
    Work,
    late_units,
    price_units,
    read_tables,
    stock_changes,
    usd,
    wait_units,
)
from optimizer.models.transshipment.site import Call, Load, Site
from optimizer.models.transshipment.words import clock, why_impossible
from optimizer.result import Solution

WAYS = ("direct", "yard", "bogie", "missed")
UNITS = {"container": "TEU", "bulk": "t"}


def kpis(problem: Transshipment, solution: Solution) -> Mapping[str, float | str]:
    """Loads by way, use of cranes and tracks, yard peak, late hours, and the cost by part."""
    site, plan = problem.site, read_tables(solution)
    leaves = {call.call_id: plan.stands[call.call_id].leave for call in site.calls}
    ways = [plan.passages[i.load_id].way if i.load_id in plan.passages else "missed" for i in site.loads]
    figures: dict[str, float | str] = {"terminal": site.terminal_id, "trains": len(site.calls)}
    figures |= {f"loads_{way}": ways.count(way) for way in WAYS}
    worked, open_ = (
        _crane_minutes(site, plan),
        {crane.crane_id: _minutes(crane.open, site.end) for crane in site.cranes},
    )
    figures["crane_use_pct"] = _percent(sum(worked.values()), sum(open_.values()))
    stood = sum(stand.leave - stand.start for stand in plan.stands.values())
    figures["track_use_pct"] = _percent(stood, len(site.tracks) * site.end)
    for form, unit in UNITS.items():
        figures[f"yard_peak_{unit.lower()}"] = max((held for _, held in _yard(site, plan, form)), default=0) / 1000
    figures["train_wait_h"] = round(sum(max(0, leaves[c.call_id] - c.depart) for c in site.calls) / 60, 2)
    late = [max(0, leaves[plan.passages[i.load_id].onward] - i.due) for i in site.loads if i.load_id in plan.passages]
    figures["load_late_h"] = round(sum(late) / 60, 2)
    if any(load.checks for load in site.loads):
        figures["checks"] = sum(len(passage.checks) for passage in plan.passages.values())
    for stock, (_, least) in _stocks(site, plan).items():
        if not stock[0]:
            figures[f"empty_wagons_{stock[1]}_least"] = least
    return figures | _cost_parts(site, plan)


def _cost_parts(site: Site, plan: Plan) -> dict[str, float | str]:
    parts: dict[str, int] = dict.fromkeys(("wait", "late", "direct", "yard", "bogie", "missed"), 0)
    if site.rehandle_cents_per_move and any(load.rehandles for load in site.loads):
        parts["rehandle"] = 0
    for call in site.calls:
        parts["wait"] += wait_units(call, plan.stands[call.call_id].leave)
    for load in site.loads:
        passage = plan.passages.get(load.load_id)
        if passage is None:
            parts["missed"] += load.missed_cents * 60
        else:
            price, rehandles = price_units(site, load, passage.way), 0
            if "rehandle" in parts and passage.way == "yard":
                rehandles = int(60 * site.rehandle_cents_per_move * load.rehandles)
                parts["rehandle"] += rehandles
            parts[passage.way] += price - rehandles
            parts["late"] += late_units(load, site.call[passage.onward], plan.stands[passage.onward].leave)
    return {f"{name}_usd": usd(units) for name, units in parts.items()}


def report(problem: Transshipment, solution: Solution) -> Sequence[Table]:
    """Trains, loads by onward train, cranes, the yard, and what is missed."""
    site, plan = problem.site, read_tables(solution)
    tables = [_trains(site, plan), _onward(site, plan), _cranes(site, plan)]
    if site.bays:
        tables.append(_bays(site, plan))
    if site.posts:
        tables.append(_posts(site, plan))
    tables.append(_stock_table(site, plan))
    tables += [_yard_table(site, plan), _missed(site, plan)]
    return [table for table in tables if table.rows]


def _trains(site: Site, plan: Plan) -> Table:
    rows = []
    for call in sorted(site.calls, key=lambda c: (plan.stands[c.call_id].start, c.call_id)):
        stand = plan.stands[call.call_id]
        rows.append(
            (
                call.call_id,
                str(call.gauge_mm),
                stand.track,
                clock(call.arrive),
                clock(stand.start),
                clock(call.depart),
                clock(stand.leave),
                _hours(stand.leave - call.depart),
            )
        )
    columns = ("train", "gauge mm", "track", "arrives", "on track", "planned out", "out", "late h")
    return Table(f"Trains at {site.name}", columns, rows)


def _onward(site: Site, plan: Plan) -> Table:
    rows = []
    for call in sorted(site.calls, key=lambda c: (plan.stands[c.call_id].leave, c.call_id)):
        mine = [i for i in site.loads if i.load_id in plan.passages and plan.passages[i.load_id].onward == call.call_id]
        if not mine:
            continue
        leave = plan.stands[call.call_id].leave
        ways = [plan.passages[load.load_id].way for load in mine]
        late = [load for load in mine if leave > load.due]
        rows.append(
            (
                call.call_id,
                clock(leave),
                ", ".join(f"{load.load_id} ({way})" for load, way in zip(mine, ways, strict=True)),
                _taken(mine, ways, call),
                ", ".join(f"{load.load_id} {_hours(leave - load.due)} h" for load in late) or "-",
            )
        )
    return Table("Loads by onward train", ("train", "out", "loads (way)", "takes on / room", "late"), rows)


def _taken(loads: Sequence[Load], ways: Sequence[str], call: Call) -> str:
    parts = []
    for form, unit in UNITS.items():
        size = sum(i.size for i, way in zip(loads, ways, strict=True) if i.form == form and way != "bogie")
        if size:
            parts.append(f"{size / 1000:g}/{call.room[form] / 1000:g} {unit}")
    wagons = sum(i.wagons for i, way in zip(loads, ways, strict=True) if way == "bogie")
    return ", ".join([*parts, *([f"{wagons}/{call.room['wagons']} wagons"] if wagons else [])])


def _cranes(site: Site, plan: Plan) -> Table:
    worked, rows = _crane_minutes(site, plan), []
    for crane in site.cranes:
        works = sorted(_works(plan, crane.crane_id), key=lambda w: w.start)
        hours = _minutes(crane.open, site.end)
        rows.append(
            (
                crane.crane_id,
                crane.handles,
                str(len(works)),
                _hours(worked[crane.crane_id]),
                _hours(hours - worked[crane.crane_id]),
                f"{_percent(worked[crane.crane_id], hours):.0f}%",
                f"{clock(works[0].start)} - {clock(works[-1].end)}" if works else "-",
            )
        )
    columns = ("crane", "handles", "works", "busy h", "idle h", "use", "first - last work")
    return Table("Cranes", columns, rows, "idle: hours of its shifts until the last train has left")


def _bays(site: Site, plan: Plan) -> Table:
    rows = []
    for bay in site.bays:
        works = _works(plan, bay.bay_id)
        loads = [i for i in site.loads if i.load_id in plan.passages and plan.passages[i.load_id].works[0] in works]
        busy = sum(work.end - work.start for work in works)
        rows.append((bay.bay_id, str(len(works)), str(sum(i.wagons for i in loads)), _hours(busy)))
    return Table("Bogie bays", ("bay", "exchanges", "wagons", "busy h"), rows)


def _posts(site: Site, plan: Plan) -> Table:
    rows = []
    for post in site.posts:
        checks = [
            check for passage in plan.passages.values() for check in passage.checks if check.resource == post.name
        ]
        busy = sum(check.end - check.start for check in checks)
        share = f"{_percent(busy, _minutes(post.open, site.end)):.0f}%"
        rows.append((post.post_id, post.check, str(len(checks)), _hours(busy), share))
    return Table("Checks", ("post", "check", "loads", "busy h", "use"), rows)


def _stocks(site: Site, plan: Plan) -> dict[Stock, tuple[int, int]]:
    """By stock of bogie sets or counted empty wagons: at the start, and at least."""
    start = {(bay.bay_id, gauge): sets for bay in site.bays for gauge, sets in bay.stock.items()}
    start |= {("", gauge): wagons for gauge, wagons in site.empties.items()}
    changes: dict[Stock, dict[int, int]] = {stock: defaultdict(int) for stock in start}
    for load in site.loads:
        if load.load_id in plan.passages:
            for stock, minute, change in stock_changes(site, load, plan.passages[load.load_id]):
                if stock in changes:
                    changes[stock][minute] += change
    found = {}
    for stock, level in start.items():
        levels = [level, *itertools.accumulate((changes[stock][m] for m in sorted(changes[stock])), initial=level)]
        found[stock] = level, min(levels)
    return found


def _stock_table(site: Site, plan: Plan) -> Table:
    rows = [
        (f"bogie sets, {bay}" if bay else "empty wagons", str(gauge), str(start), str(least))
        for (bay, gauge), (start, least) in _stocks(site, plan).items()
        if start or not bay
    ]
    return Table("Stocks", ("what", "gauge mm", "at the start", "at least"), rows)


def _yard_table(site: Site, plan: Plan) -> Table:
    """Highest stock in each six hours."""
    peaks: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(UNITS, 0))
    for form in UNITS:
        levels = _yard(site, plan, form)
        for (start, held), (end, _) in itertools.pairwise([*levels, (site.end, 0)]):
            for block in range(start // 360, max(start, end - 1) // 360 + 1):
                peaks[block][form] = max(peaks[block][form], held)
    rows = [
        (f"{clock(block * 360)} - {clock(block * 360 + 360)}", *(f"{held[form] / 1000:g}" for form in UNITS))
        for block, held in sorted(peaks.items())
        if any(held.values())
    ]
    room = ", ".join(f"{site.yard[form] / 1000:g} {unit}" for form, unit in UNITS.items())
    return Table("Yard: highest stock in six hours", ("from - to", "TEU", "t"), rows, f"the yard holds {room}")


def _missed(site: Site, plan: Plan) -> Table:
    rows = []
    for load in site.loads:
        if load.load_id not in plan.passages:
            why = why_impossible(site, load) or "cheaper to miss, or no crane hours, track or room left in time"
            rows.append((load.load_id, load.call_id, load.destination, f"{load.missed_cents / 100:,.0f}", why))
    return Table("Missed loads", ("load", "came with", "to", "cost USD", "why"), rows)


def _works(plan: Plan, resource: str) -> list[Work]:
    return [work for passage in plan.passages.values() for work in passage.works if work.resource == resource]


def _crane_minutes(site: Site, plan: Plan) -> dict[str, int]:
    return {c.crane_id: sum(w.end - w.start for w in _works(plan, c.crane_id)) for c in site.cranes}


def _minutes(windows: Iterable[tuple[int, int]], end: int) -> int:
    return sum(max(0, min(stop, end) - start) for start, stop in windows)


def _yard(site: Site, plan: Plan, form: str) -> list[tuple[int, int]]:
    """Stock from each minute at which it changes, in thousandths."""
    changes: dict[int, int] = defaultdict(int)
    for load in site.loads:
        passage = plan.passages.get(load.load_id)
        if passage and passage.way == "yard" and load.form == form:
            changes[passage.works[0].start] += load.size
            changes[passage.works[1].end] -= load.size
    levels, held = [], 0
    for minute in sorted(changes):
        held += changes[minute]
        levels.append((minute, held))
    return levels


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}" if minutes else "-"
