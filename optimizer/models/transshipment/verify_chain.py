"""Rules beyond trains, cranes and yard: checks in their chain, set-ups, cranes in line, stocks of empty wagons."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from optimizer.models.transshipment.verify_case import Case, Done, to_exact
from optimizer.result import Violation


def checks(case: Case) -> Iterator[Violation]:
    """A load that goes on has each of its checks done, in order, by a post that does it, where it must be."""
    for load_id, load in case.load.items():
        found = case.checks.get(load_id, [])
        wanted = [*load["checks_before"], *load["checks_between"], *load["checks_after"]]
        if load_id not in case.plan or not case.goes(load_id):
            if found:
                yield Violation("check of a load that does not go on", f"load {load_id}", len(found), "checks")
            continue
        if [check for check, _ in found] != wanted:
            done, due = ", ".join(check for check, _ in found) or "none", ", ".join(wanted) or "none"
            yield Violation("checks of the load in order", f"load {load_id}", len(found), f"checks ({done}), not {due}")
            continue
        for check, done_ in found:
            yield from _check(case, check, done_)
        if wanted:
            yield from _chain(case, load_id, [done_ for _, done_ in found])


def _check(case: Case, check: str, done: Done) -> Iterator[Violation]:
    post, place = case.post.get(done.resource), f"load {done.load}"
    if post is None or post["check"] != check:
        yield Violation("unknown post", place, 1, f"post '{done.resource}' for {check}")
        return
    wagons = int(case.load[done.load]["wagons"])
    lasts = max(1, math.ceil(to_exact(post["minutes_per_load"]) + wagons * to_exact(post["minutes_per_wagon"])))
    if done.end - done.start != lasts:
        yield Violation("length of the check", place, done.end - done.start - lasts, "min too long")


def _chain(case: Case, load_id: str, done: list[Done]) -> Iterator[Violation]:
    """Before the first work on the inbound train, between the works in the yard, after the last on the onward train."""
    load, row, works = case.load[load_id], case.plan[load_id], case.works[load_id]
    if not works:
        return  # told elsewhere
    first = len(load["checks_before"])
    second = first + len(load["checks_between"])
    if second > first and row["mode"] != "yard":
        yield Violation("checks in the yard without going there", f"load {load_id}", second - first, "checks")
    chain = [*done[:first], works[0], *done[first:second], *works[1:], *done[second:]]
    for one, two in itertools.pairwise(chain):
        if two.start < one.end:
            place = f"load {load_id}, {one.resource} and {two.resource}"
            yield Violation("works and checks in order", place, one.end - two.start, "min")
    for call_id, there in ((load["call_id"], done[:first]), (row["outbound_id"], done[second:])):
        stand = case.train[call_id]
        for check in there:
            outside = max(int(stand["start_min"]) - check.start, check.end - int(stand["leave_min"]))
            if outside > 0:
                yield Violation(
                    "check while the train does not stand", f"load {load_id}, train {call_id}", outside, "min"
                )


def set_ups(case: Case) -> Iterator[Violation]:
    """Works on loads of different trains lie the set-up apart."""
    for name, works in case.by_resource.items():
        row = case.crane.get(name) or case.bay.get(name) or case.post.get(name)
        setup = math.ceil(to_exact(row["setup_min"])) if row is not None else 0
        for one, two in itertools.pairwise(works) if setup else ():
            if case.load[one.load]["call_id"] != case.load[two.load]["call_id"] and two.start < one.end + setup:
                place = f"{name}, loads {one.load} and {two.load}"
                yield Violation("set-up too short", place, one.end + setup - two.start, "min")


def runways(case: Case) -> Iterator[Violation]:
    """At any time the cranes of a runway stand in their order, each in a zone of its own, those at rest too."""
    lines: dict[str, list[str]] = defaultdict(list)
    on_runways = [(crane["runway_place"], name) for name, crane in case.crane.items() if crane["runway"]]
    for _, name in sorted(on_runways):
        lines[case.crane[name]["runway"]].append(name)
    for cranes in lines.values():
        rank = {name: number for number, name in enumerate(cranes)}
        works = [work for work in case.done if work.resource in rank and case.load[work.load]["zone"] >= 0]
        works.sort(key=lambda work: work.start)
        running: list[Done] = []
        for work in works:
            running = [other for other in running if other.end > work.start]
            for other in running:
                left, right = sorted((other, work), key=lambda w: rank[w.resource])
                apart = rank[right.resource] - rank[left.resource]
                missing = apart - int(case.load[right.load]["zone"]) + int(case.load[left.load]["zone"])
                if apart and missing > 0:
                    place = (
                        f"{left.resource} for {left.load} and {right.resource} for {right.load}, minute {work.start}"
                    )
                    yield Violation("cranes cross", place, missing, "zones")
            running.append(work)


def empty_wagons(case: Case) -> Iterator[Violation]:
    """Empties never fall below zero where they are counted; a wagon given back in a minute can be taken in it."""
    changes: dict[int, Counter[int]] = defaultdict(Counter)
    for load_id, row in case.plan.items():
        works = case.works[load_id]
        if works and case.goes(load_id) and row["mode"] in ("direct", "yard"):
            wagons = int(case.load[load_id]["wagons"])
            changes[_gauge(case.call, row["outbound_id"])][works[-1].start] -= wagons
            changes[_gauge(case.call, case.load[load_id]["call_id"])][works[0].end] += wagons
    for gauge, by_minute in changes.items():
        start = case.terminal[f"empty_wagons_{gauge}"]
        if start >= 0:  # else blank: not counted
            yield from _below_zero("empty wagons below zero", f"{gauge} mm", int(start), by_minute, "wagons")


def bogies(case: Case) -> Iterator[Violation]:
    """Sets in a bay's stock never fall below zero; sets given back in a minute can be taken in it."""
    for bay_id, bay in case.bay.items():
        changes: dict[int, Counter[int]] = defaultdict(Counter)
        for work in case.by_resource.get(bay_id, ()):
            if case.plan[work.load]["mode"] == "bogie" and case.goes(work.load):
                load = case.load[work.load]
                changes[_gauge(case.call, case.plan[work.load]["outbound_id"])][work.start] -= int(load["wagons"])
                changes[_gauge(case.call, load["call_id"])][work.end] += int(load["wagons"])
        for gauge, by_minute in changes.items():
            stock = int(bay[f"bogie_sets_{gauge}"])
            yield from _below_zero("bogie sets below zero", f"bay {bay_id}, {gauge} mm", stock, by_minute, "sets")


def _gauge(calls: Mapping[str, Mapping[str, int]], call_id: str) -> int:
    return int(calls[call_id]["gauge_mm"])


def _below_zero(rule: str, place: str, stock: int, changes: Mapping[int, int], unit: str) -> Iterator[Violation]:
    for minute in sorted(changes):
        stock += changes[minute]
        if stock < 0:
            yield Violation(rule, f"{place}, minute {minute}", -stock, unit)
