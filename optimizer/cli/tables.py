"""``corridor tables``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("tables")
@click.argument("result_dir", metavar="RESULT_DIR", type=click.Path())
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--instance", type=click.Path(), metavar="INSTANCE", help="The instance. Default: where the result says.")
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True,
    help="Files in a directory.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace what stands at OUT.")
def command(result_dir: str, out: Path, instance: str | None, file_format: str, force: bool) -> None:
    """Write the tables of the plan in RESULT_DIR to OUT.

    OUT ends in .xlsx (a sheet for each table) or .geojson (routes, runs or trains as lines), or is a directory of CSV
    or Parquet files. The plan is verified first.
    """
    from optimizer.report.cases import read_cases
    from optimizer.report.exports import write_geojson, write_tables

    case = read_cases([result_dir], instance)[0]
    if out.suffix.lower() == ".geojson":
        click.echo(f"{write_geojson(case, out, force):,} lines written to {out}")
        return
    names = write_tables(case, out, file_format, force)
    click.echo(f"{len(names)} tables written to {out}: {', '.join(names)}")
