"""Requests and answers about projects."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class ProjectRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Asks for a project.

    Attributes:
        name: Its name.
        description: What it is for.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)")]
    description: Annotated[str, Meta(max_length=1000)] = ""


class ProjectView(Struct, kw_only=True, frozen=True):
    """A project.

    Attributes:
        name: Its name.
        description: What it is for.
        created: When it was made, in seconds since the epoch.
    """

    name: str
    description: str
    created: float


class ProjectPage(Struct, kw_only=True, frozen=True):
    """All projects, by name."""

    items: tuple[ProjectView, ...]
