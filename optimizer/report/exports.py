"""Results to take along: tables as a workbook, CSV or Parquet, routes as GeoJSON. Complete or not at all.

Text from an instance is data. In a workbook every text is stored as text, also where it looks like a formula; in CSV a
text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection). Parquet and the
result directory itself hold every text as it is.
"""

from __future__ import annotations

import io
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from optimizer.errors import ResultError, UsageError
from optimizer.models.port_choice import PortChoice
from optimizer.report.cases import Case
from optimizer.report.page import write_whole
from optimizer.report.words import figure_words

FORMATS = ("csv", "parquet")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
EXCEL_ROWS, EXCEL_CELL = 1_048_576, 32_767


def result_tables(case: Case) -> dict[str, pd.DataFrame]:
    """
    The plan's tables with names of places beside their ids, the key figures, and the claims.

    Raises
    ------
    ResultError
        There is no plan, or it fails verification.
    """
    if case.result.solution is None:
        raise ResultError(f"{case.path} holds no plan ({case.result.status}), so there are no tables")
    if case.violations:
        raise ResultError(
            f"{case.path}: the plan fails verification, its tables are not exported: {case.violations[0]}"
        )
    nodes = case.corridor.table("nodes")
    names = dict(zip(nodes["node_id"], nodes["name"], strict=True))
    result = case.result
    claims = {
        "instance": result.instance_name,
        "instance_hash": result.instance_hash,
        "family": result.family,
        "scenario": ",".join(result.scenario) or "base",
        "status": str(result.status),
        "cost_usd": result.cost,
        "bound_usd": result.bound,
        "gap": result.gap,
        "method": result.method,
        "solver": result.solver,
        "seed": result.seed,
        "runtime_s": result.runtime_s,
    }
    figures = [(*figure_words(name), value) for name, value in result.kpis.items()]
    tables = {
        "result": pd.DataFrame(
            {"what": list(claims), "value": [_text_or_number(v) for v in claims.values()]}, dtype=object
        ),
        "key_figures": pd.DataFrame(figures, columns=["figure", "unit", "value"], dtype=object),
    }
    for name, table in case.result.solution.items():
        tables[name] = _with_names(table.reset_index(drop=True), names)
    return tables


def _text_or_number(value: Any) -> Any:
    return "" if value is None else value


