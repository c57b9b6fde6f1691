"""Trains in mass and length, returns to the home railway, cleaning, maintenance: cases by hand, and forged plans."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import corridor_from_rows, rolling_stock_rows
from test_wagons import line

from optimizer.data.wagon_rules import wagon_rule_faults
from optimizer.models.family import SolveOptions
from optimizer.models.rolling_stock import FAMILY
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.wagons.engine import solve_by_parts
from optimizer.models.rolling_stock.wagons.exact import build
from optimizer.result import Outcome

Rows = dict[str, list[dict[str, Any]]]


def solved(rows: Rows, config: dict[str, Any]) -> tuple[RollingStock, Outcome]:
    """The optimum, the same by both formulations and by the engine's choice of method."""
    problem = RollingStock(corridor_from_rows(rows, config))
    outcomes = [FAMILY.methods[name](problem, SolveOptions()) for name in ("exact", "crosscheck", "engine")]
    for outcome in outcomes:
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
        assert outcome.cost == pytest.approx(outcomes[0].cost)
        assert outcome.bound == pytest.approx(outcomes[0].cost)
    return problem, outcomes[0]


def broken(problem: RollingStock, outcome: Outcome, what: str, **change: Any) -> str:
    """Rules that the plan breaks once every run of a kind is changed, or left out where nothing is given."""
    assert outcome.solution is not None
    runs = outcome.solution["runs"].copy()
    mine = runs["kind"] == what
    assert mine.any()
    for column, value in change.items():
        runs[column] = runs[column].astype(object)
        for row in runs.index[mine]:
            runs.at[row, column] = value
    forged = {**outcome.solution, "runs": runs if change else runs[~mine]}
    return "; ".join(str(one) for one in FAMILY.verify(problem, forged, outcome.cost))


def kinds(outcome: Outcome) -> list[str]:
    assert outcome.solution is not None
    return sorted(outcome.solution["runs"]["kind"])


# --- trains ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "cost"),
    [
        ({}, 2 * 48),  # two wagons come empty on day 0 and leave loaded on day 1
        ({"max_train_gross_t": 170}, 2 * 48),  # 2 * (20 + 60) t
        ({"max_train_gross_t": 150}, 48 + 6000),  # one loaded wagon, or two empty ones, fit a day's train
        ({"max_train_length_m": 28}, 2 * 48),
        ({"max_train_length_m": 27}, 48 + 6000),  # 14 m each
        ({"max_train_wagons": 1}, 48 + 6000),
    ],
)
def test_a_days_train_has_a_mass_and_a_length(limit: dict[str, Any], cost: float) -> None:
    rows, config = line()
    rows["links"][0] |= {"capacity_trains_per_day": 1} | limit
    rows["fleet"][0]["units"] = 2
    rows["orders"][0]["due_day"] = 1
    assert solved(rows, config)[1].cost == pytest.approx(cost)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"max_train_gross_t": 150}, "too heavy for the train paths at ab from a on day 1: 10 t"),
        ({"max_train_length_m": 27}, "too long for the train paths at ab from b on day 0: 1 m"),
    ],
)
def test_trains_too_heavy_or_too_long_are_rejected(limit: dict[str, Any], words: str) -> None:
    rows, config = line()
    rows["fleet"][0]["units"], rows["orders"][0]["due_day"] = 2, 1
    _, free = solved(rows, config)
    rows["links"][0] |= {"capacity_trains_per_day": 1} | limit
    assert free.solution is not None
    found = FAMILY.verify(RollingStock(corridor_from_rows(rows, config)), free.solution, free.cost)
    assert words in [str(one) for one in found]


# --- returns to the home railway -------------------------------------------------------------------------------------


def abroad(rule: str, **config: Any) -> tuple[Rows, dict[str, Any]]:
    """Alpha at home, Beta and Gamma (another day on) abroad; a wagon of Alpha's railway in Alpha."""
    rows, settings = line(**config)
    rows["nodes"][1]["country"] = "AF"
    rows["nodes"].append({**rows["nodes"][1], "node_id": "c", "name": "Gamma", "lon": 2})
    rows["links"].append({**rows["links"][0], "link_id": "bc", "from_node": "b", "to_node": "c"})
    rows["wagons"][0] |= {"home_country": "KZ", "return_rule": rule}
    rows["fleet"][0]["node_id"] = "a"
    rows["orders"][0] |= {"quantity_t": 60, "due_day": 0}
    return rows, settings


