"""Checks of the rules that wagons keep: returns to the home railway, cleaning, maintenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from optimizer.data.columns import is_blank
from optimizer.errors import Fault, did_you_mean


def wagon_rule_faults(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """Faults of returns, residues and maintenance, in the planner's words."""
    return [*_returns(tables), *_residues(tables), *_maintenance(tables)]


def _rows(tables: Mapping[str, pd.DataFrame], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    table = tables[name]
    yield from zip((int(line) for line in table.index), table.to_dict("records"), strict=True)


def _returns(tables: Mapping[str, pd.DataFrame]) -> Iterator[Fault]:
    for line, wagon in _rows(tables, "wagons"):
        if wagon["return_rule"] != "none" and is_blank(wagon["home_country"]):
            words = f"return_rule is '{wagon['return_rule']}' without home_country, expected the country it returns to"
            yield Fault("wagons.csv", words, line)


def _residues(tables: Mapping[str, pd.DataFrame]) -> Iterator[Fault]:
    """Residues are named by the commodities that leave them."""
    left = sorted({value for value in tables["commodities"]["residue"] if value})
    known = ", ".join(left) or "none, the column residue is empty"

    def unknown(name: str, column: str, line: int, value: str) -> Fault:
        words = f"{column} names '{value}', expected a residue of commodities.csv ({known})"
        return Fault(f"{name}.csv", words + did_you_mean(value, left), line)

    for name, column in (("commodities", "accepts_residues"), ("wagon_works", "residues"), ("fleet", "residue")):
        for line, row in _rows(tables, name):
            for value in [row[column]] if isinstance(row[column], str) else row[column]:
                if value and value not in left:
                    yield unknown(name, column, line, value)
    locomotives = set(tables["locomotives"]["loco_id"])
    for line, stock in _rows(tables, "fleet"):
        if stock["type_id"] in locomotives and stock["residue"]:
            yield Fault("fleet.csv", f"residue is '{stock['residue']}', expected none for a locomotive", line)
    for line, work in _rows(tables, "wagon_works"):
        if work["kind"] == "maintenance" and work["residues"]:
            yield Fault("wagon_works.csv", "residues are named, expected none for a workshop", line)


def _maintenance(tables: Mapping[str, pd.DataFrame]) -> Iterator[Fault]:
    """Wagons start before they are due, and a type that is due somewhere has a workshop."""
    wagons = {row["wagon_id"]: (line, row) for line, row in _rows(tables, "wagons")}
    for line, stock in _rows(tables, "fleet"):
        if stock["type_id"] not in wagons:
            continue
        for unit in ("km", "days"):
            most, run = wagons[stock["type_id"]][1][f"maintenance_{unit}"], stock[f"{unit}_since_maintenance"]
            if not is_blank(most) and run > most:
                words = f"{unit}_since_maintenance is {run:g}, expected at most maintenance_{unit} of "
                yield Fault("fleet.csv", f"{words}'{stock['type_id']}', {most:g}", line)
    shops = [row for _, row in _rows(tables, "wagon_works") if row["kind"] == "maintenance"]
    for wagon_id, (line, wagon) in wagons.items():
        due = [unit for unit in ("km", "days") if not is_blank(wagon[f"maintenance_{unit}"])]
        if due and not any(not shop["wagons"] or wagon_id in shop["wagons"] for shop in shops):
            words = f"maintenance_{due[0]} is set, but wagon_works.csv has no workshop (kind maintenance) for "
            yield Fault("wagons.csv", f"{words}'{wagon_id}'", line)
