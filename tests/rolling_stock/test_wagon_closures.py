"""Links closed on some days, and plans taken up while they run: an instance by hand, then the exact method's word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, rings
from test_wagons import line

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.bounds import Bounds
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts
from optimizer.models.rolling_stock.wagons.layout import lay_out
from optimizer.models.rolling_stock.wagons.moves import wagon_moves

EASY = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
EXACT = FAMILY.methods["exact"]


def triangle() -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Alpha and Beta a day apart, or two by way of Gamma; one wagon in Alpha, a load on day 0, one on day 2 or 3."""
    rows, config = line()
    rows["nodes"].append({"node_id": "c", "name": "Gamma", "country": "KZ", "lat": 1, "lon": 1})
    rows["links"] += [
        {**rows["links"][0], "link_id": f"{tail}{head}", "from_node": tail, "to_node": head}
        for tail, head in ("ac", "cb")
    ]
    rows["fleet"][0]["node_id"] = "a"
    one = {**rows["orders"][0], "quantity_t": 60, "due_day": 0}
    rows["orders"] = [{**one, "order_id": "o1"}, {**one, "order_id": "o2", "release_day": 2, "due_day": 3}]
    return rows, config


def running(problem: RollingStock, day: int, *closures: str) -> RollingStock:
    """Taken up on a day, out of an optimal plan."""
    solution = EXACT(replace(problem, closures=()), SolveOptions()).solution
    assert solution is not None
    return replace(problem, closures=closures, begun_day=day).begun(solution)


@pytest.mark.parametrize(
    ("closures", "cost", "path", "depart"),
    [
        ((), 48.0, ("ab",), 2),  # empty from Beta on day 1, 480 km at 0.1 USD
        (("ab:1-2",), 96.0, ("ab",), 3),  # empty by way of Gamma, there on day 3, when the line is open again
        (("ab",), 96.0, ("ac", "cb"), 3),
        (("ab:1-2", "cb:1"), 6000.0, None, None),  # no way to be in Alpha by day 3
    ],
)
def test_closures_by_hand(closures: tuple[str, ...], cost: float, path: Any, depart: Any) -> None:
    problem = running(RollingStock(corridor_from_rows(*triangle())), 1, *closures)
    outcome = EXACT(problem, SolveOptions())
    assert outcome.cost == pytest.approx(cost)
    assert outcome.bound == pytest.approx(cost)
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    runs = outcome.solution["runs"]
    (first,) = runs[runs["order_id"] == "o1"].to_dict("records")
    assert (first["depart_day"], first["path"]) == (0, ("ab",))
    for run in runs[runs["order_id"] == "o2"].to_dict("records"):
        assert (run["depart_day"], run["path"]) == (depart, path)
    left = outcome.solution["unserved"]
    assert list(left["order_id"]) == ([] if path else ["o2"])


def test_the_verifier_knows_closures_and_what_has_left() -> None:
    free = RollingStock(corridor_from_rows(*triangle()))
    old = EXACT(free, SolveOptions()).solution
    assert old is not None
    shut = replace(free, closures=("ab:1-2",))
    rules = {violation.rule for violation in FAMILY.verify(shut, old, None)}
    assert rules == {"link is closed on the day of departure"}
    begun = replace(free, begun_day=1).begun(old)
    assert FAMILY.verify(begun, old, 48.0) == ()
    runs = old["runs"].assign(wagons=[2, *old["runs"]["wagons"][1:]])
    assert any("before the plan was taken up" in str(v) for v in FAMILY.verify(begun, {**old, "runs": runs}, None))
    # Without a closure the detour is not the fastest way.
    detour = EXACT(running(free, 1, "ab:1-2"), SolveOptions()).solution
    assert detour is not None
    assert {v.rule for v in FAMILY.verify(free, detour, None)} == {"path is not the fastest"}


def test_words_for_closures_that_cannot_be() -> None:
    corridor = corridor_from_rows(*triangle())
    with pytest.raises(UsageError, match=r"closed link 'a' is no rail link.*'cb:4-2' closes days 4 to 2"):
        RollingStock(corridor, closures=("a", "cb:4-2"))
    with pytest.raises(UsageError, match="day 6 is none of the horizon, expected 0 to 5"):
        RollingStock(corridor, begun_day=6)
    problem = RollingStock(corridor, closures=["ab:2", "ac"])  # type: ignore[arg-type]
    assert problem.options["closures"] == ["ab:2-2", "ac:0-5"]
    assert RollingStock(corridor, **problem.options) == problem
    with pytest.raises(UsageError, match="the plan that runs until day 2 is not given"):
        EXACT(replace(problem, begun_day=2), SolveOptions())
    with pytest.raises(UsageError, match="crosscheck"):
        FAMILY.methods["crosscheck"](problem, SolveOptions())


@EASY
@given(corridor=rings(), data=st.data())
def test_an_optimal_plan_taken_up_goes_on_as_it_is(corridor: Any, data: Any) -> None:
    free = RollingStock(corridor)
    optimum = EXACT(free, SolveOptions()).cost
    problem = running(free, data.draw(st.integers(1, free.days - 1), label="day"))
    outcome = EXACT(problem, SolveOptions())
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.cost == pytest.approx(optimum)


@EASY
@given(corridor=rings(), data=st.data())
def test_bounds_and_plans_under_closures(corridor: Any, data: Any) -> None:
    free = RollingStock(corridor)
    link = data.draw(st.sampled_from(sorted(corridor.table("links")["link_id"])), label="closed")
    day = data.draw(st.integers(0, free.days - 1), label="day")
    first = data.draw(st.integers(day, free.days - 1), label="closed from")
    problem = running(free, day, f"{link}:{first}-{data.draw(st.integers(first, free.days - 1))}")
    moves = wagon_moves(problem)
    outcome = EXACT(problem, SolveOptions())
    optimum = outcome.cost
    assert optimum is not None
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, optimum) == ()
    rng, layout = np.random.default_rng(data.draw(st.integers(0, 99))), lay_out(moves)
    for scale in (0.0, 30.0):
        found = Bounds(layout).prices(rng.normal(0.0, scale, layout.num_states))
        assert found.bound <= optimum + 1e-6 * max(1.0, optimum)
    engine = solve_by_parts(problem, SolveOptions())
    assert FAMILY.verify(problem, engine.solution, engine.cost) == ()
    assert engine.bound is not None
    assert engine.cost is not None
    assert engine.bound - 1e-6 * max(1.0, optimum) <= optimum <= engine.cost + 1e-6 * max(1.0, optimum)