@pytest.mark.parametrize(("rule", "cost"), [("none", 0), ("return", 48), ("direct", 48)])
def test_a_wagon_abroad_owes_its_way_home(rule: str, cost: float) -> None:
    # 480 km home at 0.10 USD, run within the horizon or not.
    assert solved(*abroad(rule))[1].cost == pytest.approx(cost)


def test_a_day_abroad_on_the_way_home_is_owed_too() -> None:
    # A day to Beta, half of it abroad, five nights there: 5.5 days; home again another half day, of 24 hours.
    rows, config = abroad("return", foreign_usd_per_wagon_day=6)
    problem, outcome = solved(rows, config)
    # Coming home at once: half a day each way at 6 USD, and 48 USD for the way.
    assert outcome.cost == pytest.approx(3 + 3 + 48)
    assert kinds(outcome) == ["empty", "loaded"]
    assert "claimed cost" in broken(problem, outcome, "empty")


def test_what_is_owed_can_be_more_than_a_load_is_worth() -> None:
    rows, config = abroad("return")
    rows["orders"][0]["unserved_usd_per_t"] = 0.5
    assert solved(rows, config)[1].cost == pytest.approx(30)


@pytest.mark.parametrize(("rule", "cost"), [("none", 0), ("return", 96), ("direct", 48 + 6000)])
def test_direct_return_keeps_wagons_from_loads_between_others(rule: str, cost: float) -> None:
    rows, config = abroad(rule)
    rows["orders"][0] |= {"origin": "b", "destination": "c"}
    rows["fleet"][0]["node_id"] = "b"  # owes 48 USD there, 96 USD in Gamma
    _, outcome = solved(rows, config)
    assert outcome.cost == pytest.approx(cost)
    if rule == "return":
        rows["wagons"][0]["return_rule"] = "direct"
        stricter = RollingStock(corridor_from_rows(rows, config))
        assert "loaded only to its home country" in broken(stricter, outcome, "loaded", wagons=1)


def test_wagons_are_lent_at_home_only() -> None:
    rows, config = abroad("return", hire_allowed=True)
    rows["fleet"].append({**rows["fleet"][0], "fleet_id": "g", "node_id": "c"})
    rows["orders"][0] |= {"origin": "c", "destination": "b", "quantity_t": 120}
    # The own wagon in Gamma takes one load; a wagon hired in Alpha would be two days on its way.
    problem, outcome = solved(rows, config)
    assert outcome.cost == pytest.approx(48 + 6000)
    hires = outcome.solution["hires"]  # type: ignore[index]
    hires.loc[0] = ["hop", "c", 1520, 0, "on", 1]
    assert "hire outside the home country" in str(FAMILY.verify(problem, outcome.solution, None))


# --- cleaning --------------------------------------------------------------------------------------------------------


def soiled(**wash: Any) -> tuple[Rows, dict[str, Any]]:
    """Coal from Alpha to Beta on day 0, grain back by day 2; one wagon, a wash at Beta."""
    rows, config = line()
    rows["commodities"][0] |= {"commodity_id": "grain"}
    rows["commodities"].append({**rows["commodities"][0], "commodity_id": "coal", "residue": "dust"})
    rows["wagon_suits"].append({"wagon_id": "hop", "commodity_id": "coal"})
    rows["fleet"][0]["node_id"] = "a"
    order = {**rows["orders"][0], "quantity_t": 60}
    rows["orders"] = [
        {**order, "order_id": "coal", "commodity_id": "coal", "due_day": 0},
        {**order, "order_id": "grain", "origin": "b", "destination": "a", "due_day": 2},
    ]
    rows["wagon_works"] = [
        {"work_id": "wash", "node_id": "b", "kind": "cleaning", "days": 1, "cost_usd_per_wagon": 30} | wash
    ]
    return rows, config


@pytest.mark.parametrize(
    ("wash", "cost"),
    [
        ({}, 30),  # unloaded on day 1, clean on day 2
        ({"days": 2}, 6000),
        ({"residues": "dust"}, 30),
        ({"wagons": "hop"}, 30),
        ({"capacity_wagons_per_day": 0}, 6000),
        ({"node_id": "a"}, 6000),
        ({"cost_usd_per_wagon": 7000}, 6000),
    ],
)
def test_grain_after_coal_needs_a_clean_wagon(wash: dict[str, Any], cost: float) -> None:
    problem, outcome = solved(*soiled(**wash))
    assert outcome.cost == pytest.approx(cost)
    if cost == 30:
        assert kinds(outcome) == ["cleaning", "loaded", "loaded"]
        FAMILY.report(problem, outcome.solution)
        FAMILY.kpis(problem, outcome.solution)


