"""Where attempts outside the scheduler's process ask the engine: a Unix socket, and a token for each attempt."""

from __future__ import annotations

import os
import queue
import socket
import threading
from contextlib import suppress

from laminar.engine.contract import Doors
from laminar.host import sockets
from laminar.model.action import Asked, Door
from laminar.wire import frames
from laminar.wire.messages import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import Event
    from laminar.model.ids import AttemptKey
    from laminar.wire.messages import Answer

#: Length and letters of the names of children: 10 bytes in base 32.
NAME = 16
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")


class Desk(Doors):
    """Listens for attempts, a thread for each that asks."""

    def __init__(self, path: str, deliver: Callable[[Event], None], *, wanted: bool) -> None:
        """Name the socket.

        Args:
            path: Its path.
            deliver: Takes what attempts ask.
            wanted: Whether there is anybody who might ask.
        """
        self._path = path
        self._deliver = deliver
        self._wanted = wanted
        self._lock = threading.Lock()
        self._tokens: dict[str, AttemptKey] = {}
        self._of: dict[AttemptKey, str] = {}
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Desk:
        """Begin to listen."""
        if self._wanted:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self._server = sockets.listen(self._path)
            threading.Thread(target=self._accept, args=(self._server,), daemon=True, name="laminar-desk").start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            with self._lock:
                connections = list(self._open)
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    def admit(self, key: AttemptKey) -> Door | None:
        """Let an attempt ask from now on; None if nobody listens."""
        if self._server is None:
            return None
        token = os.urandom(16).hex()
        with self._lock:
            self._tokens[token] = key
            self._of[key] = token
        return Door(self._path, token)

    def dismiss(self, key: AttemptKey) -> None:
        """Answer an attempt no more."""
        with self._lock:
            self._tokens.pop(self._of.pop(key, ""), None)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="laminar-desk").start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            self._hear(connection)
        except (ValueError, KeyError, TypeError, RecursionError):
            return  # whoever this is speaks another language, and is not heard
        finally:
            with self._lock:
                self._open.discard(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # so that nobody goes on sending
            connection.close()

    def _hear(self, connection: socket.socket) -> None:
        hello = frames.receive(connection)
        if not isinstance(hello, frames.Hello):
            return
        answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        threading.Thread(target=_answer, args=(connection, answers), daemon=True, name="laminar-desk").start()
        try:
            self._deliver_all(connection, hello.token, answers.put)
        finally:
            answers.put(None)

    def _deliver_all(self, connection: socket.socket, token: str, reply: Callable[[Answer], None]) -> None:
        while (message := frames.receive(connection)) is not None:
            with self._lock:
                key = self._tokens.get(token)
            if key is None or not isinstance(message, Message) or not _is_name(message.id):
                return
            self._deliver(Asked(key, message, reply))


def _answer(connection: socket.socket, answers: queue.SimpleQueue[Answer | None]) -> None:
    """Send answers, in a thread of its own: an attempt that does not take them must not hold up the others."""
    with suppress(OSError):  # it has ended, and needs no answer
        while (answer := answers.get()) is not None:
            frames.send(connection, answer)


def _is_name(text: str) -> bool:
    """Tell whether a text may name a child, as :meth:`laminar.worker.calling.Caller.name` makes names."""
    return len(text) == NAME and LETTERS.issuperset(text)
