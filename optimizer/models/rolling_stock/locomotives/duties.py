"""From flows of a programme to what every single locomotive does; the tables and the exact cost of such a plan.

Units of a layer that stand at a place stand for each other, so any of them may take the next work. Those that came
with a train go on with it; else the unit with most kilometres left works, and the one with least goes to the shop.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from optimizer.models.rolling_stock.locomotives.network import Floats, LocoNetwork
from optimizer.models.rolling_stock.locomotives.programme import Programme
from optimizer.models.rolling_stock.locomotives.trains import Stage, TrainPlan
from optimizer.models.rolling_stock.problem import LOCOMOTIVE_TABLES, MINUTES_PER_DAY, RollingStock, frame
from optimizer.result import Solution

KM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Step:
    """One step of a duty."""

    kind: Literal["train", "light", "shop"]
    start: str
    end: str
    depart_min: int
    arrive_min: int
    stage: Stage | None = None
    window_id: str = ""
    path: tuple[str, ...] = ()

    def goes_on_from(self, before: Step) -> bool:
        """Whether the locomotive stays with its train."""
        a, b = before.stage, self.stage
        return a is not None and b is not None and a.service_id == b.service_id and a.number + 1 == b.number


@dataclass
class UnitDuty:
    """What one locomotive does; ``too_far`` names the first column (kind, key) with which it runs too far."""

    loco_id: str
    fleet_id: str
    unit: int
    usd_per_min: Fraction
    homes: frozenset[str]
    steps: list[Step] = field(default_factory=list)
    too_far: tuple[str, tuple[int, ...]] | None = None

    def cost(self, connection_min: int, end_min: int) -> Fraction:
        """By the minute while working, connecting, or waiting away from home until the horizon ends."""
        minutes = 0
        for at, step in enumerate(self.steps):
            follower = self.steps[at + 1] if at + 1 < len(self.steps) else None
            if step.kind != "shop":
                stays = follower is not None and follower.goes_on_from(step)
                minutes += step.arrive_min - step.depart_min + (0 if stays else connection_min)
                free = step.arrive_min + (0 if stays else connection_min)
            else:
                free = step.arrive_min
                if step.end not in self.homes:
                    minutes += max(0, min(free, end_min) - min(step.depart_min, end_min))
            until = follower.depart_min if follower is not None else end_min
            if step.end not in self.homes:
                minutes += max(0, min(until, end_min) - min(free, end_min))
        return self.usd_per_min * minutes


def unit_duties(programme: Programme, x: Floats, connection_min: int) -> list[UnitDuty]:
    """Duties of all units for whole values of the columns."""
    found: list[UnitDuty] = []
    whole = np.rint(x).astype(np.int64)
    for number in range(len(programme.networks)):
        found += _Simulation(programme, whole, number, connection_min).run()
    return found


def plan_columns(programme: Programme, duties: Iterable[UnitDuty]) -> dict[str, Counter[tuple[int, ...]]]:
    """Keys and units of the columns for consists, stages, staying with a train and visits that duties make up."""
    stage_of = {(stage.service_id, stage.number): n for n, stage in enumerate(programme.stages)}
    number = {network.loco_id: n for n, network in enumerate(programme.networks)}
    found: dict[str, Counter[tuple[int, ...]]] = {name: Counter() for name in ("haul", "unit", "stay", "shop")}
    crews: dict[int, Counter[str]] = defaultdict(Counter)
    start: dict[str, int] = {}
    after: dict[tuple[int, int], int] = {}
    for at, one in enumerate(programme.layers):
        own = programme.networks[one.network].layers[one.layer]
        start |= {stock.fleet_id: at for stock in own.stock}
        after |= {(one.network, window): at for window in own.entries}
    for duty in duties:
        kind, layer = number[duty.loco_id], start[duty.fleet_id]
        windows = [window.window_id for window in programme.networks[kind].windows]
        for place, step in enumerate(duty.steps):
            follower = duty.steps[place + 1] if place + 1 < len(duty.steps) else None
            if step.stage is not None:
                stage = stage_of[step.stage.service_id, step.stage.number]
                crews[stage][duty.loco_id] += 1
                found["unit"][layer, stage] += 1
                if follower is not None and follower.goes_on_from(step):
                    found["stay"][layer, stage] += 1
            elif step.kind == "shop":
                window = windows.index(step.window_id)
                found["shop"][layer, window, after[kind, window]] += 1
                layer = after[kind, window]
    for stage, crew in crews.items():
        choices = [tuple(sorted(consist)) for consist in programme.consists[stage]]
        found["haul"][stage, choices.index(tuple(sorted(crew.items())))] = 1
    return found


class _Simulation:
    """Hands out the work of one type in order of time."""

    def __init__(self, programme: Programme, whole: np.ndarray, number: int, connection_min: int) -> None:
        self.programme, self.number, self.connection_min = programme, number, connection_min
        self.network = programme.networks[number]
        self.mine = {n: layer for n, layer in enumerate(programme.layers) if layer.network == number}
        self.taken = {name: self._taken(whole, name) for name in ("unit", "stay", "light", "shop")}
        self.standing: dict[tuple[int, int], list[tuple[int, UnitDuty]]] = defaultdict(list)
        self.with_train: dict[tuple[int, int], list[UnitDuty]] = defaultdict(list)
        self.duties: list[UnitDuty] = []
        self._left: dict[int, float] = {}
        homes = frozenset(self.network.places[p] for p in self.network.homes)
        seen: Counter[str] = Counter()
        for at, layer in self.mine.items():
            for stock in self.network.layers[layer.layer].stock:
                for _ in range(stock.units):
                    seen[stock.fleet_id] += 1
                    duty = UnitDuty(
                        self.network.loco_id, stock.fleet_id, seen[stock.fleet_id], self.network.usd_per_min, homes
                    )
                    self.duties.append(duty)
                    self._left[id(duty)] = self.network.layers[layer.layer].budget_km
                    self.standing[at, stock.place].append((stock.minute, duty))

    def _taken(self, whole: np.ndarray, name: str) -> list[tuple[tuple[int, ...], int]]:
        values, keys = whole[self.programme.group[name]], self.programme.key[name]
        used = np.flatnonzero(values > 0)
        return [
            (tuple(int(part) for part in keys[at]), int(values[at])) for at in used if int(keys[at][0]) in self.mine
        ]

    def run(self) -> list[UnitDuty]:
        network, stages = self.network, self.programme.stages
        at_place = {name: number for number, name in enumerate(network.places)}
        staying = dict(self.taken["stay"])
        work: list[tuple[int, int, str, tuple[int, ...], int]] = []
        for key, units in self.taken["unit"]:
            work.append((stages[key[1]].depart_min, key[1], "train", key, units))
        for key, units in self.taken["light"]:
            work.append((int(network.light.leave_min[key[1]]), key[1], "light", key, units))
        for key, units in self.taken["shop"]:
            work.append((network.windows[key[1]].from_min, key[1], "shop", key, units))
        for depart, _, kind, key, units in sorted(work):
            layer = key[0]
            if kind == "train":
                stage = stages[key[1]]
                here, there = at_place[stage.from_node], at_place[stage.to_node]
                on_train = self.with_train.pop((layer, key[1]), [])
                crew = on_train + self._take(layer, here, depart, units - len(on_train), stage)
                step = Step("train", stage.from_node, stage.to_node, depart, stage.arrive_min, stage)
                for duty in crew:
                    self._work(duty, step, float(stage.length_km), ("unit", key))
                crew.sort(key=lambda duty: -self._left[id(duty)])
                stay = staying.get((layer, key[1]), 0)
                self.with_train[layer, key[1] + 1] = crew[:stay]
                free = stage.arrive_min + self.connection_min
                self.standing[layer, there] += [(free, duty) for duty in crew[stay:]]
            elif kind == "light":
                arc, light = key[1], network.light
                here, there = int(light.start[arc]), int(light.end[arc])
                way, arrive = network.ways[here, there], int(light.arrive_min[arc])
                step = Step("light", network.places[here], network.places[there], depart, arrive, path=way.path)
                for duty in self._take(layer, here, depart, units, None):
                    self._work(duty, step, float(light.km[arc]), ("light", key))
                    self.standing[layer, there].append((arrive + self.connection_min, duty))
            else:
                window = network.windows[key[1]]
                place = network.places[window.place]
                step = Step("shop", place, place, depart, window.until_min, window_id=window.window_id)
                for duty in self._take(layer, window.place, depart, units, None, shop=True):
                    duty.steps.append(step)
                    self._left[id(duty)] = network.shop_km
                    self.standing[key[2], window.place].append((window.until_min, duty))
        return self.duties

    def _work(self, duty: UnitDuty, step: Step, km: float, column: tuple[str, tuple[int, ...]]) -> None:
        duty.steps.append(step)
        self._left[id(duty)] -= km
        if self._left[id(duty)] < -KM_TOLERANCE and duty.too_far is None:
            duty.too_far = column

    def _take(
        self, layer: int, place: int, minute: int, units: int, stage: Stage | None, shop: bool = False
    ) -> list[UnitDuty]:
        """Units that stand there: those that came with the train first, then those with most kilometres left."""
        pool = self.standing[layer, place]
        ready = [entry for entry in pool if entry[0] <= minute]
        if len(ready) < units:
            raise RuntimeError(
                f"{units} units of {self.network.loco_id} are to leave in minute {minute}, too few stand"
            )

        def order(entry: tuple[int, UnitDuty]) -> tuple[bool, float, int]:
            last = entry[1].steps[-1].stage if entry[1].steps else None
            came = stage is not None and last is not None and last.service_id == stage.service_id
            left = self._left[id(entry[1])]
            return (not came, left if shop else -left, entry[0])

        ready.sort(key=order)
        chosen = ready[:units]
        gone = {id(entry[1]) for entry in chosen}
        self.standing[layer, place] = [entry for entry in pool if id(entry[1]) not in gone]
        return [duty for _, duty in chosen]


def plan_tables(
    duties: Iterable[UnitDuty], running: Iterable[str], plan: TrainPlan, reasons: Mapping[str, str]
) -> Solution:
    """Tables of a plan; trains that are not ``running`` are cancelled for ``reasons``."""
    stages: Counter[tuple[str, int, str, str, str]] = Counter()
    light: dict[tuple[str, str, str, int], list[object]] = {}
    rows = []
    for duty in duties:
        for number, step in enumerate(duty.steps):
            stage = step.stage
            if stage is not None:
                stages[stage.service_id, stage.number, step.start, step.end, duty.loco_id] += 1
            elif step.kind == "light":
                entry = light.setdefault((duty.loco_id, step.start, step.end, step.depart_min), [0, step.path])
                entry[0] += 1  # type: ignore[operator]
            rows.append({
                "loco_id": duty.loco_id, "fleet_id": duty.fleet_id, "unit": duty.unit, "step": number,
                "kind": step.kind, "service_id": stage.service_id if stage else "",
                "stage": stage.number if stage else None, "window_id": step.window_id, "from_node": step.start,
                "to_node": step.end, "depart_min": step.depart_min, "arrive_min": step.arrive_min,
            })  # fmt: skip
    runs = set(running)
    tables: dict[str, list[dict[str, Any]]] = {
        "stages": [
            {"service_id": s, "stage": n, "from_node": a, "to_node": b, "loco_id": k, "units": units}
            for (s, n, a, b, k), units in sorted(stages.items())
        ],
        "light_moves": [
            {"loco_id": k, "from_node": a, "to_node": b, "depart_min": m, "units": units, "path": path}
            for (k, a, b, m), (units, path) in sorted(light.items())
        ],
        "duties": rows,
        "cancelled": [
            {"service_id": s, "reason": plan.impossible.get(s) or reasons[s]} for s in plan.cancel_usd if s not in runs
        ],
    }  # fmt: skip
    return {name: frame(tables[name], row_model) for name, row_model in LOCOMOTIVE_TABLES.items()}


def plan_cost(problem: RollingStock, duties: Iterable[UnitDuty], running: Iterable[str], plan: TrainPlan) -> Fraction:
    """Exact cost of a plan, USD."""
    connection, end = problem.corridor.config.rolling_stock.connection_min, problem.days * MINUTES_PER_DAY
    runs = set(running)
    cancelled = sum((usd for service, usd in plan.cancel_usd.items() if service not in runs), Fraction(0))
    return cancelled + sum((duty.cost(connection, end) for duty in duties), Fraction(0))


def cancel_reasons(plan: TrainPlan, networks: Sequence[LocoNetwork]) -> dict[str, str]:
    """Why each train that could be hauled would stay behind: nothing on hand that hauls it, or the cost."""
    units = {network.loco_id: network.units for network in networks}
    reasons = {}
    for service, stages in plan.stages.items():
        reasons[service] = "cheaper to cancel than to bring locomotives, or none are free"
        for stage in stages:
            if not any(all(units.get(k, 0) >= n for k, n in consist) for consist in stage.consists):
                least = min(stage.consists, key=lambda c: (sum(n for _, n in c), c))
                wanted = " and ".join(f"{n} {k}" for k, n in least)
                reasons[service] = (
                    f"too few locomotives on hand from {stage.from_node} to {stage.to_node}: it needs at least {wanted}"
                )
                break
    return reasons
