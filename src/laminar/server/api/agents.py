"""What agents and attempts ask."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from anyio import to_thread
from msgspec import structs

from laminar.server.identity import Role
from laminar.server.problems import refusal
from laminar.server.routes import MIB, Asked, Route
from laminar.wire.agents import Answers, Asking, Attending, Heard, Hello, Leave, Orders, Ready, Report, Taken, Welcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from typing import TypeVar

    from laminar.server.pools import Agent

    T = TypeVar("T")

#: Seconds that a request waits for something to answer.
WAIT = 10.0
#: Seconds that the report of an end waits for what is to follow in its place.
FOLLOWING = 0.05
#: From how many unanswered calls on an answer waits for others, and for how many seconds.
MANY, GATHERED = 32, 0.05
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
    with agent.bell.listening() as rung:
        return await _once(asked, rung, partial(agent.orders, ready), _some_orders)


def _some_orders(found: Orders) -> bool:
    return bool(found.orders)


async def report(asked: Asked) -> Heard:
    """Take what an agent tells. Where attempts have ended, what follows in their place is in the answer, if it can."""
    agent = asked.services.engine.agents.agent(asked.identity.claims)
    told: Report = asked.body
    if not told.ended:
        return await to_thread.run_sync(_report, asked, agent)
    with agent.bell.listening() as rung:
        heard = await to_thread.run_sync(_report, asked, agent)
        following = await _once(asked, rung, partial(agent.orders, told.ready), _some_orders, FOLLOWING)
    if any(isinstance(order, Leave) for order in following.orders):
        agent.bell.ring()  # the request that waits for orders is the one that ends with them
        return heard
    return structs.replace(heard, orders=following)


def _report(asked: Asked, agent: Agent) -> Heard:
    engine, told = asked.services.engine, asked.body
    unknown, later, pieces = [], [], []
    for chunk in told.output:
        key, left = engine.agents.running(agent, chunk.key)
        if key is not None:
            engine.output.add(key, chunk.offset, chunk.data)
            pieces.append((key, chunk.offset, len(chunk.data)))
        elif left:
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
    with bell.listening() as rung:
        given = await _once(
            asked, rung, partial(found, attending), lambda given: bool(given.answers) or given.line != attending.line
        )
    if attending.waits < MANY or not given.answers:
        return given
    await asyncio.sleep(GATHERED)
    return found(attending)


async def _once(
    asked: Asked, rung: Future[None], look: Callable[[], T], some: Callable[[T], bool], seconds: float = WAIT
) -> T:
    """Look until there is something, or a time is over."""
    given, stopping = look(), asked.services.stopping
    if not some(given) and not stopping.now:
        with stopping.telling(partial(_end, rung)), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await rung
        given = look()
    return given


def _end(rung: Future[None]) -> None:
    if not rung.done():
        rung.set_result(None)


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
