"""The method for real sizes: a plan made by playing, better plans by playing again, and a bound beside it.

1. The terminal is played through with every train aiming at its planned departure (``playing.py``): the first plan.
2. Aims day by day: the linear relaxation (``relaxation.py``) of a day's trains and some more tells where loads go and
   when trains leave; playing them through makes the plan cheaper.
3. A local search over the aims, in windows of time on long horizons.
4. Meanwhile, in a thread of its own, the bound on the whole horizon.
5. Terminals of a few loads go to the exact model with that plan and that bound.

Without a time limit moves and nodes are counted instead, so the same seed gives the same plan.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.aims import aims_of, fallbacks
from optimizer.models.transshipment.groups import groups
from optimizer.models.transshipment.improve import COLD, HOT, Search, part, searcher, temperature
from optimizer.models.transshipment.playing import Player
from optimizer.models.transshipment.problem import Plan, Transshipment, plan_units, to_tables, usd
from optimizer.models.transshipment.relaxation import build
from optimizer.models.transshipment.relaxation_solve import solve, solve_whole
from optimizer.models.transshipment.search import first_plan, solve_exact
from optimizer.models.transshipment.site import DAY
from optimizer.result import Outcome, Progress, Status

SMALL_LOADS, SMALL_TRAINS = 60, 6
"""Up to these sizes the exact model ends the search."""
SHORT = 20
"""Trains up to which the whole horizon is one window, and the bound is looked for with whole trains."""
AHEAD = 720
"""Minutes before and after a day whose trains are planned with it."""
MOVES_PER_TRAIN = 150
"""Moves without a time limit."""
NODES = 50
BATCH = 200
"""Moves between two looks at the clock."""
WINDOW_MOVES = 2000
WINDOW_MINUTES = (480, 960)


class _Run:
    """Clock, best plan and bound of one solve."""

    def __init__(self, problem: Transshipment, options: SolveOptions) -> None:
        self.problem, self.site, self.options = problem, problem.site, options
        self.started = time.monotonic()
        self.plan: Plan | None = None
        self.units: int | None = None
        self.bound = 0
        self.end = threading.Event()
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
    ways = fallbacks(site, groups(site, problem.serve_all))
    small = len(site.loads) <= SMALL_LOADS and len(site.calls) <= SMALL_TRAINS
    search = Search(site, ways, options.seed) if small else searcher(site, ways, options.seed)
    run.offer(search.plan())
    if run.plan is None:
        run.offer(None if options.stop.is_set() else first_plan(site, run.stage(0.5)))
    if small:
        return _small(run, search)
    if run.plan is None:
        return solve_exact(problem, run.stage())

    finder = threading.Thread(target=_watched_bound, args=(run,), daemon=True, name="bound")
    finder.start()
    searched = False
    try:
        _aim(run, search)
        _improve(run, search)
        searched = True
    finally:
        if not searched or options.time_limit_s is not None or options.stop.is_set():
            run.end.set()
        finder.join()
    if run.failure is not None:
        raise run.failure
    run.tell()
    return _outcome(run)


def _aim(run: _Run, search: Player | Search) -> None:
    """Aims of a day's trains, each day with some of the trains before and after it in view."""
    site = run.site
    short = len(site.calls) <= SHORT
    first = min(call.arrive for call in site.calls)
    step = site.end if short else DAY
    while first < site.end and run.going():
        here = part(site, first - AHEAD, first + step + AHEAD)
        core = {call.call_id for call in site.calls if first <= call.arrive < first + step}
        if core:
            relaxation = build(here, 30 if short else 120, run.problem.serve_all)
            relaxed = solve(relaxation, run.stage(0.5))
            if relaxed.values is not None:
                found = aims_of(relaxation, relaxed.values)
                loads = {i.load_id: found.loads[i.load_id] for i in here.loads if i.load_id in found.loads}
                search.try_aims(
                    {i.load_id: loads[i.load_id] for i in here.loads if i.call_id in core and i.load_id in loads},
                    {call_id: minute for call_id, minute in found.leaves.items() if call_id in core},
                )
                run.offer_best(search)
            if here.calls == site.calls:
                run.bound = max(run.bound, relaxed.bound_units)
        first += step


def _watched_bound(run: _Run) -> None:
    """What goes wrong in the thread is raised by the caller."""
    try:
        _find_bound(run)
    except BaseException as error:
        run.failure = error


def _find_bound(run: _Run) -> None:
    """The whole horizon: linear, then with trains that leave in one span."""
    site, options = run.site, run.options
    stop = _Either(options.stop, run.end)

    def stage() -> SolveOptions:
        return replace(run.stage(), stop=stop)

    short = len(site.calls) <= SHORT
    for width in (60, 30, 15) if short else (120, 60):
        if stop.is_set():
            return
        relaxation = build(site, width, run.problem.serve_all)
        if not short:
            run.bound = max(run.bound, solve(relaxation, stage(), "ipm").bound_units)
        else:
            nodes = NODES if options.time_limit_s is None else None
            run.bound = max(run.bound, solve_whole(relaxation, stage(), nodes).bound_units)


class _Either(threading.Event):
    """Set when one of two events is."""

    def __init__(self, one: threading.Event, two: threading.Event) -> None:
        super().__init__()
        self._events = one, two

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def _improve(run: _Run, search: Player | Search) -> None:
    """Moves until the time or their number is over."""
    limit, begun = run.options.time_limit_s, run.elapsed_s
    most = MOVES_PER_TRAIN * len(run.site.calls)
    moves, told, short = 0, run.elapsed_s, len(run.site.calls) <= SHORT
    while search.best_units is not None and run.going() and (limit is not None or moves < most):
        share = moves / most if limit is None else min(1.0, (run.elapsed_s - begun) / max(1e-6, limit - begun))
        if short:
            search.search(BATCH, temperature(share), temperature(share))
            moves += BATCH
        else:
            length = search.random.randint(*WINDOW_MINUTES)
            first = search.random.randint(-length // 2, run.site.end - length // 2)
            search.window(first, first + length, WINDOW_MOVES, HOT, COLD)
            moves += WINDOW_MOVES
        run.offer_best(search)
        if run.elapsed_s > told + 5:
            told = run.elapsed_s
            run.tell()


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
