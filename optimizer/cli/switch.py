"""``corridor switch``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optimizer.cli.arguments import instance_argument, scenario_option
from optimizer.cli.charts import check_chart, write_chart

if TYPE_CHECKING:
    from optimizer.models.port_choice.switching.switch import Switches


@click.command("switch")
@instance_argument
@click.argument("lever", metavar="LEVER")
@click.option("--from", "low", type=float, required=True, metavar="X", help="Lowest value of the lever.")
@click.option("--to", "high", type=float, required=True, metavar="Y", help="Highest value of the lever.")
@scenario_option
@click.option("--lanes", metavar="A,B", help="Lanes, or lane groups such as 'to Gulf', to show. Default: all.")
@click.option("--commodity", metavar="ID", help="Show only lanes of this commodity.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--chart", type=click.Path(dir_okay=False), metavar="FILE", help="Write a .svg, .png or .html chart.")
@click.option("--force", is_flag=True, help="Replace a chart that stands in FILE.")
def command(
    instance: str,
    lever: str,
    low: float,
    high: float,
    scenario: str | None,
    lanes: str | None,
    commodity: str | None,
    as_json: bool,
    chart: str | None,
    force: bool,
) -> None:
    """Find the values of LEVER at which the best plan of the year on INSTANCE switches.

    LEVER is tariff:ID, haul:COUNTRY, dwell:HANDLING, dwell:BORDER, dwell:PLACE, dwell:gauge-changes, premium:PORT,
    premium:REGION, premium:PORT/GROUP or capacity:NAME. All lanes compete for capacity, whichever are shown.
    """
    from optimizer import api
    from optimizer.cli.output import console, native_output_silenced, print_table
    from optimizer.models.family import Table
    from optimizer.models.port_choice import PortChoice
    from optimizer.models.port_choice.switching.levers import parse_lever
    from optimizer.models.port_choice.switching.switch import switch_points
    from optimizer.report import switch as pictures

    if chart is not None:
        check_chart(chart, force)
    problem = PortChoice(api.read(instance, scenario))
    turned = parse_lever(problem.corridor, lever)
    wanted = _wanted(problem, lanes, commodity)
    with native_output_silenced():
        found = switch_points(problem, turned, low, high, wanted)
    if chart is not None:
        _draw(found, Path(chart))
        click.echo(f"chart written to {chart}", err=True)
    if as_json:
        click.echo(json.dumps(pictures.as_json(found, turned.stated(problem.corridor)), indent=2))
        return
    count = len(found.points)
    click.echo(
        f"{turned.words}: {count} switch point{'' if count == 1 else 's'} from {low:g} to {high:g} {turned.unit}; "
        f"{found.solves} solves, re-solves beside the points agree to {found.largest_deviation:.0e}"
    )
    screen = console()
    rows = [[f"{i.start:.6g}", f"{i.end:.6g}", f"{i.line.at(i.start):,.0f}", f"{i.line.at(i.end):,.0f}",
             f"{i.line.slope:,.0f}", ", ".join(i.taken) or "none"] for i in found.intervals]  # fmt: skip
    columns = ("from", "to", "USD at from", "USD at to", "USD a unit", "contracts")
    print_table(screen, Table("Intervals", columns, rows, _note(found)))
    shares = []
    for group in found.groups:
        before: list[str] | None = None
        for interval in found.intervals:
            cells = [f"{port} {100 * share:.1f} %" for port, share in interval.shares(group).items()]
            if cells != before:
                shares.append(
                    ["" if before else group, f"{interval.start:.6g}", interval.winner(group), ", ".join(cells)]
                )
            before = cells
    note = "a row where the shares change; a lane group without further rows keeps its shares to the end"
    print_table(screen, Table("Who wins", ("cargo", "from", "winner", "shares"), shares, note))


def _note(found: Switches) -> str:
    if found.lever.how != "limit":
        return "contracts are chosen anew at every value"
    most = max(interval.choice_saves_usd for interval in found.intervals)
    return (
        "contracts as the plan of the instance takes them; shares are those in the middle of an interval; choosing "
        f"contracts again would save at most {most:,.0f} USD there"
    )


def _wanted(problem: Any, lanes: str | None, commodity: str | None) -> set[str]:
    """Lanes to show."""
    from optimizer.errors import UsageError, did_you_mean
    from optimizer.models.port_choice.switching.levers import lane_groups

    groups, demand = lane_groups(problem.corridor), problem.demand()
    wanted = set(groups)
    if lanes is not None:
        names = [name.strip() for name in lanes.split(",")]
        known = [*groups, *sorted(set(groups.values()))]
        for name in names:
            if name not in known:
                raise UsageError(f"unknown lane or lane group '{name}'{did_you_mean(name, known)}")
        wanted = {lane for lane, group in groups.items() if lane in names or group in names}
    if commodity is not None:
        known = sorted(set(demand["commodity_id"]))
        if commodity not in known:
            raise UsageError(f"no lane carries '{commodity}'{did_you_mean(commodity, known)}")
        wanted &= set(demand["demand_id"][demand["commodity_id"] == commodity])
    if not wanted:
        raise UsageError("no lane fits both --lanes and --commodity")
    return wanted


def _draw(found: Switches, path: Path) -> None:
    """Shares of each lane group as bands over the lever, and the least cost below."""
    from matplotlib.figure import Figure

    groups = found.groups
    ports = sorted({port for interval in found.intervals for _, port in interval.tonnes})
    palette = (
        "#4477aa",
        "#ee6677",
        "#228833",
        "#ccbb44",
        "#66ccee",
        "#aa3377",
        "#ee8866",
        "#44bb99",
        "#332288",
        "#999933",
    )
    colour = {port: palette[n % len(palette)] for n, port in enumerate(ports)}
    colour |= {"no sea port": "#bbbbbb", "left behind": "#ffffff"}
    edges = [interval.start for interval in found.intervals] + [found.intervals[-1].end]
    figure = Figure(figsize=(9, 1.6 + 0.75 * (len(groups) + 2)), layout="constrained")
    axes = figure.subplots(len(groups) + 1, 1, sharex=True, height_ratios=[1] * len(groups) + [2], squeeze=False)[:, 0]
    drawn = {}
    for axis, group in zip(axes, groups, strict=False):
        base = [0.0] * len(found.intervals)
        for port in ports:
            share = [100 * interval.shares(group).get(port, 0.0) for interval in found.intervals]
            if not any(share):
                continue
            top = [one + other for one, other in zip(base, share, strict=True)]
            drawn[port] = axis.stairs(top, edges, baseline=base, fill=True, color=colour[port], label=port)
            base = top
        axis.set_ylim(0, 100)
        axis.set_yticks([0, 100])
        axis.set_ylabel(group, rotation=0, ha="right", va="center")
    cost = axes[-1]
    ends = [interval.line.at(interval.start) for interval in found.intervals]
    ends.append(found.intervals[-1].line.at(edges[-1]))
    cost.plot(edges, [usd / 1e6 for usd in ends], color="black", marker="o", markersize=3)
    cost.set_ylabel("least cost,\nmillion USD")
    cost.ticklabel_format(useOffset=False)
    cost.set_xlabel(f"{found.lever.words}, {found.lever.unit}")
    cost.set_xlim(edges[0], edges[-1])
    figure.suptitle("Share of each port, % of tonnes")
    figure.legend(handles=[drawn[port] for port in ports if port in drawn], loc="outside right upper", frameon=False)
    write_chart(figure, path, found.lever.words)
