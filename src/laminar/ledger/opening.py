"""The database of a server, by its URL."""

from __future__ import annotations

from laminar.errors import ConfigurationError
from laminar.ledger import server_tables, tables
from laminar.ledger.among_threads import SharedSqlite
from laminar.ledger.schema import set_up
from laminar.ledger.sqlite import MEMORY, Sqlite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.database import Database

SQLITE = "sqlite://"
POSTGRES = ("postgresql://", "postgres://")


def open_database(url: str) -> Database:
    """Open the database of a server, with all of its tables.

    Args:
        url: ``sqlite:///PATH`` (four slashes for a path from the root), ``sqlite://`` for memory, or
            ``postgresql://user:password@host:port/name``.

    Raises:
        ConfigurationError: It is none of these, or what PostgreSQL needs is not installed.
        LedgerError: It cannot be opened, or is of a newer laminar.
    """
    database = _opened(url)
    try:
        set_up(database, tables.COMPONENT)
        set_up(database, server_tables.COMPONENT)
    except BaseException:
        database.close()
        raise
    return database


def _opened(url: str) -> Database:
    if url == SQLITE:
        return Sqlite(MEMORY)
    if url.startswith(SQLITE + "/") and len(url) > len(SQLITE) + 1:
        return SharedSqlite(url.removeprefix(SQLITE + "/"))
    if url.startswith(POSTGRES):
        return _postgres(url)
    kind = url.partition("://")[0]
    raise ConfigurationError(
        f"No database is known by a URL of {kind!r}. Give sqlite:///PATH or postgresql://user:password@host:port/name."
    )


def _postgres(url: str) -> Database:
    try:
        from laminar.ledger.postgres import Postgres  # 60 ms, and only for who uses it
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL needs psycopg, which is not installed ({error}): pip install 'laminar[postgres]'."
        ) from error
    return Postgres(url)
