"""A played terminal takes up a running plan: what has begun stands."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from optimizer.models.transshipment.game_parts import Past, runs
from optimizer.models.transshipment.site import Load

if TYPE_CHECKING:
    from optimizer.models.transshipment.game import Game


def resume_trains(game: Game, past: Past) -> None:
    """Trains that have come, and those that have left."""
    for call_id, stand in past.plan.stands.items():
        train = game.trains[call_id]
        if stand.start < past.now:
            train.track, train.start = stand.track, stand.start
            if stand.leave <= past.now:
                train.leave = stand.leave
            else:
                insort(game.standing, train, key=lambda t: (t.aim, t.call.call_id))
                game.free_tracks.remove(stand.track)


def resume_load(game: Game, past: Past, load: Load) -> None:
    """A load of which a work or check has begun: it keeps its train and way."""
    i, passage = load.load_id, past.plan.passages[load.load_id]
    works, checks = past.works(i), past.checks(i)
    way, onward, inbound = passage.way, game.trains[passage.onward], game.trains[load.call_id]
    game.way[i] = passage.onward, way
    game.works[i], game.checks[i] = list(works), list(checks)
    onward.room["wagons" if way == "bogie" else load.form] -= load.wagons if way == "bogie" else load.size
    onward.outside += 1
    for work in (*works, *checks):
        game.note(work, load)
    step = "" if not works else "out" if len(works) > 1 else "in" if way == "yard" else way
    working = bool(works) and works[-1].end > past.now
    if step == "bogie":
        game.stock[works[0].resource][onward.call.gauge_mm] -= load.wagons
        if not working:
            game.stock[works[0].resource][inbound.call.gauge_mm] += load.wagons
    if step in ("direct", "out"):
        game.count(onward, -load.wagons)
    if step in ("in", "direct", "out") and works[0].end <= past.now:
        game.count(inbound, load.wagons)
    if step == "in" or (step == "out" and working):
        game.yard[load.form] -= load.size
    if not works or (working and step in ("in", "direct")):
        inbound.inside += way != "bogie" or len(checks) < len(load.before) or runs(checks, past.now)
    if working:
        game.at(works[-1].end, 1, ("moved", (load, step, works[-1].resource)))
    elif runs(checks, past.now):
        game.at(checks[-1].end, 1, ("checked", load))
    else:
        game.go_on(load)
