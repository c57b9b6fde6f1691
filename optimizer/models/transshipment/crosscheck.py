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
from fractions import Fraction
from pathlib import Path

import pulp

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.crosscheck_model import CHECKS, Programme, Step, check_steps, order
from optimizer.models.transshipment.crosscheck_stocks import bogie_stock, empty_wagons, yard_limits
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
from optimizer.models.transshipment.site import Bay, Call, Crane, Worker, gap, minutes
from optimizer.result import Outcome, Status
from optimizer.solvers.mip import solve_model

MOST_PAIRS = 60_000
"""Pairs of works that may have to be put in order; above, the file grows past what a stock solver makes anything of."""


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
    works += sum(len(load.checks) for load in p.site.loads)
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
    empty_wagons(p)
    checks_in_chain(p)
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
            first, second = order(p, f"train_{a}_{b}", (p.start[a], p.leave[a]), (p.start[b], p.leave[b]))
            for k in shared:
                both = p.on[a, k.track_id] + p.on[b, k.track_id] - 1
                p.add(f"apart_{a}_{b}_{k.track_id}", both <= first + second)


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
    """(6) Each work and check by one crane, bay or post, inside one of its windows."""
    steps = [(load, step) for load in p.site.loads for step in (0, 1, *check_steps(load))]
    for load, step in steps:
        i, workers = load.load_id, p.workers(load, step)
        if not workers:
            continue
        begin = p.begin[i, step] = p.minute(f"begin_{i}_{step}", p.site.call[load.call_id].arrive, p.site.end)
        lasting = []
        for worker in workers:
            name = worker.name
            used = p.use[i, step, name] = p.binary(f"use_{i}_{step}_{name}")
            lasting.append(minutes(load, worker, out=step == 1) * used)
        end = p.end[i, step] = begin + pulp.lpSum(lasting)
        for worker in workers:
            name = worker.name
            inside = []
            for number, (opens, closes) in enumerate(worker.open):
                here = p.binary(f"in_{i}_{step}_{name}_{number}")
                p.add(f"opens_{i}_{step}_{name}_{number}", begin >= opens * here)
                p.add(f"closes_{i}_{step}_{name}_{number}", end <= closes + 2 * p.big * (1 - here))
                inside.append(here)
            p.add(f"window_{i}_{step}_{name}", pulp.lpSum(inside) == p.use[i, step, name])
        bays = pulp.lpSum(p.use[i, step, w.name] for w in workers if isinstance(w, Bay))
        others = pulp.lpSum(p.use[i, step, w.name] for w in workers if not isinstance(w, Bay))
        if step >= CHECKS:
            p.add(f"post_{i}_{step}", others == 1 - p.missed[i])
            continue
        p.add(f"crane_{i}_{step}", others == p.takes(load, *(("yard",) if step else ("direct", "yard"))))
        if step == 0:
            p.add(f"bay_{i}", bays == p.takes(load, "bogie"))


def works_at_trains(p: Programme) -> None:
    """(4), (5) and (9)"""
    big = 2 * p.big
    for load in p.site.loads:
        i, inbound = load.load_id, p.site.call[load.call_id]
        for worker in p.workers(load, 0):
            used, name = p.use[i, 0, worker.name], f"{i}_{worker.name}"
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
    """(6), (11) and (12) Two works of one worker, or of cranes that would cross, one after the other."""
    loads = {load.load_id: load for load in p.site.loads}
    known: list[Worker] = [*p.site.cranes, *p.site.bays, *p.site.posts]
    by_name = {worker.name: worker for worker in known}
    workers: dict[Step, list[Worker]] = {}
    for i, step, name in p.use:
        workers.setdefault((i, step), []).append(by_name[name])
    for one, two in itertools.combinations(workers, 2):
        if one[0] == two[0]:
            continue
        pairs = [
            (a, b, apart)
            for a, b in itertools.product(workers[one], workers[two])
            if (apart := gap(a, loads[one[0]], b, loads[two[0]])) is not None
        ]
        if not pairs:
            continue
        name = f"work_{one[0]}_{one[1]}_{two[0]}_{two[1]}"
        first, second = order(p, name, (p.begin[one], p.end[one]), (p.begin[two], p.end[two]))
        for a, b, apart in pairs:
            both = p.use[*one, a.name] + p.use[*two, b.name] - 1
            p.add(f"apart_{name}_{a.name}_{b.name}", both <= first + second)
            if apart:
                big = p.big + apart
                after, before = p.begin[two] - p.end[one], p.begin[one] - p.end[two]
                p.add(f"setup_{name}_{a.name}", after >= apart - big * (1 - first) - big * (1 - both))
                p.add(f"turned_{name}_{a.name}", before >= apart - big * (1 - second) - big * (1 - both))


def checks_in_chain(p: Programme) -> None:
    """(10) Checks before the first work, between the works and after the last, in order and where the trains stand."""
    big = 2 * p.big
    for load in p.site.loads:
        i, inbound = load.load_id, load.call_id
        steps = list(check_steps(load))
        first, second = len(load.before), len(load.before) + len(load.between)
        before, between, after = steps[:first], steps[first:second], steps[second:]
        chain = [*before, 0, *between, 1, *after]
        for one, two in itertools.pairwise(step for step in chain if (i, step) in p.begin):
            if {one, two} != {0, 1}:  # else rule (5)
                p.add(f"chain_{i}_{one}_{two}", p.begin[i, two] >= p.end[i, one])
        if before:
            p.add(f"check_stands_{i}", p.begin[i, before[0]] >= p.start[inbound] - big * p.missed[i])
            p.add(f"check_leaves_{i}", p.end[i, before[-1]] <= p.leave[inbound] + big * p.missed[i])
        for choice in p.choices if after else ():
            if choice.load is load:
                o, take, name = choice.onward.call_id, p.take[choice.key], "_".join(choice.key)
                last = p.end[i, int(choice.way == "yard")]
                p.add(f"after_{name}", p.begin[i, after[0]] >= last - big * (1 - take))
                p.add(f"after_stands_{name}", p.begin[i, after[0]] >= p.start[o] - big * (1 - take))
                p.add(f"after_leaves_{name}", p.end[i, after[-1]] <= p.leave[o] + big * (1 - take))


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
            num_works = 2 if choice.way == "yard" else 1
            for step in (*range(num_works), *check_steps(choice.load)):
                at = choice.load.load_id, step
                worker = next(w for w in p.workers(choice.load, step) if _value(p.use[*at, w.name]))
                start = _value(p.begin[at])
                works.append(Work(worker.name, start, start + minutes(choice.load, worker, out=step == 1)))
            checks = tuple(works[num_works:])
            passages[choice.load.load_id] = Passage(choice.way, choice.onward.call_id, tuple(works[:num_works]), checks)
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
