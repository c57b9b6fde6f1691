"""A played terminal takes up a running plan: what has begun stands."""

from __future__ import annotations

from bisect import insort

from optimizer.models.transshipment.playing.game_board import Board
from optimizer.models.transshipment.playing.game_parts import Past, runs
from optimizer.models.transshipment.site import Load


def resume_trains(board: Board, past: Past) -> None:
    """Trains that have come, and those that have left."""
    for call_id, stand in past.plan.stands.items():
        train = board.trains[call_id]
        if stand.start < past.now:
            train.track, train.start = stand.track, stand.start
            if stand.leave <= past.now:
                train.leave = stand.leave
            else:
                insort(board.standing, train, key=lambda t: (t.aim, t.call.call_id))
                board.free_tracks.remove(stand.track)


def resume_load(board: Board, past: Past, load: Load) -> None:
    """A load of which a work or check has begun: it keeps its train and way."""
    i, passage = load.load_id, past.plan.passages[load.load_id]
    works, checks = past.works(i), past.checks(i)
    way, onward, inbound = passage.way, board.trains[passage.onward], board.trains[load.call_id]
    board.way[i] = passage.onward, way
    board.works[i], board.checks[i] = list(works), list(checks)
    onward.room["wagons" if way == "bogie" else load.form] -= load.wagons if way == "bogie" else load.size
    onward.outside += 1
    for work in (*works, *checks):
        board.note(work, load)
    step = "" if not works else "out" if len(works) > 1 else "in" if way == "yard" else way
    working = bool(works) and works[-1].end > past.now
    if step == "bogie":
        board.stock[works[0].resource][onward.call.gauge_mm] -= load.wagons
        if not working:
            board.stock[works[0].resource][inbound.call.gauge_mm] += load.wagons
    if step in ("direct", "out"):
        board.count(onward, -load.wagons)
    if step in ("in", "direct", "out") and works[0].end <= past.now:
        board.count(inbound, load.wagons)
    if step == "in" or (step == "out" and working):
        board.yard[load.form] -= load.size
    if not works or (working and step in ("in", "direct")):
        inbound.inside += way != "bogie" or len(checks) < len(load.before) or runs(checks, past.now)
    if working:
        board.at(works[-1].end, 1, ("moved", (load, step, works[-1].resource)))
    elif runs(checks, past.now):
        board.at(checks[-1].end, 1, ("checked", load))
    else:
        board.go_on(load)
