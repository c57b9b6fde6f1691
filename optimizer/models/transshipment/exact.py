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

(10) Checks: one post per check of a load that goes on, one check after the other. Those before: ``s_in <= b``, ``e <=
     d_in``, and all end before the first work begins; those between after the first work and before the second; those
     after begin once the last work has ended and o stands, with ``e <= d_o``.
(11) Set-ups: works of one crane, bay or post on loads that came with different trains lie its set-up apart.
(12) Runways: of the cranes of one runway, in the order in which they stand, the j-th works at any time at least j - i
     zones beyond the i-th. For each pair i < j and each zone z the works of i in zones >= z and those of j in zones < z
     + j - i do not overlap. (Neighbours alone would let cranes pass one that is idle between them.)
(13) Empty wagons of a gauge, where they are counted: a crane work that puts a load onto a train takes the load's
     wagons of that train's gauge at its beginning, the work that takes it off its own train gives as many of that
     gauge at its end.

Variables stand in ``constraints/variables.py``, rules (7), (8), (13) in ``stocks.py``, (6), (10) to (12) in
``order.py``; redundant constraints (14) that raise the bound in ``strengthen.py``, the search in ``search.py``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from ortools.sat.python import cp_model

from optimizer.models.transshipment.constraints.order import (
    checks_in_chain,
    cranes_in_line,
    one_work_at_a_time,
    set_ups,
)
from optimizer.models.transshipment.constraints.stocks import bogie_stock, empty_wagons, yard_limits
from optimizer.models.transshipment.constraints.variables import (
    FIRST,
    SECOND,
    Terminal,
    load_variables,
    stand_variables,
)
from optimizer.models.transshipment.problem import price_units
from optimizer.models.transshipment.site import Call, Crane, Site


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
    checks_in_chain(t)
    set_ups(t)
    cranes_in_line(t)
    empty_wagons(t)
    lateness(t)
    return t


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
            used = t.use[i, FIRST, resource.name]
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
                _reaches(t, resource, choice.onward, [take, t.use[i, step, resource.name]])
    for load in t.site.loads:
        for take in t.takes(load, "yard"):
            t.model.add(t.begin[load.load_id, SECOND] >= t.end[load.load_id, FIRST]).only_enforce_if(take)


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
