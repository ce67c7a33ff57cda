"""Requests and answers about deployments: bundles, versions, what is deployed."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from laminar.wire.specs import EntityName, EntitySpec, Kind, Version

#: MD5 of a file's bytes in Base64, as ``Content-MD5`` has it.
ContentMd5: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{22}==$(?!\n)")]
DeploymentKind: TypeAlias = Literal["environment", "flow"]


class UploadRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Asks where a file goes.

    Attributes:
        content_md5: MD5 of its bytes in Base64; the store checks it.
        size: How many bytes it has.
        filename: What people call it; it is no path.
    """

    content_md5: ContentMd5
    size: Annotated[int, Meta(ge=0)]
    filename: Annotated[str, Meta(min_length=1, max_length=200)]


class UploadAnswer(Struct, kw_only=True, frozen=True):
    """Says where a file goes.

    Attributes:
        exists: Whether the very same file is there already; then there is nothing to send.
        url: Where to PUT it; None if it exists.
        headers: What the request must say.
    """

    exists: bool
    url: str | None = None
    headers: dict[str, str] = {}


class DeployRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Registers one environment or flow with all that belongs to it.

    Attributes:
        kind: Which of them.
        name: Name of the environment, or of the flow.
        version: Its version.
        content: SHA-256 of the specifications and of the bundle's files; what one version stands for never changes.
        bundle: MD5 of the bundle in Base64.
        entities: Its tasks; or the flow first, and then its layers.
        description: What it is for.
    """

    kind: DeploymentKind
    name: EntityName
    version: Version
    content: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    bundle: ContentMd5
    entities: Annotated[tuple[EntitySpec, ...], Meta(min_length=1, max_length=10_000)]
    description: str = ""


class EntityView(Struct, kw_only=True, frozen=True):
    """A version of a task, flow or layer.

    Attributes:
        space: Project and domain, ``"<project>/<domain>"``.
        spec: What it is.
        version: Its version.
        bundle: MD5 of its bundle in Base64.
        created: When it was deployed, in seconds since the epoch.
    """

    space: str
    spec: EntitySpec
    version: str
    bundle: str
    created: float


class EntityLine(Struct, kw_only=True, frozen=True):
    """A version of a task, flow or layer, in a list."""

    kind: Kind
    name: str
    version: str
    short_name: str | None = None
    doc: str = ""
    created: float


class EntityPage(Struct, kw_only=True, frozen=True):
    """Versions of tasks, flows and layers, the newest first.

    Attributes:
        items: The versions.
        next: What to ask the next page with; None after the last.
    """

    items: tuple[EntityLine, ...]
    next: str | None = None


class DeploymentView(Struct, kw_only=True, frozen=True):
    """A version of an environment or flow.

    Attributes:
        space: Project and domain, ``"<project>/<domain>"``.
        kind: Which of them.
        name: Name of the environment, or of the flow.
        version: Its version.
        content: SHA-256 of the specifications and of the bundle's files.
        bundle: MD5 of the bundle in Base64.
        entities: Names of its tasks; or of the flow, and then of its layers.
        description: What it is for.
        created: When it was deployed, in seconds since the epoch.
        author: Who has deployed it.
        existed: In the answer to a request: whether this version was there with the same content.
    """

    space: str
    kind: DeploymentKind
    name: str
    version: str
    content: str
    bundle: str
    entities: tuple[str, ...] = ()
    description: str = ""
    created: float
    author: str = ""
    existed: bool = False


class DeploymentPage(Struct, kw_only=True, frozen=True):
    """Versions of environments and flows, the newest first.

    Attributes:
        items: The versions.
        next: What to ask the next page with; None after the last.
    """

    items: tuple[DeploymentView, ...]
    next: str | None = None
