"""Search for short schedules: tabu search from solutions between good ones (path relinking), in any number of threads.

Every walker works for a fixed amount of work a round, on a pool of its own; after each round the pools are merged. What
is found depends on seed, number of walkers and rounds only, not on the clock.

Sources: Mastrolilli and Gambardella, J. Scheduling 3, 2000 (neighbourhood); Peng, Lü and Cheng, Computers & Operations
Research 53, 2015, and González, Vela and Varela, EJOR 245, 2015 (tabu search with path relinking).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from optimizer.scheduling import kernels
from optimizer.scheduling.problem import FlexibleJobShop, Ints

ROUND_WORK = 40_000_000
"""Operations looked at by a walker in a round: some tenths of a second."""
PATIENCE = 4_000
POOL = 10
LOOKED_AT = int(__import__("os").environ.get("LA", "4"))


@dataclass(frozen=True)
class Solution:
    """Makespan, machine per operation, start per operation, and all operations in order of their starts."""

    makespan: int
    machine: Ints
    start: Ints
    sequence: Ints


class Walker:
    """One thread's search: its random numbers, its pool of good solutions and the run it is in."""

    def __init__(self, problem: FlexibleJobShop, seed: int, number: int) -> None:
        self.problem = problem
        self.pool: list[Solution] = []
        self.best: Solution | None = None
        count = problem.num_operations
        jobs = np.diff(problem.job_start) > 0
        starts, self._last = problem.job_start[:-1][jobs], problem.job_start[1:][jobs] - 1
        self._previous, self._following = np.arange(-1, count - 1), np.arange(1, count + 1)
        self._previous[starts], self._following[self._last] = -1, -1
        self._random = np.random.default_rng((seed, number))
        self._state = self._random.integers(1, 2**63, 1, np.uint64)
        self._machine, self._length, self._before, self._after = (np.zeros(count, np.int64) for _ in range(4))
        self._first = np.zeros(problem.num_machines, np.int64)
        self._tabu_arc = np.zeros((count, count), np.int32)
        self._tabu_machine = np.zeros((count, problem.num_machines), np.int32)
        self._counters = np.zeros(3, np.int64)
        self._best_machine, self._best_head, self._best_order = (np.zeros(count, np.int64) for _ in range(3))
        self._duration = np.full((count, problem.num_machines), -1)
        self._duration[problem.operation_of_option, problem.machine] = problem.duration
        self._base = 10 + problem.num_jobs // problem.num_machines
        self._running = False
        self._starts = 0 if number == 0 else 1

    def work(self, amount: int, target: int) -> None:
        """Search for ``amount`` more, or until ``target`` is reached."""
        while amount > 0:
            if not self._running:
                self._begin()
            problem = self.problem
            amount -= max(1, kernels.tabu_search(
                self._previous, self._following, self._last, problem.option_start, problem.machine, problem.duration,
                self._machine, self._length, self._before, self._after, self._first, self._tabu_arc,
                self._tabu_machine, self._base, LOOKED_AT, amount, PATIENCE, target, self._state, self._counters,
                self._best_machine, self._best_head, self._best_order,
            ))  # fmt: skip
            reached = self._counters[2] <= target
            if reached or self._counters[1] >= PATIENCE:
                self._running = False
                self.pool = merged([*self.pool, self._found()])
            if reached:
                return

    def good(self) -> list[Solution]:
        """The pool and the best of the run it is in."""
        return merged([*self.pool, self._found()]) if self._running else self.pool

    def _found(self) -> Solution:
        place = np.empty(self._best_order.size, np.int64)
        place[self._best_order] = np.arange(place.size)
        sequence = np.lexsort((place, self._best_head))
        return Solution(int(self._counters[2]), self._best_machine.copy(), self._best_head.copy(), sequence)

    def _begin(self) -> None:
        problem = self.problem
        if len(self.pool) < POOL:
            sequence = np.empty(problem.num_operations, np.int64)
            left = problem.tail() + problem.shortest
            noise = 0 if self._starts == 0 else 30
            self._starts += 1
            kernels.dispatch(problem.job_start, problem.option_start, problem.machine, problem.duration, left, noise,
                             self._state, sequence, self._machine, self._length)  # fmt: skip
        else:
            one, other = self._random.choice(len(self.pool), 2, replace=False)
            sequence = self._between(self.pool[one], self.pool[other])
        kernels.link(sequence, self._machine, self._before, self._after, self._first)
        self._tabu_arc[:] = 0
        self._tabu_machine[:] = 0
        self._counters[:] = 0, 0, -1
        self._running = True

    def _between(self, one: Solution, other: Solution) -> Ints:
        """Machines of one or the other, in an order between theirs: places in both, averaged, never break a chain."""
        share = self._random.uniform(0.3, 0.7)
        place = np.empty((2, one.sequence.size))
        place[0, one.sequence] = place[1, other.sequence] = np.arange(one.sequence.size)
        self._machine[:] = np.where(self._random.random(one.machine.size) < share, other.machine, one.machine)
        self._length[:] = self._duration[np.arange(self._machine.size), self._machine]
        return np.argsort((1 - share) * place[0] + share * place[1], kind="stable")


def merged(solutions: Sequence[Solution]) -> list[Solution]:
    """The best ``POOL`` that differ in makespan, machines or starts, best first."""
    kept: list[Solution] = []
    for solution in sorted(solutions, key=lambda solution: solution.makespan):
        if not any(
            solution.makespan == other.makespan
            and np.array_equal(solution.machine, other.machine)
            and np.array_equal(solution.start, other.start)
            for other in kept
        ):
            kept.append(solution)
    return kept[:POOL]


class Search:
    """Walkers side by side; ``round`` by round the best schedule gets shorter."""

    def __init__(self, problem: FlexibleJobShop, seed: int, walkers: int = 1) -> None:
        self._walkers = [Walker(problem, seed, number) for number in range(walkers)]
        self.best: Solution | None = None

    def round(self, target: int, work: int = ROUND_WORK) -> Solution:
        """One round of all walkers; returns the best solution so far."""
        with ThreadPoolExecutor(len(self._walkers)) as threads:
            list(threads.map(lambda walker: walker.work(work, target), self._walkers))
        pool = merged([solution for walker in self._walkers for solution in walker.good()])
        for walker in self._walkers:
            walker.pool = list(pool) if len(self._walkers) > 1 else walker.pool
        self.best = pool[0]
        return self.best
