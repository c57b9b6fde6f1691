"""Why a load goes with its train by its way, what else it could do, and what holding it to that would change.

What a load costs by itself (its way, its lateness) is read off the plan. What a change would cost all of them is found
by solving the terminal again with the load held to a train or a way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from optimizer.errors import UsageError, VerificationError, did_you_mean, or_known
from optimizer.models.family import Explanation, Inquiry, Table
from optimizer.models.transshipment import FAMILY
from optimizer.models.transshipment.choices import Choice, pair_choices
from optimizer.models.transshipment.problem import (
    Passage,
    Plan,
    Transshipment,
    Way,
    late_units,
    plan_units,
    price_units,
    read_tables,
    usd,
)
from optimizer.models.transshipment.site import Call, Load, Site
from optimizer.models.transshipment.words import clock, why_impossible
from optimizer.result import Solution, Status

WAYS: tuple[Way, ...] = ("direct", "yard", "bogie")
WAY_WORDS = {"direct": "by a direct move", "yard": "through the yard", "bogie": "by bogie exchange"}
TIME_LIMIT_S = 20.0
MOST_MOVES = 12


@dataclass(frozen=True)
class Fate:
    """One thing a load could do at the times of the plan: what it costs by itself, and what stands against it."""

    call: Call
    way: Way
    units: int
    against: str

    @property
    def words(self) -> str:
        return f"with {self.call.call_id} {WAY_WORDS[self.way]}"


def explain(problem: Transshipment, solution: Solution, inquiry: Inquiry) -> Explanation:
    """
    Why the load fares as it does in the plan.

    Raises
    ------
    UsageError
        No such load, or what is forced or avoided is no train that could take it and no way.
    """
    site, plan = problem.site, read_tables(solution)
    load = next((load for load in site.loads if load.load_id == inquiry.subject), None)
    if load is None:
        near = or_known(inquiry.subject, [load.load_id for load in site.loads], "terminal_loads.csv")
        raise UsageError(f"no load '{inquiry.subject}' at {site.terminal_id}{near}")
    passage = plan.passages.get(load.load_id)
    fates = sorted(_fates(site, plan, load), key=lambda fate: (fate.units, fate.call.call_id, fate.way))
    own = next((f for f in fates if passage and (f.call.call_id, f.way) == (passage.onward, passage.way)), None)
    sentences = [_what_happens(site, plan, load, passage), *_why(site, plan, load, own, fates)]
    tables = [_fates_table(site, plan, load, own, fates)] if fates else []
    for words, trains, ways in _asked(site, load, inquiry) or _unasked(load, own, fates):
        told, table = _held(problem, plan, load, (words, trains, ways), inquiry)
        sentences.append(told)
        tables += [table] if table else []
    return Explanation(tuple(sentences), tuple(tables))


def _fates(site: Site, plan: Plan, load: Load) -> Iterator[Fate]:
    for call in site.onward(load):
        leave = plan.stands[call.call_id].leave
        possible = {choice.way: choice for choice in pair_choices(site, load, call)}
        for way in WAYS:
            if way in load.ways:
                units = price_units(site, load, way) + late_units(load, call, leave)
                yield Fate(call, way, units, _against(site, plan, load, call, way, possible.get(way)))


def _against(site: Site, plan: Plan, load: Load, call: Call, way: Way, choice: Choice | None) -> str:
    """What keeps a load from a train at the times of the plan; blank when nothing does by itself."""
    if choice is None:
        return "not even alone in time, room and reach"
    leave = plan.stands[call.call_id].leave
    if choice.onward_ready > leave:
        return f"leaves {clock(leave)}, it could be there {clock(choice.onward_ready)} at the earliest"
    kind = "wagons" if way == "bogie" else load.form
    amount = load.wagons if way == "bogie" else load.size
    taken = sum(
        other.wagons if way == "bogie" else other.size
        for other in site.loads
        for passage in [plan.passages.get(other.load_id)]
        if other is not load
        and passage is not None
        and passage.onward == call.call_id
        and (passage.way == "bogie") == (way == "bogie")
        and (way == "bogie" or other.form == load.form)
    )
    if taken + amount > call.room[kind]:
        return f"full: room for {_amount(kind, call.room[kind])}, others take {_amount(kind, taken)}"
    return ""


def _amount(kind: str, amount: int) -> str:
    return f"{amount} wagons" if kind == "wagons" else f"{amount / 1000:g} {'TEU' if kind == 'container' else 't'}"


def _fates_table(site: Site, plan: Plan, load: Load, own: Fate | None, fates: Sequence[Fate]) -> Table:
    rows = []
    for fate in fates:
        leave = plan.stands[fate.call.call_id].leave
        late = max(0, leave - load.due)
        base = usd(own.units) if own else usd(load.missed_cents * 60)
        rows.append([
            fate.call.call_id, fate.way, clock(leave), f"{late / 60:.1f}" if late else "",
            f"{usd(price_units(site, load, fate.way)):,.2f}", f"{usd(late_units(load, fate.call, leave)):,.2f}",
            "in the plan" if fate is own else f"{usd(fate.units) - base:+,.2f}", fate.against,
        ])  # fmt: skip
    columns = ("train", "way", "out", "late h", "way USD", "late USD", "beyond the plan", "what stands against it")
    note = "at the times of the plan, for the load by itself; blank: crane, yard or other loads decide"
    return Table(f"What load {load.load_id} could do", columns, rows, note)


# --- words -----------------------------------------------------------------------------------------------------------


def _what_happens(site: Site, plan: Plan, load: Load, passage: Passage | None) -> str:
    inbound = site.call[load.call_id]
    start = (
        f"load {load.load_id} ({load.form}, {load.moves} moves) comes with {load.call_id} at {clock(inbound.arrive)} "
        f"for {load.destination}, due out by {clock(load.due)}."
    )
    if passage is None:
        return f"{start} It is missed, at {usd(load.missed_cents * 60):,.2f} USD."
    leave = plan.stands[passage.onward].leave
    works = ", then ".join(f"{work.resource} {clock(work.start)}-{clock(work.end)}" for work in passage.works)
    late = max(0, leave - load.due)
    lateness = f"{late / 60:.1f} h late" if late else "in time"
    cost = usd(price_units(site, load, passage.way) + late_units(load, site.call[passage.onward], leave))
    return (
        f"{start} It goes with {passage.onward} {WAY_WORDS[passage.way]} ({works}), out {clock(leave)}, {lateness}, "
        f"for {cost:,.2f} USD."
    )


def _why(site: Site, plan: Plan, load: Load, own: Fate | None, fates: Sequence[Fate]) -> Iterator[str]:
    if own is None:
        if words := why_impossible(site, load):
            yield f"why it is missed: {words}."
            return
        yield from _cheapest_repair(site, plan, load, fates)
    open_others = [fate for fate in fates if fate is not own and not fate.against]
    if own is not None and not [fate for fate in fates if fate is not own]:
        yield "there is no other train and way for it."
    elif own is not None and open_others and open_others[0].units > own.units:
        more = usd(open_others[0].units - own.units)
        yield f"its next best, {open_others[0].words}, costs {more:,.2f} USD more by itself."
    for fate in fates:
        if own is not None and fate.against and fate.units < own.units:
            less = usd(own.units - fate.units)
            yield f"{fate.words} it would cost {less:,.2f} USD less, but the train {fate.against}."
            return


def _cheapest_repair(site: Site, plan: Plan, load: Load, fates: Sequence[Fate]) -> Iterator[str]:
    """For a missed load: the train that would have to wait the shortest, or the room that is short the least."""
    waits = []
    for fate in fates:
        choice = next((c for c in pair_choices(site, load, fate.call) if c.way == fate.way), None)
        if choice is not None:
            waits.append((max(0, choice.onward_ready - plan.stands[fate.call.call_id].leave), fate))
    if not waits:
        yield "why it is missed: no train stays long enough, has the room or can be reached, even were it alone."
        return
    wait, fate = min(waits, key=lambda item: (item[0], item[1].units, item[1].call.call_id, item[1].way))
    cheaper = f"missing it costs {usd(load.missed_cents * 60):,.2f} USD"
    if wait:
        cost = wait * fate.call.wait_cents_per_h
        yield (
            f"why it is missed: its trains leave too early or are full. {fate.call.call_id} would have to wait at "
            f"least {wait} min more for it, {usd(cost):,.2f} USD; {cheaper}."
        )
    elif fate.against:
        yield f"why it is missed: {fate.words} it could go in time, but the train is {fate.against}; {cheaper}."
    else:
        yield f"why it is missed: {fate.words} it has time and room, but cranes or yard serve others; {cheaper}."


# --- counterfactuals -------------------------------------------------------------------------------------------------

Held = tuple[str, frozenset[str], tuple[Way, ...]]
"""Words, trains it may take, ways it may go."""


def _asked(site: Site, load: Load, inquiry: Inquiry) -> list[Held]:
    trains = frozenset(call.call_id for call in site.onward(load))
    ways = tuple(way for way in WAYS if way in load.ways)
    found: list[Held] = []
    for name, verb in ((inquiry.forced, "held to"), (inquiry.avoid, "kept from")):
        if not name:
            continue
        if name not in trains and name not in ways:
            near = did_you_mean(name, [*trains, *ways])
            raise UsageError(
                f"'{name}' is neither a train that could take load {load.load_id} on nor one of its ways "
                f"({', '.join(ways)}){near}"
            )
        mine = {name} if verb == "held to" else (trains | set(ways)) - {name}
        found.append((
            f"{verb} {name}",
            trains & mine if name in trains else trains,
            tuple(way for way in ways if way in mine) if name in ways else ways,
        ))  # fmt: skip
    return found


def _unasked(load: Load, own: Fate | None, fates: Sequence[Fate]) -> list[Held]:
    """The cheapest other train and way that time and room do not rule out; for a missed load, any."""
    for fate in fates:
        if fate is not own and not fate.against:
            return [(f"held to {fate.call.call_id} {WAY_WORDS[fate.way]}", frozenset({fate.call.call_id}), (fate.way,))]
    return []


def held_to(problem: Transshipment, load_id: str, trains: Collection[str], ways: Sequence[Way]) -> Transshipment:
    """The problem in which a load may go with these trains and by these ways only; every plan of it is one of the
    problem's."""
    corridor = problem.corridor
    only = f"for {load_id}"  # a destination of its own, which only these trains serve
    calls, loads = corridor.table("train_calls").copy(), corridor.table("terminal_loads").copy()
    calls["destinations"] = [
        (*served, only) if call_id in trains else served
        for call_id, served in zip(calls["call_id"], calls["destinations"], strict=True)
    ]
    mine = (loads["load_id"] == load_id).to_numpy()
    loads["destination"] = loads["destination"].where(~mine, only)
    loads["modes"] = [tuple(ways) if is_mine else modes for is_mine, modes in zip(mine, loads["modes"], strict=True)]
    tables = {**corridor.tables, "train_calls": calls, "terminal_loads": loads}
    return Transshipment(replace(corridor, tables=tables), problem.site.terminal_id, problem.serve_all)


