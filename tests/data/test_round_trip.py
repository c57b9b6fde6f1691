"""Directory, zip and workbook say the same, whatever the tables hold."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from optimizer.data.columns import Column, columns_of, frame
from optimizer.data.containers import open_directory, open_workbook, open_zip
from optimizer.data.reading import empty_table, instance_hash, make_instance, read_instance
from optimizer.data.rows import parse_table
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.data.writing import csv_text, table_cells, write_instance

SETTINGS = Config(name="drawn", schema_version=1, base_year=2026, source="drawn")

# what a cell can hold: no control characters, no spaces around, no other line end than \n
_letters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
_texts = st.text(_letters | st.sampled_from("\",;=\n\t'0_x"), max_size=12).map(str.strip)
_names = st.text(_letters.filter(lambda c: c != ";"), min_size=1, max_size=8).map(str.strip).filter(bool)


def values(column: Column) -> st.SearchStrategy:
    """Values a column can hold; None for blank."""
    if column.choices:
        filled: st.SearchStrategy = st.sampled_from(column.choices)
    elif column.kind == "flag":
        filled = st.booleans()
    elif column.kind == "list":
        filled = st.lists(_names, min_size=1, max_size=3).map(tuple)
        if "hours" in column.expected:
            filled = st.lists(st.sampled_from(["0-6", "6.5-14", "22-24"]), min_size=1, max_size=2).map(tuple)
    elif column.kind == "int":
        low, high = column.minimum or 0, column.maximum or 2**53
        filled = st.integers(int(low), int(high))
    elif column.kind == "float":
        low, high = column.minimum, column.maximum
        if column.above is not None:
            low = math.nextafter(column.above, math.inf)
        filled = st.floats(low, high, allow_nan=False, allow_infinity=False)
    elif "country" in column.expected:
        filled = st.sampled_from(["KZ", "PK"])
    elif "an id" in column.expected:
        filled = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,8}\Z")
    else:
        filled = _texts.filter(bool)
    return filled if column.required else st.none() | filled


@st.composite
def tables(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    """A few tables with a few rows each, every value within its column's bounds."""
    chosen = draw(st.lists(st.sampled_from(sorted(TABLES)), min_size=1, max_size=3, unique=True))
    made = {}
    for name in chosen:
        count = draw(st.integers(1, 3))
        columns = columns_of(TABLES[name])
        rows = {key: [draw(values(column)) for _ in range(count)] for key, column in columns.items()}
        made[name] = frame(TABLES[name], rows)
    return made


@settings(deadline=None, max_examples=25)
@given(
    drawn=tables(),
    texts=st.dictionaries(st.sampled_from(["a", "b"]), _texts.map(lambda t: f"# {t}\n".replace("\n", " ") + "\n")),
)
def test_the_three_containers_hold_the_same(drawn, texts, tmp_path_factory):
    made = make_instance(SETTINGS, drawn, texts)
    folder: Path = tmp_path_factory.mktemp("trip")
    for target, opener in (("d", open_directory), ("z.zip", open_zip), ("x.xlsx", open_workbook)):
        write_instance(made, folder / target)
        files = opener(folder / target)
        assert files.faults == []
        back = {}
        for name, source in files.tables.items():
            table, faults = parse_table(name, TABLES[name], source)
            assert faults == [] or (not len(made.tables[name]))
            back[name] = table
        for name, table in drawn.items():
            pd.testing.assert_frame_equal(
                back[name].reset_index(drop=True), table.reset_index(drop=True), check_exact=True
            )
        complete = {name: back.get(name, empty_table(name)) for name in TABLES}
        read_texts = {Path(file).stem: data.decode() for file, data in files.tomls.items() if "/" in file}
        assert instance_hash(SETTINGS, complete, read_texts) == made.hash


