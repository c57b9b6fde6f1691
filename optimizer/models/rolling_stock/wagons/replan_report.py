"""What a re-plan changed, for people: orders re-routed, moved to other days or left behind, wagons diverted, cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.models.family import News, Table
from optimizer.models.rolling_stock.collector import collector_paused
from optimizer.models.rolling_stock.problem import RollingStock, cells
from optimizer.models.rolling_stock.wagons.report import place_names
from optimizer.result import Outcome, Solution, Status

Load = tuple[int, str, tuple[str, ...]]
"""Day of departure, type and path of a loaded run."""
Loads = dict[str, dict[Load, int]]
"""Order -> wagons by day, type and path."""
ORDER_COLUMNS = ("order", "from", "to", "what changes", "was", "is", "why")
WAYS = ("as planned", "other way", "other day", "not sent", "instead", "empty as planned", "no more", "new")


@collector_paused()
def changes(problem: RollingStock, old: Solution, found: Outcome, news: News) -> tuple[list[str], list[Table]]:
    """Sentences and tables of what is new from the day of the news on."""
    new = found.solution
    if new is None:
        late = found.status is Status.NO_SOLUTION
        return ([f"no plan was found {'in time' if late else 'that keeps all rules'}; why is said below"], [])
    loads = _loads(old, news.at), _loads(new, news.at)
    rows, kinds = _orders(problem, old, new, *loads)
    sentences = [
        f"taken up on day {news.at}: what left before stands, and arrives as planned, over closed links, too",
        _on_closed(problem, old, news),
        _how_many(kinds),
    ]
    if found.cost is not None and math.isfinite(news.cost):
        more = found.cost - news.cost
        than = f"{abs(more):,.0f} {'more' if more >= 0 else 'less'} than the old one"
        bound = f"no plan that begins alike costs less than {found.bound or 0:,.0f} USD"
        sentences.append(f"the plan costs {found.cost:,.0f} USD, {than}; {bound}")
    tables = [Table("Orders that change", ORDER_COLUMNS, rows)] if rows else []
    wagons = _wagons(problem, old, new, *loads)
    note = "wagons that leave from the day on; loaded first, then empty"
    return sentences, [*tables, *([Table("Wagons that leave", ("wagon type", *WAYS), wagons, note)] if wagons else [])]


def _on_closed(problem: RollingStock, old: Solution, news: News) -> str:
    """Wagons that were to leave over links that are closed now."""
    shut = {(c.link_id, day) for c in problem.closed for day in range(c.first_day, c.last_day + 1)}
    if not shut:
        return "no link is closed"
    count: Counter[str] = Counter()
    for kind, path, day, wagons in cells(old["runs"], "kind", "path", "depart_day", "wagons"):
        if day >= news.at and any((link, day) in shut for link in path):
            count[kind] += wagons
    names = place_names(problem)
    links = problem.table("links").set_index("link_id")
    words = [
        f"{c.link_id} ({names[links.at[c.link_id, 'from_node']]} - {names[links.at[c.link_id, 'to_node']]}) on day "
        f"{c.first_day} to {c.last_day}"
        for c in problem.closed
    ]
    wagons = f"{count['loaded']:,} loaded and {count['empty']:,} empty wagons were to leave there"
    return f"closed: {', '.join(words)}; {wagons}"


KINDS = ("left behind", "less left behind", "later", "earlier", "another way", "other wagons")


def _how_many(kinds: Counter[str]) -> str:
    told = [f"{kinds[kind]:,} {words}" for kind, words in zip(
        KINDS, ("leave more tonnes behind", "leave fewer behind", "leave later", "leave earlier", "go another way",
                "go in other wagons"), strict=True
    ) if kinds[kind]]  # fmt: skip
    return f"orders: {', '.join(told)}" if told else "no order changes"


def _loads(solution: Solution, first: int) -> Loads:
    """Order -> wagons by day, type and path that leave from a day on."""
    found: Loads = {}
    columns = "order_id", "depart_day", "wagon_id", "path", "wagons"
    for order_id, day, wagon_id, path, count in cells(solution["runs"], *columns):
        if order_id and day >= first:
            loads = found.setdefault(order_id, {})
            loads[day, wagon_id, path] = loads.get((day, wagon_id, path), 0) + count
    return found


def _orders(
    problem: RollingStock, old: Solution, new: Solution, before: Loads, after: Loads
) -> tuple[list[list[str]], Counter[str]]:
    left = [dict(zip(s["unserved"]["order_id"], s["unserved"]["quantity_t"], strict=True)) for s in (old, new)]
    reasons = dict(zip(new["unserved"]["order_id"], new["unserved"]["reason"], strict=True))
    names, rows, kinds = place_names(problem), list[list[str]](), Counter[str]()
    for order_id, origin, destination in cells(problem.table("orders"), "order_id", "origin", "destination"):
        was, now = before.get(order_id, {}), after.get(order_id, {})
        more_left = left[1].get(order_id, 0.0) - left[0].get(order_id, 0.0)
        if was == now and abs(more_left) < 1e-6:
            continue
        kind = _kind(was, now, more_left)
        kinds[kind] += 1
        words = f"{kind}: {abs(more_left):,.0f} t" if kind in KINDS[:2] else kind
        why = reasons.get(order_id, "") if more_left > 0 else ""
        ends = names[origin], names[destination]
        gone, new_loads = Counter(was) - Counter(now), Counter(now) - Counter(was)
        rows.append([order_id, *ends, words, _told(gone), _told(new_loads), why])
    rows.sort(key=lambda row: next(i for i, kind in enumerate(KINDS) if row[3].startswith(kind)))
    return rows, kinds


def _kind(was: Mapping[Load, int], now: Mapping[Load, int], more_left: float) -> str:
    if abs(more_left) > 1e-6:
        return "left behind" if more_left > 0 else "less left behind"
    days = [sum(day * n for (day, _, _), n in loads.items()) / max(1, sum(loads.values())) for loads in (was, now)]
    if abs(days[1] - days[0]) > 1e-9 and {day for day, _, _ in was} != {day for day, _, _ in now}:
        return "later" if days[1] > days[0] else "earlier"
    paths = [{path for _, _, path in loads} for loads in (was, now)]
    return "another way" if paths[0] != paths[1] else "other wagons"


def _told(loads: Mapping[Load, int]) -> str:
    by_day: Counter[tuple[int, str]] = Counter()
    for (day, wagon_id, _), count in loads.items():
        by_day[day, wagon_id] += count
    return "; ".join(f"day {day}: {count:,} {wagon_id}" for (day, wagon_id), count in sorted(by_day.items()))


def _wagons(problem: RollingStock, old: Solution, new: Solution, before: Loads, after: Loads) -> list[list[str]]:
    """Wagons by type that leave as planned, otherwise, or not at all; loaded, then empty."""
    first = problem.begun_day
    tally: dict[str, Counter[str]] = {}
    for order_id in before.keys() | after.keys():
        was, now = before.get(order_id, {}), after.get(order_id, {})
        for load in was.keys() & now.keys():
            tally.setdefault(load[1], Counter())["as planned"] += min(was[load], now[load])
        if was == now:
            continue
        rest = [Counter(was) - Counter(now), Counter(now) - Counter(was)]
        _match(rest, tally, "other way", (0, 1))
        _match(rest, tally, "other day", (1,))
        for loads, words in zip(rest, ("not sent", "instead"), strict=True):
            for (_, wagon_id, _), count in loads.items():
                tally.setdefault(wagon_id, Counter())[words] += count
    empties = [_empties(solution, first) for solution in (old, new)]
    for words, runs in (
        ("empty as planned", empties[0] & empties[1]),
        ("no more", empties[0] - empties[1]),
        ("new", empties[1] - empties[0]),
    ):
        for run, count in runs.items():
            tally.setdefault(run[0], Counter())[words] += count
    order: Mapping[str, Any] = {wagon_id: at for at, wagon_id in enumerate(problem.table("wagons")["wagon_id"])}
    return [
        [wagon_id, *(f"{counts[column]:,}" if counts[column] else "" for column in WAYS)]
        for wagon_id, counts in sorted(tally.items(), key=lambda pair: order[pair[0]])
        if any(counts[column] for column in WAYS if column not in ("as planned", "empty as planned"))
    ]


def _match(rest: Sequence[Counter[Load]], tally: dict[str, Counter[str]], words: str, same: tuple[int, ...]) -> None:
    """Count wagons that leave otherwise, but alike in day (0), type (1) or both; they are taken off both sides."""
    for one in rest[0]:
        for two in rest[1]:
            count = min(rest[0][one], rest[1][two]) if all(one[i] == two[i] for i in same) else 0
            if count:
                rest[0][one] -= count
                rest[1][two] -= count
                tally.setdefault(one[1], Counter())[words] += count


def _empties(solution: Solution, first: int) -> Counter[tuple[str, int, tuple[str, ...]]]:
    """Type, day and path of empty runs and works that leave from a day on."""
    found = Counter[tuple[str, int, tuple[str, ...]]]()
    columns = "order_id", "wagon_id", "depart_day", "path", "wagons"
    for order_id, wagon_id, day, path, count in cells(solution["runs"], *columns):
        if not order_id and day >= first:
            found[wagon_id, day, path] += count
    return found
