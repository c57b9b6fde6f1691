"""Capacities of a generated corridor, calibrated so that congestion costs what is asked for.

A plan starts with every lane on its cheapest route. A few of the most loaded links, handlings and ports whose loads
have a detour become bottlenecks, one by one: the tonnes with the cheapest detours round it and all earlier ones (or
with the lowest penalty) leave the bottleneck until its part of the extra cost is spent. In the end each bottleneck gets
the capacity the plan needs and everything else some room. The plan thus keeps all capacities, so the best plan never
costs more than the target; how much less is a matter of luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from optimizer.data.generator.demand import Lanes
from optimizer.network.layered import HANDLING, LINK, TEU_PER_FEU, LayeredNetwork
from optimizer.network.paths import path_arcs, shortest_path_tree

Congestion = Literal["light", "heavy"]
TARGET_RISE = {"light": 0.006, "heavy": 0.06}
MOST_TURNED_AWAY = {"light": 0.15, "heavy": 0.45}
ROOM = 1.25
BUSY_SHARE = 0.95
"""Of the daily load a dated bottleneck should have by its annual share; lifts large instances into the range."""
QUEUE_RISE = 0.02
"""Extra cost if all loads of a light dated instance queued; detours make it a third of that or less."""


@dataclass(frozen=True)
class Resource:
    """A limit that can bind: a row of links, handlings or ports and the arcs it limits.

    A link limits each of its directions by itself; the others limit the sum over their arcs.
    """

    table: str
    row: int
    arcs: np.ndarray

    def load(self, load_of_arc: np.ndarray) -> float:
        """Tonnes a year that its capacity must hold."""
        loads = load_of_arc[self.arcs]
        return float(loads.max() if self.table == "links" else loads.sum())

    def busy_arcs(self, load_of_arc: np.ndarray) -> np.ndarray:
        """The arcs whose loads must fall when its capacity does: a link's busier direction."""
        return self.arcs[[np.argmax(load_of_arc[self.arcs])]] if self.table == "links" else self.arcs


class Plan:
    """Tonnes of lanes on routes; starts with every lane on its cheapest route, as if nothing were congested."""

    def __init__(self, network: LayeredNetwork, lanes: Lanes, tonnes: np.ndarray) -> None:
        self.network, self.lanes = network, lanes
        self.lane = list(range(len(lanes)))
        self.arcs = np.split(lanes.arcs, lanes.start[1:-1])
        self.tonnes = list(map(float, tonnes))
        self.cost_usd_per_t = list(map(float, lanes.cost_usd_per_t))

    def load_of_arc(self) -> np.ndarray:
        """Tonnes a year on each arc."""
        weights = np.repeat(self.tonnes, [len(arcs) for arcs in self.arcs])
        return np.bincount(np.concatenate(self.arcs), weights=weights, minlength=self.network.num_arcs)

    def users(self, arcs: np.ndarray) -> np.ndarray:
        """Routes with tonnes over one of the arcs."""
        marked = np.zeros(self.network.num_arcs, bool)
        marked[arcs] = True
        return np.array([t > 0 and bool(marked[own].any()) for own, t in zip(self.arcs, self.tonnes, strict=True)])

    def relieve(self, users: np.ndarray, closed: np.ndarray, budget: float, most_t: float) -> float:
        """
        Move tonnes of ``users`` to the cheapest ways that avoid ``closed`` arcs, or leave them unserved.

        Ends when ``budget`` (USD a year) is spent or ``most_t`` tonnes have moved. Returns what it cost; zero, and
        nothing moves, when less than a third of the tonnes have a way round.
        """
        trees: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        options = []
        for route in np.flatnonzero(users):
            lane = self.lane[route]
            key = (self.lanes.commodity[lane], self.lanes.origin[lane])
            if key not in trees:
                weight = self.network.arc_costs(key[0]).generalised.copy()
                weight[closed] = np.inf
                source = self.network.source(key[1])
                trees[key] = shortest_path_tree(self.network.indptr, self.network.head, weight, source)
            distance = trees[key][0][self.network.sink(self.lanes.destination[lane])]
            options.append((float(distance), int(route), key))
        tonnes = sum(self.tonnes[route] for _, route, _ in options)
        if 3 * sum(self.tonnes[route] for distance, route, _ in options if np.isfinite(distance)) < tonnes:
            return 0.0
        extra = [min(d, self.lanes.unserved_usd_per_t[self.lane[r]]) - self.cost_usd_per_t[r] for d, r, _ in options]
        spent, moved = 0.0, 0.0
        for number in np.argsort(extra, kind="stable"):
            distance, route, key = options[number]
            per_t = max(extra[number], 1e-9)
            part = min(self.tonnes[route], most_t - moved, (budget - spent) / per_t)
            self.tonnes[route] -= part
            moved, spent = moved + part, spent + part * per_t
            lane = self.lane[route]
            if distance < self.lanes.unserved_usd_per_t[lane]:
                self.lane.append(lane)
                sink = self.network.sink(self.lanes.destination[lane])
                self.arcs.append(path_arcs(trees[key][1], self.network.tail, sink))
                self.tonnes.append(part)
                self.cost_usd_per_t.append(distance)
            if moved >= most_t or spent >= budget:
                break
        return spent


