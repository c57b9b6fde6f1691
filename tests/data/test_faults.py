# ruff: noqa: E501
"""One fault each: where it is, what was found, what was expected."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from optimizer.data.reading import read_instance
from optimizer.errors import InstanceError

Edit = Callable[[str, str, str], dict[str, str]]
FaultsOf = Callable[..., list[str]]


def test_the_small_instance_has_no_fault(write_files):
    assert read_instance(write_files()).config.name == "small"


# (file, old text, new text, the whole fault)
CELLS = {
    "negative length": (
        "links.csv", "1520,1200,", "1520,-12,",
        "links.csv:2: length_km is '-12', expected a number > 0",
    ),
    "zero length": ("links.csv", "1520,1200,", "1520,0,", "links.csv:2: length_km is '0', expected a number > 0"),
    "not a number": ("links.csv", "1520,1200,", "1520,nan,", "links.csv:2: length_km is 'nan', expected a number > 0"),
    "infinite": ("links.csv", "1520,1200,", "1520,inf,", "links.csv:2: length_km is 'inf', expected a number > 0"),
    "overflow": ("links.csv", "1520,1200,", "1520,1e999,", "links.csv:2: length_km is '1e999', expected a number > 0"),
    "text in a number": (
        "links.csv", "1520,1200,", "1520,far,", "links.csv:2: length_km is 'far', expected a number > 0",
    ),
    "decimal comma": ("links.csv", "1520,1200,", '1520,"1,2",', "links.csv:2: length_km is '1,2', expected a number > 0"),
    "blank where needed": (
        "links.csv", "1520,1200,", "1520,,", "links.csv:2: length_km is blank, expected a number > 0",
    ),
    "fraction of a wagon": (
        "fleet.csv", "1520,40,", "1520,4.5,", "fleet.csv:2: units is '4.5', expected a whole number >= 1",
    ),
    "too many wagons": (
        "fleet.csv", "1520,40,", "1520,99999999999999999999,",
        "fleet.csv:2: units is '99999999999999999999', expected a whole number below 2^53",
    ),
    "unknown gauge": (
        "links.csv", "rail,1520,", "rail,1525,",
        "links.csv:2: gauge_mm is '1525', expected one of 1520, 1435, 1676; did you mean '1520'?",
    ),
    "unknown mode": (
        "links.csv", "W3,C,D,road", "W3,C,D,raod",
        "links.csv:4: mode is 'raod', expected one of rail, road, ferry; did you mean 'road'?",
    ),
    "unknown layer": (
        "handlings.csv", "B,rail-1520", "B,rail-1250",
        "handlings.csv:2: from_layer is 'rail-1250', expected one of rail-1520, rail-1435, rail-1676, road, ferry, sea, door; "
        "did you mean 'rail-1520'?",
    ),
    "bad country": (
        "nodes.csv", "Almaty,KZ", "Almaty,Kazakhstan",
        "nodes.csv:2: country is 'Kazakhstan', expected a country code of two capital letters such as KZ",
    ),
    "unknown origin": (
        "lanes.csv", "L3,A,D", "L3,Q,D", "lanes.csv:4: origin is 'Q', expected a place in nodes.csv",
    ),
    "unknown commodity": (
        "lanes.csv", "L1,A,E,grain", "L1,A,E,grian",
        "lanes.csv:2: commodity_id is 'grian', expected a commodity in commodities.csv; did you mean 'grain'?",
    ),
    "unknown wagon": (
        "wagon_suits.csv", "V1520", "V1525",
        "wagon_suits.csv:2: wagon_id is 'V1525', expected a wagon in wagons.csv; did you mean 'V1520'?",
    ),
    "unknown unit": (
        "fleet.csv", "F2,TE,", "F2,TEE,",
        "fleet.csv:3: type_id is 'TEE', expected a wagon or a locomotive in wagons.csv or locomotives.csv; did you mean 'TE'?",
    ),
    "unknown asset": (
        "contracts.csv", "S1;R4", "S1;R9",
        "contracts.csv:2: assets is 'R9', expected a link or a handling or a sea leg in links.csv or handlings.csv or "
        "sea_legs.csv",
    ),
    "unknown cargo form": (
        "handlings.csv", "container;covered", "container;coverd",
        "handlings.csv:3: cargo_forms holds 'coverd', expected container, covered, hopper, gondola, tank, flat; "
        "did you mean 'covered'?",
    ),
    "unknown way": (
        "terminal_loads.csv", "direct;yard", "direct;yerd",
        "terminal_loads.csv:2: modes holds 'yerd', expected direct, yard, bogie; did you mean 'yard'?",
    ),
    "tariff for a long country name": (
        "tariffs.csv", "line_haul,AF,", "line_haul,Afghanistan,",
        "tariffs.csv:4: countries holds 'Afghanistan', expected codes of two capital letters such as KZ",
    ),
    "duplicate id": (
        "links.csv", "W3,C,D", "R1,C,D",
        "links.csv:4: link_id 'R1' stands twice, first in line 2; expected one row for each",
    ),
    "id of another table": (
        "handlings.csv", "H2,C", "R1,C",
        "handlings.csv:3: handling_id 'R1' is also an id in links.csv; expected one of its own",
    ),
    "rail without gauge": (
        "links.csv", "rail,1520,", "rail,,", "links.csv:2: gauge_mm is blank, expected one of 1520, 1435, 1676 on a rail link",
    ),
    "road with gauge": (
        "links.csv", "road,,", "road,1435,", "links.csv:4: gauge_mm is 1435, expected blank on a road link",
    ),
    "link to itself": ("links.csv", "R4,C,D", "R4,C,C", "links.csv:5: from_node and to_node are both 'C'"),
    "handling to its own layer": (
        "handlings.csv", "B,rail-1520,rail-1435", "B,rail-1435,rail-1435",
        "handlings.csv:2: from_layer and to_layer are both 'rail-1435'",
    ),
    "due before release": (
        "shipments.csv", "3000,0,25", "3000,6,5", "shipments.csv:2: due_day is 5, before release_day 6",
    ),
    "order due before release": (
        "orders.csv", "600,0,5", "600,6,5", "orders.csv:2: due_day is 5, before release_day 6",
    ),
    "train leaves before it arrives": (
        "train_calls.csv", "1520,2,10", "1520,12,10", "train_calls.csv:2: depart_h is 10, before arrive_h 12",
    ),
    "contract volumes": (
        "contracts.csv", "contract_id,assets,fixed_cost_usd_per_year\nK1,S1;R4,100000\nK2,S1,5000",
        "contract_id,assets,fixed_cost_usd_per_year,min_t_per_year,max_t_per_year\nK1,S1,9,50,40",
        "contracts.csv:2: max_t_per_year is 40, below min_t_per_year 50",
    ),
    "fleet after the horizon": (
        "fleet.csv", "1520,40,0", "1520,40,28",
        "fleet.csv:2: from_day is 28, expected a day within the horizon of 28 days (0 to 27) of corridor.toml",
    ),
    "fleet where its gauge does not go": (
        "fleet.csv", "F1,V1520,A", "F1,V1520,C",
        "fleet.csv:2: units of 1520 mm cannot stand at 'C': 1435 mm rail link ends there",
    ),
    "fleet on a gauge it cannot run on": (
        "fleet.csv", "TE,B,1520", "TE,B,1435", "fleet.csv:3: gauge_mm is 1435, but 'TE' runs on 1520",
    ),
    "low above the value": (
        "links.csv", "1200,40,30,50", "1200,40,45,50", "links.csv:2: speed_kmh_low is 45, above speed_kmh 40",
    ),
    "high below the value": (
        "links.csv", "1200,40,30,50", "1200,40,30,39", "links.csv:2: speed_kmh_high is 39, below speed_kmh 40",
    ),
    "charge outside its band": (
        "handlings.csv", ",4,3,5,", ",4,5,6,", "handlings.csv:2: cost_low is 5, above cost 4",
    ),
    "wagon of two gauges that changes nowhere": (
        "wagons.csv", "bogie_exchange", "none",
        "wagons.csv:3: gauge_change is 'none' with the gauges 1520, 1435, expected bogie_exchange or variable_gauge",
    ),
    "train that jumps": (
        "train_services.csv", "R2;R4,B", "R4;R2,B",
        "train_services.csv:2: links holds 'R4', which does not go on from 'B'",
    ),
    "train on another gauge": (
        "train_services.csv", "R2;R4,B", "R1,B",
        "train_services.csv:2: links holds 'R1', which is not a rail link of 1435 mm",
    ),
    "crane over a track elsewhere": (
        "terminal_cranes.csv", "TB1;TB2", "TB1;TC1",
        "terminal_cranes.csv:2: tracks holds 'TC1', which lies in 'TC', expected a track of 'TB'",
    ),
    "shift over midnight": (
        "terminal_cranes.csv", "6-14;16-24", "22-6",
        "terminal_cranes.csv:2: shifts_h holds '22-6', expected a start before an end in 0-24; a night is 0-6;22-24",
    ),
    "shift in words": (
        "terminal_cranes.csv", "6-14;16-24", "night",
        "terminal_cranes.csv:2: shifts_h is 'night', expected hours of the day such as 6-14;16-24",
    ),
    "unit of another kind": (
        "tariffs.csv", "percent_of_value", "usd_per_t",
        "tariffs.csv:5: unit is 'usd_per_t' for insurance, expected percent_of_value",
    ),
    "borders that tie": (
        "borders.csv", "X2,,,", "X2,UZ,AF,",
        "borders.csv:3: 'X2' is as specific as 'X1' (line 2) for UZ to AF by rail, for example on link 'R2'; "
        "expected one most specific row, fill another key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_one_fault_one_message(case: str, edit: Edit, faults_of: FaultsOf) -> None:
    file, old, new, expected = CELLS[case]
    assert faults_of(edit(file, old, new)) == [expected]


def test_an_unknown_id_is_told_wherever_it_is_used(edit, faults_of):
    told = faults_of(edit("nodes.csv", "A,Almaty", "Almaty,Almaty"))
    assert "links.csv:2: from_node is 'A', expected a place in nodes.csv" in told
    assert {line.split(":")[0] for line in told} == {
        "links.csv",
        "lanes.csv",
        "shipments.csv",
        "orders.csv",
        "fleet.csv",
    }


def test_one_bad_row_does_not_make_its_id_unknown(edit, faults_of):
    told = faults_of(edit("commodities.csv", "covered,300", "covered,-3"))
    assert told == ["commodities.csv:2: value_usd_per_t is '-3', expected a number >= 0"]


def test_a_residue_is_an_id_or_blank(small, faults_of):
    lines = small["fleet.csv"].splitlines()
    fleet = "\n".join([lines[0] + ",residue", lines[1] + ",fine dust", lines[2] + ",", ""])
    assert faults_of({"fleet.csv": fleet}) == [
        "fleet.csv:2: residue is 'fine dust', "
        "expected an id of letters, digits, '_', '.' and '-', or nothing, at most 64 characters"
    ]


def test_tariffs_that_tie_name_both_rows(edit, faults_of):
    told = faults_of(edit("tariffs.csv", "T2,line_haul,,,road,", "T2,line_haul,,,rail,"))
    assert (
        "tariffs.csv:3: 'T2' is as specific as 'T1' (line 2) for bulk by rail in KZ, for example on link 'R1'; "
        "expected one most specific row, fill another key" in told
    )


def test_a_link_without_a_price_is_told_for_each_form_of_cargo(edit, faults_of):
    assert faults_of(edit("tariffs.csv", "T2,line_haul,,,road,", "T2,line_haul,AF,,road,")) == [
        f"tariffs.csv: no line_haul tariff matches {form} by road in PK, for example on link 'W3' (links.csv:4); expected one"
        for form in ("bulk", "container")
    ]


def test_a_link_of_a_gauge_that_no_handling_serves_is_an_island(small, faults_of):
    links = small["links.csv"] + "R5,C,E,rail,1676,300,40,,,\n"
    tariffs = small["tariffs.csv"]
    lanes = small["lanes.csv"].replace(",E,", ",D,")
    shipments = small["shipments.csv"].replace(",E,", ",D,")
    assert faults_of({"links.csv": links, "tariffs.csv": tariffs, "lanes.csv": lanes, "shipments.csv": shipments}) == [
        "links.csv:6: link 'R5' (1676 mm) joins the rest of the network nowhere: no handling to or from rail-1676 at C, E"
    ]


def test_every_fault_of_every_file_is_told_in_order(edit, faults_of):
    told = faults_of(
        {
            **edit("links.csv", "1520,1200,", "1520,-12,"),
            **edit("lanes.csv", "L1,A,E,grain", "L1,A,E,grian"),
            **edit("corridor.toml", 'network = "2026"', 'netwrok = "2026"'),
        }
    )
    assert told == [
        "corridor.toml: unknown key 'select.netwrok'; did you mean 'select.network'?",
        "lanes.csv:2: commodity_id is 'grian', expected a commodity in commodities.csv; did you mean 'grain'?",
        "links.csv:2: length_km is '-12', expected a number > 0",
    ]


def test_the_error_counts_and_indents_its_faults(edit, write_files):
    path = write_files(edit("links.csv", "1520,1200,", "1520,-12,"))
    with pytest.raises(InstanceError) as caught:
        read_instance(path)
    assert str(caught.value) == f"{path}: 1 fault\n  links.csv:2: length_km is '-12', expected a number > 0"


def test_lines_are_counted_over_cells_of_several_lines_and_blank_lines(faults_of):
    nodes = 'node_id,name,country,lat,lon\nA,"Al\nma\nty",KZ,43,76\n\nB,Bukhara,UZ,139,64\n'
    assert "nodes.csv:6: lat is '139', expected a number from -90 to 90" in faults_of({"nodes.csv": nodes})


# ------------------------------------------------------------------------------------------------- files and columns


def test_missing_required_table(faults_of):
    assert (
        faults_of({"commodities.csv": None})[0] == "commodities.csv: is missing, expected this table in every instance"
    )


def test_missing_column(edit, faults_of):
    told = faults_of(edit("links.csv", "length_km", "lenght_km"))
    assert told == [
        "links.csv:1: unknown column 'lenght_km'; did you mean 'length_km'?",
        "links.csv:1: column length_km is missing, expected a number > 0",
    ]


def test_column_twice_and_column_without_name(edit, faults_of):
    assert faults_of(edit("ports.csv", "node_id,capacity_mt_per_year\nD,20", "node_id,node_id\nD,D")) == [
        "ports.csv:1: column node_id stands twice, in places 1 and 2"
    ]
    assert faults_of({"ports.csv": "node_id,\nD,\n"}) == [
        "ports.csv:1: column 2 has no name, expected a column of this table or nothing"
    ]


@pytest.mark.parametrize("row", ["R9,A", "R9,A,B,rail,1520,1,1,1,1,,,"])
def test_row_of_another_width(row, small, faults_of):
    told = faults_of({"links.csv": small["links.csv"] + row + "\n"})
    assert told == [f"links.csv:6: has {row.count(',') + 1} cells, expected 10 as in the header"]


def test_unknown_table_names_the_nearest(faults_of):
    assert faults_of({"linkes.csv": "a,b\n"}) == [
        "linkes.csv: is not a table of this format; did you mean 'links.csv'?"
    ]


def test_stray_toml(faults_of):
    assert faults_of({"2040.toml": ""}) == [
        "2040.toml: is not known, expected corridor.toml here and scenarios in scenarios/NAME.toml"
    ]


def test_other_files_are_left_alone(write_files):
    read_instance(write_files({"README.md": "# Notes", "scenarios/notes.txt": "later", "old/links.csv": "nonsense"}))


@pytest.mark.parametrize("name", ["nodes", "links", "commodities"])
def test_table_without_rows(name, small, faults_of):
    header = small[f"{name}.csv"].split("\n")[0] + "\n"
    assert f"{name}.csv: has a header but no rows, expected at least one" in faults_of({f"{name}.csv": header})


def test_empty_file(faults_of):
    assert faults_of({"ports.csv": ""}) == ["ports.csv:1: is empty, expected a header with the columns node_id"]


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_cells_separated_by_something_else(mark, word, small, faults_of):
    told = faults_of({"commodities.csv": small["commodities.csv"].replace(",", mark)})
    assert told == [
        f"commodities.csv:1: separates its cells by {word}, expected commas; save it as comma-separated CSV"
    ]


def test_wrong_encoding(small, faults_of):
    data = small["nodes.csv"].replace("Kandahar", "Kandahár").encode("latin-1")
    assert faults_of({"nodes.csv": data}) == [
        f"nodes.csv:4: has byte 0xe1 at offset {data.index(0xE1)}, expected UTF-8 text; "
        "save the file again as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
    ]


def test_utf_16(small, faults_of):
    assert faults_of({"nodes.csv": small["nodes.csv"].encode("utf-16")}) == [
        "nodes.csv:1: is UTF-16 text, expected UTF-8; save the file again as UTF-8"
    ]


@pytest.mark.parametrize("file", ["nodes.csv", "corridor.toml", "scenarios/dear.toml"])
def test_byte_order_mark(file, small, faults_of):
    told = faults_of({file: b"\xef\xbb\xbf" + small[file].encode()})
    assert told == [
        f"{file}:1: starts with a byte order mark (BOM), expected plain UTF-8; save the file as UTF-8 without BOM"
    ]


def test_nul_bytes(small, faults_of):
    told = faults_of({"nodes.csv": small["nodes.csv"].encode() + b"\nQ\0\n"})
    assert told == [
        f"nodes.csv:8: has a NUL byte at offset {len(small['nodes.csv']) + 2}, expected text; this is not a text file"
    ]


def test_control_character(edit, faults_of):
    assert faults_of(edit("nodes.csv", "Almaty", "Alm\x1baty")) == [
        "nodes.csv:2: has the control character U+001B, expected text"
    ]


def test_quote_that_never_closes(edit, faults_of):
    told = faults_of(edit("nodes.csv", "Mundra", '"Mundra'))
    assert told == [
        "nodes.csv:6: cannot be read as CSV from here on (unexpected end of data); "
        "expected cells with commas or quotes to be quoted"
    ]


def test_windows_line_ends_are_fine(small, write_files):
    path = write_files({"nodes.csv": small["nodes.csv"].replace("\n", "\r\n")}, "windows")
    assert read_instance(path).hash == read_instance(write_files()).hash


def test_200_mb_of_garbage_is_refused_at_once(write_files, faults_of):
    path = write_files()
    with (path / "links.csv").open("wb") as file:
        file.truncate(200_000_000)
    start = time.process_time()
    told = faults_of(path=path)
    assert time.process_time() - start < 2
    assert (
        told[0] == "links.csv: has 200,000,000 bytes, expected at most 100,000,000; this is not a table of an instance"
    )


def test_faults_beyond_a_thousand_are_counted(small, faults_of):
    rows = "".join(f"R{n},A,B,rail,1520,-1,40,,,\n" for n in range(10, 1610))
    told = faults_of({"links.csv": small["links.csv"] + rows})
    assert len(told) == 1001
    assert told[-1] == "links.csv: and 600 more faults in this file"


# ---------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "small"\n', "", "key name is missing"),
        ("schema_version = 1", "schema_version = 2", "schema_version is 2, expected: 1"),
        ("days = 28", "days = 0", "horizon.days is 0, expected: greater than or equal to 1"),
        ('name = "small"', "name = small", "is not valid TOML (Invalid value (at line 1, column 8))"),
        ("[horizon]", "[horizn]", "unknown key 'horizn'; did you mean 'horizon'?"),
        ('network = "2026"', 'network = "2027"', "select.network is '2027', which no row names; known: 2026, 2035; did you mean '2026'?"),
        ("demand_year = 2026", "demand_year = 2027", "select.demand_year is 2027, which no row names; expected one of 2026, 2035"),
        ("base_year = 2026", 'base_year = 2026\ndefault_scenario = ["2053"]',
         "default_scenario holds '2053', expected a scenario; did you mean '2035'?"),
        ("[horizon]", '[transshipment]\nterminal_id = "TD"\n[horizon]',
         "transshipment.terminal_id is 'TD', expected a terminal in terminals.csv"),
    ],
)  # fmt: skip
def test_faults_of_corridor_toml(old, new, expected, edit, faults_of):
    assert faults_of(edit("corridor.toml", old, new)) == [f"corridor.toml: {expected}"]


def test_deeply_nested_toml(faults_of):
    told = faults_of({"scenarios/deep.toml": "a = " + "[" * 5000 + "]" * 5000})
    assert len(told) == 1
    assert told[0].startswith("scenarios/deep.toml: is not valid TOML (")


# ------------------------------------------------------------------------------------------------ not an instance


def test_no_such_path(write_files, faults_of):
    path = write_files()
    assert faults_of(path=path.with_name("smal")) == ["smal: there is no such file or directory; did you mean 'small'?"]


def test_directory_of_something_else(tmp_path: Path, faults_of):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    assert faults_of(path=tmp_path) == [
        f"{tmp_path.name}: is not an instance: a directory without corridor.toml and tables such as nodes.csv"
    ]


def test_directory_without_settings(faults_of):
    assert faults_of({"corridor.toml": None}) == [
        "corridor.toml: is missing, expected this file with name, schema_version = 1, base_year and source"
    ]


def test_some_other_file(tmp_path: Path, faults_of):
    path = tmp_path / "corridor.json"
    path.write_text("{}")
    assert faults_of(path=path) == ["corridor.json: is not an instance, expected a directory, a .zip or a .xlsx"]


@pytest.mark.parametrize("missing", ["commodities", "wagons"])
def test_a_missing_table_is_one_fault_not_one_for_every_row_that_names_it(
    instances_dir: Path, tmp_path: Path, missing: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(instances_dir / "kazakhstan-pakistan", copy)
    (copy / f"{missing}.csv").unlink()
    with pytest.raises(InstanceError) as caught:
        read_instance(copy)
    assert len(caught.value.faults) <= 3, caught.value
    assert f"{missing}.csv: " in str(caught.value)
