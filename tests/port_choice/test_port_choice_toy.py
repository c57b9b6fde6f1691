"""The toy instance: every figure of its README, in every method, and what the verifier says to forged plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highspy
import pandas as pd
import pytest

from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.result import Outcome, Status

Tables = dict[str, pd.DataFrame]


def toy(instances_dir: Path, scenario: str | None = None) -> Corridor:
    return apply_scenario(read_instance(instances_dir / "toy-port-choice"), scenario)


def solved(problem: PortChoice, method: str = "exact", solver: str | None = None) -> Outcome:
    outcome = FAMILY.methods[method](problem, SolveOptions(solver=solver))
    assert outcome.solution is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    return outcome


@pytest.mark.parametrize(("method", "solver"), [("exact", "highs"), ("exact", "cbc"), ("crosscheck", "highs")])
@pytest.mark.parametrize(
    ("scenario", "dated", "cost"),
    [(None, False, 31_120.0), ("east-shut", False, 31_840.0), (None, True, 166 + 684 - 5.40 * 600 / 365)],
)
def test_optimum_worked_out_by_hand(
    instances_dir: Path, method: str, solver: str, scenario: str | None, dated: bool, cost: float
) -> None:
    outcome = solved(PortChoice(toy(instances_dir, scenario), dated=dated), method, solver)
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(cost, rel=1e-8)
    assert outcome.bound == pytest.approx(cost, rel=1e-6)


def test_plan_and_price_worked_out_by_hand(instances_dir: Path) -> None:
    solution = solved(PortChoice(toy(instances_dir))).solution
    assert solution is not None
    quay = solution["legs"].query("asset_id in ('quay-east', 'quay-west')").merge(solution["routes"], on="route_id")
    tonnes = dict(zip(quay["asset_id"], quay["quantity_t"], strict=True))
    assert tonnes == pytest.approx({"quay-east": 600, "quay-west": 400})
    assert solution["contracts"]["taken"].tolist() == [True]
    assert not len(solution["unserved"])
    assert dict(zip(solution["prices"]["resource"], solution["prices"]["price_usd_per_unit"], strict=True)) == {
        "port east t": pytest.approx(1.2)
    }


@pytest.mark.parametrize("solver", ["glop", "pdlp", "highs"])
def test_linear_solvers_agree_where_there_is_no_contract(instances_dir: Path, solver: str) -> None:
    corridor = toy(instances_dir)
    none = corridor.table("contracts").iloc[:0]
    bogies = corridor.table("handlings").query("handling_id != 'bogies'")
    corridor = replace(corridor, tables={**corridor.tables, "contracts": none, "handlings": bogies})
    outcome = solved(PortChoice(corridor), "crosscheck", solver)
    assert outcome.cost == pytest.approx(34_080, rel=1e-5)
    assert outcome.bound is not None
    assert 34_080 * (1 - 1e-4) <= outcome.bound <= 34_080 * (1 + 1e-9)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
@pytest.mark.parametrize(("dated", "cost"), [(False, 31_120.0), (True, 166 + 684 - 5.40 * 600 / 365)])
def test_exported_model_has_the_same_optimum(
    instances_dir: Path, tmp_path: Path, suffix: str, dated: bool, cost: float
) -> None:
    path = tmp_path / f"model{suffix}"
    FAMILY.export(PortChoice(toy(instances_dir), dated=dated), path)
    assert "demand_" in path.read_text()
    stock = highspy.Highs()
    stock.setOptionValue("output_flag", False)
    assert stock.readModel(str(path)) == highspy.HighsStatus.kOk
    stock.run()
    assert stock.getInfo().objective_function_value == pytest.approx(cost, rel=1e-6)


def test_nothing_may_stay_behind(instances_dir: Path) -> None:
    corridor = toy(instances_dir, "east-shut")
    links = corridor.table("links").copy()
    links.loc[links["link_id"] == "bw", "capacity_mt_per_year"] = 0.0009
    problem = PortChoice(replace(corridor, tables={**corridor.tables, "links": links}), serve_all=True)
    for method in FAMILY.methods.values():
        outcome = method(problem, SolveOptions())
        assert outcome.status is Status.INFEASIBLE
        words = " | ".join(outcome.conflicts)
        told = [part for part in outcome.conflicts if "cannot be carried" in part]
        short = [float(part.split(": ")[1].split(" of ")[0].replace(",", "")) for part in told]
        assert sum(short) == pytest.approx(300)
        assert "t/year cannot be carried within the capacities" in words
        assert "(Northfield > " in words
        assert "link bw, Borderton > West Port is full: 900 t a year" in words
        # The 1,000 t alone exceed the 900 t; the mill's 200 t are no part of the minimal conflict.
        assert outcome.conflicts[-2].endswith("lane export (1,000 t); 900 t a year at link bw, Borderton > West Port")
        assert outcome.conflicts[-1].endswith("more room, 300 t a year at link bw, Borderton > West Port")


def test_no_route_is_named(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    links = corridor.table("links").query("link_id != 'nb'")
    problem = PortChoice(replace(corridor, tables={**corridor.tables, "links": links}), serve_all=True)
    outcome = FAMILY.methods["exact"](problem, SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    assert outcome.conflicts[0].endswith("1,000 of 1,000 t/year cannot be carried, there is no route")


@pytest.mark.parametrize("method", ["exact", "crosscheck"])
@pytest.mark.parametrize("dated", [False, True])
def test_a_stop_leaves_the_trivial_plan_and_a_bound(instances_dir: Path, method: str, dated: bool) -> None:
    problem = PortChoice(toy(instances_dir), dated=dated)
    options = SolveOptions()
    options.stop.set()
    outcome = FAMILY.methods[method](problem, options)
    assert outcome.status.has_plan
    assert outcome.solution is not None
    assert outcome.bound is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    best = 841.1233 if dated else 31_120.0
    assert outcome.bound <= best * (1 + 1e-6)
    assert outcome.cost is not None
    assert outcome.cost >= best * (1 - 1e-6)


def test_empty_demand_names_the_table_and_the_way_out(instances_dir: Path) -> None:
    corridor = toy(instances_dir)
    for name, options, hint in (("lanes", {}, "with dates"), ("shipments", {"dated": True}, "without dates")):
        tables = {**corridor.tables, name: corridor.table(name).iloc[:0]}
        with pytest.raises(InstanceError, match=rf"{name}\.csv: no rows.*at least one row of {name}.*{hint}"):
            PortChoice(replace(corridor, tables=tables), **options)
    with pytest.raises(UsageError, match="dated"):
        PortChoice(corridor, dated="yes")  # type: ignore[arg-type]


def test_too_large_a_dated_model_is_refused(instances_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.models.port_choice.days.MOST_FLOWS", 10)
    with pytest.raises(UsageError, match=r"more than 10 flow variables.*shorten the horizon"):
        FAMILY.methods["exact"](PortChoice(toy(instances_dir), dated=True), SolveOptions())


def test_report_speaks_of_places(instances_dir: Path) -> None:
    for dated in (False, True):
        problem = PortChoice(toy(instances_dir), dated=dated)
        solution = solved(problem).solution
        assert solution is not None
        tables = FAMILY.report(problem, solution)
        text = "\n".join(" ".join(row) for table in tables for row in table.rows)
        assert "East Port" in text
        assert "gauge change 1520/1676" in text
        assert "Lease of the bogie exchange" in text
        for table in tables:
            rows = [table.columns, *table.rows]
            columns = zip(*rows, strict=True)
            widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]
            assert sum(widths) + 3 * len(widths) <= 100, table.title
    figures = FAMILY.kpis(PortChoice(toy(instances_dir)), solved(PortChoice(toy(instances_dir))).solution or {})
    assert figures["share of gateway tonnes through East Port, %"] == pytest.approx(60)
    assert figures["served, t"] == pytest.approx(1200)
    assert figures["gauge changes, t"] == pytest.approx(1200)
    assert figures["money, USD/t"] == pytest.approx((600 * 17 + 400 * 15 + 200 * 7) / 1200)


def _edit(table: str, column: str, change: Callable[[pd.Series], pd.Series]) -> Callable[[Tables], None]:
    def edit(tables: Tables) -> None:
        tables[table][column] = change(tables[table][column])

    return edit


def _first(value: object) -> Callable[[pd.Series], pd.Series]:
    return lambda column: pd.Series([value, *column.iloc[1:]], index=column.index, dtype=column.dtype)


def _drop_leg(tables: Tables) -> None:
    tables["legs"] = tables["legs"].iloc[1:]


def _drop_contract(tables: Tables) -> None:
    tables["contracts"] = tables["contracts"].iloc[:0]


def _move_flow(tables: Tables) -> None:
    quantity = tables["routes"]["quantity_t"].to_numpy().copy()
    east = tables["legs"].query("asset_id == 'quay-east'")["route_id"].iloc[0]
    is_east = (tables["routes"]["route_id"] == east).to_numpy()
    west = tables["legs"].query("asset_id == 'quay-west'")["route_id"].iloc[0]
    is_west = (tables["routes"]["route_id"] == west).to_numpy()
    quantity[is_east] += 1
    quantity[is_west] -= 1
    tables["routes"]["quantity_t"] = quantity


FORGERIES: list[tuple[str, Callable[[Tables], None]]] = [
    ("over capacity", _move_flow),
    ("leg does not start where the load is", _drop_leg),
    ("leg does not fit its asset", _edit("legs", "asset_id", lambda ids: ids.replace({"be": "bw"}))),
    ("asset not in force", _edit("legs", "asset_id", lambda ids: ids.replace({"be": "nowhere"}))),
    (
        "leg does not fit its asset",
        _edit("legs", "to_layer", lambda layers: layers.replace({"rail-1676": "rail-1435"})),
    ),
    ("served and unserved differ", _edit("routes", "quantity_t", lambda tonnes: tonnes - 1)),
    ("quantity must be above zero", _edit("routes", "quantity_t", _first(float("nan")))),
    ("quantity must be above zero", _edit("routes", "quantity_t", _first(-5.0))),
    ("unknown demand", _edit("routes", "demand_id", _first("nobody"))),
    ("route listed twice", _edit("routes", "route_id", lambda ids: pd.Series([ids.iloc[0]] * len(ids), ids.index))),
    ("contracts of plan and instance differ", _drop_contract),
    ("assets used without their contract", _edit("contracts", "taken", lambda taken: ~taken)),
    ("price of an unknown resource", _edit("prices", "resource", lambda names: names + " twice")),
    ("leg of an unknown route", _edit("legs", "route_id", _first("R99"))),
]


@pytest.mark.parametrize(("rule", "forge"), FORGERIES, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(FORGERIES)])
def test_forged_plans_are_rejected(instances_dir: Path, rule: str, forge: Callable[[Tables], None]) -> None:
    problem = PortChoice(toy(instances_dir))
    outcome = solved(problem)
    assert outcome.solution is not None
    tables = {name: table.copy() for name, table in outcome.solution.items()}
    forge(tables)
    found = FAMILY.verify(problem, tables, outcome.cost)
    assert any(violation.rule.startswith(rule) for violation in found), found


DATED_FORGERIES: list[tuple[str, Callable[[Tables], None]]] = [
    ("departure before release", _edit("routes", "depart_day", lambda days: days - 1)),
    ("duration differs", _edit("legs", "arrive_day", lambda days: days + 1)),
    ("arrival after the horizon", _edit("routes", "arrive_day", lambda days: days + 40)),
    ("whole days", _edit("legs", "depart_day", _first(float("nan")))),
    ("no sailing", _edit("legs", "depart_day", lambda days: days + 1)),
    ("only links that leave", _edit("legs", "chain", lambda chain: chain * 0)),
]


@pytest.mark.parametrize(("rule", "forge"), DATED_FORGERIES, ids=[rule for rule, _ in DATED_FORGERIES])
def test_forged_days_are_rejected(instances_dir: Path, rule: str, forge: Callable[[Tables], None]) -> None:
    problem = PortChoice(toy(instances_dir), dated=True)
    outcome = solved(problem)
    assert outcome.solution is not None
    tables = {name: table.copy() for name, table in outcome.solution.items()}
    forge(tables)
    found = FAMILY.verify(problem, tables, outcome.cost)
    assert any(violation.rule.startswith(rule) for violation in found), found


@pytest.mark.parametrize("cost", [31_120.0 * (1 - 3e-6), 31_121.0, float("nan"), 0.0])
def test_a_forged_cost_is_rejected(instances_dir: Path, cost: float) -> None:
    problem = PortChoice(toy(instances_dir))
    (violation,) = FAMILY.verify(problem, solved(problem).solution or {}, cost)
    assert violation.rule == "claimed cost differs from the cost of the plan"
