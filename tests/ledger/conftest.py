"""Databases of each kind, empty, with all tables of a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from laminar.ledger.database import Database
from laminar.ledger.opening import open_database

KINDS = ("memory", "sqlite", "postgres")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind in turn."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/server.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty database of each kind in turn."""
    database = open_database(url)
    yield database
    database.close()
