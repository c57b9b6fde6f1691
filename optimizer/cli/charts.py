"""Charts as files: SVG, PNG, or a page of HTML that needs nothing else."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer.cli.arguments import check_free
from optimizer.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".html")


def check_chart(name: str, force: bool) -> None:
    """Refuse a name that says no kind of chart, or that stands already."""
    if Path(name).suffix.lower() not in SUFFIXES:
        raise UsageError(f"chart {name}: expected a name that ends in {', '.join(SUFFIXES)}")
    check_free(name, force)


def write_chart(figure: Figure, path: Path, title: str) -> None:
    """Write a figure in the kind that the name of the file says; equal figures give equal files."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    suffix = path.suffix.lower()
    with rc_context({"svg.hashsalt": "corridor"}):
        if suffix == ".png":
            figure.savefig(buffer, format="png", dpi=130)
        else:
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = buffer.getvalue()
    if suffix == ".html":
        svg = drawing[drawing.index(b"<svg") :]
        head = f"<!DOCTYPE html>\n<html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>\n"
        drawing = head.encode() + svg + b"</html>\n"
    path.write_bytes(drawing)
