"""Where attempts outside the scheduler's process ask the engine: a Unix socket, and a token for each attempt."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress

from laminar.host import sockets
from laminar.model.action import Asked, Door
from laminar.wire import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from laminar.model.action import Event
    from laminar.model.ids import AttemptKey
    from laminar.wire.messages import Answer


class Desk:
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
        except (ValueError, KeyError, TypeError):
            return  # whoever this is speaks another language, and is not heard
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _hear(self, connection: socket.socket) -> None:
        hello = frames.receive(connection)
        if not isinstance(hello, frames.Hello):
            return
        lock = threading.Lock()

        def reply(answer: Answer) -> None:
            with lock, suppress(OSError):  # it has ended, and needs no answer
                frames.send(connection, answer)

        while (message := frames.receive(connection)) is not None:
            with self._lock:
                key = self._tokens.get(hello.token)
            if key is None:
                return
            self._deliver(Asked(key, message, reply))
