"""Every rule of a circulation again, from the arrays and the plan alone."""

from __future__ import annotations

import itertools
import math

from optimizer.circulation.problem import Circulation, Plan
from optimizer.result import Violation

TOLERANCE = 1e-6


def verify(problem: Circulation, plan: Plan, cost: float | None = None) -> tuple[Violation, ...]:
    """Every broken rule; empty when each trip is done once or may be left out, and ``cost`` is that of the plan."""
    found = []
    link_cost = {
        (int(i), int(j)): float(c)
        for i, j, c in zip(problem.link_tail, problem.link_head, problem.link_cost, strict=True)
    }
    used = [0] * len(problem.vehicles)
    times = [0] * len(problem.skip)
    total = 0.0
    for number, rotation in enumerate(plan.rotations):
        depot, trips, place = rotation.depot, rotation.trips, f"rotation {number}"
        stray = [i for i in trips if not 0 <= i < len(times)]
        if not 0 <= depot < len(used) or stray or not trips:
            found.append(Violation("unknown depot or trip, or no trips", place, len(stray), "trips"))
            continue
        used[depot] += 1
        parts = [float(problem.pull_out[depot, trips[0]]), float(problem.pull_in[depot, trips[-1]])]
        for i in trips:
            times[i] += 1
            parts.append(float(problem.service[depot, i]))
        for i, j in itertools.pairwise(trips):
            parts.append(link_cost.get((i, j), math.inf) * float(problem.link_rate[depot]))
        if any(math.isinf(part) or math.isnan(part) for part in parts):
            found.append(Violation("vehicle cannot do this", place, sum(math.isinf(part) for part in parts), "moves"))
        total += sum(parts)
    for i in plan.skipped:
        if not 0 <= i < len(times):
            found.append(Violation("unknown trip left out", f"trip {i}", 1, "trips"))
            continue
        times[i] += 1
        if math.isinf(problem.skip[i]):
            found.append(Violation("trip must be done", f"trip {i}", 1, "trips"))
        total += float(problem.skip[i])
    for i, count in enumerate(times):
        if count != 1:
            found.append(Violation("trip not done or left out exactly once", f"trip {i}", count, "times"))
    for k, count in enumerate(used):
        if count > problem.vehicles[k]:
            found.append(
                Violation(
                    "more vehicles than the depot has", f"depot {k}", count - int(problem.vehicles[k]), "vehicles"
                )
            )
    if cost is not None and not found and abs(cost - total) > TOLERANCE * max(1.0, abs(total)):
        found.append(Violation("claimed cost is not the cost of the plan", "cost", cost - total, "cost units"))
    return tuple(found)
