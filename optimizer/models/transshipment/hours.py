"""Numbers of the tables in integers, and hours as working windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from optimizer.errors import Fault
from optimizer.models.transshipment.site import DAY, Windows


def exact(value: Any) -> Fraction:
    return Fraction(str(float(value)))


def nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def minutes(hours: Any) -> int:
    return nearest(exact(hours) * 60)


def whole_minutes(amount: Any) -> int:
    """Set-ups, up to a full minute."""
    return math.ceil(exact(amount))


def cents(usd: Any) -> int:
    return nearest(exact(usd) * 100)


def thousandths(value: Any) -> int:
    return nearest(exact(value) * 1000)


def _merged(spans: Iterable[tuple[int, int]]) -> Windows:
    """Spans in order; those that touch are one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _daily(hours: Sequence[str], end: int) -> Windows:
    """Spans up to ``end`` of hours of the day; ``22-6`` runs over midnight."""
    spans = []
    for day in range(-1, end // DAY + 1):
        for span in hours:
            first, last = (minutes(part) for part in span.split("-"))
            last += DAY if last <= first else 0
            spans.append((max(0, day * DAY + first), min(end, day * DAY + last)))
    return _merged(spans)


def without(open_: Windows, away: Windows) -> Windows:
    """Working windows less the spans of ``away``, which are in order and apart."""
    left = []
    for start, end in open_:
        for first, last in away:
            if start < first < end:
                left.append((start, first))
            if first < end and start < last:
                start = max(start, last)
        if start < end:
            left.append((start, end))
    return tuple(left)


def open_windows(row: Mapping[str, Any], end: int) -> Windows:
    """When somebody works: shifts less breaks, less what is out of service."""
    lost = _merged(tuple(minutes(part) for part in span.split("-")) for span in row["out_of_service_h"])  # type: ignore[misc]
    return without(without(_daily(row["shifts_h"], end), _daily(row["breaks_h"], end)), lost)


def check_hours(table: str, line: int, row: Mapping[str, Any]) -> Iterable[Fault]:
    for column in ("shifts_h", "breaks_h"):
        for shift in row[column]:
            if any(exact(part) > 24 for part in shift.split("-")):
                yield Fault(f"{table}.csv", f"{column} is '{shift}', expected hours of the day from 0 to 24", line)
    for span in row["out_of_service_h"]:
        first, last = (exact(part) for part in span.split("-"))
        if first >= last:
            text = f"out_of_service_h is '{span}', expected a start before an end, in hours of the horizon"
            yield Fault(f"{table}.csv", text, line)
    if not row["shifts_h"]:
        yield Fault(f"{table}.csv", "shifts_h is empty, expected working hours, for example 6-14;16-24", line)
    elif not without(_daily(row["shifts_h"], 2 * DAY), _daily(row["breaks_h"], 2 * DAY)):
        shifts, breaks = ";".join(row["shifts_h"]), ";".join(row["breaks_h"])
        yield Fault(f"{table}.csv", f"breaks_h '{breaks}' leaves nothing of shifts_h '{shifts}'", line)
