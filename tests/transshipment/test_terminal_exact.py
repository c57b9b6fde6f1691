"""The exact model against the toy, enumeration, the cross-check, and limits."""

import itertools
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import corridor_from_rows, terminal_rows, terminals

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment
from optimizer.models.transshipment.constraints.strengthen import assignment_bound
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.search import first_plan, solve_exact
from optimizer.models.transshipment.verify import verify
from optimizer.result import Status

TOY = Path(__file__).resolve().parents[2] / "instances" / "toy-transshipment"
SLOW = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def toy(**options):
    return Transshipment(apply_scenario(read_instance(TOY), None), **options)


@pytest.mark.parametrize("method", list(FAMILY.methods))
def test_toy_has_the_optimum_of_its_readme(method):
    problem = toy()
    outcome = FAMILY.methods[method](problem, SolveOptions())
    assert (outcome.status, outcome.cost) == (Status.OPTIMAL, 2000.0)
    assert outcome.bound == pytest.approx(2000.0)
    ways = outcome.solution["loads"].set_index("load_id")["mode"].to_dict()
    assert ways == {"A": "direct", "B": "bogie", "C": "direct", "D": "missed", "F": "yard"}
    assert not verify(problem, outcome.solution, outcome.cost)


# --- enumeration on the grid -----------------------------------------------------------------------------------------

STEP = 30


def cheapest_by_enumeration(rows):
    """Least cost in USD over all plans whose works begin on the half hour, every train having a track for itself.

    For given tracks, resources and orders the times solve differences of whole half hours, so some cheapest plan is on
    the grid. Shares no code with the models.
    """
    calls, loads = {c["call_id"]: c for c in rows["train_calls"]}, rows["terminal_loads"]
    terminal, tracks = rows["terminals"][0], rows["terminal_tracks"]
    by_gauge = {g: [t["track_id"] for t in tracks if t["gauge_mm"] == g] for g in (1520, 1676)}
    trains = {g: [c for c in calls if calls[c]["gauge_mm"] == g] for g in (1520, 1676)}
    best = [float("inf")]
    for broad in itertools.permutations(by_gauge[1520], len(trains[1520])):
        for indian in itertools.permutations(by_gauge[1676], len(trains[1676])):
            on = dict(zip(trains[1520] + trains[1676], broad + indian, strict=True))
            options = [list(_options(rows, calls, load, on)) for load in loads]
            _search(terminal, rows["terminal_bays"][0], calls, loads, options, [], best)
    return best[0]


def _grid(hours):
    return round(hours * 60 / STEP)


def _open(crane, start, end):
    spans = [tuple(float(x) * 60 / STEP for x in part.split("-")) for part in crane["shifts_h"].split(";")]
    return any(a <= start and end <= b for a, b in spans)


