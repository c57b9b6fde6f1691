"""What the yard holds and what is taken from stocks: rules (7), (8) and (13) of the exact model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ortools.sat.python import cp_model

from optimizer.models.transshipment.constraints.variables import FIRST, SECOND, Terminal

Change = tuple[int, cp_model.IntVar, cp_model.IntVar]
"""How many, at which minute, in which case."""


def yard_limits(t: Terminal, extra: Mapping[str, cp_model.IntVar] | None = None) -> None:
    """(7) The yard holds what lies in it; ``extra`` adds room by form."""
    for form, capacity in t.site.yard.items():
        lying, sizes = [], []
        for load in t.site.loads:
            i = load.load_id
            if load.form == form and (i, SECOND) in t.begin:
                held = t.model.new_bool_var(f"held_{i}")
                t.model.add(held == sum(t.takes(load, "yard")))
                stay = t.model.new_int_var(0, t.site.end, f"lying_{i}")
                lying.append(
                    t.model.new_optional_interval_var(t.begin[i, FIRST], stay, t.end[i, SECOND], held, f"yard_{i}")
                )
                sizes.append(load.size)
        if extra:
            t.model.add_cumulative(lying, sizes, capacity + extra[form])
        elif sum(sizes) > capacity:
            t.model.add_cumulative(lying, sizes, capacity)


def never_below_zero(t: Terminal, stock: int, taken: Iterable[Change], given: Iterable[Change]) -> None:
    """
    A stock is taken from and given back to; what is given in a minute can be taken in it.

    Written as a cumulative: what is taken at b is gone from b to the end; what another work gives at e counts as part
    of the stock that is still missing from 0 to e, or to the end when that work is not done.
    """
    end = t.site.end + 1
    gone, amounts, possible, most = [], [], stock, 0
    for amount, minute, case in taken:
        rest = t.model.new_int_var(0, end, "")
        gone.append(t.model.new_optional_interval_var(minute, rest, end, case, ""))
        amounts.append(amount)
        most += amount
    if most <= stock:
        return
    for amount, minute, case in given:
        back = t.model.new_int_var(0, end, "")
        t.model.add(back == minute).only_enforce_if(case)
        t.model.add(back == end).only_enforce_if(~case)
        gone.append(t.model.new_interval_var(0, back, back, ""))
        amounts.append(amount)
        possible += amount
    t.model.add_cumulative(gone, amounts, possible)


def _case(t: Terminal, takes: list[cp_model.IntVar], used: cp_model.IntVar | None = None) -> cp_model.IntVar | None:
    """True when one of the choices is taken, and ``used`` holds; None when there is no choice."""
    if not takes:
        return None
    case = t.model.new_bool_var("")
    if used is None:
        t.model.add(case == sum(takes))
        return case
    t.model.add_implication(case, used)
    t.model.add(case >= used + sum(takes) - 1)
    t.model.add(case <= sum(takes))
    return case


def bogie_stock(t: Terminal) -> None:
    """(8) Sets of a bay never fall below zero."""
    for bay in t.site.bays:
        for gauge, stock in bay.stock.items():
            taken, given = [], []
            for load in t.site.loads:
                i = load.load_id
                used = t.use.get((i, FIRST, bay.name))
                if used is None:
                    continue
                onto = [t.take[c.key] for c in t.choices_of[i] if c.way == "bogie" and c.onward.gauge_mm == gauge]
                case = _case(t, onto, used)
                if case is not None:
                    taken.append((load.wagons, t.begin[i, FIRST], case))
                if t.site.call[load.call_id].gauge_mm == gauge:
                    given.append((load.wagons, t.end[i, FIRST], used))
            never_below_zero(t, stock, taken, given)


def empty_wagons(t: Terminal) -> None:
    """(13) Empty wagons of a gauge never fall below zero, where they are counted."""
    for gauge, stock in t.site.empties.items():
        taken, given = [], []
        for load in t.site.loads:
            i = load.load_id
            for way, step in (("direct", FIRST), ("yard", SECOND)):
                onto = [t.take[c.key] for c in t.choices_of[i] if c.way == way and c.onward.gauge_mm == gauge]
                case = _case(t, onto)
                if case is not None:
                    taken.append((load.wagons, t.begin[i, step], case))
            if t.site.call[load.call_id].gauge_mm == gauge:
                case = _case(t, t.takes(load, "direct", "yard"))
                if case is not None:
                    given.append((load.wagons, t.end[i, FIRST], case))
        never_below_zero(t, stock, taken, given)
