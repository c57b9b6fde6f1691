"""Flexible job shop: worked by hand, by enumeration, and by every method against the others."""

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import job_shops

from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.scheduling.bounds import balanced_loads, chain_bound
from optimizer.scheduling.destructive import Range, attempt
from optimizer.scheduling.engine import solve_engine
from optimizer.scheduling.exact import solve_exact
from optimizer.scheduling.problem import FlexibleJobShop, Schedule
from optimizer.scheduling.search import Search
from optimizer.scheduling.verify import verify

SOLVER = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

# Inspection (machine 0 or 1) and loading (machine 2) of three wagons. Loading takes 4 + 4 + 4 and cannot begin before
# the shortest inspection of 2 ends: no schedule is shorter than 14. Inspecting on both machines reaches 14.
WAGONS = FlexibleJobShop.from_jobs([[[(0, 2), (1, 3)], [(2, 4)]]] * 3, 3)


def drawn_shop(seed: int, jobs: int = 12, machines: int = 6, operations: int = 6) -> FlexibleJobShop:
    """Every operation on one to three machines."""
    random = np.random.default_rng(seed)

    def operation() -> list[tuple[int, int]]:
        chosen = random.choice(machines, random.integers(1, 4), replace=False)
        return [(int(machine), int(random.integers(1, 60))) for machine in chosen]

    return FlexibleJobShop.from_jobs([[operation() for _ in range(operations)] for _ in range(jobs)], machines)


def shortest_by_enumeration(problem: FlexibleJobShop) -> int:
    """Every choice of machines, and every order of all operations, each starting as soon as it can in that order."""
    job_of = np.repeat(np.arange(problem.num_jobs), np.diff(problem.job_start)).tolist()
    starts = problem.option_start.tolist()
    best = 10**9 if problem.num_operations else 0
    for order in set(itertools.permutations(job_of)):
        step = problem.job_start[:-1].tolist()
        sequence = [step.__setitem__(job, step[job] + 1) or step[job] - 1 for job in order]
        for option in itertools.product(*(range(a, b) for a, b in itertools.pairwise(starts))):
            ready, free = [0] * problem.num_jobs, [0] * problem.num_machines
            for job, operation in zip(order, sequence, strict=True):
                machine = int(problem.machine[option[operation]])
                end = max(ready[job], free[machine]) + int(problem.duration[option[operation]])
                ready[job] = free[machine] = end
            best = min(best, max(ready))
    return best


def test_three_wagons_by_every_method():
    assert chain_bound(WAGONS) == 6
    assert balanced_loads(WAGONS).bound == 14
    assert shortest_by_enumeration(WAGONS) == 14
    status, schedule, bound = solve_exact(WAGONS, SolveOptions())
    assert (status, schedule.makespan, bound) == (Status.OPTIMAL, 14, 14)
    found = solve_engine(WAGONS, SolveOptions())
    assert (found.schedule.makespan, found.bound, found.proved) == (14, 14, True)
    assert verify(WAGONS, schedule) == verify(WAGONS, found.schedule) == ()


@SOLVER
@given(problem=job_shops())
def test_exact_and_engine_find_what_enumeration_finds(problem):
    shortest = shortest_by_enumeration(problem)
    assert balanced_loads(problem).bound <= shortest
    status, schedule, bound = solve_exact(problem, SolveOptions())
    assert (status, schedule.makespan, bound) == (Status.OPTIMAL, shortest, shortest)
    found = solve_engine(problem, SolveOptions())
    assert (found.schedule.makespan, found.bound) == (shortest, shortest)
    assert verify(problem, schedule) == verify(problem, found.schedule) == ()


@SOLVER
@given(problem=job_shops(), passes=st.integers(0, 3))
def test_bound_of_any_number_of_rows_holds(problem, passes):
    loads = balanced_loads(problem, max_passes=passes)
    assert chain_bound(problem) <= loads.bound <= shortest_by_enumeration(problem)
    if problem.num_operations:
        assert np.add.reduceat(loads.share, problem.option_start[:-1]) == pytest.approx(1.0)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_search_alone_keeps_every_rule_and_its_makespan(seed):
    problem = drawn_shop(seed)
    loads = balanced_loads(problem)
    search = Search(problem, loads.share > 1e-6, seed, walkers=2)
    lengths = []
    for _ in range(3):
        schedule = search.round(loads.bound, 300_000)
        assert verify(problem, schedule) == ()
        lengths.append(schedule.makespan)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] >= loads.bound


@pytest.mark.parametrize("seed", range(3))
def test_engine_meets_exact(seed):
    problem = drawn_shop(seed, jobs=6, machines=4, operations=4)
    status, schedule, bound = solve_exact(problem, SolveOptions(time_limit_s=30))
    found = solve_engine(problem, SolveOptions(time_limit_s=30, seed=seed))
    assert status == Status.OPTIMAL
    assert found.proved
    assert found.schedule.makespan == schedule.makespan == bound


def test_work_limit_repeats_exactly():
    problem = drawn_shop(7, jobs=20)
    first, second = (solve_engine(problem, SolveOptions(seed=3), work_limit=6) for _ in range(2))
    assert first.bound == second.bound
    assert np.array_equal(first.schedule.start, second.schedule.start)
    assert np.array_equal(first.schedule.option, second.schedule.option)


