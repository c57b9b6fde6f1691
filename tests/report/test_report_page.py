"""Pages: escaped text, safe data, tables cut, numbers as people write them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.report import page
from optimizer.report.page import Chapter, DataTable, Figure, KeyFigure, KeyFigures, Notice, Page, Section
from optimizer.report.words import figure_words

HOSTILE = "</script><script>alert('\"')</script><!-- & \u2028 کراچی Алматы"


def one_page(text: str) -> Page:
    table = DataTable(text, [text, "n"], [[text, 1.5]], text)
    figure = Figure(
        "bars", text, {"categories": [text], "series": [{"name": text, "values": [1.0]}], "unit": text}, text, table
    )
    figures = KeyFigures([text], [KeyFigure(text, text, text, [text])])
    return Page(
        text, text, [Chapter(text, [Section(text, [text, Notice("good", text), figures, table, figure])])], [text]
    )


class Tags(HTMLParser):
    """Every tag of a page with the names of its attributes, and every comment."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.seen.append(("comment",))

    @classmethod
    def of(cls, html: str) -> list[tuple[str, ...]]:
        # The library is the same in every page and slow to parse.
        parser = cls()
        parser.feed(html.replace(str(page._asset("echarts.min.js")), ""))
        return parser.seen


@settings(max_examples=30, deadline=None)
@given(text=st.text(min_size=1) | st.just(HOSTILE) | st.just("<img src=x onerror=alert(1)>"))
def test_any_text_stays_text(text: str) -> None:
    html = page.render(one_page(text))
    assert Tags.of(html) == Tags.of(page.render(one_page("plain")))
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    figure = json.loads(data[1])["figures"]["c0s0b4"]
    assert figure["title"] == text
    assert figure["data"]["categories"] == [text]


def test_nothing_is_fetched() -> None:
    html = page.render(one_page("plain"))
    own = html.replace(str(page._asset("echarts.min.js")), "")
    assert not re.findall(r'(?:src|href)="(?!#)', own)
    assert "default-src 'none'" in own
    assert "http" not in own.replace("http-equiv", "")


def test_a_long_table_is_cut_with_a_note() -> None:
    table = DataTable("t", ["a"], [[number] for number in range(5000)], "sorted")
    assert len(table.shown) == page.MOST_ROWS
    assert table.notes == "the first 200 of 5,000 rows; sorted"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (14895000.0, "14,895,000"),
        (-1234.5, "−1,234"),
        (99.87, "99.9"),
        (0.2381, "0.238"),
        (float("nan"), "–"),
        (None, ""),
        ("1e3", "1e3"),
    ],
)
def test_numbers(value: float | str | None, text: str) -> None:
    assert page.number(value) == text


def test_json_has_neither_infinities_nor_numpy() -> None:
    content = {"a": np.float64(1.5), "b": [np.int64(2), float("inf"), float("nan")], "c": np.array([1.0])}
    assert json.loads(page.safe_json(content)) == {"a": 1.5, "b": [2, None, None], "c": [1]}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("served, t", ("Served", "t")),
        ("crane_use_pct", ("Crane use", "%")),
        ("used_peak_1520_mm", ("Used peak 1520 mm", "")),
        ("money for sea, USD/t", ("Money for sea", "USD/t")),
        ("trains", ("Trains", "")),
        ("loads_missed", ("Loads missed", "")),
    ],
)
def test_key_figures_in_words(name: str, words: tuple[str, str]) -> None:
    assert figure_words(name) == words


def test_a_page_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "out.html"
    size = page.write_page(one_page("plain"), target)
    assert target.stat().st_size == size
    with pytest.raises(UsageError, match=r"does not end in \.html"):
        page.write_page(one_page("plain"), tmp_path / "out.pdf")
    (tmp_path / "d.html").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        page.write_page(one_page("plain"), tmp_path / "d.html")
    with pytest.raises(UsageError, match="there is no directory"):
        page.write_page(one_page("plain"), tmp_path / "no" / "out.html")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d.html", "out.html"]
