"""The command as a process: signals, streams and start-up."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import knapsack_family
import pytest

TESTS = Path(__file__).resolve().parent.parent
START = (
    f"import sys; sys.path.insert(0, {str(TESTS)!r}); import knapsack_family; knapsack_family.install();"
    "from optimizer.cli import main; main()"
)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    )


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return knapsack_family.write_instance_files(tmp_path / "two")


def wait_for_a_plan(process: subprocess.Popen[str]) -> list[str]:
    """Lines of progress up to the first plan."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "incumbent" in line and "incumbent                -" not in line:
            return lines
    raise AssertionError(f"no plan before the end: {lines}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_brings_back_the_best_plan(instance: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = start("solve", "port-choice", instance, "--dated", "--json", "--out", out)
    wait_for_a_plan(process)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    assert "Stopping with the best plan so far" in stderr
    assert json.loads(stdout)["status"] == "FEASIBLE"
    assert stdout == (out / "result.json").read_text()
    assert sorted(entry.name for entry in out.iterdir()) == ["result.json", "taken.csv"]
    verified = start("verify", instance, out)
    stdout, stderr = verified.communicate(timeout=20)
    assert (verified.returncode, stderr) == (0, "")


def test_kill_leaves_no_result(instance: Path, tmp_path: Path) -> None:
    process = start("solve", "port-choice", instance, "--dated", "--out", tmp_path / "out")
    wait_for_a_plan(process)
    process.kill()
    process.communicate(timeout=20)
    assert not (tmp_path / "out").exists()


def test_a_reader_that_goes_away_is_no_traceback(instance: Path) -> None:
    process = start("info", instance)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=20)


def test_module_entry_and_start_up() -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    command = [sys.executable, "-m", "optimizer.cli", "--help"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "Exit codes: 0 feasible" in done.stdout
    # Loads click and little else; processor time, since the machine may be busy.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.0


def test_help_and_info_load_no_solver_and_no_compiler(instance: Path) -> None:
    code = (
        "import sys; from optimizer.cli import cli; cli.main(sys.argv[1:], standalone_mode=False);"
        "print([m for m in ('pulp', 'ortools', 'highspy', 'numba', 'scipy') if m in sys.modules], file=sys.stderr)"
    )
    for arguments in (["--help"], ["info", str(instance)]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=TESTS.parent, check=True
        )
        assert done.stderr.strip().splitlines() == ["[]"]
