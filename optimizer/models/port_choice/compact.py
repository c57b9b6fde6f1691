"""What both compact models share: build within the time, solve, read the plan, give up a contract that falls short.

A least volume that only circling tonnes could fill breaks when the loops are cut out of the plan. Then the contract is
closed and the model solved again; the bound stays that of the model with everything open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.days import dated_graph
from optimizer.models.port_choice.graph import FlowGraph, static_graph
from optimizer.models.port_choice.plan import Plan, trivial_outcome
from optimizer.models.port_choice.problem import TOLERANCE, PortChoice
from optimizer.result import Outcome, Status
from optimizer.solvers.watch import Watch


class OutOfTimeError(Exception):
    """The time limit or a stop came while a model was being built."""


class CompactModel(Protocol):
    """A model of a graph that can be solved again after contracts are closed."""

    def solve(self, options: SolveOptions) -> tuple[Status, float | None]:
        """Status, and lower bound on the cost of every plan of the model as it stands."""
        ...

    def plan(self, options: SolveOptions) -> Plan:
        """The plan of the last solve."""
        ...

    def close(self, services: Collection[int]) -> None:
        """Give up contracts."""
        ...


def build_graph(problem: PortChoice) -> FlowGraph:
    """The graph of the problem, over the year or over the days."""
    return dated_graph(problem) if problem.dated else static_graph(problem)


def keep_time(watch: Watch | None) -> None:
    """Raise OutOfTimeError when the watch says so; models call this while they are built."""
    if watch is not None and watch.should_stop:
        raise OutOfTimeError


def remaining(options: SolveOptions, watch: Watch) -> SolveOptions:
    """The options with the time limit that is left."""
    if options.time_limit_s is None:
        return options
    return replace(options, time_limit_s=max(options.time_limit_s - watch.elapsed_s, 0.01))


def solve_compact(
    problem: PortChoice,
    options: SolveOptions,
    build: Callable[[FlowGraph, Watch], CompactModel],
    find_conflicts: Callable[[FlowGraph, SolveOptions], tuple[str, ...]],
) -> Outcome:
    """Outcome of a model; nothing moves, at the uncongested bound, where time ends before the model is built."""
    watch = Watch(options)
    graph = build_graph(problem)
    bound = graph.uncongested_bound()
    if math.isinf(bound):  # something that must be served has no route
        return Outcome(Status.INFEASIBLE, conflicts=find_conflicts(graph, remaining(options, watch)))
    try:
        model = build(graph, watch)
    except OutOfTimeError:
        return trivial_outcome(graph, bound)
    closed: set[int] = set()
    while True:
        status, found = model.solve(remaining(options, watch))
        if found is not None and not closed:
            bound = max(bound, found)
        if status is Status.INFEASIBLE:
            return Outcome(Status.INFEASIBLE, conflicts=find_conflicts(graph, remaining(options, watch)))
        if status is Status.NO_SOLUTION:
            return trivial_outcome(graph, bound)
        plan = model.plan(remaining(options, watch))
        if problem.serve_all and any(plan.unserved_t):  # a first-order solver misses a demand by more than rounding
            return Outcome(Status.NO_SOLUTION, bound=bound)
        broken = plan.short_contracts()
        if not broken:
            proved = plan.cost - bound <= max(options.gap, TOLERANCE) * abs(plan.cost)
            return Outcome(
                Status.OPTIMAL if proved else Status.FEASIBLE, plan.tables(), plan.cost, min(bound, plan.cost)
            )
        closed |= broken
        model.close(closed)
