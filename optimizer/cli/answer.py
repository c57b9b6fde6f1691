"""How commands that plan hand over their answer: stored where asked, printed, and told by the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from optimizer.cli import EXIT_NO_PLAN
from optimizer.models.family import Table
from optimizer.result import Result

Command = TypeVar("Command", bound=Callable[..., Any])


def answer_options(command: Command) -> Command:
    """``--seed`` and where and how the answer is wanted."""
    for option in reversed(
        (
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random."),
            click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Result directory to write."),
            click.option("--force", is_flag=True, help="Replace a result that stands in DIR."),
            click.option("--json", "as_json", is_flag=True, help="Print result.json instead of words and tables."),
            click.option(
                "--rows", type=click.IntRange(min=0), default=40, show_default=True,
                help="Rows of a table at most; 0 for all.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class Answer:
    """Where and how an answer is wanted."""

    out: Path | None
    force: bool
    as_json: bool
    rows: int

    def check_target(self) -> None:
        """Refuse, before the long work, a place that is taken."""
        from optimizer import results

        if self.out is not None:
            results.check_target(self.out, self.force)

    def give(
        self, result: Result, tables: Callable[[], Iterable[Table]], tell: Callable[[], None] = lambda: None
    ) -> None:
        """Store and print, after ``tell`` the tables; without a plan the command ends with the code that says so."""
        from optimizer import results
        from optimizer.cli.output import console, key_line, print_conflicts, print_table

        if self.out is not None:
            results.write_result(result, self.out, self.force)
        if self.as_json:
            click.echo(results.to_json(result), nl=False)
        else:
            click.echo(key_line(result))
            tell()
            screen = console()
            for table in tables():
                print_table(screen, table, self.rows)
            print_conflicts(result.conflicts)
        if self.out is not None:
            click.echo(f"result written to {self.out}", err=True)
        if result.solution is None:
            raise click.exceptions.Exit(EXIT_NO_PLAN)
