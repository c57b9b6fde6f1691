"""Repairs of running plans: valid, true to what has begun, and exact about what moved."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import terminals

from optimizer.cli import cli
from optimizer.data.generator.terminal_ladder import terminal_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import Transshipment
from optimizer.models.transshipment.engine import solve_engine
from optimizer.models.transshipment.problem import to_tables
from optimizer.models.transshipment.replan import Disturbance, read_tables, replan
from optimizer.models.transshipment.search import first_plan
from optimizer.models.transshipment.verify import verify

SLOW = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def begun(plan, now):
    """What a plan holds before a minute."""
    stands = {i: (s.track, s.start) for i, s in plan.stands.items() if s.start < now}
    works = {
        (i, work, p.onward) for i, p in plan.passages.items() for work in p.works if work.start < now and p.works[0]
    }
    return stands, works


def check(problem, solution, news, repair):
    assert not verify(repair.problem, repair.solution, repair.cost)
    old, new = read_tables(solution), read_tables(repair.solution)
    stands, works = begun(new, news.now)
    assert begun(old, news.now)[0] == stands
    # Unloading into the yard for a load that later finds no train is the one work that may vanish.
    gone = begun(old, news.now)[1] - works
    assert all(i not in new.passages or new.passages[i].onward != old.passages[i].onward for i, _, _ in gone)
    for crane, (first, last) in news.lost_min.items():
        later = [w for p in new.passages.values() for w in p.works if w.resource == crane and w.start >= news.now]
        assert not [w for w in later if w.start < last and w.end > first]
    moved = {i for i in old.stands if (old.stands[i].track, old.stands[i].leave) !=
             (new.stands[i].track, new.stands[i].leave)}  # fmt: skip
    assert set(repair.trains["call_id"]) == moved


@SLOW
@given(corridor=terminals(max_trains=4, max_loads=6), data=st.data())
def test_repairs_hold_and_keep_what_has_begun(corridor, data):
    problem = Transshipment(corridor)
    site = problem.site
    plan = first_plan(site, SolveOptions())
    assume(plan is not None)
    now = data.draw(st.integers(0, site.end), label="now")
    to_come = [call.call_id for call in site.calls if call.arrive > now]
    late = {data.draw(st.sampled_from(to_come)): data.draw(st.integers(1, 300))} if to_come else {}
    lost = {}
    if site.cranes and data.draw(st.booleans()):
        lost = {site.cranes[0].crane_id: (now, now + data.draw(st.integers(1, 600)))}
    news, solution = Disturbance(now, late, lost), to_tables(site, plan)
    repair = replan(problem, solution, news)
    if repair is not None:
        check(problem, solution, news, repair)


def day():
    problem = Transshipment(apply_scenario(terminal_ladder("day", "crane-tight", trains=8, loads=120), None))
    return problem, solve_engine(problem, SolveOptions(time_limit_s=3)).solution


def test_a_late_train_and_a_lost_crane_on_a_day():
    problem, solution = day()
    late = problem.site.calls[5]
    news = Disturbance(late.arrive - 60, {late.call_id: 180}, {"gantry-0": (late.arrive - 60, late.arrive + 60)})
    repair = replan(problem, solution, news)
    check(problem, solution, news, repair)
    again = replan(problem, solution, news)
    assert again.cost == repair.cost
    assert again.loads.equals(repair.loads)
    held = replan(problem, solution, news, change_usd=1e6)
    assert held is not None
    assert len(held.loads) <= len(repair.loads) + len(problem.site.loads) // 10


def test_a_long_horizon_is_repaired_in_windows():
    problem = Transshipment(apply_scenario(terminal_ladder("week", "crane-tight", trains=30, loads=600), None))
    plan = first_plan(problem.site, SolveOptions())
    solution = to_tables(problem.site, plan)
    late = problem.site.calls[14]
    news = Disturbance(late.arrive - 60, {late.call_id: 180}, {"gantry-0": (late.arrive, late.arrive + 600)})
    played = replan(problem, solution, news, SolveOptions(time_limit_s=1e-9))
    searched = replan(problem, solution, news, SolveOptions(seed=1))
    for repair in (played, searched):
        check(problem, solution, news, repair)
    assert searched.cost + 20 * len(searched.loads) < played.cost + 20 * len(played.loads)


def test_no_news_changes_no_load():
    problem, solution = day()
    repair = replan(problem, solution, Disturbance(problem.site.end))
    assert repair is not None
    assert repair.loads.empty
    assert repair.trains.empty


@pytest.mark.parametrize(
    ("news", "text"),
    [
        (Disturbance(0, {"C999": 60}), "does not call here"),
        (Disturbance(5000, {"C0": 60}), "arrived at minute"),
        (Disturbance(0, {}, {"gantry-9": (0, 10)}), "no crane"),
        (Disturbance(20, {}, {"gantry-0": (10, 15)}), "expected times from 20 on"),
    ],
)
def test_faults_are_told(news, text):
    problem = Transshipment(apply_scenario(terminal_ladder("small", "crane-tight"), None))
    first = problem.site.calls[0].call_id
    named = Disturbance(news.now, {first if i == "C0" else i: m for i, m in news.late_min.items()}, news.lost_min)
    solution = to_tables(problem.site, first_plan(problem.site, SolveOptions()))
    with pytest.raises(UsageError, match=text):
        replan(problem, solution, named)


def test_a_place_for_a_plan_that_is_not_kept_is_refused_before_the_search(tmp_path: Path) -> None:
    toy = str(Path(__file__).resolve().parents[2] / "instances" / "toy-transshipment")
    runner, running = CliRunner(), str(tmp_path / "running")
    assert runner.invoke(cli, ["solve", "transshipment", toy, "--out", running]).exit_code == 0
    news = ["--minute", "30", "--late", "INDIAN=60", "--out", str(tmp_path / "changed")]
    refused = runner.invoke(cli, ["replan", running, *news])
    assert refused.exit_code == 2
    assert "a re-planned transshipment is not kept in" in refused.output
    assert not (tmp_path / "changed").exists()
