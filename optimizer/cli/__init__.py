"""The ``corridor`` command. Each subcommand reads, calls the api and prints; its module loads when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any, NoReturn

import click

from optimizer.errors import OptimizerError, VerificationError

EXIT_NO_PLAN = 1
EXIT_BAD_INPUT = 2
EXIT_BROKEN_PLAN = 3
EXIT_ABORTED = 130

COMMANDS = {
    "check": "Check an instance and list every fault.",
    "info": "Summarise an instance under a scenario.",
    "solve": "Solve a family on an instance.",
    "explain": "Say why a lane, order or load fares as it does in a result, and what else it could do.",
    "replan": "Take up a plan that is being carried out: links closed, trains late, cranes lost.",
    "verify": "Check a stored result against its instance.",
    "report": "Write a report of results as one HTML file: map, charts, tables.",
    "tables": "Write a plan's tables as .xlsx, CSV or Parquet, its routes as .geojson.",
    "estimate": "Estimate how shippers weigh cost, time and reliability.",
    "shippers": "Find what shippers would do, beside the planner's optimum.",
    "export": "Write a family's exact model as LP or MPS.",
    "switch": "Find where the best ports switch as a rate, dwell, premium or capacity changes.",
    "compare": "Compare two scenarios: what moves, and what each cause costs.",
    "serve": "Serve a page with levers that solve port choice again as they are turned.",
    "fleet": "How many wagons to buy or hire, and what one more wagon, train path or locomotive is worth.",
    "gauge": "Where the gauge should change: regret, break-even, sensitivity, simulation.",
    "generate": "Make a seeded instance of any size.",
    "convert": "Copy an instance to a directory, .zip or .xlsx.",
}


class _Commands(click.Group):
    """Loads a command's module only to run it, and turns errors a user can cause into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"optimizer.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from optimizer.errors import did_you_mean

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(f"No such command '{args[0]}'{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VerificationError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_BROKEN_PLAN)
        except OptimizerError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_BAD_INPUT)
        except BrokenPipeError:
            raise  # the reader of our output went away; click ends quietly
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            click.echo(f"Error: {place}{error.strerror or error}", err=True)
            ctx.exit(EXIT_BAD_INPUT)
        except KeyboardInterrupt:
            click.echo("Aborted.", err=True)
            ctx.exit(EXIT_ABORTED)


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 feasible, 1 no plan, 2 bad input, 3 a plan that fails verification.",
)
@click.version_option(package_name="corridor-optimizer", prog_name="corridor")
def cli() -> None:
    """Freight optimization for the Kazakhstan - Turkmenistan - Afghanistan - Pakistan railway."""


def main() -> NoReturn:
    """Run the command and leave the process."""
    try:
        cli.main(prog_name="corridor")
    except SystemExit as error:
        if any(thread.name == "solver" for thread in threading.enumerate()):
            # Aborted: a solver still runs in its thread, and Python would wait for its callbacks.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.code if isinstance(error.code, int) else 1)
        raise
    raise SystemExit(0)
