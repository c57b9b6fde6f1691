"""Benchmark programs: ``python -m benchmarks`` runs all, ``python -m benchmarks NAME [arguments]`` one of them.

A program is a module with ``run(argv)``, which measures and prints a table. It is imported only when it runs.
"""

from __future__ import annotations

PROGRAMS = {
    "shortest-paths": "benchmarks.shortest_paths",
    "day-rounding": "benchmarks.day_rounding",
    "port-choice": "benchmarks.port_choice",
    "port-choice-annual": "benchmarks.port_choice_annual",
    "port-choice-ladder": "benchmarks.port_choice_ladder",
    "port-choice-peers": "benchmarks.peers",
    "facility-location": "benchmarks.facility_location",
    "traffic-assignment": "benchmarks.traffic_assignment",
    "transshipment": "benchmarks.transshipment",
    "transshipment-ladder": "benchmarks.transshipment_ladder",
    "job-shop": "benchmarks.job_shop",
    "rolling-stock": "benchmarks.rolling_stock",
    "replanning": "benchmarks.replanning",
    "circulation": "benchmarks.circulation",
}
"""Name on the command line -> module."""
