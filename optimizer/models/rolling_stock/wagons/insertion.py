"""Whole plans wagon by wagon: each is put on a load, or taken off, at the exact cost of all flows around it.

With the loaded runs given, the rest is one least-cost flow per type. It is kept optimal while loads change: one wagon
more on a run from *a* to *b* costs the run and the shortest way from *b* to *a* in the residual network, found at once
(successive shortest paths, Ahuja, Magnanti and Orlin 1993, chapter 9). Orders add, drop and exchange wagons while that
pays. Yards and train paths are never overfilled. The potentials of the flows are values of wagons, and make a bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.models.rolling_stock.wagons.bounds import Tolled
from optimizer.models.rolling_stock.wagons.bounds_kernels import raise_values
from optimizer.models.rolling_stock.wagons.flows import SCALE, Flows, plan_usd
from optimizer.models.rolling_stock.wagons.insertion_kernels import (
    carry,
    give_up,
    improve_orders,
    load_all,
    supply_all,
)
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.mending_kernels import mend_sites, settle_values
from optimizer.models.rolling_stock.wagons.programme import yard_use
from optimizer.models.rolling_stock.wagons.residual import WIDE_STATES, empty_flow, network, taken, whole
from optimizer.models.rolling_stock.wagons.residual_kernels import FAR, Flow, Network
from optimizer.models.rolling_stock.wagons.rounding import WholePlan

BATCH = 100
"""Orders or loaded runs between two looks at the clock."""
SITES, MENDING_ROUNDS = 20, 100
"""Sites between two looks at the clock while flows are mended; rounds over all of them."""
LEAST_GAIN_USD = 0.01
SETTLING_SWEEPS = 300
"""Sweeps over the days in which values follow new flows; searches do the rest."""
MOST_WAITING = 50
"""Loaded runs that are asked, one by one, to give up a wagon."""
WIDE, NARROW = (1e6, 50), (400.0, 6)
"""Largest detour of the flows around a change, USD, and tries in vain of an order, by the size of the network."""


class Insertion:
    """A plan that keeps every rule, at first the one in which nothing moves.

    Parameters
    ----------
    layout
        The network.
    possible
        (e, days) empty runs on offer.
    moves
        Numbers of the empty moves to look at, in order; None: all.
    idle
        False: no plan yet, for :func:`relieving.take` or :meth:`resume`.
    """

    def __init__(self, layout: Layout, possible: Array, moves: Array | None = None, idle: bool = True) -> None:
        self.layout = layout
        self.moves = np.arange(len(layout.empty_usd)) if moves is None else moves
        self.net = network(layout, self.moves)
        self.flow = (_start if idle else empty_flow)(layout, self.net, possible[self.moves].T)
        thousandths = [layout.load_t[layout.choice_type], layout.quantity_t, layout.most_t, layout.unserved_usd]
        self.farthest_usd, self.patience = WIDE if layout.num_states <= WIDE_STATES else NARROW
        self._orders = [layout.choice_start, *(np.rint(a * 1000).astype(np.int64) for a in thousandths)]

    def resume(self, wagons: Array, flows: Flows, value: Array, over: Callable[[], bool] = lambda: False) -> None:
        """Begin with a plan that keeps every rule, its flows optimal or brought there; ``value`` (states,) is near.

        Only without a plan so far (``idle=False``).
        """
        self.put(wagons, flows, value)
        possible = np.ascontiguousarray(self.layout.possible[self.moves].T)
        if not settle_values(self.net, self.flow, possible, SETTLING_SWEEPS):
            self.mend(over)

    def carry(self, tail: int, head: int, units: int) -> tuple[int, list[int]]:
        """
        Send wagons that leave state ``tail`` to where they are missing, state ``head`` (-1 - type: after the horizon).

        Where no way leads there in time, loads that wait for them are given up, the first ones first.

        Returns
        -------
        How many find no way even so, and the loaded runs given up, one for each wagon
        """
        end = self.layout.num_states - 1 - head if head < 0 else head
        given_up, left = list[int](), carry(self.net, self.flow, tail, end, units)
        while left:
            at, found, mine = end, False, list[int]()
            before = [array.copy() for array in self._amounts()]
            while not found and (choice := self._give_up(at)) >= 0:
                mine.append(choice)
                at = int(self.net.head[choice])
                found = not carry(self.net, self.flow, tail, at, 1)
            if not found:  # loads given up have moved what is missing elsewhere
                for array, kept in zip(self._amounts(), before, strict=True):
                    array[:] = kept
                break
            given_up += mine
            left -= 1
        return left, given_up

    def _amounts(self) -> tuple[Array, ...]:
        """All of the flow that changes."""
        flow = self.flow
        return (
            flow.value, flow.stand, flow.hired, flow.run, flow.arriving, flow.leaving, flow.closed, flow.free,
            flow.wagons,
        )  # fmt: skip

    def _give_up(self, state: int) -> int:
        """Free a wagon for a state from a loaded run that waits for it, at its site first; its number, or -1."""
        lay, flow = self.layout, self.flow
        if state >= lay.num_states:
            return -1
        site, day = divmod(state, lay.days)
        late = (lay.choice_day >= day) & (lay.choice_type == lay.site_type[site]) & (flow.wagons > 0)
        waiting = np.flatnonzero(late)
        elsewhere = lay.choice_tail[waiting] // lay.days != site
        for choice in waiting[np.lexsort((lay.choice_day[waiting], elsewhere))][:MOST_WAITING]:
            if give_up(self.net, flow, choice, state):
                return int(choice)
        return -1

    def too_full(self) -> tuple[Array, Array]:
        """(links, days) and (yards, days) whether more passes or stands than there is room for."""
        full = (self.flow.free < 0).reshape(-1, self.layout.days)
        links = len(self.layout.link_limit)
        return full[:links], full[links:]

    def charge(self, tolled: Tolled) -> None:
        """Other costs of runs and nights; :meth:`mend` then makes the flows optimal."""
        self.net.cost[:] = whole(tolled.empty_usd[self.moves]).T
        self.net.night[:] = whole(tolled.night_usd).ravel()
        self.net.usd[:] = whole(tolled.choice_usd)

    def mend(self, over: Callable[[], bool] = lambda: False) -> None:
        """Bring all flows back to least cost."""
        mend(self.net, self.flow, over)

    def put(self, wagons: Array, flows: Flows, value: Array) -> None:
        """Take loads, flows and values over, and fill rooms with them."""
        lay, flow, net = self.layout, self.flow, self.net
        flow.wagons[:], flow.run[:], flow.hired[:], flow.stand[:] = (
            wagons, flows.empty[self.moves].T, flows.hire, flows.stand
        )  # fmt: skip
        flow.value[: lay.num_states] = np.floor(value * SCALE)
        used = np.flatnonzero(flow.wagons)
        loaded, link, takes = expand(lay.choice_links, lay.choice_move[used])
        day, move = np.nonzero(flow.run)
        np.add.at(flow.leaving, net.origin[move] * lay.days + day, flow.run[day, move])
        np.add.at(flow.arriving, net.to[move] * lay.days + day + net.length[move], flow.run[day, move])
        empty, empty_link, empty_takes = expand(lay.empty_links, self.moves[move])
        use = np.zeros((len(lay.link_limit), lay.days), dtype=np.int64)
        np.add.at(use, (link, lay.choice_day[used][loaded]), taken(takes) * flow.wagons[used][loaded])
        np.add.at(use, (empty_link, day[empty]), taken(empty_takes) * flow.run[day, move][empty])
        room = flow.free[: use.size].reshape(use.shape)
        before, room[:] = room.copy(), room - use
        shut = (before >= net.enough[:, None]) & (room < net.enough[:, None])
        for at, on_day in zip(*np.nonzero(shut), strict=True):
            np.add.at(flow.closed[on_day], net.user[net.user_start[at] : net.user_start[at + 1]], 1)
        in_yard = yard_use(lay, flow.stand).astype(np.int64)
        flow.free[use.size :] -= in_yard.ravel()

    def load(self, wagons: Array, over: Callable[[], bool]) -> None:
        """Put wagons on loaded runs (c,) by day of departure, as far as they can come."""
        used = np.flatnonzero(wagons)
        used = used[np.argsort(self.layout.choice_day[used], kind="stable")]
        wanted = wagons.astype(np.int64)
        for at in range(0, len(used), BATCH):
            if over():
                break
            load_all(self.net, self.flow, wanted, used[at : at + BATCH], round(self.farthest_usd * SCALE))

    def improve(self, orders: Array, over: Callable[[], bool], least_gain_usd: float = LEAST_GAIN_USD) -> int:
        """Let orders, in turn, add, drop and exchange wagons while it pays; how many wagons moved."""
        moved, least_gain, farthest = 0, round(least_gain_usd * SCALE), round(self.farthest_usd * SCALE)
        start, load, quantity, most, penalty = self._orders
        for at in range(0, len(orders), BATCH):
            if over():
                break
            moved += improve_orders(
                self.net, self.flow, orders[at : at + BATCH], start, load, quantity, most, penalty, least_gain,
                farthest, self.patience,
            )  # fmt: skip
        return moved

    def plan(self) -> WholePlan:
        """A copy of the plan."""
        flow = self.flow
        flows = Flows.none(self.layout)
        flows.empty[self.moves] = flow.run.T
        flows.hire[:], flows.stand[:] = flow.hired, flow.stand
        return WholePlan(flow.wagons.copy(), flows, plan_usd(self.layout, flow.wagons, flows))

    def values(self) -> tuple[Array, Array, Array]:
        """Values (states,), prices of links and of yards by day, USD; :meth:`Bounds.prices` makes a bound of them."""
        self.mend()
        lay = self.layout
        value = self.flow.value[: lay.num_states].reshape(lay.num_sites, lay.days) / SCALE
        after = np.concatenate([value[:, 1:], np.zeros((lay.num_sites, 1))], axis=1)
        gain = np.where(
            np.arange(lay.days) >= lay.site_first[:, None], after - value - lay.site_night_usd[:, None], 0.0
        )
        yard_usd = np.zeros((len(lay.yard_room), lay.days))
        for site in np.flatnonzero(lay.site_yard >= 0):
            yard_usd[lay.site_yard[site]] = np.maximum(yard_usd[lay.site_yard[site]], gain[site])
        return value.ravel(), np.zeros((len(lay.link_limit), lay.days)), yard_usd


def mend(net: Network, flow: Flow, over: Callable[[], bool] = lambda: False) -> None:
    """Bring every arc into kilter; what that opens is mended too. Flows keep all rules when it is cut short."""
    for _ in range(MENDING_ROUNDS):
        found = 0
        for low in range(0, net.sites, SITES):
            if over():
                return
            found += mend_sites(net, flow, low, min(net.sites, low + SITES))
        if not found:
            return


def _start(layout: Layout, net: Network, possible: Array) -> Flow:
    """No loads: every wagon goes the cheapest way to the end of the horizon, or stands where types are in the way."""
    flow = empty_flow(layout, net, possible)
    states = layout.num_states
    value = np.full((layout.num_sites, layout.days), -float(FAR))
    hire = np.where(net.hire < 0, np.inf, net.hire.astype(float))
    night = net.night.reshape(value.shape).astype(float)
    toll = np.ascontiguousarray(np.where(possible, net.cost.astype(float), np.inf).T)
    raise_values(value, layout.days, net.first, night, hire, net.start, net.to, net.length, toll)
    flow.value[:states] = np.maximum(value, -1e12).ravel()
    if supply_all(net, flow, layout.supply):
        return flow
    return _standing(layout, net, possible)


def _standing(layout: Layout, net: Network, possible: Array) -> Flow:
    """Nothing moves: every wagon stands where it is, worth its nights to the end of the horizon; then mended."""
    flow, days = empty_flow(layout, net, possible), layout.days
    flow.hired[:] = layout.kept_on_hire
    stand = layout.supply.reshape(layout.num_sites, days).cumsum(axis=1) + flow.hired.reshape(-1, days)
    flow.stand[:] = stand.ravel()
    flow.value[: layout.num_states] = -net.night.reshape(-1, days)[:, ::-1].cumsum(axis=1)[:, ::-1].ravel()
    in_yard = np.zeros((len(layout.yard_room), days), dtype=np.int64)
    within = layout.site_yard >= 0
    np.add.at(in_yard, layout.site_yard[within], stand[within])
    flow.free[len(layout.link_limit) * days :] -= in_yard.ravel()
    mend(net, flow)
    return flow
