"""What a plan that is being carried out has left to decide, as a terminal of its own, for the relaxation.

Trains that have come stand from when they came; those that have left do so at the minute they left. Cranes, bays and
posts are open from the minute of the news on, or from the end of the work they are at. Loads are told apart by what has
begun for them: works and checks that have need nobody's time any more. Checks, set-ups and stocks under way are
forgotten, which only helps, so every plan that begins alike is a solution of the same cost or less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from optimizer.models.transshipment.choices import Choice, out_of_yard
from optimizer.models.transshipment.groups import Group, Trains, group_of, least_total
from optimizer.models.transshipment.hours import without
from optimizer.models.transshipment.playing.game_parts import Past
from optimizer.models.transshipment.problem import Passage, Stand, late_units, price_units, wait_units
from optimizer.models.transshipment.relaxation.formulation import build
from optimizer.models.transshipment.relaxation.model import Relaxation
from optimizer.models.transshipment.site import Call, Load, Site, Windows, Worker


@dataclass(frozen=True)
class Rest:
    """
    What is left.

    Attributes
    ----------
    site, groups
        Trains and workers as they are from now on, and the loads that are not settled.
    spent_units
        Cost of trains and loads that are settled, and of waiting so far.
    """

    site: Site
    groups: tuple[Group, ...]
    serve_all: bool
    spent_units: int

    def build(self, width: int) -> Relaxation:
        """The relaxation with buckets of ``width`` minutes; its cost is without ``spent_units``."""
        return build(self.site, width, self.serve_all, self.groups)

    @property
    def least_units(self) -> int:
        """Cost of what is left when every load has the terminal for itself."""
        return least_total(self.site, self.groups, self.serve_all)


def rest_of(site: Site, past: Past, serve_all: bool = False) -> Rest:
    """The rest of a plan that began as ``past`` says, on a site with what is new about trains and cranes."""
    calls = tuple(_now(call, past.plan.stands[call.call_id], past.now) for call in site.calls)
    spent = sum(wait_units(call, new.depart) for call, new in zip(site.calls, calls, strict=True))
    busy = _busy_until(past)

    def later(worker: Worker) -> Windows:
        return without(worker.open, ((0, busy.get(worker.name, past.now)),))

    now = replace(
        site,
        calls=calls,
        cranes=tuple(replace(crane, open=later(crane)) for crane in site.cranes),
        bays=tuple(replace(bay, open=later(bay)) for bay in site.bays),
        posts=tuple(replace(post, open=later(post)) for post in site.posts),
    )
    trains = Trains(now)
    alike: dict[tuple[Load, Passage | None], list[Load]] = defaultdict(list)
    for load in site.loads:
        passage = past.plan.passages.get(load.load_id)
        begun = None if passage is None or not past.works(load.load_id) else _begun(passage, past.now)
        left = _less_checks(load, len(past.checks(load.load_id)))
        alike[replace(left, load_id="", zone=None), begun].append(left)
    groups = []
    for (_, begun), members in alike.items():
        group = _group(trains, tuple(members), begun, serve_all, past.now)
        choice = group.choices[0] if len(group.choices) == 1 else None
        if choice is not None and begun is not None and choice.onward.latest <= past.now:
            onward = choice.onward
            price = price_units(site, choice.load, choice.way) + late_units(choice.load, onward, onward.depart)
            spent += len(members) * price
        else:
            groups.append(group)
    return Rest(now, tuple(groups), serve_all, spent)


def _now(call: Call, stand: Stand, now: int) -> Call:
    """The train as it came and left, or can at the earliest."""
    if stand.start >= now:
        return replace(call, arrive=max(call.arrive, min(now, call.latest - 1)))
    if stand.leave <= now:
        return replace(call, arrive=stand.start, depart=stand.leave, latest=stand.leave)
    return replace(call, arrive=stand.start, depart=max(call.depart, now))


def _busy_until(past: Past) -> dict[str, int]:
    """Crane, bay or post -> end of the work it is at."""
    busy: dict[str, int] = {}
    for load_id in past.plan.passages:
        for work in (*past.works(load_id), *past.checks(load_id)):
            busy[work.resource] = max(work.end, busy.get(work.resource, past.now))
    return busy


def _begun(passage: Passage, now: int) -> Passage:
    """What has begun of a passage; its onward train is open while a second work has not."""
    works = tuple(work for work in passage.works if work.start < now)
    checks = passage.checks if len(works) == len(passage.works) else ()
    return Passage(passage.way, passage.onward if len(works) == len(passage.works) else "", works, checks)


def _less_checks(load: Load, begun: int) -> Load:
    """The load without the first checks of its chain."""
    parts = []
    for checks in (load.before, load.between, load.after):
        parts.append(checks[begun:])
        begun = max(0, begun - len(checks))
    before, between, after = parts
    return replace(load, before=before, between=between, after=after)


def _group(trains: Trains, members: tuple[Load, ...], begun: Passage | None, serve_all: bool, now: int) -> Group:
    if begun is None:
        return group_of(trains, members, serve_all, now)
    if not begun.onward:

        def fetched(site: Site, load: Load, onward: Call) -> Iterable[Choice]:
            end = out_of_yard(site, load, onward, max(now, begun.works[0].end))
            if end is not None and load.size <= onward.room[load.form]:
                yield Choice(load, onward, "yard", begun.works[0].end, end)

        loads = tuple(replace(load, ways=("yard",)) for load in members)
        return group_of(trains, loads, serve_all, now, fetched, works_begun=1)
    load, onward = members[0], trains.site.call[begun.onward]
    ready = begun.works[0].end if begun.way != "bogie" else 0
    choice = Choice(load, onward, begun.way, ready, begun.works[-1].end)
    return Group(members, (choice,), None, False, works_begun=2)
