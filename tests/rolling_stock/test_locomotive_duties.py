"""The compiled search of locomotive duties on cases that can be counted by hand, apart from the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import shop_corridors, train_corridors
from test_locomotives import problem_of, ramp, there_and_back

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.locomotives import duty_kernels
from optimizer.models.rolling_stock.locomotives.duties import Step, UnitDuty, plan_cost
from optimizer.models.rolling_stock.locomotives.duty_kernels import NONE
from optimizer.models.rolling_stock.locomotives.engine import search_trains
from optimizer.models.rolling_stock.locomotives.entering import add_light, add_waits, enter_work
from optimizer.models.rolling_stock.locomotives.network import loco_networks
from optimizer.models.rolling_stock.locomotives.programme import Programme, build_programme
from optimizer.models.rolling_stock.locomotives.search import DutySearch
from optimizer.models.rolling_stock.locomotives.trains import TrainPlan, plan_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook


def search_of(problem: RollingStock) -> tuple[DutySearch, TrainPlan]:
    """The search for all trains that can run; they must be of one gauge."""
    plan = plan_trains(problem, RouteBook(problem.corridor))
    stages = [stage for own in plan.stages.values() for stage in own]
    networks = loco_networks(problem, plan, stages, single=True)
    return DutySearch(problem, plan, tuple(plan.stages), networks, seed=1), plan


def test_minutes_that_are_paid_between_two_tasks() -> None:
    """40 km at 20 km/h: a link takes 120 minutes. At home, a, a unit waits for nothing, elsewhere by the minute."""
    search, _ = search_of(problem_of(ramp()))
    a, b, c = (search.names.index(name) for name in "abc")
    gap, never = duty_kernels.gap, duty_kernels.NO_WAY
    work, fleet = search.work, search.fleet
    assert gap(work, fleet, 0, a, 0, a, 700, never) == (0, 0, NONE)
    assert gap(work, fleet, 0, b, 100, b, 130, never) == (30, 0, NONE)
    assert gap(work, fleet, 0, a, 0, b, 700, never) == (120, 40_000, NONE)  # leaves home to be there just in time
    assert gap(work, fleet, 0, b, 0, c, 700, never) == (360, 120_000, a)  # 120 home and 240 to c, where it is paid
    assert gap(work, fleet, 0, b, 0, c, 100, never)[0] == never
    # b to b over home: 240 minutes instead of 700
    assert gap(work, fleet, 0, b, 0, b, 700, never) == (240, 80_000, a)
    # due at minute 200: no way back to b, so it waits
    assert gap(work, fleet, 0, b, 0, b, 700, 200) == (700, 0, NONE)
    assert duty_kernels.last_gap(work, fleet, 0, c, 240, never, never) == (240, 80_000, a)
    assert duty_kernels.last_gap(work, fleet, 0, c, 2 * 1440 - 60, never, never) == (60, 0, NONE)
    # it lacks a metre to go home, and stays away
    assert duty_kernels.last_gap(work, fleet, 0, c, 240, never, 79_999) == (2 * 1440 - 240, 0, NONE)


def test_a_task_costs_what_it_adds_and_leaves_no_trace() -> None:
    search, _ = search_of(problem_of(ramp()))
    work, fleet, state = search.work, search.fleet, search._state
    before = [np.copy(part) for part in state]
    # a to b with the train, home alone: 240 USD; to c and home: 480
    assert duty_kernels.added(work, fleet, state, 0, 0, 0) == 240.0
    assert duty_kernels.put(work, fleet, state, 0, 0, 0)
    assert state.usd[0] == 240.0
    assert duty_kernels.added(work, fleet, state, 0, 1, 1) == 240.0
    assert duty_kernels.put(work, fleet, state, 0, 1, 1)
    assert not duty_kernels.is_hauled(work, fleet, state, 1)  # two units are asked for on the ramp
    # a banker for the ramp alone: light to b 120, the ramp 120, home 240
    assert duty_kernels.added(work, fleet, state, 1, 1, 1) == 480.0
    assert duty_kernels.put(work, fleet, state, 1, 1, 1)
    assert duty_kernels.is_hauled(work, fleet, state, 1)
    assert state.usd.sum() == 960.0
    duty_kernels.take_off(work, fleet, state, 0)
    for now, then, name in zip(state, before, state._fields, strict=True):
        if name not in ("route", "crew"):  # rows are valid up to the size of a duty, which is none
            assert (now[..., 0] == then[..., 0]).all() if now.ndim == 2 else (now == then).all(), name


def test_kilometres_end_where_a_unit_has_run_them() -> None:
    """With 100 km left a unit goes to b and home, 80 km, but from c, after 80 km, it cannot go home: it stays there."""
    rows = ramp()
    rows["locomotives"][0] |= {"maintenance_km": 1_100}
    rows["fleet"][0] |= {"km_since_maintenance": 1_000}
    search, _ = search_of(problem_of(rows))
    work, fleet, state = search.work, search.fleet, search._state
    assert duty_kernels.added(work, fleet, state, 0, 0, 0) == 240.0
    # from minute 240, when it is at c, until the two days are over it is paid there
    depart = int(work.depart[0])
    assert duty_kernels.added(work, fleet, state, 0, 0, 1) == 2 * 1440.0 - depart
    assert duty_kernels.put(work, fleet, state, 0, 0, 0)
    assert state.usd[0] == 240.0
    assert duty_kernels.added(work, fleet, state, 0, 1, 1) == 2 * 1440.0 - depart - 240
    assert duty_kernels.put(work, fleet, state, 0, 1, 1)
    assert state.usd[0] == 2 * 1440.0 - depart
    assert state.home_m[0] == 0


def test_the_first_plan_is_the_best_one_here() -> None:
    search, plan = search_of(problem_of(ramp()))
    search.build()
    assert search.cost == 960.0
    assert search.running() == ["t"]
    problem = problem_of(ramp())
    assert float(plan_cost(problem, search.duties(), search.running(), plan)) == 960.0
    search.run(50, 10.0)
    assert search.cost == 960.0


def test_a_plan_from_elsewhere_is_taken_over() -> None:
    problem = problem_of(there_and_back())
    search, plan = search_of(problem)
    up, down = plan.stages["t"][0], plan.stages["u"][0]
    network = search.networks[0]
    duty = UnitDuty("dl", "f", 1, network.usd_per_min, frozenset("p"))
    duty.steps += [Step("train", s.from_node, s.to_node, s.depart_min, s.arrive_min, s) for s in (up, down)]
    search.enter([duty])
    assert search.cost == 4 * 96.0
    assert search.running() == ["t", "u"]
    assert [step.kind for step in search.duties()[0].steps] == ["train", "light", "light", "train"]


def test_what_a_unit_cannot_do_is_left_out_with_its_train() -> None:
    """100 km are left: up the line and home, 80 km, but not up and down once more. The second train is cancelled."""
    rows = there_and_back()
    rows["locomotives"][0] |= {"maintenance_km": 1_100}
    rows["fleet"][0] |= {"km_since_maintenance": 1_000}
    problem = problem_of(rows)
    search, plan = search_of(problem)
    duty = UnitDuty("dl", "f", 1, search.networks[0].usd_per_min, frozenset("p"))
    stages = plan.stages["t"][0], plan.stages["u"][0]
    duty.steps += [Step("train", s.from_node, s.to_node, s.depart_min, s.arrive_min, s) for s in stages]
    search.enter([duty])
    assert search.running() == ["t"]
    assert search.cost == 2 * 96 + 200.0
    found = search_trains(problem, SolveOptions())
    assert found.cost == pytest.approx(2 * 96 + 200)
    assert FAMILY.verify(problem, found.solution, found.cost) == ()


def test_a_plan_enters_the_programme_at_its_cost() -> None:
    """Light moves and waits included: home to b and back on the ramp, 960 USD; out, home, out again, 384 USD."""
    for rows, usd in ((ramp(), 960.0), (there_and_back(), 384.0)):
        problem = problem_of(rows)
        search, plan = search_of(problem)
        search.build()
        programme = build_programme(problem, plan, tuple(plan.stages), single=False)
        assert _entered_usd(programme, search, search.connection_min) == usd


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=shop_corridors())
def test_a_plan_that_enters_the_programme_keeps_its_rows_and_cost(corridor: Any) -> None:
    problem = RollingStock(corridor, stock="locomotives")
    plan = plan_trains(problem, RouteBook(problem.corridor))
    for gauge in {stages[0].gauge_mm for stages in plan.stages.values()}:
        services = tuple(s for s, stages in plan.stages.items() if stages[0].gauge_mm == gauge)
        stages = [stage for service in services for stage in plan.stages[service]]
        networks = loco_networks(problem, plan, stages, single=True)
        if not networks:
            continue
        search = DutySearch(problem, plan, services, networks, seed=1)
        search.build()
        programme = build_programme(problem, plan, services, single=False)
        usd = _entered_usd(programme, search, search.connection_min)
        assert usd is None or usd == pytest.approx(search.cost)


def _entered_usd(programme: Programme, search: DutySearch, connection_min: int) -> float | None:
    """What the programme says that the plan of a search costs, once every row holds; none if it cannot be entered."""
    duties = search.duties()
    x = enter_work(programme, duties, search.running(), connection_min)
    if x is None or not add_light(programme, x, duties, connection_min) or not add_waits(programme, x):
        return None
    taken = programme.matrix @ x
    assert (taken >= programme.row_lower - 1e-6).all()
    assert (taken <= programme.row_upper + 1e-6).all()
    assert (x <= programme.upper).all()
    return programme.value(x)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=train_corridors())
def test_a_plan_survives_being_taken_over(corridor: Any) -> None:
    _survives(RollingStock(corridor, stock="locomotives"))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=shop_corridors())
def test_a_plan_with_shops_survives_being_taken_over(corridor: Any) -> None:
    _survives(RollingStock(corridor, stock="locomotives"))


def _survives(problem: RollingStock) -> None:
    """The cost on arrays is the exact one of the duties, and the duties entered again give the same plan."""
    plan = plan_trains(problem, RouteBook(problem.corridor))
    for gauge in {stages[0].gauge_mm for stages in plan.stages.values()}:
        own = {name: stages for name, stages in plan.stages.items() if stages[0].gauge_mm == gauge}
        part = TrainPlan(own, {}, {name: plan.cancel_usd[name] for name in own})
        networks = loco_networks(problem, plan, [stage for stages in own.values() for stage in stages], single=True)
        if not networks:
            continue
        first, second = (DutySearch(problem, plan, tuple(own), networks, seed=1) for _ in range(2))
        first.build()
        first.run(40, 100.0)
        assert first.cost == pytest.approx(float(plan_cost(problem, first.duties(), first.running(), part)))
        second.enter(first.duties())
        assert second.cost == pytest.approx(first.cost)
        assert second.running() == first.running()
