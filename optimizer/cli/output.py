"""What the command prints: tables and figures on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from optimizer.models.family import Table
from optimizer.result import Progress, Result, relative_gap

PIPED_WIDTH = 100
PROGRESS_EVERY_S = 0.5


def console() -> Console:
    """Standard output; 100 columns wide where it is not a terminal."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def _is_number(cell: str) -> bool:
    stripped = cell.strip().lstrip("+-~<>").rstrip("%").replace(",", "").replace(" ", "").replace("–", "")
    return stripped.replace(".", "", 1).isdigit()


def print_table(out: Console, table: Table, at_most: int = 0) -> None:
    """One table, its first ``at_most`` rows (0: all); columns of numbers stand right."""
    rows = table.rows[:at_most] if at_most else table.rows
    drawn = RichTable(
        title=Text(table.title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for at, name in enumerate(table.columns):
        cells = [row[at] for row in rows if row[at].strip() not in ("", "-", "–")]
        numbers = bool(cells) and all(map(_is_number, cells))
        drawn.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    out.print(drawn)
    left = len(table.rows) - len(rows)
    notes = [f"{left:,} more rows; --rows 0 prints all"] if left else []
    notes += [table.note] if table.note else []
    for note in notes:
        out.print(Text(f"  {note}", style="italic"))
    if notes:
        out.print()


def money(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def percent(gap: float | None) -> str:
    if gap is None:
        return "-"
    return f"{100 * gap:.3g} %" if gap >= 1e-7 else "0 %"


def key_line(result: Result) -> str:
    """Status, cost, bound, gap and time in one line."""
    return (
        f"{result.status}  cost {money(result.cost)} USD  bound {money(result.bound)} USD  "
        f"gap {percent(result.gap)}  time {result.runtime_s:.1f} s"
    )


class ProgressLines:
    """Prints progress on standard error, at most two lines a second."""

    def __init__(self) -> None:
        self._last = -PROGRESS_EVERY_S

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < PROGRESS_EVERY_S:
            return
        self._last = now
        cost, bound = progress.cost, progress.bound
        gap = None if cost is None or bound is None else relative_gap(cost, bound)
        line = (
            f"{progress.elapsed_s:8.1f} s  incumbent {money(cost):>16}  bound {money(bound):>16}  gap {percent(gap):>8}"
        )
        click.echo(line, err=True)


@contextlib.contextmanager
def native_output_silenced() -> Iterator[None]:
    """
    Keep notices that solvers write straight to the process's output out of ours, and so ``--json`` clean.

    Python's own streams go on as before, through copies of the descriptors.
    """
    moved: list[tuple[str, int, object]] = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError, AttributeError):
            continue  # no descriptor behind it: nothing to keep apart
        if descriptor not in (1, 2):
            continue
        stream.flush()
        copy = os.fdopen(os.dup(descriptor), "w", encoding=stream.encoding, errors=stream.errors, buffering=1)
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        moved.append((name, descriptor, stream))
        setattr(sys, name, copy)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what C still holds in its buffers must not come out later
        for name, descriptor, stream in moved:
            copy = getattr(sys, name)
            copy.flush()
            os.dup2(copy.fileno(), descriptor)
            setattr(sys, name, stream)
            copy.close()


def print_conflicts(conflicts: Sequence[str]) -> None:
    """What cannot be met, in the planner's words."""
    if not conflicts:
        return
    click.echo("What cannot be met:")
    for conflict in conflicts:
        click.echo(f"  - {conflict}")
