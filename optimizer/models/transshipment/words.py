"""Words that reports and reasons share."""

from __future__ import annotations

from optimizer.models.transshipment.choices import direct_cranes
from optimizer.models.transshipment.site import Load, Site


def clock(minute: int) -> str:
    """``day+hh:mm``; days count from 1."""
    return f"{minute // 1440 + 1}+{minute % 1440 // 60:02d}:{minute % 60:02d}"


def why_impossible(site: Site, load: Load) -> str:
    """Why not even the load alone could go on, from what terminal and trains are; blank when it could."""
    inbound = site.call[load.call_id]
    trains = site.onward(load)
    if not trains:
        return f"no train of another gauge than {inbound.gauge_mm} mm serves {load.destination} after it has come"
    reasons = []
    if {"direct", "yard"} & set(load.ways):
        if not any(load.size <= call.room[load.form] for call in trains):
            reasons.append(f"no train to {load.destination} has room for it")
        elif not any(crane.handles == load.form for crane in site.cranes):
            reasons.append(f"no crane handles {load.form}")
        elif not any(site.cranes_for(load, call) for call in trains) or not site.cranes_for(load, inbound):
            reasons.append("no crane of its kind reaches both trains' tracks")
        elif load.ways == ("direct",) and not any(direct_cranes(site, load, call) for call in trains):
            reasons.append("no single crane reaches both trains for a direct move")
        elif load.ways == ("yard",) and load.size > site.yard[load.form]:
            reasons.append("it is larger than the yard")
    if "bogie" in load.ways and not site.bays:
        reasons.append("the terminal has no bogie bay")
    return (
        " and ".join(reasons)
        if len(reasons) == (("bogie" in load.ways) + bool({"direct", "yard"} & set(load.ways)))
        else ""
    )