def limit(
    network: LayeredNetwork, lanes: Lanes, tonnes: np.ndarray, shipments: pd.DataFrame | None, congestion: Congestion
) -> dict[str, pd.DataFrame]:
    """Tables links, handlings and ports with capacities; ``tonnes`` is the annual quantity of each lane."""
    plan = Plan(network, lanes, tonnes)
    resources = _resources(network)
    before = plan.load_of_arc()
    bottlenecks = _bottlenecks(network, plan, resources, before, congestion)
    after = plan.load_of_arc()
    load = np.array([[resource.load(loads) for resource in resources] for loads in (before, after)])
    moved = float(np.maximum(after - before, 0).max())
    daily = _daily_loads(network, lanes, shipments, resources)
    free = ROOM * np.maximum(load.max(axis=0) + moved, 365 * daily.max(axis=1, initial=0.0))
    tight = load[1]
    if shipments is not None and congestion == "heavy":
        tight = 365 * BUSY_SHARE * _shares(load) * _busy_daily_load(daily)
    elif shipments is not None:
        tight = 365 * _queueing_capacities(network, lanes, shipments, daily, bottlenecks, QUEUE_RISE)
    capacity = np.where(bottlenecks, tight, free)
    notes = np.where(
        bottlenecks, [f"bottleneck: {share:.0%} of the load on cheapest routes" for share in _shares(load)], ""
    )
    tables = {}
    for name, column, unit in (
        ("links", "capacity_mt_per_year", 1e6),
        ("handlings", "capacity_t_per_day", network.corridor.config.port_choice.transfer_capacity_days),
        ("ports", "capacity_mt_per_year", 1e6),
    ):
        table = network.corridor.table(name)
        values, remarks = np.full(len(table), np.nan), np.full(len(table), "", dtype=object)
        own = [number for number, resource in enumerate(resources) if resource.table == name]
        rows = [resources[number].row for number in own]
        values[rows] = np.ceil(capacity[own] / unit * 1e6) / 1e6
        remarks[rows] = notes[own]
        tables[name] = table.assign(**{column: values, "notes": pd.Series(remarks, table.index, dtype=object)})
        if name == "ports":
            tables[name] = tables[name].assign(capacity_teu_per_year=_boxes(network, free[own]))
    return tables


def _shares(load: np.ndarray) -> np.ndarray:
    return np.divide(load[1], load[0], out=np.ones_like(load[0]), where=load[0] > 0)


def _resources(network: LayeredNetwork) -> list[Resource]:
    """Rail links, handlings on land and quays of land ports, and these ports."""
    corridor = network.corridor
    ends = np.array([network.vertex_layer[end].astype(str) for end in (network.tail, network.head)])
    at_sea, at_door = (np.char.startswith(ends, layer).any(axis=0) for layer in ("sea", "door"))
    found = []
    for name, key, kind in (("links", "link_id", LINK), ("handlings", "handling_id", HANDLING)):
        limited = (network.kind == kind) & (ends[0] != "road" if name == "links" else ~at_door)
        rows = pd.Index(corridor.table(name)[key]).get_indexer(network.asset)
        arcs = np.flatnonzero(limited)
        arcs = arcs[np.argsort(rows[arcs], kind="stable")]
        groups = np.split(arcs, np.flatnonzero(np.diff(rows[arcs])) + 1)
        found += [Resource(name, int(rows[group[0]]), group) for group in groups if len(group)]
    quays = np.flatnonzero((network.kind == HANDLING) & at_sea)
    places = network.vertex_node[network.tail[quays]]
    found += [
        Resource("ports", row, quays[places == port]) for row, port in enumerate(corridor.table("ports")["node_id"])
    ]
    return found


