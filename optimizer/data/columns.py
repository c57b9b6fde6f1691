"""What a row model says about its columns: type, bounds, default and the words a planner reads."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel

from optimizer.data.schema.kinds import Row

_PATTERNS = {
    r"^[A-Z]{2}$": "a country code of two capital letters such as KZ",
    r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$": "an id of letters, digits, '_', '.' and '-'",
    r"^([A-Za-z0-9][A-Za-z0-9_.\-]*)?$": "an id of letters, digits, '_', '.' and '-', or nothing",
    r"^\d{1,2}(\.\d+)?-\d{1,2}(\.\d+)?$": "hours of the day such as 6-14;16-24",
    r"^\d{1,5}(\.\d+)?-\d{1,5}(\.\d+)?$": "hours of the horizon such as 30-34.5;50-52",
}


def is_blank(value: Any) -> bool:
    """Whether an optional cell is empty."""
    return value is None or value == "" or value != value


@dataclass(frozen=True)
class Column:
    """One column of a table, read off its row model.

    Attributes
    ----------
    kind
        text, int, float, flag or list.
    required
        Whether every row needs a value.
    nullable
        Whether blank means "none" (NaN for numbers, "" for text).
    default
        Value of a blank cell, as it stands in a DataFrame.
    choices
        The only values allowed; empty when any value within the bounds is.
    references
        Tables (``a|b``) whose ids the values must be; empty when free.
    """

    name: str
    kind: Literal["text", "int", "float", "flag", "list"]
    required: bool
    nullable: bool
    default: Any
    choices: tuple[Any, ...]
    minimum: float | None
    above: float | None
    maximum: float | None
    expected: str
    references: str
    description: str

    @property
    def dtype(self) -> Any:
        if self.kind == "int":
            return np.float64 if self.nullable else np.int64
        return {"float": np.float64, "flag": np.bool_}.get(self.kind, np.object_)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which numbers of an array break the bounds; blank (NaN) is allowed where the column is nullable."""
        bad = np.isinf(values) | (np.isnan(values) & (not self.nullable))
        if self.minimum is not None:
            bad |= values < self.minimum
        if self.above is not None:
            bad |= values <= self.above
        if self.maximum is not None:
            bad |= values > self.maximum
        return bad


@cache
def columns_of(model: type[BaseModel]) -> Mapping[str, Column]:
    """Columns of a row model in file order: its own first, then those every table has."""
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    shared = [name for name in Row.model_fields if name in schema["properties"]]
    names = [name for name in schema["properties"] if name not in shared] + shared
    return {name: _column(name, schema["properties"][name], name in required) for name in names}


def _column(name: str, spec: Mapping[str, Any], required: bool) -> Column:
    options = [part for part in spec.get("anyOf", ()) if part.get("type") != "null"]
    core = options[0] if options else spec
    nullable = "anyOf" in spec
    choices = tuple(core["enum"]) if "enum" in core else (core["const"],) if "const" in core else ()
    kinds: Mapping[str, Literal["text", "int", "float", "flag", "list"]]
    kinds = {"string": "text", "integer": "int", "number": "float", "boolean": "flag", "array": "list"}
    kind = kinds[core.get("type", "integer" if choices and isinstance(choices[0], int) else "string")]
    default = spec.get("default")
    if kind == "list":
        default = tuple(default or ())
    elif default is None:
        default = "" if kind == "text" else float("nan")
    return Column(
        name=name,
        kind=kind,
        required=required,
        nullable=nullable,
        default=default,
        choices=choices,
        minimum=core.get("minimum"),
        above=core.get("exclusiveMinimum"),
        maximum=core.get("maximum"),
        expected=_expected(kind, core, choices),
        references=spec.get("references") or "",
        description=spec.get("description", ""),
    )


def _expected(kind: str, core: Mapping[str, Any], choices: tuple[Any, ...]) -> str:
    if choices:
        return ("one of " if len(choices) > 1 else "") + ", ".join(map(str, choices))
    if kind == "flag":
        return "1 or 0"
    if kind in ("int", "float"):
        number = "a whole number" if kind == "int" else "a number"
        low, above, high = core.get("minimum"), core.get("exclusiveMinimum"), core.get("maximum")
        if high is not None and low is not None:
            return f"{number} from {low:g} to {high:g}"
        if high is not None and above is not None:
            return f"{number} > {above:g} and <= {high:g}"
        return f"{number} >= {low:g}" if low is not None else f"{number} > {above:g}" if above is not None else number
    text = core.get("items", {}) if kind == "list" else core
    words = _PATTERNS.get(text.get("pattern", ""))
    if words is None and text.get("pattern"):
        words = f"text matching {text['pattern']}"
    if kind == "list":
        return words or f"names of at most {text.get('maxLength', 200)} characters, separated by ';'"
    if words is None:
        return f"text of at most {text['maxLength']} characters" if "maxLength" in text else "text"
    return f"{words}, at most {text['maxLength']} characters" if "maxLength" in text else words


def frame(model: type[BaseModel], values: Mapping[str, Any], lines: Any = None) -> pd.DataFrame:
    """
    DataFrame with the columns and dtypes of a row model.

    Parameters
    ----------
    values
        Column -> values in row order; ``None`` stands for blank. Columns left out take their default.
    lines
        Line of each row in its file; 2, 3, ... when left out.
    """
    columns = columns_of(model)
    count = len(next(iter(values.values()))) if values else 0
    index = pd.Index(np.arange(2, count + 2) if lines is None else np.asarray(lines, dtype=np.int64), name="line")
    data = {  # a Series keeps its dtype; from bare arrays pandas would infer its own text type
        name: pd.Series(_array(column, values.get(name), count), index=index, dtype=column.dtype, copy=False)
        for name, column in columns.items()
    }
    return pd.DataFrame(data, index=index, copy=False)


def _array(column: Column, values: Any, count: int) -> np.ndarray:
    if column.kind in ("text", "list"):
        cells = itertools.repeat(None, count) if values is None else values
        filled = (column.default if value is None else value for value in cells)
        return np.fromiter(filled, dtype=object, count=count)
    if values is None:
        return np.full(count, column.default, dtype=column.dtype)
    array = np.array([column.default if value is None else value for value in values], dtype=column.dtype)
    return array + 0.0 if array.dtype == np.float64 else array  # + 0.0 makes one zero of -0.0 and 0.0
