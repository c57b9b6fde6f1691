"""Reading an instance: open the container, parse every file, check the whole, and only then return."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from optimizer.data import containers, validation
from optimizer.data.columns import columns_of, frame
from optimizer.data.corridor import Instance
from optimizer.data.rows import Parsed, decode, parse_rows
from optimizer.data.scenario import check_scenarios
from optimizer.data.schema import REQUIRED_TABLES, TABLES
from optimizer.data.schema.kinds import SCHEMA_VERSION
from optimizer.data.schema.settings import Config, Scenario
from optimizer.errors import Fault, InstanceError, did_you_mean

_Model = TypeVar("_Model", bound=BaseModel)


def read_instance(path: str | Path) -> Instance:
    """
    Read an instance from a directory, a ``.zip`` or a ``.xlsx``.

    Returns
    -------
    Instance
        Every table of the schema, typed; absent ones are empty.

    Raises
    ------
    InstanceError
        With every fault found; nothing of a faulty instance is returned.
    """
    path = Path(path)
    files = _open(path)
    if not files.opened:
        raise InstanceError(str(path), files.faults)
    faults = list(files.faults)
    parsed = {name: parse_rows(name, TABLES[name], source) for name, source in files.tables.items()}
    for name, table in parsed.items():
        faults += table.faults
        table.complete &= name not in files.unread
    config, config_text = _config(files.tomls, faults)
    texts, scenarios = _scenarios(files.tomls, faults)
    tables = {name: parsed[name].frame if name in parsed else empty_table(name) for name in TABLES}
    for name in REQUIRED_TABLES:
        if name not in parsed and name not in files.unread:
            faults.append(Fault(f"{name}.csv", "is missing, expected this table in every instance"))
        elif name in parsed and parsed[name].complete and not parsed[name].rejected and not len(tables[name]):
            faults.append(Fault(f"{name}.csv", "has a header but no rows, expected at least one"))
    known = _known(parsed) | dict.fromkeys(files.unread - set(parsed))
    known |= dict.fromkeys(name for name in REQUIRED_TABLES if not known[name])  # said above, once
    faults += validation.check_tables(tables, known, config, faulty={fault.file for fault in faults})
    if config is not None:
        sound = not any(fault.file.endswith(".csv") for fault in faults)
        faults += check_scenarios(tables, known, config, scenarios, sound)
    if faults:
        raise InstanceError(str(path), _in_order(_named_for(path, faults)))
    assert config is not None
    digest = instance_hash(config, tables, texts)
    return Instance(str(path), config, tables, scenarios, texts, digest, config_text)


def make_instance(
    config: Config, tables: Mapping[str, pd.DataFrame], scenario_texts: Mapping[str, str] | None = None, path: str = ""
) -> Instance:
    """Instance from typed tables in memory (see :func:`optimizer.data.columns.frame`); absent tables are empty."""
    texts = dict(scenario_texts or {})
    scenarios = {name: Scenario.model_validate(tomllib.loads(text)) for name, text in texts.items()}
    complete = {name: tables[name] if name in tables else empty_table(name) for name in TABLES}
    return Instance(path, config, complete, scenarios, texts, instance_hash(config, complete, texts))


def empty_table(name: str) -> pd.DataFrame:
    return frame(TABLES[name], {})


def instance_hash(config: Config, tables: Mapping[str, pd.DataFrame], scenario_texts: Mapping[str, str]) -> str:
    """
    SHA-256 of what an instance says, whatever its container and the order of its columns.

    Settings and scenario texts as they are, then for each table with rows its columns by name: numbers as little-endian
    binary, texts with their length. The order of rows counts.
    """
    digest = hashlib.sha256(config.model_dump_json().encode())
    for name in sorted(scenario_texts):
        _feed(digest, name, scenario_texts[name].rstrip("\n").encode())
    for name in sorted(TABLES):
        table = tables[name]
        if not len(table):
            continue
        _feed(digest, name, str(len(table)).encode())
        for column in sorted(columns_of(TABLES[name]).values(), key=lambda column: column.name):
            if column.kind in ("text", "list"):
                cells = (
                    [";".join(v) for v in table[column.name]] if column.kind == "list" else table[column.name].tolist()
                )
                joined = "".join(f"{len(cell)}:{cell}" for cell in cells)
                _feed(digest, column.name, joined.encode())
            else:
                values = table[column.name].to_numpy(dtype=column.dtype)
                if values.dtype == np.float64:
                    values = np.where(np.isnan(values), np.nan, values)  # one bit pattern for blank
                _feed(digest, column.name, values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _feed(digest: Any, name: str, data: bytes) -> None:
    digest.update(f"\n{name} {len(data)}\n".encode())
    digest.update(data)


def _open(path: Path) -> containers.Files:
    if path.is_dir():
        files = containers.open_directory(path)
        if not files.tables and containers.CONFIG not in files.tomls and not files.faults:
            _refuse(path, f"is not an instance: a directory without {containers.CONFIG} and tables such as nodes.csv")
        return files
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        _refuse(path, f"there is no such file or directory{did_you_mean(path.name, siblings)}")
    if not path.is_file():
        _refuse(path, "is not a regular file or directory")
    size = path.stat().st_size
    if path.suffix.lower() not in (".zip", ".xlsx"):
        _refuse(path, "is not an instance, expected a directory, a .zip or a .xlsx")
    if size > containers.MAX_TOTAL_BYTES:
        _refuse(path, f"has {size:,} bytes, expected at most {containers.MAX_TOTAL_BYTES:,}")
    opener = containers.open_zip if path.suffix.lower() == ".zip" else containers.open_workbook
    return opener(path)


def _refuse(path: Path, message: str) -> None:
    raise InstanceError(str(path), [Fault(path.name, message)])


def _known(parsed: Mapping[str, Parsed]) -> dict[str, set[str] | None]:
    """Ids that exist in each table, rows with faults included; None where not every row could be read."""
    known: dict[str, set[str] | None] = {name: set() for name in TABLES}
    for name, table in parsed.items():
        key = next(iter(columns_of(TABLES[name])))
        ids = set(table.frame[key]) | {row[key] for row in table.rejected if key in row}
        blind = not table.complete or any(key not in row for row in table.rejected)
        known[name] = None if blind else ids
    return known


def _config(tomls: Mapping[str, bytes], faults: list[Fault]) -> tuple[Config | None, str]:
    if containers.CONFIG not in tomls:
        needed = f"name, schema_version = {SCHEMA_VERSION}, base_year and source"
        faults.append(Fault(containers.CONFIG, f"is missing, expected this file with {needed}"))
        return None, ""
    return _model(Config, containers.CONFIG, tomls[containers.CONFIG], faults)


def _scenarios(tomls: Mapping[str, bytes], faults: list[Fault]) -> tuple[dict[str, str], dict[str, Scenario]]:
    texts: dict[str, str] = {}
    scenarios: dict[str, Scenario] = {}
    for file in sorted(tomls):
        if file == containers.CONFIG:
            continue
        name = PurePosixPath(file).stem
        if name == "base" or "," in name or name != name.strip():
            faults.append(
                Fault(
                    file, f"the name {name!r} cannot be used; 'base' and names with commas have a meaning of their own"
                )
            )
        scenario, text = _model(Scenario, file, tomls[file], faults)
        if scenario is not None:
            scenarios[name], texts[name] = scenario, text
    return texts, scenarios


def _model(model: type[_Model], file: str, data: bytes, faults: list[Fault]) -> tuple[_Model | None, str]:
    text, readable = decode(file, data, faults)
    if not readable:
        return None, text
    if not text.endswith("\n"):
        text += "\n"
    try:
        return model.model_validate(tomllib.loads(text)), text
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            faults.append(Fault(file, _toml_words(model, error)))
    except (ValueError, RecursionError) as error:
        faults.append(Fault(file, f"is not valid TOML ({error})"))
    return None, text


def _toml_words(model: type[BaseModel], error: Any) -> str:
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}{did_you_mean(key, _keys(model))}"
    if error["type"] == "missing":
        return f"key {key} is missing"
    words = error["msg"][0].lower() + error["msg"][1:]
    return f"{key} is {error['input']!r}, expected: {words.removeprefix('input should be ')}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterable[str]:
    for name, info in model.model_fields.items():
        yield prefix + name
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _keys(info.annotation, f"{prefix}{name}.")


def _named_for(path: Path, faults: list[Fault]) -> list[Fault]:
    if path.suffix.lower() != ".xlsx" or path.is_dir():
        return faults
    return [Fault(f"sheet {f.file[:-4]}" if f.file.endswith(".csv") else f.file, f.message, f.line) for f in faults]


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.file, fault.line is None, fault.line or 0))
