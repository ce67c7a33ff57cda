"""What is deployed, and projects."""

from __future__ import annotations

from typing import Annotated, Literal

from anyio import to_thread
from msgspec import Meta

from laminar.server import deployments
from laminar.server.identity import Role
from laminar.server.routes import MIB, Asked, Route
from laminar.wire.agents import Plain
from laminar.wire.deployments import DeploymentPage, DeploymentView, DeployRequest, EntityPage, EntityView
from laminar.wire.specs import EntityName, Version

SPACE = "/projects/{project}/domains/{domain}"


class DeploymentQuery(Plain, frozen=True, kw_only=True):
    """Which deployments.

    Attributes:
        kind: Of this kind.
        name: Of this environment or flow.
        limit: How many at most.
        after: Those that follow a page: what it gave as ``next``.
    """

    kind: Literal["environment", "flow"] | None = None
    name: EntityName | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    after: Annotated[int, Meta(ge=0, le=2**62)] | None = None


class EntityQuery(Plain, frozen=True, kw_only=True):
    """Which tasks, flows and layers.

    Attributes:
        kind: Of this kind.
        name: Of this name.
        limit: How many at most.
        after: Those that follow a page: what it gave as ``next``.
    """

    kind: Literal["task", "flow", "layer"] | None = None
    name: EntityName | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    after: Annotated[int, Meta(ge=0, le=2**62)] | None = None


class VersionQuery(Plain, frozen=True, kw_only=True):
    """Which version; the one that was deployed last by default."""

    version: Version | None = None


def _space(asked: Asked) -> str:
    return deployments.space(asked.services.engine.catalog, asked.path["project"], asked.path["domain"])


async def deploy(asked: Asked) -> DeploymentView:
    """Register a version of an environment or flow."""
    return await to_thread.run_sync(_deploy, asked)


def _deploy(asked: Asked) -> DeploymentView:
    services = asked.services
    return deployments.deploy(services.engine, services.store, _space(asked), asked.body, asked.identity.name)


async def page(asked: Asked) -> DeploymentPage:
    """List deployments."""
    return await to_thread.run_sync(_page, asked)


def _page(asked: Asked) -> DeploymentPage:
    query: DeploymentQuery = asked.query
    return deployments.page(asked.services.engine, _space(asked), query.kind, query.name, query.limit, query.after)


async def entities(asked: Asked) -> EntityPage:
    """List tasks, flows and layers."""
    return await to_thread.run_sync(_entities, asked)


def _entities(asked: Asked) -> EntityPage:
    query: EntityQuery = asked.query
    return deployments.entities(asked.services.engine, _space(asked), query.kind, query.name, query.limit, query.after)


async def entity(asked: Asked) -> EntityView:
    """Describe a task, flow or layer."""
    return await to_thread.run_sync(_entity, asked)


def _entity(asked: Asked) -> EntityView:
    query: VersionQuery = asked.query
    return deployments.entity(asked.services.engine, _space(asked), asked.path["name"], query.version)


ROUTES = (
    Route(
        "POST",
        f"{SPACE}/deployments",
        Role.EDITOR,
        deploy,
        "Register a version of an environment or flow.",
        body=DeployRequest,
        returns=DeploymentView,
        most=16 * MIB,
    ),
    Route(
        "GET",
        f"{SPACE}/deployments",
        Role.VIEWER,
        page,
        "List deployments, the newest first.",
        query=DeploymentQuery,
        returns=DeploymentPage,
    ),
    Route(
        "GET",
        f"{SPACE}/entities",
        Role.VIEWER,
        entities,
        "List versions of tasks, flows and layers, the newest first.",
        query=EntityQuery,
        returns=EntityPage,
    ),
    Route(
        "GET",
        f"{SPACE}/entities/{{name}}",
        Role.VIEWER,
        entity,
        "Describe a task, flow or layer.",
        query=VersionQuery,
        returns=EntityView,
    ),
)
