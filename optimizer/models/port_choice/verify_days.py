"""The rules of dated plans for the verifier: release, sailing days, durations in whole days, horizon, waiting and
lateness.

Legs of one chain leave and arrive together and last their hours rounded to days, ties up; only links form chains of
more than one. A sea leg leaves on day ``d`` when ``floor((d + 1) f / 7) > floor(d f / 7)`` for ``f`` sailings a
week (at most 7), and its mean wait and the variability of it drop out: the days between arrival and the next
departure are paid instead, from the release on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from optimizer.models.port_choice.problem import TOLERANCE, PortChoice
from optimizer.result import Violation
from optimizer.verification.money_chain import Chain, Record
from optimizer.verification.numbers import exact, given


def dated_faults(
    problem: PortChoice, chain: Chain, demand: Record, route: Record, path: Sequence[Record]
) -> Iterator[Violation]:
    """Broken rules of the days of one route whose legs fit together."""
    name = f"route {route['route_id']}"
    stamps = [("route", route), *((f"leg {leg['sequence']}", leg) for leg in path)]
    undated = [what for what, row in stamps if not (_is_day(row["depart_day"]) and _is_day(row["arrive_day"]))]
    undated += [f"leg {leg['sequence']}" for leg in path if not _is_day(leg["chain"])]
    if undated:
        yield Violation("whole days (and chain) must be given", f"{name}, {undated[0]}", len(undated), "rows")
        return
    horizon = problem.corridor.config.horizon.days
    depart, arrive, ready = int(route["depart_day"]), int(route["arrive_day"]), int(demand["release_day"])
    if depart < ready:
        yield Violation("departure before release", name, ready - depart, "days early")
    if arrive >= horizon:
        yield Violation("arrival after the horizon", name, arrive - horizon + 1, "days too late")
    if path and depart != path[0]["depart_day"]:
        yield Violation("route does not leave with its first leg", name, float(depart - path[0]["depart_day"]), "days")
    for _, group in itertools.groupby(path, key=lambda leg: leg["chain"]):
        legs = list(group)
        at = f"{name}, leg {legs[0]['sequence']} ({legs[0]['kind']} {legs[0]['asset_id']})"
        start, end = int(legs[0]["depart_day"]), int(legs[0]["arrive_day"])
        if len(legs) > 1 and any(
            leg["kind"] != "link" or (leg["depart_day"], leg["arrive_day"]) != (start, end) for leg in legs
        ):
            yield Violation("only links that leave and arrive together form a chain", at, len(legs), "legs")
        if start < ready:
            yield Violation("leg leaves before the load is there", at, ready - start, "days early")
        if end - start not in _days(sum((_hours(chain, leg) for leg in legs), Fraction(0))):
            yield Violation("duration differs from the time of the legs", at, end - start, "days")
        if legs[0]["kind"] == "sea" and not _sails(chain, legs[0]["asset_id"], start):
            yield Violation("no sailing on this day", at, start, "day")
        ready = end
    if arrive < ready:
        yield Violation("route ends before its last leg", name, ready - arrive, "days early")


def lateness_usd_per_t(demand: Record, route: Record, path: Sequence[Record], chain: Chain) -> Fraction:
    """Days of waiting since the release at the value of time, and days after the due day at the shipment's rate."""
    moving = sum(
        int(legs[0]["arrive_day"]) - int(legs[0]["depart_day"])
        for legs in (list(group) for _, group in itertools.groupby(path, key=lambda leg: leg["chain"]))
    )
    waiting = int(route["arrive_day"]) - int(demand["release_day"]) - moving
    late = max(int(route["arrive_day"]) - int(demand["due_day"]), 0)
    return 24 * chain.vot_usd_per_t_h * waiting + late * exact(demand["late_usd_per_t_day"])


def _hours(chain: Chain, leg: Record) -> Fraction:
    kind, asset_id = leg["kind"], leg["asset_id"]
    against = kind == "link" and leg["from_node"] != chain.book.assets[kind][asset_id]["from_node"]
    return chain.moving_h(kind, asset_id, against)


@lru_cache(65536)  # few chains of legs, many shipments over each
def _days(hours: Fraction) -> frozenset[int]:
    """Whole days, ties up; both neighbours when the hours are a tie but for rounding in the model's floats."""
    slack = Fraction(str(TOLERANCE))
    return frozenset(math.floor(hours / 24 + Fraction(1, 2) + shift) for shift in (-slack, slack))


def _sails(chain: Chain, leg_id: str, day: int) -> bool:
    per_day = min(exact(chain.book.assets["sea"][leg_id]["sailings_per_week"]), Fraction(7)) / 7
    slack = Fraction(1, 10**9)  # the calendar is stated with this allowance, for frequencies such as 0.7 a week
    return math.floor((day + 1) * per_day + slack) > math.floor(day * per_day + slack)


def _is_day(value: object) -> bool:
    return given(value) and isinstance(value, int | float) and value >= 0 and float(value).is_integer()
