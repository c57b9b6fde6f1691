"""The terminal in integers: read from the tables, checked, and asked simple questions by every model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from optimizer.data.corridor import Corridor
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean

DAY = 1440
SPARE = 3 * DAY
"""Working windows are known this long after the last train has left, to say by how much a day is too short."""
WAYS = ("direct", "yard", "bogie")
GAUGES = (1520, 1435, 1676)

Windows = tuple[tuple[int, int], ...]
"""Spans of minutes, ascending, apart from each other; the end does not belong to a span."""


@dataclass(frozen=True)
class Track:
    track_id: str
    gauge_mm: int
    length: int
    """metres times 1000"""


@dataclass(frozen=True)
class Crane:
    crane_id: str
    tracks: frozenset[str]
    handles: str
    moves_per_h: Fraction
    open: Windows


@dataclass(frozen=True)
class Bay:
    bay_id: str
    wagons_per_cycle: int
    hours_per_cycle: Fraction
    open: Windows
    stock: Mapping[int, int]


@dataclass(frozen=True)
class Call:
    call_id: str
    gauge_mm: int
    arrive: int
    depart: int
    latest: int
    length: int
    room: Mapping[str, int]
    """what it can take on: thousandths of a TEU (container) or tonne (bulk), whole wagons (wagons)"""
    destinations: frozenset[str]
    wait_cents_per_h: int


@dataclass(frozen=True)
class Load:
    load_id: str
    call_id: str
    form: str
    ways: tuple[str, ...]
    moves: int
    size: int
    """thousandths of a TEU (container) or tonne (bulk)"""
    wagons: int
    destination: str
    due: int
    late_cents_per_h: int
    missed_cents: int


@dataclass(frozen=True)
class Site:
    """A terminal with what comes to it in the horizon."""

    terminal_id: str
    name: str
    tracks: tuple[Track, ...]
    cranes: tuple[Crane, ...]
    bays: tuple[Bay, ...]
    calls: tuple[Call, ...]
    loads: tuple[Load, ...]
    yard: Mapping[str, int]
    """what the yard holds: thousandths of a TEU (container) or tonne (bulk)"""
    direct_cents_per_move: int
    yard_cents_per_move: int
    bogie_cents_per_wagon: int

    @cached_property
    def end(self) -> int:
        """Minute by which every train is gone."""
        return max(call.latest for call in self.calls)

    @cached_property
    def call(self) -> Mapping[str, Call]:
        return {call.call_id: call for call in self.calls}

    @cached_property
    def track(self) -> Mapping[str, Track]:
        return {track.track_id: track for track in self.tracks}

    def tracks_for(self, call: Call) -> tuple[Track, ...]:
        return tuple(t for t in self.tracks if t.gauge_mm == call.gauge_mm and t.length >= call.length)

    def onward(self, load: Load) -> tuple[Call, ...]:
        """Trains of another gauge that serve the load's destination and have not left before it comes."""
        inbound = self.call[load.call_id]
        return tuple(
            call
            for call in self.calls
            if call.gauge_mm != inbound.gauge_mm
            and load.destination in call.destinations
            and call.latest > inbound.arrive
        )

    def cranes_for(self, load: Load, call: Call) -> tuple[Crane, ...]:
        """Cranes that handle the load's form and reach a track the train may stand on."""
        reachable = {track.track_id for track in self.tracks_for(call)}
        return tuple(crane for crane in self.cranes if crane.handles == load.form and crane.tracks & reachable)


def crane_minutes(load: Load, crane: Crane) -> int:
    """Minutes of one pass of ``load`` with ``crane``."""
    return math.ceil(60 * load.moves / crane.moves_per_h)


