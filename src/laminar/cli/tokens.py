"""``laminar token``: who may use a server."""

from __future__ import annotations

import contextlib

import click

from laminar.cli import answers, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Protocol

    from laminar.client.http import Client
    from laminar.wire.tokens import TokenCreated, TokenRequest, TokenView

    class Desk(Protocol):
        """Where tokens are made: at a server, or in its database."""

        def create(self, wanted: TokenRequest) -> TokenCreated:
            """Make a token."""

        def all(self) -> list[TokenView]:
            """List all tokens."""

        def revoke(self, token: str) -> TokenView:
            """Let a token count no more."""


PATH = "/tokens"
ROLES = ("viewer", "editor", "admin")
COLUMNS = ("ID", "NAME", "ROLE", "CREATED", "EXPIRES", "REVOKED", "LAST USED")


@click.group("token", short_help="Make, list and revoke tokens of a server.")
@options.common
def token() -> None:
    """Make, list and revoke tokens.

    Tokens are those of the server that is configured, or that --endpoint names. Without one, or with --state,
    --database or --config, they are those in the database of a server of this machine: so the first one is made.
    """


def _places(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which server is meant."""
    for add in (
        options.common,
        options.output,
        options.server_config,
        options.database,
        options.state,
        options.endpoint,
    ):
        command = add(command)
    return command


@token.command("create", short_help="Make a token.")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do.")
@click.option("--expires", type=click.FloatRange(min=0, min_open=True), metavar="DAYS", help="How long it counts.")
@_places
def create(name: str, role: str, expires: float | None, output: str, **place: str | None) -> None:
    """Make a token for NAME, and print it: nobody can find it out again."""
    wanted = _request(name, role, expires)
    with _desk(place, make=True) as desk:
        made = desk.create(wanted)
    if output == options.JSON:
        answers.as_json(_plain(made))
    else:
        answers.line(made.token)
        answers.remark(f"Token {made.id} for {made.name}, {made.role}. Keep it: it is shown this once.")


@token.command("list", short_help="List tokens.")
@_places
def listed(output: str, **place: str | None) -> None:
    """List all tokens, without their secrets."""
    with _desk(place) as desk:
        found = desk.all()
    if output == options.JSON:
        answers.as_json({"tokens": [_plain(row) for row in found]})
    else:
        answers.table(COLUMNS, [_row(row) for row in found])


@token.command("revoke", short_help="Revoke a token.")
@click.argument("token", metavar="ID")
@_places
def revoke(token: str, output: str, **place: str | None) -> None:
    """Let the token ID count no more."""
    with _desk(place) as desk:
        gone = desk.revoke(token)
    if output == options.JSON:
        answers.as_json(_plain(gone))
    else:
        answers.remark(f"Token {gone.id} ({gone.name}) is revoked.")


def _request(name: str, role: str, days: float | None) -> TokenRequest:
    """Put a request together.

    Raises:
        click.BadParameter: The server would not take it.
    """
    import msgspec  # 20 ms that help texts do not need

    from laminar.wire.tokens import TokenRequest

    try:
        return msgspec.convert({"name": name, "role": role, "days": days}, TokenRequest)
    except msgspec.ValidationError:
        text = "NAME has letters, digits, spaces and . _ @ -, and 100 of them at most; DAYS are 36500 at most."
        raise click.BadParameter(text) from None


def _plain(row: TokenView) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__struct_fields__}


def _row(row: TokenView) -> tuple[str, ...]:
    moments = (row.created, row.expires, row.revoked, row.last_used)
    return (row.id, row.name, row.role, *map(answers.clock, moments))


class Remote:
    """Makes, lists and revokes tokens at a server that runs."""

    def __init__(self, client: Client) -> None:
        """Take the line to it."""
        self._client = client

    def create(self, wanted: TokenRequest) -> TokenCreated:
        """Make a token."""
        from laminar.wire.tokens import TokenCreated  # loaded by then, but not for help texts

        made: TokenCreated = self._client.call("POST", PATH, body=wanted, returns=TokenCreated)
        return made

    def all(self) -> list[TokenView]:
        """List all tokens."""
        from laminar.wire.tokens import TokenList  # as above

        found: TokenList = self._client.call("GET", PATH, returns=TokenList)
        return found.tokens

    def revoke(self, token: str) -> TokenView:
        """Let a token count no more."""
        from urllib.parse import quote  # as above

        from laminar.wire.tokens import TokenView

        gone: TokenView = self._client.call("DELETE", f"{PATH}/{quote(token, safe='')}", returns=TokenView)
        return gone


@contextlib.contextmanager
def _desk(place: Mapping[str, str | None], *, make: bool = False) -> Iterator[Desk]:
    """Find where tokens are made."""
    from laminar.runs.configuration import init_from_config  # 30 ms that help texts do not need

    own = {name: value for name, value in place.items() if name != "endpoint"}
    if place["endpoint"] is not None and any(own.values()):
        raise click.UsageError("--endpoint names a server to ask; leave out --state, --database and --config.")
    chosen = init_from_config(endpoint=place["endpoint"])
    if chosen.endpoint is not None and not any(own.values()):
        from laminar.runs.connecting import client as connect  # 60 ms, and only here

        with connect(chosen) as client:
            yield Remote(client)
    else:
        from laminar.server import desk, settings  # 150 ms, and only here

        given = {"state": place["state"], "database": place["database"]}
        with desk.opened(settings.load(given, place["config"]), make=make) as found:
            yield found
