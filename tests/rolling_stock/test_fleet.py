"""Fleet sizing against every fleet in turn, and what one more unit saves."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from strategies import corridor_from_rows
from test_wagons import line

import optimizer as opt
from optimizer.cli import cli
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.fleet import size_fleet, wagon_usd, with_fleet, worth_of_one_more
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.moves import Spot
from optimizer.result import Status

EXACT = FAMILY.methods["exact"]


def priced(purchase_usd: float, **config: Any) -> RollingStock:
    """Two loads within two days from Alpha, one wagon in Beta; a year of a wagon is a 25th of its price."""
    rows, settings = line(**config)
    rows["wagons"][0]["purchase_usd"] = purchase_usd
    rows["orders"][0]["due_day"] = 1
    return RollingStock(corridor_from_rows(rows, settings | {"discount_rate": 0.0}))


def test_a_wagon_costs_its_share_of_the_horizon() -> None:
    assert wagon_usd(priced(36500.0), 25.0, 0.06)["hop"] == pytest.approx((1 / 25 + 0.06) * 36500 * 6 / 365)


@pytest.mark.parametrize(
    ("purchase_usd", "hire", "buys", "cost"),
    [
        (36500, False, 1, 24 + 2 * 48),  # 24 USD for six days, against 6,000 USD for 60 t left behind
        (36500, True, 1, 24 + 2 * 48),  # hire costs 50 USD a day, for two days
        (365000, True, 0, 100 + 2 * 48),
        (36.5e6, False, 0, 48 + 6000),
    ],
)
def test_buy_hire_or_leave_behind(purchase_usd: float, hire: bool, buys: int, cost: float) -> None:
    found = size_fleet(priced(purchase_usd, hire_allowed=hire), SolveOptions())
    assert sum(found.bought.values()) == buys
    assert found.cost == pytest.approx(cost)
    assert found.status is Status.OPTIMAL
    assert FAMILY.verify(found.problem, found.outcome.solution, found.outcome.cost) == ()


def test_from_scratch_buys_what_every_fleet_in_turn_shows_best() -> None:
    problem = priced(36500.0)
    found = size_fleet(problem, SolveOptions(), from_scratch=True)
    bare = problem.corridor.with_tables({"fleet": problem.table("fleet").assign(units=0)})
    costs = []
    for units in range(4):
        fleet = with_fleet(RollingStock(bare), {("hop", Spot("b", 1520)): units})
        costs.append((EXACT(fleet, SolveOptions()).cost or 0.0) + 24 * units)
    assert found.cost == pytest.approx(min(costs))
    assert sum(found.bought.values()) == costs.index(min(costs)) == 2


def test_a_yard_limits_what_is_bought() -> None:
    problem = priced(36500.0)
    nodes = problem.table("nodes").assign(yard_capacity_wagons=[float("nan"), 1.0])
    tight = RollingStock(problem.corridor.with_tables({"nodes": nodes}))
    assert not size_fleet(tight, SolveOptions()).bought


def test_one_more_wagon_and_one_more_train_save_what_two_plans_differ_by() -> None:
    (one,) = worth_of_one_more(priced(1.0), SolveOptions(), ["hop"])
    assert one.what == "one more hop (1520 mm) at b"
    assert one.saves_usd == pytest.approx(6000 - 48)
    assert one.low_usd <= one.saves_usd + 1e-6
    assert one.saves_usd <= one.high_usd + 1e-6
    rows, config = line(path_share=0.5)
    rows["links"][0] |= {"capacity_trains_per_day": 2, "max_train_wagons": 1}
    rows["fleet"][0]["units"], rows["orders"][0]["due_day"] = 2, 1
    (train,) = worth_of_one_more(RollingStock(corridor_from_rows(rows, config)), SolveOptions(), ["ab"])
    assert train.saves_usd == pytest.approx(6000 - 48)
    kinds = [one.what for one in worth_of_one_more(RollingStock(corridor_from_rows(rows, config)), SolveOptions())]
    assert kinds == ["one more hop (1520 mm) at b", "one more train a day each way on ab"]


@pytest.mark.parametrize(("units", "days"), list(product((1, 2), (1, 3))))
def test_more_wagons_never_cost_more_where_standing_is_free(units: int, days: int) -> None:
    rows, config = line()
    rows["fleet"][0]["units"], rows["orders"][0]["due_day"] = units, days
    for one in worth_of_one_more(RollingStock(corridor_from_rows(rows, config)), SolveOptions()):
        assert one.saves_usd >= -1e-6


def test_what_cannot_be_sized_or_added_is_refused() -> None:
    with pytest.raises(UsageError, match="no purchase_usd"):
        size_fleet(RollingStock(corridor_from_rows(*line())), SolveOptions())
    with pytest.raises(UsageError, match="'nothing' is neither of what can be added"):
        list(worth_of_one_more(priced(1.0), SolveOptions(), ["nothing"]))


def test_command(instances_dir: Path) -> None:
    toy = str(instances_dir / "toy-rolling-stock")
    done = CliRunner().invoke(cli, ["fleet", "worth", toy, "--time-limit", "20"])
    assert done.exit_code == 0, done.output
    assert "What one more saves" in done.output
    locos = CliRunner().invoke(cli, ["fleet", "worth", toy, "--stock", "locomotives", "--time-limit", "20"])
    assert locos.exit_code == 0, locos.output
    assert "one more" in locos.output
    none = CliRunner().invoke(cli, ["fleet", "size", toy])
    assert none.exit_code in (0, 2)


def test_the_same_from_python() -> None:
    problem = priced(36500.0)
    found = opt.size_fleet(problem, time_limit_s=30)
    assert found.cost == pytest.approx(24 + 2 * 48)
    (one,) = opt.worth_of_one_more(priced(1.0), ["hop"])
    assert one.saves_usd == pytest.approx(6000 - 48)
    with pytest.raises(UsageError, match="life is 0 years"):
        opt.size_fleet(problem, life_years=0)
    with pytest.raises(UsageError, match="time limit is -1"):
        opt.worth_of_one_more(problem, time_limit_s=-1)
