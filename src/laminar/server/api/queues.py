"""Queues, and the limit of a space."""

from __future__ import annotations

from anyio import to_thread

from laminar.errors import UnknownQueueError
from laminar.ledger.queues import PROJECT
from laminar.server import logs
from laminar.server.api.triggers import SPACE, space_of
from laminar.server.identity import Role
from laminar.server.routes import KIB, Asked, Route
from laminar.wire.queues import HolderView, LimitRequest, QueuePage, QueueRequest, QueueView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.ledger.server_rows import QueueRow


async def page(asked: Asked) -> QueuePage:
    """List queues."""
    return await to_thread.run_sync(_page, asked)


def _page(asked: Asked) -> QueuePage:
    rows = asked.services.engine.queues.table.all(space_of(asked))
    return QueuePage(items=tuple(_view(asked, row) for row in rows))


def _view(asked: Asked, row: QueueRow) -> QueueView:
    holders = asked.services.engine.queues.table.holders(row.space, row.name)
    named = (holder.rsplit("/", 2) for holder in holders)
    shown = tuple(HolderView(run=run, action=action, index=int(index)) for run, action, index in named)
    return QueueView(name=row.name, size=row.size, taken=row.taken, holders=shown)


async def put(asked: Asked) -> QueueView:
    """Make a queue, or change its size."""
    return await to_thread.run_sync(_put, asked)


def _put(asked: Asked) -> QueueView:
    body: QueueRequest = asked.body
    _set(asked, body.name, body.size)
    row = asked.services.engine.queues.table.find(space_of(asked), body.name)
    if row is None:
        raise UnknownQueueError(f"The queue {body.name!r} was taken away at the same moment. Make it again.")
    return _view(asked, row)


async def limit(asked: Asked) -> QueuePage:
    """Limit all actions of a space, or do so no more."""
    return await to_thread.run_sync(_limit, asked)


def _limit(asked: Asked) -> QueuePage:
    body: LimitRequest = asked.body
    _set(asked, PROJECT, body.size)
    return _page(asked)


async def drop(asked: Asked) -> QueuePage:
    """Take a queue away."""
    return await to_thread.run_sync(_drop, asked)


def _drop(asked: Asked) -> QueuePage:
    space, name = space_of(asked), asked.path["queue"]
    if asked.services.engine.queues.table.find(space, name) is None:
        raise UnknownQueueError(f"There is no queue {name!r} in {space}. laminar get queues shows those that exist.")
    _set(asked, name, None)
    return _page(asked)


def _set(asked: Asked, name: str, size: int | None) -> None:
    """Make a queue of a size, or take it away if it is to have none."""
    space, queues = space_of(asked), asked.services.engine.queues
    if size is None:
        queues.table.drop(space, name)
    else:
        queues.table.put(space, name, size)
    queues.refresh()
    logs.event("a limit is changed", space=space, queue=name, size=size, caller=asked.identity.name)


ROUTES = (
    Route("GET", f"{SPACE}/queues", Role.VIEWER, page, "List queues, and who has their slots.", returns=QueuePage),
    Route(
        "POST",
        f"{SPACE}/queues",
        Role.EDITOR,
        put,
        "Make a queue, or change its size.",
        body=QueueRequest,
        returns=QueueView,
        most=4 * KIB,
    ),
    Route(
        "POST",
        f"{SPACE}/limit",
        Role.ADMIN,
        limit,
        "Limit how many actions of a project's domain go on at a time.",
        body=LimitRequest,
        returns=QueuePage,
        most=4 * KIB,
    ),
    Route(
        "DELETE",
        f"{SPACE}/queues/{{queue}}",
        Role.EDITOR,
        drop,
        "Take a queue away: nothing waits for it any more.",
        returns=QueuePage,
    ),
)
