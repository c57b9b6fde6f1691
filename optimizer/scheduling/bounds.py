"""Bounds on the makespan that take no search: chains of jobs, and loads of machines by a linear programme.

For a machine ``k`` and times ``a, b``, the operations of ``k`` that cannot start before ``a`` and leave at least ``b``
to do after them must fit between ``a`` and ``C - b``. Over the choice of machines ``x``:

    min C   s.t.   sum_k x_ok = 1;   a + b + sum_{o: head_o >= a, tail_o >= b} d_ok x_ok <= C   for all k, a, b

where ``a, b`` are such that some operation has that head and tail. Rows are added as they are violated. Where machines
leave no choice the best row is Jackson's preemptive schedule (Carlier, EJOR 11, 1982).

The bound is computed from the rows' multipliers ``y >= 0`` (scaled to a sum of one), and holds whatever they are:

    sum_r y_r (a_r + b_r) + sum_o min_k d_ok sum_{r: k, a, b of r hold o} y_r
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizer.scheduling.problem import FlexibleJobShop, Ints

MOST_PASSES = 20
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Loads:
    """
    How the work is best spread over the machines.

    Attributes
    ----------
    bound
        No makespan falls below.
    share
        Shape (options,): how much of the operation the option takes; one altogether.
    """

    bound: int
    share: npt.NDArray[np.float64]


def chain_bound(problem: FlexibleJobShop) -> int:
    """The longest job on its fastest machines."""
    return int((problem.head() + problem.shortest).max(initial=0))


def balanced_loads(problem: FlexibleJobShop, time_limit_s: float = math.inf, max_passes: int = MOST_PASSES) -> Loads:
    """The linear programme above; its bound, rounded up, is at least :func:`chain_bound`."""
    from scipy.optimize import linprog  # takes its time to import
    from scipy.sparse import csr_array

    ends_at = time.monotonic() + time_limit_s
    best, num_options = chain_bound(problem), problem.machine.size
    share = np.ones(num_options) / np.repeat(np.diff(problem.option_start), np.diff(problem.option_start))
    if problem.num_operations == 0:
        return Loads(best, share)
    operation = problem.operation_of_option
    head, tail = problem.head()[operation], problem.tail()[operation]
    equal = csr_array(
        (np.ones(num_options), (operation, np.arange(num_options))), shape=(problem.num_operations, num_options + 1)
    )
    objective = np.append(np.zeros(num_options), 1.0)
    members = [m for k in range(problem.num_machines) if (m := np.flatnonzero(problem.machine == k)).size]
    rows = [(m, int(head[m].min()), int(tail[m].min())) for m in members]
    for _ in range(max_passes):
        at = np.repeat(np.arange(len(rows)), [m.size for m, _, _ in rows])
        column = np.concatenate([m for m, _, _ in rows])
        idle = np.array([float(a + b) for _, a, b in rows])
        upper = csr_array(
            (np.append(problem.duration[column].astype(float), -np.ones(len(rows))),
             (np.append(at, np.arange(len(rows))), np.append(column, np.full(len(rows), num_options)))),
            shape=(len(rows), num_options + 1),
        )  # fmt: skip
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            break
        solved = linprog(
            objective, A_ub=upper, b_ub=-idle, A_eq=equal, b_eq=np.ones(problem.num_operations), bounds=(0, None),
            method="highs", options={"time_limit": left_s} if left_s < math.inf else None,
        )  # fmt: skip
        if solved.status != 0:
            break
        share = solved.x[:-1]
        multiplier = np.maximum(0.0, -solved.ineqlin.marginals)
        if multiplier.sum() > 0:
            multiplier /= multiplier.sum()
            price = np.bincount(column, multiplier[at], num_options) * problem.duration
            bound = multiplier @ idle + np.minimum.reduceat(price, problem.option_start[:-1]).sum()
            best = max(best, math.ceil(bound - TOLERANCE * max(1.0, bound)))
        violated = [row for m in members if (row := _tightest(m, head, tail, problem.duration, solved.x)) is not None]
        if not violated:
            break
        rows += violated
    return Loads(best, share)


def _tightest(m: Ints, head: Ints, tail: Ints, duration: Ints, x: np.ndarray) -> tuple[Ints, int, int] | None:
    """The most violated row of a machine whose options are ``m``, if any is."""
    load = duration[m] * x[m]
    found, most = None, x[-1] + TOLERANCE * max(1.0, x[-1])
    by_tail = np.argsort(-tail[m], kind="stable")
    for a in np.unique(head[m]):
        inside = by_tail[head[m][by_tail] >= a]
        needed = a + tail[m][inside] + np.cumsum(load[inside])
        best = int(needed.argmax())
        if needed[best] > most:
            most = needed[best]
            b = int(tail[m][inside[best]])
            found = (m[(head[m] >= a) & (tail[m] >= b)], int(a), b)
    return found
