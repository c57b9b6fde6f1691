"""What a report is made of: stored results, with their problems made anew and verified, and what is solved besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optimizer import api, results
from optimizer.data.corridor import Corridor, Instance
from optimizer.errors import InstanceError, ResultError
from optimizer.models.family import Problem
from optimizer.result import Result, Violation


@dataclass(frozen=True)
class Case:
    """
    A result with what it answers.

    Attributes
    ----------
    label
        What sets it apart from the others of the report: its scenarios, or its directory.
    violations
        Rules its plan breaks and claims that are false; empty when it is sound.
    """

    label: str
    path: str
    result: Result
    problem: Problem
    violations: tuple[Violation, ...]

    @property
    def corridor(self) -> Corridor:
        return self.problem.corridor


@dataclass(frozen=True)
class Extras:
    """
    What is solved for on request.

    Attributes
    ----------
    switches
        Answers of ``corridor switch``, as it prints them with ``--json``.
    sensitivity
        Inputs of the tornado; 0 for none.
    causes
        Whether a comparison tells what each cause contributed, by solving every mixture.
    time_limit_s
        Seconds for each of these.
    """

    switches: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    sensitivity: int = 0
    causes: bool = True
    time_limit_s: float = 60.0


def read_cases(paths: Sequence[str | Path], instance: str | Path | None = None) -> list[Case]:
    """
    Read and verify result directories of one instance.

    Parameters
    ----------
    instance
        Where the instance is; None for the place the first result was made from.

    Raises
    ------
    ResultError
        Directories that cannot be read, all at once; results of another instance; no instance found.
    InstanceError
        The instance has faults.
    """
    read, faults = [], []
    for path in paths:
        try:
            read.append((str(path), results.read_result(path)))
        except ResultError as error:
            faults.append(str(error))
    if faults:
        raise ResultError("\n".join(faults))
    whole = _instance(read[0][1], read[0][0], instance)
    cases = []
    for path, result in read:
        try:
            problem = results.problem_of(result, whole)
        except ResultError as error:
            faults.append(f"{path}: {error}")
            continue
        cases.append(Case(_label(result, path, read), path, result, problem, api.verify(problem, result)))
    if faults:
        raise ResultError("\n".join(faults))
    return cases


def _instance(result: Result, path: str, named: str | Path | None) -> Instance:
    from optimizer.data.reading import read_instance

    if named is not None:
        return read_instance(named)
    if not result.instance_path:
        raise ResultError(
            f"{path} does not say where its instance '{result.instance_name}' is; name it with --instance"
        )
    if not Path(result.instance_path).exists():
        raise ResultError(
            f"{path} was made from the instance at '{result.instance_path}', and nothing is there now; "
            "name it with --instance"
        )
    try:
        return read_instance(result.instance_path)
    except InstanceError as error:
        raise ResultError(f"{path} was made from an instance that has faults now:\n{error}") from error


def _label(result: Result, path: str, read: Sequence[tuple[str, Result]]) -> str:
    """Scenarios, those of the family's first result as "+"; the directory's name too where another has the same."""
    first = next(other for _, other in read if other.family == result.family).scenario
    words = ", ".join(result.scenario) or "base"
    if first and len(result.scenario) > len(first) and result.scenario[: len(first)] == first:
        words = f"+ {', '.join(result.scenario[len(first) :])}"
    twins = [other for _, other in read if other.family == result.family and other.scenario == result.scenario]
    return words if len(twins) == 1 else f"{words} ({Path(path).name})"
