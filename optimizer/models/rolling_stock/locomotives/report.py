"""Figures and tables of a locomotive plan in a planner's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from optimizer.models.family import Table
from optimizer.models.rolling_stock.locomotives.trains import plan_trains
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.result import Solution


def _names(problem: RollingStock) -> dict[str, str]:
    return dict(zip(problem.table("nodes")["node_id"], problem.table("nodes")["name"], strict=True))


def _light_km(problem: RollingStock, solution: Solution) -> dict[str, float]:
    length = dict(zip(problem.table("links")["link_id"], problem.table("links")["length_km"], strict=True))
    total: dict[str, float] = defaultdict(float)
    for move in solution["light_moves"].to_dict("records"):
        total[move["loco_id"]] += move["units"] * sum(length[link_id] for link_id in move["path"])
    return total


def kpis_trains(problem: RollingStock, solution: Solution) -> Mapping[str, float | str]:
    """Figures of a locomotive plan, name with unit -> value."""
    trains, stages = problem.table("train_services"), solution["stages"]
    units = stages.groupby(["service_id", "stage"])["units"].sum() if len(stages) else stages["units"]
    return {
        "trains_run": len(trains) - len(solution["cancelled"]),
        "trains_cancelled": len(solution["cancelled"]),
        "stages": len(units),
        "stages_with_several_units": int((units > 1).sum()),
        "light_unit_km": round(sum(_light_km(problem, solution).values())),
        "units_in_use": len(solution["duties"].groupby(["fleet_id", "unit"])),
        "shop_visits": int((solution["duties"]["kind"] == "shop").sum()),
    }


def report_trains(problem: RollingStock, solution: Solution) -> Sequence[Table]:
    """Trains with their locomotives by stage, locomotive types with their use, cancelled trains."""
    names, plan = _names(problem), plan_trains(problem, RouteBook(problem.corridor))
    consists: dict[tuple[str, int], list[str]] = defaultdict(list)
    busy: dict[str, list[tuple[int, int]]] = defaultdict(list)
    timed = {(stage.service_id, stage.number): stage for stages in plan.stages.values() for stage in stages}
    for row in solution["stages"].to_dict("records"):
        consists[row["service_id"], row["stage"]].append(f"{row['units']} {row['loco_id']}")
        stage = timed[row["service_id"], row["stage"]]
        busy[row["loco_id"]] += [(stage.depart_min, int(row["units"])), (stage.arrive_min, -int(row["units"]))]
    rows = []
    for key in sorted(consists, key=lambda k: (timed[k].depart_min, k)):
        stage = timed[key]
        day, minute = divmod(stage.depart_min, MINUTES_PER_DAY)
        when = f"day {day} {minute // 60:02d}:{minute % 60:02d}"
        way = f"{names[stage.from_node]} - {names[stage.to_node]}"
        rows.append(
            [
                key[0],
                way,
                when,
                f"{float(stage.gradient_permille):g}",
                f"{float(stage.gross_t):,.0f}",
                " + ".join(consists[key]),
            ]
        )
    trains = Table(
        "Trains and their locomotives", ["train", "stage", "departure", "gradient ‰", "gross t", "locomotives"], rows
    )
    light = _light_km(problem, solution)
    on_hand: dict[str, int] = defaultdict(int)
    for stock in problem.table("fleet").to_dict("records"):
        on_hand[stock["type_id"]] += int(stock["units"])
    rows = []
    visits = solution["duties"].loc[solution["duties"]["kind"] == "shop", "loco_id"].value_counts()
    for loco in problem.table("locomotives").to_dict("records"):
        loco_id, now, most = loco["loco_id"], 0, 0
        for _, units in sorted(busy[loco_id]):
            now += units
            most = max(most, now)
        if on_hand[loco_id]:
            rows.append(
                [
                    loco_id,
                    str(int(loco["gauge_mm"])),
                    str(on_hand[loco_id]),
                    str(most),
                    f"{light[loco_id]:,.0f}",
                    str(visits.get(loco_id, 0)),
                ]
            )
    fleet = Table(
        "Locomotives by type", ["type", "gauge mm", "on hand", "most in trains", "light km", "shop visits"], rows
    )
    reasons = [[row["service_id"], row["reason"]] for row in solution["cancelled"].to_dict("records")]
    return trains, fleet, Table("Cancelled trains", ["train", "why"], reasons)
