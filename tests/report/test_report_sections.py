"""What the figures say, against hand-made cases and brute force."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import optimizer as opt
from optimizer.data.corridor import Corridor
from optimizer.report.cases import Case, read_cases
from optimizer.report.network_map import closed_assets, corridor_map
from optimizer.report.port_choice import PlanView
from optimizer.report.sensitivity import first_order, tornado, uncertain_inputs
from optimizer.report.string_lines import Movement, main_lines, strings_on, timed, walk
from optimizer.report.trust import haul_by_tariff, used_rows


def edit(instance: Path, table: str, **columns: object) -> None:
    """Sets cells of every row of a table; a value may be a function of the row."""
    file = instance / f"{table}.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        row |= {name: str(value(row) if callable(value) else value) for name, value in columns.items()}
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def uncertain(instances_dir: Path, tmp_path: Path) -> Path:
    """The toy with a low and a high dwell of every handling and a band of every tariff."""
    instance = tmp_path / "instance"
    shutil.copytree(instances_dir / "toy-port-choice", instance)
    edit(
        instance,
        "handlings",
        confidence="estimated",
        dwell_h_low=lambda row: 0.5 * float(row["dwell_h"]),
        dwell_h_high=lambda row: 3 * float(row["dwell_h"]),
    )
    edit(
        instance,
        "tariffs",
        confidence="estimated",
        value_low=lambda row: 0.8 * float(row["value"]),
        value_high=lambda row: 1.5 * float(row["value"]),
    )
    return instance


def view_of(corridor: Corridor) -> PlanView:
    problem = opt.PortChoice(corridor)
    return PlanView(Case("base", "base", opt.solve(problem), problem, ()))


def test_tornado_against_solving_by_hand(uncertain: Path, tmp_path: Path) -> None:
    view = view_of(opt.read(uncertain))
    base = view.case.result.cost
    assert base is not None
    bars, known, left_out = tornado(view, 20, 300.0, lambda _: None)
    assert left_out == 0
    assert len(bars) == known > 1
    for bar in bars:
        changed = tmp_path / f"{bar.input.table}-{bar.input.row}"
        for value, usd in ((bar.input.low, bar.low_usd), (bar.input.high, bar.high_usd)):
            shutil.copytree(uncertain, changed)
            rows = opt.read(uncertain).table(bar.input.table)
            key = rows.columns[0]
            wanted = str(rows[key].iloc[bar.input.row])
            edit(
                changed,
                bar.input.table,
                **{
                    bar.input.column: lambda row, v=value, k=key, w=wanted, c=bar.input.column: (
                        v if row[k] == w else row[c]
                    )
                },
            )
            cost = opt.solve(opt.PortChoice(opt.read(changed)), method="exact").cost
            assert cost == pytest.approx(base + usd, abs=1e-3)
            shutil.rmtree(changed)


def test_the_first_order_bounds_what_a_change_can_do(uncertain: Path) -> None:
    """Routes kept, a plan pays at most what the ranking says for a dearer input: the least cost rises no more."""
    view = view_of(opt.read(uncertain))
    inputs = uncertain_inputs(view.case.corridor, {})
    weight = dict(zip(inputs, first_order(view, inputs), strict=True))
    bars, _, _ = tornado(view, 20, 300.0, lambda _: None)
    for bar in bars:
        assert bar.high_usd <= weight[bar.input] + 1e-6


def test_no_input_is_uncertain_where_all_is_certain(instances_dir: Path) -> None:
    assert uncertain_inputs(opt.read(instances_dir / "toy-port-choice"), {}) == []


def test_haul_by_tariff_sums_to_the_haul(stored: Mapping[str, Path]) -> None:
    view = PlanView(read_cases([stored["ports"]])[0])
    assert sum(haul_by_tariff(view).values()) == pytest.approx(view.whole().money_usd["haul"])
    used = {one.table for one in used_rows(view.case, view)}
    assert {"links", "handlings", "lanes"} <= used


def test_chains_sum_to_the_cost(stored: Mapping[str, Path]) -> None:
    view = PlanView(read_cases([stored["ports"]])[0])
    whole = view.whole()
    contracts = 0.0
    for row in view.case.corridor.table("contracts").to_dict("records"):
        contracts += float(row["fixed_cost_usd_per_year"])
    unserved = sum(
        row["quantity_t"] * view.trips.demands[row["demand_id"]]["unserved_usd_per_t"]
        for row in view.trips.solution["unserved"].to_dict("records")
    )
    assert (view.trips.solution["contracts"]["taken"]).all()
    total = sum(whole.money_usd.values()) + whole.time_usd + whole.unreliable_usd + contracts + unserved
    assert total == pytest.approx(view.case.result.cost)


def test_what_a_scenario_closes(instances_dir: Path) -> None:
    base, shut = (opt.read(instances_dir / "toy-port-choice", name) for name in ("base", "east-shut"))
    assert closed_assets(base) == []
    closed = closed_assets(shut)
    links = set(base.table("links")["link_id"]) - set(shut.table("links")["link_id"])
    assert {i for kind, i in closed if kind == "link"} == links != set()


def test_map_of_an_instance_without_links_or_load(instances_dir: Path) -> None:
    from optimizer.report.network_map import Traffic

    figure = corridor_map([Traffic("base", opt.read(instances_dir / "toy-transshipment"))])
    assert len(figure.data["nodes"]) >= 2
    assert figure.data["loads"] == [{}]


def movement(name: str, places: str, start: float, end: float, weight: float = 1.0) -> Movement:
    km = [10.0] * (len(places) - 1)
    return Movement(name, "g1520", timed(list(places), km, start, end), km, weight)


def test_main_lines_are_the_busiest_ways_lengthened() -> None:
    moves = [movement("long", "abcd", 0, 30, 5), movement("on", "de", 0, 10, 2), movement("branch", "bx", 0, 10, 1)]
    lines = main_lines(moves)
    assert [place for place, _ in lines[0]] == ["a", "b", "c", "d", "e"]
    assert [km for _, km in lines[0]] == [0, 10, 20, 30, 40]
    assert {place for place, _ in lines[1]} == {"b", "x"}


def test_strings_leave_a_line_and_come_back() -> None:
    line = [("a", 0.0), ("b", 10.0), ("c", 20.0), ("d", 30.0)]
    there = strings_on(line, [movement("detour", "abxcd", 0, 40)])
    assert [string[2] for string in there] == [[[0, 0], [10, 10]], [[30, 20], [40, 30]]]
    back = strings_on(line, [movement("back", "dcba", 0, 30)])
    assert back[0][2] == [[0, 30], [10, 20], [20, 10], [30, 0]]
    assert strings_on(line, [movement("elsewhere", "xy", 0, 10)]) == []


def test_a_path_is_walked_in_running_order() -> None:
    links = {"1": ("a", "b", 5.0), "2": ("c", "b", 7.0)}
    assert walk(["1", "bogies", "2"], "a", links) == (["a", "b", "c"], [5.0, 7.0])
    assert walk(["2", "1"], "c", links) == (["c", "b", "a"], [7.0, 5.0])
