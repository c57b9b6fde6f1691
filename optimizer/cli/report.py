"""``corridor report``."""

from __future__ import annotations

from pathlib import Path

import click

from optimizer.cli import EXIT_BROKEN_PLAN, EXIT_NO_PLAN


@click.command("report")
@click.argument("result_dirs", metavar="RESULT_DIR...", nargs=-1, required=True, type=click.Path())
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE.html", help="File to write.")
@click.option("--instance", type=click.Path(), metavar="INSTANCE", help="The instance. Default: where the results say.")
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="WHAT",
    help="Switch points to show: a file of 'corridor "
    "switch --json', or LEVER=FROM..TO to find them now. May be given several times.",
)
@click.option(
    "--sensitivity",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    metavar="N",
    help="Tornado of the N uncertain inputs that matter most; port choice is solved again for each.",
)
@click.option(
    "--causes/--no-causes",
    default=True,
    show_default=True,
    help="In a comparison, tell what each cause contributes; every mixture of causes is solved.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For the tornado, and for the causes of each comparison.",
)
@click.option("--force", is_flag=True, help="Replace a file that stands there.")
def command(
    result_dirs: tuple[str, ...],
    out: Path,
    instance: str | None,
    switches: tuple[str, ...],
    sensitivity: int,
    causes: bool,
    time_limit: float,
    force: bool,
) -> None:
    """Write one HTML file that opens offline about RESULT_DIR, or about several side by side.

    Results of one family are compared with the first of them; families stand in chapters of their own. All must be of
    one instance. Every plan is verified again; one that fails is not drawn, and the exit code is 3.
    """
    from optimizer.cli.output import native_output_silenced
    from optimizer.report.build import build_page
    from optimizer.report.cases import Extras, read_cases
    from optimizer.report.page import check_page_path, write_page
    from optimizer.report.switch import switch_answer

    check_page_path(out, force)
    cases = read_cases(result_dirs, instance)
    with native_output_silenced():
        answers = [switch_answer(cases[0].corridor, asked) for asked in switches]
        extras = Extras(answers, sensitivity, causes, time_limit)
        page = build_page(cases, extras, tell=lambda line: click.echo(line, err=True))
    size = write_page(page, out)
    click.echo(f"report written to {out} ({size / 1e6:.1f} MB): open it in a browser")
    if any(case.violations for case in cases):
        click.echo("A plan fails verification; see the report.", err=True)
        raise click.exceptions.Exit(EXIT_BROKEN_PLAN)
    if not any(case.result.status.has_plan for case in cases):
        click.echo("No result holds a plan.", err=True)
        raise click.exceptions.Exit(EXIT_NO_PLAN)
