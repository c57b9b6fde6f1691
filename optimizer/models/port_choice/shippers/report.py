"""Shippers' equilibrium beside the planner's optimum, as tables of figures and as a planner's words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from optimizer.choice.model import Floats
from optimizer.models.family import Table
from optimizer.models.port_choice.shippers.equilibrium import Shippers
from optimizer.models.port_choice.shippers.observed import NO_GATEWAY
from optimizer.models.port_choice.shippers.routes import LEFT_BEHIND

NOTEWORTHY = 0.001
WORDS = {NO_GATEWAY: "no sea port", LEFT_BEHIND: "left behind"}


def figures(found: Shippers) -> dict[str, pd.DataFrame]:
    """
    Every table of an answer.

    Returns
    -------
    dict
        ``gateways, system, lanes, routes, resources, elasticities``; tonnes a year, USD a year where no unit is named.
    """
    return {
        "gateways": gateways(found),
        "system": system(found),
        "lanes": lanes(found),
        "routes": routes(found),
        "resources": resources(found),
        "elasticities": elasticities(found),
    }


def gateways(found: Shippers) -> pd.DataFrame:
    """Tonnes, share, money and days by gateway, of the planner and of shippers."""
    sets, money = found.sets, found.sets.money.sum(axis=1).to_numpy(float)
    columns: dict[str, list[float] | list[str]] = {"gateway": list(found.gateways)}
    columns["name"] = [WORDS.get(name, found.names.get(name, name)) for name in found.gateways]
    for who, flow in (("planner", found.planned_flow), ("shippers", found.equilibrium.flow)):
        days = (sets.time_h + found.waits(flow)[0]) / 24
        sums = [[float((flow * value)[sets.gateway == name].sum()) for name in found.gateways]
                for value in (np.ones(len(flow)), money, days)]  # fmt: skip
        tonnes, usd, tonne_days = np.array(sums)
        columns[f"{who}_t"] = tonnes.tolist()
        columns[f"{who}_share"] = (tonnes / max(flow.sum(), 1e-300)).tolist()
        for name, total in (("usd_per_t", usd), ("days", tonne_days)):
            columns[f"{who}_{name}"] = np.where(tonnes > 0, total / np.maximum(tonnes, 1e-300), np.nan).tolist()
    table = pd.DataFrame(columns)
    return table.sort_values(["shippers_t", "gateway"], ascending=[False, True], ignore_index=True)


def system(found: Shippers) -> pd.DataFrame:
    """What planner's optimum, cost-minded shippers and shippers cost in all; premiums apart, for they change hands."""
    columns = {}
    for who, flow, equilibrium in (
        ("planner", found.planned_flow, None),
        ("cost_minded", found.cost_minded.flow, found.cost_minded),
        ("shippers", found.equilibrium.flow, found.equilibrium),
    ):
        usd = found.system_usd(flow)
        paid = 0.0 if equilibrium is None else float(equilibrium.premium @ equilibrium.load)
        days = (found.sets.time_h + found.waits(flow)[0]) / 24
        moved = flow * (found.sets.gateway != LEFT_BEHIND)
        columns[who] = {
            **{f"{name}_usd": value for name, value in usd.items()},
            "premiums_usd": paid,
            "left_behind_t": float((flow - moved).sum()),
            "mean_days": float(moved @ days / max(moved.sum(), 1e-300)),
        }
    return pd.DataFrame(columns).rename_axis("measure").reset_index()


