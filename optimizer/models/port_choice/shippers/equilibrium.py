"""What shippers would do: each takes what is best for himself, and all together fill ports, terminals and sections.

Shippers choose among the routes of ``routes.py`` by nested logit (nests are gateways) with path size, at the
generalised cost of the money and time chain, plus the waits of ``congestion.py`` that all loads bring about
together, plus the premiums that full capacities fetch. The equilibrium is that of ``flows/stochastic.py``; see
``docs/shippers.md``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from optimizer.choice.model import Floats
from optimizer.errors import UsageError, did_you_mean
from optimizer.flows.equilibrium.delay import DelayFunctions
from optimizer.flows.equilibrium.newton import Equilibrium, stochastic_equilibrium
from optimizer.flows.equilibrium.stochastic import StochasticAssignment
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.graph import named_resources, place_names, services_of, teu_per_tonne
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.shippers.congestion import Congestion, Meter, meters_of
from optimizer.models.port_choice.shippers.observed import NO_GATEWAY
from optimizer.models.port_choice.shippers.routes import LEFT_BEHIND, RouteSets, route_sets
from optimizer.models.port_choice.trips import Trips
from optimizer.result import Outcome

DEFAULT_SCALE = 0.04
DEFAULT_NEST_SCALE = 0.6
COST_MINDED = 100.0


@dataclass(frozen=True)
class Behaviour:
    """
    How shippers choose. The defaults are assumptions; :mod:`optimizer.choice.estimation` finds them from shares seen.

    Parameters
    ----------
    scale
        Of the logit, per USD/t: at 0.04 a route 17 USD/t dearer is taken half as often.
    nest_scale
        Of the routes through one gateway, above 0 and up to 1, for gateways not in ``nest_scales``.
    value_of_time, value_of_reliability
        USD/t-h for all cargo; None: that of each commodity in the instance.
    """

    scale: float = DEFAULT_SCALE
    nest_scale: float = DEFAULT_NEST_SCALE
    nest_scales: Mapping[str, float] = field(default_factory=dict)
    value_of_time: float | None = None
    value_of_reliability: float | None = None
    path_size: bool = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise UsageError(f"scale is {self.scale:g}, expected a number above 0, per USD/t")
        for name, scale in (("nest scale", self.nest_scale), *self.nest_scales.items()):
            if not 0 < scale <= 1:
                raise UsageError(f"{name} is {scale:g}, expected a number above 0 and up to 1")
        for name, value in (("time", self.value_of_time), ("reliability", self.value_of_reliability)):
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise UsageError(f"value of {name} is {value:g} USD/t-h, expected a number not below 0")


@dataclass(frozen=True)
class Shippers:
    """
    Shippers' equilibrium beside the planner's optimum.

    Attributes
    ----------
    plan
        The planner's optimum at the same capacities, without waits.
    fixed_usd
        Contracts the plan takes; shippers use what they open, and nothing else that a contract covers.
    meters
        What the routes wait at and fill; number ``r`` is resource ``r`` of the equilibrium.
    planned_flow
        Shape (num_routes,): tonnes of the plan on the routes of the choice sets.
    cost_minded
        The equilibrium of shippers who mind nothing but these costs: scale a hundred times as large.
    equilibrium_s
        Wall seconds for the equilibrium, without routes and plan.
    """

    problem: PortChoice
    behaviour: Behaviour
    sets: RouteSets
    meters: tuple[Meter, ...]
    plan: Outcome
    fixed_usd: float
    planned_flow: Floats
    equilibrium: Equilibrium
    cost_minded: Equilibrium
    equilibrium_s: float

    @cached_property
    def names(self) -> dict[str, str]:
        """Place id -> name."""
        return place_names(self.problem)

    @property
    def gateways(self) -> list[str]:
        """Gateways of the choice sets, ``none`` and ``left behind`` among them."""
        return sorted(set(self.sets.gateway.tolist()))

    @property
    def tonnes(self) -> Floats:
        """Shape (num_lanes,)."""
        return self.equilibrium.problem.quantity

    @property
    def stated_usd_per_t(self) -> Floats:
        """Shape (num_routes,): generalised cost as the planner counts it, without waits and premiums."""
        sets = self.sets
        hours_usd = sets.value_of_time[sets.lane] * sets.time_h
        spread_usd = sets.value_of_reliability[sets.lane] * sets.variability_h
        return np.asarray(sets.money.sum(axis=1).to_numpy(float) + hours_usd + spread_usd)

    def waits(self, flow: Floats) -> tuple[Floats, Floats]:
        """Hours each route waits under route flows, and what they cost by the value of time of the instance, USD/t."""
        problem = self.equilibrium.problem
        hours = np.asarray(problem.incidence[1] @ problem.wait_h(problem.loads(flow)))
        return hours, self.sets.value_of_time[self.sets.lane] * hours

    def system_usd(self, flow: Floats) -> dict[str, float]:
        """What flows cost in all: as stated, waiting, contracts, together. Premiums change hands and are no cost."""
        stated, waiting = float(flow @ self.stated_usd_per_t), float(flow @ self.waits(flow)[1])
        return {
            "stated": stated, "waiting": waiting, "contracts": self.fixed_usd,
            "total": stated + waiting + self.fixed_usd,
        }  # fmt: skip

    def elasticities(self, lever: str) -> pd.DataFrame:
        """
        Change of the tonnes through gateways, in percent, when a gateway's charge or dwell rises by one percent.

        Parameters
        ----------
        lever
            ``charge``: what its quay asks; ``time``: the hours its quay takes.

        Returns
        -------
        DataFrame
            ``gateway, of, at_once, settled``: own where both agree; with congestion as it is, and as it becomes.
        """
        sets, problem = self.sets, self.equilibrium.problem
        levers = [name for name in self.gateways if name not in (NO_GATEWAY, LEFT_BEHIND)]
        value = sets.gate_usd_per_t if lever == "charge" else problem.hour_cost[sets.lane] * sets.gate_h
        change = np.where(sets.gateway[:, None] == np.array(levers, dtype=object)[None, :], value[:, None], 0.0)
        member = np.array([sets.gateway == name for name in self.gateways], dtype=np.float64)
        tonnes = member @ self.equilibrium.flow
        at_once, settled = (
            np.divide(
                member @ flow, tonnes[:, None], out=np.zeros((len(member), len(levers))), where=tonnes[:, None] > 0
            )
            for flow in self.equilibrium.response(change)
        )
        return pd.DataFrame(
            {
                "gateway": np.repeat(self.gateways, len(levers)), "of": np.tile(levers, len(self.gateways)),
                "at_once": at_once.ravel(), "settled": settled.ravel(),
            }
        )  # fmt: skip

    def with_costs(self, cost_change: Floats, gap: float = 1e-9) -> Equilibrium:
        """The equilibrium after a change of the route costs, shape (num_routes,), USD/t."""
        problem = self.equilibrium.problem
        return stochastic_equilibrium(replace(problem, cost=problem.cost + cost_change), gap, self.equilibrium.load)


def shippers(
    problem: PortChoice,
    behaviour: Behaviour | None = None,
    congestion: Congestion | None = None,
    *,
    gap: float = 1e-6,
    per_gateway: int = 3,
    detour: float = 0.5,
    time_limit_s: float | None = None,
) -> Shippers:
    """
    What shippers would do on annual lanes, beside the planner's optimum.

    Parameters
    ----------
    gap
        Relative equilibrium gap of the worst lane at which to stop.
    per_gateway, detour
        As in :func:`~optimizer.models.port_choice.shippers.routes.route_sets`.
    time_limit_s
        Of the planner's optimum.

    Raises
    ------
    UsageError
        Dated problems, options out of range, nothing to ship, or no plan.
    """
    from optimizer.models.port_choice.engine import solve_engine  # loads solvers and compiled code

    behaviour, congestion = behaviour or Behaviour(), congestion or Congestion()
    if problem.dated:
        raise UsageError("shippers choose on annual lanes: use port choice without dates")
    if not (problem.demand()["quantity_t"] > 0).any():
        raise UsageError("no lane has a quantity above 0: there is nothing to choose")
    if not 0 < gap < 1:
        raise UsageError(f"gap is {gap}, expected a share above 0 and below 1, for example 1e-6")
    if per_gateway < 1 or not detour >= 0:
        raise UsageError(f"routes per gateway and detour are {per_gateway} and {detour:g}, expected 1 and 0 or more")
    plan = solve_engine(problem, SolveOptions(time_limit_s=time_limit_s))
    if plan.solution is None:
        raise UsageError("; ".join(("there is no plan to compare with", *plan.conflicts)))
    trips = Trips(problem, plan.solution)
    taken = plan.solution["contracts"]
    taken_ids = set(taken["contract_id"][taken["taken"].astype(bool)])
    services = services_of(problem, trips.network)
    shut = [service.arcs for service in services if service.contract_id not in taken_ids]
    opened = np.concatenate([np.zeros(0, dtype=np.int64), *(s.arcs for s in services if s.contract_id in taken_ids)])
    dead = [arcs for _, _, _, capacity, arcs in named_resources(trips.network) if capacity <= 0]
    closed = np.setdiff1d(np.concatenate([np.zeros(0, dtype=np.int64), *shut]), opened)
    closed = np.union1d(closed, np.concatenate([np.zeros(0, dtype=np.int64), *dead])).astype(np.int64)
    planned = [
        (str(trip.demand["demand_id"]), trip.port or NO_GATEWAY, np.array(trip.arcs, dtype=np.int64), trip.quantity_t)
        for trip in trips.trips
    ]
    sets = route_sets(problem, closed, [route[:3] for route in planned], per_gateway, detour)
    known = [*sorted(set(sets.gateway))]
    for name in behaviour.nest_scales:
        if name not in set(problem.corridor.table("nodes")["node_id"]) | {NO_GATEWAY}:
            raise UsageError(f"nest scale of '{name}', which is no place{did_you_mean(name, known)}")
    meters, assignment = _assignment(problem, sets, behaviour, congestion)
    number_of = sets.number_of()
    row_of = {str(lane_id): row for row, lane_id in enumerate(sets.lanes["demand_id"])}
    flow = np.zeros(len(sets.lane))
    for lane_id, _, arcs, tonnes in planned:
        flow[number_of[row_of[lane_id], tuple(arcs.tolist())]] += tonnes
    for left in plan.solution["unserved"].itertuples(index=False):
        flow[number_of[row_of[str(left.demand_id)], ()]] += left.quantity_t
    fixed = sum(service.fixed_usd for service in services if service.contract_id in taken_ids)
    start = time.monotonic()
    equilibrium = stochastic_equilibrium(assignment, gap)
    equilibrium_s = time.monotonic() - start
    minded = replace(assignment, scale=COST_MINDED * assignment.scale, path_size=None)
    return Shippers(
        problem, behaviour, sets, meters, plan, float(fixed), flow, equilibrium,
        stochastic_equilibrium(minded, gap), equilibrium_s,
    )  # fmt: skip


def _assignment(
    problem: PortChoice, sets: RouteSets, behaviour: Behaviour, congestion: Congestion
) -> tuple[tuple[Meter, ...], StochasticAssignment]:
    from scipy.sparse import csr_array

    meters = meters_of(problem, sets.network)
    teu = teu_per_tonne(problem)
    per_t = np.array([teu[commodity] for commodity in sets.lanes["commodity_id"]])[sets.lane]
    arcs = np.concatenate(sets.arcs)
    route = np.repeat(np.arange(len(sets.arcs)), [len(mine) for mine in sets.arcs])
    travels = csr_array((np.ones(len(arcs)), (route, arcs)), shape=(len(sets.arcs), sets.network.num_arcs))
    belongs = csr_array(
        (
            np.ones(sum(len(meter.arcs) for meter in meters)),
            (
                np.concatenate([np.zeros(0, dtype=np.int64), *(meter.arcs for meter in meters)]),
                np.repeat(np.arange(len(meters)), [len(meter.arcs) for meter in meters]),
            ),
        ),
        shape=(sets.network.num_arcs, len(meters)),
    )
    passes = (travels @ belongs).tocoo()
    row, column, count = passes.coords[0], passes.coords[1], passes.data
    in_teu = np.array([meter.unit == "TEU" for meter in meters], dtype=bool)
    use = np.where(in_teu[column], per_t[row], 1.0) * count
    row, column, count, use = (values[use > 0] for values in (row, column, count, use))
    kept, column = np.unique(column, return_inverse=True)
    order = np.lexsort((column, row))
    used = tuple(meters[number] for number in kept)
    figures = np.array([(m.free_h, m.capacity, m.background, m.limit) for m in used]).reshape(-1, 4)
    free_h, capacity, background, limit = figures.T
    rise = np.array([congestion.rise.get(meter.kind, 0.0) for meter in used])
    delays = DelayFunctions(free_h, rise, capacity, np.full(len(used), congestion.power))
    nest, names = np.unique(sets.gateway.astype(str), return_inverse=True)[::-1]
    scales = np.array([behaviour.nest_scales.get(str(name), behaviour.nest_scale) for name in names])
    lane_time = _over_all(behaviour.value_of_time, sets.value_of_time)
    lane_reliability = _over_all(behaviour.value_of_reliability, sets.value_of_reliability)
    cost = sets.money.sum(axis=1).to_numpy(float) + lane_time[sets.lane] * sets.time_h
    return used, StochasticAssignment(
        demand=sets.lane,
        quantity=sets.lanes["quantity_t"].to_numpy(float),
        cost=cost + lane_reliability[sets.lane] * sets.variability_h,
        hour_cost=lane_time,
        indptr=np.searchsorted(row[order], np.arange(len(sets.lane) + 1)).astype(np.int64),
        resource=column[order].astype(np.int64),
        use=use[order],
        passes=count[order],
        delays=delays,
        scale=behaviour.scale,
        nest=nest.astype(np.int64),
        nest_scale=scales,
        # To the power of the scale: two routes that are one through a gateway then count as one at any scale.
        path_size=sets.path_size ** scales[nest] if behaviour.path_size else None,
        background=background,
        included_h=delays.delay(background),
        limit=limit if congestion.full else None,
    )


def _over_all(value: float | None, of_lanes: Floats) -> Floats:
    return of_lanes if value is None else np.full(len(of_lanes), value)
