"""The question as flows on the layered network with every option and site in it: what both formulations start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from optimizer.models.gauge_choice.designs import (
    Design,
    all_designs,
    efficient,
    option_usd_per_year,
    set_usd_per_year,
    sets_per_unit,
)
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.network.costs import DEFAULT_WAGON_LOAD_T
from optimizer.network.layered import HANDLING, LINK, LayeredNetwork
from optimizer.network.paths import shortest_path_tree

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """A lane.

    Attributes
    ----------
    penalty_usd_per_t, left_usd_per_t
        Cost of leaving a tonne behind, and what the graph takes for it: no route of the graph is dearer.
    arcs, cost_usd_per_t
        Shape (n,): arcs that may be used, ascending, and their cost. Those of sites leave out waiting and work.
    cheapest_usd_per_t
        Cost of the cheapest route were everything built; ``inf`` when there is none.
    vot_usd_per_t_h
        Value of an hour.
    """

    demand_id: str
    commodity_id: str
    quantity_t: float
    penalty_usd_per_t: float
    left_usd_per_t: float
    vot_usd_per_t_h: float
    source: int
    sink: int
    arcs: Ints
    cost_usd_per_t: Floats
    cheapest_usd_per_t: float


@dataclass(frozen=True)
class Section:
    """A section, with the options that may be built: id -> (USD a year, arcs, tonnes a year per direction)."""

    section_id: str
    options: Mapping[str, tuple[float, Ints, float]]


@dataclass(frozen=True)
class Site:
    """A site with its designs; ``units_per_t[commodity, arc]`` counts units of a tonne, direction by direction."""

    site_id: str
    arcs: Ints
    designs: Sequence[Design]
    units_per_t: Mapping[tuple[str, int], float]
    sets_per_unit: float
    usd_per_set: float
    installed_sets: int
    max_sets: float


@dataclass(frozen=True)
class Limit:
    """A capacity of what is there already, in tonnes or TEU a year over all of ``arcs``."""

    name: str
    unit: str
    capacity: float
    arcs: Ints


@dataclass(frozen=True)
class Graph:
    """Demands, sections, sites and limits on the arcs of ``network``."""

    problem: GaugeChoice
    network: LayeredNetwork
    demands: tuple[Demand, ...]
    sections: tuple[Section, ...]
    sites: tuple[Site, ...]
    limits: tuple[Limit, ...]

    @cached_property
    def users(self) -> Mapping[int, Sequence[int]]:
        """Arc -> numbers of the demands that may use it."""
        found: dict[int, list[int]] = {}
        for number, demand in enumerate(self.demands):
            for arc in demand.arcs.tolist():
                found.setdefault(arc, []).append(number)
        return found

    def use(self, limit: Limit, demand: Demand) -> float:
        """Units of a limit that a tonne takes."""
        return 1.0 if limit.unit == "t" else self._teu_per_t[demand.commodity_id]

    @cached_property
    def _teu_per_t(self) -> Mapping[str, float]:
        table = self.problem.corridor.table("commodities")
        teu = np.where(table["cargo_form"] == "container", 2.0 / table["load_t_per_feu"].to_numpy(float), 0.0)
        return dict(zip(table["commodity_id"], teu.tolist(), strict=True))


class Ground:
    """
    What does not depend on how far lanes may stray: network, cost of every arc, cheapest route through it.

    Graphs drawn from it are relaxations that grow: :meth:`graph` keeps, for each lane, the arcs of routes at most
    ``detour`` USD/t dearer than its cheapest were everything built, and lets a tonne stay behind at that cost, or at
    its penalty where that is less. Any plan is one of the graph at no higher cost (a tonne on a dearer route stays
    behind instead), so bounds hold for the whole problem; a best plan of the graph whose tonnes all move or pay their
    full penalty is best for the whole problem.
    """

    def __init__(self, problem: GaugeChoice) -> None:
        self.problem = problem
        network = self.network = LayeredNetwork.build(problem.open_corridor)
        self.asset = network.asset.astype(str)
        self.sections = tuple(_sections(problem, self.arcs_of))
        offered = {name for section in self.sections for name in section.options}
        options = set(problem.corridor.table("gauge_options")["option_id"].astype(str))
        barred = (network.kind == LINK) & np.isin(self.asset, sorted(options - offered))
        self.limits = [
            Limit(resource.name, resource.unit, resource.capacity_per_year, resource.arcs)
            for resource in network.resources()
            if not (network.kind[resource.arcs[0]] == LINK and resource.name in options)  # hangs on its being built
        ]
        turned = np.argsort(network.head, kind="stable")
        turned_indptr = np.concatenate(([0], np.cumsum(np.bincount(network.head, minlength=network.num_vertices))))
        self.lanes: list[tuple[Demand, Floats]] = []  # with everything allowed, and cost through each arc
        for row in problem.demand().to_dict("records"):
            costs = network.arc_costs(str(row["commodity_id"]))
            cost = np.where(barred, np.inf, costs.generalised)
            source, sink = network.source(row["origin"]), network.sink(row["destination"])
            before, _ = shortest_path_tree(network.indptr, network.head, cost, source)
            after, _ = shortest_path_tree(turned_indptr, network.tail[turned], cost[turned], sink)
            penalty = float(row["unserved_usd_per_t"])
            demand = Demand(
                str(row["demand_id"]), str(row["commodity_id"]), float(row["quantity_t"]), penalty, penalty,
                costs.vot_usd_per_t_h, source, sink, np.arange(network.num_arcs), cost, float(before[sink]),
            )  # fmt: skip
            self.lanes.append((demand, before[network.tail] + cost + after[network.head]))

    def arcs_of(self, kind: int, name: str) -> Ints:
        """Arcs of a row of the network's tables."""
        return np.flatnonzero((self.network.kind == kind) & (self.asset == name))

    def free_bound(self) -> float:
        """A lower bound on every plan: each tonne the cheapest way were everything built, each section its cheapest
        option, no site paid for."""
        moved = 0.0
        for demand, _ in self.lanes:
            best = demand.cheapest_usd_per_t
            best = best if self.problem.serve_all else min(best, demand.penalty_usd_per_t)
            moved += demand.quantity_t * best
        return moved + sum(min(usd for usd, _, _ in section.options.values()) for section in self.sections)

    def graph(self, detour_usd_per_t: Mapping[str, float] | None = None) -> Graph:
        """The graph with a largest detour for each lane; everything where None."""
        demands = []
        for demand, through in self.lanes:
            dearest = np.inf if self.problem.serve_all else demand.penalty_usd_per_t
            if detour_usd_per_t is not None:
                dearest = min(dearest, demand.cheapest_usd_per_t + detour_usd_per_t[demand.demand_id])
            # A little slack, since the sums of two searches round differently from the sum along a route.
            arcs = np.flatnonzero(np.isfinite(through) & (through <= dearest * (1 + 1e-9) + 1e-9))
            cut = replace(demand, left_usd_per_t=dearest, arcs=arcs, cost_usd_per_t=demand.cost_usd_per_t[arcs])
            demands.append(cut)
        bare = Graph(self.problem, self.network, tuple(demands), self.sections, (), ())
        limits = tuple(limit for limit in self.limits if _could_be_full(bare, limit))
        return replace(bare, sites=tuple(_sites(self, bare)), limits=limits)


