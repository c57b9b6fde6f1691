"""Tables and routes to take along, and what notebooks show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

import optimizer as opt
from optimizer.cli import cli
from optimizer.report.exports import _safe_for_spreadsheets, workbook


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["tables", *map(str, arguments)])


def test_a_workbook_holds_every_table(stored: Mapping[str, Path], tmp_path: Path) -> None:
    done = run(stored["ports"], tmp_path / "t.xlsx")
    assert done.exit_code == 0, done.output
    book = load_workbook(tmp_path / "t.xlsx")
    plan = opt.read_result(stored["ports"])
    assert plan.solution is not None
    assert book.sheetnames == ["result", "key_figures", *plan.solution]
    claims = dict(book["result"].iter_rows(values_only=True))
    assert claims["cost_usd"] == pytest.approx(plan.cost)
    legs = list(book["legs"].iter_rows(values_only=True))
    assert len(legs) == len(plan.solution["legs"]) + 1
    assert dict(zip(legs[0], legs[1], strict=True))["from_name"] == "Northfield"


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    bad = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A0", "plain", "a\x00b"]
    table = pd.DataFrame({"=name": bad, "n": [-1.5] * len(bad)})
    (tmp_path / "t.xlsx").write_bytes(workbook({"sheet": table}))
    rows = list(load_workbook(tmp_path / "t.xlsx")["sheet"].iter_rows())
    for row, text in zip(rows[1:], bad, strict=True):
        assert row[0].data_type == "s"
        assert row[0].value == text.replace("\x00", "")
        assert row[1].value == -1.5
    assert rows[0][0].data_type == "s"
    safe = _safe_for_spreadsheets(table)
    assert [cell.startswith("'") for cell in safe["=name"]] == [True] * 6 + [False] * 2
    assert list(safe["n"]) == [-1.5] * len(bad)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["ports", "terminal", "wagons", "locomotives"])
def test_files_read_back(stored: Mapping[str, Path], tmp_path: Path, file_format: str, name: str) -> None:
    done = run(stored[name], tmp_path / "out", "--format", file_format)
    assert done.exit_code == 0, done.output
    plan = opt.read_result(stored[name]).solution
    assert plan is not None
    read = pd.read_csv if file_format == "csv" else pd.read_parquet
    for table_name, table in plan.items():
        back = read(tmp_path / "out" / f"{table_name}.{file_format}")
        assert len(back) == len(table)
        for column in table.select_dtypes("number"):
            assert back[column].to_numpy() == pytest.approx(table[column].to_numpy(), nan_ok=True)


def test_routes_as_geojson(stored: Mapping[str, Path], hostile: Path, tmp_path: Path) -> None:
    for name in ("ports", "wagons", "locomotives"):
        assert run(stored[name], tmp_path / f"{name}.geojson").exit_code == 0
    content = json.loads((tmp_path / "ports.geojson").read_text())
    plan = opt.read_result(stored["ports"]).solution
    assert plan is not None
    assert content["type"] == "FeatureCollection"
    tonnes = [feature["properties"]["tonnes"] for feature in content["features"]]
    assert sum(tonnes) == pytest.approx(plan["routes"]["quantity_t"].sum())
    for feature in content["features"]:
        assert feature["geometry"]["type"] == "LineString"
        assert len(feature["geometry"]["coordinates"]) >= 2
        assert feature["geometry"]["coordinates"][0] == [65.0, 50.0]  # longitude first
    done = run(stored["terminal"], tmp_path / "t.geojson")
    assert done.exit_code == 2
    assert "stays in one place" in done.output


def test_places_that_are_taken(stored: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("mine")
    assert "use --force" in run(stored["ports"], tmp_path / "t.xlsx").output
    assert (tmp_path / "t.xlsx").read_text() == "mine"
    assert run(stored["ports"], tmp_path / "t.xlsx", "--force").exit_code == 0
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    done = run(stored["ports"], tmp_path / "folder", "--force")
    assert done.exit_code == 2
    assert "something else than tables" in done.output
    assert run(stored["ports"], tmp_path / "t.doc").exit_code == 2


def test_notebooks_show_tables_and_map(instances_dir: Path, stored: Mapping[str, Path], hostile: Path) -> None:
    corridor = opt.read(instances_dir / "toy-port-choice")
    for shown in (
        corridor,
        opt.PortChoice(corridor),
        opt.read_result(stored["ports"]),
        opt.read_result(stored["wagons"]),
    ):
        html = shown._repr_html_()
        assert "<svg" in html
        assert "<table>" in html
        assert "<script" not in html
    assert "Cost of the plan" in html
    html = opt.read_result(hostile)._repr_html_()
    assert "window.hacked" not in html.replace("&lt;script&gt;window.hacked", "")
    assert "<script" not in html
