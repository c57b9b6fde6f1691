"""Explanations of terminal plans: the toy's README, and what holding a load to something costs on drawn terminals."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from strategies import terminals

from optimizer import api
from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import UsageError
from optimizer.models.family import SolveOptions
from optimizer.models.transshipment import FAMILY, Transshipment
from optimizer.models.transshipment.explain import held_to
from optimizer.result import Status


@pytest.fixture(scope="module")
def toy(instances_dir: Path) -> Transshipment:
    return Transshipment(apply_scenario(read_instance(instances_dir / "toy-transshipment"), None))


def said(toy: Transshipment, load: str, forced: str = "", avoid: str = "") -> str:
    found = api.explain(toy, api.solve(toy), load, forced=forced, avoid=avoid)
    return "\n".join(found.sentences)


def test_why_f_goes_through_the_yard(toy: Transshipment) -> None:
    """Direct it saves 20, but BROAD waits 20 minutes longer (20 USD) and C is later (13.33): 13.33 USD more."""
    words = said(toy, "F")
    assert "with INDIAN through the yard (CRANE 1+00:00-1+00:20, then CRANE 1+03:00-1+03:20)" in words
    assert "held to INDIAN by a direct move the whole terminal costs 13.33 USD more" in words
    assert "one thing else would change" in words


def test_why_d_is_missed(toy: Transshipment) -> None:
    assert "no train of another gauge than 1520 mm serves EAST" in said(toy, "D")


def test_c_kept_from_its_way_is_missed(toy: Transshipment) -> None:
    """C fills 60 TEU, more than the yard: missed at 5000, which saves its 320, 60 of BROAD's waiting, and F's yard."""
    assert "kept from direct the whole terminal costs 4,620.00 USD more; the load then is missed" in said(
        toy, "C", avoid="direct"
    )


def test_faults_in_words(toy: Transshipment) -> None:
    with pytest.raises(UsageError, match="no load 'G' at T"):
        said(toy, "G")
    with pytest.raises(UsageError, match=re.escape("one of its ways (direct, yard); did you mean 'direct'?")):
        said(toy, "C", forced="direkt")


@settings(deadline=None, max_examples=10)
@given(corridor=terminals(), data=st.data())
def test_a_load_held_to_what_it_does_costs_nothing_and_to_anything_else_never_less(
    corridor: Corridor, data: st.DataObject
) -> None:
    problem = Transshipment(corridor)
    free = FAMILY.methods["exact"](problem, SolveOptions())
    if free.status is not Status.OPTIMAL or free.solution is None or free.cost is None:
        return
    rows = free.solution["loads"].to_dict("records")
    row = data.draw(st.sampled_from(rows))
    load = next(load for load in problem.site.loads if load.load_id == row["load_id"])
    if row["mode"] != "missed":
        same = held_to(problem, load.load_id, {row["outbound_id"]}, (row["mode"],))
        assert FAMILY.methods["exact"](same, SolveOptions()).cost == pytest.approx(free.cost)
    calls = [call.call_id for call in problem.site.onward(load)]
    if calls:
        held = held_to(problem, load.load_id, {data.draw(st.sampled_from(calls))}, load.ways)
        other = FAMILY.methods["exact"](held, SolveOptions())
        assert other.solution is not None
        assert other.cost is not None
        assert other.cost >= free.cost - 1e-6
        assert FAMILY.verify(problem, other.solution, other.cost) == ()
