"""The compiled player without a wait for its compiler.

On first use after installation the kernels take about 40 s of processor time to compile; later they come from
numba's cache on disk within a second. Both happen in a thread of their own, once a process. Until it is over, whoever
has a time limit plays with the general search.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction

from optimizer.models.family import SolveOptions
from optimizer.models.transshipment.improve import COLD, HOT, Search
from optimizer.models.transshipment.playing.dispatch import Aim, Past
from optimizer.models.transshipment.playing.player import Player
from optimizer.models.transshipment.site import Call, Crane, Load, Site, Track

LEAST_WAIT_S, WAIT_SHARE = 0.7, 0.2
"""How long a time limit allows to wait for the kernels, at least, and as its share."""

_ready, _begun = threading.Event(), threading.Lock()


def searcher(
    site: Site,
    fallbacks: Mapping[str, Sequence[Aim]],
    options: SolveOptions,
    past: Past | None = None,
    change_units: int = 0,
) -> Player | Search:
    """The compiled search where it can be had in time, else the general one."""
    if compiled(options):
        return Player(site, fallbacks, options.seed, past, change_units)
    return Search(site, fallbacks, options.seed, past, change_units)


def faster(search: Player | Search, options: SolveOptions) -> Player | Search:
    """The compiled search with the best aims of a general one, once it can be had; else the same."""
    if isinstance(search, Player) or not _ready.is_set():
        return search
    player = Player(search.site, search.fallbacks, options.seed, search.past, search.change_units)
    player.try_aims(*search.best_aims)
    return player


def compiled(options: SolveOptions) -> bool:
    """Whether the kernels are ready; with a time limit it waits for them only a little."""
    if _begun.acquire(blocking=False):  # never released: once a process
        threading.Thread(target=_compile, daemon=True, name="compiler").start()
    limit, begun = options.time_limit_s, time.monotonic()
    patience_s = float("inf") if limit is None else max(LEAST_WAIT_S, WAIT_SHARE * limit)
    while not _ready.wait(0.05):
        if options.stop.is_set() or time.monotonic() - begun > patience_s:
            return False
    return True


def _compile() -> None:
    """Uses every kernel once, on a terminal of three trains and a load."""
    calls = tuple(
        Call(f"{number}", gauge, 60 * number, 60 * number + 60, 600, 1, {"container": 9, "bulk": 0, "wagons": 0},
             frozenset({"A"}), 100)
        for number, gauge in enumerate((1520, 1435, 1520))
    )  # fmt: skip
    load = Load("0", "0", "container", ("direct", "yard"), 1, 1, 1, "A", 600, 1, 100)
    tracks = tuple(Track(f"{gauge}", gauge, 1) for gauge in (1520, 1435))
    crane = Crane("0", frozenset({"1520", "1435"}), "container", Fraction(1), ((0, 5000),))
    site = Site("", "", tracks, (crane,), (), calls, (load,), {"container": 9, "bulk": 0}, 1, 1, 1)
    try:
        player = Player(site, {"0": (("1", "direct"), ("1", "yard"))})
        player.search(1, HOT, COLD)
        player.window(50, 100, 1, HOT, COLD)
    finally:
        _ready.set()  # what went wrong here goes wrong again where it is reported
