"""Checks of gauges: of links, types, fleets where they stand, and trains on their way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from optimizer.errors import Fault

Tables = Mapping[str, pd.DataFrame]


def gauge_faults(tables: Tables) -> list[Fault]:
    """Links have a gauge where they are of rail, types change it where they have several, fleets stand on their own."""
    faults = []
    links = tables["links"]
    for line, mode, gauge in zip(links.index, links["mode"], links["gauge_mm"], strict=True):
        if mode == "rail" and np.isnan(gauge):
            faults.append(
                Fault.of_row("links", line, "gauge_mm is blank, expected one of 1520, 1435, 1676 on a rail link")
            )
        elif mode != "rail" and not np.isnan(gauge):
            faults.append(Fault.of_row("links", line, f"gauge_mm is {gauge:g}, expected blank on a {mode} link"))
    wagons = tables["wagons"]
    for line, gauges, change in zip(wagons.index, wagons["gauges_mm"], wagons["gauge_change"], strict=True):
        if len(gauges) > 1 and change == "none":
            words = (
                f"gauge_change is 'none' with the gauges {', '.join(gauges)}, expected bogie_exchange or variable_gauge"
            )
            faults.append(Fault.of_row("wagons", line, words))
    runs_on = {i: set(gauges) for i, gauges in zip(wagons["wagon_id"], wagons["gauges_mm"], strict=True)}
    locomotives = tables["locomotives"]
    runs_on |= {i: {str(gauge)} for i, gauge in zip(locomotives["loco_id"], locomotives["gauge_mm"], strict=True)}
    fleet = tables["fleet"]
    for line, unit, gauge in zip(fleet.index, fleet["type_id"], fleet["gauge_mm"], strict=True):
        if unit in runs_on and str(gauge) not in runs_on[unit]:
            can = " or ".join(sorted(runs_on[unit])) or "no gauge"
            faults.append(Fault.of_row("fleet", line, f"gauge_mm is {gauge}, but '{unit}' runs on {can}"))
    return faults


def fleet_place_faults(tables: Tables) -> list[Fault]:
    """Units can stand only where a rail link of their gauge ends, in whatever network or variant."""
    links, fleet = tables["links"], tables["fleet"]
    rail = links[links["mode"] == "rail"]
    gauges_at: dict[str, set[int]] = {}
    for end in ("from_node", "to_node"):
        for node, gauge in zip(rail[end], rail["gauge_mm"], strict=True):
            gauges_at.setdefault(node, set()).add(int(gauge))
    faults = []
    for line, node, gauge in zip(fleet.index, fleet["node_id"], fleet["gauge_mm"], strict=True):
        if gauge not in gauges_at.get(node, ()):
            here = " and ".join(f"{g} mm" for g in sorted(gauges_at.get(node, ()))) or "no"
            faults.append(
                Fault.of_row(
                    "fleet", line, f"units of {gauge} mm cannot stand at '{node}': {here} rail link ends there"
                )
            )
    return faults


def train_faults(tables: Tables) -> list[Fault]:
    """The links of a train run on from each other and have its gauge."""
    links, services = tables["links"], tables["train_services"]
    if not len(services):
        return []
    ends = zip(links["from_node"], links["to_node"], links["gauge_mm"], strict=True)
    by_id = dict(zip(links["link_id"], ends, strict=True))
    faults = []
    ways = zip(services.index, services["links"], services["from_node"], services["gauge_mm"], strict=True)
    for line, way, place, gauge in ways:
        for link in way:
            if link not in by_id:
                break
            one, other, own = by_id[link]
            if own != gauge:
                faults.append(
                    Fault.of_row(
                        "train_services", line, f"links holds '{link}', which is not a rail link of {gauge} mm"
                    )
                )
                break
            if place not in (one, other):
                faults.append(
                    Fault.of_row("train_services", line, f"links holds '{link}', which does not go on from '{place}'")
                )
                break
            place = other if place == one else one
    return faults
