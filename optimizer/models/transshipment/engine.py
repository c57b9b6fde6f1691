"""The method for real sizes: a plan made by playing, better plans by playing again, and a bound beside it.

1. The terminal is played through with every train aiming at its planned departure (``playing/player.py``): the first
   plan.
2. In a thread of its own the linear relaxation of the whole horizon (``relaxation/formulation.py``) gives a bound, and
   tells where loads go and when trains leave; playing that through usually makes the plan cheaper. The thread goes on
   to better bounds, with trains that leave at one time: of the whole, or of blocks of a long horizon
   (``relaxation/blocks.py``).
3. A local search over the aims, in windows of time on long horizons.
4. Where trains times loads are few (``SMALL``) a plan and the linear bound go to the exact model instead.

Without a time limit moves and nodes are counted instead, so the same seed gives the same plan.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.aims import Aims, aims_of, fallbacks
from optimizer.models.transshipment.groups import groups, least_total
from optimizer.models.transshipment.improve import COLD, HOT, SHORT, WINDOW_MINUTES, Search, temperature
from optimizer.models.transshipment.playing.compiling import faster, searcher
from optimizer.models.transshipment.playing.player import Player
from optimizer.models.transshipment.problem import Plan, Transshipment, plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation.formulation import build
from optimizer.models.transshipment.relaxation.ladder import bounds
from optimizer.models.transshipment.relaxation.solve import solve, solve_whole
from optimizer.models.transshipment.search import first_plan, solve_exact
from optimizer.models.transshipment.site import DAY
from optimizer.result import Outcome, Progress, Status

SMALL = 400
"""Trains times loads up to which the exact model ends the search: it proves such terminals optimal within a minute."""
MOVES_PER_TRAIN = 150
"""Moves without a time limit."""
NODES = 50
BATCH, WINDOW_MOVES = 200, 2000
"""Moves between two looks at the clock, and in a window of a long horizon; fewer where they take longer than ..."""
BATCH_S = 1.0
LAST_S = 1.0
"""Seconds that the search for a bound has for its last word."""


class _Run:
    """Clock, best plan and bound of one solve."""

    def __init__(self, problem: Transshipment, options: SolveOptions) -> None:
        self.problem, self.site, self.options = problem, problem.site, options
        self.started = time.monotonic()
        self.plan: Plan | None = None
        self.units: int | None = None
        self.bound = 0
        self.aims: Aims | None = None
        self.aimed, self.end = threading.Event(), threading.Event()
        self.failure: BaseException | None = None

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def left_s(self, share: float = 1.0) -> float | None:
        limit = self.options.time_limit_s
        return None if limit is None else max(0.05, share * limit - self.elapsed_s)

    def stage(self, share: float = 1.0) -> SolveOptions:
        """Options of a stage: what is left of a share of the time, and no progress of its own."""
        return replace(self.options, time_limit_s=self.left_s(share), on_progress=None)

    def going(self) -> bool:
        if self.options.stop.is_set() or self.is_done:
            return False
        return self.options.time_limit_s is None or self.elapsed_s < self.options.time_limit_s

    @property
    def is_done(self) -> bool:
        return self.units is not None and self.units - self.bound <= self.options.gap * self.units

    def offer(self, plan: Plan | None) -> None:
        """A plan that may be better."""
        if plan is None or (self.problem.serve_all and len(plan.passages) < len(self.site.loads)):
            return
        units = plan_units(self.site, plan)
        if self.units is None or units < self.units:
            self.plan, self.units = plan, units
            self.tell()

    def offer_best(self, search: Player | Search) -> None:
        """The best plan of a search, where it is better."""
        if search.best_units is not None and (self.units is None or search.best_units < self.units):
            self.offer(search.plan())

    def raise_bound(self, units: int) -> None:
        self.bound = max(self.bound, units)

    def tell(self) -> None:
        if self.options.on_progress is not None:
            cost = None if self.units is None else usd(self.units)
            self.options.on_progress(Progress(cost, usd(self.bound), self.elapsed_s))


def solve_engine(problem: Transshipment, options: SolveOptions) -> Outcome:
    """
    Plan, and a proven bound on the cost of every plan.

    See the head of the module; on a terminal whose trains find no tracks by playing it is the exact method.
    """
    run = _Run(problem, options)
    site = run.site
    alike = groups(site, problem.serve_all)
    ways = fallbacks(site, alike)
    run.raise_bound(least_total(site, alike, problem.serve_all))
    small = len(site.loads) * len(site.calls) <= SMALL
    search = Search(site, ways, options.seed) if small else searcher(site, ways, options)
    run.offer(search.plan())
    if (small or run.plan is None) and not options.stop.is_set():
        run.offer(first_plan(site, run.stage(0.5)))
    if small:
        return _small(run, search)
    if run.plan is None:
        return solve_exact(problem, run.stage())

    finder = threading.Thread(target=_watched_bound, args=(run,), daemon=True, name="bound")
    finder.start()
    searched = False
    try:
        if options.time_limit_s is None:
            run.aimed.wait()
        _improve(run, search)
        searched = True
    finally:
        if not searched or options.time_limit_s is not None or options.stop.is_set():
            run.end.set()
        # A model that is being built is not waited for: its thread ends by itself.
        finder.join(None if options.time_limit_s is None and not options.stop.is_set() else LAST_S)
    if run.failure is not None:
        raise run.failure
    run.tell()
    return _outcome(run)


def _watched_bound(run: _Run) -> None:
    """What goes wrong in the thread is raised by the caller."""
    try:
        _find_bound(run)
    except BaseException as error:
        run.failure = error
    finally:
        run.aimed.set()


def _find_bound(run: _Run) -> None:
    """The whole horizon: linear, then with trains that leave in one span."""
    site, options = run.site, run.options
    stop = _Either(options.stop, run.end)
    nodes = NODES if options.time_limit_s is None else None

    def stage(parts: int = 1, turns: int = 1) -> SolveOptions | None:
        """What is left of the time, shared by so many parts in so many turns; the search for a bound has no gap."""
        if stop.is_set() or not run.going():
            return None
        left = run.left_s()
        limit = None if left is None else left / (parts * turns)
        return replace(run.stage(), stop=stop, time_limit_s=limit, gap=0.0)

    short = len(site.calls) <= SHORT
    for relaxation, relaxed in bounds(partial(build, site, serve_all=run.problem.serve_all), short, stage, nodes):
        run.raise_bound(relaxed.bound_units)
        if relaxed.values is not None and not run.aimed.is_set():
            run.aims = aims_of(relaxation, relaxed.values)
            run.aimed.set()


class _Either(threading.Event):
    """Set when one of two events is."""

    def __init__(self, one: threading.Event, two: threading.Event) -> None:
        super().__init__()
        self._events = one, two

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def _improve(run: _Run, search: Player | Search) -> None:
    """Moves until the time or their number is over; the relaxation's aims as soon as they are there."""
    limit, begun = run.options.time_limit_s, run.elapsed_s
    short, untried = len(run.site.calls) <= SHORT, True
    moves, most = 0, MOVES_PER_TRAIN * len(run.site.calls)
    batch, told = BATCH if short else WINDOW_MOVES, run.elapsed_s
    if isinstance(search, Search):
        search.going = run.going
    while search.best_units is not None and run.going() and (limit is not None or moves < most):
        search = faster(search, run.options)
        if untried and run.aims is not None:
            untried = False
            _try_aims(run, search, run.aims)
        share = moves / most if limit is None else min(1.0, (run.elapsed_s - begun) / max(1e-6, limit - begun))
        started, tried = time.monotonic(), batch if limit is None else max(1, batch // 10 if not moves else batch)
        if short:
            search.search(tried, temperature(share), temperature(share))
        else:
            length = search.random.randint(*WINDOW_MINUTES)
            first = search.random.randint(-length // 2, run.site.end - length // 2)
            search.window(first, first + length, tried, HOT, COLD)
        moves += tried
        if limit is not None:
            most_now = tried * BATCH_S / max(1e-3, time.monotonic() - started)
            batch = max(1, min(BATCH if short else WINDOW_MOVES, int(most_now)))
        run.offer_best(search)
        if run.elapsed_s > told + 5:
            told = run.elapsed_s
            run.tell()


def _try_aims(run: _Run, search: Player | Search, aims: Aims) -> None:
    """The relaxation's aims, all together and then day by day where that makes the plan cheaper."""
    search.try_aims(aims.loads, aims.leaves)
    if len(run.site.calls) > SHORT:
        for first in range(0, run.site.end, DAY):
            core = {call.call_id for call in run.site.calls if first <= call.arrive < first + DAY}
            loads = {i.load_id: aims.loads[i.load_id] for i in run.site.loads
                     if i.call_id in core and i.load_id in aims.loads}  # fmt: skip
            if core and run.going():
                search.try_aims(loads, {call_id: aims.leaves[call_id] for call_id in core})
    run.offer_best(search)


def _small(run: _Run, search: Player | Search) -> Outcome:
    """A short search and the bound, then the exact model."""
    options = run.options
    relaxation = build(run.site, 15, run.problem.serve_all)
    relaxed = solve(relaxation, run.stage(0.2))
    if relaxed.values is not None and search.best_units is not None:
        found = aims_of(relaxation, relaxed.values)
        search.try_aims(found.loads, found.leaves)
        run.offer_best(search)
    whole = solve_whole(relaxation, run.stage(0.3), NODES * 20)
    run.bound = max(run.bound, relaxed.bound_units, whole.bound_units)
    if search.best_units is not None:
        for number in range(20):
            if not run.going() or (run.left_s(0.4) or 1.0) <= 0.05:
                break
            search.search(20, temperature(number / 20), temperature((number + 1) / 20))
        run.offer_best(search)
    if run.plan is not None and not run.going():
        return _outcome(run)
    return solve_exact(run.problem, replace(options, time_limit_s=run.left_s()), start=run.plan, known=run.bound)


def _outcome(run: _Run) -> Outcome:
    assert run.plan is not None
    assert run.units is not None
    status = Status.OPTIMAL if run.is_done else Status.FEASIBLE
    return Outcome(status, to_tables(run.site, run.plan), usd(run.units), usd(min(run.bound, run.units)))
