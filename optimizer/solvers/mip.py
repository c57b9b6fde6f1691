"""Linear and mixed-integer programmes in PuLP: HiGHS in this process, or any solver PuLP finds on the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import pulp

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.highs import irreducible_rows, make_highs, run_here, run_highs
from optimizer.solvers.watch import Watch

SMALLEST_GAP = 1e-9
"""Asked of other solvers in place of zero, which PuLP drops for some of them in favour of their own default of 1e-4."""


@dataclass(frozen=True)
class SolverResult:
    """Status, objective, lower bound on every plan, wall seconds. Values stand in the PuLP variables."""

    status: Status
    objective: float | None
    bound: float | None
    runtime_s: float


def available_solvers() -> tuple[str, ...]:
    """Names to choose from on this machine: ``highs`` first, then what PuLP finds, by its short and its own name."""
    found = [name for name in pulp.listSolvers(onlyAvailable=True) if name.lower() != "highs"]
    return tuple(dict.fromkeys(["highs", *(_short(name) for name in found), *found]))


def check_solver(name: str) -> None:
    """Raise UsageError, with the nearest name, unless the solver is here."""
    known = available_solvers()
    if name.lower() not in {each.lower() for each in known}:
        raise UsageError(
            f"solver '{name}' is not available here; available are {', '.join(known)}{did_you_mean(name, known)}"
        )


def solve_model(
    model: pulp.LpProblem,
    options: SolveOptions,
    default_solver: str = "highs",
    highs_options: Mapping[str, Any] | None = None,
) -> SolverResult:
    """
    Solve a minimisation; then variables carry the plan (``.value()``) and the rows of an LP their duals (``.pi``).

    Parameters
    ----------
    model
        Minimisation with a linear objective.
    options
        ``solver`` names one of :func:`available_solvers`, in any case of letters. ``time_limit_s`` and ``stop`` end the
        run with the best plan so far. HiGHS also heeds ``seed`` and ``stop`` and reports progress; other solvers run as
        programs of their own and know the time limit and the gap only.
    highs_options
        Further options for HiGHS, for example ``{"solver": "ipm"}``.

    Returns
    -------
    SolverResult
        Without a plan the variables hold None.

    Raises
    ------
    UsageError
        The solver is unknown or not installed.
    RuntimeError
        The model is unbounded or the solver failed: a defect of the model.
    """
    if model.sense != pulp.LpMinimize:
        raise ValueError("models are minimised; negate the objective")
    for variable in model.variables():
        variable.varValue = None
    name = (options.solver or default_solver).lower()
    if name == "highs":
        return _solve_highs(model, options, highs_options or {})
    check_solver(name)
    return _solve_other(model, options, name)


class ModelNames:
    """Names that stay different where PuLP replaces characters that LP files cannot hold."""

    _ILLEGAL = str.maketrans("-+[] ->/.", "_________")

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, *parts: object) -> str:
        plain = "_".join(str(part) for part in parts).translate(self._ILLEGAL)[:230]
        name, number = plain, 1
        while name in self._seen:
            number += 1
            name = f"{plain}_{number}"
        self._seen.add(name)
        return name


def repriced(
    model: pulp.LpProblem, changes: Sequence[tuple[pulp.LpVariable, float]], options: SolveOptions
) -> list[tuple[float, float] | None]:
    """
    Solve a linear programme again for each change of one variable's cost, from the last basis.

    Parameters
    ----------
    model
        Minimisation without integers.
    changes
        Variable and its other cost.
    options
        ``time_limit_s`` holds for all of them together; ``stop`` ends them.

    Returns
    -------
    Objective, without the constant, and value of the variable for each; None where it was cut short
    """
    highs = _loaded(model, options)
    column = {variable.name: number for number, variable in enumerate(model.variables())}
    costs = list(highs.getLp().col_cost_)
    found: list[tuple[float, float] | None] = []
    for variable, usd in changes:
        at = column[variable.name]
        highs.changeColCost(at, usd)
        done = not options.stop.is_set()
        if done:
            run_here(highs)
            done = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        value = highs.getSolution().col_value[at] if done else 0.0
        found.append((highs.getInfo().objective_function_value, value) if done else None)
        highs.changeColCost(at, costs[at])
    return found


def minimal_conflict(model: pulp.LpProblem, options: SolveOptions) -> list[str]:
    """
    Names of the rows of a minimal conflict of an infeasible model's linear relaxation; empty when it can be met.

    Parameters
    ----------
    options
        ``time_limit_s`` and ``stop`` end the search with nothing found.
    """
    highs = _loaded(model, options)
    names = [row.name for row in model.constraints()]
    return [names[row] for row in irreducible_rows(highs, options)]


def _loaded(model: pulp.LpProblem, options: SolveOptions) -> highspy.Highs:
    """HiGHS with a model in it, rows and columns in the model's order."""
    highs = make_highs(options)
    model.solverModel = highs
    pulp.HiGHS(msg=False).buildSolverModel(model)
    model.solverModel = None
    highs.setOptionValue("output_flag", False)
    return highs


