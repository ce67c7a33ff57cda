"""Attempts as coroutines on one event loop, in a thread of the scheduler's process.

A coroutine costs some microseconds, so that thousands can wait at a time. What blocks the loop blocks all of them. An
attempt that must stop is cancelled; one that does not end within the grace is given up.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque

from laminar.executors.contract import Executor, Session
from laminar.model.action import Ended, Manifest
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.executors.contract import Host
    from laminar.model.action import Request
    from laminar.model.ids import AttemptKey

#: Coroutines that run at a time, unless the user says otherwise.
CONCURRENCY = 1000


class Loop(Executor):
    """Run each attempt as a coroutine on one event loop. For attempts that are asynchronous themselves."""

    leaves_process = False

    def __init__(self, *, concurrency: int | None = None, timeout: float | None = None) -> None:
        """Check and keep the configuration."""
        super().__init__(concurrency=CONCURRENCY if concurrency is None else concurrency, timeout=timeout)

    def open(self, host: Host) -> Session:
        """Start the event loop's thread."""
        return LoopSession(host, self.concurrency)


class LoopSession(Session):
    """An event loop, and the coroutines on it."""

    inside = True

    def __init__(self, host: Host, capacity: int) -> None:
        """Start the thread."""
        self.capacity = capacity
        self._host = host
        self._requests: deque[Request] = deque()
        self._tasks: dict[AttemptKey, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        if host.task_factory is not None:
            self._loop.set_task_factory(host.task_factory)
        self._thread = threading.Thread(target=self._serve, daemon=True, name="laminar-loop")
        self._thread.start()

    def start(self, request: Request) -> None:
        """Queue a request; the first of many wakes the loop."""
        self._requests.append(request)
        if len(self._requests) == 1:
            self._loop.call_soon_threadsafe(self._begin)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Cancel an attempt, and give it up after the grace."""
        self._loop.call_soon_threadsafe(self._cancel, key, grace)

    def close(self) -> None:
        """Cancel what still runs, and end the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _begin(self) -> None:
        while self._requests:
            request = self._requests.popleft()
            task = self._loop.create_task(self._attempt(request), context=contextvars.Context())
            self._tasks[request.key] = task

    async def _attempt(self, request: Request) -> None:
        key = request.key
        assert self._host.call_async is not None
        try:
            manifest = await self._host.call_async(request)
        except asyncio.CancelledError:
            self._end(key, Outcome.CANCELLED, None)
            return
        self._end(key, Outcome.SUCCEEDED if manifest.failure is None else Outcome.RAISED, manifest)

    def _end(self, key: AttemptKey, outcome: Outcome, manifest: Manifest | None) -> None:
        if self._tasks.pop(key, None) is not None:
            self._host.deliver(Ended(key, outcome, manifest, detail="" if manifest is not None else "it was cancelled"))

    def _cancel(self, key: AttemptKey, grace: float) -> None:
        task = self._tasks.get(key)
        if task is not None:
            task.add_done_callback(lambda _: self._end(key, Outcome.CANCELLED, None))  # it may never have begun
            task.cancel()
            self._loop.call_later(grace, self._give_up, key)

    def _give_up(self, key: AttemptKey) -> None:
        if self._tasks.pop(key, None) is not None:
            detail = "it was cancelled, and did not end within the grace"
            self._host.deliver(Ended(key, Outcome.CANCELLED, detail=detail))
