"""The table of families: adding one is a line here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from optimizer.errors import UsageError, did_you_mean
from optimizer.models.family import Family, Problem


class Families(Mapping[str, Family]):
    """Family by its name; its package is imported when first asked for."""

    _PACKAGES: Mapping[str, str] = {
        "port-choice": "optimizer.models.port_choice",
        "transshipment": "optimizer.models.transshipment",
        "rolling-stock": "optimizer.models.rolling_stock",
        "gauge-choice": "optimizer.models.gauge_choice",
    }

    def __getitem__(self, name: str) -> Family:
        if name not in self._PACKAGES:
            raise UsageError(f"unknown family '{name}'; known are {', '.join(self)}{did_you_mean(name, self)}")
        family: Family = importlib.import_module(self._PACKAGES[name]).FAMILY
        return family

    def __contains__(self, name: object) -> bool:
        return name in self._PACKAGES

    def __iter__(self) -> Iterator[str]:
        return iter(self._PACKAGES)

    def __len__(self) -> int:
        return len(self._PACKAGES)

    def of(self, problem: Problem) -> Family:
        """The family a problem belongs to."""
        home = type(problem).__module__
        for name, package in self._PACKAGES.items():
            if home == package or home.startswith(f"{package}."):
                return self[name]
        raise UsageError(f"a {type(problem).__name__} is not a problem of {', '.join(self)}")


FAMILIES = Families()
