"""How reports write figures and names; at most 100 columns wide."""

from __future__ import annotations

from dataclasses import replace

from optimizer.models.family import Table

NAME_WIDTH = 34
MOST_ROWS = 200


def rounded(value: float) -> str:
    """Whole numbers from a hundred on, four digits below."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.4g}"


def percent(part: float, whole: float) -> str:
    """Share of a whole; blank where there is none."""
    return f"{100 * part / whole:.1f}" if whole else ""


def short(text: str, width: int = NAME_WIDTH) -> str:
    """A name cut to a width."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def first_rows(table: Table, further: str = "with --out the plan is written in full") -> Table:
    """The first rows of a table too long to read, and where the rest is."""
    left_out = len(table.rows) - MOST_ROWS
    if left_out <= 0:
        return table
    note = f"{left_out:,} further rows left out; {further}"
    return replace(table, rows=table.rows[:MOST_ROWS], note=f"{table.note}; {note}" if table.note else note)
