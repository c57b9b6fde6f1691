"""The mixed-integer programme's variables, and orders of works in time; what they mean stands in ``crosscheck.py``."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import cached_property

import pulp

from optimizer.models.transshipment.choices import Choice, choices
from optimizer.models.transshipment.site import Load, Site, Worker

CHECKS = 2
"""Step of a load's first check."""
Step = tuple[str, int]


@dataclass
class Programme:
    """The model with its variables."""

    site: Site
    model: pulp.LpProblem = field(default_factory=lambda: pulp.LpProblem("transshipment", pulp.LpMinimize))
    start: dict[str, pulp.LpVariable] = field(default_factory=dict)
    leave: dict[str, pulp.LpVariable] = field(default_factory=dict)
    on: dict[tuple[str, str], pulp.LpVariable] = field(default_factory=dict)
    take: dict[tuple[str, str, str], pulp.LpVariable] = field(default_factory=dict)
    missed: dict[str, pulp.LpVariable] = field(default_factory=dict)
    begin: dict[Step, pulp.LpVariable] = field(default_factory=dict)
    end: dict[Step, pulp.LpAffineExpression] = field(default_factory=dict)
    use: dict[tuple[str, int, str], pulp.LpVariable] = field(default_factory=dict)
    late: dict[str, pulp.LpVariable] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        return choices(self.site)

    @cached_property
    def big(self) -> int:
        return self.site.end + 1

    def name(self, wanted: str) -> str:
        """``wanted`` in characters LP files know, made unique: 'A-1' and 'A.1' are two ids."""
        plain = name = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:230]
        for number in itertools.count(2):
            if name not in self.names:
                break
            name = f"{plain}_{number}"
        self.names.add(name)
        return name

    def binary(self, name: str) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), cat=pulp.LpBinary)

    def minute(self, name: str, least: int, most: int) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), least, most, pulp.LpInteger)

    def number(self, name: str) -> pulp.LpVariable:
        return self.model.add_variable(self.name(name), 0)

    def takes(self, load: Load, *ways: str) -> pulp.LpAffineExpression:
        return pulp.lpSum(self.take[c.key] for c in self.choices if c.load is load and c.way in ways)

    def add(self, name: str, constraint: pulp.LpConstraint) -> None:
        self.model.addConstraint(constraint, self.name(name))

    def workers(self, load: Load, step: int) -> tuple[Worker, ...]:
        """Who may do the first (0) or second (1) work of a load, or its (step - CHECKS)-th check."""
        if step >= CHECKS:
            return self.site.posts_for(load.checks[step - CHECKS])
        mine = [c for c in self.choices if c.load is load]
        if step == 1:
            cranes = [k for c in mine if c.way == "yard" for k in self.site.cranes_for(load, c.onward)]
            return tuple(dict.fromkeys(cranes))
        by_crane = any(c.way != "bogie" for c in mine)
        first = self.site.cranes_for(load, self.site.call[load.call_id]) if by_crane else ()
        return (*first, *(self.site.bays if any(c.way == "bogie" for c in mine) else ()))


def check_steps(load: Load) -> range:
    """Steps of a load's checks."""
    return range(CHECKS, CHECKS + len(load.checks))


Span = tuple[pulp.LpVariable | pulp.LpAffineExpression, pulp.LpVariable | pulp.LpAffineExpression]


def order(p: Programme, name: str, one: Span, two: Span) -> tuple[pulp.LpVariable, pulp.LpVariable]:
    """The two orders of two spans; each, when 1, holds."""
    first, second = p.binary(f"before_{name}"), p.binary(f"after_{name}")
    p.add(f"order_{name}", two[0] >= one[1] - p.big * (1 - first))
    p.add(f"disorder_{name}", one[0] >= two[1] - p.big * (1 - second))
    return first, second


def starts_later(p: Programme, name: str, one: Step, two: Step) -> pulp.LpVariable:
    """When 1, ``one`` begins a minute or more after ``two``; of works that begin together each counts."""
    later = p.binary(f"later_{name}")
    p.add(f"begins_later_{name}", p.begin[one] >= p.begin[two] + 1 - (p.big + 1) * (1 - later))
    return later


def has_gone(p: Programme, name: str, one: Step, two: Step) -> pulp.LpVariable:
    """When 1, ``one`` has ended when ``two`` begins."""
    gone = p.binary(f"gone_{name}")
    p.add(f"ends_before_{name}", p.end[one] <= p.begin[two] + 2 * p.big * (1 - gone))
    return gone
