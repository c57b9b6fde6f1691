"""Port choice in one run: the annual plan, the ladder, its peers, and public instances with their published values.

Each part is a program of its own with more options; ``--quick`` takes the small cases of each.
"""

from __future__ import annotations

import argparse
import importlib

PARTS: tuple[tuple[str, list[str], list[str]], ...] = (
    ("port_choice_annual", [], []),
    ("port_choice_ladder", [], ["--rungs", "S-light,S-heavy"]),
    ("peers", [], ["--cases", "S-light", "--time-limit", "20"]),
    ("facility_location", ["--time-limit", "60"], ["cap4", "--time-limit", "10"]),
    ("traffic_assignment", [], ["--networks", "SiouxFalls"]),
)
"""Module, arguments, and arguments when there is little time."""


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks port-choice", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases only, minutes instead of hours")
    quick = parser.parse_args(argv).quick
    for module, arguments, few in PARTS:
        importlib.import_module(f"benchmarks.{module}").run(few if quick else arguments)
