"""Exact numbers of a plan that is not believed, and how far two of them may lie apart."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

TOLERANCE = Fraction(1, 1_000_000)
"""Relative tolerance of every comparison of a plan with a limit, a demand or a claimed cost (absolute below one
unit)."""


def exact(value: Any) -> Fraction:
    """The decimal number a float prints as; ValueError for NaN and infinity."""
    return Fraction(str(value)) if isinstance(value, int) else Fraction(repr(float(value)))


def given(value: Any) -> bool:
    """Whether an optional cell is filled."""
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> Fraction | None:
    """The exact number in a cell of a plan; None where there is none."""
    try:
        return exact(value)
    except (ValueError, TypeError, OverflowError):
        return None


def shown(value: Any) -> float:
    """A cell of a plan as an amount to report."""
    try:
        return float(value)
    except (ValueError, TypeError):
        return float("nan")


def exceeds(amount: Fraction, limit: Fraction) -> bool:
    """Whether an amount lies above a limit by more than the tolerance."""
    return amount - limit > TOLERANCE * max(Fraction(1), abs(limit))


def differs(one: Fraction, other: Fraction) -> bool:
    """Whether two amounts lie further apart than the tolerance."""
    return abs(one - other) > TOLERANCE * max(Fraction(1), abs(one), abs(other))
