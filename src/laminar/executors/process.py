"""Attempts as processes of this machine.

``fork``: a warm parent, a fresh interpreter, imports the user's code once; each attempt is a fork of it, a few
milliseconds away and isolated from all others. ``spawn``: each attempt is a fresh interpreter, where fork is missing.

Every attempt is a session of its own and the reaper of what it starts, so that all of it can be found and killed. The
warm parent kills everything when the scheduler's end of their socket closes, however the scheduler died.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress

from laminar.errors import CodeLoadError, FlowError
from laminar.executors.contract import Executor, Session
from laminar.executors.interpreters import bootstrap, interpreter_options
from laminar.executors.outcomes import Watch
from laminar.host import processes
from laminar.host.machine import memory_kills
from laminar.model.action import Ended, SessionLost, SessionReady
from laminar.model.states import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from laminar.executors.contract import Host
    from laminar.model.action import Request
    from laminar.model.ids import AttemptKey

LENGTH = struct.Struct("!I")
METHODS = ("fork", "spawn")


class Process(Executor):
    """Run each attempt in a process of its own. The default.

    Attributes:
        method: ``"fork"`` (of a warm parent) or ``"spawn"`` (a fresh interpreter for each attempt).

    Raises:
        FlowError: The method is unknown, or missing on this system.

    Usage::

        flow = HelloFlow(executor=executors.Process(concurrency=4))
    """

    def __init__(
        self,
        *,
        concurrency: int | None = None,
        timeout: float | None = None,
        method: Literal["fork", "spawn"] | None = None,
    ) -> None:
        """Check and keep the configuration."""
        super().__init__(concurrency=concurrency, timeout=timeout)
        forks = hasattr(os, "fork")
        self.method = method or ("fork" if forks else "spawn")
        if self.method not in METHODS:
            raise FlowError(f"Process(method={method!r}): expects one of {', '.join(METHODS)}.")
        if self.method == "fork" and not forks:
            raise FlowError("Process(method='fork'): this system cannot fork; use method='spawn'.")

    def open(self, host: Host) -> Session:
        """Start the warm parent, or make ready to spawn."""
        if self.method == "fork":
            return ForkSession(host, self.concurrency)
        from laminar.executors.spawn import SpawnSession  # 15 ms of subprocess, and only who cannot fork needs it

        return SpawnSession(host, self.concurrency)


def send(connection: socket.socket, message: Any) -> None:
    """Send a message over a stream socket."""
    data = pickle.dumps(message, 5)
    connection.sendall(LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Any:
    """Receive a message; None at the end of the stream."""
    head = _exactly(connection, LENGTH.size)
    if head is None:
        return None
    data = _exactly(connection, LENGTH.unpack(head)[0])
    return None if data is None else pickle.loads(data)  # noqa: S301 - from a process that this one started


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            part = connection.recv(min(size - len(data), 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)


class ForkSession(Session):
    """A warm parent and the attempts that it forks."""

    def __init__(self, host: Host, capacity: int, *, offers: bool = False, limited: bool = False) -> None:
        """Start the warm parent.

        Args:
            host: What the engine offers.
            capacity: Attempts that may run at a time.
            offers: Whether the kernel should take attempts before this process when memory runs out.
            limited: Whether they are held to the memory that they ask for.
        """
        self.capacity = 0
        #: Why the user's code could not be loaded.
        self.failure: BaseException | None = None
        self._limited = limited
        self._kills = memory_kills()
        self._room = capacity
        self._host = host
        self._lock = threading.Lock()
        self._watched: dict[AttemptKey, Watch] = {}
        self._closing = False
        self._connection, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        environment = {**os.environ, processes.LABEL: f"{host.label}/warm"}
        command = [
            sys.executable,
            *interpreter_options(),
            "-u",  # what is printed must not be lost when a process dies
            "-c",
            bootstrap(f"warm import main; main({theirs.fileno()}, offers={offers})"),
        ]
        self._pid = os.posix_spawn(sys.executable, command, environment, setpgroup=0)
        theirs.close()
        send(self._connection, (host.code, host.entry, host.label, os.getpid()))
        self._reader = threading.Thread(target=self._read, daemon=True, name="laminar-processes")
        self._reader.start()

    def start(self, request: Request) -> None:
        """Ask the warm parent for a fork."""
        with self._lock:
            self._watched[request.key] = Watch(request, limited=self._limited)
        self._tell("start", request)

    def stop(self, key: AttemptKey, grace: float) -> None:
        """Ask the warm parent to stop an attempt."""
        with self._lock:
            watch = self._watched.get(key)
            if watch is None:
                return
            watch.stopped = True
        self._tell("stop", key, grace)

    def close(self) -> None:
        """Let the warm parent end, which ends all that it has started, and wait for that."""
        self._closing = True
        if not self.capacity:
            processes.kill_tree(self._pid)  # it loads the user's code, and listens to nobody before that has ended
        self._connection.shutdown(socket.SHUT_WR)
        self._reader.join()
        self._connection.close()
        with suppress(ChildProcessError):  # the program does not care for the ends of its children
            os.waitpid(self._pid, 0)

    def _tell(self, *message: Any) -> None:
        with suppress(ConnectionError):  # the reader notices too, and delivers the end of every attempt
            send(self._connection, message)

    def _read(self) -> None:
        while (message := receive(self._connection)) is not None:
            if message[0] == "ended":
                _, key, status, cpu, memory, killed = message
                with self._lock:
                    watch = self._watched.pop(key)
                self._host.deliver(watch.ended(status, cpu, memory, killed=killed))
            elif message[0] == "ready":
                self.capacity = self._room
                self._host.deliver(SessionReady())
            else:
                self.failure = message[1]
        if self._closing and self.failure is None:
            return
        processes.sweep(f"{self._host.label}/")
        error = self.failure or CodeLoadError(
            "The parent of all processes of this run was killed; resume the run to go on."
        )
        self._host.deliver(SessionLost(error))
        kills = memory_kills()
        killed = self.failure is None and self._kills is not None and kills is not None and kills > self._kills
        with self._lock:
            left = list(self._watched.values())
            self._watched.clear()
        for watch in left:
            if killed:
                self._host.deliver(watch.ended(-signal.SIGKILL, None, None, killed=True))
            else:
                self._host.deliver(Ended(watch.request.key, Outcome.LOST, detail=str(error)))
