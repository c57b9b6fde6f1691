"""Seeded instances of any size, realistic in structure: tree-like rail, breaks of gauge, ports at the edge."""

from __future__ import annotations

import numpy as np

from optimizer.data.corridor import Corridor, Instance
from optimizer.data.generator import SOURCE, table
from optimizer.data.generator.congestion import TARGET_RISE, Congestion, limit
from optimizer.data.generator.demand import lane_tonnes, lanes_table, make_lanes, shipments_table
from optimizer.data.generator.equipment import make_equipment
from optimizer.data.generator.prices import make_prices
from optimizer.data.generator.terminal import make_terminal
from optimizer.data.generator.world import MIN_PLACES, make_world
from optimizer.data.reading import make_instance
from optimizer.data.schema import TABLES
from optimizer.data.schema.settings import Config
from optimizer.errors import UsageError
from optimizer.network.layered import LayeredNetwork

MAX_DAYS = 3660


def generate(
    *,
    places: int,
    days: int,
    shipments: int,
    trains: int = 0,
    wagons: int = 0,
    congestion: Congestion = "light",
    seed: int = 0,
) -> Instance:
    """
    Seeded instance; equal arguments give equal instances.

    Parameters
    ----------
    places
        Number of places, overseas ones included; at least 8. There are one and a half times as many lanes.
    days
        Length of the horizon. The dated tables need some weeks, so that loads can arrive.
    shipments
        Number of dated shipments; the lanes are then their sums, scaled to a year. 0 leaves lanes only.
    trains
        Train calls at one gauge-change terminal, each with about forty boxes or wagons for the other gauge; 0 for none.
    wagons
        Wagons of the fleet; orders, locomotives and dated trains follow. 0 for none; needs shipments.
    congestion
        light: the best plan of the lanes costs at most 1.5% more than without any capacity; heavy: 1.5% to 10% more.
    seed
        Any whole number not below zero.

    Raises
    ------
    UsageError
        When a number is out of its range.
    """
    _check(places=places, days=days, shipments=shipments, trains=trains, wagons=wagons, seed=seed)
    if congestion not in TARGET_RISE:
        raise UsageError(f"congestion is '{congestion}', expected light or heavy")
    if wagons and not shipments:
        raise UsageError("wagons need shipments to carry; ask for shipments too")
    rng = np.random.default_rng(seed)
    world = make_world(places, rng)
    tables = {name: table(name, 0) for name in TABLES} | world.tables | make_prices(rng)
    asked = (("places", places), ("days", days), ("shipments", shipments), ("trains", trains), ("wagons", wagons))
    described = ", ".join(f"{name} {value}" for name, value in (*asked, ("congestion", congestion)))
    config = Config.model_validate(
        {
            "name": f"generated-{places}-{days}-{shipments}-{congestion}-{seed}", "schema_version": 1,
            "base_year": 2026, "source": f"{SOURCE}, {described}, seed {seed}", "horizon": {"days": days},
            "transshipment": {"terminal_id": "T1" if trains else ""},
        }
    )  # fmt: skip
    bare = make_instance(config, tables)
    network = LayeredNetwork.build(Corridor(bare, (), config.select, tables))
    lanes = make_lanes(network, world, days if shipments else None, rng)
    dated = shipments_table(lanes, shipments, days, rng) if shipments else None
    tonnes = lane_tonnes(lanes, dated, days)
    tables |= limit(network, lanes, tonnes, dated, congestion)
    tables["lanes"] = lanes_table(lanes, tonnes)
    if dated is not None:
        tables["shipments"] = dated
        if wagons:
            tables |= make_equipment(network, lanes, dated, wagons, days, rng)
    if trains:
        load_of_arc = np.bincount(lanes.arcs, weights=tonnes[lanes.lane_of_arc()], minlength=network.num_arcs)
        tables |= make_terminal(network, load_of_arc, trains, days, rng)
    return make_instance(config, tables, path=config.name)


def _check(**numbers: int) -> None:
    limits = {"places": (MIN_PLACES, 100_000), "days": (1, MAX_DAYS)}
    for name, value in numbers.items():
        low, high = limits.get(name, (0, 10**9))
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise UsageError(f"{name} is {value!r}, expected a whole number from {low} to {high}")
