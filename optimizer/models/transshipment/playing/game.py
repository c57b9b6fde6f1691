"""Plays a terminal through, minute by minute of what happens; ``dispatch.py`` says by which rules.

Who works what next stands in ``game_works.py``, how a running plan is taken up in ``game_resume.py``.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Mapping, Sequence

from optimizer.models.transshipment.playing.game_board import Board
from optimizer.models.transshipment.playing.game_parts import Aim, Lasting, Past, Train, runs, take_out
from optimizer.models.transshipment.playing.game_resume import resume_load, resume_trains
from optimizer.models.transshipment.playing.game_works import change, inspect, lift
from optimizer.models.transshipment.problem import Passage, Plan, Stand, Way, stocked
from optimizer.models.transshipment.site import Load, Site


class Game(Board):
    """One run."""

    def __init__(
        self,
        site: Site,
        aims: Mapping[str, Aim],
        leaves: Mapping[str, int],
        fallbacks: Mapping[str, Sequence[Aim]],
        lasting: Lasting,
        past: Past | None = None,
    ) -> None:
        super().__init__(site, leaves, fallbacks, lasting, past.now if past else 0)
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
        load = self.by_id[load_id]
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
