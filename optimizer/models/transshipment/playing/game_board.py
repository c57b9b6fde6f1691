"""A terminal while it is played: what stands, waits and works at the present minute, and what is known to come."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from optimizer.models.transshipment.playing.game_parts import Aim, Lasting, Train
from optimizer.models.transshipment.problem import Work
from optimizer.models.transshipment.site import Crane, Load, Site, Worker


class Board:
    """
    The position of a game.

    A load waits in one of the lists of what can be done next: checks (``to_check``), works of a crane (``to_move`` and
    ``to_fetch`` of its trains), exchange of bogies (``to_change``).
    """

    def __init__(
        self,
        site: Site,
        leaves: Mapping[str, int],
        fallbacks: Mapping[str, Sequence[Aim]],
        lasting: Lasting,
        since: int,
    ) -> None:
        self.site, self.lasting, self.since = site, lasting, since
        self.fallbacks = fallbacks
        self.trains = {c.call_id: Train(c, leaves.get(c.call_id, c.depart), room=dict(c.room)) for c in site.calls}
        self.way: dict[str, Aim] = {}
        self.works: dict[str, list[Work]] = defaultdict(list)
        self.done: set[str] = set()
        self.yard = dict(site.yard)
        self.stock = {bay.bay_id: dict(bay.stock) for bay in site.bays}
        self.to_change: list[tuple[int, str, Load]] = []
        self.free_tracks = {track.track_id for track in site.tracks}
        self.waiting: list[tuple[int, int, str]] = []
        self.checks: dict[str, list[Work]] = defaultdict(list)
        self.to_check: dict[str, list[tuple[int, str, Load]]] = defaultdict(list)
        """By check: loads that are where it is done."""
        self.coming: dict[str, list[tuple[int, str, Load]]] = defaultdict(list)
        """By train that has not come: loads to be checked on it."""
        self.empties = dict(site.empties)
        workers: list[Worker] = [*site.cranes, *site.bays, *site.posts]
        self.busy_until = dict.fromkeys((worker.name for worker in workers), 0)
        self.last_train: dict[str, str] = {}
        """By crane, bay or post: train with which its last load came."""
        self.in_line: dict[str, tuple[Crane, int | None, int]] = {}
        """Cranes on runways at their last works: zone and end."""
        self.standing: list[Train] = []
        self.clock: list[tuple[int, int, int, tuple[str, Any]]] = []
        self.number = 0

    @cached_property
    def by_id(self) -> Mapping[str, Load]:
        return {load.load_id: load for load in self.site.loads}

    @cached_property
    def on_runway(self) -> Mapping[str, Crane]:
        return {crane.name: crane for crane in self.site.cranes if crane.runway}

    def at(self, minute: int, order: int, what: tuple[str, Any]) -> None:
        self.number += 1
        heapq.heappush(self.clock, (max(minute, self.since), order, self.number, what))

    def note(self, work: Work, load: Load) -> None:
        """Somebody is busy with a load."""
        name = work.resource
        if work.end >= self.busy_until[name]:
            self.busy_until[name], self.last_train[name] = work.end, load.call_id
            crane = self.on_runway.get(name)
            if crane is not None:
                self.in_line[name] = crane, load.zone, work.end

    def count(self, train: Train, wagons: int) -> None:
        """Empty wagons of the train's gauge come into stock, or go."""
        if train.call.gauge_mm in self.empties:
            self.empties[train.call.gauge_mm] += wagons

    def go_on(self, load: Load) -> None:
        """The load waits for what comes next in its chain; what has nothing left to wait for is done."""
        i, done = load.load_id, len(self.checks[load.load_id])
        (onward_id, way), num_works = self.way[i], len(self.works[i])
        onward, first = self.trains[onward_id], len(load.before)
        if num_works == 0 and done >= first:
            if way == "bogie":
                insort(self.to_change, (onward.aim, i, load), key=lambda item: item[:2])
            else:
                self.trains[load.call_id].to_move[load.form].setdefault(onward_id, []).append(load)
        elif num_works == 1 and way == "yard" and done >= first + len(load.between):
            onward.to_fetch[load.form].append(load)
        elif done < len(load.checks):
            item = self.trains[load.call_id].aim if num_works == 0 else onward.aim, i, load
            train = self.checked_on(load, done)
            if train is not None and train.start < 0:
                self.coming[train.call.call_id].append(item)
            else:
                insort(self.to_check[load.checks[done]], item, key=lambda item: item[:2])
        else:
            onward.outside -= 1
            self.done.add(i)

    def checked_on(self, load: Load, done: int) -> Train | None:
        """The train on which the load's next check is done; None in the yard."""
        if done < len(load.before):
            return self.trains[load.call_id]
        return None if done < len(load.before) + len(load.between) else self.trains[self.way[load.load_id][0]]
