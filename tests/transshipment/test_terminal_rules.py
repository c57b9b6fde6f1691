"""Checks, set-ups, runways, rehandles, empty wagons, breaks: the toy, the models against each other, the verifier."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows, rich_terminals, rows_of

from optimizer.data.generator.terminal_ladder import terminal_ladder
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment
from optimizer.models.transshipment.aims import aims_of, fallbacks
from optimizer.models.transshipment.engine import solve_engine
from optimizer.models.transshipment.exact import build as build_exact
from optimizer.models.transshipment.playing.dispatch import Past, play
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation.formulation import build
from optimizer.models.transshipment.relaxation.solve import solve, solve_whole
from optimizer.models.transshipment.search import first_plan, solve_exact, tidy
from optimizer.models.transshipment.verify import verify
from optimizer.models.transshipment.words import why_impossible
from optimizer.result import Status

RICH = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


TOY = Path(__file__).resolve().parents[2] / "instances" / "toy-terminal-chain"
COST = 1485.0


def toy():
    return apply_scenario(read_instance(TOY), None)


def changed(table, key, column, value):
    """Rows of the toy with one cell, or with ``key`` None the whole column, replaced."""
    rows = rows_of(toy())
    for row in rows[table]:
        if key is None or next(iter(row.values())) == key:
            row[column] = value
    return rows


@pytest.fixture(scope="module")
def solved():
    problem = Transshipment(toy())
    outcome = solve_exact(problem, SolveOptions())
    assert outcome.cost == COST
    return problem, outcome.solution


@pytest.mark.parametrize("method", list(FAMILY.methods))
def test_toy_has_the_optimum_of_its_readme(method):
    problem = Transshipment(toy())
    outcome = FAMILY.methods[method](problem, SolveOptions())
    assert (outcome.status, outcome.cost) == (Status.OPTIMAL, COST)
    assert outcome.bound == pytest.approx(COST)
    ways = outcome.solution["loads"].set_index("load_id")["mode"].to_dict()
    assert ways == {"A": "direct", "B": "direct", "C": "yard", "D": "bogie"}
    seen = outcome.solution["checks"]
    inspected = seen[seen["check"] == "inspection"].sort_values("start_min")
    assert list(inspected["load_id"]) == ["B", "D", "A"]
    assert not verify(problem, outcome.solution, outcome.cost)


@pytest.mark.parametrize(
    ("table", "column", "value", "cost"),
    [
        ("terminal_loads", "zone", None, 1457),
        ("terminal_posts", "setup_min", 0, 1470),
        ("terminals", "empty_wagons_1520", None, 1482),
        ("terminals", "yard_tiers", 1, 1422),
        ("terminal_loads", "checks_before", "", 1430),
        ("terminal_loads", "checks_between", "", 1382),
    ],
)
def test_each_rule_binds_in_the_toy(table, column, value, cost):
    problem = Transshipment(corridor_from_rows(changed(table, None, column, value)))
    for method in ("exact", "crosscheck"):
        assert FAMILY.methods[method](problem, SolveOptions()).cost == pytest.approx(cost)


# --- the verifier ----------------------------------------------------------------------------------------------------


def mutant(solution, table, rows, **values):
    """The plan with some cells of the rows that ``rows`` picks replaced."""
    frame = solution[table].copy()
    picked = frame.index[[all(row[c] == v for c, v in rows.items()) for row in frame.to_dict("records")]]
    assert len(picked)
    for column, value in values.items():
        frame[column] = frame[column].astype(object)
        frame.loc[picked, column] = value
    return {**solution, table: frame}


@pytest.mark.parametrize(
    ("rule", "table", "rows", "values"),
    [
        ("unknown post", "checks", {"load_id": "A"}, {"post_id": "DESK"}),
        ("unknown post", "checks", {"load_id": "A"}, {"post_id": "NOBODY"}),
        ("length of the check", "checks", {"load_id": "C"}, {"end_min": 69}),
        ("checks of the load in order", "checks", {"load_id": "C"}, {"check": "weighing"}),
        ("works and checks in order", "checks", {"load_id": "C"}, {"start_min": 39, "end_min": 69}),
        ("works and checks in order", "checks", {"load_id": "B", "place": 1}, {"start_min": 79, "end_min": 89}),
        ("works and checks in order", "loads", {"load_id": "D"}, {"unload_start_min": 54, "unload_end_min": 156}),
        ("check while the train does not stand", "checks", {"load_id": "B", "place": 1},
         {"start_min": 141, "end_min": 151}),
        ("set-up too short", "checks", {"load_id": "D"}, {"start_min": 34, "end_min": 54}),
        ("two works at once", "checks", {"load_id": "D"}, {"start_min": 19, "end_min": 39}),
        ("start_min in whole numbers", "checks", {"load_id": "D"}, {"start_min": 35.5}),
        ("end_min in whole numbers", "checks", {"load_id": "D"}, {"end_min": None}),
        ("unknown load_id in the plan", "checks", {"load_id": "D"}, {"load_id": "Z"}),
        ("empty wagons below zero", "loads", {"load_id": "C"}, {"load_start_min": 79, "load_end_min": 159}),
        ("length of the work", "loads", {"load_id": "C"}, {"load_end_min": 120}),
        ("work outside a shift", "loads", {"load_id": "C"}, {"load_start_min": 110, "load_end_min": 190}),
        ("work outside a shift", "loads", {"load_id": "A"}, {"unload_start_min": 150, "unload_end_min": 210}),
        ("cranes cross", "loads", {"load_id": "A"},
         {"unload_resource": "RIGHT", "unload_start_min": 20, "unload_end_min": 80}),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(solved, rule, table, rows, values):
    problem, solution = solved
    assert rule in [violation.rule for violation in verify(problem, mutant(solution, table, rows, **values))]


def test_dropped_checks_and_checks_of_missed_loads_are_named(solved):
    problem, solution = solved
    checks = solution["checks"]
    for without in (checks[checks["load_id"] != "A"], checks.iloc[:0]):
        rules = [v.rule for v in verify(problem, {**solution, "checks": without})]
        assert "checks of the load in order" in rules
    assert "checks of the load in order" in [
        v.rule for v in verify(problem, {k: solution[k] for k in ("trains", "loads")})
    ]
    none = dict.fromkeys(("unload_start_min", "unload_end_min")) | {"unload_resource": "", "outbound_id": ""}
    missed = mutant(solution, "loads", {"load_id": "D"}, mode="missed", **none)
    assert [v.rule for v in verify(problem, missed)] == ["check of a load that does not go on"]


def test_a_load_with_checks_in_the_yard_goes_there(solved):
    problem, solution = solved
    direct = mutant(
        solution, "loads", {"load_id": "C"}, mode="direct", load_resource="", load_start_min=None, load_end_min=None
    )
    assert "checks in the yard without going there" in [v.rule for v in verify(problem, direct)]


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "rule"),
    [
        ("terminal_cranes", "LEFT", "breaks_h", "1-1.5", "work outside a shift"),
        ("terminal_bays", "BAY", "out_of_service_h", "2-2.5", "work outside a shift"),
        ("terminal_posts", "SCALE", "shifts_h", "2-24", "work outside a shift"),
        ("terminal_cranes", "LEFT", "setup_min", 1, None),
        ("terminal_posts", "INSPECTOR", "setup_min", 15.5, "set-up too short"),
        ("terminal_cranes", "LEFT", "runway_place", 2, "cranes cross"),
        ("terminal_loads", "C", "zone", 2, None),
        ("terminal_loads", "C", "zone", 1, "cranes cross"),
        ("terminal_loads", "C", "wagons", 16, "empty wagons below zero"),
        ("terminals", "T", "empty_wagons_1676", 14, "empty wagons below zero"),
        ("terminals", "T", "yard_tiers", 4, "length of the work"),
        ("terminals", "T", "rehandle_usd_per_move", 3.5, "claimed cost"),
    ],
)
def test_a_plan_is_judged_by_the_tables(solved, table, key, column, value, rule):
    _, solution = solved
    problem = Transshipment(corridor_from_rows(changed(table, key, column, value)))
    rules = [violation.rule for violation in verify(problem, solution, COST)]
    assert rules == [] if rule is None else rule in rules


# --- faults by their words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "words"),
    [
        ("terminal_loads", "A", "checks_before", "inspektion",
         "terminal_loads.csv:2: checks_before holds 'inspektion', but no post of terminal 'T' does it; did you"
         " mean 'inspection'?"),
        ("terminal_loads", "C", "modes", "direct", "checks_between 'customs' takes place in the yard: expected yard"),
        ("terminal_cranes", "RIGHT", "runway_place", None, "3: runway is 'R', but runway_place is empty"),
        ("terminal_cranes", "RIGHT", "runway_place", 0, "runway_place is 0 on runway 'R', the place of crane 'LEFT'"),
        ("terminal_cranes", "LEFT", "breaks_h", "0-24", "breaks_h '0-24' leaves nothing of shifts_h '0-24'"),
        ("terminal_cranes", "LEFT", "breaks_h", "20-26", "breaks_h is '20-26', expected hours of the day"),
        ("terminal_cranes", "LEFT", "out_of_service_h", "30-20", "out_of_service_h is '30-20', expected a start"),
        ("terminal_posts", "DESK", "post_id", "BAY", "post_id 'BAY' is also an id in terminal_bays.csv"),
    ],
)  # fmt: skip
def test_faults_are_told_with_file_and_line(table, key, column, value, words):
    with pytest.raises(InstanceError) as caught:
        Transshipment(corridor_from_rows(changed(table, key, column, value)))
    assert words in str(caught.value)


def why(rows):
    """Reasons why not all loads can go."""
    outcome = solve_exact(Transshipment(corridor_from_rows(rows), serve_all=True), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    return "\n".join(outcome.conflicts)


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "words"),
    [
        ("train_calls", "BROAD", "capacity_teu", 30, "train BROAD has room for 30 TEU, 10 too few"),
        ("terminal_bays", "BAY", "bogie_sets_1520", 0, "load D cannot go on: it needs 10 bogie sets of 1520 mm"),
        ("terminal_loads", "C", "wagons", 31, "load C cannot go on: it needs 31 empty wagons of 1520 mm"),
        ("terminals", "T", "yard_capacity_teu", 39, "the yard holds 39 TEU, 1 too few"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_told(table, key, column, value, words):
    assert words in why(changed(table, key, column, value))


@pytest.mark.parametrize(
    ("table", "key", "column", "value", "load", "words"),
    [
        ("terminal_bays", "BAY", "shifts_h", "10-24", "D", "no bay and posts for inspection works long enough while its"
         " trains can stand (hours of work until 1+08:00: BAY none)"),
        ("terminal_posts", "INSPECTOR", "shifts_h", "8-24", "A", "no post works long enough for inspection while train"
         " BROAD can stand"),
        ("terminal_posts", "DESK", "out_of_service_h", "0-8", "C", "no crane and posts for customs works long enough"),
        ("terminals", "T", "yard_capacity_teu", 39, "C", "it is larger than the yard and customs takes place there"),
        ("train_calls", "BROAD", "capacity_wagons", 9, "D", "no train to NORTH takes 10 wagons with changed bogies"),
        ("train_calls", "INDIAN", "destinations", "EAST", "A", "no train of another gauge than 1520 mm serves SOUTH"),
        ("train_calls", "INDIAN", "capacity_teu", 59, "A", "no train to SOUTH has room for it"),
    ],
)  # fmt: skip
def test_what_is_impossible_for_a_load_alone_is_told(table, key, column, value, load, words):
    site = Transshipment(corridor_from_rows(changed(table, key, column, value))).site
    assert words in why_impossible(site, next(i for i in site.loads if i.load_id == load))


def test_shifts_that_never_overlap_are_told():
    rows = rows_of(toy())
    for crane, track, shift in zip(rows["terminal_cranes"], ("K1520", "K1676"), ("4-8", "0-4"), strict=True):
        crane |= {"tracks": (track,), "shifts_h": shift, "breaks_h": "", "out_of_service_h": ""}
    rows["terminal_loads"] = [rows["terminal_loads"][0] | {"modes": "yard", "checks_before": ""}]
    rows["terminals"][0]["yard_capacity_teu"] = 60
    problem = Transshipment(corridor_from_rows(rows))
    words = why_impossible(problem.site, problem.site.loads[0])
    assert words == (
        "no crane works long enough while its trains can stand (hours of work until 1+08:00: LEFT 1+04:00 - 1+08:00)"
    )
    outcome = solve_exact(problem, SolveOptions())
    assert (outcome.status, outcome.cost) == (Status.OPTIMAL, 5000)
    (missed,) = (table for table in FAMILY.report(problem, outcome.solution) if table.title == "Missed loads")
    assert missed.rows[0][-1] == words
    assert "train INDIAN must be gone by 1+08:00" in why(rows)


def test_identical_trains_and_loads_are_no_burden():
    """Four trains and eight loads that differ in their names alone, proved optimal all the same."""
    rows = rows_of(toy())
    load = rows["terminal_loads"][0] | {"moves": 10, "teu": 20, "checks_before": "", "modes": "direct;yard"}
    for table, key in (("train_calls", "call_id"), ("terminal_tracks", "track_id")):
        rows[table] = [row | {key: f"{row[key]}-{n}"} for n in range(2) for row in rows[table]]
    every = tuple(row["track_id"] for row in rows["terminal_tracks"])
    rows["terminal_cranes"] = [row | {"tracks": every} for row in rows["terminal_cranes"]]
    rows["terminal_loads"] = [
        load | {"load_id": f"L{n}", "call_id": f"BROAD-{n % 2}", "zone": 2 * (n % 2)} for n in range(8)
    ]
    problem = Transshipment(corridor_from_rows(rows))
    outcome = FAMILY.methods["engine"](problem, SolveOptions())
    assert (outcome.status, outcome.cost) == (Status.OPTIMAL, 800)
    assert not verify(problem, outcome.solution, outcome.cost)


def days_apart(days):
    """The toy's day, and the same again some days later."""
    rows = rows_of(toy())
    far = [row | {"call_id": f"{row['call_id']}2"} for row in rows["train_calls"]]
    for row in far:
        row |= {column: row[column] + days * 24 for column in ("arrive_h", "depart_h", "latest_depart_h")}
    rows["train_calls"] += far
    rows["terminal_loads"] += [
        row | {"load_id": f"{row['load_id']}2", "call_id": f"{row['call_id']}2", "due_h": row["due_h"] + days * 24}
        for row in rows["terminal_loads"]
    ]
    rows["terminals"][0]["empty_wagons_1520"] = 20
    rows["terminal_bays"][0]["bogie_sets_1520"] = 20
    return Transshipment(corridor_from_rows(rows))


