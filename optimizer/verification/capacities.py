"""Capacities that routes share: links by direction, handlings, ports in tonnes and TEU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction

from optimizer.verification.money_chain import Book
from optimizer.verification.numbers import exact, given

MILLION = 1_000_000


@dataclass(frozen=True)
class Capacity:
    """A limit ``a_year`` on what uses some assets, in one direction where ``from_node`` is named."""

    name: str
    a_year: Fraction
    unit: str
    kind: str
    assets: Collection[str]
    from_node: str | None = None

    def counts(self, kind: str, asset: str, from_node: str) -> bool:
        """Whether what leaves a place on an asset uses this capacity."""
        return kind == self.kind and asset in self.assets and self.from_node in (None, from_node)


def capacities(book: Book, working_days: Fraction) -> Iterator[Capacity]:
    """Every capacity of the rows in force; handlings work so many days a year."""
    for row in book.rows("links"):
        if given(row["capacity_mt_per_year"]):
            limit = exact(row["capacity_mt_per_year"]) * MILLION
            for end in (row["from_node"], row["to_node"]):
                yield Capacity(f"link {row['link_id']} from {end}", limit, "t", "link", (row["link_id"],), end)
    quays: dict[str, set[str]] = defaultdict(set)
    for row in book.rows("handlings"):
        if row["technology"] == "quay":
            quays[row["node_id"]].add(row["handling_id"])
        if given(row["capacity_t_per_day"]):
            limit = exact(row["capacity_t_per_day"]) * working_days
            yield Capacity(f"handling {row['handling_id']}", limit, "t", "handling", (row["handling_id"],))
    for row in book.rows("ports"):
        for unit, column, units in (("t", "mt", MILLION), ("TEU", "teu", 1)):
            if given(row[f"capacity_{column}_per_year"]):
                free = exact(row[f"capacity_{column}_per_year"]) - exact(row[f"background_{column}_per_year"])
                limit = max(free, Fraction(0)) * units
                yield Capacity(f"port {row['node_id']} {unit}", limit, unit, "handling", quays[row["node_id"]])
