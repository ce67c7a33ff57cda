"""Transactions of SQLite."""

from __future__ import annotations

import errno

import apsw

from laminar.errors import LedgerError
from laminar.host import files


class Transaction:
    """A transaction that takes the right to write at once. What SQLite refuses becomes a :class:`LedgerError`."""

    def __init__(self, connection: apsw.Connection, path: str) -> None:
        """Take the connection, and the path of its file for messages."""
        self._connection = connection
        self._path = path

    def __enter__(self) -> None:
        """Begin.

        Raises:
            LedgerError: Others write for too long, or the file cannot be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise refused(self._path, error) from error

    def __exit__(self, _: object, raised: BaseException | None, __: object) -> None:
        """Commit, or roll back after an error.

        Raises:
            LedgerError: It cannot be committed, or SQLite has raised.
        """
        try:
            if raised is None:
                self._connection.execute("COMMIT")
        except apsw.Error as error:
            raised = error
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if isinstance(raised, apsw.Error):
            raise refused(self._path, raised) from raised


def refused(path: str, error: apsw.Error) -> LedgerError:
    """Say that SQLite has refused to write.

    Args:
        path: The file.
        error: What SQLite has raised.
    """
    return LedgerError(f"The ledger at {path} cannot be written: {error}.{room(path, error)}")


def room(path: str, error: Exception) -> str:
    """Say how much room there is, if that is what was missing; as the end of a message.

    Args:
        path: A file on the disk in question.
        error: What was raised.
    """
    if not isinstance(error, apsw.FullError) and getattr(error, "errno", None) != errno.ENOSPC:
        return ""
    return f"{files.room(path)} Free some space and resume the run."
