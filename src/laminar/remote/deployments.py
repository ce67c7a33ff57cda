"""What was deployed on a server."""

from __future__ import annotations

from laminar.model.value import Value
from laminar.remote.asking import client_for
from laminar.runs.catalog import Catalog


class Deployment(Value, frozen=True):
    """A version of an environment or flow on a server.

    Attributes:
        kind: ``"environment"`` or ``"flow"``.
        name: Its name.
        version: Its version.
        entities: Names of its tasks; or of the flow, and then of its layers.
        description: What it is for.
        created: When it was deployed, in seconds since the epoch.
        author: Who has deployed it.
    """

    kind: str
    name: str
    version: str
    entities: tuple[str, ...]
    description: str
    created: float
    author: str

    @classmethod
    def listall(
        cls,
        name: str | None = None,
        *,
        kind: str | None = None,
        limit: int = 100,
        project: str | None = None,
        domain: str | None = None,
    ) -> list[Deployment]:
        """List deployments, the newest first.

        Args:
            name: Of this environment or flow.
            kind: ``"environment"`` or ``"flow"``; None for both.
            limit: How many at most.
            project: The project that they are in; by default the configured one.
            domain: The domain that they are in; by default the configured one.
        """
        views = Catalog(client_for(project, domain)).deployments(kind, name, limit)
        fields = ("kind", "name", "version", "entities", "description", "created", "author")
        return [cls(*(getattr(view, field) for field in fields)) for view in views]
