"""``corridor explain``."""

from __future__ import annotations

import textwrap

import click

from optimizer.cli import EXIT_NO_PLAN
from optimizer.cli.arguments import stored_instance_option
from optimizer.errors import UsageError

SUBJECTS = {
    "lane": ("port-choice", "annual port choice: the lane to explain."),
    "shipment": ("port-choice", "dated port choice: the shipment to explain."),
    "order": ("rolling-stock", "rolling-stock, wagons: the order to explain."),
    "train": ("rolling-stock", "rolling-stock, locomotives: the train to explain."),
    "load": ("transshipment", "transshipment: the load to explain."),
}


def _subject_options(command: click.decorators.FC) -> click.decorators.FC:
    for name, (_, words) in reversed(SUBJECTS.items()):
        command = click.option(f"--{name}", metavar="ID", help=words)(command)
    return command


@click.command("explain")
@click.argument("result_dir", metavar="RESULT_DIR", type=click.Path())
@_subject_options
@click.option("--forced", metavar="NAME", default="", help="Solve again with it held to a port, place, type or train.")
@click.option("--avoid", metavar="NAME", default="", help="Solve again with it kept from a place, link, type or train.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Seconds for every further solve.")
@stored_instance_option
def command(
    result_dir: str, forced: str, avoid: str, time_limit: float | None, instance: str | None, **asked: str | None
) -> None:
    """Say why a part of the plan in RESULT_DIR is as it is.

    Without a subject: how far the answer can be trusted. With one: why it goes its way and how the best others
    compare, cause by cause; what holding it to another way would cost and who else would move, found by solving again;
    and for what stays behind, the reason and the cheapest change that would carry it.
    """
    from optimizer import api, results
    from optimizer.cli.output import console, key_line, native_output_silenced, print_conflicts, print_table
    from optimizer.cli.signals import stop_on_signals
    from optimizer.report.certificate import certificate

    subjects = {name: given for name, given in asked.items() if given is not None}
    if len(subjects) > 1:
        raise UsageError(f"{' and '.join(f'--{name}' for name in subjects)} given, expected one of them")
    if not subjects and (forced or avoid):
        raise UsageError("--forced and --avoid need a subject: --lane, --shipment, --order, --train or --load")
    result, problem = results.open_result(result_dir, instance)
    for name in subjects:
        if SUBJECTS[name][0] != result.family:
            fitting = " or ".join(f"--{other}" for other, (family, _) in SUBJECTS.items() if family == result.family)
            raise UsageError(f"--{name} does not fit a result of {result.family}{fitting and f'; use {fitting}'}")
    screen = console()
    click.echo(key_line(result))
    if not subjects or result.solution is None:
        print_table(screen, certificate(problem, result))
        print_conflicts(result.conflicts)
        if result.solution is None:
            raise click.exceptions.Exit(EXIT_NO_PLAN)
        return
    with stop_on_signals() as stop, native_output_silenced():
        found = api.explain(
            problem, result, *subjects.values(), forced=forced, avoid=avoid, time_limit_s=time_limit, stop=stop
        )
    for sentence in found.sentences:
        click.echo(textwrap.fill(sentence[:1].upper() + sentence[1:], 100, subsequent_indent="  "))
    click.echo()
    for table in found.tables:
        print_table(screen, table)
