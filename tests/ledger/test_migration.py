"""Ledgers of earlier versions are taken to the schema of this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from laminar.ledger.sql import Ledger
from laminar.model.states import State

BEFORE = Path(__file__).with_name("schema_1.sql")
ROWS = """
INSERT INTO runs VALUES ('F', 'r', 'RUNNING', 1, 'h', 'p', 1, 's', 0.0, NULL, 1.0, NULL, NULL);
INSERT INTO actions VALUES ('F', 'r', 'A', 0, 1, 'SUCCEEDED', NULL, 1, 1.0, 2.0);
"""


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


def test_a_ledger_of_schema_1_becomes_like_a_new_one_and_keeps_its_rows(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(BEFORE.read_text() + ROWS)
    for name in ("old.db", "new.db"):
        Ledger(str(tmp_path / name)).close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")
    ledger = Ledger(str(tmp_path / "old.db"))
    try:
        assert [(row.run, row.state) for row in ledger.runs()] == [("r", State.RUNNING)]
        assert [(row.name, row.state, row.task) for row in ledger.actions("F", "r")] == [("A", State.SUCCEEDED, None)]
    finally:
        ledger.close()
