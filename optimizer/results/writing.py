"""Result directories are made under a hidden name beside their place and renamed when complete.

A run that is killed may leave that hidden directory, never half a result.
"""

from __future__ import annotations

import csv
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer.data.schema.kinds import Row
from optimizer.errors import UsageError
from optimizer.families import FAMILIES
from optimizer.result import Result
from optimizer.results.content import FILE, cell_text, file_of, plan_columns, to_json

if TYPE_CHECKING:
    import pandas as pd


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
    models = FAMILIES[result.family].solution_tables
    with complete_directory(path) as temporary:
        for name, table in (result.solution or {}).items():
            _write_table(temporary / file_of(name, len(table)), models[name], table)
        (temporary / FILE).write_text(to_json(result), encoding="utf-8", newline="\n")


@contextmanager
def complete_directory(path: Path) -> Iterator[Path]:
    """
    A directory to fill, which takes the place of ``path`` (absolute) when complete; what stands there stays until then.

    Raises
    ------
    UsageError
        The place cannot be written.
    """
    tag = uuid.uuid4().hex[:12]
    temporary, old = path.with_name(f".{path.name}.{tag}"), path.with_name(f".{path.name}.{tag}.old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
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


def _write_table(path: Path, model: type[Row], table: pd.DataFrame) -> None:
    columns = plan_columns(model)
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
        writer.writerows(zip(*([cell_text(value) for value in table[name].tolist()] for name in columns), strict=True))
