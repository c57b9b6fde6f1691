"""What passes each working site of a plan, and how it is loaded: read off the plan's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.models.gauge_choice.designs import (
    HOURS_OF_A_DAY,
    Design,
    all_designs,
    mean_wait,
    service_hours,
    set_usd_per_year,
)
from optimizer.models.gauge_choice.graph import UnitsPerTonne
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.result import Solution


@dataclass(frozen=True)
class SiteTraffic:
    """A working site: its row (with the technology), design, and what passes it in a year.

    Attributes
    ----------
    tonnes
        (lane, layer left) -> tonnes.
    units
        Boxes or wagons.
    vot_usd_per_h
        Value of an hour of everything that passes.
    sets
        Sets, the installed ones among them.
    sets_usd_per_year
        Cost of those not installed.
    """

    row: Any
    design: Design
    tonnes: Mapping[tuple[str, str], float]
    units: float
    vot_usd_per_h: float
    sets: int
    sets_usd_per_year: float
    working_hours: float
    arrival_cv: float

    @property
    def total_t(self) -> float:
        return sum(self.tonnes.values())

    @property
    def trains_per_working_h(self) -> float:
        return float(self.units / self.row.units_per_train / self.working_hours)

    @property
    def use(self) -> float:
        """Share of their working hours for which the servers are busy."""
        return self.trains_per_working_h * service_hours(self.row) / self.design.servers

    @property
    def wait_h(self) -> float:
        """Mean wait at that use, in hours of the clock: at most that of the planned use."""
        clock = HOURS_OF_A_DAY / self.row.hours_per_day
        wait = mean_wait(self.use, self.design.servers, service_hours(self.row), self.arrival_cv, self.row.service_cv)
        return clock * wait

    @property
    def dwell_h(self) -> float:
        """Planned time from arrival to departure."""
        return float(self.row.dwell_h + self.design.hours)


def site_traffic(problem: GaugeChoice, solution: Solution) -> Sequence[SiteTraffic]:
    """Working sites in the order of the instance."""
    lanes = problem.demand().set_index("demand_id")
    commodities = problem.corridor.table("commodities").set_index("commodity_id")
    vot = commodities["value_usd_per_t"] * commodities["value_of_time_pct_per_day"] / 100 / 24
    units_of = UnitsPerTonne(problem)
    routes = solution["routes"].set_index("route_id")
    tonnes: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    for leg in solution["legs"].query("kind == 'handling'").itertuples(index=False):
        lane = routes.at[leg.route_id, "demand_id"]
        tonnes[leg.asset_id][lane, leg.from_layer] += float(routes.at[leg.route_id, "quantity_t"])
    planned = {row.site_id: row for row in solution["terminals"].itertuples(index=False)}
    config = problem.corridor.config
    found = []
    for row in problem.sites.itertuples(index=False):
        if row.site_id not in planned:
            continue
        plan = planned[row.site_id]
        sizes = {(d.servers, d.use_level): d for d in all_designs(problem, row)}
        passing = dict(tonnes[row.site_id])
        goods = {key: str(lanes.at[key[0], "commodity_id"]) for key in passing}
        found.append(
            SiteTraffic(
                row=row,
                design=sizes[int(plan.servers), float(plan.use_level)],
                tonnes=passing,
                units=sum(t * units_of(row.unit, goods[key], key[1]) for key, t in passing.items()),
                vot_usd_per_h=sum(t * float(vot[goods[key]]) for key, t in passing.items()),
                sets=int(plan.sets),
                sets_usd_per_year=(int(plan.sets) - int(row.installed_sets)) * set_usd_per_year(problem, row),
                working_hours=config.port_choice.transfer_capacity_days * float(row.hours_per_day),
                arrival_cv=config.gauge_choice.arrival_cv,
            )
        )
    return found
