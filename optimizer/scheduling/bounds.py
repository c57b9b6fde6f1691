"""Bounds on the makespan that take no search: chains of jobs, and loads of machines by a linear programme.

For a machine ``k`` and times ``a, b``, the operations of ``k`` that cannot start before ``a`` and leave at least ``b``
to do after them must fit between ``a`` and ``C - b``. Over the choice of machines ``x``:

    min C   s.t.   sum_k x_ok = 1;   a + b + sum_{o: head_o >= a, tail_o >= b} d_ok x_ok <= C   for all k, a, b

where ``a, b`` are such that some operation has that head and tail. Rows are added as they are violated. A bound of any
fewer rows is valid; so is rounding up, as all times are whole.
"""

from __future__ import annotations

import math

import numpy as np

from optimizer.scheduling.problem import FlexibleJobShop, Ints

MOST_PASSES = 20
TOLERANCE = 1e-6


def chain_bound(problem: FlexibleJobShop) -> int:
    """The longest job on its fastest machines."""
    return int((problem.head() + problem.shortest).max(initial=0))


def load_bound(problem: FlexibleJobShop, max_passes: int = MOST_PASSES) -> int:
    """The linear programme above, rounded up; at least :func:`chain_bound`."""
    from scipy.optimize import linprog  # takes its time to import
    from scipy.sparse import csr_array

    best = chain_bound(problem)
    if problem.num_operations == 0:
        return best
    num_options = problem.machine.size
    operation = problem.operation_of_option
    head, tail = problem.head()[operation], problem.tail()[operation]
    equal = csr_array(
        (np.ones(num_options), (operation, np.arange(num_options))), shape=(problem.num_operations, num_options + 1)
    )
    objective = np.append(np.zeros(num_options), 1.0)
    members = [np.flatnonzero(problem.machine == k) for k in range(problem.num_machines)]
    rows = [(m, int(head[m].min()), int(tail[m].min())) for m in members if m.size]
    for _ in range(max_passes):
        at = np.repeat(np.arange(len(rows)), [m.size for m, _, _ in rows])
        column = np.concatenate([m for m, _, _ in rows])
        upper = csr_array(
            (np.append(problem.duration[column].astype(float), -np.ones(len(rows))),
             (np.append(at, np.arange(len(rows))), np.append(column, np.full(len(rows), num_options)))),
            shape=(len(rows), num_options + 1),
        )  # fmt: skip
        solved = linprog(
            objective, A_ub=upper, b_ub=np.array([-float(a + b) for _, a, b in rows]), A_eq=equal,
            b_eq=np.ones(problem.num_operations), bounds=(0, None), method="highs",
        )  # fmt: skip
        if solved.status != 0:
            return best
        best = max(best, math.ceil(solved.fun - TOLERANCE * max(1.0, solved.fun)))
        violated = [
            row for m in members if m.size and (row := _tightest(m, head, tail, problem.duration, solved.x)) is not None
        ]
        if not violated:
            return best
        rows += violated
    return best


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
