"""Reading the collected facts, and the small steps that every table needs.

A fact keeps its ``source`` and ``confidence``. What we add carries a source text that starts with ``derived``
(arithmetic on facts) or ``estimate`` (a planning value of ours), so that nobody takes it for a published figure.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Fact = Mapping[str, str]
Row = dict[str, Any]


class Facts:
    """The CSV files of the facts folder, every cell as text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, name: str) -> list[dict[str, str]]:
        """Rows of ``name.csv`` in file order."""
        with (self.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def by_id(self, name: str) -> dict[str, dict[str, str]]:
        """Rows of ``name.csv`` by their first column."""
        rows = self.rows(name)
        key = next(iter(rows[0]))
        return {row[key]: row for row in rows}


def number(fact: Fact, column: str, factor: float = 1.0) -> float | None:
    """The number in a cell times ``factor``, or None where the cell is blank."""
    text = fact[column].strip()
    return round(float(text) * factor, 6) if text else None


def band(fact: Fact, column: str, name: str, factor: float = 1.0) -> Row:
    """``name``, ``name_low`` and ``name_high`` from ``column`` and its two band columns."""
    ends = {f"{name}{end}": number(fact, f"{column}{end}", factor) for end in ("_low", "_high")}
    return {name: number(fact, column, factor), **ends}


def spread(value: float, low_factor: float, high_factor: float, name: str) -> Row:
    """A value of ours with its band."""
    return {
        name: round(value, 4),
        f"{name}_low": round(value * low_factor, 4),
        f"{name}_high": round(value * high_factor, 4),
    }


def origin(fact: Fact, *remarks: str, **overrides: str) -> Row:
    """``source``, ``confidence`` and ``notes`` of a fact, with further remarks at the end of the notes."""
    notes = [fact.get("notes", ""), *remarks]
    taken = {"source": fact["source"], "confidence": fact["confidence"]}
    return {**taken, "notes": "; ".join(note for note in notes if note), **overrides}


def derived(source: str, notes: str = "") -> Row:
    """Marks a row as arithmetic on facts."""
    return {"source": f"derived: {source}", "confidence": "derived", "notes": notes}


def estimated(source: str, notes: str = "") -> Row:
    """Marks a row as a planning value of ours."""
    return {"source": f"estimate: {source}", "confidence": "estimated", "notes": notes}
