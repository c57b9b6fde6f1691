"""Parts of the seeded generator; ``optimizer.data.generate`` puts them together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optimizer.data.columns import frame
from optimizer.data.schema import TABLES

SOURCE = "derived: seeded generator"
CONFIDENCE = "invented"


def table(name: str, num_rows: int, /, **columns: Any) -> pd.DataFrame:
    """Typed table of ``num_rows`` rows; a single value (text, number, flag, tuple) stands for all rows."""
    columns = {"source": SOURCE, "confidence": CONFIDENCE} | columns
    whole = {
        column: value if isinstance(value, list | np.ndarray) else [value] * num_rows
        for column, value in columns.items()
    }
    return frame(TABLES[name], whole)


def table_of(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Typed table of a few rows that all name the same columns."""
    return table(name, len(rows), **{column: [row[column] for row in rows] for column in rows[0]} if rows else {})


def names(prefix: str, count: int) -> np.ndarray:
    """``prefix`` with numbers of equal width, so that text order is number order."""
    width = len(str(max(count - 1, 0)))
    return np.array([f"{prefix}{number:0{width}d}" for number in range(count)], dtype=object)
