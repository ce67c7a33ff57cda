"""Tables come in components, each with a version; here one is made, or taken to the version of this laminar."""

from __future__ import annotations

from laminar.errors import NewerSchemaError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from laminar.ledger.database import Connection, Database


class Component(Value, frozen=True):
    """Tables that belong together.

    Attributes:
        name: Their name.
        version: The version that this laminar knows.
        tables: What makes them.
        triggers: What makes their triggers, by dialect.
        migrations: What takes them to the next version, by the version that they have.
    """

    name: str
    version: int
    tables: str
    triggers: Mapping[str, str]
    migrations: Mapping[int, str]


def set_up(database: Database, component: Component) -> None:
    """Make the tables of a component, or take them to the known version; others may do the same at the same time.

    Args:
        database: Where.
        component: Which.

    Raises:
        NewerSchemaError: They are of a newer laminar; nothing is changed.
        LedgerError: They cannot be made.
    """

    if _known(database, component, database.version(component.name)):
        return

    def work(connection: Connection) -> None:
        connection.lock("schema")
        version = connection.version(component.name)
        if _known(database, component, version):
            return
        if version == 0:
            connection.define(component.tables + component.triggers[database.dialect])
        for old in range(version or component.version, component.version):
            connection.define(component.migrations[old])
        connection.set_version(component.name, component.version)

    database.transact(work)


def _known(database: Database, component: Component, version: int) -> bool:
    if version > component.version:
        raise NewerSchemaError(
            f"The ledger at {database.name} has schema {version} of {component.name!r}; this laminar knows "
            f"{component.version}. Upgrade laminar, or name another place."
        )
    return version == component.version
