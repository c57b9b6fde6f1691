"""Works in the linear relaxation: rules (4), (5), (7) and (8) of ``relaxation.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from optimizer.models.transshipment.relaxation_model import Relaxation, Term
from optimizer.models.transshipment.site import Call, Crane, Site, Windows, crane_minutes, minutes


def open_minutes(open_: Windows, first: int, last: int) -> int:
    """Minutes of ``open_`` between two instants."""
    return sum(max(0, min(end, last) - max(start, first)) for start, end in open_)


def _classes(site: Site, form: str) -> dict[tuple[int, int], tuple[int, float, float]]:
    """
    Work of one pass by (moves, size): class, least and most size that a crane minute moves.

    The minutes are those of the fastest crane, throughout the model. Few different ratios stand for themselves; many
    share one class, whose least ratio counts on the way into the yard and whose most on the way out.
    """
    rate = max((crane.moves_per_h for crane in site.cranes if crane.handles == form), default=Fraction(1))
    kinds = sorted({(load.moves, load.size) for load in site.loads if load.form == form})
    ratios = {kind: kind[1] / float(-(-60 * kind[0] // rate)) for kind in kinds}
    distinct = sorted(set(ratios.values()))
    if len(distinct) <= 4:
        return {kind: (distinct.index(ratio), ratio, ratio) for kind, ratio in ratios.items()}
    return dict.fromkeys(kinds, (0, distinct[0], distinct[-1]))


def crane_works(r: Relaxation) -> None:
    """(4), (5) and (7)"""
    site, rows = r.site, r.rows
    for form in ("container", "bulk"):
        cranes = [crane for crane in site.cranes if crane.handles == form]
        loads = [(g, group) for g, group in enumerate(r.groups) if group.load.form == form]
        if not cranes or not loads:
            continue
        fastest = max(cranes, key=lambda crane: crane.moves_per_h)
        classes = _classes(site, form)
        # What is to be done: yard in by train and class, yard out, direct by pair; with the columns that ask for it.
        into: dict[tuple[str, int], list[Term]] = defaultdict(list)
        most_into: dict[tuple[str, int], float] = defaultdict(float)
        out: dict[tuple[str, int], dict[int, list[Term]]] = defaultdict(lambda: defaultdict(list))
        pair: dict[tuple[str, str], dict[int, list[Term]]] = defaultdict(lambda: defaultdict(list))
        ratio: dict[int, tuple[float, float]] = {}
        for g, group in loads:
            load = group.load
            lasts = float(crane_minutes(load, fastest))
            kind, least, most = classes[load.moves, load.size]
            ratio[kind] = least, most
            own = load.call_id, kind
            most_into[own] += lasts * len(group.members)
            if g in r.farther and group.farther_lifted:
                into[own].append((r.farther[g], lasts))
            for c, choice in enumerate(group.choices):
                for k in range(r.bucket(choice.onward_ready), r.bucket(choice.onward.latest) + 1):
                    column = r.take.get((g, c, k))
                    if column is None:
                        continue
                    if choice.way == "yard":
                        into[own].append((column, lasts))
                        out[choice.onward.call_id, kind][k].append((column, lasts))
                    elif choice.way == "direct":
                        pair[load.call_id, choice.onward.call_id][k].append((column, lasts))
        total: dict[int, list[Term]] = defaultdict(list)
        of_train: dict[tuple[str, int], list[Term]] = defaultdict(list)
        yard: dict[int, list[Term]] = defaultdict(list)
        unload: dict[str, dict[int, list[Term]]] = defaultdict(lambda: defaultdict(list))

        for (call_id, kind), terms in into.items():
            columns = _spread(r, [site.call[call_id]], len(cranes), total, of_train)
            asked = [(c, -f) for c, f in terms]
            rows.row(site.call[call_id].arrive, [(c, 1.0) for c in columns.values()] + asked, low=0.0, high=0.0)
            for k, column in columns.items():
                yard[k].append((column, ratio[kind][0]))
                unload[call_id][k].append((column, 1.0))
        for (call_id, kind), by_bucket in out.items():
            columns = _spread(r, [site.call[call_id]], len(cranes), total, of_train)
            _done_when_left(r, columns, by_bucket)
            for k, column in columns.items():
                yard[k].append((column, -ratio[kind][1]))
        for (inbound, onward), by_bucket in pair.items():
            columns = _spread(r, [site.call[inbound], site.call[onward]], len(cranes), total, of_train)
            _done_when_left(r, columns, by_bucket)
            for k, column in columns.items():
                unload[inbound][k].append((column, 1.0))
        for call_id, of_bucket in unload.items():
            _none_after_leaving(
                r, site.call[call_id], of_bucket, sum(most_into[key] for key in most_into if key[0] == call_id)
            )
        for k, terms in total.items():
            minutes_open = sum(open_minutes(crane.open, r.ends(k - 1), r.ends(k)) for crane in cranes)
            rows.row(r.ends(k), terms, high=float(minutes_open))
        for (call_id, k), terms in of_train.items():
            call = site.call[call_id]
            reach = {track.track_id for track in site.tracks_for(call)}
            first, last = max(call.arrive, r.ends(k - 1)), min(call.latest, r.ends(k))
            here = float(sum(open_minutes(crane.open, first, last) for crane in cranes if crane.tracks & reach))
            left, constant = r.share_left(call, k - 1, here)
            come = r.come[call_id][k]
            rows.row(r.ends(k), [*terms, (come, -here), *left], high=-constant)
        _until_it_leaves(r, of_train, cranes)
        _yard(r, form, yard)


def _spread(
    r: Relaxation,
    calls: Sequence[Call],
    cranes: int,
    total: dict[int, list[Term]],
    of_train: dict[tuple[str, int], list[Term]],
) -> dict[int, int]:
    """A column of crane minutes for each bucket in which all the calls may stand, noted for the rows of (5)."""
    first = max(r.bucket(call.arrive + 1) for call in calls)
    last = min(r.bucket(call.latest) for call in calls)
    columns = {k: r.rows.column(float(r.length(k) * cranes)) for k in range(first, last + 1)}
    for k, column in columns.items():
        total[k].append((column, 1.0))
        for call in calls:
            of_train[call.call_id, k].append((column, 1.0))
    return columns


def _done_when_left(r: Relaxation, columns: dict[int, int], asked: dict[int, list[Term]]) -> None:
    """(4) Work spread over ``columns`` is the work asked for; what leaves by a bucket is done by its end."""
    ahead: list[Term] = []
    last = max(columns)
    most = sum(factor * r.rows.upper[column] for terms in asked.values() for column, factor in terms)
    for k in range(min(columns), last + 1):
        # What is done and has not left yet, from bucket to bucket; nothing in the end.
        now = [] if k == last else [(r.rows.column(most), -1.0)]
        left = [(column, -factor) for column, factor in asked.get(k, ())]
        r.rows.row(r.ends(k), [(columns[k], 1.0), *ahead, *left, *now], low=0.0, high=0.0)
        ahead = [(column, 1.0) for column, _ in now]


def _until_it_leaves(r: Relaxation, of_train: dict[tuple[str, int], list[Term]], cranes: Sequence[Crane]) -> None:
    """(5) All works of a train from an instant before its planned departure on fit the time until it leaves."""
    for call in r.site.calls:
        reach = {track.track_id for track in r.site.tracks_for(call)}
        count = float(sum(1 for crane in cranes if crane.tracks & reach))
        if not count:
            continue
        after: list[Term] = []
        last, first = r.bucket(call.latest), r.bucket(call.arrive + 1)
        for k in range(last, first - 1, -1):
            after = after + of_train.get((call.call_id, k), [])
            since = max(call.arrive, r.ends(k - 1))
            if since <= call.depart and after:
                total = r.rows.sum(r.ends(k), after)
                after = [(total, 1.0)]
                high = count * (call.depart - since)
                r.rows.row(r.ends(k), [*after, (r.wait[call.call_id], -count)], high=high)


def _none_after_leaving(r: Relaxation, call: Call, of_bucket: dict[int, list[Term]], most: float) -> None:
    """(4) At the inbound train: no work in buckets after it has left."""
    after: list[Term] = []
    for k in sorted(of_bucket, reverse=True):
        share, constant = r.share_left(call, k, most)
        if after and share:
            after = [(r.rows.sum(r.ends(k), after), 1.0)]
            r.rows.row(r.ends(k), after + share, high=most - constant)
        after = after + of_bucket[k]


def _yard(r: Relaxation, form: str, change: dict[int, list[Term]]) -> None:
    """(7)"""
    capacity = float(r.site.yard[form])
    scale = 1.0 / max(1.0, capacity)
    lying: int | None = None
    for k in range(min(change, default=0), max(change, default=-1) + 1):
        now = r.rows.column(capacity * scale)
        before: list[Term] = [(lying, -1.0)] if lying is not None else []
        # Less may count as lying there than does: sizes that share a class are rounded, to the safe side.
        terms = [(c, -f * scale) for c, f in change.get(k, [])]
        r.rows.row(r.ends(k), [(now, 1.0), *before, *terms], low=0.0)
        lying = now


def bay_works(r: Relaxation) -> None:
    """(8)"""
    site = r.site
    if not site.bays:
        return
    asked: dict[str, dict[int, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for (g, c, k), column in r.take.items():
        choice = r.groups[g].choices[c]
        if choice.way == "bogie":
            lasts = float(min(minutes(choice.load, bay) for bay in site.bays))
            asked[choice.load.call_id][k].append((column, lasts))
    total: dict[int, list[Term]] = defaultdict(list)
    for call_id, by_bucket in asked.items():
        first, last = r.bucket(site.call[call_id].arrive + 1), max(by_bucket)
        columns = {k: r.rows.column(float(r.length(k) * len(site.bays))) for k in range(first, last + 1)}
        _done_when_left(r, columns, by_bucket)
        for k, column in columns.items():
            total[k].append((column, 1.0))
    for k, terms in total.items():
        minutes_open = sum(open_minutes(bay.open, r.ends(k - 1), r.ends(k)) for bay in site.bays)
        r.rows.row(r.ends(k), terms, high=float(minutes_open))
