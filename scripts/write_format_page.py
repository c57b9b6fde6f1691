"""Write the column tables of ``docs/instance-format.md`` from the row models.

Run ``python -m scripts.write_format_page`` after a change of ``optimizer/data/schema``; a test compares the two.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from optimizer.data.columns import Column, columns_of
from optimizer.data.schema import KEYS, REQUIRED_TABLES, TABLES
from optimizer.data.schema.kinds import Row
from optimizer.data.schema.settings import Config

PAGE = Path(__file__).resolve().parent.parent / "docs" / "instance-format.md"
MARK = "<!-- everything below is written by scripts/write_format_page.py; edit optimizer/data/schema instead -->"


def generated() -> str:
    """The part of the page below the mark."""
    return "\n".join([MARK, "", *_tables(), *_settings()]) + "\n"


def page(text: str) -> str:
    """The page with its generated part renewed."""
    if MARK not in text:
        raise ValueError(f"{PAGE} has lost the mark that separates its text from the generated tables")
    return text[: text.index(MARK)] + generated()


def _tables() -> Iterator[str]:
    yield "## Tables"
    yield ""
    yield "Every table also has these three columns:"
    yield ""
    shared = {name: column for name, column in columns_of(TABLES["nodes"]).items() if name in Row.model_fields}
    yield from _rows(shared)
    for name, model in TABLES.items():
        yield f"### {name}.csv"
        yield ""
        yield " ".join((model.__doc__ or "").split()).replace("``", "`")
        required = "Required. " if name in REQUIRED_TABLES else ""
        yield f"{required}One row for each {' and '.join(f'`{key}`' for key in KEYS[name])}."
        yield ""
        yield from _rows({key: column for key, column in columns_of(model).items() if key not in Row.model_fields})


def _rows(columns: dict[str, Column]) -> Iterator[str]:
    yield "| column | value | blank means | description |"
    yield "| --- | --- | --- | --- |"
    for name, column in columns.items():
        value = column.expected
        if column.references:
            value = "id in " + " or ".join(f"`{table}`" for table in column.references.split("|"))
            value += ", `;`-separated" if column.kind == "list" else ""
        cells = (f"`{name}`", value, _blank(column), column.description.replace("``", "`"))
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _blank(column: Column) -> str:
    if column.required:
        return "*required*"
    if column.kind == "list":
        return ";".join(column.default) or "none"
    if column.kind == "flag":
        return "1" if column.default else "0"
    if column.kind == "text":
        return column.default or "none"
    return "none" if column.nullable else f"{column.default:g}"


def _settings() -> Iterator[str]:
    yield "## corridor.toml"
    yield ""
    yield from _keys(Config, "")


def _keys(model: type[BaseModel], section: str) -> Iterator[str]:
    if section:
        yield f"### [{section}]"
        yield ""
    yield "| key | without it | description |"
    yield "| --- | --- | --- |"
    nested = {}
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and not typing.get_origin(kind) and issubclass(kind, BaseModel):
            nested[name] = kind
            continue
        default = "*required*" if info.is_required() else f"`{_toml(info.default)}`"
        yield f"| `{name}` | {default} | {(info.description or '').replace('``', '`')} |"
    yield ""
    for name, kind in nested.items():
        yield from _keys(kind, f"{section}.{name}" if section else name)


def _toml(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[]" if value == () else f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
