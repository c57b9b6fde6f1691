"""How many wagons to buy or hire, and what one more wagon, train path or locomotive is worth.

Sizing adds to the programme of :mod:`wagons.exact` whole wagons to buy where a type can be lent, at what a year of
them costs times the share of the year that the horizon is:

    purchase price * (annuity of the discount rate over the life + upkeep share) * days / 365

The programme says which fleet; the plan itself is that of the instance with this fleet, and passes its verifier. What
one more unit is worth is no price: the problem is solved again with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import pandas as pd
import pulp

from optimizer.data.columns import is_blank
from optimizer.errors import UsageError, VerificationError
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.exact import WagonModel, build
from optimizer.models.rolling_stock.wagons.moves import Moves, Spot, wagon_moves
from optimizer.result import Outcome, Status, relative_gap
from optimizer.solvers.mip import solve_model

DAYS_A_YEAR = 365
WHOLE = 1e-6


@dataclass(frozen=True)
class Sizing:
    """A fleet to buy, and its plan.

    Attributes
    ----------
    bought
        (type, spot) -> wagons to buy.
    purchase_usd
        Their cost over the horizon.
    problem, outcome
        The instance with that fleet and its plan; its cost is without the purchases.
    bound
        No fleet and plan together cost less.
    """

    bought: Mapping[tuple[str, Spot], int]
    purchase_usd: float
    problem: RollingStock
    outcome: Outcome
    bound: float

    @property
    def cost(self) -> float:
        """Purchases and plan, USD."""
        return self.purchase_usd + (self.outcome.cost or 0.0)

    @property
    def status(self) -> Status:
        return Status.OPTIMAL if relative_gap(self.cost, self.bound) <= 1e-6 else Status.FEASIBLE


@dataclass(frozen=True)
class Worth:
    """What one more unit saves: the difference of two plans, and between which values the bounds leave it."""

    what: str
    saves_usd: float
    low_usd: float
    high_usd: float


def wagon_usd(problem: RollingStock, life_years: float, upkeep_share: float) -> dict[str, float]:
    """Cost of a bought wagon of each type over the horizon; types without a price are left out."""
    rate = problem.corridor.config.discount_rate
    annuity = 1 / life_years if rate == 0 else rate / (1 - (1 + rate) ** -life_years)
    wagons = problem.table("wagons")
    prices = zip(wagons["wagon_id"], wagons["purchase_usd"], strict=True)
    share = (annuity + upkeep_share) * problem.days / DAYS_A_YEAR
    return {wagon_id: float(usd) * share for wagon_id, usd in prices if not is_blank(usd)}


def with_fleet(problem: RollingStock, bought: Mapping[tuple[str, Spot], int]) -> RollingStock:
    """The problem with more wagons (or locomotives) in its fleet."""
    fleet = problem.table("fleet")
    rows = [
        {"fleet_id": f"more-{kind}-{spot.node_id}-{spot.gauge_mm}", "type_id": kind, "node_id": spot.node_id,
         "gauge_mm": spot.gauge_mm, "units": units, "from_day": 0, "residue": "", "km_since_maintenance": 0.0,
         "days_since_maintenance": 0.0, "source": "what if"}
        for (kind, spot), units in bought.items() if units
    ]  # fmt: skip
    if not rows:
        return problem
    more = pd.DataFrame(rows, index=range(int(fleet.index.max()) + 1, int(fleet.index.max()) + 1 + len(rows)))
    return replace(problem, corridor=problem.corridor.with_tables({"fleet": pd.concat([fleet, more])}))


def size_fleet(
    problem: RollingStock,
    options: SolveOptions,
    *,
    life_years: float = 25.0,
    upkeep_share: float = 0.0,
    from_scratch: bool = False,
) -> Sizing:
    """
    How many of which type to buy, besides hiring as the instance allows.

    Parameters
    ----------
    life_years
        Years over which a wagon is paid off.
    upkeep_share
        Upkeep a year over the purchase price.
    from_scratch
        Without the wagons of the fleet table, which then only says where types can stand.

    Raises
    ------
    UsageError
        Locomotives, or no type with a purchase price.
    """
    if problem.stock != "wagons":
        raise UsageError("a fleet is sized for wagons; ask `worth --stock locomotives` what one more locomotive saves")
    prices = wagon_usd(problem, life_years, upkeep_share)
    if not prices:
        raise UsageError("wagons.csv has no purchase_usd, so no type can be bought")
    if from_scratch:
        fleet = problem.table("fleet").assign(units=0)
        problem = replace(problem, corridor=problem.corridor.with_tables({"fleet": fleet}))
    moves = _lent(problem)
    model = build(problem, moves, {(k, s): prices[k] for k, t in moves.types.items() if k in prices for s in _lots(t)})
    if not problem.corridor.config.rolling_stock.hire_allowed:
        for variable in model.hire.values():
            variable.upBound = 0
    _fit_into_yards(problem, model)
    bound, wanted = _decide(model, options)
    sized = with_fleet(problem, wanted)
    outcome = _planned(sized, options)
    spent = sum(prices[kind] * units for (kind, _), units in wanted.items())
    return Sizing(wanted, spent, sized, outcome, min(bound, spent + (outcome.cost or 0.0)))


def _lent(problem: RollingStock) -> Moves:
    """Moves in which every type can be had where it stands in the fleet table, hired or bought."""
    config = problem.corridor.config
    stock = config.rolling_stock.model_copy(update={"hire_allowed": True})
    instance = replace(problem.corridor.instance, config=config.model_copy(update={"rolling_stock": stock}))
    return wagon_moves(replace(problem, corridor=replace(problem.corridor, instance=instance)))


def _lots(kind: Any) -> tuple[Spot, ...]:
    return tuple(spot for spot in kind.hire_places if spot in kind.first_day)


def _fit_into_yards(problem: RollingStock, model: WagonModel) -> None:
    """What is bought for a place must find room beside what stands there at first."""
    nodes, fleet = problem.table("nodes"), problem.table("fleet")
    on_hand = fleet[fleet["type_id"].isin(list(model.moves.types))].groupby("node_id")["units"].sum().to_dict()
    for node_id, room in zip(nodes["node_id"], nodes["yard_capacity_wagons"], strict=True):
        mine = [variable for (_, spot), variable in model.buy.items() if spot.node_id == node_id]
        if mine and not is_blank(room):
            left = max(0, int(room) - int(on_hand.get(node_id, 0)))
            model.programme.addConstraint(pulp.lpSum(mine) <= left, f"lot_{len(model.programme.constraints())}")


def _decide(model: WagonModel, options: SolveOptions) -> tuple[float, dict[tuple[str, Spot], int]]:
    """Bound and wagons to buy: those of the best plan found, or the relaxed ones rounded up."""
    whole = [*model.run.values(), *model.stand.values(), *model.buy.values()]
    for variable in whole:
        variable.cat = pulp.LpContinuous
    relaxed = solve_model(model.programme, options)
    bound = relaxed.bound or 0.0
    if not relaxed.status.has_plan:
        return bound, {}
    rounded = {key: ceil(variable.value() - WHOLE) for key, variable in model.buy.items()}
    for variable in whole:
        variable.cat = pulp.LpInteger
    found = solve_model(model.programme, options)
    bound = max(bound, found.bound or 0.0)
    if found.status.has_plan:
        rounded = {key: round(variable.value()) for key, variable in model.buy.items()}
    return bound, {key: units for key, units in rounded.items() if units > 0}


def _planned(problem: RollingStock, options: SolveOptions) -> Outcome:
    """The plan of a changed problem, verified."""
    from optimizer.models.rolling_stock import FAMILY

    outcome = next(iter(FAMILY.methods.values()))(problem, options)
    if outcome.solution is not None and (broken := FAMILY.verify(problem, outcome.solution, outcome.cost)):
        raise VerificationError(f"the plan of a changed problem breaks a rule; this is a defect: {broken[0]}")
    return outcome


# --- one more --------------------------------------------------------------------------------------------------------


def worth_of_one_more(problem: RollingStock, options: SolveOptions, what: Sequence[str] = ()) -> Iterator[Worth]:
    """
    What one more unit saves, by solving again with it.

    Parameters
    ----------
    what
        Types of wagon or locomotive, and links whose trains a day are limited; none: every type of the fleet, and every
        link whose limit the wagons of a plan can reach.

    Raises
    ------
    UsageError
        A name that is neither.
    """
    changed = dict(_one_more(problem, what))
    before = _planned(problem, options)
    for words, other in changed.items():
        if options.stop.is_set():
            return
        after = _planned(other, options)
        if before.cost is None or after.cost is None:
            continue
        low, high = (before.bound or 0.0) - after.cost, before.cost - (after.bound or 0.0)
        yield Worth(words, before.cost - after.cost, low, high)


def _one_more(problem: RollingStock, what: Sequence[str]) -> Iterator[tuple[str, RollingStock]]:
    key = "wagon_id" if problem.stock == "wagons" else "loco_id"
    types = set(problem.table("wagons" if problem.stock == "wagons" else "locomotives")[key])
    stands = {
        (row["type_id"], Spot(row["node_id"], int(row["gauge_mm"])))
        for row in problem.table("fleet").to_dict("records")
        if row["type_id"] in types
    }
    links = problem.table("links").set_index("link_id")["capacity_trains_per_day"].dropna()
    limited = list(wagon_moves(problem).link_room) if problem.stock == "wagons" and not what else []
    for name in what or [*sorted({kind for kind, _ in stands}), *(link for link in limited if link in links.index)]:
        if name in types:
            for kind, spot in sorted(stands):
                if kind == name:
                    yield (
                        f"one more {kind} ({spot.gauge_mm} mm) at {spot.node_id}",
                        with_fleet(problem, {(kind, spot): 1}),
                    )
        elif name in links.index and problem.stock == "wagons":
            yield f"one more train a day each way on {name}", _with_train(problem, name)
        else:
            known = "a type of the fleet, or a link with capacity_trains_per_day"
            raise UsageError(f"'{name}' is neither of what can be added: expected {known}")


def _with_train(problem: RollingStock, link_id: str) -> RollingStock:
    """One more train a day on a link for the corridor, which has ``path_share`` of its paths."""
    links = problem.table("links")
    more = 1 / problem.corridor.config.rolling_stock.path_share
    trains = links["capacity_trains_per_day"] + more * (links["link_id"] == link_id)
    changed = links.assign(capacity_trains_per_day=trains.round(9))
    return replace(problem, corridor=problem.corridor.with_tables({"links": changed}))
