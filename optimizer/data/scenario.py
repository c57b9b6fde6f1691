"""From an instance and named scenarios to the corridor in force: stack, changes, selection, closures and openings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from optimizer.data.changes import Tables, apply_changes
from optimizer.data.corridor import Corridor, Instance
from optimizer.data.schema import KEYS, TABLES
from optimizer.data.schema.settings import Config, Scenario, Selection
from optimizer.errors import Fault, InstanceError, UsageError, did_you_mean

CLOSABLE = ("links", "handlings", "sea_legs")
_ENDS = {"links": ("from_node", "to_node"), "handlings": ("node_id",), "sea_legs": ("from_port", "to_port")}


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
    faults += wrong or check_selection(tables, chosen, f"scenario {','.join(asked)}" if asked else "corridor.toml")
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
                    wanted = error["msg"].lower().removeprefix("input should be ")
                    words = f"select.{key} is {error['input']!r}, expected: {wanted}"
                else:
                    words = f"unknown key 'select.{key}'{did_you_mean(key, Selection.model_fields)}"
                faults.append(Fault(f"scenarios/{name}.toml", words))
    return chosen, faults


def check_selection(
    tables: Mapping[str, pd.DataFrame], chosen: Selection, file: str, complete: bool = True
) -> list[Fault]:
    """
    Faults of a selection: a name that no row has is a misspelling.

    ``complete`` says that nothing more will be selected: then a missing demand year is a fault where rows have years,
    since their demand would vanish unseen.
    """
    faults = []
    choices = (("network", "networks", chosen.network), ("gauge_variant", "gauge_variants", chosen.gauge_variant))
    for key, column, value in choices:
        named = {name for table in tables.values() if column in table for names in table[column] for name in names}
        if value and named and value not in named:
            near = did_you_mean(value, named)
            words = f"select.{key} is '{value}', which no row names; known: {', '.join(sorted(named))}{near}"
            faults.append(Fault(file, words))
    years = {int(year) for table in tables.values() if "year" in table for year in table["year"].dropna().unique()}
    if years and chosen.demand_year not in years and (complete or chosen.demand_year is not None):
        found = "not set" if chosen.demand_year is None else f"{chosen.demand_year}, which no row names"
        known = ", ".join(map(str, sorted(years)))
        faults.append(Fault(file, f"select.demand_year is {found}; expected one of {known}"))
    return faults


def check_scenarios(
    tables: Mapping[str, pd.DataFrame],
    known: Mapping[str, set[str] | None],
    config: Config,
    scenarios: Mapping[str, Scenario],
    sound: bool = True,
) -> list[Fault]:
    """
    Faults of the scenarios of an instance, each tried on its own: stacks, selections, ids and changes.

    Parameters
    ----------
    known
        Ids of each table; None where not every row could be read.
    sound
        Whether the tables are without fault; else nothing is tried that counts on every row being there.
    """
    faults = [
        Fault("corridor.toml", f"default_scenario holds '{name}', expected a scenario{did_you_mean(name, scenarios)}")
        for name in config.default_scenario
        if name not in scenarios
    ]
    if sound:
        faults += check_selection(tables, config.select, "corridor.toml", complete=False)
    straits = {name for names in tables["sea_legs"]["chokepoints"] for name in names}
    for name, scenario in scenarios.items():
        file = f"scenarios/{name}.toml"
        for parent in scenario.extends:
            if parent not in scenarios:
                words = f"extends '{parent}', expected a scenario{did_you_mean(parent, scenarios)}"
                faults.append(Fault(file, words))
        named = [(f"close.{key}", key, getattr(scenario.close, key)) for key in (*CLOSABLE, "nodes")]
        named += [(f"open.{key}", key, getattr(scenario.open, key)) for key in CLOSABLE]
        for key, table, ids in named:
            members = known[table]
            if members is not None:
                faults += _unknown(file, key, ids, members, f"{table}.csv")
        if known["sea_legs"] is not None:
            faults += _unknown(file, "close.chokepoints", scenario.close.chokepoints, straits, "sea_legs.csv")
        stack, circles = expand(scenarios, [name])
        faults += [Fault(f"scenarios/{c[0]}.toml", f"extends itself: {' -> '.join(c)}") for c in map(_turned, circles)]
        chosen, wrong = selection(Selection(), [(name, scenario)])
        faults += wrong
        if not sound:
            continue
        trial = dict(tables)
        for part in stack:
            faults += apply_changes(trial, part, scenarios[part].change)
        if not wrong:
            faults += check_selection(trial, chosen, file, complete=False)
    return faults


def _unknown(file: str, key: str, ids: Iterable[str], known: Collection[str], where: str) -> list[Fault]:
    return [
        Fault(file, f"{key} holds '{i}', which is not in {where}{did_you_mean(i, known)}")
        for i in ids
        if i not in known
    ]


def _turned(circle: list[str]) -> list[str]:
    """The same circle from its first name in the alphabet, so that it is told once."""
    names = circle[:-1]
    at = names.index(min(names))
    return [*names[at:], *names[:at], names[at]]


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
    covered = np.array([assets.issuperset(names) for names in contracts["assets"]], dtype=bool)
    tables["contracts"] = contracts[covered]  # an array: an empty list would select columns
    terminals = set(tables["terminals"]["terminal_id"])
    for name in ("terminal_tracks", "terminal_cranes", "terminal_bays", "terminal_posts", "train_calls"):
        tables[name] = tables[name][tables[name]["terminal_id"].isin(terminals)]
    loads = tables["terminal_loads"]
    tables["terminal_loads"] = loads[loads["call_id"].isin(tables["train_calls"]["call_id"])]
    options = tables["gauge_options"]
    tables["gauge_options"] = options[options["section_id"].isin(tables["gauge_sections"]["section_id"])]
    tracks = set(tables["terminal_tracks"]["track_id"])
    cranes = tables["terminal_cranes"]
    reached = [tuple(track for track in names if track in tracks) for names in cranes["tracks"]]
    if reached != cranes["tracks"].tolist():
        kept = pd.Series(reached, index=cranes.index, dtype=object)
        tables["terminal_cranes"] = cranes.assign(tracks=kept)[[bool(names) for names in reached]]
