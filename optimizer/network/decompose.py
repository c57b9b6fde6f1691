"""From the flow of one demand on arcs to routes with tonnes (Ahuja, Magnanti and Orlin, Network Flows, 1993, 3.5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Route = tuple[tuple[int, ...], float]
"""Arcs in order of travel, tonnes."""


def decompose(
    tail: npt.NDArray[np.integer], head: npt.NDArray[np.integer], flow: dict[int, float], source: int, sink: int,
    quantity_t: float, least: float,
) -> list[Route]:  # fmt: skip
    """
    Routes in an arc flow, at most ``quantity_t`` tonnes; ``flow`` (arc -> tonnes) is used up by them.

    From the source always along the arc with most tonnes (the lowest number among equals). A loop met on the way is
    taken out of the flow. Ends when less than ``least`` tonnes leave the source.
    """
    leaving: dict[int, list[int]] = defaultdict(list)
    for arc in sorted(arc for arc, tonnes in flow.items() if tonnes > least):
        leaving[int(tail[arc])].append(arc)
    routes: list[Route] = []
    while quantity_t > least:
        path: list[int] = []
        position = {source: 0}
        vertex = source
        while vertex != sink:
            arc = max(leaving[vertex], key=lambda a: (flow[a], -a), default=-1)
            if arc < 0 or flow[arc] <= least:
                break
            path.append(arc)
            vertex = int(head[arc])
            if vertex in position:
                loop = path[position[vertex] :]
                _take(flow, loop, min(flow[a] for a in loop))
                path = path[: position[vertex]]
                position = {v: n for v, n in position.items() if n <= len(path)}
            else:
                position[vertex] = len(path)
        if vertex != sink:
            if not path:
                break
            flow[path[-1]] = 0.0  # a remainder below the solver's tolerance that leads nowhere
            continue
        tonnes = min(quantity_t, *(flow[arc] for arc in path))
        _take(flow, path, tonnes)
        quantity_t -= tonnes
        routes.append((tuple(path), tonnes))
    return routes


def _take(flow: dict[int, float], arcs: Sequence[int], tonnes: float) -> None:
    for arc in arcs:
        flow[arc] -= tonnes
