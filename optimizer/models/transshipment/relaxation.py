"""A linear relaxation in buckets of time, which bounds every plan from below and tells a plan where to aim.

Sets: trains t, groups of alike loads g of n_g loads (``groups.py``), choices (o, w) of a group, buckets of at most
``width`` minutes, the k-th ending at minute e_k, cut at every arrival and planned departure. The times at which a train
may leave are cut into spans of whole buckets, as long as a bucket at first and longer later; below, "k of t" is the
last bucket of such a span.

Variables: Y_tk share of t that has left by e_k, S_tk share that has come onto its track by e_k (both rise to 1); w_t
minutes t leaves after its plan; x_gowk loads of g that go with o by w, when o leaves in span k; u_g loads missed, f_g
loads that go with a train not looked at. Crane minutes in bucket k, kind by kind: U_tk into the yard, L_ok out of it,
R_tok direct; bay minutes G_tk.

Minimise ``sum_t wait_t w_t + sum (price_gw + late_g max(0, earliest leave in k - due_g)) x_gowk + sum missed_g u_g +
sum farther_g f_g``.

Rules
 (1) ``sum x_gowk + u_g + f_g = n_g``; ``sum_w x_gowk <= n_g (Y_ok - Y_o,k-1)``; what o takes on in k is within
     ``room_o (Y_ok - Y_o,k-1)``.
 (2) ``w_t >= sum_k (earliest leave in k - depart_t) (Y_tk - Y_t,k-1)``, and ``w_t`` at least what any choice asks.
 (3) A direct move takes place before either train has left: ``sum_k x_gok <= n_g (1 - Y_tk')`` for e_k' before the
     choice's earliest end.
 (4) Works are done: ``sum_k U_tk``, ``sum_k L_ok``, ``sum_k R_tok`` are the minutes the loads need with the fastest
     crane; what leaves by e_k has been worked by e_k, and a train that has left is not worked any more.
 (5) Cranes: all works of a kind in k within their open minutes; those of one train within the open minutes of the
     cranes that reach it while it stands, ``(S_tk - Y_t,k-1)`` of the bucket.
     From any instant before its plan on, a train's works take at most the cranes' time until ``depart_t + w_t``.
 (6) Tracks: at each e_k the trains that have come and not left, ``sum (S_tk - Y_tk)``, fit the tracks they can use.
 (7) Yard: at each e_k the size moved in less that moved out is within the yard.
 (8) Bays: minutes in k within what is open; what leaves by e_k has been exchanged by e_k.

Every plan is a solution of the same cost or less: its shares are 0 or 1, and its works are cut at the ends of buckets.
The reported bound is computed from the duals, so it holds however far the solver got (:func:`safe_bound`).
"""

from __future__ import annotations

import contextlib
import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import highspy
import numpy as np
from scipy.sparse import csr_array

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.choices import minutes
from optimizer.models.transshipment.groups import Group, groups
from optimizer.models.transshipment.problem import COST_UNITS, price_units
from optimizer.models.transshipment.site import Call, Crane, Site, Windows, crane_minutes
from optimizer.solvers.highs import make_highs, run_highs

SINGLE = 4
"""Spans of the width of a bucket, then of twice that, in which a train may leave; later ones are four times as long."""

Term = tuple[int, float]


