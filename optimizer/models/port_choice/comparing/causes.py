"""Causes: what sets one stack of scenarios apart from another, in pieces that can be in force or not.

Both stacks are written as one list in which each keeps its order. What stands in both is common ground; the rest are
the pieces of the causes. With some causes switched to the side of the scenario and the others left on that of the
base, the list is again a stack, so every mixture is a corridor of the instance under ordinary scenarios.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.scenario import apply_scenario, expand
from optimizer.data.schema.settings import Closures, Opening, Scenario
from optimizer.errors import UsageError

MOST_CAUSES = 5
"""2^5 = 32 mixtures are solved at most."""

KINDS = ("auto", "scenarios", "overrides")


@dataclass(frozen=True)
class Piece:
    """Overrides that are in force together; ``side`` is "base", "scenario" or, in force on both sides, ""."""

    label: str
    scenario: Scenario
    side: str
    group: str = ""


@dataclass(frozen=True)
class Causes:
    """
    The pieces of both stacks in order, and what stands for a cause.

    Attributes
    ----------
    names
        Causes in words.
    members
        For each cause the positions of its pieces.
    note
        What had to be put together, in words; blank when nothing had.
    """

    instance: Instance
    pieces: tuple[Piece, ...]
    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    note: str = ""

    def corridor(self, switched: Collection[int]) -> Corridor:
        """
        The instance with the causes of these numbers as in the scenario and the others as in the base.

        Raises
        ------
        InstanceError
            When a cause does not stand without another.
        """
        on = {at for number in switched for at in self.members[number]}
        loose = {at for mine in self.members for at in mine}
        stack = {
            # The position keeps apart what stands twice.
            f"{piece.label} ({at})": piece.scenario
            for at, piece in enumerate(self.pieces)
            if at not in loose or (piece.side == "scenario") == (at in on)
        }
        return apply_scenario(replace(self.instance, scenarios=stack), tuple(stack))

    def joined(self, one: int, other: int, why: str) -> Causes:
        """Two causes as one, in the place of the earlier."""
        first, second = sorted((one, other))
        together = tuple(sorted((*self.members[first], *self.members[second])))
        words = f"'{self.names[first]}' and '{self.names[second]}' are one cause: {why}"
        names = [name for at, name in enumerate(self.names) if at != second]
        members = [mine for at, mine in enumerate(self.members) if at != second]
        names[first], members[first] = f"{self.names[first]} + {self.names[second]}", together
        return replace(
            self, names=tuple(names), members=tuple(members), note=f"{self.note}; {words}" if self.note else words
        )


def find_causes(base: Corridor, scenario: Corridor, kind: str = "auto") -> Causes:
    """
    What sets two corridors of one instance apart.

    Parameters
    ----------
    kind
        ``scenarios``: a cause is a scenario of the stacks; one that takes the place of another, because both select the
        same, is one cause with it. ``overrides``: a cause is what is selected, closed, opened, or changed in one table.
        ``auto``: overrides when at most one scenario goes and one comes, else scenarios.

    Raises
    ------
    UsageError
        Unknown kind, corridors of two instances, or stacks that are the same or differ in nothing.
    """
    if kind not in KINDS:
        raise UsageError(f"causes '{kind}', expected one of {', '.join(KINDS)}")
    if base.instance.hash != scenario.instance.hash:
        raise UsageError("base and scenario are of two instances; a comparison is between two scenarios of one")
    pieces = _merged(base.instance, base.scenario, scenario.scenario)
    sides = [piece.side for piece in pieces]
    if not any(sides):
        names = ",".join(scenario.scenario) or "base"
        raise UsageError(f"base and scenario are both '{names}'; there is nothing to compare")
    if kind == "overrides" or (kind == "auto" and sides.count("base") <= 1 and sides.count("scenario") <= 1):
        pieces = [part for piece in pieces for part in (_parts(piece) if piece.side else [piece])]
    else:
        pieces = _paired(pieces)
    groups: dict[str, list[int]] = {}
    for at, piece in enumerate(pieces):
        if piece.side:
            groups.setdefault(piece.group, []).append(at)
    if not groups:
        raise UsageError("base and scenario differ in scenarios that change nothing; there is nothing to compare")
    words = [_words([pieces[at] for at in positions]) for positions in groups.values()]
    members = [tuple(mine) for mine in groups.values()]
    note = ""
    if len(words) > MOST_CAUSES:
        kept = MOST_CAUSES - 1
        note = f"more than {MOST_CAUSES} causes: the last {len(words) - kept} of the stacks are one cause"
        words = [*words[:kept], " + ".join(words[kept:])]
        members = [*members[:kept], tuple(at for mine in members[kept:] for at in mine)]
    return Causes(base.instance, tuple(pieces), tuple(words), tuple(members), note)


def _merged(instance: Instance, base: Sequence[str], scenario: Sequence[str]) -> list[Piece]:
    """Both stacks, with what they extend, as one list in which each keeps its order."""
    before, after = (tuple(expand(instance.scenarios, names)[0]) for names in (base, scenario))
    pieces = []

    def add(names: Sequence[str], side: str) -> None:
        for name in names:
            pieces.append(Piece(name, instance.scenarios[name].model_copy(update={"extends": ()}), side, name))

    for _, start, end, from_, to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        same = before[start:end] == after[from_:to]
        add(before[start:end], "" if same else "base")
        if not same:
            add(after[from_:to], "scenario")
    return pieces


def _paired(pieces: Sequence[Piece]) -> list[Piece]:
    """Scenarios that go and come and select the same are one group."""
    grouped = list(pieces)
    gone = [at for at, piece in enumerate(pieces) if piece.side == "base"]
    for at, piece in enumerate(pieces):
        if piece.side != "scenario":
            continue
        for other in gone:
            if {*piece.scenario.select} & {*pieces[other].scenario.select} or piece.label == pieces[other].label:
                grouped[at] = replace(piece, group=grouped[other].group)
                gone.remove(other)
                break
    return grouped


def _parts(piece: Piece) -> list[Piece]:
    """A scenario in parts that do not touch each other: selections, closures, openings, changes by table."""
    scenario, parts = piece.scenario, []

    def add(label: str, group: str, **overrides: object) -> None:
        parts.append(Piece(label, Scenario().model_copy(update=overrides), piece.side, group))

    for key, value in scenario.select.items():
        add(f"{key.replace('_', ' ')} {value}", f"select {key}", select={key: value})
    for words, name, blank in (("closures", "close", Closures()), ("openings", "open", Opening())):
        if getattr(scenario, name) != blank:
            add(f"{words} of {piece.label}", f"{name} {piece.side} {piece.label}", **{name: getattr(scenario, name)})
    for table in dict.fromkeys(change.table for change in scenario.change):
        mine = tuple(change for change in scenario.change if change.table == table)
        add(f"{table.replace('_', ' ')} of {piece.label}", f"change {piece.side} {piece.label} {table}", change=mine)
    return parts


def _words(pieces: Sequence[Piece]) -> str:
    """A cause in words: what comes, or from what to what, or what goes."""
    gone = [piece.label for piece in pieces if piece.side == "base"]
    come = [piece.label for piece in pieces if piece.side == "scenario"]
    if gone == come:
        return f"place of {', '.join(come)} in the order"
    if gone and come:
        return f"{', '.join(gone)} > {', '.join(come)}"
    return ", ".join(come) if come else f"without {', '.join(gone)}"
