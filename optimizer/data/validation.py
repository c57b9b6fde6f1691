"""Checks of an instance that need more than one cell. Each returns faults in the planner's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_args

import pandas as pd

from optimizer.data.columns import columns_of
from optimizer.data.connectivity import check_connectivity
from optimizer.data.gauge_choice import gauge_choice_faults
from optimizer.data.prices import check_prices
from optimizer.data.schema import KEYS, TABLES
from optimizer.data.schema.kinds import RAIL_GAUGES_MM, CargoForm
from optimizer.data.schema.settings import Config
from optimizer.data.terminals import terminal_faults
from optimizer.data.track_gauges import fleet_place_faults, gauge_faults, train_faults
from optimizer.data.wagon_rules import wagon_rule_faults
from optimizer.errors import Fault, did_you_mean

__all__ = ["check_connectivity", "check_tables", "check_values"]

Tables = Mapping[str, pd.DataFrame]

NOUNS = {
    "nodes": "a place",
    "links": "a link",
    "handlings": "a handling",
    "sea_legs": "a sea leg",
    "commodities": "a commodity",
    "wagons": "a wagon",
    "locomotives": "a locomotive",
    "terminals": "a terminal",
    "terminal_tracks": "a track",
    "train_calls": "a train",
    "gauge_sections": "a section",
    "transfer_technologies": "a technology",
}
_SHARED_IDS = (
    ("links", "handlings", "sea_legs", "gauge_options", "transfer_sites", "wagon_works"),
    ("wagons", "locomotives"),
)
_LISTED = {
    ("handlings", "cargo_forms"): get_args(CargoForm),
    ("transfer_technologies", "cargo_forms"): get_args(CargoForm),
    ("wagons", "gauges_mm"): tuple(map(str, RAIL_GAUGES_MM)),
    ("terminal_loads", "modes"): ("direct", "yard", "bogie"),
}
_NOT_AFTER = {
    "shipments": [("release_day", "due_day")],
    "orders": [("release_day", "due_day")],
    "train_calls": [("arrive_h", "depart_h"), ("depart_h", "latest_depart_h")],
    "contracts": [("min_t_per_year", "max_t_per_year")],
}
_DAYS = {"shipments": "release_day", "orders": "release_day", "fleet": "from_day", "train_services": "depart_day"}
_ENDS = {
    "links": ("from_node", "to_node"), "sea_legs": ("from_port", "to_port"), "handlings": ("from_layer", "to_layer"),
    "gauge_sections": ("from_node", "to_node"), "transfer_sites": ("gauge_a_mm", "gauge_b_mm"),
    "lanes": ("origin", "destination"), "shipments": ("origin", "destination"), "orders": ("origin", "destination"),
}  # fmt: skip
_UNITS = {
    "line_haul": ("usd_per_t_km", "usd_per_feu_km"), "multiplier": ("factor",), "security": ("usd_per_train_km",),
    "entry_fee": ("usd_per_t", "usd_per_feu"), "insurance": ("percent_of_value",),
}  # fmt: skip
_MOST_OF_AN_EMPTY_TABLE = 3
_MOST_NAMES = 50  # names per column for which the nearest one is looked up


def check_tables(
    tables: Tables, known: Mapping[str, set[str] | None], config: Config | None, faulty: Collection[str] = ()
) -> list[Fault]:
    """
    Faults of references, keys, bands, dates, gauges and prices.

    Parameters
    ----------
    known
        Ids of each table, rows with faults included; None where not every row could be read.
    faulty
        Files with faults; what would only follow from those is not reported again.
    """
    faults = [fault for name, table in tables.items() for fault in check_values(name, table)]
    for check in (
        _duplicates,
        _listed_names,
        gauge_faults,
        terminal_faults,
        _tariff_units,
        gauge_choice_faults,
        wagon_rule_faults,
    ):
        faults += check(tables)
    faults += _references(tables, known)
    if config is not None:
        faults += _horizon(tables, config)
        terminals = known["terminals"]
        named = config.transshipment.terminal_id
        if named and terminals is not None and named not in terminals:
            words = f"transshipment.terminal_id is '{named}', expected a terminal in terminals.csv"
            faults.append(Fault("corridor.toml", words + did_you_mean(named, terminals)))
    spoilt = set(faulty) | {fault.file for fault in faults}
    if spoilt.isdisjoint(("nodes.csv", "links.csv", "handlings.csv")):
        faults += fleet_place_faults(tables) + train_faults(tables) + _islands(tables)
    if spoilt.isdisjoint(("nodes.csv", "links.csv", "commodities.csv", "tariffs.csv", "borders.csv")):
        faults += check_prices(tables)
    return faults


def check_values(name: str, table: pd.DataFrame) -> list[Fault]:
    """Faults between cells of one row: low <= value <= high, begin <= end, different ends."""
    if not len(table):
        return []
    faults = _bands(name, table)
    for first, last in _NOT_AFTER.get(name, []):
        word = "below" if name == "contracts" else "before"
        faults += _above(name, table, first, last, f"{last} is {{high:g}}, {word} {first} {{low:g}}")
    if name in _ENDS:
        one, other = _ENDS[name]
        same = table[(table[one] == table[other]) & (table[one] != "sea")]  # sea to sea: from ship to ship
        faults += [
            Fault.of_row(name, line, f"{one} and {other} are both '{value}'") for line, value in same[one].items()
        ]
    return faults


def _above(name: str, table: pd.DataFrame, low: str, high: str, words: str) -> list[Fault]:
    bad = table[(table[low] > table[high]).to_numpy()]
    return [
        Fault.of_row(name, line, words.format(low=a, high=b))
        for line, a, b in zip(bad.index, bad[low], bad[high], strict=True)
    ]


def _bands(name: str, table: pd.DataFrame) -> list[Fault]:
    faults = []
    for low in [column for column in table.columns if column.endswith("_low")]:
        value, high = low.removesuffix("_low"), low.removesuffix("_low") + "_high"
        faults += _above(name, table, low, high, f"{low} is {{low:g}}, above {high} {{high:g}}")
        rows = table
        if value not in table:  # one pair for the charges of a handling, in the unit of the only charge it has
            charges = [column for column in table.columns if column.startswith("cost_usd_per_")]
            rows = table[((table[charges] > 0).sum(axis=1) == 1).to_numpy()]
            rows = rows.assign(**{value: rows[charges].sum(axis=1)})
        faults += _above(name, rows, low, value, f"{low} is {{low:g}}, above {value} {{high:g}}")
        faults += _above(name, rows, value, high, f"{high} is {{high:g}}, below {value} {{low:g}}")
    return faults


def _duplicates(tables: Tables) -> list[Fault]:
    faults: list[Fault] = []
    for name, table in tables.items():
        keys = list(KEYS[name])
        twice = table[table.duplicated(keys, keep="first")]
        if not len(twice):
            continue
        first = {key: line for line, key in zip(table.index[::-1], _key_rows(table, keys)[::-1], strict=True)}
        for line, key in zip(twice.index, _key_rows(twice, keys), strict=True):
            shown = ", ".join(f"{column} '{part}'" for column, part in zip(keys, key, strict=True))
            faults.append(
                Fault.of_row(name, line, f"{shown} stands twice, first in line {first[key]}; expected one row for each")
            )
    for group in _SHARED_IDS:
        owner: dict[str, str] = {}
        for name in group:
            own = KEYS[name][0]
            for line, value in tables[name][own].items():
                if value in owner and owner[value] != name:
                    faults.append(
                        Fault.of_row(
                            name, line, f"{own} '{value}' is also an id in {owner[value]}.csv; expected one of its own"
                        )
                    )
                owner[value] = name
    return faults


def _key_rows(table: pd.DataFrame, keys: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(table[key] for key in keys), strict=True))


def _references(tables: Tables, known: Mapping[str, set[str] | None]) -> list[Fault]:
    faults = []
    for name, table in tables.items():
        for column in columns_of(TABLES[name]).values():
            if not column.references or not len(table):
                continue
            targets = column.references.split("|")
            sets = [known[target] for target in targets]
            if any(ids is None for ids in sets):
                continue
            ids = {i for members in sets if members for i in members}
            strays = list(_strays(table[column.name], column.kind == "list", ids))
            empty = [target for target in targets if not known[target]]
            if empty and len(strays) > _MOST_OF_AN_EMPTY_TABLE:  # one fault at its root, not one for every row
                shown = ", ".join(sorted({value for _, value in strays})[:3])
                words = f"has no rows, but {len(strays)} rows of {name}.csv name a {column.name} such as {shown}"
                faults.append(Fault(f"{empty[0]}.csv", words))
                continue
            nouns = " or ".join(NOUNS[target] for target in targets)
            words = f"expected {nouns} in {' or '.join(f'{target}.csv' for target in targets)}"
            nearest: dict[str, str] = {}
            for line, value in strays:
                if value not in nearest:
                    nearest[value] = did_you_mean(value, ids) if len(nearest) < _MOST_NAMES else ""
                faults.append(Fault.of_row(name, line, f"{column.name} is '{value}', {words}{nearest[value]}"))
    return faults


def _strays(values: pd.Series[Any], is_list: bool, ids: set[str]) -> Iterable[tuple[object, str]]:
    if not is_list:
        yield from values[~values.isin(ids)].items()
        return
    for line, names in values.items():
        yield from ((line, value) for value in names if value not in ids)


def _listed_names(tables: Tables) -> list[Fault]:
    """List columns whose names come from a fixed set."""
    faults = []
    for (name, column), allowed in _LISTED.items():
        for line, value in _strays(tables[name][column], True, set(allowed)):
            near = did_you_mean(value, allowed)
            faults.append(Fault.of_row(name, line, f"{column} holds '{value}', expected {', '.join(allowed)}{near}"))
    for name in ("tariffs", "emissions"):
        for line, names in tables[name]["countries"].items():
            for value in names:
                if not re.fullmatch("[A-Z]{2}", value):
                    words = f"countries holds '{value}', expected codes of two capital letters such as KZ"
                    faults.append(Fault.of_row(name, line, words))
    return faults


def _horizon(tables: Tables, config: Config) -> list[Fault]:
    days = config.horizon.days
    faults = []
    for name, column in _DAYS.items():
        late = tables[name][column]
        words = f"expected a day within the horizon of {days} days (0 to {days - 1}) of corridor.toml"
        faults += [Fault.of_row(name, line, f"{column} is {day}, {words}") for line, day in late[late >= days].items()]
    return faults


def _tariff_units(tables: Tables) -> list[Fault]:
    tariffs = tables["tariffs"]
    return [
        Fault.of_row("tariffs", line, f"unit is '{unit}' for {kind}, expected {' or '.join(_UNITS[kind])}")
        for line, kind, unit in zip(tariffs.index, tariffs["kind"], tariffs["unit"], strict=True)
        if unit not in _UNITS[kind]
    ]


def _islands(tables: Tables) -> list[Fault]:
    """
    Stretches of one gauge that loads can neither reach nor leave.

    A stretch (rail links of one gauge that hang together, over all networks and variants) is at fault when other links
    or sea legs exist, but no handling touches its gauge at its places and no load starts or ends there.
    """
    links, handlings = tables["links"], tables["handlings"]
    demand = ("lanes", "shipments", "orders")
    ends = {place for name in demand for end in ("origin", "destination") for place in tables[name][end]}
    doors = {
        (node, layer)
        for side in ("from_layer", "to_layer")
        for node, layer in zip(handlings["node_id"], handlings[side], strict=True)
    }
    faults = []
    for gauge in RAIL_GAUGES_MM:
        layer = f"rail-{gauge}"
        for stretch in _stretches(links[(links["gauge_mm"] == gauge).to_numpy()]):
            places = sorted({*stretch["from_node"], *stretch["to_node"]})
            elsewhere = len(stretch) < len(links) or len(tables["sea_legs"]) > 0
            if not elsewhere or any(place in ends or (place, layer) in doors for place in places):
                continue
            more = f" and {len(stretch) - 1} more" if len(stretch) > 1 else ""
            where = ", ".join(places[:5]) + (", ..." if len(places) > 5 else "")
            words = f"link '{stretch['link_id'].iloc[0]}'{more} ({gauge} mm) joins the rest of the network nowhere: "
            faults.append(Fault.of_row("links", stretch.index[0], f"{words}no handling to or from {layer} at {where}"))
    return faults


def _stretches(links: pd.DataFrame) -> list[pd.DataFrame]:
    """Links split into groups that hang together (union-find)."""
    root: dict[str, str] = {}

    def find(place: str) -> str:
        while root.setdefault(place, place) != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for one, other in zip(links["from_node"], links["to_node"], strict=True):
        root[find(one)] = find(other)
    return [group for _, group in links.groupby([find(one) for one in links["from_node"]], sort=False)]
