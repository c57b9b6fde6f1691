"""Wagons as one integer programme on the time-space network, in PuLP.

Sets: types k with places p (station and gauge) and days t; loaded moves m of order o, empty moves e; nights follow
days. Data: duration d, cost c of a move per wagon, night cost n, hire rate h, supply a of the fleet, load l_k, tonnes
q_o, penalty f_o. Variables: x[m,t], x[e,t] wagons leaving on day t; s[k,p,t] wagons standing the night after day t
(integers); r[k,p,t] wagons on hire from place p on day t (whole by (1)); u[o] tonnes unserved.

    min  sum c x + sum n s + sum h r + sum f u
    (1)  s[k,p,t-1] + arrivals + a[k,p,t] + r[k,p,t] - r[k,p,t-1] = departures + s[k,p,t]   type, place and day
    (2)  sum l x[m,t] + u[o] >= q_o                                                           tonnes of an order
    (3)  sum l x[m,t] < q_o + largest l of the suited types                                   no wagon too many
    (4)  sum of s at a station <= room of its yard                                            each night
    (5)  sum of w x over a link in one direction <= train paths x room of a train             day of departure
         with w wagons, gross tonnes or metres of a wagon                                     in each of the three
    (8)  m[k,t] = m[k,t-1] + left[k,t] + h' sum r[k,p,t] + M visits - wear of the runs        maintained types
    (6)  sum_j (floor g_j + min(1, e_j / f)) x_j + u[o] / (l_k f) >= ceil(q_o / l_k)          rounding of (2)
         with f the fraction of q_o / l_k, g_j = l_j / l_k, e_j the fraction of g_j           implied, tightens

A place p is a station, a gauge and the residue of the last load. m[k,t] >= 0 are the kilometres, or days under way,
left to the wagons of a type: a visit to a workshop gives back M, a wagon on hire brings h' a day, as its owner
maintains it.
(6) is the mixed-integer rounding cut (Nemhauser and Wolsey 1988). Only limits that can bind become rows (4) and (5).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pulp

from optimizer.models.rolling_stock.problem import WAGON_TABLES, RollingStock, frame
from optimizer.models.rolling_stock.wagons.moves import Move, Moves, Spot, wagon_moves
from optimizer.models.rolling_stock.wagons.rooms import weight
from optimizer.result import Solution

State = tuple[str, Spot, int]


@dataclass
class WagonModel:
    """The programme with the variables that make a plan."""

    moves: Moves
    programme: pulp.LpProblem
    run: dict[tuple[Move, int], Any] = field(default_factory=dict)
    stand: dict[State, Any] = field(default_factory=dict)
    hire: dict[State, Any] = field(default_factory=dict)
    unserved: dict[str, Any] = field(default_factory=dict)
    buy: dict[tuple[str, Spot], Any] = field(default_factory=dict)
    wear: dict[tuple[int, int], tuple[Any, Any]] = field(default_factory=dict)
    """Number of the wear and day -> what is left, and row (8)."""

    def ask_whole(self, kinds: Set[str]) -> None:
        """Make runs of some kinds whole, and wagons that stand for ``stand``; all others need not be."""
        for (move, _), variable in self.run.items():
            variable.cat = pulp.LpInteger if move.kind in kinds else pulp.LpContinuous
        for variable in self.stand.values():
            variable.cat = pulp.LpInteger if "stand" in kinds else pulp.LpContinuous

    def chosen(self) -> tuple[dict[tuple[Move, int], int], dict[State, int]]:
        """Runs, and wagons on hire, that the values of the variables come to, rounded."""
        runs = {key: units for key, v in self.run.items() if (units := round(v.value())) > 0}
        on_hire = {key: units for key, v in self.hire.items() if (units := round(v.value())) > 0}
        return runs, on_hire


def _name(*parts: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(str(part) for part in parts))


def build(
    problem: RollingStock, moves: Moves | None = None, buy_usd: Mapping[tuple[str, Spot], float] | None = None
) -> WagonModel:
    """State the programme of the module docstring for a problem of kind wagons.

    ``buy_usd`` opens whole wagons to buy, at so much each, that stand at a spot from its first day on.
    """
    moves = moves or wagon_moves(problem)
    model = WagonModel(moves, pulp.LpProblem("rolling_stock", pulp.LpMinimize))
    for number, (wagon_id, spot) in enumerate(buy_usd or {}):
        name = _name("buy", wagon_id, spot.node_id, spot.gauge_mm, number)
        model.buy[wagon_id, spot] = model.programme.add_variable(name, 0, None, pulp.LpInteger)
    _add_variables(model, problem.serve_all)
    if buy_usd:
        model.programme.setObjective(
            model.programme.objective + pulp.LpAffineExpression([(model.buy[key], usd) for key, usd in buy_usd.items()])
        )
    _balance_stock(model)
    _carry_orders(model)
    _fit_yards(model)
    _fit_links(model)
    _keep_maintained(model)
    return model


def _add_variables(model: WagonModel, serve_all: bool) -> None:
    moves, programme = model.moves, model.programme
    cost: list[tuple[Any, float]] = []
    if moves.owed_usd:
        cost.append((programme.add_variable("owed", 1, 1), float(moves.owed_usd)))
    for kind in moves.types.values():
        most = (
            None if kind.hire_usd else kind.most
        )  # a price keeps it down by itself, and bounds slow the solver's cuts
        for number, (place, first) in enumerate(kind.first_day.items()):
            for day in range(first, moves.days):
                name = _name(kind.wagon_id, place[0], place[1], number, f"d{day}")
                state = kind.wagon_id, place, day
                model.stand[state] = programme.add_variable(f"stand_{name}", 0, None, pulp.LpInteger)
                cost.append((model.stand[state], float(kind.night_usd[place])))
                if place in kind.hire_places:
                    model.hire[state] = programme.add_variable(f"hire_{name}", 0, most)
                    cost.append((model.hire[state], float(kind.hire_usd)))
    for number, move in enumerate((*moves.loaded, *moves.empty)):
        for day in moves.departures(move):
            name = _name(move.order_id or "empty", move.wagon_id, move.start[0], move.end[0], number, f"d{day}")
            model.run[move, day] = programme.add_variable(f"run_{name}", 0, None, pulp.LpInteger)
            cost.append((model.run[move, day], float(move.usd)))
    for number, order in enumerate(moves.orders.values()):
        left = 0.0 if serve_all else float(order.quantity_t)
        name = _name("unserved", order.order_id, number)
        model.unserved[order.order_id] = programme.add_variable(name, 0, left)
        cost.append((model.unserved[order.order_id], float(order.unserved_usd)))
    programme.setObjective(pulp.LpAffineExpression(cost))


def _balance_stock(model: WagonModel) -> None:
    """(1) Wagons of a type at a place: those of last night, arrivals, fleet and hire leave or stand."""
    net: dict[State, list[tuple[Any, int]]] = defaultdict(list)
    for (move, day), variable in model.run.items():
        net[move.wagon_id, move.start, day].append((variable, -1))
        if day + move.days < model.moves.days:
            net[move.wagon_id, move.end, day + move.days].append((variable, 1))
    for number, (state, standing) in enumerate(model.stand.items()):
        wagon_id, place, day = state
        terms = [*net[state], (standing, -1)]
        for variables in (model.stand, model.hire):
            before = variables.get((wagon_id, place, day - 1))
            if before is not None:
                terms.append((before, 1 if variables is model.stand else -1))
        if state in model.hire:
            terms.append((model.hire[state], 1))
        if (wagon_id, place) in model.buy and day == model.moves.types[wagon_id].first_day[place]:
            terms.append((model.buy[wagon_id, place], 1))
        supply = model.moves.types[wagon_id].supply.get((place, day), 0)
        name = _name("stock", wagon_id, place[0], place[1], f"d{day}", number)
        model.programme.addConstraint(pulp.LpAffineExpression(terms) == -supply, name)


def _carry_orders(model: WagonModel) -> None:
    """(2), (3) and (6) Wagons of each order."""
    leaving: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (move, _), variable in model.run.items():
        if move.order_id:
            leaving[move.order_id][move.wagon_id].append(variable)
    for number, order in enumerate(model.moves.orders.values()):
        by_type, name = leaving[order.order_id], _name(order.order_id, number)
        loads = {wagon_id: model.moves.types[wagon_id].load_t for wagon_id in by_type}
        total = [(v, float(loads[wagon_id])) for wagon_id, variables in by_type.items() for v in variables]
        unserved = model.unserved[order.order_id]
        covered = pulp.LpAffineExpression([*total, (unserved, 1)]) >= float(order.quantity_t)
        model.programme.addConstraint(covered, f"carry_{name}")
        if not loads:
            continue
        enough = float(order.most_t)
        model.programme.addConstraint(pulp.LpAffineExpression(total) <= enough, f"enough_{name}")
        for load in sorted(set(loads.values())):
            wagons = order.quantity_t / load
            part = wagons - floor(wagons)
            if part:
                counts = {
                    k: float(floor(mine / load) + min(Fraction(1), (mine / load % 1) / part))
                    for k, mine in loads.items()
                }
                terms = [(v, counts[k]) for k, variables in by_type.items() for v in variables]
                rounded = pulp.LpAffineExpression([*terms, (unserved, float(1 / (load * part)))]) >= ceil(wagons)
                model.programme.addConstraint(rounded, _name("round", name, load))


def _fit_yards(model: WagonModel) -> None:
    """(4) Wagons of all types and gauges in a yard each night."""
    standing: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for (_, place, day), variable in model.stand.items():
        if place[0] in model.moves.yard_room:
            standing[place[0], day].append(variable)
    for number, ((node, day), variables) in enumerate(standing.items()):
        rule = pulp.lpSum(variables) <= model.moves.yard_room[node]
        model.programme.addConstraint(rule, _name("yard", node, f"d{day}", number))


def _fit_links(model: WagonModel) -> None:
    """(5) Wagons, gross tonnes and metres over a link and direction, counted on the day their run departs."""
    passing: dict[tuple[str, bool, int], list[tuple[Move, Any]]] = defaultdict(list)
    for (move, day), variable in model.run.items():
        for link_id, backward in move.way.links:
            if link_id in model.moves.link_room:
                passing[link_id, backward, day].append((move, variable))
    for number, ((link_id, backward, day), users) in enumerate(passing.items()):
        side = "back" if backward else "forth"
        for unit, limit in model.moves.link_room[link_id].limit.items():
            terms = [
                (variable, float(weight(model.moves.types[move.wagon_id], bool(move.order_id), unit)))
                for move, variable in users
            ]
            most = floor(limit) if unit == "wagons" else float(limit)
            rule = pulp.LpAffineExpression(terms) <= most
            model.programme.addConstraint(rule, _name("paths", link_id, side, unit, f"d{day}", number))


def _keep_maintained(model: WagonModel) -> None:
    """(8) The kilometres, or days under way, left to the wagons of a type never run out."""
    for number, wear in enumerate(model.moves.wear):
        taken: dict[int, list[tuple[Any, float]]] = defaultdict(list)
        for (move, day), variable in model.run.items():
            if move.wagon_id == wear.wagon_id and wear.of(move):
                taken[day].append((variable, -float(wear.of(move))))
        for (wagon_id, _, day), variable in model.hire.items():
            if wagon_id == wear.wagon_id:
                taken[day].append((variable, float(wear.hired)))
        for (wagon_id, spot), variable in model.buy.items():
            if wagon_id == wear.wagon_id:
                taken[model.moves.types[wagon_id].first_day[spot]].append((variable, float(wear.every)))
        before: Any = None
        for day in range(model.moves.days):
            name = _name(wear.unit, "left", wear.wagon_id, f"d{day}", number)
            rest = model.programme.add_variable(name, 0)
            terms = [*taken[day], (rest, -1), *([(before, 1)] if before is not None else [])]
            rule = pulp.LpAffineExpression(terms) == -float(wear.left.get(day, 0))
            model.programme.addConstraint(rule, f"wear_{name}")
            model.wear[number, day] = rest, rule
            before = rest


def plan_tables(moves: Moves, runs: dict[tuple[Move, int], int], on_hire: dict[State, int]) -> Solution:
    """Solution tables of chosen runs and of the wagons on hire by place and day; unserved tonnes follow."""
    rows: list[dict[str, Any]] = [] if moves.past is None else moves.past["runs"].to_dict("records")
    carried: dict[str, Fraction] = defaultdict(Fraction)
    chosen = [(move, day, count) for (move, day), count in runs.items() if count > 0]
    for move, day, count in sorted(chosen, key=lambda c: (c[1], c[0].wagon_id, c[0].order_id, c[0].start, c[0].end)):
        if move.order_id:
            carried[move.order_id] += moves.types[move.wagon_id].load_t * count
        rows.append(
            {
                "run_id": f"R{moves.first}.{len(rows) + 1}" if moves.first else f"R{len(rows) + 1}",
                "kind": move.kind,
                "wagon_id": move.wagon_id,
                "order_id": move.order_id,
                "from_node": move.start[0],
                "from_gauge": move.start[1],
                "residue": move.start.residue,
                "to_node": move.end[0],
                "to_gauge": move.end[1],
                "depart_day": day,
                "arrive_day": day + move.days,
                "wagons": count,
                "path": move.way.path,
            }
        )
    hires = [] if moves.past is None else moves.past["hires"].to_dict("records")
    began = {(*key, moves.first - 1): units for key, units in moves.hired.items()}
    on_hire = {**on_hire, **began}
    after = {(wagon_id, place, day + 1) for wagon_id, place, day in on_hire if day + 1 < moves.days}
    for wagon_id, place, day in sorted(after | set(on_hire)):
        change = on_hire.get((wagon_id, place, day), 0) - on_hire.get((wagon_id, place, day - 1), 0)
        if change and day >= moves.first:
            kind = "on" if change > 0 else "off"
            row = {"wagon_id": wagon_id, "node_id": place[0], "gauge_mm": place[1], "day": day}
            hires.append({**row, "change": kind, "units": abs(change)})
    left = {o.order_id: max(Fraction(0), o.quantity_t - carried[o.order_id]) for o in moves.orders.values()}
    left |= moves.lost_t
    unserved = [{"order_id": order_id, "quantity_t": float(tonnes)} for order_id, tonnes in left.items() if tonnes]
    tables = {"runs": rows, "hires": hires, "unserved": unserved}
    return {name: frame(tables[name], model) for name, model in WAGON_TABLES.items()}


def plan_cost(moves: Moves, runs: dict[tuple[Move, int], int], on_hire: dict[State, int]) -> Fraction:
    """Exact cost of chosen runs and hires, USD."""
    # Whole numbers are added up first: a sum of so many fractions takes its time.
    cost, nights = moves.owed_usd, defaultdict[tuple[str, Spot], int](int)
    wagons, loads = defaultdict[Move, int](int), defaultdict[tuple[str, str], int](int)

    def stands_from(wagon_id: str, place: Spot, day: int, units: int) -> None:
        if day < moves.days:
            nights[wagon_id, place] += units * (moves.days - day)

    for kind in moves.types.values():
        for (place, day), units in kind.supply.items():
            stands_from(kind.wagon_id, place, day, units)
    for (move, day), count in runs.items():
        wagons[move] += count
        stands_from(move.wagon_id, move.start, day, -count)
        stands_from(move.wagon_id, move.end, day + move.days, count)
        if move.order_id:
            loads[move.order_id, move.wagon_id] += count
    for (wagon_id, place, day), units in on_hire.items():
        cost += moves.types[wagon_id].hire_usd * units
        stands_from(wagon_id, place, day, units)
        stands_from(wagon_id, place, day + 1, -units)
    cost += sum((move.usd * count for move, count in wagons.items()), Fraction(0))
    cost += sum((moves.types[k].night_usd[place] * units for (k, place), units in nights.items()), Fraction(0))
    left = {order.order_id: order.quantity_t for order in moves.orders.values()}
    for (order_id, wagon_id), count in loads.items():
        left[order_id] -= moves.types[wagon_id].load_t * count
    return cost + sum(moves.orders[o].unserved_usd * max(Fraction(0), tonnes) for o, tonnes in left.items())
