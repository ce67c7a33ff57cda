"""Triggers: when they fire, what they have done, pausing and resuming them."""

from __future__ import annotations

from anyio import to_thread

from laminar.server import deployments, logs, triggers
from laminar.server.identity import Role
from laminar.server.routes import KIB, Asked, Route
from laminar.wire.triggers import FiringPage, FiringQuery, TriggerPage, TriggerQuery, TriggerRef, TriggerView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SPACE = "/projects/{project}/domains/{domain}"


def space_of(asked: Asked) -> str:
    """Name the space of a path, which must exist."""
    return deployments.space(asked.services.engine.catalog, asked.path["project"], asked.path["domain"])


async def page(asked: Asked) -> TriggerPage:
    """List triggers."""
    query: TriggerQuery = asked.query
    return await to_thread.run_sync(lambda: triggers.page(asked.services.engine, space_of(asked), query.entity))


async def firings(asked: Asked) -> FiringPage:
    """List what was decided about due times."""
    return await to_thread.run_sync(lambda: triggers.firings(asked.services.engine, space_of(asked), asked.query))


async def pause(asked: Asked) -> TriggerView:
    """Let a trigger fire no more for a while."""
    return await to_thread.run_sync(_pause, asked)


def _pause(asked: Asked) -> TriggerView:
    return _changed(asked, asked.services.engine.schedules.pause, "a trigger is paused")


async def resume(asked: Asked) -> TriggerView:
    """Let a trigger fire again."""
    return await to_thread.run_sync(_resume, asked)


def _resume(asked: Asked) -> TriggerView:
    return _changed(asked, asked.services.engine.schedules.resume, "a trigger is resumed")


def _changed(asked: Asked, change: Callable[[str, str, str], None], said: str) -> TriggerView:
    space, wanted = space_of(asked), asked.body
    change(space, wanted.entity, wanted.name)
    logs.event(said, space=space, entity=wanted.entity, trigger=wanted.name, caller=asked.identity.name)
    return triggers.view(asked.services.engine, space, wanted.entity, wanted.name)


ROUTES = (
    Route(
        "GET",
        f"{SPACE}/triggers",
        Role.VIEWER,
        page,
        "List triggers, with the next times at which they fire.",
        query=TriggerQuery,
        returns=TriggerPage,
    ),
    Route(
        "GET",
        f"{SPACE}/firings",
        Role.VIEWER,
        firings,
        "List what was decided about the due times of a trigger, the latest first.",
        query=FiringQuery,
        returns=FiringPage,
    ),
    Route(
        "POST",
        f"{SPACE}/triggers/pause",
        Role.EDITOR,
        pause,
        "Let a trigger fire no more until it is resumed.",
        body=TriggerRef,
        returns=TriggerView,
        most=4 * KIB,
    ),
    Route(
        "POST",
        f"{SPACE}/triggers/resume",
        Role.EDITOR,
        resume,
        "Let a trigger that was paused fire again.",
        body=TriggerRef,
        returns=TriggerView,
        most=4 * KIB,
    ),
)
