"""Plans of single locomotives on arrays, for the compiled search (:mod:`search_kernels`).

Every unit keeps its own kilometres and days, so that a plan is valid at any moment. Distances are rounded up to whole
metres, limits down: a plan never uses more than it may.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np

from optimizer.models.rolling_stock.locomotives import duty_kernels, search_kernels
from optimizer.models.rolling_stock.locomotives.duties import Step, UnitDuty
from optimizer.models.rolling_stock.locomotives.duty_kernels import CREW, NO_WAY, NONE, Fleet, State, Work
from optimizer.models.rolling_stock.locomotives.nearness import nearest_trains
from optimizer.models.rolling_stock.locomotives.network import LocoNetwork, way_minutes
from optimizer.models.rolling_stock.locomotives.trains import TrainPlan
from optimizer.models.rolling_stock.problem import MINUTES_PER_DAY, RollingStock
from optimizer.models.rolling_stock.routes import exact

NEAR = 100
"""Trains that can be taken off together with one."""


class DutySearch:
    """
    The plan of one gauge, bettered round by round.

    Attributes
    ----------
    cost
        Of the best plan so far, USD, by floating point.
    entered
        Cost of the last plan that was entered, without what was left out.
    left_out
        Its trains that were left out.
    """

    def __init__(
        self,
        problem: RollingStock,
        plan: TrainPlan,
        services: Sequence[str],
        networks: Sequence[LocoNetwork],
        seed: int,
    ) -> None:
        self.services, self.networks = tuple(services), tuple(networks)
        self.trains = [plan.stages[service] for service in services]
        self.stages = [stage for stages in self.trains for stage in stages]
        self.connection_min = problem.corridor.config.rolling_stock.connection_min
        self.horizon_min = problem.days * MINUTES_PER_DAY
        self.names = sorted(
            {n for s in self.stages for n in (s.from_node, s.to_node)} | {n for x in networks for n in x.places}
        )
        self.windows = [(k, n) for k, network in enumerate(networks) for n in range(len(network.windows))]
        self.fleet = self._fleet(exact(problem.corridor.config.rolling_stock.hours_per_day))
        self.work = self._work(np.array([float(plan.cancel_usd[service]) for service in services]))
        self._nothing, self._state, self._best, self._old = (self._empty() for _ in range(4))
        self._rng = np.random.default_rng(seed)
        self.cost = self.entered = float(search_kernels.total_usd(self.work, self._best))
        self.left_out = 0

    def build(self) -> None:
        """A first plan: trains in order of time."""
        search_kernels.build(self.work, self.fleet, self._state, self._rng)
        self.cost = float(search_kernels.total_usd(self.work, self._state))
        duty_kernels.copy_state(self._best, self._state)

    def run(self, rounds: int, heat_usd: float) -> None:
        """Better the plan; the same numbers of rounds give the same plan."""
        self.cost = float(
            search_kernels.search(
                self.work, self.fleet, self._state, self._best, self._old, self.cost, rounds, heat_usd, self._rng
            )
        )

    def enter(self, duties: Sequence[UnitDuty]) -> None:
        """
        Take over another plan, to go on from there.

        Tasks with which a unit would break a rule are left out, and with them their trains.
        """
        stage_at = {(stage.service_id, stage.number): n for n, stage in enumerate(self.stages)}
        window_at = {
            (self.networks[kind].loco_id, self.networks[kind].windows[n].window_id): len(self.stages) + at
            for at, (kind, n) in enumerate(self.windows)
        }
        unit_at = {name: unit for unit, name in enumerate(self._unit_names())}
        state, work, fleet = self._state, self.work, self.fleet
        trains = {step.stage.service_id for duty in duties for step in duty.steps if step.stage is not None}
        duty_kernels.copy_state(state, self._nothing)
        for duty in duties:
            unit = unit_at[duty.fleet_id, duty.unit]
            for step in duty.steps:
                if step.kind == "light":
                    continue
                stage = step.stage
                task = window_at[duty.loco_id, step.window_id] if stage is None else (
                    stage_at[stage.service_id, stage.number]
                )  # fmt: skip
                if not duty_kernels.put(work, fleet, state, unit, task, task):
                    duty_kernels.drop(work, fleet, state, unit, task, task)
        duty_kernels.run_hauled(work, fleet, state)
        self.entered, self.left_out = (
            float(search_kernels.total_usd(work, state)),
            len(trains) - int(state.running.sum()),
        )
        if self.entered < self.cost:
            self.cost = self.entered
            duty_kernels.copy_state(self._best, state)

    def _unit_names(self) -> list[tuple[str, int]]:
        """Row of the fleet and number in it, by unit."""
        seen: dict[str, int] = {}
        names = []
        for network in self.networks:
            for stock in (stock for layer in network.layers for stock in layer.stock):
                for _ in range(stock.units):
                    seen[stock.fleet_id] = seen.get(stock.fleet_id, 0) + 1
                    names.append((stock.fleet_id, seen[stock.fleet_id]))
        return names

    def _fleet(self, hours_per_day: object) -> Fleet:
        at = {name: number for number, name in enumerate(self.names)}
        kinds, places = len(self.networks), len(self.names)
        light = np.full((kinds, places, places), NO_WAY, np.int64)
        light_m = np.zeros((kinds, places, places), np.int64)
        via, nearest = np.full_like(light, NONE), np.full((kinds, places), NONE, np.int64)
        home = np.zeros((kinds, places), bool)
        units: list[tuple[int, int, int, int, int]] = []
        first = [0]
        for kind, network in enumerate(self.networks):
            local = [at[name] for name in network.places]
            for (a, b), way in network.ways.items():
                if a != b:
                    minutes = way_minutes(way, hours_per_day)  # type: ignore[arg-type]
                    light[kind, local[a], local[b]] = minutes + self.connection_min
                    light_m[kind, local[a], local[b]] = ceil(way.length_km * 1000)
            homes = np.array(sorted(local[place] for place in network.homes), np.int64)
            home[kind, homes] = True
            to = light[kind].copy()
            np.fill_diagonal(to, 0)
            best = homes[np.argmin(to[:, homes], axis=1)]
            nearest[kind] = np.where(to[np.arange(places), best] < NO_WAY, best, NONE)
            away = np.arange(places)
            for a in range(places):
                through = to[a, homes][:, None] + to[homes]
                through[(homes == a)] = 2 * NO_WAY
                through[homes[:, None] == away] = 2 * NO_WAY
                chosen = np.argmin(through, axis=0)
                via[kind, a] = np.where(through[chosen, away] < NO_WAY, homes[chosen], NONE)
            for layer in network.layers:
                most = floor(layer.budget_km * 1000) if layer.limited else NO_WAY
                for stock in layer.stock:
                    units += [(kind, local[stock.place], stock.minute, layer.due_min, most)] * stock.units
            first.append(len(units))
        kind_of, place, minute, due, budget = np.array(units, np.int64).reshape(-1, 5).T.copy()
        shop_m = [floor(n.shop_km * 1000) if np.isfinite(n.shop_km) else NO_WAY for n in self.networks]
        rate = np.array([float(network.usd_per_min) for network in self.networks])
        return Fleet(
            np.array(first, np.int64), kind_of, place, minute, due, budget, rate, np.array(shop_m, np.int64),
            light, light_m, via, home, nearest,
        )  # fmt: skip

    def _work(self, cancel: np.ndarray) -> Work:
        at = {name: number for number, name in enumerate(self.names)}
        number = {network.loco_id: kind for kind, network in enumerate(self.networks)}
        tasks: list[tuple[int, ...]] = []
        for train, stages in enumerate(self.trains):
            for s in stages:
                ends = at[s.from_node], at[s.to_node], s.depart_min, s.arrive_min, s.arrive_min + self.connection_min
                tasks.append((*ends, ceil(s.length_km * 1000), train, NONE))
        due, room = [], []
        for kind, at_window in self.windows:
            network = self.networks[kind]
            window, place = network.windows[at_window], at[network.places[network.windows[at_window].place]]
            layer = next((layer for layer in network.layers if at_window in layer.entries), None)
            tasks.append((place, place, window.from_min, window.until_min, window.until_min, 0, NONE, kind))
            due.append(NO_WAY if layer is None else layer.due_min)
            room.append(0 if layer is None else window.units)
        least = np.full((len(self.stages), len(self.networks)), CREW + 1, np.int64)
        pair = np.zeros((len(self.stages), len(self.networks), len(self.networks)), bool)
        for stage, entry in enumerate(self.stages):
            for consist in entry.consists:
                kinds = [number.get(loco_id, NONE) for loco_id, _ in consist]
                if NONE in kinds:
                    continue
                if len(kinds) == 1:
                    least[stage, kinds[0]] = min(least[stage, kinds[0]], consist[0][1])
                else:
                    pair[stage, kinds[0], kinds[1]] = pair[stage, kinds[1], kinds[0]] = True
        first = np.r_[0, np.cumsum([len(stages) for stages in self.trains])].astype(np.int64)
        start, end, depart, arrive, free, metres, of_train, shop = np.array(tasks, np.int64).reshape(-1, 8).T.copy()
        return Work(
            start, end, depart, arrive, free, metres, of_train, shop, first, least, pair, cancel,
            np.array(due, np.int64), np.array(room, np.int64),
            nearest_trains(self.trains, NEAR), self.connection_min, self.horizon_min,
        )  # fmt: skip

    def _empty(self) -> State:
        """The plan in which nothing moves, with room for as many tasks as fit one after another."""
        most, until = 0, -1
        for task in np.argsort(self.work.arrive, kind="stable").tolist():
            if self.work.depart[task] >= until:
                most, until = most + 1, int(self.work.arrive[task])
        units, stages = self.fleet.kind.size, len(self.stages)
        run, most_m, due = (np.zeros((units, most + 1), np.int64) for _ in range(3))
        state = State(
            np.full((units, most), NONE, np.int64), np.zeros(units, np.int64), np.zeros(units), run, most_m, due,
            np.full((stages, CREW), NONE, np.int64), np.zeros(stages, np.int64), np.zeros(len(self.trains), bool),
            np.zeros(len(self.windows), np.int64), np.zeros(units, np.int64),
        )  # fmt: skip
        for unit in range(units):
            duty_kernels.refresh(self.work, self.fleet, state, unit)
        return state

    def running(self) -> list[str]:
        """Services of the trains that the best plan runs."""
        return [service for service, runs in zip(self.services, self._best.running, strict=True) if runs]

    def duties(self) -> list[UnitDuty]:
        """What every unit does in the best plan."""
        found: list[UnitDuty] = []
        for unit, (fleet_id, number) in enumerate(self._unit_names()):
            network = self.networks[self.fleet.kind[unit]]
            homes = frozenset(network.places[place] for place in network.homes)
            duty = UnitDuty(network.loco_id, fleet_id, number, network.usd_per_min, homes)
            duty.steps += self._steps(unit, network)
            found.append(duty)
        return found

    def _steps(self, unit: int, network: LocoNetwork) -> list[Step]:
        work, fleet, state = self.work, self.fleet, self._best
        steps: list[Step] = []
        kind, place = int(fleet.kind[unit]), int(fleet.place[unit])
        free, due, before = int(fleet.minute[unit]), int(fleet.due[unit]), NONE
        for task in state.route[unit, : state.size[unit]].tolist():
            start, depart, arrive = int(work.start[task]), int(work.depart[task]), int(work.arrive[task])
            if not (before != NONE and task == before + 1 and 0 <= work.train[before] == work.train[task]):
                _, _, over = duty_kernels.gap(work, fleet, kind, place, free, start, depart, due)
                for there, until in ((over, free + int(fleet.light[kind, place, over])), (start, depart)):
                    if there in (NONE, place):
                        continue
                    end = int(duty_kernels.light_end(work, fleet, kind, place, free, there, until, due))
                    steps.append(self._light(network, kind, place, there, end))
                    place, free = there, end + self.connection_min
            ends = self.names[start], self.names[int(work.end[task])], depart, arrive
            if task < len(self.stages):
                steps.append(Step("train", *ends, self.stages[task]))
            else:
                number = self.windows[task - len(self.stages)][1]
                steps.append(Step("shop", *ends, window_id=network.windows[number].window_id))
                due = int(work.due[task - len(self.stages)])
            place, free, before = int(work.end[task]), int(work.free[task]), task
        _, _, home = duty_kernels.last_gap(work, fleet, kind, place, free, due, int(state.home_m[unit]))
        if home != NONE:
            end = free + int(fleet.light[kind, place, home]) - self.connection_min
            steps.append(self._light(network, kind, place, home, end))
        return steps

    def _light(self, network: LocoNetwork, kind: int, a: int, b: int, end: int) -> Step:
        start, goal = self.names[a], self.names[b]
        leave = end - int(self.fleet.light[kind, a, b]) + self.connection_min
        way = network.ways[network.places.index(start), network.places.index(goal)]
        return Step("light", start, goal, leave, end, path=way.path)
