"""One price for every link and border: ties and gaps among the rows of ``tariffs`` and ``borders``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from optimizer.errors import Fault

Tables = Mapping[str, pd.DataFrame]


def check_prices(tables: Tables) -> list[Fault]:
    """
    Faults of rules 2 and 5 of the money chain: for a link, country and form of cargo the most specific line-haul row
    applies, for a border crossing the most specific border row; two of them, or no line-haul row where there is demand,
    is a fault.
    """
    return [*_line_haul(tables), *_borders(tables)]


def _line_haul(tables: Tables) -> Iterator[Fault]:
    tariffs, links, nodes = tables["tariffs"], tables["links"], tables["nodes"]
    rows = [row for row in tariffs.itertuples() if row.kind == "line_haul"]
    named = {link for row in rows for link in row.links}
    forms = sorted({"container" if form == "container" else "bulk" for form in tables["commodities"]["cargo_form"]})
    needed = len(tables["lanes"]) > 0 or len(tables["shipments"]) > 0
    country = dict(zip(nodes["node_id"], nodes["country"], strict=True))
    seen: set[tuple[str, str, str]] = set()
    told: set[tuple[str, ...]] = set()
    for line, link, one, other, mode in _columns(links, "link_id", "from_node", "to_node", "mode"):
        for land in sorted({country.get(one, ""), country.get(other, "")}):
            case = (link if link in named else "", land, mode)
            if case in seen or not land:
                continue
            seen.add(case)
            for form in forms:
                best = _most_specific(
                    [
                        (row, bool(row.links) + bool(row.countries) + bool(row.mode) + bool(row.form))
                        for row in rows
                        if (not row.links or link in row.links)
                        and (not row.countries or land in row.countries)
                        and row.mode in ("", mode)
                        and row.form in ("", form)
                        and (form == "container" or row.unit != "usd_per_feu_km")
                    ]
                )
                where = f"{form} by {mode} in {land}, for example on link '{link}'"
                if not best and needed:
                    words = f"no line_haul tariff matches {where} (links.csv:{line}); expected one"
                    yield Fault("tariffs.csv", words)
                pair = tuple(row.tariff_id for row in best)
                if len(pair) > 1 and pair not in told:
                    told.add(pair)
                    yield _tie("tariffs", best, pair, where)


def _borders(tables: Tables) -> Iterator[Fault]:
    borders, links, nodes = tables["borders"], tables["links"], tables["nodes"]
    country = dict(zip(nodes["node_id"], nodes["country"], strict=True))
    crossings: dict[tuple[Any, ...], str] = {}
    for _, link, one, other, mode in _columns(links, "link_id", "from_node", "to_node", "mode"):
        for left, entered in ((country.get(one), country.get(other)), (country.get(other), country.get(one))):
            if left != entered:
                crossings.setdefault((left, entered, mode), link)
    told: set[tuple[str, ...]] = set()
    rows = list(borders.itertuples())
    for (left, entered, mode), link in crossings.items():
        best = _most_specific(
            [
                (row, bool(row.from_country) + bool(row.to_country) + bool(row.mode))
                for row in rows
                if row.from_country in ("", left) and row.to_country in ("", entered) and row.mode in ("", mode)
            ]
        )
        pair = tuple(row.border_id for row in best)
        if len(pair) > 1 and pair not in told:
            told.add(pair)
            yield _tie("borders", best, pair, f"{left} to {entered} by {mode}, for example on link '{link}'")


def _columns(table: pd.DataFrame, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(table.index, *(table[name] for name in names), strict=True)


def _most_specific(matches: list[tuple[Any, int]]) -> list[Any]:
    most = max((count for _, count in matches), default=0)
    return [row for row, count in matches if count == most]


def _tie(name: str, rows: list[Any], ids: tuple[str, ...], where: str) -> Fault:
    others = " and ".join(f"'{i}' (line {row.Index})" for i, row in zip(ids[:-1], rows[:-1], strict=True))
    words = f"'{ids[-1]}' is as specific as {others} for {where}; expected one most specific row, fill another key"
    return Fault(f"{name}.csv", words, int(rows[-1].Index))
