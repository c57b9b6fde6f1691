"""Words that reports and reasons share."""

from __future__ import annotations

from collections.abc import Iterable

from optimizer.models.transshipment.choices import direct_cranes, pair_choices
from optimizer.models.transshipment.site import Call, Load, Site, Worker, first_end, minutes


def clock(minute: int) -> str:
    """``day+hh:mm``; days count from 1."""
    return f"{minute // 1440 + 1}+{minute % 1440 // 60:02d}:{minute % 60:02d}"


def why_impossible(site: Site, load: Load) -> str:
    """Why not even the load alone could go on, from what terminal and trains are; blank when it could."""
    inbound = site.call[load.call_id]
    trains = site.onward(load)
    if not trains:
        return f"no train of another gauge than {inbound.gauge_mm} mm serves {load.destination} after it has come"
    for check in load.before:
        if not _in_time(load, site.posts_for(check), inbound.arrive, inbound.latest):
            return f"no post works long enough for {check} while train {inbound.call_id} can stand"
    reasons = []
    if {"direct", "yard"} & set(load.ways):
        reasons.append(_why_not_lifted(site, load, inbound, trains))
    if "bogie" in load.ways:
        reasons.append(_why_not_exchanged(site, load, inbound, trains))
    return " and ".join(dict.fromkeys(reasons)) if all(reasons) else ""


def _why_not_lifted(site: Site, load: Load, inbound: Call, trains: tuple[Call, ...]) -> str:
    """Why no crane can take it over; blank when one could."""
    if not any(load.size <= call.room[load.form] for call in trains):
        return f"no train to {load.destination} has room for it"
    if not any(crane.handles == load.form for crane in site.cranes):
        return f"no crane handles {load.form}"
    if not any(site.cranes_for(load, call) for call in trains) or not site.cranes_for(load, inbound):
        return "no crane of its kind reaches both trains' tracks"
    if "yard" not in load.ways and not any(direct_cranes(site, load, call) for call in trains):
        return "no single crane reaches both trains for a direct move"
    if "direct" not in load.ways and load.size > site.yard[load.form]:
        must = f" and {', '.join(load.between)} takes place there" if load.between else ""
        return f"it is larger than the yard{must}"
    short = [call.gauge_mm for call in trains if _wagons(site, load, call.gauge_mm) < load.wagons]
    if len(short) == len(trains):
        gauges = " or ".join(f"{gauge} mm" for gauge in sorted(set(short)))
        return f"it needs {load.wagons} empty wagons of {gauges}, more than the stock and all other loads give"
    return _no_time(site, load, trains, ("direct", "yard"), "crane", site.cranes_for(load, inbound))


def _why_not_exchanged(site: Site, load: Load, inbound: Call, trains: tuple[Call, ...]) -> str:
    """Why no bay can change its bogies; blank when one could."""
    if not site.bays:
        return "the terminal has no bogie bay"
    if not any(load.wagons <= call.room["wagons"] for call in trains):
        return f"no train to {load.destination} takes {load.wagons} wagons with changed bogies"
    short = [call.gauge_mm for call in trains if _sets(site, load, call.gauge_mm) < load.wagons]
    if len(short) == len(trains):
        gauges = " or ".join(f"{gauge} mm" for gauge in sorted(set(short)))
        return f"it needs {load.wagons} bogie sets of {gauges}, more than any bay has and other exchanges give back"
    return _no_time(site, load, trains, ("bogie",), "bay", site.bays)


def _wagons(site: Site, load: Load, gauge: int) -> int:
    """Most empty wagons of the gauge there can ever be for the load."""
    if gauge not in site.empties:
        return load.wagons
    given = [i.wagons for i in site.loads if site.call[i.call_id].gauge_mm == gauge and i.ways != ("bogie",)]
    return site.empties[gauge] + sum(given)


def _sets(site: Site, load: Load, gauge: int) -> int:
    """Most bogie sets of the gauge a bay can ever have for the load."""
    given = [i.wagons for i in site.loads if site.call[i.call_id].gauge_mm == gauge and "bogie" in i.ways]
    return max(bay.stock.get(gauge, 0) for bay in site.bays) + sum(given)


def _no_time(
    site: Site, load: Load, trains: tuple[Call, ...], ways: tuple[str, ...], kind: str, workers: Iterable[Worker]
) -> str:
    """That hours of work leave no time for it, whichever train it takes; blank when they do."""
    if any(choice.way in ways for call in trains for choice in pair_choices(site, load, call)):
        return ""
    last = max(call.latest for call in (*trains, site.call[load.call_id]))
    shifts = "; ".join(f"{worker.name} {_hours(worker, last)}" for worker in workers)
    checks = f" and posts for {', '.join(dict.fromkeys(load.checks))}" if load.checks else ""
    return (
        f"no {kind}{checks} works long enough while its trains can stand (hours of work until {clock(last)}: {shifts})"
    )


def _hours(worker: Worker, last: int) -> str:
    spans = [f"{clock(a)} - {clock(min(b, last))}" for a, b in worker.open if a < last]
    return ", ".join(spans[:3] + (["..."] if len(spans) > 3 else [])) or "none"


def _in_time(load: Load, workers: Iterable[Worker], ready: int, until: int) -> bool:
    ends = (first_end(worker.open, ready, minutes(load, worker)) for worker in workers)
    return any(end is not None and end <= until for end in ends)
