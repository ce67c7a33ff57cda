"""``laminar serve``: a server on this machine."""

from __future__ import annotations

import sys

import click

from laminar.cli import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXECUTORS = ("process", "docker")
LOGS = ("auto", "json", "plain")


@click.command("serve", short_help="Start a server.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0 takes a free one.  [default: 8080]")
@options.state
@options.database
@options.store
@click.option("--executor", type=click.Choice(EXECUTORS), help="Where attempts run.  [default: process]")
@click.option("--concurrency", type=int, metavar="N", help="Attempts at a time.  [default: one for each core]")
@click.option("--auth/--no-auth", default=None, help="Whether everybody needs a token.  [default: no-auth]")
@click.option("--log", type=click.Choice(LOGS), help="Form of the log.  [default: plain in a terminal, else json]")
@options.server_config
@options.common
def serve(config: str | None, **given: Any) -> None:
    """Start a server: it keeps what is deployed to it, runs it, and answers at http://127.0.0.1:8080.

    Other machines reach it only with --host and --auth. Each setting can also stand in FILE, as serve.port does, or in
    the environment, as LAMINAR_SERVE_PORT does; there are more of them there. Ctrl-C or SIGTERM stops the server; runs
    go on when it is started again.
    """
    from laminar.server import logs, opening, serving  # 150 ms that help texts do not need
    from laminar.server.api.table import ROUTES
    from laminar.server.settings import load

    settings = load(given, config)
    logs.write_to(sys.stderr, settings.log)
    serving.serve(settings, ROUTES, opening.opened)
