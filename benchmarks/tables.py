"""What every benchmark prints: the machine, and Markdown tables that can be pasted into ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """A Markdown table under a title; numbers are aligned to the right."""
    text = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in [list(columns), *text]) for at in range(len(columns))]
    right = [all(isinstance(row[at], int | float) for row in rows) for at in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
        return f"| {' | '.join(padded)} |"

    print(f"\n{title}\n")
    print(line(columns))
    print(f"| {' | '.join('-' * (w - 1) + (':' if r else '-') for w, r in zip(widths, right, strict=True))} |")
    for cells in text:
        print(line(cells))
    if note:
        print(f"\n{note}")


def machine() -> str:
    """Processor, cores, and versions of what is measured."""
    cores = os.cpu_count()
    names = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next(
        (line.split(":")[1].strip() for line in names if line.startswith("model name")), platform.machine()
    )
    packages = ("numpy", "scipy", "numba", "pandas", "pulp", "highspy", "ortools")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{processor}, {cores} cores; {platform.system()}; Python {platform.python_version()}, {versions}"


def timings_s(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each call. The calls take turns, so that a disturbance of the machine hits all alike."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()  # warm: caches, and machine code loaded
    for _ in range(repeats):
        for call, seconds in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [sorted(seconds)[len(seconds) // 2] for seconds in taken]
