"""Who begins what next while a terminal is played: cranes, bays and posts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from optimizer.models.transshipment.playing.game_board import Board
from optimizer.models.transshipment.playing.game_parts import Train, better, take_out
from optimizer.models.transshipment.problem import Work
from optimizer.models.transshipment.site import Bay, Crane, Load, Post, Worker, crosses, minutes

PATIENCE = 20
"""Minutes before the time a train aims to leave, from which it no longer waits for the train of a direct move."""


def _begin(board: Board, worker: Worker, now: int, load: Load, step: str) -> None:
    work = Work(worker.name, now, now + board.lasting(load, worker, step == "out"))
    if step == "check":
        board.checks[load.load_id].append(work)
        board.at(work.end, 1, ("checked", load))
    else:
        board.works[load.load_id].append(work)
        board.at(work.end, 1, ("moved", (load, step, worker.name)))
        if step in ("direct", "out"):
            board.count(board.trains[board.way[load.load_id][0]], -load.wagons)
    board.note(work, load)
    if worker.setup:
        board.at(work.end + worker.setup, 3, ("wake", ""))


def _ready(board: Board, worker: Worker, now: int) -> Callable[[Load], bool]:
    """Tells for which loads set-up and the other cranes of the runway let the worker begin."""
    name = worker.name
    turns = worker.setup and now < board.busy_until[name] + worker.setup
    only = board.last_train.get(name) if turns else None
    crane = board.on_runway.get(name)
    at_work = [(other, zone) for other, zone, end in board.in_line.values() if end > now] if crane else []
    known: dict[int | None, bool] = {}

    def ready(load: Load) -> bool:
        if only is not None and load.call_id != only:
            return False
        if crane is not None and load.zone not in known:
            known[load.zone] = not any(crosses(crane, load.zone, other, zone) for other, zone in at_work)
        return crane is None or known[load.zone]

    return ready


def _in_stock(board: Board, onward: Train, load: Load) -> bool:
    """Whether there are empty wagons for the load on its onward train."""
    return board.empties.get(onward.call.gauge_mm, load.wagons) >= load.wagons


def _after(board: Board, load: Load) -> int:
    """Least minutes of checks on the onward train."""
    return sum(min(minutes(load, post) for post in board.site.posts_for(check)) for check in load.after)


def inspect(board: Board, post: Post, now: int) -> None:
    if board.busy_until[post.name] > now:
        return
    until, ready, queue = _window(board, post, now), _ready(board, post, now), board.to_check[post.check]
    for number, item in enumerate(queue):
        load = item[2]
        if not ready(load):
            continue
        train = board.checked_on(load, len(board.checks[item[1]]))
        latest = board.trains[board.way[item[1]][0]].call.latest if train is None else train.call.latest
        if (train is None or train.stands) and now + board.lasting(load, post) <= min(until, latest):
            del queue[number]
            _begin(board, post, now, load, "check")
            return


def _window(board: Board, resource: Worker, now: int) -> int:
    """Minute up to which the resource works on without a break; ``now`` when it is closed, after a wake-up call."""
    at = bisect_right(resource.open, (now, 1 << 60)) - 1
    if at >= 0 and resource.open[at][1] > now:
        return resource.open[at][1]
    if at + 1 < len(resource.open) and any(train.leave < 0 for train in board.trains.values()):
        board.at(resource.open[at + 1][0], 3, ("wake", ""))
    return now


def lift(board: Board, crane: Crane, now: int) -> None:
    if board.busy_until[crane.crane_id] > now:
        return
    until = _window(board, crane, now)
    if until <= now:
        return
    best: tuple[tuple[int, int], Load, str] | None = None
    form, is_ready = crane.handles, _ready(board, crane, now)
    for train in board.standing:
        if train.track not in crane.tracks:
            continue
        limit = min(until, train.call.latest)
        for load in reversed(train.to_fetch[form]):
            if not is_ready(load) or not _in_stock(board, train, load):
                continue
            lasts = board.lasting(load, crane, out=True)
            if now + lasts <= limit and now + lasts + _after(board, load) <= train.call.latest:
                best = better(best, (train.aim, 1), load, "out")
            break
        for onward_id, loads in train.to_move[form].items():
            ready = next(filter(is_ready, reversed(loads)), None)
            if ready is None:
                continue
            load = ready
            onward, lasts = board.trains[onward_id], board.lasting(load, crane)
            if now + lasts > limit:
                continue
            both = onward.stands and "direct" in load.ways and onward.track in crane.tracks
            both = both and now + lasts + _after(board, load) <= onward.call.latest
            if both and _in_stock(board, onward, load):
                best = better(best, (min(train.aim, onward.aim), 0), load, "direct")
                continue
            # A load that was to go directly goes through the yard when its train can wait no longer.
            into_yard = board.way[load.load_id][1] == "yard" or now + PATIENCE >= train.aim or onward.aim <= train.aim
            if into_yard and "yard" in load.ways and board.yard[form] >= load.size:
                aim = min(train.aim, onward.aim) if onward.stands else train.aim
                best = better(best, (aim, 2), load, "in")
    if best is None:
        return
    _, load, step = best
    onward_id = board.way[load.load_id][0]
    if step == "out":
        take_out(board.trains[onward_id].to_fetch[form], load)
    else:
        take_out(board.trains[load.call_id].to_move[form][onward_id], load)
        board.way[load.load_id] = onward_id, "direct" if step == "direct" else "yard"
    if step == "in":
        board.yard[form] -= load.size
    _begin(board, crane, now, load, step)


def change(board: Board, bay: Bay, now: int) -> None:
    if board.busy_until[bay.bay_id] > now or not board.to_change:
        return
    until, is_ready = _window(board, bay, now), _ready(board, bay, now)
    for item in board.to_change:
        load = item[2]
        inbound, onward = board.trains[load.call_id], board.trains[board.way[load.load_id][0]]
        gauge = onward.call.gauge_mm
        ends = now + board.lasting(load, bay)
        if inbound.start < 0 or ends > until or ends + _after(board, load) > onward.call.latest:
            continue
        if not is_ready(load):
            continue
        if board.stock[bay.bay_id].get(gauge, 0) >= load.wagons:
            board.stock[bay.bay_id][gauge] -= load.wagons
            board.to_change.remove(item)
            _begin(board, bay, now, load, "bogie")
            return
