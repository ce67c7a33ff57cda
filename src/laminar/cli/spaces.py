"""What commands need that ask a server about one of its spaces."""

from __future__ import annotations

import contextlib

import click

from laminar.cli import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from laminar.client.http import Client


def place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all of them have."""
    domain = click.option("--domain", metavar="D", help="The domain, in place of the configured one.")
    project = click.option("--project", metavar="P", help="The project, in place of the configured one.")
    for add in (options.common, options.output, domain, project):
        command = add(command)
    return command


@contextlib.contextmanager
def asking(project: str | None, domain: str | None) -> Iterator[Client]:
    """Give what asks the server that is configured, or the one of this machine.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    from laminar.runs import configuration, connecting  # 90 ms that help texts do not need

    with connecting.client(configuration.init_from_config(project=project, domain=domain)) as client:
        yield client


def request(kind: type[Any], **given: Any) -> Any:
    """Put a request together.

    Raises:
        click.BadParameter: The server would not take it.
    """
    import msgspec  # loaded by then, but not for help texts

    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise click.BadParameter(f"{error}.") from None


def plain(view: Any) -> Any:
    """Give what JSON says of an answer."""
    import msgspec  # loaded by then, but not for help texts

    return msgspec.to_builtins(view)
