"""What is played with: trains, a running plan, minutes of works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optimizer.models.transshipment.problem import Plan, Way, Work
from optimizer.models.transshipment.site import Call, Load, Worker, minutes

Aim = tuple[str, Way]
"""Onward train and way."""


@dataclass(frozen=True)
class Past:
    """A plan of which everything that began before minute ``now`` stands."""

    plan: Plan
    now: int

    def works(self, load_id: str) -> tuple[Work, ...]:
        """Works of a load that have begun."""
        passage = self.plan.passages.get(load_id)
        return tuple(work for work in passage.works if work.start < self.now) if passage else ()

    def checks(self, load_id: str) -> tuple[Work, ...]:
        """Checks of a load that have begun."""
        passage = self.plan.passages.get(load_id)
        return tuple(check for check in passage.checks if check.start < self.now) if passage else ()

    def has_begun(self, load_id: str) -> bool:
        return bool(self.works(load_id) or self.checks(load_id))


class Lasting:
    """Minutes of works, computed once for each kind of load."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, int, bool], int] = {}

    def __call__(self, load: Load, worker: Worker, out: bool = False) -> int:
        key = worker.name, load.form, load.moves, load.wagons, out
        if key not in self._known:
            self._known[key] = minutes(load, worker, out)
        return self._known[key]


@dataclass
class Train:
    """A call while it is played."""

    call: Call
    aim: int
    track: str = ""
    start: int = -1
    leave: int = -1
    inside: int = 0
    """Loads still to be taken off by crane."""
    outside: int = 0
    """Loads still to be put on, or whose bogies are still to be changed for this train."""
    to_move: dict[str, dict[str, list[Load]]] = field(default_factory=lambda: {"container": {}, "bulk": {}})
    """By kind and onward train: loads on this train."""
    to_fetch: dict[str, list[Load]] = field(default_factory=lambda: {"container": [], "bulk": []})
    """By kind: loads in the yard that go with this train."""
    room: dict[str, int] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        return self.start >= 0 and self.leave < 0


def better(
    best: tuple[tuple[int, int], Load, str] | None, key: tuple[int, int], load: Load, step: str
) -> tuple[tuple[int, int], Load, str]:
    return best if best is not None and best[0] <= key else (key, load, step)


def runs(works: Sequence[Work], now: int) -> bool:
    """Whether the last of them has not ended."""
    return bool(works) and works[-1].end > now


def take_out(loads: list[Load], load: Load) -> None:
    """Remove a load, most likely the last; equality of loads would compare every field."""
    at = next(k for k in range(len(loads) - 1, -1, -1) if loads[k] is load)
    del loads[at]
