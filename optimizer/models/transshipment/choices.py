"""What each load could do at best: the pairs of onward train and way that time, room and reach do not rule out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from optimizer.models.transshipment.problem import Way
from optimizer.models.transshipment.site import Bay, Call, Crane, Load, Site, bay_minutes, crane_minutes, first_end


@dataclass(frozen=True)
class Choice:
    """
    A load goes with ``onward`` by ``way``.

    Attributes
    ----------
    inbound_ready, onward_ready
        Minutes before which the two trains cannot leave in any plan that takes this choice.
    """

    load: Load
    onward: Call
    way: Way
    inbound_ready: int
    onward_ready: int

    @property
    def key(self) -> tuple[str, str, Way]:
        return self.load.load_id, self.onward.call_id, self.way


def choices(site: Site) -> tuple[Choice, ...]:
    """
    Every choice some plan may take, with its earliest ends when the load had the terminal for itself.

    A train stands from its arrival at the earliest, each work starts after that inside a working window, and what
    does not fit the onward train, the yard or the trains' latest departures even alone is left out.
    """
    return tuple(
        choice for load in site.loads for onward in site.onward(load) for choice in pair_choices(site, load, onward)
    )


def direct_cranes(site: Site, load: Load, onward: Call) -> tuple[Crane, ...]:
    """Cranes over a track of the load's train and one of the onward train."""
    both = {crane.crane_id for crane in site.cranes_for(load, onward)}
    return tuple(crane for crane in site.cranes_for(load, site.call[load.call_id]) if crane.crane_id in both)


def pair_choices(site: Site, load: Load, onward: Call) -> Iterable[Choice]:
    """The ways ``load`` may go with ``onward``, a train of another gauge that serves its destination."""
    inbound = site.call[load.call_id]
    crane_room = load.size <= onward.room[load.form]
    if "direct" in load.ways and crane_room:
        meet = max(inbound.arrive, onward.arrive)
        end = _first_end(load, direct_cranes(site, load, onward), meet)
        if end is not None and end <= min(inbound.latest, onward.latest):
            yield Choice(load, onward, "direct", end, end)
    if "yard" in load.ways and crane_room and load.size <= site.yard[load.form]:
        end = _first_end(load, site.cranes_for(load, inbound), inbound.arrive)
        if end is not None and end <= inbound.latest:
            last = _first_end(load, site.cranes_for(load, onward), max(end, onward.arrive))
            if last is not None and last <= onward.latest:
                yield Choice(load, onward, "yard", end, last)
    if "bogie" in load.ways and load.wagons <= onward.room["wagons"]:
        end = _first_end(load, site.bays, inbound.arrive)
        if end is not None and end <= onward.latest:
            yield Choice(load, onward, "bogie", inbound.arrive, end)


def _first_end(load: Load, resources: Iterable[Crane | Bay], ready: int) -> int | None:
    ends = (first_end(resource.open, ready, minutes(load, resource)) for resource in resources)
    return min((end for end in ends if end is not None), default=None)


def minutes(load: Load, resource: Crane | Bay) -> int:
    """Minutes one work of ``load`` takes with a crane or in a bay."""
    return crane_minutes(load, resource) if isinstance(resource, Crane) else bay_minutes(load, resource)
