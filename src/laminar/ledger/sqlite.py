"""SQLite: a file in WAL mode, or memory.

``synchronous=NORMAL`` survives the death of any process; a power cut may cost the last transactions, never the file.
"""

from __future__ import annotations

import os
import threading
import time

import apsw

from laminar.errors import LedgerError
from laminar.ledger.database import Connection, Database
from laminar.ledger.transaction import Transaction, remedy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from laminar.ledger.database import Row, T, Values

MEMORY = ":memory:"
BUSY_MILLISECONDS = 60_000
#: The component whose version SQLite itself keeps in the head of the file; the others have rows in a table.
LEDGER = "ledger"

HAS_COMPONENTS = "SELECT count(*) FROM sqlite_master WHERE name = 'components'"
MAKE_COMPONENTS = """
CREATE TABLE IF NOT EXISTS components (name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
"""
FIND_COMPONENT = "SELECT version FROM components WHERE name = ?"
PUT_COMPONENT = """
INSERT INTO components (name, version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version
"""


class Sqlite(Database):
    """A database with one connection, which one thread at a time uses: for runs on this machine, and for memory."""

    dialect = "sqlite"

    def __init__(self, path: str = MEMORY, *, create: bool = True) -> None:
        """Open the database.

        Args:
            path: The file, or ``":memory:"``.
            create: Whether to make it if it is not there.

        Raises:
            LedgerError: It is not there, or cannot be opened.
        """
        self.name = path
        self._alone = threading.RLock()
        if not create and path != MEMORY and not os.path.exists(path):
            raise LedgerError(
                f"There is no ledger at {path}: no run was recorded there. Name the folder of the runs with --root, "
                "or their server with --endpoint."
            )
        try:
            if path != MEMORY:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            self._raw = connected(path)
            self._connection = _Connection(self._raw)
            if path != MEMORY and self._connection.version(LEDGER) == 0:
                _write_ahead(self._raw)
            self._raw.execute("PRAGMA synchronous = NORMAL")
        except (apsw.Error, OSError) as error:
            raise LedgerError(f"The ledger at {path} cannot be opened: {error}.{remedy(path, error)}") from error

    def read(self, query: str, values: Values = ()) -> list[Row]:
        """Carry out one statement that changes nothing."""
        with self._alone:
            return read_rows(self._raw, self.name, query, values)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction."""
        with self._alone, Transaction(self._raw, self.name):
            return work(self._connection)

    def version(self, component: str) -> int:
        """Tell the version of a component's tables; 0 if they are not there."""
        with self._alone:
            return self._connection.version(component)

    def stamp(self) -> int:
        """Give a number that changes when another connection has written."""
        return int(self.read("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Close the connection."""
        with self._alone:
            self._raw.close()


class _Connection(Connection):
    """A transaction on a connection of SQLite's."""

    def __init__(self, raw: apsw.Connection) -> None:
        self._raw = raw

    @property
    def changed(self) -> int:  # type: ignore[override]
        return int(self._raw.changes())

    def execute(self, query: str, values: Values = ()) -> list[Row]:
        return self._raw.execute(query, values).fetchall()

    def executemany(self, query: str, rows: Iterable[Row]) -> None:
        self._raw.executemany(query, rows)

    def define(self, statements: str) -> None:
        self._raw.execute(statements)

    def lock(self, *what: str) -> None:
        """Hold nothing: there is one writer at a time."""

    def version(self, component: str) -> int:
        if component == LEDGER:
            return int(self.execute("PRAGMA user_version")[0][0])
        if self.execute(HAS_COMPONENTS) == [(0,)]:
            return 0
        rows = self.execute(FIND_COMPONENT, (component,))
        return int(rows[0][0]) if rows else 0

    def set_version(self, component: str, version: int) -> None:
        if component == LEDGER:
            self.execute(f"PRAGMA user_version = {version:d}")
        else:
            self.execute(MAKE_COMPONENTS)
            self.execute(PUT_COMPONENT, (component, version))


def connected(path: str, *, create: bool = True) -> apsw.Connection:
    """Open a connection, which waits for others that write.

    Args:
        path: The file.
        create: Whether to make it if it is not there.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    raw = apsw.Connection(path, flags=flags)
    raw.set_busy_timeout(BUSY_MILLISECONDS)
    return raw


def read_rows(raw: apsw.Connection, path: str, query: str, values: Values) -> list[Row]:
    """Carry out one statement that changes nothing, on a connection to a file."""
    try:
        return raw.execute(query, values).fetchall()
    except apsw.Error as error:
        raise LedgerError(f"The ledger at {path} cannot be read: {error}.{remedy(path, error)}") from error


def _write_ahead(raw: apsw.Connection) -> None:
    """Turn on the write-ahead log. For this, SQLite gives up at once where others are about to do the same."""
    deadline = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
