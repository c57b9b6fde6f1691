"""Writing an instance as a directory, a ``.zip`` or a ``.xlsx``: the whole of it or nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import shutil
import tomllib
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from optimizer.data.columns import Column, columns_of
from optimizer.data.containers import CONFIG
from optimizer.data.corridor import Instance
from optimizer.data.rows import CONTROL
from optimizer.data.schema import REQUIRED_TABLES, TABLES
from optimizer.data.schema.settings import Config
from optimizer.errors import Fault, InstanceError, UsageError

_LONGEST_CELL = 32_767  # a limit of Excel


def write_instance(instance: Instance, path: str | Path) -> None:
    """
    Write an instance; reading it back gives the same tables and the same hash.

    Everything goes to a temporary name beside ``path`` and is renamed when complete. A directory that already holds an
    instance is replaced, its other files (such as a README) kept.

    Parameters
    ----------
    path
        Ends in ``.zip`` or ``.xlsx``, or is a directory.

    Raises
    ------
    UsageError
        When ``path`` holds something else than an instance, or cannot be written.
    InstanceError
        When a value made in memory has no form in a table.
    """
    path = Path(path)
    tables = {name: table for name, table in instance.tables.items() if len(table) or name in REQUIRED_TABLES}
    cells = {name: table_cells(TABLES[name], tables[name], f"{name}.csv") for name in TABLES if name in tables}
    tomls = {CONFIG: config_text(instance)}
    tomls |= {f"scenarios/{name}.toml": text for name, text in sorted(instance.scenario_texts.items())}
    if path.is_dir() and any(path.iterdir()) and not (path / CONFIG).is_file():
        raise UsageError(f"{path} is a directory with something else than an instance in it; nothing was written")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    suffix = "" if path.is_dir() else path.suffix.lower()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".zip":
            _write_zip(temporary, cells, tomls)
        elif suffix == ".xlsx":
            _write_workbook(temporary, cells, tomls)
        else:
            _write_directory(temporary, cells, tomls)
        _replace(path, temporary)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()


Cells = Mapping[str, list[str]]
"""Column -> its cells as text, in row order; columns that are blank throughout are left out."""


def table_cells(model: type[BaseModel], table: pd.DataFrame, file: str) -> Cells:
    """
    Text of every cell, such that :func:`optimizer.data.rows.parse_table` gives the same table again.

    Raises
    ------
    InstanceError
        When a value would read back as another one.
    """
    faults: list[Fault] = []
    cells = {}
    for name, column in columns_of(model).items():
        texts = _texts(column, table[name])
        for at in _unfaithful(column, table[name], texts):
            words = f"{name} is {table[name].iloc[at]!r}, which a cell cannot hold; expected {column.expected}"
            faults.append(Fault(file, words, int(table.index[at])))
        if column.required or any(texts):
            cells[name] = texts
    if faults:
        raise InstanceError(file, faults)
    return cells


def _texts(column: Column, values: pd.Series[Any]) -> list[str]:
    if column.kind == "text":
        return [str(value) for value in values.tolist()]
    if column.kind == "list":
        return [";".join(names) for names in values.tolist()]
    if column.kind == "flag":
        return ["1" if value else "0" for value in values.tolist()]
    return [number_text(value) for value in values.tolist()]


def number_text(value: float) -> str:
    """Shortest text that reads back as the same number; "" for NaN."""
    if value != value:
        return ""
    text = repr(value)
    return text.removesuffix(".0")


def _unfaithful(column: Column, values: pd.Series[Any], texts: list[str]) -> Iterable[int]:
    """Rows whose text would read back as something else: blanks that mean more, outer spaces, control characters."""
    if column.required or column.default not in ("", ()):
        blank_stands_for_more = column.kind in ("text", "list") or (column.required and column.kind == "float")
        if blank_stands_for_more:
            yield from (at for at, text in enumerate(texts) if not text)
    if column.kind in ("int", "float"):
        yield from np.flatnonzero(np.isinf(values.to_numpy(dtype=np.float64))).tolist()
    if column.kind == "text":
        yield from (at for at, text in enumerate(texts) if text != text.strip() or "\r" in text or CONTROL.search(text))
    if column.kind == "list":
        for at, names in enumerate(values.tolist()):
            if any(n != n.strip() or not n or ";" in n or "\r" in n or CONTROL.search(n) for n in names):
                yield at


def csv_text(cells: Cells) -> str:
    """A table as CSV text."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    return stream.getvalue()


