"""``corridor shippers``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optimizer.cli.arguments import check_free, instance_argument, scenario_option

if TYPE_CHECKING:
    import pandas as pd

    from optimizer.models.port_choice.shippers.equilibrium import Behaviour, Shippers

FILE = "shippers.json"
MAX_ESTIMATE_BYTES = 10_000_000


@click.command("shippers")
@instance_argument
@scenario_option
@click.option("--scale", type=float, metavar="X", help="Scale of the logit per USD/t.  [default: 0.04]")
@click.option("--nest-scale", type=float, metavar="S", help="Scale of each gateway's nest, 0 < S <= 1.  [default: 0.6]")
@click.option("--estimates", type=click.Path(), metavar="FILE", help="Output of 'corridor estimate --json'.")
@click.option("--congestion", type=float, default=1.0, show_default=True, help="Waits times this; 0 for none.")
@click.option("--over-full", is_flag=True, help="Loads may exceed capacities; no premium keeps them within.")
@click.option("--routes", type=int, default=3, show_default=True, help="Routes for each gateway of a lane.")
@click.option("--detour", type=float, default=0.5, show_default=True, help="Share by which a route may be dearer.")
@click.option("--gap", type=float, default=1e-6, show_default=True, help="Equilibrium gap of the worst lane.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Limit of the solver of the plan.")
@click.option("--against", metavar="A,B", help="Scenarios to compare the shippers' welfare with.")
@click.option("--out", type=click.Path(), metavar="DIR", help="Write all tables and shippers.json to DIR.")
@click.option("--force", is_flag=True, help="Replace an answer that stands in DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    instance: str,
    scenario: str | None,
    scale: float | None,
    nest_scale: float | None,
    estimates: str | None,
    congestion: float,
    over_full: bool,
    routes: int,
    detour: float,
    gap: float,
    time_limit: float | None,
    against: str | None,
    out: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Find what shippers of the year on INSTANCE would do, beside the planner's optimum.

    Each takes the route he likes best: a nested logit, gateways being the nests. Together they make each other wait
    where capacity is short.
    """
    from optimizer import api, checks
    from optimizer.cli.output import console, native_output_silenced, print_table
    from optimizer.models.port_choice import PortChoice
    from optimizer.models.port_choice.shippers.congestion import Congestion
    from optimizer.models.port_choice.shippers.equilibrium import shippers
    from optimizer.models.port_choice.shippers.report import figures, report, summary, welfare
    from optimizer.result import Status

    checks.check_limits(time_limit, 0.0, 0)
    behaviour = _behaviour(scale, nest_scale, estimates)
    waits = Congestion(full=not over_full).times(congestion)
    if out is not None:
        _check_target(Path(out), force)

    def answer(names: str | None) -> Shippers:
        problem = PortChoice(api.read(instance, names))
        return shippers(problem, behaviour, waits, gap=gap, per_gateway=routes, detour=detour, time_limit_s=time_limit)

    with native_output_silenced():
        found = answer(scenario)
        gain = welfare(answer(against), found) if against is not None else None
    tables, short = figures(found), summary(found)
    if gain is not None:
        tables["welfare"] = gain
    corridor = found.problem.corridor
    head = {"instance": corridor.name, "instance_hash": corridor.instance.hash, "scenario": list(corridor.scenario)}
    options = {"congestion": congestion, "over_full": over_full, "routes": routes, "detour": detour, "gap_asked": gap}
    content = {**head, **options, "against": against, **short}
    if out is not None:
        _write(Path(out), content, tables)
        click.echo(f"answer written to {out}", err=True)
    if as_json:
        shown = {name: _records(table) for name, table in tables.items()}
        click.echo(json.dumps({**content, **shown}, indent=2, allow_nan=False))
        return
    names = ",".join(corridor.scenario) or "base"
    click.echo(f"shippers on {corridor.name}, scenario {names}: {short['lanes']} lanes, {short['routes']} routes")
    click.echo(
        f"equilibrium gap {short['gap']:.1e} (worst lane), capacities kept to {short['excess']:.1e}, "
        f"{short['steps']} Newton steps, {short['equilibrium_s']:.2f} s"
    )
    click.echo(_sentence(short))
    screen = console()
    for table in report(found):
        print_table(screen, table)
    if gain is not None:
        print_table(screen, _welfare_table(gain, against or ""))
    if found.plan.status != Status.OPTIMAL:
        click.echo(f"Warning: the plan is {found.plan.status}, a limit came before the proof that it is best", err=True)
    if found.equilibrium.gap > gap or found.equilibrium.excess > gap:
        click.echo("Warning: the equilibrium is less exact than asked for; see the gap above", err=True)


