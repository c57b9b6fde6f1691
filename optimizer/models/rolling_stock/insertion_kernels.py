"""Compiled: wagons put on and taken off loaded runs at their exact marginal cost, the flows around them kept optimal.

Residual network of all types: state ``site * days + day``, one node behind the horizon for each type. Arcs are
nights, days on hire, and empty runs (move, day), never listed: a state knows its site and day. ``value`` is a
potential: every open arc has ``cost + value(tail) - value(head) >= 0``, arcs with flow have 0 or less. Arcs of a full
yard or train path are closed; one that opens again with a negative reduced cost stays out until its flow is mended.

Money is in whole thousandths of a USD, so that zero is zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

FAR = 1 << 60
NIGHT, HIRE, RUN = 0, 1, 2


class Network(NamedTuple):
    """What does not change. Rooms are slots: scarce links x days, then scarce yards x days."""

    days: int
    sites: int
    kind: np.ndarray  # (n,) type of a site
    kind_start: np.ndarray  # (types + 1,) first site of each type
    first: np.ndarray  # (n,)
    night: np.ndarray  # (n,) cost
    hire: np.ndarray  # (n,) cost, negative: none
    yard: np.ndarray  # (n,) first slot of the yard, or -1
    start: np.ndarray  # (n + 1,) moves by site left
    to: np.ndarray  # (e,)
    origin: np.ndarray  # (e,)
    length: np.ndarray  # (e,)
    cost: np.ndarray  # (e,)
    in_start: np.ndarray  # (n + 1,)
    in_move: np.ndarray  # (e,) moves by site reached
    link_start: np.ndarray  # (e + 1,)
    link: np.ndarray  # first slot of each scarce link of a move
    user_start: np.ndarray  # (links + 1,)
    user: np.ndarray  # moves by link
    tail: np.ndarray  # (c,)
    head: np.ndarray  # (c,) node behind the horizon when it ends there
    usd: np.ndarray  # (c,)
    choice_day: np.ndarray
    choice_link_start: np.ndarray
    choice_link: np.ndarray


class Flow(NamedTuple):
    """What changes, and scratch."""

    value: np.ndarray  # (nodes,)
    stand: np.ndarray  # (states,)
    hired: np.ndarray  # (states,)
    run: np.ndarray  # (e, days)
    closed: np.ndarray  # (e, days) full links on the way
    free: np.ndarray  # (slots,)
    wagons: np.ndarray  # (c,)
    distance: np.ndarray  # (nodes,)
    parent_kind: np.ndarray  # (nodes,) kind of arc, + 3 when it is passed backwards
    parent_move: np.ndarray  # (nodes,)
    parent: np.ndarray  # (nodes,)
    seen: np.ndarray  # nodes touched
    heap: np.ndarray
    place: np.ndarray  # (nodes,) place in the heap, -1: not in it, -2: settled
    sizes: np.ndarray  # [touched, heap size]


@njit(cache=True)
def _lift(flow: Flow, node: int) -> None:  # pragma: no cover
    heap, place, distance = flow.heap, flow.place, flow.distance
    at = place[node]
    while at > 0:
        up = (at - 1) >> 1
        if distance[heap[up]] <= distance[node]:
            break
        heap[at] = heap[up]
        place[heap[at]] = at
        at = up
    heap[at] = node
    place[node] = at


@njit(cache=True)
def _pop(flow: Flow) -> int:  # pragma: no cover
    heap, place, distance, sizes = flow.heap, flow.place, flow.distance, flow.sizes
    top = heap[0]
    place[top] = -2
    sizes[1] -= 1
    size = sizes[1]
    if size:
        node = heap[size]
        at = 0
        while True:
            down = 2 * at + 1
            if down >= size:
                break
            if down + 1 < size and distance[heap[down + 1]] < distance[heap[down]]:
                down += 1
            if distance[heap[down]] >= distance[node]:
                break
            heap[at] = heap[down]
            place[heap[at]] = at
            at = down
        heap[at] = node
        place[node] = at
    return int(top)


@njit(cache=True)
def _relax(flow: Flow, node: int, distance: int, kind: int, move: int, parent: int) -> None:  # pragma: no cover
    if distance >= flow.distance[node]:
        return
    if flow.distance[node] == FAR:
        flow.seen[flow.sizes[0]] = node
        flow.sizes[0] += 1
    flow.distance[node] = distance
    flow.parent_kind[node] = kind
    flow.parent_move[node] = move
    flow.parent[node] = parent
    if flow.place[node] == -1:
        flow.place[node] = flow.sizes[1]
        flow.sizes[1] += 1
    _lift(flow, node)


@njit(cache=True)
def _clear(flow: Flow) -> None:  # pragma: no cover
    for i in range(flow.sizes[0]):
        node = flow.seen[i]
        flow.distance[node] = FAR
        flow.place[node] = -1
    flow.sizes[0] = 0
    flow.sizes[1] = 0


@njit(cache=True)
def shortest(net: Network, flow: Flow, source: int, target: int, limit: int) -> int:  # pragma: no cover
    """Least reduced cost of moving a wagon from ``source`` to ``target``; FAR when above ``limit``. Scratch is kept."""
    days, states, value = net.days, net.sites * net.days, flow.value
    _relax(flow, source, 0, -1, -1, -1)
    while flow.sizes[1]:
        node = flow.heap[0]
        here = flow.distance[node]
        if here > limit:
            return FAR
        _pop(flow)
        if node == target:
            return int(here)
        worth = value[node] + here
        if node >= states:  # behind the horizon: back over last nights, or on hire
            for site in range(net.kind_start[node - states], net.kind_start[node - states + 1]):
                last = site * days + days - 1
                if flow.stand[last] > 0:
                    reduced = -(net.night[site] + value[last] - value[node])
                    if reduced >= 0:
                        _relax(flow, last, here + reduced, NIGHT + 3, 0, node)
                if net.hire[site] >= 0 and net.first[site] < days:
                    reduced = net.hire[site] + value[node] - value[last]
                    if reduced >= 0:
                        _relax(flow, last, here + reduced, HIRE, 0, node)
            continue
        site, day = node // days, node % days
        after = node + 1 if day + 1 < days else states + net.kind[site]
        reduced = net.night[site] + worth - value[after]
        if reduced >= here and (net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0):
            _relax(flow, after, reduced, NIGHT, 0, node)
        if flow.hired[node] > 0:
            reduced = worth - net.hire[site] - value[after]
            if reduced >= here:
                _relax(flow, after, reduced, HIRE + 3, 0, node)
        if day > net.first[site]:
            if flow.stand[node - 1] > 0:
                reduced = worth - net.night[site] - value[node - 1]
                if reduced >= here:
                    _relax(flow, node - 1, reduced, NIGHT + 3, 0, node)
            if net.hire[site] >= 0:
                reduced = net.hire[site] + worth - value[node - 1]
                if reduced >= here:
                    _relax(flow, node - 1, reduced, HIRE, 0, node)
        for move in range(net.start[site], net.start[site + 1]):
            arrive = day + net.length[move]
            if arrive < days:
                end = net.to[move] * days + arrive
                reduced = net.cost[move] + worth - value[end]
                if reduced >= here and reduced < flow.distance[end] and flow.closed[move, day] == 0:
                    _relax(flow, end, reduced, RUN, move, node)
        for i in range(net.in_start[site], net.in_start[site + 1]):
            move = net.in_move[i]
            left = day - net.length[move]
            if left >= 0 and flow.run[move, left] > 0:
                begin = net.origin[move] * days + left
                reduced = worth - net.cost[move] - value[begin]
                if reduced >= here:
                    _relax(flow, begin, reduced, RUN + 3, move, node)
    return FAR


@njit(cache=True)
def _slots(net: Network, kind: int, move: int, tail: int) -> tuple[int, int, int]:  # pragma: no cover
    """Links of a run by pointers, or a yard slot."""
    if kind == NIGHT:
        site = tail // net.days
        return 0, 0, net.yard[site] + tail % net.days if net.yard[site] >= 0 else -1
    if kind == RUN:
        return net.link_start[move], net.link_start[move + 1], -1
    return 0, 0, -1


@njit(cache=True)
def use_slot(net: Network, flow: Flow, slot: int, amount: int) -> None:  # pragma: no cover
    """Take room; runs over a link that fills up are closed, and opened when it has room again."""
    before = flow.free[slot]
    flow.free[slot] = before - amount
    link, day = slot // net.days, slot % net.days
    if link + 1 >= len(net.user_start):
        return
    change = int(before > 0 and before - amount <= 0) - int(before <= 0 and before - amount > 0)
    if change:
        for i in range(net.user_start[link], net.user_start[link + 1]):
            flow.closed[net.user[i], day] += change


@njit(cache=True)
def push(net: Network, flow: Flow, source: int, target: int, most: int) -> int:  # pragma: no cover
    """Move wagons along the path of :func:`shortest`, set the values by its distances; returns how many, at most."""
    days = net.days
    reach = flow.distance[target]
    amount, node = most, target
    while node != source:
        kind, move, before = flow.parent_kind[node], flow.parent_move[node], flow.parent[node]
        if kind >= 3:
            tail = node
            if kind == NIGHT + 3:
                amount = min(amount, flow.stand[tail])
            elif kind == HIRE + 3:
                amount = min(amount, flow.hired[before])
            else:
                amount = min(amount, flow.run[move, tail % days])
        else:
            low, high, yard = _slots(net, kind, move, before)
            if yard >= 0:
                amount = min(amount, flow.free[yard])
            for i in range(low, high):
                amount = min(amount, flow.free[net.link[i] + before % days])
        node = before
    node = target
    while node != source:
        kind, move, before = flow.parent_kind[node], flow.parent_move[node], flow.parent[node]
        sign = -1 if kind >= 3 else 1
        tail = node if kind >= 3 else before
        kind = kind % 3
        if kind == NIGHT:
            flow.stand[tail] += sign * amount
        elif kind == HIRE:
            # The arc leads back a day: it is kept at the state it reaches.
            flow.hired[before if sign < 0 else node] += sign * amount
        else:
            flow.run[move, tail % days] += sign * amount
        low, high, yard = _slots(net, kind, move, tail)
        if yard >= 0:
            use_slot(net, flow, yard, sign * amount)
        for i in range(low, high):
            use_slot(net, flow, net.link[i] + tail % days, sign * amount)
        node = before
    for i in range(flow.sizes[0]):
        node = flow.seen[i]
        if flow.distance[node] < reach:
            flow.value[node] += flow.distance[node] - reach
    return int(amount)


@njit(cache=True)
def price(net: Network, flow: Flow, choice: int) -> int:  # pragma: no cover
    return int(net.usd[choice] + flow.value[net.tail[choice]] - flow.value[net.head[choice]])


@njit(cache=True)
def load(net: Network, flow: Flow, choice: int, most: int, limit: int) -> int:  # pragma: no cover
    """Put up to ``most`` wagons on a loaded run, at most ``limit`` above its price each; how many."""
    day = net.choice_day[choice]
    for i in range(net.choice_link_start[choice], net.choice_link_start[choice + 1]):
        most = min(most, flow.free[net.choice_link[i] + day])
    if most <= 0:
        return 0
    _clear(flow)
    if shortest(net, flow, net.head[choice], net.tail[choice], limit) == FAR:
        return 0
    done = push(net, flow, net.head[choice], net.tail[choice], most)
    _on_links(net, flow, choice, done)
    return done


@njit(cache=True)
def unload(net: Network, flow: Flow, choice: int, most: int, limit: int) -> int:  # pragma: no cover
    """Take up to ``most`` wagons off a loaded run that give up at most ``limit`` of its price each; how many."""
    _clear(flow)
    if shortest(net, flow, net.tail[choice], net.head[choice], limit) == FAR:
        return 0
    done = push(net, flow, net.tail[choice], net.head[choice], min(most, flow.wagons[choice]))
    _on_links(net, flow, choice, -done)
    return done


@njit(cache=True)
def load_all(net: Network, flow: Flow, wanted: np.ndarray, choices: np.ndarray, limit: int) -> int:  # pragma: no cover
    """Put wagons on the loaded runs that are wanted (c,), at most ``limit`` above the price; how many found no way."""
    left = 0
    for choice in choices:
        missing = wanted[choice] - flow.wagons[choice]
        while missing > 0:
            done = load(net, flow, choice, missing, limit)
            if done == 0:
                break
            missing -= done
        left += max(0, missing)
    return left


@njit(cache=True)
def supply_all(net: Network, flow: Flow, supply: np.ndarray) -> bool:  # pragma: no cover
    """Send the wagons of the fleet (states,) to the end of the horizon the cheapest way; whether all found one.

    A negative supply takes wagons from behind the horizon, which is a hire.
    """
    for state in range(len(supply)):
        if not supply[state]:
            continue
        end = net.sites * net.days + net.kind[state // net.days]
        left = abs(supply[state])
        one, two = (state, end) if supply[state] > 0 else (end, state)
        while left > 0:
            _clear(flow)
            if shortest(net, flow, one, two, FAR - 1) == FAR:
                return False
            left -= push(net, flow, one, two, left)
    return True


@njit(cache=True)
def _on_links(net: Network, flow: Flow, choice: int, amount: int) -> None:  # pragma: no cover
    flow.wagons[choice] += amount
    day = net.choice_day[choice]
    for i in range(net.choice_link_start[choice], net.choice_link_start[choice + 1]):
        use_slot(net, flow, net.choice_link[i] + day, amount)


@njit(cache=True)
def improve_orders(
    net: Network,
    flow: Flow,
    orders: np.ndarray,
    choice_start: np.ndarray,
    choice_load: np.ndarray,
    quantity: np.ndarray,
    most: np.ndarray,
    penalty: np.ndarray,
    least_gain: int,
    farthest: int,
    patience: int,
) -> int:  # pragma: no cover
    """
    Add, drop and exchange wagons of each order while one of it pays; how many wagons moved.

    Tonnes are in whole thousandths, the penalty in thousandths of a USD a tonne. Nothing is moved that costs more than
    ``farthest`` above its price, and an order is left after ``patience`` tries in vain.
    """
    moved = 0
    for o in orders:
        low, high = choice_start[o], choice_start[o + 1]
        if low == high:
            continue
        refused = np.zeros((high - low + 1, high - low + 1), np.bool_)
        tonnes = 0
        for c in range(low, high):
            tonnes += flow.wagons[c] * choice_load[c]
        in_vain = 0
        for _ in range(500):
            best, off, on = least_gain, -1, -1
            base = max(0, quantity[o] - tonnes)
            for a in range(low - 1, high):  # taken off; low - 1: none
                if a >= low and flow.wagons[a] <= 0:
                    continue
                saved = 0.0 if a < low else price(net, flow, a)
                kept = tonnes if a < low else tonnes - choice_load[a]
                for b in range(low - 1, high):
                    if a == b or refused[a - low + 1, b - low + 1]:
                        continue
                    now = kept if b < low else kept + choice_load[b]
                    if now > most[o]:
                        continue
                    spent = 0.0 if b < low else price(net, flow, b)
                    gain = saved - spent - penalty[o] * (max(0, quantity[o] - now) - base) / 1000
                    if gain > best:
                        best, off, on = gain, a, b
            if best <= least_gain:
                break
            limit = min(farthest, int(best) - least_gain)
            if off < low:
                units = max(1, base // choice_load[on])
                done = load(net, flow, on, units, limit)
                tonnes += done * choice_load[on]
            elif on < low:
                over = max(0, tonnes - quantity[o])
                done = unload(net, flow, off, max(1, over // choice_load[off]), limit)
                tonnes -= done * choice_load[off]
            else:
                before = price(net, flow, off)
                units = 1 if choice_load[on] != choice_load[off] else int(flow.wagons[off])
                taken = unload(net, flow, off, units, limit)
                done = 0
                if taken:
                    tonnes -= taken * choice_load[off]
                    paid = before - flow.distance[net.head[off]]
                    now = tonnes + choice_load[on] * taken
                    change = penalty[o] * (max(0, quantity[o] - now) - base) / 1000 / taken
                    limit = min(farthest, int(paid - price(net, flow, on) - change) - least_gain)
                    if limit >= 0:
                        done = load(net, flow, on, taken, limit)
                    tonnes += done * choice_load[on]
                    back = taken - done
                    while back > 0:
                        again = load(net, flow, off, back, FAR)
                        if again == 0:
                            break
                        back -= again
                        tonnes += again * choice_load[off]
            if done == 0:
                refused[off - low + 1, on - low + 1] = True
                in_vain += 1
                if in_vain == patience:
                    break
            moved += done
    return moved


@njit(cache=True)
def _mend_arc(
    net: Network, flow: Flow, kind: int, move: int, tail: int, head: int, kept: int, cost: int
) -> None:  # pragma: no cover
    """Send wagons round an open arc whose reduced cost is negative until it is not; ``kept``: state of its flow."""
    days = net.days
    while True:
        reduced = cost + flow.value[tail] - flow.value[head]
        if reduced >= 0:
            return
        room = FAR
        low, high, yard = _slots(net, kind, move, tail)
        if yard >= 0:
            room = flow.free[yard]
        for i in range(low, high):
            room = min(room, flow.free[net.link[i] + tail % days])
        if room <= 0:
            return
        _clear(flow)
        if shortest(net, flow, head, tail, -reduced - 1) == FAR:
            for i in range(flow.sizes[0]):
                node = flow.seen[i]
                if flow.distance[node] < -reduced:
                    flow.value[node] += flow.distance[node] + reduced
            return
        done = push(net, flow, head, tail, room)
        if kind == NIGHT:
            flow.stand[kept] += done
        elif kind == HIRE:
            flow.hired[kept] += done
        else:
            flow.run[move, kept % days] += done
        if yard >= 0:
            use_slot(net, flow, yard, done)
        for i in range(low, high):
            use_slot(net, flow, net.link[i] + tail % days, done)


@njit(cache=True)
def mend(net: Network, flow: Flow) -> int:  # pragma: no cover
    """Bring every open arc to a reduced cost of 0 or more; how many were not. What that opens is mended too."""
    total = 0
    for _ in range(100):
        found = _mend_once(net, flow)
        total += found
        if not found:
            break
    return total


@njit(cache=True)
def _mend_once(net: Network, flow: Flow) -> int:  # pragma: no cover
    days, found = net.days, 0
    for site in range(net.sites):
        for day in range(days - 1, net.first[site] - 1, -1):
            state = site * days + day
            after = state + 1 if day + 1 < days else net.sites * days + net.kind[site]
            room = net.yard[site] < 0 or flow.free[net.yard[site] + day] > 0
            if room and net.night[site] + flow.value[state] < flow.value[after]:
                found += 1
                _mend_arc(net, flow, NIGHT, 0, state, after, state, net.night[site])
            if net.hire[site] >= 0 and net.hire[site] + flow.value[after] < flow.value[state]:
                found += 1
                _mend_arc(net, flow, HIRE, 0, after, state, state, net.hire[site])
            for move in range(net.start[site], net.start[site + 1]):
                if day + net.length[move] < days:
                    head = net.to[move] * days + day + net.length[move]
                    if net.cost[move] + flow.value[state] < flow.value[head] and not flow.closed[move, day]:
                        found += 1
                        _mend_arc(net, flow, RUN, move, state, head, state, net.cost[move])
    return found
