"""``corridor info``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from optimizer.cli.arguments import instance_argument, scenario_option

if TYPE_CHECKING:
    import pandas as pd

    from optimizer.data.corridor import Corridor
    from optimizer.models.family import Table


@click.command("info")
@instance_argument
@scenario_option
def command(instance: str, scenario: str | None) -> None:
    """Summarise INSTANCE under a scenario: network, breaks of gauge, ports, demand, fleet, scenarios."""
    from rich.text import Text

    from optimizer import api
    from optimizer.cli.output import console, print_table

    corridor = api.read(instance, scenario)
    config, chosen = corridor.config, corridor.selection
    screen = console()
    click.echo(f"{config.name} ({instance})")
    screen.print(Text(f"source: {config.source}"))
    click.echo(
        f"scenario: {','.join(corridor.scenario) or 'base'}   network: {chosen.network or 'all'}   "
        f"gauge variant: {chosen.gauge_variant or 'all'}   demand year: {chosen.demand_year or 'all'}"
    )
    click.echo(f"horizon: {config.horizon.days} days from {config.horizon.start}   hash: {corridor.instance.hash[:12]}")
    click.echo()
    for table in (_layers(corridor), _breaks(corridor), _ports(corridor), _demand(corridor), _fleet(corridor)):
        if table.rows:
            print_table(screen, table)
    scenarios = _scenarios(corridor)
    if scenarios.rows:
        print_table(screen, scenarios)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> Table:
    from optimizer.models.family import Table

    return Table(title, columns, [[str(cell) for cell in row] for row in rows], note)


def _layers(corridor: Corridor) -> Table:
    links, legs = corridor.table("links"), corridor.table("sea_legs")
    layer = (
        links["mode"].astype(object).where(links["mode"] != "rail", "rail-" + links["gauge_mm"].map("{:.0f}".format))
    )
    rows: list[Sequence[Any]] = []
    for name, group in links.groupby(layer, sort=True):
        places = len({*group["from_node"], *group["to_node"]})
        rows.append((name, places, len(group), f"{group['length_km'].sum():,.0f}"))
    if len(legs):
        places = len({*legs["from_port"], *legs["to_port"]})
        rows.append(("sea", places, len(legs), f"{1.852 * legs['distance_nm'].sum():,.0f}"))
    note = f"{len(corridor.table('nodes'))} places in all; {len(corridor.table('handlings'))} handlings between layers"
    return _table("Network by layer", ("layer", "places", "links", "km"), rows, note)


def _breaks(corridor: Corridor) -> Table:
    handlings = corridor.table("handlings")
    between = handlings[
        handlings["from_layer"].str.startswith("rail-")
        & handlings["to_layer"].str.startswith("rail-")
        & (handlings["from_layer"] != handlings["to_layer"])
    ]
    names = _place_names(corridor)
    rows = []
    for (place, low, high), group in between.assign(
        low=between[["from_layer", "to_layer"]].min(axis=1), high=between[["from_layer", "to_layer"]].max(axis=1)
    ).groupby(["node_id", "low", "high"], sort=True):
        variants = sorted({name for names in group["gauge_variants"] for name in names}) or ["all"]
        technologies = ", ".join(sorted(set(group["technology"])))
        gauges = f"{low.removeprefix('rail-')} / {high.removeprefix('rail-')}"
        rows.append((names[place], gauges, technologies, ", ".join(variants)))
    return _table("Breaks of gauge", ("place", "gauges mm", "technologies", "variants"), rows)


def _ports(corridor: Corridor) -> Table:
    names = _place_names(corridor)
    countries = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["country"], strict=True))
    rows = [
        (names[port], countries[port], _number(teu), _number(tonnes, 1), _number(draught, 1))
        for port, teu, tonnes, draught in corridor.table("ports")[
            ["node_id", "capacity_teu_per_year", "capacity_mt_per_year", "max_draught_m"]
        ].itertuples(index=False)
    ]
    return _table("Ports", ("port", "country", "TEU a year", "Mt a year", "draught m"), rows)


def _demand(corridor: Corridor) -> Table:
    """Over every year of the instance: a scenario selects one of them."""
    in_force, lanes = corridor.selection.demand_year, corridor.instance.tables["lanes"]
    rows: list[Sequence[Any]] = []
    for year, group in lanes.groupby(lanes["year"].fillna(0), sort=True):
        mark = "in force" if not year or in_force is None or year == in_force else ""
        tonnes = f"{group['quantity_t_per_year'].sum() / 1e6:,.2f}"
        rows.append((f"{year:.0f}" if year else "any", "annual lanes", len(group), tonnes, mark))
    for name, words in (("shipments", "dated shipments"), ("orders", "wagon orders")):
        table = corridor.table(name)
        if len(table):
            tonnes = f"{table['quantity_t'].sum() / 1e6:,.3f}"
            rows.append((in_force or "any", words, len(table), tonnes, "in force"))
    return _table("Demand", ("year", "kind", "rows", "Mt", ""), rows)


def _fleet(corridor: Corridor) -> Table:
    fleet, wagons = corridor.table("fleet"), set(corridor.table("wagons")["wagon_id"])
    rows = []
    kind = fleet["type_id"].isin(wagons).map({True: "wagons", False: "locomotives"})
    for (gauge, what), group in fleet.groupby([fleet["gauge_mm"], kind], sort=True):
        rows.append(
            (f"{gauge:.0f}", what, group["type_id"].nunique(), group["node_id"].nunique(), group["units"].sum())
        )
    return _table("Fleet by gauge", ("gauge mm", "stock", "types", "places", "units"), rows)


def _scenarios(corridor: Corridor) -> Table:
    rows = [(name, scenario.description) for name, scenario in sorted(corridor.instance.scenarios.items())]
    default = ",".join(corridor.config.default_scenario) or "base"
    return _table("Scenarios", ("name", "description"), rows, f"default: {default}; join several with commas")


def _place_names(corridor: Corridor) -> dict[str, str]:
    nodes: pd.DataFrame = corridor.table("nodes")
    return dict(zip(nodes["node_id"], nodes["name"], strict=True))


def _number(value: float, decimals: int = 0) -> str:
    return "-" if value != value else f"{value:,.{decimals}f}"
