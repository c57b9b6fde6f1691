"""Port choice at any size: the route-flow engine on the translated problem, and its routes as a plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from optimizer.data.columns import frame
from optimizer.flows.routes.engine import RouteFlowResult, Warm
from optimizer.flows.routes.whole import circling
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.contracts import branch_on_contracts
from optimizer.models.port_choice.exact import solve_exact
from optimizer.models.port_choice.plan import NOISE
from optimizer.models.port_choice.problem import SOLUTION_TABLES, TOLERANCE, PortChoice
from optimizer.models.port_choice.routeflow import Translation, translate
from optimizer.network.layered import ACCESS, HANDLING, LANDING_LAYER, LINK, SEA, SINK_LAYER, SOURCE_LAYER
from optimizer.result import Outcome, Solution, Status

KIND_NAMES = np.array(["link", "sea", "handling", "access"], dtype=object)
SMALL = 4000
"""Demands times days up to which the compact model is worth a try."""
assert (LINK, SEA, HANDLING, ACCESS) == (0, 1, 2, 3)


def solve_engine(problem: PortChoice, options: SolveOptions) -> Outcome:
    """Solve with the route-flow engine; with contracts by branching on them."""
    return solve_translation(translate(problem), options)[0]


def solve_translation(
    translation: Translation, options: SolveOptions, warm: Warm | None = None, closed_arcs: Collection[int] = ()
) -> tuple[Outcome, RouteFlowResult]:
    """
    Solve a translated problem.

    With ``serve_all`` everything left behind costs more than any route; the bound stays valid, because a plan that
    leaves nothing behind never pays it.

    Parameters
    ----------
    warm
        What another solve of the same translation left.
    closed_arcs
        Arcs of the layered network that nothing may pass.
    """
    problem = translation.problem
    options = replace(options, solver=None)  # what the compact model finishes with is not the caller's "route-flow"
    if problem.serve_all:
        penalty = np.full(translation.flows.num_demands, translation.dearer_than_any_route)
        translation = replace(translation, flows=replace(translation.flows, penalty=penalty))
    choice = branch_on_contracts(translation, options, warm, closed_arcs)
    result = choice.result
    left = float(result.unserved.sum()) > NOISE * float(translation.flows.quantity.sum())
    changed = translation.held_back or bool(closed_arcs)  # the compact model would answer another question
    if problem.serve_all and left:
        if changed:
            return Outcome(Status.NO_SOLUTION, bound=choice.bound), result
        return _cannot_serve(problem, choice.bound, options), result
    open_gap = choice.cost - choice.bound > max(options.gap, TOLERANCE / 10) * abs(choice.cost)
    if choice.short and open_gap and _is_small(translation) and not changed:
        # Only the compact model can prove what a least volume or an indivisible shipment forbids.
        exact = solve_exact(problem, options)
        if exact.cost is None or exact.cost <= choice.cost:
            return exact, result
    tables, cost = plan_tables(translation, result, choice.taken)
    bound = min(choice.bound, cost)
    proved = cost - bound <= max(options.gap, TOLERANCE) * abs(cost)
    return Outcome(Status.OPTIMAL if proved else Status.FEASIBLE, tables, cost, bound), result


def _cannot_serve(problem: PortChoice, bound: float, options: SolveOptions) -> Outcome:
    """The engine left something behind where all must be served: ask the compact model whether that can be."""
    if options.stop.is_set():
        return Outcome(Status.NO_SOLUTION, bound=bound)
    return solve_exact(problem, options)


def _is_small(translation: Translation) -> bool:
    return translation.flows.num_demands * translation.flows.num_days <= SMALL


def plan_tables(translation: Translation, result: RouteFlowResult, taken: Sequence[bool]) -> tuple[Solution, float]:
    """Solution tables of the engine's plan, and its cost with the contracts taken."""
    flows, pool, problem = translation.flows, result.pool, translation.problem
    demand_ids = problem.demand()["demand_id"].to_numpy(object)
    used = np.flatnonzero(result.flow > NOISE * flows.quantity[pool.demand])
    used = used[np.lexsort((used, pool.demand[used]))]
    tonnes = result.flow[used]
    served = np.bincount(pool.demand[used], weights=tonnes, minlength=flows.num_demands)
    full = np.abs(served - flows.quantity) <= 10 * NOISE * flows.quantity
    # A demand served but for noise is served in full, to the last digit.
    factor = np.where(full & (served > 0), flows.quantity / np.where(served > 0, served, 1.0), 1.0)
    tonnes = tonnes * factor[pool.demand[used]]
    unserved = np.where(full, 0.0, np.maximum(flows.quantity - served, 0.0))

    moves = _moves(translation, result, used)
    route_id = np.array(
        [f"R{number:0{max(len(str(used.size)), 5)}d}" for number in range(1, used.size + 1)], dtype=object
    )
    cost_per_t = moves["cost"].groupby(moves["route"]).sum().reindex(range(used.size), fill_value=0.0).to_numpy(float)
    ends = moves.groupby("route").agg(arrive=("arrive", "last")).reindex(range(used.size))
    release = flows.release_day[pool.demand[used]]
    arrive = ends["arrive"].fillna(pd.Series(release)).to_numpy(np.int64)
    cost_per_t = cost_per_t + _waiting(translation, moves, pool.demand[used], release, used.size)
    cost_per_t += np.maximum(arrive - flows.due_day[pool.demand[used]], 0) * flows.late_cost[pool.demand[used]]
    cost = float(tonnes @ cost_per_t) + float(unserved[unserved > 0] @ flows.penalty[unserved > 0])
    cost += sum(service.fixed_usd for service, mine in zip(translation.services, taken, strict=True) if mine)

    legs = _legs(translation, moves, route_id)
    first_leg = legs.drop_duplicates("route_id").set_index("route_id")["depart_day"]
    routes = pd.DataFrame({"route_id": route_id, "demand_id": demand_ids[pool.demand[used]], "quantity_t": tonnes})
    if problem.dated:
        departs = first_leg.reindex(route_id).to_numpy(float)
        routes["depart_day"] = np.where(np.isnan(departs), arrive, departs)
        routes["arrive_day"] = arrive
    left = np.flatnonzero(unserved > 0)
    price = result.price
    load = np.zeros(flows.capacity.size)
    planned = np.zeros(pool.num_routes)  # without the noise dropped above, which could fill a small capacity
    planned[used] = tonnes
    planned[circling(pool)] = 0.0  # their loops are cut from the plan, and fill nothing
    np.add.at(load, pool.cells, pool.units * np.repeat(planned, np.diff(pool.start)))
    full_cells = flows.capacity - load <= TOLERANCE / 2 * np.maximum(1.0, flows.capacity)
    cells = np.flatnonzero((price > TOLERANCE) & full_cells)
    cells = cells[cells < len(translation.resources) * flows.num_days]
    names = np.array([resource[0] for resource in translation.resources], dtype=object)
    tables = {
        "routes": routes,
        "legs": legs if problem.dated else legs.drop(columns=["depart_day", "arrive_day", "chain"]),
        "unserved": pd.DataFrame({"demand_id": demand_ids[left], "quantity_t": unserved[left]}),
        "contracts": pd.DataFrame(
            {"contract_id": [service.contract_id for service in translation.services], "taken": list(taken)}
        ),
        "prices": pd.DataFrame(
            {"resource": names[cells // flows.num_days], "price_usd_per_unit": price[cells]}
            | ({"day": cells % flows.num_days} if problem.dated else {})
        ),
    }
    return {name: frame(SOLUTION_TABLES[name], _columns(table)) for name, table in tables.items()}, cost


def _columns(table: pd.DataFrame) -> dict[str, list[object]]:
    return {str(name): table[name].tolist() for name in table.columns} if len(table) else {}


def _moves(translation: Translation, result: RouteFlowResult, used: np.ndarray) -> pd.DataFrame:
    """One row per arc of the used routes, without loops: route (its position in ``used``), graph, arc, days, cost."""
    flows, pool = translation.flows, result.pool
    lengths = np.diff(pool.move_start)[used]
    at = np.repeat(pool.move_start[used] - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
    moves = pd.DataFrame(
        {
            "route": np.repeat(np.arange(used.size), lengths),
            "graph": np.repeat(flows.graph[pool.demand[used]], lengths),
            "arc": pool.move_arc[at].astype(np.int64),
            "depart": pool.move_day[at].astype(np.int64),
        }
    )
    for name in ("duration", "cost", "tail", "head"):
        moves[name] = 0.0 if name == "cost" else 0
    for number, graph in enumerate(flows.graphs):
        mine = (moves["graph"] == number).to_numpy()
        arcs = moves.loc[mine, "arc"].to_numpy()
        moves.loc[mine, "duration"] = graph.duration_days[arcs]
        moves.loc[mine, "cost"] = graph.cost[arcs]
        moves.loc[mine, "tail"] = graph.tail[arcs].astype(np.int64)
        moves.loc[mine, "head"] = graph.head[arcs].astype(np.int64)
    moves["arrive"] = moves["depart"] + moves["duration"]
    return moves[~_inside_loops(moves)].reset_index(drop=True)


def _inside_loops(moves: pd.DataFrame) -> np.ndarray:
    """Moves of a detour that comes back to where it was; the load waits there instead."""
    inside = np.zeros(len(moves), dtype=bool)
    repeated = moves.duplicated(["route", "head"]) | moves.duplicated(["route", "tail"])
    first = moves.groupby("route")["tail"].transform("first")
    suspects = moves.loc[repeated | (moves["head"] == first), "route"].unique()
    for _route, rows in moves[moves["route"].isin(suspects)].groupby("route"):
        path: list[int] = []
        for row, tail, head in zip(rows.index, rows["tail"], rows["head"], strict=True):
            path.append(row)
            tails = moves.loc[path, "tail"].tolist()
            if head in tails:
                cut = tails.index(head)
                inside[path[cut:]] = True
                path = path[:cut]
            del tail
    return inside


def _waiting(
    translation: Translation, moves: pd.DataFrame, demand: np.ndarray, release: np.ndarray, num_routes: int
) -> np.ndarray:
    """Cost of the nights waited per route; waiting costs the same wherever a load waits."""
    flows = translation.flows
    if not translation.problem.dated:
        return np.zeros(num_routes)
    before = moves.groupby("route")["arrive"].shift().fillna(
        pd.Series(release[moves["route"].to_numpy()], index=moves.index)
    )  # fmt: skip
    nights = (moves["depart"] - before).groupby(moves["route"]).sum().reindex(range(num_routes), fill_value=0)
    per_day = np.array([float(g.holding[np.isfinite(g.holding)].max(initial=0.0)) for g in flows.graphs])
    return np.asarray(nights.to_numpy(float) * per_day[flows.graph[demand]])


def _legs(translation: Translation, moves: pd.DataFrame, route_id: np.ndarray) -> pd.DataFrame:
    """Links, sea legs and handlings behind the moves, in order of travel."""
    network = translation.network
    parts = []
    for number, spacing in enumerate(translation.spacings):
        mine = moves[moves["graph"] == number]
        arcs = mine["arc"].to_numpy()
        if spacing is None:
            counts, base = np.ones(arcs.size, dtype=np.int64), arcs
        else:
            counts = spacing.base_indptr[arcs + 1] - spacing.base_indptr[arcs]
            at = np.repeat(spacing.base_indptr[arcs] - np.cumsum(counts) + counts, counts) + np.arange(
                int(counts.sum())
            )
            base = spacing.base_arcs[at].astype(np.int64)
        parts.append(
            pd.DataFrame(
                {
                    "move": np.repeat(mine.index.to_numpy(), counts),
                    "route": np.repeat(mine["route"].to_numpy(), counts),
                    "base": base,
                    "depart_day": np.repeat(mine["depart"].to_numpy(), counts),
                    "arrive_day": np.repeat(mine["arrive"].to_numpy(), counts),
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True).sort_values("move", kind="stable")
    rows = rows[network.kind[rows["base"].to_numpy()] != ACCESS].reset_index(drop=True)
    base = rows["base"].to_numpy()
    plain = {SOURCE_LAYER: "door", SINK_LAYER: "door", LANDING_LAYER: "sea"}
    layer = np.array([plain.get(str(name), str(name)) for name in network.vertex_layer], dtype=object)
    chain = rows.groupby("route")["move"].rank("dense").astype(np.int64)
    return pd.DataFrame(
        {
            "route_id": route_id[rows["route"].to_numpy()],
            "sequence": rows.groupby("route").cumcount().to_numpy() + 1,
            "kind": KIND_NAMES[network.kind[base]],
            "asset_id": network.asset[base],
            "from_node": network.vertex_node[network.tail[base]],
            "from_layer": layer[network.tail[base]],
            "to_node": network.vertex_node[network.head[base]],
            "to_layer": layer[network.head[base]],
            "depart_day": rows["depart_day"].to_numpy(),
            "arrive_day": rows["arrive_day"].to_numpy(),
            "chain": chain.to_numpy(),
        }
    )
