"""The prices behind a bound as tables, and back: what a wagon is worth at each place and day, and what paths cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optimizer.models.rolling_stock.problem import PRICE_TABLES, frame
from optimizer.models.rolling_stock.wagons.bounds import Prices
from optimizer.models.rolling_stock.wagons.layout import Array, Layout
from optimizer.models.rolling_stock.wagons.moves import Spot
from optimizer.result import Solution

DECIMALS = 3


def price_tables(layout: Layout, prices: Prices) -> dict[str, pd.DataFrame]:
    """Tables ``values`` and ``tolls``; tolls that are 0 are left out."""
    lay, days = layout, layout.days
    state = np.flatnonzero(np.arange(lay.num_states) % days >= np.repeat(lay.site_first, days))
    spots = [(wagon_id, *spot) for wagon_id, spot in lay.site_keys]
    columns = [np.array([spot[i] for spot in spots], dtype=object)[state // days] for i in range(4)]
    names = ("wagon_id", "node_id", "gauge_mm", "residue")
    values = pd.DataFrame(dict(zip(names, columns, strict=True))).astype({"gauge_mm": int})
    values["day"], values["usd"] = state % days, np.round(prices.value[state], DECIMALS)
    rows: list[dict[str, Any]] = []
    for keys, usd in ((lay.limit_keys, prices.link_usd), (_yard_keys(lay), prices.yard_usd)):
        for at, day in zip(*np.nonzero(usd >= 10.0**-DECIMALS), strict=True):
            place, side, unit = keys[at]
            row = {"place_id": place, "side": side, "unit": unit, "day": int(day)}
            rows.append({**row, "usd": round(float(usd[at, day]), DECIMALS)})
    return {"values": values, "tolls": frame(rows, PRICE_TABLES["tolls"])}


def read_prices(layout: Layout, solution: Solution) -> tuple[Array, Array, Array] | None:
    """Values (states,), prices of links and of yards by day from a plan's tables; None where it has none.

    States, links and yards the tables do not know are worth 0. Nothing is taken on trust: any prices make a bound.
    """
    if "values" not in solution:
        return None
    lay, days = layout, layout.days
    site = {key: number for number, key in enumerate(lay.site_keys)}
    value = np.zeros(lay.num_states)
    table = solution["values"]
    spots = zip(table["wagon_id"], table["node_id"], table["gauge_mm"], table["residue"], strict=True)
    sites = np.array([site.get((k, Spot(n, int(g), r or "")), -1) for k, n, g, r in spots], dtype=np.int64)
    day, usd = table["day"].to_numpy(dtype=np.int64), table["usd"].to_numpy(dtype=float)
    known = (sites >= 0) & (day < days)
    value[sites[known] * days + day[known]] = usd[known]
    found = []
    for keys in (lay.limit_keys, _yard_keys(lay)):
        number, prices = {key: at for at, key in enumerate(keys)}, np.zeros((len(keys), days))
        for row in solution["tolls"].to_dict("records") if "tolls" in solution else ():
            key = row["place_id"], row["side"] or "", row["unit"]
            if key in number and row["day"] < days:
                prices[number[key], row["day"]] = row["usd"]
        found.append(prices)
    return value, found[0], found[1]


def _yard_keys(layout: Layout) -> list[tuple[str, str, str]]:
    return [(node_id, "", "wagons") for node_id in layout.moves.yard_room]
