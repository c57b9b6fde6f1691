"""A public instance that two defects once left unproved; needs the public instances beside the project."""

import pytest

from benchmarks.facility_location import DATA, checked_cost, instances, problem_of
from optimizer.flows.fixed_charge.engine import solve_fixed_charge
from optimizer.flows.fixed_charge.master import Master
from optimizer.models.family import SolveOptions
from optimizer.result import Status

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="public instances are not beside the project")
OPTIMUM = 851495.325


def test_the_relaxation_goes_on_while_new_rows_lift_it() -> None:
    (stages,) = instances("cap132")
    found = solve_fixed_charge(problem_of(stages), SolveOptions(time_limit_s=60))
    assert found.status == Status.OPTIMAL
    assert checked_cost(stages, found) == pytest.approx(OPTIMUM)


def test_a_start_whose_cost_highs_gets_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without linking rows HiGHS 1.16 calls 786,822.5 optimal, after presolve and with a start."""
    monkeypatch.setattr(Master, "add_links", lambda *_: 0)
    (stages,) = instances("cap132")
    found = solve_fixed_charge(problem_of(stages), SolveOptions(time_limit_s=60))
    assert found.status == Status.OPTIMAL
    assert checked_cost(stages, found) == pytest.approx(OPTIMUM)
