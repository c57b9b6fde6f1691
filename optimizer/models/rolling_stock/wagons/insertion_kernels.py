"""Compiled: wagons put on and taken off loaded runs at exact marginal cost, the flows around them kept optimal."""

from __future__ import annotations

import numpy as np
from numba import njit

from optimizer.models.rolling_stock.wagons.residual_kernels import (
    FAR,
    Flow,
    Network,
    push,
    settle,
    use_slot,
)
from optimizer.models.rolling_stock.wagons.ways_kernels import shortest


@njit(cache=True)
def price(net: Network, flow: Flow, choice: int) -> int:  # pragma: no cover
    return int(net.usd[choice] + flow.value[net.tail[choice]] - flow.value[net.head[choice]])


@njit(cache=True)
def load(net: Network, flow: Flow, choice: int, most: int, limit: int) -> int:  # pragma: no cover
    """Put up to ``most`` wagons on a loaded run, at most ``limit`` above its price each; how many."""
    day = net.choice_day[choice]
    for i in range(net.choice_link_start[choice], net.choice_link_start[choice + 1]):
        most = min(most, flow.free[net.choice_link[i] + day] // net.choice_takes[i])
    if most <= 0:
        return 0
    _on_links(net, flow, choice, most)  # kept free before the way there is sought: it may pass the same links
    done = 0
    if shortest(net, flow, net.head[choice], net.tail[choice], limit) != FAR:
        done = push(net, flow, net.head[choice], net.tail[choice], most)
    else:
        settle(flow, limit + 1)
    _on_links(net, flow, choice, done - most)
    return done


@njit(cache=True)
def unload(net: Network, flow: Flow, choice: int, most: int, limit: int) -> int:  # pragma: no cover
    """Take up to ``most`` wagons off a loaded run that give up at most ``limit`` of its price each; how many."""
    if shortest(net, flow, net.tail[choice], net.head[choice], limit) == FAR:
        settle(flow, limit + 1)
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
        one, two = (state, end) if supply[state] > 0 else (end, state)
        if carry(net, flow, one, two, abs(supply[state])):
            return False
    return True


@njit(cache=True)
def carry(net: Network, flow: Flow, tail: int, head: int, left: int) -> int:  # pragma: no cover
    """Send wagons from one node to another the cheapest way; how many find none."""
    while left > 0:
        if shortest(net, flow, tail, head, FAR - 1) == FAR:
            break
        done = push(net, flow, tail, head, left)
        if not done:
            break
        left -= done
    return left


@njit(cache=True)
def give_up(net: Network, flow: Flow, choice: int, head: int) -> bool:  # pragma: no cover
    """Take one wagon off a loaded run and send it to ``head``, so that it is missing where the run leads instead."""
    if carry(net, flow, net.tail[choice], head, 1):
        return False
    _on_links(net, flow, choice, -1)
    return True


@njit(cache=True)
def _on_links(net: Network, flow: Flow, choice: int, amount: int) -> None:  # pragma: no cover
    flow.wagons[choice] += amount
    day = net.choice_day[choice]
    for i in range(net.choice_link_start[choice], net.choice_link_start[choice + 1]):
        use_slot(net, flow, net.choice_link[i] + day, amount * net.choice_takes[i])


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
                    paid = before - flow.met[0]
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
