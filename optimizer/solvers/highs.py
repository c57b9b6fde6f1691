"""HiGHS in this process: set up, run under watch, read status and bound. PuLP and MathOpt models both end here.

OR-Tools brings a HiGHS of its own. It can neither be interrupted through MathOpt nor live in one process with this one
(both define the same symbols, and the second to run crashes), so it is never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.watch import Watch, finite

THREADS = 2
IRREDUCIBLE = 2 | 4
"""Strategy for a minimal conflict: rows of an infeasible relaxation, reduced until none is left out."""
MISSTATED = 1e-6
"""Relative difference between a solution's cost and what HiGHS says it costs."""


@dataclass(frozen=True)
class HighsOutcome:
    """Status, objective of the plan and lower bound on every plan, constant included; wall seconds."""

    status: Status
    objective: float | None
    bound: float | None
    runtime_s: float


class _QuietHighs(highspy.Highs):
    """HiGHS prints its banner when the first callback is set, before its output can be switched off from outside."""

    def enableCallbacks(self) -> None:  # noqa: N802
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def make_highs(options: SolveOptions, further: Mapping[str, Any] | None = None) -> highspy.Highs:
    """A silent HiGHS without a model, with limits, gap and seed set."""
    # The gap is relative: HiGHS must neither stop at its own 1e-4 nor at an absolute difference of 1e-6.
    settings: dict[str, Any] = {"mip_rel_gap": options.gap, "mip_abs_gap": 0.0, "threads": THREADS}
    settings["random_seed"] = options.seed % 2**31
    if options.time_limit_s is not None:
        settings["time_limit"] = float(options.time_limit_s)
    highs = _QuietHighs()  # type: ignore[no-untyped-call]
    for name, value in (settings | dict(further or {})).items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refuses {name} = {value!r}")
    return highs


def run_here(highs: highspy.Highs) -> None:
    """
    Run in this thread, without watch.

    HiGHS keeps helper threads for each calling thread, and refuses a run with another number of them than the last
    model of the thread had; so they end before each run.
    """
    highspy.Highs.resetThreadScheduler(False)
    highs.run()


def run_highs(highs: highspy.Highs, options: SolveOptions, is_mip: bool, constant: float) -> HighsOutcome:
    """
    Minimise the model that ``highs`` holds.

    Parameters
    ----------
    constant
        Constant of the objective, which bound, gap and progress then include.

    Raises
    ------
    RuntimeError
        Unbounded, or HiGHS failed: a defect of the model.
    """
    watch = Watch(options)
    highs.changeObjectiveOffset(constant)

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
        run_here(highs)
        highspy.Highs.resetThreadScheduler(False)  # the helper threads end with this one

    watch.run(run)
    if is_mip and _misstated(highs) and not watch.should_stop:
        # A start and presolve together can leave an incumbent with a cost that is not its own (seen with 1.16).
        presolve = highs.getOptionValue("presolve")[1]
        highs.setOptionValue("presolve", "off")
        highs.clearSolver()
        watch.run(run)
        highs.setOptionValue("presolve", presolve)
    limited = options.time_limit_s is not None or options.stop.is_set()
    return _read(highs, is_mip, limited, constant, watch.elapsed_s)


def irreducible_rows(highs: highspy.Highs, options: SolveOptions) -> list[int]:
    """
    Rows of a minimal conflict of the linear relaxation of an infeasible model: without any one of them the rest can
    be met.

    Returns
    -------
    list of int
        Positions of rows; empty when the relaxation can be met, or time ran out.

    Notes
    -----
    HiGHS starts from the rows of an infeasibility proof (a Farkas ray) and removes one after another; bounds of
    variables are part of the conflict, but not told.
    """
    if options.time_limit_s is not None:
        highs.setOptionValue("iis_time_limit", float(options.time_limit_s))
    highs.setOptionValue("iis_strategy", IRREDUCIBLE)
    watch = Watch(options)
    found: list[Any] = []
    watch.run(lambda: found.append(highs.getIis()))
    status, conflict = found[0]
    if status == highspy.HighsStatus.kError or not conflict.valid_:
        return []
    return [int(row) for row in conflict.row_index_]


def _misstated(highs: highspy.Highs) -> bool:
    """Whether the solution in hand costs something else than HiGHS says."""
    info = highs.getInfo()
    if info.primal_solution_status != highspy.kSolutionStatusFeasible:
        return False
    cost = _cost(highs)
    return abs(cost - info.objective_function_value) > MISSTATED * max(1.0, abs(cost))


def _cost(highs: highspy.Highs) -> float:
    lp = highs.getLp()
    return float(np.dot(lp.col_cost_, highs.getSolution().col_value)) + lp.offset_


def _read(highs: highspy.Highs, is_mip: bool, limited: bool, constant: float, runtime_s: float) -> HighsOutcome:
    outcomes = highspy.HighsModelStatus
    outcome, info = highs.getModelStatus(), highs.getInfo()
    if outcome in (outcomes.kInfeasible, outcomes.kUnboundedOrInfeasible):
        return HighsOutcome(Status.INFEASIBLE, None, None, runtime_s)
    if outcome == outcomes.kModelEmpty:
        return HighsOutcome(Status.OPTIMAL, constant, constant, runtime_s)
    proved = outcome == outcomes.kOptimal
    limits = (outcomes.kTimeLimit, outcomes.kInterrupt, outcomes.kIterationLimit, outcomes.kSolutionLimit)
    if outcome == outcomes.kNotset and limited:
        # Time ran out while a start was being completed (seen with 1.16): nothing is known.
        return HighsOutcome(Status.NO_SOLUTION, None, None, runtime_s)
    if not proved and outcome not in limits:
        raise RuntimeError(f"HiGHS ended with '{highs.modelStatusToString(outcome)}'")

    objective = finite(info.objective_function_value)
    # An interrupted linear model has a dual objective too, but not one that HiGHS vouches for.
    bound = finite(info.mip_dual_bound) if is_mip else objective if proved else None
    has_plan = proved or info.primal_solution_status == highspy.kSolutionStatusFeasible
    if is_mip and has_plan and _misstated(highs):
        return HighsOutcome(Status.FEASIBLE, _cost(highs), None, runtime_s)
    if not has_plan or objective is None:
        return HighsOutcome(Status.NO_SOLUTION, None, bound, runtime_s)
    if bound is not None:
        bound = min(bound, objective)
    return HighsOutcome(Status.OPTIMAL if proved else Status.FEASIBLE, objective, bound, runtime_s)
