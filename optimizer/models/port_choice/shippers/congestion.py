"""What shippers wait at and fill: sections, terminals and ports, and how their hours rise with the load.

Wait of a pass at load ``x``, with capacity ``K`` and the hours ``t`` that the instance states for it (Bureau of Public
Roads, *Traffic Assignment Manual*, 1964, less what other traffic ``b`` causes already)::

    D(x) = t * rise * (((x + b) / K) ** power - (b / K) ** power)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.choice.model import Ints
from optimizer.errors import UsageError, did_you_mean
from optimizer.models.port_choice.graph import named_resources
from optimizer.models.port_choice.problem import PortChoice
from optimizer.network.layered import HANDLING, LayeredNetwork

KINDS = ("single track", "double track", "road", "ferry", "terminal", "port")


@dataclass(frozen=True)
class Congestion:
    """
    How waits grow.

    Parameters
    ----------
    rise, power
        By kind: what the hours rise by at capacity, as a share of them, and how steeply. Road and double track: Bureau
        of Public Roads, 1964; the others are estimates.
    full
        Whether premiums keep the loads within the capacities.
    """

    rise: Mapping[str, float] = field(
        default_factory=lambda: {
            "single track": 0.5, "double track": 0.15, "road": 0.15, "ferry": 1.0, "terminal": 1.0, "port": 1.0
        }
    )  # fmt: skip
    power: float = 4.0
    full: bool = True

    def __post_init__(self) -> None:
        strays = sorted(set(self.rise) - set(KINDS))
        if strays:
            raise UsageError(f"unknown kind '{strays[0]}'{did_you_mean(strays[0], KINDS)}")
        if any(not (np.isfinite(rise) and rise >= 0) for rise in self.rise.values()):
            raise UsageError("rise must hold numbers not below 0")
        if not (np.isfinite(self.power) and self.power >= 1):
            raise UsageError(f"power is {self.power:g}, expected a number of at least 1")

    def times(self, factor: float) -> Congestion:
        """Waits ``factor`` times as long."""
        if not (np.isfinite(factor) and factor >= 0):
            raise UsageError(f"congestion is {factor:g}, expected a number not below 0")
        return replace(self, rise={kind: factor * rise for kind, rise in self.rise.items()})


@dataclass(frozen=True)
class Meter:
    """Something loads wait at, or whose capacity they fill: ``limit`` is ``inf`` where it only makes them wait."""

    name: str
    place: str
    kind: str
    unit: str
    arcs: Ints
    free_h: float
    capacity: float
    background: float
    limit: float


def meters_of(problem: PortChoice, network: LayeredNetwork) -> list[Meter]:
    """Every capacity of the network; a single-track section makes both directions wait for each other."""
    links = problem.corridor.table("links").set_index("link_id")
    ports = problem.corridor.table("ports").set_index("node_id")
    commodity = str(problem.demand()["commodity_id"].iloc[0])
    hours = network.arc_costs(commodity).time_h
    found: list[Meter] = []
    sections: dict[str, list[tuple[str, float, Ints]]] = {}
    for name, place, unit, capacity, arcs in named_resources(network):
        first = int(arcs[0])
        if name.startswith("port "):
            column = "background_mt_per_year" if unit == "t" else "background_teu_per_year"
            background = float(ports.at[network.vertex_node[network.tail[first]], column]) * (1e6 if unit == "t" else 1)
            free_h = float(hours["port"][arcs].mean())
            found.append(Meter(name, place, "port", unit, arcs, free_h, capacity + background, background, capacity))
        elif network.kind[first] == HANDLING:
            free_h = float((hours["handling"] + hours["port"])[arcs].mean())
            found.append(Meter(name, place, "terminal", unit, arcs, free_h, capacity, 0.0, capacity))
        else:
            link = links.loc[network.asset[first]]
            single = link["mode"] == "rail" and link["tracks"] == 1
            kind = "single track" if single else "double track" if link["mode"] == "rail" else str(link["mode"])
            if single:
                sections.setdefault(str(network.asset[first]), []).append((place, capacity, arcs))
            free_h = 0.0 if single else float(hours["running"][first])
            found.append(Meter(name, place, kind, unit, arcs, free_h, capacity, 0.0, capacity))
    for link_id, directions in sections.items():
        arcs = np.concatenate([arcs for _, _, arcs in directions])
        capacity = sum(capacity for _, capacity, _ in directions)
        name, free_h = f"section {link_id}", float(hours["running"][arcs].mean())
        place = f"section {directions[0][0].removeprefix('link ')}, both ways"
        found.append(Meter(name, place, "single track", "t", arcs, free_h, capacity, 0.0, np.inf))
    return [meter for meter in found if meter.capacity > 0]
