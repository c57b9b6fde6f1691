"""Checks that need more than one cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from optimizer.data.schema import Config, Scenario
from optimizer.errors import Fault


def check_tables(
    tables: Mapping[str, pd.DataFrame],
    known: Mapping[str, set[str] | None],
    config: Config | None,
    faulty: Collection[str] = (),
) -> list[Fault]:
    """Faults of references, keys, bands, dates, gauges and prices."""
    return []


def check_scenarios(
    tables: Mapping[str, pd.DataFrame],
    config: Config | None,
    scenarios: Mapping[str, Scenario],
    faulty: Collection[str] = (),
) -> list[Fault]:
    """Faults of scenarios against the tables they change."""
    return []
