"""What ``result.json`` and the tables of a plan hold, and how they are written down."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from optimizer.data.schema.kinds import Row
from optimizer.result import Result, Status

SCHEMA_VERSION = 1
PARQUET_ROWS = 200_000
FILE = "result.json"

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Words = Annotated[str, Field(max_length=10_000)]


class TableFile(BaseModel):
    """One table of the plan: its file and how many rows it must have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Words
    rows: Annotated[int, Field(ge=0, strict=True)]


class ProgressEntry(BaseModel):
    """One entry of the run's history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    elapsed_s: Annotated[Number, Field(ge=0)]
    cost: Number | None
    bound: Number | None


class ResultFile(BaseModel):
    """``result.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    family: Words
    status: Status
    cost: Number | None
    bound: Number | None
    gap: Number | None
    runtime_s: Annotated[Number, Field(ge=0)]
    method: Words
    solver: Words
    seed: Annotated[int, Field(ge=0, strict=True)]
    time_limit_s: Number | None
    gap_asked: Annotated[Number, Field(ge=0, lt=1)]
    instance_name: Words
    instance_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scenario: tuple[Words, ...]
    options: dict[str, JsonValue]
    kpis: dict[str, Number | Words]
    conflicts: tuple[Words, ...]
    versions: dict[str, Words]
    tables: dict[str, TableFile]
    instance_path: Words = ""
    progress: Annotated[tuple[ProgressEntry, ...], Field(max_length=10_000)] = ()


def to_json(result: Result) -> str:
    """The content of ``result.json``, with a final line end."""
    tables = result.solution or {}
    content = {
        "schema_version": SCHEMA_VERSION,
        "family": result.family,
        "status": str(result.status),
        "cost": None if result.cost is None else float(result.cost),
        "bound": None if result.bound is None else float(result.bound),
        "gap": result.gap if result.gap is not None and math.isfinite(result.gap) else None,
        "runtime_s": round(result.runtime_s, 3),
        "method": result.method,
        "solver": result.solver,
        "seed": result.seed,
        "time_limit_s": result.time_limit_s,
        "gap_asked": result.gap_asked,
        "instance_name": result.instance_name,
        "instance_hash": result.instance_hash,
        "scenario": list(result.scenario),
        "options": dict(result.options),
        "kpis": {name: _plain(value) for name, value in result.kpis.items()},
        "conflicts": list(result.conflicts),
        "versions": dict(result.versions),
        "tables": {name: {"file": file_of(name, len(table)), "rows": len(table)} for name, table in tables.items()},
        "instance_path": result.instance_path,
        "progress": [
            {"elapsed_s": round(at.elapsed_s, 3), "cost": _number(at.cost), "bound": _number(at.bound)}
            for at in result.progress
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _number(value: float | None) -> float | None:
    """JSON has no infinities: a figure that is not known yet is null."""
    return None if value is None or not math.isfinite(value) else float(value)


def _plain(value: float | str) -> float | str:
    """JSON has neither numpy numbers nor infinities."""
    if isinstance(value, str):
        return value
    number = float(value)
    if not math.isfinite(number):
        return str(number)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def file_of(name: str, rows: int) -> str:
    return f"{name}.parquet" if rows > PARQUET_ROWS else f"{name}.csv"


def plan_columns(model: type[Row]) -> list[str]:
    """Columns of a plan's table: a plan needs no source and confidence for each row."""
    return [name for name in model.model_fields if name not in Row.model_fields]


def cell_text(value: Any) -> str:
    """Text that reads back as the same value; "" for blank."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return ";".join(map(str, value))
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value).removesuffix(".0")
