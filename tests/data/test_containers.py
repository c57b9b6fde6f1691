"""Archives and workbooks that mean harm or are merely odd."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

from optimizer.data.reading import read_instance
from optimizer.data.writing import write_instance
from optimizer.errors import InstanceError, UsageError

BOMB = b"\0" * 60_000_000  # deflates to about 58 kB


def test_zip_with_a_top_folder(small, zip_of, write_files):
    packed = zip_of({f"my-copy/{name}": text for name, text in small.items()})
    assert read_instance(packed).hash == read_instance(write_files()).hash


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("../links.csv", "points out of the archive by '..', expected a plain name"),
        ("a/../../links.csv", "points out of the archive by '..', expected a plain name"),
        ("/etc/links.csv", "is an absolute name, expected a plain one"),
        ("C:/links.csv", "is an absolute name, expected a plain one"),
    ],
)
def test_zip_members_that_point_elsewhere(member, words, small, zip_of, faults_of):
    assert faults_of(path=zip_of({**small, member: "x"})) == [f"{member}: {words}"]


def test_zip_with_a_symbolic_link(small, zip_of, faults_of):
    path = zip_of(small)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("ports.lnk")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert faults_of(path=path) == ["ports.lnk: is a symbolic link, expected a file"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_member_twice(small, zip_of, faults_of):
    path = zip_of(small)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("links.csv", "other")
    assert faults_of(path=path) == ["links.csv: stands twice in the archive"]


def test_zip_with_an_encrypted_member(small, zip_of, faults_of):
    path = zip_of({"corridor.toml": small["corridor.toml"]})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    assert faults_of(path=path) == ["corridor.toml: is encrypted, expected a plain file; pack it without a password"]


def test_zip_bomb(small, zip_of, faults_of):
    path = zip_of({**small, "links.csv": BOMB})
    start = time.process_time()
    told = faults_of(path=path)
    assert time.process_time() - start < 2
    assert told == ["links.csv: unpacks to over 200 times its size: refused as a zip bomb"]


def test_zip_bomb_that_lies_about_its_size(small, zip_of, faults_of):
    path = zip_of({**small, "links.csv": BOMB})
    data = path.read_bytes().replace(struct.pack("<L", len(BOMB)), struct.pack("<L", 1000))
    path.write_bytes(data)
    told = faults_of(path=path)
    assert len(told) == 1
    assert told[0].startswith("links.csv: is damaged in the archive (")


def test_zip_with_too_many_members(small, zip_of, faults_of):
    path = zip_of({**small, **{f"notes/{n}.txt": "" for n in range(1001)}})
    assert faults_of(path=path) == [f"small.zip: has {1001 + len(small):,} members, expected at most 1,000"]


@pytest.mark.parametrize("name", ["broken.zip", "broken.xlsx"])
def test_file_that_is_no_archive(name, tmp_path: Path, faults_of):
    path = tmp_path / name
    path.write_bytes(b"not an archive at all" * 100)
    assert faults_of(path=path) == [f"{name}: cannot be opened as a zip archive (File is not a zip file)"]


def test_archive_cut_short(small, zip_of, faults_of):
    path = zip_of(small)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    path.write_bytes(data[:400] + b"\0" * 200 + data[600:end] + data[end:])
    assert faults_of(path=path)


# --------------------------------------------------------------------------------------------------------- workbooks


@pytest.fixture
def workbook(write_files, tmp_path):
    """The small instance as a workbook, and a way to change it with openpyxl."""

    def make(change=lambda book: None) -> Path:
        path = tmp_path / "small.xlsx"
        write_instance(read_instance(write_files()), path)
        book = openpyxl.load_workbook(path)
        change(book)
        book.save(path)
        return path

    return make


def test_workbook_saved_by_another_program(workbook, write_files):
    assert read_instance(workbook()).hash == read_instance(write_files()).hash


def test_workbook_keeps_text_as_text_and_numbers_as_numbers(workbook):
    book = openpyxl.load_workbook(workbook())
    rows = list(book["commodities"].iter_rows())
    cells = {cell.value: cell for cell in rows[0]}
    column = cells["hs_code"].column - 1
    assert [(row[column].value, row[column].data_type) for row in rows[1:]] == [("1001", "s"), ("0902", "s")]
    column = cells["value_usd_per_t"].column - 1
    assert [row[column].value for row in rows[1:]] == [300, 3000]


def test_workbook_faults_name_the_sheet(workbook, faults_of):
    def spoil(book):
        sheet = book["links"]
        column = [cell.value for cell in sheet[1]].index("length_km") + 1
        sheet.cell(row=2, column=column, value=-12)

    assert faults_of(path=workbook(spoil)) == ["sheet links:2: length_km is '-12', expected a number > 0"]


def test_workbook_with_a_formula_an_error_and_a_date(workbook, faults_of):
    def spoil(book):
        book["ports"]["B2"] = "=1+1"
        book["borders"]["E2"] = "#N/A"
        book["borders"]["E2"].data_type = "e"
        book["emissions"]["D2"] = __import__("datetime").datetime(2026, 1, 2)

    path = workbook(spoil)
    told = faults_of(path=path)
    assert [line for line in told if "cell" in line] == [
        "sheet borders:2: cell E2 holds the error #N/A, expected a value",
        "sheet emissions:2: cell D2 holds a date or time, expected text or a number",
        "sheet ports:2: cell B2 holds a formula, expected a value; paste it as a value",
    ]
    assert len(told) == 3


def test_text_that_looks_like_a_formula_stays_text(write_files, edit, tmp_path):
    made = read_instance(write_files(edit("nodes.csv", "Almaty", '=A1+"x"'.replace('"', ""))))
    path = tmp_path / "formula.xlsx"
    write_instance(made, path)
    assert read_instance(path).tables["nodes"]["name"].iloc[0] == "=A1+x"
    sheet = openpyxl.load_workbook(path)["nodes"]
    assert sheet["B2"].data_type == "s"


def test_unknown_sheet(workbook, faults_of):
    assert faults_of(path=workbook(lambda book: book.create_sheet("Links2"))) == [
        "sheet Links2: is not a table of this format; did you mean 'links'?"
    ]


def test_sheet_of_settings_with_other_columns(workbook, faults_of):
    def spoil(book):
        book["_toml"]["A1"] = "name"

    assert "sheet _toml:1: expected the columns file and text" in faults_of(path=workbook(spoil))


def _with_member(path: Path, name: str, data: bytes) -> Path:
    """The same archive with one member replaced."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in {**members, name: data}.items():
            archive.writestr(member, content)
    return path


