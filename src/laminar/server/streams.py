"""Streams of events, as server-sent events: a lost connection goes on after the last id that it has seen.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from starlette.responses import StreamingResponse

from laminar.model.value import Value
from laminar.server.problems import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from laminar.server.routes import Asked
    from laminar.server.stopping import Stopping

MEDIA = "text/event-stream"
#: Seconds between signs of life, and milliseconds after which a client that has lost the connection comes again.
BEAT, AGAIN = 10.0, 1000
#: The greatest id.
LAST = 2**63 - 1


class Event(Value, frozen=True, hot=True):
    """Something that happened.

    Attributes:
        id: Its number; it grows.
        kind: What kind of thing.
        data: What is to say about it: a struct, or what JSON can say.
    """

    id: int
    kind: str
    data: Any


def after(asked: Asked) -> int:
    """Tell after which event a stream should go on: by the header ``Last-Event-ID``, else the parameter ``after``.

    Raises:
        RequestError: The header is no number.
    """
    text = asked.request.headers.get("last-event-id")
    if text is None:
        return int(getattr(asked.query, "after", None) or 0)
    if not text.isascii() or not text.isdigit() or int(text) > LAST:
        raise refusal(400, f"The header Last-Event-ID is {text[:40]!r}. It takes the number of an event.")
    return int(text)


def answer(asked: Asked, events: AsyncIterator[list[Event]], beat: float = BEAT) -> StreamingResponse:
    """Answer with a stream.

    Args:
        asked: The request.
        events: What happens, as it happens, in pieces. When it ends nothing more will happen, and an event ``end``
            says so.
        beat: Seconds between signs of life.
    """
    return StreamingResponse(_lines(events, asked.services.stopping, beat), media_type=MEDIA)


async def _lines(events: AsyncIterator[list[Event]], stopping: Stopping, beat: float) -> AsyncIterator[bytes]:
    """Write events, and a comment where there was none for a while; end when the server stops."""
    yield b"retry: %d\n\n" % AGAIN
    stop = asyncio.ensure_future(stopping.wait())
    coming = asyncio.ensure_future(_next(events))
    try:
        while True:
            await asyncio.wait((coming, stop), timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                some = coming.result()
                if some is None:
                    yield b"event: end\ndata: {}\n\n"
                    return
                yield b"".join(map(_written, some))
                coming = asyncio.ensure_future(_next(events))
            elif stop.done():
                return
            else:
                yield b": ping\n\n"
    finally:
        await _let_go(events, coming, stop)


async def _next(events: AsyncIterator[list[Event]]) -> list[Event] | None:
    return await anext(events, None)


async def _let_go(events: AsyncIterator[list[Event]], *tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    close = getattr(events, "aclose", None)
    if close is not None:
        with contextlib.suppress(RuntimeError):
            await close()


def _written(event: Event) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), msgspec.json.encode(event.data))
