"""Checks, set-ups, runways, rehandles, empty wagons, breaks: two formulations, first plans, verifier."""

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import rich_terminals

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.search import first_plan, solve_exact
from optimizer.models.transshipment.verify import verify

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
