"""Freight optimization on the layered corridor network.

>>> import optimizer as opt
>>> corridor = opt.read("instances/toy-port-choice")
>>> result = opt.solve(opt.PortChoice(corridor), seed=1)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from optimizer import display

if TYPE_CHECKING:
    from optimizer.api import (
        explain,
        export,
        read,
        replan,
        size_fleet,
        solve,
        verify,
        worth_of_one_more,
        write,
    )
    from optimizer.errors import InstanceError, OptimizerError, ResultError, UsageError, VerificationError
    from optimizer.families import FAMILIES
    from optimizer.models.gauge_choice.problem import GaugeChoice
    from optimizer.models.port_choice.problem import PortChoice
    from optimizer.models.rolling_stock.problem import RollingStock
    from optimizer.models.transshipment.problem import Transshipment
    from optimizer.report.certificate import certificate
    from optimizer.result import Progress, Result, Solution, Status, Violation
    from optimizer.results import read_result, write_result

__all__ = [
    "FAMILIES",
    "GaugeChoice",
    "InstanceError",
    "OptimizerError",
    "PortChoice",
    "Progress",
    "Result",
    "ResultError",
    "RollingStock",
    "Solution",
    "Status",
    "Transshipment",
    "UsageError",
    "VerificationError",
    "Violation",
    "certificate",
    "explain",
    "export",
    "read",
    "read_result",
    "replan",
    "size_fleet",
    "solve",
    "verify",
    "worth_of_one_more",
    "write",
    "write_result",
]

_HOMES = {
    "optimizer.api": (
        "explain",
        "export",
        "read",
        "replan",
        "size_fleet",
        "solve",
        "verify",
        "worth_of_one_more",
        "write",
    ),
    "optimizer.report.certificate": ("certificate",),
    "optimizer.errors": ("InstanceError", "OptimizerError", "ResultError", "UsageError", "VerificationError"),
    "optimizer.families": ("FAMILIES",),
    "optimizer.models.gauge_choice.problem": ("GaugeChoice",),
    "optimizer.models.port_choice.problem": ("PortChoice",),
    "optimizer.models.rolling_stock.problem": ("RollingStock",),
    "optimizer.models.transshipment.problem": ("Transshipment",),
    "optimizer.result": ("Progress", "Result", "Solution", "Status", "Violation"),
    "optimizer.results": ("read_result", "write_result"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def _drawn(shown: object) -> str:
    html: str = importlib.import_module("optimizer.report.notebook").html(shown)
    return html


display.draw = _drawn


def __getattr__(name: str) -> Any:
    # Looked up on first use: pandas and the families take most of a second to load, and `corridor --help` needs none.
    if name not in _HOME:
        raise AttributeError(f"module 'optimizer' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
