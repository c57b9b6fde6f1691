"""Methods of the family: a first plan, the bound of the smaller model, then CP-SAT on the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ortools.sat.python import cp_model

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import shortage
from optimizer.models.transshipment.constraints.strengthen import assignment_bound, strengthen
from optimizer.models.transshipment.constraints.variables import CHECKS, Terminal, stand_variables
from optimizer.models.transshipment.exact import build, cost, one_track_each
from optimizer.models.transshipment.greedy import first_come_first_served, greedy
from optimizer.models.transshipment.problem import (
    COST_UNITS,
    Passage,
    Plan,
    Stand,
    Transshipment,
    Work,
    lets_go,
    plan_units,
    to_tables,
    usd,
)
from optimizer.models.transshipment.site import Site
from optimizer.result import Outcome, Progress, Status
from optimizer.solvers.cpsat import CpSatResult, solve_cpsat

WORK_LIMIT = 8.0
"""Deterministic work CP-SAT may spend where no time limit is given; three to ten seconds each on two cores.

Without a limit a busy terminal would run for hours.
"""
BOUND_WORK = 5.0
BOUND_SHARE = 0.15
"""Share of a time limit that the bound may take."""


def solve_exact(
    problem: Transshipment,
    options: SolveOptions,
    redundant: bool = True,
    start: Plan | None = None,
    known: int = 0,
) -> Outcome:
    """
    The exact model by CP-SAT.

    Without a time limit the search ends after ``WORK_LIMIT`` of deterministic work, so that a seed gives the same
    plan on every run. ``redundant`` leaves rule (10) and the bound of the smaller model out, for comparison. A plan to
    ``start`` from and a bound ``known`` already, in cost units, replace the first plan and the smaller model's bound
    where they are better.
    """
    site, clock = problem.site, _Clock(options)
    first = start if start or problem.serve_all else first_plan(site, clock.options())
    if first is None and not problem.serve_all and place_trains(site, clock.options())[0] is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE, conflicts=shortage.trains_short(site, clock.options()))
    bound = 0
    if redundant:
        status, bound = assignment_bound(site, problem.serve_all, clock.options(BOUND_SHARE), BOUND_WORK)
        if status is Status.INFEASIBLE:
            return Outcome(Status.INFEASIBLE, conflicts=shortage.explain(problem, clock.options()))
    bound = max(bound, known)
    if first is None and problem.serve_all:
        started = first_plan(site, clock.options())
        first = started if started and len(started.passages) == len(site.loads) else None
    if first is not None and plan_units(site, first) <= bound:
        return _outcome(site, Status.OPTIMAL, first, bound)
    if options.stop.is_set():
        return _outcome(site, Status.FEASIBLE if first else Status.NO_SOLUTION, first, bound)

    t = build(site, problem.serve_all)
    if redundant:
        strengthen(t)
    objective, divisor = cost(site, t.take, t.missed, t.leave, t.late)
    if bound:
        t.model.add(objective >= -(-bound // divisor))
    t.model.minimize(objective)
    result = solve_cpsat(
        t.model,
        clock.options(divisor=divisor, first=plan_units(site, first) if first else None, bound=bound),
        hint=hint(t, first) if first else None,
        work_limit=WORK_LIMIT if options.time_limit_s is None else None,
    )
    if result.status is Status.INFEASIBLE:
        return Outcome(Status.INFEASIBLE, conflicts=shortage.explain(problem, clock.options()))
    if result.bound is not None:
        bound = max(bound, divisor * round(result.bound))
    plan = tidy(site, read_plan(t, result)) if result.status.has_plan else None
    if first and (plan is None or plan_units(site, first) < plan_units(site, plan)):
        plan = first
    status = Status.OPTIMAL if result.status is Status.OPTIMAL else Status.FEASIBLE if plan else Status.NO_SOLUTION
    return _outcome(site, status, plan, bound)


def _outcome(site: Site, status: Status, plan: Plan | None, bound: int) -> Outcome:
    if plan is None:
        return Outcome(status, bound=usd(bound))
    units = plan_units(site, plan)
    return Outcome(status, to_tables(site, plan), usd(units), usd(min(bound, units)))


class _Clock:
    """Hands the time that is left, and progress in USD, to one stage after the other."""

    def __init__(self, options: SolveOptions) -> None:
        self._options, self._start = options, time.monotonic()

    def options(self, share: float = 1.0, divisor: int = 0, first: int | None = None, bound: int = 0) -> SolveOptions:
        """Options of a stage; only one with a ``divisor``, cost units per unit of its objective, reports progress."""
        gone = time.monotonic() - self._start
        limit, tell = self._options.time_limit_s, self._options.on_progress
        # A limit that has passed still leaves a moment, so that the stage itself says what it knows.
        left = None if limit is None else max(0.01, (limit - gone) * share)

        def report(progress: Progress) -> None:
            costs = [
                c for c in (first, None if progress.cost is None else round(progress.cost) * divisor) if c is not None
            ]
            proven = max(bound, round(progress.bound) * divisor if progress.bound is not None else 0)
            assert tell is not None
            tell(Progress(min(costs) / COST_UNITS if costs else None, proven / COST_UNITS, gone + progress.elapsed_s))

        return replace(self._options, solver=None, time_limit_s=left, on_progress=report if tell and divisor else None)


def first_plan(site: Site, options: SolveOptions) -> Plan | None:
    """A valid plan without search where trains fit in order of arrival, else with trains placed by CP-SAT."""
    stands = first_come_first_served(site)
    if stands is None:
        _, stands = place_trains(site, options)
    return tidy(site, greedy(site, stands)) if stands else None


def place_trains(site: Site, options: SolveOptions) -> tuple[Status, dict[str, Stand] | None]:
    """Trains alone on tracks, at the least waiting cost; INFEASIBLE proves that no plan exists."""
    t = Terminal(site)
    stand_variables(t)
    one_track_each(t)
    objective, _ = cost(site, {}, {}, t.leave, {})
    t.model.minimize(objective)
    result = solve_cpsat(t.model, options, work_limit=BOUND_WORK)
    return result.status, _stands(t, result.value) if result.status.has_plan else None


def tidy(site: Site, plan: Plan) -> Plan:
    """The same works with trains leaving as soon as they may; never dearer, and never in each other's way."""
    needed = {call.call_id: max(call.depart, plan.stands[call.call_id].start + 1) for call in site.calls}
    by_id = {load.load_id: load for load in site.loads}
    for load_id, passage in plan.passages.items():
        load = by_id[load_id]
        inbound, onward = lets_go(load, passage)
        needed[passage.onward] = max(needed[passage.onward], onward)
        needed[load.call_id] = max(needed[load.call_id], inbound)
    stands = {call_id: replace(stand, leave=needed[call_id]) for call_id, stand in plan.stands.items()}
    return Plan(stands, plan.passages)


