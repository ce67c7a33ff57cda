"""Each database passes the suite; each is set up by several at once, taken to this schema, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from laminar.ledger.among_threads import SharedSqlite
from laminar.ledger.database import Database
from laminar.ledger.postgres import Postgres
from laminar.ledger.sqlite import Sqlite
from laminar.testing.database import DatabaseConformance


class TestSqliteInMemory(DatabaseConformance):
    @pytest.fixture
    def database(self) -> Iterator[Database]:
        database = Sqlite()
        yield database
        database.close()


class TestSqliteAsAFile(DatabaseConformance):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = Sqlite(str(tmp_path / "file.db"))
        yield database
        database.close()


class TestSqliteThatIsShared(DatabaseConformance):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = SharedSqlite(str(tmp_path / "file.db"))
        yield database
        database.close()


class TestPostgres(DatabaseConformance):
    @pytest.fixture
    def database(self, postgres: str) -> Iterator[Database]:
        database = Postgres(postgres)
        yield database
        database.close()
