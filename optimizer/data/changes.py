"""Changes of a scenario to columns of numbers: set, multiply, add, in the rows that match."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optimizer.data.columns import Column, columns_of
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Change
from optimizer.data.validation import check_values
from optimizer.errors import Fault, did_you_mean

Tables = dict[str, pd.DataFrame]
_CHARGES = ("cost_usd_per_t", "cost_usd_per_feu", "cost_usd_per_wagon")


def apply_changes(tables: Tables, name: str, changes: Sequence[Change]) -> list[Fault]:
    """Apply the changes of one scenario, in place, to all rows, in force or not; faults name the scenario's file."""
    faults: list[Fault] = []
    before = dict(tables)
    for at, change in enumerate(changes, start=1):
        words = _apply(tables, change)
        faults.extend(Fault(f"scenarios/{name}.toml", f"change {at}: {text}") for text in words)
    for table in [key for key in tables if tables[key] is not before[key]]:
        known = set(check_values(table, before[table]))
        new = [fault for fault in check_values(table, tables[table]) if fault not in known]
        faults.extend(Fault(f"scenarios/{name}.toml", f"after the changes, {fault}") for fault in new)
    return faults


def _apply(tables: Tables, change: Change) -> list[str]:
    if change.table not in tables:
        return [f"unknown table '{change.table}'{did_you_mean(change.table, tables)}"]
    columns = columns_of(TABLES[change.table])
    words = [f"unknown column '{name}' of {change.table}{did_you_mean(name, columns)}"
             for name in (change.column, *change.where) if name not in columns]  # fmt: skip
    given = [key for key in ("set", "multiply", "add") if getattr(change, key) is not None]
    if len(given) != 1:
        words.append(
            f"has {' and '.join(given) or 'neither set, multiply nor add'}, expected exactly one of set, multiply, add"
        )
    if words:
        return words
    column = columns[change.column]
    if column.kind not in ("int", "float") or column.choices:
        return [f"{change.table}.{change.column} is not a column of numbers; only those can be changed"]
    table = tables[change.table]
    rows = np.ones(len(table), dtype=bool)
    for key, wanted in change.where.items():
        matches, complaint = _matching(table, columns[key], wanted)
        if complaint:
            words.append(complaint)
        rows &= matches
    if words or not rows.any():
        return words or [f"matches no row of {change.table}"]
    changed, words = _changed(table, columns, change, rows)
    tables[change.table] = changed
    return words


def _matching(table: pd.DataFrame, column: Column, wanted: Any) -> tuple[np.ndarray, str]:
    """Rows whose value is (or whose list holds) one of the values wanted, and what is wrong with the wish."""
    options: Collection[Any] = wanted if isinstance(wanted, tuple) else (wanted,)
    values = table[column.name]
    textual = column.kind in ("text", "list")
    for option in options:
        if isinstance(option, str) != textual:
            kind = (
                "text in quotes" if textual else "a number without quotes" if column.kind != "flag" else "true or false"
            )
            return np.zeros(len(table), dtype=bool), f"where {column.name} is {option!r}, expected {kind}"
    present = {name for names in values for name in names} if column.kind == "list" else set(values.unique())
    for option in options:
        if option not in present:
            near = did_you_mean(option, present) if textual else ""
            return np.zeros(len(table), dtype=bool), f"matches no row: no {column.name} is {option!r}{near}"
    if column.kind == "list":
        return np.array([not set(options).isdisjoint(names) for names in values], dtype=bool), ""
    return values.isin(list(options)).to_numpy(), ""


def _changed(
    table: pd.DataFrame, columns: Mapping[str, Column], change: Change, rows: np.ndarray
) -> tuple[pd.DataFrame, list[str]]:
    """The table with a change applied; its low and high estimates move along, or go where a value is set."""
    own = {f"{change.column}_low", f"{change.column}_high"} & set(columns)
    moving = dict.fromkeys((change.column, *sorted(own)), rows)
    if change.table == "handlings" and change.column in _CHARGES:
        # one pair of estimates for three charges: it is that of the only charge a row has
        others = table[[name for name in _CHARGES if name != change.column]].sum(axis=1).to_numpy() == 0
        moving |= {"cost_low": rows & others, "cost_high": rows & others}
    data = {}
    words = []
    for name, where in moving.items():
        column = columns[name]
        values = table[name].to_numpy(dtype=np.float64, copy=True)
        if change.set is not None:
            values[where] = change.set if name == change.column else np.nan
        elif change.multiply is not None:
            values[where] *= change.multiply
        else:
            values[where] += change.add or 0.0
        if column.kind == "int":
            values[where] = np.floor(values[where] + 0.5)
        bad = column.outside(values) & where
        words += [
            f"{name} becomes {values[at]:g} in {change.table}.csv:{table.index[at]}, expected {column.expected}"
            for at in np.flatnonzero(bad)
        ]
        data[name] = values.astype(column.dtype) if not bad.any() else table[name].to_numpy()
    return table.assign(**data), words
