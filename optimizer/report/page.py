"""What a page is made of, and how it becomes one HTML file that needs nothing else.

Sections say *what* is shown: key figures, tables and figures. A figure is data of a kind that ``assets/report.js``
draws; behind each stands the same as a table. All text goes through templates that escape it, and data stands in the
page as JSON in which no tag can begin, so that a name from an instance is never more than text.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from optimizer.errors import UsageError

ASSETS = Path(__file__).resolve().parent / "assets"
MOST_ROWS = 200

Cell = str | float | int | None


@dataclass(frozen=True)
class DataTable:
    """A table; numbers stand right and are grouped in thousands. Rows beyond ``MOST_ROWS`` are cut, with a note."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def shown(self) -> Sequence[Sequence[Cell]]:
        return self.rows[:MOST_ROWS]

    @property
    def notes(self) -> str:
        cut = len(self.rows) - MOST_ROWS
        words = f"the first {MOST_ROWS} of {len(self.rows):,} rows" if cut > 0 else ""
        return "; ".join(part for part in (words, self.note) if part)

    @property
    def numeric(self) -> list[bool]:
        """Columns in which every filled cell is a number."""
        columns = [[row[at] for row in self.rows if row[at] not in (None, "")] for at in range(len(self.columns))]
        return [bool(cells) and not any(isinstance(cell, str) for cell in cells) for cells in columns]


@dataclass(frozen=True)
class Figure:
    """
    A chart or map.

    Attributes
    ----------
    kind
        A drawing function of ``assets/report.js``.
    data
        What it draws; JSON-ready (numpy numbers too).
    alt
        What a reader who does not see it should know: what is shown, and the main finding.
    table
        The same in figures.
    """

    kind: str
    title: str
    data: Mapping[str, Any]
    alt: str
    table: DataTable | None = None
    note: str = ""
    height_px: int = 340


@dataclass(frozen=True)
class KeyFigure:
    """A figure with its unit, one value for each result; ``name`` is its key in ``result.json``."""

    name: str
    label: str
    unit: str
    values: Sequence[Cell]


@dataclass(frozen=True)
class KeyFigures:
    """Figures side by side; ``labels`` name the results."""

    labels: Sequence[str]
    figures: Sequence[KeyFigure]


@dataclass(frozen=True)
class Notice:
    """A sentence that must not be missed: ``good``, ``caution`` or ``bad``."""

    tone: str
    text: str


Block = str | Notice | KeyFigures | DataTable | Figure


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    folded: bool = False


@dataclass(frozen=True)
class Chapter:
    """What belongs to one family."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Page:
    title: str
    subtitle: str
    chapters: Sequence[Chapter]
    colophon: Sequence[str] = field(default_factory=tuple)


def number(value: Cell, digits: int = 3) -> str:
    """Text of a number: thousands grouped, ``digits`` significant ones below a thousand."""
    if value is None or isinstance(value, str):
        return value or ""
    if not math.isfinite(value):
        return "–"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def render(page: Page) -> str:
    """The page as HTML."""
    numbered = [
        (f"c{c}s{s}b{b}", block)
        for c, chapter in enumerate(page.chapters)
        for s, section in enumerate(chapter.sections)
        for b, block in enumerate(section.blocks)
    ]
    data = {
        "figures": {
            name: {"kind": block.kind, "data": block.data, "title": block.title}
            for name, block in numbered
            if isinstance(block, Figure)
        }
    }
    maps = any(figure["kind"] == "map" for figure in data["figures"].values())
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            data=safe_json(data),
            basemap=Markup(basemap_text()) if maps else Markup("null"),  # our own file
            style=_asset("report.css"),
            script=_asset("report.js"),
            library=_asset("echarts.min.js"),
        )
    )


def write_page(page: Page, path: str | Path, force: bool = True) -> int:
    """
    Write the page; complete or not at all.

    Returns
    -------
    Bytes written.

    Raises
    ------
    UsageError
        A place that cannot be written.
    """
    path = check_page_path(path, force)
    content = render(page).encode("utf-8")
    write_whole(path, content)
    return len(content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a hidden name beside its place, then rename it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_page_path(path: str | Path, force: bool, suffix: str = ".html") -> Path:
    """The path, or UsageError before any work is done for a place that cannot be written."""
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise UsageError(f"'{path.name}' does not end in {suffix}")
    if path.is_dir():
        raise UsageError(f"{path} is a directory, expected a file name")
    if path.exists() and not force:
        raise UsageError(f"{path} exists already; use --force to replace it, or another name")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no directory {path.parent}")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: no permission to write in {path.absolute().parent}")
    return path


def safe_json(content: Any) -> Markup:
    """JSON for a script element: no tag, comment or line separator can begin in it."""
    text = json.dumps(_plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # escaped by hand just above


def _plain(content: Any) -> Any:
    """Without numpy types, tuples and numbers that JSON lacks; floats to nine digits."""
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, np.ndarray):
        return _plain(content.tolist())
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, np.generic):
        return _plain(content.item())
    if isinstance(content, float):
        if not math.isfinite(content):
            return None
        return int(content) if content.is_integer() and abs(content) < 1e15 else float(f"{content:.9g}")
    return content


@cache
def basemap_text() -> str:
    """Countries as GeoJSON text; where it comes from stands in ``assets/README.md``."""
    return (ASSETS / "basemap.json").read_text(encoding="utf-8")


@cache
def _asset(name: str) -> Markup:
    text = (ASSETS / name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "<!--" in text:
        raise AssertionError(f"{name} would end the script element it stands in")
    return Markup(text)  # our own file


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.tests["figure"] = lambda block: isinstance(block, Figure)
    environment.tests["table"] = lambda block: isinstance(block, DataTable)
    environment.tests["keyfigures"] = lambda block: isinstance(block, KeyFigures)
    environment.tests["notice"] = lambda block: isinstance(block, Notice)
    return environment
