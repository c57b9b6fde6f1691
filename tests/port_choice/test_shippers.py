"""Shippers beside the planner: on the toy by hand, on the reference instance by its gap and by solving again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from optimizer import api
from optimizer.choice.model import Choices, ChoiceSets
from optimizer.errors import UsageError
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.shippers.congestion import Congestion, meters_of
from optimizer.models.port_choice.shippers.equilibrium import Behaviour, Shippers, shippers
from optimizer.models.port_choice.shippers.report import figures, report, summary, welfare
from optimizer.models.port_choice.shippers.routes import LEFT_BEHIND, comes_back
from optimizer.models.port_choice.verify import verify

INSTANCES = Path(__file__).resolve().parents[2] / "instances"
FREE = Congestion(full=False).times(0)


def problem_of(name: str, scenario: str | None = None) -> PortChoice:
    return PortChoice(api.read(INSTANCES / name, scenario))


@cache
def reference(scenario: str | None = None) -> Shippers:
    return shippers(problem_of("kazakhstan-pakistan", scenario))


@cache
def toy(congested: bool = True) -> Shippers:
    return shippers(problem_of("toy-port-choice"), Behaviour(scale=0.5), None if congested else FREE)


def gateway_t(found: Shippers, flow: np.ndarray, gateway: str) -> float:
    return float(flow[found.sets.gateway == gateway].sum())


def test_toy_by_hand() -> None:
    """The lease is taken, so bogies are exchanged or grain shovelled: 28.00 and 32.40 by West Port, 26.80 and 31.20 by
    East Port, 50 left behind. Path size apart, each port's share follows from these figures alone."""
    found = shippers(problem_of("toy-port-choice"), Behaviour(scale=0.5, path_size=False), FREE)
    export = found.sets.lane == 0
    usd = dict(zip(np.round(found.stated_usd_per_t[export], 6), found.sets.gateway[export], strict=True))
    assert set(usd) == {28.0, 32.4, 26.8, 31.2, 50.0}
    value: dict[str, float] = {}
    for cost, gateway in usd.items():
        value[gateway] = value.get(gateway, 0.0) + np.exp(-0.5 * cost / 0.6)
    weight = {gateway: total**0.6 for gateway, total in value.items()}
    for gateway, mine in weight.items():
        shippers_t = found.equilibrium.flow[export & (found.sets.gateway == gateway)].sum()
        assert shippers_t == pytest.approx(1000 * mine / sum(weight.values()), rel=1e-9)
    assert found.equilibrium.logsum[0] == pytest.approx(-np.log(sum(weight.values())) / 0.5)
    assert found.system_usd(found.planned_flow)["total"] == pytest.approx(31120)


def test_toy_keeps_east_port_within_its_600_t() -> None:
    """Cost-minded shippers all want the port that is 1.20 USD cheaper; the premium that keeps 400 t away is as much."""
    found = shippers(problem_of("toy-port-choice"), Behaviour(scale=200), Congestion().times(0))
    east = [meter.name for meter in found.meters].index("port east t")
    assert found.meters[east].capacity == 1000
    assert found.meters[east].limit == 600
    assert found.equilibrium.load[east] == pytest.approx(600, rel=1e-5)
    assert found.equilibrium.premium[east] == pytest.approx(1.2, abs=0.02)
    assert found.system_usd(found.equilibrium.flow)["total"] == pytest.approx(31120, rel=1e-4)
    assert gateway_t(found, found.equilibrium.flow, "west") == pytest.approx(400, rel=1e-3)


def test_toy_waits_can_do_the_same() -> None:
    """East Port takes 24 h and stands 40 % full: at 480 t the wait is 24 (0.88^4 - 0.4^4) = 13.8 h."""
    found = toy()
    east = [meter.name for meter in found.meters].index("port east t")
    load = float(found.equilibrium.load[east])
    assert load < 600
    assert found.equilibrium.premium[east] == 0
    expected = 24 * (((load + 400) / 1000) ** 4 - 0.4**4)
    assert found.equilibrium.wait_h[east] == pytest.approx(expected)


def test_reference_instance_is_in_equilibrium() -> None:
    found = reference()
    equilibrium, sets = found.equilibrium, found.sets
    assert equilibrium.gap <= 1e-6
    assert equilibrium.excess <= 1e-6
    assert (equilibrium.flow >= 0).all()
    assert np.allclose(np.bincount(sets.lane, equilibrium.flow), found.tonnes)
    # The gap again, by the choice model and not by the solver.
    cost = equilibrium.problem.cost + found.waits(equilibrium.flow)[1] + (
        equilibrium.problem.incidence[0] @ equilibrium.premium
    )  # fmt: skip
    names, nest = np.unique(sets.gateway.astype(str), return_inverse=True)
    indptr = np.searchsorted(sets.lane, np.arange(len(sets.lanes) + 1)).astype(np.int64)
    path_size = sets.path_size**found.behaviour.nest_scale
    choice_sets = ChoiceSets(cost[:, None], ("cost",), indptr, path_size, nest.astype(np.int64), tuple(names))
    model = Choices(choice_sets, np.array([-found.behaviour.scale]), np.full(len(names), found.behaviour.nest_scale))
    wanted = found.tonnes[sets.lane] * model.probability
    assert np.bincount(sets.lane, np.abs(equilibrium.flow - wanted)).max() <= 1e-6 * found.tonnes.max()


