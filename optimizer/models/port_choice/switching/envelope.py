"""Lines of a concave or convex piecewise linear function, found by asking for single values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SAME = 1e-9
"""Relative difference of costs below which two plans cost the same."""


@dataclass(frozen=True)
class Line:
    """A solve at ``value``: least cost there, USD, and its change per unit of the lever, USD."""

    value: float
    cost: float
    slope: float

    def at(self, value: float) -> float:
        return self.cost + self.slope * (value - self.value)


def envelope(solve: Callable[[float], Line], low: float, high: float, concave: bool = True) -> list[Line]:
    """
    Lines of a concave or convex piecewise linear function between two values, in order.

    Parameters
    ----------
    solve
        Value of the function and one of its slopes at a point.

    Source: M. J. Eisner and D. G. Severance, Mathematical techniques for efficient record segmentation in large shared
    databases, Journal of the ACM 23(4), 1976.
    """
    least = 1e-9 * (high - low)
    found = [solve(low), solve(high)]
    todo = [(found[0], found[1])]
    while todo:
        left, right = todo.pop()
        if same(left.at(right.value), right.cost) or same(right.at(left.value), left.cost):
            continue  # one line serves both ends, so all between
        if left.slope == right.slope:
            continue  # the same but for the tolerance of the solver
        cross = crossing(left, right)
        if left.value + least < cross < right.value - least:
            middle = solve(cross)
            if not same(middle.cost, left.at(cross)):
                found.append(middle)
                todo += [(middle, right), (left, middle)]
    # A solve at a switch point may return any slope between its two lines: some of what was found only touches.
    kept: list[Line] = []
    for line in sorted(found, key=lambda each: (-each.slope if concave else each.slope, each.value)):
        if kept and same(kept[-1].at(low), line.at(low)) and same(kept[-1].at(high), line.at(high)):
            continue
        if kept and kept[-1].slope == line.slope:
            continue
        while kept and crossing(kept[-1], line) <= (crossing(kept[-2], kept[-1]) if len(kept) > 1 else low) + least:
            kept.pop()
        if not kept or crossing(kept[-1], line) < high - least:
            kept.append(line)
    return kept


def crossing(left: Line, right: Line) -> float:
    """Value at which two lines meet."""
    return left.value + (right.at(left.value) - left.cost) / (left.slope - right.slope)


def same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(1.0, abs(one), abs(other))
