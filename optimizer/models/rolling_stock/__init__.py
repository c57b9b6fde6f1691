"""Rolling stock: wagons by type over the days of the horizon, or locomotives for dated trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optimizer.models.family import Explanation, Family, Inquiry, News, Replanned, SolveOptions
from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import SOLUTION_TABLES, RollingStock
from optimizer.result import Outcome, Solution, Violation

# Models bring in PuLP, OR-Tools and numba; they are imported when used to keep the command's start fast.


def _exact(problem: RollingStock, options: SolveOptions) -> Outcome:
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.exact import solve_trains

        return solve_trains(problem, options)
    from optimizer.models.rolling_stock.wagons.allocate import solve_exact

    return solve_exact(problem, options)


def _engine(problem: RollingStock, options: SolveOptions) -> Outcome:
    if (options.solver or "highs").lower() != "highs":
        return _exact(problem, options)  # other solvers get the programme as it stands
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.engine import solve_trains_engine

        return solve_trains_engine(problem, options)
    from optimizer.models.rolling_stock.wagons.engine import solve_engine

    return solve_engine(problem, options)


def _crosscheck(problem: RollingStock, options: SolveOptions) -> Outcome:
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.crosscheck import solve_crosscheck_trains

        return solve_crosscheck_trains(problem, options)
    from optimizer.models.rolling_stock.wagons.crosscheck import solve_crosscheck

    return solve_crosscheck(problem, options)


@collector_paused()
def _verify(problem: RollingStock, solution: Solution, cost: float | None = None) -> tuple[Violation, ...]:
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.verify import verify_trains

        return verify_trains(problem, solution, cost)
    from optimizer.models.rolling_stock.wagons.verify import verify_wagons

    return verify_wagons(problem, solution, cost)


def _export(problem: RollingStock, path: Path) -> None:
    from optimizer.models.rolling_stock.wagons.allocate import export

    export(problem, path)


def _kpis(problem: RollingStock, solution: Solution) -> Any:
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.report import kpis_trains

        return kpis_trains(problem, solution)
    from optimizer.models.rolling_stock.wagons.report import kpis

    return kpis(problem, solution)


def _report(problem: RollingStock, solution: Solution) -> Any:
    if problem.stock == "locomotives":
        from optimizer.models.rolling_stock.locomotives.report import report_trains

        return report_trains(problem, solution)
    from optimizer.models.rolling_stock.wagons.report import report

    return report(problem, solution)


def _explain(problem: RollingStock, solution: Solution, inquiry: Inquiry) -> Explanation:
    from optimizer.models.rolling_stock.explain import explain

    return explain(problem, solution, inquiry)


def _replan(problem: RollingStock, solution: Solution, news: News, options: SolveOptions) -> Replanned:
    from optimizer.models.rolling_stock.wagons.replan import replan

    return replan(problem, solution, news, options)


FAMILY = Family(
    name="rolling-stock",
    problem=RollingStock,
    methods={"engine": _engine, "exact": _exact, "crosscheck": _crosscheck},
    solvers={"engine": ("highs", "*"), "exact": ("highs", "*"), "crosscheck": ("highs", "scip")},
    solution_tables=SOLUTION_TABLES,
    verify=_verify,
    export=_export,
    kpis=_kpis,
    report=_report,
    explain=_explain,
    replan=_replan,
    proofs={
        "engine": "least costs of parts of the horizon at prices that join them, or the dual bound of the exact method",
        "exact": "dual bound of the linear relaxation, or of the last search that looked at all plans",
        "crosscheck": "dual bound of the second formulation",
        "replan": "prices of the old plan or of the relaxation of the rest, made valid; for plans that begin alike",
    },
)