def _sentence(short: dict[str, Any]) -> str:
    extra = short["shippers_usd"] - short["planner_usd"]
    compared = "more" if extra >= 0 else "less"
    anarchy, of_minded = (
        "no share" if short[name] is None else f"{100 * short[name]:+.2f} %"
        for name in ("anarchy", "anarchy_of_cost_minded")
    )
    return (
        f"left to themselves, shippers cost {abs(extra) / 1e6:,.1f} million USD a year {compared} than the plan "
        f"({anarchy}); did they mind these costs alone, {of_minded}"
    )


def _behaviour(scale: float | None, nest_scale: float | None, estimates: str | None) -> Behaviour:
    """Weights from options, or from a file of ``corridor estimate --json``."""
    from optimizer.errors import UsageError
    from optimizer.models.port_choice.shippers.equilibrium import DEFAULT_NEST_SCALE, DEFAULT_SCALE, Behaviour

    if estimates is None:
        return Behaviour(
            scale=DEFAULT_SCALE if scale is None else scale,
            nest_scale=DEFAULT_NEST_SCALE if nest_scale is None else nest_scale,
        )
    if scale is not None:
        raise UsageError("the estimates hold the scale; leave --scale out")
    weights = _weights(Path(estimates))
    if not weights.get("cost", 0.0) < 0:
        raise UsageError(f"{estimates}: expected a weight of cost below 0, found {weights.get('cost', 'none')}")
    for name in ("time", "reliability"):
        if weights.get(name, 0.0) > 0:
            raise UsageError(f"{estimates}: weight of {name} is {weights[name]:g}, expected one not above 0")
    start = "scale of "
    scales = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
    return Behaviour(
        scale=-weights["cost"],
        nest_scale=1.0 if nest_scale is None else nest_scale,
        nest_scales=scales,
        value_of_time=weights.get("time", 0.0) / weights["cost"],
        value_of_reliability=weights.get("reliability", 0.0) / weights["cost"],
    )


def _weights(path: Path) -> dict[str, float]:
    from optimizer.errors import UsageError

    wanted = "the output of 'corridor estimate --json'"
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; expected {wanted}")
    if path.stat().st_size > MAX_ESTIMATE_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size:,} bytes; expected {wanted}")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["parameters"]
        weights = {str(row["name"]): float(row["value"]) for row in rows}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as {wanted}: {type(error).__name__} {error}") from error
    if not weights or not all(map(math.isfinite, weights.values())):
        raise UsageError(f"{path}: expected parameters with finite values")
    return weights


def _welfare_table(gain: pd.DataFrame, against: str) -> Any:
    from optimizer.models.family import Table

    rows = [
        [row.lane_id, f"{row.base_usd_per_t:,.2f}", f"{row.other_usd_per_t:,.2f}", f"{row.gain_usd_per_t:+,.2f}",
         f"{row.gain_usd:+,.0f}"]
        for row in gain.itertuples(index=False)
    ]  # fmt: skip
    note = f"gain: fall of the expected lowest cost; in all {gain['gain_usd'].sum():+,.0f} USD a year"
    columns = ("lane", f"under {against}", "here", "gain USD/t", "gain USD")
    return Table(f"Welfare of shippers against {against}", columns, rows, note)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, which has no word for what is not a number."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [{str(name): plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _check_target(out: Path, force: bool) -> None:
    from optimizer.errors import UsageError

    if out.is_dir() and any(out.iterdir()) and not (out / FILE).is_file():
        raise UsageError(f"{out} is a directory with something else than an answer in it; nothing was written")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, expected a directory for the answer")
    check_free(str(out), force)


def _write(out: Path, content: dict[str, Any], tables: dict[str, pd.DataFrame]) -> None:
    """All files, or none: written beside and moved into place."""
    from optimizer.results.writing import complete_directory

    with complete_directory(out.absolute()) as temporary:
        for name, table in tables.items():
            table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
        (temporary / FILE).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