def test_one_more_machine_for_an_operation_never_takes_longer():
    problem = drawn_shop(1, jobs=5, machines=4, operations=3)
    jobs = [
        [[(int(problem.machine[at]), int(problem.duration[at])) for at in range(a, b)] for a, b in itertools.pairwise(
            problem.option_start[start : end + 1].tolist())]
        for start, end in itertools.pairwise(problem.job_start.tolist())
    ]  # fmt: skip
    jobs[0][0].append((4, 10))
    roomier = FlexibleJobShop.from_jobs(jobs, 5)
    before, after = (solve_engine(one, SolveOptions()).schedule.makespan for one in (problem, roomier))
    assert after <= before


def test_limit_and_stop_give_a_schedule_with_its_bound_at_once():
    problem = drawn_shop(5, jobs=60, machines=10, operations=10)
    stopped = threading.Event()
    stopped.set()
    solve_engine(WAGONS, SolveOptions())  # compiles
    for options, most_s in ((SolveOptions(time_limit_s=1.0), 5.0), (SolveOptions(stop=stopped), 5.0)):
        begun = time.monotonic()
        found = solve_engine(problem, options)
        assert time.monotonic() - begun < most_s + 5.0  # other programs may share the machine
        assert verify(problem, found.schedule) == ()
        assert chain_bound(problem) <= found.bound <= found.schedule.makespan


def test_progress_tells_of_shorter_schedules_and_higher_bounds():
    told = []
    solve_engine(drawn_shop(2, jobs=8), SolveOptions(time_limit_s=20, on_progress=told.append))
    costs, bounds = [note.cost for note in told], [note.bound for note in told]
    assert costs == sorted(costs, reverse=True)
    assert bounds == sorted(bounds)


def test_range_halves_and_doubles_its_effort():
    undecided = Range(lower=100, upper=141, ceiling=141, effort=1.0)
    assert undecided.targets(2) == [120, 140]  # the last can only be decided by the optimum itself
    undecided.ceiling = 120
    assert undecided.targets(2) == [106, 113]
    undecided.note(lower=114, upper=141)
    assert undecided.targets(1) == [117]
    undecided.note(lower=118, upper=141)
    assert undecided.targets(2) == [129, 140]  # two of 23 are left: back to all, with more effort
    assert undecided.effort == 2.0
    undecided.note(lower=118, upper=119)
    assert undecided.targets(2) == [118]


@SOLVER
@given(problem=job_shops())
def test_an_attempt_never_says_more_than_is_true(problem):
    shortest = shortest_by_enumeration(problem)
    assume(shortest > 0)
    undecided = Range(0, shortest + 3, shortest + 3)
    found = attempt(problem, undecided, SolveOptions(), workers=3, turn=0)
    assert undecided.lower <= shortest <= undecided.upper
    if found is not None:
        assert verify(problem, found) == ()
        assert found.makespan == undecided.upper


# Mutations of a valid schedule --------------------------------------------------------------------------------------


@SOLVER
@given(problem=job_shops(), data=st.data())
def test_verify_rejects_what_breaks_a_rule(problem, data):
    assume(problem.num_operations > 0)
    schedule = solve_exact(problem, SolveOptions())[1]
    operation = data.draw(st.integers(0, problem.num_operations - 1))
    start = schedule.start.copy()
    start[operation] = -1
    assert "starts too early" in str(verify(problem, Schedule(schedule.option, start, schedule.makespan)))
    option = schedule.option.copy()
    option[operation] = problem.machine.size
    assert "option of another operation" in str(verify(problem, Schedule(option, schedule.start, schedule.makespan)))
    longer = Schedule(schedule.option, schedule.start, schedule.makespan + 1)
    assert [violation.rule for violation in verify(problem, longer)] == ["makespan differs"]
    assert "without time or machine" in str(verify(problem, Schedule(schedule.option[:-1], start[:-1], 0)))


def test_verify_names_what_is_broken_where():
    good = Schedule(np.array([0, 2, 4, 5, 6, 8]), np.array([0, 2, 0, 6, 2, 10]), 14)
    assert verify(WAGONS, good) == ()
    on_one_machine = Schedule(np.array([0, 2, 3, 5, 6, 8]), good.start, 14)
    assert [str(one) for one in verify(WAGONS, on_one_machine)] == [
        "two operations at once at machine 0, operations 0 and 2: 2 time units"
    ]
    before_inspection = Schedule(good.option, np.array([0, 1, 0, 6, 2, 10]), 14)
    assert [str(one) for one in verify(WAGONS, before_inspection)] == ["starts too early at operation 1: 1 time units"]


# Wrong problems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "num_machines", "words"),
    [
        ([[[]]], 1, "operation 0 has no machine"),
        ([[[(2, 1)]]], 2, "operation 0: machine is 2, expected 0 to 1"),
        ([[[(0, 3)], [(0, -1)]]], 1, "operation 1: duration is -1, expected at least 0"),
        ([[[(0, 3), (0, 4)]]], 1, "operation 0 names machine 0 twice"),
        ([[[(0, 2**31)]]], 1, "the longest durations add up to 2147483648, expected at most 2147483647"),
    ],
)
def test_wrong_problems_are_refused_in_words(jobs, num_machines, words):
    with pytest.raises(InstanceError, match=words):
        FlexibleJobShop.from_jobs(jobs, num_machines)


def test_nothing_to_do_takes_no_time():
    found = solve_engine(FlexibleJobShop.from_jobs([[], []], 1), SolveOptions())
    assert (found.schedule.makespan, found.bound, found.proved) == (0, 0, True)