def test_a_load_may_accept_what_was_there_before() -> None:
    rows, config = soiled()
    rows["commodities"][0]["accepts_residues"] = "dust"
    assert solved(rows, config)[1].cost == 0


def test_wagons_may_start_with_a_residue() -> None:
    rows, config = soiled()
    rows["fleet"][0] |= {"residue": "dust", "node_id": "b"}
    rows["orders"] = rows["orders"][1:]
    assert solved(rows, config)[1].cost == pytest.approx(30)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("cleaning", {}, "more wagons leave than stand there"),
        ("cleaning", {"residue": ""}, "does not remove what is in the wagons"),
        ("cleaning", {"arrive_day": 3}, "another number of days"),
        ("cleaning", {"path": ("ab",)}, "cleaning at no place for it"),
        ("cleaning", {"kind": "maintenance"}, "maintenance at no place for it"),
        ("cleaning", {"from_node": "a"}, "away from its place"),
        ("cleaning", {"order_id": "grain"}, "for an order"),
        ("loaded", {"residue": "dust"}, "grain in wagons that carried dust and were not cleaned"),
        ("loaded", {"residue": "soot"}, "grain in wagons that carried soot"),
    ],
)
def test_forged_cleaning_is_rejected(kind: str, change: dict[str, Any], words: str) -> None:
    problem, outcome = solved(*soiled())
    assert words in broken(problem, outcome, kind, **change)


@pytest.mark.parametrize(
    ("wash", "words"),
    [
        ({"capacity_wagons_per_day": 0}, "more wagons than the work takes in"),
        ({"residues": "soot"}, "does not remove what is in the wagons"),
        ({"wagons": "other"}, "does not take the wagon type"),
        ({"cost_usd_per_wagon": 31}, "claimed cost"),
    ],
)
def test_a_wash_that_cannot_is_rejected(wash: dict[str, Any], words: str) -> None:
    _, outcome = solved(*soiled())
    other = RollingStock(corridor_from_rows(*soiled(**wash)))
    assert outcome.solution is not None
    assert words in str(FAMILY.verify(other, outcome.solution, outcome.cost))


# --- maintenance -----------------------------------------------------------------------------------------------------


def worn(unit: str, every: float, run: float, **shop: Any) -> tuple[Rows, dict[str, Any]]:
    """A load from Alpha to Beta on day 0, another back by day 3; one wagon, a workshop at Beta."""
    rows, config = line()
    rows["wagons"][0][f"maintenance_{unit}"] = every
    rows["fleet"][0] |= {"node_id": "a", f"{unit}_since_maintenance": run}
    order = {**rows["orders"][0], "quantity_t": 60}
    rows["orders"] = [
        {**order, "order_id": "there", "due_day": 0},
        {**order, "order_id": "back", "origin": "b", "destination": "a", "due_day": 3},
    ]
    rows["wagon_works"] = [
        {"work_id": "shop", "node_id": "b", "kind": "maintenance", "days": 2, "cost_usd_per_wagon": 200} | shop
    ]
    return rows, config


@pytest.mark.parametrize(
    ("unit", "every", "run", "shop", "cost"),
    [
        ("km", 1000, 0, {}, 0),  # 960 km
        ("km", 1000, 50, {}, 200),  # 950 km left: in the workshop from day 1 to 3
        ("km", 1000, 50, {"days": 3}, 6000),
        ("km", 1000, 600, {}, 12000),  # not even to the workshop
        ("days", 2, 0, {}, 0),
        ("days", 2, 1, {}, 200),
        ("days", 2, 1, {"capacity_wagons_per_day": 0}, 6000),
    ],
)
def test_a_wagon_that_is_due_goes_to_the_workshop(
    unit: str, every: float, run: float, shop: dict[str, Any], cost: float
) -> None:
    problem, outcome = solved(*worn(unit, every, run, **shop))
    assert outcome.cost == pytest.approx(cost)
    engine = solve_by_parts(problem, SolveOptions())
    assert engine.cost == pytest.approx(cost)
    assert engine.solution is not None
    assert engine.bound is not None
    assert engine.bound <= cost + 1e-6
    assert FAMILY.verify(problem, engine.solution, engine.cost) == ()
    if cost == 200:
        assert kinds(outcome) == ["loaded", "loaded", "maintenance"]
        assert "due for maintenance" in broken(problem, outcome, "maintenance")
        assert "another number of days" in broken(problem, outcome, "maintenance", arrive_day=2)


