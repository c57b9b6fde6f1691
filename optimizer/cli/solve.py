"""``corridor solve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optimizer.cli.answer import Answer, answer_options
from optimizer.cli.arguments import family_argument, family_options, instance_argument, problem_options, scenario_option


@click.command("solve")
@family_argument
@instance_argument
@scenario_option
@family_options
@click.option("--method", default="auto", show_default=True, help="Method of the family; auto takes its first.")
@click.option("--solver", help="Solver of the method. Default: the method's first.")
@click.option(
    "--time-limit", type=float, metavar="SECONDS", help="Seconds for the solver; the best plan so far counts."
)
@click.option("--gap", type=float, default=0.0, show_default=True, help="Relative gap at which to stop, 0.01 = 1 %.")
@answer_options
def command(
    family: str,
    instance: str,
    scenario: str | None,
    method: str,
    solver: str | None,
    time_limit: float | None,
    gap: float,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
    rows: int,
    **given: Any,
) -> None:
    """Solve FAMILY (port-choice, transshipment, rolling-stock or gauge-choice) on INSTANCE.

    Progress goes to standard error, the result to standard output. Ctrl-C ends with the best plan so far.
    """
    from optimizer import api, checks
    from optimizer.cli.output import ProgressLines, native_output_silenced
    from optimizer.cli.signals import stop_on_signals
    from optimizer.families import FAMILIES

    # Everything that can be wrong with the command line comes before the long work.
    chosen = FAMILIES[family]
    options = problem_options(family, given)
    chosen_method, chosen_solver = checks.check_method(chosen, method, solver)
    checks.check_limits(time_limit, gap, seed)
    answer = Answer(out, force, as_json, rows)
    answer.check_target()

    problem = chosen.problem(api.read(instance, scenario), **options)
    names = ",".join(problem.corridor.scenario) or "base"
    click.echo(
        f"{family} on {problem.corridor.name}, scenario {names}, method {chosen_method}, solver {chosen_solver}",
        err=True,
    )
    with stop_on_signals() as stop:
        with native_output_silenced():
            result = api.solve(
                problem,
                method=chosen_method,
                solver=chosen_solver,
                time_limit_s=time_limit,
                gap=gap,
                seed=seed,
                on_progress=ProgressLines(),
                stop=stop,
            )
        plan = result.solution
        answer.give(result, lambda: () if plan is None else chosen.report(problem, plan))
