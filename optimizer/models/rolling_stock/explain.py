"""Why an order has its wagons, or a train its locomotives, what else could serve it, and what would change it.

What a change costs is found by solving the whole problem again with the order held to some types of wagon, or with
its tonnes worth more; every plan of a changed problem is one of the problem itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from optimizer.errors import UsageError, VerificationError, or_known
from optimizer.models.family import Explanation, Inquiry, Table
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import RouteBook
from optimizer.models.rolling_stock.wagons.moves import Moves, wagon_moves
from optimizer.models.rolling_stock.wagons.report import place_names
from optimizer.models.rolling_stock.wagons.unserved import type_reason, unserved_reasons
from optimizer.result import Outcome, Solution

TIME_LIMIT_S = 30.0
WORTH_ANYTHING_USD = 1e6
"""A tonne left behind, or a train cancelled, costs so much where it is asked at which price it would go."""


@dataclass(frozen=True)
class Choice:
    """A type of wagon for an order: USD per tonne of its loaded run by itself, or why it cannot serve it."""

    wagon_id: str
    load_t: float
    days: int | None
    usd_per_t: float | None
    wagons: int
    why_not: str


def explain(problem: RollingStock, solution: Solution, inquiry: Inquiry) -> Explanation:
    """
    Why the order, or the train of a locomotive plan, fares as it does.

    Raises
    ------
    UsageError
        No such order or train, or no such type of wagon.
    """
    inquiry = replace(
        inquiry, options=replace(inquiry.options, time_limit_s=inquiry.options.time_limit_s or TIME_LIMIT_S)
    )
    problem = problem.begun(solution)
    if problem.stock == "locomotives":
        return _explain_train(problem, solution, inquiry)
    orders = {row["order_id"]: row for row in problem.table("orders").to_dict("records")}
    order = _known("order", inquiry.subject, orders, "orders.csv")
    moves = wagon_moves(problem)
    choices = sorted(
        _choices(problem, moves, solution, order),
        key=lambda choice: (-choice.wagons, choice.usd_per_t is None, choice.usd_per_t or 0.0, choice.wagon_id),
    )
    behind = solution["unserved"].query("order_id == @inquiry.subject")
    left = float(behind["quantity_t"].sum())
    sentences = [_what_happens(problem, solution, order, left)]
    for words, types in _asked(problem, choices, inquiry) or _unasked(choices):
        sentences.append(_held(problem, order, words, types, inquiry))
    if left > 0:
        told = next((row.get("reason") for row in behind.to_dict("records")), "")
        reason = told or unserved_reasons(problem, {inquiry.subject: left}, moves, solution)[inquiry.subject]
        sentences.append(f"why {left:,.0f} t stay behind: {reason}.")
        if loads := [choice.load_t for choice in choices if choice.usd_per_t is not None]:
            sentences.append(_price(problem, order, left, min(loads), inquiry))
    return Explanation(tuple(sentences), (_table(problem, order, choices),))


def _known(what: str, name: str, known: Mapping[str, Any], where: str) -> Any:
    if name not in known:
        raise UsageError(f"no {what} '{name}' in the problem{or_known(name, known, where)}")
    return known[name]


def _choices(problem: RollingStock, moves: Moves, solution: Solution, order: Mapping[str, Any]) -> Iterator[Choice]:
    runs = solution["runs"]
    used = runs[runs["order_id"] == order["order_id"]].groupby("wagon_id")["wagons"].sum().to_dict()
    own: dict[str, list[Any]] = {}
    for move in moves.loaded:
        if move.order_id == order["order_id"]:
            own.setdefault(move.wagon_id, []).append(move)
    book = RouteBook(problem.corridor)
    for wagon in problem.table("wagons").to_dict("records"):
        name, load = wagon["wagon_id"], float(wagon["typical_load_t"])
        if mine := own.get(name):
            best = min(mine, key=lambda move: (move.usd, move.days))
            yield Choice(name, load, best.days, float(best.usd) / load, int(used.get(name, 0)), "")
            continue
        yield Choice(name, load, None, None, 0, type_reason(problem, book, moves, wagon, order))


def _table(problem: RollingStock, order: Mapping[str, Any], choices: Collection[Choice]) -> Table:
    gauges = {row["wagon_id"]: "/".join(row["gauges_mm"]) for row in problem.table("wagons").to_dict("records")}
    rows = [
        [
            c.wagon_id, gauges[c.wagon_id], f"{c.load_t:g}", "" if c.days is None else str(c.days),
            "" if c.usd_per_t is None else f"{c.usd_per_t:.2f}", f"{c.wagons:,}" if c.wagons else "",
            c.why_not,
        ]
        for c in choices
    ]  # fmt: skip
    columns = ("type", "gauge mm", "load t", "days", "run USD/t", "wagons", "why not")
    note = "run: the loaded run by itself, without bringing the wagon; wagons: in the plan"
    return Table(f"Wagons for order {order['order_id']}", columns, rows, note)


def _what_happens(problem: RollingStock, solution: Solution, order: Mapping[str, Any], left: float) -> str:
    names = place_names(problem)
    start = (
        f"order {order['order_id']}: {order['quantity_t']:,.0f} t of {order['commodity_id']} from "
        f"{names[order['origin']]} to {names[order['destination']]}, leaving day {order['release_day']} to "
        f"{order['due_day']}."
    )
    runs = solution["runs"][solution["runs"]["order_id"] == order["order_id"]].sort_values(["depart_day", "run_id"])
    parts = [f"{row.wagons} {row.wagon_id} on day {row.depart_day}" for row in runs.itertuples(index=False)]
    carried = f" Carried by {', '.join(parts)}." if parts else ""
    behind = f" {left:,.0f} t stay behind at {order['unserved_usd_per_t']:,.2f} USD/t." if left else ""
    return start + carried + behind


# --- counterfactuals -------------------------------------------------------------------------------------------------


def _asked(problem: RollingStock, choices: Collection[Choice], inquiry: Inquiry) -> list[tuple[str, set[str]]]:
    types = {row["wagon_id"] for row in problem.table("wagons").to_dict("records")}
    can = {choice.wagon_id for choice in choices if choice.usd_per_t is not None}
    found = []
    for name, verb in ((inquiry.forced, "held to"), (inquiry.avoid, "kept from")):
        if not name:
            continue
        if name not in types:
            raise UsageError(f"no type of wagon '{name}'{or_known(name, types, 'wagons.csv')}")
        if verb == "held to" and name not in can:
            why = next(choice.why_not for choice in choices if choice.wagon_id == name)
            raise UsageError(f"wagon '{name}' cannot serve {inquiry.subject}: {why}")
        found.append((f"{verb} {name}", {name} if verb == "held to" else can - {name}))
    return found


def _unasked(choices: Collection[Choice]) -> list[tuple[str, set[str]]]:
    """Kept from the type it has most of, where another could come."""
    used = [choice for choice in choices if choice.wagons]
    others = {choice.wagon_id for choice in choices if choice.usd_per_t is not None} - {c.wagon_id for c in used[:1]}
    return [(f"kept from {used[0].wagon_id}", others)] if used and others else []


def with_types(problem: RollingStock, order_id: str, types: Collection[str]) -> RollingStock:
    """The problem in which only these types of wagon may serve an order: its cargo becomes one of its own."""
    corridor = problem.corridor
    orders, suits, goods = (corridor.table(name) for name in ("orders", "wagon_suits", "commodities"))
    mine = orders["order_id"] == order_id
    cargo = str(orders.loc[mine, "commodity_id"].iloc[0])
    own = f"{cargo} of {order_id}"
    own_goods = goods[goods["commodity_id"] == cargo].assign(commodity_id=own)
    own_suits = suits[(suits["commodity_id"] == cargo) & suits["wagon_id"].isin(list(types))].assign(commodity_id=own)
    tables = {
        "orders": orders.assign(commodity_id=orders["commodity_id"].where(~mine, own)),
        "wagon_suits": pd.concat([suits, own_suits]),
        "commodities": pd.concat([goods, own_goods]),
    }
    return replace(problem, corridor=corridor.with_tables(tables))


def with_price(problem: RollingStock, table: str, key: str, name: str, column: str, usd: float) -> RollingStock:
    """The problem in which leaving an order or a train out costs so much."""
    rows = problem.table(table)
    changed = rows.assign(**{column: rows[column].astype(float).where(rows[key] != name, usd)})
    return replace(problem, corridor=problem.corridor.with_tables({table: changed}))


def _solved(problem: RollingStock, original: RollingStock, inquiry: Inquiry) -> Outcome:
    """A changed problem solved; its plan must be one of the original."""
    outcome = next(iter(FAMILY.methods.values()))(problem, inquiry.options)
    if outcome.solution is not None and (broken := FAMILY.verify(original, outcome.solution, None)):
        raise VerificationError(f"the plan of a changed problem breaks a rule; this is a defect: {broken[0]}")
    return outcome


def _held(problem: RollingStock, order: Mapping[str, Any], words: str, types: Collection[str], inquiry: Inquiry) -> str:
    outcome = _solved(with_types(problem, order["order_id"], types), problem, inquiry)
    if outcome.solution is None or outcome.cost is None:
        return f"{words}: there is no such plan, or time ran out before one was found."
    runs = outcome.solution["runs"]
    runs = runs[runs["order_id"] == order["order_id"]].groupby("wagon_id")["wagons"].sum()
    left = outcome.solution["unserved"]
    left_t = float(left[left["order_id"] == order["order_id"]]["quantity_t"].sum())
    goes = ", ".join(f"{wagons} {name}" for name, wagons in runs.items()) or "no wagon"
    behind = f", {left_t:,.0f} t behind" if left_t else ""
    return f"{words} the plan {_more(outcome, outcome.cost, inquiry)}; the order then gets {goes}{behind}."


def _more(outcome: Outcome, cost: float, inquiry: Inquiry) -> str:
    """Difference to the plan in hand, and how far the gaps of both leave it open."""
    more = cost - inquiry.cost
    low = (outcome.bound if outcome.bound is not None else -math.inf) + cost - (outcome.cost or 0.0) - inquiry.cost
    high = cost - (inquiry.bound if math.isfinite(inquiry.bound) else -math.inf)
    noise = 1e-6 * abs(inquiry.cost)
    sure = (
        "" if high - more <= noise and more - low <= noise else f" (between {low:,.0f} and {high:,.0f} by the bounds)"
    )
    return f"costs {abs(more):,.0f} USD {'more' if more >= 0 else 'less'}{sure}"


def _price(problem: RollingStock, order: Mapping[str, Any], left: float, least_load_t: float, inquiry: Inquiry) -> str:
    """The price a tonne from which the rest would be carried, on average: what the plan with it carried costs more."""
    name, penalty = order["order_id"], float(order["unserved_usd_per_t"])
    dearer = with_price(problem, "orders", "order_id", name, "unserved_usd_per_t", WORTH_ANYTHING_USD)
    outcome = _solved(dearer, problem, inquiry)
    if outcome.solution is None or outcome.cost is None:
        return "at which price it would be carried was not found in time."
    rest = outcome.solution["unserved"]
    still = float(rest[rest["order_id"] == name]["quantity_t"].sum())
    if still > left * (1 - 1e-6):
        proved = outcome.bound is not None and outcome.cost - outcome.bound < WORTH_ANYTHING_USD * least_load_t / 2
        if proved:
            return "however much a tonne were worth, no wagon more could come for it."
        return "no plan that carries more of it was found in the time; whether there is one is open."
    cost = outcome.cost - (WORTH_ANYTHING_USD - penalty) * still
    price = penalty + (cost - inquiry.cost) / (left - still)
    part = "" if still <= 1e-6 * left else f" ({left - still:,.0f} t of it)"
    runs = outcome.solution["runs"]
    runs = runs[runs["order_id"] == name].groupby("wagon_id")["wagons"].sum()
    by = ", ".join(f"{wagons} {wagon}" for wagon, wagons in runs.items())
    return f"it would be carried{part}, by {by}, from {price:,.2f} USD/t on instead of {penalty:,.2f}."


# --- locomotives -----------------------------------------------------------------------------------------------------


def _explain_train(problem: RollingStock, solution: Solution, inquiry: Inquiry) -> Explanation:
    trains = {row["service_id"]: row for row in problem.table("train_services").to_dict("records")}
    train = _known("train", inquiry.subject, trains, "train_services.csv")
    if inquiry.forced or inquiry.avoid:
        raise UsageError("a train is not held to or kept from locomotives; ask without --forced and --avoid")
    names = place_names(problem)
    start = (
        f"train {inquiry.subject}: {train['gross_t']:,.0f} t from {names[train['from_node']]} over "
        f"{len(train['links'])} links, day {train['depart_day']}."
    )
    stages = solution["stages"][solution["stages"]["service_id"] == inquiry.subject]
    rows = [
        [str(row.stage), names[row.from_node], names[row.to_node], row.loco_id, str(row.units)]
        for row in stages.sort_values(["stage", "loco_id"]).itertuples(index=False)
    ]
    table = Table(f"Locomotives of {inquiry.subject}", ("stage", "from", "to", "type", "units"), rows)
    gone = solution["cancelled"][solution["cancelled"]["service_id"] == inquiry.subject]
    if gone.empty:
        priced = with_price(problem, "train_services", "service_id", inquiry.subject, "cancel_usd", 0.0)
        outcome = _solved(priced, problem, inquiry)
        without = (
            outcome.solution is not None and (outcome.solution["cancelled"]["service_id"] == inquiry.subject).any()
        )
        worth = f"it runs because cancelling it costs {train['cancel_usd']:,.0f} USD."
        if without and outcome.cost is not None:
            worth = (
                f"without it the others {_more(outcome, outcome.cost, inquiry).replace('costs', 'cost')}, "
                f"and cancelling it costs {train['cancel_usd']:,.0f} USD."
            )
        return Explanation((start + " It runs.", worth), (table,) if rows else ())
    sentences = [f"{start} It is cancelled at {train['cancel_usd']:,.0f} USD: {gone['reason'].iloc[0] or 'no reason'}."]
    priced = with_price(
        problem, "train_services", "service_id", inquiry.subject, "cancel_usd", 1e3 * WORTH_ANYTHING_USD
    )
    outcome = _solved(priced, problem, inquiry)
    if outcome.solution is not None and outcome.cost is not None:
        if (outcome.solution["cancelled"]["service_id"] == inquiry.subject).any():
            sentences.append("no locomotive could haul it, whatever it were worth.")
        else:
            price = outcome.cost - inquiry.cost + float(train["cancel_usd"])
            sentences.append(f"it would run if cancelling it cost {price:,.0f} USD or more.")
    return Explanation(tuple(sentences))
