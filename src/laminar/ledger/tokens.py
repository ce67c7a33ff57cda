"""Tokens of people and programs."""

from __future__ import annotations

from laminar.model.token import TokenRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.database import Connection, Database

ADD = """
INSERT INTO tokens (id, name, role, digest, created, expires, revoked, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
SELECT = "SELECT id, name, role, digest, created, expires, revoked, last_used FROM tokens"
FIND = SELECT + " WHERE id = ?"
LIST = SELECT + " ORDER BY created, id"
REVOKE = "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked IS NULL"
USE = "UPDATE tokens SET last_used = ? WHERE id = ?"


class Tokens:
    """The tokens of a server."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def add(self, row: TokenRow) -> None:
        """Keep a token.

        Raises:
            LedgerError: There is one of that id.
        """
        values = tuple(getattr(row, name) for name in TokenRow.fields__)
        self._database.transact(lambda connection: connection.execute(ADD, values))

    def find(self, token: str) -> TokenRow | None:
        """Look for a token by its id."""
        rows = self._database.read(FIND, (token,))
        return TokenRow(*rows[0]) if rows else None

    def all(self) -> list[TokenRow]:
        """List all, the oldest first."""
        return [TokenRow(*row) for row in self._database.read(LIST)]

    def revoke(self, token: str, at: float) -> bool:
        """Let a token count no more; False if there is none of that id, or it is revoked."""
        return self._changed(REVOKE, token, at)

    def used(self, token: str, at: float) -> None:
        """Write down when a token was last used."""
        self._changed(USE, token, at)

    def _changed(self, query: str, token: str, at: float) -> bool:
        def change(connection: Connection) -> bool:
            connection.execute(query, (at, token))
            return connection.changed == 1

        return self._database.transact(change)
