"""Attempts as coroutines on one event loop, in a thread of the scheduler's process.

A coroutine costs some microseconds, so that thousands can wait at a time. What blocks the loop blocks all of them. An
attempt that must stop is cancelled; one that does not end within the grace is given up. If it blocks the loop, all else
on that loop is lost with it, and what starts later has another: the run ends, or goes on by retries, but does not hang.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
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
#: Seconds to wait for the end of a loop whose code may block it.
PATIENCE = 3.0


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
    """Event loops, and the coroutines on them: one, unless code has blocked it for good."""

    inside = True

    def __init__(self, host: Host, capacity: int) -> None:
        """Start the first loop."""
        self.capacity = capacity
        self._host = host
        self._loop = _Loop(host)
        self._loops = [self._loop]
        self._stops: deque[tuple[float, AttemptKey, _Loop]] = deque()
        self._stopped = threading.Condition()
        self._reaper: threading.Thread | None = None
        self._closed = False

    def start(self, request: Request) -> None:
        """Queue a request."""
        self._loop.start(request)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Cancel an attempt, and give it up after the grace, also if its loop hears nothing meanwhile."""
        loop = next((loop for loop in self._loops if key in loop.live), None)
        if loop is None:
            return
        loop.cancel(key)
        with self._stopped:
            self._stops.append((time.monotonic() + grace, key, loop))
            self._stopped.notify()
        if self._reaper is None:
            self._reaper = threading.Thread(target=self._reap, daemon=True, name="laminar-loop-reaper")
            self._reaper.start()

    def close(self) -> None:
        """Cancel what still runs, and end the loops; one that hears nothing is left behind."""
        with self._stopped:
            self._closed = True
            self._stopped.notify()
        for loop in self._loops:
            loop.close()

    def _reap(self) -> None:
        """Give up attempts whose grace is over."""
        while True:
            with self._stopped:
                while not self._closed and (not self._stops or self._stops[0][0] > time.monotonic()):
                    self._stopped.wait(max(0.0, self._stops[0][0] - time.monotonic()) if self._stops else None)
                if self._closed:
                    return
                _, key, loop = self._stops.popleft()
            if loop.blocked_by(key):
                self._abandon(loop, key)
            else:
                loop.end(key, Outcome.CANCELLED, None, "it was cancelled, and did not end within the grace")

    def _abandon(self, loop: _Loop, key: AttemptKey) -> None:
        """Leave a loop to the code that blocks it: nothing else on it can go on, or be told anything."""
        loop.left = True
        self._loop = _Loop(self._host)
        self._loops.append(self._loop)
        loop.end(key, Outcome.CANCELLED, None, "it blocked the event loop, and could not be stopped")
        detail = f"the event loop was blocked for good by {key}, which does not await what takes long"
        for other in list(loop.live):
            loop.end(other, Outcome.LOST, None, detail)


class _Loop:
    """One event loop in a thread of its own."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._requests: deque[Request] = deque()
        self._heard: set[AttemptKey] = set()
        self._loop = asyncio.new_event_loop()
        if host.task_factory is not None:
            self._loop.set_task_factory(host.task_factory)
        #: What was started and has not ended, with its task once it has begun.
        self.live: dict[AttemptKey, asyncio.Task[None] | None] = {}
        #: Whether it was left to the code that blocks it.
        self.left = False
        self._thread = threading.Thread(target=self._serve, daemon=True, name="laminar-loop")
        self._thread.start()

    def start(self, request: Request) -> None:
        """Queue a request; the first of many wakes the loop."""
        self.live[request.key] = None
        self._requests.append(request)
        if len(self._requests) == 1:
            self._loop.call_soon_threadsafe(self._begin)

    def cancel(self, key: AttemptKey) -> None:
        """Cancel an attempt, as soon as the loop hears of it."""
        self._loop.call_soon_threadsafe(self._cancel, key)

    def blocked_by(self, key: AttemptKey) -> bool:
        """Tell whether the loop has not heard that an attempt is to stop, because that attempt blocks it."""
        running = asyncio.current_task(self._loop)
        return key in self.live and key not in self._heard and running is not None and running.get_name() == _name(key)

    def end(self, key: AttemptKey, outcome: Outcome, manifest: Manifest | None, detail: str = "") -> None:
        """Deliver the end of an attempt, unless that was done."""
        if self.live.pop(key, self) is not self:
            self._heard.discard(key)
            self._host.deliver(Ended(key, outcome, manifest, detail=detail))

    def close(self) -> None:
        """Cancel what still runs, and end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        if not self.left and threading.current_thread() is not self._thread:
            self._thread.join(PATIENCE)

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
            key = request.key
            if key in self.live:
                task = self._loop.create_task(self._attempt(request), name=_name(key), context=contextvars.Context())
                self.live[key] = task

    async def _attempt(self, request: Request) -> None:
        key = request.key
        assert self._host.call_async is not None
        try:
            manifest = await self._host.call_async(request)
        except asyncio.CancelledError:
            self.end(key, Outcome.CANCELLED, None, "it was cancelled")
            return
        self.end(key, Outcome.SUCCEEDED if manifest.failure is None else Outcome.RAISED, manifest)

    def _cancel(self, key: AttemptKey) -> None:
        task = self.live.get(key)
        if task is not None:
            self._heard.add(key)
            task.add_done_callback(lambda _: self.end(key, Outcome.CANCELLED, None, "it was cancelled"))
            task.cancel()  # it may never have begun, and then only the callback says so


def _name(key: AttemptKey) -> str:
    """Name the tasks of an attempt, those that it creates itself included: so it is seen who blocks a loop."""
    return f"laminar {key}"
