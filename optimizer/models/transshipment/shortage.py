"""Why no plan exists, in a planner's words: the same model with every limit soft, at the least total excess.

Loosened are the trains' latest departures, their room, and the yard; loads may be missed, at a price above everything
else. What still misses names itself: no train serves its place, no crane handles it, or bogies, empty wagons or hours
are too few.
"""

from __future__ import annotations

from dataclasses import replace

from ortools.sat.python import cp_model

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.constraints.order import (
    checks_in_chain,
    cranes_in_line,
    one_work_at_a_time,
    set_ups,
)
from optimizer.models.transshipment.constraints.stocks import bogie_stock, empty_wagons, yard_limits
from optimizer.models.transshipment.constraints.variables import Terminal, load_variables, stand_variables
from optimizer.models.transshipment.exact import (
    first_work_at_inbound_train,
    one_fate_each,
    one_track_each,
    onward_sums,
    work_at_onward_train,
)
from optimizer.models.transshipment.problem import Transshipment
from optimizer.models.transshipment.site import SPARE, Load, Site
from optimizer.models.transshipment.words import clock, why_impossible
from optimizer.solvers.cpsat import CpSatResult, solve_cpsat

WORK_LIMIT = 20.0
UNIT_WORDS = {"container": ("TEU", 1000), "bulk": ("t", 1000), "wagons": ("wagons with changed bogies", 1)}


def trains_short(site: Site, options: SolveOptions) -> tuple[str, ...]:
    """Which trains would have to stay longer so that all find a track."""
    t = Terminal(_roomier(site))
    stand_variables(t)
    one_track_each(t)
    over = _overtime(t, site)
    t.model.minimize(sum(over.values()))
    result = solve_cpsat(t.model, options, work_limit=WORK_LIMIT)
    if not result.status.has_plan:
        return ("the trains do not fit on the tracks before their latest departures",)
    return tuple(_overtime_words(t, site, over, result))


def explain(problem: Transshipment, options: SolveOptions) -> tuple[str, ...]:
    """What would have to give so that trains, and with ``serve_all`` loads, can all be planned."""
    site = problem.site
    if not problem.serve_all:
        return trains_short(site, options)
    t = Terminal(_roomier(site))
    stand_variables(t)
    load_variables(t)
    one_track_each(t)
    one_fate_each(t, serve_all=False)
    first_work_at_inbound_train(t)
    work_at_onward_train(t)
    one_work_at_a_time(t)
    bogie_stock(t)
    checks_in_chain(t)
    set_ups(t)
    cranes_in_line(t)
    empty_wagons(t)
    yard = {form: t.model.new_int_var(0, _total(site, form), f"more_yard_{form}") for form in site.yard}
    _soft_yard(t, site, yard)
    room = _soft_room(t, site)
    over = _overtime(t, site)
    # A missed load outweighs all excesses together, so only loads that no excess can help are missed.
    excess = [*over.values(), *yard.values(), *room.values()]
    most = SPARE * len(over) + sum(_total(site, u) for u in (*site.yard, "container", "bulk", "wagons")) * len(over)
    t.model.minimize(sum(excess) + (most + 1) * sum(t.missed.values()))
    result = solve_cpsat(t.model, options, work_limit=WORK_LIMIT)
    if not result.status.has_plan:
        return (f"not all {len(site.loads)} loads can be taken over in time",)
    words = [_why_missed(site, load) for load in site.loads if result.value(t.missed[load.load_id])]
    words += _overtime_words(t, site, over, result)
    for (call, unit), more in room.items():
        if amount := result.value(more):
            name, scale = UNIT_WORDS[unit]
            words.append(
                f"train {call} has room for {site.call[call].room[unit] / scale:g} {name}, {amount / scale:g} too few"
            )
    for form, more in yard.items():
        if amount := result.value(more):
            name, scale = UNIT_WORDS[form]
            words.append(f"the yard holds {site.yard[form] / scale:g} {name}, {amount / scale:g} too few")
    return tuple(words) or (f"not all {len(site.loads)} loads can be taken over in time",)


def _roomier(site: Site) -> Site:
    """The terminal with trains that may stay longer, and room for everything on trains and in the yard."""
    everything = {unit: _total(site, unit) for unit in UNIT_WORDS}
    calls = tuple(
        replace(
            call,
            latest=call.latest + SPARE,
            room={unit: max(everything[unit], room) for unit, room in call.room.items()},
        )
        for call in site.calls
    )
    return replace(site, calls=calls, yard={form: max(everything[form], held) for form, held in site.yard.items()})


def _total(site: Site, unit: str) -> int:
    if unit == "wagons":
        return sum(load.wagons for load in site.loads)
    return sum(load.size for load in site.loads if load.form == unit)


def _overtime(t: Terminal, site: Site) -> dict[str, cp_model.IntVar]:
    over = {call.call_id: t.model.new_int_var(0, SPARE, f"over_{call.call_id}") for call in site.calls}
    for call in site.calls:
        t.model.add(t.leave[call.call_id] - over[call.call_id] <= call.latest)
    return over


def _soft_room(t: Terminal, site: Site) -> dict[tuple[str, str], cp_model.IntVar]:
    more = {}
    for call in site.calls:
        for unit, amounts in onward_sums(t, call).items():
            if amounts:
                extra = more[call.call_id, unit] = t.model.new_int_var(0, _total(site, unit), "")
                t.model.add(sum(amounts) - extra <= call.room[unit])
    return more


def _soft_yard(t: Terminal, site: Site, yard: dict[str, cp_model.IntVar]) -> None:
    t.site = replace(t.site, yard=site.yard)
    yard_limits(t, yard)


def _overtime_words(t: Terminal, site: Site, over: dict[str, cp_model.IntVar], result: CpSatResult) -> list[str]:
    words = []
    for call in site.calls:
        if late := result.value(over[call.call_id]):
            track = next(k for (c, k), on in t.on.items() if c == call.call_id and result.value(on))
            words.append(
                f"train {call.call_id} must be gone by {clock(call.latest)}, but track and crane hours"
                f" ({call.gauge_mm} mm, track {track}) let it go {late} min later"
            )
    return words


def _why_missed(site: Site, load: Load) -> str:
    reason = why_impossible(site, load) or (
        "no crane, bay, post, bogie sets or empty wagons for it, however long the trains stay"
    )
    return f"load {load.load_id} cannot go on: {reason}"
