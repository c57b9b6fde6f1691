"""Bounds of the relaxation, plans played through and the engine, against proved optima of small terminals."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import terminals

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import Transshipment
from optimizer.models.transshipment.aims import aims_of, fallbacks
from optimizer.models.transshipment.dispatch import play
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation import build, solve, solve_whole
from optimizer.models.transshipment.search import solve_exact, tidy
from optimizer.models.transshipment.verify import verify
from optimizer.result import Status

SLOW = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(
    corridor=terminals(max_trains=4, max_loads=6),
    width=st.sampled_from([7, 15, 30, 60, 240]),
    serve_all=st.booleans(),
    method=st.sampled_from(["choose", "ipm"]),
)
def test_no_bound_is_above_the_optimum_and_played_plans_are_valid(corridor, width, serve_all, method):
    problem = Transshipment(corridor, serve_all=serve_all)
    site = problem.site
    outcome = solve_exact(problem, SolveOptions())
    relaxation = build(site, width, serve_all)
    relaxed, whole = solve(relaxation, SolveOptions(), method), solve_whole(relaxation, SolveOptions())
    if outcome.status is Status.OPTIMAL:
        assert usd(relaxed.bound_units) <= outcome.cost + 1e-9
        assert usd(whole.bound_units) <= outcome.cost + 1e-9
        assert relaxed.values is not None
        aims = aims_of(relaxation, relaxed.values)
        plan = play(site, aims.loads, aims.leaves, fallbacks(site, relaxation.groups))
        if plan is not None:
            plan = tidy(site, plan)
            cost = usd(plan_units(site, plan))
            unserved = len(site.loads) - len(plan.passages)
            if not (serve_all and unserved):
                assert not verify(problem, to_tables(site, plan), cost)
                assert cost >= outcome.cost - 1e-9
    else:
        assert outcome.status is Status.INFEASIBLE
