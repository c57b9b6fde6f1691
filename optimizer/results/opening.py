"""A stored result and the problem it answers."""

from __future__ import annotations

from pathlib import Path

from optimizer.data.corridor import Instance
from optimizer.errors import ResultError
from optimizer.families import FAMILIES
from optimizer.models.family import Problem
from optimizer.result import Result
from optimizer.results.content import FILE
from optimizer.results.reading import read_result


def open_result(path: str | Path, instance: str | Path | None = None) -> tuple[Result, Problem]:
    """
    A stored result and the problem it answers.

    Parameters
    ----------
    instance
        The instance; by default the place that the result names.

    Raises
    ------
    ResultError
        As :func:`read_result` and :func:`problem_of`, and when no instance is where the result says.
    """
    from optimizer.data.reading import read_instance

    result = read_result(path)
    if instance is None:
        if not result.instance_path:
            raise ResultError(f"{Path(path) / FILE} does not say where its instance is; name it with --instance")
        if not Path(result.instance_path).exists():
            raise ResultError(
                f"{Path(path) / FILE}: its instance {result.instance_path} is not there any more; "
                "name another place with --instance"
            )
        instance = result.instance_path
    return result, problem_of(result, read_instance(instance))


def problem_of(result: Result, instance: Instance) -> Problem:
    """
    The problem a stored result answers, made anew from the instance.

    Raises
    ------
    ResultError
        The result is of another instance, or its options are not the family's.
    """
    from optimizer.data.scenario import apply_scenario

    if result.instance_hash != instance.hash:
        raise ResultError(
            f"the result is of another instance: it was made from '{result.instance_name}' with hash "
            f"{result.instance_hash[:12]}, {instance.path} has hash {instance.hash[:12]}; "
            "a changed cell changes the hash: solve again"
        )
    corridor = apply_scenario(instance, list(result.scenario))
    try:
        problem: Problem = FAMILIES[result.family].problem(corridor, **result.options)
    except TypeError as error:
        raise ResultError(
            f"{FILE}: options {dict(result.options)} are not those of {result.family}: {error}"
        ) from error
    return problem
