"""Time-space charts: which places to draw one above the other, and the strings of what runs over them.

Étienne-Jules Marey's and Ibry's train graph: time to the right, the line's kilometres upwards, a string for each train.
A network is no line, so a few main lines are picked: the busiest way, lengthened at both ends where traffic goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

MOST_LINES = 4
MOST_STATIONS = 45
LEAST_SHARE = 0.03
MOST_STRINGS = 1500

Link = tuple[str, str, float]
"""From, to (in running direction) and kilometres."""


@dataclass(frozen=True)
class Movement:
    """
    Something that runs over links.

    Attributes
    ----------
    stops
        Places in running order with the minute at each.
    km
        Kilometres between consecutive places.
    weight
        Wagons or locomotives, for the width of the string.
    """

    name: str
    key: str
    stops: Sequence[tuple[str, float]]
    km: Sequence[float]
    weight: float
    info: Sequence[tuple[str, str]] = field(default_factory=tuple)


def timed(places: Sequence[str], km: Sequence[float], start_min: float, end_min: float) -> list[tuple[str, float]]:
    """Places with minutes at even speed between start and end."""
    total = sum(km) or 1.0
    return [
        (place, start_min + (end_min - start_min) * done / total)
        for place, done in zip(places, accumulate(km, initial=0.0), strict=True)
    ]


def walk(path: Sequence[str], start: str, links: Mapping[str, tuple[str, str, float]]) -> tuple[list[str], list[float]]:
    """Places and kilometres of a path of link ids; ids that are no links (handlings) keep the place."""
    places, km = [start], []
    for asset in path:
        if asset in links:
            one, other, length = links[asset]
            places.append(other if places[-1] == one else one)
            km.append(length)
    return places, km


def main_lines(movements: Sequence[Movement]) -> list[list[tuple[str, float]]]:
    """Lines as places with their kilometre, the busiest first."""
    load: dict[frozenset[str], float] = defaultdict(float)
    length: dict[frozenset[str], float] = {}
    for move in movements:
        for (a, _), (b, _), km in zip(move.stops, move.stops[1:], move.km, strict=False):
            if a != b:
                load[frozenset((a, b))] += move.weight
                length[frozenset((a, b))] = km
    beside: dict[str, set[str]] = defaultdict(set)
    for pair in load:
        a, b = sorted(pair)
        beside[a].add(b)
        beside[b].add(a)
    whole = sum(load[pair] * length[pair] for pair in load)
    open_ = dict(load)
    ways = {tuple(place for place, _ in move.stops) for move in movements}
    lines: list[list[tuple[str, float]]] = []
    while ways and open_ and len(lines) < MOST_LINES:
        worth = {
            way: sum(open_.get(frozenset(p), 0.0) * length.get(frozenset(p), 0.0) for p in pairwise(way))
            for way in ways
        }
        best = max(sorted(worth), key=lambda way: worth[way])
        if worth[best] < LEAST_SHARE * whole:
            break
        line = list(dict.fromkeys(best))
        for end in (False, True):
            while len(line) < MOST_STATIONS:
                tip = line[-1] if end else line[0]
                onward = [p for p in sorted(beside[tip]) if p not in line and frozenset((tip, p)) in open_]
                if not onward:
                    break
                place = max(onward, key=lambda p: open_[frozenset((tip, p))])
                line.insert(len(line) if end else 0, place)
        for ends in pairwise(line):
            open_.pop(frozenset(ends), None)
        steps = [length.get(frozenset(pair), 0.0) for pair in pairwise(line)]
        lines.append(list(zip(line, accumulate(steps, initial=0.0), strict=True)))
    return lines


def strings_on(line: Sequence[tuple[str, float]], movements: Sequence[Movement]) -> list[list[Any]]:
    """Strings of the movements over a line: key, width, points, name, info; a movement may leave it and come back."""
    at = {place: (number, km) for number, (place, km) in enumerate(line)}
    most = max((move.weight for move in movements), default=1.0) or 1.0
    found = []
    for move in movements:
        part: list[list[float]] = []
        for here, there in [*pairwise(move.stops), (move.stops[-1], ("", 0.0))]:
            on = here[0] in at and there[0] in at and abs(at[here[0]][0] - at[there[0]][0]) == 1
            if on:
                if not part:
                    part = [[round(here[1], 1), round(at[here[0]][1], 1)]]
                part.append([round(there[1], 1), round(at[there[0]][1], 1)])
            elif part:
                width = round(1 + 3 * (move.weight / most) ** 0.5, 2)
                found.append((move.weight, [move.key, width, part, move.name, list(move.info)]))
                part = []
    found.sort(key=lambda pair: -pair[0])
    return [string for _, string in found[:MOST_STRINGS]]
