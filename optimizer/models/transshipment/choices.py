"""What each load could do at best: the pairs of onward train and way that time, room and reach do not rule out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optimizer.models.transshipment.problem import Way
from optimizer.models.transshipment.site import Call, Crane, Load, Site, Worker, first_end, minutes


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

    A train stands from its arrival at the earliest, each work and check starts after the one before, inside a working
    window, and what does not fit the onward train, the yard or the trains' latest departures even alone is left out.
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
    checked = _checked(site, load, load.before, inbound.arrive)
    if checked is None or checked > inbound.latest:
        return
    crane_room = load.size <= onward.room[load.form]
    if "direct" in load.ways and crane_room:
        taken = _first_end(load, direct_cranes(site, load, onward), max(checked, onward.arrive))
        end = _checked(site, load, load.after, taken)
        if taken is not None and end is not None and taken <= inbound.latest and end <= onward.latest:
            yield Choice(load, onward, "direct", taken, end)
    if "yard" in load.ways and crane_room and load.size <= site.yard[load.form]:
        taken = _first_end(load, site.cranes_for(load, inbound), checked)
        if taken is not None and taken <= inbound.latest:
            end = out_of_yard(site, load, onward, taken)
            if end is not None:
                yield Choice(load, onward, "yard", taken, end)
    if "bogie" in load.ways and load.wagons <= onward.room["wagons"]:
        changed = _first_end(load, site.bays, checked)
        ready = changed if changed is None or not load.after else max(changed, onward.arrive)
        end = _checked(site, load, load.after, ready)
        if end is not None and end <= onward.latest:
            yield Choice(load, onward, "bogie", checked, end)


def out_of_yard(site: Site, load: Load, onward: Call, ready: int) -> int | None:
    """Earliest end of the last work or check of a load that lies in the yard from ``ready`` on; None: too late."""
    checked = _checked(site, load, load.between, ready)
    if checked is None:
        return None
    put = _first_end(load, site.cranes_for(load, onward), max(checked, onward.arrive), out=True)
    end = _checked(site, load, load.after, put)
    return end if end is not None and end <= onward.latest else None


def _first_end(load: Load, workers: Iterable[Worker], ready: int, out: bool = False) -> int | None:
    ends = (first_end(worker.open, ready, minutes(load, worker, out)) for worker in workers)
    return min((end for end in ends if end is not None), default=None)


def _checked(site: Site, load: Load, checks: Sequence[str], ready: int | None) -> int | None:
    """Earliest end of checks one after the other from ``ready`` on."""
    for check in checks:
        if ready is None:
            return None
        ready = _first_end(load, site.posts_for(check), ready)
    return ready
