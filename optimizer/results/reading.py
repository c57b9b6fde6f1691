"""Result directories are read with distrust: nothing is taken as it stands but everything is typed and complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from optimizer.data.schema.kinds import Row
from optimizer.errors import Fault, InstanceError, ResultError, did_you_mean
from optimizer.families import FAMILIES
from optimizer.result import Progress, Result
from optimizer.results.content import FILE, ResultFile, TableFile, cell_text, plan_columns

if TYPE_CHECKING:
    import pandas as pd

MAX_JSON_BYTES = 50_000_000
MAX_TABLE_BYTES = 2_000_000_000
MAX_SHOWN_FAULTS = 50


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
        rows = _parquet_rows(file, plan_columns(model)) if file.suffix == ".parquet" else file.read_bytes()
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
    cells = [[cell_text(value) for value in names[name]] for name in header]
    return enumerate([header, *(list(row) for row in zip(*cells, strict=True))], start=1)
