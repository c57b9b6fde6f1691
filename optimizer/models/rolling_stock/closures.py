"""Links that are closed for some days: who departs on such a day goes another way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from optimizer.data.corridor import Corridor
from optimizer.errors import UsageError, or_known

_FORM = re.compile(r"(?P<link>.*?)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?", re.DOTALL)


class Closure(NamedTuple):
    """A link closed for wagons that depart from ``first_day`` to ``last_day``."""

    link_id: str
    first_day: int
    last_day: int

    def __str__(self) -> str:
        return f"{self.link_id}:{self.first_day}-{self.last_day}"


def closures_of(corridor: Corridor, texts: Sequence[str], begun_day: int = 0) -> tuple[Closure, ...]:
    """
    Closures from ``LINK:first-last``, ``LINK:day`` or ``LINK`` (from ``begun_day`` to the end of the horizon).

    Raises
    ------
    UsageError
        With every link that is no rail in force, and all days that are none of the horizon or out of order.
    """
    links, last = corridor.table("links"), corridor.config.horizon.days - 1
    rails = set(links.loc[links["mode"] == "rail", "link_id"])
    found, faults = list[Closure](), list[str]()
    for text in texts:
        parts = _FORM.fullmatch(text)
        assert parts is not None  # the form takes every text
        link = text if text in rails else parts["link"]
        days = begun_day, last
        if link != text and parts["first"]:
            days = int(parts["first"]), int(parts["last"] or parts["first"])
        if link not in rails:
            faults.append(f"closed link '{link}' is no rail link in force{or_known(link, rails, 'links.csv')}")
        elif not 0 <= days[0] <= days[1] <= last:
            faults.append(f"'{text}' closes days {days[0]} to {days[1]}, expected days from 0 to {last} in order")
        else:
            found.append(Closure(link, *days))
    if faults:
        raise UsageError("; ".join(faults))
    return tuple(found)


def calendar(closures: Sequence[Closure], first: int, days: int) -> dict[frozenset[str], frozenset[int]]:
    """Links closed at the same time -> the days from ``first`` on which just those are; nothing closed counts, too."""
    found: dict[frozenset[str], set[int]] = {}
    for day in range(first, days):
        shut = frozenset(c.link_id for c in closures if c.first_day <= day <= c.last_day)
        found.setdefault(shut, set()).add(day)
    return {shut: frozenset(when) for shut, when in found.items()}
