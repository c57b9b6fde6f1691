"""Models in OR-Tools MathOpt: second formulations that cross-check the first ones through other solvers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.watch import Watch, finite

SOLVERS = {
    "glop": mathopt.SolverType.GLOP,
    "pdlp": mathopt.SolverType.PDLP,
    "highs": mathopt.SolverType.HIGHS,
    "scip": mathopt.SolverType.GSCIP,
    "cp-sat": mathopt.SolverType.CP_SAT,
}
LINEAR_ONLY = ("glop", "pdlp")
REPORTING = ("scip", "cp-sat")
"""Solvers that call back on each better plan of an integer model."""


@dataclass(frozen=True)
class MathOptResult:
    """Status, objective, lower bound on every plan, wall seconds, values and, for linear models, duals."""

    status: Status
    objective: float | None
    bound: float | None
    runtime_s: float
    values: dict[mathopt.Variable, float] = field(default_factory=dict)
    duals: dict[mathopt.LinearConstraint, float] = field(default_factory=dict)


def solve_mathopt(model: mathopt.Model, options: SolveOptions, solver: str | None = None) -> MathOptResult:
    """
    Solve a minimisation.

    Parameters
    ----------
    model
        Minimisation with a linear objective.
    solver
        ``glop`` and ``pdlp`` for linear models, ``highs`` and ``scip`` for any, ``cp-sat`` for all-integer ones;
        ``options.solver`` when None, then ``highs``.

    Returns
    -------
    MathOptResult
        ``pdlp`` meets its rows only up to a tolerance, so its answer is FEASIBLE and carries no bound.

    Raises
    ------
    UsageError
        Unknown solver, or one that does not fit the model.
    RuntimeError
        The model is unbounded or the solver failed: a defect of the model.
    """
    if model.objective.is_maximize:
        raise ValueError("models are minimised; negate the objective")
    name = (solver or options.solver or "highs").lower()
    if name not in SOLVERS:
        raise UsageError(f"solver '{name}' is unknown; known are {', '.join(SOLVERS)}{did_you_mean(name, SOLVERS)}")
    integer = [variable.integer for variable in model.variables()]
    if name in LINEAR_ONLY and any(integer):
        raise UsageError(f"solver '{name}' solves linear models only; this one has whole numbers: take highs or scip")
    if name == "cp-sat" and not all(integer):
        raise UsageError("solver 'cp-sat' takes whole numbers only; this model has fractions: take highs or scip")

    watch = Watch(options)
    interrupter = SolveInterrupter()
    parameters = mathopt.SolveParameters(relative_gap_tolerance=options.gap, absolute_gap_tolerance=0.0)
    if options.time_limit_s is not None:
        parameters.time_limit = dt.timedelta(seconds=options.time_limit_s)
    if name != "pdlp":
        parameters.random_seed = options.seed % 2**31
    if name == "cp-sat":
        parameters.threads = 1  # several workers share what they find in an order that differs from run to run
    registration, callback = None, None
    if options.on_progress is not None and any(integer) and name in REPORTING:
        registration = mathopt.CallbackRegistration(events={mathopt.Event.MIP_SOLUTION})

        def callback(data: mathopt.CallbackData) -> mathopt.CallbackResult:
            watch.post(data.mip_stats.primal_bound, data.mip_stats.dual_bound)
            return mathopt.CallbackResult()

    found = watch.run(
        lambda: mathopt.solve(
            model,
            SOLVERS[name],
            params=parameters,
            callback_reg=registration,
            cb=callback,
            interrupter=interrupter,
        ),
        interrupter.interrupt,
    )
    return _read(found, linear=not any(integer), approximate=name == "pdlp", runtime_s=watch.elapsed_s)


def _read(found: mathopt.SolveResult, *, linear: bool, approximate: bool, runtime_s: float) -> MathOptResult:
    reasons = mathopt.TerminationReason
    reason = found.termination.reason
    if reason in (reasons.INFEASIBLE, reasons.INFEASIBLE_OR_UNBOUNDED):
        return MathOptResult(Status.INFEASIBLE, None, None, runtime_s)
    if reason not in (reasons.OPTIMAL, reasons.FEASIBLE, reasons.NO_SOLUTION_FOUND):
        raise RuntimeError(f"the solver ended with {reason.name}: {found.termination.detail}")
    # A linear solver stopped early has a dual objective, but not one that it vouches for.
    proved = reason == reasons.OPTIMAL and not approximate
    bound = finite(found.dual_bound()) if proved or not linear else None
    if reason == reasons.NO_SOLUTION_FOUND or not found.has_primal_feasible_solution():
        return MathOptResult(Status.NO_SOLUTION, None, bound, runtime_s)
    objective = found.objective_value()
    return MathOptResult(
        Status.OPTIMAL if proved else Status.FEASIBLE,
        objective,
        None if bound is None else min(bound, objective),
        runtime_s,
        found.variable_values(),
        found.dual_values() if linear and found.has_dual_feasible_solution() else {},
    )
