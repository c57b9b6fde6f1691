"""Result directories: written whole or not at all, read back with distrust.

A directory holds ``result.json`` and one table per part of the plan: CSV, or Parquet for long ones. It is made under a
hidden name beside its place and renamed when complete; a run that is killed may leave that hidden directory, never half
a result.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from optimizer.api import FAMILIES
from optimizer.errors import Fault, InstanceError, ResultError, UsageError, did_you_mean
from optimizer.result import Progress, Result, Status

if TYPE_CHECKING:
    import pandas as pd

    from optimizer.data.corridor import Instance
    from optimizer.data.schema.kinds import Row
    from optimizer.models.family import Problem

SCHEMA_VERSION = 1
PARQUET_ROWS = 200_000
FILE = "result.json"
MAX_JSON_BYTES = 50_000_000
MAX_TABLE_BYTES = 2_000_000_000
MAX_SHOWN_FAULTS = 50

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


# --- writing ---------------------------------------------------------------------------------------------------------


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
        "tables": {name: {"file": _file_of(name, len(table)), "rows": len(table)} for name, table in tables.items()},
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


def _file_of(name: str, rows: int) -> str:
    return f"{name}.parquet" if rows > PARQUET_ROWS else f"{name}.csv"


def check_target(path: str | Path, force: bool = False) -> None:
    """
    Refuse, before a long run, a place that :func:`write_result` could not write.

    Raises
    ------
    UsageError
        Something stands there that ``force`` does not allow to replace, or the place cannot be written.
    """
    path = Path(path)
    if path.exists():
        if not path.is_dir():
            raise UsageError(f"{path} is a file, expected a directory for the result")
        names = [entry.name for entry in path.iterdir()]
        if names and FILE not in names:
            raise UsageError(f"{path} is a directory with something else than a result in it; nothing was written")
        if names and not force:
            raise UsageError(f"{path} holds a result already; use --force to replace it, or another directory")
    above = path.absolute().parent
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: no permission to write in {above}")


def write_result(result: Result, path: str | Path, force: bool = False) -> None:
    """
    Write a result directory; complete or not at all.

    Parameters
    ----------
    force
        Replace a result that stands there; it stays until the new one is complete.

    Raises
    ------
    UsageError
        The place is taken or cannot be written.
    """
    path = Path(path).absolute()
    check_target(path, force)
    tag = uuid.uuid4().hex[:12]
    temporary, old = path.with_name(f".{path.name}.{tag}"), path.with_name(f".{path.name}.{tag}.old")
    models = FAMILIES[result.family].solution_tables
    try:
        temporary.mkdir(parents=True)
        for name, table in (result.solution or {}).items():
            _write_table(temporary / _file_of(name, len(table)), models[name], table)
        (temporary / FILE).write_text(to_json(result), encoding="utf-8", newline="\n")
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def _plan_columns(model: type[Row]) -> list[str]:
    """Columns of a plan's table: a plan needs no source and confidence for each row."""
    from optimizer.data.schema.kinds import Row

    return [name for name in model.model_fields if name not in Row.model_fields]


def _write_table(path: Path, model: type[Row], table: pd.DataFrame) -> None:
    columns = _plan_columns(model)
    if path.suffix == ".parquet":
        joined = {
            name: [";".join(cell) if isinstance(cell, tuple | list) else cell for cell in table[name]]
            if table[name].dtype == object
            else table[name]
            for name in columns
        }
        type(table)(joined).to_parquet(path, index=False)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*([_cell(value) for value in table[name].tolist()] for name in columns), strict=True))


def _cell(value: Any) -> str:
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


# --- reading ---------------------------------------------------------------------------------------------------------


def read_result(path: str | Path) -> Result:
    """
    Read a result directory; nothing in it is taken on trust but everything is typed and complete.

    Whether the plan keeps the rules and the claims agree with it is for :func:`optimizer.api.verify` to say.

    Raises
    ------
    ResultError
        Something is missing, cut off, or not what a result holds.
    """
    path = Path(path)
    if not path.is_dir():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ResultError(f"{path}: there is no such result directory{did_you_mean(path.name, siblings)}")
    content = _read_json(path)
    if content.family not in FAMILIES:
        near = did_you_mean(content.family, FAMILIES)
        raise ResultError(f"{path / FILE}: family is '{content.family}', expected one of {', '.join(FAMILIES)}{near}")
    models = FAMILIES[content.family].solution_tables
    solution = None
    if content.status.has_plan:
        strays = sorted(set(content.tables) - set(models))
        if strays:
            raise ResultError(f"{path / FILE}: tables names {', '.join(strays)}, expected {', '.join(models)}")
        solution = {name: _read_table(path, models[name], name, file) for name, file in content.tables.items()}
    fields = content.model_dump(exclude={"schema_version", "gap", "tables", "progress"})
    progress = tuple(Progress(at.cost, at.bound, at.elapsed_s) for at in content.progress)
    return Result(**fields, solution=solution, claimed_gap=content.gap, progress=progress)


