"""The contract every family keeps with the api and the command."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import Row
from optimizer.result import Outcome, Progress, Solution, Violation


class Problem(Protocol):
    """A family's question about a corridor; checked when made, never changed."""

    @property
    def corridor(self) -> Corridor: ...

    @property
    def options(self) -> Mapping[str, Any]:
        """JSON-ready keyword arguments that rebuild the problem from the corridor."""
        ...


@dataclass(frozen=True)
class SolveOptions:
    """How to solve.

    ``gap`` is relative; ``stop`` is set from outside (signal, other thread) to end with the best plan so far.
    """

    solver: str | None = None
    time_limit_s: float | None = None
    gap: float = 0.0
    seed: int = 0
    on_progress: Callable[[Progress], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Table:
    """A table for people: what the command prints. Cells are ready-made text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Inquiry:
    """What is asked of a plan.

    Attributes
    ----------
    subject
        Lane, shipment, order, train or load.
    forced, avoid
        What it must use, or must not use, when the problem is solved again: port, place, type of wagon, train. Blank:
        the family's own choice of alternatives.
    options
        Limits of every solve.
    cost, bound
        Of the plan asked about; not a number, and minus infinity, where they are not known.
    """

    subject: str
    forced: str = ""
    avoid: str = ""
    options: SolveOptions = field(default_factory=SolveOptions)
    cost: float = math.nan
    bound: float = -math.inf


@dataclass(frozen=True)
class Explanation:
    """Why a part of the plan is as it is: sentences in a planner's words, and the tables behind them."""

    sentences: Sequence[str]
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class News:
    """What has happened to a plan that is being carried out.

    Attributes
    ----------
    at
        Day (wagons) or minute (terminals) of the news; what began before stands.
    closures
        Links closed from then on, ``LINK``, or on some days, ``LINK:first-last``.
    late_min
        Train -> minutes it arrives late.
    lost_min
        Crane -> first minute it does not work, and first minute it works again.
    change_usd
        What a change must save besides; None: as much as the family thinks fit.
    cost
        Of the plan, USD; not a number where it is not known.
    """

    at: int
    closures: Sequence[str] = ()
    late_min: Mapping[str, int] = field(default_factory=dict)
    lost_min: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    change_usd: float | None = None
    cost: float = math.nan


@dataclass(frozen=True)
class Replanned:
    """A plan taken up and changed: the problem it now answers, the outcome, and what changed, in words and tables."""

    problem: Any
    outcome: Outcome
    sentences: Sequence[str]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Family:
    """One family of decisions.

    Attributes
    ----------
    name
        As typed on the command line, for example ``port-choice``.
    problem
        ``problem(corridor, **options)``; raises InstanceError or UsageError.
    methods
        Method name -> function; ``auto`` picks the first.
    solvers
        Method name -> solvers it accepts, the default first; ``*`` stands for every solver PuLP finds on the machine.
    solution_tables
        Table name -> row model; a result directory is read back through these.
    verify
        ``verify(problem, solution, cost)``: every broken rule, and a claimed cost that differs from the recomputed one.
    export
        ``export(problem, path)`` writes the exact model as LP or MPS by the suffix of ``path``.
    kpis, report
        Figures and planner's tables of a plan.
    proofs
        Method name -> how its bound is known, in words that follow "no plan costs less:".
    explain
        ``explain(problem, solution, inquiry)``: why a subject fares as it does, and what else it could do; raises
        UsageError when there is no such subject, or what is forced or avoided does not exist. None: the family has
        no subjects to explain.
    replan
        ``replan(problem, solution, news, options)``: the plan taken up and changed; raises UsageError for news that do
        not fit. None: plans of the family are not carried out day by day.
    """

    name: str
    problem: Callable[..., Any]
    methods: Mapping[str, Callable[[Any, SolveOptions], Outcome]]
    solvers: Mapping[str, Sequence[str]]
    solution_tables: Mapping[str, type[Row]]
    verify: Callable[[Any, Solution, float | None], tuple[Violation, ...]]
    export: Callable[[Any, Path], None]
    kpis: Callable[[Any, Solution], Mapping[str, float | str]]
    report: Callable[[Any, Solution], Sequence[Table]]
    proofs: Mapping[str, str] = field(default_factory=dict)
    explain: Callable[[Any, Solution, Inquiry], Explanation] | None = None
    replan: Callable[[Any, Solution, News, SolveOptions], Replanned] | None = None
