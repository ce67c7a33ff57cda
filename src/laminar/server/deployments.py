"""What is deployed: registered, found, listed."""

from __future__ import annotations

import base64
import functools
import time

import msgspec

from laminar.errors import PolicyError, UnknownEntityError, UnknownProjectError, UploadRefusedError, nearest
from laminar.ledger.server_rows import DeploymentRow, EntityRow
from laminar.server import keys
from laminar.server.work import Entity
from laminar.wire.deployments import (
    DeploymentPage,
    DeploymentView,
    DeployRequest,
    EntityLine,
    EntityPage,
    EntityView,
)
from laminar.wire.specs import EntitySpec, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.catalog import Catalog
    from laminar.server.engine import Engine
    from laminar.server.store import Store

LATEST = "latest"
DOMAINS = ("development", "staging", "production")


def space(catalog: Catalog, project: str, domain: str) -> str:
    """Name a space.

    Raises:
        UnknownProjectError: There is no such project or domain.
    """
    if domain not in DOMAINS:
        raise UnknownProjectError(f"There is no domain {domain!r}.{nearest(domain, DOMAINS)}")
    if catalog.project(project) is None:
        known = [row.name for row in catalog.projects()]
        raise UnknownProjectError(
            f"There is no project {project!r} on this server.{nearest(project, known)} "
            f"An admin can make it: laminar create project {project}"
        )
    return f"{project}/{domain}"


def deploy(engine: Engine, store: Store, where: str, request: DeployRequest, author: str) -> DeploymentView:
    """Register a version of an environment or flow.

    Raises:
        UploadRefusedError: Its bundle is not in the store.
        VersionConflictError: The version is there with other content.
        UnknownQueueError: One of its tasks waits in a queue that is not there.
        PolicyError: A policy makes no sense.
    """
    for entity in request.entities:
        see(entity)
        engine.queues.see(where, entity.queue)
    key = keys.bundle(where, base64.b64decode(request.bundle).hex())
    size = store.blobs.size(key)
    if size is None:
        raise UploadRefusedError(f"The bundle of {request.name} is not in the store. Upload it first.")
    catalog, now = engine.catalog, time.time()
    catalog.add_bundle(where, request.bundle, size)
    plain = _Stated(entities=tuple(entity.name for entity in request.entities), description=request.description)
    row = DeploymentRow(
        where,
        request.kind,
        request.name,
        request.version,
        request.content,
        request.bundle,
        msgspec.json.encode(plain).decode(),
        now,
        author,
    )
    rows = [
        EntityRow(
            where,
            entity.name,
            request.version,
            entity.kind,
            request.bundle,
            msgspec.json.encode(entity).decode(),
            now,
        )
        for entity in request.entities
    ]
    fresh = catalog.deploy(row, rows)
    engine.schedules.deployed(where, request)
    found = row if fresh else catalog.deployment(where, request.kind, request.name, request.version)
    assert found is not None
    return msgspec.structs.replace(_deployment(found), existed=not fresh)


def see(spec: EntitySpec) -> None:
    """See that the policies of a specification make sense.

    Raises:
        PolicyError: One does not.
    """
    spec.resources.value()
    spec.retries.value()
    spec.cache.value()
    if spec.timeout is not None:
        spec.timeout.value()
    if spec.reusable is not None:
        spec.reusable.value()
    for secret in spec.secrets:
        secret.value()
    for trigger in spec.triggers:
        trigger.value()
    names = [trigger.name for trigger in spec.triggers]
    if len(set(names)) < len(names):
        raise PolicyError(f"{spec.name} has two triggers of one name: {', '.join(names)}. Give each its own.")


class _Stated(msgspec.Struct, frozen=True, kw_only=True):
    entities: tuple[str, ...]
    description: str = ""


def _deployment(row: DeploymentRow) -> DeploymentView:
    stated = msgspec.json.decode(row.spec, type=_Stated)
    return DeploymentView(
        space=row.space,
        kind=row.kind,  # type: ignore[arg-type]  # the table holds what a request has said
        name=row.name,
        version=row.version,
        content=row.content,
        bundle=row.bundle,
        entities=stated.entities,
        description=stated.description,
        created=row.created,
        author=row.author,
    )


def page(
    engine: Engine, where: str, kind: str | None, name: str | None, limit: int, before: int | None
) -> DeploymentPage:
    """List deployments, the newest first."""
    more = {} if before is None else {"before": before}
    rows = engine.catalog.deployments(where, kind=kind, name=name, limit=limit + 1, **more)
    shown = rows[:limit]
    following = str(shown[-1].sequence) if len(rows) > limit else None
    return DeploymentPage(items=tuple(_deployment(row) for row in shown), next=following)


def entities(
    engine: Engine, where: str, kind: str | None, name: str | None, limit: int, before: int | None
) -> EntityPage:
    """List versions of tasks, flows and layers, the newest first."""
    more = {} if before is None else {"before": before}
    rows = engine.catalog.entities(where, kind=kind, name=name, limit=limit + 1, **more)
    shown = rows[:limit]
    following = str(shown[-1].sequence) if len(rows) > limit else None
    return EntityPage(items=tuple(_line(row) for row in shown), next=following)


def _line(row: EntityRow) -> EntityLine:
    spec = _spec(row.spec)
    return EntityLine(
        kind=spec.kind,
        name=row.name,
        version=row.version,
        short_name=spec.short_name,
        doc=spec.doc,
        created=row.created,
    )


def entity(engine: Engine, where: str, name: str, version: str | None) -> EntityView:
    """Describe a version of a task, flow or layer.

    Raises:
        UnknownEntityError: There is none.
    """
    row = find(engine.catalog, where, name, version)
    return EntityView(space=where, spec=_spec(row.spec), version=row.version, bundle=row.bundle, created=row.created)


def find(catalog: Catalog, where: str, name: str, version: str | None) -> EntityRow:
    """Find a version of a task, flow or layer.

    Args:
        catalog: What is deployed.
        where: The space.
        name: Its name.
        version: Its version; None or ``"latest"`` for the one that was deployed last.

    Raises:
        UnknownEntityError: There is none.
    """
    wanted: Version | None = None if version == LATEST else version
    row = catalog.entity(where, name, wanted)
    if row is not None:
        return row
    if wanted is not None:
        newest = catalog.entity(where, name)
        if newest is not None:
            raise UnknownEntityError(f"{name} has no version {wanted!r} in {where}. The newest is {newest.version}.")
    known = catalog.names(where)
    hint = nearest(name, known) if known else " Nothing is deployed there. Deploy it: laminar deploy FILE NAME"
    raise UnknownEntityError(f"There is no {name} in {where}.{hint}")


def loaded(catalog: Catalog, where: str, name: str, version: str | None) -> Entity:
    """Give what the engine must know of a version.

    Raises:
        UnknownEntityError: There is none.
    """
    row = find(catalog, where, name, version)
    bundle = base64.b64decode(row.bundle).hex() if row.bundle else ""
    return Entity(_spec(row.spec), row.version, bundle)


def spec_of(row: EntityRow) -> EntitySpec:
    """Read the specification of a version."""
    return _spec(row.spec)


@functools.lru_cache(maxsize=1000)
def _spec(text: str) -> EntitySpec:
    return msgspec.json.decode(text, type=EntitySpec)
