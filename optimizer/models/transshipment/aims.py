"""From a relaxation's fractions to aims: one onward train and way for every load, a time to leave for every train."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.models.transshipment.choices import Choice
from optimizer.models.transshipment.groups import Group, least_units
from optimizer.models.transshipment.playing.dispatch import Aim
from optimizer.models.transshipment.problem import wait_units
from optimizer.models.transshipment.relaxation.model import Relaxation
from optimizer.models.transshipment.site import Site


@dataclass(frozen=True)
class Aims:
    """See :func:`optimizer.models.transshipment.playing.dispatch.play`."""

    loads: Mapping[str, Aim]
    leaves: Mapping[str, int]


def fallbacks(site: Site, groups: Sequence[Group]) -> dict[str, tuple[Aim, ...]]:
    """By load: its choices, the cheapest first, the two trains' waiting counted as if it were for this load alone."""

    def rank(choice: Choice) -> tuple[int, int, str]:
        onward, inbound = choice.onward, site.call[choice.load.call_id]
        waiting = wait_units(inbound, choice.inbound_ready) + wait_units(onward, choice.onward_ready)
        return least_units(site, choice) + waiting, choice.onward_ready, onward.call_id

    found: dict[str, tuple[Aim, ...]] = {}
    for group in groups:
        ordered = sorted(group.choices, key=rank)
        aims = tuple((choice.onward.call_id, choice.way) for choice in ordered)
        found |= {load.load_id: aims for load in group.members}
    return found


def aims_of(r: Relaxation, values: np.ndarray) -> Aims:
    """Whole loads by largest remainder, within the room of trains; the rest is left to the fallbacks."""
    site = r.site
    room = {(call.call_id, unit): amount for call in site.calls for unit, amount in call.room.items()}
    amounts: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for (g, c, _), column in r.take.items():
        amounts[g][c] += max(0.0, float(values[column]))
    loads: dict[str, Aim] = {}
    for g, group in enumerate(r.groups):
        shares = amounts[g]
        counts = {c: int(share + 1e-6) for c, share in shares.items()}
        left = len(group.members) - sum(counts.values())
        wanted = round(sum(shares.values())) - sum(counts.values())
        by_rest = sorted(shares, key=lambda c: (counts[c] - shares[c], c))
        for c in by_rest[: max(0, min(left, wanted))]:
            counts[c] += 1
        members = iter(group.members)
        for c in sorted(counts, key=lambda c: -counts[c]):
            choice = group.choices[c]
            for load in (next(members, None) for _ in range(counts[c])):
                unit, amount = (
                    ("wagons", group.load.wagons) if choice.way == "bogie" else (group.load.form, group.load.size)
                )
                if load is not None and room[choice.onward.call_id, unit] >= amount:
                    room[choice.onward.call_id, unit] -= amount
                    loads[load.load_id] = choice.onward.call_id, choice.way
    leaves = {call.call_id: call.depart + round(float(values[r.wait[call.call_id]])) for call in site.calls}
    return Aims(loads, leaves)
