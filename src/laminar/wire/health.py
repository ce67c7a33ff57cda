"""Answers about the server itself."""

from __future__ import annotations

import msgspec


class Health(msgspec.Struct, kw_only=True, frozen=True):
    """How the server is.

    Attributes:
        status: ``ok``, or ``unwell`` if it cannot do its work.
        version: Its version of laminar.
        detail: Why it is unwell.
    """

    status: str
    version: str
    detail: str = ""


class Me(msgspec.Struct, kw_only=True, frozen=True):
    """Who asks, as the server sees it.

    Attributes:
        name: The name of its token; ``local`` without one.
        role: What it may do.
        version: The server's version of laminar.
        executor: Where it runs tasks: ``process`` or ``docker``.
        time: What its clock says, in milliseconds since the epoch; None of an older server.
        trouble: What keeps it from its work; empty if nothing does.
    """

    name: str
    role: str
    version: str
    executor: str
    time: int | None = None
    trouble: str = ""
