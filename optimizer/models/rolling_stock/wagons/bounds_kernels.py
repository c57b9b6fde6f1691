"""Compiled sweeps: wagon values made valid on all arcs, and the cheapest whole wagons for every order."""

from __future__ import annotations

import numpy as np
from numba import njit

CLOSE = 1e-9


@njit(cache=True)
def raise_values(
    value: np.ndarray,
    days: int,
    first: np.ndarray,
    night: np.ndarray,
    hire: np.ndarray,
    start: np.ndarray,
    to: np.ndarray,
    length: np.ndarray,
    toll: np.ndarray,
) -> int:  # pragma: no cover
    """
    Raise ``value`` (sites, days) to the least one that no night, hire or empty run beats, in place.

    A wagon is worth at least what it is worth after an arc, less the arc's cost. ``night`` is (sites, days), ``toll``
    (empties, days). Returns the number of sweeps.
    """
    sites = value.shape[0]
    for sweep in range(10_000):
        changed = False
        for day in range(days - 1, -1, -1):
            for site in range(sites):
                if day < first[site]:
                    continue
                best = value[site, day]
                after = (value[site, day + 1] if day + 1 < days else 0.0) - night[site, day]
                best = max(best, after)
                for e in range(start[site], start[site + 1]):
                    arrive = day + length[e]
                    if arrive < days:
                        best = max(best, value[to[e], arrive] - toll[e, day])
                if best > value[site, day] + CLOSE:
                    value[site, day] = best
                    changed = True
        for site in range(sites):
            if np.isfinite(hire[site]):
                for day in range(first[site], days - 1):
                    back = value[site, day] - hire[site]
                    if back > value[site, day + 1] + CLOSE:
                        value[site, day + 1] = back
                        changed = True
        if not changed:
            return sweep + 1
    return -1


@njit(cache=True)
def lower_values(
    value: np.ndarray,
    days: int,
    first: np.ndarray,
    night: np.ndarray,
    hire: np.ndarray,
    start: np.ndarray,
    to: np.ndarray,
    length: np.ndarray,
    toll: np.ndarray,
) -> int:  # pragma: no cover
    """
    Lower ``value`` (sites, days) to the largest one that no night, hire or empty run beats, in place.

    A wagon is worth at most what it is worth before an arc, and the arc's cost. Arguments are those of
    :func:`raise_values`; only the end of the horizon, where a wagon is worth nothing, can still ask for more.
    """
    sites = value.shape[0]
    for site in range(sites):
        value[site, days - 1] = max(value[site, days - 1], -night[site, days - 1])
    for sweep in range(10_000):
        changed = False
        for day in range(days):
            for site in range(sites):
                if day < first[site]:
                    continue
                here = value[site, day]
                if day + 1 < days and here + night[site, day] < value[site, day + 1] - CLOSE:
                    value[site, day + 1] = here + night[site, day]
                    changed = True
                for e in range(start[site], start[site + 1]):
                    arrive = day + length[e]
                    if arrive < days and here + toll[e, day] < value[to[e], arrive] - CLOSE:
                        value[to[e], arrive] = here + toll[e, day]
                        changed = True
        for site in range(sites):
            if np.isfinite(hire[site]):
                for day in range(days - 1, first[site] - 1, -1):
                    most = hire[site] + (value[site, day + 1] if day + 1 < days else 0.0)
                    if most < value[site, day] - CLOSE:
                        value[site, day] = most
                        changed = True
        if not changed:
            return sweep + 1
    return -1


@njit(cache=True)
def cheapest_loads(
    price: np.ndarray,
    choice_start: np.ndarray,
    choice_type: np.ndarray,
    load_t: np.ndarray,
    quantity_t: np.ndarray,
    most_t: np.ndarray,
    penalty: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # pragma: no cover
    """
    For each order the whole wagons that cost least at ``price`` (c,) each, what is left over paying the penalty.

    Exact, by enumeration of counts per type in the order of their price a tonne, cut off where even the cheapest
    way to go on costs more than the best so far. Returns cost (o,) and wagons (c,) on the cheapest day of each type.
    """
    orders = len(quantity_t)
    cost, wagons = np.zeros(orders), np.zeros(len(price), np.int64)
    for o in range(orders):
        low, high = choice_start[o], choice_start[o + 1]
        best = penalty[o] * quantity_t[o]
        at = np.empty(high - low, np.int64)
        count = 0
        for c in range(low, high):
            if count and choice_type[at[count - 1]] == choice_type[c]:
                if price[c] < price[at[count - 1]]:
                    at[count - 1] = c
            else:
                at[count] = c
                count += 1
        if count == 0:
            cost[o] = best
            continue
        rate = np.empty(count)
        for i in range(count):
            rate[i] = price[at[i]] / load_t[choice_type[at[i]]]
        by_rate = np.argsort(rate)
        number, chosen = np.zeros(count, np.int64), np.zeros(count, np.int64)
        level = 0
        room = most_t[o] + CLOSE
        number[0] = int(room / load_t[choice_type[at[by_rate[0]]]]) + 1
        while level >= 0:
            if number[level] == 0:
                level -= 1
                continue
            number[level] -= 1
            tonnes, spent = 0.0, 0.0
            for i in range(level + 1):
                tonnes += number[i] * load_t[choice_type[at[by_rate[i]]]]
                spent += number[i] * price[at[by_rate[i]]]
            left = max(0.0, quantity_t[o] - tonnes)
            if spent + penalty[o] * left < best - CLOSE:
                best = spent + penalty[o] * left
                for i in range(count):
                    chosen[i] = number[i] if i <= level else 0
            if level + 1 < count:
                go_on = rate[by_rate[level + 1]]
                least = min(penalty[o], go_on) * left if go_on >= 0 else go_on * (most_t[o] - tonnes)
                if spent + least < best - CLOSE:
                    level += 1
                    number[level] = int((room - tonnes) / load_t[choice_type[at[by_rate[level]]]]) + 1
        cost[o] = best
        for i in range(count):
            wagons[at[by_rate[i]]] = chosen[i]
    return cost, wagons


@njit(cache=True)
def fit_loads(
    wagons: np.ndarray,
    price: np.ndarray,
    choice_start: np.ndarray,
    choice_type: np.ndarray,
    load_t: np.ndarray,
    quantity_t: np.ndarray,
    most_t: np.ndarray,
    penalty: np.ndarray,
) -> None:  # pragma: no cover
    """Add or drop single wagons (c,), in place, until each order keeps its limit and no single wagon pays any more."""
    for o in range(len(quantity_t)):
        low, high = choice_start[o], choice_start[o + 1]
        tonnes = 0.0
        for c in range(low, high):
            tonnes += wagons[c] * load_t[choice_type[c]]
        for _ in range(10_000):
            left = max(0.0, quantity_t[o] - tonnes)
            best, at, sign = CLOSE, -1, 0
            too_many = tonnes > most_t[o] + CLOSE
            for c in range(low, high):
                load = load_t[choice_type[c]]
                if not too_many and tonnes + load <= most_t[o] + CLOSE:
                    gain = penalty[o] * min(left, load) - price[c]
                    if gain > best:
                        best, at, sign = gain, c, 1
                if wagons[c] > 0:
                    gain = price[c] - penalty[o] * (max(0.0, quantity_t[o] - tonnes + load) - left)
                    if too_many:
                        gain += 1e12
                    if gain > best:
                        best, at, sign = gain, c, -1
            if at < 0:
                break
            wagons[at] += sign
            tonnes += sign * load_t[choice_type[at]]
