"""Whole flows of wagons type by type, by OR-Tools' min-cost flow: what is left once the loaded runs are chosen.

Each type is a network of its own: nights, hires and empty runs, with loaded runs fixed or free between two bounds.
Yards and train paths tie types together; a type is routed in the room that the others leave, over the room at a price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from optimizer.models.rolling_stock.wagons.layout import Array, Layout

SCALE = 1000
"""Cost units a USD."""
FAR_USD, MOST_FAR_USD = 20_000.0, 1e10
"""Price of a wagon out of nowhere, and of one too many in a yard, beside all that it could save by a load a day."""
MANY = 10**7


@dataclass
class Flows:
    """Wagons on empty runs (e, days), on hire and standing (states), and out of nowhere (states)."""

    empty: Array
    hire: Array
    stand: Array
    missing: Array

    @staticmethod
    def none(layout: Layout) -> Flows:
        states = layout.num_states
        empty = np.zeros((len(layout.empty_usd), layout.days), dtype=np.int64)
        return Flows(empty, *(np.zeros(states, dtype=np.int64) for _ in range(3)))


class TypeNetworks:
    """The networks of all types over a choice of empty runs.

    Parameters
    ----------
    active
        (e, days) empty runs on offer.
    """

    def __init__(self, layout: Layout, active: Array) -> None:
        self.layout = layout
        lay = layout
        move, day = np.nonzero(active)
        kind = lay.site_type[lay.empty_from[move]]
        by_type = np.argsort(kind, kind="stable")
        self.move, self.day = move[by_type], day[by_type]
        self.first_empty = np.searchsorted(kind[by_type], np.arange(len(lay.load_t) + 1))
        choice_order = np.argsort(lay.choice_type, kind="stable")
        self.choice, kinds = choice_order, lay.choice_type[choice_order]
        self.first_choice = np.searchsorted(kinds, np.arange(len(lay.load_t) + 1))
        self.first_site = np.searchsorted(lay.site_type, np.arange(len(lay.load_t) + 1))
        saved = lay.unserved_usd[lay.choice_order] * lay.load_t[lay.choice_type]
        self.far_usd = min(FAR_USD + lay.days * float(saved.max(initial=0.0)), MOST_FAR_USD)

    def route(
        self,
        kind: int,
        low: Array,
        high: Array,
        choice_usd: Array,
        flows: Flows,
        night_room: Array | None = None,
        empty_room: Array | None = None,
        empty_usd: Array | None = None,
        night_usd: Array | None = None,
    ) -> Array:
        """
        Route the wagons of a type; its part of ``flows`` is written anew.

        Parameters
        ----------
        low, high
            (c,) bounds of the loaded runs.
        choice_usd
            (c,) cost of a wagon between the bounds.
        night_room, empty_room
            (states,) and (e, days) room left by other types; None where nothing binds.
        empty_usd, night_usd
            (e, days) and (sites, days) cost of empty runs and nights; None for the plain one.

        Returns
        -------
        (c,) wagons on the loaded runs of the type, zero elsewhere
        """
        lay, days = self.layout, self.layout.days
        sites = np.arange(self.first_site[kind], self.first_site[kind + 1])
        base, count = sites[0] * days, len(sites) * days
        state = np.arange(count)
        after = np.where((state + 1) % days, state + 1, count)
        move, day = (a[self.first_empty[kind] : self.first_empty[kind + 1]] for a in (self.move, self.day))
        choices = self.choice[self.first_choice[kind] : self.first_choice[kind + 1]]
        free = choices[high[choices] > low[choices]]
        hired = np.repeat(np.isfinite(lay.site_hire_usd[sites]), days) & (
            state % days >= np.repeat(lay.site_first[sites], days)
        )
        hires = state[hired]
        plain = np.repeat(lay.site_night_usd[sites], days)
        nights_usd = plain if night_usd is None else night_usd[sites].ravel()
        run_usd = lay.empty_usd[move] if empty_usd is None else empty_usd[move, day]
        tails = [state, after[hires], lay.empty_from[move] * days + day - base, lay.choice_tail[free] - base]
        heads = [after, hires, lay.empty_to[move] * days + day + lay.empty_days[move] - base]
        heads += [np.where(lay.choice_head[free] < 0, count, lay.choice_head[free] - base)]
        costs = [nights_usd, np.repeat(lay.site_hire_usd[sites], days)[hires], run_usd, choice_usd[free]]
        rooms = [np.full(count, MANY), np.full(len(hires), MANY), np.full(len(move), MANY), high[free] - low[free]]
        if night_room is not None:
            rooms[0] = np.clip(night_room[base : base + count], 0, MANY)
        if empty_room is not None:
            rooms[2] = np.clip(empty_room[move, day], 0, MANY)
        # Out of nowhere, and over the room of a yard.
        tails += [np.full(count, count), state]
        heads += [state, after]
        costs += [np.full(count, self.far_usd), self.far_usd + nights_usd]
        rooms += [np.full(count, MANY), np.full(count, MANY if night_room is not None else 0)]
        fixed = choices[low[choices] > 0]
        supply = lay.supply[base : base + count].copy()
        np.subtract.at(supply, lay.choice_tail[fixed] - base, low[fixed])
        arriving = fixed[lay.choice_head[fixed] >= 0]
        np.add.at(supply, lay.choice_head[arriving] - base, low[arriving])
        solver = min_cost_flow.SimpleMinCostFlow()
        arcs = solver.add_arcs_with_capacity_and_unit_cost(
            np.concatenate(tails).astype(np.int32), np.concatenate(heads).astype(np.int32),
            np.concatenate(rooms).astype(np.int64), np.rint(np.concatenate(costs) * SCALE).astype(np.int64),
        )  # fmt: skip
        solver.set_nodes_supplies(np.arange(count + 1), np.append(supply, -supply.sum()))
        if solver.solve() != solver.OPTIMAL:
            raise RuntimeError("the flow of a wagon type has no solution: a defect of its network")
        flow = np.asarray(solver.flows(arcs))
        parts = np.split(flow, np.cumsum([len(part) for part in tails])[:-1])
        nights, hiring, running, carrying, nowhere, over = parts
        flows.stand[base : base + count] = nights + over
        flows.hire[base : base + count] = 0
        flows.hire[base + hires] = hiring
        flows.missing[base : base + count] = nowhere
        mine = slice(lay.empty_start[sites[0]], lay.empty_start[sites[-1] + 1])
        flows.empty[mine] = 0
        flows.empty[move, day] = running
        wagons = np.zeros(len(low), dtype=np.int64)
        wagons[choices] = low[choices]
        wagons[free] += carrying
        return wagons


def is_unbalanced(layout: Layout, wagons: Array, flows: Flows) -> bool:
    """Whether other wagons stand somewhere than come, leave and are on hire there; none may come out of nowhere."""
    lay, days = layout, layout.days
    change = lay.supply.astype(np.int64)
    np.subtract.at(change, lay.choice_tail, wagons)
    inside = lay.choice_head >= 0
    np.add.at(change, lay.choice_head[inside], wagons[inside])
    move, day = np.nonzero(flows.empty)
    count = flows.empty[move, day]
    np.subtract.at(change, lay.empty_from[move] * days + day, count)
    np.add.at(change, lay.empty_to[move] * days + day + lay.empty_days[move], count)
    hire = flows.hire.reshape(-1, days)
    change = change.reshape(hire.shape) + hire
    change[:, 1:] -= hire[:, :-1]
    return bool((change.cumsum(axis=1).ravel() != flows.stand).any())


def plan_usd(layout: Layout, wagons: Array, flows: Flows) -> float:
    """Cost of a plan, USD; wagons out of nowhere are not priced."""
    carried = np.bincount(
        layout.choice_order, weights=wagons * layout.load_t[layout.choice_type], minlength=layout.num_orders
    )
    unserved = np.maximum(0.0, layout.quantity_t - carried)
    hire = np.where(flows.hire > 0, np.repeat(layout.site_hire_usd, layout.days), 0.0)
    return float(
        layout.owed_usd
        + layout.choice_usd @ wagons
        + (flows.empty * layout.empty_usd[:, None]).sum()
        + np.repeat(layout.site_night_usd, layout.days) @ flows.stand
        + hire @ flows.hire
        + layout.unserved_usd @ unserved
    )
