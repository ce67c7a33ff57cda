"""How databases are, without changing them."""

from __future__ import annotations

import os

import apsw

from laminar.errors import LedgerError, NewerSchemaError
from laminar.host import mounts
from laminar.host.checks import Check, ok, problem, warning
from laminar.ledger.sqlite import LEDGER, connected
from laminar.ledger.tables import COMPONENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.ledger.schema import Component

#: The first version of SQLite that cannot lose a commit to a checkpoint at the same moment.
SAFE = (3, 51, 3)


def library(version: str | None = None) -> Check:
    """See which SQLite this is.

    Args:
        version: Its version; by default that of the library in use.
    """
    version = version or apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) >= SAFE:
        return ok("sqlite", version)
    return warning(
        "sqlite",
        f"{version} can damage a database if a commit and a checkpoint meet in a bad moment (rare; mended in 3.51.3)",
        "pip install --upgrade apsw",
    )


def file(name: str, path: str, components: Iterable[Component] = (COMPONENT,)) -> list[Check]:
    """See how a file of SQLite's is: whether it is whole, of a known schema, and on a disk of this machine.

    Args:
        name: What to call it.
        path: The file.
        components: The tables that it should have.
    """
    if not os.path.exists(path):
        return [ok(name, f"{path} is not there yet; it is made when it is first needed")]
    found = [_whole(name, path, components)]
    if mounts.is_remote(path):
        kind = mounts.kind(path)
        found.append(
            warning(
                f"{name} disk",
                f"{path} lies on a file system of another machine ({kind}), where SQLite can be damaged",
                "Move it to a disk of this machine, or use PostgreSQL on a server.",
            )
        )
    return found


def _whole(name: str, path: str, components: Iterable[Component]) -> Check:
    try:
        raw = connected(path, create=False)
        try:
            damage = raw.execute("PRAGMA quick_check(1)").fetchall()
            for component in components:
                _known(raw, path, component)
        finally:
            raw.close()
    except NewerSchemaError as error:
        return problem(name, str(error))
    except (apsw.Error, LedgerError) as error:
        return problem(name, f"{path} cannot be read: {error}", "Restore it from a copy.")
    if damage != [("ok",)]:
        return problem(name, f"{path} is damaged: {damage[0][0]}", "Stop what uses it, and restore it from a copy.")
    return ok(name, f"{path}, {os.stat(path).st_size:,} bytes, whole")


def _known(raw: apsw.Connection, path: str, component: Component) -> None:
    if component.name == LEDGER:
        rows = raw.execute("PRAGMA user_version").fetchall()
    else:
        rows = raw.execute("SELECT version FROM components WHERE name = ?", (component.name,)).fetchall()
    version = int(str(rows[0][0])) if rows else 0
    if version > component.version:
        raise NewerSchemaError(
            f"{path} has schema {version} of {component.name!r}, and this laminar knows {component.version}. "
            "Upgrade laminar."
        )
