"""A connection that is lost in the middle of a commit: what counts is not done again, what does not is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutter import Cutter

from laminar.ledger import postgres as module
from laminar.ledger.postgres import Postgres

MAKE = "CREATE TABLE lines (number INTEGER);"
ADD = "INSERT INTO lines (number) VALUES (?)"
LIST = "SELECT number FROM lines ORDER BY number"
CUTS = ["there", "back"] * 5


@pytest.fixture
def cutter(postgres: str) -> Iterator[Cutter]:
    with tempfile.TemporaryDirectory(prefix="laminar-cutter-") as folder:
        cutter = Cutter(postgres.partition("host=")[2], Path(folder))
        yield cutter
        cutter.close()


def written(postgres: str, cutter: Cutter, cuts: list[str]) -> list[int]:
    """Write one line in each transaction, cut each commit, and give what is there afterwards."""
    database = Postgres(postgres.replace(postgres.partition("host=")[2], str(cutter.folder)), patience=10.0)
    try:
        database.transact(lambda connection: connection.define(MAKE))
        for number, where in enumerate(cuts):
            cutter.cut(where)
            database.transact(lambda connection, number=number: connection.execute(ADD, (number,)))  # type: ignore[misc]
        assert cutter.cuts == len(cuts)
        return [number for (number,) in database.read(LIST)]
    finally:
        database.close()


def test_each_transaction_counts_once_wherever_its_commit_was_cut(postgres: str, cutter: Cutter) -> None:
    assert written(postgres, cutter, CUTS) == list(range(len(CUTS)))


@pytest.mark.parametrize(("believed", "found"), [(False, [0, 1, 1, 2, 3, 3]), (True, [1, 3])], ids=["again", "never"])
def test_one_that_guesses_how_a_commit_ended_is_caught(
    postgres: str, cutter: Cutter, monkeypatch: pytest.MonkeyPatch, believed: bool, found: list[int]
) -> None:
    monkeypatch.setattr(module._Session, "counts", lambda session, commit: believed)
    assert written(postgres, cutter, CUTS[:4]) == found
