"""Read, write, solve, verify, explain, re-plan and export, the same for every family; how many wagons."""

from __future__ import annotations

import math
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer.checks import (
    check_export_path,
    check_limits,
    check_method,
    check_same_problem,
    false_claims,
    violation_lines,
)
from optimizer.data.corridor import Corridor, Instance
from optimizer.errors import ResultError, UsageError, VerificationError
from optimizer.families import FAMILIES
from optimizer.models.family import Explanation, Family, Inquiry, News, Problem, Replanned, SolveOptions
from optimizer.result import Outcome, Progress, ProgressLog, Result, Solution, Violation

if TYPE_CHECKING:
    from optimizer.models.rolling_stock.fleet import Sizing, Worth
    from optimizer.models.rolling_stock.problem import RollingStock

_PACKAGES = ("corridor-optimizer", "highspy", "numpy", "ortools", "pandas", "pulp")


def read(path: str | Path, scenario: str | Sequence[str] | None = None) -> Corridor:
    """
    Read an instance and put it under scenarios.

    Parameters
    ----------
    path
        Directory, ``.zip`` or ``.xlsx``.
    scenario
        Names in order, as a sequence or one text with commas; None for the instance's default, ``base`` for none.

    Raises
    ------
    InstanceError
        With every fault of the instance.
    UsageError
        Unknown scenario.
    """
    from optimizer.data.reading import read_instance
    from optimizer.data.scenario import apply_scenario

    return apply_scenario(read_instance(path), scenario)


def write(instance: Instance | Corridor, path: str | Path) -> None:
    """Write an instance, with all its scenarios, as a directory, ``.zip`` or ``.xlsx``; complete or not at all."""
    from optimizer.data.writing import write_instance

    write_instance(instance.instance if isinstance(instance, Corridor) else instance, path)


