"""The yard and stocks of the mixed-integer programme: rules (7), (8) and (13)."""

from __future__ import annotations

import pulp

from optimizer.models.transshipment.crosscheck_model import Programme, Step, has_gone, starts_later
from optimizer.models.transshipment.site import Load


def yard_limits(p: Programme) -> None:
    """(7) At each start of unloading into the yard, what lies there fits."""
    for form, capacity in p.site.yard.items():
        loads = [i for i in p.site.loads if i.form == form and (i.load_id, 1) in p.begin]
        if sum(load.size for load in loads) <= capacity:
            continue
        for load in loads:
            held = [load.size * p.takes(load, "yard")]
            for other in loads:
                if other is load:
                    continue
                name = f"yard_{other.load_id}_{load.load_id}"
                lies = p.binary(f"lies_{name}")
                later = starts_later(p, name, (other.load_id, 0), (load.load_id, 0))
                gone = has_gone(p, name, (other.load_id, 1), (load.load_id, 0))
                both = p.takes(other, "yard") + p.takes(load, "yard") - 1
                p.add(f"counts_{name}", lies >= both - later - gone)
                held.append(other.size * lies)
            p.add(f"yard_{load.load_id}", pulp.lpSum(held) <= capacity)


Use = tuple[Step, pulp.LpVariable, int]
"""A work, whether it takes or gives, how many."""


def never_below_zero(p: Programme, name: str, stock: int, taken: list[Use], given: list[Use]) -> None:
    """Whenever something is taken, what has been taken so far is in stock or has come back."""
    most = sum(amount for _, _, amount in taken)
    if most <= stock:
        return
    for work, here, amount in taken:
        sums = [amount * here]
        for other, there, more in taken:
            if other[0] != work[0]:
                pair = f"{name}_{other[0]}_{other[1]}_{work[0]}_{work[1]}"
                counts = p.binary(f"counts_{pair}")
                p.add(f"taken_{pair}", counts >= there + here - 1 - starts_later(p, pair, other, work))
                sums.append(more * counts)
        for other, there, more in given:
            if other[0] != work[0]:
                pair = f"back_{name}_{other[0]}_{other[1]}_{work[0]}_{work[1]}"
                back = has_gone(p, pair, other, work)
                p.add(f"given_{pair}", back <= there)
                sums.append(-more * back)
        p.add(f"stock_{name}_{work[0]}_{work[1]}", pulp.lpSum(sums) <= stock + most * (1 - here))


def _case(
    p: Programme, name: str, takes: list[pulp.LpVariable], used: pulp.LpVariable | None = None
) -> pulp.LpVariable:
    """1 when one of the choices is taken, by ``used`` if given."""
    case, total = p.binary(name), pulp.lpSum(takes)
    if used is None:
        p.add(f"case_{name}", case == total)
        return case
    p.add(f"if_{name}", case >= used + total - 1)
    p.add(f"here_{name}", case <= used)
    p.add(f"gauge_{name}", case <= total)
    return case


def bogie_stock(p: Programme) -> None:
    """(8)"""
    for bay in p.site.bays:
        loads = [i for i in p.site.loads if (i.load_id, 0, bay.name) in p.use]
        for gauge, stock in bay.stock.items():
            name, taken, given = f"{bay.name}_{gauge}", [], []
            for load in loads:
                i, used = load.load_id, p.use[load.load_id, 0, bay.name]
                onto = _onto(p, load, "bogie", gauge)
                if onto:
                    taken.append(((i, 0), _case(p, f"takes_{name}_{i}", onto, used), load.wagons))
                if p.site.call[load.call_id].gauge_mm == gauge:
                    given.append(((i, 0), used, load.wagons))
            never_below_zero(p, name, stock, taken, given)


def empty_wagons(p: Programme) -> None:
    """(13)"""
    for gauge, stock in p.site.empties.items():
        name, taken, given = f"empty_{gauge}", [], []
        for load in p.site.loads:
            i = load.load_id
            for step, way in enumerate(("direct", "yard")):
                if onto := _onto(p, load, way, gauge):
                    taken.append(((i, step), _case(p, f"takes_{name}_{i}_{way}", onto), load.wagons))
            lifts = [p.take[c.key] for c in p.choices if c.load is load and c.way != "bogie"]
            if lifts and p.site.call[load.call_id].gauge_mm == gauge:
                given.append(((i, 0), _case(p, f"gives_{name}_{i}", lifts), load.wagons))
        never_below_zero(p, name, stock, taken, given)


def _onto(p: Programme, load: Load, way: str, gauge: int) -> list[pulp.LpVariable]:
    """Choices of the load to go with a train of the gauge."""
    return [p.take[c.key] for c in p.choices if c.load is load and c.way == way and c.onward.gauge_mm == gauge]