def lanes(found: Shippers) -> pd.DataFrame:
    """By lane: cost and gateway of the planner, mean cost and expected lowest cost (logsum) of shippers, USD/t."""
    sets, tonnes = found.sets, np.maximum(found.tonnes, 1e-300)
    rows = []
    costs = {
        "planner": (found.planned_flow, found.stated_usd_per_t + found.waits(found.planned_flow)[1]),
        "shippers": (found.equilibrium.flow, found.stated_usd_per_t + found.waits(found.equilibrium.flow)[1]),
    }
    for number, lane in enumerate(sets.lanes.itertuples(index=False)):
        mine = sets.lane == number
        row = {
            "lane_id": lane.demand_id, "origin": lane.origin, "destination": lane.destination,
            "commodity_id": lane.commodity_id, "quantity_t": lane.quantity_t,
        }  # fmt: skip
        for who, (flow, usd) in costs.items():
            shares = {
                name: float(flow[mine & (sets.gateway == name)].sum() / tonnes[number]) for name in found.gateways
            }
            ranked = sorted((-share, name) for name, share in shares.items() if share >= 0.005)
            row[f"{who}_gateways"] = "; ".join(f"{name} {-100 * share:.0f} %" for share, name in ranked)
            row[f"{who}_usd_per_t"] = float((flow * usd)[mine].sum() / tonnes[number])
        row["logsum_usd_per_t"] = float(found.equilibrium.logsum[number])
        rows.append(row)
    return pd.DataFrame(rows)


def routes(found: Shippers) -> pd.DataFrame:
    """Every route of the choice sets with its cost by component, load and share; ``assets`` in order of travel."""
    sets, equilibrium = found.sets, found.equilibrium
    wait_h = found.waits(equilibrium.flow)[0]
    network = sets.network
    ways = [";".join(str(asset) for asset in network.asset[arcs] if asset) for arcs in sets.arcs]
    table = pd.DataFrame(
        {
            "lane_id": sets.lanes["demand_id"].to_numpy()[sets.lane],
            "gateway": sets.gateway,
            "planner_t": found.planned_flow,
            "shippers_t": equilibrium.flow,
            "share": equilibrium.flow / np.maximum(found.tonnes, 1e-300)[sets.lane],
            "path_size": sets.path_size,
            "stated_usd_per_t": found.stated_usd_per_t,
            "time_h": sets.time_h,
            "variability_h": sets.variability_h,
            "wait_h": wait_h,
            "premium_usd_per_t": np.asarray(equilibrium.problem.incidence[0] @ equilibrium.premium),
        }
    )
    parts = sets.money.add_suffix("_usd_per_t")
    return pd.concat([table, parts], axis=1).assign(assets=ways)


def resources(found: Shippers) -> pd.DataFrame:
    """What loads wait at and fill: load, use of capacity with other traffic, wait and premium; the most used first."""
    problem, equilibrium = found.equilibrium.problem, found.equilibrium
    planned = problem.loads(found.planned_flow)
    rows = [
        {
            "resource": meter.name, "place": meter.place, "kind": meter.kind, "unit": meter.unit,
            "capacity": meter.capacity, "background": meter.background,
            "planner_load": float(planned[number]), "shippers_load": float(equilibrium.load[number]),
            "use": float((equilibrium.load[number] + meter.background) / meter.capacity),
            "planner_use": float((planned[number] + meter.background) / meter.capacity),
            "wait_h": float(equilibrium.wait_h[number]), "planner_wait_h": float(problem.wait_h(planned)[number]),
            "premium_usd_per_unit": float(equilibrium.premium[number]),
        }
        for number, meter in enumerate(found.meters)
    ]  # fmt: skip
    columns = ["resource", "place", "kind", "unit", "capacity", "background", "planner_load", "shippers_load", "use",
               "planner_use", "wait_h", "planner_wait_h", "premium_usd_per_unit"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["use", "resource"], ascending=[False, True], ignore_index=True)


def elasticities(found: Shippers) -> pd.DataFrame:
    """Own and cross elasticities of the tonnes through gateways to charges and dwells."""
    return pd.concat(
        [found.elasticities(lever).assign(lever=lever) for lever in ("charge", "time")], ignore_index=True
    )[["lever", "gateway", "of", "at_once", "settled"]]


