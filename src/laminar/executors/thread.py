"""Attempts as threads of the scheduler's process.

The quickest start, and real parallelism for input and output. A thread cannot be killed: an attempt that must stop has
an exception raised in it at its next Python instruction, and is given up at once; what it does later is refused.
"""

from __future__ import annotations

import queue
import threading

from laminar.errors import AttemptError
from laminar.executors.contract import Executor, Session
from laminar.model.action import Ended
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from laminar.executors.contract import Host
    from laminar.model.action import Request
    from laminar.model.ids import AttemptKey


class StoppedError(AttemptError):
    """Raised inside a thread whose attempt was stopped."""


class Thread(Executor):
    """Run each attempt in a thread of the scheduler's process. Attempts are not isolated from each other.

    Usage::

        flow = HelloFlow(executor=executors.Thread(concurrency=8))
    """

    leaves_process = False

    def open(self, host: Host) -> Session:
        """Make ready; threads are started when they are needed."""
        return ThreadSession(host, self.concurrency)


class ThreadSession(Session):
    """Threads that take requests from one queue."""

    inside = True

    def __init__(self, host: Host, capacity: int) -> None:
        """Start without threads."""
        self.capacity = capacity
        self._host = host
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._live: dict[AttemptKey, int | None] = {}
        self._idle = 0
        self._threads = 0

    def start(self, request: Request) -> None:
        """Queue a request, with a thread more if all are busy."""
        with self._lock:
            self._live[request.key] = None
            if self._idle > 0:
                self._idle -= 1
            else:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True, name=f"laminar-{self._threads}").start()
        self._requests.put(request)

    def stop(self, key: AttemptKey, grace: float) -> None:  # noqa: ARG002 - a thread cannot be given time
        """Raise :class:`StoppedError` in the thread and give it up."""
        with self._lock:
            if key not in self._live:
                return
            thread = self._live.pop(key)
        if thread is not None:
            _raise_in(thread)
        detail = "its thread was told to stop; a thread that waits for something ends only when that comes"
        self._host.deliver(Ended(key, Outcome.CANCELLED, detail=detail))

    def close(self) -> None:
        """Give up what still runs, and let idle threads end."""
        for key in list(self._live):
            self.stop(key, 0.0)
        for _ in range(self._threads):
            self._requests.put(None)

    def _work(self) -> None:
        try:
            while (request := self._requests.get()) is not None:
                if not self._attempt(request):
                    return
        except StoppedError:
            return  # raised for an attempt that had just ended

    def _attempt(self, request: Request) -> bool:
        """Run a request; tells whether the thread may take another, which one that was told to stop may not."""
        with self._lock:
            wanted = request.key in self._live
            if wanted:
                self._live[request.key] = threading.get_ident()
        if wanted and not self._run(request):
            return False
        with self._lock:
            self._idle += 1
        return True

    def _run(self, request: Request) -> bool:
        manifest = self._host.call(request)
        with self._lock:
            wanted = self._live.pop(request.key, None) is not None
        if wanted:
            outcome = Outcome.SUCCEEDED if manifest.failure is None else Outcome.RAISED
            self._host.deliver(Ended(request.key, outcome, manifest))
        return wanted


def _raise_in(thread: int) -> None:
    import ctypes  # 10 ms, and only stopping a thread needs it

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(StoppedError))
