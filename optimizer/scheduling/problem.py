"""The flexible job shop as arrays: jobs are chains of operations, each done by one of its machines without a break.

It is the chain of handlings of a terminal without tracks and stocks. Every operation needs one machine of its options
for that option's duration, operations of a job follow one another, a machine does one operation at a time; the time
when all is done (makespan) is to be as small as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.errors import Fault, InstanceError

Ints = npt.NDArray[np.int64]
LONGEST = 2**31 - 1
"""The sum of the longest durations stays below, so that no sum of times overflows."""


@dataclass(frozen=True)
class FlexibleJobShop:
    """
    Jobs, operations and options in order, each level pointing into the next (times in any integer unit).

    Attributes
    ----------
    num_machines
        Machines are 0 to ``num_machines - 1``.
    job_start
        Shape (jobs + 1,): operations of job ``j`` are ``job_start[j]`` to ``job_start[j + 1] - 1``, in order.
    option_start
        Shape (operations + 1,): options of an operation likewise.
    machine, duration
        Shape (options,): machine of the option, and its time of at least 0. An operation names a machine once.

    Raises
    ------
    InstanceError
        With every job, operation and value that breaks these rules.
    """

    num_machines: int
    job_start: Ints
    option_start: Ints
    machine: Ints
    duration: Ints

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise InstanceError("flexible job shop", [Fault("options", fault) for fault in faults])

    def _faults(self) -> list[str]:
        if self.machine.shape != self.duration.shape:
            return [f"{self.machine.size} machines and {self.duration.size} durations, expected as many"]
        for name, start, end in (
            ("job_start", self.job_start, self.option_start.size - 1),
            ("option_start", self.option_start, self.machine.size),
        ):
            if start.size == 0 or start[0] != 0 or start[-1] != end or (np.diff(start) < 0).any():
                return [f"{name} must rise from 0 to {end}"]
        found = [f"operation {o} has no machine" for o in np.flatnonzero(np.diff(self.option_start) == 0)]
        operation = self.operation_of_option
        stray = np.flatnonzero((self.machine < 0) | (self.machine >= self.num_machines))
        found += [
            f"operation {operation[o]}: machine is {self.machine[o]}, expected 0 to {self.num_machines - 1}"
            for o in stray
        ]
        found += [
            f"operation {operation[o]}: duration is {self.duration[o]}, expected at least 0"
            for o in np.flatnonzero(self.duration < 0)
        ]
        pairs, count = np.unique(np.stack([operation, self.machine]), axis=1, return_counts=True)
        found += [f"operation {o} names machine {k} twice" for o, k in pairs.T[count > 1]]
        if not found and self.machine.size:
            total = sum(int(longest) for longest in np.maximum.reduceat(self.duration, self.option_start[:-1]))
            if total > LONGEST:
                found.append(f"the longest durations add up to {total}, expected at most {LONGEST}")
        return found

    @classmethod
    def from_jobs(cls, jobs: Sequence[Sequence[Sequence[tuple[int, int]]]], num_machines: int) -> FlexibleJobShop:
        """Of nested lists: jobs of operations of options ``(machine, duration)``."""
        operations = [operation for job in jobs for operation in job]
        options = np.array([option for operation in operations for option in operation], np.int64).reshape(-1, 2)
        return cls(
            num_machines,
            np.cumsum([0, *(len(job) for job in jobs)]),
            np.cumsum([0, *(len(operation) for operation in operations)]),
            options[:, 0].copy(),
            options[:, 1].copy(),
        )

    @property
    def num_jobs(self) -> int:
        return self.job_start.size - 1

    @property
    def num_operations(self) -> int:
        return self.option_start.size - 1

    @property
    def operation_of_option(self) -> Ints:
        """Shape (options,)."""
        return np.repeat(np.arange(self.num_operations), np.diff(self.option_start))

    @property
    def shortest(self) -> Ints:
        """Shape (operations,): duration on the fastest machine."""
        return (
            np.minimum.reduceat(self.duration, self.option_start[:-1]) if self.machine.size else np.zeros(0, np.int64)
        )

    def head(self) -> Ints:
        """Shape (operations,): no schedule starts the operation earlier (the fastest chain before it)."""
        before = np.cumsum(self.shortest) - self.shortest
        return before - np.repeat(before[self.job_start[:-1][np.diff(self.job_start) > 0]], self._lengths())

    def tail(self) -> Ints:
        """Shape (operations,): the fastest chain after the operation."""
        after = np.cumsum(self.shortest)
        last = self.job_start[1:][np.diff(self.job_start) > 0] - 1
        return np.repeat(after[last], self._lengths()) - after

    def _lengths(self) -> Ints:
        lengths = np.diff(self.job_start)
        return lengths[lengths > 0]


@dataclass(frozen=True)
class Schedule:
    """
    When and where every operation is done.

    Attributes
    ----------
    option, start
        Shape (operations,): index of the chosen option in the problem's option arrays, and start time.
    makespan
        When the last operation ends.
    """

    option: Ints
    start: Ints
    makespan: int


@dataclass(frozen=True)
class Scheduled:
    """A schedule, a bound that no makespan falls below, and the rounds of search that led to it."""

    schedule: Schedule
    bound: int
    rounds: int

    @property
    def proved(self) -> bool:
        return self.bound >= self.schedule.makespan