def _stands(t: Terminal, value: Callable[[cp_model.LinearExprT], int]) -> dict[str, Stand]:
    return {
        call: Stand(track, value(t.start[call]), value(t.leave[call]))
        for (call, track), on in t.on.items()
        if value(on)
    }


def read_plan(t: Terminal, result: CpSatResult) -> Plan:
    """The plan a solved model holds."""
    value = result.value
    passages = {}
    for choice in t.choices:
        if not value(t.take[choice.key]):
            continue
        i = choice.load.load_id
        works = []
        num_works = 2 if choice.way == "yard" else 1
        for step in (*range(num_works), *range(CHECKS, CHECKS + len(choice.load.checks))):
            used = next(r.name for r in t.resources(choice.load, step) if value(t.use[i, step, r.name]))
            works.append(Work(used, value(t.begin[i, step]), value(t.end[i, step])))
        passages[i] = Passage(choice.way, choice.onward.call_id, tuple(works[:num_works]), tuple(works[num_works:]))
    return Plan(_stands(t, value), passages)


def hint(t: Terminal, plan: Plan) -> dict[cp_model.IntVar, int]:
    """A plan as values of the deciding variables."""
    values: dict[cp_model.IntVar, int] = {}
    for (call, track), on in t.on.items():
        values[on] = int(track == plan.stands[call].track)
    for call, stand in plan.stands.items():
        values[t.start[call]], values[t.leave[call]] = stand.start, stand.leave
    for load in t.site.loads:
        i, passage = load.load_id, plan.passages.get(load.load_id)
        values[t.missed[i]] = int(passage is None)
        values[t.late[i]] = max(0, plan.stands[passage.onward].leave - load.due) if passage else 0
        for choice in t.choices_of[i]:
            values[t.take[choice.key]] = int(passage is not None and (passage.onward, passage.way) == choice.key[1:])
        for step, work in _steps(passage):
            values[t.begin[i, step]], values[t.end[i, step]] = work.start, work.end
    workers = {(i, step): work.resource for i, passage in plan.passages.items() for step, work in _steps(passage)}
    for (i, step, resource), used in t.use.items():
        values[used] = int(workers.get((i, step)) == resource)
    return values


def _steps(passage: Passage | None) -> list[tuple[int, Work]]:
    """Works and checks with the steps of the model."""
    return [] if passage is None else [*enumerate(passage.works), *enumerate(passage.checks, start=CHECKS)]