def _short(pulp_name: str) -> str:
    return pulp_name.lower().removeprefix("pulp_").split("_")[0]


def _is_mip(model: pulp.LpProblem) -> bool:
    return any(variable.cat != pulp.LpContinuous for variable in model.variables())


def _solve_highs(model: pulp.LpProblem, options: SolveOptions, highs_options: Mapping[str, Any]) -> SolverResult:
    if model.objective is None:
        model.setObjective(pulp.LpAffineExpression())
    highs = make_highs(options, highs_options)
    solver = pulp.HiGHS(msg=False)
    model.solverModel = highs
    solver.buildSolverModel(model)
    found = run_highs(highs, options, _is_mip(model), float(model.objective.constant))
    if found.status.has_plan:
        solver.findSolutionValues(model)
        proved = pulp.LpSolutionOptimal if found.status == Status.OPTIMAL else pulp.LpSolutionIntegerFeasible
        model.assignStatus(pulp.LpStatusOptimal, proved)
    elif found.status == Status.INFEASIBLE:
        model.assignStatus(pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible)
    else:
        model.assignStatus(pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound)
    model.solverModel = None  # frees the solver's copy of the model
    return SolverResult(found.status, found.objective, found.bound, found.runtime_s)


def _solve_other(model: pulp.LpProblem, options: SolveOptions, name: str) -> SolverResult:
    found = pulp.listSolvers(onlyAvailable=True)
    pulp_name = next(each for each in found if name in (each.lower(), _short(each)))
    watch = Watch(options)
    gap = max(options.gap, SMALLEST_GAP)
    wanted: dict[str, Any] = {"msg": False, "timeLimit": options.time_limit_s, "gapRel": gap}
    try:
        solver = pulp.getSolver(pulp_name, **wanted)
    except TypeError:  # a few of PuLP's solvers know no gap
        solver = pulp.getSolver(pulp_name, msg=False, timeLimit=options.time_limit_s)
    if model.objective is None:
        model.setObjective(pulp.LpAffineExpression())
    watch.run(lambda: model.solve(solver))

    if pulp.LpStatusInfeasible in (model.status, model.sol_status):
        for variable in model.variables():
            variable.varValue = None
        return SolverResult(Status.INFEASIBLE, None, None, watch.elapsed_s)
    if model.sol_status == pulp.LpSolutionUnbounded:
        raise RuntimeError(f"{pulp_name} found the model unbounded")
    if model.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        for variable in model.variables():
            variable.varValue = None
        return SolverResult(Status.NO_SOLUTION, None, None, watch.elapsed_s)
    objective = float(pulp.value(model.objective) or 0.0)
    if model.sol_status == pulp.LpSolutionIntegerFeasible:
        return SolverResult(Status.FEASIBLE, objective, None, watch.elapsed_s)
    bound: float | None = objective
    if _is_mip(model):
        # Proved within the gap. Solvers divide by the cost or by the bound; for positive ones this holds for both.
        bound = objective * (1 - gap) if objective >= 0 and gap < 1 else None
    # Without a bound to show for it, optimality is only the solver's word.
    return SolverResult(Status.OPTIMAL if bound is not None else Status.FEASIBLE, objective, bound, watch.elapsed_s)
