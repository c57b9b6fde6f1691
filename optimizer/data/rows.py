"""From the cells of one table to a typed DataFrame, with every fault in the planner's words."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import pandas as pd
from pydantic import BaseModel, TypeAdapter, ValidationError

from optimizer.data.columns import Column, columns_of, frame
from optimizer.errors import Fault, did_you_mean

MAX_FAULTS = 1000  # per table; a file of garbage has millions
_LARGEST_WHOLE = 2**53  # beyond it, floats (and so spreadsheets) no longer hold every whole number
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))

Numbered = tuple[int, Sequence[str]]
"""Line of a row in its file, and its cells."""


@dataclass
class Parsed:
    """A table as far as it could be read.

    Attributes
    ----------
    rejected
        Cells of rows with faults: their ids exist all the same, so that one fault does not cause others.
    complete
        Whether every row was seen; False after a fault of the whole file.
    """

    frame: pd.DataFrame
    faults: list[Fault] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    complete: bool = True


def parse_table(
    name: str, model: type[BaseModel], source: bytes | str | Iterable[Numbered]
) -> tuple[pd.DataFrame, list[Fault]]:
    """
    Read one table through its row model.

    Parameters
    ----------
    name
        Table name; faults name the file ``<name>.csv``.
    model
        Row model; blank cells take its defaults.
    source
        CSV text (or its UTF-8 bytes), or numbered rows of cells, the header first.

    Returns
    -------
    DataFrame
        Rows without a fault, columns and dtypes of the model, index ``line``.
    list of Fault
        Everything wrong with the table, in line order.
    """
    parsed = parse_rows(name, model, source)
    return parsed.frame, parsed.faults


def parse_rows(name: str, model: type[BaseModel], source: bytes | str | Iterable[Numbered]) -> Parsed:
    """As :func:`parse_table`, with what is known of the rows left out."""
    parsed = Parsed(frame(model, {}))
    file = f"{name}.csv"
    if isinstance(source, bytes):
        source, parsed.complete = decode(file, source, parsed.faults)
    if parsed.complete:
        rows = _csv_rows(file, source, parsed) if isinstance(source, str) else iter(source)
        _typed(file, model, rows, parsed)
    parsed.faults.sort(key=lambda fault: fault.line or 0)
    parsed.faults = limited(file, parsed.faults)
    return parsed


def limited(file: str, faults: list[Fault]) -> list[Fault]:
    """The first faults of a file and, where there are far too many to read, how many more there are."""
    if len(faults) <= MAX_FAULTS:
        return faults
    return [*faults[:MAX_FAULTS], Fault(file, f"and {len(faults) - MAX_FAULTS} more faults in this file")]


def decode(file: str, data: bytes, faults: list[Fault]) -> tuple[str, bool]:
    """UTF-8 text with ``\\n`` line ends; and whether it is text at all."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            faults.append(Fault(file, f"is {encoding} text, expected UTF-8; save the file again as UTF-8", 1))
            return "", False
    if data.startswith(b"\xef\xbb\xbf"):
        message = "starts with a byte order mark (BOM), expected plain UTF-8; save the file as UTF-8 without BOM"
        faults.append(Fault(file, message, 1))
        data = data[3:]
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        faults.append(Fault(file, f"has a NUL byte at offset {nul}, expected text; this is not a text file", line))
        return "", False
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        message = f"has {found}, expected UTF-8 text; save the file again as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
        faults.append(Fault(file, message, line))
        return "", False
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for odd in itertools.islice(CONTROL.finditer(text), 20):
        line = text.count("\n", 0, odd.start()) + 1
        faults.append(Fault(file, f"has the control character U+{ord(odd.group()):04X}, expected text", line))
    return text, True


def _csv_rows(file: str, text: str, parsed: Parsed) -> Iterator[Numbered]:
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1  # a quoted cell may run over several lines: name the first
    except csv.Error as error:
        message = f"cannot be read as CSV from here on ({error}); expected cells with commas or quotes to be quoted"
        parsed.faults.append(Fault(file, message, line))
        parsed.complete = False


