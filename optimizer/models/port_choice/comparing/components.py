"""Components of the cost of a plan, which sum to it: money chain, time by where it passes, contracts, unserved."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from optimizer.models.port_choice.trips import Trips
from optimizer.network.costs import MONEY_COMPONENTS, TIME_COMPONENTS
from optimizer.network.layered import ACCESS

GAUGE = "gauge changes"
MONEY = {"security": "guard of trains", "handling": "other handling", "port": "ports", "sea": "ocean freight"}
TIME = {
    "running": "time on the move", "border": "time at borders", "handling": "time in other handling",
    "port": "time in ports", "wait": "time waiting for ships", "sea": "time at sea",
}  # fmt: skip
NAMES = (
    "haul", "guard of trains", "fees", "insurance", GAUGE, "other handling", "ports", "ocean freight",
    "time on the move", "time at borders", f"time in {GAUGE}", "time in other handling", "time in ports",
    "time waiting for ships", "time at sea", "uncertain times", "contracts", "left behind",
)  # fmt: skip
"""In the order of tables; all of a plan of annual lanes."""


def components(plan: Trips) -> dict[str, float]:
    """
    Cost of a plan of annual lanes in parts, USD a year.

    Returns
    -------
    A value for each of ``NAMES``; they sum to the cost of the plan.
    """
    network = plan.network
    tonnes: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(network.tail)))
    changes = np.zeros(len(network.tail), dtype=bool)
    for trip in plan.trips:
        # A route passes an arc once.
        tonnes[trip.demand["commodity_id"]][trip.arcs] += trip.quantity_t
        moving = [arc for arc in trip.arcs if network.kind[arc] != ACCESS]
        gauge = [leg["asset_id"] for leg in trip.gauge_changes]
        changes[[a for a, leg in zip(moving, trip.legs, strict=True) if leg["asset_id"] in gauge]] = True
    usd = dict.fromkeys(NAMES, 0.0)
    for commodity_id, on_arc in tonnes.items():
        costs = network.arc_costs(commodity_id)
        for name in MONEY_COMPONENTS:
            spent = costs.money[name] * on_arc
            usd[MONEY.get(name, name)] += float(spent[~changes].sum() if name == "handling" else spent.sum())
            usd[GAUGE] += float(spent[changes].sum()) if name == "handling" else 0.0
        for name in TIME_COMPONENTS:
            spent = costs.vot_usd_per_t_h * costs.time_h[name] * on_arc
            usd[TIME[name]] += float(spent[~changes].sum() if name == "handling" else spent.sum())
            usd[f"time in {GAUGE}"] += float(spent[changes].sum()) if name == "handling" else 0.0
        usd["uncertain times"] += float(costs.vor_usd_per_t_h * costs.variability_h @ on_arc)
    contracts = plan.problem.corridor.table("contracts")
    fixed = dict(zip(contracts["contract_id"], contracts["fixed_cost_usd_per_year"], strict=True))
    for row in plan.solution["contracts"].itertuples(index=False):
        usd["contracts"] += float(fixed[row.contract_id]) if row.taken else 0.0
    for row in plan.solution["unserved"].itertuples(index=False):
        usd["left behind"] += row.quantity_t * float(plan.demands[row.demand_id]["unserved_usd_per_t"])
    return usd
