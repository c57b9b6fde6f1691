"""Switch points in pictures: shares of ports over a lever, from what ``corridor switch --json`` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from optimizer.errors import UsageError
from optimizer.report.page import Block, Cell, DataTable, Figure, Section, number

if TYPE_CHECKING:
    from optimizer.data.corridor import Corridor
    from optimizer.models.port_choice.switching.switch import Switches

MAX_BYTES = 20_000_000
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    winner: str
    shares: dict[str, Number]


class _Interval(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    start: Number = Field(alias="from")
    end: Number = Field(alias="to")
    cost_usd_from: Number
    cost_usd_to: Number
    groups: dict[str, _Group]


class SwitchAnswer(BaseModel):
    """What is read of the command's JSON; the rest is left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    lever: str
    unit: str
    stated: Number | None
    points: tuple[Number, ...]
    intervals: Annotated[tuple[_Interval, ...], Field(min_length=1)]


def as_json(found: Switches, stated: float | None) -> dict[str, Any]:
    """An answer as ``corridor switch --json`` prints it."""
    return {
        "lever": found.lever.words,
        "unit": found.lever.unit,
        "stated": stated,
        "points": found.points,
        "solves": found.solves,
        "largest_deviation": found.largest_deviation,
        "intervals": [
            {
                "from": interval.start,
                "to": interval.end,
                "cost_usd_from": interval.line.at(interval.start),
                "cost_usd_to": interval.line.at(interval.end),
                "usd_per_unit": interval.line.slope,
                "contracts": interval.taken,
                "choice_saves_usd": interval.choice_saves_usd,
                "groups": {
                    group: {
                        "winner": interval.winner(group),
                        "tonnes": {port: t for (name, port), t in sorted(interval.tonnes.items()) if name == group},
                        "shares": interval.shares(group),
                    }
                    for group in found.groups
                },
                "lane_winner": interval.lane_winner,
            }
            for interval in found.intervals
        ],
    }


def switch_answer(corridor: Corridor, asked: str) -> dict[str, Any]:
    """
    A stored answer, or one computed now.

    Parameters
    ----------
    asked
        Name of a file of ``corridor switch --json``, or ``LEVER=FROM..TO`` such as ``dwell:PK_KHI=0.5..2``.

    Raises
    ------
    UsageError
        Neither, or a lever or range that makes no sense.
    """
    if Path(asked).is_file():
        return read_switch(asked)
    lever, equals, span = asked.partition("=")
    low, dots, high = span.partition("..")
    try:
        ends = (float(low), float(high))
    except ValueError:
        ends = None
    if not (equals and dots) or ends is None:
        raise UsageError(
            f"--switch '{asked}' is no file and not of the form LEVER=FROM..TO, for example 'dwell:PK_KHI=0.5..2'"
        )
    from optimizer.models.port_choice import PortChoice
    from optimizer.models.port_choice.switching.levers import parse_lever
    from optimizer.models.port_choice.switching.switch import switch_points

    turned = parse_lever(corridor, lever)
    problem = PortChoice(corridor)
    return as_json(switch_points(problem, turned, *ends), turned.stated(corridor))


def read_switch(path: str | Path) -> dict[str, Any]:
    """A stored answer; UsageError naming the file where it is none."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size:,} bytes, expected at most {MAX_BYTES:,}")
        content = json.loads(path.read_text(encoding="utf-8"))
        SwitchAnswer.model_validate(content)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path} cannot be read as JSON of corridor switch: {error}") from error
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{path} is not what corridor switch --json prints: {key}: {first['msg']}") from failure
    return dict(content)


def switch_section(answers: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Section:
    """A figure for each lever; ``names`` of places by id."""
    blocks: list[Block] = [_bands(SwitchAnswer.model_validate(answer), names) for answer in answers]
    return Section("Where the best port switches", blocks)


def _bands(answer: SwitchAnswer, names: Mapping[str, str]) -> Figure:
    groups = list(dict.fromkeys(group for interval in answer.intervals for group in interval.groups))
    edges = [interval.start for interval in answer.intervals] + [answer.intervals[-1].end]
    drawn = []
    rows: list[list[Cell]] = []
    # Groups whose winner changes come first: they are what the chart is asked for.
    winners = {g: [i.groups[g].winner if g in i.groups else "" for i in answer.intervals] for g in groups}
    for group in sorted(groups, key=lambda g: (len(set(winners[g])) == 1, g)):
        shares = [interval.groups[group].shares if group in interval.groups else {} for interval in answer.intervals]
        ports = sorted({port for share in shares for port in share})
        drawn.append(
            {
                "name": group,
                "ports": [{"name": names.get(p, p), "shares": [100 * s.get(p, 0.0) for s in shares]} for p in ports],
            }
        )
        before: list[str] | None = None
        for interval, share in zip(answer.intervals, shares, strict=True):
            cells = [f"{names.get(port, port)} {100 * part:.1f} %" for port, part in share.items()]
            if cells != before:
                rows.append([group, number(interval.start, 6), ", ".join(cells)])
            before = cells
    points = ", ".join(number(point, 5) for point in answer.points) or "none"
    switching = [g for g in groups if len(set(winners[g])) > 1]
    alt = (
        f"Bands of the share of each port over {answer.lever} from {edges[0]:g} to {edges[-1]:g} {answer.unit}. "
        f"The best plan changes at {points}. "
        + (f"The winner changes for {', '.join(switching)}." if switching else "No winner changes.")
    )
    note = f"The best plan changes at {points} {answer.unit}; values are exact."
    data = {"lever": answer.lever, "unit": answer.unit, "stated": answer.stated, "edges": edges, "groups": drawn}
    title = f"Shares of ports over {answer.lever}"
    return Figure("bands", title, data, alt, DataTable(title, ["cargo", f"from, {answer.unit}", "shares"], rows), note)
