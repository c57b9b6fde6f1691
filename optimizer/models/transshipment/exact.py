"""One terminal as a constraint programme with optional intervals, solved by CP-SAT.

Sets: trains t (calls), tracks k, cranes c, bays b, loads i; K(t) tracks of the train's gauge that are long enough;
C_i cranes that handle the load's form; A_i choices (o, w) of onward train and way (``choices.py``). Times are whole
minutes.

Variables: s_t, d_t minutes train t comes onto its track and leaves it; on_tk track; take_iow and missed_i what a load
does; for a load's first work (direct move, move into the yard, or bogie exchange) and second work (move out of the
yard): minute b it begins, e it ends, and use_ic the crane or bay that does it, lasting p_ic minutes.

Minimise, in sixtieths of a cent, ``sum_t wait_t (d_t - depart_t) + sum_i late_i l_i + sum price_iw take_iow + sum
missed_cost_i missed_i``.

Rules
 (1) One track: ``sum_{k in K(t)} on_tk = 1``; ``arrive_t <= s_t < d_t``, ``depart_t <= d_t <= latest_t``; trains on
     one track do not overlap.
 (2) One fate: ``sum take_iow + missed_i = 1``; ``missed_i = 0`` where every load must go.
 (3) Room: boxes, bulk and wagons with changed bogies that a train takes on stay within its three capacities.
 (4) First work by crane, when w is direct or yard: ``s_in <= b``, ``e <= d_in``; the crane reaches the inbound
     train's track.
 (5) Onward, take_iow: direct: ``s_o <= b``, ``e <= d_o`` and the crane reaches the track of o as well. Yard: the
     second work begins after the first has ended, with ``s_o <= b2``, ``e2 <= d_o``, by a crane that reaches the
     track of o. Bogie: ``s_in <= b``, ``e <= d_o``.
 (6) One work at a time per crane and per bay, each inside one working window.
 (7) Yard: a load holds its TEU or tonnes from b of its first work to e2; the sums stay within the yard.
 (8) Bogies: an exchange takes sets of the onward gauge at b from the bay's stock and gives back sets of the inbound
     gauge at e.
 (9) Lateness: ``l_i >= d_o - due_i`` for the onward train.

Redundant constraints (10) that raise the bound stand in ``strengthen.py``, the search in ``search.py``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ortools.sat.python import cp_model

from optimizer.models.transshipment.choices import Choice, choices, minutes
from optimizer.models.transshipment.problem import price_units
from optimizer.models.transshipment.site import Bay, Call, Crane, Load, Site, Windows

FIRST, SECOND = 0, 1


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
        """Works by crane or bay."""
        return defaultdict(list)

    def resources(self, load: Load, step: int) -> tuple[Crane | Bay, ...]:
        """Cranes and bays that may do a load's first or second work in some choice."""
        ways = {c.way for c in self.choices_of[load.load_id]}
        if step == SECOND:
            onward = {c.onward.call_id: c.onward for c in self.choices_of[load.load_id] if c.way == "yard"}
            return tuple(dict.fromkeys(crane for o in onward.values() for crane in self.site.cranes_for(load, o)))
        cranes = self.site.cranes_for(load, self.site.call[load.call_id]) if ways & {"direct", "yard"} else ()
        return (*cranes, *(self.site.bays if "bogie" in ways else ()))


def build(site: Site, serve_all: bool = False) -> Terminal:
    """The model without an objective."""
    t = Terminal(site)
    stand_variables(t)
    load_variables(t)
    one_track_each(t)
    one_fate_each(t, serve_all)
    room_on_trains(t)
    first_work_at_inbound_train(t)
    work_at_onward_train(t)
    one_work_at_a_time(t)
    yard_limits(t)
    bogie_stock(t)
    lateness(t)
    return t


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
        for step in (FIRST, SECOND):
            if resources := t.resources(load, step):
                t.begin[i, step] = model.new_int_var(arrive, site.end, f"begin_{i}_{step}")
                t.end[i, step] = model.new_int_var(arrive, site.end, f"end_{i}_{step}")
                _work(t, load, step, resources)


def _work(t: Terminal, load: Load, step: int, resources: Iterable[Crane | Bay]) -> None:
    """One optional interval per crane or bay; exactly one of them is used when a choice asks for the work."""
    i = load.load_id
    cranes: list[cp_model.IntVar] = []
    bays: list[cp_model.IntVar] = []
    length: list[cp_model.LinearExpr] = []
    for resource in resources:
        name = resource_id(resource)
        used = t.use[i, step, name] = t.model.new_bool_var(f"use_{i}_{step}_{name}")
        lasting = minutes(load, resource)
        interval = t.model.new_optional_fixed_size_interval_var(
            t.begin[i, step], lasting, used, f"work_{i}_{step}_{name}"
        )
        t.intervals[name].append(interval)
        length.append(lasting * used)
        (bays if isinstance(resource, Bay) else cranes).append(used)
    t.model.add(t.end[i, step] == t.begin[i, step] + sum(length))
    if step == FIRST:
        t.model.add(sum(cranes) == sum(t.takes(load, "direct", "yard")))
        t.model.add(sum(bays) == sum(t.takes(load, "bogie")))
    else:
        t.model.add(sum(cranes) == sum(t.takes(load, "yard")))


