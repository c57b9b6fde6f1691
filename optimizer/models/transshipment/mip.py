"""The same terminal as a mixed-integer programme, for LP and MPS files and as a cross-check on small terminals.

Rules, numbering and names as in ``exact.py``; what CP-SAT states with intervals is a choice of order here. For two
things that may exclude each other, a binary "x before y" that implies, with a constant M no smaller than the horizon,
that y begins when x has ended or later; whoever shares a track, crane or bay needs one of the two orders (1, 6). A
work lies in one working window of whoever does it (6). The yard (7) and the bogies (8) are counted at each moment
something is added to the yard or taken from the bogies, which is when a sum can first be too large; another load
counts there unless an order variable shows that it comes later or has gone. Costs are in USD.

The order variables make it weak: its purpose is a file that any solver reads, not speed.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import pulp

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.choices import Choice, choices
from optimizer.models.transshipment.problem import (
    COST_UNITS,
    Passage,
    Plan,
    Stand,
    Transshipment,
    Work,
    plan_units,
    price_units,
    to_tables,
    usd,
)
from optimizer.models.transshipment.search import tidy
from optimizer.models.transshipment.site import Bay, Call, Crane, Load, Site, minutes
from optimizer.result import Outcome, Status
from optimizer.solvers.mip import solve_model

MOST_PAIRS = 60_000
"""Pairs of works that may have to be put in order; above, the file grows past what a stock solver makes anything of."""

Step = tuple[str, int]


@dataclass
class Programme:
    """The model with its variables."""

    site: Site
    model: pulp.LpProblem = field(default_factory=lambda: pulp.LpProblem("transshipment", pulp.LpMinimize))
    start: dict[str, pulp.LpVariable] = field(default_factory=dict)
    leave: dict[str, pulp.LpVariable] = field(default_factory=dict)
    on: dict[tuple[str, str], pulp.LpVariable] = field(default_factory=dict)
    take: dict[tuple[str, str, str], pulp.LpVariable] = field(default_factory=dict)
    missed: dict[str, pulp.LpVariable] = field(default_factory=dict)
    begin: dict[Step, pulp.LpVariable] = field(default_factory=dict)
    end: dict[Step, pulp.LpAffineExpression] = field(default_factory=dict)
    use: dict[tuple[str, int, str], pulp.LpVariable] = field(default_factory=dict)
    late: dict[str, pulp.LpVariable] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        return choices(self.site)

    @cached_property
    def big(self) -> int:
        return self.site.end + 1

    def name(self, wanted: str) -> str:
        """``wanted`` in characters LP files know, made unique: 'A-1' and 'A.1' are two ids."""
        plain = name = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:230]
        for number in itertools.count(2):
            if name not in self.names:
                break
            name = f"{plain}_{number}"
        self.names.add(name)
        return name

    def binary(self, name: str) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), cat=pulp.LpBinary)

    def minute(self, name: str, least: int, most: int) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), least, most, pulp.LpInteger)

    def number(self, name: str) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), 0)

    def takes(self, load: Load, *ways: str) -> pulp.LpAffineExpression:
        return pulp.lpSum(self.take[c.key] for c in self.choices if c.load is load and c.way in ways)

    def add(self, name: str, constraint: pulp.LpConstraint) -> None:
        self.model.addConstraint(constraint, self.name(name))

    def workers(self, load: Load, step: int) -> tuple[Crane | Bay, ...]:
        """Cranes and bays for the first (0) or second (1) work of a load."""
        mine = [c for c in self.choices if c.load is load]
        if step == 1:
            cranes = [k for c in mine if c.way == "yard" for k in self.site.cranes_for(load, c.onward)]
            return tuple(dict.fromkeys(cranes))
        by_crane = any(c.way != "bogie" for c in mine)
        first = self.site.cranes_for(load, self.site.call[load.call_id]) if by_crane else ()
        return (*first, *(self.site.bays if any(c.way == "bogie" for c in mine) else ()))


def build(problem: Transshipment) -> Programme:
    """
    The programme with its objective.

    Raises
    ------
    UsageError
        The terminal is too large to be written down like this.
    """
    p = Programme(problem.site)
    works = len({(c.load.load_id, way) for c in p.choices for way in ("first", c.way) if way in ("first", "yard")})
    if (pairs := works * (works - 1) // 2) > MOST_PAIRS:
        raise UsageError(
            f"terminal '{p.site.terminal_id}' has {works} works, so {pairs} pairs to put in order; as a mixed-integer"
            f" programme at most {MOST_PAIRS} are written: use method 'exact', or plan fewer trains at a time"
        )
    trains_on_tracks(p)
    loads_by_choice(p, problem.serve_all)
    works_of_loads(p)
    works_at_trains(p)
    works_in_order(p)
    yard_limits(p)
    bogie_stock(p)
    objective(p)
    return p


def trains_on_tracks(p: Programme) -> None:
    """(1)"""
    for call in p.site.calls:
        i = call.call_id
        p.start[i] = p.minute(f"start_{i}", call.arrive, call.latest - 1)
        p.leave[i] = p.minute(f"leave_{i}", max(call.depart, call.arrive + 1), call.latest)
        for track in p.site.tracks_for(call):
            p.on[i, track.track_id] = p.binary(f"on_{i}_{track.track_id}")
        p.add(f"one_track_{i}", pulp.lpSum(on for (c, _), on in p.on.items() if c == i) == 1)
        p.add(f"stands_{i}", p.leave[i] >= p.start[i] + 1)
    for one, two in itertools.combinations(p.site.calls, 2):
        shared = [k for k in p.site.tracks_for(one) if k in p.site.tracks_for(two)]
        if shared:
            a, b = one.call_id, two.call_id
            orders = _order(p, f"train_{a}_{b}", (p.start[a], p.leave[a]), (p.start[b], p.leave[b]))
            for k in shared:
                both = p.on[a, k.track_id] + p.on[b, k.track_id] - 1
                p.add(f"apart_{a}_{b}_{k.track_id}", both <= orders)


Span = tuple[pulp.LpVariable | pulp.LpAffineExpression, pulp.LpVariable | pulp.LpAffineExpression]


def _order(p: Programme, name: str, one: Span, two: Span) -> pulp.LpAffineExpression:
    """Sum of the two orders of two spans; each, when 1, holds."""
    first, second = p.binary(f"before_{name}"), p.binary(f"after_{name}")
    p.add(f"order_{name}", two[0] >= one[1] - p.big * (1 - first))
    p.add(f"disorder_{name}", one[0] >= two[1] - p.big * (1 - second))
    return first + second


def loads_by_choice(p: Programme, serve_all: bool) -> None:
    """(2) and (3)"""
    for choice in p.choices:
        p.take[choice.key] = p.binary("take_" + "_".join(choice.key))
    for load in p.site.loads:
        i = load.load_id
        p.missed[i] = p.binary(f"missed_{i}")
        p.add(f"one_fate_{i}", p.takes(load, "direct", "yard", "bogie") + p.missed[i] == 1)
        if serve_all:
            p.add(f"must_go_{i}", p.missed[i] == 0)
    for call in p.site.calls:
        mine = [c for c in p.choices if c.onward is call]
        for unit in ("container", "bulk"):
            boxes = [c.load.size * p.take[c.key] for c in mine if c.load.form == unit and c.way != "bogie"]
            if boxes:
                p.add(f"room_{unit}_{call.call_id}", pulp.lpSum(boxes) <= call.room[unit])
        wagons = [c.load.wagons * p.take[c.key] for c in mine if c.way == "bogie"]
        if wagons:
            p.add(f"room_wagons_{call.call_id}", pulp.lpSum(wagons) <= call.room["wagons"])


def works_of_loads(p: Programme) -> None:
    """(6) Each work by one crane or bay, inside one of its windows."""
    for load, step in itertools.product(p.site.loads, (0, 1)):
        i, workers = load.load_id, p.workers(load, step)
        if not workers:
            continue
        begin = p.begin[i, step] = p.minute(f"begin_{i}_{step}", p.site.call[load.call_id].arrive, p.site.end)
        lasting = []
        for worker in workers:
            name = _name(worker)
            used = p.use[i, step, name] = p.binary(f"use_{i}_{step}_{name}")
            lasting.append(minutes(load, worker) * used)
        end = p.end[i, step] = begin + pulp.lpSum(lasting)
        for worker in workers:
            name = _name(worker)
            inside = []
            for number, (opens, closes) in enumerate(worker.open):
                here = p.binary(f"in_{i}_{step}_{name}_{number}")
                p.add(f"opens_{i}_{step}_{name}_{number}", begin >= opens * here)
                p.add(f"closes_{i}_{step}_{name}_{number}", end <= closes + 2 * p.big * (1 - here))
                inside.append(here)
            p.add(f"window_{i}_{step}_{name}", pulp.lpSum(inside) == p.use[i, step, name])
        cranes = pulp.lpSum(p.use[i, step, w.crane_id] for w in workers if isinstance(w, Crane))
        bays = pulp.lpSum(p.use[i, step, w.bay_id] for w in workers if isinstance(w, Bay))
        p.add(f"crane_{i}_{step}", cranes == p.takes(load, *(("yard",) if step else ("direct", "yard"))))
        if step == 0:
            p.add(f"bay_{i}", bays == p.takes(load, "bogie"))


def _name(worker: Crane | Bay) -> str:
    return worker.crane_id if isinstance(worker, Crane) else worker.bay_id


def works_at_trains(p: Programme) -> None:
    """(4), (5) and (9)"""
    big = 2 * p.big
    for load in p.site.loads:
        i, inbound = load.load_id, p.site.call[load.call_id]
        for worker in p.workers(load, 0):
            used, name = p.use[i, 0, _name(worker)], f"{i}_{_name(worker)}"
            p.add(f"stands_for_{name}", p.begin[i, 0] >= p.start[inbound.call_id] - big * (1 - used))
            if isinstance(worker, Crane):
                p.add(f"waits_for_{name}", p.end[i, 0] <= p.leave[inbound.call_id] + big * (1 - used))
                p.add(f"reach_{name}", used <= _on_reached(p, worker, inbound))
        p.late[i] = p.number(f"late_{i}")
    for choice in p.choices:
        load, call, take = choice.load, choice.onward, p.take[choice.key]
        i, o, step = load.load_id, call.call_id, int(choice.way == "yard")
        name = "_".join(choice.key)
        p.add(f"late_{name}", p.late[i] >= p.leave[o] - load.due - (p.big + load.due) * (1 - take))
        p.add(f"leaves_after_{name}", p.end[i, step] <= p.leave[o] + big * (1 - take))
        if choice.way == "bogie":
            continue
        p.add(f"stands_at_{name}", p.begin[i, step] >= p.start[o] - big * (1 - take))
        for worker in p.workers(load, step):
            if isinstance(worker, Crane):
                both = take + p.use[i, step, worker.crane_id] - 1
                p.add(f"reach_{name}_{worker.crane_id}", both <= _on_reached(p, worker, call))
        if choice.way == "yard":
            p.add(f"through_{name}", p.begin[i, 1] >= p.end[i, 0] - big * (1 - take))


def _on_reached(p: Programme, crane: Crane, call: Call) -> pulp.LpAffineExpression:
    return pulp.lpSum(on for (c, k), on in p.on.items() if c == call.call_id and k in crane.tracks)


def works_in_order(p: Programme) -> None:
    """(6) Two works of one crane or bay, one after the other."""
    workers: dict[Step, list[str]] = {}
    for i, step, name in p.use:
        workers.setdefault((i, step), []).append(name)
    for one, two in itertools.combinations(workers, 2):
        shared = [name for name in workers[one] if name in workers[two]]
        if shared and one[0] != two[0]:
            name = f"work_{one[0]}_{one[1]}_{two[0]}_{two[1]}"
            orders = _order(p, name, (p.begin[one], p.end[one]), (p.begin[two], p.end[two]))
            for worker in shared:
                p.add(f"apart_{name}_{worker}", p.use[*one, worker] + p.use[*two, worker] - 1 <= orders)


def _later(p: Programme, name: str, one: Step, two: Step) -> pulp.LpVariable:
    """When 1, ``one`` begins a minute or more after ``two``; of works that begin together each counts."""
    later = p.binary(f"later_{name}")
    p.add(f"begins_later_{name}", p.begin[one] >= p.begin[two] + 1 - (p.big + 1) * (1 - later))
    return later


def _gone(p: Programme, name: str, one: Step, two: Step) -> pulp.LpVariable:
    """When 1, ``one`` has ended when ``two`` begins."""
    gone = p.binary(f"gone_{name}")
    p.add(f"ends_before_{name}", p.end[one] <= p.begin[two] + 2 * p.big * (1 - gone))
    return gone


def yard_limits(p: Programme) -> None:
    """(7) At each start of unloading into the yard, what lies there fits."""
    for form, capacity in p.site.yard.items():
        loads = [i for i in p.site.loads if i.form == form and (i.load_id, 1) in p.begin]
        if sum(load.size for load in loads) <= capacity:
            continue
        for load in loads:
            held = [load.size * p.takes(load, "yard")]
            for other in loads:
                if other is load:
                    continue
                name = f"yard_{other.load_id}_{load.load_id}"
                lies = p.binary(f"lies_{name}")
                later = _later(p, name, (other.load_id, 0), (load.load_id, 0))
                gone = _gone(p, name, (other.load_id, 1), (load.load_id, 0))
                both = p.takes(other, "yard") + p.takes(load, "yard") - 1
                p.add(f"counts_{name}", lies >= both - later - gone)
                held.append(other.size * lies)
            p.add(f"yard_{load.load_id}", pulp.lpSum(held) <= capacity)


def bogie_stock(p: Programme) -> None:
    """(8) At each start of an exchange, the sets taken so far are in stock or have come back."""
    for bay in p.site.bays:
        loads = [i for i in p.site.loads if (i.load_id, 0, bay.bay_id) in p.use]
        for gauge, stock in bay.stock.items():
            takes = {load.load_id: _takes_sets(p, bay, gauge, load) for load in loads}
            here = {i: variable for i, variable in takes.items() if variable is not None}
            for load in (i for i in loads if i.load_id in here):
                taken = [load.wagons * here[load.load_id]]
                for other in loads:
                    if other is load:
                        continue
                    name = f"{bay.bay_id}_{gauge}_{other.load_id}_{load.load_id}"
                    works = (other.load_id, 0), (load.load_id, 0)
                    if other.load_id in here:
                        counts = p.binary(f"counts_{name}")
                        both = here[other.load_id] + here[load.load_id] - 1
                        p.add(f"taken_{name}", counts >= both - _later(p, name, *works))
                        taken.append(other.wagons * counts)
                    if p.site.call[other.call_id].gauge_mm == gauge:
                        back = _gone(p, f"back_{name}", *works)
                        p.add(f"changed_{name}", back <= p.use[other.load_id, 0, bay.bay_id])
                        taken.append(-other.wagons * back)
                slack = sum(i.wagons for i in loads) * (1 - here[load.load_id])
                p.add(f"sets_{bay.bay_id}_{gauge}_{load.load_id}", pulp.lpSum(taken) <= stock + slack)


def _takes_sets(p: Programme, bay: Bay, gauge: int, load: Load) -> pulp.LpVariable | None:
    """1 when the load's wagons get bogies of the gauge in the bay; None when that cannot be."""
    onward = [c for c in p.choices if c.load is load and c.way == "bogie" and c.onward.gauge_mm == gauge]
    if not onward:
        return None
    here = p.binary(f"takes_{bay.bay_id}_{gauge}_{load.load_id}")
    taken = pulp.lpSum(p.take[c.key] for c in onward)
    used = p.use[load.load_id, 0, bay.bay_id]
    p.add(f"takes_if_{bay.bay_id}_{gauge}_{load.load_id}", here >= used + taken - 1)
    p.add(f"takes_here_{bay.bay_id}_{gauge}_{load.load_id}", here <= used)
    p.add(f"takes_gauge_{bay.bay_id}_{gauge}_{load.load_id}", here <= taken)
    return here


