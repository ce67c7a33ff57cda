"""Servers that are operated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from operated import Operated


@pytest.fixture(params=["sqlite", "postgres"])
def operated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Operated]:
    """A server that runs, on each kind of database, with something deployed."""
    database = "" if request.param == "sqlite" else request.getfixturevalue("postgres")
    one = Operated(tmp_path / "server", database).start()
    one.deploy()
    yield one
    one.end()
