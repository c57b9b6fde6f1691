"""Who works when: rules (6), (10), (11) and (12) of the exact model."""

from __future__ import annotations

import itertools
from collections import defaultdict

from ortools.sat.python import cp_model

from optimizer.models.transshipment.constraints.variables import CHECKS, FIRST, SECOND, Terminal
from optimizer.models.transshipment.site import Load, Windows, Worker


def closed(open_: Windows, end: int) -> list[tuple[int, int]]:
    """Spans up to ``end`` in which nobody works."""
    edges = [0, *(min(edge, end) for window in open_ for edge in window), end]
    return [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]


def one_work_at_a_time(t: Terminal) -> None:
    """(6) Works of a crane, bay or post overlap neither each other nor its closed hours."""
    workers: list[Worker] = [*t.site.cranes, *t.site.bays, *t.site.posts]
    for worker in workers:
        shut = [
            t.model.new_fixed_size_interval_var(a, b - a, f"shut_{worker.name}")
            for a, b in closed(worker.open, t.site.end)
        ]
        t.model.add_no_overlap([*t.intervals[worker.name], *shut])


def checks_in_chain(t: Terminal) -> None:
    """(10) Checks one after the other: before the first work, in the yard, after the last work."""
    for load in t.site.loads:
        i, inbound = load.load_id, load.call_id
        first, second = len(load.before), len(load.before) + len(load.between)
        before, between, after = (
            [(t.begin[i, CHECKS + n], t.end[i, CHECKS + n]) for n in part]
            for part in (range(first), range(first, second), range(second, len(load.checks)))
        )
        for part in (before, between, after):
            for (_, end), (begin, _) in itertools.pairwise(part):
                t.model.add(begin >= end)
        if before:
            t.model.add(t.start[inbound] <= before[0][0]).only_enforce_if(~t.missed[i])
            t.model.add(before[-1][1] <= t.leave[inbound]).only_enforce_if(~t.missed[i])
            if (i, FIRST) in t.begin:
                t.model.add(t.begin[i, FIRST] >= before[-1][1])
        if between and (i, SECOND) in t.begin:
            t.model.add(between[0][0] >= t.end[i, FIRST])
            t.model.add(t.begin[i, SECOND] >= between[-1][1])
        for choice in t.choices_of[i] if after else ():
            take, o = t.take[choice.key], choice.onward.call_id
            last = t.end[i, SECOND if choice.way == "yard" else FIRST]
            t.model.add(after[0][0] >= last).only_enforce_if(take)
            t.model.add(after[0][0] >= t.start[o]).only_enforce_if(take)
            t.model.add(after[-1][1] <= t.leave[o]).only_enforce_if(take)


def set_ups(t: Terminal) -> None:
    """(11) Time between works on loads that came with different trains."""
    loads = {load.load_id: load for load in t.site.loads}
    workers: list[Worker] = [*t.site.cranes, *t.site.bays, *t.site.posts]
    setup = {worker.name: worker.setup for worker in workers if worker.setup}
    works: dict[str, list[tuple[Load, int]]] = defaultdict(list)
    for i, step, name in t.use:
        if name in setup:
            works[name].append((loads[i], step))
    for name, mine in works.items():
        for (one, at), (two, then) in itertools.combinations(mine, 2):
            if one.call_id != two.call_id:
                a, b = (one.load_id, at), (two.load_id, then)
                both = [t.use[*a, name], t.use[*b, name]]
                order = t.model.new_bool_var("")
                t.model.add(t.begin[b] >= t.end[a] + setup[name]).only_enforce_if([*both, order])
                t.model.add(t.begin[a] >= t.end[b] + setup[name]).only_enforce_if([*both, ~order])


def cranes_in_line(t: Terminal) -> None:
    """(12) Cranes of a runway work in the order in which they stand on it, each in a zone of its own."""
    zones: dict[str, list[tuple[int, cp_model.IntervalVar]]] = defaultdict(list)
    for load in t.site.loads:
        if load.zone is not None:
            for step in (FIRST, SECOND):
                for crane in t.site.cranes:
                    if (load.load_id, step, crane.name) in t.interval:
                        zones[crane.name].append((load.zone, t.interval[load.load_id, step, crane.name]))
    for one, two in itertools.combinations(sorted(t.site.cranes, key=lambda c: (c.runway, c.rank)), 2):
        if one.runway != two.runway or not one.runway:
            continue
        for zone in sorted({z for z, _ in zones[one.name]}):
            near = zone + two.rank - one.rank
            left = [interval for z, interval in zones[one.name] if z >= zone]
            right = [interval for z, interval in zones[two.name] if z < near]
            if left and right:
                t.model.add_no_overlap([*left, *right])
