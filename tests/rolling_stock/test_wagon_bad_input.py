"""What a planner may ask of the engine by mistake, or in need: a plan with a bound, and what stays behind named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from optimizer.data.generator.wagon_ladder import wagon_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.data.writing import write_instance
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts
from optimizer.result import Outcome

Tables = dict[str, pd.DataFrame]


def planned(change: Callable[[Tables], None]) -> tuple[RollingStock, Outcome]:
    """A small fleet changed, and what the engine makes of it."""
    corridor = apply_scenario(wagon_ladder("S", 3, orders=40, wagons=60), "base")
    tables = {name: table.copy() for name, table in corridor.tables.items()}
    change(tables)
    problem = RollingStock(corridor.with_tables(tables))
    outcome = solve_by_parts(problem, SolveOptions(gap=0.02, time_limit_s=20))
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert 0 <= outcome.bound <= outcome.cost
    return problem, outcome


def unserved(outcome: Outcome) -> set[str]:
    assert outcome.solution is not None
    return set(outcome.solution["unserved"]["order_id"])


def test_no_compatible_wagon() -> None:
    def change(tables: Tables) -> None:
        taken = tables["orders"]["commodity_id"].iloc[0]
        tables["wagon_suits"] = tables["wagon_suits"][tables["wagon_suits"]["commodity_id"] != taken]

    problem, outcome = planned(change)
    orders = problem.table("orders")
    assert set(orders[orders["commodity_id"] == orders["commodity_id"].iloc[0]]["order_id"]) <= unserved(outcome)


def test_fleet_that_comes_after_the_horizon_and_no_hire() -> None:
    corridor = apply_scenario(wagon_ladder("S", 3, orders=10, wagons=30), "base")
    fleet = corridor.table("fleet").assign(from_day=corridor.config.horizon.days)
    settings = corridor.config.rolling_stock.model_copy(update={"hire_allowed": False})
    config = corridor.config.model_copy(update={"rolling_stock": settings})
    corridor = replace(corridor.with_tables({"fleet": fleet}), instance=replace(corridor.instance, config=config))
    problem = RollingStock(corridor)
    for outcome in (solve_by_parts(problem, SolveOptions()), FAMILY.methods["engine"](problem, SolveOptions())):
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.bound == pytest.approx(outcome.cost)
        assert unserved(outcome) == set(problem.table("orders")["order_id"])


def test_demand_ten_times_the_fleet() -> None:
    def change(tables: Tables) -> None:
        tables["orders"]["quantity_t"] *= 10

    _, outcome = planned(change)
    assert unserved(outcome)


def test_wagons_that_cannot_leave() -> None:
    def change(tables: Tables) -> None:
        busy = tables["fleet"]["node_id"].iloc[0]
        links = tables["links"]
        tables["links"] = links[(links["from_node"] != busy) & (links["to_node"] != busy)]

    problem, outcome = planned(change)
    stuck = problem.table("fleet")["node_id"].iloc[0]
    assert outcome.solution is not None
    assert stuck not in set(outcome.solution["runs"]["from_node"])


def test_order_across_a_break_without_handling() -> None:
    def change(tables: Tables) -> None:
        tables["handlings"] = tables["handlings"].iloc[:0]
        links, orders = tables["links"], tables["orders"]
        broad = set(links[links["gauge_mm"] == 1520]["from_node"]) | set(links[links["gauge_mm"] == 1520]["to_node"])
        other = links[(links["gauge_mm"] != 1520) & (links["mode"] == "rail")]
        beyond = sorted((set(other["from_node"]) | set(other["to_node"])) - broad)
        orders.loc[orders.index[0], ["origin", "destination"]] = [sorted(broad)[0], beyond[0]]

    problem, outcome = planned(change)
    assert problem.table("orders")["order_id"].iloc[0] in unserved(outcome)


def test_sigterm_in_the_middle_of_a_run_brings_back_a_plan(tmp_path: Path) -> None:
    instance, out = tmp_path / "fleet", tmp_path / "out"
    write_instance(wagon_ladder("M", 3), instance)
    command = [sys.executable, "-m", "optimizer.cli"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    solving = subprocess.Popen(
        [*command, "solve", "rolling-stock", str(instance), "--json", "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert solving.stderr is not None
    assert "rolling-stock on" in solving.stderr.readline()
    time.sleep(1.5)
    assert solving.poll() is None, "ended before the signal"
    solving.send_signal(signal.SIGTERM)
    stdout, stderr = solving.communicate(timeout=120)
    assert solving.returncode == 0, stderr
    assert "Stopping with the best plan so far" in stderr
    told = json.loads(stdout)
    assert told["status"] == "FEASIBLE"
    assert 0 <= told["bound"] <= told["cost"]
    verified = subprocess.run(
        [*command, "verify", str(instance), str(out)], capture_output=True, text=True, env=environment, check=False
    )
    assert verified.returncode == 0, verified.stderr
