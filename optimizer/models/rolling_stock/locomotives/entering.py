"""From a plan of single locomotives to values of the columns of a programme, without an integer programme.

Trains, consists, units, visits and light moves are as the plan has them; waits follow from the balance of every event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from optimizer.models.rolling_stock.locomotives.duties import UnitDuty, plan_columns
from optimizer.models.rolling_stock.locomotives.network import Floats, Ints
from optimizer.models.rolling_stock.locomotives.programme import Programme

WHOLE = 1e-6


def enter_work(
    programme: Programme, duties: Sequence[UnitDuty], running: Iterable[str], connection_min: int
) -> Floats | None:
    """Values of all columns but light moves and waits, which are 0; none where the programme lacks a column."""
    p = programme
    x = np.zeros(p.num_columns)
    number = {service: n for n, service in enumerate(p.services)}
    x[p.group["train"].start + np.array([number[s] for s in running], np.int64)] = 1.0
    for name, counts in plan_columns(p, duties).items():
        columns = {tuple(key): n for n, key in enumerate(p.key[name].tolist())}
        for key, units in counts.items():
            waits = (name == "shop" and key[0] == key[2]) or (name == "stay" and not connection_min)
            if key not in columns and not waits:  # a visit that changes no layer is a wait
                return None
            if key in columns:
                x[p.group[name].start + columns[key]] = units
    return x


def add_light(programme: Programme, x: Floats, duties: Iterable[UnitDuty], connection_min: int) -> bool:
    """
    Enter the light moves of a plan into ``x``; false where the programme has none of the same cost.

    From home a unit leaves just in time and towards home at once, as the programme has it. Between two other places
    it leaves with the next unit that comes free, if that is soon enough: a wait costs the same here and there.
    """
    p = programme
    kind_of = {network.loco_id: n for n, network in enumerate(p.networks)}
    layer_of = {
        stock.fleet_id: n for n, one in enumerate(p.layers) for stock in p.networks[one.network].layers[one.layer].stock
    }
    after = {
        (one.network, window): n
        for n, one in enumerate(p.layers)
        for window in p.networks[one.network].layers[one.layer].entries
    }
    columns = {(layer, arc): n for n, (layer, arc) in enumerate(p.key["light"].tolist())}
    by_pair = [_arcs_by_pair(p, n) for n in range(len(p.networks))]
    for duty in duties:
        kind, layer = kind_of[duty.loco_id], layer_of[duty.fleet_id]
        network = p.networks[kind]
        at = {name: n for n, name in enumerate(network.places)}
        windows = {window.window_id: n for n, window in enumerate(network.windows)}
        for number, step in enumerate(duty.steps):
            if step.kind == "shop":
                layer = after[kind, windows[step.window_id]]
            if step.kind != "light":
                continue
            leave, arcs = by_pair[kind].get((at[step.start], at[step.end]), (np.zeros(0, np.int64),) * 2)
            follower = duty.steps[number + 1] if number + 1 < len(duty.steps) else None
            exact = at[step.start] in network.homes or at[step.end] in network.homes
            until = follower.depart_min - connection_min if follower is not None else step.arrive_min
            latest = step.depart_min if exact else step.depart_min + max(0, until - step.arrive_min)
            first = int(np.searchsorted(leave, step.depart_min))
            column = next(
                (columns[layer, arc] for m, arc in zip(leave[first:], arcs[first:].tolist(), strict=True)
                 if m <= latest and (layer, arc) in columns),
                None,
            )  # fmt: skip
            if column is None:
                return False
            x[p.group["light"].start + column] += 1.0
    return True


def _arcs_by_pair(programme: Programme, number: int) -> dict[tuple[int, int], tuple[Ints, Ints]]:
    """Minutes of leaving and numbers of the light moves from one place to another, in order."""
    light = programme.networks[number].light
    order = np.lexsort((light.leave_min, light.end, light.start))
    ends = np.column_stack([light.start, light.end])[order]
    starts = np.flatnonzero(np.r_[True, (ends[1:] != ends[:-1]).any(1)][: order.size])
    bounds = [*starts.tolist(), order.size]
    return {(int(ends[a, 0]), int(ends[a, 1])): (light.leave_min[order[a:b]], order[a:b]) for a, b in pairwise(bounds)}


def add_waits(programme: Programme, x: Floats) -> bool:
    """Enter the waits that go with all other columns; false where more units leave an event than have come."""
    p = programme
    surplus = p.matrix @ x - p.row_lower
    layers, events = p.key["wait"].T
    for number, one in enumerate(p.layers):
        mine = np.flatnonzero(layers == number)
        place = p.networks[one.network].event_place[events[mine]]
        come = np.cumsum(surplus[one.row_of[events[mine]]])
        first = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        before = np.repeat(np.r_[0.0, come[first[1:] - 1]], np.diff(np.r_[first, mine.size]))
        waiting = come - before
        if waiting.size and waiting.min() < -WHOLE:
            return False
        x[p.group["wait"].start + mine] = np.maximum(np.rint(waiting), 0.0)
    return True
