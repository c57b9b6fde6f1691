"""From stored results to a page: a chapter for each family, plans of one family side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from optimizer.families import FAMILIES
from optimizer.models.port_choice import PortChoice
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.transshipment.problem import Transshipment
from optimizer.report import port_choice
from optimizer.report.cases import Case, Extras
from optimizer.report.page import Block, Cell, Chapter, DataTable, KeyFigure, KeyFigures, Notice, Page, Section
from optimizer.report.trust import trust_section
from optimizer.report.words import figure_words

CHAPTERS = {
    "port-choice": "Routes and ports",
    "transshipment": "Change of gauge at the terminal",
    "rolling-stock": "Wagons and locomotives",
}
MOST_PLANNED = 10_000
"""Plans with more routes are summed up in charts; their rows are for the result directory, not for a page."""

Tell = Callable[[str], None]


def build_page(cases: Sequence[Case], extras: Extras | None = None, tell: Tell | None = None) -> Page:
    """
    The report of one result or several.

    Parameters
    ----------
    cases
        Of one instance; a chapter for each family (dated and annual port choice apart), in order of appearance.
    tell
        Called with a line before each long step.
    """
    extras, tell = extras or Extras(), tell or (lambda _: None)
    groups: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        options = case.result.options
        key = (case.result.family, options.get("dated"), options.get("terminal"), options.get("stock"))
        groups.setdefault(key, []).append(case)
    chapters = [_chapter(mine, extras, tell) for mine in groups.values()]
    first = cases[0].corridor
    scenarios = "; ".join(dict.fromkeys(", ".join(case.result.scenario) or "base" for case in cases))
    colophon = [
        f"Instance {first.name}, hash {first.instance.hash[:16]}. {first.config.source}",
        *(
            f"{case.label}: {case.result.family} by {case.result.method} with {case.result.solver}, "
            f"seed {case.result.seed}; "
            + ", ".join(f"{name} {version}" for name, version in case.result.versions.items())
            for case in cases
        ),
        "Charts: Apache ECharts (Apache-2.0). Coastlines and borders: Natural Earth (public domain). "
        "The file is complete in itself: it loads nothing and sends nothing.",
    ]
    return Page(first.name, f"Scenario: {scenarios}", chapters, colophon)


def _chapter(cases: Sequence[Case], extras: Extras, tell: Tell) -> Chapter:
    family = cases[0].result.family
    planned = [case for case in cases if case.result.solution is not None and not _unreadable(case)]
    sections = [_glance(cases)]
    views: dict[str, port_choice.PlanView] = {}
    if planned and isinstance(planned[0].problem, PortChoice):
        views = {case.path: port_choice.PlanView(case) for case in planned}
        sections += _port_choice(list(views.values()), extras, tell)
    elif planned and isinstance(planned[0].problem, Transshipment):
        from optimizer.report.terminal import terminal_sections

        sections += terminal_sections(planned)
    elif planned and isinstance(planned[0].problem, RollingStock):
        from optimizer.report.rolling_stock import stock_sections

        sections += stock_sections(planned)
    small = [case for case in planned if _size(case) <= MOST_PLANNED]
    if small:
        tell(f"{family}: checking key figures")
    differing = {case.path: differing_figures(case) for case in small}
    sections.append(trust_section(cases, views, differing))
    sections += [_tables(case, len(planned) > 1) for case in small]
    title = CHAPTERS.get(family, family)
    if cases[0].result.options.get("dated"):
        title += ", day by day"
    if family == "rolling-stock":
        title = "Locomotives" if cases[0].result.options.get("stock") == "locomotives" else "Wagons"
    return Chapter(title, sections)


def _size(case: Case) -> int:
    """Rows of the longest table that says what moves."""
    return max((len(table) for name, table in (case.result.solution or {}).items() if name != "legs"), default=0)


def _unreadable(case: Case) -> bool:
    """Plans that break rules may name what does not exist; nothing is drawn of them."""
    return bool(case.violations)


def _port_choice(views: Sequence[port_choice.PlanView], extras: Extras, tell: Tell) -> list[Section]:
    sections = [
        Section("Map", [port_choice.plan_map(views)]),
        port_choice.ports_section(views),
        port_choice.chains_section(views),
        port_choice.binding_section(views),
    ]
    if len(views) > 1:
        from optimizer.report.comparison import comparison_section

        sections.append(comparison_section(views, extras, tell))
    if extras.switches:
        from optimizer.report.switch import switch_section

        sections.append(switch_section(extras.switches, views[0].trips.names))
    if extras.sensitivity:
        from optimizer.report.sensitivity import sensitivity_section

        sections.append(sensitivity_section(views[0], extras.sensitivity, extras.time_limit_s, tell))
    return sections


def _glance(cases: Sequence[Case]) -> Section:
    """What was found, in a sentence and in figures."""
    blocks: list[Block] = []
    for case in cases:
        result = case.result
        if result.solution is None:
            known = "; ".join(result.conflicts[:8]) or "no reason was recorded"
            why = "there is no plan" if result.status == "INFEASIBLE" else "no plan was found in time"
            blocks.append(Notice("bad", f"{case.label}: {result.status}, {why}. {known}"))
        elif case.violations:
            blocks.append(
                Notice("bad", f"{case.label}: the plan fails verification ({case.violations[0]}); it is not drawn.")
            )
        else:
            words = f"{_money_words(result.cost, result.bound)} {_nothing_moves(case)}".strip()
            blocks.append(Notice("good", f"{case.label}: {result.status}. {words}"))
    shown = [case for case in cases if case.result.solution is not None]
    figures = [
        KeyFigure("cost", "Cost of the plan", "USD", [case.result.cost for case in shown]),
        KeyFigure("bound", "No plan costs less than", "USD", [case.result.bound for case in shown]),
    ]
    for name in dict.fromkeys(name for case in shown for name in case.result.kpis):
        label, unit = figure_words(name)
        figures.append(KeyFigure(name, label, unit, [case.result.kpis.get(name) for case in shown]))
    if shown:
        blocks.append(KeyFigures([case.label for case in shown], figures))
    return Section("At a glance", blocks)


def _money_words(cost: float | None, bound: float | None) -> str:
    if cost is None:
        return ""
    words = f"It costs {cost:,.0f} USD"
    if bound is None:
        return f"{words}; how much better another plan could be is not known."
    return f"{words}, and no plan can cost less than {bound:,.0f} USD."


def _nothing_moves(case: Case) -> str:
    solution = case.result.solution or {}
    moving = [name for name in ("routes", "runs", "stages", "loads") if name in solution and len(solution[name])]
    return "" if moving else "Nothing moves in this plan."


def differing_figures(case: Case) -> list[str]:
    """Key figures of ``result.json`` that are not those of the plan."""
    if case.result.solution is None or case.violations:
        return []
    figures = FAMILIES[case.result.family].kpis(case.problem, case.result.solution)
    stored = case.result.kpis
    return [name for name, value in figures.items() if name in stored and not _same(stored[name], value)]


def _same(stored: float | str, value: float | str) -> bool:
    if isinstance(stored, str) or isinstance(value, str):
        return str(stored) == str(value)
    return math.isclose(stored, float(value), rel_tol=1e-6, abs_tol=1e-6)


def _tables(case: Case, named: bool) -> Section:
    """The tables the command prints."""
    assert case.result.solution is not None
    tables = FAMILIES[case.result.family].report(case.problem, case.result.solution)
    blocks: list[Block] = [
        DataTable(table.title, list(table.columns), [list(map(_cell, row)) for row in table.rows], table.note)
        for table in tables
    ]
    return Section(f"The plan in tables{f': {case.label}' if named else ''}", blocks, folded=True)


def _cell(text: str) -> Cell:
    """Numbers stay as the family words them, apart from standing right."""
    return text
