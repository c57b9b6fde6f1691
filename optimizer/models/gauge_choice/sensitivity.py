"""How much the answer hangs on its estimated inputs: each at its low and its high end, one at a time.

For every end the corridor is solved again with all gauges free; where that chooses other gauges than the base, it is
solved once more with those of the base, and the difference is what the base's choice loses if the input turns out so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from optimizer.data.corridor import Corridor
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.exact import solve_exact
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.models.gauge_choice.report import gauges_in_words
from optimizer.result import Outcome, Solution

DISCOUNT_RATES = (0.05, 0.12)
"""Ends of the discount rate, for which the instance gives no band: public and private money."""
ARRIVAL_CVS = (0.5, 1.5)
"""Ends of the variability of arrivals: trains that keep a timetable, and trains that come in bunches."""

Rows = Callable[[pd.DataFrame], "pd.Series[bool]"]


@dataclass(frozen=True)
class Input:
    """An input with its two ends: words, and what makes the corridor at an end (``low`` or ``high``)."""

    words: str
    at: Callable[[Corridor, str], Corridor]


@dataclass(frozen=True)
class End:
    """The answer at one end of an input: best cost, its gauges, and what the base's gauges lose there, USD a year."""

    cost: float
    words: str
    regret: float


@dataclass(frozen=True)
class Swing:
    """An input and the answers at its ends."""

    words: str
    low: End
    high: End

    @property
    def width(self) -> float:
        return abs(self.high.cost - self.low.cost)


def inputs_of(problem: GaugeChoice) -> list[Input]:
    """Inputs with a band in the instance, tables of gauge choice first; and the rates that have none."""
    corridor = problem.corridor
    found = []
    for gauge in sorted(set(corridor.table("gauge_options")["gauge_mm"])):
        rows: Rows = lambda table, gauge=gauge: table["gauge_mm"] == gauge  # type: ignore[misc]  # noqa: E731
        found.append(_column(f"cost of {gauge} mm against the other gauges", "gauge_options", "cost_musd", rows))
    for column, words in (
        ("units_per_server_h", "pace of servers"), ("setup_h_per_train", "shunting of a train"),
        ("service_cv", "variability of work"), ("usd_per_unit", "cost of a unit"), ("server_musd", "price of servers"),
        ("set_usd", "price of spare sets"), ("set_days", "days a set is bound"),
    ):  # fmt: skip
        found.append(_column(words, "transfer_technologies", column))
    found.append(_column("opening of sites", "transfer_sites", "opening_musd"))
    found.append(_column("papers and customs at sites", "transfer_sites", "dwell_h"))
    found.append(_column("demand of all lanes", "lanes", "quantity_t_per_year"))
    country = corridor.table("nodes").set_index("node_id")["country"]
    sections = corridor.table("gauge_sections")
    for code in sorted({country[node] for end in ("from_node", "to_node") for node in sections[end]}):
        haul: Rows = lambda table, code=code: (  # type: ignore[misc]  # noqa: E731
            (table["kind"] == "line_haul")
            & (table["mode"] == "rail")
            & np.array([code in names for names in table["countries"]], bool)
        )
        found.append(_column(f"rail rates in {code}", "tariffs", "value", haul))
    found.append(Input("discount rate", _discount))
    found.append(Input("variability of arrivals", _arrivals))
    return [one for one in found if one.at(corridor, "low") is not corridor]


def tornado(problem: GaugeChoice, options: SolveOptions) -> Iterator[tuple[Outcome, Swing | None]]:
    """First the base alone, then base and swing of each input; ends early with ``options.stop``."""
    base = solve_exact(problem, options)
    yield base, None
    if base.solution is None:
        return
    kept = gauges_of(problem, base.solution)
    for one in inputs_of(problem):
        ends = []
        for name in ("low", "high"):
            if options.stop.is_set():
                return
            there = replace(problem, corridor=one.at(problem.corridor, name))
            free = solve_exact(there, options)
            if free.solution is None or free.cost is None:
                break
            regret = 0.0
            if gauges_of(there, free.solution) != kept:
                same = solve_exact(replace(there, gauges=kept), options)
                regret = (same.cost if same.cost is not None else float("inf")) - free.cost
            ends.append(End(free.cost, gauges_in_words(there, free.solution), max(regret, 0.0)))
        if len(ends) == 2:
            yield base, Swing(one.words, ends[0], ends[1])


def gauges_of(problem: GaugeChoice, solution: Solution) -> str:
    """The gauges of a plan as ``GaugeChoice.gauges`` takes them."""
    gauge = problem.corridor.table("gauge_options").set_index("option_id")["gauge_mm"]
    rows = solution["gauges"].itertuples(index=False)
    return ",".join(f"{row.section_id}={gauge[row.option_id]}" for row in rows)


def _column(words: str, table: str, column: str, rows: Rows | None = None) -> Input:
    """A column at its ``_low`` or ``_high``, in the rows that match and have both."""

    def at(corridor: Corridor, end: str) -> Corridor:
        old = corridor.table(table)
        banded = old[f"{column}_low"].notna() & old[f"{column}_high"].notna()
        mine = banded & rows(old) if rows is not None else banded
        values = old[column].where(~mine, old[f"{column}_{end}"])
        if (old[f"{column}_low"] == old[f"{column}_high"])[mine].all():
            return corridor
        return corridor.with_tables({table: old.assign(**{column: values})})

    return Input(words, at)


def _configured(corridor: Corridor, **entries: object) -> Corridor:
    config = corridor.config.model_copy(update=entries)
    return replace(corridor, instance=replace(corridor.instance, config=config))


def _discount(corridor: Corridor, end: str) -> Corridor:
    return _configured(corridor, discount_rate=DISCOUNT_RATES[end == "high"])


def _arrivals(corridor: Corridor, end: str) -> Corridor:
    settings = corridor.config.gauge_choice.model_copy(update={"arrival_cv": ARRIVAL_CVS[end == "high"]})
    return _configured(corridor, gauge_choice=settings)
