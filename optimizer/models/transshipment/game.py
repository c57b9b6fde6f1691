"""Plays a terminal through, minute by minute of what happens; ``dispatch.py`` says by which rules.

Who works what next stands in ``game_works.py``, how a running plan is taken up in ``game_resume.py``.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from optimizer.models.transshipment.game_parts import Aim, Lasting, Past, Train, runs, take_out
from optimizer.models.transshipment.game_resume import resume_load, resume_trains
from optimizer.models.transshipment.game_works import change, inspect, lift
from optimizer.models.transshipment.problem import Passage, Plan, Stand, Way, Work, stocked
from optimizer.models.transshipment.site import Crane, Load, Site, Worker


class Game:
    """
    One run.

    A load waits in one of the lists of what can be done next: checks (``to_check``), works of a crane (``to_move`` and
    ``to_fetch`` of its trains), exchange of bogies (``to_change``).
    """

    def __init__(
        self,
        site: Site,
        aims: Mapping[str, Aim],
        leaves: Mapping[str, int],
        fallbacks: Mapping[str, Sequence[Aim]],
        lasting: Lasting,
        past: Past | None = None,
    ) -> None:
        self.site, self.lasting = site, lasting
        self.since = past.now if past else 0
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
        begun: set[str] = set()
        if past:
            resume_trains(self, past)
            begun = {load.load_id for load in site.loads if past.has_begun(load.load_id)}
            for load in site.loads:
                if load.load_id in begun:
                    resume_load(self, past, load)
        for load in site.loads:
            aim = aims.get(load.load_id)
            if load.load_id not in begun and (aim is None or not self._join(load, *aim)):
                self._other(load, now=self.since - 1)

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

    def _unqueue(self, load_id: str) -> bool:
        """The load waits for no check any more; whether it did."""
        for queue in (*self.to_check.values(), *self.coming.values()):
            for number, item in enumerate(queue):
                if item[1] == load_id:
                    del queue[number]
                    return True
        return False

    def _join(self, load: Load, onward: str, way: Way) -> bool:
        """The load is to go with this train; False when there is no room on it."""
        unit, amount = ("wagons", load.wagons) if way == "bogie" else (load.form, load.size)
        train = self.trains[onward]
        inbound = self.trains[load.call_id]
        held = way != "bogie" or len(self.checks[load.load_id]) < len(load.before)
        if train.leave >= 0 or train.room[unit] < amount or (held and inbound.leave >= 0):
            return False
        train.room[unit] -= amount
        train.outside += 1
        inbound.inside += held
        self.way[load.load_id] = onward, way
        self.go_on(load)
        return True

    def _other(self, load: Load, now: int) -> None:
        """Another train for a load that is still on its own."""
        for onward, way in self.fallbacks.get(load.load_id, ()):
            train = self.trains[onward]
            if train.call.latest > now and self._join(load, onward, way):
                return

    def run(self) -> Plan:
        """Play to the end."""
        site = self.site
        for call in site.calls:
            if self.trains[call.call_id].start < 0:
                self.at(call.arrive, 2, ("arrive", call.call_id))
            self.at(call.latest, 4, ("must", call.call_id))
            self.at(max(call.depart, call.arrive + 1), 3, ("wake", ""))
        while self.clock:
            now = self.clock[0][0]
            while self.clock and self.clock[0][0] == now:
                kind, what = heapq.heappop(self.clock)[3]
                if kind == "arrive":
                    train = self.trains[what]
                    insort(self.waiting, (train.aim, train.call.arrive, what))
                elif kind == "moved":
                    self._moved(*what)
                elif kind == "checked":
                    self._checked(what)
                elif kind == "must" and self.trains[what].leave < 0:
                    self._leave(self.trains[what], now, forced=True)
            for train in list(self.standing):
                self._leave(train, now, forced=False)
            self._come(now)
            for train in list(self.standing):
                self._leave(train, now, forced=False)
            for crane in site.cranes:
                lift(self, crane, now)
            for bay in site.bays:
                change(self, bay, now)
            for post in site.posts:
                if self.to_check[post.check]:
                    inspect(self, post, now)
        stands = {i: Stand(train.track, train.start, train.leave) for i, train in self.trains.items()}
        passages = {
            i: Passage(self.way[i][1], self.way[i][0], tuple(self.works[i]), tuple(self.checks[i]))
            for i in sorted(self.done)
        }
        return Plan(stands, passages if site.is_plain else stocked(site, passages))

    def _come(self, now: int) -> None:
        for item in list(self.waiting):
            train = self.trains[item[2]]
            free = [t for t in self.site.tracks_for(train.call) if t.track_id in self.free_tracks]
            if free and now < train.call.latest:
                track = min(free, key=lambda t: (t.length, t.track_id)).track_id
                self.waiting.remove(item)
                self.free_tracks.remove(track)
                train.track, train.start = track, now
                insort(self.standing, train, key=lambda t: (t.aim, t.call.call_id))
                self.at(now + 1, 3, ("wake", ""))
                for load in self.coming.pop(train.call.call_id, ()):
                    check = load[2].checks[len(self.checks[load[1]])]
                    insort(self.to_check[check], load, key=lambda item: item[:2])

    def _leave(self, train: Train, now: int, forced: bool) -> None:
        call = train.call
        ready = train.inside == 0 and train.outside == 0
        if not forced and (not ready or now < call.depart or now <= train.start):
            return
        if train.start < 0:
            return  # never got a track: the caller sees it
        train.leave = now
        self.standing.remove(train)
        self.free_tracks.add(train.track)
        if forced and not ready:
            for by_onward in train.to_move.values():
                for loads in by_onward.values():
                    for load in loads:
                        self._quit(load)
            for queue in self.to_check.values():
                for item in list(queue):
                    if item[2].call_id == call.call_id and not self.works[item[1]]:
                        queue.remove(item)
                        self._quit(item[2])
            for load_id, (onward, _) in list(self.way.items()):
                if onward == call.call_id and load_id not in self.done:
                    self._strand(load_id, now)

    def _quit(self, load: Load) -> None:
        """The load stays on its train, which has left: missed."""
        onward, way = self.way.pop(load.load_id)
        self._give_back(load, onward, way)

    def _give_back(self, load: Load, onward: str, way: Way) -> None:
        unit, amount = ("wagons", load.wagons) if way == "bogie" else (load.form, load.size)
        self.trains[onward].room[unit] += amount
        self.trains[onward].outside -= 1

    def _strand(self, load_id: str, now: int) -> None:
        """The load's onward train has left without it."""
        load = self._by_id[load_id]
        onward, way = self.way.pop(load_id)
        self._give_back(load, onward, way)
        inbound, num_works = self.trains[load.call_id], len(self.works[load_id])
        if runs(self.checks[load_id], now) or (num_works and self.works[load_id][-1].end > now):
            return  # seen to when that ends
        waits = self._unqueue(load_id)
        if num_works == 0:
            if not waits and way == "bogie":
                self.to_change = [item for item in self.to_change if item[1] != load_id]
            else:
                inbound.inside -= 1
                if not waits:
                    take_out(inbound.to_move[load.form][onward], load)
            self._other(load, now)
        elif way == "yard" and num_works == 1:
            if not waits:
                take_out(self.trains[onward].to_fetch[load.form], load)
            self._from_yard(load)
        else:
            self._forget(load)  # on a train that has left without its last check

    def _forget(self, load: Load) -> None:
        """The load is missed, and was never taken off."""
        self.works.pop(load.load_id, None)
        self.checks.pop(load.load_id, None)

    def _from_yard(self, load: Load) -> None:
        """A train for a load that lies in the yard; without one it is missed."""
        for onward, way in self.fallbacks.get(load.load_id, ()):
            train = self.trains[onward]
            if way == "yard" and train.leave < 0 and train.room[load.form] >= load.size:
                train.room[load.form] -= load.size
                train.outside += 1
                self.way[load.load_id] = onward, "yard"
                self.go_on(load)
                return
        self.yard[load.form] += load.size
        self._forget(load)

    @property
    def _by_id(self) -> dict[str, Load]:
        if not hasattr(self, "_loads"):
            self._loads = {load.load_id: load for load in self.site.loads}
        return self._loads

    @cached_property
    def on_runway(self) -> Mapping[str, Crane]:
        return {crane.name: crane for crane in self.site.cranes if crane.runway}

    def _moved(self, load: Load, step: str, resource: str) -> None:
        inbound = self.trains[load.call_id]
        if step in ("direct", "in"):
            inbound.inside -= 1
            self.count(inbound, load.wagons)
        if step == "out":
            self.yard[load.form] += load.size
        if step == "bogie":
            self.stock[resource][inbound.call.gauge_mm] += load.wagons
        if load.load_id in self.way:
            self.go_on(load)
        elif step == "in":
            self._from_yard(load)
        else:
            self._forget(load)

    def _checked(self, load: Load) -> None:
        i, inbound = load.load_id, self.trains[load.call_id]
        if not self.works[i] and (i not in self.way or self.way[i][1] == "bogie"):
            # Its train need not stand for it any more, unless it is told so again.
            inbound.inside -= i not in self.way or len(self.checks[i]) == len(load.before)
        if i in self.way:
            self.go_on(load)
        elif self.works[i]:
            self._from_yard(load)
        else:
            self._other(load, self.checks[i][-1].end)
