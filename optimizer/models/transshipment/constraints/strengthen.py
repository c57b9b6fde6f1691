"""What CP-SAT does not see by itself: redundant constraints (14) of the exact model, and a bound from a smaller model.

The bound: forget tracks, single works, yard, bogies and shifts that two loads share; keep which choice each load
takes, the room on trains, and when trains leave. Every plan maps onto a solution of that model with the same cost:
its choices are among ``choices.py``'s, both trains of a choice leave no earlier than its earliest end, and a train
that stands from its arrival at the earliest stands long enough for its crane minutes. So the proven bound of the
smaller model is one of the exact model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ortools.sat.python import cp_model

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.choices import Choice
from optimizer.models.transshipment.constraints.order import closed
from optimizer.models.transshipment.constraints.variables import Terminal
from optimizer.models.transshipment.exact import cost, lateness, one_fate_each, room_on_trains
from optimizer.models.transshipment.site import Call, Load, Site, crane_minutes
from optimizer.result import Status
from optimizer.solvers.cpsat import solve_cpsat


def strengthen(t: Terminal) -> None:
    """Add every redundant constraint."""
    tracks_together(t)
    cranes_together(t)
    crane_minutes_of_trains(t)
    choices_delay_trains(t)


def tracks_together(t: Terminal) -> None:
    """(14) Trains that need a length or more share the tracks of that length."""
    stands = {i: t.model.new_interval_var(t.start[i], stay, t.leave[i], "") for i, stay in t.stay.items()}
    groups = {tuple(track.track_id for track in t.site.tracks_for(call)): call for call in t.site.calls}
    for tracks in groups:
        calls = [c for c in t.site.calls if {k.track_id for k in t.site.tracks_for(c)} <= set(tracks)]
        if len(calls) > len(tracks) > 1:
            t.model.add_cumulative([stands[c.call_id] for c in calls], [1] * len(calls), len(tracks))


def cranes_together(t: Terminal) -> None:
    """(14) All cranes of a kind at once, closed hours included."""
    for form in ("container", "bulk"):
        cranes = [crane for crane in t.site.cranes if crane.handles == form]
        if len(cranes) < 2:
            continue
        works = []
        for crane in cranes:
            works += t.intervals[crane.crane_id]
            works += [t.model.new_fixed_size_interval_var(a, b - a, "") for a, b in closed(crane.open, t.site.end)]
        t.model.add_cumulative(works, [1] * len(works), len(cranes))


def train_minutes(
    site: Site, taken: Iterable[tuple[Choice, cp_model.IntVar]]
) -> dict[tuple[str, str], tuple[int, list[cp_model.LinearExpr]]]:
    """By train and form: how many cranes can reach it, and the least crane minutes of each choice at that train."""
    least: dict[tuple[str, str], tuple[int, int]] = {}

    def of(load: Load, call: Call) -> tuple[int, int]:
        if (load.load_id, call.call_id) not in least:
            cranes = site.cranes_for(load, call)
            shortest = min((crane_minutes(load, crane) for crane in cranes), default=0)
            least[load.load_id, call.call_id] = len(cranes), shortest
        return least[load.load_id, call.call_id]

    sums: dict[tuple[str, str], tuple[int, list[cp_model.LinearExpr]]] = {}
    for choice, take in taken:
        if choice.way != "bogie":
            for call in (site.call[choice.load.call_id], choice.onward):
                count, shortest = of(choice.load, call)
                _, terms = sums.setdefault((call.call_id, choice.load.form), (count, []))
                terms.append(shortest * take)
    return sums


def crane_minutes_of_trains(t: Terminal) -> None:
    """(14) A train stands at least the crane minutes of its loads over the number of cranes that can reach it."""
    for (call, _), (count, terms) in train_minutes(t.site, [(c, t.take[c.key]) for c in t.choices]).items():
        t.model.add(count * (t.leave[call] - t.start[call]) >= sum(terms))


def choices_delay_trains(t: Terminal) -> None:
    """(14) Both trains of a choice wait for its earliest end; the load is late accordingly."""
    for load in t.site.loads:
        delay_trains(t.model, t.site, t.choices_of[load.load_id], t.take, t.leave, t.late[load.load_id])


def delay_trains(
    model: cp_model.CpModel,
    site: Site,
    options: list[Choice],
    take: Mapping[tuple[str, str, str], cp_model.IntVar],
    leave: Mapping[str, cp_model.IntVar],
    late: cp_model.IntVar,
) -> None:
    """The linear form of a load's earliest ends; sums are valid because a load takes one choice at most."""
    if not options:
        return
    load = options[0].load
    by_train: dict[str, list[cp_model.LinearExpr]] = defaultdict(list)
    lateness_terms: list[cp_model.LinearExpr] = []
    for choice in options:
        inbound = site.call[load.call_id]
        for call, ready in ((inbound, choice.inbound_ready), (choice.onward, choice.onward_ready)):
            if ready > call.depart:
                by_train[call.call_id].append((ready - call.depart) * take[choice.key])
        soonest = max(choice.onward_ready, choice.onward.depart)
        if soonest > load.due:
            lateness_terms.append((soonest - load.due) * take[choice.key])
    for call_id, terms in by_train.items():
        model.add(leave[call_id] - site.call[call_id].depart >= sum(terms))
    if lateness_terms:
        model.add(late >= sum(lateness_terms))


def assignment_bound(site: Site, serve_all: bool, options: SolveOptions, work_limit: float) -> tuple[Status, int]:
    """
    Lower bound on the cost of every plan, in cost units, with the status of the smaller model.

    INFEASIBLE proves that no plan exists. The bound is rounded up to a whole unit of cost, as every plan's cost is one.
    """
    t = Terminal(site)
    for call in site.calls:
        t.start[call.call_id] = t.model.new_constant(call.arrive)
        t.leave[call.call_id] = t.model.new_int_var(
            max(call.depart, call.arrive + 1), call.latest, f"leave_{call.call_id}"
        )
    for choice in t.choices:
        t.take[choice.key] = t.model.new_bool_var("take_" + "_".join(choice.key))
    for load in site.loads:
        most = max((c.onward.latest - load.due for c in t.choices_of[load.load_id]), default=0)
        t.late[load.load_id] = t.model.new_int_var(0, max(0, most), f"late_{load.load_id}")
        t.missed[load.load_id] = t.model.new_bool_var(f"missed_{load.load_id}")
    one_fate_each(t, serve_all)
    room_on_trains(t)
    lateness(t)
    crane_minutes_of_trains(t)
    choices_delay_trains(t)
    objective, divisor = cost(site, t.take, t.missed, t.leave, t.late)
    t.model.minimize(objective)
    result = solve_cpsat(t.model, options, work_limit=work_limit)
    # Objective values are whole numbers; CP-SAT reports the bound as a float of one.
    return result.status, divisor * max(0, round(result.bound)) if result.bound is not None else 0
