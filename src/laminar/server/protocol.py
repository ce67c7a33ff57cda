"""One connection: HTTP/1.1 by uvicorn and h11, with a time limit for the head of a request, which uvicorn has not."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

#: Seconds for the head of a request; uvicorn makes the connections, and hands no setting of ours to them.
HEAD_SECONDS = 10.0
#: Bytes of the largest head.
HEAD_BYTES = 32 * 1024
#: Bytes that are read from a connection in one go.
READ_BYTES = 64 * 1024
LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(H11Protocol):
    """A connection that is closed if the head of a request does not come in time."""

    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's; 200 uploads at once then take half of the memory
            transport.max_size = READ_BYTES
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of the next head may take as long as those of the first."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._slow is None and not self.transport.is_closing():
            self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait again, if part of another head has come already."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0] and self._slow is None:
            self._wait()

    def _wait(self) -> None:
        self._slow = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.conn.trailing_data[0]:
            self.transport.write(LATE)
        self.transport.close()

    def _stop(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
