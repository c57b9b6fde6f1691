"""Why a lane or shipment goes its way, what else it could do, and what holding it to that would change.

Ways are compared by their generalised cost per tonne, plus what the room they take in full capacities is worth to
others (the prices of the plan). What a change would cost is never read off prices: the whole problem is solved again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import Explanation, Inquiry, Table
from optimizer.models.port_choice.comparing.compare import Solved
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.repairs import repairs
from optimizer.models.port_choice.trips import Trip, Trips
from optimizer.models.port_choice.whatif import Arcs, Features, Ways, rooms, solve_held, tonnes_by_way
from optimizer.network.costs import MONEY_COMPONENTS
from optimizer.result import Solution

MOST_WAYS = 8
MOST_MOVES = 12
WORDS_WIDTH = 64
SAME_USD_PER_T = 0.005
CAUSES = {
    "haul": "haul", "security": "guard", "fees": "fees", "insurance": "insur.", "handling": "handl.", "port": "port",
    "sea": "sea", "time": "time", "room": "room",
}  # fmt: skip
assert set(MONEY_COMPONENTS) < set(CAUSES)
CAUSE_WORDS = {"security": "guard of trains", "port": "ports", "sea": "ocean freight", "room": "room in full places"}


@dataclass(frozen=True)
class Way:
    """A way a tonne could go: USD per tonne by cause, ``room`` being what full places on it are worth to others."""

    trip: Trip
    usd_per_t: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.usd_per_t.values())

    @property
    def stated(self) -> float:
        """Without the worth of room."""
        return self.total - self.usd_per_t["room"]


def explain(problem: PortChoice, solution: Solution, inquiry: Inquiry) -> Explanation:
    """
    Why the lane or shipment fares as it does in the plan.

    Raises
    ------
    UsageError
        No such lane or shipment, or what is forced or avoided is not on the network.
    """
    plan = Trips(problem, solution)
    if inquiry.subject not in plan.demands:
        kind = "shipment" if problem.dated else "lane"
        near = did_you_mean(inquiry.subject, plan.demands)
        raise UsageError(f"no {kind} '{inquiry.subject}' in the problem{near}")
    features = Features(plan.network)
    asked = asked_closures(plan, features, inquiry)
    taken = solution["contracts"]["contract_id"][solution["contracts"]["taken"].astype(bool)]
    ways = Ways(problem, inquiry.subject, set(taken))
    mine = [_way(plan, trip) for trip in plan.trips if trip.demand["demand_id"] == inquiry.subject]
    others = alternatives(plan, features, ways, inquiry.subject, mine)
    sentences = [_what_happens(plan, inquiry.subject, mine), *_why(plan, mine, others)]
    tables = _ways_tables(plan, mine, others)
    for words, closed in asked or _first_counterfactual(plan, features, mine, others):
        told, table = _held(plan, inquiry, words, closed)
        sentences.append(told)
        tables += [table] if table else []
    left = solution["unserved"].query("demand_id == @inquiry.subject")["quantity_t"].sum()
    if left > 0:
        sentences += repairs(plan, ways, inquiry, float(left))
    return Explanation(tuple(sentences), tuple(tables))


# --- ways ------------------------------------------------------------------------------------------------------------


def _way(plan: Trips, trip: Trip) -> Way:
    room = sum(room.usd_per_t for room in rooms(plan, trip))
    return Way(trip, {**trip.money_usd_per_t, "time": trip.time_usd_per_t, "room": room})


def alternatives(plan: Trips, features: Features, ways: Ways, demand_id: str, mine: Collection[Way]) -> list[Way]:
    """
    Other ways that differ in substance, the cheapest first: through every other sea port, and round every port, gauge
    change (the place, and the technology) and border of the ways in use and of the cheapest one.
    """
    demand = plan.demands[demand_id]
    ends = (demand["origin"], demand["destination"])
    found: dict[tuple[int, ...], Way] = {tuple(way.trip.arcs): way for way in mine}
    own = set(found)

    def add(trip: Trip | None) -> None:
        if trip is not None:
            found.setdefault(tuple(trip.arcs), _way(plan, trip))

    cheapest = ways.cheapest()
    add(cheapest)
    for trip in [way.trip for way in mine] + ([cheapest] if cheapest else []):
        for closed in _round(plan, features, trip):
            add(ways.cheapest(closed))
    if any(way.trip.port for way in found.values()):
        for port in features.gates:
            through = ways.cheapest(features.all_but(features.gates, port, ends))
            add(through if through and through.port == port else None)
    return sorted((way for arcs, way in found.items() if arcs not in own), key=lambda way: (way.total, way.trip.arcs))


def _round(plan: Trips, features: Features, trip: Trip) -> Iterator[Arcs]:
    """What to close so that one thing a way passes must be gone round."""
    if trip.port:
        yield features.gates[trip.port]
    for place in dict.fromkeys(str(leg["from_node"]) for leg in trip.gauge_changes):
        yield features.gauge_changes[place]
    for handling in dict.fromkeys(str(leg["asset_id"]) for leg in trip.gauge_changes):
        yield features.asset(handling)
    crossed = [(plan.countries[leg["from_node"]], plan.countries[leg["to_node"]]) for leg in trip.legs]
    for one, other in dict.fromkeys(pair for pair in crossed if pair[0] != pair[1]):
        if border := features.border(one, other):
            yield border


def _ways_tables(plan: Trips, mine: Sequence[Way], others: Sequence[Way]) -> list[Table]:
    """Ways in use and others in words, and what each costs beyond the cheapest in use, by cause."""
    shown = [*mine, *others[:MOST_WAYS]]
    if not shown:
        return []
    base = min(mine or others, key=lambda way: way.total)
    rows, extras = [], []
    for number, way in enumerate(shown, 1):
        tonnes = f"{way.trip.quantity_t:,.0f}" if number <= len(mine) else ""
        figures = [str(number), tonnes, f"{way.stated:.2f}", f"{way.trip.days:.1f}"]
        for line in textwrap.wrap(plan.words(way.trip), WORDS_WIDTH) or [""]:
            rows.append([*figures, line])
            figures = [""] * 4
        extra = {cause: way.usd_per_t[cause] - base.usd_per_t[cause] for cause in CAUSES}
        cells = [f"{usd:+.2f}" if abs(usd) >= SAME_USD_PER_T else "" for usd in extra.values()]
        extras.append([str(number), f"{sum(extra.values()):+.2f}", *cells])
    note = f"USD/t beyond way {shown.index(base) + 1}; room: what full places on the way are worth to others"
    ways = Table("Ways", ("", "t", "USD/t", "days", "way"), rows, "those with tonnes are in the plan")
    if len(shown) == 1:
        return [ways]
    return [
        ways,
        Table("What makes the difference", ("way", "extra", *CAUSES.values()), extras, note),
    ]


# --- words -----------------------------------------------------------------------------------------------------------


def _what_happens(plan: Trips, demand_id: str, mine: Collection[Way]) -> str:
    demand = plan.demands[demand_id]
    kind, period = ("shipment", "") if plan.problem.dated else ("lane", " a year")
    ends = f"{plan.names[demand['origin']]} to {plan.names[demand['destination']]}"
    start = f"{kind} {demand_id}: {demand['quantity_t']:,.0f} t of {demand['commodity_id']}{period} from {ends}."
    carried = sum(way.trip.quantity_t for way in mine)
    if not mine:
        return f"{start} All of it stays behind, at {demand['unserved_usd_per_t']:,.2f} USD/t."
    parts = "; ".join(f"{way.trip.quantity_t:,.0f} t {plan.gist(way.trip)}, {way.stated:.2f} USD/t, "
                      f"{way.trip.days:.1f} days" for way in mine)  # fmt: skip
    left = float(demand["quantity_t"]) - carried
    rest = f"; {left:,.0f} t stay behind" if left > 1e-6 * float(demand["quantity_t"]) else ""
    return f"{start} {parts}{rest}."


def _causes(one: Way, other: Way) -> str:
    """What makes one way dearer than another, the largest first."""
    parts = {cause: one.usd_per_t[cause] - other.usd_per_t[cause] for cause in CAUSES}
    largest = sorted(parts.items(), key=lambda item: -abs(item[1]))[:3]
    return ", ".join(
        f"{CAUSE_WORDS.get(cause, cause)} {usd:+.2f}" for cause, usd in largest if abs(usd) >= SAME_USD_PER_T
    )


def _why(plan: Trips, mine: Sequence[Way], others: Sequence[Way]) -> Iterator[str]:
    if not mine:
        return
    base = min(mine, key=lambda way: way.total)
    dearest = max(mine, key=lambda way: way.stated)
    for way in sorted([*mine, *others], key=lambda way: way.stated):
        saving = dearest.stated - way.stated
        full = dict.fromkeys(room.limit.place for room in rooms(plan, way.trip) if room.is_full)
        if saving > SAME_USD_PER_T and full:
            worth = way.usd_per_t["room"]
            worth_words = (
                f", where room for a tonne is worth {worth:.2f} USD to others" if worth > SAME_USD_PER_T else ""
            )
            more = "more of it would go" if way in mine else "it would go"
            yield (
                f"{more} {plan.gist(way.trip)}, {saving:.2f} USD/t cheaper, were {' and '.join(full)} "
                f"not full{worth_words}."
            )
            break
    used = {plan.gist(way.trip) for way in mine}
    for way in others:
        if plan.gist(way.trip) not in used and way.total >= base.total - SAME_USD_PER_T:
            yield (
                f"the next best, {plan.gist(way.trip)}, costs {way.total - base.total:.2f} USD/t more: "
                f"{_causes(way, base) or 'nothing that shows'}."
            )
            return
    if not others:
        yield "there is no other way that differs in port, gauge change or border."


# --- counterfactuals -------------------------------------------------------------------------------------------------


def asked_closures(plan: Trips, features: Features, inquiry: Inquiry) -> list[tuple[str, Arcs]]:
    """What is forced and avoided, in words and as arcs closed to the lane; UsageError for what there is not."""
    demand = plan.demands[inquiry.subject]
    ends = (demand["origin"], demand["destination"])
    found = []
    if inquiry.forced:
        name = inquiry.forced
        known = {**features.gauge_changes, **features.gates}
        if name not in known:
            raise UsageError(
                f"'{name}' is neither a sea port between land and sea nor a place where gauges change"
                f"{did_you_mean(name, known)}"
            )
        if name in ends:
            raise UsageError(f"'{name}' is an end of {inquiry.subject}; it passes there anyway")
        kind = features.gates if name in features.gates else features.gauge_changes
        found.append((f"held to {plan.names[name]}", features.all_but(kind, name, ends)))
    if inquiry.avoid:
        name = inquiry.avoid
        closed = features.named(name)
        if not closed:
            in_force = [*plan.names, *(asset for _, asset in plan.assets)]
            raise UsageError(f"'{name}' is no place, link, sea leg or handling in force{did_you_mean(name, in_force)}")
        if name in ends:
            raise UsageError(f"'{name}' is an end of {inquiry.subject}; it cannot be avoided")
        found.append((f"kept from {plan.names.get(name, name)}", closed))
    return found


def _first_counterfactual(
    plan: Trips, features: Features, mine: Collection[Way], others: Collection[Way]
) -> list[tuple[str, Arcs]]:
    """Unasked: the lane held to the sea port of the best way through another, or else kept from its gauge change."""
    if not mine:
        return []
    demand = next(iter(mine)).trip.demand
    ends = (demand["origin"], demand["destination"])
    ports = {way.trip.port for way in mine}
    for way in others:
        if way.trip.port and ports != {""} and way.trip.port not in ports:
            words = f"held to {plan.names[way.trip.port]}"
            return [(words, features.all_but(features.gates, way.trip.port, ends))]
    for way in mine:
        for leg in way.trip.gauge_changes:
            place = str(leg["from_node"])
            return [(f"kept from changing gauge at {plan.names[place]}", features.gauge_changes[place])]
    return []


def _held(plan: Trips, inquiry: Inquiry, words: str, closed: Arcs) -> tuple[str, Table | None]:
    """The whole problem with the lane held to something, solved again: cost, and who moves."""
    solved = solve_held(plan.problem, inquiry.subject, closed, inquiry.options)
    if solved is None:
        return f"{words}: there is no such plan that serves all, or time ran out before one was found.", None
    there = Trips(solved.problem, solved.solution)
    demand = plan.demands[inquiry.subject]
    more = solved.cost - plan.cost
    certain = _range(solved, plan.cost)
    per_t = more / float(demand["quantity_t"])
    moved = moves_table(plan, there)
    others = {row[0] for row in moved.rows} - {inquiry.subject}
    period = "" if plan.problem.dated else " a year"
    new = [trip for trip in there.trips if trip.demand["demand_id"] == inquiry.subject]
    goes = "; ".join(f"{trip.quantity_t:,.0f} t {there.gist(trip)}, {trip.usd_per_t:.2f} USD/t" for trip in new)
    change = f"costs {abs(more):,.0f} USD{period} {'more' if more >= 0 else 'less'}{certain}"
    return (
        f"{words} the plan {change}, {per_t:+,.2f} USD per tonne asked for; it then goes: {goes or 'not at all'}. "
        f"{len(others) or 'No'} other{'s' if len(others) != 1 else ''} would move.",
        replace(moved, title=f"What moves when {inquiry.subject} is {words}") if moved.rows else None,
    )


def _range(solved: Solved, base: float) -> str:
    """How far the new plan's own gap leaves the figure open; nothing when it does not."""
    if solved.cost - solved.bound <= 1e-6 * abs(solved.cost):
        return ""
    return f" (at least {solved.bound - base:,.0f} by the bound of the new plan)"


def moves_table(before: Trips, after: Trips) -> Table:
    """Tonnes that take another way, largest first."""
    old, new = tonnes_by_way(before), tonnes_by_way(after)
    change = {key: new.get(key, 0.0) - old.get(key, 0.0) for key in {**old, **new}}
    quantity = {name: float(row["quantity_t"]) for name, row in before.demands.items()}
    moved = [(key, tonnes) for key, tonnes in change.items() if abs(tonnes) > 1e-6 * quantity[key[0]]]
    size: dict[str, float] = {}
    for (demand_id, _), tonnes in moved:
        size[demand_id] = size.get(demand_id, 0.0) + abs(tonnes)
    moved.sort(key=lambda item: (-size[item[0][0]], item[0][0], item[1], item[0][1]))
    rows = [[demand_id, f"{tonnes:+,.0f}", way] for (demand_id, way), tonnes in moved[:MOST_MOVES]]
    note = f"and {len(moved) - MOST_MOVES} more rows" if len(moved) > MOST_MOVES else ""
    return Table("What moves", ("shipment" if before.problem.dated else "lane", "t", "way"), rows, note)
