"""Scenario comparison: what sets two scenarios of an instance apart, and how much of the cost each cause makes.

Formulation
-----------
``N`` are the causes (:mod:`causes`), ``v(S)`` the least cost of the year with the causes in ``S`` as in the scenario
and the others as in the base. A cause adds its mean over all orders in which the causes may come::

    phi(i) = sum over S in N without i of |S|! (|N| - |S| - 1)! / |N|! * (v(S + i) - v(S))

(L. S. Shapley, A value for n-person games, Contributions to the Theory of Games II, 1953; as decomposition of an
indicator: A. F. Shorrocks, Journal of Economic Inequality 11, 2013). The ``phi`` sum to ``v(N) - v(no cause)``, do not
depend on the order in which the causes are listed, and are nothing for a cause that changes nothing.

Every ``v(S)`` is solved for; the plan is verified. Known of ``v(S)`` is that it lies between bound and plan cost, so
beside the ``phi`` of plan costs stands the range in which the ``phi`` of least costs lie.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from optimizer.data.corridor import Corridor
from optimizer.errors import InstanceError, VerificationError
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import FAMILY, PortChoice
from optimizer.models.port_choice.comparing.causes import Causes, find_causes
from optimizer.models.port_choice.comparing.components import components
from optimizer.models.port_choice.trips import Trips
from optimizer.result import Outcome, Solution, Status, relative_gap

Switched = frozenset[int]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Solved:
    """A scenario, a mixture of both, and its verified plan: cost and bound in USD a year."""

    problem: PortChoice
    status: Status
    solution: Solution
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        return relative_gap(self.cost, self.bound)


@dataclass(frozen=True)
class Contribution:
    """
    What a cause adds to the cost, USD a year.

    Attributes
    ----------
    usd
        Of plan costs; exact, so that all together sum to the difference of the plans to the last digit.
    low, high
        Between these lies the contribution to the least costs, known to the gaps of the solves.
    alone, last
        When nothing else changes, and when all else has changed already (plan costs).
    """

    cause: str
    usd: Fraction
    low: float
    high: float
    alone: float
    last: float


@dataclass(frozen=True)
class Repriced:
    """The plan of the base at the scenario's prices: its cost in USD a year, or why it can no longer be run."""

    usd: float | None
    why_not: str = ""


@dataclass(frozen=True)
class Comparison:
    """
    Base and scenario side by side.

    Attributes
    ----------
    mixtures
        Numbers of the causes as in the scenario -> plan; the empty set is the base, the full one the scenario.
    contributions
        In the order of ``causes.names``.
    parts
        Components of the cost of base and scenario: name -> USD a year; each sums to the plan's cost.
    """

    causes: Causes
    mixtures: Mapping[Switched, Solved]
    contributions: tuple[Contribution, ...]
    base: Solved
    scenario: Solved
    base_trips: Trips
    scenario_trips: Trips
    parts: tuple[Mapping[str, float], Mapping[str, float]]
    repriced: Repriced

    @property
    def difference(self) -> float:
        """Plan cost of the scenario less that of the base, USD a year."""
        return self.scenario.cost - self.base.cost

    @property
    def difference_range(self) -> tuple[float, float]:
        """Between these lies the difference of the least costs."""
        return self.scenario.bound - self.base.cost, self.scenario.cost - self.base.bound


def compare(
    base: Corridor,
    scenario: Corridor,
    options: SolveOptions | None = None,
    method: str = "engine",
    causes: str = "auto",
    tell: Tell | None = None,
) -> Comparison:
    """
    Compare two scenarios of one instance over the annual lanes.

    Parameters
    ----------
    options
        Of every solve; a time limit is that of all solves together, shared out evenly over those still to come.
    method
        Method of the family with which all mixtures are solved.
    causes
        ``auto``, ``scenarios`` or ``overrides``, see :func:`find_causes`.
    tell
        Called before every solve with its number and the number of solves.

    Raises
    ------
    UsageError
        The scenarios are the same, or of two instances.
    InstanceError
        Base or scenario cannot be planned.
    VerificationError
        A plan breaks a rule: a defect.
    """
    found = find_causes(base, scenario, causes)
    options = options or SolveOptions()
    started = [(frozenset[int](), base), (frozenset(range(len(found.names))), scenario)]
    solved, faults = _solve_all(found, started, options, method, tell)
    found, solved = _standing(found, solved, faults)
    every = frozenset(range(len(found.names)))
    first, last = solved[frozenset()], solved[every]
    trips = Trips(first.problem, first.solution), Trips(last.problem, last.solution)
    return Comparison(
        found,
        solved,
        tuple(_contribution(number, found.names, solved) for number in range(len(found.names))),
        first,
        last,
        *trips,
        (components(trips[0]), components(trips[1])),
        reprice(first.solution, last.problem),
    )


def subsets(numbers: frozenset[int]) -> list[Switched]:
    """All of them, the smaller first."""
    return [
        frozenset(chosen)
        for size in range(len(numbers) + 1)
        for chosen in itertools.combinations(sorted(numbers), size)
    ]