def test_a_month_in_minutes_is_no_larger_than_its_trains():
    """Time is a range of values, not a variable each: trains a month apart cost no more than trains two days apart."""
    near, far = days_apart(2), days_apart(29)
    assert far.site.end > 29 * 1440
    assert len(build_exact(far.site).model.proto.variables) == len(build_exact(near.site).model.proto.variables)
    for method in ("exact", "engine"):
        outcome = FAMILY.methods[method](far, SolveOptions(time_limit_s=3))
        assert outcome.status.has_plan
        assert not verify(far, outcome.solution, outcome.cost)


@pytest.mark.parametrize(("rung", "loads", "seconds"), [("small", 24, 20), ("day", 150, 5)])
def test_generated_terminals_with_the_further_rules_are_planned(rung, loads, seconds):
    instance = terminal_ladder(rung, "storage-tight", trains=4 if rung == "small" else 8, loads=loads, further=True)
    problem = Transshipment(apply_scenario(instance, None))
    outcome = FAMILY.methods["engine"](problem, SolveOptions(time_limit_s=seconds))
    assert outcome.status.has_plan
    assert not verify(problem, outcome.solution, outcome.cost)
    assert 0 <= outcome.bound <= outcome.cost
    assert (outcome.solution["loads"]["mode"] != "missed").mean() > 0.5


