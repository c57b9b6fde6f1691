"""``corridor replan``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

from optimizer.cli.answer import Answer, answer_options
from optimizer.cli.arguments import stored_instance_option
from optimizer.errors import UsageError

TIME_LIMIT_S = 30.0


@click.command("replan")
@click.argument("result_dir", metavar="RESULT_DIR", type=click.Path())
@click.option("--day", type=int, metavar="DAY", help="rolling-stock: day on which the plan is taken up.")
@click.option(
    "--close", "closures", metavar="LINK[:FIRST-LAST]", multiple=True,
    help="rolling-stock: a link closed from that day on, or on some days; as often as needed.",
)  # fmt: skip
@click.option("--minute", type=int, metavar="MINUTE", help="transshipment: minute of the news.")
@click.option("--late", metavar="TRAIN=MINUTES", multiple=True, help="transshipment: a train arrives later.")
@click.option(
    "--lost", metavar="CRANE=FIRST-UNTIL", multiple=True, help="transshipment: minutes in which a crane does not work."
)
@click.option("--change-usd", type=float, metavar="USD", help="What a change must save besides. Default: 20.")
@click.option(
    "--time-limit", type=float, metavar="SECONDS", default=TIME_LIMIT_S, show_default=True,
    help="Seconds; the best plan so far counts.",
)  # fmt: skip
@answer_options
@stored_instance_option
def command(
    result_dir: str,
    day: int | None,
    closures: tuple[str, ...],
    minute: int | None,
    late: tuple[str, ...],
    lost: tuple[str, ...],
    change_usd: float | None,
    time_limit: float,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
    rows: int,
    instance: str | None,
) -> None:
    """Take up the plan in RESULT_DIR while it is carried out, after links were closed, trains late or cranes lost.

    What began before stands; little else changes. Prints what does, what it costs, and the bound.
    """
    from optimizer import api, checks, results
    from optimizer.cli.output import ProgressLines, native_output_silenced
    from optimizer.cli.signals import stop_on_signals

    at = minute if day is None else day
    if at is None or None not in (day, minute):
        raise UsageError("give --day for a wagon plan, or --minute for a terminal's")
    checks.check_limits(time_limit, 0.0, seed)
    late_min = {name: _number(f"--late {text}", minutes) for text in late for name, minutes in [_split(text, "--late")]}
    lost_min = {name: _span(f"--lost {text}", minutes) for text in lost for name, minutes in [_split(text, "--lost")]}
    answer = Answer(out, force, as_json, rows)
    answer.check_target()
    result, problem = results.open_result(result_dir, instance)
    if (day is None) == (result.family == "rolling-stock"):
        raise UsageError(f"a result of {result.family} does not take {'--minute' if day is None else '--day'}")
    if minute is not None and out is not None:
        raise UsageError(f"a re-planned {result.family} is not kept in {out}: its instance has other times now")
    with stop_on_signals() as stop:
        with native_output_silenced():
            new, found = api.replan(
                problem,
                result,
                at,
                closures=closures,
                late_min=late_min,
                lost_min=lost_min,
                change_usd=change_usd,
                time_limit_s=time_limit,
                seed=seed,
                on_progress=ProgressLines(),
                stop=stop,
            )
        answer.give(new, lambda: found.tables, lambda: _tell(found.sentences))


def _tell(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        click.echo(textwrap.fill(sentence[:1].upper() + sentence[1:], 100, subsequent_indent="  "))
    click.echo()


def _split(text: str, option: str) -> tuple[str, str]:
    name, mark, rest = text.rpartition("=")
    if not (name and mark):
        raise UsageError(f"{option} is '{text}', expected a name, '=' and minutes")
    return name, rest


def _number(given: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise UsageError(f"{given}: '{text}' is no whole number of minutes")
    return int(text)


def _span(given: str, text: str) -> tuple[int, int]:
    first, _, until = text.partition("-")
    return _number(given, first), _number(given, until)
