"""Branch and bound with the Lagrangian of the demand rows, for listed routes that use one service each.

The bound equals that of the strong relaxation (each service keeps a continuous knapsack of its own) and costs
milliseconds where the linear master needs minutes; asking for the fewest services that hold all loads lifts it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.flows.fixed_charge.kernels import knapsacks, volume_steps
from optimizer.flows.fixed_charge.problem import Columns, FixedChargeProblem, Floats

ROOT_STEPS, NODE_STEPS, BATCH = 1500, 120, 30


@dataclass
class _Node:
    lower: Floats
    upper: Floats
    price: Floats
    mean_share: Floats
    mean_open: Floats
    bound: float


def fits(problem: FixedChargeProblem, routes: Columns) -> bool:
    """One service of weight one per route, no least volumes, no shared capacities in use."""
    return bool(
        np.all(np.diff(routes.service_start) == 1)
        and np.all(routes.weight == 1.0)
        and routes.resource.size == 0
        and np.all(problem.least == 0)
    )


class LagrangianTree:
    """
    Search over services; plans come from ``flows``, which is given services to open and keeps what it finds.

    Parameters
    ----------
    cost_of_plan, flows, lift, out_of_time
        Cost of the best plan (inf without one); best flows over services, False
        when not found in time; takes each new proven bound, and says with
        True that it suffices; asks for the end.
    """

    def __init__(
        self,
        problem: FixedChargeProblem,
        routes: Columns,
        cost_of_plan: Callable[[], float],
        flows: Callable[[Floats], bool],
        lift: Callable[[float], bool],
        out_of_time: Callable[[], bool],
    ) -> None:
        D, S = problem.quantity.size, problem.fixed_cost.size
        self.problem, self.cost_of_plan, self.flows, self.lift, self.out_of_time = (
            problem, cost_of_plan, flows, lift, out_of_time,
        )  # fmt: skip
        self.cost = np.full((S, D), np.inf)
        np.minimum.at(self.cost, (routes.service, routes.demand), routes.cost)
        self.most = np.minimum(problem.most, problem.quantity.sum())
        self.fewest = 0
        if np.all(np.isinf(problem.penalty)):
            reach = np.cumsum(np.sort(self.most)[::-1])
            self.fewest = 1 + int(np.searchsorted(reach, problem.quantity.sum() * (1 - 1e-9)))
        self.tried: set[bytes] = set()

    def run(self, lower: Floats, upper: Floats) -> None:
        """Search until the bound suffices, the tree is done or time is out."""
        D, S = self.problem.quantity.size, self.problem.fixed_cost.size
        if not (upper > 0).any():
            self.lift(self.cost_of_plan())  # every service is closed: the plan at hand is the only one
            return
        entry = self.cost + (self.problem.fixed_cost / np.maximum(self.most, 1e-300))[:, None]
        price = np.minimum(entry[upper > 0].min(axis=0), self.problem.penalty)
        root = _Node(lower, upper, price, np.zeros((S, D)), np.zeros(S), -np.inf)
        if self._bound(root, ROOT_STEPS, 0.1) is None:
            return
        heap = [(root.bound, 0, root)]
        count = 0
        while heap and not self.out_of_time():
            bound, _, node = heap[0]
            if self.lift(min(bound, self.cost_of_plan())):
                return
            heapq.heappop(heap)
            if bound >= self._ceiling():
                continue
            free = (node.lower < 1) & (node.upper > 0)
            if not free.any():
                if not self._try(node.lower):
                    return  # out of time: the leaf's bound stands
                continue
            at = int(np.argmin(np.where(free, np.abs(node.mean_open - 0.5), 2.0)))
            for value in (1.0, 0.0):
                child = _Node(
                    node.lower.copy(), node.upper.copy(), node.price.copy(), node.mean_share.copy(),
                    node.mean_open.copy(), bound,
                )  # fmt: skip
                child.lower[at] = child.upper[at] = value
                done = self._bound(child, NODE_STEPS, 0.05)
                if done is None:  # out of time: the parent's bound stands
                    return
                if child.bound < self._ceiling():
                    count += 1
                    heapq.heappush(heap, (child.bound, count, child))
        if not heap:
            self.lift(self.cost_of_plan())

    def _ceiling(self) -> float:
        cost = self.cost_of_plan()
        return cost - 1e-9 * abs(cost) if np.isfinite(cost) else np.inf

    def _bound(self, node: _Node, steps: int, factor: float) -> float | None:
        """Lift the node's bound, look for a plan near it and fix services; None when out of time."""
        p = self.problem
        share, opened, worth = np.empty_like(node.mean_share), np.zeros(node.lower.size), np.zeros(node.lower.size)
        start = float(p.quantity @ node.price) + knapsacks(
            self.cost, p.quantity, p.fixed_cost, self.most, node.price, node.lower, node.upper, self.fewest, share,
            opened, worth,
        )  # fmt: skip
        is_root = node.bound == -np.inf
        if not np.isfinite(start):
            node.bound = np.inf
            return np.inf
        if is_root:
            node.mean_share[:], node.mean_open[:] = share, opened
        known = self.cost_of_plan()
        target = known if np.isfinite(known) and not is_root else start + 0.03 * abs(start) + 1e-9
        state = np.array([factor, target, 0.0, start])
        for _ in range(steps // BATCH):
            if self.out_of_time():
                if is_root:
                    self.lift(state[3])
                return None
            before = state[3]
            volume_steps(
                self.cost, p.quantity, p.penalty, p.fixed_cost, self.most, node.lower, node.upper, self.fewest,
                node.price, node.mean_share, node.mean_open, worth, opened, state, self._ceiling(), BATCH,
            )  # fmt: skip
            if is_root:
                self.lift(min(state[3], self.cost_of_plan()))
                if state[0] < 2e-4:
                    break
            elif state[3] >= self._ceiling() or state[3] - before < 1e-6 * abs(before):
                break
        node.bound = max(node.bound, float(state[3]))
        if node.bound < self._ceiling():
            for threshold in (0.5, 0.3, 0.1, 0.02) if is_root else (0.5,):
                self._try(self._round(node, threshold))
            self._fix(node, state[3], worth, opened)
        return node.bound

    def _round(self, node: _Node, threshold: float) -> Floats:
        """Services open for the most part, then the next ones until the volume suffices."""
        order = np.argsort(-(node.mean_open + node.lower) * (node.upper > 0), kind="stable")
        need = self.problem.quantity.sum() if self.fewest else 0.0
        reach = np.concatenate([[0.0], np.cumsum(self.most[order])[:-1]])
        chosen = np.zeros(order.size)
        chosen[order[(reach < need) | (node.mean_open[order] >= threshold)]] = 1.0
        return np.maximum(np.where(node.upper > 0, chosen, 0.0), node.lower)

    def _try(self, opened: Floats) -> bool:
        """Best flows over ``opened``, once; False when there was no time to find them."""
        key = np.packbits(opened > 0.5).tobytes()
        if key not in self.tried and self.flows(opened):
            self.tried.add(key)
        return key in self.tried

    def _fix(self, node: _Node, bound: float, worth: Floats, chosen: Floats) -> None:
        """Reduced-cost fixing at the prices of the bound; swaps are allowed for where the fewest services are open."""
        room = self._ceiling() - bound
        if not np.isfinite(room):
            return
        free_in, free_out = (chosen > 0) & (node.lower < 1), (chosen == 0) & (node.upper > 0)
        tight = chosen.sum() <= self.fewest
        leaves = max(0.0, float(worth[free_in].max(initial=0.0))) if tight else 0.0
        enters = float(worth[free_out].min(initial=np.inf)) if tight else 0.0
        node.upper[free_out & (worth - leaves > room)] = 0.0
        node.lower[free_in & (enters - worth > room)] = 1.0