def solve(
    problem: Problem,
    *,
    method: str = "auto",
    solver: str | None = None,
    time_limit_s: float | None = None,
    gap: float = 0.0,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """
    Solve a problem and check the plan before handing it out.

    Parameters
    ----------
    problem
        PortChoice, Transshipment, RollingStock or GaugeChoice.
    method
        A method of the family; ``auto`` is its first.
    solver
        A solver of the method; None for its first.
    time_limit_s
        Seconds for the solver; the best plan so far is returned.
    gap
        Relative gap at which a plan counts as optimal.
    on_progress
        Called in this thread with the best cost and bound as they change.
    stop
        Set it from elsewhere to end with the best plan so far.

    Returns
    -------
    Result
        OPTIMAL and FEASIBLE carry a plan that :func:`verify` accepts.

    Raises
    ------
    UsageError
        An argument that does not fit, with the nearest name.
    VerificationError
        The plan breaks a rule: a defect of the method.
    """
    family = FAMILIES.of(problem)
    method, solver = check_method(family, method, solver)
    check_limits(time_limit_s, gap, seed)
    log = ProgressLog(on_progress)
    options = SolveOptions(solver, time_limit_s, gap, seed, log, stop or threading.Event())

    start = time.monotonic()
    outcome = family.methods[method](problem, options)
    return _checked(family, problem, method, outcome, options, time.monotonic() - start, log)


def _checked(
    family: Family, problem: Problem, method: str, outcome: Outcome, options: SolveOptions, runtime_s: float,
    log: ProgressLog,
) -> Result:  # fmt: skip
    """The result of a run, once its plan is verified."""
    corridor, solver = problem.corridor, options.solver or ""
    result = Result(
        family=family.name,
        method=method,
        solver=solver,
        status=outcome.status,
        runtime_s=runtime_s,
        seed=options.seed,
        instance_name=corridor.name,
        instance_hash=corridor.instance.hash,
        scenario=corridor.scenario,
        options=dict(problem.options),
        time_limit_s=options.time_limit_s,
        gap_asked=options.gap,
        solution=outcome.solution,
        cost=outcome.cost,
        bound=outcome.bound,
        conflicts=outcome.conflicts,
        kpis={} if outcome.solution is None else dict(family.kpis(problem, outcome.solution)),
        versions=_versions(),
        instance_path=corridor.instance.path,
        progress=log.entries(Progress(outcome.cost, outcome.bound, runtime_s)),
    )
    violations = verify(problem, result)
    if violations:
        raise VerificationError(
            f"the plan of {family.name} by {method} with {solver} breaks {len(violations)} rules; this is a defect:\n"
            + violation_lines(violations)
        )
    return result


def verify(problem: Problem, plan: Solution | Result) -> tuple[Violation, ...]:
    """
    Every broken rule; empty when all hold.

    Parameters
    ----------
    plan
        A plan alone, or a result: then its claims (status, cost, bound, gap) are checked too.

    Raises
    ------
    ResultError
        The result belongs to another instance or problem.
    """
    family = FAMILIES.of(problem)
    if not isinstance(plan, Result):
        return family.verify(problem, plan, None)
    check_same_problem(plan, problem, family)
    claims = false_claims(plan)
    if plan.solution is None:
        return claims
    return (*family.verify(problem, plan.solution, plan.cost), *claims)


def explain(
    problem: Problem,
    result: Result,
    subject: str,
    *,
    forced: str = "",
    avoid: str = "",
    time_limit_s: float | None = None,
    stop: threading.Event | None = None,
) -> Explanation:
    """
    Why a lane, shipment, order, train or load fares as it does in a plan, and what else it could do.

    What a change would cost is found by solving the problem again with the change in it.

    Parameters
    ----------
    subject
        Its id.
    forced, avoid
        What it must use, or must not use, in the problem solved again.
    time_limit_s
        Seconds for every solve.

    Raises
    ------
    UsageError
        The family explains nothing, there is no such subject, or what is forced or avoided does not exist.
    ResultError
        The result has no plan, or belongs to another problem.
    """
    family = FAMILIES.of(problem)
    check_same_problem(result, problem, family)
    if family.explain is None:
        raise UsageError(f"{family.name} has nothing to explain one by one")
    if result.solution is None:
        raise ResultError(f"the result is {result.status} and holds no plan, so there is nothing to explain in it")
    check_limits(time_limit_s, result.gap_asked, result.seed)
    options = SolveOptions(None, time_limit_s, result.gap_asked, result.seed, stop=stop or threading.Event())
    assert result.cost is not None  # as there is a plan
    bound = -math.inf if result.bound is None else result.bound
    return family.explain(problem, result.solution, Inquiry(subject, forced, avoid, options, result.cost, bound))


def replan(
    problem: Problem,
    result: Result,
    at: int,
    *,
    closures: Sequence[str] = (),
    late_min: Mapping[str, int] | None = None,
    lost_min: Mapping[str, tuple[int, int]] | None = None,
    change_usd: float | None = None,
    time_limit_s: float | None = None,
    gap: float = 0.0,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> tuple[Result, Replanned]:
    """
    Take a running plan up after news: what began before stands, and little else moves.

    Parameters
    ----------
    at
        Day (wagons) or minute (terminals) of the news.
    closures
        Wagons: links closed from then on, ``LINK``, or on some days, ``LINK:first-last``.
    late_min, lost_min
        Terminals: train -> minutes late; crane -> first minute it does not work, and first minute it works again.
    change_usd
        What a change must save besides; None for the family's own figure.

    Returns
    -------
    The new result, its plan verified, and what changed. The problem it answers is ``Replanned.problem``.

    Raises
    ------
    UsageError
        The family's plans are not taken up, or the news do not fit.
    ResultError
        The result has no plan, or belongs to another problem.
    """
    family = FAMILIES.of(problem)
    check_same_problem(result, problem, family)
    if family.replan is None:
        raise UsageError(f"plans of {family.name} are not taken up while they run; solve again")
    if result.solution is None or result.cost is None:
        raise ResultError(f"the result is {result.status} and holds no plan to take up")
    check_limits(time_limit_s, gap, seed)
    if change_usd is not None and not (math.isfinite(change_usd) and change_usd >= 0):
        raise UsageError(f"the price of a change is {change_usd}, expected USD, 0 or more")
    log = ProgressLog(on_progress)
    options = SolveOptions(result.solver, time_limit_s, gap, seed, log, stop or threading.Event())
    news = News(at, tuple(closures), late_min or {}, lost_min or {}, change_usd, result.cost)
    start = time.monotonic()
    found = family.replan(problem, result.solution, news, options)
    runtime_s = time.monotonic() - start
    return _checked(family, found.problem, "replan", found.outcome, options, runtime_s, log), found


def size_fleet(
    problem: RollingStock,
    *,
    life_years: float = 25.0,
    upkeep_share: float = 0.0,
    from_scratch: bool = False,
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    stop: threading.Event | None = None,
) -> Sizing:
    """
    How many wagons of which type to buy, besides hiring as the instance allows.

    Parameters
    ----------
    life_years, upkeep_share
        Years over which a wagon is paid off; upkeep a year over its purchase price.
    from_scratch
        Without the wagons of the fleet table, which then only says where types can stand.
    time_limit_s
        Seconds for each of two solves: the fleet, then its plan.

    Raises
    ------
    UsageError
        Locomotives, no type with a purchase price, or figures that mean nothing.
    VerificationError
        The plan breaks a rule: a defect.
    """
    from optimizer.models.rolling_stock.fleet import size_fleet as size

    check_limits(time_limit_s, gap, 0)
    if not (math.isfinite(life_years) and life_years > 0 and math.isfinite(upkeep_share) and upkeep_share >= 0):
        raise UsageError(f"life is {life_years} years and upkeep {upkeep_share}, expected more than 0, and 0 or more")
    options = SolveOptions(None, time_limit_s, gap, stop=stop or threading.Event())
    return size(problem, options, life_years=life_years, upkeep_share=upkeep_share, from_scratch=from_scratch)


def worth_of_one_more(
    problem: RollingStock,
    what: Sequence[str] = (),
    *,
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    stop: threading.Event | None = None,
) -> Iterator[Worth]:
    """
    What one more wagon, train a day or locomotive saves, one after the other, by solving again with it.

    Parameters
    ----------
    what
        Types of wagon or locomotive, and links whose trains a day are limited; none for all that could matter.
    time_limit_s
        Seconds for every solve.

    Raises
    ------
    UsageError
        A name that is neither, or limits that mean nothing.
    """
    from optimizer.models.rolling_stock.fleet import worth_of_one_more as worth

    check_limits(time_limit_s, gap, 0)
    return worth(problem, SolveOptions(None, time_limit_s, gap, stop=stop or threading.Event()), what)


def export(problem: Problem, path: str | Path) -> None:
    """
    Write the exact model as ``.lp`` or ``.mps``, by the suffix of ``path``; complete or not at all.

    Raises
    ------
    UsageError
        Another suffix, or a place that cannot be written.
    """
    path = check_export_path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix.lower()}")
    try:
        FAMILIES.of(problem).export(problem, temporary)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
