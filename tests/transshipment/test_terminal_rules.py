"""Checks, set-ups, runways, rehandles, empty wagons, breaks: two formulations, first plans, verifier."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import rich_terminals

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment
from optimizer.models.transshipment.aims import aims_of, fallbacks
from optimizer.models.transshipment.dispatch import Past, play
from optimizer.models.transshipment.engine import solve_engine
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation import build
from optimizer.models.transshipment.relaxation_solve import solve, solve_whole
from optimizer.models.transshipment.search import first_plan, solve_exact, tidy
from optimizer.models.transshipment.verify import verify
from optimizer.result import Status

RICH = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@RICH
@given(corridor=rich_terminals())
def test_both_formulations_agree_and_first_plans_hold(corridor):
    problem = Transshipment(corridor)
    one = solve_exact(problem, SolveOptions())
    other = FAMILY.methods["crosscheck"](problem, SolveOptions())
    assert one.status == other.status
    if one.status.has_plan:
        assert one.cost == pytest.approx(other.cost, abs=1e-6)
        assert not verify(problem, one.solution, one.cost)
        assert not verify(problem, other.solution, other.cost)
        first = first_plan(problem.site, SolveOptions())
        assert not verify(problem, to_tables(problem.site, first), usd(plan_units(problem.site, first)))
        assert usd(plan_units(problem.site, first)) >= one.cost - 1e-9
    else:
        assert one.conflicts


@RICH
@given(corridor=rich_terminals(max_trains=4, max_loads=6), width=st.sampled_from([15, 60]), serve_all=st.booleans())
def test_bounds_of_plainer_relaxations_hold_and_played_plans_are_valid(corridor, width, serve_all):
    problem = Transshipment(corridor, serve_all=serve_all)
    site = problem.site
    outcome = solve_exact(problem, SolveOptions())
    relaxation = build(site, width, serve_all)
    relaxed, whole = solve(relaxation, SolveOptions()), solve_whole(relaxation, SolveOptions())
    if outcome.status is Status.OPTIMAL:
        assert usd(max(relaxed.bound_units, whole.bound_units)) <= outcome.cost + 1e-9
        assert relaxed.values is not None
        aims = aims_of(relaxation, relaxed.values)
        plan = play(site, aims.loads, aims.leaves, fallbacks(site, relaxation.groups))
        if plan is not None:
            plan = tidy(site, plan)
            cost = usd(plan_units(site, plan))
            if not serve_all or len(plan.passages) == len(site.loads):
                assert not verify(problem, to_tables(site, plan), cost)
                assert cost >= outcome.cost - 1e-9


@RICH
@given(corridor=rich_terminals(max_trains=5, max_loads=8), data=st.data())
def test_whatever_it_aims_at_a_played_plan_is_valid_and_can_be_resumed(corridor, data):
    problem = Transshipment(corridor)
    site = problem.site
    ways = {i: aims for i, aims in fallbacks(site, build(site, 60).groups).items() if aims}
    aims = {i: data.draw(st.sampled_from(options)) for i, options in ways.items()}
    leaves = {call.call_id: data.draw(st.integers(call.arrive, call.latest)) for call in site.calls}
    plan = play(site, aims, leaves, ways)
    if plan is None:
        return
    plan = tidy(site, plan)
    assert not verify(problem, to_tables(site, plan), usd(plan_units(site, plan)))
    past = Past(plan, data.draw(st.integers(0, site.end)))
    again = play(site, aims, leaves, ways, past=past)
    if again is None:
        return
    again = tidy(site, again)
    assert not verify(problem, to_tables(site, again), usd(plan_units(site, again)))
    for load_id, passage in again.passages.items():
        if past.has_begun(load_id):
            assert {*past.works(load_id)} <= {*passage.works}
            assert {*past.checks(load_id)} <= {*passage.checks}


@settings(RICH, max_examples=15)
@given(corridor=rich_terminals(max_trains=4, max_loads=5))
def test_engine_finds_the_optimum_of_small_terminals(corridor):
    problem = Transshipment(corridor)
    exact, found = solve_exact(problem, SolveOptions()), solve_engine(problem, SolveOptions())
    assert found.status is exact.status
    if found.status is Status.OPTIMAL:
        assert found.cost == exact.cost == found.bound
        assert not verify(problem, found.solution, found.cost)
