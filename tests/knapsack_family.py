"""A family small enough to know by heart, put in the place of port choice to test what stands around any family.

Things are taken to earn their value; the cost is 100,000 less what is earned. ``dated`` asks for a size that no solver
proves in a minute, ``serve_all`` for every thing at once, which there is no room for.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pulp
from pydantic import Field

from optimizer import families
from optimizer.data.corridor import Corridor
from optimizer.data.schema.kinds import Count, Identifier, Names, NonNegative, Row, Text
from optimizer.models.family import Family, SolveOptions, Table
from optimizer.result import Outcome, Solution, Status, Violation
from optimizer.solvers.mip import solve_model

BASE = 100_000


class Taken(Row):
    thing_id: Identifier = Field(description="thing")
    units: Count = Field(description="1 when taken")
    value_usd: NonNegative | None = Field(None, description="what it earns")
    tags: Names = Field((), description="words")
    remark: Text = Field("", description="words")


@dataclass(frozen=True)
class Knapsack:
    corridor: Corridor
    dated: bool = False
    serve_all: bool = False

    @property
    def options(self) -> Mapping[str, Any]:
        return {"dated": self.dated, "serve_all": self.serve_all}

    @property
    def data(self) -> tuple[list[int], list[list[int]]]:
        draw = random.Random(1)
        columns, rows = (120, 25) if self.dated else (12, 3)
        values = [draw.randint(50, 100) for _ in range(columns)]
        return values, [[draw.randint(20, 100) for _ in values] for _ in range(rows)]


def build(problem: Knapsack) -> tuple[pulp.LpProblem, list[Any]]:
    values, weights = problem.data
    model = pulp.LpProblem("knapsack", pulp.LpMinimize)
    take = [model.add_variable(f"take_{j}", cat="Binary") for j in range(len(values))]
    model += BASE - pulp.lpSum(v * x for v, x in zip(values, take, strict=True))
    for i, row in enumerate(weights):
        model += pulp.lpSum(w * x for w, x in zip(row, take, strict=True)) <= sum(row) // 2, f"room_{i}"
    return model, take


def exact(problem: Knapsack, options: SolveOptions) -> Outcome:
    if problem.serve_all:
        return Outcome(Status.INFEASIBLE, conflicts=("room_0 holds half of what all things weigh",))
    model, take = build(problem)
    found = solve_model(model, options)
    if not found.status.has_plan:
        return Outcome(found.status, bound=found.bound)
    units = [round(x.value()) for x in take]
    values = problem.data[0]
    table = pd.DataFrame(
        {
            "thing_id": [f"t{j}" for j in range(len(units))],
            "units": units,
            "value_usd": [float(v) if u else float("nan") for u, v in zip(units, values, strict=True)],
            "tags": [("a", "b") if u else () for u in units],
            "remark": ['heavy, "odd"\nand long' if j == 0 else "" for j in range(len(units))],
        }
    )
    cost = float(BASE - sum(v for u, v in zip(units, values, strict=True) if u))
    return Outcome(found.status, {"taken": table}, cost, found.bound)


def broken(problem: Knapsack, options: SolveOptions) -> Outcome:
    outcome = exact(problem, options)
    assert outcome.cost is not None
    return Outcome(outcome.status, outcome.solution, outcome.cost - 1000, outcome.cost - 1000)


def verify(problem: Knapsack, solution: Solution, cost: float | None) -> tuple[Violation, ...]:
    values, weights = problem.data
    units = solution["taken"]["units"].tolist()
    found = []
    for i, row in enumerate(weights):
        over = sum(w * u for w, u in zip(row, units, strict=True)) - sum(row) // 2
        if over > 0:
            found.append(Violation("no room", f"room_{i}", over, "kg too many"))
    true = BASE - sum(v * u for v, u in zip(values, units, strict=True))
    if cost is not None and cost != true:
        found.append(Violation("cost differs", "plan", cost - true, "USD"))
    return tuple(found)


def export(problem: Knapsack, path: Path) -> None:
    model, _ = build(problem)
    if path.suffix == ".lp":
        model.writeLP(str(path))
    else:
        model.writeMPS(str(path))


def report(problem: Knapsack, solution: Solution) -> Sequence[Table]:
    taken = solution["taken"][solution["taken"]["units"] == 1]
    rows = [(name, f"{value:,.0f}") for name, value in zip(taken["thing_id"], taken["value_usd"], strict=True)]
    return [Table("Things [taken]", ("thing", "value USD"), rows, "worked out by hand")]


FAMILY = Family(
    name="port-choice",
    problem=Knapsack,
    methods={"exact": exact, "broken": broken},
    solvers={"exact": ("highs", "*"), "broken": ("highs",)},
    solution_tables={"taken": Taken},
    verify=verify,
    export=export,
    kpis=lambda problem, solution: {"things taken": int(solution["taken"]["units"].sum()), "rate": float("inf")},
    report=report,
)

PACKAGES = {"port-choice": "knapsack_family", "transshipment": "optimizer.models.transshipment"}


def install() -> None:
    """Put this family in the place of port choice, in a process of its own."""
    families.Families._PACKAGES = PACKAGES


FILES = {
    "corridor.toml": 'name = "Two places"\nschema_version = 1\nbase_year = 2026\nsource = "made up"\n',
    "nodes.csv": "node_id,name,country,lat,lon,yard_capacity_wagons\nA,Alpha,KZ,43,77,\nB,Beta,KZ,44,78,\n",
    "links.csv": "link_id,from_node,to_node,mode,gauge_mm,length_km,speed_kmh\nA-B,A,B,rail,1520,120,40\n",
    "commodities.csv": "commodity_id,name,cargo_form,value_usd_per_t\ngrain,Grain,hopper,200\n",
    "scenarios/slow.toml": 'description = "Slow [trains]"\n',
}


def write_instance_files(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
