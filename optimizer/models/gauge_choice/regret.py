"""What a wrong gauge costs: the best plan of every mixture of gauges beside the best of all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.exact import solve_exact
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.models.gauge_choice.report import gauges_in_words
from optimizer.result import Solution

MOST_MIXTURES = 200


@dataclass(frozen=True)
class Choice:
    """A mixture of gauges and its best plan.

    Attributes
    ----------
    gauges
        As ``GaugeChoice.gauges`` takes it.
    words
        Stretches of equal gauge.
    variants
        Named variants that are this mixture.
    cost, bound
        Of its best plan, USD a year.
    """

    gauges: str
    words: str
    variants: tuple[str, ...]
    cost: float
    bound: float
    solution: Solution


def mixtures(problem: GaugeChoice) -> list[str]:
    """
    Every mixture in which the gauge changes only where a site lies, as texts for ``GaugeChoice.gauges``.

    Sections that meet at a place without a site form one block: with two gauges there the line would be broken.

    Raises
    ------
    UsageError
        More than ``MOST_MIXTURES``.
    """
    options = problem.corridor.table("gauge_options")
    offered = {
        section: {str(gauge): option for gauge, option in zip(mine["gauge_mm"], mine["option_id"], strict=True)}
        for section, mine in options.groupby("section_id", sort=False)
    }
    choices = []
    for block in _blocks(problem):
        common = [gauge for gauge in offered[block[0]] if all(gauge in offered[section] for section in block)]
        wanted = [gauge for gauge in common if all(problem.fixed.get(s) in (None, offered[s][gauge]) for s in block)]
        choices.append([[f"{section}={gauge}" for section in block] for gauge in wanted])
    count = 1
    for mine in choices:
        count *= len(mine)
    if count > MOST_MIXTURES:
        raise UsageError(f"{count:,} mixtures of gauges, at most {MOST_MIXTURES} are compared; fix some with --gauges")
    return [",".join(itertools.chain(*parts)) for parts in itertools.product(*choices)]


def compare(problem: GaugeChoice, options: SolveOptions) -> Iterator[Choice]:
    """The best plan of every mixture, in the order of :func:`mixtures`; stops with ``options.stop``."""
    names = _named(problem)
    for gauges in mixtures(problem):
        if options.stop.is_set():
            return
        one = replace(problem, gauges=gauges)
        found = solve_exact(one, options)
        if found.solution is None or found.cost is None or found.bound is None:
            continue  # nothing may stay unserved, and this mixture cannot serve all
        words = gauges_in_words(one, found.solution)
        built = frozenset(found.solution["gauges"]["option_id"])
        yield Choice(gauges, words, names.get(built, ()), found.cost, found.bound, found.solution)


def _blocks(problem: GaugeChoice) -> list[list[str]]:
    """Sections grouped where they meet at places without a site, in the order of the instance."""
    sites = set(problem.sites["node_id"])
    blocks: list[tuple[list[str], set[str]]] = []
    for section in problem.corridor.table("gauge_sections").itertuples(index=False):
        ends = {section.from_node, section.to_node} - sites
        joined = [block for block in blocks if block[1] & ends]
        merged = ([name for block in joined for name in block[0]], {end for block in joined for end in block[1]})
        blocks = [block for block in blocks if block not in joined]
        blocks.append(([*merged[0], section.section_id], merged[1] | ends))
    return [names for names, _ in blocks]


def _named(problem: GaugeChoice) -> dict[frozenset[str], tuple[str, ...]]:
    """Options of a variant -> names of the variants that build them."""
    built: dict[str, set[str]] = {}
    for row in problem.corridor.table("gauge_options").itertuples(index=False):
        for name in row.variants:
            built.setdefault(name, set()).add(row.option_id)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for name, options in sorted(built.items()):
        found[frozenset(options)] = (*found.get(frozenset(options), ()), name)
    return found
