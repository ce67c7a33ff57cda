"""A bell: threads ring it, and coroutines listen for that."""

from __future__ import annotations

import asyncio
import contextlib
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Bell:
    """Rung from any thread, it wakes the last that has begun to listen.

    Who listens first, and looks then whether there is something, misses nothing.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._listening: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def ring(self) -> None:
        """Wake one that listens."""
        with self._lock:
            if not self._listening:
                return
            loop, rung = self._listening.pop()
        try:
            loop.call_soon_threadsafe(self._wake, rung)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return

    def _wake(self, rung: asyncio.Future[None]) -> None:
        """Wake one, or another where that one has just left."""
        if rung.done():
            self.ring()
        else:
            rung.set_result(None)

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Future[None]]:
        """Give what is done once it is rung."""
        loop = asyncio.get_running_loop()
        one = (loop, loop.create_future())
        with self._lock:
            self._listening.append(one)
        try:
            yield one[1]
        finally:
            one[1].cancel()
            with self._lock:
                if one in self._listening:
                    self._listening.remove(one)