def _bottlenecks(
    network: LayeredNetwork, plan: Plan, resources: list[Resource], before: np.ndarray, congestion: Congestion
) -> np.ndarray:
    """Choose bottlenecks and relieve the plan of what they turn away; bool array over the resources."""
    wanted = int(np.clip(len(network.corridor.table("nodes")) // 20, 2, 12))
    total = float(plan.lanes.cost_usd_per_t @ np.array(plan.tonnes))
    budget = TARGET_RISE[congestion] * total
    load = np.array([resource.load(before) for resource in resources])
    chosen = np.zeros(len(resources), bool)
    taken: list[np.ndarray] = []
    closed = np.zeros(0, np.int64)
    for number in np.argsort(-load, kind="stable")[: 10 * wanted]:
        resource = resources[number]
        users = plan.users(resource.busy_arcs(before))
        if any(_overlap(plan, users, other) > 0.5 for other in taken) or not users.any():
            continue  # the same loads as an earlier one, for example the next link of the same trunk line
        loads = before[resource.arcs]
        spare = float(loads.max() - loads.min()) if resource.table == "links" else float(loads.sum())
        most_t = min(MOST_TURNED_AWAY[congestion] * load[number], spare)
        shares_left = max(wanted - int(chosen.sum()), 1)
        shut = np.concatenate([closed, resource.arcs])
        cost = plan.relieve(users, shut, budget / shares_left, most_t) if most_t > 0 else 0.0
        if cost <= 0:
            continue
        chosen[number] = True
        closed = shut
        taken.append(users)
        budget -= cost
        if budget <= 1e-3 * total * TARGET_RISE[congestion]:
            break
    return chosen


def _overlap(plan: Plan, users: np.ndarray, others: np.ndarray) -> float:
    """Tonnes two groups of routes share, over the tonnes of either; routes made after ``others`` do not count."""
    tonnes = np.array(plan.tonnes)[: len(others)]
    own = users[: len(others)]
    either = tonnes[own | others].sum()
    return float(tonnes[own & others].sum() / either) if either else 0.0


def _daily_loads(
    network: LayeredNetwork, lanes: Lanes, shipments: pd.DataFrame | None, resources: list[Resource]
) -> np.ndarray:
    """Tonnes of every resource and day when every shipment leaves at once on its cheapest route; no days without."""
    if shipments is None:
        return np.zeros((len(resources), 0))
    of_arc = np.full(network.num_arcs, -1)
    of_port = np.full(network.num_arcs, -1)
    for number, resource in enumerate(resources):
        (of_port if resource.table == "ports" else of_arc)[resource.arcs] = number
    daily = shipments.groupby([shipments["lane_id"].str[1:].astype(np.int64), "release_day"])["quantity_t"].sum()
    lane, release = (daily.index.get_level_values(level).to_numpy(np.int64) for level in (0, 1))
    counts = np.diff(lanes.start)[lane]
    entry = np.repeat(lanes.start[lane] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    day = np.repeat(release, counts) + (lanes.reached_h[entry] / 24).astype(np.int64)
    weight = np.repeat(daily.to_numpy(float), counts)
    num_days = int(day.max()) + 1
    total = np.zeros(len(resources) * num_days)
    for owner in (of_arc, of_port):
        number = owner[lanes.arcs[entry]]
        hit = number >= 0
        total += np.bincount(number[hit] * num_days + day[hit], weights=weight[hit], minlength=len(total))
    return total.reshape(len(resources), num_days)


def _busy_daily_load(daily: np.ndarray) -> np.ndarray:
    """Tonnes a day of each resource in the weeks of its traffic: a short horizon has busy and empty ones."""
    week = np.apply_along_axis(np.convolve, 1, daily, np.full(7, 1 / 7), "same")
    total = week.sum(axis=1)
    return np.divide((week**2).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)


def _queueing_capacities(
    network: LayeredNetwork,
    lanes: Lanes,
    shipments: pd.DataFrame,
    daily: np.ndarray,
    bottlenecks: np.ndarray,
    target_rise: float,
) -> np.ndarray:
    """
    Tonnes a day of each bottleneck at which its queue costs its part of the extra cost asked for.

    All loads come as on their cheapest routes and wait their turn; a day of waiting costs the mean value of time and,
    because many become late by it, the mean charge for a late day. Detours make the best plan cheaper than that.
    """
    lane = shipments["lane_id"].str[1:].astype(np.int64).to_numpy()
    tonnes = shipments["quantity_t"].to_numpy(float)
    per_day = {name: 24 * network.arc_costs(name).vot_usd_per_t_h for name in np.unique(lanes.commodity).tolist()}
    waiting = np.array([per_day[name] for name in lanes.commodity.tolist()])[lane]
    waiting = waiting + shipments["late_usd_per_t_day"].to_numpy(float)
    waiting_usd_per_t_day = float(tonnes @ waiting / tonnes.sum())
    budget = target_rise * float(tonnes @ lanes.cost_usd_per_t[lane]) / max(int(bottlenecks.sum()), 1)
    capacity = np.zeros(len(daily))
    for number in np.flatnonzero(bottlenecks):
        low, high = 0.0, float(daily[number].max())
        for _ in range(40):
            middle = (low + high) / 2
            queue, waited = 0.0, 0.0
            for load in daily[number]:
                queue = max(queue + load - middle, 0.0)
                waited += queue
            waited += queue * queue / max(middle, 1e-9) / 2  # those left at the end wait on
            low, high = (middle, high) if waited * waiting_usd_per_t_day > budget else (low, middle)
        capacity[number] = high
    return capacity


def _boxes(network: LayeredNetwork, free_t: np.ndarray) -> np.ndarray:
    """TEU capacity of the ports: room for as many tonnes in the lightest boxes."""
    commodities = network.corridor.table("commodities")
    lightest = commodities.loc[commodities["cargo_form"] == "container", "load_t_per_feu"].min()
    return np.ceil(free_t * TEU_PER_FEU / lightest)
