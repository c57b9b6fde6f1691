"""Plays a terminal through: given where each load is to go and when each train aims to leave, who works when.

Cranes never wait on purpose: a free crane takes the startable work whose train aims to leave first. Trains come onto
the first free track in order of aim, leave when their works are done, and at their latest departure in any case; loads
that then remain go with another train that still has room, or are missed. So every run ends with a valid plan.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optimizer.models.transshipment.problem import Passage, Plan, Stand, Way, Work
from optimizer.models.transshipment.site import Bay, Call, Crane, Load, Site, minutes

Aim = tuple[str, Way]
"""Onward train and way."""

PATIENCE = 20
"""Minutes before the time a train aims to leave, from which it no longer waits for the train of a direct move."""


@dataclass
class _Train:
    """A call while it is played."""

    call: Call
    aim: int
    track: str = ""
    start: int = -1
    leave: int = -1
    inside: int = 0
    """Loads still to be taken off by crane."""
    outside: int = 0
    """Loads still to be put on, or whose bogies are still to be changed for this train."""
    to_move: dict[str, dict[str, list[Load]]] = field(default_factory=lambda: {"container": {}, "bulk": {}})
    """By kind and onward train: loads on this train."""
    to_fetch: dict[str, list[Load]] = field(default_factory=lambda: {"container": [], "bulk": []})
    """By kind: loads in the yard that go with this train."""
    room: dict[str, int] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        return self.start >= 0 and self.leave < 0


@dataclass(frozen=True)
class Past:
    """A plan of which everything that began before minute ``now`` stands."""

    plan: Plan
    now: int

    def works(self, load_id: str) -> tuple[Work, ...]:
        """Works of a load that have begun."""
        passage = self.plan.passages.get(load_id)
        return tuple(work for work in passage.works if work.start < self.now) if passage else ()


class Lasting:
    """Minutes of works, computed once for each kind of load."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, int], int] = {}

    def __call__(self, load: Load, resource: Crane | Bay) -> int:
        key = resource.name, load.form, load.moves, load.wagons
        if key not in self._known:
            self._known[key] = minutes(load, resource)
        return self._known[key]