@settings(deadline=None, max_examples=25)
@given(drawn=tables())
def test_the_hash_ignores_the_order_of_columns_and_notices_every_cell(drawn):
    made = make_instance(SETTINGS, drawn)
    turned = {name: table[list(table.columns)[::-1]] for name, table in drawn.items()}
    assert make_instance(SETTINGS, turned).hash == made.hash
    name, table = next(iter(drawn.items()))
    noted = table.assign(notes=["other words", *table["notes"].tolist()[1:]])
    if table["notes"].iloc[0] != "other words":
        assert make_instance(SETTINGS, {**drawn, name: noted}).hash != made.hash


def test_the_small_instance_survives_a_journey(write_files, tmp_path):
    first = read_instance(write_files())
    made = first
    for target in ("a.zip", "b.xlsx", "c", "d.xlsx", "e.zip"):
        write_instance(made, tmp_path / target)
        made = read_instance(tmp_path / target)
        assert made.hash == first.hash
        assert made.scenarios == first.scenarios
        assert made.scenario_texts == first.scenario_texts
        assert made.config == first.config
        for name in TABLES:
            pd.testing.assert_frame_equal(made.tables[name], first.tables[name])


def test_types_and_defaults_of_a_table(write_files):
    links = read_instance(write_files()).tables["links"]
    assert links.index.name == "line"
    assert links.index.tolist() == [2, 3, 4, 5]
    assert list(links.columns) == list(columns_of(TABLES["links"]))
    assert links["networks"].tolist() == [(), ("2026", "2035"), (), ("2035",)]
    assert links["status"].tolist() == ["operating"] * 4
    assert links["gauge_mm"].dtype == np.float64
    assert np.isnan(links["gauge_mm"].iloc[2])
    assert links["source"].tolist() == [""] * 4


def test_absent_tables_are_empty_and_typed(write_files):
    calls = read_instance(write_files({"emissions.csv": None})).tables["emissions"]
    assert len(calls) == 0
    assert calls["value"].dtype == np.float64
    assert calls["mode"].dtype == object


def test_every_column_of_every_table_has_words(write_files):
    for name, model in TABLES.items():
        for column in columns_of(model).values():
            assert column.expected, (name, column.name)
            assert column.description, (name, column.name)


@pytest.mark.parametrize("number", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789])
def test_numbers_keep_every_digit(number, tmp_path):
    table = frame(
        TABLES["emissions"], {"emission_id": ["E"], "mode": ["rail"], "unit": ["g_co2e_per_tkm"], "value": [number]}
    )
    text = csv_text(table_cells(TABLES["emissions"], table, "emissions.csv"))
    assert parse_table("emissions", TABLES["emissions"], text)[0]["value"].iloc[0] == number


def test_fifty_thousand_shipments_are_read_in_five_seconds(small, write_files):
    head = "shipment_id,lane_id,origin,destination,commodity_id,year,quantity_t,release_day,due_day,unserved_usd_per_t"
    rows = "\n".join(
        f"P{n},L{1 + n % 2},A,E,{'grain' if n % 2 else 'tea'},2026,{n % 97 + 0.5},{n % 20},{n % 20 + 7},500"
        for n in range(50_000)
    )
    path = write_files({"shipments.csv": f"{head}\n{rows}\n"})
    start = time.process_time()
    made = read_instance(path)
    assert time.process_time() - start < 5
    assert len(made.tables["shipments"]) == 50_000


@pytest.mark.parametrize("name", TABLES)
def test_a_whole_number_is_refused_just_where_its_words_say(name):
    def refused(key, number):
        """Whether a row with nothing but this number has a fault in it."""
        with pytest.raises(ValidationError) as raised:
            TABLES[name].model_validate({key: str(int(number)), "confidence": "none"})
        return key in {fault["loc"][0] for fault in raised.value.errors()}

    for key, column in columns_of(TABLES[name]).items():
        if column.kind == "int" and not column.choices:
            assert refused(key, -(10**12)) == (column.minimum is not None)
            assert refused(key, 10**12) == (column.maximum is not None)
            for bound, beyond in ((column.minimum, -1), (column.maximum, 1)):
                if bound is not None:
                    assert f"{bound:g}" in column.expected
                    assert refused(key, bound + beyond)
                    assert not refused(key, bound)
