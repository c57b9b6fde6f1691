"""``corridor fleet``."""

from __future__ import annotations

import click

from optimizer.cli.arguments import instance_argument, scenario_option

_limit_option = click.option(
    "--time-limit", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, metavar="S",
    help="Seconds for every solve.",
)  # fmt: skip
_gap_option = click.option("--gap", type=float, default=1e-4, show_default=True, help="Relative gap at which to stop.")


@click.group("fleet")
def command() -> None:
    """How many wagons to buy or hire, and what one more wagon, train path or locomotive is worth."""


@command.command("size")
@instance_argument
@scenario_option
@click.option(
    "--life",
    "life_years",
    type=click.FloatRange(min=0, min_open=True),
    default=25.0,
    show_default=True,
    help="Years over which a wagon is paid off.",
)
@click.option(
    "--upkeep",
    "upkeep_share",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Upkeep a year over the purchase price.",
)
@click.option("--from-scratch", is_flag=True, help="Without the wagons there are; they only say where types can stand.")
@_limit_option
@_gap_option
def size(
    instance: str, scenario: str | None, life_years: float, upkeep_share: float, from_scratch: bool, time_limit: float,
    gap: float,
) -> None:  # fmt: skip
    """How many of which type to buy, beside hiring, for the orders of the horizon."""
    from optimizer import api, checks
    from optimizer.cli.output import console, native_output_silenced, print_table
    from optimizer.cli.signals import stop_on_signals
    from optimizer.models.family import SolveOptions, Table
    from optimizer.models.rolling_stock.fleet import size_fleet
    from optimizer.models.rolling_stock.problem import RollingStock
    from optimizer.models.rolling_stock.wagons.report import fleet_figures, place_names

    checks.check_limits(time_limit, gap, 0)
    problem = RollingStock(api.read(instance, scenario))
    with stop_on_signals() as stop, native_output_silenced():
        options = SolveOptions(time_limit_s=time_limit, gap=gap, stop=stop)
        found = size_fleet(
            problem, options, life_years=life_years, upkeep_share=upkeep_share, from_scratch=from_scratch
        )
    if found.outcome.solution is None:
        raise click.exceptions.Exit(1)
    names, hired = place_names(problem), fleet_figures(found.problem, found.outcome.solution)
    rows = []
    for wagon_id, figures in hired.items():
        bought = {spot: units for (kind, spot), units in found.bought.items() if kind == wagon_id}
        if figures["stand"] or figures["hired_peak"]:
            where = ", ".join(
                f"{units} at {names[spot.node_id]} ({spot.gauge_mm} mm)" for spot, units in bought.items()
            )
            own = figures["stand"] - sum(bought.values())
            counts = [f"{n:,.0f}" for n in (own, sum(bought.values()), figures["hired_peak"], figures["used_peak"])]
            rows.append([wagon_id, *counts, where])
    note = (
        f"purchases {found.purchase_usd:,.0f} USD over {problem.days} days, plan {found.outcome.cost or 0:,.0f} USD; "
    )
    note += f"together {found.cost:,.0f} USD, no fleet and plan cost less than {found.bound:,.0f} USD"
    columns = ("wagon type", "own", "buy", "most on hire", "most under way", "where to buy")
    print_table(console(), Table("Fleet", columns, rows, note))


@command.command("worth")
@instance_argument
@click.argument("what", nargs=-1, metavar="[NAME]...")
@scenario_option
@click.option("--stock", type=click.Choice(("wagons", "locomotives")), default="wagons", show_default=True)
@_limit_option
@_gap_option
def worth(
    instance: str, what: tuple[str, ...], scenario: str | None, stock: str, time_limit: float, gap: float
) -> None:
    """What one more unit saves: NAME is a type of wagon or locomotive, or a link for one more train a day."""
    from optimizer import api, checks
    from optimizer.cli.output import console, native_output_silenced, print_table
    from optimizer.cli.signals import stop_on_signals
    from optimizer.models.family import SolveOptions, Table
    from optimizer.models.rolling_stock.fleet import worth_of_one_more
    from optimizer.models.rolling_stock.problem import RollingStock

    checks.check_limits(time_limit, gap, 0)
    problem = RollingStock(api.read(instance, scenario), stock=stock)  # type: ignore[arg-type]
    found = []
    with stop_on_signals() as stop, native_output_silenced():
        for one in worth_of_one_more(problem, SolveOptions(time_limit_s=time_limit, gap=gap, stop=stop), what):
            found.append(one)
            click.echo(f"{one.what}: {one.saves_usd:,.0f} USD", err=True)
    if not found:
        raise click.exceptions.Exit(1)
    rows = [
        [one.what, f"{one.saves_usd:,.0f}", f"{one.low_usd:,.0f} to {one.high_usd:,.0f}"]
        for one in sorted(found, key=lambda one: -one.saves_usd)
    ]
    note = (
        f"USD over {problem.days} days: the plan without it less the plan with it, both solved; range by their bounds"
    )
    print_table(console(), Table("What one more saves", ("one more", "USD", "between"), rows, note))
