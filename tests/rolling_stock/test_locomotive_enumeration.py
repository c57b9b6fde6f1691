"""One locomotive minute by minute: every set of trains and shop windows, every minute at which it could run light."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import corridor_from_rows, rows_of, shop_corridors

from optimizer.data.columns import is_blank
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.locomotives.engine import search_trains
from optimizer.models.rolling_stock.locomotives.network import way_minutes
from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import RouteBook, exact

END_MIN = 2 * MINUTES_PER_DAY
LAST_MIN = 2 * END_MIN
NEVER = 2**40


def one_unit(corridor: Any) -> RollingStock:
    """A drawn corridor cut to one locomotive whose kilometres do not run out, and two days."""
    rows = rows_of(corridor)
    stock = rows["fleet"][0] | {"units": 1, "from_day": min(1, rows["fleet"][0]["from_day"])}
    loco = next(row for row in rows["locomotives"] if row["loco_id"] == stock["type_id"])
    rows["fleet"], rows["locomotives"] = [stock], [loco | {"maintenance_km": None}]
    rows["train_services"] = [row | {"depart_day": row["depart_day"] % 2} for row in rows["train_services"]]
    rows["shop_windows"] = [
        row for row in rows["shop_windows"] if row["loco_id"] == stock["type_id"] and row["until_min"] <= END_MIN
    ]
    connection = corridor.config.rolling_stock.connection_min
    config = {"horizon": {"days": 2}, "rolling_stock": {"connection_min": connection}}
    return RollingStock(corridor_from_rows(rows, config), stock="locomotives")


def subsets(items: Any) -> Any:
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


class Minutes:
    """The unit's world: what light moves take, and what it pays from being free somewhere to being free elsewhere."""

    def __init__(self, problem: RollingStock) -> None:
        (self.stock,), (self.loco,) = (problem.table(name).to_dict("records") for name in ("fleet", "locomotives"))
        self.home, self.wait = self.stock["node_id"], problem.corridor.config.rolling_stock.connection_min
        self.book = RouteBook(problem.corridor)
        graph = self.book.graph((1676,), wired_only=self.loco["traction"] == "electric")
        self.places = [row["node_id"] for row in problem.table("nodes").to_dict("records")]
        self.light = {
            (a, b): way_minutes(way, exact(24))
            for a in self.places
            for b in self.places
            if a != b and (way := graph.way((a, 1676), (b, 1676))) is not None
        }
        self.known: dict[tuple[str, int, int], dict[str, list[float]]] = {}

    def paid(self, place: str, free: int, due: int) -> dict[str, list[float]]:
        """Place -> least minutes paid until the unit stands there, by minute; it may run light at any minute."""
        if (place, free, due) not in self.known:
            paid = {p: [float("inf")] * (LAST_MIN + 1) for p in self.places}
            paid[place][free] = 0.0
            for t in range(free, LAST_MIN + 1):
                for p in self.places:
                    if t > free:
                        stood = paid[p][t - 1] + (p != self.home and t <= END_MIN)
                        paid[p][t] = min(paid[p][t], stood)
                    for q in self.places:
                        ends = t + self.light.get((p, q), LAST_MIN)
                        if ends <= min(END_MIN, due):
                            cost = paid[p][t] + ends - t + self.wait
                            paid[q][ends + self.wait] = min(paid[q][ends + self.wait], cost)
            self.known[place, free, due] = paid
        return self.known[place, free, due]

    def duty(self, tasks: list[tuple[int, Any]]) -> float:
        """Minutes paid for trains (their stages) and windows (rows) with the minutes they begin."""
        days = self.loco["maintenance_days"]
        lasts = NEVER if is_blank(days) else int(exact(days) * MINUTES_PER_DAY)
        due = lasts - int(exact(self.stock["days_since_maintenance"]) * MINUTES_PER_DAY)
        at, free, total = self.home, int(self.stock["from_day"]) * MINUTES_PER_DAY, 0.0
        for begin, task in sorted(tasks, key=lambda item: item[0]):
            window = isinstance(task, dict)
            goal = task["node_id"] if window else task[0].from_node
            if free > begin:
                return float("inf")
            total += self.paid(at, free, due)[goal][begin]
            if window:
                at, free = goal, int(task["until_min"])
                total += (goal != self.home) * max(0, min(free, END_MIN) - min(begin, END_MIN))
                due = free + lasts
            else:
                at, free = task[-1].to_node, task[-1].arrive_min + self.wait
                total += free - begin
                if task[-1].arrive_min > due:
                    return float("inf")
        if at == self.home or free >= END_MIN:
            return total
        return total + min(END_MIN - free, self.paid(at, free, due)[self.home][END_MIN + self.wait])


def least_usd(problem: RollingStock) -> float:
    """Optimum by enumeration."""
    world = Minutes(problem)
    stages = plan_trains(problem, world.book).stages
    alone = ((world.loco["loco_id"], 1),)
    can = [s for s, parts in stages.items() if all(alone in part.consists for part in parts)]
    cancel = {row["service_id"]: float(row["cancel_usd"]) for row in problem.table("train_services").to_dict("records")}
    windows = [row for row in problem.table("shop_windows").to_dict("records") if row["from_min"] < END_MIN]
    best = float("inf")
    for trains in subsets(can):
        left = sum(usd for name, usd in cancel.items() if name not in trains)
        for visits in subsets(windows):
            tasks = [(stages[s][0].depart_min, list(stages[s])) for s in trains]
            minutes = world.duty([*tasks, *((int(row["from_min"]), row) for row in visits)])
            best = min(best, left + minutes * float(world.loco["cost_usd_per_day"]) / MINUTES_PER_DAY)
    return best


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(corridor=shop_corridors())
def test_no_duty_is_cheaper_than_the_formulations_say(corridor: Any) -> None:
    problem = one_unit(corridor)
    usd = least_usd(problem)
    for method in ("exact", "crosscheck"):
        outcome = FAMILY.methods[method](problem, SolveOptions(gap=0.0))
        assert outcome.cost == pytest.approx(usd, abs=1e-6), method
    found = search_trains(problem, SolveOptions())
    assert found.cost is not None
    assert found.bound is not None
    assert found.bound - 1e-6 <= usd <= found.cost + 1e-6
