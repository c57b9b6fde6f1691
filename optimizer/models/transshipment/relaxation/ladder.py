"""One bound after the other, each from a larger or stricter relaxation than the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.relaxation.blocks import block_bounds
from optimizer.models.transshipment.relaxation.model import Relaxation
from optimizer.models.transshipment.relaxation.solve import Relaxed, solve, solve_whole

WIDTHS, LONG_WIDTHS = (60, 30, 15), (120, 60)
"""Minutes of a bucket, one relaxation after the other, of short and long horizons."""
BLOCKS = (1440, 2880)
"""Minutes of the blocks of a long horizon, one bound after the other."""


def bounds(
    build: Callable[[int], Relaxation],
    short: bool,
    stage: Callable[..., SolveOptions | None],
    nodes: int | None,
) -> Iterator[tuple[Relaxation, Relaxed]]:
    """
    Linear, then with trains that leave in one span: of the whole, or of blocks of a long horizon.

    Parameters
    ----------
    build
        The relaxation with buckets of so many minutes.
    stage
        ``stage(parts, turns)``: options for one of so many parts in so many turns; None ends the search.
    nodes
        Most nodes of a search; None: as the time allows.
    """
    relaxed: Relaxed | None = None
    for width in WIDTHS if short else LONG_WIDTHS:
        limits = stage()
        if limits is None:
            return
        relaxation = build(width)
        if relaxed is None or relaxed.values is None or not short:
            relaxed = solve(relaxation, limits, "ipm")
            yield relaxation, relaxed
        limits = stage()
        if short and limits is not None:
            yield relaxation, solve_whole(relaxation, limits, nodes)
    if not short and relaxed is not None and relaxed.duals is not None:
        for number, length in enumerate(BLOCKS):
            turns = len(BLOCKS) - number
            for bound in block_bounds(relaxation, relaxed.duals, length, partial(stage, turns=turns), nodes):
                yield relaxation, Relaxed(bound, None)