def _solve_all(
    causes: Causes,
    given: list[tuple[Switched, Corridor]],
    options: SolveOptions,
    method: str,
    tell: Tell | None,
) -> tuple[dict[Switched, Solved], dict[Switched, InstanceError]]:
    """Every mixture solved, or why it does not stand; base and scenario come first, and must stand."""
    ends = dict(given)
    order = [*ends, *(mixture for mixture in subsets(max(ends, key=len)) if mixture not in ends)]
    deadline = None if options.time_limit_s is None else time.monotonic() + options.time_limit_s
    solved: dict[Switched, Solved] = {}
    faults: dict[Switched, InstanceError] = {}
    for at, mixture in enumerate(order):
        if tell is not None:
            tell(at + 1, len(order))
        mine = options
        if deadline is not None:
            mine = replace(options, time_limit_s=max((deadline - time.monotonic()) / (len(order) - at), 1e-3))
        try:
            corridor = ends[mixture] if mixture in ends else causes.corridor(mixture)
            solved[mixture] = _solve(PortChoice(corridor), mine, method)
        except InstanceError as error:
            if mixture in ends:
                raise
            faults[mixture] = error
    return solved, faults


def _solve(problem: PortChoice, options: SolveOptions, method: str) -> Solved:
    outcome: Outcome = FAMILY.methods[method](problem, options)
    under = ",".join(problem.corridor.scenario) or "base"
    if outcome.solution is None or outcome.cost is None:
        # Demand may stay behind, so a plan always exists.
        raise VerificationError(f"method {method} found no plan under {under}; this is a defect")
    if broken := FAMILY.verify(problem, outcome.solution, outcome.cost):
        raise VerificationError(f"the plan under {under} breaks a rule; this is a defect: {broken[0]}")
    bound = -math.inf if outcome.bound is None else min(outcome.bound, outcome.cost)
    return Solved(problem, outcome.status, outcome.solution, outcome.cost, bound)


def _standing(
    causes: Causes, solved: dict[Switched, Solved], faults: dict[Switched, InstanceError]
) -> tuple[Causes, dict[Switched, Solved]]:
    """Causes put together until every mixture stands; each time the two that leave the fewest that do not."""
    blocks = [frozenset({number}) for number in range(len(causes.names))]

    def fallen(of: list[Switched]) -> list[Switched]:
        return [mixture for mixture in faults if all(block <= mixture or not block & mixture for block in of)]

    while left := fallen(blocks):
        why = str(faults[left[0]].faults[0])
        pairs = itertools.combinations(range(len(blocks)), 2)
        one, other = min(pairs, key=lambda pair: (len(fallen(_joined(blocks, *pair))), pair))
        causes, blocks = (
            causes.joined(one, other, f"one does not stand without the other ({why})"),
            _joined(blocks, one, other),
        )
    kept = subsets(frozenset(range(len(blocks))))
    return causes, {chosen: solved[frozenset().union(*(blocks[at] for at in chosen))] for chosen in kept}


def _joined(blocks: list[Switched], one: int, other: int) -> list[Switched]:
    rest = [block for at, block in enumerate(blocks) if at != other]
    rest[one] = blocks[one] | blocks[other]
    return rest


def _contribution(number: int, names: tuple[str, ...], solved: Mapping[Switched, Solved]) -> Contribution:
    """Shapley value of one cause, and its range over all least costs between bound and plan."""
    many, mine = len(names), frozenset({number})
    usd, low, high = Fraction(0), 0.0, 0.0
    for before in subsets(frozenset(range(many)) - mine):
        size = len(before)
        weight = Fraction(math.factorial(size) * math.factorial(many - size - 1), math.factorial(many))
        left, right = solved[before], solved[before | mine]
        usd += weight * (Fraction(right.cost) - Fraction(left.cost))
        low += float(weight) * (right.bound - left.cost)
        high += float(weight) * (right.cost - left.bound)
    every = frozenset(range(many))
    return Contribution(
        names[number],
        usd,
        min(low, float(usd)),
        max(high, float(usd)),
        solved[mine].cost - solved[frozenset()].cost,
        solved[every].cost - solved[every - mine].cost,
    )


def reprice(solution: Solution, problem: PortChoice) -> Repriced:
    """A plan at the prices of another problem, if it keeps the rules there."""
    contracts = problem.corridor.table("contracts")["contract_id"]
    taken = dict(zip(solution["contracts"]["contract_id"], solution["contracts"]["taken"], strict=True))
    offered = solution["contracts"].iloc[:0].reindex(range(len(contracts)))
    offered = offered.assign(contract_id=list(contracts), taken=[bool(taken.get(name, False)) for name in contracts])
    plan = {**solution, "prices": solution["prices"].iloc[:0], "contracts": offered}
    broken = FAMILY.verify(problem, plan, None)
    if not broken:
        usd = math.fsum(components(Trips(problem, plan)).values())
        if wrong := FAMILY.verify(problem, plan, usd):
            raise VerificationError(f"the plan of the base is priced wrongly; this is a defect: {wrong[0]}")
        return Repriced(usd)
    rules = Counter(violation.rule for violation in broken)
    rule, times = rules.most_common(1)[0]
    example = next(violation for violation in broken if violation.rule == rule)
    more = f", and {len(broken) - 1} more of {len(rules)} kind{'s' * (len(rules) > 1)}" if len(broken) > 1 else ""
    return Repriced(None, f"{rule} {times} time{'s' * (times > 1)}, first at {example.place}{more}")
