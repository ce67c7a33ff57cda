"""What agents and attempts ask."""

from __future__ import annotations

import asyncio

from anyio import to_thread

from laminar.server.identity import Role
from laminar.server.problems import refusal
from laminar.server.routes import MIB, Asked, Route
from laminar.wire.agents import Answers, Asking, Attending, Heard, Hello, Orders, Ready, Report, Taken, Welcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from laminar.server.bell import Bell

    T = TypeVar("T")

#: Seconds that a request waits for something to answer.
WAIT = 10.0
#: Bytes of the largest report, and of the largest request of an attempt.
MOST = 64 * MIB


async def hello(asked: Asked) -> Welcome:
    """Take up an agent."""
    engine = asked.services.engine
    return await to_thread.run_sync(engine.agents.welcome, asked.identity.claims, asked.body, engine.code_url)


async def orders(asked: Asked) -> Orders:
    """Give an agent its orders, once there are some."""
    agent = asked.services.engine.agents.agent(asked.identity.claims)
    ready: Ready = asked.body
    return await _once(asked, agent.bell, lambda: agent.orders(ready.after), lambda found: bool(found.orders))


async def report(asked: Asked) -> Heard:
    """Take what an agent tells."""
    return await to_thread.run_sync(_report, asked)


def _report(asked: Asked) -> Heard:
    engine = asked.services.engine
    agent = engine.agents.agent(asked.identity.claims)
    told: Report = asked.body
    unknown, later, pieces = [], [], []
    for chunk in told.output:
        key = engine.agents.running(agent, chunk.key)
        if key is not None:
            engine.output.add(key, chunk.offset, chunk.data)
            pieces.append((key, chunk.offset, len(chunk.data)))
        elif engine.agents.left(agent, chunk.key):
            later.append(chunk.key)
        else:
            unknown.append(chunk.key)
    engine.output.tell(pieces)
    try:
        strange, early = engine.agents.report(agent, told)
    except ValueError as error:
        raise refusal(400, f"The report is not understood: {error}.") from None
    return Heard(unknown=list(dict.fromkeys([*unknown, *strange])), later=list(dict.fromkeys([*later, *early])))


async def messages(asked: Asked) -> Taken:
    """Take what an attempt asks."""
    told: Asking = asked.body
    try:
        return Taken(line=asked.services.engine.lines.ask(asked.identity.claims, told))
    except ValueError as error:
        raise refusal(400, f"The messages are not understood: {error}.") from None


async def answers(asked: Asked) -> Answers:
    """Give an attempt its answers, once there are some."""
    attending: Attending = asked.body
    bell, found = asked.services.engine.lines.line(asked.identity.claims)
    return await _once(
        asked, bell, lambda: found(attending), lambda given: bool(given.answers) or given.line != attending.line
    )


async def _once(asked: Asked, bell: Bell, look: Callable[[], T], some: Callable[[T], bool]) -> T:
    """Look until there is something, or a time is over."""
    given = look()
    if not some(given):
        rung = asyncio.ensure_future(bell.wait())
        stop = asyncio.ensure_future(asked.services.stopping.wait())
        await asyncio.wait((rung, stop), timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (rung, stop):
            waiting.cancel()
        given = look()
    return given


ROUTES = (
    Route("POST", "/agent/hello", Role.AGENT, hello, "Take up an agent.", body=Hello, returns=Welcome),
    Route("POST", "/agent/orders", Role.AGENT, orders, "Give an agent its orders.", body=Ready, returns=Orders),
    Route(
        "POST", "/agent/report", Role.AGENT, report, "Take what an agent tells.", body=Report, returns=Heard, most=MOST
    ),
    Route(
        "POST",
        "/attempt/messages",
        Role.ATTEMPT,
        messages,
        "Take what an attempt asks.",
        body=Asking,
        returns=Taken,
        most=MOST,
    ),
    Route(
        "POST",
        "/attempt/answers",
        Role.ATTEMPT,
        answers,
        "Give an attempt its answers.",
        body=Attending,
        returns=Answers,
    ),
)
