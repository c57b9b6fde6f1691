"""``corridor serve``."""

from __future__ import annotations

import click

from optimizer.cli.arguments import instance_argument, scenario_option
from optimizer.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve")
@instance_argument
@scenario_option
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--time-limit", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, metavar="SECONDS",
    help="Seconds for the solver of each question; the best plan so far counts.",
)  # fmt: skip
@click.option("--open-to-others", is_flag=True, help="Allow an address other than loopback. There is no password.")
def command(instance: str, scenario: str | None, host: str, port: int, time_limit: float, open_to_others: bool) -> None:
    """Serve a page on INSTANCE with levers that solve port choice again as they are turned.

    Only this machine can reach it, unless --open-to-others is given. Ctrl-C ends it.
    """
    from optimizer import api

    if host not in LOOPBACK and not open_to_others:
        raise UsageError(
            f"{host} can be reached by others and the page has no password; add --open-to-others, or leave --host out"
        )
    from optimizer.serve.answers import Answers
    from optimizer.serve.app import make_app, run

    corridor = api.read(instance, scenario)
    click.echo(f"solving {corridor.name}, scenario {','.join(corridor.scenario) or 'base'} ...", err=True)
    answers = Answers(corridor, time_limit)
    hosts = ("127.0.0.1", "localhost", "[::1]", "::1") if host in LOOPBACK else ("*",)
    shown = f"[{host}]" if ":" in host else host

    def announce(bound: int) -> None:
        click.echo(f"http://{shown}:{bound}/  (Ctrl-C ends)")

    run(make_app(answers, hosts), host, port, announce)
