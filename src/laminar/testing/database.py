"""What every database must do; those of laminar pass: SQLite as a file, shared or not, in memory, and PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from laminar.errors import LedgerError

if TYPE_CHECKING:
    from laminar.ledger.database import Connection, Database

MAKE = """
CREATE TABLE samples (name TEXT NOT NULL PRIMARY KEY, number INTEGER, amount REAL, data BLOB) WITHOUT ROWID;
CREATE TABLE lines (sequence INTEGER PRIMARY KEY, said TEXT NOT NULL);
"""
ADD = "INSERT INTO samples (name, number, amount, data) VALUES (?, ?, ?, ?)"
LIST = "SELECT name, number, amount, data FROM samples ORDER BY name"
COUNT_UP = "UPDATE samples SET number = number + 1 WHERE name = ?"
SAY = "INSERT INTO lines (said) VALUES (?)"
SAID = "SELECT said FROM lines ORDER BY sequence"


class DatabaseConformance:
    """Subclass it and give the fixture ``database``: one without the tables ``samples`` and ``lines``."""

    @pytest.fixture
    def database(self) -> Database:
        """Give a database."""
        raise NotImplementedError("Give the fixture 'database'.")

    @pytest.fixture(autouse=True)
    def tables(self, database: Database) -> None:
        """Make the tables of the suite."""
        database.transact(lambda connection: connection.define(MAKE))

    def test_what_is_written_is_read_as_it_was(self, database: Database) -> None:
        """Texts, whole and broken numbers, bytes and nothing, by position and in many rows."""
        rows = [
            ("a", 2**62, 0.1, b"\x00\xff"),
            ("B", -1, -1.5e300, b""),
            ("ä€😀 ' \" % ? :x $1", None, None, None),
        ]
        database.transact(lambda connection: connection.execute(ADD, rows[0]))
        database.transact(lambda connection: connection.executemany(ADD, rows[1:]))
        assert database.read(LIST) == sorted(rows)

    def test_values_are_given_by_name_or_by_number_too(self, database: Database) -> None:
        """One name or number may stand in several places."""
        named = "INSERT INTO samples (name, number) VALUES (:name, length(:name) + :more)"
        database.transact(lambda connection: connection.execute(named, {"name": "four", "more": 1}))
        numbered = "SELECT name FROM samples WHERE (name = ?2 OR ?2 IS NULL) AND number = ?1 AND name <> ':name ? /'"
        assert database.read(numbered, (5, None)) == [("four",)]
        assert database.read(numbered, (5, "four")) == [("four",)]
        assert database.read(numbered, (5, "five")) == []

    def test_texts_are_ordered_by_their_code_points(self, database: Database) -> None:
        """Wherever the database runs: pages go on where the last one ended."""
        names = ["a", "B", "_", "ä", "Z", "-", "10", "9"]
        database.transact(lambda connection: connection.executemany(ADD, [(name, 0, 0.0, b"") for name in names]))
        assert [name for name, *_ in database.read(LIST)] == sorted(names)

    def test_a_transaction_gives_what_its_work_gives(self, database: Database) -> None:
        """The work sees what it has changed itself, and how many rows that were."""

        def work(connection: Connection) -> tuple[int, int, list[tuple[object, ...]]]:
            connection.executemany(ADD, [("a", 1, None, None), ("b", 2, None, None)])
            connection.execute("UPDATE samples SET number = 5 WHERE number > ?", (1,))
            one = connection.changed
            returned = connection.execute("UPDATE samples SET number = 6 WHERE number > 6 RETURNING name")
            return one, connection.changed, returned + connection.execute("SELECT number FROM samples ORDER BY name")

        assert database.transact(work) == (1, 0, [(1,), (5,)])

    def test_work_that_raises_changes_nothing(self, database: Database) -> None:
        """The error is what the work has raised; the database can be used as before."""

        def work(connection: Connection) -> None:
            connection.execute(SAY, ("never",))
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            database.transact(work)
        assert database.read(SAID) == []
        database.transact(lambda connection: connection.execute(SAY, ("then",)))
        assert database.read(SAID) == [("then",)]

    def test_what_the_database_forbids_is_told_and_changes_nothing(self, database: Database) -> None:
        """What came before in the same transaction does not count either."""

        def work(connection: Connection) -> None:
            connection.execute(SAY, ("never",))
            connection.execute(ADD, ("a", 1, None, None))
            connection.execute(ADD, ("a", 2, None, None))

        with pytest.raises(LedgerError, match=r"(?i)unique"):
            database.transact(work)
        assert database.read(SAID) == []

    def test_a_statement_that_makes_no_sense_is_told(self, database: Database) -> None:
        """Reading and writing alike."""
        with pytest.raises(LedgerError, match="nowhere"):
            database.read("SELECT * FROM nowhere")
        with pytest.raises(LedgerError, match="nowhere"):
            database.transact(lambda connection: connection.execute("DELETE FROM nowhere"))

    def test_transactions_of_many_threads_are_as_if_one_came_after_another(self, database: Database) -> None:
        """What each reads under a lock is still so when it writes; those that fail take no other with them."""
        database.transact(lambda connection: connection.execute(ADD, ("count", 0, None, None)))
        start = threading.Barrier(8)

        def count(fail: bool) -> None:
            def work(connection: Connection) -> None:
                connection.lock("count")
                ((number,),) = connection.execute("SELECT number FROM samples WHERE name = 'count'")
                connection.execute("UPDATE samples SET number = ? WHERE name = 'count'", (number + 1,))
                if fail:
                    connection.execute(ADD, ("count", 0, None, None))

            database.transact(work)

        def counter(thread: int) -> int:
            start.wait()
            refused = 0
            for number in range(40):
                try:
                    count(fail=(number + thread) % 4 == 0)
                except LedgerError:
                    refused += 1
            return refused

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(counter, range(8))) == 80
        assert database.read(LIST) == [("count", 240, None, None)]

    def test_a_reader_never_sees_a_transaction_in_part(self, database: Database) -> None:
        """Two rows that are always changed together are always read alike."""
        database.transact(lambda connection: connection.executemany(ADD, [("a", 0, None, None), ("b", 0, None, None)]))
        over = threading.Event()

        def write() -> None:
            def work(connection: Connection) -> None:
                connection.execute(COUNT_UP, ("a",))
                connection.execute(COUNT_UP, ("b",))

            for _ in range(100):
                database.transact(work)
            over.set()

        def read() -> set[bool]:
            seen = set()
            while not over.is_set():
                (_, one, *_), (_, other, *_) = database.read(LIST)
                seen.add(one == other)
            return seen

        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read) for _ in range(3)]
            threads.submit(write).result()
            assert [reader.result() - {True} for reader in readers] == [set(), set(), set()]
        assert [number for _, number, *_ in database.read(LIST)] == [100, 100]

    def test_its_clock_goes_forward(self, database: Database) -> None:
        """Leases are measured by it."""
        one, other = (float(database.read("SELECT unixepoch('subsec')")[0][0]) for _ in range(2))
        assert 1.7e9 < one <= other
