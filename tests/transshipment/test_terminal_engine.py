"""Bounds of the relaxation, plans played through and the engine, against proved optima of small terminals."""

import threading
import time
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import terminals

from optimizer.data.generator.terminal_ladder import Flavour, terminal_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import Transshipment, engine
from optimizer.models.transshipment.aims import aims_of, fallbacks
from optimizer.models.transshipment.engine import solve_engine
from optimizer.models.transshipment.groups import least_total
from optimizer.models.transshipment.playing import compiling
from optimizer.models.transshipment.playing.dispatch import play
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation.blocks import block_bounds
from optimizer.models.transshipment.relaxation.formulation import build
from optimizer.models.transshipment.relaxation.solve import solve, solve_whole
from optimizer.models.transshipment.search import solve_exact, tidy
from optimizer.models.transshipment.site import Call, Crane, Load, Post, Site, Track
from optimizer.models.transshipment.verify import verify
from optimizer.result import Status

SLOW = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(
    corridor=terminals(max_trains=4, max_loads=6),
    width=st.sampled_from([7, 15, 30, 60, 240]),
    serve_all=st.booleans(),
    method=st.sampled_from(["choose", "ipm"]),
    data=st.data(),
)
def test_no_bound_is_above_the_optimum_and_played_plans_are_valid(corridor, width, serve_all, method, data):
    problem = Transshipment(corridor, serve_all=serve_all)
    site = problem.site
    outcome = solve_exact(problem, SolveOptions())
    relaxation = build(site, width, serve_all)
    relaxed, whole = solve(relaxation, SolveOptions(), method), solve_whole(relaxation, SolveOptions())
    if outcome.status is Status.OPTIMAL:
        assert usd(least_total(site, relaxation.groups, serve_all)) <= outcome.cost + 1e-9
        assert usd(relaxed.bound_units) <= outcome.cost + 1e-9
        assert usd(whole.bound_units) <= outcome.cost + 1e-9
        assert relaxed.values is not None
        assert relaxed.duals is not None
        duals = relaxed.duals * data.draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]), label="share of the duals")
        length = data.draw(st.sampled_from([30, 200, 1440]), label="block")
        bounds = list(block_bounds(relaxation, duals, length, lambda _: SolveOptions()))
        assert bounds == sorted(bounds)
        assert usd(bounds[-1]) <= outcome.cost + 1e-9
        aims = aims_of(relaxation, relaxed.values)
        plan = play(site, aims.loads, aims.leaves, fallbacks(site, relaxation.groups))
        if plan is not None:
            plan = tidy(site, plan)
            cost = usd(plan_units(site, plan))
            unserved = len(site.loads) - len(plan.passages)
            if not (serve_all and unserved):
                assert not verify(problem, to_tables(site, plan), cost)
                assert cost >= outcome.cost - 1e-9
    else:
        assert outcome.status is Status.INFEASIBLE


def test_a_train_waits_for_all_that_comes_late_to_it():
    """Train A is to leave at 60; six loads of five minutes each come for it at 100, and one crane lifts them."""
    calls = (
        Call("A", 1520, 0, 60, 2000, 1, {"container": 100, "bulk": 0, "wagons": 0}, frozenset({"N"}), 600),
        Call("B", 1435, 100, 400, 2000, 1, {"container": 100, "bulk": 0, "wagons": 0}, frozenset({"S"}), 600),
    )
    loads = tuple(Load(f"{n}", "B", "container", ("direct", "yard"), 1, 1, 1, "N", 9999, 0, 10**6) for n in range(6))
    tracks = (Track("K", 1520, 1), Track("L", 1435, 1))
    crane = Crane("C", frozenset({"K", "L"}), "container", Fraction(12), ((0, 5000),))
    site = Site("T", "", tracks, (crane,), (), calls, loads, {"container": 100, "bulk": 0}, 5, 4, 1)
    direct, until = 6 * 5 * 60, 100 + 6 * 5
    for width in (15, 60):
        assert solve(build(site, width), SolveOptions()).bound_units == direct + 600 * (until - 60)
    checked = replace(site, posts=(Post("P", "inspection", Fraction(20), Fraction(0), ((0, 5000),)),), loads=tuple(
        replace(load, before=("inspection",)) for load in loads
    ))  # fmt: skip
    # The post is done at 220; that the last load takes five minutes then is not seen.
    assert solve(build(checked, 60), SolveOptions()).bound_units == direct + 600 * (100 + 6 * 20 - 60)