def bay_minutes(load: Load, bay: Bay) -> int:
    """Minutes ``load``'s wagons take in ``bay``."""
    return math.ceil(-(-load.wagons // bay.wagons_per_cycle) * bay.hours_per_cycle * 60)


def first_end(open_: Windows, ready: int, minutes: int) -> int | None:
    """Earliest end of a work of ``minutes`` from ``ready`` on inside one window; None when there is none."""
    for start, end in open_:
        if max(start, ready) + minutes <= end:
            return max(start, ready) + minutes
    return None


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
        Track(r["track_id"], int(r["gauge_mm"]), _thousandths(r["length_m"]))
        for _, r in _of(corridor, "terminal_tracks", terminal_id)
    )
    site = Site(
        terminal_id=terminal_id,
        name=row["name"] or terminal_id,
        tracks=tracks,
        cranes=_cranes(corridor, terminal_id, tracks, end, faults),
        bays=_bays(corridor, terminal_id, end, faults),
        calls=calls,
        loads=_loads(corridor, {call.call_id for call in calls}, faults),
        yard={"container": _thousandths(row["yard_capacity_teu"]), "bulk": _thousandths(row["yard_capacity_t"])},
        direct_cents_per_move=_cents(row["direct_usd_per_move"]),
        yard_cents_per_move=_cents(row["yard_usd_per_move"]),
        bogie_cents_per_wagon=_cents(row["bogie_usd_per_wagon"]),
    )
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


def _exact(value: Any) -> Fraction:
    return Fraction(str(float(value)))


def _nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _minutes(hours: Any) -> int:
    return _nearest(_exact(hours) * 60)


def _cents(usd: Any) -> int:
    return _nearest(_exact(usd) * 100)


def _thousandths(value: Any) -> int:
    return _nearest(_exact(value) * 1000)


def _call(row: Mapping[str, Any]) -> Call:
    return Call(
        call_id=row["call_id"],
        gauge_mm=int(row["gauge_mm"]),
        arrive=_minutes(row["arrive_h"]),
        depart=_minutes(row["depart_h"]),
        latest=_minutes(row["latest_depart_h"]),
        length=_thousandths(row["length_m"]),
        room={
            "container": _thousandths(row["capacity_teu"]),
            "bulk": _thousandths(row["capacity_t"]),
            "wagons": int(row["capacity_wagons"]),
        },
        destinations=frozenset(row["destinations"]),
        wait_cents_per_h=_cents(row["wait_usd_per_h"]),
    )


def _windows(shifts: Sequence[str], end: int) -> Windows:
    """Working spans up to ``end``; shifts that touch are one span, ``22-6`` runs over midnight."""
    spans = []
    for day in range(-1, end // DAY + 1):
        for shift in shifts:
            first, last = (_minutes(part) for part in shift.split("-"))
            last += DAY if last <= first else 0
            spans.append((max(0, day * DAY + first), min(end, day * DAY + last)))
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _check_shifts(table: str, line: int, shifts: Sequence[str]) -> Iterable[Fault]:
    for shift in shifts:
        if any(_exact(part) > 24 for part in shift.split("-")):
            yield Fault(f"{table}.csv", f"shifts_h is '{shift}', expected hours of the day from 0 to 24", line)
    if not shifts:
        yield Fault(f"{table}.csv", "shifts_h is empty, expected working hours, for example 6-14;16-24", line)


def _cranes(
    corridor: Corridor, terminal_id: str, tracks: Sequence[Track], end: int, faults: list[Fault]
) -> tuple[Crane, ...]:
    here = {track.track_id for track in tracks}
    every = corridor.instance.tables["terminal_tracks"]
    place = dict(zip(every["track_id"], every["terminal_id"], strict=True))
    cranes = []
    for line, row in _of(corridor, "terminal_cranes", terminal_id):
        for track in row["tracks"]:
            if place.get(track, terminal_id) != terminal_id:
                text = f"tracks names '{track}', a track of terminal '{place[track]}', not of '{terminal_id}'"
                faults.append(Fault("terminal_cranes.csv", text, line))
        reach = frozenset(row["tracks"]) & here
        if not reach:
            text = f"crane '{row['crane_id']}' reaches no track of terminal '{terminal_id}' in this scenario"
            faults.append(Fault("terminal_cranes.csv", text + did_you_mean(";".join(row["tracks"]), here), line))
        faults.extend(_check_shifts("terminal_cranes", line, row["shifts_h"]))
        rate = _exact(row["moves_per_h"])
        cranes.append(Crane(row["crane_id"], reach, row["handles"], rate, _windows(row["shifts_h"], end)))
    return tuple(cranes)


def _bays(corridor: Corridor, terminal_id: str, end: int, faults: list[Fault]) -> tuple[Bay, ...]:
    bays = []
    for line, row in _of(corridor, "terminal_bays", terminal_id):
        faults.extend(_check_shifts("terminal_bays", line, row["shifts_h"]))
        stock = {gauge: int(row[f"bogie_sets_{gauge}"]) for gauge in GAUGES}
        hours, cycle = _exact(row["hours_per_cycle"]), int(row["wagons_per_cycle"])
        bays.append(Bay(row["bay_id"], cycle, hours, _windows(row["shifts_h"], end), stock))
    return tuple(bays)


def _loads(corridor: Corridor, calls_here: set[str], faults: list[Fault]) -> tuple[Load, ...]:
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
        size = _thousandths(row[column])
        if size <= 0 and set(row["modes"]) & {"direct", "yard"}:
            text = f"{column} is {row[column]:g}, expected more than 0 for a {row['form']} load"
            faults.append(Fault("terminal_loads.csv", text, line))
        loads.append(
            Load(
                load_id=row["load_id"],
                call_id=row["call_id"],
                form=row["form"],
                ways=tuple(way for way in WAYS if way in row["modes"]),
                moves=int(row["moves"]),
                size=size,
                wagons=int(row["wagons"]),
                destination=row["destination"],
                due=_minutes(row["due_h"]),
                late_cents_per_h=_cents(row["late_usd_per_h"]),
                missed_cents=_cents(row["missed_usd"]),
            )
        )
    return tuple(loads)


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
