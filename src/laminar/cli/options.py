"""Options that many commands share."""

from __future__ import annotations

import os

import click

from laminar import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    CommandT = TypeVar("CommandT", bound=Callable[..., Any])

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
TABLE, JSON = "table", "json"


def of_task(space: str) -> bool:
    """Tell whether a run is one of a task, by what it is a run of: tasks have full names, flows those of classes."""
    return "." in space


def refuse(context: click.Context, names: Iterable[str], of: str, what: str, other: str) -> None:
    """Refuse options that were given and do not suit what the command is about.

    Args:
        context: The command.
        names: The options, by click's names.
        of: What they are for: ``tasks`` or ``flows``.
        what: What the command is about, such as the name of a flow.
        other: What that is: ``a flow`` or ``a task``.

    Raises:
        click.UsageError: One was given.
    """
    from click.core import ParameterSource

    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            text = f"--{name.replace('_', '-')} is an option for {of}, and {what} is {other}."
            raise click.UsageError(text, context)


def _quiet(context: click.Context, option: click.Parameter, wanted: bool) -> None:  # noqa: ARG001 - click's callback
    if wanted:
        os.environ["LAMINAR_QUIET"] = "1"  # read by the display, also where FILE makes the flow


def common(command: CommandT) -> CommandT:
    """Add the options that every command has."""
    return quiet(click.version_option(__version__, prog_name="laminar", message="%(prog)s %(version)s")(command))


def quiet(command: CommandT) -> CommandT:
    """Add the option that leaves out what is no answer."""
    return click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_quiet,
        help="Print only answers and errors. LAMINAR_QUIET=1 says so too.",
    )(command)


def _id(context: click.Context, _: click.Parameter, value: str) -> str:
    """Refuse a file where a run is to be named, as who has just resumed one may write."""
    if value.endswith(".py"):
        raise click.BadParameter(
            f"{value} is a file. Name the run: laminar {context.info_name} ID; laminar get runs lists them."
        )
    return value


def pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:  # noqa: ARG001
    """Read options such as ``--env K=V``."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is no pair. Write: {option.opts[-1]} NAME=VALUE")
        found[name] = value
    return found


def server(command: CommandT) -> CommandT:
    """Add the options that say which server, and what of it; or that none is asked."""
    local = click.option("--local", is_flag=True, help="On this machine, also if a server is configured.")
    return endpoint(space(local(command)))


def space(command: CommandT) -> CommandT:
    """Add the options that say which space of a server is meant."""
    return project(domain(command))


endpoint = click.option("--endpoint", metavar="URL", help="Address of a server, in place of the configured one.")
project = click.option("--project", metavar="P", help="The project on the server, in place of the configured one.")
domain = click.option("--domain", metavar="D", help="The domain of it: development, staging or production.")
run_id = click.argument("run", metavar="ID", callback=_id)
state = click.option("--state", metavar="FOLDER", help="The server's folder.  [default: .laminar/server]")
database = click.option(
    "--database", metavar="URL", help="sqlite:///PATH or postgresql://…  [default: a file in the server's folder]"
)
store = click.option("--store", metavar="URL", help="Content: a folder or s3://BUCKET/PREFIX.  [default: STATE/store]")
server_config = click.option("--config", metavar="FILE", help="File with settings of the server.")


def server_place(command: CommandT) -> CommandT:
    """Add the options that say where a server of this machine keeps what it has."""
    return state(database(store(server_config(command))))


output = click.option(
    "-o", "--output", type=click.Choice([TABLE, JSON]), default=TABLE, show_default=True, help="Form of the answer."
)
root = click.option(
    "--root",
    default=".laminar",
    show_default=True,
    metavar="FOLDER",
    help="Folder of the ledger and the logs: the root of a local datastore.",
)
