"""Bounds from the values of wagons: a Lagrangian dual in which each order keeps its whole numbers of wagons.

Any value ``v`` of a wagon in each state, with any prices of yards and train paths not below zero, gives a bound once
no night, hire or empty run of *all* of them beats it: ``v`` is lowered where an arc leads and what the end of the
horizon still asks for is raised (:func:`lower_values` spoils far less of a bound than :func:`raise_values` alone):

    sum over orders of the cheapest whole wagons at the prices  c + v(tail) - v(head)
    - sum of v over the fleet - sum of prices times room

A wagon is worth v more: nothing it can do without a load pays more than its value, and a load that takes it away pays
the value it had and gives back the one it has where it comes out. The bound is at least that of the relaxation with
the rounding rows (6), it holds whichever empty runs the relaxation looked at, and needs no solver to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from optimizer.models.rolling_stock.wagons.bounds_kernels import cheapest_loads, lower_values, raise_values
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, Links


@dataclass(frozen=True)
class Prices:
    """Valid prices and their bound.

    Attributes
    ----------
    value
        (states,) worth of a wagon.
    link_usd, yard_usd
        (links, days) and (yards, days) price of a wagon, tonne or metre over a link, and of a night in a yard.
    price
        (c,) what one wagon of a loaded run costs at these values.
    order_usd, wagons
        (o,) least cost of each order, (c,) the wagons that attain it.
    bound
        USD; no plan costs less.
    """

    value: Array
    link_usd: Array
    yard_usd: Array
    price: Array
    order_usd: Array
    wagons: Array
    bound: float


@dataclass(frozen=True)
class Tolled:
    """Costs with the prices of train paths and yards: empty runs (e, days), nights (sites, days), loaded runs (c,)."""

    empty_usd: Array
    night_usd: Array
    choice_usd: Array


class Bounds:
    """Turns any values into valid ones and into a bound."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def tolls(self, link_usd: Array) -> Array:
        """(e, days) cost of empty runs with the prices of train paths."""
        return self.layout.empty_usd[:, None] + _summed(link_usd, self.layout.empty_links)

    def tolled(self, link_usd: Array, yard_usd: Array) -> Tolled:
        """What everything costs with prices of train paths and yards not below zero."""
        lay = self.layout
        night = np.repeat(lay.site_night_usd[:, None], lay.days, axis=1)
        in_yard = lay.site_yard >= 0
        night[in_yard] += yard_usd[lay.site_yard[in_yard]]
        choice = lay.choice_usd + _summed(link_usd, lay.choice_links)[lay.choice_move, lay.choice_day]
        return Tolled(self.tolls(link_usd), night, choice)

    def reduced_usd(self, value: Array, link_usd: Array) -> Array:
        """(e, days) cost of empty runs, plus the value left, less the value reached; for values (sites, days)."""
        lay = self.layout
        padded = np.concatenate([value, np.zeros((lay.num_sites, int(lay.empty_days.max(initial=0))))], axis=1)
        arrive = np.arange(lay.days)[None, :] + lay.empty_days[:, None]
        left = padded[lay.empty_from, : lay.days]
        return np.asarray(self.tolls(link_usd) + left - padded[lay.empty_to[:, None], arrive])

    def prices(self, value: Array, link_usd: Array | None = None, yard_usd: Array | None = None) -> Prices:
        """Valid prices from values (states,), and prices of links and yards; those below 0 count as 0."""
        lay = self.layout
        link_usd = np.zeros((len(lay.link_limit), lay.days)) if link_usd is None else np.maximum(link_usd, 0.0)
        yard_usd = np.zeros((len(lay.yard_room), lay.days)) if yard_usd is None else np.maximum(yard_usd, 0.0)
        tolled = self.tolled(link_usd, yard_usd)
        valid = np.reshape(value, (lay.num_sites, lay.days)).astype(float)
        arcs = (
            lay.days, lay.site_first, tolled.night_usd, lay.site_hire_usd, lay.empty_start, lay.empty_to,
            lay.empty_days, np.where(lay.shut, np.inf, tolled.empty_usd) if lay.shut.any() else tolled.empty_usd,
        )  # fmt: skip
        lower_values(valid, *arcs)
        raise_values(valid, *arcs)
        flat = valid.ravel()
        price = tolled.choice_usd + flat[lay.choice_tail] - np.where(lay.choice_head >= 0, flat[lay.choice_head], 0.0)
        order_usd, wagons = cheapest_loads(
            price, lay.choice_start, lay.choice_type, lay.load_t, lay.quantity_t, lay.most_t, lay.unserved_usd
        )
        rent = float((link_usd * lay.link_limit[:, None]).sum() + (yard_usd * lay.yard_room[:, None]).sum())
        bound = float(order_usd.sum() - lay.supply @ flat) - rent + lay.owed_usd
        return Prices(flat, link_usd, yard_usd, price, order_usd, wagons, bound)


def _summed(link_usd: Array, links: Links) -> Array:
    """(moves, days) sum of the prices over the links of each move."""
    moves = len(links.pointers) - 1
    priced: Array = np.any(link_usd, axis=1)
    kept = np.flatnonzero(np.asarray(priced)[links.number])
    column = np.searchsorted(links.pointers, kept, side="right") - 1
    usage = csr_array((links.weight[kept], (column, links.number[kept])), shape=(moves, len(link_usd)))
    return np.asarray(usage @ link_usd)
