"""The verifier accepts what the models plan and rejects every change that breaks a rule."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import terminals

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import Transshipment
from optimizer.models.transshipment.search import solve_exact
from optimizer.models.transshipment.verify import verify

TOY = Path(__file__).resolve().parents[2] / "instances" / "toy-transshipment"
COST = 2000.0


@pytest.fixture(scope="module")
def solved():
    problem = Transshipment(apply_scenario(read_instance(TOY), None))
    outcome = solve_exact(problem, SolveOptions())
    assert outcome.cost == COST
    return problem, outcome.solution


def changed(solution, table, key, **values):
    """The plan with some cells of one row replaced."""
    frame = solution[table].copy()
    row = frame.index[frame.iloc[:, 0] == key][0]
    for column, value in values.items():
        frame[column] = frame[column].astype(object)
        frame.at[row, column] = value
    return {**solution, table: frame}


def test_the_plan_itself_passes(solved):
    problem, solution = solved
    assert not verify(problem, solution, COST)
    assert not verify(problem, solution)


NO_WORK = {
    "unload_resource": "", "unload_start_min": None, "unload_end_min": None,
    "load_resource": "", "load_start_min": None, "load_end_min": None,
}  # fmt: skip

MUTATIONS = {
    "gauge of the track": ("trains", "BROAD", {"track_id": "K1676"}),
    "unknown track": ("trains", "BROAD", {"track_id": "K9"}),
    "on the track before arrival": ("trains", "INDIAN", {"start_min": 59}),
    "leaves before its time": ("trains", "INDIAN", {"leave_min": 239}),
    "leaves after its latest departure": ("trains", "INDIAN", {"leave_min": 721}),
    "work while the train does not stand": ("trains", "BROAD", {"leave_min": 179}),
    "start_min in whole minutes": ("trains", "INDIAN", {"start_min": 60.5}),
    "leaves before it stands": ("trains", "BROAD", {"start_min": 180}),
    "way not allowed": ("loads", "A", {"mode": "bogie"}),
    "onward train of the same gauge": ("loads", "A", {"outbound_id": "BROAD"}),
    "unknown onward train": ("loads", "A", {"outbound_id": "NOBODY"}),
    "onward train goes elsewhere": (
        "loads", "D",
        {
            "mode": "direct", "outbound_id": "INDIAN",
            "unload_resource": "CRANE", "unload_start_min": 200, "unload_end_min": 240,
        },
    ),
    "unknown crane": ("loads", "A", {"unload_resource": "BAY"}),
    "unknown bogie bay": ("loads", "B", {"unload_resource": "CRANE"}),
    "length of the work": ("loads", "A", {"unload_end_min": 119}),
    "two works at once": ("loads", "F", {"load_start_min": 170, "load_end_min": 190}),
    "out of the yard before in it": ("loads", "F", {"load_start_min": 0, "load_end_min": 20}),
    "bogie exchange after the onward train left": ("loads", "B", {"unload_start_min": 150, "unload_end_min": 270}),
    "works of the way": ("loads", "F", {"load_resource": ""}),
    "work with resource, start and end": ("loads", "A", {"unload_start_min": None}),
    "missed load on a train": ("loads", "A", {"mode": "missed", **NO_WORK}),
}  # fmt: skip


@pytest.mark.parametrize("rule", list(MUTATIONS))
def test_a_broken_rule_is_named(solved, rule):
    problem, solution = solved
    table, key, values = MUTATIONS[rule]
    assert rule in [violation.rule for violation in verify(problem, changed(solution, table, key, **values))]


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "rule"),
    [
        ("train_calls", "INDIAN", "capacity_teu", 79.0, "train over capacity"),
        ("train_calls", "INDIAN", "capacity_wagons", 9, "train over capacity"),
        ("train_calls", "BROAD", "length_m", 801.0, "train longer than its track"),
        ("terminals", "T", "yard_capacity_teu", 19.0, "yard over capacity"),
        ("terminal_bays", "BAY", "bogie_sets_1676", 9, "bogie sets below zero"),
        ("terminal_cranes", "CRANE", "tracks", ("K1520",), "crane does not reach the track"),
        ("terminal_cranes", "CRANE", "handles", "bulk", "crane for another kind of cargo"),
        ("terminal_cranes", "CRANE", "shifts_h", ("0-2.5",), "work outside a shift"),
        ("terminal_loads", "A", "missed_usd", 1.0, None),
    ],
)
def test_a_plan_is_judged_by_the_tables(solved, table, row, column, value, rule):
    """The same plan in another terminal: the verifier reads the tables, not what the model read from them."""
    problem, solution = solved
    frame = problem.corridor.tables[table].copy()
    frame[column] = frame[column].astype(object)
    frame.at[frame.index[frame.iloc[:, 0] == row][0], column] = value
    other = object.__new__(Transshipment)
    for name in ("terminal", "serve_all", "site"):
        object.__setattr__(other, name, getattr(problem, name))
    tables = {**problem.corridor.tables, table: frame}
    object.__setattr__(
        other, "corridor", type(problem.corridor)(problem.corridor.instance, (), problem.corridor.selection, tables)
    )
    rules = [violation.rule for violation in verify(other, solution, COST)]
    assert rules == [] if rule is None else rule in rules


def test_dropped_doubled_and_unknown_rows_are_named(solved):
    problem, solution = solved
    loads = solution["loads"]
    assert any(v.rule == "load_id once in the plan" for v in verify(problem, {**solution, "loads": loads.iloc[1:]}))
    doubled = loads.iloc[[0, *range(len(loads))]]
    assert any(v.rule == "load_id once in the plan" for v in verify(problem, {**solution, "loads": doubled}))
    strange = changed(solution, "loads", "A", load_id="Z")
    assert {"load_id once in the plan", "unknown load_id in the plan"} <= {v.rule for v in verify(problem, strange)}
    assert verify(problem, {"trains": solution["trains"]})


@pytest.mark.parametrize("cost", [COST - 0.01, COST + 0.01, 0.0, -COST, float("nan"), float("inf")])
def test_a_forged_cost_is_named(solved, cost):
    problem, solution = solved
    assert [violation.rule for violation in verify(problem, solution, cost)] == ["claimed cost"]


def test_missed_loads_are_forbidden_when_all_must_go(solved):
    problem, solution = solved
    strict = Transshipment(problem.corridor, serve_all=True)
    assert [v.rule for v in verify(strict, solution)] == ["load missed though all must go"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(corridor=terminals(), data=st.data())
def test_plans_pass_and_mutants_do_not(corridor, data):
    problem = Transshipment(corridor)
    outcome = solve_exact(problem, SolveOptions())
    assume(outcome.status.has_plan)
    solution = outcome.solution
    assert not verify(problem, solution, outcome.cost)
    going = [row for row in solution["loads"].to_dict("records") if row["mode"] != "missed"]
    assume(going)
    row = data.draw(st.sampled_from(going))
    kind = data.draw(st.sampled_from(["shifted end", "before arrival", "dropped", "forged", "same gauge", "nobody"]))
    if kind == "shifted end":
        mutant = changed(solution, "loads", row["load_id"], unload_end_min=row["unload_end_min"] + 1)
    elif kind == "before arrival":
        # Whatever the way, no work begins before its train stands.
        first = {"unload_start_min": 0.0, "unload_end_min": row["unload_end_min"] - row["unload_start_min"]}
        load = next(i for i in problem.site.loads if i.load_id == row["load_id"])
        assume(problem.site.call[load.call_id].arrive > 0)
        mutant = changed(solution, "loads", row["load_id"], **first)
    elif kind == "dropped":
        mutant = {**solution, "loads": solution["loads"][solution["loads"]["load_id"] != row["load_id"]]}
    elif kind == "forged":
        assert verify(problem, solution, outcome.cost + 1)
        return
    elif kind == "same gauge":
        inbound = next(i for i in problem.site.loads if i.load_id == row["load_id"]).call_id
        mutant = changed(solution, "loads", row["load_id"], outbound_id=inbound)
    else:
        mutant = changed(solution, "loads", row["load_id"], unload_resource="NOBODY")
    assert verify(problem, mutant)
