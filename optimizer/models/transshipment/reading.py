"""From the tables to the terminal in integers; every fault at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from optimizer.data.corridor import Corridor
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean
from optimizer.models.transshipment.hours import (
    cents,
    check_hours,
    exact,
    minutes,
    open_windows,
    thousandths,
    whole_minutes,
)
from optimizer.models.transshipment.site import GAUGES, SPARE, Bay, Call, Crane, Load, Post, Site, Track

WAYS = ("direct", "yard", "bogie")


def read_site(corridor: Corridor, terminal: str | None) -> Site:
    """Read and check one terminal; every fault at once."""
    terminal_id = _choose(corridor, terminal)
    rows = corridor.table("terminals")
    row = rows.loc[rows["terminal_id"] == terminal_id].iloc[0]
    faults: list[Fault] = []
    calls = tuple(_call(r) for _, r in _of(corridor, "train_calls", terminal_id))
    if not calls:
        faults.append(Fault("train_calls.csv", f"no train calls at terminal '{terminal_id}' in this scenario"))
    end = max((call.latest for call in calls), default=0) + SPARE
    tracks = tuple(
        Track(r["track_id"], int(r["gauge_mm"]), thousandths(r["length_m"]))
        for _, r in _of(corridor, "terminal_tracks", terminal_id)
    )
    site = Site(
        terminal_id=terminal_id,
        name=row["name"] or terminal_id,
        tracks=tracks,
        cranes=_cranes(corridor, terminal_id, tracks, end, faults),
        bays=_bays(corridor, terminal_id, end, faults),
        posts=_posts(corridor, terminal_id, end, faults),
        calls=calls,
        loads=_loads(corridor, {call.call_id for call in calls}, int(row["yard_tiers"]), faults),
        yard={"container": thousandths(row["yard_capacity_teu"]), "bulk": thousandths(row["yard_capacity_t"])},
        direct_cents_per_move=cents(row["direct_usd_per_move"]),
        yard_cents_per_move=cents(row["yard_usd_per_move"]),
        bogie_cents_per_wagon=cents(row["bogie_usd_per_wagon"]),
        rehandle_cents_per_move=cents(row["rehandle_usd_per_move"]),
        empties={g: int(row[f"empty_wagons_{g}"]) for g in GAUGES if not math.isnan(row[f"empty_wagons_{g}"])},
    )
    _check_workers(corridor, site, faults)
    _check_checks(corridor, site, faults)
    _check_calls(corridor, site, faults)
    _check_direct(corridor, site, faults)
    if faults:
        raise InstanceError(corridor.instance.path, sorted(faults, key=lambda f: (f.file, f.line or 0)))
    return site


def _choose(corridor: Corridor, terminal: str | None) -> str:
    known = list(corridor.table("terminals")["terminal_id"])
    wanted = terminal or corridor.config.transshipment.terminal_id
    if wanted in known:
        return wanted
    if wanted:
        if wanted in set(corridor.instance.tables["terminals"]["terminal_id"]):
            raise UsageError(
                f"terminal '{wanted}' is not part of this scenario; in force are {', '.join(known) or 'none'}"
            )
        raise UsageError(
            f"terminal '{wanted}' is not in terminals.csv, expected one of {', '.join(known) or 'none in force'}"
            + did_you_mean(wanted, known)
        )
    if len(known) != 1:
        raise UsageError(f"name a terminal: the scenario has {len(known)} ({', '.join(known) or 'none'})")
    return str(known[0])


def _of(corridor: Corridor, table: str, terminal_id: str) -> list[tuple[int, Mapping[str, Any]]]:
    frame = corridor.table(table)
    return _records(frame[frame["terminal_id"] == terminal_id])


def _records(frame: Any) -> list[tuple[int, Mapping[str, Any]]]:
    return list(zip((int(line) for line in frame.index), frame.to_dict("records"), strict=True))


def _call(row: Mapping[str, Any]) -> Call:
    return Call(
        call_id=row["call_id"],
        gauge_mm=int(row["gauge_mm"]),
        arrive=minutes(row["arrive_h"]),
        depart=minutes(row["depart_h"]),
        latest=minutes(row["latest_depart_h"]),
        length=thousandths(row["length_m"]),
        room={
            "container": thousandths(row["capacity_teu"]),
            "bulk": thousandths(row["capacity_t"]),
            "wagons": int(row["capacity_wagons"]),
        },
        destinations=frozenset(row["destinations"]),
        wait_cents_per_h=cents(row["wait_usd_per_h"]),
    )


def _cranes(
    corridor: Corridor, terminal_id: str, tracks: Sequence[Track], end: int, faults: list[Fault]
) -> tuple[Crane, ...]:
    here = {track.track_id for track in tracks}
    every = corridor.instance.tables["terminal_tracks"]
    place = dict(zip(every["track_id"], every["terminal_id"], strict=True))
    cranes: list[Crane] = []
    rows = _of(corridor, "terminal_cranes", terminal_id)
    ranks = _ranks(rows, faults)
    for line, row in rows:
        for track in row["tracks"]:
            if place.get(track, terminal_id) != terminal_id:
                text = f"tracks names '{track}', a track of terminal '{place[track]}', not of '{terminal_id}'"
                faults.append(Fault("terminal_cranes.csv", text, line))
        reach = frozenset(row["tracks"]) & here
        if not reach:
            text = f"crane '{row['crane_id']}' reaches no track of terminal '{terminal_id}' in this scenario"
            faults.append(Fault("terminal_cranes.csv", text + did_you_mean(";".join(row["tracks"]), here), line))
        faults.extend(check_hours("terminal_cranes", line, row))
        cranes.append(
            Crane(
                row["crane_id"],
                reach,
                row["handles"],
                exact(row["moves_per_h"]),
                open_windows(row, end),
                whole_minutes(row["setup_min"]),
                row["runway"],
                ranks.get(row["crane_id"], 0),
            )
        )
    return tuple(cranes)


def _ranks(rows: Sequence[tuple[int, Mapping[str, Any]]], faults: list[Fault]) -> dict[str, int]:
    """Cranes in their order on each runway."""
    places: dict[str, dict[float, str]] = {}
    for line, row in rows:
        runway, place = row["runway"], row["runway_place"]
        if not runway:
            continue
        on = places.setdefault(runway, {})
        if math.isnan(place):
            text = f"runway is '{runway}', but runway_place is empty; expected its place among the cranes there, from 0"
            faults.append(Fault("terminal_cranes.csv", text, line))
        elif place in on:
            text = f"runway_place is {place:g} on runway '{runway}', the place of crane '{on[place]}'"
            faults.append(Fault("terminal_cranes.csv", text, line))
        else:
            on[place] = row["crane_id"]
    return {crane: rank for on in places.values() for rank, (_, crane) in enumerate(sorted(on.items()))}


def _bays(corridor: Corridor, terminal_id: str, end: int, faults: list[Fault]) -> tuple[Bay, ...]:
    bays = []
    for line, row in _of(corridor, "terminal_bays", terminal_id):
        faults.extend(check_hours("terminal_bays", line, row))
        stock = {gauge: int(row[f"bogie_sets_{gauge}"]) for gauge in GAUGES}
        hours, cycle = exact(row["hours_per_cycle"]), int(row["wagons_per_cycle"])
        setup = whole_minutes(row["setup_min"])
        bays.append(Bay(row["bay_id"], cycle, hours, open_windows(row, end), stock, setup))
    return tuple(bays)


def _posts(corridor: Corridor, terminal_id: str, end: int, faults: list[Fault]) -> tuple[Post, ...]:
    posts = []
    for line, row in _of(corridor, "terminal_posts", terminal_id):
        faults.extend(check_hours("terminal_posts", line, row))
        lasts, more = exact(row["minutes_per_load"]), exact(row["minutes_per_wagon"])
        setup = whole_minutes(row["setup_min"])
        posts.append(Post(row["post_id"], row["check"], lasts, more, open_windows(row, end), setup))
    return tuple(posts)


def _loads(corridor: Corridor, calls_here: set[str], tiers: int, faults: list[Fault]) -> tuple[Load, ...]:
    """Loads on the trains that call; a load whose train does not run in this scenario does not come."""
    known = set(corridor.instance.tables["train_calls"]["call_id"])
    loads = []
    for line, row in _records(corridor.table("terminal_loads")):
        if row["call_id"] not in known:
            text = f"call_id is '{row['call_id']}', not in train_calls.csv{did_you_mean(row['call_id'], known)}"
            faults.append(Fault("terminal_loads.csv", text, line))
        if row["call_id"] not in calls_here:
            continue
        bad = [mode for mode in row["modes"] if mode not in WAYS]
        for mode in bad or ([] if row["modes"] else [""]):
            text = f"modes is '{mode}', expected direct, yard or bogie{did_you_mean(mode, WAYS)}"
            faults.append(Fault("terminal_loads.csv", text, line))
        column = "teu" if row["form"] == "container" else "mass_t"
        size = thousandths(row[column])
        if size <= 0 and set(row["modes"]) & {"direct", "yard"}:
            text = f"{column} is {row[column]:g}, expected more than 0 for a {row['form']} load"
            faults.append(Fault("terminal_loads.csv", text, line))
        if row["checks_between"] and "yard" not in row["modes"]:
            text = (
                f"modes is '{';'.join(row['modes'])}', but checks_between '{';'.join(row['checks_between'])}'"
                " takes place in the yard: expected yard among the modes"
            )
            faults.append(Fault("terminal_loads.csv", text, line))
        loads.append(
            Load(
                load_id=row["load_id"],
                call_id=row["call_id"],
                form=row["form"],
                ways=tuple(w for w in WAYS if w in row["modes"] and (w == "yard" or not row["checks_between"])),
                moves=int(row["moves"]),
                size=size,
                wagons=int(row["wagons"]),
                destination=row["destination"],
                due=minutes(row["due_h"]),
                late_cents_per_h=cents(row["late_usd_per_h"]),
                missed_cents=cents(row["missed_usd"]),
                rehandles=int(row["moves"]) * Fraction(tiers - 1, 2) if row["form"] == "container" else Fraction(0),
                zone=None if math.isnan(row["zone"]) else int(row["zone"]),
                before=row["checks_before"],
                between=row["checks_between"],
                after=row["checks_after"],
            )
        )
    return tuple(loads)


def _check_workers(corridor: Corridor, site: Site, faults: list[Fault]) -> None:
    """Plans name who works by id alone, so no two may share one."""
    seen: dict[str, str] = {}
    for table, key in (("terminal_cranes", "crane_id"), ("terminal_bays", "bay_id"), ("terminal_posts", "post_id")):
        for line, row in _of(corridor, table, site.terminal_id):
            if row[key] in seen:
                text = f"{key} '{row[key]}' is also an id in {seen[row[key]]}.csv; expected one of its own"
                faults.append(Fault(f"{table}.csv", text, line))
            seen[row[key]] = table


def _check_checks(corridor: Corridor, site: Site, faults: list[Fault]) -> None:
    """Every check a load needs is done by some post."""
    known = {post.check for post in site.posts}
    lines = {row["load_id"]: (line, row) for line, row in _records(corridor.table("terminal_loads"))}
    for load in site.loads:
        line, row = lines[load.load_id]
        for column in ("checks_before", "checks_between", "checks_after"):
            for check in dict.fromkeys(row[column]):
                if check not in known:
                    text = f"{column} holds '{check}', but no post of terminal '{site.terminal_id}' does it"
                    faults.append(Fault("terminal_loads.csv", text + did_you_mean(check, known), line))


def _check_calls(corridor: Corridor, site: Site, faults: list[Fault]) -> None:
    longest: dict[int, int] = {}
    for track in site.tracks:
        longest[track.gauge_mm] = max(longest.get(track.gauge_mm, 0), track.length)

    for (line, row), call in zip(_of(corridor, "train_calls", site.terminal_id), site.calls, strict=True):

        def fault(text: str, line: int = line) -> None:
            faults.append(Fault("train_calls.csv", text, line))

        if call.depart < call.arrive:
            fault(f"depart_h is {row['depart_h']:g}, expected arrive_h {row['arrive_h']:g} or later")
        if call.latest < call.depart:
            fault(f"latest_depart_h is {row['latest_depart_h']:g}, expected depart_h {row['depart_h']:g} or later")
        elif call.latest == call.arrive:
            fault(f"latest_depart_h is {row['latest_depart_h']:g}, expected a minute or more after arrive_h")
        if call.gauge_mm not in longest:
            fault(f"gauge_mm is {call.gauge_mm}, but terminal '{site.terminal_id}' has no track of that gauge")
        elif call.length > longest[call.gauge_mm]:
            most = longest[call.gauge_mm] / 1000
            fault(f"length_m is {row['length_m']:g}, but the longest track of {call.gauge_mm} mm has {most:g} m")


def _check_direct(corridor: Corridor, site: Site, faults: list[Fault]) -> None:
    """A load that may only go directly needs a crane over tracks of its own and of another gauge."""
    lines = {row["load_id"]: line for line, row in _records(corridor.table("terminal_loads"))}
    for load in site.loads:
        gauge = site.call[load.call_id].gauge_mm
        reach = [{site.track[t].gauge_mm for t in c.tracks} for c in site.cranes if c.handles == load.form]
        if load.ways == ("direct",) and not any(gauge in gauges and len(gauges) > 1 for gauges in reach):
            text = (
                f"modes is 'direct', but no {load.form} crane reaches both a {gauge} mm track and one of another gauge"
            )
            faults.append(Fault("terminal_loads.csv", text, lines[load.load_id]))
