"""From an instance and named scenarios to the corridor in force: stack, changes, selection, closures and openings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from optimizer.data.columns import Column, columns_of
from optimizer.data.corridor import Corridor, Instance
from optimizer.data.schema import KEYS, TABLES, Change, Scenario, Selection
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean

Tables = dict[str, pd.DataFrame]

CLOSABLE = ("links", "handlings", "sea_legs")
_ENDS = {"links": ("from_node", "to_node"), "handlings": ("node_id",), "sea_legs": ("from_port", "to_port")}
_CHARGES = ("cost_usd_per_t", "cost_usd_per_feu", "cost_usd_per_wagon")


def apply_scenario(instance: Instance, names: Sequence[str] | str | None = None) -> Corridor:
    """
    The corridor under a stack of scenarios.

    Parameters
    ----------
    names
        Scenarios in order, or one text with commas; ``None`` for the instance's default, ``base`` or nothing for none.

    Raises
    ------
    UsageError
        When a name is not a scenario of the instance.
    InstanceError
        When the stack makes a value invalid or selects what no row names.
    """
    if names is None:
        names = instance.config.default_scenario
    elif isinstance(names, str):
        names = [part.strip() for part in names.split(",")]
    asked = tuple(name for name in names if name and name != "base")
    for name in asked:
        if name not in instance.scenarios:
            near = did_you_mean(name, instance.scenarios)
            has = ", ".join(sorted(instance.scenarios)) or "no scenario"
            raise UsageError(f"unknown scenario '{name}'{near or f'; {instance.path} has {has}'}")
    stack, circles = expand(instance.scenarios, asked)
    faults = [Fault(f"scenarios/{circle[0]}.toml", f"extends itself: {' -> '.join(circle)}") for circle in circles]
    tables: Tables = dict(instance.tables)
    for name in stack:
        faults += apply_changes(tables, name, instance.scenarios[name].change)
    chosen, wrong = selection(instance.config.select, [(name, instance.scenarios[name]) for name in stack])
    faults += wrong + check_selection(tables, chosen, f"scenario {','.join(asked)}" if asked else "corridor.toml")
    if faults:
        raise InstanceError(instance.path, faults)
    in_force(tables, chosen, [instance.scenarios[name] for name in stack])
    return Corridor(instance, asked, chosen, tables)


def expand(scenarios: Mapping[str, Scenario], names: Iterable[str]) -> tuple[list[str], list[list[str]]]:
    """
    Order of application: what a scenario extends comes before it, and each one applies once, at its first place.

    Returns
    -------
    names in order, and the circles met (each a list of names that ends where it began)
    """
    order: list[str] = []
    circles: list[list[str]] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circles.append([*above[above.index(name) :], name])
        elif name not in order:
            for parent in scenarios[name].extends:
                if parent in scenarios:
                    visit(parent, (*above, name))
            order.append(name)

    for name in names:
        visit(name, ())
    return order, circles


def selection(base: Selection, stack: Iterable[tuple[str, Scenario]]) -> tuple[Selection, list[Fault]]:
    """What is selected after a stack; the last word wins."""
    faults: list[Fault] = []
    chosen = base
    for name, scenario in stack:
        try:
            chosen = Selection.model_validate(chosen.model_dump() | dict(scenario.select))
        except ValidationError as failure:
            for error in failure.errors(include_url=False):
                key = str(error["loc"][0])
                if key in Selection.model_fields:
                    words = f"select.{key} is {error['input']!r}, expected {Selection.model_fields[key].description}"
                else:
                    words = f"unknown key 'select.{key}'{did_you_mean(key, Selection.model_fields)}"
                faults.append(Fault(f"scenarios/{name}.toml", words))
    return chosen, faults


def check_selection(tables: Mapping[str, pd.DataFrame], chosen: Selection, file: str) -> list[Fault]:
    """A selection that no row names is a misspelling; demand years that nobody selects would vanish unseen."""
    faults = []
    for key, column, value in (
        ("network", "networks", chosen.network),
        ("gauge_variant", "gauge_variants", chosen.gauge_variant),
    ):
        named = {name for table in tables.values() if column in table for names in table[column] for name in names}
        if value and named and value not in named:
            near = did_you_mean(value, named)
            words = f"select.{key} is '{value}', which no row names{near}; known: {', '.join(sorted(named))}"
            faults.append(Fault(file, words))
    years = {int(year) for table in tables.values() if "year" in table for year in table["year"].dropna().unique()}
    if years and chosen.demand_year not in years:
        found = "not set" if chosen.demand_year is None else f"{chosen.demand_year}, which no row names"
        faults.append(
            Fault(file, f"select.demand_year is {found}, expected one of {', '.join(map(str, sorted(years)))}")
        )
    return faults


def in_force(tables: Tables, chosen: Selection, stack: Sequence[Scenario]) -> None:
    """Drop, in place, every row that is not in force."""
    opened = {name: {i for scenario in stack for i in getattr(scenario.open, name)} for name in CLOSABLE}
    closed = {name: {i for scenario in stack for i in getattr(scenario.close, name)} for name in CLOSABLE}
    shut_places = {i for scenario in stack for i in scenario.close.nodes}
    shut_straits = {i for scenario in stack for i in scenario.close.chokepoints}
    for name in TABLES:
        table = tables[name]
        keep = np.ones(len(table), dtype=bool)
        if "networks" in table:
            keep &= _names(table["networks"], chosen.network)
        if name in CLOSABLE:
            keep |= table[KEYS[name][0]].isin(opened[name]).to_numpy()
        if "gauge_variants" in table:
            keep &= _names(table["gauge_variants"], chosen.gauge_variant)
        if "year" in table:
            keep &= (table["year"].isna() | (table["year"] == chosen.demand_year)).to_numpy()
        if name in CLOSABLE:
            keep &= ~table[KEYS[name][0]].isin(closed[name]).to_numpy()
            for end in _ENDS[name]:
                keep &= ~table[end].isin(shut_places).to_numpy()
        if name == "sea_legs" and shut_straits:
            keep &= np.array([shut_straits.isdisjoint(names) for names in table["chokepoints"]], dtype=bool)
        if not keep.all():
            tables[name] = table[keep]
    _follow(tables)


def _names(lists: pd.Series[Any], chosen: str) -> np.ndarray:
    return np.array([not names or chosen in names for names in lists], dtype=bool)


def _follow(tables: Tables) -> None:
    """Rows that make no sense without a dropped row go with it."""
    assets = {i for name in CLOSABLE for i in tables[name][KEYS[name][0]]}
    contracts = tables["contracts"]
    tables["contracts"] = contracts[[assets.issuperset(covered) for covered in contracts["assets"]]]
    terminals = set(tables["terminals"]["terminal_id"])
    for name in ("terminal_tracks", "terminal_cranes", "terminal_bays", "train_calls"):
        tables[name] = tables[name][tables[name]["terminal_id"].isin(terminals)]
    loads = tables["terminal_loads"]
    tables["terminal_loads"] = loads[loads["call_id"].isin(tables["train_calls"]["call_id"])]
    tracks = set(tables["terminal_tracks"]["track_id"])
    cranes = tables["terminal_cranes"]
    reached = [tuple(track for track in names if track in tracks) for names in cranes["tracks"]]
    if reached != cranes["tracks"].tolist():
        kept = pd.Series(reached, index=cranes.index, dtype=object)
        tables["terminal_cranes"] = cranes.assign(tracks=kept)[[bool(names) for names in reached]]


def apply_changes(tables: Tables, name: str, changes: Sequence[Change]) -> list[Fault]:
    """Apply the changes of one scenario to all rows, in force or not; faults name the scenario's file."""
    faults: list[Fault] = []
    for at, change in enumerate(changes, start=1):
        words = _apply(tables, change)
        faults.extend(Fault(f"scenarios/{name}.toml", f"change {at}: {text}") for text in words)
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
