"""``laminar doctor``: how an installation is."""

from __future__ import annotations

import sys

import click

from laminar.cli import answers, options
from laminar.cli.clearing import store


@click.command("doctor", short_help="See whether everything is as it should be.")
@click.option("--root", metavar="FOLDER", help="Folder of local runs.  [default: the configured one]")
@options.state
@options.database
@store
@options.server_config
@options.output
@options.common
def doctor(root: str | None, output: str, config: str | None, **place: str | None) -> None:
    """Look at versions, the container engine, SQLite, the configuration, local runs, and the server that is configured.

    With --state, --database, --store or --config also at a server of this machine, whether it runs or not. Nothing is
    changed. Exit code 1 if something does not work.
    """
    from laminar.errors import ConfigurationError
    from laminar.host.checks import PROBLEM, problem  # loaded by then
    from laminar.runs import examining  # 200 ms that help texts do not need

    found = examining.local(root)
    if config is not None or any(place.values()):
        from laminar.server import examining as of_server  # 100 ms, and only here
        from laminar.server.settings import load

        try:
            found += of_server.server(load(place, config))
        except ConfigurationError as error:
            found.append(problem("settings", str(error)))
    if output == options.JSON:
        answers.as_json({"checks": [vars(check) for check in found]})
    else:
        for check in found:
            answers.line(f"{check.state:<8} {check.name}: {check.found}{f'. {check.remedy}' if check.remedy else ''}")
    if any(check.state == PROBLEM for check in found):
        sys.exit(1)
