"""Repair of a running plan: a train is late, a crane is lost; what has begun stands, and little else moves.

The plan is played on from the minute the news comes (``playing/dispatch.py``): trains that stand keep their tracks,
works that have begun are finished, every load aims at the train it had. Then two local searches over the aims
(``improve.py``) on two cores, in which a load that goes with another train, or is missed, costs ``change_usd`` on top;
they end after so many moves, or when the time is over. Beside them the linear relaxation of what is left
(``relaxation/rest.py``) bounds the cost of every plan that begins alike.

A late train's latest departure moves with its arrival; its planned departure only where it would lie before that. A
lost crane finishes the work it is at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pandas as pd

from optimizer.errors import UsageError, or_known
from optimizer.models.family import News, Replanned, SolveOptions, Table
from optimizer.models.transshipment.aims import fallbacks
from optimizer.models.transshipment.groups import groups
from optimizer.models.transshipment.hours import without
from optimizer.models.transshipment.improve import COLD, HOT, SHORT, WINDOW_MINUTES, Search, temperature
from optimizer.models.transshipment.playing.compiling import searcher
from optimizer.models.transshipment.playing.dispatch import Past
from optimizer.models.transshipment.playing.player import Player
from optimizer.models.transshipment.problem import (
    COST_UNITS,
    Passage,
    Plan,
    Transshipment,
    plan_units,
    read_tables,
    to_tables,
    usd,
)
from optimizer.models.transshipment.relaxation.ladder import bounds
from optimizer.models.transshipment.relaxation.rest import Rest, rest_of
from optimizer.models.transshipment.site import DAY, Site
from optimizer.result import Outcome, Solution, Status, relative_gap

CHANGE_USD = 20.0
"""Price of a load that goes otherwise than planned, in the search."""
SEARCHES = 2
"""Searches side by side, from seeds that follow each other; the better one counts."""
ROUNDS, MOVES_PER_TRAIN = 300, 3_000
"""Most moves of a search: without a time limit, and with one for each train that has not left."""
NODES = 50
"""Nodes of a search for a bound, so that it ends where the time is long, or not limited."""
LEAST_S = 0.05
"""Seconds with which no solver is begun any more."""
BATCH, WINDOW_MOVES = 20, 200
"""Moves between two looks at the clock, on the whole horizon and in a window of a long one."""


@dataclass(frozen=True)
class Disturbance:
    """
    News at minute ``now``.

    Attributes
    ----------
    late_min
        Train -> minutes it arrives late; it must not have arrived.
    lost_min
        Crane -> first minute it does not work, and first minute it works again.
    """

    now: int
    late_min: Mapping[str, int] = field(default_factory=dict)
    lost_min: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Repair:
    """
    The repaired plan.

    Attributes
    ----------
    problem
        The problem with the late trains, against which ``solution`` verifies.
    solution, cost
        The plan, and its cost in USD without the price of changes.
    bound
        USD; no plan that begins alike costs less.
    trains
        Trains that moved: ``call_id``, ``track_from``, ``track_to``, ``leave_from_min``, ``leave_to_min``.
    loads
        Loads that moved: ``load_id``, ``mode_from``, ``mode_to``, ``outbound_from``, ``outbound_to``.
    """

    problem: Transshipment
    solution: Solution
    cost: float
    bound: float
    trains: pd.DataFrame
    loads: pd.DataFrame


def replan(
    problem: Transshipment,
    solution: Solution,
    news: Disturbance,
    options: SolveOptions | None = None,
    change_usd: float = CHANGE_USD,
) -> Repair | None:
    """
    Repair a plan that is being carried out.

    Parameters
    ----------
    solution
        The running plan, one that :func:`verify` accepts for ``problem``.
    options
        Time limit, seed and stop; without a time limit ``ROUNDS`` moves are tried.
    change_usd
        Price of a load that goes with another train than planned, or is missed, in the search.

    Returns
    -------
    Repair | None
        None when playing on finds no track for some train in time.

    Raises
    ------
    UsageError
        A train or crane the terminal does not have, a train that has arrived, times out of order.
    """
    options, begun = options or SolveOptions(), time.monotonic()
    _check(problem.site, news)
    late = with_late_trains(problem, news)
    site = replace(late.site, cranes=tuple(
        replace(crane, open=without(crane.open, (news.lost_min[crane.crane_id],)))
        if crane.crane_id in news.lost_min
        else crane
        for crane in late.site.cranes
    ))  # fmt: skip
    old = read_tables(solution)
    ways, past = fallbacks(site, groups(site)), Past(old, news.now)
    searches: list[Player | Search] = []
    for number in range(SEARCHES):
        seeded = replace(options, seed=options.seed + number)
        searches.append(searcher(site, ways, seeded, past, round(change_usd * COST_UNITS)))
        searches[-1].aim(
            {load_id: (passage.onward, passage.way) for load_id, passage in old.passages.items()},
            {call_id: stand.leave for call_id, stand in old.stands.items()},
        )
    kept = old if _holds(site, old, news.now) else None
    if kept is None and all(search.best_units is None for search in searches):
        return None
    bound = _Bound(rest_of(site, past, problem.serve_all), options, begun)
    with ThreadPoolExecutor(SEARCHES + 1) as threads:  # the kernels release the interpreter lock
        raised = threads.submit(bound.rise)
        list(threads.map(lambda search: _improve(search, site, news.now, options, begun), searches))
        found = [(search.best_units, search.plan()) for search in searches if search.best_units is not None]
        found += [(plan_units(site, kept), kept)] if kept is not None else []
        best = min(found, key=lambda pair: pair[0])[1]
        assert best is not None
        bound.enough = plan_units(site, best)
        raised.result()
    units = plan_units(site, best)
    return Repair(late, to_tables(site, best), usd(units), usd(min(bound.units, units)), *_moved(site, old, best))


def _holds(site: Site, old: Plan, now: int) -> bool:
    """Whether the news leave the old plan as it is: no train comes too late for it, no crane is away at a work."""
    open_ = {crane.crane_id: crane.open for crane in site.cranes}
    works = [w for p in old.passages.values() for w in p.works if w.start >= now and w.resource in open_]
    return all(old.stands[call.call_id].start >= call.arrive for call in site.calls) and all(
        any(first <= work.start and work.end <= last for first, last in open_[work.resource]) for work in works
    )


class _Bound:
    """A bound that rises in a thread of its own.

    Attributes
    ----------
    units
        The bound so far, in cost units.
    enough
        No bound need be higher; the cost of a plan, once there is one.
    """

    def __init__(self, rest: Rest, options: SolveOptions, begun: float) -> None:
        self.rest, self.options, self.begun = rest, options, begun
        self.units = rest.spent_units + rest.least_units
        self.enough: int | None = None

    def rise(self) -> None:
        """Until it is enough, or nothing more is found in time."""
        short = len(self.rest.site.calls) <= SHORT
        for _, relaxed in bounds(self.rest.build, short, self._stage, NODES):
            self.units = max(self.units, self.rest.spent_units + relaxed.bound_units)

    def _stage(self, parts: int = 1, turns: int = 1) -> SolveOptions | None:
        limit = self.options.time_limit_s
        left = None if limit is None else limit - (time.monotonic() - self.begun)
        done = self.enough is not None and self.units >= self.enough
        if done or self.options.stop.is_set() or (left is not None and left < LEAST_S):
            return None
        seconds = None if left is None else left / (parts * turns)
        return replace(self.options, time_limit_s=seconds, gap=0.0, on_progress=None)


def _improve(search: Player | Search, site: Site, now: int, options: SolveOptions, begun: float) -> None:
    """Moves until the time or their number is over."""
    limit, share, number = options.time_limit_s, 0.0, 0
    to_leave = sum(call.latest > now for call in site.calls)
    most = ROUNDS if limit is None else max(1, MOVES_PER_TRAIN * to_leave)
    is_long = isinstance(search, Player) and to_leave > SHORT
    while search.best_units is not None and share < 1 and not options.stop.is_set():
        if is_long:  # half of the windows begin within a day of the news
            length = search.random.randint(*WINDOW_MINUTES)
            last = now + DAY if search.random.random() < 0.5 else site.end
            first = search.random.randint(now - length // 2, max(now, last - length // 2))
            search.window(first, first + length, WINDOW_MOVES, HOT, COLD)
        else:
            search.search(BATCH, temperature(share), temperature(share))
        number += BATCH
        share = number / most
        if limit is not None:
            share = max(share, (time.monotonic() - begun) / limit)


def _check(site: Site, news: Disturbance) -> None:
    faults = []
    cranes = [crane.crane_id for crane in site.cranes]
    for call_id, minutes in news.late_min.items():
        if call_id not in site.call:
            faults.append(f"train '{call_id}' does not call here{or_known(call_id, site.call, 'train_calls.csv')}")
        elif site.call[call_id].arrive <= news.now:
            faults.append(f"train '{call_id}' arrived at minute {site.call[call_id].arrive}, not after {news.now}")
        if minutes <= 0:
            faults.append(f"train '{call_id}' is {minutes} minutes late, expected more than 0")
    for crane_id, (first, last) in news.lost_min.items():
        if crane_id not in cranes:
            near = or_known(crane_id, cranes, "terminal_cranes.csv")
            faults.append(f"there is no crane '{crane_id}' here{near}")
        if not news.now <= first < last:
            faults.append(f"crane '{crane_id}' is lost from {first} to {last}, expected times from {news.now} on")
    if faults:
        raise UsageError("; ".join(faults))


def with_late_trains(problem: Transshipment, news: Disturbance) -> Transshipment:
    """The problem with the late trains."""
    corridor = problem.corridor
    calls = corridor.table("train_calls").copy()
    late_h = calls["call_id"].map(dict(news.late_min)).fillna(0) / 60
    calls["arrive_h"] += late_h
    calls["latest_depart_h"] += late_h
    calls["depart_h"] = calls[["depart_h", "arrive_h"]].max(axis=1)
    changed = corridor.with_tables({"train_calls": calls})
    return Transshipment(changed, problem.site.terminal_id, problem.serve_all)


def _moved(site: Site, old: Plan, new: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    trains = [
        (call.call_id, a.track, b.track, a.leave, b.leave)
        for call in site.calls
        for a, b in ((old.stands[call.call_id], new.stands[call.call_id]),)
        if (a.track, a.leave) != (b.track, b.leave)
    ]
    missed = Passage("yard", "", ())
    loads = []
    for load in site.loads:
        a, b = (plan.passages.get(load.load_id, missed) for plan in (old, new))
        if (a.way, a.onward) != (b.way, b.onward):
            modes = tuple(passage.way if passage.onward else "missed" for passage in (a, b))
            loads.append((load.load_id, *modes, a.onward, b.onward))
    return (
        pd.DataFrame(trains, columns=["call_id", "track_from", "track_to", "leave_from_min", "leave_to_min"]),
        pd.DataFrame(loads, columns=["load_id", "mode_from", "mode_to", "outbound_from", "outbound_to"]),
    )


def replan_news(problem: Transshipment, solution: Solution, news: News, options: SolveOptions) -> Replanned:
    """
    :func:`replan` with the words and tables of the family's contract; the plan has other arrival times.

    Raises
    ------
    UsageError
        Closed links, and what :func:`replan` refuses.
    """
    if news.closures:
        raise UsageError("links are closed for wagons; at a terminal trains are late and cranes lost")
    disturbance = Disturbance(news.at, news.late_min, news.lost_min)
    change_usd = CHANGE_USD if news.change_usd is None else news.change_usd
    repair = replan(problem, solution, disturbance, options, change_usd)
    if repair is None:
        words = ("playing on from the news finds no track in time for some train",)
        return Replanned(
            with_late_trains(problem, disturbance), Outcome(Status.NO_SOLUTION, conflicts=words), words, ()
        )
    if problem.serve_all and (missed := _missed(repair.solution)):
        words = (f"every repair found misses {len(missed)} loads: {', '.join(missed[:10])}",)
        return Replanned(repair.problem, Outcome(Status.NO_SOLUTION, bound=repair.bound, conflicts=words), words, ())
    more = repair.cost - news.cost
    sentences = [
        f"taken up at minute {news.at}: what began before stands",
        f"{len(repair.trains)} trains and {len(repair.loads)} loads move",
        f"the plan costs {repair.cost:,.0f} USD, {abs(more):,.0f} {'more' if more >= 0 else 'less'} than the old one; "
        f"no plan that begins alike costs less than {repair.bound:,.0f} USD",
    ]
    tables = [
        Table(title, tuple(frame.columns), [[str(cell) for cell in row] for row in frame.itertuples(index=False)])
        for title, frame in (("Trains that move", repair.trains), ("Loads that move", repair.loads))
        if len(frame)
    ]
    proved = relative_gap(repair.cost, repair.bound) <= options.gap
    status = Status.OPTIMAL if proved else Status.FEASIBLE
    outcome = Outcome(status, repair.solution, repair.cost, repair.bound)
    return Replanned(repair.problem, outcome, sentences, tables)


def _missed(solution: Solution) -> list[str]:
    loads = solution["loads"]
    return [str(load_id) for load_id in loads.loc[loads["mode"] == "missed", "load_id"]]