def welfare(base: Shippers, other: Shippers) -> pd.DataFrame:
    """
    What shippers gain from ``base`` to ``other`` on the lanes of both: the fall of the expected lowest cost.

    Returns
    -------
    DataFrame
        ``lane_id, base_usd_per_t, other_usd_per_t, gain_usd_per_t, gain_usd``; tonnes are the mean of both.
    """
    one, two = (
        pd.DataFrame({"usd": shippers.equilibrium.logsum, "t": shippers.tonnes}, index=shippers.sets.lanes["demand_id"])
        for shippers in (base, other)
    )
    both = one.merge(two, left_index=True, right_index=True, suffixes=("_base", "_other"))
    gain = both["usd_base"] - both["usd_other"]
    return pd.DataFrame(
        {
            "lane_id": both.index, "base_usd_per_t": both["usd_base"], "other_usd_per_t": both["usd_other"],
            "gain_usd_per_t": gain, "gain_usd": gain * (both["t_base"] + both["t_other"]) / 2,
        }
    ).reset_index(drop=True)  # fmt: skip


def summary(found: Shippers) -> dict[str, float | int | str | None]:
    """The answer in a few figures; ``anarchy`` is the cost beyond the planner's, as a share of it."""
    equilibrium = found.equilibrium
    planner, minded, all_in = (
        found.system_usd(flow)["total"] for flow in (found.planned_flow, found.cost_minded.flow, equilibrium.flow)
    )
    return {
        "lanes": len(found.sets.lanes), "routes": len(found.sets.lane),
        "scale_per_usd": found.behaviour.scale, "nest_scale": found.behaviour.nest_scale,
        "gap": equilibrium.gap, "mean_gap": equilibrium.mean_gap, "excess": equilibrium.excess,
        "steps": equilibrium.steps, "equilibrium_s": round(found.equilibrium_s, 3),
        "planner_status": str(found.plan.status), "planner_usd": planner, "cost_minded_usd": minded,
        "shippers_usd": all_in, "anarchy": _over(all_in, planner), "anarchy_of_cost_minded": _over(minded, planner),
    }  # fmt: skip


def _over(usd: float, planner_usd: float) -> float | None:
    return usd / planner_usd - 1 if planner_usd > 0 else None


def report(found: Shippers, most_rows: int = 12) -> Sequence[Table]:
    """Tables for people."""
    return [
        _gateway_table(gateways(found)), _system_table(system(found)), _lane_table(lanes(found)),
        _resource_table(resources(found), most_rows), *_elasticity_tables(found, gateways(found)),
    ]  # fmt: skip


def _number(value: float, digits: int = 1) -> str:
    return f"{value:,.{digits}f}" if np.isfinite(value) else ""


def _gateway_table(table: pd.DataFrame) -> Table:
    rows = [
        [
            row.name, f"{row.planner_t:,.0f}", f"{100 * row.planner_share:.1f}", f"{row.shippers_t:,.0f}",
            f"{100 * row.shippers_share:.1f}", _pair(row.planner_usd_per_t, row.shippers_usd_per_t),
            _pair(row.planner_days, row.shippers_days),
        ]
        for row in table.itertuples(index=False)
        if max(row.planner_share, row.shippers_share) >= NOTEWORTHY / 10
    ]  # fmt: skip
    columns = ("gateway", "plan t", "%", "shippers t", "%", "USD/t", "days")
    note = "plan: the planner's optimum; USD/t (money) and days (with waits): plan > shippers"
    return Table("Planner's optimum and shippers' equilibrium", columns, rows, note)


def _pair(one: float, other: float) -> str:
    return f"{_number(one) or '-'} > {_number(other) or '-'}"


