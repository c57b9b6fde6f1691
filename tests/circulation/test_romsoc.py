"""Locomotives of the ROMSOC files: who suits, the connection by hand, a plan checked from the files alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import romsoc
from optimizer.circulation.engine import solve_circulation
from optimizer.circulation.problem import Plan, Rotation
from optimizer.circulation.verify import verify
from optimizer.models.family import SolveOptions


def train(train_id: str, origin: str, depart_h: float, destination: str, arrive_h: float, group: str, kind: str):  # type: ignore[no-untyped-def]
    return {
        "train_id": train_id, "departure_station": origin, "departure_time": str(100 + depart_h / 24),
        "arrival_id": destination, "arrival_time": str(100 + arrive_h / 24), "loco_metatype": group, "loco_req": kind,
    }  # fmt: skip


def small() -> romsoc.Files:
    """A to B at 1-2 h, then from C at 4 h (60 km and one hour light from B), and one train no locomotive suits."""
    trains = [
        train("t1", "A", 1, "B", 2, "N_D", "Type6"),
        train("t2", "C", 4, "A", 5, "N_D", "Type7"),
        train("t3", "A", 1, "C", 2, "0", "Type9"),
    ]
    locomotives = [
        {"loco_id": "1", "Type": "Type6", "loco_metatype": "N_D"},
        {"loco_id": "2", "Type": "Type7", "loco_metatype": "N_D"},
    ]
    return romsoc.Files(trains, locomotives, {("B", "C"): 60_000}, {("B", "C"): 60.0})


def test_one_locomotive_runs_light_and_stands_in_for_the_other_type() -> None:
    files = small()
    found = solve_circulation(romsoc.problem_of(files), SolveOptions())
    expected = romsoc.LOCOMOTIVE_M + romsoc.OTHER_TYPE_M + 60_000 + romsoc.CANCELLED_M
    assert found.plan is not None
    assert found.cost == found.bound == expected
    assert found.plan.skipped == (2,)
    assert romsoc.checked_cost(files, romsoc.assigned(files, found.plan)) == expected


def test_a_late_light_move_is_not_a_link_and_is_refused() -> None:
    files = replace(small(), minutes={("B", "C"): 106.0})  # 2 h + 1 h 46 + 15 min is one minute past 4 h
    problem = romsoc.problem_of(files)
    assert problem.link_tail.size == 0
    with pytest.raises(AssertionError, match="leaves before"):
        romsoc.checked_cost(files, [("1", ("t1", "t2"))])
    with pytest.raises(AssertionError, match="cannot haul"):
        romsoc.checked_cost(files, [("1", ("t3",))])
    assert verify(problem, Plan((Rotation(0, (0, 1)),), (2,)))


@pytest.mark.skipif(not romsoc.DATA.exists(), reason="public instances are not on this machine")
@pytest.mark.parametrize("folder", ["1W_1", "1W_2", "2W_1"])
def test_every_development_folder_is_read(folder: str) -> None:
    files = romsoc.read_files(romsoc.DATA / folder)
    problem = romsoc.problem_of(files)
    assert problem.num_trips == len(files.trains) >= 610
    assert sum(problem.vehicles) == len(files.locomotives)
    if folder != "1W_1":
        return
    short = solve_circulation(problem, SolveOptions(time_limit_s=0.01))
    assert short.plan is not None
    assert short.bound <= short.cost
    assert verify(problem, short.plan, short.cost) == ()
    assert romsoc.checked_cost(files, romsoc.assigned(files, short.plan)) == short.cost
