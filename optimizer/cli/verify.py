"""``corridor verify``."""

from __future__ import annotations

import click

from optimizer.cli import EXIT_BROKEN_PLAN, EXIT_NO_PLAN
from optimizer.cli.arguments import instance_argument


@click.command("verify")
@instance_argument
@click.argument("result_dir", metavar="RESULT_DIR", type=click.Path())
def command(instance: str, result_dir: str) -> None:
    """Check the plan in RESULT_DIR against INSTANCE: every rule, the cost and the claims, all recomputed."""
    from optimizer import api, checks, results
    from optimizer.cli.output import key_line, print_conflicts
    from optimizer.data.reading import read_instance

    result = results.read_result(result_dir)
    problem = results.problem_of(result, read_instance(instance))
    violations = api.verify(problem, result)
    click.echo(key_line(result))
    if violations:
        click.echo(f"{len(violations)} broken rule{'s' if len(violations) != 1 else ''}:")
        click.echo(checks.violation_lines(violations, at_most=1000))
        raise click.exceptions.Exit(EXIT_BROKEN_PLAN)
    if result.solution is None:
        click.echo("The result holds no plan.")
        print_conflicts(result.conflicts)
        raise click.exceptions.Exit(EXIT_NO_PLAN)
    click.echo("Every rule holds; cost, bound and gap agree with the plan.")