def open_result(path: str | Path, instance: str | Path | None = None) -> tuple[Result, Problem]:
    """
    A stored result and the problem it answers.

    Parameters
    ----------
    instance
        The instance; by default the place that the result names.

    Raises
    ------
    ResultError
        As :func:`read_result` and :func:`problem_of`, and when no instance is where the result says.
    """
    from optimizer.data.reading import read_instance

    result = read_result(path)
    if instance is None:
        if not result.instance_path:
            raise ResultError(f"{Path(path) / FILE} does not say where its instance is; name it with --instance")
        if not Path(result.instance_path).exists():
            raise ResultError(
                f"{Path(path) / FILE}: its instance {result.instance_path} is not there any more; "
                "name another place with --instance"
            )
        instance = result.instance_path
    return result, problem_of(result, read_instance(instance))


def problem_of(result: Result, instance: Instance) -> Problem:
    """
    The problem a stored result answers, made anew from the instance.

    Raises
    ------
    ResultError
        The result is of another instance, or its options are not the family's.
    """
    from optimizer.data.scenario import apply_scenario

    if result.instance_hash != instance.hash:
        raise ResultError(
            f"the result is of another instance: it was made from '{result.instance_name}' with hash "
            f"{result.instance_hash[:12]}, {instance.path} has hash {instance.hash[:12]}; "
            "a changed cell changes the hash: solve again"
        )
    corridor = apply_scenario(instance, list(result.scenario))
    try:
        problem: Problem = FAMILIES[result.family].problem(corridor, **result.options)
    except TypeError as error:
        raise ResultError(
            f"{FILE}: options {dict(result.options)} are not those of {result.family}: {error}"
        ) from error
    return problem


def _read_json(path: Path) -> ResultFile:
    file = path / FILE
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise ResultError(f"{file} has {file.stat().st_size:,} bytes, expected at most {MAX_JSON_BYTES:,}")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ResultError(f"{file} is missing; {path} is not a result directory or not a complete one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(f"{file} cannot be read: {error}") from error
    try:
        return ResultFile.model_validate_json(text)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False)
        lines = [f"{file}: {len(errors)} fault{'s' if len(errors) != 1 else ''}"]
        for fault in errors[:MAX_SHOWN_FAULTS]:
            key = ".".join(map(str, fault["loc"])) or "the file"
            shown = "" if isinstance(fault["input"], dict | list) or not fault["loc"] else f" is {fault['input']!r:.80}"
            lines.append(f"  {key}{shown}: {fault['msg']}")
        raise ResultError("\n".join(lines)) from failure


def _read_table(path: Path, model: type[Row], name: str, entry: TableFile) -> pd.DataFrame:
    from optimizer.data.rows import parse_table

    file = path / entry.file
    # The name comes from the file: it must not lead elsewhere.
    if entry.file not in (f"{name}.csv", f"{name}.parquet"):
        raise ResultError(f"{path / FILE}: tables.{name}.file is '{entry.file}', expected {name}.csv or {name}.parquet")
    try:
        if file.stat().st_size > MAX_TABLE_BYTES:
            raise ResultError(f"{file} has {file.stat().st_size:,} bytes, expected at most {MAX_TABLE_BYTES:,}")
        rows = _parquet_rows(file, _plan_columns(model)) if file.suffix == ".parquet" else file.read_bytes()
        table, faults = parse_table(name, model, rows)
    except FileNotFoundError as error:
        raise ResultError(f"{file} is missing; the result is not complete") from error
    except OSError as error:
        raise ResultError(f"{file} cannot be read: {error.strerror or error}") from error
    if faults:
        raise ResultError(str(InstanceError(str(path), _shown(faults))))
    if len(table) != entry.rows:
        raise ResultError(f"{file} has {len(table)} rows, expected {entry.rows}; the file is cut off or was changed")
    return table


def _shown(faults: Sequence[Fault]) -> list[Fault]:
    rest = len(faults) - MAX_SHOWN_FAULTS
    return [*faults[:MAX_SHOWN_FAULTS], *([Fault(faults[-1].file, f"and {rest} more faults")] if rest > 0 else [])]


def _parquet_rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise ResultError(f"{file} cannot be read as Parquet: {error}") from error
    names: Mapping[str, list[Any]] = {name: table.column(name).to_pylist() for name in table.column_names}
    header = list(names)
    cells = [[_cell(value) for value in names[name]] for name in header]
    return enumerate([header, *(list(row) for row in zip(*cells, strict=True))], start=1)
