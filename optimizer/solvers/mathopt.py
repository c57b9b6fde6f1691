"""Models in OR-Tools MathOpt: second formulations that cross-check the first ones through other solvers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import highspy
import numpy as np
from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.highs import make_highs, run_highs
from optimizer.solvers.watch import Watch, finite

HIGHS = "highs"
"""Not MathOpt's own one, see :mod:`optimizer.solvers.highs`."""

SOLVERS = {
    "glop": mathopt.SolverType.GLOP,
    "pdlp": mathopt.SolverType.PDLP,
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
    known = [HIGHS, *SOLVERS]
    if name not in known:
        raise UsageError(f"solver '{name}' is unknown; known are {', '.join(known)}{did_you_mean(name, known)}")
    integer = [variable.integer for variable in model.variables()]
    if name in LINEAR_ONLY and any(integer):
        raise UsageError(f"solver '{name}' solves linear models only; this one has whole numbers: take highs or scip")
    if name == "cp-sat" and not all(integer):
        raise UsageError("solver 'cp-sat' takes whole numbers only; this model has fractions: take highs or scip")
    if name == HIGHS:
        return _solve_highs(model, options, any(integer))

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


def _solve_highs(model: mathopt.Model, options: SolveOptions, is_mip: bool) -> MathOptResult:
    stated = model.export_model()
    columns, rows, matrix = stated.variables, stated.linear_constraints, stated.linear_constraint_matrix
    column_at = {identifier: at for at, identifier in enumerate(columns.ids)}
    row_at = {identifier: at for at, identifier in enumerate(rows.ids)}
    costs = np.zeros(len(column_at))
    linear = stated.objective.linear_coefficients
    costs[[column_at[identifier] for identifier in linear.ids]] = linear.values
    # MathOpt sorts the entries by row.
    counts = np.bincount([row_at[identifier] for identifier in matrix.row_ids], minlength=len(row_at))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(column_at), len(row_at)
    lp.col_cost_ = costs
    lp.col_lower_, lp.col_upper_ = np.array(columns.lower_bounds), np.array(columns.upper_bounds)
    lp.row_lower_, lp.row_upper_ = np.array(rows.lower_bounds), np.array(rows.upper_bounds)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    lp.a_matrix_.index_ = np.array([column_at[identifier] for identifier in matrix.column_ids], dtype=np.int32)
    lp.a_matrix_.value_ = np.array(matrix.coefficients)
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in columns.integers] if is_mip else []
    highs = make_highs(options)
    if highs.passModel(lp) == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refuses the model")
    found = run_highs(highs, options, is_mip, stated.objective.offset)
    if not found.status.has_plan:
        return MathOptResult(found.status, None, found.bound, found.runtime_s)
    solution = highs.getSolution()
    values = dict(zip(model.variables(), map(float, solution.col_value), strict=True))
    duals = {} if is_mip else dict(zip(model.linear_constraints(), map(float, solution.row_dual), strict=True))
    return MathOptResult(found.status, found.objective, found.bound, found.runtime_s, values, duals)


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