def resource_id(resource: Crane | Bay) -> str:
    return resource.crane_id if isinstance(resource, Crane) else resource.bay_id


def one_track_each(t: Terminal) -> None:
    """(1) Every train on one track that suits it; one train at a time on a track."""
    stays = defaultdict(list)
    for call in t.site.calls:
        i = call.call_id
        tracks = t.site.tracks_for(call)
        t.model.add_exactly_one(t.on[i, track.track_id] for track in tracks)
        stay = t.stay[i] = t.model.new_int_var(1, call.latest - call.arrive, f"stay_{i}")
        for track in tracks:
            on = t.on[i, track.track_id]
            name = f"stand_{i}_{track.track_id}"
            stays[track.track_id].append(t.model.new_optional_interval_var(t.start[i], stay, t.leave[i], on, name))
        t.model.add(t.start[i] + stay == t.leave[i])
    for intervals in stays.values():
        t.model.add_no_overlap(intervals)


def one_fate_each(t: Terminal, serve_all: bool) -> None:
    """(2) Every load takes one choice or is missed."""
    for load in t.site.loads:
        takes = [t.take[c.key] for c in t.choices_of[load.load_id]]
        t.model.add_exactly_one([*takes, t.missed[load.load_id]])
        if serve_all:
            t.model.add(t.missed[load.load_id] == 0)


def onward_sums(t: Terminal, call: Call) -> dict[str, list[cp_model.LinearExpr]]:
    """What a train takes on: boxes, bulk and wagons, in the units of :attr:`Call.room`."""
    sums: dict[str, list[cp_model.LinearExpr]] = {"container": [], "bulk": [], "wagons": []}
    for choice in t.choices:
        if choice.onward.call_id == call.call_id:
            if choice.way == "bogie":
                sums["wagons"].append(choice.load.wagons * t.take[choice.key])
            else:
                sums[choice.load.form].append(choice.load.size * t.take[choice.key])
    return sums


def room_on_trains(t: Terminal) -> None:
    """(3) Trains take on what they have room for."""
    for call in t.site.calls:
        for unit, amounts in onward_sums(t, call).items():
            if amounts:
                t.model.add(sum(amounts) <= call.room[unit])


def first_work_at_inbound_train(t: Terminal) -> None:
    """(4) A crane works while the inbound train stands within its reach; a bogie exchange begins once it stands."""
    for load in t.site.loads:
        i, inbound = load.load_id, t.site.call[load.call_id]
        for resource in t.resources(load, FIRST):
            used = t.use[i, FIRST, resource_id(resource)]
            t.model.add(t.start[inbound.call_id] <= t.begin[i, FIRST]).only_enforce_if(used)
            if isinstance(resource, Crane):
                t.model.add(t.end[i, FIRST] <= t.leave[inbound.call_id]).only_enforce_if(used)
                _reaches(t, resource, inbound, [used])


def _reaches(t: Terminal, crane: Crane, call: Call, literals: list[cp_model.IntVar]) -> None:
    """The train stands on a track of the crane when all the literals hold."""
    tracks = [track.track_id for track in t.site.tracks_for(call)]
    if not crane.tracks.issuperset(tracks):
        reached = [t.on[call.call_id, k] for k in tracks if k in crane.tracks]
        t.model.add_bool_or(reached).only_enforce_if(literals)


def work_at_onward_train(t: Terminal) -> None:
    """(5) The last crane work is done while the onward train stands; changed wagons are ready before it leaves."""
    for choice in t.choices:
        i, o, take = choice.load.load_id, choice.onward.call_id, t.take[choice.key]
        step = SECOND if choice.way == "yard" else FIRST
        t.model.add(t.end[i, step] <= t.leave[o]).only_enforce_if(take)
        if choice.way == "bogie":
            continue
        t.model.add(t.start[o] <= t.begin[i, step]).only_enforce_if(take)
        for resource in t.resources(choice.load, step):
            if isinstance(resource, Crane):
                _reaches(t, resource, choice.onward, [take, t.use[i, step, resource.crane_id]])
    for load in t.site.loads:
        for take in t.takes(load, "yard"):
            t.model.add(t.begin[load.load_id, SECOND] >= t.end[load.load_id, FIRST]).only_enforce_if(take)


