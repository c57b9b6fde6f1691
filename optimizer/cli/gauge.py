"""``corridor gauge``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from optimizer.cli.arguments import instance_argument, scenario_option

if TYPE_CHECKING:
    from optimizer.models.family import SolveOptions
    from optimizer.models.gauge_choice import GaugeChoice
    from optimizer.result import Outcome

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_GAP = 1e-5


def _shared(question: Command) -> Command:
    """Instance, scenario and what narrows the question."""
    for option in reversed(
        (
            instance_argument,
            scenario_option,
            click.option("--gauges", default="", metavar="WHAT", help="A variant to build, or SECTION=GAUGE,..."),
            click.option("--without", default="", metavar="A,B", help="Transfer technologies that may not be used."),
        )
    ):
        question = option(question)
    return question


_gap_option = click.option(
    "--gap", type=float, default=DEFAULT_GAP, show_default=True, help="Relative gap at which to stop each plan."
)


@click.group("gauge")
def command() -> None:
    """Where the gauge should change: regret, break-even volumes, sensitivity, and a check by simulation.

    The plan itself comes from `corridor solve gauge-choice`.
    """


def _problem(instance: str, scenario: str | None, gauges: str, without: str) -> GaugeChoice:
    from optimizer import api
    from optimizer.models.gauge_choice import GaugeChoice

    return GaugeChoice(api.read(instance, scenario), gauges=gauges, without=without)


def _options(gap: float, stop: Any) -> SolveOptions:
    from optimizer import checks
    from optimizer.models.family import SolveOptions

    checks.check_limits(None, gap, 0)
    return SolveOptions(gap=gap, stop=stop)


def _print(title: str, columns: tuple[str, ...], rows: list[list[str]], note: str = "") -> None:
    from optimizer.cli.output import console, print_table
    from optimizer.models.family import Table

    print_table(console(), Table(title, columns, rows, note))


def _musd(usd: float) -> str:
    return "-" if math.isinf(usd) else f"{usd / 1e6:,.2f}"


@command.command("regret")
@_shared
@_gap_option
def regret(instance: str, scenario: str | None, gauges: str, without: str, gap: float) -> None:
    """What every mixture of gauges costs beside the best one."""
    from optimizer.cli.output import native_output_silenced
    from optimizer.cli.signals import stop_on_signals
    from optimizer.models.gauge_choice.regret import compare, mixtures

    problem = _problem(instance, scenario, gauges, without)
    count = len(mixtures(problem))
    found = []
    with stop_on_signals() as stop, native_output_silenced():
        for number, choice in enumerate(compare(problem, _options(gap, stop)), 1):
            found.append(choice)
            click.echo(f"mixture {number} of {count}: {choice.words} {choice.cost:,.0f} USD", err=True)
    if not found:
        raise click.exceptions.Exit(1)
    found.sort(key=lambda choice: choice.cost)
    best = found[0]
    rows = [
        [f"{choice.words}{' (' + ', '.join(choice.variants) + ')' if choice.variants else ''}", _musd(choice.cost),
         _musd(choice.cost - best.cost), str(len(choice.solution["terminals"]))]
        for choice in found
    ]  # fmt: skip
    slack = max(choice.cost - choice.bound for choice in found)
    note = f"MUSD a year; each plan is proved to within {_musd(slack)}; sites: places and technologies that work"
    note += "" if len(found) == count else f"; {count - len(found)} mixtures not planned"
    _print("What a wrong gauge costs", ("gauges", "cost", "regret", "sites"), rows, note)


@command.command("break-even")
@_shared
@click.option("--at", "place", required=True, metavar="PLACE", help="Place of the gauge change.")
@click.option("--between", "pair", required=True, metavar="A/B", help="Its two gauges, for example 1520/1676.")
@click.option("--first", default="bogie", show_default=True, metavar="ID", help="One technology.")
@click.option("--second", default="bulk", show_default=True, metavar="ID", help="The other technology.")
@click.option("--demand", metavar="F,F,...", help="Also plan the corridor with every lane times each factor.")
@_gap_option
def break_even(
    instance: str, scenario: str | None, gauges: str, without: str, place: str, pair: str, first: str, second: str,
    demand: str | None, gap: float,
) -> None:  # fmt: skip
    """From which volume one technology beats another at a place, for each kind of goods and for their mix."""
    from optimizer.cli.output import native_output_silenced
    from optimizer.cli.signals import stop_on_signals
    from optimizer.errors import UsageError, did_you_mean
    from optimizer.models.gauge_choice.break_even import by_demand, goods_of, pieces, sites_at, stretches
    from optimizer.models.gauge_choice.graph import Ground

    problem = _problem(instance, scenario, gauges, without)
    try:
        one, other = (int(part) for part in pair.split("/"))
        factors = [float(part) for part in demand.split(",")] if demand else []
    except ValueError as error:
        words = f"--between is '{pair}' and --demand '{demand or ''}'; expected A/B such as 1520/1676, and numbers"
        raise UsageError(words) from error
    sites = sites_at(problem, place, (one, other))
    for name in (first, second):
        if name not in sites:
            raise UsageError(f"no site of technology '{name}' at '{place}'{did_you_mean(name, sites)}")
    goods = goods_of(problem, (first, second))
    if not goods:
        raise UsageError(f"no lane carries goods that both '{first}' and '{second}' take")
    ground = Ground(problem)
    rows = []
    for words, mix in (("all of them, by tonnes", goods), *((name, {name: 1.0}) for name in goods)):
        lines = {name: pieces(problem, ground, sites[name], mix) for name in (first, second)}
        for stretch in stretches(lines):
            volumes = [f"{stretch.start_t / 1e6:,.4f}", f"{stretch.end_t / 1e6:,.4f}"]
            cheapest = (min(piece.at(stretch.end_t) for piece in lines[name]) for name in (first, second))
            per_t = ["-" if math.isinf(usd) else f"{usd / stretch.end_t:,.2f}" for usd in cheapest]
            rows.append([words, *volumes, stretch.winner, *per_t])
            words = ""
    columns = ("goods", "from Mt", "to Mt", "cheaper", f"{first} USD/t", f"{second} USD/t")
    note = "Mt a year, half in each direction; USD/t at the upper end, everything counted; - where it has no room"
    _print(f"{first} against {second} at {place}, {pair} mm", columns, rows, note)
    if not factors:
        return
    with stop_on_signals() as stop, native_output_silenced():
        scaled = by_demand(problem, first, second, factors, _options(gap, stop))
    rows = [
        [f"{at.factor:g}", _musd(at.free), _musd(at.without_second - at.free), _musd(at.without_first - at.free)]
        for at in scaled
    ]
    headings = ("demand x", "best plan", f"only {first}: more", f"only {second}: more")
    _print("The corridor planned again, MUSD a year", headings, rows, f"only {first}: without {second} anywhere")


@command.command("sensitivity")
@_shared
@_gap_option
def sensitivity(instance: str, scenario: str | None, gauges: str, without: str, gap: float) -> None:
    """What each estimated input changes at its low and high end, and whether another gauge would have been right."""
    from optimizer.cli.output import native_output_silenced
    from optimizer.cli.signals import stop_on_signals
    from optimizer.models.gauge_choice.report import gauges_in_words
    from optimizer.models.gauge_choice.sensitivity import tornado

    problem = _problem(instance, scenario, gauges, without)
    swings = []
    base: Outcome | None = None
    with stop_on_signals() as stop, native_output_silenced():
        for found, swing in tornado(problem, _options(gap, stop)):
            base = found
            if swing is not None:
                swings.append(swing)
                click.echo(f"{swing.words}: {swing.low.cost:,.0f} to {swing.high.cost:,.0f} USD", err=True)
    if base is None or base.solution is None or base.cost is None:
        raise click.exceptions.Exit(1)
    kept = gauges_in_words(problem, base.solution)
    rows = []
    for swing in sorted(swings, key=lambda one: -one.width):
        rows.append(
            [swing.words, *(f"{(end.cost - base.cost) / 1e6:+,.2f}" for end in (swing.low, swing.high)),
             *("" if end.words == kept else f"{end.words} ({_musd(end.regret)})" for end in (swing.low, swing.high))]
        )  # fmt: skip
    columns = ("input", "at low", "at high", "other gauges at low", "other gauges at high")
    note = f"MUSD a year against {_musd(base.cost)}; blank: {kept} stays best; in brackets what it loses there"
    _print("Sensitivity to the estimated inputs", columns, rows, note)


@command.command("simulate")
@_shared
@_gap_option
@click.option("--trains", type=click.IntRange(100), default=2000, show_default=True, help="Trains of a replication.")
@click.option("--replications", type=click.IntRange(2), default=20, show_default=True, help="Independent runs.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the arrivals.")
def simulate(
    instance: str, scenario: str | None, gauges: str, without: str, gap: float, trains: int, replications: int,
    seed: int,
) -> None:  # fmt: skip
    """Run the best plan's gauge changes train by train, beside the waits that the plan counts on."""
    from optimizer.cli.output import native_output_silenced
    from optimizer.cli.signals import stop_on_signals
    from optimizer.models.gauge_choice.exact import solve_exact
    from optimizer.models.gauge_choice.report import place_names
    from optimizer.models.gauge_choice.simulate import simulate_site
    from optimizer.models.gauge_choice.traffic import site_traffic

    problem = _problem(instance, scenario, gauges, without)
    with stop_on_signals() as stop, native_output_silenced():
        found = solve_exact(problem, _options(gap, stop))
    if found.solution is None:
        raise click.exceptions.Exit(1)
    names = place_names(problem)
    rows = []
    for site in site_traffic(problem, found.solution):
        place = f"{names[site.row.node_id]}, {site.row.technology.replace('_', ' ')}"
        for words, use in (("found", site.use), ("planned", site.design.use_level)):
            run = simulate_site(site, use, trains=trains, replications=replications, seed=seed)
            interval = f"{run.wait_h:.2f} ± {run.wait_half_width_h:.2f}"
            rows.append(
                [place, words, f"{100 * use:.0f}", f"{run.predicted_wait_h:.2f}", interval,
                 f"{run.predicted_dwell_h:.1f}", f"{run.dwell_h:.1f}", f"{100 * run.outside:.1f}"]
            )  # fmt: skip
            place = ""
    columns = ("gauge change", "use", "%", "wait h", "simulated, 95 %", "dwell h", "simulated", "no track %")
    note = f"{replications} runs of {trains:,} trains, seed {seed}; no track: trains that find every track taken"
    _print("Waits predicted and simulated", columns, rows, note)
