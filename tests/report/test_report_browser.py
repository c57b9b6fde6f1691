"""Reports in a browser: empty console, numbers of ``result.json``, filters, hostile names as text, phone and print."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import optimizer as opt
from optimizer.cli import cli

Open = Callable[[Path], Any]


@pytest.fixture(scope="module")
def report(stored: Mapping[str, Path], hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Written reports by name."""
    folder = tmp_path_factory.mktemp("reports")
    made = {}
    for name, paths in {
        "one": [stored["ports"]],
        "two": [stored["ports"], stored["east-shut"]],
        "terminal": [stored["terminal"]],
        "stock": [stored["wagons"], stored["locomotives"]],
        "hostile": [hostile],
    }.items():
        out = folder / f"{name}.html"
        done = CliRunner().invoke(cli, ["report", *map(str, paths), "--out", str(out), "--sensitivity", "3"])
        assert done.exit_code == 0, done.output
        made[name] = out
    return made


def chart(page: Any, title: str) -> str:
    """Id of the chart under a caption that starts with ``title``."""
    return page.execute_script(
        "return [...document.querySelectorAll('figure')].find(f => f.querySelector('figcaption').textContent"
        ".startsWith(arguments[0])).querySelector('.chart').id",
        title,
    )


def drawn(page: Any, title: str) -> list[dict[str, Any]]:
    """Name and number of data of each series a chart draws."""
    return page.execute_script(
        "return report.charts.get(arguments[0]).chart.getOption().series"
        ".map(s => ({name: s.name, count: (s.data || []).length, values: (s.data || []).map(d => d.value)}))",
        chart(page, title),
    )


@pytest.mark.parametrize(("name", "result"), [("one", "ports"), ("terminal", "terminal")])
def test_the_numbers_are_those_of_the_result(
    report: Mapping[str, Path], stored: Mapping[str, Path], opened: Open, name: str, result: str
) -> None:
    page = opened(report[name])
    content = json.loads((stored[result] / "result.json").read_text())
    shown = page.execute_script(
        "return Object.fromEntries("
        "[...document.querySelectorAll('[data-key]')].map(e => [e.dataset.key, e.dataset.value]))"
    )
    wanted = content["kpis"] | {"cost": content["cost"], "bound": content["bound"]}
    assert set(shown) == set(wanted)
    for key, value in wanted.items():
        assert shown[key] == value if isinstance(value, str) else float(shown[key]) == pytest.approx(value), key


def test_charts_draw_what_the_plan_says(report: Mapping[str, Path], stored: Mapping[str, Path], opened: Open) -> None:
    page = opened(report["one"])
    kpis = json.loads((stored["ports"] / "result.json").read_text())["kpis"]
    ports = drawn(page, "Through which port")[0]
    assert sum(ports["values"]) == pytest.approx(100)
    money = sum(series["values"][0] for series in drawn(page, "What a tonne costs"))
    assert money == pytest.approx(kpis["money, USD/t"] + kpis["cost of time, USD/t"], rel=1e-6)
    days = sum(series["values"][0] for series in drawn(page, "How long a tonne"))
    assert days == pytest.approx(kpis["door to door, days"], rel=1e-6)


def test_the_gantt_has_every_train_and_work(
    report: Mapping[str, Path], stored: Mapping[str, Path], opened: Open
) -> None:
    plan = opt.read_result(stored["terminal"]).solution
    assert plan is not None
    modes = plan["loads"]["mode"].value_counts().to_dict()
    bars = drawn(opened(report["terminal"]), "Who stands and works where")
    count = {series["name"]: series["count"] for series in bars}
    assert sum(n for name, n in count.items() if name.startswith("train")) == len(plan["trains"])
    names = {"direct": "direct move", "yard": "into the yard", "bogie": "bogie exchange"}
    assert {mode: count[name] for mode, name in names.items() if name in count} == {
        mode: number for mode, number in modes.items() if mode != "missed"
    }


def test_the_string_lines_and_the_balance(report: Mapping[str, Path], opened: Open) -> None:
    page = opened(report["stock"])
    strings = {series["name"]: series["count"] for series in drawn(page, "Wagons in time and space") if series["name"]}
    assert sum(strings.values()) >= 3
    assert sum(series["count"] for series in drawn(page, "Wagons standing")) > 0
    assert sum(series["count"] for series in drawn(page, "Trains and locomotives in time")) > 0


