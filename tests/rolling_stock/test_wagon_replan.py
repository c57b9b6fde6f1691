"""Wagon plans taken up after a closure: by hand, against the exact method, and through the command."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, rings
from test_wagon_closures import triangle

import optimizer as opt
from optimizer.cli import cli
from optimizer.data.generator.wagon_ladder import wagon_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.errors import ResultError, UsageError
from optimizer.models.family import News, SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons import resuming
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts
from optimizer.models.rolling_stock.wagons.replan import replan
from optimizer.result import Solution, Status

EASY = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
EXACT = FAMILY.methods["exact"]


def planned(problem: RollingStock) -> tuple[Solution, float]:
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    assert outcome.cost is not None
    return outcome.solution, outcome.cost


@pytest.mark.parametrize(
    ("closures", "cost", "words"),
    [
        ((), 48.0, "no order changes"),
        (("ab:1-2",), 96.0, "1 leave later"),
        (("ab",), 96.0, "1 leave later"),
        (("ab:1-2", "cb:1"), 6000.0, "1 leave more tonnes behind"),
    ],
)
def test_a_closure_by_hand(closures: tuple[str, ...], cost: float, words: str) -> None:
    rows, config = triangle()
    rows["orders"][1]["due_day"] = 2  # the old plan has no choice
    old = planned(RollingStock(corridor_from_rows(rows, config)))
    rows["orders"][1]["due_day"] = 3
    problem = RollingStock(corridor_from_rows(rows, config))
    found = replan(problem, old[0], News(1, closures, cost=old[1]), SolveOptions())
    assert found.outcome.cost == pytest.approx(cost)
    assert found.outcome.bound == pytest.approx(cost)
    assert FAMILY.verify(found.problem, found.outcome.solution, found.outcome.cost) == ()
    assert words in found.sentences[2]
    if closures:
        assert found.sentences[1].startswith("closed: ab (Alpha - Beta) on day 1 to ")
        assert found.sentences[1].endswith("1 loaded and 1 empty wagons were to leave there")
        assert f"{cost - 48:,.0f} more than the old one" in found.sentences[3]
        assert found.tables[0].rows[0][0] == "o2"
        assert found.tables[0].rows[0][4] == "day 2: 1 hop"
    else:
        assert not found.tables


@EASY
@given(corridor=rings(), data=st.data())
def test_a_replan_stands_between_its_bound_and_nothing(corridor: Any, data: Any) -> None:
    problem = RollingStock(corridor)
    old, cost = planned(problem)
    day = data.draw(st.integers(0, problem.days - 1), label="day")
    link = data.draw(st.sampled_from(sorted(corridor.table("links")["link_id"])), label="closed")
    closed = f"{link}:{day}-{data.draw(st.integers(day, problem.days - 1))}"
    found = replan(problem, old, News(day, (closed,), cost=cost), SolveOptions())
    assert FAMILY.verify(found.problem, found.outcome.solution, found.outcome.cost) == ()
    rest = EXACT(found.problem, SolveOptions()).cost
    assert rest is not None
    assert found.outcome.bound is not None
    assert found.outcome.cost is not None
    room = 1e-6 * max(1.0, rest)
    assert found.outcome.bound <= rest + room
    assert rest <= found.outcome.cost + room


@EASY
@given(corridor=rings(), data=st.data())
def test_without_a_closure_an_optimal_plan_stays(corridor: Any, data: Any) -> None:
    problem = RollingStock(corridor)
    old, cost = planned(problem)
    found = replan(problem, old, News(data.draw(st.integers(0, problem.days - 1)), cost=cost), SolveOptions())
    assert found.outcome.cost == pytest.approx(cost)
    assert found.sentences[2] == "no order changes" or found.outcome.status is Status.OPTIMAL
    assert FAMILY.verify(found.problem, found.outcome.solution, found.outcome.cost) == ()


@pytest.fixture(scope="module")
def ladder() -> tuple[RollingStock, Any]:
    problem = RollingStock(apply_scenario(wagon_ladder("S", 3), "base"))
    return problem, opt.solve(problem, gap=0.02, time_limit_s=40)


def busiest(solution: Solution, day: int) -> str:
    runs = solution["runs"]
    runs = runs[runs["depart_day"] >= day]
    return str(runs.loc[runs.index.repeat(runs["wagons"]), "path"].explode().mode()[0])


def test_a_fleet_of_hundreds(ladder: tuple[RollingStock, Any]) -> None:
    problem, old = ladder
    link = busiest(old.solution, 4)
    new, found = opt.replan(problem, old, 4, closures=[f"{link}:4-6"], time_limit_s=40)
    assert new.bound <= new.cost
    cold = solve_by_parts(found.problem, SolveOptions(gap=0.005, time_limit_s=40))
    assert cold.cost is not None
    assert new.cost <= cold.cost * 1.05
    assert new.bound <= cold.cost
    again, _ = opt.replan(found.problem, new, 6, closures=[f"{busiest(new.solution, 7)}:7"], time_limit_s=40)
    assert again.options["begun_day"] == 6
    assert len(again.options["closures"]) == 2
    same, _ = opt.replan(problem, old, 4, closures=[f"{link}:4-6"], time_limit_s=40)
    assert same.solution["runs"].equals(new.solution["runs"])


def test_many_runs_gone_are_routed_anew(ladder: tuple[RollingStock, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    problem, old = ladder
    link = f"{busiest(old.solution, 4)}:4-9"
    one, _ = opt.replan(problem, old, 4, closures=[link], time_limit_s=40)
    monkeypatch.setattr(resuming, "MANY_GONE", 1)
    monkeypatch.setattr(resuming, "_carried_on", None)  # it is not needed
    new, _ = opt.replan(problem, old, 4, closures=[link], time_limit_s=40)
    assert new.bound <= min(one.cost, new.cost)
    assert new.cost <= 1.02 * one.cost


def test_dear_changes_move_less(ladder: tuple[RollingStock, Any]) -> None:
    problem, old = ladder
    link = busiest(old.solution, 4)

    def kept(change_usd: float) -> int:
        new, _ = opt.replan(problem, old, 4, closures=[link], change_usd=change_usd, time_limit_s=40)
        keys = ["order_id", "wagon_id", "depart_day"]
        was, now = (
            s["runs"][s["runs"]["order_id"] != ""].groupby(keys)["wagons"].sum() for s in (old.solution, new.solution)
        )
        return int(was.combine(now, min, fill_value=0).sum())

    assert kept(0.0) <= kept(2000.0)


def test_stops_and_limits_hand_out_a_plan(ladder: tuple[RollingStock, Any]) -> None:
    problem, old = ladder
    stopped = threading.Event()
    stopped.set()
    link = busiest(old.solution, 4)
    for more in ({"stop": stopped}, {"time_limit_s": 1e-6}):
        new, _ = opt.replan(problem, old, 4, closures=[link], **more)  # type: ignore[arg-type]
        assert new.status in (Status.FEASIBLE, Status.NO_SOLUTION)  # the wagons under way may not fit where they are


@pytest.mark.parametrize("limit_s", [1e-6, None])
def test_a_stop_while_wagons_under_way_overfill_a_yard_is_told_in_words(limit_s: float | None) -> None:
    rows, config = triangle()
    rows["nodes"][1]["yard_capacity_wagons"] = 0  # who arrives in Beta must leave again the same day
    problem = RollingStock(corridor_from_rows(rows, config))
    old = planned(problem)
    stopped = threading.Event()
    stopped.set()
    options = SolveOptions(time_limit_s=limit_s, stop=stopped)
    found = replan(problem, old[0], News(1, ("ab:2",), cost=old[1]), options)
    assert found.outcome.status is Status.NO_SOLUTION
    assert "the wagons under way overfill the yards of b unless they move on" in found.outcome.conflicts[0]
    assert found.sentences == ["no plan was found in time; why is said below"]
    assert replan(problem, old[0], News(1, ("ab:2",), cost=old[1]), SolveOptions()).outcome.solution is not None


def test_the_collector_goes_on_after_a_pause_whatever_happens() -> None:
    @collector_paused()
    def fails() -> None:
        raise UsageError(str(gc.isenabled()))

    assert gc.isenabled()
    with pytest.raises(UsageError, match="False"):
        fails()
    assert gc.isenabled()


def test_words_for_news_that_do_not_fit(ladder: tuple[RollingStock, Any]) -> None:
    problem, old = ladder
    with pytest.raises(UsageError, match="begins before day 4, on which the plan is taken up"):
        opt.replan(problem, old, 4, closures=[f"{busiest(old.solution, 4)}:2-3"])
    with pytest.raises(UsageError, match="news of a terminal"):
        opt.replan(problem, old, 4, late_min={"T1": 5})
    with pytest.raises(UsageError, match="day 14 is none of the horizon"):
        opt.replan(problem, old, 14)
    with pytest.raises(UsageError, match="the price of a change is -1"):
        opt.replan(problem, old, 4, change_usd=-1)
    with pytest.raises(ResultError, match="another problem"):
        opt.replan(replace(problem, serve_all=True), old, 4)
    trains = opt.RollingStock(opt.read("instances/toy-rolling-stock"), stock="locomotives")
    timetable = opt.solve(trains)
    with pytest.raises(UsageError, match="locomotive plans are not"):
        opt.replan(trains, timetable, 1)


def test_the_command_prints_what_changes_and_keeps_the_plan(tmp_path: Path) -> None:
    instance = str(Path("instances/toy-rolling-stock").resolve())
    run = CliRunner().invoke
    assert run(cli, ["solve", "rolling-stock", instance, "--out", str(tmp_path / "old")]).exit_code == 0
    args = ["replan", str(tmp_path / "old"), "--day", "1", "--close", "nm:1-2"]
    told = run(cli, [*args, "--out", str(tmp_path / "new")])
    assert told.exit_code == 0, told.output
    assert "Taken up on day 1" in told.output
    assert "Closed: nm (Northfield - Midway) on day 1 to 2" in told.output
    assert "harvest" in told.output
    checked = run(cli, ["verify", instance, str(tmp_path / "new")])
    assert checked.exit_code == 0, checked.output
    assert run(cli, ["explain", str(tmp_path / "new"), "--order", "harvest"]).exit_code == 0
    assert run(cli, ["replan", str(tmp_path / "new"), "--day", "3", "--json"]).exit_code == 0
    for wrong, words in (
        (args[:2], "give --day for a wagon plan, or --minute for a terminal's"),
        ([*args, "--minute", "5"], "give --day"),
        ([*args[:2], "--minute", "5"], "a result of rolling-stock does not take --minute"),
        ([*args[:4], "--close", "nn"], "closed link 'nn' is no rail link in force; known are"),
        ([*args, "--lost", "C1=a-b"], "'a' is no whole number of minutes"),
    ):
        refused = run(cli, wrong)
        assert refused.exit_code == 2
        assert words in refused.output
