"""``corridor convert``."""

from __future__ import annotations

import click

from optimizer.cli.arguments import instance_argument


@click.command("convert")
@instance_argument
@click.argument("out", metavar="OUT", type=click.Path())
@click.option("--force", is_flag=True, help="Replace an instance that stands at OUT.")
def command(instance: str, out: str, force: bool) -> None:
    """Write INSTANCE to OUT: a directory, .zip or .xlsx, by its suffix. Nothing is lost either way."""
    from optimizer.cli.arguments import check_free
    from optimizer.data.reading import read_instance
    from optimizer.data.writing import write_instance

    check_free(out, force)
    write_instance(read_instance(instance), out)
    click.echo(f"written to {out}")
