"""The warm parent: a process that loads the user's code once and forks each attempt.

It has one thread, so forking is safe. Each attempt leads a session, and adopts the orphans of what it starts, so its
whole tree hangs below it; when it ends, what is left of the tree falls to the warm parent, which kills it. The warm
parent ends, killing all, when its keeper closes its end of the socket or dies: the scheduler, or the first process of
a warm container.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket

from laminar.executors.process import receive, send
from laminar.host import machine, processes
from laminar.worker import assignment, child, loading
from laminar.worker.forks import Forks, redirect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from laminar.model.action import Entry, Request
    from laminar.model.ids import AttemptKey

#: Seconds between looks at whether the keeper lives. Its end of the socket closes when it dies, unless a process
#: that it forked holds that open.
GLANCE = 1.0
#: How much sooner the kernel should take an attempt, or the process that loads its code, than who looks after them.
SOONER, SOON = 500, 300


def main(handle: int, *, offers: bool = False) -> None:
    """Serve the keeper at the other end of a socket.

    Args:
        handle: The socket.
        offers: Whether the kernel should take an attempt first when memory runs out, and then this process, before
            who looks after them.
    """
    if offers:
        machine.offer(SOON)
    connection = socket.socket(fileno=handle)
    connection.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the scheduler's to answer
    first = receive(connection)
    if first is None:
        return
    code, entry_ref, label, keeper = first
    processes.die_with_parent(signal.SIGKILL)  # while user code loads, nobody reads the socket
    if os.getppid() != keeper:
        return
    payload: Any = entry_ref.payload
    assignment.assign(assignment.Assignment(payload["space"], payload["run"], stops=True))
    try:
        entry = loading.load(code, entry_ref)
    except Exception as error:
        send(connection, ("failed", error))
        return
    processes.die_with_parent(0)
    gc.collect()
    gc.freeze()  # keep the collector from touching, and so copying, what all forks share
    send(connection, ("ready",))
    _Parent(connection, entry, label, keeper, offers=offers).serve()


class _Parent:
    def __init__(self, connection: socket.socket, entry: Entry, label: str, keeper: int, *, offers: bool) -> None:
        self._connection = connection
        self._entry = entry
        self._label = label
        self._keeper = keeper
        self._offers = offers
        self._forks = Forks(self._report)

    def serve(self) -> None:
        """Answer the keeper and reap attempts until the keeper is gone."""
        selector = selectors.DefaultSelector()
        selector.register(self._connection, selectors.EVENT_READ, self._obey)
        self._forks.watch(selector)
        try:
            while os.getppid() == self._keeper:
                for ready, _ in selector.select(min(self._forks.patience(), GLANCE)):
                    if not ready.data():
                        return
                self._forks.turn()
        finally:
            self._forks.end()

    def _obey(self) -> bool:
        message = receive(self._connection)
        if message is None:
            return False
        if message[0] == "start":
            request: Request = message[1]
            try:
                self._forks.start(request.key, lambda: self._become(request))
            except OSError as error:  # this attempt fails, and others go on
                child.refuse(request, error)
                self._report(request.key, 0, 0.0, 0.0, False)
        else:
            self._forks.stop(message[1], message[2])
        return True

    def _become(self, request: Request) -> None:
        """Be the attempt."""
        if self._offers:
            machine.offer(SOONER)
        self._connection.close()
        os.environ[processes.LABEL] = f"{self._label}/{request.key}"
        redirect(request.log)
        child.run(self._entry, request)

    def _report(self, key: AttemptKey, status: int, cpu: float, memory: float, killed: bool) -> None:
        try:
            send(self._connection, ("ended", key, status, cpu, memory, killed))
        except ConnectionError:
            return  # the keeper is gone; the socket says so next