def _held(problem: Transshipment, plan: Plan, load: Load, held: Held, inquiry: Inquiry) -> tuple[str, Table | None]:
    words, trains, ways = held
    if not trains or not ways:
        return f"{words}: it would be missed, no train and way are left.", None
    site = problem.site
    options = replace(inquiry.options, time_limit_s=inquiry.options.time_limit_s or TIME_LIMIT_S)
    outcome = FAMILY.methods["engine"](held_to(problem, load.load_id, trains, ways), options)
    if outcome.solution is None or outcome.cost is None:
        return f"{words}: there is no such plan, or time ran out before one was found.", None
    if broken := FAMILY.verify(problem, outcome.solution, outcome.cost):
        raise VerificationError(f"the plan of a load held back breaks a rule; this is a defect: {broken[0]}")
    there = read_tables(outcome.solution)
    base = usd(plan_units(site, plan))
    more = outcome.cost - base
    sure = "" if outcome.status is Status.OPTIMAL else f" (at least {(outcome.bound or 0.0) - base:,.2f}, by the bound)"
    passage = there.passages.get(load.load_id)
    goes = f"goes with {passage.onward} {WAY_WORDS[passage.way]}" if passage else "is missed"
    rows = _moves(site, plan, there, load)
    others = f"{len(rows) or 'nothing'} else would change" if len(rows) != 1 else "one thing else would change"
    told = (
        f"{words} the whole terminal costs {abs(more):,.2f} USD {'more' if more >= 0 else 'less'}{sure}; the load then "
        f"{goes}, and {others}."
    )
    if not rows:
        return told, None
    note = f"and {len(rows) - MOST_MOVES} more" if len(rows) > MOST_MOVES else ""
    columns = ("what", "in the plan", "then")
    return told, Table(f"What changes when {load.load_id} is {words}", columns, rows[:MOST_MOVES], note)


def _moves(site: Site, before: Plan, after: Plan, load: Load) -> list[list[str]]:
    """Other loads that change train or way, then trains that leave at another minute."""

    def fate(plan: Plan, load_id: str) -> str:
        passage = plan.passages.get(load_id)
        return f"{passage.onward} {passage.way}" if passage else "missed"

    rows = [
        [f"load {other.load_id}", fate(before, other.load_id), fate(after, other.load_id)]
        for other in site.loads
        if other is not load and fate(before, other.load_id) != fate(after, other.load_id)
    ]
    for call in site.calls:
        left, leaves = before.stands[call.call_id].leave, after.stands[call.call_id].leave
        if left != leaves and max(left, leaves) > call.depart:
            rows.append([f"train {call.call_id} out", clock(left), clock(leaves)])
    return rows
