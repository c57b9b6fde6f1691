"""From which volume one technology beats another at a place: exactly, from every size either could be built in.

For a mix of goods, a technology at a place costs, at ``V`` tonnes a year, the least over its designs ``k`` with room
for V of ``F_k + V (money + value of time x (papers + waiting and work of k) + sets)``: pieces of straight lines, each
valid up to its room. The winner changes where two pieces cross or where one runs out of room; all these points are
compared. Sets count as they are bound, without rounding up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice.designs import all_designs, set_usd_per_year, sets_per_unit
from optimizer.models.gauge_choice.exact import solve_exact
from optimizer.models.gauge_choice.graph import Ground, UnitsPerTonne
from optimizer.models.gauge_choice.problem import GaugeChoice
from optimizer.network.layered import HANDLING

CLOSE = 1e-9


@dataclass(frozen=True)
class Piece:
    """``fixed_usd + usd_per_t V`` for ``V <= most_t``, with one size of a site."""

    fixed_usd: float
    usd_per_t: float
    most_t: float
    servers: int
    use_level: float

    def at(self, tonnes: float) -> float:
        """USD a year, ``inf`` beyond the room."""
        return self.fixed_usd + self.usd_per_t * tonnes if tonnes <= self.most_t * (1 + CLOSE) else math.inf


@dataclass(frozen=True)
class Stretch:
    """A range of volumes, tonnes a year, with the id of the cheapest technology."""

    start_t: float
    end_t: float
    winner: str


def goods_of(problem: GaugeChoice, technologies: Sequence[str]) -> dict[str, float]:
    """Commodity -> tonnes of all lanes, of goods that every technology takes."""
    table = problem.corridor.table("transfer_technologies").set_index("technology_id")
    forms = problem.corridor.table("commodities").set_index("commodity_id")["cargo_form"]
    lanes = problem.demand().groupby("commodity_id")["quantity_t"].sum()
    return {
        str(name): float(tonnes)
        for name, tonnes in lanes.items()
        if all(not table.at[one, "cargo_forms"] or forms[name] in table.at[one, "cargo_forms"] for one in technologies)
    }


def pieces(problem: GaugeChoice, ground: Ground, site_id: str, goods: Mapping[str, float]) -> list[Piece]:
    """The lines of one site for a mix of goods (commodity -> weight), half of it in either direction."""
    row = next(row for row in problem.sites.itertuples(index=False) if row.site_id == site_id)
    arcs = ground.arcs_of(HANDLING, site_id).tolist()
    units_of, network = UnitsPerTonne(problem), ground.network
    units = money = vot = 0.0
    for commodity, weight in goods.items():
        costs = network.arc_costs(commodity)
        for arc in arcs:
            share = weight / sum(goods.values()) / len(arcs)
            units += share * units_of(row.unit, commodity, str(network.vertex_layer[network.tail[arc]]))
            money += share * float(costs.generalised[arc])
            vot += share * costs.vot_usd_per_t_h
    sets = units * sets_per_unit(problem, row) * set_usd_per_year(problem, row)
    limited = row.set_days > 0 and not np.isnan(row.max_sets)
    most = row.max_sets / sets_per_unit(problem, row) / units if limited else math.inf
    return [
        Piece(d.usd_per_year, money + vot * d.hours + sets, min(d.units_per_year / units, most), d.servers, d.use_level)
        for d in all_designs(problem, row)
    ]


def sites_at(problem: GaugeChoice, place: str, gauges: tuple[int, int]) -> dict[str, str]:
    """Technology -> site at a place between two gauges; UsageError when there is none."""
    sites = problem.sites
    mine = sites[(sites["node_id"] == place)]
    mine = mine[[{a, b} == set(gauges) for a, b in zip(mine["gauge_a_mm"], mine["gauge_b_mm"], strict=True)]]
    if not len(mine):
        known = sorted({f"{s.node_id} {s.gauge_a_mm}/{s.gauge_b_mm}" for s in sites.itertuples(index=False)})
        raise UsageError(f"no site between {gauges[0]} and {gauges[1]} mm at '{place}'; there are {', '.join(known)}")
    return dict(zip(mine["technology_id"], mine["site_id"], strict=True))


def stretches(lines: Mapping[str, Sequence[Piece]]) -> list[Stretch]:
    """Who is cheapest over all volumes that any technology has room for; equal costs go to the first."""
    every = [piece for mine in lines.values() for piece in mine]
    limit = max(piece.most_t for piece in every)
    marks = {0.0, *(piece.most_t for piece in every)}
    for number, one in enumerate(every):
        for other in every[number + 1 :]:
            if abs(one.usd_per_t - other.usd_per_t) > CLOSE:
                cross = (other.fixed_usd - one.fixed_usd) / (one.usd_per_t - other.usd_per_t)
                if 0 < cross < min(one.most_t, other.most_t):
                    marks.add(cross)
    found: list[Stretch] = []
    ordered = sorted(marks)
    for start, end in itertools.pairwise(ordered):
        middle = (start + end) / 2
        cost = {name: min(piece.at(middle) for piece in mine) for name, mine in lines.items()}
        winner = min(cost, key=lambda name, cost=cost: cost[name])  # type: ignore[misc]
        if found and found[-1].winner == winner:
            found[-1] = replace(found[-1], end_t=end)
        else:
            found.append(Stretch(start, end, winner))
    return [stretch for stretch in found if stretch.start_t < limit]


@dataclass(frozen=True)
class Scaled:
    """Best plans with every lane times ``factor``, USD a year: without one technology, without the other, with both."""

    factor: float
    without_first: float
    without_second: float
    free: float


def by_demand(
    problem: GaugeChoice, first: str, second: str, factors: Sequence[float], options: SolveOptions
) -> list[Scaled]:
    """Re-solves the corridor for multiples of its demand, without one technology and without the other."""
    found = []
    for factor in factors:
        if options.stop.is_set():
            break
        lanes = problem.corridor.table("lanes")
        more = lanes.assign(quantity_t_per_year=lanes["quantity_t_per_year"] * factor)
        corridor = problem.corridor.with_tables({"lanes": more})
        costs = []
        for barred in (first, second, ""):
            without = ",".join(sorted({*problem.barred, *filter(None, [barred])}))
            one = GaugeChoice(corridor, problem.gauges, without, problem.serve_all)
            cost = solve_exact(one, options).cost
            costs.append(math.inf if cost is None else cost)
        found.append(Scaled(factor, *costs))
    return found