def test_the_map_filters_by_cargo_and_plan(report: Mapping[str, Path], opened: Open) -> None:
    from selenium.webdriver.support.ui import Select

    page = opened(report["two"])
    controls = page.find_element("id", f"{chart(page, 'Map of the corridor')}c")
    selects = [Select(element) for element in controls.find_elements("tag name", "select")]

    def widths() -> list[float]:
        return page.execute_script(
            "return report.charts.get(arguments[0]).chart.getOption().series.filter(s => s.type === 'lines')"
            ".flatMap(s => s.data.map(d => [s.name, d.title, d.lineStyle.width]))",
            chart(page, "Map of the corridor"),
        )

    before = widths()
    assert not any(name == "closed" for name, _, _ in before)
    plan = next(select for select in selects if len(select.options) == 3)
    plan.select_by_visible_text("east-shut")
    after = widths()
    assert after != before
    assert any(name == "closed" for name, _, _ in after)
    plan.select_by_visible_text("Change: east-shut less base")
    assert widths() not in (before, after)
    for button in controls.find_elements("tag name", "button"):
        button.click()
    assert page.get_log("browser") == []


def test_hostile_names_are_text(report: Mapping[str, Path], hostile_names: Mapping[str, str], opened: Open) -> None:
    page = opened(report["hostile"])
    assert page.execute_script("return window.hacked") is None
    text = page.execute_script("return document.body.textContent")
    titles = page.execute_script(
        "return report.charts.get(arguments[0]).chart.getOption().series.filter(s => s.type === 'scatter')"
        ".flatMap(s => s.data.map(d => d.title))",
        chart(page, "Map of the corridor"),
    )
    for name in hostile_names.values():
        assert name in text
        assert name in titles
    # A tooltip is put together from text: point at the port with markup in its name.
    page.execute_script(
        "const {chart} = report.charts.get(arguments[0]);"
        "const at = chart.getOption().series.findIndex(s => s.name === 'sea port');"
        "chart.dispatchAction({type: 'showTip', seriesIndex: at, dataIndex: 0})",
        chart(page, "Map of the corridor"),
    )
    tip = page.execute_script("return document.querySelector('.tip').textContent")
    assert "place" in tip
    assert page.execute_script("return document.querySelectorAll('.tip b b, .tip script').length") == 0
    assert page.execute_script("return window.hacked") is None


def test_themes_patterns_phone_and_print(report: Mapping[str, Path], opened: Open, browser: Any) -> None:
    page = opened(report["two"])
    for button in ("theme", "patterns", "patterns", "theme"):
        page.find_element("id", button).click()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        opened(report["two"])
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 375
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(pdf["data"]) > 10_000
    assert browser.get_log("browser") == []


def test_it_can_be_read_without_seeing_or_pointing(report: Mapping[str, Path], opened: Open) -> None:
    page = opened(report["two"])
    charts = page.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => ["
        "c.getAttribute('role'), c.getAttribute('aria-label'),"
        " !!c.closest('figure').querySelector('details table caption')])"
    )
    assert charts
    for role, label, has_table in charts:
        assert role == "img"
        assert len(label) > 30
        assert has_table
    assert page.execute_script("return document.querySelectorAll('th:not([scope])').length") == 0
    assert page.execute_script("return document.querySelectorAll('select').length") == len(
        page.find_elements("css selector", "label > select")
    )
    page.find_element("tag name", "body").send_keys("\ue004")  # Tab: the link that skips to the report comes first
    assert page.execute_script("return document.activeElement.className") == "skip"


def test_contrast_of_text(report: Mapping[str, Path], opened: Open) -> None:
    """Text on its ground reaches 4.5 to 1 in both themes (WCAG 2.2, 1.4.3)."""
    page = opened(report["one"])
    for theme in ("light", "dark"):
        colours = page.execute_script(
            "document.documentElement.dataset.theme = arguments[0];"
            "const style = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(['paper', 'panel', 'ink', 'soft', 'accent']"
            ".map(n => [n, style.getPropertyValue('--' + n).trim()]))",
            theme,
        )
        for front in ("ink", "soft", "accent"):
            for ground in ("paper", "panel"):
                assert contrast(colours[front], colours[ground]) >= 4.5, (theme, front, ground)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
