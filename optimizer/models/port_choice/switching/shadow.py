"""Shadow prices checked by hand: solve again with more of a full capacity and see what it saves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.switching.levers import Lever
from optimizer.models.port_choice.switching.switch import Parametric


@dataclass(frozen=True)
class PriceCheck:
    """Price the model gives a capacity, and what further units of it save, USD per unit, contracts kept."""

    resource: str
    unit: str
    capacity: float
    price_usd_per_unit: float
    saving_usd_per_unit: float


def check_price(problem: PortChoice, resource: str, more: float = 1.0) -> PriceCheck:
    """
    Compare the price of a capacity with the saving of ``more`` units of it.

    The least cost is convex in a capacity, so the saving never exceeds price times units, and equals it as long as
    the plan's basis holds.

    Parameters
    ----------
    resource
        As plans name it: ``link ID from PLACE``, ``handling ID``, ``port PLACE t`` or ``port PLACE TEU``.

    Raises
    ------
    UsageError
        Unknown resource, with the nearest name, or ``more`` not above zero.
    """
    if not more > 0:
        raise UsageError(f"{more:g} further units, expected more than 0")
    model = Parametric(problem, Lever("capacity", resource, f"capacity of {resource}", "a year", "limit"), 0.0, more)
    if len(model.limits) != 1:
        known = [limit.resource for limit in model.graph.limits]
        raise UsageError(f"'{resource}' is not one capacity{did_you_mean(resource, known)}")
    limit = replace(model.graph.limits[model.limits[0]])
    now, then = model.line(limit.capacity), model.line(limit.capacity + more)
    return PriceCheck(resource, limit.unit, limit.capacity, -now.slope, (now.cost - then.cost) / more)
