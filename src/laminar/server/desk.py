"""Where tokens are made, listed and revoked, for handlers and for the command line on the server's machine."""

from __future__ import annotations

import contextlib
import os

from laminar.errors import ServerError
from laminar.ledger.opening import SQLITE, open_database
from laminar.ledger.tokens import Tokens as Table
from laminar.server.identity import Role
from laminar.server.tokens import Tokens
from laminar.wire.tokens import TokenCreated, TokenView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from laminar.ledger.database import Database
    from laminar.model.token import TokenRow
    from laminar.server.settings import Settings
    from laminar.wire.tokens import TokenRequest

DAY = 86400.0


class Desk:
    """Makes, lists and revokes tokens."""

    def __init__(self, tokens: Tokens) -> None:
        """Take the tokens of a server."""
        self._tokens = tokens

    def create(self, wanted: TokenRequest) -> TokenCreated:
        """Make a token."""
        seconds = None if wanted.days is None else wanted.days * DAY
        row, text = self._tokens.create(wanted.name, Role(wanted.role), seconds)
        return TokenCreated(token=text, **_fields(row))

    def all(self) -> list[TokenView]:
        """List all tokens."""
        return [TokenView(**_fields(row)) for row in self._tokens.all()]

    def revoke(self, token: str) -> TokenView:
        """Let a token count no more.

        Raises:
            UnknownTokenError: There is none of that id.
        """
        return TokenView(**_fields(self._tokens.revoke(token)))


def _fields(row: TokenRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TokenView.__struct_fields__}


@contextlib.contextmanager
def opened(settings: Settings, *, make: bool) -> Iterator[Desk]:
    """Open the tokens of a server that need not run.

    Args:
        settings: How the server is started.
        make: Whether a database that is not there is made.

    Raises:
        ServerError: It is not there.
    """
    with database(settings, make=make) as found:
        yield Desk(Tokens(Table(found)))


@contextlib.contextmanager
def database(settings: Settings, *, make: bool = False) -> Iterator[Database]:
    """Open the database of a server, whether that runs or not.

    Args:
        settings: How the server is started.
        make: Whether a database that is not there is made.

    Raises:
        ServerError: It is not there.
    """
    path = settings.database_url.removeprefix(f"{SQLITE}/")
    if path != settings.database_url:
        if not make and not os.path.exists(path):
            raise ServerError(f"There is no database at {path}. Name the server's folder: --state.")
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    with contextlib.closing(open_database(settings.database_url)) as found:
        yield found
