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
    return LedgerError(f"The ledger at {path} cannot be written: {error}.{remedy(path, error)}")


def remedy(path: str, error: Exception) -> str:
    """Say what to do where a disk is full, and how much room there is; or where a file is damaged. Else nothing.

    Args:
        path: The file.
        error: What was raised.

    Returns:
        The end of a message.
    """
    if isinstance(error, apsw.FullError) or getattr(error, "errno", None) == errno.ENOSPC:
        return f"{files.room(path)} Free some space and resume the run."
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return " It is damaged, or no database: stop what uses it, and restore it from a copy."
    return ""