def _sections(problem: GaugeChoice, arcs_of: Callable[[int, str], Ints]) -> list[Section]:
    usd = option_usd_per_year(problem)
    corridor = problem.corridor
    room = dict(
        zip(corridor.table("gauge_sections")["section_id"], corridor.table("gauge_sections")["capacity_mt_per_year"],
            strict=True)
    )  # fmt: skip
    found = []
    for section in corridor.table("gauge_sections")["section_id"]:
        options = corridor.table("gauge_options").query("section_id == @section")["option_id"]
        wanted = problem.fixed.get(section)
        most = np.inf if np.isnan(room[section]) else 1e6 * room[section]
        chosen = {
            str(name): (usd[str(name)], arcs_of(LINK, name), most) for name in options if wanted in (None, str(name))
        }
        found.append(Section(str(section), chosen))
    return found


def _sites(ground: Ground, graph: Graph) -> list[Site]:
    problem, network = ground.problem, ground.network
    units_of = UnitsPerTonne(problem)
    found = []
    for row in problem.sites.itertuples(index=False):
        if row.technology_id in problem.barred:
            continue
        arcs = ground.arcs_of(HANDLING, row.site_id)
        passing: dict[tuple[str, int], float] = {}
        most: dict[int, float] = {}
        for arc in arcs.tolist():
            for number in graph.users.get(arc, ()):
                demand = graph.demands[number]
                units = units_of(row.unit, demand.commodity_id, str(network.vertex_layer[network.tail[arc]]))
                passing[demand.commodity_id, arc] = units
                most[number] = max(most.get(number, 0.0), demand.quantity_t * units)
        designs = efficient(all_designs(problem, row), sum(most.values())) if passing else ()
        most_sets = np.inf if np.isnan(row.max_sets) else float(row.max_sets)
        found.append(
            Site(
                str(row.site_id), arcs, designs, passing, sets_per_unit(problem, row), set_usd_per_year(problem, row),
                int(row.installed_sets), most_sets,
            )
        )  # fmt: skip
    return found


class UnitsPerTonne:
    """Boxes or wagons of a tonne of a commodity that leaves a layer."""

    def __init__(self, problem: GaugeChoice) -> None:
        commodities = problem.corridor.table("commodities")
        self._feu = dict(zip(commodities["commodity_id"], commodities["load_t_per_feu"], strict=True))
        usual = problem.corridor.table("wagon_suits").query("preference == 1")
        wagons = problem.corridor.table("wagons").set_index("wagon_id")
        self._wagon: dict[tuple[Any, str], float] = {}
        for row in usual.sort_values("wagon_id", ascending=False).itertuples(index=False):
            if row.wagon_id in wagons.index:
                layer = f"rail-{wagons.at[row.wagon_id, 'gauges_mm'][0]}"
                self._wagon[row.commodity_id, layer] = float(wagons.at[row.wagon_id, "typical_load_t"])

    def __call__(self, unit: str, commodity_id: str, layer: str) -> float:
        if unit == "feu":
            return 1.0 / float(self._feu[commodity_id])
        return 1.0 / self._wagon.get((commodity_id, layer), DEFAULT_WAGON_LOAD_T)


def _could_be_full(graph: Graph, limit: Limit) -> bool:
    """Whether all demand that may use a limit, each arc by itself, could fill it."""
    most = sum(
        graph.demands[number].quantity_t * graph.use(limit, graph.demands[number])
        for arc in limit.arcs.tolist()
        for number in graph.users.get(arc, ())
    )
    return most > limit.capacity
