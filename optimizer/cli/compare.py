"""``corridor compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optimizer.cli.arguments import instance_argument
from optimizer.cli.charts import check_chart, write_chart

if TYPE_CHECKING:
    from optimizer.models.port_choice.comparing.compare import Comparison


@click.command("compare")
@instance_argument
@click.argument("base", metavar="BASE")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--causes", default="auto", show_default=True, help="What counts as a cause: scenarios, overrides, or auto."
)
@click.option("--method", default="auto", show_default=True, help="Method of port choice; auto takes its first.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Seconds for all plans together.")
@click.option("--gap", type=float, default=0.0, show_default=True, help="Relative gap at which to stop each plan.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--chart", type=click.Path(dir_okay=False), metavar="FILE", help="Write a .svg, .png or .html chart.")
@click.option("--force", is_flag=True, help="Replace a chart that stands in FILE.")
def command(
    instance: str,
    base: str,
    scenario: str,
    causes: str,
    method: str,
    time_limit: float | None,
    gap: float,
    as_json: bool,
    chart: str | None,
    force: bool,
) -> None:
    """Compare the best plans of the year on INSTANCE under BASE and SCENARIO, and say what each cause costs.

    BASE and SCENARIO are scenarios in order, A,B; 'base' for none. A cause is a scenario, or a part of one, that is in
    force on one side only. Every mixture of causes is planned: two plans for one cause, four for two, at most 32.
    """
    from optimizer import api, checks
    from optimizer.cli.output import console, native_output_silenced, print_table
    from optimizer.cli.signals import stop_on_signals
    from optimizer.families import FAMILIES
    from optimizer.models.family import SolveOptions
    from optimizer.models.port_choice.comparing.compare import compare
    from optimizer.models.port_choice.comparing.report import figures, open_gaps, report, sentences

    checks.check_limits(time_limit, gap, 0)
    method, _solver = checks.check_method(FAMILIES["port-choice"], method, None)
    if chart is not None:
        check_chart(chart, force)

    def tell(number: int, of: int) -> None:
        click.echo(f"plan {number} of {of}", err=True)

    with stop_on_signals() as stop, native_output_silenced():
        options = SolveOptions(time_limit_s=time_limit, gap=gap, stop=stop)
        found = compare(api.read(instance, base), api.read(instance, scenario), options, method, causes, tell)
    if chart is not None:
        _draw(found, Path(chart))
        click.echo(f"chart written to {chart}", err=True)
    if as_json:
        click.echo(json.dumps(figures(found), indent=2, allow_nan=False))
    else:
        for line in sentences(found):
            click.echo(line)
        screen = console()
        for table in report(found):
            print_table(screen, table)
    for line in open_gaps(found):
        click.echo(f"Warning: {line}", err=True)


def _draw(found: Comparison, path: Path) -> None:
    """The cost bridge as a waterfall: base, one step for each cause, scenario."""
    from matplotlib.figure import Figure

    names = [",".join(solved.problem.corridor.scenario) or "base" for solved in (found.base, found.scenario)]
    labels = [names[0], *(part.cause for part in found.contributions), names[1]]
    level, steps = found.base.cost / 1e6, [float(part.usd) / 1e6 for part in found.contributions]
    figure = Figure(figsize=(9, 1.4 + 0.5 * len(labels)), layout="constrained")
    axis = figure.subplots()
    axis.barh(0, level, color="#4477aa")
    for at, step in enumerate(steps, start=1):
        axis.barh(at, step, left=level, color="#ee6677" if step > 0 else "#228833")
        axis.annotate(f"{step:+,.2f}", (max(level, level + step), at), (4, 0), textcoords="offset points", va="center")
        axis.plot([level, level], [at - 1.4, at + 0.4], color="black", linewidth=0.6)
        level += step
    axis.barh(len(labels) - 1, found.scenario.cost / 1e6, color="#4477aa")
    for at, solved in ((0, found.base), (len(labels) - 1, found.scenario)):
        axis.annotate(f"{solved.cost / 1e6:,.2f}", (solved.cost / 1e6, at), (4, 0), textcoords="offset points",
                      va="center")  # fmt: skip
    ends = (found.base.cost / 1e6, found.scenario.cost / 1e6)
    levels = [ends[0], *(ends[0] + sum(steps[: at + 1]) for at in range(len(steps)))]
    spread = max(levels) - min(levels)
    low = max(min(levels) - spread, 0.0) if spread else 0.0  # small steps on a large cost stay visible
    axis.set_xlim(low, max(levels) + 0.15 * (max(levels) - low) + 1e-9)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlabel("cost of the year, million USD" + (" (axis cut)" if low else ""))
    write_chart(figure, path, f"{names[0]} against {names[1]}")
