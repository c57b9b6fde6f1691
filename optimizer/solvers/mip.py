"""Linear and mixed-integer programmes in PuLP: HiGHS in this process, or any solver PuLP finds on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import highspy
import pulp

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.watch import Watch, finite

THREADS = 2
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


def _short(pulp_name: str) -> str:
    return pulp_name.lower().removeprefix("pulp_").split("_")[0]


def _constant(model: pulp.LpProblem) -> float:
    return float(model.objective.constant) if model.objective is not None else 0.0


def _is_mip(model: pulp.LpProblem) -> bool:
    return any(variable.cat != pulp.LpContinuous for variable in model.variables())


# --- HiGHS -----------------------------------------------------------------------------------------------------------


class _QuietHighs(highspy.Highs):
    """HiGHS prints its banner when the first callback is set, before its output can be switched off from outside."""

    def enableCallbacks(self) -> None:  # noqa: N802
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def _solve_highs(model: pulp.LpProblem, options: SolveOptions, highs_options: Mapping[str, Any]) -> SolverResult:
    watch = Watch(options)
    is_mip = _is_mip(model)
    if model.objective is None:
        model.setObjective(pulp.LpAffineExpression())
    # The gap is relative: HiGHS must neither stop at its own 1e-4 nor at an absolute difference of 1e-6.
    settings: dict[str, Any] = {"mip_rel_gap": options.gap, "mip_abs_gap": 0.0, "threads": THREADS}
    settings["random_seed"] = options.seed % 2**31
    if options.time_limit_s is not None:
        settings["time_limit"] = float(options.time_limit_s)
    highs = _QuietHighs()  # type: ignore[no-untyped-call]
    for name, value in (settings | dict(highs_options)).items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refuses {name} = {value!r}")
    solver = pulp.HiGHS(msg=False)
    model.solverModel = highs
    solver.buildSolverModel(model)
    highs.changeObjectiveOffset(_constant(model))

    def look(event: highspy.HighsCallbackEvent) -> None:
        if watch.should_stop:
            event.interrupt()

    def note(event: highspy.HighsCallbackEvent) -> None:
        watch.post(event.data_out.mip_primal_bound, event.data_out.mip_dual_bound)

    for callback in (highs.cbSimplexInterrupt, highs.cbIpmInterrupt, highs.cbMipInterrupt):
        callback.subscribe(look)
    if options.on_progress is not None:
        highs.cbMipImprovingSolution.subscribe(note)
        highs.cbMipLogging.subscribe(note)

    def run() -> None:
        highs.run()
        # HiGHS keeps its helper threads per calling thread; ours ends here.
        highspy.Highs.resetThreadScheduler(False)

    watch.run(run)
    result = _read_highs(model, solver, highs, is_mip, watch.elapsed_s)
    model.solverModel = None  # frees the solver's copy of the model
    return result


def _read_highs(
    model: pulp.LpProblem, solver: pulp.HiGHS, highs: highspy.Highs, is_mip: bool, runtime_s: float
) -> SolverResult:
    outcomes = highspy.HighsModelStatus
    outcome, info = highs.getModelStatus(), highs.getInfo()
    if outcome in (outcomes.kInfeasible, outcomes.kUnboundedOrInfeasible):
        model.assignStatus(pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible)
        return SolverResult(Status.INFEASIBLE, None, None, runtime_s)
    proved = outcome in (outcomes.kOptimal, outcomes.kModelEmpty)
    limits = (outcomes.kTimeLimit, outcomes.kInterrupt, outcomes.kIterationLimit, outcomes.kSolutionLimit)
    if not proved and outcome not in limits:
        raise RuntimeError(f"HiGHS ended with '{highs.modelStatusToString(outcome)}'")

    objective = finite(info.objective_function_value)
    has_plan = proved or (info.primal_solution_status == highspy.kSolutionStatusFeasible and objective is not None)
    bound = finite(info.mip_dual_bound) if is_mip else None
    if outcome == outcomes.kModelEmpty or (proved and not is_mip):
        bound = objective
    if not has_plan or objective is None:
        model.assignStatus(pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound)
        return SolverResult(Status.NO_SOLUTION, None, bound, runtime_s)
    solver.findSolutionValues(model)
    model.assignStatus(pulp.LpStatusOptimal, pulp.LpSolutionOptimal if proved else pulp.LpSolutionIntegerFeasible)
    if bound is not None:
        bound = min(bound, objective)
    return SolverResult(Status.OPTIMAL if proved else Status.FEASIBLE, objective, bound, runtime_s)


# --- other solvers ---------------------------------------------------------------------------------------------------


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

    if model.sol_status == pulp.LpSolutionInfeasible:
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
    return SolverResult(Status.OPTIMAL, objective, bound, watch.elapsed_s)
