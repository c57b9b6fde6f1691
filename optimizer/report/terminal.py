"""A terminal's plan as a Gantt chart of tracks, cranes, bays and posts, and the stock of its yard.

Everything is read from the plan's tables, so that a plan with further works is drawn with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.models.transshipment.words import clock
from optimizer.report.cases import Case
from optimizer.report.network_map import Traffic, corridor_map
from optimizer.report.page import Cell, DataTable, Figure, Section

MOST_BARS = 6000
LEGEND = (
    ("g1520", "train 1520 mm"),
    ("g1435", "train 1435 mm"),
    ("g1676", "train 1676 mm"),
    ("c4", "direct move"),
    ("c7", "into the yard"),
    ("c10", "out of the yard"),
    ("c5", "bogie exchange"),
    ("c6", "check"),
)
UNITS = {"container": ("teu", "TEU"), "bulk": ("mass_t", "t")}


def terminal_sections(cases: Sequence[Case]) -> list[Section]:
    """Where the terminal is, who stands and works where and when, and the yard."""
    sections = [Section("Map", [_map(cases)])]
    for case in cases:
        suffix = f": {case.label}" if len(cases) > 1 else ""
        blocks = [gantt(case), *([stock] if (stock := yard(case)) is not None else [])]
        sections.append(Section(f"Tracks, cranes and bays{suffix}", blocks))
    return sections


def _solution(case: Case) -> Mapping[str, Any]:
    assert case.result.solution is not None
    return case.result.solution


def _terminal_id(case: Case) -> str:
    return str(case.result.options["terminal"])


def _map(cases: Sequence[Case]) -> Figure:
    traffic = []
    for case in cases:
        terminals, loads = case.corridor.table("terminals"), case.corridor.table("terminal_loads")
        row = terminals[terminals["terminal_id"] == _terminal_id(case)].iloc[0]
        gone = _solution(case)["loads"]
        taken = loads[loads["load_id"].isin(gone["load_id"][gone["mode"] != "missed"])]
        works = {row["node_id"]: {form: [float(t), 0.0] for form, t in taken.groupby("form")["mass_t"].sum().items()}}
        traffic.append(Traffic(case.label, case.corridor, works=works))
    groups = {"container": "containers", "bulk": "bulk"}
    return corridor_map(traffic, title="Where the terminal is", unit="t", groups=groups)


def gantt(case: Case) -> Figure:
    """Figure of kind ``gantt``: a row for every track, crane, bay and post."""
    corridor, solution = case.corridor, _solution(case)
    calls = {row["call_id"]: row for row in corridor.table("train_calls").to_dict("records")}
    names = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["name"], strict=True))
    rows = _resources(case)
    position = {name: at for at, (name, _) in enumerate(rows)}
    bars: list[list[Any]] = []
    table: list[list[Cell]] = []

    def add(resource: str, start: int, end: int, key: str, label: str, info: list[tuple[str, str]]) -> None:
        if resource not in position:
            position[resource] = len(rows)
            rows.append((resource, resource))
        span = ("time", f"{clock(start)} – {clock(end)}")
        bars.append([position[resource], start, end, key, label, [("at", rows[position[resource]][1]), span, *info]])
        table.append([rows[position[resource]][1], label, dict(LEGEND)[key], clock(start), clock(end), end - start])

    for train in solution["trains"].to_dict("records"):
        call = calls[train["call_id"]]
        late = max(0, int(train["leave_min"]) - round(60 * float(call["depart_h"])))
        info = [
            ("gauge", f"{int(call['gauge_mm'])} mm"),
            ("arrives", clock(round(60 * float(call["arrive_h"])))),
            ("planned out", clock(round(60 * float(call["depart_h"])))),
            ("late", f"{late / 60:.1f} h" if late else "no"),
            ("for", ", ".join(str(names.get(place, place)) for place in call["destinations"]) or "nothing on"),
        ]
        add(
            train["track_id"],
            int(train["start_min"]),
            int(train["leave_min"]),
            f"g{int(call['gauge_mm'])}",
            train["call_id"],
            info,
        )
    loads = {row["load_id"]: row for row in corridor.table("terminal_loads").to_dict("records")}
    for row in solution["loads"].to_dict("records"):
        load = loads[row["load_id"]]
        info = [
            ("load", f"{number_of(load)}"),
            ("to", str(names.get(load["destination"], load["destination"]))),
            ("onward train", str(row["outbound_id"])),
            ("due", clock(round(60 * float(load["due_h"])))),
            ("way", str(row["mode"])),
        ]
        for step, key in (("unload", {"direct": "c4", "yard": "c7", "bogie": "c5"}.get(row["mode"])), ("load", "c10")):
            if key and row.get(f"{step}_resource"):
                add(
                    row[f"{step}_resource"],
                    int(row[f"{step}_start_min"]),
                    int(row[f"{step}_end_min"]),
                    key,
                    row["load_id"],
                    info,
                )
    for name, more in solution.items():  # tables of further works, such as checks
        if name in ("trains", "loads") or not {"load_id", "start_min", "end_min"} <= set(more.columns):
            continue
        resource = next((c for c in ("post_id", "resource", "resource_id", "crane_id") if c in more.columns), None)
        for row in more.to_dict("records") if resource else ():
            add(
                str(row[resource]),
                int(row["start_min"]),
                int(row["end_min"]),
                "c6",
                str(row["load_id"]),
                [("what", str(row.get("check") or row.get("kind") or name))],
            )
    bars.sort(key=lambda bar: (bar[1], bar[0]))
    table.sort(key=lambda cells: (str(cells[0]), str(cells[3])))
    note = "Drag the slider below the chart to zoom in on hours. Times read day+hh:mm."
    if len(bars) > MOST_BARS:
        note += f" The first {MOST_BARS:,} of {len(bars):,} works are drawn."
        bars = bars[:MOST_BARS]
    used = {bar[3] for bar in bars}
    end = max((bar[2] for bar in bars), default=60)
    data = {
        "rows": [label for _, label in rows],
        "bars": bars,
        "legend": [[k, n] for k, n in LEGEND if k in used],
        "start": min((bar[1] for bar in bars), default=0) // 60 * 60,
        "end": -(-end // 60) * 60,
    }
    alt = (
        f"Gantt chart of {len(rows)} tracks, cranes and bays: {len(solution['trains'])} trains and "
        f"{sum(solution['loads']['mode'] != 'missed')} loads until {clock(end)}. The table below lists every bar."
    )
    columns = ["at", "train or load", "what", "from", "to", "minutes"]
    return Figure(
        "gantt",
        "Who stands and works where, and when",
        data,
        alt,
        DataTable("Trains on tracks and works of cranes and bays", columns, table),
        note,
        min(1400, 130 + 30 * max(2, len(rows))),
    )


def number_of(load: Mapping[Any, Any]) -> str:
    """Size of a load in words."""
    if load["form"] == "container":
        return f"{load['teu']:g} TEU in {load['wagons']} wagons"
    return f"{load['mass_t']:g} t in {load['wagons']} wagons"


def _resources(case: Case) -> list[tuple[str, str]]:
    """Id and words of tracks, cranes and bays of the terminal."""
    corridor, terminal = case.corridor, _terminal_id(case)

    def mine(name: str) -> list[dict[Any, Any]]:
        table = corridor.table(name)
        return table[table["terminal_id"] == terminal].to_dict("records")

    tracks = sorted(mine("terminal_tracks"), key=lambda row: (-int(row["gauge_mm"]), row["track_id"]))
    found = [(row["track_id"], f"track {row['track_id']} ({int(row['gauge_mm'])})") for row in tracks]
    found += [(row["crane_id"], f"crane {row['crane_id']} ({row['handles']})") for row in mine("terminal_cranes")]
    return found + [(row["bay_id"], f"bay {row['bay_id']}") for row in mine("terminal_bays")]


def yard(case: Case) -> Figure | None:
    """Stock of the yard over time; None when nothing goes through it."""
    rows = {row["load_id"]: row for row in case.corridor.table("terminal_loads").to_dict("records")}
    changes: dict[str, dict[int, float]] = {form: defaultdict(float) for form in UNITS}
    for row in _solution(case)["loads"].to_dict("records"):
        if row["mode"] == "yard":
            load = rows[row["load_id"]]
            amount = float(load[UNITS[load["form"]][0]])
            changes[load["form"]][int(row["unload_start_min"])] += amount
            changes[load["form"]][int(row["load_end_min"])] -= amount
    lines: list[tuple[str, list[tuple[int, float]]]] = []
    table: list[list[Cell]] = []
    for form, (_, unit) in UNITS.items():
        held, points = 0.0, [(0, 0.0)]
        for minute in sorted(changes[form]):
            held = round(held + changes[form][minute], 6)
            points.append((minute, held))
            table.append([form, clock(minute), held])
        if changes[form]:
            lines.append((f"{form}, {unit}", points))
    if not lines:
        return None
    every = [point for _, points in lines for point in points]
    series = [{"name": name, "points": points, "step": True, "area": True} for name, points in lines]
    end = -(-max(minute for minute, _ in every) // 60) * 60
    data = {"x": "time", "y": "TEU or t", "series": series, "clock": True, "zero": True, "end": end}
    alt = f"Stepped lines of the stock in the yard; it is highest at {max(held for _, held in every):g}."
    behind = DataTable("Stock of the yard", ["form", "from", "TEU or t"], table)
    return Figure("lines", "Stock of the yard", data, alt, behind, height_px=260)
