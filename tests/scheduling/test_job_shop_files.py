"""Text files of the public collections: read, refused in words, and solved within the published bounds."""

from pathlib import Path

import pytest

from benchmarks.job_shop import DATA, Run, checked_makespan, print_runs, published, write_runs
from optimizer.errors import InstanceError
from optimizer.models.family import SolveOptions
from optimizer.scheduling.engine import solve_engine
from optimizer.scheduling.problem import Schedule
from optimizer.scheduling.reading import read_job_shop
from optimizer.scheduling.verify import verify

FLEXIBLE = "2 2 1.5\n2  2 0 3 1 5  1 1 2\n1  1 0 4\n"
CLASSICAL = "2 2\n0 3 1 2\n1 4 0 1\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "shop.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_flexible_file(tmp_path):
    problem = read_job_shop(written(tmp_path, FLEXIBLE), flexible=True)
    assert (problem.num_jobs, problem.num_operations, problem.num_machines) == (2, 3, 2)
    assert problem.option_start.tolist() == [0, 2, 3, 4]
    assert problem.machine.tolist() == [0, 1, 1, 0]
    assert problem.duration.tolist() == [3, 5, 2, 4]


def test_classical_file_and_second_check(tmp_path):
    path = written(tmp_path, CLASSICAL)
    problem = read_job_shop(path, flexible=False)
    assert problem.duration.tolist() == [3, 2, 4, 1]
    found = solve_engine(problem, SolveOptions())
    assert found.bound == found.schedule.makespan == checked_makespan(path, False, problem, found.schedule) == 6
    late = Schedule(found.schedule.option, found.schedule.start + 5, found.schedule.makespan + 5)
    assert checked_makespan(path, False, problem, late) == 11
    with pytest.raises(RuntimeError, match=r"before its predecessor ends|two things at once"):
        checked_makespan(path, False, problem, Schedule(found.schedule.option, found.schedule.start * 0, 6))


@pytest.mark.parametrize(
    ("text", "flexible", "words"),
    [
        ("", True, "shop.txt:1: is 'nothing', expected numbers of jobs and machines"),
        ("two 2\n", True, "shop.txt:1: is 'two 2', expected numbers of jobs and machines"),
        (FLEXIBLE + "1 1 0 4\n", True, "shop.txt:1: says 2 jobs, but 3 lines of jobs follow"),
        (FLEXIBLE.replace("1 0 4", "1 2 4"), True, "shop.txt:3: operation 0: machine is 2, expected 0 to 1"),
        (FLEXIBLE.replace("1 0 4", "1 0 -4"), True, "shop.txt:3: operation 0: duration is -4, expected at least 0"),
        (FLEXIBLE.replace("1 0 4", "1 0"), True, "shop.txt:3: operation 0: ends after 1 numbers, expected 2"),
        (FLEXIBLE.replace("1 0 4", "0"), True, "shop.txt:3: operation 0: number of machines is 0, expected at least 1"),
        (FLEXIBLE.replace("1 0 4", "1 0 4 7"), True, "shop.txt:3: has 1 numbers more than its 1 operations take"),
        (FLEXIBLE.replace("1 0 4", "1 0 x"), True, "shop.txt:3: invalid literal for int.*'x'"),
        (CLASSICAL.replace("1 4 0 1", "1 4 0"), False, "shop.txt:3: has 3 numbers, expected pairs"),
    ],
)
def test_wrong_files_are_refused_in_words(tmp_path, text, flexible, words):
    with pytest.raises(InstanceError, match=words):
        read_job_shop(written(tmp_path, text), flexible)


def test_all_faults_at_once(tmp_path):
    with pytest.raises(InstanceError, match="2 faults"):
        read_job_shop(written(tmp_path, "2 1\n0 -1\n3 1\n"), flexible=False)


def test_missing_file(tmp_path):
    with pytest.raises(InstanceError, match="cannot be read as text"):
        read_job_shop(tmp_path / "nowhere.txt", flexible=True)


@pytest.mark.skipif(not published(), reason="public instances are not beside the project")
@pytest.mark.parametrize(
    "instance", ["fjsp/brandimarte/mk03", "fjsp/fattahi/mfjs05", "fjsp/hurink/vdata/la02", "jsp-classic/la05"]
)
def test_public_optimum(instance):
    lower, upper = published()[instance]
    path, flexible = DATA / f"{instance}.txt", instance.startswith("fjsp")
    problem = read_job_shop(path, flexible)
    found = solve_engine(problem, SolveOptions(time_limit_s=60))
    assert verify(problem, found.schedule) == ()
    assert checked_makespan(path, flexible, problem, found.schedule) == found.schedule.makespan
    assert lower <= found.schedule.makespan
    assert found.bound <= upper
    assert found.schedule.makespan == upper


def test_tables_compare_like_with_like_and_name_what_is_new(tmp_path, capsys):
    known = {"fjsp/a/one": (100, 100), "fjsp/a/two": (90, 100), "fjsp/a/three": (50, 60)}

    def made(name: str, method: str, makespan: int | None, bound: int) -> Run:
        return Run(f"fjsp/a/{name}", method, 6.0, 2, 1, makespan, bound, 6.0, 3.0)

    runs = [
        made("one", "engine", 101, 100), made("one", "plain CP-SAT", 104, 50),
        made("two", "engine", 99, 91), made("two", "plain CP-SAT", 102, 89),
        made("three", "engine", 60, 50), made("three", "plain CP-SAT", None, 0),
    ]  # fmt: skip
    print_runs(runs, known)
    told = capsys.readouterr().out
    # Gaps of 1 and -1 against 4 and 2 percent; bound gaps of 0, -1.11, 0 against 50, 1.11 and 100.
    assert "0.00  | 3.00      | 0.00" in told
    assert "-0.37       | 50.37" in told
    assert "better than published: fjsp/a/two, engine: makespan 99, published 100" in told
    assert "better than published: fjsp/a/two, engine: bound 91, published 90" in told
    assert "CONTRADICTS" not in told
    print_runs([made("one", "engine", 99, 99)], known)
    assert "CONTRADICTS" in capsys.readouterr().out
    write_runs(tmp_path / "runs.csv", runs, known)
    lines = (tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()
    assert lines[3] == "fjsp/a/three,50,60,50,60,6.0,0,,6.0"
