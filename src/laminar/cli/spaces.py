"""What commands need that ask a server about one of its spaces."""

from __future__ import annotations

import contextlib
import functools

import click

from laminar.cli import options
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from laminar.client.http import Client


class Where(Value, frozen=True):
    """Which server is asked, and about which of its spaces; None for what is configured.

    Attributes:
        endpoint: Address of the server.
        project: The project.
        domain: The domain of it.
    """

    endpoint: str | None = None
    project: str | None = None
    domain: str | None = None


def place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all of them have; the command is told ``where``."""

    @functools.wraps(command)
    def told(endpoint: str | None, project: str | None, domain: str | None, **given: Any) -> Any:
        return command(where=Where(endpoint, project, domain), **given)

    return options.endpoint(options.space(options.output(options.common(told))))


def whole(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of those that are about all of a server; the command is told ``where``."""

    @functools.wraps(command)
    def told(endpoint: str | None, **given: Any) -> Any:
        return command(where=Where(endpoint), **given)

    return options.endpoint(options.output(options.common(told)))


@contextlib.contextmanager
def asking(where: Where) -> Iterator[Client]:
    """Give what asks the server that is named, else the one that is configured, else the one of this machine.

    Raises:
        ConfigurationError: The configuration makes no sense.
    """
    from laminar.runs import configuration, connecting  # 90 ms that help texts do not need

    with connecting.client(configuration.init_from_config(**vars(where))) as client:
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
