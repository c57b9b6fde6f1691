"""``corridor generate``."""

from __future__ import annotations

import click


@click.command("generate")
@click.argument("out", metavar="OUT", type=click.Path())
@click.option("--places", type=int, default=60, show_default=True, help="Places, overseas ones included.")
@click.option("--days", type=int, default=28, show_default=True, help="Days of the horizon.")
@click.option("--shipments", type=int, default=200, show_default=True, help="Dated shipments.")
@click.option("--trains", type=int, default=0, show_default=True, help="Train calls at one gauge-change terminal.")
@click.option("--wagons", type=int, default=0, show_default=True, help="Wagons of the fleet, with orders.")
@click.option("--congestion", default="light", show_default=True, metavar="light|heavy", help="How scarce capacity is.")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds give equal instances.")
@click.option("--force", is_flag=True, help="Replace an instance that stands at OUT.")
def command(
    out: str,
    places: int,
    days: int,
    shipments: int,
    trains: int,
    wagons: int,
    congestion: str,
    seed: int,
    force: bool,
) -> None:
    """Write a seeded instance to OUT: a directory, .zip or .xlsx."""
    from typing import Any, cast

    from optimizer.cli.arguments import check_free
    from optimizer.data.generate import generate
    from optimizer.data.writing import write_instance

    check_free(out, force)
    instance = generate(
        places=places,
        days=days,
        shipments=shipments,
        trains=trains,
        wagons=wagons,
        congestion=cast(Any, congestion),
        seed=seed,
    )
    write_instance(instance, out)
    rows = sum(map(len, instance.tables.values()))
    click.echo(f"{instance.config.name}: {rows:,} rows written to {out}")
