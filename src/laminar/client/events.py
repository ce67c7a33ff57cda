"""Server-sent events: the lines of a stream, gone on with where it was lost."""

from __future__ import annotations

import time

import urllib3

from laminar.client.transport import Waits
from laminar.errors import ServerNotReachableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from laminar.client.transport import Answer

    #: Its number, its kind, and its data as JSON.
    Event = tuple[int, str, bytes]

MEDIA_TYPE = "text/event-stream"
#: The kind of the event after which nothing follows.
END = "end"
READ = 1 << 16


def follow(ask: Callable[[int], Answer], after: int, patience: float) -> Iterator[Event]:
    """Give the events of a stream, each once and in order, until the server says that no more will come.

    Args:
        ask: Opens the stream behind an event.
        after: Number of the last event that is known.
        patience: Seconds without a sign of life after which it is given up.

    Raises:
        ServerNotReachableError: The connection was lost, and could not be made again.
    """
    waits = Waits(patience)
    while True:
        answer = ask(after)
        try:
            for number, kind, data in parse(_pieces(answer)):
                waits = Waits(patience)
                if kind == END:
                    return
                if number > after:
                    after = number
                    yield number, kind, data
        except urllib3.exceptions.HTTPError:
            pass
        finally:
            answer.close()
        wait = waits.next()
        if wait is None:
            raise ServerNotReachableError(
                f"The server closes the stream of events behind number {after} again and again. Read its log."
            )
        time.sleep(wait)


def parse(pieces: Iterator[bytes]) -> Iterator[Event]:
    """Read events from the pieces of a stream; one that is cut off does not count."""
    number, kind, data = 0, "message", bytearray()
    for line in _lines(pieces):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data or kind != "message":
                yield number, kind, bytes(data)
            kind, data = "message", bytearray()
        elif name == b"id" and value.isdigit():
            number = int(value)
        elif name == b"event":
            kind = value.decode()
        elif name == b"data":
            data += b"\n" + value if data else value


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")


def _pieces(answer: Answer) -> Iterator[bytes]:
    while piece := answer.read1(READ):
        yield piece
