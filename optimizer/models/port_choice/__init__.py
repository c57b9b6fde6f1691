"""Port choice: through which port, gauge-change point and route each load travels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from optimizer.models.family import Explanation, Family, Inquiry, SolveOptions, Table
from optimizer.models.port_choice.problem import SOLUTION_TABLES, PortChoice
from optimizer.result import Outcome, Solution, Violation

# The modules behind these functions load solvers and compiled code; they wait until they are called.


def _engine(problem: PortChoice, options: SolveOptions) -> Outcome:
    from optimizer.models.port_choice.engine import solve_engine

    return solve_engine(problem, options)


def _exact(problem: PortChoice, options: SolveOptions) -> Outcome:
    from optimizer.models.port_choice.exact import solve_exact

    return solve_exact(problem, options)


def _crosscheck(problem: PortChoice, options: SolveOptions) -> Outcome:
    from optimizer.models.port_choice.crosscheck import solve_crosscheck

    return solve_crosscheck(problem, options)


def _verify(problem: PortChoice, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    from optimizer.models.port_choice.verify import verify

    return verify(problem, solution, cost)


def _export(problem: PortChoice, path: Path) -> None:
    from optimizer.models.port_choice.exact import export_model

    export_model(problem, path)


def _kpis(problem: PortChoice, solution: Solution) -> Mapping[str, float | str]:
    from optimizer.models.port_choice.report import kpis

    return kpis(problem, solution)


def _report(problem: PortChoice, solution: Solution) -> Sequence[Table]:
    from optimizer.models.port_choice.report import report

    return report(problem, solution)


def _explain(problem: PortChoice, solution: Solution, inquiry: Inquiry) -> Explanation:
    from optimizer.models.port_choice.explain import explain

    return explain(problem, solution, inquiry)


FAMILY = Family(
    name="port-choice",
    problem=PortChoice,
    methods={"engine": _engine, "exact": _exact, "crosscheck": _crosscheck},
    solvers={"engine": ("route-flow",), "exact": ("highs", "*"), "crosscheck": ("highs", "glop", "pdlp", "scip")},
    solution_tables=SOLUTION_TABLES,
    verify=_verify,
    export=_export,
    kpis=_kpis,
    report=_report,
    proofs={
        "engine": "every tonne goes its cheapest way at prices that pay for all capacity (Lagrangian bound)",
        "exact": "dual bound of the mixed-integer programme",
        "crosscheck": "dual bound of the second formulation",
    },
    explain=_explain,
)

__all__ = ["FAMILY", "PortChoice"]
