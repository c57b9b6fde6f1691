"""Every rule of a locomotive plan again, from the instance's tables and the plan alone, in exact fractions.

Each locomotive is followed through its duty: it starts where its row of the fleet table stands, its steps join up in
place and time, and its days and kilometres since the last shop are counted. Trains and light moves are then compared
with what the duties say, and the cost is that of the duties.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from optimizer.models.rolling_stock.problem import GRADIENT_CLASSES_PERMILLE, MAX_UNITS, MIN_SPEED_KMH, RollingStock
from optimizer.models.rolling_stock.verify_facts import TOLERANCE, Facts
from optimizer.result import Solution, Violation
from optimizer.verification.numbers import exact, given

DAY_MIN = 1440


def _or_zero(value: Any) -> Fraction:
    return exact(value) if given(value) else Fraction(0)


def _wired(link: Mapping[str, Any]) -> bool:
    return link["electrified"] not in ("", "no")


def _gradient(link: Mapping[str, Any]) -> Fraction:
    return _or_zero(link["ruling_gradient_permille"])


def verify_trains(problem: RollingStock, solution: Solution, cost: float | None = None) -> tuple[Violation, ...]:
    """Every broken rule of a locomotive plan (tables ``stages``, ``light_moves``, ``duties``, ``cancelled``)."""
    check = _Check(problem, solution)
    total = check.trains() + check.duties()
    check.shops()
    check.light_moves()
    if cost is not None and abs(exact(cost) - total) > TOLERANCE * max(Fraction(1), abs(total)):
        check.broken("claimed cost is not the cost of the plan", "cost", float(exact(cost) - total), "USD")
    return tuple(check.found)


class _Check:
    def __init__(self, problem: RollingStock, solution: Solution) -> None:
        self.problem, self.solution, self.facts = problem, solution, Facts(problem)
        self.found: list[Violation] = []
        self.locos = {row["loco_id"]: row for row in problem.table("locomotives").to_dict("records")}
        self.fleet = {
            row["fleet_id"]: row
            for row in problem.table("fleet").to_dict("records")
            if row["type_id"] in self.locos
        }  # fmt: skip
        self.homes: dict[str, set[str]] = defaultdict(set)
        for row in self.fleet.values():
            self.homes[row["type_id"]].add(row["node_id"])
        self.windows = {row["window_id"]: row for row in problem.table("shop_windows").to_dict("records")}
        self.connection_min = self.facts.settings.connection_min
        self.end_min = problem.days * DAY_MIN
        self.stages: dict[tuple[str, int], Mapping[str, Any]] = {}
        """Stages of the trains that run."""
        self.light: dict[tuple[str, str, str, int], tuple[int, Fraction, tuple[str, ...]]] = {}
        """Light moves: arrival, kilometres and path."""
        self.steps_of: Counter[tuple[Any, ...]] = Counter()
        """How many duties have a step with a stage, a light move or a window."""

    def broken(self, rule: str, where: str, amount: float, unit: str) -> None:
        self.found.append(Violation(rule, where, amount, unit))

    def trains(self) -> Fraction:
        """Cancelled trains, and consist, effort and wire of every stage; the cost of cancelling."""
        services = {row["service_id"]: row for row in self.problem.table("train_services").to_dict("records")}
        cancelled, total = list(self.solution["cancelled"]["service_id"]), Fraction(0)
        for service, times in Counter(cancelled).items():
            if service not in services or times > 1:
                self.broken("cancelled train is unknown or listed twice", str(service), 1, "trains")
            elif self.problem.serve_all:
                self.broken("train does not run", f"train {service}", 1, "trains")
            if service in services:
                total += times * exact(services[service]["cancel_usd"])
        given: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for row in self.solution["stages"].to_dict("records"):
            given[row["service_id"], int(row["stage"])].append(row)
        depots = {(node, int(self.locos[k]["gauge_mm"])) for k, nodes in self.homes.items() for node in nodes}
        left = set(cancelled)
        for service, train in services.items():
            if service in left:
                continue
            if any(link_id not in self.facts.links for link_id in train["links"]):
                self.broken("train over a link not in force", f"train {service}", 1, "trains")
                continue
            for number, stage in enumerate(_stages(self.facts, train, depots)):
                self.stages[service, number] = stage
                self._stage(train, number, stage, given.get((service, number), []))
        for service, number in sorted(set(given) - set(self.stages)):
            self.broken("locomotives on a stage that does not run", f"train {service}, stage {number}", 1, "stages")
        return total

    def _stage(
        self, train: Mapping[str, Any], number: int, stage: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        name, units = f"train {train['service_id']}, stage {number}", sum(int(row["units"]) for row in rows)
        if not rows:
            self.broken("stage without locomotives", name, 1, "stages")
            return
        if any(row["loco_id"] not in self.locos or int(row["units"]) < 1 for row in rows):
            self.broken("unknown locomotive type or no units", name, 1, "stages")
            return
        types = [row["loco_id"] for row in rows]
        if len(set(types)) < len(types) or units > MAX_UNITS or (len(types) > 1 and (len(types) > 2 or units > 2)):
            self.broken("consist is not allowed", name, units, "units")
        mass, effort, gravity = exact(train["gross_t"]), Fraction(0), Fraction("9.81")
        adhesion = Fraction("7.5") / (MIN_SPEED_KMH + 44) + Fraction("0.161")
        for row in rows:
            loco, n = self.locos[row["loco_id"]], int(row["units"])
            if (row["from_node"], row["to_node"]) != (stage["from"], stage["to"]):
                self.broken("stage between other places", name, 1, "stages")
            if int(loco["gauge_mm"]) != int(train["gauge_mm"]):
                self.broken("locomotive of another gauge", name, n, "units")
            if loco["traction"] == "electric" and not all(_wired(link) for link in stage["links"]):
                self.broken("electric locomotive without a wire", name, n, "units")
            mass += n * exact(loco["mass_t"])
            limits = (
                exact(loco["starting_te_kn"]),
                exact(loco["power_kw"]) / (Fraction(MIN_SPEED_KMH) * 1000 / 3600),
                gravity * exact(loco["mass_t"]) * adhesion,
            )
            effort += n * min(limits)
        rolling = 2 + Fraction("0.057") * (Fraction(MIN_SPEED_KMH) / 10) ** 2
        needed = max(mass * gravity * (_gradient(link) + rolling) / 1000 for link in stage["links"])
        if effort < needed:
            self.broken("too little tractive effort", name, float(needed - effort), "kN")

    def light_moves(self) -> None:
        """Light moves and consists against what the duties say; paths are read in :meth:`_paths`."""
        stages = Counter[tuple[Any, ...]]()
        for row in self.solution["stages"].to_dict("records"):
            stages["train", row["loco_id"], row["service_id"], int(row["stage"])] += int(row["units"])
        moves = Counter[tuple[Any, ...]]()
        for row in self.solution["light_moves"].to_dict("records"):
            key = row["loco_id"], row["from_node"], row["to_node"], int(row["depart_min"])
            moves["light", *key] += int(row["units"])
        seen = Counter({key: n for key, n in self.steps_of.items() if key[0] != "shop"})
        for key in sorted(set(stages + moves) | set(seen), key=str):
            difference = (stages + moves)[key] - seen[key]
            if difference:
                what = "train" if key[0] == "train" else "light move"
                where = " ".join(str(part) for part in key[1:])
                self.broken(f"duties and {what}s differ", where, abs(difference), "units")

    def _paths(self) -> None:
        for move in self.solution["light_moves"].to_dict("records"):
            name, loco = f"{move['loco_id']} light from {move['from_node']}", self.locos.get(move["loco_id"])
            if loco is None or int(move["units"]) < 1 or not move["path"]:
                self.broken("light move of no locomotive or without a path", name, int(move["units"]), "units")
                continue
            at, depart, km = move["from_node"], int(move["depart_min"]), Fraction(0)
            arrive = depart
            for link_id in move["path"]:
                link = self.facts.links.get(link_id)
                if link is None or at not in (link["from_node"], link["to_node"]):
                    self.broken("path is not joined up", f"{name}, {link_id}", 1, "moves")
                    break
                if int(link["gauge_mm"]) != int(loco["gauge_mm"]) or (
                    loco["traction"] == "electric" and not _wired(link)
                ):
                    self.broken("locomotive on a link it cannot run on", f"{name}, {link_id}", 1, "moves")
                at, took = _minutes(self.facts, link, at)
                arrive, km = arrive + took, km + exact(link["length_km"])
            else:
                if at != move["to_node"]:
                    self.broken("path does not end where the move does", name, 1, "moves")
                if depart < 0 or arrive > self.end_min:
                    self.broken("light move outside the horizon", name, 1, "moves")
                key = move["loco_id"], move["from_node"], move["to_node"], depart
                if self.light.get(key, (arrive, km, move["path"])) != (arrive, km, move["path"]):
                    self.broken("light move is listed twice with another path", name, 1, "moves")
                self.light[key] = arrive, km, move["path"]

    def duties(self) -> Fraction:
        """Every locomotive through its duty; the cost of all."""
        self._paths()
        steps: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for row in self.solution["duties"].to_dict("records"):
            steps[row["fleet_id"], int(row["unit"])].append(row)
        total = Fraction(0)
        for (fleet_id, unit), rows in steps.items():
            name, stock = f"{fleet_id} unit {unit}", self.fleet.get(fleet_id)
            if stock is None or not 1 <= unit <= int(stock["units"]):
                self.broken("locomotive is not in the fleet", name, 1, "units")
                continue
            total += self._duty(name, stock, sorted(rows, key=lambda row: int(row["step"])))
        return total

    def _duty(self, name: str, stock: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Fraction:
        loco = self.locos[stock["type_id"]]
        days, most_km = loco["maintenance_days"], loco["maintenance_km"]
        at, free, minutes, behind = stock["node_id"], int(stock["from_day"]) * DAY_MIN, 0, None
        since = -_or_zero(stock["days_since_maintenance"]) * DAY_MIN
        km = _or_zero(stock["km_since_maintenance"])
        homes = self.homes[stock["type_id"]]
        for number, row in enumerate(rows):
            where, depart, arrive = f"{name}, step {number}", int(row["depart_min"]), int(row["arrive_min"])
            if int(row["step"]) != number or row["loco_id"] != stock["type_id"]:
                self.broken("steps are not counted, or of another type", where, 1, "steps")
            follows = (row["service_id"], number and int(row["stage"]) if row["kind"] == "train" else None)
            stays = behind is not None and row["kind"] == "train" and follows == behind
            if stays:
                free -= self.connection_min
                minutes -= self.connection_min
            if row["from_node"] != at or depart < free:
                self.broken("locomotive is not there in time", where, max(1, free - depart), "minutes")
            if at not in homes:
                minutes += max(0, min(depart, self.end_min) - min(free, self.end_min))
            run_km = self._step(where, stock["type_id"], row, depart, arrive)
            if row["kind"] == "shop":
                if at not in homes:
                    minutes += max(0, min(arrive, self.end_min) - min(depart, self.end_min))
                since, km, free = Fraction(arrive), Fraction(0), arrive
            else:
                km += run_km
                if given(days) and arrive - since > exact(days) * DAY_MIN:
                    late = float((arrive - since) / DAY_MIN - exact(days))
                    self.broken("locomotive works after its days are over", where, late, "days")
                if given(most_km) and km > exact(most_km):
                    self.broken("locomotive runs further than it may", where, float(km - exact(most_km)), "km")
                minutes += arrive - depart + self.connection_min
                free = arrive + self.connection_min
            behind = (row["service_id"], int(row["stage"]) + 1) if row["kind"] == "train" else None
            at = row["to_node"]
        if rows and at not in homes:
            minutes += max(0, self.end_min - min(free, self.end_min))
        return minutes * exact(loco["cost_usd_per_day"]) / DAY_MIN

    def _step(self, where: str, loco_id: str, row: Mapping[str, Any], depart: int, arrive: int) -> Fraction:
        """Compare a step with its stage, light move or window; its kilometres."""
        ends = row["from_node"], row["to_node"], depart, arrive
        if row["kind"] == "train":
            key = row["service_id"], int(row["stage"])
            self.steps_of["train", loco_id, *key] += 1
            stage = self.stages.get(key)
            if stage is None or ends != (stage["from"], stage["to"], stage["depart"], stage["arrive"]):
                self.broken("step is no stage of a train that runs", where, 1, "steps")
                return Fraction(0)
            return sum((exact(link["length_km"]) for link in stage["links"]), Fraction(0))
        if row["kind"] == "light":
            self.steps_of["light", loco_id, row["from_node"], row["to_node"], depart] += 1
            move = self.light.get((loco_id, row["from_node"], row["to_node"], depart))
            if move is None or move[0] != arrive:
                self.broken("step is no light move of the plan", where, 1, "steps")
                return Fraction(0)
            return move[1]
        window = self.windows.get(row["window_id"])
        if window is None or window["loco_id"] != loco_id or ends != (
            window["node_id"], window["node_id"], int(window["from_min"]), int(window["until_min"]),
        ):  # fmt: skip
            self.broken("step is no window of a shop for the type", where, 1, "steps")
        else:
            self.steps_of["shop", row["window_id"]] += 1
        return Fraction(0)

    def shops(self) -> None:
        """No window takes more than its units."""
        for window_id, window in self.windows.items():
            over = self.steps_of["shop", window_id] - int(window["units"])
            if over > 0:
                self.broken("more locomotives in a shop than it takes", f"window {window_id}", over, "units")


def _minutes(facts: Facts, link: Mapping[str, Any], at: str) -> tuple[str, int]:
    other = link["to_node"] if at == link["from_node"] else link["from_node"]
    hours = exact(link["length_km"]) / exact(link["speed_kmh"]) + facts.border_h(
        facts.country[at], facts.country[other]
    )
    return other, ceil(hours / exact(facts.settings.hours_per_day) * DAY_MIN)


def _stages(facts: Facts, train: Mapping[str, Any], depots: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """A train's way, cut by the rule of the problem."""
    stages: list[dict[str, Any]] = []
    minute = int(train["depart_min"]) if given(train["depart_min"]) else 0
    at, minute = train["from_node"], int(train["depart_day"]) * DAY_MIN + minute
    previous: Any = None
    for link_id in train["links"]:
        link = facts.links[link_id]
        need = _wired(link), sum(_gradient(link) > limit for limit in GRADIENT_CLASSES_PERMILLE)
        if need != previous or (at, int(train["gauge_mm"])) in depots:
            stages.append({"from": at, "depart": minute, "links": []})
        previous = need
        at, took = _minutes(facts, link, at)
        minute += took
        stages[-1]["links"].append(link)
        stages[-1] |= {"to": at, "arrive": minute}
    return stages
