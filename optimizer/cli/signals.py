"""Ctrl-C and SIGTERM end a solve with the best plan so far; a second one aborts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; the second one raises KeyboardInterrupt."""
    stop = threading.Event()
    received = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received > 1:
            raise KeyboardInterrupt
        stop.set()
        _tell("Stopping with the best plan so far; once more aborts.\n")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    """Write past Python's buffers: the signal may come in the middle of a print, not to be entered twice."""
    with contextlib.suppress(OSError, ValueError):  # no real stream behind, or nobody reads
        os.write(sys.stderr.fileno(), text.encode())
