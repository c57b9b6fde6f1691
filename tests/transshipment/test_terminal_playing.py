"""The compiled playing of a terminal: valid plans at the cost it says, like those of the policy it compiles."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import rich_terminals, terminals

from optimizer.data.generator.terminal_ladder import terminal_ladder
from optimizer.data.scenario import apply_scenario
from optimizer.models.transshipment import Transshipment
from optimizer.models.transshipment.aims import fallbacks
from optimizer.models.transshipment.groups import groups
from optimizer.models.transshipment.playing.arrays import Arrays
from optimizer.models.transshipment.playing.dispatch import Past
from optimizer.models.transshipment.playing.player import Player
from optimizer.models.transshipment.problem import plan_units, to_tables, usd
from optimizer.models.transshipment.verify import verify

SLOW = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def check(problem, player):
    plan = player.plan()
    assert plan_units(problem.site, plan) == player.best[2]
    assert not verify(problem, to_tables(problem.site, plan), usd(player.best[2]))


@SLOW
@given(
    corridor=st.one_of(terminals(max_trains=6, max_loads=12), rich_terminals(max_trains=6, max_loads=12)),
    seed=st.integers(0, 99),
)
def test_played_and_searched_plans_are_valid_and_cost_what_is_said(corridor, seed):
    problem = Transshipment(corridor)
    site = problem.site
    player = Player(site, fallbacks(site, groups(site)), seed)
    if player.units is None:
        return
    first = player.best[2]
    check(problem, player)
    player.search(60, 0.1, 0.001)
    check(problem, player)
    begun = player.best[2]
    middle = site.calls[len(site.calls) // 2].arrive
    player.window(middle, site.end, 40, 0.1, 0.001)
    check(problem, player)
    assert player.best[2] <= begun <= first


@SLOW
@given(corridor=rich_terminals(max_trains=6, max_loads=12), data=st.data())
def test_a_running_plan_is_played_on_from_any_minute(corridor, data):
    problem = Transshipment(corridor)
    site = problem.site
    ways = fallbacks(site, groups(site))
    player = Player(site, ways, data.draw(st.integers(0, 99)))
    if player.units is None:
        return
    player.search(20, 0.1, 0.001)
    past = Past(player.plan(), data.draw(st.integers(0, site.end)))
    again = Player(site, ways, 1, past)
    if again.units is None:
        return
    again.search(20, 0.1, 0.001)
    check(problem, again)
    plan = again.plan()
    for load_id, passage in plan.passages.items():
        if past.has_begun(load_id) and passage.onward == past.plan.passages[load_id].onward:
            assert {*past.works(load_id)} <= {*passage.works}
            assert {*past.checks(load_id)} <= {*passage.checks}


@pytest.mark.parametrize("flavour", ["crane-tight", "arrival-bound"])
@pytest.mark.parametrize("further", [False, True])
def test_windows_of_a_long_horizon_improve_the_whole(flavour, further):
    instance = terminal_ladder("week", flavour, trains=30, loads=900, further=further)
    problem = Transshipment(apply_scenario(instance, None))
    site = problem.site
    player = Player(site, fallbacks(site, groups(site)))
    before = player.best[2]
    better = [player.window(first, first + 600, 300, 0.01, 0.001) for first in range(0, site.end, 600)]
    assert any(better)
    assert player.best[2] < before
    check(problem, player)


def test_loads_are_checked_zone_by_zone_in_turn():
    site = Transshipment(apply_scenario(terminal_ladder("day", "crane-tight", 0, further=True), None)).site
    arrays = Arrays(site, fallbacks(site, groups(site)))
    order = sorted(range(len(arrays.loads)), key=lambda i: arrays.ground.load.turn[i])
    first = [arrays.loads[i] for i in order if arrays.loads[i].call_id == arrays.calls[0].call_id]
    zones = {load.zone for load in first}
    assert len(zones) > 5
    assert {load.zone for load in first[: len(zones)]} == zones
    assert [arrays.loads[i].call_id for i in order] == [load.call_id for load in arrays.loads]  # train after train
