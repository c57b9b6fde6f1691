"""What the linear relaxation of a terminal is made of: rows and columns, buckets of time, shares of trains."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from optimizer.models.transshipment.choices import Choice
from optimizer.models.transshipment.groups import Group
from optimizer.models.transshipment.site import Call, Site

SINGLE = 4
"""Spans of the width of a bucket, then of twice that, in which a train may leave; later ones are four times as long."""

Term = tuple[int, float]


def _numbers() -> array[float]:
    return array("d")


def _places() -> array[int]:
    return array("l")


@dataclass
class Rows:
    """
    A linear model as it grows: columns from 0 up with cost and upper bound, rows with bounds.

    Attributes
    ----------
    minute
        By row: the minute around which it lies, by which windows of time are cut.
    """

    cost: array[float] = field(default_factory=_numbers)
    upper: array[float] = field(default_factory=_numbers)
    low: array[float] = field(default_factory=_numbers)
    high: array[float] = field(default_factory=_numbers)
    minute: array[int] = field(default_factory=_places)
    row_of: array[int] = field(default_factory=_places)
    column_of: array[int] = field(default_factory=_places)
    factor: array[float] = field(default_factory=_numbers)

    def column(self, upper: float, cost: float = 0.0) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        return len(self.cost) - 1

    def row(self, minute: int, terms: Iterable[Term], low: float = -np.inf, high: float = np.inf) -> None:
        number = len(self.low)
        self.minute.append(minute)
        self.low.append(low)
        self.high.append(high)
        for column, factor in terms:
            self.row_of.append(number)
            self.column_of.append(column)
            self.factor.append(factor)

    def sum(self, minute: int, terms: Sequence[Term]) -> int:
        """A column that is at least the sum of terms, none of them negative: a long sum of many rows, written once."""
        total = self.column(sum(factor * self.upper[column] for column, factor in terms if factor > 0))
        self.row(minute, [(total, 1.0), *((column, -factor) for column, factor in terms)], low=0.0)
        return total


@dataclass
class Relaxation:
    """The model with what its columns mean."""

    site: Site
    groups: tuple[Group, ...]
    width: int
    rows: Rows = field(default_factory=Rows)
    left: dict[str, dict[int, int]] = field(default_factory=dict)
    """Y: train -> bucket -> column; 0 before the first bucket, 1 after the last."""
    come: dict[str, dict[int, int]] = field(default_factory=dict)
    wait: dict[str, int] = field(default_factory=dict)
    waits: dict[str, dict[int, int]] = field(default_factory=dict)
    """By train and span: minutes of waiting when it leaves in that span, else 0."""
    take: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """x: group, its choice, bucket -> column"""
    missed: dict[int, int] = field(default_factory=dict)
    farther: dict[int, int] = field(default_factory=dict)

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Last minutes of the buckets: when trains arrive and are to leave, and between those every ``width``."""
        marks = {0, self.site.end}
        for call in self.site.calls:
            marks |= {call.arrive, self.lowest(call), call.latest}
        edges: list[int] = []
        for one, two in itertools.pairwise(sorted(marks)):
            parts = -(-(two - one) // self.width)
            edges += [one + (two - one) * part // parts for part in range(1, parts + 1)]
        return tuple(edges)

    def bucket(self, minute: int) -> int:
        """The bucket k with e_{k-1} < minute <= e_k."""
        return bisect_left(self.edges, minute)

    def ends(self, bucket: int) -> int:
        return self.edges[bucket] if bucket >= 0 else 0

    def length(self, bucket: int) -> int:
        return self.ends(bucket) - self.ends(bucket - 1)

    def lowest(self, call: Call) -> int:
        """Minute the train can leave at the earliest."""
        return max(call.depart, call.arrive + 1)

    def spans(self, call: Call, least: int) -> list[tuple[int, int]]:
        """Last bucket and first possible minute of the spans in which the train may leave at ``least`` or later."""
        found = []
        before = None
        for k in self.left[call.call_id]:
            first = self.lowest(call) if before is None else self.ends(before) + 1
            if self.ends(k) >= least:
                found.append((k, max(first, least)))
            before = k
        return found

    def takes(self, group: int) -> Iterator[tuple[Choice, int, int]]:
        """Choice, last bucket of the span in which its train leaves, and column, of all choices of a group."""
        for c, choice in enumerate(self.groups[group].choices):
            for k in self.left[choice.onward.call_id]:
                column = self.take.get((group, c, k))
                if column is not None:
                    yield choice, k, column

    def share_left(self, call: Call, bucket: int, factor: float, up: bool = False) -> tuple[list[Term], float]:
        """``factor * Y_tk`` as terms and constant; inside a span that at its beginning, or ``up`` at its end."""
        columns = self.left[call.call_id]
        if bucket >= max(columns):
            return [], factor
        if up:
            return [(columns[min(k for k in columns if k >= bucket)], factor)], 0.0
        past = [k for k in columns if k <= bucket]
        return ([(columns[past[-1]], factor)], 0.0) if past else ([], 0.0)

    def leaves_in(self, call: Call, bucket: int, factor: float) -> tuple[list[Term], float]:
        """``factor * (Y_tk - Y_t,k-1)`` of a span."""
        now, one = self.share_left(call, bucket, factor)
        before, two = self.share_left(call, bucket - 1, -factor)
        return now + before, one + two


def span_ends(r: Relaxation, first: int, last: int) -> list[int]:
    """Last buckets of the spans: at first as long as a bucket may be, then twice and four times that."""
    found, since = [first], r.ends(first)
    for k in range(first + 1, last):
        length = r.width * min(4, 2 ** ((len(found) - 1) // SINGLE))
        if r.ends(k + 1) - since > length:
            found.append(k)
            since = r.ends(k)
    return found if last == first else [*found, last]


def merged(terms: Iterable[Term]) -> list[Term]:
    total: dict[int, float] = defaultdict(float)
    for column, factor in terms:
        total[column] += factor
    return list(total.items())
