"""A plan's works as a job shop: a relaxation of every plan with the same trains and ways."""

from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from strategies import terminals

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.chains import chain_shop, last_end
from optimizer.models.transshipment.problem import Transshipment, read_tables
from optimizer.models.transshipment.search import solve_exact
from optimizer.scheduling.engine import solve_engine
from optimizer.scheduling.verify import verify

TOY = Path(__file__).resolve().parents[2] / "instances" / "toy-transshipment"


def chains_of(problem: Transshipment):
    outcome = solve_exact(problem, SolveOptions(time_limit_s=10))
    plan = read_tables(outcome.solution)
    return plan, chain_shop(problem.site, plan)


def test_toy_has_a_job_for_each_load_that_goes_on():
    problem = Transshipment(apply_scenario(read_instance(TOY), None))
    plan, shop = chains_of(problem)
    assert shop.num_jobs == len(plan.passages)
    found = solve_engine(shop, SolveOptions())
    assert verify(shop, found.schedule) == ()
    assert found.proved
    assert 0 < found.bound <= last_end(plan)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(corridor=terminals())
def test_no_plan_is_done_before_its_chains_can_be(corridor):
    plan, shop = chains_of(Transshipment(corridor))
    assume(plan.passages)
    assert solve_engine(shop, SolveOptions(time_limit_s=10)).bound <= last_end(plan)
