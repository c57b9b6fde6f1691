"""Gauge-change transshipment: which train stands where and when, and how each load gets over the break of gauge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from optimizer.models.family import Explanation, Family, Inquiry, News, Replanned, SolveOptions, Table
from optimizer.models.transshipment.problem import SOLUTION_TABLES, Transshipment
from optimizer.result import Outcome, Solution, Violation

# The modules behind these functions load solvers; they wait until they are called.


def _exact(problem: Transshipment, options: SolveOptions) -> Outcome:
    from optimizer.models.transshipment.search import solve_exact

    return solve_exact(problem, options)


def _engine(problem: Transshipment, options: SolveOptions) -> Outcome:
    from optimizer.models.transshipment.engine import solve_engine

    return solve_engine(problem, options)


def _crosscheck(problem: Transshipment, options: SolveOptions) -> Outcome:
    from optimizer.models.transshipment.crosscheck import solve_crosscheck

    return solve_crosscheck(problem, options)


def _verify(problem: Transshipment, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    from optimizer.models.transshipment.verify import verify

    return verify(problem, solution, cost)


def _export(problem: Transshipment, path: Path) -> None:
    from optimizer.models.transshipment.crosscheck import export_model

    export_model(problem, path)


def _kpis(problem: Transshipment, solution: Solution) -> Mapping[str, float | str]:
    from optimizer.models.transshipment.report import kpis

    return kpis(problem, solution)


def _report(problem: Transshipment, solution: Solution) -> Sequence[Table]:
    from optimizer.models.transshipment.report import report

    return report(problem, solution)


def _explain(problem: Transshipment, solution: Solution, inquiry: Inquiry) -> Explanation:
    from optimizer.models.transshipment.explain import explain

    return explain(problem, solution, inquiry)


def _replan(problem: Transshipment, solution: Solution, news: News, options: SolveOptions) -> Replanned:
    from optimizer.models.transshipment.replan import replan_news

    return replan_news(problem, solution, news, options)


FAMILY = Family(
    name="transshipment",
    problem=Transshipment,
    methods={"engine": _engine, "exact": _exact, "crosscheck": _crosscheck},
    solvers={"engine": ("highs",), "exact": ("cp-sat",), "crosscheck": ("highs", "*")},
    solution_tables=SOLUTION_TABLES,
    verify=_verify,
    export=_export,
    kpis=_kpis,
    report=_report,
    explain=_explain,
    replan=_replan,
    proofs={
        "exact": "search by CP-SAT, or a relaxation without tracks, yard and bogies, whichever proves more",
        "engine": "linear relaxation of the whole horizon in buckets of time; of small terminals a search by CP-SAT",
        "crosscheck": "dual bound of the mixed-integer programme",
        "replan": "linear relaxation of what is left; for plans that begin alike",
    },
)
