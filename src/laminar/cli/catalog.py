"""``laminar get tasks|flows|actions|deployments|projects``, ``laminar create project``: what a server has."""

from __future__ import annotations

import click

from laminar.cli import answers, options
from laminar.cli.spaces import asking, place, plain, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.cli.spaces import Where
    from laminar.wire.deployments import EntityLine

limit = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, the newest first."
)


def _show(lines: list[EntityLine], output: str) -> None:
    if output == options.JSON:
        answers.as_json([plain(line) for line in lines])
        return
    rows = [[line.name, line.version, answers.clock(line.created), line.doc] for line in lines]
    answers.table(["NAME", "VERSION", "DEPLOYED", "WHAT FOR"], rows)


@click.command("tasks")
@click.argument("name", required=False)
@limit
@place
def tasks(name: str | None, limit: int, output: str, where: Where) -> None:
    """List tasks that are deployed: the newest version of each, or all versions of NAME."""
    _entities("task", name, limit, output, where)


@click.command("flows")
@click.argument("name", required=False)
@limit
@place
def flows(name: str | None, limit: int, output: str, where: Where) -> None:
    """List flows that are deployed: the newest version of each, or all versions of NAME."""
    _entities("flow", name, limit, output, where)


def _entities(kind: str, name: str | None, limit: int, output: str, where: Where) -> None:
    from laminar.runs.catalog import Catalog  # 90 ms that help texts do not need

    with asking(where) as client:
        _show(Catalog(client).entities(kind, name, limit), output)


@click.command("deployments")
@click.argument("name", required=False)
@limit
@place
def deployments(name: str | None, limit: int, output: str, where: Where) -> None:
    """List deployments, the newest first: all, or those of the environment or flow NAME."""
    from laminar.runs.catalog import Catalog  # 90 ms that help texts do not need

    with asking(where) as client:
        found = Catalog(client).deployments(None, name, limit)
    if output == options.JSON:
        answers.as_json([plain(one) for one in found])
        return
    rows = [
        [one.kind, one.name, one.version, answers.clock(one.created), one.author, ", ".join(one.entities)]
        for one in found
    ]
    answers.table(["KIND", "NAME", "VERSION", "DEPLOYED", "BY", "CONSISTS OF"], rows)


@click.command("projects")
@whole
def projects(output: str, where: Where) -> None:
    """List the projects of the server."""
    from laminar.runs.catalog import projects as listed  # 90 ms that help texts do not need

    with asking(where) as client:
        found = listed(client)
    if output == options.JSON:
        answers.as_json([plain(one) for one in found])
        return
    rows = [[one.name, answers.clock(one.created), one.description] for one in found]
    answers.table(["NAME", "CREATED", "WHAT FOR"], rows)


@click.group("create")
@options.common
def create() -> None:
    """Make something on a server."""


@create.command("project")
@click.argument("name")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@whole
def project(name: str, description: str, output: str, where: Where) -> None:
    """Make the project NAME on the server. This takes the role admin."""
    from laminar.runs.catalog import add_project  # 90 ms that help texts do not need

    with asking(where) as client:
        made = add_project(client, name, description)
    if output == options.JSON:
        answers.as_json(plain(made))
    else:
        answers.remark(f"Project {made.name} is made.")