# --- the models against each other -----------------------------------------------------------------------------------


@RICH
@given(corridor=rich_terminals())
def test_both_formulations_agree_and_first_plans_hold(corridor):
    problem = Transshipment(corridor)
    one = solve_exact(problem, SolveOptions())
    other = FAMILY.methods["crosscheck"](problem, SolveOptions())
    assert one.status == other.status
    if one.status.has_plan:
        assert one.cost == pytest.approx(other.cost, abs=1e-6)
        assert not verify(problem, one.solution, one.cost)
        assert not verify(problem, other.solution, other.cost)
        first = first_plan(problem.site, SolveOptions())
        assert not verify(problem, to_tables(problem.site, first), usd(plan_units(problem.site, first)))
        assert usd(plan_units(problem.site, first)) >= one.cost - 1e-9
    else:
        assert one.conflicts


@RICH
@given(corridor=rich_terminals(max_trains=4, max_loads=6), width=st.sampled_from([15, 60]), serve_all=st.booleans())
def test_bounds_of_plainer_relaxations_hold_and_played_plans_are_valid(corridor, width, serve_all):
    problem = Transshipment(corridor, serve_all=serve_all)
    site = problem.site
    outcome = solve_exact(problem, SolveOptions())
    relaxation = build(site, width, serve_all)
    relaxed, whole = solve(relaxation, SolveOptions()), solve_whole(relaxation, SolveOptions())
    if outcome.status is Status.OPTIMAL:
        assert usd(max(relaxed.bound_units, whole.bound_units)) <= outcome.cost + 1e-9
        assert relaxed.values is not None
        aims = aims_of(relaxation, relaxed.values)
        plan = play(site, aims.loads, aims.leaves, fallbacks(site, relaxation.groups))
        if plan is not None:
            plan = tidy(site, plan)
            cost = usd(plan_units(site, plan))
            if not serve_all or len(plan.passages) == len(site.loads):
                assert not verify(problem, to_tables(site, plan), cost)
                assert cost >= outcome.cost - 1e-9


