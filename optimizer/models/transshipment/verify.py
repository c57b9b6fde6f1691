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
from fractions import Fraction
from typing import Any

import pandas as pd

from optimizer.models.transshipment import verify_chain
from optimizer.models.transshipment.problem import Transshipment
from optimizer.models.transshipment.verify_case import (
    Case,
    Done,
    is_open,
    size_of,
    to_exact,
    to_milli,
    to_minute,
    to_money,
    whole,
)
from optimizer.result import Solution, Violation

COST_TOLERANCE = Fraction(1, 10**6)
"""A claimed cost is a float; it may differ from the exact one by this share (of a dollar, where the cost is less)."""


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
        check.chains_of_works,
        check.resources,
        check.room,
        check.yard,
    )
    further = (verify_chain.bogies, verify_chain.checks, verify_chain.set_ups, verify_chain.runways)
    broken = [violation for rule in rules for violation in rule()]
    broken += [violation for rule in (*further, verify_chain.empty_wagons) for violation in rule(check)]
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
    yield from _misshapen_checks(solution, set(coming))


def _misshapen_checks(solution: Solution, loads: set[str]) -> Iterator[Violation]:
    """Places and times in whole numbers; a plan without the table has no checks."""
    if "checks" not in solution:
        return
    columns = ("place", "start_min", "end_min")
    if not {"load_id", "check", "post_id", *columns} <= set(solution["checks"].columns):
        yield Violation("table or column of the plan missing", "checks", 1, "table")
        return
    for row in solution["checks"].to_dict("records"):
        if row["load_id"] not in loads:
            yield Violation("unknown load_id in the plan", str(row["load_id"]), 1, "check")
        for column in columns:
            value = row[column]
            if pd.isna(value) or value == "" or not (float(value).is_integer() and value >= 0):
                yield Violation(f"{column} in whole numbers", f"load {row['load_id']}", 1, "check")


def _here(problem: Transshipment, table: str, key: str) -> list[str]:
    frame = problem.corridor.table(table)
    return list(frame.loc[frame["terminal_id"] == problem.options["terminal"], key])