def config_text(instance: Instance) -> str:
    """``corridor.toml`` as it was read, or written anew where the settings are no longer those of the text."""
    if instance.config_text and Config.model_validate(tomllib.loads(instance.config_text)) == instance.config:
        return instance.config_text
    return "".join(_toml_lines(instance.config.model_dump()))


def _toml_lines(settings: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in settings.items():
        if value is not None and not isinstance(value, Mapping):
            yield f"{key} = {_toml_value(value)}\n"
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield f"\n[{prefix}{key}]\n"
            yield from _toml_lines(value, f"{prefix}{key}.")


def _toml_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_directory(path: Path, cells: Mapping[str, Cells], tomls: Mapping[str, str]) -> None:
    path.mkdir()
    for name, text in _as_files(cells, tomls):
        file = path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")


def _as_files(cells: Mapping[str, Cells], tomls: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    yield from tomls.items()
    for name, table in cells.items():
        yield f"{name}.csv", csv_text(table)


def _write_zip(path: Path, cells: Mapping[str, Cells], tomls: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, text in _as_files(cells, tomls):
            info = zipfile.ZipInfo(name)  # dated 1980, so that the same instance gives the same archive
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, text.encode())


def _write_workbook(path: Path, cells: Mapping[str, Cells], tomls: Mapping[str, str]) -> None:
    from openpyxl import Workbook  # slow to import, and most instances are directories
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    lines = [(file, line) for file, text in tomls.items() for line in text.removesuffix("\n").split("\n")]
    sheets: dict[str, tuple[Cells, set[str]]] = {
        "_toml": ({"file": [file for file, _ in lines], "text": [line for _, line in lines]}, set())
    }
    for name, table in cells.items():
        numbers = {c.name for c in columns_of(TABLES[name]).values() if c.kind in ("int", "float", "flag")}
        sheets[name] = (table, numbers)
    for name, (table, numbers) in sheets.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"

        def cell(text: str, numeric: bool, sheet: Any = sheet) -> Any:
            if not text:
                return None
            if len(text) > _LONGEST_CELL:
                raise UsageError(
                    f"sheet {sheet.title}: a text of {len(text):,} characters does not fit a cell; use .zip"
                )
            made: Any = WriteOnlyCell(sheet, value=float(text) if numeric else text)
            if numeric:
                made._value = text  # openpyxl would round to 16 digits
            else:
                made.data_type = "s"  # also where it looks like a formula or a number
            return made

        sheet.append([cell(column, False) for column in table])
        numeric = [column in numbers for column in table]
        for row in zip(*table.values(), strict=True):
            sheet.append([cell(text, number) for text, number in zip(row, numeric, strict=True)])
    book.save(path)


def _replace(path: Path, temporary: Path) -> None:
    """Put what was written in the place of what was there."""
    if not (temporary.is_dir() and path.is_dir()):
        temporary.replace(path)
        return
    for kept in path.iterdir():
        own = kept.suffix in (".csv", ".toml") or kept.name == "scenarios"
        if kept.is_dir() and not own:
            shutil.copytree(kept, temporary / kept.name, symlinks=True)
        elif not own:
            shutil.copy2(kept, temporary / kept.name, follow_symlinks=False)
    old = temporary.with_name(f"{temporary.name}.old")
    path.rename(old)
    try:
        temporary.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old)
