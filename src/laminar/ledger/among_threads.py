"""SQLite for a server: many threads of one process share a file, and other processes may come to it too."""

from __future__ import annotations

import threading
from collections import deque

import apsw

from laminar.errors import LedgerError
from laminar.ledger.database import Database
from laminar.ledger.sqlite import Sqlite, connected, read_rows
from laminar.ledger.transaction import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from laminar.ledger.database import Connection, Row, T, Values

#: How many transactions are written in one go at most.
TOGETHER = 100


class SharedSqlite(Database):
    """A file with one connection that writes, and as many that read as there are readers: for a server.

    Transactions queue up while one is written. Whoever gets the pen next writes all that wait, as one transaction of
    the file, and each in a savepoint of its own: one that fails takes no other with it.
    """

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        """Open the database.

        Args:
            path: The file.

        Raises:
            LedgerError: It cannot be opened.
        """
        self._writer = Sqlite(path)
        self.name = path
        self._pen = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._readers: list[apsw.Connection] = []

    def read(self, query: str, values: Values = ()) -> list[Row]:
        """Carry out one statement that changes nothing, without waiting for who writes."""
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = self._reader()
        try:
            return read_rows(reader, self.name, query, values)
        finally:
            self._readers.append(reader)

    def _reader(self) -> apsw.Connection:
        try:
            reader = connected(self.name)
            reader.execute("PRAGMA query_only = ON")
        except apsw.Error as error:
            raise LedgerError(f"The ledger at {self.name} cannot be opened: {error}.") from error
        return reader

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction, which may be written together with those of other threads."""
        turn = _Turn(work)
        self._waiting.append(turn)
        while not turn.over:
            with self._pen:
                if not turn.over:
                    self._write()
        if turn.error is not None:
            raise turn.error
        return turn.result  # type: ignore[no-any-return]

    def _write(self) -> None:
        turns = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER))]
        try:
            self._writer.transact(lambda connection: _carry_out(turns, connection, self.name))
        except BaseException as error:  # the file refuses, or its writer was interrupted: nothing of it counts
            for turn in turns:
                turn.error = error
            if not isinstance(error, LedgerError):
                raise
        finally:
            for turn in turns:
                turn.over = True

    def version(self, component: str) -> int:
        """Tell the version of a component's tables; 0 if they are not there."""
        return self._writer.version(component)

    def close(self) -> None:
        """Close all connections."""
        with self._pen:
            self._writer.close()
            while self._readers:
                self._readers.pop().close()


class _Turn:
    """A transaction that waits to be written, and what came of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.over = False
        self.result: Any = None
        self.error: BaseException | None = None


def _carry_out(turns: list[_Turn], connection: Connection, path: str) -> None:
    for turn in turns:
        connection.execute("SAVEPOINT turn")
        try:
            turn.result = turn.work(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO turn")  # raises if SQLite has given up the whole transaction
            turn.error = error
            if isinstance(error, apsw.Error):
                turn.error = refused(path, error)
                turn.error.__cause__ = error
        connection.execute("RELEASE turn")
