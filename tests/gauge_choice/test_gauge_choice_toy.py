"""The toy instance: every figure of its README, in every method, and what the verifier says to forged plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highspy
import pandas as pd
import pytest

from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice import FAMILY, GaugeChoice
from optimizer.result import Outcome, Status

Tables = dict[str, pd.DataFrame]
BY_HAND = [
    ({}, 28_400_000.0),
    ({"gauges": "border"}, 31_700_000.0),
    ({"gauges": "mb=1520"}, 31_700_000.0),
    ({"gauges": "inland", "without": "bulk"}, 29_014_000.0),
]


def toy(instances_dir: Path) -> Corridor:
    return apply_scenario(read_instance(instances_dir / "toy-gauge-choice"))


def changed(corridor: Corridor, table: str, **cells: Any) -> Corridor:
    """The corridor with columns of a table set in every row."""
    return replace(corridor, tables={**corridor.tables, table: corridor.table(table).assign(**cells)})


def solved(problem: GaugeChoice, method: str = "exact", solver: str | None = None) -> Outcome:
    outcome = FAMILY.methods[method](problem, SolveOptions(solver=solver))
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    return outcome


@pytest.mark.parametrize(("method", "solver"), [("exact", "highs"), ("crosscheck", "highs"), ("crosscheck", "scip")])
@pytest.mark.parametrize(("options", "cost"), BY_HAND)
def test_optimum_worked_out_by_hand(
    instances_dir: Path, method: str, solver: str, options: dict[str, Any], cost: float
) -> None:
    outcome = solved(GaugeChoice(toy(instances_dir), **options), method, solver)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(cost, rel=1e-9)
    assert outcome.bound == pytest.approx(cost, rel=1e-6)


def test_plan_worked_out_by_hand(instances_dir: Path) -> None:
    solution = solved(GaugeChoice(toy(instances_dir))).solution
    assert solution is not None
    assert solution["gauges"].to_dict("records") == [{"section_id": "mb", "option_id": "mb-1676"}]
    assert solution["terminals"].to_dict("records") == [
        {"site_id": "M-bulk", "servers": 1, "use_level": 0.5, "tracks": 3, "sets": 0}
    ]
    assert not len(solution["unserved"])


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_exported_model_has_the_same_optimum(instances_dir: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    FAMILY.export(GaugeChoice(toy(instances_dir)), path)
    assert "one_gauge_mb" in path.read_text()
    stock = highspy.Highs()
    stock.setOptionValue("output_flag", False)
    assert stock.readModel(str(path)) == highspy.HighsStatus.kOk
    stock.run()
    assert stock.getInfo().objective_function_value == pytest.approx(28_400_000.0, rel=1e-6)


@pytest.mark.parametrize("method", ["exact", "crosscheck"])
def test_a_stop_leaves_a_plan_and_a_bound(instances_dir: Path, method: str) -> None:
    problem = GaugeChoice(toy(instances_dir))
    options = SolveOptions()
    options.stop.set()
    outcome = FAMILY.methods[method](problem, options)
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound is not None
    assert outcome.cost is not None
    assert outcome.bound <= 28_400_000.0 * (1 + 1e-9) <= outcome.cost * (1 + 2e-9)


def test_full_terminals_leave_tonnes_behind_and_say_why(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    lanes = corridor.table("lanes").copy()
    lanes.loc[lanes["lane_id"] == "through", "quantity_t_per_year"] = 40_000_000.0
    corridor = replace(corridor, tables={**corridor.tables, "lanes": lanes})
    problem = GaugeChoice(corridor)
    outcome = solved(problem)
    assert outcome.solution is not None
    # Six servers at 0.8 pass 6 x 4.2048 Mt; with the section in 1676 mm nothing else may change at Midway.
    left = dict(zip(outcome.solution["unserved"]["demand_id"], outcome.solution["unserved"]["quantity_t"], strict=True))
    assert left == {"through": pytest.approx(40_000_000 - 6 * 4_204_800)}
    table = next(table for table in FAMILY.report(problem, outcome.solution) if table.title == "Left behind")
    assert table.rows == [
        ["through", "Northfield > Southport", "14,771.2", "ways full, or not worth a larger terminal"]
    ]

    forced = FAMILY.methods["exact"](GaugeChoice(corridor, serve_all=True), SolveOptions())
    assert forced.status is Status.INFEASIBLE
    assert forced.conflicts[0].startswith("lane through: 14,771,200 of 40,000,000 t a year find no room")


def test_no_route_is_named(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    corridor = replace(corridor, tables={**corridor.tables, "links": corridor.table("links").query("link_id != 'nm'")})
    outcome = FAMILY.methods["exact"](GaugeChoice(corridor, serve_all=True), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    assert outcome.conflicts == ("lane through: 2,000,000 t a year have no route, whatever is built",)
    left = solved(GaugeChoice(corridor)).solution
    assert left is not None
    assert left["unserved"]["quantity_t"].tolist() == [2_000_000.0]


def test_sets_limit_what_bogies_pass(instances_dir: Path) -> None:
    corridor = changed(toy(instances_dir), "transfer_sites", max_sets=100.0)
    solution = solved(GaugeChoice(corridor, gauges="inland", without="bulk")).solution
    assert solution is not None
    assert solution["terminals"]["sets"].tolist() == [100]
    assert solution["unserved"]["quantity_t"].sum() == pytest.approx(2_000_000 - 100 * 365 / 10 * 60)


def test_options_that_do_not_fit_are_named(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    for options, words in (
        ({"gauges": "inlnd"}, "unknown gauge variant 'inlnd'; known are border, inland, .*did you mean 'inland'"),
        ({"gauges": "mb=1435"}, "'mb=1435' names no option, expected SECTION=GAUGE; 'mb' can be built in 1520, 1676"),
        ({"without": "bulky"}, "unknown transfer technology 'bulky'; known are bogie, bulk; did you mean 'bulk'"),
        ({"serve_all": "yes"}, "serve_all is 'yes', expected true or false"),
    ):
        with pytest.raises(UsageError, match=words):
            GaugeChoice(corridor, **options)  # type: ignore[arg-type]


def test_missing_tables_and_foreign_contracts_are_named(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    for name in ("lanes", "transfer_sites"):
        with pytest.raises(InstanceError, match=rf"{name}\.csv: no rows in force; gauge choice needs"):
            GaugeChoice(replace(corridor, tables={**corridor.tables, name: corridor.table(name).iloc[:0]}))
    contract = {"contract_id": ["lease"], "assets": [("nm",)], "fixed_cost_usd_per_year": [1.0]}
    contracts = pd.DataFrame(contract, index=pd.Index([2], name="line"))
    with pytest.raises(InstanceError, match=r"contracts.csv:2: contract 'lease' covers nm"):
        GaugeChoice(replace(corridor, tables={**corridor.tables, "contracts": contracts}))


def edited(tables: Tables, name: str, column: str, value: Any) -> Tables:
    return {**tables, name: tables[name].assign(**{column: value})}


FORGERIES: list[tuple[str, Callable[[Tables], Tables], str]] = [
    ("another gauge", lambda t: edited(t, "gauges", "option_id", "mb-1520"), "trains on a gauge that is not built"),
    ("no gauge", lambda t: {**t, "gauges": t["gauges"].iloc[:0]}, "section is not built"),
    ("closed", lambda t: {**t, "terminals": t["terminals"].iloc[:0]}, "loads at a closed site"),
    ("too many servers", lambda t: edited(t, "terminals", "servers", 4), "servers outside what is installed"),
    ("no level", lambda t: edited(t, "terminals", "use_level", 0.55), "use is not one of the levels"),
    ("few tracks", lambda t: edited(t, "terminals", "tracks", 2), "too few tracks for the planned use"),
    ("half a server", lambda t: edited(t, "terminals", "servers", 1.5), "must be whole numbers"),
    ("less moved", lambda t: edited(t, "routes", "quantity_t", 1_000_000.0), "served and unserved differ"),
    ("more moved", lambda t: edited(t, "routes", "quantity_t", 3_000_000.0), "more than the servers pass"),
    ("gap", lambda t: {**t, "legs": t["legs"].query("asset_id != 'M-bulk'")}, "leg does not start where the load is"),
    ("more tracks", lambda t: edited(t, "terminals", "tracks", 9), "claimed cost differs"),
]


@pytest.mark.parametrize(("forge", "words"), [f[1:] for f in FORGERIES], ids=[f[0] for f in FORGERIES])
def test_forged_plans_are_refused(instances_dir: Path, forge: Callable[[Tables], Tables], words: str) -> None:
    problem = GaugeChoice(toy(instances_dir))
    outcome = solved(problem)
    assert outcome.solution is not None
    found = [str(violation) for violation in FAMILY.verify(problem, forge(dict(outcome.solution)), outcome.cost)]
    assert any(words in line for line in found), found


def test_sets_and_bans_are_checked(instances_dir: Path) -> None:
    by_bogie = solved(GaugeChoice(toy(instances_dir), gauges="inland", without="bulk"))
    assert by_bogie.solution is not None
    few = edited(dict(by_bogie.solution), "terminals", "sets", 900)
    problem = GaugeChoice(toy(instances_dir), gauges="inland", without="bulk")
    assert any(v.rule == "too few sets for what passes" for v in FAMILY.verify(problem, few, None))
    barred = GaugeChoice(toy(instances_dir), without="bogie")
    assert any(v.rule == "technology may not be used" for v in FAMILY.verify(barred, by_bogie.solution, None))
    elsewhere = GaugeChoice(toy(instances_dir), gauges="border")
    rules = {v.rule for v in FAMILY.verify(elsewhere, by_bogie.solution, None)}
    assert "section is not built in the gauge asked for" in rules


def test_report_speaks_of_places(instances_dir: Path) -> None:
    problem = GaugeChoice(toy(instances_dir))
    solution = solved(problem).solution
    assert solution is not None
    tables = FAMILY.report(problem, solution)
    text = "\n".join(" ".join(row) for table in tables for row in table.rows)
    assert "Midway" in text
    assert "1 front" in text
    costs = next(table for table in tables if table.title == "What it costs")
    assert dict(costs.rows)["all"] == "28.40"  # type: ignore[arg-type]
    assert FAMILY.kpis(problem, solution)["gauges"] == "1676 Midway - Bordertown"
