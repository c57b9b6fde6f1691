"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from optimizer.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

instance_argument = click.argument("instance", metavar="INSTANCE", type=click.Path())
family_argument = click.argument("family", metavar="FAMILY")
stored_instance_option = click.option(
    "--instance", metavar="INSTANCE", type=click.Path(), help="The result's instance. Default: where the result says."
)
scenario_option = click.option(
    "--scenario", metavar="A,B", help="Scenarios in order; 'base' for none. Default: the instance's own."
)

_OPTIONS_OF = {
    "port-choice": ("dated", "serve_all"),
    "transshipment": ("terminal", "serve_all"),
    "rolling-stock": ("stock", "serve_all"),
    "gauge-choice": ("gauges", "without", "serve_all"),
}


def family_options(command: Command) -> Command:
    """Options that state the problem; which of them fit depends on the family."""
    for option in reversed(
        (
            click.option("--dated", is_flag=True, help="port-choice: dated shipments instead of annual lanes."),
            click.option("--terminal", metavar="ID", help="transshipment: the terminal to plan."),
            click.option("--stock", metavar="WHAT", help="rolling-stock: wagons (default) or locomotives."),
            click.option("--gauges", metavar="WHAT", help="gauge-choice: a variant to build, or SECTION=GAUGE,..."),
            click.option("--without", metavar="A,B", help="gauge-choice: transfer technologies that may not be used."),
            click.option("--serve-all", is_flag=True, help="Nothing may stay unserved."),
        )
    ):
        command = option(command)
    return command


def problem_options(family: str, given: dict[str, Any]) -> dict[str, Any]:
    """Options given on the command line as keyword arguments of the family's problem."""
    options = {name: value for name, value in given.items() if value not in (None, False)}
    for name in options:
        if name not in _OPTIONS_OF[family]:
            fits = " and ".join(other for other, names in _OPTIONS_OF.items() if name in names)
            raise UsageError(f"option --{name.replace('_', '-')} is for {fits}, not for {family}")
    return options


def check_free(out: str, force: bool) -> None:
    """Refuse to write over something unless asked to."""
    path = Path(out)
    if force or not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    raise UsageError(f"{out} exists already; use --force to replace it, or another name")
