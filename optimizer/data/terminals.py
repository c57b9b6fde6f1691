"""Checks of a terminal: what its cranes reach, its hours, its posts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from optimizer.errors import Fault, did_you_mean

Tables = Mapping[str, pd.DataFrame]


def terminal_faults(tables: Tables) -> list[Fault]:
    """Cranes reach tracks of their terminal, hours run forward, every check has somebody who does it."""
    faults = []
    tracks, cranes = tables["terminal_tracks"], tables["terminal_cranes"]
    home = dict(zip(tracks["track_id"], tracks["terminal_id"], strict=True))
    for line, terminal, reached in zip(cranes.index, cranes["terminal_id"], cranes["tracks"], strict=True):
        for track in reached:
            if home.get(track, terminal) != terminal:
                words = f"tracks holds '{track}', which lies in '{home[track]}', expected a track of '{terminal}'"
                faults.append(Fault.of_row("terminal_cranes", line, words))
    for name in ("terminal_cranes", "terminal_bays", "terminal_posts"):
        for column in ("shifts_h", "breaks_h"):
            for line, shifts in tables[name][column].items():
                for shift in shifts:
                    start, end = map(float, shift.split("-"))
                    if not 0 <= start < end <= 24:
                        words = (
                            f"{column} holds '{shift}', expected a start before an end in 0-24; a night is 0-6;22-24"
                        )
                        faults.append(Fault.of_row(name, line, words))
        for line, spans in tables[name]["out_of_service_h"].items():
            for span in spans:
                start, end = map(float, span.split("-"))
                if start >= end:
                    words = f"out_of_service_h holds '{span}', expected a start before an end, in hours of the horizon"
                    faults.append(Fault.of_row(name, line, words))
    return faults + _checks_nobody_does(tables)


def _checks_nobody_does(tables: Tables) -> list[Fault]:
    """Checks of loads against the posts of the terminal where their train calls."""
    posts, calls, loads = tables["terminal_posts"], tables["train_calls"], tables["terminal_loads"]
    known: dict[str, set[str]] = {}
    for terminal, check in zip(posts["terminal_id"], posts["check"], strict=True):
        known.setdefault(terminal, set()).add(check)
    place = dict(zip(calls["call_id"], calls["terminal_id"], strict=True))
    faults = []
    for column in ("checks_before", "checks_between", "checks_after"):
        for line, call, checks in zip(loads.index, loads["call_id"], loads[column], strict=True):
            terminal = place.get(call, "")
            for check in dict.fromkeys(checks) if terminal else ():
                if check not in known.get(terminal, ()):
                    words = f"{column} holds '{check}', but no post of terminal '{terminal}' does it"
                    near = did_you_mean(check, known.get(terminal, set()))
                    faults.append(Fault.of_row("terminal_loads", line, words + near))
    return faults
