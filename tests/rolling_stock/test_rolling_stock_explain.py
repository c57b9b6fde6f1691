"""Explanations of rolling stock: the toy's README, and changed problems against solves by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from optimizer import api
from optimizer.data.corridor import Corridor
from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from optimizer.errors import UsageError
from optimizer.models.rolling_stock.explain import with_price, with_types
from optimizer.models.rolling_stock.problem import RollingStock


@pytest.fixture(scope="module")
def corridor(instances_dir: Path) -> Corridor:
    return apply_scenario(read_instance(instances_dir / "toy-rolling-stock"), None)


def changed(corridor: Corridor, **tables: pd.DataFrame) -> Corridor:
    return replace(corridor, tables={**corridor.tables, **tables})


def said(problem: RollingStock, subject: str, forced: str = "", avoid: str = "") -> str:
    found = api.explain(problem, api.solve(problem), subject, forced=forced, avoid=avoid)
    return "\n".join(found.sentences)


def test_an_order_and_its_wagons(corridor: Corridor) -> None:
    problem = RollingStock(corridor)
    found = api.explain(problem, api.solve(problem), "harvest")
    assert "Carried by 1 hopper on day 2, 1 hopper on day 3." in found.sentences[0]
    rows = {row[0]: row for row in found.tables[0].rows}
    assert rows["hopper"][5] == "2"
    assert rows["changer"][6] == "does not suit grain"


def test_an_order_left_behind_has_its_price(corridor: Corridor) -> None:
    """``goods`` cost 60 USD to carry, 1.20 a tonne: at a penalty of 1 it stays, from 1.20 on it would be carried."""
    orders = corridor.table("orders")
    poor = orders.assign(unserved_usd_per_t=orders["unserved_usd_per_t"].where(orders["order_id"] != "goods", 1.0))
    problem = RollingStock(changed(corridor, orders=poor))
    words = said(problem, "goods")
    assert "50 t stay behind at 1.00 USD/t" in words
    assert "it would be carried, by 1 changer, from 1.20 USD/t on instead of 1.00" in words
    dear = with_price(problem, "orders", "order_id", "goods", "unserved_usd_per_t", 1.21)
    assert api.solve(dear).solution["unserved"]["quantity_t"].sum() == 0  # type: ignore[index]
    cheap = with_price(problem, "orders", "order_id", "goods", "unserved_usd_per_t", 1.19)
    assert api.solve(cheap).solution["unserved"]["quantity_t"].sum() == 50  # type: ignore[index]


def test_held_to_a_dearer_type(corridor: Corridor) -> None:
    """A changer that suits grain too: held to it, the seed takes one on hire or the one of the goods."""
    suits = corridor.table("wagon_suits")
    also = suits[suits["wagon_id"] == "hopper"].assign(wagon_id="changer")
    problem = RollingStock(changed(corridor, wagon_suits=pd.concat([suits, also])))
    free = api.solve(problem)
    words = said(problem, "seed", forced="changer")
    held = api.solve(with_types(problem, "seed", {"changer"}))
    assert free.cost is not None
    assert held.cost is not None
    assert held.cost >= free.cost
    assert f"held to changer the plan costs {held.cost - free.cost:,.0f} USD more" in words


def test_trains_in_words(corridor: Corridor) -> None:
    """``up`` keeps a unit away half a day longer than light: 720 USD, less than 1,000 of cancelling."""
    problem = RollingStock(corridor, stock="locomotives")
    words = said(problem, "up")
    assert "Without it the others cost 720 USD less".lower() in words.lower()
    services = corridor.table("train_services")
    cheap = services.assign(
        cancel_usd=services["cancel_usd"].astype(float).where(services["service_id"] != "up", 700.0)
    )
    cancelled = RollingStock(changed(corridor, train_services=cheap), stock="locomotives")
    assert "it would run if cancelling it cost 720 USD or more" in said(cancelled, "up")


def test_faults_in_words(corridor: Corridor) -> None:
    problem = RollingStock(corridor)
    with pytest.raises(UsageError, match=re.escape("no order 'sead' in the problem; did you mean 'seed'?")):
        said(problem, "sead")
    with pytest.raises(UsageError, match=re.escape("no type of wagon 'hoper'; did you mean 'hopper'?")):
        said(problem, "seed", forced="hoper")
    with pytest.raises(UsageError, match="'hopper' cannot serve goods: does not suit goods"):
        said(problem, "goods", forced="hopper")
