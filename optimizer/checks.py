"""What is refused before a run, and what a result must not claim: limits, methods, export files, plans of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from optimizer.errors import ResultError, UsageError, did_you_mean
from optimizer.models.family import Family, Problem
from optimizer.result import Result, Status, Violation, relative_gap

TOLERANCE = 1e-6
"""Relative tolerance when claims are compared."""

ANY_PULP_SOLVER = "*"
EXPORT_SUFFIXES = (".lp", ".mps")


def check_method(family: Family, method: str, solver: str | None) -> tuple[str, str]:
    """Method and solver by their full names; UsageError with the nearest name."""
    if method == "auto":
        method = next(iter(family.methods))
    if method not in family.methods:
        known = ["auto", *family.methods]
        near = did_you_mean(method, known)
        raise UsageError(f"{family.name} has no method '{method}'; known are {', '.join(known)}{near}")
    accepted = [name for name in family.solvers[method] if name != ANY_PULP_SOLVER]
    if solver is None:
        return method, accepted[0]
    if solver.lower() in accepted:
        return method, solver.lower()
    if ANY_PULP_SOLVER in family.solvers[method]:
        from optimizer.solvers.mip import check_solver

        check_solver(solver)
        return method, solver
    near = did_you_mean(solver, accepted)
    raise UsageError(f"method {method} of {family.name} takes the solvers {', '.join(accepted)}, not '{solver}'{near}")


def check_limits(time_limit_s: float | None, gap: float, seed: int) -> None:
    """Raise UsageError for limits that mean nothing."""
    if time_limit_s is not None and not (math.isfinite(time_limit_s) and time_limit_s > 0):
        raise UsageError(f"time limit is {time_limit_s}, expected seconds > 0")
    if not 0 <= gap < 1:
        raise UsageError(f"gap is {gap}, expected a share from 0 to below 1, for example 0.01 for one percent")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise UsageError(f"seed is {seed}, expected a whole number from 0 to 2147483647")


def check_export_path(path: str | Path) -> Path:
    """The path, or UsageError when its suffix names no format or its directory is not there."""
    path = Path(path)
    if path.suffix.lower() not in EXPORT_SUFFIXES:
        raise UsageError(f"'{path.name}' does not end in {' or '.join(EXPORT_SUFFIXES)}, which names the format")
    if path.is_dir():
        raise UsageError(f"{path} is a directory, expected a file name")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no directory {path.parent}")
    return path


def check_same_problem(result: Result, problem: Problem, family: Family) -> None:
    """Raise ResultError unless the result is of this instance, scenario, family and options."""
    corridor = problem.corridor
    pairs = {
        "family": (result.family, family.name),
        "scenario": (",".join(result.scenario) or "base", ",".join(corridor.scenario) or "base"),
        "options": (dict(result.options), dict(problem.options)),
    }
    if result.instance_hash != corridor.instance.hash:
        raise ResultError(
            f"the result is of another instance: it was made from '{result.instance_name}' with hash "
            f"{result.instance_hash[:12]}, this is '{corridor.name}' with hash {corridor.instance.hash[:12]}; "
            "a changed cell changes the hash: solve again"
        )
    for what, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise ResultError(f"the result is of another problem: its {what} is {theirs}, here it is {ours}")


def false_claims(result: Result) -> tuple[Violation, ...]:
    """Claims about the run that contradict each other."""
    found: list[Violation] = []
    place = f"result of {result.family}"
    if not result.status.has_plan:
        extra = [name for name in ("cost", "solution") if getattr(result, name) is not None]
        return tuple(Violation(f"{result.status} with a {name}", place, 1, "too many") for name in extra)
    for name in ("cost", "solution"):
        if getattr(result, name) is None:
            found.append(Violation(f"{result.status} without a {name}", place, 1, "missing"))
    cost, bound = result.cost, result.bound
    if cost is None:
        return tuple(found)
    room = TOLERANCE * max(1.0, abs(cost))
    if not math.isfinite(cost) or (bound is not None and not math.isfinite(bound)):
        found.append(Violation("cost or bound not finite", place, math.inf, "USD"))
    if bound is not None and bound > cost + room:
        found.append(Violation("bound above the cost", place, bound - cost, "USD too high"))
    gap = None if bound is None else relative_gap(cost, bound)
    if result.status == Status.OPTIMAL and gap is None:
        found.append(Violation("OPTIMAL without a bound", place, 1, "missing"))
    if result.status == Status.OPTIMAL and gap is not None and bound is not None:
        allowed = result.gap_asked * abs(cost) + room
        if cost - bound > allowed:
            found.append(Violation("OPTIMAL with a gap above the one asked for", place, gap, "of the cost"))
    claimed = result.claimed_gap
    if claimed is not None and (gap is None or abs(claimed - gap) > TOLERANCE):
        found.append(Violation("gap differs from cost and bound", place, claimed - (gap or 0.0), "of the cost"))
    return tuple(found)


def violation_lines(violations: Sequence[Violation], at_most: int = 50) -> str:
    """One line per broken rule."""
    lines = [f"  {violation}" for violation in violations[:at_most]]
    if len(violations) > at_most:
        lines.append(f"  and {len(violations) - at_most} more")
    return "\n".join(lines)
