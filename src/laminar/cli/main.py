"""The ``laminar`` program.

Only click is imported here, and each command imports what it needs, so that ``laminar --help`` takes little more than
starting Python.
"""

from __future__ import annotations

import sys

import click

from laminar.cli import endings, options
from laminar.cli.aborting import abort
from laminar.cli.building import build
from laminar.cli.catalog import create, deployments, flows, projects, tasks
from laminar.cli.clearing import backup, gc
from laminar.cli.deploying import deploy
from laminar.cli.doctoring import doctor
from laminar.cli.explaining import why
from laminar.cli.looking import get
from laminar.cli.printed import logs
from laminar.cli.queues import queue, queues
from laminar.cli.resuming import rerun, resume
from laminar.cli.running import graph, run
from laminar.cli.serving import serve
from laminar.cli.tokens import token
from laminar.cli.triggers import firings, trigger, triggers


@click.group("laminar", context_settings=options.CONTEXT)
@options.common
def program() -> None:
    """Run tasks and flows, and look at their runs.

    Exit codes: 0 done; 1 a run failed or was stopped; 2 wrong use; 130 Ctrl-C.
    """


for command in (
    run,
    resume,
    rerun,
    create,
    get,
    why,
    logs,
    abort,
    graph,
    build,
    deploy,
    serve,
    token,
    trigger,
    queue,
    gc,
    backup,
    doctor,
):
    program.add_command(command)
for command in (tasks, flows, deployments, projects, triggers, firings, queues):
    get.add_command(command)


def main() -> None:
    """Carry out the command line, and end the process."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = endings.exit_code(lambda: program.main(prog_name="laminar", standalone_mode=False))
    endings.let_go_of_output()
    sys.exit(code)
