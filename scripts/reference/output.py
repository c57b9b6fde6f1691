"""Writing the instance: every row is checked against the schema before anything reaches the disk."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optimizer.data.schema import TABLES
from optimizer.data.schema.kinds import Row as SchemaRow
from scripts.reference.facts import Row


def columns(model: type[SchemaRow]) -> list[str]:
    """Columns in file order: the table's own, then source, confidence and notes."""
    common = list(SchemaRow.model_fields)
    return [*(name for name in model.model_fields if name not in common), *common]


def cell(value: Any) -> str:
    """Text of a cell: blank for None, 1 and 0 for flags, no needless ``.0``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(float(value))
    return str(value)


def write_table(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Checks ``rows`` against the schema and writes ``name.csv``."""
    model = TABLES[name]
    header = columns(model)
    lines = [[cell(row.get(column)) for column in header] for row in rows]
    for row, line in zip(rows, lines, strict=True):
        if strays := set(row) - set(header):
            raise ValueError(f"{name}: columns {sorted(strays)} are not in the schema")
        model.model_validate({column: text for column, text in zip(header, line, strict=True) if text != ""})
        if not (row.get("source") and row.get("confidence")):
            raise ValueError(f"{name}: row without source or confidence: {row}")
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def write_sources(folder: Path, sources: Sequence[Mapping[str, str]], tables: Mapping[str, Sequence[Row]]) -> None:
    """Writes ``SOURCES.md``: title and address of every source id that a row of the instance names."""
    used = {
        part.strip()
        for rows in tables.values()
        for row in rows
        for part in str(row["source"]).split(";")
        if part.strip()
    }
    lines = [
        "# Sources",
        "",
        "Ids named in the `source` columns. Figures are as reported by the source; no live page was opened for them.",
        "",
        "| id | title | address | note |",
        "| --- | --- | --- | --- |",
        *(
            "| {} | {} | {} | {} |".format(
                *(item[key].replace("|", "/") for key in ("id", "title", "url", "accessed_note"))
            )
            for item in sources
            if item["id"] in used
        ),
    ]
    (folder / "SOURCES.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
