"""What stands in the way where everything must be served, in a planner's words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optimizer.models.port_choice.graph import Demand, FlowGraph, Limit
from optimizer.models.port_choice.plan import NOISE
from optimizer.models.port_choice.problem import TOLERANCE


def conflict_words(graph: FlowGraph, unserved_t: Sequence[float], prices: Mapping[int, float]) -> tuple[str, ...]:
    """
    One sentence per demand that falls short, and one per limit that stops them.

    Parameters
    ----------
    unserved_t
        Tonnes of every demand that the plan with the least tonnes left behind leaves behind.
    prices
        Limit number -> tonnes left behind that another unit of the limit would save.
    """
    period = "t in the horizon" if graph.problem.dated else "t/year"
    kind = "shipment" if graph.problem.dated else "lane"
    words = [
        _shortfall(graph, demand, left, kind, period)
        for demand, left in zip(graph.demands, unserved_t, strict=True)
        if left > 10 * NOISE * max(1.0, demand.quantity_t)
    ]
    for number, price in sorted(prices.items(), key=lambda item: (-item[1], item[0])):
        limit = graph.limits[number]
        if price > TOLERANCE:
            day = "" if limit.day is None else f" on day {limit.day}"
            words.append(f"{limit.place} is full{day}: {limit.capacity:,.10g} {limit.unit}{'' if day else ' a year'}")
    if not words:
        words.append("what must be served does not fit the volumes of the contracts")
    return tuple(words)


def minimal_words(graph: FlowGraph, demands: Sequence[Demand], limits: Sequence[Limit]) -> tuple[str, ...]:
    """A minimal conflict in one sentence: without any one of its parts the others can be met. Nothing without parts."""
    if not demands:
        return ()
    kind = "shipment" if graph.problem.dated else "lane"
    asked = [f"{kind} {demand.demand_id} ({demand.quantity_t:,.10g} t)" for demand in demands]
    places = [_room(limit, limit.capacity) for limit in limits]
    return (f"these cannot all be met, but without any one of them the others can: {'; '.join([*asked, *places])}",)


def repair_words(graph: FlowGraph, more: Mapping[int, float]) -> tuple[str, ...]:
    """The least room that would let all go, in one sentence; nothing where none is needed."""
    needed = [
        (graph.limits[number], units)
        for number, units in more.items()
        if units > TOLERANCE * max(1.0, graph.limits[number].capacity)
    ]
    if not needed:
        return ()
    words = " and ".join(_room(limit, units) for limit, units in sorted(needed, key=lambda item: -item[1]))
    return (f"least change that lets them go: more room, {words}",)


def _room(limit: Limit, units: float) -> str:
    when = "a year" if limit.day is None else f"on day {limit.day}"
    return f"{units:,.10g} {limit.unit} {when} at {limit.place}"


def _shortfall(graph: FlowGraph, demand: Demand, left: float, kind: str, period: str) -> str:
    amounts = f"{left:,.10g} of {demand.quantity_t:,.10g} {period}"
    start = f"{kind} {demand.demand_id} ({demand.place}, {demand.commodity_id}): {amounts}"
    if math.isinf(demand.cheapest_usd_per_t):
        return f"{start} cannot be carried, there is no route{' within the horizon' if graph.problem.dated else ''}"
    return f"{start} cannot be carried within the capacities"
