"""Databases of each kind, empty, with all tables of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from laminar.ledger.database import Database
from laminar.ledger.opening import open_database
from postgres import Cluster

KINDS = ("memory", "sqlite", "postgres")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind in turn."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/server.db"


@pytest.fixture(scope="session")
def tables(cluster: Cluster, needs: Callable[[object, str], None]) -> str:
    """URL of a database with all tables, which others are made like: to make them takes longer than most tests."""
    needs(cluster, "PostgreSQL: see .ci/packages")
    url = cluster.database()
    open_database(url).close()
    return url


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of each kind in turn, with all tables and nothing in them."""
    if request.param == "postgres":
        tables, cluster = (request.getfixturevalue(name) for name in ("tables", "cluster"))
        url = cluster.database(like=tables)
    else:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/server.db"
    database = open_database(url)
    yield database
    database.close()
    if request.param == "postgres":
        cluster.drop(url)
