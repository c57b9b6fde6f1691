"""What would have to change so that what stays behind is carried; every proposal is tried by solving again."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.models.family import Inquiry
from optimizer.models.port_choice.trips import Trip, Trips
from optimizer.models.port_choice.whatif import (
    Room,
    Ways,
    everything_open,
    rooms,
    solve_again,
    with_more,
    with_penalty,
)
from optimizer.result import Solution

SERVED = 1e-6


def repairs(plan: Trips, ways: Ways, inquiry: Inquiry, left_t: float) -> Iterator[str]:
    """Why ``left_t`` tonnes of a lane or shipment stay behind, and the changes that would carry them."""
    demand = plan.demands[inquiry.subject]
    penalty = float(demand["unserved_usd_per_t"])
    best = ways.cheapest()
    if best is None:
        yield from _no_way(plan, inquiry)
        return
    if best.usd_per_t > penalty:
        short = best.usd_per_t - penalty
        yield (
            f"why it stays: the cheapest way, {plan.gist(best)}, costs {best.usd_per_t:,.2f} USD/t, leaving it behind "
            f"{penalty:,.2f}. Cheapest change: make the way {short:,.2f} USD/t cheaper ({short * left_t:,.0f} USD in "
            f"all), or find the tonne worth {best.usd_per_t:,.2f}."
        )
        return
    yield from _no_room(plan, inquiry, best, left_t)
    yield from _others_give_way(plan, ways, inquiry, left_t)


def _no_way(plan: Trips, inquiry: Inquiry) -> Iterator[str]:
    """No way in force: would there be one if everything closed were open, or under a contract?"""
    problem = plan.problem
    contracts = set(problem.corridor.table("contracts")["contract_id"])
    with_contracts = Ways(problem, inquiry.subject, contracts).cheapest()
    if with_contracts is not None:
        passed = {leg["asset_id"] for leg in with_contracts.legs}
        needed = [row["contract_id"] for row in problem.corridor.table("contracts").to_dict("records")
                  if passed & set(row["assets"])]  # fmt: skip
        yield (
            f"why it stays: every way needs a contract that is not taken. Cheapest change: take "
            f"{' and '.join(needed)}; {plan.gist(with_contracts)} then costs {with_contracts.usd_per_t:,.2f} USD/t, "
            "the fixed cost apart."
        )
        return
    opened = everything_open(problem)
    trip = Ways(opened, inquiry.subject, contracts).cheapest()
    if trip is None:
        horizon = " within the horizon" if problem.dated else ""
        yield f"why it stays: no chain of links and handlings joins its ends{horizon}, even with nothing closed."
        return
    closed = [leg for leg in trip.legs if (leg["kind"], leg["asset_id"]) not in plan.assets]
    names = dict.fromkeys(f"{leg['kind']} {leg['asset_id']}" for leg in closed)
    there = Trips(opened, _nothing(plan.solution))
    yield (
        f"why it stays: closures of the scenario leave no way. Cheapest change: open {' and '.join(names)}; "
        f"{there.gist(trip)} then costs {trip.usd_per_t:,.2f} USD/t (leaving it behind "
        f"{float(plan.demands[inquiry.subject]['unserved_usd_per_t']):,.2f})."
    )


def _no_room(plan: Trips, inquiry: Inquiry, best: Trip, left_t: float) -> Iterator[str]:
    """More room in the full places of the cheapest way."""
    needed: dict[str, tuple[float, Room]] = {}
    for room in rooms(plan, best):
        short = left_t * room.units_per_t - max(room.free, 0.0)
        if short > SERVED * room.limit.limit:
            needed[room.limit.name] = max(needed.get(room.limit.name, (0.0, room))[0], short), room
    if not needed:
        return
    places = " and ".join(room.limit.place for _, room in needed.values())
    yield f"why it stays: the cheapest way, {plan.gist(best)} at {best.usd_per_t:,.2f} USD/t, is full at {places}."
    problem = plan.problem
    for name, (short, _) in needed.items():
        problem = with_more(problem, name, short)
    solved = solve_again(problem, inquiry.options)
    if solved is None:
        return
    still = _left(solved.solution, inquiry.subject)
    period = " a day" if problem.dated else " a year"
    words = " and ".join(
        f"{short:,.0f} {room.limit.unit}{period} at {room.limit.place}" for short, room in needed.values()
    )
    outcome = "carries all of it" if still <= SERVED * left_t else f"still leaves {still:,.0f} t, others take the room"
    yield f"More room, {words}, {outcome}."


def _others_give_way(plan: Trips, ways: Ways, inquiry: Inquiry, left_t: float) -> Iterator[str]:
    """The penalty from which it would be carried: others would have to give way."""
    solved = solve_again(with_penalty(plan.problem, inquiry.subject, ways.dearer_usd_per_t), inquiry.options)
    if solved is None:
        return
    still = _left(solved.solution, inquiry.subject)
    if still > left_t * (1 - SERVED):
        yield "However much it were worth, no room on any way could be freed for it."
        return
    there = Trips(plan.problem, solved.solution)
    penalty = float(plan.demands[inquiry.subject]["unserved_usd_per_t"])
    price = penalty + (there.cost - plan.cost) / (left_t - still)
    share = "" if still <= SERVED * left_t else f" ({left_t - still:,.0f} t of it)"
    yield (
        f"It would be carried{share}, others giving way, if leaving it behind cost {price:,.2f} USD/t on average "
        f"instead of {penalty:,.2f}."
    )


def _left(solution: Solution, demand_id: str) -> float:
    left = solution["unserved"]
    return float(left["quantity_t"][left["demand_id"] == demand_id].sum())


def _nothing(solution: Solution) -> Solution:
    return {name: table.iloc[:0] for name, table in solution.items()}
