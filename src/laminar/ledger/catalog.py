"""What is deployed: projects, bundles, deployments, and the tasks, flows and layers that they bring."""

from __future__ import annotations

import time

from laminar.errors import VersionConflictError
from laminar.ledger.server_rows import BundleRow, DeploymentRow, EntityRow, ProjectRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from laminar.ledger.database import Connection, Database

#: A number above all others, for the first page of a list that goes down.
LAST = 2**62

ADD_PROJECT = "INSERT INTO projects (name, description, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
FIND_PROJECT = "SELECT name, description, created FROM projects WHERE name = ?"
LIST_PROJECTS = "SELECT name, description, created FROM projects ORDER BY name"

ADD_BUNDLE = "INSERT INTO bundles (space, md5, size, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
FIND_BUNDLE = "SELECT space, md5, size, created FROM bundles WHERE space = ? AND md5 = ?"

SELECT_DEPLOYMENTS = """
SELECT space, kind, name, version, content, bundle, spec, created, author, sequence FROM deployments
"""
FIND_DEPLOYMENT = SELECT_DEPLOYMENTS + "WHERE space = ? AND kind = ? AND name = ? AND version = ?"
LIST_DEPLOYMENTS = (
    SELECT_DEPLOYMENTS
    + """
WHERE space = ?1 AND sequence < ?2 AND (kind = ?3 OR ?3 IS NULL) AND (name = ?4 OR ?4 IS NULL)
ORDER BY sequence DESC LIMIT ?5
"""
)
LAST_DEPLOYMENT = "SELECT coalesce(max(sequence), 0) FROM deployments WHERE space = ?"
ADD_DEPLOYMENT = """
INSERT INTO deployments (space, kind, name, version, content, bundle, spec, created, author, sequence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
LATEST_VERSION = """
SELECT version FROM deployments WHERE space = ? AND kind = ? AND name = ? ORDER BY sequence DESC LIMIT 1
"""
RAISE_DEPLOYMENT = "UPDATE deployments SET sequence = ? WHERE space = ? AND kind = ? AND name = ? AND version = ?"

SELECT_ENTITIES = "SELECT space, name, version, kind, bundle, spec, created, sequence FROM entities "
FIND_ENTITY = SELECT_ENTITIES + "WHERE space = ? AND name = ? AND version = ?"
FIND_LATEST = SELECT_ENTITIES + "WHERE space = ? AND name = ? ORDER BY sequence DESC LIMIT 1"
LIST_ENTITIES = (
    SELECT_ENTITIES
    + """
