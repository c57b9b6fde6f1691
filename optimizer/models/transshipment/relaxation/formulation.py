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
 (2) ``w_t = sum_k w_tk``, where ``w_tk`` lies between the earliest and the latest leave in k, less depart_t, times
     ``(Y_tk - Y_t,k-1)``; and ``w_t`` is at least what any choice asks.
 (3) A direct move takes place before either train has left: ``sum_k x_gok <= n_g (1 - Y_tk')`` for e_k' before the
     choice's earliest end.
 (4) Works are done: ``sum_k U_tk``, ``sum_k L_ok``, ``sum_k R_tok`` are the minutes the loads need with the fastest
     crane; what leaves by e_k has been worked by e_k, a train that has left is not worked any more, and nothing is
     taken out of the yard for a load that cannot have come into it yet.
 (5) Cranes: all works of a kind in k within their open minutes; those of one train within the open minutes of the
     cranes that reach it while it stands, ``(S_tk - Y_t,k-1)`` of the bucket.
     From any instant s on, a train's works take at most the cranes' time until it leaves: ``depart_t + w_t - s``
     before its plan, later ``sum (w_tk - (s - depart_t) (Y_tk - Y_t,k-1))`` over the spans after s.
 (6) Tracks: at each e_k the trains that have come and not left, ``sum (S_tk - Y_tk)``, fit the tracks they can use.
 (7) Yard: at each e_k the size moved in less that moved out is within the yard.
 (8) Bays: minutes in k within what is open; what leaves by e_k has been exchanged by e_k.
 (9) Checks, kind by kind: as (4) and (5) for posts. Their order, set-ups, cranes in line and empty wagons are left out.

Every plan is a solution of the same cost or less: its shares are 0 or 1, and its works are cut at the ends of buckets.
The reported bound is computed from the duals, so it holds however far the solver got (``solve.py``).
"""

from __future__ import annotations

import itertools
from collections import defaultdict

from optimizer.models.transshipment.groups import Group, groups
from optimizer.models.transshipment.problem import price_units
from optimizer.models.transshipment.relaxation.model import Relaxation, Term, merged, span_ends
from optimizer.models.transshipment.relaxation.works import bay_works, check_works, crane_works
from optimizer.models.transshipment.site import Call, Site


def build(site: Site, width: int, serve_all: bool = False, alike: tuple[Group, ...] | None = None) -> Relaxation:
    """The relaxation with buckets of ``width`` minutes, of all loads of the site or of these groups."""
    r = Relaxation(site, groups(site, serve_all) if alike is None else alike, width)
    _trains(r)
    _loads(r, serve_all)
    _waits(r)
    crane_works(r)
    _tracks(r)
    bay_works(r)
    check_works(r)
    return r


def _trains(r: Relaxation) -> None:
    for call in r.site.calls:
        first, last = r.bucket(r.lowest(call)), r.bucket(call.latest)
        r.left[call.call_id] = {k: r.rows.column(1.0) for k in span_ends(r, first, last)}
        columns = list(r.left[call.call_id].values())
        r.rows.row(call.depart, [(columns[-1], 1.0)], low=1.0)
        for one, two in itertools.pairwise(columns):
            r.rows.row(call.depart, [(two, 1.0), (one, -1.0)], low=0.0)
        here = r.bucket(call.arrive + 1)
        r.come[call.call_id] = {k: r.rows.column(1.0) for k in range(here, last + 1)}
        come = list(r.come[call.call_id].values())
        for one, two in itertools.pairwise(come):
            r.rows.row(call.arrive, [(two, 1.0), (one, -1.0)], low=0.0)
        for k, column in r.left[call.call_id].items():
            r.rows.row(r.ends(k), [(r.come[call.call_id][k], 1.0), (column, -1.0)], low=0.0)
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
        r.rows.row(r.site.call[load.call_id].arrive, fate, low=count, high=count)
        for (call_id, k), terms in linked.items():
            share, constant = r.leaves_in(r.site.call[call_id], k, -count)
            r.rows.row(r.ends(k), terms + share, high=-constant)
    for (call_id, unit, k), terms in room.items():
        call = r.site.call[call_id]
        scale = 1.0 / max(1, call.room[unit])
        share, constant = r.leaves_in(call, k, -call.room[unit] * scale)
        r.rows.row(r.ends(k), [(column, amount * scale) for column, amount in terms] + share, high=-constant)


def _waits(r: Relaxation) -> None:
    """(2) and (3)"""
    for call in r.site.calls:
        parts = r.waits[call.call_id] = {}
        for k, leaves in r.spans(call, r.lowest(call)):
            parts[k] = r.rows.column(float(max(0, r.ends(k) - call.depart)))
            for minute, low in ((leaves, True), (r.ends(k), False)):
                share, one = r.leaves_in(call, k, -float(max(0, minute - call.depart)))
                sides = {"low": -one} if low else {"high": -one}
                r.rows.row(r.ends(k), merged([(parts[k], 1.0), *share]), **sides)
        terms: list[Term] = [(column, -1.0) for column in parts.values()]
        r.rows.row(call.depart, [(r.wait[call.call_id], 1.0), *terms], low=0.0, high=0.0)
    for g, group in enumerate(r.groups):
        inbound, count = r.site.call[group.load.call_id], float(len(group.members))
        asked: dict[str, list[Term]] = defaultdict(list)
        direct: dict[int, list[Term]] = defaultdict(list)
        for c, choice in enumerate(group.choices):
            takes = [(r.take[g, c, k], 1.0) for k in r.left[choice.onward.call_id] if (g, c, k) in r.take]
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
            r.rows.row(r.site.call[call_id].depart, [(r.wait[call_id], 1.0), *terms], low=0.0)
        if direct:
            cumulated: list[Term] = []
            for k in sorted(direct, reverse=True):
                cumulated = cumulated + direct[k]
                share, constant = r.share_left(inbound, k, count)
                r.rows.row(inbound.depart, cumulated + share, high=count - constant)


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
                r.rows.row(r.ends(k), terms, high=len(tracks) - constant)
