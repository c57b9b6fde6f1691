"""Works in the linear relaxation: rules (4), (5), (7), (8) and (9) of ``formulation.py``, by whom they are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from optimizer.models.transshipment.choices import Choice
from optimizer.models.transshipment.groups import Group
from optimizer.models.transshipment.relaxation.model import Relaxation, Term
from optimizer.models.transshipment.relaxation.pools import Pool, done_when_left, none_after_leaving, not_before
from optimizer.models.transshipment.site import Crane, Load, Worker, crane_minutes, minutes

Asked = dict[int, list[Term]]
"""Bucket in which what is asked for leaves, or from which on it is there -> columns, with their minutes."""


def _asked() -> Asked:
    return defaultdict(list)


class _Lifts:
    """Minutes of a kind of cranes: of the fastest one, throughout the model."""

    def __init__(self, r: Relaxation, cranes: Sequence[Crane]) -> None:
        self.fastest = max(cranes, key=lambda crane: crane.moves_per_h)
        form = self.fastest.handles
        self.loads = [(g, group) for g, group in enumerate(r.groups) if group.load.form == form]
        shares = {self._shares(group.load) for _, group in self.loads}
        # Few different shares stand for themselves; many are one class, which moves least in and most out.
        if len(shares) > 4:
            least, most = min(into for into, _ in shares), max(out for _, out in shares)
            self.classes = dict.fromkeys(shares, (least, most))
        else:
            self.classes = {both: both for both in shares}

    def minutes(self, load: Load, out: bool = False) -> float:
        return float(crane_minutes(load, self.fastest, out))

    def _shares(self, load: Load) -> tuple[float, float]:
        return load.size / self.minutes(load), load.size / self.minutes(load, out=True)

    def kind(self, load: Load) -> tuple[float, float]:
        """Size moved in a minute into and out of the yard, by which works are told apart."""
        return self.classes[self._shares(load)]


def crane_works(r: Relaxation) -> None:
    """(4), (5) and (7)"""
    for form in ("container", "bulk"):
        cranes = [crane for crane in r.site.cranes if crane.handles == form]
        if cranes and any(group.load.form == form for group in r.groups):
            _works_of(r, form, cranes)


def _works_of(r: Relaxation, form: str, cranes: Sequence[Crane]) -> None:
    site, lifts, pool = r.site, _Lifts(r, cranes), Pool(r, cranes)
    # What is to be done, with the columns that ask for it: by train and kind into the yard and out, by pair directly.
    into: dict[tuple[str, tuple[float, float]], Asked] = defaultdict(_asked)
    out: dict[tuple[str, tuple[float, float]], Asked] = defaultdict(_asked)
    there: dict[tuple[str, tuple[float, float]], Asked] = defaultdict(_asked)
    direct: dict[tuple[str, str], Asked] = defaultdict(_asked)
    most_into: dict[str, float] = defaultdict(float)
    for g, group in lifts.loads:
        load, own = group.load, (group.load.call_id, lifts.kind(group.load))
        lasts, last = lifts.minutes(load), r.bucket(site.call[load.call_id].latest)
        most_into[load.call_id] += lasts * len(group.members)
        if g in r.farther and group.farther_lifted:
            into[own][last].append((r.farther[g], lasts))
        for choice, k, column in r.takes(g):
            onward = choice.onward.call_id
            if choice.way == "yard" and group.works_begun < 2:
                takes_out = column, lifts.minutes(load, out=True)
                if not group.works_begun:
                    into[own][min(k, last)].append((column, lasts))
                out[onward, own[1]][k].append(takes_out)
                there[onward, own[1]][r.bucket(choice.inbound_ready)].append(takes_out)
            elif choice.way == "direct" and not group.works_begun:
                direct[load.call_id, onward][k].append((column, lasts))

    yard: Asked = defaultdict(list)
    unload: dict[str, Asked] = defaultdict(_asked)
    for (call_id, (moved_in, _)), asked in into.items():
        columns = pool.at(site.call[call_id])
        done_when_left(r, columns, asked)
        for k, column in columns.items():
            yard[k].append((column, moved_in))
            unload[call_id][k].append((column, 1.0))
    for (call_id, kind), asked in out.items():
        columns = pool.at(site.call[call_id])
        done_when_left(r, columns, asked)
        not_before(r, columns, there[call_id, kind])
        for k, column in columns.items():
            yard[k].append((column, -kind[1]))
    for (inbound, outbound), asked in direct.items():
        columns = pool.at(site.call[inbound], site.call[outbound])
        done_when_left(r, columns, asked)
        for k, column in columns.items():
            unload[inbound][k].append((column, 1.0))
    for call_id, of_bucket in unload.items():
        none_after_leaving(r, site.call[call_id], of_bucket, most_into[call_id])
    pool.close()
    _yard(r, form, yard)


def _yard(r: Relaxation, form: str, change: Mapping[int, list[Term]]) -> None:
    """(7)"""
    capacity = float(r.site.yard[form])
    scale = 1.0 / max(1.0, capacity)
    lying: int | None = _lying_at_first(r, form, scale)
    for k in range(min(change, default=0), max(change, default=-1) + 1):
        now = r.rows.column(capacity * scale)
        before: list[Term] = [(lying, -1.0)] if lying is not None else []
        # Less may count as lying there than does: sizes that share a class are rounded, to the safe side.
        terms = [(c, -f * scale) for c, f in change.get(k, [])]
        r.rows.row(r.ends(k), [(now, 1.0), *before, *terms], low=0.0)
        lying = now


def _lying_at_first(r: Relaxation, form: str, scale: float) -> int | None:
    """A column of what a running plan has in the yard, but for loads that are missed and count as never taken off."""
    there = [
        (r.missed[g], group.load.size * scale, len(group.members))
        for g, group in enumerate(r.groups)
        if group.load.form == form and group.load.ways == ("yard",) and group.works_begun == 1
    ]
    if not there:
        return None
    most = sum(size * count for _, size, count in there)
    column = r.rows.column(most)
    r.rows.row(0, [(column, 1.0), *((missed, size) for missed, size, _ in there)], low=most)
    return column


def bay_works(r: Relaxation) -> None:
    """(8)"""
    if not r.site.bays:
        return

    pool = Pool(r, r.site.bays)
    _while_there(r, pool, _exchanges)
    pool.close()


def _exchanges(group: Group, choice: Choice) -> int:
    return int(choice.way == "bogie" and not group.works_begun)


def _in_yard(check: str, _: Group, choice: Choice) -> int:
    return choice.load.between.count(check)


def check_works(r: Relaxation) -> None:
    """(9)"""
    site = r.site
    for check in sorted({check for group in r.groups for check in group.load.checks}):
        posts = site.posts_for(check)
        if posts:
            pool = Pool(r, posts)
            _before(r, pool, check)
            _while_there(r, pool, partial(_in_yard, check))
            _after(r, pool, check)
            pool.close()


def _shortest(load: Load, workers: Sequence[Worker]) -> float:
    return float(min(minutes(load, worker) for worker in workers))


def _before(r: Relaxation, pool: Pool, check: str) -> None:
    """Checks on the loads' own trains; their onward trains wait for them too."""
    site = r.site
    asked: dict[tuple[str, str], Asked] = defaultdict(_asked)
    most: dict[str, float] = defaultdict(float)
    of_train: dict[str, Asked] = defaultdict(_asked)
    for g, group in enumerate(r.groups):
        load, last = group.load, r.bucket(site.call[group.load.call_id].latest)
        lasts = load.before.count(check) * _shortest(load, pool.workers)
        if lasts:
            most[load.call_id] += lasts * len(group.members)
            for choice, k, column in r.takes(g):
                asked[load.call_id, choice.onward.call_id][min(k, last)].append((column, lasts))
            if g in r.farther:
                asked[load.call_id, ""][last].append((r.farther[g], lasts))
    for (call_id, onward), by_bucket in asked.items():
        columns = pool.at(site.call[call_id])
        done_when_left(r, columns, by_bucket)
        for k, column in columns.items():
            of_train[call_id][k].append((column, 1.0))
        if onward:
            pool.ahead_of(site.call[onward], columns)
    for call_id, of_bucket in of_train.items():
        none_after_leaving(r, site.call[call_id], of_bucket, most[call_id])


def _while_there(r: Relaxation, pool: Pool, count: Callable[[Group, Choice], int]) -> None:
    """Works from the arrival of the loads' own trains until the onward trains leave, so many for a choice."""
    asked: dict[str, Asked] = defaultdict(_asked)
    for g, group in enumerate(r.groups):
        lasts = _shortest(group.load, pool.workers)
        for choice, k, column in r.takes(g):
            if times := count(group, choice):
                asked[group.load.call_id][k].append((column, times * lasts))
    for call_id, by_bucket in asked.items():
        columns = pool.anywhere(r.bucket(r.site.call[call_id].arrive + 1), max(by_bucket))
        done_when_left(r, columns, by_bucket)


def _after(r: Relaxation, pool: Pool, check: str) -> None:
    """Checks on the onward trains."""
    asked: dict[str, Asked] = defaultdict(_asked)
    for g, group in enumerate(r.groups):
        lasts = group.load.after.count(check) * _shortest(group.load, pool.workers)
        for choice, k, column in r.takes(g) if lasts else ():
            asked[choice.onward.call_id][k].append((column, lasts))
    for call_id, by_bucket in asked.items():
        done_when_left(r, pool.at(r.site.call[call_id]), by_bucket)
