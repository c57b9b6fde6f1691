"""``corridor export``."""

from __future__ import annotations

from typing import Any

import click

from optimizer.cli.arguments import family_argument, family_options, instance_argument, problem_options, scenario_option


@click.command("export")
@family_argument
@instance_argument
@click.argument("out", metavar="OUT", type=click.Path())
@scenario_option
@family_options
def command(family: str, instance: str, out: str, scenario: str | None, **given: Any) -> None:
    """Write the exact model of FAMILY on INSTANCE to OUT, which ends in .lp or .mps."""
    from optimizer import api, checks
    from optimizer.cli.output import native_output_silenced
    from optimizer.families import FAMILIES

    chosen = FAMILIES[family]
    options = problem_options(family, given)
    checks.check_export_path(out)
    problem = chosen.problem(api.read(instance, scenario), **options)
    with native_output_silenced():
        api.export(problem, out)
    click.echo(f"model written to {out}")