def test_plan_and_choice_sets() -> None:
    found = reference()
    assert found.plan.solution is not None
    assert not verify(found.problem, found.plan.solution, found.plan.cost)
    usd = found.system_usd(found.planned_flow)
    assert usd["stated"] + usd["contracts"] == pytest.approx(found.plan.cost)
    assert np.allclose(np.bincount(found.sets.lane, found.planned_flow), found.tonnes)
    assert found.plan.cost is not None
    assert usd["stated"] <= found.system_usd(found.cost_minded.flow)["stated"] * (1 + 1e-6)
    for gateway, arcs in zip(found.sets.gateway, found.sets.arcs, strict=True):
        assert (gateway == LEFT_BEHIND) == (len(arcs) == 0)
        assert not len(arcs) or not comes_back(found.sets.network, arcs)
    keys = found.sets.number_of()
    assert len(keys) == len(found.sets.lane)


def test_cost_minded_shippers_do_nearly_as_the_planner() -> None:
    """Where hardly anything is full, selfishness costs little; it is taste that costs."""
    short = summary(reference())
    assert abs(float(short["anarchy_of_cost_minded"] or 0)) < 0.005
    assert float(short["anarchy"] or 0) > 0.02


def test_waits_begin_at_zero_and_never_fall_with_the_load() -> None:
    problem = reference().equilibrium.problem
    none = np.zeros(problem.num_resources)
    assert np.allclose(problem.wait_h(none), 0)
    some, more = (share * np.array([meter.capacity for meter in reference().meters]) for share in (0.3, 0.6))
    assert (problem.wait_h(more) >= problem.wait_h(some)).all()


def test_single_track_makes_both_directions_wait() -> None:
    problem = problem_of("kazakhstan-pakistan")
    meters = {meter.name: meter for meter in meters_of(problem, reference().sets.network)}
    section = meters["section R190"]
    assert len(section.arcs) == 2
    assert section.capacity == 5_000_000
    assert np.isinf(section.limit)
    assert section.free_h > 0
    assert meters["link R190 from PK_CHM"].limit == 2_500_000
    assert meters["link R190 from PK_CHM"].free_h == 0  # the section waits for both


@pytest.mark.parametrize("lever", ["charge", "time"])
def test_elasticities_agree_with_solving_again(lever: str) -> None:
    found = reference()
    table = found.elasticities(lever).set_index(["gateway", "of"])
    sets = found.sets
    value = sets.gate_usd_per_t if lever == "charge" else sets.value_of_time[sets.lane] * sets.gate_h
    for of in ("IR_BND", "RU_NVS"):
        step = 1e-3
        change = step * np.where(sets.gateway == of, value, 0.0)
        up, down = (found.with_costs(sign * change, 1e-10).flow for sign in (1, -1))
        at_once = [
            found.tonnes[sets.lane]
            * replace(found.equilibrium.problem, cost=found.equilibrium.problem.cost + sign * change)
            .shares(found.equilibrium.wait_h, found.equilibrium.premium)
            .probability
            for sign in (1, -1)
        ]
        for gateway in ("IR_BND", "RU_NVS", "IR_CBH", "none"):
            tonnes = gateway_t(found, found.equilibrium.flow, gateway)
            settled = (gateway_t(found, up, gateway) - gateway_t(found, down, gateway)) / (2 * step * tonnes)
            ends = [gateway_t(found, flow, gateway) for flow in at_once]
            fixed = (ends[0] - ends[1]) / (2 * step * tonnes)
            assert table.loc[(gateway, of), "settled"] == pytest.approx(settled, rel=1e-3, abs=1e-5)
            assert table.loc[(gateway, of), "at_once"] == pytest.approx(fixed, rel=1e-3, abs=1e-5)
        assert table.loc[(of, of), "settled"] < 0


def test_a_dearer_port_never_gains_without_congestion() -> None:
    found = shippers(problem_of("kazakhstan-pakistan"), congestion=FREE)
    before = found.equilibrium.flow
    for gateway in ("IR_BND", "PK_KHI", "RU_NVS"):
        after = found.with_costs(np.where(found.sets.gateway == gateway, 5.0, 0.0)).flow
        assert gateway_t(found, after, gateway) < gateway_t(found, before, gateway)
        others = found.sets.gateway != gateway
        assert (after[others] >= before[others] - 1e-6).all()


