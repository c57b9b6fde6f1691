"""The files of an instance, out of a directory, a ``.zip`` or a ``.xlsx``; nothing here trusts what it opens."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from optimizer.data.rows import Numbered
from optimizer.data.schema import TABLES
from optimizer.errors import Fault, did_you_mean

MAX_TABLE_BYTES = 100_000_000
MAX_TOML_BYTES = 1_000_000
MAX_TOTAL_BYTES = 500_000_000
MAX_RATIO = 200  # text of tables packs 5 to 50 to one; a bomb about 1000 to one
MAX_FILES = 1000
CONFIG = "corridor.toml"


@dataclass
class Files:
    """What a container holds: tables as CSV bytes or rows of cells, TOML files as bytes, and what is wrong."""

    tables: dict[str, bytes | list[Numbered]] = field(default_factory=dict)
    tomls: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    opened: bool = True
    """False when the container as a whole cannot be trusted or read; then nothing else is worth saying."""
    unread: set[str] = field(default_factory=set)
    """Tables of which a part or all could not be read."""

    def refuse(self, fault: Fault) -> None:
        """A file that is there but cannot be read."""
        self.faults.append(fault)
        self.unread.add(PurePosixPath(fault.file).stem)

    def add_name(self, name: str) -> bool:
        """Whether a file is part of an instance; a table of unknown name is a fault, other files are left alone."""
        path = PurePosixPath(name)
        in_root = len(path.parts) == 1
        if path.suffix.lower() == ".csv" and in_root:
            if path.suffix == ".csv" and path.stem in TABLES:
                return True
            known = [f"{table}.csv" for table in TABLES]
            self.faults.append(Fault(name, f"is not a table of this format{did_you_mean(name.lower(), known)}"))
        elif path.suffix.lower() == ".toml" and in_root:
            if name == CONFIG:
                return True
            self.faults.append(
                Fault(name, f"is not known, expected {CONFIG} here and scenarios in scenarios/NAME.toml")
            )
        return len(path.parts) == 2 and path.parts[0] == "scenarios" and path.suffix == ".toml"

    def add(self, name: str, data: bytes) -> None:
        if name.endswith(".csv"):
            self.tables[PurePosixPath(name).stem] = data
        else:
            self.tomls[name] = data


def limit_of(name: str) -> int:
    return MAX_TABLE_BYTES if name.endswith(".csv") else MAX_TOML_BYTES


def too_large(name: str, size: int | None) -> Fault:
    limit = limit_of(name)
    found = f"{size:,} bytes" if size is not None else f"more than {limit:,} bytes"
    return Fault(name, f"has {found}, expected at most {limit:,}; this is not a table of an instance")


def open_directory(path: Path) -> Files:
    files = Files()
    folder = path / "scenarios"
    listed = sorted(path.iterdir()) + (sorted(folder.iterdir()) if folder.is_dir() else [])
    for file in listed:
        name = file.relative_to(path).as_posix()
        if not files.add_name(name):
            continue
        if not file.is_file():
            files.refuse(Fault(name, "is not a regular file"))
        elif (size := file.stat().st_size) > limit_of(name):
            files.refuse(too_large(name, size))
        else:
            files.add(name, file.read_bytes())
    return files


def open_zip(path: Path) -> Files:
    """Members of a zip archive; one top folder around the whole instance is allowed."""
    files = Files()
    with _archive(path, files) as archive:
        members = _safe_members(archive, files) if archive else []
        if files.faults:
            files.opened = False
            return files
        names = [info.filename for info in members]
        tops = [name for name in names if PurePosixPath(name).name == CONFIG and len(PurePosixPath(name).parts) == 2]
        root = "" if CONFIG in names or len(tops) != 1 else tops[0].removesuffix(CONFIG)
        total = 0
        for info in members:
            name = info.filename
            if not name.startswith(root) or not files.add_name(name := name.removeprefix(root)):
                continue
            data = read_member(archive, info, name, limit_of(name), files.faults)
            total += len(data or b"")
            if total > MAX_TOTAL_BYTES:
                files.faults.append(Fault(name, f"the archive unpacks to more than {MAX_TOTAL_BYTES:,} bytes"))
                break
            if data is not None:
                files.add(name, data)
            else:
                files.unread.add(PurePosixPath(name).stem)
    return files


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _archive(path: Path, files: Files) -> Any:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        files.faults.append(Fault(path.name, f"cannot be opened as a zip archive ({error})"))
        return _Nothing()


def _safe_members(archive: zipfile.ZipFile, files: Files) -> list[zipfile.ZipInfo]:
    """File members, after refusing names and kinds that have no place in an instance."""
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        files.faults.append(
            Fault(Path(str(archive.filename)).name, f"has {len(infos):,} members, expected at most {MAX_FILES:,}")
        )
        return []
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts:
            files.faults.append(Fault(name, "points out of the archive by '..', expected a plain name"))
        elif name.startswith(("/", "\\")) or (parts and parts[0].endswith(":")):
            files.faults.append(Fault(name, "is an absolute name, expected a plain one"))
        if stat.S_ISLNK(info.external_attr >> 16):
            files.faults.append(Fault(name, "is a symbolic link, expected a file"))
        if info.flag_bits & 0x1:
            files.faults.append(Fault(name, "is encrypted, expected a plain file; pack it without a password"))
        if name in seen:
            files.faults.append(Fault(name, "stands twice in the archive"))
        seen.add(name)
    return [info for info in infos if not info.is_dir()]


def read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limit: int, faults: list[Fault]
) -> bytes | None:
    """Unpack one member while counting; the sizes an archive states about itself are not believed."""
    chunks: list[bytes] = []
    size = 0
    try:
        with archive.open(info) as stream:
            while chunk := stream.read(1 << 20):
                size += len(chunk)
                if size > limit:
                    faults.append(too_large(name, None))
                    return None
                if size > 10_000_000 and size > MAX_RATIO * max(info.compress_size, 1):
                    faults.append(Fault(name, f"unpacks to over {MAX_RATIO} times its size: refused as a zip bomb"))
                    return None
                chunks.append(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        faults.append(Fault(name, f"is damaged in the archive ({error})"))
        return None
    return b"".join(chunks)


def open_workbook(path: Path) -> Files:
    """Sheets of an Excel workbook: one per table, and ``_toml`` for the settings and scenarios."""
    files = Files()
    with _archive(path, files) as archive:
        members = _safe_members(archive, files) if archive else []
        total = 0
        for info in members:  # unpack once only to count, before a parser sees anything
            data = read_member(archive, info, info.filename, 3 * MAX_TABLE_BYTES, files.faults)
            total += len(data or b"")
            if total > MAX_TOTAL_BYTES:
                files.faults.append(Fault(path.name, f"unpacks to more than {MAX_TOTAL_BYTES:,} bytes"))
                break
    if files.faults:
        files.opened = False
        return files
    # openpyxl takes a quarter of a second to import, and most instances are directories
    import openpyxl

    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("defusedxml is not installed, so a workbook cannot be read safely")
    try:
        book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, keep_links=False)
        for sheet in book.worksheets:
            _read_sheet(sheet, files)
        book.close()
    except Exception as error:  # whatever a malformed workbook sets off inside the parser
        files.opened = False
        words = f"{type(error).__name__}: {error}".rstrip(": ")
        files.faults.append(Fault(path.name, f"cannot be read as an Excel workbook ({words[:200]})"))
    return files


def _read_sheet(sheet: Any, files: Files) -> None:
    name = str(sheet.title)
    if name not in TABLES and name != "_toml":
        near = did_you_mean(name.lower(), [*TABLES, "_toml"])
        files.faults.append(Fault(f"sheet {name}", f"is not a table of this format{near}"))
        return
    if not hasattr(sheet, "reset_dimensions"):
        return  # a sheet of charts has no cells
    sheet.reset_dimensions()  # do not believe the extent the file states
    rows = list(_sheet_rows(sheet, name, files))
    if name == "_toml":
        _tomls_of(rows, files)
    else:
        files.tables[name] = rows


def _sheet_rows(sheet: Any, name: str, files: Files) -> Iterator[Numbered]:
    """Rows of a sheet as text cells; blank rows left out, short rows filled up to the width of the header."""
    widest, tallest = 60, 1_048_576
    width = 0
    last: Any = None
    for line, row in enumerate(sheet.iter_rows(max_col=widest + 1, max_row=tallest), start=1):
        if row is last:
            continue  # the parser fills gaps between rows with one and the same empty row
        last = row
        odd = [words for cell in row if (words := _odd_cell(cell))]
        if odd:
            files.faults.extend(Fault(f"sheet {name}", words, line) for words in odd)
            files.unread.add(name)
            continue
        cells = [_cell_text(cell.value) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if len(cells) > widest:
            files.faults.append(Fault(f"sheet {name}", f"has more than {widest} columns", line))
            files.unread.add(name)
            return
        width = width or len(cells)
        yield line, cells + [""] * (width - len(cells))


def _odd_cell(cell: Any) -> str:
    """What is wrong with a cell that holds neither text nor a number, in words."""
    if cell.value is None:
        return ""
    if cell.data_type == "f":
        return f"cell {cell.coordinate} holds a formula, expected a value; paste it as a value"
    if cell.data_type == "e":
        return f"cell {cell.coordinate} holds the error {cell.value}, expected a value"
    if not isinstance(cell.value, (str, int, float)):
        return f"cell {cell.coordinate} holds a date or time, expected text or a number"
    return ""


def _cell_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _tomls_of(rows: list[Numbered], files: Files) -> None:
    """Join the lines of ``_toml`` into files; the row order is the line order."""
    if not rows or [cell.strip() for cell in rows[0][1]] != ["file", "text"]:
        files.faults.append(Fault("sheet _toml", "expected the columns file and text", 1))
        return
    texts: dict[str, list[str]] = {}
    for line, cells in rows[1:]:
        name = cells[0].strip()
        if PurePosixPath(name).suffix != ".toml" or not files.add_name(name):
            message = f"file is {name!r}, expected {CONFIG} or scenarios/NAME.toml"
            files.faults.append(Fault("sheet _toml", message, line))
            continue
        texts.setdefault(name, []).append(cells[1] if len(cells) > 1 else "")
    for name, parts in texts.items():
        files.add(name, "".join(f"{part}\n" for part in parts).encode())
