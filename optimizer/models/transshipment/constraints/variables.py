"""Variables of the exact model; what they mean stands in ``exact.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ortools.sat.python import cp_model

from optimizer.models.transshipment.choices import Choice, choices
from optimizer.models.transshipment.site import Bay, Load, Site, Worker, minutes

FIRST, SECOND = 0, 1
"""Steps of a load: its one or two works."""
CHECKS = 2
"""Step of its first check; the others follow in order."""


@dataclass
class Terminal:
    """The model with its variables; what the rules below write into and read from."""

    site: Site
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    start: dict[str, cp_model.IntVar] = field(default_factory=dict)
    leave: dict[str, cp_model.IntVar] = field(default_factory=dict)
    stay: dict[str, cp_model.IntVar] = field(default_factory=dict)
    on: dict[tuple[str, str], cp_model.IntVar] = field(default_factory=dict)
    take: dict[tuple[str, str, str], cp_model.IntVar] = field(default_factory=dict)
    missed: dict[str, cp_model.IntVar] = field(default_factory=dict)
    begin: dict[tuple[str, int], cp_model.IntVar] = field(default_factory=dict)
    end: dict[tuple[str, int], cp_model.IntVar] = field(default_factory=dict)
    use: dict[tuple[str, int, str], cp_model.IntVar] = field(default_factory=dict)
    interval: dict[tuple[str, int, str], cp_model.IntervalVar] = field(default_factory=dict)
    late: dict[str, cp_model.IntVar] = field(default_factory=dict)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        return choices(self.site)

    @cached_property
    def choices_of(self) -> Mapping[str, list[Choice]]:
        grouped: dict[str, list[Choice]] = {load.load_id: [] for load in self.site.loads}
        for choice in self.choices:
            grouped[choice.load.load_id].append(choice)
        return grouped

    def takes(self, load: Load, *ways: str) -> list[cp_model.IntVar]:
        """Choices of ``load`` by these ways."""
        return [self.take[c.key] for c in self.choices_of[load.load_id] if c.way in ways]

    @cached_property
    def intervals(self) -> dict[str, list[cp_model.IntervalVar]]:
        """Works by crane, bay or post."""
        return defaultdict(list)

    def resources(self, load: Load, step: int) -> tuple[Worker, ...]:
        """Who may do a load's first or second work, or its (step - CHECKS)-th check, in some choice."""
        ways = {c.way for c in self.choices_of[load.load_id]}
        if step >= CHECKS:
            return self.site.posts_for(load.checks[step - CHECKS])
        if step == SECOND:
            onward = {c.onward.call_id: c.onward for c in self.choices_of[load.load_id] if c.way == "yard"}
            return tuple(dict.fromkeys(crane for o in onward.values() for crane in self.site.cranes_for(load, o)))
        cranes = self.site.cranes_for(load, self.site.call[load.call_id]) if ways & {"direct", "yard"} else ()
        return (*cranes, *(self.site.bays if "bogie" in ways else ()))


def stand_variables(t: Terminal) -> None:
    """Times and tracks of trains."""
    for call in t.site.calls:
        t.start[call.call_id] = t.model.new_int_var(call.arrive, call.latest - 1, f"start_{call.call_id}")
        least = max(call.depart, call.arrive + 1)
        t.leave[call.call_id] = t.model.new_int_var(least, call.latest, f"leave_{call.call_id}")
        for track in t.site.tracks_for(call):
            t.on[call.call_id, track.track_id] = t.model.new_bool_var(f"on_{call.call_id}_{track.track_id}")


def load_variables(t: Terminal) -> None:
    """What loads do, by whom and when."""
    model, site = t.model, t.site
    for choice in t.choices:
        t.take[choice.key] = model.new_bool_var("take_" + "_".join(choice.key))
    for load in site.loads:
        i, arrive = load.load_id, site.call[load.call_id].arrive
        t.missed[i] = model.new_bool_var(f"missed_{i}")
        most = max((c.onward.latest - load.due for c in t.choices_of[i]), default=0)
        t.late[i] = model.new_int_var(0, max(0, most), f"late_{i}")
        for step in (FIRST, SECOND, *range(CHECKS, CHECKS + len(load.checks))):
            if resources := t.resources(load, step):
                t.begin[i, step] = model.new_int_var(arrive, site.end, f"begin_{i}_{step}")
                t.end[i, step] = model.new_int_var(arrive, site.end, f"end_{i}_{step}")
                _work(t, load, step, resources)


def _work(t: Terminal, load: Load, step: int, resources: Iterable[Worker]) -> None:
    """One optional interval per crane, bay or post; exactly one of them is used when a choice asks for the work."""
    i = load.load_id
    others: list[cp_model.IntVar] = []
    bays: list[cp_model.IntVar] = []
    length: list[cp_model.LinearExpr] = []
    for resource in resources:
        name = resource.name
        used = t.use[i, step, name] = t.model.new_bool_var(f"use_{i}_{step}_{name}")
        lasting = minutes(load, resource, out=step == SECOND)
        interval = t.interval[i, step, name] = t.model.new_optional_fixed_size_interval_var(
            t.begin[i, step], lasting, used, f"work_{i}_{step}_{name}"
        )
        t.intervals[name].append(interval)
        length.append(lasting * used)
        (bays if isinstance(resource, Bay) else others).append(used)
    t.model.add(t.end[i, step] == t.begin[i, step] + sum(length))
    if step >= CHECKS:
        t.model.add(sum(others) == 1 - t.missed[i])
    elif step == FIRST:
        t.model.add(sum(others) == sum(t.takes(load, "direct", "yard")))
        t.model.add(sum(bays) == sum(t.takes(load, "bogie")))
    else:
        t.model.add(sum(others) == sum(t.takes(load, "yard")))