@settings(SLOW, max_examples=25)
@given(corridor=terminals(max_trains=4, max_loads=6), serve_all=st.booleans())
def test_engine_finds_the_optimum_of_small_terminals(corridor, serve_all):
    problem = Transshipment(corridor, serve_all=serve_all)
    exact, found = solve_exact(problem, SolveOptions()), solve_engine(problem, SolveOptions())
    assert found.status is exact.status
    if found.status is Status.OPTIMAL:
        assert found.cost == exact.cost == found.bound
        assert not verify(problem, found.solution, found.cost)


def ladder(rung, flavour, **numbers):
    return Transshipment(apply_scenario(terminal_ladder(rung, flavour, **numbers), None))


def test_engine_repeats_itself_without_a_time_limit(monkeypatch):
    monkeypatch.setattr(engine, "MOVES_PER_TRAIN", 10)
    problem = ladder("day", "storage-tight", trains=7, loads=80)
    monkeypatch.setattr(engine, "NODES", 1)
    first, again = (solve_engine(problem, SolveOptions(seed=3)) for _ in range(2))
    assert first.cost == again.cost
    assert first.bound == again.bound
    assert all(first.solution[name].equals(again.solution[name]) for name in first.solution)
    assert not verify(problem, first.solution, first.cost)


@pytest.mark.parametrize("flavour", get_args(Flavour))
def test_a_second_gives_a_day_a_plan_and_a_bound(flavour):
    problem = ladder("day", flavour, trains=12, loads=500)
    told = []
    outcome = solve_engine(problem, SolveOptions(time_limit_s=1, on_progress=told.append))
    assert outcome.status is Status.FEASIBLE
    assert not verify(problem, outcome.solution, outcome.cost)
    assert 0 <= outcome.bound <= outcome.cost
    costs = [note.cost for note in told if note.cost is not None]
    assert costs == sorted(costs, reverse=True)


def test_a_long_horizon_keeps_to_its_time_and_its_bound_holds(monkeypatch):
    monkeypatch.setattr(engine, "SHORT", 3)
    problem = ladder("small", "arrival-bound", trains=8, loads=64)
    outcome = solve_engine(problem, SolveOptions(time_limit_s=15))
    whole = solve_whole(build(problem.site, 60), SolveOptions(time_limit_s=15))
    assert not verify(problem, outcome.solution, outcome.cost)
    assert 0 < outcome.bound <= outcome.cost
    assert outcome.cost >= usd(whole.bound_units)


@pytest.mark.parametrize("ready_s", [0.6, 60])
def test_the_general_search_stands_in_until_the_kernels_are_compiled(monkeypatch, ready_s):
    begun, ready = threading.Lock(), threading.Event()
    begun.acquire()
    monkeypatch.setattr(compiling, "_begun", begun)
    monkeypatch.setattr(compiling, "_ready", ready)
    monkeypatch.setattr(compiling, "LEAST_WAIT_S", 0.1)
    timer = threading.Timer(ready_s, ready.set)
    timer.daemon = True
    timer.start()
    started = time.monotonic()
    problem = ladder("day", "storage-tight", trains=8, loads=150)
    outcome = solve_engine(problem, SolveOptions(time_limit_s=2))
    timer.cancel()
    assert time.monotonic() - started < 30
    assert not verify(problem, outcome.solution, outcome.cost)
    assert 0 < outcome.bound <= outcome.cost


def test_a_stop_leaves_the_plan():
    options = SolveOptions()
    options.stop.set()
    outcome = solve_engine(ladder("day", "crane-tight"), options)
    assert outcome.status is Status.FEASIBLE
