"""Search for short schedules: tabu search from solutions between good ones (path relinking), in any number of threads.

Every walker works for a fixed amount of work a round, on a pool of its own; after each round the pools are merged. What
is found depends on seed, number of walkers and rounds only, not on the clock.

Sources: Peng, Lü and Cheng, Computers & Operations Research 53, 2015, and González, Vela and Varela, EJOR 245, 2015
(tabu search with path relinking).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.scheduling import kernels, tabu_kernels
from optimizer.scheduling.problem import FlexibleJobShop, Ints, Schedule

ROUND_WORK = 10_000_000
"""Operations looked at by a walker in a round: about a tenth of a second."""
PATIENCE = 4_000
POOL = 10
NOISE_PERCENT = 30
LEAST_DISTANCE = 0.1
"""Share of operations that come behind another one on their machines in two solutions of a pool."""
FRESH_STARTS = 0.1
"""Share of runs that begin anew although the pool is full."""


@dataclass(frozen=True)
class Solution:
    """
    Makespan; machine, start and predecessor on the machine (-1: none) of each operation; all in order of their starts.
    """

    makespan: int
    machine: Ints
    start: Ints
    before: Ints
    sequence: Ints


class Walker:
    """One thread's search: its random numbers, its pool of good solutions and the run it is in."""

    def __init__(self, problem: FlexibleJobShop, preferred: npt.NDArray[np.bool_], seed: int, number: int) -> None:
        self.pool: list[Solution] = []
        self._problem = problem
        self._preferred = preferred
        count = problem.num_operations
        jobs = np.diff(problem.job_start) > 0
        starts, last = problem.job_start[:-1][jobs], problem.job_start[1:][jobs] - 1
        previous, following = np.arange(-1, count - 1), np.arange(1, count + 1)
        previous[starts], following[last] = -1, -1

        def blank() -> Ints:
            return np.zeros(count, np.int64)

        self._shop = kernels.Shop(previous, following, last, problem.option_start, problem.machine, problem.duration)
        self._orders = kernels.Orders(blank(), blank(), blank(), blank(), np.zeros(problem.num_machines, np.int64))
        self._times = kernels.Times(blank(), blank(), blank(), blank())
        self._tabu = tabu_kernels.Tabu(
            np.zeros((count, count), np.int32), np.zeros((count, problem.num_machines), np.int32)
        )
        self._found = tabu_kernels.Best(blank(), blank(), blank())
        self._counters = np.zeros(3, np.int64)
        self._random = np.random.default_rng((seed, number))
        self._state = self._random.integers(1, 2**63, 1, np.uint64)
        self._duration = np.full((count, problem.num_machines), -1)
        self._duration[problem.operation_of_option, problem.machine] = problem.duration
        self._base = 10 + problem.num_jobs // problem.num_machines
        self._running = False
        self._number = number
        self._starts = number

    def work(self, amount: int, target: int) -> None:
        """Search for ``amount`` more, or until ``target`` is reached."""
        while amount > 0:
            if not self._running:
                self._begin()
            amount -= tabu_kernels.tabu_search(
                self._shop, self._orders, self._times, self._tabu, self._base, amount, PATIENCE, target, self._state,
                self._counters, self._found,
            )  # fmt: skip
            reached = self._counters[2] <= target
            if reached or self._counters[1] >= PATIENCE:
                self._running = False
                self.pool = merged([*self.pool, self._best_of_run()])
            if reached:
                return

    def good(self) -> list[Solution]:
        """The pool and the best of the run it is in."""
        return merged([*self.pool, self._best_of_run()]) if self._running else self.pool

    def _best_of_run(self) -> Solution:
        place = np.empty(self._found.order.size, np.int64)
        place[self._found.order] = np.arange(place.size)
        sequence = np.lexsort((place, self._found.head))
        return solution_of(int(self._counters[2]), self._found.machine_of.copy(), self._found.head.copy(), sequence)

    def _begin(self) -> None:
        problem = self._problem
        if len(self.pool) < POOL or self._random.random() < FRESH_STARTS:
            sequence = np.empty(problem.num_operations, np.int64)
            # By turns on the machines of the balanced loads and on all; the first two walkers begin without noise.
            allowed = self._preferred if self._starts % 2 == 0 else np.ones(problem.machine.size, np.bool_)
            noise = NOISE_PERCENT if self._starts > self._number or self._number > 1 else 0
            kernels.dispatch(problem.job_start, self._shop, allowed, problem.tail() + problem.shortest,
                             noise, self._state, sequence, self._orders)  # fmt: skip
            self._starts += 1
        else:
            one, other = self._random.choice(len(self.pool), 2, replace=False)
            sequence = self._between(self.pool[one], self.pool[other])
        kernels.link(sequence, self._orders)
        self._tabu.arc[:] = 0
        self._tabu.machine[:] = 0
        self._counters[:] = 0, 0, -1
        self._running = True

    def _between(self, one: Solution, other: Solution) -> Ints:
        """Machines of one or the other, in an order between theirs: places in both, averaged, never break a chain."""
        share = self._random.uniform(0.3, 0.7)
        place = np.empty((2, one.sequence.size))
        place[0, one.sequence] = place[1, other.sequence] = np.arange(one.sequence.size)
        machine = np.where(self._random.random(one.machine.size) < share, other.machine, one.machine)
        self._orders.machine_of[:] = machine
        self._orders.length[:] = self._duration[np.arange(machine.size), machine]
        return np.argsort((1 - share) * place[0] + share * place[1], kind="stable")


