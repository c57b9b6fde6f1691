"""The wagon programme over some days and orders as arrays: amounts, prices, and the rows that make orders whole."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import csc_array

from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand

EVEN = 1e-7
"""A share of a wagon that counts as none."""


@dataclass
class Amounts:
    """Wagons, whole or not: loaded runs (c,), empty runs (e, days), standing and on hire (states,)."""

    choice: Array
    empty: Array
    stand: Array
    hire: Array

    @staticmethod
    def none(layout: Layout) -> Amounts:
        empty = np.zeros((len(layout.empty_usd), layout.days))
        return Amounts(np.zeros(len(layout.choice_usd)), empty, *(np.zeros(layout.num_states) for _ in range(2)))

    def before(self, layout: Layout, day: int, orders: Array) -> Amounts:
        """What starts before a day, and the loaded runs of the orders left out of ``orders``."""
        early = np.arange(layout.num_states) % layout.days < day
        empty = self.empty.copy()
        empty[:, day:] = 0
        choice = np.where(orders[layout.choice_order], 0.0, self.choice)
        return Amounts(choice, empty, np.where(early, self.stand, 0.0), np.where(early, self.hire, 0.0))


@dataclass(frozen=True)
class Part:
    """Flows that start from ``first`` and before ``last``, and orders (mask) whose loaded runs are free."""

    first: int
    last: int
    orders: Array


@dataclass(frozen=True)
class Solved:
    """
    Amounts of the part, and prices: values (states,), links and yards by day. Zero outside the part.

    ``order_usd`` are the prices of the rows of orders, ``tonnes`` what they leave and take too much, ``primal_weight``
    the ratio of dual to primal steps with which gradient steps ended; None: not by gradient steps.
    """

    amounts: Amounts
    value: Array
    link_usd: Array
    yard_usd: Array
    order_usd: Array
    tonnes: Array
    primal_weight: float | None = None


@dataclass(frozen=True)
class Programme:
    """
    A part as arrays. Columns: nights, hires, loaded runs, empty runs, unserved and spare tonnes of orders; rows:
    states, orders, their roundings, train paths, yards.
    """

    matrix: csc_array
    cost: Array
    lower: Array
    upper: Array
    row_lower: Array
    row_upper: Array
    nights: Array
    hires: Array
    choices: Array
    runs: tuple[Array, Array]
    orders: Array
    inside: Array
    cuts: slice
    links: tuple[Array, Array]
    yards: tuple[Array, Array]
    whole: bool

    @property
    def first_choice(self) -> int:
        return len(self.nights) + len(self.hires)

    def highs(self) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = self.matrix.shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self.cost, self.lower, self.upper
        lp.row_lower_, lp.row_upper_ = self.row_lower, self.row_upper
        if self.whole:
            kinds = np.zeros(lp.num_col_, dtype=bool)
            kinds[self.first_choice : self.first_choice + len(self.choices)] = True
            lp.integrality_ = [highspy.HighsVarType.kInteger if k else highspy.HighsVarType.kContinuous for k in kinds]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = self.matrix.indptr
        lp.a_matrix_.index_, lp.a_matrix_.value_ = self.matrix.indices, self.matrix.data
        return lp

    def read(self, layout: Layout, primal: Array, dual: Array) -> Solved:
        """Amounts and prices of a solution."""
        cuts = np.cumsum([len(self.nights), len(self.hires), len(self.choices), len(self.runs[0])])
        amounts = Amounts.none(layout)
        amounts.stand[self.nights], amounts.hire[self.hires], amounts.choice[self.choices], amounts.empty[self.runs] = (
            np.maximum(part, 0.0) for part in np.split(primal[: cuts[-1]], cuts[:-1])
        )
        rows = np.cumsum([int(self.inside.sum()), len(self.orders)])
        at = self.cuts.stop
        value = np.zeros(layout.num_states)
        value[self.inside] = dual[: rows[0]]
        link_usd = np.zeros((len(layout.link_limit), layout.days))
        yard_usd = np.zeros((len(layout.yard_room), layout.days))
        link_usd[self.links] = np.maximum(0.0, -dual[at : at + len(self.links[0])])
        yard_usd[self.yards] = np.maximum(0.0, -dual[at + len(self.links[0]) :])
        return Solved(amounts, value, link_usd, yard_usd, dual[rows[0] : at], primal[cuts[-1] :])

    def write(self, layout: Layout, solved: Solved) -> tuple[Array, Array]:
        """The columns and rows of an earlier solution of the same part, with other runs, links and yards perhaps."""
        amounts = solved.amounts
        primal = [amounts.stand[self.nights], amounts.hire[self.hires], amounts.choice[self.choices]]
        prices = [-solved.link_usd[self.links], -solved.yard_usd[self.yards]]
        return (
            np.concatenate([*primal, amounts.empty[self.runs], solved.tonnes]),
            np.concatenate([solved.value[self.inside], solved.order_usd, *prices]),
        )


def order_rows(layout: Layout) -> tuple[Array, ...]:
    """Rounding rows (6) and (7) of every order and load: row, choice, weight; order, weight of unserved, limits."""
    lay = layout
    rows, columns, weights = list[Array](), list[Array](), list[Array]()
    order_of, slack, low, high = list[int](), list[float](), list[float](), list[float]()
    load = lay.load_t[lay.choice_type]
    for order in range(lay.num_orders):
        mine = np.arange(lay.choice_start[order], lay.choice_start[order + 1])
        loads = np.unique(load[mine])
        for unit in loads:
            share = load[mine] / unit
            whole = np.floor(share + EVEN)
            rest = np.maximum(share - whole, 0.0)
            need, most = lay.quantity_t[order] / unit, lay.most_t[order] / unit
            part, spare = need - np.floor(need + EVEN), most - np.floor(most + EVEN)
            if part > EVEN:
                rows.append(np.full(len(mine), len(order_of)))
                columns.append(mine)
                weights.append(whole + np.minimum(1.0, rest / part))
                order_of.append(order)
                slack.append(1 / (unit * part))
                low.append(np.ceil(need - EVEN))
                high.append(np.inf)
            if spare > EVEN or len(loads) == 1:
                rows.append(np.full(len(mine), len(order_of)))
                columns.append(mine)
                weights.append(whole + np.maximum(0.0, rest - spare) / (1 - spare))
                order_of.append(order)
                slack.append(0.0)
                low.append(-np.inf)
                high.append(np.floor(most + EVEN))
    none = np.zeros(0)
    return (
        np.concatenate(rows or [none]).astype(np.int64), np.concatenate(columns or [none]).astype(np.int64),
        np.concatenate(weights or [none]), np.array(order_of, dtype=np.int64), np.array(slack),
        np.array(low), np.array(high),
    )  # fmt: skip


def link_use(layout: Layout, choice: Array, empty: Array) -> Array:
    """(links, days) what is used of each scarce link and direction by day of departure."""
    use = np.zeros((len(layout.link_limit), layout.days))
    used = np.flatnonzero(choice)
    column, link, weight = expand(layout.choice_links, layout.choice_move[used])
    np.add.at(use, (link, layout.choice_day[used][column]), weight * choice[used][column])
    move, day = np.nonzero(empty)
    column, link, weight = expand(layout.empty_links, move)
    np.add.at(use, (link, day[column]), weight * empty[move, day][column])
    return use


def yard_use(layout: Layout, stand: Array) -> Array:
    """(yards, days) wagons in each scarce yard."""
    use = np.zeros((len(layout.yard_room), layout.days))
    within = layout.site_yard >= 0
    np.add.at(use, layout.site_yard[within], stand.reshape(layout.num_sites, layout.days)[within])
    return use
