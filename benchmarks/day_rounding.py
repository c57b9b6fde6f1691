"""How far whole days bend the times of routes: cheapest route of every lane, true hours against days of its chains."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.tables import print_table
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.network.layered import LayeredNetwork
from optimizer.network.paths import path_arcs, shortest_path_tree
from optimizer.network.timespace import TimeSpaceNetwork

INSTANCE = Path(__file__).resolve().parent.parent / "instances" / "kazakhstan-pakistan"


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks day-rounding", description=__doc__)
    parser.add_argument("instance", nargs="?", default=str(INSTANCE))
    parser.add_argument("--scenario", default=None)
    options = parser.parse_args(argv)
    corridor = apply_scenario(read_instance(options.instance), options.scenario)
    network = LayeredNetwork.build(corridor)
    lanes = corridor.table("lanes")
    keep = sorted({*lanes["origin"], *lanes["destination"]})
    true_days, chain_days, link_days = [], [], []
    sizes = []
    for commodity, rows in lanes.groupby("commodity_id"):
        dated = TimeSpaceNetwork.build(network, str(commodity), corridor.config.horizon.days, keep)
        costs = network.arc_costs(str(commodity))
        hours = costs.time_total - costs.time_h["wait"]
        sizes.append((dated.num_vertices, dated.num_arcs))
        for lane in rows.itertuples(index=False):
            source, sink = (
                int(dated.vertex_of[v]) for v in (network.source(str(lane.origin)), network.sink(str(lane.destination)))
            )
            distance, predecessor = shortest_path_tree(dated.indptr, dated.head, dated.cost_usd_per_t, source)
            if not np.isfinite(distance[sink]):
                continue
            route = path_arcs(predecessor, dated.tail, sink)
            links = np.concatenate([dated.base_arcs_of(arc) for arc in route])
            true_days.append(hours[links].sum() / 24)
            chain_days.append(dated.duration_days[route].sum())
            link_days.append(np.floor(hours[links] / 24 + 0.5).sum())
    true = np.array(true_days)
    table = []
    for name, days in (("chains rounded (as built)", chain_days), ("every arc rounded", link_days)):
        error = np.array(days) - true
        table.append(
            [name, float(np.abs(error).mean()), float(error.mean()), float(np.abs(error).max()), float(true.mean())]
        )
    vertices, arcs = np.array(sizes).mean(axis=0)
    where = f"{corridor.name}, scenario {','.join(corridor.scenario) or 'base'}"
    before = f"{network.num_vertices} vertices and {network.num_arcs} arcs"
    print_table(
        f"Days of the cheapest route of {true.size} lanes, {where}",
        ["rounding", "mean absolute error, days", "mean error, days", "largest, days", "mean true time, days"],
        table,
        f"{before} become {vertices:.0f} and {arcs:.0f} (mean of commodities).",
    )
