"""Tokens of people and programs: ``lam_<id>_<secret>``, of which the database has the hash alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from laminar.errors import AuthenticationError, UnknownTokenError
from laminar.model.token import TokenRow
from laminar.server.identity import Identity, Role

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class TokenTable(Protocol):
        """Where tokens are kept."""

        def add(self, row: TokenRow, /) -> None:
            """Keep a token."""

        def find(self, token: str, /) -> TokenRow | None:
            """Look for a token."""

        def all(self) -> list[TokenRow]:
            """List all, the oldest first."""

        def revoke(self, token: str, at: float, /) -> bool:
            """Let a token count no more; False if there is none of that id, or it is revoked."""

        def used(self, token: str, at: float, /) -> None:
            """Write down when a token was last used."""


PREFIX = "lam_"
#: Seconds that what was read of a token counts without another look: another server's revocation takes that long.
FRESH = 2.0
#: Seconds between notes of when a token was last used.
NOTED = 60.0
#: How many tokens are kept in memory.
KEPT = 10_000
NOBODY = hashlib.sha256(b"").hexdigest()


class Tokens:
    """Makes, checks and revokes tokens.

    Args:
        table: Where they are kept.
        now: The time, in seconds since the epoch.
    """

    def __init__(self, table: TokenTable, now: Callable[[], float] = time.time) -> None:
        """Take the table."""
        self._table = table
        self._now = now
        self._read: dict[str, tuple[float, TokenRow | None]] = {}

    def create(self, name: str, role: Role, seconds: float | None = None) -> tuple[TokenRow, str]:
        """Make a token.

        Args:
            name: Whose it is.
            role: What it may do.
            seconds: How long it counts; None for ever.

        Returns:
            What is kept of it, and the token itself, which nobody can find out again.
        """
        now, secret = self._now(), secrets.token_hex(32)
        row = TokenRow(
            id=secrets.token_hex(6),
            name=name,
            role=role.value,
            digest=_digest(secret),
            created=now,
            expires=None if seconds is None else now + seconds,
        )
        self._table.add(row)
        return row, f"{PREFIX}{row.id}_{secret}"

    def all(self) -> list[TokenRow]:
        """List all tokens."""
        return self._table.all()

    def revoke(self, token: str) -> TokenRow:
        """Let a token count no more; one that was revoked stays so.

        Raises:
            UnknownTokenError: There is none of that id.
        """
        self._table.revoke(token, self._now())
        self._read.pop(token, None)
        row = self._table.find(token)
        if row is None:
            raise UnknownTokenError(f"There is no token {token!r}. laminar token list shows those that exist.")
        return row

    def remembers(self, text: str) -> bool:
        """Tell whether a token can be checked without the database, and so without a thread to wait in."""
        read, row = self._read.get(_id(text), (0.0, None))
        return row is not None and self._is_fresh(read) and self._now() - (row.last_used or 0.0) <= NOTED

    def authenticate(self, text: str) -> Identity:
        """Tell whose a token is.

        Raises:
            AuthenticationError: It is none, or counts no more.
        """
        secret = text.removeprefix(PREFIX).partition("_")[2]
        row = self._row(_id(text))
        genuine = hmac.compare_digest(_digest(secret), NOBODY if row is None else row.digest)
        if row is None or not genuine:
            raise AuthenticationError("The token is unknown here. Ask who runs the server for one.")
        if row.revoked is not None:
            raise AuthenticationError(f"The token {row.id} ({row.name}) was revoked. Ask who runs the server for one.")
        if row.expires is not None and row.expires <= self._now():
            raise AuthenticationError(f"The token {row.id} ({row.name}) is over. Ask who runs the server for one.")
        self._note(row)
        return Identity(row.name, Role(row.role))

    def _row(self, token: str) -> TokenRow | None:
        read, row = self._read.get(token, (0.0, None))
        if row is None or not self._is_fresh(read):
            row = self._table.find(token)
            self._keep(row)
        return row

    def _is_fresh(self, read: float) -> bool:
        """Tell whether what was read at a time still counts; a clock that was set back says nothing."""
        return 0.0 <= self._now() - read < FRESH

    def _note(self, row: TokenRow) -> None:
        now = self._now()
        if now - (row.last_used or 0.0) > NOTED:
            self._table.used(row.id, now)
            self._keep(row.replace(last_used=now))

    def _keep(self, row: TokenRow | None) -> None:
        if row is not None:
            if len(self._read) >= KEPT:
                self._read.clear()
            self._read[row.id] = (self._now(), row)


def _id(text: str) -> str:
    return text.removeprefix(PREFIX).partition("_")[0]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
