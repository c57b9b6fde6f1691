"""The wagon programme over some days and orders, with wagon values at the edge: relaxation, or whole loaded runs.

It is the programme of :mod:`exact` over a growing part of its columns and rows: nights, hires and loaded runs, and
those empty runs, yards and train paths that the prices of the last round ask for. A *part* of it are the flows that
start on the days ``first <= t < last`` and the loaded runs of some orders; what starts before is fixed, and a wagon
that comes out behind is worth its value there. Orders have, besides (6), the rounding of (3):

    (7)  sum_j (floor g_j + max(0, e_j - s) / (1 - s)) x_j <= floor(m_o / l_k)
         with m_o the largest sum of loads, s the fraction of m_o / l_k                  implied, tightens
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array, csc_matrix

from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock.wagons.bounds import Bounds
from optimizer.models.rolling_stock.wagons.layout import Array, Layout, expand
from optimizer.models.rolling_stock.wagons.programme import (
    Amounts,
    Part,
    Programme,
    Solved,
    link_use,
    order_rows,
    yard_use,
)
from optimizer.solvers.highs import THREADS, make_highs, run_highs

NEAREST, NEAREST_DEPOTS = 3, 12
"""Empty runs of the first round: from each site to so many nearest sites, and to hire places among so many nearest."""
TOLERANCE_USD = 1e-3
COMPANY_USD = 2.0
"""An empty move that a price asks for on one day is let in on days on which it costs at most this much too much."""
DEAR_USD = 100.0
"""Empty runs that cost so much too much leave the programme of the gradient method."""
MOST_PER_STATE = 2
"""Empty runs let in at a state in one round."""
WHOLE = {"mip_max_nodes": 200, "mip_max_stall_nodes": 100}
"""Work of a search for whole loaded runs."""
RELAXED = {"solver": "ipm", "run_crossover": "off", "ipm_optimality_tolerance": 1e-5}


class Relaxation:
    """The growing programme; parts of it are solved."""

    def __init__(self, layout: Layout, bounds: Bounds) -> None:
        self.layout, self.bounds = layout, bounds
        self.active = self._nearest()
        self.link_rows = np.zeros((len(layout.link_limit), layout.days), dtype=bool)
        self.yard_rows = np.zeros((len(layout.yard_room), layout.days), dtype=bool)

    def _nearest(self) -> Array:
        lay = self.layout
        rank = np.zeros(len(lay.empty_usd), dtype=np.int64)
        order = np.lexsort((lay.empty_usd, lay.empty_from))
        rank[order] = np.arange(len(order)) - lay.empty_start[lay.empty_from[order]]
        depot = np.isfinite(lay.site_hire_usd)[lay.empty_to]
        return np.asarray(((rank < NEAREST) | depot & (rank < NEAREST_DEPOTS))[:, None] & self.layout.possible)

    @cached_property
    def _night_states(self) -> Array:
        lay = self.layout
        state = np.arange(lay.num_states)
        return state[state % lay.days >= np.repeat(lay.site_first, lay.days)]

    @property
    def num_roundings(self) -> int:
        """Rows (6) and (7) of all orders."""
        return len(self._order_rows[3])

    @cached_property
    def _order_rows(self) -> tuple[Array, ...]:
        return order_rows(self.layout)

    def everything(self) -> Part:
        """The whole programme."""
        return Part(0, self.layout.days, np.ones(self.layout.num_orders, dtype=bool))

    def solve(
        self,
        part: Part,
        fixed: Amounts,
        value: Array,
        options: SolveOptions,
        serve_all: bool = False,
        whole: tuple[Array, Array] | None = None,
        start: Amounts | None = None,
    ) -> Solved | None:
        """
        Solve a part.

        Parameters
        ----------
        fixed
            What starts before the part, and loaded runs of other orders.
        value
            (states,) worth of a wagon behind the part.
        whole
            (c,) least and largest wagons of the loaded runs, which are then whole; None for the relaxation.
        start
            Plan to start a search for whole loaded runs from.

        Returns
        -------
        Solved, or None when it was cut short. With ``whole`` the prices are zero.
        """
        programme = self._programme(part, fixed, value, serve_all, whole)
        highs = make_highs(options, WHOLE if whole is not None else RELAXED)
        highs.passModel(programme.highs())
        lay, choices = self.layout, programme.choices
        if start is not None:
            known = programme.first_choice + np.arange(len(choices))
            highs.setSolution(len(known), known.astype(np.int32), start.choice[choices].astype(float))
        outcome = run_highs(highs, options, whole is not None, 0.0)
        if not outcome.status.has_plan or (whole is None and outcome.bound is None):
            return None
        solution = highs.getSolution()
        dual = np.array(solution.row_dual) if whole is None else np.zeros(len(programme.row_lower))
        return programme.read(lay, np.array(solution.col_value), dual)

    def approach(self, start: Solved | None, options: SolveOptions, steps: int, keep_weight: bool = False) -> Solved:
        """
        Near the optimum of everything by steps of the primal-dual hybrid gradient method, from a start.

        For programmes too large for the interior point method (Applegate et al. 2021); a few per thousand off.
        Steps that go on with the primal weight of the start bring amounts nearer to the rules, steps that find one
        anew the prices.
        """
        from ortools.pdlp import solvers_pb2
        from ortools.pdlp.python import pdlp

        nothing, behind = Amounts.none(self.layout), np.zeros(self.layout.num_states)
        programme = self._programme(self.everything(), nothing, behind, False, None)
        quadratic = pdlp.QuadraticProgram()
        quadratic.resize_and_initialize(programme.matrix.shape[1], programme.matrix.shape[0])
        quadratic.objective_vector = programme.cost
        quadratic.constraint_matrix = csc_matrix(programme.matrix)
        quadratic.constraint_lower_bounds, quadratic.constraint_upper_bounds = programme.row_lower, programme.row_upper
        quadratic.variable_lower_bounds, quadratic.variable_upper_bounds = programme.lower, programme.upper
        parameters = solvers_pb2.PrimalDualHybridGradientParams(num_threads=THREADS)
        parameters.termination_criteria.iteration_limit = steps
        parameters.termination_criteria.simple_optimality_criteria.eps_optimal_relative = 1e-6
        if options.time_limit_s is not None:
            parameters.termination_criteria.time_sec_limit = options.time_limit_s
        parameters.record_iteration_stats = True
        if keep_weight and start is not None and start.primal_weight is not None:
            parameters.initial_primal_weight = start.primal_weight
        begin = None
        if start is not None:
            begin = pdlp.PrimalAndDualSolution()
            begin.primal_solution, begin.dual_solution = programme.write(self.layout, start)
        found = pdlp.primal_dual_hybrid_gradient(quadratic, parameters, begin)
        weights = [step.primal_weight for step in found.solve_log.iteration_stats]
        solved = programme.read(self.layout, found.primal_solution, found.dual_solution)
        return replace(solved, primal_weight=weights[-1] if weights else None)

    def _programme(
        self, part: Part, fixed: Amounts, value: Array, serve_all: bool, whole: tuple[Array, Array] | None
    ) -> Programme:
        lay, days = self.layout, self.layout.days
        inside = np.tile((np.arange(days) >= part.first) & (np.arange(days) < part.last), lay.num_sites)
        row_of = np.cumsum(inside) - 1
        states = int(inside.sum())
        nights = self._night_states[inside[self._night_states]]
        hires = nights[np.isfinite(lay.site_hire_usd)[nights // days]]
        choices = np.flatnonzero(part.orders[lay.choice_order])
        move, day = np.nonzero(self.active)
        within = (day >= part.first) & (day < part.last)
        move, day = move[within], day[within]
        after = np.where((np.arange(lay.num_states) + 1) % days, np.arange(lay.num_states) + 1, -1)
        runs = lay.empty_from[move] * days + day
        tail = np.concatenate([nights, after[hires], lay.choice_tail[choices], runs])
        head = np.concatenate(
            [after[nights], hires, lay.choice_head[choices], runs + (lay.empty_to[move] - lay.empty_from[move]) * days
             + lay.empty_days[move]]
        )  # fmt: skip
        cost = np.concatenate(
            [lay.site_night_usd[nights // days], lay.site_hire_usd[hires // days], lay.choice_usd[choices],
             lay.empty_usd[move]]
        )  # fmt: skip
        cuts = np.cumsum([len(nights), len(hires), len(choices), len(move)])
        first_choice, first_empty, arcs = int(cuts[1]), int(cuts[2]), int(cuts[3])
        worth = np.append(value, 0.0)  # state -1 lies behind the horizon
        in_tail, in_head = inside[tail] & (tail >= 0), inside[head] & (head >= 0)
        cost = cost + np.where(in_tail, 0.0, worth[tail]) - np.where(in_head, 0.0, worth[head])

        orders = np.flatnonzero(part.orders)
        row_of_order = np.cumsum(part.orders) - 1
        every = np.arange(len(orders))
        column = np.arange(arcs)
        choice_column = np.full(len(lay.choice_usd), -1)
        choice_column[choices] = first_choice + np.arange(len(choices))
        rows = [row_of[tail[in_tail]], row_of[head[in_head]], states + row_of_order[lay.choice_order[choices]]]
        columns = [column[in_tail], column[in_head], choice_column[choices]]
        values = [-np.ones(in_tail.sum()), np.ones(in_head.sum()), lay.load_t[lay.choice_type[choices]]]
        rows += [states + every, states + every]
        columns += [arcs + every, arcs + len(orders) + every]
        values += [np.ones(len(orders)), -np.ones(len(orders))]
        at = states + len(orders)
        cut_row, cut_choice, cut_weight, cut_order, cut_slack, cut_low, cut_high = self._order_rows
        mine = part.orders[cut_order]
        new_row = np.cumsum(mine) - 1
        kept = mine[cut_row]
        rows += [at + new_row[cut_row[kept]], at + np.arange(mine.sum())]
        columns += [choice_column[cut_choice[kept]], arcs + row_of_order[cut_order[mine]]]
        values += [cut_weight[kept], cut_slack[mine]]
        at += int(mine.sum())

        links, yards, entries = self._room_entries(part, choices, first_choice, move, day, first_empty, nights)
        (link, link_day), (yard, yard_day) = np.nonzero(links), np.nonzero(yards)
        rows.append(at + entries[0])
        columns.append(entries[1])
        values.append(entries[2])
        room = np.concatenate([
            np.maximum(0.0, lay.link_limit[link] - link_use(lay, fixed.choice, fixed.empty)[link, link_day]),
            lay.yard_room[yard],
        ])  # fmt: skip
        matrix = csc_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(at + len(room), arcs + 2 * len(orders)),
        )
        supply = (lay.supply + self._carried_over(fixed))[inside]
        columns_all = arcs + 2 * len(orders)
        lower, upper = np.zeros(columns_all), np.full(columns_all, np.inf)
        upper[arcs : arcs + len(orders)] = 0.0 if serve_all else lay.quantity_t[orders]
        upper[arcs + len(orders) :] = np.maximum(lay.most_t - lay.quantity_t, 0.0)[orders]
        if whole is not None:
            lower[first_choice:first_empty], upper[first_choice:first_empty] = (bound[choices] for bound in whole)
        return Programme(
            matrix=matrix, cost=np.concatenate([cost, lay.unserved_usd[orders], np.zeros(len(orders))]),
            lower=lower, upper=upper,
            row_lower=np.concatenate([-supply, lay.quantity_t[orders], cut_low[mine], np.full(len(room), -np.inf)]),
            row_upper=np.concatenate([-supply, lay.quantity_t[orders], cut_high[mine], room]),
            nights=nights, hires=hires, choices=choices, runs=(move, day), orders=orders, inside=inside,
            cuts=slice(states + len(orders), at), links=(link, link_day), yards=(yard, yard_day),
            whole=whole is not None,
        )  # fmt: skip

    def _carried_over(self, fixed: Amounts) -> Array:
        """(states,) wagons that fixed flows bring, less those they take."""
        lay, days = self.layout, self.layout.days
        change = np.zeros(lay.num_states)
        used = np.flatnonzero(fixed.choice)
        np.subtract.at(change, lay.choice_tail[used], fixed.choice[used])
        arrive = used[lay.choice_head[used] >= 0]
        np.add.at(change, lay.choice_head[arrive], fixed.choice[arrive])
        move, day = np.nonzero(fixed.empty)
        amount = fixed.empty[move, day]
        np.subtract.at(change, lay.empty_from[move] * days + day, amount)
        np.add.at(change, lay.empty_to[move] * days + day + lay.empty_days[move], amount)
        last = np.arange(lay.num_states) % days == days - 1
        for flow, sign in ((fixed.stand, 1.0), (fixed.hire, -1.0)):
            change -= sign * flow
            change[1:] += sign * np.where(last, 0.0, flow)[:-1]
        return change

    def _room_entries(
        self, part: Part, choices: Array, first_choice: int, move: Array, day: Array, first_empty: int, nights: Array
    ) -> tuple[Array, Array, tuple[Array, Array, Array]]:
        """Train paths and yards in force for a part (masks by day); row, column and weight of their entries."""
        lay = self.layout
        when = (np.arange(lay.days) >= part.first)[None, :]
        links, yards = self.link_rows & when, self.yard_rows & when & (np.arange(lay.days) < part.last)[None, :]
        number = np.cumsum(links.ravel()).reshape(links.shape) - 1
        rows, columns, weights = [], [], []
        for pointers, moves, on_day, base in (
            (lay.choice_links, lay.choice_move[choices], lay.choice_day[choices], first_choice),
            (lay.empty_links, move, day, first_empty),
        ):
            column, link, weight = expand(pointers, moves)
            kept = links[link, on_day[column]]
            rows.append(number[link[kept], on_day[column[kept]]])
            columns.append(base + column[kept])
            weights.append(weight[kept])
        if len(lay.yard_room):
            yard, night = lay.site_yard[nights // lay.days], nights % lay.days
            kept = (yard >= 0) & yards[yard, night]
            in_yard = np.cumsum(yards.ravel()).reshape(yards.shape) - 1
            rows.append(int(links.sum()) + in_yard[yard[kept], night[kept]])
            columns.append(np.flatnonzero(kept))
            weights.append(np.ones(len(columns[-1])))
        return links, yards, (np.concatenate(rows), np.concatenate(columns), np.concatenate(weights))

    def shrink(self, solved: Solved) -> None:
        """Let go of empty runs that are not used and far too dear at the prices found."""
        lay = self.layout
        cost = self.bounds.reduced_usd(solved.value.reshape(lay.num_sites, lay.days), solved.link_usd)
        self.active &= (cost < DEAR_USD) | (solved.amounts.empty > 0)

    def grow(self, part: Part, solved: Solved, fixed: Amounts, value: Array) -> int:
        """Let in the empty runs, links and yards that a part asks for; how many."""
        lay, days = self.layout, self.layout.days
        when = (np.arange(days) >= part.first) & (np.arange(days) < part.last)
        choice, empty = solved.amounts.choice + fixed.choice, solved.amounts.empty + fixed.empty
        over = (link_use(lay, choice, empty) > lay.link_limit[:, None] + 1e-3) & ~self.link_rows
        full = (yard_use(lay, solved.amounts.stand) > lay.yard_room[:, None] + 1e-3) & ~self.yard_rows
        self.link_rows |= over
        self.yard_rows |= full
        worth = np.where(np.tile(when, lay.num_sites), solved.value, value).reshape(lay.num_sites, days)
        cost = self.bounds.reduced_usd(worth, solved.link_usd)
        asked = (cost < -TOLERANCE_USD) & self.layout.possible & ~self.active & when[None, :]
        asked = _dearest(asked, cost, lay.empty_from, days)
        # Traffic is much the same on other days: there the move is let in as it stands.
        company = asked.any(axis=1, keepdims=True) & self.layout.possible & ((cost < COMPANY_USD) | ~when[None, :])
        self.active |= asked | company
        return int(over.sum() + full.sum() + asked.sum())


def _dearest(asked: Array, cost: Array, site: Array, days: int) -> Array:
    """Of the empty runs asked for (e, days), those that gain most at the state they leave."""
    move, day = np.nonzero(asked)
    state = site[move] * days + day
    order = np.lexsort((cost[move, day], state))
    state = state[order]
    rank = np.arange(len(order)) - np.searchsorted(state, state)
    kept = order[rank < MOST_PER_STATE]
    chosen = np.zeros_like(asked)
    chosen[move[kept], day[kept]] = True
    return chosen