def _system_table(table: pd.DataFrame) -> Table:
    words = {
        "stated_usd": "money and time as stated", "waiting_usd": "waits", "contracts_usd": "contracts",
        "total_usd": "in all", "premiums_usd": "(premiums, change hands)", "left_behind_t": "left behind, t",
        "mean_days": "mean days",
    }  # fmt: skip
    rows = []
    for row in table.itertuples(index=False):
        digits = 1 if row.measure == "mean_days" else 0
        rows.append([words[row.measure], *(_number(v, digits) for v in (row.planner, row.cost_minded, row.shippers))])
    total = table.set_index("measure").loc["total_usd"]
    shares = [_over(total[who], total["planner"]) for who in ("cost_minded", "shippers")]
    over = ["" if share is None else f"{100 * share:.2f}" for share in shares]
    rows.insert(4, ["over the plan, %", "", *over])
    columns = ("USD a year", "plan", "cost-minded", "shippers")
    note = "cost-minded: each for himself, but for these costs alone; the plan does not reckon with waits"
    return Table("What it costs", columns, rows, note)


def _lane_table(table: pd.DataFrame) -> Table:
    rows = [
        [
            row.lane_id, f"{row.quantity_t:,.0f}", _first(row.planner_gateways), _first(row.shippers_gateways),
            _number(row.planner_usd_per_t), _number(row.shippers_usd_per_t), _number(row.logsum_usd_per_t),
        ]
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    columns = ("lane", "t", "plan", "shippers", "plan USD/t", "shippers USD/t", "logsum USD/t")
    return Table("Lanes", columns, rows, "USD/t with time and waits; logsum: expected lowest cost, what welfare counts")


def _first(ranked: str, most: int = 3) -> str:
    parts = ranked.split("; ")
    return "; ".join(parts[:most]) + (f"; {len(parts) - most} more" if len(parts) > most else "")


def _resource_table(table: pd.DataFrame, most_rows: int) -> Table:
    shown = table[(table["shippers_load"] > 0) & ((table["wait_h"] >= 0.05) | (table["premium_usd_per_unit"] > 0))]
    shown = shown.sort_values(["premium_usd_per_unit", "wait_h", "resource"], ascending=[False, False, True])
    rows = [
        [
            row.place, row.kind, f"{row.planner_load:,.0f}", f"{row.shippers_load:,.0f} {row.unit}",
            f"{100 * row.use:.1f}", _number(row.wait_h), _number(row.premium_usd_per_unit, 2),
        ]
        for row in shown.head(most_rows).itertuples(index=False)
    ]  # fmt: skip
    columns = ("place", "kind", "plan", "shippers", "full %", "wait h", "premium USD")
    left = len(shown) - len(rows)
    note = "full: with other traffic; premium: what keeps the rest away, USD per t or TEU"
    more = f"; {left} more with waits" if left > 0 else ""
    return Table("Where loads wait or capacity is full", columns, rows, note + more)


def _elasticity_tables(found: Shippers, table: pd.DataFrame) -> list[Table]:
    names = [name for name, share in zip(table["gateway"], table["shippers_share"], strict=True)
             if share >= NOTEWORTHY and name not in WORDS]  # fmt: skip
    if not names:
        return []
    sets, flow = found.sets, found.equilibrium.flow
    by_lever = {lever: found.elasticities(lever).set_index(["gateway", "of"]) for lever in ("charge", "time")}
    rows = []
    for name in names:
        mine = np.where(sets.gateway == name, flow, 0.0)
        means: list[Floats] = [mine @ value / mine.sum() for value in (sets.gate_usd_per_t, sets.gate_h)]
        own = [by_lever[lever].loc[(name, name), how] for lever in ("charge", "time") for how in ("at_once", "settled")]
        rows.append([found.names.get(name, name), *(f"{value:.1f}" for value in means), *(f"{e:.3f}" for e in own)])
    columns = ("gateway", "charge USD/t", "dwell h", "by charge", "settled", "by dwell", "settled")
    note = "% of tonnes for 1 % more of the quay's charge or dwell; settled: with the congestion it leads to"
    settled = by_lever["charge"]["settled"]
    cross = [[name, *(f"{settled.loc[(name, of)]:.3f}" for of in names)] for name in names]
    return [
        Table("Own elasticities", columns, rows, note),
        Table("Cross elasticities to the charge of", ("gateway", *names), cross, "settled, % of tonnes for 1 % more"),
    ]
