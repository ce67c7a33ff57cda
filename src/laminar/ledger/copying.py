"""A copy of a server's database, whole and as it was at one moment, while the server runs."""

from __future__ import annotations

import os

import apsw

from laminar.errors import ConfigurationError, ServerError
from laminar.host import leftovers
from laminar.ledger.opening import SQLITE
from laminar.ledger.sqlite import connected


def copy(url: str, target: str) -> int:
    """Copy the database of a server into a file, which appears whole or not at all.

    Args:
        url: The database, as a server is told of it.
        target: The file; it must not be there yet.

    Returns:
        Its size in bytes.

    Raises:
        ConfigurationError: It is no SQLite.
        ServerError: There is no database, or the copy cannot be written.
    """
    source = url.removeprefix(f"{SQLITE}/")
    if source == url:
        raise ConfigurationError(
            "laminar backup copies SQLite. PostgreSQL has a program of its own for this: pg_dump --format=custom."
        )
    if not os.path.exists(source):
        raise ServerError(f"There is no database at {source}. Name the server's folder: --state.")
    if os.path.exists(target):
        raise ServerError(f"{target} is there already. Name a new file, or remove that one.")
    private = os.path.join(os.path.dirname(os.path.abspath(target)), f".{leftovers.private_name()}")
    try:
        _copy(source, private)
        os.link(private, target)
        return os.stat(target).st_size
    except (apsw.Error, OSError) as error:
        raise ServerError(f"The database at {source} could not be copied to {target}: {error}.") from error
    finally:
        leftovers.remove(private)


def _copy(source: str, target: str) -> None:
    with open(target, "xb"):
        os.chmod(target, 0o600)  # it holds what runs were asked for with
    connection = connected(source, create=False)
    try:
        connection.execute("VACUUM INTO ?", (target,))
    finally:
        connection.close()
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
