"""What the verifier reads: the tables' rows, the plan's rows, and numbers of the tables as the docs count them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import pandas as pd

from optimizer.models.transshipment.problem import Transshipment
from optimizer.result import Solution

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Done:
    """One work or check of the plan: who, for which load, when."""

    resource: str
    load: str
    start: int
    end: int


class Case:
    """The plan beside the tables."""

    def __init__(self, problem: Transshipment, solution: Solution) -> None:
        self.serve_all = bool(problem.options["serve_all"])

        def rows(table: str, key: str) -> Rows:
            frame = problem.corridor.table(table)
            return {row[key]: row for row in frame.to_dict("records")}

        def at_terminal(table: str, key: str) -> Rows:
            return {k: v for k, v in rows(table, key).items() if v["terminal_id"] == problem.options["terminal"]}

        self.terminal = rows("terminals", "terminal_id")[problem.options["terminal"]]
        self.track = at_terminal("terminal_tracks", "track_id")
        self.crane = at_terminal("terminal_cranes", "crane_id")
        self.bay = at_terminal("terminal_bays", "bay_id")
        self.post = at_terminal("terminal_posts", "post_id")
        self.call = at_terminal("train_calls", "call_id")
        self.load = rows("terminal_loads", "load_id")
        self.train = {row["call_id"]: row for row in solution["trains"].to_dict("records")}
        self.plan = {row["load_id"]: row for row in solution["loads"].to_dict("records")}
        self.works: dict[str, list[Done]] = defaultdict(list)
        for load, row in self.plan.items():
            for step in ("unload", "load"):
                start, end = whole(row[f"{step}_start_min"]), whole(row[f"{step}_end_min"])
                if start is not None and end is not None:
                    self.works[load].append(Done(row[f"{step}_resource"], load, start, end))
        self.checks: dict[str, list[tuple[str, Done]]] = defaultdict(list)
        for row in _checks(solution):
            done = Done(row["post_id"], row["load_id"], int(row["start_min"]), int(row["end_min"]))
            self.checks[row["load_id"]].append((row["check"], done))

    @property
    def done(self) -> list[Done]:
        """Works of cranes and bays."""
        return [work for works in self.works.values() for work in works]

    @property
    def by_resource(self) -> Mapping[str, list[Done]]:
        """Works and checks of whoever does them, in order of time."""
        found: dict[str, list[Done]] = defaultdict(list)
        for done in (*self.done, *(done for checks in self.checks.values() for _, done in checks)):
            found[done.resource].append(done)
        return {name: sorted(works, key=lambda w: (w.start, w.end, w.load)) for name, works in found.items()}

    def goes(self, load_id: str) -> bool:
        """Whether the load goes on with a train that calls here."""
        return self.plan[load_id]["mode"] != "missed" and self.plan[load_id]["outbound_id"] in self.call


def _checks(solution: Solution) -> list[dict[Any, Any]]:
    """Rows of the checks in the order of their places; a plan without the table has none."""
    if "checks" not in solution:
        return []
    return sorted(solution["checks"].to_dict("records"), key=lambda row: int(row["place"]))


def is_open(row: Mapping[str, Any], minute: int) -> bool:
    """Whether a crane, bay or post works in the minute from ``minute`` on."""
    of_day = minute % 1440
    if not any(_covers(shift, of_day) for shift in row["shifts_h"]) or any(
        _covers(pause, of_day) for pause in row["breaks_h"]
    ):
        return False
    return not any(first <= minute < last for first, last in map(_span, row["out_of_service_h"]))


def _covers(shift: str, of_day: int) -> bool:
    """A span of the day that ends before it starts runs overnight."""
    first, last = _span(shift)
    return first <= of_day < last if first < last else of_day >= first or of_day < last


@cache
def _span(text: str) -> tuple[int, int]:
    first, last = (to_minute(part) for part in text.split("-"))
    return first, last


def whole(value: Any) -> int | None:
    return None if pd.isna(value) or value == "" else int(value)


def to_exact(value: Any) -> Fraction:
    return Fraction(repr(float(value)))


def _rounded(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def to_minute(hours: Any) -> int:
    return _rounded(to_exact(hours) * 60)


def to_milli(value: Any) -> int:
    return _rounded(to_exact(value) * 1000)


def to_money(usd: Any) -> Fraction:
    return Fraction(_rounded(to_exact(usd) * 100), 100)


def size_of(load: Mapping[str, Any]) -> int:
    return to_milli(load["teu"] if load["form"] == "container" else load["mass_t"])