def _with_names(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A column with the name after every column with the id of a place; lists as text."""
    columns: dict[str, Any] = {}
    for column in table.columns:
        values = table[column]
        is_list = len(values) > 0 and values.map(lambda cell: isinstance(cell, tuple | list)).any()
        columns[column] = values.map(lambda cell: ";".join(cell)) if is_list else values
        if column.endswith("_node") or column == "node_id":
            columns[f"{column.removesuffix('_node').removesuffix('_id')}_name"] = values.map(lambda i: names.get(i, ""))
    return pd.DataFrame(columns, index=table.index)


def write_tables(case: Case, path: str | Path, file_format: str = "csv", force: bool = False) -> list[str]:
    """
    Write the tables of a result.

    Parameters
    ----------
    path
        Ends in ``.xlsx`` (a sheet for each table), or is a directory for one file a table.
    file_format
        ``csv`` or ``parquet``, for directories.

    Returns
    -------
    Names of the tables.

    Raises
    ------
    UsageError
        Something stands there, or the place cannot be written.
    """
    path = Path(path)
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; use --force to replace it, or another name")
    tables = result_tables(case)
    if path.suffix.lower() == ".xlsx":
        if path.is_dir():
            raise UsageError(f"{path} is a directory, expected a file name")
        write_whole(path, workbook(tables))
        return list(tables)
    if path.suffix and not path.is_dir():
        raise UsageError(f"'{path.name}' ends neither in .xlsx nor in .geojson, and is no directory name")
    if file_format not in FORMATS:
        raise UsageError(f"format '{file_format}', expected {' or '.join(FORMATS)}")
    if path.exists() and not (path.is_dir() and all(e.suffix in (".csv", ".parquet") for e in path.iterdir())):
        raise UsageError(f"{path} holds something else than tables; nothing was written")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        temporary.mkdir(parents=True)
        for name, table in tables.items():
            file = temporary / f"{name}.{file_format}"
            if file_format == "parquet":
                as_text = {
                    c: table[c].map(str)
                    for c in table
                    if table[c].dtype == object and name in ("result", "key_figures")
                }
                table.assign(**as_text).to_parquet(file, index=False)
            else:
                _safe_for_spreadsheets(table).to_csv(file, index=False, lineterminator="\n")
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return list(tables)


def _safe_for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    def safe(cell: Any) -> Any:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell

    return table.map(safe)


def workbook(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """
    Bytes of an ``.xlsx`` file: numbers as numbers, every text as text.

    Raises
    ------
    UsageError
        A table with more rows than a sheet takes.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    for name, table in tables.items():
        if len(table) >= EXCEL_ROWS:
            raise UsageError(f"{name} has {len(table):,} rows, a sheet takes {EXCEL_ROWS - 1:,}; write CSV or Parquet")
        sheet = book.create_sheet(name[:31])
        sheet.freeze_panes = "A2"

        def cell(value: Any, sheet: Any = sheet) -> Any:
            if value is None or value != value:
                return None
            if not isinstance(value, str):
                return value.item() if hasattr(value, "item") else value
            made: Any = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value)[:EXCEL_CELL])
            made.data_type = "s"  # also where it looks like a formula
            return made

        sheet.append([cell(str(column)) for column in table.columns])
        for row in zip(*(table[column].tolist() for column in table.columns), strict=True):
            sheet.append([cell(value) for value in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def write_geojson(case: Case, path: str | Path, force: bool = False) -> int:
    """
    Write what moves as GeoJSON (RFC 7946): a line for each route of port choice, run of wagons or train.

    Returns
    -------
    Number of features.

    Raises
    ------
    UsageError
        The place is taken or cannot be written, or nothing of this family moves on a map.
    """
    path = Path(path)
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; use --force to replace it, or another name")
    result_tables(case)  # refuses what has no sound plan
    features = list(_features(case))
    content = {"type": "FeatureCollection", "features": features}
    write_whole(path, json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8"))
    return len(features)


def _features(case: Case) -> Iterator[dict[str, Any]]:
    nodes = case.corridor.table("nodes")
    places = {row["node_id"]: [float(row["lon"]), float(row["lat"])] for row in nodes.to_dict("records")}
    if isinstance(case.problem, PortChoice):
        yield from _route_features(case, places)
        return
    from optimizer.report.rolling_stock import train_movements, wagon_movements

    if case.result.family != "rolling-stock":
        raise UsageError(
            f"a plan of {case.result.family} stays in one place; GeoJSON is for port-choice and rolling-stock"
        )
    wagons = case.result.options.get("stock", "wagons") == "wagons"
    for move in (wagon_movements if wagons else train_movements)(case):
        properties = {
            "name": move.name,
            "units": move.weight,
            "km": round(sum(move.km), 1),
            "leaves_day": round(move.stops[0][1] / 1440, 3),
            "arrives_day": round(move.stops[-1][1] / 1440, 3),
            **dict(move.info),
        }
        yield _line([places[place] for place, _ in move.stops], properties)


def _route_features(case: Case, places: Mapping[str, list[float]]) -> Iterator[dict[str, Any]]:
    from optimizer.models.port_choice.trips import Trips

    assert isinstance(case.problem, PortChoice)
    assert case.result.solution is not None
    plan = Trips(case.problem, case.result.solution)
    for trip in plan.trips:
        way = (
            [trip.legs[0]["from_node"], *(leg["to_node"] for leg in trip.legs)]
            if trip.legs
            else [trip.demand["origin"]]
        )
        yield _line(
            [places[node] for node in way],
            {
                "demand": str(trip.demand["demand_id"]),
                "commodity": str(trip.demand["commodity_id"]),
                "tonnes": trip.quantity_t,
                "from": plan.names[trip.demand["origin"]],
                "to": plan.names[trip.demand["destination"]],
                "port": plan.names[trip.port] if trip.port else "",
                "usd_per_t": round(sum(trip.money_usd_per_t.values()), 4),
                "days": round(trip.days, 3),
                "gauge_changes": ";".join(leg["from_node"] for leg in trip.gauge_changes),
                "way": plan.words(trip),
            },
        )


def _line(points: list[list[float]], properties: Mapping[str, Any]) -> dict[str, Any]:
    kept = [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]
    geometry = {"type": "LineString", "coordinates": kept if len(kept) > 1 else kept * 2}
    return {"type": "Feature", "geometry": geometry, "properties": dict(properties)}