def _typed(file: str, model: type[BaseModel], rows: Iterator[Numbered], parsed: Parsed) -> None:
    columns = columns_of(model)
    header = next(((line, cells) for line, cells in rows if any(map(str.strip, cells))), None)
    if header is None:
        if not parsed.faults:
            needed = ", ".join(_required(columns))
            parsed.faults.append(Fault(file, f"is empty, expected a header with the columns {needed}", 1))
        parsed.complete = False
        return
    line, names = header[0], [cell.strip() for cell in header[1]]
    if not _check_header(file, line, names, columns, parsed.faults):
        parsed.complete = False
        return
    keep = [name if name in columns and names.index(name) == at else None for at, name in enumerate(names)]
    lines: list[int] = []
    records: list[dict[str, str]] = []
    for line, cells in rows:
        record = {name: value for name, cell in zip(keep, cells, strict=False) if name and (value := cell.strip())}
        if len(cells) != len(names) and any(map(str.strip, cells)):
            parsed.faults.append(Fault(file, f"has {len(cells)} cells, expected {len(names)} as in the header", line))
            parsed.rejected.append(record)
        elif record:
            lines.append(line)
            records.append(record)
    _validate(file, model, lines, records, {name for name in keep if name}, parsed)


def _required(columns: Mapping[str, Column]) -> list[str]:
    return [name for name, column in columns.items() if column.required]


def _check_header(file: str, line: int, names: list[str], columns: Mapping[str, Column], faults: list[Fault]) -> bool:
    """Report what is wrong with the header; whether its rows are worth reading."""
    if not set(names) & set(columns):
        for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if len({part.strip(' "') for part in mark.join(names).split(mark)} & set(columns)) > 1:
                faults.append(
                    Fault(file, f"separates its cells by {word}, expected commas; save it as comma-separated CSV", line)
                )
                return False
        shown = ",".join(names)
        found = shown if len(shown) <= 60 else shown[:57] + "..."
        faults.append(Fault(file, f"header is {found!r}, expected the columns {', '.join(_required(columns))}", line))
        return False
    for at, name in enumerate(names):
        if not name:
            faults.append(Fault(file, f"column {at + 1} has no name, expected a column of this table or nothing", line))
        elif name not in columns:
            faults.append(Fault(file, f"unknown column {name!r}{did_you_mean(name, columns)}", line))
        elif names.index(name) != at:
            faults.append(
                Fault(file, f"column {name} stands twice, in places {names.index(name) + 1} and {at + 1}", line)
            )
    for name in _required(columns):
        if name not in names:
            faults.append(Fault(file, f"column {name} is missing, expected {columns[name].expected}", line))
    return True


@cache
def _adapter(model: type[BaseModel]) -> TypeAdapter[list[BaseModel]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def _validate(
    file: str,
    model: type[BaseModel],
    lines: list[int],
    records: list[dict[str, str]],
    present: set[str],
    parsed: Parsed,
) -> None:
    columns = columns_of(model)
    try:
        rows = _adapter(model).validate_python(records)
    except ValidationError as failure:
        bad: set[int] = set()
        seen: set[tuple[int, str]] = set()
        for error in failure.errors(include_url=False, include_context=False, include_input=False):
            at, name = int(error["loc"][0]), str(error["loc"][1]) if len(error["loc"]) > 1 else ""
            bad.add(at)
            if (at, name) in seen or (error["type"] == "missing" and name not in present):
                continue  # a missing column is one fault, not one per row
            seen.add((at, name))
            words = _words(columns.get(name), name, records[at].get(name), error["msg"])
            parsed.faults.append(Fault(file, words, lines[at]))
        parsed.rejected.extend(records[at] for at in sorted(bad))
        lines = [line for at, line in enumerate(lines) if at not in bad]
        rows = _adapter(model).validate_python([record for at, record in enumerate(records) if at not in bad])
    values = {name: [getattr(row, name) for row in rows] for name in columns if name in present}
    for name in [name for name in values if columns[name].kind == "int"]:
        for at, value in enumerate(values[name]):
            if value is not None and abs(value) > _LARGEST_WHOLE:
                parsed.faults.append(Fault(file, f"{name} is '{value}', expected a whole number below 2^53", lines[at]))
                values[name][at] = 0
    parsed.frame = frame(model, values, lines)


def _words(column: Column | None, name: str, value: str | None, otherwise: str) -> str:
    if column is None:
        return f"{name}: {otherwise}" if name else otherwise
    if value is None:
        return f"{name} is blank, expected {column.expected}"
    shown = repr(value if len(value) <= 60 else value[:57] + "...")
    near = did_you_mean(value, map(str, column.choices)) if column.choices else ""
    return f"{name} is {shown}, expected {column.expected}{near}"
