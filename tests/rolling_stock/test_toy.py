"""The toy's optimum, worked out in its README."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.result import Status


@pytest.mark.parametrize(
    ("stock", "method", "solver", "cost"),
    [
        ("wagons", "exact", "highs", 188),
        ("wagons", "exact", "cbc", 188),
        ("wagons", "crosscheck", "highs", 188),
        ("wagons", "crosscheck", "scip", 188),
        ("locomotives", "exact", "highs", 12240),
        ("locomotives", "exact", "cbc", 12240),
    ],
)
def test_optimum_worked_out_by_hand(instances_dir: Path, stock: str, method: str, solver: str, cost: float) -> None:
    corridor = apply_scenario(read_instance(instances_dir / "toy-rolling-stock"))
    problem = RollingStock(corridor, stock=stock)  # type: ignore[arg-type]
    outcome = FAMILY.methods[method](problem, SolveOptions(solver=solver))
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(cost)
    assert outcome.bound == pytest.approx(cost)
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()


def test_figures_of_the_readme(instances_dir: Path) -> None:
    problem = RollingStock(apply_scenario(read_instance(instances_dir / "toy-rolling-stock")))
    outcome = FAMILY.methods["exact"](problem, SolveOptions())
    assert outcome.solution is not None
    figures = FAMILY.kpis(problem, outcome.solution)
    assert figures["served_t"] == 200
    assert figures["empty_wagon_km"] == 480
    assert figures["empty_share_pct"] == 16.7