def _sheet(workbook: Path, name: str) -> str:
    book = openpyxl.load_workbook(workbook, read_only=True)
    return f"xl/worksheets/sheet{book.sheetnames.index(name) + 1}.xml"


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def test_workbook_with_xml_entities(workbook, faults_of):
    path = workbook()
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row>'
    _with_member(path, _sheet(path, "ports"), (entities + SHEET.format(row)).encode())
    told = faults_of(path=path)
    assert len(told) == 1
    assert told[0].startswith("small.xlsx: cannot be read as an Excel workbook (")


def test_workbook_bomb(workbook, faults_of):
    path = workbook()
    _with_member(path, "xl/media/image1.png", BOMB)
    assert faults_of(path=path) == ["xl/media/image1.png: unpacks to over 200 times its size: refused as a zip bomb"]


def test_workbook_with_far_away_cells_is_read_quickly(workbook, write_files):
    path = workbook()
    row = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c></row>'
    body = row.format(1, "node_id") + row.format(2, "D") + '<row r="1000000"><c r="XFD1000000"/></row>'
    _with_member(path, _sheet(path, "ports"), SHEET.format(body).encode())
    start = time.process_time()
    assert len(read_instance(path).tables["ports"]) == 1
    assert time.process_time() - start < 5


def test_workbook_with_too_many_columns(workbook, faults_of):
    path = workbook()
    cells = "".join(f'<c t="n"><v>{n}</v></c>' for n in range(70))
    _with_member(path, _sheet(path, "ports"), SHEET.format(f'<row r="1">{cells}</row>').encode())
    assert "sheet ports:1: has more than 60 columns" in faults_of(path=path)


# ----------------------------------------------------------------------------------------------------------- writing


def test_writing_replaces_the_instance_and_keeps_its_other_files(write_files, edit, tmp_path):
    path = write_files({"README.md": "# Notes", "notes/more.txt": "more"})
    other = read_instance(write_files({**edit("nodes.csv", "Almaty", "Alma-Ata"), "emissions.csv": None}, "other"))
    write_instance(other, path)
    assert read_instance(path).hash == other.hash
    assert (path / "README.md").read_text() == "# Notes"
    assert (path / "notes" / "more.txt").read_text() == "more"
    assert not (path / "emissions.csv").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "small"]


def test_comments_of_the_settings_survive(write_files, tmp_path):
    made = read_instance(write_files())
    for target in (tmp_path / "a.zip", tmp_path / "b.xlsx", tmp_path / "c"):
        write_instance(made, target)
        made = read_instance(target)
    assert (tmp_path / "c" / "corridor.toml").read_text() == (tmp_path / "small" / "corridor.toml").read_text()


def test_nothing_is_written_over_something_else(write_files, tmp_path):
    made = read_instance(write_files())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="something else than an instance in it; nothing was written"):
        write_instance(made, tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_value_that_no_cell_can_hold_is_refused_before_anything_is_written(write_files, tmp_path):
    made = read_instance(write_files())
    nodes = made.tables["nodes"]
    nodes["name"] = nodes["name"].replace("Almaty", " Almaty")
    for target in (tmp_path / "a.zip", tmp_path / "b.xlsx", tmp_path / "c"):
        with pytest.raises(InstanceError, match=r"nodes\.csv:2: name is ' Almaty', which a cell cannot hold"):
            write_instance(made, target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small"]


def test_a_place_that_cannot_be_written_is_told(write_files, tmp_path):
    made = read_instance(write_files())
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_instance(made, tmp_path / "file" / "inside.zip")


def test_the_same_instance_gives_the_same_archive(write_files, tmp_path):
    made = read_instance(write_files())
    write_instance(made, tmp_path / "a.zip")
    write_instance(made, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.zip").read_bytes())) as archive:
        assert "corridor.toml" in archive.namelist()
