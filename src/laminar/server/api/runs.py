"""Runs: what is asked for, how it goes, what came of it."""

from __future__ import annotations

from anyio import to_thread

from laminar.server import runs, streams
from laminar.server.following import Following
from laminar.server.identity import Role
from laminar.server.routes import MIB, Asked, Route
from laminar.wire.runs import (
    ActionPage,
    ActionQuery,
    ActionView,
    AttemptPage,
    InputsView,
    KeptPage,
    KeptQuery,
    LogQuery,
    ResultView,
    RunPage,
    RunQuery,
    RunRequest,
    RunView,
    Since,
    StopRequest,
    TaskCounts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from starlette.responses import Response

SPACE = "/projects/{project}/domains/{domain}/runs"
RUN = f"{SPACE}/{{run}}"
ACTION = f"{RUN}/actions/{{action}}"
#: Bytes of the largest request: large inputs lie in the store.
MOST = 16 * MIB


def space_of(asked: Asked) -> str:
    """Name the space that a path is in."""
    return f"{asked.path['project']}/{asked.path['domain']}"


def _of(asked: Asked) -> tuple[str, str]:
    return space_of(asked), asked.path["run"]


async def begin(asked: Asked) -> RunView:
    """Begin a run."""
    engine = asked.services.engine
    return await to_thread.run_sync(runs.begin, engine, space_of(asked), asked.body, asked.identity.name)


async def page(asked: Asked) -> RunPage:
    """List runs."""
    return await to_thread.run_sync(runs.page, asked.services.engine, space_of(asked), asked.query)


async def one(asked: Asked) -> RunView:
    """Describe a run."""
    return await to_thread.run_sync(runs.view, asked.services.engine, *_of(asked))


async def stop(asked: Asked) -> RunView:
    """Ask for the end of a run."""
    body: StopRequest = asked.body
    reason = f"stopped by {asked.identity.name}" + (f": {body.reason}" if body.reason else "")
    return await to_thread.run_sync(runs.stop, asked.services.engine, *_of(asked), reason)


async def resume(asked: Asked) -> RunView:
    """Go on with a run that has failed or was stopped."""
    return await to_thread.run_sync(runs.resume, asked.services.engine, *_of(asked))


async def rerun(asked: Asked) -> RunView:
    """Begin a run like another."""
    return await to_thread.run_sync(runs.rerun, asked.services.engine, *_of(asked), asked.identity.name)


async def inputs(asked: Asked) -> InputsView:
    """Give what a run was asked for with."""
    return await to_thread.run_sync(runs.inputs, asked.services.engine, *_of(asked))


async def counts(asked: Asked) -> TaskCounts:
    """Count the actions of a run by what they are calls of."""
    return await to_thread.run_sync(runs.counts, asked.services.engine, *_of(asked))


async def actions(asked: Asked) -> ActionPage:
    """List the actions of a run."""
    return await to_thread.run_sync(runs.actions, asked.services.engine, *_of(asked), asked.query)


async def action(asked: Asked) -> ActionView:
    """Describe an action."""
    return await to_thread.run_sync(runs.action, asked.services.engine, *_of(asked), asked.path["action"])


async def attempts(asked: Asked) -> AttemptPage:
    """List the attempts of an action."""
    return await to_thread.run_sync(runs.attempts, asked.services.engine, *_of(asked), asked.path["action"])


async def kept(asked: Asked) -> KeptPage:
    """Give what an action has kept for later runs, and what was kept of its task before."""
    query: KeptQuery = asked.query
    engine, action = asked.services.engine, asked.path["action"]
    return await to_thread.run_sync(runs.kept, engine, *_of(asked), action, query.before)


async def result(asked: Asked) -> ResultView:
    """Give what an action has returned or raised."""
    return await to_thread.run_sync(runs.result, asked.services.engine, *_of(asked), asked.path["action"])


async def events(asked: Asked) -> Response:
    """Follow what happens in a run."""
    query: Since = asked.query
    return await _followed(asked, states=True, output=query.output, to_end=query.wait)


async def follow(asked: Asked) -> Response:
    """Follow what the attempts of a run print."""
    query: LogQuery = asked.query
    return await _followed(asked, output=True, which=query.action, to_end=query.wait)


async def _followed(asked: Asked, **what: Any) -> Response:
    engine = asked.services.engine
    await to_thread.run_sync(runs.view, engine, *_of(asked))
    return streams.answer(asked, Following(engine, *_of(asked), **what).events(streams.after(asked)))


ROUTES = (
    Route(
        "POST",
        SPACE,
        Role.EDITOR,
        begin,
        "Begin a run of a task or flow that is deployed.",
        body=RunRequest,
        returns=RunView,
        status=201,
        most=MOST,
    ),
    Route("GET", SPACE, Role.VIEWER, page, "List runs, the newest first.", query=RunQuery, returns=RunPage),
    Route("GET", RUN, Role.VIEWER, one, "Describe a run.", returns=RunView),
    Route("POST", f"{RUN}/stop", Role.EDITOR, stop, "Ask for the end of a run.", body=StopRequest, returns=RunView),
    Route("POST", f"{RUN}/resume", Role.EDITOR, resume, "Go on with a run that has ended in vain.", returns=RunView),
    Route("POST", f"{RUN}/rerun", Role.EDITOR, rerun, "Begin a run like another.", returns=RunView, status=201),
    Route("GET", f"{RUN}/inputs", Role.VIEWER, inputs, "Give the inputs of a run.", returns=InputsView),
    Route("GET", f"{RUN}/tasks", Role.VIEWER, counts, "Count the actions of a run by task.", returns=TaskCounts),
    Route(
        "GET", f"{RUN}/actions", Role.VIEWER, actions, "List actions of a run.", query=ActionQuery, returns=ActionPage
    ),
    Route("GET", ACTION, Role.VIEWER, action, "Describe an action.", returns=ActionView),
    Route("GET", f"{ACTION}/attempts", Role.VIEWER, attempts, "List the attempts of an action.", returns=AttemptPage),
    Route(
        "GET",
        f"{ACTION}/kept",
        Role.VIEWER,
        kept,
        "Compare what an action has kept for later runs with what was kept before.",
        query=KeptQuery,
        returns=KeptPage,
    ),
    Route("GET", f"{ACTION}/result", Role.VIEWER, result, "Give what an action has returned.", returns=ResultView),
    Route(
        "GET", f"{RUN}/events", Role.VIEWER, events, "Follow what happens in a run.", query=Since, media=streams.MEDIA
    ),
    Route(
        "GET",
        f"{RUN}/logs",
        Role.VIEWER,
        follow,
        "Follow what is printed.",
        query=LogQuery,
        media=streams.MEDIA,
    ),
)