def objective(p: Programme) -> None:
    """Waiting, lateness, prices and missed loads in USD."""

    def in_usd(units: int) -> float:
        return float(Fraction(units, COST_UNITS))

    terms = []
    for call in p.site.calls:
        wait = p.number(f"wait_{call.call_id}")
        p.add(f"wait_{call.call_id}", wait >= p.leave[call.call_id] - call.depart)
        terms.append(in_usd(call.wait_cents_per_h) * wait)
    for load in p.site.loads:
        terms.append(in_usd(load.late_cents_per_h) * p.late[load.load_id])
        terms.append(in_usd(load.missed_cents * 60) * p.missed[load.load_id])
    terms += [in_usd(price_units(p.site, c.load, c.way)) * p.take[c.key] for c in p.choices]
    p.model.setObjective(pulp.lpSum(terms))


def solve_crosscheck(problem: Transshipment, options: SolveOptions) -> Outcome:
    """The mixed-integer programme by a solver PuLP knows; for small terminals."""
    p = build(problem)
    result = solve_model(p.model, options)
    if result.status is Status.INFEASIBLE:
        from optimizer.models.transshipment import shortage  # CP-SAT, only needed here

        return Outcome(Status.INFEASIBLE, conflicts=shortage.explain(problem, SolveOptions(stop=options.stop)))
    bound = max(0.0, result.bound) if result.bound is not None else None
    if not result.status.has_plan:
        return Outcome(result.status, bound=bound)
    plan = tidy(problem.site, _read(p))
    cost = usd(plan_units(problem.site, plan))
    return Outcome(result.status, to_tables(problem.site, plan), cost, None if bound is None else min(bound, cost))


def _read(p: Programme) -> Plan:
    stands = {c: Stand(k, _value(p.start[c]), _value(p.leave[c])) for (c, k), on in p.on.items() if _value(on)}
    passages = {}
    for choice in p.choices:
        if _value(p.take[choice.key]):
            works = []
            for step in (0, 1) if choice.way == "yard" else (0,):
                at = choice.load.load_id, step
                worker = next(w for w in p.workers(choice.load, step) if _value(p.use[*at, _name(w)]))
                start = _value(p.begin[at])
                works.append(Work(_name(worker), start, start + minutes(choice.load, worker)))
            passages[choice.load.load_id] = Passage(choice.way, choice.onward.call_id, tuple(works))
    return Plan(stands, passages)


def _value(variable: pulp.LpVariable) -> int:
    return round(variable.value())


def export_model(problem: Transshipment, path: Path) -> None:
    """Write the programme as MPS or LP, by the suffix of ``path``."""
    model = build(problem).model
    if path.suffix.lower() == ".mps":
        model.writeMPS(str(path))
    else:
        model.writeLP(str(path), max_length=250)