@dataclass
class Rows:
    """A linear model as it grows: columns with cost and bounds, rows with bounds."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    column_of: list[int] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)

    def column(self, upper: float, cost: float = 0.0) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        return len(self.cost) - 1

    def row(self, terms: Iterable[Term], low: float = -np.inf, high: float = np.inf) -> None:
        number = len(self.low)
        self.low.append(low)
        self.high.append(high)
        for column, factor in terms:
            self.row_of.append(number)
            self.column_of.append(column)
            self.factor.append(factor)


@dataclass
class Relaxation:
    """The model with what its columns mean."""

    site: Site
    groups: tuple[Group, ...]
    width: int
    rows: Rows = field(default_factory=Rows)
    left: dict[str, dict[int, int]] = field(default_factory=dict)
    """Y: train -> bucket -> column; 0 before the first bucket, 1 after the last."""
    come: dict[str, dict[int, int]] = field(default_factory=dict)
    wait: dict[str, int] = field(default_factory=dict)
    take: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """x: group, its choice, bucket -> column"""
    missed: dict[int, int] = field(default_factory=dict)
    farther: dict[int, int] = field(default_factory=dict)

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Last minutes of the buckets: when trains arrive and are to leave, and between those every ``width``."""
        marks = {0, self.site.end}
        for call in self.site.calls:
            marks |= {call.arrive, self.lowest(call), call.latest}
        edges: list[int] = []
        for one, two in itertools.pairwise(sorted(marks)):
            parts = -(-(two - one) // self.width)
            edges += [one + (two - one) * part // parts for part in range(1, parts + 1)]
        return tuple(edges)

    def bucket(self, minute: int) -> int:
        """The bucket k with e_{k-1} < minute <= e_k."""
        return bisect_left(self.edges, minute)

    def ends(self, bucket: int) -> int:
        return self.edges[bucket] if bucket >= 0 else 0

    def length(self, bucket: int) -> int:
        return self.ends(bucket) - self.ends(bucket - 1)

    def lowest(self, call: Call) -> int:
        """Minute the train can leave at the earliest."""
        return max(call.depart, call.arrive + 1)

    def spans(self, call: Call, least: int) -> list[tuple[int, int]]:
        """Last bucket and first possible minute of the spans in which the train may leave at ``least`` or later."""
        found = []
        before = None
        for k in self.left[call.call_id]:
            first = self.lowest(call) if before is None else self.ends(before) + 1
            if self.ends(k) >= least:
                found.append((k, max(first, least)))
            before = k
        return found

    def share_left(self, call: Call, bucket: int, factor: float, up: bool = False) -> tuple[list[Term], float]:
        """``factor * Y_tk`` as terms and constant; inside a span that at its beginning, or ``up`` at its end."""
        columns = self.left[call.call_id]
        if bucket >= max(columns):
            return [], factor
        if up:
            return [(columns[min(k for k in columns if k >= bucket)], factor)], 0.0
        past = [k for k in columns if k <= bucket]
        return ([(columns[past[-1]], factor)], 0.0) if past else ([], 0.0)

    def leaves_in(self, call: Call, bucket: int, factor: float) -> tuple[list[Term], float]:
        """``factor * (Y_tk - Y_t,k-1)`` of a span."""
        now, one = self.share_left(call, bucket, factor)
        before, two = self.share_left(call, bucket - 1, -factor)
        return now + before, one + two


def _span_ends(r: Relaxation, first: int, last: int) -> list[int]:
    """Last buckets of the spans: at first as long as a bucket may be, then twice and four times that."""
    found, since = [first], r.ends(first)
    for k in range(first + 1, last):
        length = r.width * min(4, 2 ** ((len(found) - 1) // SINGLE))
        if r.ends(k + 1) - since > length:
            found.append(k)
            since = r.ends(k)
    return found if last == first else [*found, last]


def build(site: Site, width: int, serve_all: bool = False) -> Relaxation:
    """The relaxation with buckets of ``width`` minutes."""
    r = Relaxation(site, groups(site, serve_all), width)
    _trains(r)
    _loads(r, serve_all)
    _waits(r)
    _cranes(r)
    _tracks(r)
    _bays(r)
    return r


def _trains(r: Relaxation) -> None:
    for call in r.site.calls:
        first, last = r.bucket(r.lowest(call)), r.bucket(call.latest)
        r.left[call.call_id] = {k: r.rows.column(1.0) for k in _span_ends(r, first, last)}
        columns = list(r.left[call.call_id].values())
        r.rows.row([(columns[-1], 1.0)], low=1.0)
        for one, two in itertools.pairwise(columns):
            r.rows.row([(two, 1.0), (one, -1.0)], low=0.0)
        here = r.bucket(call.arrive + 1)
        r.come[call.call_id] = {k: r.rows.column(1.0) for k in range(here, last + 1)}
        come = list(r.come[call.call_id].values())
        for one, two in itertools.pairwise(come):
            r.rows.row([(two, 1.0), (one, -1.0)], low=0.0)
        for k, column in r.left[call.call_id].items():
            r.rows.row([(r.come[call.call_id][k], 1.0), (column, -1.0)], low=0.0)
        r.wait[call.call_id] = r.rows.column(float(max(0, call.latest - call.depart)), float(call.wait_cents_per_h))


def _loads(r: Relaxation, serve_all: bool) -> None:
    """(1)"""
    room: dict[tuple[str, str, int], list[Term]] = defaultdict(list)
    for g, group in enumerate(r.groups):
        load, count = group.load, float(len(group.members))
        fate: list[Term] = []
        r.missed[g] = r.rows.column(0.0 if serve_all else count, float(load.missed_cents * 60))
        fate.append((r.missed[g], 1.0))
        if group.farther_units is not None:
            r.farther[g] = r.rows.column(count, float(group.farther_units))
            fate.append((r.farther[g], 1.0))
        linked: dict[tuple[str, int], list[Term]] = defaultdict(list)
        for c, choice in enumerate(group.choices):
            call = choice.onward
            least = max(choice.onward_ready, r.lowest(call))
            unit, amount = ("wagons", load.wagons) if choice.way == "bogie" else (load.form, load.size)
            for k, leaves in r.spans(call, least):
                late = load.late_cents_per_h * max(0, leaves - load.due)
                column = r.rows.column(count, float(price_units(r.site, load, choice.way) + late))
                r.take[g, c, k] = column
                fate.append((column, 1.0))
                linked[call.call_id, k].append((column, 1.0))
                room[call.call_id, unit, k].append((column, float(amount)))
        r.rows.row(fate, low=count, high=count)
        for (call_id, k), terms in linked.items():
            share, constant = r.leaves_in(r.site.call[call_id], k, -count)
            r.rows.row(terms + share, high=-constant)
    for (call_id, unit, k), terms in room.items():
        call = r.site.call[call_id]
        scale = 1.0 / max(1, call.room[unit])
        share, constant = r.leaves_in(call, k, -call.room[unit] * scale)
        r.rows.row([(column, amount * scale) for column, amount in terms] + share, high=-constant)


def _waits(r: Relaxation) -> None:
    """(2) and (3)"""
    for call in r.site.calls:
        terms: list[Term] = [(r.wait[call.call_id], 1.0)]
        constant = 0.0
        for k, leaves in r.spans(call, r.lowest(call)):
            if leaves > call.depart:
                share, one = r.leaves_in(call, k, -float(leaves - call.depart))
                terms += share
                constant += one
        r.rows.row(_merged(terms), low=-constant)
    for g, group in enumerate(r.groups):
        inbound, count = r.site.call[group.load.call_id], float(len(group.members))
        asked: dict[str, list[Term]] = defaultdict(list)
        direct: dict[int, list[Term]] = defaultdict(list)
        for c, choice in enumerate(group.choices):
            takes = [(r.take[g, c, k], 1.0) for k in range(r.bucket(choice.onward.latest) + 1) if (g, c, k) in r.take]
            for call, ready in ((inbound, choice.inbound_ready), (choice.onward, choice.onward_ready)):
                if choice.way != "bogie" or call is not inbound:
                    after = max(0, ready - call.depart)
                    if after:
                        asked[call.call_id] += [(column, -after / count) for column, _ in takes]
            if choice.way == "direct" and choice.inbound_ready > r.lowest(inbound):
                # Who has left by the end of this bucket left before the work could end.
                k = r.bucket(choice.inbound_ready) - 1
                direct[k] += takes
        for call_id, terms in asked.items():
            r.rows.row([(r.wait[call_id], 1.0), *terms], low=0.0)
        if direct:
            cumulated: list[Term] = []
            for k in sorted(direct, reverse=True):
                cumulated = cumulated + direct[k]
                share, constant = r.share_left(inbound, k, count)
                r.rows.row(cumulated + share, high=count - constant)


def _merged(terms: Iterable[Term]) -> list[Term]:
    total: dict[int, float] = defaultdict(float)
    for column, factor in terms:
        total[column] += factor
    return list(total.items())


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


def _cranes(r: Relaxation) -> None:
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
            rows.row([(c, 1.0) for c in columns.values()] + [(c, -f) for c, f in terms], low=0.0, high=0.0)
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
            rows.row(terms, high=float(minutes_open))
        for (call_id, k), terms in of_train.items():
            call = site.call[call_id]
            reach = {track.track_id for track in site.tracks_for(call)}
            first, last = max(call.arrive, r.ends(k - 1)), min(call.latest, r.ends(k))
            here = float(sum(open_minutes(crane.open, first, last) for crane in cranes if crane.tracks & reach))
            left, constant = r.share_left(call, k - 1, here)
            come = r.come[call_id][k]
            rows.row([*terms, (come, -here), *left], high=-constant)
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
    everything = [(c, -f) for terms in asked.values() for c, f in terms]
    r.rows.row([(c, 1.0) for c in columns.values()] + everything, low=0.0, high=0.0)
    done: list[Term] = []
    needed: list[Term] = []
    for k in range(min(columns), max(columns)):
        done.append((columns[k], 1.0))
        if k in asked:
            needed += [(c, -f) for c, f in asked[k]]
            r.rows.row(done + needed, low=0.0)


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
                r.rows.row([*after, (r.wait[call.call_id], -count)], high=count * (call.depart - since))


def _none_after_leaving(r: Relaxation, call: Call, of_bucket: dict[int, list[Term]], most: float) -> None:
    """(4) At the inbound train: no work in buckets after it has left."""
    after: list[Term] = []
    for k in sorted(of_bucket, reverse=True):
        share, constant = r.share_left(call, k, most)
        if after and share:
            r.rows.row(after + share, high=most - constant)
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
        r.rows.row([(now, 1.0), *before, *terms], low=0.0)
        lying = now


def _tracks(r: Relaxation) -> None:
    """(6)"""
    site = r.site
    kinds = {tuple(track.track_id for track in site.tracks_for(call)) for call in site.calls}
    for tracks in sorted(kinds):
        calls = [c for c in site.calls if {k.track_id for k in site.tracks_for(c)} <= set(tracks)]
        at: dict[int, list[Call]] = defaultdict(list)
        for call in calls:
            for k in r.come[call.call_id]:
                at[k].append(call)
        for k, present in at.items():
            if len(present) > len(tracks):
                terms: list[Term] = [(r.come[call.call_id][k], 1.0) for call in present]
                constant = 0.0
                for call in present:
                    share, one = r.share_left(call, k, -1.0, up=True)
                    terms += share
                    constant += one
                r.rows.row(terms, high=len(tracks) - constant)


def _bays(r: Relaxation) -> None:
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
        r.rows.row(terms, high=float(minutes_open))


@dataclass(frozen=True)
class Relaxed:
    """Bound in cost units, and values of the columns where the solver has them."""

    bound_units: int
    values: np.ndarray | None


def solve(r: Relaxation, options: SolveOptions, method: str = "choose") -> Relaxed:
    """The linear relaxation by HiGHS; the bound holds whatever ended the solver."""
    highs, matrix = _passed(r, options, {"solver": method, "run_crossover": "off" if method == "ipm" else "on"})
    # Without crossover the interior point method may end short of its tolerances, which is an error elsewhere.
    with contextlib.suppress(RuntimeError):
        run_highs(highs, options, is_mip=False, constant=0.0)
    solution = highs.getSolution()
    if not solution.dual_valid:
        return Relaxed(0, None)
    rows = r.rows
    cost, low, high = np.array(rows.cost) / COST_UNITS, np.array(rows.low), np.array(rows.high)
    bound = safe_bound(cost, np.array(rows.upper), low, high, matrix, np.array(solution.row_dual))
    return Relaxed(max(0, int(np.ceil(bound * COST_UNITS - 0.5))), np.array(solution.col_value))


def solve_whole(r: Relaxation, options: SolveOptions, most_nodes: int | None = None) -> Relaxed:
    """
    The relaxation with trains that leave in one span (Y is 0 or 1), by HiGHS; a better bound where it ends in time.

    A share of 1e-6 is taken off the solver's bound for its tolerances.
    """
    whole = [column for columns in r.left.values() for column in columns.values()]
    further = {} if most_nodes is None else {"mip_max_nodes": most_nodes}
    highs, _ = _passed(r, options, further, whole)
    outcome = run_highs(highs, options, is_mip=True, constant=0.0)
    bound = 0 if outcome.bound is None else int(outcome.bound * (1 - 1e-6) * COST_UNITS)
    values = np.array(highs.getSolution().col_value) if outcome.objective is not None else None
    return Relaxed(max(0, bound), values)


def _passed(
    r: Relaxation, options: SolveOptions, further: Mapping[str, object], whole: Sequence[int] = ()
) -> tuple[highspy.Highs, csr_array]:
    """HiGHS with the model, and its matrix."""
    rows = r.rows
    num_columns, num_rows = len(rows.cost), len(rows.low)
    matrix = csr_array((rows.factor, (rows.row_of, rows.column_of)), shape=(num_rows, num_columns))
    matrix.sum_duplicates()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = num_columns, num_rows
    lp.col_cost_, lp.col_upper_ = np.array(rows.cost) / COST_UNITS, np.array(rows.upper)
    lp.col_lower_ = np.zeros(num_columns)
    lp.row_lower_, lp.row_upper_ = np.array(rows.low), np.array(rows.high)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    if whole:
        kinds = [highspy.HighsVarType.kContinuous] * num_columns
        for column in whole:
            kinds[column] = highspy.HighsVarType.kInteger
        lp.integrality_ = kinds
    highs = make_highs(options, {"threads": 1, **further})
    highs.passModel(lp)
    return highs, matrix


def safe_bound(
    cost: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray, matrix: csr_array, duals: np.ndarray
) -> float:
    """
    Lower bound on ``min cost x, low <= matrix x <= high, 0 <= x <= upper`` from any duals at all.

    Duals of the wrong sign for a one-sided row count as zero; each column then takes the better of its bounds (weak
    duality). A relative 1e-9 is taken off for rounding.
    """
    duals = np.where((duals > 0) & ~np.isfinite(low), 0.0, duals)
    duals = np.where((duals < 0) & ~np.isfinite(high), 0.0, duals)
    side = np.where(duals > 0, np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0))
    reduced = cost - matrix.T @ duals
    value = float(duals @ side + np.minimum(reduced, 0.0) @ upper)
    return value - 1e-9 * (float(np.abs(duals) @ np.abs(side)) + 1.0)
