"""Faults of a terminal by their words; reading; export; report; determinism over row order."""

import highspy
import pytest
from hypothesis import given, settings
from strategies import corridor_from_rows, terminals
from test_terminal_exact import toy, toy_rows

from optimizer.data.corridor import Corridor
from optimizer.errors import InstanceError, UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment, crosscheck
from optimizer.models.transshipment.reading import read_site
from optimizer.models.transshipment.search import solve_exact
from optimizer.models.transshipment.site import first_end
from optimizer.result import Status


def fault(drop=(), **changes):
    rows = toy_rows(**changes)
    for name in drop:
        rows[name] = []
    with pytest.raises(InstanceError) as caught:
        Transshipment(corridor_from_rows(rows))
    return str(caught.value)


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        ("train_calls/BROAD/length_m", 900.0, "2: length_m is 900, but the longest track of 1520 mm has 800 m"),
        ("train_calls/BROAD/gauge_mm", 1435, "2: gauge_mm is 1435, but terminal 'T' has no track of that gauge"),
        ("train_calls/INDIAN/depart_h", 0.5, "3: depart_h is 0.5, expected arrive_h 1 or later"),
        ("train_calls/INDIAN/latest_depart_h", 3.0, "3: latest_depart_h is 3, expected depart_h 4 or later"),
        ("terminal_cranes/CRANE/shifts_h", ("6-25",), "2: shifts_h is '6-25', expected hours of the day"),
        ("terminal_loads/A/call_id", "BRAOD", "2: call_id is 'BRAOD', not in train_calls.csv; did you mean 'BROAD'?"),
        ("terminal_loads/A/modes", ("direkt",), "2: modes is 'direkt', expected direct, yard or bogie; did you mean"),
        ("terminal_loads/A/teu", 0.0, "2: teu is 0, expected more than 0 for a container load"),
    ],
)  # fmt: skip
def test_faults_are_told_with_file_and_line(where, value, words):
    assert f"{where.split('/')[0]}.csv:{words}" in fault(**{where: value})


def test_a_crane_without_tracks_is_told():
    assert "crane 'CRANE' reaches no track of terminal 'T'" in fault(**{"terminal_cranes/CRANE/tracks": ("K15",)})


def test_a_direct_load_needs_a_crane_over_both_gauges():
    words = fault(
        **{"terminal_cranes/CRANE/tracks": ("K1520",), "terminal_loads/A/modes": ("direct",)},
    )
    assert "modes is 'direct', but no container crane reaches both a 1520 mm track and one of another gauge" in words


def test_all_faults_at_once():
    words = fault(**{"train_calls/BROAD/length_m": 900.0, "terminal_loads/A/modes": ("x",)})
    assert words.splitlines()[0].endswith(": 2 faults")


def test_no_trains_are_told():
    assert "no train calls at terminal 'T'" in fault(drop=("train_calls", "terminal_loads"))


def test_unknown_terminal_is_told():
    with pytest.raises(UsageError, match=r"terminal 'TT' is not in terminals\.csv, expected one of T"):
        Transshipment(toy().corridor, terminal="TT")


def test_loads_of_trains_that_do_not_run_do_not_come():
    corridor = toy().corridor
    calls = corridor.tables["train_calls"]
    without = Corridor(corridor.instance, (), corridor.selection, {**corridor.tables, "train_calls": calls.iloc[:1]})
    site = Transshipment(without).site
    assert {load.call_id for load in site.loads} == {"BROAD"}


def test_shifts_that_touch_are_one_window_and_nights_run_over_midnight():
    rows = toy_rows(**{"terminal_cranes/CRANE/shifts_h": ("22-6", "6-7", "9-10")})
    (crane,) = read_site(corridor_from_rows(rows), None).cranes
    assert crane.open[:4] == ((0, 420), (540, 600), (1320, 1860), (1980, 2040))
    assert first_end(crane.open, 400, 30) == 570
    assert first_end(crane.open, 400, 20) == 420
    assert first_end(crane.open, 0, 10_000) is None


def test_numbers_of_the_tables_become_the_nearest_integers():
    rows = toy_rows(**{"train_calls/BROAD/arrive_h": 0.3, "train_calls/BROAD/wait_usd_per_h": 33.335})
    call = read_site(corridor_from_rows(rows), None).call["BROAD"]
    assert (call.arrive, call.wait_cents_per_h) == (18, 3334)


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_an_exported_model_reads_back_to_the_same_optimum(tmp_path, suffix):
    path = tmp_path / f"terminal{suffix}"
    FAMILY.export(toy(), path)
    solver = highspy.Highs()
    solver.silent()
    assert solver.readModel(str(path)) == highspy.HighsStatus.kOk
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.run()
    assert solver.getInfo().objective_function_value == pytest.approx(2000.0)


def test_ids_that_look_alike_in_a_file_stay_apart():
    rows = toy_rows()
    rows["terminal_loads"] += [rows["terminal_loads"][4] | {"load_id": name} for name in ("F-1", "F_1", "F.1")]
    names = [v.name for v in crosscheck.build(Transshipment(corridor_from_rows(rows))).model.variables()]
    assert len(names) == len(set(names))


def test_a_terminal_too_large_for_a_file_says_so(monkeypatch):
    monkeypatch.setattr(crosscheck, "MOST_PAIRS", 3)
    with pytest.raises(UsageError, match=r"has 5 works, so 10 pairs .* use method 'exact'"):
        crosscheck.build(toy())


def test_kpis_and_report_of_the_toy():
    problem = toy()
    solution = solve_exact(problem, SolveOptions()).solution
    kpis = FAMILY.kpis(problem, solution)
    parts = ("wait_usd", "late_usd", "direct_usd", "yard_usd", "bogie_usd", "missed_usd")
    assert [kpis[part] for part in parts] == [60, 20, 600, 120, 500, 700]
    assert (kpis["loads_direct"], kpis["loads_yard"], kpis["loads_bogie"], kpis["loads_missed"]) == (2, 1, 1, 1)
    assert (kpis["yard_peak_teu"], kpis["train_wait_h"], kpis["load_late_h"]) == (20, 1.0, 0.5)
    tables = {table.title: table for table in FAMILY.report(problem, solution)}
    assert tables["Trains at Border terminal"].rows[0] == (
        "BROAD", "1520", "K1520", "1+00:00", "1+00:00", "1+02:00", "1+03:00", "1.0",
    )  # fmt: skip
    assert "serves EAST" in tables["Missed loads"].rows[0][-1]


@settings(deadline=None, max_examples=30)
@given(corridor=terminals())
def test_reports_hold_together(corridor):
    problem = Transshipment(corridor)
    outcome = solve_exact(problem, SolveOptions())
    if outcome.status is not Status.INFEASIBLE:
        kpis = FAMILY.kpis(problem, outcome.solution)
        assert sum(v for k, v in kpis.items() if k.endswith("_usd")) == pytest.approx(outcome.cost)
        assert all(len(row) == len(t.columns) for t in FAMILY.report(problem, outcome.solution) for row in t.rows)


@settings(deadline=None, max_examples=15)
@given(corridor=terminals())
def test_the_order_of_rows_changes_no_cost(corridor):
    turned = {name: frame.iloc[::-1] for name, frame in corridor.tables.items()}
    other = Corridor(corridor.instance, corridor.scenario, corridor.selection, turned)
    one, two = (solve_exact(Transshipment(c), SolveOptions()) for c in (corridor, other))
    assert (one.status, one.cost) == (two.status, two.cost)