def test_nest_scale_one_is_the_plain_logit() -> None:
    problem = problem_of("toy-port-choice")
    nested = shippers(problem, Behaviour(scale=0.5, nest_scale=1.0))
    plain = replace(nested.equilibrium.problem, nest=None, nest_scale=None)
    shares = plain.shares(nested.equilibrium.wait_h, nested.equilibrium.premium)
    assert np.allclose(nested.equilibrium.flow, nested.tonnes[nested.sets.lane] * shares.probability, rtol=1e-5)


def test_shutting_a_strait_takes_welfare_and_a_wider_port_gives_none_away() -> None:
    gain = welfare(reference(), reference("2035,gauge-b,hormuz-shut"))
    assert set(gain["lane_id"]) == set(reference().sets.lanes["demand_id"])
    assert gain["gain_usd"].sum() < 0
    assert gain.set_index("lane_id")["gain_usd_per_t"]["D153"] < -5  # from India over Bandar Abbas
    assert np.allclose(welfare(reference(), reference())["gain_usd"], 0)
    assert welfare(reference(), reference("2035,gauge-b,gwadar-weekly-feeder"))["gain_usd"].sum() > 0


def test_two_routes_that_are_one_count_as_one() -> None:
    """At any scale of the nest, with path sizes of one half."""
    problem = toy(congested=False).equilibrium.problem
    routes = np.flatnonzero(problem.demand == 0)
    twice = np.repeat(np.arange(len(problem.demand)), np.where(np.arange(len(problem.demand)) == routes[0], 2, 1))
    assert problem.nest is not None
    assert problem.nest_scale is not None
    scale = problem.nest_scale[problem.nest]
    halved = np.where(np.bincount(twice)[twice] == 2, 0.5, 1.0) ** scale[twice]
    nothing, none = np.zeros(0), np.zeros(problem.num_resources)
    once = replace(
        problem, indptr=np.zeros(len(problem.demand) + 1, dtype=np.int64), resource=np.zeros(0, dtype=np.int64),
        use=nothing, passes=nothing, path_size=None,
    )  # fmt: skip
    double = replace(
        once, demand=once.demand[twice], cost=once.cost[twice], nest=problem.nest[twice], path_size=halved,
        indptr=np.zeros(len(twice) + 1, dtype=np.int64),
    )  # fmt: skip
    shares = double.shares(none, none).probability
    assert np.allclose(np.bincount(twice, shares), once.shares(none, none).probability)


def test_tables_and_words() -> None:
    found = reference()
    tables = figures(found)
    assert set(tables) == {"gateways", "system", "lanes", "routes", "resources", "elasticities"}
    assert tables["gateways"]["shippers_share"].sum() == pytest.approx(1)
    assert tables["gateways"]["planner_share"].sum() == pytest.approx(1)
    shares = tables["routes"].groupby("lane_id")["share"].sum()
    assert np.allclose(shares, 1)
    money = [f"{name}_usd_per_t" for name in found.sets.money]
    chain = found.sets.value_of_time[found.sets.lane] * found.sets.time_h
    spread = found.sets.value_of_reliability[found.sets.lane] * found.sets.variability_h
    assert np.allclose(tables["routes"][money].sum(axis=1) + chain + spread, tables["routes"]["stated_usd_per_t"])
    assert (tables["resources"]["shippers_load"] <= tables["resources"]["capacity"] * (1 + 1e-6)).all()
    titles = [table.title for table in report(found)]
    assert titles[0] == "Planner's optimum and shippers' equilibrium"
    assert all(len(row) == len(table.columns) for table in report(found) for row in table.rows)


def test_same_instance_same_answer() -> None:
    again = shippers(problem_of("toy-port-choice"), Behaviour(scale=0.5))
    assert (again.equilibrium.flow == toy().equilibrium.flow).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Behaviour(scale=0), "scale is 0"),
        (lambda: Behaviour(nest_scale=1.5), "nest scale is 1.5"),
        (lambda: Behaviour(value_of_time=-1), "value of time"),
        (lambda: Congestion(rise={"terminals": 1.0}), "did you mean 'terminal'"),
        (lambda: Congestion().times(-1), "congestion is -1"),
        (lambda: shippers(problem_of("toy-port-choice"), gap=0), "gap is 0"),
        (lambda: shippers(problem_of("toy-port-choice"), per_gateway=0), "routes per gateway"),
        (lambda: shippers(problem_of("toy-port-choice"), Behaviour(nest_scales={"EPX": 0.5})), "EPX"),
        (
            lambda: shippers(PortChoice(api.read(INSTANCES / "toy-port-choice"), dated=True)),
            "without dates",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=words):
        make()
