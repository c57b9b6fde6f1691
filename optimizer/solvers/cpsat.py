"""Constraint programmes in OR-Tools CP-SAT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ortools.sat.python import cp_model

from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.watch import Watch, finite


@dataclass(frozen=True)
class CpSatResult:
    """Status, objective, lower bound on every plan, wall seconds; ``value`` reads a variable of the plan."""

    status: Status
    objective: float | None
    bound: float | None
    runtime_s: float
    value: Callable[[cp_model.LinearExprT], int]


class _Notes(cp_model.CpSolverSolutionCallback):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def on_solution_callback(self) -> None:
        self._watch.post(self.objective_value, self.best_objective_bound)


def solve_cpsat(
    model: cp_model.CpModel,
    options: SolveOptions,
    workers: int = 2,
    hint: Mapping[cp_model.IntVar, int] | None = None,
    work_limit: float | None = None,
    parameters: Mapping[str, bool | int | float] | None = None,
) -> CpSatResult:
    """
    Solve a minimisation (or a model without objective: objective and bound are then zero).

    A run that ends by itself repeats exactly for the same seed and workers: with several of them the search takes turns
    in fixed portions (``interleave_search``) instead of racing. A run cut short by the clock or the stop does not.

    Parameters
    ----------
    workers
        Threads.
    hint
        Values to start from, for any of the variables; replaces hints that the model holds.
    work_limit
        Deterministic work after which the run ends by itself, roughly seconds; unlike a time limit it repeats.
    parameters
        Further parameters of CP-SAT by name.

    Raises
    ------
    RuntimeError
        CP-SAT refuses the model: a defect.
    """
    if hint is not None:
        model.clear_hints()  # type: ignore[no-untyped-call]
        for variable, start in hint.items():
            model.add_hint(variable, start)
    watch = Watch(options)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.interleave_search = workers > 1
    solver.parameters.random_seed = options.seed % 2**31
    solver.parameters.relative_gap_limit = options.gap
    solver.parameters.absolute_gap_limit = 0.0
    if options.time_limit_s is not None:
        solver.parameters.max_time_in_seconds = options.time_limit_s
    if work_limit is not None:
        solver.parameters.max_deterministic_time = work_limit
    for name, setting in (parameters or {}).items():
        setattr(solver.parameters, name, setting)
    # The command handles Ctrl-C; CP-SAT would take the signal for itself.
    solver.parameters.catch_sigint_signal = False
    has_objective = model.has_objective()
    notes = _Notes(watch) if options.on_progress is not None and has_objective else None
    if notes is not None:
        solver.best_bound_callback = lambda bound: watch.post(bound=bound)

    status = watch.run(lambda: solver.solve(model, notes), solver.stop_search)

    if status == cp_model.MODEL_INVALID:
        raise RuntimeError(f"CP-SAT refuses the model: {model.validate()}")
    if status == cp_model.INFEASIBLE:
        return CpSatResult(Status.INFEASIBLE, None, None, watch.elapsed_s, solver.value)
    bound = finite(solver.best_objective_bound) if has_objective else 0.0
    if status == cp_model.UNKNOWN:
        return CpSatResult(Status.NO_SOLUTION, None, bound, watch.elapsed_s, solver.value)
    objective = solver.objective_value if has_objective else 0.0
    return CpSatResult(
        Status.OPTIMAL if status == cp_model.OPTIMAL else Status.FEASIBLE,
        objective,
        None if bound is None else min(bound, objective),
        watch.elapsed_s,
        solver.value,
    )
