"""Plays a terminal through: given where each load is to go and when each train aims to leave, who works when.

Nobody waits on purpose: a free crane takes the startable work whose train aims to leave first, a free post the check.
Trains come onto the first free track in order of aim, leave when their works are done, and at their latest departure in
any case; loads that then remain go with another train that still has room, or are missed. So every run ends with a
valid plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optimizer.models.transshipment.playing.game import Game
from optimizer.models.transshipment.playing.game_parts import Aim, Lasting, Past
from optimizer.models.transshipment.problem import Plan
from optimizer.models.transshipment.site import Site

__all__ = ["Aim", "Lasting", "Past", "play"]


def play(
    site: Site,
    aims: Mapping[str, Aim],
    leaves: Mapping[str, int],
    fallbacks: Mapping[str, Sequence[Aim]],
    lasting: Lasting | None = None,
    past: Past | None = None,
) -> Plan | None:
    """
    A valid plan that follows the aims as far as the terminal lets it; None when a train finds no track in time.

    Parameters
    ----------
    aims
        By load: onward train and way; loads without are given another train, or missed.
    leaves
        By train: the minute it aims to leave.
    fallbacks
        By load: what else it may do, the best first.
    past
        A running plan: what has begun stands, and play starts at that minute.
    """
    game = Game(site, aims, leaves, fallbacks, lasting or Lasting(), past)
    plan = game.run()
    return plan if all(stand.start >= 0 and stand.leave > stand.start for stand in plan.stands.values()) else None
