"""Routed plans that overfill yards and links are brought to keep every rule: the less is lost, the earlier.

Empty wagons go another way; then the loads that pay least are left behind, then those that empty wagons wait for, then
those that stay to the end in a full yard. Types that even so stand or pass where there is no room stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.models.rolling_stock.wagons.bounds import Prices, Tolled
from optimizer.models.rolling_stock.wagons.flows import SCALE, Flows
from optimizer.models.rolling_stock.wagons.insertion import SETTLING_SWEEPS, Insertion
from optimizer.models.rolling_stock.wagons.insertion_kernels import give_up, unload
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.mending_kernels import change, relieve, settle_values
from optimizer.models.rolling_stock.wagons.programme import link_use, yard_use
from optimizer.models.rolling_stock.wagons.residual import empty_flow
from optimizer.models.rolling_stock.wagons.residual_kernels import FAR, NIGHT, RUN
from optimizer.models.rolling_stock.wagons.rounding import SPARE, drop_from_link

SLOTS = 200
"""Yards and links by day between two looks at the clock."""


def take(
    plan: Insertion,
    wagons: Array,
    flows: Flows,
    known: Array,
    tolled: Tolled,
    prices: Prices,
    over: Callable[[], bool] = lambda: False,
) -> bool:
    """
    Begin with loads and flows at least cost with tolls, values near theirs, and send out what is too much.

    Empty wagons first, whatever way they then go; loads that pay least are given up where that is not enough.
    Only without a plan so far (``idle=False``). The flows cost least among those on ``known`` empty runs (e, days).

    Returns
    -------
    Whether every rule is kept; the plan is of no use otherwise.
    """
    plan.charge(tolled)
    plan.put(wagons, flows, prices.value)
    settle_values(plan.net, plan.flow, np.ascontiguousarray(known[plan.moves].T), SETTLING_SWEEPS)
    wanted, relieved = wagons, not flows.missing.any() and relieve_all(plan, prices, over)
    if not relieved and not (still := stand_still(plan, flows.missing, over)).any():
        return False
    plan.mend(over)
    if not relieved:
        plan.load(np.where(still[plan.layout.choice_type], wanted, 0), over)
    return True


def relieve_all(plan: Insertion, prices: Prices, over: Callable[[], bool]) -> bool:
    """Whether nothing is too full any more."""
    return not _relieve(plan, over) or _unload(plan, prices, over) or _turn_back(plan, over) or _leave_out(plan, over)


def _relieve(plan: Insertion, over: Callable[[], bool]) -> int:
    """Send empty wagons out of what is too full, whatever way they then go; how many yards and links stay so."""
    left = 0
    for low in range(0, len(plan.flow.free), SLOTS):
        if over():
            return 1
        left += relieve(plan.net, plan.flow, low, min(len(plan.flow.free), low + SLOTS))
    return left


def _unload(plan: Insertion, prices: Prices, over: Callable[[], bool]) -> bool:
    """Take the loads that pay least off links that are too full; whether none, and no yard, stays so."""
    flow, full = plan.flow, plan.too_full()[0]
    for link, day in zip(*np.nonzero(full), strict=True):
        if over():
            return False
        wagons, slot = flow.wagons.copy(), link * plan.layout.days + day
        drop_from_link(plan.layout, wagons, prices, int(link), int(day), -flow.free[slot] / 1000)
        for choice in np.flatnonzero(wagons < flow.wagons):
            while (many := flow.wagons[choice] - wagons[choice]) > 0:
                if not unload(plan.net, flow, int(choice), int(many), FAR - 1):
                    break
    return not (flow.free < 0).any()


def _turn_back(plan: Insertion, over: Callable[[], bool]) -> bool:
    """Take empty wagons off links and out of yards that are too full, with the loads that wait for them."""
    net, flow, days = plan.net, plan.flow, plan.layout.days
    for slot in np.flatnonzero(flow.free < 0):
        place, day = divmod(int(slot), days)
        kind, some = NIGHT, np.flatnonzero(net.yard == slot - day)
        if place < len(plan.layout.link_limit):
            kind, some = RUN, net.user[net.user_start[place] : net.user_start[place + 1]]
        for each in some:
            state = int(net.origin[each] if kind == RUN else each) * days + day
            last = len(flow.stand) + int(net.kind[each]) if kind == NIGHT and day + 1 == days else state + 1
            head = int(net.to[each]) * days + day + int(net.length[each]) if kind == RUN else last
            amount = flow.run[day, each] if kind == RUN else flow.stand[state]
            while flow.free[slot] < 0 and amount > 0 and not over():
                change(net, flow, kind, int(each), state, -1)
                amount -= 1
                left, _ = plan.carry(state, head, 1)
                if left:
                    change(net, flow, kind, int(each), state, 1)
                    break
    return not (flow.free < 0).any()


def _leave_out(plan: Insertion, over: Callable[[], bool]) -> bool:
    """Give up loads whose wagons then stand to the end in a yard that is too full, the last ones first."""
    net, flow, days = plan.net, plan.flow, plan.layout.days
    for slot in np.flatnonzero(flow.free < 0):
        day = int(slot) % days
        for site in np.flatnonzero(net.yard == slot - day):
            first, end = int(site) * days, plan.layout.num_states + int(net.kind[site])
            coming = np.flatnonzero((flow.wagons > 0) & (net.head >= first) & (net.head <= first + day))
            for choice in coming[np.argsort(-net.head[coming], kind="stable")]:
                nights = range(int(net.head[choice]), first + days)
                while flow.free[slot] < 0 and flow.wagons[choice] and flow.stand[nights].all() and not over():
                    for state in nights:
                        change(net, flow, NIGHT, int(site), state, -1)
                    if not give_up(net, flow, int(choice), end):
                        for state in nights:
                            change(net, flow, NIGHT, int(site), state, 1)
                        break
    return not (flow.free < 0).any()


def stand_still(plan: Insertion, missing: Array, over: Callable[[], bool]) -> Array:
    """
    Types, one after the other, stay where they are at first, without loads, until nothing is too full.

    Parameters
    ----------
    missing
        (states,) wagons out of nowhere; their types stay in any case.

    Returns
    -------
    (types,) those that stay; none where that is of no use, or the time is over.
    """
    lay, routed = plan.layout, plan.plan()
    still = np.zeros(len(lay.load_t), dtype=bool)
    still[lay.site_type[np.flatnonzero(missing) // lay.days]] = True
    idle = lay.kept_on_hire, lay.supply.reshape(-1, lay.days).cumsum(axis=1).ravel() + lay.kept_on_hire
    while not over():
        states = still[lay.site_type].repeat(lay.days)
        wagons = np.where(still[lay.choice_type], 0, routed.wagons)
        flows = Flows(
            np.where(still[lay.site_type[lay.empty_from]][:, None], 0, routed.flows.empty),
            np.where(states, idle[0], routed.flows.hire), np.where(states, idle[1], routed.flows.stand),
            np.zeros_like(missing),
        )  # fmt: skip
        filling = np.where(still, 0, _in_the_way(lay, wagons, flows))
        if filling.any():
            still[np.argmax(filling)] = True
            continue
        value = plan.flow.value[: lay.num_states] / SCALE
        plan.flow = empty_flow(lay, plan.net, lay.possible[plan.moves].T)
        plan.put(wagons, flows, value)
        return still if not (plan.flow.free < 0).any() else np.zeros_like(still)
    return np.zeros_like(still)


def _in_the_way(layout: Layout, wagons: Array, flows: Flows) -> Array:
    """(types,) wagons that stand in yards or pass over links that are too full."""
    lay = layout
    found = np.zeros(len(lay.load_t))
    within = np.flatnonzero(lay.site_yard >= 0)
    crowded = yard_use(lay, flows.stand) > lay.yard_room[:, None]
    stand = flows.stand.reshape(lay.num_sites, lay.days)[within]
    np.add.at(found, lay.site_type[within], (stand * crowded[lay.site_yard[within]]).sum(axis=1))
    busy = link_use(lay, wagons, flows.empty) > lay.link_limit[:, None] + SPARE
    move, day = np.nonzero(flows.empty)
    column, link, _ = expand(lay.empty_links, move)
    passing = flows.empty[move[column], day[column]] * busy[link, day[column]]
    np.add.at(found, lay.site_type[lay.empty_from[move[column]]], passing)
    used = np.flatnonzero(wagons)
    column, link, _ = expand(lay.choice_links, lay.choice_move[used])
    np.add.at(found, lay.choice_type[used[column]], wagons[used[column]] * busy[link, lay.choice_day[used[column]]])
    return found