WHERE space = ?1 AND sequence < ?2 AND (kind = ?3 OR ?3 IS NULL) AND (name = ?4 OR ?4 IS NULL)
ORDER BY sequence DESC LIMIT ?5
"""
)
LIST_NAMES = """
SELECT name FROM entities WHERE space = ?1 AND (kind = ?2 OR ?2 IS NULL) GROUP BY name
ORDER BY max(sequence) DESC LIMIT ?3
"""
LAST_ENTITY = "SELECT coalesce(max(sequence), 0) FROM entities WHERE space = ?"
ADD_ENTITY = """
INSERT INTO entities (space, name, version, kind, bundle, spec, created, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
RAISE_ENTITY = "UPDATE entities SET sequence = ? WHERE space = ? AND name = ? AND version = ?"


class Catalog:
    """What is deployed on a server."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    # Projects and bundles

    def add_project(self, name: str, description: str = "") -> bool:
        """Make a project; False if there is one of that name."""
        values = (name, description, time.time())

        def make(connection: Connection) -> bool:
            connection.execute(ADD_PROJECT, values)
            return connection.changed == 1

        return self._database.transact(make)

    def project(self, name: str) -> ProjectRow | None:
        """Find a project."""
        rows = self._database.read(FIND_PROJECT, (name,))
        return ProjectRow(*rows[0]) if rows else None

    def projects(self) -> list[ProjectRow]:
        """List all projects, by name."""
        return [ProjectRow(*row) for row in self._database.read(LIST_PROJECTS)]

    def add_bundle(self, space: str, md5: str, size: int) -> None:
        """Note that a bundle has come; it may have come before."""
        values = (space, md5, size, time.time())
        self._database.transact(lambda connection: connection.execute(ADD_BUNDLE, values))

    def bundle(self, space: str, md5: str) -> BundleRow | None:
        """Find a bundle."""
        rows = self._database.read(FIND_BUNDLE, (space, md5))
        return BundleRow(*rows[0]) if rows else None

    # Deployments

    def deploy(self, deployment: DeploymentRow, entities: Sequence[EntityRow]) -> bool:
        """Register a version of an environment or flow with what belongs to it, all or nothing.

        Args:
            deployment: The version.
            entities: Its tasks; or the flow and its layers. One that is there already stays as it is.

        Returns:
            False if this version is there already, with the same content: then it becomes the latest again, and
            nothing else is done.

        Raises:
            VersionConflictError: This version is there with other content.
        """
        one = deployment

        def register(connection: Connection) -> bool:
            connection.lock("catalog", one.space)
            where = (one.space, one.kind, one.name)
            found = connection.execute(FIND_DEPLOYMENT, (*where, one.version))
            (last,) = connection.execute(LAST_DEPLOYMENT, (one.space,))[0]
            (last_entity,) = connection.execute(LAST_ENTITY, (one.space,))[0]
            numbered = [row.replace(sequence=number) for number, row in enumerate(entities, last_entity + 1)]
            if not found:
                connection.execute(ADD_DEPLOYMENT, _values(one.replace(sequence=last + 1)))
                connection.executemany(ADD_ENTITY, [_values(row) for row in numbered])
                return True
            _compare(one, DeploymentRow(*found[0]))
            if connection.execute(LATEST_VERSION, where) != [(one.version,)]:
                connection.execute(RAISE_DEPLOYMENT, (last + 1, *where, one.version))
                raised = [(row.sequence, row.space, row.name, row.version) for row in numbered]
                connection.executemany(RAISE_ENTITY, raised)
            return False

        return self._database.transact(register)

    def deployment(self, space: str, kind: str, name: str, version: str) -> DeploymentRow | None:
        """Find a version of an environment or flow."""
        rows = self._database.read(FIND_DEPLOYMENT, (space, kind, name, version))
        return DeploymentRow(*rows[0]) if rows else None

    def deployments(
        self, space: str, *, kind: str | None = None, name: str | None = None, before: int = LAST, limit: int = 50
    ) -> list[DeploymentRow]:
        """List deployments, the newest first.

        Args:
            space: Of this space.
            kind: Of this kind.
            name: Of this name.
            before: Those that follow on a page: its last one's ``sequence``.
            limit: How many at most.
        """
        rows = self._database.read(LIST_DEPLOYMENTS, (space, before, kind, name, limit))
        return [DeploymentRow(*row) for row in rows]

    # Tasks, flows and layers

    def entity(self, space: str, name: str, version: str | None = None) -> EntityRow | None:
        """Find a version of a task, flow or layer; the one that was deployed last by default."""
        if version is None:
            rows = self._database.read(FIND_LATEST, (space, name))
        else:
            rows = self._database.read(FIND_ENTITY, (space, name, version))
        return EntityRow(*rows[0]) if rows else None

    def entities(
        self, space: str, *, kind: str | None = None, name: str | None = None, before: int = LAST, limit: int = 50
    ) -> list[EntityRow]:
        """List versions of tasks, flows and layers, the newest first; the arguments are those of a deployment's."""
        rows = self._database.read(LIST_ENTITIES, (space, before, kind, name, limit))
        return [EntityRow(*row) for row in rows]

    def names(self, space: str, kind: str | None = None, limit: int = 1000) -> list[str]:
        """List the names that are deployed, of one kind or all, the last one first."""
        return [name for (name,) in self._database.read(LIST_NAMES, (space, kind, limit))]


def _values(row: DeploymentRow | EntityRow) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in type(row).fields__)


def _compare(new: DeploymentRow, known: DeploymentRow) -> None:
    if new.content != known.content:
        raise VersionConflictError(
            f"Version {new.version} of {new.kind} {new.name} exists in {new.space} with other content, deployed by "
            f"{known.author or 'somebody'}. Deploy it under another version, or leave the version out."
        )