def solution_of(makespan: int, machine: Ints, start: Ints, sequence: Ints) -> Solution:
    """With the predecessors that follow from machines and sequence."""
    by_machine = sequence[np.argsort(machine[sequence], kind="stable")]
    before = np.full(machine.size, -1)
    same = machine[by_machine[1:]] == machine[by_machine[:-1]]
    before[by_machine[1:][same]] = by_machine[:-1][same]
    return Solution(makespan, machine, start, before, sequence)


def merged(solutions: Sequence[Solution]) -> list[Solution]:
    """The best ``POOL`` that keep their distance, best first."""
    kept: list[Solution] = []
    for solution in sorted(solutions, key=lambda solution: solution.makespan):
        least = LEAST_DISTANCE * solution.before.size
        if all(np.count_nonzero(solution.before != other.before) > least for other in kept):
            kept.append(solution)
            if len(kept) == POOL:
                break
    return kept


class Search:
    """
    Walkers side by side; ``round`` by round the best schedule gets shorter.

    Parameters
    ----------
    preferred
        Bool per option: machines that every second start is built on, at least one of each operation.
    """

    def __init__(
        self, problem: FlexibleJobShop, preferred: npt.NDArray[np.bool_], seed: int = 0, walkers: int = 1
    ) -> None:
        self._problem = problem
        self._walkers = [Walker(problem, preferred, seed, number) for number in range(walkers)]

    def round(self, target: int, work: int = ROUND_WORK) -> Schedule:
        """One round of all walkers, shorter when one of them reaches ``target``; returns the best schedule so far."""
        with ThreadPoolExecutor(len(self._walkers)) as threads:
            list(threads.map(lambda walker: walker.work(work, target), self._walkers))
        pool = merged([solution for walker in self._walkers for solution in walker.good()])
        if len(self._walkers) > 1:
            for walker in self._walkers:
                walker.pool = list(pool)
        return self._schedule(pool[0])

    def add(self, schedule: Schedule) -> None:
        """A schedule found elsewhere joins the pools."""
        operation = np.arange(schedule.start.size)
        machine = self._problem.machine[schedule.option]
        # Operations of no length come before what starts with them, in the order of their jobs.
        end = schedule.start + self._problem.duration[schedule.option]
        sequence = np.lexsort((operation, end, schedule.start))
        solution = solution_of(schedule.makespan, machine, schedule.start, sequence)
        for walker in self._walkers:
            walker.pool = merged([*walker.pool, solution])

    def _schedule(self, solution: Solution) -> Schedule:
        problem = self._problem
        chosen = problem.machine == solution.machine[problem.operation_of_option]
        return Schedule(np.flatnonzero(chosen), solution.start.copy(), solution.makespan)
