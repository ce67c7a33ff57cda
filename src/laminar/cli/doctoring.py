"""``laminar doctor``: how an installation is."""

from __future__ import annotations

import sys

import click

from laminar.cli import answers, options


@click.command("doctor", short_help="See whether everything is as it should be.")
@click.option("--root", metavar="FOLDER", help="Folder of local runs.  [default: the configured one]")
@options.server_place
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

    checks = examining.local(root)
    if config is not None or any(place.values()):
        from laminar.server import examining as of_server  # 100 ms, and only here
        from laminar.server.settings import load

        try:
            checks += of_server.server(load(place, config))
        except ConfigurationError as error:
            checks.append(problem("settings", str(error)))
    if output == options.JSON:
        answers.as_json({"checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            found = f"{check.found.rstrip('.')}. {check.remedy}" if check.remedy else check.found
            answers.line(f"{check.state:<8} {check.name}: {found}")
    if any(check.state == PROBLEM for check in checks):
        sys.exit(1)