def _options(rows, calls, load, on):
    """(way, onward, works) with works as (resource, start, end) in half hours."""
    yield "missed", None, ()
    inbound = calls[load["call_id"]]
    a0, a1 = _grid(inbound["arrive_h"]), _grid(inbound["latest_depart_h"])

    def lifts(track, first, last):
        for crane in rows["terminal_cranes"]:
            if crane["handles"] == load["form"] and set(track) <= set(crane["tracks"]):
                lasts = _grid(load["moves"] / crane["moves_per_h"])
                for start in range(first, last - lasts + 1):
                    if _open(crane, start, start + lasts):
                        yield crane["crane_id"], start, start + lasts

    for o, call in calls.items():
        if call["gauge_mm"] == inbound["gauge_mm"] or load["destination"] not in call["destinations"].split(";"):
            continue
        b0, b1 = _grid(call["arrive_h"]), _grid(call["latest_depart_h"])
        modes = load["modes"].split(";")
        here, there = on[load["call_id"]], on[o]
        if "direct" in modes:
            for work in lifts((here, there), max(a0, b0), min(a1, b1)):
                yield "direct", o, (work,)
        if "yard" in modes:
            for first in lifts((here,), a0, a1):
                for second in lifts((there,), max(first[2], b0), b1):
                    yield "yard", o, (first, second)
        if "bogie" in modes:
            lasts = -(-load["wagons"] // 2)
            for start in range(a0, b1 - lasts + 1):
                yield "bogie", o, (("B0", start, start + lasts),)


def _search(terminal, bay, calls, loads, options, chosen, best):
    cost = _cost(terminal, calls, loads, chosen)
    if cost >= best[0] - 1e-9 or not _fits(terminal, bay, calls, loads, chosen):
        return
    if len(chosen) == len(loads):
        best[0] = cost
        return
    for option in options[len(chosen)]:
        _search(terminal, bay, calls, loads, options, [*chosen, option], best)


def _cost(terminal, calls, loads, chosen):
    leave = {c: _grid(call["depart_h"]) for c, call in calls.items()}
    for load, (way, onward, works) in zip(loads, chosen, strict=False):
        if works:
            leave[onward] = max(leave[onward], works[-1][2])
            if way != "bogie":
                leave[load["call_id"]] = max(leave[load["call_id"]], works[0][2])
    total = sum((leave[c] - _grid(call["depart_h"])) / 2 * call["wait_usd_per_h"] for c, call in calls.items())
    for load, (way, onward, _) in zip(loads, chosen, strict=False):
        if way == "missed":
            total += load["missed_usd"]
            continue
        total += max(0, leave[onward] - _grid(load["due_h"])) / 2 * load["late_usd_per_h"]
        total += {
            "direct": load["moves"] * terminal["direct_usd_per_move"],
            "yard": 2 * load["moves"] * terminal["yard_usd_per_move"],
            "bogie": load["wagons"] * terminal["bogie_usd_per_wagon"],
        }[way]
    return total


def _fits(terminal, bay, calls, loads, chosen):
    works = sorted(w for _, _, mine in chosen for w in mine)
    if any(one[0] == two[0] and two[1] < one[2] for one, two in itertools.pairwise(works)):
        return False
    pairs = list(zip(loads, chosen, strict=False))
    for o, call in calls.items():
        onto = [(load, way) for load, (way, onward, _) in pairs if onward == o]
        if sum(x["teu"] for x, way in onto if way != "bogie" and x["form"] == "container") > call["capacity_teu"]:
            return False
        if sum(x["mass_t"] for x, way in onto if way != "bogie" and x["form"] == "bulk") > call["capacity_t"]:
            return False
        if sum(x["wagons"] for x, way in onto if way == "bogie") > call["capacity_wagons"]:
            return False
    for form, size, room in (("container", "teu", "yard_capacity_teu"), ("bulk", "mass_t", "yard_capacity_t")):
        lying = [(x[size], w[0][1], w[1][2]) for x, (way, _, w) in pairs if way == "yard" and x["form"] == form]
        if any(sum(s for s, a, b in lying if a <= at < b) > terminal[room] for _, at, _ in lying):
            return False
    for gauge in (1520, 1676):
        changes = []
        for load, (way, onward, mine) in pairs:
            if way == "bogie":
                if calls[onward]["gauge_mm"] == gauge:
                    changes.append((mine[0][1], -load["wagons"]))
                if calls[load["call_id"]]["gauge_mm"] == gauge:
                    changes.append((mine[0][2], load["wagons"]))
        # While loads are still to be chosen, sets they bring may yet come: judge the whole plan only.
        if len(chosen) == len(loads):
            stock = bay[f"bogie_sets_{gauge}"]
            if any(stock + sum(n for t, n in changes if t <= at) < 0 for at, _ in changes):
                return False
    return True


@SLOW
@given(rows=terminal_rows(max_trains=3, max_loads=2).filter(lambda r: all(
    sum(c["gauge_mm"] == g for c in r["train_calls"]) <= sum(t["gauge_mm"] == g for t in r["terminal_tracks"])
    for g in (1520, 1676)
)))  # fmt: skip
def test_exact_finds_what_enumeration_finds(rows):
    problem = Transshipment(corridor_from_rows(rows))
    for each in rows["terminal_cranes"]:
        each["tracks"] = tuple(each["tracks"])
    least = cheapest_by_enumeration(rows)
    status, units = assignment_bound(problem.site, False, SolveOptions(), 5.0)
    assert status is Status.OPTIMAL
    assert usd(units) <= least + 1e-6
    outcome = solve_exact(problem, SolveOptions())
    assert outcome.status is Status.OPTIMAL
    assert outcome.cost == pytest.approx(least, abs=0.02)  # rates of the instance are read to the cent
    assert outcome.bound <= outcome.cost + 1e-9
    assert not verify(problem, outcome.solution, outcome.cost)


# --- two formulations, first plans, repetition -----------------------------------------------------------------------


@SLOW
@given(corridor=terminals())
def test_both_formulations_agree_and_first_plans_hold(corridor):
    problem = Transshipment(corridor)
    one = solve_exact(problem, SolveOptions())
    other = FAMILY.methods["crosscheck"](problem, SolveOptions())
    assert one.status == other.status
    if one.status.has_plan:
        assert one.cost == pytest.approx(other.cost, abs=1e-6)
        assert not verify(problem, one.solution, one.cost)
        assert not verify(problem, other.solution, other.cost)
        first = first_plan(problem.site, SolveOptions())
        assert not verify(problem, to_tables(problem.site, first), usd(plan_units(problem.site, first)))
        assert usd(plan_units(problem.site, first)) >= one.cost - 1e-9
    else:
        assert one.conflicts


@SLOW
@given(corridor=terminals())
def test_serving_all_never_costs_less_or_says_why_it_cannot(corridor):
    free, bound = (solve_exact(Transshipment(corridor, serve_all=s), SolveOptions()) for s in (False, True))
    if bound.status.has_plan:
        assert "missed" not in set(bound.solution["loads"]["mode"])
        assert bound.cost >= free.cost - 1e-9
    else:
        assert bound.status is Status.INFEASIBLE
        assert bound.conflicts


@settings(deadline=None, max_examples=10)
@given(corridor=terminals())
def test_redundant_constraints_change_no_optimum(corridor):
    problem = Transshipment(corridor)
    with_, without = (solve_exact(problem, SolveOptions(), redundant=r) for r in (True, False))
    assert (with_.status, with_.cost) == (without.status, without.cost)


def test_same_seed_same_plan():
    one, two = (solve_exact(toy(), SolveOptions(seed=3)) for _ in range(2))
    for table in one.solution:
        assert one.solution[table].equals(two.solution[table])


def test_stop_before_the_start_still_gives_a_plan():
    stop = threading.Event()
    stop.set()
    problem = toy()
    outcome = solve_exact(problem, SolveOptions(stop=stop))
    assert outcome.status.has_plan
    assert not verify(problem, outcome.solution, outcome.cost)
    assert outcome.bound <= 2000.0


def test_progress_is_in_usd_and_falls():
    seen = []
    outcome = solve_exact(toy(), SolveOptions(on_progress=seen.append))
    costs = [p.cost for p in seen if p.cost is not None]
    assert all(cost >= outcome.cost - 1e-9 for cost in costs)
    assert all(p.bound is None or p.bound <= outcome.cost + 1e-9 for p in seen)


# --- what cannot be met ----------------------------------------------------------------------------------------------


def toy_rows(**changes):
    """The toy's tables as rows; ``changes`` maps "table/key/column" to a value."""
    corridor = toy().corridor
    names = (
        "nodes",
        "terminals",
        "terminal_tracks",
        "terminal_cranes",
        "terminal_bays",
        "train_calls",
        "terminal_loads",
    )
    rows = {}
    for name in names:
        frame = corridor.table(name)
        rows[name] = [{k: v for k, v in row.items() if v == v} for row in frame.to_dict("records")]
    for where, value in changes.items():
        table, key, column = where.split("/")
        next(row for row in rows[table] if next(iter(row.values())) == key)[column] = value
    return rows


def conflicts(serve_all=True, drop=(), **changes):
    rows = toy_rows(**changes)
    rows["terminal_loads"] = [row for row in rows["terminal_loads"] if row["load_id"] not in drop]
    outcome = solve_exact(Transshipment(corridor_from_rows(rows), serve_all=serve_all), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    return "\n".join(outcome.conflicts)


def test_a_load_nobody_serves_is_named():
    assert "load D cannot go on: no train of another gauge than 1520 mm serves EAST" in conflicts()


def test_room_too_small_is_named():
    words = conflicts(drop="D", **{"train_calls/INDIAN/capacity_teu": 70.0})
    assert "train INDIAN has room for 70 TEU, 10 too few" in words


def test_hours_too_short_are_named():
    words = conflicts(drop="DF", **{"train_calls/BROAD/latest_depart_h": 2.5})
    assert "train BROAD must be gone by 1+02:30" in words
    assert "30 min later" in words


def test_bogies_too_few_are_named():
    words = conflicts(drop="D", **{"terminal_bays/BAY/bogie_sets_1676": 9})
    assert "load B cannot go on: it needs 10 bogie sets of 1676 mm, more than any bay has" in words


def test_tracks_too_few_for_the_trains_are_named():
    rows = toy_rows()
    rows["train_calls"].append(rows["train_calls"][0] | {"call_id": "BROAD2", "depart_h": 12.0})
    rows["train_calls"][0] |= {"depart_h": 12.0}
    outcome = solve_exact(Transshipment(corridor_from_rows(rows)), SolveOptions())
    assert outcome.status is Status.INFEASIBLE
    assert "min later" in outcome.conflicts[0]
    assert "1520 mm" in outcome.conflicts[0]
