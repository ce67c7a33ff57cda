"""A bell: threads ring it, and one coroutine waits for that."""

from __future__ import annotations

import asyncio
import threading


class Bell:
    """Rung from any thread, it wakes who waits; if nobody does, it wakes the next who would."""

    def __init__(self) -> None:
        """Begin silent."""
        self._lock = threading.Lock()
        self._rung = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def ring(self) -> None:
        """Wake who waits."""
        with self._lock:
            self._rung = True
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            loop, future = waiting
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    async def wait(self) -> None:
        """Wait until it is rung. Who waited before is woken in vain: an older request that nobody reads any more."""
        loop = asyncio.get_running_loop()
        with self._lock:
            before, self._waiting = self._waiting, None
            rung, self._rung = self._rung, False
            if not rung:
                future: asyncio.Future[None] = loop.create_future()
                self._waiting = (loop, future)
        if before is not None:
            before[0].call_soon_threadsafe(_wake, before[1])
        if not rung:
            await future
            with self._lock:
                self._rung = False


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
