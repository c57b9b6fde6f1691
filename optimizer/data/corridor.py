"""The instance as read, and the corridor a scenario makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from optimizer.data.schema.settings import Config, Scenario, Selection
from optimizer.display import ShownInNotebooks


@dataclass(frozen=True)
class Instance:
    """Every row of every table, before any scenario.

    ``tables[name]`` has the columns of the schema, typed; its index (named ``line``) is the row's line in the file, so
    that later errors can still name it. Absent tables are present and empty. ``config_text`` is ``corridor.toml`` as
    read, so that its comments survive writing; blank for an instance made in memory.
    """

    path: str
    config: Config
    tables: Mapping[str, pd.DataFrame]
    scenarios: Mapping[str, Scenario]
    scenario_texts: Mapping[str, str]
    hash: str
    config_text: str = ""


@dataclass(frozen=True)
class Corridor(ShownInNotebooks):
    """An instance under a scenario: only the rows that are in force, with the scenario's changes applied."""

    instance: Instance
    scenario: tuple[str, ...]
    selection: Selection
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    kept: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)
    """What is derived from the tables and asked for again and again, kept by those who derive it; a corridor made by
    ``replace`` starts without."""

    @property
    def name(self) -> str:
        return self.instance.config.name

    @property
    def config(self) -> Config:
        return self.instance.config

    def table(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def with_tables(self, tables: Mapping[str, pd.DataFrame]) -> Corridor:
        """The corridor with other tables in the place of some."""
        return replace(self, tables={**self.tables, **tables})
