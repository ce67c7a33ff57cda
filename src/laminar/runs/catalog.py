"""What is deployed on a server, as its API tells of it."""

from __future__ import annotations

from urllib.parse import quote

from laminar.wire.deployments import DeploymentPage, EntityPage, EntityView
from laminar.wire.projects import ProjectPage, ProjectRequest, ProjectView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from laminar.client.http import Client
    from laminar.wire.deployments import DeploymentView, EntityLine

#: Items of one page.
PAGE = 200


class Catalog:
    """What is deployed in a project and domain."""

    def __init__(self, client: Client) -> None:
        """Take what asks the server."""
        self.client = client

    def entity(self, name: str, version: str | None = None) -> EntityView:
        """Describe a task, flow or layer.

        Args:
            name: Its name.
            version: Its version; by default the one that was deployed last.

        Raises:
            UnknownEntityError: There is none.
        """
        path = self.client.space_path(f"/entities/{quote(name, safe='')}")
        view: EntityView = self.client.call("GET", path, query={"version": version}, returns=EntityView)
        return view

    def entities(self, kind: str, name: str | None = None, limit: int = 100) -> list[EntityLine]:
        """List the newest version of each entity of a kind; or all versions of one, the newest first.

        Args:
            kind: ``task``, ``flow`` or ``layer``.
            name: Name of one.
            limit: How many at most.
        """
        found: list[EntityLine] = []
        known: set[str] = set()
        for line in self._all(kind, name):
            if len(found) == limit:
                break
            if name is not None or line.name not in known:
                found.append(line)
                known.add(line.name)
        return found

    def _all(self, kind: str, name: str | None) -> Iterator[EntityLine]:
        path, after = self.client.space_path("/entities"), None
        while True:
            query = {"kind": kind, "name": name, "limit": PAGE, "after": after}
            page: EntityPage = self.client.call("GET", path, query=query, returns=EntityPage)
            yield from page.items
            after = page.next
            if after is None:
                return

    def deployments(self, kind: str | None = None, name: str | None = None, limit: int = 100) -> list[DeploymentView]:
        """List deployments, the newest first.

        Args:
            kind: ``environment`` or ``flow``; None for both.
            name: Name of one; None for all.
            limit: How many at most.
        """
        path, after = self.client.space_path("/deployments"), None
        found: list[DeploymentView] = []
        while len(found) < limit:
            query = {"kind": kind, "name": name, "limit": min(PAGE, limit - len(found)), "after": after}
            page: DeploymentPage = self.client.call("GET", path, query=query, returns=DeploymentPage)
            found += page.items
            after = page.next
            if after is None:
                break
        return found


def projects(client: Client) -> tuple[ProjectView, ...]:
    """List the projects of a server."""
    page: ProjectPage = client.call("GET", "/projects", returns=ProjectPage)
    return page.items


def add_project(client: Client, name: str, description: str = "") -> ProjectView:
    """Make a project.

    Args:
        client: Asks the server.
        name: Its name: letters in lower case, digits, ``-`` and ``_``.
        description: What it is for.

    Raises:
        PermissionDeniedError: The role admin is needed.
        RequestError: There is one of that name, or the name is none.
    """
    body = ProjectRequest(name=name, description=description)
    view: ProjectView = client.call("POST", "/projects", body=body, returns=ProjectView)
    return view