def test_wagons_on_hire_are_maintained_by_their_owner() -> None:
    rows, config = worn("km", 1000, 50)
    config["rolling_stock"]["hire_allowed"] = True
    rows["wagons"][0]["hire_usd_per_day"] = 20
    # A wagon hired in Alpha for a day covers 20 km/h * 24 h = 480 km of the type, more than the 10 km that lack.
    assert solved(rows, config)[1].cost == pytest.approx(20)


# --- all of them -----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=rolling_stock_rows())
def test_without_the_rules_nothing_costs_more(drawn: Any) -> None:
    rows, config = drawn
    problem = RollingStock(corridor_from_rows(rows, config))
    for wagon in rows["wagons"]:
        for column in ("return_rule", "maintenance_km", "maintenance_days"):
            wagon.pop(column, None)
    for row in (*rows["commodities"], *rows["fleet"], *rows["wagon_works"]):
        for column in ("residue", "accepts_residues", "km_since_maintenance", "days_since_maintenance"):
            row.pop(column, None)
    rows["wagon_works"] = []
    free = RollingStock(corridor_from_rows(rows, config))
    costs = [FAMILY.methods["exact"](each, SolveOptions()).cost for each in (problem, free)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[1] <= costs[0] + 1e-6 * max(1.0, costs[0])


def test_a_model_without_the_rules_does_not_grow() -> None:
    rows, config = line(hire_allowed=True)
    sizes = []
    for more in ({}, {"wagon_works": [{"work_id": "w", "node_id": "b", "kind": "cleaning", "days": 1}]}):
        programme = build(RollingStock(corridor_from_rows(rows | more, config))).programme
        sizes.append((len(programme.variables()), len(programme.constraints())))
    # Nights: 6 in Beta, 5 in Alpha, a day away; 6 days of hire; 5 and 4 empty runs, 5 loaded ones; tonnes left behind.
    assert sizes[0] == sizes[1] == (11 + 6 + 9 + 5 + 1, 11 + 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda rows: rows["wagons"][0].update(return_rule="return"),
            "wagons.csv:2: return_rule is 'return' without home_country, expected the country it returns to",
        ),
        (
            lambda rows: rows["fleet"][0].update(residue="dusd"),
            "residue names 'dusd', expected a residue of commodities.csv (dust); did you mean 'dust'?",
        ),
        (
            lambda rows: rows["wagon_works"][0].update(residues="oil"),
            "wagon_works.csv:2: residues names 'oil', expected a residue of commodities.csv (dust)",
        ),
        (
            lambda rows: rows["commodities"][0].update(accepts_residues="oil"),
            "commodities.csv:2: accepts_residues names 'oil'",
        ),
        (
            lambda rows: rows["wagon_works"][0].update(kind="maintenance", residues="dust"),
            "residues are named, expected none for a workshop",
        ),
        (
            lambda rows: rows["wagons"][0].update(maintenance_km=100),
            "maintenance_km is set, but wagon_works.csv has no workshop (kind maintenance) for 'hop'",
        ),
        (
            lambda rows: [
                rows["wagons"][0].update(maintenance_days=3),
                rows["fleet"][0].update(days_since_maintenance=4),
                rows["wagon_works"][0].update(kind="maintenance"),
            ],
            "days_since_maintenance is 4, expected at most maintenance_days of 'hop', 3",
        ),
    ],
)
def test_faults_of_rules_are_told_with_file_and_value(change: Any, words: str) -> None:
    rows, config = soiled()
    change(rows)
    faults = wagon_rule_faults(corridor_from_rows(rows, config).tables)
    assert words in "\n".join(str(fault) for fault in faults)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=rolling_stock_rows())
def test_both_formulations_agree_where_rules_hold(drawn: Any) -> None:
    rows, config = drawn
    ruled = [any("residue" in row for row in rows["commodities"])]
    ruled += [wagon.get("return_rule", "none") != "none" or "maintenance_km" in wagon for wagon in rows["wagons"]]
    assume(any(ruled))
    problem = RollingStock(corridor_from_rows(rows, config))
    first, second = (FAMILY.methods[name](problem, SolveOptions()) for name in ("exact", "crosscheck"))
    for outcome in (first, second):
        assert FAMILY.verify(problem, outcome.solution, outcome.cost) == ()
    assert first.cost == pytest.approx(second.cost, rel=1e-6, abs=1e-6)
