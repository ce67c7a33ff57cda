"""How the server is, what it counts, what can be asked of it, and who asks."""

from __future__ import annotations

import time

import msgspec
from anyio import to_thread
from starlette.responses import Response

from laminar.server import metrics
from laminar.server.identity import Role
from laminar.server.openapi import described
from laminar.server.routes import Asked, Route
from laminar.version import VERSION
from laminar.wire.health import Health, Me


async def health(asked: Asked) -> Response:
    """Say whether the server can do its work."""
    problem = await to_thread.run_sync(asked.services.unwell)
    found = Health(status="unwell" if problem else "ok", version=VERSION, detail=problem)
    return Response(msgspec.json.encode(found), 503 if problem else 200, media_type="application/json")


async def counted(asked: Asked) -> Response:
    """Give what is counted."""
    text = await to_thread.run_sync(asked.services.metrics.text)
    return Response(text, media_type=metrics.MEDIA)


async def description(asked: Asked) -> Response:
    """Give the description of all that can be asked for."""
    return Response(described(asked.request.app.state.routes), media_type="application/json")


async def me(asked: Asked) -> Me:
    """Say who asks."""
    executor = asked.services.settings.executor
    who = asked.identity
    trouble = await to_thread.run_sync(asked.services.unwell)
    now = round(time.time() * 1000)
    return Me(name=who.name, role=who.role.value, version=VERSION, executor=executor, time=now, trouble=trouble)


ROUTES = (
    Route("GET", "/health", Role.PUBLIC, health, "Say whether the server can do its work.", returns=Health),
    Route("GET", "/metrics", Role.VIEWER, counted, "Give what is counted.", media=metrics.MEDIA),
    Route("GET", "/openapi.json", Role.VIEWER, description, "Describe all that can be asked for.", returns=dict),
    Route("GET", "/me", Role.VIEWER, me, "Say who asks.", returns=Me),
)
