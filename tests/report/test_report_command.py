"""``corridor report``: what it says of its input, exit codes, and a file that is whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optimizer.cli import cli


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def edited(source: Path, target: Path, **changes: object) -> Path:
    shutil.copytree(source, target)
    file = target / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return target


def test_every_family_in_one_file(stored: Mapping[str, Path], instances_dir: Path, tmp_path: Path) -> None:
    done = run(stored["ports"], stored["east-shut"], "--out", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    for words in (
        "Through which port",
        "What a tonne costs",
        "What moved, and why",
        "Causes of the difference",
        "What the plan",
    ):
        assert words in html
    assert "base: OPTIMAL" in html
    assert "east-shut: OPTIMAL" in html
    for name, words in (
        ("terminal", "Who stands and works where"),
        ("wagons", "Wagons in time and space"),
        ("locomotives", "Trains and locomotives in time and space"),
        ("dated", "day by day"),
    ):
        done = run(stored[name], "--out", tmp_path / f"{name}.html")
        assert done.exit_code == 0, done.output
        assert words in (tmp_path / f"{name}.html").read_text(encoding="utf-8")


def test_families_stand_in_chapters_of_their_own(stored: Mapping[str, Path], tmp_path: Path) -> None:
    done = run(stored["wagons"], stored["locomotives"], "--out", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert html.index('<h2 id="c0">Wagons</h2>') < html.index('<h2 id="c1">Locomotives</h2>')
    assert "Key figures side by side" not in html  # nothing of different families is compared


def test_results_of_two_instances(stored: Mapping[str, Path], tmp_path: Path) -> None:
    done = run(stored["ports"], stored["wagons"], "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    assert "the result is of another instance" in done.output
    assert "wagons" in done.output
    assert not list(tmp_path.iterdir())


def test_every_directory_that_cannot_be_read_is_told(stored: Mapping[str, Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(stored["ports"], cut)
    legs = cut / "legs.csv"
    legs.write_bytes(legs.read_bytes()[:150])
    half = tmp_path / "half"
    shutil.copytree(stored["ports"], half)
    text = (half / "result.json").read_text()
    (half / "result.json").write_text(text[: len(text) // 2])
    done = run(tmp_path / "none", cut, half, "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    for words in ("there is no such result directory", "legs.csv", "result.json: 1 fault"):
        assert words in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "r.html").exists()


def test_where_the_instance_is(stored: Mapping[str, Path], instances_dir: Path, tmp_path: Path) -> None:
    moved = edited(stored["ports"], tmp_path / "moved", instance_path="/nowhere/at/all")
    done = run(moved, "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    assert "nothing is there now; name it with --instance" in done.output
    assert run(moved, "--instance", instances_dir / "toy-port-choice", "--out", tmp_path / "r.html").exit_code == 0
    blank = edited(stored["ports"], tmp_path / "blank", instance_path="")
    assert "name it with --instance" in run(blank, "--out", tmp_path / "r2.html").output


def test_a_broken_plan_is_told_and_not_drawn(stored: Mapping[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(stored["ports"], broken)
    routes = broken / "routes.csv"
    routes.write_text(routes.read_text().replace("600", "700"))
    done = run(broken, "--out", tmp_path / "r.html")
    assert done.exit_code == 3
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "fails verification" in html
    assert "Through which port" not in html


def test_key_figures_that_are_not_those_of_the_plan(stored: Mapping[str, Path], tmp_path: Path) -> None:
    content = json.loads((stored["ports"] / "result.json").read_text())
    false = edited(stored["ports"], tmp_path / "false", kpis=content["kpis"] | {"served, t": 1e9})
    assert run(false, "--out", tmp_path / "r.html").exit_code == 0
    assert "key figures of result.json differ from those of the plan: served, t" in (tmp_path / "r.html").read_text()


def test_a_result_without_a_plan(stored: Mapping[str, Path], tmp_path: Path) -> None:
    none = edited(
        stored["ports"],
        tmp_path / "none",
        status="INFEASIBLE",
        cost=None,
        bound=None,
        gap=None,
        kpis={},
        tables={},
        conflicts=["Chaman <yard>: 14 flat wagons short"],
    )
    done = run(none, "--out", tmp_path / "r.html")
    assert done.exit_code == 1
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "INFEASIBLE, there is no plan. Chaman &lt;yard&gt;: 14 flat wagons short" in html
    beside = run(stored["ports"], none, "--out", tmp_path / "beside.html")
    assert beside.exit_code == 0


def test_places_that_cannot_be_written(stored: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("mine")
    done = run(stored["ports"], "--out", tmp_path / "there.html")
    assert (done.exit_code, (tmp_path / "there.html").read_text()) == (2, "mine")
    assert "use --force" in done.output
    assert run(stored["ports"], "--out", tmp_path / "there.html", "--force").exit_code == 0
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    if os.access(closed, os.W_OK):
        closed.chmod(0o700)
        pytest.skip("root may write anywhere")
    done = run(stored["ports"], "--out", closed / "r.html")
    assert done.exit_code == 2
    assert "no permission to write" in done.output


def test_a_full_disk_leaves_nothing_behind(
    stored: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = run(stored["ports"], "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    assert "No space left on device" in done.output
    assert not list(tmp_path.iterdir())


def test_a_huge_log_beside_the_tables_is_left_alone(stored: Mapping[str, Path], tmp_path: Path) -> None:
    big = tmp_path / "big"
    shutil.copytree(stored["ports"], big)
    with (big / "solver.log").open("wb") as log:
        log.truncate(2 * 2**30)  # a sparse file: it has the size, and takes no room
    assert run(big, "--out", tmp_path / "r.html").exit_code == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("nonsense", "is no file and not of the form LEVER=FROM..TO"),
        ("dwell:nowhere=0..1", "unknown handling, border or place"),
        ("premium:east=5..1", "is reversed"),
    ],
)
def test_levers_that_make_no_sense(stored: Mapping[str, Path], tmp_path: Path, asked: str, words: str) -> None:
    done = run(stored["ports"], "--switch", asked, "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    assert words in done.output


def test_switch_points_stored_and_found_now(stored: Mapping[str, Path], instances_dir: Path, tmp_path: Path) -> None:
    arguments = [
        "switch",
        str(instances_dir / "toy-port-choice"),
        "premium:east",
        "--from",
        "0",
        "--to",
        "20",
        "--json",
    ]
    answer = json.loads(CliRunner().invoke(cli, arguments).stdout)
    (tmp_path / "s.json").write_text(json.dumps(answer))
    done = run(
        stored["ports"], "--switch", tmp_path / "s.json", "--switch", "premium:east=0..20", "--out", tmp_path / "r.html"
    )
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert html.count("Shares of ports over premium on east</figcaption>") == 2
    (tmp_path / "s.json").write_text('{"lever": 1}')
    done = run(stored["ports"], "--switch", tmp_path / "s.json", "--out", tmp_path / "r2.html")
    assert done.exit_code == 2
    assert "is not what corridor switch --json prints" in done.output