class _Check(Case):
    """The plan beside the tables; one method per rule."""

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
                if to_milli(track["length_m"]) < to_milli(call["length_m"]):
                    yield Violation(
                        "train longer than its track", f"train {call_id}", call["length_m"] - track["length_m"], "m"
                    )
            if start < to_minute(call["arrive_h"]):
                yield Violation(
                    "on the track before arrival", f"train {call_id}", to_minute(call["arrive_h"]) - start, "min"
                )
            if leave <= start:
                yield Violation("leaves before it stands", f"train {call_id}", start - leave, "min")
            if leave < to_minute(call["depart_h"]):
                yield Violation(
                    "leaves before its time", f"train {call_id}", to_minute(call["depart_h"]) - leave, "min"
                )
            if leave > to_minute(call["latest_depart_h"]):
                late = leave - to_minute(call["latest_depart_h"])
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
                times = [whole(row[f"{step}_{edge}_min"]) is not None for edge in ("start", "end")]
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

    def chains_of_works(self) -> Iterator[Violation]:
        """Works last as long as they must, while the trains stand within the crane's reach."""
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "missed" or row["outbound_id"] not in self.call:
                continue
            inbound, onward = load["call_id"], row["outbound_id"]
            works = self.works[load_id]
            if row["mode"] == "bogie":
                for work in works:
                    yield from self._exchange(work, inbound, onward)
                continue
            stands: list[tuple[str, ...]] = [(inbound,), (onward,)] if row["mode"] == "yard" else [(inbound, onward)]
            for work, trains in zip(works, stands, strict=False):
                yield from self._lift(work, trains, work is not works[0])
            if row["mode"] == "yard" and len(works) == 2 and works[1].start < works[0].end:
                yield Violation("out of the yard before in it", f"load {load_id}", works[0].end - works[1].start, "min")

    def _lift(self, work: Done, trains: tuple[str, ...], out: bool) -> Iterator[Violation]:
        load, crane, place = self.load[work.load], self.crane.get(work.resource), f"load {work.load}"
        if crane is None:
            yield Violation("unknown crane", place, 1, f"crane '{work.resource}'")
            return
        if crane["handles"] != load["form"]:
            yield Violation("crane for another kind of cargo", place, 1, f"crane {work.resource}")
        moves = to_exact(load["moves"]) + (self._rehandles(load) if out else 0)
        lasts = math.ceil(60 * moves / to_exact(crane["moves_per_h"]))
        if work.end - work.start != lasts:
            yield Violation("length of the work", place, work.end - work.start - lasts, "min too long")
        for call_id in trains:
            stand = self.train[call_id]
            if stand["track_id"] not in crane["tracks"]:
                yield Violation("crane does not reach the track", place, 1, f"track '{stand['track_id']}'")
            outside = max(int(stand["start_min"]) - work.start, work.end - int(stand["leave_min"]))
            if outside > 0:
                yield Violation("work while the train does not stand", f"{place}, train {call_id}", outside, "min")

    def _rehandles(self, load: Mapping[str, Any]) -> Fraction:
        """Moves of boxes that stand on a load when it is taken out of the yard: half the tiers above the lowest."""
        return int(load["moves"]) * Fraction(int(self.terminal["yard_tiers"]) - 1, 2) * (load["form"] == "container")

    def _exchange(self, work: Done, inbound: str, onward: str) -> Iterator[Violation]:
        load, bay, place = self.load[work.load], self.bay.get(work.resource), f"load {work.load}"
        if bay is None:
            yield Violation("unknown bogie bay", place, 1, f"bay '{work.resource}'")
            return
        cycles = math.ceil(Fraction(int(load["wagons"]), int(bay["wagons_per_cycle"])))
        lasts = math.ceil(cycles * to_exact(bay["hours_per_cycle"]) * 60)
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
        for resource, works in self.by_resource.items():
            row = self.crane.get(resource) or self.bay.get(resource) or self.post.get(resource)
            for work in works:
                if row is None:
                    continue  # told elsewhere
                off = sum(not is_open(row, at) for at in range(work.start, min(work.end, work.start + 10**5)))
                if off or work.start < 0:
                    yield Violation("work outside a shift", f"load {work.load} at {resource}", off, "min")
            yield from _overlaps("two works at once", resource, [(w.start, w.end, w.load) for w in works])

    def room(self) -> Iterator[Violation]:
        """What a train takes on stays within its capacities."""
        taken: dict[tuple[str, str], int] = defaultdict(int)
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "bogie":
                taken[row["outbound_id"], "capacity_wagons"] += 1000 * int(load["wagons"])
            elif row["mode"] != "missed":
                column = "capacity_teu" if load["form"] == "container" else "capacity_t"
                taken[row["outbound_id"], column] += size_of(load)
        for (call_id, column), amount in taken.items():
            over = amount - to_milli(self.call[call_id][column]) if call_id in self.call else 0
            if over > 0:
                yield Violation(
                    "train over capacity", f"train {call_id}", over / 1000, column.removeprefix("capacity_")
                )

    def yard(self) -> Iterator[Violation]:
        """What lies in the yard, from the start of the unloading to the end of the loading, has room there."""
        for form, column in (("container", "yard_capacity_teu"), ("bulk", "yard_capacity_t")):
            change: Counter[int] = Counter()
            for load_id, row in self.plan.items():
                works = self.works[load_id]
                if row["mode"] == "yard" and self.load[load_id]["form"] == form and works:
                    size = size_of(self.load[load_id])
                    change[min(w.start for w in works)] += size
                    change[max(w.end for w in works)] -= size
            held = most = at = 0
            for minute in sorted(change):
                held += change[minute]
                if held > most:
                    most, at = held, minute
            over = most - to_milli(self.terminal[column])
            if over > 0:
                yield Violation(
                    "yard over capacity", f"minute {at}", over / 1000, column.removeprefix("yard_capacity_")
                )

    def cost(self) -> Fraction:
        """The plan's cost in USD, exactly."""
        total = Fraction(0)
        leave = {call_id: int(row["leave_min"]) for call_id, row in self.train.items()}
        for call_id, call in self.call.items():
            hours = Fraction(max(0, leave[call_id] - to_minute(call["depart_h"])), 60)
            total += hours * to_money(call["wait_usd_per_h"])
        for load_id, row in self.plan.items():
            load = self.load[load_id]
            if row["mode"] == "missed":
                total += to_money(load["missed_usd"])
                continue
            if row["mode"] == "direct":
                total += int(load["moves"]) * to_money(self.terminal["direct_usd_per_move"])
            elif row["mode"] == "yard":
                total += 2 * int(load["moves"]) * to_money(self.terminal["yard_usd_per_move"])
                total += self._rehandles(load) * to_money(self.terminal["rehandle_usd_per_move"])
            else:
                total += int(load["wagons"]) * to_money(self.terminal["bogie_usd_per_wagon"])
            late = max(0, leave[row["outbound_id"]] - to_minute(load["due_h"]))
            total += Fraction(late, 60) * to_money(load["late_usd_per_h"])
        return total


def _overlaps(rule: str, place: str, spans: list[tuple[int, int, str]]) -> Iterator[Violation]:
    ordered = sorted(spans)
    for (_, end, first), (start, _, second) in itertools.pairwise(ordered):
        if start < end:
            yield Violation(rule, f"{place}, {first} and {second}", end - start, "min")
