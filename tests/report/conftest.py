"""Results of the toys, solved once, and pages opened in the browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import optimizer as opt

HOSTILE = {
    "north": "</script><script>window.hacked = 1</script>",
    "west": '"O\'Brien" & <b onmouseover=hack()>Söhne</b>',
    "east": "Алматы – Құлсары",
    "border": "کراچی",
}


@pytest.fixture
def hostile_names() -> Mapping[str, str]:
    """Place -> its name in the result ``hostile``."""
    return HOSTILE


def solved(folder: Path, problem: Any) -> Path:
    opt.write_result(opt.solve(problem, seed=1), folder)
    return folder


@pytest.fixture(scope="session")
def stored(instances_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Result directories of the toys by name."""
    folder = tmp_path_factory.mktemp("stored")
    ports = instances_dir / "toy-port-choice"
    return {
        "ports": solved(folder / "ports", opt.PortChoice(opt.read(ports))),
        "east-shut": solved(folder / "east-shut", opt.PortChoice(opt.read(ports, "east-shut"))),
        "dated": solved(folder / "dated", opt.PortChoice(opt.read(ports), dated=True)),
        "terminal": solved(folder / "terminal", opt.Transshipment(opt.read(instances_dir / "toy-transshipment"))),
        "wagons": solved(folder / "wagons", opt.RollingStock(opt.read(instances_dir / "toy-rolling-stock"))),
        "locomotives": solved(
            folder / "locomotives", opt.RollingStock(opt.read(instances_dir / "toy-rolling-stock"), stock="locomotives")
        ),
    }


@pytest.fixture(scope="session")
def hostile(instances_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Result on an instance whose names are markup, quotes, Cyrillic and Urdu."""
    folder = tmp_path_factory.mktemp("hostile")
    instance = folder / "instance"
    shutil.copytree(instances_dir / "toy-port-choice", instance)
    nodes = instance / "nodes.csv"
    lines = nodes.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[1:], start=1):
        cells = line.split(",")
        if cells[0] in HOSTILE:
            cells[1] = '"' + HOSTILE[cells[0]].replace('"', '""') + '"'
            lines[number] = ",".join(cells)
    nodes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return solved(folder / "result", opt.PortChoice(opt.read(instance)))


@pytest.fixture
def opened(browser: Any) -> Callable[[Path], Any]:
    """Opens a page with every chart drawn, and asserts that the console stays empty."""

    def open_page(path: Path) -> Any:
        browser.get_log("browser")
        browser.get(path.resolve().as_uri())
        browser.execute_script("report.startAll()")
        assert browser.get_log("browser") == []
        return browser

    return open_page
