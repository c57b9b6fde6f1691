"""Prices and a first plan from one depot: the cheapest pull-out, service and pull-in of all, no limit on vehicles.

Joining two trips saves a pull-in and a pull-out, so the best chains are an assignment (Dantzig and Fulkerson, Naval
Research Logistics Quarterly 1, 1954); its prices make good first trip prices, its chains a first plan.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from optimizer.circulation.graph import Graph
from optimizer.circulation.kernels import assignment_duals
from optimizer.circulation.problem import Floats

DENSE = 6_000
"""Up to so many trips the assignment is solved; above, prices start at the cheapest rotation of each trip alone."""


def first_prices(graph: Graph) -> tuple[Floats, list[tuple[int, ...]]]:
    """Trip prices and chains of trips, in the graph's numbers."""
    depots = graph.used_depots
    num = graph.num_trips
    if not depots or not num:
        return np.zeros(num), [(i,) for i in range(num)]
    allowed = np.isfinite(graph.service[depots])
    out = np.where(allowed, graph.pull_out[depots], np.inf).min(axis=0)
    back = np.where(allowed, graph.pull_in[depots], np.inf).min(axis=0)
    service = graph.service[depots].min(axis=0)
    alone = out + back + service
    if num > DENSE:
        price = np.minimum(alone, graph.skip)
        return np.where(np.isfinite(price), price, 0.0), [(i,) for i in range(num)]
    largest = alone[np.isfinite(alone)].max(initial=1.0)
    out, back = (np.where(np.isfinite(side), side, largest) for side in (out, back))
    saving = np.zeros((num, num))
    rate = graph.rate[depots].min()
    saving[graph.tail, graph.head] = np.minimum(0.0, rate * graph.link_cost - back[graph.tail] - out[graph.head])
    _, match = linear_sum_assignment(saving)
    u, v = assignment_duals(saving, match)
    # u and v move against each other by any constant; the split does not matter to u + v of one trip
    price = out + back + np.where(np.isfinite(service), service, 0.0) + u + v
    joined = saving[np.arange(num), match] < 0
    follower = np.where(joined, match, -1)
    chains = []
    headed = np.zeros(num, bool)
    headed[match[joined]] = True
    for root in np.flatnonzero(~headed):
        chain = [int(root)]
        while follower[chain[-1]] >= 0:
            chain.append(int(follower[chain[-1]]))
        chains.append(tuple(chain))
    return np.minimum(price, graph.skip), chains


def place_chains(graph: Graph, chains: list[tuple[int, ...]]) -> list[tuple[int, tuple[int, ...]]]:
    """Each chain to the depot where it costs least, as far as vehicles go; chains that find none are left out."""
    depots = graph.used_depots
    if not depots or not chains:
        return []
    start = np.cumsum([0, *map(len, chains)])
    trips = np.concatenate([np.array(chain) for chain in chains])
    cost = np.stack([graph.rotation_costs(np.full(len(chains), k), start, trips) for k in depots])
    seats = np.repeat(np.arange(len(depots)), np.minimum(graph.vehicles[depots], len(chains)))
    alternative = np.add.reduceat(np.where(np.isfinite(graph.skip[trips]), graph.skip[trips], 0.0), start[:-1])
    never = 1e3 * (1.0 + cost[np.isfinite(cost)].max(initial=1.0))
    left_out = np.where(np.isfinite(np.add.reduceat(graph.skip[trips], start[:-1])), alternative, never)
    table = np.where(np.isfinite(cost[seats]), cost[seats], 1e3 * never)
    table = np.concatenate([table, np.broadcast_to(left_out, (len(chains), len(chains)))])
    seat, chain = linear_sum_assignment(table)
    return [
        (depots[seats[s]], chains[c])
        for s, c in zip(seat, chain, strict=True)
        if s < seats.size and np.isfinite(cost[seats[s], c])
    ]
