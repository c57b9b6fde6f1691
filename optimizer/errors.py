"""What can go wrong through a user's input. The command prints these without a traceback and exits with 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHOWN_NAMES = 5
"""Known names that a message lists at most."""


class OptimizerError(Exception):
    """Base of every error a user can cause; its text is the message to show."""


class UsageError(OptimizerError):
    """An argument or option that does not fit: unknown family, method, solver, scenario, terminal."""


@dataclass(frozen=True)
class Fault:
    """One fault of an instance: where it is and what was expected."""

    file: str
    message: str
    line: int | None = None

    @classmethod
    def of_row(cls, table: str, line: object, message: str) -> Fault:
        """Fault in a row of a table; ``line`` is its label in the table's index."""
        return cls(f"{table}.csv", message, int(str(line)))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line is not None else f"{self.file}: {self.message}"


class InstanceError(OptimizerError):
    """An instance with faults; carries all of them.

    Parameters
    ----------
    instance
        Path or name shown in the first line.
    faults
        Every fault found, in file and line order.
    """

    def __init__(self, instance: str, faults: Sequence[Fault]) -> None:
        self.instance = instance
        self.faults = tuple(faults)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.faults)
        lines = [f"{self.instance}: {count} fault{'s' if count != 1 else ''}", *(f"  {fault}" for fault in self.faults)]
        return "\n".join(lines)


class ResultError(OptimizerError):
    """A result directory that cannot be read or written."""


class VerificationError(OptimizerError):
    """A plan of our own that breaks a rule: a defect, never a user's fault. The command exits with 3."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'X'?`` for the nearest known name, whatever its case, or nothing."""
    folded = {each.casefold(): each for each in known}
    matches = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean '{folded[matches[0]]}'?" if matches else ""


def or_known(name: str, known: Iterable[str], where: str) -> str:
    """
    ``; did you mean 'X'?`` or, where no name is near, some of the known ones, how many more, and where they stand.

    Parameters
    ----------
    where
        Table of the names, such as ``links.csv``.
    """
    names = sorted(known)
    if near := did_you_mean(name, names):
        return near
    if not names:
        return f"; {where} has none"
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return f"; known are {', '.join(names[:SHOWN_NAMES])}{more}, in {where}"
