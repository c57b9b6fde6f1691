"""Minutes of works spread over buckets, in the linear relaxation: rules (4) and (5) of ``formulation.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from optimizer.models.transshipment.relaxation.model import Relaxation, Term, merged
from optimizer.models.transshipment.site import Call, Crane, Windows, Worker

Minutes = dict[int, int]
"""Bucket -> column of the minutes worked in it."""


def open_minutes(open_: Windows, first: int, last: int) -> int:
    """Minutes of ``open_`` between two instants."""
    return sum(max(0, min(end, last) - max(start, first)) for start, end in open_)


class Pool:
    """Workers who do the same: cranes of a kind, bays, or posts of a check."""

    def __init__(self, r: Relaxation, workers: Sequence[Worker]) -> None:
        self.r, self.workers = r, workers
        self.total: dict[int, list[Term]] = defaultdict(list)
        self.of_train: dict[tuple[str, int], list[Term]] = defaultdict(list)
        self.ahead: dict[tuple[str, int], list[Term]] = defaultdict(list)
        """Works for which a train waits though it does not stand for them."""

    def anywhere(self, first: int, last: int) -> Minutes:
        """Work in the buckets from ``first`` to ``last``."""
        columns = {k: self.r.rows.column(float(self.r.length(k) * len(self.workers))) for k in range(first, last + 1)}
        for k, column in columns.items():
            self.total[k].append((column, 1.0))
        return columns

    def at(self, *calls: Call) -> Minutes:
        """Work in the buckets in which all these trains may stand, only while they do."""
        first = max(self.r.bucket(call.arrive + 1) for call in calls)
        last = min(self.r.bucket(call.latest) for call in calls)
        columns = self.anywhere(first, last)
        for k, column in columns.items():
            for call in calls:
                self.of_train[call.call_id, k].append((column, 1.0))
        return columns

    def ahead_of(self, call: Call, columns: Minutes) -> None:
        """These works are over when the train leaves."""
        for k, column in columns.items():
            self.ahead[call.call_id, k].append((column, 1.0))

    def close(self) -> None:
        """(5)"""
        r = self.r
        for k, terms in self.total.items():
            minutes_open = sum(open_minutes(worker.open, r.ends(k - 1), r.ends(k)) for worker in self.workers)
            r.rows.row(r.ends(k), terms, high=float(minutes_open))
        for (call_id, k), terms in self.of_train.items():
            call = r.site.call[call_id]
            first, last = max(call.arrive, r.ends(k - 1)), min(call.latest, r.ends(k))
            here = float(sum(open_minutes(worker.open, first, last) for worker in self._reaching(call)))
            left, constant = r.share_left(call, k - 1, here)
            r.rows.row(r.ends(k), [*terms, (r.come[call_id][k], -here), *left], high=-constant)
        for call in r.site.calls:
            self._until_it_leaves(call)

    def _reaching(self, call: Call) -> list[Worker]:
        tracks = {track.track_id for track in self.r.site.tracks_for(call)}
        return [worker for worker in self.workers if not isinstance(worker, Crane) or worker.tracks & tracks]

    def _until_it_leaves(self, call: Call) -> None:
        """
        (5) All works of a train from an instant on fit the time until it leaves.

        After its planned departure only the ends of its spans are instants, and waiting counts in the later spans.
        """
        r, spans, count = self.r, self.r.waits[call.call_id], float(len(self._reaching(call)))
        after: list[Term] = []
        for k in range(r.bucket(call.latest), r.bucket(call.arrive + 1) - 1, -1):
            after = after + self.of_train.get((call.call_id, k), []) + self.ahead.get((call.call_id, k), [])
            since = max(call.arrive, r.ends(k - 1))
            if not after or (since > call.depart and k - 1 not in spans):
                continue
            after = [(r.rows.sum(r.ends(k), after), 1.0)]
            until: list[Term] = [(r.wait[call.call_id], -count)]
            high = count * (call.depart - since)
            if since > call.depart:
                until, high = [], 0.0
                for span in (span for span in spans if span >= k):
                    share, constant = r.leaves_in(call, span, count * (since - call.depart))
                    until += [(spans[span], -count), *share]
                    high -= constant
            r.rows.row(r.ends(k), [*after, *merged(until)], high=high)


def done_when_left(r: Relaxation, columns: Minutes, asked: Mapping[int, list[Term]]) -> None:
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


def not_before(r: Relaxation, columns: Minutes, since: Mapping[int, list[Term]]) -> None:
    """(4) Works on loads that are not there before a bucket are done in it or later."""
    ahead: list[Term] = []
    first, last = min(columns), max(columns)
    excess = 0.0
    for k in sorted((k for k in since if k > first), reverse=True):
        # What is done from here on beyond what must be; that may be works on loads that were there before.
        done = [(columns[j], 1.0) for j in range(k, last + 1)]
        excess += sum(r.rows.upper[column] for column, _ in done)
        beyond = r.rows.column(excess)
        must = [(column, -factor) for column, factor in since[k]]
        r.rows.row(r.ends(k - 1), [*done, *ahead, *must, (beyond, -1.0)], low=0.0, high=0.0)
        ahead, last = [(beyond, 1.0)], k - 1


def none_after_leaving(r: Relaxation, call: Call, of_bucket: Mapping[int, list[Term]], most: float) -> None:
    """(4) No work in buckets after the train has left; ``most`` is all that can be worked."""
    after: list[Term] = []
    for k in sorted(of_bucket, reverse=True):
        share, constant = r.share_left(call, k, most)
        if after and share:
            after = [(r.rows.sum(r.ends(k), after), 1.0)]
            r.rows.row(r.ends(k), after + share, high=most - constant)
        after = after + of_bucket[k]
