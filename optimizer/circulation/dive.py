"""A first plan: decide the depot of a few more trips at a time, the surest first, and generate rotations in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.circulation.assemble import Assembler, Rotations
from optimizer.circulation.columns import ColumnGeneration
from optimizer.models.family import SolveOptions

SURE = 0.8
MOST_AT_ONCE = 0.02
"""Of all trips: decided in one step although not yet whole."""
PRICINGS = 4
WHOLE = 1e-6


def dive(
    generation: ColumnGeneration, assembler: Assembler, stop: Callable[[], bool], left: Callable[[], SolveOptions],
    accept: Callable[[float, Rotations], None],
) -> None:  # fmt: skip
    """Offer plans to ``accept`` on the way down; ``generation`` has reached its optimum and is used up."""
    graph, pool = generation.graph, generation.pool
    num, depots = graph.num_trips, graph.num_depots
    allowed = np.ones((depots, num), bool)
    can_skip = np.isfinite(graph.skip)
    while not stop():
        for _ in range(PRICINGS):
            solved = generation.solve(left())
            if solved is None:
                return
            price, depot_price, values = solved
            if not pool.add(generation.price_out(price, depot_price)[1]):
                break
        solved = generation.solve(left())
        if solved is None:
            return
        values = solved[2]
        taken = np.flatnonzero(values > 1e-9)
        part = pool.take(taken)
        lengths = np.diff(part.start)
        shares = np.zeros((depots, num))
        np.add.at(shares, (np.repeat(part.depot, lengths), part.trips), np.repeat(values[taken], lengths))
        surest = shares.max(axis=0)
        skipped = can_skip & (1.0 - shares.sum(axis=0) > surest)
        cost, rotations = assembler.plan(np.where(skipped, -1, shares.argmax(axis=0)))
        accept(cost + float(graph.skip[skipped].sum()), rotations)
        open_trips = np.flatnonzero((surest > WHOLE) & (allowed.sum(axis=0) > 1))
        if not open_trips.size or (surest[open_trips] > 1 - WHOLE).all():
            return
        order = open_trips[np.argsort(-surest[open_trips], kind="stable")]
        whole = int((surest[order] > 1 - WHOLE).sum())
        sure = int((surest[order] > SURE).sum())
        for trip in order[: max(whole + 1, min(sure, whole + int(MOST_AT_ONCE * num)))]:
            allowed[:, trip] = False
            allowed[shares[:, trip].argmax(), trip] = True
        generation.restrict(allowed)
