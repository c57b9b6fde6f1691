"""Gauge choice: the gauge of every undecided section, and where, with what and how large the gauge changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from optimizer.models.family import Family, SolveOptions, Table
from optimizer.models.gauge_choice.problem import SOLUTION_TABLES, GaugeChoice
from optimizer.result import Outcome, Solution, Violation

# The modules behind these functions load solvers and compiled code; they wait until they are called.


def _exact(problem: GaugeChoice, options: SolveOptions) -> Outcome:
    from optimizer.models.gauge_choice.exact import solve_exact

    return solve_exact(problem, options)


def _crosscheck(problem: GaugeChoice, options: SolveOptions) -> Outcome:
    from optimizer.models.gauge_choice.crosscheck import solve_crosscheck

    return solve_crosscheck(problem, options)


def _verify(problem: GaugeChoice, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    from optimizer.models.gauge_choice.verify import verify

    return verify(problem, solution, cost)


def _export(problem: GaugeChoice, path: Path) -> None:
    from optimizer.models.gauge_choice.exact import export_model

    export_model(problem, path)


def _kpis(problem: GaugeChoice, solution: Solution) -> Mapping[str, float | str]:
    from optimizer.models.gauge_choice.report import kpis

    return kpis(problem, solution)


def _report(problem: GaugeChoice, solution: Solution) -> Sequence[Table]:
    from optimizer.models.gauge_choice.report import report

    return report(problem, solution)


FAMILY = Family(
    name="gauge-choice",
    problem=GaugeChoice,
    methods={"exact": _exact, "crosscheck": _crosscheck},
    solvers={"exact": ("highs", "*"), "crosscheck": ("highs", "scip")},
    solution_tables=SOLUTION_TABLES,
    verify=_verify,
    export=_export,
    kpis=_kpis,
    report=_report,
)

__all__ = ["FAMILY", "GaugeChoice"]