class Game:
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
        self.site, self.lasting = site, lasting
        self.since = past.now if past else 0
        self.fallbacks = fallbacks
        self.trains = {c.call_id: _Train(c, leaves.get(c.call_id, c.depart), room=dict(c.room)) for c in site.calls}
        self.way: dict[str, Aim] = {}
        self.works: dict[str, list[Work]] = defaultdict(list)
        self.done: set[str] = set()
        self.yard = dict(site.yard)
        self.stock = {bay.bay_id: dict(bay.stock) for bay in site.bays}
        self.to_change: list[tuple[int, str, Load]] = []
        self.free_tracks = {track.track_id for track in site.tracks}
        self.waiting: list[tuple[int, int, str]] = []
        resources: list[Crane | Bay] = [*site.cranes, *site.bays]
        self.busy_until = dict.fromkeys((r.name for r in resources), 0)
        self.standing: list[_Train] = []
        self.clock: list[tuple[int, int, int, tuple[str, Any]]] = []
        self.number = 0
        begun: set[str] = set()
        if past:
            self._resume_trains(past)
            begun = {load.load_id for load in site.loads if past.works(load.load_id)}
            for load in site.loads:
                if load.load_id in begun:
                    self._resume_load(past, load)
        for load in site.loads:
            aim = aims.get(load.load_id)
            if load.load_id not in begun and (aim is None or not self._join(load, *aim)):
                self._other(load, now=self.since - 1)

    def _at(self, minute: int, order: int, what: tuple[str, Any]) -> None:
        self.number += 1
        heapq.heappush(self.clock, (max(minute, self.since), order, self.number, what))

    def _resume_trains(self, past: Past) -> None:
        """Trains that have come, and those that have left."""
        for call_id, stand in past.plan.stands.items():
            train = self.trains[call_id]
            if stand.start < past.now:
                train.track, train.start = stand.track, stand.start
                if stand.leave <= past.now:
                    train.leave = stand.leave
                else:
                    insort(self.standing, train, key=lambda t: (t.aim, t.call.call_id))
                    self.free_tracks.remove(stand.track)

    def _resume_load(self, past: Past, load: Load) -> None:
        """A load of which a work has begun: it keeps its train and way."""
        passage, works = past.plan.passages[load.load_id], past.works(load.load_id)
        way, onward, inbound = passage.way, self.trains[passage.onward], self.trains[load.call_id]
        self.way[load.load_id] = passage.onward, way
        self.works[load.load_id] = list(works)
        onward.room["wagons" if way == "bogie" else load.form] -= load.wagons if way == "bogie" else load.size
        running = works[-1].end > past.now
        step = "out" if len(works) > 1 else "in" if way == "yard" else way
        is_done = step != "in" and not running
        onward.outside += not is_done
        inbound.inside += running and step in ("in", "direct")
        if way == "yard" and not is_done:
            self.yard[load.form] -= load.size
        if way == "bogie":
            self.stock[works[0].resource][onward.call.gauge_mm] -= load.wagons
            if is_done:
                self.stock[works[0].resource][inbound.call.gauge_mm] += load.wagons
        if running:
            self.busy_until[works[-1].resource] = works[-1].end
            self._at(works[-1].end, 1, ("moved", (load, step, works[-1].resource)))
        elif is_done:
            self.done.add(load.load_id)
        else:
            onward.to_fetch[load.form].append(load)

    def _join(self, load: Load, onward: str, way: Way) -> bool:
        """The load is to go with this train; False when there is no room on it."""
        unit, amount = ("wagons", load.wagons) if way == "bogie" else (load.form, load.size)
        train = self.trains[onward]
        if train.leave >= 0 or train.room[unit] < amount or (way != "bogie" and self.trains[load.call_id].leave >= 0):
            return False
        train.room[unit] -= amount
        train.outside += 1
        self.way[load.load_id] = onward, way
        inbound = self.trains[load.call_id]
        if way == "bogie":
            insort(self.to_change, (train.aim, load.load_id, load), key=lambda item: item[:2])
        else:
            inbound.inside += 1
            inbound.to_move[load.form].setdefault(onward, []).append(load)
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
                self._at(call.arrive, 2, ("arrive", call.call_id))
            self._at(call.latest, 4, ("must", call.call_id))
            self._at(max(call.depart, call.arrive + 1), 3, ("wake", ""))
        while self.clock:
            now = self.clock[0][0]
            while self.clock and self.clock[0][0] == now:
                kind, what = heapq.heappop(self.clock)[3]
                if kind == "arrive":
                    train = self.trains[what]
                    insort(self.waiting, (train.aim, train.call.arrive, what))
                elif kind == "moved":
                    self._moved(*what)
                elif kind == "must" and self.trains[what].leave < 0:
                    self._leave(self.trains[what], now, forced=True)
            for train in list(self.standing):
                self._leave(train, now, forced=False)
            self._come(now)
            for train in list(self.standing):
                self._leave(train, now, forced=False)
            for crane in site.cranes:
                self._lift(crane, now)
            for bay in site.bays:
                self._change(bay, now)
        stands = {i: Stand(train.track, train.start, train.leave) for i, train in self.trains.items()}
        passages = {i: Passage(self.way[i][1], self.way[i][0], tuple(self.works[i])) for i in sorted(self.done)}
        return Plan(stands, passages)

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
                self._at(now + 1, 3, ("wake", ""))

    def _leave(self, train: _Train, now: int, forced: bool) -> None:
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
        inbound = self.trains[load.call_id]
        if way == "bogie":
            self.to_change = [item for item in self.to_change if item[1] != load_id]
            self._other(load, now)
        elif load_id in self.works:
            if self.works[load_id][-1].end <= now:  # else seen to when that work ends
                self._from_yard(load)
        else:
            inbound.to_move[load.form][onward].remove(load)
            inbound.inside -= 1
            if inbound.leave < 0:
                self._other(load, now)

    def _from_yard(self, load: Load) -> None:
        """A train for a load that lies in the yard; without one it is missed, and was never taken off."""
        for onward, way in self.fallbacks.get(load.load_id, ()):
            train = self.trains[onward]
            if way == "yard" and train.leave < 0 and train.room[load.form] >= load.size:
                train.room[load.form] -= load.size
                train.outside += 1
                self.way[load.load_id] = onward, "yard"
                train.to_fetch[load.form].append(load)
                return
        self.yard[load.form] += load.size
        del self.works[load.load_id]

    @property
    def _by_id(self) -> dict[str, Load]:
        if not hasattr(self, "_loads"):
            self._loads = {load.load_id: load for load in self.site.loads}
        return self._loads

    def _begin(self, resource: Crane | Bay, now: int, load: Load, step: str) -> bool:
        name, lasts = resource.name, self.lasting(load, resource)
        self.works[load.load_id].append(Work(name, now, now + lasts))
        self.busy_until[name] = now + lasts
        self._at(now + lasts, 1, ("moved", (load, step, name)))
        return True

    def _moved(self, load: Load, step: str, resource: str) -> None:
        inbound = self.trains[load.call_id]
        if step in ("direct", "in"):
            inbound.inside -= 1
        if load.load_id not in self.way:
            self._from_yard(load)
            return
        onward = self.trains[self.way[load.load_id][0]]
        if step == "in":
            onward.to_fetch[load.form].append(load)
        else:
            onward.outside -= 1
            self.done.add(load.load_id)
            if step == "out":
                self.yard[load.form] += load.size
            if step == "bogie":
                self.stock[resource][inbound.call.gauge_mm] += load.wagons

    def _window(self, resource: Crane | Bay, now: int) -> int:
        """Minute up to which the resource works on without a break; ``now`` when it is closed, after a wake-up call."""
        at = bisect_right(resource.open, (now, 1 << 60)) - 1
        if at >= 0 and resource.open[at][1] > now:
            return resource.open[at][1]
        if at + 1 < len(resource.open) and any(train.leave < 0 for train in self.trains.values()):
            self._at(resource.open[at + 1][0], 3, ("wake", ""))
        return now

    def _lift(self, crane: Crane, now: int) -> None:
        if self.busy_until[crane.crane_id] > now:
            return
        until = self._window(crane, now)
        if until <= now:
            return
        best: tuple[tuple[int, int], Load, str] | None = None
        form = crane.handles
        for train in self.standing:
            if train.track not in crane.tracks:
                continue
            limit = min(until, train.call.latest)
            if train.to_fetch[form]:
                load = train.to_fetch[form][-1]
                if now + self.lasting(load, crane) <= limit:
                    best = _better(best, (train.aim, 1), load, "out")
            for onward_id, loads in train.to_move[form].items():
                if not loads:
                    continue
                load, onward = loads[-1], self.trains[onward_id]
                lasts = self.lasting(load, crane)
                if now + lasts > limit:
                    continue
                both = onward.stands and "direct" in load.ways and onward.track in crane.tracks
                if both and now + lasts <= onward.call.latest:
                    best = _better(best, (min(train.aim, onward.aim), 0), load, "direct")
                    continue
                # A load that was to go directly goes through the yard when its train can wait no longer.
                into_yard = (
                    self.way[load.load_id][1] == "yard" or now + PATIENCE >= train.aim or onward.aim <= train.aim
                )
                if into_yard and "yard" in load.ways and self.yard[form] >= load.size:
                    aim = min(train.aim, onward.aim) if onward.stands else train.aim
                    best = _better(best, (aim, 2), load, "in")
        if best is None:
            return
        _, load, step = best
        onward_id = self.way[load.load_id][0]
        if step == "out":
            self.trains[onward_id].to_fetch[form].pop()
        else:
            self.trains[load.call_id].to_move[form][onward_id].pop()
            self.way[load.load_id] = onward_id, "direct" if step == "direct" else "yard"
        if step == "in":
            self.yard[form] -= load.size
        self._begin(crane, now, load, step)

    def _change(self, bay: Bay, now: int) -> None:
        if self.busy_until[bay.bay_id] > now or not self.to_change:
            return
        until = self._window(bay, now)
        for item in self.to_change:
            load = item[2]
            inbound, onward = self.trains[load.call_id], self.trains[self.way[load.load_id][0]]
            gauge = onward.call.gauge_mm
            if inbound.start < 0 or now + self.lasting(load, bay) > min(until, onward.call.latest):
                continue
            if self.stock[bay.bay_id].get(gauge, 0) >= load.wagons:
                self.stock[bay.bay_id][gauge] -= load.wagons
                self.to_change.remove(item)
                self._begin(bay, now, load, "bogie")
                return


def _better(
    best: tuple[tuple[int, int], Load, str] | None, key: tuple[int, int], load: Load, step: str
) -> tuple[tuple[int, int], Load, str]:
    return best if best is not None and best[0] <= key else (key, load, step)


def play(
    site: Site,
    aims: Mapping[str, Aim],
    leaves: Mapping[str, int],
    fallbacks: Mapping[str, Sequence[Aim]],
    lasting: Lasting | None = None,
    past: Past | None = None,
) -> Plan | None:
    """
    A valid plan that follows the aims as far as the terminal lets it; None when a train finds no track in time, and at
    a terminal with rules beyond :attr:`Site.is_plain`.

    Parameters
    ----------
    aims
        By load: onward train and way; loads without are given another train, or missed.
    leaves
        By train: the minute it aims to leave.
    fallbacks
        By load: what else it may do, the best first.
    past
        A running plan: what has begun stands, and play starts at that minute.
    """
    if not site.is_plain:
        return None
    game = Game(site, aims, leaves, fallbacks, lasting or Lasting(), past)
    plan = game.run()
    return plan if all(stand.start >= 0 and stand.leave > stand.start for stand in plan.stands.values()) else None
