"""Drawn lines with one undecided section: enumeration, both formulations, what more room and more choice must do."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from strategies import broken_lines

from optimizer.data.corridor import Corridor
from optimizer.models.family import SolveOptions
from optimizer.models.gauge_choice import FAMILY, GaugeChoice
from optimizer.models.gauge_choice.designs import all_designs

CLOSE = 1e-6
LIMITS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def cost_of(problem: GaugeChoice, method: str = "exact") -> float:
    outcome = FAMILY.methods[method](problem, SolveOptions())
    assert outcome.solution is not None
    assert outcome.cost is not None
    assert outcome.bound is not None
    assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert outcome.bound <= outcome.cost * (1 + CLOSE) + CLOSE
    return outcome.cost


def enumerated(problem: GaugeChoice) -> float:
    """Every gauge, every size of the site at its break or none, and the best filling of its room, with sets that may be
    fractions: a lower bound that is short by one set at most."""
    corridor = problem.corridor
    vot = float(corridor.table("commodities")["value_of_time_pct_per_day"].iloc[0]) * 240 / 100 / 24
    lanes = corridor.table("lanes").set_index("lane_id")
    options = corridor.table("gauge_options").set_index("gauge_mm")["cost_musd"]
    best = math.inf
    for gauge, place in ((1520, "B"), (1676, "M")):
        site = next(row for row in problem.sites.itertuples(index=False) if row.node_id == place)
        changing = {"through"} if gauge == 1676 else {"through", "local"}
        for design in (None, *all_designs(problem, site)):
            total = options[gauge] * 1e6 / 40
            room = 0.0
            change = math.inf
            if design is not None:
                total += design.usd_per_year
                room = design.units_per_year * 60
                change = site.usd_per_unit / 60 + vot * (site.dwell_h + design.hours)
                change += site.set_usd / 20 * site.set_days / 365 / 60
            saved = []  # USD a tonne saved by moving it, tonnes, whether it changes gauge
            for name, km in (("through", 300), ("local", 200)):
                penalty, tonnes = lanes.at[name, "unserved_usd_per_t"], lanes.at[name, "quantity_t_per_year"]
                total += penalty * tonnes
                way = km * 0.01 + vot * km / 50 + (change if name in changing else 0.0)
                saved.append((penalty - way, tonnes, name in changing))
            for gain, tonnes, changes in sorted(saved, reverse=True):
                moved = min(tonnes, room) if changes else tonnes
                if gain > 0:
                    total -= gain * moved
                    room -= moved if changes else 0.0
            best = min(best, total)
    return best


@LIMITS
@given(corridor=broken_lines())
def test_both_formulations_find_what_enumeration_finds(corridor: Corridor) -> None:
    problem = GaugeChoice(corridor)
    cost, least = cost_of(problem), enumerated(problem)
    one_set = float(problem.sites["set_usd"].max()) / 20
    assert least * (1 - CLOSE) - CLOSE <= cost <= least * (1 + CLOSE) + one_set + CLOSE
    other = cost_of(problem, "crosscheck")
    assert math.isclose(cost, other, rel_tol=CLOSE, abs_tol=CLOSE)


@LIMITS
@given(corridor=broken_lines())
def test_more_choice_never_costs_more(corridor: Corridor) -> None:
    free = cost_of(GaugeChoice(corridor))
    fixed = [cost_of(GaugeChoice(corridor, gauges=f"mb={gauge}")) for gauge in (1520, 1676)]
    assert math.isclose(free, min(fixed), rel_tol=CLOSE, abs_tol=CLOSE)
    sites = corridor.table("transfer_sites")
    larger = sites.assign(max_servers=sites["max_servers"] + 1)
    roomier = replace(corridor, tables={**corridor.tables, "transfer_sites": larger})
    assert cost_of(GaugeChoice(roomier)) <= free * (1 + CLOSE) + CLOSE


@LIMITS
@given(corridor=broken_lines())
def test_order_of_rows_is_irrelevant(corridor: Corridor) -> None:
    names = ("links", "lanes", "gauge_options", "transfer_sites", "nodes")
    turned = {name: corridor.table(name).iloc[::-1] for name in names}
    backward = replace(corridor, tables={**corridor.tables, **turned})
    costs = [cost_of(GaugeChoice(one)) for one in (corridor, backward)]
    assert all(math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE) for a, b in itertools.pairwise(costs))
