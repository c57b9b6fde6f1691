"""Worn fleets: a plan made without the rule, then flows around its loaded runs with visits to workshops.

Without the rule the engine's bound holds as well with it; with a price on kilometres it is higher. Where the plan
breaks the rule, the programme of :mod:`exact` runs over few moves: loaded runs of the plan, its empty runs on some days
more, every visit, and empty runs between workshops and the places nearest to them.

1. The relaxation with the loaded runs as they are; where it has none, with whole ones on some days more, or fewer.
2. Whole visits.
3. With these, kilometres have the prices of the relaxation in place of a limit, so that what is left are flows, which
   are whole almost by themselves. Types that run too far after all keep the kilometres of a visit back, once more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pulp

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.data import Move, Moves, Spot, Wear
from optimizer.models.rolling_stock.wagons.exact import WagonModel, build
from optimizer.solvers.mip import solve_model

Runs = dict[tuple[Move, int], int]
OnHire = dict[tuple[str, Spot, int], int]

SEARCH_SHARE, BOUND_SHARE = 0.5, 0.4
"""Share of the time limit for the plan without the rule, and of what is left then for the bound at a price."""
SHIFT_DAYS = 3
"""Runs of worn types may leave so many days earlier or later than in that plan."""
NEAREST = 8
"""Places from which empty runs to each workshop are on offer, and to which from there."""
VISITS_GAP, VISITS_S, FLOWS_S = 2e-3, 60.0, 60.0
"""Gap and longest time of the search for whole visits, and longest time for whole flows."""
MANY = 5
"""Visits from which one more is kept back from the start."""
TRIES, DEARER = 5, (1.0, 1.25, 1.5)
"""Times that a type which runs too far after all keeps a visit more back; and how many times their price in the
relaxation kilometres cost whole flows, one after the other."""


def without_rule(moves: Moves) -> Moves:
    """The same fleet, never due; visits stay, as they empty yards."""
    return replace(moves, wear=())


def overdue(moves: Moves, runs: Runs, on_hire: OnHire) -> dict[Wear, Fraction]:
    """What lacks where a type is due on some day before a visit begins, in kilometres or days, at its most."""
    found = {}
    for wear in moves.wear:
        change = defaultdict[int, Fraction](Fraction, wear.left)
        for (move, day), wagons in runs.items():
            if move.wagon_id == wear.wagon_id:
                change[day] -= wear.of(move) * wagons
        for (wagon_id, _, day), wagons in on_hire.items():
            if wagon_id == wear.wagon_id:
                change[day] += wear.hired * wagons
        least = min(accumulate(change[day] for day in sorted(change)), default=Fraction(0))
        if least < 0:
            found[wear] = -least
    return found


def priced(moves: Moves, scarce: Collection[Wear]) -> tuple[Moves, float]:
    """
    The same fleet with a price on what wears it in place of the rule, and USD to take off the bound that this gives.

    With ``u`` USD a kilometre, visits give ``u`` times their kilometres back, a day of hire what it brings, and the
    kilometres at hand are taken off at the end: no plan that keeps the rule costs more so than it does (Lagrange). The
    price is the largest at which no visit and no hire pays for nothing.
    """
    price: dict[str, list[tuple[Wear, Fraction]]] = defaultdict(list)
    for wear in scarce:
        kind, together = moves.types[wear.wagon_id], sum(each.wagon_id == wear.wagon_id for each in scarce)
        visits = [move for move in moves.empty if move.kind == "maintenance" and move.wagon_id == wear.wagon_id]
        most = [max(Fraction(0), v.usd - v.days * kind.night_usd[v.start]) / wear.every for v in visits]
        if kind.hire_places and wear.hired:
            most.append(kind.hire_usd / wear.hired)
        price[wear.wagon_id].append((wear, min(most, default=Fraction(0)) / together))

    def dearer(move: Move) -> Move:
        if move.wagon_id not in price:
            return move
        return replace(move, usd=move.usd + sum(u * wear.of(move) for wear, u in price[move.wagon_id]))

    types = dict(moves.types)
    for wagon_id, prices in price.items():
        less = sum(u * wear.hired for wear, u in prices)
        types[wagon_id] = replace(types[wagon_id], hire_usd=types[wagon_id].hire_usd - less)
    loaded, empty = (tuple(dearer(move) for move in group) for group in (moves.loaded, moves.empty))
    given = sum(u * rest for prices in price.values() for wear, u in prices for rest in wear.left.values())
    return replace(moves, types=types, loaded=loaded, empty=empty, wear=()), float(given)


def keep_rule(
    problem: RollingStock, options: SolveOptions, moves: Moves, runs: Runs, lack: Mapping[Wear, Fraction]
) -> tuple[Runs, OnHire] | None:
    """Runs, and wagons on hire, of a plan around one that breaks the rule by ``lack``; None where none was found."""
    around = _Around(problem, options, moves, runs)
    kept_back = {wear: int(lack.get(wear, 0) > MANY * wear.every) for wear in moves.wear}
    for _ in range(TRIES):
        price, late = around.visits(kept_back), dict[Wear, Fraction]()
        if price is None:
            return None
        for dearer in DEARER:
            found = around.flows({key: dearer * usd for key, usd in price.items()})
            if found is None:
                continue
            late = overdue(moves, *found)
            if not late:
                return found
        if not late or around.over():
            break
        kept_back |= {wear: kept_back[wear] + 1 for wear in late}
    return None


class _Around:
    """The programme over few moves around a plan."""

    def __init__(self, problem: RollingStock, options: SolveOptions, moves: Moves, runs: Runs) -> None:
        self.options, self.moves, self.started = options, moves, time.perf_counter()
        days: dict[Move, set[int]] = defaultdict(set)
        for move, day in runs:
            days[move].add(day)
        worn = {wear.wagon_id for wear in moves.wear}
        origin = {_some_days(move, days, worn): move for move in moves.loaded if move in days}
        few = replace(moves, loaded=tuple(origin), empty=tuple(_empty_moves(moves, days, worn)))
        self.model: WagonModel = build(problem, few)
        self.plain = self.model.programme.objective.copy()
        self.loads = [
            (v, runs.get((origin[move], day), 0)) for (move, day), v in self.model.run.items() if move in origin
        ]

    def over(self) -> bool:
        left = self._left_s()
        return self.options.stop.is_set() or (left is not None and left <= 0)

    def visits(self, kept_back: Mapping[Wear, int]) -> dict[tuple[int, int], float] | None:
        """
        Hold whole visits, with what so many of them give kept back; none where none were found in time.

        Returns prices of a kilometre, or day, by the number of the wear and day of departure.
        """
        for number, wear in enumerate(self.moves.wear):
            for day in range(self.moves.days):
                self.model.wear[number, day][0].lowBound = float(kept_back[wear] * wear.every)
        self.model.programme.setObjective(self.plain)
        visits = [v for (move, _), v in self.model.run.items() if move.kind == "maintenance"]
        for variable in visits:
            self._hold(variable, None)
        for variable, wagons in self.loads:
            self._hold(variable, wagons)
        if not self._solve(set()) and not self._fewer_loads():
            return None
        price = {key: abs(row.pi or 0.0) for key, (_, row) in self.model.wear.items()}
        if not self._solve({"maintenance"}, VISITS_S, VISITS_GAP):
            return None
        for variable in visits:
            self._hold(variable, round(variable.value()))
        return price

    def flows(self, price: Mapping[tuple[int, int], float]) -> tuple[Runs, OnHire] | None:
        """Whole flows at a price on kilometres; they may run too far."""
        self._price(price)
        if not self._solve({"empty", "cleaning", "maintenance", "stand"}, FLOWS_S):
            return None
        return self.model.chosen()

    def _fewer_loads(self) -> bool:
        """Hold loads that go with whole visits, some of them on other days; whether there are any."""
        for variable, _ in self.loads:
            self._hold(variable, None)
        if not self._solve({"loaded", "maintenance"}, VISITS_S, VISITS_GAP):
            return False
        for variable, _ in self.loads:
            self._hold(variable, round(variable.value()))
        return self._solve(set())

    def _price(self, price: Mapping[tuple[int, int], float]) -> None:
        """What is left of kilometres has no limit any more, but a price: that of its row."""
        terms: list[tuple[Any, float]] = []
        for number, wear in enumerate(self.moves.wear):
            for (move, day), variable in self.model.run.items():
                if move.wagon_id == wear.wagon_id and move.kind != "maintenance":
                    terms.append((variable, price[number, day] * float(wear.of(move))))
            for (wagon_id, _, day), variable in self.model.hire.items():
                if wagon_id == wear.wagon_id:
                    terms.append((variable, -price[number, day] * float(wear.hired)))
        for rest, _ in self.model.wear.values():
            rest.lowBound = None
        self.model.programme.setObjective(self.plain + pulp.LpAffineExpression(terms))

    def _solve(self, whole: set[str], longest_s: float | None = None, gap: float = 0.0) -> bool:
        self.model.ask_whole(whole)
        left = self._left_s()
        limits = [seconds for seconds in (longest_s, left) if seconds is not None]
        limited = replace(
            self.options, time_limit_s=max(0.05, min(limits)) if limits else None, gap=gap, on_progress=None
        )
        return solve_model(self.model.programme, limited).status.has_plan

    def _left_s(self) -> float | None:
        limit = self.options.time_limit_s
        return None if limit is None else limit - (time.perf_counter() - self.started)

    @staticmethod
    def _hold(variable: Any, value: int | None) -> None:
        """At a value; None: at any from 0."""
        variable.lowBound, variable.upBound = value or 0, value


def _empty_moves(moves: Moves, days: Mapping[Move, set[int]], worn: set[str]) -> Iterator[Move]:
    shops = {(move.wagon_id, move.start) for move in moves.empty if move.kind == "maintenance"}
    near = set(_near_shops(moves, shops))
    for move in moves.empty:
        if move.kind == "maintenance" or move in near:
            yield move
        elif move in days:
            yield _some_days(move, days, worn)


def _some_days(move: Move, days: Mapping[Move, set[int]], worn: set[str]) -> Move:
    """The move on the days of the plan, and some days earlier and later if its type wears."""
    around = SHIFT_DAYS if move.wagon_id in worn else 0
    on = {day + shift for day in days[move] for shift in range(-around, around + 1)}
    return replace(move, on=frozenset(on if move.on is None else on & move.on))


def _near_shops(moves: Moves, shops: set[tuple[str, Spot]]) -> Iterator[Move]:
    """Empty runs to and from each workshop, those of the fewest days first."""
    ways: dict[tuple[str, Spot, bool], list[Move]] = defaultdict(list)
    for move in moves.empty:
        if move.kind == "empty":
            for spot, leads_there in ((move.end, True), (move.start, False)):
                if (move.wagon_id, spot) in shops:
                    ways[move.wagon_id, spot, leads_there].append(move)
    for found in ways.values():
        yield from sorted(found, key=lambda move: (move.days, move.usd, move.start, move.end))[:NEAREST]


def bound_options(options: SolveOptions, started: float) -> SolveOptions:
    """For the bound at a price."""
    left = time_left(options, started)
    limit_s = None if left.time_limit_s is None else BOUND_SHARE * left.time_limit_s
    return replace(left, time_limit_s=limit_s, on_progress=None, gap=0.0)


def first_options(options: SolveOptions) -> SolveOptions:
    """For the plan without the rule: a share of the time; of its figures only the bound is told."""
    tell, limit_s = options.on_progress, options.time_limit_s
    return replace(
        options,
        time_limit_s=None if limit_s is None else SEARCH_SHARE * limit_s,
        on_progress=None if tell is None else lambda told: tell(replace(told, cost=None)),
    )


def time_left(options: SolveOptions, started: float) -> SolveOptions:
    """For what follows; ``started`` is read off the performance counter."""
    if options.time_limit_s is None:
        return options
    return replace(options, time_limit_s=max(0.1, options.time_limit_s - (time.perf_counter() - started)))
