"""What a plan begins with: the fleet, and, where a running plan is taken up on a day, what it has left behind.

Runs that left before the day arrive as planned. A wagon on hire then is due back where it was taken: the place is one
wagon short on the day, which a longer hire makes good, so every model of hire holds as it stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from optimizer.errors import UsageError
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import exact
from optimizer.models.rolling_stock.wagons.data import Spot
from optimizer.models.rolling_stock.wagons.residues import Residues
from optimizer.result import Solution


@dataclass(frozen=True)
class Past:
    """
    Where wagons come from, by type.

    Attributes
    ----------
    first
        Day on which planning begins.
    stock
        (spot, day) -> wagons more (or less) there from that day on; days after the horizon count, too.
    hired, hire_days
        Spot -> wagons on hire from it on the day before ``first``; wagon-days on hire until then.
    runs
        Runs and works that have left.
    carried_t
        Order -> tonnes that have left.
    tables
        Runs and hires that are part of every plan; None: there are none.
    """

    first: int
    stock: Mapping[str, Mapping[tuple[Spot, int], int]]
    hired: Mapping[str, Mapping[Spot, int]]
    hire_days: Mapping[str, int]
    runs: Mapping[str, Sequence[Mapping[str, Any]]]
    carried_t: Mapping[str, Fraction]
    tables: Solution | None

    def supply(self, wagon_id: str, days: int) -> dict[tuple[Spot, int], int]:
        """(spot, day) -> wagons there, or on the way there, when planning begins."""
        supply: dict[tuple[Spot, int], int] = defaultdict(int)
        for (spot, day), units in self.stock.get(wagon_id, {}).items():
            if day < days:
                supply[spot, max(day, self.first)] += units
        return dict(supply)


def run_ends(run: Mapping[str, Any], cargo: Mapping[str, str], residues: Residues) -> tuple[Spot, Spot]:
    """Where and how wagons of a row of ``runs`` leave and arrive; ``cargo`` tells the commodity of each order."""
    before = after = str(run["residue"] or "")
    if run["kind"] == "cleaning":
        after = ""
    elif run["order_id"]:
        after = residues.left_by(cargo[run["order_id"]]) or before
    ends = (run["from_node"], int(run["from_gauge"]), before), (run["to_node"], int(run["to_gauge"]), after)
    return Spot(*ends[0]), Spot(*ends[1])


def past_of(problem: RollingStock) -> Past:
    """
    The fleet as it stands, moved on by the runs and hires that a running plan begins with.

    Raises
    ------
    UsageError
        The problem is one of a running plan that is not given.
    """
    stock: dict[str, dict[tuple[Spot, int], int]] = defaultdict(lambda: defaultdict(int))
    for row in problem.table("fleet").to_dict("records"):
        spot = Spot(row["node_id"], int(row["gauge_mm"]), row["residue"])
        stock[row["type_id"]][spot, int(row["from_day"])] += int(row["units"])
    if not problem.begun_day:
        return Past(0, stock, {}, {}, {}, {}, None)
    if problem.past is None:
        raise UsageError(
            f"the plan that runs until day {problem.begun_day} is not given; plan its rest with `corridor replan`, "
            "or bring it by RollingStock.begun"
        )
    first, residues = problem.begun_day, Residues(problem)
    orders = problem.table("orders")
    cargo = dict(zip(orders["order_id"], orders["commodity_id"], strict=True))
    wagons = problem.table("wagons")
    load_t = dict(zip(wagons["wagon_id"], map(exact, wagons["typical_load_t"]), strict=True))
    runs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    carried: dict[str, Fraction] = defaultdict(Fraction)
    for run in problem.past["runs"].to_dict("records"):
        wagon_id, units = run["wagon_id"], int(run["wagons"])
        start, end = run_ends(run, cargo, residues)
        if run["order_id"]:
            carried[run["order_id"]] += load_t[wagon_id] * units
        stock[wagon_id][start, int(run["depart_day"])] -= units
        stock[wagon_id][end, int(run["arrive_day"])] += units
        runs[wagon_id].append({**run, "start": start, "end": end})
    hired: dict[str, dict[Spot, int]] = defaultdict(lambda: defaultdict(int))
    hire_days: dict[str, int] = defaultdict(int)
    for hire in problem.past["hires"].to_dict("records"):
        spot = Spot(hire["node_id"], int(hire["gauge_mm"]))
        units = int(hire["units"]) if hire["change"] == "on" else -int(hire["units"])
        stock[hire["wagon_id"]][spot, int(hire["day"])] += units
        hired[hire["wagon_id"]][spot] += units
        hire_days[hire["wagon_id"]] += units * (first - int(hire["day"]))
    return Past(first, stock, hired, hire_days, runs, carried, problem.past)
