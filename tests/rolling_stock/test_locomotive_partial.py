"""Parts of the locomotive programme: cut off in time, columns around some trains, and work shared by two threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import train_corridors
from test_locomotives import problem_of, there_and_back

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.locomotives.clock import Clock
from optimizer.models.rolling_stock.locomotives.engine import SharedWork
from optimizer.models.rolling_stock.locomotives.gauge import GaugePart
from optimizer.models.rolling_stock.locomotives.nearness import Nearness
from optimizer.models.rolling_stock.locomotives.partial import horizon_at, whole_consists
from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=train_corridors())
def test_a_programme_cut_off_at_prices_of_the_relaxation_costs_as_much(corridor: Any) -> None:
    """Rows that are paid for at optimal prices leave the value of a linear programme as it is (no kilometres here)."""
    problem = RollingStock(corridor, stock="locomotives")
    plan = plan_trains(problem, RouteBook(problem.corridor))
    for gauge in {stages[0].gauge_mm for stages in plan.stages.values()}:
        services = [s for s, stages in plan.stages.items() if stages[0].gauge_mm == gauge]
        options = SolveOptions()
        part = GaugePart(problem, plan, services, Clock(options, time.monotonic()))
        p = part.programme
        if not p.networks:
            continue
        part.relax()
        assert part._relaxed is not None
        linear = np.zeros(len(p.stages), bool)
        for minute in (0, 200, 700, 3 * 1440):
            horizon = horizon_at(p, part._relaxed, minute)
            _, outcome = whole_consists(p, np.arange(p.num_columns), p.lower, p.upper, linear, options, horizon=horizon)
            assert outcome.objective == pytest.approx(part.bound, rel=1e-5, abs=1e-2)


def test_columns_around_a_train_and_trains_apart() -> None:
    """Three trains leave in the first two days, and one five days later: that one shares no time with the others."""
    problem = problem_of(there_and_back())
    stage = plan_trains(problem, RouteBook(problem.corridor)).stages["t"][0]

    class Run:
        def __init__(self, depart_min: int) -> None:
            self.from_node, self.to_node = stage.from_node, stage.to_node
            self.depart_min, self.arrive_min = depart_min, depart_min + 120

    trains = [(Run(minute),) for minute in (0, 100, 1500, 7200)]
    nearness = Nearness(trains, np.array([0.0, 839.0, 841.0, 7200.0]))  # type: ignore[arg-type]
    assert nearness.nearest(0, 2, by_place=False).tolist() == [0, 1]
    # 0 to 120 and twelve hours more
    assert nearness.around(np.array([0])).tolist() == [True, True, False, False]
    assert nearness.around(np.arange(4)).all()
    seeds = [0, 1, 3, 2]
    assert [group.tolist() for group in nearness.apart(seeds, 1, by_place=True)] == [[0], [3]]
    assert seeds == [1, 2]
    assert [group.tolist() for group in nearness.apart(seeds, 4, by_place=False)] == [[1, 0, 2, 3]]


class _Part:
    """Stands for a gauge: so many pieces of work, each of which leaves less open."""

    def __init__(self, name: str, open_usd: float, told: list[str]) -> None:
        self.name, self.cost, self.bound, self.told = name, open_usd, 0.0, told

    def work(self, reached: Callable[[], bool]) -> Iterator[None]:
        for _ in range(3):
            self.told.append(self.name)
            self.cost /= 4
            if reached():
                return
            yield


def test_every_gauge_begins_and_then_the_one_with_most_open_goes_on() -> None:
    told: list[str] = []
    parts: Any = [_Part("small", 10.0, told), _Part("large", 100.0, told)]
    SharedWork(parts, lambda: False).run()
    # begun: 25 and 2.5 are open; large goes on to 6.25 and 1.6, then small
    assert told == ["large", "small", "large", "large", "small", "small"]


def test_a_failure_in_one_gauge_ends_the_thread_with_it() -> None:
    class Broken(_Part):
        def work(self, reached: Callable[[], bool]) -> Iterator[None]:
            raise RuntimeError("broken")
            yield

    parts: Any = [Broken("x", 1.0, [])]
    with pytest.raises(RuntimeError, match="broken"):
        SharedWork(parts, lambda: False).run()
