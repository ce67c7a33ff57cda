"""Ledgers of earlier versions are taken to the schema of this one."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from laminar.ledger import tables
from laminar.ledger.database import Connection
from laminar.ledger.postgres import Postgres
from laminar.ledger.schema import set_up
from laminar.ledger.sql import Ledger
from laminar.model.states import State

BEFORE = {version: Path(__file__).with_name(f"schema_{version}.sql") for version in (1, 2)}
ROWS = """
INSERT INTO runs VALUES ('F', 'r', 'RUNNING', 1, 'h', 'p', 1, 's', 0.0, NULL, 1.0, NULL, NULL);
INSERT INTO actions (space, run, name, idx, epoch, state, attempts, started, ended)
    VALUES ('F', 'r', 'A', 0, 1, 'SUCCEEDED', 1, 1.0, 2.0);
INSERT INTO events (space, run, time, kind, detail) VALUES ('F', 'r', 1.0, 'step', 'one');
"""
RESULTS = """
INSERT INTO results (task, key, output, run, action, made, parts)
    VALUES ('t', 'k', '[["int", "d", null]]', 'r', 'a', 3.0, '{"code": "c"}');
INSERT INTO codes (task, digest, parts) VALUES ('t', 'c', '{"body": "b"}');
"""
COLUMNS = """
SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity
FROM information_schema.columns WHERE table_schema = 'public'
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
TRIGGERS = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"


def schema(path: Path) -> set[tuple[str, str]]:
    """Give each table with its columns, and each other thing with its definition."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        columns = {
            (name, str(connection.execute(f"PRAGMA table_info({name})").fetchall()))
            for kind, name, _ in made
            if kind == "table"
        }
        return columns | {(name, sql) for kind, name, sql in made if kind != "table"}


def assert_rows(ledger: Ledger, *, results: bool) -> None:
    assert [(row.run, row.state) for row in ledger.runs()] == [("r", State.RUNNING)]
    assert [(row.name, row.state, row.task) for row in ledger.actions("F", "r")] == [("A", State.SUCCEEDED, None)]
    assert [row.detail for row in ledger.events_after("F", "r", 0)] == ["one"]
    found = ledger.cached("t", "k")
    assert (found and (found.run, dict(found.parts))) == (("r", {"code": "c"}) if results else None)
    assert ledger.code("t", "c") == ({"body": "b"} if results else {})


@pytest.mark.parametrize("version", BEFORE)
def test_a_ledger_of_an_earlier_schema_becomes_like_a_new_one_and_keeps_its_rows(tmp_path: Path, version: int) -> None:
    results = RESULTS if version > 1 else ""
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(BEFORE[version].read_text() + ROWS + results)
    for name in ("old.db", "new.db"):
        Ledger(str(tmp_path / name)).close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")
    ledger = Ledger(str(tmp_path / "old.db"))
    try:
        assert_rows(ledger, results=version > 1)
    finally:
        ledger.close()


def test_what_takes_a_ledger_to_the_next_schema_does_so_on_postgresql(
    postgres: str, request: pytest.FixtureRequest
) -> None:
    made = re.sub(r"CREATE TRIGGER.*?END;|PRAGMA .*", "", BEFORE[2].read_text(), flags=re.DOTALL)

    def make_old(connection: Connection) -> None:
        connection.define(made + tables.POSTGRES_TRIGGERS + ROWS + RESULTS)
        connection.set_version("ledger", 2)

    old, new = Postgres(postgres), Postgres(request.getfixturevalue("cluster").database())
    try:
        old.transact(make_old)
        for database in (old, new):
            set_up(database, tables.COMPONENT)
        for query in (COLUMNS, INDEXES, TRIGGERS):
            assert set(old.read(query)) == set(new.read(query))
        assert_rows(Ledger(old), results=True)
    finally:
        old.close()
        new.close()
