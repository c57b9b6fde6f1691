"""Rules of planned routes that families share: legs that lead from door to door, and what is left behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction

from optimizer.result import Solution, Violation
from optimizer.verification.money_chain import Book, Record
from optimizer.verification.numbers import differs, exact, exceeds, number, shown

LANDED = "sea, on arrival"
LAND_LAYERS = ("rail-1520", "rail-1435", "rail-1676", "road")


def route_faults(book: Book, name: str, demand: Record, form: str, path: list[Record]) -> Iterator[Violation]:
    """
    Broken rules of one route.

    Parameters
    ----------
    book
        Rows in force.
    name
        Id of the route.
    demand
        Row with ``origin`` and ``destination``.
    form
        Cargo form of its commodity.
    path
        Legs (``sequence, kind, asset_id, from_node, from_layer, to_node, to_layer``) in their order.
    """
    place, layer, visited = demand["origin"], "door", set()
    for count, leg in enumerate(path, 1):
        at = f"route {name}, leg {count} ({leg['kind']} {leg['asset_id']})"
        if leg["sequence"] != count:
            yield Violation("legs must be numbered 1, 2, 3, ...", at, shown(leg["sequence"]), "as number")
        row = book.assets.get(leg["kind"], {}).get(leg["asset_id"])
        if row is None:
            yield Violation("asset not in force", at, 1, "asset")
            return
        if not _fits(leg, row):
            yield Violation("leg does not fit its asset in place, layer or direction", at, 1, "leg")
        forms = row["cargo_forms"] if leg["kind"] == "handling" else ()
        if forms and form not in forms:
            yield Violation(f"handling does not take {form} cargo", at, 1, "leg")
        starts = count == 1 and layer == "door" and leg["from_layer"] in (*LAND_LAYERS, "door")
        # a load comes off a ship only through a handling, so that it cannot board the next one on the spot
        needs = LANDED if leg["kind"] == "handling" and leg["from_layer"] == "sea" else leg["from_layer"]
        if leg["from_node"] != place or not (starts or needs == layer != "door"):
            yield Violation("leg does not start where the load is", f"{at}: load at {place} ({layer})", 1, "leg")
        visited.add((leg["from_node"], "origin" if leg["from_layer"] == "door" else needs))
        place, layer = leg["to_node"], LANDED if leg["kind"] == "sea" else leg["to_layer"]
        if (place, layer) in visited:
            yield Violation("route comes back to where it was", f"{at}: {place} ({layer})", 1, "leg")
    if place != demand["destination"] or layer not in (*LAND_LAYERS, "door"):
        yield Violation("route does not end at its destination", f"route {name} at {place} ({layer})", 1, "route")
    if not path and not _has_land(book, place):
        yield Violation("route has no legs", f"route {name}", 1, "route")


def backward(leg: Record, row: Record) -> bool:
    """Whether a leg runs against its row."""
    if leg["kind"] == "handling":
        return bool((leg["from_layer"], leg["to_layer"]) != (row["from_layer"], row["to_layer"]))
    return bool(leg["from_node"] != row["from_node" if leg["kind"] == "link" else "from_port"])


def _fits(leg: Record, row: Record) -> bool:
    """Whether ends, layers and direction of a leg are those of its asset."""
    start = leg["from_node"], leg["from_layer"]
    end = leg["to_node"], leg["to_layer"]
    if leg["kind"] == "handling":
        ways = [((row["node_id"], row["from_layer"]), (row["node_id"], row["to_layer"]))]
        return (start, end) in ways or (bool(row["both_ways"]) and (end, start) in ways)
    if leg["kind"] == "sea":
        ends, layer = (row["from_port"], row["to_port"]), "sea"
    else:
        ends = (row["from_node"], row["to_node"])
        layer = f"rail-{int(row['gauge_mm'])}" if row["mode"] == "rail" else row["mode"]
    return start[1] == end[1] == layer and (start[0], end[0]) in (ends, ends[::-1])


def _has_land(book: Book, place: str) -> bool:
    """Whether some link or handling touches a land layer of the place, so that a load can be handed over on the
    spot."""
    at_link = any(row["mode"] != "ferry" and place in (row["from_node"], row["to_node"]) for row in book.rows("links"))
    return at_link or any(
        row["node_id"] == place and {row["from_layer"], row["to_layer"]} & set(LAND_LAYERS)
        for row in book.rows("handlings")
    )


def tonnes_left(rows: Iterable[Record], demands: Collection[str]) -> tuple[dict[str, Fraction], list[Violation]]:
    """Tonnes a plan leaves behind, by demand, and the rows of ``unserved`` that say nothing sound."""
    left: dict[str, Fraction] = {}
    faults = []
    for row in rows:
        name, quantity = row["demand_id"], number(row["quantity_t"])
        if name not in demands or name in left:
            faults.append(Violation("unserved row of an unknown demand, or twice", f"demand {name}", 1, "row"))
        elif quantity is None or quantity < 0:
            amount = shown(row["quantity_t"])
            faults.append(Violation("quantity must not be below zero", f"unserved {name}", amount, "t"))
        else:
            left[name] = quantity
    return left, faults


def listed_routes(
    solution: Solution, demands: Mapping[str, Record]
) -> Iterator[Violation | tuple[Record, Record, Fraction, list[Record]]]:
    """
    Routes of a plan with their demand, tonnes and legs in order; or what is wrong with how they are listed.

    Parameters
    ----------
    solution
        Tables ``routes`` and ``legs``.
    """
    legs: dict[str, list[Record]] = defaultdict(list)
    for leg in solution["legs"].to_dict("records"):
        legs[leg["route_id"]].append(leg)
    seen: set[str] = set()
    for route in solution["routes"].to_dict("records"):
        name, quantity = str(route["route_id"]), number(route["quantity_t"])
        demand = demands.get(route["demand_id"])
        if name in seen:
            yield Violation("route listed twice", f"route {name}", 1, "row")
            continue
        seen.add(name)
        if quantity is None or quantity <= 0:
            yield Violation("quantity must be above zero", f"route {name}", shown(route["quantity_t"]), "t")
        elif demand is None:
            yield Violation("unknown demand", f"route {name} for '{route['demand_id']}'", 1, "route")
        else:
            yield route, demand, quantity, sorted(legs.get(name, []), key=lambda leg: shown(leg["sequence"]))
    for name in sorted(set(map(str, legs)) - seen):
        yield Violation("leg of an unknown route", f"route {name}", len(legs[name]), "legs")


def tonnes_unserved(
    solution: Solution, demands: Mapping[str, Record], served_t: Mapping[str, Fraction], serve_all: bool
) -> tuple[Fraction, list[Violation]]:
    """Penalty for what a plan leaves behind, USD, and where served and unserved tonnes do not make up a demand."""
    unserved, faults = tonnes_left(solution["unserved"].to_dict("records"), demands)
    usd = Fraction(0)
    for name, demand in demands.items():
        asked, left = exact(demand["quantity_t"]), unserved.get(name, Fraction(0))
        served, where = served_t.get(name, Fraction(0)), demand_words(demand)
        usd += left * exact(demand["unserved_usd_per_t"])
        if differs(served + left, asked):
            amount = float(served + left - asked)
            faults.append(Violation("served and unserved differ from the demand", where, amount, "t"))
        if serve_all and exceeds(left, Fraction(0)):
            faults.append(Violation("demand must be served in full", where, float(left), "t unserved"))
    return usd, faults


def demand_words(demand: Record) -> str:
    """A demand as violations name it."""
    return f"demand {demand['demand_id']} ({demand['origin']} > {demand['destination']})"