@RICH
@given(corridor=rich_terminals(max_trains=5, max_loads=8), data=st.data())
def test_whatever_it_aims_at_a_played_plan_is_valid_and_can_be_resumed(corridor, data):
    problem = Transshipment(corridor)
    site = problem.site
    ways = {i: aims for i, aims in fallbacks(site, build(site, 60).groups).items() if aims}
    aims = {i: data.draw(st.sampled_from(options)) for i, options in ways.items()}
    leaves = {call.call_id: data.draw(st.integers(call.arrive, call.latest)) for call in site.calls}
    plan = play(site, aims, leaves, ways)
    if plan is None:
        return
    plan = tidy(site, plan)
    assert not verify(problem, to_tables(site, plan), usd(plan_units(site, plan)))
    past = Past(plan, data.draw(st.integers(0, site.end)))
    again = play(site, aims, leaves, ways, past=past)
    if again is None:
        return
    again = tidy(site, again)
    assert not verify(problem, to_tables(site, again), usd(plan_units(site, again)))
    for load_id, passage in again.passages.items():
        if past.has_begun(load_id):
            assert {*past.works(load_id)} <= {*passage.works}
            assert {*past.checks(load_id)} <= {*passage.checks}


@settings(RICH, max_examples=10)
@given(corridor=rich_terminals(max_trains=4, max_loads=5))
def test_engine_finds_the_optimum_of_small_terminals(corridor):
    problem = Transshipment(corridor)
    exact, found = solve_exact(problem, SolveOptions()), solve_engine(problem, SolveOptions())
    assert found.status is exact.status
    if found.status is Status.OPTIMAL:
        assert found.cost == exact.cost == found.bound
        assert not verify(problem, found.solution, found.cost)
