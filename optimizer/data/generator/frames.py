"""Typed tables straight from arrays: what reading a file yields, without the file."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from optimizer.data.schema import TABLES

FIRST_LINE = 2  # line 1 of a file holds the header

ColumnKind = Literal["text", "list", "flag", "integer", "number"]


def _bare(annotation: Any) -> tuple[Any, bool]:
    """Annotation without ``Annotated`` and ``| None``, and whether it was optional."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    if origin in (types.UnionType, typing.Union):
        inner = next(part for part in typing.get_args(annotation) if part is not type(None))
        return _bare(inner)[0], True
    return annotation, False


@functools.cache
def column_kinds(table: str) -> Mapping[str, tuple[ColumnKind, Any]]:
    """Kind and default of every column of ``table``; own columns first, then source, confidence and notes."""
    model = TABLES[table]
    own = [name for name in model.__annotations__ if name in model.model_fields]
    kinds: dict[str, tuple[ColumnKind, Any]] = {}
    for name in (*own, *(name for name in model.model_fields if name not in own)):
        info = model.model_fields[name]
        bare, optional = _bare(info.annotation)
        kind: ColumnKind
        if typing.get_origin(bare) is tuple:
            kind = "list"
        elif bare is bool:
            kind = "flag"
        elif bare is int or (typing.get_origin(bare) is Literal and isinstance(typing.get_args(bare)[0], int)):
            kind = "number" if optional else "integer"
        elif bare is float:
            kind = "number"
        else:
            kind = "text"
        default = None if info.is_required() else info.default
        if default is None and optional:
            default = "" if kind == "text" else np.nan
        kinds[name] = (kind, default)
    return kinds


def typed_frame(table: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """
    Table with every column of the schema, in its order and dtype; the index ``line`` counts from 2.

    Parameters
    ----------
    columns
        Column name -> sequence with one value per row, or one value for all rows (text, number, flag, tuple). Columns
        that are left out take the schema's default. Values are trusted: nothing is checked beyond names and lengths.

    Raises
    ------
    ValueError
        For a column the schema does not have, a required one that is missing, or lengths that differ.
    """
    kinds = column_kinds(table)
    if strays := set(columns) - set(kinds):
        raise ValueError(f"{table} has no columns {sorted(strays)}")
    lengths = {len(value) for value in columns.values() if isinstance(value, list | np.ndarray)}
    if len(lengths) > 1:
        raise ValueError(f"{table}: columns of different lengths {sorted(lengths)}")
    num_rows = lengths.pop() if lengths else 0
    data: dict[str, Any] = {}
    for name, (kind, default) in kinds.items():
        value = columns.get(name, default)
        if value is None and num_rows:
            raise ValueError(f"{table} lacks column {name}")
        data[name] = _array(kind, value, num_rows)
    return pd.DataFrame(data, index=pd.RangeIndex(FIRST_LINE, FIRST_LINE + num_rows, name="line"))


def _array(kind: ColumnKind, value: Any, num_rows: int) -> np.ndarray[Any, Any]:
    dtype = {"text": object, "list": object, "flag": np.bool_, "integer": np.int64, "number": np.float64}[kind]
    array: np.ndarray[Any, Any] = np.empty(num_rows, dtype)
    if isinstance(value, list | np.ndarray):
        if kind == "list":
            for row, item in enumerate(value):  # numpy would spread tuples over dimensions
                array[row] = tuple(item)
        else:
            array[:] = value
    elif num_rows:
        if kind == "list":
            array.fill(value)
        else:
            array[:] = value
    return array


def empty_tables() -> dict[str, pd.DataFrame]:
    """Every table of the schema without rows."""
    return {name: typed_frame(name, {}) for name in TABLES}
