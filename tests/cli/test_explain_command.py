"""``corridor explain`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optimizer.cli import cli


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.fixture(scope="module")
def solved(instances_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explain") / "toy"
    assert run("solve", "port-choice", str(instances_dir / "toy-port-choice"), "--out", str(out)).exit_code == 0
    return out


def test_certificate_without_a_subject(solved: Path) -> None:
    told = run("explain", str(solved))
    assert told.exit_code == 0
    assert "checked in exact arithmetic: every rule holds" in told.output
    assert "no plan costs less" in told.output


def test_a_lane_with_a_counterfactual(solved: Path) -> None:
    told = run("explain", str(solved), "--lane", "export", "--forced", "west")
    assert told.exit_code == 0
    assert "Held to West Port the plan costs 720 USD a year more" in " ".join(told.output.split())
    assert "What makes the difference" in told.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--order", "export"), "--order does not fit a result of port-choice; use --lane or --shipment"),
        (("--lane", "export", "--load", "x"), "--lane and --load given, expected one of them"),
        (("--forced", "west"), "need a subject"),
        (("--lane", "exprt"), "did you mean 'export'?"),
        (("--lane", "export", "--instance", "nowhere"), "nowhere"),
    ],
)
def test_faults(solved: Path, words: tuple[str, ...], message: str) -> None:
    told = run("explain", str(solved), *words)
    assert told.exit_code == 2
    assert message in told.output
    assert "Traceback" not in told.output


def test_another_instance_is_refused_by_its_hash(solved: Path, instances_dir: Path) -> None:
    told = run("explain", str(solved), "--instance", str(instances_dir / "toy-rolling-stock"))
    assert told.exit_code == 2
    assert "another instance" in told.output


def test_a_result_that_lost_its_instance_says_how_to_go_on(solved: Path, tmp_path: Path) -> None:
    text = (solved / "result.json").read_text(encoding="utf-8")
    import json
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(solved, copy)
    content = json.loads(text)
    content["instance_path"] = str(tmp_path / "gone")
    (copy / "result.json").write_text(json.dumps(content), encoding="utf-8")
    told = run("explain", str(copy))
    assert told.exit_code == 2
    assert "is not there any more; name another place with --instance" in told.output
