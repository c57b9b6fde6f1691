"""Every rule of a terminal plan again, from the tables and the plan alone, in exact arithmetic.

Written apart from the models on purpose: it reads hours, shifts and rates anew and shares nothing but the corridor with
them. Numbers of the instance count as the docs say: instants to the nearest minute, money to the nearest cent, TEU and
tonnes to the nearest thousandth, working times up to a full minute.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from optimizer.models.transshipment.problem import Transshipment
from optimizer.result import Solution, Violation

COST_TOLERANCE = Fraction(1, 10**6)
"""A claimed cost is a float; it may differ from the exact one by this share (of a dollar, where the cost is less)."""

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Work:
    """One work of the plan: who, for which load, when."""

    resource: str
    load: str
    start: int
    end: int


def verify(problem: Transshipment, solution: Solution, cost: float | None = None) -> tuple[Violation, ...]:
    """Every broken rule; a claimed ``cost`` must be the recomputed one."""
    faults = tuple(_misshapen(problem, solution))
    if faults:
        return faults
    check = _Check(problem, solution)
    rules = (
        check.trains,
        check.tracks,
        check.loads,
        check.works,
        check.resources,
        check.room,
        check.yard,
        check.bogies,
    )
    broken = [violation for rule in rules for violation in rule()]
    if cost is not None and not broken:
        exact = check.cost()
        tolerance = COST_TOLERANCE * max(Fraction(1), abs(exact))
        if not math.isfinite(cost) or abs(Fraction(cost) - exact) > tolerance:
            broken.append(
                Violation("claimed cost", "plan", float(cost) - float(exact), "USD above the recomputed cost")
            )
    return tuple(broken)


_MINUTES = {
    "trains": ("start_min", "leave_min"),
    "loads": ("unload_start_min", "unload_end_min", "load_start_min", "load_end_min"),
}
_TEXTS = {"trains": ("track_id",), "loads": ("mode", "outbound_id", "unload_resource", "load_resource")}


def _misshapen(problem: Transshipment, solution: Solution) -> Iterator[Violation]:
    """Every train and every load once and nothing else; times in whole minutes."""
    calls = _here(problem, "train_calls", "call_id")
    loads = problem.corridor.table("terminal_loads")
    coming = [i for i, call in zip(loads["load_id"], loads["call_id"], strict=True) if call in set(calls)]
    for table, key, wanted in (("trains", "call_id", calls), ("loads", "load_id", coming)):
        columns = {key, *_MINUTES[table], *_TEXTS[table]}
        if table not in solution or not columns <= set(solution[table].columns):
            yield Violation("table or column of the plan missing", table, 1, "table")
            continue
        found = Counter(solution[table][key])
        for name in wanted:
            if found[name] != 1:
                yield Violation(f"{key} once in the plan", name, found[name], "times")
        for name in sorted(found.keys() - set(wanted), key=str):
            yield Violation(f"unknown {key} in the plan", str(name), found[name], "rows")
        for column in _MINUTES[table]:
            for name, value in zip(solution[table][key], solution[table][column], strict=True):
                blank = pd.isna(value) or value == ""
                if (blank and table == "trains") or not (blank or (float(value).is_integer() and value >= 0)):
                    yield Violation(f"{column} in whole minutes", str(name), float("nan") if blank else value, "min")


def _here(problem: Transshipment, table: str, key: str) -> list[str]:
    frame = problem.corridor.table(table)
    return list(frame.loc[frame["terminal_id"] == problem.options["terminal"], key])


class _Check:
    """The plan beside the tables; one method per rule."""

    def __init__(self, problem: Transshipment, solution: Solution) -> None:
        self.serve_all = bool(problem.options["serve_all"])

        def rows(table: str, key: str) -> Rows:
            frame = problem.corridor.table(table)
            return {row[key]: row for row in frame.to_dict("records")}

        def at_terminal(table: str, key: str) -> Rows:
            return {k: v for k, v in rows(table, key).items() if v["terminal_id"] == problem.options["terminal"]}

        self.terminal = rows("terminals", "terminal_id")[problem.options["terminal"]]
        self.track = at_terminal("terminal_tracks", "track_id")
        self.crane = at_terminal("terminal_cranes", "crane_id")
        self.bay = at_terminal("terminal_bays", "bay_id")
        self.call = at_terminal("train_calls", "call_id")
        self.load = rows("terminal_loads", "load_id")
        self.train = {row["call_id"]: row for row in solution["trains"].to_dict("records")}
        self.plan = {row["load_id"]: row for row in solution["loads"].to_dict("records")}
        self.done: list[_Work] = []
        for load, row in self.plan.items():
            for step in ("unload", "load"):
                start, end = _whole(row[f"{step}_start_min"]), _whole(row[f"{step}_end_min"])
                if start is not None and end is not None:
                    self.done.append(_Work(row[f"{step}_resource"], load, start, end))

    def trains(self) -> Iterator[Violation]:
        """A train stands on a track of its gauge that is long enough, between arrival and latest departure."""
        for call_id, row in self.train.items():
            call, track = self.call[call_id], self.track.get(row["track_id"])
            start, leave = int(row["start_min"]), int(row["leave_min"])
            if track is None:
                yield Violation("unknown track", f"train {call_id}", 1, f"track '{row['track_id']}'")
            else:
                if track["gauge_mm"] != call["gauge_mm"]:
                    yield Violation(
                        "gauge of the track", f"train {call_id}", track["gauge_mm"] - call["gauge_mm"], "mm"
                    )
                if _milli(track["length_m"]) < _milli(call["length_m"]):
                    yield Violation(
                        "train longer than its track", f"train {call_id}", call["length_m"] - track["length_m"], "m"
                    )
            if start < _minute(call["arrive_h"]):
                yield Violation(
                    "on the track before arrival", f"train {call_id}", _minute(call["arrive_h"]) - start, "min"
                )
            if leave <= start:
                yield Violation("leaves before it stands", f"train {call_id}", start - leave, "min")
            if leave < _minute(call["depart_h"]):
                yield Violation("leaves before its time", f"train {call_id}", _minute(call["depart_h"]) - leave, "min")
            if leave > _minute(call["latest_depart_h"]):
                late = leave - _minute(call["latest_depart_h"])
                yield Violation("leaves after its latest departure", f"train {call_id}", late, "min")

    def tracks(self) -> Iterator[Violation]:
        """One train at a time on a track."""
        on: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for call_id, row in self.train.items():
            on[row["track_id"]].append((int(row["start_min"]), int(row["leave_min"]), call_id))
        for track, stands in on.items():
            yield from _overlaps("two trains on one track", f"track {track}", stands)

    def loads(self) -> Iterator[Violation]:
        """A load goes an allowed way with a train of another gauge that serves its destination, or may be missed."""
        for load_id, row in self.plan.items():
            load, place = self.load[load_id], f"load {load_id}"
            filled = [bool(row[f"{step}_resource"]) for step in ("unload", "load")]
            for step, resource in zip(("unload", "load"), filled, strict=True):
                times = [_whole(row[f"{step}_{edge}_min"]) is not None for edge in ("start", "end")]
                if set(times) != {resource}:
                    yield Violation("work with resource, start and end", place, sum(times), f"times of its {step} work")
            wanted = {"missed": [False, False], "yard": [True, True]}.get(row["mode"], [True, False])
            if filled != wanted:
                yield Violation(
                    "works of the way", place, sum(filled), f"works, {sum(wanted)} expected of {row['mode']}"
                )
            if row["mode"] == "missed":
                if self.serve_all:
                    yield Violation("load missed though all must go", place, 1, "load")
                if row["outbound_id"]:
                    yield Violation("missed load on a train", place, 1, f"train '{row['outbound_id']}'")
                continue
            if row["mode"] not in load["modes"]:
                yield Violation("way not allowed", place, 1, f"way '{row['mode']}'")
            onward = self.call.get(row["outbound_id"])
            if onward is None:
                yield Violation("unknown onward train", place, 1, f"train '{row['outbound_id']}'")
                continue
            if onward["gauge_mm"] == self.call[load["call_id"]]["gauge_mm"]:
                yield Violation("onward train of the same gauge", place, onward["gauge_mm"], "mm")
            if load["destination"] not in onward["destinations"]:
                yield Violation("onward train goes elsewhere", place, 1, f"destination '{load['destination']}'")

    def works(self) -> Iterator[Violation]:
        """Works last as long as they must, while the trains stand within the crane's reach."""
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "missed" or row["outbound_id"] not in self.call:
                continue
            inbound, onward = load["call_id"], row["outbound_id"]
            works = [w for w in self.done if w.load == load_id]
            if row["mode"] == "bogie":
                for work in works:
                    yield from self._exchange(work, inbound, onward)
                continue
            stands: list[tuple[str, ...]] = [(inbound,), (onward,)] if row["mode"] == "yard" else [(inbound, onward)]
            for work, trains in zip(works, stands, strict=False):
                yield from self._lift(work, trains)
            if row["mode"] == "yard" and len(works) == 2 and works[1].start < works[0].end:
                yield Violation("out of the yard before in it", f"load {load_id}", works[0].end - works[1].start, "min")

    def _lift(self, work: _Work, trains: tuple[str, ...]) -> Iterator[Violation]:
        load, crane, place = self.load[work.load], self.crane.get(work.resource), f"load {work.load}"
        if crane is None:
            yield Violation("unknown crane", place, 1, f"crane '{work.resource}'")
            return
        if crane["handles"] != load["form"]:
            yield Violation("crane for another kind of cargo", place, 1, f"crane {work.resource}")
        lasts = math.ceil(60 * _exact(load["moves"]) / _exact(crane["moves_per_h"]))
        if work.end - work.start != lasts:
            yield Violation("length of the work", place, work.end - work.start - lasts, "min too long")
        for call_id in trains:
            stand = self.train[call_id]
            if stand["track_id"] not in crane["tracks"]:
                yield Violation("crane does not reach the track", place, 1, f"track '{stand['track_id']}'")
            outside = max(int(stand["start_min"]) - work.start, work.end - int(stand["leave_min"]))
            if outside > 0:
                yield Violation("work while the train does not stand", f"{place}, train {call_id}", outside, "min")

    def _exchange(self, work: _Work, inbound: str, onward: str) -> Iterator[Violation]:
        load, bay, place = self.load[work.load], self.bay.get(work.resource), f"load {work.load}"
        if bay is None:
            yield Violation("unknown bogie bay", place, 1, f"bay '{work.resource}'")
            return
        cycles = math.ceil(Fraction(int(load["wagons"]), int(bay["wagons_per_cycle"])))
        lasts = math.ceil(cycles * _exact(bay["hours_per_cycle"]) * 60)
        if work.end - work.start != lasts:
            yield Violation("length of the work", place, work.end - work.start - lasts, "min too long")
        early = int(self.train[inbound]["start_min"]) - work.start
        if early > 0:
            yield Violation("bogie exchange before the train stands", place, early, "min")
        late = work.end - int(self.train[onward]["leave_min"])
        if late > 0:
            yield Violation("bogie exchange after the onward train left", place, late, "min")

    def resources(self) -> Iterator[Violation]:
        """One work at a time, inside a working window."""
        by_resource: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for work in self.done:
            by_resource[work.resource].append((work.start, work.end, work.load))
            row = self.crane.get(work.resource) or self.bay.get(work.resource)
            if row is not None:
                off = sum(
                    not _open(row["shifts_h"], minute)
                    for minute in range(work.start, min(work.end, work.start + 10**5))
                )
                if off or work.start < 0:
                    yield Violation("work outside a shift", f"load {work.load} at {work.resource}", off, "min")
        for resource, works in by_resource.items():
            yield from _overlaps("two works at once", resource, works)

    def room(self) -> Iterator[Violation]:
        """What a train takes on stays within its capacities."""
        taken: dict[tuple[str, str], int] = defaultdict(int)
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "bogie":
                taken[row["outbound_id"], "capacity_wagons"] += 1000 * int(load["wagons"])
            elif row["mode"] != "missed":
                column = "capacity_teu" if load["form"] == "container" else "capacity_t"
                taken[row["outbound_id"], column] += _size(load)
        for (call_id, column), amount in taken.items():
            over = amount - _milli(self.call[call_id][column]) if call_id in self.call else 0
            if over > 0:
                yield Violation(
                    "train over capacity", f"train {call_id}", over / 1000, column.removeprefix("capacity_")
                )

    def yard(self) -> Iterator[Violation]:
        """What lies in the yard, from the start of the unloading to the end of the loading, has room there."""
        for form, column in (("container", "yard_capacity_teu"), ("bulk", "yard_capacity_t")):
            lying = []
            for load_id, row in self.plan.items():
                works = [w for w in self.done if w.load == load_id]
                if row["mode"] == "yard" and self.load[load_id]["form"] == form and works:
                    span = min(w.start for w in works), max(w.end for w in works)
                    lying.append((*span, _size(self.load[load_id])))
            held = [(start, sum(s for a, b, s in lying if a <= start < b)) for start, _, _ in lying]
            at, most = max(held, key=lambda pair: (pair[1], -pair[0]), default=(0, 0))
            if most > _milli(self.terminal[column]):
                over = (most - _milli(self.terminal[column])) / 1000
                yield Violation("yard over capacity", f"minute {at}", over, column.removeprefix("yard_capacity_"))

    def bogies(self) -> Iterator[Violation]:
        """Sets in a bay's stock never fall below zero; sets given back in a minute can be taken in it."""
        for bay_id, bay in self.bay.items():
            changes: dict[int, Counter[int]] = defaultdict(Counter)
            for work in self.done:
                row = self.plan[work.load]
                if row["mode"] == "bogie" and work.resource == bay_id and row["outbound_id"] in self.call:
                    load = self.load[work.load]
                    changes[int(self.call[row["outbound_id"]]["gauge_mm"])][work.start] -= int(load["wagons"])
                    changes[int(self.call[load["call_id"]]["gauge_mm"])][work.end] += int(load["wagons"])
            for gauge, by_minute in changes.items():
                stock = int(bay[f"bogie_sets_{gauge}"])
                for minute in sorted(by_minute):
                    stock += by_minute[minute]
                    if stock < 0:
                        yield Violation(
                            "bogie sets below zero", f"bay {bay_id}, {gauge} mm, minute {minute}", -stock, "sets"
                        )

    def cost(self) -> Fraction:
        """The plan's cost in USD, exactly."""
        total = Fraction(0)
        leave = {call_id: int(row["leave_min"]) for call_id, row in self.train.items()}
        for call_id, call in self.call.items():
            hours = Fraction(max(0, leave[call_id] - _minute(call["depart_h"])), 60)
            total += hours * _money(call["wait_usd_per_h"])
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "missed":
                total += _money(load["missed_usd"])
                continue
            if row["mode"] == "direct":
                total += int(load["moves"]) * _money(self.terminal["direct_usd_per_move"])
            elif row["mode"] == "yard":
                total += 2 * int(load["moves"]) * _money(self.terminal["yard_usd_per_move"])
            else:
                total += int(load["wagons"]) * _money(self.terminal["bogie_usd_per_wagon"])
            late = max(0, leave[row["outbound_id"]] - _minute(load["due_h"]))
            total += Fraction(late, 60) * _money(load["late_usd_per_h"])
        return total


def _overlaps(rule: str, place: str, spans: list[tuple[int, int, str]]) -> Iterator[Violation]:
    ordered = sorted(spans)
    for (_, end, first), (start, _, second) in itertools.pairwise(ordered):
        if start < end:
            yield Violation(rule, f"{place}, {first} and {second}", end - start, "min")


def _open(shifts: tuple[str, ...], minute: int) -> bool:
    """Whether some shift covers the minute from ``minute``; a shift that ends before it starts runs overnight."""
    of_day = minute % 1440
    for shift in shifts:
        first, last = (_minute(part) for part in shift.split("-"))
        covered = first <= of_day < last if first < last else of_day >= first or of_day < last
        if covered:
            return True
    return False


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) or value == "" else int(value)


def _exact(value: Any) -> Fraction:
    return Fraction(repr(float(value)))


def _rounded(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _minute(hours: Any) -> int:
    return _rounded(_exact(hours) * 60)


def _milli(value: Any) -> int:
    return _rounded(_exact(value) * 1000)


def _money(usd: Any) -> Fraction:
    return Fraction(_rounded(_exact(usd) * 100), 100)


def _size(load: Mapping[str, Any]) -> int:
    return _milli(load["teu"] if load["form"] == "container" else load["mass_t"])
