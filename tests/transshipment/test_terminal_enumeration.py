"""Every plan on the half-hour grid of terminals with the further rules, against the exact model.

Shares no code with the models: rules are read from the rows again. For given tracks, workers and orders the times solve
differences of whole half hours, so some cheapest plan is on the grid when every train has a track for itself.
"""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import corridor_from_rows, rich_terminal_rows

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import Transshipment
from optimizer.models.transshipment.search import solve_exact
from optimizer.models.transshipment.verify import verify
from optimizer.result import Status

STEP = 30
GAUGES = (1520, 1676)


def grid(hours):
    return round(hours * 60 / STEP)


def spans(text):
    return [tuple(grid(float(x)) for x in part.split("-")) for part in (text or "").split(";") if part]


def is_open(worker, start, end):
    inside = any(a <= start and end <= b for a, b in spans(worker.get("shifts_h") or "0-24"))
    away = spans(worker.get("breaks_h")) + spans(worker.get("out_of_service_h"))
    return inside and not any(a < end and start < b for a, b in away)


class Enumeration:
    def __init__(self, rows, on):
        self.rows, self.on = rows, on
        self.terminal, self.bay = rows["terminals"][0], rows["terminal_bays"][0]
        self.calls = {row["call_id"]: row for row in rows["train_calls"]}
        self.loads = rows["terminal_loads"]
        self.workers = {
            next(iter(row.values())): row
            for name in ("terminal_cranes", "terminal_bays", "terminal_posts")
            for row in rows[name]
        }
        self.best = float("inf")

    def times(self, worker, lasts, first, last):
        for start in range(first, last - lasts + 1):
            if is_open(worker, start, start + lasts):
                yield start, start + lasts

    def step(self, load, kind, onward, ready):
        """(kind, worker, start, end) of one step that begins at ``ready`` or later."""
        stays = {
            call_id: (grid(self.calls[call_id]["arrive_h"]), grid(self.calls[call_id]["latest_depart_h"]))
            for call_id in (load["call_id"], onward)
        }
        here, there = stays[load["call_id"]], stays[onward]
        at = kind.split(":")[0]
        first, last = {
            "before": here, "in": here, "direct": (max(here[0], there[0]), min(here[1], there[1])),
            "between": (0, there[1]), "out": there, "after": there, "bogie": (here[0], there[1]),
        }[at]  # fmt: skip
        first = max(first, ready)
        if at in ("before", "between", "after"):
            for post in self.rows["terminal_posts"]:
                if post["check"] == kind.split(":")[1]:
                    lasts = post["minutes_per_load"] + post["minutes_per_wagon"] * load["wagons"]
                    for start, end in self.times(post, round(lasts / STEP), first, last):
                        yield kind, post["post_id"], start, end
        elif at == "bogie":
            for start, end in self.times(self.bay, -(-load["wagons"] // 2), first, last):
                yield kind, "B0", start, end
        else:
            tracks = {"in": (load["call_id"],), "out": (onward,)}.get(at, (load["call_id"], onward))
            for crane in self.rows["terminal_cranes"]:
                if crane["handles"] == load["form"] and {self.on[c] for c in tracks} <= set(crane["tracks"]):
                    moves = load["moves"] * (1 + (at == "out" and load["form"] == "container") * self.rehandles)
                    for start, end in self.times(crane, grid(moves / crane["moves_per_h"]), first, last):
                        yield kind, crane["crane_id"], start, end

    @property
    def rehandles(self):
        return (self.terminal.get("yard_tiers", 1) - 1) / 2

    def chains(self, load, kinds, onward, ready=0):
        if not kinds:
            yield ()
            return
        for step in self.step(load, kinds[0], onward, ready):
            for rest in self.chains(load, kinds[1:], onward, step[3]):
                yield (step, *rest)

    def options(self, load):
        yield None, None, ()
        checks = {
            part: [f"{part}:{check}" for check in (load.get(f"checks_{part}") or "").split(";") if check]
            for part in ("before", "between", "after")
        }
        for onward, call in self.calls.items():
            same = call["gauge_mm"] == self.calls[load["call_id"]]["gauge_mm"]
            if same or load["destination"] not in call["destinations"].split(";"):
                continue
            for way in load["modes"].split(";"):
                if checks["between"] and way != "yard":
                    continue
                works = ["in", *checks["between"], "out"] if way == "yard" else [way]
                for chain in self.chains(load, [*checks["before"], *works, *checks["after"]], onward):
                    yield way, onward, chain

    def search(self, chosen=()):
        if self.cost(chosen) >= self.best - 1e-9 or not self.fits(chosen):
            return
        if len(chosen) == len(self.loads):
            self.best = self.cost(chosen)
            return
        for option in self.options(self.loads[len(chosen)]):
            self.search((*chosen, option))

    def pairs(self, chosen):
        return [(load, *option) for load, option in zip(self.loads, chosen, strict=False) if option[0]]

    def cost(self, chosen):
        leave = {c: grid(call["depart_h"]) for c, call in self.calls.items()}
        for load, _, onward, chain in self.pairs(chosen):
            for kind, _, _, end in chain:
                at = kind.split(":")[0]
                for call_id, held in ((load["call_id"], ("before", "in", "direct")),
                                      (onward, ("out", "direct", "bogie", "after"))):  # fmt: skip
                    if at in held:
                        leave[call_id] = max(leave[call_id], end)
        total = sum((leave[c] - grid(call["depart_h"])) / 2 * call["wait_usd_per_h"] for c, call in self.calls.items())
        total += sum(load["missed_usd"] for load, (way, *_) in zip(self.loads, chosen, strict=False) if way is None)
        for load, way, onward, _ in self.pairs(chosen):
            total += max(0, leave[onward] - grid(load["due_h"])) / 2 * load["late_usd_per_h"]
            moved = self.rehandles * load["moves"] * (load["form"] == "container")
            total += {
                "direct": load["moves"] * self.terminal["direct_usd_per_move"],
                "yard": 2 * load["moves"] * self.terminal["yard_usd_per_move"]
                + moved * self.terminal.get("rehandle_usd_per_move", 0),
                "bogie": load["wagons"] * self.terminal["bogie_usd_per_wagon"],
            }[way]
        return total

    def fits(self, chosen):
        done = [(load, *step) for load, _, _, chain in self.pairs(chosen) for step in chain]
        if any(self.clash(one, two) for one, two in itertools.combinations(done, 2)):
            return False
        return self.room(chosen) and (len(chosen) < len(self.loads) or self.stocks(chosen))

    def clash(self, one, two):
        (load, kind, name, start, end), (other, kind2, name2, start2, end2) = one, two
        if name == name2:
            setup = self.workers[name].get("setup_min", 0) / STEP if load["call_id"] != other["call_id"] else 0
            return start < end2 + setup and start2 < end + setup
        a, b = self.workers[name], self.workers[name2]
        lifts = {"in", "out", "direct"}
        if not a.get("runway") or not b.get("runway") or not {kind, kind2} <= lifts:
            return False
        apart, zones = b["runway_place"] - a["runway_place"], other["zone"] - load["zone"]
        return start < end2 and start2 < end and (zones < apart if apart > 0 else -zones < -apart)

    def room(self, chosen):
        for call_id, call in self.calls.items():
            onto = [(load, way) for load, way, onward, _ in self.pairs(chosen) if onward == call_id]
            boxes = sum(i["teu"] for i, way in onto if way != "bogie" and i["form"] == "container")
            bulk = sum(i["mass_t"] for i, way in onto if way != "bogie" and i["form"] == "bulk")
            wagons = sum(i["wagons"] for i, way in onto if way == "bogie")
            if boxes > call["capacity_teu"] or bulk > call["capacity_t"] or wagons > call["capacity_wagons"]:
                return False
        for form, size, room in (("container", "teu", "yard_capacity_teu"), ("bulk", "mass_t", "yard_capacity_t")):
            lying = []
            for load, way, _, chain in self.pairs(chosen):
                if way == "yard" and load["form"] == form:
                    start, end = (next(s for s in chain if s[0] == kind) for kind in ("in", "out"))
                    lying.append((load[size], start[2], end[3]))
            if any(sum(s for s, a, b in lying if a <= at < b) > self.terminal[room] for _, at, _ in lying):
                return False
        return True

    def stocks(self, chosen):
        for gauge in GAUGES:
            for bogies, stock in (
                (True, self.bay[f"bogie_sets_{gauge}"]),
                (False, self.terminal.get(f"empty_wagons_{gauge}")),
            ):
                changes = []
                for load, way, onward, chain in self.pairs(chosen):
                    works = [step for step in chain if ":" not in step[0]]
                    if stock is not None and (way == "bogie") == bogies:
                        if self.calls[onward]["gauge_mm"] == gauge:
                            changes.append((works[-1][2], -load["wagons"]))
                        if self.calls[load["call_id"]]["gauge_mm"] == gauge:
                            changes.append((works[0][3], load["wagons"]))
                if any(stock + sum(n for t, n in changes if t <= at) < 0 for at, _ in changes):
                    return False
        return True


def cheapest(rows):
    by_gauge = {g: [t["track_id"] for t in rows["terminal_tracks"] if t["gauge_mm"] == g] for g in GAUGES}
    trains = {g: [c["call_id"] for c in rows["train_calls"] if c["gauge_mm"] == g] for g in GAUGES}
    best = float("inf")
    for broad in itertools.permutations(by_gauge[1520], len(trains[1520])):
        for indian in itertools.permutations(by_gauge[1676], len(trains[1676])):
            enumeration = Enumeration(rows, dict(zip(trains[1520] + trains[1676], broad + indian, strict=True)))
            enumeration.best = best
            enumeration.search()
            best = enumeration.best
    return best


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(rows=rich_terminal_rows(max_trains=2, max_loads=2))
def test_exact_finds_what_enumeration_finds(rows):
    for crane in rows["terminal_cranes"]:
        crane["tracks"] = tuple(crane["tracks"])
    problem = Transshipment(corridor_from_rows(rows))
    outcome = solve_exact(problem, SolveOptions())
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(cheapest(rows), abs=0.02)  # rates of the instance are read to the cent
    assert not verify(problem, outcome.solution, outcome.cost)
