"""Which trains are near to one another in time and place, and which columns of a programme lie around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optimizer.models.rolling_stock.locomotives.network import Floats, Ints
from optimizer.models.rolling_stock.locomotives.trains import Stage

AROUND_MIN = 12 * 60
"""Before and after some trains, in which locomotives are planned with them."""
FAR_MIN = 24 * 60
"""So many minutes apart are as far as to share no place."""
LOOKED_AT = 40
"""Trains among which one far from another is looked for."""


class Nearness:
    """Departures, arrivals and places of trains; ``begin_min`` tells when each column begins."""

    def __init__(self, trains: Sequence[tuple[Stage, ...]], begin_min: Floats) -> None:
        self._begin_min = begin_min
        self._depart_min = np.array([own[0].depart_min for own in trains], float)
        self._arrive_min = np.array([own[-1].arrive_min for own in trains], float)
        ends = [{name for stage in own for name in (stage.from_node, stage.to_node)} for own in trains]
        places = {name: n for n, name in enumerate(sorted(set().union(*ends)))}
        self._calls = np.zeros((len(trains), len(places)))
        for number, names in enumerate(ends):
            self._calls[number, [places[name] for name in names]] = 1.0

    def nearest(self, train: int, size: int, by_place: bool) -> Ints:
        """Trains by the time between departures and, if asked for, as much later as fewer places are shared."""
        far = np.abs(self._depart_min - self._depart_min[train])
        if by_place:
            far = far + FAR_MIN * (1.0 - self._calls @ self._calls[train] / self._calls[train].sum())
        return np.argsort(far, kind="stable")[:size]

    def apart(self, seeds: list[int], size: int, by_place: bool) -> list[Ints]:
        """The trains nearest to the first seed, and to the first one that has nothing around it in common; both go."""
        chosen = [self.nearest(seeds.pop(0), size, by_place)]
        around = self.around(chosen[0])
        for seed in seeds[:LOOKED_AT]:
            others = self.nearest(seed, size, by_place)
            if not (around & self.around(others)).any():
                seeds.remove(seed)
                return [*chosen, others]
        return chosen

    def around(self, trains: Ints) -> npt.NDArray[np.bool_]:
        """Columns that begin while some trains are under way, or not long before or after; of all trains, all."""
        if trains.size == self._depart_min.size:
            return np.ones(self._begin_min.size, bool)
        since, until = self._depart_min[trains].min(), self._arrive_min[trains].max()
        return (self._begin_min >= since - AROUND_MIN) & (self._begin_min <= until + AROUND_MIN)


def nearest_trains(trains: Sequence[tuple[Stage, ...]], most: int) -> Ints:
    """Shape (trains, most): for each train those nearest to it in time and place."""
    nearness = Nearness(trains, np.zeros(0))
    return np.array([nearness.nearest(train, most, by_place=True) for train in range(len(trains))], np.int64)
