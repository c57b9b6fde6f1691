"""A scenario comparison as tables for planners and as figures for programs."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optimizer.models.family import Table
from optimizer.models.port_choice.comparing.compare import Comparison, Solved
from optimizer.models.port_choice.plan import NOISE
from optimizer.models.port_choice.problem import TOLERANCE
from optimizer.models.port_choice.trips import Trips
from optimizer.models.port_choice.words import first_rows, percent, rounded, short
from optimizer.result import Status

WAY_WIDTH = 52
STAYS = "stays behind"
JSON_HINT = "--json prints all of them"


def report(found: Comparison) -> Sequence[Table]:
    """Cost bridge by causes, by components, then what moved: ports, gauge changes, lanes."""
    return [
        first_rows(table, JSON_HINT)
        for table in (_bridge(found), _components(found), _ports(found), _gauge_changes(found), _lanes(found))
    ]


def sentences(found: Comparison) -> list[str]:
    """The answer in a few lines: the difference, what the causes are, and the plan of the base kept as it is."""
    before, after = _name(found.base), _name(found.scenario)
    change, (low, high) = found.difference, found.difference_range
    words = f"from {before} to {after} the least cost {'rises' if change >= 0 else 'falls'} by {abs(change):,.0f} USD"
    if found.base.cost:
        words += f" a year ({100 * change / found.base.cost:+.2f} %)"
    if high - low > TOLERANCE * max(abs(found.base.cost), abs(found.scenario.cost)):
        words += f"; proved to lie between {low:+,.0f} and {high:+,.0f}"
    lines = [words]
    if found.repriced.usd is not None:
        prices, planning = found.repriced.usd - found.base.cost, found.scenario.cost - found.repriced.usd
        lines.append(
            f"the plan of {before} kept as it is: {prices:+,.0f} USD at the prices of {after}; planning again: "
            f"{planning:+,.0f}"
        )
    else:
        lines.append(f"the plan of {before} cannot be kept: {found.repriced.why_not}")
    if found.causes.note:
        lines.append(found.causes.note)
    return lines


def open_gaps(found: Comparison) -> list[str]:
    """Plans that a limit ended before they were proved, in words."""
    unproved = [solved for solved in found.mixtures.values() if solved.status != Status.OPTIMAL]
    if not unproved:
        return []
    widest = max(solved.gap for solved in unproved)
    return [
        f"{len(unproved)} of {len(found.mixtures)} plans are not proved best (gap up to {100 * widest:.2g} %); "
        "the ranges hold all the same"
    ]


def figures(found: Comparison) -> dict[str, Any]:
    """Everything that the tables show, as numbers; USD and tonnes a year."""
    return {
        "base": _plan_figures(found.base),
        "scenario": _plan_figures(found.scenario),
        "difference_usd": found.difference,
        "difference_usd_range": _finite(found.difference_range),
        "base_plan_at_scenario_prices_usd": found.repriced.usd,
        "base_plan_cannot_be_kept": found.repriced.why_not,
        "note": found.causes.note,
        "causes": [
            {
                "cause": part.cause, "usd": float(part.usd), "usd_range": _finite((part.low, part.high)),
                "alone_usd": part.alone, "last_usd": part.last,
            }
            for part in found.contributions
        ],
        "components": _rows(("component", "base_usd", "scenario_usd"), _both(*found.parts)),
        "ports": _rows(("port", "base_t", "scenario_t"), _both(*map(port_tonnes, _trips(found)))),
        "gauge_changes": _rows(("handling", "base_t", "scenario_t"), _both(*map(gauge_tonnes, _trips(found)))),
        "ways": [
            {**lane._asdict(), "way": way, "base_t": before, "scenario_t": after}
            for (lane, way), (before, after) in _both(*map(way_tonnes, _trips(found))).items()
        ],
    }  # fmt: skip


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def port_tonnes(plan: Trips) -> dict[str, float]:
    """Tonnes over the quays between land and sea, by port."""
    return {port: sum(trip.quantity_t for trip in mine) for port, mine in plan.by_port.items() if port}


def gauge_tonnes(plan: Trips) -> dict[str, float]:
    """Tonnes by handling from one gauge to another."""
    tonnes: dict[str, float] = defaultdict(float)
    for trip in plan.trips:
        for leg in trip.gauge_changes:
            tonnes[leg["asset_id"]] += trip.quantity_t
    return tonnes


class Lane(NamedTuple):
    """What a lane is in every scenario; its id may differ from year to year."""

    origin: str
    destination: str
    commodity: str


def way_tonnes(plan: Trips) -> dict[tuple[Lane, str], float]:
    """Tonnes by lane and way in words; what stays behind is a way too."""

    def lane(demand: Mapping[Any, Any]) -> Lane:
        return Lane(*(str(demand[name]) for name in ("origin", "destination", "commodity_id")))

    tonnes: dict[tuple[Lane, str], float] = defaultdict(float)
    for trip in plan.trips:
        tonnes[lane(trip.demand), plan.words(trip)] += trip.quantity_t
    for row in plan.solution["unserved"].itertuples(index=False):
        tonnes[lane(plan.demands[row.demand_id]), STAYS] += float(row.quantity_t)
    return tonnes


def _trips(found: Comparison) -> tuple[Trips, Trips]:
    return found.base_trips, found.scenario_trips


def _name(solved: Solved) -> str:
    return ",".join(solved.problem.corridor.scenario) or "base"


def _plan_figures(solved: Solved) -> dict[str, Any]:
    bound = solved.bound if math.isfinite(solved.bound) else None
    return {"scenario": _name(solved), "status": solved.status.value, "cost": solved.cost, "bound": bound}


def _both(before: Mapping[Any, float], after: Mapping[Any, float]) -> dict[Any, tuple[float, float]]:
    """Both values of every key that one of them has."""
    return {key: (before.get(key, 0.0), after.get(key, 0.0)) for key in dict.fromkeys((*before, *after))}


def _rows(names: Sequence[str], values: Mapping[Any, tuple[float, float]]) -> list[dict[str, Any]]:
    return [dict(zip(names, (key, *pair), strict=True)) for key, pair in values.items()]


def _bridge(found: Comparison) -> Table:
    total = found.difference
    rows = [[f"cost under {_name(found.base)}", f"{found.base.cost:,.0f}", "", "", "", ""]]
    for part in found.contributions:
        known = part.high - part.low <= TOLERANCE * max(found.base.cost, found.scenario.cost)
        between = "" if known else f"{part.low:+,.0f} .. {part.high:+,.0f}"
        share = percent(float(part.usd), total)
        rows.append(
            [part.cause, f"{float(part.usd):+,.0f}", share, f"{part.alone:+,.0f}", f"{part.last:+,.0f}", between]
        )
    rows.append([f"cost under {_name(found.scenario)}", f"{found.scenario.cost:,.0f}", "", "", "", ""])
    note = (
        "a cause adds its mean over all orders in which the causes may come (Shapley); alone: nothing else changes; "
        "last: all else has changed; proved between: where a limit left a gap"
    )
    return Table("Cost bridge, by cause", ("step", "USD", "%", "alone", "last", "proved between"), rows, note)


def _components(found: Comparison) -> Table:
    noise = NOISE * max(found.base.cost, found.scenario.cost)
    rows = [
        [name, f"{before:,.0f}", f"{after:,.0f}", f"{after - before:+,.0f}"]
        for name, (before, after) in _both(*found.parts).items()
        if max(abs(before), abs(after)) > noise
    ]
    rows.append(["together", f"{found.base.cost:,.0f}", f"{found.scenario.cost:,.0f}", f"{found.difference:+,.0f}"])
    return Table("Cost bridge, by component", ("part", "base USD", "scenario USD", "change"), rows)


def _ports(found: Comparison) -> Table:
    names = found.base_trips.names | found.scenario_trips.names
    both = _both(*map(port_tonnes, _trips(found)))
    rows = [[short(names[port]), *_change(pair)] for port, pair in _by_change(both)]
    return Table("What moved: tonnes through ports", ("port", "base t", "scenario t", "change"), rows)


def _gauge_changes(found: Comparison) -> Table:
    both = _both(*map(gauge_tonnes, _trips(found)))
    rows = []
    for handling, pair in _by_change(both):
        plan = next(trips for trips in _trips(found) if ("handling", handling) in trips.assets)
        row = plan.assets["handling", handling]
        gauges = f"{row['from_layer'][5:]}/{row['to_layer'][5:]}"
        technology = str(row["technology"]).replace("_", " ")
        rows.append([short(plan.names[row["node_id"]]), gauges, technology, *_change(pair)])
    columns = ("place", "gauges", "technology", "base t", "scenario t", "change")
    return Table("What moved: gauge changes", columns, rows)


def _lanes(found: Comparison) -> Table:
    """Lanes with other ways or tonnes than before, those with the most tonnes moved first."""
    both = _both(*map(way_tonnes, _trips(found)))
    of_lane: dict[Lane, list[tuple[str, tuple[float, float]]]] = defaultdict(list)
    for (lane, way), pair in both.items():
        of_lane[lane].append((way, pair))
    moved = {
        lane: sum(abs(after - before) for _, (before, after) in ways)
        for lane, ways in of_lane.items()
        if any(_differs(pair) for _, pair in ways)
    }
    rows = []
    for lane in sorted(moved, key=lambda name: (-moved[name], name)):
        name = [f"{lane.origin} >", lane.destination, short(lane.commodity, 12)]
        lines = []
        for way, pair in sorted(of_lane[lane], key=lambda item: (item[1][1] - item[1][0], item[0])):
            if _differs(pair):
                figures = [_change(pair), *[[""] * 3] * len(way)]
                lines += [[*cells, line] for cells, line in zip(figures, textwrap.wrap(way, WAY_WIDTH), strict=False)]
        for first, cells in itertools.zip_longest(name, lines, fillvalue=None):
            rows.append([first or "", *(cells or [""] * 4)])
    note = f"{len(moved)} of {len(of_lane)} lanes; ways that keep their tonnes are left out"
    return Table("What moved: lanes", ("lane", "base t", "scenario t", "change", "way"), rows, note)


def _differs(pair: tuple[float, float]) -> bool:
    return abs(pair[1] - pair[0]) > TOLERANCE * max(1.0, *pair)


def _by_change(both: Mapping[Any, tuple[float, float]]) -> list[tuple[Any, tuple[float, float]]]:
    """The largest change first, those without any last."""
    return sorted(both.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), str(item[0])))


def _change(pair: tuple[float, float]) -> list[str]:
    before, after = pair
    change = after - before if _differs(pair) else 0.0
    return [rounded(before), rounded(after), f"{'+' if change > 0 else '-'}{rounded(abs(change))}" if change else ""]
