"""The code blocks of README.md and docs/ are run.

``python`` blocks of a page run in one process, in order, after its ``bash`` blocks. Those run in a shell that stops at
the first failure and where ``corridor`` is the command of this checkout; a ``text`` block right after one must share
its words (not its numbers) with what was printed. Blocks with ``make`` need a fresh machine: only their targets are
checked. Each page runs in its own directory with copies of the instances.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RUN = ("bash", "python")
BLOCK_S = 300.0


def blocks_of(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text(encoding="utf-8"))


def is_make(code: str) -> bool:
    return any(line.startswith("make") for line in code.splitlines())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(kind in RUN for kind, _ in blocks_of(page))], ids=lambda page: page.name
)
def test_code_blocks_run(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "instances", tmp_path / "instances")
    command = tmp_path / "bin" / "corridor"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m optimizer.cli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "120",
        "PYTHONFAULTHANDLER": "1",
    }  # fmt: skip
    printed = ""
    script = ""
    for kind, code in blocks_of(page):
        if kind == "bash" and not is_make(code):
            printed = run(["bash", "-e", "-c", code], tmp_path, environment)
        elif kind == "text" and printed:
            words = set(re.findall(r"[A-Za-z][A-Za-z-]{3,}", code))
            assert not {word for word in words if word not in printed}, (
                f"{page.name} shows words the command no longer prints"
            )
            printed = ""
        elif kind == "python":
            script += code
            printed = ""
    if script:
        run([sys.executable, "-W", "ignore", "-c", script], tmp_path, environment)


def run(command: list[str], where: Path, environment: dict[str, str]) -> str:
    """What was printed; a block that takes too long is ended with everything that it started."""
    process = subprocess.Popen(
        command, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=BLOCK_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)
        stdout, stderr = process.communicate()
        pytest.fail(f"more than {BLOCK_S} s: {command[-1]}\n{stdout}\n{stderr}")
    assert process.returncode == 0, f"{command[-1]}\n{stdout}\n{stderr}"
    return stdout


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {
        target
        for page in PAGES
        for kind, code in blocks_of(page)
        if kind == "bash"
        for target in re.findall(r"^make ([a-z]+)", code, re.MULTILINE)
    }
    assert {"demo", "test"} <= used <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