def closed(open_: Windows, end: int) -> list[tuple[int, int]]:
    """Spans up to ``end`` in which nobody works."""
    edges = [0, *(min(edge, end) for window in open_ for edge in window), end]
    return [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]


def one_work_at_a_time(t: Terminal) -> None:
    """(6) Works of a crane or bay overlap neither each other nor its closed hours."""
    resources: list[Crane | Bay] = [*t.site.cranes, *t.site.bays]
    for resource in resources:
        name = resource_id(resource)
        shut = [
            t.model.new_fixed_size_interval_var(a, b - a, f"shut_{name}") for a, b in closed(resource.open, t.site.end)
        ]
        t.model.add_no_overlap([*t.intervals[name], *shut])


def yard_limits(t: Terminal, extra: Mapping[str, cp_model.IntVar] | None = None) -> None:
    """(7) The yard holds what lies in it; ``extra`` adds room by form."""
    for form, capacity in t.site.yard.items():
        lying, sizes = [], []
        for load in t.site.loads:
            i = load.load_id
            if load.form == form and (i, SECOND) in t.begin:
                held = t.model.new_bool_var(f"held_{i}")
                t.model.add(held == sum(t.takes(load, "yard")))
                stay = t.model.new_int_var(0, t.site.end, f"lying_{i}")
                lying.append(
                    t.model.new_optional_interval_var(t.begin[i, FIRST], stay, t.end[i, SECOND], held, f"yard_{i}")
                )
                sizes.append(load.size)
        if extra:
            t.model.add_cumulative(lying, sizes, capacity + extra[form])
        elif sum(sizes) > capacity:
            t.model.add_cumulative(lying, sizes, capacity)


def bogie_stock(t: Terminal) -> None:
    """(8) Stock never falls below zero.

    Written as a cumulative: sets taken at b are gone from b to the end; sets another exchange brings at e count as
    part of the stock that is still missing from 0 to e, or to the end when that exchange is not made in this bay.
    """
    end = t.site.end + 1
    for bay in t.site.bays:
        for gauge, stock in bay.stock.items():
            gone, sets, possible = [], [], stock
            for load in t.site.loads:
                used = t.use.get((load.load_id, FIRST, bay.bay_id))
                if used is None:
                    continue
                i = load.load_id
                taken = [t.take[c.key] for c in t.choices_of[i] if c.way == "bogie" and c.onward.gauge_mm == gauge]
                if taken:
                    here = t.model.new_bool_var(f"takes_{i}_{bay.bay_id}_{gauge}")
                    t.model.add_implication(here, used)
                    t.model.add(here >= used + sum(taken) - 1)
                    t.model.add(here <= sum(taken))
                    rest = t.model.new_int_var(0, end, f"gone_{i}_{bay.bay_id}_{gauge}")
                    gone.append(t.model.new_optional_interval_var(t.begin[i, FIRST], rest, end, here, ""))
                    sets.append(load.wagons)
                if t.site.call[load.call_id].gauge_mm == gauge:
                    back = t.model.new_int_var(0, end, f"back_{i}_{bay.bay_id}")
                    t.model.add(back == t.end[i, FIRST]).only_enforce_if(used)
                    t.model.add(back == end).only_enforce_if(~used)
                    gone.append(t.model.new_interval_var(0, back, back, ""))
                    sets.append(load.wagons)
                    possible += load.wagons
            if gone:
                t.model.add_cumulative(gone, sets, possible)


def lateness(t: Terminal) -> None:
    """(9) Hours of the onward train's departure after the load's due time."""
    for choice in t.choices:
        late, leave = t.late[choice.load.load_id], t.leave[choice.onward.call_id]
        t.model.add(late >= leave - choice.load.due).only_enforce_if(t.take[choice.key])


def cost(
    site: Site,
    take: Mapping[tuple[str, str, str], cp_model.IntVar],
    missed: Mapping[str, cp_model.IntVar],
    leave: Mapping[str, cp_model.IntVar],
    late: Mapping[str, cp_model.IntVar],
) -> tuple[cp_model.LinearExprT, int]:
    """The objective over its greatest common divisor, and that divisor."""
    terms: list[tuple[int, cp_model.IntVar]] = [(c.wait_cents_per_h, leave[c.call_id]) for c in site.calls]
    constant = -sum(call.wait_cents_per_h * call.depart for call in site.calls)
    by_id = {load.load_id: load for load in site.loads}
    terms += [(by_id[i].late_cents_per_h, variable) for i, variable in late.items()]
    terms += [(by_id[i].missed_cents * 60, variable) for i, variable in missed.items()]
    terms += [(price_units(site, by_id[i], w), take[i, o, w]) for i, o, w in take]  # type: ignore[arg-type]
    divisor = math.gcd(*(factor for factor, _ in terms), constant) or 1
    return sum(factor // divisor * variable for factor, variable in terms) + constant // divisor, divisor
